/* SPDX-License-Identifier: MIT */
/* A quick hash for tables in memory; not for what a stranger may choose to collide. */
#ifndef TW_BASE_HASH_H
#define TW_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* @thread any */
uint64_t tw__hash(uint64_t seed, const char *text, size_t size);

#endif
