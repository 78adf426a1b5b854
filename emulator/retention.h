/* SPDX-License-Identifier: MIT */
/* Retention: the windows of a cohort, and those in which one user came back. */
#ifndef EMU_RETENTION_H
#define EMU_RETENTION_H

#include "parts.h"

#define EMU_CELLS_MAX 365    /* cells of a cohort (chart page) */
#define EMU_BRACKETS_MAX 100 /* (chart page) */
#define EMU_CELL_WORDS 6     /* bits for EMU_CELLS_MAX */

typedef enum emu_retention_mode { N_DAY, ROLLING, BRACKET } emu_retention_mode;

/* A set of cells. */
typedef struct emu_cells {
    uint64_t w[EMU_CELL_WORDS];
} emu_cells;

static inline bool emu_cells_have(const emu_cells *b, size_t k)
{
    return b->w[k / 64] >> (k % 64) & 1;
}

/* A start: the cohort it falls into and where windows are counted from. */
typedef struct emu_start {
    int64_t t, origin;
    uint32_t row, cohort;
} emu_start;

typedef struct emu_retention {
    emu_ask *q;
    emu_retention_mode mode;
    bool calendar;
    int64_t unit; /* hours when i=1, else days */
    emu_event_def se, re;
    int64_t (*bracket)[2];
    size_t cells;                 /* at most, of any cohort */
    emu_cells *exists, *complete; /* by cohort */
    emu_segment *segment;         /* the one being looked at */

    /* Of the user being looked at. */
    emu_actor p;
    emu_start *starts;
    size_t start_n, start_cap;
    emu_start **list; /* scratch for the caller, as long as starts */
    struct emu_back {
        int64_t t, at; /* a return, and its time as windows see it */
    } * backs;
    size_t back_n, back_cap;
    emu_cells *kept; /* by cohort: cells that the user came back in */
    bool *in;        /* by cohort: the user has a start there */
} emu_retention;

/* Finds the cells that each cohort has by now; false when out of memory. */
bool emu_retention_init(emu_retention *r);
void emu_retention_free(emu_retention *r);
/* The starts of the user, in order; false when out of memory. */
bool emu_retention_starts(emu_retention *r);
/* His returns since the first start; false when out of memory. */
bool emu_retention_backs(emu_retention *r);
/* Fills kept and in for the cohort of some starts, which are all of it that count, in order. */
void emu_retention_follow(emu_retention *r, emu_start *const *list, size_t n);

#endif
