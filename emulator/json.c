/* SPDX-License-Identifier: MIT */
/* The cursor over checked JSON text: it trusts its input and gives out slices. */
#include "json.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_scan.h"

ej_cur ej_at(emu_str text)
{
    return (ej_cur){text.s, text.s + text.n};
}

static inline void cur_space(ej_cur *c)
{
    while (c->p < c->end && ej_is_space(*c->p))
        c->p++;
}

ej_kind ej_peek(ej_cur *c)
{
    cur_space(c);
    if (c->p >= c->end)
        return EJ_NONE;
    switch (*c->p) {
    case '{':
        return EJ_OBJECT;
    case '[':
        return EJ_ARRAY;
    case '"':
        return EJ_STRING;
    case 't':
    case 'f':
        return EJ_BOOL;
    case 'n':
        return EJ_NULL;
    default:
        return EJ_NUMBER;
    }
}

/* p is behind the opening quote. */
static inline const char *skip_string(const char *p, const char *end, bool *escaped)
{
    for (;;) {
        p = ej_plain_run(p, end);
        if (p >= end)
            return end;
        if (*p == '"')
            return p + 1;
        if (*p == '\\') {
            *escaped = true;
            p++;
        }
        p++;
    }
}

static void skip_nested(ej_cur *c, ej_val *v)
{
    unsigned depth = 0, deepest = 0;
    const char *p = c->p;
    bool escaped;

    while (p < c->end) {
        char ch = *p++;

        if (ch == '"') {
            p = skip_string(p, c->end, &escaped);
        } else if (ch == '{' || ch == '[') {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if (ch == '}' || ch == ']') {
            if (--depth == 0)
                break;
        }
    }
    c->p = p;
    v->depth = (uint16_t)deepest;
}

void ej_take(ej_cur *c, ej_val *v)
{
    const char *start;

    *v = (ej_val){.kind = (uint8_t)ej_peek(c)};
    start = c->p;
    switch (v->kind) {
    case EJ_NONE:
        break;
    case EJ_STRING:
        c->p = skip_string(c->p + 1, c->end, &v->escaped);
        break;
    case EJ_ARRAY:
    case EJ_OBJECT:
        skip_nested(c, v);
        break;
    default:
        while (c->p < c->end && *c->p != ',' && *c->p != ']' && *c->p != '}' &&
               !ej_is_space(*c->p))
            c->p++;
    }
    v->raw = (emu_str){start, (size_t)(c->p - start)};
}

void ej_enter(ej_cur *c)
{
    cur_space(c);
    if (c->p < c->end)
        c->p++;
}

/* In front of the next member: steps over a comma. False when the bracket closed. */
static bool cur_next(ej_cur *c)
{
    cur_space(c);
    if (c->p < c->end && *c->p == ',') {
        c->p++;
        cur_space(c);
    }
    if (c->p >= c->end)
        return false;
    if (*c->p == '}' || *c->p == ']') {
        c->p++;
        return false;
    }
    return true;
}

bool ej_key(ej_cur *c, ej_val *key)
{
    if (!cur_next(c))
        return false;
    ej_take(c, key);
    cur_space(c);
    if (c->p < c->end)
        c->p++;
    return true;
}

bool ej_item(ej_cur *c)
{
    return cur_next(c);
}

bool ej_get(const ej_val *v, const char *key, ej_val *out)
{
    ej_cur c = ej_at(v->raw);
    ej_val k, item;
    bool found = false;

    *out = (ej_val){0};
    if (v->kind != EJ_OBJECT)
        return false;
    ej_enter(&c);
    while (ej_key(&c, &k)) {
        ej_take(&c, &item);
        if (ej_key_is(&k, key)) {
            *out = item;
            found = true;
        }
    }
    return found;
}

static size_t put_utf8(char *o, uint32_t c)
{
    if (c < 0x80) {
        o[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        o[0] = (char)(0xC0 | (c >> 6));
        o[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        o[0] = (char)(0xE0 | (c >> 12));
        o[1] = (char)(0x80 | ((c >> 6) & 63));
        o[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    o[0] = (char)(0xF0 | (c >> 18));
    o[1] = (char)(0x80 | ((c >> 12) & 63));
    o[2] = (char)(0x80 | ((c >> 6) & 63));
    o[3] = (char)(0x80 | (c & 63));
    return 4;
}

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++)
        v = v << 4 | (uint32_t)ej_hex_of(p[i]);
    return v;
}

/* One escape at p (on the backslash) to o; advances both. */
static const char *unescape(const char *p, const char *end, char **o)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *hit;
    uint32_t c;

    if (p[1] != 'u') {
        hit = strchr(from, p[1]);
        *(*o)++ = hit ? to[hit - from] : p[1];
        return p + 2;
    }
    c = hex4(p + 2);
    p += 6;
    if (c >= 0xD800 && c < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        uint32_t low = hex4(p + 2);

        if (low >= 0xDC00 && low < 0xE000) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            p += 6;
        }
    }
    *o += put_utf8(*o, c);
    return p;
}

emu_str ej_text(const ej_val *v, emu_arena *a)
{
    const char *p, *end;
    char *out, *o;

    if (v->kind != EJ_STRING)
        return v->raw;
    p = v->raw.s + 1;
    end = v->raw.s + v->raw.n - 1;
    if (!v->escaped)
        return (emu_str){p, (size_t)(end - p)};
    out = o = emu_arena_alloc(a, v->raw.n);
    if (!out)
        return (emu_str){NULL, 0};
    while (p < end) {
        if (*p == '\\')
            p = unescape(p, end, &o);
        else
            *o++ = *p++;
    }
    return (emu_str){out, (size_t)(o - out)};
}

bool ej_key_is(const ej_val *key, const char *z)
{
    emu_arena a = {0};
    bool same;

    if (!key->escaped)
        return emu_str_is((emu_str){key->raw.s + 1, key->raw.n - 2}, z);
    same = emu_str_is(ej_text(key, &a), z);
    emu_arena_free(&a);
    return same;
}

/* JSON knows the point only, whatever locale the process or thread is in. */
static double read_double(const char *z)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double d = strtod_l(z, NULL, c);

    freelocale(c);
    return d;
}

bool ej_put_double(emu_buf *b, double d)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), old = uselocale(c);
    char text[40];

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    uselocale(old);
    freelocale(c);
    if (!isfinite(d))
        return false;
    emu_buf_z(b, text);
    return true;
}

double ej_double(const ej_val *v)
{
    char tmp[64];
    char *z = v->raw.n < sizeof(tmp) ? tmp : emu_strdup_n(v->raw.s, v->raw.n);
    double d = 0;

    if (!z)
        return 0;
    if (z == tmp) {
        memcpy(tmp, v->raw.s, v->raw.n);
        tmp[v->raw.n] = 0;
    }
    d = read_double(z); /* sums and products only; plain times and ids go by ej_int */
    if (z != tmp)
        free(z);
    return d;
}

bool ej_int(const ej_val *v, int64_t *out)
{
    const char *p = v->raw.s, *end = p + v->raw.n;
    bool negative = v->raw.n && *p == '-';
    int64_t n = 0;
    double d;

    if (v->kind != EJ_NUMBER)
        return false;
    p += negative;
    while (p < end && ej_is_digit(*p)) {
        int64_t next;

        if (__builtin_mul_overflow(n, 10, &next) ||
            __builtin_add_overflow(next, *p - '0', &next))
            break;
        n = next;
        p++;
    }
    if (p == end || *p == '.') {
        bool exponent =
            memchr(p, 'e', (size_t)(end - p)) || memchr(p, 'E', (size_t)(end - p));

        if (!exponent) {
            *out = negative ? -n : n;
            return true;
        }
    }
    d = ej_double(v);
    *out = d >= 9.2e18 ? INT64_MAX : d <= -9.2e18 ? INT64_MIN : (int64_t)d;
    return true;
}

bool ej_true(const ej_val *v)
{
    return v->kind == EJ_BOOL && v->raw.n == 4;
}

/* Behind one character of checked JSON, which may be an escape or a surrogate pair. */
static const char *next_character(const char *p, const char *end)
{
    if (*p == '\\' && p[1] != 'u')
        return p + 2;
    if (*p == '\\') {
        bool pair = (hex4(p + 2) & 0xFC00) == 0xD800 && p[6] == '\\' && p[7] == 'u';

        return p + (pair ? 12 : 6);
    }
    for (p++; p < end && ((unsigned char)*p & 0xC0) == 0x80;)
        p++;
    return p;
}

size_t ej_characters(emu_str checked)
{
    const char *p = checked.s, *end = p + checked.n;
    size_t n = 0;

    for (; p < end; n++)
        p = next_character(p, end);
    return n;
}

/* The string literal at s, cut behind 1,024 characters. */
static void compact_string(emu_buf *b, emu_str s)
{
    const char *p = s.s + 1, *end = s.s + s.n - 1;
    size_t chars = 0;

    if (s.n > 1026) {
        while (p < end && chars < 1024) {
            p = next_character(p, end);
            chars++;
        }
        if (p < end) {
            emu_buf_put(b, s.s, (size_t)(p - s.s));
            emu_buf_ch(b, '"');
            return;
        }
    }
    emu_buf_str(b, s);
}

void ej_compact(emu_buf *b, emu_str checked)
{
    const char *p = checked.s, *end = p + checked.n;

    while (p < end) {
        const char *start = p;
        bool escaped = false;

        if (*p == '"') {
            p = skip_string(p + 1, end, &escaped);
            compact_string(b, (emu_str){start, (size_t)(p - start)});
        } else if (ej_is_space(*p)) {
            p++;
        } else {
            while (p < end && *p != '"' && !ej_is_space(*p))
                p++;
            emu_buf_put(b, start, (size_t)(p - start));
        }
    }
}
