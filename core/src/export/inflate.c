/* SPDX-License-Identifier: MIT */
/* Chooses the inflate backend. */
#include "export/inflate.h"

#include <tidewheel/common.h>

#include "base/alloc.h"

struct tw_inflate {
    const tw_inflate_backend *backend;
    void *state;
};

static const tw_inflate_backend *inflate_backend(tw_inflate_kind kind)
{
#ifdef TW_HAVE_ISAL
    return kind == TW_INFLATE_ZLIB ? &tw__inflate_zlib : &tw__inflate_isal;
#else
    return kind == TW_INFLATE_ISAL ? NULL : &tw__inflate_zlib;
#endif
}

int tw__inflate_new(tw_inflate **out, tw_inflate_kind kind)
{
    tw_inflate *inf;

    *out = NULL;
    if (inflate_backend(kind) == NULL)
        return TW_E_CONFIG;
    inf = tw__alloc(sizeof *inf);
    if (inf == NULL)
        return TW_E_NOMEM;
    inf->backend = inflate_backend(kind);
    inf->state = inf->backend->open();
    if (inf->state == NULL) {
        tw__free(inf);
        return TW_E_NOMEM;
    }
    *out = inf;
    return TW_OK;
}

void tw__inflate_free(tw_inflate *inf)
{
    if (inf == NULL)
        return;
    inf->backend->close(inf->state);
    tw__free(inf);
}

void tw__inflate_reset(tw_inflate *inf)
{
    inf->backend->reset(inf->state);
}

int tw__inflate_run(tw_inflate *inf, const char *bytes, size_t size, size_t *used,
                    char *out, size_t room, size_t *made)
{
    /* Both libraries count in 32 bits; a larger input or room is simply not used
     * whole. */
    const size_t most = (size_t)1 << 30;

    return inf->backend->run(inf->state, bytes, size < most ? size : most, used, out,
                             room < most ? room : most, made);
}

size_t tw__inflate_tail(const tw_inflate *inf, char tail[TW_INFLATE_TAIL])
{
    return inf->backend->tail(inf->state, tail);
}

uint32_t tw__crc32(uint32_t crc, const void *bytes, size_t size)
{
#ifdef TW_HAVE_ISAL
    return tw__crc32_isal(crc, bytes, size);
#else
    return tw__crc32_zlib(crc, bytes, size);
#endif
}
