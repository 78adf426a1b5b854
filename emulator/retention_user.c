/* SPDX-License-Identifier: MIT */
/* Retention of one user: his starts, his returns, and the windows that they fall into. */
#include "retention.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

#define HOUR_MS 3600000LL
#define DAY_MS 86400000LL

typedef emu_retention job;
typedef emu_cells bits;
typedef emu_start start;

static void set_bit(bits *b, size_t k)
{
    b->w[k / 64] |= 1ull << (k % 64);
}

/* --- which cells there are --- */

static int64_t period_later(const job *j, int64_t day, int64_t k)
{
    for (; k > 0; k--)
        day = emu_period_next(&j->q->axis, day);
    return day;
}

/* k units after the start of the cohort (or `late`: its end), as an instant. */
static int64_t units_later(const job *j, size_t cohort, int64_t k, bool late)
{
    const emu_axis *x = &j->q->axis;
    int64_t t = late ? x->b[cohort].b : x->b[cohort].a, day;

    if (j->calendar && j->mode != BRACKET) {
        day = emu_period_start(x, emu_local_day(x->zone, x->b[cohort].a));
        return emu_day_start(x->zone, period_later(j, day, k));
    }
    if (x->interval == EVERY_DAY && !j->calendar)
        return t + k * DAY_MS;
    return emu_days_later(x->zone, t, j->mode == BRACKET ? k : k * j->unit);
}

static bool is_complete(const job *j, size_t cohort, size_t k)
{
    int64_t end = j->mode == BRACKET ? j->bracket[k][1] : (int64_t)k + 1;

    return j->q->now >= units_later(j, cohort, end, true);
}

static bool is_there(const job *j, size_t cohort, size_t k)
{
    int64_t from = j->mode == BRACKET ? j->bracket[k][0] : (int64_t)k;

    return units_later(j, cohort, from, false) <= j->q->now;
}

static bool find_cells(job *j)
{
    size_t n = j->q->axis.n, most = j->mode == BRACKET ? j->cells : EMU_CELLS_MAX;

    j->exists = emu_arena_alloc(j->q->a, n * sizeof(*j->exists));
    j->complete = emu_arena_alloc(j->q->a, n * sizeof(*j->complete));
    if (!j->exists || !j->complete)
        return false;
    memset(j->exists, 0, n * sizeof(*j->exists));
    memset(j->complete, 0, n * sizeof(*j->complete));
    j->cells = 0;
    for (size_t c = 0; c < n; c++) {
        for (size_t k = 0; k < most; k++) {
            if (!is_there(j, c, k)) {
                if (j->mode != BRACKET)
                    break; /* nor is any later one */
                continue;
            }
            set_bit(&j->exists[c], k);
            if (is_complete(j, c, k))
                set_bit(&j->complete[c], k);
            j->cells = k + 1 > j->cells ? k + 1 : j->cells;
        }
    }
    return true;
}

bool emu_retention_init(job *j)
{
    j->kept = calloc(j->q->axis.n, sizeof(*j->kept));
    j->in = calloc(j->q->axis.n, sizeof(*j->in));
    return find_cells(j) && j->kept && j->in;
}

void emu_retention_free(job *j)
{
    free(j->starts);
    free(j->list);
    free(j->backs);
    free(j->kept);
    free(j->in);
}

/* --- one user --- */

static int64_t floor_hour(const job *j, int64_t t)
{
    int64_t s = emu_floor_div(t, 1000), local = s + emu_zone_offset(j->q->axis.zone, s);

    return (s - (local - emu_floor_div(local, 3600) * 3600)) * 1000;
}

/* The time of a row as windows see it: its hour (in ms), its local day or its period. */
static int64_t seen_time(const job *j, int64_t t)
{
    int64_t day, y;
    unsigned m, d;

    if (!j->calendar && j->q->axis.interval == EVERY_DAY)
        return floor_hour(j, t);
    day = emu_local_day(j->q->axis.zone, t);
    if (!j->calendar || j->mode == BRACKET || j->q->axis.interval == EVERY_DAY)
        return day;
    if (j->q->axis.interval == EVERY_WEEK)
        return emu_floor_div(emu_period_start(&j->q->axis, day), 7);
    emu_civil_from_days(day, &y, &m, &d);
    return y * 12 + m;
}

/* Windows between a start and a return. */
static int64_t distance(const job *j, int64_t origin, int64_t back)
{
    int64_t d = back - origin;

    if (!j->calendar && j->q->axis.interval == EVERY_DAY)
        return emu_floor_div(d, DAY_MS);
    if (j->calendar || j->mode == BRACKET)
        return d;
    return emu_floor_div(d, j->unit);
}

static bool push_start(job *j, const start *s)
{
    if (j->start_n == j->start_cap) {
        size_t cap = j->start_cap ? j->start_cap * 2 : 256;
        start *grown = realloc(j->starts, cap * sizeof(*grown)), **list;

        j->starts = grown ? grown : j->starts;
        list = realloc(j->list, cap * sizeof(*list));
        j->list = list ? list : j->list;
        if (!grown || !list)
            return false;
        j->start_cap = cap;
    }
    j->starts[j->start_n++] = *s;
    return true;
}

static bool push_back(job *j, int64_t t)
{
    int64_t at = seen_time(j, t);

    /* Of the returns of an hour (or day) the last one is at or after most starts. */
    if (j->back_n && j->backs[j->back_n - 1].at == at) {
        j->backs[j->back_n - 1].t = t;
        return true;
    }
    if (j->back_n == j->back_cap) {
        size_t cap = j->back_cap ? j->back_cap * 2 : 256;
        struct emu_back *grown = realloc(j->backs, cap * sizeof(*grown));

        if (!grown)
            return false;
        j->backs = grown;
        j->back_cap = cap;
    }
    j->backs[j->back_n++] = (struct emu_back){t, at};
    return true;
}

/* For new users any row of the clock hour of the first one may pass the segment. */
static bool passes(job *j, size_t row, const emu_bucket *b)
{
    int64_t hour = floor_hour(j, j->p.rows[row].t);

    if (!emu_segment_who(j->q, j->segment, b->a, b->b))
        return false;
    if (j->se.special != EV_NEW)
        return emu_segment_row(j->q, j->segment, &j->p, &j->p.rows[row]);
    for (size_t i = row; i < j->p.n && j->p.rows[i].t < hour + HOUR_MS; i++)
        if (emu_segment_row(j->q, j->segment, &j->p, &j->p.rows[i]))
            return true;
    return false;
}

bool emu_retention_starts(job *j)
{
    const emu_axis *x = &j->q->axis;
    size_t to = emu_actor_from(&j->p, x->end), bucket = 0;

    j->start_n = 0;
    for (size_t i = emu_actor_from(&j->p, x->start); i < to; i++) {
        const emu_cell *c = &j->p.rows[i];
        start s = {.t = c->t, .row = (uint32_t)i};

        while (c->t >= x->b[bucket].b)
            bucket++;
        s.cohort = (uint32_t)bucket;
        if (j->se.special == EV_NEW && i > 0)
            break;
        if (!emu_event_fits(j->q, &j->se, c) || !passes(j, i, &x->b[bucket]))
            continue;
        s.origin = seen_time(j, c->t);
        if (!push_start(j, &s))
            return false;
    }
    return true;
}

bool emu_retention_backs(job *j)
{
    j->back_n = 0;
    for (size_t i = emu_actor_from(&j->p, j->starts[0].t); i < j->p.n; i++) {
        const emu_cell *c = &j->p.rows[i];

        if (j->re.special == EV_NEW && i > 0)
            break;
        if (emu_event_fits(j->q, &j->re, c) && !push_back(j, c->t))
            return false;
    }
    return true;
}

static void mark_return(job *j, bits *to, int64_t d)
{
    if (d < 0)
        return;
    if (j->mode == BRACKET) {
        for (size_t k = 0; k < j->cells; k++)
            if (d >= j->bracket[k][0] && d < j->bracket[k][1])
                set_bit(to, k);
        return;
    }
    if (j->mode == ROLLING)
        for (int64_t k = 0; k <= d && k < EMU_CELLS_MAX; k++)
            set_bit(to, (size_t)k);
    else if (d < EMU_CELLS_MAX)
        set_bit(to, (size_t)d);
}

/* The returns at or after a start. */
static void follow(job *j, const start *s)
{
    bits *to = &j->kept[s->cohort];
    size_t i = emu_first_at(j->backs, j->back_n, sizeof(*j->backs),
                            offsetof(struct emu_back, at), s->origin);

    /* Only the hour (or day) of the start itself can hold returns before it. */
    while (i < j->back_n && j->backs[i].t < s->t)
        i++;
    if (j->mode == ROLLING) {
        if (i < j->back_n)
            mark_return(j, to, distance(j, s->origin, j->backs[j->back_n - 1].at));
        return;
    }
    for (; i < j->back_n; i++)
        mark_return(j, to, distance(j, s->origin, j->backs[i].at));
}

/* True when the starts between these two can tell nothing new: windows k of starts less than
 * one unit apart overlap, so that the first and the last cover all between. Starts of a day of
 * 25 hours or of a month of 31 days may lie a whole unit apart, and brackets may be short. */
static bool covers(const job *j, const start *first, const start *last)
{
    int64_t unit = j->q->axis.interval == EVERY_DAY ? DAY_MS : j->unit;

    return j->mode != BRACKET && (j->calendar || last->origin - first->origin < unit);
}

void emu_retention_follow(job *j, start *const *list, size_t n)
{
    const start *first = list[0], *last = list[n - 1];
    size_t step = covers(j, first, last) && n > 1 ? n - 1 : 1;

    j->in[first->cohort] = true;
    j->kept[first->cohort] = (bits){{0}};
    for (size_t i = 0; i < n; i += step)
        if (i == 0 || list[i]->origin != list[i - step]->origin)
            follow(j, list[i]); /* one of the same origin later sees fewer returns */
}
