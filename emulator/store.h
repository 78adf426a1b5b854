/* SPDX-License-Identifier: MIT */
/* The store: one SQLite connection behind one lock, users and insert_ids mirrored in memory. */
#ifndef EMU_STORE_H
#define EMU_STORE_H

#include <pthread.h>
#include <sqlite3.h>

#include "emulator.h"
#include "json.h"
#include "map.h"
#include "text.h"

/* An amplitude_id. A merged user stays as a forwarding entry. */
typedef struct emu_user {
    int64_t id;
    struct emu_user *into; /* merged into this one, NULL when canonical */
    emu_str user_id;       /* owned; s == NULL while anonymous */
    emu_str
        props; /* owned; current user properties, compact JSON object, s == NULL is {} */
    emu_str traits;              /* owned; built-ins that later events show, same form */
    int64_t props_id, traits_id; /* rows of both in the table of snapshots, 0 is {} */
    bool dirty;                  /* differs from the table */
    int64_t updates_since_ms;    /* the hour in which property updates are counted */
    int64_t updates;
} emu_user;

/* Columns of an event as emu_row_at reads them (export.h), with their tables. */
#define EMU_ROW_COLUMNS                                                            \
    "e.seq,e.id,t.name,e.event_ms,e.client_ms,e.client_upload_ms,"                 \
    "e.received_ms,e.upload_ms,e.session,e.flags,p.doc,g.doc,b.doc,e.doc"          \
    " FROM events e JOIN types t ON t.id=e.type LEFT JOIN props p ON p.id=e.props" \
    " LEFT JOIN props g ON g.id=e.group_props LEFT JOIN props b ON b.id=e.traits"

typedef enum emu_statement {
    ST_BEGIN,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_EVENT,
    ST_PROPS,
    ST_USER,
    ST_DEVICE,
    ST_TYPE,
    ST_GROUP_GET,
    ST_GROUP_PUT,
    ST_HOUR,
    ST_EXPORT,
    ST_NAME,
    ST_COUNT
} emu_statement;

typedef struct emu_store {
    pthread_mutex_t mu; /* guards everything below */
    sqlite3 *db;
    sqlite3_stmt *st[ST_COUNT];

    emu_user **users; /* by id - EMU_FIRST_ID */
    size_t user_n, user_cap;
    emu_map by_user, by_device; /* -> emu_user */
    emu_user **dirty;
    size_t dirty_n, dirty_cap;
    emu_map types; /* event type -> (void *)id */
    int64_t next_seq, next_props, next_type;
    uint64_t merges;             /* grows whenever users may have become one */
    struct emu_columns *columns; /* the events once more, for analytics */
    struct emu_view *view;       /* the last one made of them, NULL: none */
    pthread_mutex_t view_mu;     /* held by who makes one; taken before mu */

    struct emu_seen *seen; /* insert_ids of the last days: open addressing */
    size_t seen_n, seen_cap;

    emu_map plan_flags; /* event type -> (void *)flags, event_flags.h */
    emu_hash *names;    /* properties that ingestion has met (plan.h): open addressing */
    size_t name_n, name_cap;
} emu_store;

#define EMU_FIRST_ID 902117000001LL

int emu_store_open(emu_store *s, const char *path, int64_t app_id, char *err,
                   size_t err_n);
void emu_store_close(emu_store *s);
/* Forgets every event, user, cohort and insert_id. */
int emu_store_reset(emu_store *s);
int emu_store_run(emu_store *s, emu_statement id); /* one of BEGIN, COMMIT, ROLLBACK */

/* --- all below: @locks needs s->mu --- */

/* True when the pair was seen at or after `since_ms`; otherwise remembers it. */
typedef enum emu_seen_result { SEEN_NEW, SEEN_BEFORE, SEEN_NOMEM } emu_seen_result;
emu_seen_result emu_store_seen(emu_store *s, emu_hash h, int64_t now_ms,
                               int64_t since_ms);

/* The user an event or identify belongs to, made, attached or merged as needed. Either id
 * may be absent (s == NULL), not both. NULL when out of memory. */
emu_user *emu_store_user(emu_store *s, emu_str user_id, emu_str device_id);
emu_user *emu_user_find(emu_store *s, emu_str user_id);
emu_user *emu_user_by_device(emu_store *s, emu_str device_id); /* seen on it last */
emu_user *emu_user_by_id(emu_store *s, int64_t amplitude_id);  /* canonical, or NULL */

/* Stores a snapshot and gives its id; 0 for {}. -1 on failure. */
int64_t emu_store_snapshot(emu_store *s, emu_str object);
bool emu_user_set_props(emu_store *s, emu_user *u, emu_str object);
bool emu_user_set_traits(emu_store *s, emu_user *u, emu_str object);
int64_t emu_store_type(emu_store *s,
                       emu_str name);    /* id of an event type, -1 on failure */
int emu_store_flush_users(emu_store *s); /* writes dirty users inside the transaction */

/* Undoes a failed transaction: the mirrors are read again from the file. */
void emu_store_rollback(emu_store *s);

#endif
