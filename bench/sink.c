/* SPDX-License-Identifier: MIT */
/* The server that benchmarks send to: as little work as HTTP allows, so that what is measured
 * is the sender. Answers ingestion posts with the documented summary, serves one file as the
 * export archive, and tells what it got under /stats. One thread, epoll, loopback only.
 * Usage: sink [--delay-ms N] [--port N] [ARCHIVE]; a delay comes before each summary. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <zlib.h>

typedef struct conn {
    int fd;
    char *in;
    size_t size;
    size_t room;
    char out[512];
    size_t out_size;
    size_t out_sent;
    off_t file_at; /* of the archive, while it is sent */
    int sends_file;
    int closes;
} conn;

static struct {
    unsigned long long events;
    unsigned long long bytes;
    unsigned long long requests;
    unsigned long long connections;
} total;

static long delay_ms;
static unsigned short port;
static int epoll_fd;
static int archive_fd = -1;
static off_t archive_size;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void *more(void *old, size_t size)
{
    void *p = realloc(old, size);

    if (p == NULL)
        die("realloc");
    return p;
}

static size_t count_events(const char *text, size_t size)
{
    static const char mark[] = "\"event_type\":";
    const char *end = text + size;
    size_t n = 0;

    for (;;) {
        text = memmem(text, (size_t)(end - text), mark, sizeof mark - 1);
        if (text == NULL)
            return n;
        n++;
        text += sizeof mark - 1;
    }
}

/* The value of a header within [head, end), or NULL. */
static const char *header(const char *head, const char *end, const char *name)
{
    size_t n = strlen(name);

    while (head < end) {
        const char *line = memchr(head, '\n', (size_t)(end - head));

        if (line == NULL)
            return NULL;
        head = line + 1;
        if ((size_t)(end - head) > n && strncasecmp(head, name, n) == 0 && head[n] == ':')
            return head + n + 1 + strspn(head + n + 1, " ");
    }
    return NULL;
}

/* Counts in a body that may be gzip. */
static size_t count_body(const char *head, const char *body, size_t size)
{
    static char
        text[21 << 20]; /* an event on the border of two pieces would not be counted, */
    z_stream z = {0};   /* hence as large as a body may be */
    const char *encoding = header(head, body, "content-encoding");
    size_t n;

    if (encoding == NULL || strncasecmp(encoding, "gzip", 4) != 0)
        return count_events(body, size);
    if (inflateInit2(&z, 31) != Z_OK)
        die("inflateInit2");
    z.next_in = (Bytef *)body;
    z.avail_in = (uInt)size;
    z.next_out = (Bytef *)text;
    z.avail_out = sizeof text;
    if (inflate(&z, Z_FINISH) != Z_STREAM_END)
        die("inflate");
    n = count_events(text, z.total_out);
    inflateEnd(&z);
    return n;
}

static void answer(conn *c, const char *type, const char *body)
{
    c->out_size = (size_t)snprintf(
        c->out, sizeof c->out,
        "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n%s", type,
        strlen(body), c->closes ? "Connection: close\r\n" : "", body);
    c->out_sent = 0;
}

static void serve(conn *c, const char *head, const char *body, size_t body_size)
{
    char text[256];

    total.requests++;
    if (strncmp(head, "GET /stats", 10) == 0) {
        total.requests--;
        snprintf(
            text, sizeof text,
            "{\"events\":%llu,\"bytes\":%llu,\"requests\":%llu,\"connections\":%llu}",
            total.events, total.bytes, total.requests, total.connections);
        memset(&total, 0, sizeof total);
        answer(c, "application/json", text);
    } else if (strncmp(head, "GET /api/2/export", 17) == 0 && archive_fd >= 0) {
        c->out_size = (size_t)snprintf(
            c->out, sizeof c->out,
            "HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\n"
            "Content-Length: %lld\r\n%s\r\n",
            (long long)archive_size, c->closes ? "Connection: close\r\n" : "");
        c->out_sent = 0;
        c->file_at = 0;
        c->sends_file = 1;
    } else {
        const struct timespec pause = {delay_ms / 1000, delay_ms % 1000 * 1000000};
        size_t n = count_body(head, body, body_size);

        nanosleep(&pause, NULL);
        total.events += n;
        total.bytes += body_size;
        snprintf(text, sizeof text,
                 "{\"code\":200,\"server_upload_time\":1767225600456,"
                 "\"payload_size_bytes\":%zu,\"events_ingested\":%zu}",
                 body_size, n);
        answer(c, "application/json", text);
    }
}

/* Handles one whole request at the start of the input, if there is one. */
static int take_request(conn *c)
{
    const char *head = c->in;
    const char *end = memmem(c->in, c->size, "\r\n\r\n", 4);
    const char *text;
    size_t body_size = 0;
    size_t whole;

    if (end == NULL)
        return 0;
    end += 4;
    text = header(head, end, "content-length");
    if (text != NULL)
        body_size = strtoull(text, NULL, 10);
    whole = (size_t)(end - head) + body_size;
    if (c->size < whole) {
        if (c->room < whole) {
            c->in = more(c->in, whole + 1);
            c->room = whole;
        }
        return 0;
    }
    text = header(head, end, "connection");
    c->closes = text != NULL && strncasecmp(text, "close", 5) == 0;
    serve(c, head, end, body_size);
    memmove(c->in, c->in + whole, c->size - whole);
    c->size -= whole;
    return 1;
}

static int flush_out(conn *c)
{
    while (c->out_sent < c->out_size) {
        ssize_t n =
            send(c->fd, c->out + c->out_sent, c->out_size - c->out_sent, MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        c->out_sent += (size_t)n;
    }
    while (c->sends_file && c->file_at < archive_size) {
        ssize_t n =
            sendfile(c->fd, archive_fd, &c->file_at, (size_t)(archive_size - c->file_at));

        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
    }
    c->sends_file = 0;
    return 1;
}

static void drop(conn *c)
{
    close(c->fd);
    free(c->in);
    free(c);
}

static void work(conn *c)
{
    struct epoll_event ev = {.data.ptr = c};

    for (;;) {
        ssize_t n;
        int rc = flush_out(c);

        if (rc < 0 || (rc > 0 && c->closes && c->out_size > 0)) {
            drop(c);
            return;
        }
        if (rc == 0) {
            ev.events = EPOLLOUT;
            epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &ev);
            return;
        }
        if (c->size > 0 && take_request(c))
            continue;
        if (c->room - c->size < 65536)
            c->in = more(c->in, (c->room = c->size + 262144) + 1);
        n = recv(c->fd, c->in + c->size, c->room - c->size, 0);
        if (n < 0 && errno == EAGAIN) {
            ev.events = EPOLLIN;
            epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &ev);
            return;
        }
        if (n <= 0) {
            drop(c);
            return;
        }
        c->size += (size_t)n;
    }
}

static int listen_on_loopback(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t n = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr.sin_port = htons(port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 ||
        listen(fd, 512) < 0 || getsockname(fd, (struct sockaddr *)&addr, &n) < 0)
        die("listen");
    printf("http://127.0.0.1:%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event ev = {.events = EPOLLIN};
    struct epoll_event ready[64];
    int listener;
    int i;

    for (i = 1; i < argc; i++) {
        struct stat st;

        if (strcmp(argv[i], "--delay-ms") == 0 && i + 1 < argc) {
            delay_ms = strtol(argv[++i], NULL, 10);
            continue;
        }
        if (strcmp(argv[i], "--port") == 0 && i + 1 < argc) {
            port = (unsigned short)strtoul(argv[++i], NULL, 10);
            continue;
        }
        archive_fd = open(argv[i], O_RDONLY | O_CLOEXEC);
        if (archive_fd < 0 || fstat(archive_fd, &st) < 0)
            die(argv[i]);
        archive_size = st.st_size;
    }
    listener = listen_on_loopback();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &ev);
    for (;;) {
        int n = epoll_wait(epoll_fd, ready, 64, -1);

        for (i = 0; i < n; i++) {
            conn *c = ready[i].data.ptr;
            int one = 1;

            if (c != NULL) {
                work(c);
                continue;
            }
            c = more(NULL, sizeof *c);
            memset(c, 0, sizeof *c);
            c->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (c->fd < 0) {
                free(c);
                continue;
            }
            setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            total.connections++;
            epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd,
                      &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
        }
    }
}
