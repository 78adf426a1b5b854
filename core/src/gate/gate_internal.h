/* SPDX-License-Identifier: MIT */
/* The inside of the gate, shared by its files. */
#ifndef TW_GATE_GATE_INTERNAL_H
#define TW_GATE_GATE_INTERNAL_H

#include "gate/gate.h"
#include "gate/keys.h"
#include "gate/retry.h"

typedef struct gate_host {
    char *base; /* NULL = not served */
    char *name; /* host and port, for messages */
    int loopback;
} gate_host;

struct tw_gate {
    tw_loop *loop;
    tw_keys *keys;
    char *user_agent;   /* the whole header */
    const char *region; /* static */
    gate_host hosts[TW_HOST_COUNT];
    int64_t connect_timeout_ms, timeout_ms, dash_timeout_ms;
    int64_t max_query_cost;
    /* Of the I/O thread. */
    tw_retry_quota quota;
    tw_mcp_server mcp;
};

#endif
