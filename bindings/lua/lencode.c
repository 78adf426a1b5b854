/* SPDX-License-Identifier: MIT */
/* Lua values into the core's writer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lx.h"

/*
 * A table is an array where its keys are exactly 1..n, an object where all of them are
 * strings; an empty one is an object. tw.array and tw.object mark tables for which
 * that is wrong. Anything else is refused, never guessed at. Access is raw: __index
 * and __pairs do not count.
 */

/* Deeper than any writer allows (64 layers): only a guard of the stack asked for. */
enum { MAX_DEPTH = 70 };

/* The path of such an error is that of the place in the table where it was noticed. */
static const char mixed_keys[] = "the table has both string keys and number keys";
static const char holed_keys[] = "the table has number keys other than 1..n";
static const char array_keys[] =
    "the table is marked as an array and has keys other than 1..n";
static const char object_keys[] =
    "the table is marked as an object and has keys that are no strings";
static const char other_keys[] = "the table has keys that are neither strings nor 1..n";

typedef enum table_mark { MARK_NONE, MARK_ARRAY, MARK_OBJECT } table_mark;

static table_mark get_mark(lua_State *L, const lx_encoder *en, int index)
{
    const void *mt;

    if (!lua_getmetatable(L, index))
        return MARK_NONE;
    mt = lua_topointer(L, -1);
    lua_pop(L, 1);
    if (mt == en->env->array_mt)
        return MARK_ARRAY;
    return mt == en->env->object_mt ? MARK_OBJECT : MARK_NONE;
}

static int encode_value(lua_State *L, lx_encoder *en, int index);

static int refuse_key(lua_State *L, lx_encoder *en, int key, table_mark mark,
                      int in_array)
{
    int type = lua_type(L, key);
    const char *rule = other_keys;

    if (mark == MARK_ARRAY)
        rule = array_keys;
    else if (mark == MARK_OBJECT)
        rule = object_keys;
    else if (type == LUA_TSTRING || (type == LUA_TNUMBER && !in_array))
        rule = mixed_keys;
    else if (type == LUA_TNUMBER)
        rule = holed_keys;
    return tw_json_writer_refuse(en->wr, rule);
}

/* The elements from `first` on, where the table's own order was not 1..n. First it is
 * counted: n different whole numbers of which none is below 1 or above n are exactly
 * 1..n. */
static int encode_scattered(lua_State *L, lx_encoder *en, int index, table_mark mark,
                            int64_t first)
{
    int64_t count = 0;
    int64_t highest = 0;
    int64_t key;
    int rc = TW_OK;

    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TNUMBER || !lx_isinteger(L, -1, &key) || key < 1) {
            rc = refuse_key(L, en, -1, mark, 1);
            lua_pop(L, 1);
            return rc;
        }
        count++;
        highest = key > highest ? key : highest;
    }
    if (highest != count)
        return tw_json_writer_refuse(en->wr,
                                     mark == MARK_ARRAY ? array_keys : holed_keys);
    for (; rc == TW_OK && first <= count; first++) {
        lua_rawgeti(L, index, (int)first);
        rc = encode_value(L, en, lua_gettop(L));
        lua_pop(L, 1);
    }
    return rc;
}

/* The first pair is on the stack; it is popped. */
static int encode_array(lua_State *L, lx_encoder *en, int index, table_mark mark)
{
    int value = lua_gettop(L);
    int64_t expected = 1;
    int64_t key;
    int rc = tw_json_put_array(en->wr);

    if (rc != TW_OK) {
        lua_pop(L, 2);
        return rc;
    }
    do {
        if (lua_type(L, -2) != LUA_TNUMBER || !lx_isinteger(L, -2, &key) ||
            key != expected) {
            lua_pop(L, 2);
            rc = encode_scattered(L, en, index, mark, expected);
            return rc == TW_OK ? tw_json_put_array_end(en->wr) : rc;
        }
        expected++;
        rc = encode_value(L, en, value);
        lua_pop(L, 1);
    } while (rc == TW_OK && lua_next(L, index));
    if (rc != TW_OK) {
        lua_pop(L, 1);
        return rc;
    }
    return tw_json_put_array_end(en->wr);
}

/* ---- members ----------------------------------------------------------------------- */

/*
 * The order of a table's pairs differs from run to run; what goes out has its members in
 * the byte order of their names, so that the same value is always the same text. The
 * pairs of a table wait on the Lua stack; those of a table too large for the slots left
 * wait in a list. Either keeps keys and values alive whatever a hook does to the table.
 */

enum { KEYS_FIRST = 64, KEYS_KEPT = 4096, SORTED_BY_INSERTION = 40 };

void lx_release_keys(lua_State *L, lx_env *env)
{
    void *ctx;
    lua_Alloc allocate = lua_getallocf(L, &ctx);

    if (env->keys != NULL)
        allocate(ctx, env->keys, env->keys_room * sizeof *env->keys, 0);
    env->keys = NULL;
    env->keys_room = 0;
}

/* Lua's own allocator: memory it limits stays limited, and it does not raise. */
static int grow_keys(lua_State *L, lx_env *env)
{
    size_t room = env->keys_room > 0 ? 2 * env->keys_room : KEYS_FIRST;
    void *ctx;
    lua_Alloc allocate = lua_getallocf(L, &ctx);
    void *keys;

    if (room > SIZE_MAX / sizeof *env->keys)
        return TW_E_NOMEM;
    keys = allocate(ctx, env->keys, env->keys_room * sizeof *env->keys,
                    room * sizeof *env->keys);
    if (keys == NULL)
        return TW_E_NOMEM;
    env->keys = keys;
    env->keys_room = room;
    return TW_OK;
}

/* As a number that compares as the bytes do; written so that compilers see one load. */
static uint64_t key_head(const char *text, size_t size)
{
    const unsigned char *b = (const unsigned char *)text;
    uint64_t head = 0;
    size_t i;

    if (size >= 8)
        return (uint64_t)b[0] << 56 | (uint64_t)b[1] << 48 | (uint64_t)b[2] << 40 |
               (uint64_t)b[3] << 32 | (uint64_t)b[4] << 24 | (uint64_t)b[5] << 16 |
               (uint64_t)b[6] << 8 | b[7];
    for (i = 0; i < size; i++)
        head |= (uint64_t)b[i] << (56 - 8 * i);
    return head;
}

static int add_key(lua_State *L, lx_env *env, const char *text, size_t size, int at)
{
    lx_key *key;

    if (env->keys_used == env->keys_room && grow_keys(L, env) != TW_OK)
        return TW_E_NOMEM;
    key = &env->keys[env->keys_used++];
    key->text = text;
    key->size = size;
    key->at = at;
    key->head = key_head(text, size);
    return TW_OK;
}

static int compare_texts(const lx_key *a, const lx_key *b)
{
    int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);

    if (order != 0)
        return order;
    return a->size < b->size ? -1 : a->size > b->size;
}

static inline int is_before(const lx_key *a, const lx_key *b)
{
    return a->head != b->head ? a->head < b->head : compare_texts(a, b) < 0;
}

static int compare_keys(const void *a, const void *b)
{
    return is_before(a, b) ? -1 : is_before(b, a);
}

static void sort_keys(lx_key *keys, size_t count)
{
    size_t i;
    size_t k;

    if (count > SORTED_BY_INSERTION) {
        qsort(keys, count, sizeof *keys, compare_keys);
        return;
    }
    for (i = 1; i < count; i++) {
        lx_key key = keys[i];

        for (k = i; k > 0 && is_before(&key, &keys[k - 1]); k--)
            keys[k] = keys[k - 1];
        keys[k] = key;
    }
}

int lx_list_pairs(lua_State *L)
{
    int n = 0;

    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pushvalue(L, -2);
        lua_rawseti(L, 2, ++n);
        lua_rawseti(L, 2, ++n);
    }
    return 1;
}

/* Keeps the pairs in a list, pushed. */
static int gather_listed(lua_State *L, lx_encoder *en, int index, table_mark mark)
{
    int rc = TW_OK;
    int list;
    int n;
    int i;

    lua_pushvalue(L, en->pairs);
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 1, 0) != 0)
        return TW_E_NOMEM; /* the only way in which it fails */
    list = lua_gettop(L);
    n = (int)lua_rawlen(L, list);
    for (i = 1; rc == TW_OK && i < n; i += 2) {
        const char *name;
        size_t size;

        lua_rawgeti(L, list, i);
        if (lua_type(L, -1) != LUA_TSTRING) {
            rc = refuse_key(L, en, -1, mark, 0);
        } else {
            name = lua_tolstring(L, -1, &size);
            rc = add_key(L, en->env, name, size, i + 1);
        }
        lua_pop(L, 1);
    }
    return rc;
}

/* Keeps the pairs on the stack, where the first one stands already; TW_AGAIN where they
 * do not fit. */
static int gather_stacked(lua_State *L, lx_encoder *en, int index, table_mark mark)
{
    int rc = TW_OK;

    do {
        const char *name;
        size_t size;

        if (lua_type(L, -2) != LUA_TSTRING)
            return refuse_key(L, en, -2, mark, 0);
        name = lua_tolstring(L, -2, &size);
        if (en->slots < 2)
            return TW_AGAIN;
        en->slots -= 2;
        rc = add_key(L, en->env, name, size, lua_gettop(L));
        lua_pushvalue(L, -2);
    } while (rc == TW_OK && lua_next(L, index));
    return rc;
}

/* The first pair is on the stack; it is popped. */
static int encode_pairs(lua_State *L, lx_encoder *en, int index, table_mark mark)
{
    lx_env *env = en->env;
    size_t first = env->keys_used;
    int top = lua_gettop(L) - 2;
    int slots = en->slots;
    int list = 0;
    size_t i;
    int rc = gather_stacked(L, en, index, mark);

    if (rc == TW_AGAIN) {
        lua_settop(L, top);
        env->keys_used = first;
        en->slots = slots;
        rc = gather_listed(L, en, index, mark);
        list = top + 1;
    }
    if (rc == TW_OK)
        sort_keys(env->keys + first, env->keys_used - first);
    for (i = first; rc == TW_OK && i < env->keys_used; i++) {
        lx_key key = env->keys[i]; /* a value's own members may move the array */

        rc = tw_json_put_key(en->wr, key.text, key.size, -1, 0);
        if (rc == TW_OK && list != 0) {
            lua_rawgeti(L, list, key.at);
            rc = encode_value(L, en, lua_gettop(L));
            lua_pop(L, 1);
        } else if (rc == TW_OK) {
            rc = encode_value(L, en, key.at);
        }
    }
    env->keys_used = first;
    en->slots = slots;
    lua_settop(L, top);
    if (first == 0 && env->keys_room > KEYS_KEPT)
        lx_release_keys(L, env);
    return rc;
}

int lx_encode_members(lua_State *L, lx_encoder *en, int index)
{
    lua_pushnil(L);
    return lua_next(L, index) ? encode_pairs(L, en, index, MARK_NONE) : TW_OK;
}

static int encode_table(lua_State *L, lx_encoder *en, int index)
{
    table_mark mark = get_mark(L, en, index);
    int rc;

    lua_pushnil(L);
    if (!lua_next(L, index)) {
        if (mark == MARK_ARRAY) {
            rc = tw_json_put_array(en->wr);
            return rc == TW_OK ? tw_json_put_array_end(en->wr) : rc;
        }
        rc = tw_json_put_object(en->wr);
        return rc == TW_OK ? tw_json_put_object_end(en->wr) : rc;
    }
    if (mark == MARK_ARRAY || (mark == MARK_NONE && lua_type(L, -2) == LUA_TNUMBER))
        return encode_array(L, en, index, mark);
    rc = tw_json_put_object(en->wr);
    if (rc != TW_OK) {
        lua_pop(L, 2);
        return rc;
    }
    rc = encode_pairs(L, en, index, mark);
    return rc == TW_OK ? tw_json_put_object_end(en->wr) : rc;
}

/* LuaJIT's boxed 64-bit integers: TW_DONE where the value is something else. */
static int encode_int64(lua_State *L, lx_encoder *en, int index)
{
    const char *digits;
    char *end;
    long long value;
    int rc = TW_DONE;

    if (en->int64 == 0)
        return TW_DONE;
    lua_pushvalue(L, en->int64);
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 1, 0) != 0) {
        lua_pop(L, 1);
        return TW_E_NOMEM; /* the only way in which it fails */
    }
    digits = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    if (digits != NULL) {
        errno = 0;
        value = strtoll(digits, &end, 10);
        if (errno == 0 && *end == '\0')
            rc = tw_json_put_int(en->wr, value);
        else
            rc = tw_json_put_big_int(en->wr, digits, strlen(digits));
    }
    lua_pop(L, 1);
    return rc;
}

/* What JSON has no type for: the hook's turn, if there is one. */
static int encode_other(lua_State *L, lx_encoder *en, int index)
{
    static const char *const rules[] = {"is nil, which JSON has no type for: use tw.null",
                                        "is a function, which JSON has no type for",
                                        "is a userdata, which JSON has no type for",
                                        "is a thread, which JSON has no type for",
                                        "is a cdata, which JSON has no type for"};
    int type = lua_type(L, index);
    int hook = en->hook;
    int which = 4;
    int rc;

    if (hook != 0 && type != LUA_TNIL) {
        lua_pushvalue(L, hook);
        lua_pushvalue(L, index);
        lua_call(L, 1, 1); /* protected by lx_encode's caller */
        en->hook = 0;      /* what it answers is taken as it is */
        rc = encode_value(L, en, lua_gettop(L));
        en->hook = hook;
        lua_pop(L, 1);
        return rc;
    }
    if (type == LUA_TNIL)
        which = 0;
    else if (type == LUA_TFUNCTION)
        which = 1;
    else if (type == LUA_TUSERDATA || type == LUA_TLIGHTUSERDATA)
        which = 2;
    else if (type == LUA_TTHREAD)
        which = 3;
    return tw_json_writer_refuse(en->wr, rules[which]);
}

static int encode_number(lua_State *L, lx_encoder *en, int index)
{
    int64_t integer;

    if (lx_isinteger(L, index, &integer))
        return tw_json_put_int(en->wr, integer);
    return tw_json_put_real(en->wr, (double)lua_tonumber(L, index));
}

static int encode_value(lua_State *L, lx_encoder *en, int index)
{
    const char *text;
    size_t size;
    int rc;

    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &size);
        return tw_json_put_string(en->wr, text, size, -1, 0);
    case LUA_TNUMBER:
        return encode_number(L, en, index);
    case LUA_TBOOLEAN:
        return tw_json_put_bool(en->wr, lua_toboolean(L, index));
    case LUA_TTABLE:
        if (en->depth >= MAX_DEPTH)
            return tw_json_writer_refuse(en->wr,
                                         "is nested too deep, or contains itself");
        en->depth++;
        rc = encode_table(L, en, index);
        en->depth--;
        return rc;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, index) == NULL)
            return tw_json_put_null(en->wr);
        return encode_other(L, en, index);
    case LX_TCDATA:
        rc = encode_int64(L, en, index);
        return rc == TW_DONE ? encode_other(L, en, index) : rc;
    default:
        return encode_other(L, en, index);
    }
}

int lx_encode(lua_State *L, lx_encoder *en, int index)
{
    return encode_value(L, en, lx_absindex(L, index));
}

static int run_protected(lua_State *L)
{
    lx_encoding *run = lua_touserdata(L, -1);

    lua_pop(L, 1);
    luaL_checkstack(L, LX_ENCODE_STACK, "a value is nested too deep");
    run->code = run->body(L, &run->en, run->ctx);
    return 0;
}

void lx_prepare_encoding(lua_State *L, lx_encoding *run)
{
    luaL_checkstack(L, LX_ENCODE_STACK, "a value is nested too deep");
    run->en.env = lx_getenv(L);
    run->en.depth = 0;
    run->en.slots = LX_PAIR_SLOTS;
    lx_push_env(L, LX_ENV_PAIRS);
    run->en.pairs = lua_gettop(L);
    if (run->en.env->has_int64) {
        lx_push_env(L, LX_ENV_INT64);
        run->en.int64 = lua_gettop(L);
    }
    if (run->en.hook != 0) {
        lua_pushcfunction(L, run_protected);
        run->runner = lua_gettop(L);
    }
}

int lx_run_encoding(lua_State *L, lx_encoding *run)
{
    int top = lua_gettop(L);
    size_t keys = run->en.env->keys_used;
    int raised;
    int i;

    if (run->runner == 0) {
        run->code = run->body(L, &run->en, run->ctx);
        return 0;
    }
    lua_pushvalue(L, run->runner);
    for (i = 1; i <= top; i++)
        lua_pushvalue(L, i);
    lua_pushlightuserdata(L, run);
    raised = lua_pcall(L, top + 1, 0, 0) != 0;
    run->en.env->keys_used = keys;
    return raised;
}
