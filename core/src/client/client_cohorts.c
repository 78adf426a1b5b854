/* SPDX-License-Identifier: MIT */
/* Cohorts of a client. */
#include <tidewheel/cohorts.h>

#include "areas/cohorts.h"
#include "client/client_internal.h"

int tw_cohorts_list_start(tw_job **out, tw_client *cl, int include_sync_info,
                          tw_queue *queue, tw_error **err)
{
    tw_rooms *here;
    int rc = tw__client_enter(&here, cl, err);

    *out = NULL;
    return rc == TW_OK
               ? tw__cohorts_list_start(out, here->gate, include_sync_info, queue, err)
               : rc;
}

int tw_cohort_download_start(tw_job **out, tw_client *cl, const char *id,
                             const tw_cohort_download_options *options, tw_queue *queue,
                             tw_error **err)
{
    tw_poll_settings settings;
    tw_rooms *here;
    int rc = tw__client_enter(&here, cl, err);

    *out = NULL;
    if (rc != TW_OK)
        return rc;
    settings.first_ms = cl->poll_first_ms;
    settings.most_ms = cl->poll_max_ms;
    settings.timeout_ms = cl->job_timeout_ms;
    return tw__cohort_download_start(out, here->gate, &settings, id, options, queue, err);
}

int tw_cohort_upload_start(tw_job **out, tw_client *cl,
                           const tw_cohort_upload_options *options, tw_ids *ids,
                           tw_queue *queue, tw_error **err)
{
    tw_rooms *here;
    int rc = tw__client_enter(&here, cl, err);

    *out = NULL;
    return rc == TW_OK
               ? tw__cohort_upload_start(out, here->gate, options, ids, queue, err)
               : rc;
}

int tw_cohort_update_start(tw_job **out, tw_client *cl, const char *id,
                           const char *id_type, const char *operation,
                           int skip_invalid_ids, tw_ids *ids, tw_queue *queue,
                           tw_error **err)
{
    tw_rooms *here;
    int rc = tw__client_enter(&here, cl, err);

    *out = NULL;
    return rc == TW_OK ? tw__cohort_update_start(out, here->gate, id, id_type, operation,
                                                 skip_invalid_ids, ids, queue, err)
                       : rc;
}
