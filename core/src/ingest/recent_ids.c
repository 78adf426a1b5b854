/* SPDX-License-Identifier: MIT */
/* The latest insert_ids that callers gave, to notice one that is given again. */
#include "ingest/recent_ids.h"

#include <string.h>

#include "base/alloc.h"

/* An id replaces the one before it in its slot: what is found was given, what was given long
 * ago is forgotten. */
enum { SLOTS = 4096 };

struct tw_recent_ids {
    tw_recent_id slots[SLOTS];
};

static uint64_t hash(uint64_t seed, const char *text, size_t size)
{
    const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t word;

    seed ^= size * factor;
    for (; size >= sizeof word; text += sizeof word, size -= sizeof word) {
        memcpy(&word, text, sizeof word);
        seed = (seed ^ word) * factor;
        seed ^= seed >> 32;
    }
    word = 0;
    memcpy(&word, text, size);
    seed = (seed ^ word) * factor;
    return seed ^ seed >> 29;
}

/* ---- finding members --------------------------------------------------------------- */

/* `at` stands behind the opening quote; so does the result behind the closing one. */
static const char *skip_string(const char *at, const char *end)
{
    for (; at < end && *at != '"'; at++)
        at += *at == '\\';
    return at < end ? at + 1 : end;
}

static const char *skip_value(const char *at, const char *end)
{
    int depth = 0;

    while (at < end) {
        char c = *at++;

        if (c == '"')
            at = skip_string(at, end);
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return at;
        if (depth == 0 && at < end && (*at == ',' || *at == '}'))
            return at;
    }
    return end;
}

static int is_key(const char *key, size_t size, const char *name)
{
    return strlen(name) == size && memcmp(key, name, size) == 0;
}

tw_recent_id tw__recent_id_of(const char *text, size_t size, const char *id_field)
{
    const char *end = text + size;
    const char *at = text + 1;
    tw_recent_id found = {1, 0};
    int left = 2;

    while (left > 0 && at < end && *at == '"') {
        const char *key = at + 1;
        const char *value;
        size_t key_size;

        at = skip_string(key, end);
        key_size = (size_t)(at - key) - 1;
        value = at < end ? at + 1 : end;
        at = skip_value(value, end);
        if (is_key(key, key_size, "insert_id") || is_key(key, key_size, id_field)) {
            /* In either order the same. */
            found.id += hash((unsigned char)*key, value, (size_t)(at - value));
            left--;
        }
        at += at < end;
    }
    if (left > 0)
        found.id = 0;
    else
        found.event = hash(0, text, size);
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
