/* SPDX-License-Identifier: MIT */
/* Seeds of user profiles: checked, stored as they came. */
#include "plan.h"
#include "profile.h"

static const emu_str NONE = {NULL, 0};

static bool good_recommendation(const ej_val *v)
{
    ej_val id, items, item;
    ej_cur c;

    if (v->kind != EJ_OBJECT || !ej_get(v, "rec_id", &id) || id.kind != EJ_STRING ||
        !ej_get(v, "items", &items) || items.kind != EJ_ARRAY)
        return false;
    c = ej_at(items.raw);
    for (ej_enter(&c); ej_item(&c);) {
        ej_take(&c, &item);
        if (item.kind != EJ_STRING)
            return false;
    }
    return true;
}

static bool is_string(const ej_val *v)
{
    return v->kind == EJ_STRING;
}

static bool is_scalar(const ej_val *v)
{
    return v->kind == EJ_STRING || v->kind == EJ_NUMBER || v->kind == EJ_BOOL ||
           v->kind == EJ_NULL;
}

/* {"score": number, "pct": number}, both or one. */
static bool good_prediction(const ej_val *v)
{
    ej_val score, pct;

    if (v->kind != EJ_OBJECT)
        return false;
    ej_get(v, "score", &score);
    ej_get(v, "pct", &pct);
    return (score.kind == EJ_NUMBER || pct.kind == EJ_NUMBER) &&
           (score.kind == EJ_NUMBER || score.kind == EJ_NONE) &&
           (pct.kind == EJ_NUMBER || pct.kind == EJ_NONE);
}

typedef bool check_fn(const ej_val *v);

/* Members of a seed and what each of their elements must be. */
static const struct part {
    const char *name;
    ej_kind kind;
    check_fn *check;
    const char *shape;
} PARTS[] = {
    {"recommendations", EJ_ARRAY, good_recommendation, "objects with rec_id and items"},
    {"computations", EJ_OBJECT, is_scalar, "an object of numbers and texts"},
    {"predictions", EJ_OBJECT, good_prediction, "an object of {\"score\", \"pct\"}"},
    {"synced_cohorts", EJ_ARRAY, is_string, "a list of cohort ids"},
};

static bool good_part(const struct part *p, const ej_val *v)
{
    ej_cur c = ej_at(v->raw);
    ej_val key, item;

    if (v->kind != p->kind)
        return false;
    ej_enter(&c);
    while (p->kind == EJ_ARRAY ? ej_item(&c) : ej_key(&c, &key)) {
        ej_take(&c, &item);
        if (!p->check(&item))
            return false;
    }
    return true;
}

/* False puts one line into err. */
static bool check(const ej_val *doc, emu_buf *err)
{
    for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++) {
        ej_val v;

        if (!ej_get(doc, PARTS[i].name, &v) || good_part(&PARTS[i], &v))
            continue;
        emu_buf_fmt(err, "%s of a profile was not %s", PARTS[i].name, PARTS[i].shape);
        return false;
    }
    return true;
}

/* Whom the seed is for: a user by one of its ids, all without one. -1: nobody. */
static int64_t whom(twe *e, emu_arena *a, const ej_val *doc)
{
    emu_store *s = &e->store;
    ej_val v;
    int64_t id;
    emu_user *u;

    if (ej_get(doc, "user_id", &v) && v.kind == EJ_STRING)
        u = emu_user_find(s, ej_text(&v, a));
    else if (ej_get(doc, "device_id", &v) && v.kind == EJ_STRING)
        u = emu_user_by_device(s, ej_text(&v, a));
    else if (ej_get(doc, "amplitude_id", &v) && ej_int(&v, &id))
        u = emu_user_by_id(s, id);
    else
        return PROFILE_OF_ALL;
    return u ? u->id : -1;
}

static int store(emu_store *s, int64_t id, emu_str doc)
{
    sqlite3_stmt *st = emu_plan_query(s, "INSERT OR REPLACE INTO profiles VALUES(?2,?1)",
                                      doc, NONE, NONE);
    int rc;

    if (!st)
        return -1;
    sqlite3_bind_int64(st, 2, id);
    rc = sqlite3_step(st);
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? 0 : -1;
}

bool emu_profile_set(twe *e, emu_arena *a, const ej_val *doc, emu_buf *err)
{
    int64_t id;
    bool ok = false;

    if (doc->kind != EJ_OBJECT) {
        emu_buf_z(err, "a profile was not a JSON object");
        return false;
    }
    if (!check(doc, err))
        return false;
    pthread_mutex_lock(&e->store.mu);
    id = whom(e, a, doc);
    if (id < 0)
        emu_buf_z(err, "a profile was for a user that nobody has sent events of");
    else if (store(&e->store, id, doc->raw))
        emu_buf_z(err, "a profile could not be written");
    else
        ok = true;
    pthread_mutex_unlock(&e->store.mu);
    return ok;
}

int emu_profile_clear(twe *e)
{
    int rc;

    pthread_mutex_lock(&e->store.mu);
    rc = emu_plan_run(&e->store, "DELETE FROM profiles", NONE, NONE, NONE);
    pthread_mutex_unlock(&e->store.mu);
    return rc;
}

ej_val emu_profile_get(twe *e, emu_arena *a, int64_t amplitude_id)
{
    sqlite3_stmt *st = emu_plan_query(&e->store, "SELECT doc FROM profiles WHERE id=?1",
                                      NONE, NONE, NONE);
    ej_val v = {.kind = EJ_NONE};

    if (!st)
        return v;
    sqlite3_bind_int64(st, 1, amplitude_id);
    if (sqlite3_step(st) == SQLITE_ROW)
        v.raw = emu_plan_text(a, st, 0);
    sqlite3_finalize(st);
    v.kind = v.raw.n ? EJ_OBJECT : EJ_NONE;
    return v;
}
