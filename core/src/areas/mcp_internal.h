/* SPDX-License-Identifier: MIT */
/* The inside of a call of the MCP server, shared by its files. All on the I/O thread. */
#ifndef TW_AREAS_MCP_INTERNAL_H
#define TW_AREAS_MCP_INTERNAL_H

#include "areas/mcp.h"
#include "gate/gate.h"

/* What the request in flight is for. */
typedef enum mcp_stage {
    STAGE_DISCOVER,   /* which era is it? */
    STAGE_INITIALIZE, /* only before 2026-07-28 */
    STAGE_INITIALIZED,
    STAGE_ASK /* the call itself */
} mcp_stage;

typedef struct mcp_call {
    tw_job *job; /* borrowed: alive until it is finished */
    tw_gate *gate;
    tw_endpoint_id endpoint;
    char *method, *params;
    size_t params_size;
    char *name; /* what Mcp-Name repeats, NULL for none */
    size_t name_size;
    int64_t timeout_ms; /* of the whole; 0: each request has the client's */
    int64_t due_ms;     /* monotonic */
    tw_timer timer;

    tw_call *call;
    mcp_stage stage;
    int64_t id;      /* of the request in flight */
    int modern;      /* how it was written */
    uint64_t token;  /* what counted before it was sent */
    uint64_t opened; /* the session that it carries, as tw_mcp_server counts them */
    int restarted;   /* a call is begun again once */
    tw_error *first; /* why the handshake was tried */
    tw_mcp_session
        shaken; /* what the handshake gave, until the server knows that it has it */

    struct mcp_call *next,
        **at;   /* among those that wait for another's handshake; NULL: not */
    int waited; /* in vain, and not again */

    int stop; /* TW_E_CANCELED, TW_E_CLOSED or TW_E_TIMEOUT once asked to stop */

    tw_buf body;
    tw_mcp_events events;
    int streaming;
    uint64_t streamed;
    int found; /* the response stood in the stream, whose rest is not waited for */
    const char *fault; /* why the stream was given up; static */
    tw_buf answer;     /* the message with the response */

    tw_buf tools;   /* elements of the list so far */
    tw_buf cursors; /* JSON of each cursor there was, each ended by NUL */
    size_t cursor;  /* where the next page's begins */
    int pages;
} mcp_call;

/* ---- mcp.c ------------------------------------------------------------------------- */

/* The end: `rsp` and `err` are taken, the state may be gone on return. What was sent before the
 * call itself did nothing, whatever `err` says. */
void tw__mcp_finish(mcp_call *mc, tw_reply *rsp, tw_error *err);
void tw__mcp_finish_nomem(mcp_call *mc);
/* TW_E_PROTOCOL. */
void tw__mcp_finish_fault(mcp_call *mc, const char *what, int status, tw_stored stored);
/* Ends it: the job is finished when this returns, the state may be gone. */
void tw__mcp_stop(mcp_call *mc, int code);
/* The result of the call itself. */
void tw__mcp_result(mcp_call *mc, tw_view result, const tw_outcome *outcome);

/* ---- mcp_session.c ----------------------------------------------------------------- */

/* Sends the call itself, or what has to be known or opened before; or waits for who does. */
void tw__mcp_go(mcp_call *mc);
/* Makes room for others before the call ends. Nonzero when some may wait for it:
 * tw__mcp_others_go, once it has ended. */
int tw__mcp_leave(mcp_call *mc);
/* The others go on where it is known how, or the first of them asks. `in_vain`: nobody told them,
 * so each asks at once, and waits no more. */
void tw__mcp_others_go(tw_gate *gate, int in_vain);
/* How the request of a stage ended: one of these for each. */
void tw__mcp_answered(mcp_call *mc, tw_view result, const tw_outcome *outcome);
void tw__mcp_refused(mcp_call *mc, const tw_mcp_response *rsp, const tw_outcome *outcome);
/* `rc`: TW_DONE without the response, TW_E_PROTOCOL for what is no JSON-RPC, TW_E_NOMEM. */
void tw__mcp_unanswered(mcp_call *mc, int rc, const tw_outcome *outcome);
/* The end of one that has no response. */
void tw__mcp_notified(mcp_call *mc, const tw_outcome *outcome);

/* ---- mcp_wire.c -------------------------------------------------------------------- */

/* Sends `message`, without its id, for the stage. */
void tw__mcp_send(mcp_call *mc, tw_mcp_message *message);
/* The end of a call that was asked to stop. */
void tw__mcp_finish_stopped(mcp_call *mc, tw_stored stored);
/* Takes one event of a stream: TW_DONE when it is the response. */
int tw__mcp_event(void *ctx, const char *data, size_t size);

#endif
