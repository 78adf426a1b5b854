/* SPDX-License-Identifier: MIT */
/* A quick hash for tables in memory; not for what a stranger may choose to collide. */
#include "base/hash.h"

#include <string.h>

#include "base/wide.h"

static const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
static const uint64_t other = UINT64_C(0xC2B2AE3D27D4EB4F);

static inline uint64_t word_at(const char *text)
{
    uint64_t word;

    memcpy(&word, text, sizeof word);
    return word;
}

/* Every bit of two words into one. */
static inline uint64_t fold(uint64_t a, uint64_t b)
{
    uint64_t high;
    uint64_t low = tw__wide_times(a, b, &high);

    return low ^ high;
}

static inline uint64_t step(uint64_t seed, const char *text)
{
    return fold(seed ^ word_at(text), other ^ word_at(text + 8));
}

uint64_t tw__hash(uint64_t seed, const char *text, size_t size)
{
    char last[16] = {0};
    uint64_t beside;

    seed = (seed ^ size) * factor;
    beside = seed;
    /* Two at a time: a product has to wait for the one before it. */
    for (; size >= 32; text += 32, size -= 32) {
        seed = step(seed, text);
        beside = step(beside, text + 16);
    }
    seed ^= beside * factor;
    if (size >= 16) {
        seed = step(seed, text);
        text += 16;
        size -= 16;
    }
    memcpy(last, text, size);
    seed = step(seed, last);
    return seed ^ seed >> 29;
}
