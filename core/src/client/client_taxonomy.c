/* SPDX-License-Identifier: MIT */
/* The tracking plan of a client. */
#include "areas/taxonomy.h"
#include "client/client_internal.h"

int tw_taxonomy_pull_start(tw_job **out, tw_client *cl, tw_taxonomy_part part,
                           tw_queue *queue, tw_error **err)
{
    tw_rooms *here;
    int rc = tw__client_enter(&here, cl, err);

    *out = NULL;
    return rc == TW_OK ? tw__taxonomy_pull_start(out, here->gate, part, queue, err) : rc;
}
