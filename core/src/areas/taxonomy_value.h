/* SPDX-License-Identifier: MIT */
/* Values of a tracking plan: when two are the same, and how they are written. */
#ifndef TW_AREAS_TAXONOMY_VALUE_H
#define TW_AREAS_TAXONOMY_VALUE_H

#include "areas/form.h"
#include "json/tree.h"

/* Null or ""? @thread any */
int tw__plan_is_nothing(const tw_node *node);
/* Is it a list? Lua's empty table may be either. @thread any */
int tw__plan_is_list(const tw_node *node);
/* Are they the same to the server? Null, "" and an empty list are, and lists are sets.
 * @thread any */
int tw__plan_same(const tw_node *a, const tw_node *b);
/* Is this what an entry has where nothing was said? @thread any */
int tw__plan_is_default(const tw_member *member, const tw_node *value);
/* Puts a value as an argument of a call. @thread any */
int tw__plan_put(tw_buf *out, const tw_node *node);
/* Puts a value for people: short. @thread any */
int tw__plan_show(tw_buf *out, const tw_node *value);

#endif
