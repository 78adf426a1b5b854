/* SPDX-License-Identifier: MIT */
/* Streams: iterators over the events of an export and the records of a cohort's file. */
#include <string.h>

#include "lx.h"

/* Columns of a cohort's file: two, and the properties that were asked for. */
enum { MAX_COLUMNS = 4096 };

static lx_stream *check_stream(lua_State *L)
{
    return luaL_checkudata(L, 1, LX_STREAM);
}

lx_stream *lx_newstream(lua_State *L, lx_items items)
{
    lx_stream *s = lx_newuserdata(L, sizeof *s);

    memset(s, 0, sizeof *s);
    s->items = items;
    lx_setmetatable(L, LX_STREAM);
    lua_createtable(L, 4, 0);
    if (items == LX_ITEMS_IDS || items == LX_ITEMS_ROWS) {
        s->cells = lx_newuserdata(L, MAX_COLUMNS * sizeof *s->cells);
        lua_rawseti(L, -2, LX_STREAM_CELLS);
    }
    lx_setanchor(L, -2);
    return s;
}

static void close_stream(lx_stream *s)
{
    tw_job *job = s->job;

    tw_block_free(s->block);
    s->block = NULL;
    s->job = NULL;
    if (job != NULL) {
        tw_job_cancel(job);
        tw_job_unref(job);
    }
}

/* ---- CSV records ------------------------------------------------------------------- */

typedef enum step { STEP_ITEM, STEP_NONE, STEP_FAILED } step;

static step fail_records(lua_State *L, const char *message)
{
    lx_fail_text(L, TW_E_PROTOCOL, message);
    lua_remove(L, -2);
    return STEP_FAILED;
}

static int find_column(const lx_stream *s, const char *name)
{
    size_t i;

    for (i = 0; i < s->columns; i++) {
        if (s->cells[i].size == strlen(name) &&
            memcmp(s->cells[i].text, name, s->cells[i].size) == 0)
            return (int)i;
    }
    return -1;
}

/* The first record names the columns. */
static step take_header(lua_State *L, lx_stream *s, int anchor, size_t count)
{
    const char *name;
    int column;
    size_t i;

    s->columns = count;
    if (s->items == LX_ITEMS_ROWS) {
        lua_createtable(L, (int)count, 0);
        for (i = 0; i < count; i++) {
            lua_pushlstring(L, s->cells[i].text, s->cells[i].size);
            lua_rawseti(L, -2, (int)i + 1);
        }
        lua_rawseti(L, anchor, LX_STREAM_NAMES);
        return STEP_ITEM;
    }
    lua_rawgeti(L, anchor, LX_STREAM_COLUMN);
    name = lua_tostring(L, -1);
    column = find_column(s, name != NULL ? name : "user_id");
    if (column < 0 && name == NULL)
        column = find_column(s, "group_value");
    if (column < 0)
        return fail_records(L, lua_pushfstring(L, "the cohort's file had no column '%s'",
                                               name != NULL ? name : "user_id"));
    lua_pop(L, 1);
    s->column = (size_t)column;
    return STEP_ITEM;
}

/* Pushes the item of the record in the cells: STEP_NONE for one without an id. */
static step push_record(lua_State *L, const lx_stream *s, int anchor)
{
    size_t i;

    if (s->items == LX_ITEMS_IDS) {
        const tw_csv_cell *cell = &s->cells[s->column];

        if (cell->size == 0)
            return STEP_NONE;
        lua_pushlstring(L, cell->text, cell->size);
        return STEP_ITEM;
    }
    lua_rawgeti(L, anchor, LX_STREAM_NAMES);
    lua_createtable(L, 0, (int)s->columns);
    for (i = 0; i < s->columns; i++) {
        lua_rawgeti(L, -2, (int)i + 1);
        lua_pushlstring(L, s->cells[i].text, s->cells[i].size);
        lua_rawset(L, -3);
    }
    lua_remove(L, -2);
    return STEP_ITEM;
}

static step next_record(lua_State *L, lx_stream *s, int anchor)
{
    for (;;) {
        size_t count = 0;
        int rc = tw_csv_next(s->cells, MAX_COLUMNS, &count, s->block);
        step done;

        if (rc == TW_DONE)
            return STEP_NONE;
        if (rc != TW_OK || count > MAX_COLUMNS)
            return fail_records(L, "the cohort's file had a malformed record");
        if (s->columns != 0 && s->columns != count)
            return fail_records(
                L, "a record of the cohort's file had other columns than its "
                   "header");
        if (s->columns == 0) {
            done = take_header(L, s, anchor, count);
            if (done == STEP_FAILED)
                return done;
            continue;
        }
        s->count++;
        done = push_record(L, s, anchor);
        if (done == STEP_ITEM)
            return done;
    }
}

/* ---- lines ------------------------------------------------------------------------- */

static step next_line(lua_State *L, lx_stream *s, int anchor)
{
    tw_error *err = NULL;
    const char *text;
    size_t size;
    int rc = tw_block_next_line(&text, &size, s->block);

    if (rc == TW_DONE)
        return STEP_NONE;
    s->count++;
    if (rc == TW_OK && s->items == LX_ITEMS_LINES) {
        lua_pushlstring(L, text, size);
        return STEP_ITEM;
    }
    if (rc == TW_OK) {
        lua_rawgeti(L, anchor, LX_STREAM_DECODER);
        rc = lx_decode(L, lua_gettop(L), text, size, &err);
    }
    if (rc == TW_OK) {
        lua_remove(L, -2);
        return STEP_ITEM;
    }
    lx_push_error(L, rc, err);
    lua_pushnumber(L, (lua_Number)(s->count - 1));
    lua_setfield(L, -2, "index");
    return STEP_FAILED;
}

/* ---- reading ----------------------------------------------------------------------- */

/* Pushes the next item, nil at the end, or an error table; the step says which. */
static step next_item(lua_State *L, lx_stream *s, int64_t end_ms)
{
    tw_error *err = NULL;
    int anchor;
    int rc;

    lx_getanchor(L, 1);
    anchor = lua_gettop(L);
    for (;;) {
        if (s->block != NULL) {
            step done = s->items == LX_ITEMS_EVENTS || s->items == LX_ITEMS_LINES
                            ? next_line(L, s, anchor)
                            : next_record(L, s, anchor);

            if (done == STEP_FAILED)
                close_stream(s);
            if (done != STEP_NONE)
                return done;
            tw_block_free(s->block);
            s->block = NULL;
        }
        if (s->job == NULL) {
            if (s->ended) {
                lua_pushnil(L);
                return STEP_NONE;
            }
            lx_fail_closed(L);
            return STEP_FAILED;
        }
        rc = tw_job_next(&s->block, s->job, &err);
        if (rc == TW_AGAIN && lx_wait(L, s->job, end_ms) == TW_AGAIN) {
            lx_fail_text(L, TW_AGAIN, "no more data came in time");
            return STEP_FAILED;
        }
        if (rc == TW_DONE) {
            s->ended = 1;
            close_stream(s);
        } else if (rc < 0) {
            close_stream(s);
            lx_push_error(L, rc, err);
            return STEP_FAILED;
        }
    }
}

/* stream:next([timeout]) -> item; nil at the end; nil and the error. With 0 it never
 * waits. */
static int stream_next(lua_State *L)
{
    lx_stream *s = check_stream(L);
    int64_t end = lx_deadline(lx_opt_timeout(L, 2, -1));

    if (next_item(L, s, end) != STEP_FAILED)
        return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

/* What a generic `for` calls: errors are raised. */
static int stream_call(lua_State *L)
{
    lx_stream *s = check_stream(L);

    return next_item(L, s, -1) != STEP_FAILED ? 1 : lua_error(L);
}

/* stream:fd() -> a descriptor, readable while next(0) may have an item. */
static int stream_fd(lua_State *L)
{
    lx_stream *s = check_stream(L);

    if (s->job == NULL)
        return lx_fail_closed(L);
    lua_pushinteger(L, tw_job_fd(s->job));
    return 1;
}

/* stream:count() -> number of lines or records read so far. */
static int stream_count(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)check_stream(L)->count);
    return 1;
}

/* stream:close(): frees the connection at once; again does nothing. */
static int stream_close(lua_State *L)
{
    close_stream(check_stream(L));
    return 0;
}

static int stream_tostring(lua_State *L)
{
    lx_stream *s = check_stream(L);

    lua_pushfstring(L, LX_STREAM " (%s)",
                    s->job != NULL ? "open"
                    : s->ended     ? "at its end"
                                   : "closed");
    return 1;
}

int lx_open_stream(lua_State *L)
{
    static const luaL_Reg methods[] = {{"next", stream_next},
                                       {"fd", stream_fd},
                                       {"count", stream_count},
                                       {"close", stream_close},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__call", stream_call},
                                    {"__gc", stream_close},
                                    {"__close", stream_close},
                                    {"__tostring", stream_tostring},
                                    {NULL, NULL}};
    int env = lua_gettop(L);

    lx_newclass(L, LX_STREAM, methods, meta);
    lua_setfield(L, env - 1, "stream");
    return 0;
}
