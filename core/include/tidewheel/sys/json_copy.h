/* SPDX-License-Identifier: MIT */
/* Copying text and looking for what JSON wants escaped, in one go. */
#ifndef TIDEWHEEL_SYS_JSON_COPY_H
#define TIDEWHEEL_SYS_JSON_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(TW_PLAIN)
#define TW__SSE2 1
#include <emmintrin.h>
#endif

/* Whether memory past a text may be looked at where it is sure to exist. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TW__SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define TW__SANITIZED 1
#endif
#endif

#define TW__ALWAYS_INLINE static inline __attribute__((always_inline))
#define TW__HIGH_BITS UINT64_C(0x8080808080808080)

/* Bytes JSON wants escaped: control characters, '"' and '\'. */
TW__ALWAYS_INLINE int tw__scan_special(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* The top bit of each special byte; bytes above 0x7F are left out. Exact only up to the first
 * hit, which is all that is asked: a borrow runs upwards. */
TW__ALWAYS_INLINE uint64_t tw__scan_8(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t quote = word ^ (ones * '"');
    uint64_t slash = word ^ (ones * '\\');

    return ((word - ones * 0x20) | (quote - ones) | (slash - ones)) & ~word &
           TW__HIGH_BITS;
}

/*
 * A byte needs a closer look when it is to be escaped or, where the copy is `strict`, when it is
 * above 0x7F: for text that may not be UTF-8, and for text that has no such byte, where the strict
 * way is the cheaper one. Up to TW__COPY_PAST bytes past the text may be overwritten. Loads that
 * overlap cover a length in between, but for the shortest texts: their lengths come in no order,
 * and a branch on a length that was not foreseen costs as much as the copy.
 */
enum { TW__COPY_SHORT = 64, TW__COPY_PAST = 15 };

#ifdef TW__SSE2

TW__ALWAYS_INLINE __m128i tw__scan_load(const char *text)
{
    return _mm_loadu_si128((const __m128i *)(const void *)text);
}

/* The top bit is set in the bytes that need a closer look. With bit 1 flipped, '"' comes next after
 * the control characters, so that one subtraction finds both. */
TW__ALWAYS_INLINE __m128i tw__look(__m128i v, int strict)
{
    __m128i flipped = _mm_xor_si128(v, _mm_set1_epi8(2));
    __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    __m128i low;

    if (strict) /* as signed numbers, those above 0x7F are small as well */
        low = _mm_subs_epi8(flipped, _mm_set1_epi8(0x21));
    else
        low = _mm_cmpeq_epi8(_mm_min_epu8(flipped, _mm_set1_epi8(0x20)), flipped);
    return _mm_or_si128(low, slash);
}

TW__ALWAYS_INLINE int tw__look_found(__m128i looked)
{
    return _mm_movemask_epi8(looked) != 0;
}

TW__ALWAYS_INLINE __m128i tw__copy_vector(char *out, const char *text, int strict)
{
    __m128i v = tw__scan_load(text);

    _mm_storeu_si128((__m128i *)(void *)out, v);
    return tw__look(v, strict);
}

/* Sixteen bytes from `text` on, of which the first `size`, not none, count. What lies behind them
 * in the same page of memory is there to be read. */
TW__ALWAYS_INLINE __m128i tw__load_some(const char *text, size_t size)
{
    char some[16] = {0};

#ifndef TW__SANITIZED
    if (__builtin_expect(((uintptr_t)text & 4095) <= 4096 - sizeof some, 1)) {
        __asm__("" : "+r"(text)); /* the compiler may know how long the text is */
        return tw__scan_load(text);
    }
#endif
    memcpy(some, text, size);
    return tw__scan_load(some);
}

/* One to sixteen bytes. */
TW__ALWAYS_INLINE int tw__copy_to_16(char *out, const char *text, size_t size, int strict)
{
    __m128i v = tw__load_some(text, size);

    _mm_storeu_si128((__m128i *)(void *)out, v);
    return (_mm_movemask_epi8(tw__look(v, strict)) & ((1 << size) - 1)) != 0;
}

TW__ALWAYS_INLINE int tw__copy_16_to_32(char *out, const char *text, size_t size,
                                        int strict)
{
    __m128i first = tw__copy_vector(out, text, strict);
    __m128i last = tw__copy_vector(out + size - 16, text + size - 16, strict);

    return tw__look_found(_mm_or_si128(first, last));
}

TW__ALWAYS_INLINE int tw__copy_32_to_64(char *out, const char *text, size_t size,
                                        int strict)
{
    __m128i first = _mm_or_si128(tw__copy_vector(out, text, strict),
                                 tw__copy_vector(out + 16, text + 16, strict));
    __m128i last =
        _mm_or_si128(tw__copy_vector(out + size - 32, text + size - 32, strict),
                     tw__copy_vector(out + size - 16, text + size - 16, strict));

    return tw__look_found(_mm_or_si128(first, last));
}

#else

TW__ALWAYS_INLINE uint64_t tw__look(uint64_t word, int strict)
{
    return tw__scan_8(word) | (strict ? word & TW__HIGH_BITS : 0);
}

TW__ALWAYS_INLINE int tw__copy_8_to_16(char *out, const char *text, size_t size,
                                       int strict)
{
    uint64_t first;
    uint64_t last;

    memcpy(&first, text, 8);
    memcpy(&last, text + size - 8, 8);
    memcpy(out, &first, 8);
    memcpy(out + size - 8, &last, 8);
    return (tw__look(first, strict) | tw__look(last, strict)) != 0;
}

TW__ALWAYS_INLINE int tw__copy_4_to_7(char *out, const char *text, size_t size,
                                      int strict)
{
    uint32_t first;
    uint32_t last;

    memcpy(&first, text, 4);
    memcpy(&last, text + size - 4, 4);
    memcpy(out, &first, 4);
    memcpy(out + size - 4, &last, 4);
    return tw__look((uint64_t)last << 32 | first, strict) != 0;
}

TW__ALWAYS_INLINE int tw__copy_16_to_32(char *out, const char *text, size_t size,
                                        int strict)
{
    return tw__copy_8_to_16(out, text, 16, strict) |
           tw__copy_8_to_16(out + size - 16, text + size - 16, 16, strict);
}

TW__ALWAYS_INLINE int tw__copy_32_to_64(char *out, const char *text, size_t size,
                                        int strict)
{
    return tw__copy_16_to_32(out, text, 32, strict) |
           tw__copy_16_to_32(out + size - 32, text + size - 32, 32, strict);
}

TW__ALWAYS_INLINE int tw__look_4(uint32_t four, int strict)
{
    return tw__look((uint64_t)four << 32 | four, strict) != 0;
}

/* One to three bytes. */
TW__ALWAYS_INLINE int tw__copy_to_3(char *out, const char *text, size_t size, int strict)
{
    uint16_t first;
    uint16_t last;

    if (size == 1) {
        *out = *text;
        return tw__scan_special((unsigned char)*text) ||
               (strict && (unsigned char)*text >= 0x80);
    }
    memcpy(&first, text, 2);
    memcpy(&last, text + size - 2, 2);
    memcpy(out, &first, 2);
    memcpy(out + size - 2, &last, 2);
    return tw__look_4((uint32_t)last << 16 | first, strict);
}

TW__ALWAYS_INLINE int tw__copy_to_16(char *out, const char *text, size_t size, int strict)
{
    if (size >= 8)
        return tw__copy_8_to_16(out, text, size, strict);
    if (size >= 4)
        return tw__copy_4_to_7(out, text, size, strict);
    return tw__copy_to_3(out, text, size, strict);
}

#endif

/* At most TW__COPY_SHORT bytes; nonzero when one of them needs a closer look. */
TW__ALWAYS_INLINE int tw__copy_short(char *out, const char *text, size_t size, int strict)
{
    if (size - 1 < 16) /* of an empty text nothing is sure to exist */
        return tw__copy_to_16(out, text, size, strict);
    if (size == 0)
        return 0;
    return size <= 32 ? tw__copy_16_to_32(out, text, size, strict)
                      : tw__copy_32_to_64(out, text, size, strict);
}

/* Any length. Returns how many bytes are sure to need no closer look. */
TW__ALWAYS_INLINE size_t tw__copy_plain(char *out, const char *text, size_t size,
                                        int strict)
{
    size_t at = 0;

    while (size - at > TW__COPY_SHORT) {
        if (tw__copy_16_to_32(out + at, text + at, 32, strict))
            return at;
        at += 32;
    }
    return tw__copy_short(out + at, text + at, size - at, strict) ? at : size;
}

#endif
