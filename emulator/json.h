/* SPDX-License-Identifier: MIT */
/* Strict JSON check, then a pull cursor over the checked text: values are slices of the
 * original bytes, so number text is never altered. */
#ifndef EMU_JSON_H
#define EMU_JSON_H

#include "buf.h"

typedef enum ej_kind {
    EJ_NONE, /* absent */
    EJ_NULL,
    EJ_BOOL,
    EJ_NUMBER,
    EJ_STRING,
    EJ_ARRAY,
    EJ_OBJECT
} ej_kind;

typedef struct ej_val {
    emu_str raw;    /* string slices include their quotes */
    uint16_t depth; /* nesting of an array or object, 1 when it holds scalars only */
    uint8_t kind;
    bool escaped; /* string with a backslash in it */
} ej_val;

typedef struct ej_info {
    bool spaced;      /* white space between tokens */
    bool long_string; /* a string literal of more than 1,024 bytes */
} ej_info;

#define EJ_MAX_DEPTH 2048

bool ej_is_utf8(emu_str s);
/* True when text is one JSON value (RFC 8259, valid UTF-8, depth capped). */
bool ej_check(emu_str text, ej_info *info);

/* The cursor trusts its input: use it on checked text only. */
typedef struct ej_cur {
    const char *p, *end;
} ej_cur;

ej_cur ej_at(emu_str text);
ej_kind ej_peek(ej_cur *c);
void ej_take(ej_cur *c, ej_val *v);  /* consumes one value */
void ej_enter(ej_cur *c);            /* consumes the opening bracket */
bool ej_key(ej_cur *c, ej_val *key); /* false: object ended, bracket consumed */
bool ej_item(ej_cur *c);             /* false: array ended, bracket consumed */
/* First value under `key` of the object in v; the last duplicate wins. */
bool ej_get(const ej_val *v, const char *key, ej_val *out);

/* Decoded text of a string; the slice itself when nothing is escaped. A lone surrogate
 * becomes its three-byte form. */
emu_str ej_text(const ej_val *v, emu_arena *a);
bool ej_key_is(const ej_val *key, const char *z);
bool ej_int(const ej_val *v,
            int64_t *out); /* numbers; fractions are cut, range clamped */
double ej_double(const ej_val *v);
/* The shortest text that reads back the same; false, nothing put, when it is not finite. */
bool ej_put_double(emu_buf *b, double d);
bool ej_true(const ej_val *v);

/* Appends v without white space, strings longer than 1,024 characters cut. */
void ej_compact(emu_buf *b, emu_str checked);

/* Characters of checked JSON text, an escape as one. */
size_t ej_characters(emu_str checked);

#endif
