/* SPDX-License-Identifier: MIT */
/* Ingestion as a whole: made, counted, ended. */
#define _GNU_SOURCE
#include "ingest/ingest.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/process.h"
#include "ingest/ingest_internal.h"

enum {
    /* HTTP V2 takes fewer than 2,000 events and 1 MB, batch 2,000 and 20 MB (Amplitude
     * HTTP V2 and Batch API docs, read 2026-11-23). "MB" is given in no exact number: the
     * smaller. */
    HTTPAPI_EVENTS = 1999,
    HTTPAPI_BYTES = 1000000,
    BATCH_EVENTS = TW_BATCH_EVENTS_MAX,
    BATCH_BYTES = 20000000
};

/* ---- life -------------------------------------------------------------------------- */

/* {"api_key":"...","events":[ with the options between, where there are any. */
static int head_make(tw_ingest *ing, tw_error **err)
{
    static const char events[] = ",\"events\":[";
    tw_json_writer_options options = TW_JSON_WRITER_OPTIONS_INIT;
    const char *key = tw__gate_api_key(ing->gate);
    tw_json_writer *wr = NULL;
    const char *text;
    size_t size;
    int rc = tw_json_writer_new(&wr, &options, err);

    if (rc != TW_OK)
        return rc;
    tw_json_put_object(wr);
    tw_json_put_key(wr, "api_key", 7, 7, TW_JSON_VALID_UTF8);
    tw_json_put_string(wr, key, strlen(key), -1, 0);
    if (ing->settings.min_id_length != TW__MIN_ID_LENGTH) {
        tw_json_put_key(wr, "options", 7, 7, TW_JSON_VALID_UTF8);
        tw_json_put_object(wr);
        tw_json_put_key(wr, "min_id_length", 13, 13, TW_JSON_VALID_UTF8);
        tw_json_put_int(wr, ing->settings.min_id_length);
        tw_json_put_object_end(wr);
    }
    rc = tw_json_put_object_end(wr);
    if (rc != TW_OK) {
        rc = tw_json_writer_error(wr, err);
        goto out;
    }
    text = tw_json_writer_text(wr, &size);
    ing->head_size = size - 1 + sizeof events - 1; /* without the brace */
    ing->head = tw__alloc(ing->head_size);
    if (ing->head == NULL) {
        rc = tw__error_nomem(err);
        goto out;
    }
    memcpy(ing->head, text, size - 1);
    memcpy(ing->head + size - 1, events, sizeof events - 1);
    explicit_bzero((char *)text, size);
out:
    tw_json_writer_free(wr);
    return rc;
}

int64_t tw__ingest_steady(const tw_ingest *ing)
{
    return ing->steady_from_ms + tw__elapsed_ms();
}

int64_t tw__ingest_steady_of(const tw_ingest *ing, int64_t wall_ms)
{
    int64_t age = tw__wall_ms() - wall_ms;

    return tw__ingest_steady(ing) - (age > 0 ? age : 0);
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value == 0 || value > limit ? limit : value;
}

#ifdef __linux__
/* At once: another thread may start a program in between. */
static int pipe_open(int fds[2])
{
    return pipe2(fds, O_CLOEXEC | O_NONBLOCK);
}
#else
static int pipe_open(int fds[2])
{
    int i;

    if (pipe(fds) != 0)
        return -1;
    for (i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
}
#endif

static int room_open(tw_ingest *ing, tw_error **err)
{
    if (ing->settings.on_full != TW_FULL_BLOCK || pipe_open(ing->room_fd) == 0)
        return TW_OK;
    ing->room_fd[0] = -1;
    ing->room_fd[1] = -1;
    return tw__error(err, TW_E_NOMEM, "no descriptor was left for a pipe");
}

void tw__ingest_destroy(tw_ingest *ing)
{
    tw__batch_list_free(&ing->ready);
    tw__batch_list_free(&ing->retry);
    tw__batch_list_free(&ing->held);
    tw__batch_list_free(&ing->backlog);
    tw__batch_list_free(&ing->freed_lanes);
    tw__batch_free(ing->open);
    tw__batch_free(ing->sent);
    while (ing->spare != NULL) {
        tw_batch *next = ing->spare->next;

        tw__batch_free(ing->spare);
        ing->spare = next;
    }
    while (ing->pool != NULL) {
        tw_event *next = ing->pool->next;

        tw__event_free(ing->pool);
        ing->pool = next;
    }
    tw__rejections_clear(ing);
    tw_error_free(ing->trouble);
    tw__ends_clear(ing);
    tw__recent_ids_free(ing->recent_ids);
    tw__coalesce_free(ing->coalesce);
    tw_json_reader_free(ing->rd);
    tw__free_secret(ing->head, ing->head_size);
    tw__spool_free(ing->spool);
    tw__free(ing->ended);
    tw__free(ing->holds);
    tw__gzip_free(ing->gz);
    if (ing->room_fd[0] >= 0) {
        close(ing->room_fd[0]);
        close(ing->room_fd[1]);
    }
    pthread_mutex_destroy(&ing->lock);
    pthread_mutex_destroy(&ing->reading);
    tw__loop_unref(ing->loop);
    tw__free(ing);
}

int tw__ingest_new(tw_ingest **out, tw_gate *gate, const tw_ingest_settings *settings,
                   tw_error **err)
{
    tw_ingest *ing = tw__alloc_zero(1, sizeof *ing);
    tw_ingest_settings *set;
    int rc;

    *out = NULL;
    if (ing == NULL)
        return tw__error_nomem(err);
    ing->gate = gate;
    ing->loop = tw__loop_ref(tw__gate_loop(gate));
    ing->pid = tw__pid();
    ing->steady_from_ms = tw__wall_ms() - tw__elapsed_ms();
    ing->settings = *settings;
    ing->room_fd[0] = -1;
    ing->room_fd[1] = -1;
    set = &ing->settings;
    ing->limits.events = at_most(set->batch_events, HTTPAPI_EVENTS);
    ing->limits.bytes = ing->limits.most = at_most(set->batch_bytes, HTTPAPI_BYTES);
    ing->batch_limits.events = at_most(set->batch_events, BATCH_EVENTS);
    ing->batch_limits.most = at_most(set->batch_bytes, BATCH_BYTES);
    ing->batch_limits.bytes = ing->batch_limits.most;
    set->batch_bytes = tw__limits_fresh(ing)->bytes; /* what a new event must fit in */
    if (set->min_id_length == 0)
        set->min_id_length = TW__MIN_ID_LENGTH;
    tw__event_looks_init(&ing->looks, set->min_id_length);
    pthread_mutex_init(&ing->lock, NULL);
    pthread_mutex_init(&ing->reading, NULL);
    rc = head_make(ing, err);
    if (rc == TW_OK)
        rc = room_open(ing, err);
    if (rc == TW_OK)
        rc = tw__sender_init(ing, err);
    if (rc == TW_OK && set->coalesce_identify &&
        tw__coalesce_new(&ing->coalesce) != TW_OK)
        rc = tw__error_nomem(err);
    if (rc == TW_OK)
        rc = tw__store_open(ing, err);
    if (rc != TW_OK) {
        tw__ingest_destroy(ing);
        return rc;
    }
    *out = ing;
    return TW_OK;
}

void tw__ingest_free(tw_ingest *ing)
{
    tw_event *idle;
    int last;

    if (ing == NULL)
        return;
    idle = tw__ingest_empty_hand(ing);
    tw__event_free(idle);
    pthread_mutex_lock(&ing->lock);
    ing->freed = 1;
    ing->stopped = 1;
    ing->open_events -= idle != NULL;
    last = ing->open_events == 0;
    pthread_mutex_unlock(&ing->lock);
    if (last)
        tw__ingest_destroy(ing);
}

/* ---- the client's questions and orders --------------------------------------------- */

/* What the spool found of dead processes is counted as recovered and as what became of it at
 * once: the sum holds at every moment. @locks needs lock */
static void stats_spool(tw_stats *now, const tw_ingest *ing, const tw_spool_stats *spool)
{
    now->recovered = ing->recovered + spool->lost + spool->aside;
    now->lost = ing->finals[TW_FINAL_LOST] + spool->lost;
    now->spool_bytes = spool->bytes;
    now->spool_unread_bytes = spool->unread;
    now->spool_uncertain_bytes = spool->aside_bytes;
    now->spool_lanes = spool->lanes;
    now->spool_torn = spool->torn;
    now->spool_unreadable = spool->unreadable;
    now->spool_quarantined = spool->quarantined;
    now->spool_foreign = spool->foreign;
}

/* ---- how long the oldest has waited, and how many are held -------------------------- */

typedef struct waits {
    int64_t now_ms;    /* steady */
    int64_t oldest_ms; /* age */
    uint64_t held;
} waits;

static void waits_of(waits *w, tw_batch *batch)
{
    int64_t age;

    if (batch == NULL || tw__batch_count(batch) == 0)
        return;
    age = w->now_ms - tw__batch_oldest(batch);
    if (age > w->oldest_ms)
        w->oldest_ms = age;
    w->held += batch->laned ? tw__batch_count(batch) : 0;
}

/* @locks needs lock */
static waits waits_look(const tw_ingest *ing)
{
    const tw_batch_list *lists[] = {&ing->ready, &ing->retry, &ing->held, &ing->backlog,
                                    &ing->freed_lanes};
    waits w = {tw__ingest_steady(ing), 0, ing->parked};
    tw_batch *batch;
    size_t i;

    for (i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (batch = lists[i]->head; batch != NULL; batch = batch->next)
            waits_of(&w, batch);
    }
    waits_of(&w, ing->open);
    waits_of(&w, ing->on_wire);
    if (ing->parked != 0 && w.now_ms - ing->parked_since_ms > w.oldest_ms)
        w.oldest_ms = w.now_ms - ing->parked_since_ms;
    return w;
}

void tw__ingest_stats(tw_ingest *ing, tw_stats *stats)
{
    tw_stats now = TW_STATS_INIT;
    size_t size = stats->size < sizeof now ? stats->size : sizeof now;
    tw_spool_stats spool;
    waits w;

    tw__store_stats(ing, &spool);
    pthread_mutex_lock(&ing->lock);
    w = waits_look(ing);
    now.held = w.held;
    now.oldest_ms = (uint64_t)w.oldest_ms;
    now.rejections_missed = ing->rejections_missed;
    now.clock_suspect = ing->clock_suspect;
    stats_spool(&now, ing, &spool);
    now.accepted = ing->accepted;
    now.stored = ing->finals[TW_FINAL_STORED];
    now.rejected = ing->finals[TW_FINAL_REJECTED];
    now.uncertain = ing->finals[TW_FINAL_UNCERTAIN] + spool.aside - ing->revived;
    now.expired = ing->finals[TW_FINAL_EXPIRED];
    now.dropped = ing->finals[TW_FINAL_DROPPED];
    now.merged = ing->finals[TW_FINAL_MERGED];
    now.waiting = ing->waiting;
    now.waiting_bytes = ing->waiting_bytes;
    now.refused = ing->refused;
    now.requests = ing->requests;
    now.retries = ing->retries;
    now.paused = (uint64_t)ing->paused;
    now.truncated = ing->mended.cut;
    now.replaced = ing->mended.replaced;
    now.nulled = ing->mended.nulled;
    now.stringified = ing->mended.stringified;
    now.filtered = ing->filtered;
    now.outcomes_missed = ing->ends_missed;
    now.dup_insert_id = ing->dup_insert_id;
    pthread_mutex_unlock(&ing->lock);
    now.size = stats->size;
    memcpy(stats, &now, size);
}

void tw__ingest_start(tw_ingest *ing)
{
    int left;

    pthread_mutex_lock(&ing->lock);
    left = ing->backlog_left;
    pthread_mutex_unlock(&ing->lock);
    if (left)
        tw__loop_post(ing->loop, &ing->task);
}

void tw__ingest_filtered(tw_ingest *ing)
{
    pthread_mutex_lock(&ing->lock);
    ing->filtered++;
    pthread_mutex_unlock(&ing->lock);
}

void tw__ingest_stop_intake(tw_ingest *ing)
{
    pthread_mutex_lock(&ing->lock);
    ing->stopped = 1;
    tw__ingest_tell_room(ing);
    pthread_mutex_unlock(&ing->lock);
}
