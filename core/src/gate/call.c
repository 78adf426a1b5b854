/* SPDX-License-Identifier: MIT */
/* A call: one request from grant to outcome. Everything that reaches the wire passes here. */
#define _GNU_SOURCE
#include "gate/call.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "gate/answer.h"
#include "gate/gate_internal.h"
#include "gate/request.h"
#include "net/address.h"
#include "net/url.h"

enum {
    URL_MOST = 64 * 1024,
    ERROR_BODY_MOST = 64 * 1024,
    WAIT_MOST_INGEST_MS = 300 * 1000,
    WAIT_TOLD_MS = 24 * 60 * 60 * 1000, /* what errors repeat of a Retry-After */
    DETAIL_MOST = 400,
    LINES_MOST = 128 * 1024
};

struct tw_call {
    tw_call **slot;
    tw_gate *gate;
    const tw_endpoint *row;
    tw_call_sink sink;
    void *ctx;
    unsigned flags;
    tw_repeat repeat;
    int64_t timeout_ms; /* of one attempt; -1 = none but stall_ms */
    int64_t stall_ms;
    char *url;
    char *content_type, *content_encoding;
    tw_buf headers; /* further ones, each ended by NUL */
    const void *body;
    size_t body_size;
    tw_token *
        token; /* the first that may be sent: it and later ones are redacted till the end */

    int busy; /* a callback of the owner is on the stack */
    int dead; /* ended meanwhile: free it when the callback returns */

    void *transfer;
    tw_timer timer; /* until the next attempt */
    int attempt;
    tw_stored stored; /* what earlier attempts may have done */
    int sent;         /* in this attempt, once there is a head */
    int streaming;
    int clipped; /* more came than is kept */
    size_t gather_most;
    uint64_t bytes;

    tw_head head;
    tw_buf head_text; /* what head points to */
    tw_buf gathered;
};

/* ---- life ---------------------------------------------------------------------------- */

static void call_free(tw_call *call)
{
    tw__keys_let(call->gate->keys, call->token);
    /* A link of the storage is a secret as long as it works. */
    if (call->url != NULL)
        tw__free_secret(call->url, strlen(call->url));
    tw__free(call->content_type);
    tw__free(call->content_encoding);
    tw__buf_clear(&call->headers);
    tw__buf_clear(&call->head_text);
    tw__buf_clear(&call->gathered);
    tw__free(call);
}

/* Brackets every callback of the owner, which may end the call from within. Nonzero when it did:
 * the call is gone. */
static int owner_leave(tw_call *call)
{
    call->busy--;
    if (!call->dead || call->busy > 0)
        return call->dead;
    call_free(call);
    return 1;
}

static void call_finish(tw_call *call, int code, tw_error *err)
{
    tw_outcome outcome;

    if (call->transfer != NULL)
        (void)tw__loop_transfer_cancel(call->gate->loop, call->transfer);
    call->transfer = NULL;
    tw__timer_disarm(call->gate->loop, &call->timer);
    *call->slot = NULL;
    call->dead = 1;

    memset(&outcome, 0, sizeof outcome);
    outcome.err = code == TW_OK ? NULL : err;
    outcome.head = call->head;
    outcome.body = call->gathered.size > 0 ? call->gathered.data : "";
    outcome.body_size = call->gathered.size;
    outcome.stored = call->stored;
    outcome.attempts = (unsigned)call->attempt;
    outcome.body_bytes = call->bytes;
    tw__error_set_stored(err, call->stored);
    call->busy++;
    call->sink.done(call->ctx, &outcome);
    tw_error_free(err);
    owner_leave(call);
}

/* What is on the wire, where it went `sent` times, may arrive. An answer that has begun tells more,
 * but what it confirms counts only when it was read whole. */
static tw_stored stored_on_wire(const tw_call *call, int sent)
{
    tw_attempt attempt = {call->head.status, TW_E_CANCELED, sent, 0};

    if (call->sent > attempt.sent)
        attempt.sent = call->sent;
    if (call->head.status != 0)
        attempt.code = TW_OK;
    return tw__retry_judge(&attempt, call->repeat).stored == TW_STORED_NO
               ? TW_STORED_NO
               : TW_STORED_MAYBE;
}

void tw__call_cancel(tw_call *call)
{
    tw_error *err = NULL;

    if (call->transfer != NULL) {
        int sent = tw__loop_transfer_cancel(call->gate->loop, call->transfer);

        call->transfer = NULL;
        if (stored_on_wire(call, sent) > call->stored)
            call->stored = TW_STORED_MAYBE;
    }
    tw__error(&err, TW_E_CANCELED, "%s: the call was cancelled", call->row->name);
    call_finish(call, TW_E_CANCELED, err);
}

void tw__call_resume(tw_call *call)
{
    if (call->transfer != NULL)
        tw__loop_transfer_resume(call->gate->loop, call->transfer);
}

/* ---- the answer ----------------------------------------------------------------------- */

static int is_success(const tw_call *call, int status)
{
    return (status >= 200 && status <= 299) ||
           ((call->flags & TW_CALL_SHOW_REDIRECT) != 0 && status >= 300 && status <= 399);
}

static int head_keep(tw_call *call, const tw_transfer_head *from)
{
    const char *texts[5];
    size_t at[5];
    size_t i;

    texts[0] = from->content_type;
    texts[1] = from->content_encoding;
    texts[2] = from->location;
    texts[3] = from->www_authenticate != NULL ? from->www_authenticate : "";
    texts[4] = from->session != NULL ? from->session : "";
    tw__buf_reset(&call->head_text);
    for (i = 0; i < 5; i++) {
        at[i] = call->head_text.size;
        if (tw__buf_put(&call->head_text, texts[i], strlen(texts[i]) + 1) != TW_OK)
            return TW_E_NOMEM;
    }
    call->head.status = from->status;
    call->head.content_length = from->content_length;
    call->head.open_ended = from->open_ended;
    call->head.retry_after_ms = tw__retry_after(
        from->retry_after,
        call->row->area == TW_AREA_INGESTION ? WAIT_MOST_INGEST_MS : WAIT_TOLD_MS);
    call->head.content_type = call->head_text.data + at[0];
    call->head.content_encoding = call->head_text.data + at[1];
    call->head.location = call->head_text.data + at[2];
    call->head.www_authenticate = call->head_text.data + at[3];
    call->head.session = call->head_text.data + at[4];
    return TW_OK;
}

static int call_head(void *ctx, const tw_transfer_head *from)
{
    tw_call *call = ctx;
    int rc = head_keep(call, from);

    call->sent = from->sent;
    if (rc != TW_OK)
        return rc;
    call->gather_most = (size_t)call->row->max_answer;
    if (!is_success(call, from->status)) {
        /* An ingestion error lists the bad events of up to 2,000. */
        if (call->row->area != TW_AREA_INGESTION)
            call->gather_most = ERROR_BODY_MOST;
        return TW_OK;
    }
    if (call->sink.head == NULL)
        return TW_OK;
    call->busy++;
    rc = call->sink.head(call->ctx, &call->head);
    if (owner_leave(call))
        return TW_E_CANCELED;
    if (rc == TW_DONE)
        call->streaming = 1;
    return rc < 0 ? rc : TW_OK;
}

static int call_data(void *ctx, const char *bytes, size_t size)
{
    tw_call *call = ctx;
    size_t room;
    int rc;

    if (call->streaming) {
        call->busy++;
        rc = call->sink.data(call->ctx, bytes, size);
        if (owner_leave(call))
            return TW_E_CANCELED;
        if (rc == TW_OK)
            call->bytes += size;
        return rc;
    }
    room = call->gather_most - call->gathered.size;
    call->clipped = size > room;
    call->bytes += size;
    rc = tw__buf_put(&call->gathered, bytes, call->clipped ? room : size);
    if (rc != TW_OK)
        return TW_E_NOMEM;
    return call->clipped ? TW_E_TOO_LARGE : TW_OK;
}

/* ---- errors --------------------------------------------------------------------------- */

static const char *host_of(const tw_call *call)
{
    return (call->flags & TW_CALL_FOREIGN) != 0 ? "the storage"
                                                : call->gate->hosts[call->row->host].name;
}

/* The host alone: the rest of a link may be signed. */
static void redirect_text(char *text, size_t room, const char *location)
{
    const char *rule;
    tw_url url;

    if (tw__url_parse(&url, location, strlen(location), &rule) == TW_OK)
        snprintf(text, room, " to %.*s", (int)url.host_size, url.host);
    else
        text[0] = '\0';
}

/* The end of a quoted string that begins at `at`: its last quote, or the end of the text. */
static const char *quoted_end(const char *at)
{
    for (at++; *at != '\0' && *at != '"'; at++) {
        if (*at == '\\' && at[1] != '\0')
            at++;
    }
    return at;
}

/* Where the value of a parameter begins, NULL where there is none. Names stand at the beginning
 * of a word, in any case, and not within quotes. */
static const char *challenge_find(const char *challenge, const char *name)
{
    const char *at = challenge;
    size_t size = strlen(name);
    int fresh = 1;

    for (; *at != '\0'; at++) {
        const char *value = at + size;

        if (fresh && strncasecmp(at, name, size) == 0) {
            value += strspn(value, " \t");
            if (*value == '=')
                return value + 1 + strspn(value + 1, " \t");
        }
        if (*at == '"')
            at = quoted_end(at);
        if (*at == '\0')
            return NULL;
        fresh = *at == ' ' || *at == '\t' || *at == ',';
    }
    return NULL;
}

/* A parameter of a challenge, as name="value" or name=value; "" where there is none, or one that
 * has no end or no room (RFC 9110, 11.2 and 11.6.1). */
static void challenge_part(char *text, size_t room, const char *challenge,
                           const char *name)
{
    const char *at = challenge_find(challenge, name);
    const char *end;
    size_t n = 0;

    text[0] = '\0';
    if (at == NULL)
        return;
    end = *at == '"' ? quoted_end(at) : at + strcspn(at, " \t,");
    if (*at == '"' && *end == '\0')
        return;
    if (*at == '"')
        at++;
    for (; at < end && n + 1 < room; at++) {
        if (*at == '\\' && *end == '"')
            at++;
        text[n++] = *at;
    }
    text[at == end ? n : 0] = '\0';
}

/* Where a user gets a token: the URL that the server names. Not every server has the document at
 * the path that is made of its own. */
static void challenge_read(tw_error *err, const tw_call *call)
{
    char url[512];

    challenge_part(url, sizeof url, call->head.www_authenticate, "resource_metadata");
    tw__keys_redact(call->gate->keys, url);
    tw__error_set_resource_metadata(err, url);
}

static tw_error *status_error(const tw_call *call, const tw_verdict *verdict)
{
    char detail[DETAIL_MOST];
    tw_error *err = NULL;

    if (call->head.status >= 300 && call->head.status <= 399) {
        redirect_text(detail, sizeof detail, call->head.location);
        tw__keys_redact(call->gate->keys, detail);
        tw__error(&err, verdict->code,
                  "%s: %s answered with a redirect (%d)%s, which was not followed",
                  call->row->name, host_of(call), call->head.status, detail);
    } else {
        tw__answer_text(detail, sizeof detail, call->gathered.data, call->gathered.size);
        if (detail[0] == '\0')
            challenge_part(detail, sizeof detail, call->head.www_authenticate,
                           "error_description");
        tw__keys_redact(call->gate->keys, detail);
        tw__error(&err, verdict->code, "%s: %s answered with status %d%s%s",
                  call->row->name, host_of(call), call->head.status,
                  detail[0] != '\0' ? ": " : "", detail);
    }
    tw__error_set_http(err, call->head.status);
    tw__error_set_retry_after(err, call->head.retry_after_ms);
    if (verdict->code == TW_E_AUTH)
        challenge_read(err, call);
    return err;
}

static tw_error *loss_error(const tw_call *call, const tw_verdict *verdict,
                            const tw_transfer_end *end)
{
    char detail[DETAIL_MOST];
    tw_error *err = NULL;

    snprintf(detail, sizeof detail, "%s", end->message);
    tw__keys_redact(call->gate->keys, detail);
    if (verdict->code == TW_E_NOMEM)
        tw__error_nomem(&err);
    else if (detail[0] == '\0')
        tw__error(&err, verdict->code, "%s: the answer of %s was given up",
                  call->row->name, host_of(call));
    else
        tw__error(&err, verdict->code, "%s: the call to %s failed: %s", call->row->name,
                  host_of(call), detail);
    tw__error_set_http(err, call->head.status);
    return err;
}

static tw_error *clipped_error(const tw_call *call)
{
    tw_error *err = NULL;

    tw__error(&err, TW_E_PROTOCOL, "%s: the answer of %s was longer than %zu bytes",
              call->row->name, host_of(call), call->gather_most);
    tw__error_set_http(err, call->head.status);
    return err;
}

/* ---- attempts ------------------------------------------------------------------------- */

static int attempt_start(tw_call *call, tw_error **err);

static void call_again(tw_timer *timer)
{
    tw_call *call = TW_CONTAINER(timer, tw_call, timer);
    tw_error *err = NULL;
    int rc = attempt_start(call, &err);

    if (rc != TW_OK)
        call_finish(call, rc, err);
}

/* Nonzero when there will be another attempt. */
static int call_retry(tw_call *call, const tw_verdict *verdict)
{
    int64_t wait;

    if (!verdict->again || (call->flags & TW_CALL_ONCE) != 0 ||
        (call->streaming && (call->flags & TW_CALL_REREADS) == 0) ||
        call->attempt >= TW_RETRY_ATTEMPTS || !tw__retry_quota_take(&call->gate->quota))
        return 0;
    wait = tw__retry_delay(call->attempt + 1, tw__retry_heed(call->head.retry_after_ms));
    call->timer.fire = call_again;
    return tw__timer_arm(call->gate->loop, &call->timer,
                         tw__ms_add(tw__monotonic_ms(), wait)) == TW_OK;
}

static void call_done(void *ctx, const tw_transfer_end *end)
{
    tw_call *call = ctx;
    tw_attempt attempt = {call->head.status, end->code, end->sent, end->permanent};
    tw_verdict verdict;
    tw_error *err = NULL;
    int clipped = call->clipped && end->code == TW_E_TOO_LARGE;

    call->transfer = NULL;
    if (clipped)
        attempt.code =
            TW_OK; /* the status is known; what is kept of the body is enough */
    if (attempt.code == TW_OK)
        attempt.permanent = 0;
    verdict = tw__retry_judge(&attempt, call->repeat);
    if (attempt.code == TW_OK && is_success(call, attempt.status)) {
        verdict.code = clipped ? TW_E_PROTOCOL : TW_OK;
        verdict.again = 0;
    }
    if (verdict.stored > call->stored)
        call->stored = verdict.stored;
    if (call_retry(call, &verdict))
        return;
    if (verdict.code == TW_OK)
        tw__retry_quota_success(&call->gate->quota);
    else if (attempt.code != TW_OK)
        err = loss_error(call, &verdict, end);
    else if (clipped && is_success(call, attempt.status))
        err = clipped_error(call);
    else
        err = status_error(call, &verdict);
    tw__error_set_retriable(err, verdict.retriable);
    call_finish(call, verdict.code, err);
}

static unsigned transfer_flags(const tw_call *call)
{
    const gate_host *host = &call->gate->hosts[call->row->host];
    unsigned flags = 0;

    if (host->loopback)
        flags |= TW_TRANSFER_LOCAL;
    else if ((call->flags & TW_CALL_FOREIGN) != 0)
        flags |= TW_TRANSFER_PUBLIC;
    /* libcurl silently repeats a request whose reused connection turns out to be dead. */
    if (call->repeat != TW_REPEAT_SAFE)
        flags |= TW_TRANSFER_FRESH;
    return flags;
}

static int attempt_start(tw_call *call, tw_error **err)
{
    static const tw_transfer_events events = {call_head, call_data, call_done};
    static const tw_head no_head = {0, -1, -1, "", "", "", "", "", 0};
    const char *headers[TW_HEADERS_MOST];
    tw_transfer_request req;
    tw_buf lines;
    int rc;

    call->head = no_head;
    call->streaming = call->clipped = 0;
    tw__buf_reset(&call->gathered);
    memset(&req, 0, sizeof req);
    req.size = sizeof req;
    req.method = (call->flags & TW_CALL_FOREIGN) != 0 ? "GET" : call->row->method;
    req.url = call->url;
    req.headers = headers;
    req.body = call->body;
    req.body_size = call->body_size;
    req.connect_timeout_ms = call->gate->connect_timeout_ms;
    req.timeout_ms = call->timeout_ms;
    req.stall_ms = call->stall_ms;
    req.flags = transfer_flags(call);
    tw__buf_init(&lines, LINES_MOST);
    rc = tw__request_headers(headers, &lines, call->gate, call->row, call->flags,
                             call->content_type, call->content_encoding, &call->headers);
    if (rc == TW_OK) {
        call->attempt++;
        rc = tw__loop_transfer_start(&call->transfer, call->gate->loop, &req, &events,
                                     call, err);
    } else if (rc == TW_E_CONFIG) {
        rc = tw__error_at(err, rc, "mcp_token",
                          "%s was given up before it was sent: its token was taken away",
                          call->row->name);
    } else {
        rc = tw__error_nomem(err);
    }
    if (lines.data != NULL)
        explicit_bzero(lines.data, lines.size);
    tw__buf_clear(&lines);
    return rc;
}

/* ---- starting ------------------------------------------------------------------------- */

static int64_t attempt_timeout(const tw_gate *gate, const tw_endpoint *row, int64_t asked)
{
    int long_lived = row->host == TW_HOST_DASH || row->host == TW_HOST_MCP;
    int64_t option = long_lived ? gate->dash_timeout_ms : gate->timeout_ms;

    if (asked != 0)
        return asked;
    return option != 0 ? option : row->timeout_ms;
}

static int headers_fill(tw_call *call, const char *const *headers)
{
    int rc = TW_OK;

    tw__buf_init(&call->headers, LINES_MOST / 2);
    for (; rc == TW_OK && headers != NULL && *headers != NULL; headers++)
        rc = tw__buf_put(&call->headers, *headers, strlen(*headers) + 1);
    return rc;
}

static int call_fill(tw_call *call, const tw_call_spec *spec, tw_buf *url)
{
    call->url = tw__buf_take(url, NULL);
    call->content_type = tw__strdup(spec->content_type);
    call->content_encoding = tw__strdup(spec->content_encoding);
    if (call->url == NULL || (spec->content_type != NULL && call->content_type == NULL) ||
        (spec->content_encoding != NULL && call->content_encoding == NULL))
        return TW_E_NOMEM;
    if (headers_fill(call, spec->headers) != TW_OK)
        return TW_E_NOMEM;
    call->body = spec->body;
    call->body_size = spec->body_size;
    call->flags = spec->flags;
    call->timeout_ms = attempt_timeout(call->gate, call->row, spec->timeout_ms);
    /* Without a limit to the whole, silence has the limit that the option says. */
    call->stall_ms =
        call->timeout_ms < 0 ? attempt_timeout(call->gate, call->row, 0) : -1;
    call->repeat = (spec->flags & (TW_CALL_FOREIGN | TW_CALL_REPEATABLE)) != 0
                       ? TW_REPEAT_SAFE
                   : (spec->flags & TW_CALL_UNSURE) != 0 ? TW_REPEAT_UNSENT
                                                         : call->row->repeat;
    tw__buf_init(&call->gathered, SIZE_MAX / 2);
    tw__buf_init(&call->head_text, 64 * 1024);
    return TW_OK;
}

int tw__call_check(const tw_gate *gate, const tw_call_spec *spec, tw_error **err)
{
    tw_buf url;
    int rc;

    tw__buf_init(&url, URL_MOST);
    rc = tw__request_check(&url, gate, spec, err);
    tw__buf_clear(&url);
    return rc;
}

/* Grants and budgets take their places here: a grant before the validation, a budget after
 * it. */
int tw__call_start(tw_call **slot, tw_gate *gate, const tw_call_spec *spec,
                   const tw_call_sink *sink, void *ctx, tw_error **err)
{
    tw_call *call = NULL;
    tw_buf url;
    int rc;

    *slot = NULL;
    tw__buf_init(&url, URL_MOST);
    rc = tw__request_check(&url, gate, spec, err);
    if (rc != TW_OK)
        goto out;
    call = tw__alloc_zero(1, sizeof *call);
    if (call == NULL) {
        rc = tw__error_nomem(err);
        goto out;
    }
    call->gate = gate;
    call->row = tw__endpoint(spec->endpoint);
    call->sink = *sink;
    call->ctx = ctx;
    call->slot = slot;
    if (call->row->auth == TW_AUTH_BEARER)
        call->token = tw__keys_hold(gate->keys);
    rc = call_fill(call, spec, &url) == TW_OK ? TW_OK : tw__error_nomem(err);
    if (rc == TW_OK)
        rc = attempt_start(call, err);
    if (rc != TW_OK) {
        call_free(call);
        goto out;
    }
    *slot = call;
out:
    tw__buf_clear(&url);
    return rc;
}
