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

static int note(tw_recent_ids **ids, int has_device, const char *text)
{
    const char *at = strstr(text, "insert_id\":") + 11;
    const char *end = strchr(at + 1, '"') + 1;

    return tw__recent_id_note(ids,
                              tw__recent_id_of(text, strlen(text), (size_t)(at - text),
                                               (size_t)(end - text), has_device));
}

static void another_event_with_the_same_id_is_noticed(void **state)
{
    static const struct {
        int has_device;
        const char *text;
        int noticed;
    } rows[] = {
        {0, "{\"n\":1,\"user_id\":\"u-1\",\"insert_id\":\"i-1\"", 0},
        {0, "{\"n\":2,\"user_id\":\"u-1\",\"insert_id\":\"i-2\"", 0},
        /* the same event once more */
        {0, "{\"n\":1,\"user_id\":\"u-1\",\"insert_id\":\"i-1\"", 0},
        /* another user's, devices' */
        {0, "{\"n\":3,\"user_id\":\"u-2\",\"insert_id\":\"i-1\"", 0},
        {1, "{\"n\":4,\"user_id\":\"u-1\",\"device_id\":\"d-1\",\"insert_id\":\"i-1\"",
         0},
        {1, "{\"n\":5,\"user_id\":\"u-1\",\"device_id\":\"i-1\",\"insert_id\":\"d-1\"",
         0},
        /* other events, in whatever order */
        {0, "{\"n\":6,\"insert_id\":\"i-2\",\"user_id\":\"u-1\"}", 1},
        {1, "{\"n\":[],\"user_id\":\"x\",\"device_id\":\"d-1\",\"insert_id\":\"i-1\"", 1},
    };
    tw_recent_ids *ids = NULL;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (note(&ids, rows[i].has_device, rows[i].text) != rows[i].noticed)
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

/* A record is looked through as it is: also one that ends too soon. */
static void no_text_is_read_past_its_end(void **state)
{
    static const char text[] =
        "{\"insert_id\":\"i\",\"a\":[{\"x\":\"\\\"\"}],\"user_id\":\"u\"}";
    size_t size;

    (void)state;
    for (size = 16; size < sizeof text; size++) {
        char *exact = malloc(size);

        assert_non_null(exact);
        memcpy(exact, text, size);
        assert_int_not_equal(tw__recent_id_of(exact, size, 13, 16, 0).id, 0);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_event_with_the_same_id_is_noticed),
        cmocka_unit_test(without_memory_nothing_is_noticed),
        cmocka_unit_test(no_text_is_read_past_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
