/* SPDX-License-Identifier: MIT */
/* UTF-8: checking and counting. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static const uint64_t HIGH_BITS = UINT64_C(0x8080808080808080);

static uint64_t load8(const char *text)
{
    uint64_t word;

    memcpy(&word, text, sizeof word);
    return word;
}

/* Bytes of the sequence that starts at `s`, 0 when it is malformed or cut off. The second
 * byte's range excludes overlong forms, surrogates and what lies past U+10FFFF
 * (Unicode 15, table 3-7). */
static size_t sequence(const unsigned char *s, size_t left)
{
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    size_t size;

    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    size = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (left < size)
        return 0;
    if (s[0] == 0xE0)
        low = 0xA0;
    else if (s[0] == 0xED)
        high = 0x9F;
    else if (s[0] == 0xF0)
        low = 0x90;
    else if (s[0] == 0xF4)
        high = 0x8F;
    if (s[1] < low || s[1] > high)
        return 0;
    if (size > 2 && (s[2] & 0xC0) != 0x80)
        return 0;
    if (size > 3 && (s[3] & 0xC0) != 0x80)
        return 0;
    return size;
}

size_t tw__utf8_check(const char *text, size_t size)
{
    size_t at = 0;

    while (at < size) {
        size_t n;

        if (((unsigned char)text[at] & 0x80) == 0) {
            while (size - at >= 8 && (load8(text + at) & HIGH_BITS) == 0)
                at += 8;
            while (at < size && ((unsigned char)text[at] & 0x80) == 0)
                at++;
            continue;
        }
        n = sequence((const unsigned char *)text + at, size - at);
        if (n == 0)
            return at;
        at += n;
    }
    return size;
}

size_t tw__utf8_count(const char *text, size_t size)
{
    size_t count = size;
    size_t at = 0;

    /* Every byte counts but the continuation bytes 10xxxxxx. */
    for (; size - at >= 8; at += 8) {
        uint64_t word = load8(text + at);

        word = (word & HIGH_BITS) & (~word << 1);
        count -= (size_t)(((word >> 7) * UINT64_C(0x0101010101010101)) >> 56);
    }
    for (; at < size; at++)
        count -= ((unsigned char)text[at] & 0xC0) == 0x80;
    return count;
}

void tw__utf8_repair(char *text)
{
    size_t left = strlen(text);

    for (;;) {
        size_t good = tw__utf8_check(text, left);

        if (good == left)
            return;
        text[good] = '?';
        text += good + 1;
        left -= good + 1;
    }
}
