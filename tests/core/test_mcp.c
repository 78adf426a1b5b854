/* SPDX-License-Identifier: MIT */
/* Calls of the MCP server in both eras, over a scripted transport. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tidewheel/call.h>
#include <tidewheel/client.h>
#include <tidewheel/error.h>

#include "areas/arguments.h"
#include "areas/mcp.h"
#include "gate/gate_internal.h"
#include "support/fake_time.h"
#include "support/oom.h"
#include "support/worked_gate.h"
#include "json/view.h"

#define SESSION "Mcp-Session-Id: s-1"

typedef struct fixture {
    worked_gate wg;
    tw_job *job;
} fixture;

static int setup(void **state)
{
    fixture *fx = calloc(1, sizeof *fx);

    worked_begin(&fx->wg);
    tw__gate_mcp(fx->wg.gate)->era = TW_MCP_MODERN;
    *state = fx;
    return 0;
}

static int setup_unknown(void **state)
{
    fixture *fx;

    setup(state);
    fx = *state;
    tw__gate_mcp(fx->wg.gate)->era = TW_MCP_UNKNOWN;
    return 0;
}

static int teardown(void **state)
{
    fixture *fx = *state;

    tw_job_unref(fx->job);
    worked_turn(&fx->wg);
    worked_end(&fx->wg);
    free(fx);
    return 0;
}

static int begin(fixture *fx, tw_endpoint_id id, const char *arguments, tw_error **err)
{
    int rc;

    tw_job_unref(fx->job);
    worked_turn(&fx->wg);
    fx->job = NULL;
    rc = tw__operation_start(&fx->job, fx->wg.gate, tw__operation(id), arguments,
                             strlen(arguments), NULL, err);
    worked_turn(&fx->wg);
    return rc;
}

static void ask(fixture *fx, tw_endpoint_id id, const char *arguments)
{
    assert_int_equal(begin(fx, id, arguments, NULL), TW_OK);
}

static void set_token(fixture *fx, const char *token)
{
    assert_int_equal(tw__gate_set_token(fx->wg.gate, token, strlen(token), NULL), TW_OK);
}

static const script_request *last(const fixture *fx)
{
    return &fx->wg.sc.requests[fx->wg.sc.count - 1];
}

static int sent(const fixture *fx, const char *header)
{
    char line[256];

    snprintf(line, sizeof line, "%s\n", header);
    return strstr(last(fx)->headers, line) != NULL;
}

static int said(const fixture *fx, const char *text)
{
    return memmem(last(fx)->body, last(fx)->body_size, text, strlen(text)) != NULL;
}

static int head(fixture *fx, int status, const char *type, const char *session,
                const char *challenge)
{
    script_request *rq = &fx->wg.sc.requests[fx->wg.sc.count - 1];
    tw_transfer_head th = {sizeof th, 0, -1, "", "", "", "", 0, 1, NULL, NULL};

    th.status = status;
    th.content_type = type;
    th.session = session;
    th.www_authenticate = challenge;
    return rq->events.head(rq->ctx, &th);
}

/* The number of the last request; 0 for a notification. */
static int last_id(fixture *fx)
{
    const script_request *rq = last(fx);
    tw_view body = {rq->body, rq->body_size};
    int64_t id = 0;

    return tw__view_int(tw__view_member(body, "id"), &id) ? (int)id : 0;
}

/* The id of the request goes where `text` has %d. */
static void answer_with(fixture *fx, int status, const char *session, const char *text)
{
    int index = fx->wg.sc.count - 1;
    char body[1024];
    int rc;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(body, sizeof body, text, last_id(fx));
#pragma GCC diagnostic pop
    rc = head(fx, status, "application/json", session, NULL);
    if (rc == TW_OK && body[0] != '\0')
        rc = script_data(&fx->wg.sc, index, body);
    script_fail(&fx->wg.sc, index, rc, 1, 0, ""); /* without memory it is aborted */
    worked_turn(&fx->wg);
}

static void answer(fixture *fx, int status, const char *text)
{
    answer_with(fx, status, NULL, text);
}

static void expect(fixture *fx, const char *result)
{
    const tw_reply *rsp;
    tw_error *err = NULL;
    char *text;
    size_t size;

    if (tw_job_result(&rsp, fx->job, &err) != TW_OK)
        fail_msg("%s", tw_error_message(err));
    assert_int_equal(tw_reply_result(&text, &size, rsp, NULL), TW_OK);
    assert_string_equal(text, result);
    tw_text_free(text);
}

static tw_error *failure(fixture *fx, int code)
{
    const tw_reply *rsp;
    tw_error *err = NULL;

    assert_int_equal(tw_job_result(&rsp, fx->job, &err), code);
    print_message("%s\n", tw_error_message(err));
    assert_null(strstr(tw_error_message(err), "token-of-the-test"));
    return err;
}

#define COMPLETE "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"resultType\":\"complete\","
#define REFUSED(code)                                                          \
    "{\"jsonrpc\":\"2.0\",\"id\":%d,\"error\":{\"code\":" code ",\"message\":" \
    "\"no\"}}"
#define INPUT_REQUIRED                                                              \
    "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"resultType\":\"input_required\"," \
    "\"inputRequests\":{}}}"
#define CALLED                                                              \
    "{\"content\":[],\"structured_content\":7,\"is_error\":false,\"data\":" \
    "{\"resultType\":\"complete\",\"content\":[],\"structuredContent\":7}}"

static void a_tool_is_called_without_a_handshake(void **state)
{
    fixture *fx = *state;

    ask(fx, TW_EP_MCP_CALL, "{\"name\":\"caf\\u00e9\",\"arguments\":{\"a\":1.50}}");
    assert_string_equal(last(fx)->url, "http://127.0.0.1:9/mcp");
    assert_true(sent(fx, "Authorization: Bearer token-of-the-test"));
    assert_true(sent(fx, "Accept: application/json, text/event-stream"));
    assert_true(sent(fx, "MCP-Protocol-Version: 2026-07-28"));
    assert_true(sent(fx, "Mcp-Method: tools/call"));
    assert_true(sent(fx, "Mcp-Name: =?base64?Y2Fmw6k=?="));
    assert_true(said(fx, "\"params\":{\"name\":\"caf\\u00e9\",\"arguments\":{\"a\":1.50},"
                         "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":"
                         "\"2026-07-28\","));
    answer(fx, 200, COMPLETE "\"content\":[],\"structuredContent\":7}}");
    expect(fx, CALLED);
}

static void all_pages_of_tools_are_one_list(void **state)
{
    fixture *fx = *state;

    ask(fx, TW_EP_MCP_TOOLS, "{}");
    answer(fx, 200,
           COMPLETE "\"tools\":[{\"name\":\"a\",\"inputSchema\":{}}],"
                    "\"nextCursor\":\"p\\u00e9\"}}");
    assert_true(said(fx, "\"cursor\":\"p\\u00e9\""));
    answer(fx, 200, COMPLETE "\"tools\":[]}}");
    expect(fx, "[{\"name\":\"a\",\"title\":null,\"description\":null,\"input_schema\":{},"
               "\"output_schema\":null,\"annotations\":null,\"data\":{\"name\":\"a\","
               "\"inputSchema\":{}}}]");
}

static void page(fixture *fx, int number)
{
    char body[256];

    snprintf(body, sizeof body, COMPLETE "\"tools\":[],\"nextCursor\":\"p%d\"}}",
             last_id(fx), number);
    answer(fx, 200, body);
}

static void a_cursor_that_comes_again_is_an_error_at_once(void **state)
{
    fixture *fx = *state;
    tw_error *err;

    ask(fx, TW_EP_MCP_TOOLS, "{}");
    page(fx, 1);
    page(fx, 2);
    page(fx, 3);
    page(fx, 1);
    err = failure(fx, TW_E_PROTOCOL);
    assert_non_null(strstr(tw_error_message(err), "a cursor came twice"));
    tw_error_free(err);
    assert_int_equal(fx->wg.sc.count, 4);
}

/* After sixty of them time is over for the whole, although each page came in time. */
static void the_pages_have_one_timeout(void **state)
{
    fixture *fx = *state;
    tw_error *err;
    int i;

    ask(fx, TW_EP_MCP_TOOLS, "{\"timeout\":60}");
    for (i = 0; !tw_job_done(fx->job) && i < 200; i++) {
        worked_pass(&fx->wg, 1000);
        if (!tw_job_done(fx->job))
            page(fx, i);
    }
    assert_int_equal(i, 60);
    err = failure(fx, TW_E_TIMEOUT);
    assert_int_equal(tw_error_retriable(err), 1);
    assert_non_null(strstr(tw_error_message(err), "longer than 60 seconds"));
    tw_error_free(err);
    assert_false(last(fx)->live);
}

static void pages_without_end_are_given_up(void **state)
{
    fixture *fx = *state;
    int i;

    ask(fx, TW_EP_MCP_TOOLS, "{}");
    for (i = 0; !tw_job_done(fx->job) && i < 200; i++)
        page(fx, i);
    assert_int_equal(i, 100);
    tw_error_free(failure(fx, TW_E_PROTOCOL));
}

/* Comments, notifications, requests of the server, answers to others: all before ours, cut
 * anywhere; and nobody waits for the end of the stream. */
static void the_response_is_found_in_a_stream(void **state)
{
    static const char stream[] =
        "\xEF\xBB\xBF: hello\r\n\r\nevent: message\r\ndata: {\"jsonrpc\":\"2.0\","
        "\"method\":\"notifications/progress\",\"params\":{}}\r\n\r\n"
        "data: ping\n\n"
        "data: {\"jsonrpc\":\"2.0\",\"id\":999,\"result\":{}}\n\n"
        "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n"
        "data: {\"jsonrpc\":\"2.0\",\"id\":1,\rdata: \"result\":{\"x\":1}}\r\r";
    fixture *fx = *state;
    size_t at;

    ask(fx, TW_EP_MCP_REQUEST, "{\"method\":\"ping\"}");
    head(fx, 200, "text/event-stream; charset=utf-8", NULL, NULL);
    for (at = 0; at < sizeof stream - 2; at++)
        assert_int_equal(worked_give(&fx->wg, 0, stream + at, 1), TW_OK);
    assert_int_equal(worked_give(&fx->wg, 0, stream + at, 1), TW_E_CANCELED);
    worked_turn(&fx->wg);
    expect(fx, "{\"x\":1}");
    assert_false(last(fx)->live);
}

static void a_stream_without_the_response_is_an_error(void **state)
{
    static const char stream[] = "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n\n";
    fixture *fx = *state;

    ask(fx, TW_EP_MCP_REQUEST, "{\"method\":\"ping\"}");
    head(fx, 200, "text/event-stream", NULL, NULL);
    assert_int_equal(worked_give(&fx->wg, 0, stream, sizeof stream - 1), TW_OK);
    script_end(&fx->wg.sc, 0);
    worked_turn(&fx->wg);
    tw_error_free(failure(fx, TW_E_PROTOCOL));
}

/* What may be the response is not passed over until the time is up. */
static void an_event_that_cannot_be_read_ends_the_call(void **state)
{
    static const char *const events[] = {
        "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":%d}\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":%d,\"error\":\"no\"}\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"id\":8,\"result\":{}}\n\n",
        "data: [\xFF]\n\n",
    };
    fixture *fx = *state;
    size_t i;

    for (i = 0; i <= sizeof events / sizeof *events; i++) {
        tw_error *err;
        char text[1024];

        ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
        head(fx, 200, "text/event-stream", NULL, NULL);
        if (i < sizeof events / sizeof *events) {
            snprintf(text, sizeof text, "%s", events[i]);
            if (strstr(text, "%d") != NULL)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                snprintf(text, sizeof text, events[i], last_id(fx));
#pragma GCC diagnostic pop
        } else { /* too deep */
            snprintf(text, sizeof text, "data: %0300d\n\n", 0);
            memset(strchr(text, '0'), '[', 300);
        }
        assert_int_equal(worked_give(&fx->wg, fx->wg.sc.count - 1, text, strlen(text)),
                         TW_E_PROTOCOL);
        script_fail(&fx->wg.sc, fx->wg.sc.count - 1, TW_E_PROTOCOL, 1, 0, "");
        worked_turn(&fx->wg);
        err = failure(fx, TW_E_PROTOCOL);
        assert_int_equal(tw_error_stored(err), TW_STORED_MAYBE);
        assert_non_null(strstr(tw_error_message(err), "an event of the answer"));
        tw_error_free(err);
    }
}

/* Notifications too have an end. */
static void a_stream_that_is_too_long_is_an_error(void **state)
{
    enum { PIECE = 1024 * 1024 };
    fixture *fx = *state;
    char *piece = malloc(PIECE);
    tw_error *err;
    int rc = TW_OK;
    int i;

    memset(piece, 'x', PIECE);
    memcpy(piece, ": ", 2);
    memcpy(piece + PIECE - 2, "\n\n", 2);
    ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
    head(fx, 200, "text/event-stream", NULL, NULL);
    for (i = 0; rc == TW_OK && i < 100; i++)
        rc = worked_give(&fx->wg, 0, piece, PIECE);
    free(piece);
    assert_int_equal(rc, TW_E_PROTOCOL);
    assert_int_equal(i, 65);
    script_fail(&fx->wg.sc, 0, rc, 1, 0, "");
    worked_turn(&fx->wg);
    err = failure(fx, TW_E_PROTOCOL);
    assert_non_null(strstr(tw_error_message(err), "longer than 67108864 bytes"));
    tw_error_free(err);
}

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
    server->version = "2025-06-18";
    server->token = tw__gate_token(fx->wg.gate);
    server->opened++;
    snprintf(server->session, sizeof server->session, "%s", session);
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
    static const char *const ids[] = {"a b", "a\tb", "\xC3\xA9", "a\x7F"};
    fixture *fx = *state;
    size_t i;

    for (i = 0; i < sizeof ids / sizeof *ids; i++) {
        ask(fx, TW_EP_MCP_REQUEST, "{\"method\":\"ping\"}");
        assert_true(said(fx, "\"method\":\"server/discover\""));
        answer(fx, 400, "");
        answer_with(fx, 200, ids[i],
                    "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"protocolVersion\":"
                    "\"2025-11-25\"}}");
        tw_error_free(failure(fx, TW_E_PROTOCOL));
    }
    ask(fx, TW_EP_MCP_REQUEST, "{\"method\":\"ping\"}");
    shake_hands(fx, "s-1");
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

static void refusals_are_typed_and_say_whether_anything_was_done(void **state)
{
    static const struct {
        int status;
        const char *code;
        int error;
        tw_stored stored;
    } rows[] = {
        {200, "-32602", TW_E_RPC, TW_STORED_NO},
        {200, "-32603", TW_E_RPC, TW_STORED_MAYBE},
        {404, "-32601", TW_E_RPC, TW_STORED_NO},
        {400, "-32020", TW_E_RPC, TW_STORED_NO},
        {401, "-32000", TW_E_AUTH, TW_STORED_NO},
    };
    fixture *fx = *state;
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        char body[256];
        tw_error *err;

        ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
        snprintf(body, sizeof body,
                 "{\"jsonrpc\":\"2.0\",\"id\":%%d,\"error\":{\"code\":%s,\"message\":"
                 "\"no: token-of-the-test\"}}",
                 rows[i].code);
        answer(fx, rows[i].status, body);
        err = failure(fx, rows[i].error);
        assert_int_equal(tw_error_stored(err), rows[i].stored);
        assert_int_equal(tw_error_rpc_code(err),
                         rows[i].error == TW_E_RPC ? strtol(rows[i].code, NULL, 10) : 0);
        tw_error_free(err);
    }
}

static void a_401_says_where_tokens_come_from(void **state)
{
    fixture *fx = *state;
    tw_error *err;

    ask(fx, TW_EP_MCP_TOOLS, "{}");
    head(fx, 401, "", NULL,
         "Bearer realm=\"OAuth\", resource_metadata=\"https://m.example/.well-known/x\", "
         "error=\"invalid_request\", error_description=\"Missing authorization header\"");
    script_end(&fx->wg.sc, 0);
    worked_turn(&fx->wg);
    err = failure(fx, TW_E_AUTH);
    assert_string_equal(tw_error_resource_metadata(err),
                        "https://m.example/.well-known/x");
    assert_non_null(strstr(tw_error_message(err), "Missing authorization header"));
    tw_error_free(err);
}

/* A name within another one, within quotes, in capitals; a value without quotes. */
static void a_challenge_is_read_by_its_grammar(void **state)
{
    static const struct {
        const char *challenge, *url, *words;
    } rows[] = {
        {"Bearer x_resource_metadata=\"https://no/\", resource_metadata=\"https://m/\"",
         "https://m/", NULL},
        {"Bearer realm=\"a, resource_metadata=\\\"https://no/\", resource_metadata=\"https://m/\"",
         "https://m/", NULL},
        {"Bearer Resource_Metadata = https://m/ , error=x", "https://m/", NULL},
        {"Bearer resource_metadata=\"https://no/", NULL, NULL},
        {"Bearer resource_metadata_uri=\"https://no/\"", NULL, NULL},
        {"Bearer x-error_description=\"wrong\", error_description=\"a \\\"b\\\"\"", NULL,
         "status 401: a \"b\""},
    };
    fixture *fx = *state;
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        tw_error *err;

        ask(fx, TW_EP_MCP_TOOLS, "{}");
        head(fx, 401, "", NULL, rows[i].challenge);
        script_end(&fx->wg.sc, fx->wg.sc.count - 1);
        worked_turn(&fx->wg);
        err = failure(fx, TW_E_AUTH);
        if (rows[i].url != NULL)
            assert_string_equal(tw_error_resource_metadata(err), rows[i].url);
        else
            assert_null(tw_error_resource_metadata(err));
        if (rows[i].words != NULL)
            assert_non_null(strstr(tw_error_message(err), rows[i].words));
        tw_error_free(err);
    }
}

/* However often it was replaced while the call was under way; and what nobody carries is gone. */
static void a_token_is_redacted_as_long_as_a_call_carries_it(void **state)
{
    static const char *const more[] = {"second-token", "third-token", "third-token",
                                       "fourth-token", ""};
    fixture *fx = *state;
    const tw_keys *keys = fx->wg.gate->keys;
    tw_error *err;
    size_t i;

    ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
    for (i = 0; i < sizeof more / sizeof *more; i++)
        set_token(fx, more[i]);
    answer(fx, 400,
           "{\"jsonrpc\":\"2.0\",\"id\":%d,\"error\":{\"code\":-32603,\"message\":"
           "\"token-of-the-test second-token third-token fourth-token\"}}");
    err = failure(fx, TW_E_RPC);
    assert_non_null(strstr(tw_error_message(err), ": *** *** *** ***"));
    tw_error_free(err);
    assert_null(keys->newest);
    set_token(fx, "fifth-token");
    set_token(fx, "sixth-token");
    assert_string_equal(keys->newest->text, "sixth-token");
    assert_null(keys->newest->older);
}

/* The first attempt had one token, the second another: the answer may hold both. */
static void a_repetition_carries_the_newest_token(void **state)
{
    fixture *fx = *state;
    tw_error *err;

    ask(fx, TW_EP_MCP_TOOLS, "{}");
    set_token(fx, "second-token");
    answer(fx, 500, "");
    worked_pass(&fx->wg, 60000);
    assert_true(sent(fx, "Authorization: Bearer second-token"));
    set_token(fx, "third-token");
    answer(fx, 403, "{\"error\":\"token-of-the-test second-token\"}");
    err = failure(fx, TW_E_AUTH);
    assert_null(strstr(tw_error_message(err), "second-token"));
    tw_error_free(err);
    assert_null(fx->wg.gate->keys->newest->older);
}

static void nothing_is_sent_of_what_is_wrong(void **state)
{
    static const struct {
        tw_endpoint_id id;
        const char *arguments, *field;
    } rows[] = {
        {TW_EP_MCP_CALL, "{}", "name"},
        {TW_EP_MCP_CALL, "{\"name\":\"\"}", "name"},
        {TW_EP_MCP_CALL, "{\"name\":\"t\",\"arguments\":[1]}", "arguments"},
        {TW_EP_MCP_CALL, "{\"name\":\"t\",\"timeout\":0}", "timeout"},
        {TW_EP_MCP_REQUEST, "{\"method\":\"m\",\"params\":3}", "params"},
        {TW_EP_MCP_REQUEST,
         "{\"method\":\"m\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/"
         "protocolVersion\":\"1\"}}}",
         "params._meta"},
    };
    fixture *fx = *state;
    tw_error *err = NULL;
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(begin(fx, rows[i].id, rows[i].arguments, &err), TW_E_VALIDATION);
        assert_string_equal(tw_error_field(err), rows[i].field);
        tw_error_free(err);
        err = NULL;
    }
    set_token(fx, "");
    assert_int_equal(begin(fx, TW_EP_MCP_TOOLS, "{}", &err), TW_E_CONFIG);
    assert_string_equal(tw_error_field(err), "mcp_token");
    tw_error_free(err);
    assert_int_equal(fx->wg.sc.count, 0);
}

/* Listing may be repeated, calling a tool only when it certainly was not. */
static void only_the_list_is_asked_for_again(void **state)
{
    fixture *fx = *state;

    ask(fx, TW_EP_MCP_TOOLS, "{}");
    answer(fx, 500, "");
    worked_pass(&fx->wg, 60000);
    assert_int_equal(fx->wg.sc.count, 2);
    answer(fx, 200, COMPLETE "\"tools\":[]}}");
    expect(fx, "[]");
    ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
    answer(fx, 500, "");
    worked_pass(&fx->wg, 60000);
    assert_int_equal(fx->wg.sc.count, 3);
    tw_error_free(failure(fx, TW_E_SERVER));
}

static void input_that_is_asked_for_is_no_result(void **state)
{
    fixture *fx = *state;
    tw_error *err;

    ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
    answer(fx, 200, INPUT_REQUIRED);
    err = failure(fx, TW_E_PROTOCOL);
    assert_non_null(strstr(tw_error_message(err), "input_required"));
    assert_int_equal(tw_error_stored(err), TW_STORED_MAYBE);
    tw_error_free(err);
    /* Who speaks the protocol sees what is asked for. */
    ask(fx, TW_EP_MCP_REQUEST,
        "{\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"_meta\":"
        "{\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{}}}}}");
    assert_true(said(fx, "/clientCapabilities\":{\"elicitation\":{}}"));
    answer(fx, 200, INPUT_REQUIRED);
    expect(fx, "{\"resultType\":\"input_required\",\"inputRequests\":{}}");
}

static void what_a_tool_wants_of_the_client_is_said(void **state)
{
    fixture *fx = *state;
    tw_error *err;

    ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
    answer(fx, 400, REFUSED("-32020"));
    err = failure(fx, TW_E_RPC);
    assert_non_null(strstr(tw_error_message(err), "x-mcp-header"));
    assert_int_equal(tw_error_stored(err), TW_STORED_NO);
    tw_error_free(err);
    ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
    answer(fx, 400, REFUSED("-32021"));
    err = failure(fx, TW_E_RPC);
    assert_non_null(strstr(tw_error_message(err), "a capability"));
    tw_error_free(err);
    assert_int_equal(fx->wg.sc.count, 2);
}

static void results_of_another_kind_are_refused(void **state)
{
    static const struct {
        tw_endpoint_id id;
        const char *result;
    } rows[] = {
        {TW_EP_MCP_CALL, "[]"},
        {TW_EP_MCP_CALL, "{\"content\":{}}"},
        {TW_EP_MCP_CALL, "{\"content\":[\"a\"]}"},
        {TW_EP_MCP_CALL, "{\"content\":[{\"type\":7}]}"},
        {TW_EP_MCP_CALL, "{\"isError\":\"yes\"}"},
        {TW_EP_MCP_CALL, "{\"resultType\":\"task\"}"},
        {TW_EP_MCP_TOOLS, "{}"},
        {TW_EP_MCP_TOOLS, "{\"tools\":[7]}"},
        {TW_EP_MCP_TOOLS, "{\"tools\":[{}]}"},
        {TW_EP_MCP_TOOLS, "{\"tools\":[{\"name\":7}]}"},
        {TW_EP_MCP_TOOLS, "{\"tools\":[{\"name\":\"a\",\"inputSchema\":[]}]}"},
        {TW_EP_MCP_TOOLS, "{\"tools\":[],\"nextCursor\":7}"},
    };
    fixture *fx = *state;
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        char body[256];

        ask(fx, rows[i].id, rows[i].id == TW_EP_MCP_CALL ? "{\"name\":\"t\"}" : "{}");
        snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%s}",
                 last_id(fx), rows[i].result);
        answer(fx, 200, body);
        tw_error_free(failure(fx, TW_E_PROTOCOL));
    }
}

static int shaken_once(fixture *fx)
{
    const tw_reply *rsp;
    int rc;

    tw__gate_mcp(fx->wg.gate)->era = TW_MCP_UNKNOWN;
    rc = begin(fx, TW_EP_MCP_TOOLS, "{}", NULL);
    if (rc != TW_OK)
        return rc;
    if (!tw_job_done(fx->job))
        answer(fx, 400, "");
    if (!tw_job_done(fx->job))
        answer_with(fx, 200, "s-1",
                    "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"protocolVersion\":"
                    "\"2025-11-25\"}}");
    if (!tw_job_done(fx->job))
        answer(fx, 202, "");
    if (!tw_job_done(fx->job))
        answer(fx, 200, COMPLETE "\"tools\":[{\"name\":\"a\"}]}}");
    return tw_job_result(&rsp, fx->job, NULL);
}

static void every_failing_allocation(void **state)
{
    fixture *fx = *state;
    int done = 0;
    long n;

    for (n = 0; !done && n < 300; n++) {
        long held;
        int rc;

        tw_job_unref(fx->job);
        fx->job = NULL;
        worked_turn(&fx->wg);
        worked_end(&fx->wg);
        worked_begin(&fx->wg);
        assert_int_equal(shaken_once(fx), TW_OK); /* lasting things are made */
        tw_job_unref(fx->job);
        fx->job = NULL;
        worked_turn(&fx->wg);
        oom_begin(n);
        rc = shaken_once(fx);
        tw_job_unref(fx->job);
        fx->job = NULL;
        worked_turn(&fx->wg);
        done = !oom_end(&held);
        assert_int_equal(held, 0);
        if (rc != (done ? TW_OK : TW_E_NOMEM))
            fail_msg("allocation %ld: ended with %d", n, rc);
    }
    assert_true(done);
    assert_true(n > 15);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define UNKNOWN(name) cmocka_unit_test_setup_teardown(name, setup_unknown, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_tool_is_called_without_a_handshake),
        CASE(all_pages_of_tools_are_one_list),
        CASE(a_cursor_that_comes_again_is_an_error_at_once),
        CASE(the_pages_have_one_timeout),
        CASE(pages_without_end_are_given_up),
        CASE(the_response_is_found_in_a_stream),
        CASE(a_stream_without_the_response_is_an_error),
        CASE(an_event_that_cannot_be_read_ends_the_call),
        CASE(a_stream_that_is_too_long_is_an_error),
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
        CASE(refusals_are_typed_and_say_whether_anything_was_done),
        CASE(a_401_says_where_tokens_come_from),
        CASE(a_challenge_is_read_by_its_grammar),
        CASE(a_token_is_redacted_as_long_as_a_call_carries_it),
        CASE(a_repetition_carries_the_newest_token),
        CASE(nothing_is_sent_of_what_is_wrong),
        CASE(only_the_list_is_asked_for_again),
        CASE(input_that_is_asked_for_is_no_result),
        CASE(what_a_tool_wants_of_the_client_is_said),
        CASE(results_of_another_kind_are_refused),
        UNKNOWN(every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
