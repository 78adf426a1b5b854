/* SPDX-License-Identifier: MIT */
/* Windows of upload hours. */
#include "export/window.h"

#include <inttypes.h>
#include <string.h>

#include "base/day.h"
#include "base/error.h"

enum { DASHED = 2 }; /* characters more in YYYY-MM-DD */

/* The hour as the API spells it, of an hour or a day with or without dashes. 0 where it is none. */
static int hour_take(tw_hour *out, const char *text, const char *clock)
{
    size_t size = strnlen(text, TW_HOUR_TEXT + DASHED + 1);
    size_t i;

    if (size == TW_DAY_TEXT + DASHED || size == TW_HOUR_TEXT + DASHED) {
        if (text[4] != '-' || text[7] != '-')
            return 0;
        memcpy(out->text, text, 4);
        memcpy(out->text + 4, text + 5, 2);
        memcpy(out->text + 6, text + 8, size - 8);
        size -= DASHED;
    } else if (size == TW_DAY_TEXT || size == TW_HOUR_TEXT) {
        memcpy(out->text, text, size);
    } else {
        return 0;
    }
    if (size == TW_DAY_TEXT)
        memcpy(out->text + TW_DAY_TEXT, clock, TW_HOUR_TEXT - TW_DAY_TEXT);
    out->text[TW_HOUR_TEXT] = '\0';
    for (i = 0; i < 2; i++) {
        if (out->text[9 + i] < '0' || out->text[9 + i] > '9')
            return 0;
    }
    return out->text[TW_DAY_TEXT] == 'T';
}

static int hour_read(tw_hour *out, const char *text, const char *clock)
{
    int64_t day;
    int hour;

    if (!hour_take(out, text, clock) || !tw__day_parse(&day, out->text, TW_DAY_TEXT))
        return 0;
    hour = (out->text[9] - '0') * 10 + (out->text[10] - '0');
    out->number = day * 24 + hour;
    return hour <= 23;
}

/* What a caller passed, for a message: short, and no control character (the error sees
 * to it). */
static int bad_hour(const char *field, const char *text, tw_error **err)
{
    if (text == NULL)
        return tw__error_at(err, TW_E_VALIDATION, field, "%s was missing", field);
    return tw__error_at(
        err, TW_E_VALIDATION, field,
        "%s was \"%.32s\": it has to be an hour or a day that exists, in UTC, as "
        "YYYYMMDDTHH or YYYYMMDD, dashes allowed (2026-03-01T00)",
        field, text);
}

int tw__window_read(tw_window *out, const char *start, const char *end, tw_error **err)
{
    int64_t hours;

    if (start == NULL || !hour_read(&out->first, start, "T00"))
        return bad_hour("start", start, err);
    if (end == NULL || !hour_read(&out->last, end, "T23"))
        return bad_hour("end", end, err);
    hours = out->last.number - out->first.number + 1;
    if (hours < 1)
        return tw__error_at(err, TW_E_VALIDATION, "end", "end (%s) was before start (%s)",
                            end, start);
    if (hours > TW_WINDOW_MAX_HOURS)
        return tw__error_at(err, TW_E_VALIDATION, "end",
                            "the window was %" PRId64
                            " hours long: at most 365 days are exported at once",
                            hours);
    return TW_OK;
}
