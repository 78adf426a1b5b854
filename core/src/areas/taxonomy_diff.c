/* SPDX-License-Identifier: MIT */
/* From the state of a project to a plan: the changes, as the calls that make them. */
#include <stdio.h>
#include <string.h>

#include "areas/taxonomy_change.h"
#include "areas/taxonomy_value.h"
#include "base/alloc.h"
#include "base/distance.h"
#include "base/error.h"

enum { WRITE_COST = 2 };

/* ---- entries ----------------------------------------------------------------------- */

static int is_deleted(const tw_node *node)
{
    return tw__node_kind(tw__node_member(node, "deleted")) == TW_JSON_TRUE;
}

static int place_refuse(const tw_plan_diff *df, const char *place, const char *rule)
{
    return tw__error_at(df->err, TW_E_VALIDATION, place, "the plan was refused at %s: %s",
                        place, rule);
}

/* A member that no entry of this kind has. */
static int entry_check(const tw_plan_diff *df, const tw_plan_entry *en)
{
    const tw_node *at;

    if (tw__node_kind(en->to) != TW_JSON_OBJECT)
        return place_refuse(df, en->place, "it was not an object");
    for (at = tw__node_first(en->to); at != NULL; at = tw__node_next(at)) {
        const tw_member *member = tw__plan_members(en->kind);
        char place[TW_PLAN_PLACE];

        while (member->name != NULL && (!tw__plan_is_field(member) ||
                                        strcmp(member->name, tw__node_key(at)) != 0))
            member++;
        snprintf(place, sizeof place, "%.200s.%.100s", en->place, tw__node_key(at));
        if (member->name != NULL && tw__node_kind(at) == TW_JSON_OBJECT &&
            !tw__plan_is_list(at))
            return place_refuse(df, place, "it was an object");
        if (member->name != NULL ||
            (en->kind == TW_PLAN_EVENT && strcmp(tw__node_key(at), "properties") == 0))
            continue;
        return place_refuse(df, place, "there is no such field");
    }
    return TW_OK;
}

/* What the plan wants of one entry. */
static int entry_diff(tw_plan_diff *df, tw_plan_entry *en)
{
    int rc = entry_check(df, en);

    if (rc == TW_OK && en->from == NULL)
        return tw__change_make(df, en, TW_CHANGE_CREATE);
    if (rc == TW_OK && is_deleted(en->from))
        rc = tw__change_make(df, en, TW_CHANGE_RESTORE);
    return rc == TW_OK ? tw__change_make(df, en, TW_CHANGE_UPDATE) : rc;
}

/* The entry of the state that a name of the plan means; `name` becomes its name there. */
static const tw_node *state_find(const char **name, const tw_node *section,
                                 tw_plan_kind kind)
{
    const tw_node *found = tw__node_member(section, *name);
    const char *prefix = tw__plan_prefix(kind);
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
    const char *prefix = tw__plan_prefix(kind);

    if (tw__node_member(section, name) != NULL)
        return 1;
    return prefix[0] != '\0' && strncmp(name, prefix, strlen(prefix)) == 0 &&
           tw__node_member(section, name + strlen(prefix)) != NULL;
}

/* Amplitude's own properties are no part of a plan and cannot be deleted. */
static int is_own(const tw_plan_entry *en)
{
    const char *prefix = tw__plan_prefix(en->kind);

    return prefix[0] != '\0' && strncmp(en->name, prefix, strlen(prefix)) != 0;
}

static int rest_delete(tw_plan_diff *df, tw_plan_kind kind, const char *owner,
                       const tw_node *state, const tw_node *plan)
{
    const tw_node *at;
    int rc = TW_OK;

    for (at = tw__node_first(state); df->deletes && rc == TW_OK && at != NULL;
         at = tw__node_next(at)) {
        tw_plan_entry en = {
            .kind = kind, .name = tw__node_key(at), .owner = owner, .from = at};

        if (mentioned(plan, en.name, kind) || is_deleted(at) || is_own(&en))
            continue;
        if (!tw__plan_can(kind, TW_CHANGE_DELETE))
            rc = tw__change_note(df, &en, "",
                                 "not in the plan, and the API cannot delete it");
        else
            rc = tw__change_make(df, &en, TW_CHANGE_DELETE);
    }
    return rc;
}

/* Is there a shared property of that name, or will there be one? */
static int is_shared(const tw_plan_diff *df, tw_plan_kind kind, const char *name)
{
    const char *section =
        kind == TW_PLAN_EVENT_PROPERTY ? "event_properties" : "group_properties";

    return mentioned(tw__node_member(df->state, section), name, kind) ||
           mentioned(tw__node_member(df->plan, section), name, kind);
}

/* A section {name: fields}. A section that the plan does not have is not looked at. */
static int section_diff(tw_plan_diff *df, const char *place, tw_plan_kind kind,
                        const char *owner, const tw_node *state, const tw_node *plan)
{
    const tw_node *at;
    int rc = TW_OK;

    if (plan == NULL)
        return TW_OK;
    if (tw__node_kind(plan) != TW_JSON_OBJECT)
        return place_refuse(df, place, "it was not an object");
    for (at = tw__node_first(plan); rc == TW_OK && at != NULL; at = tw__node_next(at)) {
        tw_plan_entry en = {.kind = kind, .owner = owner, .to = at};

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

static int categories_diff(tw_plan_diff *df)
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
        tw_plan_entry en = {.kind = TW_PLAN_CATEGORY, .place = "categories"};

        en.name = tw__node_key(at) != NULL ? tw__node_key(at) : tw__node_string(at);
        if (en.name == NULL)
            rc = place_refuse(df, "categories", "a name was not a text");
        else if (tw__node_member(state, en.name) == NULL)
            rc = tw__change_make(df, &en, TW_CHANGE_CREATE);
    }
    return rc;
}

/* After the events: those that are deleted leave their category first. */
static int categories_delete(tw_plan_diff *df)
{
    const tw_node *plan = tw__node_member(df->plan, "categories");
    const tw_node *at = tw__node_first(tw__node_member(df->state, "categories"));
    int rc = TW_OK;

    for (; plan != NULL && df->deletes && rc == TW_OK && at != NULL;
         at = tw__node_next(at)) {
        tw_plan_entry en = {
            .kind = TW_PLAN_CATEGORY, .name = tw__node_key(at), .from = at};

        if (!names_category(plan, en.name))
            rc = tw__change_make(df, &en, TW_CHANGE_DELETE);
    }
    return rc;
}

/* The properties of each event or type of groups. */
static int owned_diff(tw_plan_diff *df, const char *section, tw_plan_kind kind)
{
    const tw_node *plan = tw__node_member(df->plan, section);
    const tw_node *state = tw__node_member(df->state, section);
    const tw_node *at;
    int rc = TW_OK;

    if (plan != NULL && tw__node_kind(plan) != TW_JSON_OBJECT)
        return place_refuse(df, section, "it was not an object");
    for (at = tw__node_first(plan); rc == TW_OK && at != NULL; at = tw__node_next(at)) {
        const char *owner = tw__node_key(at);
        char place[TW_PLAN_PLACE];

        snprintf(place, sizeof place, "%s.%.150s.properties", section, owner);
        rc = section_diff(df, place, kind, owner,
                          tw__node_member(tw__node_member(state, owner), "properties"),
                          tw__node_member(at, "properties"));
    }
    return rc;
}

static int plan_check(const tw_plan_diff *df)
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
static int plan_diff(tw_plan_diff *df)
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

static int diff_put(tw_buf *out, const tw_plan_diff *df)
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
    tw_plan_diff df = {.deletes = deletes, .err = err};
    tw_buf text;
    int rc = state_size != 0 ? tw__tree_parse(&from, state, state_size, err) : TW_OK;

    *out = NULL;
    *out_size = 0;
    tw__buf_init(&df.changes, TW_PLAN_CHANGES_MOST);
    tw__buf_init(&df.last, TW_PLAN_CHANGES_MOST);
    tw__buf_init(&df.notes, TW_PLAN_CHANGES_MOST);
    tw__buf_init(&text, TW_PLAN_CHANGES_MOST);
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
