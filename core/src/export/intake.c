/* SPDX-License-Identifier: MIT */
/* Between a call that delivers bytes and a decoder that may be full. */
#include "export/intake.h"

#include <string.h>

#include <tidewheel/common.h>

#include "base/alloc.h"

void tw__intake_init(tw_intake *in,
                     int (*feed)(void *ctx, const char *bytes, size_t size, size_t *used),
                     void *ctx)
{
    memset(in, 0, sizeof *in);
    in->feed = feed;
    in->ctx = ctx;
}

void tw__intake_clear(tw_intake *in)
{
    tw__free(in->rest);
    tw__intake_init(in, in->feed, in->ctx);
}

static int intake_keep(tw_intake *in, const char *bytes, size_t size)
{
    if (size > in->rest_room) {
        char *rest = tw__realloc(in->rest, size);

        if (rest == NULL)
            return TW_E_NOMEM;
        in->rest = rest;
        in->rest_room = size;
    }
    if (size != 0)
        memcpy(in->rest, bytes, size);
    in->rest_size = size;
    in->full = 1;
    return TW_OK;
}

int tw__intake_data(tw_intake *in, const char *bytes, size_t size)
{
    size_t used = 0;
    int rc;

    if (in->full) {
        in->paused = 1;
        return TW_AGAIN;
    }
    rc = in->feed(in->ctx, bytes, size, &used);
    return rc == TW_AGAIN ? intake_keep(in, bytes + used, size - used) : rc;
}

int tw__intake_drained(tw_intake *in, int *resume)
{
    size_t used = 0;
    int rc = TW_OK;

    *resume = 0;
    if (in->full)
        rc = in->feed(in->ctx, in->rest_size != 0 ? in->rest : "", in->rest_size, &used);
    if (rc == TW_AGAIN) {
        in->rest_size -= used;
        if (in->rest_size != 0)
            memmove(in->rest, in->rest + used, in->rest_size);
    } else if (rc == TW_OK) {
        in->full = 0;
        *resume = in->paused;
        in->paused = 0;
    }
    return rc;
}
