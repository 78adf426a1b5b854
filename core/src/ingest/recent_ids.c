/* SPDX-License-Identifier: MIT */
/* The latest insert_ids that callers gave, to notice one that is given again. */
#include "ingest/recent_ids.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

/* An id replaces the one before it in its slot: what is found was given, what was given long
 * ago is forgotten. */
enum { SLOTS = 4096 };

struct tw_recent_ids {
    tw_recent_id slots[SLOTS];
};

/* ---- what an event is known by ----------------------------------------------------- */

static uint64_t hash_note(const char *text, const tw_event_rules *rules,
                          tw_event_note which)
{
    const tw_json_note *note = tw__event_rules_note(rules, which);

    return tw__hash(which, text + note->at, note->end - note->at);
}

tw_recent_id tw__recent_id_of(const char *text, size_t size, const tw_event_rules *rules)
{
    tw_recent_id found = {0, tw__hash(0, text, size)};

    if (tw__event_rules_has_device_id(rules))
        found.id = hash_note(text, rules, TW_NOTE_DEVICE_ID);
    else if (tw__event_rules_has_user_id(rules))
        found.id = hash_note(text, rules, TW_NOTE_USER_ID);
    found.id ^= hash_note(text, rules, TW_NOTE_INSERT_ID);
    found.id |= 1;
    return found;
}

/* ---- noticing ---------------------------------------------------------------------- */

int tw__recent_id_note(tw_recent_ids **ids, tw_recent_id id)
{
    tw_recent_id *slot;
    int again;

    if (*ids == NULL)
        *ids = tw__alloc_zero(1, sizeof **ids);
    if (*ids == NULL || id.id == 0)
        return 0;
    slot = &(*ids)->slots[(id.id >> 32) % SLOTS];
    again = slot->id == id.id && slot->event != id.event;
    *slot = id;
    return again;
}

void tw__recent_ids_free(tw_recent_ids *ids)
{
    tw__free(ids);
}
