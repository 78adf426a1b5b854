/* SPDX-License-Identifier: MIT */
/* From the values given to a call to its request, along the table of its arguments. */
#include "areas/arguments.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "areas/analytics_query.h"
#include "areas/argument_value.h"
#include "areas/mcp.h"
#include "base/alloc.h"
#include "base/distance.h"
#include "base/error.h"
#include "net/url.h"
#include "json/parts.h"

/* A URL has 64 KiB (gate/call.c); a form may hold long lists of values. */
enum {
    QUERY_MOST = 64 * 1024,
    FORM_MOST = 4 * 1024 * 1024,
    PATH_VALUES = 4,
    KEYED_FORM_MOST = 1000000
};

/* ---- the tables -------------------------------------------------------------------- */

const tw_operation *tw__operation(tw_endpoint_id id)
{
    static const tw_operation *const areas[] = {
        tw__ingestion_operations, tw__analytics_operations, tw__taxonomy_operations,
        tw__users_operations,     tw__profile_operations,   tw__mcp_operations,
    };
    size_t i;

    for (i = 0; i < sizeof areas / sizeof *areas; i++) {
        const tw_operation *op;

        for (op = areas[i]; op->arguments != NULL; op++) {
            if (op->endpoint == id)
                return op;
        }
    }
    return NULL;
}

static size_t find(const tw_operation *op, const char *name, size_t size)
{
    size_t i;

    for (i = 0; i < op->count; i++) {
        if (strlen(op->arguments[i].name) == size &&
            memcmp(op->arguments[i].name, name, size) == 0)
            break;
    }
    return i;
}

const char *tw__given(const tw_given *given, const char *name, size_t *size)
{
    size_t at = find(given->operation, name, strlen(name));

    *size = 0;
    if (at == given->operation->count || given->text[at] == NULL)
        return NULL;
    *size = given->size[at];
    return given->text[at];
}

int tw__given_is(const tw_given *given, const char *name, const char *text)
{
    size_t size;
    size_t plain = strlen(text);
    const char *json = tw__given(given, name, &size);

    if (json == NULL)
        return 0;
    if (size == plain + 2 &&
        json[0] == '"') { /* the writer escapes only what it has to */
        json++;
        size -= 2;
    }
    return size == plain && memcmp(json, text, plain) == 0;
}

/* ---- what was given ---------------------------------------------------------------- */

static int unknown_argument(const tw_operation *op, const tw_part *part, tw_error **err)
{
    const char *endpoint = tw__endpoint(op->endpoint)->name;
    const char *nearest = NULL;
    unsigned least = 4; /* further away it is another word */
    size_t i;

    for (i = 0; i < op->count; i++) {
        const char *name = op->arguments[i].name;
        unsigned far = tw__distance(name, strlen(name), part->key, part->key_size);

        if (far < least) {
            least = far;
            nearest = name;
        }
    }
    return tw__error_at(err, TW_E_VALIDATION, part->key,
                        nearest != NULL
                            ? "%s has no argument \"%.60s\": did you mean \"%s\"?"
                            : "%s has no argument \"%.60s\"",
                        endpoint, part->key, nearest);
}

static int given_collect(tw_given *given, const char *json, size_t size, tw_error **err)
{
    const tw_operation *op = given->operation;
    tw_parts parts;
    tw_part part;
    int rc = tw__parts_begin(&parts, json, size);

    if (rc == TW_OK && parts.kind != TW_JSON_OBJECT)
        rc = tw__error(err, TW_E_VALIDATION, "the arguments of %s were not an object",
                       tw__endpoint(op->endpoint)->name);
    while (rc == TW_OK) {
        size_t at;

        rc = tw__parts_next(&parts, &part);
        if (rc != TW_OK)
            break;
        at = find(op, part.key, part.key_size);
        if (at == op->count) {
            rc = unknown_argument(op, &part, err);
        } else if (given->text[at] != NULL) {
            rc = tw__error_at(err, TW_E_VALIDATION, part.key, "%s was given twice",
                              part.key);
        } else if (tw__json_kind(part.text, part.size) != TW_JSON_NULL) {
            given->text[at] = part.text;
            given->size[at] = part.size;
        }
    }
    tw__parts_end(&parts);
    if (rc == TW_E_PROTOCOL)
        return tw__error(err, TW_E_VALIDATION, "the arguments of %s were not JSON",
                         tw__endpoint(op->endpoint)->name);
    if (rc == TW_E_NOMEM)
        return tw__error_nomem(err);
    return rc == TW_DONE ? TW_OK : rc;
}

/* ---- encoding ---------------------------------------------------------------------- */

typedef struct encoding {
    const tw_argument *arg; /* the one being encoded */
    tw_buf query, form, path;
    size_t path_at[PATH_VALUES]; /* where each value begins in `path` */
    size_t path_values;
    tw_buf text;  /* what is sent of one value, not yet percent-encoded */
    size_t index; /* of the value in a REPEATED one */
    unsigned flags;
} encoding;

static void encoding_init(encoding *en)
{
    memset(en, 0, sizeof *en);
    tw__buf_init(&en->query, QUERY_MOST);
    tw__buf_init(&en->form, FORM_MOST);
    tw__buf_init(&en->path, QUERY_MOST);
    tw__buf_init(&en->text, FORM_MOST);
}

static void encoding_clear(encoding *en)
{
    tw__buf_clear(&en->query);
    tw__buf_clear(&en->form);
    tw__buf_clear(&en->path);
    tw__buf_clear(&en->text);
}

/* `number`: 0 for the name alone. */
static int pair_put(tw_buf *to, const char *name, size_t number, const tw_buf *text)
{
    int rc = to->size > 0 ? tw__buf_putc(to, '&') : TW_OK;

    if (rc == TW_OK)
        rc = tw__url_encode(to, name, strlen(name));
    if (rc == TW_OK && number != 0)
        rc = tw__buf_printf(to, "%zu", number);
    if (rc == TW_OK)
        rc = tw__buf_putc(to, '=');
    if (rc == TW_OK && text->size > 0)
        rc = tw__url_encode(to, text->data, text->size);
    return rc;
}

static int path_put(encoding *en)
{
    int rc = TW_OK;

    en->path_at[en->path_values++] = en->path.size;
    if (en->text.size > 0)
        rc = tw__buf_put(&en->path, en->text.data, en->text.size);
    return rc == TW_OK ? tw__buf_putc(&en->path, '\0') : rc;
}

/* Puts en->text where the argument belongs. */
static int value_put(encoding *en, const char *field, tw_error **err)
{
    const tw_argument *arg = en->arg;
    const char *name = arg->sent != NULL ? arg->sent : arg->name;
    size_t number = (arg->flags & TW_NUMBERED) != 0 && en->index > 0 ? en->index + 1 : 0;
    int rc = TW_OK;

    switch (arg->place) {
    case TW_IN_QUERY:
        rc = pair_put(&en->query, name, number, &en->text);
        break;
    case TW_IN_FORM:
        rc = pair_put(&en->form, name, number, &en->text);
        break;
    case TW_IN_PATH:
        rc = path_put(en);
        break;
    case TW_IN_CALL:
        break;
    }
    if (rc == TW_E_TOO_LARGE)
        return tw__error_at(err, rc, field, "%s made the request too long", field);
    return rc == TW_OK ? TW_OK : tw__error_nomem(err);
}

static int one_encode(encoding *en, const char *field, const char *json, size_t size,
                      tw_error **err)
{
    int rc;

    tw__buf_reset(&en->text);
    rc = tw__argument_value(&en->text, en->arg, field, json, size, err);
    if (rc == TW_DONE)
        return TW_OK;
    return rc == TW_OK ? value_put(en, field, err) : rc;
}

static int repeated_encode(encoding *en, const char *json, size_t size, tw_error **err)
{
    const char *name = en->arg->name;
    tw_parts parts;
    tw_part part;
    size_t count = 0;
    int rc = tw__parts_begin(&parts, json, size);

    if (rc == TW_OK && parts.kind != TW_JSON_ARRAY)
        rc =
            tw__error_at(err, TW_E_VALIDATION, name, "%s was not a list of values", name);
    while (rc == TW_OK) {
        char field[80];

        rc = tw__parts_next(&parts, &part);
        if (rc != TW_OK)
            break;
        en->index = count++;
        snprintf(field, sizeof field, "%s[%zu]", name, en->index);
        rc = one_encode(en, field, part.text, part.size, err);
    }
    tw__parts_end(&parts);
    if (rc == TW_E_NOMEM)
        return tw__error_nomem(err);
    if (rc == TW_DONE && count == 0 && (en->arg->flags & TW_FILLED) != 0)
        return tw__error_at(err, TW_E_VALIDATION, name, "%s was empty", name);
    return rc == TW_DONE ? TW_OK : rc;
}

static int is_bool(const char *json, size_t size)
{
    tw_json_kind kind = tw__json_kind(json, size);

    return kind == TW_JSON_TRUE || kind == TW_JSON_FALSE;
}

static int has_pair(const tw_buf *query, const char *pair)
{
    size_t size = strlen(pair);
    const char *at = query->data;
    size_t left = query->size;

    while (left >= size) {
        const char *end = memchr(at, '&', left);
        size_t whole = end != NULL ? (size_t)(end - at) : left;

        if (whole == size && memcmp(at, pair, size) == 0)
            return 1;
        if (end == NULL)
            break;
        at = end + 1;
        left -= whole + 1;
    }
    return 0;
}

/* A pair that is encoded already. */
static int encoded_put(tw_buf *query, const char *pair)
{
    int rc = query->size > 0 ? tw__buf_putc(query, '&') : TW_OK;

    return rc == TW_OK ? tw__buf_puts(query, pair) : rc;
}

static int given_one(encoding *en, const char *json, size_t size, tw_error **err)
{
    const tw_argument *arg = en->arg;
    int rc = TW_OK;

    if ((arg->flags & TW_RENAMES) != 0)
        en->flags |= TW_CALL_UNSURE;
    if ((arg->flags & (TW_OR_BOOL | TW_ONLY_TRUE)) != 0 && json[0] == 'f')
        return TW_OK;
    if (arg->with != NULL && !has_pair(&en->query, arg->with)) {
        rc = encoded_put(&en->query, arg->with);
        if (rc != TW_OK)
            return tw__error_nomem(err);
    }
    if ((arg->flags & TW_OR_BOOL) != 0 && is_bool(json, size))
        return TW_OK;
    return (arg->flags & TW_REPEATED) != 0 ? repeated_encode(en, json, size, err)
                                           : one_encode(en, arg->name, json, size, err);
}

static int given_encode(encoding *en, const tw_given *given, tw_error **err)
{
    const tw_operation *op = given->operation;
    int rc = TW_OK;
    size_t i;

    for (i = 0; rc == TW_OK && i < op->count; i++) {
        const tw_argument *arg = &op->arguments[i];

        en->arg = arg;
        en->index = 0;
        if (given->text[i] == NULL) {
            if ((arg->flags & TW_REQUIRED) != 0)
                rc = tw__error_at(err, TW_E_VALIDATION, arg->name,
                                  "%s was missing: %s "
                                  "needs it",
                                  arg->name, tw__endpoint(op->endpoint)->name);
            else if (arg->absent != NULL && encoded_put(&en->query, arg->absent) != TW_OK)
                rc = tw__error_nomem(err);
            continue;
        }
        rc = given_one(en, given->text[i], given->size[i], err);
    }
    return rc;
}

/* The endpoints of ingestion take the key with the form, of which they read 1 MB (Group Identify
 * API docs, read 2026-11-27); given in no exact number: the smaller. */
static int key_put(encoding *en, const tw_gate *gate, tw_error **err)
{
    const char *key = tw__gate_api_key(gate);
    int rc;

    en->form.max = KEYED_FORM_MOST;
    rc = tw__buf_puts(&en->form, "api_key=");
    if (rc == TW_OK)
        rc = tw__url_encode(&en->form, key, strlen(key));
    return rc == TW_OK ? TW_OK : tw__error_nomem(err);
}

/* ---- starting ---------------------------------------------------------------------- */

static int text_end(tw_buf *buf, tw_error **err)
{
    return tw__buf_putc(buf, '\0') == TW_OK ? TW_OK : tw__error_nomem(err);
}

static int call_start(tw_job **out, tw_gate *gate, const tw_given *given, encoding *en,
                      tw_queue *queue, tw_error **err)
{
    const char *values[PATH_VALUES + 1] = {NULL};
    tw_call_reading reading = {0, given->operation->form};
    tw_call_spec spec;
    size_t i;
    int rc = text_end(&en->query, err);

    if (rc != TW_OK)
        return rc;
    memset(&spec, 0, sizeof spec);
    for (i = 0; i < en->path_values; i++)
        values[i] = en->path.data + en->path_at[i];
    spec.endpoint = given->operation->endpoint;
    spec.path_values = values;
    spec.query = en->query.data;
    if (en->form.size > 0) {
        spec.content_type = "application/x-www-form-urlencoded";
        spec.body = en->form.data;
        spec.body_size = en->form.size;
    }
    spec.flags = en->flags;
    if (tw__given_is(given, "exist_ok", "true")) {
        /* A second one then finds what the first one made. */
        spec.flags |= TW_CALL_REPEATABLE;
        reading.flags |= TW_READING_EXISTING;
    }
    return tw__call_job_start(out, gate, &spec, &reading, queue, err);
}

static int arguments_read(tw_given *given, encoding *en, const char *json, size_t size,
                          tw_error **err)
{
    int rc = given_collect(given, json, size, err);

    if (rc == TW_OK)
        rc = given_encode(en, given, err);
    if (rc == TW_OK && given->operation->check != NULL)
        rc = given->operation->check(given, err);
    return rc;
}

int tw__operation_check(const tw_operation *op, const char *json, size_t size,
                        tw_error **err)
{
    tw_given given = {.operation = op};
    encoding en;
    int rc;

    encoding_init(&en);
    rc = arguments_read(&given, &en, json, size, err);
    encoding_clear(&en);
    return rc;
}

/* All checks, and the request. */
static int operation_encode(encoding *en, tw_given *given, const tw_gate *gate,
                            const char *json, size_t size, tw_error **err)
{
    int rc = tw__gate_allows(gate, given->operation->endpoint, err);

    if (rc == TW_OK && tw__endpoint(given->operation->endpoint)->auth == TW_AUTH_BODY)
        rc = key_put(en, gate, err);
    return rc == TW_OK ? arguments_read(given, en, json, size, err) : rc;
}

int tw__operation_start(tw_job **out, tw_gate *gate, const tw_operation *op,
                        const char *json, size_t size, tw_queue *queue, tw_error **err)
{
    tw_given given = {.operation = op};
    encoding en;
    int rc;

    *out = NULL;
    encoding_init(&en);
    rc = operation_encode(&en, &given, gate, json, size, err);
    if (rc == TW_OK && tw__endpoint(op->endpoint)->cost == TW_COST_QUERY)
        rc = tw__query_cost_check(&given, tw__gate_max_query_cost(gate), err);
    if (rc == TW_OK && tw__endpoint(op->endpoint)->answer == TW_ANSWER_RPC)
        rc = tw__mcp_start(out, gate, &given, queue, err);
    else if (rc == TW_OK)
        rc = call_start(out, gate, &given, &en, queue, err);
    encoding_clear(&en);
    return rc;
}

int tw__operation_cost(int64_t *out, const tw_gate *gate, const tw_operation *op,
                       const char *json, size_t size, tw_error **err)
{
    const tw_endpoint *row = tw__endpoint(op->endpoint);
    tw_given given = {.operation = op};
    encoding en;
    int rc;

    *out = 0;
    encoding_init(&en);
    rc = operation_encode(&en, &given, gate, json, size, err);
    if (rc == TW_OK && row->cost == TW_COST_QUERY)
        rc = tw__query_cost(out, &given, err);
    else if (rc == TW_OK)
        *out = row->cost == TW_COST_NONE ? 0 : row->cost == TW_COST_TWO ? 2 : 1;
    encoding_clear(&en);
    return rc;
}
