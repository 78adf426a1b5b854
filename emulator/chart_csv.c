/* SPDX-License-Identifier: MIT */
/* Replies of chart endpoints as CSV: CRLF, every cell quoted, texts led by a TAB. */
#include "charts.h"
#include "http.h"

#define NO_LABEL "All Users"

typedef struct sheet {
    emu_buf *out;
    emu_arena *a;
    bool started; /* the line has a cell */
} sheet;

static void cell(sheet *s, bool text, emu_str value)
{
    emu_buf_z(s->out, s->started ? ",\"" : "\"");
    s->started = true;
    if (text)
        emu_buf_ch(s->out, '\t');
    for (size_t i = 0; i < value.n; i++) {
        if (value.s[i] == '"')
            emu_buf_ch(s->out, '"');
        emu_buf_ch(s->out, value.s[i]);
    }
    emu_buf_ch(s->out, '"');
}

static void end_line(sheet *s)
{
    emu_buf_z(s->out, "\r\n");
    s->started = false;
}

/* A string without its quotes, anything else as it stands. */
static void value_cell(sheet *s, const ej_val *v, bool text)
{
    cell(s, text, ej_text(v, s->a));
}

typedef void item_fn(sheet *s, const ej_val *v);

static void each(sheet *s, const ej_val *list, item_fn *fn)
{
    ej_cur c = ej_at(list->raw);
    ej_val v;

    if (list->kind != EJ_ARRAY)
        return;
    for (ej_enter(&c); ej_item(&c);) {
        ej_take(&c, &v);
        fn(s, &v);
    }
}

static void plain(sheet *s, const ej_val *v)
{
    value_cell(s, v, false);
}

static void as_text(sheet *s, const ej_val *v)
{
    value_cell(s, v, true);
}

/* 0 · "a" · ["a","b"] · [0,"a"] · [0,["a","b"]] as one text. */
static void add_label(emu_buf *b, emu_arena *a, const ej_val *v)
{
    ej_cur c = ej_at(v->raw);
    ej_val item;

    if (v->kind == EJ_STRING) {
        if (b->n)
            emu_buf_z(b, "; ");
        emu_buf_str(b, ej_text(v, a));
    }
    if (v->kind != EJ_ARRAY)
        return;
    for (ej_enter(&c); ej_item(&c);) {
        ej_take(&c, &item);
        add_label(b, a, &item);
    }
}

static void label_cell(sheet *s, const ej_val *v)
{
    emu_buf b = {0};

    add_label(&b, s->a, v);
    cell(s, true, b.n ? (emu_str){b.p, b.n} : EMU_LIT(NO_LABEL));
    emu_buf_free(&b);
}

/* Segment, x values; then a line for each series. */
static void series_sheet(sheet *s, const ej_val *data)
{
    ej_val x, labels, series, label, line;
    ej_cur l, c;

    ej_get(data, "xValues", &x);
    ej_get(data, "seriesLabels", &labels);
    ej_get(data, "series", &series);
    cell(s, true, EMU_LIT("Segment"));
    each(s, &x, plain);
    end_line(s);
    l = ej_at(labels.raw);
    c = ej_at(series.raw);
    ej_enter(&l);
    for (ej_enter(&c); ej_item(&c) && ej_item(&l);) {
        ej_take(&c, &line);
        ej_take(&l, &label);
        label_cell(s, &label);
        each(s, &line, plain);
        end_line(s);
    }
}

static void funnel_line(sheet *s, const ej_val *element)
{
    ej_val group, counts;

    ej_get(element, "groupValue", &group);
    ej_get(element, "cumulativeRaw", &counts);
    if (group.raw.n > 2)
        value_cell(s, &group, true);
    else
        cell(s, true, EMU_LIT(NO_LABEL));
    each(s, &counts, plain);
    end_line(s);
}

/* Segment, steps; then users at each step. */
static void funnel_sheet(sheet *s, const ej_val *data)
{
    ej_cur c = ej_at(data->raw);
    ej_val first, events;

    cell(s, true, EMU_LIT("Segment"));
    ej_enter(&c);
    if (ej_item(&c)) {
        ej_take(&c, &first);
        ej_get(&first, "events", &events);
        each(s, &events, as_text);
    }
    end_line(s);
    each(s, data, funnel_line);
}

static void retention_cell(sheet *s, const ej_val *v)
{
    ej_val count;

    ej_get(v, "count", &count);
    value_cell(s, &count, false);
}

static void member_cells(sheet *s, const ej_val *object)
{
    ej_cur c = ej_at(object->raw);
    ej_val key, v;

    for (ej_enter(&c); ej_key(&c, &key);) {
        ej_take(&c, &v);
        value_cell(s, &v, false);
    }
}

static void key_cells(sheet *s, const ej_val *object)
{
    ej_cur c = ej_at(object->raw);
    ej_val key, v;

    for (ej_enter(&c); ej_key(&c, &key);) {
        ej_take(&c, &v);
        value_cell(s, &key, true);
    }
}

/* Date, then what the date has: users of each interval, or the values of LTV. */
static void dates_block(sheet *s, const ej_val *series)
{
    ej_val values, key, v;
    ej_cur c;
    bool first = true;

    ej_get(series, "values", &values);
    c = ej_at(values.raw);
    for (ej_enter(&c); ej_key(&c, &key); first = false) {
        ej_take(&c, &v);
        if (first) {
            cell(s, true, EMU_LIT("Date"));
            if (v.kind == EJ_OBJECT)
                key_cells(s, &v);
            end_line(s);
        }
        value_cell(s, &key, true);
        if (v.kind == EJ_OBJECT)
            member_cells(s, &v);
        else
            each(s, &v, retention_cell);
        end_line(s);
    }
}

static void dates_sheet(sheet *s, const ej_val *data)
{
    ej_val labels, series, label, block;
    ej_cur l, c;

    ej_get(data, "seriesLabels", &labels);
    ej_get(data, "series", &series);
    l = ej_at(labels.raw);
    c = ej_at(series.raw);
    ej_enter(&l);
    for (ej_enter(&c); ej_item(&c) && ej_item(&l);) {
        ej_take(&c, &block);
        ej_take(&l, &label);
        label_cell(s, &label);
        end_line(s);
        dates_block(s, &block);
        end_line(s);
    }
}

void emu_chart_csv(struct emu_req *r, emu_str name, emu_str path, emu_str reply,
                   emu_buf *csv)
{
    sheet s = {.out = csv, .a = &r->arena};
    ej_cur c = ej_at(reply);
    ej_val whole, data;

    ej_take(&c, &whole);
    ej_get(&whole, "data", &data);
    cell(&s, true, name);
    end_line(&s);
    end_line(&s);
    if (emu_str_is(path, "/api/2/funnels"))
        funnel_sheet(&s, &data);
    else if (emu_str_is(path, "/api/2/retention") ||
             emu_str_is(path, "/api/2/revenue/ltv"))
        dates_sheet(&s, &data);
    else
        series_sheet(&s, &data);
}
