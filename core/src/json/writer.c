/* SPDX-License-Identifier: MIT */
/* The writer: compact JSON, checked while it is written. Its life, its failures, its text. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "json/path.h"
#include "json/writer_internal.h"

enum { DEEPEST = 10000, PATH_ROOM = 256 };

/* ---- life ------------------------------------------------------------------------------ */

int tw_json_writer_new(tw_json_writer **out, const tw_json_writer_options *options,
                       tw_error **err)
{
    tw_json_writer_options o = TW_JSON_WRITER_OPTIONS_INIT;
    tw_json_writer *wr;

    *out = NULL;
    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    if (o.max_depth == 0 || o.max_depth > DEEPEST)
        return tw__error(err, TW_E_INVALID, "max_depth was not between 1 and %d",
                         DEEPEST);
    if (o.max_bytes > SIZE_MAX / 2)
        return tw__error(err, TW_E_INVALID, "max_bytes was too large");
    wr = tw__alloc_zero(1,
                        sizeof *wr + o.max_depth * sizeof *wr->starts + o.max_depth + 1);
    if (wr == NULL)
        return tw__error_nomem(err);
    tw__buf_init(&wr->buf, o.max_bytes + SLACK);
    wr->after = (unsigned char *)(wr->starts + o.max_depth);
    wr->after[0] = COMPLETE;
    wr->max_depth = o.max_depth;
    wr->max_bytes = o.max_bytes;
    wr->max_chars = o.max_string_chars != 0 ? o.max_string_chars : SIZE_MAX;
    wr->mends = o.mends;
    wr->quick_size = wr->max_chars < o.max_bytes ? wr->max_chars : o.max_bytes;
    tw_json_writer_reset(wr);
    *out = wr;
    return TW_OK;
}

void tw_json_writer_free(tw_json_writer *wr)
{
    if (wr == NULL)
        return;
    tw__buf_clear(&wr->buf);
    tw__free(wr);
}

void tw_json_writer_reset(tw_json_writer *wr)
{
    tw__buf_reset(&wr->buf);
    wr->state = VALUE;
    wr->look = NULL;
    wr->code = TW_OK;
    if (wr->mended.any)
        memset(&wr->mended, 0, sizeof wr->mended);
    depth_set(wr, 0);
}

void tw__json_writer_watch(tw_json_writer *wr, tw_json_watch *watch, void *ctx)
{
    wr->watch = watch;
    wr->watch_ctx = ctx;
    wr->look = NULL;
    depth_set(wr, 0);
}

/* ---- failing --------------------------------------------------------------------------- */

/* The text stays as it was before the failed put, so that the path can be read from it. */
int tw__writer_fail(tw_json_writer *wr, int code, const char *rule, size_t limit)
{
    if (wr->state == FAILED)
        return wr->code;
    wr->was = wr->state;
    wr->state = FAILED;
    wr->code = code;
    wr->rule = rule;
    wr->limit = limit;
    return code;
}

int tw__writer_fail_room(tw_json_writer *wr, int code)
{
    if (code == TW_E_TOO_LARGE)
        return tw__writer_fail(wr, code, "the document had more bytes than",
                               wr->max_bytes);
    return tw__writer_fail(wr, code, "", 0);
}

int tw_json_writer_refuse(tw_json_writer *wr, const char *rule)
{
    if (wr->state == FAILED)
        return wr->code;
    snprintf(wr->rule_text, sizeof wr->rule_text, "%s", rule);
    return tw__writer_fail(wr, TW_E_VALIDATION, wr->rule_text, 0);
}

size_t tw_json_writer_path(const tw_json_writer *wr, char *text, size_t room)
{
    static const tw_json_place places[] = {
        [FIRST] = TW__PLACE_FIRST,      [MORE] = TW__PLACE_MORE,
        [VALUE] = TW__PLACE_MEMBER,     [FIRST_KEY] = TW__PLACE_BETWEEN,
        [NEXT_KEY] = TW__PLACE_BETWEEN, [COMPLETE] = TW__PLACE_BETWEEN,
    };
    unsigned state = wr->state == FAILED ? wr->was : wr->state;

    return tw__json_path(text, room, wr->buf.data, wr->buf.size, wr->starts, wr->depth,
                         places[state]);
}

int tw_json_writer_error(const tw_json_writer *wr, tw_error **err)
{
    char path[PATH_ROOM];
    char limit[32] = "";
    size_t size;

    if (wr->state != FAILED)
        return tw__error(err, TW_E_INVALID, "the JSON writer had not failed");
    if (wr->code == TW_E_NOMEM)
        return tw__error_nomem(err);
    size = tw_json_writer_path(wr, path, sizeof path);
    if (wr->limit != 0)
        snprintf(limit, sizeof limit, " %zu", wr->limit);
    return tw__error_at(err, wr->code, size != 0 ? path : NULL, "%s%s%s%s", path,
                        size != 0 ? ": " : "", wr->rule, limit);
}

int tw__writer_misplaced(tw_json_writer *wr)
{
    static const char *const due[] = {
        [FIRST] = "an element or the array's end was due",
        [MORE] = "an element or the array's end was due",
        [VALUE] = "a value was due",
        [FIRST_KEY] = "a key or the object's end was due",
        [NEXT_KEY] = "a key or the object's end was due",
        [COMPLETE] = "the document was already complete",
    };

    if (wr->state == FAILED)
        return wr->code;
    return tw__writer_fail(wr, TW_E_INVALID, due[wr->state], 0);
}

int tw__writer_grow(tw_json_writer *wr, size_t size)
{
    int rc = TW_E_TOO_LARGE;

    if (size <= wr->max_bytes)
        rc = tw__buf_reserve(&wr->buf, size + AMPLE);
    if (rc != TW_OK && size <= wr->max_bytes)
        rc = tw__buf_reserve(&wr->buf, size + SLACK);
    return rc == TW_OK ? rc : tw__writer_fail_room(wr, rc);
}

unsigned tw_json_writer_mends(const tw_json_writer *wr)
{
    return wr->mends;
}

const tw_json_mended *tw__json_writer_mended(const tw_json_writer *wr)
{
    return &wr->mended;
}

/* ---- the text -------------------------------------------------------------------------- */

const char *tw_json_writer_text(const tw_json_writer *wr, size_t *size)
{
    *size = wr->buf.size;
    return wr->buf.data != NULL ? wr->buf.data : "";
}

int tw_json_writer_complete(const tw_json_writer *wr)
{
    return wr->state == COMPLETE;
}

int tw__json_writer_reopen(tw_json_writer *wr)
{
    if (wr->state != COMPLETE || wr->buf.data[0] != '{')
        return TW_E_INVALID;
    wr->buf.size--;
    depth_set(wr, 1);
    wr->state = wr->buf.size == 1 ? FIRST_KEY : NEXT_KEY;
    return TW_OK;
}

int tw__json_writer_splice(tw_json_writer *wr, size_t at, size_t end, const char *bytes,
                           size_t size)
{
    size_t left = wr->buf.size - (end - at);
    int rc;

    if (wr->state != COMPLETE || at > end || end > wr->buf.size)
        return TW_E_INVALID;
    if (left > wr->max_bytes || size > wr->max_bytes - left)
        return TW_E_TOO_LARGE;
    rc = tw__buf_reserve(&wr->buf, size);
    if (rc != TW_OK)
        return rc;
    memmove(wr->buf.data + at + size, wr->buf.data + end, wr->buf.size - end);
    if (size != 0)
        memcpy(wr->buf.data + at, bytes, size);
    wr->buf.size = left + size;
    return TW_OK;
}

char *tw__json_writer_take(tw_json_writer *wr, size_t *size)
{
    char *text = wr->state == COMPLETE ? tw__buf_take(&wr->buf, size) : NULL;

    if (text != NULL)
        tw_json_writer_reset(wr);
    return text;
}
