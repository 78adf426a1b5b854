/* SPDX-License-Identifier: MIT */
/* What cohort uploads and membership updates share: everything is checked, then one transaction. */
#ifndef EMU_COHORT_WRITE_H
#define EMU_COHORT_WRITE_H

#include "cohorts.h"
#include "internal.h"

#define EMU_IDS_MAX 100000 /* per request (cohort API docs) */

/* Both calls share the envelope; membership adds a code of its own. */
typedef struct emu_writer {
    emu_req *r;
    ej_val doc;
    bool membership;
} emu_writer;

typedef enum emu_id_type { BY_AMPLITUDE_ID, BY_USER_ID, BY_GROUP } emu_id_type;

typedef struct emu_id_list {
    emu_str *text;   /* all ids, decoded */
    int64_t *member; /* amplitude id, 0 when invalid (user cohorts) */
    bool *valid;
    size_t n, matched;
} emu_id_list;

void emu_write_fail(emu_writer *w, int status, const char *message, const char *metadata);
void emu_write_fail_field(emu_writer *w, const char *prefix, const char *field);

/* False: answered. */
bool emu_write_read(emu_writer *w);
bool emu_write_need(emu_writer *w, const char *name, ej_val *v);
/* An optional field: absent (null counts as that), or of its kind. */
bool emu_write_optional(emu_writer *w, const char *name, ej_kind kind, ej_val *v);
bool emu_write_flag(emu_writer *w, const char *name, bool otherwise);

bool emu_ids_read(emu_writer *w, const ej_val *v, emu_id_list *l); /* false: answered */
void emu_ids_put_invalid(emu_buf *b, const emu_id_list *l, size_t most);

/* A transaction, under the store's lock from begin to end; kept when `keep` and rc is 0. */
void emu_write_begin(emu_writer *w);
void emu_write_end(emu_writer *w, bool keep, int rc);
/* @locks needs the store's. Inside a transaction, as unknown users may be made. */
void emu_ids_match(emu_writer *w, emu_id_type type, emu_str group, emu_id_list *l);
/* Adds or removes the valid ids. @locks needs the store's. */
int emu_members_change(emu_writer *w, emu_str cohort, emu_id_type type,
                       const emu_id_list *l, bool add);
int emu_write_run(emu_writer *w, const char *sql, emu_str first, int64_t second);

#endif
