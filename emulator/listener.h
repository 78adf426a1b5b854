/* SPDX-License-Identifier: MIT */
/* The door of the API's port: it can be closed, so that connections are refused, and opened. */
#ifndef EMU_LISTENER_H
#define EMU_LISTENER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "emulator.h"

typedef struct emu_door { /* guarded by twe.wait_mu, as twe.api is */
    char host[16];
    uint16_t port;
    bool closed, timed;
    int64_t until_ms;        /* when timed: the emulator's time at which it opens again */
    pthread_t keeper;        /* opens it then; 0 until the first timed closing */
    struct MHD_Daemon **old; /* closed ones, whose connections go on */
    int *fds;                /* their listening sockets */
    size_t n;
} emu_door;

void emu_door_init(twe *e, const char *host, uint16_t port);
/* From now on connections are refused, for ms or (negative) until opened; those that are
 * open go on. False: out of memory. */
bool emu_door_close(twe *e, int64_t ms);
/* False: the port could not be listened on again. */
bool emu_door_open(twe *e);
void emu_door_end(twe *e);  /* once twe.stopping is set: ends the keeper */
void emu_door_free(twe *e); /* ends the connections of closed ports */

#endif
