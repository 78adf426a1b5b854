/* SPDX-License-Identifier: MIT */
/* The keys of a project, in the one place where they stand in memory. */
#ifndef TW_GATE_KEYS_H
#define TW_GATE_KEYS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { TW_KEY_MOST = 512, TW_TOKEN_MOST = 8192 };

/* A token of a user, in pages of its own as the keys. */
typedef struct tw_token {
    struct tw_token *older;
    unsigned users; /* calls that may carry it, or a newer one */
    size_t size;    /* of all of this */
    char text[];
} tw_token;

/* In a page of its own: kept out of core dumps, off the swap where the system allows, wiped
 * at the end. libcurl makes copies of the headers that it does not wipe. */
typedef struct tw_keys {
    char api_key[TW_KEY_MOST + 1];
    char secret_key[TW_KEY_MOST + 1];
    char basic[32 + (2 * TW_KEY_MOST + 3) / 3 * 4]; /* "Authorization: Basic ..." */
    char secret[TW_KEY_MOST + 32];                  /* "Authorization: Api-Key ..." */
    /* The token of a user may be replaced at any time; the rest is constant. */
    pthread_mutex_t lock;
    tw_token
        *newest; /* and behind it those that calls in flight may carry, to be redacted */
    _Atomic(tw_token *)
        current;     /* the newest, NULL once it was taken away; whole whenever
                                    it is seen, for a forked child cannot lock */
    uint64_t tokens; /* how many there were */
} tw_keys;

/* NULL without memory. Longer keys were refused before. */
tw_keys *tw__keys_new(const char *api_key, const char *secret_key);
void tw__keys_free(tw_keys *keys);

/* Replaces every key in `text` in place: the API key by its last four characters, the others
 * by "***". Keys of fewer than 4 characters are left alone: they are no keys. */
void tw__keys_redact(tw_keys *keys, char *text);

/* Size 0 for none; longer ones were refused before. An old one is wiped as soon as nobody holds it.
 * TW_OK or TW_E_NOMEM, which only a new token gives. @thread any @locks takes keys.lock */
int tw__keys_set_token(tw_keys *keys, const char *token, size_t size);
/* For who may carry the token that counts now, or a later one: all of them are redacted until it
 * lets go. NULL where there is none. @thread any @locks takes keys.lock */
tw_token *tw__keys_hold(tw_keys *keys);
void tw__keys_let(tw_keys *keys, tw_token *token);
/* The number of the token that counts now, 0 where there is none. @thread any @locks takes
 * keys.lock */
uint64_t tw__keys_token(tw_keys *keys);
/* In a forked child, of keys of the parent's: borrowed; "" where there is none. */
const char *tw__keys_inherited_token(const tw_keys *keys);
/* Puts the header "Authorization: Bearer ..." and its NUL behind `lines`; wipe them. As
 * tw__buf_put, and TW_E_CONFIG where there is no token. @thread any @locks takes keys.lock */
int tw__keys_bearer(tw_buf *lines, tw_keys *keys);

#endif
