/* SPDX-License-Identifier: MIT */
/* Events of a client, and those the server refused; flush and stats are in client.c. */
#include <tidewheel/event.h>

#include "client/client_internal.h"
#include "ingest/ingest_internal.h"

int tw_event_begin(tw_event **out, tw_client *cl, tw_error **err)
{
    int rc;

    *out = NULL;
    rc = tw__client_check(cl, err);
    return rc == TW_OK ? tw__ingest_begin(out, cl->ingest, err) : rc;
}

int tw_event_filtered(tw_client *cl, tw_error **err)
{
    int rc = tw__client_check(cl, err);

    if (rc == TW_OK)
        tw__ingest_filtered(cl->ingest);
    return rc;
}

/* What has ended can still be asked for after close. */
static int check_open_or_closed(const tw_client *cl, tw_error **err)
{
    int rc = tw__client_check(cl, err);

    if (rc != TW_E_CLOSED)
        return rc;
    if (err != NULL) {
        tw_error_free(*err);
        *err = NULL;
    }
    return TW_OK;
}

int tw_event_outcome_next(tw_event_outcome **out, tw_client *cl, tw_error **err)
{
    int rc = check_open_or_closed(cl, err);

    *out = NULL;
    return rc == TW_OK ? tw__end_next(out, cl->ingest) : rc;
}

int tw_rejection_next(tw_rejection **out, tw_client *cl, tw_error **err)
{
    int rc = check_open_or_closed(cl, err);

    *out = NULL;
    return rc == TW_OK ? tw__rejection_next(out, cl->ingest) : rc;
}
