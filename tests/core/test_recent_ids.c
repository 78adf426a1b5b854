/* SPDX-License-Identifier: MIT */
/* Callers' insert_ids that come a second time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <tidewheel/sys/alloc.h>

#include "ingest/recent_ids.h"

/* As the rules would have it. */
static void note_of(tw_event_rules *rules, unsigned field, tw_event_note which,
                    const char *text, const char *key)
{
    const char *at = strstr(text, key);

    if (at == NULL)
        return;
    at += strlen(key);
    rules->watch.marks |= UINT64_C(1) << (field + 1);
    rules->watch.notes[which].at = (size_t)(at - text);
    rules->watch.notes[which].end = (size_t)(strchr(at + 1, '"') + 1 - text);
}

static int note(tw_recent_ids **ids, const char *text)
{
    tw_event_rules rules = {.nulls = 0};

    note_of(&rules, FIELD_INSERT_ID, TW_NOTE_INSERT_ID, text, "\"insert_id\":");
    note_of(&rules, FIELD_USER_ID, TW_NOTE_USER_ID, text, "\"user_id\":");
    note_of(&rules, FIELD_DEVICE_ID, TW_NOTE_DEVICE_ID, text, "\"device_id\":");
    return tw__recent_id_note(ids, tw__recent_id_of(text, strlen(text), &rules));
}

static void another_event_with_the_same_id_is_noticed(void **state)
{
    static const struct {
        const char *text;
        int noticed;
    } rows[] = {
        {"{\"n\":1,\"user_id\":\"u-1\",\"insert_id\":\"i-1\"", 0},
        {"{\"n\":2,\"user_id\":\"u-1\",\"insert_id\":\"i-2\"", 0},
        /* the same event once more */
        {"{\"n\":1,\"user_id\":\"u-1\",\"insert_id\":\"i-1\"", 0},
        /* another user's, devices' */
        {"{\"n\":3,\"user_id\":\"u-2\",\"insert_id\":\"i-1\"", 0},
        {"{\"n\":4,\"user_id\":\"u-1\",\"device_id\":\"d-1\",\"insert_id\":\"i-1\"", 0},
        {"{\"n\":5,\"user_id\":\"u-1\",\"device_id\":\"i-1\",\"insert_id\":\"d-1\"", 0},
        /* other events, in whatever order */
        {"{\"n\":6,\"insert_id\":\"i-2\",\"user_id\":\"u-1\"}", 1},
        {"{\"n\":[],\"user_id\":\"x\",\"device_id\":\"d-1\",\"insert_id\":\"i-1\"", 1},
    };
    tw_recent_ids *ids = NULL;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (note(&ids, rows[i].text) != rows[i].noticed)
            fail_msg("%s", rows[i].text);
    }
    tw__recent_ids_free(ids);
}

static int memory_left;

static void *heap_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return memory_left ? malloc(size) : NULL;
}

static void *heap_resize(void *ctx, void *old, size_t size)
{
    (void)ctx;
    return realloc(old, size);
}

static void heap_release(void *ctx, void *old)
{
    (void)ctx;
    free(old);
}

static void without_memory_nothing_is_noticed(void **state)
{
    static const tw_allocator heap = {heap_alloc, heap_resize, heap_release, NULL};
    tw_recent_ids *ids = NULL;
    tw_recent_id id = {7, 1};

    (void)state;
    tw_set_allocator(&heap);
    assert_int_equal(tw__recent_id_note(&ids, id), 0);
    assert_null(ids);
    memory_left = 1;
    assert_int_equal(tw__recent_id_note(&ids, id), 0);
    id.event = 2;
    assert_int_equal(tw__recent_id_note(&ids, id), 1);
    tw__recent_ids_free(ids);
    tw_set_allocator(NULL);
}

/* Whatever the length, and nothing beyond it. */
static void every_bit_of_an_event_counts(void **state)
{
    enum { MOST = 100 };
    const tw_event_rules rules = {.nulls = 0};
    size_t size;
    size_t bit;

    (void)state;
    for (size = 1; size <= MOST; size++) {
        char *text = malloc(size);
        uint64_t was;

        assert_non_null(text);
        memset(text, 'x', size);
        was = tw__recent_id_of(text, size, &rules).event;
        for (bit = 0; bit < size * 8; bit++) {
            text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
            assert_int_not_equal(tw__recent_id_of(text, size, &rules).event, was);
            text[bit / 8] = 'x';
        }
        assert_int_not_equal(tw__recent_id_of(text, size - 1, &rules).event, was);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_event_with_the_same_id_is_noticed),
        cmocka_unit_test(without_memory_nothing_is_noticed),
        cmocka_unit_test(every_bit_of_an_event_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
