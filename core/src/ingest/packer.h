/* SPDX-License-Identifier: MIT */
/* Batches: frozen records laid out as the body of one request. */
#ifndef TW_INGEST_PACKER_H
#define TW_INGEST_PACKER_H

#include <stddef.h>
#include <stdint.h>

#include "ingest/record.h"

/* What is known of one record besides its bytes. */
typedef struct tw_record {
    uint32_t at;         /* of its first byte in the batch */
    uint32_t size;       /* bytes, without the comma before it */
    uint64_t seq;        /* order of acceptance within the client; its id in the spool */
    uint64_t carrier;    /* 1 + seq of an event that has its operations too; 0: none */
    int64_t accepted_ms; /* steady (tw__ingest_steady) */
    int64_t sent_ms;     /* steady, of the first attempt that may have stored it, or -1 */
    unsigned char maybe; /* an attempt ended without an answer: it may be stored */
    unsigned char let;   /* its held lanes have counted it and let it pass */
} tw_record;

/*
 * A batch is its own request body: room for the envelope's head, then records divided by
 * commas, then the envelope's end. Records are copied in once, at acceptance; sending
 * copies nothing.
 */
typedef struct tw_batch {
    struct tw_batch *next;
    char *data;
    size_t size; /* bytes used, the head's room included */
    size_t room;
    size_t head; /* room kept in front */
    tw_record *records;
    uint32_t first; /* records before it were dropped */
    uint32_t count; /* one past the last */
    uint32_t records_room;
    int64_t since_ms;  /* monotonic: when the first record came into the open batch */
    int64_t due_ms;    /* held back until then */
    int64_t oldest_ms; /* see tw__batch_oldest; TW_OLDEST_UNKNOWN: to be looked up */
    int resent;        /* holds records that were sent before */
    int use_batch;     /* goes to /batch */
    int laned;         /* its records wait for their users or devices */
    int short_ack;     /* the server confirmed fewer events than were sent */
    /* The server fails, and it may be because of this one (schedule.c): */
    unsigned failed; /* attempts since it was tried first or another one in its place */
    int probe;       /* goes in the place of the one that is first */
    int doubted;     /* that one was stored: if it fails again it is suspect */
    int suspect;     /* the server was well when others came */
    int split;       /* and was so since this one failed: it goes in halves */
    uint64_t seen;   /* ing->successes when it failed */
    /* In search of an event that the server refuses without naming it: */
    int unknown; /* not judged since it was cut off */
    int guilty;  /* holds such an event: its other half was stored */
    int tells;   /* if this one is stored, the one behind it is guilty */
} tw_batch;

typedef struct tw_batch_limits {
    size_t events;
    size_t bytes; /* of the whole body; after a 413 fewer than `most`, for a while */
    size_t most;
    int64_t lowered_ms; /* when, steady */
} tw_batch_limits;

#define TW_OLDEST_UNKNOWN INT64_MIN

int tw__batch_new(tw_batch **out, size_t head);
void tw__batch_free(tw_batch *batch); /* NULL is allowed; wipes the envelope's head */
/* Empties it and keeps the memory. */
void tw__batch_reset(tw_batch *batch);

size_t tw__batch_count(const tw_batch *batch);
/* Bytes of its records, without commas and envelope. */
size_t tw__batch_bytes(const tw_batch *batch);
/* Size of the body. */
size_t tw__batch_body_size(const tw_batch *batch);
int tw__batch_fits(const tw_batch *batch, size_t record_size,
                   const tw_batch_limits *limits);
/* The earliest time of acceptance of its records, of which there is one at least. */
int64_t tw__batch_oldest(tw_batch *batch);
/* The batch, which is empty, is likely to need so much (`size` as in tw_batch) and as many records:
 * takes the memory at once, where there is any, so that nothing has to be moved meanwhile. */
void tw__batch_expect(tw_batch *batch, size_t size, size_t count);
/* TW_OK or TW_E_NOMEM, which leaves the batch as it was. */
int tw__batch_add(tw_batch *batch, const tw_record_text *text, uint64_t seq,
                  int64_t accepted_ms);
/* Forgets the first record. */
void tw__batch_drop_first(tw_batch *batch);
/* Puts head and end around the records; borrowed until the batch changes. */
const char *tw__batch_body(tw_batch *batch, const char *head, size_t *size);

/* `marks` has an entry per record. Appends the records marked `mark` to `into`: TW_OK, or
 * TW_E_NOMEM and nothing has happened. */
int tw__batch_copy(tw_batch *into, const tw_batch *batch, const unsigned char *marks,
                   unsigned char mark);
/* Appends all records of `from`: TW_OK, or TW_E_NOMEM and nothing has happened. */
int tw__batch_append(tw_batch *into, const tw_batch *from);
/* Takes every record out that is not marked `mark`. */
void tw__batch_keep(tw_batch *batch, const unsigned char *marks, unsigned char mark);
/* The records from the `keep`-th on become a batch of their own; `keep` is at least 1 and
 * less than the count. TW_OK or TW_E_NOMEM. */
int tw__batch_cut(tw_batch **out, tw_batch *batch, size_t keep);

#endif
