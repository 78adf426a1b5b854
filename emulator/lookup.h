/* SPDX-License-Identifier: MIT */
/* What user search, user activity and the user profile share: one user with all its rows. */
#ifndef EMU_LOOKUP_H
#define EMU_LOOKUP_H

#include "export.h"

typedef struct emu_session {
    int64_t id, from_ms, to_ms; /* session_id, first and last row */
} emu_session;

/* A user as its rows tell; texts are in the arena. */
typedef struct emu_person {
    emu_user *user;
    emu_str last;     /* the last row as JSON, empty when there is none */
    int64_t first_ms; /* of the first and the last row */
    int64_t last_ms;
    int64_t events, purchases;
    double revenue;
    emu_str *devices; /* in order of first use */
    size_t device_n, device_cap;
    emu_session *sessions;
    size_t session_n, session_cap;
} emu_person;

#define EMU_SESSION_MAX_MS 86400000 /* longer ones are none (Dashboard REST API docs) */

/* How long a session is from its first row, or from the time in its id, to its last one; the
 * bound above for all that are as long or longer. */
int64_t emu_session_ms(const twe *e, int64_t id, int64_t first_ms, int64_t last_ms);

/* All below: @locks needs the store's. */

/* Rows of a user, those of merged ones included, as EMU_ROW_COLUMNS; ?1 is the amplitude id,
 * ?2 the latest time. NULL on failure; the caller finalizes it. */
sqlite3_stmt *emu_person_rows(twe *e, int64_t amplitude_id, const char *order);
/* Reads all rows once. False: memory or the store failed. */
bool emu_person_read(twe *e, emu_arena *a, emu_user *u, emu_person *out);
/* The last row alone, in the arena, and its time; empty when the user has none. */
emu_str emu_person_last(twe *e, emu_arena *a, const emu_user *u, int64_t *ms);

/* A text of a row; s == NULL when null or absent. */
emu_str emu_row_text(emu_arena *a, emu_str row, const char *key);
/* Appends the value of a key of a row as it stands, null when absent. */
void emu_row_put(emu_buf *b, emu_str row, const char *key);
/* "2026-03-01", quotes included: the day in the zone of the project. */
void emu_put_date(emu_buf *b, const twe *e, int64_t ms);

#endif
