/* SPDX-License-Identifier: MIT */
/* A driver of the spool that notes what it was promised, and checks it later. */
#ifndef TW_TEST_SPOOL_LEDGER_H
#define TW_TEST_SPOOL_LEDGER_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ingest/spool.h"
#include "support/sim_disk.h"

enum { LEDGER_MOST = 4096 };
#define NEVER SIZE_MAX

/* The moments are numbers of changes of the disk; NEVER where it has not come. */
typedef struct ledger_entry {
    uint64_t id; /* of the spool that holds it now */
    size_t began, accepted, refused;
    size_t ack_began, acked, ack_durable;
    size_t sent;
    int64_t sent_ms;
    int ack_failed;
    size_t call; /* the first record of the same append */
    int seen;    /* by the reader, since the last open */
} ledger_entry;

typedef struct ledger {
    sim_disk *disk; /* NULL: moments are not known */
    tw_spool *sp;
    ledger_entry entries[LEDGER_MOST];
    size_t count;
    size_t moment;  /* of the process's death, where a test wants it */
    size_t unknown; /* given out although never begun */
    size_t litter;  /* files that no process will ever remove */
} ledger;

static inline size_t ledger_now(const ledger *led)
{
    return led->disk != NULL ? led->disk->op_count : 1;
}

/* Texts of many sizes, each with its number at both ends. */
static inline size_t ledger_text(char *out, size_t number)
{
    int size = snprintf(out, 512, "{\"n\":%zu,\"pad\":\"%.*s\",\"m\":%zu}", number,
                        (int)(number * 37 % 120),
                        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                        number);

    return (size_t)size;
}

/* Appends `count` in one call. */
static inline int ledger_append(ledger *led, size_t count)
{
    char texts[16][512];
    tw_spool_text pieces[16] = {{0}};
    ledger_entry *first = &led->entries[led->count];
    uint64_t id = 0;
    size_t i;
    int rc;

    for (i = 0; i < count; i++) {
        size_t size = ledger_text(texts[i], led->count + i);

        pieces[i] =
            (tw_spool_text){texts[i], size / 2, texts[i] + size / 2, size - size / 2};
        first[i] = (ledger_entry){0,     ledger_now(led), NEVER, NEVER, NEVER,      NEVER,
                                  NEVER, NEVER,           -1,    0,     led->count, 0};
    }
    rc = tw__spool_append(&id, led->sp, pieces, count, NULL);
    for (i = 0; i < count; i++) {
        first[i].id = id + i;
        *(rc == TW_OK ? &first[i].accepted : &first[i].refused) = ledger_now(led);
    }
    led->count += count;
    return rc;
}

static inline void ledger_ack(ledger *led, size_t from, size_t count)
{
    uint64_t ids[256] = {0};
    size_t held = 0;
    size_t i;
    int rc;

    for (i = from; i < from + count; i++) {
        ledger_entry *entry = &led->entries[i];

        if (entry->accepted != NEVER && entry->id != 0) {
            entry->ack_began =
                entry->ack_began < ledger_now(led) ? entry->ack_began : ledger_now(led);
            ids[held++] = entry->id;
        }
    }
    rc = tw__spool_ack(led->sp, ids, held, NULL);
    for (i = from; i < from + count; i++) {
        led->entries[i].ack_failed = rc != TW_OK;
        if (led->entries[i].acked == NEVER && led->entries[i].ack_began != NEVER)
            led->entries[i].acked = ledger_now(led);
    }
}

static inline void ledger_sent(ledger *led, size_t from, size_t count, int64_t ms)
{
    uint64_t ids[256] = {0};
    size_t i;
    int rc;

    for (i = 0; i < count; i++)
        ids[i] = led->entries[from + i].id;
    rc = tw__spool_mark_sent(led->sp, ids, count, ms, NULL);
    for (i = from; i < from + count; i++) {
        ledger_entry *e = &led->entries[i];

        if (e->id == 0 || e->accepted == NEVER)
            continue;
        if (e->sent_ms < 0)
            e->sent_ms = ms; /* counts even where the mark is in memory only */
        if (rc == TW_OK && e->sent == NEVER)
            e->sent = ledger_now(led);
    }
}

static inline int ledger_sync(ledger *led)
{
    size_t i;
    int rc = tw__spool_sync(led->sp, NULL);

    for (i = 0; rc == TW_OK && i < led->count; i++) {
        if (led->entries[i].acked != NEVER && led->entries[i].ack_durable == NEVER)
            led->entries[i].ack_durable = ledger_now(led);
    }
    return rc;
}

/* The number of a text, or -1 when a byte of it is wrong. */
static inline long ledger_number(const ledger *led, const char *text, size_t size)
{
    char right[512];
    size_t number;

    if (size < 10 || size > 400 || memcmp(text, "{\"n\":", 5) != 0)
        return -1;
    number = (size_t)strtoul(text + 5, NULL, 10);
    if (number >= led->count || ledger_text(right, number) != size ||
        memcmp(text, right, size) != 0)
        return -1;
    return (long)number;
}

/* Reads all that dead processes left. `sent_wrong` counts wrong times of the first attempt
 * of entries marked before `moment`. */
static inline size_t ledger_read(ledger *led, tw_spool *sp, size_t moment,
                                 size_t *sent_wrong)
{
    tw_spool_item item;
    size_t count = 0;
    size_t i;

    for (i = 0; i < led->count; i++)
        led->entries[i].seen = 0;
    while (tw__spool_next(&item, sp, NULL) == TW_OK) {
        long number = ledger_number(led, item.text, item.size);

        count++;
        if (number < 0) {
            led->unknown++;
            continue;
        }
        led->entries[number].seen++;
        led->entries[number].id = item.id;
        if (sent_wrong != NULL && led->entries[number].sent <= moment)
            *sent_wrong += item.sent_ms != led->entries[number].sent_ms;
    }
    return count;
}

/* How many promises a disk that lost its power at `moment` breaks. */
static inline size_t ledger_broken(ledger *led, size_t moment, int verbose)
{
    size_t broken = led->unknown;
    size_t i;

    for (i = 0; i < led->count; i++) {
        const ledger_entry *e = &led->entries[i];
        const char *what = NULL;

        if (e->seen > 1)
            what = "given out twice";
        else if (e->accepted <= moment && e->ack_began >= moment && e->seen == 0)
            what = "missing";
        else if (e->refused <= moment && e->seen != 0)
            what = "refused, but given out";
        else if (e->ack_durable <= moment && e->seen != 0)
            what = "given out after its acknowledgement was durable";
        else if (e->began > moment && e->seen != 0)
            what = "given out before it existed";
        if (what != NULL && verbose)
            fprintf(stderr, "moment %zu, record %zu: %s\n", moment, i, what);
        broken += what != NULL;
    }
    return broken;
}

#endif
