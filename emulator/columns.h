/* SPDX-License-Identifier: MIT */
/* The events once more, as numbers in memory: what analytics computes on. */
#ifndef EMU_COLUMNS_H
#define EMU_COLUMNS_H

#include "dict.h"
#include "store.h"

/* One property of a list; an array is one pair for each of its elements. */
typedef struct emu_pair {
    uint32_t key, value;
} emu_pair;

/* One event. Lists are places in the pool of pairs, 0 is the empty one. */
typedef struct emu_cell {
    int64_t t;   /* event time, UTC ms */
    int64_t sid; /* session id, -1: none */
    double revenue;
    uint32_t user, type;
    uint32_t ep, up, bi; /* event properties, user properties, built-ins */
    uint32_t q;          /* order of ingestion */
} emu_cell;

typedef enum emu_list_kind {
    LIST_EVENT,
    LIST_USER,
    LIST_BUILT_IN,
    LIST_KINDS
} emu_list_kind;

#define EMU_PAIR_CHUNK 262144u
#define EMU_PAIR_CHUNKS 16384u

#define EMU_CELL_CHUNK 131072u
#define EMU_CELL_CHUNKS 8192u

#define EMU_BUILT_INS 20

typedef struct emu_columns {
    _Atomic int refs;
    emu_dict keys, values;
    emu_pair *chunk[EMU_PAIR_CHUNKS]; /* a list never crosses into another allocation */
    uint32_t pair_n;
    struct emu_block *blocks;
    emu_cell *cells[EMU_CELL_CHUNKS]; /* committed ones never change nor move */

    /* Below: only under the store's lock. */
    size_t n, committed;
    uint32_t *snap; /* by row of the table of snapshots: its list, 0 not read yet */
    size_t snap_n, snap_cap, snap_committed;
    uint32_t *same; /* open addressing over lists of built-ins */
    size_t same_n, same_cap;
    uint32_t (*met)[LIST_KINDS]; /* by key: the how manieth of that kind, 0 not met */
    size_t met_cap;
    uint32_t met_n[LIST_KINDS];
    uint32_t *key_list; /* by key: number of the list that had it last */
    size_t key_cap;
    uint32_t list_no;
    uint32_t built_in[EMU_BUILT_INS]; /* their keys, 0 not met yet */
    emu_pair *scratch;
    size_t scratch_n, scratch_cap;
} emu_columns;

/* A row of the table of events and the snapshots that it shows. */
typedef struct emu_stored {
    int64_t user_id, type, event_ms, session;
    unsigned flags;
    int64_t props_id, traits_id;
    emu_str props, traits, doc;
    emu_str user, device; /* ids as accepted; without a device both are read from doc */
} emu_stored;

emu_columns *emu_columns_new(void);
emu_columns *emu_columns_ref(emu_columns *c);
void emu_columns_unref(emu_columns *c);

/* All below: @locks needs the store's lock. Added rows count from emu_columns_commit on. */
bool emu_columns_add(emu_columns *c, emu_stored *row);
void emu_columns_commit(emu_columns *c);
void emu_columns_rollback(emu_columns *c);
int emu_columns_load(emu_store *s); /* reads everything from the file */

/* The pairs of a list. May be called without a lock for lists of committed rows. */
static inline const emu_pair *emu_list(const emu_columns *c, uint32_t at, uint32_t *n)
{
    const emu_pair *p;

    if (!at) {
        *n = 0;
        return NULL;
    }
    p = &c->chunk[at / EMU_PAIR_CHUNK][at % EMU_PAIR_CHUNK];
    *n = p->key;
    return p + 1;
}

/* May be called without a lock for committed cells. */
static inline const emu_cell *emu_cell_at(const emu_columns *c, size_t i)
{
    return &c->cells[i / EMU_CELL_CHUNK][i % EMU_CELL_CHUNK];
}

/* The text of a number as charts label it: the shortest decimal, without ".0". */
void emu_put_label(emu_buf *b, double d);

#endif
