/* SPDX-License-Identifier: MIT */
/* The export job: call, archive, blocks. */
#include "export/export.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "export/archive.h"
#include "export/intake.h"
#include "export/window.h"
#include "gate/answer.h"
#include "gate/retry.h"

enum { READY_BLOCKS = 3 };
/* Below 64 bytes a block is all overhead; above 256 MiB it is no stream. */
enum { BLOCK_MIN = 64, BLOCK_MAX = 256 << 20 };

typedef struct export_job {
    tw_job *job; /* borrowed: alive until it is finished */
    tw_gate *gate;
    tw_call *call;
    tw_timer retry;
    char query[2 * TW_HOUR_TEXT + 16];
    tw_archive_options options;
    size_t ready_blocks;
    tw_archive *ar;
    tw_intake intake;
    int attempts;
    int streaming; /* this attempt's body has begun */
    int pushed;    /* rows were handed out: from here on no second attempt */
    int arrived;   /* the transfer is over, the decoder may still be full */
    int stop;      /* TW_E_CANCELED or TW_E_CLOSED once asked to stop */
    tw_error *err; /* why data() or head() gave up */
} export_job;

/* ---- blocks ------------------------------------------------------------------------ */

static int export_emit(void *ctx, char *data, size_t size)
{
    export_job *ex = ctx;
    tw_block *block;
    int rc = tw__block_new(&block, data, size);

    if (rc != TW_OK) {
        tw__free(data);
        return rc;
    }
    ex->pushed = 1;
    tw__job_push(ex->job, block);
    return TW_OK;
}

static int export_ready(void *ctx)
{
    export_job *ex = ctx;

    return tw__job_ready_blocks(ex->job) < ex->ready_blocks;
}

static int export_feed(void *ctx, const char *bytes, size_t size, size_t *used)
{
    export_job *ex = ctx;

    return tw__archive_feed(ex->ar, bytes, size, used);
}

static const tw_archive_sink export_archive_sink = {export_emit, export_ready};

/* ---- the end ----------------------------------------------------------------------- */

/* `err` is taken; NULL for a good end. The state may be gone on return. */
static void export_finish(export_job *ex, tw_error *err)
{
    tw__timer_disarm(tw__gate_loop(ex->gate), &ex->retry);
    tw__job_finish(ex->job, NULL, err);
}

/* ---- the call ---------------------------------------------------------------------- */

static int export_head(void *ctx, const tw_head *head)
{
    export_job *ex = ctx;

    tw_error_free(ex->err); /* of an attempt that the gate repeated */
    ex->err = NULL;
    if (head->status != 200)
        return tw__error(&ex->err, TW_E_PROTOCOL,
                         "the export was answered with status %d", head->status);
    if (head->content_encoding[0] != '\0' &&
        strcmp(head->content_encoding, "identity") != 0)
        return tw__error(&ex->err, TW_E_PROTOCOL,
                         "the export archive came with the content encoding \"%.32s\"",
                         head->content_encoding);
    ex->streaming = 1;
    tw__job_set_phase(ex->job, "streaming");
    /* An error with status 200 has been seen in the wild: its text is worth having. */
    return strncmp(head->content_type, "application/json", 16) == 0 ? TW_OK : TW_DONE;
}

static int export_data(void *ctx, const char *bytes, size_t size)
{
    export_job *ex = ctx;
    int rc = tw__intake_data(&ex->intake, bytes, size);

    if (rc < 0)
        tw__archive_error(ex->ar, &ex->err);
    else if (rc != TW_AGAIN)
        tw__job_count(ex->job, 0, size);
    return rc;
}

/* 404 says that the window holds no data (Amplitude Export API docs, read 2026-11-23);
 * a web page with that status says that this is not the API. */
static int export_is_empty(const tw_outcome *outcome)
{
    return tw_error_http_status(outcome->err) == 404 &&
           strncmp(outcome->head.content_type, "text/html", 9) != 0;
}

static tw_error *export_outcome_error(export_job *ex, const tw_outcome *outcome)
{
    tw_error *err = ex->err;
    char detail[256];

    ex->err = NULL;
    if (err != NULL)
        return err;
    if (outcome->err != NULL)
        return tw__error_copy(outcome->err);
    if (strncmp(outcome->head.content_type, "application/json", 16) == 0) {
        tw__answer_text(detail, sizeof detail, outcome->body, outcome->body_size);
        tw__gate_redact(ex->gate, detail);
        tw__error(&err, TW_E_PROTOCOL,
                  "the export was answered with JSON, not an archive%s%s",
                  detail[0] != '\0' ? ": " : "", detail);
    }
    return err;
}

/* The gate repeats what fails before a body begins. A body that breaks, or is no
 * archive, is asked for again as long as no row was handed out: bytes of two answers
 * are never mixed. */
static int export_may_repeat(const export_job *ex, const tw_error *err)
{
    int code = tw_error_code(err);

    return ex->stop == 0 && ex->streaming && !ex->pushed &&
           ex->attempts < TW_RETRY_ATTEMPTS &&
           (code == TW_E_NETWORK || code == TW_E_TIMEOUT || code == TW_E_PROTOCOL);
}

static void export_repeat_later(export_job *ex)
{
    int64_t wait = tw__retry_delay(ex->attempts + 1, -1);

    tw__archive_free(ex->ar);
    ex->ar = NULL;
    tw__intake_clear(&ex->intake);
    tw__job_set_phase(ex->job, "waiting");
    if (tw__timer_arm(tw__gate_loop(ex->gate), &ex->retry,
                      tw__ms_add(tw__monotonic_ms(), wait)) != TW_OK) {
        tw_error *err = NULL;

        tw__error_nomem(&err);
        export_finish(ex, err);
    }
}

/* `err` is taken. */
static void export_fail(export_job *ex, tw_error *err)
{
    if (!export_may_repeat(ex, err)) {
        export_finish(ex, err);
        return;
    }
    tw_error_free(err);
    export_repeat_later(ex);
}

/* The transfer is over and the decoder has taken all of it. */
static void export_complete(export_job *ex)
{
    tw_error *err = NULL;

    if (tw__archive_finish(ex->ar) == TW_OK) {
        export_finish(ex, NULL);
        return;
    }
    tw__archive_error(ex->ar, &err);
    export_fail(ex, err);
}

static void export_done(void *ctx, const tw_outcome *outcome)
{
    export_job *ex = ctx;
    tw_error *err;

    tw__job_count(ex->job, outcome->attempts, 0);
    if (export_is_empty(outcome) && ex->stop == 0) {
        export_finish(ex, NULL);
        return;
    }
    err = export_outcome_error(ex, outcome);
    if (ex->stop != 0)
        tw__error(&err, ex->stop, "the export was stopped before its end");
    if (err == NULL) {
        ex->arrived = 1;
        if (!ex->intake.full)
            export_complete(ex);
    } else {
        export_fail(ex, err);
    }
}

static const tw_call_sink export_sink = {export_head, export_data, export_done};

static void export_call(export_job *ex)
{
    tw_call_spec spec;
    tw_error *err = NULL;
    int rc;

    memset(&spec, 0, sizeof spec);
    spec.endpoint = TW_EP_EXPORT;
    spec.query = ex->query;
    spec.timeout_ms =
        -1; /* the size is unknown: only a transfer that stands still is given up */
    ex->streaming = 0;
    ex->arrived = 0;
    ex->attempts++;
    rc = tw__archive_new(&ex->ar, &ex->options, &export_archive_sink, ex);
    if (rc != TW_OK)
        tw__error_nomem(&err);
    else
        rc = tw__call_start(&ex->call, ex->gate, &spec, &export_sink, ex, &err);
    if (rc != TW_OK)
        export_finish(ex, err);
}

/* ---- the job ----------------------------------------------------------------------- */

static void export_retry(tw_timer *timer)
{
    export_call(TW_CONTAINER(timer, export_job, retry));
}

static void export_begin(tw_job *job, void *state)
{
    export_job *ex = state;

    ex->job = job;
    tw__job_set_phase(job, "requested");
    export_call(ex);
}

static void export_cancel(tw_job *job, void *state, int code)
{
    export_job *ex = state;
    tw_error *err = NULL;

    if (tw__job_finished(job))
        return;
    ex->stop = code;
    if (ex->call != NULL) {
        tw__call_cancel(ex->call); /* done() finishes the job */
        return;
    }
    tw__error(&err, code, "the export was stopped before its end");
    export_finish(ex, err);
}

static void export_drained(tw_job *job, void *state)
{
    export_job *ex = state;
    int resume;
    int rc;

    if (tw__job_finished(job) || ex->ar == NULL)
        return;
    rc = tw__intake_drained(&ex->intake, &resume);
    if (rc == TW_AGAIN)
        return;
    if (rc < 0) {
        tw__archive_error(ex->ar, &ex->err);
        if (ex->call != NULL) {
            tw__call_cancel(ex->call); /* done() finishes with our reason */
        } else {
            tw_error *err = ex->err;

            ex->err = NULL;
            export_finish(ex, err);
        }
    } else if (ex->arrived) {
        export_complete(ex);
    } else if (resume) {
        tw__call_resume(ex->call); /* may call data() and even done() from within */
    }
}

static void export_release(void *state)
{
    export_job *ex = state;

    tw__archive_free(ex->ar);
    tw__intake_clear(&ex->intake);
    tw_error_free(ex->err);
    tw__free(ex);
}

static const tw_job_kind export_kind = {export_begin, export_cancel, export_drained,
                                        export_release};

static int export_options(export_job *ex, const tw_export_options *options,
                          tw_error **err)
{
    const tw_archive_options usual = TW_ARCHIVE_OPTIONS_INIT;
    tw_export_options own = TW_EXPORT_OPTIONS_INIT;

    if (options != NULL)
        memcpy(&own, options, options->size < sizeof own ? options->size : sizeof own);
    ex->options = usual;
    ex->ready_blocks = own.ready_blocks != 0 ? own.ready_blocks : READY_BLOCKS;
    if (own.block_bytes != 0)
        ex->options.block_bytes = own.block_bytes;
    if (own.max_line_bytes != 0)
        ex->options.max_line_bytes = own.max_line_bytes;
    if (own.max_ratio != 0)
        ex->options.max_ratio = own.max_ratio;
    if (ex->options.block_bytes < BLOCK_MIN || ex->options.block_bytes > BLOCK_MAX)
        return tw__error_at(err, TW_E_INVALID, "block_bytes",
                            "block_bytes was not between 64 and 268435456");
    if (ex->options.max_line_bytes > BLOCK_MAX)
        return tw__error_at(err, TW_E_INVALID, "max_line_bytes",
                            "max_line_bytes was over 268435456");
    return TW_OK;
}

int tw__export_start(tw_job **out, tw_gate *gate, const char *start, const char *end,
                     const tw_export_options *options, tw_queue *queue, tw_error **err)
{
    export_job *ex = NULL;
    tw_window window;
    int rc;

    *out = NULL;
    rc = tw__window_read(&window, start, end, err);
    if (rc != TW_OK)
        return rc;
    rc = tw__gate_allows(gate, TW_EP_EXPORT, err);
    if (rc != TW_OK)
        return rc;
    ex = tw__alloc_zero(1, sizeof *ex);
    if (ex == NULL)
        return tw__error_nomem(err);
    ex->gate = gate;
    ex->retry.fire = export_retry;
    tw__intake_init(&ex->intake, export_feed, ex);
    snprintf(ex->query, sizeof ex->query, "start=%s&end=%s", window.first.text,
             window.last.text);
    rc = export_options(ex, options, err);
    if (rc != TW_OK) {
        export_release(ex);
        return rc;
    }
    return tw__job_start(out, tw__gate_loop(gate), queue, &export_kind, ex, err);
}
