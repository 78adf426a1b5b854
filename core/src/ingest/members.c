/* SPDX-License-Identifier: MIT */
/* The top-level members of a record: our own JSON, which is whole and needs no checks. */
#include "ingest/members.h"

#include <string.h>

#include "json/scan.h"

/* `at` stands behind the opening quote; so does the result behind the closing one. */
static const char *skip_string(const char *at, const char *end)
{
    unsigned high = 0;

    for (;;) {
        at = tw__scan_string(at, end, &high);
        if (at >= end)
            return end;
        if (*at == '"')
            return at + 1;
        at += 2; /* a backslash and what it escapes */
    }
}

static const char *skip_value(const char *at, const char *end)
{
    int depth = 0;

    while (at < end) {
        char c = *at++;

        if (c == '"')
            at = skip_string(at, end);
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return at;
        if (depth == 0 && at < end && (*at == ',' || *at == '}'))
            return at;
    }
    return end;
}

const char *tw__members_begin(const char *text)
{
    return text + 1;
}

const char *tw__members_next(tw_member *out, const char *at, const char *end)
{
    if (at >= end || *at != '"')
        return NULL;
    out->key = at + 1;
    at = skip_string(out->key, end);
    out->key_size = (size_t)(at - out->key) - 1;
    out->value = at < end ? at + 1 : end;
    at = skip_value(out->value, end);
    out->size = (size_t)(at - out->value);
    return at + (at < end);
}
