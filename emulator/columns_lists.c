/* SPDX-License-Identifier: MIT */
/* Keeping lists of pairs in chunks that never move, equal ones once. */
#include "columns_lists.h"

#include <stdlib.h>
#include <string.h>

struct emu_block {
    struct emu_block *next;
    emu_pair pairs[];
};

/* Makes room for n pairs that follow each other. */
static bool pool_room(emu_columns *c, size_t n)
{
    size_t at = c->pair_n / EMU_PAIR_CHUNK, used = c->pair_n % EMU_PAIR_CHUNK;
    size_t chunks = (n + EMU_PAIR_CHUNK - 1) / EMU_PAIR_CHUNK;
    struct emu_block *block;

    if (used && c->chunk[at] && used + n <= EMU_PAIR_CHUNK)
        return true;
    at += c->chunk[at] && used;
    if (!c->chunk[0]) /* place 0 stays unused */
        chunks = (n + 1 + EMU_PAIR_CHUNK - 1) / EMU_PAIR_CHUNK;
    if (at + chunks > EMU_PAIR_CHUNKS)
        return false;
    block = malloc(sizeof(*block) + chunks * EMU_PAIR_CHUNK * sizeof(emu_pair));
    if (!block)
        return false;
    block->next = c->blocks;
    c->blocks = block;
    c->pair_n = at ? (uint32_t)(at * EMU_PAIR_CHUNK) : 1;
    for (size_t i = 0; i < chunks; i++)
        c->chunk[at + i] = block->pairs + i * EMU_PAIR_CHUNK;
    return true;
}

bool emu_list_keep(emu_columns *c, uint32_t *out)
{
    emu_pair *p;

    *out = 0;
    if (!c->scratch_n)
        return true;
    if (!pool_room(c, c->scratch_n + 1))
        return false;
    *out = c->pair_n;
    p = &c->chunk[*out / EMU_PAIR_CHUNK][*out % EMU_PAIR_CHUNK];
    p->key = (uint32_t)c->scratch_n;
    p->value = 0;
    memcpy(p + 1, c->scratch, c->scratch_n * sizeof(*p));
    c->pair_n += (uint32_t)c->scratch_n + 1;
    return true;
}

static bool same_as_scratch(const emu_columns *c, uint32_t at)
{
    uint32_t n;
    const emu_pair *p = emu_list(c, at, &n);

    return n == c->scratch_n && memcmp(p, c->scratch, n * sizeof(*p)) == 0;
}

static bool grow_same(emu_columns *c)
{
    size_t cap = c->same_cap ? c->same_cap * 2 : 1024;
    uint32_t *slots = calloc(cap, sizeof(*slots));

    if (!slots)
        return false;
    for (size_t i = 0; i < c->same_cap; i++) {
        uint32_t n, at = c->same[i];
        const emu_pair *p = emu_list(c, at, &n);
        size_t to;

        if (!at)
            continue;
        to = emu_quick_hash(p, n * sizeof(*p)) & (cap - 1);
        while (slots[to])
            to = (to + 1) & (cap - 1);
        slots[to] = at;
    }
    free(c->same);
    c->same = slots;
    c->same_cap = cap;
    return true;
}

bool emu_list_share(emu_columns *c, uint32_t *out)
{
    size_t i;

    *out = 0;
    if (!c->scratch_n)
        return true;
    if (c->same_n * 4 >= c->same_cap * 3 && !grow_same(c))
        return false;
    i = emu_quick_hash(c->scratch, c->scratch_n * sizeof(*c->scratch)) &
        (c->same_cap - 1);
    while (c->same[i] && !same_as_scratch(c, c->same[i]))
        i = (i + 1) & (c->same_cap - 1);
    if (!c->same[i]) {
        if (!emu_list_keep(c, out))
            return false;
        c->same[i] = *out;
        c->same_n++;
    }
    *out = c->same[i];
    return true;
}

void emu_lists_free(emu_columns *c)
{
    while (c->blocks) {
        struct emu_block *next = c->blocks->next;

        free(c->blocks);
        c->blocks = next;
    }
    free(c->same);
}
