/* SPDX-License-Identifier: MIT */
/* Calls through a scripted transport: requests, outcomes, retries, redirects, links. */
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

static int on_head(void *ctx, const tw_head *head)
{
    seen *sn = ctx;

    sn->heads++;
    snprintf(sn->encoding, sizeof sn->encoding, "%s", head->content_encoding);
    if (sn->cancel_in == 1)
        tw__call_cancel(sn->slot);
    return sn->stream;
}

static int on_data(void *ctx, const char *bytes, size_t size)
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

static void on_done(void *ctx, const tw_outcome *outcome)
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

static void make(const char *base, const char *profile)
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
    assert_int_equal(tw__gate_new(&gate, loop, &settings, NULL), TW_OK);
}

static void unmake(void)
{
    tw__loop_close(loop);
    tw__gate_free(gate);
    tw__loop_unref(loop);
    script_clear(&sc);
}

static int setup(void **state)
{
    (void)state;
    fake_time_begin();
    make("https://api.example", "https://api.example");
    return 0;
}

static int setup_local(void **state)
{
    (void)state;
    fake_time_begin();
    make("http://127.0.0.1:8080", "http://127.0.0.1:8080");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unmake();
    fake_time_end();
    return 0;
}

static tw_call_spec spec_of(tw_endpoint_id id)
{
    tw_call_spec spec;

    memset(&spec, 0, sizeof spec);
    spec.endpoint = id;
    return spec;
}

static void start(seen *sn, const tw_call_spec *spec)
{
    memset(sn, 0, sizeof *sn);
    assert_int_equal(tw__call_start(&sn->slot, gate, spec, &sink, sn, NULL), TW_OK);
    assert_non_null(sn->slot);
}

static int has_header(int index, const char *line)
{
    char text[512];

    snprintf(text, sizeof text, "%s\n", line);
    return strstr(sc.requests[index].headers, text) != NULL;
}

/* ---- requests --------------------------------------------------------------------------- */

static void each_scheme_sends_its_credential_only(void **state)
{
    seen a, b, c;
    tw_call_spec spec = spec_of(TW_EP_HTTPAPI);

    (void)state;
    spec.content_type = "application/json";
    spec.content_encoding = "gzip";
    spec.body = "{}";
    spec.body_size = 2;
    start(&a, &spec);
    assert_string_equal(sc.requests[0].method, "POST");
    assert_string_equal(sc.requests[0].url, "https://api.example/2/httpapi");
    assert_ptr_equal(sc.requests[0].body, spec.body);
    assert_null(strstr(sc.requests[0].headers, "Authorization"));
    assert_true(has_header(0, "User-Agent: tidewheel/test"));
    assert_true(has_header(0, "Content-Type: application/json"));
    assert_true(has_header(0, "Content-Encoding: gzip"));
    assert_int_equal(sc.requests[0].timeout_ms, 30000);

    spec = spec_of(TW_EP_COHORTS_LIST);
    start(&b, &spec);
    assert_string_equal(sc.requests[1].method, "GET");
    assert_true(has_header(1, "Authorization: Basic " BASIC));
    assert_null(strstr(sc.requests[1].headers, "Content-"));
    assert_int_equal(sc.requests[1].timeout_ms, 90000);
    assert_int_equal(sc.requests[1].stall_ms, -1);

    spec = spec_of(TW_EP_USERPROFILE);
    start(&c, &spec);
    assert_true(has_header(2, "Authorization: Api-Key " SECRET));

    script_answer(&sc, 0, 200, "{\"code\":200}");
    script_answer(&sc, 1, 200, "{}");
    script_answer(&sc, 2, 200, "{}");
    assert_int_equal(a.dones + b.dones + c.dones, 3);
    assert_int_equal(a.code, TW_OK);
    assert_string_equal(a.body, "{\"code\":200}");
    assert_int_equal(a.stored, TW_STORED_YES);
    assert_int_equal(a.status, 200);
}

static void paths_and_queries_go_to_the_intended_place(void **state)
{
    const char *values[] = {"a/../b ?#%\xC3\xA9", NULL};
    seen sn;
    tw_call_spec spec = spec_of(TW_EP_TAXONOMY_EVENT_UPDATE);

    (void)state;
    spec.path_values = values;
    spec.query = "x=%2F&y=1";
    spec.body = "";
    start(&sn, &spec);
    assert_string_equal(sc.requests[0].method, "PUT");
    assert_string_equal(sc.requests[0].url, "https://api.example/api/2/taxonomy/event/"
                                            "a%2F..%2Fb%20%3F%23%25%C3%A9?x=%2F&y=1");
    tw__call_cancel(sn.slot);
}

static void refuse(const tw_call_spec *spec, int code, const char *text)
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

static void bad_calls_are_refused_before_the_wire(void **state)
{
    static const char *const bad[] = {"", ".", ".."};
    const char *values[] = {NULL, NULL, NULL};
    tw_call_spec spec = spec_of(TW_EP_TAXONOMY_EVENT_UPDATE);
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        values[0] = bad[i];
        spec.path_values = values;
        refuse(&spec, TW_E_VALIDATION, "cannot be sent");
    }
    spec.path_values = NULL;
    refuse(&spec, TW_E_INVALID, "more values");
    values[0] = values[1] = "x";
    spec.path_values = values;
    refuse(&spec, TW_E_INVALID, "takes 1 values");
    values[1] = NULL;
    spec.query = "a=b c";
    refuse(&spec, TW_E_VALIDATION, "percent-encoded");
    spec.query = "a=b#c";
    refuse(&spec, TW_E_VALIDATION, "percent-encoded");
    spec.query = NULL;
    spec.content_type = "text/plain\r\nX-Evil: 1";
    refuse(&spec, TW_E_VALIDATION, "control characters");
    spec = spec_of(TW_EP_HTTPAPI);
    spec.body = "x";
    spec.body_size = 1024 * 1024 + 1;
    refuse(&spec, TW_E_TOO_LARGE, "1048576 are allowed");
    spec = spec_of(TW_EP_MCP);
    refuse(&spec, TW_E_INVALID, "OAuth");
    spec = spec_of(TW_EP_COUNT);
    refuse(&spec, TW_E_INVALID, "no endpoint");
}

static void profile_in_eu_and_missing_secret_are_refused(void **state)
{
    tw_gate_settings settings;
    tw_call_spec spec = spec_of(TW_EP_USERPROFILE);
    tw_gate *full = gate;
    int i;

    (void)state;
    memset(&settings, 0, sizeof settings);
    for (i = 0; i < TW_HOST_COUNT; i++)
        settings.base[i] = i == TW_HOST_PROFILE ? NULL : "https://eu.example";
    settings.api_key = API_KEY;
    settings.secret_key = "";
    settings.user_agent = "x";
    settings.region = "eu";
    assert_int_equal(tw__gate_new(&gate, loop, &settings, NULL), TW_OK);
    refuse(&spec, TW_E_CONFIG, "no host in region \"eu\"");
    spec = spec_of(TW_EP_EXPORT);
    refuse(&spec, TW_E_CONFIG, "secret_key");
    assert_int_equal(tw__gate_allows(gate, TW_EP_HTTPAPI, NULL), TW_OK);
    tw__gate_free(gate);
    gate = full;
}

static void unsafe_calls_get_a_fresh_connection(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < TW_EP_COUNT; i++) {
        const char *values[] = {"v", NULL};
        const tw_endpoint *row = tw__endpoint((tw_endpoint_id)i);
        tw_call_spec spec = spec_of((tw_endpoint_id)i);
        seen sn;

        if (row->auth == TW_AUTH_BEARER)
            continue;
        if (strchr(row->path, '{') != NULL)
            spec.path_values = values;
        start(&sn, &spec);
        assert_int_equal(sc.requests[sc.count - 1].flags & TW_TRANSFER_FRESH,
                         row->repeat == TW_REPEAT_SAFE ? 0 : TW_TRANSFER_FRESH);
        tw__call_cancel(sn.slot);
        if (row->repeat == TW_REPEAT_SAFE)
            continue;
        spec.flags = TW_CALL_REPEATABLE;
        start(&sn, &spec);
        assert_int_equal(sc.requests[sc.count - 1].flags & TW_TRANSFER_FRESH, 0);
        tw__call_cancel(sn.slot);
    }
}

/* ---- error answers ------------------------------------------------------------------------ */

static void every_envelope_becomes_one_line(void **state)
{
    static const struct {
        int status;
        const char *body, *text;
        int code;
    } rows[] = {
        {400,
         "{\"code\":400,\"error\":\"Request missing required field\",\"missing_field\":"
         "\"api_key\"}",
         "Request missing required field (api_key)", TW_E_HTTP},
        {400, "{\"code\":400,\"error\":\"Invalid API key: " API_KEY "\"}",
         "Invalid API key: ...3456", TW_E_HTTP},
        {400, "invalid_api_key", "invalid_api_key", TW_E_HTTP},
        {403,
         "{\"error\":{\"http_code\":403,\"type\":\"unspecified\",\"message\":\"Unspecified "
         "Error\",\"metadata\":{\"details\":\"Invalid API Key\"}}}",
         ": Invalid API Key", TW_E_AUTH},
        {400,
         "{\"error\":{\"http_code\":400,\"type\":\"invalid\",\"message\":\"Invalid chart "
         "definition\",\"metadata\":{\"details\":\"no event\"}}}",
         "Invalid chart definition: no event", TW_E_HTTP},
        {409, "{\"success\":false,\"errors\":[{\"message\":\"Already exists\"}]}",
         ": Already exists", TW_E_HTTP},
        {401, "{\"error\":\"Unauthorized " SECRET "\"}", "Unauthorized ***", TW_E_AUTH},
        {403, "<html><body>Request blocked</body></html>", "an HTML page", TW_E_AUTH},
        {404, "", "status 404", TW_E_HTTP},
        {418, "[1,2]", "status 418", TW_E_HTTP},
        {400, "  line one\nline two \n", "line one line two", TW_E_HTTP},
        {400, "echo " BASIC, "echo ***", TW_E_HTTP},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
        seen sn;

        start(&sn, &spec);
        script_answer(&sc, (int)i, rows[i].status, rows[i].body);
        print_message("%s\n", sn.message);
        assert_int_equal(sn.dones, 1);
        assert_int_equal(sn.code, rows[i].code);
        assert_int_equal(sn.http, rows[i].status);
        assert_non_null(strstr(sn.message, rows[i].text));
        assert_non_null(strstr(sn.message, "cohorts.list: api.example answered"));
        assert_null(strchr(sn.message, '\n'));
        assert_null(strstr(sn.message, API_KEY));
        assert_null(strstr(sn.message, SECRET));
        assert_null(strstr(sn.message, BASIC));
        assert_string_equal(sn.body, rows[i].body); /* kept raw for the areas */
        assert_int_equal(sn.heads, 0);
        assert_int_equal(sn.stored, TW_STORED_NO);
    }
}

static void redirects_are_never_followed(void **state)
{
    static const int statuses[] = {301, 302, 303, 307, 308};
    size_t i;

    (void)state;
    for (i = 0; i < 5; i++) {
        tw_call_spec spec = spec_of(TW_EP_HTTPAPI);
        seen sn;

        spec.body = "{}";
        spec.body_size = 2;
        start(&sn, &spec);
        script_head(&sc, (int)i, statuses[i], "text/html", NULL,
                    "https://evil.example:444/x?signature=verysecret");
        script_end(&sc, (int)i);
        assert_int_equal(sn.code, TW_E_PROTOCOL);
        assert_int_equal(sn.http, statuses[i]);
        assert_int_equal(sn.stored, TW_STORED_MAYBE);
        assert_non_null(strstr(sn.message, "evil.example"));
        assert_null(strstr(sn.message, "verysecret"));
        assert_int_equal(sc.count, (int)i + 1);
        assert_int_equal(sn.heads, 0);
    }
}

static void a_shown_redirect_is_a_success(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORT_FILE);
    const char *values[] = {"r1", NULL};
    seen sn;

    (void)state;
    spec.path_values = values;
    spec.flags = TW_CALL_SHOW_REDIRECT;
    start(&sn, &spec);
    script_head(&sc, 0, 302, "text/html", NULL, "https://s3.example/f?sig=1");
    script_end(&sc, 0);
    assert_int_equal(sn.code, TW_OK);
    assert_int_equal(sn.heads, 1);
    assert_int_equal(sn.status, 302);
    assert_string_equal(sn.location, "https://s3.example/f?sig=1");
}

static void large_answers_are_cut(void **state)
{
    static char chunk[65536];
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    seen sn;
    int i, rc = TW_OK;

    (void)state;
    memset(chunk, 'x', sizeof chunk - 1);
    start(&sn, &spec);
    script_head(&sc, 0, 400, "text/plain", NULL, NULL);
    assert_int_equal(script_data(&sc, 0, chunk), TW_OK);
    assert_int_equal(script_data(&sc, 0, chunk), TW_E_TOO_LARGE);
    script_fail(&sc, 0, TW_E_TOO_LARGE, 1, 1, "");
    assert_int_equal(sn.code, TW_E_HTTP); /* the status counts */
    assert_int_equal(sn.body_size, 65536);
    assert_true(strlen(sn.message) < 400);

    spec = spec_of(TW_EP_HTTPAPI); /* 1 MiB here */
    start(&sn, &spec);
    script_head(&sc, 1, 200, "application/json", NULL, NULL);
    for (i = 0; i < 17 && rc == TW_OK; i++)
        rc = script_data(&sc, 1, chunk);
    assert_int_equal(rc, TW_E_TOO_LARGE);
    assert_int_equal(i, 17);
    script_fail(&sc, 1, TW_E_TOO_LARGE, 1, 1, "");
    assert_int_equal(sn.code, TW_E_PROTOCOL);
    assert_non_null(strstr(sn.message, "longer than 1048576 bytes"));
}

/* ---- retries ------------------------------------------------------------------------------ */

static void turn(int64_t ms)
{
    fake_time_pass(ms);
    tw__loop_turn(loop, 0);
}

static void safe_calls_try_three_times(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    seen sn;

    (void)state;
    start(&sn, &spec);
    fake_random_byte(0x7F);
    script_answer(&sc, 0, 503, "{}");
    assert_int_equal(sn.dones, 0);
    assert_int_equal(sc.count, 1); /* it waits */
    turn(0);
    assert_int_equal(sc.count, 1);
    turn(500);
    assert_int_equal(sc.count, 2);
    assert_string_equal(sc.requests[1].url, sc.requests[0].url);
    assert_string_equal(sc.requests[1].headers, sc.requests[0].headers);
    script_fail(&sc, 1, TW_E_NETWORK, 1, 0, "reset");
    turn(1000);
    assert_int_equal(sc.count, 3);
    script_answer(&sc, 2, 502, "{}");
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.attempts, 3);
    assert_int_equal(sn.code, TW_E_SERVER);
    assert_int_equal(sn.retriable, 1);
}

static void success_after_a_retry_is_success(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    seen sn;

    (void)state;
    start(&sn, &spec);
    script_answer(&sc, 0, 500, "{\"error\":\"half a lie\"}");
    turn(500);
    script_answer(&sc, 1, 200, "{\"cohorts\":[]}");
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.code, TW_OK);
    assert_string_equal(sn.body, "{\"cohorts\":[]}");
    assert_int_equal(sn.stored, TW_STORED_YES);
}

static void retry_after_is_waited_for(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    seen sn;

    (void)state;
    start(&sn, &spec);
    script_head(&sc, 0, 429, "application/json", "7", NULL);
    script_end(&sc, 0);
    turn(6999);
    assert_int_equal(sc.count, 1);
    turn(1);
    assert_int_equal(sc.count, 2);
    script_head(&sc, 1, 429, "application/json", "86400", NULL); /* clamped to a minute */
    script_end(&sc, 1);
    turn(59999);
    assert_int_equal(sc.count, 2);
    turn(1);
    script_head(&sc, 2, 429, "application/json", "3", NULL);
    script_end(&sc, 2);
    assert_int_equal(sn.code, TW_E_RATE_LIMITED);
    assert_int_equal(sn.retry_after, 3000);
    assert_int_equal(sn.stored, TW_STORED_NO);
}

static void ingestion_may_be_told_to_wait_five_minutes(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_HTTPAPI);
    seen sn;

    (void)state;
    spec.flags = TW_CALL_ONCE;
    start(&sn, &spec);
    script_head(&sc, 0, 503, "text/html", "86400", NULL);
    script_end(&sc, 0);
    assert_int_equal(sn.dones, 1); /* one attempt */
    assert_int_equal(sn.retry_after, 300000);
}

/* A call that may not be repeated goes again only when it certainly did nothing. */
static void unsafe_calls_repeat_only_after_no(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORT_UPLOAD);
    seen sn;

    (void)state;
    start(&sn, &spec);
    script_fail(&sc, 0, TW_E_NETWORK, 0, 0, "refused");
    turn(500);
    assert_int_equal(sc.count, 2);
    script_answer(&sc, 1, 503, "");
    turn(1000);
    assert_int_equal(sc.count, 3);
    script_fail(&sc, 2, TW_E_NETWORK, 1, 0, "reset");
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.stored, TW_STORED_MAYBE);

    start(&sn, &spec);
    script_answer(&sc, 3, 500, "");
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.stored, TW_STORED_MAYBE);
    assert_int_equal(sc.count, 4);
}

/* Once "maybe", the outcome of a later attempt that did nothing does not make it "no". */
static void maybe_is_remembered(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORT_MEMBERSHIP);
    seen sn;

    (void)state;
    start(&sn, &spec);
    script_fail(&sc, 0, TW_E_TIMEOUT, 1, 0, "timed out");
    turn(500);
    script_answer(&sc, 1, 400, "{\"error\":\"bad\"}");
    assert_int_equal(sn.code, TW_E_HTTP);
    assert_int_equal(sn.stored, TW_STORED_MAYBE);
}

static void certificates_are_not_tried_again(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    seen sn;

    (void)state;
    start(&sn, &spec);
    script_fail(&sc, 0, TW_E_NETWORK, 0, 1, "certificate has expired");
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.code, TW_E_NETWORK);
    assert_int_equal(sn.retriable, 0);
    assert_int_equal(sn.stored, TW_STORED_NO);
    assert_non_null(strstr(sn.message, "certificate has expired"));
}

/* An outage: the quota pays for 100 extra requests and no more. */
static void an_outage_is_not_made_worse(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    int calls, requests = 0;

    (void)state;
    for (calls = 0; calls < 1000; calls++) {
        seen sn;

        script_clear(&sc);
        sc.count = 0;
        start(&sn, &spec);
        while (sn.dones == 0) {
            script_answer(&sc, sc.count - 1, 503, "");
            requests++;
            turn(10000);
        }
    }
    assert_int_equal(requests, 1100);
}

/* ---- streams and cancellation ---------------------------------------------------------------- */

static void streams_pause_and_resume(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_EXPORT);
    seen sn;

    (void)state;
    spec.timeout_ms = -1;
    start(&sn, &spec);
    assert_int_equal(sc.requests[0].timeout_ms, -1);
    assert_true(sc.requests[0].stall_ms > 0);
    sn.stream = TW_DONE;
    script_head(&sc, 0, 200, "application/zip", NULL, NULL);
    assert_int_equal(script_data(&sc, 0, "one "), TW_OK);
    sn.data_code = TW_AGAIN;
    assert_int_equal(script_data(&sc, 0, "two"), TW_AGAIN);
    sn.data_code = TW_OK;
    tw__call_resume(sn.slot);
    assert_int_equal(sc.requests[0].resumed, 1);
    assert_int_equal(script_data(&sc, 0, "two"), TW_OK);
    script_end(&sc, 0);
    assert_int_equal(sn.code, TW_OK);
    assert_string_equal(sn.data, "one two");
    assert_int_equal(sn.body_size, 0);
}

/* Bytes that were handed out cannot be taken back: no second attempt. */
static void a_broken_stream_is_not_tried_again(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_EXPORT);
    seen sn;

    (void)state;
    start(&sn, &spec);
    sn.stream = TW_DONE;
    script_head(&sc, 0, 200, "application/zip", NULL, NULL);
    script_data(&sc, 0, "PK");
    script_fail(&sc, 0, TW_E_NETWORK, 1, 0, "closed early");
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.code, TW_E_NETWORK);
    assert_int_equal(sc.count, 1);
}

static void the_receiver_may_abort(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_EXPORT);
    seen sn;

    (void)state;
    start(&sn, &spec);
    sn.stream = TW_DONE;
    sn.data_code = TW_E_PROTOCOL;
    script_head(&sc, 0, 200, "application/zip", NULL, NULL);
    assert_int_equal(script_data(&sc, 0, "not a zip"), TW_E_PROTOCOL);
    script_fail(&sc, 0, TW_E_PROTOCOL, 1, 1, "");
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.code, TW_E_PROTOCOL);

    start(&sn, &spec);
    sn.stream = TW_E_VALIDATION;
    assert_int_equal(script_head(&sc, 1, 200, "", NULL, NULL), TW_E_VALIDATION);
    script_fail(&sc, 1, TW_E_VALIDATION, 1, 1, "");
    assert_int_equal(sn.code, TW_E_VALIDATION);
}

static void cancel_reports_once_and_at_once(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    seen sn;

    (void)state;
    start(&sn, &spec); /* on the wire */
    tw__call_cancel(sn.slot);
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.code, TW_E_CANCELED);
    assert_int_equal(sn.stored, TW_STORED_MAYBE);
    assert_int_equal(sc.requests[0].canceled, 1);

    start(&sn, &spec); /* waiting for its second attempt */
    script_fail(&sc, 1, TW_E_NETWORK, 0, 0, "refused");
    tw__call_cancel(sn.slot);
    assert_int_equal(sn.code, TW_E_CANCELED);
    assert_int_equal(sn.stored, TW_STORED_NO);
    turn(100000);
    assert_int_equal(sc.count, 2);
    assert_int_equal(sn.dones, 1);
}

static void cancel_from_within_a_callback(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_EXPORT);
    seen sn;

    (void)state;
    start(&sn, &spec);
    sn.cancel_in = 1;
    assert_true(script_head(&sc, 0, 200, "", NULL, NULL) < 0);
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sc.requests[0].canceled, 1);

    start(&sn, &spec);
    sn.stream = TW_DONE;
    sn.cancel_in = 2;
    script_head(&sc, 1, 200, "", NULL, NULL);
    assert_true(script_data(&sc, 1, "x") < 0);
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.code, TW_E_CANCELED);
}

static void a_start_that_fails_reports_nothing(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    tw_error *err = NULL;
    seen sn;

    (void)state;
    memset(&sn, 0, sizeof sn);
    sc.start_code = TW_E_NETWORK;
    assert_int_equal(tw__call_start(&sn.slot, gate, &spec, &sink, &sn, &err),
                     TW_E_NETWORK);
    assert_non_null(strstr(tw_error_message(err), "refused to start"));
    assert_int_equal(sn.dones, 0);
    assert_null(sn.slot);
    tw_error_free(err);

    sc.start_code = TW_OK; /* ... but the second attempt's failure is the outcome */
    start(&sn, &spec);
    script_answer(&sc, 0, 503, "");
    sc.start_code = TW_E_NETWORK;
    turn(500);
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.code, TW_E_NETWORK);
}

/* ---- links of the server ------------------------------------------------------------------ */

static void foreign_calls_carry_no_credential(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORT_FILE);
    seen sn;

    (void)state;
    spec.flags = TW_CALL_FOREIGN;
    spec.url = "https://s3.example/cohort.csv?X-Amz-Signature=abc";
    start(&sn, &spec);
    assert_string_equal(sc.requests[0].url, spec.url);
    assert_string_equal(sc.requests[0].method, "GET");
    assert_string_equal(sc.requests[0].headers, "User-Agent: tidewheel/test\n");
    assert_int_equal(sc.requests[0].flags & TW_TRANSFER_PUBLIC, TW_TRANSFER_PUBLIC);
    script_answer(&sc, 0, 403, "<Error>X-Amz-Signature=abc</Error>");
    assert_int_equal(sn.code, TW_E_AUTH);
    assert_null(strstr(sn.message, "abc"));
    assert_null(strstr(sn.message, "s3.example/"));
}

static void links_into_the_private_network_are_refused(void **state)
{
    static const char *const links[] = {"http://s3.example/x",
                                        "//s3.example/x",
                                        "/x",
                                        "file:///etc/passwd",
                                        "ftp://s3.example/",
                                        "https://u:p@s3.example/",
                                        "https://127.0.0.1/",
                                        "https://10.0.0.8/",
                                        "https://192.168.1.1/",
                                        "https://172.20.0.1/",
                                        "https://169.254.169.254/latest/meta-data/",
                                        "https://[::1]/",
                                        "https://[fe80::1]/",
                                        "https://[::ffff:10.0.0.1]/",
                                        "https://localhost/",
                                        "https://x.localhost/",
                                        "https://0.0.0.0/",
                                        "https://2130706433/",
                                        "https://0x7f.1/",
                                        "https://127.1/",
                                        "https://s3.example/\r\nX: y",
                                        "https://s3.example/#f",
                                        "",
                                        "https://"};
    tw_call_spec spec = spec_of(TW_EP_COHORT_FILE);
    size_t i;

    (void)state;
    spec.flags = TW_CALL_FOREIGN;
    for (i = 0; i < sizeof links / sizeof *links; i++) {
        print_message("%s: ", links[i]);
        spec.url = links[i];
        refuse(&spec, TW_E_PROTOCOL, "a link of the server was refused");
    }
    spec.url = NULL;
    refuse(&spec, TW_E_INVALID, "foreign call");
    spec.url = "https://s3.example/x";
    spec.body = "x";
    refuse(&spec, TW_E_INVALID, "foreign call");
}

static void an_emulator_may_link_to_loopback(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORT_FILE);
    seen sn;

    (void)state;
    spec.flags = TW_CALL_FOREIGN;
    spec.url = "http://127.0.0.1:9090/f?token=1";
    start(&sn, &spec);
    assert_int_equal(sc.requests[0].flags, TW_TRANSFER_LOCAL);
    assert_null(strstr(sc.requests[0].headers, "Authorization"));
    tw__call_cancel(sn.slot);
    spec.url = "http://s3.example/";
    refuse(&spec, TW_E_PROTOCOL, "https://");
}

/* ---- calls as jobs, memory ------------------------------------------------------------------ */

static void a_call_job_copies_what_it_is_given(void **state)
{
    char value[] = "chart1", body[] = "payload", type[] = "text/csv";
    const char *values[] = {value, NULL};
    tw_call_spec spec = spec_of(TW_EP_CHART_CSV);
    const tw_reply *rsp;
    size_t size;
    tw_job *job;

    (void)state;
    spec.path_values = values;
    spec.content_type = type;
    spec.body = body;
    spec.body_size = 7;
    assert_int_equal(tw__call_job_start(&job, gate, &spec, NULL, NULL), TW_OK);
    memset(value, '-', sizeof value - 1);
    memset(body, '-', sizeof body - 1);
    memset(type, '-', sizeof type - 1);
    tw__loop_turn(loop, 0);
    assert_string_equal(sc.requests[0].url, "https://api.example/api/3/chart/chart1/csv");
    assert_memory_equal(sc.requests[0].body, "payload", 7);
    assert_true(has_header(0, "Content-Type: text/csv"));
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_AGAIN);
    script_answer(&sc, 0, 200, "{\"data\":\"\"}");
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_OK);
    assert_int_equal(tw_reply_status(rsp), 200);
    assert_string_equal(tw_reply_body(rsp, &size), "{\"data\":\"\"}");
    assert_int_equal(size, 11);
    tw_job_unref(job);
}

static void a_cancelled_call_job_leaves_the_wire(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    const tw_reply *rsp;
    tw_error *err = NULL;
    tw_job *job;

    (void)state;
    assert_int_equal(tw__call_job_start(&job, gate, &spec, NULL, NULL), TW_OK);
    tw__loop_turn(loop, 0);
    tw_job_cancel(job);
    assert_int_equal(sc.requests[0].canceled, 0); /* another thread does that */
    tw__loop_turn(loop, 0);
    assert_int_equal(sc.requests[0].canceled, 1);
    assert_int_equal(tw_job_result(&rsp, job, &err), TW_E_CANCELED);
    tw_error_free(err);
    tw_job_unref(job);
    /* The last reference cancels as well. */
    assert_int_equal(tw__call_job_start(&job, gate, &spec, NULL, NULL), TW_OK);
    tw__loop_turn(loop, 0);
    tw_job_unref(job);
    tw__loop_turn(loop, 0);
    assert_int_equal(sc.requests[1].canceled, 1);
}

static void no_memory_is_an_outcome(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    long n, held;
    int refused = 1;

    (void)state;
    spec.content_type = "application/json";
    tw__loop_turn(loop, 0);
    for (n = 0; refused; n++) {
        tw_error *err = NULL;
        seen sn;
        int rc;

        script_clear(&sc);
        sc.count = 0;
        memset(&sn, 0, sizeof sn);
        oom_begin(n);
        rc = tw__call_start(&sn.slot, gate, &spec, &sink, &sn, &err);
        if (rc == TW_OK) {
            int head = script_head(&sc, 0, 200, "application/json", NULL, NULL);
            int data = head < 0 ? head : script_data(&sc, 0, "{}");

            if (data < 0)
                script_fail(&sc, 0, data, 1, 1, "");
            else
                script_end(&sc, 0);
            rc = sn.code;
            assert_int_equal(sn.dones, 1);
        }
        tw_error_free(err);
        refused = oom_end(&held);
        assert_int_equal(rc, refused ? TW_E_NOMEM : TW_OK);
        assert_int_equal(held, 0);
    }
    assert_true(n > 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_scheme_sends_its_credential_only),
        TEST(paths_and_queries_go_to_the_intended_place),
        TEST(bad_calls_are_refused_before_the_wire),
        TEST(profile_in_eu_and_missing_secret_are_refused),
        TEST(unsafe_calls_get_a_fresh_connection),
        TEST(every_envelope_becomes_one_line),
        TEST(redirects_are_never_followed),
        TEST(a_shown_redirect_is_a_success),
        TEST(large_answers_are_cut),
        TEST(safe_calls_try_three_times),
        TEST(success_after_a_retry_is_success),
        TEST(retry_after_is_waited_for),
        TEST(ingestion_may_be_told_to_wait_five_minutes),
        TEST(unsafe_calls_repeat_only_after_no),
        TEST(maybe_is_remembered),
        TEST(certificates_are_not_tried_again),
        TEST(an_outage_is_not_made_worse),
        TEST(streams_pause_and_resume),
        TEST(a_broken_stream_is_not_tried_again),
        TEST(the_receiver_may_abort),
        TEST(cancel_reports_once_and_at_once),
        TEST(cancel_from_within_a_callback),
        TEST(a_start_that_fails_reports_nothing),
        TEST(foreign_calls_carry_no_credential),
        TEST(links_into_the_private_network_are_refused),
        cmocka_unit_test_setup_teardown(an_emulator_may_link_to_loopback, setup_local,
                                        teardown),
        TEST(a_call_job_copies_what_it_is_given),
        TEST(a_cancelled_call_job_leaves_the_wire),
        TEST(no_memory_is_an_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
