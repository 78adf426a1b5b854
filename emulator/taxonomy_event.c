/* SPDX-License-Identifier: MIT */
/* Event types of the tracking plan: list, create, change, delete, restore. */
#include <string.h>

#include "routes.h"
#include "taxonomy.h"

#define IDENTIFICATIONS "('$identify','$groupidentify')"
#define COLUMNS                                                                        \
    "SELECT n.name,c.name,p.description,p.display_name,coalesce(p.flags,0),"           \
    "coalesce(p.tags,''),p.owner FROM (SELECT name FROM plan_events UNION SELECT name" \
    " FROM types WHERE name NOT IN " IDENTIFICATIONS ") n"                             \
    " LEFT JOIN plan_events p ON p.name=n.name"                                        \
    " LEFT JOIN plan_categories c ON c.id=p.category "

static const emu_str NONE = {NULL, 0};

/* Fields that hide a type somewhere. */
static const struct hiding {
    const char *field;
    unsigned flag;
} HIDINGS[] = {{"is_hidden_from_dropdowns", EVENT_HIDDEN},
               {"is_hidden_from_persona_results", EVENT_PERSONA_HIDDEN},
               {"is_hidden_from_pathfinder", EVENT_PATHFINDER_HIDDEN},
               {"is_hidden_from_timeline", EVENT_TIMELINE_HIDDEN}};

#define HIDING_N (sizeof(HIDINGS) / sizeof(HIDINGS[0]))

/* --- states --- */

static bool planned(emu_store *s, emu_str type)
{
    sqlite3_stmt *st =
        emu_plan_query(s, "SELECT 1 FROM plan_events WHERE name=?1", type, NONE, NONE);
    bool found = st && sqlite3_step(st) == SQLITE_ROW;

    sqlite3_finalize(st);
    return found;
}

static bool met(const emu_store *s, emu_str type)
{
    return emu_map_get(&s->types, type) && !emu_str_is(type, "$identify") &&
           !emu_str_is(type, "$groupidentify");
}

bool emu_tax_event_known(emu_store *s, emu_str type)
{
    return (planned(s, type) || met(s, type)) &&
           !(emu_event_flags(s, type) & EVENT_DELETED);
}

int emu_tax_add_event(emu_store *s, emu_str type)
{
    return emu_plan_run(s, "INSERT OR IGNORE INTO plan_events(name) VALUES(?1)", type,
                        NONE, NONE);
}

/* --- reading --- */

static void put_event(emu_req *r, sqlite3_stmt *st)
{
    emu_buf *b = &r->out;
    unsigned flags = (unsigned)sqlite3_column_int64(st, 4);
    emu_str category = emu_plan_text(&r->arena, st, 1);

    emu_buf_z(b, "{\"event_type\":");
    emu_tax_put_text(b, emu_plan_text(&r->arena, st, 0));
    emu_buf_z(b, ",\"category\":");
    if (category.s) {
        emu_buf_z(b, "{\"name\":");
        emu_buf_quote(b, category);
        emu_buf_ch(b, '}');
    } else {
        emu_buf_z(b, "null");
    }
    emu_buf_z(b, ",\"description\":");
    emu_tax_put_text(b, emu_plan_text(&r->arena, st, 2));
    emu_buf_z(b, ",\"display_name\":");
    emu_tax_put_text(b, emu_plan_text(&r->arena, st, 3));
    emu_tax_put_bool(b, ",\"is_active\":", !(flags & EVENT_INACTIVE));
    for (size_t i = 0; i < HIDING_N; i++) {
        emu_buf_fmt(b, ",\"%s\"", HIDINGS[i].field);
        emu_tax_put_bool(b, ":", flags & HIDINGS[i].flag);
    }
    emu_buf_z(b, ",\"tags\":");
    emu_tax_put_list(b, emu_plan_text(&r->arena, st, 5));
    emu_buf_z(b, ",\"owner\":");
    emu_tax_put_text(b, emu_plan_text(&r->arena, st, 6));
    emu_buf_z(b, ",\"deleted\":");
    emu_buf_z(b, flags & EVENT_DELETED ? "true}" : "null}");
}

static int list_events(emu_req *r)
{
    sqlite3_stmt *st =
        emu_plan_query(&r->e->store, COLUMNS "ORDER BY n.name", NONE, NONE, NONE);
    bool deleted = emu_tax_asks_deleted(r), first = true;

    if (!st)
        return -1;
    emu_buf_ch(&r->out, '[');
    while (sqlite3_step(st) == SQLITE_ROW) {
        unsigned flags = (unsigned)sqlite3_column_int64(st, 4);

        if (flags & (EVENT_HIDDEN | EVENT_BLOCKED) || (flags & EVENT_DELETED && !deleted))
            continue;
        if (!first)
            emu_buf_ch(&r->out, ',');
        first = false;
        put_event(r, st);
    }
    emu_buf_ch(&r->out, ']');
    sqlite3_finalize(st);
    return 0;
}

static int one_event(emu_req *r)
{
    sqlite3_stmt *st = emu_plan_query(&r->e->store, COLUMNS "WHERE n.name=?1",
                                      emu_path_part(r, 4), NONE, NONE);
    int rc = 0;

    if (!st)
        return -1;
    if (sqlite3_step(st) == SQLITE_ROW && !(sqlite3_column_int64(st, 4) & EVENT_DELETED))
        put_event(r, st);
    else
        rc = emu_tax_refuse(r, 400, "Not found");
    sqlite3_finalize(st);
    return rc;
}

/* --- writing --- */

typedef struct change {
    emu_str category, description, display_name, tags, owner, renamed;
    emu_str category_id;
    unsigned clear, set;
} change;

/* False: refused. */
static bool read_flags(emu_req *r, change *c)
{
    int value;

    if (!emu_tax_flag(r, "is_active", &value))
        return false;
    c->clear |= value == 1 ? EVENT_INACTIVE : 0;
    c->set |= value == 0 ? EVENT_INACTIVE : 0;
    for (size_t i = 0; i < HIDING_N; i++) {
        if (!emu_tax_flag(r, HIDINGS[i].field, &value))
            return false;
        c->clear |= value == 0 ? HIDINGS[i].flag : 0;
        c->set |= value == 1 ? HIDINGS[i].flag : 0;
    }
    return true;
}

static int not_in_schema(emu_req *r, const char *what, emu_str type)
{
    return emu_tax_refuse(
        r, 409,
        "Attempted to change the event %s for event \"%.*s\", but the event is not"
        " in schema.",
        what, EMU_STR_ARG(type));
}

/* What a change says first, for the message about an event that is not there. */
static const char *subject(const change *c)
{
    return c->renamed.s         ? "type"
           : c->display_name.s  ? "display name"
           : c->description.s   ? "description"
           : c->category.s      ? "category"
           : c->tags.s          ? "tags"
           : c->owner.s         ? "owner"
           : c->set || c->clear ? "visibility"
                                : "description";
}

/* False: refused. */
static bool read_category(emu_req *r, emu_str type, change *c)
{
    sqlite3_stmt *st;

    if (!c->category.n)
        return true;
    st = emu_plan_query(&r->e->store,
                        "SELECT CAST(id AS TEXT) FROM plan_categories WHERE name=?1",
                        c->category, NONE, NONE);
    if (st && sqlite3_step(st) == SQLITE_ROW)
        c->category_id = emu_plan_text(&r->arena, st, 0);
    sqlite3_finalize(st);
    if (!c->category_id.s)
        emu_tax_refuse(r, 409,
                       "Attempted to set the category of event \"%.*s\" to \"%.*s\", but"
                       " that category does not exist.",
                       EMU_STR_ARG(type), EMU_STR_ARG(c->category));
    return c->category_id.s != NULL;
}

/* Fields of a form, and what the event must be for them. 0 or TAX_REFUSED. */
static int read_change(emu_req *r, emu_str type, bool update, change *c)
{
    *c = (change){.category = emu_field(r, "category"),
                  .description = emu_field(r, "description"),
                  .tags = emu_field(r, "tags"),
                  .owner = emu_field(r, "owner")};
    if (update) {
        c->display_name = emu_field(r, "display_name");
        c->renamed = emu_field(r, "new_event_type");
    }
    if (!read_flags(r, c))
        return TAX_REFUSED;
    if (update && !emu_tax_event_known(&r->e->store, type))
        return not_in_schema(r, subject(c), type);
    if (c->display_name.n && !met(&r->e->store, type))
        return not_in_schema(r, "display name", type);
    if (c->set & ~(unsigned)EVENT_INACTIVE && !met(&r->e->store, type))
        return not_in_schema(r, "visibility", type);
    if (c->renamed.n && !emu_str_eq(c->renamed, type) &&
        (planned(&r->e->store, c->renamed) || met(&r->e->store, c->renamed)))
        return emu_tax_refuse(
            r, 409,
            "Attempted to rename event \"%.*s\" to \"%.*s\", that already"
            " exists.",
            EMU_STR_ARG(type), EMU_STR_ARG(c->renamed));
    return read_category(r, type, c) ? 0 : TAX_REFUSED;
}

/* An empty text clears what can be null. */
static int set_text(emu_store *s, const char *sql, emu_str type, emu_str value, bool keep)
{
    if (!value.s)
        return 0;
    return emu_plan_run(s, sql, type, value.n || keep ? value : NONE, NONE);
}

static int apply(emu_store *s, emu_str type, const change *c)
{
    if (set_text(s, "UPDATE plan_events SET description=?2 WHERE name=?1", type,
                 c->description, true) ||
        set_text(s, "UPDATE plan_events SET display_name=?2 WHERE name=?1", type,
                 c->display_name, false) ||
        set_text(s, "UPDATE plan_events SET tags=?2 WHERE name=?1", type, c->tags,
                 true) ||
        set_text(s, "UPDATE plan_events SET owner=?2 WHERE name=?1", type, c->owner,
                 false))
        return -1;
    if (c->category.s &&
        emu_plan_run(s,
                     "UPDATE plan_events SET category=CAST(?2 AS INTEGER) WHERE name=?1",
                     type, c->category_id, NONE))
        return -1;
    return emu_plan_mark(s, type, c->clear, c->set);
}

static int add_event(emu_req *r)
{
    emu_store *s = &r->e->store;
    emu_str type;
    change c;

    if (!emu_tax_need(r, "event_type", &type) || read_change(r, type, false, &c))
        return TAX_REFUSED;
    if (planned(s, type))
        return emu_tax_refuse(r, 409,
                              "Attempted to add an event, \"%.*s\", that already exists.",
                              EMU_STR_ARG(type));
    return emu_tax_add_event(s, type) || apply(s, type, &c) ? -1 : 0;
}

static int rename_event(emu_store *s, emu_str type, emu_str renamed)
{
    if (emu_plan_run(s, "UPDATE plan_events SET name=?2 WHERE name=?1", type, renamed,
                     NONE) ||
        emu_plan_run(s, "UPDATE plan_props SET owner=?2 WHERE kind=0 AND owner=?1", type,
                     renamed, NONE))
        return -1;
    return emu_plan_flags_changed(s, type) || emu_plan_flags_changed(s, renamed) ? -1 : 0;
}

static int update_event(emu_req *r)
{
    emu_store *s = &r->e->store;
    emu_str type = emu_path_part(r, 4);
    change c;

    if (read_change(r, type, true, &c))
        return TAX_REFUSED;
    if (emu_tax_add_event(s, type) || apply(s, type, &c))
        return -1;
    return c.renamed.n && !emu_str_eq(c.renamed, type) ? rename_event(s, type, c.renamed)
                                                       : 0;
}

/* Met events stay, marked; an event that is planned only goes. */
static int delete_event(emu_req *r)
{
    emu_store *s = &r->e->store;
    emu_str type = emu_path_part(r, 4);

    if (!emu_tax_event_known(s, type))
        return emu_tax_refuse(r, 409, "Not found");
    if (emu_event_flags(s, type) & EVENT_TRANSFORMED)
        return emu_tax_refuse(r, 409,
                              "Attempted to delete event \"%.*s\", that is transformed.",
                              EMU_STR_ARG(type));
    if (met(s, type))
        return emu_plan_mark(s, type, 0, EVENT_DELETED);
    if (emu_plan_run(s, "DELETE FROM plan_events WHERE name=?1", type, NONE, NONE) ||
        emu_plan_run(s, "DELETE FROM plan_props WHERE kind=0 AND owner=?1", type, NONE,
                     NONE))
        return -1;
    return emu_plan_flags_changed(s, type);
}

static int restore_event(emu_req *r)
{
    emu_store *s = &r->e->store;
    emu_str type = emu_path_part(r, 4);

    if (!(emu_event_flags(s, type) & EVENT_DELETED))
        return emu_tax_refuse(r, 409, "Not found");
    return emu_plan_mark(s, type, EVENT_DELETED, 0);
}

void emu_do_event_list(emu_req *r)
{
    emu_tax_read(r, list_events);
}

void emu_do_event_one(emu_req *r)
{
    emu_tax_read(r, one_event);
}

void emu_do_event_add(emu_req *r)
{
    emu_tax_write(r, add_event, 200);
}

void emu_do_event_update(emu_req *r)
{
    emu_tax_write(r, update_event, 200);
}

void emu_do_event_delete(emu_req *r)
{
    emu_tax_write(r, delete_event, 200);
}

void emu_do_event_restore(emu_req *r)
{
    emu_tax_write(r, restore_event, 200);
}
