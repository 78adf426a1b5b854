/* SPDX-License-Identifier: MIT */
/* Unordered funnels whose steps share rows: as many steps as can be get a row each. */
#include <string.h>

#include "funnel.h"

/* Rows that each step may take, the earliest first: more than there are steps are not needed,
 * for the others hold less than that. */
typedef struct seats {
    size_t n;
    const emu_hit *rows[EMU_STEPS_MAX][EMU_STEPS_MAX];
    size_t row_n[EMU_STEPS_MAX];
    const emu_hit *at[EMU_STEPS_MAX]; /* by step: the row it has, NULL: none yet */
    size_t fixed;                     /* steps before this one keep theirs */
} seats;

static void list_rows(seats *s, const emu_funnel *f, const emu_window *w)
{
    s->n = f->n;
    for (size_t step = 0; step < f->n; step++) {
        const emu_hit *list = f->hits[step];
        size_t i = emu_first_hit(list, f->hit_n[step], step ? w->from : w->entry_from);

        for (; i < f->hit_n[step] && list[i].second <= w->to && s->row_n[step] < s->n;
             i++)
            if (step > 0 || emu_window_enters(w, &list[i]))
                s->rows[step][s->row_n[step]++] = &list[i];
    }
}

/* What the steps took so far is where the search for more begins. */
static void list_taken(seats *s, const emu_path *path)
{
    for (size_t step = 0; step < path->depth; step++)
        for (size_t i = 0; i < s->row_n[step] && !s->at[step]; i++)
            if (s->rows[step][i]->row == path->row[step])
                s->at[step] = s->rows[step][i];
}

/* The step that has the row, n for none. */
static size_t owner_of(const seats *s, const emu_hit *h)
{
    size_t step = 0;

    while (step < s->n && !(s->at[step] && s->at[step]->row == h->row))
        step++;
    return step;
}

/* Gives a step a row; others may change theirs for it (an augmenting path). `seen` are the steps
 * that were asked already, one bit each. */
static bool seat(seats *s, size_t step, uint64_t *seen)
{
    *seen |= 1ull << step;
    for (size_t i = 0; i < s->row_n[step]; i++) {
        const emu_hit *h = s->rows[step][i];
        size_t owner = owner_of(s, h);

        if (owner < s->fixed || (owner < s->n && *seen >> owner & 1))
            continue;
        if (owner == s->n || seat(s, owner, seen)) {
            s->at[step] = h;
            return true;
        }
    }
    return false;
}

/* The step takes this row if all others can still have one. */
static bool move_to(seats *s, size_t step, const emu_hit *h)
{
    const emu_hit *before[EMU_STEPS_MAX];
    size_t owner = owner_of(s, h);
    uint64_t seen = 0;

    if (owner < step)
        return false;
    memcpy(before, s->at, sizeof(before));
    s->at[step] = h;
    s->fixed = step + 1;
    if (owner == step || owner == s->n)
        return true;
    s->at[owner] = NULL;
    if (seat(s, owner, &seen))
        return true;
    memcpy(s->at, before, sizeof(before));
    return false;
}

void emu_funnel_seat(const emu_funnel *f, const emu_window *w, emu_path *path)
{
    size_t depth = path->depth;
    uint64_t seen = 0;
    seats s = {0};

    list_rows(&s, f, w);
    list_taken(&s, path);
    while (depth < s.n && seat(&s, depth, &seen)) {
        depth++;
        seen = 0;
    }
    if (depth == path->depth)
        return; /* no more than took their earliest rows already */
    for (size_t step = 0; step < depth;
         step++) /* in their order, the earliest that will do */
        for (size_t i = 0; i < s.row_n[step] && !move_to(&s, step, s.rows[step][i]);)
            i++;
    for (size_t step = 0; step < depth; step++) {
        path->row[step] = s.at[step]->row;
        path->second[step] = s.at[step]->second;
    }
    path->depth = depth;
    path->bucket = s.at[0]->bucket;
}
