/* SPDX-License-Identifier: MIT */
/* Event, user and group properties of the tracking plan: reading. */
#include "taxonomy_property.h"

#include <string.h>

#include "routes.h"

static const emu_tax_kind KINDS[] = {
    {KIND_EVENT, "event property", "event_property", "event_type", "event",
     "new_event_property_value"},
    {KIND_USER, "user property", "user_property", NULL, NULL, "new_user_property_value"},
    {KIND_GROUP, "group property", "group_property", "group_type", "group type",
     "new_group_property_value"},
};

const emu_tax_kind *emu_tax_kind_of(const emu_req *r)
{
    static const char base[] = "/api/2/taxonomy/";
    char first = r->path.n >= sizeof(base) ? r->path.s[sizeof(base) - 1] : 'e';

    return &KINDS[first == 'u' ? KIND_USER : first == 'g' ? KIND_GROUP : KIND_EVENT];
}

emu_str emu_tax_owner(emu_req *r, const emu_tax_kind *k)
{
    emu_str owner = k->owner_field ? emu_field(r, k->owner_field) : (emu_str){NULL, 0};

    return owner.n ? owner : (emu_str){"", 0};
}

bool emu_tax_owner_known(emu_store *s, const emu_tax_kind *k, emu_str owner)
{
    if (!owner.n)
        return true;
    return k->kind == KIND_EVENT
               ? emu_tax_event_known(s, owner)
               : emu_was_met(s, KIND_GROUP_TYPE, (emu_str){NULL, 0}, owner);
}

int emu_tax_view(emu_req *r, const emu_tax_kind *k, emu_str owner, emu_str name,
                 emu_tax_view_t *v)
{
    emu_store *s = &r->e->store;

    *v = (emu_tax_view_t){0};
    if (emu_prop_get(s, &r->arena, k->kind, (emu_str){"", 0}, name, &v->shared))
        return -1;
    v->shown = v->shared;
    if (owner.n) {
        if (emu_prop_get(s, &r->arena, k->kind, owner, name, &v->here))
            return -1;
        if (v->here.own)
            v->shown = v->here;
    }
    v->met = emu_prop_met(s, k->kind, owner.n ? &owner : NULL, name);
    v->known = (owner.n ? v->here.found || v->met : v->shared.found || v->met) ||
               emu_prop_built_in(k->kind, name);
    v->deleted = v->shared.deleted || v->here.deleted;
    return 0;
}

/* --- replies --- */

static void put_values(emu_buf *b, const emu_prop *p)
{
    emu_str type = p->type;

    if (!type.s)
        type = p->is_array ? EMU_LIT("string") : EMU_LIT("any");
    emu_buf_z(b, ",\"type\":");
    emu_buf_quote(b, type);
}

static void put_classifications(emu_buf *b, const emu_prop *shared)
{
    emu_buf_z(b, ",\"classifications\":");
    emu_tax_put_list(b, shared->classifications);
}

/* Each kind has its own keys in its own order. */
static void put_property(emu_buf *b, const emu_tax_kind *k, emu_str owner,
                         const emu_tax_view_t *v)
{
    const emu_prop *p = &v->shown;
    bool built_in = emu_prop_built_in(k->kind, p->name);
    emu_str nobody = {NULL, 0};

    emu_buf_ch(b, '{');
    if (k->kind == KIND_GROUP) {
        emu_buf_z(b, "\"group_type\":");
        emu_tax_put_text(b, owner.n && !built_in ? owner : nobody);
        emu_buf_ch(b, ',');
    }
    emu_buf_fmt(b, "\"%s\":", k->name_field);
    emu_buf_quote(b, p->name);
    if (k->kind == KIND_EVENT) {
        emu_buf_z(b, ",\"event_type\":");
        emu_tax_put_text(b, owner.n ? owner : nobody);
    }
    emu_buf_z(b, ",\"description\":");
    emu_tax_put_text(b, k->kind == KIND_GROUP && built_in ? nobody : p->description);
    put_values(b, p);
    if (k->kind == KIND_EVENT) {
        emu_buf_z(b, ",\"regex\":");
        emu_tax_put_text(b, p->regex);
    }
    emu_buf_z(b, ",\"enum_values\":");
    emu_tax_put_text(b, p->enum_values);
    if (k->kind != KIND_EVENT) {
        emu_buf_z(b, ",\"regex\":");
        emu_tax_put_text(b, p->regex);
    }
    emu_tax_put_bool(b, ",\"is_array_type\":", p->is_array);
    if (k->kind == KIND_EVENT)
        emu_tax_put_bool(b, ",\"is_required\":", p->is_required);
    emu_tax_put_bool(b, ",\"is_hidden\":", p->is_hidden);
    put_classifications(b, &v->shared);
    if (k->kind == KIND_USER)
        emu_tax_put_bool(b, ",\"deleted\":", v->deleted);
    emu_buf_ch(b, '}');
}

/* --- lists --- */

typedef struct list {
    emu_req *r;
    const emu_tax_kind *kind;
    emu_str owner;
    bool deleted, any;
} list;

static int put_one(list *l, emu_str name)
{
    emu_tax_view_t v;

    if (emu_tax_view(l->r, l->kind, l->owner, name, &v))
        return -1;
    if ((v.deleted && !l->deleted) || v.shown.is_hidden)
        return 0;
    if (l->any)
        emu_buf_ch(&l->r->out, ',');
    l->any = true;
    put_property(&l->r->out, l->kind, l->owner, &v);
    return 0;
}

static int put_names(list *l)
{
    sqlite3_stmt *st = emu_prop_names(&l->r->e->store, l->kind->kind, l->owner);
    int rc = st ? 0 : -1;

    while (!rc && sqlite3_step(st) == SQLITE_ROW)
        rc = put_one(l, emu_plan_text(&l->r->arena, st, 0));
    sqlite3_finalize(st);
    return rc;
}

/* Amplitude's own first, then the project's in the order of their bytes. */
static int list_properties(emu_req *r)
{
    const emu_tax_kind *k = emu_tax_kind_of(r);
    list l = {.r = r, .kind = k, .owner = emu_tax_owner(r, k)};
    int rc = 0;

    /* Only user properties have a way to ask for deleted ones. */
    l.deleted = k->kind == KIND_USER && emu_tax_asks_deleted(r);
    emu_buf_ch(&r->out, '[');
    if (k->kind != KIND_GROUP || EMU_SW(r->e, accounts)) {
        for (size_t i = 0; !rc && !l.owner.n && emu_prop_built_in_at(k->kind, i); i++)
            rc = put_one(&l, emu_str_of(emu_prop_built_in_at(k->kind, i)));
        rc = rc ? rc : put_names(&l);
    }
    emu_buf_ch(&r->out, ']');
    return rc;
}

static int not_found(emu_req *r, const emu_tax_kind *k)
{
    return emu_tax_refuse(r, k->kind == KIND_USER ? 404 : 400, "Not found");
}

static int one_property(emu_req *r)
{
    const emu_tax_kind *k = emu_tax_kind_of(r);
    emu_str name = emu_path_part(r, 4), owner = emu_tax_owner(r, k);
    emu_tax_view_t v;

    if (!name.s)
        name = emu_field(r, k->name_field);
    name = emu_prop_name(&r->arena, k->kind, name);
    if (emu_tax_view(r, k, owner, name, &v))
        return -1;
    if (k->kind == KIND_GROUP && !EMU_SW(r->e, accounts) && !emu_str_is(name, "group_id"))
        return not_found(r, k);
    if (!v.known || (v.deleted && !(k->kind == KIND_USER && emu_tax_asks_deleted(r))))
        return not_found(r, k);
    put_property(&r->out, k, owner, &v);
    return 0;
}

void emu_do_property_list(emu_req *r)
{
    const emu_tax_kind *k = emu_tax_kind_of(r);

    /* The docs show a single event property in the query, too. */
    if (k->kind == KIND_EVENT && emu_field(r, k->name_field).n)
        emu_tax_read(r, one_property);
    else
        emu_tax_read(r, list_properties);
}

void emu_do_property_one(emu_req *r)
{
    emu_tax_read(r, one_property);
}
