/* SPDX-License-Identifier: MIT */
/* Cohorts and their download jobs. */
#ifndef EMU_COHORTS_H
#define EMU_COHORTS_H

#include <pthread.h>
#include <sqlite3.h>

#include "buf.h"
#include "emulator.h"

/* Jobs live in memory only: a restarted emulator knows no old request ids. */
typedef struct emu_jobs {
    pthread_mutex_t mu;
    struct emu_job *list;
    size_t n, cap;
    struct emu_busy *busy; /* cohorts with a membership update under way */
    size_t busy_n, busy_cap;
} emu_jobs;

struct emu_req;

void emu_cohorts_init(twe *e);
void emu_cohorts_reset(twe *e);
void emu_cohorts_free(twe *e);

typedef struct emu_cohort {
    emu_str id, name, owner,
        group; /* group "User" holds amplitude ids, others group values */
    int64_t published, created_s, modified_s, computed_s, size; /* computed_s 0: never */
} emu_cohort;

/* Reads one cohort into r's arena; false when there is none. Takes the store's lock. */
bool emu_cohort_find(struct emu_req *r, emu_str id, emu_cohort *out);

/* A statement with a text as its first parameter; NULL on failure. @locks needs the store's. */
sqlite3_stmt *emu_cohort_query(twe *e, const char *sql, emu_str first);

/* Claims the cohort for a membership update that lasts as long as the switch cohort_write_ms
 * says; false while an earlier one runs. */
bool emu_cohort_claim(twe *e, emu_str id);

/* n random letters and digits and a NUL. */
void emu_random_id(char *out, size_t n);

#endif
