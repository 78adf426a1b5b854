/* SPDX-License-Identifier: MIT */
/* What the emulator's secrets are made of: random bytes that may fail to come, and HMAC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include <cmocka.h>

#include "emulator.h"
#include "text.h"

/* The emulator's calls end up here instead of in the C library. */
static int calls, failing;

ssize_t getrandom(void *p, size_t n, unsigned flags)
{
    (void)flags;
    if (++calls == failing)
        return -1;
    memset(p, calls, n);
    return (ssize_t)n;
}

static void no_emulator_starts_without_random_bytes(void **unused)
{
    char err[200];
    int rc = -1;
    twe *e;

    (void)unused;
    for (failing = 1; rc; failing++) {
        calls = 0;
        err[0] = 0;
        rc = twe_start(&e, NULL, err, sizeof(err));
        if (rc) {
            assert_int_equal(calls, failing);
            assert_string_equal(err, "the system gave no random bytes");
        }
    }
    assert_true(calls >= 3); /* the tokens of control port, storage and MCP */
    assert_true(calls < failing);
    twe_stop(e);
}

/* Cases 1, 2 and 6 of RFC 4231. */
static void hmac_gives_the_published_sums(void **unused)
{
    char key[131];
    const struct {
        emu_str key, text;
        const char *sum;
    } cases[] = {
        {{key, 20},
         EMU_LIT("Hi There"),
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {EMU_LIT("Jefe"), EMU_LIT("what do ya want for nothing?"),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {{key, 131},
         EMU_LIT("Test Using Larger Than Block-Size Key - Hash Key First"),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    unsigned char sum[32];
    char hex[65];

    (void)unused;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(key, i == 0 ? 0x0b : 0xaa, sizeof(key));
        emu_hmac_sha256(cases[i].key, cases[i].text, sum);
        emu_hex(hex, sum, sizeof(sum));
        assert_string_equal(hex, cases[i].sum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_emulator_starts_without_random_bytes),
        cmocka_unit_test(hmac_gives_the_published_sums),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
