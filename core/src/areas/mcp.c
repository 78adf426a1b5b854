/* SPDX-License-Identifier: MIT */
/* A call of the MCP server as a job: what it asks for, the result, all pages, the end. */
#include "areas/mcp.h"

#include <math.h>
#include <string.h>

#include "areas/mcp_internal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "json/parts.h"

enum {
    BODY_MOST = 8 * 1024 * 1024 + 4096,
    CURSOR_MOST = 64 * 1024,
    PAGES_MOST = 100 /* of our choice: none is documented */
};

/* ---- the end ----------------------------------------------------------------------- */

void tw__mcp_finish(mcp_call *mc, tw_reply *rsp, tw_error *err)
{
    tw_gate *gate = mc->gate;
    /* While the client is closed each is stopped by itself. */
    int others = tw__mcp_leave(mc) && mc->stop != TW_E_CLOSED;
    int in_vain = mc->stop == 0;

    tw__timer_disarm(tw__gate_loop(gate), &mc->timer);
    if (mc->stage != STAGE_ASK)
        tw__error_set_stored(err, TW_STORED_NO);
    tw__job_finish(mc->job, rsp, err);
    if (others)
        tw__mcp_others_go(gate, in_vain);
}

void tw__mcp_stop(mcp_call *mc, int code)
{
    mc->stop = code;
    if (mc->call != NULL)
        tw__call_cancel(mc->call); /* done() finishes the job */
    else
        tw__mcp_finish_stopped(
            mc, TW_STORED_NO); /* what it did before certainly did nothing */
}

void tw__mcp_finish_nomem(mcp_call *mc)
{
    tw_error *err = NULL;

    tw__error_nomem(&err);
    tw__mcp_finish(mc, NULL, err);
}

void tw__mcp_finish_fault(mcp_call *mc, const char *what, int status, tw_stored stored)
{
    tw_error *err = NULL;

    tw__error(&err, TW_E_PROTOCOL, "%s: %s", tw__endpoint(mc->endpoint)->name, what);
    tw__error_set_http(err, status);
    tw__error_set_stored(err, stored);
    tw__mcp_finish(mc, NULL, err);
}

static void finish_text(mcp_call *mc, tw_buf *text)
{
    tw_reply *rsp = NULL;
    size_t size;
    char *body = tw__buf_take(text, &size);

    if (body == NULL || tw__reply_new(&rsp, 200, body, size) != TW_OK) {
        tw__free(body);
        tw__mcp_finish_nomem(mc);
        return;
    }
    tw__reply_set_form(rsp, tw__operation(mc->endpoint)->form);
    tw__mcp_finish(mc, rsp, NULL);
}

/* ---- results ----------------------------------------------------------------------- */

static int tools_add(mcp_call *mc, tw_view tools)
{
    tw_view_walk walk = tw__view_walk(tools);
    tw_view one;
    int rc = TW_OK;

    while (rc == TW_OK && tw__view_next(&walk, NULL, &one)) {
        rc = tw__buf_putc(&mc->tools, mc->tools.size == 0 ? '[' : ',');
        if (rc == TW_OK)
            rc = tw__view_put(&mc->tools, one);
    }
    return rc;
}

static int cursor_was_there(const mcp_call *mc, tw_view next)
{
    const char *at = mc->cursors.data;
    const char *end = at + mc->cursors.size;

    for (; at < end; at += strlen(at) + 1) {
        if (strlen(at) == next.size && memcmp(at, next.text, next.size) == 0)
            return 1;
    }
    return 0;
}

/* Keeps the cursor of the page to come. NULL, or what is wrong with it. */
static const char *cursor_take(mcp_call *mc, tw_view next, int *rc)
{
    if (mc->cursors.size > 0 && cursor_was_there(mc, next))
        return "the list of tools began again: a cursor came twice";
    if (++mc->pages >= PAGES_MOST)
        return "the list of tools had more than 100 pages";
    if (next.size >= CURSOR_MOST)
        return "a cursor of the list of tools was longer than 65536 bytes";
    mc->cursor = mc->cursors.size;
    *rc = tw__view_put(&mc->cursors, next);
    if (*rc == TW_OK)
        *rc = tw__buf_putc(&mc->cursors, '\0');
    return NULL;
}

static void tools_result(mcp_call *mc, tw_view result, const tw_outcome *outcome)
{
    tw_view next = tw__view_member(result, "nextCursor");
    int more = tw__view_kind(next) == TW_JSON_STRING;
    const char *fault = NULL;
    int rc = tools_add(mc, tw__view_member(result, "tools"));

    if (rc == TW_OK && more)
        fault = cursor_take(mc, next, &rc);
    if (rc == TW_OK && fault == NULL && !more)
        rc = tw__buf_puts(&mc->tools, mc->tools.size == 0 ? "[]" : "]");
    if (rc == TW_E_TOO_LARGE)
        fault = "the list of tools was longer than 67108864 bytes";
    if (fault != NULL)
        tw__mcp_finish_fault(mc, fault, outcome->head.status, TW_STORED_NO);
    else if (rc != TW_OK)
        tw__mcp_finish_nomem(mc);
    else if (more)
        tw__mcp_go(mc);
    else
        finish_text(mc, &mc->tools);
}

void tw__mcp_result(mcp_call *mc, tw_view result, const tw_outcome *outcome)
{
    const char *fault = tw__mcp_result_fault(mc->endpoint, result);
    tw_buf text;

    if (fault != NULL) {
        tw__mcp_finish_fault(mc, fault, outcome->head.status, TW_STORED_MAYBE);
        return;
    }
    if (mc->endpoint == TW_EP_MCP_TOOLS) {
        tools_result(mc, result, outcome);
        return;
    }
    tw__buf_init(&text, TW_MCP_ANSWER_MOST);
    if (tw__view_put(&text, result) == TW_OK)
        finish_text(mc, &text);
    else
        tw__mcp_finish_nomem(mc);
    tw__buf_clear(&text);
}

/* ---- the job ------------------------------------------------------------------------ */

/* The time of the whole is over. */
static void mcp_late(tw_timer *timer)
{
    tw__mcp_stop(TW_CONTAINER(timer, mcp_call, timer), TW_E_TIMEOUT);
}

static void mcp_begin(tw_job *job, void *state)
{
    mcp_call *mc = state;

    mc->job = job;
    tw__job_set_phase(job, "requested");
    if (mc->timeout_ms != 0) {
        mc->due_ms = tw__ms_add(tw__monotonic_ms(), mc->timeout_ms);
        mc->timer.fire = mcp_late;
        if (tw__timer_arm(tw__gate_loop(mc->gate), &mc->timer, mc->due_ms) != TW_OK) {
            tw__mcp_finish_nomem(mc);
            return;
        }
    }
    tw__mcp_go(mc);
}

static void mcp_cancel(tw_job *job, void *state, int code)
{
    mcp_call *mc = state;

    (void)job;
    if (mc->job != NULL) /* else it was not begun */
        tw__mcp_stop(mc, code);
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
    tw__buf_clear(&mc->cursors);
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

/* The part of the params that a header repeats. */
static int name_find(mcp_call *mc, tw_view method)
{
    tw_view params = {mc->params, mc->params_size};
    const char *named = tw__mcp_named(method);
    tw_view name = {NULL, 0};

    if (named != NULL)
        name = tw__view_member(params, named);
    return tw__view_kind(name) == TW_JSON_STRING
               ? text_copy(&mc->name, &mc->name_size, name.text, name.size)
               : TW_OK;
}

static int request_params(mcp_call *mc, const tw_given *given)
{
    size_t size, unused;
    const char *json = tw__given(given, "params", &size);
    tw_view method;

    method.text = tw__given(given, "method", &method.size);
    if (text_copy(&mc->method, &unused, method.text, method.size) != TW_OK ||
        mc->method == NULL)
        return TW_E_NOMEM;
    if (json == NULL || json[0] != '{')
        return TW_OK;
    mc->params = tw__strndup(json, size);
    mc->params_size = size;
    return mc->params != NULL ? name_find(mc, method) : TW_E_NOMEM;
}

static int mcp_fill(mcp_call *mc, const tw_given *given)
{
    size_t size;
    const char *timeout = tw__given(given, "timeout", &size);
    double seconds;

    mc->endpoint = given->operation->endpoint;
    tw__buf_init(&mc->body, BODY_MOST);
    tw__buf_init(&mc->answer, TW_MCP_ANSWER_MOST);
    tw__buf_init(&mc->tools, TW_MCP_ANSWER_MOST);
    tw__buf_init(&mc->cursors, PAGES_MOST * CURSOR_MOST);
    tw__mcp_events_init(&mc->events, TW_MCP_ANSWER_MOST, tw__mcp_event, mc);
    if (timeout != NULL) {
        if (!tw__json_real(&seconds, timeout, size))
            return TW_E_NOMEM; /* it was checked before */
        mc->timeout_ms = (int64_t)ceil(seconds * 1000);
    }
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
