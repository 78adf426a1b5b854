/* SPDX-License-Identifier: MIT */
/* Numbers to text. */
#include "json/number.h"

#include <string.h>

#include "json/powers.h"
#include "json/wide.h"

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

/* Writes `value` so that it ends before `end`; returns its first character. */
static char *digits_before(char *end, uint64_t value)
{
    while (value >= 100) {
        end -= 2;
        memcpy(end, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, pairs + value * 2, 2);
    } else {
        *--end = (char)('0' + value);
    }
    return end;
}

static char *digits_put(char *out, uint64_t value)
{
    char text[20];
    const char *first;
    size_t size;

    if (value < 10) {
        *out = (char)('0' + value);
        return out + 1;
    }
    first = digits_before(text + sizeof text, value);
    size = (size_t)(text + sizeof text - first);
    memcpy(out, first, size);
    return out + size;
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

/*
 * Prices and the like: a value below 10^9 with up to six decimals. n / 10^k is one correctly
 * rounded operation on exact numbers, so the text n * 10^-k reads back as the value; with at most
 * 15 digits no other decimal of that length does, and the least k leaves no zero at the end.
 */
static int few_decimals(decimal *out, double value)
{
    static const double powers[] = {1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    int k;

    if (!(value >= 1e-3 && value < 1e9))
        return 0;
    for (k = 0; k < 6; k++) {
        double scaled = value * powers[k];
        int64_t n = (int64_t)(scaled + 0.5);
        double off = scaled - (double)n;

        /* The product may be off by half a place; the division is the proof. */
        if (off * off <= scaled * scaled * 1e-31 && (double)n / powers[k] == value) {
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
    char text[20];
    const char *first = digits_before(text + sizeof text, dec->digits);
    int size = (int)(text + sizeof text - first);
    int point = size + dec->exponent; /* digits before the decimal point */

    if (point < -3 || point > 16) {
        *out++ = *first;
        if (size > 1) {
            *out++ = '.';
            memcpy(out, first + 1, (size_t)size - 1);
            out += size - 1;
        }
        return put_exponent(out, point - 1);
    }
    if (point <= 0) {
        *out++ = '0';
        *out++ = '.';
        out = put_zeros(out, -point);
        memcpy(out, first, (size_t)size);
        return out + size;
    }
    if (point >= size) {
        memcpy(out, first, (size_t)size);
        out = put_zeros(out + size, point - size);
        *out++ = '.';
        *out++ = '0';
        return out;
    }
    memcpy(out, first, (size_t)point);
    out[point] = '.';
    memcpy(out + point + 1, first + point, (size_t)(size - point));
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
