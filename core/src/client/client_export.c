/* SPDX-License-Identifier: MIT */
/* Export of a client. */
#include <tidewheel/export.h>

#include "client/client_internal.h"
#include "export/export.h"

int tw_export_start(tw_job **out, tw_client *cl, const char *start, const char *end,
                    const tw_export_options *options, tw_queue *queue, tw_error **err)
{
    tw_rooms *here;
    int rc = tw__client_enter(&here, cl, err);

    *out = NULL;
    return rc == TW_OK
               ? tw__export_start(out, here->gate, start, end, options, queue, err)
               : rc;
}
