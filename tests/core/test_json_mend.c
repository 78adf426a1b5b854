/* SPDX-License-Identifier: MIT */
/* Values that break a rule and are changed instead of refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json/writer.h"

static tw_json_writer *writer(unsigned mends, size_t max_chars)
{
    tw_json_writer_options options = TW_JSON_WRITER_OPTIONS_INIT;
    tw_json_writer *wr;

    options.mends = mends;
    options.max_string_chars = max_chars;
    assert_int_equal(tw_json_writer_new(&wr, &options, NULL), TW_OK);
    assert_int_equal(tw_json_writer_mends(wr), mends);
    return wr;
}

static void expect(const tw_json_writer *wr, const char *text)
{
    size_t size;
    const char *got = tw_json_writer_text(wr, &size);

    assert_int_equal(size, strlen(text));
    assert_memory_equal(got, text, size);
}

static void long_texts_are_cut_between_characters(void **state)
{
    static const struct {
        const char *given, *text;
        unsigned flags;
        unsigned cut;
    } rows[] = {
        {"abcd", "\"abcd\"", TW_JSON_ALL_ASCII, 0},
        {"abcde", "\"abcd\"", TW_JSON_ALL_ASCII, 1},
        {"abcde", "\"abcd\"", 0, 1},
        {"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", "\"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\"",
         TW_JSON_VALID_UTF8, 0},
        {"abc\xF0\x9F\x98\x80\xF0\x9F\x98\x80", "\"abc\xF0\x9F\x98\x80\"",
         TW_JSON_VALID_UTF8, 1},
        /* a combining mark stays with its letter only where it fits */
        {"abce\xCC\x81", "\"abce\"", 0, 1},
        {"\n\n\n\n\n", "\"\\n\\n\\n\\n\"", 0, 1},
    };
    tw_json_writer *wr = writer(TW_MEND_LONG, 4);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *given = rows[i].given;

        tw_json_writer_reset(wr);
        assert_int_equal(tw_json_put_string(wr, given, strlen(given), -1, rows[i].flags),
                         TW_OK);
        expect(wr, rows[i].text);
        assert_int_equal(tw__json_writer_mended(wr)->cut, rows[i].cut);
        assert_int_equal(tw__json_writer_mended(wr)->any, rows[i].cut);
    }
    tw_json_writer_reset(wr);
    assert_int_equal(tw_json_put_string(wr, "abcd\xFF", 5, -1, 0), TW_E_VALIDATION);
    tw_json_writer_free(wr);
}

#define FFFD "\xEF\xBF\xBD"

static void broken_text_is_mended(void **state)
{
    static const struct {
        const char *given, *text;
    } rows[] = {
        {"\xFF", "\"" FFFD "\""},
        {"a\xFF\xFEz", "\"a" FFFD FFFD "z\""},
        {"\xC3", "\"" FFFD "\""},
        {"a\xED\xA0\x80z", "\"a" FFFD "z\""}, /* a surrogate */
        {"\xE2\x82", "\"" FFFD "\""},
        {"\xC0\xAF!", "\"" FFFD "!\""},
        {"\xF4\x90\x80\x80", "\"" FFFD "\""},
        {"\xEF\xBF\xBE\xC3\xA9\xFF", "\"\xEF\xBF\xBE\xC3\xA9" FFFD "\""},
        {"\xFF\"\x01", "\"" FFFD "\\\"\\u0001\""},
    };
    tw_json_writer *wr = writer(TW_MEND_UTF8, 0);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *given = rows[i].given;

        tw_json_writer_reset(wr);
        assert_int_equal(tw_json_put_string(wr, given, strlen(given), -1, 0), TW_OK);
        expect(wr, rows[i].text);
        assert_int_equal(tw__json_writer_mended(wr)->replaced, 1);
    }
    tw_json_writer_reset(wr);
    assert_int_equal(tw__json_writer_mended(wr)->any, 0);
    assert_int_equal(tw_json_put_string(wr, "\xC3\xA9", 2, -1, 0), TW_OK);
    assert_int_equal(tw__json_writer_mended(wr)->any, 0);
    /* A key that were changed might come to be another one. */
    tw_json_writer_reset(wr);
    tw_json_put_object(wr);
    assert_int_equal(tw_json_put_key(wr, "\xFF", 1, -1, 0), TW_E_VALIDATION);
    tw_json_writer_free(wr);
}

static void broken_text_is_cut_as_well(void **state)
{
    tw_json_writer *wr = writer(TW_MEND_LONG | TW_MEND_UTF8, 3);

    (void)state;
    assert_int_equal(tw_json_put_string(wr,
                                        "\xFF\xFF"
                                        "abcdefghijk",
                                        13, -1, 0),
                     TW_OK);
    expect(wr, "\"" FFFD FFFD "a\"");
    assert_int_equal(tw__json_writer_mended(wr)->cut, 1);
    assert_int_equal(tw__json_writer_mended(wr)->replaced, 1);
    tw_json_writer_free(wr);
}

static void numbers_become_something_else(void **state)
{
    tw_json_writer *wr = writer(TW_MEND_NAN | TW_MEND_INTS, 4);

    (void)state;
    tw_json_put_array(wr);
    assert_int_equal(tw_json_put_real(wr, NAN), TW_OK);
    assert_int_equal(tw_json_put_real(wr, -INFINITY), TW_OK);
    assert_int_equal(tw_json_put_real(wr, 0.5), TW_OK);
    assert_int_equal(tw_json_put_big_int(wr, "-999", 4), TW_OK);
    tw_json_put_array_end(wr);
    expect(wr, "[null,null,0.5,\"-999\"]");
    assert_int_equal(tw__json_writer_mended(wr)->nulled, 2);
    assert_int_equal(tw__json_writer_mended(wr)->stringified, 1);
    /* Fewer digits would be another number. */
    tw_json_writer_reset(wr);
    assert_int_equal(tw_json_put_big_int(wr, "99999", 5), TW_E_VALIDATION);
    tw_json_writer_free(wr);
}

static void without_the_option_they_are_refused(void **state)
{
    unsigned all = TW_MEND_LONG | TW_MEND_UTF8 | TW_MEND_NAN | TW_MEND_INTS;
    tw_json_writer *wr;

    (void)state;
    wr = writer(all & ~(unsigned)TW_MEND_LONG, 4);
    assert_int_equal(tw_json_put_string(wr, "abcde", 5, -1, 0), TW_E_VALIDATION);
    tw_json_writer_free(wr);
    wr = writer(all & ~(unsigned)TW_MEND_UTF8, 4);
    assert_int_equal(tw_json_put_string(wr, "\xFF", 1, -1, 0), TW_E_VALIDATION);
    tw_json_writer_free(wr);
    wr = writer(all & ~(unsigned)TW_MEND_NAN, 4);
    assert_int_equal(tw_json_put_real(wr, NAN), TW_E_VALIDATION);
    tw_json_writer_free(wr);
    wr = writer(all & ~(unsigned)TW_MEND_INTS, 4);
    assert_int_equal(tw_json_put_big_int(wr, "1", 1), TW_E_VALIDATION);
    assert_int_equal(tw_json_put_big_int(wr, "1", 1), TW_E_VALIDATION);
    tw_json_writer_free(wr);
    wr = writer(all, 4);
    tw_json_put_object(wr); /* a key is due */
    assert_int_equal(tw_json_put_string(wr, "abcde", 5, -1, 0), TW_E_INVALID);
    tw_json_writer_free(wr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(broken_text_is_mended),
        cmocka_unit_test(broken_text_is_cut_as_well),
        cmocka_unit_test(numbers_become_something_else),
        cmocka_unit_test(without_the_option_they_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
