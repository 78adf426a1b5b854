/* SPDX-License-Identifier: MIT */
/* The I/O thread: tasks from other threads, timers, transfers. Pure C, no language above. */
#ifndef TW_NET_LOOP_H
#define TW_NET_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include <tidewheel/common.h>
#include <tidewheel/sys/transport.h>

typedef struct tw_loop tw_loop;
typedef struct tw_task tw_task;
typedef struct tw_timer tw_timer;

/* Embedded in the object it works for. Posting a task that is already queued does nothing, so
 * one task per purpose is a free edge-trigger. */
struct tw_task {
    tw_task *next;
    void (*run)(tw_task *task); /* on the I/O thread */
    int queued;                 /* owned by the loop */
};

/* Embedded; zero-initialised means disarmed. */
struct tw_timer {
    void (*fire)(tw_timer *timer); /* on the I/O thread, disarmed before the call */
    int64_t due_ms;                /* monotonic */
    size_t slot; /* heap place + 1, 0 when disarmed; owned by the loop */
};

#define TW_CONTAINER(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Runs `task` on the I/O thread, which starts at the first post with all signals blocked. When
 * the thread cannot be started the task stays queued and the next post tries again: TW_E_NETWORK.
 * TW_E_CLOSED after close. @thread any */
int tw__loop_post(tw_loop *loop, tw_task *task);

/* Take a task off the queue again, so that its owner can be freed; nonzero when it was there.
 * @thread worker */
int tw__loop_withdraw(tw_loop *loop, tw_task *task);

/* Arming an armed timer moves it. @thread worker */
int tw__timer_arm(tw_loop *loop, tw_timer *timer, int64_t due_ms);
void tw__timer_disarm(tw_loop *loop, tw_timer *timer);

/* ---- the loop's owner ---------------------------------------------------------------- */

enum {
    TW_LOOP_BY_HAND = 1 /* no thread: the test calls tw__loop_turn in its own */
};

/* One reference for the caller. `transport` NULL means libcurl; it is opened on the I/O thread
 * with the first transfer. `settings` is copied. */
int tw__loop_new(tw_loop **out, const tw_transport *transport,
                 const tw_transport_settings *settings, unsigned flags, tw_error **err);
/* For a child of the process that made `from`: a new loop with the same transport and settings,
 * made of what never changes. */
int tw__loop_again(tw_loop **out, const tw_loop *from, tw_error **err);
/* Jobs hold references too: the memory outlives the client for them. @thread any */
tw_loop *tw__loop_ref(tw_loop *loop);
void tw__loop_unref(tw_loop *loop);

/* Called on the I/O thread while the loop closes, before jobs are cancelled: the moment to end
 * what is no job. */
void tw__loop_on_close(tw_loop *loop, void (*fn)(void *ctx), void *ctx);

/* Refuses new tasks, runs those already queued, cancels every job with TW_E_CLOSED, closes the
 * transport and joins the thread. Without a thread all of this happens in the caller's. Never
 * waits for the network; a second close does nothing. @thread any but the I/O thread */
void tw__loop_close(tw_loop *loop);

/* Timers that are due, queued tasks, then transfers, waiting at most `max_wait_ms` for them.
 * @thread worker */
void tw__loop_turn(tw_loop *loop, int64_t max_wait_ms);

/* ---- transfers (see sys/transport.h) --------------------------------------------------- */

/* @thread worker */
int tw__loop_transfer_start(void **transfer, tw_loop *loop,
                            const tw_transfer_request *req,
                            const tw_transfer_events *events, void *ctx, tw_error **err);
/* How often the request may have left. */
int tw__loop_transfer_cancel(tw_loop *loop, void *transfer);
void tw__loop_transfer_resume(tw_loop *loop, void *transfer);

#endif
