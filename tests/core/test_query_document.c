/* SPDX-License-Identifier: MIT */
/* Events, segments and formulas of queries: what is sent of them, and what is refused where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "areas/query_document.h"

typedef int (*document_put)(tw_buf *out, tw_asked *asked, tw_view document);

static tw_asked asked_at(const char *name, tw_error **err)
{
    tw_asked asked;

    memset(&asked, 0, sizeof asked);
    asked.err = err;
    tw__trail_name(&asked.trail, name);
    return asked;
}

static void sent(document_put put, const char *given, const char *wire)
{
    tw_error *err = NULL;
    tw_asked asked = asked_at("x", &err);
    tw_view view;
    tw_buf out;
    int rc;

    tw__buf_init(&out, 10000);
    assert_int_equal(tw__view_open(&view, given, strlen(given), 64, 10000, NULL), TW_OK);
    rc = put(&out, &asked, view);
    if (rc != TW_OK)
        fail_msg("%s: %s", given, tw_error_message(err));
    assert_int_equal(tw__buf_putc(&out, '\0'), TW_OK);
    assert_string_equal(out.data, wire);
    assert_string_equal(asked.trail.text, "x"); /* it came back */
    tw__buf_clear(&out);
}

static void refused(document_put put, const char *given, const char *field,
                    const char *rule)
{
    tw_error *err = NULL;
    tw_asked asked = asked_at("x", &err);
    tw_view view;
    tw_buf out;

    tw__buf_init(&out, 10000);
    assert_int_equal(tw__view_open(&view, given, strlen(given), 64, 10000, NULL), TW_OK);
    if (put(&out, &asked, view) != TW_E_VALIDATION)
        fail_msg("%s was not refused", given);
    assert_string_equal(tw_error_field(err), field);
    if (strstr(tw_error_message(err), rule) == NULL)
        fail_msg("%s: %s", given, tw_error_message(err));
    tw_error_free(err);
    tw__buf_clear(&out);
}

static void events_get_one_form(void **unused)
{
    (void)unused;
    sent(tw__event_document, "\"Cart Viewed\"", "{\"event_type\":\"Cart Viewed\"}");
    sent(tw__event_document, "{\"event_type\":\"a\",\"filters\":{},\"group_by\":{}}",
         "{\"event_type\":\"a\",\"filters\":[],\"group_by\":[]}");
    sent(tw__event_document, "{\"event_type\":\"_active\"}",
         "{\"event_type\":\"_active\"}");
    sent(tw__event_document, "{\"group_by\":[],\"event_type\":\"a\",\"filters\":[]}",
         "{\"event_type\":\"a\",\"filters\":[],\"group_by\":[]}");
    sent(
        tw__event_document,
        "{\"event_type\":\"Checkout Done\",\"filters\":[{\"subprop_type\":\"event\","
        "\"subprop_key\":\"method\",\"subprop_op\":\"is\",\"subprop_value\":[\"card\",\"iban\"]}],"
        "\"group_by\":[{\"type\":\"user\",\"value\":\"gp:tier\"}]}",
        "{\"event_type\":\"Checkout Done\",\"filters\":[{\"subprop_type\":\"event\","
        "\"subprop_key\":\"method\",\"subprop_op\":\"is\",\"subprop_value\":[\"card\",\"iban\"]}],"
        "\"group_by\":[{\"type\":\"user\",\"value\":\"gp:tier\"}]}");
    /* Whose property it is shows in its name; signs are words; numbers are texts. */
    sent(
        tw__event_document,
        "{\"filters\":[{\"subprop_value\":[10,10.0,2.50,true,null,1e3,-0.5],\"subprop_op\":\">\","
        "\"subprop_key\":\"price\"},{\"subprop_key\":\"gp:a\",\"subprop_op\":\"in\","
        "\"subprop_value\":[\"é\"]}],\"event_type\":\"a\",\"group_by\":[\"country\",\"size\"]}",
        "{\"event_type\":\"a\",\"filters\":[{\"subprop_type\":\"event\",\"subprop_key\":\"price\","
        "\"subprop_op\":\"greater\",\"subprop_value\":[\"10\",\"10\",\"2.5\",\"true\",\"(none)\","
        "\"1e3\",\"-0.5\"]},{\"subprop_type\":\"user\",\"subprop_key\":\"gp:a\","
        "\"subprop_op\":\"is\",\"subprop_value\":[\"é\"]}],\"group_by\":[{\"type\":\"user\","
        "\"value\":\"country\"},{\"type\":\"event\",\"value\":\"size\"}]}");
    /* What no document names goes through as it is. */
    sent(tw__event_document, "{\"custom\":{\"x\":[1e400]},\"event_type\":\"a\"}",
         "{\"event_type\":\"a\",\"custom\":{\"x\":[1e400]}}");
}

static void every_operator_is_known(void **unused)
{
    static const char *const words[][2] = {
        {"is", "is"},
        {"is not", "is not"},
        {"contains", "contains"},
        {"does not contain", "does not contain"},
        {"less", "less"},
        {"less or equal", "less or equal"},
        {"greater", "greater"},
        {"greater or equal", "greater or equal"},
        {"set is", "set is"},
        {"set is not", "set is not"},
        {"=", "is"},
        {"==", "is"},
        {"in", "is"},
        {"!=", "is not"},
        {"~=", "is not"},
        {"not in", "is not"},
        {"<", "less"},
        {"<=", "less or equal"},
        {">", "greater"},
        {">=", "greater or equal"},
    };
    char given[200], wire[200];
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof words / sizeof *words; i++) {
        snprintf(given, sizeof given,
                 "[{\"prop\":\"country\",\"op\":\"%s\",\"values\":[\"Norway\"]}]",
                 words[i][0]);
        snprintf(wire, sizeof wire,
                 "[{\"prop\":\"country\",\"op\":\"%s\",\"values\":[\"Norway\"]}]",
                 words[i][1]);
        sent(tw__segment_document, given, wire);
    }
}

static void bad_events_are_refused_where_they_are_bad(void **unused)
{
#define FILTER(rest) \
    "{\"event_type\":\"a\",\"filters\":[{\"subprop_key\":\"k\"," rest "}]}"
    static const char *const cases[][3] = {
        {"7", "x", "has to be an object"},
        {"{}", "x.event_type", "was missing"},
        {"\"\"", "x.event_type", "not empty"},
        {"{\"event_type\":7}", "x.event_type", "a text"},
        {"{\"event_type\":\"a\",\"event_type\":\"b\"}", "x.event_type", "twice"},
        {"\"Any Active Event\"", "x.event_type", "_active"},
        {"\"Any Event\"", "x.event_type", "_all"},
        {"\"[Amplitude] New User\"", "x.event_type", "_new"},
        {"{\"event_type\":\"a\",\"filter\":[]}", "x", "did you mean \"filters\""},
        {"{\"event_type\":\"a\",\"groupby\":[]}", "x", "did you mean \"group_by\""},
        {"{\"event_type\":\"a\",\"filters\":{\"a\":1}}", "x.filters", "an array"},
        {"{\"event_type\":\"a\",\"filters\":[7]}", "x.filters[0]", "an object"},
        {"{\"event_type\":\"a\",\"filters\":[{}]}", "x.filters[0].subprop_key",
         "missing"},
        {FILTER("\"subprop_value\":[\"1\"]"), "x.filters[0].subprop_op", "missing"},
        {FILTER("\"subprop_op\":\"has\",\"subprop_value\":[\"1\"]"),
         "x.filters[0].subprop_op", "does not contain"},
        {FILTER("\"subprop_op\":\"is\""), "x.filters[0].subprop_value", "array"},
        {FILTER("\"subprop_op\":\"is\",\"subprop_value\":\"1\""),
         "x.filters[0].subprop_value", "array"},
        {FILTER("\"subprop_op\":\"is\",\"subprop_value\":[]"),
         "x.filters[0].subprop_value", "at least one"},
        {FILTER("\"subprop_op\":\"is\",\"subprop_value\":[\"1\",[]]"),
         "x.filters[0].subprop_value[1]", "a text"},
        {FILTER(
             "\"subprop_type\":\"group\",\"subprop_op\":\"is\",\"subprop_value\":[\"1\"]"),
         "x.filters[0].subprop_type", "event or user"},
        {"{\"event_type\":\"a\",\"group_by\":\"country\"}", "x.group_by", "an array"},
        {"{\"event_type\":\"a\",\"group_by\":[\"a\",\"b\",\"c\"]}", "x.group_by",
         "at most two"},
        {"{\"event_type\":\"a\",\"group_by\":[{\"type\":\"user\"}]}",
         "x.group_by[0].value", "missing"},
        {"{\"event_type\":\"a\",\"group_by\":[\"\"]}", "x.group_by[0]", "object"},
    };
#undef FILTER
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(tw__event_document, cases[i][0], cases[i][1], cases[i][2]);
}

static void segments_get_one_form(void **unused)
{
    (void)unused;
    sent(tw__segment_document, "[]", "[]");
    sent(tw__segment_document, "{}", "[]"); /* an empty table of Lua */
    sent(
        tw__segment_document,
        "[{\"values\":[\"abc\"],\"op\":\"is\",\"prop\":\"userdata_cohort\"},"
        "{\"event_type\":\"Checkout Done\",\"op\":\">=\",\"value\":2,"
        "\"time_type\":\"forEachInterval\",\"time_value\":14,\"type\":\"event\"}]",
        "[{\"prop\":\"userdata_cohort\",\"op\":\"is\",\"values\":[\"abc\"]},"
        "{\"type\":\"event\",\"event_type\":\"Checkout Done\",\"filters\":[],\"op\":\">=\","
        "\"value\":2,\"time_type\":\"forEachInterval\",\"time_value\":14}]");
    /* In daily use, in no document: "=", "rolling", the prop that is required and absent. */
    sent(
        tw__segment_document,
        "[{\"type\":\"event\",\"event_type\":\"a\",\"op\":\"=\",\"value\":0,\"time_value\":366,"
        "\"filters\":[{\"subprop_key\":\"k\",\"subprop_op\":\"<\",\"subprop_value\":[1]}],"
        "\"time_type\":\"rolling\",\"prop\":\"x\"}]",
        "[{\"type\":\"event\",\"event_type\":\"a\",\"filters\":[{\"subprop_type\":\"event\","
        "\"subprop_key\":\"k\",\"subprop_op\":\"less\",\"subprop_value\":[\"1\"]}],\"op\":\"=\","
        "\"value\":0,\"time_type\":\"rolling\",\"time_value\":366,\"prop\":\"x\"}]");
}

static void bad_segments_are_refused_where_they_are_bad(void **unused)
{
#define DONE(rest) "[{\"type\":\"event\",\"event_type\":\"a\"," rest "}]"
    static const char *const cases[][3] = {
        {"{\"prop\":\"a\"}", "x", "an array"},
        {"[[]]", "x[0]", "an object"},
        {"[{\"op\":\"is\",\"values\":[\"a\"]}]", "x[0].prop", "missing"},
        {"[{\"prop\":\"country\",\"values\":[\"a\"]}]", "x[0].op", "missing"},
        {"[{\"prop\":\"country\",\"op\":\"is\"}]", "x[0].values", "array"},
        {"[{\"prop\":\"country\",\"op\":\"is\",\"value\":[\"a\"]}]", "x[0]",
         "did you mean \"values\""},
        {"[{\"type\":\"user\",\"event_type\":\"a\"}]", "x[0].type", "event"},
        {"[{\"event_type\":\"a\",\"op\":\">\",\"value\":1}]", "x[0].type", "event"},
        {DONE("\"group_by\":[\"x\"]"), "x[0].group_by", "no meaning"},
        {DONE("\"value\":1,\"time_type\":\"allTime\""), "x[0].op", "missing"},
        {DONE("\"op\":\">=\",\"time_type\":\"allTime\""), "x[0].value", "whole number"},
        {DONE("\"op\":\">=\",\"value\":-1,\"time_type\":\"allTime\""), "x[0].value",
         "at least 0"},
        {DONE("\"op\":\">=\",\"value\":\"1\",\"time_type\":\"allTime\""), "x[0].value",
         "whole"},
        {DONE("\"op\":\">=\",\"value\":1"), "x[0].time_type", "currentInterval"},
        {DONE("\"op\":\">=\",\"value\":1,\"time_type\":\"forEachInterval\""),
         "x[0].time_value", "days"},
        {DONE("\"op\":\">=\",\"value\":1,\"time_type\":\"rolling\",\"time_value\":0"),
         "x[0].time_value", "days"},
        {"[{\"type\":\"event\",\"event_type\":\"Any Event\",\"op\":\">=\"}]",
         "x[0].event_type", "_all"},
        {"[{\"prop\":\"country\",\"op\":\"starts with\",\"values\":[\"a\"]}]", "x[0].op",
         "is none of"},
    };
#undef DONE
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(tw__segment_document, cases[i][0], cases[i][1], cases[i][2]);
}

static void what_costs_is_counted(void **unused)
{
    static const char event[] = "{\"event_type\":\"a\",\"group_by\":[\"x\",\"y\"]}";
    static const char segment[] =
        "[{\"prop\":\"country\",\"op\":\"is\",\"values\":[\"a\"]},"
        "{\"prop\":\"city\",\"op\":\"is\",\"values\":[\"b\"]}]";
    tw_asked asked = asked_at("x", NULL);
    tw_view view;
    tw_buf out;

    (void)unused;
    tw__buf_init(&out, 10000);
    tw__view_open(&view, event, strlen(event), 8, 1000, NULL);
    assert_int_equal(tw__event_document(&out, &asked, view), TW_OK);
    tw__view_open(&view, "\"b\"", 3, 8, 1000, NULL);
    assert_int_equal(tw__event_document(&out, &asked, view), TW_OK);
    tw__view_open(&view, segment, strlen(segment), 8, 1000, NULL);
    assert_int_equal(tw__segment_document(&out, &asked, view), TW_OK);
    assert_int_equal(asked.events, 2);
    assert_int_equal(asked.event_groups, 2);
    assert_int_equal(asked.ungrouped, 1);
    assert_int_equal(asked.segments, 1);
    assert_int_equal(asked.conditions, 2);
    tw__buf_clear(&out);
}

static void formulas(void **unused)
{
    static const char *const good[] = {
        "UNIQUES(A)/UNIQUES(B)",
        "uniques(a) / 2.5",
        "%: 100 * (TOTALS(A1) - TOTALS(B2))",
        "$:PROPSUM(A)+-3",
        "CUMSUM(uniques, A)",
        "ROLLAVG(TOTALS, B, 7)",
        "PERCENTILE(A, .95)",
        "POWER(LN(UNIQUES (A)), 2) ; AVG(B)",
    };
    static const char *const bad[][2] = {
        {"", "missed a value"},
        {"UNIQUES(A", "missed a ')'"},
        {"UNIQUES(A))", "too many"},
        {"UNIQUES()", "missed a value before a ')'"},
        {"UNIQUES(A)/", "at its end"},
        {"*2", "before a '*'"},
        {"UNIQUES(A) UNIQUES(B)", "unexpected"},
        {"UNIQUE(A)", "no function"},
        {"UNIQUES(C)", "about C"},
        {"UNIQUES(A3)", "segments count from 1"},
        {"UNIQUES(A0)", "segments count from 1"},
        {"UNIQUES(ABC)", "no event"},
        {"UNIQUES(A)=1", "unexpected"},
        {"2(3)", "unexpected"},
        {"(A;B)", "before a ';'"},
        {"UNIQUES(Ä)", "unexpected"},
    };
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        tw_error *err = NULL;
        tw_asked asked = asked_at("formula", &err);

        asked.events = 2;
        asked.segments = 2;
        if (tw__formula_check(&asked, good[i]) != TW_OK)
            fail_msg("%s: %s", good[i], tw_error_message(err));
    }
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        tw_error *err = NULL;
        tw_asked asked = asked_at("formula", &err);

        asked.events = 2;
        asked.segments = 2;
        if (tw__formula_check(&asked, bad[i][0]) != TW_E_VALIDATION)
            fail_msg("%s was not refused", bad[i][0]);
        assert_string_equal(tw_error_field(err), "formula");
        if (strstr(tw_error_message(err), bad[i][1]) == NULL)
            fail_msg("%s: %s", bad[i][0], tw_error_message(err));
        tw_error_free(err);
    }
}

static void a_long_way_is_cut(void **unused)
{
    tw_error *err = NULL;
    tw_asked asked = asked_at("x", &err);
    size_t i;

    (void)unused;
    for (i = 0; i < 100; i++)
        tw__trail_index(&asked.trail, i);
    assert_true(asked.trail.size > sizeof asked.trail.text);
    assert_int_equal(tw__asked_refuse(&asked, "was bad"), TW_E_VALIDATION);
    assert_non_null(strstr(tw_error_message(err), "x[0][1]"));
    tw__trail_back(&asked.trail, 1);
    assert_string_equal(asked.trail.text, "x");
    tw_error_free(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_get_one_form),
        cmocka_unit_test(every_operator_is_known),
        cmocka_unit_test(bad_events_are_refused_where_they_are_bad),
        cmocka_unit_test(segments_get_one_form),
        cmocka_unit_test(bad_segments_are_refused_where_they_are_bad),
        cmocka_unit_test(what_costs_is_counted),
        cmocka_unit_test(formulas),
        cmocka_unit_test(a_long_way_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
