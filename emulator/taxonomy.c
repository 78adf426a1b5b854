/* SPDX-License-Identifier: MIT */
/* What the taxonomy calls share, and the event categories. */
#include "taxonomy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "routes.h"

static const emu_str NONE = {NULL, 0};

void emu_tax_error(emu_req *r, int status, const char *message)
{
    r->out.n = 0;
    emu_buf_z(&r->out, "{\"success\":false,\"errors\":[{\"message\":");
    emu_buf_quote(&r->out, emu_str_of(message));
    emu_buf_z(&r->out, "}]}");
    emu_reply(r, status, EMU_JSON_CAPITAL);
}

int emu_tax_refuse(emu_req *r, int status, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n >= 0)
        text = emu_arena_alloc(&r->arena, (size_t)n + 1);
    if (text) {
        va_start(ap, fmt);
        vsnprintf(text, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    emu_tax_error(r, status, text ? text : "Out of memory");
    return TAX_REFUSED;
}

void emu_tax_read(emu_req *r, int (*read)(emu_req *r))
{
    int rc;

    emu_buf_z(&r->out, "{\"success\":true,\"data\":");
    pthread_mutex_lock(&r->e->store.mu);
    rc = read(r);
    pthread_mutex_unlock(&r->e->store.mu);
    if (rc == TAX_REFUSED)
        return;
    emu_buf_ch(&r->out, '}');
    if (rc)
        emu_tax_error(r, 500, "Internal error");
    else
        emu_reply(r, 200, EMU_JSON_CAPITAL);
}

void emu_tax_write(emu_req *r, int (*write)(emu_req *r), int status)
{
    emu_store *s = &r->e->store;
    int rc;

    pthread_mutex_lock(&s->mu);
    rc = emu_store_run(s, ST_BEGIN);
    rc = rc ? rc : write(r);
    rc = rc ? rc : emu_store_run(s, ST_COMMIT);
    if (rc == TAX_REFUSED)
        emu_store_run(s, ST_ROLLBACK); /* refused before anything was written */
    else if (rc)
        emu_store_rollback(s);
    pthread_mutex_unlock(&s->mu);
    if (rc == 0)
        emu_reply_z(r, status, EMU_JSON_CAPITAL, "{\"success\":true}");
    else if (rc != TAX_REFUSED)
        emu_tax_error(r, 500, "Internal error");
}

/* --- fields --- */

bool emu_tax_flag(emu_req *r, const char *name, int *out)
{
    emu_str v = emu_field(r, name);

    *out = -1;
    if (!v.s)
        return true;
    if (emu_str_case_is(v, "true") || emu_str_case_is(v, "false")) {
        *out = emu_str_case_is(v, "true");
        return true;
    }
    emu_tax_refuse(r, 400, "Invalid value for %s", name);
    return false;
}

bool emu_tax_need(emu_req *r, const char *name, emu_str *out)
{
    *out = emu_field(r, name);
    if (out->n)
        return true;
    emu_tax_refuse(r, 400, "Missing required field: %s", name);
    return false;
}

bool emu_tax_asks_deleted(emu_req *r)
{
    return emu_str_case_is(emu_field(r, "showDeleted"), "true");
}

void emu_tax_put_list(emu_buf *b, emu_str commas)
{
    const char *p = commas.s, *end = p + commas.n;
    bool first = true;

    emu_buf_ch(b, '[');
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p)),
                   *stop = comma ? comma : end;

        while (p < stop && *p == ' ')
            p++;
        if (p < stop) {
            if (!first)
                emu_buf_ch(b, ',');
            emu_buf_quote(b, (emu_str){p, (size_t)(stop - p)});
            first = false;
        }
        p = stop + 1;
    }
    emu_buf_ch(b, ']');
}

void emu_tax_put_text(emu_buf *b, emu_str s)
{
    if (s.s)
        emu_buf_quote(b, s);
    else
        emu_buf_z(b, "null");
}

void emu_tax_put_bool(emu_buf *b, const char *lead, bool value)
{
    emu_buf_z(b, lead);
    emu_buf_z(b, value ? "true" : "false");
}

/* --- categories --- */

static int put_category(emu_req *r, sqlite3_stmt *st)
{
    emu_buf_fmt(&r->out,
                "{\"id\":%lld,\"name\":", (long long)sqlite3_column_int64(st, 0));
    emu_tax_put_text(&r->out, emu_plan_text(&r->arena, st, 1));
    emu_buf_ch(&r->out, '}');
    return 0;
}

static int list_categories(emu_req *r)
{
    sqlite3_stmt *st =
        emu_plan_query(&r->e->store, "SELECT id,name FROM plan_categories ORDER BY id",
                       NONE, NONE, NONE);
    bool first = true;

    if (!st)
        return -1;
    emu_buf_ch(&r->out, '[');
    for (; sqlite3_step(st) == SQLITE_ROW; first = false) {
        if (!first)
            emu_buf_ch(&r->out, ',');
        put_category(r, st);
    }
    emu_buf_ch(&r->out, ']');
    sqlite3_finalize(st);
    return 0;
}

static int one_category(emu_req *r)
{
    sqlite3_stmt *st =
        emu_plan_query(&r->e->store, "SELECT id,name FROM plan_categories WHERE name=?1",
                       emu_path_part(r, 4), NONE, NONE);
    int rc;

    if (!st)
        return -1;
    rc = sqlite3_step(st) == SQLITE_ROW ? put_category(r, st)
                                        : emu_tax_refuse(r, 400, "Not found");
    sqlite3_finalize(st);
    return rc;
}

/* True when a row comes back; the texts are bound as they are. */
static bool any(emu_store *s, const char *sql, emu_str first, emu_str second)
{
    sqlite3_stmt *st = emu_plan_query(s, sql, first, second, NONE);
    bool found = st && sqlite3_step(st) == SQLITE_ROW;

    sqlite3_finalize(st);
    return found;
}

static int add_category(emu_req *r)
{
    emu_store *s = &r->e->store;
    emu_str name;

    if (!emu_tax_need(r, "category_name", &name))
        return TAX_REFUSED;
    if (any(s, "SELECT 1 FROM plan_categories WHERE name=?1", name, NONE))
        return emu_tax_refuse(
            r, 409, "Attempted to add an event category, \"%.*s\", that already exists.",
            EMU_STR_ARG(name));
    return emu_plan_run(s, "INSERT INTO plan_categories(name) VALUES(?1)", name, NONE,
                        NONE);
}

/* The id of the path, which the table compares as a number. False: refused. */
static bool category_id(emu_req *r, emu_str *id)
{
    *id = emu_path_part(r, 4);
    if (emu_all_digits(*id) && any(&r->e->store,
                                   "SELECT 1 FROM plan_categories WHERE id="
                                   "CAST(?1 AS INTEGER)",
                                   *id, NONE))
        return true;
    emu_tax_refuse(r, 409,
                   "Attempted to operate on entity event_category, id \"%.*s\", that does"
                   " not exist.",
                   EMU_STR_ARG(*id));
    return false;
}

static int rename_category(emu_req *r)
{
    emu_store *s = &r->e->store;
    emu_str id, name;

    if (!category_id(r, &id) || !emu_tax_need(r, "category_name", &name))
        return TAX_REFUSED;
    if (any(s, "SELECT 1 FROM plan_categories WHERE name=?1 AND id<>CAST(?2 AS INTEGER)",
            name, id))
        return emu_tax_refuse(
            r, 409, "Attempted to add an event category, \"%.*s\", that already exists.",
            EMU_STR_ARG(name));
    return emu_plan_run(s,
                        "UPDATE plan_categories SET name=?2 WHERE id=CAST(?1 AS INTEGER)",
                        id, name, NONE);
}

static int delete_category(emu_req *r)
{
    emu_store *s = &r->e->store;
    emu_str id;

    if (!category_id(r, &id))
        return TAX_REFUSED;
    if (emu_plan_run(
            s, "UPDATE plan_events SET category=NULL WHERE category=CAST(?1 AS INTEGER)",
            id, NONE, NONE))
        return -1;
    return emu_plan_run(s, "DELETE FROM plan_categories WHERE id=CAST(?1 AS INTEGER)", id,
                        NONE, NONE);
}

void emu_do_category_list(emu_req *r)
{
    emu_tax_read(r, list_categories);
}

void emu_do_category_one(emu_req *r)
{
    emu_tax_read(r, one_category);
}

void emu_do_category_add(emu_req *r)
{
    emu_tax_write(r, add_category, 200);
}

void emu_do_category_rename(emu_req *r)
{
    emu_tax_write(r, rename_category, 200);
}

void emu_do_category_delete(emu_req *r)
{
    emu_tax_write(r, delete_category, 200);
}
