/* SPDX-License-Identifier: MIT */
/* Rules of analytics queries that concern more than one argument, and what a query costs. */
#include "areas/analytics_query.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "areas/query_document.h"
#include "base/day.h"
#include "base/error.h"
#include "json/parts.h"

/* A query has 64 KiB (see arguments.c); one document of it no more. */
enum { DOCUMENT_MOST = 1024 * 1024, SEGMENTATION_EVENTS = 2, FUNNEL_EVENTS = 2 };

static int refuse(const char *field, const char *rule, tw_error **err)
{
    return tw__error_at(err, TW_E_VALIDATION, field, "%s %s", field, rule);
}

/* ---- single values ------------------------------------------------------------------- */

static void asked_at(tw_asked *asked, const char *field, tw_error **err)
{
    memset(asked, 0, sizeof *asked);
    asked->err = err;
    tw__trail_name(&asked->trail, field);
}

int tw__event_rule(tw_buf *out, const char *field, const char *json, size_t size,
                   tw_error **err)
{
    const tw_view event = {json, size};
    tw_asked asked;

    asked_at(&asked, field, err);
    return tw__event_document(out, &asked, event);
}

int tw__segment_rule(tw_buf *out, const char *field, const char *json, size_t size,
                     tw_error **err)
{
    const tw_view segment = {json, size};
    tw_asked asked;

    asked_at(&asked, field, err);
    return tw__segment_document(out, &asked, segment);
}

/* Day ranges without their end: [0,5] is day 0 to 4. The server answers a reversed one with an
 * internal error. */
static int bracket_put(tw_buf *out, tw_asked *asked, tw_view range)
{
    tw_view_walk walk = tw__view_walk(range);
    tw_view from = {NULL, 0};
    tw_view to = {NULL, 0};
    int64_t first, end;

    if (tw__view_kind(range) != TW_JSON_ARRAY || tw__view_count(range) != 2 ||
        !tw__view_next(&walk, NULL, &from) || !tw__view_next(&walk, NULL, &to) ||
        !tw__view_int(from, &first) || !tw__view_int(to, &end) || first < 0)
        return tw__asked_refuse(asked,
                                "has to be two numbers of days, [0, 5] for the days "
                                "0 to 4 (" TW_QUERY_SOURCE ")");
    if (first >= end)
        return tw__asked_refuse(asked,
                                "was empty or reversed: it has to begin before its "
                                "end, which is not part of it");
    return tw__asked_trouble(
        asked, tw__buf_printf(out, "[%" PRId64 ",%" PRId64 "]", first, end));
}

int tw__brackets_rule(tw_buf *out, const char *field, const char *json, size_t size,
                      tw_error **err)
{
    enum { BRACKETS = 100 }; /* Amplitude retention analysis docs, read 2026-11-27 */
    const tw_view list = {json, size};
    tw_view_walk walk = tw__view_walk(list);
    size_t count = tw__view_kind(list) == TW_JSON_ARRAY ? tw__view_count(list) : 0;
    tw_view range;
    tw_asked asked;
    size_t i;
    int rc;

    asked_at(&asked, field, err);
    if (count == 0 || count > BRACKETS)
        return tw__asked_refuse(&asked,
                                "has to be a list of 1 to 100 day ranges (Amplitude "
                                "retention analysis docs, read 2026-11-27)");
    rc = tw__asked_trouble(&asked, tw__buf_putc(out, '['));
    for (i = 0; rc == TW_OK && tw__view_next(&walk, NULL, &range); i++) {
        size_t back = tw__trail_index(&asked.trail, i);

        if (i != 0)
            rc = tw__asked_trouble(&asked, tw__buf_putc(out, ','));
        if (rc == TW_OK)
            rc = bracket_put(out, &asked, range);
        if (rc == TW_OK)
            tw__trail_back(&asked.trail, back);
    }
    return rc == TW_OK ? tw__asked_trouble(&asked, tw__buf_putc(out, ']')) : rc;
}

/* ---- what is asked as a whole -------------------------------------------------------- */

static tw_view given_view(const tw_given *given, const char *name)
{
    tw_view view;

    view.text = tw__given(given, name, &view.size);
    return view;
}

typedef int (*document_put)(tw_buf *out, tw_asked *asked, tw_view document);

/* Counts one document, which has been found right; it may stand there as its text. */
static int count_one(tw_asked *asked, tw_view document, document_put put)
{
    tw_view inner = document;
    tw_buf text, scratch;
    int rc = TW_OK;

    tw__buf_init(&text, DOCUMENT_MOST);
    tw__buf_init(&scratch, DOCUMENT_MOST);
    if (document.size > 2 && document.text[0] == '"' &&
        (document.text[1] == '{' || document.text[1] == '[')) {
        rc = tw__asked_trouble(asked, tw__view_text(&text, document));
        if (rc == TW_OK)
            rc = tw__view_open(&inner, text.data, text.size, 64, DOCUMENT_MOST,
                               asked->err);
    }
    if (rc == TW_OK)
        rc = put(&scratch, asked, inner);
    tw__buf_clear(&text);
    tw__buf_clear(&scratch);
    return rc;
}

static int count_all(tw_asked *asked, const tw_given *given, const char *name,
                     document_put put)
{
    tw_view list = given_view(given, name);
    tw_view_walk walk = tw__view_walk(list);
    tw_view document;
    int rc = TW_OK;

    while (rc == TW_OK && tw__view_next(&walk, NULL, &document))
        rc = count_one(asked, document, put);
    return rc;
}

static int count_given(tw_asked *asked, const tw_given *given, const char *name,
                       document_put put)
{
    tw_view document = given_view(given, name);

    return document.text != NULL ? count_one(asked, document, put) : TW_OK;
}

static int asked_count(tw_asked *asked, const tw_given *given, tw_error **err)
{
    int rc;

    memset(asked, 0, sizeof *asked);
    asked->err = err;
    rc = count_all(asked, given, "events", tw__event_document);
    if (rc == TW_OK)
        rc = count_given(asked, given, "start_event", tw__event_document);
    if (rc == TW_OK)
        rc = count_given(asked, given, "return_event", tw__event_document);
    return rc == TW_OK ? count_all(asked, given, "segments", tw__segment_document) : rc;
}

static int64_t given_day(const tw_given *given, const char *name)
{
    tw_view text = given_view(given, name);
    char digits[TW_DAY_TEXT];
    size_t n = 0;
    size_t i;
    int64_t day = 0;

    for (i = 0; i < text.size && n < TW_DAY_TEXT; i++) {
        if (text.text[i] >= '0' && text.text[i] <= '9')
            digits[n++] = text.text[i];
    }
    tw__day_parse(&day, digits, n); /* it was found right before */
    return day;
}

/* Inclusive on both sides. */
static int64_t given_days(const tw_given *given)
{
    return given_day(given, "end") - given_day(given, "start") + 1;
}

/* Interval limits: Dashboard REST API docs; those of rolling ones: Amplitude product docs (event
 * segmentation charts). Both read 2026-11-27. */
static const struct {
    const char *name, *value;
    int64_t days;    /* longest range, 0 for none documented for the API */
    int64_t rolling; /* most buckets of a rolling window or average */
    const char *range_rule, *rolling_rule;
} intervals[] = {
    {"day", "1", 365, 90, "makes more than 365 days, the most of daily ones",
     "has to be at most 90 days"},
    {"week", "7", 0, 12, "", "has to be at most 12 weeks"},
    {"month", "30", 0, 12, "", "has to be at most 12 months"},
    {"hour", "-3600000", 7, 72, "makes more than 7 days, the most of hourly ones",
     "has to be at most 72 hours"},
    {"realtime", "-300000", 2, 36, "makes more than 2 days, the most of real-time ones",
     "has to be at most 36 times five minutes"},
};

static size_t given_interval(const tw_given *given)
{
    size_t i;

    for (i = sizeof intervals / sizeof *intervals - 1; i > 0; i--) {
        if (tw__given_is(given, "interval", intervals[i].name) ||
            tw__given_is(given, "interval", intervals[i].value))
            break;
    }
    return i;
}

static int range_check(const tw_given *given, tw_error **err)
{
    size_t at = given_interval(given);
    int64_t days = given_days(given);

    if (days < 1)
        return refuse("end", "was before start", err);
    if (intervals[at].days != 0 && days > intervals[at].days)
        return tw__error_at(err, TW_E_VALIDATION, "end",
                            "end %s, both ends counted (" TW_QUERY_SOURCE ")",
                            intervals[at].range_rule);
    return TW_OK;
}

/* A group-by wants one segment. */
static int group_check(const tw_given *given, size_t most, tw_error **err)
{
    tw_view groups = given_view(given, "group_by");
    size_t count = tw__view_count(groups);

    if (count > most)
        return refuse("group_by",
                      most == 1 ? "has to be one property (" TW_QUERY_SOURCE ")"
                                : "has to be at most two properties (" TW_QUERY_SOURCE
                                  ")",
                      err);
    if (count != 0 && tw__view_count(given_view(given, "segments")) > 1)
        return refuse("group_by",
                      "was given with several segments: it works with one alone "
                      "(" TW_QUERY_SOURCE ")",
                      err);
    return TW_OK;
}

int tw__groups_check(const tw_given *given, tw_error **err)
{
    int rc = range_check(given, err);

    return rc == TW_OK ? group_check(given, 2, err) : rc;
}

int tw__table_check(const tw_given *given, tw_error **err)
{
    int rc = range_check(given, err);

    return rc == TW_OK ? group_check(given, 1, err) : rc;
}

static int rolling_check(const tw_given *given, const char *name, tw_error **err)
{
    size_t at = given_interval(given);
    int64_t buckets;

    if (!tw__view_int(given_view(given, name), &buckets) ||
        buckets <= intervals[at].rolling)
        return TW_OK;
    return tw__error_at(err, TW_E_VALIDATION, name,
                        "%s %s (Amplitude event segmentation docs, read 2026-11-27)",
                        name, intervals[at].rolling_rule);
}

/* Property metrics are about the first group-by of each event. */
static int property_check(const tw_given *given, tw_error **err)
{
    tw_view_walk walk = tw__view_walk(given_view(given, "events"));
    tw_view event;
    size_t i;

    if (!tw__given_is(given, "metric", "sums") &&
        !tw__given_is(given, "metric", "value_avg") &&
        !tw__given_is(given, "metric", "histogram"))
        return TW_OK;
    for (i = 0; tw__view_next(&walk, NULL, &event); i++) {
        tw_asked asked;
        int rc;

        memset(&asked, 0, sizeof asked);
        asked.err = err;
        rc = count_one(&asked, event, tw__event_document);
        if (rc != TW_OK)
            return rc;
        if (asked.ungrouped == 0)
            continue;
        tw__trail_name(&asked.trail, "events");
        tw__trail_index(&asked.trail, i);
        tw__trail_name(&asked.trail, "group_by");
        return tw__asked_refuse(&asked, "was missing: sums, value_avg and histogram are "
                                        "about its property (" TW_QUERY_SOURCE ")");
    }
    return TW_OK;
}

static int formula_check(const tw_given *given, tw_error **err)
{
    tw_view formula = given_view(given, "formula");
    tw_view metric = given_view(given, "metric");
    tw_asked asked;
    tw_buf text;
    int rc;

    if (formula.text == NULL) {
        if (tw__view_is(metric, "formula"))
            return refuse("formula", "was missing: metric is formula", err);
        return TW_OK;
    }
    if (metric.text != NULL && !tw__view_is(metric, "formula"))
        return refuse("metric", "was given with a formula, which is the metric", err);
    rc = asked_count(&asked, given, err);
    if (rc != TW_OK)
        return rc;
    tw__buf_init(&text, DOCUMENT_MOST);
    tw__trail_name(&asked.trail, "formula");
    rc = tw__view_text(&text, formula);
    if (rc == TW_OK)
        rc = tw__buf_putc(&text, '\0');
    rc = rc == TW_OK ? tw__formula_check(&asked, text.data)
                     : tw__asked_trouble(&asked, rc);
    tw__buf_clear(&text);
    return rc;
}

int tw__segmentation_check(const tw_given *given, tw_error **err)
{
    int rc = tw__groups_check(given, err);

    if (rc == TW_OK && tw__view_count(given_view(given, "events")) > SEGMENTATION_EVENTS)
        rc = refuse("events", "has to hold at most two (" TW_QUERY_SOURCE ")", err);
    if (rc == TW_OK)
        rc = rolling_check(given, "rolling_window", err);
    if (rc == TW_OK)
        rc = rolling_check(given, "rolling_average", err);
    if (rc == TW_OK)
        rc = property_check(given, err);
    return rc == TW_OK ? formula_check(given, err) : rc;
}

int tw__funnel_check(const tw_given *given, tw_error **err)
{
    int rc = tw__table_check(given, err);

    if (rc == TW_OK && tw__view_count(given_view(given, "events")) < FUNNEL_EVENTS)
        rc =
            refuse("events", "has to hold at least two steps (" TW_QUERY_SOURCE ")", err);
    return rc;
}

int tw__retention_check(const tw_given *given, tw_error **err)
{
    int brackets = tw__view_given(given_view(given, "brackets"));
    int rc = tw__table_check(given, err);

    if (rc != TW_OK)
        return rc;
    if (brackets && tw__view_given(given_view(given, "mode")) &&
        !tw__given_is(given, "mode", "bracket"))
        return refuse("brackets", "was given with another mode than bracket", err);
    if (!brackets && tw__given_is(given, "mode", "bracket"))
        return refuse("brackets",
                      "was missing: the mode bracket needs it "
                      "(" TW_QUERY_SOURCE ")",
                      err);
    return TW_OK;
}

static double given_real(const tw_given *given, const char *name)
{
    tw_view number = given_view(given, name);
    double value = 0;

    if (number.text != NULL)
        tw__json_real(&value, number.text, number.size);
    return value;
}

/* Custom bins need three of the four; anything less, or what is no range, is answered as if nothing
 * had been said. */
int tw__sessions_check(const tw_given *given, tw_error **err)
{
    static const char *const names[] = {"bin_unit", "bin_min", "bin_max", "bin_size"};
    size_t given_count = 0;
    size_t i;
    int rc = group_check(given, 1, err);

    if (rc == TW_OK && given_days(given) < 1)
        rc = refuse("end", "was before start", err);
    for (i = 0; i < 4; i++)
        given_count += (size_t)tw__view_given(given_view(given, names[i]));
    for (i = 0; rc == TW_OK && given_count != 0 && i < 3; i++) {
        if (!tw__view_given(given_view(given, names[i])))
            rc = refuse(names[i],
                        "was missing: bins need bin_unit, bin_min and bin_max "
                        "(" TW_QUERY_SOURCE ")",
                        err);
    }
    if (rc != TW_OK || given_count == 0)
        return rc;
    if (given_real(given, "bin_min") >= given_real(given, "bin_max"))
        return refuse("bin_max", "has to be more than bin_min", err);
    if (tw__view_given(given_view(given, "bin_size")) &&
        given_real(given, "bin_size") <= 0)
        return refuse("bin_size", "has to be more than 0", err);
    return TW_OK;
}

/* ---- cost ---------------------------------------------------------------------------- */

/*
 * Amplitude Dashboard REST API docs, "rate limits", read 2026-11-27:
 *   days        of the query; one live observation counts a day less, so this is the most
 *   conditions  segments (at least one), their conditions, and 4 for each group-by
 *   type        events, 2 x events of a funnel, 8 of retention, 4 of sessions, 1 of all others;
 *               and of segmentation and funnels 4 for each group-by inside an event
 */
enum { GROUP_COST = 4 };

typedef struct query_cost {
    int64_t days, conditions, type;
} query_cost;

static int64_t type_cost(tw_endpoint_id id, const tw_asked *asked)
{
    int64_t groups = GROUP_COST * (int64_t)asked->event_groups;

    switch (id) {
    case TW_EP_SEGMENTATION:
        return (int64_t)asked->events + groups;
    case TW_EP_FUNNELS:
        return 2 * (int64_t)asked->events + groups;
    case TW_EP_RETENTION:
        return 8;
    case TW_EP_SESSIONS_LENGTH:
    case TW_EP_SESSIONS_AVERAGE:
    case TW_EP_SESSIONS_PERUSER:
        return 4;
    default:
        return 1;
    }
}

static int cost_read(query_cost *cost, const tw_given *given, tw_error **err)
{
    tw_asked asked;
    int rc = asked_count(&asked, given, err);

    if (rc != TW_OK)
        return rc;
    cost->days = given_days(given);
    cost->conditions =
        (int64_t)(asked.segments != 0 ? asked.segments : 1) + (int64_t)asked.conditions +
        GROUP_COST * (int64_t)tw__view_count(given_view(given, "group_by"));
    cost->type = type_cost(given->operation->endpoint, &asked);
    return TW_OK;
}

int tw__query_cost(int64_t *out, const tw_given *given, tw_error **err)
{
    query_cost cost;
    int rc;

    *out = 0;
    if (given->operation->endpoint == TW_EP_CHART_CSV)
        return tw__error(
            err, TW_E_INVALID,
            "the cost of a chart is that of its query, which is not known here");
    rc = cost_read(&cost, given, err);
    if (rc == TW_OK)
        *out = cost.days * cost.conditions * cost.type;
    return rc;
}

/* The server refuses it with 429 however long one waits. */
int tw__query_cost_check(const tw_given *given, int64_t most, tw_error **err)
{
    query_cost cost;
    char way[80] = "ask for less at once";
    int64_t a_day, least;
    int rc;

    if (most == 0 || given->operation->endpoint == TW_EP_CHART_CSV)
        return TW_OK;
    rc = cost_read(&cost, given, err);
    if (rc != TW_OK)
        return rc;
    a_day = cost.conditions * cost.type;
    least = a_day * (cost.days > 1 ? cost.days - 1 : 1); /* as it was observed */
    if (least <= most)
        return TW_OK;
    if (a_day <= most)
        snprintf(way, sizeof way, "ask for %" PRId64 " day%s at most at once",
                 most / a_day, most / a_day == 1 ? "" : "s");
    return tw__error_at(
        err, TW_E_VALIDATION, "end",
        "end made a query of cost %" PRId64 " (%" PRId64 " days x %" PRId64
        " conditions x %" PRId64 "), more than the %" PRId64
        " of max_query_cost, which no waiting makes fit "
        "(" TW_QUERY_SOURCE "): %s",
        cost.days * a_day, cost.days, cost.conditions, cost.type, most, way);
}
