/* SPDX-License-Identifier: MIT */
/* Properties of the tracking plan as they are stored. */
#include "plan_prop.h"

#include <string.h>

static const emu_str NONE = {NULL, 0};

static const char *const PREFIXES[] = {
    [KIND_EVENT] = "", [KIND_USER] = "gp:", [KIND_GROUP] = "grp:"};

/* The taxonomy docs list the first eight, replies have the other two as well. */
static const char *const USER_BUILT_INS[] = {"device_id",
                                             "event_id",
                                             "amplitude_id",
                                             "location_lat",
                                             "location_lng",
                                             "server_upload_time",
                                             "session_id",
                                             "user_id",
                                             "library",
                                             "_time",
                                             NULL};
static const char *const GROUP_BUILT_INS[] = {"group_id", NULL};
static const char *const NO_BUILT_INS[] = {NULL};

const char *emu_prop_prefix(emu_kind kind)
{
    return PREFIXES[kind];
}

const char *emu_prop_built_in_at(emu_kind kind, size_t i)
{
    const char *const *list = kind == KIND_USER    ? USER_BUILT_INS
                              : kind == KIND_GROUP ? GROUP_BUILT_INS
                                                   : NO_BUILT_INS;

    return list[i];
}

bool emu_prop_built_in(emu_kind kind, emu_str name)
{
    for (size_t i = 0; emu_prop_built_in_at(kind, i); i++)
        if (emu_str_is(name, emu_prop_built_in_at(kind, i)))
            return true;
    return false;
}

static bool prefixed(emu_kind kind, emu_str name)
{
    size_t n = strlen(PREFIXES[kind]);

    return name.n >= n && memcmp(name.n ? name.s : "", PREFIXES[kind], n) == 0;
}

emu_str emu_prop_name(emu_arena *a, emu_kind kind, emu_str name)
{
    emu_buf b = {0};
    emu_str full;

    if (prefixed(kind, name) || emu_prop_built_in(kind, name))
        return name;
    emu_buf_z(&b, PREFIXES[kind]);
    emu_buf_str(&b, name);
    full = b.failed ? NONE : emu_arena_copy(a, (emu_str){b.p, b.n});
    emu_buf_free(&b);
    return full;
}

/* Ingestion knows names without a prefix. */
static emu_str bare(emu_kind kind, emu_str name)
{
    size_t n = strlen(PREFIXES[kind]);

    return prefixed(kind, name) ? (emu_str){name.s + n, name.n - n} : name;
}

static sqlite3_stmt *query(emu_store *s, const char *sql, emu_kind kind, emu_str owner,
                           emu_str name)
{
    sqlite3_stmt *st = emu_plan_query(s, sql, NONE, owner, name);

    if (st)
        sqlite3_bind_int(st, 1, (int)kind);
    return st;
}

static bool any(sqlite3_stmt *st)
{
    bool found = st && sqlite3_step(st) == SQLITE_ROW;

    sqlite3_finalize(st);
    return found;
}

static int run(sqlite3_stmt *st)
{
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;

    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? 0 : -1;
}

int emu_prop_get(emu_store *s, emu_arena *a, emu_kind kind, emu_str owner, emu_str name,
                 emu_prop *out)
{
    sqlite3_stmt *st =
        query(s,
              "SELECT own,deleted,description,type,regex,enum_values,is_array,"
              "is_required,is_hidden,classifications FROM plan_props"
              " WHERE kind=?1 AND owner=?2 AND name=?3",
              kind, owner.s ? owner : EMU_LIT(""), name);

    *out = (emu_prop){.owner = owner.s ? owner : EMU_LIT(""),
                      .name = name,
                      .description = EMU_LIT(""),
                      .classifications = EMU_LIT("")};
    if (!st)
        return -1;
    if (sqlite3_step(st) == SQLITE_ROW) {
        out->found = true;
        out->own = sqlite3_column_int(st, 0);
        out->deleted = sqlite3_column_int(st, 1);
        out->description = emu_plan_text(a, st, 2);
        out->type = emu_plan_text(a, st, 3);
        out->regex = emu_plan_text(a, st, 4);
        out->enum_values = emu_plan_text(a, st, 5);
        out->is_array = sqlite3_column_int(st, 6);
        out->is_required = sqlite3_column_int(st, 7);
        out->is_hidden = sqlite3_column_int(st, 8);
        out->classifications = emu_plan_text(a, st, 9);
    }
    sqlite3_finalize(st);
    return 0;
}

static void bind_text(sqlite3_stmt *st, int i, emu_str s)
{
    if (s.s)
        sqlite3_bind_text(st, i, s.s, (int)s.n, SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(st, i);
}

int emu_prop_put(emu_store *s, emu_kind kind, const emu_prop *p)
{
    sqlite3_stmt *st = query(
        s,
        "INSERT OR REPLACE INTO plan_props VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
        kind, p->owner, p->name);

    if (!st)
        return -1;
    sqlite3_bind_int(st, 4, p->own);
    sqlite3_bind_int(st, 5, p->deleted);
    bind_text(st, 6, p->description);
    bind_text(st, 7, p->type);
    bind_text(st, 8, p->regex);
    bind_text(st, 9, p->enum_values);
    sqlite3_bind_int(st, 10, p->is_array);
    sqlite3_bind_int(st, 11, p->is_required);
    sqlite3_bind_int(st, 12, p->is_hidden);
    bind_text(st, 13, p->classifications);
    return run(st);
}

int emu_prop_remove(emu_store *s, emu_kind kind, const emu_str *owner, emu_str name)
{
    if (owner)
        return run(query(s,
                         "DELETE FROM plan_props WHERE kind=?1 AND owner=?2 AND name=?3",
                         kind, *owner, name));
    return run(
        query(s, "DELETE FROM plan_props WHERE kind=?1 AND name=?3", kind, NONE, name));
}

int emu_prop_rename(emu_store *s, emu_kind kind, emu_str from, emu_str to)
{
    return run(query(s, "UPDATE plan_props SET name=?3 WHERE kind=?1 AND name=?2", kind,
                     from, to));
}

bool emu_prop_met(emu_store *s, emu_kind kind, const emu_str *owner, emu_str name)
{
    if (owner)
        return emu_was_met(s, kind, *owner, bare(kind, name));
    return any(query(s, "SELECT 1 FROM names WHERE kind=?1 AND name=?3", kind, NONE,
                     bare(kind, name)));
}

bool emu_prop_elsewhere(emu_store *s, emu_kind kind, emu_str owner, emu_str name)
{
    return any(query(s,
                     "SELECT 1 FROM plan_props WHERE kind=?1 AND owner<>?2 AND name=?3",
                     kind, owner, name)) ||
           any(query(s, "SELECT 1 FROM names WHERE kind=?1 AND owner<>?2 AND name=?3",
                     kind, owner, bare(kind, name)));
}

sqlite3_stmt *emu_prop_names(emu_store *s, emu_kind kind, emu_str owner)
{
    emu_str prefix = emu_str_of(PREFIXES[kind]);

    if (owner.n)
        return query(s,
                     "SELECT name FROM plan_props WHERE kind=?1 AND owner=?2 UNION"
                     " SELECT ?3||name FROM names WHERE kind=?1 AND owner=?2 ORDER BY 1",
                     kind, owner, prefix);
    return query(s,
                 "SELECT name FROM plan_props WHERE kind=?1 AND owner='' UNION"
                 " SELECT ?3||name FROM names WHERE kind=?1 ORDER BY 1",
                 kind, NONE, prefix);
}
