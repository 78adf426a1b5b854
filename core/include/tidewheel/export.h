/* SPDX-License-Identifier: MIT */
/* Raw export: the events of a window of upload hours as a stream of lines. */
#ifndef TIDEWHEEL_EXPORT_H
#define TIDEWHEEL_EXPORT_H

#include <tidewheel/common.h>

TW_BEGIN_DECLS

typedef struct tw_export_options {
    size_t size;
    size_t block_bytes;    /* target size of a block of lines; 0 = 1 MiB */
    unsigned ready_blocks; /* blocks kept ready before the transfer is paused; 0 = 3 */
    size_t max_line_bytes; /* a longer line is an error; 0 = 8 MiB */
    unsigned max_ratio; /* growth above which the archive is taken for a bomb; 0 = 200 */
} tw_export_options;
#define TW_EXPORT_OPTIONS_INIT                \
    {                                         \
        sizeof(tw_export_options), 0, 0, 0, 0 \
    }

/**
 * Streams one window. Read it with tw_job_next / tw_block_next_line: each line is one
 * event as JSON. TW_DONE comes only after the archive was read whole, its checksums were
 * right and its central directory agreed; 404 (no data) is an empty stream. Lines come
 * while the archive is still arriving: an error after some lines means that the window
 * was not whole. Once a line was handed out nothing is repeated; before, a transfer that
 * breaks is repeated twice.
 *
 * @param start first hour, UTC, by upload time: "YYYYMMDDTHH" or "YYYY-MM-DDTHH"; or a day,
 *   "YYYYMMDD" or "YYYY-MM-DD", from its first hour; copied
 * @param end   last hour, inclusive: the same, or a day, to its last hour; at most 365 days
 *   (Amplitude Export API docs, read 2026-11-23); copied
 * @param options NULL for the defaults
 * @param queue borrowed, may be NULL (see job.h)
 * @return TW_OK, TW_E_VALIDATION with field "start" or "end", TW_E_INVALID for an option,
 *   or what the gate refuses; nothing was sent then. @thread any
 */
TW_API int tw_export_start(tw_job **out, tw_client *cl, const char *start,
                           const char *end, const tw_export_options *options,
                           tw_queue *queue, tw_error **err);

TW_END_DECLS

#endif
