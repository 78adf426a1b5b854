/* SPDX-License-Identifier: MIT */
/* The decoder of a cohort file. */
#include "areas/cohort_file.h"

#include <string.h>

#include "areas/csv.h"
#include "base/alloc.h"
#include "base/error.h"
#include "export/gunzip.h"
#include "net/job.h"

/* What a file begins with decides: some come as gzip without any header that says so. */
typedef enum file_form { FORM_UNKNOWN, FORM_PLAIN, FORM_GZIP } file_form;

struct tw_cohort_file {
    tw_cohort_file_sink sink;
    void *ctx;
    int open_ended;
    file_form form;
    int half_magic; /* one byte came, and it was the first of gzip's two */
    tw_gunzip *gz;
    tw_records records;
    int has_header; /* seen and found good */
    int failure;
    const char *reason;
};

static int file_fail(tw_cohort_file *cf, int code, const char *reason)
{
    cf->failure = code;
    cf->reason = reason;
    return code;
}

/* ---- the header -------------------------------------------------------------------- */

static int is_id_column(const tw_csv_cell *cell)
{
    static const char *const names[] = {"amplitude_id", "user_id", "group_value"};
    size_t i;

    for (i = 0; i < sizeof names / sizeof *names; i++) {
        if (cell->size == strlen(names[i]) &&
            memcmp(cell->text, names[i], cell->size) == 0)
            return 1;
    }
    return 0;
}

/* An error page, or JSON, with status 200 is no cohort: one of the first cells has to
 * be the name of an id column. */
static int file_check_header(tw_cohort_file *cf, const char *data, size_t size)
{
    tw_csv_cell cells[16];
    tw_block *block;
    size_t count = 0;
    size_t i;
    char *copy = tw__alloc(size);
    int rc;

    if (copy == NULL)
        return TW_E_NOMEM;
    memcpy(copy, data, size);
    rc = tw__block_new(&block, copy, size);
    if (rc != TW_OK) {
        tw__free(copy);
        return rc;
    }
    rc = tw_csv_next(cells, 16, &count, block);
    for (i = 0; rc == TW_OK && !cf->has_header && i < count && i < 16; i++)
        cf->has_header = is_id_column(&cells[i]);
    tw_block_free(block);
    if (rc == TW_E_NOMEM)
        return rc;
    return cf->has_header ? TW_OK
                          : file_fail(cf, TW_E_PROTOCOL,
                                      "did not begin with the names of id columns");
}

static int file_emit(void *ctx, char *data, size_t size)
{
    tw_cohort_file *cf = ctx;
    int rc = TW_OK;

    if (!cf->has_header && cf->records.count == 0) {
        tw__free(data); /* nothing but blank lines */
        return TW_OK;
    }
    /* A byte order mark would become part of the first name. */
    if (!cf->has_header && size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0) {
        size -= 3;
        memmove(data, data + 3, size);
    }
    if (!cf->has_header)
        rc = file_check_header(cf, data, size);
    if (rc != TW_OK) {
        tw__free(data);
        return rc;
    }
    return cf->sink.emit(cf->ctx, data, size);
}

/* ---- bytes ------------------------------------------------------------------------- */

static int file_records_failed(tw_cohort_file *cf, int code)
{
    return cf->failure != 0 ? cf->failure : file_fail(cf, code, cf->records.reason);
}

static int file_plain(tw_cohort_file *cf, const char *bytes, size_t size, size_t *used)
{
    while (*used < size) {
        size_t n = size - *used;
        size_t room;
        char *out;
        int rc;

        if (!cf->sink.ready(cf->ctx))
            return TW_AGAIN;
        rc = tw__records_room(&cf->records, &out, &room);
        if (rc != TW_OK)
            return file_records_failed(cf, rc);
        n = n < room ? n : room;
        memcpy(out, bytes + *used, n);
        rc = tw__records_commit(&cf->records, n);
        if (rc != TW_OK)
            return file_records_failed(cf, rc);
        *used += n;
    }
    return TW_OK;
}

/* No ratio is enforced here: memory is flat, the consumer sets the pace and may stop,
 * and one layer of deflate cannot grow more than 1,032 times. Cohorts with equal
 * properties come close to 200. */
static int file_gzip(tw_cohort_file *cf, const char *bytes, size_t size, size_t *used)
{
    for (;;) {
        size_t took = 0;
        size_t made = 0;
        size_t room;
        char *out;
        int rc, run;

        if (!cf->sink.ready(cf->ctx))
            return TW_AGAIN;
        rc = tw__records_room(&cf->records, &out, &room);
        if (rc != TW_OK)
            return file_records_failed(cf, rc);
        run =
            tw__gunzip_run(cf->gz, bytes + *used, size - *used, &took, out, room, &made);
        *used += took;
        if (run < 0)
            return file_fail(cf, run,
                             run == TW_E_PROTOCOL ? tw__gunzip_reason(cf->gz) : NULL);
        rc = tw__records_commit(&cf->records, made);
        if (rc != TW_OK)
            return file_records_failed(cf, rc);
        if (run == TW_OK && *used == size && made < room)
            return TW_OK;
    }
}

/* Finds out what the file is by its first bytes; nonzero as long as one more is
 * needed. */
static int file_sniff(tw_cohort_file *cf, const char *bytes, size_t size)
{
    const char second = cf->half_magic ? bytes[0] : size > 1 ? bytes[1] : '\0';

    if (!cf->half_magic && bytes[0] != '\x1F') {
        cf->form = FORM_PLAIN;
        if (bytes[0] == '<' || bytes[0] == '{')
            file_fail(cf, TW_E_PROTOCOL, "was a web page or JSON, not CSV");
        return 0;
    }
    if (!cf->half_magic && size == 1) {
        cf->half_magic = 1;
        return 1;
    }
    cf->form = second == '\x8B' ? FORM_GZIP : FORM_PLAIN;
    return 0;
}

static int file_run(tw_cohort_file *cf, const char *bytes, size_t size, size_t *used)
{
    return cf->form == FORM_GZIP ? file_gzip(cf, bytes, size, used)
                                 : file_plain(cf, bytes, size, used);
}

int tw__cohort_file_feed(tw_cohort_file *cf, const char *bytes, size_t size, size_t *used)
{
    size_t first = 0;
    int rc;

    *used = 0;
    if (cf->form == FORM_UNKNOWN && size == 0)
        return cf->failure;
    if (cf->form == FORM_UNKNOWN && file_sniff(cf, bytes, size)) {
        *used = 1;
        return TW_OK;
    }
    if (cf->failure != 0)
        return cf->failure;
    if (cf->half_magic) {
        /* The byte that was kept back goes first. */
        rc = file_run(cf, "\x1F", 1, &first);
        cf->half_magic = first == 0;
        if (rc != TW_OK)
            return rc;
    }
    return file_run(cf, bytes, size, used);
}

int tw__cohort_file_finish(tw_cohort_file *cf)
{
    int rc;

    if (cf->failure != 0)
        return cf->failure;
    if (cf->form == FORM_UNKNOWN)
        return file_fail(cf, TW_E_PROTOCOL, "was empty");
    if (cf->form == FORM_GZIP && !tw__gunzip_between(cf->gz))
        return file_fail(cf, TW_E_PROTOCOL, "was cut off");
    if (cf->form == FORM_PLAIN && cf->open_ended)
        return file_fail(cf, TW_E_PROTOCOL,
                         "came without its length, and may have been cut off");
    rc = tw__records_finish(&cf->records);
    if (rc != TW_OK)
        return file_records_failed(cf, rc);
    return cf->has_header ? TW_OK : file_fail(cf, TW_E_PROTOCOL, "had no header");
}

int tw__cohort_file_error(const tw_cohort_file *cf, tw_error **err)
{
    if (cf->failure == TW_E_NOMEM)
        return tw__error_nomem(err);
    return tw__error(err, cf->failure, "the cohort file %s (record %llu)",
                     cf->reason != NULL ? cf->reason : "could not be handed out",
                     (unsigned long long)cf->records.count + 1);
}

int tw__cohort_file_new(tw_cohort_file **out, const tw_cohort_file_options *options,
                        const tw_cohort_file_sink *sink, void *ctx)
{
    tw_cohort_file *cf = tw__alloc_zero(1, sizeof *cf);
    int rc;

    *out = NULL;
    if (cf == NULL)
        return TW_E_NOMEM;
    cf->sink = *sink;
    cf->ctx = ctx;
    cf->open_ended = options->open_ended;
    tw__records_init(&cf->records, options->block_bytes, options->max_record_bytes,
                     file_emit, cf);
    rc = tw__gunzip_new(&cf->gz, options->inflate);
    if (rc != TW_OK) {
        tw__cohort_file_free(cf);
        return rc;
    }
    *out = cf;
    return TW_OK;
}

void tw__cohort_file_free(tw_cohort_file *cf)
{
    if (cf == NULL)
        return;
    tw__gunzip_free(cf->gz);
    tw__records_clear(&cf->records);
    tw__free(cf);
}
