/* SPDX-License-Identifier: MIT */
/* The libcurl transport against a socket server: what goes out, what may come back. */
#define _GNU_SOURCE
#include "transfer_world.h"

/* ---- connections ------------------------------------------------------------------- */

static void connections_are_kept(void **state)
{
    seen sn;
    int i;

    (void)state;
    begin(answer_ok);
    for (i = 0; i < 5; i++) {
        exchange(&sn, "/x", 0);
        assert_int_equal(sn.code, TW_OK);
        assert_int_equal(sn.status, 200);
        assert_int_equal(sn.length, 2);
        assert_string_equal(sn.type, "application/json");
        assert_true(body_is(&sn, "{}"));
        forget(&sn);
    }
    assert_int_equal(atomic_load(&server.connections), 1);
    end();
}

static void fresh_connections_are_used_once(void **state)
{
    seen sn;
    int i;

    (void)state;
    begin(answer_ok);
    exchange(&sn, "/x", 0);
    forget(&sn);
    for (i = 0; i < 3; i++) {
        exchange(&sn, "/x", TW_TRANSFER_FRESH);
        assert_int_equal(sn.code, TW_OK);
        forget(&sn);
    }
    exchange(&sn, "/x", 0); /* the kept one is still good */
    forget(&sn);
    assert_int_equal(atomic_load(&server.connections), 4);
    end();
}

/* Every second request of a connection is read and then dropped without an answer. */
static http_then answer_first_only(const http_request *req)
{
    static _Thread_local int served;

    return served++ == 0 ? http_answer(req, "200 OK", "{}") : HTTP_CLOSE;
}

/* The trap that fresh connections are for: libcurl repeats by itself on a dead reused one. */
static void a_dead_kept_connection_is_replaced(void **state)
{
    seen sn;

    (void)state;
    begin(answer_first_only);
    exchange(&sn, "/x", 0);
    forget(&sn);
    exchange(&sn, "/x", 0);
    assert_int_equal(sn.code, TW_OK);
    forget(&sn);
    assert_int_equal(atomic_load(&server.requests), 3);
    end();
}

/* The answer to the repetition says nothing of the first sending, which may have been stored. */
static void a_repetition_of_libcurl_is_counted(void **state)
{
    seen sn;

    (void)state;
    begin(answer_first_only);
    exchange(&sn, "/x", 0);
    assert_int_equal(sn.sent, 1);
    forget(&sn);
    exchange(&sn, "/x", 0);
    assert_int_equal(sn.sent, 2);
    forget(&sn);
    end();
}

static http_then drop_posts(const http_request *req)
{
    return strncmp(req->head, "POST", 4) == 0 ? HTTP_CLOSE
                                              : http_answer(req, "200 OK", "{}");
}

static void a_fresh_request_is_seen_once(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen sn;

    (void)state;
    begin(drop_posts);
    exchange(&sn, "/x", 0);
    forget(&sn);
    snprintf(url, sizeof url, "%s/create", server.url);
    req = request_of(url);
    req.method = "POST";
    req.body = "name=x";
    req.body_size = 6;
    req.flags = TW_TRANSFER_FRESH;
    start(&sn, &req);
    finish(&sn);
    assert_int_equal(sn.code, TW_E_NETWORK);
    assert_int_equal(sn.sent, 1);
    assert_int_equal(atomic_load(&server.requests), 2);
    forget(&sn);
    end();
}

/* ---- what goes out ----------------------------------------------------------------- */

static void large_posts_go_out_at_once_and_whole(void **state)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          "User-Agent: t/1", NULL};
    static char body[3000000];
    tw_transfer_request req;
    char url[128];
    int sum = 0;
    size_t i;
    seen sn;

    (void)state;
    for (i = 0; i < sizeof body; i++) {
        body[i] = (char)(i * 7 + i / 251);
        sum = (sum * 31 + (unsigned char)body[i]) & 0xFFFFFF;
    }
    begin(note_request);
    snprintf(url, sizeof url, "%s/2/httpapi", server.url);
    req = request_of(url);
    req.method = "POST";
    req.headers = headers;
    req.body = body;
    req.body_size = sizeof body;
    start(&sn, &req);
    finish(&sn);
    assert_int_equal(sn.code, TW_OK);
    assert_int_equal(last_body, sizeof body);
    assert_int_equal(last_sum, sum);
    assert_non_null(strstr(last_head, "POST /2/httpapi HTTP/1.1\r\n"));
    assert_non_null(strstr(last_head, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(last_head, "User-Agent: t/1\r\n"));
    assert_non_null(strstr(last_head, "Accept-Encoding: identity\r\n"));
    assert_null(strcasestr(last_head, "Expect"));
    assert_null(strcasestr(last_head, "Authorization"));
    assert_null(strcasestr(last_head, "Cookie"));
    forget(&sn);
    end();
}

static void methods_and_paths_are_sent_as_they_are(void **state)
{
    tw_transfer_request req;
    char url[128];
    seen sn;

    (void)state;
    begin(note_request);
    exchange(&sn, "/a/../b/./%2E%2e/c?x=%2F&y=[1]", 0);
    assert_non_null(strstr(last_head, "GET /a/../b/./%2E%2e/c?x=%2F&y=[1] HTTP/1.1\r\n"));
    forget(&sn);
    snprintf(url, sizeof url, "%s/e", server.url);
    req = request_of(url);
    req.method = "PUT";
    req.body = "a=b";
    req.body_size = 3;
    start(&sn, &req);
    finish(&sn);
    assert_non_null(strstr(last_head, "PUT /e HTTP/1.1\r\n"));
    assert_int_equal(last_body, 3);
    forget(&sn);
    req.method = "POST";
    req.body = NULL;
    req.body_size = 0;
    start(&sn, &req);
    finish(&sn);
    assert_non_null(strstr(last_head, "Content-Length: 0\r\n"));
    forget(&sn);
    end();
}

/* ---- answers that are not what they should be -------------------------------------- */

static const char *raw;
static size_t raw_size;
static http_then raw_then;

static http_then send_raw(const http_request *req)
{
    http_then then = raw_then;

    http_send(req, raw, raw_size);
    return then;
}

static void exchange_raw(seen *sn, const char *text, http_then then)
{
    raw = text;
    raw_size = strlen(text);
    raw_then = then;
    exchange(sn, "/x", 0);
}

static void redirects_are_shown_not_followed(void **state)
{
    static const char *const statuses[] = {"301", "302", "303", "307", "308"};
    http_server other;
    char text[5][256]; /* the server may still hold the one before */
    size_t i;
    seen sn;

    (void)state;
    assert_int_equal(http_server_start(&other, answer_ok), 0);
    begin(send_raw);
    for (i = 0; i < 5; i++) {
        snprintf(text[i], sizeof text[i],
                 "HTTP/1.1 %s Moved\r\nLocation: %s/there\r\nContent-Length: 0\r\n\r\n",
                 statuses[i], other.url);
        exchange_raw(&sn, text[i], HTTP_KEEP);
        assert_int_equal(sn.code, TW_OK);
        assert_int_equal(sn.status, (int)strtol(statuses[i], NULL, 10));
        assert_non_null(strstr(sn.location, "/there"));
        forget(&sn);
    }
    assert_int_equal(atomic_load(&other.connections), 0);
    assert_int_equal(atomic_load(&server.requests), 5);
    end();
    http_server_stop(&other);
}

static void broken_answers_are_errors(void **state)
{
    static const struct {
        const char *text;
        http_then then;
        int code;
    } rows[] = {
        {"", HTTP_CLOSE, TW_E_NETWORK},
        {"", HTTP_RESET, TW_E_NETWORK},
        {"HTTP/1.1 200 OK\r\nContent-Le", HTTP_CLOSE, TW_E_NETWORK},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", HTTP_CLOSE, TW_E_NETWORK},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", HTTP_RESET, TW_E_NETWORK},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", HTTP_CLOSE,
         TW_E_NETWORK},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
         HTTP_CLOSE, TW_E_PROTOCOL},
        {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", HTTP_CLOSE, TW_E_PROTOCOL},
        {"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}", HTTP_CLOSE, TW_E_PROTOCOL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2,3\r\n\r\n{}", HTTP_CLOSE, TW_E_PROTOCOL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\n{}\r\n0\r\n\r\n",
         HTTP_KEEP, TW_E_PROTOCOL},
        {"garbage that is no HTTP at all\r\n\r\n", HTTP_CLOSE, TW_E_PROTOCOL},
    };
    size_t i;
    seen sn;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(send_raw);
        exchange_raw(&sn, rows[i].text, rows[i].then);
        print_message("%zu: %s\n", i, sn.message);
        assert_int_equal(sn.code, rows[i].code);
        assert_int_equal(sn.sent, 1);
        assert_true(sn.message[0] != '\0');
        forget(&sn);
        end();
    }
}

/* Without length and chunks, a cut looks like the end: the receiver is told. */
static void an_answer_that_only_the_close_ends_says_so(void **state)
{
    static const struct {
        const char *text;
        int open_ended;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\n\r\n{}", 1},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: identity\r\n\r\n{}", 1},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
         "2\r\n{}\r\n0\r\n\r\n",
         0},
    };
    size_t i;
    seen sn;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(send_raw);
        exchange_raw(&sn, rows[i].text, HTTP_CLOSE);
        assert_int_equal(sn.code, TW_OK);
        assert_int_equal(sn.open_ended, rows[i].open_ended);
        forget(&sn);
        end();
    }
}

static void a_nul_in_a_header_is_refused(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n";
    seen sn;

    (void)state;
    begin(send_raw);
    raw = text;
    raw_size = sizeof text - 1;
    raw_then = HTTP_CLOSE;
    exchange(&sn, "/x", 0);
    assert_int_equal(sn.code, TW_E_PROTOCOL);
    assert_int_equal(sn.heads, 0);
    forget(&sn);
    end();
}

static http_then send_endless_headers(const http_request *req)
{
    int i;

    http_sends(req, "HTTP/1.1 200 OK\r\n");
    for (i = 0; i < 100000; i++)
        http_sends(req, "X-Filler: 0123456789012345678901234567890123456789\r\n");
    return HTTP_CLOSE;
}

static void endless_headers_are_refused(void **state)
{
    seen sn;

    (void)state;
    begin(send_endless_headers);
    exchange(&sn, "/x", 0);
    assert_int_equal(sn.code, TW_E_PROTOCOL);
    assert_non_null(strstr(sn.message, "64 KiB"));
    forget(&sn);
    end();
}

static void interim_answers_are_passed_over(void **state)
{
    seen sn;

    (void)state;
    begin(send_raw);
    exchange_raw(&sn,
                 "HTTP/1.1 103 Early Hints\r\nLocation: /no\r\n\r\n"
                 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                 HTTP_KEEP);
    assert_int_equal(sn.code, TW_OK);
    assert_int_equal(sn.heads, 1);
    assert_int_equal(sn.status, 200);
    assert_string_equal(sn.location, "");
    assert_true(body_is(&sn, "{}"));
    forget(&sn);
    end();
}

static void trailers_and_chunks_are_read(void **state)
{
    seen sn;

    (void)state;
    begin(send_raw);
    exchange_raw(&sn,
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nabc\r\n2\r\nde\r\n0\r\nLocation: /no\r\n\r\n",
                 HTTP_KEEP);
    assert_int_equal(sn.code, TW_OK);
    assert_int_equal(sn.heads, 1);
    assert_int_equal(sn.length, -1);
    assert_true(body_is(&sn, "abcde"));
    forget(&sn);
    end();
}

/* What came encoded is handed out as it is: nobody unpacks a bomb here. */
static void content_encoding_is_not_undone(void **state)
{
    seen sn;

    (void)state;
    begin(send_raw);
    exchange_raw(&sn,
                 "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
                 "\x1F\x8B\x08\x01",
                 HTTP_KEEP);
    assert_int_equal(sn.code, TW_OK);
    assert_true(body_is(&sn, "\x1F\x8B\x08\x01"));
    forget(&sn);
    end();
}

static void nobody_there_means_nothing_was_sent(void **state)
{
    char url[128];
    tw_transfer_request req;
    seen sn;

    (void)state;
    begin(answer_ok);
    snprintf(url, sizeof url, "%s/", server.url);
    end();
    assert_int_equal(tw__loop_new(&loop, NULL, &plain, TW_LOOP_BY_HAND, NULL), TW_OK);
    req = request_of(url);
    start(&sn, &req);
    finish(&sn);
    assert_int_equal(sn.code, TW_E_NETWORK);
    assert_int_equal(sn.sent, 0);
    forget(&sn);
    tw__loop_close(loop);
    tw__loop_unref(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(fresh_connections_are_used_once),
        cmocka_unit_test(a_dead_kept_connection_is_replaced),
        cmocka_unit_test(a_repetition_of_libcurl_is_counted),
        cmocka_unit_test(a_fresh_request_is_seen_once),
        cmocka_unit_test(large_posts_go_out_at_once_and_whole),
        cmocka_unit_test(methods_and_paths_are_sent_as_they_are),
        cmocka_unit_test(redirects_are_shown_not_followed),
        cmocka_unit_test(broken_answers_are_errors),
        cmocka_unit_test(an_answer_that_only_the_close_ends_says_so),
        cmocka_unit_test(a_nul_in_a_header_is_refused),
        cmocka_unit_test(endless_headers_are_refused),
        cmocka_unit_test(interim_answers_are_passed_over),
        cmocka_unit_test(trailers_and_chunks_are_read),
        cmocka_unit_test(content_encoding_is_not_undone),
        cmocka_unit_test(nobody_there_means_nothing_was_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
