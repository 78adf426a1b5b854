/* SPDX-License-Identifier: MIT */
/* What store.c and users.c share. */
#ifndef EMU_STORE_INTERNAL_H
#define EMU_STORE_INTERNAL_H

#include "store.h"

emu_user *emu_user_new(emu_store *s);
void emu_user_free(emu_user *u);
bool emu_user_restore(emu_store *s, emu_user *u, emu_str user_id, emu_str props,
                      emu_str traits);

#endif
