/* SPDX-License-Identifier: MIT */
/* Keeps secrets out of texts that others wrote. */
#define _GNU_SOURCE
#include "base/redact.h"

#include <string.h>

/* The shortest part of a secret that counts. */
enum { LEAST = 4 };

static const char more[] = "..."; /* where a text was cut off */
enum { MORE = sizeof more - 1 };

/* What the text ends with, if that is how the secret begins. */
static void redact_end(char *text, const char *secret, size_t size, const char *mark)
{
    size_t all = strlen(text);
    size_t length =
        all >= MORE && memcmp(text + all - MORE, more, MORE) == 0 ? all - MORE : all;
    size_t part = size - 1 < length ? size - 1 : length;

    for (; part >= LEAST; part--) {
        char *at = text + length - part;

        if (memcmp(at, secret, part) != 0)
            continue;
        /* The mark may be a part of the secret: as much of it as there is room for. */
        memcpy(at, mark, strnlen(mark, part));
        memmove(at + strnlen(mark, part), text + length, all - length + 1);
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
