/* SPDX-License-Identifier: MIT */
/* All memory of the core comes from here. */
#ifndef TW_BASE_ALLOC_H
#define TW_BASE_ALLOC_H

#include <stddef.h>

/* Sizes of 0 give a valid pointer. @thread any */
void *tw__alloc(size_t size);
void *tw__alloc_zero(size_t count, size_t size); /* NULL when count * size overflows */
void *tw__realloc(void *old, size_t size);
void tw__free(void *old);
char *tw__strndup(const char *text, size_t size); /* NUL-terminated copy */
char *tw__strdup(const char *text);               /* NULL gives NULL */

/* Frees what may be a secret after wiping it. */
void tw__free_secret(void *old, size_t size);

#endif
