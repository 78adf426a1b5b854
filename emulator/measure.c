/* SPDX-License-Identifier: MIT */
/* The metrics, each over any set of rows; users are told apart by stamps, not by sorting. */
#include "measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool emu_measure_init(emu_measure *m, emu_ask *q)
{
    size_t n = q->view->user_n + 1;

    *m = (emu_measure){.q = q};
    m->stamp = calloc(n, sizeof(*m->stamp));
    m->times = calloc(n, sizeof(*m->times));
    return m->stamp && m->times;
}

void emu_measure_free(emu_measure *m)
{
    free(m->stamp);
    free(m->times);
    free(m->numbers);
    free(m->pairs);
}

/* --- walking over a set --- */

typedef struct span {
    const emu_rec *at, *end;
    unsigned mask;
} span;

static span span_of(const emu_ask *q, const emu_set *s)
{
    const size_t *place = s->part->place;
    size_t first = s->group * q->axis.n;

    if (s->group == SIZE_MAX)
        return (span){NULL, NULL, 0};
    if (s->whole)
        return (span){s->part->placed + place[first],
                      s->part->placed + place[first + q->axis.n], IN_WHOLE};
    return (span){s->part->placed + place[first + s->lo],
                  s->part->placed + place[first + s->hi + 1], IN_SERIES};
}

static const emu_rec *next(span *s)
{
    while (s->at < s->end && !(s->at->flags & s->mask))
        s->at++;
    return s->at < s->end ? s->at++ : NULL;
}

static double totals(emu_measure *m, const emu_set *set)
{
    span s = span_of(m->q, set);
    size_t n = 0;

    while (next(&s))
        n++;
    return (double)n;
}

static double uniques(emu_measure *m, const emu_set *set)
{
    span s = span_of(m->q, set);
    const emu_rec *r;
    size_t n = 0;

    m->mark++;
    for (r = next(&s); r; r = next(&s)) {
        n += m->stamp[r->user] != m->mark;
        m->stamp[r->user] = m->mark;
    }
    return (double)n;
}

static double over(double x, double y)
{
    return y == 0 ? 0 : x / y;
}

/* --- properties --- */

static const emu_prop *property_of(const emu_set *set)
{
    const emu_event_def *ev = set->part->event;

    return ev->group_n ? &ev->group[0] : NULL;
}

typedef void number_fn(void *self, double x);

/* Each number of the property (its elements, when it is an array) on each row. */
static void each_number(emu_measure *m, const emu_set *set, number_fn *fn, void *self)
{
    const emu_prop *p = property_of(set);
    span s = span_of(m->q, set);

    for (const emu_rec *r = next(&s); r; r = next(&s)) {
        const emu_cell *c = &m->q->view->cells[r->row];
        uint32_t n = 0;
        const emu_pair *list = p ? emu_row_list(m->q, c, p, &n) : NULL;

        if (!p && !isnan(c->revenue))
            fn(self, c->revenue);
        for (uint32_t i = 0; i < n; i++) {
            double d;

            if (list[i].key != p->key)
                continue;
            d = emu_dict_at(&m->q->columns->values, list[i].value)->number;
            if (!isnan(d))
                fn(self, d);
        }
    }
}

typedef struct tally {
    double sum, least, most;
    size_t n;
} tally;

static void count_number(void *self, double x)
{
    tally *t = self;

    t->sum += x;
    t->least = t->n && t->least < x ? t->least : x;
    t->most = t->n && t->most > x ? t->most : x;
    t->n++;
}

static tally tally_of(emu_measure *m, const emu_set *set)
{
    tally t = {0};

    each_number(m, set, count_number, &t);
    return t;
}

typedef struct gather {
    emu_measure *m;
    size_t n;
} gather;

static void keep_number(void *self, double x)
{
    gather *g = self;

    if (g->n == g->m->number_cap) {
        size_t cap = g->n ? g->n * 2 : 256;
        double *p = realloc(g->m->numbers, cap * sizeof(*p));

        if (!p) {
            g->m->failed = true;
            return;
        }
        g->m->numbers = p;
        g->m->number_cap = cap;
    }
    g->m->numbers[g->n++] = x;
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double emu_quantile(double *numbers, size_t n, double p)
{
    double at, low;

    if (!n)
        return 0;
    qsort(numbers, n, sizeof(*numbers), by_number);
    at = p * (double)(n - 1);
    low = floor(at);
    if ((size_t)low + 1 >= n)
        return numbers[n - 1];
    return numbers[(size_t)low] +
           (at - low) * (numbers[(size_t)low + 1] - numbers[(size_t)low]);
}

static double percentile(emu_measure *m, double p, const emu_set *set)
{
    gather g = {m, 0};

    each_number(m, set, keep_number, &g);
    return emu_quantile(m->numbers, g.n, p);
}

static double frequency_percentile(emu_measure *m, double p, const emu_set *set)
{
    span s = span_of(m->q, set), again = s;
    gather g = {m, 0};

    m->mark++;
    for (const emu_rec *r = next(&s); r; r = next(&s)) {
        if (m->stamp[r->user] != m->mark)
            m->times[r->user] = 0;
        m->stamp[r->user] = m->mark;
        m->times[r->user]++;
    }
    for (const emu_rec *r = next(&again); r; r = next(&again)) {
        if (m->times[r->user])
            keep_number(&g, m->times[r->user]);
        m->times[r->user] = 0;
    }
    return emu_quantile(m->numbers, g.n, p);
}

/* --- distinct things --- */

static int by_key(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(emu_group_key));
}

static void keep_pair(emu_measure *m, size_t *n, uint32_t user, uint64_t what)
{
    if (*n == m->pair_cap) {
        size_t cap = *n ? *n * 2 : 256;
        emu_group_key *p = realloc(m->pairs, cap * sizeof(*p));

        if (!p) {
            m->failed = true;
            return;
        }
        m->pairs = p;
        m->pair_cap = cap;
    }
    m->pairs[(*n)++] = (emu_group_key){{user, (uint32_t)what, (uint32_t)(what >> 32)}};
}

static double distinct(emu_measure *m, size_t n)
{
    size_t count = 0;

    qsort(m->pairs, n, sizeof(*m->pairs), by_key);
    for (size_t i = 0; i < n; i++)
        count += i == 0 || by_key(&m->pairs[i - 1], &m->pairs[i]) != 0;
    return (double)count;
}

static double distinct_values(emu_measure *m, const emu_set *set, bool by_user)
{
    const emu_prop *p = property_of(set);
    span s = span_of(m->q, set);
    size_t kept = 0;

    for (const emu_rec *r = next(&s); r && p; r = next(&s)) {
        uint32_t n;
        const emu_pair *list = emu_row_list(m->q, &m->q->view->cells[r->row], p, &n);

        for (uint32_t i = 0; i < n; i++)
            if (list[i].key == p->key)
                keep_pair(m, &kept, by_user ? r->user : 0, list[i].value);
    }
    return kept ? distinct(m, kept) : 0;
}

static double sessions(emu_measure *m, const emu_set *set)
{
    span s = span_of(m->q, set);
    size_t kept = 0;

    for (const emu_rec *r = next(&s); r; r = next(&s)) {
        int64_t sid = m->q->view->cells[r->row].sid;

        if (sid != -1)
            keep_pair(m, &kept, r->user, (uint64_t)sid);
    }
    return kept ? distinct(m, kept) : 0;
}

double emu_measure_set(emu_measure *m, emu_metric metric, double param,
                       const emu_set *set, const emu_set *active)
{
    tally t;

    switch (metric) {
    case M_UNIQUES:
        return uniques(m, set);
    case M_TOTALS:
        return totals(m, set);
    case M_AVERAGE:
        return over(totals(m, set), uniques(m, set));
    case M_ACTIVE:
        return over(uniques(m, set), uniques(m, active));
    case M_COUNT:
        return distinct_values(m, set, false);
    case M_COUNT_AVERAGE:
        return over(distinct_values(m, set, true), uniques(m, set));
    case M_PERCENTILE:
        return percentile(m, param, set);
    case M_FREQUENCY_PERCENTILE:
        return frequency_percentile(m, param, set);
    case M_SESSIONS:
        return sessions(m, set);
    default:
        break;
    }
    t = tally_of(m, set);
    switch (metric) {
    case M_SUM:
        return t.sum;
    case M_VALUE_AVERAGE:
        return over(t.sum, (double)t.n);
    case M_MAX:
        return t.most;
    case M_MIN:
        return t.least;
    default:
        return over(t.sum, uniques(m, active));
    }
}
