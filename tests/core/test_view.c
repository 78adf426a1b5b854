/* SPDX-License-Identifier: MIT */
/* Slices of a JSON text: lookups, strings with escapes, numbers as they are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <tidewheel/error.h>

#include "json/view.h"

static tw_view open_text(const char *text)
{
    tw_view view;

    assert_int_equal(tw__view_open(&view, text, strlen(text), 64, 1 << 20, NULL), TW_OK);
    return view;
}

static void assert_slice(tw_view view, const char *text)
{
    assert_non_null(view.text);
    assert_int_equal(view.size, strlen(text));
    assert_memory_equal(view.text, text, view.size);
}

static void members_are_slices_of_the_text(void **unused)
{
    tw_view doc = open_text(
        " {\"a\" : 1 , \"b\":[ {\"x]\":\"}\\\"\"} ,2],\"n\":null, \"s\":\"\" } ");
    tw_view list = tw__view_member(doc, "b");
    tw_view_walk walk = tw__view_walk(list);
    tw_view key, value;

    (void)unused;
    assert_slice(tw__view_member(doc, "a"), "1");
    assert_slice(list, "[ {\"x]\":\"}\\\"\"} ,2]");
    assert_int_equal(tw__view_count(list), 2);
    assert_true(tw__view_next(&walk, &key, &value));
    assert_slice(value, "{\"x]\":\"}\\\"\"}");
    assert_null(key.text);
    assert_true(tw__view_next(&walk, NULL, &value));
    assert_slice(value, "2");
    assert_false(tw__view_next(&walk, NULL, &value));
    assert_false(tw__view_given(tw__view_member(doc, "n")));
    assert_false(tw__view_given(tw__view_member(doc, "absent")));
    assert_true(tw__view_given(tw__view_member(doc, "s")));
    assert_int_equal(tw__view_kind(tw__view_member(doc, "absent")), TW_JSON_NULL);
    assert_int_equal(tw__view_count(tw__view_member(doc, "a")), 0);
}

static void a_name_twice_is_told(void **unused)
{
    static const char *const names[] = {"a", "b", NULL};
    tw_view m[2];

    (void)unused;
    assert_int_equal(
        tw__view_pick(open_text("{\"b\":1,\"a\":2,\"c\":3,\"c\":4}"), names, m), -1);
    assert_slice(m[0], "2");
    assert_slice(m[1], "1");
    /* Written in another way it is the same name. */
    assert_int_equal(tw__view_pick(open_text("{\"b\":1,\"\\u0062\":2}"), names, m), 1);
    assert_null(tw__view_member(open_text("{\"a\":1,\"a\":1}"), "a").text);
    assert_int_equal(tw__view_pick(open_text("[\"a\",\"a\"]"), names, m), -1);
    assert_null(m[0].text);
}

static void strings_are_compared_as_what_they_say(void **unused)
{
    tw_view text =
        open_text("\"\\u00e9\\ud83d\\ude00\\n\\/\\\"\\\\\\b\\f\\r\\t\\u20ac|\"");
    tw_buf out;

    (void)unused;
    tw__buf_init(&out, 100);
    assert_int_equal(tw__view_text(&out, text), TW_OK);
    assert_int_equal(tw__buf_putc(&out, '\0'), TW_OK);
    assert_string_equal(out.data, "é😀\n/\"\\\b\f\r\t€|");
    assert_true(tw__view_is(text, "é😀\n/\"\\\b\f\r\t€|"));
    assert_false(tw__view_is(text, "é😀\n/\"\\\b\f\r\t€"));
    assert_false(tw__view_is(text, "é😀\n/\"\\\b\f\r\t€||"));
    assert_false(tw__view_is(open_text("7"), "7"));
    assert_true(tw__view_is(open_text("\"\""), ""));
    assert_false(tw__view_is(open_text("\"\\\\\""), "\\\\"));
    tw__buf_clear(&out);
}

static void numbers_stay_exact(void **unused)
{
    static const struct {
        const char *text;
        int whole, negative, zero;
        int64_t value;
    } cases[] = {
        {"0", 1, 0, 1, 0},
        {"-0", 1, 0, 1, 0},
        {"-1", 1, 1, 0, -1},
        {"9223372036854775807", 1, 0, 0, INT64_MAX},
        {"-9223372036854775808", 1, 1, 0, INT64_MIN},
        {"9223372036854775808", 0, 0, 0, 0},
        {"-9223372036854775809", 0, 1, 0, 0},
        {"1.0", 0, 0, 0, 0},
        {"0.0e7", 0, 0, 1, 0},
        {"-0.001", 0, 1, 0, 0},
        {"1e2", 0, 0, 0, 0},
        {"\"1\"", 0, 0, 0, 0},
        {"null", 0, 0, 0, 0},
    };
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        tw_view view = open_text(cases[i].text);
        int64_t value = 0;

        assert_int_equal(tw__view_int(view, &value), cases[i].whole);
        assert_true(value == cases[i].value);
        assert_int_equal(tw__view_negative(view), cases[i].negative);
        assert_int_equal(tw__view_zero(view), cases[i].zero);
    }
}

static void what_is_not_json_is_refused(void **unused)
{
    static const char *const bad[] = {"",    "{",     "{} {}", "[1,]", "\"\\ud800\"",
                                      "nul", "[[[[[["};
    tw_view view;
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        tw_error *err = NULL;

        assert_int_equal(tw__view_open(&view, bad[i], strlen(bad[i]), 4, 100, &err),
                         TW_E_PROTOCOL);
        assert_null(view.text);
        assert_int_equal(tw_error_code(err), TW_E_PROTOCOL);
        tw_error_free(err);
    }
    assert_int_equal(tw__view_open(&view, "[[[[1]]]]", 9, 4, 100, NULL), TW_OK);
    assert_int_equal(tw__view_open(&view, "[[[[[]]]]]", 10, 4, 100, NULL), TW_E_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_slices_of_the_text),
        cmocka_unit_test(a_name_twice_is_told),
        cmocka_unit_test(strings_are_compared_as_what_they_say),
        cmocka_unit_test(numbers_stay_exact),
        cmocka_unit_test(what_is_not_json_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
