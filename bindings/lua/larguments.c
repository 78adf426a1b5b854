/* SPDX-License-Identifier: MIT */
/* Reading arguments: what is wrong by type or by name is misuse and raises. */
#include <string.h>

#include "lx.h"

int64_t lx_opt_timeout(lua_State *L, int arg, int64_t standard)
{
    lua_Number seconds;

    if (lua_isnoneornil(L, arg))
        return standard;
    seconds = luaL_checknumber(L, arg);
    luaL_argcheck(L, seconds >= 0, arg, "a timeout is a number of seconds, 0 or more");
    return seconds > 1e9 ? -1 : (int64_t)(seconds * 1000 + 0.5);
}

void lx_check_names(lua_State *L, int arg, const char *const *names)
{
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        const char *const *known = names;

        if (name == NULL) {
            luaL_argerror(L, arg, "options have names");
            return; /* not reached */
        }
        while (*known != NULL && strcmp(*known, name) != 0)
            known++;
        if (*known == NULL)
            luaL_argerror(L, arg, lua_pushfstring(L, "there is no option '%s'", name));
        lua_pop(L, 1);
    }
}

static int get_field(lua_State *L, int arg, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, arg);
    return lua_type(L, -1);
}

static int bad_option(lua_State *L, int arg, const char *name, const char *rule)
{
    return luaL_argerror(L, arg, lua_pushfstring(L, "option '%s' %s", name, rule));
}

const char *lx_opt_text(lua_State *L, int arg, const char *name)
{
    const char *text;
    size_t size;

    switch (get_field(L, arg, name)) {
    case LUA_TNIL:
        return NULL;
    case LUA_TSTRING:
        text = lua_tolstring(L, -1, &size);
        if (memchr(text, '\0', size) != NULL)
            bad_option(L, arg, name, "has a NUL character inside");
        return text;
    default:
        bad_option(L, arg, name, "is not a string");
        return NULL;
    }
}

int lx_opt_flag(lua_State *L, int arg, const char *name, int standard)
{
    int type = get_field(L, arg, name);
    int flag = lua_toboolean(L, -1);

    if (type != LUA_TNIL && type != LUA_TBOOLEAN)
        bad_option(L, arg, name, "is not a boolean");
    lua_pop(L, 1);
    return type == LUA_TNIL ? standard : flag;
}

int64_t lx_opt_whole(lua_State *L, int arg, const char *name, int64_t standard,
                     int64_t min, int64_t max)
{
    int type = get_field(L, arg, name);
    int64_t value = 0;

    if (type == LUA_TNIL) {
        value = standard;
    } else if (type != LUA_TNUMBER || (!lx_isinteger(L, -1, &value) &&
                                       (lua_Number)(value = (int64_t)lua_tointeger(
                                                        L, -1)) != lua_tonumber(L, -1))) {
        bad_option(L, arg, name, "is not a whole number");
    } else if (value < min || value > max) {
        bad_option(L, arg, name, "is out of range");
    }
    lua_pop(L, 1);
    return value;
}

int lx_opt_callback(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg))
        return 0;
    luaL_checktype(L, arg, LUA_TFUNCTION);
    return 1;
}

int lx_push_fields(lua_State *L, int arg)
{
    int list;
    int set;
    int n;
    int i;

    get_field(L, arg, "fields");
    list = lua_gettop(L);
    if (lua_isnil(L, list))
        return 0;
    luaL_argcheck(L, lua_istable(L, list), arg, "option 'fields' is not a list of names");
    n = (int)lua_rawlen(L, list);
    lua_createtable(L, 0, n);
    set = lua_gettop(L);
    for (i = 1; i <= n; i++) {
        lua_rawgeti(L, list, i);
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, arg,
                      "option 'fields' is not a list of names");
        lua_pushboolean(L, 1);
        lua_rawset(L, set);
    }
    luaL_argcheck(L, n > 0, arg, "option 'fields' is empty");
    return set;
}
