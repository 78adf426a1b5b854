/* SPDX-License-Identifier: MIT */
/* The list of cohorts. */
#include "areas/cohorts.h"

#include <string.h>

int tw__cohorts_list_start(tw_job **out, tw_gate *gate, int include_sync_info,
                           tw_queue *queue, tw_error **err)
{
    tw_call_spec spec;

    memset(&spec, 0, sizeof spec);
    spec.endpoint = TW_EP_COHORTS_LIST;
    spec.query = include_sync_info ? "includeSyncInfo=true" : NULL;
    return tw__call_job_start(out, gate, &spec, NULL, queue, err);
}
