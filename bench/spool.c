/* SPDX-License-Identifier: MIT */
/* What bench_spool.py runs: events into a spool through the public API, the same bytes into SQLite,
 * bare syncs, and the opening of a backlog. Prints one line of JSON. Usage: see main. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>
#include <tidewheel/tidewheel.h>

enum { PAD = 800, BODY = 1000, THREADS_MOST = 64, MANY_MOST = 4096 };

static char pad[PAD];

static void die(const char *what, tw_error *err)
{
    fprintf(stderr, "spool: %s: %s\n", what, err != NULL ? tw_error_message(err) : "");
    exit(1);
}

static double now_s(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* In the place of the C library's for the whole program, so that the syncs of a run, and the time
 * spent in them, are those that it made: bare syncs in a loop say little about another load. */
static atomic_ulong sync_count, sync_ns;

int fdatasync(int fd)
{
    double began = now_s();
    int rc = (int)syscall(SYS_fdatasync, fd);

    atomic_fetch_add(&sync_ns, (unsigned long)((now_s() - began) * 1e9));
    atomic_fetch_add(&sync_count, 1);
    return rc;
}

static void tell(double seconds, uint64_t events)
{
    printf("{\"seconds\": %.6f, \"events\": %" PRIu64
           ", \"syncs\": %lu, \"sync_s\": %.6f}\n",
           seconds, events, atomic_load(&sync_count),
           (double)atomic_load(&sync_ns) / 1e9);
}

/* ---- the client ------------------------------------------------------------------------ */

static tw_client *client_new(const char *folder, const char *mode, const char *url)
{
    tw_config *cfg;
    tw_client *cl;
    tw_error *err = NULL;

    if (tw_config_new(&cfg, &err) != TW_OK ||
        tw_config_set_string(cfg, "api_key", "emu-bench", 9, &err) != TW_OK ||
        tw_config_set_string(cfg, "base_url", url, strlen(url), &err) != TW_OK ||
        tw_config_set_string(cfg, "spool", folder, strlen(folder), &err) != TW_OK ||
        tw_config_set_string(cfg, "spool_mode", mode, strlen(mode), &err) != TW_OK ||
        tw_config_set_int(cfg, "spool_bytes", (int64_t)1 << 40, &err) != TW_OK ||
        tw_client_new(&cl, cfg, &err) != TW_OK)
        die("client", err);
    tw_config_free(cfg);
    return cl;
}

static void put_text(tw_json_writer *wr, const char *key, const char *text, size_t size)
{
    tw_json_put_key(wr, key, strlen(key), -1, 0);
    tw_json_put_string(wr, text, size, -1, 0);
}

/* An event of about BODY bytes. */
static void event_write(tw_event *ev, uint64_t number)
{
    tw_json_writer *wr = tw_event_writer(ev);
    char user[32];
    int size = snprintf(user, sizeof user, "user-%08" PRIu64, number % 1000);

    tw_json_put_object(wr);
    put_text(wr, "event_type", "bench", 5);
    put_text(wr, "user_id", user, (size_t)size);
    tw_json_put_key(wr, "event_properties", 16, -1, 0);
    tw_json_put_object(wr);
    put_text(wr, "text", pad, sizeof pad);
    tw_json_put_object_end(wr);
    tw_json_put_object_end(wr);
}

typedef struct hand {
    pthread_t thread;
    tw_client *cl;
    uint64_t events; /* that it is to bring */
    size_t many;     /* in one call */
} hand;

static void *hand_run(void *arg)
{
    const hand *self = arg;
    static _Thread_local tw_event *evs[MANY_MOST];
    tw_error *err = NULL;
    uint64_t done;
    size_t i;

    for (i = 0; i < self->many; i++) {
        if (tw_event_begin(&evs[i], self->cl, &err) != TW_OK)
            die("event", err);
    }
    for (done = 0; done < self->events; done += self->many) {
        size_t accepted = 0;

        for (i = 0; i < self->many; i++)
            event_write(evs[i], done + i);
        if (tw_events_commit(&accepted, evs, self->many, 0, &err) != TW_OK)
            die("commit", err);
    }
    for (i = 0; i < self->many; i++)
        tw_event_abort(evs[i]);
    return NULL;
}

static void put(const char *folder, const char *mode, int threads, size_t many,
                uint64_t events)
{
    tw_client *cl = client_new(folder, mode, "http://127.0.0.1:1");
    hand hands[THREADS_MOST];
    tw_stats now = TW_STATS_INIT;
    double began = now_s();
    double took;
    int i;

    if (threads > THREADS_MOST || many > MANY_MOST)
        die("too many", NULL);
    for (i = 0; i < threads; i++) {
        hands[i] = (hand){0, cl, events / (uint64_t)threads, many};
        if (pthread_create(&hands[i].thread, NULL, hand_run, &hands[i]) != 0)
            die("thread", NULL);
    }
    for (i = 0; i < threads; i++)
        pthread_join(hands[i].thread, NULL);
    took = now_s() - began;
    (void)tw_client_stats(cl, &now);
    tell(took, now.accepted);
    (void)tw_client_close(cl, 0, NULL);
    tw_client_free(cl);
}

/* ---- what it is compared with ---------------------------------------------------------- */

static void sql(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db), NULL);
}

static void sqlite(const char *folder, const char *journal, size_t many, uint64_t events)
{
    char text[4096];
    char body[BODY];
    sqlite3_stmt *insert;
    sqlite3 *db;
    double began;
    uint64_t done;
    size_t i;

    memset(body, 'x', sizeof body);
    snprintf(text, sizeof text, "%s/bench.db", folder);
    if (sqlite3_open(text, &db) != SQLITE_OK)
        die("sqlite", NULL);
    snprintf(text, sizeof text, "PRAGMA journal_mode=%s", journal);
    sql(db, text);
    sql(db, "PRAGMA synchronous=FULL");
    sql(db, "CREATE TABLE spool (seq INTEGER PRIMARY KEY, body BLOB)");
    if (sqlite3_prepare_v2(db, "INSERT INTO spool (body) VALUES (?)", -1, &insert,
                           NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db), NULL);
    began = now_s();
    for (done = 0; done < events; done += many) {
        sql(db, "BEGIN");
        for (i = 0; i < many; i++) {
            sqlite3_bind_blob(insert, 1, body, sizeof body, SQLITE_STATIC);
            if (sqlite3_step(insert) != SQLITE_DONE)
                die(sqlite3_errmsg(db), NULL);
            sqlite3_reset(insert);
        }
        sql(db, "COMMIT");
    }
    tell(now_s() - began, done);
    sqlite3_finalize(insert);
    sqlite3_close(db);
}

enum { FILE_BYTES = 8 << 20 };

static int file_new(const char *folder)
{
    char name[4096];
    int fd;

    snprintf(name, sizeof name, "%s/bench.sync", folder);
    unlink(name);
    fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        die("open", NULL);
    return fd;
}

static int file_written(const char *folder)
{
    static const char bytes[1 << 20];
    int fd = file_new(folder);
    size_t at;

    for (at = 0; at < FILE_BYTES; at += sizeof bytes) {
        if (write(fd, bytes, sizeof bytes) != (ssize_t)sizeof bytes)
            die("write", NULL);
    }
    fsync(fd);
    return fd;
}

/* What the disk itself can do: writes of `size` bytes, each synced, into blocks that were written
 * before, or (`grow`) into files that are begun anew every 8 MiB and allocated whole. */
static void syncs(const char *folder, size_t size, int count, int grow)
{
    static char bytes[1 << 21];
    double began;
    off_t at;
    int fd = file_written(folder);
    int i;

    if (size > sizeof bytes)
        die("too many", NULL);
    memset(bytes, 'x', sizeof bytes);
    began = now_s();
    for (i = 0, at = grow ? FILE_BYTES : 0; i < count; i++, at += (off_t)size) {
        if (at + (off_t)size > FILE_BYTES) {
            at = 0;
            if (grow) {
                close(fd);
                fd = file_new(folder);
                if (fallocate(fd, 0, 0, FILE_BYTES) != 0)
                    die("fallocate", NULL);
            }
        }
        if (pwrite(fd, bytes, size, at) != (ssize_t)size || fdatasync(fd) != 0)
            die("sync", NULL);
    }
    tell(now_s() - began, (uint64_t)count);
    close(fd);
}

/* What threads that sleep through each other's syncs can reach: the last one to come writes for
 * all, syncs and wakes them, and nobody does anything else. */
typedef struct round_table {
    atomic_uint come, over; /* of this round; rounds */
    unsigned threads;
    int fd, rounds;
    off_t at;
} round_table;

static void *round_run(void *arg)
{
    static const char bytes[THREADS_MOST * 1100];
    round_table *table = arg;
    size_t size = table->threads * 1036;
    int i;

    for (i = 0; i < table->rounds; i++) {
        unsigned now = atomic_load(&table->over);

        if (atomic_fetch_add(&table->come, 1) != table->threads - 1) {
            while (atomic_load(&table->over) == now)
                syscall(SYS_futex, &table->over, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
            continue;
        }
        if (table->at + (off_t)size > FILE_BYTES)
            table->at = 0;
        if (pwrite(table->fd, bytes, size, table->at) != (ssize_t)size ||
            fdatasync(table->fd) != 0)
            die("sync", NULL);
        table->at += (off_t)size;
        atomic_store(&table->come, 0);
        atomic_fetch_add(&table->over, 1);
        syscall(SYS_futex, &table->over, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    }
    return NULL;
}

static void rounds(const char *folder, int threads, int count)
{
    round_table table = {.threads = (unsigned)threads, .rounds = count};
    pthread_t ids[THREADS_MOST];
    double began;
    int i;

    table.fd = file_written(folder);
    began = now_s();
    for (i = 0; i < threads; i++) {
        if (pthread_create(&ids[i], NULL, round_run, &table) != 0)
            die("thread", NULL);
    }
    for (i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    tell(now_s() - began, (uint64_t)threads * (uint64_t)count);
    close(table.fd);
}

/* ---- a backlog ------------------------------------------------------------------------- */

static long peak_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    }
    if (file != NULL)
        fclose(file);
    return kib;
}

/* Opens what others left and sends until `events` are stored. */
static void drain(const char *folder, const char *url, uint64_t events)
{
    const struct timespec pause = {0, 20000000};
    tw_stats now = TW_STATS_INIT;
    tw_error *err = NULL;
    double began = now_s();
    double opened;
    uint64_t backlog;
    long before;
    tw_client *cl = client_new(folder, "fast", url);
    tw_job *job;

    (void)tw_client_stats(cl, &now);
    opened = now_s() - began;
    before = peak_kib();
    backlog = now.spool_unread_bytes;
    if (tw_drain_start(&job, cl, NULL, &err) != TW_OK)
        die("drain", err);
    began = now_s();
    do {
        nanosleep(&pause, NULL);
        (void)tw_client_stats(cl, &now);
    } while (now.stored < events && (now.waiting != 0 || now.spool_unread_bytes != 0));
    printf("{\"open_s\": %.6f, \"backlog_bytes\": %" PRIu64 ", \"stored\": %" PRIu64
           ", \"seconds\": %.6f, \"opened_kib\": %ld, \"peak_kib\": %ld}\n",
           opened, backlog, now.stored, now_s() - began, before, peak_kib());
    tw_job_unref(job);
    (void)tw_client_close(cl, 0, NULL);
    tw_client_free(cl);
}

int main(int argc, char **argv)
{
    memset(pad, 'x', sizeof pad);
    if (argc == 7 && strcmp(argv[1], "put") == 0)
        put(argv[2], argv[3], (int)strtol(argv[4], NULL, 10), strtoul(argv[5], NULL, 10),
            strtoull(argv[6], NULL, 10));
    else if (argc == 6 && strcmp(argv[1], "sqlite") == 0)
        sqlite(argv[2], argv[3], strtoul(argv[4], NULL, 10), strtoull(argv[5], NULL, 10));
    else if (argc == 5 && strcmp(argv[1], "syncs") == 0)
        syncs(argv[2], strtoul(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10), 0);
    else if (argc == 5 && strcmp(argv[1], "appends") == 0)
        syncs(argv[2], strtoul(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10), 1);
    else if (argc == 5 && strcmp(argv[1], "rounds") == 0)
        rounds(argv[2], (int)strtol(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10));
    else if (argc == 5 && strcmp(argv[1], "drain") == 0)
        drain(argv[2], argv[3], strtoull(argv[4], NULL, 10));
    else
        die("put FOLDER MODE THREADS MANY EVENTS | sqlite FOLDER JOURNAL MANY EVENTS | "
            "syncs|appends FOLDER BYTES COUNT | rounds FOLDER THREADS COUNT | "
            "drain FOLDER URL EVENTS",
            NULL);
    return 0;
}
