/* SPDX-License-Identifier: MIT */
/* The fault plan: an ordered list of {match, when, do, count}; the first match wins. */
#ifndef EMU_FAULTS_H
#define EMU_FAULTS_H

#include <pthread.h>

#include "json.h"

typedef enum emu_point {
    AT_NONE,
    AT_ACCEPT,        /* the connection was just accepted */
    AT_BEFORE_READ,   /* headers are in, the body is not */
    AT_MID_BODY,      /* `at` bytes of the body are in */
    AT_BEFORE_COMMIT, /* the body is in, nothing is stored */
    AT_AFTER_COMMIT,  /* stored, nothing is answered */
    AT_MID_RESPONSE,  /* `at` bytes of the response body are out */
    AT_KEEPALIVE      /* the response is out, the connection idle */
} emu_point;

typedef enum emu_close { CLOSE_NO, CLOSE_FIN, CLOSE_RST } emu_close;

/* What a fault does. Strings are borrowed from the request's arena. */
typedef struct emu_action {
    emu_point when;
    size_t at;
    int64_t stall_ms; /* on the emulator's clock, so that advancing it ends the stall */
    int64_t trickle_bps;
    int status;            /* 0: leave the answer alone */
    emu_str body, headers; /* headers: JSON object text */
    emu_str raw;           /* bytes to put on the wire instead of an answer */
    emu_str redirect;      /* Location */
    int64_t wrong_cl;      /* added to the true Content-Length */
    int64_t gzip_bomb;     /* size of the body once it is unpacked */
    bool chunk_error;      /* chunked, the second chunk has no valid size */
    bool
        close_listener; /* connections are refused for listener_ms, then the port opens */
    int64_t listener_ms;
    emu_close close;
    int64_t plan_id;
} emu_action;

typedef struct emu_faults {
    pthread_mutex_t mu;
    struct emu_fault *list;
    size_t n;
    uint64_t seed;
    _Atomic int active; /* lets the hot path skip an empty plan */
} emu_faults;

struct emu_req;

void emu_faults_init(emu_faults *f);
void emu_faults_clear(emu_faults *f);
void emu_faults_free(emu_faults *f);
/* Replaces the plan by an array of faults; false puts one line into err. */
bool emu_faults_set(emu_faults *f, const ej_val *plan, emu_buf *err);
void emu_faults_write(emu_faults *f, emu_buf *out);
/* Picks the fault of a request among those whose point is in [from, to]. */
void emu_faults_pick(emu_faults *f, struct emu_req *r, emu_point from, emu_point to,
                     emu_action *out);

#endif
