/* SPDX-License-Identifier: MIT */
/* The document of a tracking plan, composed of the lists that the API answers with. */
#include <stdlib.h>
#include <string.h>

#include "areas/taxonomy.h"
#include "base/alloc.h"
#include "json/parts.h"

/*
 * {"categories": ["Shop"],
 *  "events": {"Cart Viewed": {fields, "properties": {"method": {fields}}}},
 *  "event_properties": {shared ones},
 *  "user_properties": {"gp:tier": {fields}},
 *  "group_properties": {shared ones},
 *  "group_types": {"org id": {"properties": {"grp:seats": {fields}}}}}
 *
 * In a state categories are {"Shop": id}, and deleted entries are there with "deleted": true.
 */

enum { NAME_MOST = 1 << 20 };

/* An entry of one of the lists. */
typedef struct plan_row {
    char *name;
    char *owner; /* event type or group type, "" for a shared property */
    const char *json;
    size_t size;
} plan_row;

typedef struct plan_rows {
    tw_plan_kind kind;
    plan_row *row;
    size_t count, room;
} plan_rows;

static const char *const name_members[TW_PLAN_KINDS] = {
    "name", "event_type", "event_property", "user_property", "group_property"};

int tw__plan_owns(int of_event, const char *row, size_t size)
{
    const char *event;
    size_t event_size;

    tw__form_member(&event, &event_size, "event_type", row, size);
    return (event != NULL) == of_event;
}

/* ---- rows -------------------------------------------------------------------------- */

static void rows_clear(plan_rows *rows)
{
    size_t i;

    for (i = 0; i < rows->count; i++) {
        tw__free(rows->row[i].name);
        tw__free(rows->row[i].owner);
    }
    tw__free(rows->row);
    memset(rows, 0, sizeof *rows);
}

/* A member that is a text, as a string of its own; where it is absent "", or an error if it is
 * needed. */
static int text_take(char **out, const char *member, int needed, const char *json,
                     size_t size)
{
    const char *text;
    size_t text_size;
    tw_buf buf;
    int rc = tw__form_member(&text, &text_size, member, json, size);

    *out = NULL;
    tw__buf_init(&buf, NAME_MOST);
    if (rc == TW_OK && text != NULL)
        rc = tw__json_text(&buf, text, text_size);
    if (rc == TW_DONE || (rc == TW_OK && needed && text == NULL) ||
        (rc == TW_OK && buf.size > 0 && memchr(buf.data, '\0', buf.size) != NULL))
        rc = TW_E_PROTOCOL;
    if (rc == TW_OK) {
        *out = buf.size > 0 ? tw__buf_take(&buf, NULL) : tw__strdup("");
        rc = *out != NULL ? TW_OK : TW_E_NOMEM;
    }
    tw__buf_clear(&buf);
    return rc;
}

static int rows_add(plan_rows *rows, const tw_part *part)
{
    plan_row *row;
    int rc;

    if (rows->count == rows->room) {
        size_t room = rows->room == 0 ? 64 : rows->room * 2;
        plan_row *more = tw__realloc(rows->row, room * sizeof *more);

        if (more == NULL)
            return TW_E_NOMEM;
        rows->row = more;
        rows->room = room;
    }
    row = &rows->row[rows->count++];
    memset(row, 0, sizeof *row);
    row->json = part->text;
    row->size = part->size;
    rc = text_take(&row->name, name_members[rows->kind], 1, part->text, part->size);
    if (rc != TW_OK)
        return rc;
    return text_take(&row->owner,
                     rows->kind == TW_PLAN_EVENT_PROPERTY   ? "event_type"
                     : rows->kind == TW_PLAN_GROUP_PROPERTY ? "group_type"
                                                            : "",
                     0, part->text, part->size);
}

static int rows_order(const void *a, const void *b)
{
    const plan_row *x = a, *y = b;
    int owner = strcmp(x->owner, y->owner);

    return owner != 0 ? owner : strcmp(x->name, y->name);
}

/* The entries of all lists of a kind, those of one owner together, in order of their names. */
static int rows_load(plan_rows *rows, tw_plan_kind kind, const tw_plan_list *lists,
                     size_t count)
{
    size_t i;
    int rc = TW_OK;

    memset(rows, 0, sizeof *rows);
    rows->kind = kind;
    for (i = 0; rc == TW_OK && i < count; i++) {
        tw_parts parts;
        tw_part part;

        if (lists[i].kind != kind)
            continue;
        rc = tw__parts_begin(&parts, lists[i].json, lists[i].size);
        while (rc == TW_OK) {
            rc = tw__parts_next(&parts, &part);
            if (rc == TW_OK &&
                (kind != TW_PLAN_EVENT_PROPERTY ||
                 tw__plan_owns(lists[i].event_type != NULL, part.text, part.size)))
                rc = rows_add(rows, &part);
        }
        tw__parts_end(&parts);
        rc = rc == TW_DONE ? TW_OK : rc;
    }
    if (rc == TW_OK && rows->count > 0)
        qsort(rows->row, rows->count, sizeof *rows->row, rows_order);
    return rc;
}

/* ---- writing ----------------------------------------------------------------------- */

static int put_key(tw_buf *out, const char *key)
{
    char last = out->size > 0 ? out->data[out->size - 1] : '{';
    int rc = last == '{' || last == '[' ? TW_OK : tw__buf_putc(out, ',');

    if (rc == TW_OK)
        rc = tw__json_quote(out, key, strlen(key));
    return rc == TW_OK ? tw__buf_putc(out, ':') : rc;
}

/* The object of an entry, left open. */
static int put_entry(tw_buf *out, tw_plan_kind kind, const plan_row *row, int state)
{
    const tw_member *member = tw__plan_members(kind);
    const char *text;
    size_t size;
    int rc = put_key(out, row->name);

    if (rc == TW_OK)
        rc = tw__buf_putc(out, '{');
    for (; rc == TW_OK && member->name != NULL; member++) {
        int deleted = strcmp(member->name, "deleted") == 0;

        rc = tw__form_member(&text, &size, member->name, row->json, row->size);
        if (rc != TW_OK || (!tw__plan_is_field(member) && !deleted) ||
            (deleted && (!state || text == NULL || text[0] != 't')))
            continue;
        rc = put_key(out, member->name);
        if (rc == TW_OK)
            rc = text != NULL ? tw__buf_put(out, text, size) : tw__buf_puts(out, "null");
    }
    return rc;
}

/* The entries that one owner has, as an object. */
static int put_entries(tw_buf *out, const char *key, const plan_rows *rows,
                       const char *owner, int state)
{
    size_t i;
    int rc = put_key(out, key);

    if (rc == TW_OK)
        rc = tw__buf_putc(out, '{');
    for (i = 0; rc == TW_OK && i < rows->count; i++) {
        const plan_row *row = &rows->row[i];

        if (strcmp(row->owner, owner) != 0 ||
            (i > 0 && rows_order(row, row - 1) == 0)) /* listed twice */
            continue;
        rc = put_entry(out, rows->kind, row, state);
        if (rc == TW_OK)
            rc = tw__buf_putc(out, '}');
    }
    return rc == TW_OK ? tw__buf_putc(out, '}') : rc;
}

static int put_categories(tw_buf *out, const plan_rows *rows, int state)
{
    const char *id;
    size_t size, i;
    int rc = put_key(out, "categories");

    if (rc == TW_OK)
        rc = tw__buf_putc(out, state ? '{' : '[');
    for (i = 0; rc == TW_OK && i < rows->count; i++) {
        const plan_row *row = &rows->row[i];

        rc = tw__form_member(&id, &size, "id", row->json, row->size);
        if (rc == TW_OK && state)
            rc = put_key(out, row->name);
        else if (rc == TW_OK && i > 0)
            rc = tw__buf_putc(out, ',');
        if (rc == TW_OK && state)
            rc = id != NULL ? tw__buf_put(out, id, size) : tw__buf_puts(out, "null");
        else if (rc == TW_OK)
            rc = tw__json_quote(out, row->name, strlen(row->name));
    }
    return rc == TW_OK ? tw__buf_putc(out, state ? '}' : ']') : rc;
}

static int put_events(tw_buf *out, const plan_rows *events, const plan_rows *properties,
                      int state)
{
    size_t i;
    int rc = put_key(out, "events");

    if (rc == TW_OK)
        rc = tw__buf_putc(out, '{');
    for (i = 0; rc == TW_OK && i < events->count; i++) {
        const plan_row *row = &events->row[i];

        rc = put_entry(out, TW_PLAN_EVENT, row, state);
        if (rc == TW_OK)
            rc = put_entries(out, "properties", properties, row->name, state);
        if (rc == TW_OK)
            rc = tw__buf_putc(out, '}');
    }
    return rc == TW_OK ? tw__buf_putc(out, '}') : rc;
}

/* Types of groups are known only from properties that belong to one. */
static int put_group_types(tw_buf *out, const plan_rows *properties, int state)
{
    size_t i;
    int rc = put_key(out, "group_types");

    if (rc == TW_OK)
        rc = tw__buf_putc(out, '{');
    for (i = 0; rc == TW_OK && i < properties->count; i++) {
        const plan_row *row = &properties->row[i];

        if (row->owner[0] == '\0' || (i > 0 && strcmp(row[-1].owner, row->owner) == 0))
            continue;
        rc = put_key(out, row->owner);
        if (rc == TW_OK)
            rc = tw__buf_putc(out, '{');
        if (rc == TW_OK)
            rc = put_entries(out, "properties", properties, row->owner, state);
        if (rc == TW_OK)
            rc = tw__buf_putc(out, '}');
    }
    return rc == TW_OK ? tw__buf_putc(out, '}') : rc;
}

static int put_document(tw_buf *out, const plan_rows *rows, int state)
{
    int rc = tw__buf_putc(out, '{');

    if (rc == TW_OK)
        rc = put_categories(out, &rows[TW_PLAN_CATEGORY], state);
    if (rc == TW_OK)
        rc = put_events(out, &rows[TW_PLAN_EVENT], &rows[TW_PLAN_EVENT_PROPERTY], state);
    if (rc == TW_OK)
        rc = put_entries(out, "event_properties", &rows[TW_PLAN_EVENT_PROPERTY], "",
                         state);
    if (rc == TW_OK)
        rc = put_entries(out, "user_properties", &rows[TW_PLAN_USER_PROPERTY], "", state);
    if (rc == TW_OK)
        rc = put_entries(out, "group_properties", &rows[TW_PLAN_GROUP_PROPERTY], "",
                         state);
    if (rc == TW_OK)
        rc = put_group_types(out, &rows[TW_PLAN_GROUP_PROPERTY], state);
    return rc == TW_OK ? tw__buf_putc(out, '}') : rc;
}

int tw__plan_compose(tw_buf *out, const tw_plan_list *lists, size_t count,
                     tw_taxonomy_part part)
{
    plan_rows rows[TW_PLAN_KINDS];
    int kind;
    int rc = TW_OK;

    memset(rows, 0, sizeof rows);
    for (kind = 0; rc == TW_OK && kind < TW_PLAN_KINDS; kind++)
        rc = rows_load(&rows[kind], (tw_plan_kind)kind, lists, count);
    if (rc == TW_OK)
        rc = put_document(out, rows, part == TW_TAXONOMY_STATE);
    for (kind = 0; kind < TW_PLAN_KINDS; kind++)
        rows_clear(&rows[kind]);
    return rc;
}
