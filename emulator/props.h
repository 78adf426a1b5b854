/* SPDX-License-Identifier: MIT */
/* Property dictionaries and the ten operations on them. */
#ifndef EMU_PROPS_H
#define EMU_PROPS_H

#include "json.h"

/* True when a dictionary holds operations, plain keys, or (both) a mix. */
void emu_props_kinds(const ej_val *update, bool *ops, bool *plain);

bool emu_is_op(const ej_val *key);

/*!
 * Applies `update` (operations or plain keys) to `current`, a compact object or an empty
 * slice. Operations run in the order of the service: $clearAll, $unset, $set, $setOnce, $add,
 * $append, $prepend, $preInsert, $postInsert, $remove; plain keys are merged on top.
 *
 * @return the new object in the arena; s == NULL when out of memory
 */
emu_str emu_props_apply(emu_arena *a, emu_str current, const ej_val *update);

#endif
