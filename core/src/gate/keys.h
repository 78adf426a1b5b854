/* SPDX-License-Identifier: MIT */
/* The keys of a project, in the one place where they stand in memory. */
#ifndef TW_GATE_KEYS_H
#define TW_GATE_KEYS_H

#include <stddef.h>

enum { TW_KEY_MOST = 512 };

/* In a page of its own: kept out of core dumps, off the swap where the system allows, wiped
 * at the end. libcurl makes copies of the headers that it does not wipe. */
typedef struct tw_keys {
    char api_key[TW_KEY_MOST + 1];
    char secret_key[TW_KEY_MOST + 1];
    char basic[32 + (2 * TW_KEY_MOST + 3) / 3 * 4]; /* "Authorization: Basic ..." */
    char secret[TW_KEY_MOST + 32];                  /* "Authorization: Api-Key ..." */
} tw_keys;

/* NULL without memory. Longer keys were refused before. */
tw_keys *tw__keys_new(const char *api_key, const char *secret_key);
void tw__keys_free(tw_keys *keys);

/* Replaces every key in `text` in place: the API key by its last four characters, the others
 * by "***". Keys of fewer than 4 characters are left alone: they are no keys. */
void tw__keys_redact(const tw_keys *keys, char *text);

#endif
