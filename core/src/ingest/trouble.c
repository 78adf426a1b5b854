/* SPDX-License-Identifier: MIT */
/* Why nothing goes out: what the last attempt failed with, until one does not. */
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "ingest/ingest_internal.h"

/* Somebody else's page, as captive portals, proxies and firewalls send it. */
static int is_page(const tw_outcome *outcome)
{
    const char *at = outcome->body;
    const char *end = at != NULL ? at + outcome->body_size : NULL;

    while (at != end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at != end && *at == '<';
}

/* The text of a refusal is the call's own, which has neither a key nor a link's query in it. */
static tw_error *trouble_of(const tw_verdict *verdict, const tw_outcome *outcome)
{
    const char *hint =
        is_page(outcome) ? ": a captive portal, a proxy or a firewall?" : "";
    int code = verdict->code != TW_OK ? verdict->code : tw_error_code(outcome->err);
    tw_error *err = NULL;

    if (outcome->err == NULL)
        tw__error(&err, code != TW_OK ? code : TW_E_PROTOCOL,
                  "the answer had status %d and was not the API's%s",
                  outcome->head.status, *hint != '\0' ? hint : ": a proxy?");
    else if (*hint != '\0')
        tw__error(&err, code, "%s%s", tw_error_message(outcome->err), hint);
    else
        err = tw__error_copy(outcome->err);
    tw__error_set_http(err, outcome->head.status);
    return err;
}

static void trouble_set(tw_ingest *ing, tw_error *err)
{
    tw_error *before;

    pthread_mutex_lock(&ing->lock);
    before = ing->trouble;
    ing->trouble = err;
    ing->trouble_ms = tw__wall_ms();
    pthread_mutex_unlock(&ing->lock);
    tw_error_free(before);
}

void tw__trouble_note(tw_ingest *ing, const tw_verdict *verdict,
                      const tw_outcome *outcome)
{
    if (verdict->kind == TW_VERDICT_RETRY || verdict->kind == TW_VERDICT_PAUSE ||
        verdict->kind == TW_VERDICT_THROTTLED)
        trouble_set(ing, trouble_of(verdict, outcome));
    else
        tw__trouble_end(ing);
}

void tw__trouble_end(tw_ingest *ing)
{
    if (ing->trouble != NULL) /* only this thread sets it */
        trouble_set(ing, NULL);
}

int tw__trouble_get(tw_error **out, int64_t *at_ms, tw_ingest *ing)
{
    pthread_mutex_lock(&ing->lock);
    *out = tw__error_copy(ing->trouble);
    *at_ms = ing->trouble_ms;
    pthread_mutex_unlock(&ing->lock);
    return *out != NULL ? TW_OK : TW_AGAIN;
}
