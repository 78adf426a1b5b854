/* SPDX-License-Identifier: MIT */
/* Texts numbered in the order they were met; an entry never moves once it is there. */
#ifndef EMU_DICT_H
#define EMU_DICT_H

#include "buf.h"

typedef struct emu_term {
    const char *s;
    uint32_t n;
    uint32_t hash;
    double number; /* NAN unless the text is wholly a finite decimal */
} emu_term;

#define EMU_TERM_CHUNK 16384u
#define EMU_TERM_CHUNKS 8192u

/* Terms up to a count read under the owner's lock may be read without it. */
typedef struct emu_dict {
    emu_term *chunk[EMU_TERM_CHUNKS];
    uint32_t n; /* ids are 1..n */
    uint32_t *slots, slot_n;
    struct emu_page *pages;
} emu_dict;

uint32_t emu_dict_add(emu_dict *d, emu_str text);        /* 0: out of memory */
uint32_t emu_dict_find(const emu_dict *d, emu_str text); /* 0: not there */
void emu_dict_free(emu_dict *d);

static inline const emu_term *emu_dict_at(const emu_dict *d, uint32_t id)
{
    return &d->chunk[(id - 1) / EMU_TERM_CHUNK][(id - 1) % EMU_TERM_CHUNK];
}

static inline emu_str emu_term_text(const emu_dict *d, uint32_t id)
{
    const emu_term *t = emu_dict_at(d, id);

    return (emu_str){t->s, t->n};
}

/* A quick hash of bytes; not for adversaries, who are nobody here. */
uint32_t emu_quick_hash(const void *p, size_t n);

/* The number a text is, NAN when it is none: sign, digits, point, exponent, nothing else. */
double emu_number_of(emu_str text);

#endif
