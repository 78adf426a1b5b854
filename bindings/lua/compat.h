/* SPDX-License-Identifier: MIT */
/* The differences between Lua 5.1, LuaJIT, 5.2, 5.3 and 5.4, all of them here and
 * nowhere else. */
#ifndef TW_LUA_COMPAT_H
#define TW_LUA_COMPAT_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>

/* LuaJIT's own type of boxed C data; 5.1's headers, on which its module is built, have
 * no name for it. */
enum { LX_TCDATA = 10 };

/* Where a number is only a double, integers are exact up to here. */
#define LX_EXACT INT64_C(9007199254740992)

/* A Lua integer of 64 bits exists from 5.3 on. */
#if LUA_VERSION_NUM >= 503
#define LX_HAVE_INTEGER 1
#else
#define LX_HAVE_INTEGER 0
#endif

#if LUA_VERSION_NUM < 502

#define lua_rawlen(L, i) lua_objlen((L), (i))

static inline int lx_absindex(lua_State *L, int i)
{
    return i > 0 || i <= LUA_REGISTRYINDEX ? i : lua_gettop(L) + i + 1;
}

static inline void lx_setfuncs(lua_State *L, const luaL_Reg *l, int nup)
{
    for (; l->name != NULL; l++) {
        int i;

        for (i = 0; i < nup; i++)
            lua_pushvalue(L, -nup);
        lua_pushcclosure(L, l->func, nup);
        lua_setfield(L, -(nup + 2), l->name);
    }
    lua_pop(L, nup);
}

static inline void lx_setmetatable(lua_State *L, const char *name)
{
    luaL_getmetatable(L, name);
    lua_setmetatable(L, -2);
}

static inline void *lx_testudata(lua_State *L, int i, const char *name)
{
    void *p = lua_touserdata(L, i);
    int same;

    if (p == NULL || lua_islightuserdata(L, i) || !lua_getmetatable(L, i))
        return NULL;
    luaL_getmetatable(L, name);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same ? p : NULL;
}

#else

#define lx_absindex lua_absindex
#define lx_setfuncs luaL_setfuncs
#define lx_setmetatable luaL_setmetatable
#define lx_testudata luaL_testudata

#endif

/* A userdata has one table of its own that keeps alive what it needs: "the anchor". */

#if LUA_VERSION_NUM >= 504
#define lx_newuserdata(L, size) lua_newuserdatauv((L), (size), 1)
#else
#define lx_newuserdata(L, size) lua_newuserdata((L), (size))
#endif

/* Pops a table and makes it the anchor of the userdata at `i`. */
static inline void lx_setanchor(lua_State *L, int i)
{
#if LUA_VERSION_NUM >= 504
    lua_setiuservalue(L, i, 1);
#elif LUA_VERSION_NUM >= 502
    lua_setuservalue(L, i);
#else
    lua_setfenv(L, i);
#endif
}

/* Pushes the anchor. */
static inline void lx_getanchor(lua_State *L, int i)
{
#if LUA_VERSION_NUM >= 504
    lua_getiuservalue(L, i, 1);
#elif LUA_VERSION_NUM >= 502
    lua_getuservalue(L, i);
#else
    lua_getfenv(L, i);
#endif
}

/* Nonzero where the number at `i` is an integer in the language's own eyes: by type
 * from 5.3 on, by value within 2^53 before (-0 is none). */
static inline int lx_isinteger(lua_State *L, int i, int64_t *value)
{
#if LX_HAVE_INTEGER
    if (!lua_isinteger(L, i))
        return 0;
    *value = (int64_t)lua_tointeger(L, i);
    return 1;
#else
    lua_Number number = lua_tonumber(L, i);

    /* NaN fails both comparisons. */
    if (!(number >= -(lua_Number)LX_EXACT && number <= (lua_Number)LX_EXACT))
        return 0;
    *value = (int64_t)number;
    return (lua_Number)*value == number && (number != 0 || !signbit(number));
#endif
}

/* Pushes an integer where the language can hold it exactly; returns 0 where it cannot. */
static inline int lx_pushinteger(lua_State *L, int64_t value)
{
#if LX_HAVE_INTEGER
    lua_pushinteger(L, (lua_Integer)value);
#else
    if (value < -LX_EXACT || value > LX_EXACT)
        return 0;
    lua_pushnumber(L, (lua_Number)value);
#endif
    return 1;
}

/* A line for whoever watches: the interpreter's warnings, or standard error before
 * 5.4. */
static inline void lx_warning(lua_State *L, const char *text)
{
#if LUA_VERSION_NUM >= 504
    lua_warning(L, text, 0);
#else
    (void)L;
    fprintf(stderr, "%s\n", text);
#endif
}

#endif
