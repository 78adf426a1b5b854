/* SPDX-License-Identifier: MIT */
/* Exports: client:export. */
#include <stdio.h>
#include <string.h>

#include "lx.h"

/* A whole number of a table as os.date("*t") makes it, -1 where it is none. */
static int date_part(lua_State *L, int table, const char *name)
{
    int64_t value = -1;

    lua_pushstring(L, name);
    lua_rawget(L, table);
    if (lua_type(L, -1) == LUA_TNUMBER && !lx_isinteger(L, -1, &value) &&
        (lua_Number)(value = (int64_t)lua_tointeger(L, -1)) != lua_tonumber(L, -1))
        value = -1;
    lua_pop(L, 1);
    return value >= 0 && value <= 9999 ? (int)value : -1;
}

/* Pushes the hour or the day that the table on top names. */
static const char *push_hour(lua_State *L, const char *name)
{
    int table = lua_gettop(L);
    int year = date_part(L, table, "year");
    int month = date_part(L, table, "month");
    int day = date_part(L, table, "day");
    int hour = date_part(L, table, "hour");
    char text[64];

    lua_pushstring(L, "hour");
    lua_rawget(L, table);
    if (year < 0 || month < 0 || day < 0 || (hour < 0 && !lua_isnil(L, -1)))
        luaL_argerror(L, 2,
                      lua_pushfstring(
                          L, "option '%s' is a table without year, month and day", name));
    if (hour < 0)
        snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, day);
    else
        snprintf(text, sizeof text, "%04d-%02d-%02dT%02d", year, month, day, hour);
    lua_settop(L, table - 1);
    lua_pushstring(L, text); /* stays on the stack, and so where it is */
    return lua_tostring(L, -1);
}

/* A text, or a table as os.date("!*t") makes it; NULL where it is not given. */
static const char *opt_hour(lua_State *L, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, 2);
    if (lua_istable(L, -1))
        return push_hour(L, name);
    lua_pop(L, 1);
    return lx_opt_text(L, 2, name);
}

static const char *check_hour(lua_State *L, const char *name)
{
    const char *hour = opt_hour(L, name);

    if (hour == NULL && strcmp(name, "end") == 0)
        hour = opt_hour(L, "stop");
    if (hour == NULL)
        luaL_argerror(L, 2, lua_pushfstring(L, "option '%s' is missing", name));
    return hour;
}

enum { MAX_LINE = 8 << 20 };

/* client:export{start=…, stop=…} -> an iterator of events; raises the error table
 * where the window is refused, as everything of an iterator does. */
static int client_export(lua_State *L)
{
    static const char *const names[] = {
        "start",     "end",         "stop",         "fields",         "raw",
        "drop_null", "block_bytes", "ready_blocks", "max_line_bytes", NULL};
    lx_client *c = lx_check_client(L, 1);
    tw_export_options options = TW_EXPORT_OPTIONS_INIT;
    tw_error *err = NULL;
    const char *start;
    const char *end;
    lx_stream *s;
    int fields;
    int rc;

    lua_settop(L, 2);
    lx_check_names(L, 2, names);
    start = check_hour(L, "start");
    end = check_hour(L, "end");
    options.block_bytes = (size_t)lx_opt_whole(L, 2, "block_bytes", 0, 1, 1 << 30);
    options.ready_blocks = (unsigned)lx_opt_whole(L, 2, "ready_blocks", 0, 1, 1000);
    options.max_line_bytes = (size_t)lx_opt_whole(L, 2, "max_line_bytes", 0, 1, 1 << 30);
    fields = lx_push_fields(L, 2);
    s = lx_newstream(L, lx_opt_flag(L, 2, "raw", 0) ? LX_ITEMS_LINES : LX_ITEMS_EVENTS);
    lx_getanchor(L, -1);
    lx_newdecoder(L,
                  options.max_line_bytes > MAX_LINE ? options.max_line_bytes : MAX_LINE,
                  fields, lx_opt_flag(L, 2, "drop_null", 0));
    lua_rawseti(L, -2, LX_STREAM_DECODER);
    lua_pop(L, 1);
    if (c->cl == NULL) {
        lx_fail_closed(L);
        return lua_error(L);
    }
    rc = tw_export_start(&s->job, c->cl, start, end, &options, NULL, &err);
    if (rc != TW_OK)
        return lx_raise(L, rc, err);
    /* The iterator, twice nothing, and what a `for` of 5.4 closes on leaving. */
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushvalue(L, -3);
    return 4;
}

const luaL_Reg lx_export_methods[] = {{"export", client_export}, {NULL, NULL}};
