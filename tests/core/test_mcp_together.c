/* SPDX-License-Identifier: MIT */
/* Calls of the MCP server that begin together: one finds out how it speaks, the others wait. */
#include "mcp_world.h"

enum { JOBS = 4 };

static tw_job *start(fixture *fx, const char *arguments)
{
    tw_job *job = NULL;

    assert_int_equal(tw__operation_start(&job, fx->wg.gate, tw__operation(TW_EP_MCP_CALL),
                                         arguments, strlen(arguments), NULL, NULL),
                     TW_OK);
    worked_turn(&fx->wg);
    return job;
}

static void start_all(fixture *fx, tw_job **jobs)
{
    int i;

    for (i = 0; i < JOBS; i++) {
        char arguments[64];

        snprintf(arguments, sizeof arguments, "{\"name\":\"t%d\"}", i);
        jobs[i] = start(fx, arguments);
    }
}

static int says(const fixture *fx, int index, const char *text)
{
    const script_request *rq = &fx->wg.sc.requests[index];

    return memmem(rq->body, rq->body_size, text, strlen(text)) != NULL;
}

static int carries(const fixture *fx, int index, const char *header)
{
    return strstr(fx->wg.sc.requests[index].headers, header) != NULL;
}

static void expect_code(tw_job **job, int code)
{
    const tw_reply *rsp;
    tw_error *err = NULL;

    assert_int_equal(tw_job_result(&rsp, *job, &err), code);
    if (code != TW_OK)
        assert_int_equal(tw_error_stored(err), TW_STORED_NO);
    tw_error_free(err);
    tw_job_unref(*job);
    *job = NULL;
}

/* All of them, in the order in which they were made, from request `first` on. */
static void answer_calls(fixture *fx, tw_job **jobs, int first, int count)
{
    int i;

    assert_int_equal(fx->wg.sc.count, first + count);
    for (i = 0; i < count; i++) {
        char name[32];

        snprintf(name, sizeof name, "\"name\":\"t%d\"", i + JOBS - count);
        assert_true(says(fx, first + i, name));
        answer_to(fx, first + i, 200, NULL, COMPLETE "\"content\":[]}}");
        expect_code(&jobs[i + JOBS - count], TW_OK);
    }
}

static void one_probe_is_for_all(void **state)
{
    fixture *fx = *state;
    tw_job *jobs[JOBS];

    start_all(fx, jobs);
    assert_int_equal(fx->wg.sc.count, 1);
    answer_to(fx, 0, 200, NULL, COMPLETE "\"supportedVersions\":[\"2026-07-28\"]}}");
    answer_calls(fx, jobs, 1, JOBS);
}

/* Nobody uses a session before the server was told that the client is ready. */
static void one_session_is_for_all_once_it_is_ready(void **state)
{
    fixture *fx = *state;
    tw_job *jobs[JOBS];
    int i;

    start_all(fx, jobs);
    answer_to(fx, 0, 400, NULL, "");
    answer_to(fx, 1, 200, "s-1", AGREED);
    jobs[0] = (tw_job_unref(jobs[0]), jobs[1]); /* the one that asked is given up */
    jobs[1] = start(fx, "{\"name\":\"t0\"}");
    worked_turn(&fx->wg);
    assert_true(says(fx, 3, "server/discover")); /* and another one asks */
    answer_to(fx, 3, 400, NULL, "");
    answer_to(fx, 4, 200, "s-2", AGREED);
    assert_int_equal(fx->wg.sc.count, 6);
    assert_true(says(fx, 5, "notifications/initialized"));
    assert_true(carries(fx, 5, "Mcp-Session-Id: s-2"));
    answer_to(fx, 5, 202, NULL, "");
    assert_int_equal(fx->wg.sc.count, 6 + JOBS);
    for (i = 6; i < 6 + JOBS; i++) {
        assert_true(says(fx, i, "tools/call"));
        assert_true(carries(fx, i, "Mcp-Session-Id: s-2"));
        answer_to(fx, i, 200, NULL, COMPLETE "\"content\":[]}}");
    }
    for (i = 0; i < JOBS; i++)
        expect_code(&jobs[i], TW_OK);
}

static void a_session_that_was_not_taken_up_is_not_used(void **state)
{
    fixture *fx = *state;
    tw_job *job = start(fx, "{\"name\":\"t\"}");

    answer_to(fx, 0, 400, NULL, "");
    answer_to(fx, 1, 200, "s-1", AGREED);
    answer_to(fx, 2, 404, NULL, "");
    expect_code(&job, TW_E_HTTP);
    job = start(fx, "{\"name\":\"t\"}");
    assert_int_equal(fx->wg.sc.count, 4);
    assert_true(says(fx, 3, "server/discover"));
    tw_job_cancel(job);
    worked_turn(&fx->wg);
    expect_code(&job, TW_E_CANCELED);
}

/* The others do not fail with it, and do not wait for one another again. */
static void who_waited_in_vain_asks_at_once(void **state)
{
    fixture *fx = *state;
    tw_job *jobs[JOBS];
    int i;

    start_all(fx, jobs);
    answer_to(fx, 0, 401, NULL, "");
    expect_code(&jobs[0], TW_E_AUTH);
    assert_int_equal(fx->wg.sc.count, JOBS);
    for (i = 1; i < JOBS; i++)
        assert_true(says(fx, i, "server/discover"));
    for (i = JOBS - 1; i > 0; i--) {
        answer_to(fx, i, 200, NULL, COMPLETE "\"supportedVersions\":[\"2026-07-28\"]}}");
        assert_int_equal(fx->wg.sc.count, 2 * JOBS - i);
    }
    for (i = JOBS; i < 2 * JOBS - 1; i++)
        answer_to(fx, i, 200, NULL, COMPLETE "\"content\":[]}}");
    for (i = 1; i < JOBS; i++)
        expect_code(&jobs[i], TW_OK);
}

/* Of those that ask at once the first to know is enough, whoever else is still asking. */
static void who_waits_goes_with_whoever_finds_out(void **state)
{
    fixture *fx = *state;
    tw_job *jobs[JOBS];
    tw_job *late;
    int i;

    start_all(fx, jobs);
    answer_to(fx, 0, 401, NULL, "");
    expect_code(&jobs[0], TW_E_AUTH);
    assert_int_equal(fx->wg.sc.count, JOBS);
    late = start(fx, "{\"name\":\"late\"}");
    assert_int_equal(fx->wg.sc.count, JOBS);
    answer_to(fx, 2, 200, NULL, COMPLETE "\"supportedVersions\":[\"2026-07-28\"]}}");
    assert_int_equal(fx->wg.sc.count, JOBS + 2);
    assert_true(says(fx, JOBS, "\"name\":\"t2\""));
    assert_true(says(fx, JOBS + 1, "\"name\":\"late\""));
    answer_to(fx, JOBS, 200, NULL, COMPLETE "\"content\":[]}}");
    answer_to(fx, JOBS + 1, 200, NULL, COMPLETE "\"content\":[]}}");
    expect_code(&jobs[2], TW_OK);
    expect_code(&late, TW_OK);
    for (i = 1; i < JOBS; i += 2) {
        tw_job_cancel(jobs[i]);
        worked_turn(&fx->wg);
        expect_code(&jobs[i], TW_E_CANCELED);
    }
}

/* It has a deadline, can be cancelled from any place, and does not keep the others. */
static void who_waits_can_be_stopped(void **state)
{
    fixture *fx = *state;
    tw_job *jobs[JOBS];
    tw_job *late;

    start_all(fx, jobs);
    late = start(fx, "{\"name\":\"t\",\"timeout\":5}");
    tw_job_cancel(jobs[2]);
    worked_turn(&fx->wg);
    expect_code(&jobs[2], TW_E_CANCELED);
    worked_pass(&fx->wg, 5000);
    expect_code(&late, TW_E_TIMEOUT);
    tw_job_cancel(jobs[1]);
    worked_turn(&fx->wg);
    expect_code(&jobs[1], TW_E_CANCELED);
    late = start(fx, "{\"name\":\"t4\"}");
    assert_int_equal(fx->wg.sc.count, 1);
    answer_to(fx, 0, 200, NULL, COMPLETE "\"supportedVersions\":[\"2026-07-28\"]}}");
    jobs[1] = jobs[0];
    jobs[2] = jobs[3];
    jobs[3] = late;
    assert_int_equal(fx->wg.sc.count, 4);
    assert_true(says(fx, 3, "\"name\":\"t4\""));
    answer_to(fx, 1, 200, NULL, COMPLETE "\"content\":[]}}");
    answer_to(fx, 2, 200, NULL, COMPLETE "\"content\":[]}}");
    answer_to(fx, 3, 200, NULL, COMPLETE "\"content\":[]}}");
    expect_code(&jobs[1], TW_OK);
    expect_code(&jobs[2], TW_OK);
    expect_code(&jobs[3], TW_OK);
}

static void a_lost_session_is_made_anew_once(void **state)
{
    fixture *fx = *state;
    tw_job *jobs[JOBS];
    int i;

    start_all(fx, jobs);
    answer_to(fx, 0, 400, NULL, "");
    answer_to(fx, 1, 200, "s-1", AGREED);
    answer_to(fx, 2, 202, NULL, "");
    for (i = 3; i < 3 + JOBS; i++)
        answer_to(fx, i, 404, NULL, "");
    assert_int_equal(fx->wg.sc.count, 3 + JOBS + 1);
    answer_to(fx, 3 + JOBS, 200, "s-2", AGREED);
    answer_to(fx, 4 + JOBS, 202, NULL, "");
    answer_calls(fx, jobs, 5 + JOBS, JOBS);
}

static void closing_ends_all_of_them(void **state)
{
    fixture *fx = *state;
    tw_job *jobs[JOBS];
    int i;

    start_all(fx, jobs);
    tw__loop_close(fx->wg.loop);
    assert_int_equal(fx->wg.sc.count, 1);
    for (i = 0; i < JOBS; i++)
        expect_code(&jobs[i], TW_E_CLOSED);
}

/* Each ends, whatever fails and whoever is woken by that. */
static void every_failing_allocation(void **state)
{
    fixture *fx = *state;
    int done = 0;
    long n;

    for (n = 0; !done && n < 400; n++) {
        tw_job *jobs[JOBS];
        long held;
        int i;

        worked_end(&fx->wg);
        worked_begin(&fx->wg);
        start_all(fx, jobs);
        oom_begin(n);
        for (i = 0; i < fx->wg.sc.count && i < 30; i++) {
            if (!fx->wg.sc.requests[i].live)
                continue;
            if (says(fx, i, "initialized"))
                answer_to(fx, i, 202, NULL, "");
            else if (says(fx, i, "initialize"))
                answer_to(fx, i, 200, "s-1", AGREED);
            else
                answer_to(fx, i, says(fx, i, "discover") ? 400 : 200, NULL,
                          says(fx, i, "discover") ? "" : COMPLETE "\"content\":[]}}");
        }
        for (i = 0; i < JOBS; i++) {
            const tw_reply *rsp;
            int rc = tw_job_result(&rsp, jobs[i], NULL);

            if (rc != TW_OK && rc != TW_E_NOMEM)
                fail_msg("allocation %ld: call %d ended with %d", n, i, rc);
            tw_job_unref(jobs[i]);
        }
        worked_turn(&fx->wg);
        done = !oom_end(&held);
    }
    assert_true(done);
    assert_true(n > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNKNOWN(one_probe_is_for_all),
        UNKNOWN(one_session_is_for_all_once_it_is_ready),
        UNKNOWN(a_session_that_was_not_taken_up_is_not_used),
        UNKNOWN(who_waited_in_vain_asks_at_once),
        UNKNOWN(who_waits_goes_with_whoever_finds_out),
        UNKNOWN(who_waits_can_be_stopped),
        UNKNOWN(a_lost_session_is_made_anew_once),
        UNKNOWN(closing_ends_all_of_them),
        UNKNOWN(every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
