/* SPDX-License-Identifier: MIT */
/* Labels of series, in whichever of their shapes. */
#ifndef TW_AREAS_ANALYTICS_SERIES_H
#define TW_AREAS_ANALYTICS_SERIES_H

#include "areas/shape.h"

/* "label":[...],"event":n,"segment":n, from one element of seriesLabels and of seriesMeta, either
 * of which may be absent; `segment` is the number where neither tells, if it is given. */
void tw__shape_label(tw_shape *shape, tw_view label, tw_view meta, tw_view segment);
/* The data of an answer, which has to be of that kind; absent where it failed. */
tw_view tw__shape_data(tw_shape *shape, tw_view root, tw_json_kind kind);

#endif
