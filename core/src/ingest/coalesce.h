/* SPDX-License-Identifier: MIT */
/* Identify events of one user that wait together become one. */
#ifndef TW_INGEST_COALESCE_H
#define TW_INGEST_COALESCE_H

#include <stddef.h>
#include <stdint.h>

struct tw_event_rules;

typedef struct tw_coalesce tw_coalesce;

/* Whose an event is. */
typedef struct tw_identity {
    uint16_t user,
        device; /* their places in the table; the user's where there is no device */
    unsigned char
        known; /* it names the user: else it may be of any, as only the server knows */
    unsigned char identify;
} tw_identity;

/* An event on its way into the queue. */
typedef struct tw_merge {
    char *text; /* of both, without the later one's tail; NULL: nothing is merged */
    uint64_t absorbed; /* number of the earlier event */
} tw_merge;

/* `text` is the event's record. @thread any @locks none */
tw_identity tw__identity_of(const char *text, const struct tw_event_rules *rules);
/* TW_OK or TW_E_NOMEM. */
int tw__coalesce_new(tw_coalesce **out);
void tw__coalesce_free(tw_coalesce *co); /* NULL is allowed */

#endif
