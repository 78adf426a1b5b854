/* SPDX-License-Identifier: MIT */
/* Acceptance, packing, limits, flush and the end of ingestion. */
#include "ingest_world.h"

/* ---- packing ----------------------------------------------------------------------- */

static void the_body_is_the_documented_one(void **state)
{
    world *w = *state;
    static const char body[] =
        "{\"api_key\":\"k\\\"1\",\"options\":{\"min_id_length\":3},\"events\":["
        "{\"event_type\":\"e\",\"user_id\":\"user-000000\",\"insert_id\":\"i-0\",\"time\":";

    w->set.min_id_length = 3;
    start(w);
    {
        tw_event *ev;
        tw_json_writer *wr;

        assert_int_equal(tw__ingest_begin(&ev, w->ing, NULL), TW_OK);
        wr = tw_event_writer(ev);
        tw_json_put_object(wr);
        put_text(wr, "event_type", "e");
        put_text(wr, "user_id", "user-000000");
        put_text(wr, "insert_id", "i-0");
        tw_json_put_object_end(wr);
        assert_int_equal(tw_event_commit(ev, NULL), TW_OK);
    }
    fake_run(&w->gate);
    assert_null(w->gate.call);
    advance(w, 5000);
    assert_non_null(w->gate.call);
    assert_memory_equal(w->gate.call->body, body, sizeof body - 1);
    assert_int_equal(w->gate.call->size, sizeof body - 1 + 16);
    assert_memory_equal(w->gate.call->body + sizeof body - 1, "1767225600000}]}", 16);
}

static void each_api_has_its_endpoint(void **state)
{
    world *w = *state;

    w->set.use_batch = 1;
    start(w);
    track(w, 1);
    advance(w, 5000);
    assert_int_equal(w->gate.call->endpoint, TW_EP_BATCH);
    answer_ok(w);
    expect(w, 1, 0, 0);
}

static void batches_go_by_count(void **state)
{
    world *w = *state;

    w->set.batch_events = 3;
    start(w);
    track(w, 7);
    fake_run(&w->gate);
    assert_int_equal(w->gate.call->endpoint, TW_EP_HTTPAPI);
    assert_int_equal(sent(w), 3);
    answer_ok(w);
    assert_int_equal(sent(w), 3);
    answer_ok(w);
    assert_null(w->gate.call); /* the seventh waits for its time */
    expect(w, 6, 0, 1);
    advance(w, 4999);
    assert_null(w->gate.call);
    advance(w, 1);
    assert_int_equal(sent(w), 1);
    answer_ok(w);
    expect(w, 7, 0, 0);
    assert_int_equal(stats(w).requests, 3);
    assert_int_equal(stats(w).retries, 0);
}

static void documented_limits_hold_whatever_is_asked(void **state)
{
    world *w = *state;

    w->set.batch_events = 100000;
    w->set.batch_bytes = 100000000;
    start(w);
    track(w, 4001);
    fake_run(&w->gate);
    assert_int_equal(sent(w), 1999);
    answer_ok(w);
    assert_int_equal(sent(w), 1999);
    answer_ok(w);
    advance(w, 5000);
    assert_int_equal(sent(w), 3);
    answer_ok(w);
    tw__ingest_cancel(w->ing);
    tw__ingest_free(w->ing);
    w->set.use_batch = 1;
    start(w);
    track(w, 2001);
    fake_run(&w->gate);
    assert_int_equal(sent(w), 2000);
}

static void documented_sizes_hold_whatever_is_asked(void **state)
{
    static const size_t most[] = {1000000, 20000000};
    world *w = *state;
    int i;

    w->set.batch_events = 100000;
    w->set.batch_bytes = 100000000;
    for (i = 0; i < 2; i++) {
        uint64_t bytes = 0;

        w->set.use_batch = i == 0 ? TW_BATCH_NEVER : TW_BATCH_ALWAYS;
        start(w);
        while (bytes <= most[i]) {
            assert_int_equal(tw_event_commit(event_of(w, "large", 60000), NULL), TW_OK);
            bytes = stats(w).waiting_bytes;
        }
        fake_run(&w->gate);
        assert_in_range(w->gate.call->size, most[i] - 61000, most[i]);
        answer_ok(w);
        tw__ingest_cancel(w->ing);
        tw__ingest_free(w->ing);
        w->ing = NULL;
    }
}

static void batches_go_by_bytes(void **state)
{
    world *w = *state;
    size_t one;
    size_t body;
    int i;

    start(w);
    track(w, 1);
    one = (size_t)stats(w).waiting_bytes;
    tw__ingest_cancel(w->ing);
    tw__ingest_free(w->ing);
    /* Exactly ten events fit, then exactly one byte is missing. */
    body = strlen("{\"api_key\":\"k\\\"1\",\"events\":[]}") + 10 * one + 9;
    for (i = 0; i < 2; i++) {
        w->set.batch_bytes = body - (size_t)i;
        start(w);
        track(w, 12);
        fake_run(&w->gate);
        assert_int_equal(sent(w), 10 - i);
        assert_true(w->gate.call->size <= w->set.batch_bytes);
        if (i == 0)
            assert_int_equal(w->gate.call->size, body);
        tw__ingest_cancel(w->ing);
        tw__ingest_free(w->ing);
        w->ing = NULL;
    }
}

static void an_event_larger_than_a_request_is_refused(void **state)
{
    world *w = *state;
    tw_error *err = NULL;
    tw_event *ev;
    size_t one;

    start(w);
    track(w, 1);
    one = (size_t)stats(w).waiting_bytes;
    tw__ingest_cancel(w->ing);
    tw__ingest_free(w->ing);
    w->set.batch_bytes = strlen("{\"api_key\":\"k\\\"1\",\"events\":[]}") + one;
    start(w);
    track(w, 1);
    fake_run(&w->gate);
    ev = event_of(w, "ee", 0);
    assert_int_equal(tw_event_commit(ev, &err), TW_E_TOO_LARGE);
    assert_int_equal(tw_error_code(err), TW_E_TOO_LARGE);
    tw_error_free(err);
    assert_int_equal(stats(w).refused, 1);
    ev = event_of(w, "e", 5000);
    assert_int_equal(tw_event_commit(ev, NULL), TW_E_TOO_LARGE);
    expect(w, 0, 0, 1);
}

static void one_request_at_a_time_in_order(void **state)
{
    world *w = *state;
    int i;

    w->set.batch_events = 2;
    start(w);
    track(w, 10);
    fake_run(&w->gate);
    for (i = 0; i < 5; i++) {
        char name[32];

        snprintf(name, sizeof name, "user-%06d", 2 * i);
        assert_int_equal(in_body(w, name), 1);
        if (i == 2)
            answer(w, 503, ""); /* what failed goes first again */
        if (i == 2)
            advance(w, 1000);
        assert_int_equal(in_body(w, name), 1);
        answer_ok(w);
    }
    expect(w, 10, 0, 0);
}

/* ---- limits of the queue ----------------------------------------------------------- */

static void a_full_queue_refuses(void **state)
{
    world *w = *state;
    tw_error *err = NULL;

    w->set.queue_events = 3;
    start(w);
    track(w, 3);
    assert_int_equal(tw_event_commit(event_of(w, "e", 0), &err), TW_E_QUEUE_FULL);
    assert_true(tw_error_retriable(err));
    tw_error_free(err);
    assert_int_equal(stats(w).refused, 1);
    advance(w, 5000);
    assert_int_equal(track_type(w, "e"), TW_E_QUEUE_FULL); /* on the wire still counts */
    answer_ok(w);
    track(w, 3);
    expect(w, 3, 0, 3);
}

static void the_queue_is_bounded_in_bytes(void **state)
{
    world *w = *state;
    size_t one;

    start(w);
    track(w, 1);
    one = (size_t)stats(w).waiting_bytes;
    tw__ingest_cancel(w->ing);
    tw__ingest_free(w->ing);
    w->set.queue_bytes = 3 * one;
    start(w);
    track(w, 3);
    assert_int_equal(track_type(w, "e"), TW_E_QUEUE_FULL);
    assert_int_equal(stats(w).waiting_bytes, 3 * one);
    assert_int_equal(tw_event_commit(event_of(w, "e", 900), NULL), TW_E_TOO_LARGE);
}

static void a_full_queue_drops_the_oldest(void **state)
{
    world *w = *state;

    w->set.queue_events = 4;
    w->set.batch_events = 2;
    w->set.on_full = TW_FULL_DROP_OLDEST;
    start(w);
    track(w, 4);
    track(w, 3);
    assert_int_equal(stats(w).dropped, 3);
    expect(w, 0, 0, 4);
    fake_run(&w->gate);
    assert_int_equal(sent(w), 1); /* the half that is left of the second batch */
    assert_int_equal(in_body(w, "user-000003"), 1);
    track(w, 1); /* what is on the wire is not thrown out */
    assert_int_equal(stats(w).dropped, 4);
    answer_ok(w);
    assert_int_equal(in_body(w, "user-000005"), 1);
    answer_all_ok(w);
    advance(w, 5000);
    answer_all_ok(w);
    assert_int_equal(stats(w).stored, 4);
    expect(w, 4, 0, 0);
}

static void retried_and_held_events_are_the_oldest(void **state)
{
    world *w = *state;

    w->set.queue_events = 4;
    w->set.batch_events = 2;
    w->set.on_full = TW_FULL_DROP_OLDEST;
    start(w);
    track(w, 4);
    fake_run(&w->gate);
    answer(w, 429, "{\"code\":429,\"throttled_events\":[0]}"); /* holds 0 */
    answer(w, 503, "");                                        /* 1 waits */
    track(w, 2);
    assert_int_equal(stats(w).dropped, 2);
    advance(w, 30000);
    while (w->gate.call != NULL) {
        assert_int_equal(in_body(w, "user-000000") + in_body(w, "user-000001"), 0);
        answer_ok(w);
    }
    expect(w, 4, 0, 0);
}

static void everything_on_the_wire_leaves_nothing_to_drop(void **state)
{
    world *w = *state;

    w->set.queue_events = 2;
    w->set.batch_events = 2;
    w->set.on_full = TW_FULL_DROP_OLDEST;
    start(w);
    track(w, 2);
    fake_run(&w->gate);
    assert_int_equal(track_type(w, "e"), TW_E_QUEUE_FULL);
    assert_int_equal(stats(w).dropped, 0);
}

static void dropping_ends_the_flush_that_waited(void **state)
{
    world *w = *state;
    tw_job *job;

    w->set.queue_events = 3;
    w->set.on_full = TW_FULL_DROP_OLDEST;
    start(w);
    track(w, 1);
    job = flush(w);
    answer(w, 503, "");
    track(w, 2);
    fake_run(&w->gate);
    assert_false(job->finished);
    track(w, 1); /* throws the first out, and tells the I/O thread for that alone */
    assert_int_equal(stats(w).dropped, 1);
    fake_run(&w->gate);
    assert_true(job->finished);
    tw_job_unref(job);
}

static void a_full_queue_blocks_for_a_while(void **state)
{
    world *w = *state;
    tw_event *ev;

    w->set.queue_events = 1;
    w->set.on_full = TW_FULL_BLOCK;
    start(w);
    track(w, 1);
    ev = event_of(w, "e", 0);
    assert_int_equal(tw_event_commit(ev, NULL), TW_AGAIN);
    assert_int_equal(tw_event_wait(ev, NULL), TW_INTERRUPTED); /* a slice passed */
    assert_int_equal(tw_event_commit(ev, NULL), TW_AGAIN);
    fake.now_ms += 999;
    assert_int_equal(tw_event_wait(ev, NULL), TW_INTERRUPTED);
    fake.now_ms += 1;
    assert_int_equal(tw_event_wait(ev, NULL), TW_E_QUEUE_FULL);
    assert_int_equal(tw_event_commit(ev, NULL), TW_E_QUEUE_FULL);
    assert_int_equal(stats(w).refused, 1);
    ev = event_of(w, "e", 0);
    assert_int_equal(tw_event_commit(ev, NULL), TW_AGAIN);
    advance(w, 5000 - 1000);
    answer_ok(w);
    fake.now_ms = 0; /* time enough */
    assert_int_equal(tw_event_wait(ev, NULL), TW_OK);
    assert_int_equal(tw_event_commit(ev, NULL), TW_OK);
    ev = event_of(w, "e", 0);
    assert_int_equal(tw_event_commit(ev, NULL), TW_AGAIN);
    tw__ingest_stop_intake(w->ing);
    assert_int_equal(tw_event_wait(ev, NULL), TW_E_CLOSED);
    tw_event_abort(ev);
    expect(w, 1, 0, 1);
}

/* A frozen record does not change while it waits for room. */
static void waiting_does_not_change_the_event(void **state)
{
    world *w = *state;
    tw_event *ev;

    w->set.queue_events = 1;
    w->set.on_full = TW_FULL_BLOCK;
    w->set.block_timeout_ms = 1000000;
    start(w);
    track(w, 1);
    ev = event_of(w, "e", 0);
    assert_int_equal(tw_event_commit(ev, NULL), TW_AGAIN);
    advance(w, 5000);
    answer_ok(w);
    assert_int_equal(tw_event_commit(ev, NULL), TW_OK);
    advance(w, 5000);
    assert_int_equal(in_body(w, "\"time\":1767225600000}"), 1);
}

typedef struct waiter {
    tw_event *ev;
    int rc;
} waiter;

static void *wait_for_room(void *ctx)
{
    waiter *one = ctx;

    do
        one->rc = tw_event_wait(one->ev, NULL);
    while (one->rc == TW_INTERRUPTED);
    if (one->rc == TW_OK)
        one->rc = tw_event_commit(one->ev, NULL);
    return NULL;
}

static void room_wakes_those_who_wait(void **state)
{
    world *w = *state;
    waiter waiters[3];
    pthread_t threads[3];
    int i;

    w->set.queue_events = 3;
    w->set.on_full = TW_FULL_BLOCK;
    w->set.block_timeout_ms = 1000000000;
    start(w);
    track(w, 3);
    advance(w, 5000);
    for (i = 0; i < 3; i++) {
        waiters[i].ev = event_of(w, "e", 0);
        assert_int_equal(tw_event_commit(waiters[i].ev, NULL), TW_AGAIN);
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_room, &waiters[i]),
                         0);
    }
    answer_ok(w);
    for (i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(waiters[i].rc, TW_OK);
    }
    expect(w, 3, 0, 3);
}

/* Each way an event can end makes room, and says so to those who wait. */
static void every_end_tells_of_room(void **state)
{
    static const char *const answers[] = {
        "{\"code\":200,\"events_ingested\":1}",
        "{\"code\":400,\"events_with_invalid_fields\":{\"time\":[0]}}",
        "{\"code\":400,\"error\":\"Invalid event JSON\"}"};
    world *w = *state;
    size_t i;

    w->set.on_full = TW_FULL_BLOCK;
    start(w);
    for (i = 0; i < 3; i++) {
        track(w, 1);
        advance(w, 5000);
        w->ing->room_waiters = 1;
        w->ing->room_told = 0;
        answer(w, i == 0 ? 200 : 400, answers[i]);
        assert_int_equal(w->ing->room_told, 1);
        w->ing->room_waiters = 0;
    }
    track(w, 1);
    w->ing->room_waiters = 1;
    w->ing->room_told = 0;
    tw__ingest_cancel(w->ing);
    assert_int_equal(w->ing->room_told, 1);
    w->ing->room_waiters = 0;
}

/* ---- flush ------------------------------------------------------------------------- */

static void a_flush_waits_for_what_was_before_it(void **state)
{
    world *w = *state;
    tw_job *empty;
    tw_job *first;
    tw_job *second;

    w->set.batch_events = 2;
    start(w);
    empty = flush(w);
    assert_true(empty->finished);
    assert_null(empty->err);
    tw_job_unref(empty);
    track(w, 3);
    first = flush(w);
    assert_int_equal(sent(w), 2);
    track(w, 2); /* fills the second batch and begins a third */
    second = flush(w);
    answer_ok(w);
    assert_false(first->finished);
    assert_int_equal(sent(w), 2);
    answer_ok(w);
    assert_true(first->finished);
    assert_false(second->finished);
    assert_int_equal(sent(w), 1);
    answer(w, 400, "{\"code\":400,\"events_with_missing_fields\":{\"x\":[0]}}");
    assert_true(second->finished);
    assert_null(second->err);
    expect(w, 4, 1, 0);
    tw_job_unref(first);
    tw_job_unref(second);
}

static void a_flush_does_not_wait_for_the_future(void **state)
{
    world *w = *state;
    tw_job *job;

    start(w);
    track(w, 1);
    job = flush(w);
    track(w, 1);
    answer_ok(w);
    assert_true(job->finished);
    assert_null(w->gate.call);
    expect(w, 1, 0, 1);
    tw_job_unref(job);
}

static void expect_flush(const tw_job *job, uint64_t accepted, uint64_t stored,
                         uint64_t waiting)
{
    tw_stats stats = TW_STATS_INIT;

    assert_int_equal(tw__flush_stats(job, &stats), TW_OK);
    assert_int_equal(stats.accepted, accepted);
    assert_int_equal(stats.stored, stored);
    assert_int_equal(stats.waiting, waiting);
    assert_int_equal(stats.accepted, stats.stored + stats.rejected + stats.uncertain +
                                         stats.expired + stats.dropped + stats.waiting);
}

/* Also what was sent before it began, and nothing that came after. */
static void a_flush_reports_all_that_was_before_it(void **state)
{
    world *w = *state;
    tw_stats stats = TW_STATS_INIT;
    tw_job *first;
    tw_job *second;

    w->set.batch_events = 2;
    start(w);
    track(w, 2);
    advance(w, 0);
    assert_int_equal(sent(w), 2);
    answer_ok(w);
    track(w, 1);
    first = flush(w);
    assert_int_equal(sent(w), 1);
    expect_flush(first, 3, 2, 1);
    track(w, 1);
    second = flush(w);
    expect_flush(second, 4, 2, 2);
    answer_ok(w);
    expect_flush(first, 3, 3, 0);
    expect_flush(second, 4, 3, 1);
    assert_int_equal(sent(w), 1);
    answer_ok(w);
    expect_flush(first, 3, 3, 0);
    expect_flush(second, 4, 4, 0);
    assert_int_equal(tw__flush_stats(NULL, &stats), TW_E_INVALID);
    tw_job_unref(first);
    tw_job_unref(second);
}

static void a_flush_waits_for_the_throttled(void **state)
{
    world *w = *state;
    tw_job *job;

    start(w);
    track(w, 2);
    job = flush(w);
    answer(w, 429, "{\"code\":429,\"throttled_events\":[1]}");
    answer_ok(w);
    assert_false(job->finished);
    advance(w, 30000);
    answer_ok(w);
    assert_true(job->finished);
    tw_job_unref(job);
}

static void a_canceled_flush_leaves_things_going_on(void **state)
{
    world *w = *state;
    tw_job *job;

    start(w);
    track(w, 2);
    job = flush(w);
    job->kind->cancel(job, job->state, TW_E_CANCELED);
    assert_true(job->finished);
    assert_int_equal(tw_error_code(job->err), TW_E_CANCELED);
    job->kind->cancel(job, job->state, TW_E_CANCELED); /* again: nothing */
    tw_job_unref(job);
    assert_int_equal(sent(w), 2);
    answer_ok(w);
    expect(w, 2, 0, 0);
}

static void a_flush_of_a_closed_client_says_so(void **state)
{
    world *w = *state;
    tw_error *err = NULL;
    tw_job *job;

    start(w);
    track(w, 1);
    job = flush(w);
    tw__ingest_cancel(w->ing);
    assert_int_equal(tw_error_code(job->err), TW_E_CLOSED);
    tw_job_unref(job);
    assert_int_equal(tw__ingest_flush(&job, w->ing, NULL, &err), TW_E_CLOSED);
    assert_null(job);
    tw_error_free(err);
}

static world *closing;
static tw_flush *collected;

static void close_collects(void)
{
    collected = flush_collect(closing->ing, 1);
}

/* The client closes between a flush being known and being posted: the I/O thread has it in its
 * hands when the caller gives it up. */
static void a_flush_that_meets_the_close_is_finished_safely(void **state)
{
    world *w = *state;
    tw_error *err = NULL;
    tw_job *job;

    start(w);
    closing = w;
    w->gate.loop.post_code = TW_E_CLOSED;
    w->gate.loop.in_post = close_collects;
    assert_int_equal(tw__ingest_flush(&job, w->ing, NULL, &err), TW_E_CLOSED);
    w->gate.loop.in_post = NULL;
    w->gate.loop.post_code = TW_OK;
    assert_null(job);
    assert_non_null(collected);
    assert_true(collected->job->finished); /* and still there */
    tw__job_release(collected->job);
    tw_error_free(err);
}

static void a_flush_without_a_thread_fails(void **state)
{
    world *w = *state;
    tw_job *job;

    start(w);
    w->gate.loop.post_code = TW_E_NETWORK;
    track(w, 1);
    assert_int_equal(tw__ingest_flush(&job, w->ing, NULL, NULL), TW_E_NETWORK);
    assert_null(job);
    w->gate.loop.post_code = TW_OK;
    track(w, 1); /* tells the thread of both */
    advance(w, 5000);
    assert_int_equal(sent(w), 2);
    answer_ok(w);
    expect(w, 2, 0, 0);
}

/* ---- the end ----------------------------------------------------------------------- */

static void closing_tells_the_unsent_from_the_uncertain(void **state)
{
    world *w = *state;

    w->set.batch_events = 2;
    start(w);
    track(w, 8);
    fake_run(&w->gate);
    answer_ok(w); /* 0 1 stored */
    answer(w, 429,
           "{\"code\":429,\"throttled_events\":[0,1]}"); /* 2 3 held, never stored */
    assert_int_equal(sent(w), 2);                        /* 4 5 on the wire, 6 7 ready */
    track(w, 1);
    tw__ingest_stop_intake(w->ing);
    assert_int_equal(track_type(w, "e"), TW_E_CLOSED);
    tw__ingest_cancel(w->ing);
    assert_int_equal(stats(w).stored, 2);
    assert_int_equal(stats(w).uncertain, 2);
    assert_int_equal(stats(w).expired, 5);
    expect(w, 2, 0, 0);
    tw__ingest_cancel(w->ing); /* again: nothing */
    expect(w, 2, 0, 0);
}

static void a_maybe_stays_a_maybe(void **state)
{
    world *w = *state;

    start(w);
    track(w, 2);
    advance(w, 5000);
    reply(w, 0, TW_E_TIMEOUT, TW_STORED_MAYBE, -1, "");
    advance(w, 1000);
    answer(w, 503, ""); /* this attempt was not stored; the first may have been */
    tw__ingest_cancel(w->ing);
    assert_int_equal(stats(w).uncertain, 2);
}

static void stopping_the_intake_sends_what_is_there(void **state)
{
    world *w = *state;
    tw_job *job;

    start(w);
    track(w, 1);
    tw__ingest_stop_intake(w->ing);
    job = flush(w);
    answer_ok(w);
    assert_true(job->finished);
    tw_job_unref(job);
    expect(w, 1, 0, 0);
}

static void an_open_event_outlives_the_client(void **state)
{
    world *w = *state;
    tw_event *ev;
    tw_event *other;

    start(w);
    ev = event_of(w, "e", 0);
    other = event_of(w, "e", 0);
    tw__ingest_cancel(w->ing);
    tw__ingest_free(w->ing);
    w->ing = NULL;
    assert_int_equal(w->gate.loop.refs, 1);
    assert_int_equal(tw_event_commit(ev, NULL), TW_E_CLOSED);
    tw_event_abort(other);
    assert_int_equal(w->gate.loop.refs, 0);
    tw_event_abort(NULL);
}

static void a_forked_child_keeps_its_hands_off(void **state)
{
    world *w = *state;
    tw_event *ev;
    int status;
    pid_t pid;

    start(w);
    track(w, 3);
    ev = event_of(w, "e", 0);
    pthread_mutex_lock(&w->ing->lock); /* as another thread of the parent might */
    pid = fork();
    if (pid == 0) {
        int ok = tw_event_wait(ev, NULL) == TW_E_FORKED;

        ok = tw_event_commit(ev, NULL) == TW_E_FORKED && ok;
        _exit(ok ? 0 : 1);
    }
    pthread_mutex_unlock(&w->ing->lock);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(tw_event_commit(ev, NULL), TW_OK);
    advance(w, 5000);
    assert_int_equal(sent(w), 4);
}

/* ---- no memory --------------------------------------------------------------------- */

static long heap_left; /* allocations until one fails; negative: none does */
static int heap_stays; /* whether all fail from there on */

static int heap_refuses(void)
{
    if (heap_left < 0)
        return 0;
    if (heap_left > 0) {
        heap_left--;
        return 0;
    }
    if (!heap_stays)
        heap_left = -1;
    return 1;
}

static void *heap_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return heap_refuses() ? NULL : malloc(size);
}

static void *heap_resize(void *ctx, void *old, size_t size)
{
    (void)ctx;
    return heap_refuses() ? NULL : realloc(old, size);
}

static void heap_release(void *ctx, void *old)
{
    (void)ctx;
    free(old);
}

/* Acceptance, every way of setting records apart, a flush, the end. Returns how many
 * events were accepted. */
static void scarce_scene(world *w)
{
    static const char *const answers[] = {
        "{\"code\":429,\"throttled_events\":[0,3]}",
        "{\"code\":400,\"events_with_invalid_fields\":{\"time\":[1]}}",
        "{\"code\":400,\"error\":\"Invalid event JSON\"}",
        "413",
        "403",
        "503"};
    tw_job *job = NULL;
    size_t i;
    int k;

    if (tw__ingest_new(&w->ing, &w->gate, &w->set, NULL) != TW_OK)
        return;
    for (k = 0; k < 40; k++)
        track_type(w, "e");
    tw__ingest_flush(&job, w->ing, NULL, NULL);
    for (i = 0; i < 40; i++) {
        const char *body = answers[i % 6];

        fake_run(&w->gate);
        if (w->gate.call == NULL) {
            fake.now_ms += 30000;
            continue;
        }
        /* The reader of body_is_sound allocates as well: answer without it. */
        {
            tw_outcome outcome;

            memset(&outcome, 0, sizeof outcome);
            outcome.head.status =
                body[0] != '{' ? (body[0] == '4' ? (body[1] == '1' ? 413 : 403) : 503)
                               : (i % 6 == 0 ? 429 : 400);
            outcome.head.retry_after_ms = -1;
            outcome.body = body[0] == '{' ? body : "";
            outcome.body_size = strlen(outcome.body);
            fake_call_end(&w->gate, &outcome);
        }
        balanced(w);
    }
    heap_left = -1;
    fake_run(&w->gate);
    balanced(w);
    tw__ingest_cancel(w->ing);
    balanced(w);
    assert_int_equal(stats(w).waiting, 0);
    if (job != NULL) {
        assert_true(job->finished);
        tw_job_unref(job);
    }
    tw__ingest_free(w->ing);
    w->ing = NULL;
}

static void every_allocation_may_fail(void **state)
{
    static const tw_allocator heap = {heap_alloc, heap_resize, heap_release, NULL};
    world *w = *state;
    long n;

    tw_set_allocator(&heap);
    w->set.batch_events = 16;
    for (heap_stays = 0; heap_stays < 2; heap_stays++) {
        for (n = 0; n < 150; n++) {
            heap_left = n;
            scarce_scene(w);
            heap_left = -1;
            assert_int_equal(w->gate.loop.refs, 0);
            if (w->gate.loop.head != NULL)
                fail_msg("a task was left behind at allocation %ld", n);
        }
    }
    tw_set_allocator(NULL);
}

/* ---- threads ----------------------------------------------------------------------- */

enum { THREADS = 4, EACH = 3000 };

static void *track_many(void *ctx)
{
    world *w = ctx;
    int i;

    for (i = 0; i < EACH; i++) {
        tw_event *ev;
        tw_json_writer *wr;

        if (tw__ingest_begin(&ev, w->ing, NULL) != TW_OK)
            abort();
        wr = tw_event_writer(ev);
        tw_json_put_object(wr);
        put_text(wr, "event_type", i % 97 == 0 ? "poison" : "e");
        put_text(wr, "user_id", "user-of-a-thread");
        tw_json_put_object_end(wr);
        if (i % 50 == 49)
            tw_event_abort(ev);
        else if (tw_event_commit(ev, NULL) != TW_OK)
            abort();
    }
    return NULL;
}

static void many_threads_accept_while_one_sends(void **state)
{
    world *w = *state;
    pthread_t threads[THREADS];
    const uint64_t accepted = THREADS * (EACH - EACH / 50);
    tw_job *job;
    int i;

    w->set.queue_events = 1000000;
    w->set.batch_events = 100;
    start(w);
    for (i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, track_many, w), 0);
    while (stats(w).accepted < accepted) {
        fake_run(&w->gate);
        if (w->gate.call != NULL)
            serve(w, TELL_ALL);
        balanced(w);
    }
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    job = flush(w);
    while (w->gate.call != NULL)
        serve(w, TELL_ALL);
    assert_true(job->finished);
    tw_job_unref(job);
    assert_int_equal(stats(w).waiting, 0);
    assert_int_equal(stats(w).stored + stats(w).rejected, accepted);
    assert_int_not_equal(stats(w).rejected, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_body_is_the_documented_one),
        test(each_api_has_its_endpoint),
        test(batches_go_by_count),
        test(documented_limits_hold_whatever_is_asked),
        test(documented_sizes_hold_whatever_is_asked),
        test(batches_go_by_bytes),
        test(an_event_larger_than_a_request_is_refused),
        test(one_request_at_a_time_in_order),
        test(a_full_queue_refuses),
        test(the_queue_is_bounded_in_bytes),
        test(a_full_queue_drops_the_oldest),
        test(retried_and_held_events_are_the_oldest),
        test(everything_on_the_wire_leaves_nothing_to_drop),
        test(dropping_ends_the_flush_that_waited),
        test(a_full_queue_blocks_for_a_while),
        test(waiting_does_not_change_the_event),
        test(room_wakes_those_who_wait),
        test(every_end_tells_of_room),
        test(a_flush_waits_for_what_was_before_it),
        test(a_flush_does_not_wait_for_the_future),
        test(a_flush_reports_all_that_was_before_it),
        test(a_flush_waits_for_the_throttled),
        test(a_canceled_flush_leaves_things_going_on),
        test(a_flush_of_a_closed_client_says_so),
        test(a_flush_that_meets_the_close_is_finished_safely),
        test(a_flush_without_a_thread_fails),
        test(closing_tells_the_unsent_from_the_uncertain),
        test(a_maybe_stays_a_maybe),
        test(stopping_the_intake_sends_what_is_there),
        test(an_open_event_outlives_the_client),
        test(a_forked_child_keeps_its_hands_off),
        test(every_allocation_may_fail),
        test(many_threads_accept_while_one_sends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
