/* SPDX-License-Identifier: MIT */
/* Analytics queries: their arguments, by the Dashboard REST API. */
#include <stddef.h>

#include "areas/analytics_form.h"
#include "areas/analytics_query.h"

/*
 * Source: Amplitude Dashboard REST API docs, read 2026-11-27, and what is told apart from them:
 * the documented value n-day of retention's `rm` is refused by the server, nday works; session
 * queries take segments and a group-by.
 */

#define DATES                                                                          \
    {.name = "start", .kind = TW_KIND_DATE, .flags = TW_REQUIRED, .doc = "first day"}, \
    {                                                                                  \
        .name = "end", .kind = TW_KIND_DATE, .flags = TW_REQUIRED,                     \
        .doc = "last day, part of the range; in the project's time zone"               \
    }

#define CALENDAR_INTERVAL                                          \
    {                                                              \
        .name = "interval", .sent = "i", .kind = TW_KIND_INT,      \
        .choices = "day=1|week=7|month=30",                        \
        .doc = "length of a bucket, day where absent; daily ones " \
               "reach over 365 days"                               \
    }

#define ANY_INTERVAL                                                              \
    {                                                                             \
        .name = "interval", .sent = "i", .kind = TW_KIND_INT,                     \
        .choices = "day=1|week=7|month=30|hour=-3600000|realtime=-300000",        \
        .doc = "length of a bucket, day where absent; realtime (5 minutes) ones " \
               "reach over 2 days, hourly ones over 7, daily ones over 365"       \
    }

#define SEGMENTS                                                                        \
    {                                                                                   \
        .name = "segments", .sent = "s", .kind = TW_KIND_SEGMENT, .flags = TW_REPEATED, \
        .rule = tw__segment_rule,                                                       \
        .doc = "which users; each is a list of conditions, and has a series"            \
    }

#define GROUP_BY(count_flag, text)                                     \
    {                                                                  \
        .name = "group_by", .sent = "g", .kind = TW_KIND_TEXT,         \
        .flags = TW_REPEATED | TW_FILLED | (count_flag), .doc = (text) \
    }

#define ONE_GROUP GROUP_BY(0, "one property of users, with one segment at most")
#define TWO_GROUPS \
    GROUP_BY(TW_NUMBERED, "up to two properties of users, with one segment at most")

#define LIMIT                                                           \
    {                                                                   \
        .name = "limit", .kind = TW_KIND_INT, .min = 1, .max = 1000,    \
        .doc = "values of the group-by in the answer, 100 where absent" \
    }

static const tw_argument users_arguments[] = {
    DATES,
    {.name = "metric",
     .sent = "m",
     .kind = TW_KIND_TEXT,
     .choices = "active|new",
     .doc = "which users, active where absent"},
    CALENDAR_INTERVAL,
    SEGMENTS,
    TWO_GROUPS,
};

static const tw_argument segmentation_arguments[] = {
    {.name = "events",
     .sent = "e",
     .kind = TW_KIND_EVENT,
     .flags = TW_REQUIRED | TW_REPEATED | TW_FILLED | TW_NUMBERED,
     .rule = tw__event_rule,
     .doc = "one or two"},
    DATES,
    {.name = "metric",
     .sent = "m",
     .kind = TW_KIND_TEXT,
     .choices = "uniques|totals|pct_dau|average|histogram|sums|value_avg|formula",
     .doc = "what is counted, uniques where absent; histogram, sums and value_avg are "
            "about the property of the event's first group_by"},
    {.name = "users",
     .sent = "n",
     .kind = TW_KIND_TEXT,
     .choices = "any|active",
     .doc = "whose events count"},
    ANY_INTERVAL,
    SEGMENTS,
    TWO_GROUPS,
    LIMIT,
    {.name = "formula",
     .kind = TW_KIND_TEXT,
     .flags = TW_FILLED,
     .with = "m=formula",
     .doc = "such as `UNIQUES(A)/UNIQUES(B)`: A is the first event; it is the metric"},
    {.name = "rolling_window",
     .sent = "rollingWindow",
     .kind = TW_KIND_INT,
     .min = 1,
     .max = 90,
     .doc = "buckets counted as one set; at most 36 of 5 minutes, 72 hours, 90 days, 12 "
            "weeks, 12 months"},
    {.name = "rolling_average",
     .sent = "rollingAverage",
     .kind = TW_KIND_INT,
     .min = 1,
     .max = 90,
     .doc = "buckets whose values are averaged, likewise"},
};

static const tw_argument funnel_arguments[] = {
    {.name = "events",
     .sent = "e",
     .kind = TW_KIND_EVENT,
     .flags = TW_REQUIRED | TW_REPEATED | TW_FILLED,
     .rule = tw__event_rule,
     .doc = "two steps or more, in order"},
    DATES,
    {.name = "mode",
     .kind = TW_KIND_TEXT,
     .choices = "ordered|unordered|sequential",
     .doc = "ordered where absent; sequential: no other event in between"},
    {.name = "users",
     .sent = "n",
     .kind = TW_KIND_TEXT,
     .choices = "new|active",
     .doc = "active where absent"},
    ANY_INTERVAL,
    SEGMENTS,
    ONE_GROUP,
    /* 1 s to 366 days: Amplitude funnel analysis docs, read 2026-11-27. */
    {.name = "conversion_window",
     .sent = "cs",
     .kind = TW_KIND_INT,
     .min = 1,
     .max = 366 * 86400,
     /* The documented default, sent all the same: a chart of the web application has 1 day. */
     .absent = "cs=2592000",
     .doc = "seconds from the first step to the last, 30 days where absent; unordered: "
            "rounded down to whole days"},
    LIMIT,
};

static const tw_argument retention_arguments[] = {
    {.name = "start_event",
     .sent = "se",
     .kind = TW_KIND_EVENT,
     .flags = TW_REQUIRED,
     .rule = tw__event_rule,
     .doc =
         "what users begin with; `_new` for new users, `_active` for any active event"},
    {.name = "return_event",
     .sent = "re",
     .kind = TW_KIND_EVENT,
     .flags = TW_REQUIRED,
     .rule = tw__event_rule,
     .doc =
         "what they come back for; `_all` for any event, `_active` for any active one"},
    DATES,
    {.name = "mode",
     .sent = "rm",
     .kind = TW_KIND_TEXT,
     .choices = "nday|n-day=nday|rolling|unbounded=rolling|bracket",
     .doc = "nday where absent"},
    {.name = "brackets",
     .sent = "rb",
     .kind = TW_KIND_RANGES,
     .rule = tw__brackets_rule,
     .with = "rm=bracket",
     .doc = "day ranges without their end, `[[0, 5]]` for the days 0 to 4; they are the "
            "mode bracket"},
    CALENDAR_INTERVAL,
    SEGMENTS,
    ONE_GROUP,
};

static const tw_argument realtime_arguments[] = {
    {.name = "interval",
     .sent = "i",
     .kind = TW_KIND_INT,
     .choices = "5",
     .doc = "minutes; 5 alone is accepted by the server"},
};

static const tw_argument ltv_arguments[] = {
    {.name = "metric",
     .sent = "m",
     .kind = TW_KIND_INT,
     .choices = "arpu=0|arppu=1|total_revenue=2|paying_users=3",
     .doc = "arpu where absent"},
    DATES,
    CALENDAR_INTERVAL,
    SEGMENTS,
    ONE_GROUP,
};

static const tw_argument chart_arguments[] = {
    {.name = "chart_id",
     .place = TW_IN_PATH,
     .kind = TW_KIND_TEXT,
     .flags = TW_REQUIRED | TW_FILLED,
     .doc = "from the address of the chart"},
};

static const tw_argument length_arguments[] = {
    DATES,
    {.name = "bin_unit",
     .sent = "timeHistogramConfigBinTimeUnit",
     .kind = TW_KIND_TEXT,
     .choices = "hours|minutes|seconds",
     .doc = "of the bins, with bin_min and bin_max; the server's own bins where absent"},
    {.name = "bin_min",
     .sent = "timeHistogramConfigBinMin",
     .kind = TW_KIND_NUMBER,
     .doc = "where the first bin begins"},
    {.name = "bin_max",
     .sent = "timeHistogramConfigBinMax",
     .kind = TW_KIND_NUMBER,
     .doc = "where the last one ends"},
    {.name = "bin_size",
     .sent = "timeHistogramConfigBinSize",
     .kind = TW_KIND_NUMBER,
     .doc = "of each; the server chooses where absent"},
    SEGMENTS,
    ONE_GROUP,
};

static const tw_argument session_arguments[] = {DATES, SEGMENTS, ONE_GROUP};

static const tw_argument composition_arguments[] = {
    DATES,
    {.name = "property",
     .sent = "p",
     .kind = TW_KIND_TEXT,
     .flags = TW_REQUIRED | TW_FILLED,
     .doc = "of users: a built-in one, or `gp:` and the name of a custom one"},
};

static const char series_doc[] =
    "`x` and `series`: a list of `label` (values of the group-by), `event` and `segment` "
    "(their indexes), `values` (one for each x), `collapsed` (the whole range as one)";

const tw_operation tw__analytics_operations[] = {
    {TW_EP_USERS, TW_ARGUMENTS(users_arguments), tw__groups_check, tw__form_series,
     series_doc},
    /* No arguments, but a row with arguments ends no table. */
    {TW_EP_EVENTS_LIST, users_arguments, 0, NULL, tw__form_events,
     "`events`: a list of `name`, `display`, `totals` (of this week), `hidden`, `deleted`, "
     "`flow_hidden`, `non_active`"},
    {TW_EP_SEGMENTATION, TW_ARGUMENTS(segmentation_arguments), tw__segmentation_check,
     tw__form_series, series_doc},
    {TW_EP_FUNNELS, TW_ARGUMENTS(funnel_arguments), tw__funnel_check, tw__form_funnels,
     "`funnels`: a list of `label`, `segment`, `events`, `users` (at each step), "
     "`cumulative` (of the first step), `conversion` (of the step before), `median_ms` and "
     "`average_ms` (first to last step, then into each step; null: nobody), `days`, "
     "`time_bins`, `previous_bins`"},
    {TW_EP_RETENTION, TW_ARGUMENTS(retention_arguments), tw__retention_check,
     tw__form_retention,
     "`series`: a list of `label`, `event`, `segment`, `cohorts` (each `date`, `size`, "
     "`cells`: `[retained, of, incomplete]` from the first interval on) and `combined`"},
    {TW_EP_REALTIME, TW_ARGUMENTS(realtime_arguments), NULL, tw__form_series, series_doc},
    {TW_EP_REVENUE_LTV, TW_ARGUMENTS(ltv_arguments), tw__table_check, tw__form_ltv,
     "`series`: a list of `label`, `event`, `segment`, `cohorts` (each `date`, `size`, "
     "`paid`, `total`, `curve`: `[days, value, complete]`, `first_paid`) and `combined`"},
    {TW_EP_CHART_CSV, TW_ARGUMENTS(chart_arguments), NULL, tw__form_chart,
     "`blocks` of rows of texts: title, descriptions, and the table with its header"},
    {TW_EP_SESSIONS_LENGTH, TW_ARGUMENTS(length_arguments), tw__sessions_check,
     tw__form_series, series_doc},
    {TW_EP_SESSIONS_AVERAGE, TW_ARGUMENTS(session_arguments), tw__sessions_check,
     tw__form_series, series_doc},
    {TW_EP_SESSIONS_PERUSER, TW_ARGUMENTS(session_arguments), tw__sessions_check,
     tw__form_series, series_doc},
    {TW_EP_COMPOSITION, TW_ARGUMENTS(composition_arguments), tw__sessions_check,
     tw__form_series, series_doc},
    {TW_EP_COUNT, NULL, 0, NULL, NULL, NULL},
};
