/* SPDX-License-Identifier: MIT */
/* The documents inside a query: events, segments, formulas; checked and brought to one form. */
#ifndef TW_AREAS_QUERY_DOCUMENT_H
#define TW_AREAS_QUERY_DOCUMENT_H

#include <tidewheel/error.h>

#include "base/buf.h"
#include "json/view.h"

/* The document that names the rules, for messages. */
#define TW_QUERY_SOURCE "Amplitude Dashboard REST API docs, read 2026-11-27"

/* Where in the arguments we are, "events[1].filters[0]". */
typedef struct tw_trail {
    char text[160];
    size_t size; /* may pass the room: the text is then cut */
} tw_trail;

/* Both give what tw__trail_back takes to return to where it was. */
size_t tw__trail_name(tw_trail *trail, const char *name);
size_t tw__trail_index(tw_trail *trail, size_t index);
void tw__trail_back(tw_trail *trail, size_t size);

/* What is being asked: the place for errors, and what the cost is computed from. */
typedef struct tw_asked {
    tw_trail trail;
    tw_error **err;
    size_t events;
    size_t event_groups; /* group_by entries of all events */
    size_t ungrouped;    /* events without one */
    size_t segments;
    size_t conditions; /* of all segments */
} tw_asked;

/* Refuses the value at the trail: "<path> <rule>", TW_E_VALIDATION. */
int tw__asked_refuse(tw_asked *asked, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* TW_E_NOMEM or TW_E_TOO_LARGE of a buffer as an error. */
int tw__asked_trouble(tw_asked *asked, int rc);

/*
 * Each appends the document as it is to be sent to `out` (a tw_buf), and counts. The form is one
 * whatever the order of the members was: documented members in the documents' order, then what we
 * do not know, untouched. Values of filters become texts, signs become the documented words
 * (">" is "greater"), a missing type of a property is told from its name. TW_OK,
 * TW_E_VALIDATION with the path and the rule, TW_E_NOMEM, TW_E_TOO_LARGE. @thread any
 */

/* An event: its name, or {"event_type", "filters", "group_by"}. */
int tw__event_document(tw_buf *out, tw_asked *asked, tw_view event);
/* A segment: an array of conditions. */
int tw__segment_document(tw_buf *out, tw_asked *asked, tw_view segment);
/* Balanced, of known functions and signs, about events and segments that are there; to be called
 * when these were counted. `formula` is NUL-terminated. */
int tw__formula_check(tw_asked *asked, const char *formula);

#endif
