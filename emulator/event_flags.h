/* SPDX-License-Identifier: MIT */
/* What the tracking plan says about an event type, for the rooms that compute and list. */
#ifndef EMU_EVENT_FLAGS_H
#define EMU_EVENT_FLAGS_H

#include "store.h"

enum {
    EVENT_INACTIVE =
        1 << 0,            /* no activity: such rows make nobody active, past ones too */
    EVENT_HIDDEN = 1 << 1, /* from the dropdowns: left out of lists of event types */
    EVENT_PERSONA_HIDDEN = 1 << 2,
    EVENT_PATHFINDER_HIDDEN = 1 << 3,
    EVENT_TIMELINE_HIDDEN = 1 << 4,
    EVENT_DELETED = 1 << 5,
    EVENT_BLOCKED = 1 << 6, /* in the user interface only; left out like a hidden one */
    EVENT_TRANSFORMED = 1 << 7 /* in the user interface only; cannot be deleted */
};

/* Flags of an event type, 0 when the plan does not know it. @locks needs s->mu */
unsigned emu_event_flags(const emu_store *s, emu_str type);

/* The display name, else the type itself; in the arena. @locks needs s->mu */
emu_str emu_event_display(emu_store *s, emu_arena *a, emu_str type);

#endif
