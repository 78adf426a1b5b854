/* SPDX-License-Identifier: MIT */
/* Two identify events as one: what is merged, and that it means the same. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tidewheel/error.h>

#include "base/alloc.h"
#include "ingest/merge.h"

/* An event with these operations, as the queue has it: the later one without its brace. */
static char *event_of(const char *operations, const char *more, int whole)
{
    char *text = NULL;

    assert_true(asprintf(&text,
                         "{\"event_type\":\"$identify\",\"user_id\":\"user-1\"%s,"
                         "\"user_properties\":%s,\"insert_id\":\"id-%d\"%s",
                         more, operations, whole,
                         whole ? ",\"time\":1760000000000}" : "") > 0);
    return text;
}

/* The operations of the merged event, NULL where there is none; free. */
static char *merge_with(const char *first, const char *first_more, const char *later,
                        const char *later_more)
{
    char *a = event_of(first, first_more, 1);
    char *b = event_of(later, later_more, 0);
    char *merged;
    char *operations = NULL;
    size_t size;
    int rc = tw__merge_identify(&merged, &size, a, strlen(a), b, strlen(b));

    if (rc == TW_OK) {
        const char *from = strstr(merged, "\"user_properties\":") + 18;
        const char *end = strstr(merged, ",\"insert_id\":\"id-0\"");
        char *whole;

        assert_int_equal(strlen(merged), size);
        assert_non_null(end);
        operations = strndup(from, (size_t)(end - from));
        whole = event_of(operations, later_more, 0);
        assert_string_equal(merged, whole);
        free(whole);
    } else
        assert_int_equal(rc, TW_DONE);
    tw__free(merged);
    free(a);
    free(b);
    return operations;
}

static void becomes(const char *first, const char *later, const char *expected)
{
    char *found = merge_with(first, "", later, "");

    if (expected == NULL && found != NULL)
        fail_msg("%s and %s became %s", first, later, found);
    if (expected != NULL && found == NULL)
        fail_msg("%s and %s were not merged", first, later);
    if (expected != NULL)
        assert_string_equal(found, expected);
    free(found);
}

static void what_is_absolute_is_merged(void **state)
{
    (void)state;
    becomes("{\"$set\":{\"a\":1}}", "{\"$set\":{\"b\":\"x, }\"}}",
            "{\"$set\":{\"a\":1,\"b\":\"x, }\"}}");
    becomes("{\"$set\":{\"a\":1,\"b\":[1,{\"c\":2}]}}", "{\"$set\":{\"a\":2}}",
            "{\"$set\":{\"a\":2,\"b\":[1,{\"c\":2}]}}");
    becomes("{\"$unset\":{\"a\":\"-\"}}", "{\"$unset\":{\"a\":\"-\",\"b\":\"-\"}}",
            "{\"$unset\":{\"a\":\"-\",\"b\":\"-\"}}");
    becomes("{\"$set\":{\"a\":1}}", "{\"$unset\":{\"a\":\"-\"}}",
            "{\"$unset\":{\"a\":\"-\"}}");
    becomes("{\"$unset\":{\"a\":null}}", "{\"$set\":{\"a\":1}}", "{\"$set\":{\"a\":1}}");
    becomes("{\"$setOnce\":{\"a\":1}}", "{\"$setOnce\":{\"a\":2,\"b\":3}}",
            "{\"$setOnce\":{\"a\":1,\"b\":3}}");
    becomes("{\"$setOnce\":{\"a\":1}}", "{\"$set\":{\"a\":2}}", "{\"$set\":{\"a\":2}}");
    becomes("{\"$set\":{\"a\":1},\"$setOnce\":{\"c\":9007199254740993}}",
            "{\"$unset\":{\"b\":\"-\"}}",
            "{\"$set\":{\"a\":1},\"$unset\":{\"b\":\"-\"},"
            "\"$setOnce\":{\"c\":9007199254740993}}");
    becomes("{\"$set\":{}}", "{\"$set\":{\"a\":1}}", NULL);
}

static void what_is_not_clear_is_not_merged(void **state)
{
    static const char *const alone[] = {
        "{\"$add\":{\"n\":1}}",
        "{\"$append\":{\"n\":1}}",
        "{\"$prepend\":{\"n\":1}}",
        "{\"$preInsert\":{\"n\":1}}",
        "{\"$postInsert\":{\"n\":1}}",
        "{\"$remove\":{\"n\":1}}",
        "{\"$clearAll\":\"-\"}",
        "{\"plain\":1}", /* no operation */
        "{\"$set\":{\"n\":null}}",
        "{\"$set\":{\"n\":\"\"}}",
        "{\"$setOnce\":{\"n\":[]}}",
        "{\"$set\":{\"n\":{}}}",
        "{\"$set\":{\"n\":1},\"$unset\":{\"n\":\"-\"}}", /* its order is the server's */
        "{\"$set\":{\"n\":1,\"n\":2}}",
        "{\"$set\":{\"\\u006e\":1}}",
        "{\"$set\":{\"m\":2},\"$add\":{\"n\":1}}",
        "null",
        "{}"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof alone / sizeof *alone; i++) {
        becomes(alone[i], "{\"$set\":{\"a\":1}}", NULL);
        becomes("{\"$set\":{\"a\":1}}", alone[i], NULL);
    }
    /* After these the property has a value, or does it? */
    becomes("{\"$set\":{\"a\":1}}", "{\"$setOnce\":{\"a\":2}}", NULL);
    becomes("{\"$unset\":{\"a\":\"-\"}}", "{\"$setOnce\":{\"a\":2}}", NULL);
}

static void other_fields_must_be_the_same(void **state)
{
    static const struct {
        const char *first, *later;
        int merged;
    } pairs[] = {
        {",\"device_id\":\"device-1\"", ",\"device_id\":\"device-1\"", 1},
        {",\"time\":1,\"country\":\"x\"", ",\"country\":\"x\",\"time\":2", 1},
        {",\"event_id\":1", "", 1},
        {",\"device_id\":\"device-1\"", ",\"device_id\":\"device-2\"", 0},
        {",\"device_id\":\"device-1\"", "", 0},
        {"", ",\"device_id\":\"device-1\"", 0},
        {",\"groups\":{\"org\":\"1\"}", ",\"groups\":{\"org\":\"2\"}", 0},
        {",\"groups\":{\"org\":\"1\"}", ",\"groups\":{\"org\":\"1\"}", 1},
        {",\"revenue\":5", ",\"revenue\":5", 0},
        {",\"price\":5", ",\"price\":5", 0},
        {",\"event_properties\":{\"a\":1}", ",\"event_properties\":{\"a\":1}", 0},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *found = merge_with("{\"$set\":{\"a\":1}}", pairs[i].first,
                                 "{\"$set\":{\"a\":2}}", pairs[i].later);

        if ((found != NULL) != pairs[i].merged)
            fail_msg("%s and %s: %s", pairs[i].first, pairs[i].later, found);
        free(found);
    }
}

static void other_events_are_not_merged(void **state)
{
    static const char a[] = "{\"event_type\":\"$groupidentify\",\"groups\":{\"o\":\"1\"},"
                            "\"user_properties\":{\"$set\":{\"a\":1}}}";
    char *merged;
    size_t size;

    (void)state;
    assert_int_equal(tw__merge_identify(&merged, &size, a, strlen(a), a, strlen(a) - 1),
                     TW_DONE);
    assert_null(merged);
}

static void a_merged_event_stays_small(void **state)
{
    char first[2 * TW_MERGED_BYTES];
    char later[sizeof first];
    size_t at = 8;
    int i;

    (void)state;
    snprintf(first, sizeof first, "{\"$set\":{\"a\":\"%0*d\"}}", TW_MERGED_BYTES, 0);
    becomes(first, "{\"$set\":{\"a\":1}}", "{\"$set\":{\"a\":1}}");
    snprintf(later, sizeof later, "{\"$set\":{\"b\":\"%0*d\"}}", 60, 0);
    becomes(first, later, NULL);
    snprintf(first, sizeof first, "{\"$set\":{");
    at = strlen(first);
    for (i = 0; i < 64; i++)
        at += (size_t)snprintf(first + at, sizeof first - at, "%s\"k%d\":%d",
                               i ? "," : "", i, i);
    snprintf(first + at, sizeof first - at, "}}");
    becomes(first, "{\"$set\":{\"k7\":7}}", first);
    becomes(first, "{\"$set\":{\"another\":7}}", NULL);
}

/* ---- meaning ------------------------------------------------------------------------- */

enum { KEYS = 2, NOTHING = 0 };

static const char *const names[] = {NULL, "$set", "$unset", "$setOnce"};

/* What a server does with an event; `state` is the value by key. */
static void apply(int state[KEYS], const char *operations)
{
    int op;
    int key;

    for (op = 1; op < 4; op++) {
        char opening[16];
        const char *at;
        const char *end;

        snprintf(opening, sizeof opening, "\"%s\":{", names[op]);
        at = strstr(operations, opening);
        if (at == NULL)
            continue;
        end = strchr(at, '}');
        for (key = 0; key < KEYS; key++) {
            char name[8];
            const char *value;

            snprintf(name, sizeof name, "\"%c\":", 'a' + key);
            value = strstr(at, name);
            if (value == NULL || value > end)
                continue;
            if (op == 2)
                state[key] = NOTHING;
            else if (op == 1 || state[key] == NOTHING)
                state[key] = (int)strtol(value + 4, NULL, 10);
        }
    }
}

/* One of the 16 events with at most one operation for each key. */
static void write_event(char *out, size_t size, int number, int value)
{
    size_t at = (size_t)snprintf(out, size, "{");
    int op;
    int key;

    for (op = 1; op < 4; op++) {
        int any = 0;

        for (key = 0; key < KEYS; key++) {
            if ((number >> (2 * key) & 3) != op)
                continue;
            if (!any)
                at += (size_t)snprintf(out + at, size - at, "%s\"%s\":{",
                                       at > 1 ? "," : "", names[op]);
            at += (size_t)snprintf(out + at, size - at, "%s\"%c\":%d", any ? "," : "",
                                   'a' + key, value);
            any = 1;
        }
        if (any)
            at += (size_t)snprintf(out + at, size - at, "}");
    }
    snprintf(out + at, size - at, "}");
}

static void one_means_what_two_did(void **state)
{
    int merges = 0;
    int first;
    int later;
    int start;

    (void)state;
    for (first = 0; first < 16; first++) {
        for (later = 0; later < 16; later++) {
            char a[128];
            char b[128];
            char *m;

            write_event(a, sizeof a, first, 1);
            write_event(b, sizeof b, later, 2);
            m = merge_with(a, "", b, "");
            if (m == NULL)
                continue;
            merges++;
            for (start = 0; start < 4; start++) {
                int two[KEYS] = {start & 1 ? 9 : NOTHING, start & 2 ? 9 : NOTHING};
                int one[KEYS] = {two[0], two[1]};
                int both[KEYS] = {two[0], two[1]};

                apply(two, a);
                apply(both, a);
                apply(two, b);
                apply(both, m); /* the earlier one was sent all the same */
                apply(one, m);
                if (memcmp(one, two, sizeof one) != 0 ||
                    memcmp(both, two, sizeof both) != 0)
                    fail_msg("%s, then %s, is not %s", a, b, m);
            }
            free(m);
        }
    }
    /* Of the 16 pairs of operations on a key two are not merged; an event without any is not. */
    assert_int_equal(merges, 14 * 14 - 16 - 16 + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_absolute_is_merged),
        cmocka_unit_test(what_is_not_clear_is_not_merged),
        cmocka_unit_test(other_fields_must_be_the_same),
        cmocka_unit_test(other_events_are_not_merged),
        cmocka_unit_test(a_merged_event_stays_small),
        cmocka_unit_test(one_means_what_two_did),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
