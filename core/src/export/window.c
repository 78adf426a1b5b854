/* SPDX-License-Identifier: MIT */
/* Windows of upload hours. */
#include "export/window.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"

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

/* Days since 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t day_number(int year, int month, int day)
{
    int64_t days = 0;
    int64_t before = year - 1;
    int m;

    days = before * 365 + before / 4 - before / 100 + before / 400 - 719162;
    for (m = 1; m < month; m++)
        days += days_of_month(year, m);
    return days + day - 1;
}

int tw__hour_parse(int64_t *hour, const char *text)
{
    int year, month, day, clock;

    if (text == NULL || strnlen(text, TW_HOUR_TEXT + 1) != TW_HOUR_TEXT ||
        text[8] != 'T' || !number(text, 4, &year) || !number(text + 4, 2, &month) ||
        !number(text + 6, 2, &day) || !number(text + 9, 2, &clock))
        return 0;
    if (year < 1970 || month < 1 || month > 12 || day < 1 ||
        day > days_of_month(year, month) || clock > 23)
        return 0;
    *hour = day_number(year, month, day) * 24 + clock;
    return 1;
}

/* What a caller passed, for a message: short, and no control character (the error sees
 * to it). */
static int bad_hour(const char *field, const char *text, tw_error **err)
{
    if (text == NULL)
        return tw__error_at(err, TW_E_VALIDATION, field, "%s was missing", field);
    return tw__error_at(
        err, TW_E_VALIDATION, field,
        "%s was \"%.32s\": it has to be an hour that exists, as YYYYMMDDTHH "
        "in UTC (20260301T00)",
        field, text);
}

int tw__window_check(int64_t *first, int64_t *last, const char *start, const char *end,
                     tw_error **err)
{
    if (!tw__hour_parse(first, start))
        return bad_hour("start", start, err);
    if (!tw__hour_parse(last, end))
        return bad_hour("end", end, err);
    if (*last < *first)
        return tw__error_at(err, TW_E_VALIDATION, "end", "end (%s) was before start (%s)",
                            end, start);
    if (*last - *first + 1 > TW_WINDOW_MAX_HOURS)
        return tw__error_at(err, TW_E_VALIDATION, "end",
                            "the window was %" PRId64
                            " hours long: at most 365 days are exported at once",
                            *last - *first + 1);
    return TW_OK;
}
