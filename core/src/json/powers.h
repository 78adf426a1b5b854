/* SPDX-License-Identifier: MIT */
/* The leading 128 bits of 5^q, for reading and writing doubles. */
#ifndef TW_JSON_POWERS_H
#define TW_JSON_POWERS_H

#include <stdint.h>

/* 5^-342 and below make nothing of 64 bits; 5^324 scales the smallest double up. */
enum { TW__POWER_FIRST = -342, TW__POWER_LAST = 324 };

/* Most significant word first; what is rounded how: tools/make_powers.py. */
extern const uint64_t tw__powers[TW__POWER_LAST - TW__POWER_FIRST + 1][2];

#endif
