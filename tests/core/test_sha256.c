/* SPDX-License-Identifier: MIT */
/* SHA-256 against the published examples, fed in pieces of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"

/* Examples of FIPS 180-4 ("abc", the 448-bit message) and the empty message. */
static const struct {
    const char *text;
    const char *hash;
} examples[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void hex(char out[65], const unsigned char hash[TW_SHA256_SIZE])
{
    int i;

    for (i = 0; i < TW_SHA256_SIZE; i++)
        snprintf(out + (ptrdiff_t)2 * i, 3, "%02x", hash[i]);
}

static void published_examples_in_all_pieces(void **state)
{
    size_t i;
    size_t piece;

    (void)state;
    for (i = 0; i < sizeof examples / sizeof *examples; i++) {
        size_t size = strlen(examples[i].text);

        for (piece = 1; piece <= size + 1; piece++) {
            unsigned char hash[TW_SHA256_SIZE];
            char text[65];
            tw_sha256 sum;
            size_t at;

            tw__sha256_init(&sum);
            for (at = 0; at < size; at += piece)
                tw__sha256_put(&sum, examples[i].text + at,
                               size - at < piece ? size - at : piece);
            tw__sha256_end(&sum, hash);
            hex(text, hash);
            assert_string_equal(text, examples[i].hash);
        }
    }
}

static void a_million_letters(void **state)
{
    unsigned char hash[TW_SHA256_SIZE];
    char letters[1000];
    char text[65];
    tw_sha256 sum;
    int i;

    (void)state;
    memset(letters, 'a', sizeof letters);
    tw__sha256_init(&sum);
    for (i = 0; i < 1000; i++)
        tw__sha256_put(&sum, letters, sizeof letters);
    tw__sha256_end(&sum, hash);
    hex(text, hash);
    assert_string_equal(
        text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_examples_in_all_pieces),
        cmocka_unit_test(a_million_letters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
