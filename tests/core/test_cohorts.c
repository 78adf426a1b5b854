/* SPDX-License-Identifier: MIT */
/* Cohorts: the download job's polls, hop and file; uploads and memberships in parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tidewheel/error.h>

#include "areas/cohorts.h"
#include "areas/ids.h"
#include "support/fake_time.h"
#include "support/oom.h"
#include "support/worked_gate.h"
#include "support/zipmaker.h"

static const char accepted[] = "{\"request_id\":\"rq9Zp2\",\"cohort_id\":\"c4t8w1\"}";
static const char running[] = "{\"request_id\":\"rq9Zp2\",\"cohort_id\":\"c4t8w1\","
                              "\"async_status\":\"JOB INPROGRESS\"}";
static const char completed[] = "{\"request_id\":\"rq9Zp2\",\"cohort_id\":\"c4t8w1\","
                                "\"async_status\":\"JOB COMPLETED\"}";
static const char csv[] = "\"amplitude_id\",\"user_id\"\n\"1\",\"a\"\n\"2\",\"b\"\n";
static const char storage[] = "http://127.0.0.1:8/store/f.csv.gz?X-Signature=abcdef";

typedef struct fixture {
    worked_gate wg;
    tw_job *job;
    bytes got;
    tw_poll_settings poll;
    tw_cohort_download_options options;
} fixture;

static int setup(void **state)
{
    fixture *fx = calloc(1, sizeof *fx);
    tw_cohort_download_options usual = TW_COHORT_DOWNLOAD_OPTIONS_INIT;

    worked_begin(&fx->wg);
    fx->poll.first_ms = 1000;
    fx->poll.most_ms = 30000;
    fx->poll.timeout_ms = 1800000;
    fx->options = usual;
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    fixture *fx = *state;

    tw_job_unref(fx->job);
    worked_turn(&fx->wg);
    worked_end(&fx->wg);
    bytes_clear(&fx->got);
    free(fx);
    return 0;
}

static int count(const fixture *fx)
{
    return fx->wg.sc.count;
}

static int last(const fixture *fx)
{
    return fx->wg.sc.count - 1;
}

static const char *url(const fixture *fx)
{
    return fx->wg.sc.requests[last(fx)].url;
}

static void assert_url(const fixture *fx, const char *path)
{
    char text[256];

    snprintf(text, sizeof text, "http://127.0.0.1:9%s", path);
    assert_string_equal(url(fx), text);
}

static void start(fixture *fx)
{
    tw_error *err = NULL;
    int rc = tw__cohort_download_start(&fx->job, fx->wg.gate, &fx->poll, "c4t8w1",
                                       &fx->options, NULL, &err);

    if (rc != TW_OK)
        fail_msg("%s", tw_error_message(err));
    worked_turn(&fx->wg);
}

static void answer(fixture *fx, int status, const char *body)
{
    script_answer(&fx->wg.sc, last(fx), status, body);
    worked_turn(&fx->wg);
}

/* Up to the call for the file. */
static void start_to_file(fixture *fx)
{
    start(fx);
    answer(fx, 202, accepted);
    worked_pass(&fx->wg, 1000);
    answer(fx, 200, completed);
    assert_url(fx, "/api/5/cohorts/request/rq9Zp2/file");
}

static void give_file(fixture *fx, const char *encoding, const char *data, size_t size)
{
    assert_int_equal(worked_head(&fx->wg, last(fx), 200, "text/csv", encoding), TW_OK);
    assert_int_equal(worked_give(&fx->wg, last(fx), data, size), TW_OK);
    script_end(&fx->wg.sc, last(fx));
    worked_turn(&fx->wg);
}

static void redirect(fixture *fx, const char *location)
{
    script_head(&fx->wg.sc, last(fx), 302, "", NULL, location);
    script_end(&fx->wg.sc, last(fx));
    worked_turn(&fx->wg);
}

static tw_error *take_all(fixture *fx, int code)
{
    tw_error *err = NULL;
    tw_block *block;
    int rc;

    for (;;) {
        const char *data;
        size_t size;

        rc = tw_job_next(&block, fx->job, &err);
        if (rc != TW_OK)
            break;
        data = tw_block_data(block, &size);
        bytes_put(&fx->got, data, size);
        tw_block_free(block);
        worked_turn(&fx->wg);
    }
    if (rc != code)
        fail_msg("ended with %d: %s", rc, tw_error_message(err));
    return err;
}

static void assert_csv(fixture *fx)
{
    take_all(fx, TW_DONE);
    assert_int_equal(fx->got.size, strlen(csv));
    assert_memory_equal(fx->got.data, csv, strlen(csv));
}

static void assert_error(fixture *fx, int code, const char *why)
{
    tw_error *err = take_all(fx, code);

    if (strstr(tw_error_message(err), why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", tw_error_message(err), why);
    assert_null(strstr(tw_error_message(err), "Signature"));
    tw_error_free(err);
}

/* ---- list -------------------------------------------------------------------------- */

static void test_list(void **state)
{
    fixture *fx = *state;
    const tw_reply *rsp;
    size_t size;

    assert_int_equal(tw__cohorts_list_start(&fx->job, fx->wg.gate, 1, NULL, NULL), TW_OK);
    worked_turn(&fx->wg);
    assert_url(fx, "/api/3/cohorts?includeSyncInfo=true");
    answer(fx, 200, "{\"cohorts\":[]}");
    assert_int_equal(tw_job_result(&rsp, fx->job, NULL), TW_OK);
    assert_string_equal(tw_reply_body(rsp, &size), "{\"cohorts\":[]}");
}

/* ---- download ---------------------------------------------------------------------- */

static void test_request_poll_file(void **state)
{
    fixture *fx = *state;
    tw_job_progress progress = TW_JOB_PROGRESS_INIT;

    start(fx);
    assert_url(fx, "/api/5/cohorts/request/c4t8w1?props=0");
    answer(fx, 202, accepted);
    tw_job_get_progress(fx->job, &progress);
    assert_string_equal(progress.phase, "polling");
    assert_string_equal(progress.id, "rq9Zp2");
    assert_int_equal(count(fx), 1); /* not at once */
    worked_pass(&fx->wg, 1000);
    assert_url(fx, "/api/5/cohorts/request-status/rq9Zp2");
    answer(fx, 202, running);
    assert_int_equal(count(fx), 2);
    worked_pass(&fx->wg, 1600);
    assert_int_equal(count(fx), 3);
    answer(fx, 200, completed);
    assert_url(fx, "/api/5/cohorts/request/rq9Zp2/file");
    give_file(fx, "", csv, strlen(csv));
    assert_csv(fx);
    tw_job_get_progress(fx->job, &progress);
    assert_int_equal(progress.requests, 4);
    assert_int_equal(progress.bytes_received, strlen(csv));
}

static void test_properties_are_asked_for(void **state)
{
    static const char *const keys[] = {"plan tier", "a&b=c", NULL};
    fixture *fx = *state;

    fx->options.props = 1;
    fx->options.prop_keys = keys;
    start(fx);
    assert_url(fx, "/api/5/cohorts/request/c4t8w1?props=1&propKeys=plan%20tier"
                   "&propKeys=a%26b%3Dc");
}

/* The pause grows by half up to its maximum, and is never below half of itself. */
static void test_the_pause_between_polls_grows(void **state)
{
    fixture *fx = *state;
    int64_t waits[20];
    int i;

    fx->poll.most_ms = 5000;
    start(fx);
    answer(fx, 202, accepted);
    for (i = 0; i < 20; i++) {
        int before = count(fx);

        for (waits[i] = 0; count(fx) == before; waits[i] += 100)
            worked_pass(&fx->wg, 100);
        answer(fx, 202, running);
    }
    assert_true(waits[0] >= 500 && waits[0] <= 1000);
    assert_true(waits[3] > waits[0]);
    assert_true(waits[19] >= 2500 && waits[19] <= 5000);
}

static void test_gzip_by_header_and_by_magic(void **state)
{
    fixture *fx = *state;
    bytes gz = {0};

    make_gzip(&gz, csv, strlen(csv), 6, 0);
    start_to_file(fx);
    give_file(fx, "gzip", gz.data, gz.size);
    assert_csv(fx);
    tw_job_unref(fx->job);
    fx->got.size = 0;
    start_to_file(fx);
    give_file(fx, "", gz.data, gz.size);
    assert_csv(fx);
    bytes_clear(&gz);
}

static void test_the_storage_hop_carries_no_credentials(void **state)
{
    fixture *fx = *state;

    start_to_file(fx);
    assert_non_null(strstr(fx->wg.sc.requests[last(fx)].headers, "Authorization"));
    redirect(fx, storage);
    assert_string_equal(url(fx), storage);
    assert_null(strstr(fx->wg.sc.requests[last(fx)].headers, "Authorization"));
    assert_null(strstr(fx->wg.sc.requests[last(fx)].headers, "Cookie"));
    give_file(fx, "", csv, strlen(csv));
    assert_csv(fx);
}

static void test_an_expired_link_is_fetched_anew(void **state)
{
    fixture *fx = *state;
    int i;

    start_to_file(fx);
    for (i = 0; i < 4; i++) {
        redirect(fx, storage);
        answer(fx, 403, "<Error><Code>AccessDenied</Code></Error>");
        worked_pass(&fx->wg, 10000);
        assert_url(fx, "/api/5/cohorts/request/rq9Zp2/file");
    }
    redirect(fx, storage);
    give_file(fx, "", csv, strlen(csv));
    assert_csv(fx);
}

static void test_five_expired_links_are_enough(void **state)
{
    fixture *fx = *state;
    int i;

    start_to_file(fx);
    for (i = 0; i < 5; i++) {
        redirect(fx, storage);
        answer(fx, 403, "<Error><Code>AccessDenied</Code></Error>");
        worked_pass(&fx->wg, 10000);
    }
    assert_int_equal(count(fx), 2 + 10);
    assert_error(fx, TW_E_JOB, "rq9Zp2"); /* and not an error of our keys */
}

static void test_hops_that_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "/relative",
                                      "//host/x",
                                      "file:///etc/passwd",
                                      "http://example.com/x?Signature=1",
                                      "http://u:p@127.0.0.1/x?Signature=1",
                                      "javascript:1"};
    fixture *fx = *state;
    size_t i;

    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        int before;

        start_to_file(fx);
        before = count(fx);
        redirect(fx, bad[i]);
        assert_int_equal(count(fx), before);
        assert_error(fx, TW_E_PROTOCOL, "");
        tw_job_unref(fx->job);
        fx->job = NULL;
    }
    /* And none leads on from the storage. */
    start_to_file(fx);
    redirect(fx, storage);
    redirect(fx, storage);
    assert_error(fx, TW_E_PROTOCOL, "redirect");
}

static void test_a_broken_file_is_asked_for_again(void **state)
{
    fixture *fx = *state;

    start_to_file(fx);
    redirect(fx, storage);
    worked_head(&fx->wg, last(fx), 200, "text/csv", "");
    worked_give(&fx->wg, last(fx), csv, 20);
    script_fail(&fx->wg.sc, last(fx), TW_E_NETWORK, 1, 0, "the connection broke");
    worked_pass(&fx->wg, 10000);
    assert_url(fx, "/api/5/cohorts/request/rq9Zp2/file");
    give_file(fx, "", csv, strlen(csv));
    assert_csv(fx);
}

static void test_a_resumed_request_starts_with_a_poll(void **state)
{
    fixture *fx = *state;

    fx->options.request_id = "rq9Zp2";
    start(fx);
    assert_url(fx, "/api/5/cohorts/request-status/rq9Zp2");
    answer(fx, 200, completed);
    give_file(fx, "", csv, strlen(csv));
    assert_csv(fx);
    assert_int_equal(count(fx), 2);
}

static void test_the_deadline_names_the_request(void **state)
{
    fixture *fx = *state;
    tw_error *err;

    fx->options.timeout_ms = 60000;
    start(fx);
    answer(fx, 202, accepted);
    worked_pass(&fx->wg, 1000);
    assert_int_equal(count(fx), 2); /* a poll is on the wire */
    worked_pass(&fx->wg, 59000);
    assert_false(fx->wg.sc.requests[1].live);
    err = take_all(fx, TW_E_TIMEOUT);
    assert_non_null(strstr(tw_error_message(err), "rq9Zp2"));
    assert_true(tw_error_retriable(err));
    tw_error_free(err);
}

static void test_states_of_the_job(void **state)
{
    static const struct {
        int status;
        const char *text; /* NULL: no async_status */
        int code;         /* TW_OK: the file; TW_AGAIN: still polling */
    } cases[] = {
        {200, "JOB COMPLETED", TW_OK},
        {200, NULL, TW_OK},
        {202, "JOB INPROGRESS", TW_AGAIN},
        {202, "JOB QUEUED", TW_AGAIN},
        {202, NULL, TW_AGAIN},
        {200, "JOB INPROGRESS", TW_AGAIN},
        {200, "JOB FAILED", TW_E_JOB},
        {202, "Job failed: out of memory", TW_E_JOB},
        {200, "SOMETHING ELSE", TW_E_JOB},
    };
    fixture *fx = *state;
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[128] = "{\"request_id\":\"rq9Zp2\"}";
        int before;

        if (cases[i].text != NULL)
            snprintf(body, sizeof body, "{\"async_status\":\"%s\"}", cases[i].text);
        fx->options.request_id = "rq9Zp2";
        start(fx);
        before = count(fx);
        answer(fx, cases[i].status, body);
        if (cases[i].code == TW_OK) {
            assert_url(fx, "/api/5/cohorts/request/rq9Zp2/file");
        } else if (cases[i].code == TW_AGAIN) {
            assert_int_equal(count(fx), before);
            worked_pass(&fx->wg, 1000);
            assert_url(fx, "/api/5/cohorts/request-status/rq9Zp2");
        } else {
            assert_error(fx, cases[i].code, "rq9Zp2");
        }
        tw_job_unref(fx->job);
        fx->job = NULL;
        worked_turn(&fx->wg);
    }
}

static void test_answers_that_are_not_the_documented_ones(void **state)
{
    static const char *const requests[] = {"",
                                           "[]",
                                           "{}",
                                           "{\"request_id\":7}",
                                           "{\"request_id\":\"\"}",
                                           "<html>",
                                           "{\"request_id\":\"a"};
    static const char *const polls[] = {"", "[]", "<html>",
                                        "{\"request_id\":\"another\"}"};
    fixture *fx = *state;
    size_t i;

    for (i = 0; i < sizeof requests / sizeof *requests; i++) {
        start(fx);
        answer(fx, 202, requests[i]);
        assert_error(fx, TW_E_PROTOCOL, "");
        tw_job_unref(fx->job);
    }
    for (i = 0; i < sizeof polls / sizeof *polls; i++) {
        fx->options.request_id = "rq9Zp2";
        start(fx);
        answer(fx, 202, polls[i]);
        assert_error(fx, TW_E_PROTOCOL, "rq9Zp2");
        tw_job_unref(fx->job);
    }
    fx->job = NULL;
}

static void fail_poll(fixture *fx, int status)
{
    int before = count(fx) - 1;
    int i;

    /* The gate's own attempts. */
    for (i = 0; i < 3 && last(fx) == before + i; i++) {
        script_answer(&fx->wg.sc, last(fx), status, "");
        worked_turn(&fx->wg);
        if (i < 2)
            worked_pass(&fx->wg, 10000);
    }
}

static void test_polls_survive_what_passes(void **state)
{
    fixture *fx = *state;
    int i;

    fx->options.request_id = "rq9Zp2";
    start(fx);
    for (i = 0; i < 4; i++) {
        fail_poll(fx, 503);
        worked_pass(&fx->wg, 60000);
    }
    answer(fx, 202, running); /* the count starts anew */
    worked_pass(&fx->wg, 60000);
    for (i = 0; i < 4; i++) {
        fail_poll(fx, 429);
        worked_pass(&fx->wg, 60000);
    }
    answer(fx, 200, completed);
    assert_url(fx, "/api/5/cohorts/request/rq9Zp2/file");
}

static void test_polls_give_up(void **state)
{
    fixture *fx = *state;
    int i;

    fx->options.request_id = "rq9Zp2";
    start(fx);
    for (i = 0; i < 5; i++) {
        fail_poll(fx, 503);
        worked_pass(&fx->wg, 60000);
    }
    assert_error(fx, TW_E_SERVER, "rq9Zp2");
    tw_job_unref(fx->job);
    start(fx);
    answer(fx, 404, "{\"error\":{\"http_code\":404,\"message\":\"Request not found\"}}");
    assert_error(fx, TW_E_HTTP, "Request not found");
}

static void test_a_request_that_may_have_worked_is_not_repeated(void **state)
{
    fixture *fx = *state;

    start(fx);
    script_fail(&fx->wg.sc, 0, TW_E_NETWORK, 1, 0, "the connection broke");
    worked_pass(&fx->wg, 60000);
    assert_int_equal(count(fx), 1); /* it costs one of 500 a month */
    assert_error(fx, TW_E_NETWORK, "");
}

static void test_stopping_at_every_stage(void **state)
{
    fixture *fx = *state;
    int stage;

    for (stage = 0; stage < 6; stage++) {
        int before;

        start(fx);
        if (stage >= 1)
            answer(fx, 202, accepted);
        if (stage >= 2)
            worked_pass(&fx->wg, 1000);
        if (stage >= 3)
            answer(fx, 200, completed);
        if (stage >= 4)
            redirect(fx, storage);
        if (stage >= 5) {
            worked_head(&fx->wg, last(fx), 200, "text/csv", "");
            worked_give(&fx->wg, last(fx), csv, 20);
        }
        before = count(fx);
        tw_job_cancel(fx->job);
        worked_turn(&fx->wg);
        tw_error_free(take_all(fx, TW_E_CANCELED));
        tw_job_unref(fx->job);
        fx->job = NULL;
        worked_pass(&fx->wg, 3600000);
        assert_int_equal(count(fx), before);
        assert_false(fx->wg.sc.requests[last(fx)].live);
    }
}

static void test_downloads_are_checked_before_anything_is_sent(void **state)
{
    static const char *const keys[] = {"a", NULL};
    static const char *const bad_keys[] = {"a\nb", NULL};
    fixture *fx = *state;

    fx->options.prop_keys = keys;
    assert_int_equal(tw__cohort_download_start(&fx->job, fx->wg.gate, &fx->poll, "c",
                                               &fx->options, NULL, NULL),
                     TW_E_VALIDATION);
    fx->options.props = 1;
    fx->options.prop_keys = bad_keys;
    assert_int_equal(tw__cohort_download_start(&fx->job, fx->wg.gate, &fx->poll, "c",
                                               &fx->options, NULL, NULL),
                     TW_E_VALIDATION);
    assert_int_equal(tw__cohort_download_start(&fx->job, fx->wg.gate, &fx->poll, "..",
                                               NULL, NULL, NULL),
                     TW_E_VALIDATION);
    assert_int_equal(tw__cohort_download_start(&fx->job, fx->wg.gate, &fx->poll, NULL,
                                               NULL, NULL, NULL),
                     TW_E_VALIDATION);
    worked_turn(&fx->wg);
    assert_int_equal(count(fx), 0);
}

/* ---- ids --------------------------------------------------------------------------- */

static tw_ids *ids_of(size_t n)
{
    tw_ids *ids;
    char text[32];
    size_t i;

    assert_int_equal(tw_ids_new(&ids, NULL), TW_OK);
    for (i = 0; i < n; i++) {
        snprintf(text, sizeof text, "u-%zu", i);
        assert_int_equal(tw_ids_add(ids, text, strlen(text), NULL), TW_OK);
    }
    return ids;
}

static void test_ids(void **state)
{
    static const struct {
        const char *text;
        size_t size;
    } bad[] = {{"", 0}, {"a\nb", 3}, {"a\0b", 3}, {"\xFF", 1}, {"\xC3", 1}, {"a\x7F", 2}};
    tw_ids *ids;
    tw_error *err = NULL;
    const char *text;
    size_t size;
    size_t i;

    (void)state;
    assert_int_equal(tw_ids_new(&ids, NULL), TW_OK);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(tw_ids_add(ids, bad[i].text, bad[i].size, &err),
                         TW_E_VALIDATION);
        assert_int_equal(tw_error_index(err), 0);
    }
    tw_error_free(err);
    assert_int_equal(tw_ids_count(ids), 0);
    assert_int_equal(tw_ids_add(ids, "a\"b\\c", 5, NULL), TW_OK);
    assert_int_equal(tw_ids_add(ids, "\xC3\xA4", 2, NULL), TW_OK);
    assert_int_equal(tw__ids_parts(ids), 1);
    assert_int_equal(tw__ids_part(ids, 0, &text, &size), 2);
    assert_int_equal(size, strlen("\"a\\\"b\\\\c\",\"\xC3\xA4\""));
    assert_memory_equal(text, "\"a\\\"b\\\\c\",\"\xC3\xA4\"", size);
    tw_ids_free(ids);

    ids = ids_of(200001);
    assert_int_equal(tw__ids_parts(ids), 3);
    assert_int_equal(tw__ids_part(ids, 0, &text, &size), 100000);
    assert_memory_equal(text + size - 9, "\"u-99999\"", 9);
    assert_int_equal(tw__ids_part(ids, 1, &text, &size), 100000);
    assert_memory_equal(text, "\"u-100000\"", 10);
    assert_int_equal(tw__ids_part(ids, 2, &text, &size), 1);
    assert_int_equal(size, 10);
    assert_memory_equal(text, "\"u-200000\"", 10);
    tw_ids_free(ids);
}

/* ---- upload and membership --------------------------------------------------------- */

static const tw_cohort_upload_options buyers = {sizeof buyers,
                                                "Buyers \"best\"",
                                                501177,
                                                "ana@shop.test",
                                                "BY_USER_ID",
                                                1,
                                                NULL,
                                                NULL,
                                                0,
                                                1};

static void upload(fixture *fx, const tw_cohort_upload_options *options, size_t ids)
{
    tw_error *err = NULL;
    int rc =
        tw__cohort_upload_start(&fx->job, fx->wg.gate, options, ids_of(ids), NULL, &err);

    if (rc != TW_OK)
        fail_msg("%s", tw_error_message(err));
    worked_turn(&fx->wg);
}

static void assert_body(const fixture *fx, const char *text)
{
    const script_request *rq = &fx->wg.sc.requests[last(fx)];

    assert_int_equal(rq->body_size, strlen(text));
    assert_memory_equal(rq->body, text, rq->body_size);
}

static void assert_body_has(const fixture *fx, const char *text)
{
    const script_request *rq = &fx->wg.sc.requests[last(fx)];

    assert_non_null(memmem(rq->body, rq->body_size, text, strlen(text)));
}

static void assert_reply(fixture *fx, const char *text)
{
    tw_error *err = NULL;
    const tw_reply *rsp;
    size_t size;

    if (tw_job_result(&rsp, fx->job, &err) != TW_OK)
        fail_msg("%s", tw_error_message(err));
    assert_string_equal(tw_reply_body(rsp, &size), text);
}

static const char uploaded[] =
    "{\"cohortId\":\"c4t8w1\",\"metadata\":{\"matched\":99998,\"totals\":100000,"
    "\"invalid_ids_sample\":[\"u-x\",\"u-y\"]}}";

static void test_upload(void **state)
{
    fixture *fx = *state;

    upload(fx, &buyers, 2);
    assert_url(fx, "/api/3/cohorts/upload");
    assert_body(fx, "{\"app_id\":501177,\"id_type\":\"BY_USER_ID\",\"published\":true,"
                    "\"name\":\"Buyers \\\"best\\\"\",\"owner\":\"ana@shop.test\","
                    "\"ids\":[\"u-0\",\"u-1\"]}");
    assert_non_null(
        strstr(fx->wg.sc.requests[0].headers, "Content-Type: application/json"));
    assert_true(fx->wg.sc.requests[0].flags & TW_TRANSFER_FRESH);
    answer(fx, 200, uploaded);
    assert_reply(fx, uploaded);
}

static void test_upload_options(void **state)
{
    fixture *fx = *state;
    tw_cohort_upload_options options = buyers;

    options.group = "company";
    options.existing_cohort_id = "old1";
    options.skip_save = 1;
    options.skip_invalid_ids = 0;
    options.published = 0;
    options.id_type = "BY_AMP_ID";
    upload(fx, &options, 1);
    assert_body(fx,
                "{\"app_id\":501177,\"id_type\":\"BY_AMP_ID\",\"published\":false,"
                "\"name\":\"Buyers \\\"best\\\"\",\"owner\":\"ana@shop.test\","
                "\"cg\":\"company\",\"existing_cohort_id\":\"old1\",\"skip_save\":true,"
                "\"skip_invalid_ids\":false,\"ids\":[\"u-0\"]}");
    answer(fx, 200, "{\"cohortId\":null,\"metadata\":{}}");
    assert_reply(fx, "{\"cohortId\":null,\"metadata\":{}}");
}

static void test_a_long_upload_goes_on_as_memberships(void **state)
{
    fixture *fx = *state;
    tw_job_progress progress = TW_JOB_PROGRESS_INIT;

    upload(fx, &buyers, 200002);
    assert_body_has(fx, "\"u-99999\"]}");
    answer(fx, 200, uploaded);
    assert_int_equal(count(fx), 2);
    assert_url(fx, "/api/3/cohorts/membership");
    assert_body_has(
        fx, "{\"skip_invalid_ids\":true,\"cohort_id\":\"c4t8w1\",\"memberships\":["
            "{\"id_type\":\"BY_NAME\",\"operation\":\"ADD\",\"ids\":[\"u-100000\"");
    assert_body_has(fx, "\"u-199999\"]}]}");
    tw_job_get_progress(fx->job, &progress);
    assert_string_equal(progress.id, "c4t8w1");
    answer(fx, 200,
           "{\"cohort_id\":\"c4t8w1\",\"memberships_result\":[{\"skipped_ids\":"
           "[\"u-100007\"],\"id_type\":\"BY_NAME\",\"operation\":\"ADD\"}]}");
    assert_int_equal(count(fx), 3);
    assert_body(fx,
                "{\"skip_invalid_ids\":true,\"cohort_id\":\"c4t8w1\",\"memberships\":["
                "{\"id_type\":\"BY_NAME\",\"operation\":\"ADD\",\"ids\":[\"u-200000\","
                "\"u-200001\"]}]}");
    answer(fx, 200, "{\"memberships_result\":[{\"skipped_ids\":[]}]}");
    assert_reply(fx, "{\"cohortId\":\"c4t8w1\",\"metadata\":{\"matched\":199999,"
                     "\"totals\":200002,\"invalid_ids_sample\":[\"u-x\",\"u-y\","
                     "\"u-100007\"]}}");
}

static void test_a_part_that_fails_says_how_far_it_came(void **state)
{
    fixture *fx = *state;
    const tw_reply *rsp;
    tw_error *err = NULL;

    upload(fx, &buyers, 100001);
    answer(fx, 200, uploaded);
    answer(fx, 400, "{\"error\":{\"message\":\"Too many ids\"}}");
    assert_int_equal(tw_job_result(&rsp, fx->job, &err), TW_E_HTTP);
    assert_int_equal(tw_error_index(err), 100000);
    assert_non_null(strstr(tw_error_message(err), "c4t8w1"));
    assert_non_null(strstr(tw_error_message(err), "100000 of 100001"));
    tw_error_free(err);
}

static void test_a_new_upload_is_never_sent_twice(void **state)
{
    fixture *fx = *state;
    const tw_reply *rsp;
    tw_error *err = NULL;

    upload(fx, &buyers, 1);
    script_fail(&fx->wg.sc, 0, TW_E_NETWORK, 1, 0, "the connection broke");
    worked_pass(&fx->wg, 60000);
    assert_int_equal(count(fx), 1);
    assert_int_equal(tw_job_result(&rsp, fx->job, &err), TW_E_NETWORK);
    assert_int_equal(tw_error_stored(err), TW_STORED_MAYBE);
    assert_non_null(strstr(tw_error_message(err), "by its name"));
    tw_error_free(err);
}

static void test_what_certainly_did_nothing_is_repeated(void **state)
{
    fixture *fx = *state;
    tw_cohort_upload_options options = buyers;

    upload(fx, &buyers, 1);
    answer(fx, 503, "");
    worked_pass(&fx->wg, 60000);
    assert_int_equal(count(fx), 2);
    answer(fx, 200, uploaded);
    assert_reply(fx, uploaded);
    tw_job_unref(fx->job);
    /* Replacing twice is replacing once. */
    options.existing_cohort_id = "c4t8w1";
    upload(fx, &options, 1);
    script_fail(&fx->wg.sc, 2, TW_E_NETWORK, 1, 0, "the connection broke");
    worked_pass(&fx->wg, 60000);
    assert_int_equal(count(fx), 4);
    answer(fx, 200, uploaded);
    assert_reply(fx, uploaded);
}

static void test_membership(void **state)
{
    static const char result[] =
        "{\"cohort_id\":\"c\",\"memberships_result\":[{\"skipped_ids\":"
        "[\"u-1\"],\"id_type\":\"BY_ID\",\"operation\":\"REMOVE\"}]}";
    fixture *fx = *state;

    assert_int_equal(tw__cohort_update_start(&fx->job, fx->wg.gate, "c", "BY_ID",
                                             "REMOVE", 0, ids_of(2), NULL, NULL),
                     TW_OK);
    worked_turn(&fx->wg);
    assert_url(fx, "/api/3/cohorts/membership");
    assert_body(
        fx,
        "{\"skip_invalid_ids\":false,\"cohort_id\":\"c\",\"memberships\":[{"
        "\"id_type\":\"BY_ID\",\"operation\":\"REMOVE\",\"ids\":[\"u-0\",\"u-1\"]}]}");
    answer(fx, 200, result);
    assert_reply(fx, result);
}

static void test_long_memberships_are_one_result(void **state)
{
    fixture *fx = *state;

    assert_int_equal(tw__cohort_update_start(&fx->job, fx->wg.gate, "c", "BY_NAME", "ADD",
                                             1, ids_of(100001), NULL, NULL),
                     TW_OK);
    worked_turn(&fx->wg);
    answer(
        fx, 200,
        "{\"memberships_result\":[{\"x\":{\"y\":[1,2]},\"skipped_ids\":[\"u-1\",7]}]}");
    answer(fx, 200,
           "{\"z\":null,\"memberships_result\":[{\"skipped_ids\":[\"u-\\\"\"]}]}");
    assert_reply(
        fx,
        "{\"cohort_id\":\"c\",\"memberships_result\":[{\"skipped_ids\":[\"u-1\",\"7\","
        "\"u-\\\"\"],\"id_type\":\"BY_NAME\",\"operation\":\"ADD\"}]}");
}

static void test_success_without_the_documented_answer(void **state)
{
    static const char *const bad[] = {"",
                                      "success",
                                      "[]",
                                      "{}",
                                      "{\"memberships_result\":7}",
                                      "{\"memberships_result\":[7]}",
                                      "{\"memberships_result\":[{\"skipped_ids\":[[]]}]}",
                                      "{\"memberships_result\":[]} x"};
    static const char *const uploads[] = {"<html>",
                                          "",
                                          "[]",
                                          "{}",
                                          "{\"cohortId\":null}",
                                          "{\"cohortId\":7,\"metadata\":{}}"};
    fixture *fx = *state;
    const tw_reply *rsp;
    tw_error *err = NULL;
    size_t i;

    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(tw__cohort_update_start(&fx->job, fx->wg.gate, "c", "BY_ID",
                                                 "ADD", 1, ids_of(1), NULL, NULL),
                         TW_OK);
        worked_turn(&fx->wg);
        answer(fx, 200, bad[i]);
        assert_int_equal(tw_job_result(&rsp, fx->job, &err), TW_E_PROTOCOL);
        assert_int_equal(tw_error_stored(err), TW_STORED_MAYBE);
        tw_job_unref(fx->job);
    }
    tw_error_free(err);
    fx->job = NULL;
    for (i = 0; i < sizeof uploads / sizeof *uploads; i++) {
        upload(fx, &buyers, 1);
        answer(fx, 200, uploads[i]);
        assert_int_equal(tw_job_result(&rsp, fx->job, NULL), TW_E_PROTOCOL);
        tw_job_unref(fx->job);
    }
    fx->job = NULL;
}

static void refused(fixture *fx, const tw_cohort_upload_options *options, size_t ids,
                    const char *field)
{
    tw_ids *list = ids_of(ids);
    tw_error *err = NULL;

    assert_int_equal(
        tw__cohort_upload_start(&fx->job, fx->wg.gate, options, list, NULL, &err),
        TW_E_VALIDATION);
    assert_string_equal(tw_error_field(err), field);
    assert_null(fx->job);
    tw_error_free(err);
    tw_ids_free(list); /* not taken */
}

static void test_writes_are_checked_before_anything_is_sent(void **state)
{
    fixture *fx = *state;
    tw_cohort_upload_options options = buyers;
    tw_ids *ids = ids_of(1);

    options.name = NULL;
    refused(fx, &options, 1, "name");
    options.name = "a\nb";
    refused(fx, &options, 1, "name");
    options = buyers;
    options.owner = "";
    refused(fx, &options, 1, "owner");
    options = buyers;
    options.app_id = 0;
    refused(fx, &options, 1, "app_id");
    options = buyers;
    options.id_type = "BY_NAME";
    refused(fx, &options, 1, "id_type");
    options = buyers;
    options.skip_save = 1;
    refused(fx, &options, 100001, "skip_save");
    refused(fx, &buyers, 0, "ids");
    assert_int_equal(tw__cohort_update_start(&fx->job, fx->wg.gate, "c", "BY_USER_ID",
                                             "ADD", 1, ids, NULL, NULL),
                     TW_E_VALIDATION);
    assert_int_equal(tw__cohort_update_start(&fx->job, fx->wg.gate, "c", "BY_ID", "add",
                                             1, ids, NULL, NULL),
                     TW_E_VALIDATION);
    assert_int_equal(tw__cohort_update_start(&fx->job, fx->wg.gate, NULL, "BY_ID", "ADD",
                                             1, ids, NULL, NULL),
                     TW_E_VALIDATION);
    tw_ids_free(ids);
    worked_turn(&fx->wg);
    assert_int_equal(count(fx), 0);
}

static void test_stopping_an_upload(void **state)
{
    fixture *fx = *state;
    const tw_reply *rsp;
    tw_error *err = NULL;

    upload(fx, &buyers, 100001);
    answer(fx, 200, uploaded);
    tw_job_cancel(fx->job);
    worked_turn(&fx->wg);
    assert_int_equal(tw_job_result(&rsp, fx->job, &err), TW_E_CANCELED);
    assert_int_equal(tw_error_index(err), 100000);
    tw_error_free(err);
    assert_int_equal(fx->wg.sc.requests[1].canceled, 1);
}

/* ---- memory ------------------------------------------------------------------------ */

static int download_once(fixture *fx)
{
    tw_block *block;
    int rc = tw__cohort_download_start(&fx->job, fx->wg.gate, &fx->poll, "c", NULL, NULL,
                                       NULL);

    if (rc != TW_OK)
        return rc;
    worked_turn(&fx->wg);
    while (!tw_job_done(fx->job)) {
        int at = last(fx);

        if (at >= 0 && fx->wg.sc.requests[at].live) {
            const char *path = fx->wg.sc.requests[at].url;
            const char *body = strstr(path, "/file") != NULL    ? csv
                               : strstr(path, "status") != NULL ? completed
                                                                : accepted;

            rc = worked_head(&fx->wg, at, 200, "", "");
            if (rc == TW_OK)
                rc = worked_give(&fx->wg, at, body, strlen(body));
            if (fx->wg.sc.requests[at].live)
                script_fail(&fx->wg.sc, at, rc, 1, rc != TW_OK, "");
        }
        worked_pass(&fx->wg, 60000);
        rc = tw_job_next(&block, fx->job, NULL);
        if (rc == TW_OK)
            tw_block_free(block);
    }
    rc = tw_job_next(&block, fx->job, NULL);
    tw_job_unref(fx->job);
    fx->job = NULL;
    worked_turn(&fx->wg);
    return rc;
}

static void test_every_failing_allocation_of_a_download(void **state)
{
    fixture *fx = *state;
    int done = 0;
    long n;

    for (n = 0; !done && n < 300; n++) {
        long held;
        int rc;

        worked_end(&fx->wg);
        worked_begin(&fx->wg);
        assert_int_equal(download_once(fx), TW_DONE); /* lasting things are made */
        oom_begin(n);
        rc = download_once(fx);
        done = !oom_end(&held);
        assert_int_equal(held, 0);
        if (rc != (done ? TW_DONE : TW_E_NOMEM))
            fail_msg("allocation %ld: ended with %d", n, rc);
    }
    assert_true(done);
    assert_true(n > 15);
}

/* Two parts, so that the answer is composed. The ids are freed here where they are not taken. */
static int upload_once(fixture *fx, tw_ids *ids)
{
    static const char *const answers[] = {
        uploaded, "{\"memberships_result\":[{\"skipped_ids\":[\"u-100000\"]}]}"};
    const tw_reply *rsp;
    int rc = tw__cohort_upload_start(&fx->job, fx->wg.gate, &buyers, ids, NULL, NULL);
    int i;

    if (rc != TW_OK) {
        tw_ids_free(ids);
        return rc;
    }
    worked_turn(&fx->wg);
    for (i = 0; i < 2 && last(fx) >= 0 && fx->wg.sc.requests[last(fx)].live; i++) {
        int at = last(fx);

        rc = worked_head(&fx->wg, at, 200, "", "");
        if (rc == TW_OK)
            rc = worked_give(&fx->wg, at, answers[i], strlen(answers[i]));
        script_fail(&fx->wg.sc, at, rc, 1, rc != TW_OK, "");
        worked_turn(&fx->wg);
    }
    rc = tw_job_result(&rsp, fx->job, NULL);
    tw_job_unref(fx->job);
    fx->job = NULL;
    worked_turn(&fx->wg);
    return rc;
}

static void test_every_failing_allocation_of_an_upload(void **state)
{
    fixture *fx = *state;
    int done = 0;
    long n;

    for (n = 0; !done && n < 300; n++) {
        tw_ids *ids;
        long held;
        int rc;

        worked_end(&fx->wg);
        worked_begin(&fx->wg);
        assert_int_equal(upload_once(fx, ids_of(100001)), TW_OK);
        ids = ids_of(100001);
        oom_begin(n);
        rc = upload_once(fx, ids);
        done = !oom_end(&held);
        assert_int_equal(held, -2); /* the list and its text are from before */
        if (rc != (done ? TW_OK : TW_E_NOMEM))
            fail_msg("allocation %ld: ended with %d", n, rc);
    }
    assert_true(done);
    assert_true(n > 15);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_list),
        CASE(test_request_poll_file),
        CASE(test_properties_are_asked_for),
        CASE(test_the_pause_between_polls_grows),
        CASE(test_gzip_by_header_and_by_magic),
        CASE(test_the_storage_hop_carries_no_credentials),
        CASE(test_an_expired_link_is_fetched_anew),
        CASE(test_five_expired_links_are_enough),
        CASE(test_hops_that_are_refused),
        CASE(test_a_broken_file_is_asked_for_again),
        CASE(test_a_resumed_request_starts_with_a_poll),
        CASE(test_the_deadline_names_the_request),
        CASE(test_states_of_the_job),
        CASE(test_answers_that_are_not_the_documented_ones),
        CASE(test_polls_survive_what_passes),
        CASE(test_polls_give_up),
        CASE(test_a_request_that_may_have_worked_is_not_repeated),
        CASE(test_stopping_at_every_stage),
        CASE(test_downloads_are_checked_before_anything_is_sent),
        cmocka_unit_test(test_ids),
        CASE(test_upload),
        CASE(test_upload_options),
        CASE(test_a_long_upload_goes_on_as_memberships),
        CASE(test_a_part_that_fails_says_how_far_it_came),
        CASE(test_a_new_upload_is_never_sent_twice),
        CASE(test_what_certainly_did_nothing_is_repeated),
        CASE(test_membership),
        CASE(test_long_memberships_are_one_result),
        CASE(test_success_without_the_documented_answer),
        CASE(test_writes_are_checked_before_anything_is_sent),
        CASE(test_stopping_an_upload),
        CASE(test_every_failing_allocation_of_a_download),
        CASE(test_every_failing_allocation_of_an_upload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
