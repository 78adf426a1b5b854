/* SPDX-License-Identifier: MIT */
/* An allocator that fails at a chosen call and counts what is still held. */
#include "support/oom.h"

#include <stdlib.h>

#include <tidewheel/sys/alloc.h>

static struct {
    long calls;
    long fail_at;
    long held;
    int refused;
} state;

static int refuse(void)
{
    int now = state.fail_at >= 0 && state.calls >= state.fail_at;

    state.calls++;
    state.refused |= now;
    return now;
}

static void *oom_alloc(void *ctx, size_t size)
{
    void *block;

    (void)ctx;
    if (refuse())
        return NULL;
    block = malloc(size);
    state.held += block != NULL;
    return block;
}

static void *oom_resize(void *ctx, void *old, size_t size)
{
    void *block;

    (void)ctx;
    if (refuse())
        return NULL;
    block = realloc(old, size);
    state.held += old == NULL && block != NULL;
    return block;
}

static void oom_release(void *ctx, void *old)
{
    (void)ctx;
    state.held -= old != NULL;
    free(old);
}

void oom_begin(long fail_at)
{
    static const tw_allocator allocator = {oom_alloc, oom_resize, oom_release, NULL};

    state.calls = 0;
    state.fail_at = fail_at;
    state.held = 0;
    state.refused = 0;
    tw_set_allocator(&allocator);
}

int oom_end(long *held)
{
    tw_set_allocator(NULL);
    *held = state.held;
    return state.refused;
}
