/* SPDX-License-Identifier: MIT */
/* The ledger: counts for each insert_id, whatever the journal has forgotten. */
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "ingest.h"

typedef struct emu_account {
    char *id;
    uint32_t id_n, variants; /* variants: receipts whose bytes differed from the first */
    uint32_t received, committed, duplicate, applied;
    emu_hash body; /* of the first receipt, the event's JSON as sent */
    int64_t first_ms, commit_ms;
} emu_account;

void emu_ledger_init(emu_ledger *l)
{
    pthread_mutex_init(&l->mu, NULL);
}

static void empty(emu_ledger *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->entries[i].id);
    free(l->entries);
    free(l->places);
    l->entries = NULL;
    l->places = NULL;
    l->n = l->cap = l->place_cap = 0;
    l->unnamed = l->dropped = 0;
}

void emu_ledger_reset(emu_ledger *l)
{
    pthread_mutex_lock(&l->mu);
    empty(l);
    pthread_mutex_unlock(&l->mu);
}

void emu_ledger_free(emu_ledger *l)
{
    empty(l);
    pthread_mutex_destroy(&l->mu);
}

static emu_hash hash_of(emu_str s)
{
    return emu_hash_of(7, s, (emu_str){NULL, 0});
}

/* The place of an id: its entry, or the empty place where it belongs. */
static uint32_t *place_of(const emu_ledger *l, emu_str id)
{
    size_t at = hash_of(id).lo & (l->place_cap - 1);

    while (l->places[at]) {
        const emu_account *a = &l->entries[l->places[at] - 1];

        if (emu_str_eq((emu_str){a->id, a->id_n}, id))
            break;
        at = (at + 1) & (l->place_cap - 1);
    }
    return &l->places[at];
}

static bool grow(emu_ledger *l)
{
    size_t cap = l->cap ? l->cap * 2 : 1024;
    emu_account *entries = realloc(l->entries, cap * sizeof(*entries));
    uint32_t *places = calloc(cap * 2, sizeof(*places));

    l->entries = entries ? entries : l->entries;
    if (!entries || !places) {
        free(places);
        return false;
    }
    free(l->places);
    l->places = places;
    l->cap = cap;
    l->place_cap = cap * 2;
    for (size_t i = 0; i < l->n; i++)
        *place_of(l, (emu_str){entries[i].id, entries[i].id_n}) = (uint32_t)i + 1;
    return true;
}

/* The entry of an id, made when there is room; NULL when there is none. */
static emu_account *account(emu_ledger *l, emu_str id, size_t limit, int64_t now)
{
    uint32_t *place;
    emu_account *a;

    if (l->n == l->cap && l->n < limit && !grow(l))
        return NULL;
    place = l->place_cap ? place_of(l, id) : NULL;
    if (place && *place)
        return &l->entries[*place - 1];
    if (!place || l->n >= limit || l->n == l->cap)
        return NULL;
    a = &l->entries[l->n];
    *a = (emu_account){.id = emu_strdup_n(id.s, id.n),
                       .id_n = (uint32_t)id.n,
                       .first_ms = now,
                       .commit_ms = -1};
    if (!a->id)
        return NULL;
    *place = (uint32_t)++l->n;
    return a;
}

static void note(emu_req *r, emu_str id, emu_str doc, uint8_t mark, int64_t commit_ms)
{
    emu_ledger *l = &r->e->ledger;
    emu_account *a;
    emu_hash body;

    if (!id.s) {
        l->unnamed++;
        return;
    }
    a = account(l, id, (size_t)EMU_SW(r->e, ledger_entries), r->received_ms);
    if (!a) {
        l->dropped++;
        return;
    }
    body = hash_of(doc);
    if (a->received++ == 0)
        a->body = body;
    else if (a->body.hi != body.hi || a->body.lo != body.lo)
        a->variants++;
    a->committed += (mark & MARK_COMMITTED) != 0;
    a->duplicate += (mark & MARK_DUPLICATE) != 0;
    a->applied += (mark & MARK_APPLIED) != 0;
    if (mark & MARK_COMMITTED)
        a->commit_ms = commit_ms;
}

void emu_ledger_add(emu_batch *b)
{
    emu_req *r = b->r;

    r->ledgered = true;
    if (!EMU_SW(r->e, ledger) || !r->key_known)
        return;
    pthread_mutex_lock(&r->e->ledger.mu);
    for (size_t i = 0; i < b->n; i++) {
        const emu_event *ev = &b->events[i];

        note(r, ev->insert, ev->doc, r->marks ? r->marks[i] : MARK_RECEIVED,
             b->upload_ms);
    }
    pthread_mutex_unlock(&r->e->ledger.mu);
}

void emu_ledger_unseen(emu_req *r)
{
    ej_val doc, events, event, id;
    ej_info info;
    ej_cur c;

    if (r->ledgered || !EMU_SW(r->e, ledger) || !r->key_known || !r->body.n ||
        (!emu_str_is(r->path, "/2/httpapi") && !emu_str_is(r->path, "/batch")) ||
        !ej_check(r->body, &info))
        return;
    ej_take(&(ej_cur){r->body.s, r->body.s + r->body.n}, &doc);
    if (!ej_get(&doc, "events", &events) || events.kind != EJ_ARRAY)
        return;
    c = ej_at(events.raw);
    ej_enter(&c);
    pthread_mutex_lock(&r->e->ledger.mu);
    while (ej_item(&c)) {
        ej_take(&c, &event);
        if (event.kind != EJ_OBJECT || !ej_get(&event, "insert_id", &id) ||
            (id.kind != EJ_STRING && id.kind != EJ_NUMBER))
            id = (ej_val){0};
        note(r, emu_cut(ej_text(&id, &r->arena)), event.raw, MARK_RECEIVED, 0);
    }
    pthread_mutex_unlock(&r->e->ledger.mu);
}

void emu_ledger_write(emu_ledger *l, size_t from, size_t limit, emu_buf *out)
{
    size_t end;
    char hex[33];

    pthread_mutex_lock(&l->mu);
    from = from < l->n ? from : l->n;
    end = limit < l->n - from ? from + limit : l->n;
    emu_buf_fmt(out,
                "{\"total\":%zu,\"unnamed\":%llu,\"dropped\":%llu,\"next\":%zu,"
                "\"entries\":[",
                l->n, (unsigned long long)l->unnamed, (unsigned long long)l->dropped,
                end);
    for (size_t i = from; i < end; i++) {
        const emu_account *a = &l->entries[i];

        emu_buf_z(out, i > from ? ",{\"insert_id\":" : "{\"insert_id\":");
        emu_buf_quote(out, (emu_str){a->id, a->id_n});
        emu_hex(hex, (const unsigned char *)&a->body, 16);
        emu_buf_fmt(
            out,
            ",\"received\":%u,\"committed\":%u,\"duplicate\":%u,\"applied\":%u,"
            "\"variants\":%u,\"body_hash\":\"%s\",\"first_ms\":%lld,\"commit_ms\":",
            a->received, a->committed, a->duplicate, a->applied, a->variants, hex,
            (long long)a->first_ms);
        if (a->commit_ms >= 0)
            emu_buf_int(out, a->commit_ms);
        else
            emu_buf_z(out, "null");
        emu_buf_ch(out, '}');
    }
    emu_buf_z(out, "]}");
    pthread_mutex_unlock(&l->mu);
}
