/* SPDX-License-Identifier: MIT */
/* Answers of analytics: every shape that is documented, and every one seen live, in one form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "areas/analytics_form.h"
#include "support/oom.h"
#include "json/view.h"

typedef int (*form_function)(tw_buf *out, const char *body, size_t size, tw_error **err);

static void becomes(form_function form, const char *body, const char *expected)
{
    static char tail[4096];
    tw_error *err = NULL;
    tw_buf out;

    tw__buf_init(&out, 100000);
    if (form(&out, body, strlen(body), &err) != TW_OK)
        fail_msg("%s: %s", body, tw_error_message(err));
    assert_int_equal(tw__buf_putc(&out, '\0'), TW_OK);
    /* The answer as it came is the last member of all of them. */
    assert_memory_equal(out.data, expected, strlen(expected));
    snprintf(tail, sizeof tail, ",\"data\":%s}", body);
    assert_string_equal(out.data + strlen(expected), tail);
    tw__buf_clear(&out);
}

static void refused(form_function form, const char *body, const char *rule)
{
    tw_error *err = NULL;
    tw_buf out;

    tw__buf_init(&out, 100000);
    if (form(&out, body, strlen(body), &err) != TW_E_PROTOCOL)
        fail_msg("%s was not refused", body);
    if (strstr(tw_error_message(err), rule) == NULL)
        fail_msg("%s: %s", body, tw_error_message(err));
    tw_error_free(err);
    tw__buf_clear(&out);
}

#define CACHE ",\"cached\":null,\"computed_ms\":null"
#define ONE_SERIES(label, values, collapsed)                                           \
    "{\"x\":[\"2026-03-01\",\"2026-03-02\"],\"series\":[{" label ",\"values\":" values \
    ",\"collapsed\":" collapsed "}]" CACHE
#define DAYS "\"xValues\":[\"2026-03-01\",\"2026-03-02\"]"

static void series_with_labels_of_every_shape(void **unused)
{
    (void)unused;
    /* Ungrouped: the event's number. */
    becomes(tw__form_series,
            "{\"data\":{\"series\":[[41,39]],\"seriesLabels\":[0],\"seriesCollapsed\":"
            "[[{\"setId\":\"\",\"value\":63}]]," DAYS "}}",
            ONE_SERIES("\"label\":[],\"event\":0,\"segment\":0", "[41,39]", "63"));
    /* Users as the documents have them: labels in seriesMeta. */
    becomes(tw__form_series,
            "{\"data\":{\"series\":[[1,2]],\"seriesMeta\":[\"Norway\"]," DAYS "}}",
            ONE_SERIES("\"label\":[\"Norway\"],\"event\":null,\"segment\":null", "[1,2]",
                       "null"));
    /* And live. */
    becomes(
        tw__form_series,
        "{\"data\":{\"series\":[[310,298]],\"seriesLabels\":[0],\"seriesMeta\":"
        "[{\"segmentIndex\":2}],\"seriesCollapsed\":[[{\"setId\":\"\",\"value\":402}]]," DAYS
        "}}",
        ONE_SERIES("\"label\":[],\"event\":0,\"segment\":2", "[310,298]", "402"));
    /* One group, two, an event with its group, and with two. */
    becomes(tw__form_series,
            "{\"data\":{\"series\":[[1,2]],\"seriesLabels\":[\"Norway\"]," DAYS "}}",
            ONE_SERIES("\"label\":[\"Norway\"],\"event\":null,\"segment\":null", "[1,2]",
                       "null"));
    becomes(tw__form_series,
            "{\"data\":{\"series\":[[1,2]],\"seriesLabels\":[[\"Norway\",\"iOS\"]]," DAYS
            "}}",
            ONE_SERIES("\"label\":[\"Norway\",\"iOS\"],\"event\":null,\"segment\":null",
                       "[1,2]", "null"));
    becomes(
        tw__form_series,
        "{\"data\":{\"series\":[[1,2]],\"seriesLabels\":[[1,\"card\"]]," DAYS "}}",
        ONE_SERIES("\"label\":[\"card\"],\"event\":1,\"segment\":null", "[1,2]", "null"));
    becomes(tw__form_series,
            "{\"data\":{\"series\":[[1,2]],\"seriesLabels\":[[0,\"card\",7]]," DAYS "}}",
            ONE_SERIES("\"label\":[\"card\",\"7\"],\"event\":0,\"segment\":null", "[1,2]",
                       "null"));
    becomes(
        tw__form_series,
        "{\"data\":{\"series\":[[1,2]],\"seriesLabels\":[[\"(none)\",null]]," DAYS "}}",
        ONE_SERIES("\"label\":[\"(none)\",\"(none)\"],\"event\":null,\"segment\":null",
                   "[1,2]", "null"));
    becomes(tw__form_series,
            "{\"data\":{\"series\":[[1,2]],\"seriesLabels\":[[0,[\"card\",true]]]," DAYS
            "}}",
            ONE_SERIES("\"label\":[\"card\",\"true\"],\"event\":0,\"segment\":null",
                       "[1,2]", "null"));
}

#define BARE(event, segment)                                 \
    "{\"label\":[],\"event\":" event ",\"segment\":" segment \
    ",\"values\":[],\"collapsed\":null}"
#define FOUR(labels) "{\"data\":{\"series\":[[],[],[],[]],\"seriesLabels\":[" labels "]}}"

/* Segmentation by segments says no more than whose event a series is of. */
static void the_event_that_comes_again_is_of_the_next_segment(void **unused)
{
    (void)unused;
    becomes(
        tw__form_series, FOUR("0,0,1,1"),
        "{\"x\":[],\"series\":[" BARE("0", "0") "," BARE("0", "1") "," BARE("1", "0") //
        "," BARE("1", "1") "]" CACHE);
    becomes(
        tw__form_series, FOUR("0,1,0,1"),
        "{\"x\":[],\"series\":[" BARE("0", "0") "," BARE("1", "0") "," BARE("0", "1") //
        "," BARE("1", "1") "]" CACHE);
    /* No query has these events. */
    becomes(tw__form_series, FOUR("2,2,-1,7"),
            "{\"x\":[],\"series\":[" BARE("2", "null") "," BARE("2", "null") "," BARE(
                "-1", "null") "," BARE("7", "null") "]" CACHE);
}

static void series_that_are_less_than_documented(void **unused)
{
    (void)unused;
    becomes(tw__form_series, "{\"data\":{}}", "{\"x\":[],\"series\":[]" CACHE);
    becomes(
        tw__form_series,
        "{\"data\":{\"series\":[],\"seriesLabels\":[0],\"xValues\":[],\"seriesCollapsed\":null}}",
        "{\"x\":[],\"series\":[]" CACHE);
    becomes(
        tw__form_series,
        "{\"data\":{\"series\":[[1]],\"seriesCollapsed\":[{\"value\":2.50}]," DAYS "}}",
        ONE_SERIES("\"label\":[],\"event\":null,\"segment\":null", "[1,null]", "2.50"));
    becomes(tw__form_series,
            "{\"data\":{\"series\":[null],\"seriesCollapsed\":[[]]," DAYS "}}",
            ONE_SERIES("\"label\":[],\"event\":null,\"segment\":null", "[null,null]",
                       "null"));
    /* More than documented; numbers are not touched. */
    becomes(
        tw__form_series,
        "{\"timeComputed\":1767225600123,\"wasCached\":true,\"novaCost\":16,\"queryIds\":[[]],"
        "\"data\":{\"series\":[[9007199254740993,1e-7]],\"new\":{\"x\":1}," DAYS "}}",
        "{\"x\":[\"2026-03-01\",\"2026-03-02\"],\"series\":[{\"label\":[],\"event\":null,"
        "\"segment\":null,\"values\":[9007199254740993,1e-7],\"collapsed\":null}],"
        "\"cached\":true,\"computed_ms\":1767225600123");
    becomes(tw__form_series, "{\"timeComputed\":\"x\",\"wasCached\":1,\"data\":{}}",
            "{\"x\":[],\"series\":[]" CACHE);
}

static void days_with_a_time_are_days(void **unused)
{
    (void)unused;
    becomes(
        tw__form_series,
        "{\"data\":{\"xValues\":[\"2026-03-01T00:00:00\",\"2026-03-02 00:00:00.000\"]}}",
        "{\"x\":[\"2026-03-01\",\"2026-03-02\"],\"series\":[]" CACHE);
    becomes(
        tw__form_series,
        "{\"data\":{\"xValues\":[\"2026-03-01T00:00:00\",\"2026-03-01T01:00:00\"]}}",
        "{\"x\":[\"2026-03-01T00:00:00\",\"2026-03-01T01:00:00\"],\"series\":[]" CACHE);
    becomes(
        tw__form_series,
        "{\"data\":{\"xValues\":[\"09:05\",\"09:10\"],\"seriesLabels\":"
        "[\"Today\",\"Yesterday\"],\"series\":[[12,15],[9,11]]}}",
        "{\"x\":[\"09:05\",\"09:10\"],\"series\":[{\"label\":[\"Today\"],\"event\":null,"
        "\"segment\":null,\"values\":[12,15],\"collapsed\":null},{\"label\":[\"Yesterday\"],"
        "\"event\":null,\"segment\":null,\"values\":[9,11],\"collapsed\":null}]" CACHE);
    /* Values of a property (composition) and lengths (sessions). */
    becomes(
        tw__form_series,
        "{\"data\":{\"xValues\":[\"0s-60s\",null,7,true],\"series\":[[1,2,3,4]],"
        "\"seriesLabels\":[\"device\"]}}",
        "{\"x\":[\"0s-60s\",\"(none)\",\"7\",\"true\"],\"series\":[{\"label\":[\"device\"],"
        "\"event\":null,\"segment\":null,\"values\":[1,2,3,4],\"collapsed\":null}]" CACHE);
}

static void series_that_cannot_be_understood(void **unused)
{
    static const char *const cases[][2] = {
        {"", "JSON"},
        {"[]", "no JSON object"},
        {"{}", "no \"data\""},
        {"{\"data\":[]}", "that is an object"},
        {"{\"data\":{},\"data\":{}}", "\"data\" twice"},
        {"{\"data\":{\"series\":[[1]],\"series\":[[2]]}}", "\"series\" twice"},
        {"{\"data\":{\"series\":7}}", "no array"},
        {"{\"data\":{\"series\":[7]}}", "no array"},
        {"{\"data\":{\"series\":[[1,2,3]]," DAYS "}}", "more values"},
        {"{\"data\":{\"series\":[[\"1\"]]," DAYS "}}", "no number"},
        {"{\"data\":{\"series\":[[]],\"seriesLabels\":[[{}]]}}", "no text"},
        {"{\"data\":{\"series\":[[]],\"seriesLabels\":[[[[]]]]}}", "no text"},
        {"{\"data\":{\"xValues\":[[]]}}", "no text"},
        {"{\"data\":{\"series\":[[]],\"seriesCollapsed\":[[{\"value\":\"x\"}]]}}",
         "no number"},
    };
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(tw__form_series, cases[i][0], cases[i][1]);
}

/* ---- funnels ------------------------------------------------------------------------- */

#define FUNNEL_DAYS(times)                                               \
    "{\"series\":" times                                                 \
    ",\"xValues\":[\"2026-03-01\",\"2026-03-02\"],\"formattedXValues\":" \
    "[\"Mar 01\",\"Mar 02\"]}"

#define LIVE_MEDIANS FUNNEL_DAYS("[[60000,60000],[-1,-1]]")
#define LIVE_AVERAGES FUNNEL_DAYS("[[90000,90000],[91000,91000]]")

static void a_funnel_as_it_comes_live(void **unused)
{
    (void)unused;
    becomes(
        tw__form_funnels,
        "{\"numSeries\":1,\"wasCached\":false,\"data\":[{\"meta\":{\"segmentIndex\":0},"
        "\"groupValue\":\"\",\"events\":[\"Cart Viewed\",\"Checkout Done\"],"
        "\"stepByStep\":[1.0,0.4],\"cumulative\":[1.0,0.4],\"cumulativeRaw\":[200,80],"
        "\"medianTransTimes\":[61000,61000],\"avgTransTimes\":[90500,90500],\"dayFunnels\":"
        "{\"series\":[[120,50],[85,31]],\"xValues\":[\"2026-03-01\",\"2026-03-02\"],"
        "\"isComplete\":[true,false],\"formattedXValues\":[\"Mar 01\",\"Mar 02\"]},"
        "\"dayMedianTransTimes\":" LIVE_MEDIANS ",\"dayAvgTransTimes\":" LIVE_AVERAGES
        ",\"propsum\":[0]}]}",
        "{\"funnels\":[{\"label\":[],\"segment\":0,\"events\":[\"Cart Viewed\","
        "\"Checkout Done\"],\"users\":[200,80],\"cumulative\":[1.0,0.4],"
        "\"conversion\":[1.0,0.4],\"median_ms\":[61000,61000],\"average_ms\":[90500,90500],"
        "\"days\":{\"dates\":[\"2026-03-01\",\"2026-03-02\"],\"users\":[[120,50],[85,31]],"
        "\"complete\":[true,false],\"median_ms\":[[60000,60000],[null,null]],"
        "\"average_ms\":[[90000,90000],[91000,91000]]},\"time_bins\":[],"
        "\"previous_bins\":[]}],\"cached\":false,\"computed_ms\":null");
}

#define SHORT_FUNNEL(times)                                                              \
    "{\"label\":[\"Norway\"],\"segment\":null,\"events\":[\"a\",\"b\",\"(none)\"],"      \
    "\"users\":[3,2,1],\"cumulative\":[null,null,null],\"conversion\":[null,null,null]," \
    "\"median_ms\":" times ",\"average_ms\":[],\"days\":null,\"time_bins\":[],"          \
    "\"previous_bins\":[]}"
#define SHORT_ANSWER(times)                                                \
    "{\"data\":[{\"groupValue\":\"Norway\",\"events\":[\"a\",\"b\",null]," \
    "\"cumulativeRaw\":[3,2,1],\"medianTransTimes\":" times "}]}"

static void times_of_the_documents_and_of_nobody(void **unused)
{
    (void)unused;
    /* Index 0 of the documents is no time from first to last. */
    becomes(tw__form_funnels, SHORT_ANSWER("[0,5000,7000]"),
            "{\"funnels\":[" SHORT_FUNNEL("[null,5000,7000]") "]" CACHE);
    becomes(tw__form_funnels, SHORT_ANSWER("[12000,5000,7000]"),
            "{\"funnels\":[" SHORT_FUNNEL("[12000,5000,7000]") "]" CACHE);
    becomes(tw__form_funnels, SHORT_ANSWER("[-1,5000,-1]"),
            "{\"funnels\":[" SHORT_FUNNEL("[null,5000,null]") "]" CACHE);
    becomes(tw__form_funnels, SHORT_ANSWER("[0,5000]"),
            "{\"funnels\":[" SHORT_FUNNEL("[5000,5000]") "]" CACHE);
    /* All within one second: a 0 that is meant. */
    becomes(tw__form_funnels, SHORT_ANSWER("[0,0,0.0]"),
            "{\"funnels\":[" SHORT_FUNNEL("[0,0,0.0]") "]" CACHE);
    becomes(tw__form_funnels, SHORT_ANSWER("null"),
            "{\"funnels\":[" SHORT_FUNNEL("[]") "]" CACHE);
    becomes(tw__form_funnels, "{\"data\":[]}", "{\"funnels\":[]" CACHE);
}

static void days_without_times(void **unused)
{
    (void)unused;
    becomes(
        tw__form_funnels,
        "{\"data\":[{\"cumulativeRaw\":[],\"dayFunnels\":{\"xValues\":[\"a\",\"b\"],"
        "\"series\":[[1]]},\"dayAvgTransTimes\":{\"series\":[[5,5]]}}]}",
        "{\"funnels\":[{\"label\":[],\"segment\":null,\"events\":[],\"users\":[],"
        "\"cumulative\":[],\"conversion\":[],\"median_ms\":[],\"average_ms\":[],\"days\":"
        "{\"dates\":[\"a\",\"b\"],\"users\":[[1],[]],\"complete\":[],\"median_ms\":[[],[]],"
        "\"average_ms\":[[5,5],[]]},\"time_bins\":[],\"previous_bins\":[]}]" CACHE);
}

static void distributions_of_both_kinds(void **unused)
{
    (void)unused;
    becomes(
        tw__form_funnels,
        "{\"data\":[{\"cumulativeRaw\":[],\"stepTransTimeDistribution\":{\"segment_index\":0,"
        "\"step_bins\":[{\"bins\":[{\"start\":0,\"end\":10000,\"bin_dist\":{\"tempKey\":[],"
        "\"uniques\":4,\"sums\":0.0,\"totals\":5}}]},{\"bins\":[]}]},"
        "\"stepPrevStepCountDistribution\":{\"step_bins\":[{\"bins\":[{\"start\":1,"
        "\"bin_dist\":{\"users\":2,\"count\":3,\"propsum\":0}}]}]}}]}",
        "{\"funnels\":[{\"label\":[],\"segment\":null,\"events\":[],\"users\":[],"
        "\"cumulative\":[],\"conversion\":[],\"median_ms\":[],\"average_ms\":[],\"days\":null,"
        "\"time_bins\":[[[0,10000,4,5]],[]],\"previous_bins\":[[[1,null,2,3]]]}]" CACHE);
}

static void funnels_that_cannot_be_understood(void **unused)
{
    static const char *const cases[][2] = {
        {"{\"data\":{}}", "an array"},
        {"{\"data\":[7]}", "no object"},
        {"{\"data\":[{}]}", "cumulativeRaw"},
        {"{\"data\":[{\"cumulativeRaw\":[\"3\"]}]}", "no number"},
        {"{\"data\":[{\"cumulativeRaw\":[3],\"events\":[\"a\",\"b\"]}]}", "more values"},
        {"{\"data\":[{\"cumulativeRaw\":[3],\"medianTransTimes\":7}]}", "no array"},
        {"{\"data\":[{\"cumulativeRaw\":[3],\"medianTransTimes\":[\"x\"]}]}",
         "no number"},
        {"{\"data\":[{\"cumulativeRaw\":[3],\"cumulativeRaw\":[4]}]}", "twice"},
        {"{\"data\":[{\"cumulativeRaw\":[3],\"dayFunnels\":{\"xValues\":[],\"series\":[[1]]}}]}",
         "more values"},
    };
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(tw__form_funnels, cases[i][0], cases[i][1]);
}

/* ---- retention ----------------------------------------------------------------------- */

static void cell_0_is_the_cohort_and_cell_1_its_first_day(void **unused)
{
    (void)unused;
    becomes(
        tw__form_retention,
        "{\"data\":{\"series\":[{\"dates\":[\"Mar 02, 2026\",\"Mar 01, 2026\"],\"values\":{"
        "\"Mar 01, 2026\":[{\"count\":50,\"outof\":50,\"incomplete\":false},{\"count\":48,"
        "\"outof\":50,\"incomplete\":false},{\"count\":21,\"outof\":50,\"incomplete\":true}],"
        "\"Mar 02, 2026\":[{\"count\":40,\"outof\":40,\"incomplete\":false},{\"count\":37,"
        "\"outof\":40,\"incomplete\":true}]},\"combined\":[{\"count\":90,\"outof\":90,"
        "\"retainedSetId\":\"\",\"incomplete\":false},{\"count\":48,\"outof\":50,"
        "\"retainedSetId\":null,\"dropoffSetId\":\"\",\"incomplete\":false}]}],"
        "\"seriesLabels\":[\"\"],\"seriesMeta\":[{\"segmentIndex\":0,\"eventIndex\":0}]}}",
        "{\"series\":[{\"label\":[],\"event\":0,\"segment\":0,\"cohorts\":["
        "{\"date\":\"Mar 02, 2026\",\"size\":40,\"cells\":[[37,40,true]]},"
        "{\"date\":\"Mar 01, 2026\",\"size\":50,\"cells\":[[48,50,false],[21,50,true]]}],"
        "\"combined\":{\"size\":90,\"cells\":[[48,50,false]]}}]" CACHE);
}

static void dates_of_any_form(void **unused)
{
    (void)unused;
    becomes(
        tw__form_retention,
        "{\"data\":{\"series\":[{\"dates\":[\"Aug 15\",\"Sep 2021\",\"\\u00e9\"],\"values\":{"
        "\"Sep 2021\":[{\"count\":1}],\"é\":[],\"other\":[{\"count\":9}]},\"combined\":null}],"
        "\"seriesLabels\":[\"Norway\"]}}",
        "{\"series\":[{\"label\":[\"Norway\"],\"event\":null,\"segment\":null,\"cohorts\":["
        "{\"date\":\"Aug 15\",\"size\":null,\"cells\":[]},{\"date\":\"Sep 2021\",\"size\":1,"
        "\"cells\":[]},{\"date\":\"\\u00e9\",\"size\":null,\"cells\":[]}],"
        "\"combined\":{\"size\":null,\"cells\":[]}}]" CACHE);
    /* Without a list of dates the values have their own order. */
    becomes(
        tw__form_retention,
        "{\"data\":{\"series\":[{\"values\":{\"b\":[{\"count\":2},{\"count\":1,\"outof\":2}],"
        "\"a\":[]}}]}}",
        "{\"series\":[{\"label\":[],\"event\":null,\"segment\":null,\"cohorts\":["
        "{\"date\":\"b\",\"size\":2,\"cells\":[[1,2,false]]},{\"date\":\"a\",\"size\":null,"
        "\"cells\":[]}],\"combined\":{\"size\":null,\"cells\":[]}}]" CACHE);
    becomes(tw__form_retention, "{\"data\":{\"series\":[]}}", "{\"series\":[]" CACHE);
}

static void retention_that_cannot_be_understood(void **unused)
{
    static const char *const cases[][2] = {
        {"{\"data\":{\"series\":{}}}", "no array"},
        {"{\"data\":{\"series\":[[]]}}", "no object"},
        {"{\"data\":{\"series\":[{\"combined\":{}}]}}", "no array"},
        {"{\"data\":{\"series\":[{\"combined\":[{},7]}]}}", "no object"},
        {"{\"data\":{\"series\":[{\"combined\":[{\"count\":\"9\"}]}]}}", "no number"},
        {"{\"data\":{\"series\":[{\"combined\":[{},{\"count\":1,\"count\":2}]}]}}",
         "twice"},
        {"{\"data\":{\"series\":[{\"dates\":[\"a\"],\"values\":{\"a\":[],\"\\u0061\":[]}}]}}",
         "a date twice"},
        {"{\"data\":{\"series\":[{\"dates\":[{}],\"values\":{}}]}}", "no text"},
    };
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(tw__form_retention, cases[i][0], cases[i][1]);
}

/* ---- lifetime value ------------------------------------------------------------------ */

static void curves_by_days(void **unused)
{
    (void)unused;
    /* As in the documents. */
    becomes(
        tw__form_ltv,
        "{\"data\":{\"seriesLabels\":[\"\"],\"series\":[{\"dates\":[\"2026-03-02\"],"
        "\"values\":{\"2026-03-02\":{\"r2d\":1.9,\"r1d\":1.5,\"r10d\":4,\"count\":40,"
        "\"paid\":6,\"total_amount\":76.0}}}]}}",
        "{\"series\":[{\"label\":[],\"event\":null,\"segment\":null,\"cohorts\":["
        "{\"date\":\"2026-03-02\",\"size\":40,\"paid\":6,\"total\":76.0,\"curve\":["
        "[1,1.5,null],[2,1.9,null],[10,4,null]],\"first_paid\":[]}],\"combined\":null}]" CACHE);
    /* And live. */
    becomes(
        tw__form_ltv,
        "{\"data\":{\"seriesLabels\":[0],\"seriesMeta\":[{\"segmentIndex\":1}],\"series\":["
        "{\"dates\":[\"Sep 24\"],\"values\":{\"Sep 24\":{\"rtotal\":5,\"rtotalnew\":2,"
        "\"r180d\":5,\"r7new\":1,\"r1new\":2,\"r01d\":9,\"rd\":9,\"r0d\":9,\"r1dx\":9,"
        "\"count\":3}},\"complete\":{\"Sep 24\":{\"r180d\":false,\"r1new\":true}},"
        "\"combined\":{\"r1d\":0.5,\"count\":3,\"paid\":1,\"total_amount\":5},"
        "\"combined_complete\":{\"r1d\":true}}]}}",
        "{\"series\":[{\"label\":[],\"event\":0,\"segment\":1,\"cohorts\":["
        "{\"date\":\"Sep 24\",\"size\":3,\"paid\":null,\"total\":null,"
        "\"curve\":[[180,5,false]],\"first_paid\":[[1,2,true],[7,1,null]]}],\"combined\":"
        "{\"size\":3,\"paid\":1,\"total\":5,\"curve\":[[1,0.5,true]],\"first_paid\":[]}}]" CACHE);
}

static void lifetime_values_that_cannot_be_understood(void **unused)
{
#define VALUES(text) \
    "{\"data\":{\"series\":[{\"dates\":[\"a\"],\"values\":{\"a\":" text "}}]}}"
    static const char *const cases[][2] = {
        {VALUES("[]"), "no object"},
        {VALUES("{\"count\":\"1\"}"), "no number"},
        {VALUES("{\"count\":1,\"count\":1}"), "twice"},
        {VALUES("{\"r1d\":\"x\"}"), "no number"},
        {VALUES("{\"r1d\":1,\"r1d\":1}"), "a day twice"},
        {"{\"data\":{\"series\":[{\"combined\":{\"r1d\":1},\"combined_complete\":{\"r1d\":1}}]}}",
         "neither true"},
    };
#undef VALUES
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(tw__form_ltv, cases[i][0], cases[i][1]);
}

/* ---- lists and charts ---------------------------------------------------------------- */

static void events_of_the_project(void **unused)
{
    (void)unused;
    becomes(
        tw__form_events,
        "{\"data\":[{\"non_active\":false,\"value\":\"Checkout Done\",\"totals\":512,"
        "\"deleted\":false,\"flow_hidden\":true,\"hidden\":false,\"display\":\"Checkout\","
        "\"id\":7},{\"name\":\"b\",\"totals\":null}]}",
        "{\"events\":[{\"name\":\"Checkout Done\",\"display\":\"Checkout\",\"totals\":512,"
        "\"hidden\":false,\"deleted\":false,\"flow_hidden\":true,\"non_active\":false,\"data\":"
        "{\"non_active\":false,\"value\":\"Checkout Done\",\"totals\":512,\"deleted\":false,"
        "\"flow_hidden\":true,\"hidden\":false,\"display\":\"Checkout\",\"id\":7}},"
        "{\"name\":\"b\",\"display\":\"b\",\"totals\":null,\"hidden\":false,\"deleted\":false,"
        "\"flow_hidden\":false,\"non_active\":false,\"data\":{\"name\":\"b\","
        "\"totals\":null}}]" CACHE);
    becomes(tw__form_events, "{\"data\":[]}", "{\"events\":[]" CACHE);
    refused(tw__form_events, "{\"data\":[{}]}", "without a name");
    refused(tw__form_events, "{\"data\":[{\"value\":\"a\",\"totals\":\"1\"}]}",
            "no number");
}

static void charts_are_tables(void **unused)
{
    (void)unused;
    becomes(
        tw__form_chart,
        "{\"data\":\"\\\"\\tSignups by tier\\\"\\r\\n\\r\\n\\\"\\tSegment\\\",\\\"2026-03-01\\\","
        "\\\"2026-03-02\\\"\\r\\n\\\"\\tgold\\\",\\\"4\\\",\\\"7\\\"\\r\\n\"}",
        "{\"blocks\":[[[\"Signups by tier\"]],[[\"Segment\",\"2026-03-01\",\"2026-03-02\"],"
        "[\"gold\",\"4\",\"7\"]]]" CACHE);
    /* One TAB belongs to the format, what follows to the text; quotes and line ends inside. */
    becomes(tw__form_chart,
            "{\"data\":\"\\\"\\t\\ta\\\",\\\"say \\\"\\\"x\\\"\\\"\\\","
            "b c,\\n\\\"1,2\\r\\n3\\\",\\\"\\\"\"}",
            "{\"blocks\":[[[\"\\u0009a\",\"say \\\"x\\\"\",\"b c\",\"\"],"
            "[\"1,2\\u000d\\u000a3\",\"\"]]]" CACHE);
    becomes(tw__form_chart, "{\"data\":\"\"}", "{\"blocks\":[]" CACHE);
    becomes(tw__form_chart, "{\"data\":\"\\r\\n\\r\\na\\r\\n\\r\\n\\r\\nb\"}",
            "{\"blocks\":[[[\"a\"]],[[\"b\"]]]" CACHE);
    refused(tw__form_chart, "{\"data\":{\"series\":[]}}", "a text");
    refused(tw__form_chart, "{\"data\":\"\\\"a\"}", "within a cell");
}

/* ---- memory -------------------------------------------------------------------------- */

static void memory_may_end_anywhere(void **unused)
{
    static const struct {
        form_function form;
        const char *body;
    } cases[] = {
        {tw__form_series, "{\"data\":{\"series\":[[1]],\"xValues\":[\"a\"]}}"},
        {tw__form_retention,
         "{\"data\":{\"series\":[{\"dates\":[\"a\",\"\\u0062\"],\"values\":{\"a\":[{\"count\":1}],"
         "\"b\":[]},\"combined\":[]}]}}"},
        {tw__form_ltv, "{\"data\":{\"series\":[{\"values\":{\"a\":{\"r1d\":1}}}]}}"},
        {tw__form_chart, "{\"data\":\"\\\"\\ta\\\",b\\r\\n\"}"},
    };
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        long fail_at = 0;
        int rc;

        do {
            tw_error *err = NULL;
            tw_buf out;
            long held;

            oom_begin(fail_at++);
            tw__buf_init(&out, 10000);
            rc = cases[i].form(&out, cases[i].body, strlen(cases[i].body), &err);
            tw__buf_clear(&out);
            assert_int_equal(rc, oom_end(&held) ? TW_E_NOMEM : TW_OK);
            assert_int_equal(held, 0);
            tw_error_free(err);
        } while (rc != TW_OK && fail_at < 1000);
        assert_int_equal(rc, TW_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_with_labels_of_every_shape),
        cmocka_unit_test(the_event_that_comes_again_is_of_the_next_segment),
        cmocka_unit_test(series_that_are_less_than_documented),
        cmocka_unit_test(days_with_a_time_are_days),
        cmocka_unit_test(series_that_cannot_be_understood),
        cmocka_unit_test(a_funnel_as_it_comes_live),
        cmocka_unit_test(times_of_the_documents_and_of_nobody),
        cmocka_unit_test(days_without_times),
        cmocka_unit_test(distributions_of_both_kinds),
        cmocka_unit_test(funnels_that_cannot_be_understood),
        cmocka_unit_test(cell_0_is_the_cohort_and_cell_1_its_first_day),
        cmocka_unit_test(dates_of_any_form),
        cmocka_unit_test(retention_that_cannot_be_understood),
        cmocka_unit_test(curves_by_days),
        cmocka_unit_test(lifetime_values_that_cannot_be_understood),
        cmocka_unit_test(events_of_the_project),
        cmocka_unit_test(charts_are_tables),
        cmocka_unit_test(memory_may_end_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
