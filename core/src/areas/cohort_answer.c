/* SPDX-License-Identifier: MIT */
/* What the server answered to a cohort request and to a poll. */
#include "areas/cohort_answer.h"

#include <string.h>

#include "areas/ids.h"
#include "base/alloc.h"
#include "base/error.h"
#include "json/tree.h"

static int answer_parse(tw_node **root, const tw_outcome *outcome, tw_error **err)
{
    int rc = tw__tree_parse(root, outcome->body, outcome->body_size, NULL);

    if (rc == TW_E_NOMEM)
        return tw__error_nomem(err);
    if (rc == TW_OK && tw__node_kind(*root) == TW_JSON_OBJECT)
        return TW_OK;
    tw__tree_free(*root);
    *root = NULL;
    return tw__error(err, TW_E_PROTOCOL, "the answer was not a JSON object");
}

int tw__cohort_request_read(char **out, const tw_outcome *outcome, tw_error **err)
{
    tw_node *root = NULL;
    const char *id;
    int rc = answer_parse(&root, outcome, err);

    *out = NULL;
    id = tw__node_string(tw__node_member(root, "request_id"));
    if (rc == TW_OK && (id == NULL || tw__text_fault(id, strlen(id)) != NULL))
        rc = tw__error(err, TW_E_PROTOCOL,
                       "the cohort request was accepted without a request_id");
    if (rc == TW_OK) {
        *out = tw__strdup(id);
        rc = *out != NULL ? TW_OK : tw__error_nomem(err);
    }
    tw__tree_free(root);
    return rc;
}

/* 202 while it runs, 200 when it is done; the documents know the texts "JOB
 * INPROGRESS" and "JOB COMPLETED" and no failure (Behavioral Cohorts API docs, read
 * 2026-11-23). The status decides, a text that says otherwise is believed. */
static int judge(int status, const char *text)
{
    static const char *const bad[] = {"FAIL", "ERROR", "CANCEL", "ABORT", "EXPIRED"};
    size_t i;

    for (i = 0; text != NULL && i < sizeof bad / sizeof *bad; i++) {
        if (strcasestr(text, bad[i]) != NULL)
            return TW_E_JOB;
    }
    if (status != 200)
        return TW_AGAIN; /* with a text that may be new */
    if (text == NULL || strcasestr(text, "COMPLETE") != NULL)
        return TW_OK;
    return strcasestr(text, "PROGRESS") != NULL ? TW_AGAIN : TW_E_JOB;
}

int tw__cohort_status_read(const char *request_id, const tw_outcome *outcome,
                           tw_error **err)
{
    tw_node *root = NULL;
    const char *text;
    const char *id;
    int rc = answer_parse(&root, outcome, err);

    text = tw__node_string(tw__node_member(root, "async_status"));
    id = tw__node_string(tw__node_member(root, "request_id"));
    if (rc == TW_OK && id != NULL && strcmp(id, request_id) != 0)
        rc = tw__error(err, TW_E_PROTOCOL, "the answer was about another cohort request");
    if (rc == TW_OK)
        rc = judge(outcome->head.status, text);
    if (rc == TW_E_JOB)
        tw__error(err, rc, "the job failed on the server: its status was \"%.60s\"",
                  text);
    tw__tree_free(root);
    return rc;
}
