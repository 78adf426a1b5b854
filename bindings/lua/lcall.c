/* SPDX-License-Identifier: MIT */
/* Calls by name with arguments: client:call_start. */
#include "lx.h"

static void release_arguments(void *args)
{
    tw_arguments_abort(args);
}

/* The table at 3 is an object, also an empty one. */
static int encode_arguments(lua_State *L, lx_encoder *en, void *ctx)
{
    int rc = tw_json_put_object(en->wr);

    (void)ctx;
    if (rc == TW_OK && lua_istable(L, 3))
        rc = lx_encode_members(L, en, 3);
    return rc == TW_OK ? tw_json_put_object_end(en->wr) : rc;
}

/* client:call_start(endpoint [, arguments [, callback]]) -> job, or nil and the error; its
 * result is what was answered, in its one form. */
static int client_call_start(lua_State *L)
{
    lx_client *c = lx_check_client(L, 1);
    const char *endpoint = luaL_checkstring(L, 2);
    int callback = lx_opt_callback(L, 4) ? 4 : 0;
    lx_encoding run = {.body = encode_arguments};
    tw_error *err = NULL;
    tw_arguments *args = NULL;
    tw_queue *queue;
    lx_box *box;
    lx_job *j;
    int rc;

    if (!lua_isnoneornil(L, 3))
        luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 4);
    if (c->cl == NULL)
        return lx_fail_closed(L);
    lx_prepare_encoding(L, &run);
    box = lx_newbox(L, release_arguments);
    rc = tw_arguments_begin(&args, c->cl, endpoint, &err);
    box->resource = args;
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    run.en.wr = tw_arguments_writer(args);
    lx_run_encoding(L, &run);
    if (run.code == TW_E_NOMEM)
        return lx_fail(L, TW_E_NOMEM, NULL);
    j = lx_newjob(L, 1, LX_RESULT_CALL, callback);
    rc = lx_job_queue(&queue, j, &err);
    if (rc == TW_OK) {
        box->resource = NULL;
        rc = tw_arguments_start(&j->job, args, queue, &err);
    }
    return lx_job_started(L, j, rc, err);
}

/* client:estimate(endpoint [, arguments]) -> the cost, or nil and the error. */
static int client_estimate(lua_State *L)
{
    lx_client *c = lx_check_client(L, 1);
    const char *endpoint = luaL_checkstring(L, 2);
    lx_encoding run = {.body = encode_arguments};
    tw_error *err = NULL;
    tw_arguments *args = NULL;
    int64_t cost;
    lx_box *box;
    int rc;

    if (!lua_isnoneornil(L, 3))
        luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    if (c->cl == NULL)
        return lx_fail_closed(L);
    lx_prepare_encoding(L, &run);
    box = lx_newbox(L, release_arguments);
    rc = tw_arguments_begin(&args, c->cl, endpoint, &err);
    box->resource = args;
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    run.en.wr = tw_arguments_writer(args);
    lx_run_encoding(L, &run);
    if (run.code == TW_E_NOMEM)
        return lx_fail(L, TW_E_NOMEM, NULL);
    box->resource = NULL;
    rc = tw_arguments_estimate(&cost, args, &err);
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    if (!lx_pushinteger(L, cost))
        lua_pushnumber(L, (lua_Number)cost);
    return 1;
}

/* client:set_mcp_token(token or nil) -> true, or nil and the error. */
static int client_set_mcp_token(lua_State *L)
{
    lx_client *c = lx_check_client(L, 1);
    size_t size = 0;
    const char *token = luaL_optlstring(L, 2, NULL, &size);
    tw_error *err = NULL;
    int rc;

    if (c->cl == NULL)
        return lx_fail_closed(L);
    rc = tw_mcp_set_token(c->cl, token, size, &err);
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    lua_pushboolean(L, 1);
    return 1;
}

const luaL_Reg lx_call_methods[] = {{"set_mcp_token", client_set_mcp_token},
                                    {"call_start", client_call_start},
                                    {"estimate", client_estimate},
                                    {NULL, NULL}};
