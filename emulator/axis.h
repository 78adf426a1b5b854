/* SPDX-License-Identifier: MIT */
/* The buckets of a query in the project's time zone. */
#ifndef EMU_AXIS_H
#define EMU_AXIS_H

#include "buf.h"
#include "zone.h"

typedef enum emu_interval {
    EVERY_5_MINUTES = -300000,
    EVERY_HOUR = -3600000,
    EVERY_DAY = 1,
    EVERY_WEEK = 7,
    EVERY_MONTH = 30
} emu_interval;

typedef struct emu_bucket {
    int64_t a, b;  /* [a, b), UTC ms, clipped to the range */
    int64_t label; /* local seconds of its true start */
    int64_t next;  /* UTC ms of its true end */
} emu_bucket;

typedef struct emu_axis {
    const emu_zone *zone;
    int interval, week_start; /* 0 is Monday */
    bool clip;
    int64_t first_day, last_day; /* both inclusive, days since 1970 */
    int64_t start, end;          /* the range, UTC ms */
    size_t pre;                  /* whole buckets before the range, for rolling windows */
    size_t n;                    /* all buckets, those of `pre` included */
    emu_bucket *b;
} emu_axis;

/* Fills start, end, n and b from the rest; false when out of memory. */
bool emu_axis_build(emu_axis *x, emu_arena *a);
/* The bucket a time falls into, SIZE_MAX when none. */
size_t emu_axis_find(const emu_axis *x, int64_t t);
/* Appends YYYY-MM-DD, with THH:MM:SS for intervals below a day. */
void emu_axis_label(const emu_axis *x, size_t i, emu_buf *out);
/* The x values of the range as a JSON array. */
void emu_axis_write(const emu_axis *x, emu_buf *out);

/* UTC ms of the first moment of a local day. */
int64_t emu_day_start(const emu_zone *z, int64_t day);
/* Local day (since 1970) of an instant. */
int64_t emu_local_day(const emu_zone *z, int64_t t);
/* The same local time of day, so many days later. */
int64_t emu_days_later(const emu_zone *z, int64_t t, int64_t days);
/* First day of the week or month that a day is in, and of the next one. */
int64_t emu_period_start(const emu_axis *x, int64_t day);
int64_t emu_period_next(const emu_axis *x, int64_t first);

/* "Mar 01", "Mar 01, 2026" or (by_month) "Mar 2026". */
void emu_put_day(emu_buf *out, int64_t day, bool with_year, bool by_month);
void emu_put_iso_day(emu_buf *out, int64_t day); /* 2026-03-01 */

#endif
