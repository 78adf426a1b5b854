/* SPDX-License-Identifier: MIT */
/* Any sequence of puts: a complete text is JSON within its limits, a failed writer stays so. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tidewheel/error.h>
#include <tidewheel/json.h>
#include <tidewheel/sys/json_cursor.h>

#include "base/utf8.h"
#include "json/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

typedef struct input {
    const uint8_t *at;
    size_t left;
} input;

static uint64_t take(input *in, size_t size)
{
    uint64_t value = 0;

    for (; size > 0 && in->left > 0; size--, in->at++, in->left--)
        value = value << 8 | *in->at;
    return value;
}

enum { VALUE, KEY };

static int put_text(tw_json_writer *wr, input *in, int what)
{
    size_t size = (size_t)take(in, 1);
    char *copy; /* of its very size, so that a read past it is seen */
    tw_json_key ready;
    int64_t chars = -1;
    unsigned flags = 0;
    int rc;

    size = size < in->left ? size : in->left;
    copy = malloc(size != 0 ? size : 1);
    CHECK(copy != NULL);
    memcpy(copy, in->at, size);
    in->at += size;
    in->left -= size;
    if (tw__utf8_check(copy, size) == size && size % 2 != 0) {
        chars = (int64_t)tw__utf8_count(copy, size);
        flags = TW_JSON_VALID_UTF8;
    }
    if (what == VALUE)
        rc = tw_json_put_string(wr, copy, size, chars, flags);
    else if (size % 4 < 2 && tw_json_key_make(&ready, copy, size) == TW_OK)
        rc = tw_json_put_ready_key(wr, &ready);
    else
        rc = tw_json_put_key(wr, copy, size, chars, flags);
    free(copy);
    return rc;
}

static int put_cursor_text(tw_json_cursor *cur, input *in, tw_json_key *key)
{
    size_t size = (size_t)take(in, 1);
    char *copy;
    int rc = TW_OK;

    size = size < in->left ? size : in->left;
    copy = malloc(size != 0 ? size : 1);
    CHECK(copy != NULL);
    memcpy(copy, in->at, size);
    in->at += size;
    in->left -= size;
    if (tw__utf8_check(copy, size) == size)
        rc = tw_json_cursor_string(cur, key, copy, size, TW_JSON_VALID_UTF8);
    free(copy);
    return rc;
}

/* The content of a container through a cursor, which does not check structure. */
static int put_content(tw_json_cursor *cur, input *in, int object)
{
    int rc = TW_OK;

    while (rc == TW_OK && in->left > 0) {
        unsigned what = (unsigned)take(in, 1) % 8;
        size_t size = object ? (size_t)take(in, 1) % 12 : 0;
        tw_json_key ready;
        tw_json_key *key = object ? &ready : NULL;

        size = size < in->left ? size : in->left;
        if (what == 0 ||
            (object && tw_json_key_make(&ready, (const char *)in->at, size) != TW_OK))
            break;
        in->at += size;
        in->left -= size;
        if (what == 1)
            rc = tw_json_cursor_int(cur, key, (int64_t)take(in, 8));
        else if (what == 2)
            rc = tw_json_cursor_real(cur, key, (double)(int64_t)take(in, 8) / 64);
        else if (what == 3)
            rc = tw_json_cursor_word(cur, key, (tw_json_kind)(take(in, 1) % 3));
        else if (what <= 5)
            rc = put_cursor_text(cur, in, key);
        else
            rc = what == 6 ? tw_json_cursor_object(cur, key)
                           : tw_json_cursor_array(cur, key);
        if (rc == TW_OK && what >= 6)
            rc = put_content(cur, in, what == 6);
    }
    if (rc != TW_OK)
        return rc;
    return object ? tw_json_cursor_object_end(cur) : tw_json_cursor_array_end(cur);
}

static int put_by_cursor(tw_json_writer *wr, input *in, int object)
{
    tw_json_cursor cur;
    int rc = object ? tw_json_put_object(wr) : tw_json_put_array(wr);

    if (rc != TW_OK)
        return rc;
    tw_json_cursor_open(&cur, wr);
    rc = put_content(&cur, in, object);
    if (rc == TW_OK)
        tw_json_cursor_close(&cur);
    return rc;
}

static int put_next(tw_json_writer *wr, input *in)
{
    uint64_t bits;
    double real;

    switch (take(in, 1) % 13) {
    case 0:
        return tw_json_put_object(wr);
    case 1:
        return tw_json_put_object_end(wr);
    case 2:
        return tw_json_put_array(wr);
    case 3:
        return tw_json_put_array_end(wr);
    case 4:
        return tw_json_put_int(wr, (int64_t)take(in, 8));
    case 5:
        bits = take(in, 8);
        memcpy(&real, &bits, sizeof real);
        return tw_json_put_real(wr, real);
    case 6:
        return tw_json_put_bool(wr, 1);
    case 7:
        return tw_json_put_null(wr);
    case 8:
        return put_text(wr, in, VALUE);
    case 9:
        return put_text(wr, in, KEY);
    case 10:
        return put_by_cursor(wr, in, 1);
    case 11:
        return put_by_cursor(wr, in, 0);
    default:
        return tw__json_writer_reopen(wr) == TW_OK ? TW_OK : tw_json_put_bool(wr, 0);
    }
}

static const char *see_key(void *ctx, unsigned depth, const char *text, size_t size,
                           unsigned char *mark)
{
    (void)ctx;
    (*mark)++;
    CHECK(depth >= 1 && depth <= 2);
    return size == 3 && memcmp(text, "bad", 3) == 0 ? "was refused" : NULL;
}

static const char *see_value(void *ctx, const tw_json_put *put)
{
    size_t size;

    tw_json_writer_text(ctx, &size);
    CHECK(put->depth <= 2);
    CHECK(put->at < put->end && put->end == size);
    return put->kind == TW_JSON_INT && put->integer == 13 ? "was refused" : NULL;
}

static void check_text(const tw_json_writer *wr)
{
    size_t size;
    const char *text = tw_json_writer_text(wr, &size);
    tw_json_reader *rd;

    CHECK(size <= 4096);
    if (!tw_json_writer_complete(wr))
        return;
    CHECK(tw_json_reader_new(&rd, 8, 4096, NULL) == TW_OK);
    CHECK(tw_json_reader_start(rd, text, size) == TW_OK);
    CHECK(tw_json_reader_skip(rd) == TW_OK);
    CHECK(tw_json_reader_offset(rd) == size);
    tw_json_reader_free(rd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tw_json_watch watch = {.depth = 2, .key = see_key, .value = see_value};
    tw_json_writer_options options = {sizeof options, 4096, 100, 8, 0};
    input in = {data, size};
    tw_json_writer *wr;
    tw_error *err = NULL;
    char path[32];
    int rc = TW_OK;

    CHECK(tw_json_writer_new(&wr, &options, NULL) == TW_OK);
    if (take(&in, 1) % 2 != 0)
        tw__json_writer_watch(wr, &watch, wr);
    while (rc == TW_OK && in.left > 0) {
        rc = put_next(wr, &in);
        tw_json_writer_path(wr, path, sizeof path);
        CHECK(memchr(path, '\0', sizeof path) != NULL);
        check_text(wr);
    }
    if (rc != TW_OK) {
        CHECK(!tw_json_writer_complete(wr));
        CHECK(tw_json_put_null(wr) == rc);
        CHECK(tw_json_writer_error(wr, &err) == rc);
        CHECK(tw_error_code(err) == rc);
        tw_error_free(err);
    }
    tw_json_writer_free(wr);
    return 0;
}
