/* SPDX-License-Identifier: MIT */
/* The real gate on a loop that the test turns by hand and a transport that it scripts. */
#ifndef TEST_WORKED_GATE_H
#define TEST_WORKED_GATE_H

#include "gate/gate.h"
#include "support/script_transport.h"

typedef struct worked_gate {
    script sc;
    tw_loop *loop;
    tw_gate *gate;
    int open_ended; /* the heads of worked_head tell no length */
} worked_gate;

/* Also puts the fake time in place. */
void worked_begin(worked_gate *wg);
/* Closes and checks that no transfer is left. */
void worked_end(worked_gate *wg);
/* Runs what is queued and due, until nothing is. */
void worked_turn(worked_gate *wg);
/* Lets time pass and turns. */
void worked_pass(worked_gate *wg, int64_t ms);
/* Body bytes of any kind for request `index`. Returns what the receiver said. */
int worked_give(worked_gate *wg, int index, const char *bytes, size_t size);
/* A head with a content encoding. */
int worked_head(worked_gate *wg, int index, int status, const char *type,
                const char *encoding);

#endif
