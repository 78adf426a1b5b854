/* SPDX-License-Identifier: MIT */
/* One value of a call: is it right, and what is sent of it. */
#ifndef TW_AREAS_ARGUMENT_VALUE_H
#define TW_AREAS_ARGUMENT_VALUE_H

#include "areas/arguments.h"
#include "json/parts.h"

/* Writes what is sent for the JSON value to `out`, which is empty. @thread any */
int tw__argument_value(tw_buf *out, const tw_argument *arg, const char *field,
                       const char *json, size_t size, tw_error **err);

/* Nonzero where parts just begun are those of a list. An empty object is one too: Lua's empty table
 * may be either. @thread any */
int tw__argument_is_list(tw_parts *parts);

#endif
