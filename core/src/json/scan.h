/* SPDX-License-Identifier: MIT */
/* Looking through strings sixteen bytes at a time where SSE2 is there, else eight. */
#ifndef TW_JSON_SCAN_H
#define TW_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tidewheel/sys/json_copy.h>

#ifdef TW__SSE2

/* A bit for each special byte; those above 0x7F get their bits in `*high`. */
static inline unsigned tw__scan_16(__m128i v, unsigned *high)
{
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v);

    *high = (unsigned)_mm_movemask_epi8(v);
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), control));
}

/* A bit for each byte that is special or above 0x7F: as signed numbers both kinds are small. */
static inline unsigned tw__scan_16_strict(__m128i v)
{
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    __m128i small = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), small));
}

#endif

/* The first special byte of [p, end), `end` if there is none. `*high` becomes nonzero when a
 * byte above 0x7F was passed. */
static inline const char *tw__scan_string(const char *p, const char *end, unsigned *high)
{
#ifdef TW__SSE2
    while (end - p >= 16) {
        unsigned above;
        unsigned found = tw__scan_16(tw__scan_load(p), &above);

        if (found != 0) {
            *high |= above & (found - 1) & ~found;
            return p + __builtin_ctz(found);
        }
        *high |= above;
        p += 16;
    }
#else
    while (end - p >= 8) {
        uint64_t word;

        memcpy(&word, p, sizeof word);
        if (tw__scan_8(word) != 0)
            break;
        *high |= (word & TW__HIGH_BITS) != 0;
        p += 8;
    }
#endif
    for (; p < end && !tw__scan_special((unsigned char)*p); p++)
        *high |= (unsigned char)*p & 0x80u;
    return p;
}

#endif
