/* SPDX-License-Identifier: MIT */
/* Threads that change the same users while their identify events are merged: each event shows what
 * its thread had set before it. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tidewheel/tidewheel.h>

#include "support/http_server.h"

enum { THREADS = 3, USERS = 2, ROUNDS = 400, WAIT_MS = 30000 };

static atomic_int values[USERS][THREADS]; /* a property of each thread */
static atomic_int wrong, seen;

typedef struct writer {
    tw_client *cl;
    int number;
    int accepted;
} writer;

/* ---- the server ------------------------------------------------------------------------- */

static int number_behind(const char *at, const char *end, const char *text)
{
    const char *found = memmem(at, (size_t)(end - at), text, strlen(text));
    int number = 0;

    if (found == NULL)
        return -1;
    for (at = found + strlen(text); at < end && *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (*at - '0');
    return number;
}

static void receive(const char *at, const char *end)
{
    int user = number_behind(at, end, "\"user_id\":\"user-");
    int shows = number_behind(at, end, "\"shows\":");
    int i;

    for (i = 0; i < THREADS; i++) {
        char name[16];
        int value;

        snprintf(name, sizeof name, "\"t%d\":", i);
        value = number_behind(at, end, name);
        if (value < 0)
            continue;
        atomic_store(&values[user][i], value);
        atomic_fetch_add(&seen, 1);
    }
    if (shows >= 0 &&
        atomic_load(&values[user][number_behind(at, end, "\"of\":")]) != shows)
        atomic_fetch_add(&wrong, 1);
}

static http_then serve(const http_request *req)
{
    static const char mark[] = "{\"event_type\":";
    const char *end = req->body + req->body_size;
    const char *at = memmem(req->body, req->body_size, mark, sizeof mark - 1);
    char body[64];
    int n = 0;

    for (; at != NULL; n++) {
        const char *next = memmem(at + 1, (size_t)(end - at) - 1, mark, sizeof mark - 1);

        receive(at, next != NULL ? next : end);
        at = next;
    }
    snprintf(body, sizeof body, "{\"code\":200,\"events_ingested\":%d}", n);
    return http_answer(req, "200 OK", body);
}

/* ---- the writers ------------------------------------------------------------------------ */

static void put_int(tw_json_writer *wr, const char *key, int value)
{
    tw_json_put_key(wr, key, strlen(key), -1, 0);
    tw_json_put_int(wr, value);
}

static void put_text(tw_json_writer *wr, const char *key, const char *text)
{
    tw_json_put_key(wr, key, strlen(key), -1, 0);
    tw_json_put_string(wr, text, strlen(text), -1, 0);
}

static void put_object(tw_json_writer *wr, const char *key)
{
    tw_json_put_key(wr, key, strlen(key), -1, 0);
    tw_json_put_object(wr);
}

static void put(writer *who, int user, int identify, int value)
{
    char name[16];
    tw_json_writer *wr;
    tw_event *ev;

    if (tw_event_begin(&ev, who->cl, NULL) != TW_OK)
        return;
    wr = tw_event_writer(ev);
    tw_json_put_object(wr);
    put_text(wr, "event_type", identify ? "$identify" : "seen");
    snprintf(name, sizeof name, "user-%d", user);
    put_text(wr, "user_id", name);
    put_object(wr, identify ? "user_properties" : "event_properties");
    if (identify) {
        snprintf(name, sizeof name, "t%d", who->number);
        put_object(wr, "$set");
        put_int(wr, name, value);
        tw_json_put_object_end(wr);
    } else {
        put_int(wr, "of", who->number);
        put_int(wr, "shows", value);
    }
    tw_json_put_object_end(wr);
    tw_json_put_object_end(wr);
    who->accepted += tw_event_commit(ev, NULL) == TW_OK;
}

static void *write_events(void *arg)
{
    writer *who = arg;
    int n;

    for (n = 1; n <= ROUNDS; n++) {
        put(who, n / 4 % USERS, 1, n);
        if (n % 4 == 3)
            put(who, n / 4 % USERS, 0, n);
    }
    return NULL;
}

/* ---- the tests ---------------------------------------------------------------------------- */

static void set_text(tw_config *cfg, const char *name, const char *text)
{
    assert_int_equal(tw_config_set_string(cfg, name, text, strlen(text), NULL), TW_OK);
}

static tw_client *client_of(const http_server *server, const char *spool)
{
    tw_config *cfg;
    tw_client *cl;

    assert_int_equal(tw_config_new(&cfg, NULL), TW_OK);
    set_text(cfg, "api_key", "emuapikey0123456");
    set_text(cfg, "base_url", server->url);
    if (spool != NULL)
        set_text(cfg, "spool", spool);
    assert_int_equal(tw_config_set_bool(cfg, "coalesce_identify", 1, NULL), TW_OK);
    assert_int_equal(tw_config_set_real(cfg, "flush_interval", 0.005, NULL), TW_OK);
    assert_int_equal(tw_client_new(&cl, cfg, NULL), TW_OK);
    tw_config_free(cfg);
    return cl;
}

static void play(const char *spool)
{
    writer writers[THREADS];
    pthread_t threads[THREADS];
    tw_stats now = TW_STATS_INIT;
    http_server server;
    tw_client *cl;
    tw_job *job;
    int accepted = 0;
    int i;

    memset(&server, 0, sizeof server);
    atomic_store(&wrong, 0);
    atomic_store(&seen, 0);
    assert_int_equal(http_server_start(&server, serve), 0);
    cl = client_of(&server, spool);
    for (i = 0; i < THREADS; i++) {
        writers[i] = (writer){cl, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, write_events, &writers[i]), 0);
    }
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        accepted += writers[i].accepted;
    }
    assert_int_equal(tw_flush_start(&job, cl, NULL, NULL), TW_OK);
    assert_int_equal(tw_job_wait(job, WAIT_MS), TW_OK);
    tw_job_unref(job);
    assert_int_equal(tw_client_stats(cl, &now), TW_OK);
    print_message("%d accepted, %d merged\n", accepted, (int)now.merged);
    assert_int_equal(accepted, THREADS * (ROUNDS + ROUNDS / 4));
    assert_int_equal(now.accepted, accepted);
    assert_int_equal(now.stored + now.merged, accepted);
    assert_int_equal(tw_client_close(cl, 0, NULL), TW_OK);
    tw_client_free(cl);
    http_server_stop(&server);
    assert_int_equal(atomic_load(&wrong), 0);
    assert_in_range(atomic_load(&seen), 1, THREADS * ROUNDS * THREADS);
    for (i = 0; i < THREADS; i++)
        assert_int_equal(atomic_load(&values[ROUNDS / 4 % USERS][i]), ROUNDS);
}

static void in_memory(void **state)
{
    (void)state;
    play(NULL);
}

static void with_a_spool(void **state)
{
    char folder[] = "/tmp/tw-coalesce-XXXXXX";
    struct dirent *entry;
    DIR *list;

    (void)state;
    assert_non_null(mkdtemp(folder));
    play(folder);
    list = opendir(folder);
    assert_non_null(list);
    for (entry = readdir(list); entry != NULL; entry = readdir(list))
        (void)unlinkat(dirfd(list), entry->d_name, 0);
    closedir(list);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_memory),
        cmocka_unit_test(with_a_spool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
