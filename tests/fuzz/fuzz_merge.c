/* SPDX-License-Identifier: MIT */
/* Changes of properties, merged one after the other: a naive server must end with the same user. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tidewheel/error.h>

#include "base/alloc.h"
#include "ingest/members.h"
#include "ingest/merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEYS = 6, TEXT = 512, EVENTS_MOST = 400 };

/* Names and values that are hard to take apart. */
static const char *const keys[KEYS] = {"a",    "aa", "a\\\"b",
                                       "$set", "{",  "user_properties"};
static const char *const values[] = {
    "1",    "-0.5", "\"x, }\"", "\"\\\"\"", "[1,{\"a\":2}]", "true",
    "null", "\"\"", "[]",       "{}",       "\"$unset\"",    "{\"a\":{}}"};
static const char *const operations[] = {"$set", "$unset", "$setOnce", "$add"};

typedef struct input {
    const uint8_t *at, *end;
} input;

static unsigned next(input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* ---- the naive server --------------------------------------------------------------- */

typedef struct user {
    char values[KEYS][TEXT]; /* "": the property is not there */
} user;

static int key_of(const tw_member *property)
{
    int key;

    for (key = 0; key < KEYS; key++) {
        if (property->key_size == strlen(keys[key]) &&
            memcmp(property->key, keys[key], property->key_size) == 0)
            return key;
    }
    abort(); /* nobody wrote that */
}

/* In the order in which the operations stand. */
static void apply_to(user *who, const tw_member *operation)
{
    const char *end = operation->value + operation->size;
    const char *at = tw__members_begin(operation->value);
    tw_member property;

    while ((at = tw__members_next(&property, at, end)) != NULL) {
        char *value = who->values[key_of(&property)];

        if (tw__member_is(operation, "$unset"))
            value[0] = '\0';
        else if (!tw__member_is(operation, "$setOnce") || value[0] == '\0')
            snprintf(value, TEXT, "%.*s", (int)property.size, property.value);
    }
}

static void apply(user *who, const char *event, size_t size)
{
    const char *at = tw__members_begin(event);
    tw_member member;

    while ((at = tw__members_next(&member, at, event + size)) != NULL) {
        const char *end = member.value + member.size;
        const char *inner;
        tw_member operation;

        if (!tw__member_is(&member, "user_properties"))
            continue;
        inner = tw__members_begin(member.value);
        while ((inner = tw__members_next(&operation, inner, end)) != NULL)
            apply_to(who, &operation);
    }
}

/* ---- events -------------------------------------------------------------------------- */

static size_t put(char *out, size_t at, const char *text)
{
    size_t size = strlen(text);

    if (at + size >= TEXT * 4)
        abort();
    memcpy(out + at, text, size + 1);
    return at + size;
}

/* Without its closing brace. Each operation stands once, with properties that stand once in it. */
static size_t write_event(char out[TEXT * 4], input *in, unsigned number)
{
    unsigned shape = next(in);
    size_t at = put(out, 0, "{\"event_type\":\"$identify\",\"user_id\":\"user-1\"");
    char own[32];
    size_t op;

    if (shape & 1)
        at = put(out, at, ",\"country\":\"x\"");
    snprintf(own, sizeof own, ",\"insert_id\":\"%u\"", number);
    if (shape & 2)
        at = put(out, at, own);
    at = put(out, at, ",\"user_properties\":{");
    for (op = 0; op < 3 + ((shape & 0xf0) == 0xf0); op++) {
        unsigned chosen = next(in) & next(in) & next(in) & ((1U << KEYS) - 1);
        const char *between = "{";
        int key;

        if (chosen == 0)
            continue;
        at = put(out, at, out[at - 1] == '{' ? "\"" : ",\"");
        at = put(out, at, operations[op]);
        at = put(out, at, "\":");
        for (key = 0; key < KEYS; key++) {
            if (!(chosen >> key & 1))
                continue;
            at = put(out, at, between);
            at = put(out, at, "\"");
            at = put(out, at, keys[key]);
            at = put(out, at, "\":");
            at = put(out, at, values[next(in) % (sizeof values / sizeof *values)]);
            between = ",";
        }
        at = put(out, at, "}");
    }
    at = put(out, at, "}");
    return (shape & 2) ? at : put(out, at, own);
}

/* ---- the comparison ------------------------------------------------------------------ */

/* `both` gets every event as well as the merged ones, as after a crash. */
typedef struct world {
    user plain, merged, both;
    char *waiting; /* whole; not sent yet */
    size_t size;
} world;

static void must_be_same(const user *a, const user *b)
{
    int key;

    for (key = 0; key < KEYS; key++) {
        if (strcmp(a->values[key], b->values[key]) != 0)
            abort();
    }
}

static void send_waiting(world *w)
{
    if (w->waiting == NULL)
        return;
    apply(&w->merged, w->waiting, w->size);
    apply(&w->both, w->waiting, w->size);
    must_be_same(&w->plain, &w->merged);
    must_be_same(&w->plain, &w->both);
    free(w->waiting);
    w->waiting = NULL;
}

/* In a block of its very size, with the brace. */
static void wait_with(world *w, const char *text, size_t size)
{
    free(w->waiting);
    w->waiting = malloc(size + 1);
    if (w->waiting == NULL)
        abort();
    memcpy(w->waiting, text, size);
    w->waiting[size] = '}';
    w->size = size + 1;
}

static void next_event(world *w, input *in, unsigned number)
{
    char text[TEXT * 4];
    size_t size = write_event(text, in, number);
    char *one = NULL;
    size_t length = 0;
    int rc = TW_DONE;

    if (w->waiting != NULL)
        rc = tw__merge_identify(&one, &length, w->waiting, w->size, text, size);
    if (rc == TW_OK) {
        apply(&w->both, w->waiting, w->size);
        wait_with(w, one, length);
        tw__free(one);
    } else {
        send_waiting(w);
        wait_with(w, text, size);
    }
    text[size] = '}';
    apply(&w->plain, text, size + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in = {data, data + size};
    world *w = calloc(1, sizeof *w);
    unsigned number = 0;

    if (w == NULL)
        abort();
    while (in.at < in.end && number < EVENTS_MOST)
        next_event(w, &in, number++);
    send_waiting(w);
    free(w);
    return 0;
}
