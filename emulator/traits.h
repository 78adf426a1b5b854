/* SPDX-License-Identifier: MIT */
/* Built-in properties of a user: what identify says about the device and the place, the first
 * app version, and whether the user pays. */
#ifndef EMU_TRAITS_H
#define EMU_TRAITS_H

#include "ingest.h"

/* Applies the built-ins of one identification (locked, inside a transaction). */
int emu_traits_identify(emu_store *s, emu_arena *a, emu_user *u, const ej_val *item);
/* What an event says by the way: the first version seen, the first revenue. */
int emu_traits_event(emu_store *s, emu_arena *a, emu_user *u, const emu_event *ev);

#endif
