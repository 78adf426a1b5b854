/* SPDX-License-Identifier: MIT */
/* What an attempt's end means, and whether there is another: the one table for both. */
#include "gate/retry.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"

enum { QUOTA_FULL = 500, QUOTA_RETRY = 5 };

/* ---- the table ----------------------------------------------------------------------- */

typedef enum when_again {
    NEVER,
    AGAIN /* if the endpoint's repeat-safety allows it after this */
} when_again;

/* The first row that covers the status counts. 503 is documented as not accepted, the other 5xx
 * as possibly accepted (Amplitude HTTP V2 API docs, read 2026-11-23). 408 is not documented, but
 * the official SDKs repeat it. */
static const struct {
    int from, to;
    int code;
    tw_stored stored;
    when_again again;
} answers[] = {
    {200, 299, TW_OK, TW_STORED_YES, NEVER},
    {300, 399, TW_E_PROTOCOL, TW_STORED_MAYBE, NEVER}, /* never followed */
    {401, 401, TW_E_AUTH, TW_STORED_NO, NEVER},
    {403, 403, TW_E_AUTH, TW_STORED_NO, NEVER},
    {408, 408, TW_E_SERVER, TW_STORED_MAYBE, AGAIN},
    {413, 413, TW_E_TOO_LARGE, TW_STORED_NO, NEVER},
    {429, 429, TW_E_RATE_LIMITED, TW_STORED_NO, AGAIN},
    {400, 499, TW_E_HTTP, TW_STORED_NO, NEVER},
    {503, 503, TW_E_SERVER, TW_STORED_NO, AGAIN},
    {500, 599, TW_E_SERVER, TW_STORED_MAYBE, AGAIN},
    {0, 999, TW_E_PROTOCOL, TW_STORED_MAYBE, NEVER},
};

/* No whole answer came. */
static const struct {
    int code;
    when_again again;
} losses[] = {
    {TW_E_NETWORK, AGAIN},
    {TW_E_TIMEOUT, AGAIN},
    {TW_E_PROTOCOL, AGAIN}, /* lengths that contradict each other, a broken chunk */
};

static int code_retriable(int code)
{
    return code == TW_E_RATE_LIMITED || code == TW_E_SERVER || code == TW_E_NETWORK ||
           code == TW_E_TIMEOUT;
}

tw_verdict tw__retry_judge(const tw_attempt *attempt, tw_repeat repeat)
{
    tw_verdict verdict = {TW_E_PROTOCOL, TW_STORED_MAYBE, 0, 0};
    when_again again = NEVER;
    size_t i;

    if (attempt->code == TW_OK) {
        for (i = 0; attempt->status < answers[i].from || attempt->status > answers[i].to;
             i++)
            continue;
        verdict.code = answers[i].code;
        verdict.stored = answers[i].stored;
        again = answers[i].again;
        if (attempt->status == 503 && repeat == TW_REPEAT_RPC)
            verdict.stored = TW_STORED_MAYBE; /* any proxy on the way may have said it */
    } else {
        verdict.code = attempt->code;
        verdict.stored = attempt->sent ? TW_STORED_MAYBE : TW_STORED_NO;
        for (i = 0; i < sizeof losses / sizeof *losses; i++) {
            if (losses[i].code == attempt->code)
                again = losses[i].again;
        }
    }
    /* The answer speaks of the last sending only. */
    if (attempt->sent > 1 && verdict.stored == TW_STORED_NO)
        verdict.stored = TW_STORED_MAYBE;
    if (attempt->permanent)
        again = NEVER;
    verdict.retriable = code_retriable(verdict.code) && !attempt->permanent;
    verdict.again =
        again == AGAIN && (repeat == TW_REPEAT_SAFE || verdict.stored == TW_STORED_NO);
    return verdict;
}

/* ---- waiting ------------------------------------------------------------------------- */

int64_t tw__retry_delay(int attempt, int64_t retry_after_ms)
{
    int64_t most = TW_RETRY_FIRST_MS;
    int64_t jitter;
    int i;

    for (i = 2; i < attempt && most < TW_RETRY_MOST_MS; i++)
        most *= 2;
    if (most > TW_RETRY_MOST_MS)
        most = TW_RETRY_MOST_MS;
    jitter = (int64_t)tw__random_below((uint64_t)most + 1);
    return retry_after_ms > 0 ? tw__ms_add(retry_after_ms, jitter) : jitter;
}

int64_t tw__retry_heed(int64_t retry_after_ms)
{
    return retry_after_ms <= TW_RETRY_HEEDED_MS ? retry_after_ms : -1;
}

/* Days since 1970-01-01 of a day in the proleptic Gregorian calendar. */
static int64_t days_from(int64_t year, int month, int day)
{
    int64_t era, of_era, of_year;

    year -= month <= 2;
    era = year / 400;
    of_era = year - era * 400;
    of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" in milliseconds; -1 for anything else. */
static int64_t http_date(const char *text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char name[4] = "";
    const char *at;
    unsigned day, year, hour, minute, second;
    int end = 0;

    if (sscanf(text, "%*3s, %2u %3s %4u %2u:%2u:%2u GMT%n", &day, name, &year, &hour,
               &minute, &second, &end) != 6 ||
        end == 0 || text[end] != '\0' || strlen(name) != 3)
        return -1;
    at = strstr(months, name);
    if (at == NULL || (at - months) % 3 != 0 || day < 1 || day > 31 || hour > 23 ||
        minute > 59 || second > 60 || year < 1970)
        return -1;
    return ((days_from(year, (int)(at - months) / 3 + 1, (int)day) * 24 + hour) * 60 +
            minute) *
               60000 +
           (int64_t)second * 1000;
}

int64_t tw__retry_after(const char *field, int64_t most_ms)
{
    int64_t ms = 0;
    const char *at;

    for (at = field; *at >= '0' && *at <= '9'; at++) {
        if (ms < most_ms)
            ms = ms * 10 + (int64_t)(*at - '0') * 1000;
    }
    if (*at != '\0' || at == field) {
        int64_t date = http_date(field);

        if (date < 0)
            return -1;
        ms = date - tw__wall_ms();
        if (ms < 0)
            ms = 0;
    }
    return ms < most_ms ? ms : most_ms;
}

/* ---- quota --------------------------------------------------------------------------- */

void tw__retry_quota_init(tw_retry_quota *quota)
{
    quota->left = QUOTA_FULL;
}

int tw__retry_quota_take(tw_retry_quota *quota)
{
    if (quota->left < QUOTA_RETRY)
        return 0;
    quota->left -= QUOTA_RETRY;
    return 1;
}

void tw__retry_quota_success(tw_retry_quota *quota)
{
    if (quota->left < QUOTA_FULL)
        quota->left++;
}
