/* SPDX-License-Identifier: MIT */
/* SHA-256 (FIPS 180-4): names that tell nothing of what they were made from. */
#define _GNU_SOURCE
#include "base/sha256.h"

#include <string.h>

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

static uint32_t turn(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static uint32_t word_get(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void word_put(unsigned char *at, uint32_t value)
{
    at[0] = (unsigned char)(value >> 24);
    at[1] = (unsigned char)(value >> 16);
    at[2] = (unsigned char)(value >> 8);
    at[3] = (unsigned char)value;
}

static void block_add(uint32_t state[8], const unsigned char block[64])
{
    uint32_t w[64];
    uint32_t s[8];
    unsigned i;

    for (i = 0; i < 16; i++)
        w[i] = word_get(block + (size_t)4 * i);
    for (; i < 64; i++) {
        uint32_t a = w[i - 15];
        uint32_t b = w[i - 2];

        w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) + w[i - 7] +
               (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
    }
    memcpy(s, state, sizeof s);
    for (i = 0; i < 64; i++) {
        uint32_t one = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) +
                       ((s[4] & s[5]) ^ (~s[4] & s[6])) + constants[i] + w[i];
        uint32_t two = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) +
                       ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += one;
        s[0] = one + two;
    }
    for (i = 0; i < 8; i++)
        state[i] += s[i];
    explicit_bzero(w, sizeof w);
}

void tw__sha256_init(tw_sha256 *hash)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    memcpy(hash->state, start, sizeof start);
    hash->size = 0;
}

void tw__sha256_put(tw_sha256 *hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;

    while (size > 0) {
        size_t have = (size_t)(hash->size % sizeof hash->block);
        size_t take = sizeof hash->block - have < size ? sizeof hash->block - have : size;

        memcpy(hash->block + have, at, take);
        hash->size += take;
        at += take;
        size -= take;
        if (have + take == sizeof hash->block)
            block_add(hash->state, hash->block);
    }
}

void tw__sha256_end(tw_sha256 *hash, unsigned char out[TW_SHA256_SIZE])
{
    static const unsigned char mark = 0x80;
    static const unsigned char zero = 0;
    uint64_t bits = hash->size * 8;
    unsigned char length[8];
    unsigned i;

    word_put(length, (uint32_t)(bits >> 32));
    word_put(length + 4, (uint32_t)bits);
    tw__sha256_put(hash, &mark, 1);
    while (hash->size % sizeof hash->block != 56)
        tw__sha256_put(hash, &zero, 1);
    tw__sha256_put(hash, length, sizeof length);
    for (i = 0; i < 8; i++)
        word_put(out + (size_t)4 * i, hash->state[i]);
    explicit_bzero(hash, sizeof *hash);
}
