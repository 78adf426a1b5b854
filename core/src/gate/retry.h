/* SPDX-License-Identifier: MIT */
/* What an attempt's end means, and whether there is another: the one table for both. */
#ifndef TW_GATE_RETRY_H
#define TW_GATE_RETRY_H

#include <stdint.h>

#include <tidewheel/common.h>

#include "gate/endpoints.h"

/* How an attempt ended. */
typedef struct tw_attempt {
    int status;    /* 0 without an answer */
    int code;      /* the transport's code; TW_OK when the answer was read whole */
    int sent;      /* how often it may have left */
    int permanent; /* the transport says that trying again soon cannot help */
} tw_attempt;

typedef struct tw_verdict {
    int code; /* tw_code of the outcome; TW_OK is success */
    tw_stored stored;
    int retriable; /* for the error: may the same call succeed later? */
    int again;     /* the gate may send it again by itself */
} tw_verdict;

/* Pure. @thread any */
tw_verdict tw__retry_judge(const tw_attempt *attempt, tw_repeat repeat);

enum {
    TW_RETRY_ATTEMPTS = 3,
    TW_RETRY_FIRST_MS = 500,
    TW_RETRY_MOST_MS = 8000,
    TW_RETRY_HEEDED_MS = 60 * 1000
};

/* Wait before attempt number `attempt` (2, 3, ...): full jitter, never less than what the server
 * asked for (-1 = nothing). */
int64_t tw__retry_delay(int attempt, int64_t retry_after_ms);

/* The part of a Retry-After that a call with somebody waiting obeys: -1, our own back-off alone,
 * where the server asks for more than a minute. The error repeats what it asked for. */
int64_t tw__retry_heed(int64_t retry_after_ms);

/* A Retry-After field: seconds or an HTTP date; -1 when absent, negative or garbage, `most_ms`
 * at the most. */
int64_t tw__retry_after(const char *field, int64_t most_ms);

/* Retries are paid from a quota that successes refill, so that an outage is not made worse:
 * nonzero when one more is paid for. */
typedef struct tw_retry_quota {
    int left;
} tw_retry_quota;

void tw__retry_quota_init(tw_retry_quota *quota);
int tw__retry_quota_take(tw_retry_quota *quota);
void tw__retry_quota_success(tw_retry_quota *quota);

#endif
