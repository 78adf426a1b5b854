/* SPDX-License-Identifier: MIT */
/* The two clocks: monotonic for waiting, wall for payloads. */
#define _POSIX_C_SOURCE 200809L
#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t system_ms(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_monotonic_ms(void *ctx)
{
    (void)ctx;
    return system_ms(CLOCK_MONOTONIC);
}

static int64_t system_wall_ms(void *ctx)
{
    (void)ctx;
    return system_ms(CLOCK_REALTIME);
}

static const tw_clock system_clock = {system_monotonic_ms, system_wall_ms, NULL};
static tw_clock current = {system_monotonic_ms, system_wall_ms, NULL};

void tw__clock_set(const tw_clock *clock)
{
    current = clock != NULL ? *clock : system_clock;
}

int64_t tw__monotonic_ms(void)
{
    return current.monotonic_ms(current.ctx);
}

int64_t tw__elapsed_ms(void)
{
#ifdef CLOCK_BOOTTIME
    if (current.monotonic_ms == system_monotonic_ms)
        return system_ms(CLOCK_BOOTTIME);
#endif
    return tw__monotonic_ms();
}

int64_t tw__wall_ms(void)
{
    return current.wall_ms(current.ctx);
}

int64_t tw__ms_add(int64_t a, int64_t b)
{
    if (b > 0 && a > INT64_MAX - b)
        return INT64_MAX;
    if (b < 0 && a < INT64_MIN - b)
        return INT64_MIN;
    return a + b;
}
