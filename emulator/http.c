/* SPDX-License-Identifier: MIT */
/* Receiving side: connections, headers, bodies, and the fault points on the way in. */
#include "http.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "internal.h"
#include "reply.h"

#define HEADER_MAX (64u * 1024)
#define DISCARD_MAX (64u * 1000 * 1000)

emu_str emu_header_of(emu_req *r, const char *name)
{
    const char *v =
        r->conn ? MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, name) : NULL;

    return emu_str_of(v);
}

/* The path stays encoded: a name with %2F in it must not change the route. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *conn)
{
    emu_listener *l = cls;
    emu_req *r = calloc(1, sizeof(*r));
    const char *q;

    (void)conn;
    if (!r)
        return NULL;
    r->e = l->e;
    r->port = l->port;
    r->fd = -1;
    r->uri = emu_strdup_n(uri, strlen(uri));
    if (!r->uri) {
        free(r);
        return NULL;
    }
    q = strchr(r->uri, '?');
    r->path = (emu_str){r->uri, q ? (size_t)(q - r->uri) : strlen(r->uri)};
    if (q)
        r->query = emu_str_of(q + 1);
    return r;
}

static enum MHD_Result add_size(void *cls, enum MHD_ValueKind kind, const char *key,
                                const char *value)
{
    (void)kind;
    *(size_t *)cls += strlen(key) + (value ? strlen(value) : 0) + 4;
    return MHD_YES;
}

/* A page of another site that was pointed at this port by DNS has a foreign Host. */
static bool host_is_loopback(emu_str host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(names[i]);

        if (host.n < n || strncasecmp(host.s, names[i], n) != 0)
            continue;
        if (host.n == n)
            return true;
        return host.s[n] == ':' && strspn(host.s + n + 1, "0123456789") == host.n - n - 1;
    }
    return false;
}

static void check_headers(emu_req *r)
{
    size_t size = strlen(r->uri);
    emu_str host = emu_header_of(r, "Host"), length = emu_header_of(r, "Content-Length");

    MHD_get_connection_values(r->conn, MHD_HEADER_KIND, add_size, &size);
    if (strlen(r->uri) > HEADER_MAX) {
        r->status = 414;
        r->refusal = "Request path and query exceeded 64 KiB";
    } else if (size > HEADER_MAX) {
        r->status = 431;
        r->refusal = "Request headers exceeded 64 KiB";
    } else if (!host.s || !host_is_loopback(host)) {
        r->status = 421;
        r->refusal = "Host was not a loopback name";
    } else if (r->port == PORT_CONTROL && emu_header_of(r, "Origin").s) {
        r->status = 403;
        r->refusal = "Origin was refused on the control port";
    }
    if (length.s) {
        unsigned long long n = strtoull(length.s, NULL, 10);

        /* An announced size spares copies, but nobody gets much memory for a promise. */
        r->too_large = n > EMU_BODY_MAX;
        if (n && !r->too_large)
            emu_buf_reserve(&r->raw, n < 1048576 ? (size_t)n : 1048576);
    }
}

static enum MHD_Result start_request(emu_req *r, struct MHD_Connection *conn,
                                     const char *method)
{
    const union MHD_ConnectionInfo *fd, *ctx;

    r->started = true;
    r->conn = conn;
    r->method = emu_arena_copy(&r->arena, emu_str_of(method));
    fd = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    r->fd = fd ? (int)fd->connect_fd : -1;
    ctx = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    r->conn_id = ctx ? (uint64_t)(uintptr_t)ctx->socket_context : 0;
    r->id = ++r->e->next_req;
    r->received_ms = emu_now_ms(r->e);
    r->resets = r->e->resets;
    check_headers(r);
    if (r->port == PORT_API)
        emu_faults_pick(&r->e->faults, r, AT_BEFORE_READ, AT_MID_BODY, &r->early);
    if (r->early.when == AT_BEFORE_READ)
        return emu_fault_now(r, &r->early);
    /* Nothing of an announced huge body is read: the answer comes at once. */
    if (r->too_large && r->body_seen == 0)
        return emu_finish(r);
    return MHD_YES;
}

static enum MHD_Result take_body(emu_req *r, const char *data, size_t n)
{
    size_t before = r->body_seen;

    r->body_seen += n;
    if (r->early.when == AT_MID_BODY && before <= r->early.at &&
        r->body_seen > r->early.at) {
        enum MHD_Result go = emu_fault_now(r, &r->early);

        if (go == MHD_NO)
            return MHD_NO;
    }
    if (r->body_seen > DISCARD_MAX)
        return MHD_NO;
    if (r->body_seen > EMU_BODY_MAX)
        r->too_large = true;
    else
        emu_buf_put(&r->raw, data, n);
    return r->raw.failed ? MHD_NO : MHD_YES;
}

/* gunzip with a cap: what a bomb would unfold to is never held. */
static void inflate_body(emu_req *r)
{
    z_stream z = {.next_in = (unsigned char *)r->raw.p, .avail_in = (unsigned)r->raw.n};
    int rc = Z_OK;

    if (inflateInit2(&z, 15 + 32) != Z_OK) {
        r->bad_encoding = true;
        return;
    }
    while (rc == Z_OK && r->plain.n <= EMU_BODY_MAX &&
           emu_buf_reserve(&r->plain, 65536)) {
        z.next_out = (unsigned char *)r->plain.p + r->plain.n;
        z.avail_out = (unsigned)(r->plain.cap - r->plain.n);
        rc = inflate(&z, Z_NO_FLUSH);
        r->plain.n = r->plain.cap - z.avail_out;
        if (rc == Z_STREAM_END && z.avail_in > 0 && inflateReset(&z) == Z_OK)
            rc = Z_OK; /* a further member follows */
    }
    r->too_large |= r->plain.n > EMU_BODY_MAX;
    r->bad_encoding = rc != Z_STREAM_END && !r->too_large;
    inflateEnd(&z);
}

static void decode_body(emu_req *r)
{
    emu_str coding = emu_header_of(r, "Content-Encoding");

    r->body = (emu_str){r->raw.p, r->raw.n};
    if (!coding.n || emu_str_case_is(coding, "identity") || !r->raw.n)
        return;
    if (emu_str_case_is(coding, "gzip") || emu_str_case_is(coding, "x-gzip") ||
        emu_str_case_is(coding, "deflate")) {
        inflate_body(r);
        r->body = (emu_str){r->plain.p, r->plain.n};
    } else {
        r->bad_encoding = true;
    }
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version,
                                  const char *data, size_t *data_n, void **ctx)
{
    emu_req *r = *ctx;

    (void)cls;
    (void)url;
    (void)version;
    if (!r)
        return MHD_NO;
    if (!r->started)
        return start_request(r, conn, method);
    if (*data_n) {
        enum MHD_Result go = take_body(r, data, *data_n);

        *data_n = 0;
        return go;
    }
    if (r->answered)
        return MHD_YES;
    decode_body(r);
    return emu_finish(r);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **ctx,
                         enum MHD_RequestTerminationCode how)
{
    emu_req *r = *ctx;

    (void)cls;
    (void)conn;
    *ctx = NULL;
    if (!r)
        return;
    if (r->late.when == AT_KEEPALIVE && how == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        emu_break(r, r->late.close);
    emu_release_gate(r);
    if (r->stream.free)
        r->stream.free(r->stream.self);
    free(r->uri);
    emu_buf_free(&r->raw);
    emu_buf_free(&r->plain);
    emu_buf_free(&r->out);
    free(r->marks);
    emu_arena_free(&r->arena);
    free(r);
}

static void on_connection(void *cls, struct MHD_Connection *conn, void **ctx,
                          enum MHD_ConnectionNotificationCode what)
{
    emu_listener *l = cls;
    const union MHD_ConnectionInfo *fd;
    emu_req probe = {.e = l->e, .port = l->port};

    if (what != MHD_CONNECTION_NOTIFY_STARTED)
        return;
    *ctx = (void *)(uintptr_t)++l->e->next_conn;
    if (l->port != PORT_API)
        return;
    emu_faults_pick(&l->e->faults, &probe, AT_ACCEPT, AT_ACCEPT, &probe.early);
    if (probe.early.when == AT_ACCEPT) {
        fd = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
        probe.fd = fd ? (int)fd->connect_fd : -1;
        if (probe.early.stall_ms)
            emu_wait_until(l->e, emu_now_ms(l->e) + probe.early.stall_ms);
        if (probe.early.close_listener)
            emu_door_close(l->e, probe.early.listener_ms);
        emu_break(&probe, probe.early.close);
    }
    emu_arena_free(&probe.arena);
}

/* The path is kept as sent, so decoding is left out here. */
static size_t keep_escapes(void *cls, struct MHD_Connection *conn, char *s)
{
    (void)cls;
    (void)conn;
    return strlen(s);
}

static void drop_log(void *cls, const char *fmt, va_list ap)
{
    (void)cls;
    (void)fmt;
    (void)ap;
}

struct MHD_Daemon *emu_listen(emu_listener *l, const char *host, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool six = inet_pton(AF_INET6, host, &v6.sin6_addr) == 1;
    /* A thread per connection: a stalled or slow client holds up nobody else. */
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
                     MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG |
                     (six ? MHD_USE_IPv6 : 0);

    if (!six && inet_pton(AF_INET, host, &v4.sin_addr) != 1)
        return NULL;
    return MHD_start_daemon(
        flags, port, NULL, NULL, on_request, l, MHD_OPTION_EXTERNAL_LOGGER, drop_log,
        NULL, MHD_OPTION_SOCK_ADDR, six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, l, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        l, MHD_OPTION_NOTIFY_CONNECTION, on_connection, l, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT, 1024u,
        MHD_OPTION_CONNECTION_TIMEOUT, 60u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)192 * 1024, MHD_OPTION_THREAD_STACK_SIZE, (size_t)512 * 1024,
        MHD_OPTION_END);
}
