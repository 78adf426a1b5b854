/* SPDX-License-Identifier: MIT */
/* Cohorts: list, download, upload, membership. */
#include <inttypes.h>
#include <string.h>

#include "lx.h"

enum { MAX_PROPS = 200 };

lx_client *lx_cohorts_client(lua_State *L, int arg)
{
    luaL_checkudata(L, arg, LX_COHORTS);
    lx_getanchor(L, arg);
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
    return lx_check_client(L, -1);
}

/* ---- answers ----------------------------------------------------------------------- */

/* result[to] = body[from], the result on top; null is nil. */
static void copy_member(lua_State *L, int body, const char *from, const char *to)
{
    lua_getfield(L, body, from);
    if (lua_islightuserdata(L, -1)) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
    lua_setfield(L, -2, to);
}

/* An id, which may have come as a number. */
static void copy_id(lua_State *L, int body, const char *from, const char *to)
{
    copy_member(L, body, from, to);
    lua_getfield(L, -1, to);
    lua_tolstring(L, -1, NULL);
    lua_setfield(L, -2, to);
}

static int push_cohorts(lua_State *L, int body)
{
    int rows;
    int n;
    int i;

    lua_getfield(L, body, "cohorts");
    rows = lua_gettop(L);
    if (!lua_istable(L, rows))
        return lx_fail_text(L, TW_E_PROTOCOL, "the answer had no list of cohorts");
    n = (int)lua_rawlen(L, rows);
    lua_createtable(L, n, 0);
    for (i = 1; i <= n; i++) {
        lua_rawgeti(L, rows, i);
        if (!lua_istable(L, -1))
            return lx_fail_text(L, TW_E_PROTOCOL,
                                "the list of cohorts was not as documented");
        lua_createtable(L, 0, 6);
        copy_id(L, lua_gettop(L) - 1, "id", "id");
        copy_member(L, lua_gettop(L) - 1, "name", "name");
        copy_member(L, lua_gettop(L) - 1, "size", "size");
        copy_member(L, lua_gettop(L) - 1, "published", "published");
        copy_member(L, lua_gettop(L) - 1, "lastComputed", "last_computed");
        lua_insert(L, -2);
        lua_setfield(L, -2, "data");
        lua_rawseti(L, rows + 1, i);
    }
    return 1;
}

static int push_upload(lua_State *L, int body)
{
    const char *id;
    int metadata;

    lua_getfield(L, body, "metadata");
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
    }
    metadata = lua_gettop(L);
    /* Both spellings are documented (Behavioral Cohorts API docs, read 2026-11-23). */
    lua_getfield(L, body, "cohortId");
    id = lua_isnil(L, -1) ? "cohort_id" : "cohortId";
    lua_createtable(L, 0, 5);
    copy_id(L, body, id, "cohort_id");
    copy_member(L, metadata, "matched", "matched");
    copy_member(L, metadata, "totals", "total");
    copy_member(L, metadata, "invalid_ids_sample", "invalid_ids_sample");
    lua_pushvalue(L, body);
    lua_setfield(L, -2, "data");
    return 1;
}

/* The ids of all results of a membership update as one list; nil where they are not as
 * documented. */
static void push_skipped(lua_State *L, int body)
{
    int results;
    int list;
    int count = 0;
    int i;
    int k;

    lua_getfield(L, body, "memberships_result");
    results = lua_gettop(L);
    lua_newtable(L);
    list = results + 1;
    for (i = 1; lua_istable(L, results) && i <= (int)lua_rawlen(L, results); i++) {
        lua_rawgeti(L, results, i);
        if (lua_istable(L, -1))
            lua_getfield(L, -1, "skipped_ids");
        for (k = 1; lua_istable(L, -1) && k <= (int)lua_rawlen(L, -1); k++) {
            lua_rawgeti(L, -1, k);
            lua_rawseti(L, list, ++count);
        }
        lua_settop(L, list);
    }
    if (!lua_istable(L, results))
        lua_pushnil(L);
}

static int push_update(lua_State *L, int body, lx_result kind)
{
    int skipped;

    push_skipped(L, body);
    skipped = lua_gettop(L);
    if (!lua_istable(L, skipped))
        return lx_fail_text(L, TW_E_PROTOCOL, "the answer was not as documented");
    lua_createtable(L, 0, 3);
    copy_id(L, body, "cohort_id", "cohort_id");
    lua_newtable(L);
    lua_setfield(L, -2, kind == LX_RESULT_ADD ? "skipped_remove" : "skipped_add");
    lua_pushvalue(L, skipped);
    lua_setfield(L, -2, kind == LX_RESULT_ADD ? "skipped_add" : "skipped_remove");
    return 1;
}

int lx_push_cohort_answer(lua_State *L, lx_result kind)
{
    int body = lua_gettop(L);

    if (kind == LX_RESULT_COHORTS)
        return push_cohorts(L, body);
    if (kind == LX_RESULT_UPLOAD)
        return push_upload(L, body);
    return push_update(L, body, kind);
}

/* ---- list -------------------------------------------------------------------------- */

/* cohorts:list_start([{include_sync_info=…} [, callback]]) -> job. */
static int cohorts_list_start(lua_State *L)
{
    static const char *const names[] = {"include_sync_info", NULL};
    int callback = lx_opt_callback(L, 3) ? 3 : 0;
    tw_error *err = NULL;
    tw_queue *queue;
    lx_client *c;
    lx_job *j;
    int sync = 0;
    int rc;

    lua_settop(L, 3);
    if (!lua_isnil(L, 2)) {
        lx_check_names(L, 2, names);
        sync = lx_opt_flag(L, 2, "include_sync_info", 0);
    }
    c = lx_cohorts_client(L, 1);
    if (c->cl == NULL)
        return lx_fail_closed(L);
    j = lx_newjob(L, -1, LX_RESULT_COHORTS, callback);
    rc = lx_job_queue(&queue, j, &err);
    if (rc == TW_OK)
        rc = tw_cohorts_list_start(&j->job, c->cl, sync, queue, &err);
    return lx_job_started(L, j, rc, err);
}

/* A cohort of a list, or its id: the id takes its place on the stack. */
static const char *check_cohort(lua_State *L, int arg)
{
    if (lua_istable(L, arg)) {
        lua_getfield(L, arg, "id");
        lua_replace(L, arg);
    }
    return luaL_checkstring(L, arg);
}

/* ---- download ---------------------------------------------------------------------- */

/* props = true, or a list of names, which stay on the stack. */
static void check_props(lua_State *L, int arg, tw_cohort_download_options *options,
                        const char **keys)
{
    int list;
    int n;
    int i;

    lua_pushliteral(L, "props");
    lua_rawget(L, arg);
    list = lua_gettop(L);
    options->props = lua_toboolean(L, list);
    if (lua_isnil(L, list) || lua_isboolean(L, list))
        return;
    luaL_argcheck(L, lua_istable(L, list), arg,
                  "option 'props' is neither true nor a list");
    n = (int)lua_rawlen(L, list);
    luaL_argcheck(L, n > 0 && n <= MAX_PROPS, arg,
                  "option 'props' has no name, or over 200");
    luaL_checkstack(L, n + 20, NULL);
    for (i = 0; i < n; i++) {
        size_t size;

        lua_rawgeti(L, list, i + 1);
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, arg,
                      "option 'props' is no list of names");
        keys[i] = lua_tolstring(L, -1, &size);
        luaL_argcheck(L, strlen(keys[i]) == size, arg,
                      "a name in 'props' has a NUL inside");
    }
    keys[n] = NULL;
    options->prop_keys = keys;
}

static int64_t check_seconds(lua_State *L, int arg, const char *name)
{
    int64_t ms;

    lua_pushstring(L, name);
    lua_rawget(L, arg);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TNUMBER)
        luaL_argerror(L, arg, lua_pushfstring(L, "option '%s' is not a number", name));
    ms = lx_opt_timeout(L, lua_gettop(L), 0);
    lua_pop(L, 1);
    return ms > 0 ? ms : 0;
}

/* cohorts:download(id [, {props=…, request_id=…, timeout=…}]) -> job:
 * read it with its ids() or rows(). */
static int cohorts_download(lua_State *L)
{
    static const char *const names[] = {"props", "request_id", "timeout", NULL};
    tw_cohort_download_options options = TW_COHORT_DOWNLOAD_OPTIONS_INIT;
    const char *keys[MAX_PROPS + 1];
    const char *id = check_cohort(L, 2);
    tw_error *err = NULL;
    lx_client *c;
    lx_job *j;
    int rc;

    lua_settop(L, 3);
    if (!lua_isnil(L, 3)) {
        lx_check_names(L, 3, names);
        check_props(L, 3, &options, keys);
        options.request_id = lx_opt_text(L, 3, "request_id");
        options.timeout_ms = check_seconds(L, 3, "timeout");
    }
    c = lx_cohorts_client(L, 1);
    if (c->cl == NULL)
        return lx_fail_closed(L);
    j = lx_newjob(L, -1, LX_RESULT_STREAM, 0);
    rc = tw_cohort_download_start(&j->job, c->cl, id, &options, NULL, &err);
    return lx_job_started(L, j, rc, err);
}

/* ---- ids --------------------------------------------------------------------------- */

static void release_ids(void *ids)
{
    tw_ids_free(ids);
}

/* Adds the id on top, a string or a whole number. */
static int add_id(lua_State *L, int arg, tw_ids *ids, tw_error **err)
{
    char digits[24];
    int64_t number = 0;
    const char *text;
    size_t size;

    if (lua_type(L, -1) == LUA_TSTRING) {
        text = lua_tolstring(L, -1, &size);
        return tw_ids_add(ids, text, size, err);
    }
    if (lua_type(L, -1) != LUA_TNUMBER || !lx_isinteger(L, -1, &number))
        luaL_argerror(L, arg,
                      lua_pushfstring(L,
                                      "id %d is a %s: ids are strings or whole numbers",
                                      (int)tw_ids_count(ids) + 1, luaL_typename(L, -1)));
    snprintf(digits, sizeof digits, "%" PRId64, number);
    return tw_ids_add(ids, digits, strlen(digits), err);
}

/* The ids of the list, or all that the iterator function gives, at `source`. */
static int collect_ids(lua_State *L, int arg, int source, tw_ids *ids, tw_error **err)
{
    int rc = TW_OK;
    int n;
    int i;

    if (lua_istable(L, source)) {
        n = (int)lua_rawlen(L, source);
        for (i = 1; rc == TW_OK && i <= n; i++) {
            lua_rawgeti(L, source, i);
            rc = add_id(L, arg, ids, err);
            lua_pop(L, 1);
        }
        return rc;
    }
    while (rc == TW_OK) {
        lua_pushvalue(L, source);
        lua_call(L, 0, 1);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            break;
        }
        rc = add_id(L, arg, ids, err);
        lua_pop(L, 1);
    }
    return rc;
}

/* Field `name` of the options at `arg` as a box of ids, pushed: a list, a function, a
 * stream. */
static lx_box *push_ids(lua_State *L, int arg, const char *name, int *rc, tw_error **err)
{
    tw_ids *ids = NULL;
    lx_box *box;
    int source;

    lua_pushstring(L, name);
    lua_rawget(L, arg);
    source = lua_gettop(L);
    if (!lua_istable(L, source) && !lua_isfunction(L, source) &&
        lx_testudata(L, source, LX_STREAM) == NULL)
        luaL_argerror(
            L, arg,
            lua_pushfstring(L, "option '%s' is neither a list nor an iterator", name));
    box = lx_newbox(L, release_ids);
    *rc = tw_ids_new(&ids, err);
    box->resource = ids;
    if (*rc == TW_OK)
        *rc = collect_ids(L, arg, source, ids, err);
    lua_remove(L, source);
    return box;
}

/* ---- upload and membership --------------------------------------------------------- */

static void check_upload(lua_State *L, tw_cohort_upload_options *options)
{
    static const char *const names[] = {
        "name",      "app_id",           "owner", "id_type",
        "ids",       "published",        "group", "existing_cohort_id",
        "skip_save", "skip_invalid_ids", NULL};

    lx_check_names(L, 2, names);
    luaL_checkstack(L, 20, NULL);
    options->name = lx_opt_text(L, 2, "name");
    options->app_id = lx_opt_whole(L, 2, "app_id", 0, 1, LX_EXACT);
    options->owner = lx_opt_text(L, 2, "owner");
    options->id_type = lx_opt_text(L, 2, "id_type");
    if (options->id_type == NULL)
        options->id_type = "BY_USER_ID";
    options->group = lx_opt_text(L, 2, "group");
    options->existing_cohort_id = lx_opt_text(L, 2, "existing_cohort_id");
    options->published = lx_opt_flag(L, 2, "published", 1);
    options->skip_save = lx_opt_flag(L, 2, "skip_save", 0);
    options->skip_invalid_ids = lx_opt_flag(L, 2, "skip_invalid_ids", 1);
}

/* cohorts:upload_start({name=…, app_id=…, owner=…, id_type=…, ids=…, …} [, callback])
 * -> job. */
static int cohorts_upload_start(lua_State *L)
{
    tw_cohort_upload_options options = TW_COHORT_UPLOAD_OPTIONS_INIT;
    int callback = lx_opt_callback(L, 3) ? 3 : 0;
    tw_error *err = NULL;
    tw_queue *queue;
    lx_client *c;
    lx_box *box;
    lx_job *j;
    int rc;

    lua_settop(L, 3);
    check_upload(L, &options);
    c = lx_cohorts_client(L, 1);
    if (c->cl == NULL)
        return lx_fail_closed(L);
    box = push_ids(L, 2, "ids", &rc, &err);
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    j = lx_newjob(L, -2, LX_RESULT_UPLOAD, callback);
    rc = c->cl != NULL ? lx_job_queue(&queue, j, &err) : TW_E_CLOSED;
    if (rc == TW_OK)
        rc = tw_cohort_upload_start(&j->job, c->cl, &options, box->resource, queue, &err);
    if (rc == TW_OK)
        box->resource = NULL;
    return lx_job_started(L, j, rc, err);
}

/* cohorts:update_start(id, {add=… or remove=…, id_type=…} [, callback]) -> job: one
 * request is either; the façade's update() takes both. */
static int cohorts_update_start(lua_State *L)
{
    static const char *const names[] = {"add", "remove", "id_type", "skip_invalid_ids",
                                        NULL};
    const char *id = check_cohort(L, 2);
    int callback = lx_opt_callback(L, 4) ? 4 : 0;
    tw_error *err = NULL;
    const char *id_type;
    tw_queue *queue;
    lx_client *c;
    lx_box *box;
    lx_job *j;
    int remove;
    int skip;
    int rc;

    lua_settop(L, 4);
    lx_check_names(L, 3, names);
    id_type = lx_opt_text(L, 3, "id_type");
    skip = lx_opt_flag(L, 3, "skip_invalid_ids", 1);
    lua_pushliteral(L, "add");
    lua_rawget(L, 3);
    lua_pushliteral(L, "remove");
    lua_rawget(L, 3);
    remove = lua_isnil(L, -2);
    luaL_argcheck(L, remove != lua_isnil(L, -1), 3, "give either 'add' or 'remove'");
    lua_pop(L, 2);
    c = lx_cohorts_client(L, 1);
    if (c->cl == NULL)
        return lx_fail_closed(L);
    box = push_ids(L, 3, remove ? "remove" : "add", &rc, &err);
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    j = lx_newjob(L, -2, remove ? LX_RESULT_REMOVE : LX_RESULT_ADD, callback);
    rc = c->cl != NULL ? lx_job_queue(&queue, j, &err) : TW_E_CLOSED;
    if (rc == TW_OK)
        rc = tw_cohort_update_start(
            &j->job, c->cl, id, id_type != NULL ? id_type : "BY_NAME",
            remove ? "REMOVE" : "ADD", skip, box->resource, queue, &err);
    if (rc == TW_OK)
        box->resource = NULL;
    return lx_job_started(L, j, rc, err);
}

static int cohorts_tostring(lua_State *L)
{
    luaL_checkudata(L, 1, LX_COHORTS);
    lua_pushliteral(L, LX_COHORTS);
    return 1;
}

int lx_open_cohorts(lua_State *L)
{
    static const luaL_Reg methods[] = {{"list_start", cohorts_list_start},
                                       {"download", cohorts_download},
                                       {"upload_start", cohorts_upload_start},
                                       {"update_start", cohorts_update_start},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", cohorts_tostring}, {NULL, NULL}};
    int env = lua_gettop(L);

    lx_newclass(L, LX_COHORTS, methods, meta);
    lua_setfield(L, env - 1, "cohorts");
    return 0;
}
