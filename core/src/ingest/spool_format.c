/* SPDX-License-Identifier: MIT */
/* The bytes and the names of the spool's files; docs/spool.md describes them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <tidewheel/common.h>

#include "base/crc32c.h"
#include "ingest/spool_internal.h"

enum { FORMAT = 1, TEXT_MOST = 1 << 23 };

/* No byte of these occurs in UTF-8, so no event contains one. */
static const unsigned char frame_magic[4] = {0xF9, 0xC1, 0xFE, 0xD7};
static const unsigned char note_magic[3] = {0xFB, 0xC0, 0xFD};
static const unsigned char file_magic[8] = {'T', 'W', 'S', 'P', 'O', 'O', 'L', 0xFF};

static void put(unsigned char *out, uint64_t value, int size)
{
    while (size-- > 0) {
        *out++ = (unsigned char)value;
        value >>= 8;
    }
}

static uint64_t get(const unsigned char *in, int size)
{
    uint64_t value = 0;

    while (size-- > 0)
        value = value << 8 | in[size];
    return value;
}

uint32_t tw__lane_crc(uint64_t lane, const unsigned char project[16])
{
    unsigned char bytes[8];

    put(bytes, lane, 8);
    return tw__crc32c(tw__crc32c(0, project, 16), bytes, sizeof bytes);
}

void tw__segment_header(unsigned char out[TW_SPOOL_HEADER], const tw_spool *sp,
                        const tw_lane *lane, uint64_t first, int64_t now)
{
    memset(out, 0, TW_SPOOL_HEADER);
    memcpy(out, file_magic, 8);
    put(out + 8, FORMAT, 4);
    memcpy(out + 16, sp->project, 16);
    put(out + 32, lane->id, 8);
    put(out + 40, first, 8);
    put(out + 48, (uint64_t)now, 8);
    put(out + 60, tw__crc32c(0, out, 60), 4);
}

int tw__segment_header_check(const unsigned char *in, size_t size, const tw_spool *sp,
                             const tw_lane *lane, uint64_t first)
{
    if (size < TW_SPOOL_HEADER || memcmp(in, file_magic, 8) != 0 ||
        get(in + 60, 4) != tw__crc32c(0, in, 60))
        return 0;
    if (get(in + 8, 4) > FORMAT)
        return -1;
    return memcmp(in + 16, sp->project, 16) == 0 && get(in + 32, 8) == lane->id &&
           get(in + 40, 8) == first;
}

int tw__segment_header_torn(const unsigned char *in, size_t size, const tw_spool *sp,
                            const tw_lane *lane, uint64_t first)
{
    unsigned char found[TW_SPOOL_HEADER] = {0};
    unsigned char whole[TW_SPOOL_HEADER];
    size_t at = 0;

    memcpy(found, in, size < sizeof found ? size : sizeof found);
    tw__segment_header(whole, sp, lane, first, (int64_t)get(found + 48, 8));
    while (at < sizeof found && found[at] == whole[at])
        at++;
    while (at < sizeof found && found[at] == 0)
        at++;
    return at == sizeof found;
}

int tw__frame_put(tw_buf *buf, uint32_t crc, tw_frame_kind kind, uint64_t seq,
                  int64_t now, const tw_spool_text *text)
{
    size_t size = text != NULL ? text->head_size + text->tail_size : 0;
    unsigned char head[TW_SPOOL_FRAME];
    uint32_t sum = 0;

    if (tw__buf_reserve(buf, sizeof head + size) != TW_OK)
        return TW_E_NOMEM;
    if (text != NULL) {
        sum = tw__crc32c(0, text->head, text->head_size);
        sum = tw__crc32c(sum, text->tail, text->tail_size);
    }
    memcpy(head, frame_magic, 4);
    put(head + 4, (uint64_t)kind, 4);
    put(head + 8, seq, 8);
    put(head + 16, (uint64_t)now, 8);
    put(head + 24, size, 4);
    put(head + 28, sum, 4);
    put(head + 32, tw__crc32c(crc, head, 32), 4);
    (void)tw__buf_put(buf, head, sizeof head);
    if (text != NULL) {
        (void)tw__buf_put(buf, text->head, text->head_size);
        (void)tw__buf_put(buf, text->tail, text->tail_size);
    }
    return TW_OK;
}

/* The frame that begins at `at`, if there is a good one. */
static int frame_get(tw_frame *out, const char *page, size_t size, size_t at,
                     uint32_t crc)
{
    const unsigned char *head = (const unsigned char *)page + at;
    uint64_t kind;

    if (size - at < TW_SPOOL_FRAME || memcmp(head, frame_magic, 4) != 0 ||
        get(head + 32, 4) != tw__crc32c(crc, head, 32))
        return 0;
    kind = get(head + 4, 4);
    if (kind != TW_FRAME_RECORD && kind != TW_FRAME_END)
        return 0;
    out->kind = (tw_frame_kind)kind;
    out->seq = get(head + 8, 8);
    out->accepted_ms = (int64_t)get(head + 16, 8);
    out->size = (uint32_t)get(head + 24, 4);
    out->text = page + at + TW_SPOOL_FRAME;
    return out->size <= TEXT_MOST && out->size <= size - at - TW_SPOOL_FRAME &&
           get(head + 28, 4) == tw__crc32c(0, out->text, out->size);
}

int tw__frame_next(tw_frame *out, const char *page, size_t size, size_t *at, uint32_t crc,
                   int *skipped)
{
    size_t from = *at;
    size_t p = *at;

    while (p < size) {
        if (frame_get(out, page, size, p, crc)) {
            if (p != from)
                *skipped = 1;
            *at = p + TW_SPOOL_FRAME + out->size;
            return 1;
        }
        p++;
        if (p < size) {
            const char *found = memchr(page + p, frame_magic[0], size - p);

            p = found != NULL ? (size_t)(found - page) : size;
        }
    }
    for (p = from; p < size; p++) {
        if (page[p] != 0) {
            *skipped = 1;
            break;
        }
    }
    *at = size;
    return 0;
}

void tw__note_put(unsigned char out[TW_SPOOL_NOTE], uint32_t crc, const tw_note *note)
{
    memcpy(out, note_magic, 3);
    out[3] = (unsigned char)note->kind;
    put(out + 8, note->first, 8);
    put(out + 16, note->count, 8);
    put(out + 24, (uint64_t)note->time, 8);
    crc = tw__crc32c(crc, out, 4);
    put(out + 4, tw__crc32c(crc, out + 8, 24), 4);
}

int tw__note_get(tw_note *out, const unsigned char in[TW_SPOOL_NOTE], uint32_t crc)
{
    crc = tw__crc32c(crc, in, 4);
    if (memcmp(in, note_magic, 3) != 0 || get(in + 4, 4) != tw__crc32c(crc, in + 8, 24))
        return 0;
    if (in[3] < TW_NOTE_ACK || in[3] > TW_NOTE_REVIVED)
        return 0;
    out->kind = (tw_note_kind)in[3];
    out->first = get(in + 8, 8);
    out->count = get(in + 16, 8);
    out->time = (int64_t)get(in + 24, 8);
    return 1;
}

/* ---- names ----------------------------------------------------------------------------- */

static const char *const endings[] = {[TW_FILE_LOCK] = ".lock",
                                      [TW_FILE_SEGMENT] = ".seg",
                                      [TW_FILE_NOTES] = ".ack",
                                      [TW_FILE_SPARE] = ".tmp",
                                      [TW_FILE_BAD] = ".bad"};

void tw__spool_name(char out[TW_SPOOL_NAME], const tw_spool *sp, uint64_t lane,
                    uint64_t first, tw_spool_file kind)
{
    if (kind == TW_FILE_LOCK)
        snprintf(out, TW_SPOOL_NAME, "%s%016" PRIx64 "%s", sp->prefix, lane,
                 endings[kind]);
    else
        snprintf(out, TW_SPOOL_NAME, "%s%016" PRIx64 "-%012" PRIx64 "%s", sp->prefix,
                 lane, first, endings[kind]);
}

static const char *hex_read(const char *at, int digits, uint64_t *out)
{
    *out = 0;
    for (; digits > 0; digits--, at++) {
        if (*at >= '0' && *at <= '9')
            *out = *out << 4 | (uint64_t)(*at - '0');
        else if (*at >= 'a' && *at <= 'f')
            *out = *out << 4 | (uint64_t)(*at - 'a' + 10);
        else
            return NULL;
    }
    return at;
}

tw_spool_file tw__spool_name_read(const char *name, const tw_spool *sp, uint64_t *lane,
                                  uint64_t *first)
{
    size_t prefix = strlen(sp->prefix);
    const char *at;
    int kind;

    *first = 0;
    if (strncmp(name, sp->prefix, prefix) != 0)
        return TW_FILE_NONE;
    at = hex_read(name + prefix, 16, lane);
    if (at == NULL)
        return TW_FILE_NONE;
    if (strcmp(at, endings[TW_FILE_LOCK]) == 0)
        return TW_FILE_LOCK;
    at = *at == '-' ? hex_read(at + 1, 12, first) : NULL;
    if (at == NULL || *first == 0 || *first > TW_SPOOL_SEQ_MASK)
        return TW_FILE_NONE;
    for (kind = TW_FILE_SEGMENT; kind <= TW_FILE_BAD; kind++) {
        if (strcmp(at, endings[kind]) == 0)
            return (tw_spool_file)kind;
    }
    return TW_FILE_NONE;
}
