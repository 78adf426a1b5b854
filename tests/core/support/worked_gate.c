/* SPDX-License-Identifier: MIT */
/* The real gate, worked by hand. */
#include "support/worked_gate.h"

#include <stdlib.h>
#include <string.h>

#include "support/fake_time.h"

void worked_begin(worked_gate *wg)
{
    tw_transport_settings settings;
    tw_gate_settings gate;

    fake_time_begin();
    wg->open_ended = 0;
    script_init(&wg->sc);
    memset(&settings, 0, sizeof settings);
    settings.size = sizeof settings;
    settings.proxy = "";
    settings.no_proxy = "";
    memset(&gate, 0, sizeof gate);
    gate.base[TW_HOST_INGEST] = "http://127.0.0.1:9";
    gate.base[TW_HOST_DASH] = "http://127.0.0.1:9";
    gate.base[TW_HOST_MCP] = "http://127.0.0.1:9";
    gate.mcp_token = "token-of-the-test";
    gate.api_key = "key-of-the-test";
    gate.secret_key = "secret-of-the-test";
    gate.user_agent = "tidewheel-test";
    gate.region = "us";
    gate.connect_timeout_ms = 5000;
    gate.timeout_ms = 30000;
    gate.dash_timeout_ms = 90000;
    if (tw__loop_new(&wg->loop, &wg->sc.transport, &settings, TW_LOOP_BY_HAND, NULL) !=
            TW_OK ||
        tw__gate_new(&wg->gate, wg->loop, &gate, NULL) != TW_OK)
        abort();
}

void worked_end(worked_gate *wg)
{
    int i;

    for (i = 0; i < wg->sc.count; i++) {
        if (wg->sc.requests[i].live)
            abort(); /* a connection was left open */
    }
    tw__loop_close(wg->loop);
    tw__gate_free(wg->gate);
    tw__loop_unref(wg->loop);
    script_clear(&wg->sc);
    fake_time_end();
}

void worked_turn(worked_gate *wg)
{
    int i;

    /* What one turn starts the next may go on with. */
    for (i = 0; i < 4; i++)
        tw__loop_turn(wg->loop, 0);
}

void worked_pass(worked_gate *wg, int64_t ms)
{
    fake_time_pass(ms);
    worked_turn(wg);
}

int worked_give(worked_gate *wg, int index, const char *bytes, size_t size)
{
    script_request *rq = &wg->sc.requests[index];

    if (index >= wg->sc.count || !rq->live)
        abort();
    return rq->events.data(rq->ctx, bytes, size);
}

int worked_head(worked_gate *wg, int index, int status, const char *type,
                const char *encoding)
{
    script_request *rq = &wg->sc.requests[index];
    tw_transfer_head head = {sizeof head, 0, -1, "", "", "", "", 0, 1, NULL, NULL};

    if (index >= wg->sc.count || !rq->live)
        abort();
    head.status = status;
    head.content_type = type;
    head.content_encoding = encoding;
    head.open_ended = wg->open_ended;
    return rq->events.head(rq->ctx, &head);
}
