/* SPDX-License-Identifier: MIT */
/* Calls through a scripted transport: streams, cancelling, links, jobs. */
#include "call_world.h"

/* ---- streams and cancellation ---------------------------------------------------------------- */

static void streams_pause_and_resume(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_EXPORT);
    seen sn;

    (void)state;
    spec.timeout_ms = -1;
    start(&sn, &spec);
    assert_int_equal(sc.requests[0].timeout_ms, -1);
    assert_true(sc.requests[0].stall_ms > 0);
    sn.stream = TW_DONE;
    script_head(&sc, 0, 200, "application/zip", NULL, NULL);
    assert_int_equal(script_data(&sc, 0, "one "), TW_OK);
    sn.data_code = TW_AGAIN;
    assert_int_equal(script_data(&sc, 0, "two"), TW_AGAIN);
    sn.data_code = TW_OK;
    tw__call_resume(sn.slot);
    assert_int_equal(sc.requests[0].resumed, 1);
    assert_int_equal(script_data(&sc, 0, "two"), TW_OK);
    script_end(&sc, 0);
    assert_int_equal(sn.code, TW_OK);
    assert_string_equal(sn.data, "one two");
    assert_int_equal(sn.body_size, 0);
}

/* Bytes that were handed out cannot be taken back: no second attempt. */
static void a_broken_stream_is_not_tried_again(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_EXPORT);
    seen sn;

    (void)state;
    start(&sn, &spec);
    sn.stream = TW_DONE;
    script_head(&sc, 0, 200, "application/zip", NULL, NULL);
    script_data(&sc, 0, "PK");
    script_fail(&sc, 0, TW_E_NETWORK, 1, 0, "closed early");
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.code, TW_E_NETWORK);
    assert_int_equal(sc.count, 1);
}

static void the_receiver_may_abort(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_EXPORT);
    seen sn;

    (void)state;
    start(&sn, &spec);
    sn.stream = TW_DONE;
    sn.data_code = TW_E_PROTOCOL;
    script_head(&sc, 0, 200, "application/zip", NULL, NULL);
    assert_int_equal(script_data(&sc, 0, "not a zip"), TW_E_PROTOCOL);
    script_fail(&sc, 0, TW_E_PROTOCOL, 1, 1, "");
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.code, TW_E_PROTOCOL);

    start(&sn, &spec);
    sn.stream = TW_E_VALIDATION;
    assert_int_equal(script_head(&sc, 1, 200, "", NULL, NULL), TW_E_VALIDATION);
    script_fail(&sc, 1, TW_E_VALIDATION, 1, 1, "");
    assert_int_equal(sn.code, TW_E_VALIDATION);
}

static void cancel_reports_once_and_at_once(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    seen sn;

    (void)state;
    start(&sn, &spec); /* on the wire */
    tw__call_cancel(sn.slot);
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.code, TW_E_CANCELED);
    assert_int_equal(sn.stored, TW_STORED_MAYBE);
    assert_int_equal(sc.requests[0].canceled, 1);

    start(&sn, &spec); /* waiting for its second attempt */
    script_fail(&sc, 1, TW_E_NETWORK, 0, 0, "refused");
    tw__call_cancel(sn.slot);
    assert_int_equal(sn.code, TW_E_CANCELED);
    assert_int_equal(sn.stored, TW_STORED_NO);
    turn(100000);
    assert_int_equal(sc.count, 2);
    assert_int_equal(sn.dones, 1);
}

/* An answer that has begun says more than "something left": what its status says. */
static void a_cancel_within_the_answer_knows_what_the_status_says(void **state)
{
    static const struct {
        int status;
        tw_stored stored;
    } rows[] = {{200, TW_STORED_MAYBE}, {202, TW_STORED_MAYBE}, {400, TW_STORED_NO},
                {429, TW_STORED_NO},    {503, TW_STORED_NO},    {500, TW_STORED_MAYBE},
                {302, TW_STORED_MAYBE}};
    tw_call_spec spec = spec_of(TW_EP_HTTPAPI);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        seen sn;

        start(&sn, &spec);
        script_head(&sc, (int)i, rows[i].status, "application/json", NULL, NULL);
        script_data(&sc, (int)i, "{\"code\":");
        tw__call_cancel(sn.slot);
        assert_int_equal(sn.code, TW_E_CANCELED);
        assert_int_equal(sn.stored, rows[i].stored);
    }
}

/* The owner's word goes before the endpoint's row. */
static void a_call_of_unknown_content_repeats_only_after_no(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_HTTPAPI);
    seen sn;

    (void)state;
    spec.flags = TW_CALL_UNSURE;
    start(&sn, &spec);
    assert_true(sc.requests[0].flags & TW_TRANSFER_FRESH);
    script_answer(&sc, 0, 503, "");
    turn(500);
    assert_int_equal(sc.count, 2);
    script_fail(&sc, 1, TW_E_NETWORK, 1, 0, "reset");
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.stored, TW_STORED_MAYBE);
}

/* A stream is limited by silence alone, for as long as the option says. */
static void a_stream_may_be_silent_as_long_as_the_option_says(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_EXPORT);
    seen sn;

    (void)state;
    spec.timeout_ms = -1;
    start(&sn, &spec);
    assert_int_equal(sc.requests[0].stall_ms, 90000);
    tw__call_cancel(sn.slot);
}

/* The text of an answer is cut to fit: half a key must not be left at the cut. */
static void a_key_at_the_cut_is_redacted(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    size_t pad;

    (void)state;
    for (pad = 160; pad < 400; pad++) {
        char body[600];
        seen sn;

        if (pad < 210) /* no JSON: its beginning is told */
            snprintf(body, sizeof body, "%0*d%s and so on", (int)pad, 0, SECRET);
        else
            snprintf(body, sizeof body, "{\"error\":\"%0*d%s\"}", (int)pad, 0, SECRET);
        start(&sn, &spec);
        script_answer(&sc, sc.count - 1, 400, body);
        assert_int_equal(sn.dones, 1);
        assert_null(strstr(sn.message, "emus"));
        script_clear(&sc);
        sc.count = 0;
    }
}

static void cancel_from_within_a_callback(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_EXPORT);
    seen sn;

    (void)state;
    start(&sn, &spec);
    sn.cancel_in = 1;
    assert_true(script_head(&sc, 0, 200, "", NULL, NULL) < 0);
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sc.requests[0].canceled, 1);

    start(&sn, &spec);
    sn.stream = TW_DONE;
    sn.cancel_in = 2;
    script_head(&sc, 1, 200, "", NULL, NULL);
    assert_true(script_data(&sc, 1, "x") < 0);
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.code, TW_E_CANCELED);
}

static void a_start_that_fails_reports_nothing(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    tw_error *err = NULL;
    seen sn;

    (void)state;
    memset(&sn, 0, sizeof sn);
    sc.start_code = TW_E_NETWORK;
    assert_int_equal(tw__call_start(&sn.slot, gate, &spec, &sink, &sn, &err),
                     TW_E_NETWORK);
    assert_non_null(strstr(tw_error_message(err), "refused to start"));
    assert_int_equal(sn.dones, 0);
    assert_null(sn.slot);
    tw_error_free(err);

    sc.start_code = TW_OK; /* ... but the second attempt's failure is the outcome */
    start(&sn, &spec);
    script_answer(&sc, 0, 503, "");
    sc.start_code = TW_E_NETWORK;
    turn(500);
    assert_int_equal(sn.dones, 1);
    assert_int_equal(sn.code, TW_E_NETWORK);
}

/* ---- links of the server ------------------------------------------------------------------ */

static void foreign_calls_carry_no_credential(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORT_FILE);
    seen sn;

    (void)state;
    spec.flags = TW_CALL_FOREIGN;
    spec.url = "https://s3.example/cohort.csv?X-Amz-Signature=abc";
    start(&sn, &spec);
    assert_string_equal(sc.requests[0].url, spec.url);
    assert_string_equal(sc.requests[0].method, "GET");
    assert_string_equal(sc.requests[0].headers, "User-Agent: tidewheel/test\n");
    assert_int_equal(sc.requests[0].flags & TW_TRANSFER_PUBLIC, TW_TRANSFER_PUBLIC);
    script_answer(&sc, 0, 403, "<Error>X-Amz-Signature=abc</Error>");
    assert_int_equal(sn.code, TW_E_AUTH);
    assert_null(strstr(sn.message, "abc"));
    assert_null(strstr(sn.message, "s3.example/"));
}

static void links_into_the_private_network_are_refused(void **state)
{
    static const char *const links[] = {"http://s3.example/x",
                                        "//s3.example/x",
                                        "/x",
                                        "file:///etc/passwd",
                                        "ftp://s3.example/",
                                        "https://u:p@s3.example/",
                                        "https://127.0.0.1/",
                                        "https://10.0.0.8/",
                                        "https://192.168.1.1/",
                                        "https://172.20.0.1/",
                                        "https://169.254.169.254/latest/meta-data/",
                                        "https://[::1]/",
                                        "https://[fe80::1]/",
                                        "https://[::ffff:10.0.0.1]/",
                                        "https://localhost/",
                                        "https://x.localhost/",
                                        "https://0.0.0.0/",
                                        "https://2130706433/",
                                        "https://0x7f.1/",
                                        "https://127.1/",
                                        "https://s3.example/\r\nX: y",
                                        "https://s3.example/#f",
                                        "",
                                        "https://"};
    tw_call_spec spec = spec_of(TW_EP_COHORT_FILE);
    size_t i;

    (void)state;
    spec.flags = TW_CALL_FOREIGN;
    for (i = 0; i < sizeof links / sizeof *links; i++) {
        print_message("%s: ", links[i]);
        spec.url = links[i];
        refuse(&spec, TW_E_PROTOCOL, "a link of the server was refused");
    }
    spec.url = NULL;
    refuse(&spec, TW_E_INVALID, "foreign call");
    spec.url = "https://s3.example/x";
    spec.body = "x";
    refuse(&spec, TW_E_INVALID, "foreign call");
}

static void an_emulator_may_link_to_loopback(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORT_FILE);
    seen sn;

    (void)state;
    spec.flags = TW_CALL_FOREIGN;
    spec.url = "http://127.0.0.1:9090/f?token=1";
    start(&sn, &spec);
    assert_int_equal(sc.requests[0].flags, TW_TRANSFER_LOCAL);
    assert_null(strstr(sc.requests[0].headers, "Authorization"));
    tw__call_cancel(sn.slot);
    spec.url = "http://s3.example/";
    refuse(&spec, TW_E_PROTOCOL, "https://");
}

/* ---- calls as jobs, memory ------------------------------------------------------------------ */

static void a_call_job_copies_what_it_is_given(void **state)
{
    char value[] = "chart1", body[] = "payload", type[] = "text/csv";
    const char *values[] = {value, NULL};
    tw_call_spec spec = spec_of(TW_EP_CHART_CSV);
    const tw_reply *rsp;
    size_t size;
    tw_job *job;

    (void)state;
    spec.path_values = values;
    spec.content_type = type;
    spec.body = body;
    spec.body_size = 7;
    assert_int_equal(tw__call_job_start(&job, gate, &spec, NULL, NULL, NULL), TW_OK);
    memset(value, '-', sizeof value - 1);
    memset(body, '-', sizeof body - 1);
    memset(type, '-', sizeof type - 1);
    tw__loop_turn(loop, 0);
    assert_string_equal(sc.requests[0].url, "https://api.example/api/3/chart/chart1/csv");
    assert_memory_equal(sc.requests[0].body, "payload", 7);
    assert_true(has_header(0, "Content-Type: text/csv"));
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_AGAIN);
    script_answer(&sc, 0, 200, "{\"data\":\"\"}");
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_OK);
    assert_int_equal(tw_reply_status(rsp), 200);
    assert_string_equal(tw_reply_body(rsp, &size), "{\"data\":\"\"}");
    assert_int_equal(size, 11);
    tw_job_unref(job);
}

static void a_cancelled_call_job_leaves_the_wire(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    const tw_reply *rsp;
    tw_error *err = NULL;
    tw_job *job;

    (void)state;
    assert_int_equal(tw__call_job_start(&job, gate, &spec, NULL, NULL, NULL), TW_OK);
    tw__loop_turn(loop, 0);
    tw_job_cancel(job);
    assert_int_equal(sc.requests[0].canceled, 0); /* another thread does that */
    tw__loop_turn(loop, 0);
    assert_int_equal(sc.requests[0].canceled, 1);
    assert_int_equal(tw_job_result(&rsp, job, &err), TW_E_CANCELED);
    tw_error_free(err);
    tw_job_unref(job);
    /* The last reference cancels as well. */
    assert_int_equal(tw__call_job_start(&job, gate, &spec, NULL, NULL, NULL), TW_OK);
    tw__loop_turn(loop, 0);
    tw_job_unref(job);
    tw__loop_turn(loop, 0);
    assert_int_equal(sc.requests[1].canceled, 1);
}

static void no_memory_is_an_outcome(void **state)
{
    tw_call_spec spec = spec_of(TW_EP_COHORTS_LIST);
    long n, held;
    int refused = 1;

    (void)state;
    spec.content_type = "application/json";
    tw__loop_turn(loop, 0);
    for (n = 0; refused; n++) {
        tw_error *err = NULL;
        seen sn;
        int rc;

        script_clear(&sc);
        sc.count = 0;
        memset(&sn, 0, sizeof sn);
        oom_begin(n);
        rc = tw__call_start(&sn.slot, gate, &spec, &sink, &sn, &err);
        if (rc == TW_OK) {
            int head = script_head(&sc, 0, 200, "application/json", NULL, NULL);
            int data = head < 0 ? head : script_data(&sc, 0, "{}");

            if (data < 0)
                script_fail(&sc, 0, data, 1, 1, "");
            else
                script_end(&sc, 0);
            rc = sn.code;
            assert_int_equal(sn.dones, 1);
        }
        tw_error_free(err);
        refused = oom_end(&held);
        assert_int_equal(rc, refused ? TW_E_NOMEM : TW_OK);
        assert_int_equal(held, 0);
    }
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(streams_pause_and_resume),
        TEST(a_broken_stream_is_not_tried_again),
        TEST(the_receiver_may_abort),
        TEST(cancel_reports_once_and_at_once),
        TEST(a_cancel_within_the_answer_knows_what_the_status_says),
        TEST(a_call_of_unknown_content_repeats_only_after_no),
        TEST(a_stream_may_be_silent_as_long_as_the_option_says),
        TEST(a_key_at_the_cut_is_redacted),
        TEST(cancel_from_within_a_callback),
        TEST(a_start_that_fails_reports_nothing),
        TEST(foreign_calls_carry_no_credential),
        TEST(links_into_the_private_network_are_refused),
        cmocka_unit_test_setup_teardown(an_emulator_may_link_to_loopback, setup_local,
                                        teardown),
        TEST(a_call_job_copies_what_it_is_given),
        TEST(a_cancelled_call_job_leaves_the_wire),
        TEST(no_memory_is_an_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
