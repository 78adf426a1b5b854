/* SPDX-License-Identifier: MIT */
/* SHA-1 (for version 5 UUIDs), SHA-256 (for body fingerprints), FIPS 180-4, and HMAC over it. */
#include <string.h>

#include "text.h"

static uint32_t rol(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

typedef void block_fn(uint32_t *h, const unsigned char *p);

static void sha1_block(uint32_t *h, const unsigned char *p)
{
    static const uint32_t k[4] = {0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6};
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    for (int i = 0; i < 80; i++)
        w[i] = i < 16 ? be32(p + 4 * i)
                      : rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20              ? (b & c) | (~b & d)
                     : i >= 40 && i < 60 ? (b & c) | (b & d) | (c & d)
                                         : b ^ c ^ d;
        uint32_t t = rol(a, 5) + f + e + k[i / 20] + w[i];

        e = d;
        d = c;
        c = rol(b, 30);
        b = a;
        a = t;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

static const uint32_t K256[64] = {
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

static void sha256_block(uint32_t *h, const unsigned char *p)
{
    uint32_t w[64], v[8];

    for (int i = 0; i < 64; i++) {
        uint32_t s0, s1;

        if (i < 16) {
            w[i] = be32(p + 4 * i);
            continue;
        }
        s0 = rol(w[i - 15], 25) ^ rol(w[i - 15], 14) ^ w[i - 15] >> 3;
        s1 = rol(w[i - 2], 15) ^ rol(w[i - 2], 13) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(v, h, sizeof(v));
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = rol(v[4], 26) ^ rol(v[4], 21) ^ rol(v[4], 7);
        uint32_t s0 = rol(v[0], 30) ^ rol(v[0], 19) ^ rol(v[0], 10);
        uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K256[i] + w[i];
        uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

        memmove(v + 1, v, 7 * sizeof(v[0]));
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        h[i] += v[i];
}

/* Merkle-Damgard frame shared by both. */
static void digest(block_fn *block, uint32_t *h, size_t words, const unsigned char *p,
                   size_t n, unsigned char *out)
{
    unsigned char tail[128] = {0};
    uint64_t bits = (uint64_t)n * 8;
    size_t rest, len;

    for (rest = n; rest >= 64; rest -= 64, p += 64)
        block(h, p);
    if (rest)
        memcpy(tail, p, rest);
    tail[rest] = 0x80;
    len = rest < 56 ? 64 : 128;
    for (int i = 0; i < 8; i++)
        tail[len - 1 - (size_t)i] = (unsigned char)(bits >> (8 * i));
    block(h, tail);
    if (len == 128)
        block(h, tail + 64);
    for (size_t i = 0; i < words * 4; i++)
        out[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

void emu_sha1(const void *p, size_t n, unsigned char out[20])
{
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};

    digest(sha1_block, h, 5, p, n, out);
}

void emu_sha256(const void *p, size_t n, unsigned char out[32])
{
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    digest(sha256_block, h, 8, p, n, out);
}

/* RFC 2104. The inner hash is of key and text, the outer one of key and inner hash, so that nobody
 * who knows a signature can go on from it. */
void emu_hmac_sha256(emu_str key, emu_str text, unsigned char out[32])
{
    unsigned char pad[64] = {0}, outer[96];
    emu_buf inner = {0};

    if (key.n > sizeof(pad))
        emu_sha256(key.s, key.n, pad);
    else
        memcpy(pad, key.s, key.n);
    for (size_t i = 0; i < sizeof(pad); i++) {
        outer[i] = pad[i] ^ 0x5c;
        pad[i] ^= 0x36;
    }
    emu_buf_put(&inner, pad, sizeof(pad));
    emu_buf_str(&inner, text);
    emu_sha256(inner.p, inner.n, outer + 64);
    emu_buf_free(&inner);
    emu_sha256(outer, sizeof(outer), out);
}
