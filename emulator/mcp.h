/* SPDX-License-Identifier: MIT */
/* The hosted MCP server: JSON-RPC in both eras, OAuth, and tools over what is stored. */
#ifndef EMU_MCP_H
#define EMU_MCP_H

#include <pthread.h>

#include "json.h"

#define EMU_MCP_KEPT 64 /* sessions and clients: the oldest go */

/* What a code or a token says. */
typedef struct emu_ticket {
    const char *kind;       /* "code", "at" or "rt" (access and refresh token) */
    char word[8];           /* letters of the scopes: r, w, o */
    uint64_t grant, number; /* of the consent it goes back to, and its own */
    int64_t until;          /* emulator's clock, ms */
} emu_ticket;

/* A consent whose code was used. */
typedef struct emu_grant {
    uint64_t id, refresh; /* the one refresh token that counts */
    int64_t until;        /* when the last of its tickets has expired */
    bool revoked;
} emu_grant;

typedef struct emu_mcp {
    pthread_mutex_t mu;
    unsigned char secret[32];        /* signs codes and tokens */
    char sessions[EMU_MCP_KEPT][40]; /* "" where there is none */
    struct emu_mcp_client *clients[EMU_MCP_KEPT];
    size_t next_session, next_client;
    emu_grant *grants; /* each until the last of its tickets has expired */
    size_t grant_n, grant_cap;
    uint64_t forgotten;       /* the highest number of a grant that went */
    _Atomic uint64_t numbers; /* of grants and tickets, given so far */
} emu_mcp;

struct emu_req;
struct twe;

bool emu_mcp_init(emu_mcp *m); /* false: the system gave no random bytes */
void emu_mcp_free(emu_mcp *m);

/* --- codes and tokens --- */

/* The signed text, behind `out`; `bound` is signed and not in it. */
void emu_ticket_write(struct twe *e, emu_buf *out, const emu_ticket *t, emu_str bound);
/* False for what the emulator did not write for `kind` and `bound`, and for what expired. */
bool emu_ticket_read(struct emu_req *r, emu_str text, const char *kind, emu_str bound,
                     emu_ticket *t);
uint64_t emu_mcp_number(emu_mcp *m); /* one that nobody has yet */
/* Uses a code or a refresh token, once: from now on `refresh` is the grant's refresh token and
 * `until` the time at which all its tickets have expired. False where it was used before; then
 * the grant is revoked. */
bool emu_grant_use(struct twe *e, const emu_ticket *t, uint64_t refresh, int64_t until);
bool emu_grant_counts(emu_mcp *m, uint64_t id); /* there, and not revoked */

/* --- the MCP server --- */

enum { EMU_MCP_READ = 1, EMU_MCP_WRITE = 2 };

/* What the bearer token of a request allows; 0: the request was answered (401, or 403 where the
 * token has neither scope). */
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
