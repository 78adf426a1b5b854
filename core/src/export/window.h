/* SPDX-License-Identifier: MIT */
/* Windows of upload hours. */
#ifndef TW_EXPORT_WINDOW_H
#define TW_EXPORT_WINDOW_H

#include <tidewheel/common.h>

enum { TW_HOUR_TEXT = 11, TW_WINDOW_MAX_HOURS = 365 * 24 };

/* An hour, UTC. */
typedef struct tw_hour {
    char text[TW_HOUR_TEXT + 1]; /* "YYYYMMDDTHH", as the API wants it */
    int64_t number;              /* since 1970-01-01 */
} tw_hour;

typedef struct tw_window {
    tw_hour first, last; /* both are part of it */
} tw_window;

/* Both ends: each an hour ("20260301T05", "2026-03-01T05"), or a day ("20260301", "2026-03-01"),
 * which begins with its first hour and ends with its last; their order; at most 365 days
 * (Amplitude Export API docs, read 2026-11-23). TW_E_VALIDATION with field "start" or "end".
 * @thread any */
int tw__window_read(tw_window *out, const char *start, const char *end, tw_error **err);

#endif
