/* SPDX-License-Identifier: MIT */
/* Events, filters and operators of a query. */
#include <math.h>
#include <string.h>

#include "match.h"

#define STEPS_AND_LISTS_MAX 10000 /* values of a filter; ours */

bool emu_read_op(emu_ask *q, const ej_val *v, emu_op *out)
{
    static const char *const names[OP_COUNT] = {
        "is",     "is not",        "contains", "does not contain",
        "less",   "less or equal", "greater",  "greater or equal",
        "set is", "set is not"};
    emu_str s = v->kind == EJ_STRING ? ej_text(v, q->a) : (emu_str){"", 0};

    for (int i = 0; i < OP_COUNT; i++) {
        if (emu_str_is(s, names[i])) {
            *out = (emu_op)i;
            return true;
        }
    }
    return emu_ask_fail(q, "Invalid operator %.*s", (int)s.n, s.s);
}

static bool make_room(emu_ask *q, emu_filter *f, size_t more)
{
    size_t cap = f->n + more;
    emu_str *shown = emu_arena_alloc(q->a, (cap + 1) * sizeof(*shown));
    emu_str *texts = emu_arena_alloc(q->a, (cap + 1) * sizeof(*texts));
    uint32_t *ids = emu_arena_alloc(q->a, (cap + 1) * sizeof(*ids));
    double *numbers = emu_arena_alloc(q->a, (cap + 1) * sizeof(*numbers));

    if (!shown || !texts || !ids || !numbers)
        return false;
    if (f->n) {
        memcpy(shown, f->shown, f->n * sizeof(*shown));
        memcpy(texts, f->texts, f->n * sizeof(*texts));
        memcpy(ids, f->ids, f->n * sizeof(*ids));
        memcpy(numbers, f->numbers, f->n * sizeof(*numbers));
    }
    f->shown = shown;
    f->texts = texts;
    f->ids = ids;
    f->numbers = numbers;
    return true;
}

static bool add_value(emu_ask *q, emu_filter *f, const ej_val *v)
{
    emu_str text = ej_text(v, q->a);
    emu_buf folded = {0};

    if (v->kind != EJ_STRING && v->kind != EJ_NUMBER && v->kind != EJ_BOOL)
        return emu_ask_fail(q, "Invalid values: not a text");
    f->shown[f->n] = text;
    f->none |= emu_str_is(text, "(none)");
    f->ids[f->n] = emu_dict_find(&q->columns->values, text);
    f->numbers[f->n] = emu_number_of(text);
    if (f->op == OP_CONTAINS || f->op == OP_NOT_CONTAINS) {
        emu_fold(&folded, text);
        text = emu_arena_copy(q->a, (emu_str){folded.p ? folded.p : "", folded.n});
        emu_buf_free(&folded);
    }
    f->texts[f->n++] = text;
    return true;
}

bool emu_read_values(emu_ask *q, const ej_val *list, emu_filter *f)
{
    ej_cur c = ej_at(list->raw);
    ej_val item;
    size_t n = 0;

    if (list->kind != EJ_ARRAY)
        return emu_ask_fail(q, "Invalid values: not a list");
    for (ej_enter(&c); ej_item(&c); n++)
        ej_take(&c, &item);
    if (n == 0 || n > STEPS_AND_LISTS_MAX)
        return emu_ask_fail(q, "Invalid values: %s", n ? "too many" : "empty");
    if (!make_room(q, f, n))
        return emu_ask_no_memory(q);
    c = ej_at(list->raw);
    for (ej_enter(&c); ej_item(&c);) {
        ej_take(&c, &item);
        if (!add_value(q, f, &item))
            return false;
    }
    if (f->op >= OP_CONTAINS && f->op <= OP_GREATER_EQUAL && !f->memo) {
        f->memo = emu_arena_alloc(q->a, (size_t)q->view->value_n + 1);
        if (f->memo)
            memset(f->memo, 0, (size_t)q->view->value_n + 1);
    }
    return true;
}

static bool read_owner(emu_ask *q, const ej_val *type, bool *user)
{
    *user = emu_text_is(q, type, "user");
    return *user || emu_text_is(q, type, "event") ||
           emu_ask_fail(q, "Invalid property type: neither event nor user");
}

static bool read_filter(emu_ask *q, const ej_val *v, emu_filter *list, size_t *n)
{
    emu_filter *f = &list[*n];
    ej_val type, key, op, values;
    bool user;

    memset(f, 0, sizeof(*f));
    if (v->kind != EJ_OBJECT || !ej_get(v, "subprop_type", &type) ||
        !ej_get(v, "subprop_key", &key) || !ej_get(v, "subprop_op", &op) ||
        !ej_get(v, "subprop_value", &values) || key.kind != EJ_STRING)
        return emu_ask_fail(q, "Invalid filter: a key was missing");
    if (!read_owner(q, &type, &user) ||
        !emu_read_prop(q, user, ej_text(&key, q->a), &f->prop) ||
        !emu_read_op(q, &op, &f->op))
        return false;
    for (size_t i = 0; i < *n && f->op == OP_IS_NOT; i++) {
        /* Several "is not" on one property act as one with all values. */
        if (list[i].op == OP_IS_NOT && list[i].prop.kind == f->prop.kind &&
            list[i].prop.key == f->prop.key)
            return emu_read_values(q, &values, &list[i]);
    }
    (*n)++;
    return emu_read_values(q, &values, f);
}

bool emu_read_filters(emu_ask *q, const ej_val *list, emu_filter **out, size_t *n)
{
    ej_cur c = ej_at(list->raw);
    ej_val item;
    size_t count = 0;

    *n = 0;
    *out = NULL;
    if (list->kind == EJ_NONE || list->kind == EJ_NULL)
        return true;
    if (list->kind != EJ_ARRAY)
        return emu_ask_fail(q, "Invalid filters: not a list");
    for (ej_enter(&c); ej_item(&c); count++)
        ej_take(&c, &item);
    *out = emu_arena_alloc(q->a, (count + 1) * sizeof(**out));
    if (!*out)
        return emu_ask_no_memory(q);
    c = ej_at(list->raw);
    for (ej_enter(&c); ej_item(&c);) {
        ej_take(&c, &item);
        if (!read_filter(q, &item, *out, n))
            return false;
    }
    return true;
}

static bool read_group_by(emu_ask *q, const ej_val *list, emu_event_def *out)
{
    ej_cur c = ej_at(list->raw);
    ej_val item, type, value;
    bool user;

    if (list->kind == EJ_NONE || list->kind == EJ_NULL)
        return true;
    if (list->kind != EJ_ARRAY)
        return emu_ask_fail(q, "Invalid group_by: not a list");
    for (ej_enter(&c); ej_item(&c);) {
        ej_take(&c, &item);
        if (out->group_n == 2)
            return emu_ask_fail(q, "Invalid group_by: at most two properties");
        if (item.kind != EJ_OBJECT || !ej_get(&item, "value", &value) ||
            value.kind != EJ_STRING)
            return emu_ask_fail(q, "Invalid group_by: value was missing");
        ej_get(&item, "type", &type);
        if (!read_owner(q, &type, &user) ||
            !emu_read_prop(q, user, ej_text(&value, q->a), &out->group[out->group_n]))
            return false;
        out->group_n++;
    }
    return true;
}

static bool read_type(emu_ask *q, emu_event_def *out)
{
    static const struct {
        const char *name;
        emu_special special;
    } special[] = {{"_active", EV_ACTIVE},
                   {"_all", EV_ALL},
                   {"_new", EV_NEW},
                   {"revenue_amount", EV_REVENUE},
                   {"unverified_revenue", EV_REVENUE},
                   {"verified_revenue", EV_NOTHING}};

    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        if (emu_str_is(out->name, special[i].name)) {
            out->special = special[i].special;
            return true;
        }
    }
    out->special = EV_NAMED;
    out->type = (uint32_t)(intptr_t)emu_map_get(&q->e->store.types, out->name);
    if (out->type && !emu_type_is_indexed(q, out->type))
        out->type = 0; /* as if it had never been received */
    if (out->type || (EMU_SW(q->e, unknown_names) && out->name.n))
        return true;
    return emu_ask_fail(q, "Invalid event type %.*s", (int)out->name.n, out->name.s);
}

bool emu_read_event(emu_ask *q, const ej_val *v, const char *param, emu_event_def *out)
{
    ej_val type, filters, group_by;

    memset(out, 0, sizeof(*out));
    if (v->kind != EJ_OBJECT || !ej_get(v, "event_type", &type) || type.kind != EJ_STRING)
        return emu_ask_fail(q, "Invalid parameter %s: event_type was missing", param);
    ej_get(v, "filters", &filters);
    ej_get(v, "group_by", &group_by);
    out->name = ej_text(&type, q->a);
    return read_type(q, out) &&
           emu_read_filters(q, &filters, &out->filters, &out->filter_n) &&
           read_group_by(q, &group_by, out);
}
