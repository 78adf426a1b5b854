/* SPDX-License-Identifier: MIT */
/* Errors of the core as Lua tables. */
#include <string.h>

#include "lx.h"

/* A copy that needs no freeing, so that building the table may raise. */
typedef struct error_copy {
    int code;
    int http_status;
    int retriable;
    tw_stored stored;
    int64_t retry_after_ms;
    int64_t index;
    int64_t rpc_code;
    char message[600];
    char field[300];
    char resource_metadata[600];
} error_copy;

static void copy_text(char *out, size_t room, const char *text)
{
    size_t size = text != NULL ? strlen(text) : 0;

    if (size >= room)
        size = room - 1;
    if (size > 0)
        memcpy(out, text, size);
    out[size] = '\0';
}

/* Takes `err`. */
static void copy_error(error_copy *copy, int code, tw_error *err)
{
    memset(copy, 0, sizeof *copy);
    copy->code = code;
    copy->http_status = tw_error_http_status(err);
    copy->retriable = tw_error_retriable(err);
    copy->stored = tw_error_stored(err);
    copy->retry_after_ms = tw_error_retry_after_ms(err);
    copy->index = tw_error_index(err);
    copy->rpc_code = tw_error_rpc_code(err);
    copy_text(copy->message, sizeof copy->message,
              err != NULL ? tw_error_message(err) : tw_code_name(code));
    copy_text(copy->field, sizeof copy->field, tw_error_field(err));
    copy_text(copy->resource_metadata, sizeof copy->resource_metadata,
              tw_error_resource_metadata(err));
    tw_error_free(err);
}

static void set_text(lua_State *L, const char *name, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static void set_number(lua_State *L, const char *name, int64_t value)
{
    if (!lx_pushinteger(L, value))
        lua_pushnumber(L, (lua_Number)value);
    lua_setfield(L, -2, name);
}

static void push_copy(lua_State *L, const error_copy *copy)
{
    static const char *const stored[] = {"no", "maybe", "yes"};

    lua_createtable(L, 0, 8);
    set_text(L, "code", copy->code == TW_AGAIN ? "again" : tw_code_name(copy->code));
    set_text(L, "message", copy->message);
    set_text(L, "stored",
             stored[copy->stored <= TW_STORED_YES ? copy->stored : TW_STORED_MAYBE]);
    lua_pushboolean(L, copy->retriable);
    lua_setfield(L, -2, "retriable");
    if (copy->http_status != 0)
        set_number(L, "http_status", copy->http_status);
    if (copy->retry_after_ms >= 0) {
        lua_pushnumber(L, (lua_Number)copy->retry_after_ms / 1000);
        lua_setfield(L, -2, "retry_after");
    }
    if (copy->index >= 0)
        set_number(L, "index", copy->index);
    if (copy->field[0] != '\0')
        set_text(L, "field", copy->field);
    if (copy->rpc_code != 0)
        set_number(L, "rpc_code", copy->rpc_code);
    if (copy->resource_metadata[0] != '\0')
        set_text(L, "resource_metadata", copy->resource_metadata);
    lx_setmetatable(L, LX_ERROR);
}

void lx_push_error(lua_State *L, int code, tw_error *err)
{
    error_copy copy;

    copy_error(&copy, code, err);
    if (code == TW_E_NOMEM)
        luaL_error(L, "not enough memory");
    if (code == TW_E_INVALID)
        luaL_error(L, "%s", copy.message);
    push_copy(L, &copy);
}

int lx_fail(lua_State *L, int code, tw_error *err)
{
    lua_pushnil(L);
    lx_push_error(L, code, err);
    return 2;
}

int lx_raise(lua_State *L, int code, tw_error *err)
{
    lx_push_error(L, code, err);
    return lua_error(L);
}

int lx_fail_text(lua_State *L, int code, const char *message)
{
    error_copy copy;

    memset(&copy, 0, sizeof copy);
    copy.code = code;
    copy.retriable = code == TW_AGAIN;
    copy.retry_after_ms = -1;
    copy.index = -1;
    copy_text(copy.message, sizeof copy.message, message);
    lua_pushnil(L);
    push_copy(L, &copy);
    return 2;
}

int lx_fail_closed(lua_State *L)
{
    return lx_fail_text(L, TW_E_CLOSED, "the object was closed");
}

/* "validation: event_type was missing"; what an uncaught error shows. */
static int error_tostring(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushliteral(L, "code");
    lua_rawget(L, 1);
    lua_pushliteral(L, "message");
    lua_rawget(L, 1);
    lua_pushfstring(L, "%s: %s", lua_isstring(L, -2) ? lua_tostring(L, -2) : "error",
                    lua_isstring(L, -1) ? lua_tostring(L, -1) : "");
    return 1;
}

/* Expects the env on top and leaves it there. */
int lx_open_error(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__tostring", error_tostring}, {NULL, NULL}};

    lx_newclass(L, LX_ERROR, NULL, meta);
    lua_pop(L, 1);
    return 0;
}
