/* SPDX-License-Identifier: MIT */
/* One layer of a document at a time: the members and elements of a JSON text as texts again. */
#ifndef TW_JSON_PARTS_H
#define TW_JSON_PARTS_H

#include <tidewheel/json.h>

#include "base/buf.h"

/*
 * Exact where a tree is not: numbers of any size stay the text they were. What is not needed is
 * checked and skipped.
 */

typedef struct tw_part {
    const char *key; /* decoded, NUL-terminated; NULL in arrays; until the next part */
    size_t key_size;
    const char *text; /* JSON of the value; borrowed from the document */
    size_t size;
} tw_part;

typedef struct tw_parts {
    tw_json_kind kind; /* TW_JSON_OBJECT, TW_JSON_ARRAY; any other has no parts */
    tw_json_reader *reader;
    tw_buf key;
} tw_parts;

/* `json` is borrowed until the end. TW_OK, TW_E_PROTOCOL, TW_E_NOMEM; to be ended in any case. */
int tw__parts_begin(tw_parts *parts, const char *json, size_t size);
/* TW_OK, TW_DONE after the last, TW_E_PROTOCOL, TW_E_NOMEM. */
int tw__parts_next(tw_parts *parts, tw_part *part);
void tw__parts_end(tw_parts *parts);

/* The kind of a well-formed JSON text, numbers all as TW_JSON_REAL. @thread any */
tw_json_kind tw__json_kind(const char *json, size_t size);
/* Puts the decoded text of a JSON string behind `out`; TW_DONE where it is none. */
int tw__json_text(tw_buf *out, const char *json, size_t size);
/* The token of a text that is one number: TW_OK; TW_DONE for another kind, TW_E_PROTOCOL for what
 * is none. No memory is needed but for the rarest reals (more than 19 digits, half way between two
 * doubles as far as those go): TW_E_NOMEM. */
int tw__json_number(tw_json_token *token, const char *json, size_t size);
/* Nonzero and `*out` set for an integer of 64 bits. */
int tw__json_int(int64_t *out, const char *json, size_t size);
/* Nonzero and `*out` set for any number in the range of doubles. */
int tw__json_real(double *out, const char *json, size_t size);
/* Puts the text as a JSON string behind `out`; it has to be UTF-8. */
int tw__json_quote(tw_buf *out, const char *text, size_t size);

#endif
