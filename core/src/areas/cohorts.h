/* SPDX-License-Identifier: MIT */
/* Behavioural cohorts on the gate: what the public functions wrap. */
#ifndef TW_AREAS_COHORTS_H
#define TW_AREAS_COHORTS_H

#include <tidewheel/cohorts.h>

#include "gate/gate.h"

/* The client's options about polling. */
typedef struct tw_poll_settings {
    int64_t first_ms;
    int64_t most_ms;
    int64_t timeout_ms;
} tw_poll_settings;

/* As their public namesakes. @thread any */
int tw__cohorts_list_start(tw_job **out, tw_gate *gate, int include_sync_info,
                           tw_queue *queue, tw_error **err);
int tw__cohort_download_start(tw_job **out, tw_gate *gate,
                              const tw_poll_settings *settings, const char *id,
                              const tw_cohort_download_options *options, tw_queue *queue,
                              tw_error **err);
int tw__cohort_upload_start(tw_job **out, tw_gate *gate,
                            const tw_cohort_upload_options *options, tw_ids *ids,
                            tw_queue *queue, tw_error **err);
int tw__cohort_update_start(tw_job **out, tw_gate *gate, const char *id,
                            const char *id_type, const char *operation,
                            int skip_invalid_ids, tw_ids *ids, tw_queue *queue,
                            tw_error **err);

#endif
