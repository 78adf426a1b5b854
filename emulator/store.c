/* SPDX-License-Identifier: MIT */
/* Opening, loading and resetting the SQLite store. */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "plan.h"
#include "store_internal.h"
#include "view.h"

#define FORMAT 2 /* of the file; as in SCHEMA */

/* Rows are narrow: the event itself is kept as it came (`doc`), beside it only what queries
 * and exports look for. `hour` is the upload hour; its index grows at the end. */
static const char SCHEMA[] =
    "PRAGMA user_version=2;"
    "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS types(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE IF NOT EXISTS props(id INTEGER PRIMARY KEY, doc TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS users(id INTEGER PRIMARY KEY, user_id TEXT, merged_into INTEGER,"
    " props INTEGER NOT NULL, traits INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS devices(device_id TEXT PRIMARY KEY, id INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS groups(type TEXT, value TEXT, doc TEXT NOT NULL,"
    " PRIMARY KEY(type, value)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS hours(hour INTEGER PRIMARY KEY, rows INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS events(seq INTEGER PRIMARY KEY, hour INTEGER NOT NULL,"
    " id INTEGER NOT NULL, type INTEGER NOT NULL, event_ms INTEGER, client_ms INTEGER,"
    " client_upload_ms INTEGER, received_ms INTEGER, upload_ms INTEGER, session INTEGER,"
    " flags INTEGER, props INTEGER, group_props INTEGER, traits INTEGER, seen BLOB,"
    " doc TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS events_hour ON events(hour);"
    "CREATE TABLE IF NOT EXISTS cohorts(id TEXT PRIMARY KEY, name TEXT NOT NULL,"
    " owner TEXT NOT NULL, published INTEGER NOT NULL, count_group TEXT NOT NULL,"
    " created INTEGER NOT NULL, modified INTEGER NOT NULL, computed INTEGER);"
    "CREATE TABLE IF NOT EXISTS members(cohort TEXT NOT NULL, id NOT NULL,"
    " PRIMARY KEY(cohort, id)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS names(kind INTEGER, owner TEXT, name TEXT,"
    " PRIMARY KEY(kind, owner, name)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS profiles(id INTEGER PRIMARY KEY, doc TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS plan_categories(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE IF NOT EXISTS plan_events(name TEXT PRIMARY KEY, category INTEGER,"
    " description TEXT, display_name TEXT, flags INTEGER NOT NULL DEFAULT 0,"
    " tags TEXT NOT NULL DEFAULT '', owner TEXT) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS plan_props(kind INTEGER, owner TEXT, name TEXT,"
    " own INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0,"
    " description TEXT NOT NULL DEFAULT '', type TEXT, regex TEXT, enum_values TEXT,"
    " is_array INTEGER NOT NULL DEFAULT 0, is_required INTEGER NOT NULL DEFAULT 0,"
    " is_hidden INTEGER NOT NULL DEFAULT 0, classifications TEXT NOT NULL DEFAULT '',"
    " PRIMARY KEY(kind, owner, name)) WITHOUT ROWID;";

static const char *const STATEMENTS[ST_COUNT] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_EVENT] = "INSERT INTO events "
                 "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)",
    [ST_PROPS] = "INSERT INTO props VALUES(?1,?2)",
    [ST_USER] = "INSERT OR REPLACE INTO users VALUES(?1,?2,?3,?4,?5)",
    [ST_DEVICE] = "INSERT OR REPLACE INTO devices VALUES(?1,?2)",
    [ST_TYPE] = "INSERT INTO types VALUES(?1,?2)",
    [ST_GROUP_GET] = "SELECT doc FROM groups WHERE type=?1 AND value=?2",
    [ST_GROUP_PUT] = "INSERT OR REPLACE INTO groups VALUES(?1,?2,?3)",
    [ST_HOUR] = "INSERT INTO hours VALUES(?1,?2,?3) ON CONFLICT(hour) DO UPDATE SET"
                " rows=rows+excluded.rows, bytes=bytes+excluded.bytes",
    [ST_EXPORT] = "SELECT " EMU_ROW_COLUMNS
                  " WHERE e.hour=?1 AND e.seq>?2 AND e.seq<=?3 ORDER BY e.seq LIMIT ?4",
    [ST_NAME] = "INSERT OR IGNORE INTO names VALUES(?1,?2,?3)",
};

int emu_store_run(emu_store *s, emu_statement id)
{
    int rc = sqlite3_step(s->st[id]);

    sqlite3_reset(s->st[id]);
    return rc == SQLITE_DONE ? 0 : -1;
}

static int fail(emu_store *s, const char *what, char *err, size_t err_n)
{
    snprintf(err, err_n, "the store could not be %s: %s", what,
             s->db ? sqlite3_errmsg(s->db) : "out of memory");
    return -1;
}

/* A file that another version laid out is refused rather than misread. */
static int check_format(emu_store *s, char *err, size_t err_n)
{
    sqlite3_stmt *q = NULL;
    bool good;

    if (sqlite3_prepare_v2(s->db,
                           "SELECT (SELECT user_version FROM pragma_user_version),"
                           "(SELECT count(*) FROM sqlite_master)",
                           -1, &q, NULL))
        return fail(s, "read", err, err_n);
    if (sqlite3_step(q) != SQLITE_ROW) {
        sqlite3_finalize(q);
        return fail(s, "read", err, err_n);
    }
    good = sqlite3_column_int(q, 0) == FORMAT || sqlite3_column_int(q, 1) == 0;
    sqlite3_finalize(q);
    if (!good)
        snprintf(err, err_n,
                 "the store was written by another version of the emulator: remove"
                 " the file to start anew");
    return good ? 0 : -1;
}

/* A store belongs to one project. */
static int check_app(emu_store *s, int64_t app_id, char *err, size_t err_n)
{
    sqlite3_stmt *q = NULL;
    int64_t have = app_id;

    if (sqlite3_prepare_v2(s->db, "SELECT value FROM meta WHERE name='app_id'", -1, &q,
                           NULL))
        return fail(s, "read", err, err_n);
    if (sqlite3_step(q) == SQLITE_ROW)
        have = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    if (have != app_id) {
        snprintf(err, err_n, "the store belonged to app id %lld, not %lld",
                 (long long)have, (long long)app_id);
        return -1;
    }
    if (sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO meta VALUES('app_id',?1)", -1,
                           &q, NULL))
        return fail(s, "written", err, err_n);
    sqlite3_bind_int64(q, 1, app_id);
    sqlite3_step(q);
    return sqlite3_finalize(q) ? fail(s, "written", err, err_n) : 0;
}

typedef void load_fn(emu_store *s, sqlite3_stmt *q, bool *ok);

static int load_rows(emu_store *s, const char *sql, load_fn *fn)
{
    sqlite3_stmt *q = NULL;
    bool ok = true;

    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL))
        return -1;
    while (ok && sqlite3_step(q) == SQLITE_ROW)
        fn(s, q, &ok);
    return sqlite3_finalize(q) || !ok ? -1 : 0;
}

static emu_str column(sqlite3_stmt *q, int i)
{
    const char *p = (const char *)sqlite3_column_text(q, i);

    return (emu_str){p, p ? (size_t)sqlite3_column_bytes(q, i) : 0};
}

static void load_user(emu_store *s, sqlite3_stmt *q, bool *ok)
{
    int64_t id = sqlite3_column_int64(q, 0);
    emu_user *u = emu_user_new(s);

    *ok = u && u->id == id &&
          emu_user_restore(s, u, column(q, 1), column(q, 4), column(q, 6));
    if (!*ok)
        return;
    u->props_id = sqlite3_column_int64(q, 3);
    u->traits_id = sqlite3_column_int64(q, 5);
    u->dirty = false;
    if (sqlite3_column_type(q, 2) != SQLITE_NULL)
        u->into = u; /* resolved when all are there */
}

static void load_merge(emu_store *s, sqlite3_stmt *q, bool *ok)
{
    int64_t id = sqlite3_column_int64(q, 0) - EMU_FIRST_ID;
    int64_t into = sqlite3_column_int64(q, 1) - EMU_FIRST_ID;

    *ok = id >= 0 && into >= 0 && (size_t)id < s->user_n && (size_t)into < s->user_n;
    if (*ok)
        s->users[id]->into = s->users[into];
}

static void load_device(emu_store *s, sqlite3_stmt *q, bool *ok)
{
    emu_user *u = emu_user_by_id(s, sqlite3_column_int64(q, 1));

    *ok = u && emu_map_put(&s->by_device, column(q, 0), u);
}

static void load_type(emu_store *s, sqlite3_stmt *q, bool *ok)
{
    int64_t id = sqlite3_column_int64(q, 0);

    *ok = emu_map_put(&s->types, column(q, 1), (void *)(intptr_t)id);
    s->next_type = id + 1;
}

static void load_seen(emu_store *s, sqlite3_stmt *q, bool *ok)
{
    emu_hash h;

    if (sqlite3_column_bytes(q, 0) != sizeof(h))
        return;
    memcpy(&h, sqlite3_column_blob(q, 0), sizeof(h));
    *ok = emu_store_seen(s, h, sqlite3_column_int64(q, 1), INT64_MAX) != SEEN_NOMEM;
}

static void load_next(emu_store *s, sqlite3_stmt *q, bool *ok)
{
    (void)ok;
    s->next_seq = sqlite3_column_int64(q, 0) + 1;
    s->next_props = sqlite3_column_int64(q, 1) + 1;
}

static int load(emu_store *s)
{
    s->next_type = 1;
    return load_rows(s,
                     "SELECT coalesce((SELECT max(seq) FROM events),0),"
                     "coalesce((SELECT max(id) FROM props),0)",
                     load_next) ||
           load_rows(s,
                     "SELECT u.id,u.user_id,u.merged_into,u.props,p.doc,u.traits,t.doc"
                     " FROM users u LEFT JOIN props p ON p.id=u.props"
                     " LEFT JOIN props t ON t.id=u.traits ORDER BY u.id",
                     load_user) ||
           load_rows(s, "SELECT id,merged_into FROM users WHERE merged_into IS NOT NULL",
                     load_merge) ||
           load_rows(s, "SELECT device_id,id FROM devices", load_device) ||
           load_rows(s, "SELECT id,name FROM types ORDER BY id", load_type) ||
           load_rows(
               s, "SELECT seen,upload_ms FROM events WHERE seen IS NOT NULL ORDER BY seq",
               load_seen) ||
           emu_plan_load(s);
}

static int load_columns(emu_store *s)
{
    emu_view_unref(s->view);
    s->view = NULL;
    emu_columns_unref(s->columns);
    s->columns = emu_columns_new();
    return s->columns ? emu_columns_load(s) : -1;
}

/* One emulator at a time has the file: its mirrors would not see what another one writes.
 * WAL without syncing: a killed emulator leaves a consistent file, which is all that a test
 * double owes; a power cut may lose it. Memory stores need no journal file at all. */
int emu_store_open(emu_store *s, const char *path, int64_t app_id, char *err,
                   size_t err_n)
{
    static const char tune[] = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
                               "PRAGMA synchronous=OFF;"
                               "PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=4000;"
                               "PRAGMA temp_store=MEMORY; PRAGMA busy_timeout=2000;";

    pthread_mutex_init(&s->mu, NULL);
    pthread_mutex_init(&s->view_mu, NULL);
    if (sqlite3_open_v2(path, &s->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) ||
        sqlite3_exec(s->db, tune, NULL, NULL, NULL))
        return fail(s, "opened", err, err_n);
    if (check_format(s, err, err_n))
        return -1;
    if (sqlite3_exec(s->db, SCHEMA, NULL, NULL, NULL))
        return fail(s, "opened", err, err_n);
    if (check_app(s, app_id, err, err_n))
        return -1;
    for (int i = 0; i < ST_COUNT; i++)
        if (sqlite3_prepare_v3(s->db, STATEMENTS[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &s->st[i], NULL))
            return fail(s, "prepared", err, err_n);
    return load(s) || load_columns(s) ? fail(s, "loaded", err, err_n) : 0;
}

static void forget(emu_store *s)
{
    for (size_t i = 0; i < s->user_n; i++)
        emu_user_free(s->users[i]);
    free(s->users);
    free(s->dirty);
    free(s->seen);
    emu_map_free(&s->by_user);
    emu_map_free(&s->by_device);
    emu_map_free(&s->types);
    emu_plan_forget(s);
    s->users = s->dirty = NULL;
    s->seen = NULL;
    s->user_n = s->user_cap = s->dirty_n = s->dirty_cap = s->seen_n = s->seen_cap = 0;
}

void emu_store_close(emu_store *s)
{
    for (int i = 0; i < ST_COUNT; i++)
        sqlite3_finalize(s->st[i]);
    sqlite3_close(s->db);
    forget(s);
    emu_view_unref(s->view);
    emu_columns_unref(s->columns);
    pthread_mutex_destroy(&s->mu);
    pthread_mutex_destroy(&s->view_mu);
}

int emu_store_reset(emu_store *s)
{
    static const char sql[] =
        "BEGIN; DELETE FROM events; DELETE FROM hours; DELETE FROM props; DELETE FROM users;"
        "DELETE FROM devices; DELETE FROM groups; DELETE FROM types; DELETE FROM cohorts;"
        "DELETE FROM members; DELETE FROM names; DELETE FROM plan_categories;"
        "DELETE FROM profiles; DELETE FROM plan_events; DELETE FROM plan_props; COMMIT;";
    int rc;

    pthread_mutex_lock(&s->mu);
    rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    forget(s);
    rc = load(s) || load_columns(s) || rc ? -1 : 0;
    pthread_mutex_unlock(&s->mu);
    return rc;
}

void emu_store_rollback(emu_store *s)
{
    emu_store_run(s, ST_ROLLBACK);
    forget(s);
    load(s);
    s->merges++;
    if (s->columns)
        emu_columns_rollback(s->columns);
}
