/* SPDX-License-Identifier: MIT */
/* Uploads and memberships: lists of any length as requests of at most 100,000 ids, one
 * after the other. */
#include <string.h>

#include "areas/cohorts.h"
#include "areas/ids.h"
#include "areas/membership.h"
#include "base/alloc.h"
#include "base/error.h"

enum { SAMPLE_MOST = 100, SHOWN_ID = 60, FIXED_MOST = 64 * 1024 };
#define BODY_MOST ((size_t)1 << 31)

typedef struct cohort_write {
    tw_job *job; /* borrowed: alive until it is finished */
    tw_gate *gate;
    tw_call *call;
    int is_upload; /* its first part is an upload, the others are memberships */
    int replaces;  /* an upload into a cohort that exists: repeating it changes nothing */
    int only_checks; /* skip_save: no cohort comes of it */
    tw_ids *ids;
    size_t part;
    size_t sent; /* ids of the parts that are done */
    /* Bodies without their ids; the first of an upload is made at the start, the head
     * of the memberships once the cohort's id is known. */
    tw_buf upload_head;
    char *cohort_id;
    char *group;
    const char *id_type;   /* of memberships; static */
    const char *operation; /* static */
    int skip_invalid_ids;
    tw_buf body;
    tw_tally tally;
    int stop;
} cohort_write;

/* ---- the end ----------------------------------------------------------------------- */

static void write_finish(cohort_write *cw, tw_reply *rsp, tw_error *err)
{
    tw__job_finish(cw->job, rsp, err);
}

/* What failed, and how far the list had come: the caller can go on from `index`. */
static tw_error *write_error(const cohort_write *cw, const tw_error *from,
                             tw_stored stored)
{
    tw_error *err = NULL;
    int code = tw_error_code(from);

    if (code == TW_E_NOMEM)
        return tw__error_copy(from);
    if (cw->part != 0)
        tw__error(&err, code, "%s (cohort '%.*s': %zu of %zu ids were done)",
                  tw_error_message(from), SHOWN_ID, cw->cohort_id, cw->sent,
                  tw_ids_count(cw->ids));
    else if (cw->is_upload && !cw->replaces && stored == TW_STORED_MAYBE)
        tw__error(
            &err, code,
            "%s (the cohort may have been made: it has to be looked for by its name "
            "before the upload is repeated)",
            tw_error_message(from));
    else
        err = tw__error_copy(from);
    tw__error_set_http(err, tw_error_http_status(from));
    tw__error_set_retry_after(err, tw_error_retry_after_ms(from));
    tw__error_set_retriable(err, tw_error_retriable(from));
    tw__error_set_stored(err, stored);
    if (cw->part != 0)
        tw__error_set_index(err, (int64_t)cw->sent);
    return err;
}

static void write_fail(cohort_write *cw, const tw_error *from, tw_stored stored)
{
    write_finish(cw, NULL, write_error(cw, from, stored));
}

/* ---- replies ----------------------------------------------------------------------- */

static int compose_skipped(tw_buf *out, const tw_tally *tally)
{
    size_t size = tally->skipped_ids.size;

    return size == 0 ? TW_OK : tw__buf_put(out, tally->skipped_ids.data, size - 1);
}

static int compose_upload(tw_buf *out, const cohort_write *cw)
{
    int rc = tw__buf_puts(out, "{\"cohortId\":");

    if (rc == TW_OK)
        rc = tw__quote(out, cw->cohort_id, strlen(cw->cohort_id));
    if (rc == TW_OK)
        rc = tw__buf_printf(out,
                            ",\"metadata\":{\"matched\":%lld,\"totals\":%lld,"
                            "\"invalid_ids_sample\":[",
                            (long long)cw->tally.matched, (long long)cw->tally.totals);
    if (rc == TW_OK)
        rc = compose_skipped(out, &cw->tally);
    return rc == TW_OK ? tw__buf_puts(out, "]}}") : rc;
}

static int compose_membership(tw_buf *out, const cohort_write *cw)
{
    int rc = tw__buf_puts(out, "{\"cohort_id\":");

    if (rc == TW_OK)
        rc = tw__quote(out, cw->cohort_id, strlen(cw->cohort_id));
    if (rc == TW_OK)
        rc = tw__buf_puts(out, ",\"memberships_result\":[{\"skipped_ids\":[");
    if (rc == TW_OK)
        rc = compose_skipped(out, &cw->tally);
    return rc == TW_OK
               ? tw__buf_printf(out, "],\"id_type\":\"%s\",\"operation\":\"%s\"}]}",
                                cw->id_type, cw->operation)
               : rc;
}

/* One request: the server's own words. Several: one answer of the same form. */
static void write_reply(cohort_write *cw, const tw_outcome *outcome)
{
    tw_error *err = NULL;
    tw_reply *rsp = NULL;
    tw_buf text;
    char *body;
    size_t size = 0;
    int rc;

    tw__buf_init(&text, BODY_MOST);
    if (tw__ids_parts(cw->ids) == 1)
        rc = tw__buf_put(&text, outcome->body, outcome->body_size);
    else
        rc = cw->is_upload ? compose_upload(&text, cw) : compose_membership(&text, cw);
    body = rc == TW_OK ? tw__buf_take(&text, &size) : NULL;
    if (body == NULL || tw__reply_new(&rsp, outcome->head.status, body, size) != TW_OK) {
        tw__free(body);
        tw__error_nomem(&err);
    }
    tw__buf_clear(&text);
    write_finish(cw, rsp, err);
}

/* ---- requests ---------------------------------------------------------------------- */

static int put_member(tw_buf *buf, const char *name, const char *value)
{
    int rc = tw__buf_printf(buf, ",\"%s\":", name);

    return rc == TW_OK ? tw__quote(buf, value, strlen(value)) : rc;
}

static int membership_body(cohort_write *cw, const char *ids, size_t size)
{
    tw_buf *b = &cw->body;
    int rc = tw__buf_printf(b, "{\"skip_invalid_ids\":%s",
                            cw->skip_invalid_ids ? "true" : "false");

    if (rc == TW_OK)
        rc = put_member(b, "cohort_id", cw->cohort_id);
    if (rc == TW_OK && cw->group != NULL)
        rc = put_member(b, "count_group", cw->group);
    if (rc == TW_OK)
        rc = tw__buf_printf(
            b, ",\"memberships\":[{\"id_type\":\"%s\",\"operation\":\"%s\",\"ids\":[",
            cw->id_type, cw->operation);
    if (rc == TW_OK)
        rc = tw__buf_put(b, ids, size);
    return rc == TW_OK ? tw__buf_puts(b, "]}]}") : rc;
}

static int upload_body(cohort_write *cw, const char *ids, size_t size)
{
    int rc = tw__buf_put(&cw->body, cw->upload_head.data, cw->upload_head.size);

    if (rc == TW_OK)
        rc = tw__buf_puts(&cw->body, ",\"ids\":[");
    if (rc == TW_OK)
        rc = tw__buf_put(&cw->body, ids, size);
    return rc == TW_OK ? tw__buf_puts(&cw->body, "]}") : rc;
}

static void write_done(void *ctx, const tw_outcome *outcome);

static void write_next(cohort_write *cw)
{
    static const tw_call_sink sink = {NULL, NULL, write_done};
    int upload = cw->is_upload && cw->part == 0;
    tw_call_spec spec;
    tw_error *err = NULL;
    const char *text;
    size_t size;
    int rc;

    tw__ids_part(cw->ids, cw->part, &text, &size);
    tw__buf_reset(&cw->body);
    rc = upload ? upload_body(cw, text, size) : membership_body(cw, text, size);
    if (rc != TW_OK) {
        rc = tw__error_nomem(&err);
    } else {
        memset(&spec, 0, sizeof spec);
        spec.endpoint = upload ? TW_EP_COHORT_UPLOAD : TW_EP_COHORT_MEMBERSHIP;
        spec.content_type = "application/json";
        spec.body = cw->body.data;
        spec.body_size = cw->body.size;
        spec.flags = upload && cw->replaces ? TW_CALL_REPEATABLE : 0;
        rc = tw__call_start(&cw->call, cw->gate, &spec, &sink, cw, &err);
    }
    if (rc == TW_OK)
        return;
    write_fail(cw, err, TW_STORED_NO);
    tw_error_free(err);
}

/* ---- answers ----------------------------------------------------------------------- */

static int write_uploaded(cohort_write *cw, const tw_outcome *outcome, tw_error **err)
{
    int rc = tw__tally_upload(&cw->tally, outcome->body, outcome->body_size, err);

    if (rc != TW_OK)
        return rc;
    if (cw->tally.cohort_id == NULL && !cw->only_checks)
        return tw__error(err, TW_E_PROTOCOL, "the answer to the upload named no cohort");
    if (cw->cohort_id == NULL) {
        cw->cohort_id = cw->tally.cohort_id;
        cw->tally.cohort_id = NULL;
    }
    if (cw->cohort_id != NULL)
        tw__job_set_id(cw->job, cw->cohort_id);
    return TW_OK;
}

static int write_updated(cohort_write *cw, const tw_outcome *outcome, size_t ids,
                         tw_error **err)
{
    uint64_t before = cw->tally.skipped;
    int rc = tw__tally_membership(&cw->tally, outcome->body, outcome->body_size, err);

    if (rc != TW_OK)
        return rc;
    cw->tally.totals += (int64_t)ids;
    cw->tally.matched += (int64_t)ids - (int64_t)(cw->tally.skipped - before);
    return TW_OK;
}

static void write_done(void *ctx, const tw_outcome *outcome)
{
    cohort_write *cw = ctx;
    tw_error *err = NULL;
    const char *text;
    size_t size;
    size_t ids = tw__ids_part(cw->ids, cw->part, &text, &size);

    tw__job_count(cw->job, outcome->attempts, outcome->body_bytes);
    if (cw->stop != 0) {
        tw__error(&err, cw->stop, "the request was stopped");
        write_fail(cw, err, outcome->stored);
        tw_error_free(err);
        return;
    }
    if (outcome->err != NULL) {
        write_fail(cw, outcome->err, outcome->stored);
        return;
    }
    if (cw->is_upload && cw->part == 0)
        write_uploaded(cw, outcome, &err);
    else
        write_updated(cw, outcome, ids, &err);
    if (err != NULL) {
        write_fail(cw, err, TW_STORED_MAYBE);
        tw_error_free(err);
        return;
    }
    cw->sent += ids;
    cw->part++;
    if (cw->part == tw__ids_parts(cw->ids))
        write_reply(cw, outcome);
    else
        write_next(cw);
}

/* ---- the job ----------------------------------------------------------------------- */

static void write_begin(tw_job *job, void *state)
{
    cohort_write *cw = state;

    cw->job = job;
    tw__job_set_phase(job, "requested");
    if (cw->cohort_id != NULL)
        tw__job_set_id(job, cw->cohort_id);
    write_next(cw);
}

static void write_cancel(tw_job *job, void *state, int code)
{
    cohort_write *cw = state;

    if (tw__job_finished(job) || cw->call == NULL)
        return;
    cw->stop = code;
    tw__call_cancel(cw->call); /* done() finishes the job */
}

static void write_release(void *state)
{
    cohort_write *cw = state;

    tw_ids_free(cw->ids);
    tw__buf_clear(&cw->upload_head);
    tw__buf_clear(&cw->body);
    tw__tally_clear(&cw->tally);
    tw__free(cw->cohort_id);
    tw__free(cw->group);
    tw__free(cw);
}

static const tw_job_kind write_kind = {write_begin, write_cancel, NULL, write_release};

/* ---- starting ---------------------------------------------------------------------- */

static int check_text(const char *field, const char *text, tw_error **err)
{
    const char *fault;

    if (text == NULL)
        return tw__error_at(err, TW_E_VALIDATION, field, "%s was missing", field);
    fault = tw__text_fault(text, strlen(text));
    return fault == NULL
               ? TW_OK
               : tw__error_at(err, TW_E_VALIDATION, field, "%s %s", field, fault);
}

/* The one of two names that `text` is; NULL after an error. */
static const char *check_choice(const char *field, const char *text, const char *a,
                                const char *b, tw_error **err)
{
    if (text != NULL && strcmp(text, a) == 0)
        return a;
    if (text != NULL && strcmp(text, b) == 0)
        return b;
    tw__error_at(err, TW_E_VALIDATION, field,
                 "%s was \"%.40s\": it has to be \"%s\" or \"%s\"", field,
                 text != NULL ? text : "", a, b);
    return NULL;
}

static int check_ids(const tw_ids *ids, tw_error **err)
{
    if (ids == NULL || tw_ids_count(ids) == 0)
        return tw__error_at(err, TW_E_VALIDATION, "ids", "ids was empty");
    return TW_OK;
}

/* Starts the job; the ids are taken on success only. */
static int write_start(tw_job **out, cohort_write *cw, tw_ids *ids, tw_queue *queue,
                       tw_error **err)
{
    int rc = tw__job_new(out, tw__gate_loop(cw->gate), queue, &write_kind, cw, err);

    if (rc != TW_OK) {
        write_release(cw);
        return rc;
    }
    cw->ids = ids;
    rc = tw__job_submit(*out, err);
    if (rc == TW_OK)
        return TW_OK;
    cw->ids = NULL;
    tw_job_unref(*out);
    *out = NULL;
    return rc;
}

static cohort_write *write_new(tw_gate *gate)
{
    cohort_write *cw = tw__alloc_zero(1, sizeof *cw);

    if (cw == NULL)
        return NULL;
    cw->gate = gate;
    tw__buf_init(&cw->upload_head, FIXED_MOST);
    tw__buf_init(&cw->body, BODY_MOST);
    return cw;
}

static int upload_check(const tw_cohort_upload_options *o, const tw_ids *ids,
                        tw_error **err)
{
    int rc = check_text("name", o->name, err);

    if (rc == TW_OK && o->app_id <= 0)
        rc = tw__error_at(err, TW_E_VALIDATION, "app_id",
                          "app_id was %lld: it has to be the number of the project",
                          (long long)o->app_id);
    if (rc == TW_OK)
        rc = check_text("owner", o->owner, err);
    if (rc == TW_OK &&
        check_choice("id_type", o->id_type, "BY_AMP_ID", "BY_USER_ID", err) == NULL)
        rc = TW_E_VALIDATION;
    if (rc == TW_OK && o->group != NULL)
        rc = check_text("group", o->group, err);
    if (rc == TW_OK && o->existing_cohort_id != NULL)
        rc = check_text("existing_cohort_id", o->existing_cohort_id, err);
    if (rc == TW_OK)
        rc = check_ids(ids, err);
    if (rc == TW_OK && o->skip_save && tw__ids_parts(ids) > 1)
        rc = tw__error_at(err, TW_E_VALIDATION, "skip_save",
                          "skip_save checks one request: %zu ids are more than 100,000",
                          tw_ids_count(ids));
    return rc;
}

/* The body up to its ids. What the server takes for granted is not said. */
static int upload_head(cohort_write *cw, const tw_cohort_upload_options *o)
{
    tw_buf *b = &cw->upload_head;
    int rc =
        tw__buf_printf(b, "{\"app_id\":%lld,\"id_type\":\"%s\",\"published\":%s",
                       (long long)o->app_id, o->id_type, o->published ? "true" : "false");

    if (rc == TW_OK)
        rc = put_member(b, "name", o->name);
    if (rc == TW_OK)
        rc = put_member(b, "owner", o->owner);
    if (rc == TW_OK && o->group != NULL)
        rc = put_member(b, "cg", o->group);
    if (rc == TW_OK && o->existing_cohort_id != NULL)
        rc = put_member(b, "existing_cohort_id", o->existing_cohort_id);
    if (rc == TW_OK && o->skip_save)
        rc = tw__buf_puts(b, ",\"skip_save\":true");
    if (rc == TW_OK && !o->skip_invalid_ids)
        rc = tw__buf_puts(b, ",\"skip_invalid_ids\":false");
    return rc;
}

int tw__cohort_upload_start(tw_job **out, tw_gate *gate,
                            const tw_cohort_upload_options *options, tw_ids *ids,
                            tw_queue *queue, tw_error **err)
{
    tw_cohort_upload_options own = TW_COHORT_UPLOAD_OPTIONS_INIT;
    cohort_write *cw;
    int rc;

    *out = NULL;
    if (options != NULL)
        memcpy(&own, options, options->size < sizeof own ? options->size : sizeof own);
    rc = upload_check(&own, ids, err);
    if (rc == TW_OK)
        rc = tw__gate_allows(gate, TW_EP_COHORT_UPLOAD, err);
    if (rc != TW_OK)
        return rc;
    cw = write_new(gate);
    if (cw == NULL)
        return tw__error_nomem(err);
    tw__tally_init(&cw->tally, SAMPLE_MOST);
    cw->is_upload = 1;
    cw->replaces = own.existing_cohort_id != NULL;
    cw->only_checks = own.skip_save;
    cw->cohort_id = tw__strdup(own.existing_cohort_id);
    cw->group = tw__strdup(own.group);
    /* The same two kinds of ids under other names. */
    cw->id_type = strcmp(own.id_type, "BY_AMP_ID") == 0 ? "BY_ID" : "BY_NAME";
    cw->operation = "ADD";
    cw->skip_invalid_ids = own.skip_invalid_ids;
    rc = upload_head(cw, &own);
    if (rc == TW_E_TOO_LARGE) {
        write_release(cw);
        return tw__error_at(err, rc, "name", "the texts of the upload were over 64 KiB");
    }
    if (rc != TW_OK || (own.group != NULL && cw->group == NULL) ||
        (own.existing_cohort_id != NULL && cw->cohort_id == NULL)) {
        write_release(cw);
        return tw__error_nomem(err);
    }
    return write_start(out, cw, ids, queue, err);
}

int tw__cohort_update_start(tw_job **out, tw_gate *gate, const char *id,
                            const char *id_type, const char *operation,
                            int skip_invalid_ids, tw_ids *ids, tw_queue *queue,
                            tw_error **err)
{
    cohort_write *cw;
    int rc;

    *out = NULL;
    rc = check_text("id", id, err);
    if (rc != TW_OK)
        return rc;
    id_type = check_choice("id_type", id_type, "BY_ID", "BY_NAME", err);
    if (id_type == NULL)
        return TW_E_VALIDATION;
    operation = check_choice("operation", operation, "ADD", "REMOVE", err);
    if (operation == NULL)
        return TW_E_VALIDATION;
    rc = check_ids(ids, err);
    if (rc == TW_OK)
        rc = tw__gate_allows(gate, TW_EP_COHORT_MEMBERSHIP, err);
    if (rc != TW_OK)
        return rc;
    cw = write_new(gate);
    if (cw == NULL)
        return tw__error_nomem(err);
    tw__tally_init(&cw->tally, TW_IDS_PER_COHORT);
    cw->id_type = id_type;
    cw->operation = operation;
    cw->skip_invalid_ids = skip_invalid_ids;
    cw->cohort_id = tw__strdup(id);
    if (cw->cohort_id == NULL) {
        write_release(cw);
        return tw__error_nomem(err);
    }
    return write_start(out, cw, ids, queue, err);
}
