/* SPDX-License-Identifier: MIT */
/* UTF-8: every lead and second byte against a slow decoder, cuts, alignments, counting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

/* By the definition: decode, then ask whether the form was the shortest and the point allowed. */
static size_t slow_sequence(const unsigned char *s, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t point;
    size_t size;
    size_t i;

    if (s[0] < 0x80)
        return 1;
    size = (s[0] & 0xE0) == 0xC0   ? 2
           : (s[0] & 0xF0) == 0xE0 ? 3
           : (s[0] & 0xF8) == 0xF0 ? 4
                                   : 0;
    if (size == 0 || left < size)
        return 0;
    point = s[0] & (0x7Fu >> size);
    for (i = 1; i < size; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (s[i] & 0x3F);
    }
    if (point < least[size] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
        return 0;
    return size;
}

static size_t slow_check(const unsigned char *s, size_t size)
{
    size_t at = 0;

    while (at < size) {
        size_t n = slow_sequence(s + at, size - at);

        if (n == 0)
            break;
        at += n;
    }
    return at;
}

static void every_pair_of_bytes_is_judged_by_the_definition(void **unused)
{
    unsigned char s[4] = {0, 0, 0x80, 0xBF};
    unsigned lead;
    unsigned second;
    size_t size;

    (void)unused;
    for (lead = 0; lead < 256; lead++) {
        for (second = 0; second < 256; second++) {
            s[0] = (unsigned char)lead;
            s[1] = (unsigned char)second;
            for (size = 0; size <= 4; size++)
                assert_int_equal(tw__utf8_check((const char *)s, size),
                                 slow_check(s, size));
        }
    }
}

static void every_third_and_fourth_byte_is_judged(void **unused)
{
    unsigned char s[4] = {0xF0, 0x9F, 0, 0};
    unsigned third;
    unsigned fourth;

    (void)unused;
    for (third = 0; third < 256; third++) {
        for (fourth = 0; fourth < 256; fourth++) {
            s[2] = (unsigned char)third;
            s[3] = (unsigned char)fourth;
            assert_int_equal(tw__utf8_check((const char *)s, 4), slow_check(s, 4));
        }
    }
}

static void the_first_bad_byte_is_found_at_every_place(void **unused)
{
    char text[64];
    size_t at;

    (void)unused;
    for (at = 0; at < sizeof text; at++) {
        memset(text, 'a', sizeof text);
        assert_int_equal(tw__utf8_check(text, sizeof text), sizeof text);
        text[at] = (char)0xFF;
        assert_int_equal(tw__utf8_check(text, sizeof text), at);
        assert_int_equal(tw__utf8_check(text, at), at);
        text[at] = (char)0xE2; /* cut off by the end or by an 'a' */
        assert_int_equal(tw__utf8_check(text, sizeof text), at);
        assert_int_equal(tw__utf8_check(text, at + 1), at);
    }
}

static void code_points_are_counted(void **unused)
{
    static const char *const points[] = {"a", "\xC3\xA9", "\xE2\x82\xAC",
                                         "\xF0\x9F\x98\x80"};
    char text[256];
    size_t size = 0;
    size_t count;

    (void)unused;
    assert_int_equal(tw__utf8_count("", 0), 0);
    for (count = 1; count <= 60; count++) {
        const char *point = points[count % 4];

        memcpy(text + size, point, strlen(point));
        size += strlen(point);
        assert_int_equal(tw__utf8_check(text, size), size);
        assert_int_equal(tw__utf8_count(text, size), count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_bytes_is_judged_by_the_definition),
        cmocka_unit_test(every_third_and_fourth_byte_is_judged),
        cmocka_unit_test(the_first_bad_byte_is_found_at_every_place),
        cmocka_unit_test(code_points_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
