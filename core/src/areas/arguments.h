/* SPDX-License-Identifier: MIT */
/* The arguments of endpoints as a table, and the one way from a caller's values to a request. */
#ifndef TW_AREAS_ARGUMENTS_H
#define TW_AREAS_ARGUMENTS_H

#include <tidewheel/call.h>

#include "base/buf.h"
#include "gate/gate.h"

enum { TW_ARGUMENTS_MOST = 32 };

/* Where an argument goes. */
typedef enum tw_place {
    TW_IN_QUERY,
    TW_IN_FORM, /* application/x-www-form-urlencoded body */
    TW_IN_PATH, /* in the order of the path's {...} */
    TW_IN_CALL  /* nowhere: it says how the call is made */
} tw_place;

typedef enum tw_kind {
    TW_KIND_TEXT,
    TW_KIND_INT,
    TW_KIND_NUMBER,
    TW_KIND_BOOL, /* sent as true or false */
    TW_KIND_FLAG, /* a boolean that is sent as 1 or 0 */
    TW_KIND_DATE, /* "20260301" or "2026-03-01", sent as the former */
    TW_KIND_ID,   /* a number of up to 64 bits, as one or as its digits */
    TW_KIND_LIST, /* of texts, sent with commas between */
    TW_KIND_JSON, /* sent as the JSON text of the value */
    TW_KIND_EVENT, /* documents of queries, see docs/analytics.md; given as they are or as */
    TW_KIND_SEGMENT, /* their JSON text, an event also by its name. Their rule sees them all */
    TW_KIND_RANGES /* [[from, to], ...], likewise */
} tw_kind;

enum {
    TW_REQUIRED = 1,
    TW_REPEATED = 2, /* a list: the name is sent once for each value, in order */
    TW_FILLED = 4,   /* neither "" nor an empty list */
    TW_OR_INT = 8,   /* a text that may be given as a whole number */
    TW_RENAMES = 16, /* makes repeating the call another call: see TW_CALL_UNSURE */
    TW_OR_BOOL = 32, /* a LIST that may be true instead (only `with` is sent) or false */
    TW_ONLY_TRUE = 64, /* false is not sent */
    TW_NUMBERED = 128  /* with REPEATED: name, name2, name3 */
};

/* Checks a value, which is well-formed JSON, and writes what is sent of it to `out`, which is
 * empty. TW_DONE: it is not sent. `field` is the path of the value: errors name it, or a place
 * that begins with it. */
typedef int (*tw_value_rule)(tw_buf *out, const char *field, const char *json,
                             size_t size, tw_error **err);

typedef struct tw_argument {
    const char *name; /* as callers write it */
    const char *sent; /* as the API writes it; NULL for the same */
    tw_place place;
    tw_kind kind;
    unsigned flags;
    int64_t min, max; /* INT and ID, where max is not 0 */
    const char
        *choices; /* "active|new", or "day=1|week=7" where callers may use names; the
                            value after '=' is taken as well. TEXT, INT and LIST. */
    tw_value_rule rule; /* TEXT, JSON and documents, instead of sending it as it is */
    const char
        *with; /* a query pair, encoded, that goes before it if it is not there yet */
    const char *doc;    /* for docs/arguments.md: a few words */
    const char *absent; /* a query pair, encoded, that is sent where it was not given */
} tw_argument;

/* The values given to one call. */
typedef struct tw_given {
    const struct tw_operation *operation;
    const char
        *text[TW_ARGUMENTS_MOST]; /* JSON, by row of the table; NULL where absent */
    size_t size[TW_ARGUMENTS_MOST];
} tw_given;

typedef struct tw_operation {
    tw_endpoint_id endpoint;
    const tw_argument *arguments;
    size_t count;
    int (*check)(const tw_given *given, tw_error **err); /* what no single argument can
                                                            tell; each is right already */
    tw_reply_form form;   /* NULL: the body is handed out as it came */
    const char *form_doc; /* for docs/arguments.md */
} tw_operation;

#define TW_ARGUMENTS(table) (table), sizeof(table) / sizeof *(table)

/* The tables of the areas, each ended by a row without arguments. */
extern const tw_operation tw__ingestion_operations[];
extern const tw_operation tw__analytics_operations[];
extern const tw_operation tw__taxonomy_operations[];
extern const tw_operation tw__users_operations[];
extern const tw_operation tw__profile_operations[];
extern const tw_operation tw__mcp_operations[];

/* NULL where the endpoint takes no arguments by this way. @thread any */
const tw_operation *tw__operation(tw_endpoint_id id);

/* ---- for check() ------------------------------------------------------------------- */

/* JSON of an argument that is in the table, NULL where it was not given. Borrowed. */
const char *tw__given(const tw_given *given, const char *name, size_t *size);
/* Nonzero where the argument was given and is this text, or this number, true or false. `text`
 * needs no escapes in JSON. */
int tw__given_is(const tw_given *given, const char *name, const char *text);

/* ---- starting ---------------------------------------------------------------------- */

/* What tw__operation_start would refuse of the arguments. @thread any */
int tw__operation_check(const tw_operation *op, const char *json, size_t size,
                        tw_error **err);

/* `json` is one object. @thread any */
int tw__operation_start(tw_job **out, tw_gate *gate, const tw_operation *op,
                        const char *json, size_t size, tw_queue *queue, tw_error **err);

/* What it would cost of its budget; everything is checked as for the start. @thread any */
int tw__operation_cost(int64_t *out, const tw_gate *gate, const tw_operation *op,
                       const char *json, size_t size, tw_error **err);

/* ---- the values as text ------------------------------------------------------------ */

/* Text of a JSON string, decoded and put behind `out`, without U+0000 and control characters;
 * TW_E_VALIDATION at `field`. */
int tw__value_text(tw_buf *out, const char *field, const char *json, size_t size,
                   tw_error **err);

#endif
