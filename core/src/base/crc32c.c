/* SPDX-License-Identifier: MIT */
/* CRC-32C (Castagnoli): eight tables, or the processor's instruction where it has one, which is
 * asked about three places at once: it takes three cycles, and one may begin in each. */
#include "base/crc32c.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82F63B78U /* 0x1EDC6F41 with its bits reversed */

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_SSE42 1
#endif

/* Made once and only read afterwards: tables[k][b] is the sum of byte b and k zero bytes. */
static uint32_t tables[8][256];
static int have_instruction;
#ifdef HAVE_SSE42
enum { LANE = 128 }; /* bytes of each of the three places */
/* past_lane[k][b] is the state whose byte k is b, all others 0, after LANE zero bytes. */
static uint32_t past_lane[4][256];

static void prepare_lanes(void)
{
    unsigned bit;
    unsigned b;
    unsigned i;

    for (bit = 0; bit < 32; bit++) {
        uint32_t crc = (uint32_t)1 << bit;

        for (i = 0; i < LANE; i++)
            crc = crc >> 8 ^ tables[0][crc & 0xFF];
        for (b = 0; b < 256; b++)
            past_lane[bit / 8][b] ^= (b >> bit % 8 & 1) != 0 ? crc : 0;
    }
}
#endif
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void)
{
    uint32_t crc;
    unsigned b;
    unsigned k;

    for (b = 0; b < 256; b++) {
        crc = b;
        for (k = 0; k < 8; k++)
            crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
        tables[0][b] = crc;
    }
    for (b = 0; b < 256; b++) {
        for (k = 1; k < 8; k++)
            tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xFF];
    }
#ifdef HAVE_SSE42
    have_instruction = __builtin_cpu_supports("sse4.2") != 0;
    prepare_lanes();
#endif
}

static uint32_t by_tables(uint32_t crc, const unsigned char *at, size_t size)
{
    while (size >= 8) {
        crc ^= (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
               (uint32_t)at[3] << 24;
        crc = tables[7][crc & 0xFF] ^ tables[6][crc >> 8 & 0xFF] ^
              tables[5][crc >> 16 & 0xFF] ^ tables[4][crc >> 24] ^ tables[3][at[4]] ^
              tables[2][at[5]] ^ tables[1][at[6]] ^ tables[0][at[7]];
        at += 8;
        size -= 8;
    }
    while (size-- > 0)
        crc = crc >> 8 ^ tables[0][(crc ^ *at++) & 0xFF];
    return crc;
}

#ifdef HAVE_SSE42
static uint32_t skip_lane(uint64_t crc)
{
    return past_lane[0][crc & 0xFF] ^ past_lane[1][crc >> 8 & 0xFF] ^
           past_lane[2][crc >> 16 & 0xFF] ^ past_lane[3][crc >> 24 & 0xFF];
}

static uint64_t word_at(const unsigned char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t crc, const unsigned char *at, size_t size)
{
    uint64_t wide = crc;

    for (; size >= 3 * LANE; at += 3 * LANE, size -= 3 * LANE) {
        uint64_t second = 0;
        uint64_t third = 0;
        size_t i;

        for (i = 0; i < LANE; i += 8) {
            wide = __builtin_ia32_crc32di(wide, word_at(at + i));
            second = __builtin_ia32_crc32di(second, word_at(at + LANE + i));
            third = __builtin_ia32_crc32di(third, word_at(at + 2 * LANE + i));
        }
        wide = skip_lane(skip_lane(wide) ^ second) ^ third;
    }
    for (; size >= 8; at += 8, size -= 8)
        wide = __builtin_ia32_crc32di(wide, word_at(at));
    crc = (uint32_t)wide;
    while (size-- > 0)
        crc = __builtin_ia32_crc32qi(crc, *at++);
    return crc;
}
#endif

uint32_t tw__crc32c_portable(uint32_t crc, const void *bytes, size_t size)
{
    pthread_once(&once, prepare);
    return ~by_tables(~crc, bytes, size);
}

uint32_t tw__crc32c(uint32_t crc, const void *bytes, size_t size)
{
    pthread_once(&once, prepare);
#ifdef HAVE_SSE42
    if (have_instruction)
        return ~by_instruction(~crc, bytes, size);
#endif
    return ~by_tables(~crc, bytes, size);
}
