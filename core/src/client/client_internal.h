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

struct tw_client {
    pid_t pid;
    atomic_int closing; /* intake has stopped */
    atomic_int closed;  /* the loop has ended or is about to */
    tw_loop *loop;
    tw_gate *gate;
    tw_ingest *ingest;
    tw_spool_mode spool_mode;
    char *description; /* what describe() answers, without the moving parts */
    /* Options of the areas. */
    int64_t poll_first_ms;
    int64_t poll_max_ms;
    int64_t job_timeout_ms;
};

/* The first line of every public function that takes a client: TW_E_INVALID for NULL,
 * TW_E_FORKED in a child process, TW_E_CLOSED after close. @thread any */
int tw__client_check(const tw_client *cl, tw_error **err);

#endif
