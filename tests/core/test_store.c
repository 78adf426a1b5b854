/* SPDX-License-Identifier: MIT */
/* The spool behind the queue: what is accepted survives, in order, and ends once. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "ingest/spool.h"

/* What another thread does right before a look for more on the disk. */
static void (*meanwhile)(void);

static int reread(tw_spool_item *out, tw_spool *sp, uint64_t from, tw_error **err)
{
    if (meanwhile != NULL)
        meanwhile();
    return tw__spool_reread(out, sp, from, err);
}

/* The same before a look for what dead processes left. */
static void (*meanwhile_next)(void);

static int next_left(tw_spool_item *out, tw_spool *sp, tw_error **err)
{
    if (meanwhile_next != NULL)
        meanwhile_next();
    return tw__spool_next(out, sp, err);
}

#define tw__spool_reread reread
#define tw__spool_next next_left

#include "support/spool_world.h"

enum { DAY_MS = 86400000 };

static int disk_setup(void **state)
{
    meanwhile = NULL;
    meanwhile_next = NULL;
    return disk_setup_as(state, "store");
}

static void what_was_not_sent_waits_for_the_next_process(void **state)
{
    world *w = *state;
    tw_stats now;

    start(w);
    track(w, 5);
    assert_int_equal(stats(w).waiting, 5);
    tw__ingest_cancel(w->ing);
    now = stats(w);
    assert_int_equal(now.waiting, 5);
    assert_int_equal(now.expired + now.uncertain, 0);
    world_end(w);
    spool_start(w);
    assert_non_null(w->gate.call);
    assert_int_equal(sent(w), 5);
    assert_int_equal(in_order(w, 0), 5);
    answer_ok(w);
    now = stats(w);
    assert_int_equal(now.accepted, 0);
    assert_int_equal(now.recovered, 5);
    assert_int_equal(now.stored, 5);
    assert_int_equal(now.waiting, 0);
    assert_int_equal(now.spool_lanes, 1);
    world_end(w);
    spool_start(w);
    assert_null(w->gate.call);
    assert_int_equal(stats(w).recovered, 0);
}

static void the_bytes_are_the_same_in_the_next_process(void **state)
{
    world *w = *state;
    char *body;
    size_t size;

    start(w);
    track(w, 3);
    advance(w, 5000);
    size = w->gate.call->size;
    body = test_malloc(size);
    memcpy(body, w->gate.call->body, size);
    world_end(w);
    advance(w, 1234567);
    spool_start(w);
    assert_int_equal(w->gate.call->size, size);
    assert_memory_equal(w->gate.call->body, body, size);
    answer_ok(w);
    test_free(body);
}

static void memory_holds_a_part_and_the_disk_the_rest_in_order(void **state)
{
    world *w = *state;
    int next = 0;

    w->set.queue_events = 100;
    w->set.batch_events = 30;
    start(w);
    track(w, 1000);
    assert_int_equal(stats(w).waiting, 1000);
    assert_int_equal(w->ing->mem_events, 100);
    assert_int_equal(w->ing->spilled, 900);
    fake_run(&w->gate);
    while (w->gate.call != NULL) {
        next = in_order(w, next);
        if (next == 520)
            track(w, 50); /* new ones line up behind */
        answer_ok(w);
        if (w->gate.call == NULL)
            advance(w, 5000);
        assert_true(w->ing->mem_events <= 130);
    }
    assert_int_equal(next, 1050);
    expect(w, 1050, 0, 0);
    assert_int_equal(w->ing->spilled, 0);
    track(w, 5); /* through memory again */
    assert_int_equal(w->ing->mem_events, 5);
}

static world *other;

/* Accepts an event as soon as the disk holds none that memory has not. */
static void track_once_read_back(void)
{
    if (other->ing->spilled != 0 || other->next >= 20)
        return;
    track(other, 1);
}

static void what_comes_while_the_last_is_read_back_is_not_read_again(void **state)
{
    world *w = *state;
    int next = 0;

    w->set.queue_events = 10;
    start(w);
    track(w, 15);
    assert_int_equal(w->ing->spilled, 5);
    other = w;
    meanwhile = track_once_read_back;
    advance(w, 5000);
    while (w->gate.call != NULL) {
        next = in_order(w, next);
        answer_ok(w);
        balanced(w);
        if (w->gate.call == NULL)
            advance(w, 5000);
    }
    meanwhile = NULL;
    assert_int_equal(w->ing->spilled, 0);
    assert_int_equal(next, w->next);
    expect(w, (uint64_t)w->next, 0, 0);
}

static void a_flush_waits_for_what_is_on_the_disk_only(void **state)
{
    world *w = *state;
    tw_job *job;

    w->set.queue_events = 10;
    start(w);
    track(w, 35);
    job = flush(w);
    track(w, 5);
    while (stats(w).stored < 35) {
        assert_false(job->finished);
        answer_ok(w);
    }
    assert_true(job->finished);
    assert_null(job->err);
    fake_job_unref(job);
}

static void an_event_is_marked_before_it_is_sent(void **state)
{
    world *w = *state;
    int64_t began;

    start(w);
    track(w, 2);
    advance(w, 5000);
    assert_non_null(w->gate.call);
    began = fake.wall_ms;
    world_end(w);
    advance(w, 1000);
    /* The next one knows when it was first tried. */
    spool_start(w);
    assert_int_equal(w->ing->sent->records[0].sent_ms, began);
    assert_true(w->ing->sent->records[0].maybe);
}

static void an_attempt_that_stored_nothing_leaves_no_mark(void **state)
{
    world *w = *state;

    start(w);
    track(w, 2);
    advance(w, 5000);
    reply(w, 0, TW_E_NETWORK, TW_STORED_NO, -1, "");
    assert_null(w->gate.call);
    world_end(w);
    advance(w, (int64_t)7 * DAY_MS);
    spool_start(w);
    assert_int_equal(sent(w), 2); /* a week offline is no reason for doubt */
    assert_false(w->ing->sent->records[0].maybe);
    answer_ok(w);
}

/* A daily quota may keep them for long. */
static void throttled_events_leave_no_mark(void **state)
{
    world *w = *state;

    start(w);
    track(w, 2);
    advance(w, 5000);
    answer(w, 429,
           "{\"code\":429,\"exceeded_daily_quota_users\":{\"user-000001\":500001},"
           "\"throttled_events\":[1]}");
    answer_ok(w); /* of the other */
    world_end(w);
    advance(w, (int64_t)7 * DAY_MS);
    spool_start(w);
    assert_int_equal(sent(w), 1);
    assert_false(w->ing->sent->records[0].maybe);
    answer_ok(w);
}

static void past_the_window_a_doubtful_event_is_not_sent_again(void **state)
{
    world *w = *state;
    uint64_t count = 0;

    start(w);
    track(w, 3);
    advance(w, 5000);
    reply(w, 0, TW_E_TIMEOUT, TW_STORED_MAYBE, -1, "");
    world_end(w);
    advance(w, (int64_t)6 * DAY_MS + (int64_t)19 * 3600000);
    spool_start(w);
    assert_int_equal(sent(w), 3); /* 6 d 19 h: sent */
    world_end(w);
    advance(w, (int64_t)2 * 3600000);
    spool_start(w);
    assert_null(w->gate.call); /* 6 d 21 h: not */
    assert_int_equal(stats(w).uncertain, 3);
    assert_int_equal(stats(w).recovered, 3);
    balanced(w);
    world_end(w);
    /* It is kept, and counted, but not told of as new. */
    spool_start(w);
    assert_null(w->gate.call);
    assert_int_equal(stats(w).uncertain, 3);
    assert_true(stats(w).spool_uncertain_bytes != 0);
    assert_int_equal(stats(w).spool_uncertain_bytes, stats(w).spool_bytes);
    assert_int_equal(tw__ingest_resend_uncertain(&count, w->ing, NULL), TW_OK);
    assert_int_equal(count, 3);
    assert_int_equal(stats(w).spool_uncertain_bytes, 0);
    fake_run(&w->gate);
    assert_int_equal(sent(w), 3);
    assert_int_equal(in_order(w, 0), 3);
    assert_int_equal(stats(w).uncertain, 0);
    assert_int_equal(stats(w).waiting, 3);
    answer_ok(w);
    assert_int_equal(stats(w).stored, 3);
    world_end(w);
    spool_start(w);
    assert_int_equal(stats(w).uncertain + stats(w).recovered, 0);
}

static void the_window_counts_in_one_process_too(void **state)
{
    world *w = *state;
    uint64_t count = 0;

    w->set.queue_events = 10;
    start(w);
    track(w, 30);
    fake_run(&w->gate);
    advance(w, 5000);
    while (fake.now_ms < 1000000 + (int64_t)6 * DAY_MS + (int64_t)21 * 3600000) {
        if (w->gate.call != NULL)
            reply(w, 0, TW_E_TIMEOUT, TW_STORED_MAYBE, -1, "");
        advance(w, 3600000);
    }
    assert_true(stats(w).uncertain >= 10);
    balanced(w);
    answer_all_ok(w);
    advance(w, 60000);
    answer_all_ok(w);
    assert_int_equal(stats(w).waiting, 0);
    assert_int_equal(stats(w).stored + stats(w).uncertain, 30);
    assert_int_equal(tw__ingest_resend_uncertain(&count, w->ing, NULL), TW_OK);
    fake_run(&w->gate);
    answer_all_ok(w);
    expect(w, 30, 0, 0);
    assert_int_equal(stats(w).uncertain, 0);
}

/* Within a process nobody's setting of the clock makes an event old, or young. */
static void a_clock_that_is_set_changes_no_age(void **state)
{
    world *w = *state;
    int64_t year = INT64_C(365) * DAY_MS;

    w->set.max_age_ms = INT64_C(30) * DAY_MS;
    start(w);
    track(w, 2);
    advance(w, 5000);
    fake.wall_ms += year;
    reply(w, 0, TW_E_NETWORK, TW_STORED_MAYBE, -1, "");
    advance(w, 60001);
    assert_int_equal(sent(w), 2); /* not a year old */
    fake.wall_ms -= 2 * year;
    reply(w, 0, TW_E_NETWORK, TW_STORED_MAYBE, -1, "");
    advance(w, 60001);
    assert_int_equal(sent(w), 2);
    assert_in_range(stats(w).oldest_ms, 125000, 126000);
    reply(w, 0, TW_E_NETWORK, TW_STORED_MAYBE, -1, "");
    fake.now_ms += 7 * DAY_MS; /* the window is over, whatever the clock says */
    advance(w, 0);
    assert_null(w->gate.call);
    assert_int_equal(stats(w).uncertain, 2);
}

static void an_attempt_in_the_future_was_made_now(void **state)
{
    world *w = *state;

    start(w);
    track(w, 1);
    advance(w, 5000);
    world_end(w);
    fake.wall_ms -= INT64_C(30) * DAY_MS; /* the clock had been wrong */
    spool_start(w);
    assert_int_equal(sent(w), 1);
    assert_int_equal(w->ing->sent->records[0].sent_ms, fake.wall_ms);
    reply(w, 0, TW_E_NETWORK, TW_STORED_MAYBE, -1, "");
    advance(w, (int64_t)7 * DAY_MS);
    assert_null(w->gate.call);
    assert_int_equal(stats(w).uncertain, 1);
}

static void events_older_than_max_age_expire(void **state)
{
    world *w = *state;

    w->set.max_age_ms = DAY_MS;
    start(w);
    track(w, 4);
    world_end(w);
    advance(w, DAY_MS / 2);
    start(w);
    track(w, 2);
    world_end(w);
    advance(w, DAY_MS / 2 + 1);
    spool_start(w);
    assert_int_equal(stats(w).expired, 4);
    assert_int_equal(sent(w), 2);
    answer_ok(w);
    world_end(w);
    spool_start(w);
    assert_int_equal(stats(w).recovered, 0);
}

static void a_refused_event_is_gone_from_the_spool(void **state)
{
    world *w = *state;

    start(w);
    track_type(w, "poison");
    track(w, 3);
    advance(w, 5000);
    serve(w, TELL_ALL);
    answer_all_ok(w);
    expect(w, 3, 1, 0);
    world_end(w);
    spool_start(w);
    assert_int_equal(stats(w).recovered, 0);
}

static void old_and_new_go_by_turns(void **state)
{
    world *w = *state;

    w->set.batch_events = 10;
    start(w);
    track(w, 30);
    world_end(w);
    start(w);
    track(w, 20);
    tw__ingest_start(w->ing);
    fake_run(&w->gate);
    assert_int_equal(in_order(w, 0), 10);
    answer_ok(w);
    assert_int_equal(in_order(w, 30), 40);
    answer_ok(w);
    assert_int_equal(in_order(w, 10), 20);
    answer_ok(w);
    assert_int_equal(in_order(w, 40), 50);
    answer_ok(w);
    assert_int_equal(in_order(w, 20), 30);
    answer_ok(w);
    assert_null(w->gate.call);
    assert_int_equal(stats(w).stored, 50);
}

static void a_drain_waits_for_all_a_flush_for_its_own(void **state)
{
    world *w = *state;
    tw_job *job;

    w->set.batch_events = 10;
    start(w);
    track(w, 30);
    world_end(w);
    start(w);
    job = flush(w);
    assert_true(job->finished);
    fake_job_unref(job);
    assert_int_equal(tw__ingest_drain(&job, w->ing, NULL, NULL), TW_OK);
    fake_run(&w->gate);
    assert_false(job->finished);
    answer_all_ok(w);
    assert_true(job->finished);
    assert_int_equal(stats(w).stored, 30);
    fake_job_unref(job);
}

static int syncs;

static int counting_sync(void *ctx, int fd)
{
    syncs++;
    return tw__spool_system.datasync(ctx, fd);
}

/* One sync is for all that came in one call; where so many have no room, they go in parts. */
static void many_at_once_share_a_sync(void **state)
{
    enum { MANY = 1000, SPOOL_LEAST = 1 << 20 };
    static tw_event *evs[MANY];
    tw_spool_sys sys = tw__spool_system;
    world *w = *state;
    size_t accepted;
    int small;
    int i;

    sys.datasync = counting_sync;
    w->set.spool_sys = &sys;
    w->set.durable = 1;
    for (small = 0; small < 2; small++) {
        if (small)
            w->set.spool_bytes = SPOOL_LEAST / 8; /* a segment holds fewer than MANY */
        start(w);
        for (i = 0; i < MANY; i++)
            evs[i] = event_of(w, "e", 0);
        syncs = 0;
        assert_int_equal(tw_events_commit(&accepted, evs, MANY, 0, NULL),
                         small ? TW_E_QUEUE_FULL : TW_OK);
        if (small)
            assert_in_range(accepted, 200, MANY - 1);
        else
            assert_int_equal(accepted, MANY);
        assert_in_range(syncs, 1, small ? accepted / 8 : 1);
        assert_int_equal(stats(w).waiting, accepted);
        for (i = 0; i < MANY; i++)
            tw_event_abort(evs[i]);
        world_end(w);
        folder_remove();
    }
}

/* A process killed between making a file and writing its head leaves no byte to read. */
static void a_drain_clears_away_files_without_a_byte(void **state)
{
    static const char *const left[] = {
        "%s/tw1-70726f6a6563742d-0123456789abcdef.lock",
        "%s/tw1-70726f6a6563742d-0123456789abcdef-000000000001.seg",
        "%s/tw1-70726f6a6563742d-0123456789abcdef-000000000001.ack"};
    world *w = *state;
    size_t i;

    for (i = 1; i <= sizeof left / sizeof *left; i++) {
        struct stat st;
        char name[160];
        tw_job *job;
        size_t k;

        (void)mkdir(folder, 0700);
        for (k = 0; k < i; k++) {
            snprintf(name, sizeof name, left[k], folder);
            close(open(name, O_CREAT | O_WRONLY, 0600));
        }
        start(w);
        assert_int_equal(tw__ingest_drain(&job, w->ing, NULL, NULL), TW_OK);
        fake_run(&w->gate);
        assert_true(job->finished);
        fake_job_unref(job);
        for (k = 0; k < i; k++) {
            snprintf(name, sizeof name, left[k], folder);
            if (stat(name, &st) == 0)
                fail_msg("%s was left", name);
        }
        assert_int_equal(stats(w).lost + stats(w).recovered, 0);
        world_end(w);
    }
}

static int looks;

/* Whoever asks now whether anything is left must not be told that nothing is. */
static void something_is_left(void)
{
    looks++;
    assert_true(other->ing->backlog_left);
}

static void a_drain_is_not_over_while_the_rest_is_read(void **state)
{
    world *w = *state;
    tw_job *job;

    start(w);
    track(w, 5);
    world_end(w);
    start(w);
    other = w;
    looks = 0;
    meanwhile_next = something_is_left;
    assert_int_equal(tw__ingest_drain(&job, w->ing, NULL, NULL), TW_OK);
    fake_run(&w->gate);
    assert_int_equal(looks, 6); /* five, and the end */
    meanwhile_next = NULL;
    assert_false(job->finished);
    answer_ok(w);
    assert_true(job->finished);
    fake_job_unref(job);
}

/* It comes upon them while it reads. */
static void a_drain_reports_the_uncertain_and_the_lost(void **state)
{
    world *w = *state;
    tw_stats report = TW_STATS_INIT;
    tw_job *job;
    DIR *list;
    struct dirent *entry;
    int fd = -1;

    start(w);
    track(w, 3);
    advance(w, 5000);
    reply(w, 0, TW_E_TIMEOUT, TW_STORED_MAYBE, -1, "");
    track(w, 3);
    world_end(w);
    list = opendir(folder);
    assert_non_null(list);
    while ((entry = readdir(list)) != NULL) {
        if (strstr(entry->d_name, ".seg") != NULL)
            fd = openat(dirfd(list), entry->d_name, O_RDWR);
    }
    closedir(list);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "!", 1, 64 + 36), 1); /* in the text of the first */
    close(fd);
    advance(w, (int64_t)7 * DAY_MS);
    start(w);
    assert_int_equal(tw__ingest_drain(&job, w->ing, NULL, NULL), TW_OK);
    fake_run(&w->gate);
    answer_all_ok(w);
    fake_run(&w->gate);
    assert_true(job->finished);
    assert_int_equal(tw__flush_stats(job, &report), TW_OK);
    assert_int_equal(report.recovered, 6);
    assert_int_equal(report.lost, 1);
    assert_int_equal(report.uncertain, 2);
    assert_int_equal(report.stored, 3);
    assert_int_equal(report.waiting, 0);
    fake_job_unref(job);
    world_end(w);
    start(w); /* now it finds them set aside */
    report = (tw_stats)TW_STATS_INIT;
    assert_int_equal(tw__ingest_drain(&job, w->ing, NULL, NULL), TW_OK);
    fake_run(&w->gate);
    assert_true(job->finished);
    assert_int_equal(tw__flush_stats(job, &report), TW_OK);
    assert_int_equal(report.uncertain, 2);
    assert_int_equal(report.recovered, report.uncertain + report.lost);
    fake_job_unref(job);
}

static void closing_does_not_wait_for_what_must_wait(void **state)
{
    world *w = *state;
    tw_job *job;

    start(w);
    track(w, 3);
    advance(w, 5000);
    reply(w, 0, TW_E_NETWORK, TW_STORED_NO, -1, "");
    tw__ingest_stop_intake(w->ing);
    job = flush(w);
    assert_non_null(w->gate.call); /* one try more */
    assert_false(job->finished);
    reply(w, 0, TW_E_NETWORK, TW_STORED_NO, -1, "");
    assert_true(job->finished);
    assert_int_equal(tw_error_code(job->err), TW_E_NETWORK);
    fake_job_unref(job);
    assert_int_equal(stats(w).waiting, 3);
}

static void after_the_end_nothing_is_accepted(void **state)
{
    world *w = *state;
    tw_event *ev;

    start(w);
    ev = event_of(w, "e", 0);
    tw__ingest_stop_intake(w->ing);
    tw__ingest_cancel(w->ing);
    assert_int_equal(tw_event_commit(ev, NULL), TW_E_CLOSED);
    assert_int_equal(stats(w).accepted, 0);
}

/* ---- a disk that fails ------------------------------------------------------------- */

static int disk_is_full;

static ssize_t full_pwrite(void *ctx, int fd, const void *bytes, size_t size, uint64_t at)
{
    return disk_is_full ? -ENOSPC : tw__spool_system.pwrite(ctx, fd, bytes, size, at);
}

static int full_allocate(void *ctx, int fd, uint64_t size)
{
    return disk_is_full ? -ENOSPC : tw__spool_system.allocate(ctx, fd, size);
}

static int disk_is_ill; /* it syncs nothing, and no copy can be made */
static int ill_once;    /* the first sync that fails is the last */

static int ill_sync(void *ctx, int fd)
{
    int ill = disk_is_ill && ill_once >= 0;

    if (ill && ill_once > 0)
        ill_once = -1;
    return ill ? -EIO : tw__spool_system.datasync(ctx, fd);
}

static int ill_open(void *ctx, int dir, const char *name, int flags)
{
    if (disk_is_ill && strstr(name, ".tmp") != NULL)
        return -EIO;
    return tw__spool_system.open(ctx, dir, name, flags);
}

/* What a failed sync makes doubtful is copied as soon as the disk lets us, not when we end. */
static void what_is_in_doubt_is_copied_soon(void **state)
{
    world *w = *state;
    tw_spool_sys sys = tw__spool_system;
    tw_spool_stats spool;

    w->set.spool_sys = &sys;
    sys.datasync = ill_sync;
    sys.open = ill_open;
    w->set.durable = 1;
    start(w);
    track(w, 4);
    disk_is_ill = 1;
    assert_int_equal(tw_event_commit(event_of(w, "e", 0), NULL), TW_E_QUEUE_FULL);
    fake_run(&w->gate);
    tw__store_stats(w->ing, &spool);
    assert_int_equal(spool.rewritten, 0);
    disk_is_ill = 0;
    advance(w, 1000);
    tw__store_stats(w->ing, &spool);
    assert_int_equal(spool.rewritten, 1);
    advance(w, 5000);
    answer_ok(w);
    expect(w, 4, 0, 0);
    world_end(w);
}

/* Also where several came at once, which then went one by one. */
static void what_many_leave_in_doubt_is_copied_soon(void **state)
{
    world *w = *state;
    tw_spool_sys sys = tw__spool_system;
    tw_event *evs[2];
    size_t accepted = 0;
    tw_spool_stats spool;

    w->set.spool_sys = &sys;
    sys.datasync = ill_sync;
    sys.open = ill_open;
    w->set.durable = 1;
    start(w);
    track(w, 4);
    evs[0] = event_of(w, "e", 0);
    evs[1] = event_of(w, "e", 0);
    disk_is_ill = ill_once = 1;
    assert_int_equal(tw_events_commit(&accepted, evs, 2, 0, NULL), TW_OK);
    assert_int_equal(accepted, 2);
    assert_int_equal(ill_once, -1);
    fake_run(&w->gate);
    disk_is_ill = ill_once = 0;
    advance(w, 1000);
    tw__store_stats(w->ing, &spool);
    assert_int_equal(spool.rewritten, 1);
    tw_event_abort(evs[0]);
    tw_event_abort(evs[1]);
    advance(w, 5000);
    answer_ok(w);
    expect(w, 6, 0, 0);
    world_end(w);
}

static void a_full_disk_refuses_new_events_and_sends_the_old(void **state)
{
    world *w = *state;
    tw_spool_sys sys = tw__spool_system;
    tw_error *err = NULL;

    w->set.spool_sys = &sys;
    sys.pwrite = full_pwrite;
    sys.allocate = full_allocate;
    w->set.durable = 1;
    start(w);
    track(w, 4);
    disk_is_full = 1;
    assert_int_equal(tw_event_commit(event_of(w, "e", 0), &err), TW_E_QUEUE_FULL);
    if (strstr(tw_error_message(err), "No space") == NULL)
        fail_msg("%s", tw_error_message(err));
    tw_error_free(err);
    advance(w, 5000);
    assert_int_equal(sent(w), 4);
    answer_ok(w);
    expect(w, 4, 0, 0);
    disk_is_full = 0;
    track(w, 2);
    advance(w, 5000);
    answer_ok(w);
    expect(w, 6, 0, 0);
    world_end(w);
    spool_start(w);
    assert_int_equal(stats(w).recovered, 0);
}

#define disk_test(name) cmocka_unit_test_setup_teardown(name, disk_setup, disk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        disk_test(what_was_not_sent_waits_for_the_next_process),
        disk_test(the_bytes_are_the_same_in_the_next_process),
        disk_test(memory_holds_a_part_and_the_disk_the_rest_in_order),
        disk_test(what_comes_while_the_last_is_read_back_is_not_read_again),
        disk_test(a_flush_waits_for_what_is_on_the_disk_only),
        disk_test(an_event_is_marked_before_it_is_sent),
        disk_test(an_attempt_that_stored_nothing_leaves_no_mark),
        disk_test(throttled_events_leave_no_mark),
        disk_test(past_the_window_a_doubtful_event_is_not_sent_again),
        disk_test(the_window_counts_in_one_process_too),
        disk_test(a_clock_that_is_set_changes_no_age),
        disk_test(an_attempt_in_the_future_was_made_now),
        disk_test(events_older_than_max_age_expire),
        disk_test(a_refused_event_is_gone_from_the_spool),
        disk_test(old_and_new_go_by_turns),
        disk_test(a_drain_waits_for_all_a_flush_for_its_own),
        disk_test(many_at_once_share_a_sync),
        disk_test(a_drain_clears_away_files_without_a_byte),
        disk_test(a_drain_is_not_over_while_the_rest_is_read),
        disk_test(a_drain_reports_the_uncertain_and_the_lost),
        disk_test(closing_does_not_wait_for_what_must_wait),
        disk_test(after_the_end_nothing_is_accepted),
        disk_test(what_is_in_doubt_is_copied_soon),
        disk_test(what_many_leave_in_doubt_is_copied_soon),
        disk_test(a_full_disk_refuses_new_events_and_sends_the_old),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
