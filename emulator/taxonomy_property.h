/* SPDX-License-Identifier: MIT */
/* What reading and writing of properties share: the three kinds, and one property as seen. */
#ifndef EMU_TAXONOMY_PROPERTY_H
#define EMU_TAXONOMY_PROPERTY_H

#include "plan_prop.h"
#include "taxonomy.h"

typedef struct emu_tax_kind {
    emu_kind kind;
    const char *noun;        /* in messages */
    const char *name_field;  /* of forms and replies */
    const char *owner_field; /* NULL: the kind has no owners */
    const char *owner_noun;
    const char *renamed_field;
} emu_tax_kind;

/* A property as an owner has it, or (without one) as all share it. */
typedef struct emu_tax_view_t {
    emu_prop shared, here, shown;
    bool met, known, deleted;
} emu_tax_view_t;

const emu_tax_kind *emu_tax_kind_of(const emu_req *r);    /* by its path */
emu_str emu_tax_owner(emu_req *r, const emu_tax_kind *k); /* empty when absent */
bool emu_tax_owner_known(emu_store *s, const emu_tax_kind *k, emu_str owner);
int emu_tax_view(emu_req *r, const emu_tax_kind *k, emu_str owner, emu_str name,
                 emu_tax_view_t *v);

#endif
