/* SPDX-License-Identifier: MIT */
/* A server that breaks at one event: the others go on, an outage is not made worse. */
#include "ingest_world.h"

/* Fails at each request that holds an event of type "poison". */
static void serve_breaking(world *w)
{
    if (in_body(w, "\"event_type\":\"poison\"") != 0)
        answer(w, 500, "oops");
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
    assert_true(stats(w).requests < 100);
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
    assert_int_equal(firsts, 30);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(others_pass_a_batch_that_breaks_the_server),
        test(one_batch_alone_is_searched_as_well),
        test(an_outage_is_no_worse_for_it),
        test(order_is_kept_in_an_outage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
