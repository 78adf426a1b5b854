/* SPDX-License-Identifier: MIT */
/* An export archive, from its bytes to blocks of lines: zip, gzip and lines put
 * together. */
#ifndef TW_EXPORT_ARCHIVE_H
#define TW_EXPORT_ARCHIVE_H

#include "export/inflate.h"
#include "export/lines.h"

typedef struct tw_archive tw_archive;

typedef struct tw_archive_options {
    tw_inflate_kind inflate;
    size_t block_bytes;
    size_t max_line_bytes;
    uint32_t max_ratio; /* of lines to archive bytes, after the first MiB */
} tw_archive_options;
#define TW_ARCHIVE_OPTIONS_INIT                                \
    {                                                          \
        TW_INFLATE_BEST, (size_t)1 << 20, (size_t)8 << 20, 200 \
    }

typedef struct tw_archive_sink {
    tw_lines_emit emit;
    /* Nonzero while another block may be emitted. */
    int (*ready)(void *ctx);
} tw_archive_sink;

int tw__archive_new(tw_archive **out, const tw_archive_options *options,
                    const tw_archive_sink *sink, void *ctx);
void tw__archive_free(tw_archive *ar);
/* As tw__zip_feed: TW_AGAIN while the sink is not ready. */
int tw__archive_feed(tw_archive *ar, const char *bytes, size_t size, size_t *used);
/* The bytes are over: emits what is left when all of it was right. */
int tw__archive_finish(tw_archive *ar);
/* Builds the error of a failure. Returns its code. */
int tw__archive_error(const tw_archive *ar, tw_error **err);

#endif
