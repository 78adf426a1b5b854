/* SPDX-License-Identifier: MIT */
/* Appending: many threads stage, one of them writes and syncs for all. */
#include <errno.h>
#include <sched.h>

#include <tidewheel/common.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/process.h"
#include "ingest/spool_internal.h"

enum { GATHER_MOST = 16, GATHER_IDLE = 2 };

/* ---- the token. @locks needs lock ------------------------------------------------------ */

static void token_give_back(tw_spool *sp)
{
    sp->busy = 0;
    pthread_cond_broadcast(&sp->idle);
}

static void waiters_tell(tw_spool_group *list, int why)
{
    while (list != NULL) {
        tw_waiter *waiter = (tw_waiter *)list; /* its first member */

        list = list->next; /* the waiter is gone from its stack once it is done */
        waiter->why = why;
        waiter->done = 1;
    }
}

static tw_spool_group *waiters_take(tw_spool *sp)
{
    tw_spool_group *list = sp->waiters;

    sp->waiters = NULL;
    sp->waiters_end = &sp->waiters;
    sp->waiting = 0;
    return list;
}

/* A sync costs as much for one as for all. Those whom the last one was for are just waking up and
 * will bring their next records: for these it pays to step aside for a moment. @locks needs lock
 * and busy */
static void waiters_gather(tw_spool *sp)
{
    unsigned hoped = sp->waiting + sp->last_group;
    unsigned before;
    int idle = 0;
    int i;

    if (sp->last_group < 2)
        return;
    for (i = 0; i < GATHER_MOST && idle < GATHER_IDLE && sp->waiting < hoped; i++) {
        before = sp->waiting;
        pthread_mutex_unlock(&sp->lock);
        sched_yield();
        pthread_mutex_lock(&sp->lock);
        idle = sp->waiting == before ? idle + 1 : 0;
    }
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

/* Writes all that is staged and tells those who wait for it. Lets go of the lock meanwhile.
 * @locks needs lock; takes the token */
static void lead(tw_spool *sp)
{
    tw_spool_group *waiters;
    tw_segment *seg;
    uint64_t first;
    uint64_t past;
    tw_buf swap;
    int distrust = 0;
    int rc;

    sp->busy = 1;
    if (sp->durable)
        waiters_gather(sp);
    sp->last_group = sp->waiting;
    waiters = waiters_take(sp);
    first = sp->staged_first;
    past = sp->next_seq;
    seg = sp->target;
    swap = sp->writing;
    sp->writing = sp->staged;
    sp->staged = swap;
    tw__buf_reset(&sp->staged);
    sp->staged_first = past;
    pthread_mutex_unlock(&sp->lock);
    rc = tw__spool_write_all(sp, seg->fd, sp->writing.data, sp->writing.size, seg->bytes);
    if (rc == 0 && sp->durable) {
        rc = tw__spool_data_sync(sp, seg->fd);
        distrust = rc < 0;
    }
    pthread_mutex_lock(&sp->lock);
    if (rc == 0) {
        seg->bytes += sp->writing.size;
        seg->waiting += past - first;
        seg->data_unsynced = !sp->durable;
        sp->stats.bytes += sp->writing.size;
        sp->stats.waiting += past - first;
        if (sp->stored != NULL)
            sp->stored(sp->stored_ctx, waiters);
        waiters_tell(waiters, 0);
    } else {
        /* Numbers have no holes: what was staged behind these fails with them. */
        waiters_tell(waiters, rc);
        waiters_tell(waiters_take(sp), rc);
        tw__buf_reset(&sp->staged);
        sp->next_seq = sp->staged_first = first;
        (void)tw__segment_detach(sp); /* nothing is staged until it is clear where */
        pthread_mutex_unlock(&sp->lock);
        take_back(sp, seg, distrust);
        pthread_mutex_lock(&sp->lock);
    }
    tw__buf_reset(&sp->writing);
    token_give_back(sp);
}

/* The current segment is full, or there is none. @locks needs lock; takes the token */
static int turn_over(tw_spool *sp)
{
    tw_segment *seg = tw__segment_detach(sp);
    int rc;

    sp->busy = 1;
    pthread_mutex_unlock(&sp->lock);
    if (seg != NULL) {
        pthread_mutex_lock(&sp->files);
        tw__segment_seal(sp, seg);
        pthread_mutex_unlock(&sp->files);
    }
    rc = tw__segment_create(sp);
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

/* Waits until `size` bytes fit behind what is staged. 0, or a negated errno.
 * @locks needs lock */
static int make_room(tw_spool *sp, uint64_t size)
{
    int rc = 0;

    for (;;) {
        if (over_limit(sp, size))
            return -EDQUOT;
        if (sp->current != NULL && sp->planned + size <= sp->segment_bytes)
            return 0;
        if (sp->busy)
            pthread_cond_wait(&sp->idle, &sp->lock);
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

int tw__spool_append(uint64_t *first_id, tw_spool *sp, const tw_spool_text *texts,
                     size_t count, tw_error **err)
{
    uint64_t most = sp->segment_bytes - TW_SPOOL_HEADER;
    tw_waiter self = {{NULL, 0, texts, count}, 0, 0};
    uint64_t size = 0;
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
    pthread_mutex_lock(&sp->lock);
    rc = make_room(sp, size);
    if (rc == 0) {
        *first_id = self.group.first_id = sp->next_seq;
        rc = stage(sp, texts, count, size);
    }
    if (rc == 0) {
        *sp->waiters_end = &self.group;
        sp->waiters_end = &self.group.next;
        sp->waiting++;
        while (!self.done) {
            if (sp->busy)
                pthread_cond_wait(&sp->idle, &sp->lock);
            else
                lead(sp);
        }
        rc = self.why;
    }
    pthread_mutex_unlock(&sp->lock);
    if (rc == 0)
        return TW_OK;
    *first_id = 0;
    if (rc == -EDQUOT && self.done == 0)
        return tw__error(err, TW_E_QUEUE_FULL,
                         "spool %s: it was at its limit of %llu bytes", sp->path,
                         (unsigned long long)sp->max_bytes);
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
            pthread_cond_wait(&sp->idle, &sp->lock);
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

int tw__spool_sync(tw_spool *sp, tw_error **err)
{
    int failed = 0;
    int worst;
    size_t l;
    size_t i;
    int rc;

    if (sp->pid != tw__pid())
        return tw__error(err, TW_E_FORKED, "the spool belonged to the parent process");
    pthread_mutex_lock(&sp->files);
    worst = tw__segments_sync(sp, &failed);
    for (l = 0; l < sp->lane_count; l++) {
        for (i = 0; i < sp->lanes[l]->count; i++) {
            rc = tw__notes_sync(sp, sp->lanes[l], sp->lanes[l]->segments[i]);
            worst = rc < 0 ? rc : worst;
        }
    }
    if (sp->dir_unsynced) {
        rc = tw__spool_dir_sync(sp);
        sp->dir_unsynced = rc != 0;
        worst = rc < 0 ? rc : worst;
    }
    pthread_mutex_unlock(&sp->files);
    if (failed)
        current_give_up(sp);
    return worst == 0 ? TW_OK : tw__spool_fail(err, sp, worst, "a sync failed");
}
