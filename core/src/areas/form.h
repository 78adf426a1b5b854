/* SPDX-License-Identifier: MIT */
/* Answers brought into one form: members by table, whatever type and shape they came in. */
#ifndef TW_AREAS_FORM_H
#define TW_AREAS_FORM_H

#include <tidewheel/error.h>

#include "base/buf.h"

typedef enum tw_member_kind {
    TW_MEMBER_ANY,  /* as it came */
    TW_MEMBER_TEXT, /* as it came, but "" is absent */
    TW_MEMBER_NUMBER, /* also from its digits in a text; "" and what stands for unknown (1e308 and
                         beyond) are absent */
    TW_MEMBER_LIST, /* also from a text with commas */
    TW_MEMBER_NAME  /* also from an object with a "name" */
} tw_member_kind;

typedef struct tw_member {
    const char *name; /* in the form */
    const char *from; /* in the answer; NULL: the same */
    tw_member_kind kind;
    const char *otherwise; /* JSON where it is absent or null; NULL: null */
} tw_member;

enum { TW_MEMBERS_MOST = 40 };

/* All of these put JSON behind `out` and return TW_OK, TW_E_PROTOCOL (with no error made) where
 * the answer has another shape, TW_E_NOMEM or TW_E_TOO_LARGE. `json` is well-formed or refused. */

/* {...} with the members of the table, ended by one without a name, and "data": the object as it
 * came. */
int tw__form_object(tw_buf *out, const tw_member *members, const char *json, size_t size);
/* The same without closing the object, so that more members may follow. */
int tw__form_open(tw_buf *out, const tw_member *members, const char *json, size_t size);
/* A list of such objects out of an array; null is an empty one. */
int tw__form_list(tw_buf *out, const tw_member *members, const char *json, size_t size);

/* A member of an object: its JSON, borrowed from `json`; NULL where absent or null. */
int tw__form_member(const char **text, size_t *text_size, const char *name,
                    const char *json, size_t size);

/* The end of a form function: makes the error of a code that is not TW_OK. */
int tw__form_end(int rc, const char *what, tw_error **err);

#endif
