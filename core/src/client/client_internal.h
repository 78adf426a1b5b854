/* SPDX-License-Identifier: MIT */
/* The inside of a client, for the public wrappers in client_<noun>.c. */
#ifndef TW_CLIENT_CLIENT_INTERNAL_H
#define TW_CLIENT_CLIENT_INTERNAL_H

#include <stdatomic.h>
#include <sys/types.h>

#include <tidewheel/client.h>

#include "gate/gate.h"
#include "ingest/ingest.h"
#include "net/loop.h"

/* What moves in a client, of one process. A forked child makes its own at its first call, of what
 * never changes in those of its parent, and touches nothing else of them: their locks may be held
 * by threads it does not have. */
typedef struct tw_rooms {
    struct tw_rooms *parent; /* those of the process that was forked */
    pid_t pid;
    tw_loop *loop;
    tw_gate *gate;
    tw_ingest *ingest;
} tw_rooms;

struct tw_client {
    _Atomic(tw_rooms *) rooms;
    atomic_int closing; /* intake has stopped */
    atomic_int closed;  /* the loop has ended or is about to */
    tw_ingest_settings settings;
    char *spool; /* absolute: a child may have moved elsewhere */
    tw_spool_mode spool_mode;
    int lacks_mcp_tls; /* no certificates were loaded, and the MCP host would need them */
    char *description; /* what describe() answers, without the moving parts */
    /* Options of the areas. */
    int64_t poll_first_ms;
    int64_t poll_max_ms;
    int64_t job_timeout_ms;
};

/* ---- client_rooms.c -------------------------------------------------------------------- */

/* Empty ones of this process; NULL without memory. */
tw_rooms *tw__rooms_new(void);
/* The last room, when loop and gate are made. */
int tw__rooms_ingest(tw_rooms *rooms, const tw_ingest_settings *settings, tw_error **err);
/* Of this process, in whatever state. NULL is allowed. */
void tw__rooms_free(tw_rooms *rooms);
/* Of the processes before it, when nobody uses the client any more: wipes the keys. */
void tw__rooms_abandon(tw_rooms *rooms);

/* The first line of every public function that takes a client and wants something done: the
 * rooms of this process. TW_E_INVALID for NULL, TW_E_CLOSED after close, and in a child what keeps
 * it from making its own. @thread any */
int tw__client_enter(tw_rooms **out, tw_client *cl, tw_error **err);
/* The rooms of this process, NULL in a child where the client was not used yet. @thread any */
tw_rooms *tw__client_rooms(const tw_client *cl);

#endif
