/* SPDX-License-Identifier: MIT */
/* The spool on a real disk: round trips, processes, limits, threads, refusals. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "spool_ledger.h"

enum { SEGMENT = 4096 };

typedef struct world {
    char base[64];
    char path[80];
    tw_spool_settings settings;
    ledger led;
    tw_spool_sys sys; /* where a test wants its own */
} world;

static void folder_clear(const char *path)
{
    DIR *list = opendir(path);
    struct dirent *entry;

    while (list != NULL && (entry = readdir(list)) != NULL)
        (void)unlinkat(dirfd(list), entry->d_name, 0);
    if (list != NULL)
        closedir(list);
    (void)rmdir(path);
}

/* Names in the folder that contain `part`. */
static unsigned folder_count(const char *path, const char *part)
{
    DIR *list = opendir(path);
    struct dirent *entry;
    unsigned count = 0;

    assert_non_null(list);
    while ((entry = readdir(list)) != NULL)
        count += entry->d_name[0] != '.' && strstr(entry->d_name, part) != NULL;
    closedir(list);
    return count;
}

static int world_begin(void **state)
{
    world *w = test_calloc(1, sizeof *w);

    w->sys = tw__spool_system;
    snprintf(w->base, sizeof w->base, "/tmp/tw-spool-XXXXXX");
    assert_non_null(mkdtemp(w->base));
    snprintf(w->path, sizeof w->path, "%s/spool", w->base);
    w->settings = (tw_spool_settings){
        w->path, "project-number-1", 1, 1 << 24, SEGMENT, NULL, NULL, NULL};
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    world *w = *state;

    folder_clear(w->path);
    folder_clear(w->base);
    test_free(w);
    return 0;
}

static tw_spool *open_ok(world *w)
{
    tw_error *err = NULL;
    tw_spool *sp;

    if (tw__spool_open(&sp, &w->settings, &err) != TW_OK)
        fail_msg("%s", tw_error_message(err));
    return sp;
}

/* Reads all; nothing may be missing, twice, or acknowledged. */
static void read_check(world *w, tw_spool *sp)
{
    size_t i;

    w->led.unknown = 0;
    (void)ledger_read(&w->led, sp, 0, NULL);
    assert_int_equal(w->led.unknown, 0);
    for (i = 0; i < w->led.count; i++)
        assert_int_equal(w->led.entries[i].seen, w->led.entries[i].accepted != NEVER &&
                                                     w->led.entries[i].acked == NEVER);
}

static void test_what_is_not_acknowledged_comes_back(void **state)
{
    world *w = *state;
    tw_spool_item item;
    tw_spool_stats stats;
    struct stat st;
    size_t i;

    w->led.sp = open_ok(w);
    assert_int_equal(tw__spool_next(&item, w->led.sp, NULL), TW_DONE);
    for (i = 0; i < 200; i++)
        assert_int_equal(ledger_append(&w->led, 1 + i % 5), TW_OK);
    assert_true(folder_count(w->path, ".seg") > 10);
    ledger_ack(&w->led, 3, 100);
    ledger_ack(&w->led, 3, 100); /* twice does nothing */
    ledger_sent(&w->led, 110, 7, 12345);
    ledger_sent(&w->led, 112, 40, 99999); /* the first time counts */
    assert_int_equal(stat(w->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    tw__spool_free(w->led.sp);

    w->led.sp = open_ok(w);
    tw__spool_stats(w->led.sp, &stats);
    assert_int_equal(stats.lanes, 1);
    for (i = 0; i < w->led.count; i++)
        w->led.entries[i].sent_ms = i >= 110 && i < 117   ? 12345
                                    : i >= 117 && i < 152 ? 99999
                                                          : -1;
    i = 0;
    assert_int_equal(ledger_read(&w->led, w->led.sp, NEVER, &i), w->led.count - 100);
    assert_int_equal(i, 0);
    tw__spool_stats(w->led.sp, &stats);
    assert_int_equal(stats.lost + stats.torn + stats.quarantined + stats.unreadable, 0);
    assert_int_equal(stats.waiting, w->led.count - 100);
    for (i = 0; i + 200 <= w->led.count; i += 200)
        ledger_ack(&w->led, i, 200);
    ledger_ack(&w->led, i, w->led.count - i);
    tw__spool_stats(w->led.sp, &stats);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.bytes, 0);
    tw__spool_free(w->led.sp);
    assert_int_equal(folder_count(w->path, ""), 0);
}

static void test_files_are_private(void **state)
{
    world *w = *state;
    mode_t before = umask(0);
    struct dirent *entry;
    struct stat st;
    DIR *list;

    w->led.sp = open_ok(w);
    umask(before);
    assert_int_equal(ledger_append(&w->led, 2), TW_OK);
    list = opendir(w->path);
    while ((entry = readdir(list)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        assert_int_equal(fstatat(dirfd(list), entry->d_name, &st, 0), 0);
        assert_int_equal(st.st_mode & 0177, 0);
    }
    closedir(list);
    tw__spool_free(w->led.sp);
}

static void refused(const tw_spool_settings *settings, const char *why)
{
    tw_error *err = NULL;
    tw_spool *sp;

    assert_int_equal(tw__spool_open(&sp, settings, &err), TW_E_CONFIG);
    assert_null(sp);
    assert_string_equal(tw_error_field(err), "spool");
    if (strstr(tw_error_message(err), why) == NULL)
        fail_msg("%s", tw_error_message(err));
    tw_error_free(err);
}

static void test_unsafe_folders_are_refused(void **state)
{
    world *w = *state;
    char other[96];
    sim_disk *disk = sim_new();

    w->sys = sim_sys(disk);
    snprintf(other, sizeof other, "%s/other", w->base);
    assert_int_equal(mkdir(other, 0700), 0);
    assert_int_equal(symlink(other, w->path), 0);
    refused(&w->settings, "link");
    assert_int_equal(unlink(w->path), 0);
    assert_int_equal(rmdir(other), 0);
    assert_int_equal(mkdir(w->path, 0700), 0);
    assert_int_equal(chmod(w->path, 0707), 0);
    refused(&w->settings, "writable");
    assert_int_equal(chmod(w->path, 0720), 0);
    refused(&w->settings, "writable");
    assert_int_equal(rmdir(w->path), 0);
    close(open(w->path, O_CREAT | O_WRONLY, 0600));
    refused(&w->settings, "no folder");
    assert_int_equal(unlink(w->path), 0);

    w->settings.sys = &w->sys;
    disk->owner = (unsigned)geteuid() + 1;
    refused(&w->settings, "another user");
    disk->owner = (unsigned)geteuid();
    disk->lock_why = ENOLCK;
    refused(&w->settings, "without locks");
    assert_int_equal(disk->name_count, 0);
    sim_free(disk);
}

/* A path that the system refuses is an error that says so; one that is only odd is none. */
static void test_odd_names_of_folders(void **state)
{
    world *w = *state;
    char name[700];
    size_t base = strlen(w->base);

    memset(name, 'x', sizeof name);
    memcpy(name, w->base, base);
    name[base] = '/';
    name[base + 1 + 256] = '\0'; /* one more than a name may have */
    w->settings.path = name;
    refused(&w->settings, "too long");
    assert_int_equal(folder_count(w->base, ""), 0);
    snprintf(w->path, sizeof w->path, "%s/a\nspool", w->base);
    w->settings.path = w->path;
    w->led.sp = open_ok(w);
    assert_int_equal(ledger_append(&w->led, 1), TW_OK);
    tw__spool_free(w->led.sp);
    w->led.sp = open_ok(w);
    read_check(w, w->led.sp);
    ledger_ack(&w->led, 0, 1);
    tw__spool_free(w->led.sp);
    assert_int_equal(folder_count(w->path, ""), 0);
}

static void test_a_file_made_ahead_becomes_the_next_segment(void **state)
{
    world *w = *state;
    ledger *led = &w->led;
    int durable;

    for (durable = 0; durable < 2; durable++) {
        w->settings.durable = durable;
        memset(led, 0, sizeof *led);
        assert_int_equal(tw__spool_open(&led->sp, &w->settings, NULL), TW_OK);
        tw__spool_prepare(led->sp); /* nothing was written yet: not due */
        assert_int_equal(folder_count(w->path, ".tmp"), 0);
        while (folder_count(w->path, ".tmp") == 0) {
            assert_int_equal(ledger_append(led, 1), TW_OK);
            tw__spool_prepare(led->sp);
        }
        assert_int_equal(folder_count(w->path, ".seg"), 1);
        while (folder_count(w->path, ".tmp") == 1)
            assert_int_equal(ledger_append(led, 1), TW_OK);
        assert_int_equal(folder_count(w->path, ".seg"), 2);
        while (folder_count(w->path, ".tmp") == 0) {
            assert_int_equal(ledger_append(led, 1), TW_OK);
            tw__spool_prepare(led->sp);
        }
        tw__spool_free(led->sp);
        assert_int_equal(folder_count(w->path, ".tmp"), 0);
        assert_int_equal(tw__spool_open(&led->sp, &w->settings, NULL), TW_OK);
        assert_int_equal(ledger_read(led, led->sp, 0, NULL), led->count);
        assert_int_equal(ledger_broken(led, 1, 1), 0);
        ledger_ack(led, 0, led->count);
        tw__spool_free(led->sp);
        led->sp = NULL;
    }
}

static void test_limits(void **state)
{
    world *w = *state;
    char big[SEGMENT];
    tw_spool_text text = {big, sizeof big, NULL, 0};
    tw_error *err = NULL;
    uint64_t id;
    size_t before;
    int rc;

    w->settings.max_bytes = 3 * SEGMENT;
    w->led.sp = open_ok(w);
    memset(big, 'x', sizeof big);
    assert_int_equal(tw__spool_append(&id, w->led.sp, &text, 1, &err), TW_E_TOO_LARGE);
    tw_error_free(err);
    do {
        rc = ledger_append(&w->led, 1);
    } while (rc == TW_OK);
    assert_int_equal(rc, TW_AGAIN);
    before = w->led.count;
    assert_true(before > 30);
    ledger_ack(&w->led, 0, before);
    assert_int_equal(ledger_append(&w->led, 1), TW_OK);
    tw__spool_free(w->led.sp);
    w->led.sp = open_ok(w);
    read_check(w, w->led.sp);
    tw__spool_free(w->led.sp);
}

static void test_limit_of_file_sizes(void **state)
{
    world *w = *state;
    struct rlimit old;
    struct rlimit low;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = old;
    low.rlim_cur = 1000;
    w->led.sp = open_ok(w);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    while (ledger_append(&w->led, 1) == TW_OK)
        continue;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(w->led.count > 2);
    assert_int_equal(ledger_append(&w->led, 1), TW_OK);
    tw__spool_free(w->led.sp);
    w->led.sp = open_ok(w);
    read_check(w, w->led.sp);
    tw__spool_free(w->led.sp);
}

/* ---- what is set aside ----------------------------------------------------------------- */

static tw_spool_stats stats_of(tw_spool *sp)
{
    tw_spool_stats now;

    tw__spool_stats(sp, &now);
    return now;
}

static void set_aside(ledger *led, size_t number)
{
    assert_int_equal(tw__spool_set_aside(led->sp, &led->entries[number].id, 1, NULL),
                     TW_OK);
}

/* Until one segment more is there: the file that was written until then is full. */
static void turn_over(ledger *led)
{
    uint64_t segments = stats_of(led->sp).segments;

    while (stats_of(led->sp).segments == segments)
        assert_int_equal(ledger_append(led, 1), TW_OK);
}

static void test_what_only_records_set_aside_keep_is_told(void **state)
{
    world *w = *state;
    ledger *led = &w->led;
    uint64_t count;
    size_t i;

    led->sp = open_ok(w);
    assert_int_equal(ledger_append(led, 1), TW_OK);
    turn_over(led);
    turn_over(led);
    set_aside(led, 3);
    ledger_ack(led, 0, 3);
    ledger_ack(led, 5, led->count - 5);
    assert_int_equal(stats_of(led->sp).segments, 2);
    assert_int_equal(stats_of(led->sp).aside_bytes, 0); /* record 4 waits */
    set_aside(led, 4);
    set_aside(led, 4);
    assert_in_range(stats_of(led->sp).aside_bytes, SEGMENT / 2, SEGMENT);
    ledger_ack(led, 3, 1); /* whoever has it after all */
    assert_in_range(stats_of(led->sp).aside_bytes, SEGMENT / 2, SEGMENT);
    ledger_ack(led, 4, 1);
    assert_int_equal(stats_of(led->sp).segments, 1);
    assert_int_equal(stats_of(led->sp).aside_bytes, 0);
    /* Before its segment is full, and beside others. */
    i = led->count;
    assert_int_equal(ledger_append(led, 1), TW_OK);
    set_aside(led, i);
    assert_int_equal(stats_of(led->sp).aside_bytes, 0);
    turn_over(led);
    ledger_ack(led, i + 1, led->count - i - 1);
    assert_int_equal(stats_of(led->sp).segments, 2);
    assert_in_range(stats_of(led->sp).aside_bytes, SEGMENT / 2, SEGMENT);
    tw__spool_free(led->sp);
    led->sp = open_ok(w);
    assert_int_equal(stats_of(led->sp).aside_bytes, 0); /* not read yet */
    assert_int_equal(ledger_read(led, led->sp, 0, NULL), 0);
    assert_true(stats_of(led->sp).aside_bytes != 0);
    assert_int_equal(stats_of(led->sp).aside_bytes, stats_of(led->sp).bytes);
    assert_int_equal(tw__spool_revive(&count, led->sp, NULL), TW_OK);
    assert_int_equal(count, 1);
    assert_int_equal(stats_of(led->sp).aside_bytes, 0);
    assert_int_equal(ledger_read(led, led->sp, 0, NULL), 1);
    ledger_ack(led, i, 1);
    assert_int_equal(stats_of(led->sp).bytes, 0);
    tw__spool_free(led->sp);
}

static int failing_sync(void *ctx, int fd)
{
    int *left = ctx;

    return --*left == 0 ? -EIO : tw__spool_system.datasync(NULL, fd);
}

/* It was copied because the disk failed, and is smaller now. */
static void test_what_is_kept_so_is_weighed_again_when_copied(void **state)
{
    world *w = *state;
    ledger *led = &w->led;
    int left = -1;
    uint64_t before;

    w->sys.datasync = failing_sync;
    w->sys.ctx = &left;
    w->settings.sys = &w->sys;
    w->settings.durable = 0;
    led->sp = open_ok(w);
    assert_int_equal(ledger_append(led, 1), TW_OK);
    turn_over(led);
    set_aside(led, 0);
    ledger_ack(led, 1, led->count - 2);
    before = stats_of(led->sp).aside_bytes;
    assert_in_range(before, SEGMENT / 2, SEGMENT);
    left = 1;
    assert_int_not_equal(ledger_sync(led), TW_OK);
    assert_int_equal(stats_of(led->sp).rewritten, 1);
    assert_in_range(stats_of(led->sp).aside_bytes, 1, before / 4);
    ledger_ack(led, 0, 1);
    assert_int_equal(stats_of(led->sp).aside_bytes, 0);
    tw__spool_free(led->sp);
}

/* ---- processes ------------------------------------------------------------------------- */

/* Appends until it is killed and tells each acceptance. */
static void writer(const world *w, int tell)
{
    static ledger led;
    unsigned char one = 1;

    if (tw__spool_open(&led.sp, &w->settings, NULL) != TW_OK)
        _exit(1);
    while (led.count < LEDGER_MOST - 1) {
        if (ledger_append(&led, 1) != TW_OK || write(tell, &one, 1) != 1)
            _exit(1);
        if (led.count % 16 == 0)
            ledger_sent(&led, led.count - 16, 16, 5);
    }
    for (;;)
        pause();
}

static void test_killed_writers_lose_nothing(void **state)
{
    world *w = *state;
    int round;

    for (round = 0; round < 40; round++) {
        unsigned char told[LEDGER_MOST];
        ssize_t n;
        size_t accepted = 0;
        size_t i;
        int pipes[2];
        pid_t pid;

        w->settings.durable = round % 4 == 0;
        assert_int_equal(pipe(pipes), 0);
        pid = fork();
        if (pid == 0) {
            close(pipes[0]);
            writer(w, pipes[1]);
        }
        close(pipes[1]);
        while (accepted < (size_t)round * 7 + 1) {
            n = read(pipes[0], told, 1);
            assert_int_equal(n, 1);
            accepted++;
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        while ((n = read(pipes[0], told, sizeof told)) > 0)
            accepted += (size_t)n;
        close(pipes[0]);
        assert_int_equal(waitpid(pid, NULL, 0), pid);

        memset(&w->led, 0, sizeof w->led);
        for (i = 0; i <= accepted; i++) {
            w->led.entries[i] = (ledger_entry){.acked = NEVER, .ack_began = NEVER};
            w->led.entries[i].accepted = i < accepted ? 0 : NEVER;
        }
        w->led.count = accepted + 1; /* one may have been stored and not told */
        w->led.sp = open_ok(w);
        (void)ledger_read(&w->led, w->led.sp, 0, NULL);
        assert_int_equal(w->led.unknown, 0);
        for (i = 0; i < accepted; i++)
            assert_int_equal(w->led.entries[i].seen, 1);
        for (i = 0; i <= accepted; i++) {
            if (w->led.entries[i].seen)
                assert_int_equal(tw__spool_ack(w->led.sp, &w->led.entries[i].id, 1, NULL),
                                 TW_OK);
        }
        tw__spool_free(w->led.sp);
        assert_int_equal(folder_count(w->path, ""), 0);
    }
}

/* The gap between making a file and writing its head is too short for the kills above. */
static void test_a_segment_without_a_head_is_empty(void **state)
{
    world *w = *state;
    tw_spool_stats stats;
    char name[160];

    mkdir(w->path, 0700);
    snprintf(name, sizeof name,
             "%s/tw1-70726f6a6563742d-0123456789abcdef-000000000001.seg", w->path);
    close(open(name, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(truncate(name, SEGMENT), 0);
    w->led.sp = open_ok(w);
    read_check(w, w->led.sp);
    tw__spool_stats(w->led.sp, &stats);
    assert_int_equal(stats.lanes, 1);
    assert_int_equal(stats.lost + stats.torn + stats.quarantined, 0);
    tw__spool_free(w->led.sp);
    assert_int_equal(folder_count(w->path, ""), 0);
}

static void test_a_child_leaves_the_parent_alone(void **state)
{
    world *w = *state;
    tw_spool_item item;
    int status;
    pid_t pid;

    w->led.sp = open_ok(w);
    assert_int_equal(ledger_append(&w->led, 3), TW_OK);
    pid = fork();
    if (pid == 0) {
        tw_spool *own;
        int bad = ledger_append(&w->led, 1) != TW_E_FORKED;

        bad |= tw__spool_sync(w->led.sp, NULL) != TW_E_FORKED;
        tw__spool_free(w->led.sp);
        /* The parent lives: its lane is not adopted. */
        bad |= tw__spool_open(&own, &w->settings, NULL) != TW_OK;
        bad |= tw__spool_next(&item, own, NULL) != TW_DONE;
        tw__spool_free(own);
        _exit(bad);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(ledger_append(&w->led, 3), TW_OK);
    ledger_ack(&w->led, 0, 2);
    tw__spool_free(w->led.sp);
    w->led.sp = open_ok(w);
    read_check(w, w->led.sp);
    tw__spool_free(w->led.sp);
}

/* A child that lives on does not keep what its dead parent left from the next process. */
static void test_a_child_does_not_hold_its_dead_parents_lane(void **state)
{
    world *w = *state;
    int told[2], until[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(told), 0);
    assert_int_equal(pipe(until), 0);
    pid = fork();
    if (pid == 0) { /* the parent that dies */
        w->led.sp = open_ok(w);
        if (ledger_append(&w->led, 3) != TW_OK)
            _exit(1);
        if (fork() == 0) {
            close(until[1]);
            (void)!write(told[1], "", 1);
            _exit(read(until[0], &byte, 1) != 0);
        }
        (void)!read(told[0], &byte, 1); /* the child runs: it has closed what it got */
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    w->led.sp = open_ok(w);
    {
        tw_spool_item item;
        int i;

        for (i = 0; i < 3; i++)
            assert_int_equal(tw__spool_next(&item, w->led.sp, NULL), TW_OK);
    }
    tw__spool_free(w->led.sp);
    close(told[0]);
    close(told[1]);
    close(until[0]);
    close(until[1]); /* the child ends */
}

/* Eight processes want the same dead lanes: together they get each record once. */
static void test_lanes_are_adopted_once(void **state)
{
    enum { LANES = 6, TAKERS = 8, EACH = 50 };
    world *w = *state;
    unsigned seen[LANES * EACH] = {0};
    tw_spool *open[LANES];
    int pipes[2];
    size_t got = 0;
    int status;
    int i;

    for (i = 0; i < LANES; i++) { /* all at once: none adopts another */
        open[i] = w->led.sp = open_ok(w);
        while (w->led.count < (size_t)(i + 1) * EACH)
            assert_int_equal(ledger_append(&w->led, 1), TW_OK);
    }
    for (i = 0; i < LANES; i++)
        tw__spool_free(open[i]);
    assert_int_equal(pipe(pipes), 0);
    for (i = 0; i < TAKERS; i++) {
        if (fork() == 0) {
            tw_spool_item item;
            tw_spool *sp;
            int bad = tw__spool_open(&sp, &w->settings, NULL) != TW_OK;

            while (!bad && tw__spool_next(&item, sp, NULL) == TW_OK) {
                long number = ledger_number(&w->led, item.text, item.size);

                bad |= write(pipes[1], &number, sizeof number) != sizeof number;
                bad |= tw__spool_ack(sp, &item.id, 1, NULL) != TW_OK;
            }
            if (!bad)
                tw__spool_free(sp);
            _exit(bad);
        }
    }
    close(pipes[1]);
    for (;;) {
        long number;
        ssize_t n = read(pipes[0], &number, sizeof number);

        if (n == 0)
            break;
        assert_int_equal(n, sizeof number);
        assert_in_range(number, 0, LANES * EACH - 1);
        assert_int_equal(seen[number]++, 0);
        got++;
    }
    close(pipes[0]);
    for (i = 0; i < TAKERS; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(got, LANES * EACH);
    assert_int_equal(folder_count(w->path, ""), 0);
}

/* A process may look for the dead at any time, and leaves other projects alone. */
static void test_adoption_later_and_by_project(void **state)
{
    world *w = *state;
    tw_spool_settings other = w->settings;
    tw_spool *late = open_ok(w);
    tw_spool *stranger;
    tw_spool_item item;

    other.project[0] ^= 1;
    w->led.sp = open_ok(w);
    assert_int_equal(ledger_append(&w->led, 2), TW_OK);
    assert_int_equal(tw__spool_adopt(late, NULL), TW_OK);
    assert_int_equal(tw__spool_next(&item, late, NULL), TW_DONE);
    tw__spool_free(w->led.sp);
    assert_int_equal(tw__spool_open(&stranger, &other, NULL), TW_OK);
    assert_int_equal(tw__spool_next(&item, stranger, NULL), TW_DONE);
    tw__spool_free(stranger);
    assert_int_equal(tw__spool_adopt(late, NULL), TW_OK);
    read_check(w, late);
    tw__spool_free(late);
}

/* ---- threads --------------------------------------------------------------------------- */

static unsigned syncs;
static pthread_mutex_t syncs_lock = PTHREAD_MUTEX_INITIALIZER;

static int counting_sync(void *ctx, int fd)
{
    pthread_mutex_lock(&syncs_lock);
    syncs++;
    pthread_mutex_unlock(&syncs_lock);
    return tw__spool_system.datasync(ctx, fd);
}

enum { THREADS = 8, PER_THREAD = 300 };

typedef struct hand {
    pthread_t thread;
    tw_spool *sp;
    unsigned number;
    uint64_t ids[PER_THREAD];
    int bad;
} hand;

static void *hand_run(void *arg)
{
    hand *h = arg;
    char text[64];
    tw_spool_text piece = {text, 0, NULL, 0};
    int i;

    for (i = 0; i < PER_THREAD; i++) {
        piece.head_size = (size_t)snprintf(text, sizeof text, "%u %d", h->number, i);
        h->bad |= tw__spool_append(&h->ids[i], h->sp, &piece, 1, NULL) != TW_OK;
        if (i % 10 == 9)
            h->bad |= tw__spool_ack(h->sp, &h->ids[i - 9], 5, NULL) != TW_OK;
        if (i % 100 == 50)
            h->bad |= tw__spool_sync(h->sp, NULL) != TW_OK;
    }
    return NULL;
}

static void test_threads_share_syncs(void **state)
{
    world *w = *state;
    static hand hands[THREADS];
    unsigned char seen[THREADS][PER_THREAD] = {{0}};
    tw_spool_item item;
    tw_spool *sp;
    int durable;
    int i;
    int k;

    w->sys.datasync = counting_sync;
    w->settings.sys = &w->sys;
    for (durable = 0; durable < 2; durable++) {
        memset(seen, 0, sizeof seen);
        w->settings.durable = durable;
        sp = open_ok(w);
        syncs = 0;
        for (i = 0; i < THREADS; i++) {
            hands[i].sp = sp;
            hands[i].number = (unsigned)i;
            assert_int_equal(pthread_create(&hands[i].thread, NULL, hand_run, &hands[i]),
                             0);
        }
        for (i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(hands[i].thread, NULL), 0);
            assert_int_equal(hands[i].bad, 0);
        }
        if (durable)
            assert_in_range(syncs, 1, THREADS * PER_THREAD);
        tw__spool_free(sp);
        sp = open_ok(w);
        while (tw__spool_next(&item, sp, NULL) == TW_OK) {
            char text[64] = {0};
            unsigned number;

            memcpy(text, item.text, item.size < 63 ? item.size : 63);
            assert_int_equal(sscanf(text, "%u %d", &number, &k), 2);
            assert_int_equal(seen[number][k]++, 0);
            assert_int_equal(tw__spool_ack(sp, &item.id, 1, NULL), TW_OK);
        }
        for (i = 0; i < THREADS; i++) {
            for (k = 0; k < PER_THREAD; k++)
                assert_int_equal(seen[i][k], k % 10 >= 5);
        }
        tw__spool_free(sp);
    }
}

/* ---- memory and opening ---------------------------------------------------------------- */

static unsigned reads;

static ssize_t counting_read(void *ctx, int fd, void *bytes, size_t size, uint64_t at)
{
    reads++;
    return tw__spool_system.pread(ctx, fd, bytes, size, at);
}

static void test_opening_reads_no_record(void **state)
{
    world *w = *state;
    tw_spool_stats stats;

    w->settings.durable = 0;
    w->settings.segment_bytes = 600;
    w->led.sp = open_ok(w);
    while (w->led.count < 1000)
        assert_int_equal(ledger_append(&w->led, 1), TW_OK);
    tw__spool_free(w->led.sp);
    w->sys.pread = counting_read;
    w->settings.sys = &w->sys;
    reads = 0;
    w->led.sp = open_ok(w);
    assert_int_equal(reads, 0);
    tw__spool_stats(w->led.sp, &stats);
    assert_true(stats.segments > 200);
    read_check(w, w->led.sp);
    assert_true(reads > 200);
    tw__spool_free(w->led.sp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_not_acknowledged_comes_back,
                                        world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_files_are_private, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_unsafe_folders_are_refused, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(test_odd_names_of_folders, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(test_limits, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_a_file_made_ahead_becomes_the_next_segment,
                                        world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_limit_of_file_sizes, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_what_only_records_set_aside_keep_is_told,
                                        world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_what_is_kept_so_is_weighed_again_when_copied,
                                        world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_killed_writers_lose_nothing, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(test_a_segment_without_a_head_is_empty,
                                        world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_a_child_leaves_the_parent_alone, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(test_a_child_does_not_hold_its_dead_parents_lane,
                                        world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_lanes_are_adopted_once, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(test_adoption_later_and_by_project, world_begin,
                                        world_end),
        cmocka_unit_test_setup_teardown(test_threads_share_syncs, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_opening_reads_no_record, world_begin,
                                        world_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
