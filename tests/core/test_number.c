/* SPDX-License-Identifier: MIT */
/* Numbers to text and back, against the C library's own conversions and exact arithmetic. */
#define _GNU_SOURCE
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tidewheel/common.h>

#include "base/wide.h"
#include "support/oom.h"
#include "json/number.h"
#include "json/powers.h"

static uint64_t seed = 20260101;

/* splitmix64: any seed does. */
static uint64_t next_random(void)
{
    uint64_t z = seed += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static double from_bits(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static const char *real_text(double value)
{
    static char text[TW__NUMBER_ROOM + 1];
    char *end = tw__number_real(text, value);

    assert_true(end - text < TW__NUMBER_ROOM);
    *end = '\0';
    return text;
}

static void assert_real(double value, const char *expected)
{
    assert_string_equal(real_text(value), expected);
}

static void reals_have_the_documented_style(void **unused)
{
    (void)unused;
    assert_real(0.0, "0.0");
    assert_real(-0.0, "-0.0");
    assert_real(5.0, "5.0");
    assert_real(-1.5, "-1.5");
    assert_real(0.1, "0.1");
    assert_real(19.99, "19.99");
    assert_real(0.0001, "0.0001");
    assert_real(0.00001, "1e-5");
    assert_real(0.000015, "1.5e-5");
    assert_real(123456789.123, "123456789.123");
    assert_real(9007199254740991.0, "9007199254740991.0");
    assert_real(9007199254740992.0, "9007199254740992.0");
    assert_real(9007199254740994.0, "9007199254740994.0");
    assert_real(9999999999999998.0, "9999999999999998.0");
    assert_real(1e15, "1000000000000000.0");
    assert_real(1e16, "1e16");
    assert_real(1.2e17, "1.2e17");
    assert_real(1e22, "1e22");
    assert_real(1e23, "1e23");
    assert_real(0.1 + 0.2, "0.30000000000000004");
    assert_real(1.0 / 3, "0.3333333333333333");
    assert_real(5e-324, "5e-324");
    assert_real(1.7976931348623157e308, "1.7976931348623157e308");
    assert_real(2.2250738585072014e-308, "2.2250738585072014e-308");
    assert_real(2.225073858507201e-308, "2.225073858507201e-308");
    /* Powers of two, whose lower neighbour is nearer than the upper one. */
    assert_real(ldexp(1, -44), "5.684341886080802e-14");
    assert_real(ldexp(1, 89), "6.189700196426902e26");
    assert_real(9.5367431640625e-7, "9.5367431640625e-7");
    assert_real(-1.2345678901234567e-308, "-1.2345678901234567e-308");
}

static void assert_int(int64_t value, const char *expected)
{
    char text[TW__NUMBER_ROOM + 1];

    *tw__number_int(text, value) = '\0';
    assert_string_equal(text, expected);
}

static void integers_are_exact(void **unused)
{
    char expected[32];
    int64_t power = 1;
    int i;

    (void)unused;
    assert_int(0, "0");
    assert_int(INT64_MAX, "9223372036854775807");
    assert_int(INT64_MIN, "-9223372036854775808");
    for (i = 0; i < 18; i++) { /* every length, both sides of its edge */
        power *= 10;
        snprintf(expected, sizeof expected, "%lld", (long long)power);
        assert_int(power, expected);
        snprintf(expected, sizeof expected, "%lld", (long long)power - 1);
        assert_int(power - 1, expected);
        snprintf(expected, sizeof expected, "%lld", (long long)-power);
        assert_int(-power, expected);
    }
}

/* Significant digits of a number's text, leading and trailing zeros left out. */
static size_t digits_in(char out[32], const char *text)
{
    size_t size = 0;

    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text >= '0' && *text <= '9' && (size != 0 || *text != '0'))
            out[size++] = *text;
    }
    while (size > 0 && out[size - 1] == '0')
        size--;
    out[size] = '\0';
    return size;
}

/* The C library's correctly rounded text with the fewest digits that reads back. */
static void fewest_digits(double value, char *text, size_t room)
{
    int count;

    for (count = 1; count <= 17; count++) {
        snprintf(text, room, "%.*e", count - 1, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

static void assert_shortest(double value)
{
    char other[64];
    char digits[32];
    char other_digits[32];
    const char *text = real_text(value);

    fewest_digits(value, other, sizeof other);
    if (bits_of(strtod(text, NULL)) != bits_of(value))
        fail_msg("%s does not read back as %.17g", text, value);
    /* Beside a power of two the rounded text may miss the interval where another one of
     * that length hits it: then ours is shorter. Else the closest is the rounded one. */
    if (digits_in(digits, text) < digits_in(other_digits, other))
        return;
    if (strcmp(digits, other_digits) != 0)
        fail_msg("%s has other digits than %s", text, other);
}

static void reals_are_shortest(void **unused)
{
    uint64_t exponent;
    int i;

    (void)unused;
    for (exponent = 0; exponent < 2047;
         exponent++) { /* powers of two and their neighbours */
        assert_shortest(from_bits(exponent << 52));
        assert_shortest(from_bits((exponent << 52) + 1));
        assert_shortest(from_bits((exponent << 52) | ((UINT64_C(1) << 52) - 1)));
    }
    for (i = 0; i < 30000; i++) {
        double value = from_bits(next_random());

        if (isfinite(value))
            assert_shortest(value);
        assert_shortest((double)(int64_t)(next_random() >> 30) / 100);
        assert_shortest(from_bits(next_random() >> 12)); /* below the normal numbers */
    }
}

/* Our reading of text our writer made: digits and exponent straight to the decimal step. */
static double read_back(const char *text)
{
    uint64_t mantissa = 0;
    int64_t exponent = 0;
    int negative = *text == '-';
    double value = 0;

    text += negative;
    for (; *text != '\0' && *text != 'e' && *text != '.'; text++)
        mantissa = mantissa * 10 + (uint64_t)(*text - '0');
    if (*text == '.') {
        for (text++; *text != '\0' && *text != 'e'; text++, exponent--)
            mantissa = mantissa * 10 + (uint64_t)(*text - '0');
    }
    if (*text == 'e')
        exponent += strtol(text + 1, NULL, 10);
    assert_int_equal(tw__number_decimal(&value, mantissa, exponent, 0), 1);
    return negative ? -value : value;
}

static void two_million_reals_read_back(void **unused)
{
    int i;

    (void)unused;
    for (i = 0; i < 2000000; i++) {
        double value = from_bits(next_random());
        const char *text;

        if (!isfinite(value))
            continue;
        text = real_text(value);
        if (bits_of(read_back(text)) != bits_of(value))
            fail_msg("%s was read as %.17g, not %.17g", text, read_back(text), value);
    }
}

/* mantissa * 10^exponent as the C library reads it. */
static double library_value(uint64_t mantissa, int exponent)
{
    char text[64];

    snprintf(text, sizeof text, "%llue%d", (unsigned long long)mantissa, exponent);
    return strtod(text, NULL);
}

static void assert_decimal(uint64_t mantissa, int exponent)
{
    double expected = library_value(mantissa, exponent);
    double value = -1;

    assert_int_equal(tw__number_decimal(&value, mantissa, exponent, 0), 1);
    if (bits_of(value) != bits_of(expected))
        fail_msg("%llue%d was read as %.17g, not %.17g", (unsigned long long)mantissa,
                 exponent, value, expected);
}

static void decimals_round_correctly(void **unused)
{
    int exponent;
    int i;

    (void)unused;
    for (exponent = -370; exponent < 330; exponent++) {
        assert_decimal(1, exponent);
        assert_decimal(UINT64_MAX, exponent);
        assert_decimal(UINT64_C(9999999999999999999), exponent);
        for (i = 0; i < 150; i++)
            assert_decimal(next_random() >> next_random() % 64, exponent);
    }
    /* Exact halves, one unit to each side, and the edges of the range. */
    assert_decimal(UINT64_C(9007199254740993), 0);
    assert_decimal(UINT64_C(9007199254740995), 0);
    assert_decimal(UINT64_C(90071992547409930), -1);
    assert_decimal(UINT64_C(9007199254740993), 3);
    assert_decimal(UINT64_C(4503599627370497500), -3);
    assert_decimal(UINT64_C(4503599627370497501), -3);
    assert_decimal(UINT64_C(4503599627370497499), -3);
    assert_decimal(UINT64_C(1125899906842624125), -3);
    assert_decimal(UINT64_C(17976931348623157), 292);
    assert_decimal(UINT64_C(17976931348623158), 292);
    assert_decimal(UINT64_C(17976931348623159), 292);
    assert_decimal(UINT64_C(2225073858507201136), -326);
    assert_decimal(UINT64_C(24703282292062327), -340);
    assert_decimal(UINT64_C(24703282292062328), -340);
    assert_decimal(0, 400);
    assert_decimal(0, -400);
}

static void cut_mantissas_are_settled_or_left(void **unused)
{
    char text[64];
    double value;
    int left = 0;
    int i;

    (void)unused;
    for (i = 0; i < 100000; i++) {
        uint64_t first =
            UINT64_C(1000000000000000000) + next_random() % UINT64_C(9000000000000000000);
        unsigned rest = (unsigned)(next_random() % 1000000) + 1;
        int exponent = (int)(next_random() % 640) - 340;

        snprintf(text, sizeof text, "%llu%06ue%d", (unsigned long long)first, rest,
                 exponent);
        if (!tw__number_decimal(&value, first, exponent + 6, 1)) {
            left++;
            assert_int_equal(tw__number_long_real(&value, text, strlen(text)), TW_OK);
        }
        if (bits_of(value) != bits_of(strtod(text, NULL)))
            fail_msg("%s was read as %.17g", text, value);
    }
    assert_true(left < 1000);
    /* The digit that decides is the 800th. */
    value = -1;
    assert_int_equal(tw__number_decimal(&value, UINT64_C(9007199254740993000), -3, 1), 0);
}

static void a_long_real_survives_failing_memory(void **unused)
{
    long held;
    double value;

    (void)unused;
    oom_begin(0);
    assert_int_equal(tw__number_long_real(&value, "1.5", 3), TW_E_NOMEM);
    assert_true(oom_end(&held));
    assert_int_equal(held, 0);
}

/* A locale with a decimal comma: an installed one, or one compiled into a folder of ours. */
static int comma_locale(char *folder)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8",
                                        "nl_NL.UTF-8"};
    char command[128];
    size_t i;

    for (i = 0; i < sizeof names / sizeof *names; i++) {
        if (setlocale(LC_NUMERIC, names[i]) != NULL)
            return 1;
    }
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command,
             "localedef -c -i de_DE -f UTF-8 %s/de_DE.UTF-8 2>%s/log", folder, folder);
    if (system(command) != 0) /* NOLINT(cert-env33-c): a fixed command of the test */
        return 0;
    setenv("LOCPATH", folder, 1);
    return setlocale(LC_NUMERIC, "de_DE.UTF-8") != NULL;
}

static void the_locale_does_not_matter(void **unused)
{
    char folder[] = "/tmp/tidewheel-locale-XXXXXX";
    char command[64];
    double value;
    int found = comma_locale(folder);

    (void)unused;
    if (found) {
        assert_string_equal(localeconv()->decimal_point, ",");
        assert_real(1234.5, "1234.5");
        assert_int_equal(tw__number_long_real(&value, "1.5", 3), TW_OK);
        assert_true(value == 1.5);
    }
    setlocale(LC_NUMERIC, "C");
    unsetenv("LOCPATH");
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a fixed command */
    if (!found) {
        print_message("no locale with a decimal comma could be had\n");
        skip();
    }
}

/* ---- the table of powers, by plain long arithmetic ------------------------------------- */

enum { WORDS = 32 };

typedef struct big {
    uint32_t word[WORDS]; /* least significant first */
} big;

static void big_times(big *number, uint32_t factor)
{
    uint64_t carry = 0;
    int i;

    for (i = 0; i < WORDS; i++) {
        carry += (uint64_t)number->word[i] * factor;
        number->word[i] = (uint32_t)carry;
        carry >>= 32;
    }
    assert_int_equal(carry, 0);
}

static int big_bits(const big *number)
{
    int i;

    for (i = WORDS - 1; i > 0 && number->word[i] == 0; i--)
        ;
    return i * 32 + 32 - __builtin_clz(number->word[i] | 1);
}

static int big_bit(const big *number, int at)
{
    return at >= 0 && ((number->word[at / 32] >> (at % 32)) & 1) != 0;
}

/* The leading 64 bits from bit `top` downwards. */
static uint64_t big_slice(const big *number, int top)
{
    uint64_t value = 0;
    int i;

    for (i = 0; i < 64; i++)
        value = value << 1 | (uint64_t)big_bit(number, top - 1 - i);
    return value;
}

/* 2^bits - number, for a number below 2^bits. */
static void big_negate(big *number, int bits)
{
    uint64_t carry = 1;
    int i;

    for (i = 0; i < WORDS; i++) {
        carry += ~number->word[i];
        number->word[i] = (uint32_t)carry;
        carry = carry >> 32;
        if (i >= bits / 32)
            number->word[i] &= i == bits / 32 ? (UINT32_C(1) << (bits % 32)) - 1 : 0;
    }
}

static int big_compare(const big *a, const big *b)
{
    int i;

    for (i = WORDS - 1; i > 0 && a->word[i] == b->word[i]; i--)
        ;
    return (a->word[i] > b->word[i]) - (a->word[i] < b->word[i]);
}

/* row * 5^n, compared with 2^(bits of the product rounded up): for a power 5^-n the row is the
 * quotient, cut off or rounded up by at most one. */
static void assert_reciprocal(const uint64_t row[2], const big *power, int up)
{
    big product = {{0}};
    uint32_t parts[4] = {(uint32_t)row[1], (uint32_t)(row[1] >> 32), (uint32_t)row[0],
                         (uint32_t)(row[0] >> 32)};
    int i;
    int j;
    int top;

    for (i = 0; i < 4; i++) {
        uint64_t carry = 0;

        for (j = 0; i + j < WORDS; j++) {
            carry += (uint64_t)power->word[j] * parts[i] + product.word[i + j];
            product.word[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    /* Its distance from the power of two is at most one divisor. Rounded up it is just above,
     * else just below: then the complement, up to the top bit, is the distance. */
    top = big_bits(&product);
    if (up) {
        product.word[(top - 1) / 32] &= ~(UINT32_C(1) << ((top - 1) % 32));
    } else {
        big_negate(&product, top);
    }
    assert_true(big_compare(&product, power) <= 0);
}

static void powers_are_exact(void **unused)
{
    big power = {{1}};
    int q;

    (void)unused;
    for (q = 0; q <= -TW__POWER_FIRST; q++) {
        int top = big_bits(&power);

        if (q <= TW__POWER_LAST) {
            const uint64_t *row = tw__powers[q - TW__POWER_FIRST];

            assert_true(row[0] == big_slice(&power, top));
            assert_true(row[1] == big_slice(&power, top - 64));
        }
        if (q > 0)
            assert_reciprocal(tw__powers[-q - TW__POWER_FIRST], &power, q <= 27);
        if (q < -TW__POWER_FIRST)
            big_times(&power, 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reals_have_the_documented_style),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(reals_are_shortest),
        cmocka_unit_test(two_million_reals_read_back),
        cmocka_unit_test(decimals_round_correctly),
        cmocka_unit_test(cut_mantissas_are_settled_or_left),
        cmocka_unit_test(a_long_real_survives_failing_memory),
        cmocka_unit_test(the_locale_does_not_matter),
        cmocka_unit_test(powers_are_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
