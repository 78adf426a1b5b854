/* SPDX-License-Identifier: MIT */
/* The hosted MCP server: JSON-RPC over Streamable HTTP, in both of its eras. */
#ifndef TW_AREAS_MCP_H
#define TW_AREAS_MCP_H

#include "areas/arguments.h"
#include "json/view.h"

/*
 * Sources: Model Context Protocol specification 2026-07-28 (transports/streamable-http, versioning,
 * server/tools) and 2025-11-25 (transports, lifecycle), read 2026-11-28.
 */
#define TW_MCP_VERSION "2026-07-28"
#define TW_MCP_LEGACY_VERSION "2025-11-25" /* what initialize offers */

enum {
    /* Of our choice: none is documented. */
    TW_MCP_ANSWER_MOST = 64 * 1024 * 1024,
    TW_MCP_HEADER_MOST =
        8192, /* of a text that a header repeats; as JSON, which is longer */
    TW_MCP_HEADER_MISMATCH = -32020,
    TW_MCP_MISSING_CAPABILITY = -32021,
    TW_MCP_UNSUPPORTED_VERSION = -32022,
    TW_MCP_METHOD_NOT_FOUND = -32601,
    TW_MCP_INVALID_PARAMS = -32602
};

/* Starts the call of an endpoint of the area. @thread any */
int tw__mcp_start(tw_job **out, tw_gate *gate, const tw_given *given, tw_queue *queue,
                  tw_error **err);

/* What is wrong with a result of the endpoint, for a sentence; NULL where it is as documented. */
const char *tw__mcp_result_fault(tw_endpoint_id endpoint, tw_view result);

/* The static text of a version with a handshake that we speak, NULL for any other. */
const char *tw__mcp_legacy_version(tw_view version);

/* ---- requests ---------------------------------------------------------------------- */

typedef struct tw_mcp_message {
    int64_t id; /* 0: a notification */
    const char *method;
    const char *params; /* JSON of an object, NULL for none */
    size_t params_size;
    const char *cursor; /* JSON of a string, added to the params; NULL for none */
    size_t cursor_size;
    int modern; /* with what the versions without a handshake want in each request */
} tw_mcp_message;

/* The member of the params that the header Mcp-Name repeats, by method; NULL for none. */
const char *tw__mcp_named(tw_view method);
/* Puts the JSON text behind `out`, as tw__buf_put. `params` is well-formed. */
int tw__mcp_message_put(tw_buf *out, const tw_mcp_message *message);
/* Puts the header `name` with a value as MCP encodes it, and a NUL, behind `lines`. */
int tw__mcp_header_put(tw_buf *lines, const char *name, const char *value, size_t size);

/* ---- answers ----------------------------------------------------------------------- */

/* What a response says; views into the text that was read. */
typedef struct tw_mcp_response {
    tw_view result; /* absent: an error */
    int64_t code;
    tw_view message, data; /* of the error */
} tw_mcp_response;

/* Finds the response to `id` in a message or list of messages: TW_OK, TW_DONE where it is not
 * there, TW_E_PROTOCOL for what is no JSON and for a response with neither result nor error,
 * TW_E_NOMEM. `loose`: an error without an id counts. */
int tw__mcp_response_find(tw_mcp_response *out, const char *text, size_t size, int64_t id,
                          int loose);

/* The same for an event of a stream. TW_DONE also for data that is not meant to be JSON (a ping).
 * What begins as a message and cannot be read may be the response: TW_E_PROTOCOL. */
int tw__mcp_event_find(tw_mcp_response *out, const char *text, size_t size, int64_t id);

/* Events of a text/event-stream, as bytes come. */
typedef struct tw_mcp_events {
    tw_buf line, data;
    int after_cr, any;
    /* Takes the data of one event: TW_OK to go on, anything else ends the feeding. */
    int (*take)(void *ctx, const char *data, size_t size);
    void *ctx;
} tw_mcp_events;

void tw__mcp_events_init(tw_mcp_events *ev, size_t most,
                         int (*take)(void *, const char *, size_t), void *ctx);
void tw__mcp_events_reset(tw_mcp_events *ev);
void tw__mcp_events_clear(tw_mcp_events *ev);
/* TW_OK, TW_E_NOMEM, TW_E_TOO_LARGE, or what take() gave. After the last bytes: with size 0. */
int tw__mcp_events_feed(tw_mcp_events *ev, const char *bytes, size_t size);

#endif
