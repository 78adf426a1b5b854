/* SPDX-License-Identifier: MIT */
/* Users and devices that the server throttles: their events wait, in order, others go on. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "ingest/ingest_internal.h"
#include "ingest/lanes.h"
#include "ingest/members.h"

enum { HOLDS_MOST = 1 << 16 };

/* ---- the lanes of a record --------------------------------------------------------- */

uint64_t tw__lane_of(char kind, const char *id, size_t size)
{
    return tw__hash((unsigned char)kind, id, size);
}

/* The id as the server writes it: without quotes and escapes. */
static uint64_t lane_of_member(tw_json_reader *rd, const tw_member *member)
{
    const char *text = member->value;
    size_t size = member->size;
    tw_json_token token;

    if (size >= 2 && text[0] == '"') {
        if (memchr(text, '\\', size) == NULL)
            return tw__lane_of(member->key[0], text + 1, size - 2);
        if (tw_json_reader_start(rd, text, size) == TW_OK &&
            tw_json_reader_next(rd, &token) == TW_OK && token.kind == TW_JSON_STRING)
            return tw__lane_of(member->key[0], token.text, token.size);
    }
    return tw__lane_of(member->key[0], text, size);
}

/* Of its user and its device; 0 where it names none. */
static void lanes_of(uint64_t lanes[2], const tw_ingest *ing, const tw_batch *batch,
                     size_t index)
{
    const tw_record *record = &batch->records[batch->first + index];
    const char *text = batch->data + record->at;
    const char *at = tw__members_begin(text);
    tw_member member;

    lanes[0] = lanes[1] = 0;
    for (;;) {
        at = tw__members_next(&member, at, text + record->size);
        if (at == NULL)
            return;
        if (tw__member_is(&member, "user_id"))
            lanes[0] = lane_of_member(ing->rd, &member);
        else if (tw__member_is(&member, "device_id"))
            lanes[1] = lane_of_member(ing->rd, &member);
    }
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

static int hold_put(tw_ingest *ing, uint64_t lane, int64_t due_ms)
{
    size_t at = hold_find(ing, lane);

    if (at < ing->hold_count && ing->holds[at].lane == lane) {
        ing->holds[at].due_ms = due_ms;
        return TW_OK;
    }
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
    ing->holds[at].lane = lane;
    ing->holds[at].due_ms = due_ms;
    ing->hold_count++;
    return TW_OK;
}

static void holds_expire(tw_ingest *ing, int64_t now)
{
    size_t kept = 0;
    size_t i;

    for (i = 0; i < ing->hold_count; i++) {
        if (ing->holds[i].due_ms > now)
            ing->holds[kept++] = ing->holds[i];
    }
    ing->hold_count = kept;
}

/* Until when the record is held; 0 where it is not. */
static int64_t held_until(const tw_ingest *ing, const tw_batch *batch, size_t index)
{
    uint64_t lanes[2];
    int64_t due = 0;
    int i;

    lanes_of(lanes, ing, batch, index);
    for (i = 0; i < 2; i++) {
        size_t at = hold_find(ing, lanes[i]);

        if (lanes[i] != 0 && at < ing->hold_count && ing->holds[at].lane == lanes[i] &&
            ing->holds[at].due_ms > due)
            due = ing->holds[at].due_ms;
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

    lanes_of(lanes, ing, batch, index);
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
static tw_batch *held_batch(tw_ingest *ing, int64_t due, size_t count, int64_t now)
{
    tw_batch *batch;

    for (batch = ing->held.head; batch != NULL; batch = batch->next) {
        if (batch->due_ms == due &&
            tw__batch_count(batch) + count <= TW_BATCH_EVENTS_MAX &&
            tw__batch_body_size(batch) <= ing->limits.bytes) /* roughly: it may be cut */
            return batch;
    }
    if (tw__ingest_batch(&batch, ing) != TW_OK)
        return NULL;
    batch->since_ms = now;
    batch->due_ms = due;
    batch->use_batch =
        ing->settings.use_batch != TW_BATCH_NEVER; /* which takes more a second */
    tw__batch_push(&ing->held, batch);
    return batch;
}

/* Marks the records that are due together with the first that is held and not marked yet:
 * that time, or 0. */
static int64_t mark_next(const tw_ingest *ing, const tw_batch *batch,
                         unsigned char *marks, unsigned char mark, size_t *marked)
{
    size_t count = tw__batch_count(batch);
    int64_t due = 0;
    size_t i;

    *marked = 0;
    for (i = 0; i < count; i++) {
        int64_t until = marks[i] == 0 ? held_until(ing, batch, i) : 0;

        if (until == 0 || (due != 0 && until != due))
            continue;
        due = until;
        marks[i] = mark;
        ++*marked;
    }
    return due;
}

int tw__lanes_part(tw_ingest *ing, tw_batch *batch, int64_t now)
{
    unsigned char marks[TW_BATCH_EVENTS_MAX] = {0};
    unsigned char mark;
    size_t count;
    int any = 0;

    if (ing->hold_count != 0)
        holds_expire(ing, now);
    if (ing->hold_count == 0)
        return 0;
    for (mark = 1; mark < UINT8_MAX; mark++) {
        int64_t due = mark_next(ing, batch, marks, mark, &count);
        tw_batch *into = due != 0 ? held_batch(ing, due, count, now) : NULL;
        int rc = into != NULL ? tw__batch_copy(into, batch, marks, mark) : TW_OK;

        if (due == 0)
            break;
        if (into == NULL || rc != TW_OK) { /* no memory: they are sent, and held then */
            size_t i;

            for (i = 0; i < tw__batch_count(batch); i++)
                marks[i] = marks[i] == mark ? UINT8_MAX : marks[i];
            break;
        }
        into->resent |= batch->resent;
        any = 1;
    }
    if (any) {
        size_t i;

        for (i = 0; i < tw__batch_count(batch); i++)
            marks[i] = marks[i] == UINT8_MAX ? 0 : marks[i];
        tw__batch_keep(batch, marks, 0);
    }
    return any;
}
