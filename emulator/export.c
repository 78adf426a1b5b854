/* SPDX-License-Identifier: MIT */
/* GET /api/2/export: a zip of gzip members, one per upload hour, made while it is sent. */
#include "export.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "ingest.h"

#define ROWS_PER_STEP 256 /* rows read per hold of the store's lock */
#define DAYS_MAX 365      /* longest window (export API docs) */

/* To the byte as recorded live: the other errors of this family have no blanks. */
static const char NO_DATA[] =
    "{\"error\": {\"http_code\": 404, \"type\": \"unspecified\", \"message\": "
    "\"Unspecified Error\", \"metadata\": {\"details\": \"Raw data files were not found.\"}}}";

typedef struct job {
    twe *e;
    struct archive *zip;
    z_stream gz;
    bool gz_open, entry_open, done, failed;
    int64_t hour, end_hour; /* next hour to look at; last hour */
    int64_t current, last_seq, max_seq, file_rows;
    int file;
    emu_buf lines, packed;
    emu_buf out; /* archive bytes not sent yet, from out_at on */
    size_t out_at;
    emu_arena arena;
} job;

static la_ssize_t on_archive(struct archive *a, void *self, const void *p, size_t n)
{
    job *j = self;

    (void)a;
    if (j->out_at == j->out.n)
        j->out.n = j->out_at = 0;
    emu_buf_put(&j->out, p, n);
    return j->out.failed ? -1 : (la_ssize_t)n;
}

static void job_free(void *self)
{
    job *j = self;

    if (j->gz_open)
        deflateEnd(&j->gz);
    archive_write_free(j->zip);
    emu_buf_free(&j->lines);
    emu_buf_free(&j->packed);
    emu_buf_free(&j->out);
    emu_arena_free(&j->arena);
    free(j);
}

/* Members are stored, with sizes and checksum in a data descriptor behind them, as the
 * service's archives are: nothing is known in advance and nothing is held. */
static bool open_zip(job *j)
{
    j->zip = archive_write_new();
    return j->zip && archive_write_set_format_zip(j->zip) == ARCHIVE_OK &&
           archive_write_set_options(j->zip, "zip:compression=store,zip:!zip64") ==
               ARCHIVE_OK &&
           archive_write_set_bytes_per_block(j->zip, 0) == ARCHIVE_OK &&
           archive_write_open(j->zip, j, NULL, on_archive, NULL) == ARCHIVE_OK;
}

/* libarchive says 1.0 for members that are only stored, the service's archives say 2.0. The
 * records behind `at` were just written and have not been sent. */
static void say_version(job *j, size_t at)
{
    static const unsigned char local[] = "PK\3\4", central[] = "PK\1\2";
    unsigned char *p = (unsigned char *)j->out.p + at;
    unsigned char *end = (unsigned char *)j->out.p + j->out.n;

    if (end - p >= 30 && memcmp(p, local, 4) == 0)
        p[4] = 20;
    while (end - p >= 46 && memcmp(p, central, 4) == 0) {
        p[6] = 20;
        p += 46 + (p[28] | p[29] << 8) + (p[30] | p[31] << 8) + (p[32] | p[33] << 8);
    }
}

/* Where the next archive bytes will stand (on_archive). */
static size_t next_byte(const job *j)
{
    return j->out_at == j->out.n ? 0 : j->out.n;
}

static bool open_member(job *j)
{
    struct archive_entry *en = archive_entry_new();
    int64_t y;
    unsigned m, d;
    char name[96];
    size_t at = next_byte(j);
    bool ok;

    if (!en)
        return false;
    emu_civil_from_days(j->current / 24, &y, &m, &d);
    snprintf(name, sizeof(name), "%lld/%lld_%04d-%02u-%02u_%d#%d.json.gz",
             (long long)j->e->app_id, (long long)j->e->app_id, (int)y, m, d,
             (int)(j->current % 24), j->file);
    archive_entry_set_pathname(en, name);
    archive_entry_set_filetype(en, AE_IFREG);
    archive_entry_set_perm(en, 0644);
    archive_entry_set_mtime(en, j->current * 3600 + 3600, 0);
    ok = archive_write_header(j->zip, en) == ARCHIVE_OK;
    archive_entry_free(en);
    if (ok)
        say_version(j, at);
    j->gz = (z_stream){0};
    ok =
        ok && deflateInit2(&j->gz, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    j->gz_open = j->entry_open = ok;
    return ok;
}

/* Compresses the lines gathered so far into the open member. */
static bool pack(job *j, int flush)
{
    int rc;

    j->gz.next_in = (unsigned char *)j->lines.p;
    j->gz.avail_in = (unsigned)j->lines.n;
    do {
        if (!emu_buf_reserve(&j->packed, 65536))
            return false;
        j->gz.next_out = (unsigned char *)j->packed.p;
        j->gz.avail_out = (unsigned)j->packed.cap;
        rc = deflate(&j->gz, flush);
        size_t n = j->packed.cap - j->gz.avail_out;
        if (n && archive_write_data(j->zip, j->packed.p, n) != (la_ssize_t)n)
            return false;
    } while (rc == Z_OK && (j->gz.avail_out == 0 || flush == Z_FINISH));
    j->lines.n = 0;
    return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR;
}

static bool close_member(job *j)
{
    bool ok = pack(j, Z_FINISH) && archive_write_finish_entry(j->zip) == ARCHIVE_OK;

    deflateEnd(&j->gz);
    j->gz_open = j->entry_open = false;
    j->file++;
    return ok;
}

/* Rows of the current hour into `lines`; the number read, -1 on failure. */
static int64_t read_rows(job *j)
{
    emu_store *s = &j->e->store;
    sqlite3_stmt *st = s->st[ST_EXPORT];
    int64_t per_file = EMU_SW(j->e, export_rows_per_file), limit = ROWS_PER_STEP, n = 0;
    int rc;

    if (per_file && per_file - j->file_rows < limit)
        limit = per_file - j->file_rows;
    pthread_mutex_lock(&s->mu);
    sqlite3_bind_int64(st, 1, j->current);
    sqlite3_bind_int64(st, 2, j->last_seq);
    sqlite3_bind_int64(st, 3, j->max_seq);
    sqlite3_bind_int64(st, 4, limit);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        emu_row row = emu_row_at(s, st);

        emu_row_write(j->e, &row, ROW_EXPORT, &j->arena, &j->lines);
        emu_buf_ch(&j->lines, '\n');
        emu_arena_free(&j->arena);
        j->last_seq = row.seq;
        n++;
    }
    sqlite3_reset(st);
    pthread_mutex_unlock(&s->mu);
    j->file_rows += n;
    return rc == SQLITE_DONE && !j->lines.failed ? n : -1;
}

static int64_t next_hour(emu_store *s, int64_t from, int64_t to)
{
    sqlite3_stmt *st = NULL;
    int64_t hour = -1;

    pthread_mutex_lock(&s->mu);
    if (!sqlite3_prepare_v2(s->db,
                            "SELECT min(hour) FROM hours WHERE hour BETWEEN ?1 AND ?2",
                            -1, &st, NULL)) {
        sqlite3_bind_int64(st, 1, from);
        sqlite3_bind_int64(st, 2, to);
        if (sqlite3_step(st) == SQLITE_ROW && sqlite3_column_type(st, 0) != SQLITE_NULL)
            hour = sqlite3_column_int64(st, 0);
    }
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->mu);
    return hour;
}

/* The central directory, in one piece behind what is not sent yet. */
static bool close_archive(job *j)
{
    size_t at = next_byte(j);
    bool ok = archive_write_close(j->zip) == ARCHIVE_OK;

    if (ok)
        say_version(j, at);
    return ok;
}

/* One piece of work: a member opened, some rows written, a member or the archive closed. */
static bool step(job *j)
{
    int64_t n, per_file = EMU_SW(j->e, export_rows_per_file);

    if (!j->entry_open && j->current < 0) {
        j->current = next_hour(&j->e->store, j->hour, j->end_hour);
        if (j->current < 0) {
            j->done = true;
            return close_archive(j);
        }
        j->hour = j->current + 1;
        j->file = 0;
        j->last_seq = 0;
    }
    n = read_rows(j);
    if (n < 0 || (n > 0 && !j->entry_open && !open_member(j)))
        return false;
    if (n > 0 && !pack(j, Z_NO_FLUSH))
        return false;
    if (n == 0 || (per_file && j->file_rows >= per_file)) {
        if (j->entry_open && !close_member(j))
            return false;
        j->file_rows = 0;
    }
    if (n == 0)
        j->current = -1;
    return true;
}

static ssize_t job_read(void *self, char *buf, size_t max)
{
    job *j = self;
    size_t n;

    while (j->out_at == j->out.n && !j->done && !j->failed)
        j->failed = !step(j);
    if (j->failed)
        return -1;
    n = j->out.n - j->out_at;
    n = n < max ? n : max;
    if (n)
        memcpy(buf, j->out.p + j->out_at, n);
    j->out_at += n;
    return (ssize_t)n;
}

/* --- parameters --- */

static bool read_hour(emu_str s, int64_t *hour)
{
    int v[4] = {0}, at = 0, month_days;
    static const int widths[4] = {4, 2, 2, 2};
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (s.n != 11 || s.s[8] != 'T')
        return false;
    for (int f = 0; f < 4; f++) {
        at += f == 3;
        for (int i = 0; i < widths[f]; i++, at++) {
            if (s.s[at] < '0' || s.s[at] > '9')
                return false;
            v[f] = v[f] * 10 + (s.s[at] - '0');
        }
    }
    if (v[1] < 1 || v[1] > 12 || v[3] > 23)
        return false;
    month_days = days[v[1] - 1] +
                 (v[1] == 2 && v[0] % 4 == 0 && (v[0] % 100 != 0 || v[0] % 400 == 0));
    if (v[2] < 1 || v[2] > month_days)
        return false;
    *hour = emu_days_from_civil(v[0], (unsigned)v[1], (unsigned)v[2]) * 24 + v[3];
    return true;
}

/* NULL when the window is good. */
static const char *read_window(emu_req *r, int64_t *start, int64_t *end)
{
    emu_str s = emu_query(r, "start"), e = emu_query(r, "end");

    if (!s.s || !e.s)
        return s.s ? "Missing argument end" : "Missing argument start";
    if (!read_hour(s, start))
        return "Invalid start date";
    if (!read_hour(e, end))
        return "Invalid end date";
    if (*start > *end)
        return "Start must not be after end";
    if (*end - *start + 1 > DAYS_MAX * 24)
        return "Date range exceeds 365 days";
    return NULL;
}

/* Rows and stored bytes of the window, and the newest row of the store. */
static void measure(emu_store *s, int64_t start, int64_t end, int64_t *rows,
                    int64_t *bytes, int64_t *max_seq)
{
    sqlite3_stmt *st = NULL;

    *rows = *bytes = 0;
    pthread_mutex_lock(&s->mu);
    *max_seq = s->next_seq - 1;
    if (!sqlite3_prepare_v2(
            s->db, "SELECT sum(rows),sum(bytes) FROM hours WHERE hour BETWEEN ?1 AND ?2",
            -1, &st, NULL)) {
        sqlite3_bind_int64(st, 1, start);
        sqlite3_bind_int64(st, 2, end);
        if (sqlite3_step(st) == SQLITE_ROW) {
            *rows = sqlite3_column_int64(st, 0);
            *bytes = sqlite3_column_int64(st, 1);
        }
    }
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->mu);
}

static void start_stream(emu_req *r, int64_t start, int64_t end, int64_t max_seq)
{
    job *j = calloc(1, sizeof(*j));

    if (!j) {
        emu_dash_error(r, 500, "Out of memory");
        return;
    }
    *j = (job){
        .e = r->e, .hour = start, .end_hour = end, .current = -1, .max_seq = max_seq};
    if (!open_zip(j)) {
        job_free(j);
        emu_dash_error(r, 500, "The archive could not be started");
        return;
    }
    r->stream = (emu_stream){job_read, job_free, j};
    emu_reply(r, 200, "application/zip");
}

void emu_do_export(emu_req *r)
{
    int64_t start, end, rows, bytes, max_seq, lag = EMU_SW(r->e, export_lag_hours);
    const char *bad = read_window(r, &start, &end);

    if (bad) {
        emu_dash_error(r, 400, bad);
        return;
    }
    /* An hour can be had `lag` hours after it ended; what is missing counts as no data. */
    if (lag && end > emu_now_ms(r->e) / 3600000 - 1 - lag)
        end = emu_now_ms(r->e) / 3600000 - 1 - lag;
    measure(&r->e->store, start, end, &rows, &bytes, &max_seq);
    /* A row has some 1,200 bytes around the event and gzip makes about an eighth of it. */
    if (rows == 0)
        emu_reply_z(r, 404, EMU_JSON_UTF8, NO_DATA);
    else if ((bytes + rows * 1200) / 8 > EMU_SW(r->e, export_max_bytes))
        emu_dash_error(r, 400, "Export size is too large");
    else if (EMU_SW(r->e, export_body) == 1)
        emu_reply_z(r, 200, "text/html", "<html><body>Please try again</body></html>");
    else if (EMU_SW(r->e, export_body) == 2)
        emu_reply_z(r, 200, "application/zip", "");
    else
        start_stream(r, start, end, max_seq);
}
