/* SPDX-License-Identifier: MIT */
/* Plain calls by name, and the endpoint table for those who look one up. */
#include <string.h>

#include "base/error.h"
#include "client/client_internal.h"

int tw_raw_start(tw_job **out, tw_client *cl, const char *endpoint,
                 const tw_raw_options *options, tw_queue *queue, tw_error **err)
{
    tw_raw_options all = TW_RAW_OPTIONS_INIT;
    const tw_endpoint *row;
    tw_call_spec spec;
    tw_rooms *here;
    int rc = tw__client_enter(&here, cl, err);

    *out = NULL;
    if (rc != TW_OK)
        return rc;
    row = tw__endpoint_find(endpoint);
    if (row == NULL)
        return tw__error(err, TW_E_INVALID, "the endpoint \"%s\" is unknown", endpoint);
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    memset(&spec, 0, sizeof spec);
    spec.endpoint = row->id;
    spec.path_values = all.path_values;
    spec.query = all.query;
    spec.content_type = all.content_type;
    spec.body = all.body;
    spec.body_size = all.body != NULL ? all.body_size : 0;
    /* Events are safe to repeat by their insert_id, which a body of the caller's may lack. */
    spec.flags = row->auth == TW_AUTH_BODY ? TW_CALL_UNSURE : 0;
    return tw__call_job_start(out, here->gate, &spec, NULL, queue, err);
}

int tw_endpoint_row(size_t index, const char **name, const char **area,
                    const char **method, const char **path, const char **access)
{
    const tw_endpoint *row =
        index < TW_EP_COUNT ? tw__endpoint((tw_endpoint_id)index) : NULL;

    if (row == NULL)
        return TW_DONE;
    *name = row->name;
    *area = tw__area_name(row->area);
    *method = row->method;
    *path = row->path;
    *access = tw__access_name(row->access);
    return TW_OK;
}
