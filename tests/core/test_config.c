/* SPDX-License-Identifier: MIT */
/* Options: names, types, ranges, rules; nothing bad gets past the setter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <tidewheel/client.h>
#include <tidewheel/error.h>

#include "client/config.h"
#include "support/oom.h"

static tw_config *cfg;

static int setup(void **state)
{
    (void)state;
    return tw_config_new(&cfg, NULL);
}

static int teardown(void **state)
{
    (void)state;
    tw_config_free(cfg);
    return 0;
}

static void assert_refused(int rc, tw_error *err, const char *field, const char *text)
{
    print_message("%s\n", tw_error_message(err));
    assert_int_equal(rc, TW_E_CONFIG);
    assert_int_equal(tw_error_code(err), TW_E_CONFIG);
    assert_string_equal(tw_error_field(err), field);
    assert_non_null(strstr(tw_error_message(err), text));
    tw_error_free(err);
}

static void refuse_text(const char *name, const char *value, size_t size,
                        const char *text)
{
    tw_error *err = NULL;
    int rc = tw_config_set_string(cfg, name, value, size, &err);

    assert_refused(rc, err, name, text);
}

static void refuse_real(const char *name, double value, const char *text)
{
    tw_error *err = NULL;
    int rc = tw_config_set_real(cfg, name, value, &err);

    assert_refused(rc, err, name, text);
}

static void every_row_is_whole(void **state)
{
    const char *name, *standard, *doc;
    tw_option_type type;
    size_t i;

    (void)state;
    for (i = 0; tw_config_row(i, &name, &type, &standard, &doc) == TW_OK; i++) {
        const tw_option *row = tw__option(i);

        print_message("%s\n", name);
        assert_true(strlen(name) > 0 && strlen(doc) > 10);
        if (type == TW_OPTION_INT || type == TW_OPTION_SECONDS) {
            double value = strtod(standard, NULL);

            assert_true(row->min < row->max);
            assert_true(value >= row->min && value <= row->max);
            assert_true(tw__config_number(cfg, (tw_option_id)i) == value);
            /* Both ends are inside, the next values are not. */
            assert_int_equal(tw_config_set_real(cfg, name, row->min, NULL), TW_OK);
            assert_true(tw__config_number(cfg, (tw_option_id)i) == row->min);
            assert_int_equal(tw_config_set_real(cfg, name, row->max, NULL), TW_OK);
            assert_int_equal(
                tw_config_set_real(cfg, name, nextafter(row->max, INFINITY), NULL),
                TW_E_CONFIG);
            assert_int_equal(tw_config_set_real(cfg, name, row->min - 1, NULL),
                             TW_E_CONFIG);
        } else {
            assert_string_equal(tw__config_text(cfg, (tw_option_id)i), standard);
            assert_int_equal(tw_config_set_int(cfg, name, 1, NULL), TW_E_CONFIG);
        }
    }
    assert_int_equal(i, TW_OPT_COUNT);
    assert_int_equal(tw_config_row(0, NULL, NULL, NULL, NULL), TW_OK);
}

static void unknown_name_suggests_the_nearest(void **state)
{
    (void)state;
    refuse_text("api_kye", "x", 1, "did you mean \"api_key\"");
    refuse_text("secretkey", "x", 1, "did you mean \"secret_key\"");
    refuse_text("time_out", "x", 1, "did you mean \"timeout\"");
    refuse_text("flush_intervall", "x", 1, "did you mean \"flush_interval\"");
    refuse_text("verify_tls", "x", 1, "is unknown");
    assert_int_equal(tw_config_set_string(cfg, "", "x", 1, NULL), TW_E_CONFIG);
}

static void wrong_type_is_refused(void **state)
{
    tw_error *err = NULL;
    int rc;

    (void)state;
    refuse_text("timeout", "30", 2, "must be a number of seconds, not a text");
    refuse_text("batch_events", "30", 2, "must be an integer, not a text");
    refuse_real("api_key", 3, "must be a text, not a number");
    refuse_real("batch_events", 2.5, "not a fraction");
    refuse_real("region", 1, "must be a text");
    rc = tw_config_set_bool(cfg, "timeout", 1, &err);
    assert_refused(rc, err, "timeout", "not a boolean");
}

static void numbers_take_either_form(void **state)
{
    (void)state;
    assert_int_equal(tw_config_set_int(cfg, "timeout", 7, NULL), TW_OK);
    assert_int_equal(tw__config_ms(cfg, TW_OPT_TIMEOUT), 7000);
    assert_int_equal(tw_config_set_real(cfg, "timeout", 0.25, NULL), TW_OK);
    assert_int_equal(tw__config_ms(cfg, TW_OPT_TIMEOUT), 250);
    assert_int_equal(tw_config_set_real(cfg, "batch_events", 500.0, NULL), TW_OK);
    assert_true(tw__config_number(cfg, TW_OPT_BATCH_EVENTS) == 500);
    refuse_real("timeout", NAN, "between 0.001 and 3600");
    refuse_real("timeout", INFINITY, "between 0.001 and 3600");
    refuse_real("timeout", 0, "between 0.001 and 3600");
    refuse_real("batch_events", 2001, "between 1 and 2000");
    assert_int_equal(tw_config_set_int(cfg, "batch_events", INT64_MAX, NULL),
                     TW_E_CONFIG);
    assert_int_equal(tw_config_set_int(cfg, "batch_events", INT64_MIN, NULL),
                     TW_E_CONFIG);
}

static void keys_are_one_printable_word(void **state)
{
    char longest[513];
    int c;

    (void)state;
    for (c = 0; c < 256; c++) {
        char key[3] = {'a', (char)c, 'b'};
        int good = c > 0x20 && c < 0x7F;

        assert_int_equal(tw_config_set_string(cfg, "secret_key", key, 3, NULL),
                         good ? TW_OK : TW_E_CONFIG);
        assert_int_equal(tw_config_set_string(cfg, "api_key", key, 3, NULL),
                         good && c != ':' ? TW_OK : TW_E_CONFIG);
    }
    refuse_text("api_key", "", 0, "empty");
    memset(longest, 'k', sizeof longest);
    assert_int_equal(tw_config_set_string(cfg, "api_key", longest, 512, NULL), TW_OK);
    refuse_text("api_key", longest, 513, "512");
}

/* What a refused value was must not come back in the error. */
static void refused_secret_is_not_quoted(void **state)
{
    tw_error *err = NULL;

    (void)state;
    assert_int_equal(tw_config_set_string(cfg, "secret_key", "top\nsecret", 10, &err),
                     TW_E_CONFIG);
    assert_null(strstr(tw_error_message(err), "top"));
    tw_error_free(err);
}

static void texts_follow_their_rules(void **state)
{
    (void)state;
    refuse_text("region", "mars", 4, "us|eu");
    refuse_text("region", "u", 1, "us|eu");
    refuse_text("region", "us|eu", 5, "us|eu");
    refuse_text("region", "US", 2, "us|eu");
    refuse_text("on_queue_full", "", 0, "refuse|block|drop_oldest");
    refuse_text("base_url", "http://amplitude.com", 20, "loopback");
    refuse_text("dash_url", "https://a/?x", 12, "query");
    refuse_text("user_agent", "a\r\nX-Evil: 1", 12, "control");
    refuse_text("user_agent", "", 0, "empty");
    refuse_text("user_agent", "a\0b", 3, "control");
    refuse_text("ca_file", "/a\nb", 4, "control");
    refuse_text("ca_pem", "a\0b", 3, "control");
    refuse_text("proxy", "proxy:3128", 10, "begin with");
    refuse_text("proxy", "file:///x", 9, "begin with");
    refuse_text("proxy", "http://a b", 10, "spaces");
    assert_int_equal(tw_config_set_string(cfg, "proxy", "", 0, NULL), TW_OK);
    assert_int_equal(tw__config_is_set(cfg, TW_OPT_PROXY), 1);
    assert_int_equal(tw_config_set_string(cfg, "proxy", "socks5h://u:p@h:1080", 20, NULL),
                     TW_OK);
    assert_int_equal(
        tw_config_set_string(cfg, "base_url", "HTTP://LOCALHOST:80/", 20, NULL), TW_OK);
    assert_string_equal(tw__config_text(cfg, TW_OPT_BASE_URL), "http://localhost");
    assert_int_equal(tw_config_set_string(cfg, "region", "eu", 2, NULL), TW_OK);
    assert_string_equal(tw__config_text(cfg, TW_OPT_REGION), "eu");
}

static void a_refused_value_leaves_the_old_one(void **state)
{
    (void)state;
    assert_int_equal(tw_config_set_string(cfg, "api_key", "goodkey", 7, NULL), TW_OK);
    assert_int_equal(tw_config_set_string(cfg, "api_key", "bad key", 7, NULL),
                     TW_E_CONFIG);
    assert_string_equal(tw__config_text(cfg, TW_OPT_API_KEY), "goodkey");
}

static void no_memory_is_an_error(void **state)
{
    long n, held;
    int refused = 1;

    (void)state;
    for (n = 0; refused; n++) {
        tw_config *own = NULL;
        tw_error *err = NULL;
        int rc;

        oom_begin(n);
        rc = tw_config_new(&own, &err);
        if (rc == TW_OK)
            rc = tw_config_set_string(own, "base_url", "http://[::1]:8080/x", 19, &err);
        if (rc == TW_OK)
            rc = tw_config_set_string(own, "api_key", "k1234567", 8, &err);
        tw_config_free(own);
        tw_error_free(err);
        refused = oom_end(&held);
        assert_int_equal(rc, refused ? TW_E_NOMEM : TW_OK);
        assert_int_equal(held, 0);
    }
    assert_true(n > 3);
}

/* ---- what no single option can say ------------------------------------------------------ */

static void client_refuses(const char *field, const char *text)
{
    tw_client *cl = NULL;
    tw_error *err = NULL;
    int rc = tw_client_new(&cl, cfg, &err);

    assert_null(cl);
    assert_refused(rc, err, field, text);
}

static void combinations_are_checked(void **state)
{
    (void)state;
    client_refuses("api_key", "missing");
    tw_config_set_string(cfg, "api_key", "emu12345", 8, NULL);
    tw_config_set_string(cfg, "base_url", "http://127.0.0.1:9", 18, NULL);
    tw_config_set_string(cfg, "ingest_endpoint", "httpapi", 7, NULL);
    tw_config_set_int(cfg, "batch_events", 2000, NULL);
    client_refuses("batch_events", "2,000");
    tw_config_set_int(cfg, "batch_events", 1999, NULL);
    tw_config_set_int(cfg, "batch_bytes", 1000001, NULL);
    client_refuses("batch_bytes", "1,000,000");
    tw_config_set_string(cfg, "ingest_endpoint", "batch", 5, NULL);
    tw_config_set_int(cfg, "backoff_first", 61, NULL);
    client_refuses("backoff_first", "backoff_max");
    tw_config_set_int(cfg, "backoff_first", 60, NULL);
    tw_config_set_real(cfg, "poll_max", 0.5, NULL);
    client_refuses("poll_first", "poll_max");
    tw_config_set_real(cfg, "poll_first", 0.5, NULL);
    tw_config_set_string(cfg, "dash_url", "https://gw.example", 18, NULL);
    tw_config_set_string(cfg, "ca_file", "/nonexistent/ca.pem", 19, NULL);
    client_refuses("ca_file", "not there");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_row_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_name_suggests_the_nearest, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(wrong_type_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_take_either_form, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_are_one_printable_word, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_secret_is_not_quoted, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_follow_their_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_value_leaves_the_old_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_memory_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(combinations_are_checked, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
