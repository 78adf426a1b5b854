/* SPDX-License-Identifier: MIT */
/* The header fields of an answer that anybody asks for. */
#define _GNU_SOURCE
#include "net/head.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"

void tw__head_reset(tw_head_fields *fields)
{
    tw__free(fields->location);
    memset(fields, 0, sizeof *fields);
    fields->content_length = -1;
}

static int field_is(const char *line, size_t name_size, const char *name)
{
    return strlen(name) == name_size && strncasecmp(line, name, name_size) == 0;
}

static void field_keep(char *to, size_t room, const char *value, size_t size)
{
    if (size >= room)
        size = room - 1;
    memcpy(to, value, size);
    to[size] = '\0';
}

/* Of several challenges the one that says where to go. */
static void challenge_keep(tw_head_fields *fields, const char *value, size_t size)
{
    static const char key[] = "resource_metadata";

    if (memmem(fields->www_authenticate, strlen(fields->www_authenticate), key,
               sizeof key - 1) == NULL)
        field_keep(fields->www_authenticate, sizeof fields->www_authenticate, value,
                   size);
}

static void length_keep(tw_head_fields *fields, const char *value, size_t size)
{
    int64_t length = 0;
    size_t i;

    for (i = 0;
         i < size && value[i] >= '0' && value[i] <= '9' && length < INT64_MAX / 100; i++)
        length = length * 10 + (value[i] - '0');
    if (size == 0 || i < size ||
        (fields->content_length >= 0 && fields->content_length != length))
        fields->conflict = 1;
    fields->content_length = length;
}

int tw__head_take(tw_head_fields *fields, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    const char *value;
    size_t name_size;

    if (colon == NULL)
        return TW_OK;
    name_size = (size_t)(colon - line);
    value = colon + 1;
    size -= name_size + 1;
    while (size > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        size--;
    }
    while (size > 0 && strchr(" \t\r\n", value[size - 1]) != NULL)
        size--;
    if (field_is(line, name_size, "content-length"))
        length_keep(fields, value, size);
    else if (field_is(line, name_size, "transfer-encoding"))
        fields->chunked = size >= 7 && strncasecmp(value + size - 7, "chunked", 7) == 0;
    else if (field_is(line, name_size, "retry-after"))
        field_keep(fields->retry_after, sizeof fields->retry_after, value, size);
    else if (field_is(line, name_size, "content-type"))
        field_keep(fields->content_type, sizeof fields->content_type, value, size);
    else if (field_is(line, name_size, "content-encoding"))
        field_keep(fields->content_encoding, sizeof fields->content_encoding, value,
                   size);
    else if (field_is(line, name_size, "www-authenticate"))
        challenge_keep(fields, value, size);
    else if (field_is(line, name_size, "mcp-session-id"))
        field_keep(fields->session, sizeof fields->session, value, size);
    else if (field_is(line, name_size, "location")) {
        tw__free(fields->location);
        fields->location = tw__strndup(value, size);
        if (fields->location == NULL)
            return TW_E_NOMEM;
    }
    return TW_OK;
}
