/* SPDX-License-Identifier: MIT */
/* Keeps secrets out of texts that others wrote. */
#define _GNU_SOURCE
#include "base/redact.h"

#include <string.h>

/* The shortest part of a secret that counts. */
enum { LEAST = 4 };

/* What the text ends with, if that is how the secret begins. */
static void redact_end(char *text, const char *secret, size_t size, const char *mark)
{
    size_t length = strlen(text);
    size_t part = size - 1 < length ? size - 1 : length;

    for (; part >= LEAST; part--) {
        char *at = text + length - part;

        if (memcmp(at, secret, part) != 0)
            continue;
        /* The mark may be a part of the secret: as much of it as there is room for. */
        at[strnlen(mark, part)] = '\0';
        memcpy(at, mark, strnlen(mark, part));
        return;
    }
}

void tw__redact(char *text, const char *secret, size_t size, const char *mark)
{
    size_t mark_size = strlen(mark);
    char *at = text;

    if (mark_size > size)
        return;
    for (;;) {
        at = memmem(at, strlen(at), secret, size);
        if (at == NULL)
            break;
        memcpy(at, mark, mark_size);
        memmove(at + mark_size, at + size, strlen(at + size) + 1);
        at += mark_size;
    }
    redact_end(text, secret, size, mark);
}
