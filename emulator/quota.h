/* SPDX-License-Identifier: MIT */
/* The emulator's own meters: concurrency and cost by area, and cohort downloads. */
#ifndef EMU_QUOTA_H
#define EMU_QUOTA_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "emulator.h"

/* Areas whose calls at once are limited, each by the sum of their costs. */
typedef enum emu_gate {
    GATE_NONE,
    GATE_REST,
    GATE_USERS,
    GATE_TAXONOMY,
    GATE_COUNT
} emu_gate;

/* Areas whose cost within a sliding window is limited. */
typedef enum emu_meter {
    METER_USERS,
    METER_TAXONOMY,
    METER_PROFILE,
    METER_QUERIES,
    METER_COUNT
} emu_meter;

typedef struct emu_charge {
    int64_t ms, cost;
} emu_charge;

/* Charges of a window, oldest first. */
typedef struct emu_charges {
    emu_charge *items;
    size_t n, cap;
} emu_charges;

/* The highest that was seen, and the calls that were too much, refused or not. */
typedef struct emu_seen_limit {
    int64_t peak, excess;
} emu_seen_limit;

typedef struct emu_limits {
    pthread_mutex_t mu;
    int running[GATE_COUNT];
    int64_t cost_running; /* of analytics queries */
    emu_charges meters[METER_COUNT];
    emu_charges downloads; /* cohort requests of this month */
    emu_seen_limit seen_gate[GATE_COUNT], seen_meter[METER_COUNT];
    int64_t download_excess;
} emu_limits;

void emu_limits_init(emu_limits *l);
void emu_limits_reset(emu_limits *l);
void emu_limits_free(emu_limits *l);
/* True when a call of this cost may run; then emu_gate_leave must follow. */
bool emu_gate_enter(twe *e, emu_gate gate, int cost);
void emu_gate_leave(twe *e, emu_gate gate, int cost);
/* Charges the cost unless a documented limit stands against it. */
bool emu_meter_take(twe *e, emu_meter meter, int cost);
/* Members of the object of all meters. */
void emu_limits_write(twe *e, emu_buf *out);
/* What stands against a query of the Dashboard API: its cost within the hour, or at once. */
typedef enum emu_cost_answer { COST_OK, COST_RATE, COST_CONCURRENT } emu_cost_answer;
/* COST_OK: charged, and emu_cost_leave must follow. */
emu_cost_answer emu_cost_enter(twe *e, int64_t cost);
void emu_cost_leave(twe *e, int64_t cost);
/* Requests of this month and the time the oldest of them stops counting (0: none). */
void emu_download_usage(twe *e, int64_t *used, int64_t *resets_ms);
/* Counts one cohort download request unless a documented limit stands against it. */
bool emu_download_take(twe *e, int jobs_running);

#endif
