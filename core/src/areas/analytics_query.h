/* SPDX-License-Identifier: MIT */
/* Rules of analytics queries that concern more than one argument, and what a query costs. */
#ifndef TW_AREAS_ANALYTICS_QUERY_H
#define TW_AREAS_ANALYTICS_QUERY_H

#include "areas/arguments.h"

/* Rules of single values. */
int tw__event_rule(tw_buf *out, const char *field, const char *json, size_t size,
                   tw_error **err);
int tw__segment_rule(tw_buf *out, const char *field, const char *json, size_t size,
                     tw_error **err);
int tw__brackets_rule(tw_buf *out, const char *field, const char *json, size_t size,
                      tw_error **err);

/* Rules of whole queries. */
int tw__segmentation_check(const tw_given *given, tw_error **err);
int tw__funnel_check(const tw_given *given, tw_error **err);
int tw__retention_check(const tw_given *given, tw_error **err);
int tw__sessions_check(const tw_given *given, tw_error **err);
int tw__groups_check(const tw_given *given, tw_error **err); /* users: two groups */
int tw__table_check(const tw_given *given, tw_error **err);  /* one group */

/* Days x conditions x type of a query that was found right; TW_E_INVALID for a saved chart, whose
 * query nobody knows here. */
int tw__query_cost(int64_t *out, const tw_given *given, tw_error **err);
/* TW_E_VALIDATION at "end" where a query that was found right costs more than `most` even if its
 * last day is not charged; 0 for any. A saved chart is let through. */
int tw__query_cost_check(const tw_given *given, int64_t most, tw_error **err);

#endif
