/* SPDX-License-Identifier: MIT */
/* The spool's files damaged, exchanged, cut: what is whole is given out, the rest is counted. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "spool_ledger.h"

enum { SEGMENT = 2048, RECORDS = 80, MUTATIONS = 10000 };

/* TW_SPOOL_MUTATIONS makes the longer runs of the ladder. */
static size_t mutations(void)
{
    const char *more = getenv("TW_SPOOL_MUTATIONS");

    return more != NULL ? (size_t)strtoul(more, NULL, 10) : MUTATIONS;
}

/* A dead process's files: RECORDS records, some of them acknowledged. */
static ledger *dead_lane(tw_spool_sys *sys, int finished)
{
    ledger *led = test_calloc(1, sizeof *led);
    tw_spool_settings settings = {"x", "project-number-1", 0, 1 << 20, SEGMENT, sys, NULL,
                                  NULL};
    size_t i;

    led->disk = sim_new();
    *sys = sim_sys(led->disk);
    assert_int_equal(tw__spool_open(&led->sp, &settings, NULL), TW_OK);
    for (i = 0; i < RECORDS; i++)
        assert_int_equal(ledger_append(led, 1), TW_OK);
    ledger_sent(led, 0, 60, 4711);
    ledger_ack(led, 20, 5);
    ledger_ack(led, 41, 1);
    led->moment = led->disk->op_count;
    tw__spool_free(led->sp);
    led->sp = NULL;
    if (finished)
        led->moment = led->disk->op_count;
    return led;
}

static void ledger_end(ledger *led)
{
    sim_free(led->disk);
    test_free(led);
}

typedef struct finding {
    size_t given; /* right ones, each once */
    size_t acked; /* of those */
    tw_spool_stats stats;
} finding;

/* Opens the disk and reads all. No byte given out is wrong, none twice. */
static finding look(ledger *led, sim_disk *disk)
{
    tw_spool_sys sys = sim_sys(disk);
    tw_spool_settings settings = {
        "x", "project-number-1", 0, 1 << 20, SEGMENT, &sys, NULL, NULL};
    finding out = {0, 0, {0}};
    tw_spool *sp;
    size_t i;

    assert_int_equal(tw__spool_open(&sp, &settings, NULL), TW_OK);
    led->unknown = 0;
    (void)ledger_read(led, sp, 0, NULL);
    assert_int_equal(led->unknown, 0);
    for (i = 0; i < led->count; i++) {
        assert_in_range(led->entries[i].seen, 0, 1);
        out.given += led->entries[i].seen != 0;
        out.acked += led->entries[i].seen != 0 && led->entries[i].acked != NEVER;
        if (led->entries[i].seen)
            assert_int_equal(tw__spool_ack(sp, &led->entries[i].id, 1, NULL), TW_OK);
    }
    tw__spool_stats(sp, &out.stats);
    tw__spool_free(sp);
    return out;
}

/* The n-th file whose name ends so. */
static sim_name *nth(sim_disk *disk, const char *part, uint64_t n)
{
    sim_name *hits[SIM_NAMES];
    size_t count = 0;
    int i;

    for (i = 0; i < disk->name_count; i++) {
        if (strstr(disk->names[i].name, part) != NULL)
            hits[count++] = &disk->names[i];
    }
    assert_int_not_equal(count, 0);
    return hits[n % count];
}

static size_t held(const ledger *led)
{
    size_t count = 0;
    size_t i;

    for (i = 0; i < led->count; i++)
        count += led->entries[i].acked == NEVER;
    return count;
}

static void move(sim_inode *file, size_t to, size_t from, size_t size)
{
    char block[256];

    memcpy(block, file->data + from, size);
    memcpy(file->data + to, block, size);
}

static void mutate(sim_inode *file, sim_inode *other, uint64_t *seed)
{
    size_t a = (size_t)(sim_random(seed) % file->size);
    size_t block = 1 + (size_t)(sim_random(seed) % 200);
    size_t b;
    size_t i;

    block = block < file->size / 2 ? block : file->size / 2;
    b = (size_t)(sim_random(seed) % (file->size - block + 1));
    switch (sim_random(seed) % 8) {
    case 0:
        file->data[a] ^= (char)(1 << sim_random(seed) % 8);
        break;
    case 1:
        file->data[a] = (char)sim_random(seed);
        break;
    case 2: /* noise */
        for (i = 0; i < block; i++)
            file->data[b + i] = (char)sim_random(seed);
        break;
    case 3: /* zeros */
        memset(file->data + b, 0, block);
        break;
    case 4:
        file->size = a;
        break;
    case 5: /* a block twice */
        move(file, b, a < file->size - block ? a : 0, block);
        break;
    case 6: /* bytes fall out */
        memmove(file->data + b, file->data + b + block, file->size - b - block);
        file->size -= block;
        break;
    default: /* a piece of another file */
        memcpy(file->data + b, other->data + (other->size > b + block ? b : 0),
               other->size >= block ? block : 0);
    }
}

static size_t last_place(const sim_inode *file, const char *text)
{
    size_t at = file->size - strlen(text);

    while (at > 0 && memcmp(file->data + at, text, strlen(text)) != 0)
        at--;
    assert_true(at > 0);
    return at;
}

/* A process that dies before anybody has sealed what it filled leaves the ends all the same. */
static void test_damage_to_what_nobody_sealed_is_counted(void **state)
{
    ledger *led = test_calloc(1, sizeof *led);
    tw_spool_settings settings = {
        "x", "project-number-1", 0, 1 << 20, SEGMENT, NULL, NULL, NULL};
    tw_spool_stats stats;
    tw_spool_sys sys;
    sim_disk *disk;
    size_t segments;

    (void)state;
    led->disk = sim_new();
    sys = sim_sys(led->disk);
    settings.sys = &sys;
    assert_int_equal(tw__spool_open(&led->sp, &settings, NULL), TW_OK);
    do {
        assert_int_equal(ledger_append(led, 1), TW_OK);
        tw__spool_stats(led->sp, &stats);
        segments = (size_t)stats.segments;
    } while (segments < 4);
    disk = sim_crashed(led->disk, led->disk->op_count, SIM_KEEP_ALL, 0);
    while (segments-- > 0) {
        sim_inode *file = &disk->inodes[nth(disk, ".seg", segments)->inode];

        file->data[last_place(file, "\"m\":")] ^= 1;
    }
    assert_int_equal(look(led, disk).stats.lost, 3); /* the last segment has no end */
    sim_free(disk);
    tw__spool_free(led->sp);
    ledger_end(led);
}

static void test_random_damage_is_counted_exactly(void **state)
{
    tw_spool_sys sys;
    ledger *led = dead_lane(&sys, 1);
    uint64_t seed = 88172645463325252U;
    size_t lost = 0;
    size_t n;

    (void)state;
    for (n = 0; n < mutations(); n++) {
        sim_disk *disk = sim_crashed(led->disk, led->moment, SIM_KEEP_ALL, 0);
        sim_inode *file = sim_file(disk, nth(disk, ".seg", sim_random(&seed))->name);
        sim_inode *other = sim_file(disk, nth(disk, ".seg", sim_random(&seed))->name);
        finding f;

        mutate(file, other, &seed);
        f = look(led, disk);
        assert_int_equal(f.acked, 0);
        if (f.stats.lost != held(led) - f.given)
            fail_msg("mutation %zu: %d counted, %zu missing", n, (int)f.stats.lost,
                     held(led) - f.given);
        lost += f.stats.lost;
        /* What was given out and acknowledged does not come back. */
        assert_int_equal(look(led, disk).given, 0);
        sim_free(disk);
    }
    print_message("%zu records lost by %zu mutations\n", lost, mutations());
    assert_true(lost > mutations() / 4);
    ledger_end(led);
}

static void test_damaged_notes_lose_no_record(void **state)
{
    tw_spool_sys sys;
    ledger *led = dead_lane(&sys, 1);
    uint64_t seed = 1234567;
    size_t n;

    (void)state;
    for (n = 0; n < mutations() / 5; n++) {
        sim_disk *disk = sim_crashed(led->disk, led->moment, SIM_KEEP_ALL, 0);
        sim_name *name = nth(disk, ".ack", sim_random(&seed));
        finding f;

        mutate(sim_file(disk, name->name),
               sim_file(disk, nth(disk, ".seg", sim_random(&seed))->name), &seed);
        f = look(led, disk);
        assert_int_equal(f.given - f.acked, held(led));
        assert_int_equal(f.stats.lost, 0);
        sim_free(disk);
    }
    ledger_end(led);
}

/* Each byte of a segment, one at a time: at most the record it lies in. */
static void test_each_flipped_byte_costs_one_record(void **state)
{
    tw_spool_sys sys;
    ledger *led = dead_lane(&sys, 1);
    size_t size = sim_file(led->disk, nth(led->disk, ".seg", 0)->name)->size;
    size_t at;

    (void)state;
    for (at = 0; at < size; at++) {
        sim_disk *disk = sim_crashed(led->disk, led->moment, SIM_KEEP_ALL, 0);
        finding f;

        sim_file(disk, nth(led->disk, ".seg", 0)->name)->data[at] ^= 0x55;
        f = look(led, disk);
        assert_in_range(held(led) - f.given, 0, 1);
        assert_int_equal(f.stats.lost, held(led) - f.given);
        sim_free(disk);
    }
    ledger_end(led);
}

/* The last segment of a killed process, cut at each byte: whole records stay. */
static void test_torn_tail_is_cut(void **state)
{
    tw_spool_sys sys;
    ledger *led = dead_lane(&sys, 0);
    sim_disk *whole = sim_crashed(led->disk, led->moment, SIM_KEEP_ALL, 0);
    char name[64] = "";
    size_t before = 0;
    size_t size;
    size_t at;
    int i;

    (void)state;
    for (i = 0; i < whole->name_count; i++) {
        if (strstr(whole->names[i].name, ".seg") &&
            strcmp(whole->names[i].name, name) > 0)
            snprintf(name, sizeof name, "%s", whole->names[i].name);
    }
    size = sim_file(whole, name)->size;
    for (at = 0; at <= size; at++) {
        sim_disk *disk = sim_crashed(led->disk, led->moment, SIM_KEEP_ALL, 0);
        finding f;

        sim_file(disk, name)->size = at;
        f = look(led, disk);
        assert_int_equal(f.stats.lost, 0);
        assert_in_range(f.given, before, before + (at == 0 ? held(led) : 1));
        before = f.given;
        sim_free(disk);
    }
    assert_int_equal(before, held(led));
    sim_free(whole);
    ledger_end(led);
}

/* Files that are elsewhere, twice, missing, from the future, or no business of ours. */
static void test_exchanged_files(void **state)
{
    tw_spool_sys sys;
    ledger *led = dead_lane(&sys, 1);
    sim_disk *disk = sim_crashed(led->disk, led->moment, SIM_KEEP_ALL, 0);
    sim_name *a = nth(disk, ".seg", 0);
    sim_name *b = nth(disk, ".seg", 1);
    sim_inode *file;
    finding f;
    int swap = a->inode;
    uint32_t sum;
    size_t size;

    (void)state;
    a->inode = b->inode;
    b->inode = swap;
    f = look(led, disk);
    assert_int_equal(f.stats.lost, held(led) - f.given);
    assert_in_range(f.stats.lost, 10, 60);
    assert_int_equal(f.stats.quarantined, 2);
    sim_free(disk);

    disk = sim_crashed(led->disk, led->moment, SIM_KEEP_ALL, 0);
    a = nth(disk, ".seg", 1); /* a copy under another number, and one of another lane */
    disk->names[disk->name_count] = *a;
    memcpy(strstr(disk->names[disk->name_count++].name, ".seg") - 3, "fff", 3);
    disk->names[disk->name_count] = *a;
    disk->names[disk->name_count++].name[22] ^= 1;
    snprintf(disk->names[disk->name_count++].name, 64, "notes.txt");
    snprintf(disk->names[disk->name_count++].name, 64, "tw2-something.seg");
    f = look(led, disk);
    assert_int_equal(f.given, held(led));
    assert_int_equal(f.stats.lost, 0);
    assert_int_equal(f.stats.foreign, 1);
    assert_non_null(sim_file(disk, "notes.txt"));
    assert_non_null(sim_file(disk, "tw2-something.seg"));
    sim_free(disk);

    disk = sim_crashed(led->disk, led->moment, SIM_KEEP_ALL, 0);
    *nth(disk, ".seg", 1) = disk->names[disk->name_count - 1]; /* deleted */
    disk->name_count--;
    f = look(led, disk);
    assert_int_equal(f.stats.lost, held(led) - f.given);
    assert_true(f.stats.lost > 0);
    sim_free(disk);

    disk = sim_crashed(led->disk, led->moment, SIM_KEEP_ALL, 0);
    file = sim_file(disk, nth(disk, ".seg", 1)->name);
    file->data[8]++; /* a later version, with a right checksum */
    sum = tw__crc32c(0, file->data, 60);
    for (swap = 0; swap < 4; swap++)
        file->data[60 + swap] = (char)(sum >> 8 * swap);
    size = file->size;
    f = look(led, disk);
    assert_int_equal(f.stats.unreadable, 1);
    assert_int_equal(f.stats.lost, 0);
    assert_true(f.given < held(led) && f.given > held(led) / 2);
    assert_ptr_equal(sim_file(disk, nth(disk, ".seg", 0)->name), file);
    assert_int_equal(file->size, size);
    sim_free(disk);

    disk = sim_crashed(led->disk, led->moment, SIM_KEEP_ALL, 0);
    file = sim_file(disk, nth(disk, ".seg", 1)->name);
    file->size = 20 << 20; /* larger than any of ours */
    file->data = realloc(file->data, file->size);
    f = look(led, disk);
    assert_int_equal(f.stats.unreadable, 1);
    assert_true(f.given < held(led) && f.given > held(led) / 2);
    assert_int_equal(file->size, 20 << 20);
    sim_free(disk);
    ledger_end(led);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_damage_is_counted_exactly),
        cmocka_unit_test(test_damage_to_what_nobody_sealed_is_counted),
        cmocka_unit_test(test_damaged_notes_lose_no_record),
        cmocka_unit_test(test_each_flipped_byte_costs_one_record),
        cmocka_unit_test(test_torn_tail_is_cut),
        cmocka_unit_test(test_exchanged_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
