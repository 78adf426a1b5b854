/* SPDX-License-Identifier: MIT */
/* Export and cohorts as a caller has them: real sockets, the I/O thread, the public functions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tidewheel/tidewheel.h>

#include "support/http_server.h"
#include "support/zipmaker.h"

enum { MEMBERS = 6, LINES = 40000 };

static http_server server;
static http_server storage;
static bytes archive;
static atomic_int polls;
static atomic_int bad_headers;
static sem_t left; /* posted for each connection that the client closed early */

static tw_client *client_of(const char *base)
{
    static const char *const options[][2] = {{"api_key", "emuapikey0123456"},
                                             {"secret_key", "emusecretkey9876"}};
    tw_config *cfg;
    tw_client *cl;
    size_t i;

    assert_int_equal(tw_config_new(&cfg, NULL), TW_OK);
    for (i = 0; i < 2; i++)
        assert_int_equal(tw_config_set_string(cfg, options[i][0], options[i][1],
                                              strlen(options[i][1]), NULL),
                         TW_OK);
    assert_int_equal(tw_config_set_string(cfg, "base_url", base, strlen(base), NULL),
                     TW_OK);
    assert_int_equal(tw_config_set_real(cfg, "poll_first", 0.001, NULL), TW_OK);
    assert_int_equal(tw_config_set_real(cfg, "poll_max", 0.01, NULL), TW_OK);
    assert_int_equal(tw_client_new(&cl, cfg, NULL), TW_OK);
    tw_config_free(cfg);
    return cl;
}

/* ---- servers ----------------------------------------------------------------------------- */

/* About 55 MB of lines in MEMBERS stored gzip files. */
static int make_archive(void **state)
{
    static const member_form form = {0, DESC_SIGNED, 0, 0, 0};
    zip_maker zm = {0};
    char line[512];
    unsigned m, i;

    (void)state;
    for (m = 0; m < MEMBERS; m++) {
        bytes text = {0};
        bytes gz = {0};

        for (i = 0; i < LINES; i++) {
            unsigned n = m * LINES + i;

            snprintf(
                line, sizeof line,
                "{\"n\":%u,\"uuid\":\"%08x-%08x-%08x\",\"event_type\":\"Checkout\","
                "\"city\":null,\"country\":null,\"device_brand\":null,\"adid\":null,"
                "\"event_properties\":{\"method\":\"card\",\"price\":%u},\"groups\":{}}\n",
                n, n * 2654435761u, n * 40503u + 77u, n * 2246822519u, n % 997);
            bytes_put(&text, line, strlen(line));
        }
        make_gzip(&gz, text.data, text.size, 1, 0);
        zip_maker_add(&zm, "1/1_2026-03-01_0#0.json.gz", gz.data, gz.size, &form);
        bytes_clear(&gz);
        bytes_clear(&text);
    }
    zip_maker_end(&zm, 0, NULL);
    bytes_put(&archive, zm.out.data, zm.out.size);
    zip_maker_clear(&zm);
    return 0;
}

static int drop_archive(void **state)
{
    (void)state;
    bytes_clear(&archive);
    return 0;
}

static void send_head(const http_request *req, const char *type, size_t size)
{
    char head[256];

    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", type,
             size);
    http_sends(req, head);
}

static http_then serve_archive(const http_request *req)
{
    send_head(req, "application/zip", archive.size);
    http_send(req, archive.data, archive.size);
    return HTTP_KEEP;
}

/* Everything but the last byte, and then silence until the client leaves. */
static http_then serve_and_hold(const http_request *req)
{
    send_head(req, "application/zip", archive.size);
    http_send(req, archive.data, archive.size - 1);
    http_hold(req);
    sem_post(&left);
    return HTTP_CLOSE;
}

static http_then serve_half(const http_request *req)
{
    send_head(req, "application/zip", archive.size);
    http_send(req, archive.data, archive.size / 2);
    return req->number == 1 ? HTTP_CLOSE : HTTP_RESET;
}

static http_then serve_cohort(const http_request *req)
{
    char text[256];

    if (strstr(req->head, "/file") != NULL) {
        snprintf(
            text, sizeof text,
            "HTTP/1.1 302 Found\r\nLocation: %s/f?X-Signature=s\r\nContent-Length: 0\r\n"
            "\r\n",
            storage.url);
        http_sends(req, text);
        return HTTP_KEEP;
    }
    if (strstr(req->head, "/request-status/") != NULL) {
        if (atomic_fetch_add(&polls, 1) < 3)
            return http_answer(req, "202 Accepted",
                               "{\"async_status\":\"JOB INPROGRESS\"}");
        return http_answer(req, "200 OK", "{\"async_status\":\"JOB COMPLETED\"}");
    }
    return http_answer(req, "202 Accepted", "{\"request_id\":\"rq9Zp2\"}");
}

static http_then serve_storage(const http_request *req)
{
    bytes gz = {0};
    bytes csv = {0};
    char line[64];
    int i;

    if (strcasestr(req->head, "\nauthorization:") != NULL)
        atomic_fetch_add(&bad_headers, 1);
    if (req->number == 1)
        return http_answer(req, "403 Forbidden",
                           "<Error><Code>AccessDenied</Code></Error>");
    bytes_put(&csv, "\"amplitude_id\",\"user_id\"\n", 25);
    for (i = 0; i < 300000; i++) {
        snprintf(line, sizeof line, "\"%d\",\"u-%d\"\n", i, i);
        bytes_put(&csv, line, strlen(line));
    }
    make_gzip(&gz, csv.data, csv.size, 1, 0);
    send_head(req, "text/csv", gz.size);
    http_send(req, gz.data, gz.size);
    bytes_clear(&gz);
    bytes_clear(&csv);
    return HTTP_KEEP;
}

/* ---- reading ----------------------------------------------------------------------------- */

/* The next block, waited for. */
static int next_block(tw_block **block, tw_job *job, tw_error **err)
{
    for (;;) {
        int rc = tw_job_next(block, job, err);

        if (rc != TW_AGAIN)
            return rc;
        assert_int_equal(tw_job_wait(job, 30000), TW_OK);
    }
}

/* Lines in order, each once. Returns how the stream ended. */
static int read_lines(tw_job *job, unsigned *lines)
{
    tw_block *block;
    const char *text;
    size_t size;
    char start[32];
    int rc;

    *lines = 0;
    for (;;) {
        rc = next_block(&block, job, NULL);
        if (rc != TW_OK)
            return rc;
        while (tw_block_next_line(&text, &size, block) == TW_OK) {
            int n = snprintf(start, sizeof start, "{\"n\":%u,", *lines);

            assert_true(size > (size_t)n);
            assert_memory_equal(text, start, (size_t)n);
            assert_int_equal(text[size - 1], '}');
            ++*lines;
        }
        tw_block_free(block);
    }
}

static tw_job *export_of(tw_client *cl)
{
    tw_error *err = NULL;
    tw_job *job;

    if (tw_export_start(&job, cl, "20260301T00", "20260301T23", NULL, NULL, &err) !=
        TW_OK)
        fail_msg("%s", tw_error_message(err));
    return job;
}

static void test_an_export_arrives_whole_twice_on_one_connection(void **state)
{
    tw_client *cl;
    unsigned lines;
    int i;

    (void)state;
    assert_int_equal(http_server_start(&server, serve_archive), 0);
    cl = client_of(server.url);
    for (i = 0; i < 2; i++) {
        tw_job *job = export_of(cl);

        assert_int_equal(read_lines(job, &lines), TW_DONE);
        assert_int_equal(lines, MEMBERS * LINES);
        tw_job_unref(job);
    }
    assert_int_equal(atomic_load(&server.connections), 1);
    tw_client_free(cl);
    http_server_stop(&server);
}

/* A reader that stops reading stops the transfer: only so many blocks are ever ready. */
static void test_a_slow_reader_is_waited_for(void **state)
{
    tw_client *cl;
    tw_job *job;
    tw_block *block;
    tw_job_progress progress = TW_JOB_PROGRESS_INIT;
    uint64_t before;
    unsigned lines;
    int i;

    (void)state;
    assert_int_equal(http_server_start(&server, serve_archive), 0);
    cl = client_of(server.url);
    job = export_of(cl);
    assert_int_equal(next_block(&block, job, NULL), TW_OK);
    /* While this block is kept the count of received bytes comes to a stop far from the end. */
    do {
        tw_job_get_progress(job, &progress);
        before = progress.bytes_received;
        assert_int_equal(poll(NULL, 0, 100), 0);
        tw_job_get_progress(job, &progress);
    } while (progress.bytes_received != before);
    assert_true(before < archive.size / 2);
    tw_block_free(block);
    for (i = 0; next_block(&block, job, NULL) == TW_OK; i++)
        tw_block_free(block);
    assert_true(i > 40);
    assert_int_equal(read_lines(job, &lines), TW_DONE);
    tw_job_unref(job);
    tw_client_free(cl);
    http_server_stop(&server);
}

static void test_leaving_early_drops_the_connection(void **state)
{
    tw_client *cl;
    tw_job *job;
    tw_block *block;
    struct timespec until;

    (void)state;
    assert_int_equal(sem_init(&left, 0, 0), 0);
    assert_int_equal(http_server_start(&server, serve_and_hold), 0);
    cl = client_of(server.url);
    job = export_of(cl);
    assert_int_equal(next_block(&block, job, NULL), TW_OK);
    tw_block_free(block);
    tw_job_unref(job);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += 30;
    assert_int_equal(sem_timedwait(&left, &until), 0);
    tw_client_free(cl);
    http_server_stop(&server);
    sem_destroy(&left);
}

static void test_a_broken_transfer_is_an_error(void **state)
{
    tw_client *cl;
    unsigned lines;
    int i;

    (void)state;
    assert_int_equal(http_server_start(&server, serve_half), 0);
    cl = client_of(server.url);
    for (i = 0; i < 2; i++) {
        tw_job *job = export_of(cl);

        assert_true(read_lines(job, &lines) < 0);
        assert_true(lines > 0 && lines < MEMBERS * LINES);
        tw_job_unref(job);
    }
    assert_int_equal(atomic_load(&server.requests), 2);
    tw_client_free(cl);
    http_server_stop(&server);
}

static void test_freeing_the_client_ends_its_exports(void **state)
{
    tw_client *cl;
    tw_job *job;
    tw_block *block;
    int rc;

    (void)state;
    assert_int_equal(http_server_start(&server, serve_archive), 0);
    cl = client_of(server.url);
    job = export_of(cl);
    assert_int_equal(next_block(&block, job, NULL), TW_OK);
    tw_client_free(cl);
    tw_block_free(block);
    while ((rc = next_block(&block, job, NULL)) == TW_OK)
        tw_block_free(block);
    assert_int_equal(rc, TW_E_CLOSED);
    tw_job_unref(job);
    http_server_stop(&server);
}

static void test_a_cohort_over_an_expired_and_a_fresh_link(void **state)
{
    tw_csv_cell cells[2];
    tw_client *cl;
    tw_job *job;
    tw_block *block;
    tw_error *err = NULL;
    size_t count;
    unsigned records = 0;
    int rc;

    (void)state;
    assert_int_equal(http_server_start(&server, serve_cohort), 0);
    assert_int_equal(http_server_start(&storage, serve_storage), 0);
    cl = client_of(server.url);
    assert_int_equal(tw_cohort_download_start(&job, cl, "c4t8w1", NULL, NULL, NULL),
                     TW_OK);
    while ((rc = next_block(&block, job, &err)) == TW_OK) {
        while (tw_csv_next(cells, 2, &count, block) == TW_OK) {
            char id[32];

            assert_int_equal(count, 2);
            if (records++ == 0)
                continue;
            snprintf(id, sizeof id, "u-%u", records - 2);
            assert_int_equal(cells[1].size, strlen(id));
            assert_memory_equal(cells[1].text, id, strlen(id));
        }
        tw_block_free(block);
    }
    if (rc != TW_DONE)
        fail_msg("%s", tw_error_message(err));
    assert_int_equal(records, 300001);
    assert_int_equal(atomic_load(&polls), 4);
    assert_int_equal(atomic_load(&bad_headers), 0);
    assert_int_equal(atomic_load(&storage.requests), 2);
    tw_job_unref(job);
    tw_client_free(cl);
    http_server_stop(&server);
    http_server_stop(&storage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_export_arrives_whole_twice_on_one_connection),
        cmocka_unit_test(test_a_slow_reader_is_waited_for),
        cmocka_unit_test(test_leaving_early_drops_the_connection),
        cmocka_unit_test(test_a_broken_transfer_is_an_error),
        cmocka_unit_test(test_freeing_the_client_ends_its_exports),
        cmocka_unit_test(test_a_cohort_over_an_expired_and_a_fresh_link),
    };

    return cmocka_run_group_tests(tests, make_archive, drop_archive);
}
