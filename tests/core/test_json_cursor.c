/* SPDX-License-Identifier: MIT */
/* What is put through a cursor is what the single puts write, whatever it is. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tidewheel/error.h>
#include <tidewheel/json.h>
#include <tidewheel/sys/json_cursor.h>

#include "base/utf8.h"
#include "ingest/event_rules.h"

typedef struct value {
    tw_json_kind kind;
    const char *text;
    size_t size;
    unsigned flags;
    int64_t integer;
    double real;
} value;

/* The same writer and rules twice: one is put through a cursor, the other by single puts. */
typedef struct world {
    tw_json_writer *wr;
    tw_event_looks looks;
    tw_event_rules rules;
} world;

static void world_init(world *w, size_t max_bytes, int rules)
{
    tw_json_writer_options options = {sizeof options, max_bytes, 1024, 41, 0};

    assert_int_equal(tw_json_writer_new(&w->wr, &options, NULL), TW_OK);
    tw__event_looks_init(&w->looks, TW__MIN_ID_LENGTH);
    tw__event_rules_init(&w->rules, &w->looks);
    if (rules)
        tw__event_rules_start(&w->rules, w->wr);
}

static int put_single(tw_json_writer *wr, const char *key, const value *v)
{
    int rc = key != NULL ? tw_json_put_key(wr, key, strlen(key), -1, 0) : TW_OK;

    if (rc != TW_OK)
        return rc;
    switch (v->kind) {
    case TW_JSON_STRING:
        return tw_json_put_string(wr, v->text, v->size, -1, 0);
    case TW_JSON_INT:
        return tw_json_put_int(wr, v->integer);
    case TW_JSON_REAL:
        return tw_json_put_real(wr, v->real);
    case TW_JSON_NULL:
        return tw_json_put_null(wr);
    case TW_JSON_OBJECT:
        return tw_json_put_object(wr);
    case TW_JSON_OBJECT_END:
        return tw_json_put_object_end(wr);
    case TW_JSON_ARRAY:
        return tw_json_put_array(wr);
    case TW_JSON_ARRAY_END:
        return tw_json_put_array_end(wr);
    default:
        return tw_json_put_bool(wr, v->kind == TW_JSON_TRUE);
    }
}

static int put_cursor(tw_json_cursor *cur, tw_json_key *key, const value *v)
{
    switch (v->kind) {
    case TW_JSON_STRING:
        return tw_json_cursor_string(cur, key, v->text, v->size, v->flags);
    case TW_JSON_INT:
        return tw_json_cursor_int(cur, key, v->integer);
    case TW_JSON_REAL:
        return tw_json_cursor_real(cur, key, v->real);
    case TW_JSON_OBJECT:
        return tw_json_cursor_object(cur, key);
    case TW_JSON_OBJECT_END:
        return tw_json_cursor_object_end(cur);
    case TW_JSON_ARRAY:
        return tw_json_cursor_array(cur, key);
    case TW_JSON_ARRAY_END:
        return tw_json_cursor_array_end(cur);
    default:
        return tw_json_cursor_word(cur, key, v->kind);
    }
}

static int put_member(tw_json_writer *wr, tw_json_key *key, const value *v)
{
    tw_json_cursor cur;
    int rc;

    tw_json_cursor_open(&cur, wr);
    rc = put_cursor(&cur, key, v);
    if (rc == TW_OK)
        tw_json_cursor_close(&cur);
    return rc;
}

static void assert_same_text(const tw_json_writer *one, const tw_json_writer *other)
{
    size_t sizes[2];
    const char *texts[2] = {tw_json_writer_text(one, &sizes[0]),
                            tw_json_writer_text(other, &sizes[1])};

    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(texts[0], texts[1], sizes[0]);
}

static void assert_same_end(const tw_json_writer *one, const tw_json_writer *other)
{
    tw_error *errors[2] = {NULL, NULL};

    assert_int_equal(tw_json_writer_error(one, &errors[0]),
                     tw_json_writer_error(other, &errors[1]));
    assert_string_equal(tw_error_message(errors[0]), tw_error_message(errors[1]));
    tw_error_free(errors[0]);
    tw_error_free(errors[1]);
}

/* Puts the member into two worlds, both ways, behind whatever `before` put, and once more. */
static void check_at(const char *name, const value *v, size_t max_bytes, int rules,
                     int (*before)(tw_json_writer *))
{
    tw_json_key key;
    world worlds[2];
    int rounds; /* the key gets its mark in the first one */

    assert_int_equal(tw_json_key_make(&key, name, strlen(name)), TW_OK);
    for (rounds = 0; rounds < 2; rounds++) {
        int rc[2] = {TW_OK, TW_OK};
        int again;
        int i;

        for (i = 0; i < 2; i++) {
            world_init(&worlds[i], max_bytes, rules);
            rc[i] = before(worlds[i].wr);
        }
        for (again = 0; again < 2 && rc[0] == TW_OK; again++) {
            rc[0] = put_member(worlds[0].wr, &key, v);
            rc[1] = put_single(worlds[1].wr, name, v);
        }
        for (i = 0; i < 2 && rc[i] == TW_OK; i++)
            rc[i] = tw_json_put_object_end(worlds[i].wr);
        assert_int_equal(rc[0], rc[1]);
        assert_same_text(worlds[0].wr, worlds[1].wr);
        if (rc[0] != TW_OK)
            assert_same_end(worlds[0].wr, worlds[1].wr);
        assert_int_equal(worlds[0].rules.watch.marks, worlds[1].rules.watch.marks);
        assert_int_equal(worlds[0].rules.kind, worlds[1].rules.kind);
        if (rc[0] == TW_OK) {
            assert_memory_equal(worlds[0].rules.watch.notes, worlds[1].rules.watch.notes,
                                sizeof worlds[0].rules.watch.notes);
        }
        for (i = 0; i < 2; i++)
            tw_json_writer_free(worlds[i].wr);
    }
}

static int before_nothing(tw_json_writer *wr)
{
    return tw_json_put_object(wr);
}

static int before_another(tw_json_writer *wr)
{
    int rc = tw_json_put_object(wr);

    if (rc == TW_OK)
        rc = tw_json_put_key(wr, "city", 4, -1, 0);
    return rc == TW_OK ? tw_json_put_string(wr, "Lagos", 5, -1, 0) : rc;
}

static int before_plain_property(tw_json_writer *wr)
{
    int rc = before_another(wr);

    if (rc == TW_OK)
        rc = tw_json_put_key(wr, "user_properties", 15, -1, 0);
    if (rc == TW_OK)
        rc = tw_json_put_object(wr);
    if (rc == TW_OK)
        rc = tw_json_put_key(wr, "a", 1, -1, 0);
    return rc == TW_OK ? tw_json_put_int(wr, 1) : rc;
}

static int before_operation(tw_json_writer *wr)
{
    int rc = tw_json_put_object(wr);

    if (rc == TW_OK)
        rc = tw_json_put_key(wr, "user_properties", 15, -1, 0);
    if (rc == TW_OK)
        rc = tw_json_put_object(wr);
    if (rc == TW_OK)
        rc = tw_json_put_key(wr, "$clearAll", 9, -1, 0);
    return rc == TW_OK ? tw_json_put_string(wr, "-", 1, -1, 0) : rc;
}

static int before_groups(tw_json_writer *wr)
{
    int rc = tw_json_put_object(wr);

    if (rc == TW_OK)
        rc = tw_json_put_key(wr, "groups", 6, -1, 0);
    return rc == TW_OK ? tw_json_put_object(wr) : rc;
}

static int (*const befores[])(tw_json_writer *) = {
    before_nothing,   before_another, before_plain_property,
    before_operation, before_groups,
};
enum { BEFORES = sizeof befores / sizeof *befores };

static void check(const char *name, const value *v)
{
    int i;

    check_at(name, v, 100000, 0, before_nothing);
    for (i = 0; i < BEFORES; i++)
        check_at(name, v, 100000, 1, befores[i]);
}

/* The text in memory of its very size, so that a read past it is seen. */
static void check_text(const char *name, const char *text, size_t size)
{
    char *copy = malloc(size != 0 ? size : 1);
    value v = {.kind = TW_JSON_STRING, .text = copy, .size = size};
    size_t i;
    int ascii = 1;

    assert_non_null(copy);
    memcpy(copy, text, size);
    for (i = 0; i < size; i++)
        ascii = ascii && (unsigned char)text[i] < 0x80;
    if (tw__utf8_check(text, size) == size) {
        v.flags = TW_JSON_VALID_UTF8;
        check(name, &v);
    }
    if (ascii) {
        v.flags = TW_JSON_ALL_ASCII;
        check(name, &v);
    }
    free(copy);
}

static void strings_of_every_size(void **unused)
{
    char text[300];
    size_t size;
    size_t at;

    (void)unused;
    for (size = 0; size < sizeof text; size++) {
        memset(text, 'x', sizeof text);
        check_text("user_id", text, size);
        check_text("event_type", text, size);
        check_text("a", text, size);
        /* one byte that needs work, at each place where the way to copy changes */
        for (at = 0; at < size; at += size < 40 ? 1 : 31) {
            static const unsigned char special[] = {0,   1,   0x1F, 0x20, 0x21,
                                                    '"', '#', '\\', 0x7F};
            size_t i;

            for (i = 0; i < sizeof special; i++) {
                value v = {.kind = TW_JSON_STRING, .text = text, .size = size};

                text[at] = (char)special[i];
                v.flags = TW_JSON_VALID_UTF8;
                check_at("a", &v, 100000, 0, before_nothing);
                v.flags = TW_JSON_ALL_ASCII;
                check_at("a", &v, 100000, 0, before_nothing);
                text[at] = 'x';
            }
        }
    }
}

static const char *const names[] = {
    "user_id",
    "device_id",
    "event_type",
    "insert_id",
    "city",
    "currency",
    "price",
    "quantity",
    "time",
    "session_id",
    "event_id",
    "groups",
    "plan",
    "$set",
    "user_properties",
    "no_such_key",
    "",
    "$skip_user_properties_sync",
    "a_key_of_just_forty_bytes_and_none_more1",
};

static void rules_hold_for_strings(void **unused)
{
    static const char *const texts[] = {
        "",
        "0",
        "abc",
        "abcd",
        "abcde",
        "anonymous",
        "Anonymous",
        "unknown",
        "abcdefghi",
        "abcdefghij",
        "\xC3\xB6\xC3\xB6",
        "\xC3\xB6\xC3\xB6\xC3\xB6\xC3\xB6\xC3\xB6",
        "00000000-0000-0000-0000-000000000000",
        "00000000-0000-0000-0000-000000000001",
        "6dbf3a90-7d2b-4b1e-9d20-3f1d2a91c0aa",
        "$identify",
        "$groupidentify",
        "USD",
        "usd",
        "a\"b\"c\"d\"e\"f",
        "\xED\xA0\x80",
        "\xC3",
    };
    size_t i;
    size_t j;

    (void)unused;
    for (i = 0; i < sizeof names / sizeof *names; i++)
        for (j = 0; j < sizeof texts / sizeof *texts; j++)
            check_text(names[i], texts[j], strlen(texts[j]));
}

static void rules_hold_for_scalars(void **unused)
{
    static const int64_t integers[] = {0,
                                       1,
                                       -1,
                                       -2,
                                       9,
                                       10,
                                       99,
                                       100,
                                       12345678,
                                       123456789,
                                       INT64_C(99999999999),
                                       INT64_C(100000000000),
                                       INT64_C(99999999999999),
                                       INT64_C(100000000000000),
                                       INT64_MAX,
                                       INT64_MAX - 1,
                                       INT64_MIN,
                                       INT64_MIN + 1};
    static const double reals[] = {0,    -0.0, 0.5,     12.99,    1e11,     1e300, 5e-324,
                                   -1.5, 1e15, 123.456, 0.1 + .2, INFINITY, NAN};
    size_t i;
    size_t j;

    (void)unused;
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        value v = {.kind = TW_JSON_INT};

        for (j = 0; j < sizeof integers / sizeof *integers; j++) {
            v.integer = integers[j];
            check(names[i], &v);
        }
        v.kind = TW_JSON_REAL;
        for (j = 0; j < sizeof reals / sizeof *reals; j++) {
            v.real = reals[j];
            check(names[i], &v);
        }
        v.kind = TW_JSON_TRUE;
        check(names[i], &v);
        v.kind = TW_JSON_FALSE;
        check(names[i], &v);
    }
}

static void the_limit_holds_to_the_byte(void **unused)
{
    static const value values[] = {
        {.kind = TW_JSON_STRING,
         .text = "abcdefghijklmnopqrst",
         .size = 20,
         .flags = TW_JSON_VALID_UTF8},
        {.kind = TW_JSON_STRING, .text = "ab", .size = 2, .flags = TW_JSON_ALL_ASCII},
        {.kind = TW_JSON_INT, .integer = INT64_MIN},
        {.kind = TW_JSON_REAL, .real = -1.2345678901234567e-308},
        {.kind = TW_JSON_TRUE},
        {.kind = TW_JSON_FALSE},
    };
    size_t max;
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof values / sizeof *values; i++) {
        for (max = 1; max < 400; max++) {
            check_at("a", &values[i], max, 0, before_nothing);
            check_at("a_key_of_just_forty_bytes_and_none_more1", &values[i], max, 0,
                     before_another);
        }
    }
}

/* ---- whole documents ------------------------------------------------------------------- */

static uint64_t lottery;

static unsigned draw(unsigned count)
{
    lottery = lottery * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(lottery >> 33) % count;
}

static const char *const property_names[] = {"a",    "level", "$set", "$add", "$unset",
                                             "name", "score", "won",  "$x",   "mode"};
enum { NAMES = sizeof names / sizeof *names, PROPERTY_NAMES = 10 };

static value draw_scalar(void)
{
    static const value values[] = {
        {.kind = TW_JSON_STRING, .text = "abc", .size = 3, .flags = TW_JSON_ALL_ASCII},
        {.kind = TW_JSON_STRING,
         .text = "player-1234567",
         .size = 14,
         .flags = TW_JSON_ALL_ASCII},
        {.kind = TW_JSON_STRING,
         .text = "\xC3\xB6\xC3\xB6",
         .size = 4,
         .flags = TW_JSON_VALID_UTF8},
        {.kind = TW_JSON_STRING,
         .text = "a \"quoted\" word",
         .size = 15,
         .flags = TW_JSON_ALL_ASCII},
        {.kind = TW_JSON_INT, .integer = 7},
        {.kind = TW_JSON_INT, .integer = INT64_C(1767225600000)},
        {.kind = TW_JSON_REAL, .real = 0.25},
        {.kind = TW_JSON_TRUE},
        {.kind = TW_JSON_FALSE},
        {.kind = TW_JSON_NULL},
    };

    return values[draw(sizeof values / sizeof *values)];
}

/* A document being put both ways. */
typedef struct pair {
    world worlds[2];
    tw_json_cursor cur;
    tw_json_key *names; /* ready; NAMES, then PROPERTY_NAMES */
    int rc[2];
} pair;

/* Zero after a failure, which has to be the same both ways. */
static int pair_put(pair *both, int name, const value *v)
{
    const char *text = NULL;

    if (name >= 0)
        text = name < NAMES ? names[name] : property_names[name - NAMES];
    both->rc[0] = put_cursor(&both->cur, name >= 0 ? &both->names[name] : NULL, v);
    both->rc[1] = put_single(both->worlds[1].wr, text, v);
    assert_int_equal(both->rc[0], both->rc[1]);
    return both->rc[0] == TW_OK;
}

static int pair_container(pair *both, int name, unsigned depth);

static int pair_content(pair *both, int name, unsigned depth)
{
    value v;

    if (draw(4) == 0 && depth < 45)
        return pair_container(both, name, depth + 1);
    v = draw_scalar();
    return pair_put(both, name, &v);
}

static int pair_container(pair *both, int name, unsigned depth)
{
    unsigned object = depth == 0 || draw(3) != 0;
    unsigned left = depth == 0 ? 12 : draw(7);
    value bracket = {.kind = object ? TW_JSON_OBJECT : TW_JSON_ARRAY};

    if (!pair_put(both, name, &bracket))
        return 0;
    for (; left > 0; left--) {
        name = -1;
        if (object)
            name = (int)(depth == 0 ? draw(NAMES) : NAMES + draw(PROPERTY_NAMES));
        if (!pair_content(both, name, depth))
            return 0;
    }
    bracket.kind = object ? TW_JSON_OBJECT_END : TW_JSON_ARRAY_END;
    return pair_put(both, -1, &bracket);
}

static void documents_are_the_same(void **unused)
{
    tw_json_key ready[NAMES + PROPERTY_NAMES];
    unsigned i;
    unsigned whole = 0;

    (void)unused;
    for (i = 0; i < NAMES + PROPERTY_NAMES; i++) {
        const char *name = i < NAMES ? names[i] : property_names[i - NAMES];

        assert_int_equal(tw_json_key_make(&ready[i], name, strlen(name)), TW_OK);
    }
    for (i = 0; i < 10000; i++) {
        pair both = {.names = ready};
        size_t max = draw(4) == 0 ? 1 + draw(2000) : 100000;
        int rules = draw(3) != 0;

        world_init(&both.worlds[0], max, rules);
        world_init(&both.worlds[1], max, rules);
        tw_json_cursor_open(&both.cur, both.worlds[0].wr);
        if (pair_container(&both, -1, 0)) {
            tw_json_cursor_close(&both.cur);
            assert_true(tw_json_writer_complete(both.worlds[0].wr));
            whole++;
        } else {
            assert_same_end(both.worlds[0].wr, both.worlds[1].wr);
        }
        assert_same_text(both.worlds[0].wr, both.worlds[1].wr);
        tw_json_writer_free(both.worlds[0].wr);
        tw_json_writer_free(both.worlds[1].wr);
    }
    assert_in_range(whole, 300, 9700); /* of both some */
}

static void depth_is_limited(void **unused)
{
    const value array = {.kind = TW_JSON_ARRAY};
    const value object = {.kind = TW_JSON_OBJECT};
    tw_json_key key;
    tw_json_cursor cur;
    world w;
    int i;

    (void)unused;
    world_init(&w, 1000, 0);
    assert_int_equal(tw_json_key_make(&key, "a", 1), TW_OK);
    memset(&cur, 0xA5,
           sizeof cur); /* opening sets all of it, also where nothing was written yet */
    tw_json_cursor_open(&cur, w.wr);
    assert_int_equal(put_cursor(&cur, NULL, &object), TW_OK);
    assert_int_equal(put_cursor(&cur, &key, &array), TW_OK);
    for (i = 2; i < 41; i++)
        assert_int_equal(put_cursor(&cur, NULL, &array), TW_OK);
    assert_int_equal(put_cursor(&cur, NULL, &array), TW_E_VALIDATION);
    tw_json_writer_free(w.wr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_of_every_size),
        cmocka_unit_test(rules_hold_for_strings),
        cmocka_unit_test(rules_hold_for_scalars),
        cmocka_unit_test(the_limit_holds_to_the_byte),
        cmocka_unit_test(documents_are_the_same),
        cmocka_unit_test(depth_is_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
