/* SPDX-License-Identifier: MIT */
/* The tracking plan as it is stored, and the names that ingestion has met. */
#ifndef EMU_PLAN_H
#define EMU_PLAN_H

#include "event_flags.h"

/* What a name belongs to; as stored in the columns `kind`. */
typedef enum emu_kind { KIND_EVENT, KIND_USER, KIND_GROUP, KIND_GROUP_TYPE } emu_kind;

/* All below: @locks needs s->mu */

/* Loads the mirrors of the plan (flags) and of the names met. */
int emu_plan_load(emu_store *s);
void emu_plan_forget(emu_store *s);
/* Reads the flags of one event type again after a change of its entry. */
int emu_plan_flags_changed(emu_store *s, emu_str type);

/*!
 * Notes the keys of an object as properties that ingestion has met.
 *
 * @param owner   event type or group type; empty for user properties
 * @return 0, or -1 on failure
 */
int emu_names_met(emu_store *s, emu_arena *a, emu_kind kind, emu_str owner,
                  const ej_val *object);
int emu_name_met(emu_store *s, emu_kind kind, emu_str owner, emu_str name);
bool emu_was_met(const emu_store *s, emu_kind kind, emu_str owner, emu_str name);

/* A statement with up to three texts bound (s == NULL binds NULL); NULL on failure. The
 * caller finalizes it. */
sqlite3_stmt *emu_plan_query(emu_store *s, const char *sql, emu_str first, emu_str second,
                             emu_str third);
/* Runs one that gives no row: 0, or -1. */
int emu_plan_run(emu_store *s, const char *sql, emu_str first, emu_str second,
                 emu_str third);
emu_str emu_plan_text(emu_arena *a, sqlite3_stmt *st, int i); /* s == NULL: NULL */

/* Control port: {"event_type": …, "blocked": …, "transformed": …}. */
int emu_plan_mark(emu_store *s, emu_str type, unsigned clear, unsigned set);

#endif
