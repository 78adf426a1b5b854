/* SPDX-License-Identifier: MIT */
/* From an event being written to the frozen record. */
#ifndef TW_INGEST_RECORD_H
#define TW_INGEST_RECORD_H

#include <stdint.h>

#include <tidewheel/event.h>

#include "ingest/coalesce.h"
#include "ingest/event_rules.h"
#include "ingest/recent_ids.h"

struct tw_ingest;

/* An event in a caller's hands; pooled by the ingest it belongs to. */
struct tw_event {
    struct tw_ingest *ing;
    tw_event *next; /* in the pool */
    tw_json_writer *wr;
    tw_event_rules rules;
    int frozen;    /* the record is made and does not change any more */
    char tail[96]; /* what is added behind the caller's last member, with the brace */
    size_t tail_size;
    int64_t give_up_ms; /* of waiting for room; -1 before the first TW_AGAIN */
    int clock_suspect;  /* its time is of a clock that was not set */
    int prepared;       /* everything but queueing is done */
    tw_recent_id given; /* once prepared */
    tw_identity whose;  /* as well, where events are merged */
};

/* A frozen record in two pieces, which together are one JSON object. */
typedef struct tw_record_text {
    const char *head;
    size_t head_size;
    const char *tail;
    size_t tail_size;
} tw_record_text;

/* The looks are borrowed. */
int tw__event_new(tw_event **out, struct tw_ingest *ing, size_t max_bytes,
                  const tw_event_looks *looks, unsigned mends, tw_error **err);
void tw__event_free(tw_event *ev);
/* Forgets the event, keeps the memory. */
void tw__event_reset(tw_event *ev);
/* Checks the whole and, the first time, adds insert_id and time where absent. The text is
 * borrowed until reset. */
int tw__event_freeze(tw_event *ev, tw_record_text *text, tw_error **err);

#endif
