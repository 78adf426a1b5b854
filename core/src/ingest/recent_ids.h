/* SPDX-License-Identifier: MIT */
/* The latest insert_ids that callers gave, to notice one that is given again. */
#ifndef TW_INGEST_RECENT_IDS_H
#define TW_INGEST_RECENT_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "ingest/event_rules.h"

typedef struct tw_recent_ids tw_recent_ids;

/* What an event is known by. */
typedef struct tw_recent_id {
    uint64_t id; /* of insert_id and device (or user); 0 where there is nothing to note */
    uint64_t event; /* of all the caller wrote */
} tw_recent_id;

/* `text` is the record of an event with an insert_id. The server goes by the device, or by the user
 * where the event has no device. */
tw_recent_id tw__recent_id_of(const char *text, size_t size, const tw_event_rules *rules);
/* Nonzero where the same insert_id was noted before with another event. `*ids` is made at first
 * use; without memory nothing is noticed. */
int tw__recent_id_note(tw_recent_ids **ids, tw_recent_id id);
/* NULL is allowed. */
void tw__recent_ids_free(tw_recent_ids *ids);

#endif
