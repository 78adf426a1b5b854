/* SPDX-License-Identifier: MIT */
/* Ingestion: from accepted records to known outcomes. */
#ifndef TW_INGEST_INGEST_H
#define TW_INGEST_INGEST_H

#include <tidewheel/client.h>
#include <tidewheel/event.h>
#include <tidewheel/job.h>

#include "gate/call.h"
#include "ingest/spool.h"

typedef struct tw_ingest tw_ingest;

typedef enum tw_on_full { TW_FULL_REFUSE, TW_FULL_BLOCK, TW_FULL_DROP_OLDEST } tw_on_full;

/* When events go to /batch and not to /2/httpapi. */
typedef enum tw_use_batch {
    TW_BATCH_NEVER,
    TW_BATCH_ALWAYS,
    TW_BATCH_BACKLOG /* what has piled up, and what was too fast for /2/httpapi */
} tw_use_batch;

/* What the client's options say about ingestion; checked by config. */
typedef struct tw_ingest_settings {
    uint64_t queue_events;
    uint64_t queue_bytes;
    tw_on_full on_full;
    int64_t block_timeout_ms;
    int64_t flush_interval_ms; /* oldest waiting event is sent after this at the latest */
    uint64_t batch_events;     /* most events in a request */
    uint64_t batch_bytes;      /* largest body */
    tw_use_batch use_batch;    /* /batch instead of /2/httpapi */
    int gzip;                  /* larger bodies are compressed */
    unsigned min_id_length;
    int64_t backoff_first_ms;
    int64_t backoff_max_ms;
    int coalesce_identify; /* identify events of a user that wait together become one */
    int outcomes;          /* each event's end is kept for who asks */
    int64_t max_age_ms;    /* an event that is older is given up; 0: never */
    const char *spool;     /* folder; NULL: events wait in memory only */
    int durable;           /* what append returns is on the disk */
    uint64_t spool_bytes;
    int64_t sync_interval_ms; /* where it is not durable */
    unsigned char project[16];
    const tw_spool_sys *spool_sys; /* NULL: the system's */
    unsigned mends;                /* what is changed instead of refused: TW_MEND_... */
} tw_ingest_settings;

/* `settings` is copied but for its texts, which must stay. */
int tw__ingest_new(tw_ingest **out, tw_gate *gate, const tw_ingest_settings *settings,
                   tw_error **err);

/* The public event functions of event.h and flush, behind the client's checks. @thread
 * any */
int tw__ingest_begin(tw_event **out, tw_ingest *ing, tw_error **err);
int tw__ingest_flush(tw_job **out, tw_ingest *ing, tw_queue *queue, tw_error **err);
/* What became so far of the events before a flush; TW_E_INVALID for another job. @thread any */
int tw__flush_stats(const tw_job *job, tw_stats *stats);
/* The same for all that the spool holds as well, whoever accepted it. */
int tw__ingest_drain(tw_job **out, tw_ingest *ing, tw_queue *queue, tw_error **err);
/* Begins to send what dead processes left in the spool, if there is any. */
void tw__ingest_start(tw_ingest *ing);
/* What was kept as uncertain is sent again. */
int tw__ingest_resend_uncertain(uint64_t *count, tw_ingest *ing, tw_error **err);
/* TW_OK and what the last attempt failed with, owned by caller, or TW_AGAIN. @thread any */
int tw__trouble_get(tw_error **out, int64_t *at_ms, tw_ingest *ing);
void tw__ingest_filtered(tw_ingest *ing);
void tw__ingest_stats(tw_ingest *ing, tw_stats *stats);

/* No event is accepted any more (TW_E_CLOSED). @thread any */
void tw__ingest_stop_intake(tw_ingest *ing);
/* Ends what still waits as expired or uncertain (with a spool it goes on waiting there),
 * finishes flush jobs with TW_E_CLOSED, cancels calls. @thread worker */
void tw__ingest_cancel(tw_ingest *ing);
/* After the loop has ended. Events still open in callers' hands keep the memory alive. */
void tw__ingest_free(tw_ingest *ing);

#endif
