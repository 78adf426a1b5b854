/* SPDX-License-Identifier: MIT */
/* Randomness: kernel bytes, buffered per process so that a fork never repeats any. */
#ifndef TW_BASE_RANDOM_H
#define TW_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Tests put a deterministic source in place; NULL restores the kernel's. */
void tw__random_set(void (*fill)(void *ctx, void *bytes, size_t size), void *ctx);
void tw__random(void *bytes, size_t size);
uint64_t tw__random_below(uint64_t limit); /* uniform in [0, limit); 0 for limit 0 */
/* Version 4 UUID, 36 characters, no NUL. */
void tw__random_uuid(char text[36]);

#endif
