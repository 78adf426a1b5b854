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
        seen to = {"", wr, NULL, {depth, see_key, see_value, {0}}};

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
    seen to = {"", wr, NULL, {1, see_key, see_deeper, {0}}};

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
        seen to = {"", wr, cases[i][0], {3, see_key, see_value, {0}}};

        tw__json_writer_watch(wr, &to.watch, &to);
        watched_document(wr);
        assert_refused(wr, cases[i][1]);
        tw_json_writer_free(wr);
    }
}

static void quiet_kinds_are_not_shown(void **unused)
{
    tw_json_writer *wr = writer_default();
    seen to = {"", wr, NULL, {3, see_key, see_value, {0}}};

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

/* An empty string is shown although strings are quiet. */
static void an_empty_string_is_never_quiet(void **unused)
{
    tw_json_writer *wr = writer_default();
    seen to = {"", wr, NULL, {1, see_key, see_value, {0}}};

    (void)unused;
    to.watch.quiet[1] = ~0u;
    tw__json_writer_watch(wr, &to.watch, &to);
    tw_json_put_object(wr);
    put_key(wr, "a");
    put_text(wr, "full");
    put_key(wr, "b");
    put_text(wr, "");
    assert_string_equal(to.log, "v0:{ k1:a k1:b v1:\"\" ");
    tw_json_writer_free(wr);
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
    tw_json_watch watch = {1, count_marks, see_value, {~0u, ~0u}};
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
    tw_json_writer_options options = {sizeof options, 20, 0, 41};
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
        cmocka_unit_test(an_empty_string_is_never_quiet),
        cmocka_unit_test(a_mark_stays_with_a_ready_key),
        cmocka_unit_test(a_complete_object_is_reopened),
        cmocka_unit_test(text_is_replaced_in_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
