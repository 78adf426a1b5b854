/* SPDX-License-Identifier: MIT */
/* The spool after power cuts and under failing calls: every moment, every way to lose. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/spool_internal.h"
#include "spool_ledger.h"

enum { SEGMENT = 1024, RANDOM_STATES = 40 };

/* TW_SPOOL_STATES makes the longer runs of the ladder. */
static size_t random_states(void)
{
    const char *more = getenv("TW_SPOOL_STATES");

    return more != NULL ? (size_t)strtoul(more, NULL, 10) : RANDOM_STATES;
}

static tw_spool *open_on(sim_disk *disk, const tw_spool_sys *sys, int durable)
{
    tw_spool_settings settings = {
        "spool", "project-number-1", durable, 1 << 20, SEGMENT, sys, NULL, NULL};
    tw_spool *sp = NULL;

    (void)disk;
    (void)tw__spool_open(&sp, &settings, NULL);
    return sp;
}

/* Everything the spool does: rotation, files made ahead, notes, removal out of order, adoption,
 * closing. */
static void scenario(ledger *led, const tw_spool_sys *sys, int durable)
{
    size_t i;

    led->sp = open_on(led->disk, sys, durable);
    if (led->sp == NULL)
        return;
    for (i = 0; i < 24; i++) {
        (void)ledger_append(led, 1);
        if (i % 5 == 0)
            tw__spool_prepare(led->sp); /* some segments are made ahead, some are not */
    }
    ledger_sent(led, 0, 8, 1111);
    ledger_ack(led, 12, 9);
    ledger_ack(led, 0, 4);
    (void)ledger_sync(led);
    for (i = 0; i < 10; i++)
        (void)ledger_append(led, 1);
    ledger_sent(led, 4, 10, 2222);
    ledger_ack(led, 4, 8);
    (void)ledger_append(led, 3);
    tw__spool_free(led->sp);
    led->sp = open_on(led->disk, sys, durable);
    if (led->sp == NULL)
        return;
    for (i = 0; i < 3; i++)
        (void)ledger_append(led, 1);
    for (i = 0; i < led->count - 3; i++)
        led->entries[i].id = 0;
    (void)ledger_read(led, led->sp, 0, NULL);
    ledger_sent(led, 30, 2, 3333);
    ledger_ack(led, 21, 6);
    (void)ledger_sync(led);
    ledger_ack(led, 27, 5);
    tw__spool_free(led->sp);
    led->sp = NULL;
}

/* Names that stay although all has ended. Where fast mode lost records, a file may be set aside. */
static size_t litter(const sim_disk *disk, const tw_spool_stats *stats)
{
    size_t count = 0;
    int i;

    for (i = 0; i < disk->name_count; i++)
        count += stats->lost == 0 || strstr(disk->names[i].name, ".bad") == NULL;
    return count;
}

/* Opens what the cut left and returns the number of promises broken. */
static size_t check_state(ledger *led, size_t moment, sim_crash how, uint64_t seed,
                          int durable, int verbose)
{
    sim_disk *disk = sim_crashed(led->disk, moment, how, seed);
    tw_spool_sys sys = sim_sys(disk);
    tw_spool *sp = open_on(disk, &sys, durable);
    tw_spool_stats stats;
    size_t sent_wrong = 0;
    size_t broken;
    size_t i;

    assert_non_null(sp);
    led->unknown = 0;
    (void)ledger_read(led, sp, moment, &sent_wrong);
    tw__spool_stats(sp, &stats);
    broken = ledger_broken(led, moment, verbose) + sent_wrong;
    /* A cut damages nothing that was promised: no false alarm. */
    if (durable)
        broken += (size_t)stats.lost;
    if (verbose && broken != 0)
        fprintf(stderr, "cut at %zu (%d, %d): %zu broken, %zu wrong times, lost %d\n",
                moment, (int)how, (int)seed, broken, sent_wrong, (int)stats.lost);
    for (i = 0; i < led->count; i++) {
        if (led->entries[i].seen)
            (void)tw__spool_ack(sp, &led->entries[i].id, 1, NULL);
    }
    tw__spool_free(sp);
    led->litter += litter(disk, &stats);
    sim_free(disk);
    return broken;
}

static size_t check_all_states(ledger *led, int durable, int verbose, size_t *states)
{
    size_t broken = 0;
    size_t moment;
    uint64_t seed;
    int how;

    for (moment = 0; moment <= led->disk->op_count; moment++) {
        for (how = 0; how < SIM_CRASHES; how++) {
            for (seed = 0; seed < (how == SIM_RANDOM ? random_states() : 1); seed++) {
                broken +=
                    check_state(led, moment, (sim_crash)how, seed, durable, verbose);
                ++*states;
            }
        }
    }
    return broken;
}

static void ledger_start(ledger **out, sim_mutant mutant)
{
    ledger *led = test_calloc(1, sizeof *led);

    led->disk = sim_new();
    led->disk->mutant = mutant;
    *out = led;
}

static void ledger_end(ledger *led)
{
    sim_free(led->disk);
    test_free(led);
}

static void test_every_power_cut(void **state)
{
    tw_spool_sys sys;
    ledger *led;
    size_t states = 0;

    (void)state;
    ledger_start(&led, SIM_HONEST);
    sys = sim_sys(led->disk);
    scenario(led, &sys, 1);
    assert_int_equal(check_all_states(led, 1, 1, &states), 0);
    assert_int_equal(led->litter, 0);
    assert_true(states >= 2000);
    print_message("%zu states\n", states);
    ledger_end(led);
}

/* A disk that fails one sync: the file is given up, what was accepted moves. */
static void failing_scenario(ledger *led, const tw_spool_sys *sys)
{
    size_t i;

    led->sp = open_on(led->disk, sys, 1);
    for (i = 0; i < 9; i++)
        (void)ledger_append(led, 1);
    ledger_ack(led, 5, 1);
    led->disk->fail_name = ".seg";
    led->disk->fail_why = EIO;
    led->disk->fail_count = 1;
    led->disk->calls = 0;
    led->disk->fail_at = 1;
    (void)ledger_append(led, 2);
    led->disk->fail_at = 0;
    for (i = 0; i < 3; i++)
        assert_int_equal(ledger_append(led, 1), TW_OK);
    ledger_ack(led, 6, 1);
    led->disk->fail_name = ".ack";
    led->disk->calls = 0;
    led->disk->fail_at = 1;
    (void)ledger_sync(led);
    led->disk->fail_at = 0;
    led->disk->fail_name = NULL;
    ledger_ack(led, 7, 1);
    (void)ledger_sync(led);
    tw__spool_free(led->sp);
}

static void test_failed_syncs_are_never_believed(void **state)
{
    tw_spool_sys sys;
    ledger *led;
    size_t states = 0;

    (void)state;
    ledger_start(&led, SIM_HONEST);
    sys = sim_sys(led->disk);
    failing_scenario(led, &sys);
    assert_int_equal(led->entries[9].accepted, NEVER);
    assert_int_equal(check_all_states(led, 1, 1, &states), 0);
    assert_int_equal(led->litter, 0);
    ledger_end(led);
}

static int folder_fails; /* so many of its syncs */

static int failing_dir_sync(void *ctx, int dir)
{
    return folder_fails > 0 && folder_fails-- > 0 ? -EIO
                                                  : sim_sys(ctx).dir_sync(ctx, dir);
}

/* Nor is a new file of notes that nobody may find under its name. */
static void test_notes_without_a_name_are_never_believed(void **state)
{
    tw_spool_sys sys;
    ledger *led;
    size_t states = 0;

    (void)state;
    ledger_start(&led, SIM_HONEST);
    sys = sim_sys(led->disk);
    sys.dir_sync = failing_dir_sync;
    led->sp = open_on(led->disk, &sys, 1);
    assert_int_equal(ledger_append(led, 3), TW_OK);
    ledger_sent(led, 0, 1, 1111);
    led->disk->fail_name = ".ack";
    led->disk->fail_why = EIO;
    led->disk->fail_count = led->disk->fail_at = 1;
    led->disk->calls = 0;
    folder_fails = 1;
    ledger_sent(led, 1, 1, 2222);
    assert_int_equal(folder_fails, 0);
    assert_int_equal(led->entries[1].sent, NEVER);
    ledger_sent(led, 2, 1, 3333);
    assert_int_not_equal(led->entries[2].sent, NEVER);
    tw__spool_free(led->sp);
    led->disk->fail_at = 0;
    led->disk->fail_name = NULL;
    assert_int_equal(check_all_states(led, 1, 1, &states), 0);
    assert_int_equal(led->litter, 0);
    ledger_end(led);
}

/* The same where somebody took the old one away. */
static void test_new_notes_of_an_old_segment_keep_their_name(void **state)
{
    tw_spool_sys sys;
    ledger *led;
    size_t states = 0;
    int i;

    (void)state;
    ledger_start(&led, SIM_HONEST);
    sys = sim_sys(led->disk);
    led->sp = open_on(led->disk, &sys, 1);
    assert_int_equal(ledger_append(led, 3), TW_OK);
    tw__spool_free(led->sp);
    for (i = 0; strstr(led->disk->names[i].name, ".ack") == NULL; i++)
        continue;
    assert_int_equal(sys.unlink(sys.ctx, 0, led->disk->names[i].name), 0);
    assert_int_equal(sys.dir_sync(sys.ctx, 0), 0);
    led->sp = open_on(led->disk, &sys, 1);
    assert_int_equal(ledger_read(led, led->sp, 0, NULL), 3);
    ledger_sent(led, 0, 3, 1111);
    assert_int_not_equal(led->entries[0].sent, NEVER);
    tw__spool_free(led->sp);
    assert_int_equal(check_all_states(led, 1, 1, &states), 0);
    ledger_end(led);
}

/* What was taken back while the notes found no room is taken back in the file, too, once there is
 * some: a mark, and what was set aside. */
static void test_what_is_taken_back_on_a_full_disk_stays_so(void **state)
{
    tw_spool_sys sys;
    tw_spool_item item;
    uint64_t revived = 0;
    unsigned seen = 0;
    ledger *led;

    (void)state;
    ledger_start(&led, SIM_HONEST);
    sys = sim_sys(led->disk);
    led->sp = open_on(led->disk, &sys, 1);
    assert_int_equal(ledger_append(led, 3), TW_OK);
    ledger_sent(led, 0, 1, 1111);
    assert_int_equal(tw__spool_set_aside(led->sp, &led->entries[1].id, 1, NULL), TW_OK);
    led->disk->fail_why = ENOSPC;
    led->disk->fail_count = 1000;
    led->disk->calls = 0;
    led->disk->fail_at = 1;
    assert_int_not_equal(tw__spool_unmark_sent(led->sp, &led->entries[0].id, 1, NULL),
                         TW_OK);
    assert_int_equal(tw__spool_revive(&revived, led->sp, NULL), TW_OK);
    assert_int_equal(revived, 1);
    led->disk->fail_at = 0;
    ledger_ack(led, 2, 1);
    tw__spool_free(led->sp);
    led->sp = open_on(led->disk, &sys, 1);
    while (tw__spool_next(&item, led->sp, NULL) == TW_OK) {
        assert_int_equal(item.sent_ms, -1);
        seen++;
    }
    assert_int_equal(seen, 2);
    tw__spool_free(led->sp);
    ledger_end(led);
}

/* Notes that were made up for may tell again of records that the file tells of, and of more behind
 * them: those are marked and set aside as well. */
static void test_notes_made_up_for_tell_of_all(void **state)
{
    tw_spool_sys sys;
    tw_spool_item item;
    unsigned seen = 0;
    ledger *led;

    (void)state;
    ledger_start(&led, SIM_HONEST);
    sys = sim_sys(led->disk);
    led->sp = open_on(led->disk, &sys, 1);
    assert_int_equal(ledger_append(led, 6), TW_OK);
    ledger_sent(led, 0, 1, 1111);
    assert_int_equal(tw__spool_set_aside(led->sp, &led->entries[3].id, 1, NULL), TW_OK);
    led->disk->fail_why = ENOSPC;
    led->disk->fail_count = 1000;
    led->disk->calls = 0;
    led->disk->fail_at = 1;
    ledger_sent(led, 1, 2, 1111);
    assert_int_not_equal(tw__spool_set_aside(led->sp, &led->entries[4].id, 1, NULL),
                         TW_OK);
    led->disk->fail_at = 0;
    ledger_ack(led, 5, 1);
    tw__spool_free(led->sp);
    led->sp = open_on(led->disk, &sys, 1);
    while (tw__spool_next(&item, led->sp, NULL) == TW_OK) {
        assert_int_equal(item.sent_ms, 1111);
        seen++;
    }
    assert_int_equal(seen, 3);
    tw__spool_free(led->sp);
    ledger_end(led);
}

/* Wherever notes that were made up for are cut off: what was set aside and then thrown away is not
 * given out. */
static void test_what_was_purged_on_a_full_disk_stays_away(void **state)
{
    tw_spool_sys sys;
    tw_spool_item item;
    uint64_t seed;
    size_t written;
    ledger *led;

    (void)state;
    ledger_start(&led, SIM_HONEST);
    sys = sim_sys(led->disk);
    led->sp = open_on(led->disk, &sys, 1);
    assert_int_equal(ledger_append(led, 3), TW_OK);
    assert_int_equal(tw__spool_set_aside(led->sp, &led->entries[0].id, 1, NULL), TW_OK);
    assert_int_equal(ledger_sync(led), TW_OK);
    led->disk->fail_why = ENOSPC;
    led->disk->fail_count = 1000;
    led->disk->calls = 0;
    led->disk->fail_at = 1;
    ledger_ack(led, 0, 1);
    led->disk->fail_at = 0;
    ledger_ack(led, 1, 1);
    written = led->disk->op_count;
    for (seed = 1; seed <= 64; seed++) {
        sim_disk *left = sim_crashed(led->disk, written, SIM_TORN_BYTE, seed);
        tw_spool_sys other = sim_sys(left);
        tw_spool *sp = open_on(left, &other, 1);

        assert_non_null(sp);
        while (tw__spool_next(&item, sp, NULL) == TW_OK)
            assert_int_not_equal(ledger_number(led, item.text, item.size), 0);
        tw__spool_free(sp);
        sim_free(left);
    }
    tw__spool_free(led->sp);
    ledger_end(led);
}

/* Fast mode: a sync that failed, whatever became of the repair, is made good by the next that
 * does not. */
static void test_failed_syncs_in_fast_mode(void **state)
{
    unsigned count;

    (void)state;
    for (count = 1; count < 4; count++) {
        size_t states = 0;
        tw_spool_sys sys;
        ledger *led;
        size_t i;

        ledger_start(&led, SIM_HONEST);
        sys = sim_sys(led->disk);
        led->sp = open_on(led->disk, &sys, 0);
        for (i = 0; i < 30; i++) {
            assert_int_equal(ledger_append(led, 1), TW_OK);
            led->entries[i].accepted = NEVER;
        }
        tw__files_lock(
            led->sp); /* seals what is full, so that the next calls are syncs */
        tw__files_unlock(led->sp);
        led->disk->fail_name = count % 2 ? ".seg" : NULL;
        led->disk->fail_why = EIO;
        led->disk->fail_count = count;
        led->disk->calls = 0;
        led->disk->fail_at = 1;
        assert_int_equal(ledger_sync(led), TW_E_QUEUE_FULL);
        led->disk->fail_at = 0;
        assert_int_equal(ledger_append(led, 1), TW_OK);
        assert_int_equal(ledger_sync(led), TW_OK);
        for (i = 0; i < led->count; i++)
            led->entries[i].accepted = ledger_now(led);
        tw__spool_free(led->sp);
        assert_int_equal(check_all_states(led, 0, 1, &states), 0);
        assert_int_equal(led->litter, 0);
        ledger_end(led);
    }
}

/* The tests above must see each of these faults. */
static void test_mutants_are_caught(void **state)
{
    static const sim_mutant mutants[] = {SIM_NO_SEGMENT_SYNC, SIM_NO_NOTES_SYNC,
                                         SIM_NO_SPARE_SYNC,   SIM_NO_DIR_SYNC,
                                         SIM_NOTES_FIRST,     SIM_RETRY_SYNC};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof mutants / sizeof *mutants; i++) {
        size_t states = 0;
        size_t broken = 0;
        tw_spool_sys sys;
        ledger *led;

        ledger_start(&led, mutants[i]);
        sys = sim_sys(led->disk);
        if (mutants[i] == SIM_RETRY_SYNC || mutants[i] == SIM_NO_SPARE_SYNC)
            failing_scenario(led, &sys);
        else
            scenario(led, &sys, 1);
        broken = check_all_states(led, 1, 0, &states);
        print_message("mutant %d: %zu broken promises in %zu states\n", (int)mutants[i],
                      broken, states);
        assert_true(broken > 0);
        ledger_end(led);
    }
}

/* Fast mode: a cut takes at most what came after the last sync. */
static void test_fast_mode_window(void **state)
{
    size_t states = 0;
    tw_spool_sys sys;
    ledger *led;
    size_t i;

    (void)state;
    ledger_start(&led, SIM_HONEST);
    sys = sim_sys(led->disk);
    led->sp = open_on(led->disk, &sys, 0);
    for (i = 0; i < 60; i++) {
        size_t k;

        assert_int_equal(ledger_append(led, 1), TW_OK);
        led->entries[i].accepted = NEVER;
        if (i % 7 != 0)
            continue;
        assert_int_equal(ledger_sync(led), TW_OK);
        for (k = 0; k <= i; k++) {
            if (led->entries[k].accepted == NEVER)
                led->entries[k].accepted = ledger_now(led);
        }
    }
    tw__spool_free(led->sp);
    assert_int_equal(check_all_states(led, 0, 1, &states), 0);
    assert_int_equal(led->litter, 0);
    ledger_end(led);
}

/* ---- failing calls --------------------------------------------------------------------- */

/* A disk that refuses everything from a failed sync on also refuses to take the written bytes
 * back: the one call that was under way then may come to light again. */
static void forgive_one(ledger *led)
{
    size_t call = NEVER;
    size_t i;

    for (i = 0; i < led->count; i++) {
        ledger_entry *e = &led->entries[i];

        if (e->refused != NEVER && e->seen == 1 && (call == NEVER || call == e->call)) {
            call = e->call;
            e->refused = NEVER;
        }
    }
}

static unsigned walk(int why, unsigned count, int durable)
{
    unsigned n;
    unsigned refused = 0;

    for (n = 1;; n++) {
        tw_spool_sys sys;
        ledger *led;
        tw_spool *sp;
        size_t i;
        int fired;

        ledger_start(&led, SIM_HONEST);
        sys = sim_sys(led->disk);
        led->disk->fail_at = n;
        led->disk->fail_count = count;
        led->disk->fail_why = why;
        scenario(led, &sys, durable);
        fired = led->disk->calls >= n;
        led->disk->fail_at = 0;
        for (i = 0; i < led->count; i++) {
            ledger_entry *e = &led->entries[i];

            refused += e->refused != NEVER;
            e->began = 0;
            if (e->ack_began != NEVER) {
                e->ack_began = 0;
                /* Without a power cut the kernel forgets nothing, but a bad sector may lie
                 * under the notes. */
                e->ack_durable = e->ack_failed || why == EIO ? NEVER : 0;
            }
            if (e->accepted != NEVER)
                e->accepted = 0;
            if (e->refused != NEVER)
                e->refused = 0;
        }
        sp = open_on(led->disk, &sys, durable);
        assert_non_null(sp);
        led->unknown = 0;
        (void)ledger_read(led, sp, 1, NULL);
        if (count > 1)
            forgive_one(led);
        if (ledger_broken(led, 1, 1) != 0)
            fail_msg("errno %d at call %u (%u times)", why, n, count);
        /* Works again once the fault is over. */
        led->sp = sp;
        assert_int_equal(ledger_append(led, 1), TW_OK);
        tw__spool_free(sp);
        ledger_end(led);
        if (!fired)
            return refused;
    }
}

static void test_each_call_failing(void **state)
{
    static const int whys[] = {ENOSPC, EIO, EDQUOT, EROFS, EMFILE};
    size_t i;
    int durable;

    (void)state;
    for (durable = 0; durable < 2; durable++) {
        for (i = 0; i < sizeof whys / sizeof *whys; i++) {
            assert_true(walk(whys[i], 1, durable) > 0);
            assert_true(walk(whys[i], 5, durable) > 0);
            assert_true(walk(whys[i], 1000000, durable) > 0);
        }
        assert_int_equal(walk(0, 1, durable), 0);   /* a short count */
        assert_int_equal(walk(0, 100, durable), 0); /* many */
        assert_int_equal(walk(EINTR, 1, durable), 0);
        assert_int_equal(walk(EINTR, 7, durable), 0);
    }
}

/* Fast mode's part of the scenario: segments that nobody has sealed when they are synced. */
static void fast_scenario(ledger *led, const tw_spool_sys *sys)
{
    size_t synced = 0;
    size_t i;

    led->sp = open_on(led->disk, sys, 0);
    if (led->sp == NULL)
        return;
    for (i = 0; i < 40; i++) {
        (void)ledger_append(led, 1);
        if (i % 9 == 8 && ledger_sync(led) == TW_OK) {
            for (; synced < led->count; synced++) {
                if (led->entries[synced].accepted != NEVER)
                    led->entries[synced].accepted = ledger_now(led);
            }
        }
    }
    for (; synced < led->count; synced++)
        led->entries[synced].accepted = NEVER;
    tw__spool_free(led->sp);
    led->sp = NULL;
}

/* The power is cut at some time after a call has failed: every call, every few changes of the disk
 * later. */
static void test_power_cuts_after_a_failed_call(void **state)
{
    static const int whys[] = {EIO, ENOSPC};
    size_t states = 0;
    size_t step = getenv("TW_SPOOL_STATES") != NULL ? 1 : 17;
    unsigned n;
    int durable;

    (void)state;
    for (durable = 0; durable < 2; durable++) {
        int fired = 1;

        for (n = 1; fired; n++) {
            tw_spool_sys sys;
            ledger *led;
            size_t moment;
            int how;

            ledger_start(&led, SIM_HONEST);
            sys = sim_sys(led->disk);
            led->disk->fail_at = n;
            led->disk->fail_count = 1;
            led->disk->fail_why = whys[n % 2];
            if (durable)
                scenario(led, &sys, 1);
            else
                fast_scenario(led, &sys);
            fired = led->disk->calls >= n;
            led->disk->fail_at = 0;
            for (moment = n % step; moment <= led->disk->op_count; moment += step) {
                for (how = 0; how < SIM_RANDOM; how++, states++) {
                    if (check_state(led, moment, (sim_crash)how, 0, durable, 1) != 0)
                        fail_msg("errno %d at call %u, cut at %zu", whys[n % 2], n,
                                 moment);
                }
            }
            ledger_end(led);
        }
    }
    print_message("%zu states\n", states);
}

static int open_files(const sim_disk *disk)
{
    int count = 0;
    int i;

    for (i = 0; i < SIM_FDS; i++)
        count += disk->fds[i].used;
    return count;
}

/* Hours without a network, and hours of dead processes: files are not kept open for either. */
static void test_a_backlog_keeps_few_files_open(void **state)
{
    enum { FULL = 60, OPEN_MOST = 30 };
    int durable;

    (void)state;
    for (durable = 0; durable < 2; durable++) {
        tw_spool_stats stats;
        tw_spool_sys sys;
        ledger *led;
        size_t i;

        ledger_start(&led, SIM_HONEST);
        sys = sim_sys(led->disk);
        led->sp = open_on(led->disk, &sys, durable);
        do {
            assert_int_equal(ledger_append(led, 1), TW_OK);
            tw__spool_stats(led->sp, &stats);
        } while (stats.segments < FULL);
        assert_in_range(open_files(led->disk), 1, OPEN_MOST);
        tw__spool_free(led->sp);
        led->sp = open_on(led->disk, &sys, durable);
        assert_int_equal(ledger_read(led, led->sp, 0, NULL), led->count);
        for (i = 0; i < led->count; i += 5)
            ledger_sent(led, i, 1, 1111);
        assert_in_range(open_files(led->disk), 1, OPEN_MOST);
        tw__spool_free(led->sp);
        ledger_end(led);
    }
}

/* A parked record that the disk cannot read is not lost: it is there when the disk can again. */
static void test_unread_is_not_lost(void **state)
{
    tw_spool_item item;
    tw_spool_sys sys;
    ledger *led;

    (void)state;
    ledger_start(&led, SIM_HONEST);
    sys = sim_sys(led->disk);
    led->sp = open_on(led->disk, &sys, 1);
    assert_int_equal(ledger_append(led, 3), TW_OK);
    assert_int_equal(tw__spool_park(led->sp, &led->entries[1].id, 1), TW_OK);
    led->disk->fail_why = EIO;
    led->disk->fail_count = 1;
    for (led->disk->fail_at = 1; led->disk->fail_at < 3; led->disk->fail_at++) {
        led->disk->calls = 0;
        assert_int_equal(tw__spool_parked(&item, led->sp, 0, NULL), TW_E_QUEUE_FULL);
    }
    led->disk->fail_at = 0;
    assert_int_equal(tw__spool_parked(&item, led->sp, 0, NULL), TW_OK);
    assert_int_equal(item.id, led->entries[1].id);
    assert_non_null(item.text);
    assert_int_equal(ledger_number(led, item.text, item.size), 1);
    tw__spool_parked_end(led->sp);
    tw__spool_free(led->sp);
    ledger_end(led);
}

static int folder_refuses(void *ctx, int dir)
{
    (void)ctx;
    (void)dir;
    return -EIO;
}

/* A process in fast mode died before it synced the folder: of what is marked then no power cut
 * takes the mark alone. Where the next process cannot sync the folder at first, it does later. */
static void test_marks_outlive_names_that_were_not_synced(void **state)
{
    int fails;

    (void)state;
    for (fails = 0; fails < 2; fails++) {
        size_t wrong = 0;
        tw_spool_sys sys;
        uint64_t seed;
        size_t moment;
        ledger *led;

        ledger_start(&led, SIM_HONEST);
        sys = sim_sys(led->disk);
        sys.dir_sync = folder_refuses;
        led->sp = open_on(led->disk, &sys, 0);
        assert_int_equal(ledger_append(led, 3), TW_OK);
        tw__spool_free(led->sp);
        if (!fails)
            sys = sim_sys(led->disk);
        led->sp = open_on(led->disk, &sys, 1);
        assert_int_equal(ledger_read(led, led->sp, 0, NULL), 3);
        led->sp->sys.dir_sync = sim_sys(led->disk).dir_sync;
        ledger_sent(led, 0, 3, 1111);
        moment = led->disk->op_count;
        for (seed = 0; seed < 64; seed++) {
            sim_disk *disk = sim_crashed(led->disk, moment, SIM_RANDOM, seed);
            tw_spool_sys after = sim_sys(disk);
            tw_spool *sp = open_on(disk, &after, 1);

            (void)ledger_read(led, sp, moment, &wrong);
            tw__spool_free(sp);
            sim_free(disk);
        }
        assert_int_equal(wrong, 0);
        tw__spool_free(led->sp);
        ledger_end(led);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_power_cut),
        cmocka_unit_test(test_failed_syncs_are_never_believed),
        cmocka_unit_test(test_notes_without_a_name_are_never_believed),
        cmocka_unit_test(test_new_notes_of_an_old_segment_keep_their_name),
        cmocka_unit_test(test_what_is_taken_back_on_a_full_disk_stays_so),
        cmocka_unit_test(test_notes_made_up_for_tell_of_all),
        cmocka_unit_test(test_what_was_purged_on_a_full_disk_stays_away),
        cmocka_unit_test(test_failed_syncs_in_fast_mode),
        cmocka_unit_test(test_mutants_are_caught),
        cmocka_unit_test(test_fast_mode_window),
        cmocka_unit_test(test_each_call_failing),
        cmocka_unit_test(test_power_cuts_after_a_failed_call),
        cmocka_unit_test(test_a_backlog_keeps_few_files_open),
        cmocka_unit_test(test_unread_is_not_lost),
        cmocka_unit_test(test_marks_outlive_names_that_were_not_synced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
