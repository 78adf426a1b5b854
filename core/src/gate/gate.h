/* SPDX-License-Identifier: MIT */
/* The gate: hosts, keys and time limits that every call shares. */
#ifndef TW_GATE_GATE_H
#define TW_GATE_GATE_H

#include "gate/call.h"
#include "gate/endpoints.h"
#include "net/job.h"
#include "net/loop.h"

/* What the client's options say about calls; checked by config. All copied. */
typedef struct tw_gate_settings {
    const char *base[TW_HOST_COUNT]; /* normalised base URL per host; NULL = not served */
    const char *api_key;
    const char *secret_key; /* "" = none */
    const char *mcp_token;  /* "" or NULL = none */
    const char *user_agent;
    const char *region; /* for messages: "us" or "eu" */
    int64_t connect_timeout_ms;
    int64_t timeout_ms; /* one attempt, ingestion and profile; 0 = the endpoint's own */
    int64_t
        dash_timeout_ms; /* one attempt, Dashboard and MCP hosts; 0 = the endpoint's own */
    int64_t max_query_cost; /* of one analytics query; 0 = any */
} tw_gate_settings;

/* `loop` is referenced. */
int tw__gate_new(tw_gate **out, tw_loop *loop, const tw_gate_settings *settings,
                 tw_error **err);
/* For a child of the process that made `from`: the same on another loop, made of what never
 * changes. */
int tw__gate_again(tw_gate **out, const tw_gate *from, tw_loop *loop, tw_error **err);
/* In such a child, once nobody uses `from` any more: wipes its keys. The rest stays. */
void tw__gate_abandon(tw_gate *from);
/* After the loop has ended, and with it every call: jobs and ingestion cancel their own. NULL is
 * allowed. */
void tw__gate_free(tw_gate *gate);

/* TW_OK when calls of this endpoint can be made at all (key, host, region), else the error
 * that tw__call_start would give. @thread any */
int tw__gate_allows(const tw_gate *gate, tw_endpoint_id id, tw_error **err);

/* The most that one analytics query may cost, 0 for any. @thread any */
int64_t tw__gate_max_query_cost(const tw_gate *gate);

/* Puts another token in the place of the first; size 0 for none. It fits: tw__token_rule. TW_OK or
 * TW_E_NOMEM. @thread any */
int tw__gate_set_token(tw_gate *gate, const char *token, size_t size, tw_error **err);
/* The number of the token that counts now, 0 for none. @thread any */
uint64_t tw__gate_token(const tw_gate *gate);

/* What a handshake agreed on. */
typedef struct tw_mcp_session {
    const char *version; /* static */
    char id[1024];       /* "" where the server gives none */
    uint64_t token;      /* whose it is; 0: it is over */
} tw_mcp_session;

struct mcp_call; /* of the area */

/* What is known of the MCP server, for the calls to come. */
typedef struct tw_mcp_server {
    enum { TW_MCP_UNKNOWN, TW_MCP_MODERN, TW_MCP_LEGACY } era;
    tw_mcp_session session;    /* of a LEGACY one */
    uint64_t opened;           /* how many sessions there were */
    int64_t last_id;           /* of a request */
    struct mcp_call *asking;   /* finds out the era or opens a session; NULL: nobody */
    struct mcp_call *waiting;  /* for what it finds out: the first of them */
    struct mcp_call **wait_at; /* where the next one is to stand, if there is one */
    int waking;
} tw_mcp_server;
/* @thread worker */
tw_mcp_server *tw__gate_mcp(tw_gate *gate);

/* Takes the keys out of a text that the server wrote. @thread any */
void tw__gate_redact(const tw_gate *gate, char *text);

enum {
    TW_READING_EXISTING = 1 /* 409 "already exists" is success: the answer becomes
                               {"success":true,"existed":true} */
};

/* How the answer of a call is read, beyond its status. */
typedef struct tw_call_reading {
    unsigned flags;
    tw_reply_form form; /* of the reply; NULL: the body as it came */
} tw_call_reading;

/* An ordinary call as a job: its reply is the whole answer. `spec` is copied, the body too.
 * With a `reading` an answer that says of itself that it is an error becomes one, whatever its
 * status. @thread any */
int tw__call_job_start(tw_job **out, tw_gate *gate, const tw_call_spec *spec,
                       const tw_call_reading *reading, tw_queue *queue, tw_error **err);

#endif
