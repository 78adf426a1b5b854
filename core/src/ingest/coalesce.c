/* SPDX-License-Identifier: MIT */
/* Identify events of one user that wait together become one. */
#include "ingest/coalesce.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "ingest/ingest_internal.h"
#include "ingest/merge.h"

/*
 * An $identify event that comes while the latest event of its user is one too, and waits in the
 * open batch, is accepted with the operations of both. The earlier one stays where it is, with the
 * number of its carrier. Right before a request that holds the two the earlier one is ended; where
 * the spool cannot be told so for certain, both are sent. That does no harm: see merge.c.
 *
 * Between the two no event may come whose user could be the same one: it would carry the earlier
 * properties. Which user an event without user_id is of, only the server knows; so none of these
 * may come either, and no event of the same device. The table has no keys: who shares a place with
 * others loses a merge, nothing else.
 */
enum { PLACES = 1024, NO_CARRIER = 0 };

typedef struct place {
    uint64_t last;   /* 1 + number of the latest event accepted; 0: none */
    unsigned coming; /* events that are on their way into the queue */
    int merging;     /* one of them is merged: the others wait for it */
} place;

struct tw_coalesce {
    pthread_cond_t merged;
    unsigned merging;
    place stranger; /* all events without a user_id */
    place places[PLACES];
};

int tw__coalesce_new(tw_coalesce **out)
{
    *out = tw__alloc_zero(1, sizeof **out);
    if (*out == NULL)
        return TW_E_NOMEM;
    pthread_cond_init(&(*out)->merged, NULL);
    return TW_OK;
}

void tw__coalesce_free(tw_coalesce *co)
{
    if (co == NULL)
        return;
    pthread_cond_destroy(&co->merged);
    tw__free(co);
}

/* ---- whose an event is ----------------------------------------------------------------- */

static uint16_t place_of(const char *text, const tw_event_rules *rules,
                         tw_event_note which)
{
    const tw_json_note *id = tw__event_rules_note(rules, which);

    return (uint16_t)(tw__hash(which, text + id->at, id->end - id->at) >> 32) % PLACES;
}

tw_identity tw__identity_of(const char *text, const tw_event_rules *rules)
{
    tw_identity whose = {0, 0, 0, rules->kind == TW_EVENT_IDENTIFY};

    if (!tw__event_rules_has_user_id(rules))
        return whose;
    whose.known = 1;
    whose.user = place_of(text, rules, TW_NOTE_USER_ID);
    whose.device = tw__event_rules_has_device_id(rules)
                       ? place_of(text, rules, TW_NOTE_DEVICE_ID)
                       : whose.user;
    return whose;
}

/* ---- on the way into the queue --------------------------------------------------------- */

static place *user_of(tw_coalesce *co, const tw_identity *whose)
{
    return whose->known ? &co->places[whose->user] : &co->stranger;
}

static place *device_of(tw_coalesce *co, const tw_identity *whose)
{
    return whose->known ? &co->places[whose->device] : &co->stranger;
}

/* Whether an event in the making must come first. */
static int is_held(tw_coalesce *co, const tw_identity *whose)
{
    return whose->known ? user_of(co, whose)->merging || device_of(co, whose)->merging
                        : co->merging != 0;
}

static int is_crossed(tw_coalesce *co, const tw_identity *whose)
{
    return co->stranger.coming != 0 || user_of(co, whose)->coming != 0 ||
           device_of(co, whose)->coming != 0;
}

/* The record with this number; they stand in order. */
static tw_record *record_find(const tw_batch *batch, uint64_t seq)
{
    uint32_t low = batch->first;
    uint32_t high = batch->count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (batch->records[mid].seq < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low < batch->count && batch->records[low].seq == seq ? &batch->records[low]
                                                                : NULL;
}

/* The event that may be absorbed, or NULL. @locks needs lock */
static const tw_record *candidate(tw_ingest *ing, const tw_identity *whose)
{
    tw_coalesce *co = ing->coalesce;
    uint64_t last = user_of(co, whose)->last;

    if (!whose->identify || !whose->known || ing->open == NULL || last == 0 ||
        last != device_of(co, whose)->last || last < co->stranger.last ||
        is_crossed(co, whose) || tw__flush_wants(ing, last - 1))
        return NULL;
    return record_find(ing->open, last - 1);
}

/* @locks needs lock */
static void merge(tw_merge *merge, tw_ingest *ing, const tw_identity *whose,
                  tw_record_text *text)
{
    const tw_record *before = candidate(ing, whose);
    const tw_batch *open = ing->open;
    const tw_batch_limits *limits = tw__limits_fresh(ing);
    tw_coalesce *co = ing->coalesce;
    char *merged;
    size_t size;

    if (before == NULL ||
        tw__merge_identify(&merged, &size, open->data + before->at, before->size,
                           text->head, text->head_size) != TW_OK)
        return;
    if (!tw__batch_fits(open, size + text->tail_size, limits)) {
        tw__free(merged); /* it would go into another request */
        return;
    }
    merge->text = merged;
    merge->absorbed = before->seq;
    text->head = merged;
    text->head_size = size;
    user_of(co, whose)->merging = 1;
    device_of(co, whose)->merging = 1;
    co->merging++;
}

int tw__coalesce_enter(tw_merge *out, tw_ingest *ing, const tw_event *ev,
                       tw_record_text *text, tw_entry how)
{
    tw_coalesce *co = ing->coalesce;
    const tw_identity *whose = &ev->whose;

    out->text = NULL;
    if (co == NULL)
        return TW_OK;
    if (how == TW_ENTER_NEXT &&
        (is_held(co, whose) || (whose->identify && is_crossed(co, whose))))
        return TW_AGAIN;
    while (is_held(co, whose))
        pthread_cond_wait(&co->merged, &ing->lock);
    if (how != TW_ENTER_AS_IS)
        merge(out, ing, whose, text);
    user_of(co, whose)->coming++;
    device_of(co, whose)->coming++;
    return TW_OK;
}

/* The earlier event is told of its carrier, where they go together. @locks needs lock */
static void carry(tw_ingest *ing, uint64_t absorbed, uint64_t seq)
{
    tw_record *before;

    if (ing->open == NULL || record_find(ing->open, seq) == NULL)
        return;
    before = record_find(ing->open, absorbed);
    /* A flush that waits for the earlier event waits for its operations, too. */
    if (before != NULL && !tw__flush_wants(ing, absorbed))
        before->carrier = seq + 1;
}

static void place_leave(place *where, uint64_t last)
{
    where->coming--;
    if (where->last < last)
        where->last = last;
}

void tw__coalesce_leave(tw_merge *done, tw_ingest *ing, const tw_event *ev, int accepted,
                        uint64_t seq)
{
    tw_coalesce *co = ing->coalesce;
    const tw_identity *whose = &ev->whose;
    uint64_t last = accepted ? seq + 1 : 0;

    if (co == NULL)
        return;
    place_leave(user_of(co, whose), last);
    place_leave(device_of(co, whose), last);
    if (done->text == NULL)
        return;
    user_of(co, whose)->merging = 0;
    device_of(co, whose)->merging = 0;
    co->merging--;
    pthread_cond_broadcast(&co->merged);
    if (accepted)
        carry(ing, done->absorbed, seq);
    tw__free(done->text);
    done->text = NULL;
}

/* ---- on the way out -------------------------------------------------------------------- */

typedef struct absorbed {
    unsigned char marks[TW_BATCH_EVENTS_MAX];
    uint16_t carriers[TW_BATCH_EVENTS_MAX]; /* by index: the event that is sent */
    uint64_t ids[TW_BATCH_EVENTS_MAX];
    size_t count;
} absorbed;

/* The events of the batch that are carried by others of it and were never sent. From the back: a
 * carrier may be carried itself. */
static void absorbed_find(absorbed *all, const tw_batch *batch)
{
    size_t i = tw__batch_count(batch);

    all->count = 0;
    memset(all->marks, 0, i);
    while (i-- > 0) {
        const tw_record *record = &batch->records[batch->first + i];
        const tw_record *carrier;
        size_t j;

        if (record->carrier == NO_CARRIER || record->sent_ms >= 0)
            continue;
        carrier = record_find(batch, record->carrier - 1);
        if (carrier == NULL)
            continue;
        j = (size_t)(carrier - batch->records) - batch->first;
        all->marks[i] = 1;
        all->carriers[i] = all->marks[j] ? all->carriers[j] : (uint16_t)j;
        all->ids[all->count++] = record->seq;
    }
}

/* @locks needs lock */
static void absorbed_end(tw_ingest *ing, tw_batch *batch, const absorbed *all)
{
    size_t count = tw__batch_count(batch);
    size_t i;

    for (i = 0; i < count; i++) {
        const tw_record *carrier;
        char *id = NULL;

        if (!all->marks[i])
            continue;
        carrier = &batch->records[batch->first + all->carriers[i]];
        if (ing->settings.outcomes)
            id = tw__insert_id_of(batch->data + carrier->at, carrier->size);
        tw__ingest_final(ing, batch, i, TW_FINAL_MERGED, 0, id);
        tw__free(id);
    }
    tw__batch_keep(batch, all->marks, 0);
    tw__ingest_tell_room(ing);
}

void tw__coalesce_settle(tw_ingest *ing, tw_batch *batch)
{
    absorbed all;

    if (ing->coalesce == NULL)
        return;
    absorbed_find(&all, batch);
    if (all.count == 0 || tw__store_carried(ing, all.ids, all.count) != TW_OK)
        return;
    pthread_mutex_lock(&ing->lock);
    absorbed_end(ing, batch, &all);
    pthread_mutex_unlock(&ing->lock);
}
