/* SPDX-License-Identifier: MIT */
/* Answers brought into one form: members by table, whatever type and shape they came in. */
#include "areas/form.h"

#include <string.h>

#include "base/error.h"
#include "json/parts.h"

/* Latitude and longitude of nowhere are the largest double (seen live). */
#define UNKNOWN_NUMBER 1e308

typedef struct found {
    const char *text[TW_MEMBERS_MOST];
    size_t size[TW_MEMBERS_MOST];
} found;

static const char *source(const tw_member *member)
{
    return member->from != NULL ? member->from : member->name;
}

/* One pass over the object: the JSON of each member of the table. */
static int members_find(found *fd, const tw_member *members, const char *json,
                        size_t size)
{
    tw_parts parts;
    tw_part part;
    int rc = tw__parts_begin(&parts, json, size);

    memset(fd, 0, sizeof *fd);
    if (rc == TW_OK && parts.kind != TW_JSON_OBJECT)
        rc = TW_E_PROTOCOL;
    while (rc == TW_OK) {
        size_t i;

        rc = tw__parts_next(&parts, &part);
        if (rc != TW_OK || tw__json_kind(part.text, part.size) == TW_JSON_NULL)
            continue;
        for (i = 0; members[i].name != NULL; i++) {
            if (strcmp(source(&members[i]), part.key) == 0) {
                fd->text[i] = part.text;
                fd->size[i] = part.size;
            }
        }
    }
    tw__parts_end(&parts);
    return rc == TW_DONE ? TW_OK : rc;
}

int tw__form_member(const char **text, size_t *text_size, const char *name,
                    const char *json, size_t size)
{
    const tw_member members[] = {{.name = name}, {.name = NULL}};
    found fd;
    int rc = members_find(&fd, members, json, size);

    *text = rc == TW_OK ? fd.text[0] : NULL;
    *text_size = rc == TW_OK ? fd.size[0] : 0;
    return rc;
}

/* ---- members ----------------------------------------------------------------------- */

static int put_default(tw_buf *out, const tw_member *member)
{
    return tw__buf_puts(out, member->otherwise != NULL ? member->otherwise : "null");
}

static int put_number(tw_buf *out, const tw_member *member, const char *json, size_t size)
{
    tw_buf digits;
    const char *number = json;
    size_t number_size = size;
    int64_t whole;
    double value;
    int rc;

    tw__buf_init(&digits, size + 1);
    rc = tw__json_text(&digits, json, size);
    if (rc == TW_OK) {
        number = digits.data;
        number_size = digits.size;
    }
    if (rc == TW_OK && number_size == 0)
        rc = put_default(out, member);
    else if (rc != TW_OK && rc != TW_DONE)
        ; /* out of memory */
    else if (tw__json_int(&whole, number, number_size))
        rc = tw__buf_put(out, number, number_size);
    else if (!tw__json_real(&value, number, number_size))
        rc = tw__buf_put(out, json, size); /* not a number: as it came */
    else if (value < UNKNOWN_NUMBER && value > -UNKNOWN_NUMBER)
        rc = tw__buf_put(out, number, number_size);
    else
        rc = put_default(out, member);
    tw__buf_clear(&digits);
    return rc;
}

/* "a, b" as ["a","b"]. */
static int put_list(tw_buf *out, const char *json, size_t size)
{
    tw_buf text;
    size_t at = 0;
    int rc;

    tw__buf_init(&text, size + 1);
    rc = tw__json_text(&text, json, size);
    if (rc != TW_OK) {
        tw__buf_clear(&text);
        return rc == TW_DONE ? tw__buf_put(out, json, size) : rc;
    }
    rc = tw__buf_putc(out, '[');
    while (rc == TW_OK && at < text.size) {
        const char *item = text.data + at;
        const char *comma = memchr(item, ',', text.size - at);
        size_t whole = comma != NULL ? (size_t)(comma - item) : text.size - at;

        at += whole + 1;
        while (whole > 0 && *item == ' ') {
            item++;
            whole--;
        }
        while (whole > 0 && item[whole - 1] == ' ')
            whole--;
        if (whole == 0)
            continue;
        if (out->data[out->size - 1] != '[')
            rc = tw__buf_putc(out, ',');
        if (rc == TW_OK)
            rc = tw__json_quote(out, item, whole);
    }
    tw__buf_clear(&text);
    return rc == TW_OK ? tw__buf_putc(out, ']') : rc;
}

static int put_name(tw_buf *out, const tw_member *member, const char *json, size_t size)
{
    const char *name;
    size_t name_size;
    int rc;

    if (tw__json_kind(json, size) != TW_JSON_OBJECT)
        return tw__buf_put(out, json, size);
    rc = tw__form_member(&name, &name_size, "name", json, size);
    if (rc != TW_OK)
        return rc;
    return name != NULL ? tw__buf_put(out, name, name_size) : put_default(out, member);
}

static int put_member(tw_buf *out, const tw_member *member, const char *json, size_t size)
{
    int rc = tw__buf_printf(out, "\"%s\":", member->name);

    if (rc != TW_OK)
        return rc;
    if (json == NULL)
        return put_default(out, member);
    switch (member->kind) {
    case TW_MEMBER_NUMBER:
        return put_number(out, member, json, size);
    case TW_MEMBER_LIST:
        return put_list(out, json, size);
    case TW_MEMBER_NAME:
        return put_name(out, member, json, size);
    case TW_MEMBER_TEXT:
        if (size == 2 && json[0] == '"')
            return put_default(out, member);
        break;
    case TW_MEMBER_ANY:
        break;
    }
    return tw__buf_put(out, json, size);
}

/* ---- objects ----------------------------------------------------------------------- */

int tw__form_open(tw_buf *out, const tw_member *members, const char *json, size_t size)
{
    found fd;
    size_t i;
    int rc = members_find(&fd, members, json, size);

    if (rc == TW_OK)
        rc = tw__buf_putc(out, '{');
    for (i = 0; rc == TW_OK && members[i].name != NULL; i++) {
        rc = put_member(out, &members[i], fd.text[i], fd.size[i]);
        if (rc == TW_OK)
            rc = tw__buf_putc(out, ',');
    }
    if (rc == TW_OK)
        rc = tw__buf_puts(out, "\"data\":");
    return rc == TW_OK ? tw__buf_put(out, json, size) : rc;
}

int tw__form_object(tw_buf *out, const tw_member *members, const char *json, size_t size)
{
    int rc = tw__form_open(out, members, json, size);

    return rc == TW_OK ? tw__buf_putc(out, '}') : rc;
}

int tw__form_list(tw_buf *out, const tw_member *members, const char *json, size_t size)
{
    tw_parts parts;
    tw_part part;
    size_t count = 0;
    int rc;

    if (json == NULL || tw__json_kind(json, size) == TW_JSON_NULL)
        return tw__buf_puts(out, "[]");
    rc = tw__parts_begin(&parts, json, size);
    if (rc == TW_OK && parts.kind != TW_JSON_ARRAY)
        rc = TW_E_PROTOCOL;
    if (rc == TW_OK)
        rc = tw__buf_putc(out, '[');
    while (rc == TW_OK) {
        rc = tw__parts_next(&parts, &part);
        if (rc == TW_OK && count++ > 0)
            rc = tw__buf_putc(out, ',');
        if (rc == TW_OK)
            rc = tw__form_object(out, members, part.text, part.size);
    }
    tw__parts_end(&parts);
    return rc == TW_DONE ? tw__buf_putc(out, ']') : rc;
}

int tw__form_end(int rc, const char *what, tw_error **err)
{
    if (rc == TW_E_NOMEM)
        return tw__error_nomem(err);
    if (rc == TW_E_PROTOCOL)
        return tw__error(err, rc, "the answer was not %s as documented", what);
    return rc == TW_OK
               ? TW_OK
               : tw__error(err, TW_E_PROTOCOL, "the answer with %s was too long", what);
}
