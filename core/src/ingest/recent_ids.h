/* SPDX-License-Identifier: MIT */
/* The latest insert_ids that callers gave, to notice one that is given again. */
#ifndef TW_INGEST_RECENT_IDS_H
#define TW_INGEST_RECENT_IDS_H

#include <stddef.h>
#include <stdint.h>

typedef struct tw_recent_ids tw_recent_ids;

/* What an event is known by. */
typedef struct tw_recent_id {
    uint64_t id; /* of insert_id and device (or user); 0 where there is nothing to note */
    uint64_t event; /* of all the caller wrote */
} tw_recent_id;

/* `text` is a record, whose closing brace may be missing; its insert_id stands at [at, end). The
 * server goes by the device, or by the user where the event has no device. */
tw_recent_id tw__recent_id_of(const char *text, size_t size, size_t at, size_t end,
                              int has_device);
/* Nonzero where the same insert_id was noted before with another event. `*ids` is made at first
 * use; without memory nothing is noticed. */
int tw__recent_id_note(tw_recent_ids **ids, tw_recent_id id);
/* NULL is allowed. */
void tw__recent_ids_free(tw_recent_ids *ids);

#endif
