/* SPDX-License-Identifier: MIT */
/* Every answer of the server and what follows from it. */
#include "ingest_world.h"

/* ---- answers ----------------------------------------------------------------------- */

typedef enum next {
    NEXT_NONE,  /* all done */
    NEXT_NOW,   /* sent again at once */
    NEXT_LATER, /* after a back-off of at most a second */
    NEXT_HOLD,  /* others go on at once, these after `wait` */
    NEXT_PAUSE  /* paused */
} next;

typedef struct row {
    const char *name;
    int status;
    int code;         /* the gate's error */
    tw_stored stored; /* and what it says of storing */
    const char *body;
    next next;
    int64_t wait;       /* NEXT_HOLD: exactly; NEXT_LATER: at least */
    unsigned rejected;  /* of three events */
    unsigned uncertain; /* when the client is closed right then */
} row;

#define LISTS "\"error\":\"Invalid field values on some events\""

static const row rows[] = {
    {"stored", 200, 0, TW_STORED_YES, "{\"code\":200,\"events_ingested\":3}", NEXT_NONE,
     0, 0, 0},
    {"stored with more members", 200, 0, TW_STORED_YES,
     "{\"x\":[{\"y\":[1,{}]}],\"code\":200,\"events_ingested\":3,\"z\":null}", NEXT_NONE,
     0, 0, 0},
    {"stored with 202", 202, 0, TW_STORED_YES, "{\"code\":200,\"events_ingested\":3}",
     NEXT_NONE, 0, 0, 0},
    {"200 with HTML", 200, 0, TW_STORED_YES, "<html>sign in</html>", NEXT_LATER, 0, 0, 3},
    {"200 with an empty body", 200, 0, TW_STORED_YES, "", NEXT_LATER, 0, 0, 3},
    {"200 with an array", 200, 0, TW_STORED_YES, "[]", NEXT_LATER, 0, 0, 3},
    {"200 with success as text", 200, 0, TW_STORED_YES, "success", NEXT_LATER, 0, 0, 3},
    {"200 without a code", 200, 0, TW_STORED_YES, "{\"events_ingested\":3}", NEXT_LATER,
     0, 0, 3},
    {"200 without a count", 200, 0, TW_STORED_YES, "{\"code\":200}", NEXT_LATER, 0, 0, 3},
    {"200 with a count as text", 200, 0, TW_STORED_YES,
     "{\"code\":200,\"events_ingested\":\"3\"}", NEXT_LATER, 0, 0, 3},
    {"200 cut off", 200, 0, TW_STORED_YES, "{\"code\":200,\"events_ingested\":3",
     NEXT_LATER, 0, 0, 3},
    {"200 with something behind", 200, 0, TW_STORED_YES,
     "{\"code\":200,\"events_ingested\":3}}", NEXT_LATER, 0, 0, 3},
    {"200 with too few", 200, 0, TW_STORED_YES, "{\"code\":200,\"events_ingested\":2}",
     NEXT_LATER, 0, 0, 3},
    {"200 with too many", 200, 0, TW_STORED_YES, "{\"code\":200,\"events_ingested\":4}",
     NEXT_LATER, 0, 0, 3},
    {"204", 204, 0, TW_STORED_YES, "", NEXT_LATER, 0, 0, 3},
    {"200 that broke off", 200, TW_E_NETWORK, TW_STORED_MAYBE,
     "{\"code\":200,\"events_ingested\":3}", NEXT_LATER, 0, 0, 3},
    {"200 that was too long", 200, TW_E_TOO_LARGE, TW_STORED_MAYBE, "", NEXT_LATER, 0, 0,
     3},
    {"200 with code 429", 200, 0, TW_STORED_YES,
     "{\"code\":429,\"throttled_events\":[0]}", NEXT_HOLD, 30000, 0, 0},
    {"200 with code 500", 200, 0, TW_STORED_YES, "{\"code\":500}", NEXT_LATER, 0, 0, 3},
    {"redirect", 302, TW_E_HTTP, TW_STORED_MAYBE, "", NEXT_LATER, 0, 0, 3},
    {"redirect with the body", 307, TW_E_PROTOCOL, TW_STORED_MAYBE, "", NEXT_LATER, 0, 0,
     3},
    {"no connection", 0, TW_E_NETWORK, TW_STORED_NO, "", NEXT_LATER, 0, 0, 0},
    {"reset", 0, TW_E_NETWORK, TW_STORED_MAYBE, "", NEXT_LATER, 0, 0, 3},
    {"timeout", 0, TW_E_TIMEOUT, TW_STORED_MAYBE, "", NEXT_LATER, 0, 0, 3},
    {"no memory", 0, TW_E_NOMEM, TW_STORED_NO, "", NEXT_LATER, 0, 0, 0},
    {"500", 500, TW_E_SERVER, TW_STORED_MAYBE, "oops", NEXT_LATER, 0, 0, 3},
    {"502", 502, TW_E_SERVER, TW_STORED_MAYBE, "<html>", NEXT_LATER, 0, 0, 3},
    {"503", 503, TW_E_SERVER, TW_STORED_NO, "{\"code\":503}", NEXT_LATER, 0, 0, 0},
    {"504", 504, TW_E_SERVER, TW_STORED_MAYBE, "", NEXT_LATER, 0, 0, 3},
    {"408", 408, TW_E_HTTP, TW_STORED_MAYBE, "", NEXT_LATER, 0, 0, 3},
    {"invalid field", 400, TW_E_HTTP, TW_STORED_NO,
     "{\"code\":400," LISTS ",\"events_with_invalid_fields\":{\"time\":[1]}}", NEXT_NOW,
     0, 1, 0},
    {"all kinds of lists", 400, TW_E_HTTP, TW_STORED_NO,
     "{\"code\":400," LISTS ",\"events_with_invalid_fields\":{\"time\":[0],\"ip\":[0]},"
     "\"events_with_missing_fields\":{\"event_type\":[1]},"
     "\"events_with_invalid_id_lengths\":{\"user_id\":[2]}}",
     NEXT_NONE, 0, 3, 0},
    {"a list nobody has documented", 400, TW_E_HTTP, TW_STORED_NO,
     "{\"code\":400,\"events_with_too_much_irony\":{\"text\":[2]}}", NEXT_NOW, 0, 1, 0},
    {"silenced and throttled", 400, TW_E_HTTP, TW_STORED_NO,
     "{\"code\":400,\"error\":\"Events silenced for device_id\",\"eps_threshold\":30,"
     "\"exceeded_daily_quota_devices\":{},\"silenced_devices\":[\"d\"],\"silenced_events\":[0],"
     "\"throttled_devices\":{\"d2\":37},\"throttled_events\":[2]}",
     NEXT_HOLD, 30000, 1, 0},
    {"HTML 400", 400, TW_E_HTTP, TW_STORED_NO, "<html>Bad Request</html>", NEXT_LATER, 0,
     0, 0},
    {"empty 400", 400, TW_E_HTTP, TW_STORED_NO, "", NEXT_LATER, 0, 0, 0},
    {"400 cut off in a list", 400, TW_E_HTTP, TW_STORED_NO,
     "{\"code\":400,\"events_with_invalid_fields\":{\"time\":[1", NEXT_LATER, 0, 0, 0},
    {"body lost on the way", 400, TW_E_HTTP, TW_STORED_NO,
     "{\"code\":400,\"error\":\"Missing request body\"}", NEXT_LATER, 0, 0, 0},
    {"bad key", 400, TW_E_HTTP, TW_STORED_NO,
     "{\"code\":400,\"error\":\"Invalid API key: k0ffee\"}", NEXT_PAUSE, 0, 0, 0},
    {"bad key, documented text", 400, TW_E_HTTP, TW_STORED_NO,
     "{\"code\":400,\"error\":\"Invalid API key\"}", NEXT_PAUSE, 0, 0, 0},
    {"no key", 400, TW_E_HTTP, TW_STORED_NO,
     "{\"code\":400,\"error\":\"Request missing required field\",\"missing_field\":\"api_key\"}",
     NEXT_PAUSE, 0, 0, 0},
    {"wrong path", 400, TW_E_HTTP, TW_STORED_NO,
     "{\"code\":400,\"error\":\"Invalid request path\"}", NEXT_PAUSE, 0, 0, 0},
    {"401", 401, TW_E_AUTH, TW_STORED_NO, "", NEXT_PAUSE, 0, 0, 0},
    {"firewall", 403, TW_E_AUTH, TW_STORED_NO, "<html>403</html>", NEXT_PAUSE, 0, 0, 0},
    {"404", 404, TW_E_HTTP, TW_STORED_NO, "not here", NEXT_PAUSE, 0, 0, 0},
    {"405", 405, TW_E_HTTP, TW_STORED_NO, "", NEXT_PAUSE, 0, 0, 0},
    {"throttled", 429, TW_E_RATE_LIMITED, TW_STORED_NO,
     "{\"code\":429,\"eps_threshold\":30,\"throttled_devices\":{},"
     "\"throttled_users\":{\"u\":31},\"throttled_events\":[1]}",
     NEXT_HOLD, 30000, 0, 0},
    {"daily quota", 429, TW_E_RATE_LIMITED, TW_STORED_NO,
     "{\"code\":429,\"eps_threshold\":1000,\"throttled_devices\":{},\"throttled_users\":{},"
     "\"exceeded_daily_quota_users\":{\"u\":500200},\"exceeded_daily_quota_devices\":{},"
     "\"throttled_events\":[0,1]}",
     NEXT_HOLD, 3600000, 0, 0},
};

static void check_row(world *w, const row *r)
{
    tw_stats now;
    int64_t before = fake.now_ms;

    start(w);
    track(w, 3);
    advance(w, 5000);
    assert_int_equal(sent(w), 3);
    before = fake.now_ms;
    reply(w, r->status, r->code, r->stored, -1, r->body);
    now = stats(w);
    balanced(w);
    assert_int_equal(now.rejected, r->rejected);
    assert_int_equal(now.stored, r->next == NEXT_NONE ? 3 - r->rejected : 0);
    assert_int_equal(now.paused, r->next == NEXT_PAUSE);
    switch (r->next) {
    case NEXT_NONE:
        assert_null(w->gate.call);
        assert_null(w->gate.loop.timer);
        break;
    case NEXT_NOW:
        assert_int_equal(sent(w), 3 - r->rejected);
        break;
    case NEXT_LATER:
        assert_null(w->gate.call);
        assert_in_range(w->gate.loop.timer->due_ms, before + 1, before + 1000);
        break;
    case NEXT_HOLD:
        if (w->gate.call != NULL)
            answer_ok(w);
        assert_null(w->gate.call);
        assert_int_equal(w->gate.loop.timer->due_ms, before + r->wait);
        break;
    case NEXT_PAUSE:
        assert_null(w->gate.call);
        assert_in_range(w->gate.loop.timer->due_ms, before + 60000, before + 120000);
        break;
    }
    balanced(w);
    if (w->gate.call == NULL) {
        tw__ingest_cancel(w->ing);
        assert_int_equal(stats(w).uncertain, r->uncertain);
        assert_int_equal(stats(w).waiting, 0);
    } else {
        answer_all_ok(w);
        expect(w, 3 - r->rejected, r->rejected, 0);
        tw__ingest_cancel(w->ing);
    }
    balanced(w);
    tw__ingest_free(w->ing);
    w->ing = NULL;
}

static void every_answer_has_its_consequence(void **state)
{
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("    %s\n", rows[i].name);
        check_row(*state, &rows[i]);
    }
}

static void rejections_tell_event_field_and_reason(void **state)
{
    world *w = *state;
    tw_rejection *rej;
    const char *text;
    size_t size;

    start(w);
    track(w, 3);
    advance(w, 5000);
    answer(w, 400,
           "{\"code\":400," LISTS ",\"events_with_invalid_fields\":{\"time\":[1]},"
           "\"events_with_missing_fields\":{\"user_id\":[2]}}");
    answer_ok(w);
    expect(w, 1, 2, 0);
    assert_int_equal(tw__rejection_next(&rej, w->ing), TW_OK);
    text = tw_rejection_event(rej, &size);
    assert_memory_equal(
        text, "{\"event_type\":\"e\",\"user_id\":\"user-000001\",\"insert_id\":\"", 53);
    assert_int_equal(text[size - 1], '}');
    assert_string_equal(tw_rejection_field(rej), "time");
    assert_string_equal(tw_rejection_reason(rej), "Invalid field values on some events");
    assert_int_equal(tw_rejection_status(rej), 400);
    tw_rejection_free(rej);
    assert_int_equal(tw__rejection_next(&rej, w->ing), TW_OK);
    assert_string_equal(tw_rejection_field(rej), "user_id");
    tw_rejection_free(rej);
    assert_int_equal(tw__rejection_next(&rej, w->ing), TW_AGAIN);
    assert_null(rej);
}

static void only_the_newest_rejections_are_kept(void **state)
{
    world *w = *state;
    tw_rejection *rej;
    int count = 0;
    int i;

    start(w);
    for (i = 0; i < 1100; i++) {
        track(w, 1);
        advance(w, 5000);
        answer(w, 400, "{\"code\":400,\"events_with_invalid_fields\":{\"time\":[0]}}");
    }
    while (tw__rejection_next(&rej, w->ing) == TW_OK) {
        count++;
        tw_rejection_free(rej);
    }
    assert_int_equal(count, 1000);
    expect(w, 0, 1100, 0);
}

/* 1,999 events, 50 of them poison: the others are stored, within the bound. */
static void poison(world *w, telling manner, uint64_t bound)
{
    int i;
    tw_rejection *rej;
    const char *text;
    size_t size;

    start(w);
    for (i = 0; i < 1999; i++)
        assert_int_equal(
            track_type(w, (i * 50) / 1999 != ((i + 1) * 50) / 1999 ? "poison" : "e"),
            TW_OK);
    fake_run(&w->gate);
    while (w->gate.call != NULL)
        serve(w, manner);
    expect(w, 1949, 50, 0);
    assert_true(stats(w).requests <= bound);
    while (tw__rejection_next(&rej, w->ing) == TW_OK) {
        text = tw_rejection_event(rej, &size);
        assert_memory_equal(text, "{\"event_type\":\"poison\"", 22);
        tw_rejection_free(rej);
    }
}

static void poison_named_all_at_once(void **state)
{
    poison(*state, TELL_ALL, 2);
}

static void poison_named_one_by_one(void **state)
{
    poison(*state, TELL_FIRST, 51);
}

static void poison_not_named(void **state)
{
    poison(*state, TELL_NOTHING, 600);
}

static void poison_named_wrongly(void **state)
{
    poison(*state, TELL_NONSENSE, 600);
}

static void a_server_that_refuses_all_is_not_stormed(void **state)
{
    world *w = *state;
    uint64_t requests;
    int minutes;

    start(w);
    track(w, 1999);
    fake_run(&w->gate);
    while (w->gate.call != NULL)
        answer(w, 400, "{\"code\":400,\"error\":\"Invalid event JSON\"}");
    requests = stats(w).requests; /* one per halving, and one per event found */
    assert_in_range(requests, 600, 700);
    assert_int_not_equal(stats(w).waiting, 0);
    /* Others are not kept waiting for it. */
    track(w, 1);
    advance(w, 5000);
    assert_int_equal(sent(w), 1);
    answer_ok(w);
    assert_int_equal(stats(w).stored, 1);
    for (minutes = 0; minutes < 60 && stats(w).waiting != 0; minutes++) {
        advance(w, 60000);
        while (w->gate.call != NULL)
            answer(w, 400, "{\"code\":400,\"error\":\"Invalid event JSON\"}");
    }
    expect(w, 1, 1999, 0);
}

/* ---- too large --------------------------------------------------------------------- */

static void a_smaller_limit_is_found_and_remembered(void **state)
{
    world *w = *state;
    int refused = 0;

    start(w);
    track(w, 1999);
    fake_run(&w->gate);
    while (w->gate.call != NULL) {
        if (w->gate.call->size > 100000) {
            refused++;
            answer(w, 413, "{\"code\":413,\"error\":\"Payload too large\"}");
        } else {
            answer_ok(w);
        }
    }
    expect(w, 1999, 0, 0);
    assert_in_range(refused, 2, 3);
    assert_in_range(w->ing->limits.bytes, 30000, 120000);
    assert_int_equal(w->ing->limits.events, 1999);
    track(w, 1999);
    advance(w, 5000);
    assert_true(w->gate.call->size <= 100000);
    answer_all_ok(w);
    expect(w, 3998, 0, 0);
}

static void a_smaller_limit_is_forgotten_after_an_hour(void **state)
{
    world *w = *state;
    size_t whole;

    start(w);
    track(w, 1999);
    fake_run(&w->gate);
    whole = w->gate.call->size;
    answer(w, 413, "{\"code\":413,\"error\":\"Payload too large\"}");
    answer_all_ok(w);
    advance(w, 3590000);
    track(w, 1999);
    advance(w, 5000);
    assert_true(w->gate.call->size <= whole / 2);
    answer_all_ok(w);
    advance(w, 10000);
    track(w, 10); /* brings the time to whoever fills the next one */
    advance(w, 5000);
    answer_all_ok(w);
    track(w, 1999);
    fake_run(&w->gate);
    assert_int_equal(w->gate.call->size, whole);
    answer_all_ok(w);
    expect(w, 1999 * 3 + 10, 0, 0);
}

/* Bytes were too many, not events: small ones go together as before. */
static void a_large_event_does_not_make_small_ones_go_alone(void **state)
{
    world *w = *state;

    start(w);
    track(w, 1);
    assert_int_equal(tw_event_commit(event_of(w, "large", 60000), NULL), TW_OK);
    advance(w, 5000);
    while (w->gate.call != NULL) {
        if (w->gate.call->size > 50000)
            answer(w, 413, "{\"code\":413,\"error\":\"Payload too large\"}");
        else
            answer_ok(w);
    }
    expect(w, 1, 1, 0);
    track(w, 100);
    advance(w, 5000);
    assert_int_equal(sent(w), 100);
    answer_ok(w);
    expect(w, 101, 1, 0);
}

static void one_event_too_large_for_the_server_is_rejected(void **state)
{
    world *w = *state;
    tw_rejection *rej;

    start(w);
    track(w, 4);
    advance(w, 5000);
    while (w->gate.call != NULL) {
        if (in_body(w, "user-000002"))
            answer(w, 413, "{\"code\":413,\"error\":\"Payload too large\"}");
        else
            answer_ok(w);
    }
    expect(w, 3, 1, 0);
    assert_int_equal(tw__rejection_next(&rej, w->ing), TW_OK);
    assert_null(tw_rejection_field(rej));
    assert_string_equal(tw_rejection_reason(rej), "Payload too large");
    assert_int_equal(tw_rejection_status(rej), 413);
    tw_rejection_free(rej);
}

/* ---- throttling -------------------------------------------------------------------- */

static void throttled_events_wait_and_the_rest_goes_on(void **state)
{
    world *w = *state;

    start(w);
    track(w, 4);
    advance(w, 5000);
    answer(w, 429,
           "{\"code\":429,\"throttled_users\":{\"u\":31},\"throttled_events\":[0,2]}");
    assert_int_equal(sent(w), 2);
    assert_int_equal(in_body(w, "user-000001"), 1);
    assert_int_equal(in_body(w, "user-000003"), 1);
    answer_ok(w);
    expect(w, 2, 0, 2);
    track(w, 1); /* a stranger */
    advance(w, 5000);
    assert_int_equal(sent(w), 1);
    answer_ok(w);
    advance(w, 24999);
    assert_null(w->gate.call);
    advance(w, 1);
    assert_int_equal(sent(w), 2);
    assert_int_equal(in_body(w, "user-000000"), 1);
    assert_int_equal(in_body(w, "user-000002"), 1);
    answer_ok(w);
    expect(w, 5, 0, 0);
}

static void batch_throttling_is_shorter(void **state)
{
    world *w = *state;
    int64_t before;

    w->set.use_batch = 1;
    start(w);
    track(w, 1);
    advance(w, 5000);
    before = fake.now_ms;
    answer(w, 429,
           "{\"code\":429,\"throttled_devices\":{\"d\":1001},\"throttled_events\":[0]}");
    assert_int_equal(w->gate.loop.timer->due_ms, before + 15000);
}

static void throttled_events_of_several_answers_go_together(void **state)
{
    world *w = *state;

    w->set.batch_events = 2;
    start(w);
    track(w, 6);
    fake_run(&w->gate);
    while (w->gate.call != NULL) {
        answer(w, 429, "{\"code\":429,\"throttled_events\":[0]}");
        answer_ok(w);
    }
    expect(w, 3, 0, 3);
    advance(w, 30000);
    assert_int_equal(sent(w), 2); /* as many as a request may have */
    answer_ok(w);
    assert_int_equal(sent(w), 1);
    answer_ok(w);
    expect(w, 6, 0, 0);
}

static void each_user_waits_for_its_own_time(void **state)
{
    world *w = *state;

    w->set.batch_events = 1;
    start(w);
    track(w, 1);
    fake_run(&w->gate);
    answer(w, 429, "{\"code\":429,\"throttled_events\":[0]}");
    advance(w, 600);
    track(w, 1);
    fake_run(&w->gate);
    answer(w, 429, "{\"code\":429,\"throttled_events\":[0]}");
    advance(w, 30000 - 601);
    assert_null(w->gate.call);
    advance(w, 1);
    assert_int_equal(in_body(w, "user-000000"), 1);
    answer_ok(w);
    advance(w, 599);
    assert_null(w->gate.call);
    advance(w, 1);
    assert_int_equal(in_body(w, "user-000001"), 1);
    answer_ok(w);
    expect(w, 2, 0, 0);
}

static void throttling_without_names_slows_all_down(void **state)
{
    world *w = *state;
    int64_t before;

    w->set.batch_events = 2;
    start(w);
    track(w, 4);
    fake_run(&w->gate);
    before = fake.now_ms;
    answer(w, 429,
           "{\"code\":429,\"error\":\"Too many requests for some devices and users\"}");
    assert_null(w->gate.call);
    assert_in_range(w->gate.loop.timer->due_ms, before + 1, before + 1000);
    advance(w, 1000);
    assert_int_equal(in_body(w, "user-000002"), 1);
    answer_ok(w);
    advance(w, 28999);
    assert_null(w->gate.call);
    advance(w, 1);
    assert_int_equal(in_body(w, "user-000000"), 1);
    answer_ok(w);
    expect(w, 4, 0, 0);
}

static void wrong_indexes_throttle_the_whole_batch(void **state)
{
    world *w = *state;

    start(w);
    track(w, 2);
    advance(w, 5000);
    answer(w, 429, "{\"code\":429,\"throttled_events\":[0,7]}");
    advance(w, 29999);
    assert_null(w->gate.call);
    advance(w, 1);
    assert_int_equal(sent(w), 2);
}

/* ---- retry ------------------------------------------------------------------------- */

static void back_off_doubles_with_full_jitter_up_to_its_limit(void **state)
{
    world *w = *state;
    int64_t sum[10] = {0};
    int round;
    int i;

    for (round = 0; round < 200; round++) {
        start(w);
        track(w, 1);
        advance(w, 5000);
        for (i = 0; i < 10; i++) {
            int64_t cap = 1000 << i < 60000 ? 1000 << i : 60000;
            int64_t wait;

            answer(w, 503, "");
            wait = w->gate.loop.timer->due_ms - fake.now_ms;
            assert_in_range(wait, 1, cap);
            sum[i] += wait * 1000 / cap;
            advance(w, wait - 1);
            assert_null(w->gate.call);
            advance(w, 1);
            assert_int_equal(sent(w), 1);
        }
        answer_ok(w);
        assert_int_equal(stats(w).retries, 10);
        expect(w, 1, 0, 0);
        tw__ingest_free(w->ing);
        w->ing = NULL;
    }
    for (i = 0; i < 10; i++) /* uniform: the mean is half the cap */
        assert_in_range(sum[i] / 200, 400, 600);
}

static void success_ends_the_back_off(void **state)
{
    world *w = *state;
    int i;

    start(w);
    track(w, 1);
    advance(w, 5000);
    for (i = 0; i < 8; i++) {
        answer(w, 503, "");
        advance(w, 60000);
    }
    answer_ok(w);
    track(w, 1);
    advance(w, 5000);
    answer(w, 503, "");
    assert_in_range(w->gate.loop.timer->due_ms - fake.now_ms, 1, 1000);
}

static void the_servers_wish_to_wait_is_honoured_within_reason(void **state)
{
    world *w = *state;

    start(w);
    track(w, 2);
    advance(w, 5000);
    reply(w, 503, TW_E_SERVER, TW_STORED_NO, 120000, "");
    assert_int_equal(w->gate.loop.timer->due_ms - fake.now_ms, 120000);
    advance(w, 120000);
    reply(w, 503, TW_E_SERVER, TW_STORED_NO, INT64_C(86400000000), "");
    assert_int_equal(w->gate.loop.timer->due_ms - fake.now_ms, 300000);
    advance(w, 300000);
    reply(w, 429, TW_E_RATE_LIMITED, TW_STORED_NO, 120000,
          "{\"code\":429,\"throttled_events\":[0]}");
    answer_ok(w);
    assert_int_equal(w->gate.loop.timer->due_ms - fake.now_ms, 120000);
}

static void a_call_that_cannot_start_is_tried_again(void **state)
{
    world *w = *state;

    start(w);
    w->gate.start_code = TW_E_NOMEM;
    track(w, 1);
    advance(w, 5000);
    assert_null(w->gate.call);
    assert_int_equal(stats(w).requests, 0);
    assert_in_range(w->gate.loop.timer->due_ms - fake.now_ms, 1, 1000);
    w->gate.start_code = TW_OK;
    advance(w, 1000);
    answer_ok(w);
    expect(w, 1, 0, 0);
}

static void a_short_count_is_asked_about_once(void **state)
{
    world *w = *state;

    start(w);
    track(w, 3);
    advance(w, 5000);
    answer(w, 200, "{\"code\":200,\"events_ingested\":2}");
    advance(w, 1000);
    assert_int_equal(sent(w), 3);
    answer(w, 200, "{\"code\":200,\"events_ingested\":2}");
    assert_null(w->gate.call);
    assert_int_equal(stats(w).uncertain, 3);
    expect(w, 0, 0, 0);
    track(w, 2);
    advance(w, 5000);
    answer(w, 200, "{\"code\":200,\"events_ingested\":0}");
    advance(w, 1000);
    answer_ok(w);
    expect(w, 2, 0, 0);
}

/* Records that are sent again are the same bytes. */
static void a_retry_repeats_the_same_bytes(void **state)
{
    world *w = *state;
    char *first;
    size_t size;

    start(w);
    track(w, 20);
    advance(w, 5000);
    size = w->gate.call->size;
    first = malloc(size);
    memcpy(first, w->gate.call->body, size);
    reply(w, 0, TW_E_NETWORK, TW_STORED_MAYBE, -1, "");
    advance(w, 1000);
    assert_int_equal(w->gate.call->size, size);
    assert_memory_equal(w->gate.call->body, first, size);
    free(first);
}

/* ---- pause ------------------------------------------------------------------------- */

static void a_paused_sender_probes_and_recovers(void **state)
{
    world *w = *state;
    int64_t last = 0;
    int i;

    start(w);
    track(w, 5);
    advance(w, 5000);
    for (i = 0; i < 6; i++) {
        int64_t wait;

        answer(w, 403, "<html>");
        assert_int_equal(stats(w).paused, 1);
        wait = w->gate.loop.timer->due_ms - fake.now_ms;
        assert_in_range(wait, 60000, 300000);
        if (last < 100000 && i > 3)
            last = wait;
        advance(w, wait);
        assert_int_equal(sent(w), 5);
    }
    answer_ok(w);
    assert_int_equal(stats(w).paused, 0);
    expect(w, 5, 0, 0);
}

/* A certificate that was refused will be refused again: no reason to ask every second. */
static void a_refused_certificate_pauses(void **state)
{
    world *w = *state;
    tw_outcome outcome;
    tw_error *err = NULL;
    tw_job *job;

    start(w);
    track(w, 2);
    job = flush(w);
    tw__error(&err, TW_E_NETWORK, "ingestion.httpapi: certificate has expired");
    tw__error_set_retriable(err, 0);
    memset(&outcome, 0, sizeof outcome);
    outcome.err = err;
    outcome.body = "";
    outcome.head.retry_after_ms = -1;
    fake_call_end(&w->gate, &outcome);
    tw_error_free(err);
    fake_run(&w->gate);
    assert_int_equal(stats(w).paused, 1);
    assert_in_range(w->gate.loop.timer->due_ms, fake.now_ms + 60000,
                    fake.now_ms + 120000);
    assert_true(job->finished);
    assert_int_equal(tw_error_code(job->err), TW_E_NETWORK);
    assert_non_null(strstr(tw_error_message(job->err), "certificate has expired"));
    assert_null(strstr(tw_error_message(job->err), "HTTP 0"));
    tw_job_unref(job);
    expect(w, 0, 0, 2);
    tw__ingest_cancel(w->ing);
    assert_int_equal(stats(w).expired, 2);
}

/* Refused as not stored, but libcurl had sent it once before: at the end it is not "never sent". */
static void a_refusal_of_a_repetition_leaves_a_doubt(void **state)
{
    world *w = *state;

    start(w);
    track(w, 1);
    tw_job_unref(flush(w));
    reply(w, 503, TW_E_SERVER, TW_STORED_MAYBE, -1, "");
    tw__ingest_cancel(w->ing);
    assert_int_equal(stats(w).uncertain, 1);
    assert_int_equal(stats(w).expired, 0);
}

static void a_flush_learns_of_the_pause(void **state)
{
    world *w = *state;
    tw_job *job;

    start(w);
    track(w, 2);
    job = flush(w);
    assert_false(job->finished);
    answer(w, 400, "{\"code\":400,\"error\":\"Invalid API key: secret-key\"}");
    assert_true(job->finished);
    assert_int_equal(tw_error_code(job->err), TW_E_AUTH);
    assert_int_equal(tw_error_http_status(job->err), 400);
    assert_null(strstr(tw_error_message(job->err), "secret-key"));
    assert_non_null(strstr(tw_error_message(job->err), "HTTP 400, Invalid API key: "));
    tw_job_unref(job);
    expect(w, 0, 0, 2);
    /* Another one asks once more, at once. */
    job = flush(w);
    assert_int_equal(sent(w), 2);
    answer(w, 404, "");
    assert_int_equal(tw_error_code(job->err), TW_E_HTTP);
    tw_job_unref(job);
    job = flush(w);
    answer_ok(w);
    assert_true(job->finished);
    assert_null(job->err);
    tw_job_unref(job);
    expect(w, 2, 0, 0);
}

static void the_key_is_in_no_reason(void **state)
{
    world *w = *state;
    tw_verdict verdict;
    tw_outcome outcome;
    static const char body[] = "{\"code\":413,\"error\":\"Invalid API key: k0ffee\"}";

    start(w);
    memset(&outcome, 0, sizeof outcome);
    outcome.head.status = 413;
    outcome.body = body;
    outcome.body_size = sizeof body - 1;
    tw__verdict_read(&verdict, &outcome, 1, 0, w->ing->rd);
    assert_string_equal(verdict.reasons[0].text, "Invalid API key");
}

static void a_key_elsewhere_in_a_reason_is_redacted(void **state)
{
    world *w = *state;
    tw_rejection *rej;

    start(w);
    track(w, 1);
    advance(w, 5000);
    answer(w, 400,
           "{\"code\":400,\"error\":\"Bad time for k\\\"1 and more\","
           "\"events_with_invalid_fields\":{\"time\":[0]}}");
    assert_int_equal(tw__rejection_next(&rej, w->ing), TW_OK);
    assert_string_equal(tw_rejection_reason(rej), "Bad time for *** and more");
    tw_rejection_free(rej);
    track(w, 1);
    advance(w, 5000);
    answer(w, 400, "{\"code\":400,\"events_with_invalid_fields\":{\"k\\\"1\":[0]}}");
    assert_int_equal(tw__rejection_next(&rej, w->ing), TW_OK);
    assert_string_equal(tw_rejection_field(rej), "***");
    tw_rejection_free(rej);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(every_answer_has_its_consequence),
        test(rejections_tell_event_field_and_reason),
        test(only_the_newest_rejections_are_kept),
        test(poison_named_all_at_once),
        test(poison_named_one_by_one),
        test(poison_not_named),
        test(poison_named_wrongly),
        test(a_server_that_refuses_all_is_not_stormed),
        test(a_smaller_limit_is_found_and_remembered),
        test(a_smaller_limit_is_forgotten_after_an_hour),
        test(a_large_event_does_not_make_small_ones_go_alone),
        test(one_event_too_large_for_the_server_is_rejected),
        test(throttled_events_wait_and_the_rest_goes_on),
        test(batch_throttling_is_shorter),
        test(throttled_events_of_several_answers_go_together),
        test(each_user_waits_for_its_own_time),
        test(throttling_without_names_slows_all_down),
        test(wrong_indexes_throttle_the_whole_batch),
        test(back_off_doubles_with_full_jitter_up_to_its_limit),
        test(success_ends_the_back_off),
        test(the_servers_wish_to_wait_is_honoured_within_reason),
        test(a_call_that_cannot_start_is_tried_again),
        test(a_short_count_is_asked_about_once),
        test(a_retry_repeats_the_same_bytes),
        test(a_paused_sender_probes_and_recovers),
        test(a_refused_certificate_pauses),
        test(a_flush_learns_of_the_pause),
        test(a_refusal_of_a_repetition_leaves_a_doubt),
        test(the_key_is_in_no_reason),
        test(a_key_elsewhere_in_a_reason_is_redacted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
