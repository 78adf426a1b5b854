/* SPDX-License-Identifier: MIT */
/* Jobs: work that goes on in the I/O thread, and the queues that tell when to look. */
#ifndef TIDEWHEEL_JOB_H
#define TIDEWHEEL_JOB_H

#include <tidewheel/common.h>

TW_BEGIN_DECLS

/* ---- completion queues --------------------------------------------------------------- */

/** One queue per waiting loop. Owned by caller, free with tw_queue_free. @thread any */
TW_API int tw_queue_new(tw_queue **out, tw_error **err);
/** Readable while a job has news. Borrowed: never read, write or close it. */
TW_API int tw_queue_fd(const tw_queue *queue);
/** The next job with news (a new reference, owned by caller) or TW_AGAIN, which also makes
 * the descriptor unreadable. */
TW_API int tw_queue_next(tw_job **out, tw_queue *queue);
/** Waits for news: TW_OK, TW_AGAIN when `timeout_ms` passed (-1 = for ever),
 * TW_INTERRUPTED when a signal arrived. Call without the interpreter lock. */
TW_API int tw_queue_wait(tw_queue *queue, int64_t timeout_ms);
/** Jobs still going on stay valid, their news are dropped. NULL is allowed. */
TW_API void tw_queue_free(tw_queue *queue);

/* ---- jobs ---------------------------------------------------------------------------- */

/* A job is made by a tw_*_start function, which takes the queue its news go to (borrowed; NULL
 * gives the job a queue of its own). @thread any, one consumer at a time */

TW_API tw_job *tw_job_ref(tw_job *job);
/** The last reference cancels what still goes on. NULL is allowed. */
TW_API void tw_job_unref(tw_job *job);
/** Nonzero once result() answers and, for a stream, once its end can be read. */
TW_API int tw_job_done(const tw_job *job);
/** The descriptor of the job's queue. Of a queue of its own: readable while there are blocks, or
 * an end, that tw_job_next and tw_job_wait have not told of. */
TW_API int tw_job_fd(const tw_job *job);
/** Waits until the job is done or a block is ready: TW_OK, TW_AGAIN (time is up; -1 = no
 * limit), TW_INTERRUPTED. Only for jobs with a queue of their own, or where the caller is the
 * only consumer of the queue. Call without the interpreter lock. */
TW_API int tw_job_wait(tw_job *job, int64_t timeout_ms);
/** The outcome: TW_OK with the reply (borrowed from the job; NULL where the job has none),
 * TW_AGAIN while it goes on, or the error code with a copy of the error. */
TW_API int tw_job_result(const tw_reply **out, tw_job *job, tw_error **err);
/** Asks it to stop; the result becomes TW_E_CANCELED unless it was done. Never waits. */
TW_API void tw_job_cancel(tw_job *job);
/** A pointer of the caller's, for finding its own object again. */
TW_API void tw_job_set_user(tw_job *job, void *user);
TW_API void *tw_job_user(const tw_job *job);

/** How far a job is. Fill with TW_JOB_PROGRESS_INIT. */
typedef struct tw_job_progress {
    size_t size;
    const char
        *phase; /* "waiting", "requested", "polling", "streaming", "done"; static */
    uint64_t requests;       /* HTTP requests made so far */
    uint64_t bytes_received; /* body bytes off the wire */
    char id[64];             /* the server's request id where there is one, else "" */
} tw_job_progress;
#define TW_JOB_PROGRESS_INIT              \
    {                                     \
        sizeof(tw_job_progress), 0, 0, 0, \
        {                                 \
            0                             \
        }                                 \
    }
TW_API void tw_job_get_progress(const tw_job *job, tw_job_progress *progress);

/* ---- replies of ordinary calls ------------------------------------------------------- */

TW_API int tw_reply_status(const tw_reply *rsp);
/** The decoded body, borrowed from the reply. */
TW_API const char *tw_reply_body(const tw_reply *rsp, size_t *size);

/* ---- streams ------------------------------------------------------------------------- */

/** The next block of a streaming job: TW_OK (owned by caller), TW_AGAIN, TW_DONE after the
 * whole was read and verified, or the error, which is then final. A block holds whole lines
 * (export: NDJSON rows) or whole CSV records (cohort file). */
TW_API int tw_job_next(tw_block **out, tw_job *job, tw_error **err);
/** The next line of the block without its line end, blank ones skipped; TW_DONE at its end.
 * Borrowed until the block is freed. */
TW_API int tw_block_next_line(const char **text, size_t *size, tw_block *block);
/** The block's bytes as they are. */
TW_API const char *tw_block_data(const tw_block *block, size_t *size);
/** NULL is allowed. Freeing lets the stream go on reading. */
TW_API void tw_block_free(tw_block *block);

TW_END_DECLS

#endif
