/* SPDX-License-Identifier: MIT */
/* The inner side of jobs: what the I/O thread does with them. */
#ifndef TW_NET_JOB_H
#define TW_NET_JOB_H

#include <tidewheel/job.h>

#include "base/buf.h"
#include "net/loop.h"

/* What a kind of job brings along. All run on the I/O thread, except release. */
typedef struct tw_job_kind {
    /* Begins the work; may finish the job at once. */
    void (*start)(tw_job *job, void *state);
    /* The consumer cancelled or the client closes: abort calls, then finish with `code`
     * (TW_E_CANCELED or TW_E_CLOSED). May be called after finish: then do nothing. */
    void (*cancel)(tw_job *job, void *state, int code);
    /* The consumer freed a block, so that there may be room again; NULL for plain jobs. */
    void (*drained)(tw_job *job, void *state);
    /* The last reference is gone and the job is finished. @thread any */
    void (*release)(void *state);
} tw_job_kind;

/* Makes a job with two references: one for the caller, one for the I/O thread (dropped by
 * finish). `state` is taken on success. `queue` may be NULL. @thread any */
int tw__job_new(tw_job **out, tw_loop *loop, tw_queue *queue, const tw_job_kind *kind,
                void *state, tw_error **err);
/* A reference besides those, for who may look at the job after it was finished. It does not
 * keep it going. @thread any */
void tw__job_retain(tw_job *job);
void tw__job_release(tw_job *job);
/* Posts kind->start to the I/O thread. On failure the job is finished with the error. */
int tw__job_submit(tw_job *job, tw_error **err);
/* Both in one. `state` is taken always: released where there is no job, and `*out` is NULL.
 * @thread any */
int tw__job_start(tw_job **out, tw_loop *loop, tw_queue *queue, const tw_job_kind *kind,
                  void *state, tw_error **err);

/* ---- on the I/O thread --------------------------------------------------------------- */

/* The outcome, exactly once: `rsp` and `err` are taken, either may be NULL. For a stream the
 * consumer sees it after the blocks that are ready. Job and state may be gone when it returns,
 * except inside the kind's own callbacks. */
void tw__job_finish(tw_job *job, tw_reply *rsp, tw_error *err);
int tw__job_finished(const tw_job *job);
/* The state of a job of this kind; NULL for any other. @thread any */
void *tw__job_state(const tw_job *job, const tw_job_kind *kind);
/* Adds a block for the consumer. `block` is taken. */
void tw__job_push(tw_job *job, tw_block *block);
/* Blocks pushed and not yet freed. */
size_t tw__job_ready_blocks(const tw_job *job);
void tw__job_set_phase(tw_job *job, const char *phase); /* static string */
void tw__job_set_id(tw_job *job, const char *id);
void tw__job_count(tw_job *job, uint64_t requests, uint64_t bytes); /* adds */

/* `data` (from tw__alloc) is taken on success; freed with the block. */
int tw__block_new(tw_block **out, char *data, size_t size);
/* Cursor for line and record readers over a block. */
typedef struct tw_block_view {
    const char *data;
    size_t size;
    size_t *offset;
    void **
        scratch; /* freed with the block by tw__free; a reader may keep unquoted text here */
} tw_block_view;
void tw__block_view(tw_block *block, tw_block_view *view);

/* Makes the one form of an answer out of its body: JSON, put into `out`, which is empty.
 * @thread any */
typedef int (*tw_reply_form)(tw_buf *out, const char *body, size_t size, tw_error **err);

/* Replies. `body` (tw__alloc) is taken on success. */
int tw__reply_new(tw_reply **out, int status, char *body, size_t size);
/* NULL: the body as it came, which is the default. */
void tw__reply_set_form(tw_reply *rsp, tw_reply_form form);
void tw__reply_free(tw_reply *rsp);

#endif
