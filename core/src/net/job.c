/* SPDX-License-Identifier: MIT */
/* Jobs: work of the I/O thread with an outcome that any thread can wait for. */
#include "net/job.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/process.h"
#include "net/job_internal.h"
#include "net/loop_internal.h"

/* ---- memory -------------------------------------------------------------------------- */

void tw__job_retain(tw_job *job)
{
    atomic_fetch_add(&job->refs, 1);
}

static void job_free(tw_job *job)
{
    tw_block *block = job->first;

    while (block != NULL) {
        tw_block *next = block->next;

        tw_block_free(block);
        block = next;
    }
    if (job->state != NULL && job->kind->release != NULL)
        job->kind->release(job->state);
    tw__reply_free(job->rsp);
    tw_error_free(job->err);
    tw__queue_unref(job->queue);
    tw__loop_unref(job->loop);
    pthread_mutex_destroy(&job->lock);
    tw__free(job);
}

void tw__job_release(tw_job *job)
{
    if (atomic_fetch_sub(&job->refs, 1) == 1)
        job_free(job);
}

static int job_forked(const tw_job *job)
{
    return job->pid != tw__pid();
}

/* ---- tasks on the I/O thread --------------------------------------------------------- */

static void list_add(tw_job *job)
{
    tw_job **head = &job->loop->jobs;

    job->list_next = *head;
    job->list_at = head;
    if (*head != NULL)
        (*head)->list_at = &job->list_next;
    *head = job;
}

static void list_remove(tw_job *job)
{
    if (job->list_at == NULL)
        return;
    *job->list_at = job->list_next;
    if (job->list_next != NULL)
        job->list_next->list_at = job->list_at;
    job->list_at = NULL;
}

static void job_run_start(tw_task *task)
{
    tw_job *job = TW_CONTAINER(task, tw_job, start_task);

    if (!tw__job_finished(job)) {
        list_add(job);
        job->kind->start(job, job->state);
    }
    tw__job_release(job);
}

static void job_stop(tw_job *job, int code)
{
    tw_error *err = NULL;

    if (tw__job_finished(job))
        return;
    job->kind->cancel(job, job->state, code);
    if (tw__job_finished(job))
        return;
    tw__error(&err, code, "the job was stopped");
    tw__job_finish(job, NULL, err);
}

static void job_run_cancel(tw_task *task)
{
    tw_job *job = TW_CONTAINER(task, tw_job, cancel_task);

    job_stop(job, TW_E_CANCELED);
    tw__job_release(job);
}

static void job_run_drained(tw_task *task)
{
    tw_job *job = TW_CONTAINER(task, tw_job, drain_task);

    pthread_mutex_lock(&job->lock);
    job->drain_posted = 0;
    pthread_mutex_unlock(&job->lock);
    if (!tw__job_finished(job))
        job->kind->drained(job, job->state);
    tw__job_release(job);
}

void tw__jobs_close(tw_loop *loop)
{
    while (loop->jobs != NULL) {
        tw_job *job = loop->jobs;

        tw__job_retain(job);
        job_stop(job, TW_E_CLOSED);
        tw__job_release(job);
    }
}

/* ---- making -------------------------------------------------------------------------- */

int tw__job_new(tw_job **out, tw_loop *loop, tw_queue *queue, const tw_job_kind *kind,
                void *state, tw_error **err)
{
    tw_job *job;

    *out = NULL;
    if (queue != NULL && tw__queue_forked(queue))
        return tw__error(err, TW_E_FORKED, "the queue was made in the parent process");
    job = tw__alloc_zero(1, sizeof *job);
    if (job == NULL)
        return tw__error_nomem(err);
    if (queue != NULL) {
        job->queue = tw__queue_ref(queue);
    } else {
        int rc = tw_queue_new(&job->queue, err);

        if (rc != TW_OK) {
            tw__free(job);
            return rc;
        }
        job->own_queue = 1;
        tw__queue_ref(
            job->queue); /* one for the consumers, who close it, one for the memory */
    }
    atomic_init(&job->refs, 2);
    job->pid = tw__pid();
    job->loop = tw__loop_ref(loop);
    job->kind = kind;
    job->state = state;
    job->handles = 1;
    job->phase = "waiting";
    job->start_task.run = job_run_start;
    job->cancel_task.run = job_run_cancel;
    job->drain_task.run = job_run_drained;
    pthread_mutex_init(&job->lock, NULL);
    *out = job;
    return TW_OK;
}

int tw__job_submit(tw_job *job, tw_error **err)
{
    tw_error *why = NULL;
    int rc;

    pthread_mutex_lock(&job->lock);
    job->submitted = 1;
    pthread_mutex_unlock(&job->lock);
    tw__job_retain(job);
    rc = tw__loop_post(job->loop, &job->start_task);
    if (rc == TW_OK)
        return TW_OK;
    /* Without a thread the task waits in the queue. Another caller's post may have started one
     * meanwhile; then all is well. */
    if (rc == TW_E_NETWORK && !tw__loop_withdraw(job->loop, &job->start_task))
        return TW_OK;
    if (rc == TW_E_CLOSED)
        tw__error(&why, rc, "the client was closed");
    else if (rc == TW_E_FORKED)
        tw__error(&why, rc, "the job was made in the parent process");
    else
        tw__error(&why, rc, "the I/O thread could not be started");
    if (err != NULL) {
        tw_error_free(*err);
        *err = tw__error_copy(why);
    }
    tw__job_finish(job, NULL, why);
    tw__job_release(job);
    return rc;
}

int tw__job_start(tw_job **out, tw_loop *loop, tw_queue *queue, const tw_job_kind *kind,
                  void *state, tw_error **err)
{
    int rc = tw__job_new(out, loop, queue, kind, state, err);

    if (*out == NULL) {
        kind->release(state);
        return rc;
    }
    rc = tw__job_submit(*out, err);
    if (rc != TW_OK) {
        tw_job_unref(*out);
        *out = NULL;
    }
    return rc;
}

void *tw__job_state(const tw_job *job, const tw_job_kind *kind)
{
    return job != NULL && job->kind == kind ? job->state : NULL;
}

/* ---- the I/O thread's side ------------------------------------------------------------ */

void tw__job_finish(tw_job *job, tw_reply *rsp, tw_error *err)
{
    pthread_mutex_lock(&job->lock);
    if (job->finished) {
        pthread_mutex_unlock(&job->lock);
        tw__reply_free(rsp);
        tw_error_free(err);
        return;
    }
    job->finished = 1;
    job->rsp = rsp;
    job->err = err;
    job->phase = "done";
    pthread_mutex_unlock(&job->lock);
    list_remove(job);
    tw__queue_notify(job->queue, job);
    tw__job_release(job);
}

int tw__job_finished(const tw_job *job)
{
    tw_job *j = (tw_job *)job;
    int finished;

    pthread_mutex_lock(&j->lock);
    finished = j->finished;
    pthread_mutex_unlock(&j->lock);
    return finished;
}

void tw__job_push(tw_job *job, tw_block *block)
{
    block->next = NULL;
    pthread_mutex_lock(&job->lock);
    if (job->last != NULL)
        job->last->next = block;
    else
        job->first = block;
    job->last = block;
    job->ready++;
    pthread_mutex_unlock(&job->lock);
    tw__queue_notify(job->queue, job);
}

size_t tw__job_ready_blocks(const tw_job *job)
{
    tw_job *j = (tw_job *)job;
    size_t ready;

    pthread_mutex_lock(&j->lock);
    ready = j->ready;
    pthread_mutex_unlock(&j->lock);
    return ready;
}

void tw__job_set_phase(tw_job *job, const char *phase)
{
    pthread_mutex_lock(&job->lock);
    job->phase = phase;
    pthread_mutex_unlock(&job->lock);
}

void tw__job_set_id(tw_job *job, const char *id)
{
    pthread_mutex_lock(&job->lock);
    snprintf(job->id, sizeof job->id, "%s", id);
    pthread_mutex_unlock(&job->lock);
}

void tw__job_count(tw_job *job, uint64_t requests, uint64_t bytes)
{
    pthread_mutex_lock(&job->lock);
    job->requests += requests;
    job->bytes += bytes;
    pthread_mutex_unlock(&job->lock);
}

/* ---- the consumer's side ------------------------------------------------------------- */

tw_job *tw_job_ref(tw_job *job)
{
    if (job_forked(job))
        return job;
    pthread_mutex_lock(&job->lock);
    job->handles++;
    pthread_mutex_unlock(&job->lock);
    return job;
}

/* @locks takes job->lock */
static void job_post_cancel(tw_job *job)
{
    int post;

    pthread_mutex_lock(&job->lock);
    post = job->submitted && !job->finished && !job->cancel_posted;
    if (post) {
        job->cancel_posted = 1;
        tw__job_retain(job);
    }
    pthread_mutex_unlock(&job->lock);
    /* A closed loop has cancelled the job itself, or is about to. */
    if (post && tw__loop_post(job->loop, &job->cancel_task) == TW_E_CLOSED)
        tw__job_release(job);
}

void tw_job_unref(tw_job *job)
{
    int last, orphan;

    /* In a forked child no lock can be trusted and the I/O thread's share never comes back: the
     * memory stays until the child ends. */
    if (job == NULL || job_forked(job))
        return;
    pthread_mutex_lock(&job->lock);
    last = --job->handles == 0;
    orphan = last && !job->submitted && !job->finished;
    pthread_mutex_unlock(&job->lock);
    if (!last)
        return;
    if (orphan)
        tw__job_finish(job, NULL, NULL);
    else
        job_post_cancel(job);
    if (job->own_queue)
        tw_queue_free(job->queue);
    tw__job_release(job);
}

void tw_job_cancel(tw_job *job)
{
    if (!job_forked(job))
        job_post_cancel(job);
}

int tw_job_done(const tw_job *job)
{
    tw_job *j = (tw_job *)job;
    int done;

    if (job_forked(job))
        return 1;
    pthread_mutex_lock(&j->lock);
    done = j->finished && j->first == NULL;
    pthread_mutex_unlock(&j->lock);
    return done;
}

int tw_job_fd(const tw_job *job)
{
    return tw_queue_fd(job->queue);
}

static int job_has_news(tw_job *job)
{
    int news;

    pthread_mutex_lock(&job->lock);
    news = job->finished || job->first != NULL;
    pthread_mutex_unlock(&job->lock);
    return news;
}

/* A queue of the job's own has nobody who takes entries off: the consumer looked at the job, and
 * `known` says that it learned of the end. What it has not seen keeps the descriptor readable;
 * the look comes last, so that news that come in between count. */
static void news_settle(tw_job *job, int known)
{
    int unseen;

    if (!job->own_queue)
        return;
    tw__queue_forget(job->queue, job);
    pthread_mutex_lock(&job->lock);
    unseen = job->first != NULL || (job->finished && !known);
    pthread_mutex_unlock(&job->lock);
    if (unseen)
        tw__queue_notify(job->queue, job);
}

int tw_job_wait(tw_job *job, int64_t timeout_ms)
{
    int64_t until =
        timeout_ms >= 0 ? tw__ms_add(tw__monotonic_ms(), timeout_ms) : INT64_MAX;
    int rc = TW_OK;

    if (job_forked(job))
        return TW_OK; /* the result says why */
    while (rc == TW_OK && !job_has_news(job)) {
        int64_t left = tw__ms_add(until, -tw__monotonic_ms());

        /* Quiet first, look second: news that come in between set the descriptor again. */
        tw__queue_quiet(job->queue);
        if (job_has_news(job))
            break;
        rc = tw__queue_poll(job->queue, timeout_ms < 0 ? -1 : left > 0 ? left : 0);
    }
    news_settle(job, rc == TW_OK);
    tw__queue_renew(job->queue);
    return rc;
}

int tw_job_result(const tw_reply **out, tw_job *job, tw_error **err)
{
    int rc = TW_AGAIN;

    *out = NULL;
    if (job_forked(job))
        return tw__error(err, TW_E_FORKED, "the job was started in the parent process");
    pthread_mutex_lock(&job->lock);
    if (job->finished && job->err != NULL) {
        rc = tw_error_code(job->err);
        if (err != NULL) {
            tw_error_free(*err);
            *err = tw__error_copy(job->err);
        }
    } else if (job->finished) {
        rc = TW_OK;
        *out = job->rsp;
    }
    pthread_mutex_unlock(&job->lock);
    return rc;
}

void tw_job_set_user(tw_job *job, void *user)
{
    job->user = user;
}

void *tw_job_user(const tw_job *job)
{
    return job->user;
}

void tw_job_get_progress(const tw_job *job, tw_job_progress *progress)
{
    tw_job *j = (tw_job *)job;
    tw_job_progress now = TW_JOB_PROGRESS_INIT;
    size_t size = progress->size < sizeof now ? progress->size : sizeof now;

    now.phase = "done";
    if (!job_forked(job)) {
        pthread_mutex_lock(&j->lock);
        now.phase = j->phase;
        now.requests = j->requests;
        now.bytes_received = j->bytes;
        memcpy(now.id, j->id, sizeof now.id);
        pthread_mutex_unlock(&j->lock);
    }
    now.size = size;
    memcpy(progress, &now, size);
}

int tw_job_next(tw_block **out, tw_job *job, tw_error **err)
{
    const tw_reply *rsp;
    tw_block *block;
    int finished, rc;

    *out = NULL;
    if (job_forked(job))
        return tw__error(err, TW_E_FORKED, "the job was started in the parent process");
    /* One look at both: a block pushed between two looks would be taken for the end. */
    pthread_mutex_lock(&job->lock);
    finished = job->finished;
    block = job->first;
    if (block != NULL) {
        job->first = block->next;
        if (job->first == NULL)
            job->last = NULL;
    }
    pthread_mutex_unlock(&job->lock);
    if (block != NULL) {
        block->next = NULL;
        tw__job_retain(job);
        block->job = job;
        *out = block;
        return TW_OK;
    }
    if (!finished) {
        news_settle(job, 0);
        return TW_AGAIN;
    }
    rc = tw_job_result(&rsp, job, err);
    return rc == TW_OK ? TW_DONE : rc;
}
