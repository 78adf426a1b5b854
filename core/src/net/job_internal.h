/* SPDX-License-Identifier: MIT */
/* The inside of jobs, queues and blocks, shared by their three files. */
#ifndef TW_NET_JOB_INTERNAL_H
#define TW_NET_JOB_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "net/job.h"

struct tw_block {
    tw_block *next; /* while unread */
    tw_job *job;    /* referenced once the consumer has the block */
    char *data;
    size_t size;
    size_t offset;
    void *scratch;
};

struct tw_job {
    /* Memory: one for all consumers together, one for the I/O thread until finish, one for each
     * queued task, news entry and block in the consumer's hands. */
    atomic_int refs;
    pid_t pid;
    tw_loop *loop;
    tw_queue *queue; /* referenced */
    int own_queue;
    const tw_job_kind *kind;
    void *state;
    void *user;
    tw_task start_task, cancel_task, drain_task;

    /* Guarded by lock. */
    pthread_mutex_t lock;
    int handles; /* the consumers' references */
    int submitted, finished;
    int cancel_posted, drain_posted;
    tw_reply *rsp;
    tw_error *err;
    tw_block *first, *last; /* unread */
    size_t ready;           /* pushed and not freed */
    const char *phase;
    uint64_t requests, bytes;
    char id[64];

    /* Of the queue, guarded by its lock. */
    tw_job *news_next;
    int in_news;

    /* Of the I/O thread: the loop's list. */
    tw_job *list_next, **list_at;
};

/* @thread any */
void tw__queue_notify(tw_queue *queue, tw_job *job);
tw_queue *tw__queue_ref(tw_queue *queue);
void tw__queue_unref(tw_queue *queue);
/* Whether another process made it. */
int tw__queue_forked(const tw_queue *queue);
/* Makes the descriptor unreadable while the news stay where they are, for a wait that looks at
 * one job; renew makes it readable again if there are any. */
void tw__queue_quiet(tw_queue *queue);
void tw__queue_renew(tw_queue *queue);
/* Takes the job's entry off, where it is in the list. */
void tw__queue_forget(tw_queue *queue, tw_job *job);
/* Polls the descriptor: TW_OK, TW_AGAIN, TW_INTERRUPTED. */
int tw__queue_poll(const tw_queue *queue, int64_t timeout_ms);

#endif
