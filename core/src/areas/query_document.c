/* SPDX-License-Identifier: MIT */
/* Event and segment documents of queries: checked and brought to one form. */
#include "areas/query_document.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/distance.h"
#include "base/error.h"

/* ---- where we are ---------------------------------------------------------------------- */

static size_t trail_put(tw_trail *trail, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static size_t trail_put(tw_trail *trail, const char *format, ...)
{
    size_t before = trail->size;
    size_t room = before < sizeof trail->text ? sizeof trail->text - before : 0;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(room != 0 ? trail->text + before : NULL, room, format, args);
    va_end(args);
    if (n > 0)
        trail->size += (size_t)n;
    return before;
}

size_t tw__trail_name(tw_trail *trail, const char *name)
{
    return trail_put(trail, "%s%s", trail->size != 0 ? "." : "", name);
}

size_t tw__trail_index(tw_trail *trail, size_t index)
{
    return trail_put(trail, "[%zu]", index);
}

void tw__trail_back(tw_trail *trail, size_t size)
{
    trail->size = size;
    if (size < sizeof trail->text)
        trail->text[size] = '\0';
}

int tw__asked_refuse(tw_asked *asked, const char *format, ...)
{
    char rule[400];
    va_list args;

    va_start(args, format);
    vsnprintf(rule, sizeof rule, format, args);
    va_end(args);
    return tw__error_at(asked->err, TW_E_VALIDATION, asked->trail.text, "%s %s",
                        asked->trail.text, rule);
}

int tw__asked_trouble(tw_asked *asked, int rc)
{
    if (rc == TW_E_NOMEM)
        return tw__error_nomem(asked->err);
    if (rc == TW_E_TOO_LARGE)
        return tw__error(asked->err, rc, "the query was too large");
    return rc;
}

/* Names the member for what is said about it, and goes back. */
static int refuse_member(tw_asked *asked, const char *name, const char *rule)
{
    size_t back = tw__trail_name(&asked->trail, name);
    int rc = tw__asked_refuse(asked, "%s", rule);

    tw__trail_back(&asked->trail, back);
    return rc;
}

/* ---- members --------------------------------------------------------------------------- */

/* Members of a document: the known ones into `out`, none of them twice. A name that is nearly one
 * of those that are missing is a slip of the hand: the server would ignore it, and answer another
 * question. */
static int members_take(tw_asked *asked, tw_view document, const char *const *names,
                        tw_view *out)
{
    int twice = tw__view_pick(document, names, out);
    tw_view_walk walk;
    tw_view key, value;
    size_t i;

    if (tw__view_kind(document) != TW_JSON_OBJECT)
        return tw__asked_refuse(asked, "has to be an object");
    if (twice >= 0)
        return refuse_member(asked, names[twice], "stood there twice");
    walk = tw__view_walk(document);
    while (tw__view_next(&walk, &key, &value)) {
        unsigned nearest = 3;
        size_t which = 0;

        for (i = 0; names[i] != NULL; i++) {
            unsigned far =
                tw__distance(key.text + 1, key.size - 2, names[i], strlen(names[i]));

            if (tw__view_is(key, names[i])) {
                nearest = 3;
                break;
            }
            if (far < nearest && out[i].text == NULL) {
                nearest = far;
                which = i;
            }
        }
        if (nearest < 3)
            return tw__asked_refuse(asked, "had \"%.*s\": did you mean \"%s\"?",
                                    (int)key.size - 2, key.text + 1, names[which]);
    }
    return TW_OK;
}

static int is_known(tw_view key, const char *const *names)
{
    size_t i;

    for (i = 0; names[i] != NULL; i++) {
        if (tw__view_is(key, names[i]))
            return 1;
    }
    return 0;
}

/* Members that no document names, as they are, and the end of the object. */
static int members_end(tw_buf *out, tw_view document, const char *const *names)
{
    tw_view_walk walk = tw__view_walk(document);
    tw_view key, value;
    int rc = TW_OK;

    while (rc == TW_OK && walk.is_object && tw__view_next(&walk, &key, &value)) {
        if (is_known(key, names))
            continue;
        rc = tw__buf_putc(out, ',');
        if (rc == TW_OK)
            rc = tw__view_put(out, key);
        if (rc == TW_OK)
            rc = tw__buf_putc(out, ':');
        if (rc == TW_OK)
            rc = tw__view_put(out, value);
    }
    return rc == TW_OK ? tw__buf_putc(out, '}') : rc;
}

static int text_needed(tw_asked *asked, const char *name, tw_view value)
{
    if (value.text == NULL)
        return refuse_member(asked, name, "was missing (" TW_QUERY_SOURCE ")");
    if (tw__view_kind(value) != TW_JSON_STRING || value.size == 2)
        return refuse_member(asked, name, "has to be a text that is not empty");
    return TW_OK;
}

/* ---- values and operators -------------------------------------------------------------- */

/* Values are texts, also those of numbers; "(none)" stands for no value at all. */
static int put_value(tw_buf *out, tw_view value)
{
    size_t size = value.size;
    int rc;

    switch (tw__view_kind(value)) {
    case TW_JSON_STRING:
        return tw__view_put(out, value);
    case TW_JSON_NULL:
        return tw__buf_puts(out, "\"(none)\"");
    case TW_JSON_REAL: /* 10.0 is 10: languages differ in what they write */
        while (size > 2 && value.text[size - 1] == '0' &&
               memchr(value.text, '.', size - 1) != NULL &&
               memchr(value.text, 'e', value.size) == NULL &&
               memchr(value.text, 'E', value.size) == NULL)
            size--;
        if (value.text[size - 1] == '.')
            size--;
        break;
    default:
        break;
    }
    rc = tw__buf_putc(out, '"');
    if (rc == TW_OK)
        rc = tw__buf_put(out, value.text, size);
    return rc == TW_OK ? tw__buf_putc(out, '"') : rc;
}

static int values_put(tw_buf *out, tw_asked *asked, const char *name, tw_view values)
{
    tw_view_walk walk = tw__view_walk(values);
    size_t back = tw__trail_name(&asked->trail, name);
    size_t i;
    tw_view value;
    int rc;

    if (tw__view_kind(values) != TW_JSON_ARRAY || tw__view_count(values) == 0)
        return tw__asked_refuse(asked, "has to be an array of at least one value "
                                       "(" TW_QUERY_SOURCE ")");
    rc = tw__buf_putc(out, '[');
    for (i = 0; rc == TW_OK && tw__view_next(&walk, NULL, &value); i++) {
        tw_json_kind kind = tw__view_kind(value);

        if (kind == TW_JSON_OBJECT || kind == TW_JSON_ARRAY) {
            tw__trail_index(&asked->trail, i);
            return tw__asked_refuse(asked, "has to be a text, a number or a bool");
        }
        if (i != 0)
            rc = tw__buf_putc(out, ',');
        if (rc == TW_OK)
            rc = put_value(out, value);
    }
    tw__trail_back(&asked->trail, back);
    return rc == TW_OK ? tw__buf_putc(out, ']') : rc;
}

/* The documented words first, then what stands for them. */
static const struct {
    const char *word;
    const char *signs[3];
} operators[] = {
    {"is", {"=", "==", "in"}},        {"is not", {"!=", "~=", "not in"}},
    {"contains", {NULL, NULL, NULL}}, {"does not contain", {NULL, NULL, NULL}},
    {"less", {"<", NULL, NULL}},      {"less or equal", {"<=", NULL, NULL}},
    {"greater", {">", NULL, NULL}},   {"greater or equal", {">=", NULL, NULL}},
    {"set is", {NULL, NULL, NULL}},   {"set is not", {NULL, NULL, NULL}},
};

static const char *operator_word(tw_view op)
{
    size_t i, j;

    for (i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (tw__view_is(op, operators[i].word))
            return operators[i].word;
        for (j = 0; j < 3 && operators[i].signs[j] != NULL; j++) {
            if (tw__view_is(op, operators[i].signs[j]))
                return operators[i].word;
        }
    }
    return NULL;
}

static int operator_put(tw_buf *out, tw_asked *asked, const char *name, tw_view op)
{
    const char *word = operator_word(op);
    int rc;

    if (word != NULL)
        return tw__buf_printf(out, "\"%s\"", word);
    rc = text_needed(asked, name, op);
    return rc != TW_OK
               ? rc
               : refuse_member(
                     asked, name,
                     "is none of is, is not, contains, does not contain, less, less or "
                     "equal, greater, greater or equal, set is, set is not "
                     "(" TW_QUERY_SOURCE ")");
}

/* ---- properties ------------------------------------------------------------------------ */

/* User properties without the prefix of custom ones: the documented list, and those that were
 * seen to work. */
static int is_user_property(tw_view name)
{
    static const char *const built_in[] = {
        "version",  "country",       "city",    "region",    "DMA",          "dma",
        "language", "platform",      "os",      "device",    "device_type",  "paying",
        "library",  "start_version", "user_id", "device_id", "device_family"};
    size_t i;

    if (name.size > 4 && memcmp(name.text + 1, "gp:", 3) == 0)
        return 1;
    for (i = 0; i < sizeof built_in / sizeof *built_in; i++) {
        if (tw__view_is(name, built_in[i]))
            return 1;
    }
    return 0;
}

/* Whose property: as said, or by its name. NULL where it was said wrongly. */
static const char *property_type(tw_view said, tw_view name)
{
    if (said.text == NULL)
        return is_user_property(name) ? "user" : "event";
    if (tw__view_is(said, "user"))
        return "user";
    return tw__view_is(said, "event") ? "event" : NULL;
}

static const char type_rule[] = "has to be event or user (" TW_QUERY_SOURCE ")";

static int filter_document(tw_buf *out, tw_asked *asked, tw_view filter)
{
    static const char *const names[] = {"subprop_type", "subprop_key", "subprop_op",
                                        "subprop_value", NULL};
    tw_view m[4];
    const char *type;
    int rc = members_take(asked, filter, names, m);

    if (rc == TW_OK)
        rc = text_needed(asked, names[1], m[1]);
    if (rc != TW_OK)
        return rc;
    type = property_type(m[0], m[1]);
    if (type == NULL)
        return refuse_member(asked, names[0], type_rule);
    rc = tw__buf_printf(out, "{\"subprop_type\":\"%s\",\"subprop_key\":", type);
    if (rc == TW_OK)
        rc = tw__view_put(out, m[1]);
    if (rc == TW_OK)
        rc = tw__buf_puts(out, ",\"subprop_op\":");
    if (rc == TW_OK)
        rc = operator_put(out, asked, names[2], m[2]);
    if (rc == TW_OK)
        rc = tw__buf_puts(out, ",\"subprop_value\":");
    if (rc == TW_OK)
        rc = values_put(out, asked, names[3], m[3]);
    return rc == TW_OK ? members_end(out, filter, names) : rc;
}

static int group_document(tw_buf *out, tw_asked *asked, tw_view group)
{
    static const char *const names[] = {"type", "value", NULL};
    tw_view m[2] = {{NULL, 0}, {NULL, 0}};
    const char *type;
    int rc = TW_OK;

    if (tw__view_kind(group) == TW_JSON_STRING && group.size > 2)
        m[1] = group; /* its name alone */
    else
        rc = members_take(asked, group, names, m);
    if (rc == TW_OK)
        rc = text_needed(asked, names[1], m[1]);
    if (rc != TW_OK)
        return rc;
    type = property_type(m[0], m[1]);
    if (type == NULL)
        return refuse_member(asked, names[0], type_rule);
    rc = tw__buf_printf(out, "{\"type\":\"%s\",\"value\":", type);
    if (rc == TW_OK)
        rc = tw__view_put(out, m[1]);
    return rc == TW_OK ? members_end(out, group, names) : rc;
}

/* ---- events ---------------------------------------------------------------------------- */

typedef int (*document_put)(tw_buf *out, tw_asked *asked, tw_view document);

/* An array of documents of one kind. */
static int list_put(tw_buf *out, tw_asked *asked, const char *name, tw_view list,
                    document_put put)
{
    size_t back = tw__trail_name(&asked->trail, name);
    tw_view_walk walk = tw__view_walk(list);
    tw_view item;
    size_t i;
    int rc;

    if (!tw__view_is_list(list))
        return tw__asked_refuse(asked, "has to be an array (" TW_QUERY_SOURCE ")");
    rc = tw__buf_putc(out, '[');
    for (i = 0; rc == TW_OK && tw__view_next(&walk, NULL, &item); i++) {
        size_t inner = tw__trail_index(&asked->trail, i);

        if (i != 0)
            rc = tw__buf_putc(out, ',');
        if (rc == TW_OK)
            rc = put(out, asked, item);
        if (rc == TW_OK)
            tw__trail_back(&asked->trail, inner);
    }
    if (rc == TW_OK)
        tw__trail_back(&asked->trail, back);
    return rc == TW_OK ? tw__buf_putc(out, ']') : rc;
}

/* What the charts call them is refused by the server, and no event is called so. */
static int event_type_check(tw_asked *asked, tw_view type)
{
    static const struct {
        const char *label, *rule;
    } labels[] = {
        {"Any Active Event", "was the label of the chart: the API's name is _active"},
        {"Any Event", "was the label of the chart: the API's name is _all"},
        {"[Amplitude] Any Active Event",
         "was the label of the chart: the API's name is _active"},
        {"[Amplitude] Any Event", "was the label of the chart: the API's name is _all"},
        {"[Amplitude] New User", "was the label of the chart: the API's name is _new"},
    };
    int rc = text_needed(asked, "event_type", type);
    size_t i;

    for (i = 0; rc == TW_OK && i < sizeof labels / sizeof *labels; i++) {
        if (tw__view_is(type, labels[i].label))
            rc = refuse_member(asked, "event_type", labels[i].rule);
    }
    return rc;
}

enum { EVENT_GROUPS = 2 };

static int event_members(tw_buf *out, tw_asked *asked, tw_view filters, tw_view groups)
{
    size_t count = tw__view_count(groups);
    int rc = TW_OK;

    if (filters.text != NULL) {
        rc = tw__buf_puts(out, ",\"filters\":");
        if (rc == TW_OK)
            rc = list_put(out, asked, "filters", filters, filter_document);
    }
    if (rc == TW_OK && groups.text != NULL) {
        if (count > EVENT_GROUPS)
            return refuse_member(asked, "group_by",
                                 "has to hold at most two properties "
                                 "(" TW_QUERY_SOURCE ")");
        rc = tw__buf_puts(out, ",\"group_by\":");
        if (rc == TW_OK)
            rc = list_put(out, asked, "group_by", groups, group_document);
    }
    asked->events++;
    asked->event_groups += count;
    asked->ungrouped += count == 0;
    return rc;
}

int tw__event_document(tw_buf *out, tw_asked *asked, tw_view event)
{
    static const char *const names[] = {"event_type", "filters", "group_by", NULL};
    tw_view m[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    int rc = TW_OK;

    if (tw__view_kind(event) == TW_JSON_STRING)
        m[0] = event; /* its name alone */
    else
        rc = members_take(asked, event, names, m);
    if (rc == TW_OK)
        rc = event_type_check(asked, m[0]);
    if (rc == TW_OK)
        rc = tw__buf_puts(out, "{\"event_type\":");
    if (rc == TW_OK)
        rc = tw__view_put(out, m[0]);
    if (rc == TW_OK)
        rc = event_members(out, asked, m[1], m[2]);
    if (rc == TW_OK)
        rc = members_end(out, event, names);
    return tw__asked_trouble(asked, rc);
}

/* ---- segments -------------------------------------------------------------------------- */

static int property_condition(tw_buf *out, tw_asked *asked, tw_view condition)
{
    static const char *const names[] = {"prop", "op", "values", NULL};
    tw_view m[3];
    int rc = members_take(asked, condition, names, m);

    if (rc == TW_OK)
        rc = text_needed(asked, names[0], m[0]);
    if (rc == TW_OK)
        rc = tw__buf_puts(out, "{\"prop\":");
    if (rc == TW_OK)
        rc = tw__view_put(out, m[0]);
    if (rc == TW_OK)
        rc = tw__buf_puts(out, ",\"op\":");
    if (rc == TW_OK)
        rc = operator_put(out, asked, names[1], m[1]);
    if (rc == TW_OK)
        rc = tw__buf_puts(out, ",\"values\":");
    if (rc == TW_OK)
        rc = values_put(out, asked, names[2], m[2]);
    return rc == TW_OK ? members_end(out, condition, names) : rc;
}

/* Which time is looked at. Days belong to two of them ("rolling" is in no document, but in daily
 * use). */
static int time_check(tw_asked *asked, tw_view type, tw_view days)
{
    static const char *const types[] = {"forEachInterval", "rolling", "currentInterval",
                                        "allTime"};
    int64_t n;
    size_t i;

    for (i = 0; i < 4 && !tw__view_is(type, types[i]); i++)
        continue;
    if (i == 4)
        return refuse_member(asked, "time_type",
                             "has to be forEachInterval, currentInterval, allTime or "
                             "rolling (" TW_QUERY_SOURCE ")");
    if (days.text == NULL && i > 1)
        return TW_OK;
    if (days.text == NULL)
        return refuse_member(asked, "time_value",
                             "was missing: forEachInterval and rolling need a number of "
                             "days (" TW_QUERY_SOURCE ")");
    if (!tw__view_int(days, &n) || n < 1)
        return refuse_member(asked, "time_value",
                             "has to be a number of days, at least 1");
    return TW_OK;
}

/* "Who performed": its operators are signs, and in no list. */
static int performed_condition(tw_buf *out, tw_asked *asked, tw_view condition)
{
    static const char *const names[] = {"type",  "event_type", "filters",    "op",
                                        "value", "time_type",  "time_value", NULL};
    tw_view m[7];
    int64_t n;
    int rc = members_take(asked, condition, names, m);

    if (rc == TW_OK && tw__view_given(tw__view_member(condition, "group_by")))
        rc = refuse_member(asked, "group_by", "has no meaning in a condition");
    if (rc == TW_OK && !tw__view_is(m[0], "event"))
        rc = refuse_member(asked, names[0], "has to be event (" TW_QUERY_SOURCE ")");
    if (rc == TW_OK)
        rc = event_type_check(asked, m[1]);
    if (rc == TW_OK)
        rc = text_needed(asked, names[3], m[3]);
    if (rc == TW_OK && (!tw__view_int(m[4], &n) || n < 0))
        rc = refuse_member(asked, names[4], "has to be a whole number, at least 0");
    if (rc == TW_OK)
        rc = time_check(asked, m[5], m[6]);
    if (rc == TW_OK)
        rc = tw__buf_puts(out, "{\"type\":\"event\",\"event_type\":");
    if (rc == TW_OK)
        rc = tw__view_put(out, m[1]);
    if (rc == TW_OK)
        rc = tw__buf_puts(out, ",\"filters\":");
    if (rc == TW_OK)
        rc = m[2].text != NULL ? list_put(out, asked, names[2], m[2], filter_document)
                               : tw__buf_puts(out, "[]");
    if (rc == TW_OK)
        rc = tw__buf_printf(out, ",\"op\":%.*s,\"value\":%.*s,\"time_type\":%.*s",
                            (int)m[3].size, m[3].text, (int)m[4].size, m[4].text,
                            (int)m[5].size, m[5].text);
    if (rc == TW_OK && m[6].text != NULL)
        rc = tw__buf_printf(out, ",\"time_value\":%.*s", (int)m[6].size, m[6].text);
    return rc == TW_OK ? members_end(out, condition, names) : rc;
}

static int condition_document(tw_buf *out, tw_asked *asked, tw_view condition)
{
    asked->conditions++;
    /* A slip in "event_type" must not turn the one kind into the other. */
    if (tw__view_given(tw__view_member(condition, "type")) ||
        tw__view_given(tw__view_member(condition, "event_type")))
        return performed_condition(out, asked, condition);
    return property_condition(out, asked, condition);
}

int tw__segment_document(tw_buf *out, tw_asked *asked, tw_view segment)
{
    tw_view_walk walk = tw__view_walk(segment);
    tw_view condition;
    size_t i;
    int rc;

    if (!tw__view_is_list(segment))
        return tw__asked_refuse(asked, "has to be an array of conditions "
                                       "(" TW_QUERY_SOURCE ")");
    asked->segments++;
    rc = tw__buf_putc(out, '[');
    for (i = 0; rc == TW_OK && tw__view_next(&walk, NULL, &condition); i++) {
        size_t back = tw__trail_index(&asked->trail, i);

        if (i != 0)
            rc = tw__buf_putc(out, ',');
        if (rc == TW_OK)
            rc = condition_document(out, asked, condition);
        if (rc == TW_OK)
            tw__trail_back(&asked->trail, back);
    }
    return tw__asked_trouble(asked, rc == TW_OK ? tw__buf_putc(out, ']') : rc);
}
