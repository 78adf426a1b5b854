/* SPDX-License-Identifier: MIT */
/* Funnels: steps, the time between them, and both by the day of entry. */
#include "areas/analytics_form.h"
#include "areas/analytics_series.h"

static const tw_view none = {NULL, 0};

/* ---- times --------------------------------------------------------------------------- */

/* Nobody got there: the server says -1. */
static void time_put(tw_shape *shape, tw_view time)
{
    tw__shape_number(shape, "the transition times",
                     tw__view_negative(time) ? none : time);
}

/*
 * What is written: first step to last, then from the step before into each step.
 * That is how the server answers. Its documents have 0 in the first place, which with a time
 * in another place cannot be meant: of two steps it is then the other one, of more nobody knows.
 */
static void times_cell(tw_shape *shape, const char *what, tw_view times)
{
    tw_view_walk walk = tw__view_walk(times);
    size_t count = tw__view_count(times);
    tw_view first, second, time;
    int some = 0;

    (void)what;
    if (tw__view_given(times) && tw__view_kind(times) != TW_JSON_ARRAY)
        tw__shape_fault(shape, "had transition times that are no array");
    if (!tw__view_next(&walk, NULL, &first)) {
        tw__shape_puts(shape, "[]");
        return;
    }
    second = none;
    while (tw__view_next(&walk, NULL, &time)) {
        if (second.text == NULL)
            second = time;
        some |= tw__view_given(time) && !tw__view_zero(time) && !tw__view_negative(time);
    }
    if (tw__view_zero(first) && some)
        first = count == 2 ? second : none;
    tw__shape_puts(shape, "[");
    time_put(shape, first);
    walk = tw__view_walk(times);
    tw__view_next(&walk, NULL, &first);
    while (shape->rc == TW_OK && tw__view_next(&walk, NULL, &time)) {
        tw__shape_puts(shape, ",");
        time_put(shape, time);
    }
    tw__shape_puts(shape, "]");
}

/* ---- by day -------------------------------------------------------------------------- */

static void steps_cell(tw_shape *shape, const char *what, tw_view row)
{
    tw__shape_row(shape, what, row, SIZE_MAX, tw__shape_number);
}

/* The days of one series of times in the order of its own axis, which is that of the users. */
static void day_times(tw_shape *shape, const char *name, tw_view days, size_t count)
{
    static const char *const names[] = {"series", NULL};
    tw_view series = none;

    tw__shape_pick(shape, days, names, &series);
    tw__shape_printf(shape, ",\"%s\":", name);
    tw__shape_row(shape, "the days of a funnel", series, count, times_cell);
}

static void days_put(tw_shape *shape, tw_view users, tw_view median, tw_view average)
{
    static const char *const names[] = {"series", "xValues", "isComplete", NULL};
    tw_view m[3];
    size_t count;

    if (tw__view_kind(users) != TW_JSON_OBJECT) {
        tw__shape_puts(shape, "null");
        return;
    }
    tw__shape_pick(shape, users, names, m);
    count = tw__view_count(m[1]);
    tw__shape_puts(shape, "{\"dates\":");
    tw__shape_row(shape, "xValues", m[1], count, tw__shape_text);
    tw__shape_puts(shape, ",\"users\":");
    tw__shape_row(shape, "dayFunnels", m[0], count, steps_cell);
    tw__shape_puts(shape, ",\"complete\":");
    tw__shape_row(shape, "isComplete", m[2], tw__view_given(m[2]) ? count : 0,
                  tw__shape_bool);
    day_times(shape, "median_ms", median, count);
    day_times(shape, "average_ms", average, count);
    tw__shape_puts(shape, "}");
}

/* ---- distributions ------------------------------------------------------------------- */

static tw_view either(tw_view object, const char *name, const char *other)
{
    tw_view value = tw__view_member(object, name);

    return tw__view_given(value) ? value : tw__view_member(object, other);
}

/* [start, end, users, times]; the last bin has no end. */
static void bin_cell(tw_shape *shape, const char *what, tw_view bin)
{
    static const char *const names[] = {"start", "end", "bin_dist", NULL};
    tw_view m[3];

    tw__shape_pick(shape, bin, names, m);
    tw__shape_puts(shape, "[");
    tw__shape_number(shape, what, m[0]);
    tw__shape_puts(shape, ",");
    tw__shape_number(shape, what, m[1]);
    tw__shape_puts(shape, ",");
    tw__shape_number(shape, what, either(m[2], "uniques", "users"));
    tw__shape_puts(shape, ",");
    tw__shape_number(shape, what, either(m[2], "totals", "count"));
    tw__shape_puts(shape, "]");
}

static void bins_cell(tw_shape *shape, const char *what, tw_view step)
{
    tw__shape_row(shape, what, tw__view_member(step, "bins"), SIZE_MAX, bin_cell);
}

static void distribution_put(tw_shape *shape, const char *name, tw_view distribution)
{
    tw__shape_printf(shape, ",\"%s\":", name);
    tw__shape_row(shape, name, tw__view_member(distribution, "step_bins"), SIZE_MAX,
                  bins_cell);
}

/* ---- funnels ------------------------------------------------------------------------- */

static void group_put(tw_shape *shape, tw_view group)
{
    tw__shape_puts(shape, "\"label\":[");
    if (tw__view_given(group) && !tw__view_is(group, ""))
        tw__shape_text(shape, "groupValue", group);
    tw__shape_puts(shape, "]");
}

static void funnel_cell(tw_shape *shape, const char *what, tw_view funnel)
{
    static const char *const names[] = {"meta",
                                        "groupValue",
                                        "events",
                                        "cumulativeRaw",
                                        "cumulative",
                                        "stepByStep",
                                        "medianTransTimes",
                                        "avgTransTimes",
                                        "dayFunnels",
                                        "dayMedianTransTimes",
                                        "dayAvgTransTimes",
                                        "stepTransTimeDistribution",
                                        "stepPrevStepCountDistribution",
                                        NULL};
    static const char *const segment_names[] = {"segmentIndex", NULL};
    tw_view m[13];
    tw_view segment = none;
    size_t steps;

    (void)what;
    if (tw__view_kind(funnel) != TW_JSON_OBJECT)
        tw__shape_fault(shape, "had a funnel that is no object");
    tw__shape_pick(shape, funnel, names, m);
    tw__shape_pick(shape, m[0], segment_names, &segment);
    if (tw__view_kind(m[3]) != TW_JSON_ARRAY)
        tw__shape_fault(shape, "had a funnel without \"cumulativeRaw\"");
    steps = tw__view_count(m[3]);
    tw__shape_puts(shape, "{");
    group_put(shape, m[1]);
    tw__shape_puts(shape, ",\"segment\":");
    tw__shape_number(shape, "segmentIndex", segment);
    tw__shape_puts(shape, ",\"events\":");
    tw__shape_row(shape, "events", m[2], steps, tw__shape_text);
    tw__shape_puts(shape, ",\"users\":");
    tw__shape_row(shape, "cumulativeRaw", m[3], steps, tw__shape_number);
    tw__shape_puts(shape, ",\"cumulative\":");
    tw__shape_row(shape, "cumulative", m[4], steps, tw__shape_number);
    tw__shape_puts(shape, ",\"conversion\":");
    tw__shape_row(shape, "stepByStep", m[5], steps, tw__shape_number);
    tw__shape_puts(shape, ",\"median_ms\":");
    times_cell(shape, "", m[6]);
    tw__shape_puts(shape, ",\"average_ms\":");
    times_cell(shape, "", m[7]);
    tw__shape_puts(shape, ",\"days\":");
    days_put(shape, m[8], m[9], m[10]);
    distribution_put(shape, "time_bins", m[11]);
    distribution_put(shape, "previous_bins", m[12]);
    tw__shape_puts(shape, "}");
}

int tw__form_funnels(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    tw_shape shape;
    tw_view root = tw__shape_open(&shape, out, body, size, err);
    tw_view data = tw__shape_data(&shape, root, TW_JSON_ARRAY);

    tw__shape_puts(&shape, "{\"funnels\":");
    tw__shape_row(&shape, "data", data, SIZE_MAX, funnel_cell);
    return tw__shape_end(&shape, root);
}
