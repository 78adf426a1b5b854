/* SPDX-License-Identifier: MIT */
/* The walk over all users that finds the rows of a chart's events and segments. */
#include "parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ELEMENTS_MAX 10000 /* groups that arrays split a row into; ours */

/* What is known of the user being walked over. */
typedef struct walk {
    emu_ask *q;
    emu_part *parts;
    size_t n;
    emu_actor p;
    uint8_t *active; /* by bucket: has an active row there */
    bool active_whole, new_whole;
    size_t new_bucket;
    struct verdict *verdicts; /* by part */
    uint32_t *values[4];      /* of the keys of a row */
} walk;

/* The answer of a segment's "who performed" conditions, for the last bucket asked about. */
typedef struct verdict {
    size_t bucket;
    bool in_bucket, whole;
} verdict;

static bool push(emu_part *part, const emu_rec *rec)
{
    if (part->n == part->cap) {
        size_t cap = part->cap ? part->cap * 2 : 1024;
        emu_rec *recs = realloc(part->recs, cap * sizeof(*recs));

        if (!recs)
            return false;
        part->recs = recs;
        part->cap = cap;
    }
    part->recs[part->n++] = *rec;
    return true;
}

static bool put(emu_part *part, emu_rec *rec, const emu_group_key *key)
{
    return emu_groups_add(&part->groups, key, &rec->group) && push(part, rec);
}

/* One record for each number of the property; the number's bits are part of the key. */
static bool put_numbers(walk *w, emu_part *part, emu_rec *rec, emu_group_key *key)
{
    const emu_cell *c = &w->q->view->cells[rec->row];
    uint32_t n;
    const emu_pair *list = emu_row_list(w->q, c, part->number, &n);

    for (uint32_t i = 0; i < n; i++) {
        double d;

        if (list[i].key != part->number->key)
            continue;
        d = emu_dict_at(&w->q->columns->values, list[i].value)->number;
        if (isnan(d))
            continue;
        d = d == 0 ? 0.0 : d; /* no minus zero */
        memcpy(&key->k[EMU_KEYS - 2], &d, sizeof(d));
        if (!put(part, rec, key))
            return false;
    }
    return true;
}

/* Every combination of the keys' values is a group of its own. Beyond ELEMENTS_MAX of them the
 * later keys give fewer values: four arrays would make more groups than memory holds. */
static bool put_groups(walk *w, emu_part *part, emu_rec *rec)
{
    const emu_cell *c = &w->q->view->cells[rec->row];
    size_t count[4], at[4] = {0}, k = part->key_n, room = ELEMENTS_MAX;
    emu_group_key key = {{0}};

    for (size_t i = 0; i < k; i++) {
        count[i] = emu_group_values(w->q, &part->keys[i], c, w->values[i], room);
        room /= count[i];
    }
    for (;;) {
        size_t i = k;

        for (size_t j = 0; j < k; j++)
            key.k[j] = w->values[j][at[j]];
        if (!(part->number ? put_numbers(w, part, rec, &key) : put(part, rec, &key)))
            return false;
        while (i > 0 && ++at[i - 1] == count[i - 1])
            at[--i] = 0;
        if (i == 0)
            return true;
    }
}

static void judge(walk *w, size_t i, size_t bucket)
{
    const emu_axis *x = &w->q->axis;
    verdict *v = &w->verdicts[i];
    const emu_segment *s = w->parts[i].segment;

    if (v->bucket == bucket)
        return;
    if (v->bucket == SIZE_MAX)
        v->whole = emu_segment_who(w->q, s, x->start, x->end);
    v->in_bucket = emu_segment_who(w->q, s, x->b[bucket].a, x->b[bucket].b);
    v->bucket = bucket;
}

static bool take_row(walk *w, size_t i, size_t row, size_t bucket)
{
    emu_part *part = &w->parts[i];
    const emu_cell *c = &w->p.rows[row];
    const emu_axis *x = &w->q->axis;
    bool series = true, whole = c->t >= x->start && c->t < x->end;
    emu_rec rec;

    if (!emu_event_fits(w->q, part->event, c))
        return true;
    if (part->event->special == EV_NEW) {
        series = w->new_bucket == bucket;
        whole &= w->new_whole;
    }
    if (part->active_only) {
        series &= w->active[bucket];
        whole &= w->active_whole;
    }
    if ((!series && !whole) || !emu_segment_row(w->q, part->segment, &w->p, c))
        return true;
    judge(w, i, bucket);
    series &= w->verdicts[i].in_bucket;
    whole &= w->verdicts[i].whole;
    if (!series && !whole)
        return true;
    rec =
        (emu_rec){.row = (uint32_t)(c - w->q->view->cells),
                  .user = (uint32_t)w->p.place,
                  .bucket = (uint16_t)bucket,
                  .flags = (uint16_t)((series ? IN_SERIES : 0) | (whole ? IN_WHOLE : 0))};
    return put_groups(w, part, &rec);
}

static void note_activity(walk *w, size_t from, size_t to)
{
    const emu_axis *x = &w->q->axis;
    size_t bucket = 0;

    memset(w->active, 0, x->n);
    w->active_whole = false;
    for (size_t i = from; i < to; i++) {
        const emu_cell *c = &w->p.rows[i];

        while (c->t >= x->b[bucket].b)
            bucket++;
        if (w->q->inactive[c->type])
            continue;
        w->active[bucket] = 1;
        w->active_whole |= c->t >= x->start && c->t < x->end;
    }
}

static bool take_user(walk *w)
{
    const emu_axis *x = &w->q->axis;
    size_t from = emu_actor_from(&w->p, x->b[0].a), bucket = 0;
    size_t to = emu_actor_from(&w->p, x->b[x->n - 1].b);

    if (from == to)
        return true;
    note_activity(w, from, to);
    w->new_bucket = emu_axis_find(x, w->p.t0);
    w->new_whole = w->p.t0 >= x->start && w->p.t0 < x->end;
    for (size_t i = 0; i < w->n; i++) {
        w->verdicts[i].bucket = SIZE_MAX;
        if ((i == 0 || w->parts[i].segment != w->parts[i - 1].segment) &&
            !emu_segment_meet(w->q, w->parts[i].segment, &w->p))
            return false;
    }
    for (size_t row = from; row < to; row++) {
        while (w->p.rows[row].t >= x->b[bucket].b)
            bucket++;
        for (size_t i = 0; i < w->n; i++)
            if (!take_row(w, i, row, bucket))
                return false;
    }
    return true;
}

bool emu_parts_collect(emu_ask *q, emu_part *parts, size_t n)
{
    walk w = {.q = q, .parts = parts, .n = n};
    bool ok;

    w.active = emu_arena_alloc(q->a, q->axis.n);
    w.verdicts = emu_arena_alloc(q->a, (n + 1) * sizeof(*w.verdicts));
    ok = w.active && w.verdicts;
    for (int i = 0; i < 4 && ok; i++) {
        w.values[i] = emu_arena_alloc(q->a, ELEMENTS_MAX * sizeof(uint32_t));
        ok = w.values[i] != NULL;
    }
    for (size_t place = 0; place < q->view->user_n && ok; place++)
        if (emu_actor_at(q, place, &w.p))
            ok = take_user(&w);
    for (size_t i = 0; i < n; i++)
        emu_segment_free(parts[i].segment);
    return ok;
}

bool emu_part_place(emu_ask *q, emu_part *part, const uint32_t *kept_of, size_t kept)
{
    size_t cells = kept * q->axis.n, sum = 0;

    free(part->placed);
    free(part->place);
    part->place = calloc(cells + 2, sizeof(*part->place));
    part->placed = malloc((part->n + 1) * sizeof(*part->placed));
    if (!part->place || !part->placed)
        return false;
    for (size_t i = 0; i < part->n; i++) {
        uint32_t g = kept_of[part->recs[i].group];

        if (g != EMU_NO_GROUP)
            part->place[g * q->axis.n + part->recs[i].bucket]++;
    }
    for (size_t i = 0; i <= cells; i++) {
        size_t n = part->place[i];

        part->place[i] = sum;
        sum += n;
    }
    for (size_t i = 0; i < part->n; i++) {
        uint32_t g = kept_of[part->recs[i].group];

        if (g != EMU_NO_GROUP)
            part->placed[part->place[g * q->axis.n + part->recs[i].bucket]++] =
                part->recs[i];
    }
    memmove(part->place + 1, part->place, cells * sizeof(*part->place));
    part->place[0] = 0;
    return true;
}

void emu_part_free(emu_part *part)
{
    emu_groups_free(&part->groups);
    free(part->recs);
    free(part->placed);
    free(part->place);
}
