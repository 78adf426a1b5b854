/* SPDX-License-Identifier: MIT */
/* Identifications for the Identify APIs themselves, checked by the rules of events. */
#include <stdio.h>
#include <string.h>

#include "areas/arguments.h"
#include "base/error.h"
#include "base/utf8.h"
#include "ingest/event_rules.h"
#include "json/parts.h"

/* Sources: Amplitude Identify and Group Identify API docs, read 2026-11-27. `options` is in
 * neither, but understood. Sent in this way a change of properties has no insert_id: whoever
 * repeats it after an answer that was lost adds twice. */

enum {
    MAX_GROUP_IDENTIFICATIONS = 1024, /* per request */
    MAX_GROUP_PROPERTIES = 1024,      /* likewise */
    DEPTH = 64,
    FIELD_ROOM = 256
};

static const char *const user_fields[] = {
    "user_id",      "device_id", "user_properties", "groups",       "app_version",
    "platform",     "os_name",   "os_version",      "device_brand", "device_manufacturer",
    "device_model", "carrier",   "country",         "region",       "city",
    "dma",          "language",  "insert_id",       "time",         "library"};
/* Of the API itself alone; texts. */
static const char *const own_fields[] = {"paying", "start_version"};

/* One request's identifications being checked. */
typedef struct check {
    const char *field; /* path of the one that is being checked */
    int of_groups;
    unsigned min_id_length;
    size_t properties; /* of groups, in all */
    tw_json_writer *wr;
    tw_json_reader *rd;
    tw_event_rules *rules;
} check;

static int refuse(const check *ck, const char *name, const char *rule, tw_error **err)
{
    char path[FIELD_ROOM];

    snprintf(path, sizeof path, "%s%s%s", ck->field, name[0] != '\0' ? "." : "", name);
    return tw__error_at(err, TW_E_VALIDATION, path, "%s: %s", path, rule);
}

/* The error of the event that stands for the identification, told of the identification. */
static int pass_on(const check *ck, int rc, tw_error *why, tw_error **err)
{
    const char *message = tw_error_message(why);
    const char *field = tw_error_field(why);
    size_t size = field != NULL ? strlen(field) : 0;

    if (rc == TW_E_VALIDATION && size > 0 && strncmp(message, field, size) == 0 &&
        message[size] == ':')
        rc = refuse(ck, field, message + size + 2, err);
    else if (rc != TW_E_NOMEM)
        rc = tw__error(err, rc, "%s: %s", ck->field, message);
    else
        rc = tw__error_nomem(err);
    tw_error_free(why);
    return rc;
}

/* ---- from text to the event that stands for it ------------------------------------- */

static int copy_token(const check *ck, const tw_json_token *token)
{
    tw_json_writer *wr = ck->wr;

    switch (token->kind) {
    case TW_JSON_KEY:
        return tw_json_put_key(wr, token->text, token->size, -1, TW_JSON_VALID_UTF8);
    case TW_JSON_STRING:
        return tw_json_put_string(wr, token->text, token->size, -1, TW_JSON_VALID_UTF8);
    case TW_JSON_INT:
        return tw_json_put_int(wr, token->integer);
    case TW_JSON_REAL:
        return tw_json_put_real(wr, token->real);
    case TW_JSON_BIGINT:
        return tw_json_writer_refuse(wr, "the integer was beyond 64 bits");
    case TW_JSON_FALSE:
    case TW_JSON_TRUE:
        return tw_json_put_bool(wr, token->kind == TW_JSON_TRUE);
    case TW_JSON_OBJECT:
        return tw_json_put_object(wr);
    case TW_JSON_OBJECT_END:
        return tw_json_put_object_end(wr);
    case TW_JSON_ARRAY:
        return tw_json_put_array(wr);
    case TW_JSON_ARRAY_END:
        return tw_json_put_array_end(wr);
    default:
        return tw_json_put_null(wr);
    }
}

/* Counts properties of groups on the way: plain ones at depth 1, else those of operations. */
static int copy_value(check *ck, const tw_part *part)
{
    tw_json_token token;
    int operation = 0;
    int depth = 0;
    int rc = tw_json_reader_start(ck->rd, part->text, part->size);

    while (rc == TW_OK) {
        rc = tw_json_reader_next(ck->rd, &token);
        if (rc != TW_OK || token.kind == TW_JSON_EOF)
            break;
        depth -= token.kind == TW_JSON_OBJECT_END || token.kind == TW_JSON_ARRAY_END;
        if (token.kind == TW_JSON_KEY && depth == 1)
            operation = token.size > 0 && token.text[0] == '$';
        ck->properties += token.kind == TW_JSON_KEY && depth == 1 + operation;
        depth += token.kind == TW_JSON_OBJECT || token.kind == TW_JSON_ARRAY;
        rc = copy_token(ck, &token);
    }
    return rc;
}

static int copy_member(check *ck, const char *name, const tw_part *part)
{
    int rc = tw_json_put_key(ck->wr, name, strlen(name), -1, TW_JSON_VALID_UTF8);

    return rc == TW_OK ? copy_value(ck, part) : rc;
}

static int is_one_of(const char *name, const char *const *names, size_t count)
{
    size_t i;

    for (i = 0; i < count && strcmp(name, names[i]) != 0; i++)
        continue;
    return i < count;
}

#define ONE_OF(name, names) is_one_of(name, names, sizeof(names) / sizeof *(names))

static int begin_event(check *ck, const char *type)
{
    int rc;

    tw_json_writer_reset(ck->wr);
    tw__event_rules_start(ck->rules, ck->wr);
    rc = tw_json_put_object(ck->wr);
    if (rc == TW_OK)
        rc = tw_json_put_key(ck->wr, "event_type", 10, 10, TW_JSON_VALID_UTF8);
    return rc == TW_OK
               ? tw_json_put_string(ck->wr, type, strlen(type), -1, TW_JSON_VALID_UTF8)
               : rc;
}

static int end_event(check *ck, int rc, tw_error **err)
{
    tw_error *why = NULL;

    if (rc == TW_OK)
        rc = tw_json_put_object_end(ck->wr);
    if (rc == TW_OK)
        rc = tw__event_rules_finish(ck->rules, &why);
    else
        rc = tw_json_writer_error(ck->wr, &why);
    return rc == TW_OK ? TW_OK : pass_on(ck, rc, why, err);
}

/* ---- one identification ------------------------------------------------------------ */

static int check_user(check *ck, tw_parts *parts, tw_error **err)
{
    tw_part part;
    int rc = begin_event(ck, "$identify");

    while (rc == TW_OK) {
        tw_json_kind kind;

        rc = tw__parts_next(parts, &part);
        if (rc != TW_OK)
            break;
        kind = tw__json_kind(part.text, part.size);
        if (ONE_OF(part.key, own_fields)) {
            if (kind != TW_JSON_STRING && kind != TW_JSON_NULL)
                return refuse(ck, part.key, "must be a string", err);
        } else if (ONE_OF(part.key, user_fields)) {
            rc = copy_member(ck, part.key, &part);
        } else {
            return refuse(ck, part.key, "is no field of an identification", err);
        }
    }
    return end_event(ck, rc == TW_DONE ? TW_OK : rc, err);
}

/* {"group_type": T, "group_value": V, ...} stands for groups {T: V}. */
static int check_group(check *ck, tw_parts *parts, tw_error **err)
{
    static const char *const names[] = {"group_type", "group_value", "group_properties"};
    tw_part part;
    tw_part found[3] = {{NULL, 0, NULL, 0}};
    tw_buf type;
    int rc;
    int i;

    for (rc = tw__parts_next(parts, &part); rc == TW_OK;
         rc = tw__parts_next(parts, &part)) {
        for (i = 0; i < 3 && strcmp(part.key, names[i]) != 0; i++)
            continue;
        if (i == 3)
            return refuse(ck, part.key, "is no field of a group's identification", err);
        found[i] = part;
    }
    if (rc != TW_DONE)
        return rc == TW_E_NOMEM ? tw__error_nomem(err) : rc;
    for (i = 0; i < 3; i++) {
        tw_json_kind kind;

        if (found[i].text == NULL)
            return refuse(ck, names[i], "is required", err);
        kind = tw__json_kind(found[i].text, found[i].size);
        if (i < 2 && (kind != TW_JSON_STRING || found[i].size == 2))
            return refuse(ck, names[i], "must be a string, and not empty", err);
    }
    tw__buf_init(&type, 1 << 20);
    rc = tw__json_text(&type, found[0].text, found[0].size);
    if (rc == TW_OK)
        rc = begin_event(ck, "$groupidentify");
    if (rc == TW_OK)
        rc = tw_json_put_key(ck->wr, "groups", 6, 6, TW_JSON_VALID_UTF8);
    if (rc == TW_OK)
        rc = tw_json_put_object(ck->wr);
    if (rc == TW_OK)
        rc = tw_json_put_key(ck->wr, type.data, type.size, -1, TW_JSON_VALID_UTF8);
    if (rc == TW_OK)
        rc = copy_value(ck, &found[1]);
    if (rc == TW_OK)
        rc = tw_json_put_object_end(ck->wr);
    if (rc == TW_OK)
        rc = copy_member(ck, names[2], &found[2]);
    tw__buf_clear(&type);
    return end_event(ck, rc, err);
}

static int check_one(check *ck, const char *field, const tw_part *one, tw_error **err)
{
    tw_parts parts;
    int rc = tw__parts_begin(&parts, one->text, one->size);

    ck->field = field;
    if (rc == TW_OK && parts.kind != TW_JSON_OBJECT)
        rc = refuse(ck, "", "must be an object", err);
    else if (rc == TW_OK)
        rc = ck->of_groups ? check_group(ck, &parts, err) : check_user(ck, &parts, err);
    tw__parts_end(&parts);
    if (rc == TW_OK && ck->of_groups && ck->properties > MAX_GROUP_PROPERTIES)
        rc = refuse(ck, "group_properties",
                    "is beyond the 1,024 properties a request may have", err);
    ck->field = NULL;
    return rc;
}

/* ---- all of a request -------------------------------------------------------------- */

static int check_list(check *ck, const char *json, size_t size, tw_error **err)
{
    tw_part whole = {NULL, 0, json, size};
    tw_parts parts;
    tw_part part;
    size_t count = 0;
    int rc = tw__parts_begin(&parts, json, size);

    if (rc == TW_OK && parts.kind == TW_JSON_OBJECT) {
        tw__parts_end(&parts);
        return check_one(ck, "identification", &whole, err);
    }
    if (rc == TW_OK && parts.kind != TW_JSON_ARRAY)
        rc = tw__error_at(err, TW_E_VALIDATION, "identification",
                          "identification: must be an object or a list of objects");
    while (rc == TW_OK) {
        char field[48];

        rc = tw__parts_next(&parts, &part);
        if (rc != TW_OK)
            break;

        snprintf(field, sizeof field, "identification[%zu]", count);
        if (ck->of_groups && count++ == MAX_GROUP_IDENTIFICATIONS)
            rc = tw__error_at(err, TW_E_VALIDATION, field,
                              "%s: is one too many: a request may have 1,024", field);
        else
            rc = check_one(ck, field, &part, err);
        count += ck->of_groups == 0;
    }
    tw__parts_end(&parts);
    if (rc != TW_DONE)
        return rc == TW_E_NOMEM ? tw__error_nomem(err) : rc;
    if (count == 0)
        return tw__error_at(err, TW_E_VALIDATION, "identification",
                            "identification: must not be empty");
    return TW_OK;
}

static int check_identifications(const tw_given *given, int of_groups, tw_error **err)
{
    tw_json_writer_options options = TW_JSON_WRITER_OPTIONS_INIT;
    tw_event_looks looks;
    tw_event_rules rules;
    check ck = {.of_groups = of_groups, .rules = &rules};
    int64_t least = TW__MIN_ID_LENGTH;
    size_t size;
    const char *json = tw__given(given, "min_id_length", &size);
    int rc = tw_json_writer_new(&ck.wr, &options, err);

    if (json != NULL)
        (void)tw__json_int(&least, json, size);
    tw__event_looks_init(&looks, (unsigned)least);
    tw__event_rules_init(&rules, &looks);
    if (rc == TW_OK)
        rc = tw_json_reader_new(&ck.rd, DEPTH, SIZE_MAX, err);
    json = tw__given(given, "identification", &size);
    if (rc == TW_OK)
        rc = check_list(&ck, json, size, err);
    tw_json_writer_free(ck.wr);
    tw_json_reader_free(ck.rd);
    return rc;
}

static int check_users(const tw_given *given, tw_error **err)
{
    return check_identifications(given, 0, err);
}

static int check_groups(const tw_given *given, tw_error **err)
{
    return check_identifications(given, 1, err);
}

/* ---- the table --------------------------------------------------------------------- */

static int options_value(tw_buf *out, const char *field, const char *json, size_t size,
                         tw_error **err)
{
    int64_t least;

    if (!tw__json_int(&least, json, size) || least < 1 || least > 1024)
        return tw__error_at(err, TW_E_VALIDATION, field,
                            "%s was not a whole number from 1 to 1024", field);
    if (least == TW__MIN_ID_LENGTH)
        return TW_DONE; /* as the server has it */
    return tw__buf_printf(out, "{\"min_id_length\":%d}", (int)least) == TW_OK
               ? TW_OK
               : tw__error_nomem(err);
}

/* The answer is a word, not JSON. */
static int text_form(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    int rc = tw__utf8_check(body, size) == size ? tw__json_quote(out, body, size)
                                                : TW_E_PROTOCOL;

    return rc == TW_OK ? TW_OK : tw__error(err, TW_E_PROTOCOL, "the answer was no text");
}

#define MIN_ID_LENGTH                                                    \
    {                                                                    \
        .name = "min_id_length", .sent = "options", .place = TW_IN_FORM, \
        .kind = TW_KIND_JSON, .rule = options_value,                     \
        .doc = "fewest characters of ids, 5 where absent; 1 to 1024"     \
    }

static const tw_argument user_arguments[] = {
    {.name = "identification",
     .place = TW_IN_FORM,
     .kind = TW_KIND_JSON,
     .flags = TW_REQUIRED,
     .doc =
         "an object or a list of objects: `user_id` or `device_id`, `user_properties`, "
         "`groups`, fields of the device and place as in events.md, `paying`, "
         "`start_version`"},
    MIN_ID_LENGTH,
};

static const tw_argument group_arguments[] = {
    {.name = "identification",
     .place = TW_IN_FORM,
     .kind = TW_KIND_JSON,
     .flags = TW_REQUIRED,
     .doc = "an object or a list of up to 1,024 objects: `group_type`, `group_value`, "
            "`group_properties` (1,024 in all)"},
    MIN_ID_LENGTH,
};

const tw_operation tw__ingestion_operations[] = {
    {TW_EP_IDENTIFY, TW_ARGUMENTS(user_arguments), check_users, text_form,
     "what the server wrote, `success`."},
    {TW_EP_GROUPIDENTIFY, TW_ARGUMENTS(group_arguments), check_groups, text_form,
     "what the server wrote, `success`."},
    {TW_EP_COUNT, NULL, 0, NULL, NULL, NULL},
};
