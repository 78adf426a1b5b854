/* SPDX-License-Identifier: MIT */
/* A call: one request from grant to outcome. Everything that reaches the wire passes here. */
#ifndef TW_GATE_CALL_H
#define TW_GATE_CALL_H

#include <stddef.h>
#include <stdint.h>

#include <tidewheel/common.h>
#include <tidewheel/error.h>

#include "gate/endpoints.h"
#include "net/loop.h"

typedef struct tw_gate tw_gate;
typedef struct tw_call tw_call;

/* The head of an answer, before any body byte. */
typedef struct tw_head {
    int status;
    int64_t content_length;       /* -1 unknown */
    int64_t retry_after_ms;       /* -1 absent or garbage; clamped by the gate */
    const char *content_type;     /* "" when absent; borrowed during the callback */
    const char *content_encoding; /* "" when absent */
    const char *location;         /* "" when absent; may hold a signature: never log it */
    const char *www_authenticate; /* "" when absent */
    const char *session;          /* Mcp-Session-Id; "" when absent */
    int open_ended; /* only the close of the connection ends the body: a cut looks the same */
} tw_head;

/* How a call ended: either err is set, or an answer with any documented-as-success status. */
typedef struct tw_outcome {
    const tw_error *err; /* borrowed; NULL on success */
    tw_head head;        /* status 0 when there was no answer */
    const char *body; /* gathered body (errors too, up to 64 KiB then); "" for streams */
    size_t body_size;
    tw_stored stored;
    unsigned attempts;   /* requests made */
    uint64_t body_bytes; /* body bytes of all answers, streamed ones too */
} tw_outcome;

/* All on the I/O thread. */
typedef struct tw_call_sink {
    /* Optional. Decides about streaming: TW_OK gathers the body, TW_DONE streams it to data().
     * Only asked for 2xx answers (and 3xx where the spec says TW_CALL_SHOW_REDIRECT). */
    int (*head)(void *ctx, const tw_head *head);
    /* Bytes of a streamed body as they came (content encoding not undone): TW_OK taken all;
     * TW_AGAIN taken none, pause until tw__call_resume; negative: abort, done() gets that code. */
    int (*data)(void *ctx, const char *bytes, size_t size);
    /* Exactly once, also after tw__call_cancel; the call is gone when it returns. */
    void (*done)(void *ctx, const tw_outcome *outcome);
} tw_call_sink;

enum {
    TW_CALL_SHOW_REDIRECT = 1, /* a 3xx is handed out as success with head.location */
    TW_CALL_FOREIGN = 2, /* absolute `url` outside the API: no credentials at all, https
                                  unless the API itself is on loopback, GET only */
    TW_CALL_ONCE = 4,    /* the caller retries by its own rules (ingestion) */
    TW_CALL_REPEATABLE =
        8, /* this very call may be repeated although its endpoint may not
                                  (an upload that replaces a cohort) */
    TW_CALL_UNSURE =
        16, /* the other way round: the body is not ours, and may lack what makes
                                  it safe to repeat */
    TW_CALL_REREADS =
        32 /* head() forgets what was streamed before: a stream that was cut is
                            as good as any other answer that was */
};

/* Everything is copied except `body`, which is borrowed until done() returned. */
typedef struct tw_call_spec {
    tw_endpoint_id endpoint;
    const char *const
        *path_values;         /* raw values for the {…} of the path, NULL-ended or NULL;
                                       encoded segment-wise, "", "." and ".." refused */
    const char *query;        /* encoded, no '?'; or NULL */
    const char *url;          /* with TW_CALL_FOREIGN only */
    const char *content_type; /* NULL without a body */
    const char *content_encoding; /* "gzip" or NULL */
    const char *const *headers;   /* further ones, "Name: value"; NULL-ended or NULL */
    const void *body;
    size_t body_size;
    int64_t
        timeout_ms; /* of one attempt; 0 = the client's option; -1 = none but low speed */
    unsigned flags;
} tw_call_spec;

/* Starts a call. On failure nothing happened and done() is not called. A call is bound by
 * `*slot`, which is set to the call and cleared before done(). @thread worker */
int tw__call_start(tw_call **slot, tw_gate *gate, const tw_call_spec *spec,
                   const tw_call_sink *sink, void *ctx, tw_error **err);
/* What tw__call_start would refuse before anything is sent, for a caller in another thread.
 * @thread any */
int tw__call_check(const tw_gate *gate, const tw_call_spec *spec, tw_error **err);
/* Ends it: done() is called from within with TW_E_CANCELED. @thread worker */
void tw__call_cancel(tw_call *call);
/* After data() said TW_AGAIN. @thread worker */
void tw__call_resume(tw_call *call);

tw_loop *tw__gate_loop(tw_gate *gate);

/* The key that ingestion writes into its bodies, NUL-terminated; borrowed while the gate lives.
 * Never log it. @thread any */
const char *tw__gate_api_key(const tw_gate *gate);

#endif
