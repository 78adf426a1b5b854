/* SPDX-License-Identifier: MIT */
/* Ids on their way into request bodies. */
#ifndef TW_AREAS_IDS_H
#define TW_AREAS_IDS_H

#include <tidewheel/cohorts.h>

#include "base/buf.h"

/* Ids per request, users per cohort (Behavioral Cohorts API docs, read 2026-11-23). */
enum { TW_IDS_PER_REQUEST = 100000, TW_IDS_PER_COHORT = 2000000 };

size_t tw__ids_parts(const tw_ids *ids);
/* Number of ids in a part, and its text: "a","b","c". Borrowed. */
size_t tw__ids_part(const tw_ids *ids, size_t part, const char **text, size_t *size);

/* Text as a JSON string. It has to be UTF-8 without control characters: then two
 * escapes are all there are. */
int tw__quote(tw_buf *buf, const char *text, size_t size);
/* NULL where the text may travel, else the rule it breaks, past tense. */
const char *tw__text_fault(const char *text, size_t size);

#endif
