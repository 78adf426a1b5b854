/* SPDX-License-Identifier: MIT */
/* The product of two 64-bit words. */
#ifndef TW_BASE_WIDE_H
#define TW_BASE_WIDE_H

#include <stdint.h>

/* Returns the lower half of a * b and puts the upper one into `*high`. */
static inline uint64_t tw__wide_times(uint64_t a, uint64_t b, uint64_t *high)
{
#if defined(__SIZEOF_INT128__) && !defined(TW_PLAIN)
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;

    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
#else
    uint64_t a0 = (uint32_t)a;
    uint64_t a1 = a >> 32;
    uint64_t b0 = (uint32_t)b;
    uint64_t b1 = b >> 32;
    uint64_t low = a0 * b0;
    uint64_t middle = a1 * b0 + (low >> 32);
    uint64_t other = a0 * b1 + (uint32_t)middle;

    *high = a1 * b1 + (middle >> 32) + (other >> 32);
    return (other << 32) | (uint32_t)low;
#endif
}

#endif
