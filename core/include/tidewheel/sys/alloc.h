/* SPDX-License-Identifier: MIT */
/* The allocator seam: a weaker promise than the rest, meant for tests and embedders. */
#ifndef TIDEWHEEL_SYS_ALLOC_H
#define TIDEWHEEL_SYS_ALLOC_H

#include <tidewheel/common.h>

TW_BEGIN_DECLS

typedef struct tw_allocator {
    void *(*alloc)(void *ctx, size_t size);
    void *(*resize)(void *ctx, void *old, size_t size);
    void (*release)(void *ctx, void *old);
    void *ctx;
} tw_allocator;

/** Replaces the allocator of all clients; call before anything else, NULL restores malloc. */
TW_API void tw_set_allocator(const tw_allocator *allocator);

TW_END_DECLS

#endif
