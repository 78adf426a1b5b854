/* SPDX-License-Identifier: MIT */
/* A spool that runs out of memory or descriptors: nothing is lost, and it goes on later. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool_ledger.h"
#include "support/oom.h"

static void test_out_of_memory(void **state)
{
    long held;
    long n;

    (void)state;
    for (n = 0;; n++) {
        sim_disk *disk = sim_new();
        tw_spool_sys sys = sim_sys(disk);
        tw_spool_settings settings = {
            "x", "project-number-1", 1, 1 << 20, 1024, &sys, NULL, NULL};
        ledger *led = test_calloc(1, sizeof *led);
        size_t i;
        int left;

        oom_begin(n);
        (void)tw__spool_open(&led->sp, &settings, NULL);
        for (i = 0; led->sp != NULL && i < 20; i++)
            (void)ledger_append(led, 1);
        if (led->sp != NULL) {
            ledger_sent(led, 0, 3, 7);
            ledger_ack(led, 2, 9);
        }
        tw__spool_free(led->sp);
        (void)tw__spool_open(&led->sp, &settings, NULL);
        if (led->sp != NULL)
            (void)ledger_read(led, led->sp, 0, NULL);
        tw__spool_free(led->sp);
        left = oom_end(&held);
        assert_int_equal(held, 0);
        assert_int_equal(tw__spool_open(&led->sp, &settings, NULL), TW_OK);
        (void)ledger_read(led, led->sp, 0, NULL);
        assert_int_equal(led->unknown, 0);
        for (i = 0; i < led->count; i++) {
            if (led->entries[i].acked == NEVER)
                assert_int_equal(led->entries[i].seen, led->entries[i].accepted != NEVER);
            else
                assert_true(led->entries[i].seen == 0 || led->entries[i].ack_failed);
        }
        tw__spool_free(led->sp);
        test_free(led);
        sim_free(disk);
        if (!left)
            break;
    }
    assert_true(n > 30);
}

/* Without memory for a segment the reader stops before it, and goes on there later. */
static void test_reading_goes_on_once_there_is_memory(void **state)
{
    int left = 1;
    long n;

    (void)state;
    for (n = 0; left; n++) {
        sim_disk *disk = sim_new();
        tw_spool_sys sys = sim_sys(disk);
        tw_spool_settings settings = {
            "x", "project-number-1", 1, 1 << 20, 1024, &sys, NULL, NULL};
        ledger *led = test_calloc(1, sizeof *led);
        size_t count = 0;
        tw_spool_item item;
        long held;
        int rc;

        assert_int_equal(tw__spool_open(&led->sp, &settings, NULL), TW_OK);
        while (led->count < 20)
            assert_int_equal(ledger_append(led, 1), TW_OK);
        tw__spool_free(led->sp);
        assert_int_equal(tw__spool_open(&led->sp, &settings, NULL), TW_OK);
        oom_begin(n);
        while ((rc = tw__spool_next(&item, led->sp, NULL)) == TW_OK)
            count++;
        left = oom_end(&held);
        assert_int_equal(rc, left ? TW_E_NOMEM : TW_DONE);
        while ((rc = tw__spool_next(&item, led->sp, NULL)) == TW_OK)
            count++;
        assert_int_equal(rc, TW_DONE);
        assert_int_equal(count, 20);
        tw__spool_free(led->sp);
        test_free(led);
        sim_free(disk);
    }
    assert_true(n > 5);
}

static int no_descriptors;

static int short_open(void *ctx, int dir, const char *name, int flags)
{
    return no_descriptors > 0 && --no_descriptors == 0
               ? -EMFILE
               : sim_sys(ctx).open(ctx, dir, name, flags);
}

/* Nor is what a process has no descriptor for left to the next one. */
static void test_reading_goes_on_once_there_are_descriptors(void **state)
{
    int n;

    (void)state;
    for (n = 1; n <= 6; n++) { /* two for each segment */
        sim_disk *disk = sim_new();
        tw_spool_sys sys = sim_sys(disk);
        tw_spool_settings settings = {
            "x", "project-number-1", 1, 1 << 20, 1024, &sys, NULL, NULL};
        ledger *led = test_calloc(1, sizeof *led);
        tw_spool_item item;
        tw_spool_stats stats;
        uint64_t revived;
        int rc;

        sys.open = short_open;
        assert_int_equal(tw__spool_open(&led->sp, &settings, NULL), TW_OK);
        while (led->count < 20)
            assert_int_equal(ledger_append(led, 1), TW_OK);
        ledger_sent(led, 0, 1, 1111);
        assert_int_equal(tw__spool_set_aside(led->sp, &led->entries[0].id, 1, NULL),
                         TW_OK);
        tw__spool_free(led->sp);
        assert_int_equal(tw__spool_open(&led->sp, &settings, NULL), TW_OK);
        led->count = 0;
        no_descriptors = n;
        do {
            rc = tw__spool_next(&item, led->sp, NULL);
            led->count += rc == TW_OK;
        } while (rc == TW_OK);
        assert_int_equal(rc, TW_E_QUEUE_FULL);
        assert_int_equal(no_descriptors, 0);
        while ((rc = tw__spool_next(&item, led->sp, NULL)) == TW_OK)
            led->count++;
        assert_int_equal(rc, TW_DONE);
        assert_int_equal(led->count, 19);
        assert_int_equal(tw__spool_revive(&revived, led->sp, NULL), TW_OK);
        assert_int_equal(revived, 1);
        no_descriptors = 1;
        assert_int_equal(tw__spool_next(&item, led->sp, NULL), TW_E_QUEUE_FULL);
        assert_int_equal(tw__spool_next(&item, led->sp, NULL), TW_OK);
        tw__spool_stats(led->sp, &stats);
        assert_int_equal(stats.unreadable, 0);
        tw__spool_free(led->sp);
        test_free(led);
        sim_free(disk);
    }
}

/* Where memory ends in the middle of an adoption the next one finds all there is, also beside a
 * record that keeps its lane. */
static void test_adoption_is_tried_again(void **state)
{
    int left = 1;
    long n;

    (void)state;
    for (n = 0; left; n++) {
        sim_disk *disk = sim_new();
        tw_spool_sys sys = sim_sys(disk);
        tw_spool_settings settings = {
            "x", "project-number-1", 1, 1 << 20, 1024, &sys, NULL, NULL};
        ledger *led = test_calloc(1, sizeof *led);
        size_t count = 0;
        tw_spool_item item;
        tw_spool_stats stats;
        tw_spool *sp;
        long held;

        assert_int_equal(tw__spool_open(&sp, &settings, NULL), TW_OK);
        assert_int_equal(tw__spool_open(&led->sp, &settings, NULL), TW_OK);
        while (led->count < 60)
            assert_int_equal(ledger_append(led, 1), TW_OK);
        assert_int_equal(tw__spool_set_aside(led->sp, &led->entries[0].id, 1, NULL),
                         TW_OK);
        tw__spool_free(led->sp);
        oom_begin(n);
        (void)tw__spool_adopt(sp, NULL);
        left = oom_end(&held);
        while (tw__spool_next(&item, sp, NULL) == TW_OK)
            count++;
        assert_int_equal(tw__spool_adopt(sp, NULL), TW_OK);
        while (tw__spool_next(&item, sp, NULL) == TW_OK)
            count++;
        tw__spool_stats(sp, &stats);
        assert_int_equal(count, 59);
        assert_int_equal(stats.waiting, 60);
        assert_int_equal(stats.unread, 0);
        assert_int_equal(stats.lanes, 1);
        assert_int_equal(stats.lost + stats.unreadable, 0);
        tw__spool_free(sp);
        test_free(led);
        sim_free(disk);
    }
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_reading_goes_on_once_there_is_memory),
        cmocka_unit_test(test_reading_goes_on_once_there_are_descriptors),
        cmocka_unit_test(test_adoption_is_tried_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
