/* SPDX-License-Identifier: MIT */
/* A spool folder without a client: what tidewheel.spool is made of. */
#include <string.h>

#include <tidewheel/spool.h>

#include "lx.h"

static void release_text(void *text)
{
    tw_text_free(text);
}

static const char *check_path(lua_State *L)
{
    size_t size;
    const char *path = luaL_checklstring(L, 1, &size);

    luaL_argcheck(L, strlen(path) == size, 1, "the path has a NUL inside");
    return path;
}

/* spool_inspect(path) -> table: what the folder holds. */
static int spool_inspect(lua_State *L)
{
    const char *path = check_path(L);
    lx_box *box = lx_newbox(L, release_text);
    tw_error *err = NULL;
    char *text = NULL;
    int rc = tw_spool_inspect(&text, path, &err);

    box->resource = text;
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    lx_push_env(L, LX_ENV_DECODER);
    rc = lx_decode(L, lua_gettop(L), text, strlen(text), &err);
    return rc == TW_OK ? 1 : lx_fail(L, rc, err);
}

/* spool_check(path) -> true where the folder is there and may be used. */
static int spool_check(lua_State *L)
{
    tw_error *err = NULL;
    int rc = tw_spool_check(check_path(L), &err);

    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    lua_pushboolean(L, 1);
    return 1;
}

/* spool_purge(path [, older_than]) -> how many events were thrown away. */
static int spool_purge(lua_State *L)
{
    const char *path = check_path(L);
    lua_Number seconds = luaL_optnumber(L, 2, 0);
    tw_error *err = NULL;
    uint64_t events;
    int rc;

    luaL_argcheck(L, seconds >= 0 && seconds < 1e12, 2, "seconds, 0 or more");
    rc = tw_spool_purge(&events, path, (int64_t)(seconds * 1000), &err);
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    if (!lx_pushinteger(L, (int64_t)events))
        lua_pushnumber(L, (lua_Number)events);
    return 1;
}

int lx_open_spool(lua_State *L)
{
    static const luaL_Reg functions[] = {{"spool_inspect", spool_inspect},
                                         {"spool_check", spool_check},
                                         {"spool_purge", spool_purge},
                                         {NULL, NULL}};
    int env = lua_gettop(L);

    lua_pushvalue(L, env - 1);
    lua_pushvalue(L, env);
    lx_setfuncs(L, functions, 1);
    lua_pop(L, 1);
    return 0;
}
