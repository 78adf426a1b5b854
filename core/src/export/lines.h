/* SPDX-License-Identifier: MIT */
/* Bytes in, blocks of whole lines out. */
#ifndef TW_EXPORT_LINES_H
#define TW_EXPORT_LINES_H

#include <tidewheel/common.h>

/* Takes a block: `data` is from tw__alloc and taken always. Returns TW_OK or a
 * negative code. */
typedef int (*tw_lines_emit)(void *ctx, char *data, size_t size);

typedef struct tw_lines {
    char *data; /* the block being filled: NULL or `room` bytes */
    size_t size;
    size_t room;
    size_t target;   /* size of an ordinary block */
    size_t max_line; /* a longer line is an error; its end does not count */
    tw_lines_emit emit;
    void *ctx;
} tw_lines;

/* Cuts the first `size` bytes of a buffer off as a block of their own, taken by the caller. What
 * is left begins a new buffer of at least `target` bytes. TW_OK, or TW_E_NOMEM and nothing has
 * happened. */
int tw__block_cut(char **block, char **data, size_t *used, size_t *room, size_t size,
                  size_t target);

void tw__lines_init(tw_lines *lines, size_t target, size_t max_line, tw_lines_emit emit,
                    void *ctx);
void tw__lines_clear(tw_lines *lines);

/* Where the next bytes may be written, never without room. Emits the block and begins
 * the next when it is full. TW_E_NOMEM, TW_E_TOO_LARGE (a line over the maximum), or
 * what emit said. */
int tw__lines_room(tw_lines *lines, char **out, size_t *room);
/* That many bytes were written there. */
void tw__lines_commit(tw_lines *lines, size_t size);
/* Ends the line that is open, if any: what follows comes from another file. */
int tw__lines_break(tw_lines *lines);
/* Emits what is left; the last line need not be ended. */
int tw__lines_finish(tw_lines *lines);

#endif
