/* SPDX-License-Identifier: MIT */
/* Where in a half-written document the writer stands. */
#include "json/path.h"

#include <stdio.h>
#include <string.h>

typedef struct path_out {
    char *text;
    size_t room;
    size_t size; /* may pass the room */
} path_out;

static void path_put(path_out *out, const char *text, size_t size)
{
    if (out->size < out->room) {
        size_t left = out->room - out->size;

        memcpy(out->text + out->size, text, size < left ? size : left);
    }
    out->size += size;
}

/* Ends the text, with "..." where something is missing, and never within a UTF-8 sequence. */
static void path_end(path_out *out)
{
    size_t at = out->size;

    if (out->room == 0)
        return;
    if (at >= out->room) {
        at = out->room > 4 ? out->room - 4 : 0;
        while (at > 0 && ((unsigned char)out->text[at] & 0xC0) == 0x80)
            at--;
        if (out->room > 4) {
            memcpy(out->text + at, "...", 3);
            at += 3;
        }
    }
    out->text[at] = '\0';
}

/* The byte after the string whose opening quote is at `at`. */
static size_t string_end(const char *text, size_t at)
{
    for (at++; text[at] != '"'; at++) {
        if (text[at] == '\\')
            at++;
    }
    return at + 1;
}

/* What stands directly in a container from its first byte to `end`. */
typedef struct path_level {
    size_t commas;
    size_t key; /* the last string's opening quote and the byte after it */
    size_t key_end;
} path_level;

static path_level level_read(const char *text, size_t at, size_t end)
{
    path_level level = {0, 0, 0};
    unsigned nested = 0;

    while (at < end) {
        size_t next = at + 1;

        switch (text[at]) {
        case '"':
            next = string_end(text, at);
            if (nested == 0) {
                level.key = at;
                level.key_end = next;
            }
            break;
        case '{':
        case '[':
            nested++;
            break;
        case '}':
        case ']':
            nested--;
            break;
        case ',':
            level.commas += nested == 0;
            break;
        default:
            break;
        }
        at = next;
    }
    return level;
}

size_t tw__json_path(char *text_out, size_t room, const char *text, size_t size,
                     const size_t *starts, unsigned depth, tw_json_place place)
{
    path_out out = {text_out, room, 0};
    unsigned i;

    for (i = 0; i < depth; i++) {
        int inner = i + 1 == depth;
        path_level level;
        char index[32];
        int n;

        if (inner && place == TW__PLACE_BETWEEN)
            break;
        level = level_read(text, starts[i] + 1, inner ? size : starts[i + 1]);
        if (text[starts[i]] == '[') {
            n = snprintf(index, sizeof index, "[%zu]",
                         level.commas + (inner && place == TW__PLACE_MORE));
            path_put(&out, index, (size_t)n);
            continue;
        }
        if (out.size != 0)
            path_put(&out, ".", 1);
        path_put(&out, text + level.key + 1, level.key_end - level.key - 2);
    }
    path_end(&out);
    return out.size;
}
