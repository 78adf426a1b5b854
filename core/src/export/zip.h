/* SPDX-License-Identifier: MIT */
/* A zip archive read forward while it arrives, checked against its central directory. */
#ifndef TW_EXPORT_ZIP_H
#define TW_EXPORT_ZIP_H

#include <tidewheel/common.h>

#include "export/inflate.h"

typedef struct tw_zip tw_zip;

typedef struct tw_zip_sink {
    /* A member begins. `name` is data, never a path: it may hold anything, NUL
     * included. */
    int (*begin)(void *ctx, const char *name, size_t size);
    /*
     * Bytes of its content, decompressed. TW_OK: all taken, `*used` == size. TW_DONE: the
     * content's own format ended a unit after `*used` bytes; the rest is offered again.
     * TW_AGAIN: full after `*used` bytes; the rest is offered with the next feed, and the
     * call comes again even where there is no rest. Negative: the archive is given up.
     */
    int (*data)(void *ctx, const char *bytes, size_t size, size_t *used);
    /* Its length and checksum were right. */
    int (*end)(void *ctx);
} tw_zip_sink;

typedef struct tw_zip_options {
    tw_inflate_kind inflate;
    uint64_t max_bytes;   /* of the archive */
    uint32_t max_members; /* each costs 40 bytes until the end */
    uint32_t
        max_ratio; /* of a deflated member's content to its bytes, after the first MiB */
} tw_zip_options;

/* An export holds at most 4 GB (Amplitude Export API docs, read 2026-11-23): twice
 * that is no archive of theirs. 200:1 is explained in docs/export.md. */
#define TW_ZIP_OPTIONS_INIT                              \
    {                                                    \
        TW_INFLATE_BEST, (uint64_t)8 << 30, 1000000, 200 \
    }
enum { TW_RATIO_FREE_BYTES = 1 << 20 };

/* `sink` is borrowed until free. */
int tw__zip_new(tw_zip **out, const tw_zip_options *options, const tw_zip_sink *sink,
                void *ctx);
void tw__zip_free(tw_zip *zip);

/* The next bytes of the archive. TW_OK: all used. TW_AGAIN: the sink is full; feed
 * again from `*used` on, also when nothing is left. Negative: final; tw__zip_reason
 * says what was wrong, unless the sink failed. */
int tw__zip_feed(tw_zip *zip, const char *bytes, size_t size, size_t *used);
/* No more bytes: TW_OK when the archive ended well, TW_E_PROTOCOL otherwise. */
int tw__zip_finish(tw_zip *zip);

/* Past tense, static; NULL where the sink failed or nothing did. */
const char *tw__zip_reason(const tw_zip *zip);
uint64_t tw__zip_offset(const tw_zip *zip);  /* archive bytes read */
uint64_t tw__zip_members(const tw_zip *zip); /* members begun */

#endif
