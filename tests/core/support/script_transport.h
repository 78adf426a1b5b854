/* SPDX-License-Identifier: MIT */
/* A transport that keeps what it is asked and answers when the test says so. */
#ifndef TEST_SCRIPT_TRANSPORT_H
#define TEST_SCRIPT_TRANSPORT_H

#include <tidewheel/sys/transport.h>

enum { SCRIPT_REQUESTS = 128 };

typedef struct script_request {
    char *method, *url, *headers; /* headers joined by '\n' */
    const void *body;
    size_t body_size;
    int64_t timeout_ms, stall_ms;
    unsigned flags;
    tw_transfer_events events;
    void *ctx;
    int live;       /* neither ended nor cancelled */
    int connecting; /* nothing of it was sent so far */
    int canceled;
    int resumed;
} script_request;

typedef struct script {
    tw_transport transport;
    int opened, closed, polls;
    int start_code; /* what the next start() fails with; TW_OK = works */
    int count;
    script_request requests[SCRIPT_REQUESTS];
} script;

void script_init(script *sc);
void script_clear(script *sc);

/* The head, with the fields that are not NULL. Returns what the receiver said. */
int script_head(script *sc, int index, int status, const char *content_type,
                const char *retry_after, const char *location);
int script_data(script *sc, int index, const char *text);
/* The end: of a whole answer, or with a code. */
void script_end(script *sc, int index);
void script_fail(script *sc, int index, int code, int sent, int permanent,
                 const char *message);
/* All at once. */
void script_answer(script *sc, int index, int status, const char *body);

#endif
