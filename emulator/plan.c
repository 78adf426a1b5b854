/* SPDX-License-Identifier: MIT */
/* The tracking plan as it is stored, and the names that ingestion has met. */
#include "plan.h"

#include <stdlib.h>

/* --- statements --- */

static void bind(sqlite3_stmt *st, int i, emu_str s)
{
    if (sqlite3_bind_parameter_count(st) < i)
        return;
    if (s.s)
        sqlite3_bind_text(st, i, s.s, (int)s.n, SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(st, i);
}

sqlite3_stmt *emu_plan_query(emu_store *s, const char *sql, emu_str first, emu_str second,
                             emu_str third)
{
    sqlite3_stmt *st = NULL;

    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL))
        return NULL;
    bind(st, 1, first);
    bind(st, 2, second);
    bind(st, 3, third);
    return st;
}

int emu_plan_run(emu_store *s, const char *sql, emu_str first, emu_str second,
                 emu_str third)
{
    sqlite3_stmt *st = emu_plan_query(s, sql, first, second, third);
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;

    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? 0 : -1;
}

emu_str emu_plan_text(emu_arena *a, sqlite3_stmt *st, int i)
{
    const char *p = (const char *)sqlite3_column_text(st, i);

    if (!p)
        return (emu_str){NULL, 0};
    return emu_arena_copy(a, (emu_str){p, (size_t)sqlite3_column_bytes(st, i)});
}

/* --- flags of event types --- */

unsigned emu_event_flags(const emu_store *s, emu_str type)
{
    return (unsigned)(uintptr_t)emu_map_get(&s->plan_flags, type);
}

emu_str emu_event_display(emu_store *s, emu_arena *a, emu_str type)
{
    const emu_str none = {NULL, 0};
    sqlite3_stmt *st = emu_plan_query(
        s, "SELECT display_name FROM plan_events WHERE name=?1", type, none, none);
    emu_str shown = none;

    if (st && sqlite3_step(st) == SQLITE_ROW)
        shown = emu_plan_text(a, st, 0);
    sqlite3_finalize(st);
    return shown.n ? shown : type;
}

int emu_plan_flags_changed(emu_store *s, emu_str type)
{
    const emu_str none = {NULL, 0};
    sqlite3_stmt *st = emu_plan_query(s, "SELECT flags FROM plan_events WHERE name=?1",
                                      type, none, none);
    uintptr_t flags = 0;

    if (!st)
        return -1;
    if (sqlite3_step(st) == SQLITE_ROW)
        flags = (uintptr_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return emu_map_put(&s->plan_flags, type, (void *)flags) ? 0 : -1;
}

int emu_plan_mark(emu_store *s, emu_str type, unsigned clear, unsigned set)
{
    const emu_str none = {NULL, 0};
    sqlite3_stmt *st;
    int rc;

    if (emu_plan_run(s, "INSERT OR IGNORE INTO plan_events(name) VALUES(?1)", type, none,
                     none))
        return -1;
    st =
        emu_plan_query(s, "UPDATE plan_events SET flags=(flags & ~?2) | ?3 WHERE name=?1",
                       type, none, none);
    if (!st)
        return -1;
    sqlite3_bind_int64(st, 2, clear);
    sqlite3_bind_int64(st, 3, set);
    rc = sqlite3_step(st);
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? emu_plan_flags_changed(s, type) : -1;
}

/* --- names met --- */

static emu_hash name_hash(emu_kind kind, emu_str owner, emu_str name)
{
    return emu_hash_of((uint64_t)kind + 11, owner, name);
}

static emu_hash *slot(const emu_store *s, emu_hash h)
{
    size_t i = h.lo & (s->name_cap - 1);

    while ((s->names[i].hi | s->names[i].lo) &&
           (s->names[i].hi != h.hi || s->names[i].lo != h.lo))
        i = (i + 1) & (s->name_cap - 1);
    return &s->names[i];
}

static bool grow(emu_store *s)
{
    emu_store bigger = {.name_cap = s->name_cap ? s->name_cap * 2 : 256};

    bigger.names = calloc(bigger.name_cap, sizeof(*bigger.names));
    if (!bigger.names)
        return false;
    for (size_t i = 0; i < s->name_cap; i++)
        if (s->names[i].hi | s->names[i].lo)
            *slot(&bigger, s->names[i]) = s->names[i];
    free(s->names);
    s->names = bigger.names;
    s->name_cap = bigger.name_cap;
    return true;
}

/* True when it is new; *ok false when memory ran out. */
static bool remember(emu_store *s, emu_hash h, bool *ok)
{
    emu_hash *at;

    *ok = s->name_n * 4 < s->name_cap * 3 || grow(s);
    if (!*ok)
        return false;
    at = slot(s, h);
    if (at->hi | at->lo)
        return false;
    *at = h;
    s->name_n++;
    return true;
}

bool emu_was_met(const emu_store *s, emu_kind kind, emu_str owner, emu_str name)
{
    const emu_hash *at = s->name_cap ? slot(s, name_hash(kind, owner, name)) : NULL;

    return at && (at->hi | at->lo);
}

/* A name is written once, when it is new: ingestion pays a look into a table for the rest. */
int emu_name_met(emu_store *s, emu_kind kind, emu_str owner, emu_str name)
{
    sqlite3_stmt *st = s->st[ST_NAME];
    bool ok;
    int rc;

    if (!remember(s, name_hash(kind, owner, name), &ok))
        return ok ? 0 : -1;
    sqlite3_bind_int(st, 1, (int)kind);
    sqlite3_bind_text(st, 2, owner.n ? owner.s : "", (int)owner.n, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, name.n ? name.s : "", (int)name.n, SQLITE_STATIC);
    rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? 0 : -1;
}

int emu_names_met(emu_store *s, emu_arena *a, emu_kind kind, emu_str owner,
                  const ej_val *object)
{
    ej_cur c = ej_at(object->raw);
    ej_val key, v;
    int rc = 0;

    if (object->kind != EJ_OBJECT || object->raw.n <= 2)
        return 0;
    ej_enter(&c);
    while (!rc && ej_key(&c, &key)) {
        rc = emu_name_met(s, kind, owner, ej_text(&key, a));
        if (!rc)
            ej_take(&c, &v);
    }
    return rc;
}

/* --- mirrors --- */

static emu_str column(sqlite3_stmt *st, int i)
{
    const char *p = (const char *)sqlite3_column_text(st, i);

    return (emu_str){p, p ? (size_t)sqlite3_column_bytes(st, i) : 0};
}

int emu_plan_load(emu_store *s)
{
    const emu_str none = {NULL, 0};
    sqlite3_stmt *st =
        emu_plan_query(s, "SELECT name,flags FROM plan_events", none, none, none);
    bool ok = st != NULL;

    while (ok && sqlite3_step(st) == SQLITE_ROW)
        ok = emu_map_put(&s->plan_flags, column(st, 0),
                         (void *)(uintptr_t)sqlite3_column_int64(st, 1));
    sqlite3_finalize(st);
    st = ok ? emu_plan_query(s, "SELECT kind,owner,name FROM names", none, none, none)
            : NULL;
    ok = st != NULL;
    while (ok && sqlite3_step(st) == SQLITE_ROW)
        remember(
            s,
            name_hash((emu_kind)sqlite3_column_int(st, 0), column(st, 1), column(st, 2)),
            &ok);
    sqlite3_finalize(st);
    return ok ? 0 : -1;
}

void emu_plan_forget(emu_store *s)
{
    emu_map_free(&s->plan_flags);
    free(s->names);
    s->names = NULL;
    s->name_n = s->name_cap = 0;
}
