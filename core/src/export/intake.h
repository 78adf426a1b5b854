/* SPDX-License-Identifier: MIT */
/* Between a call that delivers bytes and a decoder that may be full: pauses and
 * remainders. */
#ifndef TW_EXPORT_INTAKE_H
#define TW_EXPORT_INTAKE_H

#include <stddef.h>

/*
 * A decoder makes far more bytes than it is given: a few KiB may fill every block that
 * may be ready. It then stops in the middle of its input (TW_AGAIN), and the rest, never
 * longer than what the transfer hands over at once, waits here. That and the blocks is
 * all the memory.
 */
typedef struct tw_intake {
    /* TW_OK all used, TW_AGAIN full after `*used`, or a negative code. */
    int (*feed)(void *ctx, const char *bytes, size_t size, size_t *used);
    void *ctx;
    char *rest;
    size_t rest_room;
    size_t rest_size;
    int full;   /* the decoder said TW_AGAIN; `rest` (perhaps empty) comes first */
    int paused; /* the transfer was told TW_AGAIN */
} tw_intake;

void tw__intake_init(tw_intake *in,
                     int (*feed)(void *ctx, const char *bytes, size_t size, size_t *used),
                     void *ctx);
void tw__intake_clear(tw_intake *in);

/* The data() of a call's sink. */
int tw__intake_data(tw_intake *in, const char *bytes, size_t size);
/* There may be room again. TW_OK: nothing waits, and where `*resume` is set the call
 * is to be resumed. TW_AGAIN: still full. Negative: the decoder failed. */
int tw__intake_drained(tw_intake *in, int *resume);

#endif
