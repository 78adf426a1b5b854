/* SPDX-License-Identifier: MIT */
/* Growing byte buffer, bump arena and string slice. */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

emu_str emu_str_of(const char *z)
{
    return (emu_str){z, z ? strlen(z) : 0};
}

bool emu_str_eq(emu_str a, emu_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.s, b.s, a.n) == 0);
}

bool emu_str_is(emu_str a, const char *z)
{
    return emu_str_eq(a, emu_str_of(z));
}

bool emu_str_case_is(emu_str a, const char *z)
{
    size_t n = strlen(z);
    return a.n == n && (n == 0 || strncasecmp(a.s, z, n) == 0);
}

bool emu_buf_reserve(emu_buf *b, size_t extra)
{
    size_t cap = b->cap ? b->cap : 256;
    char *p;

    if (b->failed)
        return false;
    if (extra <= b->cap - b->n)
        return true;
    if (extra > SIZE_MAX / 4 - b->n) {
        b->failed = true;
        return false;
    }
    while (cap - b->n < extra)
        cap *= 2;
    p = realloc(b->p, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void emu_buf_put(emu_buf *b, const void *p, size_t n)
{
    if (n == 0 || !emu_buf_reserve(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void emu_buf_z(emu_buf *b, const char *z)
{
    emu_buf_put(b, z, strlen(z));
}

void emu_buf_str(emu_buf *b, emu_str s)
{
    emu_buf_put(b, s.s, s.n);
}

void emu_buf_ch(emu_buf *b, char c)
{
    emu_buf_put(b, &c, 1);
}

void emu_buf_int(emu_buf *b, int64_t v)
{
    char tmp[24];
    char *p = tmp + sizeof(tmp);
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do {
        *--p = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (v < 0)
        *--p = '-';
    emu_buf_put(b, p, (size_t)(tmp + sizeof(tmp) - p));
}

void emu_buf_fmt(emu_buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !emu_buf_reserve(b, (size_t)n + 1)) {
        b->failed = true;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
}

void emu_buf_quote(emu_buf *b, emu_str s)
{
    static const char hex[] = "0123456789abcdef";
    size_t start = 0;

    emu_buf_ch(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.s[i];
        char u[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        bool half = c == 0xED && i + 2 < s.n && (unsigned char)s.s[i + 1] >= 0xA0;

        if (c >= 0x20 && c != '"' && c != '\\' && !half)
            continue;
        emu_buf_put(b, s.s + start, i - start);
        start = i + 1;
        if (half) { /* a lone surrogate was decoded to bytes that are no UTF-8 */
            unsigned low = ((unsigned char)s.s[i + 1] & 0x3Fu) << 6;

            i += 2;
            start = i + 1;
            emu_buf_fmt(b, "\\ud%03x", low | ((unsigned char)s.s[i] & 0x3F));
        } else if (c >= 0x20) {
            u[1] = (char)c;
            emu_buf_put(b, u, 2);
        } else if (c == '\n' || c == '\t' || c == '\r') {
            u[1] = c == '\n' ? 'n' : c == '\t' ? 't' : 'r';
            emu_buf_put(b, u, 2);
        } else {
            emu_buf_put(b, u, 6);
        }
    }
    emu_buf_put(b, s.s + start, s.n - start);
    emu_buf_ch(b, '"');
}

void emu_buf_free(emu_buf *b)
{
    free(b->p);
    *b = (emu_buf){0};
}

struct emu_chunk {
    struct emu_chunk *next;
    size_t used, cap;
    _Alignas(max_align_t) char data[];
};

void *emu_arena_alloc(emu_arena *a, size_t n)
{
    struct emu_chunk *c = a->head;
    void *p;

    n = (n + 15) & ~(size_t)15;
    if (!c || c->cap - c->used < n) {
        size_t cap = n > 16384 ? n : 16384;

        c = malloc(sizeof(*c) + cap);
        if (!c) {
            a->failed = true;
            return NULL;
        }
        c->next = a->head;
        c->used = 0;
        c->cap = cap;
        a->head = c;
    }
    p = c->data + c->used;
    c->used += n;
    return p;
}

emu_str emu_arena_copy(emu_arena *a, emu_str s)
{
    char *p = emu_arena_alloc(a, s.n + 1);

    if (!p)
        return (emu_str){NULL, 0};
    if (s.n)
        memcpy(p, s.s, s.n);
    p[s.n] = 0;
    return (emu_str){p, s.n};
}

void emu_arena_free(emu_arena *a)
{
    while (a->head) {
        struct emu_chunk *c = a->head;

        a->head = c->next;
        free(c);
    }
}

char *emu_strdup_n(const char *s, size_t n)
{
    char *p = malloc(n + 1);

    if (p) {
        if (n)
            memcpy(p, s, n);
        p[n] = 0;
    }
    return p;
}

void *emu_arena_grow(emu_arena *a, const void *items, size_t n, size_t *cap, size_t size)
{
    size_t more = *cap ? *cap * 2 : 16;
    void *grown = emu_arena_alloc(a, more * size);

    if (!grown)
        return NULL;
    if (n)
        memcpy(grown, items, n * size);
    *cap = more;
    return grown;
}
