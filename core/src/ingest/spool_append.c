/* SPDX-License-Identifier: MIT */
/* Appending: many threads stage, one of them writes and syncs for all. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include <tidewheel/common.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/process.h"
#include "ingest/spool_internal.h"

enum {
    HOPE_AGAIN_MOST = 64,    /* see gather_more */
    GATHER_NS_MOST = 1000000 /* threads that come at all come sooner */
};

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- those who wait -------------------------------------------------------------------- */

void tw__bells_init(tw_spool *sp)
{
    pthread_condattr_t monotonic;
    int i;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    for (i = 0; i < 2; i++) {
        pthread_mutex_init(&sp->bells[i].lock, NULL);
        pthread_cond_init(&sp->bells[i].done, NULL);
        pthread_cond_init(&sp->bells[i].first, &monotonic);
    }
    pthread_condattr_destroy(&monotonic);
}

void tw__bells_clear(tw_spool *sp)
{
    int i;

    for (i = 0; i < 2; i++) {
        pthread_cond_destroy(&sp->bells[i].first);
        pthread_cond_destroy(&sp->bells[i].done);
        pthread_mutex_destroy(&sp->bells[i].lock);
    }
}

/* @locks needs lock */
static void waiter_add(tw_spool *sp, tw_waiter *self)
{
    self->bell = &sp->bells[sp->round & 1];
    self->first = sp->waiters == NULL;
    *sp->waiters_end = &self->group;
    sp->waiters_end = &self->group.next;
    sp->waiting++;
}

/* Sleeps until it is done, which is returned, or called, or until that time (monotonic, ns;
 * 0: for ever). */
static int waiter_sleep(tw_waiter *self, int64_t until)
{
    struct timespec at = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
    pthread_cond_t *cond = self->first ? &self->bell->first : &self->bell->done;
    int done;
    int rc = 0;

    pthread_mutex_lock(&self->bell->lock);
    while (!self->done && !self->called && rc == 0)
        rc = until == 0 ? pthread_cond_wait(cond, &self->bell->lock)
                        : pthread_cond_timedwait(cond, &self->bell->lock, &at);
    self->called = 0;
    done = self->done;
    pthread_mutex_unlock(&self->bell->lock);
    return done;
}

/* All of one round. @locks not lock */
static void waiters_tell(tw_spool_group *list, int why)
{
    tw_bell *bell = list != NULL ? ((tw_waiter *)list)->bell : NULL;

    if (bell == NULL)
        return;
    pthread_mutex_lock(&bell->lock);
    for (; list != NULL; list = list->next) {
        tw_waiter *waiter = (tw_waiter *)list; /* its first member */

        waiter->why = why;
        waiter->done = 1;
    }
    pthread_mutex_unlock(&bell->lock); /* from here on they may be gone */
    pthread_cond_broadcast(&bell->done);
    pthread_cond_broadcast(&bell->first);
}

/* @locks needs lock */
static tw_spool_group *waiters_take(tw_spool *sp)
{
    tw_spool_group *list = sp->waiters;
    tw_spool_group *at;

    for (at = list; at != NULL; at = at->next)
        ((tw_waiter *)at)->taken = 1;
    sp->waiters = NULL;
    sp->waiters_end = &sp->waiters;
    sp->waiting = 0;
    sp->round++;
    return list;
}

/* ---- the token. @locks needs lock ------------------------------------------------------ */

/* One of those who came meanwhile, and only one, is to lead next. */
static void token_give_back(tw_spool *sp)
{
    tw_waiter *next = (tw_waiter *)sp->waiters;

    sp->busy = 0;
    if (sp->idlers != 0)
        pthread_cond_broadcast(&sp->idle);
    if (next == NULL)
        return;
    pthread_mutex_lock(&next->bell->lock);
    next->called = 1;
    pthread_mutex_unlock(&next->bell->lock);
    pthread_cond_broadcast(&next->bell->first);
}

static void token_await(tw_spool *sp)
{
    sp->idlers++;
    pthread_cond_wait(&sp->idle, &sp->lock);
    sp->idlers--;
}

/* ---- gathering. @locks needs lock ------------------------------------------------------ */

/* A sync costs as much for one as for all. Those whom this one was for are about to wake up and to
 * bring their next records: with those who wait already they are worth waiting for, as long as a
 * sync takes at most. A thread that was alone is not kept waiting. */
static void gather_plan(tw_spool *sp, unsigned synced, size_t bytes, int64_t took)
{
    unsigned hoped = sp->waiting + synced;

    sp->sync_ns += (took - sp->sync_ns) / 8;
    sp->sync_bytes += ((int64_t)bytes - sp->sync_bytes) / 8;
    sp->gather_until =
        now_ns() + (sp->sync_ns < GATHER_NS_MOST ? sp->sync_ns : GATHER_NS_MOST);
    sp->hoped = hoped < sp->hoped_most ? hoped : sp->hoped_most;
}

/* One more may be hoped for than before: was that wrong, it takes twice as many good rounds until
 * the next try, and was it right, one. */
static void hope_judge(tw_spool *sp, int right)
{
    if (sp->hoped_more && right)
        sp->hope_again = 1;
    else if (sp->hoped_more && sp->hope_again < HOPE_AGAIN_MOST)
        sp->hope_again *= 2;
    sp->hoped_more = 0;
}

/* How long the one who would lead now should wait instead; 0 when no longer. What did not come in
 * time is not hoped for again, until for a while all that was hoped for came. */
static int64_t gather_more(tw_spool *sp)
{
    if (sp->waiting < sp->hoped) {
        if (now_ns() < sp->gather_until)
            return sp->gather_until;
        hope_judge(sp, 0);
        sp->hoped_most = sp->waiting;
        sp->hoped_well = 0;
    } else if (sp->hoped == sp->hoped_most) {
        hope_judge(sp, 1);
        if (++sp->hoped_well < sp->hope_again)
            return 0;
        sp->hoped_most++;
        sp->hoped_more = 1;
        sp->hoped_well = 0;
    }
    return 0;
}

/* ---- writing --------------------------------------------------------------------------- */

/* Puts the segment back to what was accepted. A file that failed a sync, or would not be cut,
 * is not used any further. */
static void take_back(tw_spool *sp, tw_segment *seg, int distrust)
{
    if (!distrust)
        distrust = tw__spool_truncate(sp, seg->fd, seg->bytes) < 0;
    /* A cut that the power takes back would make refused records accepted ones. */
    if (!distrust && sp->durable)
        distrust = tw__spool_data_sync(sp, seg->fd) < 0;
    if (distrust) {
        tw__segment_distrust(sp, seg);
        return;
    }
    pthread_mutex_lock(&sp->lock);
    sp->current = seg;
    sp->planned = seg->bytes;
    pthread_mutex_unlock(&sp->lock);
}

/* Nobody has the records: numbers have no holes, so that what was staged behind them fails with
 * them. Lets go of the lock meanwhile. @locks needs lock and busy */
static void lead_failed(tw_spool *sp, tw_spool_group *waiters, tw_segment *seg,
                        uint64_t first, int distrust, int why)
{
    tw_spool_group *behind = waiters_take(sp);

    tw__buf_reset(&sp->staged);
    sp->next_seq = sp->staged_first = first;
    (void)tw__segment_detach(sp); /* nothing is staged until it is clear where */
    pthread_mutex_unlock(&sp->lock);
    take_back(sp, seg, distrust); /* before anybody is told: a process may die at once */
    waiters_tell(waiters, why);
    waiters_tell(behind, why);
    pthread_mutex_lock(&sp->lock);
}

/* @locks needs lock and busy */
static void lead_done(tw_spool *sp, tw_spool_group *waiters, tw_segment *seg,
                      uint64_t count)
{
    seg->bytes += sp->writing.size;
    seg->waiting += count;
    seg->data_unsynced = !sp->durable;
    sp->stats.bytes += sp->writing.size;
    sp->stats.waiting += count;
    if (sp->stored != NULL)
        sp->stored(sp->stored_ctx, waiters);
}

/* Writes all that is staged and tells those who wait for it. Lets go of the lock meanwhile.
 * @locks needs lock; takes the token */
static void lead(tw_spool *sp)
{
    unsigned group = sp->waiting;
    tw_spool_group *waiters = waiters_take(sp);
    tw_segment *seg = sp->target;
    uint64_t first = sp->staged_first;
    uint64_t past = sp->next_seq;
    tw_buf swap = sp->writing;
    int64_t took = 0;
    int distrust = 0;
    int rc;

    sp->busy = 1;
    sp->writing = sp->staged;
    sp->staged = swap;
    tw__buf_reset(&sp->staged);
    sp->staged_first = past;
    pthread_mutex_unlock(&sp->lock);
    rc = tw__spool_write_all(sp, seg->fd, sp->writing.data, sp->writing.size, seg->bytes);
    if (rc == 0 && sp->durable) {
        took = -now_ns();
        rc = tw__spool_file_sync(sp, sp->own, seg, TW_FILE_SEGMENT);
        distrust = rc < 0;
        took += now_ns();
    }
    pthread_mutex_lock(&sp->lock);
    if (rc == 0)
        lead_done(sp, waiters, seg, past - first);
    else
        lead_failed(sp, waiters, seg, first, distrust, rc);
    if (sp->durable && rc == 0)
        gather_plan(sp, group, sp->writing.size, took);
    tw__buf_reset(&sp->writing);
    token_give_back(sp);
    if (rc == 0) {
        pthread_mutex_unlock(&sp->lock);
        waiters_tell(waiters, 0);
        pthread_mutex_lock(&sp->lock);
    }
}

/* The current segment is full, or there is none. @locks needs lock; takes the token */
static int turn_over(tw_spool *sp)
{
    tw_segment *seg = tw__segment_detach(sp);
    int rc;

    sp->busy = 1;
    pthread_mutex_unlock(&sp->lock);
    rc = tw__segment_turn(sp, seg);
    pthread_mutex_lock(&sp->lock);
    token_give_back(sp);
    return rc;
}

/* ---- staging --------------------------------------------------------------------------- */

/* @locks needs lock */
static int over_limit(const tw_spool *sp, uint64_t size)
{
    return sp->stats.bytes + sp->writing.size + sp->staged.size + size > sp->max_bytes;
}

int tw__spool_has_room(tw_spool *sp, size_t bytes)
{
    int over;

    pthread_mutex_lock(&sp->lock);
    over = over_limit(sp, (uint64_t)bytes + TW_SPOOL_FRAME);
    pthread_mutex_unlock(&sp->lock);
    return !over;
}

int tw__spool_fits(const tw_spool *sp, size_t bytes)
{
    return (uint64_t)bytes + TW_SPOOL_FRAME + TW_SPOOL_HEADER <= sp->segment_bytes;
}

/* The next segment would make syncs cheaper. @locks needs lock */
static int better_ready(const tw_spool *sp)
{
    return !sp->current->written && sp->spare == TW_SPARE_READY && sp->spare_written &&
           tw__segment_small_syncs(sp);
}

/* Waits until `size` bytes fit behind what is staged. 0, TW_AGAIN where the limit leaves no room
 * for them, or a negated errno. @locks needs lock */
static int make_room(tw_spool *sp, uint64_t size)
{
    int rc = 0;

    for (;;) {
        if (over_limit(sp, size))
            return TW_AGAIN;
        if (sp->current != NULL && sp->planned + size <= sp->segment_bytes &&
            !better_ready(sp))
            return 0;
        if (sp->busy)
            token_await(sp);
        else if (sp->staged.size != 0)
            lead(sp);
        else
            rc = turn_over(sp);
        if (rc < 0)
            return rc;
    }
}

/* @locks needs lock */
static int stage(tw_spool *sp, const tw_spool_text *texts, size_t count, uint64_t size)
{
    int64_t now = tw__wall_ms();
    size_t i;

    if (tw__buf_reserve(&sp->staged, (size_t)size) != TW_OK)
        return -ENOMEM;
    if (sp->staged.size == 0)
        sp->staged_first = sp->next_seq;
    sp->target = sp->current;
    for (i = 0; i < count; i++)
        (void)tw__frame_put(&sp->staged, sp->own->crc, TW_FRAME_RECORD, sp->next_seq++,
                            now, &texts[i]);
    sp->planned += size;
    return 0;
}

/* Until the records are safe, or refused. Lets go of the lock for good. @locks needs lock */
static void await(tw_spool *sp, tw_waiter *self)
{
    int done = 0;

    while (!self->taken) {
        int64_t until = 0;

        if (!sp->busy && (self->first || sp->waiting >= sp->hoped)) {
            until = gather_more(sp);
            if (until == 0) {
                lead(sp);
                continue;
            }
        }
        pthread_mutex_unlock(&sp->lock);
        done = waiter_sleep(self, until);
        if (done)
            return;
        pthread_mutex_lock(&sp->lock);
    }
    pthread_mutex_unlock(&sp->lock);
    while (!done)
        done = waiter_sleep(self, 0);
}

int tw__spool_append(uint64_t *first_id, tw_spool *sp, const tw_spool_text *texts,
                     size_t count, tw_error **err)
{
    uint64_t most = sp->segment_bytes - TW_SPOOL_HEADER;
    uint64_t size = 0;
    tw_waiter self;
    size_t i;
    int rc;

    *first_id = 0;
    if (sp->pid != tw__pid())
        return tw__error(err, TW_E_FORKED, "the spool belonged to the parent process");
    for (i = 0; i < count && size <= most; i++) {
        if (texts[i].head_size > most || texts[i].tail_size > most)
            size = most;
        size += TW_SPOOL_FRAME + texts[i].head_size + texts[i].tail_size;
    }
    if (size > most)
        return tw__error(err, TW_E_TOO_LARGE, "the records were larger than a segment");
    if (count == 0)
        return TW_OK;
    memset(&self, 0, sizeof self);
    self.group.texts = texts;
    self.group.count = count;
    pthread_mutex_lock(&sp->lock);
    rc = make_room(sp, size);
    if (rc == 0) {
        self.group.first_id = sp->next_seq;
        rc = stage(sp, texts, count, size);
    }
    if (rc == 0) {
        waiter_add(sp, &self);
        await(sp, &self);
        rc = self.why;
    } else {
        pthread_mutex_unlock(&sp->lock);
    }
    if (rc == 0) {
        *first_id = self.group.first_id;
        return TW_OK;
    }
    if (rc == TW_AGAIN)
        return TW_AGAIN;
    return tw__spool_fail(err, sp, rc, "the record was not stored");
}

/* ---- making all durable ---------------------------------------------------------------- */

/* Takes the token and gives the failed file up, unless it has been sealed meanwhile: then the
 * next sync rewrites it. */
static void current_give_up(tw_spool *sp)
{
    pthread_mutex_lock(&sp->lock);
    while (sp->busy || sp->staged.size != 0) {
        if (sp->busy)
            token_await(sp);
        else
            lead(sp);
    }
    if (sp->current != NULL && sp->current->suspect) {
        tw_segment *seg = tw__segment_detach(sp);

        sp->busy = 1;
        pthread_mutex_unlock(&sp->lock);
        tw__segment_distrust(sp, seg);
        pthread_mutex_lock(&sp->lock);
        token_give_back(sp);
    }
    pthread_mutex_unlock(&sp->lock);
}

/* Where files were begun. */
static int folder_sync(tw_spool *sp)
{
    int due;
    int rc;

    pthread_mutex_lock(&sp->lock);
    due = sp->dir_unsynced;
    sp->dir_unsynced = 0;
    pthread_mutex_unlock(&sp->lock);
    rc = due ? tw__spool_dir_sync(sp) : 0;
    pthread_mutex_lock(&sp->lock);
    sp->dir_unsynced |= rc < 0;
    pthread_mutex_unlock(&sp->lock);
    return rc;
}

int tw__spool_sync(tw_spool *sp, tw_error **err)
{
    int failed = 0;
    int worst;
    size_t l;
    size_t i;
    int rc;

    if (sp->pid != tw__pid())
        return tw__error(err, TW_E_FORKED, "the spool belonged to the parent process");
    tw__files_lock(sp);
    tw__lanes_keep(sp);
    worst = tw__segments_sync(sp, &failed);
    for (l = 0; l < sp->lane_count; l++) {
        for (i = 0; i < sp->lanes[l]->count; i++) {
            rc = tw__notes_sync(sp, sp->lanes[l], sp->lanes[l]->segments[i]);
            worst = rc < 0 ? rc : worst;
        }
    }
    rc = folder_sync(sp);
    worst = rc < 0 ? rc : worst;
    tw__files_unlock(sp);
    if (failed)
        current_give_up(sp);
    return worst == 0 ? TW_OK : tw__spool_fail(err, sp, worst, "a sync failed");
}
