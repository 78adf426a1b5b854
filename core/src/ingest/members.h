/* SPDX-License-Identifier: MIT */
/* The top-level members of a record: our own JSON, which is whole and needs no checks. */
#ifndef TW_INGEST_MEMBERS_H
#define TW_INGEST_MEMBERS_H

#include <stddef.h>
#include <string.h>

/* Pieces of the record's text. */
typedef struct tw_member {
    const char *key; /* between its quotes */
    size_t key_size;
    const char *value; /* as it is written, with its quotes if it has any */
    size_t size;
} tw_member;

/* Where to begin in `text`; the closing brace may be missing. */
const char *tw__members_begin(const char *text);
/* The member at `at`: the place behind it, or NULL when there is none. */
const char *tw__members_next(tw_member *out, const char *at, const char *end);

/* Inline, for of a name that is a literal the compiler knows the size. */
static inline int tw__member_is(const tw_member *member, const char *name)
{
    return strlen(name) == member->key_size &&
           memcmp(member->key, name, member->key_size) == 0;
}

#endif
