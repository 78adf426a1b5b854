/* SPDX-License-Identifier: MIT */
/* Calls through a scripted transport: requests, outcomes, retries. */
#include "call_world.h"

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
    spec = spec_of(TW_EP_MCP_CALL);
    refuse(&spec, TW_E_CONFIG, "mcp_token");
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

/* What was given up before there was a connection cannot arrive. */
static void a_canceled_call_tells_whether_it_was_sent(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_HTTPAPI);
    int connecting;

    (void)state;
    for (connecting = 0; connecting < 2; connecting++) {
        seen sn;

        start(&sn, &spec);
        sc.requests[sc.count - 1].connecting = connecting;
        tw__call_cancel(sn.slot);
        assert_int_equal(sn.code, TW_E_CANCELED);
        assert_int_equal(sn.stored, connecting ? TW_STORED_NO : TW_STORED_MAYBE);
        assert_int_equal(sc.requests[sc.count - 1].canceled, 1);
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
    script_head(&sc, 1, 429, "application/json", "60", NULL);
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

/* Nobody waits an hour for a call: our own back-off counts, the error tells what was asked. */
static void absurd_retry_after_is_ignored(void **state)
{
    static const char *const fields[] = {"61", "3600", "99999999999999999999"};
    static const int64_t told[] = {61000, 3600000, 86400000};
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
        int first = sc.count;
        int k;
        seen sn;

        start(&sn, &spec);
        for (k = first; k < first + 3; k++) {
            assert_int_equal(sc.count, k + 1);
            script_head(&sc, k, 429, "application/json", fields[i], NULL);
            script_end(&sc, k);
            turn(8000);
        }
        assert_int_equal(sn.dones, 1);
        assert_int_equal(sn.code, TW_E_RATE_LIMITED);
        assert_int_equal(sn.retry_after, told[i]);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_scheme_sends_its_credential_only),
        TEST(paths_and_queries_go_to_the_intended_place),
        TEST(bad_calls_are_refused_before_the_wire),
        TEST(profile_in_eu_and_missing_secret_are_refused),
        TEST(unsafe_calls_get_a_fresh_connection),
        TEST(a_canceled_call_tells_whether_it_was_sent),
        TEST(every_envelope_becomes_one_line),
        TEST(redirects_are_never_followed),
        TEST(a_shown_redirect_is_a_success),
        TEST(large_answers_are_cut),
        TEST(safe_calls_try_three_times),
        TEST(success_after_a_retry_is_success),
        TEST(retry_after_is_waited_for),
        TEST(absurd_retry_after_is_ignored),
        TEST(ingestion_may_be_told_to_wait_five_minutes),
        TEST(unsafe_calls_repeat_only_after_no),
        TEST(maybe_is_remembered),
        TEST(certificates_are_not_tried_again),
        TEST(an_outage_is_not_made_worse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
