/* SPDX-License-Identifier: MIT */
/* A server that does not know compressed bodies is found out, whatever it says of the plain one. */
#include "ingest_world.h"

static int gzip_setup(void **state)
{
    world *w;

    world_setup(state);
    w = *state;
    w->set.gzip = 1;
    return 0;
}

static int compressed(const world *w)
{
    assert_non_null(w->gate.call);
    return w->gate.call->encoding != NULL;
}

/* Ends the call with an answer; the body may be compressed. */
static void tell(world *w, int status, int code, const char *body)
{
    tw_outcome outcome;
    tw_error *err = NULL;

    memset(&outcome, 0, sizeof outcome);
    if (code != TW_OK)
        tw__error(&err, code, "as scripted");
    outcome.err = err;
    outcome.head.status = status;
    outcome.head.retry_after_ms = -1;
    outcome.body = body;
    outcome.body_size = strlen(body);
    outcome.stored = TW_STORED_NO;
    fake_call_end(&w->gate, &outcome);
    tw_error_free(err);
    fake_run(&w->gate);
}

static void begin_doubt(world *w)
{
    start(w);
    track(w, 50);
    advance(w, 5000);
    assert_true(compressed(w));
    tell(w, 400, TW_E_HTTP, "{\"code\":400,\"error\":\"Invalid JSON request body\"}");
    assert_false(compressed(w));
}

static void next_is(world *w, int squeezed)
{
    answer_all_ok(w);
    track(w, 50);
    advance(w, 5000);
    assert_int_equal(compressed(w), squeezed);
    if (!squeezed)
        answer_ok(w);
    else
        tell(w, 200, TW_OK, "{\"code\":200,\"events_ingested\":50}");
}

static void plain_is_stored(void **state)
{
    begin_doubt(*state);
    next_is(*state, 0);
}

static void plain_is_read_and_refused(void **state)
{
    begin_doubt(*state);
    tell(
        *state, 400, TW_E_HTTP,
        "{\"code\":400,\"error\":\"Invalid\",\"events_with_invalid_fields\":{\"x\":[0]}}");
    assert_false(compressed(*state));
    next_is(*state, 0);
}

/* Nothing was learned: the next is plain as well, until there is an answer. */
static void plain_gets_no_answer(void **state)
{
    world *w = *state;

    begin_doubt(w);
    tell(w, 0, TW_E_NETWORK, "");
    advance(w, 60001);
    assert_false(compressed(w));
    next_is(w, 0);
}

static void plain_is_no_better(void **state)
{
    world *w = *state;
    int i;

    w->set.batch_events = 50;
    begin_doubt(w);
    tell(w, 400, TW_E_HTTP, "{\"code\":400,\"error\":\"Invalid JSON request body\"}");
    for (i = 0; w->gate.call != NULL && i < 100; i++) {
        char body[64];

        snprintf(body, sizeof body, "{\"code\":200,\"events_ingested\":%zu}",
                 tw__batch_count(w->ing->sent));
        tell(w, 200, TW_OK, body); /* each part is well */
    }
    track(w, 50);
    fake_run(&w->gate);
    assert_true(compressed(w));
    tell(w, 200, TW_OK, "{\"code\":200,\"events_ingested\":50}");
}

#define gzip_test(name) cmocka_unit_test_setup_teardown(name, gzip_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        gzip_test(plain_is_stored),
        gzip_test(plain_is_read_and_refused),
        gzip_test(plain_gets_no_answer),
        gzip_test(plain_is_no_better),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
