/* SPDX-License-Identifier: MIT */
/* The transport on libcurl's multi interface. */
#define _GNU_SOURCE
#include "net/curl_transport.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/redact.h"
#include "net/address.h"
#include "net/fork_gate.h"
#include "net/head.h"
#include "net/inherit.h"

enum {
    OLDEST_VERSION = 0x075000, /* 7.80.0: a call before each sending */
    IDLE_HANDLES = 8,
    RECEIVE_BYTES = 128 * 1024,
    UPLOAD_LEAST = 64 * 1024,
    UPLOAD_MOST = 2 * 1024 * 1024, /* libcurl's own maximum */
    HEADER_BYTES_MOST = 64 * 1024,
    STALL_BYTES_PER_SECOND = 64
};

typedef struct transport transport;

typedef struct transfer {
    struct transfer *next, **at;
    transport *owner;
    CURL *easy;
    struct curl_slist *headers;
    tw_transfer_events events;
    void *ctx;
    unsigned flags;
    int direct; /* no proxy between us and the host */
    int sent;   /* how often */
    int added;
    int canceled;
    int paused;
    int want_resume;
    int abort_code; /* why a callback stopped the transfer; TW_OK if none did */
    const char *abort_why;
    int head_done;
    int clean; /* ended well */
    size_t header_bytes;
    tw_head_fields fields;
    char detail[CURL_ERROR_SIZE];
} transfer;

struct transport {
    CURLM *multi;
    const tw_transport_settings *settings;
    transfer *transfers;
    CURL *idle[IDLE_HANDLES]; /* they keep TLS sessions */
    size_t idle_count;
    int busy;    /* inside libcurl: its handles must not be added or removed */
    int pending; /* a transfer waits for that */
};

/* ---- process-wide -------------------------------------------------------------------- */

/* libcurl counts, but before 7.84 two threads must not do so at once. */
static pthread_mutex_t global_lock = PTHREAD_MUTEX_INITIALIZER;

static void global_enter(void)
{
    tw__fork_gate_enter();
    pthread_mutex_lock(&global_lock);
}

static void global_leave(void)
{
    pthread_mutex_unlock(&global_lock);
    tw__fork_gate_leave();
}

static int global_init(tw_error **err)
{
    const curl_version_info_data *info;
    CURLcode rc;

    global_enter();
    rc = curl_global_init(CURL_GLOBAL_DEFAULT);
    info = curl_version_info(CURLVERSION_NOW);
    if (rc == CURLE_OK && info->version_num < OLDEST_VERSION)
        curl_global_cleanup();
    global_leave();
    if (rc != CURLE_OK)
        return tw__error(err, TW_E_NETWORK, "libcurl could not be initialised: %s",
                         curl_easy_strerror(rc));
    if (info->version_num < OLDEST_VERSION)
        return tw__error(err, TW_E_CONFIG, "libcurl %s is too old; 7.80.0 is needed",
                         info->version);
    return TW_OK;
}

static void global_cleanup(void)
{
    global_enter();
    curl_global_cleanup();
    global_leave();
}

void tw__curl_version(char *out)
{
    const curl_version_info_data *info;

    global_enter();
    info = curl_version_info(CURLVERSION_NOW);
    global_leave();
    (void)snprintf(out, TW_CURL_VERSION_SIZE, "libcurl/%s%s%s%s%s", info->version,
                   info->ssl_version != NULL ? " " : "",
                   info->ssl_version != NULL ? info->ssl_version : "",
                   info->libz_version != NULL ? " zlib/" : "",
                   info->libz_version != NULL ? info->libz_version : "");
}

const char *tw__curl_ca_file(void)
{
    const curl_version_info_data *info;

    global_enter();
    info = curl_version_info(CURLVERSION_NOW);
    global_leave();
    return info->age >= CURLVERSION_SEVENTH ? info->cainfo : NULL;
}

/* ---- callbacks ------------------------------------------------------------------------ */

static size_t transfer_stop(transfer *tr, int code, const char *why)
{
    if (tr->abort_code == TW_OK) {
        tr->abort_code = code;
        tr->abort_why = why;
    }
    return 0; /* never the size of what came */
}

static int head_deliver(transfer *tr, int status)
{
    tw_transfer_head head = {sizeof head, 0, 0, "", "", "", "", 0, 0, "", ""};
    int rc;

    head.status = status;
    head.content_length = tr->fields.content_length;
    head.retry_after = tr->fields.retry_after;
    head.content_type = tr->fields.content_type;
    head.content_encoding = tr->fields.content_encoding;
    if (tr->fields.location != NULL)
        head.location = tr->fields.location;
    head.www_authenticate = tr->fields.www_authenticate;
    head.session = tr->fields.session;
    head.open_ended = head.content_length < 0 && !tr->fields.chunked;
    head.sent = tr->sent;
    tr->head_done = 1;
    rc = tr->events.head(tr->ctx, &head);
    if (rc < 0)
        transfer_stop(tr, rc, "");
    return rc;
}

static size_t on_header(char *line, size_t unit, size_t count, void *arg)
{
    transfer *tr = arg;
    size_t size = unit * count;
    long status = 0;

    if (tr->canceled)
        return 0;
    tr->header_bytes += size;
    if (tr->header_bytes > HEADER_BYTES_MOST)
        return transfer_stop(tr, TW_E_PROTOCOL, "the answer's headers passed 64 KiB");
    if (memchr(line, '\0', size) != NULL)
        return transfer_stop(tr, TW_E_PROTOCOL, "a header of the answer held a NUL");
    if (tr->head_done)
        return size; /* a trailer */
    if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        tw__head_reset(&tr->fields);
        return size;
    }
    if (line[0] != '\r' && line[0] != '\n') {
        if (tw__head_take(&tr->fields, line, size) != TW_OK)
            return transfer_stop(tr, TW_E_NOMEM, "memory could not be allocated");
        return size;
    }
    curl_easy_getinfo(tr->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return size; /* 1xx: the real one follows */
    /* Both say where the body ends, and one of them is wrong (RFC 9112, 6.3). */
    if (tr->fields.conflict || (tr->fields.chunked && tr->fields.content_length >= 0))
        return transfer_stop(tr, TW_E_PROTOCOL,
                             "the answer's Content-Length made no sense");
    return head_deliver(tr, (int)status) < 0 || tr->canceled ? 0 : size;
}

static size_t on_data(char *bytes, size_t unit, size_t count, void *arg)
{
    transfer *tr = arg;
    size_t size = unit * count;
    int rc;

    if (tr->canceled)
        return 0;
    tr->want_resume = 0;
    rc = tr->events.data(tr->ctx, bytes, size);
    if (tr->canceled)
        return 0;
    if (rc == TW_AGAIN) {
        tr->paused = 1;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (rc < 0)
        return transfer_stop(tr, rc, "");
    return size;
}

/* Sees the address after the name was resolved: a name that points into the private network
 * is refused here, where no second look-up can change it. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose,
                               struct curl_sockaddr *address)
{
    transfer *tr = arg;
    int type = address->socktype;

    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    if ((tr->flags & TW_TRANSFER_PUBLIC) != 0 && tr->direct &&
        !tw__sockaddr_is_public(&address->addr)) {
        transfer_stop(tr, TW_E_PROTOCOL,
                      "a link of the server led to an address that is not public");
        return CURL_SOCKET_BAD;
    }
#ifdef SOCK_CLOEXEC
    type |= SOCK_CLOEXEC;
#endif
    return tw__fd_own(socket(address->family, type, address->protocol));
}

/* libcurl keeps it with the connection, beyond the transfer. */
static int on_socket_close(void *arg, curl_socket_t fd)
{
    (void)arg;
    return tw__fd_close(fd);
}

/* ---- options ------------------------------------------------------------------------- */

#define SET(option, value)                                       \
    do {                                                         \
        CURLcode set_rc = curl_easy_setopt(easy, option, value); \
        if (set_rc != CURLE_OK)                                  \
            return set_rc;                                       \
    } while (0)

static CURLcode set_security(transfer *tr, const tw_transport_settings *settings)
{
    CURL *easy = tr->easy;

#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    /* An empty string, unlike NULL, also keeps libcurl from reading the environment. */
    tr->direct = settings->proxy[0] == '\0' || (tr->flags & TW_TRANSFER_LOCAL) != 0;
    SET(CURLOPT_PROXY, tr->direct ? "" : settings->proxy);
    SET(CURLOPT_NOPROXY, settings->no_proxy);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (settings->ca_pem != NULL) {
        struct curl_blob blob = {(void *)settings->ca_pem, settings->ca_pem_size,
                                 CURL_BLOB_NOCOPY};

        SET(CURLOPT_CAINFO_BLOB, &blob);
        SET(CURLOPT_CAPATH, NULL);
        SET(CURLOPT_PROXY_CAINFO_BLOB, &blob);
        SET(CURLOPT_PROXY_CAPATH, NULL);
        SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    }
    return CURLE_OK;
}

/* A connection is there and the request goes out. Its answer may be that to a repetition, of which
 * libcurl says nothing. */
static int on_send(void *ctx, char *to, char *from, int to_port, int from_port)
{
    transfer *tr = ctx;

    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    tr->sent++;
    return CURL_PREREQFUNC_OK;
}

static long stall_seconds(int64_t ms)
{
    int64_t seconds = (ms + 999) / 1000;

    return seconds > LONG_MAX ? LONG_MAX : (long)seconds;
}

static long curl_ms(int64_t ms)
{
    return ms > INT_MAX ? (long)INT_MAX : (long)ms;
}

static CURLcode set_transfer(transfer *tr, const tw_transfer_request *req)
{
    CURL *easy = tr->easy;

    SET(CURLOPT_URL, req->url);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTPHEADER, tr->headers);
    SET(CURLOPT_CONNECTTIMEOUT_MS, curl_ms(req->connect_timeout_ms));
    SET(CURLOPT_TIMEOUT_MS, req->timeout_ms < 0 ? 0L : curl_ms(req->timeout_ms));
    if (req->stall_ms >= 0) {
        SET(CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_SECOND);
        SET(CURLOPT_LOW_SPEED_TIME, stall_seconds(req->stall_ms));
    }
    if ((req->flags & TW_TRANSFER_FRESH) != 0) {
        SET(CURLOPT_FRESH_CONNECT, 1L);
        SET(CURLOPT_FORBID_REUSE, 1L);
    }
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name that never resolves must not hold up the end: its thread is left to itself. */
    SET(CURLOPT_QUICK_EXIT, 1L);
#endif
    SET(CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
    SET(CURLOPT_ERRORBUFFER, tr->detail);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, tr);
    SET(CURLOPT_WRITEFUNCTION, on_data);
    SET(CURLOPT_WRITEDATA, tr);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(CURLOPT_OPENSOCKETDATA, tr);
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_socket_close);
    SET(CURLOPT_CLOSESOCKETDATA, NULL);
    SET(CURLOPT_PREREQFUNCTION, on_send);
    SET(CURLOPT_PREREQDATA, tr);
    SET(CURLOPT_PRIVATE, tr);
    return CURLE_OK;
}

static CURLcode set_body(transfer *tr, const tw_transfer_request *req)
{
    CURL *easy = tr->easy;
    size_t room = req->body_size;

    if (req->body == NULL && strcmp(req->method, "GET") == 0) {
        SET(CURLOPT_HTTPGET, 1L);
        return CURLE_OK;
    }
    if (room < UPLOAD_LEAST)
        room = UPLOAD_LEAST;
    if (room > UPLOAD_MOST)
        room = UPLOAD_MOST;
    SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)room);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_size);
    SET(CURLOPT_POSTFIELDS, req->body != NULL ? req->body : "");
    if (strcmp(req->method, "POST") != 0)
        SET(CURLOPT_CUSTOMREQUEST, req->method);
    return CURLE_OK;
}

#undef SET

/* ---- life of a transfer --------------------------------------------------------------- */

static int headers_build(transfer *tr, const tw_transfer_request *req)
{
    /* A body above 1 MiB would otherwise wait a second for "100 Continue". */
    static const char *const always[] = {"Expect:", "Accept-Encoding: identity", NULL};
    const char *const *lists[2];
    size_t i;

    lists[0] = always;
    lists[1] = req->headers;
    for (i = 0; i < 2; i++) {
        const char *const *at;

        for (at = lists[i]; at != NULL && *at != NULL; at++) {
            struct curl_slist *more = curl_slist_append(tr->headers, *at);

            if (more == NULL)
                return TW_E_NOMEM;
            tr->headers = more;
        }
    }
    return TW_OK;
}

/* Authorization is among them. */
static void headers_free(struct curl_slist *headers)
{
    struct curl_slist *item;

    for (item = headers; item != NULL; item = item->next)
        explicit_bzero(item->data, strlen(item->data));
    curl_slist_free_all(headers);
}

static void transfer_free(transfer *tr)
{
    transport *tp = tr->owner;

    tw__fork_gate_enter(); /* it may end a connection */

    if (tr->added)
        curl_multi_remove_handle(tp->multi, tr->easy);
    /* A handle that failed is not used again: resetting one leaves its buffers as they are, and
     * then it refuses options (seen with 7.88). */
    if (tr->clean && tp->idle_count < IDLE_HANDLES) {
        curl_easy_reset(tr->easy);
        tp->idle[tp->idle_count++] = tr->easy;
    } else {
        curl_easy_cleanup(tr->easy);
    }
    tw__fork_gate_leave();
    headers_free(tr->headers);
    tw__head_reset(&tr->fields);
    if (tr->at != NULL) {
        *tr->at = tr->next;
        if (tr->next != NULL)
            tr->next->at = tr->at;
    }
    tw__free(tr);
}

static int option_error(CURLcode rc, tw_error **err)
{
    if (rc == CURLE_OUT_OF_MEMORY)
        return tw__error_nomem(err);
    return tw__error(err, TW_E_CONFIG,
                     "this libcurl refused an option that is needed: %s",
                     curl_easy_strerror(rc));
}

static int curl_start(void **out, void *state, const tw_transfer_request *req,
                      const tw_transfer_events *events, void *ctx, tw_error **err)
{
    transport *tp = state;
    transfer *tr;
    CURLcode rc;

    if (strncmp(req->url, "https:", 6) == 0 && tp->settings->ca_pem == NULL)
        return tw__error(err, TW_E_CONFIG,
                         "no trusted certificates were loaded for https");
    tr = tw__alloc_zero(1, sizeof *tr);
    if (tr == NULL)
        return tw__error_nomem(err);
    tr->owner = tp;
    tr->events = *events;
    tr->ctx = ctx;
    tr->flags = req->flags;
    tw__head_reset(&tr->fields);
    tr->easy = tp->idle_count > 0 ? tp->idle[--tp->idle_count] : curl_easy_init();
    if (tr->easy == NULL || headers_build(tr, req) != TW_OK) {
        transfer_free(tr);
        return tw__error_nomem(err);
    }
    rc = set_security(tr, tp->settings);
    if (rc == CURLE_OK)
        rc = set_transfer(tr, req);
    if (rc == CURLE_OK)
        rc = set_body(tr, req);
    if (rc != CURLE_OK) {
        transfer_free(tr);
        return option_error(rc, err);
    }
    tr->next = tp->transfers;
    tr->at = &tp->transfers;
    if (tr->next != NULL)
        tr->next->at = &tr->next;
    tp->transfers = tr;
    tp->pending = 1; /* added by the next poll: we may be inside libcurl */
    *out = tr;
    return TW_OK;
}

static int curl_cancel(void *state, void *arg)
{
    transport *tp = state;
    transfer *tr = arg;
    int sent = tr->sent;

    tr->canceled = 1;
    if (tp->busy)
        tp->pending = 1;
    else
        transfer_free(tr);
    return sent;
}

static void curl_resume(void *state, void *arg)
{
    transport *tp = state;
    transfer *tr = arg;

    tr->want_resume = 1;
    tp->pending = 1;
}

/* ---- how it ended ---------------------------------------------------------------------- */

static const struct {
    CURLcode from;
    int code;
    int permanent;
} codes[] = {
    {CURLE_OUT_OF_MEMORY, TW_E_NOMEM, 0},
    {CURLE_OPERATION_TIMEDOUT, TW_E_TIMEOUT, 0},
    {CURLE_PEER_FAILED_VERIFICATION, TW_E_NETWORK, 1},
    {CURLE_SSL_CACERT_BADFILE, TW_E_NETWORK, 1},
    {CURLE_SSL_ISSUER_ERROR, TW_E_NETWORK, 1},
    {CURLE_SSL_CIPHER, TW_E_NETWORK, 1},
    {CURLE_SSL_CONNECT_ERROR, TW_E_NETWORK, 0},
    {CURLE_URL_MALFORMAT, TW_E_CONFIG, 1},
    {CURLE_UNSUPPORTED_PROTOCOL, TW_E_PROTOCOL, 1}, /* also an answer of HTTP/0.9 */
    {CURLE_WEIRD_SERVER_REPLY, TW_E_PROTOCOL, 0},
    {CURLE_BAD_CONTENT_ENCODING, TW_E_PROTOCOL, 0},
};

/* libcurl quotes a proxy that it cannot use with all that its URL holds. */
static void proxy_hide(char *text, const char *proxy)
{
    const char *scheme = strstr(proxy, "://");
    const char *from = scheme != NULL ? scheme + 3 : proxy;
    const char *at = strrchr(from, '@');

    if (at != NULL)
        tw__redact(text, from, (size_t)(at - from), "***");
}

static void end_fill(tw_transfer_end *end, char *text, size_t room, const transfer *tr,
                     CURLcode result)
{
    size_t i;

    end->size = sizeof *end;
    end->sent = tr->sent;
    end->permanent = 0;
    end->message = "";
    end->code = TW_OK;
    if (tr->abort_code != TW_OK) {
        end->code = tr->abort_code;
        end->permanent = 1;
        end->message = tr->abort_why;
        return;
    }
    if (result == CURLE_OK && tr->head_done)
        return;
    end->code = TW_E_NETWORK;
    if (result ==
        CURLE_OK) { /* libcurl is content with an answer that ends in its headers */
        end->message = "the answer ended within its headers";
        return;
    }
    for (i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].from == result) {
            end->code = codes[i].code;
            end->permanent = codes[i].permanent;
        }
    }
    snprintf(text, room, "%s",
             tr->detail[0] != '\0' ? tr->detail : curl_easy_strerror(result));
    proxy_hide(text, tr->owner->settings->proxy);
    end->message = text;
}

static void transfer_end(transfer *tr, CURLcode result)
{
    char text[CURL_ERROR_SIZE];
    tw_transfer_events events = tr->events;
    void *ctx = tr->ctx;
    tw_transfer_end end;

    end_fill(&end, text, sizeof text, tr, result);
    tr->clean = end.code == TW_OK;
    transfer_free(tr);
    events.done(ctx, &end);
}

/* ---- polling --------------------------------------------------------------------------- */

/* What had to wait because libcurl was at work. */
static void pending_run(transport *tp)
{
    transfer *tr, *next;

    tp->pending = 0;
    for (tr = tp->transfers; tr != NULL; tr = next) {
        next = tr->next;
        if (tr->canceled) {
            transfer_free(tr);
            continue;
        }
        if (!tr->added) {
            tr->added = curl_multi_add_handle(tp->multi, tr->easy) == CURLM_OK;
            if (!tr->added) {
                transfer_stop(tr, TW_E_NOMEM, "memory could not be allocated");
                tp->pending = 1;
            }
        }
        if (tr->want_resume && tr->paused) {
            tr->paused = 0;
            tp->busy = 1; /* it delivers at once what it kept */
            curl_easy_pause(tr->easy, CURLPAUSE_CONT);
            tp->busy = 0;
        }
    }
}

/* One at a time from the start: done() may change the list in any way. */
static void refused_report(transport *tp)
{
    transfer *tr = tp->transfers;

    while (tr != NULL) {
        if (!tr->added && !tr->canceled && tr->abort_code != TW_OK) {
            transfer_end(tr, CURLE_OUT_OF_MEMORY);
            tr = tp->transfers;
        } else {
            tr = tr->next;
        }
    }
}

static void ended_report(transport *tp)
{
    int left;
    CURLMsg *msg = curl_multi_info_read(tp->multi, &left);

    while (msg != NULL) {
        if (msg->msg == CURLMSG_DONE) {
            CURLcode result = msg->data.result;
            char *owner = NULL;

            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &owner);
            transfer_end((transfer *)(void *)owner, result);
        }
        msg = curl_multi_info_read(tp->multi, &left);
    }
}

static void curl_poll(void *state, int64_t timeout_ms)
{
    transport *tp = state;
    int running = 0;

    if (tp->pending) {
        pending_run(tp);
        refused_report(tp);
    }
    if (tp->pending)
        timeout_ms = 0;
    curl_multi_poll(tp->multi, NULL, 0, timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms,
                    NULL);
    /* OpenSSL has locks that a child could find held for ever: no fork while it may be at work. */
    tw__fork_gate_enter();
    tp->busy = 1;
    curl_multi_perform(tp->multi, &running);
    tp->busy = 0;
    tw__fork_gate_leave();
    if (tp->pending)
        pending_run(tp);
    ended_report(tp);
}

static void curl_wake(void *state)
{
    transport *tp = state;

    curl_multi_wakeup(tp->multi);
}

/* ---- life of the transport -------------------------------------------------------------- */

static void curl_close(void *state)
{
    transport *tp = state;

    tw__fork_gate_enter();
    while (tp->transfers != NULL)
        transfer_free(tp->transfers);
    while (tp->idle_count > 0)
        curl_easy_cleanup(tp->idle[--tp->idle_count]);
    curl_multi_cleanup(tp->multi);
    tw__fork_gate_leave();
    tw__free(tp);
    global_cleanup();
}

static int curl_open(void **out, void *ctx, const tw_transport_settings *settings,
                     tw_error **err)
{
    transport *tp;
    tw_inherit inherited;
    int rc;

    (void)ctx;
    rc = global_init(err);
    if (rc != TW_OK)
        return rc;
    tp = tw__alloc_zero(1, sizeof *tp);
    if (tp == NULL) {
        global_cleanup();
        return tw__error_nomem(err);
    }
    tp->settings = settings;
    tw__inherit_begin(&inherited);
    tp->multi = curl_multi_init();
    tw__inherit_end(&inherited);
    /* Without descriptors libcurl makes a multi handle that cannot be woken. */
    if (tp->multi == NULL || curl_multi_wakeup(tp->multi) != CURLM_OK) {
        curl_multi_cleanup(tp->multi);
        tw__free(tp);
        global_cleanup();
        return tw__error(err, TW_E_NETWORK,
                         "no memory or descriptor was left for libcurl");
    }
    *out = tp;
    return TW_OK;
}

const tw_transport *tw__curl_transport(void)
{
    static const tw_transport self = {sizeof self, curl_open,   curl_close,
                                      curl_start,  curl_cancel, curl_resume,
                                      curl_poll,   curl_wake,   NULL};

    return &self;
}
