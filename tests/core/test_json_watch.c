/* SPDX-License-Identifier: MIT */
/* The writer's inner door: watching what is put, reopening, replacing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <tidewheel/error.h>
#include <tidewheel/json.h>
#include <tidewheel/sys/json_cursor.h>

#include "base/alloc.h"
#include "json/writer.h"

static tw_json_writer *writer_default(void)
{
    tw_json_writer *wr;

    assert_int_equal(tw_json_writer_new(&wr, NULL, NULL), TW_OK);
    return wr;
}

static int put_key(tw_json_writer *wr, const char *text)
{
    return tw_json_put_key(wr, text, strlen(text), -1, 0);
}

static int put_text(tw_json_writer *wr, const char *text)
{
    return tw_json_put_string(wr, text, strlen(text), -1, 0);
}

static void assert_text(const tw_json_writer *wr, const char *expected)
{
    size_t size;
    const char *text = tw_json_writer_text(wr, &size);

    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

/* The writer failed on a rule with this message. */
static void assert_refused(const tw_json_writer *wr, const char *message)
{
    tw_error *err = NULL;

    assert_int_equal(tw_json_writer_error(wr, &err), TW_E_VALIDATION);
    assert_string_equal(tw_error_message(err), message);
    assert_false(tw_json_writer_complete(wr));
    tw_error_free(err);
}

typedef struct seen {
    char log[1024];
    const tw_json_writer *wr;
    const char *refuse; /* the text, or raw text, that is refused */
    tw_json_watch watch;
} seen;

static const char *see(seen *to, const char *what, unsigned depth, const char *text,
                       size_t size)
{
    size_t used = strlen(to->log);

    snprintf(to->log + used, sizeof to->log - used, "%s%u:%.*s ", what, depth, (int)size,
             text);
    return to->refuse != NULL && strlen(to->refuse) == size &&
                   memcmp(to->refuse, text, size) == 0
               ? "was refused"
               : NULL;
}

static const char *see_key(void *ctx, unsigned depth, const char *text, size_t size,
                           unsigned char *mark)
{
    (void)mark;
    return see(ctx, "k", depth, text, size);
}

static const char *see_value(void *ctx, const tw_json_put *put)
{
    seen *to = ctx;
    size_t size;
    const char *text = tw_json_writer_text(to->wr, &size);

    assert_int_equal(put->end, size);
    assert_true(put->at < put->end);
    if (put->kind == TW_JSON_STRING)
        assert_int_equal(put->size, strlen(put->string));
    return see(to, "v", put->depth, text + put->at, put->end - put->at);
}

static void watched_document(tw_json_writer *wr)
{
    tw_json_put_object(wr);
    put_key(wr, "id");
    put_text(wr, "me");
    put_key(wr, "props");
    tw_json_put_object(wr);
    put_key(wr, "$set");
    tw_json_put_object(wr);
    put_key(wr, "a");
    tw_json_put_int(wr, 1);
    tw_json_put_object_end(wr);
    put_key(wr, "n");
    tw_json_put_array(wr);
    tw_json_put_real(wr, 0.5);
    tw_json_put_null(wr);
    tw_json_put_array_end(wr);
    tw_json_put_object_end(wr);
    tw_json_put_object_end(wr);
}

static const char watched_text[] =
    "{\"id\":\"me\",\"props\":{\"$set\":{\"a\":1},\"n\":[0.5,null]}}";

static void keys_and_values_are_shown_to_the_watcher(void **unused)
{
    static const char *const expected[] = {
        "v0:{ v0:{\"id\":\"me\",\"props\":{\"$set\":{\"a\":1},\"n\":[0.5,null]}} ",
        "v0:{ k1:id v1:\"me\" k1:props v1:{ v1:{\"$set\":{\"a\":1},\"n\":[0.5,null]} "
        "v0:{\"id\":\"me\",\"props\":{\"$set\":{\"a\":1},\"n\":[0.5,null]}} ",
        "v0:{ k1:id v1:\"me\" k1:props v1:{ k2:$set v2:{ v2:{\"a\":1} k2:n v2:[ "
        "v2:[0.5,null] v1:{\"$set\":{\"a\":1},\"n\":[0.5,null]} "
        "v0:{\"id\":\"me\",\"props\":{\"$set\":{\"a\":1},\"n\":[0.5,null]}} ",
    };
    unsigned depth;

    (void)unused;
    for (depth = 0; depth < 3; depth++) {
        tw_json_writer *wr = writer_default();
        seen to = {"", wr, NULL, {.depth = depth, .key = see_key, .value = see_value}};

        tw__json_writer_watch(wr, &to.watch, &to);
        watched_document(wr);
        assert_text(wr, watched_text);
        assert_string_equal(to.log, expected[depth]);
        to.log[0] = '\0';
        tw__json_writer_watch(wr, NULL, NULL);
        tw_json_writer_reset(wr);
        watched_document(wr);
        assert_text(wr, watched_text);
        assert_string_equal(to.log, "");
        tw_json_writer_free(wr);
    }
}

/* Raises the depth inside "props" alone. */
static const char *see_deeper(void *ctx, const tw_json_put *put)
{
    seen *to = ctx;

    if (put->depth == 1 && put->kind == TW_JSON_OBJECT)
        to->watch.depth = 2;
    else if (put->depth == 1)
        to->watch.depth = 1;
    return see_value(ctx, put);
}

static void the_watcher_changes_its_depth(void **unused)
{
    tw_json_writer *wr = writer_default();
    seen to = {"", wr, NULL, {.depth = 1, .key = see_key, .value = see_deeper}};

    (void)unused;
    tw__json_writer_watch(wr, &to.watch, &to);
    tw_json_put_object(wr);
    put_key(wr, "list");
    tw_json_put_array(wr);
    tw_json_put_int(wr, 1);
    tw_json_put_array_end(wr);
    put_key(wr, "props");
    tw_json_put_object(wr);
    put_key(wr, "a");
    tw_json_put_array(wr);
    tw_json_put_int(wr, 1);
    tw_json_put_array_end(wr);
    tw_json_put_object_end(wr);
    put_key(wr, "more");
    tw_json_put_array(wr);
    tw_json_put_int(wr, 1);
    assert_string_equal(to.log, "v0:{ k1:list v1:[ v1:[1] k1:props v1:{ k2:a v2:[ v2:[1] "
                                "v1:{\"a\":[1]} k1:more v1:[ ");
    tw_json_writer_free(wr);
}

static void the_watcher_refuses_at_the_path(void **unused)
{
    static const char *const cases[][2] = {
        {"{", "was refused"},
        {"id", "id: was refused"},
        {"\"me\"", "id: was refused"},
        {"props", "props: was refused"},
        {"$set", "props.$set: was refused"},
        {"{\"a\":1}", "props.$set: was refused"},
        {"a", "props.$set.a: was refused"},
        {"1", "props.$set.a: was refused"},
        {"null", "props.n[1]: was refused"},
        {"[0.5,null]", "props.n: was refused"},
        {watched_text, "was refused"},
    };
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        tw_json_writer *wr = writer_default();
        seen to = {"", wr, cases[i][0], {.depth = 3, .key = see_key, .value = see_value}};

        tw__json_writer_watch(wr, &to.watch, &to);
        watched_document(wr);
        assert_refused(wr, cases[i][1]);
        tw_json_writer_free(wr);
    }
}

static void quiet_kinds_are_not_shown(void **unused)
{
    tw_json_writer *wr = writer_default();
    seen to = {"", wr, NULL, {.depth = 3, .key = see_key, .value = see_value}};

    (void)unused;
    to.watch.quiet[0] = 1u << TW_JSON_OBJECT;
    to.watch.quiet[1] = 1u << TW_JSON_STRING;
    to.watch.quiet[2] = 1u << TW_JSON_ARRAY | 1u << TW_JSON_ARRAY_END;
    to.watch.quiet[3] = 1u << TW_JSON_NULL;
    tw__json_writer_watch(wr, &to.watch, &to);
    watched_document(wr);
    assert_text(wr, watched_text);
    assert_string_equal(
        to.log, "k1:id k1:props v1:{ k2:$set v2:{ k3:a v3:1 v2:{\"a\":1} k2:n v3:0.5 "
                "v1:{\"$set\":{\"a\":1},\"n\":[0.5,null]} "
                "v0:{\"id\":\"me\",\"props\":{\"$set\":{\"a\":1},\"n\":[0.5,null]}} ");
    tw_json_writer_free(wr);
}

enum { MARK_TEXT = 1, MARK_NUMBER = 2, MARK_OBJECT = 3, MARK_OTHER = 4 };

static const tw_json_look some_looks[TW__MARKS] = {
    [MARK_TEXT] = {.quiet = 1u << TW_JSON_TRUE,
                   .depth = 1,
                   .sizes = 1u << 5 | UINT64_C(1) << 63,
                   .ascii_sizes = 1u << 3 | UINT64_C(1) << 63,
                   .asked = '?'},
    [MARK_NUMBER] = {.depth = 1, .from = -1, .count = 3},
    [MARK_OBJECT] = {.quiet = 1u << TW_JSON_OBJECT, .depth = 2},
    [MARK_OTHER] = {.quiet = 1u << TW_JSON_OBJECT, .depth = 2},
};

static const char *see_new_key(void *ctx, unsigned depth, const char *text, size_t size,
                               unsigned char *mark)
{
    seen *to = ctx;

    if (depth == 1)
        *mark = text[0] == 't'   ? MARK_TEXT
                : text[0] == 'n' ? MARK_NUMBER
                : text[0] == 'o' ? MARK_OBJECT
                : text[0] == 'p' ? MARK_OTHER
                                 : 0;
    see_key(ctx, depth, text, size, mark);
    return (to->watch.marks >> *mark & 1) != 0 && *mark != 0 ? "was given twice" : NULL;
}

static tw_json_writer *writer_looking(seen *to)
{
    tw_json_writer *wr = writer_default();

    memset(to, 0, sizeof *to);
    to->wr = wr;
    to->watch = (tw_json_watch){.depth = 1,
                                .key = see_new_key,
                                .value = see_value,
                                .quiet = {1u << TW_JSON_OBJECT},
                                .looks = some_looks,
                                .marks = 1};
    tw__json_writer_watch(wr, &to->watch, to);
    tw_json_put_object(wr);
    return wr;
}

/* Whether a string put behind the key "t" is shown: by itself, and through a cursor. */
static int is_shown(const char *text, size_t size, unsigned flags)
{
    seen to;
    tw_json_writer *wr = writer_looking(&to);
    tw_json_cursor cur;
    tw_json_key key;
    int shown;

    put_key(wr, "t");
    assert_int_equal(tw_json_put_string(wr, text, size, -1, flags), TW_OK);
    shown = strstr(to.log, "v1:\"") != NULL;
    tw_json_writer_free(wr);
    assert_int_equal(tw_json_key_make(&key, "t", 1), TW_OK);
    wr = writer_looking(&to);
    tw_json_put_ready_key(wr, &key); /* which gives it its mark */
    tw_json_writer_free(wr);
    wr = writer_looking(&to);
    tw_json_cursor_open(&cur, wr);
    if (flags != 0) {
        assert_int_equal(tw_json_cursor_string(&cur, &key, text, size, flags), TW_OK);
        assert_int_equal(strstr(to.log, "v1:\"") != NULL, shown);
    }
    tw_json_writer_free(wr);
    return shown;
}

/* Of each look, what is right is not shown and what stands next to it is. */
static void what_a_look_knows_is_not_shown(void **unused)
{
    static const int64_t numbers[] = {-2, -1, 1, 2};
    char text[65] = "";
    seen to;
    tw_json_writer *wr;
    size_t i;

    (void)unused;
    for (i = 0; i < 64; i++) {
        assert_int_equal(is_shown(text, i, 0), i != 3 && i != 63);
        assert_int_equal(is_shown(text, i, TW_JSON_ALL_ASCII), i != 3 && i != 63);
        if (i != 3) /* where nobody says that it is ASCII it need not be found out */
            assert_int_equal(is_shown(text, i, TW_JSON_VALID_UTF8), i != 5 && i != 63);
        text[i] = 'x';
        text[i + 1] = '\0';
    }
    assert_false(is_shown("\xC3\xB6\xC3\xB6x", 5, 0));
    assert_false(is_shown("\xC3\xB6\xC3\xB6x", 5, TW_JSON_VALID_UTF8));
    assert_true(is_shown("\xC3\xB6x", 3, TW_JSON_VALID_UTF8));
    assert_true(is_shown("?xx", 3, 0));
    assert_false(is_shown("x?x", 3, 0));
    for (i = 0; i < 4; i++) {
        wr = writer_looking(&to);
        put_key(wr, "n");
        assert_int_equal(tw_json_put_int(wr, numbers[i]), TW_OK);
        assert_int_equal(strstr(to.log, "v1:") == NULL, i == 1 || i == 2);
        tw_json_writer_free(wr);
    }
}

/* Keys may be quiet too, but for those that begin with '$'. */
static void quiet_keys_are_not_shown(void **unused)
{
    seen to;
    tw_json_writer *wr = writer_looking(&to);
    tw_json_key keys[2];

    (void)unused;
    assert_int_equal(tw_json_key_make(&keys[0], "plain", 5), TW_OK);
    assert_int_equal(tw_json_key_make(&keys[1], "$set", 4), TW_OK);
    put_key(wr, "o");
    to.watch.quiet[2] = 1u << TW_JSON_KEY | 1u << TW_JSON_INT;
    tw_json_put_object(wr);
    put_key(wr, "a");
    tw_json_put_int(wr, 1);
    tw_json_put_ready_key(wr, &keys[0]);
    tw_json_put_int(wr, 1);
    tw_json_put_ready_key(wr, &keys[0]);
    tw_json_put_bool(wr, 1);
    put_key(wr, "$b");
    tw_json_put_int(wr, 1);
    tw_json_put_ready_key(wr, &keys[1]);
    tw_json_put_int(wr, 1);
    tw_json_put_object_end(wr);
    /* What is quiet in one object need not be so in the next. */
    put_key(wr, "p");
    tw_json_put_object(wr);
    tw_json_put_ready_key(wr, &keys[0]);
    tw_json_put_int(wr, 1);
    assert_string_equal(to.log, "k1:o v2:true k2:$b k2:$set v1:{\"a\":1,\"plain\":1,"
                                "\"plain\":true,\"$b\":1,\"$set\":1} "
                                "k1:p k2:plain v2:1 ");
    tw_json_writer_free(wr);
}

/* A look speaks of the key's own value: of nothing inside it, of no other key's. */
static void a_look_ends_with_its_value(void **unused)
{
    seen to;
    tw_json_writer *wr = writer_looking(&to);

    (void)unused;
    put_key(wr, "o");
    tw_json_put_object(wr);
    put_key(wr, "t");
    put_text(wr, "abc");
    tw_json_put_object_end(wr);
    put_key(wr, "t");
    put_text(wr, "abc");
    put_key(wr, "x");
    put_text(wr, "abc");
    assert_string_equal(to.log,
                        "k1:o k2:t v2:\"abc\" v1:{\"t\":\"abc\"} k1:t k1:x v1:\"abc\" ");
    tw_json_writer_free(wr);
}

static void a_marked_key_is_asked_for_when_it_comes_again(void **unused)
{
    tw_json_key key;
    tw_json_writer *wr;
    seen to;
    int i;

    (void)unused;
    assert_int_equal(tw_json_key_make(&key, "t", 1), TW_OK);
    for (i = 0; i < 3; i++) {
        wr = writer_looking(&to);
        assert_int_equal(tw_json_put_ready_key(wr, &key), TW_OK);
        tw_json_put_bool(wr, 1);
        assert_string_equal(to.log,
                            i == 0 ? "k1:t " : ""); /* its mark is known by then */
        assert_int_equal(to.watch.mark, MARK_TEXT);
        if (i == 2)
            put_key(wr, "t");
        else
            tw_json_put_ready_key(wr, &key);
        assert_refused(wr, "t: was given twice");
        tw_json_writer_free(wr);
    }
}

static const char *count_marks(void *ctx, unsigned depth, const char *text, size_t size,
                               unsigned char *mark)
{
    (void)depth;
    (void)text;
    (void)size;
    ++*mark;
    *(unsigned char *)ctx = *mark;
    return NULL;
}

static void a_mark_stays_with_a_ready_key(void **unused)
{
    tw_json_writer *wr = writer_default();
    tw_json_watch watch = {.depth = 1,
                           .key = count_marks,
                           .value = see_value,
                           .quiet = {~0u, ~(1u << TW_JSON_KEY)}};
    unsigned char seen_mark = 0;
    tw_json_key key;
    int i;

    (void)unused;
    assert_int_equal(tw_json_key_make(&key, "name", 4), TW_OK);
    tw__json_writer_watch(wr, &watch, &seen_mark);
    tw_json_put_object(wr);
    for (i = 1; i <= 3; i++) {
        assert_int_equal(tw_json_put_ready_key(wr, &key), TW_OK);
        assert_int_equal(seen_mark, i);
        tw_json_put_int(wr, i);
        put_key(wr, "name");
        assert_int_equal(seen_mark, 1); /* one that is forgotten */
        tw_json_put_int(wr, i);
    }
    tw_json_writer_free(wr);
}

static void a_complete_object_is_reopened(void **unused)
{
    tw_json_writer *wr = writer_default();

    (void)unused;
    assert_int_equal(tw__json_writer_reopen(wr), TW_E_INVALID);
    tw_json_put_object(wr);
    assert_int_equal(tw__json_writer_reopen(wr), TW_E_INVALID);
    tw_json_put_object_end(wr);
    assert_int_equal(tw__json_writer_reopen(wr), TW_OK);
    assert_false(tw_json_writer_complete(wr));
    put_key(wr, "a");
    tw_json_put_array(wr);
    tw_json_put_array_end(wr);
    tw_json_put_object_end(wr);
    assert_int_equal(tw__json_writer_reopen(wr), TW_OK);
    put_key(wr, "b");
    tw_json_put_int(wr, 2);
    tw_json_put_object_end(wr);
    assert_text(wr, "{\"a\":[],\"b\":2}");
    assert_true(tw_json_writer_complete(wr));
    tw_json_writer_reset(wr);
    tw_json_put_array(wr);
    tw_json_put_array_end(wr);
    assert_int_equal(tw__json_writer_reopen(wr), TW_E_INVALID);
    tw_json_writer_free(wr);
}

static void text_is_replaced_in_place(void **unused)
{
    tw_json_writer_options options = {sizeof options, 20, 0, 41, 0};
    tw_json_writer *wr;
    size_t size;
    char *text;

    (void)unused;
    assert_int_equal(tw_json_writer_new(&wr, &options, NULL), TW_OK);
    tw_json_put_array(wr);
    tw_json_put_int(wr, 1);
    assert_int_equal(tw__json_writer_splice(wr, 1, 2, "2", 1), TW_E_INVALID);
    assert_null(tw__json_writer_take(wr, &size));
    tw_json_put_array_end(wr);
    assert_int_equal(tw__json_writer_splice(wr, 1, 2, "\"longer\"", 8), TW_OK);
    assert_text(wr, "[\"longer\"]");
    assert_int_equal(tw__json_writer_splice(wr, 1, 9, "", 0), TW_OK);
    assert_text(wr, "[]");
    assert_int_equal(tw__json_writer_splice(wr, 1, 1, "123456789012345678", 18), TW_OK);
    assert_int_equal(tw__json_writer_splice(wr, 1, 1, "9", 1), TW_E_TOO_LARGE);
    assert_int_equal(tw__json_writer_splice(wr, 2, 1, "9", 1), TW_E_INVALID);
    assert_int_equal(tw__json_writer_splice(wr, 2, 21, "9", 1), TW_E_INVALID);
    assert_text(wr, "[123456789012345678]");
    text = tw__json_writer_take(wr, &size);
    assert_int_equal(size, 20);
    assert_string_equal(text, "[123456789012345678]");
    tw__free(text);
    assert_text(wr, "");
    assert_int_equal(tw_json_put_null(wr), TW_OK);
    assert_text(wr, "null");
    tw_json_writer_free(wr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_values_are_shown_to_the_watcher),
        cmocka_unit_test(the_watcher_changes_its_depth),
        cmocka_unit_test(the_watcher_refuses_at_the_path),
        cmocka_unit_test(quiet_kinds_are_not_shown),
        cmocka_unit_test(what_a_look_knows_is_not_shown),
        cmocka_unit_test(quiet_keys_are_not_shown),
        cmocka_unit_test(a_look_ends_with_its_value),
        cmocka_unit_test(a_marked_key_is_asked_for_when_it_comes_again),
        cmocka_unit_test(a_mark_stays_with_a_ready_key),
        cmocka_unit_test(a_complete_object_is_reopened),
        cmocka_unit_test(text_is_replaced_in_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
