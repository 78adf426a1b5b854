/* SPDX-License-Identifier: MIT */
/* Clocks that stand still until the test moves them, and randomness that is known. */
#include "support/fake_time.h"

#include <string.h>

#include "base/clock.h"
#include "base/random.h"

static int64_t monotonic, wall;
static unsigned char random_byte;

static int64_t read_monotonic(void *ctx)
{
    (void)ctx;
    return monotonic;
}

static int64_t read_wall(void *ctx)
{
    (void)ctx;
    return wall;
}

static void fill(void *ctx, void *bytes, size_t size)
{
    (void)ctx;
    memset(bytes, random_byte, size);
}

void fake_time_begin(void)
{
    static const tw_clock clock = {read_monotonic, read_wall, NULL};

    monotonic = 1000000;
    wall = INT64_C(1795392000000);
    random_byte = 0;
    tw__clock_set(&clock);
    tw__random_set(fill, NULL);
}

void fake_time_end(void)
{
    tw__clock_set(NULL);
    tw__random_set(NULL, NULL);
}

void fake_time_pass(int64_t ms)
{
    monotonic += ms;
    wall += ms;
}

void fake_random_byte(unsigned char byte)
{
    random_byte = byte;
}
