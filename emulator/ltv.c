/* SPDX-License-Identifier: MIT */
/* GET /api/2/revenue/ltv: revenue of new users by the day of their life. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "best.h"
#include "routes.h"
#include "series.h"
#include "text.h"

#define DAYS_DOCUMENTED 90
#define DAYS_LIVE 180
#define DAY_MS 86400000LL

typedef enum amount { ARPU, ARPPU, TOTAL, PAYERS } amount;

/* Sums of some users: of a cohort, or of all of them for the combined row. */
typedef struct tally {
    int64_t count, paid;
    double total;
    double sum[DAYS_LIVE + 1];       /* by n: R_n of all … */
    int64_t payers[DAYS_LIVE + 1];   /* … users with a revenue row by then … */
    int64_t first[DAYS_LIVE + 1];    /* … whose first revenue is of day n */
    int64_t old[DAYS_LIVE + 1];      /* combined: users of age n days … */
    int64_t old_paid[DAYS_LIVE + 1]; /* … and those of them who ever paid */
} tally;

typedef struct job {
    emu_ask *q;
    int m;
    bool documented;
    int64_t first_day; /* what r1d holds, in days */
    emu_best best;
    tally *tallies; /* by kept group: each cohort, then combined */
    emu_segment *segment;
    emu_actor p;
    emu_best_answer answer;
} job;

static bool read_job(job *j)
{
    int m = ARPU;

    if (!emu_ask_choice(j->q, "m", "0|1|2|3", &m) ||
        !emu_ask_range(j->q, DAYS_AND_LONGER) || !emu_ask_segments(j->q) ||
        !emu_ask_groups(j->q, 1))
        return false;
    j->m = m;
    j->documented = EMU_SW(j->q->e, ltv_shape);
    j->first_day = EMU_SW(j->q->e, ltv_first_day) ? 2 : 1;
    return true;
}

static int last_day(const job *j)
{
    return j->documented ? DAYS_DOCUMENTED : DAYS_LIVE;
}

/* --- adding up --- */

/* Days after which r{n}d is over. */
static int64_t span(const job *j, int n)
{
    return (n - 1 + j->first_day) * DAY_MS;
}

/* The n from which on a row counts, beyond the last one when none does. */
static int64_t day_of(const job *j, int64_t t)
{
    int64_t days = emu_floor_div(t - j->p.t0, DAY_MS) + 1 - (j->first_day - 1);

    return days < 1 ? 1 : days;
}

static void add_user(const job *j, tally *t, bool combined)
{
    double sums[DAYS_LIVE + 2] = {0};
    int64_t first = INT64_MAX, age;
    bool paid = false;
    double running = 0;

    for (size_t i = 0; i < j->p.n; i++) {
        const emu_cell *c = &j->p.rows[i];
        int64_t n = isnan(c->revenue) ? 0 : day_of(j, c->t);

        if (!n)
            continue;
        first = paid ? first : n;
        paid = true;
        t->total += c->revenue;
        if (n <= DAYS_LIVE)
            sums[n] += c->revenue;
    }
    t->count++;
    t->paid += paid;
    if (first <= DAYS_LIVE)
        t->first[first]++;
    age = j->q->now - j->p.t0;
    for (int n = 1; n <= DAYS_LIVE; n++) {
        running += sums[n];
        if (combined && age < span(j, n))
            continue; /* too young to tell */
        t->sum[n] += running;
        t->payers[n] += first <= n;
        t->old[n]++;
        t->old_paid[n] += paid;
    }
}

static bool add_to_group(job *j, uint32_t value, size_t cohort)
{
    emu_group_key key = {{value}};
    uint32_t kept;
    tally *t;

    if (!emu_best_user(&j->best, &key, &kept))
        return false;
    if (kept == EMU_NO_GROUP)
        return true;
    t = &j->tallies[kept * (j->q->axis.n + 1)];
    add_user(j, &t[cohort], false);
    add_user(j, &t[j->q->axis.n], true);
    return true;
}

/* A user belongs to the cohort of his first row, which must pass the segment. */
static bool take_user(job *j)
{
    const emu_axis *x = &j->q->axis;
    size_t cohort = j->p.t0 >= x->start && j->p.t0 < x->end ? emu_axis_find(x, j->p.t0)
                                                            : SIZE_MAX,
           n = 1;
    uint32_t values[EMU_ELEMENTS_MAX] = {0};

    if (cohort == SIZE_MAX)
        return true;
    if (!emu_segment_meet(j->q, j->segment, &j->p))
        return false;
    if (!emu_segment_row(j->q, j->segment, &j->p, &j->p.rows[0]) ||
        !emu_segment_who(j->q, j->segment, x->b[cohort].a, x->b[cohort].b))
        return true;
    if (j->q->g_n)
        n = emu_group_set(j->q, &j->q->g[0], &j->p.rows[0], values, EMU_ELEMENTS_MAX);
    for (size_t i = 0; i < n; i++)
        if (!add_to_group(j, values[i], cohort))
            return false;
    return true;
}

static bool walk_users(job *j)
{
    for (size_t place = 0; place < j->q->view->user_n; place++)
        if (emu_actor_at(j->q, place, &j->p) && !take_user(j))
            return false;
    return true;
}

static bool choose(job *j)
{
    if (emu_best_begin(&j->best, j->q, j->q->g_n) && !walk_users(j))
        return false;
    if (!emu_best_choose(&j->best))
        return false;
    j->tallies = calloc(j->best.order_n * (j->q->axis.n + 1) + 1, sizeof(*j->tallies));
    return j->tallies != NULL;
}

/* --- writing --- */

static void put_name(const job *j, size_t c)
{
    emu_buf *out = &j->q->r->out;
    int64_t day = emu_floor_div(j->q->axis.b[c].label, 86400), year, this_year;
    unsigned m, d;

    emu_buf_ch(out, '"');
    if (j->documented) {
        emu_put_iso_day(out, day);
    } else {
        emu_civil_from_days(day, &year, &m, &d);
        emu_civil_from_days(emu_local_day(j->q->axis.zone, j->q->now), &this_year, &m,
                            &d);
        emu_put_day(out, day, year != this_year, false);
    }
    emu_buf_ch(out, '"');
}

static double value_of(const job *j, const tally *t, int n, bool combined)
{
    int64_t count = combined ? t->old[n] : t->count;
    int64_t paid = combined ? t->old_paid[n] : t->paid;

    switch (j->m) {
    case ARPU:
        return count ? t->sum[n] / (double)count : 0;
    case ARPPU:
        return paid ? t->sum[n] / (double)paid : 0;
    case TOTAL:
        return t->sum[n];
    default:
        return (double)t->payers[n];
    }
}

/* Users whose first revenue falls behind the step before n, up to n. */
static void put_firsts(const job *j, const tally *t)
{
    static const int steps[] = {1, 2, 3, 4, 5, 6, 7, 14, 30, 60, 90, 120, 180};
    emu_buf *out = &j->q->r->out;
    int n = 1;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int64_t sum = 0;

        for (; n <= steps[i]; n++)
            sum += t->first[n];
        emu_buf_fmt(out, "\"r%dnew\":%lld,", steps[i], (long long)sum);
    }
}

static void put_values(const job *j, const tally *t, bool combined)
{
    emu_buf *out = &j->q->r->out;

    emu_buf_ch(out, '{');
    for (int n = 1; n <= last_day(j); n++) {
        emu_buf_fmt(out, "\"r%dd\":", n);
        emu_put_number(out, value_of(j, t, n, combined));
        emu_buf_ch(out, ',');
    }
    if (!j->documented)
        put_firsts(j, t);
    emu_buf_fmt(out,
                "\"count\":%lld,\"paid\":%lld,\"total_amount\":", (long long)t->count,
                (long long)t->paid);
    emu_put_number(out, t->total);
    emu_buf_ch(out, '}');
}

/* Complete when the last moment of the bucket is n days old; combined: when anybody is. */
static void put_complete(const job *j, const tally *t, size_t cohort)
{
    emu_buf *out = &j->q->r->out;

    for (int n = 1; n <= last_day(j); n++) {
        bool complete = cohort < j->q->axis.n
                            ? j->q->now >= j->q->axis.b[cohort].b + span(j, n)
                            : t->old[n] > 0;

        emu_buf_fmt(out, "%s\"r%dd\":%s", n > 1 ? "," : "{", n,
                    complete ? "true" : "false");
    }
    emu_buf_ch(out, '}');
}

static void put_group(job *j, size_t kept)
{
    emu_buf *out = &j->q->r->out;
    size_t n = j->q->axis.n;
    const tally *t = &j->tallies[kept * (n + 1)];

    emu_buf_z(out, "{\"dates\":[");
    for (size_t c = n; c-- > 0;) {
        put_name(j, c);
        if (c)
            emu_buf_ch(out, ',');
    }
    emu_buf_z(out, "],\"values\":{");
    for (size_t c = 0; c < n; c++) {
        if (c)
            emu_buf_ch(out, ',');
        put_name(j, c);
        emu_buf_ch(out, ':');
        put_values(j, &t[c], false);
    }
    emu_buf_ch(out, '}');
    if (!j->documented) {
        emu_buf_z(out, ",\"complete\":{");
        for (size_t c = 0; c < n; c++) {
            if (c)
                emu_buf_ch(out, ',');
            put_name(j, c);
            emu_buf_ch(out, ':');
            put_complete(j, &t[c], c);
        }
        emu_buf_z(out, "},\"combined\":");
        put_values(j, &t[n], true);
        emu_buf_z(out, ",\"combined_complete\":");
        put_complete(j, &t[n], n);
    }
    emu_buf_ch(out, '}');
}

static bool write_segment(job *j, size_t segment)
{
    bool ok;

    j->segment = &j->q->segments[segment];
    ok = choose(j) && walk_users(j);
    for (size_t i = 0; i < j->best.order_n && ok; i++) {
        emu_best_next(&j->answer, &j->best, i, j->documented ? "\"\"" : "0");
        emu_buf_fmt(&j->answer.meta, "{\"segmentIndex\":%zu}", segment);
        put_group(j, i);
    }
    emu_segment_free(j->segment);
    free(j->tallies);
    j->tallies = NULL;
    emu_best_free(&j->best);
    return ok;
}

static void compute(job *j)
{
    bool ok = true;

    emu_best_answer_begin(&j->answer, j->q);
    for (size_t i = 0; i < j->q->segment_n && ok; i++)
        ok = write_segment(j, i);
    emu_best_answer_end(&j->answer, ok, !j->documented);
}

void emu_do_ltv(emu_req *r)
{
    emu_ask q;
    job j = {.q = &q};

    if (emu_ask_open(&q, r) && read_job(&j) && emu_ask_axis(&q) && emu_ask_pay(&q, 1)) {
        emu_ask_unlock(&q);
        compute(&j);
    }
    emu_ask_close(&q);
}
