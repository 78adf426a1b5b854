/* SPDX-License-Identifier: MIT */
/* Days of the calendar. */
#include "base/day.h"

static int number(const char *text, size_t digits, int *out)
{
    size_t i;

    *out = 0;
    for (i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        *out = *out * 10 + (text[i] - '0');
    }
    return 1;
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* In the proleptic Gregorian calendar. */
static int64_t day_number(int year, int month, int day)
{
    int64_t before = year - 1;
    int64_t days = before * 365 + before / 4 - before / 100 + before / 400 - 719162;
    int m;

    for (m = 1; m < month; m++)
        days += days_of_month(year, m);
    return days + day - 1;
}

int tw__day_parse(int64_t *day, const char *text, size_t size)
{
    int year, month, in_month;

    if (size != TW_DAY_TEXT || !number(text, 4, &year) || !number(text + 4, 2, &month) ||
        !number(text + 6, 2, &in_month))
        return 0;
    if (year < 1970 || month < 1 || month > 12 || in_month < 1 ||
        in_month > days_of_month(year, month))
        return 0;
    *day = day_number(year, month, in_month);
    return 1;
}
