/* SPDX-License-Identifier: MIT */
/* The emulator's own meters: concurrency of Basic-auth calls and cohort downloads. */
#ifndef EMU_QUOTA_H
#define EMU_QUOTA_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "emulator.h"

typedef struct emu_limits {
    pthread_mutex_t mu;
    int rest_running;
    int64_t *downloads; /* times of the cohort requests of this month, oldest first */
    size_t n, cap;
} emu_limits;

void emu_limits_init(emu_limits *l);
void emu_limits_reset(emu_limits *l);
void emu_limits_free(emu_limits *l);
/* True when the call may run; then emu_rest_leave must follow. */
bool emu_rest_enter(twe *e);
void emu_rest_leave(twe *e);
/* Requests of this month and the time the oldest of them stops counting (0: none). */
void emu_download_usage(twe *e, int64_t *used, int64_t *resets_ms);
/* Counts one cohort download request unless a documented limit stands against it. */
bool emu_download_take(twe *e, int jobs_running);

#endif
