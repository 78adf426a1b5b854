/* SPDX-License-Identifier: MIT */
/* A transport that keeps what it is asked and answers when the test says so. */
#define _POSIX_C_SOURCE 200809L
#include "support/script_transport.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static int script_open(void **state, void *ctx, const tw_transport_settings *settings,
                       tw_error **err)
{
    script *sc = ctx;

    (void)settings;
    (void)err;
    sc->opened++;
    *state = sc;
    return TW_OK;
}

static void script_close(void *state)
{
    script *sc = state;
    int i;

    sc->closed++;
    for (i = 0; i < sc->count; i++)
        sc->requests[i].live = 0;
}

static char *headers_join(const char *const *headers)
{
    char *text = calloc(1, 8192);

    for (; *headers != NULL; headers++) {
        strncat(text, *headers, 8191 - strlen(text));
        strncat(text, "\n", 8191 - strlen(text));
    }
    return text;
}

static int script_start(void **transfer, void *state, const tw_transfer_request *req,
                        const tw_transfer_events *events, void *ctx, tw_error **err)
{
    script *sc = state;
    script_request *rq = &sc->requests[sc->count];

    if (sc->start_code != TW_OK)
        return tw__error(err, sc->start_code, "the script refused to start");
    if (sc->count == SCRIPT_REQUESTS)
        abort();
    sc->count++;
    rq->method = strdup(req->method);
    rq->url = strdup(req->url);
    rq->headers = headers_join(req->headers);
    rq->body = req->body;
    rq->body_size = req->body_size;
    rq->timeout_ms = req->timeout_ms;
    rq->stall_ms = req->stall_ms;
    rq->flags = req->flags;
    rq->events = *events;
    rq->ctx = ctx;
    rq->live = 1;
    *transfer = rq;
    return TW_OK;
}

static int script_cancel(void *state, void *transfer)
{
    script_request *rq = transfer;

    (void)state;
    rq->live = 0;
    rq->canceled++;
    return rq->connecting ? 0 : 1;
}

static void script_resume(void *state, void *transfer)
{
    script_request *rq = transfer;

    (void)state;
    rq->resumed++;
}

static void script_poll(void *state, int64_t timeout_ms)
{
    script *sc = state;

    (void)timeout_ms;
    sc->polls++;
}

static void script_wake(void *state)
{
    (void)state;
}

void script_init(script *sc)
{
    static const tw_transport self = {sizeof self,  script_open,   script_close,
                                      script_start, script_cancel, script_resume,
                                      script_poll,  script_wake,   NULL};

    memset(sc, 0, sizeof *sc);
    sc->transport = self;
    sc->transport.ctx = sc;
}

void script_clear(script *sc)
{
    int i;

    for (i = 0; i < sc->count; i++) {
        free(sc->requests[i].method);
        free(sc->requests[i].url);
        free(sc->requests[i].headers);
    }
}

static script_request *request_of(script *sc, int index)
{
    if (index >= sc->count || !sc->requests[index].live)
        abort(); /* the test speaks of a transfer that is not there */
    return &sc->requests[index];
}

int script_head(script *sc, int index, int status, const char *content_type,
                const char *retry_after, const char *location)
{
    script_request *rq = request_of(sc, index);
    tw_transfer_head head = {sizeof head, 0, -1, "", "", "", "", 0, 1, NULL, NULL};

    head.status = status;
    if (content_type != NULL)
        head.content_type = content_type;
    if (retry_after != NULL)
        head.retry_after = retry_after;
    if (location != NULL)
        head.location = location;
    return rq->events.head(rq->ctx, &head);
}

int script_data(script *sc, int index, const char *text)
{
    script_request *rq = request_of(sc, index);

    return rq->events.data(rq->ctx, text, strlen(text));
}

void script_fail(script *sc, int index, int code, int sent, int permanent,
                 const char *message)
{
    script_request *rq = request_of(sc, index);
    tw_transfer_end end = {sizeof end, 0, 0, 0, ""};

    end.code = code;
    end.sent = sent;
    end.permanent = permanent;
    end.message = message;
    rq->live = 0;
    rq->events.done(rq->ctx, &end);
}

void script_end(script *sc, int index)
{
    script_fail(sc, index, TW_OK, 1, 0, "");
}

void script_answer(script *sc, int index, int status, const char *body)
{
    script_head(sc, index, status, "application/json", NULL, NULL);
    if (body[0] != '\0')
        script_data(sc, index, body);
    script_end(sc, index);
}
