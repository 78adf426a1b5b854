/* SPDX-License-Identifier: MIT */
/* Groups of rows: numbering, labels and their order. */
#include <stdlib.h>
#include <string.h>

#include "parts.h"

static uint64_t hash_of(const emu_group_key *key)
{
    uint64_t h = 0x9E3779B97F4A7C15ull;

    for (int i = 0; i < EMU_KEYS; i++) {
        h = (h ^ key->k[i]) * 0xFF51AFD7ED558CCDull;
        h ^= h >> 32;
    }
    return h;
}

static size_t slot_of(const emu_groups *g, const emu_group_key *key)
{
    size_t i = hash_of(key) & (g->slot_n - 1);

    while (g->slots[i] && memcmp(&g->keys[g->slots[i] - 1], key, sizeof(*key)) != 0)
        i = (i + 1) & (g->slot_n - 1);
    return i;
}

static bool grow(emu_groups *g)
{
    size_t n = g->slot_n ? g->slot_n * 2 : 64;
    uint32_t *slots = calloc(n, sizeof(*slots));

    if (!slots)
        return false;
    free(g->slots);
    g->slots = slots;
    g->slot_n = n;
    for (size_t i = 0; i < g->n; i++)
        g->slots[slot_of(g, &g->keys[i])] = (uint32_t)i + 1;
    return true;
}

uint32_t emu_groups_find(const emu_groups *g, const emu_group_key *key)
{
    return g->slot_n ? g->slots[slot_of(g, key)] - 1 : EMU_NO_GROUP;
}

bool emu_groups_add(emu_groups *g, const emu_group_key *key, uint32_t *out)
{
    size_t slot;

    if (g->n * 4 >= g->slot_n * 3 && !grow(g))
        return false;
    slot = slot_of(g, key);
    if (!g->slots[slot]) {
        if (g->n == g->cap) {
            size_t cap = g->cap ? g->cap * 2 : 64;
            emu_group_key *keys = realloc(g->keys, cap * sizeof(*keys));

            if (!keys)
                return false;
            g->keys = keys;
            g->cap = cap;
        }
        g->keys[g->n++] = *key;
        g->slots[slot] = (uint32_t)g->n;
    }
    *out = g->slots[slot] - 1;
    return true;
}

void emu_groups_free(emu_groups *g)
{
    free(g->keys);
    free(g->slots);
    *g = (emu_groups){0};
}

emu_str emu_label_of(const emu_ask *q, uint32_t value)
{
    if (value == EMU_NOT_REACHED)
        return EMU_LIT("did not reach step");
    return value ? emu_term_text(&q->columns->values, value) : EMU_LIT("(none)");
}

int emu_compare_labels(const emu_ask *q, const emu_group_key *a, const emu_group_key *b,
                       size_t key_n)
{
    for (size_t i = 0; i < key_n; i++) {
        emu_str x = emu_label_of(q, a->k[i]), y = emu_label_of(q, b->k[i]);
        size_t n = x.n < y.n ? x.n : y.n;
        int order = n ? memcmp(x.s, y.s, n) : 0; /* UTF-8 sorts by code point */

        if (order == 0)
            order = x.n < y.n ? -1 : x.n > y.n;
        if (order != 0)
            return order;
    }
    return 0;
}

size_t emu_group_values(const emu_ask *q, const emu_prop *p, const emu_cell *c,
                        uint32_t *out, size_t max)
{
    uint32_t n;
    const emu_pair *list = emu_row_list(q, c, p, &n);
    size_t found = 0;

    for (uint32_t i = 0; i < n && found < max; i++)
        if (list[i].key == p->key && p->key)
            out[found++] = list[i].value == q->none_id ? 0 : list[i].value;
    if (!found)
        out[found++] = 0;
    return found;
}

size_t emu_group_set(const emu_ask *q, const emu_prop *p, const emu_cell *c,
                     uint32_t *out, size_t max)
{
    size_t n = emu_group_values(q, p, c, out, max), kept = 0;

    for (size_t i = 0; i < n; i++) {
        bool had = false;

        for (size_t k = 0; k < kept && !had; k++)
            had = out[k] == out[i];
        if (!had)
            out[kept++] = out[i];
    }
    return kept;
}
