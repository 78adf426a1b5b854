/* SPDX-License-Identifier: MIT */
/* The latest insert_ids that callers gave, to notice one that is given again. */
#include "ingest/recent_ids.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "ingest/members.h"

/* An id replaces the one before it in its slot: what is found was given, what was given long
 * ago is forgotten. */
enum { SLOTS = 4096 };

struct tw_recent_ids {
    tw_recent_id slots[SLOTS];
};

tw_recent_id tw__recent_id_of(const char *text, size_t size, const char *id_field)
{
    const char *end = text + size;
    const char *at = tw__members_begin(text);
    tw_recent_id found = {1, 0};
    tw_member member;
    int left = 2;

    while (left > 0) {
        at = tw__members_next(&member, at, end);
        if (at == NULL)
            break;
        if (tw__member_is(&member, "insert_id") || tw__member_is(&member, id_field)) {
            /* In either order the same. */
            found.id += tw__hash((unsigned char)*member.key, member.value, member.size);
            left--;
        }
    }
    if (left > 0)
        found.id = 0;
    else
        found.event = tw__hash(0, text, size);
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
