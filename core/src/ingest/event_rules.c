/* SPDX-License-Identifier: MIT */
/* The rules of an event's fields, applied while it is written. */
#include "ingest/event_rules.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

_Static_assert((int)FIELD_COUNT < (int)TW__MARKS, "a field's mark is its id + 1");

typedef enum operand { OPERAND_PROPERTIES, OPERAND_NUMBERS, OPERAND_ANY } operand;
#define OPERATION_ROW(name, operand, doc) {name, OPERAND_##operand},
static const struct {
    const char *name;
    operand operand;
} operations[] = {OPERATIONS(OPERATION_ROW)};
#undef OPERATION_ROW

typedef struct name_row {
    size_t size;
    const char *text;
} name_row;
#define NAME_ROW(text) {sizeof(text) - 1, text},
static const name_row banned_ids[] = {BANNED_IDS(NAME_ROW)};
static const name_row reserved_names[] = {RESERVED_NAMES(NAME_ROW)};
#undef NAME_ROW
static const char banned_uuid[] = BANNED_UUID_TEXT;

enum { BANNED_SHORT = 9 /* the longest of banned_ids */, BANNED_UUID = 36 };

_Static_assert(sizeof banned_uuid - 1 == BANNED_UUID, "it has another size");

/* What is known to be right once the key is known, and how deep the value is looked into: see
 * tw_json_look. An id's sizes are its minimum's: see id_sizes. */
#define KIND(name) (UINT32_C(1) << TW_JSON_##name)
#define SIZE(bytes) (UINT64_C(1) << (bytes))
#define SIZE_OF(text) | SIZE(sizeof(text) - 1)
#define RESERVED_SIZES (0 RESERVED_NAMES(SIZE_OF))
#define SIZES_BUT(few) .sizes = ~(few), .ascii_sizes = ~(few)
#define ANY_INT .from = INT64_MIN, .count = UINT64_MAX
#define PLAIN .below = ~UINT32_C(0) /* properties, as long as no operation is met */
static const tw_json_look type_looks[] = {
    [TYPE_TEXT] = {.quiet = KIND(STRING), .depth = 1, SIZES_BUT(SIZE(0))},
    [TYPE_ID] = {.depth = 1, .asked = '0'}, /* a banned UUID begins with it */
    /* other than "$identify" and "$groupidentify", and the reserved ones */
    [TYPE_EVENT_TYPE] = {.depth = 1, SIZES_BUT(SIZE(0) | RESERVED_SIZES), .asked = '$'},
    [TYPE_INSERT_ID] = {.depth = 1, SIZES_BUT(SIZE(0)), .noted = TW_NOTE_INSERT_ID + 1},
    [TYPE_CURRENCY] = {.depth = 1},
    [TYPE_NUMBER] = {.quiet = KIND(INT) | KIND(REAL), .depth = 1, ANY_INT},
    [TYPE_INTEGER] = {.quiet = KIND(INT), .depth = 1, ANY_INT},
    [TYPE_SESSION] = {.depth = 1, .from = -1, .count = (uint64_t)INT64_MAX + 2},
    [TYPE_TIME] = {.depth = 1, .from = TIME_MIN, .count = TIME_MAX - TIME_MIN + 1},
    [TYPE_BOOL] = {.quiet = KIND(TRUE) | KIND(FALSE), .depth = 1},
    [TYPE_OBJECT] = {.quiet = KIND(OBJECT) | KIND(OBJECT_END), .depth = 1},
    [TYPE_USER] = {.quiet = KIND(OBJECT) | KIND(OBJECT_END), .depth = 2, PLAIN},
    [TYPE_GROUP] = {.quiet = KIND(OBJECT) | KIND(OBJECT_END), .depth = 2, PLAIN},
    [TYPE_GROUPS] = {.quiet = KIND(OBJECT) | KIND(OBJECT_END), .depth = 3},
    [TYPE_PLAN] = {.quiet = KIND(OBJECT) | KIND(OBJECT_END), .depth = 2},
    [TYPE_METADATA] = {.quiet = KIND(OBJECT) | KIND(OBJECT_END), .depth = 2},
};

static int has(const tw_event_rules *rules, unsigned id)
{
    return ((rules->watch.marks & ~rules->nulls) >> (id + 1) & 1) != 0;
}

/* The top-level member being written. */
static const tw_event_field *field_of(const tw_event_rules *rules)
{
    return &tw__event_fields[rules->watch.mark - 1];
}

/* ---- keys -------------------------------------------------------------------------- */

static const char *unknown_key(tw_event_rules *rules, const char *text, size_t size)
{
    const char *near = tw__event_field_near(text, size);

    if (near == NULL)
        return "is not an event field: values of your own belong in event_properties";
    snprintf(rules->text, sizeof rules->text, "is not an event field: did you mean %s?",
             near);
    return rules->text;
}

static tw_event_properties *properties_of(tw_event_rules *rules)
{
    return field_of(rules)->type == TYPE_USER ? &rules->user : &rules->group;
}

static void name_keep(tw_event_properties *props, const char *text, size_t size)
{
    if (props->name[0] != '\0')
        return;
    if (size > sizeof props->name - 1) {
        size = sizeof props->name - 1;
        while (size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80)
            size--;
    }
    memcpy(props->name, text, size);
    props->name[size] = '\0';
}

static const char mixed[] = "must not be mixed with the others: property operations and "
                            "plain properties exclude each other";

static __attribute__((noinline)) const char *operation_key(tw_event_rules *rules,
                                                           const char *text, size_t size)
{
    tw_event_properties *props = properties_of(rules);
    size_t i;

    if (!rules->watch.first && !props->operations)
        props->plain = 1; /* nobody asked for those before */
    rules->operation = -1;
    rules->watch.quiet[2] = 0;
    for (i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (strlen(operations[i].name) == size &&
            memcmp(operations[i].name, text, size) == 0) {
            rules->operation = (int)i;
            break;
        }
    }
    if (rules->operation >= 0) {
        if (!props->operations)
            props->name[0] = '\0';
        props->operations = 1;
        name_keep(props, text, size);
    } else {
        props->plain = 1;
        props->unknown = 1;
        name_keep(props, text, size);
    }
    return props->operations && props->plain ? mixed : NULL;
}

/* Either all keys of a property object are operations or none is (Identify API docs,
 * read 2026-11-23). Whether operations are due at all is known once event_type is: see
 * finish. */
static const char *property_key(tw_event_rules *rules, const char *text, size_t size)
{
    tw_event_properties *props;

    if (size != 0 && text[0] == '$')
        return operation_key(rules, text, size);
    props = properties_of(rules);
    props->plain = 1;
    rules->operation = -1;
    rules->watch.quiet[2] = ~UINT32_C(0); /* a plain property is what it is */
    return props->operations ? mixed : NULL;
}

static int one_of(const char *const *names, size_t count, const char *text, size_t size)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (strlen(names[i]) == size && memcmp(names[i], text, size) == 0)
            return 1;
    }
    return 0;
}

static const char *second_key(tw_event_rules *rules, const char *text, size_t size)
{
    static const char *const plan[] = {"branch", "source", "version", "versionId"};
    static const char *const metadata[] = {"source_name", "source_version"};
    unsigned type = field_of(rules)->type;

    if (type == TYPE_USER || type == TYPE_GROUP)
        return property_key(rules, text, size);
    rules->watch.quiet[2] = 0;
    switch (type) {
    case TYPE_GROUPS:
        if (++rules->group_types > MAX_GROUP_TYPES)
            return "is one group type too many: an event may have 5";
        return NULL;
    case TYPE_PLAN:
        if (!one_of(plan, sizeof plan / sizeof *plan, text, size))
            return "is not kept: a plan has branch, source, version and versionId";
        return NULL;
    case TYPE_METADATA:
        if (!one_of(metadata, sizeof metadata / sizeof *metadata, text, size))
            return "is not kept: ingestion_metadata has source_name and source_version";
        return NULL;
    default:
        return NULL;
    }
}

/* A top-level key that has no mark yet, or one that was put before. */
static const char *first_key(tw_event_rules *rules, const char *text, size_t size,
                             unsigned char *mark)
{
    const tw_event_field *field = tw__event_field_find(text, size);

    if (field == NULL)
        return unknown_key(rules, text, size);
    *mark = (unsigned char)(field->id + 1);
    return (rules->watch.marks >> *mark & 1) != 0 ? "was given twice" : NULL;
}

static const char *rules_key(void *ctx, unsigned depth, const char *text, size_t size,
                             unsigned char *mark)
{
    if (depth == 1)
        return first_key(ctx, text, size, mark);
    return depth == 2 ? second_key(ctx, text, size) : NULL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* ---- top-level values -------------------------------------------------------------- */

static int banned(const char *text, size_t size)
{
    size_t i;
    size_t j;

    if (size > BANNED_SHORT)
        return size == BANNED_UUID && memcmp(text, banned_uuid, BANNED_UUID) == 0;
    for (i = 0; i < sizeof banned_ids / sizeof *banned_ids; i++) {
        const char *id = banned_ids[i].text;

        if (banned_ids[i].size != size)
            continue;
        for (j = 0; j < size && lower(text[j]) == id[j]; j++)
            ;
        if (j == size)
            return 1;
    }
    return 0;
}

static const char *id_check(const tw_event_rules *rules, const tw_json_put *put)
{
    if (put->kind != TW_JSON_STRING)
        return "must be a string";
    if (put->size == 0)
        return "must not be empty: leave it out instead";
    /* The ban comes before the length: "0" stays refused whatever min_id_length says. */
    if (banned(put->string, put->size))
        return "is on Amplitude's list of invalid ids";
    /* A character has four bytes at most. */
    if (put->size / 4 >= rules->looks->min_id_length)
        return NULL;
    /* Whole words of eight are counted fast, and mostly have enough. */
    if (tw__utf8_count(put->string, put->size & ~(size_t)7) >=
        rules->looks->min_id_length)
        return NULL;
    return tw__utf8_count(put->string, put->size) >= rules->looks->min_id_length
               ? NULL
               : rules->looks->short_id;
}

/* One that no look knew. */
static const char *id_value(tw_event_rules *rules, const tw_json_put *put)
{
    unsigned note = rules->looks->by_mark[rules->watch.mark].noted;
    const char *rule = id_check(rules, put);

    if (rule == NULL)
        rules->watch.notes[note - 1] = (tw_json_note){put->at, put->end};
    return rule;
}

static int reserved(const char *text, size_t size)
{
    size_t i;

    for (i = 0; i < sizeof reserved_names / sizeof *reserved_names; i++) {
        if (reserved_names[i].size == size &&
            memcmp(reserved_names[i].text, text, size) == 0)
            return 1;
    }
    return 0;
}

static const char *event_type_value(tw_event_rules *rules, const tw_json_put *put)
{
    if (put->kind != TW_JSON_STRING)
        return "must be a string";
    if (put->size == 0)
        return "must not be empty";
    if (put->string[0] == '[' && reserved(put->string, put->size))
        return "is a name the server keeps for events it makes itself";
    if (put->size == 9 && memcmp(put->string, "$identify", 9) == 0)
        rules->kind = TW_EVENT_IDENTIFY;
    else if (put->size == 14 && memcmp(put->string, "$groupidentify", 14) == 0)
        rules->kind = TW_EVENT_GROUPIDENTIFY;
    return NULL;
}

static const char *time_value(const tw_json_put *put)
{
    double value;

    if (put->kind == TW_JSON_INT)
        value = (double)put->integer;
    else if (put->kind == TW_JSON_REAL)
        value = put->real;
    else
        return "must be a whole number of milliseconds since 1970";
    if (value != floor(value))
        return "must be a whole number of milliseconds since 1970";
    if (value < (double)TIME_MIN)
        return "must be in milliseconds since 1970, 100000000000 or more: was it in seconds?";
    if (value > (double)TIME_MAX)
        return "must be in milliseconds since 1970, 14 digits at most: was it in "
               "microseconds?";
    return NULL;
}

/* ISO 4217 (HTTP V2 API docs, read 2026-11-23). */
static const char *currency_value(const tw_json_put *put)
{
    size_t i;

    if (put->kind != TW_JSON_STRING)
        return "must be a string";
    for (i = 0; i < put->size && put->string[i] >= 'A' && put->string[i] <= 'Z'; i++)
        ;
    return i == 3 && put->size == 3 ? NULL
                                    : "must be a currency code of 3 capital letters";
}

static const char *integer_value(const tw_json_put *put)
{
    return put->kind == TW_JSON_INT ? NULL : "must be a whole number";
}

static const char *session_value(const tw_json_put *put)
{
    if (put->kind != TW_JSON_INT)
        return "must be a whole number";
    return put->integer >= -1
               ? NULL
               : "must be the session's start in milliseconds since 1970, or -1";
}

static const char *first_value(tw_event_rules *rules, const tw_json_put *put)
{
    const tw_event_field *field = field_of(rules);
    tw_json_kind kind = put->kind;

    if (kind == TW_JSON_NULL) {
        /* null is absent; only what we add must know where it is */
        rules->nulls |= UINT64_C(1) << rules->watch.mark;
        if (field->id == FIELD_INSERT_ID)
            rules->null_insert_id = put->at;
        else if (field->id == FIELD_TIME)
            rules->null_time = put->at;
        return NULL;
    }
    if (put->mended && (field->type == TYPE_ID || field->type == TYPE_INSERT_ID))
        return "is too long or no UTF-8, and an id is not changed";
    switch ((field_type)field->type) {
    case TYPE_TEXT:
        return kind == TW_JSON_STRING ? NULL : "must be a string";
    case TYPE_ID:
        return id_value(rules, put);
    case TYPE_EVENT_TYPE:
        return event_type_value(rules, put);
    case TYPE_INSERT_ID:
        if (kind != TW_JSON_STRING)
            return "must be a string";
        return put->size != 0 ? NULL : "must not be empty: leave it out instead";
    case TYPE_CURRENCY:
        return currency_value(put);
    case TYPE_NUMBER:
        return kind == TW_JSON_INT || kind == TW_JSON_REAL ? NULL : "must be a number";
    case TYPE_INTEGER:
        return integer_value(put);
    case TYPE_SESSION:
        return session_value(put);
    case TYPE_TIME:
        return time_value(put);
    case TYPE_BOOL:
        return kind == TW_JSON_TRUE || kind == TW_JSON_FALSE ? NULL
                                                             : "must be true or false";
    case TYPE_OBJECT:
    case TYPE_GROUPS:
    case TYPE_USER:
    case TYPE_GROUP:
    case TYPE_PLAN:
    case TYPE_METADATA:
        return "must be an object";
    }
    return NULL;
}

/* ---- deeper values ----------------------------------------------------------------- */

static const char *group_value(tw_event_rules *rules, const tw_json_put *put)
{
    switch (put->kind) {
    case TW_JSON_ARRAY:
        return put->depth == 2 ? NULL : "must be a string, a number or a boolean";
    case TW_JSON_ARRAY_END:
        return NULL;
    case TW_JSON_STRING:
    case TW_JSON_INT:
    case TW_JSON_REAL:
    case TW_JSON_TRUE:
    case TW_JSON_FALSE:
        if (++rules->group_values > MAX_GROUP_VALUES)
            return "is one group value too many: an event may have 10";
        return NULL;
    default:
        return put->depth == 2 ? "must be a group's name or an array of names"
                               : "must be a string, a number or a boolean";
    }
}

static const char *operation_value(tw_event_rules *rules, const tw_json_put *put)
{
    if (rules->operation < 0)
        return NULL;
    switch (operations[rules->operation].operand) {
    case OPERAND_ANY:
        return NULL;
    case OPERAND_NUMBERS:
    case OPERAND_PROPERTIES:
        if (put->kind == TW_JSON_OBJECT_END) {
            rules->watch.depth = 2;
            rules->operation = -1;
            return NULL;
        }
        if (put->kind != TW_JSON_OBJECT)
            return "must be an object: property name to operand";
        if (operations[rules->operation].operand == OPERAND_NUMBERS)
            rules->watch.depth = 3;
        return NULL;
    }
    return NULL;
}

static const char *rules_value(void *ctx, const tw_json_put *put)
{
    tw_event_rules *rules = ctx;

    if (put->depth == 1)
        return first_value(rules, put);
    if (put->depth == 0) {
        return put->kind == TW_JSON_OBJECT || put->kind == TW_JSON_OBJECT_END
                   ? NULL
                   : "must be an object";
    }
    switch (field_of(rules)->type) {
    case TYPE_GROUPS:
        return group_value(rules, put);
    case TYPE_USER:
    case TYPE_GROUP:
        if (put->depth == 2)
            return operation_value(rules, put);
        /* Only reached inside $add. */
        return put->kind == TW_JSON_INT || put->kind == TW_JSON_REAL ? NULL
                                                                     : "must be a number";
    case TYPE_PLAN:
    case TYPE_METADATA:
        return put->kind == TW_JSON_STRING || put->kind == TW_JSON_NULL
                   ? NULL
                   : "must be a string";
    default:
        return NULL;
    }
}

/* ---- the whole event --------------------------------------------------------------- */

/* Sizes in bytes of ids that can be neither banned, but for the UUID, nor too short. */
static uint64_t id_sizes(unsigned min_bytes)
{
    unsigned least = min_bytes > BANNED_SHORT ? min_bytes : BANNED_SHORT + 1;

    /* the last bit speaks of 63 bytes and more */
    return least <= 63 ? ~(SIZE(least) - 1) : 0;
}

void tw__event_looks_init(tw_event_looks *looks, unsigned min_id_length)
{
    unsigned id;

    memset(looks, 0, sizeof *looks);
    looks->min_id_length = min_id_length;
    snprintf(looks->short_id, sizeof looks->short_id, "must have at least %u characters",
             min_id_length);
    for (id = 0; id < FIELD_COUNT; id++) {
        tw_json_look *look = &looks->by_mark[id + 1];

        *look = type_looks[tw__event_fields[id].type];
        if (tw__event_fields[id].type == TYPE_ID) {
            look->ascii_sizes = id_sizes(min_id_length);
            /* a character has up to four bytes */
            look->sizes = id_sizes(min_id_length <= 16 ? min_id_length * 4 : 64);
            look->noted = 1 + (id == FIELD_USER_ID ? TW_NOTE_USER_ID : TW_NOTE_DEVICE_ID);
        }
    }
}

void tw__event_rules_init(tw_event_rules *rules, const tw_event_looks *looks)
{
    memset(rules, 0, sizeof *rules);
    rules->looks = looks;
    rules->watch.looks = looks->by_mark;
    rules->watch.key = rules_key;
    rules->watch.value = rules_value;
    rules->watch.quiet[0] = KIND(OBJECT) | KIND(OBJECT_END);
}

static void properties_start(tw_event_properties *props)
{
    props->operations = 0;
    props->plain = 0;
    props->unknown = 0;
    props->name[0] = '\0';
}

void tw__event_rules_start(tw_event_rules *rules, tw_json_writer *wr)
{
    rules->watch.depth = 1;
    rules->watch.marks = 1;
    rules->watch.mark = 0;
    rules->nulls = 0;
    rules->kind = TW_EVENT_PLAIN;
    rules->operation = -1;
    rules->group_types = 0;
    rules->group_values = 0;
    rules->null_insert_id = 0;
    rules->null_time = 0;
    properties_start(&rules->user);
    properties_start(&rules->group);
    tw__json_writer_watch(wr, &rules->watch, rules);
}

int tw__event_rules_has_insert_id(const tw_event_rules *rules)
{
    return has(rules, FIELD_INSERT_ID);
}

int tw__event_rules_has_user_id(const tw_event_rules *rules)
{
    return has(rules, FIELD_USER_ID);
}

int tw__event_rules_has_device_id(const tw_event_rules *rules)
{
    return has(rules, FIELD_DEVICE_ID);
}

int tw__event_rules_has_time(const tw_event_rules *rules)
{
    return has(rules, FIELD_TIME);
}

static int refuse(tw_error **err, const char *path, const char *rule)
{
    return tw__error_at(err, TW_E_VALIDATION, path, "%s: %s", path, rule);
}

static int refuse_property(tw_error **err, const char *object, const char *name,
                           const char *rule)
{
    char path[128];

    snprintf(path, sizeof path, "%s.%s", object, name);
    return refuse(err, path, rule);
}

int tw__event_rules_finish(const tw_event_rules *rules, tw_error **err)
{
    if (!has(rules, FIELD_EVENT_TYPE))
        return refuse(err, "event_type", "is required");
    /* A group needs no user (Group Identify API docs, read 2026-11-23). */
    if (!has(rules, FIELD_USER_ID) && !has(rules, FIELD_DEVICE_ID) &&
        rules->kind != TW_EVENT_GROUPIDENTIFY)
        return refuse(err, "user_id", "is required where there is no device_id");
    if (rules->user.operations && rules->kind != TW_EVENT_IDENTIFY)
        return refuse_property(err, "user_properties", rules->user.name,
                               "is an operation, which needs event_type \"$identify\"");
    if (rules->user.unknown && rules->kind == TW_EVENT_IDENTIFY)
        return refuse_property(err, "user_properties", rules->user.name,
                               "is not a property operation");
    if (has(rules, FIELD_GROUP_PROPERTIES) && rules->kind != TW_EVENT_GROUPIDENTIFY)
        return refuse(err, "group_properties",
                      "are ignored without event_type \"$groupidentify\"");
    if (rules->group.unknown)
        return refuse_property(err, "group_properties", rules->group.name,
                               "is not a property operation");
    if (rules->kind == TW_EVENT_GROUPIDENTIFY && rules->group_values == 0)
        return refuse(err, "groups", "must name the group that is meant");
    if (!has(rules, FIELD_PRICE) && !has(rules, FIELD_REVENUE)) {
        if (has(rules, FIELD_PRODUCT_ID))
            return refuse(err, "productId", "needs price or revenue beside it");
        if (has(rules, FIELD_REVENUE_TYPE))
            return refuse(err, "revenueType", "needs price or revenue beside it");
    }
    return TW_OK;
}
