/* SPDX-License-Identifier: MIT */
/* TLS for real: who is trusted, who is not, and below which version nobody is. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/loop.h"

static char folder[] = "/tmp/tidewheel-tls-XXXXXX";
static pid_t server;
static char url[64];

static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int shell(const char *format, ...)
{
    char command[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    return system(command);
}

/* A certificate that is its own authority; made anew each time, never stored. */
static int certificate_make(const char *name, const char *host)
{
    return shell(
        "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
        "-nodes -keyout %s.key -out %s.pem -days 1 -subj /CN=test "
        "-addext subjectAltName=%s 2>/dev/null",
        folder, name, name, host);
}

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    return certificate_make("good", "IP:127.0.0.1") != 0 ||
           certificate_make("other", "IP:127.0.0.1") != 0 ||
           certificate_make("elsewhere", "DNS:elsewhere.example") != 0;
}

static int teardown(void **state)
{
    (void)state;
    return shell("rm -r %s", folder);
}

/* Starts `openssl s_server` on a free port and waits until it says which. */
static void serve(const char *name, const char *version)
{
    char key[64], pem[64], line[256];
    int fds[2];
    FILE *out;

    snprintf(key, sizeof key, "%s/%s.key", folder, name);
    snprintf(pem, sizeof pem, "%s/%s.pem", folder, name);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    server = fork();
    if (server == 0) {
        dup2(fds[1], 1);
        dup2(open("/dev/null", O_RDWR), 2);
        execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-key", key,
               "-cert", pem, "-www", "-cipher", "DEFAULT@SECLEVEL=0", version,
               (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    out = fdopen(fds[0], "r");
    url[0] = '\0';
    while (url[0] == '\0' && fgets(line, sizeof line, out) != NULL) {
        const char *port = strrchr(line, ':');

        if (strncmp(line, "ACCEPT", 6) == 0 && port != NULL)
            snprintf(url, sizeof url, "https://127.0.0.1:%ld/",
                     strtol(port + 1, NULL, 10));
    }
    fclose(out);
    assert_true(url[0] != '\0');
}

static void serve_no_more(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

/* ---- one exchange ---------------------------------------------------------------------------- */

typedef struct seen {
    int done, status, code, sent, permanent;
    char message[512];
} seen;

static int on_head(void *ctx, const tw_transfer_head *head)
{
    ((seen *)ctx)->status = head->status;
    return TW_OK;
}

static int on_data(void *ctx, const char *bytes, size_t size)
{
    (void)ctx;
    (void)bytes;
    (void)size;
    return TW_OK;
}

static void on_done(void *ctx, const tw_transfer_end *end)
{
    seen *sn = ctx;

    sn->done = 1;
    sn->code = end->code;
    sn->sent = end->sent;
    sn->permanent = end->permanent;
    snprintf(sn->message, sizeof sn->message, "%s", end->message);
}

static void exchange(seen *sn, const char *trusted)
{
    static const tw_transfer_events events = {on_head, on_data, on_done};
    static const char *const headers[] = {"Authorization: Basic c2VjcmV0", NULL};
    tw_transport_settings settings = {sizeof settings, "", "", NULL, 0};
    static char pem[8192];
    tw_transfer_request req;
    char path[64];
    tw_loop *loop;
    void *transfer;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s.pem", folder, trusted);
    file = fopen(path, "r");
    assert_non_null(file);
    settings.ca_pem_size = fread(pem, 1, sizeof pem, file);
    settings.ca_pem = pem;
    fclose(file);
    assert_int_equal(tw__loop_new(&loop, NULL, &settings, TW_LOOP_BY_HAND, NULL), TW_OK);
    memset(sn, 0, sizeof *sn);
    memset(&req, 0, sizeof req);
    req.size = sizeof req;
    req.method = "GET";
    req.url = url;
    req.headers = headers;
    req.connect_timeout_ms = 10000;
    req.timeout_ms = 20000;
    req.stall_ms = -1;
    assert_int_equal(tw__loop_transfer_start(&transfer, loop, &req, &events, sn, NULL),
                     TW_OK);
    while (!sn->done)
        tw__loop_turn(loop, 1000);
    print_message("%d %s\n", sn->status, sn->message);
    tw__loop_close(loop);
    tw__loop_unref(loop);
}

static void assert_refused(const seen *sn, int permanent)
{
    assert_int_equal(sn->code, TW_E_NETWORK);
    assert_int_equal(sn->status, 0);
    assert_int_equal(sn->sent, 0); /* the credential stayed here */
    assert_int_equal(sn->permanent, permanent);
}

static void a_trusted_server_is_spoken_to(void **state)
{
    seen sn;

    (void)state;
    serve("good", "-tls1_2");
    exchange(&sn, "good");
    serve_no_more();
    assert_int_equal(sn.code, TW_OK);
    assert_int_equal(sn.status, 200);
    serve("good", "-tls1_3");
    exchange(&sn, "good");
    serve_no_more();
    assert_int_equal(sn.code, TW_OK);
}

/* Only what was given is trusted: not the system's certificates besides. */
static void an_unknown_authority_is_refused(void **state)
{
    seen sn;

    (void)state;
    serve("good", "-tls1_2");
    exchange(&sn, "other");
    serve_no_more();
    assert_refused(&sn, 1);
}

static void another_hosts_certificate_is_refused(void **state)
{
    seen sn;

    (void)state;
    serve("elsewhere", "-tls1_2");
    exchange(&sn, "elsewhere");
    serve_no_more();
    assert_refused(&sn, 1);
}

static void old_tls_is_refused(void **state)
{
    seen sn;

    (void)state;
    serve("good", "-tls1_1");
    exchange(&sn, "good");
    serve_no_more();
    assert_refused(&sn, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trusted_server_is_spoken_to),
        cmocka_unit_test(an_unknown_authority_is_refused),
        cmocka_unit_test(another_hosts_certificate_is_refused),
        cmocka_unit_test(old_tls_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
