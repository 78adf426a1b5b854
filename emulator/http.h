/* SPDX-License-Identifier: MIT */
/* One HTTP request from its first header to its journal entry. */
#ifndef EMU_HTTP_H
#define EMU_HTTP_H

#include <microhttpd.h>
#include <sys/types.h>

#include "emulator.h"
#include "faults.h"
#include "json.h"
#include "quota.h"

typedef enum emu_port { PORT_API, PORT_CONTROL, PORT_STORAGE } emu_port;

/* A body made while it is sent. read gives 0 at the end and -1 to break the connection. */
typedef struct emu_stream {
    ssize_t (*read)(void *self, char *buf, size_t max);
    void (*free)(void *self);
    void *self;
} emu_stream;

typedef struct emu_head {
    emu_str name, value;
} emu_head;

typedef struct emu_req {
    twe *e;
    emu_port port;
    struct MHD_Connection *conn; /* NULL for a call made in the process */
    int fd;
    uint64_t id, conn_id;
    int64_t received_ms, answered_ms;
    uint64_t resets; /* before it began */

    char *uri;                   /* as sent */
    emu_str method, path, query; /* still percent-encoded */
    emu_arena arena;             /* lives as long as the request */
    emu_buf raw;                 /* body as sent */
    emu_buf plain;               /* body after gunzip, when it was compressed */
    emu_str body;
    size_t body_seen;
    bool started, answered, too_large, bad_encoding;
    bool ledgered;       /* its events are in the ledger */
    const char *refusal; /* why the request is refused before routing */

    int status;
    const char *type; /* NULL: no Content-Type header */
    emu_buf out;
    emu_stream stream;
    emu_head *heads; /* of the answer, in the arena */
    size_t head_n, head_cap;

    emu_gate gate; /* held until the answer is out: one of the calls at once of an area */
    int gate_cost;
    bool key_known;   /* the credential was ours: the body may be journalled */
    bool key_foreign; /* another one came along: it may not */
    uint8_t *marks;   /* fate of each event, owned (emu_mark) */
    size_t mark_n;
    emu_action early, late; /* faults picked for this request */
    size_t sent;            /* response bytes handed out, for mid_response */
} emu_req;

#define EMU_BODY_MAX (25u * 1000 * 1000) /* own limit, above every documented one */

/* MHD_AccessHandlerCallback and friends; cls is the port's emu_listener. */
typedef struct emu_listener {
    twe *e;
    emu_port port;
} emu_listener;

struct MHD_Daemon *emu_listen(emu_listener *l, const char *host, uint16_t port);

/* Replies. */
void emu_reply(emu_req *r, int status, const char *type);
void emu_reply_z(emu_req *r, int status, const char *type, const char *text);
void emu_header(emu_req *r, const char *name, emu_str value);
emu_str emu_header_of(emu_req *r, const char *name); /* s == NULL when absent */

/* The envelope of Dashboard, export, user lookup and cohorts. */
void emu_dash_error(emu_req *r, int status, const char *details);

/* routes.c: runs the request and fills in its reply. */
void emu_route(emu_req *r);

/* Enters a gate for the time of the request; false: full. */
bool emu_hold_gate(emu_req *r, emu_gate gate, int cost);
void emu_release_gate(emu_req *r);

/* Part i of the path, percent-decoded; s == NULL behind the last. */
emu_str emu_path_part(emu_req *r, int i);
emu_str emu_query(emu_req *r, const char *name);

#define EMU_JSON "application/json"
#define EMU_JSON_UTF8 "application/json; charset=utf-8"
/* So spelt by the charts, the taxonomy and the list of cohorts, as recorded live. */
#define EMU_JSON_CAPITAL "application/json; charset=UTF-8"

#endif
