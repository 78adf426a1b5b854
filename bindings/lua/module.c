/* SPDX-License-Identifier: MIT */
/* require "tidewheel.core": the C half of the module; tidewheel/init.lua is what users
 * require. */
#include <string.h>
#include <time.h>

#include "lx.h"

#define ENV "tidewheel.env"
#define BOX "tidewheel.box"

void lx_push_env(lua_State *L, int slot)
{
    lx_getanchor(L, lua_upvalueindex(1));
    lua_rawgeti(L, -1, slot);
    lua_remove(L, -2);
}

void lx_let_hooks_run(lua_State *L)
{
    lx_push_env(L, LX_ENV_STEP);
    lua_call(L, 0, 0);
}

void lx_newclass(lua_State *L, const char *name, const luaL_Reg *methods,
                 const luaL_Reg *meta)
{
    int env = lua_gettop(L);

    luaL_newmetatable(L, name);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_pushliteral(L,
                    "tidewheel"); /* what getmetatable() answers: it is not for sharing */
    lua_setfield(L, -2, "__metatable");
    lua_pushvalue(L, env);
    lx_setfuncs(L, meta, 1);
    lua_newtable(L);
    if (methods != NULL) {
        lua_pushvalue(L, env);
        lx_setfuncs(L, methods, 1);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, "__index");
    }
    lua_remove(L, -2);
}

static int box_gc(lua_State *L)
{
    lx_box *box = luaL_checkudata(L, 1, BOX);
    void *resource = box->resource;

    box->resource = NULL;
    if (resource != NULL)
        box->release(resource);
    return 0;
}

lx_box *lx_newbox(lua_State *L, void (*release)(void *resource))
{
    lx_box *box = lx_newuserdata(L, sizeof *box);

    box->resource = NULL;
    box->release = release;
    lx_setmetatable(L, BOX);
    return box;
}

void *lx_newboxed(lua_State *L, size_t size, void (*release)(void *resource))
{
    lx_box *box = lx_newuserdata(L, size);

    memset(box, 0, size);
    box->resource = box;
    box->release = release;
    lx_setmetatable(L, BOX);
    return box;
}

int lx_open_box(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", box_gc}, {NULL, NULL}};

    lx_newclass(L, BOX, NULL, meta);
    lua_pop(L, 1);
    return 0;
}

static int env_gc(lua_State *L)
{
    lx_env *env = luaL_checkudata(L, 1, ENV);

    tw_json_writer_free(env->writer);
    env->writer = NULL;
    lx_release_keys(L, env);
    return 0;
}

/* clock() -> seconds of a clock that only goes forward; what the adapters measure a
 * tick by. */
static int core_clock(lua_State *L)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
    return 1;
}

/* LuaJIT's boxed integers have no C functions: this gives their digits. */
static const char int64_helper[] =
    "local ok, ffi = pcall(require, 'ffi')\n"
    "if not (ok and rawget(_G, 'jit')) then return nil end\n"
    "local signed, unsigned = ffi.typeof('int64_t'), ffi.typeof('uint64_t')\n"
    "local istype, tostring, match = ffi.istype, tostring, string.match\n"
    "return function(value)\n"
    "  if istype(signed, value) or istype(unsigned, value) then\n"
    "    return match(tostring(value), '^-?%d+')\n"
    "  end\n"
    "end\n";

/* Pushes the env with its anchor; the decoder comes later, it needs the metatables. */
static lx_env *push_new_env(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", env_gc}, {NULL, NULL}};
    lx_env *env = lx_newuserdata(L, sizeof *env);

    memset(env, 0, sizeof *env);
    lx_newclass(L, ENV, NULL, meta);
    lua_pop(L, 1);
    lx_setmetatable(L, ENV);
    lua_createtable(L, 4, 0);
    if (luaL_loadstring(L, "return") != 0)
        lua_error(L);
    lua_rawseti(L, -2, LX_ENV_STEP);
    if (luaL_loadstring(L, int64_helper) != 0)
        lua_error(L);
    lua_call(L, 0, 1);
    env->has_int64 = lua_isfunction(L, -1);
    lua_rawseti(L, -2, LX_ENV_INT64);
    lua_pushcfunction(L, lx_list_pairs);
    lua_rawseti(L, -2, LX_ENV_PAIRS);
    lx_setanchor(L, -2);
    return env;
}

/* An answer that is no stream is this large at most. */
#define MAX_ANSWER ((size_t)1 << 30)

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int luaopen_tidewheel_core(lua_State *L);

int luaopen_tidewheel_core(lua_State *L)
{
    lua_newtable(L);
    push_new_env(L);
    lx_open_error(L);
    lx_open_box(L);
    lx_open_json(L);
    lx_open_decoder(L);
    lx_getanchor(L, -1);
    lx_newdecoder(L, MAX_ANSWER, 0, 0);
    lua_rawseti(L, -2, LX_ENV_DECODER);
    lx_newdecoder(L, MAX_ANSWER, 0, 1);
    lua_rawseti(L, -2, LX_ENV_ANSWERS);
    lua_pop(L, 1);
    lx_open_client(L);
    lx_open_cohorts(L);
    lx_open_job(L);
    lx_open_stream(L);
    lx_open_spool(L);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lx_setfuncs(L, lx_taxonomy_functions, 1);
    lua_pop(L, 1);
    lua_pushcclosure(L, core_clock, 1); /* takes the env off */
    lua_setfield(L, -2, "clock");
    lua_pushstring(L, tw_version());
    lua_setfield(L, -2, "version");
    return 1;
}
