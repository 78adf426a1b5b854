/* SPDX-License-Identifier: MIT */
/* Making errors; reading them is public. */
#ifndef TW_BASE_ERROR_H
#define TW_BASE_ERROR_H

#include <tidewheel/error.h>

/* Sets `*err` (when err is not NULL) and returns `code`, so that callers can write
 * `return tw__error(err, TW_E_CONFIG, "...")`. Out of memory gives the static singleton.
 * An error already in `*err` is freed first. @thread any */
int tw__error(tw_error **err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* TW_E_VALIDATION or TW_E_CONFIG with the path of the value. */
int tw__error_at(tw_error **err, int code, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int tw__error_nomem(tw_error **err);

/* Details; each takes NULL and the singleton and then does nothing. */
void tw__error_set_http(tw_error *err, int status);
void tw__error_set_retry_after(tw_error *err, int64_t ms);
void tw__error_set_retriable(tw_error *err, int retriable); /* default: by code */
void tw__error_set_stored(tw_error *err, tw_stored stored); /* default: TW_STORED_NO */
void tw__error_set_index(tw_error *err, int64_t index);
void tw__error_set_rpc(tw_error *err, int64_t code);
/* One that is too long is left out: half a URL leads nowhere. */
void tw__error_set_resource_metadata(tw_error *err, const char *url);

/* Owned by caller; NULL gives NULL; never fails (the singleton when there is no memory). */
tw_error *tw__error_copy(const tw_error *err);

#endif
