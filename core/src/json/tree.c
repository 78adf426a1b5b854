/* SPDX-License-Identifier: MIT */
/* A small answer as a tree, for lookups: cJSON behind the strict reader. */
#include "json/tree.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "base/error.h"

enum { DEEPEST = 64 };

static const cJSON *item_of(const tw_node *node)
{
    return (const cJSON *)(const void *)node;
}

static const tw_node *node_of(const cJSON *item)
{
    return (const tw_node *)(const void *)item;
}

/* cJSON takes much that is not JSON and cuts strings at U+0000: nothing of that reaches it. */
static int text_check(const char *text, size_t size, tw_error **err)
{
    tw_json_token token = {.kind = TW_JSON_NULL};
    tw_json_reader *rd;
    int rc = tw_json_reader_new(&rd, DEEPEST, TW__TREE_MAX_BYTES, err);

    if (rc != TW_OK)
        return rc;
    rc = tw_json_reader_start(rd, text, size);
    while (rc == TW_OK && token.kind != TW_JSON_EOF) {
        rc = tw_json_reader_next(rd, &token);
        if (rc != TW_OK)
            break;
        if ((token.kind == TW_JSON_STRING || token.kind == TW_JSON_KEY) &&
            memchr(token.text, '\0', token.size) != NULL) {
            rc = tw__error(err, TW_E_PROTOCOL,
                           "a string of the JSON document held U+0000");
            goto out;
        }
    }
    if (rc != TW_OK)
        tw_json_reader_error(rd, err);
out:
    tw_json_reader_free(rd);
    return rc;
}

int tw__tree_parse(tw_node **out, const char *text, size_t size, tw_error **err)
{
    cJSON *root;
    int rc;

    *out = NULL;
    rc = text_check(text, size, err);
    if (rc != TW_OK)
        return rc;
    root = cJSON_ParseWithLengthOpts(text, size, NULL, 0);
    if (root == NULL)
        return tw__error_nomem(err); /* nothing else is left to fail */
    *out = (tw_node *)(void *)root;
    return TW_OK;
}

void tw__tree_free(tw_node *root)
{
    cJSON_Delete((cJSON *)(void *)root);
}

tw_json_kind tw__node_kind(const tw_node *node)
{
    int64_t integer;

    if (node == NULL)
        return TW_JSON_NULL;
    switch (item_of(node)->type & 0xFF) {
    case cJSON_False:
        return TW_JSON_FALSE;
    case cJSON_True:
        return TW_JSON_TRUE;
    case cJSON_Number:
        return tw__node_int(node, &integer) ? TW_JSON_INT : TW_JSON_REAL;
    case cJSON_String:
        return TW_JSON_STRING;
    case cJSON_Array:
        return TW_JSON_ARRAY;
    case cJSON_Object:
        return TW_JSON_OBJECT;
    default:
        return TW_JSON_NULL;
    }
}

const tw_node *tw__node_member(const tw_node *node, const char *name)
{
    return node_of(cJSON_GetObjectItemCaseSensitive(item_of(node), name));
}

const tw_node *tw__node_first(const tw_node *node)
{
    return node != NULL ? node_of(item_of(node)->child) : NULL;
}

const tw_node *tw__node_next(const tw_node *node)
{
    return node != NULL ? node_of(item_of(node)->next) : NULL;
}

size_t tw__node_count(const tw_node *node)
{
    return node != NULL ? (size_t)cJSON_GetArraySize(item_of(node)) : 0;
}

const char *tw__node_key(const tw_node *node)
{
    return node != NULL ? item_of(node)->string : NULL;
}

const char *tw__node_string(const tw_node *node)
{
    return node != NULL && cJSON_IsString(item_of(node)) ? item_of(node)->valuestring
                                                         : NULL;
}

int tw__node_int(const tw_node *node, int64_t *out)
{
    const double limit = 9007199254740991.0; /* 2^53 may be a rounded 2^53 + 1 */
    double value;

    if (!tw__node_real(node, &value) || !(value >= -limit && value <= limit) ||
        value != (double)(int64_t)value)
        return 0;
    *out = (int64_t)value;
    return 1;
}

int tw__node_real(const tw_node *node, double *out)
{
    if (node == NULL || !cJSON_IsNumber(item_of(node)))
        return 0;
    *out = item_of(node)->valuedouble;
    return 1;
}
