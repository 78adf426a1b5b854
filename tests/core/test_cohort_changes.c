/* SPDX-License-Identifier: MIT */
/* Cohorts: lists of ids, uploads and memberships in parts. */
#include "cohort_world.h"

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
int main(void)
{
    const struct CMUnitTest tests[] = {
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
        CASE(test_every_failing_allocation_of_an_upload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
