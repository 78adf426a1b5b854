/* SPDX-License-Identifier: MIT */
/* Calls of a client by name, with arguments. */
#include <tidewheel/call.h>

#include "areas/arguments.h"
#include "base/alloc.h"
#include "base/error.h"
#include "client/client_internal.h"
#include "json/writer.h"

enum { ARGUMENTS_MOST = 8 * 1024 * 1024, DEEPEST = 60 };

struct tw_arguments {
    tw_client *cl; /* borrowed: the caller's */
    const tw_operation *operation;
    tw_json_writer *writer;
};

static int writer_new(tw_json_writer **out, tw_error **err)
{
    tw_json_writer_options options = TW_JSON_WRITER_OPTIONS_INIT;

    options.max_bytes = ARGUMENTS_MOST;
    options.max_string_chars = 0;
    options.max_depth = DEEPEST;
    return tw_json_writer_new(out, &options, err);
}

int tw_arguments_begin(tw_arguments **out, tw_client *cl, const char *endpoint,
                       tw_error **err)
{
    const tw_endpoint *row;
    const tw_operation *op;
    tw_arguments *args;
    tw_rooms *here;
    int rc = tw__client_enter(&here, cl, err);

    *out = NULL;
    if (rc != TW_OK)
        return rc;
    row = tw__endpoint_find(endpoint);
    op = row != NULL ? tw__operation(row->id) : NULL;
    if (op == NULL)
        return tw__error(err, TW_E_INVALID,
                         row == NULL ? "the endpoint \"%s\" is unknown"
                                     : "the endpoint \"%s\" takes no arguments by name",
                         endpoint);
    args = tw__alloc_zero(1, sizeof *args);
    if (args == NULL)
        return tw__error_nomem(err);
    args->cl = cl;
    args->operation = op;
    rc = writer_new(&args->writer, err);
    if (rc != TW_OK) {
        tw_arguments_abort(args);
        return rc;
    }
    *out = args;
    return TW_OK;
}

tw_json_writer *tw_arguments_writer(tw_arguments *args)
{
    return args->writer;
}

/* The collected object; TW_OK with a text that is borrowed from the writer. */
static int arguments_text(const char **text, size_t *size, tw_rooms **here,
                          const tw_arguments *args, tw_error **err)
{
    int rc = tw__client_enter(here, args->cl, err);

    if (rc == TW_OK && !tw_json_writer_complete(args->writer))
        rc = tw_json_writer_error(args->writer, err);
    if (rc == TW_OK)
        *text = tw_json_writer_text(args->writer, size);
    return rc;
}

int tw_arguments_start(tw_job **out, tw_arguments *args, tw_queue *queue, tw_error **err)
{
    tw_rooms *here;
    const char *text;
    size_t size;
    int rc = arguments_text(&text, &size, &here, args, err);

    *out = NULL;
    if (rc == TW_OK)
        rc =
            tw__operation_start(out, here->gate, args->operation, text, size, queue, err);
    tw_arguments_abort(args);
    return rc;
}

int tw_arguments_estimate(int64_t *out, tw_arguments *args, tw_error **err)
{
    tw_rooms *here;
    const char *text;
    size_t size;
    int rc = arguments_text(&text, &size, &here, args, err);

    *out = 0;
    if (rc == TW_OK)
        rc = tw__operation_cost(out, here->gate, args->operation, text, size, err);
    tw_arguments_abort(args);
    return rc;
}

void tw_arguments_abort(tw_arguments *args)
{
    if (args == NULL)
        return;
    tw_json_writer_free(args->writer);
    tw__free(args);
}
