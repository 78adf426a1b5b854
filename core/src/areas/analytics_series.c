/* SPDX-License-Identifier: MIT */
/* Segmentation, users, sessions, composition, realtime: series over one axis. */
#include <stdio.h>
#include <string.h>

#include "areas/analytics_form.h"
#include "areas/analytics_series.h"

tw_view tw__shape_data(tw_shape *shape, tw_view root, tw_json_kind kind)
{
    static const char *const names[] = {"data", NULL};
    tw_view data = {NULL, 0};

    tw__shape_pick(shape, root, names, &data);
    if (tw__view_kind(data) != kind)
        tw__shape_fault(shape, "had no \"data\" that is %s",
                        kind == TW_JSON_ARRAY ? "an array" : "an object");
    if (shape->rc != TW_OK)
        data.text = NULL;
    return data;
}

/* ---- labels -------------------------------------------------------------------------- */

static int is_whole(tw_view value)
{
    return tw__view_kind(value) == TW_JSON_INT;
}

/* Texts of a label, which may stand in an array inside it. */
static void label_texts(tw_shape *shape, tw_view label, size_t *parts)
{
    tw_view_walk walk = tw__view_walk(label);
    tw_view part;

    if (tw__view_kind(label) != TW_JSON_ARRAY) {
        tw__shape_puts(shape, (*parts)++ != 0 ? "," : "");
        tw__shape_text(shape, "seriesLabels", label);
        return;
    }
    while (shape->rc == TW_OK && tw__view_next(&walk, NULL, &part)) {
        tw__shape_puts(shape, (*parts)++ != 0 ? "," : "");
        tw__shape_text(shape, "seriesLabels", part);
    }
}

/*
 * 0                event of a series without a group
 * "Norway"         a group; "" is none
 * ["Norway","iOS"] two
 * [0,"card"]       event and its group; two as [0,"card","iOS"] or [0,["card","iOS"]]
 */
void tw__shape_label(tw_shape *shape, tw_view label, tw_view meta, tw_view segment)
{
    static const char *const names[] = {"segmentIndex", "eventIndex", NULL};
    tw_view_walk walk = tw__view_walk(label);
    tw_view event = {NULL, 0};
    tw_view m[2] = {{NULL, 0}, {NULL, 0}};
    tw_view part;
    size_t parts = 0;

    if (tw__view_kind(meta) == TW_JSON_OBJECT)
        tw__shape_pick(shape, meta, names, m);
    else if (!tw__view_given(label))
        label = meta; /* the documents have the labels there */
    tw__shape_puts(shape, "\"label\":[");
    if (is_whole(label)) {
        event = label;
    } else if (tw__view_kind(label) == TW_JSON_ARRAY) {
        while (shape->rc == TW_OK && tw__view_next(&walk, NULL, &part)) {
            if (parts == 0 && event.text == NULL && is_whole(part))
                event = part;
            else
                label_texts(shape, part, &parts);
        }
    } else if (tw__view_given(label) && !tw__view_is(label, "")) {
        label_texts(shape, label, &parts);
    }
    tw__shape_puts(shape, "],\"event\":");
    tw__shape_put(shape, is_whole(m[1]) ? m[1] : event);
    tw__shape_puts(shape, ",\"segment\":");
    if (!tw__view_given(m[0]) && segment.text != NULL)
        tw__shape_put(shape, segment);
    else
        tw__shape_number(shape, "segmentIndex", m[0]);
}

/* ---- the axis ------------------------------------------------------------------------ */

enum { DAY = 10 }; /* "YYYY-MM-DD" */

/* A day with a time behind it that is midnight. */
static int is_midnight(tw_view x)
{
    static const char shape[] = "0000-00-00T00:00:00";
    size_t i;

    if (tw__view_kind(x) != TW_JSON_STRING || x.size < 2 + sizeof shape - 1)
        return 0;
    for (i = 0; i < sizeof shape - 1; i++) {
        char c = x.text[1 + i];

        if (i < DAY ? (shape[i] == '0') != (c >= '0' && c <= '9') ||
                          (shape[i] == '-' && c != '-')
                    : c != shape[i] && !(i == DAY && c == ' '))
            return 0;
    }
    return 1;
}

static void day_cell(tw_shape *shape, const char *what, tw_view x)
{
    tw_view day = {x.text, 1 + DAY};

    (void)what;
    tw__shape_put(shape, day);
    tw__shape_puts(shape, "\"");
}

/* Days may come with a time: where all of them are midnights there are no hours between. */
static void axis_put(tw_shape *shape, tw_view axis)
{
    tw_view_walk walk = tw__view_walk(axis);
    size_t count = 0;
    int days = 1;
    tw_view x;

    while (days && tw__view_next(&walk, NULL, &x)) {
        days = is_midnight(x);
        count++;
    }
    tw__shape_row(shape, "xValues", axis, SIZE_MAX,
                  days && count != 0 ? day_cell : tw__shape_text);
}

/* ---- series -------------------------------------------------------------------------- */

/* [{"value":63}], the value alone without the array, or nothing. */
static void collapsed_put(tw_shape *shape, tw_view collapsed)
{
    static const char *const names[] = {"value", NULL};
    tw_view_walk walk = tw__view_walk(collapsed);

    if (tw__view_kind(collapsed) == TW_JSON_ARRAY &&
        !tw__view_next(&walk, NULL, &collapsed))
        collapsed.text = NULL;
    if (tw__view_kind(collapsed) == TW_JSON_OBJECT) {
        tw_view value = {NULL, 0};

        tw__shape_pick(shape, collapsed, names, &value);
        collapsed = value;
    }
    tw__shape_number(shape, "seriesCollapsed", collapsed);
}

/* The next element, absent past the end. */
static tw_view next(tw_view_walk *walk)
{
    tw_view value = {NULL, 0};
    tw_view none = {NULL, 0};

    return tw__view_next(walk, NULL, &value) ? value : none;
}

/* Series without a group have no more than the number of their event (a query has two at most):
 * where it comes again, it is that of the next segment. */
typedef struct event_counts {
    size_t seen[2];
    char text[24];
} event_counts;

static tw_view segment_of(event_counts *counts, tw_view label)
{
    tw_view segment = {NULL, 0};
    int64_t event;

    if (!is_whole(label) || !tw__view_int(label, &event) || event < 0 || event > 1)
        return segment;
    segment.size =
        (size_t)snprintf(counts->text, sizeof counts->text, "%zu", counts->seen[event]++);
    segment.text = counts->text;
    return segment;
}

int tw__form_series(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    static const char *const names[] = {"series",          "seriesLabels", "seriesMeta",
                                        "seriesCollapsed", "xValues",      NULL};
    event_counts counts = {{0, 0}, ""};
    tw_view_walk rows, labels, metas, sums;
    tw_view m[5], row, label;
    tw_shape shape;
    tw_view root = tw__shape_open(&shape, out, body, size, err);
    size_t points, i;

    tw__shape_pick(&shape, tw__shape_data(&shape, root, TW_JSON_OBJECT), names, m);
    if (tw__view_given(m[0]) && tw__view_kind(m[0]) != TW_JSON_ARRAY)
        tw__shape_fault(&shape, "had a \"series\" that is no array");
    points = tw__view_count(m[4]);
    tw__shape_puts(&shape, "{\"x\":");
    axis_put(&shape, m[4]);
    tw__shape_puts(&shape, ",\"series\":[");
    rows = tw__view_walk(m[0]);
    labels = tw__view_walk(m[1]);
    metas = tw__view_walk(m[2]);
    sums = tw__view_walk(m[3]);
    for (i = 0; shape.rc == TW_OK && tw__view_next(&rows, NULL, &row); i++) {
        tw__shape_puts(&shape, i != 0 ? ",{" : "{");
        label = next(&labels);
        tw__shape_label(&shape, label, next(&metas), segment_of(&counts, label));
        tw__shape_puts(&shape, ",\"values\":");
        tw__shape_row(&shape, "series", row, points, tw__shape_number);
        tw__shape_puts(&shape, ",\"collapsed\":");
        collapsed_put(&shape, next(&sums));
        tw__shape_puts(&shape, "}");
    }
    tw__shape_puts(&shape, "]");
    return tw__shape_end(&shape, root);
}
