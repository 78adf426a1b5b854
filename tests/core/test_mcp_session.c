/* SPDX-License-Identifier: MIT */
/* The eras and sessions of the MCP server, and when a call begins again. */
#include "mcp_world.h"

static void shake_hands(fixture *fx, const char *session)
{
    assert_true(said(fx, "\"method\":\"server/discover\""));
    answer(fx, 400,
           "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,"
           "\"message\":\"Bad Request: no session\"}}");
    assert_true(said(fx, "\"method\":\"initialize\""));
    assert_true(said(fx, "\"protocolVersion\":\"2025-11-25\""));
    assert_null(strstr(last(fx)->headers, "MCP-Protocol-Version"));
    answer_with(fx, 200, session,
                "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"protocolVersion\":"
                "\"2025-06-18\",\"capabilities\":{}}}");
    assert_true(said(fx, "\"method\":\"notifications/initialized\""));
    assert_false(said(fx, "\"id\""));
    answer(fx, 202, "");
}

static void an_older_server_gets_its_handshake(void **state)
{
    fixture *fx = *state;

    ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
    shake_hands(fx, "s-1");
    assert_true(sent(fx, "MCP-Protocol-Version: 2025-06-18"));
    assert_true(sent(fx, SESSION));
    assert_null(strstr(last(fx)->headers, "Mcp-Method"));
    assert_true(said(fx, "\"params\":{\"name\":\"t\",\"arguments\":{}}"));
    answer(fx, 200, COMPLETE "\"content\":[],\"structuredContent\":7}}");
    expect(fx, CALLED);
    /* The next call knows. */
    ask(fx, TW_EP_MCP_REQUEST, "{\"method\":\"ping\",\"params\":{}}");
    assert_true(sent(fx, SESSION));
    answer(fx, 200, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}");
    expect(fx, "{}");
    assert_int_equal(fx->wg.sc.count, 5);
}

static void a_lost_session_is_made_anew(void **state)
{
    fixture *fx = *state;

    ask(fx, TW_EP_MCP_REQUEST, "{\"method\":\"ping\"}");
    shake_hands(fx, "s-1");
    answer(fx, 404, "");
    assert_true(said(fx, "\"method\":\"initialize\""));
    answer_with(fx, 200, "s-2",
                "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"protocolVersion\":"
                "\"2025-11-25\"}}");
    answer(fx, 202, "");
    assert_true(sent(fx, "Mcp-Session-Id: s-2"));
    answer(fx, 200, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}");
    expect(fx, "{}");
}

static void begin_legacy(fixture *fx, const char *session)
{
    tw_mcp_server *server = tw__gate_mcp(fx->wg.gate);

    server->era = TW_MCP_LEGACY;
    server->session.version = "2025-06-18";
    server->session.token = tw__gate_token(fx->wg.gate);
    server->opened++;
    snprintf(server->session.id, sizeof server->session.id, "%s", session);
}

/* A tool may write: what does not say that it was not called is the end. */
static void a_tool_is_called_again_only_if_it_certainly_was_not(void **state)
{
    static const struct {
        const char *session; /* NULL: the new era */
        int status;
        const char *body;
        const char *then; /* the method of the next request; NULL: none */
    } rows[] = {
        {"s-1", 404, "", "initialize"},
        {"s-1", 404, "<h1>gone</h1>", "initialize"},
        {"s-1", 404, REFUSED("-32001"), "initialize"},
        {"s-1", 404, REFUSED("-32600"), "initialize"},
        {"s-1", 400, REFUSED("-32000"), "initialize"},
        {"s-1", 400, REFUSED("-32022"), "server/discover"},
        {"s-1", 404, REFUSED("-32603"), NULL},
        {"s-1", 404, REFUSED("-1"), NULL},
        {"s-1", 400, REFUSED("-32603"), NULL},
        {"s-1", 400, REFUSED("-32001"), NULL},
        {"s-1", 400, "", NULL},
        {"s-1", 200, REFUSED("-32000"), NULL},
        {"", 404, "", NULL},
        {"", 404, REFUSED("-32603"), NULL},
        {NULL, 400, REFUSED("-32600"), "server/discover"},
        {NULL, 400, REFUSED("-32000"), "server/discover"},
        {NULL, 400, REFUSED("-32603"), NULL},
        {NULL, 404, REFUSED("-32601"), NULL},
        {NULL, 400, REFUSED("-32602"), NULL},
        {NULL, 422, REFUSED("-1"), NULL},
        {NULL, 200, REFUSED("-32000"), NULL},
        {NULL, 404, "", NULL},
        {NULL, 405, "", NULL},
        {NULL, 503, "", NULL},
    };
    fixture *fx = *state;
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        int before = fx->wg.sc.count;

        print_message("row %zu\n", i);
        tw__gate_mcp(fx->wg.gate)->era = TW_MCP_MODERN;
        if (rows[i].session != NULL)
            begin_legacy(fx, rows[i].session);
        ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
        assert_true(said(fx, "tools/call"));
        answer(fx, rows[i].status, rows[i].body);
        if (rows[i].then != NULL) {
            char method[64];

            snprintf(method, sizeof method, "\"method\":\"%s\"", rows[i].then);
            assert_int_equal(fx->wg.sc.count, before + 2);
            assert_true(said(fx, method));
            tw_job_cancel(fx->job);
        }
        worked_pass(&fx->wg, 60000);
        assert_int_equal(fx->wg.sc.count, before + 1 + (rows[i].then != NULL));
        assert_true(tw_job_done(fx->job));
    }
}

/* Where every answer is a reason to begin again, a call still ends. */
static void a_call_begins_again_once(void **state)
{
    fixture *fx = *state;
    int i;

    begin_legacy(fx, "s-1");
    ask(fx, TW_EP_MCP_REQUEST, "{\"method\":\"ping\"}");
    for (i = 0; !tw_job_done(fx->job) && i < 20; i++) {
        if (said(fx, "initialize\""))
            answer_with(fx, 200, "s-2",
                        "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":"
                        "{\"protocolVersion\":\"2025-11-25\"}}");
        else
            answer(fx, said(fx, "initialized") ? 202 : 404, "");
    }
    assert_int_equal(i, 4);
    tw_error_free(failure(fx, TW_E_HTTP));
    /* The next call does not go on with what is over. */
    ask(fx, TW_EP_MCP_REQUEST, "{\"method\":\"ping\"}");
    assert_true(said(fx, "\"method\":\"initialize\""));
    tw_job_cancel(fx->job);
    worked_turn(&fx->wg);
}

/* Only the probe goes out before the era is known, and it may be repeated. */
static void a_tool_is_not_called_before_the_era_is_known(void **state)
{
    fixture *fx = *state;
    tw_error *err;

    ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
    assert_true(said(fx, "\"method\":\"server/discover\""));
    assert_true(sent(fx, "Mcp-Method: server/discover"));
    assert_null(strstr(last(fx)->headers, "Mcp-Name"));
    answer(fx, 500, "");
    worked_pass(&fx->wg, 60000);
    answer(fx, 500, "");
    worked_pass(&fx->wg, 60000);
    answer(fx, 500, "");
    err = failure(fx, TW_E_SERVER);
    assert_int_equal(tw_error_stored(err), TW_STORED_NO);
    tw_error_free(err);
    ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
    answer(fx, 200, COMPLETE "\"supportedVersions\":[\"2025-11-25\",\"2026-07-28\"]}}");
    assert_true(sent(fx, "Mcp-Method: tools/call"));
    answer(fx, 200, COMPLETE "\"content\":[],\"structuredContent\":7}}");
    expect(fx, CALLED);
    assert_int_equal(fx->wg.sc.count, 5);
}

static void a_probe_that_names_older_versions_alone(void **state)
{
    fixture *fx = *state;

    ask(fx, TW_EP_MCP_TOOLS, "{}");
    answer(fx, 200, COMPLETE "\"supportedVersions\":[\"2025-06-18\"]}}");
    assert_true(said(fx, "\"method\":\"initialize\""));
    answer(fx, 404, REFUSED("-32601"));
    tw_error_free(failure(fx, TW_E_RPC));
    ask(fx, TW_EP_MCP_TOOLS, "{}");
    answer(fx, 200, COMPLETE "\"supportedVersions\":[\"2099-01-01\"]}}");
    tw_error_free(failure(fx, TW_E_PROTOCOL));
    assert_int_equal(fx->wg.sc.count, 3);
}

static void an_odd_session_id_is_an_error_of_one_call(void **state)
{
    char most[1024];
    const char *const ids[] = {"a b", "a\tb", "\xC3\xA9", "a\x7F", most};
    fixture *fx = *state;
    size_t i;

    memset(most, 's', sizeof most - 1); /* a longer one is cut to this */
    most[sizeof most - 1] = '\0';
    for (i = 0; i < sizeof ids / sizeof *ids; i++) {
        ask(fx, TW_EP_MCP_REQUEST, "{\"method\":\"ping\"}");
        assert_true(said(fx, "\"method\":\"server/discover\""));
        answer(fx, 400, "");
        answer_with(fx, 200, ids[i],
                    "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"protocolVersion\":"
                    "\"2025-11-25\"}}");
        tw_error_free(failure(fx, TW_E_PROTOCOL));
    }
    most[sizeof most - 2] = '\0';
    ask(fx, TW_EP_MCP_REQUEST, "{\"method\":\"ping\"}");
    shake_hands(fx, most);
    assert_non_null(strstr(last(fx)->headers, most));
    answer(fx, 200, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}");
    expect(fx, "{}");
}

/* A notification has no number, so that no response is one to it. */
static void what_answers_a_notification_is_not_the_result(void **state)
{
    static const char *const answers[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"wrong\":true}}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32603,\"message\":\"\"}}",
        "data: {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"wrong\":true}}\n\n"};
    fixture *fx = *state;
    size_t i;

    for (i = 0; i < sizeof answers / sizeof *answers; i++) {
        tw__gate_mcp(fx->wg.gate)->era = TW_MCP_UNKNOWN;
        ask(fx, TW_EP_MCP_REQUEST, "{\"method\":\"ping\"}");
        answer(fx, 400, "");
        answer_with(fx, 200, "s-1",
                    "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"protocolVersion\":"
                    "\"2025-11-25\"}}");
        assert_true(said(fx, "notifications/initialized"));
        if (answers[i][0] == '{')
            answer(fx, 200, answers[i]);
        else
            head(fx, 200, "text/event-stream", NULL, NULL); /* which stays open */
        worked_turn(&fx->wg);
        assert_true(said(fx, "\"method\":\"ping\""));
        answer(fx, 200, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}");
        expect(fx, "{}");
    }
}

/* A session belongs to the token that opened it, not to one that was set meanwhile. */
static void a_token_that_is_set_during_the_handshake(void **state)
{
    fixture *fx = *state;

    ask(fx, TW_EP_MCP_REQUEST, "{\"method\":\"ping\"}");
    answer(fx, 400, "");
    assert_true(sent(fx, "Authorization: Bearer token-of-the-test"));
    set_token(fx, "fresh");
    answer_with(fx, 200, "s-old",
                "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"protocolVersion\":"
                "\"2025-11-25\"}}");
    assert_true(said(fx, "\"method\":\"initialize\""));
    assert_true(sent(fx, "Authorization: Bearer fresh"));
    answer_with(fx, 200, "s-1",
                "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"protocolVersion\":"
                "\"2025-11-25\"}}");
    answer(fx, 202, "");
    assert_true(sent(fx, SESSION));
    answer(fx, 200, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}");
    expect(fx, "{}");
}

static void another_token_is_another_session(void **state)
{
    fixture *fx = *state;

    ask(fx, TW_EP_MCP_REQUEST, "{\"method\":\"ping\"}");
    shake_hands(fx, "s-1");
    answer(fx, 200, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}");
    set_token(fx, "fresh");
    ask(fx, TW_EP_MCP_REQUEST, "{\"method\":\"ping\"}");
    assert_true(said(fx, "\"method\":\"initialize\""));
    assert_true(sent(fx, "Authorization: Bearer fresh"));
    assert_false(sent(fx, SESSION));
    tw_job_cancel(fx->job);
    worked_turn(&fx->wg);
    tw_error_free(failure(fx, TW_E_CANCELED));
}

static void a_server_that_lists_older_versions_gets_one(void **state)
{
    fixture *fx = *state;

    ask(fx, TW_EP_MCP_TOOLS, "{}");
    answer(fx, 400,
           "{\"jsonrpc\":\"2.0\",\"id\":%d,\"error\":{\"code\":-32022,\"message\":"
           "\"Unsupported protocol version\",\"data\":{\"supported\":"
           "[\"2099-01-01\",\"2025-11-25\"]}}}");
    assert_true(said(fx, "\"method\":\"initialize\""));
    answer(fx, 400, "{}");
    tw_error_free(failure(fx, TW_E_RPC)); /* the first error says more */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNKNOWN(an_older_server_gets_its_handshake),
        UNKNOWN(a_lost_session_is_made_anew),
        CASE(a_tool_is_called_again_only_if_it_certainly_was_not),
        CASE(a_call_begins_again_once),
        UNKNOWN(a_tool_is_not_called_before_the_era_is_known),
        UNKNOWN(a_probe_that_names_older_versions_alone),
        UNKNOWN(an_odd_session_id_is_an_error_of_one_call),
        UNKNOWN(what_answers_a_notification_is_not_the_result),
        UNKNOWN(a_token_that_is_set_during_the_handshake),
        UNKNOWN(another_token_is_another_session),
        UNKNOWN(a_server_that_lists_older_versions_gets_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
