/* SPDX-License-Identifier: MIT */
/* Blocks of whole lines, whatever way the bytes come; and windows of hours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tidewheel/error.h>

#include "base/alloc.h"
#include "export/lines.h"
#include "export/window.h"
#include "support/zipmaker.h"

typedef struct seen {
    bytes text;
    size_t blocks;
    size_t largest;
    int fail_at; /* number of the block to fail at, 0 = none */
} seen;

static int seen_emit(void *ctx, char *data, size_t size)
{
    seen *s = ctx;

    s->blocks++;
    assert_true(size > 0);
    if (s->largest < size)
        s->largest = size;
    /* Only the very last block may lack its line end. */
    if (s->text.size != 0)
        assert_int_equal(s->text.data[s->text.size - 1], '\n');
    bytes_put(&s->text, data, size);
    tw__free(data);
    return s->fail_at != 0 && (size_t)s->fail_at == s->blocks ? TW_E_NOMEM : TW_OK;
}

/* `step` bytes at a time; a '|' in the text stands for the end of a file. */
static int run(seen *s, const char *text, size_t size, size_t step, size_t target,
               size_t max_line)
{
    tw_lines lines;
    size_t at = 0;
    int rc = TW_OK;

    tw__lines_init(&lines, target, max_line, seen_emit, s);
    while (rc == TW_OK && at < size) {
        const char *stop = memchr(text + at, '|', size - at);
        size_t n = stop != NULL ? (size_t)(stop - text) - at : size - at;
        size_t room;
        char *out;

        n = n < step ? n : step;
        if (n == 0) {
            rc = tw__lines_break(&lines);
            at++;
            continue;
        }
        rc = tw__lines_room(&lines, &out, &room);
        if (rc != TW_OK)
            break;
        assert_true(room > 0);
        n = n < room ? n : room;
        memcpy(out, text + at, n);
        tw__lines_commit(&lines, n);
        at += n;
    }
    if (rc == TW_OK)
        rc = tw__lines_finish(&lines);
    tw__lines_clear(&lines);
    return rc;
}

static void check(const char *text, const char *expected, size_t max_line, int code)
{
    size_t size = strlen(text);
    size_t target;
    size_t step;

    for (target = 1; target < size + 3; target++) {
        for (step = 1; step <= size + 1; step++) {
            seen s = {0};

            assert_int_equal(run(&s, text, size, step, target, max_line), code);
            if (code == TW_OK) {
                assert_int_equal(s.text.size, strlen(expected));
                if (s.text.size != 0)
                    assert_memory_equal(s.text.data, expected, s.text.size);
            }
            bytes_clear(&s.text);
        }
    }
}

static void test_every_split_and_block_size(void **state)
{
    (void)state;
    check("", "", 100, TW_OK);
    check("\n", "\n", 100, TW_OK);
    check("a", "a", 100, TW_OK);
    check("a\nbb\nccc\n", "a\nbb\nccc\n", 100, TW_OK);
    check("a\r\nbb\r\n\r\n\n\nccc", "a\r\nbb\r\n\r\n\n\nccc", 100, TW_OK);
    check("a|b\n|c\n\n|d", "a\nb\nc\n\nd", 100, TW_OK);
    check("a||", "a\n", 100, TW_OK);
    check("|", "", 100, TW_OK);
}

static void test_the_longest_line_is_exact(void **state)
{
    (void)state;
    check("12345\n1\n12345", "12345\n1\n12345", 5, TW_OK);
    check("1\n123456\n", "", 5, TW_E_TOO_LARGE);
    check("1\n123456", "", 5, TW_E_TOO_LARGE);
    check("12345|12345|", "12345\n12345\n", 5, TW_OK);
    check("123456\n1\n", "", 5, TW_E_TOO_LARGE);
    check("1\n1\n1\n123456", "", 5, TW_E_TOO_LARGE);
}

static void test_blocks_keep_to_their_size(void **state)
{
    bytes text = {0};
    seen s = {0};
    int i;

    (void)state;
    for (i = 0; i < 10000; i++)
        bytes_put(&text, "0123456789abcdef0123456789abcde\n", 32);
    assert_int_equal(run(&s, text.data, text.size, 1000, 4096, 1 << 20), TW_OK);
    assert_int_equal(s.largest, 4096);
    assert_int_equal(s.blocks, (text.size + 4095) / 4096);
    bytes_clear(&s.text);
    bytes_clear(&text);
}

static void test_a_failing_consumer_ends_it(void **state)
{
    seen s = {0};

    (void)state;
    s.fail_at = 2;
    assert_int_equal(run(&s, "1\n2\n3\n4\n5\n6\n", 12, 1, 4, 100), TW_E_NOMEM);
    assert_int_equal(s.blocks, 2);
    bytes_clear(&s.text);
}

/* ---- windows ----------------------------------------------------------------------- */

static void refused(const char *start, const char *end, const char *field,
                    const char *rule)
{
    tw_error *err = NULL;
    tw_window window;

    if (tw__window_read(&window, start, end, &err) != TW_E_VALIDATION)
        fail_msg("%s to %s was taken", start, end);
    assert_string_equal(tw_error_field(err), field);
    assert_non_null(strstr(tw_error_message(err), rule));
    tw_error_free(err);
}

static void test_hours(void **state)
{
    static const char *const bad[] = {"",
                                      "20260301T24",
                                      "20260301T2x",
                                      "20260301Tx2",
                                      "20260301T30",
                                      "20261301T00",
                                      "20260132T00",
                                      "20260100T00",
                                      "2026-0301",
                                      "202603-01",
                                      "2026/03/01",
                                      "2026-03-01 00",
                                      "2026-03-01T00:00",
                                      "2026-03-01T",
                                      "2026-03-01T0",
                                      "2026-02-29",
                                      "20260301t00",
                                      "20260301T0",
                                      "20260301T",
                                      "20260301T000",
                                      "20260301T00 ",
                                      "+0260301T00",
                                      "19691231T23",
                                      "19691231",
                                      "20250229T00",
                                      "21000229T00",
                                      "２0260301T00"};
    static const struct {
        const char *start, *first;
        int64_t number;
    } good[] = {
        {"19700101T00", "19700101T00", 0},
        {"1970-01-01T01", "19700101T01", 1},
        {"20240229T05", "20240229T05", 1709182800 / 3600},
        {"20000229T23", "20000229T23", 951865200 / 3600},
        {"2000-02-29", "20000229T00", 951865200 / 3600 - 23},
        {"20000229", "20000229T00", 951865200 / 3600 - 23},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        tw_window window;

        assert_int_equal(tw__window_read(&window, good[i].start, good[i].first, NULL),
                         TW_OK);
        assert_string_equal(window.first.text, good[i].first);
        assert_int_equal(window.first.number, good[i].number);
        assert_int_equal(window.last.number, good[i].number);
    }
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        refused(bad[i], "20260301T00", "start", "an hour or a day that exists");
        refused("19700101", bad[i], "end", "an hour or a day that exists");
    }
}

static void test_windows(void **state)
{
    tw_window window;

    (void)state;
    assert_int_equal(tw__window_read(&window, "20260301T00", "20260301T00", NULL), TW_OK);
    assert_int_equal(window.first.number, window.last.number);
    assert_int_equal(tw__window_read(&window, "20250101T00", "2025-12-31", NULL), TW_OK);
    assert_string_equal(window.last.text, "20251231T23");
    assert_int_equal(window.last.number - window.first.number + 1, 365 * 24);
    assert_int_equal(tw__window_read(&window, "2026-03-01", "20260301", NULL), TW_OK);
    assert_string_equal(window.first.text, "20260301T00");
    assert_string_equal(window.last.text, "20260301T23");
    refused("20250101T00", "20260101T00", "end", "365 days");
    refused("20250101", "20260101", "end", "8784 hours");
    refused("20260301T01", "20260301T00", "end", "before start");
    refused("2026-03-02", "2026-03-01", "end", "before start");
    refused(NULL, "20260301T00", "start", "missing");
    refused("20260301T00", NULL, "end", "missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split_and_block_size),
        cmocka_unit_test(test_the_longest_line_is_exact),
        cmocka_unit_test(test_blocks_keep_to_their_size),
        cmocka_unit_test(test_a_failing_consumer_ends_it),
        cmocka_unit_test(test_hours),
        cmocka_unit_test(test_windows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
