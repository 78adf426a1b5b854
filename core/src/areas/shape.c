/* SPDX-License-Identifier: MIT */
/* Writing the one form of an answer, whatever shape it came in. */
#include "areas/shape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "json/parts.h"

/* Deepest nesting of an answer, and its size, which the gate has bounded already. */
enum { DEEPEST = 64, LONGEST = 1 << 30 };

tw_view tw__shape_open(tw_shape *shape, tw_buf *out, const char *body, size_t size,
                       tw_error **err)
{
    tw_view root = {NULL, 0};

    shape->out = out;
    shape->err = err;
    shape->rc = tw__view_open(&root, body, size, DEEPEST, LONGEST, err);
    if (shape->rc == TW_OK && tw__view_kind(root) != TW_JSON_OBJECT) {
        tw__shape_fault(shape, "was no JSON object");
        root.text = NULL;
    }
    return root;
}

void tw__shape_fault(tw_shape *shape, const char *format, ...)
{
    char text[200];
    va_list args;

    if (shape->rc != TW_OK)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    shape->rc = tw__error(shape->err, TW_E_PROTOCOL, "the answer %s", text);
}

void tw__shape_settle(tw_shape *shape, int rc)
{
    if (shape->rc != TW_OK)
        return;
    shape->rc = rc;
    if (rc == TW_E_NOMEM)
        tw__error_nomem(shape->err);
    else if (rc != TW_OK)
        tw__error(shape->err, rc, "the answer was too large");
}

void tw__shape_pick(tw_shape *shape, tw_view object, const char *const *names,
                    tw_view *out)
{
    int twice = tw__view_pick(object, names, out);

    if (twice >= 0)
        tw__shape_fault(shape, "had \"%s\" twice in one object", names[twice]);
}

void tw__shape_puts(tw_shape *shape, const char *text)
{
    if (shape->rc == TW_OK)
        tw__shape_settle(shape, tw__buf_puts(shape->out, text));
}

void tw__shape_printf(tw_shape *shape, const char *format, ...)
{
    char text[100]; /* of numbers and names that we know */
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tw__shape_puts(shape, text);
}

void tw__shape_put(tw_shape *shape, tw_view value)
{
    if (shape->rc == TW_OK)
        tw__shape_settle(shape, tw__view_put(shape->out, value));
}

void tw__shape_quote(tw_shape *shape, const char *text, size_t size)
{
    if (shape->rc == TW_OK)
        tw__shape_settle(shape, tw__json_quote(shape->out, text, size));
}

/* ---- cells --------------------------------------------------------------------------- */

void tw__shape_number(tw_shape *shape, const char *what, tw_view value)
{
    tw_json_kind kind = tw__view_kind(value);

    if (kind != TW_JSON_INT && kind != TW_JSON_REAL && kind != TW_JSON_NULL)
        tw__shape_fault(shape, "had something in %s that is no number", what);
    tw__shape_put(shape, value);
}

void tw__shape_bool(tw_shape *shape, const char *what, tw_view value)
{
    tw_json_kind kind = tw__view_kind(value);

    if (kind != TW_JSON_TRUE && kind != TW_JSON_FALSE && kind != TW_JSON_NULL)
        tw__shape_fault(shape, "had something in %s that is neither true nor false",
                        what);
    tw__shape_put(shape, value);
}

void tw__shape_text(tw_shape *shape, const char *what, tw_view value)
{
    switch (tw__view_kind(value)) {
    case TW_JSON_STRING:
        tw__shape_put(shape, value);
        return;
    case TW_JSON_NULL:
        tw__shape_puts(shape, "\"(none)\"");
        return;
    case TW_JSON_OBJECT:
    case TW_JSON_ARRAY:
        tw__shape_fault(shape, "had something in %s that is no text", what);
        return;
    default:
        tw__shape_puts(shape, "\"");
        tw__shape_put(shape, value);
        tw__shape_puts(shape, "\"");
    }
}

void tw__shape_row(tw_shape *shape, const char *what, tw_view row, size_t count,
                   tw_shape_cell cell)
{
    static const tw_view none = {NULL, 0};
    tw_view_walk walk = tw__view_walk(row);
    tw_view value;
    size_t i = 0;

    if (tw__view_given(row) && tw__view_kind(row) != TW_JSON_ARRAY)
        tw__shape_fault(shape, "had something as %s that is no array", what);
    tw__shape_puts(shape, "[");
    while (shape->rc == TW_OK && tw__view_next(&walk, NULL, &value)) {
        if (i == count)
            tw__shape_fault(shape, "had more values in %s than there are places", what);
        if (i++ != 0)
            tw__shape_puts(shape, ",");
        cell(shape, what, value);
    }
    while (shape->rc == TW_OK && count != SIZE_MAX && i < count) {
        if (i++ != 0)
            tw__shape_puts(shape, ",");
        cell(shape, what, none);
    }
    tw__shape_puts(shape, "]");
}

int tw__shape_end(tw_shape *shape, tw_view root)
{
    static const char *const names[] = {"wasCached", "timeComputed", NULL};
    static const tw_view none = {NULL, 0};
    tw_view m[2];
    tw_json_kind kind;

    /* In no document, so that no shape of theirs is worth an answer. */
    if (tw__view_pick(root, names, m) >= 0)
        memset(m, 0, sizeof m);
    kind = tw__view_kind(m[0]);
    tw__shape_puts(shape, ",\"cached\":");
    tw__shape_put(shape, kind == TW_JSON_TRUE || kind == TW_JSON_FALSE ? m[0] : none);
    kind = tw__view_kind(m[1]);
    tw__shape_puts(shape, ",\"computed_ms\":");
    tw__shape_put(shape, kind == TW_JSON_INT || kind == TW_JSON_REAL ? m[1] : none);
    tw__shape_puts(shape, ",\"data\":");
    tw__shape_put(shape, root);
    tw__shape_puts(shape, "}");
    return shape->rc;
}
