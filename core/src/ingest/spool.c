/* SPDX-License-Identifier: MIT */
/* The spool's face: opening, notes about records, reading, closing. */
#define _GNU_SOURCE
#include "ingest/spool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tidewheel/common.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "ingest/spool_internal.h"

enum { NOTES_AT_ONCE = 64, SEGMENT_LEAST = 512 };

/* ---- opening --------------------------------------------------------------------------- */

int tw__spool_folder_open(tw_spool *sp, tw_error **err)
{
    tw_spool_stat st;
    int rc;

    memset(&st, 0, sizeof st);
    do {
        rc = sp->sys.dir_open(sp->sys.ctx, sp->path);
    } while (rc == -EINTR);
    if (rc == -ELOOP || rc == -ENOTDIR)
        return tw__error_at(err, TW_E_CONFIG, "spool",
                            "spool was a symbolic link or no folder");
    if (rc >= 0) {
        sp->dir = rc;
        rc = sp->sys.stat(sp->sys.ctx, sp->dir, &st);
    }
    if (rc < 0) {
        char text[96];

        return tw__error_at(err, TW_E_CONFIG, "spool", "spool could not be opened: %s",
                            strerror_r(-rc, text, sizeof text));
    }
    if (st.owner != (unsigned)geteuid())
        return tw__error_at(err, TW_E_CONFIG, "spool", "spool belonged to another user");
    if ((st.mode & (S_IWGRP | S_IWOTH)) != 0)
        return tw__error_at(err, TW_E_CONFIG, "spool",
                            "spool was writable for others: mode 0700 is needed");
    return TW_OK;
}

static int settings_take(tw_spool *sp, const tw_spool_settings *settings, tw_error **err)
{
    uint64_t project = 0;
    int i;

    sp->sys = settings->sys != NULL ? *settings->sys : tw__spool_system;
    sp->durable = settings->durable;
    sp->stored = settings->stored;
    sp->stored_ctx = settings->ctx;
    sp->max_bytes = settings->max_bytes;
    sp->segment_bytes =
        settings->segment_bytes != 0 ? settings->segment_bytes : TW_SPOOL_SEGMENT_BYTES;
    if (sp->segment_bytes < SEGMENT_LEAST || sp->segment_bytes > TW_SPOOL_SEGMENT_BYTES)
        return tw__error(err, TW_E_INVALID, "segment_bytes was out of range");
    memcpy(sp->project, settings->project, sizeof sp->project);
    for (i = 0; i < 8; i++)
        project = project << 8 | sp->project[i];
    snprintf(sp->prefix, sizeof sp->prefix, "tw1-%016" PRIx64 "-", project);
    sp->path = tw__strdup(settings->path);
    return sp->path != NULL ? TW_OK : tw__error_nomem(err);
}

int tw__spool_open(tw_spool **out, const tw_spool_settings *settings, tw_error **err)
{
    tw_spool *sp = tw__alloc_zero(1, sizeof *sp);
    int rc;

    *out = NULL;
    if (sp == NULL)
        return tw__error_nomem(err);
    sp->dir = -1;
    sp->spare_fd = -1;
    sp->pid = tw__pid();
    sp->next_seq = 1;
    sp->reading = 1;
    sp->waiters_end = &sp->waiters;
    sp->turned_end = &sp->turned;
    sp->hope_again = 1;
    pthread_mutex_init(&sp->lock, NULL);
    pthread_mutex_init(&sp->files, NULL);
    pthread_cond_init(&sp->idle, NULL);
    tw__bells_init(sp);
    tw__buf_init(&sp->staged, TW_SPOOL_SEGMENT_BYTES);
    tw__buf_init(&sp->writing, TW_SPOOL_SEGMENT_BYTES);
    rc = settings_take(sp, settings, err);
    if (rc == TW_OK)
        rc = tw__spool_folder_open(sp, err);
    if (rc == TW_OK)
        rc = tw__lane_start(sp, err);
    if (rc == TW_OK)
        rc = tw__lanes_adopt(sp, err);
    if (rc != TW_OK) {
        tw__spool_free(sp);
        return rc;
    }
    *out = sp;
    return TW_OK;
}

/* ---- closing --------------------------------------------------------------------------- */

void tw__spool_free(tw_spool *sp)
{
    size_t i;

    /* In a forked child the descriptors were closed at the fork, and their numbers may be other
     * files by now; a thread of the parent may have left the rest half changed. */
    if (sp == NULL || sp->pid != tw__pid())
        return;
    if (sp->own != NULL && sp->own->lock_fd >= 0) {
        (void)tw__spool_sync(sp, NULL);
        tw__files_lock(sp);
        if (sp->current != NULL)
            tw__segment_seal(sp, tw__segment_detach(sp), sp->next_seq);
        tw__segment_spare_drop(sp);
        for (i = 0; i < sp->lane_count; i++)
            tw__lane_finish(sp, sp->lanes[i]);
        tw__files_unlock(sp);
    }
    tw__reader_drop(sp);
    tw__spool_close(sp, &sp->spare_fd);
    tw__free(sp->own_page);
    tw__free(sp->park_page);
    for (i = 0; i < sp->lane_count; i++)
        tw__lane_free(sp, sp->lanes[i]);
    tw__free(sp->lanes);
    tw__spool_close(sp, &sp->dir);
    tw__buf_clear(&sp->staged);
    tw__buf_clear(&sp->writing);
    pthread_mutex_destroy(&sp->lock);
    pthread_mutex_destroy(&sp->files);
    pthread_cond_destroy(&sp->idle);
    tw__bells_clear(sp);
    tw__free(sp->path);
    tw__free(sp);
}

/* ---- notes ----------------------------------------------------------------------------- */

/* Notes about one segment on their way to its file. */
typedef struct note_run {
    tw_spool *sp;
    tw_lane *lane;
    tw_segment *seg;
    tw_note notes[NOTES_AT_ONCE];
    size_t count;
    int why; /* the first failure */
} note_run;

static void run_flush(note_run *run)
{
    int rc = 0;

    if (run->count != 0)
        rc = tw__notes_write(run->sp, run->lane, run->seg, run->notes, run->count);
    run->count = 0;
    if (rc != 0 && run->why == 0)
        run->why = rc;
}

static void run_leave(note_run *run, tw_note_kind kind)
{
    int rc = 0;

    run_flush(run);
    if (run->seg == NULL)
        return;
    /* Whether a record may be sent again after the power was cut depends on these. */
    if (kind == TW_NOTE_SENT && run->sp->durable)
        rc = tw__notes_sync(run->sp, run->lane, run->seg);
    if (rc != 0 && run->why == 0)
        run->why = rc;
    tw__segment_retire(run->sp, run->lane, run->seg);
    if (run->lane != run->sp->own)
        tw__lane_finish(run->sp, run->lane);
    run->seg = NULL;
}

/* The segment of a record that exists; NULL also where it was removed long ago. */
static tw_segment *segment_of(tw_spool *sp, tw_lane *lane, uint64_t seq)
{
    tw_segment *seg = tw__segment_find(lane, seq);
    uint64_t past;

    if (seg == NULL || !seg->loaded)
        return NULL;
    pthread_mutex_lock(&sp->lock);
    past = lane == sp->own ? sp->next_seq : seg->end;
    pthread_mutex_unlock(&sp->lock);
    return seq < past ? seg : NULL;
}

static void run_note(note_run *run, const tw_note *note)
{
    tw_note *last = run->count != 0 ? &run->notes[run->count - 1] : NULL;
    int aside = run->seg->asides != 0 && tw__notes_is_aside(run->seg, note->first);
    int rc;

    rc = tw__notes_apply(run->seg, note);
    if (rc < 0) {
        run->why = rc;
        return;
    }
    run->seg->asides += note->kind == TW_NOTE_ASIDE;
    if (note->kind == TW_NOTE_ACK) {
        run->seg->asides -= (uint64_t)aside;
        pthread_mutex_lock(&run->sp->lock);
        run->seg->waiting--;
        run->sp->stats.waiting--;
        pthread_mutex_unlock(&run->sp->lock);
    }
    if (last != NULL && last->first + last->count == note->first) {
        last->count++;
        return;
    }
    if (run->count == NOTES_AT_ONCE)
        run_flush(run);
    run->notes[run->count++] = *note;
}

static int note_is_news(const tw_segment *seg, tw_note_kind kind, uint64_t seq)
{
    switch (kind) {
    case TW_NOTE_SENT:
        return tw__notes_sent_ms(seg, seq) < 0;
    case TW_NOTE_UNSENT:
        return tw__notes_sent_ms(seg, seq) >= 0;
    case TW_NOTE_ASIDE:
        return !tw__notes_is_aside(seg, seq) && !tw__notes_is_acked(seg, seq);
    default:
        return !tw__notes_is_acked(seg, seq);
    }
}

static void run_add(note_run *run, uint64_t id, tw_note_kind kind, int64_t time)
{
    uint64_t slot = id >> TW_SPOOL_SEQ_BITS;
    uint64_t seq = id & TW_SPOOL_SEQ_MASK;
    tw_note note = {kind, seq, 1, time};
    tw_segment *seg;
    tw_lane *lane;

    if (slot >= run->sp->lane_count)
        return;
    lane = run->sp->lanes[slot];
    seg = segment_of(run->sp, lane, seq);
    if (seg == NULL)
        return;
    if (seg != run->seg) {
        run_leave(run, kind);
        run->lane = lane;
        run->seg = seg;
    }
    if (note_is_news(seg, kind, seq))
        run_note(run, &note);
}

static int note_ids(tw_spool *sp, const uint64_t *ids, size_t count, tw_note_kind kind,
                    int64_t time, tw_error **err)
{
    note_run run = {.sp = sp};
    size_t i;

    if (sp->pid != tw__pid())
        return tw__error(err, TW_E_FORKED, "the spool belonged to the parent process");
    tw__files_lock(sp);
    for (i = 0; i < count; i++)
        run_add(&run, ids[i], kind, time);
    run_leave(&run, kind);
    tw__files_unlock(sp);
    if (run.why == 0)
        return TW_OK;
    return tw__spool_fail(err, sp, run.why, "notes about records could not be written");
}

int tw__spool_mark_sent(tw_spool *sp, const uint64_t *ids, size_t count, int64_t wall_ms,
                        tw_error **err)
{
    return note_ids(sp, ids, count, TW_NOTE_SENT, wall_ms, err);
}

int tw__spool_unmark_sent(tw_spool *sp, const uint64_t *ids, size_t count, tw_error **err)
{
    return note_ids(sp, ids, count, TW_NOTE_UNSENT, 0, err);
}

int tw__spool_set_aside(tw_spool *sp, const uint64_t *ids, size_t count, tw_error **err)
{
    return note_ids(sp, ids, count, TW_NOTE_ASIDE, 0, err);
}

int tw__spool_ack(tw_spool *sp, const uint64_t *ids, size_t count, tw_error **err)
{
    return note_ids(sp, ids, count, TW_NOTE_ACK, 0, err);
}

/* Acknowledgements do not remove it: it takes records, some of them are set aside, or nobody could
 * read it. */
static int stays(const tw_lane *lane, const tw_segment *seg)
{
    return seg->asides != 0 || (seg->loaded ? !seg->sealed : seg->first < lane->cursor);
}

int tw__spool_could_have_room(tw_spool *sp, size_t bytes)
{
    uint64_t kept = (uint64_t)bytes + TW_SPOOL_FRAME;
    size_t l;
    size_t i;

    tw__files_lock(sp);
    pthread_mutex_lock(&sp->lock);
    for (l = 0; l < sp->lane_count; l++) {
        const tw_lane *lane = sp->lanes[l];

        for (i = 0; i < lane->count; i++)
            kept += stays(lane, lane->segments[i]) ? lane->segments[i]->bytes : 0;
    }
    pthread_mutex_unlock(&sp->lock);
    tw__files_unlock(sp);
    return kept <= sp->max_bytes;
}

/* ---- what was set aside ---------------------------------------------------------------- */

/* Takes the segment's back. 0, or a negated errno. @locks needs files */
static int segment_revive(uint64_t *count, tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    tw_note notes[2];
    int rc = 0;

    while (rc == 0 && seg->aside.count != 0) {
        notes[0] = notes[1] = seg->aside.items[0];
        notes[0].kind = TW_NOTE_REVIVED;
        notes[1].kind = TW_NOTE_UNSENT;
        notes[0].time = notes[1].time = 0;
        rc = tw__ranges_add(&seg->revived, &notes[0]);
        if (rc == 0)
            rc = tw__notes_apply(seg, &notes[1]);
        if (rc == 0)
            rc = tw__notes_apply(seg, &notes[0]);
        if (rc == 0) {
            *count += notes[0].count;
            seg->asides =
                0; /* where memory ends before all are back: none to be counted */
            (void)tw__notes_write(sp, lane, seg, notes, 2);
        }
    }
    tw__segment_weigh(sp, seg);
    sp->any_revived |= seg->revived.count != 0;
    return rc;
}

/* As segment_revive, in memory and without taking them back. */
static int segment_show(tw_spool *sp, tw_segment *seg)
{
    size_t i;
    int rc = 0;

    for (i = 0; i < seg->aside.count && rc == 0; i++)
        rc = tw__ranges_add(&seg->revived, &seg->aside.items[i]);
    sp->any_revived |= seg->revived.count != 0;
    return rc;
}

/* In all segments: taken back, and counted, or only shown where nothing is to count. */
static int asides_read(uint64_t *count, tw_spool *sp, tw_error **err)
{
    size_t l;
    size_t i;
    int rc = 0;

    if (sp->pid != tw__pid())
        return tw__error(err, TW_E_FORKED, "the spool belonged to the parent process");
    tw__files_lock(sp);
    for (l = 0; l < sp->lane_count && rc == 0; l++) {
        tw_lane *lane = sp->lanes[l];

        for (i = 0; i < lane->count && rc == 0; i++)
            rc = count != NULL ? segment_revive(count, sp, lane, lane->segments[i])
                               : segment_show(sp, lane->segments[i]);
    }
    tw__files_unlock(sp);
    return rc == 0 ? TW_OK : tw__error_nomem(err);
}

int tw__spool_show_aside(tw_spool *sp, tw_error **err)
{
    return asides_read(NULL, sp, err);
}

int tw__spool_revive(uint64_t *count, tw_spool *sp, tw_error **err)
{
    *count = 0;
    return asides_read(count, sp, err);
}

/* ---- reading --------------------------------------------------------------------------- */

int tw__spool_next(tw_spool_item *out, tw_spool *sp, tw_error **err)
{
    int rc;

    memset(out, 0, sizeof *out);
    if (sp->pid != tw__pid())
        return tw__error(err, TW_E_FORKED, "the spool belonged to the parent process");
    tw__files_lock(sp);
    rc = tw__reader_next(out, sp);
    tw__files_unlock(sp);
    return rc >= 0 ? rc : tw__spool_fail(err, sp, rc, "records could not be read back");
}

int tw__spool_adopt(tw_spool *sp, tw_error **err)
{
    int rc;

    if (sp->pid != tw__pid())
        return tw__error(err, TW_E_FORKED, "the spool belonged to the parent process");
    tw__files_lock(sp);
    rc = tw__lanes_adopt(sp, err);
    tw__files_unlock(sp);
    return rc;
}

void tw__spool_stats(tw_spool *sp, tw_spool_stats *out)
{
    pthread_mutex_lock(&sp->lock);
    *out = sp->stats;
    pthread_mutex_unlock(&sp->lock);
}
