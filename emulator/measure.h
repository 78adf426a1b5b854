/* SPDX-License-Identifier: MIT */
/* The metrics: a number for the rows of a group in a window of buckets. */
#ifndef EMU_MEASURE_H
#define EMU_MEASURE_H

#include "parts.h"

typedef enum emu_metric {
    M_UNIQUES,
    M_TOTALS,
    M_AVERAGE,
    M_ACTIVE, /* uniques / active users: the fraction */
    M_SUM,
    M_VALUE_AVERAGE,
    M_MAX,
    M_MIN,
    M_COUNT,         /* distinct values */
    M_COUNT_AVERAGE, /* distinct (user, value) / users */
    M_PERCENTILE,
    M_FREQUENCY_PERCENTILE,
    M_ARPAU,
    M_SESSIONS /* distinct (user, session) */
} emu_metric;

typedef struct emu_measure {
    emu_ask *q;
    uint32_t *stamp; /* by place of a user */
    uint32_t *times; /* by place of a user: rows, for the frequency */
    uint32_t mark;
    double *numbers; /* scratch */
    emu_group_key *pairs;
    size_t number_cap, pair_cap;
    bool failed;
} emu_measure;

bool emu_measure_init(emu_measure *m, emu_ask *q);
void emu_measure_free(emu_measure *m);

/* A set of rows: those of one kept group in the buckets [lo, hi], or in the whole range. */
typedef struct emu_set {
    const emu_part *part;
    size_t group; /* kept number; SIZE_MAX is an empty set */
    size_t lo, hi;
    bool whole;
} emu_set;

/* `active` is the set of active rows that the same window has, for M_ACTIVE and M_ARPAU. */
double emu_measure_set(emu_measure *m, emu_metric metric, double param,
                       const emu_set *set, const emu_set *active);

/* Linear interpolation between the closest ranks; sorts the numbers. */
double emu_quantile(double *numbers, size_t n, double p);

#endif
