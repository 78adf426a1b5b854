/* SPDX-License-Identifier: MIT */
/* The list of events, and charts as the tables they are shown as. */
#include <string.h>

#include "areas/analytics_form.h"
#include "areas/analytics_series.h"

/* ---- events -------------------------------------------------------------------------- */

static void flag_put(tw_shape *shape, const char *name, tw_view value)
{
    tw__shape_printf(shape, ",\"%s\":%s", name,
                     tw__view_kind(value) == TW_JSON_TRUE ? "true" : "false");
}

static void event_cell(tw_shape *shape, const char *what, tw_view event)
{
    static const char *const names[] = {"value",       "display",    "name",
                                        "totals",      "hidden",     "deleted",
                                        "flow_hidden", "non_active", NULL};
    tw_view m[8];
    size_t i;

    tw__shape_pick(shape, event, names, m);
    if (!tw__view_given(m[0]))
        m[0] = m[2];
    if (tw__view_kind(m[0]) != TW_JSON_STRING)
        tw__shape_fault(shape, "had an event in %s without a name", what);
    tw__shape_puts(shape, "{\"name\":");
    tw__shape_put(shape, m[0]);
    tw__shape_puts(shape, ",\"display\":");
    tw__shape_text(shape, "display", tw__view_given(m[1]) ? m[1] : m[0]);
    tw__shape_puts(shape, ",\"totals\":");
    tw__shape_number(shape, "totals", m[3]);
    for (i = 4; i < 8; i++)
        flag_put(shape, names[i], m[i]);
    tw__shape_puts(shape, ",\"data\":");
    tw__shape_put(shape, event);
    tw__shape_puts(shape, "}");
}

int tw__form_events(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    tw_shape shape;
    tw_view root = tw__shape_open(&shape, out, body, size, err);
    tw_view data = tw__shape_data(&shape, root, TW_JSON_ARRAY);

    tw__shape_puts(&shape, "{\"events\":");
    tw__shape_row(&shape, "data", data, SIZE_MAX, event_cell);
    return tw__shape_end(&shape, root);
}

/* ---- charts -------------------------------------------------------------------------- */

/* CSV in a JSON string: records end with CR LF, each cell stands in quotes, and what is text
 * begins with a TAB. */
typedef struct sheet {
    const char *at;
    const char *end;
    tw_buf cell;
} sheet;

/* Reads a cell; 1 where the record goes on behind it. */
static int cell_read(sheet *csv, tw_shape *shape)
{
    int quoted = csv->at < csv->end && *csv->at == '"';
    const char *tab;
    int rc = TW_OK;

    tw__buf_reset(&csv->cell);
    csv->at += quoted;
    tab = csv->at;
    for (; rc == TW_OK && csv->at < csv->end; csv->at++) {
        if (quoted && *csv->at == '"') {
            if (csv->end - csv->at < 2 || csv->at[1] != '"') {
                quoted = 0;
                continue;
            }
            csv->at++;
        } else if (!quoted && (*csv->at == ',' || *csv->at == '\n' || *csv->at == '\r')) {
            break;
        }
        if (csv->at != tab || *tab != '\t')
            rc = tw__buf_putc(&csv->cell, *csv->at);
    }
    tw__shape_settle(shape, rc);
    if (quoted)
        tw__shape_fault(shape, "had a table that ends within a cell");
    if (csv->at < csv->end && *csv->at == ',') {
        csv->at++;
        return 1;
    }
    return 0;
}

static void line_end(sheet *csv)
{
    if (csv->at < csv->end && *csv->at == '\r')
        csv->at++;
    if (csv->at < csv->end && *csv->at == '\n')
        csv->at++;
}

/* Blocks of records, with blank lines between: [[["a","b"],...],...]. */
static void sheet_put(tw_shape *shape, const char *text, size_t size)
{
    sheet csv = {text, text + size, {NULL, 0, 0, 0}};
    size_t rows = 0; /* of the block */
    int blocks = 0;

    tw__buf_init(&csv.cell, size + 1);
    tw__shape_puts(shape, "[");
    while (shape->rc == TW_OK && csv.at < csv.end) {
        size_t cells = 0;
        int more = 1;

        if (*csv.at == '\r' || *csv.at == '\n') {
            if (rows != 0)
                tw__shape_puts(shape, "]");
            rows = 0;
            line_end(&csv);
            continue;
        }
        if (rows++ == 0)
            tw__shape_puts(shape, blocks++ != 0 ? ",[" : "[");
        else
            tw__shape_puts(shape, ",");
        tw__shape_puts(shape, "[");
        while (shape->rc == TW_OK && more) {
            more = cell_read(&csv, shape);
            tw__shape_puts(shape, cells++ != 0 ? "," : "");
            tw__shape_quote(shape, csv.cell.data, csv.cell.size);
        }
        tw__shape_puts(shape, "]");
        line_end(&csv);
    }
    tw__shape_puts(shape, rows != 0 ? "]]" : "]");
    tw__buf_clear(&csv.cell);
}

int tw__form_chart(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    static const char *const names[] = {"data", NULL};
    tw_shape shape;
    tw_view root = tw__shape_open(&shape, out, body, size, err);
    tw_view data = {NULL, 0};
    tw_buf text;

    tw__shape_pick(&shape, root, names, &data);
    if (tw__view_kind(data) != TW_JSON_STRING)
        tw__shape_fault(&shape, "had no \"data\" that is a text");
    tw__buf_init(&text, size);
    tw__shape_settle(&shape, tw__view_text(&text, data));
    tw__shape_puts(&shape, "{\"blocks\":");
    sheet_put(&shape, text.data != NULL ? text.data : "", text.size);
    tw__buf_clear(&text);
    return tw__shape_end(&shape, root);
}
