/* SPDX-License-Identifier: MIT */
/* Where in a half-written document the writer stands. */
#ifndef TW_JSON_PATH_H
#define TW_JSON_PATH_H

#include <stddef.h>

typedef enum tw_json_place {
    TW__PLACE_FIRST,  /* the first element of an array is due */
    TW__PLACE_MORE,   /* a further one */
    TW__PLACE_MEMBER, /* the value of the last key, or the document itself */
    TW__PLACE_BETWEEN /* no value: a key is due, or the document is complete */
} tw_json_place;

/*
 * Writes "event_properties.cart[3].price" into `out` (NUL-terminated, cut with "..." when longer
 * than `room`) and returns its full length. `starts` holds the offsets of the open containers in
 * `text`, the outermost first. Keys stand as in the text, escapes included. It reads the whole
 * text: made for errors, so that writing costs nothing for them.
 */
size_t tw__json_path(char *out, size_t room, const char *text, size_t size,
                     const size_t *starts, unsigned depth, tw_json_place place);

#endif
