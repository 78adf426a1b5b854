/* SPDX-License-Identifier: MIT */
/* The one form of each analytics answer. */
#ifndef TW_AREAS_ANALYTICS_FORM_H
#define TW_AREAS_ANALYTICS_FORM_H

#include <tidewheel/error.h>

#include "base/buf.h"

/*
 * Each reads an answer of any documented shape, and of those seen live, and writes one form of
 * it; docs/analytics.md describes them. What we do not know is passed over. TW_E_PROTOCOL for
 * what cannot be understood or says two things at once. @thread any
 */
int tw__form_series(tw_buf *out, const char *body, size_t size, tw_error **err);
int tw__form_funnels(tw_buf *out, const char *body, size_t size, tw_error **err);
int tw__form_retention(tw_buf *out, const char *body, size_t size, tw_error **err);
int tw__form_ltv(tw_buf *out, const char *body, size_t size, tw_error **err);
int tw__form_events(tw_buf *out, const char *body, size_t size, tw_error **err);
int tw__form_chart(tw_buf *out, const char *body, size_t size, tw_error **err);

#endif
