/* SPDX-License-Identifier: MIT */
/* Sending side: answers, streams, and the fault points on the way out. */
#include "reply.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <zlib.h>

#include "internal.h"

void emu_reply(emu_req *r, int status, const char *type)
{
    r->status = status;
    r->type = type;
}

void emu_reply_z(emu_req *r, int status, const char *type, const char *text)
{
    r->out.n = 0;
    emu_buf_z(&r->out, text);
    emu_reply(r, status, type);
}

void emu_header(emu_req *r, const char *name, emu_str value)
{
    emu_str kept = emu_arena_copy(&r->arena, value);

    if (r->head_n == r->head_cap) {
        void *more = emu_arena_grow(&r->arena, r->heads, r->head_n, &r->head_cap,
                                    sizeof(*r->heads));

        if (!more) {
            r->out.failed = true; /* no answer with a header less */
            return;
        }
        r->heads = more;
    }
    r->heads[r->head_n++] = (emu_head){emu_str_of(name), kept};
}

void emu_dash_error(emu_req *r, int status, const char *details)
{
    r->out.n = 0;
    emu_buf_fmt(&r->out,
                "{\"error\":{\"http_code\":%d,\"type\":\"unspecified\",\"message\":"
                "\"Unspecified Error\",\"metadata\":{\"details\":",
                status);
    emu_buf_quote(&r->out, emu_str_of(details));
    emu_buf_z(&r->out, "}}}");
    emu_reply(r, status, EMU_JSON_UTF8);
}

/* Linux sends a reset when a TCP socket is disconnected with AF_UNSPEC; closing with a zero
 * linger would come too late, the HTTP library shuts the socket down first. */
void emu_break(emu_req *r, emu_close how)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};

    if (r->fd < 0 || how == CLOSE_NO)
        return;
    if (how == CLOSE_RST && connect(r->fd, &none, sizeof(none)) == 0)
        return;
    shutdown(r->fd, SHUT_RDWR);
}

static void apply_headers(emu_req *r, emu_str object)
{
    ej_val v = {.raw = object, .kind = EJ_OBJECT}, key, value;
    ej_cur c = ej_at(v.raw);

    if (!object.n)
        return;
    ej_enter(&c);
    while (ej_key(&c, &key)) {
        emu_str name = emu_arena_copy(&r->arena, ej_text(&key, &r->arena));

        ej_take(&c, &value);
        if (name.s)
            emu_header(r, name.s, ej_text(&value, &r->arena));
    }
}

/* A gzip body that unpacks to so many zeros. */
static void put_bomb(emu_buf *out, int64_t size)
{
    static const unsigned char zeros[65536];
    z_stream z = {0};
    int rc = deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);

    while (rc == Z_OK && emu_buf_reserve(out, 4096)) {
        if (z.avail_in == 0 && size > 0) {
            z.next_in = (unsigned char *)zeros; /* zlib only reads it */
            z.avail_in = (unsigned)(size < 65536 ? size : 65536);
            size -= z.avail_in;
        }
        z.next_out = (unsigned char *)out->p + out->n;
        z.avail_out = (unsigned)(out->cap - out->n);
        rc = deflate(&z, size ? Z_NO_FLUSH : Z_FINISH);
        out->n = out->cap - z.avail_out;
    }
    deflateEnd(&z);
}

/* Replaces the answer by the fault's. */
static void overlay(emu_req *r, const emu_action *a)
{
    if (!a->status)
        return;
    if (r->stream.free)
        r->stream.free(r->stream.self);
    r->stream = (emu_stream){0};
    r->head_n = 0;
    r->out.n = 0;
    emu_buf_str(&r->out, a->body);
    emu_reply(r, a->status, NULL);
    apply_headers(r, a->headers);
    if (a->redirect.s)
        emu_header(r, "Location", a->redirect);
    if (a->gzip_bomb) {
        emu_header(r, "Content-Encoding", EMU_LIT("gzip"));
        r->out.n = 0;
        put_bomb(&r->out, a->gzip_bomb);
    }
}

static void send_raw(emu_req *r, emu_str raw)
{
    while (raw.n) {
        ssize_t n = send(r->fd, raw.s, raw.n, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        raw.s += n;
        raw.n -= (size_t)n;
    }
}

/* What stands behind the first "api_key", in JSON or a form, is our key. */
static bool gives_our_key(emu_req *r, emu_str text)
{
    const char *end = text.s + text.n, *p;
    size_t n = strlen(r->e->api_key);

    p = text.n ? memmem(text.s, text.n, "api_key", 7) : NULL;
    if (!p)
        return false;
    for (p += 7; p < end && *p && strchr("\"':= \t\r\n", *p);)
        p++;
    return (size_t)(end - p) >= n && memcmp(p, r->e->api_key, n) == 0 &&
           ((size_t)(end - p) == n || (p[n] && strchr("\"'& \r\n", p[n])));
}

/* A request that no handler looked at is told by its text. */
static bool looks_ours(emu_req *r)
{
    emu_str body = r->body.n ? r->body : (emu_str){r->raw.p, r->raw.n};

    return gives_our_key(r, body) || gives_our_key(r, r->query);
}

static void journal(emu_req *r, int status)
{
    r->status = status;
    if (r->port == PORT_CONTROL)
        return;
    if (r->port == PORT_API && !r->key_known && !r->key_foreign)
        r->key_known = looks_ours(r);
    pthread_rwlock_rdlock(&r->e->life);
    if (r->resets == r->e->resets) {
        if (r->port == PORT_API)
            emu_ledger_unseen(r);
        if (EMU_SW(r->e, journal))
            emu_journal_add(&r->e->journal, r);
    }
    pthread_rwlock_unlock(&r->e->life);
}

/* The answer with a false length or a broken chunk, which the HTTP library would not send. */
static enum MHD_Result send_bent(emu_req *r, const emu_action *a)
{
    emu_buf b = {0};
    size_t half;

    if (r->out.n < 2)
        emu_buf_z(&r->out, "{}"); /* an empty first chunk would be the last one */
    half = r->out.n / 2;

    emu_buf_fmt(&b, "HTTP/1.1 %d Bent\r\n", r->status ? r->status : 200);
    if (r->type)
        emu_buf_fmt(&b, "Content-Type: %s\r\n", r->type);
    for (size_t i = 0; i < r->head_n; i++)
        emu_buf_fmt(&b, "%s: %s\r\n", r->heads[i].name.s, r->heads[i].value.s);
    if (a->chunk_error) {
        emu_buf_fmt(&b, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", half);
        emu_buf_put(&b, r->out.p, half);
        emu_buf_z(&b, "\r\nno number\r\n");
    } else {
        emu_buf_fmt(&b, "Content-Length: %lld\r\n\r\n",
                    (long long)r->out.n + (long long)a->wrong_cl);
        half = 0;
    }
    emu_buf_put(&b, r->out.p + half, r->out.n - half);
    journal(r, 0);
    send_raw(r, (emu_str){b.p, b.n});
    emu_buf_free(&b);
    emu_break(r, CLOSE_FIN);
    return MHD_NO;
}

static bool bends(const emu_action *a)
{
    return a->wrong_cl || a->chunk_error;
}

/* Stall, raw bytes and closing; MHD_NO when the connection is gone. The journal comes first:
 * who has seen the connection break finds the request there. */
static enum MHD_Result act(emu_req *r, const emu_action *a)
{
    if (a->close_listener)
        emu_door_close(r->e, a->listener_ms);
    if (a->stall_ms)
        emu_wait_until(r->e, emu_now_ms(r->e) + a->stall_ms);
    if (a->close == CLOSE_NO && !a->raw.s)
        return MHD_YES;
    journal(r, 0);
    if (a->raw.s)
        send_raw(r, a->raw);
    emu_break(r, a->close == CLOSE_NO ? CLOSE_FIN : a->close);
    return MHD_NO;
}

/* --- queueing --- */

/* Bytes of the body from `at` on, out of the buffer or the stream. */
static ssize_t body_bytes(emu_req *r, uint64_t at, char *buf, size_t max)
{
    if (r->stream.read)
        return r->stream.read(r->stream.self, buf, max);
    if (at >= r->out.n)
        return 0;
    max = max < r->out.n - at ? max : r->out.n - (size_t)at;
    memcpy(buf, r->out.p + at, max);
    return (ssize_t)max;
}

/* The pace of trickled bytes and the break in the middle are made here. */
static ssize_t on_read(void *cls, uint64_t pos, char *buf, size_t max)
{
    emu_req *r = cls;
    const emu_action *a = &r->late;
    bool mid = a->when == AT_MID_RESPONSE;
    ssize_t n;

    if (mid && r->sent >= a->at && (a->close || a->stall_ms)) {
        /* Counted from before the head went out: who has the head and then moves the clock
         * by as much ends the stall, whether it has begun or not. */
        if (a->stall_ms && r->sent == a->at)
            emu_wait_until(r->e, r->answered_ms + a->stall_ms);
        if (a->close) {
            emu_break(r, a->close);
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
    }
    if (mid && r->sent < a->at && max > a->at - r->sent)
        max = a->at - r->sent;
    if (mid && a->trickle_bps) {
        struct timespec nap = {.tv_nsec = 50000000};
        size_t slice = (size_t)a->trickle_bps / 20;

        nanosleep(&nap, NULL);
        max = max < slice ? max : slice ? slice : 1;
    }
    n = body_bytes(r, pos, buf, max);
    if (n > 0)
        r->sent += (size_t)n;
    if (n == 0)
        emu_release_gate(r);
    return n > 0    ? n
           : n == 0 ? MHD_CONTENT_READER_END_OF_STREAM
                    : MHD_CONTENT_READER_END_WITH_ERROR;
}

static enum MHD_Result queue(emu_req *r)
{
    struct MHD_Response *rsp;
    enum MHD_Result ok;

    if (r->out.failed)
        emu_reply_z(r, 500, "text/plain", "");
    if (r->stream.read || r->late.when == AT_MID_RESPONSE) {
        uint64_t size = r->stream.read ? MHD_SIZE_UNKNOWN : r->out.n;

        /* The stream dies with the request, which ends before the response does. */
        rsp = MHD_create_response_from_callback(size, 65536, on_read, r, NULL);
    } else {
        rsp = MHD_create_response_from_buffer(r->out.n, r->out.p, MHD_RESPMEM_MUST_FREE);
        if (rsp)
            r->out = (emu_buf){0}; /* taken */
        emu_release_gate(r);
    }
    if (!rsp)
        return MHD_NO;
    if (r->type)
        MHD_add_response_header(rsp, MHD_HTTP_HEADER_CONTENT_TYPE, r->type);
    for (size_t i = 0; i < r->head_n; i++)
        MHD_add_response_header(rsp, r->heads[i].name.s, r->heads[i].value.s);
    ok = MHD_queue_response(r->conn, (unsigned)r->status, rsp);
    MHD_destroy_response(rsp);
    return ok;
}

static enum MHD_Result journal_and_queue(emu_req *r)
{
    /* The journal takes the body over: the answer must not point into it from here on. */
    journal(r, r->status);
    r->answered_ms = emu_now_ms(r->e);
    return queue(r);
}

static enum MHD_Result refuse(emu_req *r)
{
    /* As all refusals of /identify but the 429 (Identify API docs). */
    bool identify = r->status == 414 && emu_str_is(r->path, "/identify");

    if (r->refusal)
        emu_reply_z(r, r->status, identify ? "text/html;charset=utf-8" : "text/plain",
                    r->refusal);
    return journal_and_queue(r);
}

enum MHD_Result emu_fault_now(emu_req *r, const emu_action *a)
{
    if (act(r, a) == MHD_NO)
        return MHD_NO;
    if (a->status && a->when == AT_BEFORE_READ) {
        r->answered = true;
        overlay(r, a);
        return journal_and_queue(r);
    }
    return MHD_YES;
}

/* False for what would store something and began before a reset: that is forgotten. */
static bool carry_out(emu_req *r)
{
    bool live;

    if (r->port == PORT_CONTROL) {
        emu_route(r);
        return true;
    }
    pthread_rwlock_rdlock(&r->e->life);
    live = r->resets == r->e->resets || emu_str_is(r->method, "GET");
    if (live)
        emu_route(r);
    pthread_rwlock_unlock(&r->e->life);
    return live;
}

enum MHD_Result emu_finish(emu_req *r)
{
    r->answered = true;
    if (r->refusal)
        return refuse(r);
    if (r->port == PORT_API)
        emu_faults_pick(&r->e->faults, r, AT_BEFORE_COMMIT, AT_KEEPALIVE, &r->late);
    if (r->late.when == AT_BEFORE_COMMIT) {
        if (act(r, &r->late) == MHD_NO)
            return MHD_NO;
        overlay(r, &r->late);
        if (bends(&r->late))
            return send_bent(r, &r->late);
        if (r->status)
            return journal_and_queue(r);
    }
    if (!carry_out(r)) {
        emu_break(r, CLOSE_RST);
        return MHD_NO;
    }
    if (r->late.when == AT_AFTER_COMMIT) {
        if (act(r, &r->late) == MHD_NO)
            return MHD_NO;
        overlay(r, &r->late);
        if (bends(&r->late))
            return send_bent(r, &r->late);
    } else if (r->late.when == AT_MID_RESPONSE) {
        overlay(r, &r->late);
    }
    return journal_and_queue(r);
}
