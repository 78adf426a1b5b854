/* SPDX-License-Identifier: MIT */
/* Flush jobs: done when every event accepted before them has a final state. */
#include "base/alloc.h"
#include "base/error.h"
#include "ingest/ingest_internal.h"
#include "net/job.h"

/* Nonzero when it was linked: the link's reference is the caller's then. @locks needs lock */
static int flush_unlink(tw_flush *flush)
{
    tw_flush **at = &flush->ing->flushes;

    while (*at != NULL && *at != flush)
        at = &(*at)->next;
    if (*at == NULL)
        return 0;
    *at = flush->next;
    flush->next = NULL;
    return 1;
}

/* Whoever takes the flush off the list gives the reference back; the I/O thread may be about to
 * finish it meanwhile. */
static void flush_leave(tw_flush *flush)
{
    tw_ingest *ing = flush->ing;
    int linked;

    pthread_mutex_lock(&ing->lock);
    linked = flush_unlink(flush);
    pthread_mutex_unlock(&ing->lock);
    if (linked)
        tw__job_release(flush->job);
}

static void flush_start(tw_job *job, void *state)
{
    tw_flush *flush = state;

    (void)job;
    tw__sender_probe(flush->ing);
}

static void flush_cancel(tw_job *job, void *state, int code)
{
    tw_error *err = NULL;

    if (tw__job_finished(job))
        return;
    flush_leave(state);
    tw__error(&err, code,
              code == TW_E_CLOSED ? "the client was closed"
                                  : "the flush was canceled; its events are kept");
    tw__job_finish(job, NULL, err);
}

static const tw_job_kind flush_kind = {flush_start, flush_cancel, NULL, tw__free};

/* What the spool has found missing or set aside since the last time; numbers that were read before
 * those of the last time say nothing. @locks needs lock */
static void flush_found(tw_flush *flush, const tw_spool_stats *spool)
{
    uint64_t lost = spool->lost > flush->lost ? spool->lost - flush->lost : 0;
    uint64_t aside = spool->aside > flush->aside ? spool->aside - flush->aside : 0;

    flush->lost += lost;
    flush->aside += aside;
    flush->recovered += lost + aside;
    flush->finals[TW_FINAL_LOST] += lost;
    flush->finals[TW_FINAL_UNCERTAIN] += aside;
}

/* The sum as it is. @locks needs lock */
static void flush_count(tw_flush *flush, int all, const tw_spool_stats *spool)
{
    const tw_ingest *ing = flush->ing;
    int i;

    flush->all = all;
    flush->accepted = ing->accepted;
    flush->mark = all ? UINT64_MAX : ing->next_seq;
    flush->left = ing->waiting - (all ? 0 : ing->foreign);
    for (i = 0; i < TW_FINAL_COUNT; i++)
        flush->finals[i] = ing->finals[i] - (all ? 0 : ing->foreign_finals[i]);
    if (all) {
        flush->recovered = ing->recovered;
        flush->finals[TW_FINAL_UNCERTAIN] -= ing->revived;
        flush_found(flush, spool);
    }
}

static int flush_begin(tw_job **out, tw_ingest *ing, int all, tw_queue *queue,
                       tw_error **err)
{
    tw_flush *flush;
    tw_job *job;
    tw_spool_stats spool;
    int canceled;
    int rc;

    *out = NULL;
    tw__store_stats(ing, &spool);
    pthread_mutex_lock(&ing->lock);
    canceled = ing->canceled;
    pthread_mutex_unlock(&ing->lock);
    if (canceled)
        return tw__error(err, TW_E_CLOSED, "the client was closed");
    flush = tw__alloc_zero(1, sizeof *flush);
    if (flush == NULL)
        return tw__error_nomem(err);
    rc = tw__job_new(&job, ing->loop, queue, &flush_kind, flush, err);
    if (rc != TW_OK) {
        tw__free(flush);
        return rc;
    }
    flush->ing = ing;
    flush->job = job;
    tw__job_retain(job);
    pthread_mutex_lock(&ing->lock);
    flush_count(flush, all && ing->ended != NULL, &spool);
    flush->next = ing->flushes;
    ing->flushes = flush;
    pthread_mutex_unlock(&ing->lock);
    rc = tw__job_submit(job, err);
    if (rc != TW_OK) {
        flush_leave(flush);
        tw_job_unref(job);
        return rc;
    }
    *out = job;
    return TW_OK;
}

int tw__flush_stats(const tw_job *job, tw_stats *stats)
{
    tw_flush *flush = tw__job_state(job, &flush_kind);

    if (flush == NULL)
        return TW_E_INVALID;
    stats->accepted = flush->accepted;
    stats->recovered = flush->recovered;
    stats->stored = flush->finals[TW_FINAL_STORED];
    stats->rejected = flush->finals[TW_FINAL_REJECTED];
    stats->uncertain = flush->finals[TW_FINAL_UNCERTAIN];
    stats->expired = flush->finals[TW_FINAL_EXPIRED];
    stats->dropped = flush->finals[TW_FINAL_DROPPED];
    stats->lost = flush->finals[TW_FINAL_LOST];
    stats->merged = flush->finals[TW_FINAL_MERGED];
    stats->waiting = stats->accepted + stats->recovered - stats->stored -
                     stats->rejected - stats->uncertain - stats->expired -
                     stats->dropped - stats->lost - stats->merged;
    return TW_OK;
}

int tw__ingest_flush(tw_job **out, tw_ingest *ing, tw_queue *queue, tw_error **err)
{
    return flush_begin(out, ing, 0, queue, err);
}

int tw__ingest_drain(tw_job **out, tw_ingest *ing, tw_queue *queue, tw_error **err)
{
    return flush_begin(out, ing, 1, queue, err);
}

/* @locks needs lock */
static int flush_over(const tw_ingest *ing, const tw_flush *flush)
{
    return flush->left == 0 && (!flush->all || !ing->backlog_left);
}

/* Takes those off the list that wait for nothing, or all. */
static tw_flush *flush_collect(tw_ingest *ing, int all)
{
    tw_flush *done = NULL;
    tw_flush *flush;
    tw_flush *next;

    pthread_mutex_lock(&ing->lock);
    for (flush = ing->flushes; flush != NULL; flush = next) {
        next = flush->next;
        if (all || flush_over(ing, flush)) {
            flush_unlink(flush);
            flush->next = done;
            done = flush;
        }
    }
    pthread_mutex_unlock(&ing->lock);
    return done;
}

static void flush_finish(tw_flush *flush, const tw_error *err)
{
    while (flush != NULL) {
        tw_flush *next = flush->next;
        tw_job *job = flush->job;

        tw__job_finish(job, NULL, tw__error_copy(err));
        tw__job_release(job); /* may free `flush` */
        flush = next;
    }
}

/* At the end of a client whose events are safe nobody waits for what has to wait. */
static int flush_in_vain(tw_ingest *ing)
{
    int vain;

    pthread_mutex_lock(&ing->lock);
    vain = ing->ended != NULL && ing->stopped && ing->sent == NULL && !ing->canceled &&
           ing->flushes != NULL;
    pthread_mutex_unlock(&ing->lock);
    return vain;
}

/* A drain tells of what is found while it runs. */
static void flush_learn(tw_ingest *ing)
{
    tw_spool_stats spool;
    tw_flush *flush;

    if (ing->ended == NULL)
        return;
    tw__store_stats(ing, &spool);
    pthread_mutex_lock(&ing->lock);
    for (flush = ing->flushes; flush != NULL; flush = flush->next) {
        if (flush->all)
            flush_found(flush, &spool);
    }
    pthread_mutex_unlock(&ing->lock);
}

void tw__flush_settle(tw_ingest *ing)
{
    tw_error *err = NULL;

    flush_learn(ing);
    flush_finish(flush_collect(ing, 0), NULL);
    if (!flush_in_vain(ing))
        return;
    tw__error(&err, TW_E_NETWORK,
              "the events could not be sent now; they are kept in the spool");
    tw__flush_fail(ing, err);
    tw_error_free(err);
}

void tw__flush_fail(tw_ingest *ing, const tw_error *err)
{
    flush_learn(ing); /* their reports stand still from now on */
    flush_finish(flush_collect(ing, 1), err);
}

int tw__flush_wants(const tw_ingest *ing, uint64_t seq)
{
    const tw_flush *flush;

    for (flush = ing->flushes; flush != NULL; flush = flush->next) {
        if (seq < flush->mark)
            return 1;
    }
    return 0;
}
