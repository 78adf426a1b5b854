/* SPDX-License-Identifier: MIT */
/* Users and devices that the server throttles wait, in order; others go on. */
#include "ingest_world.h"

/* An event of this user and device; their text as it stands in JSON. */
static void track_as(world *w, const char *type, const char *user, const char *device)
{
    tw_event *ev;
    tw_json_writer *wr;

    assert_int_equal(tw__ingest_begin(&ev, w->ing, NULL), TW_OK);
    wr = tw_event_writer(ev);
    tw_json_put_object(wr);
    put_text(wr, "event_type", type);
    if (user != NULL)
        put_text(wr, "user_id", user);
    if (device != NULL)
        put_text(wr, "device_id", device);
    tw_json_put_object_end(wr);
    assert_int_equal(tw_event_commit(ev, NULL), TW_OK);
}

/* Whether the types stand in the body in this order, and nothing else. */
static void types_are(const world *w, const char *types)
{
    const char *at = w->gate.call->body;
    const char *end = at + w->gate.call->size - 15;

    for (; at < end; at++) {
        if (memcmp(at, "{\"event_type\":\"", 15) != 0)
            continue;
        assert_int_equal(at[15], *types);
        types++;
    }
    assert_int_equal(*types, '\0');
}

static void later_events_of_a_held_user_wait_behind_the_earlier(void **state)
{
    world *w = *state;

    start(w);
    track_as(w, "a", "user-quick", "device-1");
    track_as(w, "b", "user-calm", "device-2");
    track_as(w, "c", "user-quick", "device-3");
    advance(w, 5000);
    types_are(w, "abc");
    /* The server lists one of the two; the other must not overtake it. */
    answer(w, 429,
           "{\"code\":429,\"throttled_users\":{\"user-quick\":31},"
           "\"throttled_events\":[0]}");
    types_are(w, "b");
    answer_ok(w);
    track_as(w, "d", "user-quick", "device-1");
    track_as(w, "e", "user-calm", "device-1");
    advance(w, 5000);
    types_are(w, "e"); /* the user is too fast, the device is not */
    answer_ok(w);
    assert_null(w->gate.call);
    advance(w, 24999);
    assert_null(w->gate.call);
    track_as(w, "f", "user-quick", "device-1");
    advance(w, 1);
    types_are(w, "acd");
    /* Still too fast: all wait again, what came meanwhile behind them. */
    answer(w, 429,
           "{\"code\":429,\"throttled_users\":{\"user-quick\":31},"
           "\"throttled_events\":[0,1,2]}");
    assert_null(w->gate.call);
    advance(w, 29999);
    assert_null(w->gate.call);
    advance(w, 1);
    types_are(w, "acdf");
    answer_ok(w);
    expect(w, 6, 0, 0);
}

static void a_device_is_held_whoever_uses_it(void **state)
{
    world *w = *state;

    start(w);
    track_as(w, "a", "user-one", "device \"q\\\"");
    advance(w, 5000);
    answer(w, 429,
           "{\"code\":429,\"throttled_devices\":{\"device \\u0022q\\\\\\u0022\":31},"
           "\"throttled_events\":[0]}");
    track_as(w, "b", "user-two", "device \"q\\\"");
    track_as(w, "c", "user-one", "device-2");
    advance(w, 5000);
    types_are(w, "c");
    answer_ok(w);
    advance(w, 25000);
    types_are(w, "ab");
    answer_ok(w);
}

static void a_name_without_a_list_is_enough(void **state)
{
    world *w = *state;

    start(w);
    track_as(w, "a", "user-quick", NULL);
    track_as(w, "b", "user-calm", NULL);
    advance(w, 5000);
    answer(w, 429, "{\"code\":429,\"throttled_users\":{\"user-quick\":31}}");
    types_are(w, "b");
    answer_ok(w);
    advance(w, 30000);
    types_are(w, "a");
    /* A name that is nobody's says nothing of whom to hold. */
    answer(w, 429, "{\"code\":429,\"throttled_users\":{\"user-none\":31}}");
    assert_null(w->gate.call);
    advance(w, 29999);
    assert_null(w->gate.call);
    advance(w, 60000);
    types_are(w, "a");
    answer_ok(w);
    expect(w, 2, 0, 0);
}

/* An event of this group and of nobody, whether or not it says so. */
static void track_group(world *w, const char *name, int null_ids)
{
    tw_event *ev;
    tw_json_writer *wr;

    assert_int_equal(tw__ingest_begin(&ev, w->ing, NULL), TW_OK);
    wr = tw_event_writer(ev);
    tw_json_put_object(wr);
    put_text(wr, "event_type", "$groupidentify");
    if (null_ids) {
        tw_json_put_key(wr, "user_id", 7, -1, 0);
        tw_json_put_null(wr);
        tw_json_put_key(wr, "device_id", 9, -1, 0);
        tw_json_put_null(wr);
    }
    tw_json_put_key(wr, "groups", 6, -1, 0);
    tw_json_put_object(wr);
    put_text(wr, "company", name);
    tw_json_put_object_end(wr);
    tw_json_put_object_end(wr);
    assert_int_equal(tw_event_commit(ev, NULL), TW_OK);
}

static void a_group_that_is_listed_waits_alone(void **state)
{
    int null_ids;

    for (null_ids = 0; null_ids < 2; null_ids++) {
        world *w = *state;

        start(w);
        track_group(w, "quick", null_ids);
        track_group(w, "calm", null_ids);
        track_as(w, "a", "user-calm", NULL);
        advance(w, 5000);
        assert_int_equal(sent(w), 3);
        answer(w, 429, "{\"code\":429,\"throttled_users\":{},\"throttled_events\":[0]}");
        assert_int_equal(sent(w), 2);
        assert_int_equal(in_body(w, "\"quick\""), 0);
        answer_ok(w);
        assert_null(w->gate.call);
        advance(w, 29999);
        assert_null(w->gate.call);
        advance(w, 1);
        assert_int_equal(in_body(w, "\"quick\""), 1);
        answer_ok(w);
        expect(w, 3, 0, 0);
        world_end(w);
    }
}

/* Two devices whose events say that they have no user are not of one user. */
static void nobody_is_no_user(void **state)
{
    world *w = *state;
    int i;

    start(w);
    for (i = 0; i < 2; i++) {
        tw_event *ev;
        tw_json_writer *wr;

        assert_int_equal(tw__ingest_begin(&ev, w->ing, NULL), TW_OK);
        wr = tw_event_writer(ev);
        tw_json_put_object(wr);
        put_text(wr, "event_type", i == 0 ? "a" : "b");
        tw_json_put_key(wr, "user_id", 7, -1, 0);
        tw_json_put_null(wr);
        put_text(wr, "device_id", i == 0 ? "device-quick" : "device-calm");
        tw_json_put_object_end(wr);
        assert_int_equal(tw_event_commit(ev, NULL), TW_OK);
    }
    advance(w, 5000);
    types_are(w, "ab");
    answer(w, 429, "{\"code\":429,\"throttled_events\":[0]}");
    assert_non_null(w->gate.call);
    types_are(w, "b");
    answer_ok(w);
    advance(w, 30000);
    types_are(w, "a");
    answer_ok(w);
    expect(w, 2, 0, 0);
}

static void a_list_with_an_impossible_index_refuses_nobody(void **state)
{
    world *w = *state;

    start(w);
    track_as(w, "a", "user-quick", NULL);
    track_as(w, "b", "user-calm", NULL);
    advance(w, 5000);
    answer(w, 429,
           "{\"code\":429,\"throttled_users\":{\"user-quick\":31},"
           "\"silenced_events\":[1,7],\"throttled_events\":[1]}");
    types_are(w, "b"); /* the name counts all the same */
    answer_ok(w);
    expect(w, 1, 0, 1);
    advance(w, 30000);
    types_are(w, "a");
    answer_ok(w);
    expect(w, 2, 0, 0);
}

static void a_daily_quota_parks_the_user_and_asks_every_hour(void **state)
{
    world *w = *state;
    int hour;

    w->set.use_batch = 1;
    start(w);
    track_as(w, "a", "user-full", NULL);
    track_as(w, "b", "user-quick", NULL);
    track_as(w, "c", "user-calm", NULL);
    advance(w, 5000);
    answer(w, 429,
           "{\"code\":429,\"throttled_users\":{\"user-quick\":1001},"
           "\"exceeded_daily_quota_users\":{\"user-full\":500200},"
           "\"throttled_events\":[0,1]}");
    types_are(w, "c");
    answer_ok(w);
    advance(w, 15000);
    types_are(w, "b");
    answer_ok(w);
    for (hour = 0; hour < 5; hour++) {
        advance(w, hour == 0 ? 3600000 - 15001 : 3600000 - 1);
        assert_null(w->gate.call);
        advance(w, 1);
        types_are(w, "a");
        answer(w, 429,
               "{\"code\":429,\"exceeded_daily_quota_users\":{\"user-full\":500200},"
               "\"throttled_events\":[0]}");
    }
    assert_int_equal(stats(w).requests, 8);
    advance(w, 3600000);
    answer_ok(w);
    expect(w, 3, 0, 0);
}

static void many_events_of_a_held_user_cost_one_request(void **state)
{
    world *w = *state;
    int i;

    w->set.batch_events = 10;
    start(w);
    for (i = 0; i < 100; i++)
        track_as(w, "q", "user-quick", NULL);
    fake_run(&w->gate);
    answer(w, 429,
           "{\"code\":429,\"throttled_users\":{\"user-quick\":31},"
           "\"throttled_events\":[0,1,2,3,4,5,6,7,8,9]}");
    assert_null(w->gate.call);
    assert_int_equal(stats(w).requests, 1);
    advance(w, 30000);
    answer_all_ok(w);
    expect(w, 100, 0, 0);
}

/* Commits one of the user's; the code. */
static int try_as(world *w, const char *user)
{
    tw_event *ev;
    tw_json_writer *wr;

    assert_int_equal(tw__ingest_begin(&ev, w->ing, NULL), TW_OK);
    wr = tw_event_writer(ev);
    tw_json_put_object(wr);
    put_text(wr, "event_type", "t");
    put_text(wr, "user_id", user);
    tw_json_put_object_end(wr);
    return tw_event_commit(ev, NULL);
}

/* Of 20 events the queue may hold, 12 of user-quick are held. */
static void fill_with_held(world *w)
{
    int i;

    w->set.queue_events = 20;
    start(w);
    for (i = 0; i < 12; i++)
        track_as(w, "q", "user-quick", NULL);
    advance(w, 5000);
    answer(w, 429, "{\"code\":429,\"throttled_users\":{\"user-quick\":31}}");
    assert_null(w->gate.call);
}

static void held_events_leave_half_of_the_queue_to_others(void **state)
{
    world *w = *state;

    fill_with_held(w);
    assert_int_equal(try_as(w, "user-quick"), TW_E_QUEUE_FULL);
    assert_int_equal(try_as(w, "user-calm"), TW_OK);
    advance(w, 5000);
    types_are(w, "t");
    answer_ok(w);
    advance(w, 25000);
    answer_ok(w);
    assert_int_equal(try_as(w, "user-quick"), TW_OK);
    expect(w, 13, 0, 1);
}

static void a_crowd_of_held_events_drops_its_own(void **state)
{
    world *w = *state;
    int i;

    w->set.on_full = TW_FULL_DROP_OLDEST;
    fill_with_held(w);
    for (i = 0; i < 5; i++)
        assert_int_equal(try_as(w, "user-calm"), TW_OK);
    for (i = 0; i < 3; i++)
        assert_int_equal(try_as(w, "user-quick"), TW_OK);
    assert_int_equal(stats(w).dropped,
                     2); /* until half of the queue is left to the others */
    balanced(w);
    advance(w, 5000);
    types_are(w, "ttttt");
    answer_ok(w);
}

/* A lane is shut for an hour, and then for another: that is no reason to keep what is too old. What
 * may have been stored is uncertain then. */
static void what_is_held_ends_at_max_age(void **state)
{
    static const char quota[] =
        "{\"code\":429,\"exceeded_daily_quota_users\":{\"user-full\":500001}}";
    world *w = *state;
    tw_job *job;
    int i;

    w->set.max_age_ms = 600000;
    w->set.batch_events = 1000;
    start(w);
    for (i = 0; i < 2500; i++) /* more than one batch holds */
        track_as(w, "a", i % 10 == 0 ? "user-calm" : "user-full", NULL);
    fake_run(&w->gate);
    reply(w, 0, TW_E_TIMEOUT, TW_STORED_MAYBE, -1, "");
    advance(w, 1000);
    answer(w, 429, quota);
    answer_all_ok(w);
    advance(w, 4000);
    answer_all_ok(w);
    assert_int_equal(stats(w).held, 2250);
    job = flush(w);
    advance(w, 295000);
    track_as(w, "b", "user-full", NULL);
    advance(w, 300000);
    assert_int_equal(stats(w).waiting, 2251);
    assert_false(job->finished);
    advance(w, 1000);
    assert_null(w->gate.call);
    assert_int_equal(stats(w).uncertain, 900);
    assert_int_equal(stats(w).expired, 1350);
    expect(w, 250, 0, 1);
    assert_true(job->finished);
    fake_job_unref(job);
    assert_int_equal(stats(w).oldest_ms, 301000);
    advance(w, 300000);
    expect(w, 250, 0, 0);
    assert_int_equal(stats(w).expired, 1351);
    advance(w, 3600000); /* the lane opens, and nothing is left */
    assert_null(w->gate.call);
    track_as(w, "c", "user-full", NULL);
    advance(w, 5000);
    types_are(w, "c");
    answer_ok(w);
}

/* There was no memory for what was to be held: its batch is there all the same, and empty. */
static void an_empty_batch_is_not_too_old(void **state)
{
    world *w = *state;
    tw_batch *batch;

    w->set.max_age_ms = 30000;
    start(w);
    track_as(w, "a", "user-calm", NULL);
    advance(w, 5000);
    answer_ok(w);
    pthread_mutex_lock(&w->ing->lock);
    assert_int_equal(tw__ingest_batch(&batch, w->ing), TW_OK); /* the one that was sent */
    batch->due_ms = fake.now_ms + 60000;
    batch->laned = 1;
    tw__batch_push(&w->ing->held, batch);
    pthread_mutex_unlock(&w->ing->lock);
    track_as(w, "b", "user-calm", NULL);
    advance(w, 40000);
    assert_ptr_equal(w->ing->held.head, batch);
    answer_all_ok(w);
    assert_int_equal(tw__held_age_due(w->ing), INT64_MAX);
    advance(w, 20000);
    track_as(w, "c", "user-calm", NULL);
    advance(w, 5000);
    answer_ok(w);
    assert_null(w->ing->held.head);
}

/* Also while nothing is sent because the server asks for patience. */
static void what_is_held_ends_while_all_wait(void **state)
{
    world *w = *state;

    w->set.max_age_ms = 30000;
    start(w);
    track_as(w, "a", "user-full", NULL);
    advance(w, 5000);
    reply(w, 429, TW_E_HTTP, TW_STORED_NO, 300000,
          "{\"code\":429,\"error\":\"Slow down\"}");
    assert_true(w->ing->not_before_ms > fake.now_ms);
    advance(w, 25000);
    expect(w, 0, 0, 1);
    advance(w, 1000);
    expect(w, 0, 0, 0);
    assert_int_equal(stats(w).expired, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(later_events_of_a_held_user_wait_behind_the_earlier),
        test(a_device_is_held_whoever_uses_it),
        test(a_name_without_a_list_is_enough),
        test(a_group_that_is_listed_waits_alone),
        test(nobody_is_no_user),
        test(a_list_with_an_impossible_index_refuses_nobody),
        test(a_daily_quota_parks_the_user_and_asks_every_hour),
        test(many_events_of_a_held_user_cost_one_request),
        test(what_is_held_ends_at_max_age),
        test(what_is_held_ends_while_all_wait),
        test(an_empty_batch_is_not_too_old),
        test(held_events_leave_half_of_the_queue_to_others),
        test(a_crowd_of_held_events_drops_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
