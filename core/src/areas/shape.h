/* SPDX-License-Identifier: MIT */
/* Writing the one form of an answer, whatever shape it came in. */
#ifndef TW_AREAS_SHAPE_H
#define TW_AREAS_SHAPE_H

#include <tidewheel/error.h>

#include "base/buf.h"
#include "json/view.h"

/* A form being written. The first failure stays, and nothing is written after it. */
typedef struct tw_shape {
    tw_buf *out;
    tw_error **err;
    int rc;
} tw_shape;

/* Opens an answer that has to be an object; absent where it failed. */
tw_view tw__shape_open(tw_shape *shape, tw_buf *out, const char *body, size_t size,
                       tw_error **err);
/* TW_E_PROTOCOL: "the answer <fault>". */
void tw__shape_fault(tw_shape *shape, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Takes the code of a tw_buf, and makes the error of one that is not TW_OK. */
void tw__shape_settle(tw_shape *shape, int rc);

/* Members of an object as tw__view_pick; one that stands twice is a fault. */
void tw__shape_pick(tw_shape *shape, tw_view object, const char *const *names,
                    tw_view *out);

void tw__shape_puts(tw_shape *shape, const char *text);
void tw__shape_printf(tw_shape *shape, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void tw__shape_put(tw_shape *shape, tw_view value);
/* Any UTF-8 text as a string. */
void tw__shape_quote(tw_shape *shape, const char *text, size_t size);

/* Each writes null where the value is absent or null, and else takes one kind alone; `what` is
 * for the fault. */
void tw__shape_number(tw_shape *shape, const char *what, tw_view value);
void tw__shape_bool(tw_shape *shape, const char *what, tw_view value);
/* Numbers and truth values become texts, null "(none)". */
void tw__shape_text(tw_shape *shape, const char *what, tw_view value);

typedef void (*tw_shape_cell)(tw_shape *shape, const char *what, tw_view value);
/* An array of `count` cells; missing ones at its end are absent ones, more are a fault.
 * SIZE_MAX: as many as there are. An absent array has none. */
void tw__shape_row(tw_shape *shape, const char *what, tw_view row, size_t count,
                   tw_shape_cell cell);

/* The last members, those of the whole answer: ,"cached":...,"computed_ms":...,"data":...} with the
 * answer as it came. Returns the result of the writing. */
int tw__shape_end(tw_shape *shape, tw_view root);

#endif
