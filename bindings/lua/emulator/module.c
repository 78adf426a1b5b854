/* SPDX-License-Identifier: MIT */
/* tidewheel.emulator_core: the emulator as a userdata; idiom lives in emulator.lua. */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "compat.h"
#include "emulator.h"
#include "json.h"

#define EMULATOR "tidewheel.emulator"
#define REPLY "tidewheel.emulator.reply"
#define DEPTH_MAX 100

typedef struct emulator {
    twe *e; /* NULL once closed */
} emulator;

/* Holds what C allocated while Lua calls may raise. */
typedef struct reply {
    char *text;
    size_t n;
    emu_arena arena;
} reply;

static int reply_gc(lua_State *L)
{
    reply *r = luaL_checkudata(L, 1, REPLY);

    twe_free(r->text);
    emu_arena_free(&r->arena);
    r->text = NULL;
    return 0;
}

static emulator *check_open(lua_State *L)
{
    emulator *emu = luaL_checkudata(L, 1, EMULATOR);

    if (!emu->e)
        luaL_error(L, "the emulator was closed");
    return emu;
}

static int emulator_close(lua_State *L)
{
    emulator *emu = luaL_checkudata(L, 1, EMULATOR);
    twe *e = emu->e;

    emu->e = NULL;
    twe_stop(e);
    return 0;
}

static const char *option(lua_State *L, const char *name)
{
    const char *value;

    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "option %s was not a string", name);
    value = lua_tostring(L, -1);
    lua_pop(L, 1); /* the options table keeps it alive */
    return value;
}

static int emulator_new(lua_State *L)
{
    twe_options o = TWE_OPTIONS_INIT;
    char err[512];
    emulator *emu;

    luaL_checktype(L, 1, LUA_TTABLE);
    o.store = option(L, "store");
    o.api_key = option(L, "api_key");
    o.secret_key = option(L, "secret_key");
    o.seed = option(L, "seed");
    o.listen = option(L, "listen");
    o.time_zone = option(L, "time_zone");
    o.mcp_token = option(L, "mcp_token");
    lua_getfield(L, 1, "app_id");
    o.app_id = lua_isnil(L, -1) ? 0 : (int64_t)luaL_checknumber(L, -1);
    emu = lx_newuserdata(L, sizeof(*emu));
    emu->e = NULL;
    lx_setmetatable(L, EMULATOR);
    if (twe_start(&emu->e, &o, err, sizeof(err))) {
        lua_pushnil(L);
        lua_pushstring(L, err);
        return 2;
    }
    return 1;
}

/* --- replies as Lua values; null is nil --- */

static void push_value(lua_State *L, reply *r, ej_cur *c, int depth);

static void push_object(lua_State *L, reply *r, ej_cur *c, int depth)
{
    ej_val key;

    lua_newtable(L);
    ej_enter(c);
    while (ej_key(c, &key)) {
        emu_str name = ej_text(&key, &r->arena);

        lua_pushlstring(L, name.s ? name.s : "", name.n);
        push_value(L, r, c, depth);
        lua_rawset(L, -3);
    }
}

static void push_array(lua_State *L, reply *r, ej_cur *c, int depth)
{
    int n = 0;

    lua_newtable(L);
    ej_enter(c);
    while (ej_item(c)) {
        push_value(L, r, c, depth);
        lua_rawseti(L, -2, ++n);
    }
}

static void push_number(lua_State *L, const ej_val *v)
{
    int64_t n;

    if (strcspn(v->raw.s, ".eE,]}") >= v->raw.n && ej_int(v, &n)) {
#if LX_HAVE_INTEGER
        lua_pushinteger(L, (lua_Integer)n);
#else
        lua_pushnumber(L, (lua_Number)n);
#endif
    } else {
        lua_pushnumber(L, ej_double(v));
    }
}

static void push_value(lua_State *L, reply *r, ej_cur *c, int depth)
{
    ej_val v;
    emu_str text;

    if (depth > DEPTH_MAX)
        luaL_error(L, "the reply was nested too deeply");
    luaL_checkstack(L, 4, "reply");
    switch (ej_peek(c)) {
    case EJ_OBJECT:
        push_object(L, r, c, depth + 1);
        return;
    case EJ_ARRAY:
        push_array(L, r, c, depth + 1);
        return;
    default:
        ej_take(c, &v);
    }
    if (v.kind == EJ_STRING) {
        text = ej_text(&v, &r->arena);
        lua_pushlstring(L, text.s ? text.s : "", text.n);
    } else if (v.kind == EJ_NUMBER) {
        push_number(L, &v);
    } else if (v.kind == EJ_BOOL) {
        lua_pushboolean(L, ej_true(&v));
    } else {
        lua_pushnil(L);
    }
}

/* control(method, path [, body]) -> status, reply as a value */
static int emulator_control(lua_State *L)
{
    emulator *emu = check_open(L);
    const char *method = luaL_checkstring(L, 2), *path = luaL_checkstring(L, 3);
    size_t body_n = 0;
    const char *body = luaL_optlstring(L, 4, "", &body_n);
    reply *r = lx_newuserdata(L, sizeof(*r));
    ej_info info;
    ej_cur c;

    *r = (reply){0};
    lx_setmetatable(L, REPLY);
    lua_pushinteger(L, twe_control(emu->e, method, path, body, body_n, &r->text, &r->n));
    if (!r->text || !ej_check((emu_str){r->text, r->n}, &info))
        return luaL_error(L, "the emulator ran out of memory");
    c = ej_at((emu_str){r->text, r->n});
    push_value(L, r, &c, 0);
    return 2;
}

static int emulator_fields(lua_State *L)
{
    twe *e = check_open(L)->e;

    lua_newtable(L);
    lua_pushstring(L, twe_url(e));
    lua_setfield(L, -2, "url");
    lua_pushstring(L, twe_control_url(e));
    lua_setfield(L, -2, "control_url");
    lua_pushstring(L, twe_control_token(e));
    lua_setfield(L, -2, "control_token");
    lua_pushstring(L, twe_storage_url(e));
    lua_setfield(L, -2, "storage_url");
    lua_pushstring(L, twe_api_key(e));
    lua_setfield(L, -2, "api_key");
    lua_pushstring(L, twe_secret_key(e));
    lua_setfield(L, -2, "secret_key");
    lua_pushstring(L, twe_mcp_token(e));
    lua_setfield(L, -2, "mcp_token");
    lua_pushinteger(L, (lua_Integer)twe_app_id(e));
    lua_setfield(L, -2, "app_id");
    return 1;
}

static const luaL_Reg EMULATOR_META[] = {
    {"__gc", emulator_close}, {"__close", emulator_close}, {NULL, NULL}};
static const luaL_Reg EMULATOR_METHODS[] = {{"control", emulator_control},
                                            {"fields", emulator_fields},
                                            {"close", emulator_close},
                                            {NULL, NULL}};
static const luaL_Reg REPLY_META[] = {{"__gc", reply_gc}, {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {{"new", emulator_new}, {NULL, NULL}};

__attribute__((visibility("default"))) int luaopen_tidewheel_emulator_core(lua_State *L)
{
    luaL_newmetatable(L, REPLY);
    lx_setfuncs(L, REPLY_META, 0);
    lua_pop(L, 1);
    luaL_newmetatable(L, EMULATOR);
    lx_setfuncs(L, EMULATOR_META, 0);
    lua_newtable(L);
    lx_setfuncs(L, EMULATOR_METHODS, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_newtable(L);
    lx_setfuncs(L, FUNCTIONS, 0);
    return 1;
}
