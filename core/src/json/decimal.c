/* SPDX-License-Identifier: MIT */
/* Decimal text to the nearest double. */
#define _GNU_SOURCE
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include <tidewheel/common.h>

#include "base/alloc.h"
#include "base/wide.h"
#include "json/number.h"
#include "json/powers.h"

enum { MANTISSA_BITS = 52, LEAST_POWER = TW__POWER_FIRST, MOST_POWER = 308 };

static const uint64_t INFINITE = UINT64_C(0x7FF0000000000000);

/* 10^0 to 10^22 are exact doubles. */
static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Below the normal numbers: the 54-bit `m` loses more bits, rounded half to even. */
static uint64_t subnormal(uint64_t m, int below)
{
    if (below >= 64)
        return 0;
    m >>= below;
    return (m + (m & 1)) >> 1; /* a carry into bit 52 is the least normal number */
}

/*
 * The bits of the double nearest to w * 10^q (Lemire, "Number parsing at a gigabyte per
 * second", 2021; Mushtak and Lemire, "Fast number parsing without fallback", 2023, for why
 * 128 bits of 5^q always decide). w is not 0.
 */
static uint64_t nearest(uint64_t w, int q)
{
    const uint64_t *row = tw__powers[q - LEAST_POWER];
    int zeros = __builtin_clzll(w);
    uint64_t second;
    uint64_t high;
    uint64_t low;
    uint64_t m;
    int top;
    int shift;
    int power;

    w <<= zeros;
    low = tw__wide_times(w, row[0], &high);
    if ((high & 0x1FF) == 0x1FF) { /* the lower word may still carry into the kept bits */
        (void)tw__wide_times(w, row[1], &second);
        low += second;
        high += low < second;
    }
    top = (int)(high >> 63);
    shift = top + 64 - MANTISSA_BITS - 3;
    m = high >> shift;
    power = ((217706 * q) >> 16) + 63 + top - zeros + 1023;
    if (power <= 0)
        return subnormal(m, 1 - power);
    /* An exact half is possible for these q alone; it goes to the even side. */
    if (low <= 1 && q >= -4 && q <= 23 && (m & 3) == 1 && m << shift == high)
        m &= ~UINT64_C(1);
    m = (m + (m & 1)) >> 1;
    if (m >> (MANTISSA_BITS + 1) != 0) {
        m >>= 1;
        power++;
    }
    if (power >= 2047)
        return INFINITE;
    return (uint64_t)power << MANTISSA_BITS | (m & ((UINT64_C(1) << MANTISSA_BITS) - 1));
}

static uint64_t nearest_bits(uint64_t w, int64_t q)
{
    if (w == 0 || q < LEAST_POWER)
        return 0;
    return q > MOST_POWER ? INFINITE : nearest(w, (int)q);
}

int tw__number_decimal(double *out, uint64_t mantissa, int64_t exponent, int more)
{
    uint64_t bits;

    if (!more && mantissa <= UINT64_C(1) << 53 && exponent >= -22 && exponent <= 22) {
        /* Both are exact, so the one operation rounds correctly (Clinger, 1990). */
        *out = exponent < 0 ? (double)mantissa / exact[-exponent]
                            : (double)mantissa * exact[exponent];
        return 1;
    }
    bits = nearest_bits(mantissa, exponent);
    if (more && bits != nearest_bits(mantissa + 1, exponent))
        return 0;
    memcpy(out, &bits, sizeof bits);
    return 1;
}

int tw__number_long_real(double *out, const char *text, size_t size)
{
    char *copy = tw__strndup(text, size);
    locale_t plain;

    if (copy == NULL)
        return TW_E_NOMEM;
    plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) {
        tw__free(copy);
        return TW_E_NOMEM;
    }
    *out = strtod_l(copy, NULL, plain);
    freelocale(plain);
    tw__free(copy);
    return TW_OK;
}
