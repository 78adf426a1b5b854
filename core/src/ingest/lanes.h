/* SPDX-License-Identifier: MIT */
/* Users and devices that the server throttles: their events wait, in order, others go on. */
#ifndef TW_INGEST_LANES_H
#define TW_INGEST_LANES_H

#include <stddef.h>
#include <stdint.h>

/* A number for the user ('u') or device ('d') with this id. @thread any */
uint64_t tw__lane_of(char kind, const char *id, size_t size);

#endif
