/* SPDX-License-Identifier: MIT */
/* The client's life: made without a thread, used, closed without hanging, forked, described. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidewheel/tidewheel.h>

#include "base/clock.h"
#include "support/http_server.h"
#include "support/oom.h"

#define API_KEY "emuapikey0123456"
#define SECRET "emusecretkey9876"

static http_server server;

static void set(tw_config *cfg, const char *name, const char *text)
{
    assert_int_equal(tw_config_set_string(cfg, name, text, strlen(text), NULL), TW_OK);
}

static tw_config *config_of(const char *base)
{
    tw_config *cfg;

    assert_int_equal(tw_config_new(&cfg, NULL), TW_OK);
    set(cfg, "api_key", API_KEY);
    set(cfg, "secret_key", SECRET);
    if (base != NULL)
        set(cfg, "base_url", base);
    return cfg;
}

static tw_client *client_of(const char *base)
{
    tw_config *cfg = config_of(base);
    tw_client *cl;

    assert_int_equal(tw_client_new(&cl, cfg, NULL), TW_OK);
    tw_config_free(cfg);
    return cl;
}

static int entries(const char *path)
{
    DIR *folder = opendir(path);
    int n = 0;

    while (readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n;
}

static int threads(void)
{
    return entries("/proc/self/task") - 2;
}

static int files(void)
{
    return entries("/proc/self/fd") - 2;
}

/* ---- servers ----------------------------------------------------------------------- */

/* Counts the events of an ingestion body, which are objects with an event_type. */
static int events_in(const http_request *req)
{
    const char *at = req->body;
    const char *end = req->body + req->body_size;
    int n = 0;

    for (;;) {
        at = memmem(at, (size_t)(end - at), "\"event_type\"", 12);
        if (at == NULL)
            return n;
        at += 12;
        n++;
    }
}

static http_then serve(const http_request *req)
{
    char body[256];

    if (strncmp(req->head, "POST /2/httpapi ", 16) != 0)
        return http_answer(req, "200 OK", "{\"cohorts\":[]}");
    snprintf(body, sizeof body,
             "{\"code\":200,\"events_ingested\":%d,\"payload_size_bytes\":%zu,"
             "\"server_upload_time\":1795392000000}",
             events_in(req), req->body_size);
    return http_answer(req, "200 OK", body);
}

static http_then black_hole(const http_request *req)
{
    http_hold(req);
    return HTTP_CLOSE;
}

static void track(tw_client *cl, int count)
{
    static const char type[] = "event_type", user[] = "user_id";
    int i;

    for (i = 0; i < count; i++) {
        tw_json_writer *wr;
        tw_event *ev;

        assert_int_equal(tw_event_begin(&ev, cl, NULL), TW_OK);
        wr = tw_event_writer(ev);
        tw_json_put_object(wr);
        tw_json_put_key(wr, type, strlen(type), -1, 0);
        tw_json_put_string(wr, "visited", 7, -1, 0);
        tw_json_put_key(wr, user, strlen(user), -1, 0);
        tw_json_put_string(wr, "user-0001", 9, -1, 0);
        tw_json_put_object_end(wr);
        assert_int_equal(tw_event_commit(ev, NULL), TW_OK);
    }
}

static int raw(tw_client *cl)
{
    const tw_reply *rsp;
    tw_job *job;
    int rc;

    assert_int_equal(tw_raw_start(&job, cl, "cohorts.list", NULL, NULL, NULL), TW_OK);
    assert_int_equal(tw_job_wait(job, 30000), TW_OK);
    rc = tw_job_result(&rsp, job, NULL);
    tw_job_unref(job);
    return rc;
}

static void assert_balanced(const tw_stats *st)
{
    assert_int_equal(st->accepted, st->stored + st->rejected + st->uncertain +
                                       st->expired + st->dropped + st->waiting);
}

/* ---- life -------------------------------------------------------------------------- */

static void no_thread_before_the_first_use(void **state)
{
    tw_client *cl;
    int before = threads(), open_before = files();

    (void)state;
    assert_int_equal(http_server_start(&server, serve), 0);
    before = threads();
    open_before = files();
    cl = client_of(server.url);
    assert_int_equal(threads(), before);
    assert_int_equal(files(), open_before);
    assert_int_equal(raw(cl), TW_OK);
    assert_true(threads() > before);
    assert_int_equal(tw_client_close(cl, 1000, NULL), TW_OK);
    tw_client_free(cl);
    http_server_stop(&server);
}

static void events_reach_the_server_on_close(void **state)
{
    tw_stats st = TW_STATS_INIT;
    tw_client *cl;

    (void)state;
    assert_int_equal(http_server_start(&server, serve), 0);
    cl = client_of(server.url);
    track(cl, 2500);
    assert_int_equal(tw_client_close(cl, 60000, NULL), TW_OK);
    assert_int_equal(tw_client_stats(cl, &st), TW_OK);
    assert_int_equal(st.accepted, 2500);
    assert_int_equal(st.stored, 2500);
    assert_balanced(&st);
    tw_client_free(cl);
    http_server_stop(&server);
}

static void flush_is_a_job(void **state)
{
    tw_stats st = TW_STATS_INIT;
    const tw_reply *rsp;
    tw_client *cl;
    tw_job *job;

    (void)state;
    assert_int_equal(http_server_start(&server, serve), 0);
    cl = client_of(server.url);
    track(cl, 3);
    assert_int_equal(tw_flush_start(&job, cl, NULL, NULL), TW_OK);
    assert_int_equal(tw_job_wait(job, 30000), TW_OK);
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_OK);
    tw_job_unref(job);
    tw_client_stats(cl, &st);
    assert_int_equal(st.stored, 3);
    assert_int_equal(st.waiting, 0);
    tw_client_free(cl);
    http_server_stop(&server);
}

static void everything_is_closed_after_close(void **state)
{
    tw_stats st = TW_STATS_INIT;
    tw_error *err = NULL;
    tw_event *ev;
    tw_client *cl;
    tw_job *job;
    char *text;

    (void)state;
    assert_int_equal(http_server_start(&server, serve), 0);
    cl = client_of(server.url);
    assert_int_equal(tw_client_close(cl, 0, NULL), TW_OK);
    assert_int_equal(tw_client_close(cl, 1000, NULL), TW_OK);
    assert_int_equal(tw_raw_start(&job, cl, "cohorts.list", NULL, NULL, &err),
                     TW_E_CLOSED);
    assert_null(job);
    assert_int_equal(tw_error_code(err), TW_E_CLOSED);
    tw_error_free(err);
    assert_int_equal(tw_flush_start(&job, cl, NULL, NULL), TW_E_CLOSED);
    assert_int_equal(tw_event_begin(&ev, cl, NULL), TW_E_CLOSED);
    assert_int_equal(tw_client_stats(cl, &st), TW_OK);
    assert_int_equal(tw_client_describe(&text, cl, NULL), TW_OK);
    tw_text_free(text);
    tw_client_free(cl);
    tw_client_free(NULL);
    assert_int_equal(tw_client_close(NULL, 0, NULL), TW_E_INVALID);
    http_server_stop(&server);
}

/* The server takes everything and says nothing: close comes back, says so and counts. */
static void close_does_not_hang_on_a_black_hole(void **state)
{
    tw_stats st = TW_STATS_INIT;
    const tw_reply *rsp;
    tw_error *err = NULL;
    int64_t before, took;
    tw_client *cl;
    tw_job *job;

    (void)state;
    assert_int_equal(http_server_start(&server, black_hole), 0);
    cl = client_of(server.url);
    track(cl, 10);
    assert_int_equal(tw_raw_start(&job, cl, "cohorts.list", NULL, NULL, NULL), TW_OK);
    assert_int_equal(tw_job_wait(job, 20), TW_AGAIN);
    before = tw__monotonic_ms();
    assert_int_equal(tw_client_close(cl, 50, &err), TW_E_TIMEOUT);
    took = tw__monotonic_ms() - before;
    print_message("close(50) took %d ms: %s\n", (int)took, tw_error_message(err));
    assert_true(took >= 45 && took < 5000); /* the bound is for slow machines */
    tw_error_free(err);
    tw_client_stats(cl, &st);
    assert_int_equal(st.accepted, 10);
    assert_int_equal(st.uncertain + st.expired, 10);
    assert_balanced(&st);
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_E_CLOSED);
    tw_job_unref(job);
    tw_client_free(cl);
    http_server_stop(&server);
}

static void free_alone_ends_everything(void **state)
{
    const tw_reply *rsp;
    int before, open_before;
    tw_client *cl;
    tw_queue *queue;
    tw_job *job;
    int64_t at;

    (void)state;
    assert_int_equal(http_server_start(&server, black_hole), 0);
    assert_int_equal(tw_queue_new(&queue, NULL), TW_OK);
    before = threads();
    cl = client_of(server.url);
    track(cl, 5);
    assert_int_equal(tw_raw_start(&job, cl, "export.get", NULL, queue, NULL), TW_OK);
    while (atomic_load(&server.requests) < 1)
        assert_int_equal(tw_queue_wait(queue, 1), TW_AGAIN);
    at = tw__monotonic_ms();
    tw_client_free(cl);
    assert_true(tw__monotonic_ms() - at < 5000);
    assert_true(threads() <= before + atomic_load(&server.connections));
    assert_int_equal(tw_queue_wait(queue, 1000), TW_OK);
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_E_CLOSED);
    tw_job_cancel(job);
    tw_job_unref(job);
    tw_queue_free(queue);
    open_before = files();
    (void)open_before;
    http_server_stop(&server);
}

static void many_clients_leave_nothing(void **state)
{
    int i, files_before, threads_before;

    (void)state;
    assert_int_equal(http_server_start(&server, serve), 0);
    { /* what the process keeps once: TLS library, resolver */
        tw_client *cl = client_of(server.url);

        raw(cl);
        tw_client_free(cl);
    }
    http_server_stop(&server);
    files_before = files();
    threads_before = threads();
    assert_int_equal(http_server_start(&server, serve), 0);
    for (i = 0; i < 30; i++) {
        tw_client *a = client_of(server.url);
        tw_client *b = client_of(server.url);

        track(a, 1);
        assert_int_equal(raw(b), TW_OK);
        if (i % 2 == 0)
            tw_client_close(a, 10000, NULL);
        tw_client_free(b);
        tw_client_free(a);
    }
    http_server_stop(&server);
    assert_int_equal(files(), files_before);
    assert_int_equal(threads(), threads_before);
}

/* ---- threads ----------------------------------------------------------------------- */

/* Tracks and calls until it is told that the client was closed; counts what was accepted. */
static void *user_run(void *arg)
{
    tw_client *cl = arg;
    uintptr_t accepted = 0;

    for (;;) {
        const tw_reply *rsp;
        tw_json_writer *wr;
        tw_event *ev;
        tw_job *job;
        int rc;

        if (tw_event_begin(&ev, cl, NULL) != TW_OK)
            return (void *)accepted;
        wr = tw_event_writer(ev);
        tw_json_put_object(wr);
        tw_json_put_key(wr, "event_type", 10, -1, 0);
        tw_json_put_string(wr, "visited", 7, -1, 0);
        tw_json_put_key(wr, "user_id", 7, -1, 0);
        tw_json_put_string(wr, "user-0001", 9, -1, 0);
        tw_json_put_object_end(wr);
        rc = tw_event_commit(ev, NULL);
        accepted += rc == TW_OK;
        if (tw_raw_start(&job, cl, "cohorts.list", NULL, NULL, NULL) != TW_OK)
            continue;
        if (accepted % 3 != 0)
            tw_job_wait(job, -1); /* ends by the answer or by the close */
        rc = tw_job_result(&rsp, job, NULL);
        tw_job_unref(job);
        if (rc != TW_OK && rc != TW_AGAIN && rc != TW_E_CLOSED)
            return (void *)UINTPTR_MAX;
    }
}

static void closing_while_others_work_loses_nothing(void **state)
{
    enum { USERS = 3 };
    pthread_t users[USERS];
    tw_stats st = TW_STATS_INIT;
    uintptr_t accepted = 0;
    tw_client *cl;
    int i;

    (void)state;
    assert_int_equal(http_server_start(&server, serve), 0);
    cl = client_of(server.url);
    for (i = 0; i < USERS; i++)
        assert_int_equal(pthread_create(&users[i], NULL, user_run, cl), 0);
    while (atomic_load(&server.requests) < 50)
        sched_yield();
    assert_int_equal(tw_client_close(cl, 60000, NULL), TW_OK);
    for (i = 0; i < USERS; i++) {
        void *count;

        pthread_join(users[i], &count);
        assert_true((uintptr_t)count != UINTPTR_MAX);
        accepted += (uintptr_t)count;
    }
    tw_client_stats(cl, &st);
    assert_int_equal(st.accepted, accepted);
    assert_int_equal(st.stored, accepted);
    assert_balanced(&st);
    tw_client_free(cl);
    http_server_stop(&server);
}

/* ---- signals ----------------------------------------------------------------------- */

static volatile sig_atomic_t signals;

static void count_signal(int sig)
{
    (void)sig;
    signals++;
}

static void a_signal_interrupts_close_and_close_goes_on(void **state)
{
    struct sigaction action = {.sa_handler = count_signal}, before;
    struct itimerval every = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    tw_client *cl;
    tw_event *ev;

    (void)state;
    assert_int_equal(http_server_start(&server, black_hole), 0);
    cl = client_of(server.url);
    track(cl, 1);
    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &every, NULL);
    assert_int_equal(tw_client_close(cl, 60000, NULL), TW_INTERRUPTED);
    setitimer(ITIMER_REAL, &never, NULL);
    assert_true(signals > 0);
    assert_int_equal(tw_event_begin(&ev, cl, NULL), TW_E_CLOSED);
    assert_int_equal(tw_client_close(cl, 0, NULL), TW_E_TIMEOUT);
    sigaction(SIGALRM, &before, NULL);
    tw_client_free(cl);
    http_server_stop(&server);
}

/* ---- fork -------------------------------------------------------------------------- */

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define UNDER_TSAN 1
#endif

/* ThreadSanitizer allows no thread in a child of a program with threads. */
#ifdef UNDER_TSAN
#define NEEDS_FORK() skip()
#else
#define NEEDS_FORK() ((void)0)
#endif

static uint64_t stored_of(tw_client *cl)
{
    tw_stats st = TW_STATS_INIT;

    tw_client_stats(cl, &st);
    return st.stored == st.accepted ? st.stored : UINT64_MAX;
}

static int stats_are_zero(tw_client *cl)
{
    tw_stats zero = TW_STATS_INIT;
    tw_stats st = TW_STATS_INIT;

    return tw_client_stats(cl, &st) == TW_OK && memcmp(&st, &zero, sizeof st) == 0;
}

/* Waits for a child: its exit code, or -1. */
static int child_code(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                : -1;
}

/* 0, or the number of what was wrong. */
static int child_goes_on(tw_client *cl, tw_event *begun, tw_job *job, tw_queue *queue)
{
    tw_rejection *rejection;
    const tw_reply *rsp;
    tw_job *own;

    alarm(60); /* instead of a hang */
    if (!stats_are_zero(cl) || tw_rejection_next(&rejection, cl, NULL) != TW_AGAIN)
        return 1;
    if (tw_event_commit(begun, NULL) != TW_E_FORKED)
        return 2;
    if (tw_job_wait(job, 0) != TW_OK || tw_job_result(&rsp, job, NULL) != TW_E_FORKED)
        return 3;
    if (tw_queue_wait(queue, 0) != TW_E_FORKED ||
        tw_flush_start(&own, cl, queue, NULL) != TW_E_FORKED)
        return 4;
    track(cl, 3);
    if (raw(cl) != TW_OK)
        return 5;
    if (tw_client_close(cl, 30000, NULL) != TW_OK || stored_of(cl) != 3)
        return 6;
    tw_client_free(cl);
    return 0;
}

static void a_child_goes_on_with_its_own(void **state)
{
    tw_queue *queue;
    tw_client *cl;
    tw_event *ev;
    tw_job *job;
    int i;

    (void)state;
    NEEDS_FORK();
    assert_int_equal(http_server_start(&server, serve), 0);
    cl = client_of(server.url);
    assert_int_equal(raw(cl), TW_OK);
    assert_int_equal(tw_queue_new(&queue, NULL), TW_OK);
    for (i = 0; i < 10; i++) {
        pid_t pid;

        track(cl, 10);
        assert_int_equal(tw_event_begin(&ev, cl, NULL), TW_OK);
        assert_int_equal(tw_flush_start(&job, cl, queue, NULL), TW_OK);
        pid = fork();
        if (pid == 0)
            _exit(child_goes_on(cl, ev, job, queue));
        assert_int_equal(child_code(pid), 0);
        tw_event_abort(ev);
        tw_job_unref(job);
        assert_int_equal(raw(cl), TW_OK);
    }
    assert_int_equal(tw_client_close(cl, 30000, NULL), TW_OK);
    assert_int_equal(stored_of(cl), 100); /* each once: no child sent any */
    tw_client_free(cl);
    tw_queue_free(queue);
    /* The parent's: one for the calls, one or two for the events; two of each child. */
    assert_true(atomic_load(&server.connections) <= 3 + 2 * 10);
    http_server_stop(&server);
}

/* A child that never calls the client is left alone by it. */
static int child_does_nothing(tw_client *cl)
{
    tw_job *job;
    int bad = !stats_are_zero(cl);

    bad |= tw_close_start(&job, cl, NULL, NULL) != TW_E_CLOSED;
    bad |= tw_client_close(cl, 60000, NULL) != TW_OK;
    bad |= tw_flush_start(&job, cl, NULL, NULL) != TW_E_CLOSED;
    bad |= !stats_are_zero(cl);
    bad |= threads() != 1;
    tw_client_free(cl);
    return bad;
}

static void a_child_with_nothing_to_send_starts_nothing(void **state)
{
    tw_client *cl;
    pid_t pid;

    (void)state;
    NEEDS_FORK();
    assert_int_equal(http_server_start(&server, serve), 0);
    cl = client_of(server.url);
    track(cl, 10);
    pid = fork();
    if (pid == 0)
        _exit(child_does_nothing(cl));
    assert_int_equal(child_code(pid), 0);
    assert_int_equal(tw_client_close(cl, 30000, NULL), TW_OK);
    pid = fork();
    if (pid == 0)
        _exit(child_does_nothing(cl));
    assert_int_equal(child_code(pid), 0);
    tw_client_free(cl);
    http_server_stop(&server);
}

static int child_of_child(tw_client *cl, int depth)
{
    pid_t pid;

    alarm(60);
    track(cl, depth);
    if (depth < 4) {
        pid = fork();
        if (pid == 0)
            _exit(child_of_child(cl, depth + 1));
        if (child_code(pid) != 0)
            return 1;
    }
    if (tw_client_close(cl, 30000, NULL) != TW_OK || stored_of(cl) != (uint64_t)depth)
        return 1;
    tw_client_free(cl);
    return 0;
}

static void children_of_children_go_on_too(void **state)
{
    tw_client *cl;

    (void)state;
    NEEDS_FORK();
    assert_int_equal(http_server_start(&server, serve), 0);
    cl = client_of(server.url);
    assert_int_equal(child_of_child(cl, 1), 0);
    http_server_stop(&server);
}

static void *track_some(void *arg)
{
    track(arg, 100);
    return NULL;
}

/* The threads of a child may all be the first. */
static int child_with_threads(tw_client *cl)
{
    pthread_t all[8];
    size_t i;

    alarm(60);
    for (i = 0; i < 8; i++)
        pthread_create(&all[i], NULL, track_some, cl);
    for (i = 0; i < 8; i++)
        pthread_join(all[i], NULL);
    return tw_client_close(cl, 30000, NULL) != TW_OK || stored_of(cl) != 800;
}

static void threads_of_a_child_may_come_together(void **state)
{
    tw_client *cl;
    int i;

    (void)state;
    NEEDS_FORK();
    assert_int_equal(http_server_start(&server, serve), 0);
    cl = client_of(server.url);
    track(cl, 1);
    for (i = 0; i < 10; i++) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(child_with_threads(cl));
        assert_int_equal(child_code(pid), 0);
    }
    assert_int_equal(tw_client_close(cl, 30000, NULL), TW_OK);
    assert_int_equal(stored_of(cl), 1);
    tw_client_free(cl);
    http_server_stop(&server);
}

static int sockets(void)
{
    int n = 0;
    int fd;

    for (fd = 0; fd < 256; fd++) {
        struct sockaddr_storage name;
        socklen_t size = sizeof name;

        n += getpeername(fd, (struct sockaddr *)&name, &size) == 0 &&
             name.ss_family == AF_INET;
    }
    return n;
}

/* The other end sees the parent close its connection although children live on. */
static void a_child_holds_no_connection(void **state)
{
    tw_client *cl;
    pid_t pid;
    int before;

    (void)state;
    assert_int_equal(http_server_start(&server, serve), 0);
    before = sockets();
    cl = client_of(server.url);
    assert_int_equal(raw(cl), TW_OK);
    assert_int_equal(sockets(), before + 2); /* its own end, and the server's */
    pid = fork();
    if (pid == 0)
        _exit(sockets() != before + 1);
    assert_int_equal(child_code(pid), 0);
    assert_int_equal(sockets(), before + 2);
    assert_int_equal(raw(cl), TW_OK);
    tw_client_free(cl);
    http_server_stop(&server);
}

/* ---- describe, raw ----------------------------------------------------------------- */

static void assert_describes(tw_config *cfg, const char *const *inside,
                             const char *const *outside)
{
    tw_error *err = NULL;
    tw_client *cl;
    char *text;

    assert_int_equal(tw_client_new(&cl, cfg, &err), TW_OK);
    assert_int_equal(tw_client_describe(&text, cl, NULL), TW_OK);
    print_message("%s\n", text);
    for (; *inside != NULL; inside++)
        assert_non_null(strstr(text, *inside));
    for (; *outside != NULL; outside++)
        assert_null(strstr(text, *outside));
    tw_text_free(text);
    tw_client_free(cl);
    tw_config_free(cfg);
}

/* Hosts of one's own on loopback need no certificates, wherever the rest would be. */
static void loopback_alone_needs_no_certificates(void **state)
{
    static const char *const inside[] = {"\"certificates\":null", NULL};
    static const char *const nothing[] = {NULL};
    tw_config *cfg = config_of(NULL);

    (void)state;
    set(cfg, "ca_file", "/nonexistent/ca.pem");
    set(cfg, "ingest_url", "http://127.0.0.1:1");
    set(cfg, "dash_url", "http://[::1]:2");
    set(cfg, "profile_url", "http://localhost:3");
    assert_describes(cfg, inside, nothing);
}

/* What no certificate guards may be taken away, not set. */
static void a_token_needs_certificates_its_removal_none(void **state)
{
    tw_config *cfg = config_of(NULL);
    tw_error *err = NULL;
    tw_client *cl;

    (void)state;
    set(cfg, "ca_file", "/nonexistent/ca.pem");
    set(cfg, "ingest_url", "http://127.0.0.1:1");
    set(cfg, "dash_url", "http://127.0.0.1:1");
    set(cfg, "profile_url", "http://127.0.0.1:1");
    assert_int_equal(tw_client_new(&cl, cfg, NULL), TW_OK);
    assert_int_equal(tw_mcp_set_token(cl, NULL, 0, NULL), TW_OK);
    assert_int_equal(tw_mcp_set_token(cl, "token", 5, &err), TW_E_CONFIG);
    assert_string_equal(tw_error_field(err), "mcp_token");
    tw_error_free(err);
    err = NULL;
    assert_int_equal(tw_mcp_set_token(cl, "", 0, &err), TW_E_CONFIG);
    assert_non_null(strstr(tw_error_message(err), "it is empty"));
    tw_error_free(err);
    tw_client_free(cl);
    tw_config_free(cfg);
}

static const char *const secrets[] = {API_KEY, SECRET, "hunter2", "BEGIN", NULL};

static void a_description_holds_no_secret(void **state)
{
    static const char *const us[] = {"\"api_key\":\"...3456\"",
                                     "\"secret_key\":\"***\"",
                                     "\"ingest\":\"https://api2.amplitude.com\"",
                                     "\"dash\":\"https://amplitude.com\"",
                                     "\"profile\":\"https://profile-api.amplitude.com\"",
                                     "http://***@proxy.example:3128",
                                     "\"ca_pem\":\"given\"",
                                     "\"libcurl\":\"libcurl/",
                                     NULL};
    static const char *const eu[] = {"\"ingest\":\"https://api.eu.amplitude.com\"",
                                     "\"dash\":\"https://analytics.eu.amplitude.com\"",
                                     "\"profile\":null",
                                     "\"proxy_from\":\"environment\"",
                                     "socks5h://***@inner",
                                     "\"no_proxy\":\"a.example\"",
                                     NULL};
    static const char pem[] = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
    tw_config *cfg = config_of(NULL);

    (void)state;
    set(cfg, "proxy", "http://user:hunter2@proxy.example:3128");
    set(cfg, "ca_pem", pem);
    assert_describes(cfg, us, secrets);
    setenv("HTTPS_PROXY", "socks5h://u:hunter2@inner", 1);
    setenv("no_proxy", "a.example", 1);
    cfg = config_of(NULL);
    set(cfg, "region", "eu");
    set(cfg, "ca_pem", pem);
    assert_describes(cfg, eu, secrets);
    unsetenv("HTTPS_PROXY");
    unsetenv("no_proxy");
}

/* Paths and the environment are bytes; JSON is text. */
static void a_description_bears_bytes_that_are_no_text(void **state)
{
    static const char *const inside[] = {"\"no_proxy\":\"caf?.example\"",
                                         "\"ca_fallback\":\"/caf?.pem\"", NULL};
    tw_config *cfg = config_of("http://127.0.0.1:1");

    (void)state;
    setenv("no_proxy", "caf\xE9.example", 1);
    set(cfg, "ca_fallback", "/caf\xE9.pem");
    assert_describes(cfg, inside, secrets);
    unsetenv("no_proxy");
}

static http_then reset_all(const http_request *req)
{
    (void)req;
    return HTTP_RESET;
}

/* A body that is not ours may lack an insert_id: sent twice it would count twice. */
static void raw_events_are_sent_once(void **state)
{
    tw_raw_options options = TW_RAW_OPTIONS_INIT;
    const tw_reply *rsp;
    tw_error *err = NULL;
    tw_client *cl;
    tw_job *job;

    (void)state;
    assert_int_equal(http_server_start(&server, reset_all), 0);
    cl = client_of(server.url);
    options.content_type = "application/json";
    options.body = "{}";
    options.body_size = 2;
    assert_int_equal(tw_raw_start(&job, cl, "ingestion.batch", &options, NULL, NULL),
                     TW_OK);
    assert_int_equal(tw_job_wait(job, 30000), TW_OK);
    assert_int_equal(tw_job_result(&rsp, job, &err), TW_E_NETWORK);
    assert_int_equal(tw_error_stored(err), TW_STORED_MAYBE);
    assert_int_equal(atomic_load(&server.requests), 1);
    tw_error_free(err);
    tw_job_unref(job);
    tw_client_free(cl);
    http_server_stop(&server);
}

static void one_url_serves_all_hosts_and_own_ones_go_first(void **state)
{
    static const char *const inside[] = {"\"ingest\":\"http://127.0.0.1:2\"",
                                         "\"dash\":\"http://127.0.0.1:1\"",
                                         "\"profile\":\"http://127.0.0.1:1\"", NULL};
    tw_config *cfg = config_of("http://127.0.0.1:1");

    (void)state;
    set(cfg, "ingest_url", "http://127.0.0.1:2/");
    assert_describes(cfg, inside, secrets);
}

/* Whatever fails: a host that is not there cannot be asked. */
static void no_region_has_a_host_of_the_other(void **state)
{
    static const char *const us[] = {"//api2.amplitude.com", "//amplitude.com",
                                     "//profile-api.amplitude.com", NULL};
    static const char *const eu[] = {"//api.eu.amplitude.com",
                                     "//analytics.eu.amplitude.com", NULL};
    static const char pem[] = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
    tw_config *cfg = config_of(NULL);

    (void)state;
    set(cfg, "ca_pem", pem);
    assert_describes(cfg, us, eu);
    cfg = config_of(NULL);
    set(cfg, "ca_pem", pem);
    set(cfg, "region", "eu");
    assert_describes(cfg, eu, us);
}

static void the_profile_is_refused_in_the_eu(void **state)
{
    tw_config *cfg = config_of("http://127.0.0.1:1");
    tw_error *err = NULL;
    tw_client *cl;
    tw_job *job;
    int before = threads();

    (void)state;
    set(cfg, "region", "eu");
    assert_int_equal(tw_client_new(&cl, cfg, NULL), TW_OK);
    assert_int_equal(tw_raw_start(&job, cl, "profile.get", NULL, NULL, &err),
                     TW_E_CONFIG);
    assert_non_null(strstr(tw_error_message(err), "region \"eu\""));
    assert_int_equal(threads(), before);
    tw_error_free(err);
    tw_client_free(cl);
    tw_config_free(cfg);
}

static void raw_calls_need_a_known_name(void **state)
{
    tw_client *cl = client_of("http://127.0.0.1:1");
    tw_error *err = NULL;
    tw_job *job;

    (void)state;
    assert_int_equal(tw_raw_start(&job, cl, "cohorts.lst", NULL, NULL, &err),
                     TW_E_INVALID);
    assert_non_null(strstr(tw_error_message(err), "cohorts.lst"));
    tw_error_free(err);
    tw_client_free(cl);
}

static void no_memory_is_an_error(void **state)
{
    long n, held;
    int refused = 1, made = 0;

    (void)state;
    for (n = 0; refused; n++) {
        tw_config *cfg = config_of("http://127.0.0.1:1");
        tw_client *cl = NULL;
        tw_error *err = NULL;
        int rc;

        oom_begin(n);
        rc = tw_client_new(&cl, cfg, &err);
        tw_client_free(cl);
        tw_error_free(err);
        refused = oom_end(&held);
        /* What is refused after the client was made is refused to its end, which bears it. */
        made |= rc == TW_OK;
        assert_int_equal(rc, made ? TW_OK : TW_E_NOMEM);
        assert_int_equal(held, 0);
        tw_config_free(cfg);
    }
    print_message("%ld allocations\n", n - 1);
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_thread_before_the_first_use),
        cmocka_unit_test(events_reach_the_server_on_close),
        cmocka_unit_test(flush_is_a_job),
        cmocka_unit_test(everything_is_closed_after_close),
        cmocka_unit_test(close_does_not_hang_on_a_black_hole),
        cmocka_unit_test(free_alone_ends_everything),
        cmocka_unit_test(many_clients_leave_nothing),
        cmocka_unit_test(closing_while_others_work_loses_nothing),
        cmocka_unit_test(a_signal_interrupts_close_and_close_goes_on),
        cmocka_unit_test(a_child_goes_on_with_its_own),
        cmocka_unit_test(a_child_with_nothing_to_send_starts_nothing),
        cmocka_unit_test(children_of_children_go_on_too),
        cmocka_unit_test(threads_of_a_child_may_come_together),
        cmocka_unit_test(a_child_holds_no_connection),
        cmocka_unit_test(a_description_holds_no_secret),
        cmocka_unit_test(a_description_bears_bytes_that_are_no_text),
        cmocka_unit_test(raw_events_are_sent_once),
        cmocka_unit_test(one_url_serves_all_hosts_and_own_ones_go_first),
        cmocka_unit_test(no_region_has_a_host_of_the_other),
        cmocka_unit_test(loopback_alone_needs_no_certificates),
        cmocka_unit_test(a_token_needs_certificates_its_removal_none),
        cmocka_unit_test(the_profile_is_refused_in_the_eu),
        cmocka_unit_test(raw_calls_need_a_known_name),
        cmocka_unit_test(no_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
