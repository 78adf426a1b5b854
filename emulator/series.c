/* SPDX-License-Identifier: MIT */
/* Ranking groups and asking metrics for their values. */
#include "series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BINS_MAX 10000 /* of a histogram; ours */

void emu_put_number(emu_buf *b, double d)
{
    if (d == floor(d) && fabs(d) < 1e15)
        emu_buf_int(b, (int64_t)d);
    else if (!ej_put_double(b, d))
        emu_buf_ch(b, '0');
}

static size_t part_n(const emu_calc *c)
{
    return c->event_n * c->q->segment_n;
}

bool emu_calc_collect(emu_calc *c)
{
    size_t n = part_n(c), all = n + (c->active ? c->q->segment_n : 0);

    /* The active parts follow the others in one array. */
    return emu_measure_init(&c->m, c->q) && emu_parts_collect(c->q, c->parts, all);
}

void emu_calc_free(emu_calc *c)
{
    size_t all = part_n(c) + (c->active ? c->q->segment_n : 0);

    for (size_t i = 0; i < all && c->parts; i++)
        emu_part_free(&c->parts[i]);
    emu_measure_free(&c->m);
    free(c->kept);
    free(c->active_of);
}

/* --- ranking --- */

typedef struct ranked {
    emu_group_key key;
    double rank;
} ranked;

typedef struct ranking {
    emu_calc *c;
    emu_groups groups;
    ranked *items;
    size_t key_n;
    emu_rank by;
} ranking;

static double sum_of_row(const emu_calc *c, const emu_part *part, const emu_rec *r)
{
    const emu_prop *p = part->event->group_n ? &part->event->group[0] : NULL;
    const emu_cell *cell = &c->q->view->cells[r->row];
    uint32_t n = 0;
    const emu_pair *list = p ? emu_row_list(c->q, cell, p, &n) : NULL;
    double sum = 0;

    if (!p)
        return isnan(cell->revenue) ? 0 : cell->revenue;
    for (uint32_t i = 0; i < n; i++) {
        double d = emu_dict_at(&c->q->columns->values, list[i].value)->number;

        if (list[i].key == p->key && !isnan(d))
            sum += d;
    }
    return sum;
}

/* Ranks come from the whole range. Records are user by user, so that a user is new to a group
 * when he is not the last one it had. */
static bool rank_part(ranking *k, const emu_part *part)
{
    double *rank = calloc(part->groups.n + 1, sizeof(*rank));
    uint32_t *last = calloc(part->groups.n + 1, sizeof(*last));
    bool ok = rank && last;

    for (size_t i = 0; i < part->n && ok; i++) {
        const emu_rec *r = &part->recs[i];

        if (!(r->flags & IN_WHOLE))
            continue;
        if (k->by == RANK_TOTALS)
            rank[r->group]++;
        else if (k->by == RANK_SUM)
            rank[r->group] += sum_of_row(k->c, part, r);
        else if (last[r->group] != r->user + 1)
            rank[r->group]++;
        last[r->group] = r->user + 1;
    }
    for (size_t g = 0; g < part->groups.n && ok; g++) {
        size_t had = k->groups.n;
        uint32_t id;

        ok = emu_groups_add(&k->groups, &part->groups.keys[g], &id);
        if (ok && k->groups.n > had) {
            ranked *items = realloc(k->items, k->groups.cap * sizeof(*items));

            ok = items != NULL;
            k->items = ok ? items : k->items;
            if (ok)
                k->items[id] = (ranked){part->groups.keys[g], 0};
        }
        if (ok)
            k->items[id].rank += rank[g];
    }
    free(rank);
    free(last);
    return ok;
}

static double number_of(const emu_group_key *key)
{
    double d;

    memcpy(&d, &key->k[EMU_KEYS - 2], sizeof(d));
    return d;
}

static int by_rank(const void *a, const void *b, void *self)
{
    const ranking *k = self;
    const ranked *x = a, *y = b;

    if (k->by == RANK_NUMBER && number_of(&x->key) != number_of(&y->key))
        return number_of(&x->key) < number_of(&y->key) ? -1 : 1;
    if (k->by != RANK_NUMBER && x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return emu_compare_labels(k->c->q, &x->key, &y->key, k->key_n);
}

/* --- placing --- */

/* Where each group of a part goes among the kept ones. A part without keys of its own stands
 * beside every group of the others. */
static bool place_part(emu_calc *c, emu_part *part, const emu_groups *kept)
{
    uint32_t *kept_of = malloc((part->groups.n + 1) * sizeof(*kept_of));
    bool ok;

    if (!kept_of)
        return false;
    for (size_t g = 0; g < part->groups.n; g++) {
        if (part->key_n > 0 || part->number)
            kept_of[g] = emu_groups_find(kept, &part->groups.keys[g]);
        else
            kept_of[g] = c->kept_n ? 0 : EMU_NO_GROUP; /* the others may have no group */
    }
    ok = emu_part_place(c->q, part, kept_of, c->kept_n);
    free(kept_of);
    return ok;
}

static bool place_one_active(emu_calc *c, emu_part *part, const emu_groups *groups)
{
    uint32_t *kept_of = malloc((part->groups.n + 1) * sizeof(*kept_of));
    bool ok = kept_of != NULL;

    for (size_t g = 0; g < part->groups.n && ok; g++)
        kept_of[g] = emu_groups_find(groups, &part->groups.keys[g]);
    ok = ok && emu_part_place(c->q, part, kept_of, groups->n);
    free(kept_of);
    return ok;
}

/* The active rows go by the values of g alone. */
static bool place_active(emu_calc *c)
{
    emu_groups groups = {0};
    bool ok;

    free(c->active_of);
    c->active_of = malloc((c->kept_n + 1) * sizeof(*c->active_of));
    ok = c->active_of != NULL;
    for (size_t i = 0; i < c->kept_n && ok; i++) {
        emu_group_key key = {{0}};
        uint32_t id;

        memcpy(key.k, c->kept[i].k, c->q->g_n * sizeof(key.k[0]));
        ok = emu_groups_add(&groups, &key, &id);
        c->active_of[i] = id;
    }
    for (size_t s = 0; s < c->q->segment_n && ok; s++)
        ok = place_one_active(c, &c->active[s], &groups);
    emu_groups_free(&groups);
    return ok;
}

static bool keep_best(emu_calc *c, ranking *k, size_t limit)
{
    size_t n = k->groups.n < limit ? k->groups.n : limit;

    if (k->groups.n)
        qsort_r(k->items, k->groups.n, sizeof(*k->items), by_rank, k);
    free(c->kept);
    c->kept = calloc(n + 1, sizeof(*c->kept));
    if (!c->kept)
        return false;
    for (size_t i = 0; i < n; i++)
        c->kept[i] = k->items[i].key;
    c->kept_n = n;
    return true;
}

bool emu_calc_keep(emu_calc *c, const size_t *which, size_t n, emu_rank rank)
{
    ranking k = {.c = c, .by = rank};
    emu_groups kept = {0};
    bool ok = true, number = c->parts[which[0]].number != NULL;

    for (size_t i = 0; i < n; i++)
        if (c->parts[which[i]].key_n > k.key_n)
            k.key_n = c->parts[which[i]].key_n;
    c->key_n = k.key_n;
    for (size_t i = 0; i < n && ok; i++)
        if (c->parts[which[i]].key_n == k.key_n)
            ok = rank_part(&k, &c->parts[which[i]]);
    ok = ok && keep_best(c, &k, number ? BINS_MAX : k.key_n ? c->q->limit : 1);
    if (ok && k.key_n == 0 && !number)
        c->kept_n = 1; /* a series of zeros if need be: room for its key was made */
    for (size_t i = 0; i < c->kept_n && ok; i++) {
        uint32_t id;

        ok = emu_groups_add(&kept, &c->kept[i], &id);
    }
    for (size_t i = 0; i < n && ok; i++)
        ok = place_part(c, &c->parts[which[i]], &kept);
    if (c->active)
        ok = ok && place_active(c);
    emu_groups_free(&kept);
    emu_groups_free(&k.groups);
    free(k.items);
    return ok;
}

void emu_calc_drop(emu_calc *c, size_t which)
{
    emu_part *part = &c->parts[which];

    emu_part_free(part);
    part->groups = (emu_groups){0};
    part->recs = part->placed = NULL;
    part->place = NULL;
    part->n = part->cap = 0;
}

double emu_calc_value(emu_calc *c, emu_metric metric, double param, size_t event,
                      size_t segment, size_t group, size_t bucket, size_t window,
                      bool whole)
{
    const emu_part *part = &c->parts[event * c->q->segment_n + segment];
    bool alone = part->key_n == 0 && !part->number;
    emu_set set = {.part = part,
                   .group = alone ? 0 : group,
                   .lo = bucket + 1 > window ? bucket + 1 - window : 0,
                   .hi = bucket,
                   .whole = whole};
    emu_set active = set;

    if (c->active) {
        active.part = &c->active[segment];
        active.group = c->active_of[group];
    }
    return emu_measure_set(&c->m, metric, param, &set, &active);
}
