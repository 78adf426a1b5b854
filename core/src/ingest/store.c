/* SPDX-License-Identifier: MIT */
/* The spool behind the queue: acceptance, what memory has no room for, marks, ends. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "ingest/ingest_internal.h"
#include "ingest/merge.h"

enum {
    GROUP = 1024, /* records handed to the spool at once: one sync is for all of them */
    GROUP_SMALL = 64, /* the same where there was no room for so many */
    ADOPT_MS = 30000, /* between two looks for dead processes */
    REREAD_MS = 1000, /* after a failure */
    IDS_MOST = TW_BATCH_EVENTS_MAX,
    DROP_ONCE = 16,
    PREPARE_EVENTS = 1024
};

/* A quarter of the limit at most: only whole segments are removed to make room. */
static uint64_t segment_bytes(uint64_t limit)
{
    return limit / 4 < TW_SPOOL_SEGMENT_BYTES ? limit / 4 : TW_SPOOL_SEGMENT_BYTES;
}

/* Of waiting events that are in memory although they are on the disk too. */
#define WINDOW_BYTES ((uint64_t)8 << 20)

/* ---- life -------------------------------------------------------------------------- */

static void store_accepted(void *ctx, const tw_spool_group *groups);

int tw__store_open(tw_ingest *ing, tw_error **err)
{
    const tw_ingest_settings *set = &ing->settings;
    tw_spool_settings settings = {.path = set->spool,
                                  .durable = set->durable,
                                  .max_bytes = set->spool_bytes,
                                  .segment_bytes = segment_bytes(set->spool_bytes),
                                  .sys = set->spool_sys,
                                  .stored = store_accepted,
                                  .ctx = ing};
    tw_spool_stats stats;
    int rc;

    if (set->spool == NULL)
        return TW_OK;
    memcpy(settings.project, set->project, sizeof settings.project);
    ing->ended = tw__alloc(2 * IDS_MOST * sizeof *ing->ended);
    if (ing->ended == NULL)
        return tw__error_nomem(err);
    ing->asides = ing->ended + IDS_MOST;
    rc = tw__spool_open(&ing->spool, &settings, err);
    ing->settings.spool = NULL; /* borrowed from the caller */
    if (rc != TW_OK)
        return rc;
    if (ing->settings.queue_bytes > WINDOW_BYTES)
        ing->settings.queue_bytes = WINDOW_BYTES;
    tw__spool_stats(ing->spool, &stats);
    ing->backlog_left = stats.lanes != 0; /* files without a byte must be removed, too */
    ing->backlog_turn = 1;
    ing->adopt_due_ms = tw__ms_add(tw__monotonic_ms(), ADOPT_MS);
    return TW_OK;
}

tw_spool *tw__store_use(tw_ingest *ing)
{
    tw_spool *sp;

    pthread_mutex_lock(&ing->lock);
    sp = ing->spool_over ? NULL : ing->spool;
    ing->spool_users += sp != NULL;
    pthread_mutex_unlock(&ing->lock);
    return sp;
}

void tw__store_stats(tw_ingest *ing, tw_spool_stats *out)
{
    tw_spool *sp = tw__store_use(ing);

    if (sp != NULL) {
        tw__spool_stats(sp, out);
        tw__store_unuse(ing);
        return;
    }
    pthread_mutex_lock(&ing->lock);
    *out = ing->spool_stats; /* zeros, or the last ones */
    pthread_mutex_unlock(&ing->lock);
}

/* Whoever comes last frees it; not under the lock, because that syncs. */
static void store_leave(tw_ingest *ing, unsigned users)
{
    tw_spool *sp = NULL;

    pthread_mutex_lock(&ing->lock);
    ing->spool_users -= users;
    if (ing->spool_over && ing->spool_users == 0) {
        sp = ing->spool;
        ing->spool = NULL;
    }
    pthread_mutex_unlock(&ing->lock);
    tw__spool_free(sp);
}

void tw__store_unuse(tw_ingest *ing)
{
    store_leave(ing, 1);
}

void tw__store_release(tw_ingest *ing)
{
    tw_spool_stats last;

    tw__store_stats(ing, &last);
    pthread_mutex_lock(&ing->lock);
    ing->spool_stats = last;
    ing->spool_over = 1;
    pthread_mutex_unlock(&ing->lock);
    store_leave(ing, 0);
}

/* ---- acceptance -------------------------------------------------------------------- */

static int in_window(const tw_ingest *ing, size_t size)
{
    return ing->mem_events < ing->settings.queue_events &&
           ing->mem_bytes + size <= ing->settings.queue_bytes;
}

/* @locks needs lock */
static void take(tw_ingest *ing, const tw_spool_text *text, uint64_t id, int64_t now)
{
    tw_record_text record = {text->head, text->head_size, text->tail, text->tail_size};
    size_t size = text->head_size + text->tail_size;
    tw_flush *flush;

    for (flush = ing->flushes; flush != NULL; flush = flush->next) {
        flush->left += flush->all != 0;
        flush->accepted += flush->all != 0;
    }
    ing->accepted++;
    ing->waiting++;
    ing->waiting_bytes += size;
    ing->next_seq = id + 1;
    ing->news |= id % PREPARE_EVENTS == 0; /* the next file may be due */
    /* Behind one that is on the disk only, all are, until it has been read back. */
    if (ing->spilled == 0 && in_window(ing, size) &&
        tw__ingest_take(ing, &record, id, now, &ing->news) == TW_OK)
        return;
    if (ing->spilled == 0) {
        ing->spill_from = id;
        tw__ingest_seal(ing);
        ing->news = 1;
    }
    ing->spilled++;
    ing->spilled_bytes += size;
}

/* The order of the spool is the order of acceptance: this is called in it. */
static void store_accepted(void *ctx, const tw_spool_group *groups)
{
    tw_ingest *ing = ctx;
    int64_t now = tw__ingest_steady(ing);
    size_t i;

    pthread_mutex_lock(&ing->lock);
    for (; groups != NULL; groups = groups->next) {
        for (i = 0; i < groups->count; i++)
            take(ing, &groups->texts[i], groups->first_id + i, now);
    }
    if (!ing->settings.durable && !ing->unsynced) {
        ing->unsynced = 1;
        ing->news = 1; /* a sync is due */
    }
    pthread_mutex_unlock(&ing->lock);
}

static void refill(tw_ingest *ing, tw_spool *sp, int force);

/* Throws some of the oldest events out, wherever they wait, but for those on the wire. Zero when
 * there were none. */
static size_t drop_some(tw_ingest *ing, tw_spool *sp)
{
    uint64_t ids[DROP_ONCE];
    size_t count = 0;
    int any = 1;

    pthread_mutex_lock(&ing->reading);
    count = tw__park_drop(ing, sp, ids, DROP_ONCE);
    while (count < DROP_ONCE) {
        refill(ing, sp, 1);
        pthread_mutex_lock(&ing->lock);
        any = tw__ingest_drop_oldest(ing, &ids[count]);
        ing->news |= ing->flushes != NULL; /* one of them may wait for nothing now */
        pthread_mutex_unlock(&ing->lock);
        if (!any)
            break;
        count++;
    }
    pthread_mutex_unlock(&ing->reading);
    if (count != 0)
        (void)tw__spool_ack(sp, ids, count, NULL);
    return count;
}

/* The spool is at its limit: what the policy says. TW_OK when there is room now. */
static int full(tw_ingest *ing, tw_event *ev, tw_spool *sp, size_t size, tw_error **err)
{
    int64_t now = tw__monotonic_ms();

    if (ing->settings.on_full == TW_FULL_DROP_OLDEST) {
        int room = 0;

        /* Where it is what is set aside that takes the room, all others would go for nothing. */
        while (!room && tw__spool_could_have_room(sp, size) && drop_some(ing, sp) != 0)
            room = tw__spool_has_room(sp, size);
        if (room)
            return TW_OK;
    }
    if (ing->settings.on_full == TW_FULL_BLOCK) {
        if (ev->give_up_ms < 0)
            ev->give_up_ms = tw__ms_add(now, ing->settings.block_timeout_ms);
        if (now < ev->give_up_ms)
            return TW_AGAIN;
    }
    return tw__error(err, TW_E_QUEUE_FULL,
                     "the spool was full: an event of %zu bytes did not fit into its "
                     "%llu bytes",
                     size, (unsigned long long)ing->settings.spool_bytes);
}

static tw_spool_text piece_of(const tw_record_text *text)
{
    tw_spool_text piece = {text->head, text->head_size, text->tail, text->tail_size};

    return piece;
}

/* The disk refused it. Where it also kept the spool from moving what had been accepted, the next
 * sync tries to again: in durable mode there would be none. */
static void disk_failed(tw_ingest *ing)
{
    pthread_mutex_lock(&ing->lock);
    ing->unsynced = 1;
    ing->news = 1;
    pthread_mutex_unlock(&ing->lock);
}

/* There was room for it; where there is more, it may be merged with the one before it. TW_AGAIN
 * where the room has been taken by others, or by the head of the next segment. */
static int append(tw_ingest *ing, tw_event *ev, tw_spool *sp, const tw_record_text *text,
                  tw_error **err)
{
    size_t most = text->head_size + text->tail_size + TW_MERGED_BYTES;
    tw_record_text whole = *text;
    tw_spool_text piece = piece_of(text);
    tw_merge merge;
    uint64_t id = 0;
    int room;
    int rc;

    if (ing->coalesce == NULL)
        return tw__spool_append(&id, sp, &piece, 1, err);
    room = tw__spool_fits(sp, most) && tw__spool_has_room(sp, most);
    pthread_mutex_lock(&ing->lock);
    (void)tw__coalesce_enter(&merge, ing, ev, &whole, room ? TW_ENTER : TW_ENTER_AS_IS);
    pthread_mutex_unlock(&ing->lock);
    piece = piece_of(&whole);
    rc = tw__spool_append(&id, sp, &piece, 1, err);
    pthread_mutex_lock(&ing->lock);
    tw__coalesce_leave(&merge, ing, ev, rc == TW_OK, id);
    pthread_mutex_unlock(&ing->lock);
    return rc;
}

int tw__store_put(tw_ingest *ing, tw_event *ev, const tw_record_text *text,
                  tw_error **err)
{
    size_t size = text->head_size + text->tail_size;
    tw_spool *sp = tw__store_use(ing);
    int rc;

    if (sp == NULL)
        return tw__error(err, TW_E_CLOSED, "the client was closed");
    for (;;) {
        rc = tw__spool_has_room(sp, size) ? TW_OK : full(ing, ev, sp, size, err);
        if (rc != TW_OK)
            break;
        rc = append(ing, ev, sp, text, err);
        if (rc == TW_E_QUEUE_FULL)
            disk_failed(ing);
        if (rc != TW_AGAIN)
            break;
    }
    tw__store_unuse(ing);
    return rc;
}

/* Some of the events on their way into the spool. */
typedef struct group {
    tw_spool_text pieces[GROUP];
    tw_merge merges[GROUP]; /* where events are merged */
    size_t count;
    size_t size;
} group;

/* As many of the events as may go together. Nonzero where one has no text. @locks needs lock where
 * events are merged */
static int group_enter(group *all, tw_ingest *ing, tw_event **evs, size_t count)
{
    for (all->count = all->size = 0; all->count < count; all->count++) {
        tw_event *ev = evs[all->count];
        tw_record_text text;

        if (tw__event_freeze(ev, &text, NULL) != TW_OK)
            return 1;
        if (tw__coalesce_enter(&all->merges[all->count], ing, ev, &text,
                               all->count == 0 ? TW_ENTER : TW_ENTER_NEXT) == TW_AGAIN)
            return 0;
        all->pieces[all->count] = piece_of(&text);
        all->size += text.head_size + text.tail_size;
    }
    return 0;
}

/* @locks needs lock where events are merged */
static void group_leave(group *all, tw_ingest *ing, tw_event **evs, int accepted,
                        uint64_t id)
{
    size_t i;

    for (i = 0; i < all->count; i++)
        tw__coalesce_leave(&all->merges[i], ing, evs[i], accepted, id + i);
}

/* The first `*count`, of which some may be left, in one go; or TW_AGAIN where that cannot be. */
static int put_group(tw_ingest *ing, tw_event **evs, size_t *count, tw_error **err)
{
    int merging = ing->coalesce != NULL;
    tw_spool *sp = tw__store_use(ing);
    uint64_t id = 0;
    group all;
    int rc = TW_AGAIN;

    if (sp == NULL)
        return tw__error(err, TW_E_CLOSED, "the client was closed");
    if (merging)
        pthread_mutex_lock(&ing->lock);
    if (group_enter(&all, ing, evs, *count) == 0)
        rc = TW_OK;
    if (merging)
        pthread_mutex_unlock(&ing->lock);
    if (rc == TW_OK)
        rc = tw__spool_has_room(sp, all.size)
                 ? tw__spool_append(&id, sp, all.pieces, all.count, NULL)
                 : TW_AGAIN;
    if (rc == TW_E_QUEUE_FULL)
        disk_failed(ing);
    if (rc != TW_OK)
        rc = TW_AGAIN;
    if (merging) {
        pthread_mutex_lock(&ing->lock);
        group_leave(&all, ing, evs, rc == TW_OK, id);
        pthread_mutex_unlock(&ing->lock);
    }
    tw__store_unuse(ing);
    *count = all.count;
    return rc;
}

int tw__store_put_many(tw_ingest *ing, tw_event **evs, size_t count, size_t *accepted,
                       tw_error **err)
{
    size_t most = GROUP;

    while (*accepted < count) {
        tw_event **from = evs + *accepted;
        size_t together = count - *accepted < most ? count - *accepted : most;
        int rc = put_group(ing, from, &together, err);

        if (rc == TW_AGAIN && together > GROUP_SMALL) {
            most = GROUP_SMALL;
            continue;
        }
        if (rc == TW_AGAIN) {
            tw_record_text text;

            together = 1;
            rc = tw__event_freeze(*from, &text, err);
            if (rc == TW_OK)
                rc = tw__store_put(ing, *from, &text, err);
        }
        if (rc != TW_OK)
            return rc;
        *accepted += together;
    }
    return TW_OK;
}

/* ---- reading back ------------------------------------------------------------------ */

/* Records that the spool did not give back. @locks needs lock */
static void lose(tw_ingest *ing, uint64_t from, uint64_t past)
{
    tw_flush *flush;

    if (past <= from)
        return;
    ing->finals[TW_FINAL_LOST] += past - from;
    ing->waiting -= past - from;
    ing->spilled -= past - from;
    for (flush = ing->flushes; flush != NULL; flush = flush->next) {
        if (from < flush->mark) {
            uint64_t count = (past < flush->mark ? past : flush->mark) - from;

            flush->left -= count;
            flush->finals[TW_FINAL_LOST] += count;
        }
    }
}

int tw__store_add(const tw_ingest *ing, tw_batch *batch, const tw_spool_item *item,
                  const tw_batch_limits *limits)
{
    tw_record_text text = {item->text, item->size, "", 0};
    tw_record *record;

    if (tw__batch_count(batch) != 0 && !tw__batch_fits(batch, item->size, limits))
        return TW_AGAIN;
    if (tw__batch_add(batch, &text, item->id,
                      tw__ingest_steady_of(ing, item->accepted_ms)) != TW_OK)
        return TW_E_NOMEM;
    record = &batch->records[batch->count - 1];
    if (item->sent_ms >= 0)
        record->sent_ms = tw__ingest_steady_of(ing, item->sent_ms);
    record->maybe = item->sent_ms >= 0;
    batch->resent |= record->maybe;
    return TW_OK;
}

tw_batch *tw__store_begin(tw_ingest *ing, const tw_batch_list *list, int wanted,
                          int force, tw_batch_limits *limits)
{
    tw_batch *batch = NULL;

    pthread_mutex_lock(&ing->lock);
    *limits = ing->settings.use_batch != TW_BATCH_NEVER ? ing->batch_limits : ing->limits;
    if (wanted && list->head == NULL && (force || in_window(ing, 0)) && !ing->canceled)
        (void)tw__ingest_batch(&batch, ing);
    pthread_mutex_unlock(&ing->lock);
    return batch;
}

void tw__store_end(tw_ingest *ing, tw_batch_list *list, tw_batch *batch)
{
    if (tw__batch_count(batch) == 0) {
        tw__ingest_recycle(ing, batch);
        return;
    }
    ing->mem_events += tw__batch_count(batch);
    ing->mem_bytes += tw__batch_bytes(batch);
    tw__batch_push(list, batch);
}

/* What was read back goes to the others, and what the disk holds begins at `from`. Events that come
 * from now on go through memory if that was all. @locks needs lock */
static void own_end(tw_ingest *ing, tw_batch *batch, uint64_t from)
{
    ing->spill_from = from;
    if (ing->spilled == 0) {
        ing->waiting_bytes -= ing->spilled_bytes; /* of those that were lost */
        ing->spilled_bytes = 0;
    }
    tw__store_end(ing, &ing->ready, batch);
}

/* The record at hand is in the batch. Nonzero when it was the last of them: from then on the
 * batch is not the caller's any more. */
static int own_taken(tw_ingest *ing, tw_batch *batch, uint64_t from)
{
    int last;

    pthread_mutex_lock(&ing->lock);
    lose(ing, from, ing->own.id);
    ing->spilled--;
    ing->spilled_bytes -= ing->own.size;
    last = ing->spilled == 0;
    if (last)
        own_end(ing, batch, ing->own.id + 1);
    pthread_mutex_unlock(&ing->lock);
    return last;
}

/* Ours that are on the disk only. */
static void refill_own(tw_ingest *ing, tw_spool *sp, int force)
{
    tw_batch_limits limits;
    tw_batch *batch;
    uint64_t from;
    uint64_t past;
    int wanted;
    int rc = TW_OK;

    pthread_mutex_lock(&ing->lock);
    wanted = ing->spilled != 0;
    from = ing->spill_from;
    past = ing->next_seq;
    pthread_mutex_unlock(&ing->lock);
    batch = tw__store_begin(ing, &ing->ready, wanted, force, &limits);
    if (batch == NULL)
        return;
    for (;;) {
        int last;

        if (ing->own.text == NULL)
            rc = tw__spool_reread(&ing->own, sp, from, NULL);
        if (rc == TW_OK)
            rc = tw__store_add(ing, batch, &ing->own, &limits);
        if (rc != TW_OK)
            break;
        last = own_taken(ing, batch, from);
        from = ing->own.id + 1;
        ing->own.text = NULL;
        if (last) /* what comes behind it is in memory */
            return;
    }
    if (rc < 0)
        disk_failed(ing);
    pthread_mutex_lock(&ing->lock);
    if (rc < 0)
        ing->reread_due_ms = tw__ms_add(tw__monotonic_ms(), REREAD_MS);
    if (rc == TW_DONE && from < past) {
        lose(ing, from, past);
        from = past;
    }
    own_end(ing, batch, from);
    pthread_mutex_unlock(&ing->lock);
}

/* One of dead processes, or one that was uncertain, comes in. @locks needs lock */
static void count_foreigner(tw_ingest *ing, const tw_spool_item *item)
{
    tw_flush *flush;

    ing->waiting++;
    ing->waiting_bytes += item->size;
    ing->foreign += item->id >= TW_FOREIGN_SEQ;
    ing->recovered += !item->revived;
    ing->revived += item->revived != 0;
    for (flush = ing->flushes; flush != NULL; flush = flush->next) {
        if (item->id >= flush->mark)
            continue;
        flush->left++;
        if (item->revived)
            flush->finals[TW_FINAL_UNCERTAIN]--;
        else
            flush->recovered++;
    }
}

static void refill_backlog(tw_ingest *ing, tw_spool *sp, int force)
{
    tw_batch_limits limits;
    tw_batch *batch =
        tw__store_begin(ing, &ing->backlog, ing->backlog_left, force, &limits);
    uint64_t asked;
    int rc = TW_OK;

    if (batch == NULL)
        return;
    pthread_mutex_lock(&ing->lock);
    asked = ing->backlog_asked;
    pthread_mutex_unlock(&ing->lock);
    while (rc == TW_OK) {
        if (ing->foreigner.text == NULL)
            rc = tw__spool_next(&ing->foreigner, sp, NULL);
        if (rc == TW_OK)
            rc = tw__store_add(ing, batch, &ing->foreigner, &limits);
        if (rc != TW_OK)
            break;
        pthread_mutex_lock(&ing->lock);
        count_foreigner(ing, &ing->foreigner);
        pthread_mutex_unlock(&ing->lock);
        ing->foreigner.text = NULL;
    }
    pthread_mutex_lock(&ing->lock);
    if (rc < 0)
        ing->reread_due_ms = tw__ms_add(tw__monotonic_ms(), REREAD_MS);
    /* Not before: a drain is over when nothing is left. There may be more by now. */
    ing->backlog_left = rc != TW_DONE || asked != ing->backlog_asked;
    tw__store_end(ing, &ing->backlog, batch);
    pthread_mutex_unlock(&ing->lock);
}

/* With `force` also where memory has no room. @locks needs reading */
static void refill(tw_ingest *ing, tw_spool *sp, int force)
{
    if (tw__monotonic_ms() >= ing->reread_due_ms) {
        refill_own(ing, sp, force);
        refill_backlog(ing, sp, force);
    }
    if (!force)
        tw__park_refill(ing, sp);
}

void tw__store_refill(tw_ingest *ing)
{
    tw_spool *sp = tw__store_use(ing);

    if (sp == NULL)
        return;
    pthread_mutex_lock(&ing->reading);
    refill(ing, sp, 0);
    pthread_mutex_unlock(&ing->reading);
    tw__store_unuse(ing);
}

/* ---- attempts and ends ------------------------------------------------------------- */

/* An error here leaves the note in the spool's memory, which writes it with the next: the
 * event is sent all the same, because a full disk must not keep it from being sent. */
void tw__store_mark(tw_ingest *ing, tw_batch *batch)
{
    int64_t now = tw__ingest_steady(ing);
    tw_spool *sp = tw__store_use(ing);
    size_t count = 0;
    uint32_t i;

    tw__store_settle(ing); /* its list is borrowed */
    for (i = batch->first; i < batch->count; i++) {
        if (batch->records[i].sent_ms >= 0)
            continue;
        batch->records[i].sent_ms = now;
        if (sp != NULL)
            ing->ended[count++] = batch->records[i].seq;
    }
    if (sp == NULL)
        return;
    if (count != 0)
        (void)tw__spool_mark_sent(sp, ing->ended, count, tw__wall_ms(), NULL);
    tw__store_unuse(ing);
}

void tw__store_unmark(tw_ingest *ing, tw_batch *batch)
{
    tw_spool *sp = tw__store_use(ing);
    size_t count = 0;
    uint32_t i;

    tw__store_settle(ing); /* its list is borrowed */
    for (i = batch->first; i < batch->count; i++) {
        if (batch->records[i].maybe)
            continue;
        batch->records[i].sent_ms = -1;
        if (sp != NULL)
            ing->ended[count++] = batch->records[i].seq;
    }
    if (sp == NULL)
        return;
    if (count != 0)
        (void)tw__spool_unmark_sent(sp, ing->ended, count, NULL);
    tw__store_unuse(ing);
}

/* What carries them must be on the disk before they are gone from it, and they must be gone before
 * it is sent: else they could be sent after it, and after what comes behind it. */
int tw__store_carried(tw_ingest *ing, const uint64_t *ids, size_t count)
{
    tw_spool *sp = tw__store_use(ing);
    int rc = TW_OK;

    if (sp == NULL)
        return ing->ended == NULL ? TW_OK : TW_E_CLOSED;
    if (!ing->settings.durable)
        rc = tw__spool_sync(sp, NULL);
    if (rc == TW_OK)
        rc = tw__spool_ack(sp, ids, count, NULL);
    if (rc == TW_OK)
        rc = tw__spool_sync(sp, NULL);
    tw__store_unuse(ing);
    return rc;
}

void tw__store_settle(tw_ingest *ing)
{
    tw_spool *sp;

    if (ing->ended_count + ing->aside_count == 0)
        return;
    sp = tw__store_use(ing);
    if (sp != NULL) {
        if (ing->aside_count != 0)
            (void)tw__spool_set_aside(sp, ing->asides, ing->aside_count, NULL);
        if (ing->ended_count != 0)
            (void)tw__spool_ack(sp, ing->ended, ing->ended_count, NULL);
        tw__store_unuse(ing);
    }
    ing->ended_count = 0;
    ing->aside_count = 0;
    pthread_mutex_lock(&ing->lock);
    tw__ingest_tell_room(ing);
    pthread_mutex_unlock(&ing->lock);
}

/* ---- the clock --------------------------------------------------------------------- */

void tw__store_tick(tw_ingest *ing, int64_t now)
{
    tw_spool *sp = tw__store_use(ing);
    int unsynced;

    if (sp == NULL)
        return;
    pthread_mutex_lock(&ing->lock);
    if (ing->unsynced && ing->sync_due_ms == 0)
        ing->sync_due_ms = tw__ms_add(now, ing->settings.sync_interval_ms);
    unsynced = ing->unsynced && now >= ing->sync_due_ms;
    if (unsynced) {
        ing->unsynced = 0;
        ing->sync_due_ms = 0;
    }
    pthread_mutex_unlock(&ing->lock);
    /* A failure: the spool has moved what was accepted elsewhere, or tries to again. */
    if (unsynced && tw__spool_sync(sp, NULL) != TW_OK) {
        pthread_mutex_lock(&ing->lock);
        ing->unsynced = 1;
        pthread_mutex_unlock(&ing->lock);
        ing->sync_due_ms = tw__ms_add(now, ing->settings.sync_interval_ms);
    }
    tw__spool_prepare(sp);
    if (now >= ing->adopt_due_ms) {
        ing->adopt_due_ms = tw__ms_add(now, ADOPT_MS);
        (void)tw__spool_adopt(sp, NULL);
        pthread_mutex_lock(&ing->lock);
        ing->backlog_left = 1; /* or not: next tells */
        ing->backlog_asked++;
        pthread_mutex_unlock(&ing->lock);
    }
    tw__store_unuse(ing);
}

int64_t tw__store_due(const tw_ingest *ing)
{
    int64_t due = INT64_MAX;

    if (ing->spool == NULL || ing->spool_over)
        return due;
    due = ing->adopt_due_ms;
    if (ing->unsynced && ing->sync_due_ms < due)
        due = ing->sync_due_ms;
    if ((ing->backlog_left || ing->spilled != 0) && ing->reread_due_ms < due &&
        ing->reread_due_ms > tw__monotonic_ms())
        due = ing->reread_due_ms;
    return due;
}

int tw__ingest_resend_uncertain(uint64_t *count, tw_ingest *ing, tw_error **err)
{
    tw_spool *sp = tw__store_use(ing);
    int rc;

    *count = 0;
    if (sp == NULL)
        return TW_OK; /* memory keeps none */
    pthread_mutex_lock(&ing->reading);
    rc = tw__spool_revive(count, sp, err);
    pthread_mutex_unlock(&ing->reading);
    tw__store_unuse(ing);
    if (*count == 0)
        return rc;
    pthread_mutex_lock(&ing->lock);
    ing->backlog_left = 1;
    ing->backlog_asked++;
    pthread_mutex_unlock(&ing->lock);
    tw__loop_post(ing->loop, &ing->task);
    return rc;
}
