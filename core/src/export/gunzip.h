/* SPDX-License-Identifier: MIT */
/* A gzip stream, undone member by member and verified. */
#ifndef TW_EXPORT_GUNZIP_H
#define TW_EXPORT_GUNZIP_H

#include <tidewheel/common.h>

#include "export/inflate.h"

typedef struct tw_gunzip tw_gunzip;

int tw__gunzip_new(tw_gunzip **out, tw_inflate_kind kind);
void tw__gunzip_free(tw_gunzip *gz);
/* Before another stream: the next byte is a member's first. */
void tw__gunzip_reset(tw_gunzip *gz);

/*
 * Runs until the input is used up, `room` is full, or a gzip member ends.
 *
 * TW_OK: more input or more room is needed; room was too small if all of it was filled.
 * TW_DONE: a member ended, its checksum and length were right; `*used` bytes of the input
 * belonged to it. The next call starts on the next member.
 * TW_E_PROTOCOL: damaged; tw__gunzip_reason says how.
 */
int tw__gunzip_run(tw_gunzip *gz, const char *bytes, size_t size, size_t *used, char *out,
                   size_t room, size_t *made);
/* Nonzero between two members (and before the first). */
int tw__gunzip_between(const tw_gunzip *gz);
/* Members that ended well since the reset. */
uint64_t tw__gunzip_members(const tw_gunzip *gz);
/* What was wrong, past tense, static; "" after no failure. */
const char *tw__gunzip_reason(const tw_gunzip *gz);

#endif
