/* SPDX-License-Identifier: MIT */
/* With a spool what is held waits on the disk: memory is for those who may go on. */
#include "base/clock.h"
#include "ingest/ingest_internal.h"

enum {
    LOOK_ONCE = 4096, /* records looked at before the sender has its turn again */
    REREAD_PARKED_MS = 1000
};

/* ---- letting go -------------------------------------------------------------------- */

/* The first batch that was set apart for its users and devices, off the list. */
static tw_batch *laned_take(tw_ingest *ing)
{
    tw_batch *batch;

    pthread_mutex_lock(&ing->lock);
    for (batch = ing->held.head; batch != NULL && !batch->laned; batch = batch->next)
        ;
    if (batch != NULL)
        tw__batch_list_remove(&ing->held, batch);
    pthread_mutex_unlock(&ing->lock);
    return batch;
}

/* Nonzero when the spool will find its records again. */
static int batch_park(tw_ingest *ing, tw_spool *sp, tw_batch *batch)
{
    uint64_t ids[TW_BATCH_EVENTS_MAX];
    size_t count = 0;
    uint32_t i;

    for (i = batch->first; i < batch->count; i++) {
        const tw_record *record = &batch->records[i];

        if (!record->maybe && record->sent_ms >= 0)
            ids[count++] = record->seq;
    }
    if (count !=
        0) /* nothing of it was stored: it may take long until the next attempt */
        (void)tw__spool_unmark_sent(sp, ids, count, NULL);
    for (i = batch->first, count = 0; i < batch->count; i++)
        ids[count++] = batch->records[i].seq;
    if (tw__spool_park(sp, ids, count) != TW_OK)
        return 0;
    pthread_mutex_lock(&ing->lock);
    for (i = batch->first; i < batch->count; i++) {
        if (ing->parked == 0 || batch->records[i].accepted_ms < ing->parked_since_ms)
            ing->parked_since_ms = batch->records[i].accepted_ms;
        ing->parked++;
    }
    ing->parked_bytes += tw__batch_bytes(batch);
    ing->mem_events -= count;
    ing->mem_bytes -= tw__batch_bytes(batch);
    tw__ingest_recycle(ing, batch);
    pthread_mutex_unlock(&ing->lock);
    return 1;
}

void tw__park(tw_ingest *ing)
{
    tw_batch_list kept = {NULL, NULL};
    tw_batch *batch;
    tw_spool *sp;

    if (ing->ended == NULL)
        return;
    batch = laned_take(ing);
    sp = batch != NULL ? tw__store_use(ing) : NULL;
    pthread_mutex_lock(&ing->reading); /* nobody drops them before they are counted */
    for (; batch != NULL; batch = laned_take(ing)) {
        if (sp == NULL || !batch_park(ing, sp, batch))
            tw__batch_push(&kept, batch); /* without memory it waits in memory */
    }
    pthread_mutex_unlock(&ing->reading);
    if (sp != NULL)
        tw__store_unuse(ing);
    pthread_mutex_lock(&ing->lock);
    for (batch = tw__batch_shift(&kept); batch != NULL; batch = tw__batch_shift(&kept))
        tw__batch_push(&ing->held, batch);
    pthread_mutex_unlock(&ing->lock);
}

/* ---- reading back ------------------------------------------------------------------ */

/* It is in memory again, or gone. @locks takes lock */
static void unpark(tw_ingest *ing, tw_spool *sp, const tw_spool_item *item)
{
    tw_flush *flush;

    tw__spool_unpark(sp, item->id);
    ing->parked_moved = 1;
    pthread_mutex_lock(&ing->lock);
    ing->parked--;
    ing->parked_bytes -= item->size;
    if (item->text == NULL) { /* the disk does not have it any more */
        ing->waiting--;
        ing->finals[TW_FINAL_LOST]++;
        if (item->id >= TW_FOREIGN_SEQ) {
            ing->foreign--;
            ing->foreign_finals[TW_FINAL_LOST]++;
        }
        for (flush = ing->flushes; flush != NULL; flush = flush->next) {
            if (item->id < flush->mark) {
                flush->left--;
                flush->finals[TW_FINAL_LOST]++;
            }
        }
    }
    if (ing->parked == 0) {
        ing->waiting_bytes -= ing->parked_bytes; /* of those that were lost */
        ing->parked_bytes = 0;
    }
    pthread_mutex_unlock(&ing->lock);
}

/* Not at once again. */
static void park_put_off(tw_ingest *ing)
{
    ing->park_due_ms = tw__ms_add(tw__monotonic_ms(), REREAD_PARKED_MS);
}

/* Looks when the oldest of what is left was accepted. Where the disk cannot tell it is said to be
 * as old as the oldest that was there: less than 0. @locks needs reading */
static int since_find(tw_ingest *ing, tw_spool *sp)
{
    int64_t wall_ms;
    int rc;

    ing->parked_moved = 0;
    rc = tw__spool_parked_since(&wall_ms, sp, NULL);
    if (rc == TW_OK) {
        pthread_mutex_lock(&ing->lock);
        ing->parked_since_ms = tw__ingest_steady_of(ing, wall_ms);
        pthread_mutex_unlock(&ing->lock);
    }
    return rc;
}

/* What is at `ing->sweep_at` or behind it: TW_OK, TW_DONE, TW_AGAIN where the batch is full, or an
 * error. What the disk cannot read is passed over, and looked for again later: it keeps nobody
 * waiting whose records can be read. */
static int sweep_step(tw_ingest *ing, tw_spool *sp, tw_batch *batch,
                      const tw_batch_limits *limits)
{
    tw_spool_item item;
    int rc;

    if (!tw__lanes_sweep_on(ing, ing->sweep_at))
        return TW_DONE;
    rc = tw__spool_parked(&item, sp, ing->sweep_at, NULL);
    if (rc == TW_E_QUEUE_FULL) {
        ing->sweep_blind = 1;
        ing->sweep_at = item.id;
        return TW_OK;
    }
    if (rc != TW_OK)
        return rc;
    if (!tw__lanes_sweep_on(ing, item.id))
        return TW_DONE;
    ing->sweep_at = item.id;
    if (item.text != NULL) {
        if (tw__batch_count(batch) != 0 && !tw__batch_fits(batch, item.size, limits))
            return TW_AGAIN;
        if (!tw__lanes_sweep_let(ing, &item)) {
            ing->sweep_at++;
            return TW_OK;
        }
        rc = tw__store_add(ing, batch, &item, limits);
        if (rc != TW_OK)
            return rc;
        batch->records[batch->count - 1].let = 1;
    }
    unpark(ing, sp, &item);
    ing->sweep_at++;
    return TW_OK;
}

/* ---- what has become too old --------------------------------------------------------- */

static int is_old(const tw_ingest *ing, int64_t accepted_ms)
{
    return tw__ingest_steady(ing) - accepted_ms > ing->settings.max_age_ms;
}

int64_t tw__park_due(const tw_ingest *ing)
{
    int64_t left =
        ing->settings.max_age_ms - (tw__ingest_steady(ing) - ing->parked_since_ms);
    int64_t due = tw__ms_add(tw__monotonic_ms(), left < 0 ? 0 : left + 1);

    if (ing->parked == 0 || ing->settings.max_age_ms == 0)
        return INT64_MAX;
    return due > ing->park_due_ms ? due : ing->park_due_ms;
}

/* Like sweep_step, for what is too old. In each lane of the spool the oldest come first; where the
 * clock was set back, one that is older than those before it waits until they are too old as well.
 */
static int age_step(tw_ingest *ing, tw_spool *sp, tw_batch *batch,
                    const tw_batch_limits *limits, uint64_t *from, int *blind)
{
    tw_spool_item item;
    int rc = tw__spool_parked(&item, sp, *from, NULL);

    if (rc == TW_E_QUEUE_FULL) { /* nobody knows how old it is */
        *blind = 1;
        *from = item.id;
        return TW_OK;
    }
    if (rc == TW_OK && item.text != NULL) {
        if (!is_old(ing, tw__ingest_steady_of(ing, item.accepted_ms))) {
            *from = (item.id / TW_FOREIGN_SEQ + 1) * TW_FOREIGN_SEQ; /* the next lane */
            return TW_OK;
        }
        rc = tw__store_add(ing, batch, &item, limits);
    }
    if (rc != TW_OK)
        return rc;
    unpark(ing, sp, &item);
    *from = item.id + 1;
    return TW_OK;
}

/* They come into memory although their lanes are shut, and end there as all do that are too old.
 * Nonzero when it has looked for any. */
static int age_refill(tw_ingest *ing, tw_spool *sp)
{
    tw_batch_limits limits;
    tw_batch *batch;
    uint64_t from = 0;
    int looked = 0;
    int blind = 0;
    int rc = TW_OK;
    int old;

    pthread_mutex_lock(&ing->lock);
    old = tw__park_due(ing) <= tw__monotonic_ms() && ing->freed_lanes.head == NULL;
    pthread_mutex_unlock(&ing->lock);
    if (!old)
        return 0;
    batch = tw__store_begin(ing, &ing->freed_lanes, 1, 1, &limits);
    if (batch == NULL) { /* without memory */
        park_put_off(ing);
        return 0;
    }
    while (rc == TW_OK && looked++ < LOOK_ONCE)
        rc = age_step(ing, sp, batch, &limits, &from, &blind);
    pthread_mutex_lock(&ing->lock);
    tw__store_end(ing, &ing->freed_lanes, batch);
    pthread_mutex_unlock(&ing->lock);
    /* Also where none ended, as by a clock that was set: the same must not be due at once again. */
    if (since_find(ing, sp) < 0 || rc < 0 || blind)
        park_put_off(ing);
    return 1;
}

static int sweep_begin(tw_ingest *ing)
{
    uint64_t from = 0;

    if (ing->sweep_at == 0 && tw__lanes_sweep_begin(ing, &from, tw__monotonic_ms()))
        ing->sweep_at = from;
    return ing->sweep_at != 0;
}

/* Nonzero when a sweep has come to its end. */
static int sweep_refill(tw_ingest *ing, tw_spool *sp)
{
    tw_batch_limits limits;
    tw_batch *batch;
    int looked = 0;
    int rc = TW_OK;

    ing->sweep_more = 0;
    if (ing->hold_count == 0 || !sweep_begin(ing))
        return 0;
    batch = tw__store_begin(ing, &ing->freed_lanes, 1, 0, &limits);
    if (batch == NULL)
        return 0;
    while (rc == TW_OK && looked++ < LOOK_ONCE)
        rc = sweep_step(ing, sp, batch, &limits);
    pthread_mutex_lock(&ing->lock);
    if (rc < 0 || (rc == TW_DONE && ing->sweep_blind))
        park_put_off(ing);
    if (rc == TW_DONE) {
        tw__lanes_sweep_end(ing);
        ing->sweep_at = 0;
        ing->sweep_blind = 0;
    }
    /* Others may have come open since it began. */
    ing->sweep_more = rc <= TW_OK || (rc == TW_DONE && tw__lanes_open(ing));
    tw__store_end(ing, &ing->freed_lanes, batch);
    pthread_mutex_unlock(&ing->lock);
    return rc == TW_DONE;
}

void tw__park_refill(tw_ingest *ing, tw_spool *sp)
{
    int ended;

    if (tw__monotonic_ms() < ing->park_due_ms)
        return;
    ended = age_refill(ing, sp);
    ended |= sweep_refill(ing, sp);
    if (ing->parked_moved) { /* mostly in the page that is there */
        (void)since_find(ing, sp);
        ended = 1;
    }
    if (ended && ing->sweep_at == 0)
        tw__spool_parked_end(sp);
}

/* ---- dropping ---------------------------------------------------------------------- */

size_t tw__park_drop(tw_ingest *ing, tw_spool *sp, uint64_t *ids, size_t most)
{
    tw_batch_limits limits = {.events = most, .bytes = SIZE_MAX};
    tw_batch *batch = NULL;
    tw_spool_item item;
    uint64_t from = 0;
    size_t count;
    size_t i;

    pthread_mutex_lock(&ing->lock);
    if (ing->parked != 0)
        (void)tw__ingest_batch(&batch, ing);
    pthread_mutex_unlock(&ing->lock);
    if (batch == NULL)
        return 0;
    while (tw__batch_count(batch) < most) {
        int rc = tw__spool_parked(&item, sp, from, NULL);

        from = item.id;
        if (rc == TW_E_QUEUE_FULL)
            continue; /* behind what the disk cannot read */
        if (rc == TW_OK && item.text != NULL)
            rc = tw__store_add(ing, batch, &item, &limits);
        if (rc != TW_OK)
            break;
        unpark(ing, sp, &item);
    }
    if (ing->parked_moved)
        (void)since_find(ing, sp);
    count = tw__batch_count(batch);
    pthread_mutex_lock(&ing->lock);
    ing->mem_events += count;
    ing->mem_bytes += tw__batch_bytes(batch);
    for (i = 0; i < count; i++) {
        ids[i] = batch->records[batch->first + i].seq;
        tw__ingest_final(ing, batch, i, TW_FINAL_DROPPED, 0, "the queue was full");
    }
    ing->news |= ing->flushes != NULL; /* one of them may wait for nothing now */
    tw__ingest_recycle(ing, batch);
    pthread_mutex_unlock(&ing->lock);
    return count;
}
