/* SPDX-License-Identifier: MIT */
/* Numbers to text and back, whatever the locale. */
#ifndef TW_JSON_NUMBER_H
#define TW_JSON_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Longest text either writer makes: "-1.2345678901234567e-308" is 24 characters; and the bytes
 * after its end that they may use. */
enum { TW__NUMBER_ROOM = 48 };

/* Both write at `out` (TW__NUMBER_ROOM bytes), without a NUL, and return the end. @thread any */
char *tw__number_int(char *out, int64_t value);

/*
 * The shortest digits that read back as the same double, and of these the closest to it.
 * The style always shows a real: "5.0", "0.0001", "1e16", "1.5e-5", "-0.0". No exponent is
 * used while the first digit's power of ten is in [-4, 15]. `value` must be finite.
 */
char *tw__number_real(char *out, double value);

/*
 * The double nearest to `mantissa` * 10^`exponent`, ties to even. With `more` nonzero the
 * mantissa is the first 19 digits of a longer number, rounded down. Returns 1 and sets `*out`
 * (infinity when it is too large), or 0 where the missing digits decide: see
 * tw__number_long_real. @thread any
 */
int tw__number_decimal(double *out, uint64_t mantissa, int64_t exponent, int more);

/* The double nearest to the unsigned JSON number in `text`, of any length. TW_OK or
 * TW_E_NOMEM. @thread any */
int tw__number_long_real(double *out, const char *text, size_t size);

#endif
