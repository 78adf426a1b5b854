/* SPDX-License-Identifier: MIT */
/* The sender: one batch after the other on the wire. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "gate/gate.h"
#include "ingest/ingest_internal.h"

/*
 * One request is on the wire at a time: events reach the server in the order of
 * acceptance, except those that an answer sets apart (throttled ones wait, the rest goes
 * on). All of this runs on the I/O thread.
 */
static void sender_pump_task(tw_task *task)
{
    tw__sender_pump(TW_CONTAINER(task, tw_ingest, task));
}

static void sender_pump_timer(tw_timer *timer)
{
    tw__sender_pump(TW_CONTAINER(timer, tw_ingest, timer));
}

int tw__sender_init(tw_ingest *ing, tw_error **err)
{
    ing->task.run = sender_pump_task;
    ing->timer.fire = sender_pump_timer;
    return tw_json_reader_new(&ing->rd, 16, TW_ANSWER_BYTES, err);
}

/* ---- the wire ---------------------------------------------------------------------- */

/* The body is the call's until this returns: the verdict is carried out afterwards. */
static void call_done(void *ctx, const tw_outcome *outcome)
{
    tw_ingest *ing = ctx;
    size_t i;

    tw__verdict_read(&ing->verdict, outcome, tw__batch_count(ing->sent),
                     ing->sent->use_batch, ing->rd);
    for (i = 0; i < ing->verdict.reason_count; i++) {
        tw__gate_redact(ing->gate, ing->verdict.reasons[i].text);
        tw__gate_redact(ing->gate, ing->verdict.reasons[i].field);
    }
    tw__trouble_note(ing, &ing->verdict, outcome);
    ing->judged = 1;
    tw__loop_post(ing->loop, &ing->task);
}

static const tw_call_sink sender_sink = {NULL, NULL, call_done};

/* From this size on, as the official browser SDK does it; the API's documents do not mention it,
 * so that it is done on demand only. */
enum { GZIP_BYTES = 2048 };

static void body_squeeze(tw_ingest *ing, tw_call_spec *spec)
{
    const char *body;
    size_t size;

    ing->gzip_sent = 0;
    if (!ing->settings.gzip || ing->gzip_off || ing->gzip_doubt ||
        spec->body_size < GZIP_BYTES)
        return;
    if (ing->gz == NULL && tw__gzip_new(&ing->gz) != TW_OK)
        return;
    body = tw__gzip(ing->gz, spec->body, spec->body_size, &size);
    if (body == NULL)
        return;
    spec->body = body;
    spec->body_size = size;
    spec->content_encoding = "gzip";
    ing->gzip_sent = 1;
}

static void on_wire(tw_ingest *ing, tw_batch *batch)
{
    pthread_mutex_lock(&ing->lock);
    ing->on_wire = batch;
    pthread_mutex_unlock(&ing->lock);
}

static void batch_send(tw_ingest *ing, tw_batch *batch)
{
    tw_call_spec spec;
    int rc;

    memset(&spec, 0, sizeof spec);
    spec.endpoint = batch->use_batch ? TW_EP_BATCH : TW_EP_HTTPAPI;
    spec.content_type = "application/json";
    spec.body = tw__batch_body(batch, ing->head, &spec.body_size);
    spec.flags = TW_CALL_ONCE;
    tw__store_mark(ing, batch);
    ing->sent = batch;
    on_wire(ing, batch);
    ing->sent_bytes = spec.body_size;
    body_squeeze(ing, &spec);
    rc = tw__call_start(&ing->call, ing->gate, &spec, &sender_sink, ing, NULL);
    if (rc != TW_OK) {
        ing->sent = NULL;
        on_wire(ing, NULL);
        tw__store_unmark(ing, batch);
        tw__batch_again(ing, batch);
        tw__wait_retry(ing, 0);
        return;
    }
    pthread_mutex_lock(&ing->lock);
    ing->requests++;
    ing->retries += (uint64_t)batch->resent;
    pthread_mutex_unlock(&ing->lock);
}

/* When there is something to do again, unless an answer or a commit comes before. */
static void timer_set(tw_ingest *ing)
{
    int64_t due = INT64_MAX;
    const tw_batch *batch;

    pthread_mutex_lock(&ing->lock);
    if (ing->sent == NULL && !ing->canceled) {
        due = tw__open_due(ing);
        if (ing->retry.head != NULL || ing->ready.head != NULL ||
            ing->backlog.head != NULL || ing->freed_lanes.head != NULL)
            due = INT64_MIN;
        if (ing->sweep_more && ing->park_due_ms < due)
            due = ing->park_due_ms;
        for (batch = ing->held.head; batch != NULL; batch = batch->next) {
            if (batch->due_ms < due)
                due = batch->due_ms;
        }
        if (tw__lanes_due(ing) < due)
            due = tw__lanes_due(ing);
        if (due < ing->not_before_ms)
            due = ing->not_before_ms;
        if (tw__held_age_due(ing) < due)
            due = tw__held_age_due(ing);
    }
    if (!ing->canceled && tw__store_due(ing) < due)
        due = tw__store_due(ing);
    pthread_mutex_unlock(&ing->lock);
    if (due == INT64_MAX)
        tw__timer_disarm(ing->loop, &ing->timer);
    else if (tw__timer_arm(ing->loop, &ing->timer, due) != TW_OK) {
        pthread_mutex_lock(&ing->lock);
        ing->unposted = 1; /* no memory for the timer: the next commit comes back to it */
        pthread_mutex_unlock(&ing->lock);
    }
}

/* The next batch with anything in it that may still be sent. */
static tw_batch *batch_choose(tw_ingest *ing)
{
    tw_batch *batch;

    do {
        tw__store_refill(ing);
        ing->aged = 0;
        pthread_mutex_lock(&ing->lock);
        batch = tw__batch_next(ing, tw__monotonic_ms());
        pthread_mutex_unlock(&ing->lock);
        tw__park(ing);
        tw__store_settle(ing);
    } while (batch == NULL && ing->aged);
    if (batch == NULL)
        return NULL;
    /* Before it is cut: no event may be parted from the one that carries it. */
    tw__coalesce_settle(ing, batch);
    pthread_mutex_lock(&ing->lock);
    batch = tw__batch_fit(ing, batch);
    pthread_mutex_unlock(&ing->lock);
    return batch;
}

void tw__sender_pump(tw_ingest *ing)
{
    tw_batch *batch;

    if (ing->judged)
        tw__verdict_apply(ing);
    tw__park(ing);
    tw__store_settle(ing);
    tw__store_tick(ing, tw__monotonic_ms());
    if (ing->sent == NULL) {
        batch = batch_choose(ing);
        if (batch != NULL)
            batch_send(ing, batch);
    }
    tw__store_refill(ing); /* while the answer is awaited */
    tw__flush_settle(ing);
    timer_set(ing);
}

void tw__sender_probe(tw_ingest *ing)
{
    int stopped;
    int paused;

    pthread_mutex_lock(&ing->lock);
    paused = ing->paused;
    stopped = ing->stopped;
    pthread_mutex_unlock(&ing->lock);
    if (paused || (stopped && ing->ended != NULL))
        ing->not_before_ms = 0;
    tw__sender_pump(ing);
}

/* ---- the end ----------------------------------------------------------------------- */

/* @locks needs lock */
static void give_up(tw_ingest *ing, tw_batch *batch)
{
    size_t count = tw__batch_count(batch);
    size_t i;

    for (i = 0; i < count; i++)
        tw__ingest_final(ing, batch, i,
                         batch->records[batch->first + i].maybe ? TW_FINAL_UNCERTAIN
                                                                : TW_FINAL_EXPIRED,
                         0, "the client was closed");
    tw__ingest_recycle(ing, batch);
}

/* @locks needs lock */
static void give_up_list(tw_ingest *ing, tw_batch_list *list)
{
    tw_batch *batch;

    for (batch = tw__batch_shift(list); batch != NULL; batch = tw__batch_shift(list))
        give_up(ing, batch);
}

static void give_up_all(tw_ingest *ing)
{
    pthread_mutex_lock(&ing->lock);
    give_up_list(ing, &ing->retry);
    give_up_list(ing, &ing->held);
    give_up_list(ing, &ing->ready);
    if (ing->open != NULL) {
        give_up(ing, ing->open);
        ing->open = NULL;
    }
    tw__ingest_tell_room(ing);
    pthread_mutex_unlock(&ing->lock);
}

void tw__ingest_cancel(tw_ingest *ing)
{
    tw_error *err = NULL;

    pthread_mutex_lock(&ing->lock);
    ing->stopped = 1;
    ing->canceled = 1;
    pthread_mutex_unlock(&ing->lock);
    if (ing->call != NULL)
        tw__call_cancel(ing->call);
    if (ing->judged)
        tw__verdict_apply(ing);
    tw__loop_withdraw(ing->loop, &ing->task);
    tw__timer_disarm(ing->loop, &ing->timer);
    tw__flush_settle(ing); /* those whose events had all ended before */
    tw__store_settle(ing);
    if (ing->ended == NULL)
        give_up_all(ing);
    tw__store_release(ing); /* the events stay in it, for the next process */
    tw__error(&err, TW_E_CLOSED, "the client was closed before its events were sent");
    tw__flush_fail(ing, err);
    tw_error_free(err);
}
