/* SPDX-License-Identifier: MIT */
/* Seeds of user profiles: what the service computes and a stand-in has to be told. */
#ifndef EMU_PROFILE_H
#define EMU_PROFILE_H

#include "internal.h"

#define PROFILE_OF_ALL 0 /* the seed that holds for users without one of their own */

/* Sets a seed out of the document of a control call; false puts one line into err. */
bool emu_profile_set(twe *e, emu_arena *a, const ej_val *doc, emu_buf *err);
int emu_profile_clear(twe *e);
/* A seed as an object, EJ_NONE when there is none. @locks needs the store's. */
ej_val emu_profile_get(twe *e, emu_arena *a, int64_t amplitude_id);

#endif
