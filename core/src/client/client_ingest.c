/* SPDX-License-Identifier: MIT */
/* Events of a client, and those the server refused; flush and stats are in client.c. */
#include <tidewheel/event.h>

#include "base/error.h"
#include "client/client_internal.h"
#include "ingest/ingest_internal.h"

int tw_event_begin(tw_event **out, tw_client *cl, tw_error **err)
{
    tw_rooms *here;
    int rc;

    *out = NULL;
    rc = tw__client_enter(&here, cl, err);
    return rc == TW_OK ? tw__ingest_begin(out, here->ingest, err) : rc;
}

int tw_event_filtered(tw_client *cl, tw_error **err)
{
    tw_rooms *here;
    int rc = tw__client_enter(&here, cl, err);

    if (rc == TW_OK)
        tw__ingest_filtered(here->ingest);
    return rc;
}

/* What has ended can still be asked for after close. In a child that did not use the client nothing
 * has: TW_AGAIN. */
static int ended_of(tw_ingest **out, const tw_client *cl, tw_error **err)
{
    tw_rooms *here;

    *out = NULL;
    if (cl == NULL)
        return tw__error(err, TW_E_INVALID, "there was no client");
    here = tw__client_rooms(cl);
    *out = here != NULL ? here->ingest : NULL;
    return here != NULL ? TW_OK : TW_AGAIN;
}

int tw_event_outcome_next(tw_event_outcome **out, tw_client *cl, tw_error **err)
{
    tw_ingest *ing = NULL;
    int rc = ended_of(&ing, cl, err);

    *out = NULL;
    return rc == TW_OK ? tw__end_next(out, ing) : rc;
}

int tw_rejection_next(tw_rejection **out, tw_client *cl, tw_error **err)
{
    tw_ingest *ing = NULL;
    int rc = ended_of(&ing, cl, err);

    *out = NULL;
    return rc == TW_OK ? tw__rejection_next(out, ing) : rc;
}
