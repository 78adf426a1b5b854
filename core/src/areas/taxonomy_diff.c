/* SPDX-License-Identifier: MIT */
/* From the state of a project to a plan: the changes, as the calls that make them. */
#include <stdio.h>
#include <string.h>

#include "areas/arguments.h"
#include "areas/taxonomy.h"
#include "base/alloc.h"
#include "base/distance.h"
#include "base/error.h"
#include "json/parts.h"
#include "json/tree.h"

enum { PLACE_MOST = 400, WRITE_COST = 2, SHOWN = 120 };
#define CHANGES_MOST ((size_t)256 << 20)

typedef enum plan_action {
    ACTION_CREATE,
    ACTION_UPDATE,
    ACTION_RESTORE,
    ACTION_DELETE
} plan_action;

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

typedef struct diff {
    const tw_node *state, *plan;
    int deletes;
    tw_buf changes; /* what can be made at once, in order */
    tw_buf last;    /* deletions: at the end, what belongs to others first */
    tw_buf notes;
    size_t count;
    tw_error **err;
} diff;

/* One entry as it is compared. */
typedef struct entry {
    tw_plan_kind kind;
    const char *name;  /* as listed, or as the plan has it */
    const char *owner; /* event or group type; NULL: shared */
    const tw_node *from, *to;
    int shared_too;         /* the owner's entry overrides a shared one */
    char place[PLACE_MOST]; /* in the plan, for errors */
} entry;

/* ---- values ------------------------------------------------------------------------ */

static int is_nothing(const tw_node *node)
{
    const char *text = tw__node_string(node);

    return tw__node_kind(node) == TW_JSON_NULL || (text != NULL && text[0] == '\0');
}

/* Lua's empty table may be either. */
static int is_list(const tw_node *node)
{
    return tw__node_kind(node) == TW_JSON_ARRAY ||
           (tw__node_kind(node) == TW_JSON_OBJECT && tw__node_count(node) == 0);
}

static int same_value(const tw_node *a, const tw_node *b);

static int holds(const tw_node *list, const tw_node *value)
{
    const tw_node *at;

    for (at = tw__node_first(list); at != NULL; at = tw__node_next(at)) {
        if (same_value(at, value))
            return 1;
    }
    return 0;
}

/* Lists here are sets: the server keeps no order. */
static int same_list(const tw_node *a, const tw_node *b)
{
    const tw_node *at;

    if (tw__node_count(a) != tw__node_count(b))
        return 0;
    for (at = tw__node_first(a); at != NULL; at = tw__node_next(at)) {
        if (!holds(b, at))
            return 0;
    }
    return 1;
}

static int same_value(const tw_node *a, const tw_node *b)
{
    double x, y;

    if (is_nothing(a) || is_nothing(b))
        return is_nothing(a) && is_nothing(b);
    if (is_list(a) || is_list(b))
        return is_list(a) && is_list(b) && same_list(a, b);
    if (tw__node_real(a, &x) && tw__node_real(b, &y))
        return x == y;
    if (tw__node_string(a) != NULL && tw__node_string(b) != NULL)
        return strcmp(tw__node_string(a), tw__node_string(b)) == 0;
    return tw__node_kind(a) == tw__node_kind(b);
}

static int value_put(tw_buf *out, const tw_node *node)
{
    const char *text = tw__node_string(node);
    const tw_node *at;
    int64_t whole;
    int rc;

    if (text != NULL)
        return tw__json_quote(out, text, strlen(text));
    if (tw__node_int(node, &whole))
        return tw__buf_printf(out, "%lld", (long long)whole);
    switch (tw__node_kind(node)) {
    case TW_JSON_TRUE:
        return tw__buf_puts(out, "true");
    case TW_JSON_FALSE:
        return tw__buf_puts(out, "false");
    case TW_JSON_NULL: /* a form has no other way to take a value away */
        return tw__buf_puts(out, "\"\"");
    default:
        break;
    }
    rc = tw__buf_putc(out, '[');
    for (at = tw__node_first(node); rc == TW_OK && at != NULL; at = tw__node_next(at)) {
        if (at != tw__node_first(node))
            rc = tw__buf_putc(out, ',');
        if (rc == TW_OK)
            rc = value_put(out, at);
    }
    return rc == TW_OK ? tw__buf_putc(out, ']') : rc;
}

/* Is this what an entry has where nothing was said? */
static int is_default(const tw_member *member, const tw_node *value)
{
    const char *otherwise = member->otherwise != NULL ? member->otherwise : "null";
    const char *text = tw__node_string(value);

    if (is_nothing(value) || (is_list(value) && tw__node_count(value) == 0))
        return 1;
    if (otherwise[0] == '"' && text != NULL)
        return strlen(otherwise) == strlen(text) + 2 &&
               memcmp(otherwise + 1, text, strlen(text)) == 0;
    return (tw__node_kind(value) == TW_JSON_TRUE && strcmp(otherwise, "true") == 0) ||
           (tw__node_kind(value) == TW_JSON_FALSE && strcmp(otherwise, "false") == 0);
}

/* ---- one change -------------------------------------------------------------------- */

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

static int field_put(tw_buf *out, const char *key, const tw_node *value)
{
    int rc =
        tw__buf_printf(out, "%s\"%s\":", out->data[out->size - 1] == '{' ? "" : ",", key);

    return rc == TW_OK ? value_put(out, value) : rc;
}

/* A value for people: short. */
static int value_show(tw_buf *out, const tw_node *value)
{
    size_t before = out->size;
    int rc = is_nothing(value) ? tw__buf_puts(out, "nothing") : value_put(out, value);

    if (rc == TW_OK && out->size - before > SHOWN) {
        out->size = before + SHOWN;
        while (((unsigned char)out->data[out->size] & 0xC0) == 0x80)
            out->size--;
        rc = tw__buf_puts(out, "...");
    }
    return rc;
}

/* "~ event property "method" of "Bought": type "any" -> "enum"" */
static int title_put(tw_buf *out, const entry *en, plan_action action)
{
    static const char *const signs[] = {"+", "~", "^", "-"};
    int rc = tw__buf_printf(out, "%s %s \"%s\"", signs[action], kinds[en->kind].word,
                            en->name);

    return rc == TW_OK && en->owner != NULL ? tw__buf_printf(out, " of \"%s\"", en->owner)
                                            : rc;
}

static int field_show(tw_buf *out, int first, const char *key, const tw_node *from,
                      const tw_node *to, int created)
{
    int rc = tw__buf_printf(out, "%s %s ", first ? ":" : ",", key);

    if (rc == TW_OK && !created)
        rc = value_show(out, from);
    if (rc == TW_OK && !created)
        rc = tw__buf_puts(out, " -> ");
    return rc == TW_OK ? value_show(out, to) : rc;
}

/* What the API takes only once the project has met the thing itself (Amplitude Taxonomy API docs,
 * read 2026-11-27). */
static int after_ingestion(const tw_member *member)
{
    return strncmp(member->name, "is_hidden", strlen("is_hidden")) == 0 ||
           strcmp(member->name, "display_name") == 0;
}

static int note_put(diff *df, const entry *en, const char *before, const char *rule)
{
    tw_buf text;
    int rc;

    tw__buf_init(&text, CHANGES_MOST);
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
static int fields_put(diff *df, tw_buf *arguments, tw_buf *title, const entry *en,
                      int created, size_t *count)
{
    const tw_member *member;
    int rc = TW_OK;

    *count = 0;
    for (member = tw__plan_members(en->kind); rc == TW_OK && member->name != NULL;
         member++) {
        const tw_node *to = tw__node_member(en->to, member->name);
        const tw_node *from = tw__node_member(en->from, member->name);

        /* Overrides have the classifications of the shared property, and no others. */
        if (en->shared_too && strcmp(member->name, "classifications") == 0)
            continue;
        if (!tw__plan_is_field(member) || to == NULL ||
            (created ? is_default(member, to) : same_value(from, to)))
            continue;
        if (created && after_ingestion(member)) {
            rc = note_put(df, en, member->name, " can be set once it was ingested");
            continue;
        }
        rc = field_put(arguments, member->name, to);
        if (rc == TW_OK)
            rc = field_show(title, (*count)++ == 0, member->name, from, to, created);
    }
    return rc;
}

static int change_refused(const diff *df, const entry *en, tw_error *why)
{
    char field[PLACE_MOST + 80];

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

/* Puts a whole change behind `out`. */
static int change_put(diff *df, tw_buf *out, const entry *en, plan_action action,
                      const tw_buf *arguments, const tw_buf *title)
{
    static const char *const words[] = {"create", "update", "restore", "delete"};
    tw_endpoint_id id = kinds[en->kind].calls[action];
    tw_error *why = NULL;
    int rc =
        tw__operation_check(tw__operation(id), arguments->data, arguments->size, &why);

    if (rc != TW_OK)
        return change_refused(df, en, why);
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

static int name_put(tw_buf *arguments, const entry *en, plan_action action)
{
    int rc = tw__buf_putc(arguments, '{');

    if (rc == TW_OK && en->kind == TW_PLAN_CATEGORY && action == ACTION_DELETE)
        return field_put(arguments, "category_id", en->from);
    if (rc == TW_OK)
        rc = member_put(arguments, kinds[en->kind].name, en->name);
    if (rc == TW_OK && en->owner != NULL)
        rc = member_put(arguments, kinds[en->kind].owner, en->owner);
    /* Without it the change would go to the shared property where the owner has none. */
    if (rc == TW_OK && en->owner != NULL && action == ACTION_UPDATE && en->shared_too)
        rc = member_put(arguments, "override_scope", "override");
    return rc;
}

static int change_make(diff *df, const entry *en, plan_action action)
{
    int with_fields = action == ACTION_CREATE || action == ACTION_UPDATE;
    tw_buf arguments, title;
    size_t count = 0;
    int rc;

    if (df->state == NULL) /* the form of the plan was all that was asked for */
        return TW_OK;
    tw__buf_init(&arguments, CHANGES_MOST);
    tw__buf_init(&title, CHANGES_MOST);
    rc = name_put(&arguments, en, action);
    if (rc == TW_OK)
        rc = title_put(&title, en, action);
    if (rc == TW_OK && with_fields && en->kind != TW_PLAN_CATEGORY)
        rc = fields_put(df, &arguments, &title, en, action == ACTION_CREATE, &count);
    if (rc == TW_OK)
        rc = tw__buf_putc(&arguments, '}');
    if (rc == TW_OK && (action != ACTION_UPDATE || count > 0))
        rc = change_put(df, action == ACTION_DELETE ? &df->last : &df->changes, en,
                        action, &arguments, &title);
    tw__buf_clear(&arguments);
    tw__buf_clear(&title);
    return rc;
}

/* ---- entries ----------------------------------------------------------------------- */

static int is_deleted(const tw_node *node)
{
    return tw__node_kind(tw__node_member(node, "deleted")) == TW_JSON_TRUE;
}

static int place_refuse(const diff *df, const char *place, const char *rule)
{
    return tw__error_at(df->err, TW_E_VALIDATION, place, "the plan was refused at %s: %s",
                        place, rule);
}

/* A member that no entry of this kind has. */
static int entry_check(const diff *df, const entry *en)
{
    const tw_node *at;

    if (tw__node_kind(en->to) != TW_JSON_OBJECT)
        return place_refuse(df, en->place, "it was not an object");
    for (at = tw__node_first(en->to); at != NULL; at = tw__node_next(at)) {
        const tw_member *member = tw__plan_members(en->kind);
        char place[PLACE_MOST];

        while (member->name != NULL && (!tw__plan_is_field(member) ||
                                        strcmp(member->name, tw__node_key(at)) != 0))
            member++;
        snprintf(place, sizeof place, "%.200s.%.100s", en->place, tw__node_key(at));
        if (member->name != NULL && tw__node_kind(at) == TW_JSON_OBJECT && !is_list(at))
            return place_refuse(df, place, "it was an object");
        if (member->name != NULL ||
            (en->kind == TW_PLAN_EVENT && strcmp(tw__node_key(at), "properties") == 0))
            continue;
        return place_refuse(df, place, "there is no such field");
    }
    return TW_OK;
}

/* What the plan wants of one entry. */
static int entry_diff(diff *df, entry *en)
{
    int rc = entry_check(df, en);

    if (rc == TW_OK && en->from == NULL)
        return change_make(df, en, ACTION_CREATE);
    if (rc == TW_OK && is_deleted(en->from))
        rc = change_make(df, en, ACTION_RESTORE);
    return rc == TW_OK ? change_make(df, en, ACTION_UPDATE) : rc;
}

/* The entry of the state that a name of the plan means; `name` becomes its name there. */
static const tw_node *state_find(const char **name, const tw_node *section,
                                 tw_plan_kind kind)
{
    const tw_node *found = tw__node_member(section, *name);
    const char *prefix = kinds[kind].prefix;
    const tw_node *at;

    for (at = tw__node_first(section); found == NULL && prefix[0] != '\0' && at != NULL;
         at = tw__node_next(at)) {
        const char *key = tw__node_key(at);

        if (strncmp(key, prefix, strlen(prefix)) == 0 &&
            strcmp(key + strlen(prefix), *name) == 0) {
            *name = key;
            found = at;
        }
    }
    return found;
}

static int mentioned(const tw_node *section, const char *name, tw_plan_kind kind)
{
    const char *prefix = kinds[kind].prefix;

    if (tw__node_member(section, name) != NULL)
        return 1;
    return prefix[0] != '\0' && strncmp(name, prefix, strlen(prefix)) == 0 &&
           tw__node_member(section, name + strlen(prefix)) != NULL;
}

/* Amplitude's own properties are no part of a plan and cannot be deleted. */
static int is_own(const entry *en)
{
    const char *prefix = kinds[en->kind].prefix;

    return prefix[0] != '\0' && strncmp(en->name, prefix, strlen(prefix)) != 0;
}

static int rest_delete(diff *df, tw_plan_kind kind, const char *owner,
                       const tw_node *state, const tw_node *plan)
{
    const tw_node *at;
    int rc = TW_OK;

    for (at = tw__node_first(state); df->deletes && rc == TW_OK && at != NULL;
         at = tw__node_next(at)) {
        entry en = {.kind = kind, .name = tw__node_key(at), .owner = owner, .from = at};

        if (mentioned(plan, en.name, kind) || is_deleted(at) || is_own(&en))
            continue;
        if (kinds[kind].calls[ACTION_DELETE] == TW_EP_COUNT)
            rc = note_put(df, &en, "", "not in the plan, and the API cannot delete it");
        else
            rc = change_make(df, &en, ACTION_DELETE);
    }
    return rc;
}

/* Is there a shared property of that name, or will there be one? */
static int is_shared(const diff *df, tw_plan_kind kind, const char *name)
{
    const char *section =
        kind == TW_PLAN_EVENT_PROPERTY ? "event_properties" : "group_properties";

    return mentioned(tw__node_member(df->state, section), name, kind) ||
           mentioned(tw__node_member(df->plan, section), name, kind);
}

/* A section {name: fields}. A section that the plan does not have is not looked at. */
static int section_diff(diff *df, const char *place, tw_plan_kind kind, const char *owner,
                        const tw_node *state, const tw_node *plan)
{
    const tw_node *at;
    int rc = TW_OK;

    if (plan == NULL)
        return TW_OK;
    if (tw__node_kind(plan) != TW_JSON_OBJECT)
        return place_refuse(df, place, "it was not an object");
    for (at = tw__node_first(plan); rc == TW_OK && at != NULL; at = tw__node_next(at)) {
        entry en = {.kind = kind, .owner = owner, .to = at};

        en.name = tw__node_key(at);
        snprintf(en.place, sizeof en.place, "%.200s.%.150s", place, en.name);
        en.from = state_find(&en.name, state, kind);
        en.shared_too = owner != NULL && is_shared(df, kind, en.name);
        rc = entry_diff(df, &en);
    }
    return rc == TW_OK ? rest_delete(df, kind, owner, state, plan) : rc;
}

/* ---- sections ---------------------------------------------------------------------- */

/* A list of names, or an object with names for keys. */
static int names_category(const tw_node *plan, const char *name)
{
    const tw_node *at;

    for (at = tw__node_first(plan); at != NULL; at = tw__node_next(at)) {
        const char *key =
            tw__node_key(at) != NULL ? tw__node_key(at) : tw__node_string(at);

        if (key != NULL && strcmp(key, name) == 0)
            return 1;
    }
    return 0;
}

static int categories_diff(diff *df)
{
    const tw_node *state = tw__node_member(df->state, "categories");
    const tw_node *plan = tw__node_member(df->plan, "categories");
    const tw_node *at;
    int rc = TW_OK;

    if (plan == NULL)
        return TW_OK;
    if (tw__node_kind(plan) != TW_JSON_ARRAY && tw__node_kind(plan) != TW_JSON_OBJECT)
        return place_refuse(df, "categories", "it was not a list of names");
    for (at = tw__node_first(plan); rc == TW_OK && at != NULL; at = tw__node_next(at)) {
        entry en = {.kind = TW_PLAN_CATEGORY, .place = "categories"};

        en.name = tw__node_key(at) != NULL ? tw__node_key(at) : tw__node_string(at);
        if (en.name == NULL)
            rc = place_refuse(df, "categories", "a name was not a text");
        else if (tw__node_member(state, en.name) == NULL)
            rc = change_make(df, &en, ACTION_CREATE);
    }
    return rc;
}

/* After the events: those that are deleted leave their category first. */
static int categories_delete(diff *df)
{
    const tw_node *plan = tw__node_member(df->plan, "categories");
    const tw_node *at = tw__node_first(tw__node_member(df->state, "categories"));
    int rc = TW_OK;

    for (; plan != NULL && df->deletes && rc == TW_OK && at != NULL;
         at = tw__node_next(at)) {
        entry en = {.kind = TW_PLAN_CATEGORY, .name = tw__node_key(at), .from = at};

        if (!names_category(plan, en.name))
            rc = change_make(df, &en, ACTION_DELETE);
    }
    return rc;
}

/* The properties of each event or type of groups. */
static int owned_diff(diff *df, const char *section, tw_plan_kind kind)
{
    const tw_node *plan = tw__node_member(df->plan, section);
    const tw_node *state = tw__node_member(df->state, section);
    const tw_node *at;
    int rc = TW_OK;

    if (plan != NULL && tw__node_kind(plan) != TW_JSON_OBJECT)
        return place_refuse(df, section, "it was not an object");
    for (at = tw__node_first(plan); rc == TW_OK && at != NULL; at = tw__node_next(at)) {
        const char *owner = tw__node_key(at);
        char place[PLACE_MOST];

        snprintf(place, sizeof place, "%s.%.150s.properties", section, owner);
        rc = section_diff(df, place, kind, owner,
                          tw__node_member(tw__node_member(state, owner), "properties"),
                          tw__node_member(at, "properties"));
    }
    return rc;
}

static int plan_check(const diff *df)
{
    static const char *const names[] = {"categories",       "events",
                                        "event_properties", "user_properties",
                                        "group_properties", "group_types"};
    const tw_node *at;

    if (tw__node_kind(df->plan) != TW_JSON_OBJECT)
        return tw__error(df->err, TW_E_VALIDATION, "the plan was not an object");
    for (at = tw__node_first(df->plan); at != NULL; at = tw__node_next(at)) {
        const char *key = tw__node_key(at);
        const char *nearest = NULL;
        unsigned least = 5;
        size_t i;

        for (i = 0; i < sizeof names / sizeof *names; i++) {
            unsigned far = tw__distance(names[i], strlen(names[i]), key, strlen(key));

            if (far < least) {
                least = far;
                nearest = names[i];
            }
        }
        if (least == 0)
            continue;
        return tw__error_at(df->err, TW_E_VALIDATION, key,
                            nearest != NULL
                                ? "a plan has no \"%.60s\": did you mean \"%s\"?"
                                : "a plan has no \"%.60s\"",
                            key, nearest);
    }
    return TW_OK;
}

/* In the order in which the changes can be made: what others need comes first. */
static int plan_diff(diff *df)
{
    int rc = plan_check(df);

#define SECTION(name, kind)                                              \
    section_diff(df, name, kind, NULL, tw__node_member(df->state, name), \
                 tw__node_member(df->plan, name))
    if (rc == TW_OK)
        rc = categories_diff(df);
    if (rc == TW_OK) /* before the events' own: they may override these */
        rc = SECTION("event_properties", TW_PLAN_EVENT_PROPERTY);
    if (rc == TW_OK)
        rc = SECTION("events", TW_PLAN_EVENT);
    if (rc == TW_OK)
        rc = owned_diff(df, "events", TW_PLAN_EVENT_PROPERTY);
    if (rc == TW_OK)
        rc = SECTION("user_properties", TW_PLAN_USER_PROPERTY);
    if (rc == TW_OK)
        rc = SECTION("group_properties", TW_PLAN_GROUP_PROPERTY);
    if (rc == TW_OK)
        rc = owned_diff(df, "group_types", TW_PLAN_GROUP_PROPERTY);
#undef SECTION
    return rc == TW_OK ? categories_delete(df) : rc;
}

/* ---- the whole --------------------------------------------------------------------- */

static int diff_put(tw_buf *out, const diff *df)
{
    int rc = tw__buf_printf(out, "{\"cost\":%zu,\"changes\":[", df->count * WRITE_COST);

    if (rc == TW_OK && df->changes.size > 0)
        rc = tw__buf_put(out, df->changes.data, df->changes.size);
    if (rc == TW_OK && df->changes.size > 0 && df->last.size > 0)
        rc = tw__buf_putc(out, ',');
    if (rc == TW_OK && df->last.size > 0)
        rc = tw__buf_put(out, df->last.data, df->last.size);
    if (rc == TW_OK)
        rc = tw__buf_puts(out, "],\"notes\":[");
    if (rc == TW_OK && df->notes.size > 0)
        rc = tw__buf_put(out, df->notes.data, df->notes.size);
    return rc == TW_OK ? tw__buf_puts(out, "]}") : rc;
}

static int plan_parse(tw_node **out, const char *text, size_t size, tw_error **err)
{
    tw_error *why = NULL;
    int rc = tw__tree_parse(out, text, size, &why);

    if (rc == TW_E_NOMEM)
        rc = tw__error_nomem(err);
    else if (rc != TW_OK)
        rc = tw__error(err, TW_E_VALIDATION, "the plan was no document: %s",
                       tw_error_message(why));
    tw_error_free(why);
    return rc;
}

int tw_taxonomy_diff(char **out, size_t *out_size, const char *state, size_t state_size,
                     const char *plan, size_t plan_size, int deletes, tw_error **err)
{
    tw_node *from = NULL;
    tw_node *to = NULL;
    diff df = {.deletes = deletes, .err = err};
    tw_buf text;
    int rc = state_size != 0 ? tw__tree_parse(&from, state, state_size, err) : TW_OK;

    *out = NULL;
    *out_size = 0;
    tw__buf_init(&df.changes, CHANGES_MOST);
    tw__buf_init(&df.last, CHANGES_MOST);
    tw__buf_init(&df.notes, CHANGES_MOST);
    tw__buf_init(&text, CHANGES_MOST);
    if (rc == TW_OK)
        rc = plan_parse(&to, plan, plan_size, err);
    if (rc != TW_OK)
        goto out;
    df.state = from;
    df.plan = to;
    rc = plan_diff(&df);
    if (rc == TW_OK)
        rc = diff_put(&text, &df);
    if (rc == TW_OK) {
        *out = tw__buf_take(&text, out_size);
        rc = *out != NULL ? TW_OK : TW_E_NOMEM;
    }
    if (rc == TW_E_NOMEM)
        tw__error_nomem(err);
    else if (rc == TW_E_TOO_LARGE)
        tw__error(err, rc, "the changes made over 256 MiB");
out:
    tw__buf_clear(&df.changes);
    tw__buf_clear(&df.last);
    tw__buf_clear(&df.notes);
    tw__buf_clear(&text);
    tw__tree_free(from);
    tw__tree_free(to);
    return rc;
}
