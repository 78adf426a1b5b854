/* SPDX-License-Identifier: MIT */
/* How far apart two names are, for "did you mean". */
#ifndef TW_BASE_DISTANCE_H
#define TW_BASE_DISTANCE_H

#include <stddef.h>

enum { TW_DISTANCE_MOST = 32 };

/* Edits from one name to the other (Levenshtein); TW_DISTANCE_MOST where one of them is longer
 * than that. @thread any */
unsigned tw__distance(const char *a, size_t a_size, const char *b, size_t b_size);

#endif
