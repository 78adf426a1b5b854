/* SPDX-License-Identifier: MIT */
/* The event queue: acceptance, its limits, and the end of each event. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/process.h"
#include "ingest/ingest_internal.h"
#include "ingest/merge.h"

enum {
    POOL_EVENTS = 64,         /* idle slots kept */
    POOL_EVENT_BYTES = 65536, /* a slot that has grown past this is given back */
    SPARE_BATCHES = 2,
    FORGET = 8, /* part of what a batch once needed that the next one is not made for */
    WAIT_SLICE_MS = 50 /* a signal that comes just before the wait is seen after this */
};

/* ---- lists of batches -------------------------------------------------------------- */

void tw__batch_push(tw_batch_list *list, tw_batch *batch)
{
    batch->next = NULL;
    if (list->tail != NULL)
        list->tail->next = batch;
    else
        list->head = batch;
    list->tail = batch;
}

void tw__batch_unshift(tw_batch_list *list, tw_batch *batch)
{
    batch->next = list->head;
    list->head = batch;
    if (list->tail == NULL)
        list->tail = batch;
}

tw_batch *tw__batch_shift(tw_batch_list *list)
{
    tw_batch *batch = list->head;

    if (batch != NULL) {
        list->head = batch->next;
        if (list->head == NULL)
            list->tail = NULL;
        batch->next = NULL;
    }
    return batch;
}

void tw__batch_list_free(tw_batch_list *list)
{
    tw_batch *batch = tw__batch_shift(list);

    while (batch != NULL) {
        tw__batch_free(batch);
        batch = tw__batch_shift(list);
    }
}

void tw__batch_list_remove(tw_batch_list *list, tw_batch *batch)
{
    tw_batch_list rest = {NULL, NULL};
    tw_batch *next;

    for (next = tw__batch_shift(list); next != NULL; next = tw__batch_shift(list)) {
        if (next != batch)
            tw__batch_push(&rest, next);
    }
    *list = rest;
}

/* By age: those of ended processes are older than any of ours. */
static uint64_t first_seq(const tw_batch *batch)
{
    uint64_t seq = batch->records[batch->first].seq;

    return seq >= TW_FOREIGN_SEQ ? 0 : seq + 1;
}

void tw__batch_insert(tw_batch_list *list, tw_batch *batch)
{
    tw_batch_list rest = {NULL, NULL};
    tw_batch *next;

    for (next = tw__batch_shift(list); next != NULL; next = tw__batch_shift(list)) {
        if (batch != NULL && first_seq(batch) < first_seq(next)) {
            tw__batch_push(&rest, batch);
            batch = NULL;
        }
        tw__batch_push(&rest, next);
    }
    if (batch != NULL)
        tw__batch_push(&rest, batch);
    *list = rest;
}

int tw__ingest_batch(tw_batch **out, tw_ingest *ing)
{
    *out = ing->spare;
    if (*out == NULL)
        return tw__batch_new(out, ing->head_size);
    ing->spare = (*out)->next;
    ing->spare_count--;
    (*out)->next = NULL;
    return TW_OK;
}

void tw__ingest_recycle(tw_ingest *ing, tw_batch *batch)
{
    if (ing->spare_count == SPARE_BATCHES) {
        tw__batch_free(batch);
        return;
    }
    tw__batch_reset(batch);
    batch->next = ing->spare;
    ing->spare = batch;
    ing->spare_count++;
}

/* ---- the end of an event ----------------------------------------------------------- */

void tw__ingest_tell_room(tw_ingest *ing)
{
    if (ing->room_waiters == 0 || ing->room_told)
        return;
    ing->room_told = write(ing->room_fd[1], "", 1) == 1;
}

void tw__ingest_final(tw_ingest *ing, const tw_batch *batch, size_t index, tw_final state,
                      int status, const char *reason)
{
    const tw_record *record = &batch->records[batch->first + index];
    tw_flush *flush;

    if (ing->settings.outcomes)
        tw__end_add(ing, batch, index, state, status, reason);
    ing->finals[state]++;
    ing->waiting--;
    ing->waiting_bytes -= record->size;
    ing->mem_events--;
    ing->mem_bytes -= record->size;
    if (record->seq >= TW_FOREIGN_SEQ) {
        ing->foreign--;
        ing->foreign_finals[state]++;
    }
    /* Of what is dropped or merged the spool is told by who does it. */
    if (ing->ended != NULL && state == TW_FINAL_UNCERTAIN)
        ing->asides[ing->aside_count++] = record->seq;
    else if (ing->ended != NULL && state != TW_FINAL_DROPPED && state != TW_FINAL_MERGED)
        ing->ended[ing->ended_count++] = record->seq;
    for (flush = ing->flushes; flush != NULL; flush = flush->next) {
        if (record->seq < flush->mark) {
            flush->left--;
            flush->finals[state]++;
        }
    }
}

/* ---- events ------------------------------------------------------------------------ */

/* What stands in the place of an event when none is put at hand any more. */
static tw_event *no_event(tw_ingest *ing)
{
    return (tw_event *)(void *)ing;
}

tw_event *tw__ingest_empty_hand(tw_ingest *ing)
{
    tw_event *ev = atomic_exchange(&ing->at_hand, no_event(ing));

    return ev != no_event(ing) ? ev : NULL;
}

/* Puts a reset event at hand, if there is none. */
static int event_at_hand(tw_ingest *ing, tw_event *ev)
{
    tw_event *none = NULL;

    return atomic_load_explicit(&ing->at_hand, memory_order_relaxed) == NULL &&
           atomic_compare_exchange_strong_explicit(
               &ing->at_hand, &none, ev, memory_order_release, memory_order_relaxed);
}

static __attribute__((noinline)) int begin_locked(tw_event **out, tw_ingest *ing,
                                                  tw_error **err)
{
    tw_event *ev;
    int rc;

    pthread_mutex_lock(&ing->lock);
    ev = ing->pool;
    if (ev != NULL) {
        ing->pool = ev->next;
        ing->pool_count--;
    }
    ing->open_events++;
    pthread_mutex_unlock(&ing->lock);
    if (ev == NULL) {
        rc = tw__event_new(&ev, ing, ing->settings.batch_bytes, &ing->looks,
                           ing->settings.mends, err);
        if (rc != TW_OK) {
            pthread_mutex_lock(&ing->lock);
            ing->open_events--;
            pthread_mutex_unlock(&ing->lock);
            return rc;
        }
    }
    *out = ev;
    return TW_OK;
}

int tw__ingest_begin(tw_event **out, tw_ingest *ing, tw_error **err)
{
    *out = NULL;
    if (atomic_load_explicit(&ing->at_hand, memory_order_relaxed) != NULL)
        *out = atomic_exchange_explicit(&ing->at_hand, NULL, memory_order_acquire);
    return *out != NULL ? TW_OK : begin_locked(out, ing, err);
}

tw_json_writer *tw_event_writer(tw_event *ev)
{
    return ev->wr;
}

static int event_is_kept(const tw_event *ev)
{
    size_t size;

    tw_json_writer_text(ev->wr, &size);
    return size <= POOL_EVENT_BYTES;
}

/* Takes the event back, its memory for the next one. Returns it when it is to be freed,
 * after the lock is given up. @locks needs lock */
static tw_event *event_return(tw_ingest *ing, tw_event *ev)
{
    if (!ing->freed && event_is_kept(ev)) {
        tw__event_reset(ev);
        if (event_at_hand(ing, ev))
            return NULL;
        if (ing->pool_count < POOL_EVENTS) {
            ev->next = ing->pool;
            ing->pool = ev;
            ing->pool_count++;
            ing->open_events--;
            return NULL;
        }
    }
    ing->open_events--;
    return ev;
}

static void event_release(tw_event *ev, uint64_t refused)
{
    tw_ingest *ing = ev->ing;
    tw_event *spare;
    int last;

    pthread_mutex_lock(&ing->lock);
    ing->refused += refused;
    spare = event_return(ing, ev);
    last = ing->freed && ing->open_events == 0;
    pthread_mutex_unlock(&ing->lock);
    tw__event_free(spare);
    if (last)
        tw__ingest_destroy(ing);
}

static int event_forked(tw_event *ev, tw_error **err)
{
    if (ev->ing->pid == tw__pid())
        return 0;
    tw__error(err, TW_E_FORKED, "the event was begun in the parent process");
    return 1;
}

void tw_event_abort(tw_event *ev)
{
    if (ev == NULL)
        return;
    if (event_forked(ev, NULL)) {
        tw__event_free(ev); /* the lock may be held by a thread of the parent's */
        return;
    }
    if (event_is_kept(ev)) {
        tw__event_reset(ev);
        if (event_at_hand(ev->ing, ev))
            return;
    }
    event_release(ev, 0);
}

/* ---- limits ------------------------------------------------------------------------ */

/* Those who are throttled may take half of it, so that the others have room. */
/* `more`: bytes that may be added to it. */
static int has_room(const tw_ingest *ing, const tw_record_text *text, size_t more)
{
    size_t size = text->head_size + text->tail_size + more;

    return ing->waiting < ing->settings.queue_events &&
           ing->waiting_bytes <= ing->settings.queue_bytes &&
           size <= ing->settings.queue_bytes - ing->waiting_bytes &&
           !tw__lanes_crowd(ing, text->head, text->head_size);
}

/* The batch in `list` that holds the oldest event, if that is older than in `than`. */
static tw_batch *older(const tw_batch_list *list, tw_batch *than)
{
    tw_batch *batch;

    for (batch = list->head; batch != NULL; batch = batch->next) {
        if (than == NULL || first_seq(batch) < first_seq(than))
            than = batch;
    }
    return than;
}

/* Its first event is thrown out. @locks needs lock */
static void drop_first(tw_ingest *ing, tw_batch *batch)
{
    tw__ingest_final(ing, batch, 0, TW_FINAL_DROPPED, 0, "the queue was full");
    tw__batch_drop_first(batch);
    if (tw__batch_count(batch) == 0 && batch != ing->open) {
        tw__batch_list_remove(&ing->ready, batch);
        tw__batch_list_remove(&ing->retry, batch);
        tw__batch_list_remove(&ing->held, batch);
        tw__batch_list_remove(&ing->backlog, batch);
        tw__batch_list_remove(&ing->freed_lanes, batch);
        tw__ingest_recycle(ing, batch);
    }
}

int tw__ingest_drop_oldest(tw_ingest *ing, uint64_t *seq)
{
    tw_batch *batch =
        ing->open != NULL && tw__batch_count(ing->open) != 0 ? ing->open : NULL;

    if (ing->ready.head != NULL)
        batch = ing->ready.head; /* in order, and before the open one */
    batch = older(&ing->retry, batch);
    batch = older(&ing->held, batch);
    batch = older(&ing->backlog, batch);
    batch = older(&ing->freed_lanes, batch);
    if (batch == NULL)
        return 0;
    *seq = batch->records[batch->first].seq;
    drop_first(ing, batch);
    return 1;
}

/* For an event for which there is no room; nonzero when there was one. @locks needs lock */
static int drop_for(tw_ingest *ing, const tw_record_text *text)
{
    uint64_t seq;
    tw_batch *held;

    if (!tw__lanes_crowd(ing, text->head, text->head_size))
        return tw__ingest_drop_oldest(ing, &seq);
    held = older(&ing->held, NULL); /* at the expense of its like */
    drop_first(ing, held);
    return 1;
}

static int room_make(tw_ingest *ing, tw_event *ev, const tw_record_text *text, int *wake,
                     tw_error **err)
{
    size_t size = text->head_size + text->tail_size;

    if (size > ing->settings.queue_bytes)
        return tw__error(err, TW_E_TOO_LARGE,
                         "the event had %zu bytes, more than the whole queue may hold",
                         size);
    if (has_room(ing, text, 0))
        return TW_OK;
    if (ing->settings.on_full == TW_FULL_DROP_OLDEST) {
        while (!has_room(ing, text, 0) && drop_for(ing, text))
            *wake |= ing->flushes != NULL; /* one of them may wait for nothing now */
        if (has_room(ing, text, 0))
            return TW_OK;
    }
    if (ing->settings.on_full == TW_FULL_BLOCK) {
        int64_t now = tw__monotonic_ms();

        if (ev->give_up_ms < 0)
            ev->give_up_ms = tw__ms_add(now, ing->settings.block_timeout_ms);
        if (now < ev->give_up_ms)
            return TW_AGAIN;
    }
    if (tw__lanes_crowd(ing, text->head, text->head_size))
        return tw__error(err, TW_E_QUEUE_FULL,
                         "events of users and devices that are throttled took half of "
                         "the queue, which is all they may");
    return tw__error(
        err, TW_E_QUEUE_FULL, "the event queue was full with %llu events and %llu bytes",
        (unsigned long long)ing->waiting, (unsigned long long)ing->waiting_bytes);
}

/* ---- acceptance -------------------------------------------------------------------- */

tw_batch_limits *tw__limits_of(tw_ingest *ing, const tw_batch *batch)
{
    return batch->use_batch ? &ing->batch_limits : &ing->limits;
}

tw_batch_limits *tw__limits_fresh(tw_ingest *ing)
{
    return ing->settings.use_batch == TW_BATCH_ALWAYS ? &ing->batch_limits : &ing->limits;
}

/* The most of late: what was needed once is forgotten by an eighth with each batch. */
static size_t usual(size_t before, size_t now)
{
    before -= before / FORGET;
    return now > before ? now : before;
}

void tw__ingest_seal(tw_ingest *ing)
{
    if (ing->open == NULL || tw__batch_count(ing->open) == 0)
        return;
    ing->usual_size = usual(ing->usual_size, ing->open->size);
    ing->usual_count = usual(ing->usual_count, ing->open->count);
    tw__batch_push(&ing->ready, ing->open);
    ing->open = NULL;
}

/* The next open batch has room for what is usual, and an eighth more, from the beginning: in the
 * thread of a caller it would have to be copied, and all its pages be touched at once. @locks needs
 * lock */
static int open_make(tw_ingest *ing)
{
    const tw_batch_limits *limits = tw__limits_fresh(ing);
    size_t size = ing->usual_size + ing->usual_size / FORGET;
    size_t count = ing->usual_count + ing->usual_count / FORGET;

    if (tw__ingest_batch(&ing->open, ing) != TW_OK)
        return TW_E_NOMEM;
    tw__batch_expect(ing->open, size < limits->bytes ? size : limits->bytes,
                     count < limits->events ? count : limits->events);
    return TW_OK;
}

/* `*wake` when the I/O thread has to know. */
int tw__ingest_take(tw_ingest *ing, const tw_record_text *text, uint64_t seq,
                    int64_t accepted_ms, int *wake)
{
    size_t size = text->head_size + text->tail_size;

    if (ing->open != NULL && !tw__batch_fits(ing->open, size, tw__limits_fresh(ing)) &&
        tw__batch_count(ing->open) != 0) {
        tw__ingest_seal(ing);
        *wake = 1;
    }
    if (ing->open == NULL && open_make(ing) != TW_OK)
        return TW_E_NOMEM;
    if (accepted_ms == 0)
        accepted_ms = tw__batch_count(ing->open) == 0
                          ? tw__ingest_steady(ing)
                          : ing->open->records[ing->open->count - 1].accepted_ms;
    if (tw__batch_add(ing->open, text, seq, accepted_ms) != TW_OK)
        return TW_E_NOMEM;
    if (tw__batch_count(ing->open) == 1) {
        ing->open->since_ms = tw__monotonic_ms();
        *wake = 1;
    }
    if (tw__batch_count(ing->open) >= tw__limits_fresh(ing)->events) {
        tw__ingest_seal(ing);
        *wake = 1;
    }
    ing->mem_events++;
    ing->mem_bytes += size;
    return TW_OK;
}

/* Accepts into memory. */
static int queue_text(tw_ingest *ing, tw_event *ev, const tw_record_text *text, int *wake,
                      tw_error **err)
{
    size_t size = text->head_size + text->tail_size;
    int64_t now = ing->settings.max_age_ms != 0 ? tw__ingest_steady(ing) : 0;
    int rc;

    rc = room_make(ing, ev, text, wake, err);
    if (rc != TW_OK)
        return rc;
    if (tw__ingest_take(ing, text, ing->next_seq, now, wake) != TW_OK)
        return tw__error_nomem(err);
    ing->next_seq++;
    ing->accepted++;
    ing->waiting++;
    ing->waiting_bytes += size;
    return TW_OK;
}

/* The same, perhaps merged with the one before it. */
static int queue_put(tw_ingest *ing, tw_event *ev, const tw_record_text *text, int *wake,
                     tw_error **err)
{
    tw_record_text whole = *text;
    tw_merge merge;
    int room;
    int rc;

    if (ing->stopped)
        return tw__error(err, TW_E_CLOSED, "the client was closed");
    if (ing->coalesce == NULL)
        return queue_text(ing, ev, text, wake, err);
    room = has_room(ing, text, TW_MERGED_BYTES);
    (void)tw__coalesce_enter(&merge, ing, ev, &whole, room ? TW_ENTER : TW_ENTER_AS_IS);
    rc = queue_text(ing, ev, &whole, wake, err);
    tw__coalesce_leave(&merge, ing, ev, rc == TW_OK, ing->next_seq - 1);
    return rc;
}

/* Tells the I/O thread, and gives up the hold that kept the memory alive meanwhile. */
static void ingest_wake(tw_ingest *ing)
{
    int rc = tw__loop_post(ing->loop, &ing->task);
    int last;

    pthread_mutex_lock(&ing->lock);
    /* Without a thread the event waits; the next commit tries again. */
    ing->unposted = rc != TW_OK && rc != TW_E_CLOSED;
    ing->open_events--;
    last = ing->freed && ing->open_events == 0;
    pthread_mutex_unlock(&ing->lock);
    if (last)
        tw__ingest_destroy(ing);
}

static int size_check(const tw_ingest *ing, const tw_record_text *text, tw_error **err)
{
    size_t size = text->head_size + text->tail_size + ing->head_size + 2;

    if (size <= ing->settings.batch_bytes)
        return TW_OK;
    return tw__error(err, TW_E_TOO_LARGE,
                     "the event made a request of %zu bytes, more than the %llu allowed",
                     size, (unsigned long long)ing->settings.batch_bytes);
}

/* Everything that needs no lock. */
static int event_prepare(tw_event *ev, tw_record_text *text, tw_error **err)
{
    tw_recent_id none = {0, 0};
    int rc = tw__event_freeze(ev, text, err);

    if (rc != TW_OK || ev->prepared)
        return rc;
    rc = size_check(ev->ing, text, err);
    if (rc != TW_OK)
        return rc;
    ev->prepared = 1;
    if (ev->ing->coalesce != NULL)
        ev->whose = tw__identity_of(text->head, &ev->rules);
    ev->given = none; /* only ids that callers gave can come twice */
    if (tw__event_rules_has_insert_id(&ev->rules))
        ev->given = tw__recent_id_of(text->head, text->head_size, &ev->rules);
    return TW_OK;
}

/* What is to be told of an event that was accepted. @locks needs lock */
static void note_accepted(tw_ingest *ing, const tw_event *ev)
{
    const tw_json_mended *mended = tw__json_writer_mended(ev->wr);

    if (mended->any) {
        ing->mended.cut += mended->cut;
        ing->mended.replaced += mended->replaced;
        ing->mended.nulled += mended->nulled;
        ing->mended.stringified += mended->stringified;
    }
    ing->clock_suspect += (uint64_t)ev->clock_suspect;
    if (ev->given.id != 0)
        ing->dup_insert_id += tw__recent_id_note(&ing->recent_ids, ev->given) != 0;
}

int tw_event_sound(tw_event *ev)
{
    tw_record_text text;

    return event_prepare(ev, &text, NULL) == TW_OK;
}

int tw_event_commit(tw_event *ev, tw_error **err)
{
    tw_ingest *ing = ev->ing;
    tw_record_text text;
    tw_event *spare;
    int wake = 0;
    int last;
    int rc;

    if (event_forked(ev, err)) {
        tw__event_free(ev);
        return TW_E_FORKED;
    }
    rc = event_prepare(ev, &text, err);
    if (rc != TW_OK) {
        event_release(ev, 1);
        return rc;
    }
    if (ing->ended != NULL)
        rc = tw__store_put(ing, ev, &text, err);
    pthread_mutex_lock(&ing->lock);
    if (ing->ended == NULL)
        rc = queue_put(ing, ev, &text, &wake, err);
    if (rc == TW_AGAIN) {
        pthread_mutex_unlock(&ing->lock);
        return rc;
    }
    wake |= ing->news || (ing->unposted && rc == TW_OK);
    ing->news = 0;
    if (rc == TW_OK)
        note_accepted(ing, ev);
    ing->refused += rc != TW_OK;
    spare = event_return(ing, ev);
    ing->open_events += (size_t)wake;
    last = ing->freed && ing->open_events == 0;
    pthread_mutex_unlock(&ing->lock);
    tw__event_free(spare);
    if (wake)
        ingest_wake(ing);
    else if (last)
        tw__ingest_destroy(ing);
    return rc;
}

/* Puts the frozen events from `evs[*accepted]` on, up to `count`. @locks needs lock */
static int queue_put_many(tw_ingest *ing, tw_event **evs, size_t count, size_t *accepted,
                          int *wake, tw_error **err)
{
    int rc = TW_OK;

    while (rc == TW_OK && *accepted < count) {
        tw_event *ev = evs[*accepted];
        tw_record_text text;

        rc = tw__event_freeze(ev, &text, err); /* what it is made of is there */
        if (rc == TW_OK)
            rc = queue_put(ing, ev, &text, wake, err);
        *accepted += rc == TW_OK;
    }
    return rc;
}

int tw_events_commit(size_t *accepted, tw_event **evs, size_t count, int64_t first,
                     tw_error **err)
{
    tw_ingest *ing;
    tw_record_text text;
    size_t sound = 0; /* how many of them may be queued */
    int flaw = TW_OK; /* of the one behind these */
    int wake = 0;
    size_t i;
    int rc;

    *accepted = 0;
    if (count == 0)
        return TW_OK;
    if (event_forked(evs[0], err))
        return TW_E_FORKED;
    ing = evs[0]->ing;
    for (; sound < count; sound++) {
        flaw = event_prepare(evs[sound], &text, err);
        if (flaw != TW_OK)
            break;
    }
    /* Where there are two errors, that of the earlier event replaces the other. */
    rc = ing->ended != NULL ? tw__store_put_many(ing, evs, sound, accepted, err) : TW_OK;
    pthread_mutex_lock(&ing->lock);
    if (ing->ended == NULL)
        rc = queue_put_many(ing, evs, sound, accepted, &wake, err);
    rc = rc == TW_OK ? flaw : rc;
    ing->refused += rc != TW_OK && rc != TW_AGAIN;
    for (i = 0; i < *accepted; i++)
        note_accepted(ing, evs[i]);
    wake |= ing->news || (ing->unposted && *accepted != 0);
    ing->news = 0;
    ing->open_events += (size_t)wake;
    pthread_mutex_unlock(&ing->lock);
    if (wake)
        ingest_wake(ing);
    for (i = 0; i < *accepted; i++)
        tw__event_reset(evs[i]);
    if (err != NULL && rc != TW_AGAIN)
        tw__error_set_index(*err, first + (int64_t)*accepted);
    return rc;
}

/* ---- waiting for room -------------------------------------------------------------- */

/* TW_OK when there is room, TW_AGAIN to wait `*wait_ms` for it. @locks needs lock */
static int wait_state(tw_ingest *ing, tw_event *ev, int room, int64_t *wait_ms,
                      tw_error **err)
{
    int64_t now = tw__monotonic_ms();
    char byte;

    if (ing->stopped)
        return tw__error(err, TW_E_CLOSED, "the client was closed");
    if (ing->settings.on_full != TW_FULL_BLOCK || ev->give_up_ms < 0 || room)
        return TW_OK;
    if (now >= ev->give_up_ms)
        return tw__error(err, TW_E_QUEUE_FULL,
                         "the event queue stayed full for the %lld ms of block_timeout",
                         (long long)ing->settings.block_timeout_ms);
    *wait_ms = ev->give_up_ms - now;
    if (ing->room_told && read(ing->room_fd[0], &byte, 1) == 1)
        ing->room_told = 0;
    return TW_AGAIN;
}

int tw_event_wait(tw_event *ev, tw_error **err)
{
    tw_ingest *ing = ev->ing;
    struct pollfd wait = {ing->room_fd[0], POLLIN, 0};
    tw_record_text text;
    int64_t wait_ms = 0;
    tw_spool *sp;
    size_t size;
    int ready;
    int room;
    int rc;

    if (event_forked(ev, err))
        return TW_E_FORKED;
    rc = tw__event_freeze(ev, &text, err);
    if (rc != TW_OK)
        return rc;
    size = text.head_size + text.tail_size;
    sp = tw__store_use(ing);
    room = sp != NULL && tw__spool_has_room(sp, size);
    if (sp != NULL)
        tw__store_unuse(ing);
    pthread_mutex_lock(&ing->lock);
    if (ing->ended == NULL)
        room = has_room(ing, &text, 0);
    rc = wait_state(ing, ev, room, &wait_ms, err);
    ing->room_waiters += rc == TW_AGAIN;
    pthread_mutex_unlock(&ing->lock);
    if (rc != TW_AGAIN)
        return rc;
    ready = poll(&wait, 1, (int)(wait_ms < WAIT_SLICE_MS ? wait_ms : WAIT_SLICE_MS));
    pthread_mutex_lock(&ing->lock);
    ing->room_waiters--;
    pthread_mutex_unlock(&ing->lock);
    return ready > 0 ? TW_OK : TW_INTERRUPTED;
}
