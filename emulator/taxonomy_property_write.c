/* SPDX-License-Identifier: MIT */
/* Event, user and group properties of the tracking plan: create, change, delete, restore. */
#include <string.h>

#include "routes.h"
#include "taxonomy_property.h"

static const emu_str SHARED = {"", 0};

typedef enum scope { SCOPE_NONE, SCOPE_OVERRIDE, SCOPE_SHARED } scope;

/* One call: what it names and what it says. */
typedef struct call {
    emu_req *r;
    emu_store *s;
    const emu_tax_kind *k;
    emu_str name, owner; /* owner empty: the shared property */
    emu_tax_view_t v;
    emu_str description, type, regex, enum_values, classifications, renamed;
    int is_array, is_required, is_hidden; /* -1: not said */
    scope scope;
} call;

/* --- refusals --- */

/* ` for event "X"`, ` on group type "X"`, or nothing. */
static const char *owner_phrase(const call *c)
{
    emu_buf b = {0};
    const char *text = "";

    if (c->k->kind == KIND_EVENT)
        emu_buf_z(&b, " for event \"");
    else if (c->k->kind == KIND_GROUP && c->owner.n)
        emu_buf_z(&b, " on group type \"");
    if (b.n) {
        emu_buf_str(&b, c->owner);
        emu_buf_ch(&b, '"');
        text = emu_arena_copy(&c->r->arena, (emu_str){b.p, b.n}).s;
    }
    emu_buf_free(&b);
    return text ? text : "";
}

static const char *article(const call *c)
{
    return c->k->kind == KIND_EVENT ? "an" : "a";
}

static int exists(const call *c, emu_str name)
{
    return emu_tax_refuse(
        c->r, 409, "Attempted to add %s %s, \"%.*s\"%s, that already exists.", article(c),
        c->k->noun, EMU_STR_ARG(name), c->k->kind == KIND_EVENT ? owner_phrase(c) : "");
}

static int not_in_schema(const call *c, const char *what)
{
    return emu_tax_refuse(c->r, 409,
                          "Attempted to change the %s %s for property \"%.*s\"%s, but the"
                          " property is not in schema.",
                          c->k->noun, what, EMU_STR_ARG(c->name), owner_phrase(c));
}

static int not_editable(const call *c)
{
    return emu_tax_refuse(c->r, 409,
                          "Attempted to change the %s \"%.*s\", but Amplitude properties"
                          " are not editable.",
                          c->k->noun, EMU_STR_ARG(c->name));
}

static int classified_override(const call *c)
{
    return emu_tax_refuse(c->r, 409,
                          "Attempted to update classifications for an overridden %s,"
                          " \"%.*s\" on %s \"%.*s\". Call the Update API without the"
                          " \"%s\" parameter to update classifications of the shared"
                          " property.",
                          c->k->noun, EMU_STR_ARG(c->name), c->k->owner_noun,
                          EMU_STR_ARG(c->owner), c->k->owner_field);
}

static int unknown_owner(const call *c)
{
    if (c->k->kind == KIND_GROUP)
        return emu_tax_refuse(c->r, 404, "Not found");
    return emu_tax_refuse(c->r, 409,
                          "Attempted to add an event property, \"%.*s\"%s, but the event"
                          " is not in schema.",
                          EMU_STR_ARG(c->name), owner_phrase(c));
}

/* --- reading --- */

/* Each of the pieces is one of the names ("|" between). */
static bool among(emu_str pieces, const char *names)
{
    const char *p = pieces.s, *end = p + pieces.n;

    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p)),
                   *stop = comma ? comma : end;
        bool known = false;

        while (p < stop && *p == ' ')
            p++;
        for (const char *at = names; at && !known;) {
            const char *bar = strchr(at, '|');
            size_t n = bar ? (size_t)(bar - at) : strlen(at);

            known = n == (size_t)(stop - p) && memcmp(at, p, n) == 0;
            at = bar ? bar + 1 : NULL;
        }
        if (!known)
            return false;
        p = stop + 1;
    }
    return true;
}

static int bad_value(const call *c, const char *field)
{
    return emu_tax_refuse(c->r, 400, "Invalid value for %s", field);
}

static int read_scope(call *c)
{
    emu_str text = emu_field(c->r, "overrideScope");

    if (!text.n || !c->k->owner_field)
        return 0;
    c->scope = emu_str_is(text, "override") ? SCOPE_OVERRIDE
               : emu_str_is(text, "shared") ? SCOPE_SHARED
                                            : SCOPE_NONE;
    if (c->scope == SCOPE_NONE)
        return bad_value(c, "overrideScope");
    if (!c->owner.n)
        return emu_tax_refuse(c->r, 400, "overrideScope needs %s", c->k->owner_field);
    return 0;
}

static int read_form(call *c)
{
    emu_req *r = c->r;

    c->description = emu_field(r, "description");
    c->type = emu_field(r, "type");
    c->regex = emu_field(r, "regex");
    c->enum_values = emu_field(r, "enum_values");
    c->classifications = emu_field(r, "classifications");
    c->is_required = -1;
    if (!emu_tax_flag(r, "is_array_type", &c->is_array) ||
        !emu_tax_flag(r, "is_hidden", &c->is_hidden) ||
        (c->k->kind == KIND_EVENT && !emu_tax_flag(r, "is_required", &c->is_required)))
        return TAX_REFUSED;
    if (!among(c->type, "string|number|boolean|enum|any"))
        return bad_value(c, "type");
    if (!among(c->classifications, "PII|SENSITIVE|REVENUE"))
        return bad_value(c, "classifications");
    return 0;
}

/* What every call on properties begins with; the name is of the form or of the path. */
static int begin(call *c, emu_req *r, bool in_path)
{
    *c = (call){.r = r, .s = &r->e->store, .k = emu_tax_kind_of(r)};
    if (c->k->kind == KIND_GROUP && !EMU_SW(r->e, accounts))
        return emu_tax_refuse(r, 400, "Account Properties feature is not enabled.");
    if (in_path)
        c->name = emu_path_part(r, 4);
    else if (!emu_tax_need(r, c->k->name_field, &c->name))
        return TAX_REFUSED;
    c->name = emu_prop_name(&r->arena, c->k->kind, c->name);
    c->owner = emu_tax_owner(r, c->k);
    return c->name.s ? emu_tax_view(r, c->k, c->owner, c->name, &c->v) : -1;
}

/* --- writing --- */

/* A regex needs text. The docs tie values to enum and show them with string. */
static int check_type(const call *c, const emu_prop *base)
{
    emu_str type = c->type.n ? c->type : base->type;
    bool is_array = c->is_array < 0 ? base->is_array : c->is_array;
    bool text = type.n ? emu_str_is(type, "string") : is_array;

    if (c->regex.n && !text)
        return emu_tax_refuse(c->r, 400, "regex needs the type string");
    if (c->enum_values.n && !text && !emu_str_is(type, "enum"))
        return emu_tax_refuse(c->r, 400, "enum_values needs the type enum");
    return 0;
}

/* An empty text clears what can be null. */
static void set(emu_str *to, emu_str from)
{
    if (from.s)
        *to = from.n ? from : (emu_str){NULL, 0};
}

static void apply(const call *c, emu_prop *p)
{
    if (c->description.s)
        p->description = c->description;
    if (c->classifications.s)
        p->classifications = c->classifications;
    set(&p->type, c->type);
    set(&p->regex, c->regex);
    set(&p->enum_values, c->enum_values);
    p->is_array = c->is_array < 0 ? p->is_array : c->is_array;
    p->is_required = c->is_required < 0 ? p->is_required : c->is_required;
    p->is_hidden = c->is_hidden < 0 ? p->is_hidden : c->is_hidden;
}

static int add_property(emu_req *r)
{
    call c;
    emu_prop *p;
    bool override;
    int rc = begin(&c, r, false);

    rc = rc ? rc : read_form(&c);
    if (rc)
        return rc;
    if (emu_prop_built_in(c.k->kind, c.name) || c.v.shared.deleted ||
        (c.owner.n ? c.v.here.found : c.v.shared.found))
        return exists(&c, c.name);
    if (!emu_tax_owner_known(c.s, c.k, c.owner))
        return unknown_owner(&c);
    if (c.is_hidden == 1 && !c.v.met)
        return not_in_schema(&c, "visibility");
    override = c.owner.n && emu_prop_elsewhere(c.s, c.k->kind, c.owner, c.name);
    if (override && c.classifications.n)
        return classified_override(&c);
    p = override ? &c.v.here : &c.v.shared;
    rc = check_type(&c, p);
    if (rc)
        return rc;
    apply(&c, p);
    p->own = true;
    if (emu_prop_put(c.s, c.k->kind, p))
        return -1;
    return !override && c.owner.n ? emu_prop_put(c.s, c.k->kind, &c.v.here) : 0;
}

/* What a change says first, for the message about a property that is not there. */
static const char *subject(const call *c)
{
    return c->description.s       ? "description"
           : c->type.s            ? "type"
           : c->regex.s           ? "regex"
           : c->enum_values.s     ? "enum values"
           : c->is_array >= 0     ? "array type"
           : c->is_required >= 0  ? "requirement"
           : c->is_hidden >= 0    ? "visibility"
           : c->classifications.s ? "classifications"
           : c->renamed.s         ? "name"
                                  : "description";
}

/* The property is there for this call: an override can be made of one known elsewhere. */
static bool in_schema(const call *c)
{
    return !c->v.deleted &&
           (c->v.known || (c->scope == SCOPE_OVERRIDE &&
                           emu_prop_elsewhere(c->s, c->k->kind, c->owner, c->name)));
}

static int check_update(call *c, bool override)
{
    if (emu_prop_built_in(c->k->kind, c->name))
        return not_editable(c);
    if (c->owner.n && c->k->kind == KIND_GROUP &&
        !emu_tax_owner_known(c->s, c->k, c->owner))
        return unknown_owner(c);
    if (!in_schema(c))
        return not_in_schema(c, subject(c));
    if (override && c->classifications.s)
        return classified_override(c);
    if (c->is_hidden == 1 && !c->v.met)
        return not_in_schema(c, "visibility");
    if (c->renamed.n &&
        (emu_prop_built_in(c->k->kind, c->renamed) ||
         emu_prop_met(c->s, c->k->kind, NULL, c->renamed) ||
         emu_prop_elsewhere(c->s, c->k->kind, EMU_LIT("\x01"), c->renamed)))
        return exists(c, c->renamed);
    return check_type(c, &c->v.shown);
}

static int store_update(call *c, bool override)
{
    emu_prop *p = override ? &c->v.here : &c->v.shared;

    if (override && !c->v.here.own) {
        *p = c->v.shared; /* the override begins with what was shared */
        p->owner = c->owner;
        p->classifications = SHARED;
    }
    if (c->scope == SCOPE_SHARED && c->v.here.own) {
        c->v.here.own = false;
        if (emu_prop_put(c->s, c->k->kind, &c->v.here))
            return -1;
    }
    apply(c, p);
    p->own = true;
    if (emu_prop_put(c->s, c->k->kind, p))
        return -1;
    return c->renamed.n ? emu_prop_rename(c->s, c->k->kind, c->name, c->renamed) : 0;
}

static int update_property(emu_req *r)
{
    call c;
    bool override;
    int rc = begin(&c, r, true);

    rc = rc ? rc : read_form(&c);
    rc = rc ? rc : read_scope(&c);
    if (rc)
        return rc;
    c.renamed = emu_field(r, c.k->renamed_field);
    if (c.renamed.n)
        c.renamed = emu_prop_name(&r->arena, c.k->kind, c.renamed);
    if (emu_str_eq(c.renamed, c.name))
        c.renamed = SHARED;
    override = c.scope == SCOPE_OVERRIDE || (c.scope == SCOPE_NONE && c.v.here.own);
    rc = check_update(&c, override);
    return rc ? rc : store_update(&c, override);
}

/* Met properties stay, marked; those that are planned only go. */
static int delete_property(emu_req *r)
{
    call c;
    int rc = begin(&c, r, true);

    if (rc)
        return rc;
    if (emu_prop_built_in(c.k->kind, c.name))
        return not_editable(&c);
    if (!c.v.known || c.v.deleted)
        return emu_tax_refuse(r, 409, "Not found");
    if (c.v.met) {
        emu_prop *p = c.owner.n ? &c.v.here : &c.v.shared;

        p->deleted = true;
        p->own |= !c.owner.n;
        return emu_prop_put(c.s, c.k->kind, p);
    }
    return emu_prop_remove(c.s, c.k->kind, c.owner.n ? &c.owner : NULL, c.name);
}

static int restore_property(emu_req *r)
{
    call c;
    emu_prop *p;
    int rc = begin(&c, r, true);

    if (rc)
        return rc;
    p = c.owner.n ? &c.v.here : &c.v.shared;
    if (!p->deleted)
        return emu_tax_refuse(r, 409, "Not found");
    p->deleted = false;
    return emu_prop_put(c.s, c.k->kind, p);
}

/* Of user properties the docs show a failure without its reason. */
static void answer(emu_req *r, int (*fn)(emu_req *r), int status)
{
    emu_tax_write(r, fn, status);
    if (r->status != status && emu_tax_kind_of(r)->kind == KIND_USER &&
        EMU_SW(r->e, user_property_errors) == 1)
        emu_reply_z(r, r->status, EMU_JSON_CAPITAL, "{\"success\":false}");
}

void emu_do_property_add(emu_req *r)
{
    answer(r, add_property, 200);
}

void emu_do_property_update(emu_req *r)
{
    answer(r, update_property, 200);
}

void emu_do_property_delete(emu_req *r)
{
    answer(r, delete_property, 200);
}

void emu_do_property_restore(emu_req *r)
{
    bool created =
        emu_tax_kind_of(r)->kind == KIND_EVENT && EMU_SW(r->e, property_restore) == 1;

    answer(r, restore_property, created ? 201 : 200);
}
