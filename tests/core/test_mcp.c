/* SPDX-License-Identifier: MIT */
/* Calls of the MCP server: what is sent, results, pages, streams, errors. */
#include "mcp_world.h"

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
                         TW_E_CANCELED);
        script_fail(&fx->wg.sc, fx->wg.sc.count - 1, TW_E_CANCELED, 1, 0, "");
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
    assert_int_equal(rc, TW_E_CANCELED);
    assert_int_equal(i, 65);
    script_fail(&fx->wg.sc, 0, rc, 1, 0, "");
    worked_turn(&fx->wg);
    err = failure(fx, TW_E_PROTOCOL);
    assert_non_null(strstr(tw_error_message(err), "longer than 67108864 bytes"));
    tw_error_free(err);
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

/* In the child of a process one of whose threads read the token during the fork. */
static void a_token_is_inherited_whoever_held_the_lock(void **state)
{
    fixture *fx = *state;
    tw_keys *keys = fx->wg.gate->keys;
    tw_gate *child = NULL;

    pthread_mutex_lock(&keys->lock);
    assert_int_equal(tw__gate_again(&child, fx->wg.gate, fx->wg.loop, NULL), TW_OK);
    pthread_mutex_unlock(&keys->lock);
    assert_int_not_equal(tw__gate_token(child), 0);
    assert_string_equal(child->keys->newest->text, "token-of-the-test");
    tw__gate_free(child);
    set_token(fx, "");
    assert_int_equal(tw__gate_again(&child, fx->wg.gate, fx->wg.loop, NULL), TW_OK);
    assert_int_equal(tw__gate_token(child), 0);
    tw__gate_free(child);
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

static void nothing_is_repeated_without_a_token(void **state)
{
    fixture *fx = *state;
    tw_error *err;

    ask(fx, TW_EP_MCP_TOOLS, "{}");
    set_token(fx, "");
    answer(fx, 503, "");
    worked_pass(&fx->wg, 60000);
    assert_int_equal(fx->wg.sc.count, 1);
    err = failure(fx, TW_E_CONFIG);
    assert_string_equal(tw_error_field(err), "mcp_token");
    assert_non_null(strstr(tw_error_message(err), "taken away"));
    tw_error_free(err);
    assert_null(fx->wg.gate->keys->newest);
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
        {TW_EP_MCP_REQUEST, "{\"method\":\"m\",\"params\":{\"_meta\":7}}",
         "params._meta"},
        {TW_EP_MCP_REQUEST, "{\"method\":\"m\",\"params\":{\"_meta\":[1]}}",
         "params._meta"},
        {TW_EP_MCP_REQUEST, "{\"method\":\"m\",\"params\":{\"_meta\":{},\"_meta\":{}}}",
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

static void a_text_is_as_long_as_a_header_may_be(void **state)
{
    static const struct {
        tw_endpoint_id id;
        const char *before, *after, *field;
    } rows[] = {
        {TW_EP_MCP_CALL, "{\"name\":\"", "\"}", "name"},
        {TW_EP_MCP_REQUEST, "{\"method\":\"", "\"}", "method"},
        {TW_EP_MCP_REQUEST, "{\"method\":\"tools/call\",\"params\":{\"name\":\"", "\"}}",
         "params.name"},
        {TW_EP_MCP_REQUEST, "{\"method\":\"resources/read\",\"params\":{\"uri\":\"",
         "\"}}", "params.uri"},
        {TW_EP_MCP_REQUEST, "{\"method\":\"m\",\"params\":{\"uri\":\"", "\"}}", NULL},
    };
    fixture *fx = *state;
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        char most[TW_MCP_HEADER_MOST + 1];
        char json[TW_MCP_HEADER_MOST + 256];
        int before = fx->wg.sc.count;
        tw_error *err = NULL;

        memset(most, 'x', sizeof most - 1);
        memcpy(most, "\xC3\xA9", 2); /* base64 is longer */
        most[sizeof most - 1] = '\0';
        snprintf(json, sizeof json, "%s%s%s", rows[i].before, most, rows[i].after);
        assert_int_equal(begin(fx, rows[i].id, json, &err), TW_OK);
        assert_int_equal(fx->wg.sc.count, before + 1);
        snprintf(json, sizeof json, "%s%sx%s", rows[i].before, most, rows[i].after);
        assert_int_equal(begin(fx, rows[i].id, json, &err),
                         rows[i].field != NULL ? TW_E_TOO_LARGE : TW_OK);
        if (rows[i].field != NULL) {
            assert_string_equal(tw_error_field(err), rows[i].field);
            assert_non_null(strstr(tw_error_message(err), "longer than 8192 bytes"));
            assert_int_equal(fx->wg.sc.count, before + 1);
        }
        tw_error_free(err);
    }
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

static void cut_once(fixture *fx)
{
    static const char part[] =
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"ping\"}\n\ndata: {";

    head(fx, 200, "text/event-stream", NULL, NULL);
    assert_int_equal(worked_give(&fx->wg, fx->wg.sc.count - 1, part, sizeof part - 1),
                     TW_OK);
    script_fail(&fx->wg.sc, fx->wg.sc.count - 1, TW_E_NETWORK, 1, 0, "reset");
    worked_pass(&fx->wg, 60000);
}

/* A stream that is cut passes as any other answer does. */
static void the_list_is_asked_for_again_after_a_cut_stream(void **state)
{
    fixture *fx = *state;
    char text[128];
    tw_error *err;

    ask(fx, TW_EP_MCP_TOOLS, "{}");
    cut_once(fx);
    assert_int_equal(fx->wg.sc.count, 2);
    head(fx, 200, "text/event-stream", NULL, NULL);
    snprintf(text, sizeof text,
             "data: {\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"tools\":[]}}\n\n",
             last_id(fx));
    assert_int_equal(worked_give(&fx->wg, 1, text, strlen(text)), TW_E_CANCELED);
    worked_turn(&fx->wg);
    expect(fx, "[]");
    /* What comes after a stream need not be one. */
    ask(fx, TW_EP_MCP_TOOLS, "{}");
    cut_once(fx);
    answer(fx, 404, REFUSED("-32601"));
    err = failure(fx, TW_E_RPC);
    assert_int_equal(tw_error_rpc_code(err), -32601);
    tw_error_free(err);
    ask(fx, TW_EP_MCP_TOOLS, "{}");
    cut_once(fx);
    cut_once(fx);
    cut_once(fx);
    tw_error_free(failure(fx, TW_E_NETWORK));
    assert_int_equal(fx->wg.sc.count, 7);
    /* A tool may have run. */
    ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
    cut_once(fx);
    err = failure(fx, TW_E_NETWORK);
    assert_int_equal(tw_error_stored(err), TW_STORED_MAYBE);
    tw_error_free(err);
    assert_int_equal(fx->wg.sc.count, 8);
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
        {TW_EP_MCP_CALL, "{\"content\":[],\"content\":7}"},
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

/* However the parts are escaped, and whatever else there is. */
static void the_text_of_a_result_is_that_of_its_parts(void **state)
{
    static const char content[] =
        "[{\"type\":\"text\",\"text\":\"a\\n\\u00e9\\\"\"},{\"text\":\"no\",\"type\":\"image\"},{},"
        "{\"type\":\"text\"},{\"type\":\"text\",\"text\":7},"
        "{\"text\":\"\",\"type\":\"te\\u0078t\"},{\"type\":\"text\",\"text\":\"b\"}]";
    fixture *fx = *state;
    char body[512];
    char whole[1024];

    ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
    snprintf(body, sizeof body,
             "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"content\":%s}}", last_id(fx),
             content);
    answer(fx, 200, body);
    snprintf(whole, sizeof whole,
             "{\"content\":%s,\"structured_content\":null,\"is_error\":false,\"data\":"
             "{\"content\":%s},\"text\":\"a\\n\\u00e9\\\"\\n\\nb\"}",
             content, content);
    expect(fx, whole);
}

/* A tool that ran is never an answer that nobody can read afterwards. */
static void what_is_taken_can_be_read_to_the_end(void **state)
{
    enum { DEEPEST = 64 }; /* of the readers of both languages */
    fixture *fx = *state;
    int accepted = 0;
    int depth;

    for (depth = 55; depth <= 210; depth += depth < 70 ? 1 : 20) {
        char body[600];
        const tw_reply *rsp;
        tw_error *err = NULL;
        tw_view all;
        char *text;
        size_t size;

        ask(fx, TW_EP_MCP_CALL, "{\"name\":\"t\"}");
        snprintf(
            body, sizeof body,
            "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"structuredContent\":%0*d}}",
            last_id(fx), 2 * depth, 0);
        memset(strstr(body, "Content\":") + 9, '[', (size_t)depth);
        memset(strstr(body, "Content\":") + 9 + depth, ']', (size_t)depth);
        answer(fx, 200, body);
        if (tw_job_result(&rsp, fx->job, &err) == TW_OK) {
            assert_int_equal(tw_reply_result(&text, &size, rsp, NULL), TW_OK);
            assert_int_equal(tw__view_open(&all, text, size, DEEPEST, SIZE_MAX, NULL),
                             TW_OK);
            tw_text_free(text);
            accepted = depth;
        } else {
            assert_int_equal(tw_error_code(err), TW_E_PROTOCOL);
            assert_int_equal(tw_error_stored(err), TW_STORED_MAYBE);
            assert_non_null(strstr(tw_error_message(err), "deeper than 64"));
            tw_error_free(err);
        }
    }
    assert_int_equal(accepted, 62);
}

static int shaken_once(fixture *fx)
{
    const tw_reply *rsp;
    int rc;

    tw__gate_mcp(fx->wg.gate)->era = TW_MCP_UNKNOWN;
    rc = begin(fx, TW_EP_MCP_TOOLS, "{\"timeout\":60}", NULL);
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
        CASE(refusals_are_typed_and_say_whether_anything_was_done),
        CASE(a_401_says_where_tokens_come_from),
        CASE(a_challenge_is_read_by_its_grammar),
        CASE(a_token_is_redacted_as_long_as_a_call_carries_it),
        CASE(a_token_is_inherited_whoever_held_the_lock),
        CASE(a_repetition_carries_the_newest_token),
        CASE(nothing_is_repeated_without_a_token),
        CASE(nothing_is_sent_of_what_is_wrong),
        CASE(a_text_is_as_long_as_a_header_may_be),
        CASE(only_the_list_is_asked_for_again),
        CASE(the_list_is_asked_for_again_after_a_cut_stream),
        CASE(input_that_is_asked_for_is_no_result),
        CASE(what_a_tool_wants_of_the_client_is_said),
        CASE(results_of_another_kind_are_refused),
        CASE(the_text_of_a_result_is_that_of_its_parts),
        CASE(what_is_taken_can_be_read_to_the_end),
        UNKNOWN(every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
