/* SPDX-License-Identifier: MIT */
/*
 * Everything at once: threads that track, flush, export, look for news and cancel, a server with
 * faults, and a close in the middle of it. What is checked is the bookkeeping: what the server
 * stored and what the client says of it must fit together. Seeded; TW_STRESS_SEED and
 * TW_STRESS_ROUNDS choose others.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tidewheel/tidewheel.h>

#include "support/http_server.h"
#include "support/zipmaker.h"

enum {
    TRACKERS = 2,
    READERS = 2,
    EVENTS_MOST = 200000, /* of one tracker */
    LINES = 3000,
    THREADS = TRACKERS + READERS + 3
};

typedef struct stage {
    http_server server;
    tw_client *cl;
    uint64_t seed;
    atomic_int closing;
    atomic_int flushes, reads, cancels, news;
    _Atomic(tw_job *) victim; /* a reference for the thread that cancels */
    atomic_uchar stored[TRACKERS][EVENTS_MOST];
} stage;

typedef struct actor {
    stage *st;
    int number;
    uint64_t random;
    unsigned accepted;
    const char *fault; /* what went wrong; asserted by the main thread */
} actor;

static stage *on_stage; /* the handler has no other way to it */
static bytes archive;

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545F4914F6CDD1D) >> 16;
}

static unsigned below(actor *ac, unsigned limit)
{
    return (unsigned)(random_next(&ac->random) % limit);
}

/* ---- the server ------------------------------------------------------------------------- */

/* Notes the events of a body, which are told by their users. */
static int events_store(const http_request *req)
{
    static const char mark[] = "\"user_id\":\"user-";
    const char *at = req->body;
    const char *end = req->body + req->body_size;
    int n = 0;

    for (;;) {
        char digits[16];
        unsigned tracker, number;

        at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1);
        if (at == NULL || end - at < (ptrdiff_t)(sizeof mark + sizeof digits))
            return n;
        at += sizeof mark - 1;
        memcpy(digits, at, sizeof digits - 1);
        digits[sizeof digits - 1] = '\0';
        if (sscanf(digits, "%u-%u", &tracker, &number) == 2 && tracker < TRACKERS &&
            number < EVENTS_MOST)
            atomic_store(&on_stage->stored[tracker][number], 1);
        n++;
    }
}

static http_then serve_events(const http_request *req, unsigned fate)
{
    char body[128];
    int n;

    if (fate < 8)
        return http_answer(req, "503 Service Unavailable", "");
    n = events_store(req);
    if (fate < 14)
        return HTTP_RESET; /* stored, and nobody says so */
    if (fate < 20)
        return http_answer(req, "500 Internal Server Error", "<html>");
    snprintf(body, sizeof body, "{\"code\":200,\"events_ingested\":%d}", n);
    if (atomic_load(&on_stage->closing) && fate < 90) {
        /* The close comes into the midst of the answer. */
        http_sends(req, "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n");
        http_sends(req, body);
        http_hold(req);
        return HTTP_CLOSE;
    }
    return http_answer(req, "200 OK", body);
}

static http_then serve_export(const http_request *req, unsigned fate)
{
    char head[128];

    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\n"
             "Content-Length: %zu\r\n\r\n",
             archive.size);
    http_sends(req, head);
    http_send(req, archive.data, fate < 10 ? archive.size / 2 : archive.size);
    return fate < 10 ? HTTP_RESET : HTTP_KEEP;
}

static http_then serve(const http_request *req)
{
    uint64_t state = on_stage->seed + (uint64_t)req->number * 0x9E3779B97F4A7C15u;
    unsigned fate;

    random_next(&state);
    fate = (unsigned)(random_next(&state) % 100);
    if (strncmp(req->head, "POST /2/httpapi ", 16) == 0)
        return serve_events(req, fate);
    if (strstr(req->head, "/export") != NULL)
        return serve_export(req, fate);
    return http_answer(req, "200 OK", "{\"cohorts\":[]}");
}

/* ---- the actors ------------------------------------------------------------------------- */

static int closed(int code)
{
    return code == TW_E_CLOSED;
}

static void *run_tracker(void *arg)
{
    actor *ac = arg;

    while (ac->accepted < EVENTS_MOST && ac->fault == NULL) {
        tw_json_writer *wr;
        tw_event *ev;
        char user[32];
        int rc = tw_event_begin(&ev, ac->st->cl, NULL);

        if (closed(rc))
            break;
        wr = tw_event_writer(ev);
        snprintf(user, sizeof user, "user-%02d-%08u", ac->number, ac->accepted);
        tw_json_put_object(wr);
        tw_json_put_key(wr, "event_type", 10, -1, 0);
        tw_json_put_string(wr, "visited", 7, -1, 0);
        tw_json_put_key(wr, "user_id", 7, -1, 0);
        tw_json_put_string(wr, user, strlen(user), -1, 0);
        tw_json_put_object_end(wr);
        if (below(ac, 50) == 0) {
            tw_event_abort(ev);
            continue;
        }
        rc = tw_event_commit(ev, NULL);
        while (rc == TW_AGAIN) {
            rc = tw_event_wait(ev, NULL);
            if (rc == TW_OK || rc == TW_INTERRUPTED)
                rc = tw_event_commit(ev, NULL);
            else
                tw_event_abort(ev);
        }
        ac->accepted += rc == TW_OK;
        if (closed(rc))
            break;
        if (rc != TW_OK && rc != TW_E_QUEUE_FULL)
            ac->fault = "an event was refused";
    }
    return NULL;
}

/* Leaves a reference to whoever cancels. */
static void offer(actor *ac, tw_job *job)
{
    tw_job_unref(atomic_exchange(&ac->st->victim, tw_job_ref(job)));
}

/* Reads up to `most` blocks and lets go; a whole one has to be whole. */
static void read_job(actor *ac, tw_job *job, unsigned most)
{
    unsigned lines = 0;
    int rc = TW_OK;

    while (most > 0 && ac->fault == NULL) {
        tw_block *block;
        const char *text;
        size_t size;

        rc = tw_job_next(&block, job, NULL);
        if (rc == TW_AGAIN) {
            if (tw_job_wait(job, 60000) != TW_OK)
                ac->fault = "an export stood still";
            continue;
        }
        if (rc != TW_OK)
            break;
        while (tw_block_next_line(&text, &size, block) == TW_OK)
            lines++;
        tw_block_free(block);
        most--;
    }
    if (rc == TW_DONE && lines != LINES)
        ac->fault = "an export ended well and was not whole";
    if (rc < 0 && rc != TW_E_CANCELED && rc != TW_E_CLOSED && rc != TW_E_NETWORK)
        ac->fault = "an export failed with an error that nobody made";
    atomic_fetch_add(&ac->st->reads, rc == TW_DONE);
}

static void *run_reader(void *arg)
{
    actor *ac = arg;

    while (ac->fault == NULL) {
        tw_export_options options = TW_EXPORT_OPTIONS_INIT;
        unsigned manner = below(ac, 4);
        tw_job *job;
        int rc;

        options.block_bytes = 4096;
        options.ready_blocks = 1 + below(ac, 3);
        rc = tw_export_start(&job, ac->st->cl, "20260301T00", "20260301T23", &options,
                             NULL, NULL);
        if (closed(rc))
            break;
        if (rc != TW_OK) {
            ac->fault = "an export was refused";
            break;
        }
        if (manner == 0)
            offer(ac, job);
        read_job(ac, job, manner < 3 ? UINT32_MAX : below(ac, 40));
        tw_job_unref(job);
    }
    return NULL;
}

static void *run_canceller(void *arg)
{
    actor *ac = arg;

    while (!atomic_load(&ac->st->closing)) {
        tw_job *job = atomic_exchange(&ac->st->victim, NULL);

        if (job == NULL) {
            sched_yield();
            continue;
        }
        if (below(ac, 2) == 0)
            tw_job_done(job); /* no waiting: the reader is the one consumer */
        tw_job_cancel(job);
        tw_job_unref(job);
        atomic_fetch_add(&ac->st->cancels, 1);
    }
    return NULL;
}

static void *run_flusher(void *arg)
{
    actor *ac = arg;

    for (;;) {
        const tw_reply *rsp;
        tw_job *job;
        unsigned manner = below(ac, 4);
        int rc = tw_flush_start(&job, ac->st->cl, NULL, NULL);

        if (closed(rc))
            return NULL;
        if (manner == 0)
            tw_job_cancel(job);
        if (manner < 3)
            tw_job_wait(job, manner == 2 ? -1 : (int64_t)below(ac, 3));
        rc = tw_job_result(&rsp, job, NULL);
        if (rc == TW_OK)
            atomic_fetch_add(&ac->st->flushes, 1);
        else if (rc != TW_AGAIN && rc != TW_E_CANCELED && !closed(rc))
            ac->fault = "a flush failed";
        tw_job_unref(job);
    }
}

/* Several calls on one queue, as an event loop has them. */
static void *run_looper(void *arg)
{
    actor *ac = arg;
    tw_queue *queue;
    int going = 0;
    int over = 0;

    if (tw_queue_new(&queue, NULL) != TW_OK)
        return NULL;
    while (!over || going > 0) {
        tw_job *job;
        int rc;

        while (!over && going < 4) {
            rc = tw_raw_start(&job, ac->st->cl, "cohorts.list", NULL, queue, NULL);
            over = rc != TW_OK;
            if (over)
                break;
            if (below(ac, 5) == 0) {
                tw_job_unref(job); /* nobody wants its news */
                continue;
            }
            if (below(ac, 5) == 0)
                tw_job_cancel(job);
            tw_job_set_user(job, ac);
            going++;
        }
        if (going > 0 && tw_queue_wait(queue, 60000) != TW_OK) {
            ac->fault = "no news came";
            break;
        }
        while (tw_queue_next(&job, queue) == TW_OK) {
            const tw_reply *rsp;

            if (tw_job_user(job) != ac || tw_job_result(&rsp, job, NULL) == TW_AGAIN)
                ac->fault = "news of a job that goes on, or of a stranger";
            tw_job_unref(job); /* the news's */
            tw_job_unref(job); /* ours */
            going--;
            atomic_fetch_add(&ac->st->news, 1);
        }
    }
    tw_queue_free(queue);
    return NULL;
}

/* ---- one round -------------------------------------------------------------------------- */

static void set_text(tw_config *cfg, const char *name, const char *text)
{
    assert_int_equal(tw_config_set_string(cfg, name, text, strlen(text), NULL), TW_OK);
}

static tw_client *client_of(const stage *st)
{
    tw_config *cfg;
    tw_client *cl;

    assert_int_equal(tw_config_new(&cfg, NULL), TW_OK);
    set_text(cfg, "api_key", "emuapikey0123456");
    set_text(cfg, "secret_key", "emusecretkey9876");
    set_text(cfg, "base_url", st->server.url);
    set_text(cfg, "on_queue_full", st->seed % 2 == 0 ? "block" : "refuse");
    assert_int_equal(tw_config_set_int(cfg, "queue_events", 2000, NULL), TW_OK);
    assert_int_equal(tw_config_set_int(cfg, "batch_events", 50, NULL), TW_OK);
    assert_int_equal(tw_config_set_real(cfg, "backoff_first", 0.001, NULL), TW_OK);
    assert_int_equal(tw_config_set_real(cfg, "backoff_max", 0.004, NULL), TW_OK);
    assert_int_equal(tw_config_set_real(cfg, "flush_interval", 0.002, NULL), TW_OK);
    assert_int_equal(tw_client_new(&cl, cfg, NULL), TW_OK);
    tw_config_free(cfg);
    return cl;
}

/* What the server has is what the client calls stored or cannot be sure of. */
static void check(const stage *st, const actor *actors)
{
    tw_stats now = TW_STATS_INIT;
    uint64_t accepted = 0, stored = 0;
    unsigned i, n;

    for (i = 0; i < THREADS; i++) {
        if (actors[i].fault != NULL)
            fail_msg("seed %llu: %s", (unsigned long long)st->seed, actors[i].fault);
        accepted += actors[i].accepted;
    }
    for (i = 0; i < TRACKERS; i++) {
        for (n = 0; n < EVENTS_MOST; n++)
            stored += atomic_load(&st->stored[i][n]);
    }
    assert_int_equal(tw_client_stats(st->cl, &now), TW_OK);
    print_message("seed %llu: %llu accepted, %llu stored, %llu uncertain, %llu expired, "
                  "%llu on the server; %d flushes, %d exports, %d cancelled, %d news\n",
                  (unsigned long long)st->seed, (unsigned long long)now.accepted,
                  (unsigned long long)now.stored, (unsigned long long)now.uncertain,
                  (unsigned long long)now.expired, (unsigned long long)stored,
                  st->flushes, st->reads, st->cancels, st->news);
    assert_int_equal(now.accepted, accepted);
    assert_int_equal(now.waiting, 0);
    assert_int_equal(now.waiting_bytes, 0);
    assert_int_equal(now.rejected + now.dropped, 0);
    assert_int_equal(now.accepted, now.stored + now.uncertain + now.expired);
    assert_true(now.stored <= stored);
    assert_true(stored <= now.stored + now.uncertain);
}

static void play(uint64_t seed)
{
    static void *(*const parts[])(void *) = {run_tracker,  run_tracker, run_reader,
                                             run_reader,   run_flusher, run_looper,
                                             run_canceller};
    pthread_t threads[THREADS];
    actor actors[THREADS];
    stage *st = calloc(1, sizeof *st);
    int requests = 100 + (int)(seed % 7) * 60;
    int i;

    assert_non_null(st);
    st->seed = seed;
    on_stage = st;
    assert_int_equal(http_server_start(&st->server, serve), 0);
    st->cl = client_of(st);
    memset(actors, 0, sizeof actors);
    for (i = 0; i < THREADS; i++) {
        actors[i].st = st;
        actors[i].number = i;
        actors[i].random = seed * 1000003u + (uint64_t)i + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, parts[i], &actors[i]), 0);
    }
    while (atomic_load(&st->server.requests) < requests)
        sched_yield();
    atomic_store(&st->closing, 1);
    tw_client_close(st->cl, (int64_t)(seed % 3) * 20, NULL);
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    tw_job_unref(atomic_exchange(&st->victim, NULL));
    check(st, actors);
    tw_client_free(st->cl);
    http_server_stop(&st->server);
    free(st);
}

static uint64_t number_of(const char *name, uint64_t standard)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : standard;
}

static void all_at_once_and_a_close(void **state)
{
    uint64_t seed = number_of("TW_STRESS_SEED", 1);
    uint64_t rounds = number_of("TW_STRESS_ROUNDS", 4);

    (void)state;
    for (; rounds > 0; rounds--)
        play(seed++);
}

/* ---- flush against close ---------------------------------------------------------------- */

static void *flush_until_closed(void *arg)
{
    tw_job *job;

    while (tw_flush_start(&job, arg, NULL, NULL) == TW_OK)
        tw_job_unref(job);
    return NULL;
}

/* A flush that starts at the very moment of the close belongs to two threads for a while. */
static void flushes_that_meet_the_close_end_once(void **state)
{
    uint64_t rounds = number_of("TW_STRESS_ROUNDS", 4) * 10;
    stage *st = calloc(1, sizeof *st);

    (void)state;
    assert_non_null(st);
    on_stage = st;
    assert_int_equal(http_server_start(&st->server, serve), 0);
    for (; rounds > 0; rounds--) {
        pthread_t threads[2];
        tw_job *job;
        int i;

        st->cl = client_of(st);
        assert_int_equal(tw_flush_start(&job, st->cl, NULL, NULL), TW_OK);
        for (i = 0; i < 2; i++)
            pthread_create(&threads[i], NULL, flush_until_closed, st->cl);
        assert_int_equal(tw_job_wait(job, 60000), TW_OK);
        tw_job_unref(job);
        assert_int_equal(tw_client_close(st->cl, 0, NULL), TW_OK);
        for (i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        tw_client_free(st->cl);
    }
    http_server_stop(&st->server);
    free(st);
}

static int make_archive(void **state)
{
    static const member_form form = {0, DESC_SIGNED, 0, 0, 0};
    zip_maker zm = {0};
    char line[128];
    unsigned m, i;

    (void)state;
    for (m = 0; m < 3; m++) {
        bytes text = {0};
        bytes gz = {0};

        for (i = 0; i < LINES / 3; i++) {
            snprintf(line, sizeof line, "{\"uuid\":\"%08x\",\"n\":%u}\n",
                     (m * 1000 + i) * 2654435761u, i);
            bytes_put(&text, line, strlen(line));
        }
        make_gzip(&gz, text.data, text.size, 6, 0);
        zip_maker_add(&zm, "1/1_2026-03-01_0#0.json.gz", gz.data, gz.size, &form);
        bytes_clear(&gz);
        bytes_clear(&text);
    }
    zip_maker_end(&zm, 0, NULL);
    bytes_put(&archive, zm.out.data, zm.out.size);
    zip_maker_clear(&zm);
    return 0;
}

static int drop_archive(void **state)
{
    (void)state;
    bytes_clear(&archive);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_at_once_and_a_close),
        cmocka_unit_test(flushes_that_meet_the_close_end_once),
    };

    return cmocka_run_group_tests(tests, make_archive, drop_archive);
}
