/* SPDX-License-Identifier: MIT */
/* Slices of a JSON text that was found valid: lookups without a tree, numbers stay exact. */
#ifndef TW_JSON_VIEW_H
#define TW_JSON_VIEW_H

#include <tidewheel/json.h>

#include "base/buf.h"

/* For texts that are looked at many times; what was not checked is read by json/parts.h. */

/* One value, borrowed from the text; `text` NULL: absent, which answers as null does. */
typedef struct tw_view {
    const char *text;
    size_t size;
} tw_view;

/* What is left of a container. */
typedef struct tw_view_walk {
    const char *at;
    const char *end;
    int is_object;
} tw_view_walk;

/* Checks the whole text by the strict reader and gives the value in it. TW_E_PROTOCOL,
 * TW_E_TOO_LARGE, TW_E_NOMEM. All that follows takes views of such a text only. @thread any */
int tw__view_open(tw_view *out, const char *text, size_t size, unsigned max_depth,
                  size_t max_bytes, tw_error **err);

/* OBJECT, ARRAY, STRING, TRUE, FALSE, NULL, REAL, or INT for a whole number of any size. */
tw_json_kind tw__view_kind(tw_view value);
/* Neither absent nor null. */
int tw__view_given(tw_view value);

/* An array, or {}: Lua has one empty table for both. */
int tw__view_is_list(tw_view value);

/* Over the members or elements; values of other kinds have none. 1 and the value, 0 at the end.
 * `key` may be NULL; an element's is absent. */
tw_view_walk tw__view_walk(tw_view container);
int tw__view_next(tw_view_walk *walk, tw_view *key, tw_view *value);
size_t tw__view_count(tw_view container);

/* Picks the members called `names` (NULL-ended) into `out`, absent where there are none. -1, or
 * the index of a name that stood there twice: then nobody knows which one counts. */
int tw__view_pick(tw_view object, const char *const *names, tw_view *out);
/* The same for one name; absent as well where it stood there twice. */
tw_view tw__view_member(tw_view object, const char *name);

/* Whether a string is this text. */
int tw__view_is(tw_view string, const char *text);
/* Appends the text of a string, unescaped; nothing for other kinds. As tw__buf_put. */
int tw__view_text(tw_buf *out, tw_view string);
/* 1 and the number where it is a whole one of 64 bits. */
int tw__view_int(tw_view number, int64_t *out);

/* Whether a number is below 0, or any kind of 0. */
int tw__view_negative(tw_view number);
int tw__view_zero(tw_view number);

/* Appends the value as it stands in the text. As tw__buf_put. */
int tw__view_put(tw_buf *out, tw_view value);

#endif
