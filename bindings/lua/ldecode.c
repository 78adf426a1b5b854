/* SPDX-License-Identifier: MIT */
/* Lua values straight from the core's reader. */
#include <string.h>

#include "lx.h"

#define DECODER "tidewheel.decoder"

/* Containers inside each other in an answer; the core's house limit. */
enum { MAX_DEPTH = 64, SLOTS = 1024, LONGEST_KEY = 64, LARGEST_HINT = 4096 };

/* A key seen before: its Lua string stands in the decoder's anchor at the slot's
 * number, so that it is neither hashed nor made again; and how large its value was
 * last time, so that the table for it is made in the right size at once. */
typedef struct key_slot {
    const char *text; /* the Lua string's, which the anchor keeps where it is */
    uint32_t size;
    uint16_t fields; /* of an object under this key */
    uint16_t items;  /* of an array */
    unsigned char wanted;
} key_slot;

struct lx_decoder {
    tw_json_reader *rd;
    int selecting;
    int drop_null;
    key_slot root;
    key_slot slots[SLOTS];
};

/* Anchor: 1..SLOTS keys, then these. */
enum { ANCHOR_ARRAY = SLOTS + 1, ANCHOR_FIELDS };

typedef struct decoding {
    lx_decoder *d;
    int anchor; /* stack index */
} decoding;

static unsigned hash_key(const char *text, size_t size)
{
    uint64_t head = 0;
    uint64_t tail = 0;

    if (size >= 8) {
        memcpy(&head, text, 8);
        memcpy(&tail, text + size - 8, 8);
    } else if (size >= 4) {
        memcpy(&head, text, 4);
        memcpy(&tail, text + size - 4, 4);
    } else if (size > 0) {
        head = (unsigned char)text[0] | (uint64_t)(unsigned char)text[size / 2] << 8 |
               (uint64_t)(unsigned char)text[size - 1] << 16;
    }
    head = (head ^ (tail << 1) ^ size) * UINT64_C(0x9E3779B97F4A7C15);
    return (unsigned)(head >> 54) % SLOTS;
}

static int is_wanted(lua_State *L, const decoding *dc, int key)
{
    int wanted;

    if (!dc->d->selecting)
        return 1;
    lua_rawgeti(L, dc->anchor, ANCHOR_FIELDS);
    lua_pushvalue(L, key < 0 ? key - 1 : key);
    lua_rawget(L, -2);
    wanted = lua_toboolean(L, -1);
    lua_pop(L, 2);
    return wanted;
}

/* The slot of a key; NULL for one too long to be kept. Pushes nothing. */
static key_slot *find_slot(lua_State *L, const decoding *dc, const tw_json_token *token,
                           int *number)
{
    key_slot *slot;

    if (token->size > LONGEST_KEY)
        return NULL;
    *number = (int)hash_key(token->text, token->size);
    slot = &dc->d->slots[*number];
    if (slot->text != NULL && slot->size == token->size &&
        memcmp(slot->text, token->text, token->size) == 0)
        return slot;
    lua_pushlstring(L, token->text, token->size);
    memset(slot, 0, sizeof *slot); /* whatever raises now leaves an empty slot */
    slot->wanted = (unsigned char)is_wanted(L, dc, -1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, dc->anchor, *number + 1);
    slot->size = (uint32_t)token->size;
    slot->text = lua_tostring(L, -1);
    lua_pop(L, 1);
    return slot;
}

static int decode_value(lua_State *L, const decoding *dc, const tw_json_token *token,
                        key_slot *slot, int depth);

/* Pushes the key unless it is not wanted: then its value is skipped and 0 answered. */
static int push_key(lua_State *L, const decoding *dc, const tw_json_token *token,
                    key_slot **slot, int depth, int *rc)
{
    int number = 0;
    int wanted;

    *slot = find_slot(L, dc, token, &number);
    if (*slot != NULL) {
        wanted = depth > 1 || (*slot)->wanted;
        if (wanted)
            lua_rawgeti(L, dc->anchor, number + 1);
    } else {
        lua_pushlstring(L, token->text, token->size);
        wanted = depth > 1 || is_wanted(L, dc, -1);
        if (!wanted)
            lua_pop(L, 1);
    }
    if (!wanted)
        *rc = tw_json_reader_skip(dc->d->rd);
    return wanted;
}

static int decode_object(lua_State *L, const decoding *dc, key_slot *slot, int depth)
{
    tw_json_reader *rd = dc->d->rd;
    tw_json_token token;
    unsigned count = 0;
    int rc;

    lua_createtable(L, 0, slot->fields);
    for (;;) {
        key_slot long_key = {NULL, 0, 0, 0, 1};
        key_slot *key;

        rc = tw_json_reader_next(rd, &token);
        if (rc != TW_OK || token.kind == TW_JSON_OBJECT_END)
            break;
        if (!push_key(L, dc, &token, &key, depth, &rc)) {
            if (rc != TW_OK)
                break;
            continue;
        }
        rc = tw_json_reader_next(rd, &token);
        if (rc == TW_OK && token.kind == TW_JSON_NULL && dc->d->drop_null) {
            lua_pop(L, 1);
            continue;
        }
        if (rc == TW_OK)
            rc = decode_value(L, dc, &token, key != NULL ? key : &long_key, depth);
        if (rc != TW_OK) {
            lua_pop(L, 1);
            break;
        }
        lua_rawset(L, -3);
        count++;
    }
    if (rc != TW_OK) {
        lua_pop(L, 1);
        return rc;
    }
    slot->fields = (uint16_t)(count < LARGEST_HINT ? count : LARGEST_HINT);
    return TW_OK;
}

static int decode_array(lua_State *L, const decoding *dc, key_slot *slot, int depth)
{
    tw_json_reader *rd = dc->d->rd;
    key_slot element = {NULL, 0, 0, 0, 1};
    tw_json_token token;
    int count = 0;
    int rc;

    lua_createtable(L, slot->items, 0);
    for (;;) {
        rc = tw_json_reader_next(rd, &token);
        if (rc != TW_OK || token.kind == TW_JSON_ARRAY_END)
            break;
        rc = decode_value(L, dc, &token, &element, depth);
        if (rc != TW_OK)
            break;
        lua_rawseti(L, -2, ++count);
    }
    if (rc != TW_OK) {
        lua_pop(L, 1);
        return rc;
    }
    slot->items = (uint16_t)(count < LARGEST_HINT ? count : LARGEST_HINT);
    if (count == 0) { /* encoded again it must not turn into an object */
        lua_rawgeti(L, dc->anchor, ANCHOR_ARRAY);
        lua_setmetatable(L, -2);
    }
    return TW_OK;
}

/* Pushes the value that starts with `token`; nothing on an error. */
static int decode_value(lua_State *L, const decoding *dc, const tw_json_token *token,
                        key_slot *slot, int depth)
{
    switch (token->kind) {
    case TW_JSON_STRING:
        lua_pushlstring(L, token->text, token->size);
        return TW_OK;
    case TW_JSON_NULL:
        lua_pushlightuserdata(L, NULL);
        return TW_OK;
    case TW_JSON_INT:
        if (lx_pushinteger(L, token->integer))
            return TW_OK;
        lua_pushlstring(L, token->text,
                        token->size); /* digits rather than a wrong number */
        return TW_OK;
    case TW_JSON_BIGINT:
        lua_pushlstring(L, token->text, token->size);
        return TW_OK;
    case TW_JSON_REAL:
        lua_pushnumber(L, (lua_Number)token->real);
        return TW_OK;
    case TW_JSON_TRUE:
    case TW_JSON_FALSE:
        lua_pushboolean(L, token->kind == TW_JSON_TRUE);
        return TW_OK;
    case TW_JSON_OBJECT:
        return decode_object(L, dc, slot, depth + 1);
    case TW_JSON_ARRAY:
        return decode_array(L, dc, slot, depth + 1);
    default: /* the reader keeps the structure: no end and no key comes here */
        return TW_E_PROTOCOL;
    }
}

int lx_decode(lua_State *L, int index, const char *text, size_t size, tw_error **err)
{
    int top = lua_gettop(L);
    lx_decoder *d = lua_touserdata(L, index);
    decoding dc;
    tw_json_token token;
    int rc;

    index = lx_absindex(L, index);
    luaL_checkstack(L, 3 * MAX_DEPTH + 16, "a document is nested too deep");
    lx_getanchor(L, index);
    dc.d = d;
    dc.anchor = lua_gettop(L);
    rc = tw_json_reader_start(d->rd, text, size);
    if (rc == TW_OK)
        rc = tw_json_reader_next(d->rd, &token);
    if (rc == TW_OK)
        rc = decode_value(L, &dc, &token, &d->root, 0);
    if (rc == TW_OK)
        rc = tw_json_reader_next(d->rd, &token); /* nothing may follow */
    if (rc != TW_OK) {
        lua_settop(L, top);
        return tw_json_reader_error(d->rd, err);
    }
    lua_remove(L, dc.anchor);
    return TW_OK;
}

static int decoder_gc(lua_State *L)
{
    lx_decoder *d = luaL_checkudata(L, 1, DECODER);

    tw_json_reader_free(d->rd);
    d->rd = NULL;
    return 0;
}

lx_decoder *lx_newdecoder(lua_State *L, size_t max_bytes, int fields, int drop_null)
{
    lx_decoder *d = lx_newuserdata(L, sizeof *d);
    tw_error *err = NULL;
    int rc;

    memset(d, 0, sizeof *d);
    d->root.wanted = 1;
    lx_setmetatable(L, DECODER);
    lua_createtable(L, ANCHOR_FIELDS, 0);
    luaL_getmetatable(L, LX_ARRAY);
    lua_rawseti(L, -2, ANCHOR_ARRAY);
    if (fields != 0) {
        lua_pushvalue(L, fields);
        lua_rawseti(L, -2, ANCHOR_FIELDS);
    }
    lx_setanchor(L, -2);
    d->selecting = fields != 0;
    d->drop_null = drop_null;
    rc = tw_json_reader_new(&d->rd, MAX_DEPTH, max_bytes, &err);
    if (rc != TW_OK)
        lx_raise(L, rc, err);
    return d;
}

int lx_open_decoder(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", decoder_gc}, {NULL, NULL}};

    lx_newclass(L, DECODER, NULL, meta);
    lua_pop(L, 1);
    return 0;
}
