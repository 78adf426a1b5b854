/* SPDX-License-Identifier: MIT */
/* Bytes in, blocks of whole lines out. */
#include "export/lines.h"

#include <string.h>

#include "base/alloc.h"

void tw__lines_init(tw_lines *lines, size_t target, size_t max_line, tw_lines_emit emit,
                    void *ctx)
{
    memset(lines, 0, sizeof *lines);
    lines->target = target;
    lines->max_line = max_line;
    lines->emit = emit;
    lines->ctx = ctx;
}

void tw__lines_clear(tw_lines *lines)
{
    tw__free(lines->data);
    lines->data = NULL;
    lines->size = 0;
    lines->room = 0;
}

/* A block no larger than the longest line allowed cannot hold a longer one: the usual
 * case costs no second pass over the bytes. */
static int lines_check(const tw_lines *lines, size_t size)
{
    const char *from = lines->data;
    const char *end = lines->data + size;

    if (size <= lines->max_line)
        return TW_OK;
    while (from < end) {
        const char *nl = memchr(from, '\n', (size_t)(end - from));
        const char *stop = nl != NULL ? nl : end;

        if ((size_t)(stop - from) > lines->max_line)
            return TW_E_TOO_LARGE;
        from = stop + 1;
    }
    return TW_OK;
}

int tw__block_cut(char **block, char **data, size_t *used, size_t *room, size_t size,
                  size_t target)
{
    size_t rest = *used - size;
    size_t next_room = 0;
    char *next = NULL;
    char *small;

    if (rest != 0) {
        next_room = rest < target ? target : rest;
        next = tw__alloc(next_room);
        if (next == NULL)
            return TW_E_NOMEM;
        memcpy(next, *data + size, rest);
    }
    *block = *data;
    /* A short block keeps no long buffer: the consumer may hold on to it. */
    if (size < *room / 2) {
        small = tw__realloc(*block, size);
        *block = small != NULL ? small : *block;
    }
    *data = next;
    *used = rest;
    *room = next_room;
    return TW_OK;
}

/* Hands out the first `size` bytes and keeps the rest as the beginning of the next
 * block. */
static int lines_emit(tw_lines *lines, size_t size)
{
    char *block;
    int rc = lines_check(lines, size);

    if (rc == TW_OK)
        rc = tw__block_cut(&block, &lines->data, &lines->size, &lines->room, size,
                           lines->target);
    if (rc != TW_OK)
        return rc;
    return lines->emit(lines->ctx, block, size);
}

/* A line longer than the block: the block grows until the line fits or is too long. */
static int lines_grow(tw_lines *lines)
{
    size_t most = lines->max_line + 1; /* with its end */
    size_t room;
    char *data;

    if (lines->size > lines->max_line)
        return TW_E_TOO_LARGE;
    room = lines->room < most / 2 ? lines->room * 2 : most;
    data = tw__realloc(lines->data, room);
    if (data == NULL)
        return TW_E_NOMEM;
    lines->data = data;
    lines->room = room;
    return TW_OK;
}

int tw__lines_room(tw_lines *lines, char **out, size_t *room)
{
    int rc = TW_OK;

    /* Emitting may leave the beginning of a line that fills the next block at once. */
    while (rc == TW_OK && lines->data != NULL && lines->size == lines->room) {
        const char *nl = memrchr(lines->data, '\n', lines->size);

        rc = nl != NULL ? lines_emit(lines, (size_t)(nl - lines->data) + 1)
                        : lines_grow(lines);
    }
    if (rc != TW_OK)
        return rc;
    if (lines->data == NULL) {
        lines->data = tw__alloc(lines->target);
        if (lines->data == NULL)
            return TW_E_NOMEM;
        lines->room = lines->target;
    }
    *out = lines->data + lines->size;
    *room = lines->room - lines->size;
    return TW_OK;
}

void tw__lines_commit(tw_lines *lines, size_t size)
{
    lines->size += size;
}

int tw__lines_break(tw_lines *lines)
{
    char *at;
    size_t room;
    int rc;

    if (lines->size == 0 || lines->data[lines->size - 1] == '\n')
        return TW_OK;
    rc = tw__lines_room(lines, &at, &room);
    if (rc != TW_OK)
        return rc;
    *at = '\n';
    lines->size++;
    return TW_OK;
}

int tw__lines_finish(tw_lines *lines)
{
    if (lines->size == 0) {
        tw__lines_clear(lines);
        return TW_OK;
    }
    return lines_emit(lines, lines->size);
}
