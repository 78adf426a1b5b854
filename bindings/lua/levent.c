/* SPDX-License-Identifier: MIT */
/* Events: client:track and its kin. */
#include <string.h>

#include "lx.h"

typedef struct event_name {
    const char *given;  /* the field of the caller's table */
    const char *wanted; /* what stands in the event */
} event_name;

/* In the order in which the server applies them. */
static const event_name operations[] = {{"clear_all", "$clearAll"},
                                        {"unset", "$unset"},
                                        {"set", "$set"},
                                        {"set_once", "$setOnce"},
                                        {"add", "$add"},
                                        {"append", "$append"},
                                        {"prepend", "$prepend"},
                                        {"pre_insert", "$preInsert"},
                                        {"post_insert", "$postInsert"},
                                        {"remove", "$remove"}};
enum { OPERATIONS = sizeof operations / sizeof *operations };

enum { LEADING_MOST = 10 };

/* Where a kind of event differs from a plain one. Its leading fields are written first
 * and in this order, the others behind them: the order of the Python module, so that both
 * send the same bytes. */
typedef struct event_kind {
    const char *type;       /* event_type where the caller gives none */
    const char *properties; /* what holds the operations */
    lx_skip skip;           /* the leading fields and what becomes something else */
    event_name leading[LEADING_MOST + 1];
} event_kind;

typedef struct event_call {
    const event_kind *kind;
    int leading; /* stack index of the first leading field's value */
    int ops;     /* of the first operation's */
} event_call;

static int is_name(const char *name, size_t size, const char *wanted)
{
    return strlen(wanted) == size && memcmp(name, wanted, size) == 0;
}

static int is_leading(const event_kind *kind, const char *name, size_t size)
{
    const event_name *field = kind->leading;

    while (field->given != NULL && !is_name(name, size, field->given))
        field++;
    return field->given != NULL;
}

static int encode_leading(lua_State *L, lx_encoder *en, const event_call *call)
{
    const event_name *field = call->kind->leading;
    int rc = TW_OK;
    int i;

    for (i = 0; rc == TW_OK && field[i].given != NULL; i++) {
        if (lua_isnil(L, call->leading + i))
            continue;
        rc = lx_encode_key(en, field[i].wanted);
        if (rc == TW_OK)
            rc = lx_encode(L, en, call->leading + i);
    }
    return rc;
}

static int encode_event(lua_State *L, lx_encoder *en, void *ctx)
{
    (void)ctx;
    return lx_encode(L, en, 2);
}

/* ---- property operations ----------------------------------------------------------- */

static int skip_identify(const char *name, size_t size);
static int skip_group(const char *name, size_t size);

static const event_kind identify_kind = {
    "$identify",
    "user_properties",
    skip_identify,
    {{"user_id", "user_id"}, {"device_id", "device_id"}, {"groups", "groups"}}};
static const event_kind group_kind = {
    "$groupidentify",
    "group_properties",
    skip_group,
    {{"user_id", "user_id"}, {"device_id", "device_id"}}};

static int is_operation(const char *name, size_t size)
{
    size_t i;

    for (i = 0; i < OPERATIONS; i++) {
        if (is_name(name, size, operations[i].given))
            return 1;
    }
    return 0;
}

static int skip_identify(const char *name, size_t size)
{
    return is_leading(&identify_kind, name, size) || is_operation(name, size);
}

static int skip_group(const char *name, size_t size)
{
    return is_leading(&group_kind, name, size) || is_operation(name, size) ||
           is_name(name, size, "group_type") || is_name(name, size, "group_value");
}

/* unset={"a", "b"}: the values of the map it becomes mean nothing. */
static int encode_unset(lua_State *L, lx_encoder *en, int index)
{
    int n;
    int i;
    int rc;

    if (lua_type(L, index) != LUA_TTABLE || lua_rawlen(L, index) == 0)
        return lx_encode(L, en, index);
    n = (int)lua_rawlen(L, index);
    rc = tw_json_put_object(en->wr);
    for (i = 1; rc == TW_OK && i <= n; i++) {
        size_t size;
        const char *name;

        lua_rawgeti(L, index, i);
        if (lua_type(L, -1) == LUA_TSTRING) {
            name = lua_tolstring(L, -1, &size);
            rc = tw_json_put_key(en->wr, name, size, -1, 0);
            if (rc == TW_OK)
                rc = tw_json_put_string(en->wr, "-", 1, 1, TW_JSON_VALID_UTF8);
        } else {
            rc = tw_json_writer_refuse(en->wr, "must be a list of property names");
        }
        lua_pop(L, 1);
    }
    return rc == TW_OK ? tw_json_put_object_end(en->wr) : rc;
}

/* clear_all = false and unset = {} ask for nothing. */
static int has_operation(lua_State *L, const event_call *call, int i)
{
    int value = call->ops + i;
    int some;

    if (i == 0 || lua_type(L, value) != LUA_TTABLE)
        return lua_toboolean(L, value);
    if (i != 1)
        return 1;
    lua_pushnil(L);
    some = lua_next(L, value);
    if (some)
        lua_pop(L, 2);
    return some;
}

static int encode_operations(lua_State *L, lx_encoder *en, const event_call *call)
{
    int rc = lx_encode_key(en, call->kind->properties);
    int i;

    if (rc == TW_OK)
        rc = tw_json_put_object(en->wr);
    for (i = 0; rc == TW_OK && i < OPERATIONS; i++) {
        int value = call->ops + i;

        if (!has_operation(L, call, i))
            continue;
        if (i == 0) {
            rc = lx_encode_text(en, operations[i].wanted, "-");
            continue;
        }
        rc = lx_encode_key(en, operations[i].wanted);
        if (rc == TW_OK)
            rc = i == 1 ? encode_unset(L, en, value) : lx_encode(L, en, value);
    }
    return rc == TW_OK ? tw_json_put_object_end(en->wr) : rc;
}

static int any_operation(lua_State *L, const event_call *call)
{
    int i;

    for (i = 0; i < OPERATIONS; i++) {
        if (has_operation(L, call, i))
            return 1;
    }
    return 0;
}

/* groups = {[group_type] = group_value}; the two stand behind the operations. */
static int encode_group(lua_State *L, lx_encoder *en, int type, int value)
{
    const char *name;
    size_t size;
    int rc;

    if (lua_isnil(L, type) && lua_isnil(L, value))
        return TW_OK;
    rc = lx_encode_key(en, "groups");
    if (rc == TW_OK)
        rc = tw_json_put_object(en->wr);
    if (rc != TW_OK)
        return rc;
    if (lua_type(L, type) != LUA_TSTRING)
        return tw_json_writer_refuse(en->wr, "group_type must be a string");
    name = lua_tolstring(L, type, &size);
    rc = tw_json_put_key(en->wr, name, size, -1, 0);
    if (rc == TW_OK)
        rc = lx_encode(L, en, value);
    return rc == TW_OK ? tw_json_put_object_end(en->wr) : rc;
}

static int encode_identify(lua_State *L, lx_encoder *en, void *ctx)
{
    const event_call *call = ctx;
    int rc = tw_json_put_object(en->wr);

    if (rc == TW_OK)
        rc = lx_encode_text(en, "event_type", call->kind->type);
    if (rc == TW_OK)
        rc = encode_leading(L, en, call);
    if (rc == TW_OK)
        rc = lx_encode_members(L, en, 2, call->kind->skip);
    if (rc == TW_OK && call->kind == &group_kind)
        rc = encode_group(L, en, call->ops + OPERATIONS, call->ops + OPERATIONS + 1);
    if (rc == TW_OK && any_operation(L, call))
        rc = encode_operations(L, en, call);
    return rc == TW_OK ? tw_json_put_object_end(en->wr) : rc;
}

/* ---- revenue ----------------------------------------------------------------------- */

static int skip_revenue(const char *name, size_t size);

/* The documented fields of a revenue event; two of them have names unlike all others'. */
static const event_kind revenue_kind = {"revenue_amount",
                                        NULL,
                                        skip_revenue,
                                        {{"event_type", "event_type"},
                                         {"user_id", "user_id"},
                                         {"device_id", "device_id"},
                                         {"price", "price"},
                                         {"quantity", "quantity"},
                                         {"revenue", "revenue"},
                                         {"product_id", "productId"},
                                         {"revenue_type", "revenueType"},
                                         {"currency", "currency"},
                                         {"event_properties", "event_properties"}}};

static int skip_revenue(const char *name, size_t size)
{
    return is_leading(&revenue_kind, name, size);
}

static int encode_revenue(lua_State *L, lx_encoder *en, void *ctx)
{
    const event_call *call = ctx;
    int rc = tw_json_put_object(en->wr);

    if (rc == TW_OK && lua_isnil(L, call->leading))
        rc = lx_encode_text(en, "event_type", call->kind->type);
    if (rc == TW_OK)
        rc = encode_leading(L, en, call);
    if (rc == TW_OK)
        rc = lx_encode_members(L, en, 2, call->kind->skip);
    return rc == TW_OK ? tw_json_put_object_end(en->wr) : rc;
}

/* ---- sending ----------------------------------------------------------------------- */

/* Queues what was encoded, waiting for room where the client's policy says so. Nothing
 * here raises but by its return value: TW_INTERRUPTED with the interpreter's error on
 * top. */
static int commit_event(lua_State *L, tw_event *ev, tw_error **err)
{
    for (;;) {
        int rc = tw_event_commit(ev, err);

        if (rc != TW_AGAIN)
            return rc;
        rc = tw_event_wait(ev, err);
        if (rc == TW_INTERRUPTED) {
            lx_push_env(L, LX_ENV_STEP);
            if (lua_pcall(L, 0, 0, 0) != 0) {
                tw_event_abort(ev);
                return TW_INTERRUPTED;
            }
        } else if (rc != TW_OK) {
            tw_event_abort(ev);
            return rc;
        }
    }
}

/* The client's hook, the run's parts and what `call` needs are on the stack; from the
 * event's begin to its end nothing raises. */
static int send_event(lua_State *L, const lx_client *c, lx_encoding *run)
{
    tw_event *ev = NULL;
    tw_error *err = NULL;
    int rc;

    if (c->hooked) {
        lx_getanchor(L, 1);
        lua_rawgeti(L, -1, LX_CLIENT_DEFAULT);
        run->en.hook = lua_gettop(L);
    }
    lx_prepare_encoding(L, run);
    rc = tw_event_begin(&ev, c->cl, &err);
    if (rc != TW_OK)
        return lx_fail(L, rc, err);
    run->en.wr = tw_event_writer(ev);
    if (lx_run_encoding(L, run)) {
        tw_event_abort(ev);
        return lua_error(L);
    }
    if (run->code == TW_E_NOMEM) {
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

/* The client, or NULL where it is closed; the event's table at 2 alone above it. */
static lx_client *check_event(lua_State *L)
{
    lx_client *c = lx_check_client(L, 1);

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    return c->cl != NULL ? c : NULL;
}

static void push_field(lua_State *L, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, 2);
}

/* client:track{event_type=…, …} -> true, or nil and the error. */
static int client_track(lua_State *L)
{
    lx_client *c = check_event(L);
    lx_encoding run = {.body = encode_event};

    return c != NULL ? send_event(L, c, &run) : lx_fail_closed(L);
}

static int push_leading(lua_State *L, const event_kind *kind)
{
    int count = 0;

    for (; kind->leading[count].given != NULL; count++)
        push_field(L, kind->leading[count].given);
    return count;
}

/* Misuse: what would stand in the event twice, or instead of something else. */
static void check_identify(lua_State *L, const event_call *call)
{
    const event_kind *kind = call->kind;
    int i;

    for (i = 0; i < OPERATIONS && lua_isnil(L, call->ops + i); i++)
        continue;
    push_field(L, kind->properties);
    luaL_argcheck(
        L, i == OPERATIONS || lua_isnil(L, -1), 2,
        lua_pushfstring(L, "'%s' and operations such as '%s' exclude each other",
                        kind->properties, operations[i < OPERATIONS ? i : 0].given));
    push_field(L, "event_type");
    luaL_argcheck(L, lua_isnil(L, -1), 2, "there is no option 'event_type'");
    if (kind != &group_kind || lua_isnil(L, call->ops + OPERATIONS))
        return;
    push_field(L, "groups");
    luaL_argcheck(L, lua_isnil(L, -1), 2, "'groups' and 'group_type' exclude each other");
}

static int send_identify(lua_State *L, const event_kind *kind)
{
    lx_client *c = check_event(L);
    event_call call = {.kind = kind, .leading = 3};
    lx_encoding run = {.body = encode_identify, .ctx = &call};
    int i;

    if (c == NULL)
        return lx_fail_closed(L);
    luaL_checkstack(L, LEADING_MOST + OPERATIONS + 10, NULL);
    call.ops = call.leading + push_leading(L, kind);
    for (i = 0; i < OPERATIONS; i++)
        push_field(L, operations[i].given);
    push_field(L, "group_type");
    push_field(L, "group_value");
    check_identify(L, &call);
    lua_settop(L, call.ops + OPERATIONS + 1);
    return send_event(L, c, &run);
}

/* client:identify{user_id=…, set={…}, add={…}, unset={…}, …} -> true, or nil and the
 * error. */
static int client_identify(lua_State *L)
{
    return send_identify(L, &identify_kind);
}

/* client:group_identify{group_type=…, group_value=…, set={…}, …} -> true, or nil and
 * the error. */
static int client_group_identify(lua_State *L)
{
    return send_identify(L, &group_kind);
}

/* client:revenue{user_id=…, price=…, quantity=…, product_id=…, …} -> true, or nil and
 * the error. */
static int client_revenue(lua_State *L)
{
    lx_client *c = check_event(L);
    event_call call = {.kind = &revenue_kind, .leading = 3};
    lx_encoding run = {.body = encode_revenue, .ctx = &call};

    if (c == NULL)
        return lx_fail_closed(L);
    push_leading(L, &revenue_kind);
    return send_event(L, c, &run);
}

const luaL_Reg lx_event_methods[] = {{"track", client_track},
                                     {"identify", client_identify},
                                     {"group_identify", client_group_identify},
                                     {"revenue", client_revenue},
                                     {NULL, NULL}};
