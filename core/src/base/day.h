/* SPDX-License-Identifier: MIT */
/* Days of the calendar. */
#ifndef TW_BASE_DAY_H
#define TW_BASE_DAY_H

#include <stddef.h>
#include <stdint.h>

enum { TW_DAY_TEXT = 8 };

/* The eight digits YYYYMMDD as days since 1970-01-01. Nonzero when they name a day that exists,
 * not before 1970. @thread any */
int tw__day_parse(int64_t *day, const char *text, size_t size);

#endif
