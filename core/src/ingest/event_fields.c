/* SPDX-License-Identifier: MIT */
/* The table of an event's top-level fields. */
#include "ingest/event_fields.h"

#include <string.h>

#include "base/distance.h"

#define FIELD_ROW(id, name, type, source, doc) \
    {name, sizeof(name) - 1, TYPE_##type, FIELD_##id},
const tw_event_field tw__event_fields[] = {EVENT_FIELDS(FIELD_ROW)};
#undef FIELD_ROW

/* tw__event_fields[first_of[n]] is the first whose name has n bytes or more. A test keeps it
 * right. */
enum { LONGEST_NAME = 26 };
static const unsigned char first_of[LONGEST_NAME + 2] = {
    0,  0,  0,  1,  2,  8,  10, 12, 19, 24, 27, 34, 36, 41,
    41, 41, 42, 44, 44, 46, 47, 47, 47, 47, 47, 47, 47, 48};

const tw_event_field *tw__event_field_find(const char *text, size_t size)
{
    unsigned at;
    unsigned end;

    if (size > LONGEST_NAME)
        return NULL;
    end = first_of[size + 1];
    for (at = first_of[size]; at < end; at++) {
        const char *name = tw__event_fields[at].name;

        if (name[0] == text[0] && memcmp(name, text, size) == 0)
            return &tw__event_fields[at];
    }
    return NULL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* "userId", "user-id" and "UserID" are all meant to be user_id. */
static size_t fold(char *out, const char *text, size_t size)
{
    size_t n = 0;
    size_t i;

    for (i = 0; i < size && i <= LONGEST_NAME; i++) {
        if (text[i] != '_' && text[i] != '-' && text[i] != ' ' && text[i] != '$')
            out[n++] = lower(text[i]);
    }
    return n;
}

const char *tw__event_field_near(const char *text, size_t size)
{
    char given[LONGEST_NAME + 1];
    size_t given_size = fold(given, text, size);
    const char *nearest = NULL;
    unsigned best = 3; /* more than two slips are another word */
    size_t i;

    for (i = 0; i < FIELD_COUNT && size <= LONGEST_NAME; i++) {
        char name[LONGEST_NAME + 1];
        size_t name_size = fold(name, tw__event_fields[i].name, tw__event_fields[i].size);
        unsigned distance = tw__distance(given, given_size, name, name_size);

        if (distance < best && distance * 3 <= name_size) {
            best = distance;
            nearest = tw__event_fields[i].name;
        }
    }
    return nearest;
}
