/* SPDX-License-Identifier: MIT */
/* Buckets: days, weeks and months by the local calendar, hours and five minutes by the clock. */
#include "axis.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

#define DAY 86400
#define DAY_MS 86400000LL

int64_t emu_day_start(const emu_zone *z, int64_t day)
{
    return emu_zone_instant(z, day * DAY) * 1000;
}

static int64_t local_seconds(const emu_zone *z, int64_t t)
{
    int64_t s = emu_floor_div(t, 1000);

    return s + emu_zone_offset(z, s);
}

int64_t emu_local_day(const emu_zone *z, int64_t t)
{
    return emu_floor_div(local_seconds(z, t), DAY);
}

int64_t emu_days_later(const emu_zone *z, int64_t t, int64_t days)
{
    int64_t ms = t - emu_floor_div(t, 1000) * 1000;

    return emu_zone_instant(z, local_seconds(z, t) + days * DAY) * 1000 + ms;
}

int64_t emu_period_start(const emu_axis *x, int64_t day)
{
    int64_t y, weekday;
    unsigned m, d;

    if (x->interval == EVERY_WEEK) {
        weekday = day + 3 - emu_floor_div(day + 3, 7) * 7; /* 1 January 1970: Thursday */
        return day - (weekday - x->week_start + 7) % 7;
    }
    if (x->interval != EVERY_MONTH)
        return day;
    emu_civil_from_days(day, &y, &m, &d);
    return day - d + 1;
}

int64_t emu_period_next(const emu_axis *x, int64_t first)
{
    if (x->interval == EVERY_WEEK)
        return first + 7;
    if (x->interval == EVERY_MONTH)
        return emu_period_start(x, first + 31);
    return first + 1;
}

static bool add(emu_axis *x, emu_arena *a, size_t *cap, const emu_bucket *b)
{
    if (x->n == *cap) {
        emu_bucket *grown = emu_arena_grow(a, x->b, x->n, cap, sizeof(*grown));

        if (!grown)
            return false;
        x->b = grown;
    }
    x->b[x->n++] = *b;
    return true;
}

static bool build_days(emu_axis *x, emu_arena *a, size_t *cap)
{
    int64_t day = emu_period_start(x, x->first_day);

    for (size_t i = 0; i < x->pre; i++)
        day = emu_period_start(x, day - 1);
    while (day <= x->last_day) {
        int64_t next = emu_period_next(x, day);
        emu_bucket b = {.a = emu_day_start(x->zone, day),
                        .b = emu_day_start(x->zone, next),
                        .label = day * DAY};

        b.next = b.b;
        if (!add(x, a, cap, &b))
            return false;
        day = next;
    }
    return true;
}

/* From one full hour (or five minutes) of local time to the next. */
static bool build_clock(emu_axis *x, emu_arena *a, size_t *cap)
{
    int64_t unit = -x->interval / 1000, end = x->end / 1000;
    int64_t back = ((int64_t)x->pre * unit + DAY - 1) / DAY + (x->pre > 0);
    int64_t t = emu_day_start(x->zone, x->first_day - back) / 1000;
    size_t before = 0;

    while (t < end) {
        int64_t local = t + emu_zone_offset(x->zone, t);
        int64_t floor = emu_floor_div(local, unit) * unit,
                next = t + unit - (local - floor);
        emu_bucket b = {t * 1000, next * 1000, floor, next * 1000};

        if (!add(x, a, cap, &b))
            return false;
        before += b.b <= x->start;
        t = next;
    }
    if (before > x->pre) { /* whole days were walked back */
        x->b += before - x->pre;
        x->n -= before - x->pre;
    }
    return true;
}

bool emu_axis_build(emu_axis *x, emu_arena *a)
{
    size_t cap = 0;
    bool ok;

    x->n = 0;
    x->b = NULL;
    x->start = emu_day_start(x->zone, x->first_day);
    x->end = emu_day_start(x->zone, x->last_day + 1);
    ok = x->interval < 0 ? build_clock(x, a, &cap) : build_days(x, a, &cap);
    if (!ok || !x->n)
        return false;
    if (x->clip && !x->pre && x->b[0].a < x->start)
        x->b[0].a = x->start;
    if (x->clip && x->b[x->n - 1].b > x->end)
        x->b[x->n - 1].b = x->end;
    return true;
}

size_t emu_axis_find(const emu_axis *x, int64_t t)
{
    size_t lo = 0, hi = x->n;

    if (t < x->b[0].a || t >= x->b[x->n - 1].b)
        return SIZE_MAX;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;

        if (x->b[mid].a <= t)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

void emu_put_iso_day(emu_buf *out, int64_t day)
{
    int64_t y;
    unsigned m, d;

    emu_civil_from_days(day, &y, &m, &d);
    emu_buf_fmt(out, "%04lld-%02u-%02u", (long long)y, m, d);
}

void emu_axis_label(const emu_axis *x, size_t i, emu_buf *out)
{
    int64_t day = emu_floor_div(x->b[i].label, DAY), s = x->b[i].label - day * DAY;

    emu_put_iso_day(out, day);
    if (x->interval < 0)
        emu_buf_fmt(out, "T%02d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60),
                    (int)(s % 60));
}

void emu_axis_write(const emu_axis *x, emu_buf *out)
{
    emu_buf_ch(out, '[');
    for (size_t i = x->pre; i < x->n; i++) {
        emu_buf_z(out, i > x->pre ? ",\"" : "\"");
        emu_axis_label(x, i, out);
        emu_buf_ch(out, '"');
    }
    emu_buf_ch(out, ']');
}

void emu_put_day(emu_buf *out, int64_t day, bool with_year, bool by_month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t y;
    unsigned m, d;

    emu_civil_from_days(day, &y, &m, &d);
    emu_buf_fmt(out, "%.3s", names + 3 * (m - 1));
    if (!by_month)
        emu_buf_fmt(out, " %02u", d);
    if (with_year || by_month)
        emu_buf_fmt(out, by_month ? " %lld" : ", %lld", (long long)y);
}
