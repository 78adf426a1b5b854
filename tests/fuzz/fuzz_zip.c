/* SPDX-License-Identifier: MIT */
/* Export archives: both inflate backends and two ways of cutting the input have to
 * agree. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tidewheel/error.h>

#include "base/alloc.h"
#include "export/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct taken {
    uint32_t crc;
    size_t size;
} taken;

static int taken_emit(void *ctx, char *data, size_t size)
{
    taken *t = ctx;

    t->crc = tw__crc32(t->crc, data, size);
    t->size += size;
    tw__free(data);
    return TW_OK;
}

static int taken_ready(void *ctx)
{
    (void)ctx;
    return 1;
}

static int read_archive(taken *t, tw_inflate_kind kind, const uint8_t *data, size_t size,
                        size_t step)
{
    static const tw_archive_sink sink = {taken_emit, taken_ready};
    tw_archive_options options = TW_ARCHIVE_OPTIONS_INIT;
    tw_archive *ar;
    tw_error *err = NULL;
    size_t at = 0;
    int rc;

    memset(t, 0, sizeof *t);
    options.inflate = kind;
    options.block_bytes = 512;
    options.max_line_bytes = 4096;
    if (tw__archive_new(&ar, &options, &sink, t) != TW_OK)
        return TW_E_NOMEM;
    do {
        size_t n = size - at < step ? size - at : step;
        /* A block of its very size: the sanitizer sees a read past it. */
        char *piece = malloc(n != 0 ? n : 1);
        size_t used;

        memcpy(piece, data + at, n);
        rc = tw__archive_feed(ar, piece, n, &used);
        free(piece);
        if (rc == TW_OK && used != n)
            abort();
        at += n;
    } while (rc == TW_OK && at < size);
    if (rc == TW_OK)
        rc = tw__archive_finish(ar);
    if (rc > 0)
        abort(); /* the sink was ready all the time */
    if (rc < 0 && tw__archive_error(ar, &err) != rc)
        abort();
    tw_error_free(err);
    tw__archive_free(ar);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    taken whole, split, zlib;
    size_t step = size != 0 ? data[size / 2] % 64 + 1 : 1;
    int rc = read_archive(&whole, TW_INFLATE_BEST, data, size, size);

    /* Where it goes wrong may differ; whether it does, and what a good archive holds,
     * may not. The cap on growth looks at what has arrived and is left out of the
     * comparison. */
    if (rc == TW_E_TOO_LARGE)
        return 0;
    if ((read_archive(&split, TW_INFLATE_BEST, data, size, step) == TW_OK) !=
            (rc == TW_OK) ||
        (read_archive(&zlib, TW_INFLATE_ZLIB, data, size, 4096) == TW_OK) !=
            (rc == TW_OK))
        abort();
    if (rc == TW_OK && (split.size != whole.size || split.crc != whole.crc ||
                        zlib.size != whole.size || zlib.crc != whole.crc))
        abort();
    return 0;
}
