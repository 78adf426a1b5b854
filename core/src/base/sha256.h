/* SPDX-License-Identifier: MIT */
/* SHA-256 (FIPS 180-4): names that tell nothing of what they were made from. */
#ifndef TW_BASE_SHA256_H
#define TW_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { TW_SHA256_SIZE = 32 };

typedef struct tw_sha256 {
    uint32_t state[8];
    uint64_t size; /* bytes so far */
    unsigned char block[64];
} tw_sha256;

/* @thread any */
void tw__sha256_init(tw_sha256 *hash);
void tw__sha256_put(tw_sha256 *hash, const void *bytes, size_t size);
/* Wipes the state. */
void tw__sha256_end(tw_sha256 *hash, unsigned char out[TW_SHA256_SIZE]);

#endif
