/* SPDX-License-Identifier: MIT */
/* One change of a tracking plan: the call that makes it, and the line that tells of it. */
#include <stdio.h>
#include <string.h>

#include "areas/arguments.h"
#include "areas/taxonomy_change.h"
#include "areas/taxonomy_value.h"
#include "base/error.h"
#include "json/parts.h"

static const struct {
    const char *word;
    tw_endpoint_id calls[4]; /* by action; TW_EP_COUNT where there is none */
    const char *name;        /* argument with the name */
    const char *owner;       /* argument with the event or group type it belongs to */
    const char *prefix;      /* of custom properties in lists */
} kinds[TW_PLAN_KINDS] = {
    {"category",
     {TW_EP_TAXONOMY_CATEGORY_CREATE, TW_EP_COUNT, TW_EP_COUNT,
      TW_EP_TAXONOMY_CATEGORY_DELETE},
     "category_name",
     NULL,
     ""},
    {"event",
     {TW_EP_TAXONOMY_EVENT_CREATE, TW_EP_TAXONOMY_EVENT_UPDATE,
      TW_EP_TAXONOMY_EVENT_RESTORE, TW_EP_TAXONOMY_EVENT_DELETE},
     "event_type",
     NULL,
     ""},
    {"event property",
     {TW_EP_TAXONOMY_EVENT_PROPERTY_CREATE, TW_EP_TAXONOMY_EVENT_PROPERTY_UPDATE,
      TW_EP_TAXONOMY_EVENT_PROPERTY_RESTORE, TW_EP_TAXONOMY_EVENT_PROPERTY_DELETE},
     "event_property",
     "event_type",
     ""},
    {"user property",
     {TW_EP_TAXONOMY_USER_PROPERTY_CREATE, TW_EP_TAXONOMY_USER_PROPERTY_UPDATE,
      TW_EP_TAXONOMY_USER_PROPERTY_RESTORE, TW_EP_TAXONOMY_USER_PROPERTY_DELETE},
     "user_property",
     NULL,
     "gp:"},
    {"group property",
     {TW_EP_TAXONOMY_GROUP_PROPERTY_CREATE, TW_EP_TAXONOMY_GROUP_PROPERTY_UPDATE,
      TW_EP_COUNT, TW_EP_COUNT},
     "group_property",
     "group_type",
     "grp:"},
};

const char *tw__plan_prefix(tw_plan_kind kind)
{
    return kinds[kind].prefix;
}

int tw__plan_can(tw_plan_kind kind, tw_plan_action action)
{
    return kinds[kind].calls[action] != TW_EP_COUNT;
}

static int member_put(tw_buf *out, const char *key, const char *value)
{
    char last = out->data[out->size - 1];
    int rc = last == '{' ? TW_OK : tw__buf_putc(out, ',');

    if (rc == TW_OK)
        rc = tw__json_quote(out, key, strlen(key));
    if (rc == TW_OK)
        rc = tw__buf_putc(out, ':');
    return rc == TW_OK ? tw__json_quote(out, value, strlen(value)) : rc;
}

/* `instead`: JSON in the place of the value, or NULL. */
static int field_put(tw_buf *out, const char *key, const tw_node *value,
                     const char *instead)
{
    int rc =
        tw__buf_printf(out, "%s\"%s\":", out->data[out->size - 1] == '{' ? "" : ",", key);

    if (rc == TW_OK && instead != NULL)
        return tw__buf_puts(out, instead);
    return rc == TW_OK ? tw__plan_put(out, value) : rc;
}

/* "~ event property "method" of "Bought": type "any" -> "enum"" */
static int title_put(tw_buf *out, const tw_plan_entry *en, tw_plan_action action)
{
    static const char *const signs[] = {"+", "~", "^", "-"};
    int rc = tw__buf_printf(out, "%s %s \"%s\"", signs[action], kinds[en->kind].word,
                            en->name);

    return rc == TW_OK && en->owner != NULL ? tw__buf_printf(out, " of \"%s\"", en->owner)
                                            : rc;
}

/* `otherwise`: JSON that stands for nothing here, or NULL. */
static int field_show(tw_buf *out, int first, const char *key, const tw_node *from,
                      const tw_node *to, const char *otherwise, int created)
{
    int rc = tw__buf_printf(out, "%s %s ", first ? ":" : ",", key);

    if (rc == TW_OK && !created)
        rc = tw__plan_show(out, from);
    if (rc == TW_OK && !created)
        rc = tw__buf_puts(out, " -> ");
    if (rc != TW_OK)
        return rc;
    return otherwise != NULL ? tw__buf_puts(out, otherwise) : tw__plan_show(out, to);
}

/* What a flag or a type is set to where nothing is wanted of it; NULL for what can be empty. */
static const char *reset_to(const tw_member *member, const tw_node *to)
{
    const char *otherwise = member->otherwise;

    if (!tw__plan_is_nothing(to) || member->kind == TW_MEMBER_LIST || otherwise == NULL ||
        strcmp(otherwise, "\"\"") == 0)
        return NULL;
    return otherwise;
}

/* What the API takes only once the project has met the thing itself (Amplitude Taxonomy API docs,
 * read 2026-11-27). */
static int after_ingestion(const tw_member *member)
{
    return strncmp(member->name, "is_hidden", strlen("is_hidden")) == 0 ||
           strcmp(member->name, "display_name") == 0;
}

int tw__change_note(tw_plan_diff *df, const tw_plan_entry *en, const char *before,
                    const char *rule)
{
    tw_buf text;
    int rc;

    tw__buf_init(&text, TW_PLAN_CHANGES_MOST);
    rc = tw__buf_printf(&text, "%s \"%s\": %s%s", kinds[en->kind].word, en->name, before,
                        rule);
    if (rc == TW_OK && df->notes.size > 0)
        rc = tw__buf_putc(&df->notes, ',');
    if (rc == TW_OK)
        rc = tw__json_quote(&df->notes, text.data, text.size);
    tw__buf_clear(&text);
    return rc;
}

/* The fields that have to be said: as arguments, and for people. Their number, or an error. */
static int fields_put(tw_plan_diff *df, tw_buf *arguments, tw_buf *title,
                      const tw_plan_entry *en, int created, size_t *count)
{
    const tw_member *member;
    int rc = TW_OK;

    *count = 0;
    for (member = tw__plan_members(en->kind); rc == TW_OK && member->name != NULL;
         member++) {
        const tw_node *to = tw__node_member(en->to, member->name);
        const tw_node *from = tw__node_member(en->from, member->name);
        const char *otherwise = reset_to(member, to);

        /* Overrides have the classifications of the shared property, and no others. */
        if (en->shared_too && strcmp(member->name, "classifications") == 0)
            continue;
        if (!tw__plan_is_field(member) || to == NULL ||
            (created             ? tw__plan_is_default(member, to)
             : otherwise != NULL ? tw__plan_is_default(member, from)
                                 : tw__plan_same(from, to)))
            continue;
        if (created && after_ingestion(member)) {
            rc =
                tw__change_note(df, en, member->name, " can be set once it was ingested");
            continue;
        }
        /* Nothing is an empty list where one is due. */
        rc = field_put(
            arguments, member->name, to,
            member->kind == TW_MEMBER_LIST && tw__plan_is_nothing(to) ? "[]" : otherwise);
        if (rc == TW_OK)
            rc = field_show(title, (*count)++ == 0, member->name, from, to, otherwise,
                            created);
    }
    return rc;
}

static int change_refused(const tw_plan_diff *df, const tw_plan_entry *en, tw_error *why)
{
    char field[TW_PLAN_PLACE + 80];

    if (tw_error_code(why) != TW_E_VALIDATION) {
        int rc = tw_error_code(why);

        if (df->err != NULL)
            *df->err = tw__error_copy(why);
        tw_error_free(why);
        return rc;
    }
    snprintf(field, sizeof field, "%s%s%s", en->place,
             tw_error_field(why) != NULL ? "." : "",
             tw_error_field(why) != NULL ? tw_error_field(why) : "");
    tw__error_at(df->err, TW_E_VALIDATION, field, "the plan was refused at %s: %s", field,
                 tw_error_message(why));
    tw_error_free(why);
    return TW_E_VALIDATION;
}

/* What the call would refuse of its arguments. */
static int call_check(const tw_plan_diff *df, const tw_plan_entry *en,
                      tw_plan_action action, const tw_buf *arguments)
{
    tw_error *why = NULL;
    int rc = tw__operation_check(tw__operation(kinds[en->kind].calls[action]),
                                 arguments->data, arguments->size, &why);

    return rc == TW_OK ? TW_OK : change_refused(df, en, why);
}

/* Puts a whole change behind `out`. */
static int change_put(tw_plan_diff *df, tw_buf *out, const tw_plan_entry *en,
                      tw_plan_action action, const tw_buf *arguments, const tw_buf *title)
{
    static const char *const words[] = {"create", "update", "restore", "delete"};
    tw_endpoint_id id = kinds[en->kind].calls[action];
    int rc = call_check(df, en, action, arguments);

    if (rc != TW_OK)
        return rc;
    df->count++;
    if (out->size > 0)
        rc = tw__buf_putc(out, ',');
    if (rc == TW_OK)
        rc = tw__buf_printf(out,
                            "{\"action\":\"%s\",\"kind\":\"%s\",\"name\":", words[action],
                            kinds[en->kind].word);
    if (rc == TW_OK)
        rc = tw__json_quote(out, en->name, strlen(en->name));
    if (rc == TW_OK)
        rc = tw__buf_puts(out, ",\"text\":");
    if (rc == TW_OK)
        rc = tw__json_quote(out, title->data, title->size);
    if (rc == TW_OK)
        rc = tw__buf_printf(
            out, ",\"endpoint\":\"%s\",\"arguments\":", tw__endpoint(id)->name);
    if (rc == TW_OK)
        rc = tw__buf_put(out, arguments->data, arguments->size);
    return rc == TW_OK ? tw__buf_putc(out, '}') : rc;
}

static int name_put(tw_buf *arguments, const tw_plan_entry *en, tw_plan_action action)
{
    int rc = tw__buf_putc(arguments, '{');

    if (rc == TW_OK && en->kind == TW_PLAN_CATEGORY && action == TW_CHANGE_DELETE)
        return field_put(arguments, "category_id", en->from, NULL);
    if (rc == TW_OK)
        rc = member_put(arguments, kinds[en->kind].name, en->name);
    if (rc == TW_OK && en->owner != NULL)
        rc = member_put(arguments, kinds[en->kind].owner, en->owner);
    /* Without it the change would go to the shared property where the owner has none. */
    if (rc == TW_OK && en->owner != NULL && action == TW_CHANGE_UPDATE && en->shared_too)
        rc = member_put(arguments, "override_scope", "override");
    return rc;
}

/* The fields of the entry that hold more than the default, as arguments. */
static int values_put(tw_buf *arguments, const tw_plan_entry *en, size_t *count)
{
    const tw_member *member;
    int rc = TW_OK;

    *count = 0;
    for (member = tw__plan_members(en->kind); rc == TW_OK && member->name != NULL;
         member++) {
        const tw_node *to = tw__node_member(en->to, member->name);

        if (!tw__plan_is_field(member) || to == NULL || tw__plan_is_default(member, to))
            continue;
        rc = field_put(arguments, member->name, to, NULL);
        ++*count;
    }
    return rc;
}

/* Nothing is known of the project yet: the name as the call that would make the entry, all values
 * as the one that would set them. What is the same there is checked as well. */
static int change_foresee(const tw_plan_diff *df, const tw_plan_entry *en)
{
    tw_buf arguments;
    size_t count = 0;
    int rc;

    tw__buf_init(&arguments, TW_PLAN_CHANGES_MOST);
    rc = name_put(&arguments, en, TW_CHANGE_CREATE);
    if (rc == TW_OK)
        rc = tw__buf_putc(&arguments, '}');
    if (rc == TW_OK)
        rc = call_check(df, en, TW_CHANGE_CREATE, &arguments);
    if (rc == TW_OK && en->kind != TW_PLAN_CATEGORY) {
        arguments.size--;
        rc = values_put(&arguments, en, &count);
    }
    if (rc == TW_OK && count > 0)
        rc = tw__buf_putc(&arguments, '}');
    if (rc == TW_OK && count > 0)
        rc = call_check(df, en, TW_CHANGE_UPDATE, &arguments);
    tw__buf_clear(&arguments);
    return rc;
}

int tw__change_make(tw_plan_diff *df, const tw_plan_entry *en, tw_plan_action action)
{
    int with_fields = action == TW_CHANGE_CREATE || action == TW_CHANGE_UPDATE;
    tw_buf arguments, title;
    size_t count = 0;
    int rc;

    if (df->state == NULL)
        return change_foresee(df, en);
    tw__buf_init(&arguments, TW_PLAN_CHANGES_MOST);
    tw__buf_init(&title, TW_PLAN_CHANGES_MOST);
    rc = name_put(&arguments, en, action);
    if (rc == TW_OK)
        rc = title_put(&title, en, action);
    if (rc == TW_OK && with_fields && en->kind != TW_PLAN_CATEGORY)
        rc = fields_put(df, &arguments, &title, en, action == TW_CHANGE_CREATE, &count);
    if (rc == TW_OK)
        rc = tw__buf_putc(&arguments, '}');
    if (rc == TW_OK && (action != TW_CHANGE_UPDATE || count > 0))
        rc = change_put(df, action == TW_CHANGE_DELETE ? &df->last : &df->changes, en,
                        action, &arguments, &title);
    tw__buf_clear(&arguments);
    tw__buf_clear(&title);
    return rc;
}
