/* SPDX-License-Identifier: MIT */
/* Cohorts: the list, and the download job's polls, hop and file. */
#include "cohort_world.h"

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

/* The file may begin again and again; the deadline of the whole stays. */
static void test_the_deadline_holds_when_the_file_begins_again(void **state)
{
    fixture *fx = *state;

    fx->options.timeout_ms = 60000;
    start_to_file(fx);
    worked_head(&fx->wg, last(fx), 200, "text/csv", "");
    worked_pass(&fx->wg, 30000);
    script_fail(&fx->wg.sc, last(fx), TW_E_NETWORK, 1, 0, "the connection broke");
    worked_pass(&fx->wg, 10000);
    assert_url(fx, "/api/5/cohorts/request/rq9Zp2/file");
    worked_pass(&fx->wg, 60000);
    assert_error(fx, TW_E_TIMEOUT, "rq9Zp2");
}

static void test_a_file_is_not_asked_for_after_the_deadline(void **state)
{
    fixture *fx = *state;

    fx->options.timeout_ms = 60000;
    start_to_file(fx);
    worked_head(&fx->wg, last(fx), 200, "text/csv", "");
    worked_pass(&fx->wg, 90000);
    script_fail(&fx->wg.sc, last(fx), TW_E_NETWORK, 1, 0, "the connection broke");
    worked_turn(&fx->wg);
    assert_error(fx, TW_E_NETWORK, "rq9Zp2");
}

/* Plain text that only the close of the connection ends may be cut anywhere. */
static void test_a_plain_file_without_a_length_is_not_believed(void **state)
{
    fixture *fx = *state;

    start_to_file(fx);
    fx->wg.open_ended = 1;
    assert_int_equal(worked_head(&fx->wg, last(fx), 200, "text/csv", ""), TW_OK);
    assert_int_equal(worked_give(&fx->wg, last(fx), csv, strlen(csv)), TW_OK);
    script_end(&fx->wg.sc, last(fx));
    worked_turn(&fx->wg);
    assert_error(fx, TW_E_PROTOCOL, "length");
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
        CASE(test_the_deadline_holds_when_the_file_begins_again),
        CASE(test_a_file_is_not_asked_for_after_the_deadline),
        CASE(test_a_plain_file_without_a_length_is_not_believed),
        CASE(test_a_resumed_request_starts_with_a_poll),
        CASE(test_the_deadline_names_the_request),
        CASE(test_states_of_the_job),
        CASE(test_answers_that_are_not_the_documented_ones),
        CASE(test_polls_survive_what_passes),
        CASE(test_polls_give_up),
        CASE(test_a_request_that_may_have_worked_is_not_repeated),
        CASE(test_stopping_at_every_stage),
        CASE(test_downloads_are_checked_before_anything_is_sent),
        CASE(test_every_failing_allocation_of_a_download),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
