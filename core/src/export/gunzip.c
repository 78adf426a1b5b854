/* SPDX-License-Identifier: MIT */
/* A gzip stream (RFC 1952), undone member by member and verified. */
#include "export/gunzip.h"

#include <string.h>

#include "base/alloc.h"

/* Flag bits of the header. */
enum {
    FLAG_HCRC = 2,
    FLAG_EXTRA = 4,
    FLAG_NAME = 8,
    FLAG_COMMENT = 16,
    FLAG_RESERVED = 0xE0
};
enum { HEAD_SIZE = 10, TRAILER_SIZE = 8 };

typedef enum gunzip_state {
    AT_HEAD,
    AT_EXTRA_SIZE,
    AT_EXTRA,
    AT_NAME,
    AT_COMMENT,
    AT_HEAD_CRC,
    AT_BODY,
    AT_TRAILER,
    AT_FAILURE
} gunzip_state;

struct tw_gunzip {
    tw_inflate *inf;
    gunzip_state state;
    uint8_t hold[HEAD_SIZE]; /* a fixed-size piece, as far as it has come */
    size_t held;
    size_t extra; /* bytes of the extra field still to come */
    uint8_t flags;
    uint32_t head_crc;
    uint32_t crc;
    uint32_t length; /* modulo 2^32, as the trailer counts */
    uint64_t members;
    const char *reason;
};

int tw__gunzip_new(tw_gunzip **out, tw_inflate_kind kind)
{
    tw_gunzip *gz = tw__alloc_zero(1, sizeof *gz);
    int rc;

    *out = NULL;
    if (gz == NULL)
        return TW_E_NOMEM;
    rc = tw__inflate_new(&gz->inf, kind);
    if (rc != TW_OK) {
        tw__free(gz);
        return rc;
    }
    tw__gunzip_reset(gz);
    *out = gz;
    return TW_OK;
}

void tw__gunzip_free(tw_gunzip *gz)
{
    if (gz == NULL)
        return;
    tw__inflate_free(gz->inf);
    tw__free(gz);
}

void tw__gunzip_reset(tw_gunzip *gz)
{
    gz->state = AT_HEAD;
    gz->held = 0;
    gz->members = 0;
    gz->reason = "";
}

int tw__gunzip_between(const tw_gunzip *gz)
{
    return gz->state == AT_HEAD && gz->held == 0;
}

uint64_t tw__gunzip_members(const tw_gunzip *gz)
{
    return gz->members;
}

const char *tw__gunzip_reason(const tw_gunzip *gz)
{
    return gz->reason;
}

static int gunzip_fail(tw_gunzip *gz, const char *reason)
{
    gz->state = AT_FAILURE;
    gz->reason = reason;
    return TW_E_PROTOCOL;
}

static uint32_t le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Collects a fixed-size piece; nonzero once it is whole. */
static int gunzip_hold(tw_gunzip *gz, size_t need, const char *bytes, size_t size,
                       size_t *used)
{
    size_t n = need - gz->held;

    n = n < size - *used ? n : size - *used;
    if (n != 0)
        memcpy(gz->hold + gz->held, bytes + *used, n);
    gz->held += n;
    *used += n;
    return gz->held == need;
}

/* The part of the header that comes next, by its flags. */
static void gunzip_advance(tw_gunzip *gz, gunzip_state after)
{
    gz->held = 0;
    if (after < AT_EXTRA_SIZE && (gz->flags & FLAG_EXTRA))
        gz->state = AT_EXTRA_SIZE;
    else if (after < AT_NAME && (gz->flags & FLAG_NAME))
        gz->state = AT_NAME;
    else if (after < AT_COMMENT && (gz->flags & FLAG_COMMENT))
        gz->state = AT_COMMENT;
    else if (after < AT_HEAD_CRC && (gz->flags & FLAG_HCRC))
        gz->state = AT_HEAD_CRC;
    else {
        gz->state = AT_BODY;
        gz->crc = 0;
        gz->length = 0;
        tw__inflate_reset(gz->inf);
    }
}

static int gunzip_head(tw_gunzip *gz)
{
    if (gz->hold[0] != 0x1F || gz->hold[1] != 0x8B)
        return gunzip_fail(gz, gz->members == 0
                                   ? "did not begin as gzip"
                                   : "had bytes behind its last gzip member");
    if (gz->hold[2] != 8)
        return gunzip_fail(gz, "was gzip of an unknown method");
    gz->flags = gz->hold[3];
    if (gz->flags & FLAG_RESERVED)
        return gunzip_fail(gz, "had reserved gzip flags set");
    gz->head_crc = tw__crc32(0, gz->hold, HEAD_SIZE);
    gunzip_advance(gz, AT_HEAD);
    return TW_OK;
}

/* The parts of variable length: extra field, or text up to a NUL. */
static void gunzip_skip(tw_gunzip *gz, const char *bytes, size_t size, size_t *used)
{
    const char *from = bytes + *used;
    size_t n = size - *used;
    int whole;

    if (gz->state == AT_EXTRA) {
        n = gz->extra < n ? gz->extra : n;
        gz->extra -= n;
        whole = gz->extra == 0;
    } else {
        const char *nul = n != 0 ? memchr(from, '\0', n) : NULL;

        whole = nul != NULL;
        n = whole ? (size_t)(nul - from) + 1 : n;
    }
    gz->head_crc = tw__crc32(gz->head_crc, from, n);
    *used += n;
    if (whole)
        gunzip_advance(gz, gz->state);
}

static int gunzip_trailer(tw_gunzip *gz)
{
    if (le32(gz->hold) != gz->crc)
        return gunzip_fail(gz, "had a wrong gzip checksum");
    if (le32(gz->hold + 4) != gz->length)
        return gunzip_fail(gz, "had a wrong gzip length");
    gz->members++;
    gz->state = AT_HEAD;
    gz->held = 0;
    return TW_DONE;
}

static int gunzip_body(tw_gunzip *gz, const char *bytes, size_t size, size_t *used,
                       char *out, size_t room, size_t *made)
{
    size_t taken = 0;
    int rc =
        tw__inflate_run(gz->inf, bytes + *used, size - *used, &taken, out, room, made);

    *used += taken;
    if (rc < 0)
        return rc == TW_E_NOMEM ? rc : gunzip_fail(gz, "was not a valid deflate stream");
    gz->crc = tw__crc32(gz->crc, out, *made);
    gz->length += (uint32_t)*made;
    if (rc == TW_DONE) {
        /* The tail never holds more than the trailer does. */
        gz->held = tw__inflate_tail(gz->inf, (char *)gz->hold);
        gz->state = AT_TRAILER;
    }
    return rc;
}

int tw__gunzip_run(tw_gunzip *gz, const char *bytes, size_t size, size_t *used, char *out,
                   size_t room, size_t *made)
{
    int rc = TW_OK;

    *used = 0;
    *made = 0;
    while (rc == TW_OK) {
        switch (gz->state) {
        case AT_HEAD:
            if (!gunzip_hold(gz, HEAD_SIZE, bytes, size, used))
                return TW_OK;
            rc = gunzip_head(gz);
            break;
        case AT_EXTRA_SIZE:
            if (!gunzip_hold(gz, 2, bytes, size, used))
                return TW_OK;
            gz->head_crc = tw__crc32(gz->head_crc, gz->hold, 2);
            gz->extra = (size_t)gz->hold[0] | (size_t)gz->hold[1] << 8;
            gz->state = AT_EXTRA;
            gz->held = 0;
            break;
        case AT_EXTRA:
        case AT_NAME:
        case AT_COMMENT:
            if (*used == size && !(gz->state == AT_EXTRA && gz->extra == 0))
                return TW_OK;
            gunzip_skip(gz, bytes, size, used);
            break;
        case AT_HEAD_CRC:
            if (!gunzip_hold(gz, 2, bytes, size, used))
                return TW_OK;
            if ((gz->hold[0] | (uint32_t)gz->hold[1] << 8) != (gz->head_crc & 0xFFFF))
                return gunzip_fail(gz, "had a wrong gzip header checksum");
            gunzip_advance(gz, AT_HEAD_CRC);
            break;
        case AT_BODY:
            rc = gunzip_body(gz, bytes, size, used, out, room, made);
            if (rc != TW_DONE)
                return rc;
            rc = TW_OK;
            break;
        case AT_TRAILER:
            if (!gunzip_hold(gz, TRAILER_SIZE, bytes, size, used))
                return TW_OK;
            rc = gunzip_trailer(gz);
            break;
        case AT_FAILURE:
            return TW_E_PROTOCOL;
        }
    }
    return rc;
}
