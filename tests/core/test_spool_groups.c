/* SPDX-License-Identifier: MIT */
/* Appends of many threads: who shares a sync with whom, who waits for whom, and who does not. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ingest/spool_internal.h"
#include "support/folder.h"

enum { HANDS = 8, SECOND_NS = 1000000000 };

/* A disk whose syncs are counted, and held up while `shut`. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t news;
    int shut;
    unsigned begun, ended;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0};

static tw_spool_sys gated;

static int gated_sync(void *ctx, int fd)
{
    int rc;

    pthread_mutex_lock(&gate.lock);
    gate.begun++;
    pthread_cond_broadcast(&gate.news);
    while (gate.shut)
        pthread_cond_wait(&gate.news, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    rc = tw__spool_system.datasync(ctx, fd);
    pthread_mutex_lock(&gate.lock);
    gate.ended++;
    pthread_mutex_unlock(&gate.lock);
    return rc;
}

static void gate_set(int shut)
{
    pthread_mutex_lock(&gate.lock);
    gate.shut = shut;
    pthread_cond_broadcast(&gate.news);
    pthread_mutex_unlock(&gate.lock);
}

static void gate_await(unsigned begun)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.begun < begun)
        pthread_cond_wait(&gate.news, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

typedef struct hand {
    pthread_t thread;
    tw_spool *sp;
    int rc;
} hand;

static tw_spool *open_gated(int durable)
{
    tw_spool_settings settings = {.path = folder,
                                  .project = "project-number-1",
                                  .durable = durable,
                                  .max_bytes = 1 << 24,
                                  .segment_bytes = 1 << 16,
                                  .sys = &gated};
    tw_spool *sp = NULL;

    snprintf(folder, sizeof folder, "/tmp/tw-groups-XXXXXX");
    assert_non_null(mkdtemp(folder));
    gated = tw__spool_system;
    gated.datasync = gated_sync;
    gate.begun = gate.ended = 0;
    assert_int_equal(tw__spool_open(&sp, &settings, NULL), TW_OK);
    return sp;
}

static int put(tw_spool *sp)
{
    static const tw_spool_text text = {"{\"a\":1", 6, "}", 1};
    uint64_t id;

    return tw__spool_append(&id, sp, &text, 1, NULL);
}

static void *hand_run(void *arg)
{
    hand *self = arg;

    self->rc = put(self->sp);
    return NULL;
}

static void hand_start(hand *self, tw_spool *sp)
{
    self->sp = sp;
    assert_int_equal(pthread_create(&self->thread, NULL, hand_run, self), 0);
}

static void hand_join(hand *self)
{
    assert_int_equal(pthread_join(self->thread, NULL), 0);
    assert_int_equal(self->rc, TW_OK);
}

/* Until so many wait for a sync that has not begun. */
static void await_waiting(tw_spool *sp, unsigned count)
{
    unsigned now;

    do {
        sched_yield();
        pthread_mutex_lock(&sp->lock);
        now = sp->waiting;
        pthread_mutex_unlock(&sp->lock);
    } while (now < count);
}

static void close_gated(tw_spool *sp)
{
    tw__spool_free(sp);
    folder_remove();
}

static void hope(tw_spool *sp, unsigned hoped, int64_t seconds)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&sp->lock);
    sp->hoped = sp->hoped_most = hoped;
    sp->gather_until = (now.tv_sec + seconds) * SECOND_NS;
    pthread_mutex_unlock(&sp->lock);
}

/* All who come while a sync is under way share the next one. */
static void test_those_who_come_meanwhile_share_a_sync(void **state)
{
    tw_spool *sp = open_gated(1);
    hand hands[HANDS];
    int i;

    (void)state;
    gate_set(1);
    hand_start(&hands[0], sp);
    gate_await(1);
    for (i = 1; i < HANDS; i++)
        hand_start(&hands[i], sp);
    await_waiting(sp, HANDS - 1);
    gate_set(0);
    for (i = 0; i < HANDS; i++)
        hand_join(&hands[i]);
    assert_int_equal(gate.ended, 2);
    close_gated(sp);
}

/* The one who completes the number leads, although the first has much time left. */
static void test_the_last_of_those_hoped_for_leads(void **state)
{
    tw_spool *sp = open_gated(1);
    hand hands[3];
    int i;

    (void)state;
    assert_int_equal(put(sp), TW_OK);
    hope(sp, 3, 3600);
    for (i = 0; i < 2; i++)
        hand_start(&hands[i], sp);
    await_waiting(sp, 2);
    assert_int_equal(gate.begun, 1);
    hand_start(&hands[2], sp);
    for (i = 0; i < 3; i++)
        hand_join(&hands[i]);
    assert_int_equal(gate.ended, 2);
    close_gated(sp);
}

/* Whoever is hoped for in vain is waited for until the time is up, and not the next time. */
static void test_nobody_waits_for_those_who_left(void **state)
{
    tw_spool *sp = open_gated(1);

    (void)state;
    assert_int_equal(put(sp), TW_OK);
    hope(sp, 8, 0);
    assert_int_equal(put(sp), TW_OK);
    assert_int_equal(sp->hoped_most, 1);
    assert_int_equal(sp->hoped, 1);
    hope(sp, 2, 1); /* less than a second, and nobody comes */
    assert_int_equal(put(sp), TW_OK);
    assert_int_equal(sp->hoped_most, 1);
    assert_int_equal(gate.ended, 3);
    close_gated(sp);
}

/* Whoever was late once is hoped for again soon, and who never comes more and more seldom. */
static void test_hope_returns(void **state)
{
    tw_spool *sp = open_gated(1);

    (void)state;
    hope(sp, 2, 0);
    assert_int_equal(put(sp), TW_OK);
    assert_int_equal(sp->hoped_most, 1);
    assert_int_equal(put(sp), TW_OK);
    assert_int_equal(sp->hoped_most, 2);
    sp->hoped = 2; /* and in vain again */
    assert_int_equal(put(sp), TW_OK);
    assert_int_equal(sp->hoped_most, 1);
    assert_int_equal(sp->hope_again, 2);
    assert_int_equal(put(sp), TW_OK);
    assert_int_equal(sp->hoped_most, 1);
    assert_int_equal(put(sp), TW_OK);
    assert_int_equal(sp->hoped_most, 2);
    sp->hoped = 1;
    sp->hoped_most = 1; /* as many as come: it was right to hope */
    assert_int_equal(put(sp), TW_OK);
    assert_int_equal(sp->hope_again, 1);
    close_gated(sp);
}

/* A thread that is alone hopes for nobody, however long it goes on. */
static void test_a_lone_thread_is_not_delayed(void **state)
{
    tw_spool *sp = open_gated(1);
    int i;

    (void)state;
    for (i = 0; i < 100; i++) {
        assert_int_equal(put(sp), TW_OK);
        assert_in_range(sp->hoped, 0, 1);
    }
    close_gated(sp);
}

/* The one who comes first while a sync is under way is called when it is over. */
static void test_the_first_of_the_next_round_takes_over(void **state)
{
    tw_spool *sp = open_gated(1);
    hand hands[2];

    (void)state;
    gate_set(1);
    hand_start(&hands[0], sp);
    gate_await(1);
    hand_start(&hands[1], sp);
    await_waiting(sp, 1);
    gate_set(0);
    hand_join(&hands[1]);
    hand_join(&hands[0]);
    assert_int_equal(gate.ended, 2);
    close_gated(sp);
}

/* The first of another round: the next but one waits at the same bell while those of this one, who
 * are done, have not been told yet. */
typedef struct stranger {
    pthread_t thread;
    tw_bell *bell;
    int here, gone;
} stranger;

static void *stranger_run(void *arg)
{
    stranger *self = arg;

    pthread_mutex_lock(&self->bell->lock);
    self->here = 1;
    while (!self->gone)
        pthread_cond_wait(&self->bell->first, &self->bell->lock);
    pthread_mutex_unlock(&self->bell->lock);
    return NULL;
}

static void stranger_come(stranger *self, tw_bell *bell)
{
    int here;

    memset(self, 0, sizeof *self);
    self->bell = bell;
    assert_int_equal(pthread_create(&self->thread, NULL, stranger_run, self), 0);
    do {
        sched_yield();
        pthread_mutex_lock(&bell->lock);
        here = self->here;
        pthread_mutex_unlock(&bell->lock);
    } while (!here);
}

static void stranger_go(stranger *self)
{
    pthread_mutex_lock(&self->bell->lock);
    self->gone = 1;
    pthread_cond_broadcast(&self->bell->first);
    pthread_mutex_unlock(&self->bell->lock);
    assert_int_equal(pthread_join(self->thread, NULL), 0);
}

/* Of one that would wait for ever. */
static void hand_join_in_time(hand *self)
{
    struct timespec late;

    clock_gettime(CLOCK_REALTIME, &late);
    late.tv_sec += 30;
    assert_int_equal(pthread_timedjoin_np(self->thread, NULL, &late), 0);
    assert_int_equal(self->rc, TW_OK);
}

static void test_two_firsts_at_one_bell_are_both_woken(void **state)
{
    tw_spool *sp = open_gated(1);
    stranger other;
    hand hands[3];
    int i;

    (void)state;
    gate_set(1);
    hand_start(&hands[0], sp);
    gate_await(1);
    stranger_come(&other, &sp->bells[1]);
    hand_start(&hands[1], sp); /* is called to lead */
    await_waiting(sp, 1);
    gate_set(0);
    hand_join(&hands[0]);
    hand_join_in_time(&hands[1]);
    stranger_go(&other);
    hope(sp, 3, 3600);
    stranger_come(&other, &sp->bells[sp->round & 1]);
    for (i = 0; i < 3; i++) {
        hand_start(&hands[i], sp); /* the first is told by the last */
        if (i < 2)
            await_waiting(sp, (unsigned)i + 1);
    }
    for (i = 3; i-- > 0;)
        hand_join_in_time(&hands[i]);
    stranger_go(&other);
    close_gated(sp);
}

/* A disk that refuses a write, and how many were told so before what it had taken was cut off. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t news;
    int refuses;
    int told, told_early, cuts;
} refusal = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, 0};

static ssize_t refusing_pwrite(void *ctx, int fd, const void *bytes, size_t size,
                               uint64_t at)
{
    ssize_t rc = tw__spool_system.pwrite(ctx, fd, bytes, size, at);

    return refusal.refuses ? -EIO : rc;
}

/* Nothing tells that somebody is not told: who is, comes soon. */
static int watched_truncate(void *ctx, int fd, uint64_t size)
{
    struct timespec late;

    pthread_mutex_lock(&refusal.lock);
    clock_gettime(CLOCK_REALTIME, &late);
    late.tv_nsec += SECOND_NS / 5;
    late.tv_sec += late.tv_nsec / SECOND_NS;
    late.tv_nsec %= SECOND_NS;
    while (refusal.refuses && refusal.told == 0 &&
           pthread_cond_timedwait(&refusal.news, &refusal.lock, &late) == 0)
        continue;
    refusal.cuts += refusal.refuses;
    refusal.told_early += refusal.told;
    refusal.refuses = 0;
    pthread_mutex_unlock(&refusal.lock);
    return tw__spool_system.truncate(ctx, fd, size);
}

static void *refused_run(void *arg)
{
    hand_run(arg);
    pthread_mutex_lock(&refusal.lock);
    refusal.told++;
    pthread_cond_broadcast(&refusal.news);
    pthread_mutex_unlock(&refusal.lock);
    return NULL;
}

/* Were they told before, and the process killed then, the next one would find their records. */
static void test_nobody_is_refused_whose_record_is_still_there(void **state)
{
    tw_spool *sp = open_gated(1);
    hand hands[3];
    int i;

    (void)state;
    sp->sys.pwrite = refusing_pwrite;
    sp->sys.truncate = watched_truncate;
    gate_set(1);
    hand_start(&hands[0], sp);
    gate_await(1);
    for (i = 1; i < 3; i++) {
        hands[i].sp = sp;
        assert_int_equal(pthread_create(&hands[i].thread, NULL, refused_run, &hands[i]),
                         0);
    }
    await_waiting(sp, 2);
    refusal.refuses = 1;
    gate_set(0);
    hand_join(&hands[0]);
    for (i = 1; i < 3; i++) {
        assert_int_equal(pthread_join(hands[i].thread, NULL), 0);
        assert_int_equal(hands[i].rc, TW_E_QUEUE_FULL);
    }
    assert_int_equal(refusal.cuts, 1);
    assert_int_equal(refusal.told_early, 0);
    close_gated(sp);
}

static uint64_t segments_after_preparing(tw_spool *sp)
{
    tw_spool_stats stats;
    int i;

    for (i = 0; i < 20; i++)
        assert_int_equal(put(sp), TW_OK);
    tw__spool_prepare(sp);
    assert_int_equal(put(sp), TW_OK);
    tw__spool_stats(sp, &stats);
    return stats.segments;
}

/* Small appends leave blocks that were only allocated as soon as there are others. */
static void test_small_syncs_move_to_written_blocks(void **state)
{
    tw_spool *sp = open_gated(1);

    (void)state;
    assert_int_equal(segments_after_preparing(sp), 2);
    assert_true(sp->current->written);
    assert_int_equal(segments_after_preparing(sp), 2); /* once is enough */
    close_gated(sp);
}

static void test_large_syncs_stay_where_they_are(void **state)
{
    tw_spool *sp = open_gated(1);

    (void)state;
    sp->sync_bytes = 10 << 20;
    assert_int_equal(segments_after_preparing(sp), 1);
    close_gated(sp);
    sp = open_gated(0); /* and where nothing is synced it does not matter */
    assert_int_equal(segments_after_preparing(sp), 1);
    close_gated(sp);
}

static int refusals;

static int no_room(void *ctx, int fd, uint64_t size)
{
    refusals++;
    (void)ctx;
    (void)fd;
    (void)size;
    return -ENOSPC;
}

/* A disk that is nearly full is not filled with zeros. */
static void test_nothing_is_made_ahead_without_room(void **state)
{
    tw_spool *sp = open_gated(1);

    (void)state;
    refusals = 0;
    sp->sys.allocate = no_room;
    assert_int_equal(segments_after_preparing(sp), 1);
    assert_int_equal(sp->spare, TW_SPARE_NONE);
    assert_int_equal(segments_after_preparing(sp), 1);
    assert_int_equal(refusals, 2); /* the first segment, and one try */
    sp->spare_due_ms = 0;          /* later, or when a file was removed */
    sp->sys.allocate = tw__spool_system.allocate;
    assert_int_equal(segments_after_preparing(sp), 2);
    close_gated(sp);
}

static void *sync_run(void *arg)
{
    hand *self = arg;

    self->rc = tw__spool_sync(self->sp, NULL);
    return NULL;
}

static void put_large(tw_spool *sp)
{
    static char bytes[5000];
    const tw_spool_text text = {bytes, sizeof bytes, "", 0};
    uint64_t id;

    memset(bytes, ' ', sizeof bytes);
    assert_int_equal(tw__spool_append(&id, sp, &text, 1, NULL), TW_OK);
}

static unsigned segments_now(tw_spool *sp)
{
    tw_spool_stats stats;

    tw__spool_stats(sp, &stats);
    return (unsigned)stats.segments;
}

/* What waits for the disk holds the files, not those who append: not even at a segment's end. */
static void test_a_slow_sync_delays_no_append(void **state)
{
    tw_spool *sp = open_gated(0);
    tw_spool_item item;
    hand syncer = {.sp = sp};
    unsigned put = 0;
    unsigned read = 0;

    (void)state;
    put_large(sp);
    put++;
    gate_set(1);
    assert_int_equal(pthread_create(&syncer.thread, NULL, sync_run, &syncer), 0);
    gate_await(1);
    for (; segments_now(sp) < 5; put++)
        put_large(sp);
    assert_int_equal(gate.ended, 0);
    gate_set(0);
    hand_join(&syncer);
    assert_int_equal(tw__spool_sync(sp, NULL), TW_OK);
    assert_true(gate.ended >= 5); /* each segment's */
    while (tw__spool_reread(&item, sp, read + 1, NULL) == TW_OK) {
        assert_int_equal(item.id, read + 1);
        read++;
    }
    assert_int_equal(read, put);
    close_gated(sp);
}

/* An append that is far ahead of the disk waits for it: files that nobody sealed stay open. */
static void test_a_sync_is_not_outrun_for_ever(void **state)
{
    tw_spool *sp = open_gated(0);
    hand syncer = {.sp = sp};
    unsigned most;

    (void)state;
    put_large(sp);
    gate_set(1);
    assert_int_equal(pthread_create(&syncer.thread, NULL, sync_run, &syncer), 0);
    gate_await(1);
    most = segments_now(sp) + sp->turns_left;
    while (segments_now(sp) < most)
        put_large(sp);
    assert_int_equal(sp->turns_left, 0);
    assert_int_equal(most, 9);
    gate_set(0);
    hand_join(&syncer);
    while (segments_now(sp) < most + 2)
        put_large(sp);
    assert_true(sp->turns_left != 0);
    close_gated(sp);
}

/* ---- everything at once ----------------------------------------------------------------- */

enum { CROWD = 3, EACH = 500 };

typedef struct crowd {
    tw_spool *sp;
    _Atomic int working; /* who append */
    _Atomic int bad;
    uint64_t acked;
} crowd;

static void *crowd_append(void *arg)
{
    crowd *all = arg;
    int i;

    for (i = 0; i < EACH; i++)
        all->bad |= put(all->sp) != TW_OK;
    all->working--;
    return NULL;
}

static void *crowd_sync(void *arg)
{
    crowd *all = arg;

    while (all->working != 0) {
        tw__spool_prepare(all->sp);
        all->bad |= tw__spool_sync(all->sp, NULL) != TW_OK;
    }
    return NULL;
}

/* Ends three of four records, in all the ways that a client has for it. */
static uint64_t crowd_end(tw_spool *sp, uint64_t id)
{
    if (id % 4 == 0)
        return 0;
    if (id % 4 == 1) {
        assert_int_equal(tw__spool_park(sp, &id, 1), TW_OK);
        tw__spool_unpark(sp, id);
    }
    assert_int_equal(tw__spool_mark_sent(sp, &id, 1, 1, NULL), TW_OK);
    assert_int_equal(tw__spool_ack(sp, &id, 1, NULL), TW_OK);
    return 1;
}

/* Reads back all that the others bring; no number is missing, none comes twice. */
static void crowd_read(crowd *all)
{
    tw_spool_item item;
    uint64_t from = 1;
    int last = 0;

    for (;;) {
        int rc = tw__spool_reread(&item, all->sp, from, NULL);

        if (rc == TW_DONE && last)
            break;
        last = rc == TW_DONE && all->working == 0;
        if (rc != TW_OK)
            continue;
        assert_int_equal(item.id, from);
        from++;
        all->acked += crowd_end(all->sp, item.id);
    }
    assert_int_equal(from - 1, CROWD * EACH);
}

static void test_everything_at_once(void **state)
{
    int durable;

    (void)state;
    for (durable = 0; durable < 2; durable++) {
        tw_spool_settings settings = {.path = folder,
                                      .project = "project-number-1",
                                      .durable = durable,
                                      .max_bytes = 1 << 24,
                                      .segment_bytes = 4096};
        crowd all = {.working = CROWD};
        pthread_t threads[CROWD + 1];
        tw_spool_stats stats;
        tw_spool_item item;
        uint64_t left = 0;
        int i;

        snprintf(folder, sizeof folder, "/tmp/tw-groups-XXXXXX");
        assert_non_null(mkdtemp(folder));
        assert_int_equal(tw__spool_open(&all.sp, &settings, NULL), TW_OK);
        for (i = 0; i <= CROWD; i++)
            assert_int_equal(pthread_create(&threads[i], NULL,
                                            i < CROWD ? crowd_append : crowd_sync, &all),
                             0);
        crowd_read(&all);
        for (i = 0; i <= CROWD; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(all.bad, 0);
        tw__spool_stats(all.sp, &stats);
        assert_int_equal(stats.waiting, CROWD * EACH - all.acked);
        tw__spool_free(all.sp);
        assert_int_equal(tw__spool_open(&all.sp, &settings, NULL), TW_OK);
        for (; tw__spool_next(&item, all.sp, NULL) == TW_OK; left++)
            assert_int_equal(tw__spool_ack(all.sp, &item.id, 1, NULL), TW_OK);
        assert_int_equal(left, CROWD * EACH - all.acked);
        tw__spool_stats(all.sp, &stats);
        assert_int_equal(stats.lost, 0);
        close_gated(all.sp);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_those_who_come_meanwhile_share_a_sync),
        cmocka_unit_test(test_the_last_of_those_hoped_for_leads),
        cmocka_unit_test(test_nobody_waits_for_those_who_left),
        cmocka_unit_test(test_hope_returns),
        cmocka_unit_test(test_a_lone_thread_is_not_delayed),
        cmocka_unit_test(test_the_first_of_the_next_round_takes_over),
        cmocka_unit_test(test_two_firsts_at_one_bell_are_both_woken),
        cmocka_unit_test(test_nobody_is_refused_whose_record_is_still_there),
        cmocka_unit_test(test_small_syncs_move_to_written_blocks),
        cmocka_unit_test(test_large_syncs_stay_where_they_are),
        cmocka_unit_test(test_nothing_is_made_ahead_without_room),
        cmocka_unit_test(test_a_slow_sync_delays_no_append),
        cmocka_unit_test(test_a_sync_is_not_outrun_for_ever),
        cmocka_unit_test(test_everything_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
