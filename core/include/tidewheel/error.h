/* SPDX-License-Identifier: MIT */
/* Errors: what happened, apart from what to do about it. */
#ifndef TIDEWHEEL_ERROR_H
#define TIDEWHEEL_ERROR_H

#include <tidewheel/common.h>

TW_BEGIN_DECLS

/* Accessors take NULL. Strings are borrowed until the error is freed. @thread any */

/** One of tw_code; TW_OK for NULL. */
TW_API int tw_error_code(const tw_error *err);
/** One line of UTF-8, past tense, without secrets; "" for NULL. */
TW_API const char *tw_error_message(const tw_error *err);
/** The HTTP status of the answer, 0 where there was none. */
TW_API int tw_error_http_status(const tw_error *err);
/** Milliseconds the server (or a local budget) asks to wait, -1 where unknown. */
TW_API int64_t tw_error_retry_after_ms(const tw_error *err);
/** Nonzero where the same call may succeed later. */
TW_API int tw_error_retriable(const tw_error *err);
/** Whether the server stored what was sent. */
TW_API tw_stored tw_error_stored(const tw_error *err);
/** Index of the offending event or line, -1 where there is none. */
TW_API int64_t tw_error_index(const tw_error *err);
/** Path of the offending value ("event_properties.cart[3].price"), NULL where none. */
TW_API const char *tw_error_field(const tw_error *err);
/** Code of a JSON-RPC error (TW_E_RPC), 0 for all others. */
TW_API int64_t tw_error_rpc_code(const tw_error *err);
/** Of a TW_E_AUTH of the MCP server: the URL of the document that says where a user gets a token
 * (RFC 9728), as the server gave it; NULL where there is none. */
TW_API const char *tw_error_resource_metadata(const tw_error *err);
/** Frees; NULL is allowed. */
TW_API void tw_error_free(tw_error *err);

TW_END_DECLS

#endif
