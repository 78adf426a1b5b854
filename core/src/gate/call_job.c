/* SPDX-License-Identifier: MIT */
/* An ordinary call as a job: its reply is the whole answer. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gate/gate.h"

enum { VALUES_MOST = 4 };

typedef struct call_job {
    tw_job *job; /* alive while the call is: the I/O thread's reference */
    tw_gate *gate;
    tw_call *call;
    tw_call_spec spec; /* its pointers lead to the copies below */
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
    } else if (outcome->err != NULL) {
        err = tw__error_copy(outcome->err);
    } else {
        char *body = tw__strndup(outcome->body, outcome->body_size);

        if (body == NULL || tw__reply_new(&rsp, outcome->head.status, body,
                                          outcome->body_size) != TW_OK) {
            tw__free(body);
            tw__error_nomem(&err);
        }
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
                       tw_queue *queue, tw_error **err)
{
    static const tw_job_kind kind = {call_job_start, call_job_cancel, NULL,
                                     call_job_release};
    call_job *cj;
    tw_job *job;
    int rc = tw__call_check(gate, spec, err);

    *out = NULL;
    if (rc != TW_OK)
        return rc;
    cj = tw__alloc_zero(1, sizeof *cj);
    if (cj == NULL)
        return tw__error_nomem(err);
    cj->gate = gate;
    rc = spec_copy(cj, spec) == TW_OK ? TW_OK : tw__error_nomem(err);
    if (rc == TW_OK)
        rc = tw__job_new(&job, tw__gate_loop(gate), queue, &kind, cj, err);
    if (rc != TW_OK) {
        call_job_release(cj);
        return rc;
    }
    rc = tw__job_submit(job, err);
    if (rc != TW_OK) {
        tw_job_unref(job);
        return rc;
    }
    *out = job;
    return TW_OK;
}
