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

/* An answer with one element for each group of each segment: elements go to the reply, what
 * stands beside them waits for its end. */
typedef struct emu_best_answer {
    emu_ask *q;
    emu_buf labels, meta;
    size_t n;
} emu_best_answer;

void emu_best_answer_begin(emu_best_answer *a, emu_ask *q);
/* Before the element of a kept group, and its meta: its label; `nameless` without group-by. */
void emu_best_next(emu_best_answer *a, const emu_best *b, size_t kept,
                   const char *nameless);
/* Answers: 500 unless `ok`. */
void emu_best_answer_end(emu_best_answer *a, bool ok, bool with_meta);

#endif
