/* SPDX-License-Identifier: MIT */
/* GET /api/2/funnels: paths added up by group and day, with their times. */
#include "funnel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "routes.h"
#include "series.h"

#define WINDOW_DEFAULT 2592000 /* 30 days (Dashboard REST API docs) */
#define WINDOW_MAX 31622400    /* 366 days (chart page) */
#define BINS_MAX 400           /* of a distribution; ours */
#define ELEMENTS_MAX 1000      /* groups that arrays split a user into; ours */

/* One step of one path: step 0 holds the time from first to last, -1 when not converted. */
typedef struct mark {
    int64_t seconds;
    uint32_t group;
    uint16_t slot; /* 0: over all, else the bucket of the entry + 1 */
    uint16_t step;
    uint32_t before; /* how often the previous step was done on the way here */
} mark;

/* What is kept of a mark when they are sorted. */
typedef struct value {
    int64_t seconds;
    uint32_t before;
} value;

typedef struct job {
    emu_ask *q;
    emu_funnel f;
    size_t inline_n; /* group_by inside events: their steps and properties */
    size_t inline_step[2];
    emu_prop inline_prop[2];

    emu_groups groups;
    mark *marks;
    size_t n, cap;

    uint32_t *kept; /* groups of the segment being written, best first */
    size_t kept_n;
    size_t *cell; /* places in sorted, by kept group, slot and step */
    value *sorted;
    size_t written;
    bool any; /* some segment had a user */
} job;

/* --- parameters --- */

static bool read_step(job *j, emu_str text)
{
    emu_event_def *ev = &j->f.steps[j->f.n];

    if (j->f.n == EMU_STEPS_MAX)
        return emu_ask_fail(j->q, "Invalid parameter e: too many steps");
    if (!emu_ask_event(j->q, text, "e", ev))
        return false;
    for (size_t i = 0; i < ev->group_n; i++) {
        if (j->inline_n == 2)
            return emu_ask_fail(j->q, "Invalid group_by: at most two properties");
        j->inline_step[j->inline_n] = j->f.n;
        j->inline_prop[j->inline_n++] = ev->group[i];
    }
    j->f.n++;
    return true;
}

static bool read_steps(job *j)
{
    char name[16];

    for (size_t i = 0;; i++) {
        emu_str text = emu_form_nth(j->q->a, j->q->r->query, "e", i);

        if (!text.s)
            break;
        if (!read_step(j, text))
            return false;
    }
    for (int i = 2; i <= EMU_STEPS_MAX; i++) { /* e2, e3 …: seen to work */
        emu_str text;

        snprintf(name, sizeof(name), "e%d", i);
        text = emu_param(j->q, name);
        if (text.s && !read_step(j, text))
            return false;
    }
    if (j->f.n == 0)
        return emu_ask_fail(j->q, "Missing required parameter e");
    return j->f.n > 1 ||
           emu_ask_fail(j->q, "Invalid parameter e: a funnel has two steps or more");
}

static bool read_job(job *j)
{
    int mode = FUNNEL_ORDERED, n = 1;

    j->f.window = WINDOW_DEFAULT;
    if (!read_steps(j) || !emu_ask_range(j->q, ANY_INTERVAL) || !emu_ask_segments(j->q) ||
        !emu_ask_groups(j->q, 1) ||
        !emu_ask_choice(j->q, "mode", "ordered|unordered|sequential", &mode) ||
        !emu_ask_choice(j->q, "n", "new|active", &n) ||
        !emu_ask_int(j->q, "cs", 1, WINDOW_MAX, &j->f.window))
        return false;
    j->f.mode = (emu_funnel_mode)mode;
    j->f.new_only = n == 0;
    return true;
}

static int64_t cost_of(const job *j)
{
    return 2 * (int64_t)j->f.n + 4 * (int64_t)j->inline_n;
}

/* --- adding up --- */

static bool push(job *j, const mark *m)
{
    if (j->n == j->cap) {
        size_t cap = j->cap ? j->cap * 2 : 4096;
        mark *marks = realloc(j->marks, cap * sizeof(*marks));

        if (!marks)
            return false;
        j->marks = marks;
        j->cap = cap;
    }
    j->marks[j->n++] = *m;
    return true;
}

/* Rows of the step before within the time of the transition, both ends included. */
static uint32_t count_before(const job *j, const emu_path *path, size_t step)
{
    const emu_hit *list = j->f.hits[step - 1];
    uint32_t n = 0;

    for (size_t i = emu_first_hit(list, j->f.hit_n[step - 1], path->second[step - 1]);
         i < j->f.hit_n[step - 1] && list[i].second <= path->second[step]; i++)
        n++;
    return n;
}

static bool put_path(job *j, const emu_path *path, const emu_group_key *key,
                     uint16_t slot)
{
    mark m = {.slot = slot};

    if (!emu_groups_add(&j->groups, key, &m.group))
        return false;
    for (size_t k = 0; k < path->depth; k++) {
        m.step = (uint16_t)k;
        m.before = k && !slot ? count_before(j, path, k) : 0;
        if (k > 0)
            m.seconds = path->second[k] - path->second[k - 1];
        else
            m.seconds =
                path->depth == j->f.n ? path->second[j->f.n - 1] - path->second[0] : -1;
        if (!push(j, &m))
            return false;
    }
    return true;
}

/* A user is in a group for each combination of the values on the rows of his path. */
static bool put_groups(job *j, const emu_path *path, uint16_t slot)
{
    uint32_t values[3][ELEMENTS_MAX];
    size_t count[3], at[3] = {0}, n = 0, room = ELEMENTS_MAX;
    emu_group_key key = {{0}};

    for (size_t i = 0; i < j->q->g_n; i++, n++) {
        count[n] =
            emu_group_set(j->q, &j->q->g[i], &j->f.p.rows[path->row[0]], values[n], room);
        room /= count[n];
    }
    for (size_t i = 0; i < j->inline_n; i++, n++) {
        values[n][0] = EMU_NOT_REACHED;
        count[n] = 1;
        if (j->inline_step[i] < path->depth)
            count[n] = emu_group_set(j->q, &j->inline_prop[i],
                                     &j->f.p.rows[path->row[j->inline_step[i]]],
                                     values[n], room);
        room /= count[n];
    }
    for (;;) {
        size_t i = n;

        for (size_t k = 0; k < n; k++)
            key.k[k] = values[k][at[k]];
        if (!put_path(j, path, &key, slot))
            return false;
        while (i > 0 && ++at[i - 1] == count[i - 1])
            at[--i] = 0;
        if (i == 0)
            return true;
    }
}

static bool walk_users(job *j)
{
    const emu_axis *x = &j->q->axis;

    for (size_t place = 0; place < j->q->view->user_n; place++) {
        emu_actor *p = &j->f.p;

        if (!emu_actor_at(j->q, place, p) ||
            emu_actor_from(p, x->start) == emu_actor_from(p, x->end))
            continue;
        if (!emu_funnel_walk(&j->f) || (j->f.best.depth && !put_groups(j, &j->f.best, 0)))
            return false;
        for (size_t i = 0; i < j->f.touched_n; i++) {
            uint32_t b = j->f.touched[i];

            if (j->f.by_bucket[b].depth &&
                !put_groups(j, &j->f.by_bucket[b], (uint16_t)(b + 1)))
                return false;
        }
    }
    return true;
}

/* --- choosing and sorting --- */

typedef struct ranking {
    const job *j;
    const size_t *users;
} ranking;

static int by_users(const void *a, const void *b, void *self)
{
    const ranking *r = self;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    if (r->users[x] != r->users[y])
        return r->users[x] > r->users[y] ? -1 : 1;
    return emu_compare_labels(r->j->q, &r->j->groups.keys[x], &r->j->groups.keys[y],
                              r->j->q->g_n + r->j->inline_n);
}

static bool choose(job *j)
{
    size_t n = j->groups.n, *users = calloc(n + 1, sizeof(*users));
    ranking r = {j, users};

    free(j->kept);
    j->kept = malloc((n + 1) * sizeof(*j->kept));
    if (users && j->kept) {
        for (size_t i = 0; i < j->n; i++)
            users[j->marks[i].group] += j->marks[i].slot == 0 && j->marks[i].step == 0;
        for (size_t i = 0; i < n; i++)
            j->kept[i] = (uint32_t)i;
        qsort_r(j->kept, n, sizeof(*j->kept), by_users, &r);
        j->kept_n = n < j->q->limit ? n : j->q->limit;
    }
    free(users);
    return users && j->kept;
}

static size_t cell_of(const job *j, size_t kept, size_t slot, size_t step)
{
    return (kept * (j->q->axis.n + 1) + slot) * j->f.n + step;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = ((const value *)a)->seconds, y = ((const value *)b)->seconds;

    return x < y ? -1 : x > y;
}

static bool sort_marks(job *j)
{
    size_t cells = cell_of(j, j->kept_n, 0, 0), sum = 0;
    uint32_t *kept_of = malloc((j->groups.n + 1) * sizeof(*kept_of));

    free(j->cell);
    free(j->sorted);
    j->cell = calloc(cells + 2, sizeof(*j->cell));
    j->sorted = malloc((j->n + 1) * sizeof(*j->sorted));
    if (!kept_of || !j->cell || !j->sorted) {
        free(kept_of);
        return false;
    }
    for (size_t i = 0; i < j->groups.n; i++)
        kept_of[i] = EMU_NO_GROUP;
    for (size_t i = 0; i < j->kept_n; i++)
        kept_of[j->kept[i]] = (uint32_t)i;
    for (size_t i = 0; i < j->n; i++) {
        const mark *m = &j->marks[i];

        if (kept_of[m->group] != EMU_NO_GROUP)
            j->cell[cell_of(j, kept_of[m->group], m->slot, m->step) + 1]++;
    }
    for (size_t i = 0; i <= cells; i++)
        j->cell[i] = sum += j->cell[i];
    for (size_t i = j->n; i-- > 0;) {
        const mark *m = &j->marks[i];
        size_t cell;

        if (kept_of[m->group] == EMU_NO_GROUP)
            continue;
        cell = cell_of(j, kept_of[m->group], m->slot, m->step);
        j->sorted[--j->cell[cell + 1]] = (value){m->seconds, m->before};
    }
    /* Each place is now the start of its cell, one further on. */
    memmove(j->cell, j->cell + 1, (cells + 1) * sizeof(*j->cell));
    j->cell[cells] = sum;
    for (size_t i = 0; i < cells; i++)
        if (j->cell[i + 1] - j->cell[i] > 1)
            qsort(j->sorted + j->cell[i], j->cell[i + 1] - j->cell[i], sizeof(*j->sorted),
                  by_value);
    free(kept_of);
    return true;
}

/* --- writing --- */

static size_t users_at(const job *j, size_t kept, size_t slot, size_t step)
{
    size_t cell = cell_of(j, kept, slot, step);

    return j->cell[cell + 1] - j->cell[cell];
}

static void put_median(emu_buf *out, const value *v, size_t n)
{
    int64_t twice =
        n % 2 ? 2 * v[n / 2].seconds : v[n / 2 - 1].seconds + v[n / 2].seconds;

    emu_buf_int(out, twice * 500); /* the mean of two seconds, in ms */
}

static void put_average(emu_buf *out, const value *v, size_t n)
{
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += v[i].seconds;
    emu_buf_int(out, n ? sum * 1000 / (int64_t)n : -1);
}

/* One time per step; index 0 is first to last over full converters, -1 is nobody. */
static void put_times(job *j, size_t kept, size_t slot, bool median)
{
    emu_buf *out = &j->q->r->out;

    emu_buf_ch(out, '[');
    for (size_t step = 0; step < j->f.n; step++) {
        size_t cell = cell_of(j, kept, slot, step), n = j->cell[cell + 1] - j->cell[cell];
        const value *v = j->sorted + j->cell[cell];

        for (; n && v->seconds < 0; n--) /* not converted */
            v++;
        if (step)
            emu_buf_ch(out, ',');
        if (step == 0 && EMU_SW(j->q->e, funnel_index_0))
            emu_buf_ch(out, '0');
        else if (!n)
            emu_buf_z(out, "-1");
        else if (median)
            put_median(out, v, n);
        else
            put_average(out, v, n);
    }
    emu_buf_ch(out, ']');
}

static void put_counts(job *j, size_t kept, size_t slot)
{
    emu_buf *out = &j->q->r->out;

    for (size_t step = 0; step < j->f.n; step++) {
        emu_buf_ch(out, step ? ',' : '[');
        emu_buf_int(out, (int64_t)users_at(j, kept, slot, step));
    }
    emu_buf_ch(out, ']');
}

static void put_fractions(job *j, size_t kept, bool of_first)
{
    emu_buf *out = &j->q->r->out;

    for (size_t step = 0; step < j->f.n; step++) {
        double x = (double)users_at(j, kept, 0, step);
        double y = (double)users_at(j, kept, 0, of_first || !step ? 0 : step - 1);

        emu_buf_ch(out, step ? ',' : '[');
        emu_put_number(out, step == 0 ? 1 : y == 0 ? 0 : x / y);
    }
    emu_buf_ch(out, ']');
}

static void put_formatted(job *j)
{
    const emu_axis *x = &j->q->axis;
    emu_buf *out = &j->q->r->out;
    int64_t year, other;
    unsigned m, d;

    emu_civil_from_days(emu_local_day(x->zone, j->q->now), &year, &m, &d);
    emu_buf_ch(out, '[');
    for (size_t i = 0; i < x->n; i++) {
        int64_t day = emu_floor_div(x->b[i].label, 86400),
                s = x->b[i].label - day * 86400;

        emu_civil_from_days(day, &other, &m, &d);
        emu_buf_z(out, i ? ",\"" : "\"");
        emu_put_day(out, day, other != year, false);
        if (x->interval < 0)
            emu_buf_fmt(out, " %02d:%02d", (int)(s / 3600), (int)(s / 60 % 60));
        emu_buf_ch(out, '"');
    }
    emu_buf_ch(out, ']');
}

typedef enum day_kind { DAY_COUNTS, DAY_MEDIANS, DAY_AVERAGES } day_kind;

static void put_days(job *j, const char *name, size_t kept, day_kind kind)
{
    emu_buf *out = &j->q->r->out;

    emu_buf_fmt(out, ",\"%s\":{\"series\":[", name);
    for (size_t slot = 1; slot <= j->q->axis.n; slot++) {
        if (slot > 1)
            emu_buf_ch(out, ',');
        if (kind == DAY_COUNTS)
            put_counts(j, kept, slot);
        else
            put_times(j, kept, slot, kind == DAY_MEDIANS);
    }
    emu_buf_z(out, "],\"xValues\":");
    emu_axis_write(&j->q->axis, out);
    emu_buf_z(out, ",\"formattedXValues\":");
    put_formatted(j);
    emu_buf_ch(out, '}');
}

/* Step labels: the event, with the values of its filters in parentheses. */
static void put_event(job *j, const emu_event_def *ev)
{
    emu_buf b = {0};

    emu_buf_str(&b, ev->name);
    for (size_t i = 0, n = 0; i < ev->filter_n; i++) {
        for (size_t k = 0; k < ev->filters[i].n; k++) {
            emu_buf_z(&b, n++ ? ", " : " (");
            emu_buf_str(&b, ev->filters[i].texts[k]);
        }
        if (i + 1 == ev->filter_n)
            emu_buf_ch(&b, ')');
    }
    emu_buf_quote(&j->q->r->out, (emu_str){b.p ? b.p : "", b.n});
    emu_buf_free(&b);
}

static void put_group_value(job *j, size_t kept)
{
    emu_buf b = {0};

    for (size_t i = 0; i < j->q->g_n + j->inline_n; i++) {
        emu_buf_z(&b, i ? ", " : "");
        emu_buf_str(&b, emu_label_of(j->q, j->groups.keys[j->kept[kept]].k[i]));
    }
    emu_buf_quote(&j->q->r->out, (emu_str){b.p ? b.p : "", b.n});
    emu_buf_free(&b);
}

/* --- distributions --- */

/* Counts of a step's values in bins of one width; the last bin is open. */
static void count_bins(job *j, size_t kept, size_t step, bool before, int64_t width,
                       size_t bins, uint32_t *counts)
{
    size_t cell = cell_of(j, kept, 0, step);

    memset(counts, 0, bins * sizeof(*counts));
    for (size_t i = j->cell[cell]; i < j->cell[cell + 1]; i++) {
        int64_t v = before ? (int64_t)j->sorted[i].before - 1 : j->sorted[i].seconds;

        if (v >= 0)
            counts[(size_t)(v / width) < bins ? (size_t)(v / width) : bins - 1]++;
    }
}

static int64_t greatest(const job *j, size_t kept, bool before)
{
    int64_t most = 0;

    for (size_t i = j->cell[cell_of(j, kept, 0, 0)]; i < j->cell[cell_of(j, kept, 1, 0)];
         i++) {
        int64_t v = before ? (int64_t)j->sorted[i].before - 1 : j->sorted[i].seconds;

        most = v > most ? v : most;
    }
    return most;
}

static void put_bins(emu_buf *out, const uint32_t *counts, size_t bins, int64_t start,
                     int64_t width)
{
    emu_buf_z(out, "{\"bins\":[");
    for (size_t i = 0; i < bins; i++) {
        long long from = start + (long long)i * width;
        char end[24] = "null";

        if (i + 1 < bins)
            snprintf(end, sizeof(end), "%lld", from + width);
        emu_buf_fmt(out,
                    "%s{\"start\":%lld,\"end\":%s,\"bin_dist\":{\"tempKey\":[],"
                    "\"uniques\":%u,\"sums\":0.0,\"totals\":%u}}",
                    i ? "," : "", from, end, counts[i], counts[i]);
    }
    emu_buf_z(out, "]}");
}

/* Bins of 10 s, 1 h or 1 day by the longest time; of counts one by one. */
static bool put_distribution(job *j, const char *name, size_t segment, size_t kept,
                             bool before)
{
    emu_buf *out = &j->q->r->out;
    int64_t most = greatest(j, kept, before);
    int64_t width = before ? 1 : most <= 600 ? 10 : most <= 259200 ? 3600 : 86400;
    size_t bins = (size_t)(most / width) + 1;
    uint32_t *counts;

    bins = bins > BINS_MAX ? BINS_MAX : bins;
    counts = calloc(bins, sizeof(*counts));
    if (!counts)
        return false;
    emu_buf_fmt(out, ",\"%s\":{\"segment_index\":%zu,\"step_bins\":[", name, segment);
    put_bins(out, counts, bins, before, before ? 1 : width * 1000); /* step 1: all 0 */
    for (size_t step = 1; step <= j->f.n - before; step++) {
        /* Behind the transitions of the steps comes the whole way, which step 0 holds. */
        count_bins(j, kept, step < j->f.n ? step : 0, before, width, bins, counts);
        emu_buf_ch(out, ',');
        put_bins(out, counts, bins, before, before ? 1 : width * 1000);
    }
    emu_buf_z(out, "]}");
    free(counts);
    return true;
}

static bool put_element(job *j, size_t segment, size_t kept)
{
    emu_buf *out = &j->q->r->out;

    emu_buf_fmt(out, "%s{\"meta\":{\"segmentIndex\":%zu},\"groupValue\":",
                j->written++ ? "," : "", segment);
    put_group_value(j, kept);
    emu_buf_z(out, ",\"events\":[");
    for (size_t i = 0; i < j->f.n; i++) {
        if (i)
            emu_buf_ch(out, ',');
        put_event(j, &j->f.steps[i]);
    }
    emu_buf_z(out, "],\"stepByStep\":");
    put_fractions(j, kept, false);
    emu_buf_z(out, ",\"cumulative\":");
    put_fractions(j, kept, true);
    emu_buf_z(out, ",\"cumulativeRaw\":");
    put_counts(j, kept, 0);
    emu_buf_z(out, ",\"medianTransTimes\":");
    put_times(j, kept, 0, true);
    emu_buf_z(out, ",\"avgTransTimes\":");
    put_times(j, kept, 0, false);
    put_days(j, "dayFunnels", kept, DAY_COUNTS);
    put_days(j, "dayMedianTransTimes", kept, DAY_MEDIANS);
    put_days(j, "dayAvgTransTimes", kept, DAY_AVERAGES);
    if (!put_distribution(j, "stepTransTimeDistribution", segment, kept, false) ||
        !put_distribution(j, "stepPrevStepCountDistribution", segment, kept, true))
        return false;
    emu_buf_ch(out, '}');
    return true;
}

static bool write_segment(job *j, size_t segment)
{
    bool grouped = j->q->g_n + j->inline_n > 0;
    emu_group_key none = {{0}};
    uint32_t id;

    j->n = 0;
    emu_groups_free(&j->groups);
    j->f.segment = &j->q->segments[segment];
    if ((!grouped && !emu_groups_add(&j->groups, &none, &id)) || !walk_users(j) ||
        !choose(j) || !sort_marks(j))
        return false;
    j->any |= j->n > 0;
    emu_segment_free(j->f.segment);
    for (size_t i = 0; i < j->kept_n; i++)
        if (!put_element(j, segment, i))
            return false;
    return true;
}

static void compute(job *j)
{
    emu_buf *out = &j->q->r->out;
    bool ok = emu_funnel_init(&j->f);

    emu_buf_z(out, "{\"data\":[");
    for (size_t i = 0; i < j->q->segment_n && ok; i++)
        ok = write_segment(j, i);
    if (!j->any) { /* nobody at all: seen live */
        out->n = 0;
        emu_buf_z(out, "{\"data\":[");
        j->written = 0;
    }
    emu_buf_fmt(out, "],\"numSeries\":%zu}", j->written);
    if (ok)
        emu_ask_answer(j->q);
    else
        emu_ask_no_memory(j->q);
    emu_funnel_free(&j->f);
    emu_groups_free(&j->groups);
    free(j->marks);
    free(j->kept);
    free(j->cell);
    free(j->sorted);
}

void emu_do_funnels(emu_req *r)
{
    emu_ask q;
    job *j = calloc(1, sizeof(*j));

    if (emu_ask_open(&q, r)) {
        if (!j) {
            emu_ask_no_memory(&q);
        } else {
            j->q = j->f.q = &q;
            if (read_job(j) && emu_ask_axis(&q) && emu_ask_pay(&q, cost_of(j))) {
                emu_ask_unlock(&q);
                compute(j);
            }
        }
    }
    emu_ask_close(&q);
    free(j);
}
