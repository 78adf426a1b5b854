/* SPDX-License-Identifier: MIT */
/* What is sent next, and when. */
#include "base/clock.h"
#include "base/random.h"
#include "ingest/ingest_internal.h"

enum {
    LOWERED_MS = 3600000, /* so long a limit found by a 413 holds */
    HELD_AGE_MS = 1000, /* what has been too old for so long ends, although it is held */
    PAUSE_MAX_MS = 300000, /* a refused sender tries again at least this often */
    TRIES = 3,      /* of a batch that the server fails at, before another is tried */
    BLIND_CUTS = 16 /* so many requests more an outage may cost in the end */
};

/* Held batches whose time has come go before all others. @locks needs lock */
static void held_release(tw_ingest *ing, int64_t now)
{
    tw_batch_list rest = {NULL, NULL};
    tw_batch *batch;

    for (batch = tw__batch_shift(&ing->held); batch != NULL;
         batch = tw__batch_shift(&ing->held)) {
        batch->laned &= batch->due_ms > now;
        tw__batch_push(batch->due_ms <= now ? &ing->retry : &rest, batch);
    }
    ing->held = rest;
}

/* When the open batch is to go although it is not full. @locks needs lock */
int64_t tw__open_due(const tw_ingest *ing)
{
    const tw_batch *open = ing->open;

    if (open == NULL || tw__batch_count(open) == 0)
        return INT64_MAX;
    if (tw__flush_wants(ing, open->records[open->first].seq))
        return INT64_MIN;
    return tw__ms_add(open->since_ms, ing->settings.flush_interval_ms);
}

/* What had its own limit may be gone: a moment's refusals must not have every event go alone for as
 * long as the process lives, and finding the limit again is a few requests an hour.
 * @locks needs lock */
static tw_batch_limits *limits_now(tw_ingest *ing, const tw_batch *batch)
{
    tw_batch_limits *limits = tw__limits_of(ing, batch);

    if (limits->bytes < limits->most &&
        tw__ingest_steady(ing) - limits->lowered_ms >= LOWERED_MS)
        limits->bytes = limits->most;
    return limits;
}

/* As many records as a request may have: at least one. @locks needs lock */
static size_t fitting(tw_ingest *ing, const tw_batch *batch)
{
    const tw_batch_limits *limits = limits_now(ing, batch);
    size_t count = tw__batch_count(batch);
    size_t most = count < limits->events ? count : limits->events;
    size_t size = ing->head_size + 2;
    size_t i;

    if (most == count && tw__batch_body_size(batch) <= limits->bytes)
        return count;
    for (i = 0; i < most; i++) {
        size += batch->records[batch->first + i].size + (i > 0);
        if (size > limits->bytes)
            break;
    }
    return i > 0 ? i : 1;
}

/* Cuts `batch` in two; the second part goes back to be sent after it. Without memory all
 * of it goes back, and waits. @locks needs lock */
static tw_batch *cut(tw_ingest *ing, tw_batch *batch, size_t keep, int searching)
{
    tw_batch *rest;

    if (tw__batch_cut(&rest, batch, keep) != TW_OK) {
        tw__batch_unshift(&ing->retry, batch);
        ing->not_before_ms =
            tw__ms_add(tw__monotonic_ms(), ing->settings.backoff_first_ms);
        return NULL;
    }
    rest->unknown = searching;
    batch->tells = searching;
    batch->guilty = 0;
    tw__batch_unshift(&ing->retry, rest);
    return batch;
}

/* What a search has cut off and not judged is judged together again, as far as one request takes
 * it: there may be the leftovers of several. @locks needs lock */
static void join_unknown(tw_ingest *ing, tw_batch *batch)
{
    size_t most = tw__limits_of(ing, batch)->events;
    tw_batch *next = ing->retry.head;

    while (next != NULL && next->unknown && !next->guilty &&
           tw__batch_count(batch) + tw__batch_count(next) <= most &&
           tw__batch_append(batch, next) == TW_OK) {
        tw__ingest_recycle(ing, tw__batch_shift(&ing->retry));
        next = ing->retry.head;
    }
}

/* Where the batch goes, which it has not gone before. @locks needs lock */
static tw_batch *address(const tw_ingest *ing, tw_batch *batch, int backlog)
{
    backlog |= ing->spilled != 0 || (ing->ready.head != NULL && ing->ready.head->next);
    batch->use_batch = ing->settings.use_batch == TW_BATCH_ALWAYS ||
                       (ing->settings.use_batch == TW_BATCH_BACKLOG && backlog);
    return batch;
}

/* The next one of those that have not been tried. @locks needs lock */
static tw_batch *untried_take(tw_ingest *ing, int64_t now)
{
    int fresh = ing->ready.head != NULL || tw__open_due(ing) <= now;
    tw_batch *batch;

    /* Older than what else there is of their users. While the sweep is not over all of that has to
     * wait on the disk, whatever is sent meanwhile, and there may be much: others take turns. */
    if (ing->freed_lanes.head != NULL && (ing->freed_turn || ing->sweep_at == 0 ||
                                          !(fresh || ing->backlog.head != NULL))) {
        ing->freed_turn = 0;
        return address(ing, tw__batch_shift(&ing->freed_lanes), 1);
    }
    ing->freed_turn = 1;
    /* What dead processes left and what is new go by turns: the former is older, but there
     * may be hours of it. */
    if (ing->backlog.head != NULL && (ing->backlog_turn || !fresh)) {
        ing->backlog_turn = 0;
        return address(ing, tw__batch_shift(&ing->backlog), 1);
    }
    ing->backlog_turn = 1;
    batch = tw__batch_shift(&ing->ready);
    if (batch == NULL && fresh) {
        tw__ingest_seal(ing);
        batch = tw__batch_shift(&ing->ready);
    }
    return batch != NULL ? address(ing, batch, 0) : NULL;
}

/*
 * The server fails at the first batch again and again: it is down, or it breaks at an event in
 * there. Another batch tells. If that fails as well the first has its turn again, for the sake of
 * the order; if it is stored, the first is doubted: when it then fails once more it no longer
 * keeps others waiting, and goes in halves (see verdict.c). If there is no other one its first
 * half goes, and if that is stored the other is what may be to blame. @locks needs lock
 */
static tw_batch *batch_instead(tw_ingest *ing, tw_batch *first, int64_t now)
{
    tw_batch *batch = untried_take(ing, now);
    tw_batch *rest;

    first->failed = 0;
    if (batch == NULL && tw__batch_count(first) > 1 && ing->blind_cuts < BLIND_CUTS &&
        tw__batch_cut(&rest, first, tw__batch_count(first) / 2) == TW_OK) {
        ing->blind_cuts++;
        tw__batch_unshift(&ing->retry, rest);
        return first;
    }
    if (batch == NULL && ing->retry.head != NULL && !ing->retry.head->suspect)
        batch = tw__batch_shift(&ing->retry);
    if (batch == NULL)
        return first;
    batch->probe = 1;
    ing->doubtful = first->records[first->first].seq;
    tw__batch_unshift(&ing->retry, first);
    return batch;
}

/* @locks needs lock */
static tw_batch *batch_take(tw_ingest *ing, int64_t now)
{
    tw_batch *batch = tw__batch_shift(&ing->retry);

    if (batch == NULL)
        return untried_take(ing, now);
    return batch->failed >= TRIES && !batch->suspect && batch->seen == ing->successes
               ? batch_instead(ing, batch, now)
               : batch;
}

/* The server forgets what it has stored after 7 days (Amplitude HTTP V2 API docs, read
 * 2026-11-23): four hours before, an event that it may have is not sent again. */
#define WINDOW_MS (((int64_t)7 * 24 - 4) * 3600000)

/* How the record ends because of its age, or TW_FINAL_COUNT. */
static tw_final too_old(const tw_ingest *ing, const tw_record *record, int64_t now)
{
    if (record->maybe && now - record->sent_ms > WINDOW_MS)
        return TW_FINAL_UNCERTAIN;
    if (ing->settings.max_age_ms != 0 &&
        now - record->accepted_ms > ing->settings.max_age_ms)
        return record->maybe ? TW_FINAL_UNCERTAIN : TW_FINAL_EXPIRED;
    return TW_FINAL_COUNT;
}

/* Ends the records that are too old to be sent; nonzero when there were any. @locks needs
 * lock */
static int age(tw_ingest *ing, tw_batch *batch)
{
    unsigned char marks[TW_BATCH_EVENTS_MAX] = {0};
    int64_t now = tw__ingest_steady(ing);
    size_t count = tw__batch_count(batch);
    int any = 0;
    size_t i;

    if (ing->settings.max_age_ms == 0 && !batch->resent)
        return 0;
    for (i = 0; i < count; i++) {
        tw_final end = too_old(ing, &batch->records[batch->first + i], now);

        if (end == TW_FINAL_COUNT)
            continue;
        tw__ingest_final(ing, batch, i, end, 0,
                         end == TW_FINAL_EXPIRED
                             ? "it was older than max_age"
                             : "it was sent too long ago to be sent again");
        marks[i] = 1;
        any = 1;
    }
    if (any) {
        tw__batch_keep(batch, marks, 0);
        tw__ingest_tell_room(ing);
    }
    return any;
}

/* How long the oldest record of the batch may still wait; less than 0 where it is too old. */
static int64_t age_left(const tw_ingest *ing, tw_batch *batch, int64_t now)
{
    if (ing->settings.max_age_ms == 0 || tw__batch_count(batch) == 0)
        return INT64_MAX; /* an empty one was to take what there was no memory for */
    return ing->settings.max_age_ms - (now - tw__batch_oldest(batch));
}

int64_t tw__held_age_due(const tw_ingest *ing)
{
    int64_t now = tw__ingest_steady(ing);
    int64_t left = INT64_MAX;
    tw_batch *batch;

    for (batch = ing->held.head; batch != NULL; batch = batch->next) {
        int64_t one = age_left(ing, batch, now);

        left = one < left ? one : left;
    }
    if (left == INT64_MAX)
        return left;
    left += HELD_AGE_MS;
    return tw__ms_add(tw__monotonic_ms(), left < 0 ? 0 : left);
}

/* Of those that are held one batch at a time, for the spool is told of the ends of no more at once.
 * Nonzero when there was one. @locks needs lock */
static int held_age(tw_ingest *ing)
{
    int64_t now = tw__ingest_steady(ing);
    tw_batch *batch = ing->held.head;

    while (batch != NULL && age_left(ing, batch, now) >= 0)
        batch = batch->next;
    if (batch == NULL)
        return 0;
    (void)age(ing, batch);
    if (tw__batch_count(batch) == 0) {
        tw__batch_list_remove(&ing->held, batch);
        tw__ingest_recycle(ing, batch);
    }
    return 1;
}

tw_batch *tw__batch_next(tw_ingest *ing, int64_t now)
{
    tw_batch *batch;

    held_release(ing, now);
    if (!ing->canceled && held_age(ing)) {
        ing->aged = 1;
        return NULL;
    }
    if (ing->canceled || now < ing->not_before_ms)
        return NULL;
    batch = batch_take(ing, now);
    if (batch == NULL)
        return NULL;
    ing->aged = age(ing, batch);
    ing->aged |= tw__lanes_part(ing, batch, now);
    if (tw__batch_count(batch) == 0) {
        tw__ingest_recycle(ing, batch);
        return NULL;
    }
    return batch;
}

tw_batch *tw__batch_fit(tw_ingest *ing, tw_batch *batch)
{
    size_t count = tw__batch_count(batch);
    size_t keep;

    if (batch->split && count > 1) {
        batch->split = 0;
        batch->failed = 0;
        return cut(ing, batch, count / 2, 0);
    }
    if (batch->guilty && count > 1)
        return cut(ing, batch, count / 2, 1);
    if (batch->unknown && !batch->guilty)
        join_unknown(ing, batch);
    batch->unknown = 0;
    batch->guilty = 0;
    keep = fitting(ing, batch);
    return keep == tw__batch_count(batch) ? batch : cut(ing, batch, keep, 0);
}

/* ---- waiting ----------------------------------------------------------------------- */

/* Full jitter: uniform in (0, first * 2^n], n counted from 0 and the whole at most
 * `max`. */
static int64_t backoff(int64_t first, int64_t max, unsigned n)
{
    int64_t cap = first > 0 ? first : 1;

    if (max < 1)
        max = 1;
    while (n-- > 0 && cap < max)
        cap = cap > INT64_MAX / 2 ? INT64_MAX : cap * 2;
    if (cap > max)
        cap = max;
    return 1 + (int64_t)tw__random_below((uint64_t)cap);
}

void tw__wait_retry(tw_ingest *ing, int64_t at_least)
{
    int64_t wait = backoff(ing->settings.backoff_first_ms, ing->settings.backoff_max_ms,
                           ing->failures);

    ing->failures++;
    if (wait < at_least)
        wait = at_least;
    ing->not_before_ms = tw__ms_add(tw__monotonic_ms(), wait);
}

int64_t tw__wait_batch(const tw_ingest *ing, const tw_batch *batch)
{
    return backoff(ing->settings.backoff_first_ms, ing->settings.backoff_max_ms,
                   batch->failed);
}

/* Probes are rarer than retries: backoff_max and a jitter on top of it, whose range is doubled each
 * time. */
void tw__wait_pause(tw_ingest *ing, int64_t at_least)
{
    int64_t first = ing->settings.backoff_max_ms > 0 ? ing->settings.backoff_max_ms : 1;
    int64_t wait;

    if (first > PAUSE_MAX_MS)
        first = PAUSE_MAX_MS;
    wait = first + backoff(first, PAUSE_MAX_MS - first, ing->pauses);
    ing->pauses++;
    if (wait < at_least)
        wait = at_least;
    ing->not_before_ms = tw__ms_add(tw__monotonic_ms(), wait);
}
