/* SPDX-License-Identifier: MIT */
/* Events of one upload: read, checked, stored. */
#ifndef EMU_INGEST_H
#define EMU_INGEST_H

#include "internal.h"
#include "json.h"

/* What is wrong with one event; one bit each, see the rules in ingest.c. */
enum {
    BAD_NO_TYPE = 1 << 0,
    BAD_NO_ID = 1 << 1,
    BAD_EMPTY_TYPE = 1 << 2,
    BAD_TIME = 1 << 3,
    BAD_TYPE_KIND = 1 << 4,
    BAD_USER_KIND = 1 << 5,
    BAD_DEVICE_KIND = 1 << 6,
    BAD_EP_KIND = 1 << 7,
    BAD_UP_KIND = 1 << 8,
    BAD_GROUPS_KIND = 1 << 9,
    BAD_GP_KIND = 1 << 10,
    BAD_USER_LISTED = 1 << 11,
    BAD_DEVICE_LISTED = 1 << 12,
    BAD_EP_DEEP = 1 << 13,
    BAD_UP_DEEP = 1 << 14,
    BAD_MIXED = 1 << 15,
    BAD_USER_SHORT = 1 << 16,
    BAD_DEVICE_SHORT = 1 << 17
};

/* Bits of the `flags` column. */
enum {
    FLAG_BATCH = 1,
    FLAG_SKIP_SYNC = 2,
    FLAG_UPDATED = 4,
    FLAG_DEVICE_MADE = 8, /* device_id is the UUIDv5 of user_id */
    FLAG_NO_USER = 16     /* no (accepted) user_id in the event */
};

typedef struct emu_event {
    emu_str doc; /* the whole object as sent */
    ej_val type, user_id, device_id, insert_id, time, session_id;
    ej_val event_properties, user_properties, groups, group_properties, skip_sync;
    ej_val price, revenue, app_version;
    emu_str type_text, user, device, insert; /* decoded; s == NULL is absent */
    char made[37]; /* the device made of the user id, which `device` then is; else "" */
    uint32_t bad;
} emu_event;

typedef struct emu_batch {
    emu_req *r;
    bool batch; /* /batch, not /2/httpapi */
    ej_info info;
    emu_str api_key;
    ej_kind events_kind;
    bool bad_element;
    emu_event *events;
    size_t n, cap, total; /* total counts beyond the limit of items too */
    int64_t min_id_length;
    int64_t client_upload_ms; /* INT64_MIN: not sent */
    int64_t upload_ms;        /* out: time of the commit */
} emu_batch;

typedef enum emu_id_fault { ID_OK, ID_KIND, ID_LISTED, ID_SHORT } emu_id_fault;

/* Reads a user or device id: absent ids give s == NULL and ID_OK. */
emu_id_fault emu_read_id(emu_arena *a, const ej_val *v, int64_t min, emu_str *out);
/* Leading and trailing blanks go once the length was measured. */
emu_str emu_trim(emu_str s);
/* Texts beyond 1,024 characters are cut, not refused (limits page of the docs). */
emu_str emu_cut(emu_str s);
/* min_id_length out of an `options` object; 5 (HTTP V2 API docs) unless a positive integer. */
int64_t emu_min_id_length(const ej_val *options);

/* Stores all events in one transaction; 0, or -1 with nothing stored. */
int emu_ingest_commit(emu_batch *b);

/* An empty array where an object is due is PHP's empty dictionary: it becomes absent. */
bool emu_is_empty_array(ej_val *v);

/* Applies properties to a user (locked, inside a transaction). */
int emu_user_update(emu_store *s, emu_arena *a, emu_user *u, const ej_val *update,
                    bool *changed);
/* Applies group_properties to each group of `groups`. */
int emu_groups_update(emu_store *s, emu_arena *a, const ej_val *groups,
                      const ej_val *update, bool *changed);

/* Handlers. */
void emu_do_ingest(emu_req *r);
void emu_do_identify(emu_req *r);
void emu_do_groupidentify(emu_req *r);
void emu_do_export(emu_req *r);

#endif
