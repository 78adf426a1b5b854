/* SPDX-License-Identifier: MIT */
/* With a spool, what a throttled user has waits on the disk, and nobody else has to. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "ingest/spool.h"

static int spool_park(tw_spool *sp, const uint64_t *ids, size_t count);
#define tw__spool_park spool_park
#include "support/spool_world.h"
#undef tw__spool_park

static tw_ingest *watched; /* where one is: others try to drop what is parked */
static int chances;        /* how often they could before it was counted */

/* The spool's, and then a thread that wants to drop gets its chance. */
static int spool_park(tw_spool *sp, const uint64_t *ids, size_t count)
{
    int rc = tw__spool_park(sp, ids, count);

    if (watched != NULL && pthread_mutex_trylock(&watched->reading) == 0) {
        chances++;
        pthread_mutex_unlock(&watched->reading);
    }
    return rc;
}

static int disk_setup(void **state)
{
    world *w;

    disk_setup_as(state, "park");
    w = *state;
    w->set.use_batch = TW_BATCH_BACKLOG;
    return 0;
}

/* An event of a user, on a device or none, with the next number. */
static void track_of(world *w, const char *user, const char *device, size_t padding)
{
    static char pad[1000];
    tw_event *ev;
    tw_json_writer *wr;
    char type[32];

    memset(pad, 'x', sizeof pad);
    assert_int_equal(tw__ingest_begin(&ev, w->ing, NULL), TW_OK);
    wr = tw_event_writer(ev);
    snprintf(type, sizeof type, "n%06d", w->next++);
    tw_json_put_object(wr);
    put_text(wr, "event_type", type);
    put_text(wr, "user_id", user);
    if (device != NULL)
        put_text(wr, "device_id", device);
    tw_json_put_key(wr, "event_properties", 16, -1, 0);
    tw_json_put_object(wr);
    for (; padding > 0; padding -= padding < sizeof pad ? padding : sizeof pad) {
        tw_json_put_key(wr, "p", 1, -1, 0);
        tw_json_put_string(wr, pad, padding < sizeof pad ? padding : sizeof pad, -1, 0);
    }
    tw_json_put_object_end(wr);
    tw_json_put_object_end(wr);
    assert_int_equal(tw_event_commit(ev, NULL), TW_OK);
}

static int of_user(const world *w, const char *user)
{
    char text[64];

    snprintf(text, sizeof text, "\"user_id\":\"%s\"", user);
    return in_body(w, text);
}

/* Numbers of the user's events in the request go up and are larger than `from`: the last. */
static int rising(const world *w, const char *user, int from)
{
    const char *at = w->gate.call->body;
    const char *last = at + w->gate.call->size - 60;
    char text[64];

    snprintf(text, sizeof text, "\"user_id\":\"%s\"", user);
    for (; at < last; at++) {
        int number;

        if (memcmp(at, "{\"event_type\":\"n", 16) != 0 ||
            memcmp(at + 24, text, strlen(text)) != 0)
            continue;
        number = (int)strtol(at + 16, NULL, 10);
        if (number <= from)
            fail_msg("%d came behind %d", number, from);
        from = number;
    }
    return from;
}

/* Damages the text of the record with this number, from 0, of the only segment. */
static void record_spoil(int number)
{
    DIR *list = opendir(folder);
    struct dirent *entry;
    uint32_t size;
    off_t at = 64;
    int fd = -1;

    assert_non_null(list);
    while ((entry = readdir(list)) != NULL) {
        if (strstr(entry->d_name, ".seg") != NULL)
            fd = openat(dirfd(list), entry->d_name, O_RDWR);
    }
    closedir(list);
    assert_true(fd >= 0);
    for (; number > 0; number--) {
        assert_int_equal(pread(fd, &size, sizeof size, at + 24), sizeof size);
        at += 36 + size;
    }
    assert_int_equal(pwrite(fd, "!", 1, at + 36), 1);
    close(fd);
}

/* Answers as a server does that throttles one user: what it holds of him is listed. */
static void serve_all_but(world *w, const char *user, const char *list)
{
    static char body[65536];
    const char *at = w->gate.call->body;
    const char *stop = at + w->gate.call->size - 60;
    char text[64];
    size_t size;
    int index = 0;
    int any = 0;

    snprintf(text, sizeof text, "\"user_id\":\"%s\"", user);
    size =
        (size_t)snprintf(body, sizeof body,
                         "{\"code\":429,\"error\":\"Too many requests\",\"%s\":{\"%s\":"
                         "500001},\"throttled_events\":[",
                         list, user);
    for (; at < stop; at++) {
        if (memcmp(at, "{\"event_type\":\"n", 16) != 0)
            continue;
        if (memcmp(at + 24, text, strlen(text)) == 0) {
            size += (size_t)snprintf(body + size, sizeof body - size, "%s%d",
                                     any ? "," : "", index);
            any = 1;
        }
        index++;
    }
    if (!any) {
        answer_ok(w);
        return;
    }
    snprintf(body + size, sizeof body - size, "]}");
    answer(w, 429, body);
}

/* 12 MiB of one user over his daily quota do not keep anybody else's events back. */
static void a_parked_user_takes_no_memory(void **state)
{
    world *w = *state;
    tw_stats now;
    int hour;
    int i;

    w->set.queue_bytes = 64 << 20; /* with a spool 8 MiB at most */
    start(w);
    for (i = 0; i < 1200; i++) {
        track_of(w, "user-full", NULL, 10000);
        if (i % 100 == 0)
            track_of(w, "user-calm", NULL, 10);
    }
    fake_run(&w->gate);
    while (w->gate.call != NULL)
        serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    advance(w, 5000);
    while (w->gate.call != NULL)
        serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    now = stats(w);
    assert_int_equal(now.stored, 12);
    assert_int_equal(now.waiting, 1200);
    assert_int_equal(w->ing->mem_events, 0);
    assert_int_equal(now.requests, 13); /* he cost one, and split the others */
    track_of(w, "user-calm", NULL, 10);
    advance(w, 5000);
    assert_int_equal(of_user(w, "user-calm"), 1);
    answer_ok(w);
    for (hour = 0; hour < 3; hour++) {
        uint64_t requests = stats(w).requests;

        advance(w, 3600000);
        assert_non_null(w->gate.call);
        while (w->gate.call != NULL)
            serve_all_but(w, "user-full", "exceeded_daily_quota_users");
        assert_int_equal(stats(w).requests, requests + 1);
    }
    assert_int_equal(stats(w).waiting, 1200);
}

static void what_was_parked_comes_back_in_order(void **state)
{
    world *w = *state;
    int last = -1;
    int i;

    w->set.queue_events = 100;
    w->set.batch_events = 30;
    start(w);
    for (i = 0; i < 500; i++)
        track_of(w, i % 3 == 0 ? "user-calm" : "user-quick", NULL, 10);
    fake_run(&w->gate);
    while (w->gate.call != NULL)
        serve_all_but(w, "user-quick", "throttled_users");
    while (stats(w).stored < 167) {
        advance(w, 5000);
        while (w->gate.call != NULL)
            serve_all_but(w, "user-quick", "throttled_users");
    }
    /* New ones line up behind what waits. */
    for (i = 0; i < 50; i++)
        track_of(w, "user-quick", NULL, 10);
    while (stats(w).waiting != 0) {
        advance(w, 5000);
        while (w->gate.call != NULL) {
            last = rising(w, "user-quick", last);
            assert_true(w->ing->mem_events <= 130);
            answer_ok(w);
        }
    }
    expect(w, 550, 0, 0);
    assert_int_equal(last, 549);
}

static void two_lanes_open_at_different_times(void **state)
{
    world *w = *state;
    int i;

    start(w);
    for (i = 0; i < 30; i++)
        track_of(w, i % 2 == 0 ? "user-quick" : "user-full", NULL, 10);
    advance(w, 5000);
    serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    serve_all_but(w, "user-quick", "throttled_users");
    assert_null(w->gate.call);
    advance(w, 30000);
    assert_int_equal(of_user(w, "user-quick"), 15);
    assert_int_equal(of_user(w, "user-full"), 0);
    (void)rising(w, "user-quick", -1);
    answer_ok(w);
    advance(w, 3600000);
    assert_int_equal(of_user(w, "user-full"), 15);
    (void)rising(w, "user-full", -1);
    answer_ok(w);
    expect(w, 30, 0, 0);
}

static void what_is_parked_waits_for_the_next_process(void **state)
{
    world *w = *state;
    int i;

    start(w);
    for (i = 0; i < 10; i++)
        track_of(w, "user-full", NULL, 10);
    advance(w, 5000);
    serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    world_end(w);
    spool_start(w);
    assert_int_equal(of_user(w, "user-full"), 10);
    /* Now they are another process's, and are parked as well. */
    serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    assert_int_equal(stats(w).waiting, 10);
    assert_int_equal(w->ing->mem_events, 0);
    track_of(w, "user-full", NULL, 10); /* this one, too */
    advance(w, 5000);
    assert_null(w->gate.call);
    advance(w, 3600000);
    assert_int_equal(of_user(w, "user-full"), 11);
    answer_ok(w);
    expect(w, 11, 0, 0);
}

static void a_flush_waits_for_what_is_parked(void **state)
{
    world *w = *state;
    tw_job *job;

    start(w);
    track_of(w, "user-quick", NULL, 10);
    track_of(w, "user-calm", NULL, 10);
    job = flush(w);
    serve_all_but(w, "user-quick", "throttled_users");
    answer_ok(w);
    assert_false(job->finished);
    advance(w, 30000);
    answer_ok(w);
    assert_true(job->finished);
    fake_job_unref(job);
}

static void what_is_parked_is_dropped_first(void **state)
{
    world *w = *state;
    tw_stats now;
    int i;

    w->set.on_full = TW_FULL_DROP_OLDEST;
    w->set.spool_bytes = 200000;
    start(w);
    for (i = 0; i < 100; i++)
        track_of(w, "user-full", NULL, 1000);
    advance(w, 5000);
    serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    for (i = 0; i < 120; i++)
        track_of(w, "user-calm", NULL, 1000);
    now = stats(w);
    assert_true(now.dropped > 0 && now.dropped <= 100);
    advance(w, 5000);
    while (w->gate.call != NULL)
        serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    assert_int_equal(stats(w).stored, 120);
    balanced(w);
}

/* Somebody removes the file, which is still open: it is read all the same. */
static void what_is_parked_is_read_without_a_name(void **state)
{
    world *w = *state;
    struct dirent *entry;
    int removed = 0;
    DIR *list;
    int i;

    w->set.durable = 1;
    start(w);
    for (i = 0; i < 10; i++)
        track_of(w, "user-quick", NULL, 10);
    advance(w, 5000);
    serve_all_but(w, "user-quick", "throttled_users");
    assert_int_equal(w->ing->mem_events, 0);
    list = opendir(folder);
    assert_non_null(list);
    while ((entry = readdir(list)) != NULL) {
        if (strstr(entry->d_name, ".seg") != NULL)
            removed += unlinkat(dirfd(list), entry->d_name, 0) == 0;
    }
    closedir(list);
    assert_int_equal(removed, 1);
    advance(w, 30000);
    assert_non_null(w->gate.call);
    assert_int_equal(of_user(w, "user-quick"), 10);
    answer_ok(w);
    expect(w, 10, 0, 0);
    assert_int_equal(stats(w).lost, 0);
}

/* However long his lane is shut: what became too old ends, what did not goes on waiting. */
static void what_is_parked_ends_at_max_age(void **state)
{
    world *w = *state;
    tw_stats now;
    tw_job *job;
    int i;

    w->set.max_age_ms = 600000;
    start(w);
    for (i = 0; i < 3000; i++) /* more than a batch holds */
        track_of(w, i % 100 == 0 ? "user-calm" : "user-full", NULL, 10);
    fake_run(&w->gate);
    while (w->gate.call != NULL)
        serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    advance(w, 5000);
    while (w->gate.call != NULL)
        serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    job = flush(w);
    advance(w, 295000);
    for (i = 0; i < 10; i++)
        track_of(w, "user-full", NULL, 10);
    advance(w, 300000);
    assert_int_equal(stats(w).expired, 0);
    assert_false(job->finished);
    advance(w, 1);
    assert_null(w->gate.call);
    now = stats(w);
    assert_int_equal(now.expired, 2970);
    assert_int_equal(now.waiting, 10);
    assert_int_equal(w->ing->mem_events, 0);
    assert_true(job->finished);
    fake_job_unref(job);
    balanced(w);
    advance(w, 299999);
    assert_int_equal(stats(w).waiting, 10);
    advance(w, 1);
    expect(w, 30, 0, 0);
    assert_int_equal(stats(w).expired, 2980);
    advance(w, 3600000); /* the lane opens, and nothing is left */
    assert_null(w->gate.call);
    track_of(w, "user-full", NULL, 10);
    advance(w, 5000);
    assert_int_equal(of_user(w, "user-full"), 1);
    answer_ok(w);
    expect(w, 31, 0, 0);
}

/* Also when it has gone and others stay, in this process's lane or in another's. */
static void the_oldest_of_what_is_parked_is_told(void **state)
{
    world *w = *state;
    int i;

    start(w);
    for (i = 0; i < 5; i++)
        track_of(w, "user-quick", NULL, 10);
    advance(w, 5000);
    serve_all_but(w, "user-quick", "throttled_users");
    for (i = 0; i < 5; i++) {
        advance(w, 1000);
        track_of(w, "user-full", NULL, 10);
    }
    advance(w, 5000);
    serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    assert_null(w->gate.call);
    assert_int_equal(w->ing->parked, 10);
    assert_int_equal(stats(w).oldest_ms, 15000);
    advance(w, 20000);
    assert_int_equal(stats(w).oldest_ms, 35000); /* on the wire */
    answer_ok(w);
    assert_int_equal(w->ing->parked, 5);
    assert_int_equal(stats(w).oldest_ms, 29000);
    world_end(w);
    advance(w, 1000);
    spool_start(w);
    track_of(w, "user-full", NULL, 10);
    serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    advance(w, 5000);
    assert_null(w->gate.call);
    assert_int_equal(w->ing->parked, 6);
    assert_int_equal(stats(w).oldest_ms, 35000);
    /* In one batch, in which the younger one of this process comes first. */
    advance(w, 3600000 - 5000);
    assert_int_equal(stats(w).oldest_ms, 3630000);
    answer_all_ok(w);
    assert_int_equal(w->ing->parked, 0);
    assert_int_equal(stats(w).oldest_ms, 0);
}

static void the_oldest_is_told_after_some_were_dropped(void **state)
{
    world *w = *state;
    int i;

    w->set.spool_bytes = 200000;
    w->set.on_full = TW_FULL_DROP_OLDEST;
    start(w);
    for (i = 0; i < 100; i++) {
        track_of(w, "user-full", NULL, 1000);
        advance(w, 10);
    }
    advance(w, 5000);
    serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    assert_int_equal(w->ing->parked, 100);
    assert_int_equal(stats(w).oldest_ms, 6000);
    while (stats(w).dropped == 0)
        track_of(w, "user-calm", NULL, 1000);
    assert_int_equal(w->ing->parked, 100 - stats(w).dropped);
    assert_int_equal(stats(w).oldest_ms, 6000 - 10 * stats(w).dropped);
    answer_all_ok(w);
}

static void the_oldest_is_told_beside_lost_ones(void **state)
{
    world *w = *state;
    int i;

    start(w);
    track_of(w, "user-quick", NULL, 10);
    track_of(w, "user-full", NULL, 10);
    advance(w, 5000);
    serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    serve_all_but(w, "user-quick", "throttled_users");
    for (i = 0; i < 5; i++)
        track_of(w, "user-full", NULL, 10);
    advance(w, 5000);
    assert_int_equal(w->ing->parked, 7);
    record_spoil(1);
    advance(w, 25000);
    assert_int_equal(stats(w).oldest_ms, 35000);
    answer_all_ok(w);
    assert_int_equal(w->ing->parked, 6);
    assert_int_equal(stats(w).oldest_ms, 30000);
    for (i = 2; i < 7; i++)
        record_spoil(i);
    advance(w, 3600000);
    assert_int_equal(stats(w).lost, 6);
    assert_int_equal(stats(w).oldest_ms, 0);
}

/* The next process takes them over, and parks them as well. */
static void what_another_left_parked_ends_at_max_age(void **state)
{
    world *w = *state;
    int i;

    w->set.max_age_ms = 600000;
    start(w);
    for (i = 0; i < 10; i++)
        track_of(w, "user-full", NULL, 10);
    advance(w, 5000);
    serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    world_end(w);
    spool_start(w);
    serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    track_of(w, "user-full", NULL, 10);
    advance(w, 5000);
    advance(w, 600001 - 5000);
    assert_null(w->gate.call);
    assert_int_equal(stats(w).waiting, 0);
    assert_int_equal(stats(w).expired, 11);
    balanced(w);
}

/* The spool knows what is parked before the queue has counted it. */
static void nobody_drops_what_is_not_counted_yet(void **state)
{
    world *w = *state;
    int i;

    start(w);
    for (i = 0; i < 100; i++)
        track_of(w, "user-full", NULL, 10);
    advance(w, 5000);
    watched = w->ing;
    chances = 0;
    serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    watched = NULL;
    assert_int_equal(w->ing->parked, 100);
    assert_int_equal(chances, 0);
}

static void a_record_that_the_disk_lost_is_counted(void **state)
{
    world *w = *state;
    tw_job *job;
    int i;

    start(w);
    for (i = 0; i < 5; i++)
        track_of(w, "user-quick", NULL, 10);
    job = flush(w);
    serve_all_but(w, "user-quick", "throttled_users");
    assert_null(w->gate.call);
    for (i = 0; i < 5; i++)
        record_spoil(i);
    advance(w, 30000);
    assert_null(w->gate.call);
    assert_int_equal(stats(w).lost, 5);
    assert_int_equal(stats(w).waiting, 0);
    balanced(w);
    assert_true(job->finished);
    fake_job_unref(job);
}

/* Requests until the event of that user was in one. */
static int requests_until(world *w, const char *user)
{
    int count = 1;

    for (; w->gate.call != NULL && of_user(w, user) == 0; count++)
        answer_ok(w);
    assert_non_null(w->gate.call);
    return count;
}

/* Thousands of his events may go at once: those of others are not behind them all. */
static void whoever_is_let_go_keeps_no_other_waiting(void **state)
{
    world *w = *state;
    int i;

    start(w);
    for (i = 0; i < 20000; i++)
        track_of(w, "user-quick", NULL, 10);
    fake_run(&w->gate);
    while (w->gate.call != NULL)
        serve_all_but(w, "user-quick", "throttled_users");
    advance(w, 25000);
    while (w->gate.call != NULL)
        serve_all_but(w, "user-quick", "throttled_users");
    assert_int_equal(w->ing->parked, 20000);
    track_of(w, "user-calm", NULL, 10);
    track_of(w, "user-quick", NULL, 10);
    advance(w, 30000);
    assert_in_range(requests_until(w, "user-calm"), 1, 2);
    track_of(w, "user-calm", NULL, 10);
    answer_ok(w);
    advance(w, 5000);
    assert_in_range(requests_until(w, "user-calm"), 1, 3);
    while (stats(w).waiting != 0) {
        answer_all_ok(w);
        advance(w, 5000);
    }
    expect(w, 20003, 0, 0);
}

/* The same where another process left them: their numbers are larger than those of new ones. */
static void what_is_parked_behind_a_sweep_is_not_forgotten(void **state)
{
    world *w = *state;
    int i;

    start(w);
    for (i = 0; i < 9000; i++)
        track_of(w, "user-quick", NULL, 10);
    world_end(w);
    spool_start(w);
    while (w->gate.call != NULL)
        serve_all_but(w, "user-quick", "throttled_users");
    assert_int_equal(w->ing->parked, 9000);
    advance(w, 30000);
    assert_true(of_user(w, "user-quick") > 1000);
    track_of(w, "user-quick", NULL, 10);
    track_of(w, "user-calm", NULL, 10);
    advance(w, 5000);
    answer_ok(w);
    assert_in_range(requests_until(w, "user-calm"), 1, 2);
    for (i = 0; i < 40 && stats(w).waiting != 0; i++) {
        answer_all_ok(w);
        advance(w, 5000);
    }
    expect(w, 9002, 0, 0);
}

static tw_spool_sys flawed; /* cannot read files with this in their names: */
static const char *unreadable;

static int flawed_open(void *ctx, int dir, const char *name, int flags)
{
    if (unreadable != NULL && (flags & O_ACCMODE) == O_RDONLY &&
        strstr(name, unreadable) != NULL)
        return -EIO;
    return tw__spool_system.open(ctx, dir, name, flags);
}

/* The first of several segments cannot be read back. */
static void flawed_start(world *w)
{
    flawed = tw__spool_system;
    flawed.open = flawed_open;
    w->set.spool_sys = &flawed;
    w->set.spool_bytes = 200000; /* four segments */
    start(w);
    unreadable = "-000000000001.seg";
}

/* A bad sector keeps its own records waiting, nobody else's, and not for ever. */
static void what_cannot_be_read_keeps_no_other_waiting(void **state)
{
    world *w = *state;
    tw_job *job;
    int i;

    flawed_start(w);
    for (i = 0; i < 100; i++)
        track_of(w, i < 50 ? "user-full" : "user-quick", NULL, 1000);
    job = flush(w);
    while (w->gate.call != NULL) {
        serve_all_but(w, "user-quick", "throttled_users");
        if (w->gate.call != NULL)
            serve_all_but(w, "user-full", "throttled_users");
    }
    assert_int_equal(w->ing->parked, 100);
    advance(w, 30000);
    answer_all_ok(w);
    assert_int_equal(stats(w).waiting, w->ing->parked);
    assert_in_range(w->ing->parked, 30, 50); /* in the first segment */
    assert_int_equal(stats(w).lost, 0);
    track_of(w, "user-calm", NULL, 10);
    track_of(w, "user-quick", NULL, 10);
    for (i = 0; i < 5; i++) {
        advance(w, 1000);
        answer_all_ok(w);
    }
    assert_int_equal(stats(w).waiting, w->ing->parked); /* both, too */
    assert_false(job->finished);
    unreadable = NULL;
    advance(w, 1000);
    answer_all_ok(w);
    assert_true(job->finished);
    fake_job_unref(job);
    expect(w, 102, 0, 0);
    balanced(w);
}

static void what_cannot_be_read_outlives_max_age_alone(void **state)
{
    world *w = *state;
    uint64_t left;
    int i;

    w->set.max_age_ms = 600000;
    flawed_start(w);
    for (i = 0; i < 100; i++)
        track_of(w, "user-full", NULL, 1000);
    advance(w, 5000);
    while (w->gate.call != NULL)
        serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    advance(w, 600000);
    left = stats(w).waiting;
    assert_in_range(left, 30, 50);
    assert_int_equal(stats(w).expired, 100 - left);
    unreadable = NULL;
    advance(w, 1000);
    assert_int_equal(stats(w).expired, 100);
    balanced(w);
}

/* Nor does it keep a full spool from making room. */
static void what_cannot_be_read_is_not_dropped_first(void **state)
{
    world *w = *state;
    int i;

    w->set.on_full = TW_FULL_DROP_OLDEST;
    flawed_start(w);
    for (i = 0; i < 150; i++)
        track_of(w, "user-full", NULL, 1000);
    advance(w, 5000);
    while (w->gate.call != NULL)
        serve_all_but(w, "user-full", "exceeded_daily_quota_users");
    assert_int_equal(w->ing->parked, 150);
    for (i = 0; i < 100; i++)
        track_of(w, "user-full", NULL, 1000);
    unreadable = NULL;
    assert_in_range(stats(w).dropped, 50, 110);
    balanced(w);
}

/* Whoever was too fast is not let go all at once: else he is too fast again. */
static void what_was_held_goes_in_steps(void **state)
{
    world *w = *state;
    int i;

    w->set.use_batch = TW_BATCH_NEVER;
    w->set.batch_events = 500;
    start(w);
    for (i = 0; i < 3000; i++)
        track_of(w, "user-quick", NULL, 10);
    fake_run(&w->gate);
    serve_all_but(w, "user-quick", "throttled_users");
    assert_null(w->gate.call);
    advance(w, 30000);
    answer_all_ok(w);
    assert_int_equal(stats(w).stored, 900); /* 30 a second for 30 s */
    advance(w, 29999);
    assert_null(w->gate.call);
    advance(w, 1);
    serve_all_but(w, "user-quick", "throttled_users");
    assert_null(w->gate.call);
    advance(w, 30000);
    answer_all_ok(w);
    assert_int_equal(stats(w).stored, 1350); /* too fast again: half as many */
    advance(w, 30000);
    answer_all_ok(w);
    assert_int_equal(stats(w).stored, 2250); /* no complaint: twice as many */
    advance(w, 30000);
    answer_all_ok(w);
    expect(w, 3000, 0, 0);
    /* Calm for a period: then nothing is counted any more. */
    advance(w, 30000);
    for (i = 0; i < 2000; i++)
        track_of(w, "user-quick", NULL, 10);
    advance(w, 5000);
    answer_all_ok(w);
    expect(w, 5000, 0, 0);
    assert_int_equal(w->ing->hold_count, 0);
}

static int opened; /* files of records, to be read */

static int counting_open(void *ctx, int dir, const char *name, int flags)
{
    opened += (flags & O_ACCMODE) == O_RDONLY && strstr(name, ".seg") != NULL;
    return tw__spool_system.open(ctx, dir, name, flags);
}

/* To find what may go, and to know how old what stays is. */
static void a_step_reads_a_file_once(void **state)
{
    world *w = *state;
    tw_spool_sys sys = tw__spool_system;
    int i;

    sys.open = counting_open;
    w->set.spool_sys = &sys;
    w->set.use_batch = TW_BATCH_NEVER;
    start(w);
    for (i = 0; i < 3000; i++)
        track_of(w, "user-quick", NULL, 10);
    fake_run(&w->gate);
    serve_all_but(w, "user-quick", "throttled_users");
    for (i = 0; i < 3; i++) {
        opened = 0;
        advance(w, 30000);
        assert_int_equal(opened, 1);
        answer_all_ok(w);
        assert_int_equal(opened, 1);
        assert_int_equal(w->ing->parked, 3000 - 900 * (i + 1));
    }
    world_end(w);
}

static void steps_hold_in_memory_too(void **state)
{
    world *w = *state;
    int last = -1;
    int i;

    w->set.spool = NULL;
    w->set.use_batch = TW_BATCH_NEVER;
    w->set.batch_events = 500;
    start(w);
    for (i = 0; i < 2000; i++)
        track_of(w, "user-quick", NULL, 10);
    fake_run(&w->gate);
    serve_all_but(w, "user-quick", "throttled_users");
    assert_null(w->gate.call);
    for (i = 1; i <= 2; i++) {
        advance(w, 30000);
        while (w->gate.call != NULL) {
            last = rising(w, "user-quick", last);
            answer_ok(w);
        }
        assert_int_equal(stats(w).stored, i == 1 ? 900 : 1800);
    }
    advance(w, 30000);
    answer_all_ok(w);
    expect(w, 2000, 0, 0);
}

#define disk_test(name) cmocka_unit_test_setup_teardown(name, disk_setup, disk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        disk_test(a_parked_user_takes_no_memory),
        disk_test(what_was_parked_comes_back_in_order),
        disk_test(two_lanes_open_at_different_times),
        disk_test(what_is_parked_waits_for_the_next_process),
        disk_test(a_flush_waits_for_what_is_parked),
        disk_test(what_is_parked_is_dropped_first),
        disk_test(what_is_parked_is_read_without_a_name),
        disk_test(what_is_parked_ends_at_max_age),
        disk_test(what_another_left_parked_ends_at_max_age),
        disk_test(the_oldest_of_what_is_parked_is_told),
        disk_test(the_oldest_is_told_after_some_were_dropped),
        disk_test(the_oldest_is_told_beside_lost_ones),
        disk_test(nobody_drops_what_is_not_counted_yet),
        disk_test(a_record_that_the_disk_lost_is_counted),
        disk_test(whoever_is_let_go_keeps_no_other_waiting),
        disk_test(what_is_parked_behind_a_sweep_is_not_forgotten),
        disk_test(what_cannot_be_read_keeps_no_other_waiting),
        disk_test(what_cannot_be_read_outlives_max_age_alone),
        disk_test(what_cannot_be_read_is_not_dropped_first),
        disk_test(what_was_held_goes_in_steps),
        disk_test(a_step_reads_a_file_once),
        disk_test(steps_hold_in_memory_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
