/* SPDX-License-Identifier: MIT */
/* Carrying out what an answer means for the events of a batch. */
#include "base/clock.h"
#include "base/error.h"
#include "ingest/ingest_internal.h"

enum {
    SPLITS_MAX = 600,         /* in search of an event the server does not name, ... */
    SPLITS_WINDOW_MS = 60000, /* ... within this time */
    HOLD_MERGE_MS = 1000 /* throttled events that are due so close together go together */
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
static void end_all(tw_ingest *ing, tw_batch *batch, tw_final state)
{
    size_t count = tw__batch_count(batch);
    size_t i;

    for (i = 0; i < count; i++)
        tw__ingest_final(ing, batch, i, state);
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

static void finish_all(tw_ingest *ing, tw_batch *batch, tw_final state)
{
    pthread_mutex_lock(&ing->lock);
    end_all(ing, batch, state);
    tw__ingest_tell_room(ing);
    pthread_mutex_unlock(&ing->lock);
}

static void reject_one(tw_ingest *ing, tw_batch *batch, const tw_verdict *verdict)
{
    pthread_mutex_lock(&ing->lock);
    tw__rejection_add(ing, batch, 0, &verdict->reasons[0], verdict->status);
    end_all(ing, batch, TW_FINAL_REJECTED);
    tw__ingest_tell_room(ing);
    pthread_mutex_unlock(&ing->lock);
}

/* The batch that throttled records join: the last one, when it is due at about the same
 * time. @locks needs lock */
static tw_batch *hold_batch(tw_ingest *ing, int64_t now, int64_t wait_ms)
{
    tw_batch *last = ing->held.tail;
    int64_t due = tw__ms_add(now, wait_ms);
    tw_batch *batch;

    /* since_ms tells when the first was held: joining must not put it off again and
     * again. */
    if (last != NULL && last->since_ms > now - HOLD_MERGE_MS && last->due_ms <= due &&
        due - last->due_ms <= HOLD_MERGE_MS) {
        last->due_ms = due;
        return last;
    }
    if (tw__ingest_batch(&batch, ing) != TW_OK)
        return NULL;
    batch->since_ms = now;
    batch->due_ms = due;
    tw__batch_push(&ing->held, batch);
    return batch;
}

/* Sets the records marked HOLD apart. Without memory the caller has to hold the whole
 * batch. */
static int hold(tw_ingest *ing, tw_batch *batch, tw_verdict *verdict)
{
    tw_batch *into = hold_batch(ing, tw__monotonic_ms(), verdict->wait_ms);
    int rc;

    if (into == NULL)
        return TW_E_NOMEM;
    rc = tw__batch_copy(into, batch, verdict->marks, TW_MARK_HOLD);
    into->resent = 1;
    if (rc != TW_OK && tw__batch_count(into) == 0) {
        tw__batch_list_remove(&ing->held, into);
        tw__ingest_recycle(ing, into);
    }
    return rc;
}

/* Named events are refused or held; the others are sent again at once. */
static void apply_marks(tw_ingest *ing, tw_batch *batch, tw_verdict *verdict)
{
    size_t count = tw__batch_count(batch);
    size_t held = 0;
    int whole = 0;
    size_t i;

    pthread_mutex_lock(&ing->lock);
    for (i = 0; i < count; i++) {
        unsigned char mark = verdict->marks[i];

        held += mark == TW_MARK_HOLD;
        if (mark < TW_MARK_REJECT)
            continue;
        tw__rejection_add(ing, batch, i, &verdict->reasons[mark - TW_MARK_REJECT],
                          verdict->status);
        tw__ingest_final(ing, batch, i, TW_FINAL_REJECTED);
    }
    if (held != 0 && hold(ing, batch, verdict) != TW_OK) {
        whole = 1;
        for (i = 0; i < count; i++) {
            if (verdict->marks[i] == TW_MARK_HOLD)
                verdict->marks[i] = TW_MARK_KEEP;
        }
    }
    tw__batch_keep(batch, verdict->marks, TW_MARK_KEEP);
    tw__ingest_tell_room(ing);
    pthread_mutex_unlock(&ing->lock);
    if (tw__batch_count(batch) == 0)
        finish_all(ing, batch,
                   TW_FINAL_STORED); /* of nothing: only gives the batch back */
    else if (whole)
        put_off(ing, batch, verdict->wait_ms);
    else
        tw__batch_again(ing, batch);
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

/* A smaller limit than documented holds from now on: something on the way has its own. */
static void shrink(tw_ingest *ing, tw_batch *batch, const tw_verdict *verdict)
{
    size_t count = tw__batch_count(batch);

    if (count == 1) {
        reject_one(ing, batch, verdict);
        return;
    }
    pthread_mutex_lock(&ing->lock);
    if (ing->limits.bytes > ing->sent_bytes / 2)
        ing->limits.bytes = ing->sent_bytes / 2;
    if (ing->limits.events > (count + 1) / 2)
        ing->limits.events = (count + 1) / 2;
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
        finish_all(ing, batch, TW_FINAL_UNCERTAIN);
        return;
    }
    batch->short_ack = 1;
    tw__wait_retry(ing, 0);
    tw__batch_again(ing, batch);
}

void tw__verdict_apply(tw_ingest *ing)
{
    tw_verdict *verdict = &ing->verdict;
    tw_batch *batch = ing->sent;
    uint32_t i;

    ing->sent = NULL;
    ing->judged = 0;
    if (verdict->stored == TW_STORED_MAYBE) {
        for (i = batch->first; i < batch->count; i++)
            batch->records[i].maybe = 1;
    }
    if (verdict->stored == TW_STORED_NO && verdict->kind > TW_VERDICT_TOO_LARGE)
        tw__store_unmark(ing, batch); /* it may take long until the next attempt */
    if (verdict->kind != TW_VERDICT_RETRY && verdict->kind != TW_VERDICT_PAUSE)
        let_in(ing);
    if (verdict->kind <= TW_VERDICT_TOO_LARGE) {
        ing->failures = 0;
        ing->not_before_ms = 0;
    }
    switch (verdict->kind) {
    case TW_VERDICT_STORED:
        search_tell(ing, batch);
        finish_all(ing, batch, TW_FINAL_STORED);
        break;
    case TW_VERDICT_SHORT:
        apply_short(ing, batch);
        break;
    case TW_VERDICT_LISTED:
        apply_marks(ing, batch, verdict);
        break;
    case TW_VERDICT_SUSPECT:
        search(ing, batch, verdict);
        break;
    case TW_VERDICT_TOO_LARGE:
        shrink(ing, batch, verdict);
        break;
    case TW_VERDICT_THROTTLED:
        put_off(ing, batch, verdict->wait_ms);
        tw__wait_retry(ing, 0); /* nobody is named: it may be all of us */
        break;
    case TW_VERDICT_RETRY:
        tw__batch_again(ing, batch);
        tw__wait_retry(ing, verdict->wait_ms);
        break;
    case TW_VERDICT_PAUSE:
        pause_sending(ing, batch, verdict);
        break;
    }
}
