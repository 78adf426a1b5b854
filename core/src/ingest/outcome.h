/* SPDX-License-Identifier: MIT */
/* What the answer to a batch means for its events. */
#ifndef TW_INGEST_OUTCOME_H
#define TW_INGEST_OUTCOME_H

#include <tidewheel/json.h>

#include "gate/call.h"

/* Up to TOO_LARGE the server is well and takes the next request at once. */
typedef enum tw_verdict_kind {
    TW_VERDICT_STORED,  /* all of them */
    TW_VERDICT_SHORT,   /* fewer were confirmed than were sent */
    TW_VERDICT_LISTED,  /* the server named events: see marks */
    TW_VERDICT_SUSPECT, /* refused because of some event, and not said which */
    TW_VERDICT_TOO_LARGE,
    TW_VERDICT_THROTTLED, /* too fast, and not said who */
    TW_VERDICT_RETRY,     /* later, as it is */
    TW_VERDICT_PAUSE /* not the events' fault and not a passing one: key, firewall, URL */
} tw_verdict_kind;

enum {
    TW_MARK_KEEP = 0,   /* send again */
    TW_MARK_HOLD = 1,   /* send again later */
    TW_MARK_REJECT = 2, /* the reason is reasons[mark - TW_MARK_REJECT] */
    TW_REASONS =
        64, /* more fields than an event has; the last is shared by what is left */
    TW_BATCH_EVENTS_MAX = 2000 /* (Amplitude Batch API docs, read 2026-11-23) */
};

typedef struct tw_reason {
    char field[64]; /* "" where the server named none */
    char text[160]; /* what the server wrote; never the key */
} tw_reason;

/* A user or device that the server named as too fast, or as over its quota. */
typedef struct tw_named {
    uint64_t lane;
    int quota;
    int64_t wait_ms;
} tw_named;

typedef struct tw_verdict {
    tw_verdict_kind kind;
    tw_stored stored;
    int status; /* 0 without an answer */
    int code;   /* tw_code, for PAUSE */
    int64_t
        wait_ms; /* HOLD: how long; RETRY, THROTTLED: what the server asks for, or 0 */
    tw_reason reasons[TW_REASONS];
    size_t reason_count;
    tw_named names[TW_BATCH_EVENTS_MAX];
    size_t name_count;
    unsigned char marks[TW_BATCH_EVENTS_MAX]; /* valid with LISTED */
} tw_verdict;

enum { TW_ANSWER_BYTES = 1 << 20 }; /* a longer one is not ours */

/* Judges the answer to `count` events. `rd` is scratch. */
void tw__verdict_read(tw_verdict *verdict, const tw_outcome *outcome, size_t count,
                      int is_batch, tw_json_reader *rd);

#endif
