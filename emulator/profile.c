/* SPDX-License-Identifier: MIT */
/* GET /v1/userprofile: properties, cohorts, and what was seeded of computations,
 * recommendations and predictions. */
#include "profile.h"

#include <string.h>
#include <strings.h>

#include "lookup.h"
#include "routes.h"

typedef struct profile {
    emu_req *r;
    emu_user *user;
    emu_str device;
    emu_person person;
    ej_val own, shared; /* seeds of this user and of all */
} profile;

static void refuse(emu_req *r, int status, const char *text)
{
    r->out.n = 0;
    emu_buf_z(&r->out, "{\"error\":");
    emu_buf_quote(&r->out, emu_str_of(text));
    emu_buf_ch(&r->out, '}');
    emu_reply(r, status, EMU_JSON);
}

/* A flag in the query; the docs send one of them without a value, which is true. */
static bool asks(emu_req *r, const char *name)
{
    emu_str v = emu_query(r, name);

    return v.s && (v.n == 0 || emu_str_case_is(v, "true"));
}

/* The n-th piece of a comma list; s == NULL behind the last. Empty pieces are skipped. */
static emu_str piece(emu_str list, size_t n)
{
    const char *p = list.s, *end = p + list.n;

    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p)),
                   *stop = comma ? comma : end;

        if (stop > p && n-- == 0)
            return (emu_str){p, (size_t)(stop - p)};
        p = stop + 1;
    }
    return (emu_str){NULL, 0};
}

static bool key_is(const ej_val *key, emu_arena *a, emu_str name)
{
    return emu_str_eq(ej_text(key, a), name);
}

/* The member of an object under a name out of a request. */
static bool member(const ej_val *object, emu_arena *a, emu_str name, ej_val *out)
{
    ej_cur c = ej_at(object->raw);
    bool found = false;
    ej_val key, v;

    if (object->kind != EJ_OBJECT)
        return false;
    for (ej_enter(&c); ej_key(&c, &key);) {
        ej_take(&c, &v);
        if (key_is(&key, a, name)) {
            *out = v;
            found = true;
        }
    }
    return found;
}

/* --- recommendations --- */

static bool find_recommendation(const ej_val *seed, emu_arena *a, emu_str id, ej_val *out)
{
    ej_val list, rec, v;
    ej_cur c;

    if (seed->kind != EJ_OBJECT || !ej_get(seed, "recommendations", &list))
        return false;
    c = ej_at(list.raw);
    for (ej_enter(&c); ej_item(&c);) {
        ej_take(&c, &rec);
        if (ej_get(&rec, "rec_id", &v) && emu_str_eq(ej_text(&v, a), id)) {
            *out = rec;
            return true;
        }
    }
    return false;
}

static void put_or(emu_buf *b, const char *lead, const ej_val *rec, const char *key,
                   emu_str otherwise)
{
    ej_val v;

    emu_buf_z(b, lead);
    if (ej_get(rec, key, &v))
        emu_buf_str(b, v.raw);
    else
        emu_buf_str(b, otherwise);
}

static void put_recommendation(profile *p, const ej_val *rec)
{
    emu_buf *b = &p->r->out;
    emu_str type = emu_query(p->r, "rec_type");
    ej_val id;

    ej_get(rec, "rec_id", &id);
    emu_buf_z(b, "{\"rec_id\":");
    emu_buf_str(b, id.raw);
    put_or(b, ",\"child_rec_id\":", rec, "child_rec_id", id.raw);
    put_or(b, ",\"items\":", rec, "items", EMU_LIT("[]"));
    /* rec_type overrides who gets the default experience. */
    if (type.n)
        emu_buf_z(b, emu_str_is(type, "random") ? ",\"is_control\":true"
                                                : ",\"is_control\":false");
    else
        put_or(b, ",\"is_control\":", rec, "is_control", EMU_LIT("false"));
    put_or(b, ",\"recommendation_source\":", rec, "recommendation_source",
           EMU_LIT("\"seeded\""));
    emu_buf_z(b, ",\"last_updated\":");
    if (ej_get(rec, "last_updated", &id))
        emu_buf_str(b, id.raw);
    else
        emu_buf_int(b, p->r->received_ms / 1000);
    emu_buf_ch(b, '}');
}

static void put_recommendations(profile *p)
{
    emu_str ids = emu_query(p->r, "rec_id"), id;
    bool any = false;
    ej_val rec;

    if (!asks(p->r, "get_recs")) {
        emu_buf_z(&p->r->out, "null");
        return;
    }
    emu_buf_ch(&p->r->out, '[');
    for (size_t i = 0; (id = piece(ids, i)).s != NULL; i++) {
        if (!find_recommendation(&p->own, &p->r->arena, id, &rec) &&
            !find_recommendation(&p->shared, &p->r->arena, id, &rec))
            continue;
        if (any)
            emu_buf_ch(&p->r->out, ',');
        any = true;
        put_recommendation(p, &rec);
    }
    emu_buf_ch(&p->r->out, ']');
}

/* --- properties and computations --- */

/* Members of an object being written; each name once, the first one stands. */
typedef struct members {
    emu_buf *b;
    emu_arena *a;
    emu_map names;
} members;

static bool new_name(members *m, emu_str name)
{
    if (emu_map_get(&m->names, name))
        return false;
    emu_buf_ch(m->b, m->names.used ? ',' : '{');
    emu_buf_quote(m->b, name);
    emu_buf_ch(m->b, ':');
    return emu_map_put(&m->names, name, m);
}

/* Computed values are texts. */
static void put_computed(members *m, emu_str name, const ej_val *v)
{
    if (!new_name(m, name))
        return;
    if (v->kind == EJ_NUMBER || v->kind == EJ_BOOL) {
        emu_buf_ch(m->b, '"');
        emu_buf_str(m->b, v->raw);
        emu_buf_ch(m->b, '"');
    } else if (v->kind == EJ_STRING) {
        emu_buf_str(m->b, v->raw);
    } else {
        emu_buf_z(m->b, "null");
    }
}

static void put_all(members *m, const ej_val *object, bool computed)
{
    ej_cur c = ej_at(object->raw);
    ej_val key, v;

    if (object->kind != EJ_OBJECT)
        return;
    for (ej_enter(&c); ej_key(&c, &key);) {
        ej_take(&c, &v);
        if (computed)
            put_computed(m, ej_text(&key, m->a), &v);
        else if (new_name(m, ej_text(&key, m->a)))
            emu_buf_str(m->b, v.raw);
    }
}

/* Named ones only when any are named, as the docs' example shows it; unknown ones are null. */
static void put_computations(profile *p, members *m)
{
    emu_str ids = emu_query(p->r, "comp_id"), id;
    ej_val own = {.kind = EJ_NONE}, shared = own, v;

    if (p->own.kind == EJ_OBJECT)
        ej_get(&p->own, "computations", &own);
    if (p->shared.kind == EJ_OBJECT)
        ej_get(&p->shared, "computations", &shared);
    for (size_t i = 0; (id = piece(ids, i)).s != NULL; i++) {
        v = (ej_val){.kind = EJ_NULL};
        if (!member(&own, m->a, id, &v))
            member(&shared, m->a, id, &v);
        put_computed(m, id, &v);
    }
    if (!piece(ids, 0).s) {
        put_all(m, &own, true);
        put_all(m, &shared, true);
    }
}

static void put_own_properties(profile *p, members *m)
{
    const ej_val props = {.raw = p->user->props,
                          .kind = p->user->props.n ? EJ_OBJECT : EJ_NONE};

    put_all(m, &props, false);
    if (!p->person.events)
        return;
    if (new_name(m, EMU_LIT("library")))
        emu_row_put(m->b, p->person.last, "library");
    if (new_name(m, EMU_LIT("first_used")))
        emu_put_date(m->b, p->r->e, p->person.first_ms);
    if (new_name(m, EMU_LIT("last_used")))
        emu_put_date(m->b, p->r->e, p->person.last_ms);
}

static void put_properties(profile *p)
{
    members m = {.b = &p->r->out, .a = &p->r->arena};
    bool props = asks(p->r, "get_amp_props");
    bool computed = asks(p->r, "get_computations") || emu_query(p->r, "comp_id").n;

    if (!props && !computed) {
        emu_buf_z(m.b, "null");
        return;
    }
    if (computed)
        put_computations(p, &m);
    if (props)
        put_own_properties(p, &m);
    emu_buf_z(m.b, m.names.used ? "}" : "{}");
    emu_map_free(&m.names);
}

/* --- cohorts --- */

static bool synced(profile *p, emu_str cohort)
{
    ej_val list, item;
    ej_cur c;

    if (EMU_SW(p->r->e, profile_cohorts) == 1)
        return true;
    if (p->shared.kind != EJ_OBJECT || !ej_get(&p->shared, "synced_cohorts", &list))
        return false;
    c = ej_at(list.raw);
    for (ej_enter(&c); ej_item(&c);) {
        ej_take(&c, &item);
        if (emu_str_eq(ej_text(&item, &p->r->arena), cohort))
            return true;
    }
    return false;
}

static void put_cohorts(profile *p)
{
    sqlite3_stmt *st = NULL;
    bool any = false;

    if (!asks(p->r, "get_cohort_ids")) {
        emu_buf_z(&p->r->out, "null");
        return;
    }
    emu_buf_ch(&p->r->out, '[');
    if (!sqlite3_prepare_v2(p->r->e->store.db,
                            "SELECT c.id FROM cohorts c WHERE c.count_group='User' AND"
                            " EXISTS(SELECT 1 FROM members m WHERE m.cohort=c.id AND m.id"
                            " IN (SELECT ?1 UNION ALL SELECT id FROM users WHERE"
                            " merged_into=?1)) ORDER BY c.rowid",
                            -1, &st, NULL))
        sqlite3_bind_int64(st, 1, p->user->id);
    while (st && sqlite3_step(st) == SQLITE_ROW) {
        emu_str id = {(const char *)sqlite3_column_text(st, 0),
                      (size_t)sqlite3_column_bytes(st, 0)};

        if (!synced(p, id))
            continue;
        if (any)
            emu_buf_ch(&p->r->out, ',');
        any = true;
        emu_buf_quote(&p->r->out, id);
    }
    sqlite3_finalize(st);
    emu_buf_ch(&p->r->out, ']');
}

/* --- predictions --- */

typedef struct predictions {
    profile *p;
    emu_buf list;
    emu_str only; /* value of the last one put */
    emu_map names;
    const char *type;
} predictions;

static void put_prediction(predictions *q, emu_str id, const ej_val *v)
{
    ej_val value;

    if (emu_map_get(&q->names, id) || !ej_get(v, q->type, &value) ||
        !emu_map_put(&q->names, id, q))
        return;
    if (q->list.n)
        emu_buf_ch(&q->list, ',');
    emu_buf_z(&q->list, "{\"prop\":");
    emu_buf_str(&q->list, value.raw);
    emu_buf_z(&q->list, ",\"pred_id\":");
    emu_buf_quote(&q->list, id);
    emu_buf_fmt(&q->list, ",\"prop_type\":\"%s\"}", q->type);
    q->only = value.raw;
}

/* Those of a seed: the one named, or (id.s NULL) all. */
static void put_of(predictions *q, const ej_val *seed, emu_str id)
{
    emu_arena *a = &q->p->r->arena;
    ej_val all, key, v;
    ej_cur c;

    if (seed->kind != EJ_OBJECT || !ej_get(seed, "predictions", &all))
        return;
    c = ej_at(all.raw);
    for (ej_enter(&c); ej_key(&c, &key);) {
        ej_take(&c, &v);
        if (!id.s || key_is(&key, a, id))
            put_prediction(q, ej_text(&key, a), &v);
    }
}

static void put_propensities(profile *p)
{
    emu_str ids = emu_query(p->r, "prediction_id"), id = piece(ids, 0);
    predictions q = {.p = p, .type = "score"};
    emu_buf *b = &p->r->out;
    size_t i = 0;

    if (!asks(p->r, "get_propensity"))
        return;
    if (emu_str_is(emu_query(p->r, "propensity_type"), "pct"))
        q.type = "pct";
    do {
        put_of(&q, &p->own, id);
        put_of(&q, &p->shared, id);
        id = piece(ids, ++i);
    } while (id.s);
    /* One value stands alone only when one was asked for. */
    emu_buf_z(b, ",\"propensity\":");
    emu_buf_str(b, q.names.used == 1 && i == 1 && ids.n ? q.only : EMU_LIT("null"));
    emu_buf_z(b, ",\"propensities\":[");
    emu_buf_put(b, q.list.p, q.list.n);
    emu_buf_ch(b, ']');
    emu_buf_free(&q.list);
    emu_map_free(&q.names);
}

/* --- the call --- */

static void put_id(emu_buf *b, const char *lead, emu_str id)
{
    emu_buf_z(b, lead);
    if (id.n)
        emu_buf_quote(b, id);
    else
        emu_buf_z(b, "null");
}

static void put_profile(profile *p)
{
    emu_buf *b = &p->r->out;

    emu_buf_z(b, "{\"userData\":{\"recommendations\":");
    put_recommendations(p);
    put_id(b, ",\"user_id\":", p->user->user_id);
    put_id(b, ",\"device_id\":",
           p->device.n ? p->device
                       : emu_row_text(&p->r->arena, p->person.last, "device_id"));
    emu_buf_z(b, ",\"amp_props\":");
    put_properties(p);
    emu_buf_z(b, ",\"cohort_ids\":");
    put_cohorts(p);
    put_propensities(p);
    emu_buf_z(b, "}}");
}

/* True when the secret is ours; else answered. */
static bool check_secret(emu_req *r)
{
    emu_str h = emu_header_of(r, "Authorization");

    if (h.n <= 8 || strncasecmp(h.s, "Api-Key ", 8) != 0) {
        refuse(r, 401, "Missing Api-Key in Authorization header");
        return false;
    }
    r->key_known =
        emu_same_secret((emu_str){h.s + 8, h.n - 8}, emu_str_of(r->e->secret_key));
    r->key_foreign = !r->key_known;
    if (!r->key_known)
        refuse(r, 401, "Invalid Api-Key");
    return r->key_known;
}

/* NULL when the query is good. */
static const char *bad_query(emu_req *r)
{
    emu_str rec_type = emu_query(r, "rec_type"), kind = emu_query(r, "propensity_type");

    if (!ej_is_utf8(emu_unescape(&r->arena, r->query, true)))
        return "Invalid UTF-8"; /* some of it comes back, in JSON */
    if (!emu_query(r, "user_id").n && !emu_query(r, "device_id").n)
        return "Missing user_id or device_id";
    if (asks(r, "get_recs") && !piece(emu_query(r, "rec_id"), 0).s)
        return "Missing rec_id";
    if (rec_type.n && !emu_str_is(rec_type, "model") && !emu_str_is(rec_type, "random"))
        return "Invalid rec_type";
    if (kind.n && !emu_str_is(kind, "score") && !emu_str_is(kind, "pct"))
        return "Invalid propensity_type";
    return NULL;
}

/* 0, or the status of a refusal. */
static int look_up(profile *p)
{
    static const int unknown[] = {200, 400, 404};
    emu_str user = emu_query(p->r, "user_id");
    twe *e = p->r->e;

    p->device = emu_query(p->r, "device_id");
    p->user = user.n ? emu_user_find(&e->store, user) : NULL;
    if (!p->user && p->device.n)
        p->user = emu_user_by_device(&e->store, p->device);
    if (!p->user)
        return unknown[EMU_SW(e, profile_unknown)];
    if (!emu_person_read(e, &p->r->arena, p->user, &p->person))
        return 500;
    p->own = emu_profile_get(e, &p->r->arena, p->user->id);
    p->shared = emu_profile_get(e, &p->r->arena, PROFILE_OF_ALL);
    put_profile(p);
    return 0;
}

void emu_do_profile(emu_req *r)
{
    profile p = {.r = r};
    const char *bad;
    int status;

    if (!check_secret(r))
        return;
    if (!emu_meter_take(r->e, METER_PROFILE, 1)) {
        refuse(r, 429,
               "Number of requests per minute exceeds system limit. Contact Support"
               " if you need this limit raised");
        return;
    }
    bad = bad_query(r);
    if (bad) {
        refuse(r, 400, bad);
        return;
    }
    pthread_mutex_lock(&r->e->store.mu);
    status = look_up(&p);
    pthread_mutex_unlock(&r->e->store.mu);
    if (status)
        refuse(r, status,
               status == 500 ? "Internal error"
                             : "User id and device id not seen before");
    else
        emu_reply(r, 200, EMU_JSON);
}
