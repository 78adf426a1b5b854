/* SPDX-License-Identifier: MIT */
/* The inside of the loop, shared with jobs alone. */
#ifndef TW_NET_LOOP_INTERNAL_H
#define TW_NET_LOOP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include <tidewheel/job.h>

#include "net/loop.h"

typedef enum loop_state {
    LOOP_IDLE,    /* no thread yet */
    LOOP_RUNNING, /* the thread is there, or the test's own in by-hand mode */
    LOOP_CLOSING, /* no new tasks */
    LOOP_ENDED
} loop_state;

struct tw_loop {
    atomic_int refs;
    pid_t pid;
    unsigned flags;

    /* Guarded by lock. */
    pthread_mutex_t lock;
    pthread_cond_t wakeup; /* while no transport is open; monotonic */
    loop_state state;
    tw_task *first, *last;
    size_t queued;
    int asleep;     /* the thread waits, or is about to */
    void *wakeable; /* the open transport's state while another thread may wake it */

    /* Of the worker. */
    pthread_t thread;
    tw_timer **heap;
    size_t heap_size, heap_room;
    tw_job *jobs; /* submitted and not finished */
    void (*on_close)(void *ctx);
    void *on_close_ctx;
    tw_transport transport;
    tw_transport_settings settings;
    char *proxy, *no_proxy, *ca_pem;
    void *transport_state; /* NULL until the first transfer */
};

/* Ends every job of the list with TW_E_CLOSED. @thread worker */
void tw__jobs_close(tw_loop *loop);

#endif
