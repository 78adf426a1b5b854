/* SPDX-License-Identifier: MIT */
/* A small HTTP server on loopback that answers with any bytes a test wants. */
#ifndef TEST_HTTP_SERVER_H
#define TEST_HTTP_SERVER_H

#include <stdatomic.h>
#include <stddef.h>

typedef struct http_server http_server;

/* One request as it came. */
typedef struct http_request {
    http_server *server;
    int fd;
    int connection;   /* from 1 */
    int number;       /* on this server, from 1 */
    const char *head; /* request line and headers, NUL-terminated */
    const char *body;
    size_t body_size;
} http_request;

typedef enum http_then {
    HTTP_KEEP,  /* wait for the next request */
    HTTP_CLOSE, /* an orderly end */
    HTTP_RESET  /* an abrupt one */
} http_then;

/* Runs in a thread of the connection. */
typedef http_then (*http_handler)(const http_request *req);

struct http_server {
    int listen_fd;
    int port;
    char url[64]; /* "http://127.0.0.1:port" */
    http_handler handler;
    void *inner;
    atomic_int connections; /* accepted */
    atomic_int requests;    /* read whole */
    atomic_int released;    /* http_hold ends */
};

/* Nonzero when it could not be started. */
int http_server_start(http_server *server, http_handler handler);
void http_server_stop(http_server *server);

void http_send(const http_request *req, const void *bytes, size_t size);
void http_sends(const http_request *req, const char *text);
/* A whole answer with Content-Length. */
http_then http_answer(const http_request *req, const char *status, const char *body);
/* Waits until the client goes away or the server stops. */
void http_hold(const http_request *req);

#endif
