/* SPDX-License-Identifier: MIT */
/* Windows of upload hours. */
#include "export/window.h"

#include <inttypes.h>
#include <string.h>

#include "base/day.h"
#include "base/error.h"

int tw__hour_parse(int64_t *hour, const char *text)
{
    int64_t day;
    int clock;

    if (text == NULL || strnlen(text, TW_HOUR_TEXT + 1) != TW_HOUR_TEXT ||
        text[8] != 'T' || !tw__day_parse(&day, text, TW_DAY_TEXT) || text[9] < '0' ||
        text[9] > '2' || text[10] < '0' || text[10] > '9')
        return 0;
    clock = (text[9] - '0') * 10 + (text[10] - '0');
    if (clock > 23)
        return 0;
    *hour = day * 24 + clock;
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
