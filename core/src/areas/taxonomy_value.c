/* SPDX-License-Identifier: MIT */
/* Values of a tracking plan: when two are the same, and how they are written. */
#include <string.h>

#include "areas/taxonomy_value.h"
#include "json/parts.h"

enum { SHOWN = 120 };

int tw__plan_is_nothing(const tw_node *node)
{
    const char *text = tw__node_string(node);

    return tw__node_kind(node) == TW_JSON_NULL || (text != NULL && text[0] == '\0');
}

int tw__plan_is_list(const tw_node *node)
{
    return tw__node_kind(node) == TW_JSON_ARRAY ||
           (tw__node_kind(node) == TW_JSON_OBJECT && tw__node_count(node) == 0);
}

static int is_empty(const tw_node *node)
{
    return tw__plan_is_nothing(node) ||
           (tw__plan_is_list(node) && tw__node_count(node) == 0);
}

static int holds(const tw_node *list, const tw_node *value)
{
    const tw_node *at;

    for (at = tw__node_first(list); at != NULL; at = tw__node_next(at)) {
        if (tw__plan_same(at, value))
            return 1;
    }
    return 0;
}

/* Lists here are sets: the server keeps no order. */
static int same_list(const tw_node *a, const tw_node *b)
{
    const tw_node *at;

    if (tw__node_count(a) != tw__node_count(b))
        return 0;
    for (at = tw__node_first(a); at != NULL; at = tw__node_next(at)) {
        if (!holds(b, at))
            return 0;
    }
    return 1;
}

int tw__plan_same(const tw_node *a, const tw_node *b)
{
    double x, y;

    if (is_empty(a) || is_empty(b))
        return is_empty(a) && is_empty(b);
    if (tw__plan_is_list(a) || tw__plan_is_list(b))
        return tw__plan_is_list(a) && tw__plan_is_list(b) && same_list(a, b);
    if (tw__node_real(a, &x) && tw__node_real(b, &y))
        return x == y;
    if (tw__node_string(a) != NULL && tw__node_string(b) != NULL)
        return strcmp(tw__node_string(a), tw__node_string(b)) == 0;
    return tw__node_kind(a) == tw__node_kind(b);
}

int tw__plan_put(tw_buf *out, const tw_node *node)
{
    const char *text = tw__node_string(node);
    const tw_node *at;
    int64_t whole;
    int rc;

    if (text != NULL)
        return tw__json_quote(out, text, strlen(text));
    if (tw__node_int(node, &whole))
        return tw__buf_printf(out, "%lld", (long long)whole);
    switch (tw__node_kind(node)) {
    case TW_JSON_TRUE:
        return tw__buf_puts(out, "true");
    case TW_JSON_FALSE:
        return tw__buf_puts(out, "false");
    case TW_JSON_NULL: /* a form has no other way to take a value away */
        return tw__buf_puts(out, "\"\"");
    default:
        break;
    }
    rc = tw__buf_putc(out, '[');
    for (at = tw__node_first(node); rc == TW_OK && at != NULL; at = tw__node_next(at)) {
        if (at != tw__node_first(node))
            rc = tw__buf_putc(out, ',');
        if (rc == TW_OK)
            rc = tw__plan_put(out, at);
    }
    return rc == TW_OK ? tw__buf_putc(out, ']') : rc;
}

int tw__plan_is_default(const tw_member *member, const tw_node *value)
{
    const char *otherwise = member->otherwise != NULL ? member->otherwise : "null";
    const char *text = tw__node_string(value);

    if (is_empty(value))
        return 1;
    if (otherwise[0] == '"' && text != NULL)
        return strlen(otherwise) == strlen(text) + 2 &&
               memcmp(otherwise + 1, text, strlen(text)) == 0;
    return (tw__node_kind(value) == TW_JSON_TRUE && strcmp(otherwise, "true") == 0) ||
           (tw__node_kind(value) == TW_JSON_FALSE && strcmp(otherwise, "false") == 0);
}

int tw__plan_show(tw_buf *out, const tw_node *value)
{
    size_t before = out->size;
    int rc = tw__plan_is_nothing(value) ? tw__buf_puts(out, "nothing")
                                        : tw__plan_put(out, value);

    if (rc == TW_OK && out->size - before > SHOWN) {
        out->size = before + SHOWN;
        while (((unsigned char)out->data[out->size] & 0xC0) == 0x80)
            out->size--;
        rc = tw__buf_puts(out, "...");
    }
    return rc;
}
