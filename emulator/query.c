/* SPDX-License-Identifier: MIT */
/* What all analytics endpoints share of their parameters, and how they refuse and charge. */
#include "query.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event_flags.h"
#include "match.h"
#include "text.h"

#define LIMIT_DEFAULT \
    100 /* group values, and how many at most (Dashboard REST API docs) */
#define LIMIT_MAX 1000

bool emu_ask_fail(emu_ask *q, const char *fmt, ...)
{
    char details[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(details, sizeof(details), fmt, ap);
    va_end(ap);
    /* Parameters may hold any bytes, and a long name may have been cut within a character. */
    for (char *p = details; *p && !ej_is_utf8(emu_str_of(details)); p++)
        *p = (char)((unsigned char)*p & 0x80 ? '?' : *p);
    q->r->out.n = 0;
    emu_buf_z(&q->r->out,
              "{\"error\":{\"http_code\":400,\"type\":\"invalid\",\"message\":"
              "\"Invalid chart definition\",\"metadata\":{\"details\":");
    emu_buf_quote(&q->r->out, emu_str_of(details));
    emu_buf_z(&q->r->out, "}}}");
    emu_reply(q->r, 400, EMU_JSON_UTF8);
    return false;
}

bool emu_ask_no_memory(emu_ask *q)
{
    emu_dash_error(q->r, 500, "Internal error");
    return false;
}

/* Of the headers seen live those that any answer has alike. */
void emu_ask_answer(emu_ask *q)
{
    emu_header(q->r, "Cache-Control", EMU_LIT("no-cache,no-store"));
    emu_reply(q->r, 200, EMU_JSON_CAPITAL);
}

emu_str emu_param(emu_ask *q, const char *name)
{
    emu_str s = emu_query(q->r, name);

    return s.n ? s : (emu_str){NULL, 0};
}

/* --- opening --- */

static bool read_types(emu_ask *q)
{
    emu_store *s = &q->e->store;
    size_t at = 0;
    emu_str name;
    void *id;

    q->type_n = (size_t)s->next_type;
    q->inactive = emu_arena_alloc(q->a, q->type_n);
    q->type_name = emu_arena_alloc(q->a, q->type_n * sizeof(*q->type_name));
    if (!q->inactive || !q->type_name)
        return false;
    memset(q->inactive, 0, q->type_n);
    memset(q->type_name, 0, q->type_n * sizeof(*q->type_name));
    while (emu_map_next(&s->types, &at, &name, &id)) {
        size_t i = (size_t)(intptr_t)id;

        q->type_name[i] = emu_arena_copy(q->a, name);
        q->inactive[i] = (emu_event_flags(s, name) & EVENT_INACTIVE) != 0;
    }
    return true;
}

bool emu_ask_open(emu_ask *q, emu_req *r)
{
    *q = (emu_ask){.r = r, .e = r->e, .a = &r->arena, .now = emu_now_ms(r->e)};
    q->axis.zone = r->e->zone;
    q->axis.week_start = (int)EMU_SW(r->e, week_start);
    q->axis.clip = EMU_SW(r->e, clip_edges);
    q->axis.interval = EVERY_DAY;
    q->limit = LIMIT_DEFAULT;
    q->view = emu_view_lock(&r->e->store);
    q->locked = true;
    if (!q->view || !read_types(q))
        return emu_ask_no_memory(q);
    q->columns = q->view->columns;
    q->none_id = emu_dict_find(&q->columns->values, EMU_LIT("(none)"));
    q->user_n = r->e->store.user_n;
    return true;
}

void emu_ask_unlock(emu_ask *q)
{
    if (q->locked)
        pthread_mutex_unlock(&q->e->store.mu);
    q->locked = false;
}

void emu_ask_close(emu_ask *q)
{
    emu_ask_unlock(q);
    if (q->charged)
        emu_cost_leave(q->e, q->cost);
    emu_view_unref(q->view);
    q->view = NULL;
}

bool emu_text_is(emu_ask *q, const ej_val *v, const char *z)
{
    return v->kind == EJ_STRING && emu_str_is(ej_text(v, q->a), z);
}

/* --- scalars --- */

bool emu_ask_int(emu_ask *q, const char *name, int64_t lo, int64_t hi, int64_t *out)
{
    emu_str s = emu_param(q, name);
    char *end;
    long long v;

    if (!s.s)
        return true;
    v = strtoll(s.s, &end, 10);
    if (end != s.s + s.n || s.n > 18 || v < lo || v > hi)
        return emu_ask_fail(q, "Invalid parameter %s", name);
    *out = v;
    return true;
}

bool emu_ask_choice(emu_ask *q, const char *name, const char *choices, int *out)
{
    emu_str s = emu_param(q, name);
    const char *p = choices;

    if (!s.s)
        return true;
    for (int i = 0; *p; i++) {
        size_t n = strcspn(p, "|");

        if (emu_str_eq(s, (emu_str){p, n})) {
            *out = i;
            return true;
        }
        p += n + (p[n] == '|');
    }
    return emu_ask_fail(q, "Invalid parameter %s", name);
}

/* --- range --- */

static unsigned two_digits(const char *p)
{
    return (unsigned)((p[0] - '0') * 10 + p[1] - '0');
}

static bool read_day(emu_ask *q, const char *name, int64_t *out)
{
    emu_str s = emu_param(q, name);
    int64_t y;
    unsigned m, d, m2, d2;

    if (!s.s)
        return emu_ask_fail(q, "Missing required parameter %s", name);
    if (s.n != 8 || strspn(s.s, "0123456789") != 8)
        return emu_ask_fail(q, "Invalid parameter %s", name);
    m = two_digits(s.s + 4);
    d = two_digits(s.s + 6);
    y = two_digits(s.s) * 100 + two_digits(s.s + 2);
    if (m < 1 || m > 12 || d < 1 || d > 31 || y < 1)
        return emu_ask_fail(q, "Invalid parameter %s", name);
    *out = emu_days_from_civil(y, m, d);
    emu_civil_from_days(*out, &y, &m2, &d2);
    if (m2 != m || d2 != d)
        return emu_ask_fail(q, "Invalid parameter %s", name);
    return true;
}

/* Days in a range at most: the REST page for days and shorter, the chart pages (52 weeks, 36
 * months) for longer ones. */
static int64_t longest(int interval)
{
    switch (interval) {
    case EVERY_5_MINUTES:
        return 2;
    case EVERY_HOUR:
        return 7;
    case EVERY_WEEK:
        return 364;
    case EVERY_MONTH:
        return 1096;
    default:
        return 365;
    }
}

bool emu_ask_range(emu_ask *q, emu_range_form form)
{
    emu_axis *x = &q->axis;
    int64_t i = EVERY_DAY;

    if (!read_day(q, "start", &x->first_day) || !read_day(q, "end", &x->last_day))
        return false;
    if (x->last_day < x->first_day)
        return emu_ask_fail(q, "Invalid date range: end was before start");
    if (form != DAYS_ONLY && !emu_ask_int(q, "i", INT32_MIN, INT32_MAX, &i))
        return false;
    if (i != EVERY_DAY && i != EVERY_WEEK && i != EVERY_MONTH &&
        (form != ANY_INTERVAL || (i != EVERY_HOUR && i != EVERY_5_MINUTES)))
        return emu_ask_fail(q, "Invalid parameter i");
    x->interval = (int)i;
    if (x->last_day - x->first_day >= longest(x->interval))
        return emu_ask_fail(q, "Invalid date range: too long for the interval");
    return true;
}

bool emu_ask_axis(emu_ask *q)
{
    return emu_axis_build(&q->axis, q->a) || emu_ask_no_memory(q);
}

/* --- properties and groups --- */

/* The instrumentation limits: what comes beyond them is stored and exported, and cannot be asked
 * for. Identifications are no events of the project. */
bool emu_type_is_indexed(emu_ask *q, uint32_t type)
{
    static const char *const hidden[] = {"$identify", "$groupidentify"};
    int64_t before = 0;

    for (size_t i = 0; i < 2; i++) {
        uint32_t id =
            (uint32_t)(intptr_t)emu_map_get(&q->e->store.types, emu_str_of(hidden[i]));

        before += id && id < type;
    }
    return type - before <= EMU_SW(q->e, max_event_types);
}

static uint32_t met_key(emu_ask *q, emu_str name, emu_list_kind kind)
{
    uint32_t key = emu_dict_find(&q->columns->keys, name), place;
    int64_t most = kind == LIST_EVENT  ? EMU_SW(q->e, max_event_properties)
                   : kind == LIST_USER ? EMU_SW(q->e, max_user_properties)
                                       : INT64_MAX;

    if (!key || key >= q->columns->met_cap)
        return 0;
    place = q->columns->met[key][kind];
    return place && place <= most ? key : 0;
}

static bool is_built_in(emu_str *name)
{
    static const char *const names[] = {
        "version", "country",      "city",          "region",
        "DMA",     "language",     "platform",      "os",
        "device",  "device_type",  "start_version", "paying",
        "library", "user_id",      "device_id",     "device_family",
        "carrier", "device_brand", "device_model",  "device_manufacturer"};

    if (emu_str_is(*name, "dma"))
        *name = EMU_LIT("DMA");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (emu_str_is(*name, names[i]))
            return true;
    return false;
}

/* A property that the project never received is refused, even a built-in one (seen live). */
bool emu_ask_user_prop(emu_ask *q, emu_str name, emu_prop *out)
{
    bool known, strict = EMU_SW(q->e, unknown_names) == 0;

    out->name = name;
    if (name.n > 3 && memcmp(name.s, "gp:", 3) == 0) {
        out->kind = LIST_USER;
        out->key = met_key(q, (emu_str){name.s + 3, name.n - 3}, LIST_USER);
        known = out->key || !strict;
    } else {
        known = is_built_in(&name);
        out->kind = LIST_BUILT_IN;
        out->key = met_key(q, name, LIST_BUILT_IN);
        known = known && (out->key || !strict);
    }
    known = known && ej_is_utf8(name);
    return known || emu_ask_fail(q, "Invalid user property %.*s", (int)name.n, name.s);
}

bool emu_read_prop(emu_ask *q, bool user, emu_str name, emu_prop *out)
{
    if (user)
        return emu_ask_user_prop(q, name, out);
    *out = (emu_prop){LIST_EVENT, met_key(q, name, LIST_EVENT), name};
    if (out->key || (EMU_SW(q->e, unknown_names) && name.n))
        return true;
    return emu_ask_fail(q, "Invalid event property %.*s", (int)name.n, name.s);
}

bool emu_ask_groups(emu_ask *q, size_t max)
{
    emu_str names[4];
    size_t n = 0;
    int64_t limit = LIMIT_DEFAULT;

    for (size_t i = 0; i < 3; i++) {
        names[n] = emu_form_nth(q->a, q->r->query, "g", i);
        n += names[n].n > 0;
    }
    names[n] = emu_param(q, "g2");
    n += names[n].n > 0;
    if (!emu_ask_int(q, "limit", 1, INT32_MAX, &limit))
        return false;
    q->limit = (size_t)(limit > LIMIT_MAX ? LIMIT_MAX : limit);
    if (n > max)
        return emu_ask_fail(q, "Invalid parameter g: at most %zu group-bys", max);
    if (n && q->segment_n > 1)
        return emu_ask_fail(q, "Invalid parameter g: only with a single segment");
    for (q->g_n = 0; q->g_n < n; q->g_n++)
        if (!emu_ask_user_prop(q, names[q->g_n], &q->g[q->g_n]))
            return false;
    return true;
}

/* --- segments --- */

static bool json_param(emu_ask *q, emu_str text, const char *param, ej_val *v)
{
    ej_info info;
    ej_cur c = ej_at(text);

    if (!ej_check(text, &info))
        return emu_ask_fail(q, "Invalid parameter %s: not JSON", param);
    ej_take(&c, v);
    return true;
}

bool emu_ask_event(emu_ask *q, emu_str text, const char *param, emu_event_def *out)
{
    ej_val v;

    if (!text.s)
        return emu_ask_fail(q, "Missing required parameter %s", param);
    return json_param(q, text, param, &v) && emu_read_event(q, &v, param, out);
}

static bool join_cohort(emu_ask *q, emu_cond *c, emu_str id)
{
    sqlite3_stmt *st = emu_cohort_query(q->e, "SELECT 1 FROM cohorts WHERE id=?1", id);
    bool found = st && sqlite3_step(st) == SQLITE_ROW;

    sqlite3_finalize(st);
    if (!found)
        return emu_ask_fail(q, "Invalid cohort %.*s", (int)id.n, id.s);
    st = emu_cohort_query(q->e, "SELECT id FROM members WHERE cohort=?1", id);
    while (st && sqlite3_step(st) == SQLITE_ROW) {
        const emu_user *u = emu_user_by_id(&q->e->store, sqlite3_column_int64(st, 0));

        if (u)
            c->member[u->id - EMU_FIRST_ID] = 1;
    }
    sqlite3_finalize(st);
    return true;
}

static bool read_cohorts(emu_ask *q, emu_cond *c, const ej_val *op, const ej_val *values)
{
    ej_cur in = ej_at(values->raw);
    ej_val item;

    c->kind = COND_COHORT;
    c->outside = emu_text_is(q, op, "is not");
    if (!c->outside && !emu_text_is(q, op, "is"))
        return emu_ask_fail(q, "Invalid operator for userdata_cohort");
    if (values->kind != EJ_ARRAY)
        return emu_ask_fail(q, "Invalid segment: values was not a list");
    c->member = emu_arena_alloc(q->a, q->user_n + 1);
    if (!c->member)
        return emu_ask_no_memory(q);
    memset(c->member, 0, q->user_n + 1);
    ej_enter(&in);
    while (ej_item(&in)) {
        ej_take(&in, &item);
        if (!join_cohort(q, c, ej_text(&item, q->a)))
            return false;
    }
    return true;
}

static bool read_relation(emu_ask *q, const ej_val *op, emu_relation *out)
{
    static const struct {
        const char *text;
        emu_relation relation;
    } names[] = {{">=", REL_GE}, {"greater or equal", REL_GE},
                 {"<=", REL_LE}, {"less or equal", REL_LE},
                 {">", REL_GT},  {"greater", REL_GT},
                 {"<", REL_LT},  {"less", REL_LT},
                 {"=", REL_EQ},  {"is", REL_EQ},
                 {"!=", REL_NE}, {"is not", REL_NE}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (emu_text_is(q, op, names[i].text)) {
            *out = names[i].relation;
            return true;
        }
    }
    return emu_ask_fail(q, "Invalid operator in a segment");
}

static bool read_who_time(emu_ask *q, const ej_val *v, emu_cond *c)
{
    static const char *const names[] = {"allTime", "currentInterval", "forEachInterval",
                                        "rolling"};
    ej_val type, days;
    bool found = false;

    ej_get(v, "time_type", &type);
    for (int i = 0; i < 4 && !found; i++) {
        found = emu_text_is(q, &type, names[i]);
        c->time = (emu_time_type)i;
    }
    if (!found)
        return emu_ask_fail(q, "Invalid time_type in a segment");
    if (c->time < TIME_EACH)
        return true;
    if (!ej_get(v, "time_value", &days) || !ej_int(&days, &c->days) || c->days < 1)
        return emu_ask_fail(q, "Invalid time_value in a segment");
    if (c->days > 3 * 365) { /* product pages: over three years is a 404 */
        emu_dash_error(q->r, 404, "Not Found");
        return false;
    }
    return true;
}

static bool read_who(emu_ask *q, const ej_val *v, const ej_val *op, emu_cond *c)
{
    ej_val filters, value, type;

    c->kind = COND_WHO;
    ej_get(v, "filters", &filters);
    if (!ej_get(v, "event_type", &type))
        return emu_ask_fail(q, "Invalid segment: event_type was missing");
    if (!ej_get(v, "value", &value) || value.kind != EJ_NUMBER)
        return emu_ask_fail(q, "Invalid segment: value was not a number");
    c->value = ej_double(&value);
    return emu_read_event(q, v, "s", &c->who) && read_relation(q, op, &c->relation) &&
           read_who_time(q, v, c);
}

/* Several "is not" on one property act as one with all values. */
static emu_cond *joined_not(emu_segment *s, const emu_filter *f)
{
    for (size_t i = 0; i < s->n && f->op == OP_IS_NOT; i++) {
        const emu_filter *o = &s->conds[i].filter;

        if (s->conds[i].kind == COND_PROP && o->op == OP_IS_NOT &&
            o->prop.kind == f->prop.kind && o->prop.key == f->prop.key)
            return &s->conds[i];
    }
    return NULL;
}

static bool read_prop_cond(emu_ask *q, emu_segment *s, emu_str name, const ej_val *op,
                           const ej_val *values)
{
    emu_cond *c = &s->conds[s->n], *earlier;

    c->kind = COND_PROP;
    if (!emu_ask_user_prop(q, name, &c->filter.prop) ||
        !emu_read_op(q, op, &c->filter.op))
        return false;
    earlier = joined_not(s, &c->filter);
    s->n += !earlier;
    return emu_read_values(q, values, earlier ? &earlier->filter : &c->filter);
}

static bool read_cond(emu_ask *q, const ej_val *v, emu_segment *s)
{
    emu_cond *c = &s->conds[s->n];
    ej_val type, prop, op, values;
    emu_str name;

    memset(c, 0, sizeof(*c));
    if (v->kind != EJ_OBJECT)
        return emu_ask_fail(q, "Invalid segment: a condition was not an object");
    ej_get(v, "type", &type);
    ej_get(v, "prop", &prop);
    ej_get(v, "op", &op);
    ej_get(v, "values", &values);
    if (emu_text_is(q, &type, "event")) {
        s->n++;
        return read_who(q, v, &op, c);
    }
    if (prop.kind != EJ_STRING)
        return emu_ask_fail(q, "Invalid segment: prop was missing");
    name = ej_text(&prop, q->a);
    if (!emu_str_is(name, "userdata_cohort"))
        return read_prop_cond(q, s, name, &op, &values);
    s->n++;
    return read_cohorts(q, c, &op, &values);
}

static bool read_segment(emu_ask *q, emu_str text, emu_segment *s)
{
    ej_val v = {0}, item;
    ej_cur c;
    size_t n = 0;

    if (!json_param(q, text, "s", &v))
        return false;
    if (v.kind != EJ_ARRAY)
        return emu_ask_fail(q, "Invalid parameter s: not a list of conditions");
    c = ej_at(v.raw);
    for (ej_enter(&c); ej_item(&c); n++)
        ej_take(&c, &item);
    q->condition_n += n;
    s->n = 0;
    s->conds = emu_arena_alloc(q->a, (n + 1) * sizeof(*s->conds));
    if (!s->conds)
        return emu_ask_no_memory(q);
    c = ej_at(v.raw);
    for (ej_enter(&c); ej_item(&c);) {
        ej_take(&c, &item);
        if (!read_cond(q, &item, s))
            return false;
    }
    return true;
}

#define SEGMENTS_MAX 100 /* ours: far more than any chart has */

bool emu_ask_segments(emu_ask *q)
{
    emu_str texts[SEGMENTS_MAX];
    size_t n = 0;

    while (n < SEGMENTS_MAX) {
        texts[n] = emu_form_nth(q->a, q->r->query, "s", n);
        if (!texts[n].s)
            break;
        n++;
    }
    if (n == SEGMENTS_MAX)
        return emu_ask_fail(q, "Invalid parameter s: too many segments");
    q->segments = emu_arena_alloc(q->a, (n + 1) * sizeof(*q->segments));
    if (!q->segments)
        return emu_ask_no_memory(q);
    memset(q->segments, 0, (n + 1) * sizeof(*q->segments));
    q->segment_n = 0;
    for (size_t i = 0; i < n; i++)
        if (texts[i].n && !read_segment(q, texts[i], &q->segments[q->segment_n++]))
            return false;
    q->segment_n += q->segment_n == 0; /* any users */
    return true;
}

bool emu_ask_pay(emu_ask *q, int64_t type_cost)
{
    int64_t days = q->axis.last_day - q->axis.first_day + 1;
    int64_t conditions = (int64_t)(q->segment_n + q->condition_n + 4 * q->g_n);
    emu_cost_answer answer;
    char details[100];

    q->cost = (days > 0 ? days : 1) * (conditions ? conditions : 1) * type_cost;
    answer = emu_cost_enter(q->e, q->cost);
    q->charged = answer == COST_OK;
    if (q->charged)
        return true;
    snprintf(details, sizeof(details), "%s with query of cost %lld",
             answer == COST_RATE ? "Too Many Requests: Exceeded rate limit"
                                 : "Exceeded concurrent limit",
             (long long)q->cost);
    emu_dash_error(q->r, 429, details);
    return false;
}
