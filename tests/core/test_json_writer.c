/* SPDX-License-Identifier: MIT */
/* The writer: what it writes is JSON, and what breaks a rule is refused at its path. */
#define _GNU_SOURCE
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <tidewheel/error.h>
#include <tidewheel/json.h>

#include "base/alloc.h"
#include "support/oom.h"
#include "json/writer.h"

static tw_json_writer *writer_new(size_t max_bytes, size_t max_chars, unsigned max_depth)
{
    tw_json_writer_options options = TW_JSON_WRITER_OPTIONS_INIT;
    tw_json_writer *wr;

    options.max_bytes = max_bytes;
    options.max_string_chars = max_chars;
    options.max_depth = max_depth;
    assert_int_equal(tw_json_writer_new(&wr, &options, NULL), TW_OK);
    return wr;
}

static tw_json_writer *writer_default(void)
{
    tw_json_writer *wr;

    assert_int_equal(tw_json_writer_new(&wr, NULL, NULL), TW_OK);
    return wr;
}

static int put_key(tw_json_writer *wr, const char *text)
{
    return tw_json_put_key(wr, text, strlen(text), -1, 0);
}

static int put_text(tw_json_writer *wr, const char *text)
{
    return tw_json_put_string(wr, text, strlen(text), -1, 0);
}

static void assert_text(const tw_json_writer *wr, const char *expected)
{
    size_t size;
    const char *text = tw_json_writer_text(wr, &size);

    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

/* The writer failed with this code and message, and keeps doing so. */
static void assert_failed(tw_json_writer *wr, int code, const char *message)
{
    tw_error *err = NULL;

    assert_int_equal(tw_json_writer_error(wr, &err), code);
    assert_int_equal(tw_error_code(err), code);
    assert_string_equal(tw_error_message(err), message);
    tw_error_free(err);
    assert_int_equal(tw_json_put_object(wr), code);
    assert_int_equal(tw_json_put_object_end(wr), code);
    assert_int_equal(tw_json_put_array(wr), code);
    assert_int_equal(tw_json_put_array_end(wr), code);
    assert_int_equal(put_key(wr, "k"), code);
    assert_int_equal(put_text(wr, "s"), code);
    assert_int_equal(tw_json_put_int(wr, 1), code);
    assert_int_equal(tw_json_put_real(wr, 1), code);
    assert_int_equal(tw_json_put_bool(wr, 1), code);
    assert_int_equal(tw_json_put_null(wr), code);
    assert_int_equal(tw_json_writer_refuse(wr, "another"), code);
    assert_false(tw_json_writer_complete(wr));
}

static void a_document_is_written_compactly(void **unused)
{
    tw_json_writer *wr = writer_default();
    int round;

    (void)unused;
    for (round = 0; round < 2; round++) {
        assert_text(wr, "");
        assert_int_equal(tw_json_put_object(wr), TW_OK);
        assert_int_equal(put_key(wr, "a"), TW_OK);
        assert_int_equal(tw_json_put_array(wr), TW_OK);
        assert_int_equal(tw_json_put_int(wr, INT64_MIN), TW_OK);
        assert_int_equal(tw_json_put_real(wr, 19.99), TW_OK);
        assert_int_equal(tw_json_put_bool(wr, 7), TW_OK);
        assert_int_equal(tw_json_put_bool(wr, 0), TW_OK);
        assert_int_equal(tw_json_put_null(wr), TW_OK);
        assert_int_equal(put_text(wr, ""), TW_OK);
        assert_int_equal(tw_json_put_object(wr), TW_OK);
        assert_int_equal(tw_json_put_object_end(wr), TW_OK);
        assert_int_equal(tw_json_put_array(wr), TW_OK);
        assert_int_equal(tw_json_put_array_end(wr), TW_OK);
        assert_int_equal(tw_json_put_array_end(wr), TW_OK);
        assert_int_equal(put_key(wr, ""), TW_OK);
        assert_int_equal(put_text(wr, "x"), TW_OK);
        assert_false(tw_json_writer_complete(wr));
        assert_int_equal(tw_json_put_object_end(wr), TW_OK);
        assert_true(tw_json_writer_complete(wr));
        assert_text(wr, "{\"a\":[-9223372036854775808,19.99,true,false,null,\"\",{},[]],"
                        "\"\":\"x\"}");
        assert_int_equal(tw_json_writer_error(wr, NULL), TW_E_INVALID);
        tw_json_writer_reset(wr);
    }
    assert_int_equal(tw_json_put_null(wr), TW_OK); /* a scalar alone is a document */
    assert_true(tw_json_writer_complete(wr));
    tw_json_writer_free(wr);
    tw_json_writer_free(NULL);
}

/* The plain way to write a string. */
static size_t slow_escape(char *out, const char *text, size_t size)
{
    static const char bytes[] = "\b\t\n\f\r\"\\";
    char *at = out;
    size_t i;

    *at++ = '"';
    for (i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        const char *name = c != 0 ? strchr(bytes, c) : NULL;

        if (name != NULL) {
            *at++ = '\\';
            *at++ = "btnfr\"\\"[name - bytes];
        } else if (c < 0x20) {
            at += snprintf(at, 7, "\\u%04x", c);
        } else {
            *at++ = (char)c;
        }
    }
    *at++ = '"';
    return (size_t)(at - out);
}

static void assert_string_written(tw_json_writer *wr, const char *text, size_t size,
                                  unsigned flags)
{
    char expected[6 * 64 + 2];
    char *exact = malloc(size != 0 ? size : 1); /* reads past it are seen */
    size_t expected_size = slow_escape(expected, text, size);
    size_t written;
    const char *got;

    assert_non_null(exact);
    memcpy(exact, text, size);
    tw_json_writer_reset(wr);
    assert_int_equal(tw_json_put_string(wr, exact, size, -1, flags), TW_OK);
    got = tw_json_writer_text(wr, &written);
    assert_int_equal(written, expected_size);
    assert_memory_equal(got, expected, written);
    free(exact);
}

/* All lengths through the vector loop and its tails, each byte value at each place. */
static void strings_are_escaped_wherever_they_need_it(void **unused)
{
    tw_json_writer *wr = writer_default();
    char text[64];
    size_t size;
    size_t at;
    int c;

    (void)unused;
    for (size = 0; size <= 40; size++) {
        memset(text, 'x', sizeof text);
        assert_string_written(wr, text, size, 0);
        memset(text, '"', sizeof text);
        assert_string_written(wr, text, size, 0);
        memset(text, 1, sizeof text);
        assert_string_written(wr, text, size, 0);
        for (at = 0; at < size; at++) {
            for (c = 0; c < 0x80; c++) {
                memset(text, 'x', sizeof text);
                text[at] = (char)c;
                assert_string_written(wr, text, size, c % 2 ? TW_JSON_VALID_UTF8 : 0);
            }
            if (at + 4 <= size) {
                memset(text, 'x', sizeof text);
                memcpy(text + at, "\xF0\x9F\x98\x80", 4);
                assert_string_written(wr, text, size, 0);
                if (at > 0) {
                    text[0] = '\n';
                    assert_string_written(wr, text, size,
                                          at % 2 ? TW_JSON_VALID_UTF8 : 0);
                }
            }
        }
    }
    tw_json_writer_free(wr);
}

/* Ends of a text at and near the end of the memory, and behind it what would be escaped. */
static void nothing_behind_a_text_counts(void **state)
{
    enum { PAGE = 4096, MOST = 100, NEAR = 20 };
    static const unsigned flags[] = {0, TW_JSON_VALID_UTF8, TW_JSON_ALL_ASCII};
    char *pages =
        mmap(NULL, 2 * (size_t)PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char expected[MOST + 8];
    size_t size;
    size_t gap;
    size_t i;

    (void)state;
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(mprotect(pages, PAGE, PROT_READ | PROT_WRITE), 0);
    for (size = 0; size <= MOST; size++) {
        for (gap = 0; gap <= NEAR; gap++) {
            char *text = pages + PAGE - size - gap;

            memset(text, 'x', size);
            memset(text + size, '"', gap);
            snprintf(expected, sizeof expected, "[\"%.*s\"", (int)size, text);
            for (i = 0; i < sizeof flags / sizeof *flags; i++) {
                tw_json_writer *wr = writer_default();

                tw_json_put_array(wr); /* makes room for a quick put */
                assert_int_equal(tw_json_put_string(wr, text, size, -1, flags[i]), TW_OK);
                assert_text(wr, expected);
                tw_json_writer_free(wr);
            }
        }
    }
    munmap(pages, 2 * (size_t)PAGE);
}

/* Escapes at the head, then a plain tail: the room asked for at first is not enough. */
static void escapes_make_room_for_what_follows(void **unused)
{
    char text[1024];
    char expected[6 * sizeof text + 2];
    size_t size;

    (void)unused;
    memset(text, 'x', sizeof text);
    memset(text, 1, 64);
    for (size = 1; size <= sizeof text; size++) {
        tw_json_writer *wr = writer_default();
        size_t expected_size = slow_escape(expected, text, size);
        size_t written;
        const char *got;

        assert_int_equal(tw_json_put_string(wr, text, size, -1, 0), TW_OK);
        got = tw_json_writer_text(wr, &written);
        assert_int_equal(written, expected_size);
        assert_memory_equal(got, expected, written);
        tw_json_writer_free(wr);
    }
}

static void keys_are_escaped_too(void **unused)
{
    tw_json_writer *wr = writer_default();

    (void)unused;
    tw_json_put_object(wr);
    assert_int_equal(put_key(wr, "a \"key\" with\n\xC3\xA9 and more than sixteen bytes"),
                     TW_OK);
    tw_json_put_null(wr);
    tw_json_put_object_end(wr);
    assert_text(wr,
                "{\"a \\\"key\\\" with\\n\xC3\xA9 and more than sixteen bytes\":null}");
    tw_json_writer_free(wr);
}

static void text_that_is_not_utf8_is_refused(void **unused)
{
    static const char *const texts[] = {
        "\x80",     "abc\xFF", "\xC3",         "sixteen bytes and then \xED\xA0\x80",
        "\xC0\x80", "caf\xE9", "\n\xC3\n\xA9",
    };
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        tw_json_writer *wr = writer_default();

        tw_json_put_object(wr);
        put_key(wr, "name");
        assert_int_equal(put_text(wr, texts[i]), TW_E_VALIDATION);
        assert_failed(wr, TW_E_VALIDATION, "name: a text was not valid UTF-8");
        tw_json_writer_reset(wr);
        tw_json_put_object(wr);
        assert_int_equal(put_key(wr, texts[i]), TW_E_VALIDATION);
        assert_failed(wr, TW_E_VALIDATION, "a text was not valid UTF-8");
        tw_json_writer_free(wr);
    }
}

static void strings_have_a_limit_in_code_points(void **unused)
{
    tw_json_writer *wr = writer_new(1000000, 1024, 41);
    char text[4 * 1025];
    size_t i;

    (void)unused;
    for (i = 0; i < 1025; i++)
        memcpy(text + 4 * i, "\xF0\x9F\x98\x80", 4);
    assert_int_equal(tw_json_put_string(wr, text, 4 * 1024, -1, 0), TW_OK);
    tw_json_writer_reset(wr);
    assert_int_equal(tw_json_put_string(wr, text, 4 * 1024, 1024, TW_JSON_VALID_UTF8),
                     TW_OK);
    tw_json_writer_reset(wr);
    assert_int_equal(tw_json_put_string(wr, text, 4 * 1025, 1025, TW_JSON_VALID_UTF8),
                     TW_E_VALIDATION);
    tw_json_writer_reset(wr);
    assert_int_equal(tw_json_put_string(wr, text, 4 * 1025, -1, 0), TW_E_VALIDATION);
    assert_failed(wr, TW_E_VALIDATION, "a string had more characters than 1024");
    tw_json_writer_reset(wr);
    memset(text, 'x', sizeof text);
    tw_json_put_object(wr);
    assert_int_equal(tw_json_put_key(wr, text, 1025, -1, 0), TW_OK); /* keys have none */
    assert_int_equal(tw_json_put_string(wr, text, 1024, -1, 0), TW_OK);
    put_key(wr, "b");
    assert_int_equal(tw_json_put_string(wr, text, 1025, -1, 0), TW_E_VALIDATION);
    assert_failed(wr, TW_E_VALIDATION, "b: a string had more characters than 1024");
    tw_json_writer_free(wr);

    wr = writer_new(1000000, 0, 41);
    assert_int_equal(tw_json_put_string(wr, text, sizeof text, -1, 0), TW_OK);
    tw_json_writer_free(wr);
}

static void depth_is_limited(void **unused)
{
    tw_json_writer *wr = writer_new(1000000, 1024, 41);
    int i;

    (void)unused;
    for (i = 0; i < 41; i++)
        assert_int_equal(tw_json_put_array(wr), TW_OK);
    assert_int_equal(tw_json_put_int(wr, 1), TW_OK); /* a scalar in the deepest is fine */
    for (i = 0; i < 41; i++)
        assert_int_equal(tw_json_put_array_end(wr), TW_OK);
    assert_true(tw_json_writer_complete(wr));
    tw_json_writer_reset(wr);
    for (i = 0; i < 41; i++)
        assert_int_equal(tw_json_put_array(wr), TW_OK);
    assert_int_equal(tw_json_put_object(wr), TW_E_VALIDATION);
    tw_json_writer_free(wr);

    wr = writer_new(1000000, 1024, 2);
    tw_json_put_object(wr);
    put_key(wr, "a");
    tw_json_put_array(wr);
    assert_int_equal(tw_json_put_array(wr), TW_E_VALIDATION);
    assert_failed(wr, TW_E_VALIDATION, "a[0]: containers were nested deeper than 2");
    tw_json_writer_free(wr);
}

static void numbers_without_a_json_form_are_refused(void **unused)
{
    const double values[] = {NAN, -NAN, INFINITY, -INFINITY};
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof values / sizeof *values; i++) {
        tw_json_writer *wr = writer_default();

        assert_int_equal(tw_json_put_real(wr, values[i]), TW_E_VALIDATION);
        assert_failed(wr, TW_E_VALIDATION, "NaN and infinity have no JSON form");
        tw_json_writer_free(wr);
    }
}

/* One put of each kind, by number; a document of 2 + 8 puts. */
static int put_nth(tw_json_writer *wr, int n)
{
    switch (n) {
    case 0:
        return tw_json_put_object(wr);
    case 1:
        return put_key(wr, "k\n");
    case 2:
        return tw_json_put_array(wr);
    case 3:
        return put_text(wr, "caf\xC3\xA9 \"quoted\" and longer than a vector");
    case 4:
        return tw_json_put_int(wr, -1234567890123);
    case 5:
        return tw_json_put_real(wr, 1.2345678901234567e-100);
    case 6:
        return tw_json_put_bool(wr, 0);
    case 7:
        return tw_json_put_null(wr);
    case 8:
        return tw_json_put_array_end(wr);
    default:
        return tw_json_put_object_end(wr);
    }
}

static int put_all(tw_json_writer *wr)
{
    int rc = TW_OK;
    int n;

    for (n = 0; rc == TW_OK && n < 10; n++)
        rc = put_nth(wr, n);
    return rc;
}

static void size_is_limited_to_the_byte(void **unused)
{
    tw_json_writer *wr = writer_default();
    size_t whole;
    size_t size;
    size_t limit;

    (void)unused;
    assert_int_equal(put_all(wr), TW_OK);
    tw_json_writer_text(wr, &whole);
    tw_json_writer_free(wr);
    for (limit = 0; limit <= whole; limit++) {
        wr = writer_new(limit, 1024, 41);
        assert_int_equal(put_all(wr), limit == whole ? TW_OK : TW_E_TOO_LARGE);
        tw_json_writer_text(wr, &size);
        assert_true(size <= limit);
        assert_int_not_equal(tw_json_put_string(wr, "", SIZE_MAX, 0, TW_JSON_VALID_UTF8),
                             TW_OK);
        tw_json_writer_free(wr);
    }
    wr = writer_new(4, 1024, 41);
    tw_json_put_array(wr);
    tw_json_put_int(wr, 1);
    assert_int_equal(tw_json_put_int(wr, 22), TW_E_TOO_LARGE);
    assert_failed(wr, TW_E_TOO_LARGE, "[1]: the document had more bytes than 4");
    tw_json_writer_free(wr);
}

static void failing_memory_is_reported(void **unused)
{
    long at;
    long held;
    int refused_one = 1;

    (void)unused;
    for (at = 0; refused_one; at++) {
        tw_json_writer *wr;
        tw_error *err = NULL;
        int rc;

        oom_begin(at);
        rc = tw_json_writer_new(&wr, NULL, NULL);
        if (rc == TW_OK)
            rc = put_all(wr);
        if (rc != TW_OK && wr != NULL) {
            assert_int_equal(tw_json_writer_error(wr, &err), TW_E_NOMEM);
            tw_error_free(err);
        }
        tw_json_writer_free(wr);
        refused_one = oom_end(&held);
        assert_int_equal(rc, refused_one ? TW_E_NOMEM : TW_OK);
        assert_int_equal(held, 0);
    }
    assert_true(at > 2);
}

enum { PUTS = 10 };

/* Whether `next` may follow the puts so far, by the grammar alone. */
static int allowed(const int *puts, int count, int next)
{
    char open[8] = "";
    int depth = 0;
    int key = 0; /* a key waits for its value */
    int done = 0;
    int i;

    for (i = 0; i <= count; i++) {
        int n = i < count ? puts[i] : next;
        int object = depth > 0 && open[depth - 1] == '{';

        if (done)
            return 0;
        if (n == 1) { /* a key */
            if (!object || key)
                return 0;
            key = 1;
            continue;
        }
        if (n >= 8) { /* an end */
            if (depth == 0 || key || object != (n == 9))
                return 0;
            depth--;
        } else {
            if (object && !key)
                return 0;
            key = 0;
            if (n == 0 || n == 2)
                open[depth++] = n == 0 ? '{' : '[';
        }
        done = depth == 0;
    }
    return 1;
}

/* Every sequence of up to five puts. */
static void the_structure_is_checked(void **unused)
{
    tw_json_writer *wr = writer_default();
    int puts[5] = {0};
    int length;

    (void)unused;
    for (length = 1; length <= 5; length++) {
        int total = 1;
        int code;
        int i;

        for (i = 0; i < length; i++)
            total *= PUTS;
        for (code = 0; code < total; code++) {
            int rest = code;
            int fine = 1;

            tw_json_writer_reset(wr);
            for (i = 0; fine && i < length; i++, rest /= PUTS) {
                puts[i] = rest % PUTS;
                fine = allowed(puts, i, puts[i]);
                assert_int_equal(put_nth(wr, puts[i]), fine ? TW_OK : TW_E_INVALID);
            }
        }
    }
    tw_json_writer_free(wr);
}

static void misuse_says_what_was_due(void **unused)
{
    tw_json_writer *wr = writer_default();

    (void)unused;
    tw_json_put_object(wr);
    tw_json_put_int(wr, 1);
    assert_failed(wr, TW_E_INVALID, "a key or the object's end was due");
    tw_json_writer_reset(wr);
    tw_json_put_array(wr);
    put_key(wr, "a");
    assert_failed(wr, TW_E_INVALID, "[0]: an element or the array's end was due");
    tw_json_writer_reset(wr);
    tw_json_put_null(wr);
    tw_json_put_null(wr);
    assert_failed(wr, TW_E_INVALID, "the document was already complete");
    tw_json_writer_free(wr);
}

static void assert_path(const tw_json_writer *wr, const char *expected)
{
    char path[256];

    assert_int_equal(tw_json_writer_path(wr, path, sizeof path), strlen(expected));
    assert_string_equal(path, expected);
}

static void the_path_of_the_value_is_known(void **unused)
{
    tw_json_writer *wr = writer_default();

    (void)unused;
    assert_path(wr, "");
    tw_json_put_object(wr);
    assert_path(wr, "");
    put_key(wr, "first");
    assert_path(wr, "first");
    put_text(wr, "a value, with {[ and \\\"");
    assert_path(wr, "");
    put_key(wr, "event_properties");
    tw_json_put_object(wr);
    assert_path(wr, "event_properties");
    put_key(wr, "before");
    tw_json_put_array(wr);
    tw_json_put_int(wr, 1);
    tw_json_put_int(wr, 2);
    tw_json_put_array_end(wr);
    put_key(wr, "cart");
    tw_json_put_array(wr);
    assert_path(wr, "event_properties.cart[0]");
    tw_json_put_object(wr);
    put_key(wr, "x");
    tw_json_put_int(wr, 1);
    tw_json_put_object_end(wr);
    assert_path(wr, "event_properties.cart[1]");
    tw_json_put_array(wr);
    tw_json_put_int(wr, 1);
    tw_json_put_int(wr, 1);
    tw_json_put_array_end(wr);
    put_text(wr, "],[");
    assert_path(wr, "event_properties.cart[3]");
    tw_json_put_object(wr);
    put_key(wr, "pri\"ce");
    assert_path(wr, "event_properties.cart[3].pri\\\"ce");
    assert_int_equal(tw_json_writer_refuse(wr, "datetime is not a JSON type"),
                     TW_E_VALIDATION);
    assert_failed(wr, TW_E_VALIDATION,
                  "event_properties.cart[3].pri\\\"ce: datetime is not a JSON type");
    tw_json_writer_free(wr);
}

static void the_path_is_handed_over_as_the_field(void **unused)
{
    tw_json_writer *wr = writer_default();
    tw_error *err = NULL;

    (void)unused;
    tw_json_put_object(wr);
    put_key(wr, "price");
    tw_json_put_real(wr, NAN);
    tw_json_writer_error(wr, &err);
    assert_string_equal(tw_error_field(err), "price");
    tw_error_free(err);
    tw_json_writer_free(wr);
}

static void a_long_path_is_cut(void **unused)
{
    static const char key[] = "caf\xC3\xA9.";
    tw_json_writer *wr = writer_default();
    char text[64];
    size_t room;
    size_t whole;

    (void)unused;
    tw_json_put_object(wr);
    put_key(wr, key);
    whole = strlen(key);
    for (room = 0; room <= sizeof text; room++) {
        memset(text, '#', sizeof text);
        assert_int_equal(tw_json_writer_path(wr, text, room), whole);
        if (room < sizeof text)
            assert_int_equal(text[room], '#');
        if (room > whole)
            assert_string_equal(text, key);
        else if (room > 4)
            assert_string_equal(text + strlen(text) - 3, "...");
    }
    tw_json_writer_path(wr, text, 6);
    assert_string_equal(text, "ca...");
    tw_json_writer_free(wr);
}

static void options_are_checked(void **unused)
{
    tw_json_writer_options options = TW_JSON_WRITER_OPTIONS_INIT;
    tw_json_writer *wr;
    tw_error *err = NULL;

    (void)unused;
    options.max_depth = 0;
    assert_int_equal(tw_json_writer_new(&wr, &options, &err), TW_E_INVALID);
    assert_null(wr);
    options.max_depth = 41;
    options.max_bytes = SIZE_MAX;
    assert_int_equal(tw_json_writer_new(&wr, &options, &err), TW_E_INVALID);
    tw_error_free(err);
    options.size = sizeof options.size; /* an older caller: the rest is at its default */
    assert_int_equal(tw_json_writer_new(&wr, &options, NULL), TW_OK);
    tw_json_writer_free(wr);
}

/* Every length that is taken, as a first key and as a later one, in a buffer that has to grow. */
static void a_ready_key_reads_as_its_text(void **unused)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz_0123456789.ABCD";
    size_t size;

    (void)unused;
    for (size = 0; size <= 40; size++) {
        tw_json_writer *wr = writer_default();
        tw_json_writer *plain = writer_default();
        tw_json_key key;
        const char *expected;
        const char *got;
        size_t expected_size;
        size_t got_size;
        int i;

        assert_int_equal(tw_json_key_make(&key, text, size), TW_OK);
        assert_int_equal(tw_json_put_ready_key(wr, &key), TW_E_INVALID);
        tw_json_writer_reset(wr);
        tw_json_put_object(wr);
        tw_json_put_object(plain);
        for (i = 0; i < 9; i++) {
            assert_int_equal(tw_json_put_ready_key(wr, &key), TW_OK);
            tw_json_put_int(wr, i);
            tw_json_put_key(plain, text, size, -1, 0);
            tw_json_put_int(plain, i);
        }
        got = tw_json_writer_text(wr, &got_size);
        expected = tw_json_writer_text(plain, &expected_size);
        assert_int_equal(got_size, expected_size);
        assert_memory_equal(got, expected, expected_size);
        assert_int_equal(tw_json_put_ready_key(wr, &key), TW_OK);
        assert_int_equal(tw_json_put_ready_key(wr, &key), TW_E_INVALID);
        tw_json_writer_free(wr);
        tw_json_writer_free(plain);
    }
}

static void a_key_that_needs_work_is_not_made_ready(void **unused)
{
    static const char *const texts[] = {"a\"b", "a\\b", "a\nb", "\xC3", "\xFFname"};
    static const char longer[] = "abcdefghijklmnopqrstuvwxyz_0123456789.ABC";
    tw_json_key key;
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(tw_json_key_make(&key, texts[i], strlen(texts[i])),
                         TW_E_INVALID);
    assert_int_equal(strlen(longer), 41);
    assert_int_equal(tw_json_key_make(&key, longer, 41), TW_E_INVALID);
    assert_int_equal(tw_json_key_make(&key, "Kyōto", 6), TW_OK);
}

static void a_ready_key_may_be_too_much(void **unused)
{
    tw_json_writer_options options = {sizeof options, 10, 0, 41, 0};
    tw_json_writer *wr;
    tw_json_key key;

    (void)unused;
    assert_int_equal(tw_json_writer_new(&wr, &options, NULL), TW_OK);
    assert_int_equal(tw_json_key_make(&key, "abcdefg", 7), TW_OK);
    tw_json_put_object(wr);
    assert_int_equal(tw_json_put_ready_key(wr, &key), TW_E_TOO_LARGE);
    tw_json_writer_reset(wr);
    assert_int_equal(tw_json_key_make(&key, "abcdef", 6), TW_OK);
    tw_json_put_object(wr);
    assert_int_equal(tw_json_put_ready_key(wr, &key), TW_OK);
    tw_json_writer_free(wr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_written_compactly),
        cmocka_unit_test(strings_are_escaped_wherever_they_need_it),
        cmocka_unit_test(nothing_behind_a_text_counts),
        cmocka_unit_test(escapes_make_room_for_what_follows),
        cmocka_unit_test(keys_are_escaped_too),
        cmocka_unit_test(text_that_is_not_utf8_is_refused),
        cmocka_unit_test(strings_have_a_limit_in_code_points),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(numbers_without_a_json_form_are_refused),
        cmocka_unit_test(size_is_limited_to_the_byte),
        cmocka_unit_test(failing_memory_is_reported),
        cmocka_unit_test(the_structure_is_checked),
        cmocka_unit_test(misuse_says_what_was_due),
        cmocka_unit_test(the_path_of_the_value_is_known),
        cmocka_unit_test(the_path_is_handed_over_as_the_field),
        cmocka_unit_test(a_long_path_is_cut),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_ready_key_reads_as_its_text),
        cmocka_unit_test(a_key_that_needs_work_is_not_made_ready),
        cmocka_unit_test(a_ready_key_may_be_too_much),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
