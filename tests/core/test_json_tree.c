/* SPDX-License-Identifier: MIT */
/* Small answers as trees: lookups, and what must never come through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <tidewheel/error.h>

#include "support/oom.h"
#include "json/tree.h"

static void lookups_chain(void **unused)
{
    static const char doc[] =
        "{\"code\":400,\"error\":\"Invalid\",\"Code\":1,\"null\":null,\"yes\":true,\"no\":false,"
        "\"events\":{\"time\":[3,-4,2.5]},\"big\":9007199254740993,\"edge\":9007199254740991,"
        "\"empty\":{},\"code\":500} trailing";
    const size_t size = sizeof doc - 1 - strlen(" trailing"); /* the length is obeyed */
    const tw_node *list;
    const tw_node *item;
    tw_node *root;
    int64_t integer = 0;
    double real = 0;

    (void)unused;
    assert_int_equal(tw__tree_parse(&root, doc, size, NULL), TW_OK);
    assert_int_equal(tw__node_kind(root), TW_JSON_OBJECT);
    assert_true(tw__node_int(tw__node_member(root, "code"), &integer));
    assert_int_equal(integer, 400); /* the first of two */
    assert_string_equal(tw__node_string(tw__node_member(root, "error")), "Invalid");
    assert_null(tw__node_member(root, "ERROR"));
    assert_int_equal(tw__node_kind(tw__node_member(root, "null")), TW_JSON_NULL);
    assert_int_equal(tw__node_kind(tw__node_member(root, "yes")), TW_JSON_TRUE);
    assert_int_equal(tw__node_kind(tw__node_member(root, "no")), TW_JSON_FALSE);
    assert_int_equal(tw__node_kind(tw__node_member(root, "error")), TW_JSON_STRING);
    assert_int_equal(tw__node_count(tw__node_member(root, "empty")), 0);

    list = tw__node_member(tw__node_member(root, "events"), "time");
    assert_int_equal(tw__node_kind(list), TW_JSON_ARRAY);
    assert_string_equal(tw__node_key(list), "time");
    assert_int_equal(tw__node_count(list), 3);
    item = tw__node_first(list);
    assert_true(tw__node_int(item, &integer) && integer == 3);
    assert_null(tw__node_key(item));
    item = tw__node_next(item);
    assert_true(tw__node_int(item, &integer) && integer == -4);
    assert_int_equal(tw__node_kind(item), TW_JSON_INT);
    item = tw__node_next(item);
    assert_false(tw__node_int(item, &integer));
    assert_true(tw__node_real(item, &real) && real == 2.5);
    assert_int_equal(tw__node_kind(item), TW_JSON_REAL);
    assert_null(tw__node_next(item));

    /* A double cannot tell 2^53 + 1 from its neighbour: no integer is better than a wrong one. */
    assert_false(tw__node_int(tw__node_member(root, "big"), &integer));
    assert_true(tw__node_int(tw__node_member(root, "edge"), &integer));
    assert_true(integer == 9007199254740991);
    tw__tree_free(root);
}

static void nothing_answers_as_null(void **unused)
{
    int64_t integer;
    double real;

    (void)unused;
    assert_int_equal(tw__node_kind(NULL), TW_JSON_NULL);
    assert_null(tw__node_member(NULL, "a"));
    assert_null(tw__node_first(NULL));
    assert_null(tw__node_next(NULL));
    assert_null(tw__node_key(NULL));
    assert_null(tw__node_string(NULL));
    assert_int_equal(tw__node_count(NULL), 0);
    assert_false(tw__node_int(NULL, &integer));
    assert_false(tw__node_real(NULL, &real));
    tw__tree_free(NULL);
}

/* Nearly all of these pass cJSON alone. */
static void what_is_not_json_is_refused(void **unused)
{
    static const char *const docs[] = {
        "{} trailing",      "[01]",  "[1.]", "\"\xFF\"",      "\"a\nb\"", "\"\\u0000\"",
        "{\"a\\u0000\":1}", "1e400", "",     "\xEF\xBB\xBF{}"};
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof docs / sizeof *docs; i++) {
        tw_error *err = NULL;
        tw_node *root;

        assert_int_equal(tw__tree_parse(&root, docs[i], strlen(docs[i]), &err),
                         TW_E_PROTOCOL);
        assert_null(root);
        assert_int_equal(tw_error_code(err), TW_E_PROTOCOL);
        tw_error_free(err);
    }
}

static void failing_memory_is_reported(void **unused)
{
    static const char doc[] = "[\"an\\tescape\"]";
    int refused = 1;
    long held;
    long at;

    (void)unused;
    for (at = 0; refused; at++) {
        tw_node *root;
        int rc;

        oom_begin(at);
        rc = tw__tree_parse(&root, doc, sizeof doc - 1, NULL);
        tw__tree_free(root);
        refused = oom_end(&held);
        assert_int_equal(rc, refused ? TW_E_NOMEM : TW_OK);
        assert_int_equal(held, 0);
    }
    assert_true(at > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lookups_chain),
        cmocka_unit_test(nothing_answers_as_null),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(failing_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
