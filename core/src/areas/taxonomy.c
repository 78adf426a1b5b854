/* SPDX-License-Identifier: MIT */
/* Taxonomy: the calls of the tracking plan. */
#include <stdio.h>
#include <string.h>

#include "areas/arguments.h"
#include "areas/taxonomy.h"
#include "base/error.h"
#include "json/parts.h"
#include "json/view.h"

/*
 * Source: Amplitude Taxonomy API docs, read 2026-11-27. The API has four words for a new name and
 * two conventions for the prefixes of properties: callers say `new_name`, and names with or without
 * prefix, and what the documents show is sent.
 */

/* ---- names ------------------------------------------------------------------------- */

static int has_prefix(const tw_buf *text, const char *prefix)
{
    size_t size = strlen(prefix);

    return text->size >= size && memcmp(text->data, prefix, size) == 0;
}

static int name_read(tw_buf *out, const char *field, const char *json, size_t size,
                     tw_error **err)
{
    int rc = tw__value_text(out, field, json, size, err);

    if (rc == TW_OK && out->size == 0)
        return tw__error_at(err, TW_E_VALIDATION, field, "%s was empty", field);
    return rc;
}

static int prefix_put(tw_buf *out, const char *prefix, tw_error **err)
{
    size_t size = strlen(prefix);
    size_t before = out->size;

    if (tw__buf_put(out, prefix, size) != TW_OK)
        return tw__error_nomem(err);
    memmove(out->data + size, out->data, before);
    memcpy(out->data, prefix, size);
    return TW_OK;
}

/* A name is taken for that of a custom property unless it is one of Amplitude's own. */
static int prefix_complete(tw_buf *out, const char *prefix, const char *const *own,
                           tw_error **err)
{
    if (has_prefix(out, prefix))
        return TW_OK;
    for (; *own != NULL; own++) {
        if (strlen(*own) == out->size && has_prefix(out, *own))
            return TW_OK;
    }
    return prefix_put(out, prefix, err);
}

static int user_property_path(tw_buf *out, const char *field, const char *json,
                              size_t size, tw_error **err)
{
    static const char *const own[] = {
        "amplitude_id", "device_id",    "event_id",   "library",
        "location_lat", "location_lng", "session_id", "server_upload_time",
        "user_id",      "_time",        NULL};
    int rc = name_read(out, field, json, size, err);

    return rc == TW_OK ? prefix_complete(out, "gp:", own, err) : rc;
}

/* Created and renamed without the prefix that it is then listed with. */
static int user_property_name(tw_buf *out, const char *field, const char *json,
                              size_t size, tw_error **err)
{
    int rc = name_read(out, field, json, size, err);

    if (rc == TW_OK && has_prefix(out, "gp:")) {
        out->size -= 3;
        memmove(out->data, out->data + 3, out->size);
        if (out->size == 0)
            return tw__error_at(err, TW_E_VALIDATION, field, "%s was empty", field);
    }
    return rc;
}

static int group_property_name(tw_buf *out, const char *field, const char *json,
                               size_t size, tw_error **err)
{
    static const char *const own[] = {"group_id", NULL};
    int rc = name_read(out, field, json, size, err);

    return rc == TW_OK ? prefix_complete(out, "grp:", own, err) : rc;
}

/* ---- arguments --------------------------------------------------------------------- */

#define PATH(argument, words)                                          \
    {                                                                  \
        .name = (argument), .place = TW_IN_PATH, .kind = TW_KIND_TEXT, \
        .flags = TW_REQUIRED | TW_FILLED, .doc = (words)               \
    }
#define FORM_TEXT(argument, words)                                                    \
    {                                                                                 \
        .name = (argument), .place = TW_IN_FORM, .kind = TW_KIND_TEXT, .doc = (words) \
    }
#define FORM_NAME(argument, words)                                     \
    {                                                                  \
        .name = (argument), .place = TW_IN_FORM, .kind = TW_KIND_TEXT, \
        .flags = TW_REQUIRED | TW_FILLED, .doc = (words)               \
    }
#define FORM_NEW_NAME(sent_as, words)                                         \
    {                                                                         \
        .name = "new_name", .sent = (sent_as), .place = TW_IN_FORM,           \
        .kind = TW_KIND_TEXT, .flags = TW_FILLED | TW_RENAMES, .doc = (words) \
    }
#define FORM_BOOL(argument, words)                                                    \
    {                                                                                 \
        .name = (argument), .place = TW_IN_FORM, .kind = TW_KIND_BOOL, .doc = (words) \
    }
#define FORM_LIST(argument, of, words)                                                  \
    {                                                                                   \
        .name = (argument), .place = TW_IN_FORM, .kind = TW_KIND_LIST, .choices = (of), \
        .doc = (words)                                                                  \
    }
#define EXIST_OK                                                       \
    {                                                                  \
        .name = "exist_ok", .place = TW_IN_CALL, .kind = TW_KIND_BOOL, \
        .doc = "that it exists already is success, too"                \
    }
#define SHOW_DELETED                                                         \
    {                                                                        \
        .name = "show_deleted", .sent = "showDeleted", .kind = TW_KIND_BOOL, \
        .flags = TW_ONLY_TRUE, .doc = "list deleted ones as well"            \
    }
#define QUERY_TEXT(argument, words)                                                  \
    {                                                                                \
        .name = (argument), .kind = TW_KIND_TEXT, .flags = TW_FILLED, .doc = (words) \
    }

#define EVENT_FIELDS                                                                     \
    FORM_TEXT("category", "name of its category"), FORM_TEXT("description", "any text"), \
        FORM_BOOL("is_active", "whether it is active"),                                  \
        FORM_BOOL("is_hidden_from_dropdowns", "only of ingested events"),                \
        FORM_BOOL("is_hidden_from_persona_results", "only of ingested events"),          \
        FORM_BOOL("is_hidden_from_pathfinder", "only of ingested events"),               \
        FORM_BOOL("is_hidden_from_timeline", "only of ingested events"),                 \
        FORM_LIST("tags", NULL, "texts"),                                                \
        FORM_TEXT("owner", "who is responsible for it")

#define PROPERTY_FIELDS                                                       \
    FORM_TEXT("description", "any text"),                                     \
        {.name = "type",                                                      \
         .place = TW_IN_FORM,                                                 \
         .kind = TW_KIND_TEXT,                                                \
         .choices = "string|number|boolean|enum|any",                         \
         .doc = "of its values"},                                             \
        FORM_TEXT("regex", "that values match; of type string"),              \
        FORM_LIST("enum_values", NULL, "the values there are; of type enum"), \
        FORM_BOOL("is_array_type", "whether values are lists"),               \
        FORM_BOOL("is_hidden", "only of ingested properties"),                \
        FORM_LIST("classifications", "PII|SENSITIVE|REVENUE",                 \
                  "needs Data Access Controls")

static const tw_argument nothing[1];

static const tw_argument event_list[] = {SHOW_DELETED};
static const tw_argument event_one[] = {PATH("event_type", "name of the event type")};
static const tw_argument event_create[] = {
    FORM_NAME("event_type", "name of the event type"), EVENT_FIELDS, EXIST_OK};
static const tw_argument event_update[] = {
    PATH("event_type", "name of the event type"),
    FORM_NEW_NAME("new_event_type", "the name it is given"),
    FORM_TEXT("display_name", "only of ingested events"), EVENT_FIELDS};

static const tw_argument category_one[] = {PATH("category_name", "its name")};
static const tw_argument category_create[] = {FORM_NAME("category_name", "its name"),
                                              EXIST_OK};
#define CATEGORY_ID                                                            \
    {                                                                          \
        .name = "category_id", .place = TW_IN_PATH, .kind = TW_KIND_ID,        \
        .flags = TW_REQUIRED, .max = INT64_MAX, .doc = "its number, as listed" \
    }
static const tw_argument category_update[] = {CATEGORY_ID,
                                              {.name = "new_name",
                                               .sent = "category_name",
                                               .place = TW_IN_FORM,
                                               .kind = TW_KIND_TEXT,
                                               .flags = TW_REQUIRED | TW_FILLED,
                                               .doc = "the name it is given"}};
static const tw_argument category_delete[] = {CATEGORY_ID};

/* The documents put event_type into the body of a GET, which proxies drop; the query works. */
static const tw_argument event_property_list[] = {
    QUERY_TEXT("event_type", "properties of this event; absent, the shared ones")};
static const tw_argument event_property_one[] = {
    PATH("event_property", "its name"),
    QUERY_TEXT("event_type", "as this event has it; absent, the shared one")};
static const tw_argument event_property_create[] = {
    FORM_NAME("event_property", "its name"),
    FORM_TEXT("event_type", "make it for this event; absent, a shared one"),
    PROPERTY_FIELDS, FORM_BOOL("is_required", "whether events must have it"), EXIST_OK};
static const tw_argument event_property_update[] = {
    PATH("event_property", "its name"),
    FORM_TEXT("event_type", "as this event has it; absent, the shared one"),
    {.name = "override_scope",
     .sent = "overrideScope",
     .place = TW_IN_FORM,
     .kind = TW_KIND_TEXT,
     .choices = "override|shared",
     .doc = "with event_type: change the override, or drop it and change the shared one"},
    FORM_NEW_NAME("new_event_property_value", "the name it is given"),
    PROPERTY_FIELDS,
    FORM_BOOL("is_required", "whether events must have it")};
static const tw_argument event_property_end[] = {
    PATH("event_property", "its name"),
    FORM_TEXT("event_type", "as this event has it; absent, the shared one")};

#define USER_PROPERTY                                                           \
    {                                                                           \
        .name = "user_property", .place = TW_IN_PATH, .kind = TW_KIND_TEXT,     \
        .flags = TW_REQUIRED, .rule = user_property_path,                       \
        .doc = "its name; gp: is put before those that are not Amplitude's own" \
    }
static const tw_argument user_property_list[] = {SHOW_DELETED};
static const tw_argument user_property_one[] = {USER_PROPERTY, SHOW_DELETED};
static const tw_argument user_property_create[] = {{.name = "user_property",
                                                    .place = TW_IN_FORM,
                                                    .kind = TW_KIND_TEXT,
                                                    .flags = TW_REQUIRED,
                                                    .rule = user_property_name,
                                                    .doc = "its name, sent without gp:"},
                                                   PROPERTY_FIELDS,
                                                   EXIST_OK};
static const tw_argument user_property_update[] = {
    USER_PROPERTY,
    {.name = "new_name",
     .sent = "new_user_property_value",
     .place = TW_IN_FORM,
     .kind = TW_KIND_TEXT,
     .flags = TW_RENAMES,
     .rule = user_property_name,
     .doc = "the name it is given, sent without gp:"},
    PROPERTY_FIELDS};
static const tw_argument user_property_end[] = {USER_PROPERTY};

#define GROUP_PROPERTY(where)                                             \
    {                                                                     \
        .name = "group_property", .place = (where), .kind = TW_KIND_TEXT, \
        .flags = TW_REQUIRED, .rule = group_property_name,                \
        .doc = "its name; grp: is put before it, but for group_id"        \
    }
static const tw_argument group_property_list[] = {
    QUERY_TEXT("group_type", "of this type of groups; absent, the shared ones")};
static const tw_argument group_property_one[] = {
    GROUP_PROPERTY(TW_IN_PATH),
    QUERY_TEXT("group_type", "as this type of groups has it; absent, the shared one")};
static const tw_argument group_property_create[] = {
    GROUP_PROPERTY(TW_IN_FORM),
    FORM_TEXT("group_type", "make it for this type of groups; absent, a shared one"),
    PROPERTY_FIELDS, EXIST_OK};
static const tw_argument group_property_update[] = {
    GROUP_PROPERTY(TW_IN_PATH),
    FORM_TEXT("group_type", "as this type of groups has it; absent, the shared one"),
    {.name = "override_scope",
     .sent = "overrideScope",
     .place = TW_IN_FORM,
     .kind = TW_KIND_TEXT,
     .choices = "override|shared",
     .doc = "with group_type: change the override, or drop it and change the shared one"},
    {.name = "new_name",
     .sent = "new_group_property_value",
     .place = TW_IN_FORM,
     .kind = TW_KIND_TEXT,
     .flags = TW_RENAMES,
     .rule = group_property_name,
     .doc = "the name it is given; grp: is put before it"},
    PROPERTY_FIELDS};

/* ---- rules over several arguments -------------------------------------------------- */

static int is_given(const tw_given *given, const char *name)
{
    size_t size;

    return tw__given(given, name, &size) != NULL;
}

/* An empty text or list takes a value away. */
static int is_filled(const tw_given *given, const char *name)
{
    tw_view value;

    value.text = tw__given(given, name, &value.size);
    return value.text != NULL &&
           (tw__view_is_list(value) ? tw__view_count(value) != 0 : value.size > 2);
}

/* The documents tie each of the two to its type; their own example has enum_values with a string.
 */
static int property_check(const tw_given *given, tw_error **err)
{
    if (is_filled(given, "regex") && is_given(given, "type") &&
        !tw__given_is(given, "type", "string"))
        return tw__error_at(err, TW_E_VALIDATION, "regex",
                            "regex was given for a property that is not of type string");
    if (is_filled(given, "enum_values") && is_given(given, "type") &&
        !tw__given_is(given, "type", "enum") && !tw__given_is(given, "type", "string"))
        return tw__error_at(err, TW_E_VALIDATION, "enum_values",
                            "enum_values was given for a property that is not of type "
                            "enum");
    return TW_OK;
}

/* A call that changes nothing still costs. */
/* Something that an update can change, apart from what says where. */
static int is_change(const tw_argument *arg)
{
    return arg->place == TW_IN_FORM && strcmp(arg->name, "event_type") != 0 &&
           strcmp(arg->name, "group_type") != 0 &&
           strcmp(arg->name, "override_scope") != 0;
}

static int update_check(const tw_given *given, tw_error **err)
{
    const tw_operation *op = given->operation;
    const char *first = NULL;
    char names[300] = "";
    size_t used = 0;
    size_t i;

    for (i = 0; i < op->count; i++) {
        const tw_argument *arg = &op->arguments[i];

        if (given->text[i] != NULL && arg->place == TW_IN_FORM &&
            strcmp(arg->name, "event_type") != 0 && strcmp(arg->name, "group_type") != 0)
            return TW_OK;
        if (!is_change(arg) || used + strlen(arg->name) + 3 > sizeof names)
            continue;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                 first != NULL ? ", " : "", arg->name);
        if (first == NULL)
            first = arg->name;
    }
    return tw__error_at(err, TW_E_VALIDATION, first,
                        "%s was given nothing to change: it takes %s",
                        tw__endpoint(op->endpoint)->name, names);
}

static int override_check(const tw_given *given, const char *of, tw_error **err)
{
    int rc = update_check(given, err);

    if (rc == TW_OK && is_given(given, "override_scope") && !is_given(given, of))
        rc = tw__error_at(err, TW_E_VALIDATION, "override_scope",
                          "override_scope was given without %s", of);
    if (rc == TW_OK && is_given(given, "classifications") &&
        tw__given_is(given, "override_scope", "override"))
        rc = tw__error_at(err, TW_E_VALIDATION, "classifications",
                          "classifications belong to the shared property: an override "
                          "has none");
    return rc == TW_OK ? property_check(given, err) : rc;
}

static int event_property_check(const tw_given *given, tw_error **err)
{
    return override_check(given, "event_type", err);
}

static int group_property_check(const tw_given *given, tw_error **err)
{
    return override_check(given, "group_type", err);
}

static int user_property_check(const tw_given *given, tw_error **err)
{
    int rc = update_check(given, err);

    return rc == TW_OK ? property_check(given, err) : rc;
}

/* ---- answers ----------------------------------------------------------------------- */

static const tw_member event_members[] = {
    {"event_type", NULL, TW_MEMBER_ANY, NULL},
    {"category", NULL, TW_MEMBER_NAME, NULL},
    {"description", NULL, TW_MEMBER_ANY, "\"\""},
    {"display_name", NULL, TW_MEMBER_ANY, NULL},
    {"is_active", NULL, TW_MEMBER_ANY, "true"},
    {"is_hidden_from_dropdowns", NULL, TW_MEMBER_ANY, "false"},
    {"is_hidden_from_persona_results", NULL, TW_MEMBER_ANY, "false"},
    {"is_hidden_from_pathfinder", NULL, TW_MEMBER_ANY, "false"},
    {"is_hidden_from_timeline", NULL, TW_MEMBER_ANY, "false"},
    {"tags", NULL, TW_MEMBER_LIST, "[]"},
    {"owner", NULL, TW_MEMBER_ANY, NULL},
    {"deleted", NULL, TW_MEMBER_ANY, "false"},
    {NULL, NULL, TW_MEMBER_ANY, NULL},
};

static const tw_member category_members[] = {
    {"id", NULL, TW_MEMBER_NUMBER, NULL},
    {"name", NULL, TW_MEMBER_ANY, NULL},
    {NULL, NULL, TW_MEMBER_ANY, NULL},
};

#define PROPERTY_MEMBERS                                                                \
    {"description", NULL, TW_MEMBER_ANY, "\"\""},                                       \
        {"type", NULL, TW_MEMBER_ANY, "\"any\""}, {"regex", NULL, TW_MEMBER_ANY, NULL}, \
        {"enum_values", NULL, TW_MEMBER_LIST, "[]"},                                    \
        {"is_array_type", NULL, TW_MEMBER_ANY, "false"},                                \
        {"is_hidden", NULL, TW_MEMBER_ANY, "false"},                                    \
    {                                                                                   \
        "classifications", NULL, TW_MEMBER_LIST, "[]"                                   \
    }

static const tw_member event_property_members[] = {
    {"event_property", NULL, TW_MEMBER_ANY, NULL},
    {"event_type", NULL, TW_MEMBER_ANY, NULL},
    PROPERTY_MEMBERS,
    {"is_required", NULL, TW_MEMBER_ANY, "false"},
    {NULL, NULL, TW_MEMBER_ANY, NULL},
};

static const tw_member user_property_members[] = {
    {"user_property", NULL, TW_MEMBER_ANY, NULL},
    PROPERTY_MEMBERS,
    {"deleted", NULL, TW_MEMBER_ANY, "false"},
    {NULL, NULL, TW_MEMBER_ANY, NULL},
};

static const tw_member group_property_members[] = {
    {"group_property", NULL, TW_MEMBER_ANY, NULL},
    {"group_type", NULL, TW_MEMBER_ANY, NULL},
    PROPERTY_MEMBERS,
    {NULL, NULL, TW_MEMBER_ANY, NULL},
};

const tw_member *tw__plan_members(tw_plan_kind kind)
{
    static const tw_member *const tables[TW_PLAN_KINDS] = {
        category_members, event_members, event_property_members, user_property_members,
        group_property_members};

    return tables[kind];
}

int tw__plan_is_field(const tw_member *member)
{
    static const char *const others[] = {"id",
                                         "name",
                                         "event_type",
                                         "event_property",
                                         "user_property",
                                         "group_property",
                                         "group_type",
                                         "deleted"};
    size_t i;

    for (i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(others[i], member->name) == 0)
            return 0;
    }
    return 1;
}

/* "data" of the envelope as a list of objects. */
static int list_form(tw_buf *out, const tw_member *members, const char *body, size_t size,
                     tw_error **err)
{
    const char *data;
    size_t data_size;
    int rc = tw__form_member(&data, &data_size, "data", body, size);

    if (rc == TW_OK && data == NULL)
        rc = TW_E_PROTOCOL;
    if (rc == TW_OK)
        rc = tw__form_list(out, members, data, data_size);
    return tw__form_end(rc, "a list of the tracking plan", err);
}

/* "data" of the envelope as one object. */
static int one_form(tw_buf *out, const tw_member *members, const char *body, size_t size,
                    tw_error **err)
{
    const char *data;
    size_t data_size;
    int rc = tw__form_member(&data, &data_size, "data", body, size);

    if (rc == TW_OK && data == NULL)
        rc = TW_E_PROTOCOL;
    if (rc == TW_OK)
        rc = tw__form_object(out, members, data, data_size);
    return tw__form_end(rc, "an entry of the tracking plan", err);
}

#define FORMS(of)                                                                        \
    static int of##_list_form(tw_buf *out, const char *body, size_t size,                \
                              tw_error **err)                                            \
    {                                                                                    \
        return list_form(out, of##_members, body, size, err);                            \
    }                                                                                    \
    static int of##_one_form(tw_buf *out, const char *body, size_t size, tw_error **err) \
    {                                                                                    \
        return one_form(out, of##_members, body, size, err);                             \
    }

FORMS(event)
FORMS(category)
FORMS(event_property)
FORMS(user_property)
FORMS(group_property)

/* Writes answer {"success":true} and no more. */
static int success_check(const char *body, size_t size)
{
    const char *success;
    size_t success_size;
    int rc = tw__form_member(&success, &success_size, "success", body, size);

    return rc == TW_OK && (success == NULL || success[0] != 't') ? TW_E_PROTOCOL : rc;
}

/* With exist_ok the gate says whether it existed. */
static int create_form(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    const char *existed;
    size_t existed_size;
    int rc = success_check(body, size);

    if (rc == TW_OK)
        rc = tw__form_member(&existed, &existed_size, "existed", body, size);
    if (rc == TW_OK)
        rc = tw__buf_printf(out, "{\"existed\":%s}",
                            existed != NULL && existed[0] == 't' ? "true" : "false");
    return tw__form_end(rc, "the answer to a write", err);
}

static int change_form(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    int rc = success_check(body, size);

    if (rc == TW_OK)
        rc = tw__buf_puts(out, "{}");
    return tw__form_end(rc, "the answer to a write", err);
}

/* ---- the table --------------------------------------------------------------------- */

static const char event_doc[] =
    "`event_type`, `category` (its name), `description`, `display_name`, `is_active`, the "
    "four `is_hidden_from_…`, `tags`, `owner`, `deleted`";
static const char category_doc[] = "`id` and `name`";
static const char event_property_doc[] =
    "`event_property`, `event_type` (null for a shared one), `description`, `type`, "
    "`regex`, `enum_values` (a list), `is_array_type`, `is_hidden`, `classifications`, "
    "`is_required`";
static const char user_property_doc[] =
    "`user_property`, `description`, `type`, `regex`, `enum_values` (a list), "
    "`is_array_type`, `is_hidden`, `classifications`, `deleted`";
static const char group_property_doc[] =
    "`group_property`, `group_type` (null for a shared one), `description`, `type`, "
    "`regex`, `enum_values` (a list), `is_array_type`, `is_hidden`, `classifications`";
static const char create_doc[] = "`existed`: it existed already, with `exist_ok`";
static const char change_doc[] = "an empty object";

#define READ_LIST(id, table, of)                                                 \
    {                                                                            \
        TW_EP_TAXONOMY_##id, TW_ARGUMENTS(table), NULL, of##_list_form, of##_doc \
    }
#define READ_ONE(id, table, of)                                                 \
    {                                                                           \
        TW_EP_TAXONOMY_##id, TW_ARGUMENTS(table), NULL, of##_one_form, of##_doc \
    }
#define CREATE(id, table, check)                                                 \
    {                                                                            \
        TW_EP_TAXONOMY_##id, TW_ARGUMENTS(table), check, create_form, create_doc \
    }
#define CHANGE(id, table, check)                                                 \
    {                                                                            \
        TW_EP_TAXONOMY_##id, TW_ARGUMENTS(table), check, change_form, change_doc \
    }

const tw_operation tw__taxonomy_operations[] = {
    READ_LIST(EVENTS, event_list, event),
    READ_ONE(EVENT, event_one, event),
    CREATE(EVENT_CREATE, event_create, NULL),
    CHANGE(EVENT_UPDATE, event_update, update_check),
    CHANGE(EVENT_DELETE, event_one, NULL),
    CHANGE(EVENT_RESTORE, event_one, NULL),
    {TW_EP_TAXONOMY_CATEGORIES, nothing, 0, NULL, category_list_form, category_doc},
    READ_ONE(CATEGORY, category_one, category),
    CREATE(CATEGORY_CREATE, category_create, NULL),
    CHANGE(CATEGORY_UPDATE, category_update, NULL),
    CHANGE(CATEGORY_DELETE, category_delete, NULL),
    READ_LIST(EVENT_PROPERTIES, event_property_list, event_property),
    READ_ONE(EVENT_PROPERTY, event_property_one, event_property),
    CREATE(EVENT_PROPERTY_CREATE, event_property_create, property_check),
    CHANGE(EVENT_PROPERTY_UPDATE, event_property_update, event_property_check),
    CHANGE(EVENT_PROPERTY_DELETE, event_property_end, NULL),
    CHANGE(EVENT_PROPERTY_RESTORE, event_property_end, NULL),
    READ_LIST(USER_PROPERTIES, user_property_list, user_property),
    READ_ONE(USER_PROPERTY, user_property_one, user_property),
    CREATE(USER_PROPERTY_CREATE, user_property_create, property_check),
    CHANGE(USER_PROPERTY_UPDATE, user_property_update, user_property_check),
    CHANGE(USER_PROPERTY_DELETE, user_property_end, NULL),
    CHANGE(USER_PROPERTY_RESTORE, user_property_end, NULL),
    READ_LIST(GROUP_PROPERTIES, group_property_list, group_property),
    READ_ONE(GROUP_PROPERTY, group_property_one, group_property),
    CREATE(GROUP_PROPERTY_CREATE, group_property_create, property_check),
    CHANGE(GROUP_PROPERTY_UPDATE, group_property_update, group_property_check),
    {TW_EP_COUNT, NULL, 0, NULL, NULL, NULL},
};
