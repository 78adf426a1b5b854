/* SPDX-License-Identifier: MIT */
/* A quick hash for tables in memory; not for what a stranger may choose to collide. */
#include "base/hash.h"

#include <string.h>

uint64_t tw__hash(uint64_t seed, const char *text, size_t size)
{
    const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t word;

    seed ^= size * factor;
    for (; size >= sizeof word; text += sizeof word, size -= sizeof word) {
        memcpy(&word, text, sizeof word);
        seed = (seed ^ word) * factor;
        seed ^= seed >> 32;
    }
    word = 0;
    memcpy(&word, text, size);
    seed = (seed ^ word) * factor;
    return seed ^ seed >> 29;
}
