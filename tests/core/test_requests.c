/* SPDX-License-Identifier: MIT */
/* Which endpoint a request goes to, and compressed bodies. */
#include <zlib.h>

#include "ingest_world.h"

static void what_has_piled_up_goes_to_batch_and_news_to_httpapi(void **state)
{
    world *w = *state;

    w->set.use_batch = TW_BATCH_BACKLOG;
    w->set.batch_events = 10;
    start(w);
    track(w, 45);
    fake_run(&w->gate);
    assert_int_equal(w->gate.call->endpoint, TW_EP_BATCH);
    answer_ok(w);
    assert_int_equal(w->gate.call->endpoint, TW_EP_BATCH);
    answer_ok(w);
    assert_int_equal(w->gate.call->endpoint, TW_EP_HTTPAPI);
    answer_ok(w);
    assert_int_equal(w->gate.call->endpoint, TW_EP_HTTPAPI);
    answer_ok(w);
    advance(w, 5000);
    assert_int_equal(w->gate.call->endpoint, TW_EP_HTTPAPI);
    /* Too fast for httpapi: batch takes more a second of one user. */
    answer(w, 429, "{\"code\":429,\"throttled_events\":[0,1,2,3,4]}");
    advance(w, 30000);
    assert_int_equal(w->gate.call->endpoint, TW_EP_BATCH);
    answer_ok(w);
    expect(w, 45, 0, 0);
}

static void the_limits_of_both_endpoints_hold(void **state)
{
    world *w = *state;

    w->set.use_batch = TW_BATCH_BACKLOG;
    w->set.batch_events = 2000;
    w->set.batch_bytes = 20000000;
    start(w);
    track(w, 6500);
    fake_run(&w->gate);
    while (w->gate.call != NULL) {
        assert_true(sent(w) <= (w->gate.call->endpoint == TW_EP_BATCH ? 2000 : 1999));
        answer_ok(w);
    }
    advance(w, 5000);
    answer_all_ok(w);
    expect(w, 6500, 0, 0);
}

/* Undoes what is on the wire. */
static size_t plain_size(const world *w)
{
    unsigned char *out = test_malloc(1 << 20);
    z_stream z;
    size_t size;

    memset(&z, 0, sizeof z);
    assert_int_equal(inflateInit2(&z, 31), Z_OK);
    z.next_in = (unsigned char *)w->gate.call->body;
    z.avail_in = (unsigned)w->gate.call->size;
    z.next_out = out;
    z.avail_out = 1 << 20;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    size = z.total_out;
    assert_memory_equal(out, "{\"api_key\":", 11);
    assert_memory_equal(out + size - 2, "]}", 2);
    inflateEnd(&z);
    test_free(out);
    return size;
}

static void answer_gzip(world *w, int status, const char *body)
{
    tw_outcome outcome;

    memset(&outcome, 0, sizeof outcome);
    outcome.head.status = status;
    outcome.head.retry_after_ms = -1;
    outcome.body = body;
    outcome.body_size = strlen(body);
    fake_call_end(&w->gate, &outcome);
    fake_run(&w->gate);
}

static void large_bodies_are_compressed_where_it_is_asked_for(void **state)
{
    world *w = *state;

    w->set.gzip = 1;
    start(w);
    track(w, 5);
    advance(w, 5000);
    body_is_sound(w); /* plain: not worth it */
    answer_ok(w);
    track(w, 500);
    advance(w, 5000);
    assert_string_equal(w->gate.call->encoding, "gzip");
    assert_true(plain_size(w) > 4 * w->gate.call->size);
    answer_gzip(w, 200, "{\"code\":200,\"events_ingested\":500}");
    expect(w, 505, 0, 0);
    track(w, 100); /* the same stream again */
    advance(w, 5000);
    (void)plain_size(w);
    answer_gzip(w, 200, "{\"code\":200,\"events_ingested\":100}");
    expect(w, 605, 0, 0);
}

static void a_server_that_does_not_know_gzip_gets_none(void **state)
{
    world *w = *state;

    w->set.gzip = 1;
    start(w);
    track(w, 100);
    advance(w, 5000);
    answer_gzip(w, 400, "{\"code\":400,\"error\":\"Invalid JSON request body\"}");
    body_is_sound(w);
    answer_ok(w);
    track(w, 100);
    advance(w, 5000);
    body_is_sound(w);
    answer_ok(w);
    expect(w, 200, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_has_piled_up_goes_to_batch_and_news_to_httpapi),
        test(the_limits_of_both_endpoints_hold),
        test(large_bodies_are_compressed_where_it_is_asked_for),
        test(a_server_that_does_not_know_gzip_gets_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
