/* SPDX-License-Identifier: MIT */
/* A zip archive read forward while it arrives: members. */
#include "export/zip.h"

#include <string.h>

#include "base/alloc.h"
#include "export/zip_internal.h"

enum { MID_SIZE = 64 * 1024, VAR_MAX = 3 * 65535 };

int tw__zip_new(tw_zip **out, const tw_zip_options *options, const tw_zip_sink *sink,
                void *ctx)
{
    tw_zip *zip = tw__alloc_zero(1, sizeof *zip);

    *out = zip;
    if (zip == NULL)
        return TW_E_NOMEM;
    zip->options = *options;
    zip->sink = sink;
    zip->ctx = ctx;
    tw__buf_init(&zip->var, VAR_MAX);
    return TW_OK;
}

void tw__zip_free(tw_zip *zip)
{
    if (zip == NULL)
        return;
    tw__inflate_free(zip->inf);
    tw__buf_clear(&zip->var);
    tw__free(zip->mid);
    tw__free(zip->records);
    tw__free(zip);
}

const char *tw__zip_reason(const tw_zip *zip)
{
    return zip->reason;
}

uint64_t tw__zip_offset(const tw_zip *zip)
{
    return zip->offset;
}

uint64_t tw__zip_members(const tw_zip *zip)
{
    return zip->count;
}

/* ---- pieces ------------------------------------------------------------------------ */

uint16_t tw__zip_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t tw__zip_le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t tw__zip_le64(const uint8_t *p)
{
    return tw__zip_le32(p) | (uint64_t)tw__zip_le32(p + 4) << 32;
}

int tw__zip_fail(tw_zip *zip, int code, const char *reason)
{
    zip->state = AT_FAILURE;
    zip->failure = code;
    zip->reason = reason;
    return code;
}

int tw__zip_hold(tw_zip *zip, zip_input *in, size_t need)
{
    size_t n = need - zip->held;

    n = n < in->size - in->used ? n : in->size - in->used;
    if (n != 0)
        memcpy(zip->hold + zip->held, in->bytes + in->used, n);
    zip->held += n;
    in->used += n;
    if (zip->held != need)
        return 0;
    zip->held = 0;
    return 1;
}

int tw__zip_collect(tw_zip *zip, zip_input *in, size_t need)
{
    size_t n = need - zip->var.size;
    int rc;

    n = n < in->size - in->used ? n : in->size - in->used;
    rc = tw__buf_put(&zip->var, in->bytes + in->used, n);
    if (rc != TW_OK)
        return rc;
    in->used += n;
    return zip->var.size == need ? TW_OK : TW_AGAIN;
}

/* FNV-1a: names are only compared with themselves, nothing is looked up by them. */
uint64_t tw__zip_hash(const char *name, size_t size)
{
    uint64_t hash = 0xCBF29CE484222325u;
    size_t i;

    for (i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)name[i]) * 0x100000001B3u;
    return hash;
}

int tw__zip_extra64(const uint8_t *extra, size_t size, uint64_t *const *values,
                    size_t count)
{
    const uint8_t *field = NULL;
    size_t left = 0;
    size_t i;

    while (size >= 4) {
        size_t n = tw__zip_le16(extra + 2);

        if (n > size - 4)
            break; /* some writers leave padding that is no field */
        if (tw__zip_le16(extra) == 1) {
            field = extra + 4;
            left = n;
            break;
        }
        extra += 4 + n;
        size -= 4 + n;
    }
    for (i = 0; i < count; i++) {
        if (*values[i] != ALL32)
            continue;
        if (field == NULL || left < 8)
            return TW_E_PROTOCOL;
        *values[i] = tw__zip_le64(field);
        field += 8;
        left -= 8;
    }
    return TW_OK;
}

/* Puts the end of what was just consumed before the input again. */
static void zip_unread(tw_zip *zip, const void *bytes, size_t size)
{
    memcpy(zip->unread_room, bytes, size);
    zip->unread_next = size;
}

/* ---- the current member ------------------------------------------------------------ */

static int zip_local(tw_zip *zip)
{
    const uint8_t *p = zip->hold;

    zip->flags = tw__zip_le16(p + 2);
    zip->now.method = tw__zip_le16(p + 4);
    zip->local_crc = tw__zip_le32(p + 10);
    zip->local_packed = tw__zip_le32(p + 14);
    zip->local_unpacked = tw__zip_le32(p + 18);
    zip->name_size = tw__zip_le16(p + 22);
    zip->extra_size = tw__zip_le16(p + 24);
    if (zip->flags & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED))
        return tw__zip_fail(zip, TW_E_PROTOCOL, "held an encrypted member");
    if (zip->flags & FLAG_PATCH)
        return tw__zip_fail(zip, TW_E_PROTOCOL, "held patch data");
    if (zip->now.method != METHOD_STORED && zip->now.method != METHOD_DEFLATE)
        return tw__zip_fail(zip, TW_E_PROTOCOL,
                            "held a member of a compression method other than 0 and 8");
    tw__buf_reset(&zip->var);
    zip->state = AT_LOCAL_NAME;
    return TW_OK;
}

static int zip_begin_inflate(tw_zip *zip)
{
    int rc;

    if (zip->inf == NULL) {
        rc = tw__inflate_new(&zip->inf, zip->options.inflate);
        if (rc != TW_OK)
            return rc;
    }
    if (zip->mid == NULL) {
        zip->mid = tw__alloc(MID_SIZE);
        if (zip->mid == NULL)
            return TW_E_NOMEM;
    }
    tw__inflate_reset(zip->inf);
    zip->inflated = 0;
    zip->mid_from = 0;
    zip->mid_size = 0;
    zip->state = AT_DEFLATED;
    return TW_OK;
}

/* Header, name and extra field are here: the content begins. */
static int zip_begin_member(tw_zip *zip)
{
    uint64_t *const sizes[] = {&zip->local_unpacked, &zip->local_packed};
    const char *text = zip->var.size != 0 ? zip->var.data : "";
    int rc = tw__zip_extra64((const uint8_t *)text + zip->name_size, zip->extra_size,
                             sizes, 2);

    if (rc != TW_OK)
        return tw__zip_fail(zip, rc, "held a member whose 64-bit size was missing");
    rc = zip->sink->begin(zip->ctx, text, zip->name_size);
    if (rc != TW_OK)
        return rc;
    zip->now.packed = 0;
    zip->now.unpacked = 0;
    zip->now.crc = 0;
    zip->now.named = 0;
    zip->now.name_hash = tw__zip_hash(text, zip->name_size);
    if (zip->now.method == METHOD_DEFLATE)
        return zip_begin_inflate(zip);
    /* Streamed and stored, as the live archives are: nothing tells the size
     * beforehand. */
    if ((zip->flags & FLAG_DESCRIPTOR) && zip->local_packed == 0)
        zip->state = AT_BOUNDARY;
    else
        zip->state = AT_STORED;
    return TW_OK;
}

/* A value of the local header: with a descriptor behind the content it may be left at
 * zero. */
static int zip_header_agrees(const tw_zip *zip, uint64_t field, uint64_t value)
{
    return field == value || ((zip->flags & FLAG_DESCRIPTOR) && field == 0);
}

/* The content is over and its descriptor, where there is one, agreed. */
static int zip_end_member(tw_zip *zip)
{
    int rc;

    if (!zip_header_agrees(zip, zip->local_packed, zip->now.packed) ||
        !zip_header_agrees(zip, zip->local_unpacked, zip->now.unpacked))
        return tw__zip_fail(zip, TW_E_PROTOCOL,
                            "held a member whose size was not the one in its header");
    if (!zip_header_agrees(zip, zip->local_crc, zip->now.crc))
        return tw__zip_fail(zip, TW_E_PROTOCOL, "held a member with a wrong checksum");
    rc = tw__zip_record(zip);
    if (rc != TW_OK)
        return rc;
    zip->state = AT_SIGNATURE;
    return zip->sink->end(zip->ctx);
}

static int zip_content_over(tw_zip *zip)
{
    if (zip->flags & FLAG_DESCRIPTOR) {
        zip->state = AT_DESCRIPTOR;
        return TW_OK;
    }
    return zip_end_member(zip);
}

/* Gives content to the sink and counts what it took. */
static int zip_give(tw_zip *zip, const char *bytes, size_t size, size_t *used)
{
    int rc = zip->sink->data(zip->ctx, bytes, size, used);

    zip->now.crc = tw__crc32(zip->now.crc, bytes, *used);
    zip->now.unpacked += *used;
    zip->content += *used;
    zip->pending = rc == TW_AGAIN;
    return rc;
}

static int zip_stored(tw_zip *zip, zip_input *in)
{
    uint64_t left = zip->local_packed - zip->now.packed;
    size_t n = in->size - in->used;
    size_t used = 0;
    int rc = TW_OK;

    if (zip->state == AT_STORED && left < n)
        n = (size_t)left;
    if (n != 0 || zip->pending) {
        rc = zip_give(zip, in->bytes + in->used, n, &used);
        in->used += used;
        zip->now.packed += used;
        if (rc < 0 || rc == TW_AGAIN)
            return rc;
    }
    if (zip->state == AT_SELF_ENDED && rc == TW_DONE)
        zip->state = AT_BOUNDARY;
    else if (zip->state == AT_STORED && zip->now.packed == zip->local_packed)
        return zip_content_over(zip);
    return TW_OK;
}

/* One step of inflating; nonzero `*idle` when only more input helps. */
static int zip_inflate(tw_zip *zip, zip_input *in, int *idle)
{
    char tail[TW_INFLATE_TAIL];
    size_t used = 0;
    size_t n;
    int rc;

    rc = tw__inflate_run(zip->inf, in->bytes + in->used, in->size - in->used, &used,
                         zip->mid, MID_SIZE, &zip->mid_size);
    zip->mid_from = 0;
    in->used += used;
    zip->now.packed += used;
    if (rc == TW_E_PROTOCOL)
        return tw__zip_fail(zip, rc, "held a member that was not a valid deflate stream");
    if (rc == TW_DONE) {
        n = tw__inflate_tail(zip->inf, tail);
        zip->now.packed -= n;
        zip_unread(zip, tail, n);
        zip->inflated = 1;
        rc = TW_OK;
    } else if (used == 0 && zip->mid_size == 0) {
        *idle = 1;
    }
    if (zip->content + zip->mid_size >
        TW_RATIO_FREE_BYTES + (uint64_t)zip->options.max_ratio * (zip->offset + in->used))
        return tw__zip_fail(zip, TW_E_TOO_LARGE, "grew too much while it was inflated");
    return rc;
}

static int zip_deflated(tw_zip *zip, zip_input *in)
{
    int idle = 0;
    size_t used;
    int rc;

    while (!idle) {
        while (zip->mid_from < zip->mid_size || zip->pending) {
            used = 0;
            rc = zip_give(zip, zip->mid + zip->mid_from, zip->mid_size - zip->mid_from,
                          &used);
            zip->mid_from += used;
            if (rc < 0 || rc == TW_AGAIN)
                return rc;
        }
        if (zip->inflated)
            return zip_content_over(zip);
        rc = zip_inflate(zip, in, &idle);
        if (rc != TW_OK)
            return rc;
    }
    return TW_OK;
}

/* ---- descriptors ------------------------------------------------------------------- */

/* Length of the descriptor that `p` (LOOKAHEAD bytes) begins with, 0 if it is none of
 * this member. Four forms are in use: with and without signature, with sizes of 32 and
 * of 64 bits, and nothing before tells which. The values are known by now, so each
 * form is simply compared; the signature of the next header has to follow. Content is
 * never searched for signatures. */
static size_t zip_match_descriptor(const tw_zip *zip, const uint8_t *p)
{
    const zip_record *now = &zip->now;
    size_t form;

    for (form = 0; form < 4; form++) {
        const uint8_t *q = p;
        uint64_t packed;
        uint64_t unpacked;
        uint32_t next;

        if (form & 1) {
            if (tw__zip_le32(q) != SIG_DESCRIPTOR)
                continue;
            q += 4;
        }
        if (tw__zip_le32(q) != now->crc)
            continue;
        packed = form & 2 ? tw__zip_le64(q + 4) : tw__zip_le32(q + 4);
        unpacked = form & 2 ? tw__zip_le64(q + 12) : tw__zip_le32(q + 8);
        q += form & 2 ? 20 : 12;
        next = tw__zip_le32(q);
        if (packed == now->packed && unpacked == now->unpacked &&
            (next == SIG_LOCAL || next == SIG_CENTRAL))
            return (size_t)(q - p);
    }
    return 0;
}

static int zip_descriptor(tw_zip *zip)
{
    uint8_t seen[LOOKAHEAD];
    size_t size;

    memcpy(seen, zip->hold, sizeof seen);
    size = zip_match_descriptor(zip, seen);
    if (size != 0) {
        zip_unread(zip, seen + size, sizeof seen - size);
        return zip_end_member(zip);
    }
    if (zip->state == AT_BOUNDARY && seen[0] == 0x1F && seen[1] == 0x8B) {
        zip_unread(zip, seen, sizeof seen);
        zip->state = AT_SELF_ENDED;
        return TW_OK;
    }
    if (zip->state == AT_BOUNDARY && zip->now.packed == 0)
        return tw__zip_fail(zip, TW_E_PROTOCOL,
                            "held a stored member of unknown size that was not gzip");
    return tw__zip_fail(
        zip, TW_E_PROTOCOL,
        "held a member whose data descriptor did not agree with its data");
}

/* ---- the stream -------------------------------------------------------------------- */

static int zip_signature(tw_zip *zip, uint64_t at)
{
    uint32_t signature = tw__zip_le32(zip->hold);

    if (signature != SIG_LOCAL)
        return tw__zip_directory_begin(zip, signature, at);
    if (zip->has_directory)
        return tw__zip_fail(zip, TW_E_PROTOCOL, "held a member behind its directory");
    if (zip->count >= zip->options.max_members)
        return tw__zip_fail(zip, TW_E_TOO_LARGE, "held more members than are allowed");
    memset(&zip->now, 0, sizeof zip->now);
    zip->now.offset = at;
    zip->state = AT_LOCAL;
    return TW_OK;
}

static int zip_step(tw_zip *zip, zip_input *in)
{
    int rc;

    switch (zip->state) {
    case AT_SIGNATURE:
        if (!tw__zip_hold(zip, in, 4))
            return TW_OK;
        return zip_signature(zip, zip->offset + in->used - 4);
    case AT_LOCAL:
        return tw__zip_hold(zip, in, LOCAL_SIZE) ? zip_local(zip) : TW_OK;
    case AT_LOCAL_NAME:
        rc = tw__zip_collect(zip, in, (size_t)zip->name_size + zip->extra_size);
        if (rc == TW_AGAIN)
            return TW_OK;
        return rc == TW_OK ? zip_begin_member(zip) : rc;
    case AT_STORED:
    case AT_SELF_ENDED:
        return zip_stored(zip, in);
    case AT_DEFLATED:
        return zip_deflated(zip, in);
    case AT_BOUNDARY:
    case AT_DESCRIPTOR:
        return tw__zip_hold(zip, in, LOOKAHEAD) ? zip_descriptor(zip) : TW_OK;
    case AT_FINISHED:
        return tw__zip_fail(zip, TW_E_PROTOCOL, "had bytes behind its end");
    case AT_FAILURE:
        return zip->failure;
    default:
        return tw__zip_directory_step(zip, in);
    }
}

/* Some states go on without input: what the last step began may be whole already. */
static int zip_wants_step(const tw_zip *zip, size_t size)
{
    if (size != 0 || zip->pending)
        return 1;
    if (zip->state == AT_STORED)
        return zip->now.packed == zip->local_packed;
    if (zip->state == AT_LOCAL_NAME)
        return zip->name_size == 0 && zip->extra_size == 0;
    if (zip->state == AT_DEFLATED)
        return zip->inflated || zip->mid_from < zip->mid_size;
    if (zip->state == AT_CENTRAL_NAME)
        return zip->var_need == 0;
    if (zip->state == AT_END64_REST || zip->state == AT_COMMENT)
        return zip->skip == 0;
    return 0;
}

int tw__zip_feed(tw_zip *zip, const char *bytes, size_t size, size_t *used)
{
    zip_input in;
    int rc = TW_OK;

    *used = 0;
    for (;;) {
        int again = zip->unread_size != 0;

        in.bytes = again ? zip->unread : size != 0 ? bytes + *used : "";
        in.size = again ? zip->unread_size : size - *used;
        in.used = 0;
        if (!zip_wants_step(zip, in.size))
            return TW_OK;
        zip->unread_next = 0;
        rc = zip_step(zip, &in);
        zip->offset += in.used;
        if (again) {
            zip->unread_size -= in.used;
            memmove(zip->unread, zip->unread + in.used, zip->unread_size);
        } else {
            *used += in.used;
        }
        /* At most one lookahead before the remains of another: room enough for both. */
        if (zip->unread_next != 0) {
            memmove(zip->unread + zip->unread_next, zip->unread, zip->unread_size);
            memcpy(zip->unread, zip->unread_room, zip->unread_next);
            zip->unread_size += zip->unread_next;
            zip->offset -= zip->unread_next;
        }
        if (rc == TW_OK && zip->offset > zip->options.max_bytes)
            rc = tw__zip_fail(zip, TW_E_TOO_LARGE, "was larger than is allowed");
        if (rc != TW_OK)
            break;
    }
    if (rc < 0 && zip->state != AT_FAILURE) {
        zip->state = AT_FAILURE; /* the sink's or memory's: no reason of ours */
        zip->failure = rc;
    }
    return rc;
}

int tw__zip_finish(tw_zip *zip)
{
    if (zip->state == AT_FINISHED)
        return TW_OK;
    if (zip->state == AT_FAILURE)
        return zip->failure;
    return tw__zip_fail(zip, TW_E_PROTOCOL,
                        zip->offset == 0 ? "was empty" : "was cut off");
}
