/* SPDX-License-Identifier: MIT */
/* /identify and /groupidentify: forms with a JSON text, answered in plain text. */
#include <string.h>

#include "form.h"
#include "ingest.h"
#include "props.h"
#include "traits.h"

#define DEPTH_MAX 40            /* of user_properties (identify API docs) */
#define GROUP_BODY_MAX 1048576u /* 1 MB (group identify API docs) */
#define GROUP_ITEMS_MAX 1024    /* identifies, and properties of all, per request */
#define TEXT_HTML "text/html;charset=utf-8"

typedef struct upload {
    emu_req *r;
    ej_val doc; /* object, or array of objects */
    ej_val *items;
    size_t n;
    int64_t min_id_length;
} upload;

static void bad_field(emu_req *r, const char *fields)
{
    r->out.n = 0;
    emu_buf_fmt(&r->out, "invalid_event_field. Invalid fields [%s].", fields);
    emu_reply(r, 400, TEXT_HTML);
}

/* A list even when a single object was sent. False: answered. */
static bool read_items(upload *u)
{
    ej_cur c = ej_at(u->doc.raw);
    size_t cap = 0;
    ej_val v;

    u->items = &u->doc;
    u->n = 1;
    if (u->doc.kind == EJ_OBJECT)
        return true;
    if (u->doc.kind == EJ_ARRAY) {
        for (ej_enter(&c); ej_item(&c); cap++)
            ej_take(&c, &v);
        u->items = emu_arena_alloc(&u->r->arena, (cap + 1) * sizeof(*u->items));
        u->n = 0;
        c = ej_at(u->doc.raw);
        for (ej_enter(&c); u->items && ej_item(&c);) {
            ej_take(&c, &u->items[u->n]);
            if (u->items[u->n++].kind != EJ_OBJECT)
                cap = 0;
        }
        if (cap && u->items)
            return true;
    }
    emu_reply_z(u->r, 400, TEXT_HTML, "missing_event");
    return false;
}

/* False: answered. */
static bool read_upload(upload *u)
{
    emu_req *r = u->r;
    emu_str key, text, options;
    ej_info info;
    ej_val v = {0};

    if (r->too_large) {
        emu_reply_z(r, 413, TEXT_HTML, "Payload too large");
        return false;
    }
    key = emu_field(r, "api_key");
    r->key_known = !key.n || emu_str_is(key, r->e->api_key);
    r->key_foreign = !r->key_known;
    text = emu_field(r, "identification");
    options = emu_field(r, "options");
    if (r->bad_encoding || !text.n || !ej_check(text, &info)) {
        emu_reply_z(r, 400, TEXT_HTML, "missing_event");
        return false;
    }
    ej_take(&(ej_cur){text.s, text.s + text.n}, &u->doc);
    if (!read_items(u))
        return false;
    if (!key.n || !r->key_known) {
        emu_reply_z(r, 400, TEXT_HTML, "invalid_api_key");
        return false;
    }
    if (options.n && ej_check(options, &info))
        ej_take(&(ej_cur){options.s, options.s + options.n}, &v);
    u->min_id_length = emu_min_id_length(&v);
    return true;
}

/* Ends the transaction begun for an upload and answers. */
static void finish(upload *u, emu_store *s, int rc)
{
    if (!rc)
        rc = emu_store_flush_users(s) || emu_store_run(s, ST_COMMIT);
    if (rc)
        emu_store_rollback(s);
    pthread_mutex_unlock(&s->mu);
    if (rc)
        emu_reply_z(u->r, 500, NULL, "");
    else
        emu_reply_z(u->r, 200, TEXT_HTML, "success");
}

/* --- identify --- */

typedef struct who {
    emu_str user, device;
    ej_val props;
} who;

/* False: absent, or an object that may be stored. */
static bool wrong_object(ej_val *v)
{
    return v->kind > EJ_NULL && !emu_is_empty_array(v) &&
           (v->kind != EJ_OBJECT || v->depth > DEPTH_MAX);
}

/* False: answered. Everything is checked before anything is stored. */
static bool check_identify(upload *u, const ej_val *item, who *w)
{
    emu_arena *a = &u->r->arena;
    ej_val user, device, groups;
    bool bad_user, bad_device, ops, plain;

    ej_get(item, "user_id", &user);
    ej_get(item, "device_id", &device);
    ej_get(item, "groups", &groups);
    ej_get(item, "user_properties", &w->props);
    bad_user = emu_read_id(a, &user, u->min_id_length, &w->user) != ID_OK;
    bad_device = emu_read_id(a, &device, u->min_id_length, &w->device) != ID_OK;
    if (bad_user || bad_device || (!w->user.s && !w->device.s)) {
        bad_field(u->r, bad_user && bad_device ? "user_id,device_id"
                        : bad_device           ? "device_id"
                                               : "user_id");
        return false;
    }
    emu_props_kinds(&w->props, &ops, &plain);
    if (wrong_object(&w->props) ||
        (ops && plain && EMU_SW(u->r->e, mixed_properties) == 1)) {
        bad_field(u->r, "user_properties");
        return false;
    }
    if (wrong_object(&groups)) {
        bad_field(u->r, "groups");
        return false;
    }
    w->user = emu_trim(emu_cut(w->user));
    w->device = emu_trim(emu_cut(w->device));
    return true;
}

static int apply_identify(emu_req *r, const ej_val *item, const who *w)
{
    emu_store *s = &r->e->store;
    emu_arena *a = &r->arena;
    emu_str device = w->device;
    char made[37];
    emu_user *u;
    bool changed;

    if (!device.s) {
        emu_uuid5(made, w->user);
        device = emu_str_of(made);
    }
    u = emu_store_user(s, w->user, device);
    if (!u || emu_traits_identify(s, a, u, item))
        return -1;
    if (w->props.kind != EJ_OBJECT || !emu_update_allowed(r->e, u))
        return 0;
    return emu_user_update(s, a, u, &w->props, &changed);
}

void emu_do_identify(emu_req *r)
{
    upload u = {.r = r};
    emu_store *s = &r->e->store;
    emu_str *users, *devices;
    who *w;
    int rc;

    if (!read_upload(&u))
        return;
    w = emu_arena_alloc(&r->arena, u.n * sizeof(*w));
    users = emu_arena_alloc(&r->arena, u.n * sizeof(*users));
    devices = emu_arena_alloc(&r->arena, u.n * sizeof(*devices));
    if (!w || !users || !devices) {
        emu_reply_z(r, 500, NULL, "");
        return;
    }
    for (size_t i = 0; i < u.n; i++) {
        if (!check_identify(&u, &u.items[i], &w[i]))
            return;
        users[i] = w[i].user;
        devices[i] = w[i].device;
    }
    if (!emu_throttle_identify(r, users, devices, u.n))
        return;
    pthread_mutex_lock(&s->mu);
    rc = emu_store_run(s, ST_BEGIN);
    for (size_t i = 0; i < u.n && !rc; i++)
        rc = apply_identify(r, &u.items[i], &w[i]);
    finish(&u, s, rc);
}

/* --- group identify --- */

/* Properties named, those inside operations counted one by one. */
static size_t properties(const ej_val *object, bool inside)
{
    ej_cur c = ej_at(object->raw);
    ej_val k, v;
    size_t n = 0;

    for (ej_enter(&c); ej_key(&c, &k);) {
        ej_take(&c, &v);
        n += !inside && emu_is_op(&k) && v.kind == EJ_OBJECT ? properties(&v, true) : 1;
    }
    return n;
}

/* False: answered. Leaves {"type":value} in *groups. */
static bool check_group(upload *u, const ej_val *item, ej_val *groups, ej_val *props)
{
    ej_val type, value;
    emu_buf b = {0};
    const char *bad = NULL;

    ej_get(item, "group_type", &type);
    ej_get(item, "group_value", &value);
    ej_get(item, "group_properties", props);
    if (type.kind != EJ_STRING || type.raw.n == 2)
        bad = "group_type";
    else if ((value.kind != EJ_STRING || value.raw.n == 2) && value.kind != EJ_NUMBER)
        bad = "group_value";
    else if (props->kind <= EJ_NULL || wrong_object(props))
        bad = "group_properties";
    if (bad) {
        bad_field(u->r, bad);
        return false;
    }
    emu_buf_ch(&b, '{');
    emu_buf_str(&b, type.raw);
    emu_buf_ch(&b, ':');
    emu_buf_str(&b, value.raw);
    emu_buf_ch(&b, '}');
    *groups = (ej_val){.kind = EJ_OBJECT,
                       .raw = emu_arena_copy(&u->r->arena, (emu_str){b.p, b.n})};
    emu_buf_free(&b);
    return groups->raw.s != NULL;
}

void emu_do_groupidentify(emu_req *r)
{
    upload u = {.r = r};
    emu_store *s = &r->e->store;
    ej_val *groups, *props;
    size_t named = 0;
    bool changed;
    int rc;

    if (r->body.n > GROUP_BODY_MAX)
        r->too_large = true;
    if (!read_upload(&u))
        return;
    if (u.n > GROUP_ITEMS_MAX) {
        bad_field(r, "identification");
        return;
    }
    groups = emu_arena_alloc(&r->arena, u.n * sizeof(*groups));
    props = emu_arena_alloc(&r->arena, u.n * sizeof(*props));
    emu_reply_z(r, 500, NULL, "");
    if (!groups || !props)
        return;
    for (size_t i = 0; i < u.n; i++) {
        if (!check_group(&u, &u.items[i], &groups[i], &props[i]))
            return;
        named += props[i].kind == EJ_OBJECT ? properties(&props[i], false) : 0;
    }
    if (named > GROUP_ITEMS_MAX) {
        bad_field(r, "group_properties");
        return;
    }
    pthread_mutex_lock(&s->mu);
    rc = emu_store_run(s, ST_BEGIN);
    for (size_t i = 0; i < u.n && !rc; i++)
        rc = emu_groups_update(s, &r->arena, &groups[i], &props[i], &changed);
    finish(&u, s, rc);
}
