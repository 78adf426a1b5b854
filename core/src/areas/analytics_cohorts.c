/* SPDX-License-Identifier: MIT */
/* Retention and lifetime value: tables by the day users began. */
#include <stdlib.h>
#include <string.h>

#include "areas/analytics_form.h"
#include "areas/analytics_series.h"
#include "base/alloc.h"
#include "base/error.h"

static const tw_view none = {NULL, 0};

/* ---- values by date ------------------------------------------------------------------ */

/* Members of an object, to be found by name many times: dates have no fixed form, so that a name
 * is only ever compared. */
typedef struct entries {
    tw_view *keys;
    tw_view *values;
    size_t count;
} entries;

static int same_text(tw_shape *shape, tw_view a, tw_view b)
{
    tw_buf text;
    int same = a.size == b.size && memcmp(a.text, b.text, a.size) == 0;

    if (same ||
        (memchr(a.text, '\\', a.size) == NULL && memchr(b.text, '\\', b.size) == NULL))
        return same;
    tw__buf_init(&text, a.size);
    tw__shape_settle(shape, tw__view_text(&text, a));
    tw__shape_settle(shape, tw__buf_putc(&text, '\0'));
    if (shape->rc == TW_OK)
        same = tw__view_is(b, text.data);
    tw__buf_clear(&text);
    return same;
}

static void entries_free(entries *list)
{
    tw__free(list->keys);
    tw__free(list->values);
}

static void entries_read(entries *list, tw_shape *shape, tw_view object)
{
    tw_view_walk walk = tw__view_walk(object);
    size_t room = tw__view_kind(object) == TW_JSON_OBJECT ? tw__view_count(object) : 0;

    memset(list, 0, sizeof *list);
    if (shape->rc != TW_OK || room == 0)
        return;
    list->keys = tw__alloc_zero(room, sizeof *list->keys);
    list->values = tw__alloc_zero(room, sizeof *list->values);
    if (list->keys == NULL || list->values == NULL) {
        shape->rc = tw__error_nomem(shape->err);
        return;
    }
    while (list->count < room &&
           tw__view_next(&walk, &list->keys[list->count], &list->values[list->count]))
        list->count++;
}

/* Absent where there is none; a second one of that name is a fault. */
static tw_view entries_find(entries *list, tw_shape *shape, tw_view name)
{
    tw_view found = none;
    size_t i;

    if (tw__view_kind(name) != TW_JSON_STRING)
        return none;
    for (i = 0; i < list->count; i++) {
        if (!same_text(shape, list->keys[i], name))
            continue;
        if (found.text != NULL)
            tw__shape_fault(shape, "had the values of a date twice");
        found = list->values[i];
    }
    return found;
}

/* ---- retention ----------------------------------------------------------------------- */

/* [retained, of, incomplete] */
static void cell_cell(tw_shape *shape, const char *what, tw_view cell)
{
    static const char *const names[] = {"count", "outof", "incomplete", NULL};
    tw_view m[3];

    tw__shape_pick(shape, cell, names, m);
    if (tw__view_given(cell) && tw__view_kind(cell) != TW_JSON_OBJECT)
        tw__shape_fault(shape, "had a cell in %s that is no object", what);
    tw__shape_puts(shape, "[");
    tw__shape_number(shape, what, m[0]);
    tw__shape_puts(shape, ",");
    tw__shape_number(shape, what, m[1]);
    tw__shape_puts(shape, tw__view_kind(m[2]) == TW_JSON_TRUE ? ",true]" : ",false]");
}

/* "size":n,"cells":[...]: the first cell of the wire is the cohort itself, the next is day 0. */
static void cells_put(tw_shape *shape, tw_view cells)
{
    static const char *const names[] = {"count", NULL};
    tw_view_walk walk = tw__view_walk(cells);
    tw_view first = none, size = none, cell;
    size_t i;

    if (tw__view_given(cells) && tw__view_kind(cells) != TW_JSON_ARRAY)
        tw__shape_fault(shape, "had cells of retention that are no array");
    if (tw__view_kind(cells) == TW_JSON_ARRAY)
        tw__view_next(&walk, NULL, &first);
    tw__shape_pick(shape, first, names, &size);
    tw__shape_puts(shape, "\"size\":");
    tw__shape_number(shape, "retention", size);
    tw__shape_puts(shape, ",\"cells\":[");
    for (i = 0;
         shape->rc == TW_OK && first.text != NULL && tw__view_next(&walk, NULL, &cell);
         i++) {
        if (i != 0)
            tw__shape_puts(shape, ",");
        cell_cell(shape, "retention", cell);
    }
    tw__shape_puts(shape, "]");
}

/* Dates of a series: as `dates` has them, or where it has none in the order of their values. */
typedef void (*cohort_put)(tw_shape *shape, tw_view date, entries *lists);

static void cohorts_put(tw_shape *shape, tw_view dates, entries *lists, cohort_put put)
{
    tw_view_walk walk = tw__view_walk(dates);
    size_t count =
        tw__view_kind(dates) == TW_JSON_ARRAY ? tw__view_count(dates) : lists[0].count;
    tw_view date;
    size_t i;

    tw__shape_puts(shape, "\"cohorts\":[");
    for (i = 0; shape->rc == TW_OK && i < count; i++) {
        if (tw__view_kind(dates) != TW_JSON_ARRAY)
            date = lists[0].keys[i];
        else if (!tw__view_next(&walk, NULL, &date))
            break;
        tw__shape_puts(shape, i != 0 ? ",{\"date\":" : "{\"date\":");
        tw__shape_text(shape, "dates", date);
        put(shape, date, lists);
        tw__shape_puts(shape, "}");
    }
    tw__shape_puts(shape, "]");
}

static void retention_cohort(tw_shape *shape, tw_view date, entries *lists)
{
    tw__shape_puts(shape, ",");
    cells_put(shape, entries_find(&lists[0], shape, date));
}

static void retention_series(tw_shape *shape, tw_view series)
{
    static const char *const names[] = {"dates", "values", "combined", NULL};
    entries lists[1];
    tw_view m[3];

    tw__shape_pick(shape, series, names, m);
    entries_read(&lists[0], shape, m[1]);
    cohorts_put(shape, m[0], lists, retention_cohort);
    entries_free(&lists[0]);
    tw__shape_puts(shape, ",\"combined\":{");
    cells_put(shape, m[2]);
    tw__shape_puts(shape, "}");
}

/* Series of either kind, each with its label. */
static int table_form(tw_buf *out, const char *body, size_t size, tw_error **err,
                      void (*put)(tw_shape *shape, tw_view series))
{
    static const char *const names[] = {"series", "seriesLabels", "seriesMeta", NULL};
    tw_view_walk rows, labels, metas;
    tw_view m[3], series;
    tw_shape shape;
    tw_view root = tw__shape_open(&shape, out, body, size, err);
    size_t i;

    tw__shape_pick(&shape, tw__shape_data(&shape, root, TW_JSON_OBJECT), names, m);
    if (tw__view_given(m[0]) && tw__view_kind(m[0]) != TW_JSON_ARRAY)
        tw__shape_fault(&shape, "had a \"series\" that is no array");
    rows = tw__view_walk(m[0]);
    labels = tw__view_walk(m[1]);
    metas = tw__view_walk(m[2]);
    tw__shape_puts(&shape, "{\"series\":[");
    for (i = 0; shape.rc == TW_OK && tw__view_next(&rows, NULL, &series); i++) {
        tw_view label = none, meta = none;

        if (!tw__view_next(&labels, NULL, &label))
            label = none;
        if (!tw__view_next(&metas, NULL, &meta))
            meta = none;
        if (tw__view_kind(series) != TW_JSON_OBJECT)
            tw__shape_fault(&shape, "had a series that is no object");
        tw__shape_puts(&shape, i != 0 ? ",{" : "{");
        tw__shape_label(&shape, label, meta, none);
        tw__shape_puts(&shape, ",");
        put(&shape, series);
        tw__shape_puts(&shape, "}");
    }
    tw__shape_puts(&shape, "]");
    return tw__shape_end(&shape, root);
}

int tw__form_retention(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    return table_form(out, body, size, err, retention_series);
}

/* ---- lifetime value ------------------------------------------------------------------ */

/* A value by its number of days: r7d, or r7new for users that paid first in that step. */
typedef struct step {
    unsigned days;
    tw_view value;
    tw_view complete;
} step;

enum { DIGITS = 5 };

/* The days of a key "r<digits><tail>", 0 where it is none. */
static unsigned key_days(tw_view key, const char *tail)
{
    const char *p = key.text + 1;
    const char *end = key.text + key.size - 1;
    unsigned days = 0;
    size_t digits;

    if (p == end || *p != 'r')
        return 0;
    for (p++, digits = 0; p < end && *p >= '0' && *p <= '9' && digits < DIGITS; digits++)
        days = days * 10 + (unsigned)(*p++ - '0');
    if (digits == 0 || p[-(ptrdiff_t)digits] == '0' ||
        (size_t)(end - p) != strlen(tail) || memcmp(p, tail, strlen(tail)) != 0)
        return 0;
    return days;
}

static int step_order(const void *a, const void *b)
{
    unsigned x = ((const step *)a)->days;
    unsigned y = ((const step *)b)->days;

    return (x > y) - (x < y);
}

static size_t steps_read(step *steps, tw_view values, tw_view complete, const char *tail)
{
    tw_view_walk walk = tw__view_walk(values);
    tw_view key, value;
    size_t count = 0;

    while (walk.is_object && tw__view_next(&walk, &key, &value)) {
        unsigned days = key_days(key, tail);
        char name[DIGITS + 8];
        size_t size = key.size - 2;

        if (days == 0)
            continue;
        memcpy(name, key.text + 1, size); /* of the form found, so it has room */
        name[size] = '\0';
        steps[count].days = days;
        steps[count].value = value;
        steps[count].complete = tw__view_member(complete, name);
        count++;
    }
    qsort(steps, count, sizeof *steps, step_order);
    return count;
}

/* [[days, value, complete], ...] by days. */
static void steps_put(tw_shape *shape, tw_view values, tw_view complete, const char *tail)
{
    step *steps = NULL;
    size_t count = 0;
    size_t i;

    if (shape->rc == TW_OK && tw__view_kind(values) == TW_JSON_OBJECT) {
        steps = tw__alloc_zero(tw__view_count(values) + 1, sizeof *steps);
        if (steps == NULL)
            shape->rc = tw__error_nomem(shape->err);
        else
            count = steps_read(steps, values, complete, tail);
    }
    tw__shape_puts(shape, "[");
    for (i = 0; shape->rc == TW_OK && i < count; i++) {
        if (i != 0 && steps[i].days == steps[i - 1].days)
            tw__shape_fault(shape, "had the value of a day twice");
        tw__shape_printf(shape, "%s[%u,", i != 0 ? "," : "", steps[i].days);
        tw__shape_number(shape, "a lifetime value", steps[i].value);
        tw__shape_puts(shape, ",");
        tw__shape_bool(shape, "complete", steps[i].complete);
        tw__shape_puts(shape, "]");
    }
    tw__shape_puts(shape, "]");
    tw__free(steps);
}

static void ltv_put(tw_shape *shape, tw_view values, tw_view complete)
{
    static const char *const names[] = {"count", "paid", "total_amount", NULL};
    static const char *const written[] = {"\"size\":", ",\"paid\":", ",\"total\":"};
    tw_view m[3];
    size_t i;

    if (tw__view_given(values) && tw__view_kind(values) != TW_JSON_OBJECT)
        tw__shape_fault(shape, "had lifetime values that are no object");
    tw__shape_pick(shape, values, names, m);
    for (i = 0; i < 3; i++) {
        tw__shape_puts(shape, written[i]);
        tw__shape_number(shape, names[i], m[i]);
    }
    tw__shape_puts(shape, ",\"curve\":");
    steps_put(shape, values, complete, "d");
    tw__shape_puts(shape, ",\"first_paid\":");
    steps_put(shape, values, complete, "new");
}

static void ltv_cohort(tw_shape *shape, tw_view date, entries *lists)
{
    tw__shape_puts(shape, ",");
    ltv_put(shape, entries_find(&lists[0], shape, date),
            entries_find(&lists[1], shape, date));
}

static void ltv_series(tw_shape *shape, tw_view series)
{
    static const char *const names[] = {
        "dates", "values", "complete", "combined", "combined_complete", NULL};
    entries lists[2];
    tw_view m[5];

    tw__shape_pick(shape, series, names, m);
    entries_read(&lists[0], shape, m[1]);
    entries_read(&lists[1], shape, m[2]);
    cohorts_put(shape, m[0], lists, ltv_cohort);
    entries_free(&lists[0]);
    entries_free(&lists[1]);
    tw__shape_puts(shape, ",\"combined\":");
    if (!tw__view_given(m[3])) {
        tw__shape_puts(shape, "null");
        return;
    }
    tw__shape_puts(shape, "{");
    ltv_put(shape, m[3], m[4]);
    tw__shape_puts(shape, "}");
}

int tw__form_ltv(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    return table_form(out, body, size, err, ltv_series);
}
