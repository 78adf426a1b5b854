/* SPDX-License-Identifier: MIT */
/* The rules of an event's fields, applied while it is written. */
#ifndef TW_INGEST_EVENT_RULES_H
#define TW_INGEST_EVENT_RULES_H

#include <stdint.h>

#include <tidewheel/error.h>

#include "ingest/event_fields.h"
#include "json/writer.h"

enum {
    TW__MIN_ID_LENGTH = 5
}; /* the server's default (Amplitude HTTP V2 API docs, read
                                   2026-11-23) */

typedef enum tw_event_kind {
    TW_EVENT_PLAIN,
    TW_EVENT_IDENTIFY,
    TW_EVENT_GROUPIDENTIFY
} tw_event_kind;

/* Strings whose places are known once the event is whole. */
typedef enum tw_event_note {
    TW_NOTE_INSERT_ID,
    TW_NOTE_USER_ID,
    TW_NOTE_DEVICE_ID
} tw_event_note;

/* What was put into user_properties or group_properties. */
typedef struct tw_event_properties {
    unsigned char operations; /* an operation was seen */
    unsigned char plain;
    char name[64]; /* the first operation, as "$set"; or the first unknown "$..." key */
    unsigned char unknown;
} tw_event_properties;

/* What is known of each field's value, the same for all events of a client. */
typedef struct tw_event_looks {
    tw_json_look by_mark[FIELD_COUNT + 1]; /* of no field: 0 */
    unsigned min_id_length;
    char short_id[48]; /* the rule */
} tw_event_looks;

/* The state of one event being written. */
typedef struct tw_event_rules {
    tw_json_watch watch; /* its marks: the fields' ids + 1 */
    const tw_event_looks *looks;
    uint64_t nulls; /* marks of the fields that are null */
    tw_event_kind kind;
    int operation; /* index of the operation being written, -1 outside */
    unsigned group_types;
    unsigned group_values;
    tw_event_properties user;
    tw_event_properties group;
    size_t null_insert_id; /* where the text says null, 0 where it does not */
    size_t null_time;
    char text[160]; /* a rule with a value in it */
} tw_event_rules;

void tw__event_looks_init(tw_event_looks *looks, unsigned min_id_length);
/* The looks are borrowed. */
void tw__event_rules_init(tw_event_rules *rules, const tw_event_looks *looks);
/* Watches the event that `wr`, newly reset, will write; both live equally long. */
void tw__event_rules_start(tw_event_rules *rules, tw_json_writer *wr);
/* What can only be said of the whole event. */
int tw__event_rules_finish(const tw_event_rules *rules, tw_error **err);

/* Whether the event brings its own. */
int tw__event_rules_has_insert_id(const tw_event_rules *rules);
int tw__event_rules_has_user_id(const tw_event_rules *rules);
int tw__event_rules_has_device_id(const tw_event_rules *rules);
int tw__event_rules_has_time(const tw_event_rules *rules);
/* Of a field that the event has. */
static inline const tw_json_note *tw__event_rules_note(const tw_event_rules *rules,
                                                       tw_event_note which)
{
    return &rules->watch.notes[which];
}

#endif
