/* SPDX-License-Identifier: MIT */
/* The tracking plan on the gate: what the public functions wrap, and what they share. */
#ifndef TW_AREAS_TAXONOMY_H
#define TW_AREAS_TAXONOMY_H

#include <tidewheel/taxonomy.h>

#include "areas/form.h"
#include "gate/gate.h"

/* Kinds of entries of a plan. */
typedef enum tw_plan_kind {
    TW_PLAN_CATEGORY,
    TW_PLAN_EVENT,
    TW_PLAN_EVENT_PROPERTY,
    TW_PLAN_USER_PROPERTY,
    TW_PLAN_GROUP_PROPERTY,
    TW_PLAN_KINDS
} tw_plan_kind;

/* Members of an entry in its one form; static, ended by one without a name. @thread any */
const tw_member *tw__plan_members(tw_plan_kind kind);
/* Is this member a field of a plan: something that can be written? @thread any */
int tw__plan_is_field(const tw_member *member);

/* As its public namesake. @thread any */
int tw__taxonomy_pull_start(tw_job **out, tw_gate *gate, tw_taxonomy_part part,
                            tw_queue *queue, tw_error **err);

/* Is this row of a list of event properties one of the list's own? The lists of events may repeat
 * shared properties, and the list of those may hold one of an event (seen live). @thread any */
int tw__plan_owns(int of_event, const char *row, size_t size);

/* The lists that a document is composed of: JSON arrays of entries in their one form. */
typedef struct tw_plan_list {
    tw_plan_kind kind;
    const char *event_type; /* EVENT_PROPERTY: of this event; NULL for the shared ones */
    const char *json;
    size_t size;
} tw_plan_list;

/* Composes the document, entries in byte order of their names. TW_E_PROTOCOL where an entry has no
 * name. @thread any */
int tw__plan_compose(tw_buf *out, const tw_plan_list *lists, size_t count,
                     tw_taxonomy_part part);

#endif
