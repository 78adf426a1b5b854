/* SPDX-License-Identifier: MIT */
/* The I/O thread: tasks from other threads, timers, transfers. */
#define _GNU_SOURCE
#include "net/loop.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/process.h"
#include "net/curl_transport.h"
#include "net/loop_internal.h"

/* libcurl with OpenSSL stays below 100 KiB; the rest is for sanitizers and name services. */
enum { STACK_BYTES = 1024 * 1024 };

static const int64_t LONGEST_WAIT_MS = 60 * 60 * 1000;

/* ---- making and ending --------------------------------------------------------------- */

static int settings_copy(tw_loop *loop, const tw_transport_settings *from)
{
    tw_transport_settings *to = &loop->settings;

    *to = *from;
    loop->proxy = tw__strdup(from->proxy != NULL ? from->proxy : "");
    loop->no_proxy = tw__strdup(from->no_proxy != NULL ? from->no_proxy : "");
    if (loop->proxy == NULL || loop->no_proxy == NULL)
        return TW_E_NOMEM;
    to->proxy = loop->proxy;
    to->no_proxy = loop->no_proxy;
    if (from->ca_pem != NULL) {
        loop->ca_pem = tw__strndup(from->ca_pem, from->ca_pem_size);
        if (loop->ca_pem == NULL)
            return TW_E_NOMEM;
        to->ca_pem = loop->ca_pem;
    }
    return TW_OK;
}

static void loop_free(tw_loop *loop)
{
    /* A proxy URL may hold a password. */
    if (loop->proxy != NULL)
        tw__free_secret(loop->proxy, strlen(loop->proxy));
    tw__free(loop->no_proxy);
    tw__free(loop->ca_pem);
    tw__free(loop->heap);
    tw__free(loop);
}

int tw__loop_new(tw_loop **out, const tw_transport *transport,
                 const tw_transport_settings *settings, unsigned flags, tw_error **err)
{
    static const tw_transport_settings none = {sizeof none, "", "", NULL, 0};
    pthread_condattr_t attr;
    tw_loop *loop;

    *out = NULL;
    loop = tw__alloc_zero(1, sizeof *loop);
    if (loop == NULL)
        return tw__error_nomem(err);
    if (settings_copy(loop, settings != NULL ? settings : &none) != TW_OK) {
        loop_free(loop);
        return tw__error_nomem(err);
    }
    atomic_init(&loop->refs, 1);
    loop->pid = tw__pid();
    loop->flags = flags;
    loop->transport = transport != NULL ? *transport : *tw__curl_transport();
    loop->state = (flags & TW_LOOP_BY_HAND) != 0 ? LOOP_RUNNING : LOOP_IDLE;
    pthread_mutex_init(&loop->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&loop->wakeup, &attr);
    pthread_condattr_destroy(&attr);
    *out = loop;
    return TW_OK;
}

int tw__loop_again(tw_loop **out, const tw_loop *from, tw_error **err)
{
    return tw__loop_new(out, &from->transport, &from->settings, from->flags, err);
}

tw_loop *tw__loop_ref(tw_loop *loop)
{
    atomic_fetch_add(&loop->refs, 1);
    return loop;
}

void tw__loop_unref(tw_loop *loop)
{
    if (loop == NULL || atomic_fetch_sub(&loop->refs, 1) != 1)
        return;
    pthread_cond_destroy(&loop->wakeup);
    pthread_mutex_destroy(&loop->lock);
    loop_free(loop);
}

void tw__loop_on_close(tw_loop *loop, void (*fn)(void *ctx), void *ctx)
{
    loop->on_close = fn;
    loop->on_close_ctx = ctx;
}

/* ---- tasks --------------------------------------------------------------------------- */

static void *thread_main(void *arg);

/* @locks needs loop->lock */
static int thread_start(tw_loop *loop)
{
    pthread_attr_t attr;
    sigset_t all, before;
    int rc;

    if (pthread_attr_init(&attr) != 0)
        return TW_E_NETWORK;
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    /* Signals are the host program's: blocked before the thread exists, so that none can reach
     * it in between. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&loop->thread, &attr, thread_main, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (rc != 0)
        return TW_E_NETWORK;
    loop->state = LOOP_RUNNING;
    return TW_OK;
}

/* @locks needs loop->lock. The transport's wake() only writes to a non-blocking pipe; holding
 * the lock keeps the transport from closing meanwhile. */
static void loop_wake(tw_loop *loop)
{
    if (!loop->asleep)
        return;
    loop->asleep = 0;
    if (loop->wakeable != NULL)
        loop->transport.wake(loop->wakeable);
    else
        pthread_cond_signal(&loop->wakeup);
}

int tw__loop_post(tw_loop *loop, tw_task *task)
{
    int rc = TW_OK;

    if (loop->pid != tw__pid())
        return TW_E_FORKED;
    pthread_mutex_lock(&loop->lock);
    if (loop->state >= LOOP_CLOSING) {
        pthread_mutex_unlock(&loop->lock);
        return TW_E_CLOSED;
    }
    if (!task->queued) {
        task->queued = 1;
        task->next = NULL;
        if (loop->last != NULL)
            loop->last->next = task;
        else
            loop->first = task;
        loop->last = task;
        loop->queued++;
    }
    if (loop->state == LOOP_IDLE)
        rc = thread_start(loop);
    loop_wake(loop);
    pthread_mutex_unlock(&loop->lock);
    return rc;
}

int tw__loop_withdraw(tw_loop *loop, tw_task *task)
{
    tw_task **at;
    tw_task *before = NULL;
    int found = 0;

    pthread_mutex_lock(&loop->lock);
    for (at = &loop->first; task->queued && *at != NULL; at = &(*at)->next) {
        if (*at == task) {
            *at = task->next;
            if (loop->last == task)
                loop->last = before;
            task->queued = 0;
            loop->queued--;
            found = 1;
            break;
        }
        before = *at;
    }
    pthread_mutex_unlock(&loop->lock);
    return found;
}

/* @locks takes loop->lock */
static tw_task *task_pop(tw_loop *loop)
{
    tw_task *task;

    pthread_mutex_lock(&loop->lock);
    task = loop->first;
    if (task != NULL) {
        loop->first = task->next;
        if (loop->first == NULL)
            loop->last = NULL;
        task->queued = 0;
        loop->queued--;
    }
    pthread_mutex_unlock(&loop->lock);
    return task;
}

/* Runs as many tasks as there are now: one that posts itself again waits for the next turn. */
static void tasks_run(tw_loop *loop)
{
    size_t most;

    pthread_mutex_lock(&loop->lock);
    most = loop->queued;
    pthread_mutex_unlock(&loop->lock);
    while (most-- > 0) {
        tw_task *task = task_pop(loop);

        if (task == NULL)
            return;
        task->run(task);
    }
}

/* ---- timers: a binary heap ordered by due_ms ----------------------------------------- */

static void heap_put(tw_loop *loop, size_t at, tw_timer *timer)
{
    loop->heap[at] = timer;
    timer->slot = at + 1;
}

static void heap_up(tw_loop *loop, size_t at, tw_timer *timer)
{
    while (at > 0 && loop->heap[(at - 1) / 2]->due_ms > timer->due_ms) {
        heap_put(loop, at, loop->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(loop, at, timer);
}

static void heap_down(tw_loop *loop, size_t at, tw_timer *timer)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= loop->heap_size)
            break;
        if (child + 1 < loop->heap_size &&
            loop->heap[child + 1]->due_ms < loop->heap[child]->due_ms)
            child++;
        if (loop->heap[child]->due_ms >= timer->due_ms)
            break;
        heap_put(loop, at, loop->heap[child]);
        at = child;
    }
    heap_put(loop, at, timer);
}

int tw__timer_arm(tw_loop *loop, tw_timer *timer, int64_t due_ms)
{
    tw__timer_disarm(loop, timer);
    if (loop->heap_size == loop->heap_room) {
        size_t room = loop->heap_room != 0 ? loop->heap_room * 2 : 16;
        tw_timer **heap = tw__realloc(loop->heap, room * sizeof *heap);

        if (heap == NULL)
            return TW_E_NOMEM;
        loop->heap = heap;
        loop->heap_room = room;
    }
    timer->due_ms = due_ms;
    heap_up(loop, loop->heap_size++, timer);
    return TW_OK;
}

void tw__timer_disarm(tw_loop *loop, tw_timer *timer)
{
    size_t at = timer->slot;
    tw_timer *last;

    if (at == 0)
        return;
    at--;
    timer->slot = 0;
    last = loop->heap[--loop->heap_size];
    if (last == timer)
        return;
    if (at > 0 && loop->heap[(at - 1) / 2]->due_ms > last->due_ms)
        heap_up(loop, at, last);
    else
        heap_down(loop, at, last);
}

/* A timer armed for "now" by the one that fires waits for the next turn. */
static void timers_run(tw_loop *loop)
{
    int64_t now = tw__monotonic_ms();
    size_t most = loop->heap_size;

    while (most-- > 0 && loop->heap_size > 0 && loop->heap[0]->due_ms <= now) {
        tw_timer *timer = loop->heap[0];

        tw__timer_disarm(loop, timer);
        timer->fire(timer);
    }
}

/* ---- one turn ------------------------------------------------------------------------ */

static int64_t timers_wait(const tw_loop *loop, int64_t max_wait_ms)
{
    int64_t wait;

    if (loop->heap_size == 0)
        return max_wait_ms;
    wait = tw__ms_add(loop->heap[0]->due_ms, -tw__monotonic_ms());
    if (wait < 0)
        return 0;
    return wait < max_wait_ms ? wait : max_wait_ms;
}

/* @locks needs loop->lock */
static void cond_wait(tw_loop *loop, int64_t wait_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(wait_ms / 1000);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&loop->wakeup, &loop->lock, &until);
}

/* Without a transport there is nothing to poll: the condition does. */
static void loop_wait(tw_loop *loop, int64_t wait_ms)
{
    pthread_mutex_lock(&loop->lock);
    if (loop->first != NULL || loop->state == LOOP_CLOSING)
        wait_ms = 0;
    loop->asleep = wait_ms > 0;
    if (loop->transport_state == NULL && wait_ms > 0)
        cond_wait(loop, wait_ms);
    pthread_mutex_unlock(&loop->lock);

    if (loop->transport_state != NULL)
        loop->transport.poll(loop->transport_state, wait_ms);

    pthread_mutex_lock(&loop->lock);
    loop->asleep = 0;
    pthread_mutex_unlock(&loop->lock);
}

void tw__loop_turn(tw_loop *loop, int64_t max_wait_ms)
{
    timers_run(loop);
    tasks_run(loop);
    loop_wait(loop, timers_wait(loop, max_wait_ms));
}

/* ---- transfers ----------------------------------------------------------------------- */

static int transport_open(tw_loop *loop, tw_error **err)
{
    void *state = NULL;
    int rc;

    if (loop->transport_state != NULL)
        return TW_OK;
    rc = loop->transport.open(&state, loop->transport.ctx, &loop->settings, err);
    if (rc != TW_OK)
        return rc;
    loop->transport_state = state;
    pthread_mutex_lock(&loop->lock);
    loop->wakeable = state;
    pthread_mutex_unlock(&loop->lock);
    return TW_OK;
}

static void transport_close(tw_loop *loop)
{
    void *state = loop->transport_state;

    pthread_mutex_lock(&loop->lock);
    loop->wakeable = NULL;
    pthread_mutex_unlock(&loop->lock);
    loop->transport_state = NULL;
    if (state != NULL)
        loop->transport.close(state);
}

int tw__loop_transfer_start(void **transfer, tw_loop *loop,
                            const tw_transfer_request *req,
                            const tw_transfer_events *events, void *ctx, tw_error **err)
{
    int rc = transport_open(loop, err);

    *transfer = NULL;
    if (rc != TW_OK)
        return rc;
    return loop->transport.start(transfer, loop->transport_state, req, events, ctx, err);
}

int tw__loop_transfer_cancel(tw_loop *loop, void *transfer)
{
    return loop->transport.cancel(loop->transport_state, transfer);
}

void tw__loop_transfer_resume(tw_loop *loop, void *transfer)
{
    loop->transport.resume(loop->transport_state, transfer);
}

/* ---- the end ------------------------------------------------------------------------- */

/* No task can be added any more, so that the queue runs dry. */
static void loop_end(tw_loop *loop)
{
    tw_task *task;

    for (task = task_pop(loop); task != NULL; task = task_pop(loop))
        task->run(task);
    if (loop->on_close != NULL)
        loop->on_close(loop->on_close_ctx);
    tw__jobs_close(loop);
    transport_close(loop);
    while (loop->heap_size > 0)
        tw__timer_disarm(loop, loop->heap[0]);
}

static void *thread_main(void *arg)
{
    tw_loop *loop = arg;
    int closing = 0;

#ifdef __linux__
    pthread_setname_np(pthread_self(), "tidewheel-io");
#endif
    while (!closing) {
        tw__loop_turn(loop, LONGEST_WAIT_MS);
        pthread_mutex_lock(&loop->lock);
        closing = loop->state >= LOOP_CLOSING;
        pthread_mutex_unlock(&loop->lock);
    }
    loop_end(loop);
    return NULL;
}

void tw__loop_close(tw_loop *loop)
{
    loop_state before;

    pthread_mutex_lock(&loop->lock);
    before = loop->state;
    if (before < LOOP_CLOSING)
        loop->state = LOOP_CLOSING;
    loop_wake(loop);
    pthread_mutex_unlock(&loop->lock);
    if (before >= LOOP_CLOSING)
        return;
    if (before == LOOP_RUNNING && (loop->flags & TW_LOOP_BY_HAND) == 0)
        pthread_join(loop->thread, NULL);
    else
        loop_end(loop);
    pthread_mutex_lock(&loop->lock);
    loop->state = LOOP_ENDED;
    pthread_mutex_unlock(&loop->lock);
}
