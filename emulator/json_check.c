/* SPDX-License-Identifier: MIT */
/* Strict JSON check: one pass, no recursion. */
#include "json.h"

#include "json_scan.h"

/* Length of the valid UTF-8 sequence at p, 0 when there is none. */
static size_t utf8_len(const unsigned char *p, const unsigned char *end)
{
    size_t left = (size_t)(end - p);
    unsigned c = p[0];

    if (c < 0xC2)
        return 0;
    if (c < 0xE0)
        return left >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
    if (c < 0xF0) {
        if (left < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80)
            return 0;
        if ((c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] > 0x9F))
            return 0;
        return 3;
    }
    if (c > 0xF4 || left < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 ||
        (p[3] & 0xC0) != 0x80)
        return 0;
    if ((c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] > 0x8F))
        return 0;
    return 4;
}

bool ej_is_utf8(emu_str s)
{
    const unsigned char *p = (const unsigned char *)s.s, *end = p + s.n;
    size_t n = 1;

    while (s.n && p < end && n) {
        n = *p < 0x80 ? 1 : utf8_len(p, end);
        p += n;
    }
    return n > 0;
}

static const char *check_escape(const char *p, const char *end)
{
    if (end - p < 2)
        return NULL;
    if (p[1] == 'u') {
        if (end - p < 6)
            return NULL;
        for (int i = 2; i < 6; i++)
            if (ej_hex_of(p[i]) < 0)
                return NULL;
        return p + 6;
    }
    return p[1] && strchr("\"\\/bfnrt", p[1]) ? p + 2 : NULL;
}

/* p is behind the opening quote; the answer is behind the closing one. */
static const char *check_string(const char *p, const char *end, ej_info *info)
{
    const char *start = p;

    for (;;) {
        unsigned char c;

        p = ej_plain_run(p, end);
        if (p >= end)
            return NULL;
        c = (unsigned char)*p;
        if (c == '"')
            break;
        if (c == '\\') {
            p = check_escape(p, end);
            if (!p)
                return NULL;
        } else if (c < 0x20) {
            return NULL;
        } else if (c < 0x80) {
            p++;
        } else {
            size_t n = utf8_len((const unsigned char *)p, (const unsigned char *)end);

            if (!n)
                return NULL;
            p += n;
        }
    }
    if (p - start > 1024)
        info->long_string = true;
    return p + 1;
}

static const char *check_digits(const char *p, const char *end)
{
    const char *start = p;

    while (p < end && ej_is_digit(*p))
        p++;
    return p > start ? p : NULL;
}

static const char *check_number(const char *p, const char *end)
{
    if (*p == '-')
        p++;
    if (p < end && *p == '0')
        p++;
    else
        p = check_digits(p, end);
    if (p && p < end && *p == '.')
        p = check_digits(p + 1, end);
    if (p && p < end && (*p | 0x20) == 'e') {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        p = check_digits(p, end);
    }
    return p;
}

static const char *check_scalar(const char *p, const char *end, ej_info *info)
{
    size_t left = (size_t)(end - p);

    switch (*p) {
    case '"':
        return check_string(p + 1, end, info);
    case 't':
        return left >= 4 && memcmp(p, "true", 4) == 0 ? p + 4 : NULL;
    case 'f':
        return left >= 5 && memcmp(p, "false", 5) == 0 ? p + 5 : NULL;
    case 'n':
        return left >= 4 && memcmp(p, "null", 4) == 0 ? p + 4 : NULL;
    default:
        return *p == '-' || ej_is_digit(*p) ? check_number(p, end) : NULL;
    }
}

typedef struct checker {
    const char *p, *end;
    ej_info *info;
    uint64_t kinds[EJ_MAX_DEPTH / 64]; /* one bit per level: 1 is an object */
    size_t depth;
} checker;

static inline void check_space(checker *k)
{
    const char *p = k->p;

    if (p < k->end && (unsigned char)*p > ' ')
        return;
    while (p < k->end && ej_is_space(*p))
        p++;
    if (p != k->p)
        k->info->spaced = true;
    k->p = p;
}

static bool check_key(checker *k)
{
    check_space(k);
    if (k->p >= k->end || *k->p != '"')
        return false;
    k->p = check_string(k->p + 1, k->end, k->info);
    if (!k->p)
        return false;
    check_space(k);
    if (k->p >= k->end || *k->p != ':')
        return false;
    k->p++;
    return true;
}

/* Opens the bracket at p. *empty tells that it closed at once. */
static bool check_open(checker *k, bool *empty)
{
    bool object = *k->p == '{';
    uint64_t bit = 1ULL << (k->depth % 64);

    if (k->depth == EJ_MAX_DEPTH)
        return false;
    k->p++;
    check_space(k);
    *empty = k->p < k->end && *k->p == (object ? '}' : ']');
    if (*empty) {
        k->p++;
        return true;
    }
    if (object)
        k->kinds[k->depth / 64] |= bit;
    else
        k->kinds[k->depth / 64] &= ~bit;
    k->depth++;
    return !object || check_key(k);
}

/* Behind a value: closes brackets until another value is due or all are closed. */
static bool check_after(checker *k)
{
    while (k->depth) {
        size_t top = k->depth - 1;
        bool object = (k->kinds[top / 64] >> (top % 64)) & 1;

        check_space(k);
        if (k->p >= k->end)
            return false;
        if (*k->p == ',') {
            k->p++;
            return !object || check_key(k);
        }
        if (*k->p != (object ? '}' : ']'))
            return false;
        k->p++;
        k->depth--;
    }
    return true;
}

bool ej_check(emu_str text, ej_info *info)
{
    checker k = {.p = text.s, .end = text.s + text.n, .info = info};
    bool started = false;

    *info = (ej_info){0};
    while (!started || k.depth) {
        bool empty = true;

        started = true;
        check_space(&k);
        if (k.p >= k.end)
            return false;
        if (*k.p == '{' || *k.p == '[') {
            if (!check_open(&k, &empty))
                return false;
        } else {
            k.p = check_scalar(k.p, k.end, info);
            if (!k.p)
                return false;
        }
        if (empty && !check_after(&k))
            return false;
    }
    check_space(&k);
    return k.p == k.end;
}
