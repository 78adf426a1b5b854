/* SPDX-License-Identifier: MIT */
/* The rows that a chart counts: found in one walk over the users, split into groups. */
#ifndef EMU_PARTS_H
#define EMU_PARTS_H

#include "match.h"

#define EMU_KEYS 6 /* two of g, two of group_by, or a number's two halves */

typedef struct emu_group_key {
    uint32_t k[EMU_KEYS];
} emu_group_key;

/* Groups numbered in the order they were met. */
typedef struct emu_groups {
    emu_group_key *keys;
    size_t n, cap;
    uint32_t *slots;
    size_t slot_n;
} emu_groups;

#define EMU_NO_GROUP UINT32_MAX
#define EMU_ELEMENTS_MAX 1000      /* groups that arrays split a user into; ours */
#define EMU_NOT_REACHED UINT32_MAX /* as a value: the step was not reached (funnels) */

bool emu_groups_add(emu_groups *g, const emu_group_key *key, uint32_t *out);
uint32_t emu_groups_find(const emu_groups *g, const emu_group_key *key);
void emu_groups_free(emu_groups *g);

enum {
    IN_SERIES = 1, /* counts in its bucket */
    IN_WHOLE = 2   /* counts in the range as one bucket */
};

typedef struct emu_rec {
    uint32_t row;  /* in the picture's cells */
    uint32_t user; /* place in the picture */
    uint32_t group;
    uint16_t bucket;
    uint16_t flags;
} emu_rec;

/* The rows of one event and one segment. */
typedef struct emu_part {
    emu_event_def *event;
    emu_segment *segment;
    emu_prop keys[4]; /* what splits it */
    size_t key_n;
    const emu_prop *number; /* also split by the numbers of this property (histogram) */
    bool active_only;       /* users with an active row in the same bucket */

    emu_groups groups;
    emu_rec *recs;
    size_t n, cap;

    emu_rec *placed; /* by kept group, then by bucket */
    size_t *place;   /* kept * buckets + 1 */
} emu_part;

/* Fills all parts; false when out of memory. */
bool emu_parts_collect(emu_ask *q, emu_part *parts, size_t n);
/* Sorts by the groups kept: kept_of[group] is a number below `kept`, or EMU_NO_GROUP. */
bool emu_part_place(emu_ask *q, emu_part *part, const uint32_t *kept_of, size_t kept);
void emu_part_free(emu_part *part);

/* Compares two groups by their labels, code point by code point. */
int emu_compare_labels(const emu_ask *q, const emu_group_key *a, const emu_group_key *b,
                       size_t key_n);
emu_str emu_label_of(const emu_ask *q, uint32_t value); /* "(none)" for 0 */

/* Values of a property on a row for grouping: at least one, (none) is 0. Returns how many;
 * out has room for `max`. */
size_t emu_group_values(const emu_ask *q, const emu_prop *p, const emu_cell *c,
                        uint32_t *out, size_t max);

/* The same, each value once: where users or sessions are counted, not rows. */
size_t emu_group_set(const emu_ask *q, const emu_prop *p, const emu_cell *c,
                     uint32_t *out, size_t max);

#endif
