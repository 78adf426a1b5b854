/* SPDX-License-Identifier: MIT */
/* The hosted MCP server: JSON-RPC in both eras, OAuth, and tools over what is stored. */
#ifndef EMU_MCP_H
#define EMU_MCP_H

#include <pthread.h>

#include "json.h"

#define EMU_MCP_KEPT 64 /* sessions, clients and used codes: the oldest go */

typedef struct emu_mcp {
    pthread_mutex_t mu;
    unsigned char secret[32];        /* signs codes and tokens */
    char sessions[EMU_MCP_KEPT][40]; /* "" where there is none */
    char used[EMU_MCP_KEPT][65];     /* signatures of codes */
    struct emu_mcp_client *clients[EMU_MCP_KEPT];
    size_t next_session, next_used, next_client;
} emu_mcp;

struct emu_req;

void emu_mcp_init(emu_mcp *m);
void emu_mcp_free(emu_mcp *m);

enum { EMU_MCP_READ = 1, EMU_MCP_WRITE = 2 };

/* What the bearer token of a request allows; 0: the request was answered with a 401. */
int emu_mcp_check(struct emu_req *r);
/* 403: the token lacks a scope. */
void emu_mcp_lacks_scope(struct emu_req *r, const char *scope);

/* The tools from `from` on, at most `most` (0: all) as JSON objects with commas between; the number
 * of the next one, or 0 behind the last. */
size_t emu_mcp_tools(emu_buf *out, size_t from, size_t most);
/* 0 for no such tool, else what it needs. */
int emu_mcp_tool_needs(emu_str name);
/* The tool's JSON, or a sentence where it fails (false), behind `out`. */
bool emu_mcp_tool_run(struct emu_req *r, emu_str name, const ej_val *arguments,
                      emu_buf *out);

#endif
