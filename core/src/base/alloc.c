/* SPDX-License-Identifier: MIT */
/* All memory of the core comes from here. */
#define _DEFAULT_SOURCE
#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tidewheel/sys/alloc.h>

static void *malloc_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *malloc_resize(void *ctx, void *old, size_t size)
{
    (void)ctx;
    return realloc(old, size);
}

static void malloc_release(void *ctx, void *old)
{
    (void)ctx;
    free(old);
}

static const tw_allocator malloc_allocator = {malloc_alloc, malloc_resize, malloc_release,
                                              NULL};
static tw_allocator current = {malloc_alloc, malloc_resize, malloc_release, NULL};

void tw_set_allocator(const tw_allocator *allocator)
{
    current = allocator != NULL ? *allocator : malloc_allocator;
}

void *tw__alloc(size_t size)
{
    return current.alloc(current.ctx, size != 0 ? size : 1);
}

void *tw__alloc_zero(size_t count, size_t size)
{
    void *p;

    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    p = tw__alloc(count * size);
    if (p != NULL)
        memset(p, 0, count * size);
    return p;
}

void *tw__realloc(void *old, size_t size)
{
    return current.resize(current.ctx, old, size != 0 ? size : 1);
}

void tw__free(void *old)
{
    if (old != NULL)
        current.release(current.ctx, old);
}

char *tw__strndup(const char *text, size_t size)
{
    char *copy;

    if (size == SIZE_MAX)
        return NULL;
    copy = tw__alloc(size + 1);
    if (copy == NULL)
        return NULL;
    if (size != 0)
        memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

char *tw__strdup(const char *text)
{
    return text != NULL ? tw__strndup(text, strlen(text)) : NULL;
}

void tw__free_secret(void *old, size_t size)
{
    if (old != NULL)
        explicit_bzero(old, size);
    tw__free(old);
}
