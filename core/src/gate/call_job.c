/* SPDX-License-Identifier: MIT */
/* An ordinary call as a job: its reply is the whole answer. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gate/answer.h"
#include "gate/gate.h"

enum { VALUES_MOST = 4, REFUSAL_MOST = 400 };

typedef struct call_job {
    tw_job *job; /* alive while the call is: the I/O thread's reference */
    tw_gate *gate;
    tw_call *call;
    tw_call_spec spec; /* its pointers lead to the copies below */
    int reads;         /* there is a reading */
    tw_call_reading reading;
    const char *values[VALUES_MOST + 1];
    char *texts; /* all strings, one after the other */
    void *body;
    int stop; /* TW_E_CANCELED or TW_E_CLOSED once asked to stop */
} call_job;

static void call_job_release(void *state)
{
    call_job *cj = state;

    tw__free(cj->texts);
    tw__free(cj->body);
    tw__free(cj);
}

/* The reply out of a text that is copied. */
static tw_reply *reply_make(const call_job *cj, int status, const char *text, size_t size,
                            tw_error **err)
{
    char *body = tw__strndup(text, size);
    tw_reply *rsp = NULL;

    if (body == NULL || tw__reply_new(&rsp, status, body, size) != TW_OK) {
        tw__free(body);
        tw__error_nomem(err);
        return NULL;
    }
    tw__reply_set_form(rsp, cj->reading.form);
    return rsp;
}

/* An answer that is an error although its status does not say so, or says another. */
static tw_error *refusal_error(const call_job *cj, const tw_outcome *outcome, int code,
                               char *text)
{
    tw_error *err = NULL;

    tw__gate_redact(cj->gate, text);
    tw__error(&err, code, "%s: the answer with status %d was a refusal%s%s",
              tw__endpoint(cj->spec.endpoint)->name, outcome->head.status,
              text[0] != '\0' ? ": " : "", text);
    tw__error_set_http(err, outcome->head.status);
    tw__error_set_stored(err, outcome->stored == TW_STORED_MAYBE ? TW_STORED_MAYBE
                                                                 : TW_STORED_NO);
    return err;
}

static tw_reply *outcome_read(const call_job *cj, const tw_outcome *outcome,
                              tw_error **err)
{
    static const char existed[] = "{\"success\":true,\"existed\":true}";
    /* No text is documented for these (Amplitude Taxonomy API docs, read 2026-11-27). */
    int is_wordless = cj->spec.endpoint == TW_EP_TAXONOMY_USER_PROPERTY_CREATE;
    char text[REFUSAL_MOST];
    int code = TW_OK;

    if ((cj->reading.flags & TW_READING_EXISTING) != 0 && outcome->head.status == 409 &&
        tw__answer_exists(outcome->body, outcome->body_size, is_wordless))
        return reply_make(cj, outcome->head.status, existed, strlen(existed), err);
    if (cj->reads)
        code = tw__answer_refusal(text, sizeof text, outcome->body, outcome->body_size);
    /* What the status says counts where it says something. */
    if (outcome->err != NULL &&
        (code == TW_OK || tw_error_code(outcome->err) != TW_E_HTTP || code == TW_E_HTTP))
        *err = tw__error_copy(outcome->err);
    else if (code != TW_OK)
        *err = refusal_error(cj, outcome, code, text);
    else
        return reply_make(cj, outcome->head.status, outcome->body, outcome->body_size,
                          err);
    return NULL;
}

static void call_job_done(void *ctx, const tw_outcome *outcome)
{
    call_job *cj = ctx;
    tw_reply *rsp = NULL;
    tw_error *err = NULL;

    tw__job_count(cj->job, outcome->attempts, outcome->body_bytes);
    if (cj->stop != 0) {
        tw__error(&err, cj->stop, "%s: the call was %s",
                  tw__endpoint(cj->spec.endpoint)->name,
                  cj->stop == TW_E_CLOSED ? "ended: the client was closed" : "cancelled");
        tw__error_set_stored(err, outcome->stored);
    } else {
        rsp = outcome_read(cj, outcome, &err);
    }
    tw__job_finish(cj->job, rsp, err);
}

static void call_job_start(tw_job *job, void *state)
{
    static const tw_call_sink sink = {NULL, NULL, call_job_done};
    call_job *cj = state;
    tw_error *err = NULL;

    cj->job = job;
    tw__job_set_phase(job, "requested");
    if (tw__call_start(&cj->call, cj->gate, &cj->spec, &sink, cj, &err) != TW_OK)
        tw__job_finish(job, NULL, err);
}

static void call_job_cancel(tw_job *job, void *state, int code)
{
    call_job *cj = state;

    (void)job;
    if (cj->call == NULL)
        return;
    cj->stop = code;
    tw__call_cancel(cj->call); /* done() finishes the job */
}

/* Copies `text` to `*at` and moves on; NULL stays NULL. */
static const char *text_take(char **at, const char *text)
{
    size_t size;
    char *copy = *at;

    if (text == NULL)
        return NULL;
    size = strlen(text) + 1;
    memcpy(copy, text, size);
    *at += size;
    return copy;
}

static size_t text_room(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static int spec_copy(call_job *cj, const tw_call_spec *spec)
{
    size_t room = text_room(spec->query) + text_room(spec->url) +
                  text_room(spec->content_type) + text_room(spec->content_encoding);
    size_t n = 0;
    size_t i;
    char *at;

    for (; spec->path_values != NULL && n < VALUES_MOST && spec->path_values[n] != NULL;
         n++)
        room += text_room(spec->path_values[n]);
    cj->texts = tw__alloc(room);
    if (cj->texts == NULL)
        return TW_E_NOMEM;
    cj->spec = *spec;
    cj->spec.headers = NULL; /* nobody gives any */
    at = cj->texts;
    for (i = 0; i < n; i++)
        cj->values[i] = text_take(&at, spec->path_values[i]);
    cj->spec.path_values = cj->values;
    cj->spec.query = text_take(&at, spec->query);
    cj->spec.url = text_take(&at, spec->url);
    cj->spec.content_type = text_take(&at, spec->content_type);
    cj->spec.content_encoding = text_take(&at, spec->content_encoding);
    if (spec->body != NULL) {
        cj->body = tw__strndup(spec->body, spec->body_size);
        if (cj->body == NULL)
            return TW_E_NOMEM;
        cj->spec.body = cj->body;
    }
    return TW_OK;
}

int tw__call_job_start(tw_job **out, tw_gate *gate, const tw_call_spec *spec,
                       const tw_call_reading *reading, tw_queue *queue, tw_error **err)
{
    static const tw_job_kind kind = {call_job_start, call_job_cancel, NULL,
                                     call_job_release};
    call_job *cj;
    int rc = tw__call_check(gate, spec, err);

    *out = NULL;
    if (rc != TW_OK)
        return rc;
    cj = tw__alloc_zero(1, sizeof *cj);
    if (cj == NULL)
        return tw__error_nomem(err);
    cj->gate = gate;
    cj->reads = reading != NULL;
    if (reading != NULL)
        cj->reading = *reading;
    if (spec_copy(cj, spec) != TW_OK) {
        call_job_release(cj);
        return tw__error_nomem(err);
    }
    return tw__job_start(out, tw__gate_loop(gate), queue, &kind, cj, err);
}
