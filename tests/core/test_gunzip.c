/* SPDX-License-Identifier: MIT */
/* gzip: both backends, every split, every cut, every damaged byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/gunzip.h"
#include "support/zipmaker.h"

/* Runs a whole stream in pieces of `step` bytes into pieces of `room`. TW_OK when it
 * ended between two members. */
static int unpack(tw_inflate_kind kind, const bytes *in, size_t step, size_t room,
                  bytes *out, uint64_t *members)
{
    tw_gunzip *gz;
    char *piece = malloc(room);
    size_t at = 0;
    int rc;

    assert_int_equal(tw__gunzip_new(&gz, kind), TW_OK);
    for (;;) {
        size_t n = in->size - at < step ? in->size - at : step;
        size_t used, made;

        rc =
            tw__gunzip_run(gz, n != 0 ? in->data + at : "", n, &used, piece, room, &made);
        assert_true(used <= n && made <= room);
        bytes_put(out, piece, made);
        at += used;
        if (rc < 0 || (rc == TW_OK && at == in->size && made < room))
            break;
    }
    if (rc == TW_OK && !tw__gunzip_between(gz))
        rc = TW_E_NETWORK; /* cut off */
    if (rc < 0 && rc != TW_E_NETWORK)
        assert_true(tw__gunzip_reason(gz)[0] != '\0');
    if (members != NULL)
        *members = tw__gunzip_members(gz);
    tw__gunzip_free(gz);
    free(piece);
    return rc;
}

static const tw_inflate_kind kinds[] = {
    TW_INFLATE_ZLIB,
#ifdef TW_HAVE_ISAL
    TW_INFLATE_ISAL,
#endif
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void words(bytes *out, size_t size, unsigned seed)
{
    while (out->size < size) {
        seed = seed * 1103515245u + 12345u;
        bytes_put(out, &"abcdefghijklmnopqrstuvwxyz {}[]:,\n"[seed >> 16 & 31], 1);
        if ((seed >> 24) % 7 == 0)
            bytes_put(out, "\"event_type\":\"Checkout Done\"", 28);
    }
}

static void test_every_split_of_every_header_form(void **state)
{
    bytes text = {0};
    unsigned parts;
    size_t step;
    size_t k;

    (void)state;
    words(&text, 700, 1);
    for (parts = 0; parts < 16; parts++) {
        bytes gz = {0};

        make_gzip(&gz, text.data, text.size, 6, parts);
        for (k = 0; k < KINDS; k++) {
            for (step = 1; step <= gz.size; step++) {
                bytes out = {0};
                uint64_t members;

                assert_int_equal(unpack(kinds[k], &gz, step, 97, &out, &members), TW_OK);
                assert_int_equal(members, 1);
                assert_int_equal(out.size, text.size);
                assert_memory_equal(out.data, text.data, text.size);
                bytes_clear(&out);
            }
        }
        bytes_clear(&gz);
    }
    bytes_clear(&text);
}

/* Also an empty member, a stored one and two of one byte: the ends fall anywhere in
 * the bit buffer of the backend. */
static void test_concatenated_members(void **state)
{
    bytes text = {0};
    bytes gz = {0};
    size_t size;
    size_t step;
    size_t k;

    (void)state;
    words(&text, 90, 2);
    for (size = 0; size < 90; size++)
        make_gzip(&gz, text.data, size, (int)(size % 4) * 3, (unsigned)size % 16);
    for (k = 0; k < KINDS; k++) {
        for (step = 1; step < 64; step++) {
            bytes out = {0};
            uint64_t members;
            size_t at = 0;

            assert_int_equal(unpack(kinds[k], &gz, step, 50, &out, &members), TW_OK);
            assert_int_equal(members, 90);
            for (size = 0; size < 90; size++) {
                assert_memory_equal(out.data + at, text.data, size);
                at += size;
            }
            assert_int_equal(out.size, at);
            bytes_clear(&out);
        }
    }
    bytes_clear(&gz);
    bytes_clear(&text);
}

static void test_every_cut_is_seen(void **state)
{
    bytes text = {0};
    bytes gz = {0};
    bytes cut;
    size_t k;

    (void)state;
    words(&text, 300, 3);
    make_gzip(&gz, text.data, text.size, 6, GZ_EXTRA | GZ_NAME | GZ_HCRC);
    cut = gz;
    for (k = 0; k < KINDS; k++) {
        for (cut.size = 1; cut.size < gz.size; cut.size++) {
            bytes out = {0};

            assert_int_equal(unpack(kinds[k], &cut, 13, 100, &out, NULL), TW_E_NETWORK);
            bytes_clear(&out);
        }
    }
    bytes_clear(&gz);
    bytes_clear(&text);
}

/* A changed byte fails, or changes nothing that matters (time, system, name). */
static void test_every_changed_byte_fails_or_is_harmless(void **state)
{
    bytes text = {0};
    bytes gz = {0};
    size_t at;
    size_t k;
    int bit;

    (void)state;
    words(&text, 200, 4);
    make_gzip(&gz, text.data, text.size, 6, GZ_HCRC);
    for (k = 0; k < KINDS; k++) {
        for (at = 0; at < gz.size; at++) {
            for (bit = 0; bit < 8; bit++) {
                bytes out = {0};

                gz.data[at] ^= (char)(1 << bit);
                if (unpack(kinds[k], &gz, 64, 100, &out, NULL) == TW_OK) {
                    /* With a checksum over the header nothing is harmless. */
                    fail_msg("bit %d of byte %zu went unseen", bit, at);
                }
                gz.data[at] ^= (char)(1 << bit);
                bytes_clear(&out);
            }
        }
    }
    bytes_clear(&gz);
    bytes_clear(&text);
}

static void test_bytes_behind_the_end(void **state)
{
    bytes gz = {0};
    size_t k;

    (void)state;
    make_gzip(&gz, "x\n", 2, 6, 0);
    bytes_put(&gz, "0123456789", 10);
    for (k = 0; k < KINDS; k++) {
        bytes out = {0};

        assert_int_equal(unpack(kinds[k], &gz, 5, 100, &out, NULL), TW_E_PROTOCOL);
        bytes_clear(&out);
    }
    bytes_clear(&gz);
}

static void test_large_text_both_ways(void **state)
{
    bytes text = {0};
    bytes gz = {0};
    size_t k;
    int level;

    (void)state;
    words(&text, 3000000, 5);
    for (level = 0; level <= 9; level += 3) {
        gz.size = 0;
        make_gzip(&gz, text.data, text.size, level, 0);
        for (k = 0; k < KINDS; k++) {
            bytes out = {0};

            assert_int_equal(unpack(kinds[k], &gz, 16384, 65536, &out, NULL), TW_OK);
            assert_int_equal(out.size, text.size);
            assert_memory_equal(out.data, text.data, text.size);
            bytes_clear(&out);
        }
    }
    bytes_clear(&gz);
    bytes_clear(&text);
}

static void test_checksums_agree(void **state)
{
    bytes text = {0};
    uint32_t a = 0;
    uint32_t b = 0;
    size_t at = 0;
    size_t n;

    (void)state;
    words(&text, 5000, 6);
    assert_int_equal(tw__crc32(0, "123456789", 9), 0xCBF43926);
    assert_int_equal(tw__crc32(7, "", 0), 7);
    for (n = 0; at + n <= text.size; at += n++) {
        a = tw__crc32(a, text.data + at, n);
        b = tw__crc32_zlib(b, text.data + at, n);
        assert_int_equal(a, b);
    }
    bytes_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split_of_every_header_form),
        cmocka_unit_test(test_concatenated_members),
        cmocka_unit_test(test_every_cut_is_seen),
        cmocka_unit_test(test_every_changed_byte_fails_or_is_harmless),
        cmocka_unit_test(test_bytes_behind_the_end),
        cmocka_unit_test(test_large_text_both_ways),
        cmocka_unit_test(test_checksums_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
