/* SPDX-License-Identifier: MIT */
/* The libcurl transport against a socket server: time limits, streams, where it may go. */
#define _GNU_SOURCE
#include "transfer_world.h"

/* ---- time -------------------------------------------------------------------------- */

static http_then stay_silent(const http_request *req)
{
    http_hold(req);
    return HTTP_CLOSE;
}

static void silence_ends_at_the_timeout(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen sn;

    (void)state;
    begin(stay_silent);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    req.timeout_ms = 50;
    start(&sn, &req);
    finish(&sn);
    assert_int_equal(sn.code, TW_E_TIMEOUT);
    assert_int_equal(sn.sent, 1);
    forget(&sn);
    end();
}

static http_then begin_and_stall(const http_request *req)
{
    http_sends(req, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc");
    http_hold(req);
    return HTTP_CLOSE;
}

static void a_stalled_download_is_given_up(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen sn;

    (void)state;
    begin(begin_and_stall);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    req.timeout_ms = -1;
    req.stall_ms = 1000;
    start(&sn, &req);
    finish(&sn);
    assert_int_equal(sn.code, TW_E_TIMEOUT);
    forget(&sn);
    end();
}

static void closing_does_not_wait_for_a_silent_server(void **state)
{
    seen sn[8];
    tw_transfer_request req;
    int64_t before;
    char url[128];
    int i;

    (void)state;
    begin(stay_silent);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    for (i = 0; i < 8; i++)
        start(&sn[i], &req);
    while (atomic_load(&server.requests) < 8)
        tw__loop_turn(loop, 10);
    before = tw__monotonic_ms();
    end();
    assert_true(tw__monotonic_ms() - before < 5000); /* the bound is for slow machines */
    for (i = 0; i < 8; i++) {
        assert_int_equal(sn[i].dones, 0);
        forget(&sn[i]);
    }
}

/* ---- streams ----------------------------------------------------------------------- */

enum { LONG_BODY = 3 * 1024 * 1024 };

static http_then send_long(const http_request *req)
{
    char *body = malloc(LONG_BODY);
    char head[128];
    size_t i;

    for (i = 0; i < LONG_BODY; i++)
        body[i] = (char)(i % 251);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
             LONG_BODY);
    http_sends(req, head);
    http_send(req, body, LONG_BODY);
    free(body);
    return HTTP_KEEP;
}

static int long_body_is_right(const seen *sn)
{
    size_t i;

    if (sn->body.size != LONG_BODY)
        return 0;
    for (i = 0; i < LONG_BODY; i++) {
        if (sn->body.data[i] != (char)(i % 251))
            return 0;
    }
    return 1;
}

static void a_paused_stream_waits_and_goes_on(void **state)
{
    tw_transfer_request req;
    char url[128];
    size_t stood;
    seen sn;
    int i;

    (void)state;
    begin(send_long);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    start(&sn, &req);
    sn.pause_at = 100000;
    while (sn.pause_at > 0)
        tw__loop_turn(loop, 1000);
    stood = sn.body.size;
    for (i = 0; i < 20; i++)
        tw__loop_turn(loop, 1);
    assert_int_equal(sn.body.size, stood);
    assert_int_equal(sn.dones, 0);
    tw__loop_transfer_resume(loop, sn.transfer);
    finish(&sn);
    assert_int_equal(sn.code, TW_OK);
    assert_true(long_body_is_right(&sn));
    forget(&sn);
    end();
}

static void resume_inside(seen *sn)
{
    if (sn->pause_at > 0 && sn->body.size >= (size_t)sn->pause_at)
        tw__loop_transfer_resume(loop, sn->transfer);
}

static void a_resume_before_the_pause_counts(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen sn;

    (void)state;
    begin(send_long);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    start(&sn, &req);
    sn.pause_at = 100000;
    sn.in_data = resume_inside;
    finish(&sn);
    assert_int_equal(sn.pause_at, -1);
    assert_true(long_body_is_right(&sn));
    forget(&sn);
    end();
}

static void the_receiver_can_abort(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen sn;

    (void)state;
    begin(send_long);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    start(&sn, &req);
    sn.data_code = TW_E_PROTOCOL;
    finish(&sn);
    assert_int_equal(sn.code, TW_E_PROTOCOL);
    assert_int_equal(sn.permanent, 1);
    assert_string_equal(sn.message, "");
    forget(&sn);
    start(&sn, &req);
    sn.head_code = TW_E_VALIDATION;
    finish(&sn);
    assert_int_equal(sn.code, TW_E_VALIDATION);
    assert_int_equal(sn.body.size, 0);
    forget(&sn);
    end();
}

static void cancel_both(seen *sn)
{
    seen *other = sn->other;

    sn->in_data = NULL;
    tw__loop_transfer_cancel(loop, sn->transfer);
    tw__loop_transfer_cancel(loop, other->transfer);
    sn->transfer = other->transfer = NULL;
}

/* Inside a callback libcurl's handles must not be touched: cancelling waits, reporting stops. */
static void cancelling_within_a_callback_is_safe(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen a, b, c;

    (void)state;
    begin(send_long);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    start(&a, &req);
    start(&b, &req);
    a.other = &b;
    b.other = &a;
    a.in_data = b.in_data = cancel_both;
    while (a.transfer != NULL || b.transfer != NULL)
        tw__loop_turn(loop, 1000);
    start(&c, &req); /* the rest still works */
    finish(&c);
    assert_true(long_body_is_right(&c));
    assert_int_equal(a.dones + b.dones, 0);
    forget(&a);
    forget(&b);
    forget(&c);
    end();
}

static void start_other(seen *sn)
{
    tw_transfer_request req;
    char url[128];

    sn->in_data = NULL;
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    start(sn->other, &req);
}

static void starting_within_a_callback_is_safe(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen a, b;

    (void)state;
    begin(send_long);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    memset(&b, 0, sizeof b);
    start(&a, &req);
    a.other = &b;
    a.in_data = start_other;
    finish(&a);
    finish(&b);
    assert_true(long_body_is_right(&a));
    assert_true(long_body_is_right(&b));
    forget(&a);
    forget(&b);
    end();
}

static void many_at_once_all_end(void **state)
{
    enum { N = 40 };
    static seen sn[N];
    tw_transfer_request req;
    char url[128];
    int i;

    (void)state;
    begin(answer_ok);
    snprintf(url, sizeof url, "%s/", server.url);
    req = request_of(url);
    for (i = 0; i < N; i++)
        start(&sn[i], &req);
    for (i = 0; i < N; i++) {
        finish(&sn[i]);
        assert_int_equal(sn[i].code, TW_OK);
        forget(&sn[i]);
    }
    assert_int_equal(atomic_load(&server.requests), N);
    end();
}

/* ---- where it may go --------------------------------------------------------------- */

static void private_addresses_are_refused_on_connecting(void **state)
{
    seen sn;

    (void)state;
    begin(answer_ok);
    exchange(&sn, "/x", TW_TRANSFER_PUBLIC);
    assert_int_equal(sn.code, TW_E_PROTOCOL);
    assert_int_equal(sn.sent, 0);
    assert_int_equal(sn.permanent, 1);
    assert_non_null(strstr(sn.message, "not public"));
    assert_int_equal(atomic_load(&server.connections), 0);
    forget(&sn);
    end();
}

static void other_protocols_are_refused(void **state)
{
    static const char *const urls[] = {"file:///etc/passwd", "ftp://127.0.0.1/x",
                                       "gopher://127.0.0.1/x", "dict://127.0.0.1/x"};
    tw_transfer_request req;
    size_t i;
    seen sn;

    (void)state;
    begin(answer_ok);
    for (i = 0; i < 4; i++) {
        req = request_of(urls[i]);
        start(&sn, &req);
        finish(&sn);
        assert_int_equal(sn.code, TW_E_PROTOCOL);
        assert_int_equal(sn.body.size, 0);
        forget(&sn);
    }
    end();
}

static void https_without_certificates_is_refused(void **state)
{
    tw_transfer_request req = request_of("https://127.0.0.1:1/");
    tw_error *err = NULL;
    void *transfer;

    (void)state;
    begin(answer_ok);
    assert_int_equal(tw__loop_transfer_start(&transfer, loop, &req, &events, NULL, &err),
                     TW_E_CONFIG);
    assert_null(transfer);
    tw_error_free(err);
    end();
}

static void plain_text_on_a_tls_port_is_an_error(void **state)
{
    static const char pem[] =
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    const tw_transport_settings tls = {sizeof tls, "", "", pem, sizeof pem - 1};
    tw_transfer_request req;
    char url[128];
    seen sn;

    (void)state;
    begin_with(answer_ok, &tls);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", server.port);
    req = request_of(url);
    start(&sn, &req);
    finish(&sn);
    assert_int_equal(sn.code, TW_E_NETWORK);
    assert_int_equal(sn.sent, 0);
    assert_int_equal(atomic_load(&server.requests), 0);
    forget(&sn);
    end();
}

static void the_proxy_is_ours_not_the_environments(void **state)
{
    tw_transport_settings settings = plain;
    tw_transfer_request req;
    seen sn;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    begin(answer_ok);
    exchange(&sn, "/x", 0);
    assert_int_equal(sn.code, TW_OK);
    forget(&sn);
    end();
    assert_int_equal(http_server_start(&server, note_request), 0);
    settings.proxy = server.url;
    assert_int_equal(tw__loop_new(&loop, NULL, &settings, TW_LOOP_BY_HAND, NULL), TW_OK);
    req = request_of("http://far.example.invalid/p");
    start(&sn, &req);
    finish(&sn);
    assert_int_equal(sn.code, TW_OK);
    assert_non_null(strstr(last_head, "GET http://far.example.invalid/p HTTP/1.1\r\n"));
    forget(&sn);
    exchange(&sn, "/direct", TW_TRANSFER_LOCAL); /* loopback goes past it */
    assert_non_null(strstr(last_head, "GET /direct HTTP/1.1\r\n"));
    forget(&sn);
    end();
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

/* libcurl quotes a proxy that it cannot use, password and all. */
static void a_proxy_that_is_refused_keeps_its_password(void **state)
{
    static const char *const proxies[] = {
        "http://user:hunter2@127.0.0.1:99999", "gopher://user:hunter2@127.0.0.1:1",
        "http://user:hunter2@[::1", "user:hunter2@bad host:1"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof proxies / sizeof *proxies; i++) {
        tw_transport_settings settings = plain;
        tw_transfer_request req = request_of("http://far.example.invalid/p");
        seen sn;

        settings.proxy = proxies[i];
        begin_with(answer_ok, &settings);
        start(&sn, &req);
        finish(&sn);
        print_message("%s\n", sn.message);
        assert_int_not_equal(sn.code, TW_OK);
        assert_int_equal(sn.sent, 0);
        assert_null(strstr(sn.message, "hunter2"));
        assert_null(strstr(sn.message, "user"));
        forget(&sn);
        end();
    }
}

static void *ask_version(void *arg)
{
    char text[TW_CURL_VERSION_SIZE];

    while (!atomic_load((atomic_int *)arg))
        tw__curl_version(text);
    return NULL;
}

/* A thread may be inside the process-wide part of libcurl when another one forks. */
static void a_child_of_any_moment_can_use_the_library(void **state)
{
    pthread_t threads[3];
    atomic_int over = 0;
    int i;

    (void)state;
    for (i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_version, &over), 0);
    for (i = 0; i < 100; i++) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            char text[TW_CURL_VERSION_SIZE];

            alarm(10); /* instead of a hang */
            tw__curl_version(text);
            _exit(strncmp(text, "libcurl/", 8) != 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    atomic_store(&over, 1);
    for (i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_ends_at_the_timeout),
        cmocka_unit_test(a_stalled_download_is_given_up),
        cmocka_unit_test(closing_does_not_wait_for_a_silent_server),
        cmocka_unit_test(a_paused_stream_waits_and_goes_on),
        cmocka_unit_test(a_resume_before_the_pause_counts),
        cmocka_unit_test(the_receiver_can_abort),
        cmocka_unit_test(cancelling_within_a_callback_is_safe),
        cmocka_unit_test(starting_within_a_callback_is_safe),
        cmocka_unit_test(many_at_once_all_end),
        cmocka_unit_test(private_addresses_are_refused_on_connecting),
        cmocka_unit_test(other_protocols_are_refused),
        cmocka_unit_test(https_without_certificates_is_refused),
        cmocka_unit_test(plain_text_on_a_tls_port_is_an_error),
        cmocka_unit_test(the_proxy_is_ours_not_the_environments),
        cmocka_unit_test(a_proxy_that_is_refused_keeps_its_password),
        cmocka_unit_test(a_child_of_any_moment_can_use_the_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
