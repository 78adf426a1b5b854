/* SPDX-License-Identifier: MIT */
/* Texts numbered in the order they were met: open addressing over chunks that stay put. */
#include "dict.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json_scan.h"

#define PAGE_BYTES 262144u

struct emu_page {
    struct emu_page *next;
    size_t used, size;
    char bytes[];
};

/* --- numbers --- */

static const char *digits(const char *p, const char *end)
{
    while (p < end && ej_is_digit(*p))
        p++;
    return p;
}

static bool is_decimal(emu_str s)
{
    const char *p = s.s, *end = p + s.n, *whole, *part;
    size_t n;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    whole = digits(p, end);
    n = (size_t)(whole - p);
    p = whole;
    if (p < end && *p == '.') {
        part = digits(p + 1, end);
        n += (size_t)(part - p - 1);
        p = part;
    }
    if (!n)
        return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        part = digits(p, end);
        if (part == p)
            return false;
        p = part;
    }
    return p == end;
}

/* Up to fifteen digits are exact in a double, and most numbers are that short. */
static bool small_whole(emu_str s, double *out)
{
    bool negative = s.n && s.s[0] == '-';
    double d = 0;

    if (s.n > 15)
        return false;
    for (size_t i = negative; i < s.n; i++) {
        if (!ej_is_digit(s.s[i]))
            return false;
        d = d * 10 + (s.s[i] - '0');
    }
    *out = negative ? -d : d;
    return true;
}

double emu_number_of(emu_str s)
{
    char text[64];
    char *z = text;
    locale_t c;
    double d;

    if (!s.n || s.n > 400 || !is_decimal(s))
        return NAN;
    if (small_whole(s, &d))
        return d;
    if (s.n >= sizeof(text))
        z = emu_strdup_n(s.s, s.n);
    else
        memcpy(text, s.s, s.n);
    if (!z)
        return NAN;
    z[s.n] = 0;
    c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    d = strtod_l(z, NULL, c);
    freelocale(c);
    if (z != text)
        free(z);
    return isfinite(d) ? d : NAN;
}

/* --- terms --- */

uint32_t emu_quick_hash(const void *p, size_t n)
{
    const char *at = p;
    uint64_t h = n * 0x9E3779B97F4A7C15ull, w;

    for (; n >= 8; n -= 8, at += 8) {
        memcpy(&w, at, 8);
        h = (h ^ w) * 0xFF51AFD7ED558CCDull;
        h ^= h >> 32;
    }
    if (n) {
        w = 0;
        memcpy(&w, at, n);
        h = (h ^ w) * 0xFF51AFD7ED558CCDull;
        h ^= h >> 29;
    }
    h *= 0xC4CEB9FE1A85EC53ull;
    return (uint32_t)(h >> 32);
}

static uint32_t hash_of(emu_str s)
{
    return emu_quick_hash(s.s, s.n);
}

static uint32_t slot_of(const emu_dict *d, emu_str text, uint32_t hash)
{
    uint32_t i = hash & (d->slot_n - 1);

    while (d->slots[i]) {
        const emu_term *t = emu_dict_at(d, d->slots[i]);

        if (t->hash == hash && emu_str_eq((emu_str){t->s, t->n}, text))
            break;
        i = (i + 1) & (d->slot_n - 1);
    }
    return i;
}

static bool grow(emu_dict *d)
{
    uint32_t n = d->slot_n ? d->slot_n * 2 : 256;
    uint32_t *slots = calloc(n, sizeof(*slots));

    if (!slots)
        return false;
    for (uint32_t id = 1; id <= d->n; id++) {
        uint32_t i = emu_dict_at(d, id)->hash & (n - 1);

        while (slots[i])
            i = (i + 1) & (n - 1);
        slots[i] = id;
    }
    free(d->slots);
    d->slots = slots;
    d->slot_n = n;
    return true;
}

static char *keep_text(emu_dict *d, emu_str text)
{
    struct emu_page *page = d->pages;
    char *p;

    if (!page || page->size - page->used < text.n + 1) {
        size_t size = text.n + 1 > PAGE_BYTES ? text.n + 1 : PAGE_BYTES;

        page = malloc(sizeof(*page) + size);
        if (!page)
            return NULL;
        *page = (struct emu_page){.next = d->pages, .size = size};
        d->pages = page;
    }
    p = page->bytes + page->used;
    memcpy(p, text.s, text.n);
    p[text.n] = 0;
    page->used += text.n + 1;
    return p;
}

uint32_t emu_dict_find(const emu_dict *d, emu_str text)
{
    return d->slot_n ? d->slots[slot_of(d, text, hash_of(text))] : 0;
}

uint32_t emu_dict_add(emu_dict *d, emu_str text)
{
    uint32_t hash = hash_of(text), slot, at = d->n / EMU_TERM_CHUNK;
    emu_term *t;

    if (d->n * 4ull >= d->slot_n * 3ull && !grow(d))
        return 0;
    slot = slot_of(d, text, hash);
    if (d->slots[slot])
        return d->slots[slot];
    if (at == EMU_TERM_CHUNKS)
        return 0;
    if (!d->chunk[at])
        d->chunk[at] = malloc(EMU_TERM_CHUNK * sizeof(emu_term));
    if (!d->chunk[at])
        return 0;
    t = &d->chunk[at][d->n % EMU_TERM_CHUNK];
    *t = (emu_term){keep_text(d, text), (uint32_t)text.n, hash, emu_number_of(text)};
    if (!t->s)
        return 0;
    d->slots[slot] = ++d->n;
    return d->n;
}

void emu_dict_free(emu_dict *d)
{
    for (uint32_t i = 0; i < EMU_TERM_CHUNKS && d->chunk[i]; i++)
        free(d->chunk[i]);
    while (d->pages) {
        struct emu_page *next = d->pages->next;

        free(d->pages);
        d->pages = next;
    }
    free(d->slots);
    *d = (emu_dict){0};
}
