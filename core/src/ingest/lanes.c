/* SPDX-License-Identifier: MIT */
/* Users and devices that the server throttles: their events wait, in order, others go on. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "ingest/ingest_internal.h"
#include "ingest/lanes.h"
#include "ingest/members.h"

enum {
    HOLDS_MOST = 1 << 16,
    /* Events of one id are counted over 30 s, of which /2/httpapi takes 30 a second and /batch
     * 1,000 (Amplitude HTTP V2 and Batch API docs, read 2026-11-23). */
    PERIOD_MS = 30000,
    STEP_HTTPAPI = 30 * 30,
    STEP_BATCH = 1000 * 30
};

/* ---- the lanes of a record --------------------------------------------------------- */

uint64_t tw__lane_of(char kind, const char *id, size_t size)
{
    return tw__hash((unsigned char)kind, id, size);
}

/* The id as the server writes it: without quotes and escapes. `rd` is scratch; without it one
 * with escapes is taken for another. */
static uint64_t lane_of_member(tw_json_reader *rd, const tw_member *member)
{
    const char *text = member->value;
    size_t size = member->size;
    tw_json_token token;

    if (size >= 2 && text[0] == '"') {
        if (memchr(text, '\\', size) == NULL)
            return tw__lane_of(member->key[0], text + 1, size - 2);
        if (rd != NULL && tw_json_reader_start(rd, text, size) == TW_OK &&
            tw_json_reader_next(rd, &token) == TW_OK && token.kind == TW_JSON_STRING)
            return tw__lane_of(member->key[0], token.text, token.size);
    }
    return tw__lane_of(member->key[0], text, size);
}

/* Of its user and its device, 0 where it names none; who names neither is of its groups. */
static void lanes_of(uint64_t lanes[2], tw_json_reader *rd, const char *text, size_t size)
{
    const char *at = tw__members_begin(text);
    uint64_t groups = 0;
    tw_member member;

    lanes[0] = lanes[1] = 0;
    for (at = tw__members_next(&member, at, text + size); at != NULL;
         at = tw__members_next(&member, at, text + size)) {
        if (member.size == 4 && member.value[0] == 'n')
            continue; /* null: absent */
        if (tw__member_is(&member, "user_id"))
            lanes[0] = lane_of_member(rd, &member);
        else if (tw__member_is(&member, "device_id"))
            lanes[1] = lane_of_member(rd, &member);
        else if (tw__member_is(&member, "groups"))
            groups = lane_of_member(rd, &member);
    }
    if (lanes[0] == 0 && lanes[1] == 0)
        lanes[0] = groups;
}

static void lanes_of_record(uint64_t lanes[2], const tw_ingest *ing,
                            const tw_batch *batch, size_t index)
{
    const tw_record *record = &batch->records[batch->first + index];

    lanes_of(lanes, ing->rd, batch->data + record->at, record->size);
}

/* ---- what is held ------------------------------------------------------------------ */

static size_t hold_find(const tw_ingest *ing, uint64_t lane)
{
    size_t low = 0;
    size_t high = ing->hold_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (ing->holds[mid].lane < lane)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* As many as the server takes of one id in the 30 s over which it counts, where they go. */
static uint32_t step_most(const tw_ingest *ing)
{
    return ing->settings.use_batch != TW_BATCH_NEVER ? STEP_BATCH : STEP_HTTPAPI;
}

/* Shuts the lane. Each answer that does so halves what may pass once it is open again. */
static int hold_put(tw_ingest *ing, uint64_t lane, int64_t due_ms)
{
    size_t at = hold_find(ing, lane);
    tw_hold *hold;

    if (at == ing->hold_count || ing->holds[at].lane != lane) {
        if (ing->hold_count == ing->hold_room) {
            size_t room = ing->hold_room != 0 ? ing->hold_room * 2 : 16;
            tw_hold *more = NULL;

            if (room <= HOLDS_MOST)
                more = tw__realloc(ing->holds, room * sizeof *more);
            if (more == NULL)
                return TW_E_NOMEM;
            ing->holds = more;
            ing->hold_room = room;
        }
        memmove(ing->holds + at + 1, ing->holds + at,
                (ing->hold_count - at) * sizeof *ing->holds);
        memset(&ing->holds[at], 0, sizeof *ing->holds);
        ing->holds[at].lane = lane;
        ing->holds[at].step = step_most(ing);
        ing->hold_count++;
    }
    hold = &ing->holds[at];
    if (hold->shut && hold->due_ms == due_ms)
        return TW_OK; /* another event of the same answer */
    if (hold->step > 1 && hold->due_ms != 0)
        hold->step /= 2;
    hold->shut = 1;
    hold->swept = 0;
    hold->left = 0;
    hold->due_ms = due_ms;
    return TW_OK;
}

/* Begins the next period of those whose time has come, and forgets those for which nobody had to
 * wait. */
static void holds_tick(tw_ingest *ing, int64_t now)
{
    size_t kept = 0;
    size_t i;

    for (i = 0; i < ing->hold_count; i++) {
        tw_hold *hold = &ing->holds[i];

        if (hold->due_ms <= now) {
            if (!hold->shut && !hold->missed && hold->past == 0)
                continue;
            if (!hold->shut)
                hold->step =
                    hold->step < step_most(ing) / 2 ? hold->step * 2 : step_most(ing);
            hold->shut = 0;
            hold->missed = 0;
            hold->left = hold->step;
            hold->due_ms = tw__ms_add(now, PERIOD_MS);
        }
        ing->holds[kept++] = *hold;
    }
    ing->hold_count = kept;
}

/* What holds the record, or may: as many as are returned. */
static int holds_of(tw_hold *holds[2], const tw_ingest *ing, tw_json_reader *rd,
                    const char *text, size_t size)
{
    uint64_t lanes[2];
    int count = 0;
    int i;

    lanes_of(lanes, rd, text, size);
    for (i = 0; i < 2; i++) {
        size_t at = hold_find(ing, lanes[i]);

        if (lanes[i] != 0 && at < ing->hold_count && ing->holds[at].lane == lanes[i])
            holds[count++] = &ing->holds[at];
    }
    return count;
}

/* With records of it on the disk only, nothing overtakes these. */
static int hold_lets(const tw_hold *hold, int swept)
{
    return !hold->shut && hold->left > 0 && (hold->past == 0 || (swept && hold->swept));
}

static int holds_let(tw_hold *const holds[2], int count, int swept)
{
    int i;

    for (i = 0; i < count; i++) {
        if (!hold_lets(holds[i], swept))
            return 0;
    }
    for (i = 0; i < count; i++)
        holds[i]->left--;
    return 1;
}

/* The record is, or will be, on the disk only because of it. */
static void hold_park(tw_hold *hold, uint64_t id)
{
    if (hold->past == 0 || id < hold->from)
        hold->from = id;
    if (id >= hold->past)
        hold->past = id + 1;
}

/* Until when the record is held; 0 where it is not, or not any more. */
static int64_t held_until(tw_ingest *ing, tw_batch *batch, size_t index)
{
    tw_record *record = &batch->records[batch->first + index];
    tw_hold *holds[2];
    int64_t due = 0;
    int count = holds_of(holds, ing, ing->rd, batch->data + record->at, record->size);
    int shut = 0;
    int i;

    for (i = 0; i < count; i++)
        shut |= holds[i]->shut;
    if (count == 0 || (record->let && !shut))
        return 0;
    record->let = (unsigned char)holds_let(holds, count, 0);
    for (i = 0; i < count && !record->let; i++) {
        if (hold_lets(holds[i], 0))
            continue;
        holds[i]->missed = 1;
        if (ing->ended != NULL)
            hold_park(holds[i], record->seq);
        if (record->seq < ing->sweep_at)
            holds[i]->swept = 0; /* which has passed it: the next one begins there */
        if (holds[i]->due_ms > due)
            due = holds[i]->due_ms;
    }
    return due;
}

/* How long the server's answer holds the lane; -1 where it does not name it. */
static int64_t named_wait(const tw_verdict *verdict, uint64_t lane)
{
    int64_t wait = -1;
    size_t i;

    for (i = 0; lane != 0 && i < verdict->name_count; i++) {
        const tw_named *name = &verdict->names[i];

        /* Of one that is both too fast and over its quota the shorter wait is tried. */
        if (name->lane == lane && (wait < 0 || name->wait_ms < wait))
            wait = name->wait_ms;
    }
    return wait;
}

int tw__lanes_hold(tw_ingest *ing, const tw_batch *batch, size_t index,
                   const tw_verdict *verdict, int64_t now)
{
    int listed = verdict->marks[index] == TW_MARK_HOLD;
    uint64_t lanes[2];
    int held = 0;
    int i;

    lanes_of_record(lanes, ing, batch, index);
    for (i = 0; i < 2; i++) {
        int64_t wait = named_wait(verdict, lanes[i]);

        if (wait < 0)
            continue;
        if (hold_put(ing, lanes[i], tw__ms_add(now, wait)) != TW_OK)
            return TW_E_NOMEM;
        held = 1;
    }
    if (held || !listed)
        return TW_OK;
    /* Listed, but the server does not say whether for its user or its device. */
    return hold_put(ing, lanes[0] != 0 ? lanes[0] : lanes[1],
                    tw__ms_add(now, verdict->wait_ms));
}

/* ---- setting apart ----------------------------------------------------------------- */

/* The batch for records that are due then. @locks needs lock */
static tw_batch *held_batch(tw_ingest *ing, int64_t due, size_t count)
{
    tw_batch *batch;

    for (batch = ing->held.head; batch != NULL; batch = batch->next) {
        if (batch->laned && batch->due_ms == due &&
            tw__batch_count(batch) + count <= TW_BATCH_EVENTS_MAX &&
            tw__batch_body_size(batch) <= ing->limits.bytes) /* roughly: it may be cut */
            return batch;
    }
    if (tw__batch_new(&batch, ing->head_size) != TW_OK) /* the spare ones are large */
        return NULL;
    batch->due_ms = due;
    batch->laned = 1;
    batch->use_batch =
        ing->settings.use_batch != TW_BATCH_NEVER; /* which takes more a second */
    tw__batch_push(&ing->held, batch);
    return batch;
}

/* Marks the records that are due together with the first that is held and not marked yet:
 * that time, or 0. */
static int64_t mark_next(const int64_t *dues, size_t all, unsigned char *marks,
                         unsigned char mark, size_t *marked)
{
    int64_t due = 0;
    size_t i;

    *marked = 0;
    for (i = 0; i < all; i++) {
        if (marks[i] != 0 || dues[i] == 0 || (due != 0 && dues[i] != due))
            continue;
        due = dues[i];
        marks[i] = mark;
        ++*marked;
    }
    return due;
}

/* Nonzero when one of them is held. */
static int dues_find(int64_t *dues, tw_ingest *ing, tw_batch *batch)
{
    size_t count = tw__batch_count(batch);
    int any = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        dues[i] = held_until(ing, batch, i);
        any |= dues[i] != 0;
    }
    return any;
}

int tw__lanes_part(tw_ingest *ing, tw_batch *batch, int64_t now)
{
    int64_t dues[TW_BATCH_EVENTS_MAX] = {0};
    unsigned char marks[TW_BATCH_EVENTS_MAX] = {0};
    unsigned char mark;
    size_t all = tw__batch_count(batch);
    size_t count;
    int any = 0;
    size_t i;

    if (ing->hold_count != 0)
        holds_tick(ing, now);
    if (ing->hold_count == 0 || !dues_find(dues, ing, batch))
        return 0;
    for (mark = 1; mark < UINT8_MAX; mark++) {
        int64_t due = mark_next(dues, all, marks, mark, &count);
        tw_batch *into = due != 0 ? held_batch(ing, due, count) : NULL;
        int rc = into != NULL ? tw__batch_copy(into, batch, marks, mark) : TW_OK;

        if (due == 0)
            break;
        if (into == NULL || rc != TW_OK) { /* no memory: they are sent, and held then */
            for (i = 0; i < all; i++)
                marks[i] = marks[i] == mark ? UINT8_MAX : marks[i];
            break;
        }
        into->resent |= batch->resent;
        any = 1;
    }
    if (any) {
        for (i = 0; i < all; i++)
            marks[i] = marks[i] == UINT8_MAX ? 0 : marks[i];
        tw__batch_keep(batch, marks, 0);
    }
    return any;
}

int tw__lanes_crowd(const tw_ingest *ing, const char *text, size_t size)
{
    const tw_batch *batch;
    tw_hold *holds[2];
    uint64_t events = 0;
    uint64_t bytes = 0;

    if (ing->hold_count == 0 || (ing->waiting <= ing->settings.queue_events / 2 &&
                                 ing->waiting_bytes <= ing->settings.queue_bytes / 2))
        return 0;
    for (batch = ing->held.head; batch != NULL; batch = batch->next) {
        events += batch->laned ? tw__batch_count(batch) : 0;
        bytes += batch->laned ? tw__batch_bytes(batch) : 0;
    }
    return (events > ing->settings.queue_events / 2 ||
            bytes > ing->settings.queue_bytes / 2) &&
           holds_of(holds, ing, NULL, text, size) != 0;
}

/* ---- what is on the disk only ------------------------------------------------------ */

int tw__lanes_sweep_begin(tw_ingest *ing, uint64_t *from, int64_t now)
{
    int any = 0;
    size_t i;

    holds_tick(ing, now);
    for (i = 0; i < ing->hold_count; i++) {
        tw_hold *hold = &ing->holds[i];

        hold->swept = !hold->shut && hold->left > 0 && hold->past != 0;
        if (hold->swept && (!any || hold->from < *from))
            *from = hold->from;
        any |= hold->swept;
    }
    return any;
}

int tw__lanes_sweep_on(const tw_ingest *ing, uint64_t id)
{
    size_t i;

    for (i = 0; i < ing->hold_count; i++) {
        if (ing->holds[i].swept && id < ing->holds[i].past)
            return 1;
    }
    return 0;
}

int tw__lanes_sweep_let(tw_ingest *ing, const tw_spool_item *item)
{
    tw_hold *holds[2];
    int count = holds_of(holds, ing, ing->rd, item->text, item->size);
    int i;

    if (holds_let(holds, count, 1))
        return 1;
    for (i = 0; i < count; i++) {
        if (hold_lets(holds[i], 1))
            continue;
        holds[i]->missed = 1;
        if (holds[i]->swept) { /* what it may send now is used up */
            holds[i]->swept = 0;
            if (!ing->sweep_blind)
                holds[i]->from = item->id; /* from here on next time */
        }
        hold_park(holds[i], item->id);
    }
    return 0;
}

void tw__lanes_sweep_end(tw_ingest *ing)
{
    size_t i;

    for (i = 0; i < ing->hold_count; i++) {
        if (ing->holds[i].swept && !ing->sweep_blind)
            ing->holds[i].past = 0;
        ing->holds[i].swept = 0;
    }
}

int tw__lanes_open(const tw_ingest *ing)
{
    size_t i;

    for (i = 0; i < ing->hold_count; i++) {
        if (ing->holds[i].past != 0 && !ing->holds[i].shut && ing->holds[i].left > 0)
            return 1;
    }
    return 0;
}

int64_t tw__lanes_due(const tw_ingest *ing)
{
    int64_t due = tw__park_due(ing);
    size_t i;

    for (i = 0; i < ing->hold_count; i++) {
        const tw_hold *hold = &ing->holds[i];

        if (hold->past != 0 && (hold->shut || hold->left == 0) && hold->due_ms < due)
            due = hold->due_ms;
    }
    return due;
}
