/* SPDX-License-Identifier: MIT */
/* The tracking plan as one document: pulled from the project, compared with another. */
#ifndef TIDEWHEEL_TAXONOMY_H
#define TIDEWHEEL_TAXONOMY_H

#include <tidewheel/common.h>

TW_BEGIN_DECLS

typedef enum tw_taxonomy_part {
    TW_TAXONOMY_PLAN, /* the document, as people keep it */
    TW_TAXONOMY_STATE, /* the same with what a diff needs to know besides: ids of categories,
                          deleted entries */
    TW_TAXONOMY_EVENT_PROPERTIES /* a list of the properties of all events and the shared ones,
                                    as taxonomy.event_properties answers */
} tw_taxonomy_part;

/**
 * Reads the tracking plan: all lists, then the properties of each event, four calls at a time
 * (queries of cost 4 may be in flight, Amplitude Taxonomy API docs, read 2026-11-27). The
 * reply's body is the document; docs/taxonomy.md describes it. One failed call fails the whole.
 */
TW_API int tw_taxonomy_pull_start(tw_job **out, tw_client *cl, tw_taxonomy_part part,
                                  tw_queue *queue, tw_error **err);

/**
 * The changes that lead from `state` (of a pull, TW_TAXONOMY_STATE) to `plan`, in the order in
 * which they can be made. What the plan does not mention stays as it is, entries and fields;
 * with `deletes` entries it does not mention are deleted. Every change was checked as the call
 * it will be. An empty `state` makes no changes: the plan's form and all its values are checked,
 * before the project is asked for its own.
 *
 * @param out JSON {"cost", "changes": [{"action", "kind", "name", "text", "endpoint",
 *   "arguments"}]}; owned by caller, free with tw_text_free
 * @return TW_OK; TW_E_VALIDATION where the plan is no such document, with the place in it;
 *   TW_E_PROTOCOL where `state` is none. @thread any
 */
TW_API int tw_taxonomy_diff(char **out, size_t *out_size, const char *state,
                            size_t state_size, const char *plan, size_t plan_size,
                            int deletes, tw_error **err);

TW_END_DECLS

#endif
