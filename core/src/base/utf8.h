/* SPDX-License-Identifier: MIT */
/* UTF-8: checking and counting. */
#ifndef TW_BASE_UTF8_H
#define TW_BASE_UTF8_H

#include <stddef.h>

/* Offset of the first byte that is not part of well-formed UTF-8 (RFC 3629: no overlong forms,
 * no surrogates, nothing past U+10FFFF); `size` when all is well. @thread any */
size_t tw__utf8_check(const char *text, size_t size);

/* Puts '?' in the place of every byte that is not part of well-formed UTF-8. @thread any */
void tw__utf8_repair(char *text);

/* Code points of well-formed UTF-8. */
size_t tw__utf8_count(const char *text, size_t size);

#endif
