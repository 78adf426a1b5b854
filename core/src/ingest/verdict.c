/* SPDX-License-Identifier: MIT */
/* Carrying out what an answer means for the events of a batch. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "ingest/ingest_internal.h"

enum {
    SPLITS_MAX = 600,        /* in search of an event the server does not name, ... */
    SPLITS_WINDOW_MS = 60000 /* ... within this time */
};

/* The API has answered and let us in. */
static void let_in(tw_ingest *ing)
{
    ing->pauses = 0;
    pthread_mutex_lock(&ing->lock);
    ing->paused = 0;
    pthread_mutex_unlock(&ing->lock);
}

/* All records of `batch` end as `state`. @locks needs lock */
static void end_all(tw_ingest *ing, tw_batch *batch, tw_final state, const char *reason)
{
    size_t count = tw__batch_count(batch);
    size_t i;

    for (i = 0; i < count; i++)
        tw__ingest_final(ing, batch, i, state, ing->verdict.status, reason);
    tw__ingest_recycle(ing, batch);
}

void tw__batch_again(tw_ingest *ing, tw_batch *batch)
{
    batch->resent = 1;
    pthread_mutex_lock(&ing->lock);
    tw__batch_unshift(&ing->retry, batch);
    pthread_mutex_unlock(&ing->lock);
}

/* The whole batch waits, others go on. */
static void put_off(tw_ingest *ing, tw_batch *batch, int64_t wait_ms)
{
    batch->resent = 1;
    batch->due_ms = tw__ms_add(tw__monotonic_ms(), wait_ms);
    pthread_mutex_lock(&ing->lock);
    tw__batch_push(&ing->held, batch);
    pthread_mutex_unlock(&ing->lock);
}

/* The server failed. Whether it broke at this batch only is found out in schedule.c; one that is
 * suspected waits for itself, longer each time, and is halved as long as others are stored. */
static void retry(tw_ingest *ing, tw_batch *batch, const tw_verdict *verdict)
{
    int probe = batch->probe;
    int failed;

    batch->probe = 0;
    if (!batch->suspect && batch->seen != ing->successes) {
        batch->failed = 0; /* what was before says nothing any more */
        batch->seen = ing->successes;
    }
    /* Also by an answer that is not the API's: a firewall may refuse one event with a page. */
    failed = verdict->status != 0 || verdict->stored == TW_STORED_MAYBE;
    batch->failed += (unsigned)failed;
    batch->suspect |= failed && batch->doubted;
    if (batch->suspect) {
        int64_t wait = tw__wait_batch(ing, batch);

        batch->split = ing->successes != batch->seen || batch->doubted;
        batch->doubted = 0;
        batch->seen = ing->successes;
        put_off(ing, batch, wait > verdict->wait_ms ? wait : verdict->wait_ms);
        if (ing->failures == 0 && verdict->wait_ms == 0)
            return;
    } else {
        pthread_mutex_lock(&ing->lock);
        batch->resent = 1;
        if (probe)
            tw__batch_insert(&ing->retry, batch);
        else
            tw__batch_unshift(&ing->retry, batch);
        pthread_mutex_unlock(&ing->lock);
    }
    tw__wait_retry(ing, verdict->wait_ms);
}

/* The server is well: if another batch had to show that, the one it stood in for may be to
 * blame. */
static void well(tw_ingest *ing, tw_batch *batch)
{
    tw_batch *first;

    ing->failures = 0;
    ing->not_before_ms = 0;
    ing->blind_cuts = 0;
    ing->successes++;
    pthread_mutex_lock(&ing->lock);
    for (first = batch->probe ? ing->retry.head : NULL; first != NULL;
         first = first->next) {
        if (first->records[first->first].seq == ing->doubtful)
            first->doubted = 1;
    }
    pthread_mutex_unlock(&ing->lock);
    batch->probe = 0;
    batch->doubted = 0;
    batch->failed = 0;
}

static void finish_all(tw_ingest *ing, tw_batch *batch, tw_final state,
                       const char *reason)
{
    pthread_mutex_lock(&ing->lock);
    end_all(ing, batch, state, reason);
    tw__ingest_tell_room(ing);
    pthread_mutex_unlock(&ing->lock);
}

static void reject_one(tw_ingest *ing, tw_batch *batch, const tw_verdict *verdict)
{
    pthread_mutex_lock(&ing->lock);
    tw__rejection_add(ing, batch, 0, &verdict->reasons[0], verdict->status);
    end_all(ing, batch, TW_FINAL_REJECTED, verdict->reasons[0].text);
    tw__ingest_tell_room(ing);
    pthread_mutex_unlock(&ing->lock);
}

static void reject_marked(tw_ingest *ing, tw_batch *batch, const tw_verdict *verdict)
{
    unsigned char marks[TW_BATCH_EVENTS_MAX];
    size_t count = tw__batch_count(batch);
    int any = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        unsigned char mark = verdict->marks[i];

        marks[i] = mark >= TW_MARK_REJECT;
        if (!marks[i])
            continue;
        tw__rejection_add(ing, batch, i, &verdict->reasons[mark - TW_MARK_REJECT],
                          verdict->status);
        tw__ingest_final(ing, batch, i, TW_FINAL_REJECTED, verdict->status,
                         verdict->reasons[mark - TW_MARK_REJECT].text);
        any = 1;
    }
    if (any)
        tw__batch_keep(batch, marks, 0);
}

/* Named events are refused or held; the others are sent again at once. Zero when none was
 * named: then nothing has happened. */
static int apply_marks(tw_ingest *ing, tw_batch *batch, const tw_verdict *verdict)
{
    int64_t now = tw__monotonic_ms();
    size_t count = tw__batch_count(batch);
    int whole = 0;
    int taken;
    size_t i;

    pthread_mutex_lock(&ing->lock);
    for (i = 0; i < count; i++) {
        if (verdict->marks[i] < TW_MARK_REJECT &&
            tw__lanes_hold(ing, batch, i, verdict, now) != TW_OK)
            whole = 1;
    }
    batch->resent = 1; /* also the part that is set apart */
    reject_marked(ing, batch, verdict);
    (void)tw__lanes_part(ing, batch, now);
    tw__ingest_tell_room(ing);
    pthread_mutex_unlock(&ing->lock);
    taken = tw__batch_count(batch) != count;
    if (tw__batch_count(batch) == 0)
        finish_all(ing, batch, TW_FINAL_STORED, NULL); /* of nothing: gives it back */
    else if (!taken && verdict->kind == TW_VERDICT_THROTTLED)
        return 0;
    else if (whole || !taken) /* without memory, or of nobody: not again at once */
        put_off(ing, batch, verdict->wait_ms);
    else
        tw__batch_again(ing, batch);
    return 1;
}

/*
 * The server refuses the batch because of an event it does not name. The first such event
 * is found by halving: the first half is sent; if it is stored the second must hold the
 * event, and is halved without being sent; if it is refused it is halved itself, and the
 * second half joins what comes behind. So each refused event costs log2(n) requests and
 * one for all that follows it. Only an event that was refused alone is to blame. The rate
 * of halvings is bounded, so that a server that refuses everything is not stormed.
 */
static void search(tw_ingest *ing, tw_batch *batch, const tw_verdict *verdict)
{
    int64_t now = tw__monotonic_ms();

    if (tw__batch_count(batch) == 1) {
        reject_one(ing, batch, verdict);
        return;
    }
    batch->guilty = 1;
    if (ing->split_count == 0 || now - ing->split_from_ms >= SPLITS_WINDOW_MS) {
        ing->split_from_ms = now;
        ing->split_count = 0;
    }
    if (ing->split_count == SPLITS_MAX) {
        put_off(ing, batch, ing->split_from_ms + SPLITS_WINDOW_MS - now);
        return;
    }
    ing->split_count++;
    tw__batch_again(ing, batch);
}

/* It was stored. */
static void search_tell(tw_ingest *ing, const tw_batch *batch)
{
    pthread_mutex_lock(&ing->lock);
    if (batch->tells && ing->retry.head != NULL && ing->retry.head->unknown)
        ing->retry.head->guilty = 1;
    pthread_mutex_unlock(&ing->lock);
}

/* A smaller limit than documented holds for now: something on the way has its own. It is one of
 * bytes: two events of which one is large say nothing of how many small ones may go together. */
static void shrink(tw_ingest *ing, tw_batch *batch, const tw_verdict *verdict)
{
    tw_batch_limits *limits;

    if (tw__batch_count(batch) == 1) {
        reject_one(ing, batch, verdict);
        return;
    }
    pthread_mutex_lock(&ing->lock);
    limits = tw__limits_of(ing, batch);
    if (limits->bytes > ing->sent_bytes / 2)
        limits->bytes = ing->sent_bytes / 2;
    limits->lowered_ms = tw__ingest_steady(ing);
    pthread_mutex_unlock(&ing->lock);
    tw__batch_again(ing, batch); /* to be cut when it is sent */
}

static void pause_sending(tw_ingest *ing, tw_batch *batch, const tw_verdict *verdict)
{
    const char *why = verdict->reasons[0].text;
    tw_error *err = NULL;

    tw__wait_pause(ing, verdict->wait_ms);
    pthread_mutex_lock(&ing->lock);
    ing->paused = 1;
    pthread_mutex_unlock(&ing->lock);
    tw__batch_again(ing, batch);
    if (verdict->status == 0)
        tw__error(&err, verdict->code, "sending was paused, the events are kept: %s",
                  why);
    else
        tw__error(&err, verdict->code,
                  "ingestion was refused with HTTP %d%s%s: sending was paused, the "
                  "events are kept",
                  verdict->status, *why != '\0' ? ", " : "", why);
    tw__error_set_http(err, verdict->status);
    tw__flush_fail(ing, err);
    tw_error_free(err);
}

/* Confirmed, but not all: sent once more, as duplicates are dropped by insert_id; the
 * second time nothing more can be learned. */
static void apply_short(tw_ingest *ing, tw_batch *batch)
{
    if (batch->short_ack) {
        finish_all(ing, batch, TW_FINAL_UNCERTAIN,
                   "the server confirmed another number of events than were sent");
        return;
    }
    batch->short_ack = 1;
    tw__wait_retry(ing, 0);
    tw__batch_again(ing, batch);
}

/* No event is listed, but perhaps its user or device is named. */
static void throttle(tw_ingest *ing, tw_batch *batch, const tw_verdict *verdict)
{
    if (verdict->name_count != 0 && apply_marks(ing, batch, verdict)) {
        tw__trouble_end(ing);
        return;
    }
    put_off(ing, batch, verdict->wait_ms);
    tw__wait_retry(ing, 0); /* it may be all of us */
}

static int no_json(const tw_verdict *verdict)
{
    return verdict->status == 415 ||
           (verdict->status == 400 &&
            strncmp(verdict->reasons[0].text, "Invalid JSON", 12) == 0);
}

/* Its answer speaks of the events. */
static int plain_read(const tw_verdict *verdict)
{
    return verdict->kind <= TW_VERDICT_SUSPECT || verdict->kind == TW_VERDICT_THROTTLED;
}

/* A server that does not know compressed bodies says that this is no JSON. Then the same events go
 * out plain; if that helps, so do all others from now on. */
static int gzip_suspect(tw_ingest *ing, const tw_verdict *verdict)
{
    if (ing->gzip_doubt) {
        int unread = no_json(verdict); /* plain as well: it was not that */

        if (unread || plain_read(verdict)) {
            ing->gzip_doubt = 0;
            ing->gzip_off = !unread;
        }
        return 0;
    }
    if (!ing->gzip_sent || !no_json(verdict))
        return 0;
    ing->gzip_doubt = 1;
    return 1;
}

void tw__verdict_apply(tw_ingest *ing)
{
    tw_verdict *verdict = &ing->verdict;
    tw_batch *batch = ing->sent;
    uint32_t i;

    pthread_mutex_lock(&ing->lock);
    ing->on_wire = NULL;
    pthread_mutex_unlock(&ing->lock);
    ing->sent = NULL;
    ing->judged = 0;
    if (verdict->stored == TW_STORED_MAYBE) {
        for (i = batch->first; i < batch->count; i++)
            batch->records[i].maybe = 1;
    }
    if (gzip_suspect(ing, verdict)) {
        tw__batch_again(ing, batch);
        return;
    }
    if (verdict->stored == TW_STORED_NO &&
        (verdict->kind > TW_VERDICT_TOO_LARGE || verdict->status == 429))
        tw__store_unmark(ing, batch); /* it may take long until the next attempt */
    if (verdict->kind != TW_VERDICT_RETRY && verdict->kind != TW_VERDICT_PAUSE)
        let_in(ing);
    if (verdict->kind <= TW_VERDICT_TOO_LARGE)
        well(ing, batch);
    switch (verdict->kind) {
    case TW_VERDICT_STORED:
        search_tell(ing, batch);
        finish_all(ing, batch, TW_FINAL_STORED, NULL);
        break;
    case TW_VERDICT_SHORT:
        apply_short(ing, batch);
        break;
    case TW_VERDICT_LISTED:
        (void)apply_marks(ing, batch, verdict);
        break;
    case TW_VERDICT_SUSPECT:
        search(ing, batch, verdict);
        break;
    case TW_VERDICT_TOO_LARGE:
        shrink(ing, batch, verdict);
        break;
    case TW_VERDICT_THROTTLED:
        batch->probe = 0;
        throttle(ing, batch, verdict);
        break;
    case TW_VERDICT_RETRY:
        retry(ing, batch, verdict);
        break;
    case TW_VERDICT_PAUSE:
        pause_sending(ing, batch, verdict);
        break;
    }
}
