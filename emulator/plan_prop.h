/* SPDX-License-Identifier: MIT */
/* Properties of the tracking plan as they are stored: shared ones, and what events or group
 * types have of them. */
#ifndef EMU_PLAN_PROP_H
#define EMU_PLAN_PROP_H

#include "plan.h"

/* A row. Without an owner it is the shared property, else what the owner (an event type or a
 * group type) has of it: values of its own (an override), or those of the shared one. */
typedef struct emu_prop {
    emu_str owner, name; /* owner empty: shared */
    bool found, own, deleted;
    emu_str description, type, regex, enum_values,
        classifications; /* type: NULL default */
    bool is_array, is_required, is_hidden;
} emu_prop;

/* All below: @locks needs s->mu. Names are as listed: with their prefix. */

const char *emu_prop_prefix(emu_kind kind);
/* The name with its prefix; names of Amplitude's own properties stay. */
emu_str emu_prop_name(emu_arena *a, emu_kind kind, emu_str name);
/* One of Amplitude's own properties, which nobody can change. */
bool emu_prop_built_in(emu_kind kind, emu_str name);
const char *emu_prop_built_in_at(emu_kind kind, size_t i); /* NULL behind the last */

int emu_prop_get(emu_store *s, emu_arena *a, emu_kind kind, emu_str owner, emu_str name,
                 emu_prop *out);
int emu_prop_put(emu_store *s, emu_kind kind, const emu_prop *p);
int emu_prop_remove(emu_store *s, emu_kind kind, const emu_str *owner, emu_str name);
int emu_prop_rename(emu_store *s, emu_kind kind, emu_str from, emu_str to);

/* Ingestion has met it: for this owner, or (owner NULL) for anyone. */
bool emu_prop_met(emu_store *s, emu_kind kind, const emu_str *owner, emu_str name);
/* Anybody has it: in the plan under another owner, or met under another one. */
bool emu_prop_elsewhere(emu_store *s, emu_kind kind, emu_str owner, emu_str name);
/* Names to list, in order of their bytes: of the owner, or all shared and met ones. */
sqlite3_stmt *emu_prop_names(emu_store *s, emu_kind kind, emu_str owner);

#endif
