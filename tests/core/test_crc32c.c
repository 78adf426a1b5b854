/* SPDX-License-Identifier: MIT */
/* CRC-32C: the vectors of RFC 3720, both ways of computing, any cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"

/* RFC 3720, appendix B.4. */
static void test_vectors(void **state)
{
    unsigned char bytes[32];
    unsigned i;

    (void)state;
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(tw__crc32c(0, bytes, sizeof bytes), 0x8A9136AA);
    assert_int_equal(tw__crc32c_portable(0, bytes, sizeof bytes), 0x8A9136AA);
    memset(bytes, 0xFF, sizeof bytes);
    assert_int_equal(tw__crc32c(0, bytes, sizeof bytes), 0x62A8AB43);
    for (i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(tw__crc32c(0, bytes, sizeof bytes), 0x46DD794E);
    assert_int_equal(tw__crc32c_portable(0, bytes, sizeof bytes), 0x46DD794E);
    assert_int_equal(tw__crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(tw__crc32c(0, "", 0), 0);
}

static void test_any_size_place_and_cut(void **state)
{
    unsigned char bytes[96];
    size_t start;
    size_t size;
    size_t cut;

    (void)state;
    for (size = 0; size < sizeof bytes; size++)
        bytes[size] = (unsigned char)(size * 151 + 7);
    for (start = 0; start < 9; start++) {
        for (size = 0; size + start <= sizeof bytes; size++) {
            uint32_t whole = tw__crc32c_portable(0, bytes + start, size);

            assert_int_equal(tw__crc32c(0, bytes + start, size), whole);
            for (cut = 0; cut <= size; cut += 5)
                assert_int_equal(tw__crc32c(tw__crc32c(0, bytes + start, cut),
                                            bytes + start + cut, size - cut),
                                 whole);
        }
    }
}

/* Long ones are summed up in three places at once. */
static void test_long_ones(void **state)
{
    static unsigned char bytes[4000];
    uint32_t noise = 1;
    size_t size;

    (void)state;
    for (size = 0; size < sizeof bytes; size++) {
        noise = noise * 1664525 + 1013904223;
        bytes[size] = (unsigned char)(noise >> 24);
    }
    for (size = 0; size <= sizeof bytes; size += 61) {
        uint32_t whole = tw__crc32c_portable(0x12345678, bytes, size);

        assert_int_equal(tw__crc32c(0x12345678, bytes, size), whole);
        assert_int_equal(tw__crc32c(tw__crc32c(0x12345678, bytes, size / 3),
                                    bytes + size / 3, size - size / 3),
                         whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_any_size_place_and_cut),
        cmocka_unit_test(test_long_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
