/* SPDX-License-Identifier: MIT */
/* An unchanging picture of all events, user by user in time order. */
#ifndef EMU_VIEW_H
#define EMU_VIEW_H

#include "columns.h"

typedef struct emu_view {
    _Atomic int refs;
    emu_columns *columns;
    size_t committed; /* what it was made of */
    uint64_t merges;

    emu_cell *cells; /* by user, then by time, then by order of ingestion */
    size_t n;
    size_t *start;  /* user_n + 1 places in cells */
    uint32_t *user; /* by place: number of the (canonical) user, as amplitude_id counts */
    size_t user_n;
    uint32_t value_n; /* values of the dictionary when it was made */
} emu_view;

/* Takes s->mu, for the caller to give back in either case. The picture has all events that were
 * committed before the call, and the store's users are merged as in it; NULL when out of
 * memory. To be given back with emu_view_unref. */
emu_view *emu_view_lock(emu_store *s);
void emu_view_unref(emu_view *v);

#endif
