/* SPDX-License-Identifier: MIT */
/* One layer of a document at a time: the members and elements of a JSON text as texts again. */
#include "json/parts.h"

#include <string.h>

enum { DEEPEST = 64 };
#define LONGEST ((size_t)1 << 30)

int tw__parts_begin(tw_parts *parts, const char *json, size_t size)
{
    tw_json_token token;
    int rc;

    parts->kind = TW_JSON_NULL;
    tw__buf_init(&parts->key, LONGEST);
    rc = tw_json_reader_new(&parts->reader, DEEPEST, LONGEST, NULL);
    if (rc == TW_OK)
        rc = tw_json_reader_start(parts->reader, json, size);
    if (rc == TW_OK)
        rc = tw_json_reader_next(parts->reader, &token);
    if (rc == TW_OK)
        parts->kind = token.kind;
    return rc;
}

/* Nothing may come behind the document. Asked again, it is still the end. */
static int parts_finish(tw_parts *parts)
{
    tw_json_token token;
    int rc = tw_json_reader_next(parts->reader, &token);

    if (rc == TW_OK && token.kind == TW_JSON_ARRAY_END)
        rc = tw_json_reader_next(parts->reader, &token);
    parts->kind = TW_JSON_EOF;
    return rc == TW_OK ? TW_DONE : rc;
}

static int member_next(tw_parts *parts, tw_part *part)
{
    tw_json_token token;
    int rc = tw_json_reader_next(parts->reader, &token);

    if (rc != TW_OK || token.kind == TW_JSON_OBJECT_END)
        return rc == TW_OK ? TW_DONE : rc;
    tw__buf_reset(&parts->key);
    rc = tw__buf_put(&parts->key, token.text, token.size);
    if (rc == TW_OK)
        rc = tw__buf_putc(&parts->key, '\0');
    part->key = parts->key.data;
    part->key_size = parts->key.size - 1;
    return rc;
}

int tw__parts_next(tw_parts *parts, tw_part *part)
{
    int rc = TW_OK;

    part->key = NULL;
    part->key_size = 0;
    if (parts->kind == TW_JSON_EOF)
        return TW_DONE;
    if (parts->kind != TW_JSON_OBJECT && parts->kind != TW_JSON_ARRAY)
        return parts_finish(parts);
    if (parts->kind == TW_JSON_OBJECT)
        rc = member_next(parts, part);
    if (rc == TW_OK)
        rc = tw_json_reader_raw(parts->reader, &part->text, &part->size);
    return rc == TW_DONE ? parts_finish(parts) : rc;
}

void tw__parts_end(tw_parts *parts)
{
    tw_json_reader_free(parts->reader);
    parts->reader = NULL;
    tw__buf_clear(&parts->key);
}

tw_json_kind tw__json_kind(const char *json, size_t size)
{
    switch (size > 0 ? json[0] : 'n') {
    case '{':
        return TW_JSON_OBJECT;
    case '[':
        return TW_JSON_ARRAY;
    case '"':
        return TW_JSON_STRING;
    case 't':
        return TW_JSON_TRUE;
    case 'f':
        return TW_JSON_FALSE;
    case 'n':
        return TW_JSON_NULL;
    default:
        return TW_JSON_REAL;
    }
}

int tw__json_text(tw_buf *out, const char *json, size_t size)
{
    tw_json_reader *rd = NULL;
    tw_json_token token;
    int rc;

    if (tw__json_kind(json, size) != TW_JSON_STRING)
        return TW_DONE;
    rc = tw_json_reader_new(&rd, 1, LONGEST, NULL);
    if (rc == TW_OK)
        rc = tw_json_reader_start(rd, json, size);
    if (rc == TW_OK)
        rc = tw_json_reader_next(rd, &token);
    if (rc == TW_OK)
        rc = tw__buf_put(out, token.text, token.size);
    tw_json_reader_free(rd);
    return rc;
}

int tw__json_int(int64_t *out, const char *json, size_t size)
{
    tw_json_token token;

    if (tw__json_number(&token, json, size) != TW_OK || token.kind != TW_JSON_INT)
        return 0;
    *out = token.integer;
    return 1;
}

int tw__json_real(double *out, const char *json, size_t size)
{
    tw_json_token token;

    if (tw__json_number(&token, json, size) != TW_OK || token.kind == TW_JSON_BIGINT)
        return 0;
    *out = token.kind == TW_JSON_INT ? (double)token.integer : token.real;
    return 1;
}

int tw__json_quote(tw_buf *out, const char *text, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t i;
    int rc = tw__buf_putc(out, '"');

    for (i = 0; rc == TW_OK && i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            rc = tw__buf_putc(out, '\\');
        else if (c < 0x20)
            rc = tw__buf_put(out, "\\u00", 4);
        if (rc != TW_OK)
            break;
        if (c >= 0x20) {
            rc = tw__buf_putc(out, (char)c);
        } else {
            rc = tw__buf_putc(out, digits[c >> 4]);
            if (rc == TW_OK)
                rc = tw__buf_putc(out, digits[c & 15]);
        }
    }
    return rc == TW_OK ? tw__buf_putc(out, '"') : rc;
}
