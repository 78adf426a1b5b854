/* SPDX-License-Identifier: MIT */
/* The world of the transport's tests: a socket server and a loop turned by hand. */
#ifndef TW_TEST_TRANSFER_WORLD_H
#define TW_TEST_TRANSFER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidewheel/error.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/curl_transport.h"
#include "net/loop.h"
#include "support/http_server.h"

typedef struct seen {
    int heads, dones;
    int status;
    int64_t length;
    int open_ended;
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

static inline int on_head(void *ctx, const tw_transfer_head *head)
{
    seen *sn = ctx;

    sn->heads++;
    sn->status = head->status;
    sn->length = head->content_length;
    sn->open_ended = head->open_ended;
    snprintf(sn->location, sizeof sn->location, "%s", head->location);
    snprintf(sn->type, sizeof sn->type, "%s", head->content_type);
    return sn->head_code;
}

static inline int on_data(void *ctx, const char *bytes, size_t size)
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

static inline void on_done(void *ctx, const tw_transfer_end *end)
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

static inline void begin_with(http_handler handler, const tw_transport_settings *settings)
{
    assert_int_equal(http_server_start(&server, handler), 0);
    assert_int_equal(tw__loop_new(&loop, NULL, settings, TW_LOOP_BY_HAND, NULL), TW_OK);
}

static inline void begin(http_handler handler)
{
    begin_with(handler, &plain);
}

static inline void end(void)
{
    tw__loop_close(loop);
    tw__loop_unref(loop);
    http_server_stop(&server);
}

static inline tw_transfer_request request_of(const char *url)
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

static inline void start(seen *sn, const tw_transfer_request *req)
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

static inline void finish(seen *sn)
{
    int64_t until = tw__monotonic_ms() + 30000;

    while (sn->dones == 0) {
        assert_true(tw__monotonic_ms() < until);
        tw__loop_turn(loop, 1000);
    }
    assert_int_equal(sn->dones, 1);
    atomic_fetch_add(&server.requests, 0);
}

static inline void forget(seen *sn)
{
    tw__buf_clear(&sn->body);
}

/* A whole exchange; the caller forgets. */
static inline void exchange(seen *sn, const char *path, unsigned flags)
{
    char url[256];
    tw_transfer_request req;

    snprintf(url, sizeof url, "%s%s", server.url, path);
    req = request_of(url);
    req.flags = flags | TW_TRANSFER_LOCAL;
    start(sn, &req);
    finish(sn);
}

static inline int body_is(const seen *sn, const char *text)
{
    return sn->body.size == strlen(text) &&
           memcmp(sn->body.data, text, sn->body.size) == 0;
}

static inline http_then answer_ok(const http_request *req)
{
    return http_answer(req, "200 OK", "{}");
}

static char last_head[8192];
static size_t last_body;
static int last_sum;

static inline http_then note_request(const http_request *req)
{
    size_t i;

    snprintf(last_head, sizeof last_head, "%s", req->head);
    last_body = req->body_size;
    for (last_sum = 0, i = 0; i < req->body_size; i++)
        last_sum = (last_sum * 31 + (unsigned char)req->body[i]) & 0xFFFFFF;
    return http_answer(req, "200 OK", "{}");
}

#endif
