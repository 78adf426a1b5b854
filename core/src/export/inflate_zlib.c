/* SPDX-License-Identifier: MIT */
/* The inflate backend that is always there. */
#include "export/inflate.h"

#include <zlib.h>

#include <tidewheel/common.h>

#include "base/alloc.h"

static void *zlib_alloc(void *ctx, unsigned count, unsigned size)
{
    (void)ctx;
    return tw__alloc_zero(count, size);
}

static void zlib_release(void *ctx, void *old)
{
    (void)ctx;
    tw__free(old);
}

static void *zlib_open(void)
{
    z_stream *zs = tw__alloc_zero(1, sizeof *zs);

    if (zs == NULL)
        return NULL;
    zs->zalloc = zlib_alloc;
    zs->zfree = zlib_release;
    /* Negative window bits: raw deflate, no wrapper. */
    if (inflateInit2(zs, -MAX_WBITS) != Z_OK) {
        tw__free(zs);
        return NULL;
    }
    return zs;
}

static void zlib_close(void *state)
{
    inflateEnd(state);
    tw__free(state);
}

static void zlib_reset(void *state)
{
    inflateReset(state);
}

static int zlib_run(void *state, const char *bytes, size_t size, size_t *used, char *out,
                    size_t room, size_t *made)
{
    z_stream *zs = state;
    int rc;

    /* zlib refuses a NULL next_in even with no input. */
    zs->next_in = size != 0 ? (Bytef *)bytes : (Bytef *)"";
    zs->avail_in = (uInt)size;
    zs->next_out = (Bytef *)out;
    zs->avail_out = (uInt)room;
    rc = inflate(zs, Z_NO_FLUSH);
    *used = size - zs->avail_in;
    *made = room - zs->avail_out;
    if (rc == Z_STREAM_END)
        return TW_DONE;
    if (rc == Z_MEM_ERROR)
        return TW_E_NOMEM;
    /* Z_BUF_ERROR only says that nothing could be done yet. */
    return rc == Z_OK || rc == Z_BUF_ERROR ? TW_OK : TW_E_PROTOCOL;
}

static size_t zlib_tail(const void *state, char tail[TW_INFLATE_TAIL])
{
    (void)state;
    (void)tail;
    return 0; /* never reads past the end */
}

const tw_inflate_backend tw__inflate_zlib = {zlib_open, zlib_close, zlib_reset, zlib_run,
                                             zlib_tail};

uint32_t tw__crc32_zlib(uint32_t crc, const void *bytes, size_t size)
{
    return (uint32_t)crc32_z(crc, bytes, size);
}
