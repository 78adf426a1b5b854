/* SPDX-License-Identifier: MIT */
/* tw.json: the module's reader and writer for anyone's documents. */
#include <string.h>

#include "lx.h"

/* A document's own limits: those of events do not apply here. */
enum { MAX_DEPTH = 64, KEPT_BYTES = 1 << 20 };
#define MAX_BYTES ((size_t)1 << 30)

static int json_new_writer(tw_json_writer **out, tw_error **err)
{
    tw_json_writer_options options = TW_JSON_WRITER_OPTIONS_INIT;

    options.max_bytes = MAX_BYTES;
    options.max_string_chars = 0;
    options.max_depth = MAX_DEPTH;
    return tw_json_writer_new(out, &options, err);
}

static void release_writer(void *wr)
{
    tw_json_writer_free(wr);
}

static int encode_argument(lua_State *L, lx_encoder *en, void *ctx)
{
    (void)ctx;
    return lx_encode(L, en, 1);
}

/* json.encode(value [, default]) -> text, or nil and the error. */
static int json_encode(lua_State *L)
{
    lx_env *env = lx_getenv(L);
    lx_encoding run = {.body = encode_argument};
    tw_error *err = NULL;
    const char *text;
    size_t size;
    int raised;
    int rc;

    luaL_checkany(L, 1);
    run.en.hook = lx_opt_callback(L, 2) ? 2 : 0;
    lua_settop(L, 2);
    lx_prepare_encoding(L, &run);
    if (env->writing) { /* within the hook of another encoding */
        lx_box *box = lx_newbox(L, release_writer);

        rc = json_new_writer(&run.en.wr, &err);
        box->resource = run.en.wr;
    } else {
        rc = env->writer == NULL ? json_new_writer(&env->writer, &err) : TW_OK;
        run.en.wr = env->writer;
    }
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    tw_json_writer_reset(run.en.wr);
    env->writing++;
    raised = lx_run_encoding(L, &run);
    env->writing--;
    if (raised)
        return lua_error(L);
    if (run.code == TW_E_NOMEM)
        return lx_fail(L, TW_E_NOMEM, NULL);
    if (run.code != TW_OK) {
        rc = tw_json_writer_error(run.en.wr, &err);
        return lx_fail(L, rc, err);
    }
    text = tw_json_writer_text(run.en.wr, &size);
    lua_pushlstring(L, text, size);
    if (size > KEPT_BYTES && run.en.wr == env->writer) {
        tw_json_writer_free(env->writer);
        env->writer = NULL;
    }
    return 1;
}

/* json.decode(text) -> value, or nil and the error. */
static int json_decode(lua_State *L)
{
    tw_error *err = NULL;
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    int rc;

    lx_push_env(L, LX_ENV_DECODER);
    rc = lx_decode(L, lua_gettop(L), text, size, &err);
    return rc == TW_OK ? 1 : lx_fail(L, rc, err);
}

static int decode_some(lua_State *L)
{
    tw_error *err = NULL;
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    int rc;

    lua_pushvalue(L, lua_upvalueindex(2));
    rc = lx_decode(L, lua_gettop(L), text, size, &err);
    return rc == TW_OK ? 1 : lx_fail(L, rc, err);
}

/* json.decoder{fields=…, drop_null=…} -> a function as json.decode that builds less. */
static int json_decoder(lua_State *L)
{
    static const char *const names[] = {"fields", "drop_null", NULL};
    int fields;

    lua_settop(L, 1);
    lx_check_names(L, 1, names);
    fields = lx_push_fields(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lx_newdecoder(L, (size_t)1 << 30, fields, lx_opt_flag(L, 1, "drop_null", 0));
    lua_pushcclosure(L, decode_some, 2);
    return 1;
}

static int mark_table(lua_State *L, const char *name)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_getmetatable(L, name);
    if (lua_getmetatable(L, 1) && !lua_rawequal(L, -1, -2)) {
        const void *mt = lua_topointer(L, -1);
        const lx_env *env = lx_getenv(L);

        luaL_argcheck(L, mt == env->array_mt || mt == env->object_mt, 1,
                      "the table has a metatable of its own");
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

/* array([table]) -> the same table (or a new one), encoded as an array even when
 * empty. */
static int json_array(lua_State *L)
{
    return mark_table(L, LX_ARRAY);
}

/* object([table]) -> the same table (or a new one), encoded as an object. */
static int json_object(lua_State *L)
{
    return mark_table(L, LX_OBJECT);
}

/* Expects the env and below it the module's table, and leaves them. */
int lx_open_json(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"json_encode", json_encode},   {"json_decode", json_decode},
        {"json_decoder", json_decoder}, {"array", json_array},
        {"object", json_object},        {NULL, NULL}};
    lx_env *env = lua_touserdata(L, -1);

    luaL_newmetatable(L, LX_ARRAY);
    env->array_mt = lua_topointer(L, -1);
    luaL_newmetatable(L, LX_OBJECT);
    env->object_mt = lua_topointer(L, -1);
    lua_pop(L, 2);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lx_setfuncs(L, functions, 1);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    lua_pop(L, 1);
    return 0;
}
