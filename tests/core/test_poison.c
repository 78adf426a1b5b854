/* SPDX-License-Identifier: MIT */
/* A server that breaks at one event: the others go on, an outage is not made worse. */
#include "ingest_world.h"

typedef struct failure {
    int status;
    const char *body;
} failure;

static failure failing = {500, "oops"};

/* Fails at each request that holds an event of type "poison". */
static void serve_breaking(world *w)
{
    if (in_body(w, "\"event_type\":\"poison\"") != 0)
        answer(w, failing.status, failing.body);
    else
        answer_ok(w);
}

static void run(world *w, int64_t ms)
{
    int64_t end = fake.now_ms + ms;

    while (fake.now_ms < end) {
        while (w->gate.call != NULL)
            serve_breaking(w);
        advance(w, 250);
    }
    while (w->gate.call != NULL)
        serve_breaking(w);
}

/* It fails at the first batch until another one is to be tried in its place, after a minute. */
static void fail_at_the_first(world *w)
{
    int i;

    fake_run(&w->gate);
    for (i = 0; i < 3; i++) {
        if (i > 0)
            advance(w, 61000);
        assert_int_equal(in_body(w, "user-000000"), 1);
        answer(w, 500, "down");
    }
}

static void others_pass_a_batch_that_breaks_the_server(void **state)
{
    world *w = *state;

    w->set.batch_events = 64;
    start(w);
    track(w, 40);
    assert_int_equal(track_type(w, "poison"), TW_OK);
    track(w, 1000);
    run(w, 60000);
    expect(w, 1040, 0, 1);
    /* It is never given up, tried once a minute or two at most, and in nobody's way. */
    track(w, 1);
    advance(w, 5000);
    if (w->gate.call != NULL)
        serve_breaking(w);
    run(w, 1000);
    expect(w, 1041, 0, 1);
    assert_true(stats(w).requests < 60);
    run(w, 3600000);
    assert_true(stats(w).requests < 200);
    expect(w, 1041, 0, 1);
    while (stats(w).waiting != 0) { /* repaired */
        advance(w, 1000);
        answer_all_ok(w);
    }
    expect(w, 1042, 0, 0);
}

/* Whoever stands before the server may dislike an event, too, and say so in his own way. */
static void others_pass_an_event_that_is_answered_with_a_page(void **state)
{
    static const failure pages[] = {{400, "<html>Bad Request</html>"},
                                    {200, "<html>blocked</html>"},
                                    {200, "{\"code\":200,\"blocked\":true}"},
                                    {302, ""},
                                    {408, ""}};
    world *w = *state;
    size_t i;

    w->set.batch_events = 64;
    for (i = 0; i < sizeof pages / sizeof *pages; i++) {
        failing = pages[i];
        start(w);
        track(w, 40);
        assert_int_equal(track_type(w, "poison"), TW_OK);
        track(w, 300);
        run(w, 120000);
        expect(w, 340, 0, 1);
        assert_true(stats(w).requests < 60);
        world_end(w);
    }
    failing = (failure){500, "oops"};
}

static void one_batch_alone_is_searched_as_well(void **state)
{
    world *w = *state;

    start(w);
    track(w, 300);
    assert_int_equal(track_type(w, "poison"), TW_OK);
    track(w, 100);
    assert_int_equal(track_type(w, "poison"), TW_OK);
    track(w, 300);
    run(w, 600000);
    expect(w, 700, 0, 2);
    /* Two times ten halvings, four attempts each, and those of an hour's sixth. */
    assert_true(stats(w).requests < 120);
}

static void an_outage_is_no_worse_for_it(void **state)
{
    world *w = *state;
    uint64_t before;
    int i;

    w->set.batch_events = 100;
    start(w);
    track(w, 1000);
    fake_run(&w->gate);
    for (i = 0; i < 600; i++) {
        if (w->gate.call != NULL)
            answer(w, i % 2 == 0 ? 500 : 502, "down");
        assert_null(w->gate.call); /* the back-off holds */
        advance(w, 1000);
    }
    before = stats(w).requests;
    assert_true(before < 40);
    for (i = 0; i < 70 && stats(w).waiting != 0; i++) {
        answer_all_ok(w);
        advance(w, 1000);
    }
    expect(w, 1000, 0, 0);
    assert_in_range(stats(w).requests - before, 9, 12);
}

/* While the server is down the first batch stays the first, but for every fourth attempt. */
static void order_is_kept_in_an_outage(void **state)
{
    world *w = *state;
    int firsts = 0;
    int i;

    w->set.batch_events = 10;
    start(w);
    track(w, 30);
    fake_run(&w->gate);
    for (i = 0; i < 40; i++) {
        assert_non_null(w->gate.call);
        firsts += in_body(w, "user-000000");
        answer(w, 500, "down");
        advance(w, 61000);
    }
    assert_int_equal(firsts, 33); /* its halves stay first too */
    while (in_body(w, "user-000000") == 0) {
        answer(w, 500, "down");
        advance(w, 61000);
    }
    for (i = 0; i < 30; answer_ok(w)) {
        char name[32];
        int first = i;

        for (; i < first + sent(w); i++) {
            snprintf(name, sizeof name, "user-%06d", i);
            assert_int_equal(in_body(w, name), 1);
        }
    }
    expect(w, 30, 0, 0);
}

/* The last thing known of the server is that it was down: nothing may be overtaken when it is up
 * again. */
static void one_batch_alone_keeps_its_order(void **state)
{
    world *w = *state;
    int i;

    start(w);
    track(w, 10);
    fake_job_unref(flush(w));
    fail_at_the_first(w);
    advance(w, 61000);
    for (i = 0; i < 10; advance(w, 1000)) {
        char name[32];
        int first = i;

        assert_non_null(w->gate.call);
        for (; i < first + sent(w); i++) {
            snprintf(name, sizeof name, "user-%06d", i);
            assert_int_equal(in_body(w, name), 1);
        }
        answer_ok(w);
    }
    expect(w, 10, 0, 0);
}

/* What is tried in its place is too large by now: a part of it tells as much. */
static void a_probe_that_was_cut_tells_all_the_same(void **state)
{
    world *w = *state;

    w->set.batch_events = 10;
    start(w);
    track(w, 20);
    fail_at_the_first(w);
    w->ing->limits.events = w->ing->batch_limits.events = 4;
    advance(w, 61000);
    assert_int_equal(in_body(w, "user-000010"), 1);
    assert_int_equal(in_body(w, "user-000014"), 0);
    answer_ok(w);
    assert_int_equal(in_body(w, "user-000014"), 1); /* its rest, which came before */
    while (w->gate.call != NULL && in_body(w, "user-000000") == 0)
        answer_ok(w);
    assert_int_equal(w->ing->sent->doubted, 1);
    while (stats(w).waiting != 0) {
        answer_all_ok(w);
        advance(w, 61000);
    }
    expect(w, 20, 0, 0);
}

/* What another batch was tried for is over when that one has been put off. */
static void a_throttled_probe_blames_nobody(void **state)
{
    world *w = *state;

    w->set.batch_events = 10;
    start(w);
    track(w, 20);
    fail_at_the_first(w);
    advance(w, 61000);
    assert_int_equal(in_body(w, "user-000010"), 1);
    answer(w, 429, "{\"code\":429,\"error\":\"Too many requests\"}");
    assert_int_equal(w->ing->held.head->probe, 0);
    while (stats(w).waiting != 0) {
        advance(w, 61000);
        answer_all_ok(w);
    }
    expect(w, 20, 0, 0);
}

/* An outage ends while another batch is tried: the first goes next, and whole. */
static void the_first_goes_next_after_an_outage(void **state)
{
    world *w = *state;

    w->set.batch_events = 10;
    start(w);
    track(w, 30);
    fail_at_the_first(w);
    advance(w, 61000);
    assert_int_equal(in_body(w, "user-000010"), 1);
    answer_ok(w);
    assert_int_equal(in_body(w, "user-000000"), 1);
    assert_int_equal(sent(w), 10);
    answer_ok(w);
    assert_int_equal(in_body(w, "user-000020"), 1);
    answer_ok(w);
    expect(w, 30, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(others_pass_a_batch_that_breaks_the_server),
        test(others_pass_an_event_that_is_answered_with_a_page),
        test(one_batch_alone_is_searched_as_well),
        test(an_outage_is_no_worse_for_it),
        test(order_is_kept_in_an_outage),
        test(one_batch_alone_keeps_its_order),
        test(a_probe_that_was_cut_tells_all_the_same),
        test(a_throttled_probe_blames_nobody),
        test(the_first_goes_next_after_an_outage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
