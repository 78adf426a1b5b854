/* SPDX-License-Identifier: MIT */
/* A small answer as a tree, for lookups; event data never comes here. */
#ifndef TW_JSON_TREE_H
#define TW_JSON_TREE_H

#include <tidewheel/json.h>

/* Longest document made into a tree. */
enum { TW__TREE_MAX_BYTES = 16 << 20 };

typedef struct tw_node tw_node;

/* The text is first checked by the strict reader; a string with U+0000 is refused as well.
 * TW_E_PROTOCOL, TW_E_TOO_LARGE, TW_E_NOMEM. The root is owned by caller, free with
 * tw__tree_free; all other nodes and strings are borrowed from it. @thread any */
int tw__tree_parse(tw_node **out, const char *text, size_t size, tw_error **err);
void tw__tree_free(tw_node *root); /* NULL is allowed */

/* All of these take NULL and answer as for a null value, so that lookups chain. */
tw_json_kind
tw__node_kind(const tw_node *node); /* OBJECT, ARRAY, STRING, REAL, INT ... */
/* The first member of that name (case matters), NULL where there is none. */
const tw_node *tw__node_member(const tw_node *node, const char *name);
/* First member or element, and the one after. */
const tw_node *tw__node_first(const tw_node *node);
const tw_node *tw__node_next(const tw_node *node);
size_t tw__node_count(const tw_node *node);
/* The key of an object's member, NULL for others. */
const char *tw__node_key(const tw_node *node);
/* NUL-terminated UTF-8, NULL where it is no string. */
const char *tw__node_string(const tw_node *node);
/* Nonzero and `*out` set for an integral number below 2^53, beyond which a tree is not exact. */
int tw__node_int(const tw_node *node, int64_t *out);
/* Nonzero and `*out` set for any number. */
int tw__node_real(const tw_node *node, double *out);

#endif
