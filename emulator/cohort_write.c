/* SPDX-License-Identifier: MIT */
/* Cohort upload and membership updates: everything is checked, then one transaction. */
#include <stdlib.h>
#include <string.h>

#include "cohorts.h"
#include "internal.h"
#include "routes.h"

#define IDS_MAX 100000 /* per request (cohort API docs) */
#define SAMPLE_MAX 10  /* invalid ids named in an answer */

/* Both calls share the envelope; membership adds a code of its own. */
typedef struct writer {
    emu_req *r;
    ej_val doc;
    bool membership;
} writer;

static void fail(writer *w, int status, const char *message, const char *metadata)
{
    emu_buf *b = &w->r->out;

    b->n = 0;
    emu_buf_fmt(b, "{\"error\":{\"http_code\":%d,\"type\":\"invalid\",", status);
    if (w->membership)
        emu_buf_fmt(b, "\"code\":%d,", 1000 + status);
    emu_buf_fmt(b, "\"message\":\"%s\"", message);
    if (metadata)
        emu_buf_fmt(b, ",\"metadata\":%s", metadata);
    emu_buf_z(b, "}}");
    emu_reply(w->r, status, EMU_JSON_UTF8);
}

static void fail_field(writer *w, const char *prefix, const char *field)
{
    emu_buf message = {0}, metadata = {0};

    emu_buf_fmt(&message, "%s %s", prefix, field);
    emu_buf_fmt(&metadata, "{\"field\":\"%s\"}", field);
    if (!message.failed && !metadata.failed)
        fail(w, 400, message.p, w->membership ? NULL : metadata.p);
    emu_buf_free(&message);
    emu_buf_free(&metadata);
}

static bool read_doc(writer *w)
{
    emu_req *r = w->r;
    ej_info info;

    if (r->too_large) {
        fail(w, 413, "Payload too large", w->membership ? NULL : "{}");
        return false;
    }
    if (r->bad_encoding || !r->body.n || !ej_check(r->body, &info)) {
        fail(w, 400, "Invalid JSON", w->membership ? NULL : "{}");
        return false;
    }
    ej_take(&(ej_cur){r->body.s, r->body.s + r->body.n}, &w->doc);
    if (w->doc.kind != EJ_OBJECT)
        fail(w, 400, "Invalid JSON", w->membership ? NULL : "{}");
    return w->doc.kind == EJ_OBJECT;
}

/* False: missing and answered. */
static bool need(writer *w, const char *name, ej_val *v)
{
    if (ej_get(&w->doc, name, v) && v->kind != EJ_NULL)
        return true;
    fail_field(w, "Missing required field:", name);
    return false;
}

static bool flag(writer *w, const char *name, bool otherwise)
{
    ej_val v;

    return ej_get(&w->doc, name, &v) && v.kind == EJ_BOOL ? ej_true(&v) : otherwise;
}

/* --- ids --- */

typedef enum id_type { BY_AMPLITUDE_ID, BY_USER_ID, BY_GROUP } id_type;

typedef struct id_list {
    emu_str *text;   /* all ids, decoded */
    int64_t *member; /* amplitude id, 0 when invalid (user cohorts) */
    bool *valid;
    size_t n, matched;
} id_list;

static bool read_ids(emu_arena *a, const ej_val *v, id_list *l)
{
    ej_cur c = ej_at(v->raw);
    ej_val item;
    size_t n = 0;

    for (ej_enter(&c); ej_item(&c); n++)
        ej_take(&c, &item);
    l->text = emu_arena_alloc(a, (n + 1) * sizeof(*l->text));
    l->member = emu_arena_alloc(a, (n + 1) * sizeof(*l->member));
    l->valid = emu_arena_alloc(a, n + 1);
    if (!l->text || !l->member || !l->valid)
        return false;
    c = ej_at(v->raw);
    for (ej_enter(&c); ej_item(&c); l->n++) {
        ej_take(&c, &item);
        l->text[l->n] = item.kind == EJ_STRING || item.kind == EJ_NUMBER
                            ? ej_text(&item, a)
                            : (emu_str){"", 0};
    }
    return true;
}

static emu_user *find_user(writer *w, id_type type, emu_str id)
{
    emu_store *s = &w->r->e->store;
    ej_val number = {.raw = id, .kind = EJ_NUMBER};
    int64_t n;

    if (type == BY_AMPLITUDE_ID)
        return id.n && id.n < 19 &&
                       strspn(emu_arena_copy(&w->r->arena, id).s, "0123456789") == id.n &&
                       ej_int(&number, &n)
                   ? emu_user_by_id(s, n)
                   : NULL;
    if (!emu_user_find(s, id) && id.n && EMU_SW(w->r->e, cohort_unknown_users) == 1)
        return emu_store_user(s, id, (emu_str){NULL, 0});
    return emu_user_find(s, id);
}

/* @locks needs the store's. Inside a transaction, as unknown users may be made. */
static void match_ids(writer *w, id_type type, emu_str group, id_list *l)
{
    sqlite3_stmt *st = w->r->e->store.st[ST_GROUP_GET];

    for (size_t i = 0; i < l->n; i++) {
        if (type == BY_GROUP) {
            sqlite3_bind_text(st, 1, group.s, (int)group.n, SQLITE_STATIC);
            sqlite3_bind_text(st, 2, l->text[i].s, (int)l->text[i].n, SQLITE_STATIC);
            l->valid[i] = sqlite3_step(st) == SQLITE_ROW;
            sqlite3_reset(st);
        } else {
            emu_user *u = find_user(w, type, l->text[i]);

            l->member[i] = u ? u->id : 0;
            l->valid[i] = u != NULL;
        }
        l->matched += l->valid[i];
    }
}

static void put_invalid(emu_buf *b, const id_list *l, size_t most)
{
    size_t named = 0;

    emu_buf_ch(b, '[');
    for (size_t i = 0; i < l->n && named < most; i++) {
        if (l->valid[i])
            continue;
        if (named++)
            emu_buf_ch(b, ',');
        emu_buf_quote(b, l->text[i]);
    }
    emu_buf_ch(b, ']');
}

/* Adds or removes the valid ids. @locks needs the store's. */
static int change_members(writer *w, emu_str cohort, id_type type, const id_list *l,
                          bool add)
{
    const char *sql = add ? "INSERT OR IGNORE INTO members VALUES(?1,?2)"
                          : "DELETE FROM members WHERE cohort=?1 AND id=?2";
    sqlite3_stmt *st = emu_cohort_query(w->r->e, sql, cohort);
    int rc = st ? 0 : -1;

    for (size_t i = 0; i < l->n && !rc; i++) {
        if (!l->valid[i])
            continue;
        if (type == BY_GROUP)
            sqlite3_bind_text(st, 2, l->text[i].s, (int)l->text[i].n, SQLITE_STATIC);
        else
            sqlite3_bind_int64(st, 2, l->member[i]);
        rc = sqlite3_step(st) == SQLITE_DONE ? 0 : -1;
        sqlite3_reset(st);
    }
    sqlite3_finalize(st);
    return rc;
}

static int run(writer *w, const char *sql, emu_str first, int64_t second)
{
    sqlite3_stmt *st = emu_cohort_query(w->r->e, sql, first);
    int rc;

    if (!st)
        return -1;
    if (sqlite3_bind_parameter_count(st) > 1)
        sqlite3_bind_int64(st, 2, second);
    rc = sqlite3_step(st);
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? 0 : -1;
}

static void begin(writer *w)
{
    pthread_mutex_lock(&w->r->e->store.mu);
    emu_store_run(&w->r->e->store, ST_BEGIN);
}

/* Ends the transaction: kept when `keep` and nothing failed. */
static void end(writer *w, bool keep, int rc)
{
    emu_store *s = &w->r->e->store;

    if (!rc && keep)
        rc = emu_store_flush_users(s) || emu_store_run(s, ST_COMMIT);
    else if (!rc && s->dirty_n == 0)
        emu_store_run(s, ST_ROLLBACK);
    else
        emu_store_rollback(s);
    if (rc && keep)
        emu_store_rollback(s);
    pthread_mutex_unlock(&s->mu);
    if (rc)
        fail(w, 500, "Internal error", w->membership ? NULL : "{}");
}

/* --- upload --- */

typedef struct upload {
    writer w;
    emu_str name, owner, group, existing;
    bool published;
    id_type type;
    id_list ids;
} upload;

static bool group_known(twe *e, emu_str group)
{
    sqlite3_stmt *st;
    bool known;

    pthread_mutex_lock(&e->store.mu);
    st = emu_cohort_query(e, "SELECT 1 FROM groups WHERE type=?1 LIMIT 1", group);
    known = st && sqlite3_step(st) == SQLITE_ROW;
    sqlite3_finalize(st);
    pthread_mutex_unlock(&e->store.mu);
    return known;
}

static bool is_app(const twe *e, const ej_val *v, emu_arena *a)
{
    ej_val number = {.raw = ej_text(v, a), .kind = EJ_NUMBER};
    int64_t n;

    return (v->kind == EJ_NUMBER || v->kind == EJ_STRING) && number.raw.n < 19 &&
           ej_int(&number, &n) && n == e->app_id;
}

/* Field by field; the first wrong one is named. False: answered. */
static bool check_fields(upload *u, const ej_val *v)
{
    emu_arena *a = &u->w.r->arena;
    const char *bad = NULL;

    u->name = ej_text(&v[0], a);
    u->owner = ej_text(&v[4], a);
    u->published = ej_true(&v[5]);
    if (v[0].kind != EJ_STRING || u->name.n == 0)
        bad = "name";
    else if (!is_app(u->w.r->e, &v[1], a))
        bad = "app_id";
    else if (!emu_str_is(v[2].raw, "\"BY_AMP_ID\"") &&
             !emu_str_is(v[2].raw, "\"BY_USER_ID\""))
        bad = "id_type";
    else if (v[3].kind != EJ_ARRAY)
        bad = "ids";
    else if (v[4].kind != EJ_STRING || !memchr(u->owner.s, '@', u->owner.n))
        bad = "owner";
    else if (v[5].kind != EJ_BOOL)
        bad = "published";
    u->type = emu_str_is(v[2].raw, "\"BY_AMP_ID\"") ? BY_AMPLITUDE_ID : BY_USER_ID;
    if (bad)
        fail_field(&u->w, "Invalid value for", bad);
    return !bad;
}

static bool check_upload(upload *u)
{
    static const char *const required[] = {"name", "app_id", "id_type",
                                           "ids",  "owner",  "published"};
    emu_req *r = u->w.r;
    emu_cohort have;
    ej_val v[6], cg, existing;

    for (int i = 0; i < 6; i++)
        if (!need(&u->w, required[i], &v[i]))
            return false;
    if (!check_fields(u, v))
        return false;
    u->group = EMU_LIT("User");
    if (ej_get(&u->w.doc, "cg", &cg) && cg.kind == EJ_STRING && !ej_key_is(&cg, "User")) {
        u->group = ej_text(&cg, &r->arena);
        u->type = BY_GROUP;
        if (!group_known(r->e, u->group)) {
            fail_field(&u->w, "Invalid value for", "cg");
            return false;
        }
    }
    if (!read_ids(&r->arena, &v[3], &u->ids)) {
        fail(&u->w, 500, "Internal error", "{}");
        return false;
    }
    if (u->ids.n > IDS_MAX) {
        fail(&u->w, 400, "Too many ids", "{\"limit\":100000}");
        return false;
    }
    if (ej_get(&u->w.doc, "existing_cohort_id", &existing) &&
        existing.kind == EJ_STRING) {
        u->existing = ej_text(&existing, &r->arena);
        if (!emu_cohort_find(r, u->existing, &have)) {
            emu_buf meta = {0};

            emu_buf_z(&meta, "{\"cohort_id\":");
            emu_buf_str(&meta, existing.raw);
            emu_buf_put(&meta, "}", 2);
            fail(&u->w, 404, "Cohort not found", meta.failed ? "{}" : meta.p);
            emu_buf_free(&meta);
            return false;
        }
    }
    if (u->ids.n == 0 && !u->existing.s)
        fail(&u->w, 400, "ids must not be empty", "{\"field\":\"ids\"}");
    return u->ids.n > 0 || u->existing.s;
}

static int save(upload *u, emu_str id)
{
    int64_t now = emu_now_ms(u->w.r->e) / 1000;
    sqlite3_stmt *st;
    int rc;

    /* Columns: id, name, owner, published, count_group, created, modified, computed. */
    if (u->existing.s) {
        rc =
            run(&u->w, "DELETE FROM members WHERE cohort=?1", id, 0) ||
            run(&u->w, "UPDATE cohorts SET modified=?2,computed=?2 WHERE id=?1", id, now);
    } else {
        st = emu_cohort_query(u->w.r->e,
                              "INSERT INTO cohorts VALUES(?1,?2,?3,?5,?4,?6,?6,?6)", id);
        if (!st)
            return -1;
        sqlite3_bind_text(st, 2, u->name.s, (int)u->name.n, SQLITE_STATIC);
        sqlite3_bind_text(st, 3, u->owner.s, (int)u->owner.n, SQLITE_STATIC);
        sqlite3_bind_text(st, 4, u->group.s, (int)u->group.n, SQLITE_STATIC);
        sqlite3_bind_int(st, 5, u->published);
        sqlite3_bind_int64(st, 6, now);
        rc = sqlite3_step(st) == SQLITE_DONE ? 0 : -1;
        sqlite3_finalize(st);
    }
    return rc || change_members(&u->w, id, u->type, &u->ids, true) ? -1 : 0;
}

static void answer_upload(upload *u, emu_str id, bool saved)
{
    emu_req *r = u->w.r;

    emu_buf_fmt(&r->out,
                "{\"%s\":", EMU_SW(r->e, upload_id_key) ? "cohort_id" : "cohortId");
    if (saved)
        emu_buf_quote(&r->out, id);
    else
        emu_buf_z(&r->out, "null");
    emu_buf_fmt(&r->out,
                ",\"metadata\":{\"matched\":%zu,\"totals\":%zu,\"invalid_ids_sample\":",
                u->ids.matched, u->ids.n);
    put_invalid(&r->out, &u->ids, SAMPLE_MAX);
    emu_buf_z(&r->out, "}}");
    emu_reply(r, 200, EMU_JSON_UTF8);
}

void emu_random_id(char *out, size_t n)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    emu_random(out, n);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[(unsigned char)out[i] % 36];
    out[n] = 0;
}

void emu_do_cohort_upload(emu_req *r)
{
    upload u = {.w = {.r = r}};
    emu_buf meta = {0};
    char fresh[9];
    emu_str id;
    bool save_it, refused;
    int rc = 0;

    if (!read_doc(&u.w) || !check_upload(&u))
        return;
    emu_random_id(fresh, 8);
    id = u.existing.s ? u.existing : emu_str_of(fresh);
    begin(&u.w);
    match_ids(&u.w, u.type, u.group, &u.ids);
    refused = u.ids.matched < u.ids.n && !flag(&u.w, "skip_invalid_ids", true);
    save_it = !refused && !flag(&u.w, "skip_save", false);
    if (save_it)
        rc = save(&u, id);
    if (refused) {
        emu_buf_z(&meta, "{\"invalid_ids\":");
        put_invalid(&meta, &u.ids, IDS_MAX);
        emu_buf_put(&meta, "}", 2);
        fail(&u.w, 400, "Invalid ids", meta.failed ? "{}" : meta.p);
        emu_buf_free(&meta);
    } else if (!rc) {
        answer_upload(&u, id, save_it);
    }
    end(&u.w, save_it, rc);
}

/* --- membership --- */

typedef struct operation {
    emu_str id_type, name;
    id_type type;
    bool add;
    id_list ids;
} operation;

typedef struct membership {
    writer w;
    emu_cohort cohort;
    operation *ops;
    size_t n, total;
} membership;

/* False: answered. */
static bool read_operation(membership *m, const ej_val *item)
{
    writer *w = &m->w;
    operation *op = &m->ops[m->n];
    ej_val ids, type, name;

    memset(op, 0, sizeof(*op));
    ej_get(item, "ids", &ids);
    ej_get(item, "id_type", &type);
    ej_get(item, "operation", &name);
    if (ids.kind <= EJ_NULL || type.kind <= EJ_NULL || name.kind <= EJ_NULL) {
        fail_field(w, "Missing required field:",
                   ids.kind <= EJ_NULL    ? "ids"
                   : type.kind <= EJ_NULL ? "id_type"
                                          : "operation");
        return false;
    }
    op->id_type = type.raw;
    op->name = name.raw;
    op->add = emu_str_is(name.raw, "\"ADD\"");
    if (emu_str_is(type.raw, "\"BY_NAME\""))
        op->type = BY_USER_ID;
    else if (!emu_str_is(type.raw, "\"BY_ID\"") &&
             !(emu_str_is(type.raw, "\"BY_AMP_ID\"") &&
               EMU_SW(w->r->e, membership_by_amp_id)))
        fail_field(w, "Invalid value for", "id_type");
    if (!op->add && !emu_str_is(name.raw, "\"REMOVE\""))
        fail_field(w, "Invalid value for", "operation");
    if (ids.kind != EJ_ARRAY)
        fail_field(w, "Invalid value for", "ids");
    if (w->r->status)
        return false;
    if (!emu_str_is(m->cohort.group, "User"))
        op->type = BY_GROUP;
    if (!read_ids(&w->r->arena, &ids, &op->ids))
        fail(w, 500, "Internal error", NULL);
    else if (op->ids.n == 0)
        fail(w, 400, "memberships must not be empty", NULL);
    m->total += op->ids.n;
    m->n++;
    return !w->r->status;
}

static bool check_membership(membership *m)
{
    writer *w = &m->w;
    ej_val id, list, group, item;
    ej_cur c;
    size_t n = 0;

    if (!need(w, "cohort_id", &id) || !need(w, "memberships", &list))
        return false;
    if (id.kind != EJ_STRING || list.kind != EJ_ARRAY) {
        fail_field(w, "Invalid value for",
                   id.kind != EJ_STRING ? "cohort_id" : "memberships");
        return false;
    }
    if (!emu_cohort_find(w->r, ej_text(&id, &w->r->arena), &m->cohort)) {
        fail(w, 404, "Cohort not found", NULL);
        return false;
    }
    if (ej_get(&w->doc, "count_group", &group) && group.kind == EJ_STRING &&
        !emu_str_eq(ej_text(&group, &w->r->arena), m->cohort.group)) {
        fail(w, 400, "count_group does not match the cohort", NULL);
        return false;
    }
    c = ej_at(list.raw);
    for (ej_enter(&c); ej_item(&c); n++)
        ej_take(&c, &item);
    m->ops = emu_arena_alloc(&w->r->arena, (n + 1) * sizeof(*m->ops));
    c = ej_at(list.raw);
    for (ej_enter(&c); m->ops && ej_item(&c);) {
        ej_take(&c, &item);
        if (!read_operation(m, &item))
            return false;
    }
    if (m->n == 0)
        fail(w, 400, "memberships must not be empty", NULL);
    else if (m->total > IDS_MAX)
        fail(w, 400, "Too many ids", NULL);
    return !w->r->status;
}

static void put_result(membership *m, emu_buf *b)
{
    emu_buf_z(b, "{\"cohort_id\":");
    emu_buf_quote(b, m->cohort.id);
    emu_buf_z(b, ",\"memberships_result\":[");
    for (size_t i = 0; i < m->n; i++) {
        emu_buf_z(b, i ? ",{\"skipped_ids\":" : "{\"skipped_ids\":");
        put_invalid(b, &m->ops[i].ids, IDS_MAX);
        emu_buf_z(b, ",\"id_type\":");
        emu_buf_str(b, m->ops[i].id_type);
        emu_buf_z(b, ",\"operation\":");
        emu_buf_str(b, m->ops[i].name);
        emu_buf_ch(b, '}');
    }
    emu_buf_put(b, "]}", 3);
    b->n--;
}

void emu_do_cohort_membership(emu_req *r)
{
    membership m = {.w = {.r = r, .membership = true}};
    emu_buf result = {0};
    size_t matched = 0;
    bool refused;
    int rc = 0;

    if (!read_doc(&m.w) || !check_membership(&m))
        return;
    if (!emu_cohort_claim(r->e, m.cohort.id)) {
        emu_buf_z(&r->out,
                  "{\"error\":{\"http_code\":429,\"type\":\"unspecified\",\"code\":1429,"
                  "\"message\":\"Too Many Requests\"}}");
        emu_reply(r, 429, EMU_JSON_UTF8);
        return;
    }
    begin(&m.w);
    for (size_t i = 0; i < m.n; i++) {
        match_ids(&m.w, m.ops[i].type, m.cohort.group, &m.ops[i].ids);
        matched += m.ops[i].ids.matched;
    }
    refused = matched < m.total && !flag(&m.w, "skip_invalid_ids", true);
    for (size_t i = 0; i < m.n && !refused && !rc; i++)
        rc =
            change_members(&m.w, m.cohort.id, m.ops[i].type, &m.ops[i].ids, m.ops[i].add);
    if (!refused && !rc)
        rc = run(&m.w, "UPDATE cohorts SET modified=?2,computed=?2 WHERE id=?1",
                 m.cohort.id, emu_now_ms(r->e) / 1000);
    put_result(&m, &result);
    if (refused && !result.failed) {
        fail(&m.w, 400, "Invalid ids", result.p);
    } else if (!result.failed) {
        emu_buf_put(&r->out, result.p, result.n);
        emu_reply(r, 200, EMU_JSON_UTF8);
    }
    emu_buf_free(&result);
    end(&m.w, !refused, rc);
}
