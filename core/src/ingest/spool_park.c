/* SPDX-License-Identifier: MIT */
/* Records that memory lets go of although they have not ended: remembered, and found again. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <tidewheel/common.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "ingest/spool_internal.h"

enum { FIRST_BYTES = 256 };

/* ---- a bit per record -------------------------------------------------------------------- */

/* 0 or -ENOMEM. */
static int bit_set(tw_segment *seg, uint64_t bit)
{
    size_t need = (size_t)(bit / 8) + 1;
    size_t room = seg->parked_room < FIRST_BYTES ? FIRST_BYTES : seg->parked_room;
    unsigned char *more;

    while (room < need)
        room *= 2;
    if (need > seg->parked_room) {
        more = tw__realloc(seg->parked, room);
        if (more == NULL)
            return -ENOMEM;
        memset(more + seg->parked_room, 0, room - seg->parked_room);
        seg->parked = more;
        seg->parked_room = room;
    }
    seg->parked[bit / 8] |= (unsigned char)(1 << bit % 8);
    return 0;
}

static tw_segment *segment_of(tw_spool *sp, uint64_t id)
{
    uint64_t slot = id >> TW_SPOOL_SEQ_BITS;

    return slot < sp->lane_count
               ? tw__segment_find(sp->lanes[slot], id & TW_SPOOL_SEQ_MASK)
               : NULL;
}

static void bit_clear(tw_spool *sp, uint64_t id)
{
    tw_segment *seg = segment_of(sp, id);
    uint64_t bit = seg != NULL ? (id & TW_SPOOL_SEQ_MASK) - seg->first : 0;

    if (seg != NULL && bit / 8 < seg->parked_room)
        seg->parked[bit / 8] &= (unsigned char)~(1 << bit % 8);
}

/* The first bit from `bit` on; nonzero when there is one. */
static int bit_next(const tw_segment *seg, uint64_t *bit)
{
    for (; *bit / 8 < seg->parked_room; ++*bit) {
        if (*bit % 8 == 0 && seg->parked[*bit / 8] == 0)
            *bit += 7;
        else if (seg->parked[*bit / 8] >> *bit % 8 & 1)
            return 1;
    }
    return 0;
}

int tw__spool_park(tw_spool *sp, const uint64_t *ids, size_t count)
{
    size_t i;
    int rc = 0;

    if (sp->pid != tw__pid())
        return TW_E_FORKED;
    tw__files_lock(sp);
    for (i = 0; i < count && rc == 0; i++) {
        tw_segment *seg = segment_of(sp, ids[i]);

        rc = seg != NULL ? bit_set(seg, (ids[i] & TW_SPOOL_SEQ_MASK) - seg->first)
                         : -ENOENT;
    }
    while (rc != 0 && i-- > 0)
        bit_clear(sp, ids[i]);
    tw__files_unlock(sp);
    return rc == 0 ? TW_OK : TW_E_NOMEM;
}

void tw__spool_unpark(tw_spool *sp, uint64_t id)
{
    tw__files_lock(sp);
    bit_clear(sp, id);
    tw__files_unlock(sp);
}

/* ---- finding them ------------------------------------------------------------------------ */

/* The first one with an id from `*id` on; nonzero when there is one. */
static int parked_find(tw_spool *sp, uint64_t *id, tw_lane **lane, tw_segment **seg)
{
    uint64_t slot = *id >> TW_SPOOL_SEQ_BITS;
    uint64_t seq = *id & TW_SPOOL_SEQ_MASK;
    size_t i;

    for (; slot < sp->lane_count; slot++, seq = 0) {
        *lane = sp->lanes[slot];
        for (i = 0; i < (*lane)->count; i++) {
            uint64_t bit;

            *seg = (*lane)->segments[i];
            bit = seq > (*seg)->first ? seq - (*seg)->first : 0;
            if (!bit_next(*seg, &bit))
                continue;
            *id = slot << TW_SPOOL_SEQ_BITS | ((*seg)->first + bit);
            return 1;
        }
    }
    return 0;
}

/* Takes the records of the segment into the page: 0, 1 where there are no more than it has, or
 * a negated errno. */
static int page_load(tw_spool *sp, const tw_lane *lane, const tw_segment *seg)
{
    char name[TW_SPOOL_NAME];
    uint64_t written;
    int named;
    int rc;
    int fd;

    pthread_mutex_lock(&sp->lock);
    written = seg->bytes;
    pthread_mutex_unlock(&sp->lock);
    if (sp->park_page != NULL && sp->park_lane == lane->id &&
        sp->park_first == seg->first && sp->park_bytes == written)
        return 1;
    tw__spool_parked_end(sp);
    tw__spool_name(name, sp, lane->id, seg->first, TW_FILE_SEGMENT);
    fd = named = tw__spool_open_file(sp, name, O_RDONLY);
    if (fd == -ENOENT && seg->fd >= 0)
        fd = seg->fd; /* somebody removed it: what is still open has it */
    if (fd < 0)
        return fd;
    sp->park_page = tw__alloc((size_t)written + 1);
    rc = sp->park_page == NULL ? -ENOMEM
                               : tw__spool_read_all(sp, fd, sp->park_page,
                                                    (size_t)written, 0, &sp->park_size);
    tw__spool_close(sp, &named); /* not the one that is in use */
    if (rc < 0) {
        tw__spool_parked_end(sp);
        return rc;
    }
    sp->park_lane = lane->id;
    sp->park_first = seg->first;
    sp->park_bytes = written;
    sp->park_at = TW_SPOOL_HEADER;
    sp->park_seq = 0;
    return 0;
}

/* Reads on in the page, whose records are in order; nonzero when it is there. */
static int page_seek(tw_frame *out, tw_spool *sp, const tw_lane *lane, uint64_t seq)
{
    size_t before;
    int skipped = 0;

    if (sp->park_page == NULL || sp->park_lane != lane->id)
        return 0;
    if (seq == sp->park_seq)
        sp->park_at = sp->park_before;
    else if (seq < sp->park_seq)
        sp->park_at = TW_SPOOL_HEADER;
    for (;;) {
        before = sp->park_at;
        if (!tw__frame_next(out, sp->park_page, sp->park_size, &sp->park_at, lane->crc,
                            &skipped))
            return 0;
        if (out->kind != TW_FRAME_RECORD)
            continue;
        if (out->seq > seq) {
            sp->park_at = before;
            return 0;
        }
        sp->park_seq = out->seq;
        sp->park_before = before;
        if (out->seq == seq)
            return 1;
    }
}

/* 0, 1 where the file does not have it any more, or a negated errno: a disk that cannot read
 * now may be able to later. */
static int record_find(tw_frame *out, tw_spool *sp, const tw_lane *lane,
                       const tw_segment *seg, uint64_t seq)
{
    int rc;

    if (sp->park_first == seg->first && page_seek(out, sp, lane, seq))
        return 0;
    rc = page_load(sp, lane, seg);
    if (rc == 0 && page_seek(out, sp, lane, seq))
        return 0;
    return rc < 0 && rc != -ENOENT ? rc : 1;
}

int tw__spool_parked(tw_spool_item *out, tw_spool *sp, uint64_t from, tw_error **err)
{
    tw_lane *lane;
    tw_segment *seg;
    tw_frame frame;
    int rc = 0;

    memset(out, 0, sizeof *out);
    if (sp->pid != tw__pid())
        return tw__error(err, TW_E_FORKED, "the spool belonged to the parent process");
    tw__files_lock(sp);
    if (!parked_find(sp, &from, &lane, &seg)) {
        tw__files_unlock(sp);
        return TW_DONE;
    }
    out->id = from;
    rc = record_find(&frame, sp, lane, seg, from & TW_SPOOL_SEQ_MASK);
    if (rc < 0) /* one that takes records has none behind it in its lane */
        out->id =
            (from & ~TW_SPOOL_SEQ_MASK) | (seg->end != 0 ? seg->end : TW_SPOOL_SEQ_MASK);
    if (rc == 0) {
        out->accepted_ms = frame.accepted_ms;
        out->sent_ms = tw__notes_sent_ms(seg, frame.seq);
        out->text = frame.text;
        out->size = frame.size;
    }
    tw__files_unlock(sp);
    return rc >= 0 ? TW_OK
                   : tw__spool_fail(err, sp, rc, "records could not be read back");
}

/* Finds out when the first one of the lane, which is `seq`, was accepted. 0, or a negated errno. */
static int lane_since(tw_spool *sp, tw_lane *lane, tw_segment *seg, uint64_t seq)
{
    uint64_t id = (uint64_t)lane->slot << TW_SPOOL_SEQ_BITS | seq;
    tw_lane *of = lane;
    tw_frame frame;
    int rc;

    if (lane->parked_seq == seq)
        return 0;
    do {
        rc = record_find(&frame, sp, lane, seg, id & TW_SPOOL_SEQ_MASK);
        id++;
    } while (rc == 1 && parked_find(sp, &id, &of, &seg) && of == lane);
    if (rc < 0)
        return rc;
    lane->parked_seq = seq;
    lane->parked_ms = rc == 0 ? frame.accepted_ms : INT64_MAX;
    return 0;
}

int tw__spool_parked_since(int64_t *wall_ms, tw_spool *sp, tw_error **err)
{
    uint64_t id = 0;
    tw_lane *lane;
    tw_segment *seg;
    int rc = 0;

    *wall_ms = INT64_MAX;
    if (sp->pid != tw__pid())
        return tw__error(err, TW_E_FORKED, "the spool belonged to the parent process");
    tw__files_lock(sp);
    while (rc == 0 && parked_find(sp, &id, &lane, &seg)) {
        rc = lane_since(sp, lane, seg, id & TW_SPOOL_SEQ_MASK);
        if (rc == 0 && lane->parked_ms < *wall_ms)
            *wall_ms = lane->parked_ms;
        id = ((uint64_t)lane->slot + 1) << TW_SPOOL_SEQ_BITS;
    }
    tw__files_unlock(sp);
    if (rc < 0)
        return tw__spool_fail(err, sp, rc, "records could not be read back");
    return *wall_ms != INT64_MAX ? TW_OK : TW_DONE;
}

void tw__spool_parked_end(tw_spool *sp)
{
    tw__free(sp->park_page);
    sp->park_page = NULL;
    sp->park_first = 0;
}
