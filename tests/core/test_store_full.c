/* SPDX-License-Identifier: MIT */
/* A spool without room: what is refused, waits, or goes for it. */
#define _GNU_SOURCE
#include "ingest/spool.h"
#include "support/spool_world.h"

static int disk_setup(void **state)
{
    return disk_setup_as(state, "store-full");
}

static void a_full_spool_refuses_and_has_room_again(void **state)
{
    world *w = *state;
    tw_error *err = NULL;
    int accepted = 0;
    tw_event *ev;
    int rc = TW_OK;

    w->set.spool_bytes = 1 << 20;
    start(w);
    while (rc == TW_OK) {
        ev = event_of(w, "e", 10000);
        rc = tw_event_commit(ev, &err);
        accepted += rc == TW_OK;
    }
    assert_int_equal(rc, TW_E_QUEUE_FULL);
    assert_non_null(strstr(tw_error_message(err), "spool"));
    tw_error_free(err);
    assert_true(accepted > 60);
    assert_int_equal(stats(w).accepted, accepted);
    assert_int_equal(stats(w).refused, 1);
    fake_run(&w->gate);
    answer_ok(w);
    assert_int_equal(tw_event_commit(event_of(w, "e", 10000), NULL), TW_OK);
}

static void whoever_blocks_waits_for_room_in_the_spool(void **state)
{
    world *w = *state;
    tw_event *ev;
    int rc = TW_OK;

    w->set.spool_bytes = 1 << 20;
    w->set.on_full = TW_FULL_BLOCK;
    start(w);
    do {
        ev = event_of(w, "e", 10000);
        rc = tw_event_commit(ev, NULL);
    } while (rc == TW_OK);
    assert_int_equal(rc, TW_AGAIN);
    assert_int_equal(tw_event_wait(ev, NULL), TW_INTERRUPTED);
    fake_run(&w->gate);
    answer_ok(w);
    assert_int_equal(tw_event_wait(ev, NULL), TW_OK);
    assert_int_equal(tw_event_commit(ev, NULL), TW_OK);
}

/* Fills the spool; the number of the last event that was accepted. */
static int fill_large(world *w, int count)
{
    int accepted = 0;

    while (count-- > 0)
        accepted += tw_event_commit(event_of(w, "e", 10000), NULL) == TW_OK;
    return accepted;
}

static void a_full_spool_can_drop_the_oldest(void **state)
{
    world *w = *state;
    tw_stats now;

    w->set.spool_bytes = 1 << 20;
    w->set.on_full = TW_FULL_DROP_OLDEST;
    w->set.batch_events = 5;
    w->set.outcomes = 1;
    start(w);
    assert_int_equal(fill_large(w, 500),
                     500); /* five times as many as there is room for */
    now = stats(w);
    assert_int_equal(now.accepted, 500);
    assert_true(now.dropped > 350 && now.spool_bytes <= w->set.spool_bytes);
    balanced(w);
    fake_run(&w->gate);
    assert_int_equal(in_order(w, (int)now.dropped), (int)now.dropped + 5);
    /* What is on the wire stays, and the rest goes on in order. */
    assert_int_equal(fill_large(w, 200), 200);
    balanced(w);
    answer_all_ok(w);
    advance(w, 5000);
    answer_all_ok(w);
    now = stats(w);
    assert_int_equal(now.waiting, 0);
    assert_int_equal(now.stored + now.dropped, 700);
    world_end(w);
    spool_start(w);
    assert_int_equal(stats(w).recovered, 0);
}

/* Begins with a limit that leaves room for a record behind 20 others, but not for the head of the
 * segment that it needs. */
static void start_without_room_for_a_head(world *w, tw_on_full policy)
{
    uint64_t record;

    start(w);
    assert_int_equal(tw_event_commit(event_of(w, "e", 1000), NULL), TW_OK);
    record = stats(w).spool_bytes - 64;
    world_end(w);
    folder_remove();
    w->set.spool_bytes = 4 * (64 + 5 * record + (record + 3) / 4 + 4);
    w->set.on_full = policy;
    start(w);
}

static void room_that_is_gone_meanwhile_is_made_again(void **state)
{
    world *w = *state;
    int i;

    start_without_room_for_a_head(w, TW_FULL_DROP_OLDEST);
    for (i = 0; i < 40; i++)
        assert_int_equal(tw_event_commit(event_of(w, "e", 1000), NULL), TW_OK);
    assert_int_equal(stats(w).refused, 0);
    assert_true(stats(w).dropped > 0);
    balanced(w);
}

static void room_that_is_gone_meanwhile_is_waited_for(void **state)
{
    world *w = *state;
    tw_event *ev;
    int i;

    start_without_room_for_a_head(w, TW_FULL_BLOCK);
    for (i = 0; i < 20; i++)
        assert_int_equal(tw_event_commit(event_of(w, "e", 1000), NULL), TW_OK);
    ev = event_of(w, "e", 1000);
    assert_int_equal(tw_event_commit(ev, NULL), TW_AGAIN);
    advance(w, 5000);
    answer_ok(w);
    assert_int_equal(tw_event_commit(ev, NULL), TW_OK);
    assert_int_equal(stats(w).refused, 0);
}

static void what_dead_processes_left_is_dropped_first(void **state)
{
    world *w = *state;
    tw_stats now;

    w->set.spool_bytes = 1 << 20;
    w->set.batch_events = 5;
    start(w);
    assert_int_equal(fill_large(w, 80), 80);
    world_end(w);
    w->set.on_full = TW_FULL_DROP_OLDEST;
    start(w);
    assert_int_equal(fill_large(w, 60), 60);
    now = stats(w);
    assert_true(now.dropped > 20 && now.dropped <= 80);
    assert_true(now.recovered >= now.dropped);
    balanced(w);
    tw__ingest_start(w->ing);
    fake_run(&w->gate);
    answer_all_ok(w);
    advance(w, 5000);
    answer_all_ok(w);
    now = stats(w);
    assert_int_equal(now.recovered, 80);
    assert_int_equal(now.stored, 140 - now.dropped);
    assert_int_equal(now.waiting, 0);
}

/* Uncertain events keep their files: to drop all others of these would make no room. */
static void nothing_is_dropped_in_vain(void **state)
{
    world *w = *state;
    int accepted;
    uint64_t id;

    w->set.spool_bytes = 1 << 20;
    start(w);
    assert_int_equal(fill_large(w, 80), 80);
    for (id = 1; id <= 80; id += 5)
        assert_int_equal(tw__spool_set_aside(w->ing->spool, &id, 1, NULL), TW_OK);
    world_end(w);
    w->set.on_full = TW_FULL_DROP_OLDEST;
    spool_start(w);
    assert_int_equal(sent(w), 64);
    reply(w, 0, TW_E_NETWORK, TW_STORED_NO, -1, "");
    accepted = fill_large(w, 60);
    assert_in_range(accepted, 1, 59);
    assert_int_equal(stats(w).dropped, 0);
    advance(w, 60000);
    answer_all_ok(w);
    advance(w, 60000);
    answer_all_ok(w);
    expect(w, 64 + (uint64_t)accepted, 0, 0);
    balanced(w);
}

#define disk_test(name) cmocka_unit_test_setup_teardown(name, disk_setup, disk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        disk_test(a_full_spool_refuses_and_has_room_again),
        disk_test(whoever_blocks_waits_for_room_in_the_spool),
        disk_test(a_full_spool_can_drop_the_oldest),
        disk_test(room_that_is_gone_meanwhile_is_made_again),
        disk_test(room_that_is_gone_meanwhile_is_waited_for),
        disk_test(what_dead_processes_left_is_dropped_first),
        disk_test(nothing_is_dropped_in_vain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
