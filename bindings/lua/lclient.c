/* SPDX-License-Identifier: MIT */
/* The client as a userdata: making, numbers, completions, export, closing. */
#include <string.h>
#include <time.h>

#include "lx.h"

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

lx_client *lx_check_client(lua_State *L, int arg)
{
    return luaL_checkudata(L, arg, LX_CLIENT);
}

/* ---- making ------------------------------------------------------------------------ */

static int set_option(lua_State *L, tw_config *cfg, const char *name, tw_error **err)
{
    size_t size;
    const char *text;
    int64_t integer;

    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        text = lua_tolstring(L, -1, &size);
        return tw_config_set_string(cfg, name, text, size, err);
    case LUA_TBOOLEAN:
        return tw_config_set_bool(cfg, name, lua_toboolean(L, -1), err);
    case LUA_TNUMBER:
        if (lx_isinteger(L, -1, &integer))
            return tw_config_set_int(cfg, name, integer, err);
        return tw_config_set_real(cfg, name, (double)lua_tonumber(L, -1), err);
    default:
        return luaL_argerror(
            L, 1, lua_pushfstring(L, "option '%s' is a %s", name, luaL_typename(L, -1)));
    }
}

/* All options of the table at 1 but the binding's own. */
static int set_options(lua_State *L, tw_config *cfg, tw_error **err)
{
    int rc = TW_OK;

    lua_pushnil(L);
    while (rc == TW_OK && lua_next(L, 1)) {
        const char *name;
        size_t size;

        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING, 1, "options have names");
        name = lua_tolstring(L, -2, &size);
        luaL_argcheck(L, strlen(name) == size, 1,
                      "the name of an option has a NUL inside");
        if (strcmp(name, "default") != 0)
            rc = set_option(L, cfg, name, err);
        lua_pop(L, 1);
    }
    return rc;
}

static void release_config(void *cfg)
{
    tw_config_free(cfg);
}

/* Fills the anchor of the new client on top: its cohorts, the hooks, the jobs awaited. */
static void anchor_client(lua_State *L, lx_client *c)
{
    int client = lua_gettop(L);

    lua_createtable(L, 6, 0);
    lx_newuserdata(L, 1);
    lx_setmetatable(L, LX_COHORTS);
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, client);
    lua_rawseti(L, -2, 1);
    lx_setanchor(L, -2);
    lua_rawseti(L, -2, LX_CLIENT_COHORTS);
    lua_pushliteral(L, "default");
    lua_rawget(L, 1);
    c->hooked = lx_opt_callback(L, lua_gettop(L));
    lua_rawseti(L, -2, LX_CLIENT_DEFAULT);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, LX_CLIENT_PREPARE);
    lua_pushvalue(L, 3);
    lua_rawseti(L, -2, LX_CLIENT_TOLD);
    lua_newtable(L);
    lua_rawseti(L, -2, LX_CLIENT_PENDING);
    lua_newtable(L);
    lua_rawseti(L, -2, LX_CLIENT_AREAS);
    lx_setanchor(L, client);
}

/* new({api_key=…, …} [, prepare [, told]]) -> client, or nil and the error. */
static int client_new(lua_State *L)
{
    tw_error *err = NULL;
    tw_config *cfg = NULL;
    lx_client *c;
    lx_box *box;
    int rc;

    int prepared = lx_opt_callback(L, 2);

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 3);
    box = lx_newbox(L, release_config);
    rc = tw_config_new(&cfg, &err);
    box->resource = cfg;
    if (rc == TW_OK)
        rc = set_options(L, cfg, &err);
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    c = lx_newuserdata(L, sizeof *c);
    memset(c, 0, sizeof *c);
    lx_setmetatable(L, LX_CLIENT);
    anchor_client(L, c);
    c->prepared = prepared;
    rc = tw_client_new(&c->cl, cfg, &err);
    return rc == TW_OK ? 1 : lx_fail(L, rc, err);
}

/* ---- numbers ----------------------------------------------------------------------- */

/* The client in whatever state: NULL where it could not even be made. */
static tw_client *any_client(const lx_client *c)
{
    return c->cl != NULL ? c->cl : c->shut;
}

/* Sets field `name` of the table on top. */
static void set_count(lua_State *L, const char *name, uint64_t count)
{
    if (!lx_pushinteger(L, (int64_t)count))
        lua_pushnumber(L, (lua_Number)count);
    lua_setfield(L, -2, name);
}

/* The events and where they are, on top of the stack as a new table. */
static void push_sum(lua_State *L, const tw_stats *stats)
{
    lua_createtable(L, 0, 24);
    set_count(L, "accepted", stats->accepted);
    set_count(L, "stored", stats->stored);
    set_count(L, "rejected", stats->rejected);
    set_count(L, "uncertain", stats->uncertain);
    set_count(L, "expired", stats->expired);
    set_count(L, "dropped", stats->dropped);
    set_count(L, "waiting", stats->waiting);
    set_count(L, "recovered", stats->recovered);
    set_count(L, "lost", stats->lost);
    set_count(L, "merged", stats->merged);
}

void lx_push_report(lua_State *L, const tw_stats *stats)
{
    push_sum(L, stats);
    lua_pushboolean(L,
                    stats->waiting == 0 && stats->uncertain == 0 && stats->expired == 0);
    lua_setfield(L, -2, "complete");
}

/* The numbers, all 0 where the client could not even be made. */
static void get_stats(const lx_client *c, tw_stats *stats)
{
    if (any_client(c) != NULL)
        (void)tw_client_stats(any_client(c), stats);
}

/* Fields of the table on top: the latest failure and its time, absent where there is none. */
static void set_trouble(lua_State *L, const lx_client *c)
{
    tw_error *err = NULL;
    int64_t at = 0;

    if (any_client(c) == NULL || tw_client_trouble(&err, &at, any_client(c)) != TW_OK)
        return;
    lua_pushnumber(L, (lua_Number)at / 1000);
    lua_setfield(L, -2, "last_error_time");
    lx_push_error(L, tw_error_code(err), err);
    lua_setfield(L, -2, "last_error");
}

/* client:stats() -> table; after close the last numbers. */
static int client_stats(lua_State *L)
{
    tw_stats stats = TW_STATS_INIT;

    get_stats(lx_check_client(L, 1), &stats);
    push_sum(L, &stats);
    set_count(L, "waiting_bytes", stats.waiting_bytes);
    set_count(L, "refused", stats.refused);
    set_count(L, "requests", stats.requests);
    set_count(L, "retries", stats.retries);
    set_count(L, "filtered", stats.filtered);
    set_count(L, "dup_insert_id", stats.dup_insert_id);
    set_count(L, "outcomes_missed", stats.outcomes_missed);
    set_count(L, "truncated", stats.truncated);
    set_count(L, "replaced", stats.replaced);
    set_count(L, "nulled", stats.nulled);
    set_count(L, "stringified", stats.stringified);
    set_count(L, "spool_bytes", stats.spool_bytes);
    set_count(L, "spool_unread_bytes", stats.spool_unread_bytes);
    set_count(L, "spool_uncertain_bytes", stats.spool_uncertain_bytes);
    set_count(L, "spool_lanes", stats.spool_lanes);
    set_count(L, "spool_torn", stats.spool_torn);
    set_count(L, "spool_unreadable", stats.spool_unreadable);
    set_count(L, "spool_quarantined", stats.spool_quarantined);
    set_count(L, "spool_foreign", stats.spool_foreign);
    set_count(L, "rejections_missed", stats.rejections_missed);
    set_count(L, "held", stats.held);
    lua_pushnumber(L, (lua_Number)stats.oldest_ms / 1000);
    lua_setfield(L, -2, "oldest_age");
    set_count(L, "clock_suspect", stats.clock_suspect);
    set_trouble(L, lx_check_client(L, 1));
    lua_pushboolean(L, stats.paused != 0);
    lua_setfield(L, -2, "paused");
    return 1;
}

static void release_rejection(void *rejection)
{
    tw_rejection_free(rejection);
}

/* client:rejection() -> {event=…, raw=…, reason=…, field=…, http_status=…}: the oldest event
 * that the server refused and that was not asked for yet; nil where there is none. */
static int client_rejection(lua_State *L)
{
    lx_client *c = lx_check_client(L, 1);
    lx_box *box = lx_newbox(L, release_rejection);
    tw_rejection *rejection = NULL;
    tw_error *err = NULL;
    const char *text;
    size_t size;
    int rc;

    if (any_client(c) == NULL)
        return lx_fail_closed(L);
    rc = tw_rejection_next(&rejection, any_client(c), &err);
    box->resource = rejection;
    if (rc == TW_AGAIN) {
        lua_pushnil(L);
        return 1;
    }
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    lua_createtable(L, 0, 5);
    text = tw_rejection_event(rejection, &size);
    lua_pushlstring(L, text, size);
    lua_setfield(L, -2, "raw");
    lx_push_env(L, LX_ENV_DECODER);
    rc = lx_decode(L, lua_gettop(L), text, size, &err);
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    lua_setfield(L, -3, "event");
    lua_pop(L, 1);
    lua_pushstring(L, tw_rejection_reason(rejection));
    lua_setfield(L, -2, "reason");
    if (tw_rejection_field(rejection) != NULL) {
        lua_pushstring(L, tw_rejection_field(rejection));
        lua_setfield(L, -2, "field");
    }
    lua_pushinteger(L, tw_rejection_status(rejection));
    lua_setfield(L, -2, "http_status");
    return 1;
}

static void release_outcome(void *outcome)
{
    tw_event_outcome_free(outcome);
}

/* client:told() -> what it was given to be called for each event that ended, or nil. Kept here,
 * where it may refer to the client: a weak table of LuaJIT would keep both for ever. */
static int client_told(lua_State *L)
{
    lx_check_client(L, 1);
    lx_getanchor(L, 1);
    lua_rawgeti(L, -1, LX_CLIENT_TOLD);
    return 1;
}

/* client:outcome() -> {insert_id=…, state=…, reason=…, http_status=…}: how the oldest event
 * ended that was not asked for yet; nil where there is none. */
static int client_outcome(lua_State *L)
{
    lx_client *c = lx_check_client(L, 1);
    lx_box *box = lx_newbox(L, release_outcome);
    tw_event_outcome *outcome = NULL;
    tw_error *err = NULL;
    int rc;

    if (any_client(c) == NULL)
        return lx_fail_closed(L);
    rc = tw_event_outcome_next(&outcome, any_client(c), &err);
    box->resource = outcome;
    if (rc == TW_AGAIN) {
        lua_pushnil(L);
        return 1;
    }
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    lua_createtable(L, 0, 4);
    lua_pushstring(L, tw_event_outcome_insert_id(outcome));
    lua_setfield(L, -2, "insert_id");
    lua_pushstring(L, tw_event_outcome_state(outcome));
    lua_setfield(L, -2, "state");
    lua_pushstring(L, tw_event_outcome_reason(outcome));
    lua_setfield(L, -2, "reason");
    lua_pushinteger(L, tw_event_outcome_status(outcome));
    lua_setfield(L, -2, "http_status");
    return 1;
}

static void release_text(void *text)
{
    tw_text_free(text);
}

/* client:describe() -> table: what is configured, secrets redacted. */
static int client_describe(lua_State *L)
{
    lx_client *c = lx_check_client(L, 1);
    lx_box *box = lx_newbox(L, release_text);
    tw_error *err = NULL;
    char *text = NULL;
    int rc;

    if (c->cl == NULL)
        return lx_fail_closed(L);
    rc = tw_client_describe(&text, c->cl, &err);
    box->resource = text;
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    lx_push_env(L, LX_ENV_DECODER);
    rc = lx_decode(L, lua_gettop(L), text, strlen(text), &err);
    return rc == TW_OK ? 1 : lx_fail(L, rc, err);
}

/* ---- completions ------------------------------------------------------------------- */

/* In a forked child the parent's queue goes, and with it what was to be called back there. */
static void leave_parent(lx_client *c)
{
    if (c->queue == NULL || tw_queue_wait(c->queue, 0) != TW_E_FORKED)
        return;
    tw_queue_free(c->queue);
    c->queue = NULL;
    for (; c->first != NULL; c->first = c->first->next)
        c->first->queued = 0;
    c->last = NULL;
}

int lx_client_queue(lx_client *c, tw_error **err)
{
    leave_parent(c);
    return c->queue == NULL ? tw_queue_new(&c->queue, err) : TW_OK;
}

/* client:fd() -> the descriptor that is readable while update() has something to do. */
static int client_fd(lua_State *L)
{
    lx_client *c = lx_check_client(L, 1);
    tw_error *err = NULL;
    int rc = lx_client_queue(c, &err);

    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    lua_pushinteger(L, tw_queue_fd(c->queue));
    return 1;
}

/* Moves what the core reports into the client's list: no memory, no Lua. */
static void collect_news(lx_client *c)
{
    tw_job *job;

    while (tw_queue_next(&job, c->queue) == TW_OK) {
        lx_job *j = tw_job_user(job);

        if (j != NULL && !j->queued && tw_job_done(job)) {
            j->queued = 1;
            j->next = NULL;
            if (c->last != NULL)
                c->last->next = j;
            else
                c->first = j;
            c->last = j;
        }
        tw_job_unref(job);
    }
}

/* Takes the first job of the list and pushes its object and its callback. */
static lx_job *take_news(lua_State *L, lx_client *c, int pending)
{
    lx_job *j = c->first;

    c->first = j->next;
    if (c->first == NULL)
        c->last = NULL;
    j->queued = 0;
    lua_pushlightuserdata(L, j);
    lua_rawget(L, pending);
    lua_pushlightuserdata(L, j);
    lua_pushnil(L);
    lua_rawset(L, pending);
    lx_getanchor(L, -1);
    lua_rawgeti(L, -1, LX_JOB_CALLBACK);
    lua_remove(L, -2);
    return j;
}

/* client:update([budget]) -> number of callbacks run. Runs the callbacks of finished
 * jobs until the budget (seconds) is used up; never waits. A callback's error is
 * raised when the client is in order again; what was not run yet waits for the next
 * update. */
static int client_update(lua_State *L)
{
    lx_client *c = lx_check_client(L, 1);
    lua_Number budget = luaL_optnumber(L, 2, -1);
    int64_t end =
        budget >= 0 && budget < 1e9 ? now_us() + (int64_t)(budget * 1e6) : INT64_MAX;
    int pending;
    int count = 0;

    lua_settop(L, 2);
    lx_getanchor(L, 1);
    lua_rawgeti(L, -1, LX_CLIENT_PENDING);
    pending = lua_gettop(L);
    leave_parent(c);
    if (c->queue != NULL)
        collect_news(c);
    while (c->first != NULL && (count == 0 || now_us() < end)) {
        lx_job *j = take_news(L, c, pending);
        int nargs = lx_push_result(L, j);

        count++;
        if (lua_pcall(L, nargs, 0, 0) != 0)
            return lua_error(L);
        lua_settop(L, pending);
    }
    lua_pushinteger(L, count);
    return 1;
}

/* ---- jobs of the client itself ----------------------------------------------------- */

typedef int (*flush_starter)(tw_job **out, tw_client *cl, tw_queue *queue,
                             tw_error **err);

static int start_flush(lua_State *L, flush_starter starter)
{
    lx_client *c = lx_check_client(L, 1);
    int callback = lx_opt_callback(L, 2) ? 2 : 0;
    tw_error *err = NULL;
    tw_queue *queue;
    lx_job *j;
    int rc;

    lua_settop(L, 2);
    if (c->cl == NULL)
        return lx_fail_closed(L);
    j = lx_newjob(L, 1, LX_RESULT_REPORT, callback);
    rc = lx_job_queue(&queue, j, &err);
    if (rc == TW_OK)
        rc = starter(&j->job, c->cl, queue, &err);
    return lx_job_started(L, j, rc, err);
}

/* client:flush_start([callback]) -> job: all that was accepted so far is sent at once. */
static int client_flush_start(lua_State *L)
{
    return start_flush(L, tw_flush_start);
}

/* client:drain_start([callback]) -> job: the same, and all that the spool holds. */
static int client_drain_start(lua_State *L)
{
    return start_flush(L, tw_drain_start);
}

/* client:resend_uncertain() -> how many events that the spool kept wait again. */
static int client_resend(lua_State *L)
{
    lx_client *c = lx_check_client(L, 1);
    tw_error *err = NULL;
    uint64_t count;
    int rc;

    if (c->cl == NULL)
        return lx_fail_closed(L);
    rc = tw_resend_uncertain(&count, c->cl, &err);
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    if (!lx_pushinteger(L, (int64_t)count))
        lua_pushnumber(L, (lua_Number)count);
    return 1;
}

enum { MAX_PATH_VALUES = 8 };

/* The list at field `path` as a NULL-ended list of texts that stay on the stack. */
static void check_path(lua_State *L, const char **values)
{
    int list;
    int n;
    int i;

    lua_pushliteral(L, "path");
    lua_rawget(L, 3);
    list = lua_gettop(L);
    n = lua_istable(L, list) ? (int)lua_rawlen(L, list) : 0;
    luaL_argcheck(L, lua_isnil(L, list) || (n > 0 && n <= MAX_PATH_VALUES), 3,
                  "option 'path' is not a list of texts");
    for (i = 0; i < n; i++) {
        size_t size;

        lua_rawgeti(L, list, i + 1);
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 3,
                      "option 'path' is not a list of texts");
        values[i] = lua_tolstring(L, -1, &size);
        luaL_argcheck(L, strlen(values[i]) == size, 3, "option 'path' has a NUL inside");
    }
    values[n] = NULL;
}

/* client:raw_start(endpoint, {path=…, query=…, content_type=…, body=…} [, callback])
 * -> job; the façade's raw() takes tables for query and body. */
static int client_raw_start(lua_State *L)
{
    static const char *const names[] = {"path", "query", "content_type", "body", NULL};
    lx_client *c = lx_check_client(L, 1);
    const char *endpoint = luaL_checkstring(L, 2);
    int callback = lx_opt_callback(L, 4) ? 4 : 0;
    tw_raw_options options = TW_RAW_OPTIONS_INIT;
    const char *values[MAX_PATH_VALUES + 1];
    tw_error *err = NULL;
    tw_queue *queue;
    lx_job *j;
    int rc;

    lua_settop(L, 4);
    lx_check_names(L, 3, names);
    luaL_checkstack(L, MAX_PATH_VALUES + 10, NULL);
    check_path(L, values);
    options.path_values = values;
    options.query = lx_opt_text(L, 3, "query");
    options.content_type = lx_opt_text(L, 3, "content_type");
    lua_pushliteral(L, "body");
    lua_rawget(L, 3);
    luaL_argcheck(L, lua_isnil(L, -1) || lua_type(L, -1) == LUA_TSTRING, 3,
                  "option 'body' is not a string");
    options.body = lua_tolstring(L, -1, &options.body_size);
    if (c->cl == NULL)
        return lx_fail_closed(L);
    j = lx_newjob(L, 1, LX_RESULT_RAW, callback);
    rc = lx_job_queue(&queue, j, &err);
    if (rc == TW_OK)
        rc = tw_raw_start(&j->job, c->cl, endpoint, &options, queue, &err);
    return lx_job_started(L, j, rc, err);
}

/* ---- closing ----------------------------------------------------------------------- */

enum { CLOSE_MS = 10000 };

static int close_patiently(lua_State *L, lx_client *c, int64_t timeout_ms, tw_error **err)
{
    int64_t end = timeout_ms >= 0 ? now_us() + timeout_ms * 1000 : INT64_MAX;

    for (;;) {
        int64_t left = end == INT64_MAX ? -1 : (end - now_us()) / 1000;
        int rc = tw_client_close(c->cl, end == INT64_MAX ? -1 : left > 0 ? left : 0, err);

        if (rc != TW_INTERRUPTED)
            return rc;
        lx_let_hooks_run(L);
    }
}

/* client:close([timeout]) -> the report; nil, error and the report where not all events
 * have a certain end. Sends what is queued; a second close does nothing. */
static int client_close(lua_State *L)
{
    lx_client *c = lx_check_client(L, 1);
    int64_t timeout_ms = lx_opt_timeout(L, 2, CLOSE_MS);
    tw_error *err = NULL;
    tw_stats stats = TW_STATS_INIT;
    int first = c->cl != NULL;
    int rc = TW_OK;

    lua_settop(L, 1);
    if (first) {
        rc = close_patiently(L, c, timeout_ms, &err);
        c->shut = c->cl;
        c->cl = NULL;
    }
    get_stats(c, &stats);
    if (rc != TW_OK)
        lx_fail(L, rc, err);
    if (first && stats.dup_insert_id > 0)
        lx_warning(L,
                   "tidewheel: events had the insert_id of another event, of which the "
                   "server keeps only the first");
    lx_push_report(L, &stats);
    return rc != TW_OK ? 3 : 1;
}

/* The scope's end closes as close() does; what it answers is dropped. */
static int client_scope(lua_State *L)
{
    lua_settop(L, 1);
    client_close(L);
    return 0;
}

/* Never waits, never sends. */
static int client_gc(lua_State *L)
{
    lx_client *c = luaL_checkudata(L, 1, LX_CLIENT);
    tw_client *cl = any_client(c);
    tw_stats stats = TW_STATS_INIT;

    c->cl = NULL;
    c->shut = NULL;
    tw_queue_free(c->queue);
    c->queue = NULL;
    if (cl == NULL)
        return 0;
    if (tw_client_spool_mode(cl) == TW_SPOOL_NONE)
        tw_client_stats(cl, &stats);
    tw_client_free(cl);
    if (stats.waiting > 0)
        lx_warning(
            L, "tidewheel: a client was collected with events unsent: call client:close");
    return 0;
}

static int client_tostring(lua_State *L)
{
    lx_client *c = lx_check_client(L, 1);

    lua_pushfstring(L, LX_CLIENT " (%s)", c->cl != NULL ? "open" : "closed");
    return 1;
}

/* The area `name` of the client at 1: made by the function of that name in the module's table of
 * areas when it is first asked for. Pushes it, or nil. */
static void push_area(lua_State *L)
{
    lx_getanchor(L, 1);
    if (!lua_istable(L, -1)) {
        lua_pushnil(L);
        return;
    }
    lua_rawgeti(L, -1, LX_CLIENT_AREAS);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    if (!lua_isnil(L, -1))
        return;
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(3));
    if (!lua_isfunction(L, -1))
        return;
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, -5);
}

/* Upvalues: the env, the methods, the areas. */
static int client_index(lua_State *L)
{
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(2));
    if (!lua_isnil(L, -1))
        return 1;
    lx_check_client(L, 1);
    if (lua_type(L, 2) != LUA_TSTRING)
        return 1;
    if (strcmp(lua_tostring(L, 2), "cohorts") != 0) {
        push_area(L);
        return 1;
    }
    lx_getanchor(L, 1);
    if (lua_istable(L, -1))
        lua_rawgeti(L, -1, LX_CLIENT_COHORTS);
    return 1;
}

/* Expects the env on top and below it the module's table, and leaves them. */
int lx_open_client(lua_State *L)
{
    static const luaL_Reg methods[] = {{"stats", client_stats},
                                       {"rejection", client_rejection},
                                       {"describe", client_describe},
                                       {"outcome", client_outcome},
                                       {"told", client_told},
                                       {"fd", client_fd},
                                       {"update", client_update},
                                       {"flush_start", client_flush_start},
                                       {"drain_start", client_drain_start},
                                       {"resend_uncertain", client_resend},
                                       {"raw_start", client_raw_start},
                                       {"close", client_close},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__gc", client_gc},
                                    {"__close", client_scope},
                                    {"__tostring", client_tostring},
                                    {NULL, NULL}};
    int env = lua_gettop(L);

    lx_newclass(L, LX_CLIENT, methods, meta);
    lua_pushvalue(L, env);
    lx_setfuncs(L, lx_event_methods, 1);
    lua_pushvalue(L, env);
    lx_setfuncs(L, lx_export_methods, 1);
    lua_pushvalue(L, env);
    lx_setfuncs(L, lx_call_methods, 1);
    /* Fields that are not methods are the areas: client.cohorts, and those of Lua. */
    luaL_getmetatable(L, LX_CLIENT);
    lua_pushvalue(L, env);
    lua_pushvalue(L, -3);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, env - 1, "areas");
    lua_pushcclosure(L, client_index, 3);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_setfield(L, env - 1, "client");
    lua_pushvalue(L, env);
    lua_pushcclosure(L, client_new, 1);
    lua_setfield(L, env - 1, "new");
    return 0;
}
