/* SPDX-License-Identifier: MIT */
/* Calls of the MCP server over a scripted transport: what its tests share. */
#ifndef TW_TEST_MCP_WORLD_H
#define TW_TEST_MCP_WORLD_H

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

static inline int setup(void **state)
{
    fixture *fx = calloc(1, sizeof *fx);

    worked_begin(&fx->wg);
    tw__gate_mcp(fx->wg.gate)->era = TW_MCP_MODERN;
    *state = fx;
    return 0;
}

static inline int setup_unknown(void **state)
{
    fixture *fx;

    setup(state);
    fx = *state;
    tw__gate_mcp(fx->wg.gate)->era = TW_MCP_UNKNOWN;
    return 0;
}

static inline int teardown(void **state)
{
    fixture *fx = *state;

    tw_job_unref(fx->job);
    worked_turn(&fx->wg);
    worked_end(&fx->wg);
    free(fx);
    return 0;
}

static inline int begin(fixture *fx, tw_endpoint_id id, const char *arguments,
                        tw_error **err)
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

static inline void ask(fixture *fx, tw_endpoint_id id, const char *arguments)
{
    assert_int_equal(begin(fx, id, arguments, NULL), TW_OK);
}

static inline void set_token(fixture *fx, const char *token)
{
    assert_int_equal(tw__gate_set_token(fx->wg.gate, token, strlen(token), NULL), TW_OK);
}

static inline const script_request *last(const fixture *fx)
{
    return &fx->wg.sc.requests[fx->wg.sc.count - 1];
}

static inline int sent(const fixture *fx, const char *header)
{
    char line[256];

    snprintf(line, sizeof line, "%s\n", header);
    return strstr(last(fx)->headers, line) != NULL;
}

static inline int said(const fixture *fx, const char *text)
{
    return memmem(last(fx)->body, last(fx)->body_size, text, strlen(text)) != NULL;
}

static inline int head_of(fixture *fx, int index, int status, const char *type,
                          const char *session, const char *challenge)
{
    script_request *rq = &fx->wg.sc.requests[index];
    tw_transfer_head th = {sizeof th, 0, -1, "", "", "", "", 0, 1, NULL, NULL};

    th.status = status;
    th.content_type = type;
    th.session = session;
    th.www_authenticate = challenge;
    return rq->events.head(rq->ctx, &th);
}

static inline int head(fixture *fx, int status, const char *type, const char *session,
                       const char *challenge)
{
    return head_of(fx, fx->wg.sc.count - 1, status, type, session, challenge);
}

/* The number of a request; 0 for a notification. */
static inline int id_of(fixture *fx, int index)
{
    const script_request *rq = &fx->wg.sc.requests[index];
    tw_view body = {rq->body, rq->body_size};
    int64_t id = 0;

    return tw__view_int(tw__view_member(body, "id"), &id) ? (int)id : 0;
}

static inline int last_id(fixture *fx)
{
    return id_of(fx, fx->wg.sc.count - 1);
}

/* The id of the request goes where `text` has %d. */
static inline void answer_to(fixture *fx, int index, int status, const char *session,
                             const char *text)
{
    char body[1024];
    int rc;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(body, sizeof body, text, id_of(fx, index));
#pragma GCC diagnostic pop
    rc = head_of(fx, index, status, "application/json", session, NULL);
    if (rc == TW_OK && body[0] != '\0')
        rc = script_data(&fx->wg.sc, index, body);
    script_fail(&fx->wg.sc, index, rc, 1, 0, ""); /* without memory it is aborted */
    worked_turn(&fx->wg);
}

static inline void answer_with(fixture *fx, int status, const char *session,
                               const char *text)
{
    answer_to(fx, fx->wg.sc.count - 1, status, session, text);
}

static inline void answer(fixture *fx, int status, const char *text)
{
    answer_with(fx, status, NULL, text);
}

static inline void expect(fixture *fx, const char *result)
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

static inline tw_error *failure(fixture *fx, int code)
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
    "{\"resultType\":\"complete\",\"content\":[],\"structuredContent\":7},\"text\":\"\"}"

#define AGREED                                                        \
    "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"protocolVersion\":" \
    "\"2025-11-25\"}}"

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define UNKNOWN(name) cmocka_unit_test_setup_teardown(name, setup_unknown, teardown)

#endif
