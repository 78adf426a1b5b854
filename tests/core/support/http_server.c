/* SPDX-License-Identifier: MIT */
/* A small HTTP server on loopback that answers with any bytes a test wants. */
#define _GNU_SOURCE
#include "support/http_server.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 256, BUFFER = 4 * 1024 * 1024 };

typedef struct connection {
    http_server *server;
    int fd;
    int number;
    pthread_t thread;
    char *data;
    size_t size;
} connection;

typedef struct inner {
    pthread_t acceptor;
    pthread_mutex_t lock;
    int stopping;
    connection *all[CONNECTIONS];
    int count;
} inner;

/* Reads until the head and its body are there: their sizes, or 0 at the end. */
static size_t request_read(connection *cn, size_t *body_size)
{
    for (;;) {
        char *end = memmem(cn->data, cn->size, "\r\n\r\n", 4);
        ssize_t n;

        if (end != NULL) {
            size_t head = (size_t)(end + 4 - cn->data);
            char *length = memmem(cn->data, head, "\r\nContent-Length: ", 18);

            *body_size = length != NULL ? strtoul(length + 18, NULL, 10) : 0;
            if (cn->size >= head + *body_size)
                return head;
        }
        if (cn->size == BUFFER)
            return 0;
        n = recv(cn->fd, cn->data + cn->size, BUFFER - cn->size, 0);
        if (n <= 0)
            return 0;
        cn->size += (size_t)n;
    }
}

static http_then request_serve(connection *cn)
{
    http_request req;
    size_t head, body;
    http_then then;
    char *text;

    head = request_read(cn, &body);
    if (head == 0)
        return HTTP_CLOSE;
    text = strndup(cn->data, head);
    memset(&req, 0, sizeof req);
    req.server = cn->server;
    req.fd = cn->fd;
    req.connection = cn->number;
    req.number = atomic_fetch_add(&cn->server->requests, 1) + 1;
    req.head = text;
    req.body = cn->data + head;
    req.body_size = body;
    then = cn->server->handler(&req);
    free(text);
    cn->size -= head + body;
    memmove(cn->data, cn->data + head + body, cn->size);
    return then;
}

/* A reset throws away what was not taken by the other side yet: wait until it was, so that a test
 * knows what arrived before. The kernel has no event for that. */
static void sent_await(const connection *cn)
{
    struct pollfd item = {cn->fd, POLLRDHUP, 0};
    int left = 0;

    while (ioctl(cn->fd, SIOCOUTQ, &left) == 0 && left > 0 &&
           !atomic_load(&cn->server->released) && poll(&item, 1, 1) == 0)
        continue;
}

static void *connection_run(void *arg)
{
    const struct linger abrupt = {1, 0};
    connection *cn = arg;
    inner *in = cn->server->inner;
    http_then then = HTTP_KEEP;

    while (then == HTTP_KEEP)
        then = request_serve(cn);
    if (then == HTTP_RESET) {
        sent_await(cn);
        setsockopt(cn->fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
    }
    pthread_mutex_lock(&in->lock);
    close(cn->fd);
    cn->fd = -1;
    pthread_mutex_unlock(&in->lock);
    return NULL;
}

static void *accept_run(void *arg)
{
    http_server *server = arg;
    inner *in = server->inner;
    const int on = 1;

    for (;;) {
        int fd = accept(server->listen_fd, NULL, NULL);
        connection *cn;

        if (fd < 0)
            return NULL;
        /* Head and body go out apart: do not wait 40 ms for the head's acknowledgement. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        pthread_mutex_lock(&in->lock);
        if (in->stopping || in->count == CONNECTIONS) {
            pthread_mutex_unlock(&in->lock);
            close(fd);
            return NULL;
        }
        cn = calloc(1, sizeof *cn);
        cn->server = server;
        cn->fd = fd;
        cn->data = malloc(BUFFER);
        cn->number = atomic_fetch_add(&server->connections, 1) + 1;
        in->all[in->count++] = cn;
        pthread_create(&cn->thread, NULL, connection_run, cn);
        pthread_mutex_unlock(&in->lock);
    }
}

int http_server_start(http_server *server, http_handler handler)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    inner *in = calloc(1, sizeof *in);
    sigset_t all, before;
    int rc;

    memset(server, 0, sizeof *server);
    server->handler = handler;
    server->inner = in;
    pthread_mutex_init(&in->lock, NULL);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listen_fd < 0 ||
        bind(server->listen_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listen_fd, 128) != 0)
        return -1;
    getsockname(server->listen_fd, (struct sockaddr *)&address, &size);
    server->port = ntohs(address.sin_port);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", server->port);
    /* Signals are the test's; the connections' threads inherit the mask. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&in->acceptor, NULL, accept_run, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

void http_server_stop(http_server *server)
{
    inner *in = server->inner;
    int i;

    atomic_store(&server->released, 1);
    pthread_mutex_lock(&in->lock);
    in->stopping = 1;
    for (i = 0; i < in->count; i++) {
        if (in->all[i]->fd >= 0)
            shutdown(in->all[i]->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&in->lock);
    shutdown(server->listen_fd, SHUT_RDWR);
    pthread_join(in->acceptor, NULL);
    for (i = 0; i < in->count; i++) {
        pthread_join(in->all[i]->thread, NULL);
        free(in->all[i]->data);
        free(in->all[i]);
    }
    close(server->listen_fd);
    pthread_mutex_destroy(&in->lock);
    free(in);
}

void http_send(const http_request *req, const void *bytes, size_t size)
{
    const char *at = bytes;

    /* A sanitizer does not know that a socket orders memory. */
    atomic_fetch_add(&req->server->requests, 0);
    while (size > 0) {
        ssize_t n = send(req->fd, at, size, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        at += n;
        size -= (size_t)n;
    }
}

void http_sends(const http_request *req, const char *text)
{
    http_send(req, text, strlen(text));
}

http_then http_answer(const http_request *req, const char *status, const char *body)
{
    char head[256];

    snprintf(
        head, sizeof head,
        "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
        status, strlen(body));
    http_sends(req, head);
    http_sends(req, body);
    return HTTP_KEEP;
}

void http_hold(const http_request *req)
{
    struct pollfd item = {req->fd, POLLRDHUP, 0};

    while (!atomic_load(&req->server->released) && poll(&item, 1, 20) == 0)
        continue;
}
