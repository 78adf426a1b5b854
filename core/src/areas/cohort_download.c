/* SPDX-License-Identifier: MIT */
/* The download job of a cohort: request, poll, file. */
#include <string.h>

#include "areas/cohort_answer.h"
#include "areas/cohort_file.h"
#include "areas/cohorts.h"
#include "areas/ids.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "export/intake.h"
#include "gate/retry.h"
#include "net/url.h"

enum {
    READY_BLOCKS = 3,
    POLL_FAILURES = 5, /* in a row, each after the gate's own attempts */
    FILE_ASKS = 5, /* a link to the storage lives one minute, the request seven days */
    QUERY_MOST = 32 * 1024,
    SHOWN_ID = 60 /* bytes of an id in a message */
};

typedef enum download_stage {
    STAGE_REQUEST,
    STAGE_POLL,
    STAGE_FILE,
    STAGE_STORAGE
} download_stage;

typedef struct download {
    tw_job *job; /* borrowed: alive until it is finished */
    tw_gate *gate;
    tw_call *call;
    tw_timer wait;     /* until the next poll, or until the file is asked for again */
    tw_timer deadline; /* until the file begins to arrive */
    int64_t until_ms;
    download_stage stage;
    tw_poll_settings poll;
    char *id; /* of the cohort; NULL when resumed by request id */
    char *query;
    char *request_id; /* NULL until known */
    int64_t pause_ms; /* before the next poll, without jitter */
    int failures;
    int asks;
    tw_cohort_file *file;
    tw_intake intake;
    int streaming; /* this answer's body goes to the decoder */
    int pushed;    /* records were handed out: no second file any more */
    int arrived;   /* the transfer is over, the decoder may still be full */
    int stop;      /* TW_E_CANCELED, TW_E_CLOSED or TW_E_TIMEOUT once it has to end */
    tw_error *err; /* why head() or data() gave up */
} download;

/* ---- the end ----------------------------------------------------------------------- */

/* `err` is taken; NULL for a good end. The state may be gone on return. */
static void download_finish(download *dl, tw_error *err)
{
    tw__timer_disarm(tw__gate_loop(dl->gate), &dl->wait);
    tw__timer_disarm(tw__gate_loop(dl->gate), &dl->deadline);
    tw__job_finish(dl->job, NULL, err);
}

/* A copy of `from` that says which request it is about. */
static tw_error *download_error(const download *dl, const tw_error *from)
{
    tw_error *err = NULL;

    if (dl->request_id == NULL || tw_error_code(from) == TW_E_NOMEM)
        return tw__error_copy(from);
    tw__error(&err, tw_error_code(from), "%s (cohort request '%.*s')",
              tw_error_message(from), SHOWN_ID, dl->request_id);
    tw__error_set_http(err, tw_error_http_status(from));
    tw__error_set_retry_after(err, tw_error_retry_after_ms(from));
    tw__error_set_retriable(err, tw_error_retriable(from));
    return err;
}

static void download_fail(download *dl, const tw_error *from)
{
    download_finish(dl, download_error(dl, from));
}

static void download_finish_stopped(download *dl, tw_stored stored)
{
    tw_error *err = NULL;
    const char *id = dl->request_id != NULL ? dl->request_id : "";

    if (dl->stop != TW_E_TIMEOUT)
        tw__error(&err, dl->stop, "the cohort download was stopped%s%.*s%s",
                  *id != '\0' ? " (cohort request '" : "", SHOWN_ID, id,
                  *id != '\0' ? "')" : "");
    else if (*id == '\0')
        tw__error(&err, dl->stop, "the cohort request was not answered within %lld ms",
                  (long long)dl->poll.timeout_ms);
    else
        tw__error(
            &err, dl->stop,
            "cohort request '%.*s' was not done after %lld ms: it can be resumed by this "
            "id for 7 days",
            SHOWN_ID, id, (long long)dl->poll.timeout_ms);
    tw__error_set_stored(err, stored);
    download_finish(dl, err);
}

/* Ends it from outside: done() of the call in flight finishes the job, or nobody else
 * does. */
static void download_stop(download *dl, int code)
{
    dl->stop = code;
    if (dl->call != NULL)
        tw__call_cancel(dl->call);
    else
        download_finish_stopped(dl, TW_STORED_NO);
}

/* ---- calls ------------------------------------------------------------------------- */

static int download_head(void *ctx, const tw_head *head);
static int download_data(void *ctx, const char *bytes, size_t size);
static void download_done(void *ctx, const tw_outcome *outcome);

static const tw_call_sink plain_sink = {NULL, NULL, download_done};
static const tw_call_sink file_sink = {download_head, download_data, download_done};

static void download_call(download *dl, download_stage stage, const char *url)
{
    const char *values[2] = {dl->request_id, NULL};
    tw_call_spec spec;
    tw_error *err = NULL;

    memset(&spec, 0, sizeof spec);
    spec.path_values = values;
    dl->stage = stage;
    dl->streaming = 0;
    switch (stage) {
    case STAGE_REQUEST:
        spec.endpoint = TW_EP_COHORT_REQUEST;
        spec.query = dl->query;
        values[0] = dl->id;
        break;
    case STAGE_POLL:
        spec.endpoint = TW_EP_COHORT_STATUS;
        break;
    case STAGE_FILE:
        spec.endpoint = TW_EP_COHORT_FILE;
        spec.flags = TW_CALL_SHOW_REDIRECT;
        spec.timeout_ms = -1; /* the size is unknown: only standing still is given up */
        break;
    case STAGE_STORAGE:
        spec.endpoint = TW_EP_COHORT_FILE;
        spec.flags = TW_CALL_FOREIGN;
        spec.path_values = NULL;
        spec.url = url;
        spec.timeout_ms = -1;
        break;
    }
    if (tw__call_start(&dl->call, dl->gate, &spec,
                       stage == STAGE_FILE || stage == STAGE_STORAGE ? &file_sink
                                                                     : &plain_sink,
                       dl, &err) == TW_OK)
        return;
    download_fail(dl, err);
    tw_error_free(err);
}

static void download_wait(download *dl, int64_t wait_ms)
{
    tw_error *err = NULL;

    if (tw__timer_arm(tw__gate_loop(dl->gate), &dl->wait,
                      tw__ms_add(tw__monotonic_ms(), wait_ms)) == TW_OK)
        return;
    tw__error_nomem(&err);
    download_finish(dl, err);
}

/* Between half and all of the pause, which grows by half each time: many that wait for
 * jobs started together do not ask together. */
static void download_poll_later(download *dl, int64_t least_ms)
{
    int64_t half = dl->pause_ms / 2;
    int64_t wait = dl->pause_ms - half + (int64_t)tw__random_below((uint64_t)half + 1);

    dl->pause_ms += half + 1;
    if (dl->pause_ms > dl->poll.most_ms)
        dl->pause_ms = dl->poll.most_ms;
    dl->stage = STAGE_POLL;
    tw__job_set_phase(dl->job, "polling");
    download_wait(dl, wait > least_ms ? wait : least_ms);
}

static void download_ask_file(download *dl)
{
    dl->asks++;
    download_call(dl, STAGE_FILE, NULL);
}

static void download_waited(tw_timer *timer)
{
    download *dl = TW_CONTAINER(timer, download, wait);

    if (dl->stage == STAGE_POLL)
        download_call(dl, STAGE_POLL, NULL);
    else
        download_ask_file(dl);
}

static void download_late(tw_timer *timer)
{
    download_stop(TW_CONTAINER(timer, download, deadline), TW_E_TIMEOUT);
}

/* ---- answers ----------------------------------------------------------------------- */

static void download_requested(download *dl, const tw_outcome *outcome)
{
    tw_error *err = NULL;

    if (tw__cohort_request_read(&dl->request_id, outcome, &err) != TW_OK) {
        download_finish(dl, err);
        return;
    }
    tw__job_set_id(dl->job, dl->request_id);
    download_poll_later(dl, 0);
}

static void download_polled(download *dl, const tw_outcome *outcome)
{
    tw_error *err = NULL;
    int rc = tw__cohort_status_read(dl->request_id, outcome, &err);

    dl->failures = 0;
    if (rc == TW_AGAIN) {
        download_poll_later(dl, 0);
    } else if (rc == TW_OK) {
        download_ask_file(dl);
    } else {
        download_fail(dl, err);
        tw_error_free(err);
    }
}

/* The gate has made its attempts; what may pass is waited for, the job goes on without
 * us. */
static void download_poll_failed(download *dl, const tw_error *err)
{
    int64_t least = tw__retry_heed(tw_error_retry_after_ms(err));

    if (tw_error_retriable(err) && ++dl->failures < POLL_FAILURES)
        download_poll_later(dl, least > 0 ? least : 0);
    else
        download_fail(dl, err);
}

/* ---- the file ---------------------------------------------------------------------- */

static int download_emit(void *ctx, char *data, size_t size)
{
    download *dl = ctx;
    tw_block *block;
    int rc = tw__block_new(&block, data, size);

    if (rc != TW_OK) {
        tw__free(data);
        return rc;
    }
    dl->pushed = 1;
    tw__job_push(dl->job, block);
    return TW_OK;
}

static int download_ready(void *ctx)
{
    download *dl = ctx;

    return tw__job_ready_blocks(dl->job) < READY_BLOCKS;
}

static int download_feed(void *ctx, const char *bytes, size_t size, size_t *used)
{
    download *dl = ctx;

    return tw__cohort_file_feed(dl->file, bytes, size, used);
}

static int download_open_file(download *dl, const tw_head *head)
{
    static const tw_cohort_file_sink sink = {download_emit, download_ready};
    tw_cohort_file_options options = TW_COHORT_FILE_OPTIONS_INIT;

    options.open_ended = head->open_ended;
    tw__cohort_file_free(dl->file);
    dl->file = NULL;
    tw__intake_clear(&dl->intake);
    return tw__cohort_file_new(&dl->file, &options, &sink, dl);
}

static int is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 ||
           status == 308;
}

static int download_head(void *ctx, const tw_head *head)
{
    download *dl = ctx;

    tw_error_free(dl->err); /* of an attempt that the gate repeated */
    dl->err = NULL;
    if (dl->stage == STAGE_FILE && is_redirect(head->status))
        return TW_OK;
    if (head->status != 200)
        return tw__error(&dl->err, TW_E_PROTOCOL,
                         "the cohort file was answered with status %d", head->status);
    if (head->content_encoding[0] != '\0' &&
        strcmp(head->content_encoding, "gzip") != 0 &&
        strcmp(head->content_encoding, "identity") != 0)
        return tw__error(&dl->err, TW_E_PROTOCOL,
                         "the cohort file came with the content encoding \"%.32s\"",
                         head->content_encoding);
    if (download_open_file(dl, head) != TW_OK)
        return tw__error_nomem(&dl->err);
    dl->streaming = 1;
    tw__timer_disarm(tw__gate_loop(dl->gate), &dl->deadline);
    tw__job_set_phase(dl->job, "streaming");
    return TW_DONE;
}

static int download_data(void *ctx, const char *bytes, size_t size)
{
    download *dl = ctx;
    int rc = tw__intake_data(&dl->intake, bytes, size);

    if (rc < 0)
        tw__cohort_file_error(dl->file, &dl->err);
    else if (rc != TW_AGAIN)
        tw__job_count(dl->job, 0, size);
    return rc;
}

/* The transfer is over and the decoder has taken all of it. */
static void download_complete(download *dl)
{
    tw_error *err = NULL;

    if (tw__cohort_file_finish(dl->file) == TW_OK) {
        download_finish(dl, NULL);
        return;
    }
    tw__cohort_file_error(dl->file, &err);
    download_fail(dl, err);
    tw_error_free(err);
}

/* A link that has expired (403 at the storage), or a file that broke before a record
 * was handed out: a fresh link is had from the request. The gate's own repeats do not
 * help with either. */
static int download_may_ask_again(const download *dl, const tw_error *err)
{
    int code = tw_error_code(err);

    if (dl->pushed || dl->asks >= FILE_ASKS || tw__monotonic_ms() >= dl->until_ms)
        return 0;
    if (dl->stage == STAGE_STORAGE && tw_error_http_status(err) == 403)
        return 1;
    return (dl->streaming || dl->stage == STAGE_STORAGE) &&
           (code == TW_E_NETWORK || code == TW_E_TIMEOUT || code == TW_E_SERVER);
}

static void download_file_failed(download *dl, const tw_error *from)
{
    tw_error *err = NULL;

    /* The deadline was over when the file began, and counts again. */
    if (download_may_ask_again(dl, from) &&
        tw__timer_arm(tw__gate_loop(dl->gate), &dl->deadline, dl->until_ms) == TW_OK) {
        dl->stage = STAGE_FILE;
        download_wait(dl, tw__retry_delay(dl->asks + 1, -1));
        return;
    }
    /* Our keys never went there: this is no failure of authentication. */
    if (dl->stage == STAGE_STORAGE && tw_error_code(from) == TW_E_AUTH) {
        tw__error(&err, TW_E_JOB, "the storage refused %d links in turn (status %d)",
                  dl->asks, tw_error_http_status(from));
        tw__error_set_http(err, tw_error_http_status(from));
        from = err;
    }
    download_fail(dl, from);
    tw_error_free(err);
}

static void download_file_arrived(download *dl, const tw_outcome *outcome)
{
    if (dl->stage == STAGE_FILE && is_redirect(outcome->head.status)) {
        download_call(dl, STAGE_STORAGE, outcome->head.location);
        return;
    }
    dl->arrived = 1;
    if (!dl->intake.full)
        download_complete(dl);
}

/* ---- how calls end ----------------------------------------------------------------- */

static void download_done(void *ctx, const tw_outcome *outcome)
{
    download *dl = ctx;
    tw_error *own = dl->err;
    const tw_error *err = own != NULL ? own : outcome->err;

    dl->err = NULL;
    tw__job_count(dl->job, outcome->attempts, 0);
    if (dl->stop !=
        0) /* a request may have started a job, which counts; the rest only reads */
        download_finish_stopped(dl, dl->stage == STAGE_REQUEST ? outcome->stored
                                                               : TW_STORED_NO);
    else if (dl->stage == STAGE_REQUEST && err != NULL)
        download_fail(dl, err);
    else if (dl->stage == STAGE_REQUEST)
        download_requested(dl, outcome);
    else if (dl->stage == STAGE_POLL && err != NULL)
        download_poll_failed(dl, err);
    else if (dl->stage == STAGE_POLL)
        download_polled(dl, outcome);
    else if (err != NULL)
        download_file_failed(dl, err);
    else
        download_file_arrived(dl, outcome);
    tw_error_free(own);
}

/* ---- the job ----------------------------------------------------------------------- */

static void download_begin(tw_job *job, void *state)
{
    download *dl = state;
    tw_error *err = NULL;

    dl->job = job;
    tw__job_set_phase(job, "requested");
    dl->until_ms = tw__ms_add(tw__monotonic_ms(), dl->poll.timeout_ms);
    if (tw__timer_arm(tw__gate_loop(dl->gate), &dl->deadline, dl->until_ms) != TW_OK) {
        tw__error_nomem(&err);
        download_finish(dl, err);
    } else if (dl->request_id != NULL) {
        tw__job_set_id(job, dl->request_id);
        tw__job_set_phase(job, "polling");
        download_call(dl, STAGE_POLL, NULL);
    } else {
        download_call(dl, STAGE_REQUEST, NULL);
    }
}

static void download_cancel(tw_job *job, void *state, int code)
{
    if (!tw__job_finished(job))
        download_stop(state, code);
}

static void download_drained(tw_job *job, void *state)
{
    download *dl = state;
    tw_error *err = NULL;
    int resume;
    int rc;

    if (tw__job_finished(job) || !dl->streaming || dl->file == NULL)
        return;
    rc = tw__intake_drained(&dl->intake, &resume);
    if (rc == TW_AGAIN)
        return;
    if (rc < 0 && dl->call != NULL) {
        tw__cohort_file_error(dl->file, &dl->err);
        tw__call_cancel(dl->call); /* done() finishes with our reason */
    } else if (rc < 0) {
        tw__cohort_file_error(dl->file, &err);
        download_fail(dl, err);
        tw_error_free(err);
    } else if (dl->arrived) {
        download_complete(dl);
    } else if (resume) {
        tw__call_resume(dl->call);
    }
}

static void download_release(void *state)
{
    download *dl = state;

    tw__cohort_file_free(dl->file);
    tw__intake_clear(&dl->intake);
    tw_error_free(dl->err);
    tw__free(dl->id);
    tw__free(dl->query);
    tw__free(dl->request_id);
    tw__free(dl);
}

static const tw_job_kind download_kind = {download_begin, download_cancel,
                                          download_drained, download_release};

/* ---- starting ---------------------------------------------------------------------- */

static int download_query(download *dl, const tw_cohort_download_options *options,
                          tw_error **err)
{
    tw_buf query;
    size_t i;
    int rc;

    if (!options->props && options->prop_keys != NULL && options->prop_keys[0] != NULL)
        return tw__error_at(
            err, TW_E_VALIDATION, "prop_keys",
            "prop_keys was given without props: no properties are asked for");
    tw__buf_init(&query, QUERY_MOST);
    rc = tw__buf_puts(&query, options->props ? "props=1" : "props=0");
    for (i = 0;
         rc == TW_OK && options->prop_keys != NULL && options->prop_keys[i] != NULL;
         i++) {
        const char *key = options->prop_keys[i];
        const char *fault = tw__text_fault(key, strlen(key));

        if (fault != NULL) {
            tw__buf_clear(&query);
            return tw__error_at(err, TW_E_VALIDATION, "prop_keys", "prop_keys[%zu] %s", i,
                                fault);
        }
        rc = tw__buf_puts(&query, "&propKeys=");
        if (rc == TW_OK)
            rc = tw__url_encode(&query, key, strlen(key));
    }
    if (rc == TW_OK)
        dl->query = tw__buf_take(&query, NULL);
    tw__buf_clear(&query);
    if (rc == TW_E_TOO_LARGE)
        return tw__error_at(err, rc, "prop_keys", "prop_keys made a query over 32 KiB");
    return rc == TW_OK && dl->query != NULL ? TW_OK : tw__error_nomem(err);
}

/* What the first call would refuse is refused now. */
static int download_check(const download *dl, tw_error **err)
{
    const char *values[2] = {dl->request_id != NULL ? dl->request_id : dl->id, NULL};
    tw_call_spec spec;

    if (values[0] == NULL || values[0][0] == '\0') {
        const char *field =
            values[0] != NULL && dl->request_id != NULL ? "request_id" : "id";

        return tw__error_at(err, TW_E_VALIDATION, field, "%s was missing", field);
    }
    memset(&spec, 0, sizeof spec);
    spec.endpoint = dl->request_id != NULL ? TW_EP_COHORT_STATUS : TW_EP_COHORT_REQUEST;
    spec.path_values = values;
    return tw__call_check(dl->gate, &spec, err);
}

static int download_fill(download *dl, const tw_poll_settings *settings, const char *id,
                         const tw_cohort_download_options *options, tw_error **err)
{
    dl->wait.fire = download_waited;
    dl->deadline.fire = download_late;
    tw__intake_init(&dl->intake, download_feed, dl);
    dl->poll = *settings;
    if (options->poll_first_ms < 0 || options->timeout_ms < 0)
        return tw__error_at(err, TW_E_INVALID, "timeout",
                            "a time of the options was negative");
    if (options->poll_first_ms > 0)
        dl->poll.first_ms = options->poll_first_ms;
    if (options->timeout_ms > 0)
        dl->poll.timeout_ms = options->timeout_ms;
    if (dl->poll.most_ms < dl->poll.first_ms)
        dl->poll.most_ms = dl->poll.first_ms;
    dl->pause_ms = dl->poll.first_ms;
    dl->id = tw__strdup(id);
    dl->request_id = tw__strdup(options->request_id);
    if ((id != NULL && dl->id == NULL) ||
        (options->request_id != NULL && dl->request_id == NULL))
        return tw__error_nomem(err);
    return download_query(dl, options, err);
}

int tw__cohort_download_start(tw_job **out, tw_gate *gate,
                              const tw_poll_settings *settings, const char *id,
                              const tw_cohort_download_options *options, tw_queue *queue,
                              tw_error **err)
{
    tw_cohort_download_options own = TW_COHORT_DOWNLOAD_OPTIONS_INIT;
    download *dl = tw__alloc_zero(1, sizeof *dl);
    int rc;

    *out = NULL;
    if (dl == NULL)
        return tw__error_nomem(err);
    dl->gate = gate;
    if (options != NULL)
        memcpy(&own, options, options->size < sizeof own ? options->size : sizeof own);
    rc = download_fill(dl, settings, id, &own, err);
    if (rc == TW_OK)
        rc = download_check(dl, err);
    if (rc != TW_OK) {
        download_release(dl);
        return rc;
    }
    return tw__job_start(out, tw__gate_loop(gate), queue, &download_kind, dl, err);
}
