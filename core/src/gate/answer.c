/* SPDX-License-Identifier: MIT */
/* What an error answer says, in one line. */
#define _GNU_SOURCE
#include "gate/answer.h"

#include <stdio.h>
#include <string.h>

#include <tidewheel/error.h>

#include "json/tree.h"

/* The API's own bodies are small; lists of bad events may be longer. */
enum { PARSE_MOST = 1024 * 1024, REFUSAL_MOST = 64 * 1024, QUOTE_MOST = 200 };
/* The name comes first in what a conflict says, and may be long. */
enum { CONFLICT_MOST = 4096 };

static const tw_node *path2(const tw_node *node, const char *a, const char *b)
{
    return tw__node_member(tw__node_member(node, a), b);
}

/*
 * Ingestion    {"code":400,"error":"...","missing_field":"..."}
 * Dashboard    {"error":{"http_code":403,"type":"…","message":"…","metadata":{"details":"…"}}}
 * Taxonomy     {"success":false,"errors":[{"message":"..."}]}
 * User profile {"error":"..."}
 * MCP          {"error":"...","error_description":"..."} (RFC 6749) beside JSON-RPC
 */
static void envelope_text(char *text, size_t room, const tw_node *root)
{
    const tw_node *error = tw__node_member(root, "error");
    const char *plain = tw__node_string(error);
    const char *message = tw__node_string(tw__node_member(error, "message"));
    const char *details = tw__node_string(path2(error, "metadata", "details"));
    const char *missing = tw__node_string(tw__node_member(root, "missing_field"));
    const char *why = tw__node_string(tw__node_member(root, "error_description"));

    if (plain != NULL && missing != NULL)
        snprintf(text, room, "%s (%s)", plain, missing);
    else if (plain != NULL && why != NULL)
        snprintf(text, room, "%s: %s", plain, why);
    else if (plain != NULL)
        snprintf(text, room, "%s", plain);
    else if (details != NULL &&
             (message == NULL || strcmp(message, "Unspecified Error") == 0))
        snprintf(text, room, "%s", details);
    else if (details != NULL)
        snprintf(text, room, "%s: %s", message, details);
    else if (message != NULL)
        snprintf(text, room, "%s", message);
    if (text[0] != '\0')
        return;
    message = tw__node_string(
        tw__node_member(tw__node_first(tw__node_member(root, "errors")), "message"));
    if (message == NULL)
        message = tw__node_string(tw__node_member(root, "message"));
    if (message != NULL)
        snprintf(text, room, "%s", message);
}

/* Identify answers in plain text; firewalls and proxies send pages. */
static void plain_text(char *text, size_t room, const char *body, size_t size)
{
    size_t most = size < QUOTE_MOST ? size : QUOTE_MOST;

    while (most > 0 && strchr(" \t\r\n", body[0]) != NULL && body[0] != '\0') {
        body++;
        size--;
        most--;
    }
    if (most == 0 || memchr(body, '\0', most) != NULL)
        return;
    if (body[0] == '<') {
        snprintf(text, room, "an HTML page, as a proxy or firewall sends");
        return;
    }
    if (body[0] == '{' || body[0] == '[')
        return; /* JSON that says nothing we know */
    if (most < size) {
        while (most > 0 && ((unsigned char)body[most] & 0xC0) == 0x80)
            most--;
    }
    while (most > 0 && strchr(" \t\r\n", body[most - 1]) != NULL)
        most--;
    snprintf(text, room, "%.*s%s", (int)most, body,
             most < size && size > QUOTE_MOST ? "..." : "");
}

void tw__answer_text(char *text, size_t room, const char *body, size_t size)
{
    tw_node *root = NULL;

    text[0] = '\0';
    if (size == 0)
        return;
    if (size <= PARSE_MOST && tw__tree_parse(&root, body, size, NULL) == TW_OK)
        envelope_text(text, room, root);
    tw__tree_free(root);
    if (text[0] == '\0')
        plain_text(text, room, body, size);
}

/* ---- refusals ---------------------------------------------------------------------- */

/* The status that goes with some of these texts is not documented (Amplitude User Profile API docs,
 * read 2026-11-27): the text decides. */
static int refusal_code(const char *text)
{
    if (strcasestr(text, "requests per minute exceeds") != NULL)
        return TW_E_RATE_LIMITED;
    return strcasestr(text, "Api-Key") != NULL ? TW_E_AUTH : TW_E_HTTP;
}

int tw__answer_refusal(char *text, size_t room, const char *body, size_t size)
{
    tw_node *root = NULL;
    int refused = 0;

    text[0] = '\0';
    if (size == 0 || size > REFUSAL_MOST)
        return TW_OK;
    if (tw__tree_parse(&root, body, size, NULL) == TW_OK &&
        tw__node_kind(root) == TW_JSON_OBJECT) {
        const tw_node *success = tw__node_member(root, "success");

        refused = tw__node_kind(success) == TW_JSON_FALSE ||
                  tw__node_kind(tw__node_member(root, "error")) != TW_JSON_NULL;
        if (refused)
            envelope_text(text, room, root);
    }
    tw__tree_free(root);
    return refused ? refusal_code(text) : TW_OK;
}

int tw__answer_exists(const char *body, size_t size, int is_wordless)
{
    char text[CONFLICT_MOST];

    tw__answer_text(text, sizeof text, body, size);
    if (strcasestr(text, "already exist") != NULL)
        return 1;
    return is_wordless && tw__answer_refusal(text, sizeof text, body, size) != TW_OK &&
           text[0] == '\0';
}
