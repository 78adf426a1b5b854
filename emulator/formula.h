/* SPDX-License-Identifier: MIT */
/* Formulas over the metrics of two events: read once, then evaluated for each group. */
#ifndef EMU_FORMULA_H
#define EMU_FORMULA_H

#include "series.h"

typedef struct emu_formula {
    struct emu_node *root;
    size_t longest;   /* rolling windows in it, in buckets; 1: none */
    bool active;      /* needs the active users */
    bool property[2]; /* uses the property of A, of B */
    bool uses[2];
    bool any_segment;    /* some term follows the segment being written */
    size_t segment_most; /* the highest segment number named */
} emu_formula;

/* False: answered 400. */
bool emu_formula_read(emu_ask *q, emu_str text, emu_formula *f);

/* Fills out[0 .. axis.n) for a kept group; false when out of memory. */
bool emu_formula_series(emu_calc *c, const emu_formula *f, size_t segment, size_t group,
                        double *out);
/* The value over the whole range. */
double emu_formula_whole(emu_calc *c, const emu_formula *f, size_t segment, size_t group);

#endif
