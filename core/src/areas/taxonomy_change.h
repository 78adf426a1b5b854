/* SPDX-License-Identifier: MIT */
/* One change of a tracking plan: the call that makes it, and the line that tells of it. */
#ifndef TW_AREAS_TAXONOMY_CHANGE_H
#define TW_AREAS_TAXONOMY_CHANGE_H

#include "areas/taxonomy.h"
#include "json/tree.h"

enum { TW_PLAN_PLACE = 400 };
#define TW_PLAN_CHANGES_MOST ((size_t)256 << 20)

typedef enum tw_plan_action {
    TW_CHANGE_CREATE,
    TW_CHANGE_UPDATE,
    TW_CHANGE_RESTORE,
    TW_CHANGE_DELETE
} tw_plan_action;

typedef struct tw_plan_diff {
    const tw_node *state, *plan;
    int deletes;
    tw_buf changes; /* what can be made at once, in order */
    tw_buf last;    /* deletions: at the end, what belongs to others first */
    tw_buf notes;
    size_t count;
    tw_error **err;
} tw_plan_diff;

/* One entry as it is compared. */
typedef struct tw_plan_entry {
    tw_plan_kind kind;
    const char *name;  /* as listed, or as the plan has it */
    const char *owner; /* event or group type; NULL: shared */
    const tw_node *from, *to;
    int shared_too;            /* the owner's entry overrides a shared one */
    char place[TW_PLAN_PLACE]; /* in the plan, for errors */
} tw_plan_entry;

/* What names of custom properties of this kind begin with in lists; "" where nothing.
 * @thread any */
const char *tw__plan_prefix(tw_plan_kind kind);
/* Has the API a call for it? @thread any */
int tw__plan_can(tw_plan_kind kind, tw_plan_action action);
/* Puts a note about an entry: `before` and `rule`, one after the other. @thread any */
int tw__change_note(tw_plan_diff *df, const tw_plan_entry *en, const char *before,
                    const char *rule);
/* Puts a change, checked as the call it will be; an update only where a field differs. Without a
 * state it only checks all values. TW_E_VALIDATION where the call would be refused. @thread any */
int tw__change_make(tw_plan_diff *df, const tw_plan_entry *en, tw_plan_action action);

#endif
