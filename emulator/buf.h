/* SPDX-License-Identifier: MIT */
/* Growing byte buffer, bump arena and the string slice of the emulator. */
#ifndef EMU_BUF_H
#define EMU_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct emu_str {
    const char *s;
    size_t n;
} emu_str;

#define EMU_LIT(x) ((emu_str){(x), sizeof(x) - 1})

emu_str emu_str_of(const char *z); /* NULL gives an empty slice with s == NULL */
bool emu_str_eq(emu_str a, emu_str b);
bool emu_str_is(emu_str a, const char *z);
bool emu_str_case_is(emu_str a, const char *z);

/* A failed allocation sets `failed`; later calls do nothing, so that a writer
 * checks once at its end. */
typedef struct emu_buf {
    char *p;
    size_t n, cap;
    bool failed;
} emu_buf;

bool emu_buf_reserve(emu_buf *b, size_t extra);
void emu_buf_put(emu_buf *b, const void *p, size_t n);
void emu_buf_z(emu_buf *b, const char *z);
void emu_buf_str(emu_buf *b, emu_str s);
void emu_buf_ch(emu_buf *b, char c);
void emu_buf_int(emu_buf *b, int64_t v);
void emu_buf_fmt(emu_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends s as a JSON string literal, quotes included; s is UTF-8. */
void emu_buf_quote(emu_buf *b, emu_str s);
void emu_buf_free(emu_buf *b);

/* Everything an arena hands out dies with it. */
typedef struct emu_arena {
    struct emu_chunk *head;
    bool failed;
} emu_arena;

/* Room for twice as many items, the first n copied over; NULL when memory ran out. */
void *emu_arena_grow(emu_arena *a, const void *items, size_t n, size_t *cap, size_t size);
void *emu_arena_alloc(emu_arena *a, size_t n);   /* NULL when out of memory */
emu_str emu_arena_copy(emu_arena *a, emu_str s); /* NUL-terminated */
void emu_arena_free(emu_arena *a);

char *emu_strdup_n(const char *s, size_t n);

#endif
