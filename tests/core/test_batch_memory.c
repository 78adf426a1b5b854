/* SPDX-License-Identifier: MIT */
/* How much memory a batch takes, and when: growing it costs the caller of track() time. */
#include <malloc.h>

#include "ingest_world.h"

static struct {
    int moved; /* blocks of a batch's size that had to grow */
    int large; /* taken */
} memory;

static size_t live; /* bytes */

enum { LARGE = 64 << 10 };

static void *count_alloc(void *ctx, size_t size)
{
    void *bytes = malloc(size);

    (void)ctx;
    memory.large += size >= LARGE;
    live += malloc_usable_size(bytes);
    return bytes;
}

static void *count_resize(void *ctx, void *old, size_t size)
{
    (void)ctx;
    memory.large += old == NULL && size >= LARGE;
    memory.moved += old != NULL && size >= LARGE;
    live -= malloc_usable_size(old);
    old = realloc(old, size);
    live += malloc_usable_size(old);
    return old;
}

static void count_release(void *ctx, void *old)
{
    (void)ctx;
    live -= malloc_usable_size(old);
    free(old);
}

static int counting_setup(void **state)
{
    static const tw_allocator counting = {count_alloc, count_resize, count_release, NULL};
    world *w;

    memset(&memory, 0, sizeof memory);
    live = 0;
    tw_set_allocator(&counting);
    world_setup(state);
    w = *state;
    w->set.batch_events = 1000;
    w->set.flush_interval_ms = 3600000;
    w->set.queue_events = 100000;
    start(w);
    return 0;
}

static int counting_teardown(void **state)
{
    world_teardown(state);
    tw_set_allocator(NULL);
    return 0;
}

static void track_sized(world *w, int count, size_t size)
{
    while (count-- > 0)
        assert_int_equal(tw_event_commit(event_of(w, "e", size), NULL), TW_OK);
}

/* However the batches pile up while the server is silent, each in memory of its own. */
static void no_call_moves_what_others_put_in(void **state)
{
    world *w = *state;
    int i;

    track_sized(w, 1001, 300);
    assert_true(memory.moved > 0); /* nothing was known yet */
    memset(&memory, 0, sizeof memory);
    for (i = 0; i < 10000; i++)
        track_sized(w, 1, (size_t)(280 + i * 7 % 41)); /* of about the same size */
    assert_int_equal(memory.moved, 0);
    assert_in_range(memory.large, 10, 20);
}

/* Sends an event in a batch that cannot have the memory of an earlier one: the blocks of a batch's
 * size that were taken for it. */
static int large_for_one(world *w)
{
    while (w->ing->spare != NULL) {
        tw_batch *next = w->ing->spare->next;

        tw__batch_free(w->ing->spare);
        w->ing->spare = next;
    }
    w->ing->spare_count = 0;
    memset(&memory, 0, sizeof memory);
    track_sized(w, 1, 300);
    fake_job_unref(flush(w));
    answer_ok(w);
    return memory.large + memory.moved;
}

static void small_batches_soon_take_little_after_large_ones(void **state)
{
    world *w = *state;
    int i;

    assert_int_equal(large_for_one(w), 0);
    track_sized(w, 3000, 300);
    fake_run(&w->gate);
    answer_all_ok(w);
    assert_in_range(large_for_one(w), 1, 2);
    for (i = 0; i < 30; i++) {
        track_sized(w, 3, 300);
        fake_job_unref(flush(w));
        answer_ok(w);
    }
    assert_int_equal(large_for_one(w), 0);
}

/* Each answer names one user more: they take the memory of their events, not of whole batches. */
static void what_is_held_takes_little_memory(void **state)
{
    world *w = *state;
    size_t before;
    int i;

    track_sized(w, 90000, 300);
    fake_run(&w->gate);
    for (i = 0; i < 90; i++) {
        char body[128];

        snprintf(body, sizeof body,
                 "{\"code\":429,\"throttled_users\":{\"user-%06d\":31}}", i * 1000);
        answer(w, 429, body);
        answer_ok(w);
        advance(w, 10);
    }
    expect(w, 90 * 999, 0, 90);
    before = live;
    while (stats(w).waiting != 0) {
        advance(w, 1000);
        answer_all_ok(w);
    }
    assert_true(before < live + (size_t)90 * 4096);
}

#define counting_test(name) \
    cmocka_unit_test_setup_teardown(name, counting_setup, counting_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        counting_test(no_call_moves_what_others_put_in),
        counting_test(small_batches_soon_take_little_after_large_ones),
        counting_test(what_is_held_takes_little_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
