/* SPDX-License-Identifier: MIT */
/* One user with all its rows: search, activity and profile look here. */
#include "lookup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "event_doc.h"
#include "event_flags.h"
#include "map.h"
#include "plan.h"

int64_t emu_session_ms(const twe *e, int64_t id, int64_t first_ms, int64_t last_ms)
{
    bool by_id = EMU_SW(e, session_length);
    int64_t from = by_id ? id : first_ms, length;

    if (from > last_ms || (by_id && id < 0))
        return 0;
    /* Times of events may lie as far apart as numbers do. */
    if (__builtin_sub_overflow(last_ms, from, &length) || length > EMU_SESSION_MAX_MS)
        return EMU_SESSION_MAX_MS;
    return length;
}

/* Only who looks users up pays for these indexes. */
static int make_indexes(emu_store *s)
{
    return sqlite3_exec(
               s->db,
               "CREATE INDEX IF NOT EXISTS events_user ON events(id,event_ms,seq);"
               "CREATE INDEX IF NOT EXISTS users_merged ON users(merged_into)"
               " WHERE merged_into IS NOT NULL",
               NULL, NULL, NULL)
               ? -1
               : 0;
}

sqlite3_stmt *emu_person_rows(twe *e, int64_t amplitude_id, const char *order)
{
    emu_buf sql = {0};
    sqlite3_stmt *st = NULL;

    if (make_indexes(&e->store))
        return NULL;
    emu_buf_z(&sql, "SELECT " EMU_ROW_COLUMNS
                    " WHERE e.id IN (SELECT ?1 UNION ALL SELECT id FROM users"
                    " WHERE merged_into=?1) AND e.hour>=0 AND e.event_ms<=?2 ");
    emu_buf_z(&sql, order);
    emu_buf_ch(&sql, 0);
    if (!sql.failed && !sqlite3_prepare_v2(e->store.db, sql.p, -1, &st, NULL)) {
        sqlite3_bind_int64(st, 1, amplitude_id);
        sqlite3_bind_int64(st, 2, emu_now_ms(e));
    }
    emu_buf_free(&sql);
    return st;
}

/* --- values of a row --- */

static bool get(emu_str row, const char *key, ej_val *v)
{
    ej_val doc = {.kind = EJ_OBJECT, .raw = row};

    return row.n && ej_get(&doc, key, v) && v->kind != EJ_NULL;
}

emu_str emu_row_text(emu_arena *a, emu_str row, const char *key)
{
    ej_val v;

    return get(row, key, &v) ? ej_text(&v, a) : (emu_str){NULL, 0};
}

void emu_row_put(emu_buf *b, emu_str row, const char *key)
{
    ej_val v;

    if (get(row, key, &v))
        emu_buf_str(b, v.raw);
    else
        emu_buf_z(b, "null");
}

void emu_put_date(emu_buf *b, const twe *e, int64_t ms)
{
    int64_t offset = emu_zone_offset(e->zone, emu_floor_div(ms, 1000)) * 1000, local;
    char text[EMU_TIME_N + 1];

    /* Far beyond the years that are shown a zone makes no difference. */
    emu_time_text(text, __builtin_add_overflow(ms, offset, &local) ? ms : local);
    emu_buf_quote(b, (emu_str){text, 10});
}

/* --- reading --- */

static emu_str render(twe *e, emu_arena *a, sqlite3_stmt *st)
{
    emu_row row = emu_row_at(&e->store, st);
    emu_buf b = {0};
    emu_str text;

    emu_row_write(e, &row, ROW_ACTIVITY, a, &b);
    text = emu_arena_copy(a, (emu_str){b.p, b.failed ? 0 : b.n});
    emu_buf_free(&b);
    return text;
}

/* What was met so far: devices, and sessions with their place + 1. */
typedef struct met {
    emu_map devices, sessions;
} met;

static bool add_device(emu_person *p, met *m, emu_arena *a, emu_str device)
{
    if (!device.s || emu_map_get(&m->devices, device))
        return true;
    if (p->device_n == p->device_cap) {
        void *more = emu_arena_grow(a, p->devices, p->device_n, &p->device_cap,
                                    sizeof(*p->devices));

        if (!more)
            return false;
        p->devices = more;
    }
    p->devices[p->device_n++] = emu_arena_copy(a, device);
    return emu_map_put(&m->devices, device, p);
}

static bool add_session(emu_person *p, met *m, emu_arena *a, int64_t id, int64_t at_ms)
{
    emu_str key = {(const char *)&id, sizeof(id)};
    size_t at = (size_t)(uintptr_t)emu_map_get(&m->sessions, key);

    if (at) {
        p->sessions[at - 1].to_ms = at_ms;
        return true;
    }
    if (p->session_n == p->session_cap) {
        void *more = emu_arena_grow(a, p->sessions, p->session_n, &p->session_cap,
                                    sizeof(*p->sessions));

        if (!more)
            return false;
        p->sessions = more;
    }
    p->sessions[p->session_n++] = (emu_session){id, at_ms, at_ms};
    return emu_map_put(&m->sessions, key, (void *)(uintptr_t)p->session_n);
}

static void add_revenue(emu_person *p, emu_str event)
{
    double amount;
    emu_doc d;

    emu_doc_read(&d, event);
    amount = emu_doc_amount(&d);
    if (isnan(amount))
        return;
    p->revenue += amount;
    p->purchases++;
}

static bool add_row(twe *e, emu_person *p, met *m, emu_arena *a, emu_arena *scratch,
                    sqlite3_stmt *st)
{
    emu_row row = emu_row_at(&e->store, st);
    emu_str text = render(e, scratch, st);

    p->first_ms = p->events++ ? p->first_ms : row.event_ms;
    p->last_ms = row.event_ms;
    p->last = text;
    if (!text.n || !add_device(p, m, a, emu_row_text(scratch, text, "device_id")))
        return false;
    add_revenue(p, row.doc);
    return row.session == -1 || (emu_event_flags(&e->store, row.type) & EVENT_INACTIVE) ||
           add_session(p, m, a, row.session, row.event_ms);
}

bool emu_person_read(twe *e, emu_arena *a, emu_user *u, emu_person *out)
{
    sqlite3_stmt *st = emu_person_rows(e, u->id, "ORDER BY e.event_ms,e.seq");
    emu_arena scratch = {0};
    met m = {0};
    bool ok = st != NULL;
    int rc = SQLITE_DONE;

    *out = (emu_person){.user = u};
    while (ok && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        emu_arena_free(&scratch);
        ok = add_row(e, out, &m, a, &scratch, st);
    }
    if (out->last.n)
        out->last = emu_arena_copy(a, out->last);
    emu_map_free(&m.devices);
    emu_map_free(&m.sessions);
    emu_arena_free(&scratch);
    sqlite3_finalize(st);
    return ok && rc == SQLITE_DONE && !a->failed;
}

emu_str emu_person_last(twe *e, emu_arena *a, const emu_user *u, int64_t *ms)
{
    sqlite3_stmt *st =
        emu_person_rows(e, u->id, "ORDER BY e.event_ms DESC,e.seq DESC LIMIT 1");
    emu_str row = {"", 0};

    if (st && sqlite3_step(st) == SQLITE_ROW) {
        *ms = emu_row_at(&e->store, st).event_ms;
        row = render(e, a, st);
    }
    sqlite3_finalize(st);
    return row;
}
