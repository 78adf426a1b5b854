/* SPDX-License-Identifier: MIT */
/* The libcurl transport against a socket server: what goes out, what may come back. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tidewheel/error.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/loop.h"
#include "support/http_server.h"

typedef struct seen {
    int heads, dones;
    int status;
    int64_t length;
    char location[128], type[64];
    tw_buf body;
    int code, sent, permanent;
    char message[512];
    /* what the callbacks are to do */
    int pause_at; /* after so many bytes, once */
    int data_code, head_code;
    void (*in_data)(struct seen *sn);
    void *transfer;
    struct seen *other;
} seen;

static http_server server;
static tw_loop *loop;

static int on_head(void *ctx, const tw_transfer_head *head)
{
    seen *sn = ctx;

    sn->heads++;
    sn->status = head->status;
    sn->length = head->content_length;
    snprintf(sn->location, sizeof sn->location, "%s", head->location);
    snprintf(sn->type, sizeof sn->type, "%s", head->content_type);
    return sn->head_code;
}

static int on_data(void *ctx, const char *bytes, size_t size)
{
    seen *sn = ctx;

    if (sn->in_data != NULL)
        sn->in_data(sn);
    if (sn->pause_at > 0 && sn->body.size >= (size_t)sn->pause_at) {
        sn->pause_at = -1;
        return TW_AGAIN;
    }
    if (sn->data_code != TW_OK)
        return sn->data_code;
    tw__buf_put(&sn->body, bytes, size);
    return TW_OK;
}

static void on_done(void *ctx, const tw_transfer_end *end)
{
    seen *sn = ctx;

    sn->dones++;
    sn->transfer = NULL;
    sn->code = end->code;
    sn->sent = end->sent;
    sn->permanent = end->permanent;
    snprintf(sn->message, sizeof sn->message, "%s", end->message);
}

static const tw_transfer_events events = {on_head, on_data, on_done};

static const tw_transport_settings plain = {sizeof plain, "", "", NULL, 0};

static void begin_with(http_handler handler, const tw_transport_settings *settings)
{
    assert_int_equal(http_server_start(&server, handler), 0);
    assert_int_equal(tw__loop_new(&loop, NULL, settings, TW_LOOP_BY_HAND, NULL), TW_OK);
}

static void begin(http_handler handler)
{
    begin_with(handler, &plain);
}

static void end(void)
{
    tw__loop_close(loop);
    tw__loop_unref(loop);
    http_server_stop(&server);
}

static tw_transfer_request request_of(const char *url)
{
    tw_transfer_request req;

    memset(&req, 0, sizeof req);
    req.size = sizeof req;
    req.method = "GET";
    req.url = url;
    req.connect_timeout_ms = 5000;
    req.timeout_ms = 20000;
    req.stall_ms = -1;
    return req;
}

static void start(seen *sn, const tw_transfer_request *req)
{
    tw_error *err = NULL;
    int rc;

    atomic_fetch_add(&server.requests, 0); /* see http_send */
    memset(sn, 0, sizeof *sn);
    tw__buf_init(&sn->body, 64 * 1024 * 1024);
    rc = tw__loop_transfer_start(&sn->transfer, loop, req, &events, sn, &err);
    if (rc != TW_OK)
        fail_msg("%s", tw_error_message(err));
}

static void finish(seen *sn)
{
    int64_t until = tw__monotonic_ms() + 30000;

    while (sn->dones == 0) {
        assert_true(tw__monotonic_ms() < until);
        tw__loop_turn(loop, 1000);
    }
    assert_int_equal(sn->dones, 1);
    atomic_fetch_add(&server.requests, 0);
}

static void forget(seen *sn)
{
    tw__buf_clear(&sn->body);
}

/* A whole exchange; the caller forgets. */
static void exchange(seen *sn, const char *path, unsigned flags)
{
    char url[256];
    tw_transfer_request req;

    snprintf(url, sizeof url, "%s%s", server.url, path);
    req = request_of(url);
    req.flags = flags | TW_TRANSFER_LOCAL;
    start(sn, &req);
    finish(sn);
}

static int body_is(const seen *sn, const char *text)
{
    return sn->body.size == strlen(text) &&
           memcmp(sn->body.data, text, sn->body.size) == 0;
}

/* ---- connections ------------------------------------------------------------------- */

static http_then answer_ok(const http_request *req)
{
    return http_answer(req, "200 OK", "{}");
}

static void connections_are_kept(void **state)
{
    seen sn;
    int i;

    (void)state;
    begin(answer_ok);
    for (i = 0; i < 5; i++) {
        exchange(&sn, "/x", 0);
        assert_int_equal(sn.code, TW_OK);
        assert_int_equal(sn.status, 200);
        assert_int_equal(sn.length, 2);
        assert_string_equal(sn.type, "application/json");
        assert_true(body_is(&sn, "{}"));
        forget(&sn);
    }
    assert_int_equal(atomic_load(&server.connections), 1);
    end();
}

static void fresh_connections_are_used_once(void **state)
{
    seen sn;
    int i;

    (void)state;
    begin(answer_ok);
    exchange(&sn, "/x", 0);
    forget(&sn);
    for (i = 0; i < 3; i++) {
        exchange(&sn, "/x", TW_TRANSFER_FRESH);
        assert_int_equal(sn.code, TW_OK);
        forget(&sn);
    }
    exchange(&sn, "/x", 0); /* the kept one is still good */
    forget(&sn);
    assert_int_equal(atomic_load(&server.connections), 4);
    end();
}

/* Every second request of a connection is read and then dropped without an answer. */
static http_then answer_first_only(const http_request *req)
{
    static _Thread_local int served;

    return served++ == 0 ? http_answer(req, "200 OK", "{}") : HTTP_CLOSE;
}

/* The trap that fresh connections are for: libcurl repeats by itself on a dead reused one. */
static void a_dead_kept_connection_is_replaced(void **state)
{
    seen sn;

    (void)state;
    begin(answer_first_only);
    exchange(&sn, "/x", 0);
    forget(&sn);
    exchange(&sn, "/x", 0);
    assert_int_equal(sn.code, TW_OK);
    forget(&sn);
    assert_int_equal(atomic_load(&server.requests), 3);
    end();
}

static http_then drop_posts(const http_request *req)
{
    return strncmp(req->head, "POST", 4) == 0 ? HTTP_CLOSE
                                              : http_answer(req, "200 OK", "{}");
}

static void a_fresh_request_is_seen_once(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen sn;

    (void)state;
    begin(drop_posts);
    exchange(&sn, "/x", 0);
    forget(&sn);
    snprintf(url, sizeof url, "%s/create", server.url);
    req = request_of(url);
    req.method = "POST";
    req.body = "name=x";
    req.body_size = 6;
    req.flags = TW_TRANSFER_FRESH;
    start(&sn, &req);
    finish(&sn);
    assert_int_equal(sn.code, TW_E_NETWORK);
    assert_int_equal(sn.sent, 1);
    assert_int_equal(atomic_load(&server.requests), 2);
    forget(&sn);
    end();
}

/* ---- what goes out ----------------------------------------------------------------- */

static char last_head[8192];
static size_t last_body;
static int last_sum;

static http_then note_request(const http_request *req)
{
    size_t i;

    snprintf(last_head, sizeof last_head, "%s", req->head);
    last_body = req->body_size;
    for (last_sum = 0, i = 0; i < req->body_size; i++)
        last_sum = (last_sum * 31 + (unsigned char)req->body[i]) & 0xFFFFFF;
    return http_answer(req, "200 OK", "{}");
}

static void large_posts_go_out_at_once_and_whole(void **state)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          "User-Agent: t/1", NULL};
    static char body[3000000];
    tw_transfer_request req;
    char url[128];
    int sum = 0;
    size_t i;
    seen sn;

    (void)state;
    for (i = 0; i < sizeof body; i++) {
        body[i] = (char)(i * 7 + i / 251);
        sum = (sum * 31 + (unsigned char)body[i]) & 0xFFFFFF;
    }
    begin(note_request);
    snprintf(url, sizeof url, "%s/2/httpapi", server.url);
    req = request_of(url);
    req.method = "POST";
    req.headers = headers;
    req.body = body;
    req.body_size = sizeof body;
    start(&sn, &req);
    finish(&sn);
    assert_int_equal(sn.code, TW_OK);
    assert_int_equal(last_body, sizeof body);
    assert_int_equal(last_sum, sum);
    assert_non_null(strstr(last_head, "POST /2/httpapi HTTP/1.1\r\n"));
    assert_non_null(strstr(last_head, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(last_head, "User-Agent: t/1\r\n"));
    assert_non_null(strstr(last_head, "Accept-Encoding: identity\r\n"));
    assert_null(strcasestr(last_head, "Expect"));
    assert_null(strcasestr(last_head, "Authorization"));
    assert_null(strcasestr(last_head, "Cookie"));
    forget(&sn);
    end();
}

static void methods_and_paths_are_sent_as_they_are(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen sn;

    (void)state;
    begin(note_request);
    exchange(&sn, "/a/../b/./%2E%2e/c?x=%2F&y=[1]", 0);
    assert_non_null(strstr(last_head, "GET /a/../b/./%2E%2e/c?x=%2F&y=[1] HTTP/1.1\r\n"));
    forget(&sn);
    snprintf(url, sizeof url, "%s/e", server.url);
    req = request_of(url);
    req.method = "PUT";
    req.body = "a=b";
    req.body_size = 3;
    start(&sn, &req);
    finish(&sn);
    assert_non_null(strstr(last_head, "PUT /e HTTP/1.1\r\n"));
    assert_int_equal(last_body, 3);
    forget(&sn);
    req.method = "POST";
    req.body = NULL;
    req.body_size = 0;
    start(&sn, &req);
    finish(&sn);
    assert_non_null(strstr(last_head, "Content-Length: 0\r\n"));
    forget(&sn);
    end();
}

/* ---- answers that are not what they should be -------------------------------------- */

static const char *raw;
static size_t raw_size;
static http_then raw_then;

static http_then send_raw(const http_request *req)
{
    http_then then = raw_then;

    http_send(req, raw, raw_size);
    return then;
}

static void exchange_raw(seen *sn, const char *text, http_then then)
{
    raw = text;
    raw_size = strlen(text);
    raw_then = then;
    exchange(sn, "/x", 0);
}

static void redirects_are_shown_not_followed(void **state)
{
    static const char *const statuses[] = {"301", "302", "303", "307", "308"};
    http_server other;
    char text[5][256]; /* the server may still hold the one before */
    size_t i;
    seen sn;

    (void)state;
    assert_int_equal(http_server_start(&other, answer_ok), 0);
    begin(send_raw);
    for (i = 0; i < 5; i++) {
        snprintf(text[i], sizeof text[i],
                 "HTTP/1.1 %s Moved\r\nLocation: %s/there\r\nContent-Length: 0\r\n\r\n",
                 statuses[i], other.url);
        exchange_raw(&sn, text[i], HTTP_KEEP);
        assert_int_equal(sn.code, TW_OK);
        assert_int_equal(sn.status, (int)strtol(statuses[i], NULL, 10));
        assert_non_null(strstr(sn.location, "/there"));
        forget(&sn);
    }
    assert_int_equal(atomic_load(&other.connections), 0);
    assert_int_equal(atomic_load(&server.requests), 5);
    end();
    http_server_stop(&other);
}

static void broken_answers_are_errors(void **state)
{
    static const struct {
        const char *text;
        http_then then;
        int code;
    } rows[] = {
        {"", HTTP_CLOSE, TW_E_NETWORK},
        {"", HTTP_RESET, TW_E_NETWORK},
        {"HTTP/1.1 200 OK\r\nContent-Le", HTTP_CLOSE, TW_E_NETWORK},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", HTTP_CLOSE, TW_E_NETWORK},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", HTTP_RESET, TW_E_NETWORK},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", HTTP_CLOSE,
         TW_E_NETWORK},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
         HTTP_CLOSE, TW_E_PROTOCOL},
        {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", HTTP_CLOSE, TW_E_PROTOCOL},
        {"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}", HTTP_CLOSE, TW_E_PROTOCOL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2,3\r\n\r\n{}", HTTP_CLOSE, TW_E_PROTOCOL},
        {"garbage that is no HTTP at all\r\n\r\n", HTTP_CLOSE, TW_E_PROTOCOL},
    };
    size_t i;
    seen sn;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(send_raw);
        exchange_raw(&sn, rows[i].text, rows[i].then);
        print_message("%zu: %s\n", i, sn.message);
        assert_int_equal(sn.code, rows[i].code);
        assert_int_equal(sn.sent, 1);
        assert_true(sn.message[0] != '\0');
        forget(&sn);
        end();
    }
}

static void a_nul_in_a_header_is_refused(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n";
    seen sn;

    (void)state;
    begin(send_raw);
    raw = text;
    raw_size = sizeof text - 1;
    raw_then = HTTP_CLOSE;
    exchange(&sn, "/x", 0);
    assert_int_equal(sn.code, TW_E_PROTOCOL);
    assert_int_equal(sn.heads, 0);
    forget(&sn);
    end();
}

static http_then send_endless_headers(const http_request *req)
{
    int i;

    http_sends(req, "HTTP/1.1 200 OK\r\n");
    for (i = 0; i < 100000; i++)
        http_sends(req, "X-Filler: 0123456789012345678901234567890123456789\r\n");
    return HTTP_CLOSE;
}

static void endless_headers_are_refused(void **state)
{
    seen sn;

    (void)state;
    begin(send_endless_headers);
    exchange(&sn, "/x", 0);
    assert_int_equal(sn.code, TW_E_PROTOCOL);
    assert_non_null(strstr(sn.message, "64 KiB"));
    forget(&sn);
    end();
}

static void interim_answers_are_passed_over(void **state)
{
    seen sn;

    (void)state;
    begin(send_raw);
    exchange_raw(&sn,
                 "HTTP/1.1 103 Early Hints\r\nLocation: /no\r\n\r\n"
                 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                 HTTP_KEEP);
    assert_int_equal(sn.code, TW_OK);
    assert_int_equal(sn.heads, 1);
    assert_int_equal(sn.status, 200);
    assert_string_equal(sn.location, "");
    assert_true(body_is(&sn, "{}"));
    forget(&sn);
    end();
}

static void trailers_and_chunks_are_read(void **state)
{
    seen sn;

    (void)state;
    begin(send_raw);
    exchange_raw(&sn,
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nabc\r\n2\r\nde\r\n0\r\nLocation: /no\r\n\r\n",
                 HTTP_KEEP);
    assert_int_equal(sn.code, TW_OK);
    assert_int_equal(sn.heads, 1);
    assert_int_equal(sn.length, -1);
    assert_true(body_is(&sn, "abcde"));
    forget(&sn);
    end();
}

/* What came encoded is handed out as it is: nobody unpacks a bomb here. */
static void content_encoding_is_not_undone(void **state)
{
    seen sn;

    (void)state;
    begin(send_raw);
    exchange_raw(&sn,
                 "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
                 "\x1F\x8B\x08\x01",
                 HTTP_KEEP);
    assert_int_equal(sn.code, TW_OK);
    assert_true(body_is(&sn, "\x1F\x8B\x08\x01"));
    forget(&sn);
    end();
}

static void nobody_there_means_nothing_was_sent(void **state)
{
    char url[128];
    tw_transfer_request req;
    seen sn;

    (void)state;
    begin(answer_ok);
    snprintf(url, sizeof url, "%s/", server.url);
    end();
    assert_int_equal(tw__loop_new(&loop, NULL, &plain, TW_LOOP_BY_HAND, NULL), TW_OK);
    req = request_of(url);
    start(&sn, &req);
    finish(&sn);
    assert_int_equal(sn.code, TW_E_NETWORK);
    assert_int_equal(sn.sent, 0);
    forget(&sn);
    tw__loop_close(loop);
    tw__loop_unref(loop);
}

/* ---- time -------------------------------------------------------------------------- */

static http_then stay_silent(const http_request *req)
{
    http_hold(req);
    return HTTP_CLOSE;
}

static void silence_ends_at_the_timeout(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen sn;

    (void)state;
    begin(stay_silent);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    req.timeout_ms = 50;
    start(&sn, &req);
    finish(&sn);
    assert_int_equal(sn.code, TW_E_TIMEOUT);
    assert_int_equal(sn.sent, 1);
    forget(&sn);
    end();
}

static http_then begin_and_stall(const http_request *req)
{
    http_sends(req, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc");
    http_hold(req);
    return HTTP_CLOSE;
}

static void a_stalled_download_is_given_up(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen sn;

    (void)state;
    begin(begin_and_stall);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    req.timeout_ms = -1;
    req.stall_ms = 1000;
    start(&sn, &req);
    finish(&sn);
    assert_int_equal(sn.code, TW_E_TIMEOUT);
    forget(&sn);
    end();
}

static void closing_does_not_wait_for_a_silent_server(void **state)
{
    seen sn[8];
    tw_transfer_request req;
    int64_t before;
    char url[128];
    int i;

    (void)state;
    begin(stay_silent);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    for (i = 0; i < 8; i++)
        start(&sn[i], &req);
    while (atomic_load(&server.requests) < 8)
        tw__loop_turn(loop, 10);
    before = tw__monotonic_ms();
    end();
    assert_true(tw__monotonic_ms() - before < 5000); /* the bound is for slow machines */
    for (i = 0; i < 8; i++) {
        assert_int_equal(sn[i].dones, 0);
        forget(&sn[i]);
    }
}

/* ---- streams ----------------------------------------------------------------------- */

enum { LONG_BODY = 3 * 1024 * 1024 };

static http_then send_long(const http_request *req)
{
    char *body = malloc(LONG_BODY);
    char head[128];
    size_t i;

    for (i = 0; i < LONG_BODY; i++)
        body[i] = (char)(i % 251);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
             LONG_BODY);
    http_sends(req, head);
    http_send(req, body, LONG_BODY);
    free(body);
    return HTTP_KEEP;
}

static int long_body_is_right(const seen *sn)
{
    size_t i;

    if (sn->body.size != LONG_BODY)
        return 0;
    for (i = 0; i < LONG_BODY; i++) {
        if (sn->body.data[i] != (char)(i % 251))
            return 0;
    }
    return 1;
}

static void a_paused_stream_waits_and_goes_on(void **state)
{
    tw_transfer_request req;
    char url[128];
    size_t stood;
    seen sn;
    int i;

    (void)state;
    begin(send_long);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    start(&sn, &req);
    sn.pause_at = 100000;
    while (sn.pause_at > 0)
        tw__loop_turn(loop, 1000);
    stood = sn.body.size;
    for (i = 0; i < 20; i++)
        tw__loop_turn(loop, 1);
    assert_int_equal(sn.body.size, stood);
    assert_int_equal(sn.dones, 0);
    tw__loop_transfer_resume(loop, sn.transfer);
    finish(&sn);
    assert_int_equal(sn.code, TW_OK);
    assert_true(long_body_is_right(&sn));
    forget(&sn);
    end();
}

static void resume_inside(seen *sn)
{
    if (sn->pause_at > 0 && sn->body.size >= (size_t)sn->pause_at)
        tw__loop_transfer_resume(loop, sn->transfer);
}

static void a_resume_before_the_pause_counts(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen sn;

    (void)state;
    begin(send_long);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    start(&sn, &req);
    sn.pause_at = 100000;
    sn.in_data = resume_inside;
    finish(&sn);
    assert_int_equal(sn.pause_at, -1);
    assert_true(long_body_is_right(&sn));
    forget(&sn);
    end();
}

static void the_receiver_can_abort(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen sn;

    (void)state;
    begin(send_long);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    start(&sn, &req);
    sn.data_code = TW_E_PROTOCOL;
    finish(&sn);
    assert_int_equal(sn.code, TW_E_PROTOCOL);
    assert_int_equal(sn.permanent, 1);
    assert_string_equal(sn.message, "");
    forget(&sn);
    start(&sn, &req);
    sn.head_code = TW_E_VALIDATION;
    finish(&sn);
    assert_int_equal(sn.code, TW_E_VALIDATION);
    assert_int_equal(sn.body.size, 0);
    forget(&sn);
    end();
}

static void cancel_both(seen *sn)
{
    seen *other = sn->other;

    sn->in_data = NULL;
    tw__loop_transfer_cancel(loop, sn->transfer);
    tw__loop_transfer_cancel(loop, other->transfer);
    sn->transfer = other->transfer = NULL;
}

/* Inside a callback libcurl's handles must not be touched: cancelling waits, reporting stops. */
static void cancelling_within_a_callback_is_safe(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen a, b, c;

    (void)state;
    begin(send_long);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    start(&a, &req);
    start(&b, &req);
    a.other = &b;
    b.other = &a;
    a.in_data = b.in_data = cancel_both;
    while (a.transfer != NULL || b.transfer != NULL)
        tw__loop_turn(loop, 1000);
    start(&c, &req); /* the rest still works */
    finish(&c);
    assert_true(long_body_is_right(&c));
    assert_int_equal(a.dones + b.dones, 0);
    forget(&a);
    forget(&b);
    forget(&c);
    end();
}

static void start_other(seen *sn)
{
    tw_transfer_request req;
    char url[128];

    sn->in_data = NULL;
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    start(sn->other, &req);
}

static void starting_within_a_callback_is_safe(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen a, b;

    (void)state;
    begin(send_long);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    memset(&b, 0, sizeof b);
    start(&a, &req);
    a.other = &b;
    a.in_data = start_other;
    finish(&a);
    finish(&b);
    assert_true(long_body_is_right(&a));
    assert_true(long_body_is_right(&b));
    forget(&a);
    forget(&b);
    end();
}

static void many_at_once_all_end(void **state)
{
    enum { N = 40 };
    static seen sn[N];
    tw_transfer_request req;
    char url[128];
    int i;

    (void)state;
    begin(answer_ok);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    for (i = 0; i < N; i++)
        start(&sn[i], &req);
    for (i = 0; i < N; i++) {
        finish(&sn[i]);
        assert_int_equal(sn[i].code, TW_OK);
        forget(&sn[i]);
    }
    assert_int_equal(atomic_load(&server.requests), N);
    end();
}

/* ---- where it may go --------------------------------------------------------------- */

static void private_addresses_are_refused_on_connecting(void **state)
{
    seen sn;

    (void)state;
    begin(answer_ok);
    exchange(&sn, "/x", TW_TRANSFER_PUBLIC);
    assert_int_equal(sn.code, TW_E_PROTOCOL);
    assert_int_equal(sn.sent, 0);
    assert_int_equal(sn.permanent, 1);
    assert_non_null(strstr(sn.message, "not public"));
    assert_int_equal(atomic_load(&server.connections), 0);
    forget(&sn);
    end();
}

static void other_protocols_are_refused(void **state)
{
    static const char *const urls[] = {"file:///etc/passwd", "ftp://127.0.0.1/x",
                                       "gopher://127.0.0.1/x", "dict://127.0.0.1/x"};
    tw_transfer_request req;
    size_t i;
    seen sn;

    (void)state;
    begin(answer_ok);
    for (i = 0; i < 4; i++) {
        req = request_of(urls[i]);
        start(&sn, &req);
        finish(&sn);
        assert_int_equal(sn.code, TW_E_PROTOCOL);
        assert_int_equal(sn.body.size, 0);
        forget(&sn);
    }
    end();
}

static void https_without_certificates_is_refused(void **state)
{
    tw_transfer_request req = request_of("https://127.0.0.1:1/");
    tw_error *err = NULL;
    void *transfer;

    (void)state;
    begin(answer_ok);
    assert_int_equal(tw__loop_transfer_start(&transfer, loop, &req, &events, NULL, &err),
                     TW_E_CONFIG);
    assert_null(transfer);
    tw_error_free(err);
    end();
}

static void plain_text_on_a_tls_port_is_an_error(void **state)
{
    static const char pem[] =
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    const tw_transport_settings tls = {sizeof tls, "", "", pem, sizeof pem - 1};
    tw_transfer_request req;
    char url[128];
    seen sn;

    (void)state;
    begin_with(answer_ok, &tls);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", server.port);
    req = request_of(url);
    start(&sn, &req);
    finish(&sn);
    assert_int_equal(sn.code, TW_E_NETWORK);
    assert_int_equal(sn.sent, 0);
    assert_int_equal(atomic_load(&server.requests), 0);
    forget(&sn);
    end();
}

static void the_proxy_is_ours_not_the_environments(void **state)
{
    tw_transport_settings settings = plain;
    tw_transfer_request req;
    seen sn;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    begin(answer_ok);
    exchange(&sn, "/x", 0);
    assert_int_equal(sn.code, TW_OK);
    forget(&sn);
    end();
    assert_int_equal(http_server_start(&server, note_request), 0);
    settings.proxy = server.url;
    assert_int_equal(tw__loop_new(&loop, NULL, &settings, TW_LOOP_BY_HAND, NULL), TW_OK);
    req = request_of("http://far.example.invalid/p");
    start(&sn, &req);
    finish(&sn);
    assert_int_equal(sn.code, TW_OK);
    assert_non_null(strstr(last_head, "GET http://far.example.invalid/p HTTP/1.1\r\n"));
    forget(&sn);
    exchange(&sn, "/direct", TW_TRANSFER_LOCAL); /* loopback goes past it */
    assert_non_null(strstr(last_head, "GET /direct HTTP/1.1\r\n"));
    forget(&sn);
    end();
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(fresh_connections_are_used_once),
        cmocka_unit_test(a_dead_kept_connection_is_replaced),
        cmocka_unit_test(a_fresh_request_is_seen_once),
        cmocka_unit_test(large_posts_go_out_at_once_and_whole),
        cmocka_unit_test(methods_and_paths_are_sent_as_they_are),
        cmocka_unit_test(redirects_are_shown_not_followed),
        cmocka_unit_test(broken_answers_are_errors),
        cmocka_unit_test(a_nul_in_a_header_is_refused),
        cmocka_unit_test(endless_headers_are_refused),
        cmocka_unit_test(interim_answers_are_passed_over),
        cmocka_unit_test(trailers_and_chunks_are_read),
        cmocka_unit_test(content_encoding_is_not_undone),
        cmocka_unit_test(nobody_there_means_nothing_was_sent),
        cmocka_unit_test(silence_ends_at_the_timeout),
        cmocka_unit_test(a_stalled_download_is_given_up),
        cmocka_unit_test(closing_does_not_wait_for_a_silent_server),
        cmocka_unit_test(a_paused_stream_waits_and_goes_on),
        cmocka_unit_test(a_resume_before_the_pause_counts),
        cmocka_unit_test(the_receiver_can_abort),
        cmocka_unit_test(cancelling_within_a_callback_is_safe),
        cmocka_unit_test(starting_within_a_callback_is_safe),
        cmocka_unit_test(many_at_once_all_end),
        cmocka_unit_test(private_addresses_are_refused_on_connecting),
        cmocka_unit_test(other_protocols_are_refused),
        cmocka_unit_test(https_without_certificates_is_refused),
        cmocka_unit_test(plain_text_on_a_tls_port_is_an_error),
        cmocka_unit_test(the_proxy_is_ours_not_the_environments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
