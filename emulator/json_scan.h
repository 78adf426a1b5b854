/* SPDX-License-Identifier: MIT */
/* Byte classes and the fast run over plain string bytes, for the two halves of the reader. */
#ifndef EMU_JSON_SCAN_H
#define EMU_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ONES 0x0101010101010101ULL
#define HIGH 0x8080808080808080ULL

static inline bool ej_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool ej_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Skips eight plain bytes at a time: no quote, backslash, control or non-ASCII byte. */
static inline const char *ej_plain_run(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t w, q, b;

        memcpy(&w, p, 8);
        q = w ^ (ONES * '"');
        b = w ^ (ONES * '\\');
        if ((w | ((w - ONES * 0x20) & ~w) | ((q - ONES) & ~q) | ((b - ONES) & ~b)) & HIGH)
            break;
        p += 8;
    }
    return p;
}

static inline int ej_hex_of(char c)
{
    if (ej_is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
