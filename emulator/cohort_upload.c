/* SPDX-License-Identifier: MIT */
/* POST /api/3/cohorts/upload: a new cohort, or new contents for one. */
#include <string.h>

#include "cohort_write.h"
#include "routes.h"

#define SAMPLE_MAX 10 /* invalid ids named in an answer */

typedef struct upload {
    emu_writer w;
    emu_str name, owner, group, existing;
    bool published;
    emu_id_type type;
    emu_id_list ids;
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

    return (v->kind == EJ_NUMBER || v->kind == EJ_STRING) && emu_all_digits(number.raw) &&
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
        emu_write_fail_field(&u->w, "Invalid value for", bad);
    return !bad;
}

/* False: answered. */
static bool find_existing(upload *u, const ej_val *id, emu_cohort *have)
{
    emu_buf meta = {0};

    u->existing = ej_text(id, &u->w.r->arena);
    if (emu_cohort_find(u->w.r, u->existing, have))
        return true;
    emu_buf_z(&meta, "{\"cohort_id\":");
    emu_buf_str(&meta, id->raw);
    emu_buf_put(&meta, "}", 2);
    emu_write_fail(&u->w, 404, "Cohort not found", meta.failed ? "{}" : meta.p);
    emu_buf_free(&meta);
    return false;
}

/* The group named by `cg`, else that of the cohort to be replaced. False: answered. */
static bool check_group(upload *u, const ej_val *cg, const emu_cohort *have)
{
    u->group = have ? have->group : EMU_LIT("User");
    if (cg->kind != EJ_NONE)
        u->group = ej_text(cg, &u->w.r->arena);
    if (!emu_str_is(u->group, "User"))
        u->type = BY_GROUP;
    if (u->type == BY_GROUP && !(have && emu_str_eq(u->group, have->group)) &&
        !group_known(u->w.r->e, u->group)) {
        emu_write_fail_field(&u->w, "Invalid value for", "cg");
        return false;
    }
    return true;
}

static bool check_upload(upload *u)
{
    static const char *const required[] = {"name", "app_id", "id_type",
                                           "ids",  "owner",  "published"};
    emu_cohort have;
    ej_val v[6], cg, existing, skip;

    for (int i = 0; i < 6; i++)
        if (!emu_write_need(&u->w, required[i], &v[i]))
            return false;
    if (!check_fields(u, v))
        return false;
    if (!emu_write_optional(&u->w, "cg", EJ_STRING, &cg) ||
        !emu_write_optional(&u->w, "existing_cohort_id", EJ_STRING, &existing) ||
        !emu_write_optional(&u->w, "skip_save", EJ_BOOL, &skip) ||
        !emu_write_optional(&u->w, "skip_invalid_ids", EJ_BOOL, &skip))
        return false;
    if (!emu_ids_read(&u->w, &v[3], &u->ids))
        return false;
    if (u->ids.n > EMU_IDS_MAX) {
        emu_write_fail(&u->w, 400, "Too many ids", "{\"limit\":100000}");
        return false;
    }
    if (existing.kind != EJ_NONE && !find_existing(u, &existing, &have))
        return false;
    if (!check_group(u, &cg, existing.kind != EJ_NONE ? &have : NULL))
        return false;
    if (u->ids.n == 0 && !u->existing.s)
        emu_write_fail(&u->w, 400, "ids must not be empty", "{\"field\":\"ids\"}");
    return u->ids.n > 0 || u->existing.s;
}

static int save(upload *u, emu_str id)
{
    /* Columns: id, name, owner, published, count_group, created, modified, computed. */
    const char *sql = u->existing.s
                          ? "UPDATE cohorts SET count_group=?4,modified=?6,"
                            "computed=?6 WHERE id=?1"
                          : "INSERT INTO cohorts VALUES(?1,?2,?3,?5,?4,?6,?6,?6)";
    sqlite3_stmt *st = emu_cohort_query(u->w.r->e, sql, id);
    int rc;

    if (!st)
        return -1;
    if (!u->existing.s) {
        sqlite3_bind_text(st, 2, u->name.s, (int)u->name.n, SQLITE_STATIC);
        sqlite3_bind_text(st, 3, u->owner.s, (int)u->owner.n, SQLITE_STATIC);
        sqlite3_bind_int(st, 5, u->published);
    }
    sqlite3_bind_text(st, 4, u->group.s, (int)u->group.n, SQLITE_STATIC);
    sqlite3_bind_int64(st, 6, emu_now_ms(u->w.r->e) / 1000);
    rc = sqlite3_step(st) == SQLITE_DONE ? 0 : -1;
    sqlite3_finalize(st);
    if (!rc && u->existing.s)
        rc = emu_write_run(&u->w, "DELETE FROM members WHERE cohort=?1", id, 0);
    return rc || emu_members_change(&u->w, id, u->type, &u->ids, true) ? -1 : 0;
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
    emu_ids_put_invalid(&r->out, &u->ids, SAMPLE_MAX);
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

    if (!emu_write_read(&u.w) || !check_upload(&u))
        return;
    emu_random_id(fresh, 8);
    id = u.existing.s ? u.existing : emu_str_of(fresh);
    emu_write_begin(&u.w);
    emu_ids_match(&u.w, u.type, u.group, &u.ids);
    refused = u.ids.matched < u.ids.n && !emu_write_flag(&u.w, "skip_invalid_ids", true);
    save_it = !refused && !emu_write_flag(&u.w, "skip_save", false);
    if (save_it)
        rc = save(&u, id);
    if (refused) {
        emu_buf_z(&meta, "{\"invalid_ids\":");
        emu_ids_put_invalid(&meta, &u.ids, EMU_IDS_MAX);
        emu_buf_put(&meta, "}", 2);
        emu_write_fail(&u.w, 400, "Invalid ids", meta.failed ? "{}" : meta.p);
        emu_buf_free(&meta);
    } else if (!rc) {
        answer_upload(&u, id, save_it);
    }
    emu_write_end(&u.w, save_it, rc);
}
