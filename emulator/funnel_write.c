/* SPDX-License-Identifier: MIT */
/* Funnels: a group's element of the answer, with its times, days and distributions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "funnel.h"
#include "series.h"
#include "text.h"

#define BINS_MAX 400 /* of a distribution; ours */

typedef emu_funnel_sums job;
typedef emu_funnel_value value;

static size_t users_at(const job *j, size_t kept, size_t slot, size_t step)
{
    size_t cell = emu_funnel_cell(j, kept, slot, step);

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
        size_t cell = emu_funnel_cell(j, kept, slot, step),
               n = j->cell[cell + 1] - j->cell[cell];
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
            emu_buf_str(&b, ev->filters[i].shown[k]);
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
    size_t cell = emu_funnel_cell(j, kept, 0, step);

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

    for (size_t i = j->cell[emu_funnel_cell(j, kept, 0, 0)];
         i < j->cell[emu_funnel_cell(j, kept, 1, 0)]; i++) {
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

bool emu_funnel_put(job *j, size_t segment, size_t kept)
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
