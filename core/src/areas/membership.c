/* SPDX-License-Identifier: MIT */
/* What the server answered to memberships and uploads. */
#include "areas/membership.h"

#include <string.h>

#include <tidewheel/json.h>

#include "areas/ids.h"
#include "base/alloc.h"
#include "base/error.h"
#include "json/tree.h"

enum { ANSWER_DEPTH = 16, ANSWER_MOST = 64 << 20 };

void tw__tally_init(tw_tally *tally, uint64_t most_kept)
{
    memset(tally, 0, sizeof *tally);
    tally->most_kept = most_kept;
    tw__buf_init(&tally->skipped_ids, ANSWER_MOST);
}

void tw__tally_clear(tw_tally *tally)
{
    tw__free(tally->cohort_id);
    tw__buf_clear(&tally->skipped_ids);
    tally->cohort_id = NULL;
}

static int tally_keep(tw_tally *tally, const char *id, size_t size)
{
    int rc;

    tally->skipped++;
    if (tally->kept == tally->most_kept)
        return TW_OK;
    tally->kept++;
    rc = tw__quote(&tally->skipped_ids, id, size);
    return rc == TW_OK ? tw__buf_putc(&tally->skipped_ids, ',') : rc;
}

static int no_answer(int rc, const char *what, tw_error **err)
{
    if (rc == TW_E_NOMEM)
        return tw__error_nomem(err);
    return tw__error(err, TW_E_PROTOCOL,
                     "the answer to the %s was not the documented JSON", what);
}

/* ---- upload: a small answer, looked up in a tree ----------------------------------- */

int tw__tally_upload(tw_tally *tally, const char *body, size_t size, tw_error **err)
{
    tw_node *root = NULL;
    const tw_node *metadata;
    const tw_node *id;
    int rc = tw__tree_parse(&root, body, size, NULL);

    if (rc == TW_OK && tw__node_kind(root) != TW_JSON_OBJECT)
        rc = TW_E_PROTOCOL;
    /* "cohortId" in today's document, "cohort_id" in the one of 2023. */
    id = tw__node_member(root, "cohortId");
    if (id == NULL)
        id = tw__node_member(root, "cohort_id");
    if (rc == TW_OK && tw__node_string(id) != NULL) {
        tally->cohort_id = tw__strdup(tw__node_string(id));
        if (tally->cohort_id == NULL)
            rc = TW_E_NOMEM;
    }
    metadata = tw__node_member(root, "metadata");
    tw__node_int(tw__node_member(metadata, "matched"), &tally->matched);
    tw__node_int(tw__node_member(metadata, "totals"), &tally->totals);
    id = tw__node_first(tw__node_member(metadata, "invalid_ids_sample"));
    for (; rc == TW_OK && id != NULL; id = tw__node_next(id)) {
        const char *text = tw__node_string(id);

        if (text != NULL)
            rc = tally_keep(tally, text, strlen(text));
    }
    tw__tree_free(root);
    return rc == TW_OK ? TW_OK : no_answer(rc, "upload", err);
}

/* ---- membership: up to 100,000 skipped ids, read without a tree -------------------- */

static int key_is(const tw_json_token *token, const char *name)
{
    return token->size == strlen(name) && memcmp(token->text, name, token->size) == 0;
}

static int read_skipped(tw_tally *tally, tw_json_reader *rd)
{
    tw_json_token token;
    int rc = tw_json_reader_next(rd, &token);

    if (rc != TW_OK || token.kind != TW_JSON_ARRAY)
        return rc != TW_OK ? rc : TW_E_PROTOCOL;
    for (;;) {
        rc = tw_json_reader_next(rd, &token);
        if (rc != TW_OK || token.kind == TW_JSON_ARRAY_END)
            return rc;
        if (token.kind != TW_JSON_STRING && token.kind != TW_JSON_INT)
            return TW_E_PROTOCOL;
        rc = tally_keep(tally, token.text, token.size);
        if (rc != TW_OK)
            return rc;
    }
}

/* The members of an object behind its '{': `wanted` is read by `read`, the others are
 * skipped. */
static int read_members(tw_tally *tally, tw_json_reader *rd, const char *wanted,
                        int (*read)(tw_tally *tally, tw_json_reader *rd), int *found)
{
    tw_json_token token;
    int rc;

    for (;;) {
        rc = tw_json_reader_next(rd, &token);
        if (rc != TW_OK || token.kind == TW_JSON_OBJECT_END)
            return rc;
        if (key_is(&token, wanted)) {
            *found = 1;
            rc = read(tally, rd);
        } else {
            rc = tw_json_reader_skip(rd);
        }
        if (rc != TW_OK)
            return rc;
    }
}

static int read_results(tw_tally *tally, tw_json_reader *rd)
{
    tw_json_token token;
    int found = 0;
    int rc = tw_json_reader_next(rd, &token);

    if (rc != TW_OK || token.kind != TW_JSON_ARRAY)
        return rc != TW_OK ? rc : TW_E_PROTOCOL;
    for (;;) {
        rc = tw_json_reader_next(rd, &token);
        if (rc != TW_OK || token.kind == TW_JSON_ARRAY_END)
            return rc;
        if (token.kind != TW_JSON_OBJECT)
            return TW_E_PROTOCOL;
        rc = read_members(tally, rd, "skipped_ids", read_skipped, &found);
        if (rc != TW_OK)
            return rc;
    }
}

int tw__tally_membership(tw_tally *tally, const char *body, size_t size, tw_error **err)
{
    tw_json_reader *rd;
    tw_json_token token;
    int found = 0;
    int rc = tw_json_reader_new(&rd, ANSWER_DEPTH, ANSWER_MOST, err);

    if (rc != TW_OK)
        return rc;
    rc = tw_json_reader_start(rd, body, size);
    if (rc == TW_OK)
        rc = tw_json_reader_next(rd, &token);
    if (rc == TW_OK && token.kind != TW_JSON_OBJECT)
        rc = TW_E_PROTOCOL;
    if (rc == TW_OK)
        rc = read_members(tally, rd, "memberships_result", read_results, &found);
    if (rc == TW_OK)
        rc = tw_json_reader_next(rd, &token);
    if (rc == TW_OK && (token.kind != TW_JSON_EOF || !found))
        rc = TW_E_PROTOCOL;
    tw_json_reader_free(rd);
    return rc == TW_OK ? TW_OK : no_answer(rc, "membership", err);
}
