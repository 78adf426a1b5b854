/* SPDX-License-Identifier: MIT */
/* Notes about records, beside each segment: acknowledged, first sent at, end. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "ingest/spool_internal.h"

enum { CHUNK_NOTES = 1024 };

/* Most records that fit in a segment; bounds what a note may claim. */
#define RECORDS_MOST (TW_SPOOL_SEGMENT_BYTES / TW_SPOOL_FRAME + 1)

/* ---- in memory ------------------------------------------------------------------------- */

int tw__notes_is_acked(const tw_segment *seg, uint64_t seq)
{
    uint64_t at = seq - seg->first;

    return at / 8 < seg->acked_room && (seg->acked[at / 8] >> at % 8 & 1) != 0;
}

static int acked_reserve(tw_segment *seg, uint64_t past)
{
    size_t need = (size_t)((past - seg->first + 7) / 8);
    size_t room = seg->acked_room != 0 ? seg->acked_room : 64;
    unsigned char *more;

    if (need <= seg->acked_room)
        return 0;
    while (room < need)
        room *= 2;
    more = tw__realloc(seg->acked, room);
    if (more == NULL)
        return -ENOMEM;
    memset(more + seg->acked_room, 0, room - seg->acked_room);
    seg->acked = more;
    seg->acked_room = room;
    return 0;
}

/* ---- ranges ---------------------------------------------------------------------------- */

/* Index of the first range that ends behind `seq`. */
static size_t range_find(const tw_ranges *ranges, uint64_t seq)
{
    size_t low = 0;
    size_t high = ranges->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (ranges->items[mid].first + ranges->items[mid].count <= seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int tw__ranges_has(const tw_ranges *ranges, uint64_t seq)
{
    size_t at = range_find(ranges, seq);

    return at < ranges->count && ranges->items[at].first <= seq;
}

void tw__ranges_clear(tw_ranges *ranges)
{
    tw__free(ranges->items);
    memset(ranges, 0, sizeof *ranges);
}

static int range_put(tw_ranges *ranges, size_t at, const tw_note *note)
{
    if (ranges->items == NULL || ranges->count == ranges->room) {
        size_t room = ranges->room != 0 ? ranges->room * 2 : 8;
        tw_note *more = tw__realloc(ranges->items, room * sizeof *more);

        if (more == NULL)
            return -ENOMEM;
        ranges->items = more;
        ranges->room = room;
    }
    if (at < ranges->count)
        memmove(ranges->items + at + 1, ranges->items + at,
                (ranges->count - at) * sizeof *ranges->items);
    ranges->items[at] = *note;
    ranges->count++;
    return 0;
}

/* No part of it is there. */
static int range_join(tw_ranges *ranges, size_t at, const tw_note *note)
{
    tw_note *last = at != 0 ? &ranges->items[at - 1] : NULL;

    if (last != NULL && last->time == note->time &&
        last->first + last->count == note->first) {
        last->count += note->count;
        return 0;
    }
    return range_put(ranges, at, note);
}

int tw__ranges_add(tw_ranges *ranges, const tw_note *note)
{
    uint64_t past = note->first + note->count;
    tw_note part = *note;
    int rc = 0;

    while (rc == 0 && part.first < past) {
        size_t at = range_find(ranges, part.first);
        const tw_note *next = at < ranges->count ? &ranges->items[at] : NULL;
        uint64_t until = next != NULL && next->first < past ? next->first : past;

        if (next != NULL && next->first <= part.first) {
            part.first = next->first + next->count;
            continue;
        }
        part.count = until - part.first;
        rc = range_join(ranges, at, &part);
        part.first = until;
    }
    return rc;
}

static int range_remove(tw_ranges *ranges, uint64_t first, uint64_t past)
{
    size_t at = range_find(ranges, first);

    while (at < ranges->count && ranges->items[at].first < past) {
        tw_note *range = &ranges->items[at];
        tw_note behind = *range;
        uint64_t end = range->first + range->count;

        if (range->first < first && end > past) {
            behind.first = past;
            behind.count = end - past;
            range->count = first - range->first;
            return range_put(ranges, at + 1, &behind);
        }
        if (range->first < first) {
            range->count = first - range->first;
            at++;
        } else if (end > past) {
            range->count = end - past;
            range->first = past;
            return 0;
        } else {
            ranges->count--;
            memmove(range, range + 1, (ranges->count - at) * sizeof *range);
        }
    }
    return 0;
}

int64_t tw__notes_sent_ms(const tw_segment *seg, uint64_t seq)
{
    size_t at = range_find(&seg->sent, seq);

    return at < seg->sent.count && seg->sent.items[at].first <= seq
               ? seg->sent.items[at].time
               : -1;
}

int tw__notes_is_aside(const tw_segment *seg, uint64_t seq)
{
    return tw__ranges_has(&seg->aside, seq);
}

static int acked_apply(tw_segment *seg, const tw_note *note)
{
    int rc = acked_reserve(seg, note->first + note->count);
    uint64_t seq;

    for (seq = note->first; rc == 0 && seq < note->first + note->count; seq++)
        seg->acked[(seq - seg->first) / 8] |=
            (unsigned char)(1 << (seq - seg->first) % 8);
    return rc;
}

int tw__notes_apply(tw_segment *seg, const tw_note *note)
{
    uint64_t past = note->first + note->count;

    switch (note->kind) {
    case TW_NOTE_END:
        seg->end = note->first;
        return 0;
    case TW_NOTE_SENT: /* of one that is known the first time counts */
        return tw__ranges_add(&seg->sent, note);
    case TW_NOTE_UNSENT:
        return range_remove(&seg->sent, note->first, past);
    case TW_NOTE_ASIDE:
        return tw__ranges_add(&seg->aside, note);
    case TW_NOTE_REVIVED:
        return range_remove(&seg->aside, note->first, past);
    case TW_NOTE_ACK: /* a purge ends what is set aside */
        if (range_remove(&seg->aside, note->first, past) != 0)
            return -ENOMEM;
        break;
    }
    return acked_apply(seg, note);
}

/* ---- the file -------------------------------------------------------------------------- */

static int notes_open(tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    char name[TW_SPOOL_NAME];
    tw_spool_stat st;
    int rc;

    if (seg->notes_fd >= 0)
        return 0;
    tw__spool_name(name, sp, lane->id, seg->first, TW_FILE_NOTES);
    seg->notes_fd = tw__spool_open_file(sp, name, O_RDWR);
    if (seg->notes_fd == -ENOENT) {
        seg->notes_fd = tw__spool_open_file(sp, name, O_RDWR | O_CREAT);
        seg->unnamed = 1;
    }
    if (seg->notes_fd < 0) {
        rc = seg->notes_fd;
        seg->notes_fd = -1;
        return rc;
    }
    rc = sp->sys.stat(sp->sys.ctx, seg->notes_fd, &st);
    if (rc == 0 && !S_ISREG(st.mode))
        rc = -EINVAL;
    if (rc < 0) {
        tw__spool_close(sp, &seg->notes_fd);
        return rc;
    }
    /* Behind a note that was cut off, on the next whole place. */
    seg->notes_at = (st.size + TW_SPOOL_NOTE - 1) / TW_SPOOL_NOTE * TW_SPOOL_NOTE;
    return 0;
}

int tw__note_fits(const tw_segment *seg, const tw_note *note)
{
    return note->first >= seg->first && note->first - seg->first <= RECORDS_MOST &&
           note->count <= RECORDS_MOST;
}

int tw__notes_load(tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    unsigned char *chunk = tw__alloc(CHUNK_NOTES * TW_SPOOL_NOTE);
    uint64_t at = 0;
    tw_note note;
    size_t got;
    size_t i;
    int rc;

    if (chunk == NULL)
        return -ENOMEM;
    rc = notes_open(sp, lane, seg);
    while (rc == 0) {
        rc = tw__spool_read_all(sp, seg->notes_fd, chunk, CHUNK_NOTES * TW_SPOOL_NOTE, at,
                                &got);
        for (i = 0; rc == 0 && i + TW_SPOOL_NOTE <= got; i += TW_SPOOL_NOTE) {
            if (tw__note_get(&note, chunk + i, lane->crc) && tw__note_fits(seg, &note))
                rc = tw__notes_apply(seg, &note);
        }
        if (got < CHUNK_NOTES * TW_SPOOL_NOTE)
            break;
        at += got;
    }
    tw__free(chunk);
    tw__spool_close(sp, &seg->notes_fd);
    /* Where the disk has lost the notes the segment is given out whole: the server sorts
     * repetitions out. Any other trouble passes. */
    return rc == -EIO ? 0 : rc;
}

static int put_note(tw_buf *out, const tw_lane *lane, const tw_note *note)
{
    unsigned char bytes[TW_SPOOL_NOTE];

    tw__note_put(bytes, lane->crc, note);
    return tw__buf_put(out, bytes, sizeof bytes) == TW_OK ? 0 : -ENOMEM;
}

/* That the records between the ranges are in none: the file may tell of attempts, and of records
 * set aside, that have been taken back meanwhile. Of those in them nothing, for the power may be
 * cut behind each note. */
static int put_gaps(tw_buf *out, const tw_lane *lane, const tw_segment *seg,
                    const tw_ranges *ranges, tw_note_kind kind)
{
    uint64_t past = seg->first + RECORDS_MOST;
    tw_note note = {kind, seg->first, 0, 0};
    size_t i;
    int rc = 0;

    for (i = 0; i <= ranges->count && rc == 0; i++) {
        const tw_note *range = i < ranges->count ? &ranges->items[i] : NULL;
        uint64_t end = range != NULL ? range->first : past;

        note.count = end > note.first ? end - note.first : 0;
        if (note.count != 0)
            rc = put_note(out, lane, &note);
        if (range != NULL)
            note.first = range->first + range->count;
    }
    return rc;
}

static int put_acked(tw_buf *out, const tw_lane *lane, const tw_segment *seg)
{
    tw_note note = {TW_NOTE_ACK, seg->first, 0, 0};
    uint64_t past = seg->first + seg->acked_room * 8;
    int rc = 0;

    while (rc == 0 && note.first < past) {
        note.count = 0;
        while (note.first < past && !tw__notes_is_acked(seg, note.first))
            note.first++;
        while (note.first + note.count < past &&
               tw__notes_is_acked(seg, note.first + note.count))
            note.count++;
        if (note.count != 0)
            rc = put_note(out, lane, &note);
        note.first += note.count;
    }
    return rc;
}

/* All that is known of the segment. What is over comes first: of a record that was purged the rest
 * says that it is not set aside any more. */
static int put_all(tw_buf *out, const tw_lane *lane, const tw_segment *seg)
{
    tw_note end = {TW_NOTE_END, seg->end, 0, 0};
    size_t i;
    int rc = put_acked(out, lane, seg);

    if (rc == 0)
        rc = put_gaps(out, lane, seg, &seg->sent, TW_NOTE_UNSENT);
    if (rc == 0)
        rc = put_gaps(out, lane, seg, &seg->aside, TW_NOTE_REVIVED);
    for (i = 0; i < seg->sent.count && rc == 0; i++)
        rc = put_note(out, lane, &seg->sent.items[i]);
    for (i = 0; i < seg->aside.count && rc == 0; i++)
        rc = put_note(out, lane, &seg->aside.items[i]);
    if (rc == 0 && seg->end != 0)
        rc = put_note(out, lane, &end);
    return rc;
}

/* The file of a sealed segment is kept open by nobody: a long backlog must not use up
 * descriptors. */
int tw__notes_write(tw_spool *sp, tw_lane *lane, tw_segment *seg, const tw_note *notes,
                    size_t count)
{
    tw_buf out;
    size_t i;
    int rc = 0;

    tw__buf_init(&out, TW_SPOOL_SEGMENT_BYTES * 2);
    if (seg->behind) {
        rc = put_all(&out, lane, seg);
    } else {
        for (i = 0; i < count && rc == 0; i++)
            rc = put_note(&out, lane, &notes[i]);
    }
    if (rc == 0)
        rc = notes_open(sp, lane, seg);
    if (rc == 0)
        rc = tw__spool_write_all(sp, seg->notes_fd, out.data, out.size, seg->notes_at);
    seg->behind = rc != 0;
    if (rc == 0) {
        seg->notes_at += out.size;
        seg->unsynced = 1;
    }
    if (seg->sealed)
        tw__spool_close(sp, &seg->notes_fd); /* a sync opens it again */
    tw__buf_clear(&out);
    return rc;
}

/* A sync failed: what the file holds, or which one has the name, is unknown, or it has none any
 * more, so that a new one takes its place. */
static int notes_rewrite(tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    char spare[TW_SPOOL_NAME];
    char name[TW_SPOOL_NAME];
    tw_buf out;
    int fd = -1;
    int rc;

    tw__spool_name(spare, sp, lane->id, seg->first, TW_FILE_SPARE);
    tw__spool_name(name, sp, lane->id, seg->first, TW_FILE_NOTES);
    tw__buf_init(&out, TW_SPOOL_SEGMENT_BYTES * 2);
    rc = put_all(&out, lane, seg);
    if (rc == 0) {
        fd = tw__spool_open_file(sp, spare, O_RDWR | O_CREAT | O_TRUNC);
        rc = fd < 0 ? fd : 0;
    }
    if (rc == 0)
        rc = tw__spool_write_all(sp, fd, out.data, out.size, 0);
    if (rc == 0)
        rc = tw__spool_data_sync(sp, fd);
    if (rc == 0)
        rc = tw__spool_rename(sp, spare, name);
    if (rc < 0 && fd >= 0) {
        tw__spool_close(sp, &fd);
        (void)tw__spool_unlink(sp, spare);
    } else if (rc == 0) {
        tw__spool_close(sp, &seg->notes_fd);
        seg->notes_fd = fd;
        seg->notes_at = out.size;
        seg->behind = 0;
        rc = tw__spool_dir_sync(sp);
        seg->unnamed = rc != 0;
    }
    tw__buf_clear(&out);
    return rc;
}

int tw__notes_sync(tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    int rc = 0;

    if (seg->behind)
        rc = tw__notes_write(sp, lane, seg, NULL, 0);
    if (rc == 0 && seg->unsynced) {
        rc = notes_open(sp, lane, seg);
        if (rc == 0)
            rc = seg->unnamed ? -EIO : tw__spool_file_sync(sp, lane, seg, TW_FILE_NOTES);
        if (rc < 0)
            rc = notes_rewrite(sp, lane, seg);
        seg->unsynced = rc != 0;
        seg->behind = rc != 0;
    }
    if (seg->sealed)
        tw__spool_close(sp, &seg->notes_fd);
    return rc;
}
