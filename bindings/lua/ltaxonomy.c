/* SPDX-License-Identifier: MIT */
/* The tracking plan as a document: what lua/tidewheel/taxonomy.lua builds on. */
#include "lx.h"

/* taxonomy_pull_start(client, part [, callback]) -> job, or nil and the error. */
static int taxonomy_pull_start(lua_State *L)
{
    /* A document keeps its nulls; a state is for taxonomy_diff alone. */
    static const lx_result results[] = {LX_RESULT_DOCUMENT, LX_RESULT_RAW,
                                        LX_RESULT_CALL};
    static const char *const parts[] = {"plan", "state", "event_properties", NULL};
    lx_client *c = lx_check_client(L, 1);
    int part = luaL_checkoption(L, 2, NULL, parts);
    int callback = lx_opt_callback(L, 3) ? 3 : 0;
    tw_error *err = NULL;
    tw_queue *queue;
    lx_job *j;
    int rc;

    lua_settop(L, 3);
    if (c->cl == NULL)
        return lx_fail_closed(L);
    j = lx_newjob(L, 1, results[part], callback);
    rc = lx_job_queue(&queue, j, &err);
    if (rc == TW_OK)
        rc = tw_taxonomy_pull_start(&j->job, c->cl, (tw_taxonomy_part)part, queue, &err);
    return lx_job_started(L, j, rc, err);
}

static void release_text(void *text)
{
    tw_text_free(text);
}

/* taxonomy_diff(state, plan, deletes) -> table, or nil and the error; both are JSON texts. */
static int taxonomy_diff(lua_State *L)
{
    size_t state_size, plan_size, size;
    const char *state = luaL_checklstring(L, 1, &state_size);
    const char *plan = luaL_checklstring(L, 2, &plan_size);
    lx_box *box = lx_newbox(L, release_text);
    tw_error *err = NULL;
    char *text = NULL;
    int rc = tw_taxonomy_diff(&text, &size, state, state_size, plan, plan_size,
                              lua_toboolean(L, 3), &err);

    box->resource = text;
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    lx_push_env(L, LX_ENV_ANSWERS);
    rc = lx_decode(L, lua_gettop(L), text, size, &err);
    return rc == TW_OK ? 1 : lx_fail(L, rc, err);
}

const luaL_Reg lx_taxonomy_functions[] = {{"taxonomy_pull_start", taxonomy_pull_start},
                                          {"taxonomy_diff", taxonomy_diff},
                                          {NULL, NULL}};
