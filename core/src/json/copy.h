/* SPDX-License-Identifier: MIT */
/* Copying text and looking for what JSON wants escaped, in one go. */
#ifndef TW_JSON_COPY_H
#define TW_JSON_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "json/scan.h"

#define TW__ALWAYS_INLINE static inline __attribute__((always_inline))

/*
 * A byte needs a closer look when it is to be escaped or, where the text may not be UTF-8, when
 * it is above 0x7F: `deny` is then all ones, else 0. Nothing is read or written past the text;
 * two loads that overlap cover a length in between.
 */

TW__ALWAYS_INLINE uint64_t tw__word_look(uint64_t word, uint64_t deny)
{
    return tw__scan_8(word) | (word & TW__HIGH_BITS & deny);
}

#ifdef TW__SSE2

TW__ALWAYS_INLINE unsigned tw__vector_look(__m128i v, uint64_t deny)
{
    unsigned high;
    unsigned found = tw__scan_16(v, &high);

    return found | (high & (unsigned)deny);
}

TW__ALWAYS_INLINE uint64_t tw__copy_8_to_16(char *out, const char *text, size_t size,
                                            uint64_t deny)
{
    __m128i first = _mm_loadl_epi64((const __m128i *)(const void *)text);
    __m128i last = _mm_loadl_epi64((const __m128i *)(const void *)(text + size - 8));

    _mm_storel_epi64((__m128i *)(void *)out, first);
    _mm_storel_epi64((__m128i *)(void *)(out + size - 8), last);
    return tw__vector_look(_mm_unpacklo_epi64(first, last), deny);
}

TW__ALWAYS_INLINE uint64_t tw__copy_4_to_7(char *out, const char *text, size_t size,
                                           uint64_t deny)
{
    int32_t first;
    int32_t last;
    __m128i v;

    memcpy(&first, text, 4);
    memcpy(&last, text + size - 4, 4);
    memcpy(out, &first, 4);
    memcpy(out + size - 4, &last, 4);
    v = _mm_unpacklo_epi32(_mm_cvtsi32_si128(first), _mm_cvtsi32_si128(last));
    return tw__vector_look(_mm_unpacklo_epi64(v, v), deny);
}

TW__ALWAYS_INLINE uint64_t tw__look_4(uint32_t four, uint64_t deny)
{
    return tw__vector_look(_mm_set1_epi32((int32_t)four), deny);
}

/* Sixteen bytes. */
TW__ALWAYS_INLINE uint64_t tw__copy_16(char *out, const char *text, uint64_t deny)
{
    __m128i v = tw__scan_load(text);

    _mm_storeu_si128((__m128i *)(void *)out, v);
    return tw__vector_look(v, deny);
}

#else

TW__ALWAYS_INLINE uint64_t tw__copy_8_to_16(char *out, const char *text, size_t size,
                                            uint64_t deny)
{
    uint64_t first;
    uint64_t last;

    memcpy(&first, text, 8);
    memcpy(&last, text + size - 8, 8);
    memcpy(out, &first, 8);
    memcpy(out + size - 8, &last, 8);
    return tw__word_look(first, deny) | tw__word_look(last, deny);
}

TW__ALWAYS_INLINE uint64_t tw__copy_4_to_7(char *out, const char *text, size_t size,
                                           uint64_t deny)
{
    uint32_t first;
    uint32_t last;

    memcpy(&first, text, 4);
    memcpy(&last, text + size - 4, 4);
    memcpy(out, &first, 4);
    memcpy(out + size - 4, &last, 4);
    return tw__word_look((uint64_t)last << 32 | first, deny);
}

TW__ALWAYS_INLINE uint64_t tw__look_4(uint32_t four, uint64_t deny)
{
    return tw__word_look((uint64_t)four << 32 | four, deny);
}

TW__ALWAYS_INLINE uint64_t tw__copy_16(char *out, const char *text, uint64_t deny)
{
    return tw__copy_8_to_16(out, text, 16, deny);
}

#endif

/* One to three bytes. */
TW__ALWAYS_INLINE uint64_t tw__copy_to_3(char *out, const char *text, size_t size,
                                         uint64_t deny)
{
    uint16_t first;
    uint16_t last;

    if (size == 1) {
        *out = *text;
        return (uint64_t)tw__scan_special((unsigned char)*text) |
               ((unsigned char)*text & 0x80 & deny);
    }
    memcpy(&first, text, 2);
    memcpy(&last, text + size - 2, 2);
    memcpy(out, &first, 2);
    memcpy(out + size - 2, &last, 2);
    return tw__look_4((uint32_t)last << 16 | first, deny);
}

enum { TW__COPY_SHORT = 32 };

/* At most TW__COPY_SHORT bytes; nonzero when one of them needs a closer look. */
TW__ALWAYS_INLINE uint64_t tw__copy_short(char *out, const char *text, size_t size,
                                          uint64_t deny)
{
    if (size > 16)
        return tw__copy_16(out, text, deny) |
               tw__copy_16(out + size - 16, text + size - 16, deny);
    if (size >= 8)
        return tw__copy_8_to_16(out, text, size, deny);
    if (size >= 4)
        return tw__copy_4_to_7(out, text, size, deny);
    return size != 0 ? tw__copy_to_3(out, text, size, deny) : 0;
}

/* Any length. Returns how many bytes are sure to need no closer look. */
TW__ALWAYS_INLINE size_t tw__copy_plain(char *out, const char *text, size_t size,
                                        uint64_t deny)
{
    size_t at = 0;

    while (size - at > TW__COPY_SHORT) {
        if (tw__copy_16(out + at, text + at, deny) != 0)
            return at;
        at += 16;
    }
    return tw__copy_short(out + at, text + at, size - at, deny) == 0 ? size : at;
}

#endif
