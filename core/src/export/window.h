/* SPDX-License-Identifier: MIT */
/* Windows of upload hours. */
#ifndef TW_EXPORT_WINDOW_H
#define TW_EXPORT_WINDOW_H

#include <tidewheel/common.h>

enum { TW_HOUR_TEXT = 11, TW_WINDOW_MAX_HOURS = 365 * 24 };

/* "YYYYMMDDTHH" as hours since 1970-01-01 UTC. Nonzero when it names an hour that
 * exists. */
int tw__hour_parse(int64_t *hour, const char *text);

/* Both ends, inclusive: their form, their order, at most 365 days (Amplitude Export
 * API docs, read 2026-11-23). TW_E_VALIDATION with field "start" or "end". */
int tw__window_check(int64_t *first, int64_t *last, const char *start, const char *end,
                     tw_error **err);

#endif
