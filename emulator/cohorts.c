/* SPDX-License-Identifier: MIT */
/* Cohort list and single cohorts. */
#include "cohorts.h"

#include <string.h>

#include "internal.h"
#include "routes.h"

#define COLUMNS                                                                  \
    "SELECT c.id,c.name,c.owner,c.count_group,c.published,c.created,c.modified," \
    "coalesce(c.computed,0),(SELECT count(*) FROM members m WHERE m.cohort=c.id) FROM cohorts c "

sqlite3_stmt *emu_cohort_query(twe *e, const char *sql, emu_str first)
{
    sqlite3_stmt *st = NULL;

    if (sqlite3_prepare_v2(e->store.db, sql, -1, &st, NULL))
        return NULL;
    if (first.s)
        sqlite3_bind_text(st, 1, first.s, (int)first.n, SQLITE_TRANSIENT);
    return st;
}

static emu_str text_at(emu_arena *a, sqlite3_stmt *st, int i)
{
    const char *p = (const char *)sqlite3_column_text(st, i);

    return emu_arena_copy(a, (emu_str){p, p ? (size_t)sqlite3_column_bytes(st, i) : 0});
}

static emu_cohort cohort_at(emu_arena *a, sqlite3_stmt *st)
{
    return (emu_cohort){
        .id = text_at(a, st, 0),
        .name = text_at(a, st, 1),
        .owner = text_at(a, st, 2),
        .group = text_at(a, st, 3),
        .published = sqlite3_column_int64(st, 4),
        .created_s = sqlite3_column_int64(st, 5),
        .modified_s = sqlite3_column_int64(st, 6),
        .computed_s = sqlite3_column_int64(st, 7),
        .size = sqlite3_column_int64(st, 8),
    };
}

bool emu_cohort_find(emu_req *r, emu_str id, emu_cohort *out)
{
    twe *e = r->e;
    sqlite3_stmt *st;
    bool found;

    pthread_mutex_lock(&e->store.mu);
    st = emu_cohort_query(e, COLUMNS "WHERE c.id=?1", id);
    found = id.s && st && sqlite3_step(st) == SQLITE_ROW;
    if (found)
        *out = cohort_at(&r->arena, st);
    sqlite3_finalize(st);
    pthread_mutex_unlock(&e->store.mu);
    return found;
}

static void put_seconds(emu_buf *b, int64_t s)
{
    if (s)
        emu_buf_int(b, s);
    else
        emu_buf_z(b, "null");
}

/* All keys on every row, in the order seen live. */
static void put_cohort(emu_buf *b, const twe *e, const emu_cohort *c, bool sync)
{
    emu_buf_fmt(b,
                "{\"appId\":%lld,\"archived\":false,\"definition\":{\"version\":3,"
                "\"countGroup\":{\"name\":",
                (long long)e->app_id);
    emu_buf_quote(b, c->group);
    emu_buf_fmt(b,
                ",\"is_computed\":false},\"cohortType\":\"UNIQUES\",\"andClauses\":[]},"
                "\"description\":null,\"finished\":%s,\"id\":",
                c->computed_s ? "true" : "false");
    emu_buf_quote(b, c->id);
    emu_buf_z(b, ",\"name\":");
    emu_buf_quote(b, c->name);
    emu_buf_fmt(
        b,
        ",\"published\":%s,\"type\":\"redshift\",\"lastMod\":%lld,\"createdAt\":%lld,"
        "\"lastComputed\":",
        c->published ? "true" : "false", (long long)c->modified_s,
        (long long)c->created_s);
    put_seconds(b, c->computed_s);
    emu_buf_z(
        b,
        ",\"hidden\":false,\"metadata\":null,\"view_count\":null,\"popularity\":null,"
        "\"last_viewed\":null,\"chart_id\":null,\"edit_id\":null,\"is_predictive\":false,"
        "\"is_official_content\":false,\"location_id\":null,\"shortcut_ids\":[],"
        "\"per_app_metadata\":null,\"cohort_definition_type\":null,"
        "\"cohort_output_type\":\"UNIQUES\",\"is_generated_content\":false,\"owners\":[");
    emu_buf_quote(b, c->owner);
    emu_buf_z(b, "],\"viewers\":[],\"size\":");
    if (c->computed_s)
        emu_buf_int(b, c->size);
    else
        emu_buf_z(b, "null");
    emu_buf_z(b, sync ? ",\"syncMetadata\":[]}" : "}");
}

/* True when `ids` is absent or names the cohort. */
static bool wanted(emu_str ids, emu_str id)
{
    const char *p = ids.s, *end = p + ids.n;

    if (!ids.n)
        return true;
    while (p <= end) {
        const char *comma = p < end ? memchr(p, ',', (size_t)(end - p)) : NULL;
        const char *stop = comma ? comma : end;

        if (emu_str_eq((emu_str){p, (size_t)(stop - p)}, id))
            return true;
        p = stop + 1;
    }
    return false;
}

void emu_do_cohort_list(emu_req *r)
{
    emu_str ids = emu_query(r, "cohortIds");
    bool sync = emu_str_case_is(emu_query(r, "includeSyncInfo"), "true"), first = true;
    twe *e = r->e;
    sqlite3_stmt *st;

    emu_buf_z(&r->out, "{\"cohorts\":[");
    pthread_mutex_lock(&e->store.mu);
    st = emu_cohort_query(e, COLUMNS "WHERE c.published ORDER BY c.rowid",
                          (emu_str){NULL, 0});
    while (st && sqlite3_step(st) == SQLITE_ROW) {
        emu_cohort c = cohort_at(&r->arena, st);

        if (!wanted(ids, c.id))
            continue;
        if (!first)
            emu_buf_ch(&r->out, ',');
        first = false;
        put_cohort(&r->out, e, &c, sync);
    }
    sqlite3_finalize(st);
    pthread_mutex_unlock(&e->store.mu);
    emu_buf_z(&r->out, "]}");
    emu_reply(r, 200, EMU_JSON_CAPITAL);
}

/* Members of a user cohort, twice: as amplitude ids and as the user ids known. */
static void put_members(emu_req *r, emu_str id)
{
    emu_store *s = &r->e->store;
    emu_buf names = {0};
    sqlite3_stmt *st;
    bool first = true;

    emu_buf_z(&r->out, ",\"amplitude_ids\":[");
    pthread_mutex_lock(&s->mu);
    st = emu_cohort_query(r->e, "SELECT id FROM members WHERE cohort=?1 ORDER BY id", id);
    while (st && sqlite3_step(st) == SQLITE_ROW) {
        emu_user *u = emu_user_by_id(s, sqlite3_column_int64(st, 0));

        emu_buf_fmt(&r->out, "%s%lld", first ? "" : ",",
                    (long long)sqlite3_column_int64(st, 0));
        first = false;
        if (u && u->user_id.s) {
            if (names.n)
                emu_buf_ch(&names, ',');
            emu_buf_quote(&names, u->user_id);
        }
    }
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->mu);
    emu_buf_z(&r->out, "],\"user_ids\":[");
    emu_buf_put(&r->out, names.p, names.n);
    emu_buf_ch(&r->out, ']');
    emu_buf_free(&names);
}

void emu_do_cohort_one(emu_req *r)
{
    emu_cohort c;

    if (!emu_cohort_find(r, emu_path_part(r, 3), &c)) {
        emu_dash_error(r, 404, "Cohort not found");
        return;
    }
    emu_buf_z(&r->out, "{\"cohort\":");
    put_cohort(&r->out, r->e, &c, false);
    if (emu_str_is(c.group, "User"))
        put_members(r, c.id);
    else
        emu_buf_z(&r->out, ",\"amplitude_ids\":[],\"user_ids\":[]");
    emu_buf_ch(&r->out, '}');
    emu_reply(r, 200, EMU_JSON_UTF8);
}

void emu_do_cohort_usage(emu_req *r)
{
    int64_t used, resets_ms;

    emu_download_usage(r->e, &used, &resets_ms);
    emu_buf_fmt(&r->out,
                "{\"rest_download\":{\"limit\":%lld,\"usage\":%lld,\"resets_at\":",
                (long long)EMU_SW(r->e, downloads_per_month), (long long)used);
    put_seconds(&r->out, resets_ms / 1000);
    emu_buf_z(&r->out, "}}");
    emu_reply(r, 200, EMU_JSON_UTF8);
}
