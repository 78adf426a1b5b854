/* SPDX-License-Identifier: MIT */
/* The groups with most users: counted in a first walk over the users, kept for the second. */
#ifndef EMU_BEST_H
#define EMU_BEST_H

#include "parts.h"

typedef struct emu_best {
    const emu_ask *q;
    size_t key_n;
    bool ranking; /* the first walk: users of each group only */
    emu_groups groups;
    int64_t *users; /* by group */
    size_t user_cap;
    uint32_t *order;   /* kept groups, the largest first */
    uint32_t *kept_of; /* by group, EMU_NO_GROUP: not kept */
    size_t order_n;
} emu_best;

/* True: the groups are to be counted by a walk, then chosen. False: there is one, made at
 * emu_best_choose even when nobody is in it. */
bool emu_best_begin(emu_best *b, const emu_ask *q, size_t key_n);
/* A user of a group. *kept is its place among the kept ones, EMU_NO_GROUP during the first
 * walk and for the others; false when out of memory. */
bool emu_best_user(emu_best *b, const emu_group_key *key, uint32_t *kept);
/* Keeps as many as the query's limit, ties by label; false when out of memory. */
bool emu_best_choose(emu_best *b);
void emu_best_free(emu_best *b);

#endif
