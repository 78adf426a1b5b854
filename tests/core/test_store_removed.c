/* SPDX-License-Identifier: MIT */
/* Files of a spool that somebody removes under the process that uses them. */
#define _GNU_SOURCE
#include "ingest/spool.h"
#include "support/spool_world.h"

static int disk_setup(void **state)
{
    return disk_setup_as(state, "store-removed");
}

/* Removes the files of the folder whose names end so: how many there were. */
static int clean_up(const char *end)
{
    DIR *list = opendir(folder);
    struct dirent *entry;
    int count = 0;

    assert_non_null(list);
    while ((entry = readdir(list)) != NULL) {
        size_t size = strlen(entry->d_name);

        if (size < strlen(end) || strcmp(entry->d_name + size - strlen(end), end) != 0)
            continue;
        assert_int_equal(unlinkat(dirfd(list), entry->d_name, 0), 0);
        count++;
    }
    closedir(list);
    return count;
}

/* A sync is due, and done; no request is. */
static void sync_all(world *w)
{
    advance(w, 250);
    advance(w, 250);
}

/* All `count` are there for the next process. */
static void survive(world *w, int count)
{
    world_end(w);
    spool_start(w);
    assert_int_equal(stats(w).recovered, count);
    assert_int_equal(in_order(w, 0), count);
    answer_all_ok(w);
    assert_int_equal(stats(w).waiting, 0);
}

static void an_open_file_is_written_anew(void **state)
{
    world *w = *state;
    tw_spool_stats spool;

    start(w);
    track(w, 4);
    assert_int_equal(clean_up(".seg"), 1);
    track(w, 1);
    sync_all(w);
    tw__store_stats(w->ing, &spool);
    assert_int_equal(spool.rewritten, 1);
    track(w, 1);
    survive(w, 6);
}

/* Moved away, or removed while a copy of its name is kept elsewhere: it is not ours any more. */
static void a_file_with_another_name_is_written_anew(void **state)
{
    world *w = *state;
    struct dirent *entry;
    tw_spool_stats spool;
    int moved = 0;
    DIR *list;

    start(w);
    track(w, 4);
    list = opendir(folder);
    assert_non_null(list);
    while ((entry = readdir(list)) != NULL) {
        if (strstr(entry->d_name, ".seg") == NULL)
            continue;
        assert_int_equal(renameat(dirfd(list), entry->d_name, dirfd(list), "kept"), 0);
        moved++;
    }
    closedir(list);
    assert_int_equal(moved, 1);
    track(w, 1);
    sync_all(w);
    tw__store_stats(w->ing, &spool);
    assert_int_equal(spool.rewritten, 1);
    survive(w, 5);
}

/* What was sent is not sent again by the next process. */
static void open_notes_are_written_anew(void **state)
{
    world *w = *state;

    start(w);
    track(w, 4);
    advance(w, 5000);
    answer_all_ok(w);
    assert_int_equal(clean_up(".ack"), 1);
    track(w, 2);
    advance(w, 5000);
    answer_all_ok(w);
    assert_int_equal(stats(w).stored, 6);
    track(w, 3);
    world_end(w);
    spool_start(w);
    assert_int_equal(stats(w).recovered, 3);
}

/* The event is refused with the reason, and no earlier one is lost. */
static void an_open_durable_file_is_written_anew(void **state)
{
    world *w = *state;
    tw_error *err = NULL;
    int next;

    w->set.durable = 1;
    start(w);
    track(w, 4);
    assert_int_equal(clean_up(".seg"), 1);
    next = w->next;
    assert_int_equal(tw_event_commit(event_of(w, "e", 0), &err), TW_E_QUEUE_FULL);
    assert_non_null(strstr(tw_error_message(err), "No such file"));
    tw_error_free(err);
    w->next = next;
    track(w, 2);
    survive(w, 6);
}

static void what_is_read_back_was_written_anew(void **state)
{
    world *w = *state;
    int next = 0;

    w->set.queue_events = 10;
    w->set.batch_events = 10;
    w->set.durable = 1;
    start(w);
    track(w, 50);
    assert_int_equal(w->ing->spilled, 40);
    assert_int_equal(clean_up(".seg"), 1);
    advance(w, 5000);
    while (w->gate.call != NULL) {
        next = in_order(w, next);
        answer_ok(w);
        if (w->gate.call == NULL)
            advance(w, 5000);
    }
    expect(w, 50, 0, 0);
    assert_int_equal(stats(w).lost, 0);
}

/* A full file is closed, and with its name the events are gone: they are counted, and the others go
 * on. */
static void what_cannot_be_read_back_is_lost_and_counted(void **state)
{
    world *w = *state;
    tw_stats now;

    w->set.queue_events = 10;
    w->set.batch_events = 10;
    w->set.spool_bytes = 1 << 20; /* files of a quarter of that */
    start(w);
    while (w->next < 60)
        assert_int_equal(tw_event_commit(event_of(w, "e", 10000), NULL), TW_OK);
    sync_all(w);
    assert_in_range(clean_up(".seg"), 2, 4);
    advance(w, 5000);
    answer_all_ok(w);
    for (int i = 0; i < 5; i++) {
        advance(w, 5000);
        answer_all_ok(w);
    }
    now = stats(w);
    assert_int_equal(now.waiting, 0);
    assert_true(now.lost > 0 && now.stored >= 10);
    assert_true(now.spool_unreadable > 0);
    assert_int_equal(now.stored + now.lost, 60);
    balanced(w);
    track(w, 3);
    advance(w, 5000);
    assert_int_equal(sent(w), 3);
    answer_ok(w);
    assert_int_equal(stats(w).waiting, 0);
}

static tw_spool *neighbour(const world *w)
{
    tw_spool_settings settings = {.path = folder, .max_bytes = w->set.spool_bytes};
    tw_spool *sp = NULL;

    memcpy(settings.project, w->set.project, sizeof settings.project);
    assert_int_equal(tw__spool_open(&sp, &settings, NULL), TW_OK);
    return sp;
}

/* Another process that begins after the next look still finds the lane in use. */
static void a_lock_is_made_anew(void **state)
{
    world *w = *state;
    tw_spool_stats stats;
    tw_spool *other;
    int durable;

    for (durable = 0; durable < 2; durable++) {
        w->set.durable = durable;
        start(w);
        track(w, 4);
        assert_int_equal(clean_up(".lock"), 1);
        if (durable) { /* looks for dead processes now and then */
            advance(w, 5000);
            answer_all_ok(w);
            advance(w, 30000);
        } else {
            sync_all(w);
        }
        other = neighbour(w);
        tw__spool_stats(other, &stats);
        assert_int_equal(stats.lanes, 0);
        tw__spool_free(other);
        advance(w, 5000);
        answer_all_ok(w);
        expect(w, 4, 0, 0);
        world_end(w);
        assert_int_equal(clean_up(".lock"), 0);
        w->next = 0;
    }
    start(w);
}

#define disk_test(name) cmocka_unit_test_setup_teardown(name, disk_setup, disk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        disk_test(an_open_file_is_written_anew),
        disk_test(a_file_with_another_name_is_written_anew),
        disk_test(open_notes_are_written_anew),
        disk_test(an_open_durable_file_is_written_anew),
        disk_test(what_is_read_back_was_written_anew),
        disk_test(what_cannot_be_read_back_is_lost_and_counted),
        disk_test(a_lock_is_made_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
