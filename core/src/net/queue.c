/* SPDX-License-Identifier: MIT */
/* Completion queues: jobs with news behind a descriptor that can be polled. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/process.h"
#include "net/job_internal.h"

struct tw_queue {
    atomic_int refs; /* the owner and every job */
    pid_t pid;
    int read_fd, write_fd; /* the same eventfd, or the ends of a pipe */

    /* Guarded by lock. */
    pthread_mutex_t lock;
    int closed;   /* freed by its owner */
    int signaled; /* the descriptor is readable */
    tw_job *first, *last;
};

/* ---- the descriptor ------------------------------------------------------------------ */

#ifdef __linux__
static int wake_open(tw_queue *queue)
{
    queue->read_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    queue->write_fd = queue->read_fd;
    return queue->read_fd >= 0 ? TW_OK : TW_E_NETWORK;
}
#else
static int wake_open(tw_queue *queue)
{
    int fds[2];
    int i;

    if (pipe(fds) != 0)
        return TW_E_NETWORK;
    for (i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    queue->read_fd = fds[0];
    queue->write_fd = fds[1];
    return TW_OK;
}
#endif

static void wake_close(tw_queue *queue)
{
    if (queue->read_fd >= 0)
        close(queue->read_fd);
    if (queue->write_fd >= 0 && queue->write_fd != queue->read_fd)
        close(queue->write_fd);
    queue->read_fd = queue->write_fd = -1;
}

/* Eight bytes suit an eventfd and a pipe. Neither can be full: there is one write per clear.
 * @locks needs queue->lock */
static void wake_set(tw_queue *queue)
{
    uint64_t one = 1;
    ssize_t n;

    if (queue->signaled || queue->closed)
        return;
    do {
        n = write(queue->write_fd, &one, sizeof one);
    } while (n < 0 && errno == EINTR);
    queue->signaled = 1;
}

/* @locks needs queue->lock */
static void wake_clear(tw_queue *queue)
{
    uint64_t value;
    ssize_t n;

    if (!queue->signaled || queue->closed)
        return;
    do {
        n = read(queue->read_fd, &value, sizeof value);
    } while (n < 0 && errno == EINTR);
    queue->signaled = 0;
}

/* ---- life ---------------------------------------------------------------------------- */

int tw_queue_new(tw_queue **out, tw_error **err)
{
    tw_queue *queue;

    *out = NULL;
    queue = tw__alloc_zero(1, sizeof *queue);
    if (queue == NULL)
        return tw__error_nomem(err);
    if (wake_open(queue) != TW_OK) {
        int code = tw__error(err, TW_E_NETWORK,
                             "no descriptor was left for a queue (errno %d)", errno);

        tw__free(queue);
        return code;
    }
    atomic_init(&queue->refs, 1);
    queue->pid = tw__pid();
    pthread_mutex_init(&queue->lock, NULL);
    *out = queue;
    return TW_OK;
}

tw_queue *tw__queue_ref(tw_queue *queue)
{
    atomic_fetch_add(&queue->refs, 1);
    return queue;
}

void tw__queue_unref(tw_queue *queue)
{
    if (atomic_fetch_sub(&queue->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&queue->lock);
    tw__free(queue);
}

int tw__queue_forked(const tw_queue *queue)
{
    return queue->pid != tw__pid();
}

void tw_queue_free(tw_queue *queue)
{
    tw_job *job, *next;

    if (queue == NULL)
        return;
    if (tw__queue_forked(queue)) {
        /* The lock may be held by a thread of the parent. The descriptor is a copy; the little
         * memory stays, because the parent's jobs in here point to it. */
        wake_close(queue);
        return;
    }
    pthread_mutex_lock(&queue->lock);
    queue->closed = 1;
    wake_close(queue);
    job = queue->first;
    queue->first = queue->last = NULL;
    for (next = job; next != NULL; next = next->news_next)
        next->in_news = 0;
    pthread_mutex_unlock(&queue->lock);
    while (job != NULL) {
        next = job->news_next;
        tw__job_release(job);
        job = next;
    }
    tw__queue_unref(queue);
}

int tw_queue_fd(const tw_queue *queue)
{
    return queue->read_fd;
}

/* ---- news ---------------------------------------------------------------------------- */

void tw__queue_notify(tw_queue *queue, tw_job *job)
{
    pthread_mutex_lock(&queue->lock);
    if (!queue->closed) {
        if (!job->in_news) {
            tw__job_retain(job);
            job->in_news = 1;
            job->news_next = NULL;
            if (queue->last != NULL)
                queue->last->news_next = job;
            else
                queue->first = job;
            queue->last = job;
        }
        /* Even if the entry was there: a waiter may have made the descriptor quiet. */
        wake_set(queue);
    }
    pthread_mutex_unlock(&queue->lock);
}

void tw__queue_quiet(tw_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    wake_clear(queue);
    pthread_mutex_unlock(&queue->lock);
}

void tw__queue_renew(tw_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    if (queue->first != NULL)
        wake_set(queue);
    pthread_mutex_unlock(&queue->lock);
}

void tw__queue_forget(tw_queue *queue, tw_job *job)
{
    tw_job **at, *before = NULL;
    int found = 0;

    pthread_mutex_lock(&queue->lock);
    for (at = &queue->first; job->in_news && *at != NULL; at = &(*at)->news_next) {
        if (*at == job) {
            *at = job->news_next;
            if (queue->last == job)
                queue->last = before;
            job->in_news = 0;
            found = 1;
            break;
        }
        before = *at;
    }
    if (queue->first == NULL)
        wake_clear(queue);
    pthread_mutex_unlock(&queue->lock);
    if (found)
        tw__job_release(job);
}

static tw_job *news_pop(tw_queue *queue)
{
    tw_job *job;

    pthread_mutex_lock(&queue->lock);
    job = queue->first;
    if (job != NULL) {
        queue->first = job->news_next;
        if (queue->first == NULL)
            queue->last = NULL;
        job->in_news = 0;
    } else {
        wake_clear(queue);
    }
    pthread_mutex_unlock(&queue->lock);
    return job;
}

int tw_queue_next(tw_job **out, tw_queue *queue)
{
    *out = NULL;
    if (tw__queue_forked(queue))
        return TW_E_FORKED;
    for (;;) {
        tw_job *job = news_pop(queue);
        int wanted;

        if (job == NULL)
            return TW_AGAIN;
        pthread_mutex_lock(&job->lock);
        wanted = job->handles > 0;
        if (wanted)
            job->handles++;
        pthread_mutex_unlock(&job->lock);
        tw__job_release(job); /* the entry's; the consumers' share keeps a wanted one */
        if (wanted) {
            *out = job;
            return TW_OK;
        }
    }
}

/* ---- waiting ------------------------------------------------------------------------- */

int tw__queue_poll(const tw_queue *queue, int64_t timeout_ms)
{
    struct pollfd item = {queue->read_fd, POLLIN, 0};
    int64_t until =
        timeout_ms >= 0 ? tw__ms_add(tw__monotonic_ms(), timeout_ms) : INT64_MAX;

    for (;;) {
        int64_t left = tw__ms_add(until, -tw__monotonic_ms());
        int slice, n;

        if (left < 0)
            left = 0;
        slice = left > INT_MAX ? INT_MAX : (int)left;
        n = poll(&item, 1, timeout_ms < 0 ? -1 : slice);
        if (n > 0)
            return TW_OK;
        if (n < 0)
            return errno == EINTR ? TW_INTERRUPTED : TW_AGAIN;
        if (slice == left)
            return TW_AGAIN;
    }
}

int tw_queue_wait(tw_queue *queue, int64_t timeout_ms)
{
    int pending;

    if (tw__queue_forked(queue))
        return TW_E_FORKED;
    pthread_mutex_lock(&queue->lock);
    pending = queue->first != NULL;
    pthread_mutex_unlock(&queue->lock);
    return pending ? TW_OK : tw__queue_poll(queue, timeout_ms);
}
