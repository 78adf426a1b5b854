/* SPDX-License-Identifier: MIT */
/* Event streams of the MCP server: however the input is cut, the same response comes out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tidewheel/error.h>

#include "areas/mcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 1 << 20 };

typedef struct taken {
    int rc; /* of the whole */
    size_t events;
    tw_buf answer;
    tw_mcp_response rsp;
} taken;

static int take(void *ctx, const char *data, size_t size)
{
    taken *t = ctx;
    int rc = tw__mcp_event_find(&t->rsp, data, size, 1);

    t->events++;
    if (rc != TW_OK)
        return rc == TW_DONE ? TW_OK : rc;
    if (tw__buf_put(&t->answer, data, size) != TW_OK)
        abort();
    return TW_DONE;
}

static void read_stream(taken *t, const uint8_t *data, size_t size, size_t step)
{
    tw_mcp_events events;
    size_t at = 0;

    memset(t, 0, sizeof *t);
    tw__buf_init(&t->answer, MOST);
    tw__mcp_events_init(&events, MOST, take, t);
    while (t->rc == TW_OK && at < size) {
        size_t n = size - at < step ? size - at : step;
        char *piece = malloc(n);

        memcpy(piece, data + at, n);
        t->rc = tw__mcp_events_feed(&events, piece, n);
        free(piece);
        at += n;
    }
    if (t->rc == TW_OK)
        t->rc = tw__mcp_events_feed(&events, "", 0);
    tw__mcp_events_clear(&events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    taken whole, split;
    size_t step = size != 0 ? data[size / 2] % 16 + 1 : 1;

    read_stream(&whole, data, size, size);
    read_stream(&split, data, size, step);
    if (whole.rc != split.rc || whole.events != split.events ||
        whole.answer.size != split.answer.size ||
        (whole.answer.size > 0 &&
         memcmp(whole.answer.data, split.answer.data, whole.answer.size) != 0))
        abort();
    /* What was found is found again, and says one thing of two. */
    if (whole.rc == TW_DONE) {
        tw_mcp_response rsp;

        if (tw__mcp_response_find(&rsp, whole.answer.data, whole.answer.size, 1, 1) !=
                TW_OK ||
            (rsp.result.text == NULL) != (rsp.code != 0))
            abort();
    }
    tw__buf_clear(&whole.answer);
    tw__buf_clear(&split.answer);
    return 0;
}
