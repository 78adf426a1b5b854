/* SPDX-License-Identifier: MIT */
/* Storing checked events: de-duplication, users, properties, groups, rows. */
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "ingest.h"
#include "plan.h"
#include "props.h"
#include "traits.h"

#define GROUP_TYPES_MAX 5 /* per event, excess is not tracked (HTTP V2 API docs) */
#define GROUP_VALUES_MAX 10
#define HIDDEN_HOUR (-1) /* $identify and $groupidentify are no events: never exported */

int emu_user_update(emu_store *s, emu_arena *a, emu_user *u, const ej_val *update,
                    bool *changed)
{
    emu_str now;

    *changed = false;
    if (update->kind != EJ_OBJECT || update->raw.n <= 2)
        return 0;
    /* Nearly every event says what the last one said. Without operations that changes nothing. */
    if (emu_str_eq(u->props, update->raw) && !memchr(update->raw.s, '$', update->raw.n))
        return 0;
    now = emu_props_apply(a, u->props, update);
    if (!now.s)
        return -1;
    if (emu_str_eq(now, u->props) || (now.n == 2 && u->props.n == 0))
        return 0;
    *changed = true;
    if (emu_names_met(s, a, KIND_USER, (emu_str){NULL, 0},
                      &(ej_val){.kind = EJ_OBJECT, .raw = now}))
        return -1;
    return emu_user_set_props(s, u, now) ? 0 : -1;
}

/* --- groups --- */

typedef int group_fn(void *self, emu_str type, emu_str value);

static int each_value(emu_arena *a, emu_str type, const ej_val *v, group_fn *fn,
                      void *self)
{
    ej_cur c = ej_at(v->raw);
    ej_val item;
    int rc = 0;

    if (v->kind == EJ_STRING || v->kind == EJ_NUMBER || v->kind == EJ_BOOL)
        return fn(self, type, ej_text(v, a));
    if (v->kind != EJ_ARRAY)
        return 0;
    ej_enter(&c);
    for (int n = 0; ej_item(&c) && n < GROUP_VALUES_MAX && !rc; n++) {
        ej_take(&c, &item);
        if (item.kind == EJ_STRING || item.kind == EJ_NUMBER || item.kind == EJ_BOOL)
            rc = fn(self, type, ej_text(&item, a));
    }
    return rc;
}

static int each_group(emu_arena *a, const ej_val *groups, group_fn *fn, void *self)
{
    ej_cur c = ej_at(groups->raw);
    ej_val key, v;
    int rc = 0;

    if (groups->kind != EJ_OBJECT)
        return 0;
    ej_enter(&c);
    for (int n = 0; ej_key(&c, &key) && n < GROUP_TYPES_MAX && !rc; n++) {
        ej_take(&c, &v);
        rc = each_value(a, ej_text(&key, a), &v, fn, self);
    }
    return rc;
}

/* The stored properties of a group, copied into the arena; empty when there are none. */
static emu_str group_doc(emu_store *s, emu_arena *a, emu_str type, emu_str value)
{
    sqlite3_stmt *st = s->st[ST_GROUP_GET];
    emu_str out = {"", 0};

    sqlite3_bind_text(st, 1, type.s, (int)type.n, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, value.s, (int)value.n, SQLITE_STATIC);
    if (sqlite3_step(st) == SQLITE_ROW)
        out = emu_arena_copy(a, (emu_str){(const char *)sqlite3_column_text(st, 0),
                                          (size_t)sqlite3_column_bytes(st, 0)});
    sqlite3_reset(st);
    return out;
}

typedef struct group_job {
    emu_store *s;
    emu_arena *a;
    const ej_val *update;
    bool changed;
    emu_buf *out; /* snapshot being written */
    emu_str last_type;
} group_job;

static int update_group(void *self, emu_str type, emu_str value)
{
    group_job *job = self;
    emu_str old = group_doc(job->s, job->a, type, value);
    emu_str now = emu_props_apply(job->a, old, job->update);
    sqlite3_stmt *st = job->s->st[ST_GROUP_PUT];
    int rc;

    if (!now.s)
        return -1;
    if (emu_str_eq(old, now))
        return 0;
    job->changed = true;
    if (emu_name_met(job->s, KIND_GROUP_TYPE, (emu_str){NULL, 0}, type) ||
        emu_names_met(job->s, job->a, KIND_GROUP, type,
                      &(ej_val){.kind = EJ_OBJECT, .raw = now}))
        return -1;
    sqlite3_bind_text(st, 1, type.s, (int)type.n, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, value.s, (int)value.n, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, now.s, (int)now.n, SQLITE_STATIC);
    rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? 0 : -1;
}

int emu_groups_update(emu_store *s, emu_arena *a, const ej_val *groups,
                      const ej_val *update, bool *changed)
{
    group_job job = {.s = s, .a = a, .update = update};
    int rc = 0;

    if (update->kind == EJ_OBJECT)
        rc = each_group(a, groups, update_group, &job);
    *changed = job.changed;
    return rc;
}

/* {"type":{"value":{properties}}} of the groups that have properties. */
static int add_to_snapshot(void *self, emu_str type, emu_str value)
{
    group_job *job = self;
    emu_str doc = group_doc(job->s, job->a, type, value);

    if (emu_name_met(job->s, KIND_GROUP_TYPE, (emu_str){NULL, 0}, type))
        return -1;
    if (doc.n <= 2)
        return 0;
    if (job->last_type.s && emu_str_eq(job->last_type, type)) {
        emu_buf_ch(job->out, ',');
    } else {
        emu_buf_z(job->out, job->last_type.s ? "}," : "{");
        emu_buf_quote(job->out, type);
        emu_buf_z(job->out, ":{");
        job->last_type = type;
    }
    emu_buf_quote(job->out, value);
    emu_buf_ch(job->out, ':');
    emu_buf_str(job->out, doc);
    return 0;
}

static int64_t group_snapshot(emu_store *s, emu_arena *a, const ej_val *groups)
{
    emu_buf out = {0};
    group_job job = {.s = s, .a = a, .out = &out};
    int64_t id = 0;

    if (groups->kind != EJ_OBJECT || groups->raw.n <= 2)
        return 0;
    if (each_group(a, groups, add_to_snapshot, &job)) {
        emu_buf_free(&out);
        return -1;
    }
    if (out.n) {
        emu_buf_z(&out, "}}");
        id = out.failed ? -1 : emu_store_snapshot(s, (emu_str){out.p, out.n});
    }
    emu_buf_free(&out);
    return id;
}

/* --- rows --- */

typedef struct commit {
    emu_batch *b;
    emu_store *s;
    emu_arena scratch; /* freed after every event */
    emu_buf doc;
    int64_t since_ms; /* start of the de-duplication window */
    int64_t hour, rows, bytes;
} commit;

static void bind_ms(sqlite3_stmt *st, int i, int64_t ms)
{
    if (ms == INT64_MIN)
        sqlite3_bind_null(st, i);
    else
        sqlite3_bind_int64(st, i, ms);
}

/* The event as stored: as sent, or without white space and with long strings cut. */
static emu_str stored_doc(commit *k, emu_event *ev)
{
    if (!k->b->info.spaced && !k->b->info.long_string)
        return ev->doc;
    k->doc.n = 0;
    ej_compact(&k->doc, ev->doc);
    return (emu_str){k->doc.p, k->doc.n};
}

/* Rows of the table of snapshots that an event shows; 0 is {}. */
typedef struct snapshots {
    int64_t props, groups, traits;
    emu_str props_text, traits_text;
} snapshots;

static int insert_row(commit *k, emu_event *ev, emu_user *u, const snapshots *shown,
                      unsigned flags, const emu_hash *seen, bool hidden)
{
    sqlite3_stmt *st = k->s->st[ST_EVENT];
    emu_batch *b = k->b;
    int64_t received = b->r->received_ms, client = INT64_MIN, session = -1;
    int64_t event = b->upload_ms, type = emu_store_type(k->s, ev->type_text);
    emu_str doc = stored_doc(k, ev);
    int rc;

    if (type < 0 || k->doc.failed)
        return -1;
    if (ej_int(&ev->time, &client)) {
        client = client == INT64_MIN ? INT64_MIN + 1 : client; /* that one means "none" */
        event = client;
    }
    /* The client's clock is corrected when it is off by a minute or more (S3 export docs). */
    if (client != INT64_MIN && b->client_upload_ms != INT64_MIN &&
        llabs(received - b->client_upload_ms) >= 60000 &&
        __builtin_add_overflow(client, received - b->client_upload_ms, &event))
        event = client; /* centuries away: no clock can be that wrong */
    if (!ej_int(&ev->session_id, &session))
        session = -1;
    sqlite3_bind_int64(st, 1, k->s->next_seq);
    sqlite3_bind_int64(st, 2, hidden ? HIDDEN_HOUR : k->hour);
    sqlite3_bind_int64(st, 3, u ? u->id : 0);
    sqlite3_bind_int64(st, 4, type);
    sqlite3_bind_int64(st, 5, event);
    bind_ms(st, 6, client);
    bind_ms(st, 7, b->client_upload_ms);
    sqlite3_bind_int64(st, 8, received);
    sqlite3_bind_int64(st, 9, b->upload_ms);
    sqlite3_bind_int64(st, 10, session);
    sqlite3_bind_int64(st, 11, flags);
    sqlite3_bind_int64(st, 12, shown->props);
    sqlite3_bind_int64(st, 13, shown->groups);
    sqlite3_bind_int64(st, 14, shown->traits);
    if (seen)
        sqlite3_bind_blob(st, 15, seen, sizeof(*seen), SQLITE_STATIC);
    else
        sqlite3_bind_null(st, 15);
    sqlite3_bind_text(st, 16, doc.s, (int)doc.n, SQLITE_STATIC);
    rc = sqlite3_step(st);
    sqlite3_reset(st);
    if (rc != SQLITE_DONE)
        return -1;
    k->s->next_seq++;
    k->rows += !hidden;
    k->bytes += hidden ? 0 : (int64_t)doc.n;
    if (hidden || !u)
        return 0;
    return emu_columns_add(k->s->columns, &(emu_stored){.user_id = u->id,
                                                        .type = type,
                                                        .event_ms = event,
                                                        .session = session,
                                                        .flags = flags,
                                                        .props_id = shown->props,
                                                        .traits_id = shown->traits,
                                                        .props = shown->props_text,
                                                        .traits = shown->traits_text,
                                                        .doc = doc,
                                                        .user = ev->user,
                                                        .device = ev->device})
               ? 0
               : -1;
}

/* Properties of the user as this event shows them. A skipping one neither reads nor updates. */
static int user_props(commit *k, emu_event *ev, emu_user *u, bool skip, snapshots *shown,
                      bool *changed)
{
    emu_str own;

    if (skip && ev->user_properties.kind != EJ_OBJECT)
        return 0;
    if (skip) {
        own = emu_props_apply(&k->scratch, (emu_str){NULL, 0}, &ev->user_properties);
        shown->props = own.s ? emu_store_snapshot(k->s, own) : -1;
        shown->props_text = own;
        return shown->props < 0 ? -1 : 0;
    }
    if ((ev->user_properties.kind == EJ_OBJECT && ev->user_properties.raw.n > 2 &&
         emu_update_allowed(k->b->r->e, u) &&
         emu_user_update(k->s, &k->scratch, u, &ev->user_properties, changed)) ||
        emu_traits_event(k->s, &k->scratch, u, ev))
        return -1;
    shown->props = u->props_id;
    shown->traits = u->traits_id;
    shown->props_text = u->props;
    shown->traits_text = u->traits;
    return 0;
}

/* True: an earlier one with the same insert_id stands. *rc is -1 on failure. */
static bool duplicate(commit *k, const emu_event *ev, emu_hash *h, int *rc)
{
    emu_seen_result seen;

    if (!ev->insert.s)
        return false;
    *h = emu_hash_of((uint64_t)k->b->r->e->app_id, ev->device, ev->insert);
    seen = emu_store_seen(k->s, *h, k->b->upload_ms, k->since_ms);
    *rc = seen == SEEN_NOMEM ? -1 : 0;
    return seen == SEEN_BEFORE;
}

static int store_event(commit *k, emu_event *ev, uint8_t *mark)
{
    bool group_identify = emu_str_is(ev->type_text, "$groupidentify");
    bool hidden = group_identify || emu_str_is(ev->type_text, "$identify");
    bool skip = ej_true(&ev->skip_sync), changed = false, group_changed = false;
    unsigned flags = (k->b->batch ? FLAG_BATCH : 0) | (skip ? FLAG_SKIP_SYNC : 0) |
                     (ev->user.s ? 0 : FLAG_NO_USER);
    emu_user *u = NULL;
    snapshots shown = {0};
    emu_hash h;
    int rc = 0;

    if (!ev->device.s && ev->user.s) {
        emu_uuid5(ev->made, ev->user);
        ev->device = emu_str_of(ev->made);
        flags |= FLAG_DEVICE_MADE;
    }
    if (duplicate(k, ev, &h, &rc)) {
        *mark = MARK_DUPLICATE;
        return 0;
    }
    if (!rc && ev->device.s) {
        u = emu_store_user(k->s, ev->user, ev->device);
        rc = u ? user_props(k, ev, u, skip, &shown, &changed) : -1;
    }
    if (!rc && group_identify)
        rc = emu_groups_update(k->s, &k->scratch, &ev->groups, &ev->group_properties,
                               &group_changed);
    if (hidden)
        shown = (snapshots){0};
    else if (!rc)
        shown.groups = group_snapshot(k->s, &k->scratch, &ev->groups);
    if (!rc && !hidden)
        rc = emu_names_met(k->s, &k->scratch, KIND_EVENT, ev->type_text,
                           &ev->event_properties);
    if (rc || shown.groups < 0)
        return -1;
    flags |= skip ? 0 : FLAG_UPDATED;
    *mark = (uint8_t)(MARK_COMMITTED | (changed || group_changed ? MARK_APPLIED : 0));
    return insert_row(k, ev, u, &shown, flags, ev->insert.s ? &h : NULL, hidden);
}

static int count_hour(commit *k)
{
    sqlite3_stmt *st = k->s->st[ST_HOUR];
    int rc;

    if (!k->rows)
        return 0;
    sqlite3_bind_int64(st, 1, k->hour);
    sqlite3_bind_int64(st, 2, k->rows);
    sqlite3_bind_int64(st, 3, k->bytes);
    rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? 0 : -1;
}

static int store_all(commit *k)
{
    emu_batch *b = k->b;
    int rc = emu_store_run(k->s, ST_BEGIN);

    for (size_t i = 0; i < b->n && !rc; i++) {
        rc = store_event(k, &b->events[i], &b->r->marks[i]);
        emu_arena_free(&k->scratch);
    }
    if (!rc)
        rc = emu_store_flush_users(k->s) || count_hour(k) ||
             emu_store_run(k->s, ST_COMMIT);
    if (rc)
        emu_store_rollback(k->s);
    else
        emu_columns_commit(k->s->columns);
    return rc;
}

int emu_ingest_commit(emu_batch *b)
{
    twe *e = b->r->e;
    commit k = {.b = b, .s = &e->store};
    int rc;

    b->r->marks = calloc(b->n, 1);
    b->r->mark_n = b->n;
    if (!b->r->marks)
        return -1;
    pthread_mutex_lock(&e->store.mu);
    b->upload_ms = emu_now_ms(e);
    k.hour = b->upload_ms / 3600000;
    k.since_ms =
        EMU_SW(e, dedupe) ? b->upload_ms - EMU_SW(e, dedupe_window_ms) : INT64_MAX;
    rc = store_all(&k);
    pthread_mutex_unlock(&e->store.mu);
    if (rc)
        memset(b->r->marks, 0, b->n);
    emu_buf_free(&k.doc);
    return rc ? -1 : 0;
}
