/* SPDX-License-Identifier: MIT */
/* How the MCP server speaks: its era, the session of an older one, and when a call begins again. */
#include <string.h>

#include <tidewheel/version.h>

#include "areas/mcp_internal.h"
#include "base/error.h"

enum { SAID_MOST = 300 };

/* ---- requests ---------------------------------------------------------------------- */

static void mcp_discover(mcp_call *mc)
{
    tw_mcp_message message;

    memset(&message, 0, sizeof message);
    mc->stage = STAGE_DISCOVER;
    mc->modern = message.modern = 1;
    message.method = "server/discover";
    tw__mcp_send(mc, &message);
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
    tw__mcp_send(mc, &message);
}

static void mcp_initialized(mcp_call *mc)
{
    tw_mcp_message message;

    memset(&message, 0, sizeof message);
    mc->stage = STAGE_INITIALIZED;
    message.method = "notifications/initialized";
    tw__mcp_send(mc, &message);
}

static void mcp_ask(mcp_call *mc, int modern)
{
    tw_gate *gate = mc->gate;
    tw_mcp_message message;

    tw__mcp_leave(mc);
    memset(&message, 0, sizeof message);
    mc->stage = STAGE_ASK;
    mc->modern = message.modern = modern;
    message.method = mc->method;
    message.params = mc->params;
    message.params_size = mc->params_size;
    if (mc->cursors.size > 0) {
        message.cursor = mc->cursors.data + mc->cursor;
        message.cursor_size = strlen(message.cursor);
    }
    tw__mcp_send(mc, &message); /* `mc` may be gone */
    tw__mcp_others_go(gate, 0); /* whoever found it out */
}

/* ---- one finds out ------------------------------------------------------------------- */

/* Calls that begin together do not ask the same question each, and none of them uses a session
 * that another one has not told the server it has. */

static void wait_begin(mcp_call *mc)
{
    tw_mcp_server *server = tw__gate_mcp(mc->gate);

    mc->at = server->waiting != NULL ? server->wait_at : &server->waiting;
    mc->next = NULL;
    *mc->at = mc;
    server->wait_at = &mc->next;
}

static void wait_end(mcp_call *mc)
{
    if (mc->at == NULL)
        return;
    *mc->at = mc->next;
    if (mc->next != NULL)
        mc->next->at = mc->at;
    else
        tw__gate_mcp(mc->gate)->wait_at = mc->at;
    mc->at = NULL;
}

int tw__mcp_leave(mcp_call *mc)
{
    tw_mcp_server *server = tw__gate_mcp(mc->gate);

    wait_end(mc);
    if (server->asking != mc)
        return 0;
    server->asking = NULL;
    return 1;
}

/* A session is a user's. */
static int is_known(tw_gate *gate)
{
    const tw_mcp_server *server = tw__gate_mcp(gate);

    return server->era == TW_MCP_MODERN ||
           (server->era == TW_MCP_LEGACY &&
            server->session.token == tw__gate_token(gate));
}

void tw__mcp_others_go(tw_gate *gate, int in_vain)
{
    tw_mcp_server *server = tw__gate_mcp(gate);

    if (server->waking)
        return; /* one that was woken has ended at once */
    server->waking = 1;
    while (server->waiting != NULL &&
           (in_vain || server->asking == NULL || is_known(gate))) {
        mcp_call *mc = server->waiting;

        wait_end(mc);
        mc->waited = in_vain;
        tw__mcp_go(mc);
    }
    server->waking = 0;
}

void tw__mcp_go(mcp_call *mc)
{
    tw_mcp_server *server = tw__gate_mcp(mc->gate);

    if (is_known(mc->gate)) {
        mcp_ask(mc, server->era == TW_MCP_MODERN);
        return;
    }
    if (server->asking != NULL && server->asking != mc && !mc->waited) {
        wait_begin(mc);
        return;
    }
    if (server->asking == NULL)
        server->asking = mc;
    if (server->era == TW_MCP_UNKNOWN)
        mcp_discover(mc); /* which does nothing, whereas the call may */
    else
        mcp_initialize(mc);
}

/* ---- errors ------------------------------------------------------------------------ */

/* What only a server without handshakes says. */
static int is_modern_error(int64_t code)
{
    return code == TW_MCP_HEADER_MISMATCH || code == TW_MCP_MISSING_CAPABILITY ||
           code == TW_MCP_UNSUPPORTED_VERSION;
}

/* Whether such an error says that the method was not begun. -32000 is what servers before
 * 2026-07-28 give in place of a session, -32001 for one that is over; with a good status either may
 * be a tool's. */
static int is_undispatched(int64_t code, int status)
{
    switch (code) {
    case -32700: /* parse error */
    case -32600: /* invalid request */
    case TW_MCP_METHOD_NOT_FOUND:
    case TW_MCP_INVALID_PARAMS:
        return 1;
    case -32000:
        return status >= 400 && status <= 499;
    case -32001:
        return status == 404;
    default:
        return is_modern_error(code);
    }
}

static const char *stage_method(const mcp_call *mc)
{
    return mc->stage == STAGE_DISCOVER     ? "server/discover"
           : mc->stage == STAGE_INITIALIZE ? "initialize"
                                           : mc->method;
}

static int said_put(tw_buf *out, tw_view text)
{
    tw__buf_init(out, 64 * 1024);
    if (tw__view_text(out, text) == TW_OK && tw__buf_putc(out, '\0') == TW_OK)
        return 1;
    tw__buf_reset(out);
    return 0;
}

static tw_error *rpc_error(const mcp_call *mc, const tw_mcp_response *rsp, int status)
{
    tw_error *err = NULL;
    tw_buf said;

    if (said_put(&said, rsp->message))
        tw__gate_redact(mc->gate, said.data);
    tw__error(&err, TW_E_RPC, "%s: the server refused %s (code %lld%s)%s%.*s",
              tw__endpoint(mc->endpoint)->name, stage_method(mc), (long long)rsp->code,
              rsp->code == TW_MCP_HEADER_MISMATCH
                  ? ", a header: those of x-mcp-header are not sent"
              : rsp->code == TW_MCP_MISSING_CAPABILITY
                  ? ", a capability that the client does not have"
                  : "",
              said.size > 1 ? ": " : "", SAID_MOST, said.size > 1 ? said.data : "");
    tw__buf_clear(&said);
    tw__error_set_rpc(err, rsp->code);
    tw__error_set_http(err, status);
    tw__error_set_stored(err, is_undispatched(rsp->code, status) ? TW_STORED_NO
                                                                 : TW_STORED_MAYBE);
    return err;
}

/* ---- the eras ---------------------------------------------------------------------- */

static int names_legacy(tw_view versions)
{
    tw_view_walk walk = tw__view_walk(versions);
    tw_view one;

    while (tw__view_next(&walk, NULL, &one)) {
        if (tw__mcp_legacy_version(one) != NULL)
            return 1;
    }
    return 0;
}

static int names_modern(tw_view versions)
{
    tw_view_walk walk = tw__view_walk(versions);
    tw_view one;

    while (tw__view_next(&walk, NULL, &one)) {
        if (tw__view_is(one, TW_MCP_VERSION))
            return 1;
    }
    return 0;
}

static void no_version(mcp_call *mc, const tw_outcome *outcome)
{
    tw__mcp_finish_fault(mc, "the server speaks no version of MCP that we know",
                         outcome->head.status, TW_STORED_NO);
}

static void discover_answered(mcp_call *mc, tw_view result, const tw_outcome *outcome)
{
    tw_view versions = tw__view_member(result, "supportedVersions");

    if (tw__view_kind(versions) != TW_JSON_ARRAY || names_modern(versions)) {
        tw__gate_mcp(mc->gate)->era = TW_MCP_MODERN;
        tw__mcp_go(mc);
    } else if (names_legacy(versions)) {
        mcp_initialize(mc);
    } else {
        no_version(mc, outcome);
    }
}

/* The probe was refused: `err`, taken, is kept for when the handshake is refused too. */
static void try_handshake(mcp_call *mc, tw_error *err)
{
    tw_error_free(mc->first);
    mc->first = err;
    mcp_initialize(mc);
}

static int is_session_id(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x21 || (unsigned char)*text > 0x7E)
            return 0;
    }
    return 1;
}

static void session_opened(mcp_call *mc, tw_view result, const tw_outcome *outcome)
{
    tw_mcp_session *shaken = &mc->shaken;
    const char *version =
        tw__mcp_legacy_version(tw__view_member(result, "protocolVersion"));
    const char *id = outcome->head.session;

    if (version == NULL) {
        no_version(mc, outcome);
        return;
    }
    if (!is_session_id(id)) {
        tw__mcp_finish_fault(mc, "the id of the session was not visible ASCII",
                             outcome->head.status, TW_STORED_NO);
        return;
    }
    if (strlen(id) + 1 >= sizeof shaken->id) { /* with this length it may be cut */
        tw__mcp_finish_fault(mc, "the id of the session was longer than 1022 characters",
                             outcome->head.status, TW_STORED_NO);
        return;
    }
    shaken->version = version;
    shaken->token = mc->token;
    memcpy(shaken->id, id, strlen(id) + 1);
    if (shaken->token == tw__gate_token(mc->gate))
        mcp_initialized(mc);
    else
        mcp_initialize(mc); /* as the user of another token */
}

void tw__mcp_notified(mcp_call *mc, const tw_outcome *outcome)
{
    tw_mcp_server *server = tw__gate_mcp(mc->gate);

    /* What came is nothing that the call asked for. */
    if (!mc->found && outcome->err != NULL) {
        tw__mcp_finish(mc, NULL, tw__error_copy(outcome->err));
        return;
    }
    server->era = TW_MCP_LEGACY;
    server->session = mc->shaken;
    server->opened++;
    tw__mcp_go(mc);
}

/* ---- beginning again --------------------------------------------------------------- */

static void begin_again(mcp_call *mc)
{
    mc->restarted = 1;
    mc->waited = 0;
    tw__mcp_go(mc);
}

/* The call again in the era that is found now. */
static int again_in_era(mcp_call *mc)
{
    tw__gate_mcp(mc->gate)->era = TW_MCP_UNKNOWN;
    if (mc->restarted)
        return 0;
    begin_again(mc);
    return 1;
}

/* The call again in a new session, which another call may have opened meanwhile. */
static int again_in_session(mcp_call *mc)
{
    tw_mcp_server *server = tw__gate_mcp(mc->gate);

    if (mc->opened == server->opened)
        server->session.token = 0; /* nobody's */
    if (mc->restarted)
        return 0;
    begin_again(mc);
    return 1;
}

/* Whether the call was begun again after an answer that says that it was not done. `rsp` is NULL
 * for one that is no JSON-RPC; the status is 4xx then. */
static int ask_again(mcp_call *mc, const tw_mcp_response *rsp, int status)
{
    const tw_mcp_server *server = tw__gate_mcp(mc->gate);
    int repeatable = tw__endpoint(mc->endpoint)->repeat == TW_REPEAT_SAFE;
    int refused = status >= 400 && status <= 499;
    int undone = rsp == NULL || repeatable || is_undispatched(rsp->code, status);

    if (mc->modern && rsp != NULL && is_modern_error(rsp->code))
        return rsp->code == TW_MCP_UNSUPPORTED_VERSION &&
               names_legacy(tw__view_member(rsp->data, "supported")) && again_in_era(mc);
    if (!mc->modern && rsp != NULL && is_modern_error(rsp->code))
        return again_in_era(mc); /* the server has moved on */
    if (!refused || !undone)
        return 0;
    if (!mc->modern && server->session.id[0] != '\0')
        /* 404 is defined to mean that the session is over, with or without more words; 400 and
         * -32000 is what many servers say of a session that they do not know. */
        return (status == 404 || (rsp != NULL && rsp->code == -32000)) &&
               again_in_session(mc);
    if (mc->modern && rsp != NULL)
        return rsp->code != TW_MCP_METHOD_NOT_FOUND &&
               rsp->code != TW_MCP_INVALID_PARAMS && again_in_era(mc);
    if (mc->modern && repeatable)
        return again_in_era(mc);
    /* What answered does not speak as it did, and does not say that it did nothing: the next call
     * finds out. */
    if (rsp == NULL)
        tw__gate_mcp(mc->gate)->era = TW_MCP_UNKNOWN;
    return 0;
}

/* ---- how a request ended ----------------------------------------------------------- */

void tw__mcp_answered(mcp_call *mc, tw_view result, const tw_outcome *outcome)
{
    if (mc->stage == STAGE_DISCOVER)
        discover_answered(mc, result, outcome);
    else if (mc->stage == STAGE_INITIALIZE)
        session_opened(mc, result, outcome);
    else
        tw__mcp_result(mc, result, outcome);
}

/* What the status says counts where it says something. */
static int status_speaks(const tw_outcome *outcome)
{
    return outcome->err != NULL && tw_error_code(outcome->err) != TW_E_HTTP &&
           tw_error_code(outcome->err) != TW_E_CANCELED;
}

void tw__mcp_refused(mcp_call *mc, const tw_mcp_response *rsp, const tw_outcome *outcome)
{
    int status = outcome->head.status;
    tw_error *err;

    if (status_speaks(outcome)) {
        tw__mcp_finish(mc, NULL, tw__error_copy(outcome->err));
        return;
    }
    if (mc->stage == STAGE_ASK && ask_again(mc, rsp, status))
        return;
    err = rpc_error(mc, rsp, status);
    if (mc->stage == STAGE_DISCOVER &&
        (!is_modern_error(rsp->code) ||
         (rsp->code == TW_MCP_UNSUPPORTED_VERSION &&
          names_legacy(tw__view_member(rsp->data, "supported"))))) {
        try_handshake(mc, err);
    } else if (mc->stage == STAGE_INITIALIZE && mc->first != NULL &&
               rsp->code == TW_MCP_METHOD_NOT_FOUND) {
        tw_error_free(err);
        tw__mcp_finish(mc, NULL, tw__error_copy(mc->first)); /* it says more */
    } else {
        tw__mcp_finish(mc, NULL, err);
    }
}

void tw__mcp_unanswered(mcp_call *mc, int rc, const tw_outcome *outcome)
{
    const tw_error *err = outcome->err;

    if (rc == TW_E_NOMEM) {
        tw__mcp_finish_nomem(mc);
    } else if (err == NULL) {
        tw__mcp_finish_fault(mc,
                             rc == TW_E_PROTOCOL
                                 ? "the answer was not JSON-RPC, or deeper than 64"
                                 : "the answer ended without the response",
                             outcome->head.status, TW_STORED_MAYBE);
    } else if (tw_error_code(err) != TW_E_HTTP) {
        tw__mcp_finish(mc, NULL, tw__error_copy(err));
    } else if (mc->stage == STAGE_DISCOVER) {
        try_handshake(mc, tw__error_copy(err));
    } else if (mc->stage == STAGE_INITIALIZE) {
        tw__mcp_finish(mc, NULL, tw__error_copy(mc->first != NULL ? mc->first : err));
    } else if (!ask_again(mc, NULL, outcome->head.status)) {
        tw__mcp_finish(mc, NULL, tw__error_copy(err));
    }
}
