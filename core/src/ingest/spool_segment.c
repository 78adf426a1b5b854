/* SPDX-License-Identifier: MIT */
/* Segments: made, sealed, rewritten when the disk failed, removed when all is acknowledged. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <tidewheel/common.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/process.h"
#include "ingest/spool_internal.h"

enum {
    UNSYNCED_MOST = 8, /* sealed segments that wait for a sync keep their descriptor */
    SMALL_SYNC = 128 << 10,
    PART = 4, /* of the current segment in use: then the next one is made ready, ... */
    PART_UNWRITTEN = 128,
    SPARE_AGAIN_MS = 10000 /* after a failure, unless room was made */
};

/* ---- the list of a lane ---------------------------------------------------------------- */

/* Index of the first segment that begins behind `seq`. */
static size_t segment_index(const tw_lane *lane, uint64_t seq)
{
    size_t low = 0;
    size_t high = lane->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (lane->segments[mid]->first <= seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

tw_segment *tw__segment_find(tw_lane *lane, uint64_t seq)
{
    size_t at = segment_index(lane, seq);
    tw_segment *seg;

    if (at == 0)
        return NULL;
    seg = lane->segments[at - 1];
    return seg->end == 0 || seq < seg->end ? seg : NULL;
}

int tw__lane_reserve(tw_lane *lane, size_t more)
{
    size_t room = lane->room != 0 ? lane->room : 8;
    tw_segment **segments;

    while (room - lane->count < more)
        room *= 2;
    if (room == lane->room)
        return 1;
    segments = tw__realloc(lane->segments, room * sizeof(tw_segment *));
    if (segments == NULL)
        return 0;
    lane->segments = segments;
    lane->room = room;
    return 1;
}

static tw_segment *segment_new(uint64_t first)
{
    tw_segment *seg = tw__alloc_zero(1, sizeof *seg);

    if (seg == NULL)
        return NULL;
    seg->first = first;
    seg->fd = seg->notes_fd = -1;
    return seg;
}

void tw__segment_list(tw_lane *lane, tw_segment *seg)
{
    size_t at = segment_index(lane, seg->first);

    memmove(lane->segments + at + 1, lane->segments + at,
            (lane->count - at) * sizeof(tw_segment *));
    lane->segments[at] = seg;
    lane->count++;
}

tw_segment *tw__segment_add(tw_lane *lane, uint64_t first)
{
    size_t at = segment_index(lane, first);
    tw_segment *seg;

    if (at != 0 && lane->segments[at - 1]->first == first)
        return NULL;
    if (!tw__lane_reserve(lane, 1))
        return NULL;
    seg = segment_new(first);
    if (seg != NULL)
        tw__segment_list(lane, seg);
    return seg;
}

void tw__segment_free(tw_spool *sp, tw_segment *seg)
{
    tw__spool_close(sp, &seg->fd);
    tw__spool_close(sp, &seg->notes_fd);
    tw__free(seg->acked);
    tw__free(seg->parked);
    tw__ranges_clear(&seg->sent);
    tw__ranges_clear(&seg->aside);
    tw__ranges_clear(&seg->revived);
    tw__free(seg);
}

/* Forgets it, whatever becomes of its files. @locks needs files */
static void segment_remove(tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    size_t at = segment_index(lane, seg->first) - 1;

    lane->count--;
    memmove(lane->segments + at, lane->segments + at + 1,
            (lane->count - at) * sizeof(tw_segment *));
    if (sp->page_segment == seg)
        sp->page_segment = NULL;
    pthread_mutex_lock(&sp->lock);
    if (seg->has_file) {
        sp->stats.bytes -= seg->bytes;
        sp->stats.segments--;
        sp->spare_due_ms = 0;
    }
    sp->stats.aside_bytes -= seg->aside_bytes;
    pthread_mutex_unlock(&sp->lock);
    tw__segment_free(sp, seg);
}

/* ---- files ----------------------------------------------------------------------------- */

/* The name belongs to this lane, whose lock we hold: what lies there is left of a failure. */
static int make_file(tw_spool *sp, const char *name)
{
    int fd = tw__spool_open_file(sp, name, O_RDWR | O_CREAT | O_EXCL);

    if (fd != -EEXIST)
        return fd;
    (void)tw__spool_unlink(sp, name);
    return tw__spool_open_file(sp, name, O_RDWR | O_CREAT | O_EXCL);
}

static int segment_write_head(tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    unsigned char head[TW_SPOOL_HEADER];

    tw__segment_header(head, sp, lane, seg->first, tw__wall_ms());
    return tw__spool_write_all(sp, seg->fd, head, sizeof head, 0);
}

/* Only for speed: without it each write finds its own room, or reports that there is none. */
static int file_allocate(tw_spool *sp, int fd)
{
    return tw__spool_allocate(sp, fd, sp->segment_bytes) < 0
               ? tw__spool_truncate(sp, fd, 0)
               : 0;
}

/* ---- ahead of time --------------------------------------------------------------------- */

static void spare_name(char name[TW_SPOOL_NAME], const tw_spool *sp)
{
    tw__spool_name(name, sp, sp->own->id, TW_SPOOL_SEQ_MASK, TW_FILE_SPARE);
}

/* A sync of blocks that were written before costs less than one of blocks that were only
 * allocated, whose first use the file system has to note. Where much is written at a time that is
 * little beside writing every block twice. */
int tw__segment_small_syncs(const tw_spool *sp)
{
    return sp->durable && sp->sync_bytes < SMALL_SYNC;
}

static int zeros_write(tw_spool *sp, int fd)
{
    static const char zeros[65536];
    uint64_t at;
    int rc = 0;

    for (at = 0; rc == 0 && at < sp->segment_bytes; at += sizeof zeros) {
        uint64_t left = sp->segment_bytes - at;

        rc = tw__spool_write_all(sp, fd, zeros,
                                 left < sizeof zeros ? (size_t)left : sizeof zeros, at);
    }
    return rc == 0 ? tw__spool_data_sync(sp, fd) : rc;
}

/* Whether the current segment is so full that one ready to follow it is needed; much less is enough
 * where its syncs cost more than they need to. Then the caller is the one to make it. */
static int spare_begin(tw_spool *sp, int *written)
{
    const tw_segment *seg;
    int due = 0;

    pthread_mutex_lock(&sp->lock);
    seg = sp->current;
    *written = tw__segment_small_syncs(sp);
    if (sp->spare == TW_SPARE_NONE && seg != NULL &&
        tw__monotonic_ms() >= sp->spare_due_ms)
        due = sp->planned >
              sp->segment_bytes / (*written && !seg->written ? PART_UNWRITTEN : PART);
    if (due)
        sp->spare = TW_SPARE_USED;
    pthread_mutex_unlock(&sp->lock);
    return due;
}

static void spare_end(tw_spool *sp, tw_spare spare, int fd, int written)
{
    pthread_mutex_lock(&sp->lock);
    sp->spare = spare;
    sp->spare_fd = fd;
    sp->spare_written = written;
    pthread_mutex_unlock(&sp->lock);
}

static void spare_throw(tw_spool *sp, int fd)
{
    char name[TW_SPOOL_NAME];

    spare_name(name, sp);
    (void)tw__spool_unlink(sp, name);
    tw__spool_close(sp, &fd);
    spare_end(sp, TW_SPARE_NONE, -1, 0);
}

/* Where there is not enough room for the whole file there is better none: writing zeros until the
 * disk is full would take the last room from the records, and from everybody else. */
static int spare_allocate(tw_spool *sp, int fd)
{
    int rc = tw__spool_allocate(sp, fd, sp->segment_bytes);

    if (rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG)
        return rc;
    return rc < 0 ? tw__spool_truncate(sp, fd, 0) : 0;
}

void tw__spool_prepare(tw_spool *sp)
{
    char name[TW_SPOOL_NAME];
    int written;
    int rc;
    int fd;

    if (sp->pid != tw__pid() || !spare_begin(sp, &written))
        return;
    spare_name(name, sp);
    fd = make_file(sp, name);
    rc = fd < 0 ? fd : spare_allocate(sp, fd);
    if (rc == 0 && written)
        rc = zeros_write(sp, fd);
    if (rc == 0) {
        spare_end(sp, TW_SPARE_READY, fd, written);
        return;
    }
    pthread_mutex_lock(&sp->lock);
    sp->spare_due_ms = tw__ms_add(tw__monotonic_ms(), SPARE_AGAIN_MS);
    pthread_mutex_unlock(&sp->lock);
    spare_throw(sp, fd);
}

/* -1 where none is ready. Ends with spare_end or spare_throw. */
static int spare_take(tw_spool *sp, int *written)
{
    int fd = -1;

    pthread_mutex_lock(&sp->lock);
    if (sp->spare == TW_SPARE_READY) {
        fd = sp->spare_fd;
        *written = sp->spare_written;
        sp->spare = TW_SPARE_USED;
    }
    pthread_mutex_unlock(&sp->lock);
    return fd;
}

void tw__segment_spare_drop(tw_spool *sp)
{
    int written;
    int fd = spare_take(sp, &written);

    if (fd >= 0)
        spare_throw(sp, fd);
}

/* The file made ahead under the segment's name, or a new one. */
static int segment_open(tw_spool *sp, tw_segment *seg, const char *name)
{
    char spare[TW_SPOOL_NAME];
    int fd = spare_take(sp, &seg->written);
    int rc;

    if (fd >= 0) {
        spare_name(spare, sp);
        if (tw__spool_rename(sp, spare, name) == 0) {
            spare_end(sp, TW_SPARE_NONE, -1, 0);
            return fd;
        }
        spare_throw(sp, fd);
        seg->written = 0;
    }
    fd = make_file(sp, name);
    if (fd < 0)
        return fd;
    rc = file_allocate(sp, fd);
    if (rc < 0)
        tw__spool_close(sp, &fd);
    return rc < 0 ? rc : fd;
}

/* ---- making ---------------------------------------------------------------------------- */

static int segment_make_files(tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    char name[TW_SPOOL_NAME];
    char notes[TW_SPOOL_NAME];
    int rc;

    tw__spool_name(name, sp, lane->id, seg->first, TW_FILE_SEGMENT);
    tw__spool_name(notes, sp, lane->id, seg->first, TW_FILE_NOTES);
    rc = seg->fd = segment_open(sp, seg, name);
    if (rc < 0) {
        (void)tw__spool_unlink(sp, name);
        return rc; /* close takes negative numbers */
    }
    rc = segment_write_head(sp, lane, seg);
    if (rc == 0) {
        rc = seg->notes_fd = make_file(sp, notes);
        rc = rc < 0 ? rc : 0;
    }
    if (rc == 0 && sp->durable)
        rc = tw__spool_dir_sync(sp);
    if (rc < 0) {
        (void)tw__spool_unlink(sp, name);
        (void)tw__spool_unlink(sp, notes);
    }
    return rc;
}

void tw__segment_clear_way(tw_spool *sp, uint64_t first)
{
    tw_segment *seg = tw__segment_find(sp->own, first);

    if (seg != NULL && seg->first == first)
        segment_remove(sp, sp->own, seg);
}

int tw__segment_make(tw_segment **out, tw_spool *sp)
{
    tw_segment *seg = segment_new(sp->next_seq);
    int rc;

    *out = NULL;
    if (seg == NULL)
        return -ENOMEM;
    rc = segment_make_files(sp, sp->own, seg);
    if (rc < 0) {
        tw__segment_free(sp, seg);
        return rc;
    }
    seg->bytes = TW_SPOOL_HEADER;
    seg->loaded = 1;
    seg->has_file = 1;
    *out = seg;
    return 0;
}

/* ---- the end --------------------------------------------------------------------------- */

int tw__segment_mark_end(tw_spool *sp, const tw_segment *seg, uint64_t end)
{
    tw_buf frame;
    int rc = -ENOMEM;

    tw__buf_init(&frame, TW_SPOOL_FRAME);
    if (tw__frame_put(&frame, sp->own->crc, TW_FRAME_END, end, 0, NULL) == TW_OK)
        rc = tw__spool_write_all(sp, seg->fd, frame.data, frame.size, seg->bytes);
    tw__buf_clear(&frame);
    return rc;
}

/* The end is written twice, behind the records and in the notes, so that one damaged place
 * does not hide how many records there were. Without either, the last good record ends it. */
static void segment_end(tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    tw_note note = {TW_NOTE_END, seg->end, 0, 0};

    if (tw__segment_mark_end(sp, seg, seg->end) == 0)
        (void)tw__spool_truncate(sp, seg->fd, seg->bytes + TW_SPOOL_FRAME);
    (void)tw__notes_write(sp, lane, seg, &note, 1);
}

/* 0 when its records are on the disk. @locks needs files */
static int records_sync(tw_spool *sp, tw_lane *lane, tw_segment *seg, int *failed)
{
    int rc = seg->suspect ? -EIO : tw__spool_file_sync(sp, lane, seg, TW_FILE_SEGMENT);
    int left = rc < 0;

    if (rc < 0 && seg->sealed)
        left = tw__segment_rewrite(sp, lane, seg) < 0;
    else if (rc < 0)
        *failed = 1;
    pthread_mutex_lock(&sp->lock);
    seg->suspect = left;
    if (left)
        seg->data_unsynced = 1;
    pthread_mutex_unlock(&sp->lock);
    if (seg->sealed && !left)
        tw__spool_close(sp, &seg->fd);
    return rc;
}

int tw__segments_sync(tw_spool *sp, int *failed)
{
    tw_lane *lane = sp->own;
    int unsynced;
    int worst = 0;
    size_t i;
    int rc;

    for (i = 0; i < lane->count; i++) {
        tw_segment *seg = lane->segments[i];

        pthread_mutex_lock(&sp->lock);
        unsynced = seg->data_unsynced;
        seg->data_unsynced = 0;
        pthread_mutex_unlock(&sp->lock);
        rc = unsynced ? records_sync(sp, lane, seg, failed) : 0;
        worst = rc < 0 ? rc : worst;
    }
    return worst;
}

tw_segment *tw__segment_detach(tw_spool *sp)
{
    tw_segment *seg = sp->current;

    sp->current = NULL;
    return seg;
}

void tw__segment_seal(tw_spool *sp, tw_segment *seg, uint64_t end)
{
    tw_lane *lane = sp->own;
    unsigned unsynced = 0;
    int failed = 0;
    size_t i;

    pthread_mutex_lock(&sp->lock);
    seg->end = end;
    seg->sealed = 1;
    pthread_mutex_unlock(&sp->lock);
    segment_end(sp, lane, seg);
    if (!seg->data_unsynced)
        tw__spool_close(sp, &seg->fd);
    for (i = 0; i < lane->count; i++)
        unsynced += lane->segments[i]->data_unsynced != 0;
    if (unsynced > UNSYNCED_MOST)
        (void)tw__segments_sync(sp, &failed);
    tw__segment_retire(sp, lane, seg);
}

/* ---- rewriting ------------------------------------------------------------------------- */

static int rewrite_collect(tw_buf *out, tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    int keep_all = tw__notes_sync(sp, lane, seg) < 0;
    unsigned char head[TW_SPOOL_HEADER];
    int skipped = 0;
    tw_frame frame;
    char *page;
    size_t at = TW_SPOOL_HEADER;
    size_t got = 0;
    int rc;

    page = tw__alloc((size_t)seg->bytes);
    if (page == NULL)
        return -ENOMEM;
    rc = tw__spool_read_all(sp, seg->fd, page, (size_t)seg->bytes, 0, &got);
    tw__segment_header(head, sp, lane, seg->first, tw__wall_ms());
    if (rc == 0 && tw__buf_put(out, head, sizeof head) != TW_OK)
        rc = -ENOMEM;
    while (rc == 0 && tw__frame_next(&frame, page, got, &at, lane->crc, &skipped)) {
        if (frame.kind != TW_FRAME_RECORD || frame.seq < seg->first ||
            frame.seq >= seg->end || (!keep_all && tw__notes_is_acked(seg, frame.seq)))
            continue;
        if (tw__buf_put(out, frame.text - TW_SPOOL_FRAME, TW_SPOOL_FRAME + frame.size) !=
            TW_OK)
            rc = -ENOMEM;
    }
    if (rc == 0 && (got < seg->bytes || skipped))
        rc = -EIO; /* the old file is worth more than half of it */
    tw__free(page);
    return rc;
}

int tw__segment_rewrite(tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    char spare[TW_SPOOL_NAME];
    char name[TW_SPOOL_NAME];
    tw_buf out;
    int fd = -1;
    int rc;

    tw__spool_name(spare, sp, lane->id, seg->first, TW_FILE_SPARE);
    tw__spool_name(name, sp, lane->id, seg->first, TW_FILE_SEGMENT);
    tw__buf_init(&out, TW_SPOOL_SEGMENT_BYTES * 2);
    rc = rewrite_collect(&out, sp, lane, seg);
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
        tw__spool_close(sp, &seg->fd);
        seg->fd = fd;
        sp->own_segment = 0; /* places in it have changed */
        pthread_mutex_lock(&sp->lock);
        sp->stats.bytes += out.size;
        sp->stats.bytes -= seg->bytes;
        sp->stats.rewritten++;
        seg->bytes = out.size;
        pthread_mutex_unlock(&sp->lock);
        tw__segment_weigh(sp, seg);
        rc = tw__spool_dir_sync(sp);
    }
    tw__buf_clear(&out);
    return rc;
}

void tw__segment_distrust(tw_spool *sp, tw_segment *seg)
{
    static const char zeros[TW_SPOOL_FRAME];
    tw_lane *lane = sp->own;
    int left = 0;

    tw__files_lock(sp);
    pthread_mutex_lock(&sp->lock);
    seg->end = sp->next_seq;
    seg->sealed = 1;
    pthread_mutex_unlock(&sp->lock);
    /* What was refused must not be given out by the next process, should the rest fail. */
    if (tw__spool_truncate(sp, seg->fd, seg->bytes) < 0)
        (void)tw__spool_write_all(sp, seg->fd, zeros, sizeof zeros, seg->bytes);
    if (seg->waiting != 0)
        left = tw__segment_rewrite(sp, lane, seg) < 0;
    segment_end(sp, lane, seg);
    seg->suspect = seg->data_unsynced =
        left; /* the next sync tries to rewrite it again */
    if (!left)
        tw__spool_close(sp, &seg->fd);
    tw__segment_retire(sp, lane, seg);
    tw__files_unlock(sp);
}

/* ---- removal --------------------------------------------------------------------------- */

void tw__segment_weigh(tw_spool *sp, tw_segment *seg)
{
    int kept = seg->sealed && seg->loaded && seg->asides != 0;

    if (!kept && seg->aside_bytes == 0)
        return;
    pthread_mutex_lock(&sp->lock);
    sp->stats.aside_bytes -= seg->aside_bytes;
    seg->aside_bytes = kept && seg->asides == seg->waiting ? seg->bytes : 0;
    sp->stats.aside_bytes += seg->aside_bytes;
    pthread_mutex_unlock(&sp->lock);
}

/* The order is what makes it safe: acknowledgements durable, records gone durably, and only
 * then the acknowledgements. Records that came back without them would be sent again. */
void tw__segment_retire(tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    char name[TW_SPOOL_NAME];
    char other[TW_SPOOL_NAME];
    int rc;

    if (!seg->sealed || !seg->loaded || seg->waiting != 0) {
        tw__segment_weigh(sp, seg);
        return;
    }
    /* On a full disk the notes may not find room: removing the records is the way out. */
    (void)tw__notes_sync(sp, lane, seg);
    tw__spool_name(name, sp, lane->id, seg->first, TW_FILE_SEGMENT);
    if (seg->damaged) {
        tw__spool_name(other, sp, lane->id, seg->first, TW_FILE_BAD);
        rc = tw__spool_rename(sp, name, other);
        if (rc == 0) {
            pthread_mutex_lock(&sp->lock);
            sp->stats.quarantined++;
            pthread_mutex_unlock(&sp->lock);
        }
    } else {
        rc = tw__spool_unlink(sp, name);
    }
    if (rc == 0)
        rc = tw__spool_dir_sync(sp);
    if (rc == 0) {
        tw__spool_name(other, sp, lane->id, seg->first, TW_FILE_NOTES);
        (void)tw__spool_unlink(sp, other);
    }
    segment_remove(sp, lane, seg);
}
