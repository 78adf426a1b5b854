/* SPDX-License-Identifier: MIT */
/* A call of the MCP server as a job: finding out how the server speaks, the call, all pages. */
#include "areas/mcp.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include <tidewheel/version.h>

#include "base/alloc.h"
#include "base/error.h"
#include "json/parts.h"

enum {
    BODY_MOST = 8 * 1024 * 1024 + 4096,
    EVENT_MOST = 64 * 1024 * 1024,
    HEADERS_MOST = 16 * 1024,
    HEADER_COUNT = 6,
    PAGES_MOST = 1000,
    TURNS_MOST = 3, /* changes of era, and new sessions, within one call */
    SAID_MOST = 300
};

typedef enum mcp_stage {
    STAGE_ASK,
    STAGE_INITIALIZE, /* only before 2026-07-28 */
    STAGE_INITIALIZED
} mcp_stage;

typedef struct mcp_call {
    tw_job *job; /* borrowed: alive until it is finished */
    tw_gate *gate;
    tw_endpoint_id endpoint;
    char *method, *params;
    size_t params_size;
    char *name; /* what Mcp-Name repeats, NULL for none */
    size_t name_size;
    int64_t timeout_ms;

    tw_call *call;
    mcp_stage stage;
    int64_t id;     /* of the request in flight */
    uint64_t token; /* what counted before it was sent */
    int modern;     /* how it was written */
    int turns;
    tw_error *first; /* why the era was changed: told when the other one is none either */
    tw_buf body;
    tw_mcp_events events;
    int streaming;
    int found;     /* the response stood in the stream, whose rest is not waited for */
    tw_buf answer; /* the message with it */
    tw_buf tools;  /* elements of the list so far */
    tw_buf cursor; /* JSON; empty on the first page */
    int pages;
    int stop; /* TW_E_CANCELED or TW_E_CLOSED once asked to stop */
} mcp_call;

static void mcp_ask(mcp_call *mc);
static void mcp_initialize(mcp_call *mc);

/* ---- the end ----------------------------------------------------------------------- */

/* `rsp` and `err` are taken. The state may be gone on return. */
static void mcp_finish(mcp_call *mc, tw_reply *rsp, tw_error *err)
{
    tw__job_finish(mc->job, rsp, err);
}

static void mcp_finish_nomem(mcp_call *mc)
{
    tw_error *err = NULL;

    tw__error_nomem(&err);
    mcp_finish(mc, NULL, err);
}

static void mcp_fail(mcp_call *mc, const tw_error *from)
{
    mcp_finish(mc, NULL, tw__error_copy(from));
}

static void mcp_finish_text(mcp_call *mc, tw_buf *text)
{
    tw_reply *rsp = NULL;
    size_t size;
    char *body = tw__buf_take(text, &size);

    if (body == NULL || tw__reply_new(&rsp, 200, body, size) != TW_OK) {
        tw__free(body);
        mcp_finish_nomem(mc);
        return;
    }
    tw__reply_set_form(rsp, tw__operation(mc->endpoint)->form);
    mcp_finish(mc, rsp, NULL);
}

static void mcp_protocol_error(mcp_call *mc, const char *what, const tw_outcome *outcome)
{
    tw_error *err = NULL;

    tw__error(&err, TW_E_PROTOCOL, "%s: %s", tw__endpoint(mc->endpoint)->name, what);
    tw__error_set_http(err, outcome->head.status);
    tw__error_set_stored(err, outcome->stored);
    mcp_finish(mc, NULL, err);
}

/* ---- requests ---------------------------------------------------------------------- */

static int headers_fill(mcp_call *mc, tw_buf *lines, const char *list[HEADER_COUNT + 1])
{
    const tw_mcp_server *server = tw__gate_mcp(mc->gate);
    size_t at = 0;
    size_t n = 0;
    int rc = TW_OK;

    if (mc->modern) {
        rc = tw__mcp_header_put(lines, "MCP-Protocol-Version", TW_MCP_VERSION,
                                strlen(TW_MCP_VERSION));
        if (rc == TW_OK)
            rc = tw__mcp_header_put(lines, "Mcp-Method", mc->method, strlen(mc->method));
        if (rc == TW_OK && mc->name != NULL)
            rc = tw__mcp_header_put(lines, "Mcp-Name", mc->name, mc->name_size);
    } else if (mc->stage != STAGE_INITIALIZE) {
        rc = tw__mcp_header_put(lines, "MCP-Protocol-Version", server->version,
                                strlen(server->version));
        if (rc == TW_OK && server->session[0] != '\0')
            rc = tw__buf_printf(lines, "Mcp-Session-Id: %s%c", server->session, '\0');
    }
    while (rc == TW_OK && at < lines->size) {
        list[n++] = lines->data + at;
        at += strlen(lines->data + at) + 1;
    }
    list[n] = NULL;
    return rc;
}

static int mcp_head(void *ctx, const tw_head *head);
static int mcp_data(void *ctx, const char *bytes, size_t size);
static void mcp_done(void *ctx, const tw_outcome *outcome);

/* `message` without its id. */
static void mcp_send(mcp_call *mc, tw_mcp_message *message)
{
    static const tw_call_sink sink = {mcp_head, mcp_data, mcp_done};
    const char *headers[HEADER_COUNT + 1];
    tw_error *err = NULL;
    tw_call_spec spec;
    tw_buf lines;
    int rc;

    tw__buf_reset(&mc->body);
    tw__buf_reset(&mc->answer);
    mc->streaming = mc->found = 0;
    mc->id = message->id =
        mc->stage == STAGE_INITIALIZED ? 0 : ++tw__gate_mcp(mc->gate)->last_id;
    mc->token = tw__gate_token(mc->gate);
    tw__buf_init(&lines, HEADERS_MOST);
    rc = headers_fill(mc, &lines, headers);
    if (rc == TW_OK)
        rc = tw__mcp_message_put(&mc->body, message);
    if (rc == TW_OK) {
        memset(&spec, 0, sizeof spec);
        spec.endpoint = mc->endpoint;
        spec.content_type = "application/json";
        spec.headers = headers;
        spec.body = mc->body.data;
        spec.body_size = mc->body.size;
        spec.timeout_ms = mc->timeout_ms;
        /* A second session does no harm. */
        spec.flags = mc->stage == STAGE_ASK ? 0 : TW_CALL_REPEATABLE;
        rc = tw__call_start(&mc->call, mc->gate, &spec, &sink, mc, &err);
    } else if (rc == TW_E_TOO_LARGE) {
        tw__error(&err, rc, "%s: the request was too long",
                  tw__endpoint(mc->endpoint)->name);
    } else {
        tw__error_nomem(&err);
    }
    tw__buf_clear(&lines);
    if (rc != TW_OK)
        mcp_finish(mc, NULL, err);
}

static void mcp_ask(mcp_call *mc)
{
    const tw_mcp_server *server = tw__gate_mcp(mc->gate);
    tw_mcp_message message;

    /* A session is a user's. */
    if (server->era == TW_MCP_LEGACY && server->token != tw__gate_token(mc->gate)) {
        mcp_initialize(mc);
        return;
    }
    memset(&message, 0, sizeof message);
    mc->stage = STAGE_ASK;
    mc->modern = server->era != TW_MCP_LEGACY;
    message.method = mc->method;
    message.params = mc->params;
    message.params_size = mc->params_size;
    message.modern = mc->modern;
    if (mc->cursor.size > 0) {
        message.cursor = mc->cursor.data;
        message.cursor_size = mc->cursor.size;
    }
    mcp_send(mc, &message);
}

static void mcp_initialize(mcp_call *mc)
{
    static const char params[] =
        "{\"protocolVersion\":\"" TW_MCP_LEGACY_VERSION "\",\"capabilities\":{},"
        "\"clientInfo\":{\"name\":\"tidewheel\",\"version\":\"" TW_VERSION "\"}}";
    tw_mcp_message message;

    memset(&message, 0, sizeof message);
    mc->stage = STAGE_INITIALIZE;
    mc->modern = 0;
    message.method = "initialize";
    message.params = params;
    message.params_size = sizeof params - 1;
    mcp_send(mc, &message);
}

static void mcp_initialized(mcp_call *mc)
{
    tw_mcp_message message;

    memset(&message, 0, sizeof message);
    mc->stage = STAGE_INITIALIZED;
    message.method = "notifications/initialized";
    mcp_send(mc, &message);
}

/* ---- changing the era --------------------------------------------------------------- */

/* The other era, or a new session, and then the same call again: nothing was done by what was
 * refused. Zero when it was tried often enough. */
static int mcp_turn(mcp_call *mc, const tw_error *why, int to_legacy)
{
    tw_mcp_server *server = tw__gate_mcp(mc->gate);

    if (mc->turns++ >= TURNS_MOST)
        return 0;
    if (mc->first == NULL)
        mc->first = tw__error_copy(why);
    server->era = TW_MCP_UNKNOWN;
    if (to_legacy)
        mcp_initialize(mc);
    else
        mcp_ask(mc);
    return 1;
}

/* Statuses with which a server says that it does not know such a request. */
static int is_puzzled(int status)
{
    return status == 400 || status == 404 || status == 405 || status == 406 ||
           status == 415 || status == 422;
}

/* Errors that only a server without handshakes gives. */
static int is_modern_error(int64_t code, int status)
{
    return code == TW_MCP_HEADER_MISMATCH || code == TW_MCP_MISSING_CAPABILITY ||
           code == TW_MCP_UNSUPPORTED_VERSION ||
           (code == TW_MCP_METHOD_NOT_FOUND && status == 404);
}

static int speaks_legacy(tw_view data)
{
    tw_view_walk walk = tw__view_walk(tw__view_member(data, "supported"));
    tw_view one;

    while (tw__view_next(&walk, NULL, &one)) {
        if (tw__mcp_legacy_version(one) != NULL)
            return 1;
    }
    return 0;
}

/* What to try instead of giving up with `err`. Zero where there is nothing. */
static int mcp_try_other(mcp_call *mc, const tw_mcp_response *rsp, int status,
                         const tw_error *err)
{
    const tw_mcp_server *server = tw__gate_mcp(mc->gate);

    if (mc->stage != STAGE_ASK)
        return 0;
    if (mc->modern && rsp != NULL && is_modern_error(rsp->code, status))
        return rsp->code == TW_MCP_UNSUPPORTED_VERSION && speaks_legacy(rsp->data) &&
               mcp_turn(mc, err, 1);
    if (!is_puzzled(status))
        return 0;
    if (mc->modern)
        return server->era == TW_MCP_UNKNOWN && mcp_turn(mc, err, 1);
    /* The session is over; or the server has moved on. */
    if (status == 404 && server->session[0] != '\0')
        return mcp_turn(mc, err, 1);
    return status == 400 && rsp != NULL && is_modern_error(rsp->code, status) &&
           mcp_turn(mc, err, 0);
}

/* ---- answers ------------------------------------------------------------------------ */

static int said_put(tw_buf *out, tw_view text)
{
    tw__buf_init(out, 64 * 1024);
    if (tw__view_text(out, text) == TW_OK && tw__buf_putc(out, '\0') == TW_OK)
        return 1;
    tw__buf_reset(out);
    return 0;
}

static tw_error *rpc_error(const mcp_call *mc, const tw_mcp_response *rsp,
                           const tw_outcome *outcome)
{
    tw_error *err = NULL;
    tw_buf said;
    int refused = rsp->code <= -32600 && rsp->code >= TW_MCP_INVALID_PARAMS;

    if (said_put(&said, rsp->message))
        tw__gate_redact(mc->gate, said.data);
    tw__error(&err, TW_E_RPC, "%s: the server refused %s (code %lld)%s%.*s",
              tw__endpoint(mc->endpoint)->name,
              mc->stage == STAGE_ASK ? mc->method : "initialize", (long long)rsp->code,
              said.size > 1 ? ": " : "", SAID_MOST, said.size > 1 ? said.data : "");
    tw__buf_clear(&said);
    tw__error_set_rpc(err, rsp->code);
    tw__error_set_http(err, outcome->head.status);
    tw__error_set_stored(err, refused || is_modern_error(rsp->code, 0) ? TW_STORED_NO
                                                                       : TW_STORED_MAYBE);
    return err;
}

static void mcp_refused(mcp_call *mc, const tw_mcp_response *rsp,
                        const tw_outcome *outcome)
{
    int status = outcome->head.status;
    /* What the status says counts where it says something. */
    int by_status = outcome->err != NULL && tw_error_code(outcome->err) != TW_E_HTTP &&
                    tw_error_code(outcome->err) != TW_E_CANCELED;
    tw_error *err =
        by_status ? tw__error_copy(outcome->err) : rpc_error(mc, rsp, outcome);

    if (mcp_try_other(mc, rsp, status, err)) {
        tw_error_free(err);
    } else if (mc->stage == STAGE_INITIALIZE && mc->first != NULL && !by_status) {
        mcp_fail(mc, mc->first); /* what was really asked for */
        tw_error_free(err);
    } else {
        mcp_finish(mc, NULL, err);
    }
}

/* Whether the tools of a page were put behind the others. */
static int tools_add(mcp_call *mc, tw_view result)
{
    tw_view_walk walk = tw__view_walk(tw__view_member(result, "tools"));
    tw_view one;
    int rc = TW_OK;

    while (rc == TW_OK && tw__view_next(&walk, NULL, &one)) {
        rc = tw__buf_putc(&mc->tools, mc->tools.size == 0 ? '[' : ',');
        if (rc == TW_OK)
            rc = tw__view_put(&mc->tools, one);
    }
    return rc;
}

/* A page of the list; 1 where there is another one. */
static int tools_page(mcp_call *mc, tw_view result, const tw_outcome *outcome)
{
    tw_view next = tw__view_member(result, "nextCursor");
    int more = tw__view_kind(next) == TW_JSON_STRING;

    if (tw__view_kind(tw__view_member(result, "tools")) != TW_JSON_ARRAY) {
        mcp_protocol_error(mc, "the answer had no list of tools", outcome);
        return -1;
    }
    if (more && (++mc->pages >= PAGES_MOST ||
                 (mc->cursor.size == next.size &&
                  memcmp(mc->cursor.data, next.text, next.size) == 0))) {
        mcp_protocol_error(mc, "the pages of the list of tools had no end", outcome);
        return -1;
    }
    tw__buf_reset(&mc->cursor);
    if (tools_add(mc, result) != TW_OK ||
        (more && tw__view_put(&mc->cursor, next) != 0)) {
        mcp_finish_nomem(mc);
        return -1;
    }
    return more;
}

static void mcp_answered(mcp_call *mc, tw_view result, const tw_outcome *outcome)
{
    tw_mcp_server *server = tw__gate_mcp(mc->gate);
    tw_buf text;
    int more;

    if (mc->modern)
        server->era = TW_MCP_MODERN;
    if (mc->endpoint == TW_EP_MCP_TOOLS) {
        more = tools_page(mc, result, outcome);
        if (more > 0)
            mcp_ask(mc);
        if (more != 0)
            return;
        if (tw__buf_puts(&mc->tools, mc->tools.size == 0 ? "[]" : "]") == TW_OK)
            mcp_finish_text(mc, &mc->tools);
        else
            mcp_finish_nomem(mc);
        return;
    }
    tw__buf_init(&text, EVENT_MOST);
    if (tw__view_put(&text, result) == TW_OK)
        mcp_finish_text(mc, &text);
    else
        mcp_finish_nomem(mc);
    tw__buf_clear(&text);
}

static void mcp_session(mcp_call *mc, tw_view result, const tw_outcome *outcome)
{
    tw_mcp_server *server = tw__gate_mcp(mc->gate);
    const char *version =
        tw__mcp_legacy_version(tw__view_member(result, "protocolVersion"));

    if (version == NULL) {
        mcp_protocol_error(mc, "the server speaks no version of MCP that we know",
                           outcome);
        return;
    }
    server->era = TW_MCP_LEGACY;
    server->version = version;
    server->token = mc->token;
    memcpy(server->session, outcome->head.session, strlen(outcome->head.session) + 1);
    mcp_initialized(mc);
}

/* The response, wherever it stood. */
static void mcp_response(mcp_call *mc, const tw_mcp_response *rsp,
                         const tw_outcome *outcome)
{
    if (rsp->result.text == NULL)
        mcp_refused(mc, rsp, outcome);
    else if (mc->stage == STAGE_INITIALIZE)
        mcp_session(mc, rsp->result, outcome);
    else
        mcp_answered(mc, rsp->result, outcome);
}

/* ---- what comes off the wire -------------------------------------------------------- */

static int is_stream(const char *content_type)
{
    return strncasecmp(content_type, "text/event-stream", 17) == 0;
}

/* One event: TW_DONE when it is the response. What is no JSON is none. */
static int mcp_event(void *ctx, const char *data, size_t size)
{
    mcp_call *mc = ctx;
    tw_mcp_response rsp;
    int rc = tw__mcp_response_find(&rsp, data, size, mc->id, 1);

    if (rc != TW_OK)
        return rc == TW_E_NOMEM ? rc : TW_OK;
    rc = tw__buf_put(&mc->answer, data, size);
    return rc == TW_OK ? TW_DONE : rc;
}

static int mcp_head(void *ctx, const tw_head *head)
{
    mcp_call *mc = ctx;

    mc->streaming = is_stream(head->content_type) &&
                    (head->content_encoding[0] == '\0' ||
                     strcmp(head->content_encoding, "identity") == 0);
    tw__mcp_events_reset(&mc->events);
    tw__buf_reset(&mc->answer);
    return mc->streaming ? TW_DONE : TW_OK;
}

static int mcp_data(void *ctx, const char *bytes, size_t size)
{
    mcp_call *mc = ctx;
    int rc = tw__mcp_events_feed(&mc->events, bytes, size);

    if (rc != TW_DONE)
        return rc;
    /* The server may keep the stream open. */
    mc->found = 1;
    tw__call_cancel(mc->call);
    return TW_E_CANCELED; /* `mc` may be gone */
}

/* The response in a body that was read to its end. TW_OK, TW_DONE, or an error. */
static int body_read(mcp_call *mc, tw_mcp_response *rsp, const tw_outcome *outcome)
{
    int refused = outcome->err != NULL;
    int rc;

    if (!mc->streaming && !is_stream(outcome->head.content_type))
        return outcome->body_size == 0
                   ? TW_DONE
                   : tw__mcp_response_find(rsp, outcome->body, outcome->body_size, mc->id,
                                           1);
    rc = TW_OK;
    if (!mc->streaming) {
        tw__mcp_events_reset(&mc->events);
        rc = outcome->body_size > 0
                 ? tw__mcp_events_feed(&mc->events, outcome->body, outcome->body_size)
                 : TW_OK;
    }
    if (rc == TW_OK && !(refused && mc->streaming))
        rc = tw__mcp_events_feed(&mc->events, "", 0);
    if (rc == TW_DONE)
        return tw__mcp_response_find(rsp, mc->answer.data, mc->answer.size, mc->id, 1);
    return rc == TW_OK ? TW_DONE : rc;
}

static void mcp_finish_stopped(mcp_call *mc, tw_stored stored)
{
    tw_error *err = NULL;

    tw__error(&err, mc->stop, "%s: the call was %s", tw__endpoint(mc->endpoint)->name,
              mc->stop == TW_E_CLOSED ? "ended: the client was closed" : "cancelled");
    tw__error_set_stored(err, stored);
    mcp_finish(mc, NULL, err);
}

/* An answer without the response. */
static void mcp_unanswered(mcp_call *mc, int rc, const tw_outcome *outcome)
{
    if (rc == TW_E_NOMEM) {
        mcp_finish_nomem(mc);
    } else if (outcome->err == NULL && mc->stage == STAGE_INITIALIZED) {
        mcp_ask(mc);
    } else if (outcome->err == NULL) {
        mcp_protocol_error(mc,
                           rc == TW_E_PROTOCOL ? "the answer was not JSON-RPC"
                                               : "the answer ended without the response",
                           outcome);
    } else if (tw_error_code(outcome->err) != TW_E_HTTP ||
               !mcp_try_other(mc, NULL, outcome->head.status, outcome->err)) {
        mcp_fail(mc, mc->stage == STAGE_INITIALIZE && mc->first != NULL &&
                             tw_error_code(outcome->err) == TW_E_HTTP
                         ? mc->first
                         : outcome->err);
    }
}

static void mcp_done(void *ctx, const tw_outcome *outcome)
{
    mcp_call *mc = ctx;
    tw_mcp_response rsp;
    int rc;

    tw__job_count(mc->job, outcome->attempts, outcome->body_bytes);
    if (mc->stop != 0) {
        mcp_finish_stopped(mc, outcome->stored);
        return;
    }
    /* A notification has no response: what came is nothing that the call asked for. */
    if (mc->stage == STAGE_INITIALIZED && (mc->found || outcome->err == NULL)) {
        mcp_ask(mc);
        return;
    }
    if (mc->found)
        rc = tw__mcp_response_find(&rsp, mc->answer.data, mc->answer.size, mc->id, 1);
    else
        rc = body_read(mc, &rsp, outcome);
    if (rc == TW_OK)
        mcp_response(mc, &rsp, outcome);
    else
        mcp_unanswered(mc, rc, outcome);
}

/* ---- the job ------------------------------------------------------------------------ */

static void mcp_begin(tw_job *job, void *state)
{
    mcp_call *mc = state;

    mc->job = job;
    tw__job_set_phase(job, "requested");
    mcp_ask(mc);
}

static void mcp_cancel(tw_job *job, void *state, int code)
{
    mcp_call *mc = state;

    (void)job;
    if (mc->call == NULL)
        return;
    mc->stop = code;
    tw__call_cancel(mc->call); /* done() finishes the job */
}

static void mcp_release(void *state)
{
    mcp_call *mc = state;

    tw__free(mc->method);
    tw__free(mc->params);
    tw__free(mc->name);
    tw_error_free(mc->first);
    tw__buf_clear(&mc->body);
    tw__buf_clear(&mc->answer);
    tw__buf_clear(&mc->tools);
    tw__buf_clear(&mc->cursor);
    tw__mcp_events_clear(&mc->events);
    tw__free(mc);
}

/* The decoded text of a JSON string. */
static int text_copy(char **out, size_t *size, const char *json, size_t json_size)
{
    tw_buf text;
    int rc;

    tw__buf_init(&text, BODY_MOST);
    rc = tw__json_text(&text, json, json_size);
    *out = rc == TW_OK ? tw__buf_take(&text, size) : NULL;
    tw__buf_clear(&text);
    return rc == TW_DONE || *out != NULL ? TW_OK : TW_E_NOMEM;
}

/* {"name": ..., "arguments": {...}} */
static int tool_params(mcp_call *mc, const tw_given *given)
{
    size_t name_size, size;
    const char *name = tw__given(given, "name", &name_size);
    const char *json = tw__given(given, "arguments", &size);
    tw_buf params;
    int rc;

    if (json == NULL || json[0] != '{') {
        json = "{}";
        size = 2;
    }
    tw__buf_init(&params, BODY_MOST);
    rc = tw__buf_puts(&params, "{\"name\":");
    if (rc == TW_OK)
        rc = tw__buf_put(&params, name, name_size);
    if (rc == TW_OK)
        rc = tw__buf_puts(&params, ",\"arguments\":");
    if (rc == TW_OK)
        rc = tw__buf_put(&params, json, size);
    if (rc == TW_OK)
        rc = tw__buf_putc(&params, '}');
    if (rc == TW_OK)
        mc->params = tw__buf_take(&params, &mc->params_size);
    tw__buf_clear(&params);
    return mc->params != NULL ? text_copy(&mc->name, &mc->name_size, name, name_size)
                              : TW_E_NOMEM;
}

/* The part of the params that a header repeats, by method. */
static int name_find(mcp_call *mc)
{
    tw_view params = {mc->params, mc->params_size};
    tw_view name = {NULL, 0};

    if (strcmp(mc->method, "tools/call") == 0 || strcmp(mc->method, "prompts/get") == 0)
        name = tw__view_member(params, "name");
    else if (strcmp(mc->method, "resources/read") == 0)
        name = tw__view_member(params, "uri");
    return tw__view_kind(name) == TW_JSON_STRING
               ? text_copy(&mc->name, &mc->name_size, name.text, name.size)
               : TW_OK;
}

static int request_params(mcp_call *mc, const tw_given *given)
{
    size_t method_size, size, unused;
    const char *method = tw__given(given, "method", &method_size);
    const char *json = tw__given(given, "params", &size);

    if (text_copy(&mc->method, &unused, method, method_size) != TW_OK ||
        mc->method == NULL)
        return TW_E_NOMEM;
    if (json == NULL || json[0] != '{')
        return TW_OK;
    mc->params = tw__strndup(json, size);
    mc->params_size = size;
    return mc->params != NULL ? name_find(mc) : TW_E_NOMEM;
}

static int mcp_fill(mcp_call *mc, const tw_given *given)
{
    size_t size;
    const char *timeout = tw__given(given, "timeout", &size);
    double seconds;

    mc->endpoint = given->operation->endpoint;
    tw__buf_init(&mc->body, BODY_MOST);
    tw__buf_init(&mc->answer, EVENT_MOST);
    tw__buf_init(&mc->tools, EVENT_MOST);
    tw__buf_init(&mc->cursor, 64 * 1024);
    tw__mcp_events_init(&mc->events, EVENT_MOST, mcp_event, mc);
    if (timeout != NULL && tw__json_real(&seconds, timeout, size))
        mc->timeout_ms = (int64_t)ceil(seconds * 1000);
    if (mc->endpoint == TW_EP_MCP_REQUEST)
        return request_params(mc, given);
    mc->method = tw__strdup(mc->endpoint == TW_EP_MCP_CALL ? "tools/call" : "tools/list");
    if (mc->method == NULL)
        return TW_E_NOMEM;
    return mc->endpoint == TW_EP_MCP_CALL ? tool_params(mc, given) : TW_OK;
}

int tw__mcp_start(tw_job **out, tw_gate *gate, const tw_given *given, tw_queue *queue,
                  tw_error **err)
{
    static const tw_job_kind kind = {mcp_begin, mcp_cancel, NULL, mcp_release};
    mcp_call *mc = tw__alloc_zero(1, sizeof *mc);

    *out = NULL;
    if (mc == NULL)
        return tw__error_nomem(err);
    mc->gate = gate;
    if (mcp_fill(mc, given) != TW_OK) {
        mcp_release(mc);
        return tw__error_nomem(err);
    }
    return tw__job_start(out, tw__gate_loop(gate), queue, &kind, mc, err);
}
