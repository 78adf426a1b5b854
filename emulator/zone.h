/* SPDX-License-Identifier: MIT */
/* One IANA time zone, read from its own file: the process's zone is never touched. */
#ifndef EMU_ZONE_H
#define EMU_ZONE_H

#include "buf.h"

typedef struct emu_zone emu_zone;

/* NULL with one line in err when there is no such zone. "UTC" needs no file. */
emu_zone *emu_zone_open(const char *name, char *err, size_t err_n);
void emu_zone_free(emu_zone *z);
const char *emu_zone_name(const emu_zone *z);

/* Seconds that local time is ahead of UTC at an instant (seconds since 1970). */
int64_t emu_zone_offset(const emu_zone *z, int64_t utc);
/* The instant of a local time: the first of two, and behind a gap as far as it was in it. */
int64_t emu_zone_instant(const emu_zone *z, int64_t local);

int64_t emu_floor_div(int64_t a, int64_t b);

#endif
