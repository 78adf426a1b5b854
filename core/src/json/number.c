/* SPDX-License-Identifier: MIT */
/* Numbers to text. */
#include "json/number.h"

#include <string.h>

#include "base/wide.h"
#include "json/powers.h"

/* The eight digits of a value below 10^8 as bytes 0 to 9, the first one lowest: halves, then
 * quarters, then digits are divided side by side in one word. */
static inline uint64_t digits_8(uint64_t value)
{
    uint64_t word = value / 10000 | (value % 10000) << 32;
    uint64_t upper = (word * 10486 >> 20) & UINT64_C(0x7F0000007F); /* / 100 */

    word = upper | (word - upper * 100) << 16;
    upper = (word * 103 >> 10) & UINT64_C(0x000F000F000F000F); /* / 10 */
    return upper | (word - upper * 10) << 8;
}

static inline void store_8(char *out, uint64_t word)
{
    word |= UINT64_C(0x3030303030303030);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    memcpy(out, &word, sizeof word);
}

/* Digits of a value below 10^8. Told by branches, which are foreseen: where the next text goes
 * must not wait for these digits to be ready. */
static inline unsigned length_8(uint64_t value)
{
    if (value < 10000) {
        if (value < 100)
            return value < 10 ? 1 : 2;
        return value < 1000 ? 3 : 4;
    }
    if (value < 1000000)
        return value < 100000 ? 5 : 6;
    return value < 10000000 ? 7 : 8;
}

/* Below 10^8, without zeros in front. Writes 8 bytes whatever the length. */
static inline char *digits_put_short(char *out, uint64_t value)
{
    unsigned length = length_8(value);

    store_8(out, digits_8(value) >> (8 - length) * 8);
    return out + length;
}

enum { DIGITS_ROOM = 24 }; /* of 20 digits, the first 8 bytes being 4 digits */

/* May write DIGITS_ROOM bytes. */
static char *digits_put(char *out, uint64_t value)
{
    uint64_t upper;

    if (value < 100) {
        unsigned tens = (unsigned)value * 103 >> 10;

        *out = (char)('0' + tens);
        out += value >= 10;
        *out = (char)('0' + value - tens * 10);
        return out + 1;
    }
    if (value < 100000000)
        return digits_put_short(out, value);
    upper = value / 100000000;
    if (upper < 100000000) {
        out = digits_put_short(out, upper);
    } else {
        out = digits_put_short(out, upper / 100000000);
        store_8(out, digits_8(upper % 100000000));
        out += 8;
    }
    store_8(out, digits_8(value % 100000000));
    return out + 8;
}

char *tw__number_int(char *out, int64_t value)
{
    uint64_t size = (uint64_t)value;

    if (value < 0) {
        *out++ = '-';
        size = 0 - size;
    }
    return digits_put(out, size);
}

/* ---- shortest digits ------------------------------------------------------------------ */

typedef struct decimal {
    uint64_t digits; /* at most 17 digits */
    int exponent;    /* value = digits * 10^exponent */
} decimal;

/* floor(log2(10^e)), floor(log10(2^e)), floor(log10(3/4 * 2^e)): exact over the exponents a
 * double has. */
static int log2_of_pow10(int e)
{
    return (e * 1741647) >> 19;
}

static int log10_of_pow2(int e)
{
    return (e * 1262611) >> 22;
}

static int log10_of_three_quarters_pow2(int e)
{
    return (e * 1262611 - 524031) >> 22;
}

/* 10^e scaled to 128 bits and rounded up unless exact. */
static void scaled_power(uint64_t power[2], int e)
{
    const uint64_t *row = tw__powers[e - TW__POWER_FIRST];

    power[0] = row[0];
    power[1] = row[1];
    if (e > 55 || e < -27) {
        power[1]++;
        power[0] += power[1] == 0;
    }
}

/* The upper 64 bits of power * factor / 2^64, with the last bit set where anything was lost:
 * comparisons with multiples of two stay exact. */
static uint64_t times_to_odd(const uint64_t power[2], uint64_t factor)
{
    uint64_t low_high;
    uint64_t high;
    uint64_t low;

    (void)tw__wide_times(power[1], factor, &low_high);
    low = tw__wide_times(power[0], factor, &high);
    low += low_high;
    high += low < low_high;
    return high | (low > 1);
}

/*
 * The shortest decimal in the rounding interval of mantissa * 2^exponent (Giulietti, "The
 * Schubfach way to render doubles", 2021). All is computed in quarters of the last place.
 * `narrow`: the mantissa is a power of two, so that the neighbour below is half as far.
 */
static decimal shortest(uint64_t mantissa, int exponent, int narrow)
{
    int k = narrow ? log10_of_three_quarters_pow2(exponent) : log10_of_pow2(exponent);
    int h = exponent + log2_of_pow10(-k) + 1;
    uint64_t odd = mantissa & 1;
    uint64_t power[2];
    uint64_t lower;
    uint64_t value;
    uint64_t upper;
    uint64_t s;
    uint64_t tens;
    int down;
    int up;

    scaled_power(power, -k);
    lower = times_to_odd(power, (4 * mantissa - 2 + (uint64_t)narrow) << h) + odd;
    value = times_to_odd(power, (4 * mantissa) << h);
    upper = times_to_odd(power, (4 * mantissa + 2) << h) - odd;
    s = value / 4;
    if (s >= 10) {
        tens = s / 10;
        down = lower <= 40 * tens;
        up = 40 * tens + 40 <= upper;
        if (down != up)
            return (decimal){tens + (uint64_t)up, k + 1};
    }
    down = lower <= 4 * s;
    up = 4 * s + 4 <= upper;
    if (down == up) /* both or neither: the closer one, ties to even */
        up = value > 4 * s + 2 || (value == 4 * s + 2 && (s & 1) != 0);
    return (decimal){s + (uint64_t)up, k};
}

static void drop_zeros(decimal *dec)
{
    if (dec->digits % 10 != 0)
        return;
    if (dec->digits % 100000000 == 0) {
        dec->digits /= 100000000;
        dec->exponent += 8;
    }
    if (dec->digits % 10000 == 0) {
        dec->digits /= 10000;
        dec->exponent += 4;
    }
    if (dec->digits % 100 == 0) {
        dec->digits /= 100;
        dec->exponent += 2;
    }
    while (dec->digits % 10 == 0) {
        dec->digits /= 10;
        dec->exponent++;
    }
}

/* Whether a product of a whole number's decimal form may be that number, half a place off. */
static inline int near_whole(double scaled)
{
    double off = scaled - (double)(int64_t)(scaled + 0.5);

    return off * off <= scaled * scaled * 1e-31;
}

/*
 * Prices and the like: a value below 10^9 with up to six decimals. n / 10^k is one correctly
 * rounded operation on exact numbers, so the text n * 10^-k reads back as the value; with at most
 * 15 digits no other decimal of that length does, and the least k leaves no zero at the end.
 */
static int few_decimals(decimal *out, double value)
{
    static const double powers[] = {1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    int k;

    /* Six decimals or fewer are a whole number of millionths; a quick no for all else. */
    if (!(value >= 1e-3 && value < 1e9) || !near_whole(value * 1e6))
        return 0;
    for (k = 0; k < 6; k++) {
        double scaled = value * powers[k];
        int64_t n = (int64_t)(scaled + 0.5);

        if (near_whole(scaled) && (double)n / powers[k] == value) { /* the proof */
            out->digits = (uint64_t)n;
            out->exponent = -1 - k;
            return 1;
        }
    }
    return 0;
}

/* ---- the style of reals --------------------------------------------------------------- */

static char *put_zeros(char *out, int count)
{
    memset(out, '0', (size_t)count);
    return out + count;
}

static char *put_exponent(char *out, int exponent)
{
    *out++ = 'e';
    return tw__number_int(out, exponent);
}

static char *decimal_put(char *out, const decimal *dec)
{
    char text[48] = {0}; /* 17 digits at most, and what fixed copies read after them */
    int size = (int)(digits_put(text, dec->digits) - text);
    int point = size + dec->exponent; /* digits before the decimal point */

    if (point < -3 || point > 16) {
        *out++ = text[0];
        if (size > 1) {
            *out++ = '.';
            memcpy(out, text + 1, 16);
            out += size - 1;
        }
        return put_exponent(out, point - 1);
    }
    if (point <= 0) {
        memcpy(out, "0.000", 5);
        out += 2 - point;
        memcpy(out, text, 17);
        return out + size;
    }
    memcpy(out, text, 16);
    if (point >= size) {
        out = put_zeros(out + size, point - size);
        memcpy(out, ".0", 2);
        return out + 2;
    }
    out[point] = '.';
    memcpy(out + point + 1, text + point, 16);
    return out + size + 1;
}

char *tw__number_real(char *out, double value)
{
    const uint64_t fraction_mask = (UINT64_C(1) << 52) - 1;
    uint64_t bits;
    uint64_t fraction;
    int exponent;
    decimal dec;

    memcpy(&bits, &value, sizeof bits);
    if (bits >> 63 != 0) {
        *out++ = '-';
        bits &= ~(UINT64_C(1) << 63);
        value = -value;
    }
    /* Whole numbers of up to 16 digits are their own shortest text below 2^53. */
    if (value < 9007199254740992.0 && (double)(int64_t)value == value) {
        out = digits_put(out, (uint64_t)value);
        memcpy(out, ".0", 2);
        return out + 2;
    }
    if (few_decimals(&dec, value))
        return decimal_put(out, &dec);
    fraction = bits & fraction_mask;
    exponent = (int)(bits >> 52);
    if (exponent != 0)
        dec = shortest(fraction | (UINT64_C(1) << 52), exponent - 1075,
                       fraction == 0 && exponent > 1);
    else
        dec = shortest(fraction, -1074, 0);
    drop_zeros(&dec);
    return decimal_put(out, &dec);
}
