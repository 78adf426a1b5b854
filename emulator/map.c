/* SPDX-License-Identifier: MIT */
/* Hash map from byte strings to pointers: open addressing, no removal. */
#include "map.h"

#include <stdlib.h>

#include "text.h"

struct emu_slot {
    char *key;
    uint32_t n, hash;
    void *value;
};

static struct emu_slot *find(const emu_map *m, emu_str key, uint32_t hash)
{
    size_t i = hash & (m->cap - 1);

    while (m->slots[i].key) {
        struct emu_slot *s = &m->slots[i];

        if (s->hash == hash && emu_str_eq((emu_str){s->key, s->n}, key))
            break;
        i = (i + 1) & (m->cap - 1);
    }
    return &m->slots[i];
}

static uint32_t hash_of(emu_str key)
{
    return (uint32_t)emu_hash_of(1, key, (emu_str){NULL, 0}).lo;
}

void *emu_map_get(const emu_map *m, emu_str key)
{
    return m->cap ? find(m, key, hash_of(key))->value : NULL;
}

static bool grow(emu_map *m)
{
    emu_map bigger = {.cap = m->cap ? m->cap * 2 : 64, .used = m->used};

    bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < m->cap; i++) {
        struct emu_slot *s = &m->slots[i];

        if (s->key)
            *find(&bigger, (emu_str){s->key, s->n}, s->hash) = *s;
    }
    free(m->slots);
    *m = bigger;
    return true;
}

bool emu_map_put(emu_map *m, emu_str key, void *value)
{
    uint32_t hash = hash_of(key);
    struct emu_slot *s;

    if (m->used * 4 >= m->cap * 3 && !grow(m))
        return false;
    s = find(m, key, hash);
    if (!s->key) {
        s->key = emu_strdup_n(key.s, key.n);
        if (!s->key)
            return false;
        s->n = (uint32_t)key.n;
        s->hash = hash;
        m->used++;
    }
    s->value = value;
    return true;
}

bool emu_map_next(const emu_map *m, size_t *at, emu_str *key, void **value)
{
    while (*at < m->cap) {
        struct emu_slot *s = &m->slots[(*at)++];

        if (s->key) {
            *key = (emu_str){s->key, s->n};
            *value = s->value;
            return true;
        }
    }
    return false;
}

void emu_map_free(emu_map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->slots[i].key);
    free(m->slots);
    *m = (emu_map){0};
}
