/* SPDX-License-Identifier: MIT */
/* The export job: pauses, stops, repeats, and ends that must not look good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tidewheel/error.h>

#include "base/alloc.h"
#include "export/export.h"
#include "support/fake_time.h"
#include "support/oom.h"
#include "support/worked_gate.h"
#include "support/zipmaker.h"

enum { LINES = 400 };

static const char zip_type[] = "application/zip";
static const char not_found[] =
    "{\"error\": {\"http_code\": 404, \"type\": \"unspecified\", "
    "\"message\": \"Unspecified Error\", "
    "\"metadata\": {\"details\": \"Raw data files were not found.\"}}}";

/* LINES lines in four members as the live archives have them. */
static void make_archive(bytes *zip, bytes *expected)
{
    static const member_form form = {0, DESC_SIGNED, 0, 0, 0};
    zip_maker zm = {0};
    char line[128];
    unsigned m, i;

    for (m = 0; m < 4; m++) {
        bytes text = {0};
        bytes gz = {0};

        for (i = 0; i < LINES / 4; i++) {
            snprintf(line, sizeof line, "{\"uuid\":\"%08x\",\"n\":%u}\n",
                     (m * 1000 + i) * 2654435761u, m * (LINES / 4) + i);
            bytes_put(&text, line, strlen(line));
        }
        make_gzip(&gz, text.data, text.size, 6, 0);
        zip_maker_add(&zm, "1/1_2026-03-01_0#0.json.gz", gz.data, gz.size, &form);
        bytes_put(expected, text.data, text.size);
        bytes_clear(&gz);
        bytes_clear(&text);
    }
    zip_maker_end(&zm, 0, NULL);
    bytes_put(zip, zm.out.data, zm.out.size);
    zip_maker_clear(&zm);
}

typedef struct fixture {
    worked_gate wg;
    bytes zip, expected, got;
    tw_job *job;
    tw_export_options options;
} fixture;

static int setup(void **state)
{
    fixture *fx = calloc(1, sizeof *fx);
    tw_export_options usual = TW_EXPORT_OPTIONS_INIT;

    worked_begin(&fx->wg);
    make_archive(&fx->zip, &fx->expected);
    fx->options = usual;
    fx->options.block_bytes = 1024;
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    fixture *fx = *state;

    tw_job_unref(fx->job);
    worked_turn(&fx->wg);
    worked_end(&fx->wg);
    bytes_clear(&fx->zip);
    bytes_clear(&fx->expected);
    bytes_clear(&fx->got);
    free(fx);
    return 0;
}

static void start(fixture *fx)
{
    assert_int_equal(tw__export_start(&fx->job, fx->wg.gate, "20260301T00", "20260301T23",
                                      &fx->options, NULL, NULL),
                     TW_OK);
    worked_turn(&fx->wg);
}

/* Takes the next block; its bytes go to `got`. Returns tw_job_next's code. */
static int take(fixture *fx, tw_error **err)
{
    tw_block *block;
    size_t size;
    int rc = tw_job_next(&block, fx->job, err);

    if (rc == TW_OK) {
        const char *data = tw_block_data(block, &size);

        bytes_put(&fx->got, data, size);
        tw_block_free(block);
    }
    return rc;
}

/* Gives the archive from `from` to `to` in pieces, taking blocks whenever the transfer
 * is paused. */
static int serve(fixture *fx, int index, size_t from, size_t to, size_t step)
{
    while (from < to) {
        size_t n = to - from < step ? to - from : step;
        int rc = worked_give(&fx->wg, index, fx->zip.data + from, n);
        int resumed = fx->wg.sc.requests[index].resumed;

        if (rc == TW_OK) {
            from += n;
            continue;
        }
        if (rc != TW_AGAIN)
            return rc;
        while (fx->wg.sc.requests[index].resumed == resumed) {
            assert_int_equal(take(fx, NULL), TW_OK);
            worked_turn(&fx->wg);
        }
    }
    return TW_OK;
}

static void take_all(fixture *fx, int code)
{
    tw_error *err = NULL;
    int rc;

    do {
        rc = take(fx, &err);
        worked_turn(&fx->wg);
    } while (rc == TW_OK);
    if (rc != code)
        fail_msg("ended with %d: %s", rc, tw_error_message(err));
    tw_error_free(err);
}

static void assert_whole(const fixture *fx)
{
    assert_int_equal(fx->got.size, fx->expected.size);
    assert_memory_equal(fx->got.data, fx->expected.data, fx->expected.size);
}

/* ---- good ends --------------------------------------------------------------------- */

static void test_a_window_is_streamed_whole(void **state)
{
    fixture *fx = *state;
    tw_job_progress progress = TW_JOB_PROGRESS_INIT;

    start(fx);
    assert_int_equal(fx->wg.sc.count, 1);
    assert_string_equal(fx->wg.sc.requests[0].url, "http://127.0.0.1:9/api/2/export"
                                                   "?start=20260301T00&end=20260301T23");
    assert_int_equal(fx->wg.sc.requests[0].timeout_ms, -1);
    assert_true(fx->wg.sc.requests[0].stall_ms > 0);
    assert_int_equal(worked_head(&fx->wg, 0, 200, zip_type, ""), TW_OK);
    assert_int_equal(serve(fx, 0, 0, fx->zip.size, 100), TW_OK);
    assert_false(tw_job_done(fx->job));
    script_end(&fx->wg.sc, 0);
    take_all(fx, TW_DONE);
    assert_whole(fx);
    assert_true(tw_job_done(fx->job));
    take_all(fx, TW_DONE); /* and so it stays */
    tw_job_get_progress(fx->job, &progress);
    assert_int_equal(progress.requests, 1);
    assert_int_equal(progress.bytes_received, fx->zip.size);
    assert_string_equal(progress.phase, "done");
}

/* The whole archive in one piece and nobody reads: memory is the blocks that may be
 * ready. */
static void test_a_full_decoder_pauses_the_transfer(void **state)
{
    fixture *fx = *state;
    int taken = 0;

    fx->options.ready_blocks = 2;
    start(fx);
    worked_head(&fx->wg, 0, 200, zip_type, "");
    assert_int_equal(worked_give(&fx->wg, 0, fx->zip.data, fx->zip.size - 10), TW_OK);
    assert_int_equal(tw__job_ready_blocks(fx->job), 2);
    assert_int_equal(worked_give(&fx->wg, 0, fx->zip.data + fx->zip.size - 10, 10),
                     TW_AGAIN);
    assert_int_equal(fx->wg.sc.requests[0].resumed, 0);
    while (fx->wg.sc.requests[0].resumed == 0) {
        assert_int_equal(take(fx, NULL), TW_OK);
        worked_turn(&fx->wg);
        assert_true(tw__job_ready_blocks(fx->job) <= 2);
        taken++;
    }
    assert_true(taken > 5);
    assert_int_equal(worked_give(&fx->wg, 0, fx->zip.data + fx->zip.size - 10, 10),
                     TW_OK);
    script_end(&fx->wg.sc, 0);
    take_all(fx, TW_DONE);
    assert_whole(fx);
}

static void test_the_transfer_may_end_before_the_decoder(void **state)
{
    fixture *fx = *state;

    start(fx);
    worked_head(&fx->wg, 0, 200, zip_type, "");
    assert_int_equal(worked_give(&fx->wg, 0, fx->zip.data, fx->zip.size), TW_OK);
    script_end(&fx->wg.sc, 0);
    assert_false(tw_job_done(fx->job));
    take_all(fx, TW_DONE);
    assert_whole(fx);
}

static void test_404_is_an_empty_window(void **state)
{
    fixture *fx = *state;

    start(fx);
    script_answer(&fx->wg.sc, 0, 404, not_found);
    take_all(fx, TW_DONE);
    assert_int_equal(fx->got.size, 0);
}

static void test_an_empty_archive_is_an_empty_window(void **state)
{
    fixture *fx = *state;

    start(fx);
    worked_head(&fx->wg, 0, 200, zip_type, "");
    worked_give(&fx->wg, 0, "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22);
    script_end(&fx->wg.sc, 0);
    take_all(fx, TW_DONE);
    assert_int_equal(fx->got.size, 0);
}

/* ---- bad ends ---------------------------------------------------------------------- */

static void test_no_cut_ends_well(void **state)
{
    fixture *fx = *state;
    size_t cut;

    fx->options.block_bytes =
        1 << 20; /* nothing is handed out before the end: three attempts */
    for (cut = 0; cut < fx->zip.size; cut += 1 + fx->zip.size / 20) {
        int i;

        worked_end(&fx->wg);
        worked_begin(&fx->wg);
        start(fx);
        for (i = 0; i < 3; i++) {
            assert_int_equal(fx->wg.sc.count, i + 1);
            assert_false(tw_job_done(fx->job));
            worked_head(&fx->wg, i, 200, zip_type, "");
            if (cut != 0)
                assert_int_equal(worked_give(&fx->wg, i, fx->zip.data, cut), TW_OK);
            script_end(&fx->wg.sc, i);
            worked_pass(&fx->wg, 60000);
        }
        assert_int_equal(fx->wg.sc.count, 3);
        take_all(fx, TW_E_PROTOCOL);
        assert_int_equal(fx->got.size, 0);
        tw_job_unref(fx->job);
        fx->job = NULL;
        worked_turn(&fx->wg);
    }
}

static void test_rows_handed_out_end_with_the_error(void **state)
{
    fixture *fx = *state;

    start(fx);
    worked_head(&fx->wg, 0, 200, zip_type, "");
    assert_int_equal(serve(fx, 0, 0, fx->zip.size - 1, 200), TW_OK);
    script_fail(&fx->wg.sc, 0, TW_E_NETWORK, 1, 0, "the connection broke");
    worked_pass(&fx->wg, 60000);
    assert_int_equal(fx->wg.sc.count, 1); /* never a second answer behind the first */
    take_all(fx, TW_E_NETWORK);
    assert_true(fx->got.size <= fx->expected.size);
    assert_memory_equal(fx->got.data, fx->expected.data, fx->got.size);
    take_all(fx, TW_E_NETWORK);
}

static void test_an_early_break_is_repeated(void **state)
{
    fixture *fx = *state;

    start(fx);
    worked_head(&fx->wg, 0, 200, zip_type, "");
    assert_int_equal(worked_give(&fx->wg, 0, fx->zip.data, 60), TW_OK);
    script_fail(&fx->wg.sc, 0, TW_E_NETWORK, 1, 0, "the connection broke");
    worked_pass(&fx->wg, 60000);
    assert_int_equal(fx->wg.sc.count, 2);
    worked_head(&fx->wg, 1, 200, zip_type, "");
    assert_int_equal(serve(fx, 1, 0, fx->zip.size, 200), TW_OK);
    script_end(&fx->wg.sc, 1);
    take_all(fx, TW_DONE);
    assert_whole(fx);
}

static void test_damage_aborts_the_transfer(void **state)
{
    fixture *fx = *state;
    size_t at = fx->zip.size / 2;

    fx->zip.data[at] ^= 0x55;
    fx->options.ready_blocks = 1000;
    start(fx);
    worked_head(&fx->wg, 0, 200, zip_type, "");
    assert_int_equal(serve(fx, 0, 0, fx->zip.size, 50), TW_E_PROTOCOL);
    script_fail(&fx->wg.sc, 0, TW_E_PROTOCOL, 1, 0, "");
    take_all(fx, TW_E_PROTOCOL);
}

static void test_damage_found_while_paused_frees_the_connection(void **state)
{
    fixture *fx = *state;

    fx->zip.data[fx->zip.size * 3 / 4] ^= 0x55;
    fx->options.ready_blocks = 1;
    start(fx);
    worked_head(&fx->wg, 0, 200, zip_type, "");
    assert_int_equal(worked_give(&fx->wg, 0, fx->zip.data, fx->zip.size), TW_OK);
    assert_true(fx->wg.sc.requests[0].live);
    take_all(fx, TW_E_PROTOCOL);
    assert_false(fx->wg.sc.requests[0].live);
    assert_int_equal(fx->wg.sc.requests[0].canceled, 1);
}

static void test_json_with_status_200_is_an_error(void **state)
{
    fixture *fx = *state;
    tw_error *err = NULL;
    int i;

    start(fx);
    for (i = 0; i < 3; i++) {
        script_answer(&fx->wg.sc, i, 200, "{\"error\":\"try later\"}");
        worked_pass(&fx->wg, 60000);
    }
    assert_int_equal(take(fx, &err), TW_E_PROTOCOL);
    assert_non_null(strstr(tw_error_message(err), "try later"));
    tw_error_free(err);
}

static void test_a_key_that_the_server_repeats_goes_no_further(void **state)
{
    fixture *fx = *state;
    tw_error *err = NULL;
    int i;

    start(fx);
    for (i = 0; i < 3; i++) {
        script_answer(&fx->wg.sc, i, 200, "{\"error\":\"bad: secret-of-the-test\"}");
        worked_pass(&fx->wg, 60000);
    }
    assert_int_equal(take(fx, &err), TW_E_PROTOCOL);
    assert_non_null(strstr(tw_error_message(err), "bad: ***"));
    tw_error_free(err);
}

static void test_a_web_page_with_status_404_is_an_error(void **state)
{
    fixture *fx = *state;

    start(fx);
    script_head(&fx->wg.sc, 0, 404, "text/html", NULL, NULL);
    script_data(&fx->wg.sc, 0, "<html>no such server</html>");
    script_end(&fx->wg.sc, 0);
    take_all(fx, TW_E_HTTP);
}

static void test_statuses(void **state)
{
    static const struct {
        int status, code;
    } cases[] = {
        {400, TW_E_HTTP}, {403, TW_E_AUTH}, {302, TW_E_PROTOCOL}, {204, TW_E_PROTOCOL}};
    fixture *fx = *state;
    size_t i;
    int at = 0;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        start(fx);
        while (at < fx->wg.sc.count) {
            int rc = worked_head(&fx->wg, at, cases[i].status, "", "");

            if (rc < 0)
                script_fail(&fx->wg.sc, at, rc, 1, 0, "");
            else
                script_end(&fx->wg.sc, at);
            at++;
            worked_pass(&fx->wg, 60000);
        }
        take_all(fx, cases[i].code);
        tw_job_unref(fx->job);
        fx->job = NULL;
    }
}

static void test_an_encoded_archive_is_refused(void **state)
{
    fixture *fx = *state;

    start(fx);
    assert_int_equal(worked_head(&fx->wg, 0, 200, zip_type, "gzip"), TW_E_PROTOCOL);
    script_fail(&fx->wg.sc, 0, TW_E_PROTOCOL, 1, 1, "");
    take_all(fx, TW_E_PROTOCOL);
}

/* ---- stopping ---------------------------------------------------------------------- */

static void test_leaving_early_frees_the_connection_at_once(void **state)
{
    fixture *fx = *state;

    start(fx);
    worked_head(&fx->wg, 0, 200, zip_type, "");
    assert_int_equal(worked_give(&fx->wg, 0, fx->zip.data, fx->zip.size / 2), TW_OK);
    assert_int_equal(take(fx, NULL), TW_OK);
    tw_job_unref(fx->job);
    fx->job = NULL;
    worked_turn(&fx->wg);
    assert_int_equal(fx->wg.sc.requests[0].canceled, 1);
    assert_false(fx->wg.sc.requests[0].live);
}

static void test_cancel_at_every_stage(void **state)
{
    fixture *fx = *state;
    int stage;

    fake_random_byte(0x40); /* a wait before the repeat */
    for (stage = 0; stage < 4; stage++) {
        int at = fx->wg.sc.count;
        const tw_reply *rsp;

        start(fx);
        if (stage == 1 || stage == 2)
            worked_head(&fx->wg, at, 200, zip_type, "");
        if (stage == 2)
            worked_give(&fx->wg, at, fx->zip.data, fx->zip.size);
        if (stage == 3) {
            worked_head(&fx->wg, at, 200, zip_type, "");
            script_fail(&fx->wg.sc, at, TW_E_NETWORK, 1, 0, "");
        }
        tw_job_cancel(fx->job);
        worked_turn(&fx->wg);
        assert_int_equal(tw_job_result(&rsp, fx->job, NULL), TW_E_CANCELED);
        take_all(fx, TW_E_CANCELED);
        worked_pass(&fx->wg, 60000);
        assert_int_equal(fx->wg.sc.count, at + 1);
        tw_job_unref(fx->job);
        fx->job = NULL;
    }
}

static void test_closing_ends_the_job(void **state)
{
    fixture *fx = *state;

    start(fx);
    worked_head(&fx->wg, 0, 200, zip_type, "");
    worked_give(&fx->wg, 0, fx->zip.data, fx->zip.size);
    tw__loop_close(fx->wg.loop);
    take_all(fx, TW_E_CLOSED);
}

/* ---- refused before anything is sent ----------------------------------------------- */

static void test_windows_are_checked_before_anything_is_sent(void **state)
{
    fixture *fx = *state;
    tw_error *err = NULL;

    assert_int_equal(tw__export_start(&fx->job, fx->wg.gate, "20260301T05", "20260301T04",
                                      NULL, NULL, &err),
                     TW_E_VALIDATION);
    assert_null(fx->job);
    tw_error_free(err);
    fx->options.block_bytes = 1;
    assert_int_equal(tw__export_start(&fx->job, fx->wg.gate, "20260301T00", "20260301T04",
                                      &fx->options, NULL, NULL),
                     TW_E_INVALID);
    worked_turn(&fx->wg);
    assert_int_equal(fx->wg.sc.count, 0);
}

/* ---- memory ------------------------------------------------------------------------ */

static int export_once(fixture *fx)
{
    int at = fx->wg.sc.count;
    int rc = tw__export_start(&fx->job, fx->wg.gate, "20260301T00", "20260301T23",
                              &fx->options, NULL, NULL);

    if (rc != TW_OK)
        return rc;
    worked_turn(&fx->wg);
    if (fx->wg.sc.count > at) {
        rc = worked_head(&fx->wg, at, 200, zip_type, "");
        if (rc == TW_OK)
            rc = worked_give(&fx->wg, at, fx->zip.data, fx->zip.size);
        if (fx->wg.sc.requests[at].live)
            script_fail(&fx->wg.sc, at, rc == TW_AGAIN ? TW_OK : rc, 1, 1, "");
    }
    do {
        tw_block *block;

        rc = tw_job_next(&block, fx->job, NULL);
        tw_block_free(block);
        worked_turn(&fx->wg);
    } while (rc == TW_OK);
    tw_job_unref(fx->job);
    fx->job = NULL;
    worked_turn(&fx->wg);
    return rc;
}

static void test_every_failing_allocation(void **state)
{
    fixture *fx = *state;
    int done = 0;
    long n;

    assert_int_equal(export_once(fx), TW_DONE); /* lasting things are made */
    for (n = 0; !done && n < 200; n++) {
        long held;
        int rc;

        if (fx->wg.sc.count > SCRIPT_REQUESTS - 4) {
            worked_end(&fx->wg);
            worked_begin(&fx->wg);
            assert_int_equal(export_once(fx), TW_DONE);
        }
        oom_begin(n);
        rc = export_once(fx);
        done = !oom_end(&held);
        assert_int_equal(held, 0);
        assert_int_equal(rc, done ? TW_DONE : TW_E_NOMEM);
    }
    assert_true(done);
    assert_true(n > 10);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_window_is_streamed_whole),
        CASE(test_a_full_decoder_pauses_the_transfer),
        CASE(test_the_transfer_may_end_before_the_decoder),
        CASE(test_404_is_an_empty_window),
        CASE(test_an_empty_archive_is_an_empty_window),
        CASE(test_no_cut_ends_well),
        CASE(test_rows_handed_out_end_with_the_error),
        CASE(test_an_early_break_is_repeated),
        CASE(test_damage_aborts_the_transfer),
        CASE(test_damage_found_while_paused_frees_the_connection),
        CASE(test_json_with_status_200_is_an_error),
        CASE(test_a_key_that_the_server_repeats_goes_no_further),
        CASE(test_a_web_page_with_status_404_is_an_error),
        CASE(test_statuses),
        CASE(test_an_encoded_archive_is_refused),
        CASE(test_leaving_early_frees_the_connection_at_once),
        CASE(test_cancel_at_every_stage),
        CASE(test_closing_ends_the_job),
        CASE(test_windows_are_checked_before_anything_is_sent),
        CASE(test_every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
