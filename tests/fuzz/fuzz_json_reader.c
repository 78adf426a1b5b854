/* SPDX-License-Identifier: MIT */
/* The reader against itself (read, skip, write again) and against cJSON. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include <tidewheel/json.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEPTH = 64, MAX_BYTES = 1 << 20 };

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

/* Follows the tokens through a cJSON tree. */
typedef struct walker {
    const cJSON *stack[DEPTH + 1];
    int depth;
    const cJSON *next; /* the item the next value or key must match */
    int usable;        /* cleared by U+0000, at which cJSON cuts strings */
    int long_number;   /* cJSON 1.7 fails on numbers of 63 characters and more */
} walker;

static void walk_text(walker *walk, const char *expected, const tw_json_token *token)
{
    if (memchr(token->text, '\0', token->size) != NULL) {
        walk->usable = 0;
        return;
    }
    CHECK(strlen(expected) == token->size);
    CHECK(memcmp(expected, token->text, token->size) == 0);
}

static void walk_number(const cJSON *item, const tw_json_token *token)
{
    double value = token->kind == TW_JSON_INT ? (double)token->integer : token->real;

    CHECK(cJSON_IsNumber(item));
    if (token->kind != TW_JSON_BIGINT)
        CHECK(item->valuedouble == value);
}

static void walk_token(walker *walk, const tw_json_token *token)
{
    const cJSON *item = walk->next;

    if (!walk->usable || token->kind == TW_JSON_EOF)
        return;
    if (token->kind == TW_JSON_OBJECT_END || token->kind == TW_JSON_ARRAY_END) {
        CHECK(item == NULL && walk->depth > 0);
        item = walk->stack[--walk->depth];
        CHECK(item != NULL);
        walk->next = item->next;
        return;
    }
    CHECK(item != NULL);
    switch (token->kind) {
    case TW_JSON_KEY:
        walk_text(walk, item->string, token);
        return;
    case TW_JSON_OBJECT:
    case TW_JSON_ARRAY:
        CHECK(token->kind == TW_JSON_OBJECT ? cJSON_IsObject(item) : cJSON_IsArray(item));
        walk->stack[walk->depth++] = item;
        walk->next = item->child;
        return;
    case TW_JSON_STRING:
        CHECK(cJSON_IsString(item));
        walk_text(walk, item->valuestring, token);
        break;
    case TW_JSON_INT:
    case TW_JSON_REAL:
    case TW_JSON_BIGINT:
        walk_number(item, token);
        break;
    case TW_JSON_NULL:
        CHECK(cJSON_IsNull(item));
        break;
    default:
        CHECK(token->kind == TW_JSON_TRUE ? cJSON_IsTrue(item) : cJSON_IsFalse(item));
        break;
    }
    walk->next = item->next;
}

static int put_token(tw_json_writer *wr, const tw_json_token *token)
{
    switch (token->kind) {
    case TW_JSON_NULL:
        return tw_json_put_null(wr);
    case TW_JSON_FALSE:
    case TW_JSON_TRUE:
        return tw_json_put_bool(wr, token->kind == TW_JSON_TRUE);
    case TW_JSON_INT:
        return tw_json_put_int(wr, token->integer);
    case TW_JSON_REAL:
        return tw_json_put_real(wr, token->real);
    case TW_JSON_BIGINT: /* has no put of its own */
        return tw_json_put_string(wr, token->text, token->size, -1, 0);
    case TW_JSON_STRING:
        return tw_json_put_string(wr, token->text, token->size, -1,
                                  token->size % 2 ? TW_JSON_VALID_UTF8 : 0);
    case TW_JSON_KEY:
        return tw_json_put_key(wr, token->text, token->size, -1,
                               token->size % 2 ? TW_JSON_VALID_UTF8 : 0);
    case TW_JSON_OBJECT:
        return tw_json_put_object(wr);
    case TW_JSON_OBJECT_END:
        return tw_json_put_object_end(wr);
    case TW_JSON_ARRAY:
        return tw_json_put_array(wr);
    case TW_JSON_ARRAY_END:
        return tw_json_put_array_end(wr);
    default:
        return TW_OK;
    }
}

/* Reads a document and writes its tokens; follows them through cJSON's tree if told to. */
static int copy_document(tw_json_reader *rd, tw_json_writer *wr, int follow,
                         const cJSON *tree, const char *text, size_t size)
{
    walker walk = {{NULL}, 0, tree, tree != NULL, 0};
    tw_json_token token = {.kind = TW_JSON_NULL};
    int rc = tw_json_reader_start(rd, text, size);

    while (rc == TW_OK && token.kind != TW_JSON_EOF) {
        rc = tw_json_reader_next(rd, &token);
        if (rc == TW_OK) {
            walk_token(&walk, &token);
            walk.long_number |= token.kind >= TW_JSON_INT &&
                                token.kind <= TW_JSON_BIGINT && token.size >= 63;
            CHECK(put_token(wr, &token) == TW_OK);
        }
    }
    if (rc == TW_OK)
        CHECK(tw_json_writer_complete(wr) &&
              (tree != NULL || !follow || walk.long_number));
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tw_json_writer_options options = TW_JSON_WRITER_OPTIONS_INIT;
    const char *text = (const char *)data;
    tw_json_reader *rd = NULL;
    tw_json_writer *wr = NULL;
    tw_json_writer *again = NULL;
    cJSON *tree = NULL;
    const char *raw;
    size_t raw_size;
    int rc;

    options.max_bytes = 16 * MAX_BYTES;
    options.max_string_chars = 0;
    options.max_depth = DEPTH;
    CHECK(tw_json_reader_new(&rd, DEPTH, MAX_BYTES, NULL) == TW_OK);
    CHECK(tw_json_writer_new(&wr, &options, NULL) == TW_OK);
    CHECK(tw_json_writer_new(&again, &options, NULL) == TW_OK);
    tree = cJSON_ParseWithLengthOpts(text, size, NULL, 0);

    rc = copy_document(rd, wr, 1, tree, text, size);
    tw_json_reader_start(rd, text, size);
    if (tw_json_reader_raw(rd, &raw, &raw_size) == TW_OK) {
        tw_json_token token;

        CHECK(raw >= text && raw + raw_size <= text + size);
        if (rc == TW_OK)
            CHECK(tw_json_reader_next(rd, &token) == TW_OK && token.kind == TW_JSON_EOF);
    } else {
        CHECK(rc != TW_OK);
    }
    if (rc == TW_OK) { /* what was written reads as the same */
        size_t first_size;
        size_t second_size;
        const char *first = tw_json_writer_text(wr, &first_size);
        const char *second;

        CHECK(copy_document(rd, again, 0, NULL, first, first_size) == TW_OK);
        second = tw_json_writer_text(again, &second_size);
        CHECK(first_size == second_size && memcmp(first, second, first_size) == 0);
    }
    cJSON_Delete(tree);
    tw_json_writer_free(again);
    tw_json_writer_free(wr);
    tw_json_reader_free(rd);
    return 0;
}
