/* SPDX-License-Identifier: MIT */
/* The pool of lists: pairs that follow each other, kept for good. */
#ifndef EMU_COLUMNS_LISTS_H
#define EMU_COLUMNS_LISTS_H

#include "columns.h"

/* Keeps what is in the scratch list; *out is its place, 0 for an empty one. False: out of
 * memory. @locks needs the store's lock */
bool emu_list_keep(emu_columns *c, uint32_t *out);
/* The same, but a list that was kept so before is taken again. */
bool emu_list_share(emu_columns *c, uint32_t *out);
void emu_lists_free(emu_columns *c);

#endif
