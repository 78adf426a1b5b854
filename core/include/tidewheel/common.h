/* SPDX-License-Identifier: MIT */
/* What every public header needs: linkage, return codes and the opaque types. */
#ifndef TIDEWHEEL_COMMON_H
#define TIDEWHEEL_COMMON_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define TW_API __attribute__((visibility("default")))
#else
#define TW_API
#endif

/* Names are exported as they are; a second copy in the same process stays apart because
 * extensions are built hidden. */
#ifdef __cplusplus
#define TW_BEGIN_DECLS extern "C" {
#define TW_END_DECLS }
#else
#define TW_BEGIN_DECLS
#define TW_END_DECLS
#endif

TW_BEGIN_DECLS

/**
 * Every fallible function returns one of these as `int`.
 *
 * 0 is success, negative is an error, positive is flow: nothing went wrong, but there is
 * no value (yet). The list only grows at its end.
 */
typedef enum tw_code {
    TW_INTERRUPTED = 3, /* a signal arrived while waiting: look after it and call again */
    TW_AGAIN = 2,       /* nothing there yet: wait on the descriptor, then call again */
    TW_DONE = 1,        /* the stream ended well */
    TW_OK = 0,
    TW_E_INVALID = -1,    /* misuse: wrong argument, wrong order of calls */
    TW_E_CONFIG = -2,     /* an option is unknown, missing, or has no valid value */
    TW_E_VALIDATION = -3, /* a value breaks a rule of the API; nothing was sent */
    TW_E_AUTH = -4,       /* 401 or 403: key pair, or the firewall in front of the API */
    TW_E_RATE_LIMITED = -5, /* 429 */
    TW_E_TOO_LARGE = -6,    /* 413, or larger than a documented limit */
    TW_E_SERVER = -7,       /* 5xx */
    TW_E_HTTP = -8,         /* any other status that is not success */
    TW_E_NETWORK = -9,      /* no connection, or it broke */
    TW_E_TIMEOUT = -10,     /* the deadline passed */
    TW_E_PROTOCOL = -11, /* an answer that is not the documented one, a damaged archive */
    TW_E_QUEUE_FULL = -12, /* the event queue is at its limit: not accepted */
    TW_E_JOB = -13,        /* a job failed on the server's side */
    TW_E_CANCELED = -14,
    TW_E_CLOSED = -15, /* the client (or its parent) was closed */
    TW_E_FORKED = -16, /* the event, the job or the queue is the parent process's */
    TW_E_NOMEM = -17,
    TW_E_RPC = -18 /* a JSON-RPC error: the server took the request and refused it */
} tw_code;

/** What is known about a request that failed: did the server store it? */
typedef enum tw_stored {
    TW_STORED_NO = 0,    /* certainly not */
    TW_STORED_MAYBE = 1, /* bytes left, no valid answer came back */
    TW_STORED_YES = 2
} tw_stored;

typedef struct tw_error tw_error;
typedef struct tw_config tw_config;
typedef struct tw_client tw_client;
typedef struct tw_event tw_event;
typedef struct tw_job tw_job;
typedef struct tw_queue tw_queue;
typedef struct tw_block tw_block;
typedef struct tw_reply tw_reply;
typedef struct tw_json_reader tw_json_reader;
typedef struct tw_json_writer tw_json_writer;

/** "0.1.0"; static storage. */
TW_API const char *tw_version(void);

/** A stable lower-case name of a code ("rate_limited"), "ok" for 0; static storage. */
TW_API const char *tw_code_name(int code);

TW_END_DECLS

#endif
