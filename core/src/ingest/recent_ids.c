/* SPDX-License-Identifier: MIT */
/* The latest insert_ids that callers gave, to notice one that is given again. */
#define _GNU_SOURCE
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

/* The first value of a member of that name, up to its closing quote; at the top of the record
 * unless the properties come before it and have such a member too. Looking for the right one
 * would cost more than the count is worth. */
static uint64_t hash_member(const char *text, size_t size, const char *key)
{
    size_t key_size = strlen(key);
    const char *end = text + size;
    const char *at = memmem(text, size, key, key_size);
    const char *close;

    if (at == NULL)
        return 0;
    at += key_size;
    close = memchr(at, '"', (size_t)(end - at));
    return tw__hash(1, at, (size_t)((close != NULL ? close : end) - at));
}

tw_recent_id tw__recent_id_of(const char *text, size_t size, size_t at, size_t end,
                              int has_device)
{
    tw_recent_id found;

    found.event = tw__hash(0, text, size);
    found.id = tw__hash(2, text + at, end - at);
    found.id ^=
        hash_member(text, size, has_device ? "\"device_id\":\"" : "\"user_id\":\"");
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
