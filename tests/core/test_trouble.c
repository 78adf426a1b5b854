/* SPDX-License-Identifier: MIT */
/* What an operator sees: why nothing goes out, what waits and for how long, what was missed. */
#include "ingest_world.h"

static void trouble_is(const world *w, int code, int status, const char *part)
{
    tw_error *err;
    int64_t at;

    assert_int_equal(tw__trouble_get(&err, &at, w->ing), TW_OK);
    assert_int_equal(tw_error_code(err), code);
    assert_int_equal(tw_error_http_status(err), status);
    if (strstr(tw_error_message(err), part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, tw_error_message(err));
    assert_int_equal(at, fake.wall_ms);
    tw_error_free(err);
}

static void no_trouble(const world *w)
{
    tw_error *err;
    int64_t at;

    assert_int_equal(tw__trouble_get(&err, &at, w->ing), TW_AGAIN);
    assert_null(err);
}

static void the_latest_failure_is_told_until_one_goes_well(void **state)
{
    world *w = *state;

    start(w);
    no_trouble(w);
    track(w, 1);
    advance(w, 5000);
    no_trouble(w);
    answer(w, 200, "\n<html>log in</html>");
    trouble_is(w, TW_E_PROTOCOL, 200, "captive portal");
    advance(w, 60001);
    answer(w, 200, "[]");
    trouble_is(w, TW_E_PROTOCOL, 200, "not the API's: a proxy?");
    advance(w, 60001);
    answer(w, 503, "{}");
    trouble_is(w, TW_E_HTTP, 503, "as scripted");
    advance(w, 60001);
    answer(w, 403, "<html>blocked</html>");
    trouble_is(w, TW_E_AUTH, 403, "firewall");
    advance(w, 300001);
    reply(w, 0, TW_E_NETWORK, TW_STORED_NO, -1, "");
    trouble_is(w, TW_E_NETWORK, 0, "as scripted");
    advance(w, 300001);
    answer_ok(w);
    no_trouble(w);
}

/* A 429 that names somebody keeps him waiting; one that names nobody we know keeps all. */
static void a_name_that_is_nobodys_is_trouble(void **state)
{
    world *w = *state;

    start(w);
    track(w, 2);
    advance(w, 5000);
    answer(w, 429, "{\"code\":429,\"throttled_users\":{\"user-none\":31}}");
    trouble_is(w, TW_E_HTTP, 429, "as scripted");
    advance(w, 90001);
    answer(w, 429, "{\"code\":429,\"throttled_users\":{\"user-000000\":31}}");
    no_trouble(w);
    answer_ok(w);
    no_trouble(w);
    expect(w, 1, 0, 1);
}

static void held_and_the_oldest_are_seen(void **state)
{
    world *w = *state;

    start(w);
    assert_int_equal(stats(w).oldest_ms, 0);
    track(w, 2);
    advance(w, 5000);
    assert_int_equal(stats(w).oldest_ms, 5000); /* on the wire */
    assert_int_equal(stats(w).held, 0);
    answer(w, 429, "{\"code\":429,\"throttled_users\":{\"user-000001\":31}}");
    answer_ok(w);
    advance(w, 7000);
    assert_int_equal(stats(w).oldest_ms, 12000);
    assert_int_equal(stats(w).held, 1);
    advance(w, 23000);
    assert_int_equal(stats(w).held, 0);
    answer_ok(w);
    assert_int_equal(stats(w).oldest_ms, 0);
}

static void rejections_that_nobody_took_are_counted(void **state)
{
    world *w = *state;
    int i;

    start(w);
    for (i = 0; i < 1100; i++)
        assert_int_equal(track_type(w, "poison"), TW_OK);
    advance(w, 5000);
    while (w->gate.call != NULL)
        serve(w, TELL_ALL);
    expect(w, 0, 1100, 0);
    assert_int_equal(stats(w).rejections_missed, 100);
}

static void a_clock_before_2010_is_told(void **state)
{
    world *w = *state;

    start(w);
    fake.wall_ms = 86400000;
    track(w, 3);
    fake.wall_ms = INT64_C(1800000000000);
    track(w, 2);
    assert_int_equal(stats(w).clock_suspect, 3);
}

/* Each of many fields that the server names stands in its event's rejection. */
static void every_field_is_named(void **state)
{
    world *w = *state;
    char body[4096];
    size_t size;
    int i;

    start(w);
    track(w, 41);
    advance(w, 5000);
    size = (size_t)snprintf(body, sizeof body,
                            "{\"code\":400,\"error\":\"Invalid\","
                            "\"events_with_invalid_fields\":{");
    for (i = 0; i < 40; i++)
        size += (size_t)snprintf(body + size, sizeof body - size, "%s\"field_%d\":[%d]",
                                 i > 0 ? "," : "", i, i);
    snprintf(body + size, sizeof body - size, "}}");
    answer(w, 400, body);
    answer_ok(w);
    for (i = 0; i < 40; i++) {
        tw_rejection *one;
        char name[32];

        assert_int_equal(tw__rejection_next(&one, w->ing), TW_OK);
        snprintf(name, sizeof name, "field_%d", i);
        assert_string_equal(tw_rejection_field(one), name);
        tw_rejection_free(one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_latest_failure_is_told_until_one_goes_well),
        test(a_name_that_is_nobodys_is_trouble),
        test(held_and_the_oldest_are_seen),
        test(rejections_that_nobody_took_are_counted),
        test(a_clock_before_2010_is_told),
        test(every_field_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
