/* SPDX-License-Identifier: MIT */
/* Hash map from byte strings to pointers; keys are copied. */
#ifndef EMU_MAP_H
#define EMU_MAP_H

#include "buf.h"

typedef struct emu_map {
    struct emu_slot *slots;
    size_t cap, used;
} emu_map;

void *emu_map_get(const emu_map *m, emu_str key);
bool emu_map_put(emu_map *m, emu_str key, void *value); /* false: out of memory */
/* Walks all entries; *at starts at 0. */
bool emu_map_next(const emu_map *m, size_t *at, emu_str *key, void **value);
void emu_map_free(emu_map *m);

#endif
