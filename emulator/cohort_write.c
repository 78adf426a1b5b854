/* SPDX-License-Identifier: MIT */
/* What cohort uploads and membership updates share: errors, fields, ids, one transaction. */
#include <stdlib.h>
#include <string.h>

#include "cohort_write.h"

void emu_write_fail(emu_writer *w, int status, const char *message, const char *metadata)
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

void emu_write_fail_field(emu_writer *w, const char *prefix, const char *field)
{
    emu_buf message = {0}, metadata = {0};

    emu_buf_fmt(&message, "%s %s", prefix, field);
    emu_buf_fmt(&metadata, "{\"field\":\"%s\"}", field);
    if (!message.failed && !metadata.failed)
        emu_write_fail(w, 400, message.p, w->membership ? NULL : metadata.p);
    emu_buf_free(&message);
    emu_buf_free(&metadata);
}

bool emu_write_read(emu_writer *w)
{
    emu_req *r = w->r;
    ej_info info;

    if (r->too_large) {
        emu_write_fail(w, 413, "Payload too large", w->membership ? NULL : "{}");
        return false;
    }
    if (r->bad_encoding || !r->body.n || !ej_check(r->body, &info)) {
        emu_write_fail(w, 400, "Invalid JSON", w->membership ? NULL : "{}");
        return false;
    }
    ej_take(&(ej_cur){r->body.s, r->body.s + r->body.n}, &w->doc);
    if (w->doc.kind != EJ_OBJECT)
        emu_write_fail(w, 400, "Invalid JSON", w->membership ? NULL : "{}");
    return w->doc.kind == EJ_OBJECT;
}

/* False: missing and answered. */
bool emu_write_need(emu_writer *w, const char *name, ej_val *v)
{
    if (ej_get(&w->doc, name, v) && v->kind != EJ_NULL)
        return true;
    emu_write_fail_field(w, "Missing required field:", name);
    return false;
}

bool emu_write_flag(emu_writer *w, const char *name, bool otherwise)
{
    ej_val v;

    return ej_get(&w->doc, name, &v) && v.kind == EJ_BOOL ? ej_true(&v) : otherwise;
}

/* An optional field: absent, null, or of its kind. False: answered. */
bool emu_write_optional(emu_writer *w, const char *name, ej_kind kind, ej_val *v)
{
    if (!ej_get(&w->doc, name, v) || v->kind == EJ_NULL)
        *v = (ej_val){0};
    if (v->kind == EJ_NONE || v->kind == kind)
        return true;
    emu_write_fail_field(w, "Invalid value for", name);
    return false;
}

/* --- ids --- */

bool emu_ids_read(emu_writer *w, const ej_val *v, emu_id_list *l)
{
    emu_arena *a = &w->r->arena;
    ej_cur c = ej_at(v->raw);
    ej_val item;
    size_t n = 0;

    for (ej_enter(&c); ej_item(&c); n++) {
        ej_take(&c, &item);
        if (item.kind != EJ_STRING) {
            emu_write_fail_field(w, "Invalid value for", "ids");
            return false;
        }
    }
    l->text = emu_arena_alloc(a, (n + 1) * sizeof(*l->text));
    l->member = emu_arena_alloc(a, (n + 1) * sizeof(*l->member));
    l->valid = emu_arena_alloc(a, n + 1);
    if (!l->text || !l->member || !l->valid) {
        emu_write_fail(w, 500, "Internal error", NULL);
        return false;
    }
    c = ej_at(v->raw);
    for (ej_enter(&c); ej_item(&c); l->n++) {
        ej_take(&c, &item);
        l->text[l->n] = ej_text(&item, a);
    }
    return true;
}

static emu_user *find_user(emu_writer *w, emu_id_type type, emu_str id)
{
    emu_store *s = &w->r->e->store;
    ej_val number = {.raw = id, .kind = EJ_NUMBER};
    int64_t n;

    if (type == BY_AMPLITUDE_ID)
        return emu_all_digits(id) && ej_int(&number, &n) ? emu_user_by_id(s, n) : NULL;
    if (!emu_user_find(s, id) && id.n && EMU_SW(w->r->e, cohort_unknown_users) == 1)
        return emu_store_user(s, id, (emu_str){NULL, 0});
    return emu_user_find(s, id);
}

/* @locks needs the store's. Inside a transaction, as unknown users may be made. */
void emu_ids_match(emu_writer *w, emu_id_type type, emu_str group, emu_id_list *l)
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

void emu_ids_put_invalid(emu_buf *b, const emu_id_list *l, size_t most)
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
int emu_members_change(emu_writer *w, emu_str cohort, emu_id_type type,
                       const emu_id_list *l, bool add)
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

int emu_write_run(emu_writer *w, const char *sql, emu_str first, int64_t second)
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

void emu_write_begin(emu_writer *w)
{
    pthread_mutex_lock(&w->r->e->store.mu);
    emu_store_run(&w->r->e->store, ST_BEGIN);
}

/* Ends the transaction: kept when `keep` and nothing failed. */
void emu_write_end(emu_writer *w, bool keep, int rc)
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
        emu_write_fail(w, 500, "Internal error", w->membership ? NULL : "{}");
}
