/* SPDX-License-Identifier: MIT */
/* GET /api/2/events/segmentation and GET /api/2/users. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "formula.h"
#include "routes.h"

typedef enum metric_param {
    P_UNIQUES,
    P_TOTALS,
    P_PCT_DAU,
    P_AVERAGE,
    P_HISTOGRAM,
    P_SUMS,
    P_VALUE_AVG,
    P_FORMULA
} metric_param;

#define METRIC_NAMES "uniques|totals|pct_dau|average|histogram|sums|value_avg|formula"

typedef struct job {
    emu_ask *q;
    emu_calc c;
    bool users; /* the endpoint of active and new users */
    metric_param m;
    emu_event_def events[2];
    bool split_first[2]; /* the first group_by splits instead of being the property */
    bool active_only;
    int64_t window, average;
    emu_formula formula;

    bool ten_bins; /* of a histogram, from `least` on */
    double least, width;

    emu_buf labels, series, meta, whole;
    double *values;
} job;

/* --- parameters --- */

/* 36 five-minutes, 72 hours, 90 days, 12 weeks, 12 months (product pages). */
static int64_t longest_window(int interval)
{
    switch (interval) {
    case EVERY_5_MINUTES:
        return 36;
    case EVERY_HOUR:
        return 72;
    case EVERY_DAY:
        return 90;
    default:
        return 12;
    }
}

static bool read_rolling(job *j)
{
    int64_t longest = longest_window(j->q->axis.interval);

    j->window = j->average = 0;
    if (!emu_ask_int(j->q, "rollingWindow", 1, longest, &j->window) ||
        !emu_ask_int(j->q, "rollingAverage", 1, longest, &j->average))
        return false;
    if (j->window && j->average)
        return emu_ask_fail(j->q,
                            "Invalid parameter rollingWindow: not with rollingAverage");
    if ((int64_t)j->formula.longest > longest)
        return emu_ask_fail(j->q, "Invalid formula: a window was too long");
    j->c.window = j->window ? (size_t)j->window : 1;
    j->c.average = j->average ? (size_t)j->average : 1;
    j->q->axis.pre = j->c.window + j->c.average - 2;
    if (j->formula.longest > 1)
        j->q->axis.pre += j->formula.longest - 1;
    return true;
}

static bool read_events(job *j)
{
    emu_str texts[3] = {{NULL, 0}};
    size_t n = 0;

    for (size_t i = 0; i < 3 && n < 3; i++) {
        texts[n] = emu_form_nth(j->q->a, j->q->r->query, "e", i);
        n += texts[n].n > 0;
    }
    if (n < 3) {
        texts[n] = emu_param(j->q, "e2");
        n += texts[n].s != NULL;
    }
    if (n > 2)
        return emu_ask_fail(j->q, "Invalid parameter e: at most two events");
    if (n == 0)
        return emu_ask_fail(j->q, "Missing required parameter e");
    for (size_t i = 0; i < n; i++)
        if (!emu_ask_event(j->q, texts[i], i ? "e2" : "e", &j->events[i]))
            return false;
    j->c.event_n = n;
    return true;
}

static bool needs_property(metric_param m)
{
    return m == P_HISTOGRAM || m == P_SUMS || m == P_VALUE_AVG;
}

static bool read_metric(job *j)
{
    int m = P_UNIQUES;

    if (!emu_ask_choice(j->q, "m", METRIC_NAMES, &m))
        return false;
    j->m = (metric_param)m;
    if (j->m == P_FORMULA &&
        !emu_formula_read(j->q, emu_param(j->q, "formula"), &j->formula))
        return false;
    for (size_t i = 0; i < 2; i++) {
        const emu_event_def *ev = &j->events[i];
        bool property =
            needs_property(j->m) || (j->m == P_FORMULA && j->formula.property[i]);

        j->split_first[i] = !property;
        if (i >= j->c.event_n && j->m == P_FORMULA && j->formula.uses[i])
            return emu_ask_fail(j->q, "Invalid formula: there was no event %c", "AB"[i]);
        if (i < j->c.event_n && property && !ev->group_n &&
            (ev->special != EV_REVENUE || j->m == P_HISTOGRAM))
            return emu_ask_fail(j->q, "Invalid parameter e: the metric needs a group_by");
    }
    return true;
}

static int64_t cost_of(const job *j)
{
    int64_t cost = (int64_t)j->c.event_n;

    for (size_t i = 0; i < j->c.event_n; i++)
        cost += 4 * (int64_t)j->events[i].group_n;
    return cost;
}

static bool read_segmentation(job *j)
{
    int n = 0;

    if (!read_events(j) || !emu_ask_range(j->q, ANY_INTERVAL) ||
        !emu_ask_segments(j->q) || !emu_ask_groups(j->q, 2) || !read_metric(j) ||
        !read_rolling(j) || !emu_ask_choice(j->q, "n", "any|active", &n))
        return false;
    j->active_only = n == 1;
    if (j->m == P_FORMULA && j->formula.segment_most > j->q->segment_n)
        return emu_ask_fail(j->q, "Invalid formula: a segment was missing");
    return true;
}

static bool read_users(job *j)
{
    int m = 0;

    if (!emu_ask_range(j->q, DAYS_AND_LONGER) || !emu_ask_segments(j->q) ||
        !emu_ask_groups(j->q, 2) || !emu_ask_choice(j->q, "m", "active|new", &m))
        return false;
    j->events[0] = (emu_event_def){.special = m ? EV_NEW : EV_ACTIVE,
                                   .name = emu_str_of(m ? "_new" : "_active")};
    j->c.event_n = 1;
    j->c.window = j->c.average = 1;
    j->split_first[0] = true;
    return true;
}

/* --- parts --- */

static bool inline_labels(const job *j, size_t event)
{
    return j->m == P_HISTOGRAM || j->events[event].group_n > !j->split_first[event];
}

static void set_part(job *j, emu_part *part, size_t event, size_t segment)
{
    const emu_event_def *ev = &j->events[event];

    part->event = &j->events[event];
    part->segment = &j->q->segments[segment];
    part->active_only = j->active_only;
    for (size_t i = 0; i < j->q->g_n; i++)
        part->keys[part->key_n++] = j->q->g[i];
    for (size_t i = !j->split_first[event]; i < ev->group_n; i++)
        part->keys[part->key_n++] = ev->group[i];
    if (j->m == P_HISTOGRAM)
        part->number = &ev->group[0];
}

static bool set_parts(job *j)
{
    size_t s = j->q->segment_n, n = j->c.event_n * s;
    bool active = j->m == P_PCT_DAU || (j->m == P_FORMULA && j->formula.active);

    j->c.q = j->q;
    j->c.any_active = (emu_event_def){.special = EV_ACTIVE};
    j->c.parts = emu_arena_alloc(j->q->a, (n + s) * sizeof(*j->c.parts));
    if (!j->c.parts)
        return false;
    memset(j->c.parts, 0, (n + s) * sizeof(*j->c.parts));
    j->c.active = active ? j->c.parts + n : NULL;
    for (size_t e = 0; e < j->c.event_n; e++)
        for (size_t i = 0; i < s; i++)
            set_part(j, &j->c.parts[e * s + i], e, i);
    for (size_t i = 0; i < s && active; i++) {
        emu_part *part = &j->c.active[i];

        part->event = &j->c.any_active;
        part->segment = &j->q->segments[i];
        memcpy(part->keys, j->q->g, sizeof(j->q->g));
        part->key_n = j->q->g_n;
    }
    return true;
}

/* --- bins of a histogram --- */

static double number_of(const emu_group_key *key)
{
    double d;

    memcpy(&d, &key->k[EMU_KEYS - 2], sizeof(d));
    return d;
}

/* The groups of numbers become groups of bins; a key then holds the number of its bin. */
static bool bin_part(job *j, emu_part *part)
{
    uint32_t *to = malloc((part->groups.n + 1) * sizeof(*to));
    emu_groups bins = {0};
    bool ok = to != NULL;

    for (size_t g = 0; g < part->groups.n && ok; g++) {
        emu_group_key key = part->groups.keys[g];
        double bin = j->width > 0 ? floor((number_of(&key) - j->least) / j->width) : 0;

        bin = bin < 0 ? 0 : bin > 9 ? 9 : bin;
        memcpy(&key.k[EMU_KEYS - 2], &bin, sizeof(bin));
        ok = emu_groups_add(&bins, &key, &to[g]);
    }
    for (size_t i = 0; i < part->n && ok; i++)
        part->recs[i].group = to[part->recs[i].group];
    emu_groups_free(&part->groups);
    part->groups = bins;
    free(to);
    return ok;
}

/* Ten equal bins from the least to the greatest number of the range. */
static bool bin_numbers(job *j)
{
    size_t n = j->c.event_n * j->q->segment_n;
    double most = -INFINITY;

    j->ten_bins = j->m == P_HISTOGRAM && EMU_SW(j->q->e, histogram_bins);
    j->least = INFINITY;
    for (size_t p = 0; p < n && j->ten_bins; p++) {
        const emu_part *part = &j->c.parts[p];

        for (size_t i = 0; i < part->n; i++) {
            double d = number_of(&part->groups.keys[part->recs[i].group]);

            if (!(part->recs[i].flags & IN_WHOLE))
                continue;
            j->least = d < j->least ? d : j->least;
            most = d > most ? d : most;
        }
    }
    j->width = (most - j->least) / 10;
    for (size_t p = 0; p < n && j->ten_bins; p++)
        if (!bin_part(j, &j->c.parts[p]))
            return false;
    return true;
}

/* --- values --- */

static emu_metric metric_of(const job *j)
{
    static const emu_metric metrics[] = {
        [P_UNIQUES] = M_UNIQUES,         [P_TOTALS] = M_TOTALS,    [P_PCT_DAU] = M_ACTIVE,
        [P_AVERAGE] = M_AVERAGE,         [P_HISTOGRAM] = M_TOTALS, [P_SUMS] = M_SUM,
        [P_VALUE_AVG] = M_VALUE_AVERAGE, [P_FORMULA] = M_UNIQUES};

    return metrics[j->m];
}

static emu_rank rank_of(const job *j)
{
    static const emu_rank ranks[] = {
        [P_UNIQUES] = RANK_UNIQUES,  [P_TOTALS] = RANK_TOTALS,
        [P_PCT_DAU] = RANK_UNIQUES,  [P_AVERAGE] = RANK_TOTALS,
        [P_HISTOGRAM] = RANK_NUMBER, [P_SUMS] = RANK_SUM,
        [P_VALUE_AVG] = RANK_SUM,    [P_FORMULA] = RANK_UNIQUES};

    return ranks[j->m];
}

static double scaled(const job *j, double v)
{
    return j->m == P_PCT_DAU && !EMU_SW(j->q->e, pct_dau_scale) ? 100 * v : v;
}

static void fill_values(job *j, size_t event, size_t segment, size_t group)
{
    size_t n = j->q->axis.n, average = j->c.average;

    for (size_t i = 0; i < n; i++)
        j->values[i] = scaled(j, emu_calc_value(&j->c, metric_of(j), 0, event, segment,
                                                group, i, j->c.window, false));
    for (size_t i = n; i-- > 0 && average > 1;) {
        size_t from = i + 1 > average ? i + 1 - average : 0;
        double sum = 0;

        for (size_t k = from; k <= i; k++)
            sum += j->values[k];
        j->values[i] = sum / (double)(i + 1 - from);
    }
}

/* --- writing --- */

static void put_key(job *j, const emu_group_key *key, size_t i)
{
    emu_buf b = {0};
    double d = number_of(key);

    if (i < j->c.key_n) {
        emu_buf_quote(&j->labels, emu_label_of(j->q, key->k[i]));
        return;
    }
    emu_put_label(&b, j->ten_bins ? j->least + d * j->width : d);
    if (j->ten_bins) {
        emu_buf_ch(&b, '-');
        emu_put_label(&b, j->least + (d + 1) * j->width);
    }
    emu_buf_quote(&j->labels, (emu_str){b.p, b.n});
    emu_buf_free(&b);
}

/* 0 · "a" · ["a","b"] · [0,"a"] · [0,["a","b"]] */
static void put_label(job *j, const emu_group_key *key, size_t event)
{
    bool in_line = inline_labels(j, event);
    size_t n = j->c.key_n + (j->m == P_HISTOGRAM);

    if (n == 0) {
        emu_buf_int(&j->labels, (int64_t)event);
        return;
    }
    if (in_line)
        emu_buf_fmt(&j->labels, "[%zu,", event);
    if (n > 1)
        emu_buf_ch(&j->labels, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            emu_buf_ch(&j->labels, ',');
        put_key(j, key, i);
    }
    if (n > 1)
        emu_buf_ch(&j->labels, ']');
    if (in_line)
        emu_buf_ch(&j->labels, ']');
}

static void put_series(job *j, size_t event, size_t segment, size_t group, double whole)
{
    const char *comma = j->series.n ? "," : "";

    emu_buf_fmt(&j->series, "%s[", comma);
    for (size_t i = j->q->axis.pre; i < j->q->axis.n; i++) {
        if (i > j->q->axis.pre)
            emu_buf_ch(&j->series, ',');
        emu_put_number(&j->series, j->values[i]);
    }
    emu_buf_ch(&j->series, ']');
    emu_buf_z(&j->labels, comma);
    put_label(j, &j->c.kept[group], event);
    emu_buf_fmt(&j->meta, "%s{\"segmentIndex\":%zu}", comma, segment);
    emu_buf_fmt(&j->whole, "%s[{\"setId\":\"\",\"value\":", comma);
    emu_put_number(&j->whole, whole);
    emu_buf_z(&j->whole, "}]");
}

static bool plain_series(job *j, size_t event, size_t segment)
{
    size_t which = event * j->q->segment_n + segment;

    if (!emu_calc_keep(&j->c, &which, 1, rank_of(j)))
        return false;
    for (size_t g = 0; g < j->c.kept_n; g++) {
        fill_values(j, event, segment, g);
        put_series(j, event, segment, g,
                   scaled(j, emu_calc_value(&j->c, metric_of(j), 0, event, segment, g, 0,
                                            1, true)));
    }
    emu_calc_drop(&j->c, which);
    return true;
}

/* One series for each segment, or a single one when every term names its own. */
static bool formula_series(job *j, size_t segment)
{
    size_t *which = emu_arena_alloc(j->q->a, 2 * j->q->segment_n * sizeof(*which)), n = 0;
    const emu_formula *f = &j->formula;

    if (!which)
        return false;
    for (size_t e = 0; e < j->c.event_n; e++)
        for (size_t s = 0; s < j->q->segment_n; s++)
            if (f->uses[e] && (s == segment || f->segment_most))
                which[n++] = e * j->q->segment_n + s;
    if (n == 0) /* numbers only */
        which[n++] = segment;
    if (!emu_calc_keep(&j->c, which, n, RANK_UNIQUES))
        return false;
    for (size_t g = 0; g < j->c.kept_n; g++) {
        if (!emu_formula_series(&j->c, f, segment, g, j->values))
            return false;
        put_series(j, f->uses[0] || !f->uses[1] ? 0 : 1, segment, g,
                   emu_formula_whole(&j->c, f, segment, g));
    }
    for (size_t i = 0; i < n && !f->segment_most; i++)
        emu_calc_drop(&j->c, which[i]); /* the next series is of other parts */
    return true;
}

static bool write_all(job *j)
{
    bool each = j->formula.any_segment || !j->formula.segment_most;

    if (j->m == P_FORMULA) {
        for (size_t s = 0; s < (each ? j->q->segment_n : 1); s++)
            if (!formula_series(j, s))
                return false;
        return true;
    }
    for (size_t e = 0; e < j->c.event_n; e++)
        for (size_t s = 0; s < j->q->segment_n; s++)
            if (!plain_series(j, e, s))
                return false;
    return true;
}

static void reply(job *j)
{
    emu_buf *out = &j->q->r->out;

    emu_buf_z(out, "{\"data\":{\"series\":[");
    emu_buf_put(out, j->series.p, j->series.n);
    emu_buf_z(out, "],\"seriesLabels\":[");
    emu_buf_put(out, j->labels.p, j->labels.n);
    if (j->users) {
        emu_buf_z(out, "],\"seriesMeta\":[");
        emu_buf_put(out, j->meta.p, j->meta.n);
    }
    emu_buf_z(out, "],\"seriesCollapsed\":[");
    emu_buf_put(out, j->whole.p, j->whole.n);
    emu_buf_z(out, "],\"xValues\":");
    if (j->q->view->n)
        emu_axis_write(&j->q->axis, out);
    else
        emu_buf_z(out, "[]"); /* an empty project: seen live */
    emu_buf_z(out, "}}");
    if (j->series.failed || j->labels.failed || j->meta.failed || j->whole.failed)
        emu_ask_no_memory(j->q);
    else
        emu_ask_answer(j->q);
}

static void compute(job *j)
{
    bool ok = set_parts(j) && emu_calc_collect(&j->c) && bin_numbers(j);

    j->values = ok ? malloc((j->q->axis.n + 1) * sizeof(*j->values)) : NULL;
    ok = j->values && (j->q->view->n == 0 || write_all(j));
    if (ok && !j->c.m.failed)
        reply(j);
    else
        emu_ask_no_memory(j->q);
    emu_calc_free(&j->c);
    free(j->values);
    emu_buf_free(&j->labels);
    emu_buf_free(&j->series);
    emu_buf_free(&j->meta);
    emu_buf_free(&j->whole);
}

static void run(emu_req *r, bool users)
{
    emu_ask q;
    job j = {.q = &q, .users = users};

    if (emu_ask_open(&q, r) && (users ? read_users(&j) : read_segmentation(&j)) &&
        emu_ask_axis(&q) && emu_ask_pay(&q, users ? 1 : cost_of(&j))) {
        emu_ask_unlock(&q);
        compute(&j);
    }
    emu_ask_close(&q);
}

void emu_do_segmentation(emu_req *r)
{
    run(r, false);
}

void emu_do_users(emu_req *r)
{
    run(r, true);
}
