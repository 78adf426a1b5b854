/* SPDX-License-Identifier: MIT */
/* The file of a cohort: quoted CSV, gzip by default, made while it is sent. */
#include "cohort_csv.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "internal.h"

#define ROWS_PER_STEP 500 /* rows read per hold of the store's lock */

typedef struct csv {
    twe *e;
    emu_arena arena; /* cohort id and column names */
    emu_str cohort;
    bool groups, zip, done, failed, gz_open;
    emu_str *keys;
    size_t key_n, key_cap;
    sqlite3_value *last; /* last member sent; NULL before the first */
    z_stream gz;
    emu_buf plain, out;
    size_t out_at;
} csv;

static void csv_free(void *self)
{
    csv *f = self;

    if (f->gz_open)
        deflateEnd(&f->gz);
    sqlite3_value_free(f->last);
    emu_buf_free(&f->plain);
    emu_buf_free(&f->out);
    emu_arena_free(&f->arena);
    free(f);
}

/* Every field is quoted (RFC 4180), quotes are doubled. */
static void put_quoted(emu_buf *b, const char *prefix, emu_str s)
{
    emu_buf_ch(b, '"');
    emu_buf_z(b, prefix);
    for (size_t i = 0; i < s.n; i++) {
        if (s.s[i] == '"')
            emu_buf_ch(b, '"');
        emu_buf_ch(b, s.s[i]);
    }
    emu_buf_ch(b, '"');
}

static void put_cell(emu_buf *b, emu_str s)
{
    put_quoted(b, "", s);
}

static bool add_key(csv *f, emu_str key)
{
    for (size_t i = 0; i < f->key_n; i++)
        if (emu_str_eq(f->keys[i], key))
            return true;
    if (f->key_n == f->key_cap) {
        emu_str *grown =
            emu_arena_grow(&f->arena, f->keys, f->key_n, &f->key_cap, sizeof(*grown));

        if (!grown)
            return false;
        f->keys = grown;
    }
    f->keys[f->key_n] = emu_arena_copy(&f->arena, key);
    return f->keys[f->key_n++].s != NULL;
}

static bool add_keys_of(csv *f, emu_str props)
{
    emu_arena scratch = {0};
    ej_cur c = ej_at(props);
    ej_val key, v;
    bool ok = true;

    if (props.n > 2) {
        ej_enter(&c);
        while (ok && ej_key(&c, &key)) {
            ej_take(&c, &v);
            ok = add_key(f, ej_text(&key, &scratch));
        }
    }
    emu_arena_free(&scratch);
    return ok;
}

/* All properties that any member has, in the order met. */
static bool all_keys(csv *f)
{
    emu_store *s = &f->e->store;
    sqlite3_stmt *st;
    bool ok = true;

    pthread_mutex_lock(&s->mu);
    st = emu_cohort_query(f->e, "SELECT id FROM members WHERE cohort=?1 ORDER BY id",
                          f->cohort);
    while (ok && st && sqlite3_step(st) == SQLITE_ROW) {
        emu_user *u = emu_user_by_id(s, sqlite3_column_int64(st, 0));

        ok = !u || add_keys_of(f, u->props);
    }
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->mu);
    return ok;
}

static void put_header(csv *f)
{
    /* Group files carry a leading TAB in the column's name and in its values. */
    emu_buf_z(&f->plain,
              f->groups ? "\"\tgroup_value\"" : "\"amplitude_id\",\"user_id\"");
    for (size_t i = 0; i < f->key_n; i++) {
        emu_buf_ch(&f->plain, ',');
        put_cell(&f->plain, f->keys[i]);
    }
    emu_buf_ch(&f->plain, '\n');
}

static void put_props(csv *f, const emu_user *u)
{
    ej_val doc = {.kind = EJ_OBJECT}, v;
    emu_arena scratch = {0};

    doc.raw = u && u->props.n ? u->props : EMU_LIT("{}");
    for (size_t i = 0; i < f->key_n; i++) {
        emu_buf_ch(&f->plain, ',');
        if (ej_get(&doc, f->keys[i].s, &v) && v.kind != EJ_NULL)
            put_cell(&f->plain, ej_text(&v, &scratch));
        else
            emu_buf_z(&f->plain, "\"\"");
    }
    emu_arena_free(&scratch);
}

static void put_row(csv *f, sqlite3_stmt *st)
{
    const char *text = (const char *)sqlite3_column_text(st, 0);
    emu_user *u = NULL;

    if (f->groups) {
        put_quoted(&f->plain, "\t", (emu_str){text, (size_t)sqlite3_column_bytes(st, 0)});
    } else {
        u = emu_user_by_id(&f->e->store, strtoll(text, NULL, 10));
        put_cell(&f->plain, emu_str_of(text));
        emu_buf_ch(&f->plain, ',');
        put_cell(&f->plain, u ? u->user_id : (emu_str){NULL, 0});
    }
    put_props(f, u);
    emu_buf_ch(&f->plain, '\n');
}

/* The next rows into `plain`; false on failure. */
static bool read_rows(csv *f)
{
    emu_store *s = &f->e->store;
    sqlite3_stmt *st;
    int n = 0, rc = SQLITE_ERROR;

    pthread_mutex_lock(&s->mu);
    st =
        emu_cohort_query(f->e,
                         f->last ? "SELECT id FROM members WHERE cohort=?1 AND id>?2"
                                   " ORDER BY id LIMIT ?3"
                                 : "SELECT id FROM members WHERE cohort=?1 AND ?2 IS NULL"
                                   " ORDER BY id LIMIT ?3",
                         f->cohort);
    if (st) {
        if (f->last)
            sqlite3_bind_value(st, 2, f->last);
        sqlite3_bind_int(st, 3, ROWS_PER_STEP);
        while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
            sqlite3_value_free(f->last);
            f->last = sqlite3_value_dup(sqlite3_column_value(st, 0));
            put_row(f, st);
            n++;
        }
    }
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->mu);
    f->done = n < ROWS_PER_STEP;
    return rc == SQLITE_DONE && !f->plain.failed;
}

static bool pack(csv *f)
{
    int rc, flush = f->done ? Z_FINISH : Z_NO_FLUSH;

    f->out.n = f->out_at = 0;
    if (!f->zip) {
        emu_buf_put(&f->out, f->plain.p, f->plain.n);
        f->plain.n = 0;
        return !f->out.failed;
    }
    f->gz.next_in = (unsigned char *)f->plain.p;
    f->gz.avail_in = (unsigned)f->plain.n;
    do {
        if (!emu_buf_reserve(&f->out, 32768))
            return false;
        f->gz.next_out = (unsigned char *)f->out.p + f->out.n;
        f->gz.avail_out = (unsigned)(f->out.cap - f->out.n);
        rc = deflate(&f->gz, flush);
        f->out.n = f->out.cap - f->gz.avail_out;
    } while (rc == Z_OK && f->gz.avail_out == 0);
    f->plain.n = 0;
    return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR;
}

static ssize_t csv_read(void *self, char *buf, size_t max)
{
    csv *f = self;
    size_t n;

    while (f->out_at == f->out.n && !f->done && !f->failed)
        f->failed = !read_rows(f) || !pack(f);
    if (f->failed)
        return -1;
    n = f->out.n - f->out_at;
    n = n < max ? n : max;
    if (n)
        memcpy(buf, f->out.p + f->out_at, n);
    f->out_at += n;
    return (ssize_t)n;
}

static bool prepare(csv *f, const emu_cohort *c, bool props, char **keys, size_t key_n)
{
    f->cohort = emu_arena_copy(&f->arena, c->id);
    f->groups = !emu_str_is(c->group, "User");
    f->zip = EMU_SW(f->e, cohort_encoding) != 2;
    for (size_t i = 0; props && i < key_n; i++)
        if (!add_key(f, emu_str_of(keys[i])))
            return false;
    if (props && key_n == 0 && !f->groups && !all_keys(f))
        return false;
    if (f->zip)
        f->gz_open =
            deflateInit2(&f->gz, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    put_header(f);
    return f->cohort.s && f->gz_open == f->zip && !f->plain.failed;
}

bool emu_csv_start(emu_req *r, const emu_cohort *c, bool props, char **keys, size_t key_n)
{
    csv *f = calloc(1, sizeof(*f));

    if (!f)
        return false;
    f->e = r->e;
    if (!prepare(f, c, props, keys, key_n)) {
        csv_free(f);
        return false;
    }
    if (EMU_SW(r->e, cohort_encoding) == 0)
        emu_header(r, "Content-Encoding", EMU_LIT("gzip"));
    r->stream = (emu_stream){csv_read, csv_free, f};
    emu_reply(r, 200, "text/csv");
    return true;
}
