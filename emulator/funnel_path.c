/* SPDX-License-Identifier: MIT */
/* The way of one user through a funnel: ordered, sequential, unordered. */
#include <stdlib.h>
#include <string.h>

#include "funnel.h"

#define DAY 86400

bool emu_funnel_init(emu_funnel *f)
{
    size_t n = f->q->axis.n + 1;

    f->by_bucket = calloc(n, sizeof(*f->by_bucket));
    f->touched = calloc(n, sizeof(*f->touched));
    f->span = calloc(n, sizeof(*f->span));
    f->type_second = calloc(f->q->type_n + 1, sizeof(*f->type_second));
    f->type_user = calloc(f->q->type_n + 1, sizeof(*f->type_user));
    return f->by_bucket && f->touched && f->span && f->type_second && f->type_user;
}

void emu_funnel_free(emu_funnel *f)
{
    free(f->by_bucket);
    free(f->touched);
    free(f->span);
    free(f->type_second);
    free(f->type_user);
    free(f->seconds);
    for (size_t i = 0; i < f->n; i++)
        free(f->hits[i]);
}

static bool push(emu_hit **list, size_t *n, size_t *cap, const emu_hit *h)
{
    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : 64;
        emu_hit *grown = realloc(*list, more * sizeof(*grown));

        if (!grown)
            return false;
        *list = grown;
        *cap = more;
    }
    (*list)[(*n)++] = *h;
    return true;
}

/* --- rows and hits --- */

static int by_second(const void *a, const void *b, void *self)
{
    const emu_funnel *f = self;
    const emu_hit *x = a, *y = b;
    uint32_t i = f->p.rows[x->row].q, j = f->p.rows[y->row].q;

    if (x->second != y->second)
        return x->second < y->second ? -1 : 1;
    return i < j ? -1 : i > j;
}

static bool list_seconds(emu_funnel *f)
{
    bool sorted = true;

    f->second_n = 0;
    for (size_t i = 0; i < f->p.n; i++) {
        emu_hit h = {emu_floor_div(f->p.rows[i].t + 500, 1000), (uint32_t)i,
                     EMU_NO_BUCKET};

        if (!push(&f->seconds, &f->second_n, &f->second_cap, &h))
            return false;
        sorted &= i == 0 || by_second(&f->seconds[i - 1], &f->seconds[i], f) <= 0;
    }
    if (!sorted)
        qsort_r(f->seconds, f->second_n, sizeof(*f->seconds), by_second, f);
    return true;
}

/* Rows of one type within one second count as the first of them. */
static bool is_repeat(emu_funnel *f, size_t i)
{
    uint32_t type = f->p.rows[f->seconds[i].row].type;
    int64_t second = f->seconds[i].second;
    bool repeat = f->type_user[type] == f->user_no && f->type_second[type] == second;

    f->type_user[type] = f->user_no;
    f->type_second[type] = second;
    return repeat;
}

static uint32_t bucket_at(const emu_funnel *f, int64_t t)
{
    const emu_axis *x = &f->q->axis;
    size_t b = t >= x->start && t < x->end ? emu_axis_find(x, t) : SIZE_MAX;

    return b == SIZE_MAX ? EMU_NO_BUCKET : (uint32_t)b;
}

static bool fits(emu_funnel *f, size_t step, const emu_cell *c)
{
    if (f->steps[step].special == EV_NEW) {
        uint32_t b = bucket_at(f, c->t);

        if (b == EMU_NO_BUCKET || b != bucket_at(f, f->p.t0))
            return false;
    }
    return emu_event_fits(f->q, &f->steps[step], c);
}

/* The bucket of an entry: a row of step 1 in the range that passes the segment. */
static uint32_t entry_bucket(emu_funnel *f, const emu_cell *c)
{
    const emu_axis *x = &f->q->axis;
    uint32_t b = bucket_at(f, c->t), born = bucket_at(f, f->p.t0);

    if (b == EMU_NO_BUCKET || !emu_segment_row(f->q, f->segment, &f->p, c) ||
        !emu_segment_who(f->q, f->segment, x->b[b].a, x->b[b].b))
        return EMU_NO_BUCKET;
    if (f->new_only &&
        (born == EMU_NO_BUCKET || (EMU_SW(f->q->e, funnel_new) && b != born)))
        return EMU_NO_BUCKET;
    return b;
}

static bool list_hits(emu_funnel *f)
{
    for (size_t step = 0; step < f->n; step++)
        f->hit_n[step] = 0;
    for (size_t i = 0; i < f->second_n; i++) {
        const emu_cell *c = &f->p.rows[f->seconds[i].row];
        bool repeat = is_repeat(f, i);

        for (size_t step = 0; step < f->n && !repeat; step++) {
            emu_hit h = f->seconds[i];

            if (!fits(f, step, c))
                continue;
            if (step == 0)
                h.bucket = entry_bucket(f, c);
            if (!push(&f->hits[step], &f->hit_n[step], &f->hit_cap[step], &h))
                return false;
        }
    }
    return true;
}

/* --- paths --- */

size_t emu_first_hit(const emu_hit *list, size_t n, int64_t second)
{
    return emu_first_at(list, n, sizeof(*list), offsetof(emu_hit, second), second);
}

static bool is_used(const emu_path *path, uint32_t row)
{
    for (size_t i = 0; i < path->depth; i++)
        if (path->row[i] == row)
            return true;
    return false;
}

static const emu_hit *earliest(const emu_funnel *f, size_t step, const emu_path *path,
                               int64_t from)
{
    const emu_hit *list = f->hits[step];

    for (size_t i = emu_first_hit(list, f->hit_n[step], from); i < f->hit_n[step]; i++)
        if (!is_used(path, list[i].row))
            return &list[i];
    return NULL;
}

static void take(emu_path *path, const emu_hit *h)
{
    path->row[path->depth] = h->row;
    path->second[path->depth++] = h->second;
}

/* The next second in which the user has any row. */
static int64_t next_second(const emu_funnel *f, int64_t second)
{
    size_t i = emu_first_hit(f->seconds, f->second_n, second + 1);

    return i < f->second_n ? f->seconds[i].second : second;
}

static void follow(const emu_funnel *f, const emu_hit *entry, emu_path *path)
{
    path->depth = 0;
    path->bucket = entry->bucket;
    take(path, entry);
    while (path->depth < f->n) {
        int64_t last = path->second[path->depth - 1];
        const emu_hit *h = earliest(f, path->depth, path, last);

        if (!h || h->second - entry->second > f->window)
            return;
        if (f->mode == FUNNEL_SEQUENTIAL && h->second != last &&
            h->second != next_second(f, last))
            return;
        take(path, h);
    }
}

static void note(emu_funnel *f, const emu_path *path)
{
    emu_path *had = &f->by_bucket[path->bucket];

    if (path->depth <= had->depth)
        return;
    if (had->depth == 0)
        f->touched[f->touched_n++] = path->bucket;
    *had = *path;
}

static void walk_ordered(emu_funnel *f)
{
    emu_path path;

    for (size_t i = 0; i < f->hit_n[0]; i++) {
        const emu_hit *entry = &f->hits[0][i];

        if (entry->bucket == EMU_NO_BUCKET || f->by_bucket[entry->bucket].depth == f->n)
            continue; /* an earlier one of that bucket is as deep as can be */
        follow(f, entry, &path);
        note(f, &path);
        if (path.depth > f->best.depth)
            f->best = path;
    }
}

/* --- unordered --- */

static void sort_seconds(emu_path *path)
{
    for (size_t i = 1; i < path->depth; i++) {
        int64_t s = path->second[i];
        size_t k = i;

        for (; k > 0 && path->second[k - 1] > s; k--)
            path->second[k] = path->second[k - 1];
        path->second[k] = s;
    }
}

/* The steps within the window, each its earliest unused row. Where a step has rows that others
 * took, they have to be dealt out with more care. */
static void gather(const emu_funnel *f, const emu_window *w, emu_path *path)
{
    path->depth = 0;
    for (size_t i = emu_first_hit(f->hits[0], f->hit_n[0], w->entry_from);
         i < f->hit_n[0] && f->hits[0][i].second <= w->to && !path->depth; i++) {
        const emu_hit *h = &f->hits[0][i];

        if (emu_window_enters(w, h)) {
            path->bucket = h->bucket;
            take(path, h);
        }
    }
    while (path->depth > 0 && path->depth < f->n) {
        size_t step = path->depth,
               i = emu_first_hit(f->hits[step], f->hit_n[step], w->from);
        const emu_hit *h = earliest(f, step, path, w->from);

        if (h && h->second <= w->to) {
            take(path, h);
            continue;
        }
        if (i < f->hit_n[step] && f->hits[step][i].second <= w->to)
            emu_funnel_seat(f, w, path);
        break;
    }
    sort_seconds(path);
}

static bool is_hit(const emu_funnel *f, const emu_hit *h)
{
    for (size_t step = 0; step < f->n; step++) {
        size_t i = emu_first_hit(f->hits[step], f->hit_n[step], h->second);

        if (i < f->hit_n[step] && f->hits[step][i].second == h->second)
            return true;
    }
    return false;
}

static int64_t unordered_window(const emu_funnel *f)
{
    if (f->window < DAY)
        return EMU_SW(f->q->e, funnel_short_window) ? f->window : DAY;
    return f->window / DAY * DAY;
}

/* The deepest of all windows that start at a row of some step; the earliest of equal ones. With
 * the entries of one bucket none is deeper than the best of all, which is known by then. */
static void best_window(emu_funnel *f, uint32_t bucket, int64_t first, int64_t last,
                        emu_path *best)
{
    size_t deepest = bucket == EMU_NO_BUCKET ? f->n : f->best.depth;
    int64_t window = unordered_window(f);
    emu_window w = {.bucket = bucket};
    emu_path path;

    best->depth = 0;
    for (size_t i = emu_first_hit(f->seconds, f->second_n, first - window);
         i < f->second_n && f->seconds[i].second <= last && best->depth < deepest; i++) {
        if (i > 0 && f->seconds[i - 1].second == f->seconds[i].second)
            continue;
        if (!is_hit(f, &f->seconds[i]))
            continue;
        w.from = f->seconds[i].second;
        w.to = w.from + window;
        w.entry_from = w.from > first ? w.from : first;
        gather(f, &w, &path);
        if (path.depth > best->depth)
            *best = path;
    }
}

static void walk_unordered(emu_funnel *f)
{
    int64_t first = 0, last = 0;
    size_t n = 0;
    emu_path path;

    for (size_t i = 0; i < f->hit_n[0]; i++) {
        const emu_hit *h = &f->hits[0][i];
        bool known = false;

        if (h->bucket == EMU_NO_BUCKET)
            continue;
        first = n ? first : h->second;
        last = h->second;
        for (size_t k = n; k-- > 0 && !known;) /* nearly always the last one */
            known = f->touched[k] == h->bucket;
        if (!known) {
            f->touched[n++] = h->bucket;
            f->span[h->bucket][0] = h->second;
        }
        f->span[h->bucket][1] = h->second;
    }
    if (n)
        best_window(f, EMU_NO_BUCKET, first, last, &f->best);
    f->touched_n = n;
    for (size_t k = 0; k < n; k++) {
        uint32_t b = f->touched[k];

        best_window(f, b, f->span[b][0], f->span[b][1], &path);
        f->by_bucket[b] = path;
    }
}

bool emu_funnel_walk(emu_funnel *f)
{
    f->best.depth = 0;
    for (size_t i = 0; i < f->touched_n; i++)
        f->by_bucket[f->touched[i]].depth = 0;
    f->touched_n = 0;
    f->user_no++;
    if (!emu_segment_meet(f->q, f->segment, &f->p) || !list_seconds(f) || !list_hits(f))
        return false;
    if (f->mode == FUNNEL_UNORDERED)
        walk_unordered(f);
    else
        walk_ordered(f);
    return true;
}
