/* SPDX-License-Identifier: MIT */
/* Reading TZif files (RFC 8536) and the rule text at their end. */
#include "zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define ZONE_DIR "/usr/share/zoneinfo/"
#define FILE_MAX 1000000
#define DAY 86400

/* When summer time starts or ends in each year, as local standard or summer time says. */
typedef struct change {
    char kind; /* 'M' month.week.day, 'J' day without 29 February, '0' day of the year */
    int month, week, day;
    int64_t seconds; /* after midnight, may be negative or beyond a day */
} change;

struct emu_zone {
    char name[64];
    size_t n;
    int64_t *at;     /* instants of the transitions, ascending */
    int32_t *offset; /* offset[i] holds from at[i] on */
    int32_t first;   /* offset before at[0] */
    bool ruled, summer;
    int64_t standard, saving; /* offsets of the rule */
    change begin, end;
};

int64_t emu_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* --- the rule text: std offset [dst [offset] , start [/time] , end [/time]] --- */

static bool skip_name(const char **p)
{
    const char *start = *p;

    if (**p == '<') {
        while (**p && **p != '>')
            (*p)++;
        return *(*p)++ == '>';
    }
    while ((**p | 32) >= 'a' && (**p | 32) <= 'z')
        (*p)++;
    return *p - start >= 3;
}

static bool read_number(const char **p, int64_t *out)
{
    char *end;

    if (**p < '0' || **p > '9')
        return false;
    *out = strtol(*p, &end, 10);
    *p = end;
    return true;
}

/* [+-]hh[:mm[:ss]] */
static bool read_hms(const char **p, int64_t *out)
{
    int64_t part, unit = 3600;
    bool negative = **p == '-';

    if (**p == '-' || **p == '+')
        (*p)++;
    *out = 0;
    do {
        if (!read_number(p, &part) || unit == 0)
            return false;
        *out += part * unit;
        unit /= 60;
    } while (**p == ':' && (*p)++);
    *out = negative ? -*out : *out;
    return true;
}

static bool read_change(const char **p, change *c)
{
    int64_t month = 0, week = 0, day;

    if (**p != ',')
        return false;
    (*p)++;
    c->kind = **p == 'M' || **p == 'J' ? *(*p)++ : '0';
    if (c->kind == 'M') {
        if (!read_number(p, &month) || *(*p)++ != '.' || !read_number(p, &week) ||
            *(*p)++ != '.')
            return false;
    }
    if (!read_number(p, &day))
        return false;
    c->month = (int)month;
    c->week = (int)week;
    c->day = (int)day;
    c->seconds = 7200;
    if (**p != '/')
        return true;
    (*p)++;
    return read_hms(p, &c->seconds);
}

static void read_rule(emu_zone *z, const char *p)
{
    int64_t west;

    if (!skip_name(&p) || !read_hms(&p, &west))
        return;
    z->standard = -west;
    z->ruled = true;
    if (!*p)
        return;
    z->saving = z->standard + 3600;
    if (!skip_name(&p))
        return;
    if (*p && *p != ',') {
        if (!read_hms(&p, &west))
            return;
        z->saving = -west;
    }
    z->summer = read_change(&p, &z->begin) && read_change(&p, &z->end);
}

/* Local seconds of a change in a year, in the time that holds just before it. */
static int64_t change_local(const change *c, int64_t year)
{
    int64_t jan1 = emu_days_from_civil(year, 1, 1), day;
    bool leap = emu_days_from_civil(year + 1, 1, 1) - jan1 == 366;

    if (c->kind == 'M') {
        int64_t first = emu_days_from_civil(year, (unsigned)c->month, 1);
        int64_t next = c->month == 12
                           ? emu_days_from_civil(year + 1, 1, 1)
                           : emu_days_from_civil(year, (unsigned)c->month + 1, 1);
        int64_t weekday = emu_floor_div(first + 4, 7);

        weekday = first + 4 - weekday * 7; /* 1 January 1970 was a Thursday */
        day = first + (c->day - weekday + 7) % 7 + (c->week - 1) * 7;
        while (day >= next)
            day -= 7;
    } else if (c->kind == 'J') {
        day = jan1 + c->day - 1 + (leap && c->day >= 60);
    } else {
        day = jan1 + c->day;
    }
    return day * DAY + c->seconds;
}

static int64_t rule_offset(const emu_zone *z, int64_t utc)
{
    int64_t year, begin, end;
    unsigned month, day;

    if (!z->summer)
        return z->standard;
    emu_civil_from_days(emu_floor_div(utc + z->standard, DAY), &year, &month, &day);
    begin = change_local(&z->begin, year) - z->standard;
    end = change_local(&z->end, year) - z->saving;
    if (begin < end)
        return utc >= begin && utc < end ? z->saving : z->standard;
    return utc >= end && utc < begin ? z->standard : z->saving;
}

/* --- the file --- */

static int64_t big_endian(const unsigned char *p, int bytes)
{
    uint64_t v = p[0] & 0x80 ? ~0ull : 0;

    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

typedef struct counts {
    size_t isut, isstd, leap, time, type, chars;
} counts;

static bool read_counts(const unsigned char *p, const unsigned char *end, counts *c)
{
    size_t *to[] = {&c->isut, &c->isstd, &c->leap, &c->time, &c->type, &c->chars};

    if (end - p < 44 || memcmp(p, "TZif", 4) != 0)
        return false;
    for (int i = 0; i < 6; i++)
        *to[i] = (size_t)big_endian(p + 20 + 4 * i, 4) & 0xFFFFFF;
    return c->type > 0;
}

static size_t block_size(const counts *c, size_t time)
{
    return c->time * (time + 1) + c->type * 6 + c->chars + c->leap * (time + 4) +
           c->isstd + c->isut;
}

static bool read_block(emu_zone *z, const unsigned char *p, const counts *c)
{
    const unsigned char *index = p + c->time * 8, *types = index + c->time;

    z->at = calloc(c->time + 1, sizeof(*z->at));
    z->offset = calloc(c->time + 1, sizeof(*z->offset));
    if (!z->at || !z->offset)
        return false;
    z->n = c->time;
    z->first = (int32_t)big_endian(types, 4);
    for (size_t i = 0; i < c->time; i++) {
        if (index[i] >= c->type)
            return false;
        z->at[i] = big_endian(p + i * 8, 8);
        z->offset[i] = (int32_t)big_endian(types + index[i] * 6u, 4);
    }
    return true;
}

/* Version 2 and later: a block of 32-bit times to skip, one of 64-bit times, a rule. */
static bool read_file(emu_zone *z, const unsigned char *p, size_t n)
{
    const unsigned char *end = p + n;
    char rule[128];
    counts c;
    size_t size, length = 0;

    if (!read_counts(p, end, &c) || p[4] < '2')
        return false;
    size = 44 + block_size(&c, 4);
    if ((size_t)(end - p) < size || !read_counts(p + size, end, &c))
        return false;
    p += size + 44;
    size = block_size(&c, 8);
    if ((size_t)(end - p) < size || !read_block(z, p, &c))
        return false;
    p += size + 1;
    while (p < end && *p != '\n' && length < sizeof(rule) - 1)
        rule[length++] = (char)*p++;
    rule[length] = 0;
    read_rule(z, rule);
    return true;
}

static bool name_is_safe(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";

    return *name && *name != '/' && strlen(name) < 64 &&
           strspn(name, allowed) == strlen(name);
}

static bool load(emu_zone *z, const char *name)
{
    char path[sizeof(ZONE_DIR) + 64];
    unsigned char *bytes = malloc(FILE_MAX);
    FILE *f = NULL;
    bool ok = false;

    snprintf(path, sizeof(path), ZONE_DIR "%s", name);
    if (bytes && name_is_safe(name))
        f = fopen(path, "rbe");
    if (f) {
        ok = read_file(z, bytes, fread(bytes, 1, FILE_MAX, f));
        fclose(f);
    }
    free(bytes);
    return ok;
}

emu_zone *emu_zone_open(const char *name, char *err, size_t err_n)
{
    emu_zone *z = calloc(1, sizeof(*z));

    if (!z) {
        snprintf(err, err_n, "memory ran out");
        return NULL;
    }
    snprintf(z->name, sizeof(z->name), "%s", name);
    if (strcmp(name, "UTC") == 0 || load(z, name))
        return z;
    snprintf(err, err_n, "time_zone was refused: there was no zone of that name below %s",
             ZONE_DIR);
    emu_zone_free(z);
    return NULL;
}

void emu_zone_free(emu_zone *z)
{
    if (!z)
        return;
    free(z->at);
    free(z->offset);
    free(z);
}

const char *emu_zone_name(const emu_zone *z)
{
    return z->name;
}

int64_t emu_zone_offset(const emu_zone *z, int64_t utc)
{
    size_t lo = 0, hi = z->n;

    if (!z->n)
        return z->ruled ? rule_offset(z, utc) : z->first;
    if (utc >= z->at[z->n - 1] && z->ruled)
        return rule_offset(z, utc);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (z->at[mid] <= utc)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo ? z->offset[lo - 1] : z->first;
}

int64_t emu_zone_instant(const emu_zone *z, int64_t local)
{
    int64_t before = emu_zone_offset(z, local - DAY);
    int64_t after = emu_zone_offset(z, local + DAY);

    if (before != after && emu_zone_offset(z, local - before) != before &&
        emu_zone_offset(z, local - after) == after)
        return local - after;
    return local - before;
}
