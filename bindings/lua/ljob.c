/* SPDX-License-Identifier: MIT */
/* Jobs: calls that go on in the I/O thread. */
#include <string.h>
#include <time.h>

#include "lx.h"

enum { SLICE_MS = 100 };

static lx_job *check_job(lua_State *L)
{
    return luaL_checkudata(L, 1, LX_JOB);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int lx_wait(lua_State *L, tw_job *job, int64_t end_ms)
{
    for (;;) {
        int64_t slice = SLICE_MS;
        int rc;

        if (end_ms >= 0 && end_ms - now_ms() < slice)
            slice = end_ms - now_ms();
        rc = tw_job_wait(job, slice > 0 ? slice : 0);
        if (rc == TW_OK)
            return TW_OK;
        if (end_ms >= 0 && now_ms() >= end_ms)
            return TW_AGAIN;
        lx_let_hooks_run(L);
    }
}

int64_t lx_deadline(int64_t timeout_ms)
{
    return timeout_ms >= 0 ? now_ms() + timeout_ms : -1;
}

/* ---- starting ---------------------------------------------------------------------- */

lx_job *lx_newjob(lua_State *L, int client, lx_result result, int callback)
{
    lx_job *j;

    client = lx_absindex(L, client);
    j = lx_newuserdata(L, sizeof *j);
    memset(j, 0, sizeof *j);
    lx_setmetatable(L, LX_JOB);
    j->client = lua_touserdata(L, client);
    j->result = result;
    j->callback = callback != 0;
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, client);
    lua_rawseti(L, -2, LX_JOB_CLIENT);
    if (callback != 0) {
        lua_pushvalue(L, callback);
        lua_rawseti(L, -2, LX_JOB_CALLBACK);
        /* Known to the client before it starts, so that nothing can fail after. */
        lx_getanchor(L, client);
        lua_rawgeti(L, -1, LX_CLIENT_PENDING);
        lua_pushlightuserdata(L, j);
        lua_pushvalue(L, -5);
        lua_rawset(L, -3);
        lua_pop(L, 2);
    }
    lx_setanchor(L, -2);
    return j;
}

int lx_job_queue(tw_queue **out, lx_job *j, tw_error **err)
{
    int rc;

    *out = NULL;
    if (!j->callback)
        return TW_OK;
    rc = lx_client_queue(j->client, err);
    if (rc == TW_OK)
        *out = j->client->queue;
    return rc;
}

/* The client no longer keeps the job, which is at `index`, for its callback. No memory
 * needed. */
static void forget_callback(lua_State *L, lx_job *j, int index)
{
    if (!j->callback)
        return;
    lx_getanchor(L, index);
    lua_rawgeti(L, -1, LX_JOB_CLIENT);
    lx_getanchor(L, -1);
    lua_rawgeti(L, -1, LX_CLIENT_PENDING);
    lua_pushlightuserdata(L, j);
    lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 4);
}

int lx_job_started(lua_State *L, lx_job *j, int code, tw_error *err)
{
    if (code == TW_OK) {
        tw_job_set_user(j->job, j);
        return 1;
    }
    forget_callback(L, j, -1);
    return lx_fail(L, code, err);
}

/* ---- results ----------------------------------------------------------------------- */

static int push_body(lua_State *L, const lx_job *j, const tw_reply *rsp)
{
    tw_error *err = NULL;
    size_t size;
    const char *body = tw_reply_body(rsp, &size);
    int rc;

    lx_push_env(L, LX_ENV_DECODER);
    rc = lx_decode(L, lua_gettop(L), body, size, &err);
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    if (!lua_istable(L, -1))
        return lx_fail_text(L, TW_E_PROTOCOL, "the answer was not a JSON object");
    return lx_push_cohort_answer(L, j->result);
}

static int push_report(lua_State *L, const lx_job *j)
{
    tw_stats stats = TW_STATS_INIT;

    tw_flush_stats(j->job, &stats);
    lx_push_report(L, &stats);
    return 1;
}

static void release_text(void *text)
{
    tw_text_free(text);
}

/* The answer in its one form; null members are absent, but for a document. */
static int push_answer(lua_State *L, const tw_reply *rsp, int decoder)
{
    lx_box *box = lx_newbox(L, release_text);
    tw_error *err = NULL;
    char *text = NULL;
    size_t size;
    int rc = tw_reply_result(&text, &size, rsp, &err);

    box->resource = text;
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    lx_push_env(L, decoder);
    rc = lx_decode(L, lua_gettop(L), text, size, &err);
    return rc == TW_OK ? 1 : lx_fail(L, rc, err);
}

static int push_outcome(lua_State *L, lx_job *j)
{
    const tw_reply *rsp = NULL;
    tw_error *err = NULL;
    const char *body;
    size_t size;
    int rc;

    if (j->job == NULL)
        return lx_fail_closed(L);
    rc = tw_job_result(&rsp, j->job, &err);
    if (rc == TW_AGAIN)
        return lx_fail_text(L, TW_AGAIN, "the job was still going on");
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    switch (j->result) {
    case LX_RESULT_REPORT:
        return push_report(L, j);
    case LX_RESULT_RAW:
        lua_createtable(L, 0, 2);
        lua_pushinteger(L, tw_reply_status(rsp));
        lua_setfield(L, -2, "status");
        body = tw_reply_body(rsp, &size);
        lua_pushlstring(L, body != NULL ? body : "", size);
        lua_setfield(L, -2, "body");
        return 1;
    case LX_RESULT_CALL:
        return push_answer(L, rsp, LX_ENV_ANSWERS);
    case LX_RESULT_DOCUMENT:
        return push_answer(L, rsp, LX_ENV_DECODER);
    case LX_RESULT_STREAM:
        lua_pushboolean(L, 1);
        return 1;
    default:
        return push_body(L, j, rsp);
    }
}

int lx_push_result(lua_State *L, lx_job *j)
{
    int base = lua_gettop(L);
    int count = push_outcome(L, j);

    while (lua_gettop(L) > base + count)
        lua_remove(L, base + 1);
    return count;
}

/* ---- methods ----------------------------------------------------------------------- */

/* job:done() -> whether result() answers. */
static int job_done(lua_State *L)
{
    lx_job *j = check_job(L);

    lua_pushboolean(L, j->job == NULL || tw_job_done(j->job));
    return 1;
}

/* job:fd() -> a descriptor, readable while there is news of the job; the client's for
 * a job with a callback. */
static int job_fd(lua_State *L)
{
    lx_job *j = check_job(L);

    if (j->job == NULL)
        return lx_fail_closed(L);
    lua_pushinteger(L, tw_job_fd(j->job));
    return 1;
}

/* job:result() -> what became of it; nil and an "again" while it goes on. */
static int job_result(lua_State *L)
{
    return lx_push_result(L, check_job(L));
}

/* job:wait([timeout]) -> as result(), at the latest after the timeout. For a download:
 * true as soon as there is something to read. */
static int job_wait(lua_State *L)
{
    lx_job *j = check_job(L);
    int64_t end = lx_deadline(lx_opt_timeout(L, 2, -1));

    if (j->callback)
        return luaL_error(L, "the job has a callback, which client:update() will call");
    if (j->job == NULL)
        return lx_fail_closed(L);
    if (!tw_job_done(j->job) && lx_wait(L, j->job, end) == TW_AGAIN)
        return lx_fail_text(L, TW_AGAIN, "the job was still going on");
    if (j->result == LX_RESULT_STREAM && !tw_job_done(j->job)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    return lx_push_result(L, j);
}

/* job:cancel(): asks it to stop; its result becomes "canceled" unless it was done. */
static int job_cancel(lua_State *L)
{
    lx_job *j = check_job(L);

    if (j->job != NULL)
        tw_job_cancel(j->job);
    return 0;
}

/* job:progress() -> {phase=…, requests=…, bytes_received=…, request_id=…}. */
static int job_progress(lua_State *L)
{
    lx_job *j = check_job(L);
    tw_job_progress progress = TW_JOB_PROGRESS_INIT;

    if (j->job == NULL)
        return lx_fail_closed(L);
    tw_job_get_progress(j->job, &progress);
    lua_createtable(L, 0, 4);
    lua_pushstring(L, progress.phase != NULL ? progress.phase : "waiting");
    lua_setfield(L, -2, "phase");
    lua_pushnumber(L, (lua_Number)progress.requests);
    lua_setfield(L, -2, "requests");
    lua_pushnumber(L, (lua_Number)progress.bytes_received);
    lua_setfield(L, -2, "bytes_received");
    if (progress.id[0] != '\0') {
        lua_pushstring(L, progress.id);
        lua_setfield(L, -2, "request_id");
    }
    return 1;
}

/* job:report() -> what became so far of the events a flush was begun for. */
static int job_report(lua_State *L)
{
    lx_job *j = check_job(L);

    luaL_argcheck(L, j->result == LX_RESULT_REPORT, 1, "the job is no flush");
    return j->job != NULL ? push_report(L, j) : lx_fail_closed(L);
}

static int read_records(lua_State *L, lx_items items)
{
    lx_job *j = check_job(L);
    lx_stream *s;

    luaL_argcheck(L, j->result == LX_RESULT_STREAM, 1, "the job has no records to read");
    if (items == LX_ITEMS_IDS)
        luaL_optstring(L, 2, NULL);
    lua_settop(L, 2);
    if (j->job == NULL) {
        lx_fail_closed(L);
        return lua_error(L);
    }
    luaL_argcheck(L, !j->reading, 1, "the job's records are being read already");
    s = lx_newstream(L, items);
    lx_getanchor(L, -1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, LX_STREAM_COLUMN);
    lua_pop(L, 1);
    s->job = tw_job_ref(j->job);
    j->reading = 1;
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushvalue(L, -3);
    return 4;
}

/* job:ids([column]) -> an iterator of ids: of column user_id (group_value in the file
 * of a group cohort) or the one named; members who have none there are left out. */
static int job_ids(lua_State *L)
{
    return read_records(L, LX_ITEMS_IDS);
}

/* job:rows() -> an iterator of tables {column = text}. */
static int job_rows(lua_State *L)
{
    return read_records(L, LX_ITEMS_ROWS);
}

/* Leaves the client's list before its memory goes. */
static void unlink_job(lx_job *j)
{
    lx_client *c = j->client;
    lx_job **link = &c->first;
    lx_job *last = NULL;

    while (*link != NULL && *link != j) {
        last = *link;
        link = &last->next;
    }
    if (*link != NULL)
        *link = j->next;
    if (c->last == j)
        c->last = last;
    j->queued = 0;
}

/* job:close(): the last reference cancels what goes on. */
static int job_close(lua_State *L)
{
    lx_job *j = check_job(L);
    tw_job *job = j->job;

    if (j->queued)
        unlink_job(j);
    if (job == NULL)
        return 0;
    j->job = NULL;
    forget_callback(L, j, 1);
    tw_job_set_user(job, NULL);
    /* A stream made of the job goes on by itself. */
    if (!j->reading)
        tw_job_cancel(job);
    tw_job_unref(job);
    return 0;
}

static int job_tostring(lua_State *L)
{
    lx_job *j = check_job(L);

    lua_pushfstring(L, LX_JOB " (%s)",
                    j->job == NULL        ? "closed"
                    : tw_job_done(j->job) ? "done"
                                          : "going on");
    return 1;
}

int lx_open_job(lua_State *L)
{
    static const luaL_Reg methods[] = {{"done", job_done},
                                       {"fd", job_fd},
                                       {"result", job_result},
                                       {"wait", job_wait},
                                       {"cancel", job_cancel},
                                       {"progress", job_progress},
                                       {"report", job_report},
                                       {"ids", job_ids},
                                       {"rows", job_rows},
                                       {"close", job_close},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__gc", job_close},
                                    {"__close", job_close},
                                    {"__tostring", job_tostring},
                                    {NULL, NULL}};
    int env = lua_gettop(L);

    lx_newclass(L, LX_JOB, methods, meta);
    lua_setfield(L, env - 1, "job");
    return 0;
}
