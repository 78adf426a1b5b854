/* SPDX-License-Identifier: MIT */
/* Users, devices, snapshots of properties and the memory of insert_ids. */
#include <stdlib.h>
#include <string.h>

#include "store_internal.h"

static bool own(emu_str *to, emu_str from)
{
    char *p = from.s ? emu_strdup_n(from.s, from.n) : NULL;

    if (from.s && !p)
        return false;
    free((char *)(uintptr_t)to->s);
    *to = (emu_str){p, from.n};
    return true;
}

static bool push(emu_user ***list, size_t *n, size_t *cap, emu_user *u)
{
    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : 256;
        emu_user **p = realloc(*list, more * sizeof(*p));

        if (!p)
            return false;
        *list = p;
        *cap = more;
    }
    (*list)[(*n)++] = u;
    return true;
}

static bool touch(emu_store *s, emu_user *u)
{
    if (u->dirty)
        return true;
    u->dirty = push(&s->dirty, &s->dirty_n, &s->dirty_cap, u);
    return u->dirty;
}

emu_user *emu_user_new(emu_store *s)
{
    emu_user *u = calloc(1, sizeof(*u));

    if (!u)
        return NULL;
    u->id = EMU_FIRST_ID + (int64_t)s->user_n;
    if (!push(&s->users, &s->user_n, &s->user_cap, u)) {
        free(u);
        return NULL;
    }
    return u;
}

void emu_user_free(emu_user *u)
{
    free((char *)(uintptr_t)u->user_id.s);
    free((char *)(uintptr_t)u->props.s);
    free((char *)(uintptr_t)u->traits.s);
    free(u);
}

bool emu_user_restore(emu_store *s, emu_user *u, emu_str user_id, emu_str props,
                      emu_str traits)
{
    if (!own(&u->user_id, user_id) || !own(&u->props, props) || !own(&u->traits, traits))
        return false;
    return !user_id.s || emu_map_put(&s->by_user, user_id, u);
}

static emu_user *canonical(emu_user *u)
{
    while (u && u->into)
        u = u->into;
    return u;
}

emu_user *emu_user_find(emu_store *s, emu_str user_id)
{
    return canonical(emu_map_get(&s->by_user, user_id));
}

emu_user *emu_user_by_device(emu_store *s, emu_str device_id)
{
    return canonical(emu_map_get(&s->by_device, device_id));
}

emu_user *emu_user_by_id(emu_store *s, int64_t amplitude_id)
{
    int64_t i = amplitude_id - EMU_FIRST_ID;

    return i >= 0 && (uint64_t)i < s->user_n ? canonical(s->users[i]) : NULL;
}

static bool put_device(emu_store *s, emu_str device_id, emu_user *u)
{
    sqlite3_stmt *st = s->st[ST_DEVICE];
    int rc;

    if (!emu_map_put(&s->by_device, device_id, u))
        return false;
    sqlite3_bind_text(st, 1, device_id.s, (int)device_id.n, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, u->id);
    rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc == SQLITE_DONE;
}

static bool name_user(emu_store *s, emu_user *u, emu_str user_id)
{
    return own(&u->user_id, user_id) && emu_map_put(&s->by_user, user_id, u) &&
           touch(s, u);
}

/* The anonymous user `from` turned out to be `to`: its events count for `to` from now on;
 * properties that `to` lacks are not taken over (the docs do not say; simplest rule). */
static bool merge(emu_store *s, emu_user *from, emu_user *to)
{
    from->into = to;
    s->merges++;
    return touch(s, from);
}

static emu_user *make(emu_store *s, emu_str user_id)
{
    emu_user *u = emu_user_new(s);

    if (!u || !touch(s, u) || (user_id.s && !name_user(s, u, user_id)))
        return NULL;
    return u;
}

emu_user *emu_store_user(emu_store *s, emu_str user_id, emu_str device_id)
{
    emu_user *on_device =
        device_id.s ? canonical(emu_map_get(&s->by_device, device_id)) : NULL;
    emu_user *u = user_id.s ? emu_user_find(s, user_id) : on_device;

    if (!u && on_device && !on_device->user_id.s) {
        u = on_device; /* an anonymous user gets its name, no new user */
        if (!name_user(s, u, user_id))
            return NULL;
    }
    if (!u)
        u = make(s, user_id);
    if (!u)
        return NULL;
    if (on_device && on_device != u && !on_device->user_id.s && !merge(s, on_device, u))
        return NULL;
    if (device_id.s && on_device != u && !put_device(s, device_id, u))
        return NULL;
    return u;
}

int64_t emu_store_snapshot(emu_store *s, emu_str object)
{
    sqlite3_stmt *st = s->st[ST_PROPS];
    int rc;

    if (object.n <= 2)
        return 0;
    sqlite3_bind_int64(st, 1, s->next_props);
    sqlite3_bind_text(st, 2, object.s, (int)object.n, SQLITE_STATIC);
    rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? s->next_props++ : -1;
}

static bool set_doc(emu_store *s, emu_user *u, emu_str *doc, int64_t *doc_id,
                    emu_str object)
{
    int64_t id = emu_store_snapshot(s, object);

    if (id < 0 || !own(doc, object))
        return false;
    *doc_id = id;
    return touch(s, u);
}

bool emu_user_set_props(emu_store *s, emu_user *u, emu_str object)
{
    return set_doc(s, u, &u->props, &u->props_id, object);
}

bool emu_user_set_traits(emu_store *s, emu_user *u, emu_str object)
{
    return set_doc(s, u, &u->traits, &u->traits_id, object);
}

int64_t emu_store_type(emu_store *s, emu_str name)
{
    int64_t id = (int64_t)(intptr_t)emu_map_get(&s->types, name);
    sqlite3_stmt *st = s->st[ST_TYPE];
    int rc;

    if (id)
        return id;
    sqlite3_bind_int64(st, 1, s->next_type);
    sqlite3_bind_text(st, 2, name.s, (int)name.n, SQLITE_STATIC);
    rc = sqlite3_step(st);
    sqlite3_reset(st);
    if (rc != SQLITE_DONE ||
        !emu_map_put(&s->types, name, (void *)(intptr_t)s->next_type))
        return -1;
    return s->next_type++;
}

int emu_store_flush_users(emu_store *s)
{
    sqlite3_stmt *st = s->st[ST_USER];
    int failed = 0;

    for (size_t i = 0; i < s->dirty_n; i++) {
        emu_user *u = s->dirty[i];

        sqlite3_bind_int64(st, 1, u->id);
        sqlite3_bind_text(st, 2, u->user_id.s, (int)u->user_id.n, SQLITE_STATIC);
        if (u->into)
            sqlite3_bind_int64(st, 3, u->into->id);
        else
            sqlite3_bind_null(st, 3);
        sqlite3_bind_int64(st, 4, u->props_id);
        sqlite3_bind_int64(st, 5, u->traits_id);
        failed |= sqlite3_step(st) != SQLITE_DONE;
        sqlite3_reset(st);
        u->dirty = false;
    }
    s->dirty_n = 0;
    return failed ? -1 : 0;
}

/* --- insert_ids --- */

struct emu_seen {
    emu_hash h; /* all zero: free */
    int64_t ms;
};

static struct emu_seen *seen_slot(const emu_store *s, emu_hash h)
{
    size_t i = h.lo & (s->seen_cap - 1);

    while ((s->seen[i].h.hi | s->seen[i].h.lo) &&
           (s->seen[i].h.hi != h.hi || s->seen[i].h.lo != h.lo))
        i = (i + 1) & (s->seen_cap - 1);
    return &s->seen[i];
}

static bool seen_grow(emu_store *s)
{
    emu_store bigger = {.seen_cap = s->seen_cap ? s->seen_cap * 2 : 1024};

    bigger.seen = calloc(bigger.seen_cap, sizeof(*bigger.seen));
    if (!bigger.seen)
        return false;
    for (size_t i = 0; i < s->seen_cap; i++)
        if (s->seen[i].h.hi | s->seen[i].h.lo)
            *seen_slot(&bigger, s->seen[i].h) = s->seen[i];
    free(s->seen);
    s->seen = bigger.seen;
    s->seen_cap = bigger.seen_cap;
    return true;
}

emu_seen_result emu_store_seen(emu_store *s, emu_hash h, int64_t now_ms, int64_t since_ms)
{
    struct emu_seen *slot;

    if (s->seen_n * 4 >= s->seen_cap * 3 && !seen_grow(s))
        return SEEN_NOMEM;
    slot = seen_slot(s, h);
    if ((slot->h.hi | slot->h.lo) && slot->ms >= since_ms)
        return SEEN_BEFORE;
    s->seen_n += !(slot->h.hi | slot->h.lo);
    slot->h = h;
    slot->ms = now_ms;
    return SEEN_NEW;
}
