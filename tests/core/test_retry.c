/* SPDX-License-Identifier: MIT */
/* The retry table: every status and loss, with and without repeat-safety. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "gate/retry.h"
#include "support/fake_time.h"

#define NO TW_STORED_NO
#define MAYBE TW_STORED_MAYBE
#define YES TW_STORED_YES

/* Written down by hand: what a reader of the API's documents expects. */
static const struct {
    tw_attempt attempt;
    int code;
    tw_stored stored;
    int retriable;
    int again_safe, again_unsent;
} rows[] = {
    {{200, TW_OK, 1, 0}, TW_OK, YES, 0, 0, 0},
    {{202, TW_OK, 1, 0}, TW_OK, YES, 0, 0, 0},
    {{301, TW_OK, 1, 0}, TW_E_PROTOCOL, MAYBE, 0, 0, 0},
    {{302, TW_OK, 1, 0}, TW_E_PROTOCOL, MAYBE, 0, 0, 0},
    {{307, TW_OK, 1, 0}, TW_E_PROTOCOL, MAYBE, 0, 0, 0},
    {{308, TW_OK, 1, 0}, TW_E_PROTOCOL, MAYBE, 0, 0, 0},
    {{400, TW_OK, 1, 0}, TW_E_HTTP, NO, 0, 0, 0},
    {{401, TW_OK, 1, 0}, TW_E_AUTH, NO, 0, 0, 0},
    {{403, TW_OK, 1, 0}, TW_E_AUTH, NO, 0, 0, 0},
    {{404, TW_OK, 1, 0}, TW_E_HTTP, NO, 0, 0, 0},
    {{405, TW_OK, 1, 0}, TW_E_HTTP, NO, 0, 0, 0},
    {{408, TW_OK, 1, 0}, TW_E_SERVER, MAYBE, 1, 1, 0},
    {{409, TW_OK, 1, 0}, TW_E_HTTP, NO, 0, 0, 0},
    {{413, TW_OK, 1, 0}, TW_E_TOO_LARGE, NO, 0, 0, 0},
    {{414, TW_OK, 1, 0}, TW_E_HTTP, NO, 0, 0, 0},
    {{429, TW_OK, 1, 0}, TW_E_RATE_LIMITED, NO, 1, 1, 1},
    {{500, TW_OK, 1, 0}, TW_E_SERVER, MAYBE, 1, 1, 0},
    {{502, TW_OK, 1, 0}, TW_E_SERVER, MAYBE, 1, 1, 0},
    {{503, TW_OK, 1, 0}, TW_E_SERVER, NO, 1, 1, 1},
    {{504, TW_OK, 1, 0}, TW_E_SERVER, MAYBE, 1, 1, 0},
    {{599, TW_OK, 1, 0}, TW_E_SERVER, MAYBE, 1, 1, 0},
    {{199, TW_OK, 1, 0}, TW_E_PROTOCOL, MAYBE, 0, 0, 0},
    {{600, TW_OK, 1, 0}, TW_E_PROTOCOL, MAYBE, 0, 0, 0},
    /* no whole answer */
    {{0, TW_E_NETWORK, 0, 0}, TW_E_NETWORK, NO, 1, 1, 1},
    {{0, TW_E_NETWORK, 1, 0}, TW_E_NETWORK, MAYBE, 1, 1, 0},
    {{0, TW_E_NETWORK, 0, 1}, TW_E_NETWORK, NO, 0, 0, 0}, /* a certificate */
    {{0, TW_E_TIMEOUT, 0, 0}, TW_E_TIMEOUT, NO, 1, 1, 1},
    {{0, TW_E_TIMEOUT, 1, 0}, TW_E_TIMEOUT, MAYBE, 1, 1, 0},
    {{200, TW_E_NETWORK, 1, 0}, TW_E_NETWORK, MAYBE, 1, 1, 0}, /* cut in the body */
    {{0, TW_E_PROTOCOL, 1, 0}, TW_E_PROTOCOL, MAYBE, 0, 1, 0},
    {{200, TW_E_PROTOCOL, 1, 1},
     TW_E_PROTOCOL,
     MAYBE,
     0,
     0,
     0}, /* the receiver's refusal */
    {{0, TW_E_NOMEM, 0, 0}, TW_E_NOMEM, NO, 0, 0, 0},
    {{0, TW_E_CONFIG, 0, 1}, TW_E_CONFIG, NO, 0, 0, 0},
};

static void table_says_what_a_reader_expects(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        tw_verdict safe = tw__retry_judge(&rows[i].attempt, TW_REPEAT_SAFE);
        tw_verdict unsent = tw__retry_judge(&rows[i].attempt, TW_REPEAT_UNSENT);

        print_message("row %zu: status %d code %d\n", i, rows[i].attempt.status,
                      rows[i].attempt.code);
        assert_int_equal(safe.code, rows[i].code);
        assert_int_equal(safe.stored, rows[i].stored);
        assert_int_equal(safe.retriable, rows[i].retriable);
        assert_int_equal(safe.again, rows[i].again_safe);
        assert_int_equal(unsent.again, rows[i].again_unsent);
        assert_int_equal(unsent.stored, rows[i].stored);
    }
}

/* What was possibly stored is never sent again on an endpoint that does not allow it. */
static void every_status_keeps_the_promise(void **state)
{
    int status;

    (void)state;
    for (status = 0; status < 1000; status++) {
        tw_attempt attempt = {status, TW_OK, 1, 0};
        tw_verdict verdict = tw__retry_judge(&attempt, TW_REPEAT_UNSENT);

        assert_false(verdict.again && verdict.stored != TW_STORED_NO);
        assert_int_equal(verdict.code == TW_OK, status >= 200 && status <= 299);
    }
}

/* An answer speaks of the last sending only; what the one before it did is not known. */
static void an_answer_to_a_repetition_is_not_the_whole_story(void **state)
{
    tw_attempt once = {503, TW_OK, 1, 0};
    tw_attempt twice = {503, TW_OK, 2, 0};
    tw_attempt good = {200, TW_OK, 2, 0};

    (void)state;
    assert_int_equal(tw__retry_judge(&once, TW_REPEAT_SAFE).stored, TW_STORED_NO);
    assert_int_equal(tw__retry_judge(&twice, TW_REPEAT_SAFE).stored, TW_STORED_MAYBE);
    assert_int_equal(tw__retry_judge(&good, TW_REPEAT_SAFE).stored, TW_STORED_YES);
}

/* What is documented of 503 is documented of Amplitude's HTTP APIs. */
static void a_503_says_nothing_of_a_remote_procedure(void **state)
{
    tw_attempt refused = {503, TW_OK, 1, 0};
    tw_attempt limited = {429, TW_OK, 1, 0};
    tw_verdict verdict = tw__retry_judge(&refused, TW_REPEAT_RPC);

    (void)state;
    assert_int_equal(verdict.stored, TW_STORED_MAYBE);
    assert_int_equal(verdict.again, 0);
    assert_int_equal(verdict.retriable, 1);
    assert_int_equal(tw__retry_judge(&limited, TW_REPEAT_RPC).again, 1);
}

static void delay_is_full_jitter(void **state)
{
    static const int64_t most[] = {500, 1000, 2000, 4000, 8000, 8000};
    int attempt;

    (void)state;
    fake_time_begin();
    for (attempt = 2; attempt < 8; attempt++) {
        int64_t bound = most[attempt - 2];
        int64_t i;
        int low = 0, high = 0;

        fake_random_byte(0);
        assert_int_equal(tw__retry_delay(attempt, -1), 0);
        tw__random_set(NULL, NULL);
        for (i = 0; i < 400; i++) {
            int64_t wait = tw__retry_delay(attempt, -1);

            assert_true(wait >= 0 && wait <= bound);
            low += wait < bound / 4;
            high += wait > bound - bound / 4;
            wait = tw__retry_delay(attempt, 7000);
            assert_true(wait >= 7000 && wait <= 7000 + bound);
        }
        /* A quarter each is expected: 100 of 400; 40 is 7 sigma away. */
        assert_true(low > 40 && high > 40);
        fake_time_begin();
    }
    fake_time_end();
}

static void retry_after_is_read_and_clamped(void **state)
{
    static const struct {
        const char *field;
        int64_t ms;
    } fields[] = {
        {"", -1},
        {"0", 0},
        {"7", 7000},
        {"60", 60000},
        {"61", 60000},
        {"99999999999999999999999999", 60000},
        {"-5", -1},
        {"5s", -1},
        {"1.5", -1},
        {"soon", -1},
        {"Mon, 23 Nov 2026 00:00:30 GMT", 30000},
        {"Mon, 23 Nov 2026 00:10:00 GMT", 60000},
        {"Sun, 22 Nov 2026 23:59:00 GMT", 0},
        {"Mon, 23 Foo 2026 00:00:30 GMT", -1},
        {"Mon, 23 Nov 2026 00:00:30 CET", -1},
        {"Mon, 99 Nov 2026 00:00:30 GMT", -1},
        {"Mon, 23 Nov 2026 25:00:30 GMT", -1},
    };
    size_t i;

    (void)state;
    fake_time_begin();
    for (i = 0; i < sizeof fields / sizeof *fields; i++) {
        print_message("Retry-After: %s\n", fields[i].field);
        assert_int_equal(tw__retry_after(fields[i].field, 60000), fields[i].ms);
    }
    fake_time_end();
}

static void quota_ends_retries_in_an_outage(void **state)
{
    tw_retry_quota quota;
    int retries = 0;
    int i;

    (void)state;
    tw__retry_quota_init(&quota);
    while (tw__retry_quota_take(&quota))
        retries++;
    assert_int_equal(retries, 100);
    for (i = 0; i < 4; i++)
        tw__retry_quota_success(&quota);
    assert_int_equal(tw__retry_quota_take(&quota), 0);
    tw__retry_quota_success(&quota);
    assert_int_equal(tw__retry_quota_take(&quota), 1);
    for (i = 0; i < 10000; i++)
        tw__retry_quota_success(&quota);
    for (retries = 0; tw__retry_quota_take(&quota); retries++)
        continue;
    assert_int_equal(retries, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_says_what_a_reader_expects),
        cmocka_unit_test(every_status_keeps_the_promise),
        cmocka_unit_test(an_answer_to_a_repetition_is_not_the_whole_story),
        cmocka_unit_test(a_503_says_nothing_of_a_remote_procedure),
        cmocka_unit_test(delay_is_full_jitter),
        cmocka_unit_test(retry_after_is_read_and_clamped),
        cmocka_unit_test(quota_ends_retries_in_an_outage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
