/* SPDX-License-Identifier: MIT */
/* What the taxonomy calls share: envelope, form fields, transactions. */
#ifndef EMU_TAXONOMY_H
#define EMU_TAXONOMY_H

#include "form.h"
#include "internal.h"
#include "plan.h"

#define TAX_REFUSED 1 /* of a handler: the refusal is in the reply */

void emu_tax_error(emu_req *r, int status, const char *message);
/* The same with names in it; always TAX_REFUSED. */
int emu_tax_refuse(emu_req *r, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define EMU_STR_ARG(x) (int)(x).n, (x).n ? (x).s : ""

/* Runs `read` under the store's lock; it fills the reply (200) and gives 0, TAX_REFUSED or -1. */
void emu_tax_read(emu_req *r, int (*read)(emu_req *r));
/* Runs `write` in a transaction, kept when it gives 0; then the answer is `status`. */
void emu_tax_write(emu_req *r, int (*write)(emu_req *r), int status);

/* A boolean field: -1 when absent. False: refused. */
bool emu_tax_flag(emu_req *r, const char *name, int *out);
/* A field that must be there. False: refused. */
bool emu_tax_need(emu_req *r, const char *name, emu_str *out);
bool emu_tax_asks_deleted(emu_req *r);

/* "a, b" as ["a","b"]; null pieces are dropped. */
void emu_tax_put_list(emu_buf *b, emu_str commas);
void emu_tax_put_text(emu_buf *b, emu_str s); /* null when s.s is NULL */
void emu_tax_put_bool(emu_buf *b, const char *lead, bool value);

/* Adds an entry of the plan for an event type unless there is one. */
int emu_tax_add_event(emu_store *s, emu_str type);
bool emu_tax_event_known(emu_store *s, emu_str type); /* planned or met, not deleted */

#endif
