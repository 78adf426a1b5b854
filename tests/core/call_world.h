/* SPDX-License-Identifier: MIT */
/* The world of the call tests: a gate over a scripted transport, and what a call's owner saw. */
#ifndef TW_TEST_CALL_WORLD_H
#define TW_TEST_CALL_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gate/gate.h"
#include "support/fake_time.h"
#include "support/oom.h"
#include "support/script_transport.h"

#define API_KEY "emuapikey0123456"
#define SECRET "emusecretkey9876"
#define BASIC "ZW11YXBpa2V5MDEyMzQ1NjplbXVzZWNyZXRrZXk5ODc2"

/* What a call's owner saw. */
typedef struct seen {
    tw_call *slot;
    int heads, dones;
    int stream;    /* what head() says: TW_OK, TW_DONE or an error */
    int data_code; /* what data() says */
    int cancel_in; /* 1: cancel inside head(), 2: inside data() */
    char data[256];
    int code, status, http;
    tw_stored stored;
    int retriable;
    int64_t retry_after;
    char message[512];
    char body[256];
    size_t body_size;
    char location[256];
    char encoding[64];
    unsigned attempts;
} seen;

static script sc;
static tw_loop *loop;
static tw_gate *gate;

static inline int on_head(void *ctx, const tw_head *head)
{
    seen *sn = ctx;

    sn->heads++;
    snprintf(sn->encoding, sizeof sn->encoding, "%s", head->content_encoding);
    if (sn->cancel_in == 1)
        tw__call_cancel(sn->slot);
    return sn->stream;
}

static inline int on_data(void *ctx, const char *bytes, size_t size)
{
    seen *sn = ctx;

    if (sn->cancel_in == 2) {
        tw__call_cancel(sn->slot);
        return TW_E_CANCELED;
    }
    if (sn->data_code == TW_OK)
        strncat(sn->data, bytes, size);
    return sn->data_code;
}

static inline void on_done(void *ctx, const tw_outcome *outcome)
{
    seen *sn = ctx;

    assert_null(sn->slot);
    sn->dones++;
    sn->code = tw_error_code(outcome->err);
    sn->http = tw_error_http_status(outcome->err);
    sn->retriable = tw_error_retriable(outcome->err);
    sn->retry_after = tw_error_retry_after_ms(outcome->err);
    snprintf(sn->message, sizeof sn->message, "%s", tw_error_message(outcome->err));
    sn->status = outcome->head.status;
    sn->stored = outcome->stored;
    if (outcome->err != NULL && sn->code != TW_E_NOMEM)
        assert_int_equal(tw_error_stored(outcome->err), outcome->stored);
    snprintf(sn->body, sizeof sn->body, "%.*s", (int)(outcome->body_size % 256),
             outcome->body);
    sn->body_size = outcome->body_size;
    snprintf(sn->location, sizeof sn->location, "%s", outcome->head.location);
    sn->attempts = outcome->attempts;
}

static const tw_call_sink sink = {on_head, on_data, on_done};

static inline void make(const char *base, const char *profile)
{
    tw_gate_settings settings;
    int i;

    script_init(&sc);
    assert_int_equal(tw__loop_new(&loop, &sc.transport, NULL, TW_LOOP_BY_HAND, NULL),
                     TW_OK);
    memset(&settings, 0, sizeof settings);
    for (i = 0; i < TW_HOST_COUNT; i++)
        settings.base[i] = base;
    settings.base[TW_HOST_PROFILE] = profile;
    settings.api_key = API_KEY;
    settings.secret_key = SECRET;
    settings.user_agent = "tidewheel/test";
    settings.region = profile != NULL ? "us" : "eu";
    settings.connect_timeout_ms = 5000;
    settings.timeout_ms = 30000;
    settings.dash_timeout_ms = 90000;
    settings.max_query_cost = 1000;
    assert_int_equal(tw__gate_new(&gate, loop, &settings, NULL), TW_OK);
}

static inline void unmake(void)
{
    tw__loop_close(loop);
    tw__gate_free(gate);
    tw__loop_unref(loop);
    script_clear(&sc);
}

static inline int setup(void **state)
{
    (void)state;
    fake_time_begin();
    make("https://api.example", "https://api.example");
    return 0;
}

static inline int setup_local(void **state)
{
    (void)state;
    fake_time_begin();
    make("http://127.0.0.1:8080", "http://127.0.0.1:8080");
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    unmake();
    fake_time_end();
    return 0;
}

static inline tw_call_spec spec_of(tw_endpoint_id id)
{
    tw_call_spec spec;

    memset(&spec, 0, sizeof spec);
    spec.endpoint = id;
    return spec;
}

static inline void start(seen *sn, const tw_call_spec *spec)
{
    memset(sn, 0, sizeof *sn);
    assert_int_equal(tw__call_start(&sn->slot, gate, spec, &sink, sn, NULL), TW_OK);
    assert_non_null(sn->slot);
}

static inline int has_header(int index, const char *line)
{
    char text[512];

    snprintf(text, sizeof text, "%s\n", line);
    return strstr(sc.requests[index].headers, text) != NULL;
}

/* Nothing may reach the wire, and no secret the message. */
static inline void refuse(const tw_call_spec *spec, int code, const char *text)
{
    tw_error *err = NULL;
    tw_call *slot = NULL;
    int before = sc.count;

    assert_int_equal(tw__call_start(&slot, gate, spec, &sink, NULL, &err), code);
    print_message("%s\n", tw_error_message(err));
    assert_non_null(strstr(tw_error_message(err), text));
    assert_null(strstr(tw_error_message(err), SECRET));
    assert_null(slot);
    assert_int_equal(sc.count, before); /* nothing reached the wire */
    tw_error_free(err);
    assert_int_equal(tw__call_check(gate, spec, NULL), code);
}

/* Lets time pass and turns the loop. */
static inline void turn(int64_t ms)
{
    fake_time_pass(ms);
    tw__loop_turn(loop, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
