/* SPDX-License-Identifier: MIT */
/* Reads what dead processes left, a segment at a time, and counts what is missing. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <tidewheel/common.h>

#include "base/alloc.h"
#include "ingest/spool_internal.h"

/* A larger file is none of ours: segments end at TW_SPOOL_SEGMENT_BYTES and their end mark. */
#define FILE_MOST (TW_SPOOL_SEGMENT_BYTES + 4096)

/* What a look through the page found. */
typedef struct survey {
    uint64_t limit;    /* no record of this segment can have a number from here on */
    uint64_t past;     /* one behind the highest number seen or acknowledged */
    uint64_t end;      /* as the segment itself says; 0 where it does not */
    int middle_broken; /* bytes that are no record, with good ones behind them */
    int tail_broken;
} survey;

static int bit_get(const unsigned char *bits, uint64_t at)
{
    return bits[at / 8] >> at % 8 & 1;
}

void tw__reader_drop(tw_spool *sp)
{
    tw__free(sp->page);
    tw__free(sp->page_left);
    sp->page = NULL;
    sp->page_left = NULL;
    sp->page_segment = NULL;
}

/* 0, or why the file is not to be read. */
static int page_read(tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    char name[TW_SPOOL_NAME];
    tw_spool_stat st;
    int fd;
    int rc;

    tw__reader_drop(sp);
    tw__spool_name(name, sp, lane->id, seg->first, TW_FILE_SEGMENT);
    fd = tw__spool_open_file(sp, name, O_RDONLY);
    if (fd < 0)
        return fd;
    rc = sp->sys.stat(sp->sys.ctx, fd, &st);
    if (rc == 0 && (!S_ISREG(st.mode) || st.size > FILE_MOST))
        rc = -EFBIG;
    if (rc == 0) {
        sp->page = tw__alloc((size_t)st.size + 1);
        if (sp->page == NULL)
            rc = -ENOMEM;
        else
            rc = tw__spool_read_all(sp, fd, sp->page, (size_t)st.size, 0, &sp->page_size);
    }
    tw__spool_close(sp, &fd);
    sp->page_segment = seg;
    sp->page_lane = lane;
    sp->page_at = TW_SPOOL_HEADER;
    return rc;
}

static uint64_t segment_limit(const tw_lane *lane, const tw_segment *seg)
{
    uint64_t limit = seg->first + TW_SPOOL_SEGMENT_BYTES / TW_SPOOL_FRAME;
    size_t i;

    for (i = 0; i < lane->count; i++) {
        if (lane->segments[i]->first > seg->first)
            return lane->segments[i]->first < limit ? lane->segments[i]->first : limit;
    }
    return limit;
}

/* Marks the records found in sp->page_left. */
static void page_survey(survey *out, tw_spool *sp, const tw_lane *lane,
                        const tw_segment *seg)
{
    size_t at = TW_SPOOL_HEADER;
    tw_frame frame;
    int skipped = 0;

    out->past = seg->first;
    while (tw__frame_next(&frame, sp->page, sp->page_size, &at, lane->crc, &skipped)) {
        out->middle_broken |= skipped;
        if (frame.seq < seg->first || frame.seq > out->limit)
            continue;
        if (frame.kind == TW_FRAME_END) {
            out->end = frame.seq;
        } else if (frame.seq < out->limit) {
            uint64_t bit = frame.seq - seg->first;

            sp->page_left[bit / 8] |= (unsigned char)(1 << bit % 8);
            if (frame.seq >= out->past)
                out->past = frame.seq + 1;
        }
    }
    out->tail_broken = skipped && !out->middle_broken;
}

/* Sets `waiting`, counts what is missing. */
static void page_count(const survey *found, tw_spool *sp, tw_segment *seg)
{
    uint64_t lost = 0;
    uint64_t aside = 0;
    uint64_t seq;

    for (seq = seg->first; seq < seg->end; seq++) {
        uint64_t bit = seq - seg->first;

        int there = bit_get(sp->page_left, bit);

        if (tw__notes_is_acked(seg, seq)) {
            sp->page_left[bit / 8] &= (unsigned char)~(1 << bit % 8);
        } else if (!there) {
            lost++;
        } else {
            seg->waiting++;
            if (tw__notes_is_aside(seg, seq)) {
                sp->page_left[bit / 8] &= (unsigned char)~(1 << bit % 8);
                aside++;
            }
        }
    }
    seg->asides = aside;
    if (found->middle_broken || lost != 0)
        seg->damaged = 1;
    pthread_mutex_lock(&sp->lock);
    sp->stats.waiting += seg->waiting;
    sp->stats.lost += lost;
    sp->stats.aside += aside;
    sp->stats.torn += found->tail_broken && found->end == 0;
    pthread_mutex_unlock(&sp->lock);
}

/* It stays as it is, held but not given out: the next process may have better luck. */
static int segment_leave(tw_spool *sp)
{
    tw__reader_drop(sp);
    pthread_mutex_lock(&sp->lock);
    sp->stats.unreadable++;
    pthread_mutex_unlock(&sp->lock);
    return 1;
}

/* Not the disk's: the process has no memory, or no descriptor, for it now. */
static int passes(int rc)
{
    return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE;
}

/* 0, what passes, or 1 where it cannot be read or a later program wrote it. */
static int segment_load(tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    survey found = {segment_limit(lane, seg), 0, 0, 0, 0};
    size_t bits = (size_t)(found.limit - seg->first) / 8 + 1;
    uint64_t noted;
    int header;
    int rc;

    rc = tw__notes_load(sp, lane, seg);
    if (rc == 0)
        rc = page_read(sp, lane, seg);
    if (passes(rc))
        return rc;
    if (rc < 0)
        return segment_leave(sp);
    if (seg->end > found.limit)
        seg->end = 0;
    header = tw__segment_header_check((unsigned char *)sp->page, sp->page_size, sp, lane,
                                      seg->first);
    if (header < 0)
        return segment_leave(sp);
    sp->page_left = tw__alloc_zero(bits, 1);
    if (sp->page_left == NULL)
        return -ENOMEM;
    seg->loaded = seg->sealed = 1;
    noted = seg->end;
    page_survey(&found, sp, lane, seg);
    found.middle_broken |=
        !header && !tw__segment_header_torn((unsigned char *)sp->page, sp->page_size, sp,
                                            lane, seg->first);
    if (found.end < noted)
        found.end = noted;
    for (seg->end = found.end != 0 ? found.end : found.past; found.end == 0;) {
        if (seg->end >= found.limit || !tw__notes_is_acked(seg, seg->end))
            break;
        seg->end++;
    }
    page_count(&found, sp, seg);
    sp->page_revived = 0;
    sp->page_end = seg->end;
    return 0;
}

/* Makes what was set aside in the segment, and taken back, the page. 0, what passes, or 1 where
 * it cannot be read. */
static int revived_load(tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    uint64_t limit = segment_limit(lane, seg);
    size_t i;
    int rc = page_read(sp, lane, seg);

    if (rc == 0) {
        sp->page_left = tw__alloc_zero((size_t)(limit - seg->first) / 8 + 1, 1);
        rc = sp->page_left == NULL ? -ENOMEM : 0;
    }
    if (passes(rc))
        return rc;
    for (i = 0; rc == 0 && i < seg->revived.count; i++) {
        uint64_t seq = seg->revived.items[i].first;
        uint64_t past = seq + seg->revived.items[i].count;

        for (; seq < past && seq < limit; seq++) {
            uint64_t bit = seq - seg->first;

            if (!tw__notes_is_acked(seg, seq))
                sp->page_left[bit / 8] |= (unsigned char)(1 << bit % 8);
        }
    }
    tw__ranges_clear(&seg->revived);
    sp->page_revived = 1;
    sp->page_end = limit;
    return rc == 0 ? 0 : segment_leave(sp);
}

/* The next record of the page: 1, or 0 at its end. */
static int page_next(tw_spool_item *out, tw_spool *sp)
{
    tw_segment *seg = sp->page_segment;
    tw_frame frame;
    int skipped = 0;
    uint64_t bit;

    while (tw__frame_next(&frame, sp->page, sp->page_size, &sp->page_at,
                          sp->page_lane->crc, &skipped)) {
        if (frame.kind != TW_FRAME_RECORD || frame.seq < seg->first ||
            frame.seq >= sp->page_end)
            continue;
        bit = frame.seq - seg->first;
        if (!bit_get(sp->page_left, bit))
            continue; /* acknowledged, or a second copy */
        sp->page_left[bit / 8] &= (unsigned char)~(1 << bit % 8);
        out->id = (uint64_t)sp->page_lane->slot << TW_SPOOL_SEQ_BITS | frame.seq;
        out->accepted_ms = frame.accepted_ms;
        out->sent_ms = tw__notes_sent_ms(seg, frame.seq);
        out->revived = sp->page_revived;
        out->text = frame.text;
        out->size = frame.size;
        return 1;
    }
    return 0;
}

/* As segment_next, of what was taken back. */
static int revived_next(tw_spool *sp)
{
    size_t l;
    size_t i;

    for (l = 0; l < sp->lane_count; l++) {
        for (i = 0; i < sp->lanes[l]->count; i++) {
            tw_segment *seg = sp->lanes[l]->segments[i];

            if (seg->revived.count != 0) {
                int rc = revived_load(sp, sp->lanes[l], seg);

                return rc < 0 ? rc : 0;
            }
        }
    }
    sp->any_revived = 0;
    return 1;
}

/* It was read, or cannot be. */
static void segment_passed(tw_spool *sp, const tw_segment *seg)
{
    pthread_mutex_lock(&sp->lock);
    sp->stats.unread -= seg->bytes;
    pthread_mutex_unlock(&sp->lock);
}

/* Goes on to the next segment: 0, 1 when there is none, or what passes. */
static int segment_next(tw_spool *sp)
{
    tw_lane *lane;
    tw_segment *seg;
    size_t i;
    int rc;

    if (sp->any_revived) {
        rc = revived_next(sp);
        if (rc <= 0)
            return rc;
    }
    for (; sp->reading < sp->lane_count; sp->reading++) {
        lane = sp->lanes[sp->reading];
        for (i = 0; lane->slot != 0 && i < lane->count; i++) {
            seg = lane->segments[i];
            if (seg->first < lane->cursor)
                continue;
            rc = segment_load(sp, lane, seg);
            if (rc < 0)
                return rc;
            lane->cursor = seg->first + 1;
            segment_passed(sp, seg);
            tw__segment_retire(sp, lane, seg);
            return 0;
        }
        tw__lane_finish(sp, lane);
    }
    return 1;
}

int tw__reader_next(tw_spool_item *out, tw_spool *sp)
{
    int rc;

    for (;;) {
        if (sp->page_segment != NULL && page_next(out, sp))
            return TW_OK;
        tw__reader_drop(sp);
        rc = segment_next(sp);
        if (rc < 0)
            tw__reader_drop(sp); /* what there was no memory for is no page */
        if (rc != 0)
            return rc < 0 ? rc : TW_DONE;
    }
}
