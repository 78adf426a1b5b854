/* SPDX-License-Identifier: MIT */
/* From collected rows to series: which groups are kept, and their values over the axis. */
#ifndef EMU_SERIES_H
#define EMU_SERIES_H

#include "measure.h"

typedef enum emu_rank { RANK_UNIQUES, RANK_TOTALS, RANK_SUM, RANK_NUMBER } emu_rank;

typedef struct emu_calc {
    emu_ask *q;
    emu_measure m;
    emu_part *parts; /* event by event, in each segment by segment */
    size_t event_n;
    emu_part *active; /* by segment: active rows, split by g alone; NULL: not needed */
    emu_event_def any_active;

    size_t window, average; /* rolling options, 1: none */

    emu_group_key *kept; /* groups of the series being written */
    size_t kept_n, key_n;
    size_t
        *active_of; /* by kept group: its group among the active rows, SIZE_MAX: none */
} emu_calc;

/* Rows are collected; false when out of memory. */
bool emu_calc_collect(emu_calc *c);
void emu_calc_free(emu_calc *c);

/* Chooses the groups of some parts, joined by their labels, and sorts their rows; false when
 * out of memory. */
bool emu_calc_keep(emu_calc *c, const size_t *which, size_t n, emu_rank rank);

/* Gives back what a part holds; it is not asked about again. */
void emu_calc_drop(emu_calc *c, size_t which);

/* The value of one metric at a bucket, over `window` buckets, or over the whole range. */
double emu_calc_value(emu_calc *c, emu_metric metric, double param, size_t event,
                      size_t segment, size_t group, size_t bucket, size_t window,
                      bool whole);

/* Appends a JSON number; what is not finite is 0. */
void emu_put_number(emu_buf *b, double d);

#endif
