/* SPDX-License-Identifier: MIT */
/* The client: keys, region, queue and I/O thread of one project. */
#ifndef TIDEWHEEL_CLIENT_H
#define TIDEWHEEL_CLIENT_H

#include <tidewheel/common.h>

TW_BEGIN_DECLS

/**
 * Makes a client. Checks every option; no thread starts and nothing is sent before the first
 * use. Any number of clients per process.
 *
 * A forked child may go on with the client: at its first use there it gets a queue, a thread,
 * connections and a lane of the spool of its own, and counts from 0. Nothing that the parent
 * accepted is sent by the child; events, jobs and queues that the parent began answer TW_E_FORKED
 * in it. A client that was closed at the fork stays closed.
 *
 * @param out owned by caller, free with tw_client_free
 * @param cfg copied
 */
TW_API int tw_client_new(tw_client **out, const tw_config *cfg, tw_error **err);

/** Where the events are; always
 *  accepted + recovered = stored + rejected + uncertain + expired + dropped + lost + merged +
 *  waiting. */
typedef struct tw_stats {
    size_t size;
    uint64_t accepted;  /* track() said yes */
    uint64_t stored;    /* the server confirmed */
    uint64_t rejected;  /* the server refused for good */
    uint64_t uncertain; /* sent, never confirmed, given up by close or too old to be sent
                           again; with a spool kept for tw_resend_uncertain */
    uint64_t expired;   /* given up unsent, by close or by max_age */
    uint64_t dropped;   /* thrown out by on_full="drop_oldest" */
    uint64_t waiting;   /* queued, spooled, or on the wire */
    uint64_t waiting_bytes;
    uint64_t refused;  /* not accepted: queue full or invalid; outside the sum */
    uint64_t requests; /* ingestion requests made */
    uint64_t retries;
    uint64_t
        paused; /* 1 while the server refuses the key, the path or all of us: events are
                        kept, a probe goes out now and then */
    uint64_t filtered; /* kept back by the caller's own filter; outside the sum */
    /* accepted with an insert_id that another event of the device (or user) had a short while
     * before: the server keeps the first (counted among the latest few thousand) */
    uint64_t dup_insert_id;
    uint64_t outcomes_missed; /* with the option outcomes: not taken in time */
    /* Values of accepted events changed by on_long_string, on_invalid_utf8, on_nan, big_ints: */
    uint64_t truncated, replaced, nulled, stringified;
    /* With a spool: */
    uint64_t recovered;          /* of processes that ended, found in the spool so far */
    uint64_t lost;               /* could not be read back: the disk was damaged */
    uint64_t spool_bytes;        /* of all files of records this process holds */
    uint64_t spool_unread_bytes; /* those of ended processes that were not read yet */
    uint64_t spool_lanes;        /* taken over from processes that ended */
    uint64_t spool_torn;         /* files whose last bytes were no record */
    uint64_t spool_unreadable;   /* files left alone: the disk failed, a later format */
    uint64_t spool_quarantined;  /* damaged files set aside as *.bad */
    uint64_t
        spool_foreign; /* names in the folder that are not ours, or another project's */
    uint64_t merged;   /* with coalesce_identify: a later event carries the operations */
    uint64_t
        rejections_missed; /* rejections that made room for newer ones before they were taken */
    uint64_t
        held; /* of `waiting`: until their user or device, which is throttled, may go on */
    uint64_t oldest_ms; /* age of the oldest waiting event that was read; 0 for none */
    uint64_t clock_suspect; /* accepted with the time of a clock that stood before 2010 */
    uint64_t
        spool_uncertain_bytes; /* of spool_bytes: full files that were read and that nothing
                                  but uncertain events keeps; tw_resend_uncertain frees them */
} tw_stats;
#define TW_STATS_INIT                                                                    \
    {                                                                                    \
        sizeof(tw_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                                        \
    }

TW_API int tw_client_stats(tw_client *cl, tw_stats *stats);

/** Why nothing goes out: what the latest ingestion request failed with. TW_OK and an error,
 * owned by caller, with the wall time of that failure in milliseconds; TW_AGAIN where there is
 * none, because the latest request went well or there was none yet. @thread any */
TW_API int tw_client_trouble(tw_error **out, int64_t *at_ms, tw_client *cl);

/** Starts sending everything accepted so far at once; the job is done when each of these
 * events has a final state. Its result is TW_OK even if some were rejected: see tw_flush_stats.
 * While sending is paused (see tw_stats) the job tries once more and then fails with the
 * server's refusal; the events are kept. */
TW_API int tw_flush_start(tw_job **out, tw_client *cl, tw_queue *queue, tw_error **err);
/** What has become so far of all events that were accepted before the flush began: the sum
 * and its parts, as in tw_client_stats; the other numbers are 0. They stand still once the job
 * is done. TW_E_INVALID where the job is no flush. @thread any */
TW_API int tw_flush_stats(const tw_job *job, tw_stats *stats);

/** As tw_flush_start, and for all that the spool holds of processes that ended. */
TW_API int tw_drain_start(tw_job **out, tw_client *cl, tw_queue *queue, tw_error **err);

/** Sends the uncertain events that the spool keeps again, although the server may have stored
 * them longer ago than it remembers: they may be counted twice. `*count` says how many.
 * Without a spool there are none. @thread any */
TW_API int tw_resend_uncertain(uint64_t *count, tw_client *cl, tw_error **err);

/** Stops intake and starts a flush job that, with a spool, ends as soon as what is left has to
 * wait: for loops of events, before a tw_client_close without waiting. TW_E_CLOSED in a child that
 * did not use the client: there is nothing to wait for. */
TW_API int tw_close_start(tw_job **out, tw_client *cl, tw_queue *queue, tw_error **err);

/** Where accepted events wait. */
typedef enum tw_spool_mode {
    TW_SPOOL_NONE, /* in memory */
    TW_SPOOL_FAST, /* on the disk as well, synced now and then */
    TW_SPOOL_DURABLE /* on the disk when tw_event_commit returns: it waits for it, and should
                        be called without the interpreter's lock */
} tw_spool_mode;
/** @thread any */
TW_API tw_spool_mode tw_client_spool_mode(const tw_client *cl);

/**
 * Stops intake, sends what is queued until `timeout_ms` have passed, cancels all jobs, ends
 * the thread. What could not be sent is counted as expired (never sent) or uncertain; with a
 * spool it goes on waiting there, and no time is spent on what has to wait. A second close
 * does nothing. Returns TW_OK when no event was given up, TW_E_TIMEOUT otherwise,
 * TW_INTERRUPTED when a signal arrived (intake is stopped: call again with the time that is
 * left).
 */
TW_API int tw_client_close(tw_client *cl, int64_t timeout_ms, tw_error **err);

/** Cancels and frees without waiting for the network. NULL is allowed. Jobs of the client
 * stay valid and answer TW_E_CLOSED. */
TW_API void tw_client_free(tw_client *cl);

/** One JSON object that says what is configured, secrets redacted, with versions of the
 * libraries; for repr and bug reports. Owned by caller, free with tw_text_free. */
TW_API int tw_client_describe(char **out, tw_client *cl, tw_error **err);
TW_API void tw_text_free(char *text);

/** A plain call of an endpoint by name for what has no builder: the gate's checks apply. */
typedef struct tw_raw_options {
    size_t size;
    const char *const
        *path_values;  /* for each {…} of the path template, in order; NULL-ended */
    const char *query; /* encoded, without '?', or NULL */
    const char *content_type; /* of body, or NULL */
    const void *body;         /* copied */
    size_t body_size;
} tw_raw_options;
#define TW_RAW_OPTIONS_INIT                               \
    {                                                     \
        sizeof(tw_raw_options), NULL, NULL, NULL, NULL, 0 \
    }
TW_API int tw_raw_start(tw_job **out, tw_client *cl, const char *endpoint,
                        const tw_raw_options *options, tw_queue *queue, tw_error **err);

/** Row `index` of the endpoint table, TW_DONE past the end; all strings static. */
TW_API int tw_endpoint_row(size_t index, const char **name, const char **area,
                           const char **method, const char **path, const char **access);

TW_END_DECLS

#endif
