/* SPDX-License-Identifier: MIT */
/* Ingestion with its sources at hand, in a world whose clock and server the test
 * plays. */
#ifndef TW_TESTS_INGEST_WORLD_H
#define TW_TESTS_INGEST_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidewheel/sys/alloc.h>

#include "fake_gate.h"

/* The sources themselves, so that what they call is the fake. */
#include "../../core/src/ingest/coalesce.c"
#include "../../core/src/ingest/ends.c"
#include "../../core/src/ingest/flush.c"
#include "../../core/src/ingest/ingest.c"
#include "../../core/src/ingest/lanes.c"
#include "../../core/src/ingest/park.c"
#include "../../core/src/ingest/queue.c"
#include "../../core/src/ingest/recent_ids.c"
#include "../../core/src/ingest/rejection.c"
#include "../../core/src/ingest/schedule.c"
#include "../../core/src/ingest/sender.c"
#include "../../core/src/ingest/store.c"
#include "../../core/src/ingest/trouble.c"
#include "../../core/src/ingest/verdict.c"

/* A test uses a part of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

/* ---- the world --------------------------------------------------------------------- */

typedef struct world {
    tw_gate gate;
    tw_ingest *ing;
    tw_ingest_settings set;
    int next; /* number of the next event */
} world;

static const tw_ingest_settings plain = {.queue_events = 10000,
                                         .queue_bytes = 100000000,
                                         .on_full = TW_FULL_REFUSE,
                                         .block_timeout_ms = 1000,
                                         .flush_interval_ms = 5000,
                                         .batch_events = 1999,
                                         .batch_bytes = 1000000,
                                         .min_id_length = 5,
                                         .backoff_first_ms = 1000,
                                         .backoff_max_ms = 60000};

static tw_stats stats(const world *w)
{
    tw_stats now = TW_STATS_INIT;

    tw__ingest_stats(w->ing, &now);
    return now;
}

static void balanced(const world *w)
{
    tw_stats now = stats(w);

    assert_int_equal(now.accepted + now.recovered,
                     now.stored + now.rejected + now.uncertain + now.expired +
                         now.dropped + now.lost + now.merged + now.waiting);
    if (now.waiting == 0)
        assert_int_equal(now.waiting_bytes, 0);
}

static int world_setup(void **state)
{
    world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    fake_gate_init(&w->gate);
    w->set = plain;
    *state = w;
    return 0;
}

static int world_teardown(void **state)
{
    world *w = *state;

    if (w->ing != NULL) {
        balanced(w);
        tw__ingest_cancel(w->ing);
        balanced(w);
        assert_int_equal(stats(w).waiting, 0);
        tw__ingest_free(w->ing);
    }
    assert_int_equal(w->gate.loop.refs, 0);
    assert_null(w->gate.call);
    assert_int_equal(w->gate.most_calls, 0);
    fake_gate_clear(&w->gate);
    free(w);
    return 0;
}

static void start(world *w)
{
    assert_int_equal(tw__ingest_new(&w->ing, &w->gate, &w->set, NULL), TW_OK);
}

static void put_text(tw_json_writer *wr, const char *key, const char *text)
{
    tw_json_put_key(wr, key, strlen(key), -1, 0);
    tw_json_put_string(wr, text, strlen(text), -1, 0);
}

/* An event of a type, padded to be larger. */
static tw_event *event_of(world *w, const char *type, size_t padding)
{
    tw_event *ev = NULL;
    tw_json_writer *wr;
    char name[32];
    char pad[1024];

    if (tw__ingest_begin(&ev, w->ing, NULL) != TW_OK)
        return NULL;
    wr = tw_event_writer(ev);
    snprintf(name, sizeof name, "user-%06d", w->next++);
    tw_json_put_object(wr);
    put_text(wr, "event_type", type);
    put_text(wr, "user_id", name);
    if (padding != 0) {
        memset(pad, 'x', sizeof pad);
        tw_json_put_key(wr, "event_properties", 16, -1, 0);
        tw_json_put_object(wr);
        for (; padding > 0; padding -= padding < sizeof pad ? padding : sizeof pad) {
            tw_json_put_key(wr, "p", 1, -1, 0);
            tw_json_put_string(wr, pad, padding < sizeof pad ? padding : sizeof pad, -1,
                               0);
        }
        tw_json_put_object_end(wr);
    }
    tw_json_put_object_end(wr);
    return ev;
}

static int track_type(world *w, const char *type)
{
    tw_event *ev = event_of(w, type, 0);

    return ev != NULL ? tw_event_commit(ev, NULL) : TW_E_NOMEM;
}

static void track(world *w, int count)
{
    while (count-- > 0)
        assert_int_equal(track_type(w, "e"), TW_OK);
}

static void advance(world *w, int64_t ms)
{
    fake.now_ms += ms;
    fake.wall_ms += ms;
    fake_run(&w->gate);
}

/* ---- the server -------------------------------------------------------------------- */

static int in_body(const world *w, const char *text)
{
    const char *at = w->gate.call->body;
    const char *end = at + w->gate.call->size;
    size_t size = strlen(text);
    int count = 0;

    for (; (size_t)(end - at) >= size; at++)
        count += memcmp(at, text, size) == 0;
    return count;
}

static int sent(const world *w)
{
    return w->gate.call != NULL ? in_body(w, "{\"event_type\":\"") : 0;
}

/* Whether the request on the wire is whole JSON with the right envelope. */
static void body_is_sound(const world *w)
{
    static const char head[] = "{\"api_key\":\"k\\\"1\",\"events\":[";
    tw_json_reader *rd;

    assert_non_null(w->gate.call);
    assert_true(w->gate.call->flags & TW_CALL_ONCE);
    assert_memory_equal(w->gate.call->body, head, sizeof head - 1);
    assert_int_equal(tw_json_reader_new(&rd, 64, 64 << 20, NULL), TW_OK);
    tw_json_reader_start(rd, w->gate.call->body, w->gate.call->size);
    if (tw_json_reader_skip(rd) != TW_OK)
        fail_msg("the body was no JSON: %.*s", (int)w->gate.call->size,
                 w->gate.call->body);
    tw_json_reader_free(rd);
}

static void reply(world *w, int status, int code, tw_stored stored, int64_t retry_after,
                  const char *body)
{
    tw_outcome outcome;
    tw_error *err = NULL;

    memset(&outcome, 0, sizeof outcome);
    body_is_sound(w);
    if (code != TW_OK)
        tw__error(&err, code, "as scripted");
    outcome.err = err;
    outcome.head.status = status;
    outcome.head.retry_after_ms = retry_after;
    outcome.body = body;
    outcome.body_size = strlen(body);
    outcome.stored = stored;
    fake_call_end(&w->gate, &outcome);
    tw_error_free(err);
    fake_run(&w->gate);
}

static void answer(world *w, int status, const char *body)
{
    reply(w, status, status < 300 ? TW_OK : TW_E_HTTP, TW_STORED_NO, -1, body);
}

static void answer_ok(world *w)
{
    char body[128];

    snprintf(body, sizeof body,
             "{\"code\":200,\"server_upload_time\":1,\"payload_size_bytes\":%zu,"
             "\"events_ingested\":%d}",
             w->gate.call->size, sent(w));
    answer(w, 200, body);
}

/* Answers until nothing is on the wire. */
static void answer_all_ok(world *w)
{
    while (w->gate.call != NULL)
        answer_ok(w);
}

/* Ends this client as a process does that is killed: its lane is free, nothing is tidied. */
static inline void world_end(world *w)
{
    balanced(w);
    tw__ingest_cancel(w->ing);
    balanced(w);
    tw__ingest_free(w->ing);
    w->ing = NULL;
}

static tw_job *flush(world *w)
{
    tw_job *job;

    assert_int_equal(tw__ingest_flush(&job, w->ing, NULL, NULL), TW_OK);
    fake_run(&w->gate);
    return job;
}

static void expect(const world *w, uint64_t stored, uint64_t rejected, uint64_t waiting)
{
    tw_stats now = stats(w);

    assert_int_equal(now.stored, stored);
    assert_int_equal(now.rejected, rejected);
    assert_int_equal(now.waiting, waiting);
    balanced(w);
}

/* ---- a server that judges by what it reads ----------------------------------------- */

typedef enum telling { TELL_ALL, TELL_FIRST, TELL_NOTHING, TELL_NONSENSE } telling;

/* Refuses a request that holds an event of type "poison", in the given manner. */
static void serve(world *w, telling manner)
{
    static char body[32768];
    const char *at = w->gate.call->body;
    const char *end = at + w->gate.call->size;
    size_t size = 0;
    int index = -1;
    int poisons = 0;

    size += (size_t)snprintf(
        body, sizeof body,
        "{\"code\":400,\"error\":\"Invalid field values on some events\"");
    if (manner == TELL_ALL || manner == TELL_FIRST || manner == TELL_NONSENSE)
        size += (size_t)snprintf(body + size, sizeof body - size,
                                 ",\"events_with_invalid_fields\":{\"event_type\":[");
    for (; end - at > 21; at++) {
        if (memcmp(at, "{\"event_type\":\"", 15) != 0)
            continue;
        index++;
        if (memcmp(at + 15, "poison", 6) != 0)
            continue;
        poisons++;
        if (manner == TELL_ALL || (manner == TELL_FIRST && poisons == 1))
            size += (size_t)snprintf(body + size, sizeof body - size, "%s%d",
                                     poisons > 1 ? "," : "", index);
    }
    if (poisons == 0) {
        answer_ok(w);
        return;
    }
    if (manner == TELL_NONSENSE)
        size += (size_t)snprintf(body + size, sizeof body - size, "%s",
                                 poisons % 2 ? "0,2000" : "-1");
    snprintf(body + size, sizeof body - size, manner == TELL_NOTHING ? "}" : "]}}");
    answer(w, 400, body);
}

#define test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

#endif
