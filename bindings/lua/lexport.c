/* SPDX-License-Identifier: MIT */
/* Exports: client:export. */
#include <string.h>

#include "lx.h"

static const char *check_hour(lua_State *L, const char *name)
{
    const char *hour = lx_opt_text(L, 2, name);

    if (hour == NULL && strcmp(name, "end") == 0)
        hour = lx_opt_text(L, 2, "stop");
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
