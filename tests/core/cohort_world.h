/* SPDX-License-Identifier: MIT */
/* The world of the cohort tests: a gate over a scripted transport and one job. */
#ifndef TW_TEST_COHORT_WORLD_H
#define TW_TEST_COHORT_WORLD_H

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

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    fixture *fx = *state;

    tw_job_unref(fx->job);
    worked_turn(&fx->wg);
    worked_end(&fx->wg);
    bytes_clear(&fx->got);
    free(fx);
    return 0;
}

static inline int count(const fixture *fx)
{
    return fx->wg.sc.count;
}

static inline int last(const fixture *fx)
{
    return fx->wg.sc.count - 1;
}

static const char *url(const fixture *fx)
{
    return fx->wg.sc.requests[last(fx)].url;
}

static inline void assert_url(const fixture *fx, const char *path)
{
    char text[256];

    snprintf(text, sizeof text, "http://127.0.0.1:9%s", path);
    assert_string_equal(url(fx), text);
}

static inline void start(fixture *fx)
{
    tw_error *err = NULL;
    int rc = tw__cohort_download_start(&fx->job, fx->wg.gate, &fx->poll, "c4t8w1",
                                       &fx->options, NULL, &err);

    if (rc != TW_OK)
        fail_msg("%s", tw_error_message(err));
    worked_turn(&fx->wg);
}

static inline void answer(fixture *fx, int status, const char *body)
{
    script_answer(&fx->wg.sc, last(fx), status, body);
    worked_turn(&fx->wg);
}

/* Up to the call for the file. */
static inline void start_to_file(fixture *fx)
{
    start(fx);
    answer(fx, 202, accepted);
    worked_pass(&fx->wg, 1000);
    answer(fx, 200, completed);
    assert_url(fx, "/api/5/cohorts/request/rq9Zp2/file");
}

static inline void give_file(fixture *fx, const char *encoding, const char *data,
                             size_t size)
{
    assert_int_equal(worked_head(&fx->wg, last(fx), 200, "text/csv", encoding), TW_OK);
    assert_int_equal(worked_give(&fx->wg, last(fx), data, size), TW_OK);
    script_end(&fx->wg.sc, last(fx));
    worked_turn(&fx->wg);
}

static inline void redirect(fixture *fx, const char *location)
{
    script_head(&fx->wg.sc, last(fx), 302, "", NULL, location);
    script_end(&fx->wg.sc, last(fx));
    worked_turn(&fx->wg);
}

static inline tw_error *take_all(fixture *fx, int code)
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

static inline void assert_csv(fixture *fx)
{
    take_all(fx, TW_DONE);
    assert_int_equal(fx->got.size, strlen(csv));
    assert_memory_equal(fx->got.data, csv, strlen(csv));
}

static inline void assert_error(fixture *fx, int code, const char *why)
{
    tw_error *err = take_all(fx, code);

    if (strstr(tw_error_message(err), why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", tw_error_message(err), why);
    assert_null(strstr(tw_error_message(err), "Signature"));
    tw_error_free(err);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
