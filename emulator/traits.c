/* SPDX-License-Identifier: MIT */
/* Built-in properties of a user, kept beside the custom ones. */
#include "traits.h"

#include <string.h>

#include "props.h"

static const char *const DEVICE_BLOCK[] = {
    "platform",     "os_name", "os_version", "device_brand", "device_manufacturer",
    "device_model", "carrier", NULL};
static const char *const GEO_BLOCK[] = {"country", "region", "city", "dma", NULL};
static const char *const LOOSE[] = {"language", "paying", "start_version", "app_version",
                                    NULL};

/* Setting one field of a block removes the others that are not given with it (2023 docs). */
static void add_block(emu_buf *set, emu_buf *unset, const ej_val *item,
                      const char *const *names, bool together)
{
    bool any = false;
    ej_val v;

    for (size_t i = 0; names[i]; i++)
        any |= ej_get(item, names[i], &v) && v.kind != EJ_NULL;
    for (size_t i = 0; any && names[i]; i++) {
        bool given = ej_get(item, names[i], &v) && v.kind != EJ_NULL;
        emu_buf *b = given ? set : unset;

        if (!given && !together)
            continue;
        emu_buf_fmt(b, "%s\"%s\":", b->n ? "," : "", names[i]);
        if (given)
            emu_buf_str(b, v.raw);
        else
            emu_buf_z(b, "\"-\"");
    }
}

static int apply(emu_store *s, emu_arena *a, emu_user *u, const emu_buf *update)
{
    ej_val v = {.kind = EJ_OBJECT, .raw = {update->p, update->n}};
    emu_str now = {NULL, 0};

    if (!update->failed)
        now = emu_props_apply(a, u->traits, &v);
    if (!now.s)
        return -1;
    return emu_str_eq(now, u->traits) || emu_user_set_traits(s, u, now) ? 0 : -1;
}

int emu_traits_identify(emu_store *s, emu_arena *a, emu_user *u, const ej_val *item)
{
    emu_buf set = {0}, unset = {0}, update = {0};
    int rc = 0;

    add_block(&set, &unset, item, DEVICE_BLOCK, true);
    add_block(&set, &unset, item, GEO_BLOCK, true);
    add_block(&set, &unset, item, LOOSE, false);
    if (set.n) {
        emu_buf_z(&update, "{\"$unset\":{");
        emu_buf_put(&update, unset.p, unset.n);
        emu_buf_z(&update, "},\"$set\":{");
        emu_buf_put(&update, set.p, set.n);
        emu_buf_z(&update, "}}");
        rc = set.failed || unset.failed ? -1 : apply(s, a, u, &update);
    }
    emu_buf_free(&set);
    emu_buf_free(&unset);
    emu_buf_free(&update);
    return rc;
}

/* Top-level fields, or the properties in which the official SDKs send revenue. */
static bool is_revenue(const emu_event *ev)
{
    emu_str ep = ev->event_properties.raw;
    ej_val v;

    if (ev->price.kind == EJ_NUMBER || ev->revenue.kind == EJ_NUMBER)
        return true;
    if (!ep.n || !memmem(ep.s, ep.n, "\"$", 2))
        return false;
    return (ej_get(&ev->event_properties, "$price", &v) && v.kind == EJ_NUMBER) ||
           (ej_get(&ev->event_properties, "$revenue", &v) && v.kind == EJ_NUMBER);
}

int emu_traits_event(emu_store *s, emu_arena *a, emu_user *u, const emu_event *ev)
{
    ej_val have = {.kind = u->traits.n ? EJ_OBJECT : EJ_NONE, .raw = u->traits}, v;
    bool versioned = ev->app_version.kind == EJ_STRING && ev->app_version.raw.n > 2 &&
                     !ej_get(&have, "start_version", &v);
    bool paid = is_revenue(ev) && !(ej_get(&have, "paying", &v) && ej_true(&v));
    emu_buf update = {0};
    int rc;

    if (!versioned && !paid)
        return 0;
    emu_buf_z(&update, "{\"$set\":{");
    if (versioned) {
        emu_buf_z(&update, "\"start_version\":");
        emu_buf_str(&update, ev->app_version.raw);
    }
    if (paid)
        emu_buf_z(&update, versioned ? ",\"paying\":true" : "\"paying\":true");
    emu_buf_z(&update, "}}");
    rc = apply(s, a, u, &update);
    emu_buf_free(&update);
    return rc;
}
