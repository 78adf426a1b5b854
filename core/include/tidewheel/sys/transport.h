/* SPDX-License-Identifier: MIT */
/* The transport seam: who carries bytes. A weaker promise than the rest. */
#ifndef TIDEWHEEL_SYS_TRANSPORT_H
#define TIDEWHEEL_SYS_TRANSPORT_H

#include <tidewheel/common.h>

TW_BEGIN_DECLS

enum {
    TW_TRANSFER_FRESH = 1,  /* a new connection, closed afterwards: never sent twice */
    TW_TRANSFER_PUBLIC = 2, /* refuse loopback, private and link-local addresses */
    TW_TRANSFER_LOCAL = 4   /* the host is loopback: never through a proxy */
};

/** One HTTP request. Everything is borrowed during start(), except the body. */
typedef struct tw_transfer_request {
    size_t size;
    const char *method;
    const char *url;
    const char *const *headers; /* "Name: value", NULL-ended */
    const void *body; /* borrowed until done() or cancel() returned; NULL = no body */
    size_t body_size;
    int64_t connect_timeout_ms;
    int64_t timeout_ms; /* whole transfer; -1 = none */
    int64_t
        stall_ms; /* give up when next to nothing came for so long; -1 = never. A transfer
                           that the receiver paused does not count */
    unsigned flags;
} tw_transfer_request;

/** The head of the final answer (never of a 1xx one). Strings borrowed during the call. */
typedef struct tw_transfer_head {
    size_t size;
    int status;
    int64_t content_length;  /* -1 unknown */
    const char *retry_after; /* raw field values, "" when absent */
    const char *content_type;
    const char *content_encoding;
    const char *location;
    int open_ended; /* neither length nor chunks: only the close ends the body, a cut too */
    int sent;       /* as in tw_transfer_end, so far */
    const char *www_authenticate; /* these two may be NULL as well */
    const char *session;          /* Mcp-Session-Id */
} tw_transfer_head;

/** How a transfer ended. */
typedef struct tw_transfer_end {
    size_t size;
    int code; /* TW_OK when the whole answer was read */
    int sent; /* how often the request may have left: libcurl repeats it by itself when
                      a kept connection turns out to be dead */
    int permanent; /* nonzero when trying again soon cannot help (certificate refused) */
    const char *message; /* what happened, no secret in it; "" on success */
} tw_transfer_end;

/** What the transport reports; all on the loop's thread, never from within start(), resume()
 * or cancel(). */
typedef struct tw_transfer_events {
    /** Negative aborts: done() gets that code. */
    int (*head)(void *ctx, const tw_transfer_head *head);
    /** TW_OK: all taken. TW_AGAIN: none taken, deliver again after resume(). Negative aborts. */
    int (*data)(void *ctx, const char *bytes, size_t size);
    /** Exactly once unless cancelled; the transfer is gone when it returns. */
    void (*done)(void *ctx, const tw_transfer_end *end);
} tw_transfer_events;

/** What the transport must know once. Borrowed until close(). */
typedef struct tw_transport_settings {
    size_t size;
    const char *proxy;    /* "" = none */
    const char *no_proxy; /* "" = none */
    const char *ca_pem; /* trusted certificates; NULL when no https host is configured */
    size_t ca_pem_size;
} tw_transport_settings;

/** A transport. Every function runs on the loop's thread, except wake(). */
typedef struct tw_transport {
    size_t size;
    int (*open)(void **state, void *ctx, const tw_transport_settings *settings,
                tw_error **err);
    /** Drops all transfers without reporting them. Never waits for the network. */
    void (*close)(void *state);
    int (*start)(void **transfer, void *state, const tw_transfer_request *req,
                 const tw_transfer_events *events, void *events_ctx, tw_error **err);
    /** How often the request may have left, as in tw_transfer_end. */
    int (*cancel)(void *state, void *transfer);
    void (*resume)(void *state, void *transfer);
    /** Waits up to `timeout_ms` for something to do, or for wake(), and does it. */
    void (*poll)(void *state, int64_t timeout_ms);
    /** Ends a poll() that goes on or is about to begin. Must not block. @thread any */
    void (*wake)(void *state);
    void *ctx;
} tw_transport;

/** Puts another transport in place of libcurl's for clients made of `cfg`. Copied; its ctx must
 * outlive them. */
TW_API int tw_config_set_transport(tw_config *cfg, const tw_transport *transport,
                                   tw_error **err);

TW_END_DECLS

#endif
