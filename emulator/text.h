/* SPDX-License-Identifier: MIT */
/* Hashes, base64, UUIDs, time text and form decoding. */
#ifndef EMU_TEXT_H
#define EMU_TEXT_H

#include "buf.h"

void emu_sha1(const void *p, size_t n, unsigned char out[20]);
void emu_sha256(const void *p, size_t n, unsigned char out[32]);
void emu_hmac_sha256(emu_str key, emu_str text, unsigned char out[32]);
void emu_hex(char *out, const unsigned char *p, size_t n); /* 2n digits and a NUL */
void emu_base64(emu_buf *b, const void *p, size_t n);
/* Strict decoding into the arena; s == NULL when it is not base64. */
emu_str emu_unbase64(emu_arena *a, emu_str s);
bool emu_same_secret(emu_str a, emu_str b); /* time depends on the lengths only */
bool emu_random(void *p, size_t n);

/* 128-bit mixing hash of two byte strings; not for adversaries. */
typedef struct emu_hash {
    uint64_t hi, lo;
} emu_hash;
emu_hash emu_hash_of(uint64_t seed, emu_str a, emu_str b);
void emu_uuid(char out[37], emu_hash h); /* version 4 form of a hash */
void emu_uuid5(char out[37], emu_str name);

#define EMU_TIME_N 26
void emu_time_text(char out[EMU_TIME_N + 1], int64_t ms); /* 2026-03-01 08:14:09.120000 */
int64_t emu_days_from_civil(int64_t y, unsigned m, unsigned d);
void emu_civil_from_days(int64_t days, int64_t *y, unsigned *m, unsigned *d);
bool emu_iso_time(emu_str s, int64_t *ms); /* ISO 8601, zone optional (UTC) */

bool emu_all_digits(emu_str s); /* an integer that fits, and nothing else */

/* Percent decoding; `plus` turns + into a space. NUL-terminated. */
emu_str emu_unescape(emu_arena *a, emu_str s, bool plus);
/* The n-th value of `name` in a query or form text; s == NULL when absent. */
emu_str emu_form_nth(emu_arena *a, emu_str form, const char *name, size_t nth);
emu_str emu_form(emu_arena *a, emu_str form, const char *name);

#endif
