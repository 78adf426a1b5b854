/* SPDX-License-Identifier: MIT */
/* What became of each insert_id: one compact entry in the order of first receipt. */
#ifndef EMU_LEDGER_H
#define EMU_LEDGER_H

#include <pthread.h>

#include "text.h"

typedef struct emu_ledger {
    pthread_mutex_t mu;
    struct emu_account *entries;
    size_t n, cap;
    uint32_t *places; /* open addressing: entry number + 1 */
    size_t place_cap;
    uint64_t unnamed; /* events without an insert_id */
    uint64_t dropped; /* insert_ids beyond the bound */
} emu_ledger;

struct emu_batch;
struct emu_req;

void emu_ledger_init(emu_ledger *l);
void emu_ledger_reset(emu_ledger *l);
void emu_ledger_free(emu_ledger *l);
/* Notes the events of a batch that was looked at; their marks say whether it was stored. */
void emu_ledger_add(struct emu_batch *b);
/* The same for a request whose body came in whole but was never looked at. */
void emu_ledger_unseen(struct emu_req *r);
/* Writes up to `limit` entries from number `from` on. */
void emu_ledger_write(emu_ledger *l, size_t from, size_t limit, emu_buf *out);

#endif
