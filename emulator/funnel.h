/* SPDX-License-Identifier: MIT */
/* Funnels: the path of one user through the steps, and what all paths add up to. */
#ifndef EMU_FUNNEL_H
#define EMU_FUNNEL_H

#include "parts.h"

#define EMU_STEPS_MAX 50 /* ours; charts have fewer */

typedef enum emu_funnel_mode {
    FUNNEL_ORDERED,
    FUNNEL_UNORDERED,
    FUNNEL_SEQUENTIAL
} emu_funnel_mode;

/* A row that fits a step. */
typedef struct emu_hit {
    int64_t second;  /* rounded, half up */
    uint32_t row;    /* among the user's rows */
    uint32_t bucket; /* of the entry; EMU_NO_BUCKET when it is none (step 1 only) */
} emu_hit;

typedef struct emu_path {
    size_t depth;
    uint32_t row[EMU_STEPS_MAX];
    int64_t second[EMU_STEPS_MAX]; /* ascending */
    uint32_t bucket;               /* of the entry */
} emu_path;

typedef struct emu_funnel {
    emu_ask *q;
    emu_funnel_mode mode;
    int64_t window; /* seconds */
    bool new_only;
    emu_event_def steps[EMU_STEPS_MAX];
    size_t n;
    emu_segment *segment; /* the one being looked at */

    /* Of the user being looked at. */
    emu_actor p;
    emu_hit *seconds; /* all rows by second and order of ingestion */
    size_t second_n, second_cap;
    emu_hit *hits[EMU_STEPS_MAX];
    size_t hit_n[EMU_STEPS_MAX], hit_cap[EMU_STEPS_MAX];
    emu_path best;
    emu_path *by_bucket; /* axis.n of them, depth 0: none … */
    uint32_t *touched;   /* … and those that are more */
    size_t touched_n;
    int64_t (*span)[2];   /* by bucket: seconds of its first and last entry (unordered) */
    int64_t *type_second; /* by type: the last second met, and of which user */
    uint32_t *type_user;
    uint32_t user_no;
} emu_funnel;

#define EMU_NO_BUCKET UINT32_MAX

/* Where the rows of an unordered path are: seconds [from, to], the first step an entry (of that
 * bucket, when one is given); no entry is before entry_from. */
typedef struct emu_window {
    int64_t from, to, entry_from;
    uint32_t bucket;
} emu_window;

static inline bool emu_window_enters(const emu_window *w, const emu_hit *h)
{
    return h->bucket != EMU_NO_BUCKET &&
           (w->bucket == EMU_NO_BUCKET || w->bucket == h->bucket);
}

/* More steps for a path whose first ones took their earliest rows, which they may have to leave to
 * others. */
void emu_funnel_seat(const emu_funnel *f, const emu_window *w, emu_path *path);

bool emu_funnel_init(emu_funnel *f);
void emu_funnel_free(emu_funnel *f);
/* Index of the first hit at or after a second. */
size_t emu_first_hit(const emu_hit *list, size_t n, int64_t second);
/* Walks one user: fills best and by_bucket. False: out of memory. */
bool emu_funnel_walk(emu_funnel *f);

/* One step of one path: step 0 holds the time from first to last, -1 when not converted. */
typedef struct emu_funnel_mark {
    int64_t seconds;
    uint32_t group;
    uint16_t slot; /* 0: over all, else the bucket of the entry + 1 */
    uint16_t step;
    uint32_t before; /* how often the previous step was done on the way here */
} emu_funnel_mark;

/* What is kept of a mark when they are sorted. */
typedef struct emu_funnel_value {
    int64_t seconds;
    uint32_t before;
} emu_funnel_value;

/* What the paths of all users add up to. */
typedef struct emu_funnel_sums {
    emu_ask *q;
    emu_funnel f;
    size_t inline_n; /* group_by inside events: their steps and properties */
    size_t inline_step[2];
    emu_prop inline_prop[2];

    emu_groups groups;
    emu_funnel_mark *marks;
    size_t n, cap;

    uint32_t *kept; /* groups of the segment being written, best first */
    size_t kept_n;
    size_t *cell; /* places in sorted, by kept group, slot and step */
    emu_funnel_value *sorted;
    size_t written;
    bool any; /* some segment had a user */
} emu_funnel_sums;

static inline size_t emu_funnel_cell(const emu_funnel_sums *j, size_t kept, size_t slot,
                                     size_t step)
{
    return (kept * (j->q->axis.n + 1) + slot) * j->f.n + step;
}

/* Writes the element of a kept group; false when out of memory. */
bool emu_funnel_put(emu_funnel_sums *j, size_t segment, size_t kept);

#endif
