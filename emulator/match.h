/* SPDX-License-Identifier: MIT */
/* Does a row fit: filters, events, segments. */
#ifndef EMU_MATCH_H
#define EMU_MATCH_H

#include <stddef.h>
#include <string.h>

#include "query.h"

/* Index of the first of n ascending items at or after a time: an int64_t at `offset` in each. */
static inline size_t emu_first_at(const void *items, size_t n, size_t size, size_t offset,
                                  int64_t time)
{
    const char *at = items;
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int64_t t;

        memcpy(&t, at + mid * size + offset, sizeof(t));
        if (t < time)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool emu_read_prop(emu_ask *q, bool user, emu_str name, emu_prop *out);

/* Lower case of a UTF-8 text, for Latin, Greek and Cyrillic letters; into b. */
void emu_fold(emu_buf *b, emu_str s);

/* The list of a row in which a property would be. */
static inline const emu_pair *emu_row_list(const emu_ask *q, const emu_cell *c,
                                           const emu_prop *p, uint32_t *n)
{
    uint32_t at = p->kind == LIST_EVENT ? c->ep : p->kind == LIST_USER ? c->up : c->bi;

    return emu_list(q->columns, at, n);
}

bool emu_filter_fits(emu_ask *q, emu_filter *f, const emu_cell *c);
/* Type, activity and filters; EV_NEW always fits: the chart knows who is new. */
bool emu_event_fits(emu_ask *q, emu_event_def *ev, const emu_cell *c);

/* The rows of one user up to now. */
typedef struct emu_actor {
    uint32_t number; /* of the user, as in amplitude_id */
    size_t place;    /* in the picture */
    const emu_cell *rows;
    size_t n;
    int64_t t0;
} emu_actor;

/* False when the user has no row yet. */
bool emu_actor_at(emu_ask *q, size_t place, emu_actor *p);
/* Index of the first row at or after t. */
size_t emu_actor_from(const emu_actor *p, int64_t t);

/* Prepares the "who performed" conditions of a segment for a user. False: out of memory. */
bool emu_segment_meet(emu_ask *q, emu_segment *s, const emu_actor *p);
void emu_segment_free(emu_segment *s);
/* The conditions on the row and on the user's cohorts. */
bool emu_segment_row(emu_ask *q, emu_segment *s, const emu_actor *p, const emu_cell *c);
/* The conditions on what the user performed, for a row in the bucket [a, b). */
bool emu_segment_who(const emu_ask *q, const emu_segment *s, int64_t a, int64_t b);

#endif
