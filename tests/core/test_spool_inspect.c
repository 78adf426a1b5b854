/* SPDX-License-Identifier: MIT */
/* A spool folder seen without a client: counted, thrown away. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <tidewheel/client.h>
#include <tidewheel/spool.h>

#include "base/clock.h"
#include "ingest/spool_internal.h"
#include "spool_ledger.h"
#include "support/folder.h"

static int64_t wall;

static int64_t fixed(void *ctx)
{
    (void)ctx;
    return wall;
}

static const tw_clock clock_fixed = {fixed, fixed, NULL};

static int setup(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/tw-inspect-%ld", (long)getpid());
    folder_remove();
    *state = test_calloc(1, sizeof(ledger));
    wall = INT64_C(1767225600000);
    tw__clock_set(&clock_fixed);
    return 0;
}

static int teardown(void **state)
{
    ledger *led = *state;

    tw__spool_free(led->sp);
    test_free(led);
    folder_remove();
    tw__clock_set(NULL);
    return 0;
}

static tw_spool *spool(const char *project)
{
    tw_spool_settings settings = {
        .path = folder, .max_bytes = 1 << 24, .segment_bytes = 2048};
    tw_spool *sp = NULL;

    memcpy(settings.project, project, 16);
    assert_int_equal(tw__spool_open(&sp, &settings, NULL), TW_OK);
    return sp;
}

/* The number behind `key` in the whole's part of the report, or in that of the first project. */
static long number(const char *key, int whole)
{
    char quoted[64];
    char *text = NULL;
    const char *at;
    long value;

    assert_int_equal(tw_spool_inspect(&text, folder, NULL), TW_OK);
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    at = whole ? strstr(text, "}],") : text;
    at = strstr(at != NULL ? at : text, quoted);
    assert_non_null(at);
    value = at[strlen(quoted)] == 'n' ? -1 : strtol(at + strlen(quoted), NULL, 10);
    tw_text_free(text);
    return value;
}

static void an_empty_folder_holds_nothing(void **state)
{
    tw_error *err = NULL;
    char *text;

    (void)state;
    assert_int_equal(tw_spool_inspect(&text, folder, &err), TW_E_CONFIG);
    assert_null(text);
    assert_string_equal(tw_error_field(err), "path");
    tw_error_free(err);
    err = NULL;
    assert_int_equal(tw_spool_check(folder, &err), TW_E_CONFIG);
    assert_string_equal(tw_error_field(err), "path");
    tw_error_free(err);
    assert_int_not_equal(access(folder, F_OK), 0); /* looking does not make it */
    assert_int_equal(mkdir(folder, 0777), 0);
    assert_int_equal(chmod(folder, 0777), 0);
    assert_int_equal(tw_spool_check(folder, NULL), TW_E_CONFIG);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(tw_spool_check(folder, NULL), TW_OK);
    assert_int_equal(number("events", 1), 0);
    assert_int_equal(number("lanes", 1), 0);
    assert_int_equal(number("oldest", 1), -1);
}

static void all_is_counted_and_nothing_changed(void **state)
{
    ledger *led = *state;
    uint64_t ids[2];
    int other;

    led->sp = spool("project-number-1");
    assert_int_equal(ledger_append(led, 4), TW_OK);
    wall += 1000;
    assert_int_equal(ledger_append(led, 4), TW_OK);
    ledger_ack(led, 0, 2);
    ledger_sent(led, 2, 3, wall);
    ids[0] = led->entries[7].id;
    assert_int_equal(tw__spool_set_aside(led->sp, ids, 1, NULL), TW_OK);
    other = open(folder, O_RDONLY | O_DIRECTORY);
    close(openat(other, "stranger", O_CREAT | O_WRONLY, 0600));
    close(other);
    assert_int_equal(number("live", 1), 1);
    assert_int_equal(number("events", 1), 5);
    assert_int_equal(number("sent", 1), 3);
    assert_int_equal(number("uncertain", 1), 1);
    assert_int_equal(number("foreign", 1), 1);
    assert_int_equal(number("oldest", 1) % 100000, (wall - 1000) % 100000);
    tw__spool_free(led->sp);
    led->sp = NULL;
    assert_int_equal(number("live", 1), 0);
    assert_int_equal(number("lanes", 1), 1);
    assert_int_equal(number("events", 0), 5);
    assert_int_equal(number("lost", 1), 0);
    assert_int_equal(number("torn", 1), 0);
    /* It is all there for the next process. */
    led->sp = spool("project-number-1");
    assert_int_equal(ledger_read(led, led->sp, 0, NULL), 5);
}

/* Writes a byte into each segment; how many there were. */
static int spoil(off_t at)
{
    DIR *list = opendir(folder);
    struct dirent *entry;
    int broken = 0;

    while ((entry = readdir(list)) != NULL) {
        int fd;

        if (strstr(entry->d_name, ".seg") == NULL)
            continue;
        fd = openat(dirfd(list), entry->d_name, O_RDWR);
        assert_int_equal(pwrite(fd, "!", 1, at), 1);
        close(fd);
        broken++;
    }
    closedir(list);
    return broken;
}

static void damage_is_counted(void **state)
{
    ledger *led = *state;

    led->sp = spool("project-number-1");
    assert_int_equal(ledger_append(led, 5), TW_OK);
    tw__spool_free(led->sp);
    led->sp = NULL;
    assert_int_equal(spoil(TW_SPOOL_HEADER + TW_SPOOL_FRAME + 5), 1);
    assert_int_equal(number("events", 1), 4);
    assert_int_equal(number("lost", 1), 1);
}

/* What a client would read of it is counted, and thrown away, too. */
static void a_damaged_head_hides_no_record(void **state)
{
    ledger *led = *state;
    uint64_t events = 0;

    led->sp = spool("project-number-1");
    assert_int_equal(ledger_append(led, 5), TW_OK);
    tw__spool_free(led->sp);
    led->sp = NULL;
    assert_int_equal(spoil(3), 1);
    assert_int_equal(number("events", 1), 5);
    assert_int_equal(number("lost", 1), 0);
    assert_int_equal(number("unreadable", 1), 0);
    assert_int_equal(tw_spool_purge(&events, folder, 0, NULL), TW_OK);
    assert_int_equal(events, 5);
    assert_int_equal(number("events", 1), 0);
    assert_int_equal(number("lanes", 1), 0);
    assert_int_equal(number("quarantined", 1), 0); /* what this very call set aside */

    /* Where the hash itself is damaged another file of the project tells it. */
    led->sp = spool("project-number-1");
    assert_int_equal(ledger_append(led, 3), TW_OK);
    tw__spool_free(led->sp);
    led->sp = NULL;
    assert_int_equal(spoil(20), 1);
    assert_int_equal(number("unreadable", 1), 1);
    led->sp = spool("project-number-1");
    assert_int_equal(ledger_append(led, 2), TW_OK);
    tw__spool_free(led->sp);
    led->sp = NULL;
    assert_int_equal(number("events", 1), 5);
    assert_int_equal(number("unreadable", 1), 0);
}

static void projects_are_told_apart(void **state)
{
    ledger *led = *state;
    ledger *two = test_calloc(1, sizeof *two);
    char *text;

    led->sp = spool("project-number-1");
    assert_int_equal(ledger_append(led, 3), TW_OK);
    two->sp = spool("another-project!");
    assert_int_equal(ledger_append(two, 2), TW_OK);
    assert_int_equal(number("events", 1), 5);
    assert_int_equal(number("events", 0), 2); /* its hash comes first */
    assert_int_equal(tw_spool_inspect(&text, folder, NULL), TW_OK);
    assert_non_null(strstr(text, "\"project\":\"616e6f746865722d\""));
    tw_text_free(text);
    tw__spool_free(two->sp);
    test_free(two);
}

static void what_is_old_is_thrown_away(void **state)
{
    ledger *led = *state;
    uint64_t events = 0;
    uint64_t aside;

    led->sp = spool("project-number-1");
    assert_int_equal(ledger_append(led, 3), TW_OK);
    wall += 100000;
    assert_int_equal(ledger_append(led, 3), TW_OK);
    assert_int_equal(tw__spool_set_aside(led->sp, &led->entries[0].id, 1, NULL), TW_OK);
    assert_int_equal(tw__spool_set_aside(led->sp, &led->entries[5].id, 1, NULL), TW_OK);
    wall += 1000;
    /* The process lives: hands off. */
    assert_int_equal(tw_spool_purge(&events, folder, 0, NULL), TW_OK);
    assert_int_equal(events, 0);
    tw__spool_free(led->sp);
    led->sp = NULL;
    assert_int_equal(tw_spool_purge(&events, folder, 50000, NULL), TW_OK);
    assert_int_equal(events, 3);
    assert_int_equal(number("events", 1), 2);
    assert_int_equal(number("uncertain", 1), 1);
    led->sp = spool("project-number-1");
    assert_int_equal(ledger_read(led, led->sp, 0, NULL), 2);
    assert_int_equal(tw__spool_revive(&aside, led->sp, NULL), TW_OK);
    assert_int_equal(aside, 1);
    tw__spool_free(led->sp);
    led->sp = NULL;
    assert_int_equal(tw_spool_purge(&events, folder, 0, NULL), TW_OK);
    assert_int_equal(events, 3);
    assert_int_equal(number("lanes", 1), 0);
    assert_int_equal(number("bytes", 1), 0);
}

/* All that the files of notes hold. */
static size_t notes_read(char *out, size_t most)
{
    DIR *list = opendir(folder);
    struct dirent *entry;
    size_t size = 0;

    assert_non_null(list);
    while ((entry = readdir(list)) != NULL) {
        int fd = strstr(entry->d_name, ".ack") != NULL
                     ? openat(dirfd(list), entry->d_name, O_RDONLY)
                     : -1;
        ssize_t got = fd >= 0 ? read(fd, out + size, most - size) : 0;

        assert_true(got >= 0);
        size += (size_t)got;
        if (fd >= 0)
            close(fd);
    }
    closedir(list);
    return size;
}

/* Were they taken back meanwhile, a purge that is killed would have the next process send them. */
static void what_is_uncertain_and_young_is_not_touched(void **state)
{
    ledger *led = *state;
    uint64_t events = 0;
    char before[4096];
    char after[4096];
    size_t size;

    led->sp = spool("project-number-1");
    assert_int_equal(ledger_append(led, 3), TW_OK);
    ledger_sent(led, 0, 3, wall);
    assert_int_equal(tw__spool_set_aside(led->sp, &led->entries[1].id, 1, NULL), TW_OK);
    tw__spool_free(led->sp);
    led->sp = NULL;
    size = notes_read(before, sizeof before);
    assert_true(size != 0);
    assert_int_equal(tw_spool_purge(&events, folder, 50000, NULL), TW_OK);
    assert_int_equal(events, 0);
    assert_int_equal(number("uncertain", 1), 1);
    assert_int_equal(notes_read(after, sizeof after), size);
    assert_memory_equal(before, after, size);
}

static int disk_is_full;

static ssize_t full_pwrite(void *ctx, int fd, const void *bytes, size_t size, uint64_t at)
{
    return disk_is_full ? -ENOSPC : tw__spool_system.pwrite(ctx, fd, bytes, size, at);
}

/* What was taken back while there was no room for notes counts as it does for a client. */
static void what_is_noted_late_is_counted(void **state)
{
    ledger *led = *state;
    tw_spool_sys sys = tw__spool_system;
    tw_spool_settings settings = {.path = folder, .max_bytes = 1 << 24, .sys = &sys};

    sys.pwrite = full_pwrite;
    memcpy(settings.project, "project-number-1", 16);
    assert_int_equal(tw__spool_open(&led->sp, &settings, NULL), TW_OK);
    assert_int_equal(ledger_append(led, 2), TW_OK);
    ledger_sent(led, 0, 1, wall);
    disk_is_full = 1;
    assert_int_not_equal(tw__spool_unmark_sent(led->sp, &led->entries[0].id, 1, NULL),
                         TW_OK);
    disk_is_full = 0;
    ledger_ack(led, 1, 1);
    assert_int_equal(number("events", 1), 1);
    assert_int_equal(number("sent", 1), 0);
}

#define spool_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        spool_test(an_empty_folder_holds_nothing),
        spool_test(all_is_counted_and_nothing_changed),
        spool_test(damage_is_counted),
        spool_test(a_damaged_head_hides_no_record),
        spool_test(projects_are_told_apart),
        spool_test(what_is_old_is_thrown_away),
        spool_test(what_is_uncertain_and_young_is_not_touched),
        spool_test(what_is_noted_late_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
