/* SPDX-License-Identifier: MIT */
/* One request to the MCP server, and the response to it in what comes off the wire. */
#include <string.h>
#include <strings.h>

#include "areas/mcp_internal.h"
#include "base/clock.h"
#include "base/error.h"

enum {
    HEADERS_MOST = 32 * 1024, /* two of TW_MCP_HEADER_MOST in base64, and small ones */
    HEADER_COUNT = 6,
    GRACE_MS = 1000 /* the timer of the call ends it; behind it the transport's limit */
};

#define TOO_LONG "the answer was longer than 67108864 bytes"
_Static_assert(TW_MCP_ANSWER_MOST == 67108864, "TOO_LONG says it");

/* ---- requests ---------------------------------------------------------------------- */

static int headers_fill(mcp_call *mc, const tw_mcp_message *message, tw_buf *lines,
                        const char *list[HEADER_COUNT + 1])
{
    const tw_mcp_session *session =
        mc->stage == STAGE_INITIALIZED ? &mc->shaken : &tw__gate_mcp(mc->gate)->session;
    size_t at = 0;
    size_t n = 0;
    int rc = TW_OK;

    if (mc->modern) {
        rc = tw__mcp_header_put(lines, "MCP-Protocol-Version", TW_MCP_VERSION,
                                strlen(TW_MCP_VERSION));
        if (rc == TW_OK)
            rc = tw__mcp_header_put(lines, "Mcp-Method", message->method,
                                    strlen(message->method));
        if (rc == TW_OK && mc->stage == STAGE_ASK && mc->name != NULL)
            rc = tw__mcp_header_put(lines, "Mcp-Name", mc->name, mc->name_size);
    } else if (mc->stage != STAGE_INITIALIZE) {
        rc = tw__mcp_header_put(lines, "MCP-Protocol-Version", session->version,
                                strlen(session->version));
        if (rc == TW_OK && session->id[0] != '\0')
            rc = tw__buf_printf(lines, "Mcp-Session-Id: %s%c", session->id, '\0');
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

/* Of one attempt. */
static int64_t time_left(const mcp_call *mc)
{
    int64_t left = mc->due_ms - tw__monotonic_ms();

    if (mc->timeout_ms == 0)
        return 0;
    return (left > 0 ? left : 0) + GRACE_MS;
}

static int call_begin(mcp_call *mc, const char *const *headers, tw_error **err)
{
    static const tw_call_sink sink = {mcp_head, mcp_data, mcp_done};
    tw_call_spec spec;

    memset(&spec, 0, sizeof spec);
    spec.endpoint = mc->endpoint;
    spec.content_type = "application/json";
    spec.headers = headers;
    spec.body = mc->body.data;
    spec.body_size = mc->body.size;
    spec.timeout_ms = time_left(mc);
    /* A second session does no harm. */
    spec.flags = TW_CALL_REREADS | (mc->stage == STAGE_ASK ? 0 : TW_CALL_REPEATABLE);
    return tw__call_start(&mc->call, mc->gate, &spec, &sink, mc, err);
}

void tw__mcp_send(mcp_call *mc, tw_mcp_message *message)
{
    tw_mcp_server *server = tw__gate_mcp(mc->gate);
    const char *headers[HEADER_COUNT + 1];
    tw_error *err = NULL;
    tw_buf lines;
    int rc;

    tw__buf_reset(&mc->body);
    tw__buf_reset(&mc->answer);
    mc->streaming = mc->found = 0;
    mc->streamed = 0;
    mc->fault = NULL;
    mc->id = message->id = mc->stage == STAGE_INITIALIZED ? 0 : ++server->last_id;
    mc->token = tw__gate_token(mc->gate);
    mc->opened = server->opened;
    tw__buf_init(&lines, HEADERS_MOST);
    rc = headers_fill(mc, message, &lines, headers);
    if (rc == TW_OK)
        rc = tw__mcp_message_put(&mc->body, message);
    if (rc == TW_OK)
        rc = call_begin(mc, headers, &err);
    else if (rc == TW_E_TOO_LARGE)
        tw__error(&err, rc, "%s: the request was too long",
                  tw__endpoint(mc->endpoint)->name);
    else
        tw__error_nomem(&err);
    tw__buf_clear(&lines);
    if (rc != TW_OK)
        tw__mcp_finish(mc, NULL, err);
}

/* ---- streams ----------------------------------------------------------------------- */

static int is_stream(const char *content_type)
{
    return strncasecmp(content_type, "text/event-stream", 17) == 0;
}

/* Given up: nothing that would pass if it were asked for again. */
static int stream_fault(mcp_call *mc, const char *fault)
{
    mc->fault = fault;
    return TW_E_CANCELED;
}

int tw__mcp_event(void *ctx, const char *data, size_t size)
{
    mcp_call *mc = ctx;
    tw_mcp_response rsp;
    int rc = tw__mcp_event_find(&rsp, data, size, mc->id);

    if (rc == TW_E_PROTOCOL)
        return stream_fault(mc, "an event of the answer could not be read");
    if (rc != TW_OK)
        return rc == TW_DONE ? TW_OK : rc;
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
    mc->streamed = 0;
    if (!mc->streaming)
        return TW_OK;
    if (mc->stage == STAGE_INITIALIZED) { /* nothing in it is for us */
        mc->found = 1;
        tw__call_cancel(mc->call);
        return TW_E_CANCELED; /* `mc` may be gone */
    }
    return TW_DONE;
}

static int mcp_data(void *ctx, const char *bytes, size_t size)
{
    mcp_call *mc = ctx;
    int rc;

    mc->streamed += size;
    if (mc->streamed > TW_MCP_ANSWER_MOST)
        return stream_fault(mc, TOO_LONG);
    rc = tw__mcp_events_feed(&mc->events, bytes, size);
    if (rc == TW_E_TOO_LARGE)
        return stream_fault(mc, TOO_LONG);
    if (rc != TW_DONE)
        return rc;
    /* The server may keep the stream open. */
    mc->found = 1;
    tw__call_cancel(mc->call);
    return TW_E_CANCELED; /* `mc` may be gone */
}

/* ---- the end ----------------------------------------------------------------------- */

/* The response among the events of an answer that is whole. */
static int events_read(mcp_call *mc, tw_mcp_response *rsp, const tw_outcome *outcome)
{
    int rc = TW_OK;

    if (!mc->streaming) {
        tw__mcp_events_reset(&mc->events);
        if (outcome->body_size > 0)
            rc = tw__mcp_events_feed(&mc->events, outcome->body, outcome->body_size);
    }
    if (rc == TW_OK && !(outcome->err != NULL && mc->streaming))
        rc = tw__mcp_events_feed(&mc->events, "", 0);
    if (rc == TW_DONE)
        return tw__mcp_response_find(rsp, mc->answer.data, mc->answer.size, mc->id, 1);
    return rc == TW_OK ? TW_DONE : rc;
}

/* TW_OK, TW_DONE where there is none, or an error. */
static int response_read(mcp_call *mc, tw_mcp_response *rsp, const tw_outcome *outcome)
{
    if (mc->found)
        return tw__mcp_response_find(rsp, mc->answer.data, mc->answer.size, mc->id, 1);
    if (mc->streaming || is_stream(outcome->head.content_type))
        return events_read(mc, rsp, outcome);
    if (outcome->body_size == 0)
        return TW_DONE;
    return tw__mcp_response_find(rsp, outcome->body, outcome->body_size, mc->id, 1);
}

void tw__mcp_finish_stopped(mcp_call *mc, tw_stored stored)
{
    const char *name = tw__endpoint(mc->endpoint)->name;
    tw_error *err = NULL;

    if (mc->stop == TW_E_TIMEOUT)
        tw__error(&err, mc->stop, "%s: the call took longer than %g seconds", name,
                  (double)mc->timeout_ms / 1000);
    else
        tw__error(&err, mc->stop, "%s: the call was %s", name,
                  mc->stop == TW_E_CLOSED ? "ended: the client was closed" : "cancelled");
    tw__error_set_stored(err, stored);
    tw__error_set_retriable(err, mc->stop == TW_E_TIMEOUT);
    tw__mcp_finish(mc, NULL, err);
}

static void mcp_done(void *ctx, const tw_outcome *outcome)
{
    mcp_call *mc = ctx;
    tw_mcp_response rsp;
    int rc;

    tw__job_count(mc->job, outcome->attempts, outcome->body_bytes);
    if (outcome->head.status < 200 || outcome->head.status > 299)
        mc->streaming = 0; /* an earlier attempt did */
    if (mc->stop != 0) {
        tw__mcp_finish_stopped(mc, outcome->stored);
        return;
    }
    if (mc->stage == STAGE_INITIALIZED) {
        tw__mcp_notified(mc, outcome);
        return;
    }
    rc = mc->fault == NULL ? response_read(mc, &rsp, outcome) : TW_E_PROTOCOL;
    if (mc->fault != NULL)
        tw__mcp_finish_fault(mc, mc->fault, outcome->head.status, TW_STORED_MAYBE);
    else if (rc == TW_OK && rsp.result.text == NULL)
        tw__mcp_refused(mc, &rsp, outcome);
    else if (rc == TW_OK)
        tw__mcp_answered(mc, rsp.result, outcome);
    else
        tw__mcp_unanswered(mc, rc, outcome);
}
