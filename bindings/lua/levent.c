/* SPDX-License-Identifier: MIT */
/* Events on their way from Lua to the core's queue: one, or many at a time. */
#include <string.h>

#include "lx.h"

/* ---- one event --------------------------------------------------------------------- */

/* The client, or NULL where it is closed; its arguments up to 2 are alone above it. */
static lx_client *check_client(lua_State *L)
{
    lx_client *c = lx_check_client(L, 1);

    lua_settop(L, 2);
    return c->cl != NULL ? c : NULL;
}

static void push_slot(lua_State *L, int slot)
{
    lx_getanchor(L, 1);
    lua_rawgeti(L, -1, slot);
    lua_remove(L, -2);
}

static const char not_prepared[] = "before_send must return a table or nil";

/* Replaces the event on top by what the client makes of it, nil where it is kept back. Raises
 * what the hook raises. */
static void prepare_event(lua_State *L, const lx_client *c)
{
    if (!c->prepared)
        return;
    push_slot(L, LX_CLIENT_PREPARE);
    lua_insert(L, -2);
    lua_call(L, 1, 1);
    if (!lua_isnil(L, -1) && !lua_istable(L, -1))
        luaL_error(L, not_prepared);
}

/* What writing one event takes: `run` is made ready with all that may raise. */
static void ready_run(lua_State *L, const lx_client *c, lx_encoding *run)
{
    if (c->hooked) {
        push_slot(L, LX_CLIENT_DEFAULT);
        run->en.hook = lua_gettop(L);
    }
    lx_prepare_encoding(L, run);
}

static int encode_event(lua_State *L, lx_encoder *en, void *ctx)
{
    return lx_encode(L, en, *(int *)ctx);
}

/* Waits for room where the client's policy says so: TW_OK when there may be some, else the
 * error. Nothing here raises but by its return value: TW_INTERRUPTED with the interpreter's
 * error on top. */
static int wait_event(lua_State *L, tw_event *ev, tw_error **err)
{
    for (;;) {
        int rc = tw_event_wait(ev, err);

        if (rc != TW_INTERRUPTED)
            return rc;
        lx_push_env(L, LX_ENV_STEP);
        if (lua_pcall(L, 0, 0, 0) != 0)
            return rc;
    }
}

/* Queues what was encoded. As wait_event. */
static int commit_event(lua_State *L, tw_event *ev, tw_error **err)
{
    for (;;) {
        int rc = tw_event_commit(ev, err);

        if (rc != TW_AGAIN)
            return rc;
        rc = wait_event(L, ev, err);
        if (rc != TW_OK) {
            tw_event_abort(ev);
            return rc;
        }
    }
}

/* The event's table is at 2; from the event's begin to its end nothing raises. */
static int send_event(lua_State *L, const lx_client *c)
{
    int index = 2;
    lx_encoding run = {.body = encode_event, .ctx = &index};
    tw_event *ev = NULL;
    tw_error *err = NULL;
    int rc;

    ready_run(L, c, &run);
    rc = tw_event_begin(&ev, c->cl, &err);
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    run.en.wr = tw_event_writer(ev);
    if (lx_run_encoding(L, &run)) {
        tw_event_abort(ev);
        return lua_error(L);
    }
    if (run.code == TW_E_NOMEM) {
        tw_event_abort(ev);
        return lx_fail(L, TW_E_NOMEM, NULL);
    }
    /* Also an event that the writer refused: the core counts it and says why. */
    rc = commit_event(L, ev, &err);
    if (rc == TW_INTERRUPTED)
        return lua_error(L);
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    lua_pushboolean(L, 1);
    return 1;
}

static int count_filtered(lua_State *L, const lx_client *c)
{
    tw_error *err = NULL;
    int rc = tw_event_filtered(c->cl, &err);

    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    lua_pushboolean(L, 1);
    return 1;
}

/* client:track{event_type=…, …} -> true, or nil and the error. */
static int client_track(lua_State *L)
{
    lx_client *c = check_client(L);

    luaL_checktype(L, 2, LUA_TTABLE);
    if (c == NULL)
        return lx_fail_closed(L);
    prepare_event(L, c);
    /* The hook may have closed the client. */
    if (c->cl == NULL)
        return lx_fail_closed(L);
    return lua_isnil(L, 2) ? count_filtered(L, c) : send_event(L, c);
}

static void release_event(void *ev)
{
    tw_event_abort(ev);
}

/* client:encode_event{…} -> the JSON of an event as track() writes it, before ids and time are
 * added, or nil and the error; nothing is queued. */
static int client_encode(lua_State *L)
{
    lx_client *c = check_client(L);
    int index = 2;
    lx_encoding run = {.body = encode_event, .ctx = &index};
    lx_box *box = lx_newbox(L, release_event);
    tw_event *ev = NULL;
    tw_error *err = NULL;
    const char *text;
    size_t size;
    int rc;

    luaL_checktype(L, 2, LUA_TTABLE);
    if (c == NULL)
        return lx_fail_closed(L);
    ready_run(L, c, &run);
    rc = tw_event_begin(&ev, c->cl, &err);
    box->resource = ev;
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    run.en.wr = tw_event_writer(ev);
    if (lx_run_encoding(L, &run))
        return lua_error(L);
    if (!tw_json_writer_complete(run.en.wr)) {
        rc = tw_json_writer_error(run.en.wr, &err);
        return lx_fail(L, rc, err);
    }
    text = tw_json_writer_text(run.en.wr, &size);
    lua_pushlstring(L, text, size);
    return 1;
}

/* ---- many at a time ---------------------------------------------------------------- */

enum { CHUNK = 64 };

/* Events are written into slots of their own and accepted together. */
typedef struct many {
    lx_box box;
    lx_client *client;
    tw_event *slots[CHUNK];
    size_t filled;
    int64_t first; /* number of the event in the first slot */
    int64_t accepted;
    tw_error *err; /* goes with the code that it ended with */
} many;

static void release_many(void *resource)
{
    many *m = resource;
    int i;

    for (i = 0; i < CHUNK; i++) {
        tw_event_abort(m->slots[i]);
        m->slots[i] = NULL;
    }
    tw_error_free(m->err);
    m->err = NULL;
}

/* TW_OK, or the code with the error in `m`; TW_INTERRUPTED with Lua's on top. */
static int accept_many(lua_State *L, many *m)
{
    size_t done = 0;
    size_t accepted;
    int rc = TW_AGAIN;

    while (rc == TW_AGAIN) {
        rc = tw_events_commit(&accepted, m->slots + done, m->filled - done,
                              m->first + (int64_t)done, &m->err);
        done += accepted;
        m->accepted += (int64_t)accepted;
        if (rc == TW_AGAIN) {
            rc = wait_event(L, m->slots[done], &m->err);
            rc = rc == TW_OK ? TW_AGAIN : rc;
        }
    }
    m->first += (int64_t)(rc == TW_OK ? m->filled : done);
    m->filled = 0;
    return rc;
}

/* Writes the table on top into the next slot. TW_OK, or as accept_many. */
static int write_many(lua_State *L, many *m)
{
    int index = lua_gettop(L);
    lx_encoding run = {.body = encode_event, .ctx = &index};
    tw_event **ev = &m->slots[m->filled];
    int rc;

    ready_run(L, m->client, &run);
    if (*ev == NULL) {
        rc = m->client->cl != NULL ? tw_event_begin(ev, m->client->cl, &m->err)
                                   : TW_E_CLOSED;
        if (rc != TW_OK)
            return rc;
    }
    run.en.wr = tw_event_writer(*ev);
    if (lx_run_encoding(L, &run)) {
        tw_event_abort(*ev);
        *ev = NULL;
        return TW_INTERRUPTED;
    }
    m->filled++;
    return run.code == TW_E_NOMEM ? TW_E_NOMEM : TW_OK;
}

/* Raises where the list at 2 has anything from its event `index`, counted from 1, on, which is nil:
 * a hole, or an event that was given as if it were a list. */
static void check_end(lua_State *L, int index)
{
    if (index <= (int)lua_rawlen(L, 2))
        luaL_error(L, "event %d is a nil", index - 1);
    lua_pushnil(L);
    if (index == 1 && lua_next(L, 2))
        luaL_error(L, "a list of events was expected, or a function that gives them");
    lua_pushnil(L);
}

/* Upvalues: env. Arguments: client, source, many, and a number for a list. Pushes the next
 * event, prepared, true where it was kept back, nil at the end. Called protected. */
static int next_event(lua_State *L)
{
    many *m = lua_touserdata(L, 3);
    int index = (int)(m->first + (int64_t)m->filled + 1);

    if (lua_type(L, 2) == LUA_TTABLE) {
        lua_rawgeti(L, 2, index);
        if (lua_isnil(L, -1))
            check_end(L, index);
    } else {
        lua_pushvalue(L, 2);
        lua_call(L, 0, 1);
    }
    if (lua_isnil(L, -1))
        return 1;
    if (!lua_istable(L, -1))
        return luaL_error(L, "event %d is a %s", index - 1, luaL_typename(L, -1));
    prepare_event(L, m->client);
    if (lua_isnil(L, -1))
        lua_pushboolean(L, 1);
    return 1;
}

/* TW_OK to go on, TW_DONE at the end, else as accept_many. */
static int add_one(lua_State *L, many *m, int next)
{
    int rc;

    lua_pushvalue(L, next);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    if (lua_pcall(L, 3, 1, 0) != 0)
        return TW_INTERRUPTED;
    if (lua_isnil(L, -1))
        return TW_DONE;
    if (lua_isboolean(L, -1)) { /* the numbers have a hole here */
        rc = accept_many(L, m);
        m->first++;
        if (rc == TW_OK && m->client->cl != NULL)
            rc = tw_event_filtered(m->client->cl, &m->err);
        return rc;
    }
    return write_many(L, m);
}

static void push_count(lua_State *L, int64_t count)
{
    if (!lx_pushinteger(L, count))
        lua_pushnumber(L, (lua_Number)count);
}

/* client:track_many(list or function) -> number accepted; or nil, the error, and the number
 * accepted before it. */
static int client_track_many(lua_State *L)
{
    lx_client *c = check_client(L);
    many *m;
    int next;
    int rc = TW_OK;

    luaL_argcheck(L, lua_type(L, 2) != LUA_TSTRING && !lua_isnil(L, 2), 2,
                  "must be a list of events or a function that gives them");
    if (c == NULL)
        return lx_fail_closed(L);
    m = lx_newboxed(L, sizeof *m, release_many);
    m->client = c;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, next_event, 1);
    next = lua_gettop(L);
    while (rc == TW_OK) {
        lua_settop(L, next);
        rc = add_one(L, m, next);
        /* A bad one ends it at once, before the next is asked for. */
        if (rc == TW_OK && m->filled > 0 &&
            (m->filled == CHUNK || !tw_event_sound(m->slots[m->filled - 1])))
            rc = accept_many(L, m);
    }
    if (m->filled > 0 || rc == TW_DONE) {
        /* What came before a failure is accepted all the same, unless that fails as well. */
        int raised = lua_gettop(L);
        int also = accept_many(L, m);

        if (also != TW_OK || rc == TW_DONE)
            rc = also;
        else
            lua_settop(L, raised);
    }
    if (rc == TW_INTERRUPTED)
        return lua_error(L);
    if (rc != TW_OK) {
        tw_error *err = m->err;

        m->err = NULL;
        lx_fail(L, rc, err);
        push_count(L, m->first);
        lua_setfield(L, -2, "index");
        push_count(L, m->accepted);
        return 3;
    }
    push_count(L, m->accepted);
    return 1;
}

const luaL_Reg lx_event_methods[] = {{"track", client_track},
                                     {"track_many", client_track_many},
                                     {"encode_event", client_encode},
                                     {NULL, NULL}};
