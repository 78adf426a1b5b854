/* SPDX-License-Identifier: MIT */
/* Ranking groups by their users and writing them, as retention and lifetime value do. */
#include "best.h"

#include <stdlib.h>
#include <string.h>

bool emu_best_begin(emu_best *b, const emu_ask *q, size_t key_n)
{
    *b = (emu_best){.q = q, .key_n = key_n, .ranking = key_n > 0};
    return b->ranking;
}

static bool count(emu_best *b, uint32_t group)
{
    if (group >= b->user_cap) {
        size_t cap = b->user_cap ? b->user_cap * 2 : 64;
        int64_t *grown = realloc(b->users, cap * sizeof(*grown));

        if (!grown)
            return false;
        memset(grown + b->user_cap, 0, (cap - b->user_cap) * sizeof(*grown));
        b->users = grown;
        b->user_cap = cap;
    }
    b->users[group]++;
    return true;
}

bool emu_best_user(emu_best *b, const emu_group_key *key, uint32_t *kept)
{
    uint32_t group;

    *kept = EMU_NO_GROUP;
    if (b->ranking)
        return emu_groups_add(&b->groups, key, &group) && count(b, group);
    group = emu_groups_find(&b->groups, key);
    if (group != EMU_NO_GROUP) /* a switch may have changed between the walks */
        *kept = b->kept_of[group];
    return true;
}

static int by_size(const void *p, const void *r, void *self)
{
    const emu_best *b = self;
    uint32_t x = *(const uint32_t *)p, y = *(const uint32_t *)r;

    if (b->users[x] != b->users[y])
        return b->users[x] > b->users[y] ? -1 : 1;
    return emu_compare_labels(b->q, &b->groups.keys[x], &b->groups.keys[y], b->key_n);
}

bool emu_best_choose(emu_best *b)
{
    emu_group_key none = {{0}};
    uint32_t id;

    if (!b->ranking && !emu_groups_add(&b->groups, &none, &id))
        return false;
    b->ranking = false;
    b->order = malloc((b->groups.n + 1) * sizeof(*b->order));
    b->kept_of = malloc((b->groups.n + 1) * sizeof(*b->kept_of));
    if (!b->order || !b->kept_of)
        return false;
    for (size_t i = 0; i < b->groups.n; i++) {
        b->order[i] = (uint32_t)i;
        b->kept_of[i] = EMU_NO_GROUP;
    }
    if (b->groups.n > 1)
        qsort_r(b->order, b->groups.n, sizeof(*b->order), by_size, b);
    b->order_n = b->groups.n < b->q->limit ? b->groups.n : b->q->limit;
    for (size_t i = 0; i < b->order_n; i++)
        b->kept_of[b->order[i]] = (uint32_t)i;
    return true;
}

void emu_best_free(emu_best *b)
{
    free(b->order);
    free(b->kept_of);
    free(b->users);
    emu_groups_free(&b->groups);
    *b = (emu_best){0};
}

void emu_best_answer_begin(emu_best_answer *a, emu_ask *q)
{
    *a = (emu_best_answer){.q = q};
    emu_buf_z(&q->r->out, "{\"data\":{\"series\":[");
}

void emu_best_next(emu_best_answer *a, const emu_best *b, size_t kept,
                   const char *nameless)
{
    const emu_group_key *key = &b->groups.keys[b->order[kept]];
    const char *comma = a->n++ ? "," : "";

    emu_buf_z(&a->q->r->out, comma);
    emu_buf_z(&a->meta, comma);
    emu_buf_z(&a->labels, comma);
    emu_buf_z(&a->labels, b->key_n > 1 ? "[" : b->key_n ? "" : nameless);
    for (size_t i = 0; i < b->key_n; i++) {
        emu_buf_z(&a->labels, i ? "," : "");
        emu_buf_quote(&a->labels, emu_label_of(a->q, key->k[i]));
    }
    emu_buf_z(&a->labels, b->key_n > 1 ? "]" : "");
}

void emu_best_answer_end(emu_best_answer *a, bool ok, bool with_meta)
{
    emu_buf *out = &a->q->r->out;

    emu_buf_z(out, "],\"seriesLabels\":[");
    emu_buf_put(out, a->labels.p, a->labels.n);
    if (with_meta) {
        emu_buf_z(out, "],\"seriesMeta\":[");
        emu_buf_put(out, a->meta.p, a->meta.n);
    }
    emu_buf_z(out, "]}}");
    if (ok && !a->labels.failed && !a->meta.failed)
        emu_ask_answer(a->q);
    else
        emu_ask_no_memory(a->q);
    emu_buf_free(&a->labels);
    emu_buf_free(&a->meta);
}
