/* SPDX-License-Identifier: MIT */
/* Randomness: kernel bytes, buffered per thread and process so that a fork never repeats any. */
#define _GNU_SOURCE
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/process.h"

/* A getrandom call costs about as much as encoding an event; 256 bytes at a time make it
 * vanish. The pid check throws the parent's bytes away in a forked child. */
enum { POOL = 256 };

static _Thread_local struct {
    unsigned char bytes[POOL];
    size_t left;
    pid_t pid;
} pool;

static void (*source)(void *ctx, void *bytes, size_t size);
static void *source_ctx;

void tw__random_set(void (*fill)(void *ctx, void *bytes, size_t size), void *ctx)
{
    source = fill;
    source_ctx = ctx;
}

static void kernel_fill(void *bytes, size_t size)
{
    unsigned char *at = bytes;

    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            abort(); /* no kernel without it is supported; ids must not repeat */
        at += n;
        size -= (size_t)n;
    }
}

void tw__random(void *bytes, size_t size)
{
    if (source != NULL) {
        source(source_ctx, bytes, size);
        return;
    }
    if (size > POOL) {
        kernel_fill(bytes, size);
        return;
    }
    if (pool.left < size || pool.pid != tw__pid()) {
        kernel_fill(pool.bytes, POOL);
        pool.left = POOL;
        pool.pid = tw__pid();
    }
    pool.left -= size;
    memcpy(bytes, pool.bytes + pool.left, size);
    explicit_bzero(pool.bytes + pool.left, size);
}

uint64_t tw__random_below(uint64_t limit)
{
    uint64_t value;
    uint64_t spare;

    if (limit == 0)
        return 0;
    spare = UINT64_MAX - UINT64_MAX % limit;
    do {
        tw__random(&value, sizeof value);
    } while (value >= spare);
    return value % limit;
}

void tw__random_uuid(char text[36])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char raw[16];
    size_t at = 0;
    size_t i;

    tw__random(raw, sizeof raw);
    raw[6] = (unsigned char)((raw[6] & 0x0F) | 0x40);
    raw[8] = (unsigned char)((raw[8] & 0x3F) | 0x80);
    for (i = 0; i < sizeof raw; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        text[at++] = hex[raw[i] >> 4];
        text[at++] = hex[raw[i] & 15];
    }
}
