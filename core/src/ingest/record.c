/* SPDX-License-Identifier: MIT */
/* From an event being written to the frozen record. */
#include "ingest/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

enum { UUID_SIZE = 36 };
#define YEAR_2010_MS INT64_C(1262304000000)

int tw__event_new(tw_event **out, struct tw_ingest *ing, size_t max_bytes,
                  const tw_event_looks *looks, unsigned mends, tw_error **err)
{
    tw_json_writer_options options = TW_JSON_WRITER_OPTIONS_INIT;
    tw_event *ev;
    int rc;

    *out = NULL;
    ev = tw__alloc_zero(1, sizeof *ev);
    if (ev == NULL)
        return tw__error_nomem(err);
    options.max_bytes = max_bytes;
    options.mends = mends;
    rc = tw_json_writer_new(&ev->wr, &options, err);
    if (rc != TW_OK) {
        tw__free(ev);
        return rc;
    }
    tw__event_rules_init(&ev->rules, looks);
    tw__event_rules_start(&ev->rules, ev->wr);
    ev->ing = ing;
    ev->give_up_ms = -1;
    *out = ev;
    return TW_OK;
}

void tw__event_free(tw_event *ev)
{
    if (ev == NULL)
        return;
    tw_json_writer_free(ev->wr);
    tw__free(ev);
}

void tw__event_reset(tw_event *ev)
{
    tw_json_writer_reset(ev->wr);
    tw__event_rules_start(&ev->rules, ev->wr);
    ev->frozen = 0;
    ev->prepared = 0;
    ev->clock_suspect = 0;
    ev->tail_size = 0;
    ev->give_up_ms = -1;
}

/* Digits of a positive number; snprintf would cost more than the rest of the freeze. */
static size_t put_time(char *out, int64_t ms)
{
    char digits[24];
    size_t n = sizeof digits;
    uint64_t left = ms > 0 ? (uint64_t)ms : 0;

    do {
        digits[--n] = (char)('0' + left % 10);
        left /= 10;
    } while (left != 0);
    memcpy(out, digits + n, sizeof digits - n);
    return sizeof digits - n;
}

/* The time of an event that has none. A machine without a battery begins in 1970. */
static int64_t stamp(tw_event *ev)
{
    int64_t now = tw__wall_ms();

    ev->clock_suspect = now < YEAR_2010_MS;
    return now;
}

static size_t put_insert_id(char *out)
{
    out[0] = '"';
    tw__random_uuid(out + 1);
    out[1 + UUID_SIZE] = '"';
    return UUID_SIZE + 2;
}

/* The text grew at `at`. */
static void notes_move(tw_json_note *notes, size_t at, size_t more)
{
    size_t i;

    for (i = 0; i < TW__NOTES; i++) {
        if (at < notes[i].at) {
            notes[i].at += more;
            notes[i].end += more;
        }
    }
}

/* The caller wrote `"insert_id":null` or `"time":null`, which means absent: the value
 * takes the place of the null, for a second key of the same name would be ambiguous. */
static int fill_nulls(tw_event *ev)
{
    const tw_event_rules *rules = &ev->rules;
    size_t places[2] = {rules->null_insert_id, rules->null_time};
    size_t order = places[0] > places[1] ? 0 : 1; /* from the back: offsets stay true */
    size_t i;

    for (i = 0; i < 2; i++, order ^= 1) {
        char value[UUID_SIZE + 2];
        size_t size;
        int rc;

        if (places[order] == 0)
            continue;
        size = order == 0 ? put_insert_id(value) : put_time(value, stamp(ev));
        rc =
            tw__json_writer_splice(ev->wr, places[order], places[order] + 4, value, size);
        if (rc != TW_OK)
            return rc;
        notes_move(ev->rules.watch.notes, places[order], size - 4);
        if (order == 0)
            ev->rules.null_insert_id = 0;
        else
            ev->rules.null_time = 0;
    }
    return TW_OK;
}

static void put_tail(tw_event *ev, int insert_id, int time)
{
    static const char insert_id_key[] = ",\"insert_id\":";
    static const char time_key[] = ",\"time\":";
    char *at = ev->tail;

    if (insert_id) {
        memcpy(at, insert_id_key, sizeof insert_id_key - 1);
        at += sizeof insert_id_key - 1;
        at += put_insert_id(at);
    }
    if (time) {
        memcpy(at, time_key, sizeof time_key - 1);
        at += sizeof time_key - 1;
        at += put_time(at, stamp(ev));
    }
    *at++ = '}';
    ev->tail_size = (size_t)(at - ev->tail);
}

static int freeze(tw_event *ev, tw_error **err)
{
    int insert_id = !tw__event_rules_has_insert_id(&ev->rules);
    int time = !tw__event_rules_has_time(&ev->rules);
    int rc;

    if (!tw_json_writer_complete(ev->wr)) {
        rc = tw_json_writer_error(ev->wr, err);
        if (rc != TW_E_INVALID)
            return rc;
        return tw__error(err, TW_E_INVALID, "the event was not one whole JSON object");
    }
    rc = tw__event_rules_finish(&ev->rules, err);
    if (rc != TW_OK)
        return rc;
    insert_id = insert_id && ev->rules.null_insert_id == 0;
    time = time && ev->rules.null_time == 0;
    rc = fill_nulls(ev);
    if (rc == TW_E_NOMEM)
        return tw__error_nomem(err);
    if (rc != TW_OK)
        return tw__error(err, rc, "the event was larger than a request may be");
    put_tail(ev, insert_id, time);
    ev->frozen = 1;
    return TW_OK;
}

int tw__event_freeze(tw_event *ev, tw_record_text *text, tw_error **err)
{
    if (!ev->frozen) {
        int rc = freeze(ev, err);

        if (rc != TW_OK)
            return rc;
    }
    text->head = tw_json_writer_text(ev->wr, &text->head_size);
    text->head_size--; /* the closing brace stands in the tail */
    text->tail = ev->tail;
    text->tail_size = ev->tail_size;
    return TW_OK;
}
