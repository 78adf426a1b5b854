/* SPDX-License-Identifier: MIT */
/* One value of a call: is it right, and what is sent of it. */
#include "areas/argument_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/day.h"
#include "base/error.h"
#include "json/parts.h"

enum { SHOWN = 40 };

static int refuse(const char *field, const char *was, tw_error **err)
{
    return tw__error_at(err, TW_E_VALIDATION, field, "%s %s", field, was);
}

/* The outcome of a tw_buf or tw__json function that should have worked. */
static int buffered(int rc, const char *field, tw_error **err)
{
    if (rc == TW_E_TOO_LARGE)
        return tw__error_at(err, rc, field, "%s made the request too long", field);
    return rc == TW_OK ? TW_OK : tw__error_nomem(err);
}

int tw__value_text(tw_buf *out, const char *field, const char *json, size_t size,
                   tw_error **err)
{
    size_t before = out->size;
    int rc = tw__json_text(out, json, size);

    if (rc == TW_DONE)
        return refuse(field, "was not a text", err);
    rc = buffered(rc, field, err);
    if (rc == TW_OK && out->size > before &&
        memchr(out->data + before, '\0', out->size - before) != NULL)
        return refuse(field, "held the character U+0000", err);
    return rc;
}

/* ---- choices ----------------------------------------------------------------------- */

/* Finds `text` among "a|b=c": what is sent, NULL where it is none of them. */
static const char *choice_find(size_t *size, const char *choices, const char *text,
                               size_t text_size)
{
    const char *at = choices;

    while (*at != '\0') {
        size_t whole = strcspn(at, "|");
        size_t name = strcspn(at, "=|");
        const char *sent = name < whole ? at + name + 1 : at;

        *size = whole - (size_t)(sent - at);
        if ((name == text_size && memcmp(at, text, name) == 0) ||
            (*size == text_size && memcmp(sent, text, text_size) == 0))
            return sent;
        at += whole + (at[whole] == '|');
    }
    return NULL;
}

/* "a, b or c" */
static void choices_text(char *text, size_t room, const char *choices)
{
    const char *at = choices;
    size_t used = 0;

    while (*at != '\0' && used + 40 < room) {
        size_t whole = strcspn(at, "|");
        int last = at[whole] == '\0';
        int n = snprintf(text + used, room - used, "%s%.*s",
                         at == choices ? ""
                         : last        ? " or "
                                       : ", ",
                         (int)strcspn(at, "=|"), at);

        used += n > 0 ? (size_t)n : 0;
        at += whole + !last;
    }
}

/* Replaces the text from `from` on by the choice it is. */
static int choice_take(tw_buf *out, size_t from, const tw_argument *arg,
                       const char *field, tw_error **err)
{
    char list[200] = "";
    size_t size;
    const char *given = out->data != NULL ? out->data + from : "";
    const char *sent;

    if (arg->choices == NULL)
        return TW_OK;
    sent = choice_find(&size, arg->choices, given, out->size - from);
    if (sent == NULL) {
        size_t shown = out->size - from < SHOWN ? out->size - from : SHOWN;

        choices_text(list, sizeof list, arg->choices);
        return tw__error_at(err, TW_E_VALIDATION, field,
                            "%s was \"%.*s\": it has to be %s", field, (int)shown, given,
                            list);
    }
    out->size = from;
    return buffered(tw__buf_put(out, sent, size), field, err);
}

/* ---- by kind ----------------------------------------------------------------------- */

static int is_number(const char *json, size_t size)
{
    return tw__json_kind(json, size) == TW_JSON_REAL;
}

static int text_value(tw_buf *out, const tw_argument *arg, const char *field,
                      const char *json, size_t size, tw_error **err)
{
    int64_t number;
    int rc;

    if ((arg->flags & TW_OR_INT) != 0 && tw__json_int(&number, json, size))
        return buffered(tw__buf_put(out, json, size), field, err);
    if (arg->rule != NULL)
        return arg->rule(out, field, json, size, err);
    rc = tw__value_text(out, field, json, size, err);
    if (rc == TW_OK && out->size == 0 && (arg->flags & TW_FILLED) != 0)
        return refuse(field, "was empty", err);
    return rc == TW_OK ? choice_take(out, 0, arg, field, err) : rc;
}

static int range_check(const tw_argument *arg, const char *field, int64_t number,
                       tw_error **err)
{
    if (arg->max == 0 || (number >= arg->min && number <= arg->max))
        return TW_OK;
    if (arg->max == INT64_MAX)
        return tw__error_at(err, TW_E_VALIDATION, field,
                            "%s was %" PRId64 ": it has to be %" PRId64 " or more", field,
                            number, arg->min);
    return tw__error_at(err, TW_E_VALIDATION, field,
                        "%s was %" PRId64 ": it has to be %" PRId64 " to %" PRId64, field,
                        number, arg->min, arg->max);
}

static int int_value(tw_buf *out, const tw_argument *arg, const char *field,
                     const char *json, size_t size, tw_error **err)
{
    int64_t number;
    int rc;

    if (arg->choices != NULL && tw__json_kind(json, size) == TW_JSON_STRING) {
        rc = tw__value_text(out, field, json, size, err);
        return rc == TW_OK ? choice_take(out, 0, arg, field, err) : rc;
    }
    if (!tw__json_int(&number, json, size))
        return refuse(field, "was not a whole number", err);
    rc = range_check(arg, field, number, err);
    if (rc == TW_OK)
        rc = buffered(tw__buf_printf(out, "%" PRId64, number), field, err);
    return rc == TW_OK ? choice_take(out, 0, arg, field, err) : rc;
}

static int id_value(tw_buf *out, const tw_argument *arg, const char *field,
                    const char *json, size_t size, tw_error **err)
{
    int64_t number;
    int rc;

    if (tw__json_kind(json, size) != TW_JSON_STRING)
        return int_value(out, arg, field, json, size, err);
    rc = tw__value_text(out, field, json, size, err);
    if (rc != TW_OK)
        return rc;
    if (out->size == 0 || !tw__json_int(&number, out->data, out->size))
        return refuse(field, "was not a whole number", err);
    tw__buf_reset(out); /* white space around it is no part of it */
    rc = range_check(arg, field, number, err);
    return rc == TW_OK ? buffered(tw__buf_printf(out, "%" PRId64, number), field, err)
                       : rc;
}

static int number_value(tw_buf *out, const char *field, const char *json, size_t size,
                        tw_error **err)
{
    if (!is_number(json, size))
        return refuse(field, "was not a number", err);
    return buffered(tw__buf_put(out, json, size), field, err);
}

static int bool_value(tw_buf *out, const tw_argument *arg, const char *field,
                      const char *json, size_t size, tw_error **err)
{
    int flag = arg->kind == TW_KIND_FLAG;
    tw_json_kind kind = tw__json_kind(json, size);

    if (kind != TW_JSON_TRUE && kind != TW_JSON_FALSE)
        return refuse(field, "was neither true nor false", err);
    return buffered(tw__buf_puts(out, kind == TW_JSON_TRUE ? flag ? "1" : "true"
                                      : flag               ? "0"
                                                           : "false"),
                    field, err);
}

static int date_value(tw_buf *out, const char *field, const char *json, size_t size,
                      tw_error **err)
{
    char bare[TW_DAY_TEXT];
    int64_t day;
    int rc = tw__value_text(out, field, json, size, err);

    if (rc != TW_OK)
        return rc;
    if (out->size == TW_DAY_TEXT + 2 && out->data[4] == '-' && out->data[7] == '-') {
        memcpy(bare, out->data, 4);
        memcpy(bare + 4, out->data + 5, 2);
        memcpy(bare + 6, out->data + 8, 2);
        if (tw__day_parse(&day, bare, sizeof bare)) {
            memcpy(out->data, bare, sizeof bare);
            out->size = sizeof bare;
            return TW_OK;
        }
    } else if (tw__day_parse(&day, out->data, out->size)) {
        return TW_OK;
    }
    return tw__error_at(
        err, TW_E_VALIDATION, field,
        "%s was \"%.*s\": it has to be a day that exists, as YYYY-MM-DD or "
        "YYYYMMDD (2026-03-01)",
        field, (int)(out->size < SHOWN ? out->size : SHOWN),
        out->data != NULL ? out->data : "");
}

/* What has a comma inside would arrive as two. */
static int item_value(tw_buf *out, const tw_argument *arg, const char *field,
                      const tw_part *part, tw_error **err)
{
    size_t from = out->size;
    int rc = tw__value_text(out, field, part->text, part->size, err);

    if (rc != TW_OK)
        return rc;
    if (out->size == from)
        return refuse(field, "was empty", err);
    if (memchr(out->data + from, ',', out->size - from) != NULL)
        return refuse(field, "held a comma, which separates the values of the list", err);
    return choice_take(out, from, arg, field, err);
}

int tw__argument_is_list(tw_parts *parts)
{
    tw_part part;

    return parts->kind == TW_JSON_ARRAY ||
           (parts->kind == TW_JSON_OBJECT && tw__parts_next(parts, &part) == TW_DONE);
}

static int list_value(tw_buf *out, const tw_argument *arg, const char *field,
                      const char *json, size_t size, tw_error **err)
{
    tw_parts parts;
    tw_part part;
    size_t count = 0;
    int rc = tw__parts_begin(&parts, json, size);

    if (rc == TW_OK && !tw__argument_is_list(&parts))
        rc = refuse(field, "was not a list of texts", err);
    while (rc == TW_OK) {
        char place[100];

        rc = tw__parts_next(&parts, &part);
        if (rc != TW_OK)
            break;
        snprintf(place, sizeof place, "%s[%zu]", field, count);
        if (count++ > 0)
            rc = buffered(tw__buf_putc(out, ','), field, err);
        if (rc == TW_OK)
            rc = item_value(out, arg, place, &part, err);
    }
    tw__parts_end(&parts);
    if (rc == TW_E_NOMEM)
        return tw__error_nomem(err);
    if (rc == TW_DONE && count == 0 && (arg->flags & TW_FILLED) != 0)
        return refuse(field, "was empty", err);
    return rc == TW_DONE ? TW_OK : rc;
}

/* ---- JSON -------------------------------------------------------------------------- */

static int json_check(const char *field, const tw_buf *text, tw_error **err)
{
    tw_parts parts;
    tw_part part;
    int rc = tw__parts_begin(&parts, text->data != NULL ? text->data : "", text->size);

    while (rc == TW_OK)
        rc = tw__parts_next(&parts, &part);
    tw__parts_end(&parts);
    if (rc == TW_E_NOMEM)
        return tw__error_nomem(err);
    return rc == TW_DONE ? TW_OK : refuse(field, "was a text that is not JSON", err);
}

static int json_value(tw_buf *out, const tw_argument *arg, const char *field,
                      const char *json, size_t size, tw_error **err)
{
    tw_buf given;
    int rc = TW_OK;

    tw__buf_init(&given, out->max);
    if (tw__json_kind(json, size) == TW_JSON_STRING) {
        rc = tw__value_text(&given, field, json, size, err);
        if (rc == TW_OK)
            rc = json_check(field, &given, err);
        json = given.data;
        size = given.size;
    }
    if (rc == TW_OK && arg->rule != NULL)
        rc = arg->rule(out, field, json, size, err);
    else if (rc == TW_OK)
        rc = buffered(tw__buf_put(out, json, size), field, err);
    tw__buf_clear(&given);
    return rc;
}

/* A JSON text is told from the name of an event by how it begins. */
static int document_value(tw_buf *out, const tw_argument *arg, const char *field,
                          const char *json, size_t size, tw_error **err)
{
    if (size > 2 && json[0] == '"' && (json[1] == '{' || json[1] == '['))
        return json_value(out, arg, field, json, size, err);
    return arg->rule(out, field, json, size, err);
}

int tw__argument_value(tw_buf *out, const tw_argument *arg, const char *field,
                       const char *json, size_t size, tw_error **err)
{
    switch (arg->kind) {
    case TW_KIND_INT:
        return int_value(out, arg, field, json, size, err);
    case TW_KIND_NUMBER:
        return number_value(out, field, json, size, err);
    case TW_KIND_BOOL:
    case TW_KIND_FLAG:
        return bool_value(out, arg, field, json, size, err);
    case TW_KIND_DATE:
        return date_value(out, field, json, size, err);
    case TW_KIND_ID:
        return id_value(out, arg, field, json, size, err);
    case TW_KIND_LIST:
        return list_value(out, arg, field, json, size, err);
    case TW_KIND_JSON:
        return json_value(out, arg, field, json, size, err);
    case TW_KIND_EVENT:
    case TW_KIND_SEGMENT:
    case TW_KIND_RANGES:
        return document_value(out, arg, field, json, size, err);
    case TW_KIND_TEXT:
        break;
    }
    return text_value(out, arg, field, json, size, err);
}
