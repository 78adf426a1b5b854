/* SPDX-License-Identifier: MIT */
/* Property dictionaries and the ten operations on them. */
#include "props.h"

#include <string.h>

#define LIST_MAX 10000 /* characters of an array that operations make (limits page) */

enum op {
    OP_CLEAR,
    OP_UNSET,
    OP_SET,
    OP_SET_ONCE,
    OP_ADD,
    OP_APPEND,
    OP_PREPEND,
    OP_PRE_INSERT,
    OP_POST_INSERT,
    OP_REMOVE,
    OP_COUNT
};

static const char *const OPS[OP_COUNT] = {
    "$clearAll", "$unset",   "$set",       "$setOnce",    "$add",
    "$append",   "$prepend", "$preInsert", "$postInsert", "$remove"};

/* Keys are kept as canonical JSON literals, values as compact text; s == NULL is removed. */
typedef struct pair {
    emu_str key, value;
} pair;

typedef struct dict {
    emu_arena *a;
    pair *pairs;
    size_t n, cap;
    bool failed;
} dict;

static int op_of(const ej_val *key)
{
    if (key->raw.n < 3 || (key->raw.s[1] != '$' && !key->escaped))
        return -1;
    for (int i = 0; i < OP_COUNT; i++)
        if (ej_key_is(key, OPS[i]))
            return i;
    return -1;
}

bool emu_is_op(const ej_val *key)
{
    return op_of(key) >= 0;
}

void emu_props_kinds(const ej_val *update, bool *ops, bool *plain)
{
    ej_cur c = ej_at(update->raw);
    ej_val key, v;

    *ops = *plain = false;
    if (update->kind != EJ_OBJECT)
        return;
    ej_enter(&c);
    while (ej_key(&c, &key)) {
        ej_take(&c, &v);
        if (op_of(&key) >= 0)
            *ops = true;
        else
            *plain = true;
    }
}

static emu_str compact(dict *d, emu_str raw)
{
    emu_buf b = {0};
    emu_str out;

    ej_compact(&b, raw);
    out = b.failed ? (emu_str){NULL, 0} : emu_arena_copy(d->a, (emu_str){b.p, b.n});
    emu_buf_free(&b);
    d->failed |= !out.s;
    return out;
}

/* Two spellings of one key ("a", "\u0061") are one property. */
static emu_str canonical_key(dict *d, const ej_val *key)
{
    emu_buf b = {0};
    emu_str out;

    if (!key->escaped)
        return key->raw;
    emu_buf_quote(&b, ej_text(key, d->a));
    out = b.failed ? (emu_str){NULL, 0} : emu_arena_copy(d->a, (emu_str){b.p, b.n});
    emu_buf_free(&b);
    d->failed |= !out.s;
    return out;
}

static pair *find(dict *d, emu_str key)
{
    for (size_t i = 0; i < d->n; i++)
        if (emu_str_eq(d->pairs[i].key, key))
            return &d->pairs[i];
    return NULL;
}

static void put(dict *d, emu_str key, emu_str value)
{
    pair *p = find(d, key);

    if (!p) {
        if (d->n == d->cap) {
            pair *grown = emu_arena_grow(d->a, d->pairs, d->n, &d->cap, sizeof(*grown));

            if (!grown) {
                d->failed = true;
                return;
            }
            d->pairs = grown;
        }
        p = &d->pairs[d->n++];
        p->key = key;
    }
    p->value = value;
}

static void merge(dict *d, emu_str object, bool plain_only)
{
    ej_cur c = ej_at(object);
    ej_val key, v;

    ej_enter(&c);
    while (ej_key(&c, &key)) {
        ej_take(&c, &v);
        if (!plain_only || op_of(&key) < 0)
            put(d, canonical_key(d, &key), compact(d, v.raw));
    }
}

static bool has(const pair *p)
{
    return p && p->value.s && !emu_str_is(p->value, "null");
}

/* --- numbers --- */

static bool whole(emu_str s, int64_t *out)
{
    ej_val v = {.raw = s, .kind = EJ_NUMBER};
    size_t digits = s.n - (s.n && *s.s == '-');

    for (size_t i = s.n - digits; i < s.n; i++)
        if (s.s[i] < '0' || s.s[i] > '9')
            return false;
    return digits > 0 && digits < 19 && ej_int(&v, out);
}

static bool numeric(emu_str s)
{
    return s.n && (*s.s == '-' || (*s.s >= '0' && *s.s <= '9'));
}

static emu_str add_numbers(dict *d, emu_str x, emu_str y)
{
    int64_t i, j, sum;
    ej_val a = {.raw = x, .kind = EJ_NUMBER}, b = {.raw = y, .kind = EJ_NUMBER};
    emu_buf text = {0};
    emu_str out;

    if (whole(x, &i) && whole(y, &j) && !__builtin_add_overflow(i, j, &sum)) {
        emu_buf_int(&text, sum);
    } else if (!ej_put_double(&text, ej_double(&a) + ej_double(&b))) {
        return x; /* too large for a number: left alone, as other sums that cannot be */
    }
    out = text.failed ? (emu_str){NULL, 0}
                      : emu_arena_copy(d->a, (emu_str){text.p, text.n});
    emu_buf_free(&text);
    d->failed |= !out.s;
    return out;
}

static void add(dict *d, emu_str key, emu_str value)
{
    pair *p = find(d, key);

    if (!numeric(value))
        return;
    if (!has(p))
        put(d, key, value);
    else if (numeric(p->value))
        p->value = add_numbers(d, p->value, value);
}

/* --- lists --- */

typedef struct list {
    emu_str *items;
    size_t n, cap;
} list;

static void list_push(dict *d, list *l, emu_str item)
{
    if (l->n == l->cap) {
        emu_str *grown = emu_arena_grow(d->a, l->items, l->n, &l->cap, sizeof(*grown));

        if (!grown) {
            d->failed = true;
            return;
        }
        l->items = grown;
    }
    l->items[l->n++] = item;
}

/* A scalar counts as a list of one. */
static void list_read(dict *d, list *l, emu_str value)
{
    ej_cur c = ej_at(value);
    ej_val v;

    if (!value.s)
        return;
    if (*value.s != '[') {
        list_push(d, l, value);
        return;
    }
    ej_enter(&c);
    while (ej_item(&c)) {
        ej_take(&c, &v);
        list_push(d, l, v.raw);
    }
}

static bool list_has(const list *l, emu_str item)
{
    for (size_t i = 0; i < l->n; i++)
        if (emu_str_eq(l->items[i], item))
            return true;
    return false;
}

/* As JSON, with the elements from the first on that fit into the limit. */
static emu_str list_text(dict *d, const list *l)
{
    size_t room = LIST_MAX - 1; /* each element has a bracket or a comma before it */
    emu_buf b = {0};
    emu_str out;

    emu_buf_ch(&b, '[');
    for (size_t i = 0; i < l->n; i++) {
        size_t n = ej_characters(l->items[i]) + 1;

        if (n > room)
            break;
        room -= n;
        if (i)
            emu_buf_ch(&b, ',');
        emu_buf_str(&b, l->items[i]);
    }
    emu_buf_ch(&b, ']');
    out = b.failed ? (emu_str){NULL, 0} : emu_arena_copy(d->a, (emu_str){b.p, b.n});
    emu_buf_free(&b);
    d->failed |= !out.s;
    return out;
}

static void insert(dict *d, emu_str key, emu_str value, bool front, bool unique)
{
    pair *p = find(d, key);
    list have = {0}, fresh = {0}, given = {0}, all = {0};
    const list *parts[2] = {&have, &fresh};

    if (has(p))
        list_read(d, &have, p->value);
    list_read(d, &given, value);
    for (size_t i = 0; i < given.n; i++)
        if (!unique ||
            (!list_has(&have, given.items[i]) && !list_has(&fresh, given.items[i])))
            list_push(d, &fresh, given.items[i]);
    if (unique && fresh.n == 0 && has(p))
        return; /* an equal scalar stays a scalar */
    for (int part = 0; part < 2; part++) {
        const list *l = parts[front ? 1 - part : part];

        for (size_t i = 0; i < l->n; i++)
            list_push(d, &all, l->items[i]);
    }
    put(d, key, list_text(d, &all));
}

static void take_out(dict *d, emu_str key, emu_str value)
{
    pair *p = find(d, key);
    list have = {0}, given = {0}, rest = {0};

    if (!has(p))
        return;
    list_read(d, &have, p->value);
    list_read(d, &given, value);
    for (size_t i = 0; i < have.n; i++)
        if (!list_has(&given, have.items[i]))
            list_push(d, &rest, have.items[i]);
    if (rest.n == have.n)
        return;
    if (*p->value.s == '[')
        p->value = list_text(d, &rest);
    else
        p->value = (emu_str){NULL, 0};
}

static void apply_one(dict *d, int op, emu_str key, emu_str value)
{
    pair *p;

    switch (op) {
    case OP_UNSET:
        p = find(d, key);
        if (p)
            p->value = (emu_str){NULL, 0};
        break;
    case OP_SET:
        put(d, key, value);
        break;
    case OP_SET_ONCE:
        if (!has(find(d, key)))
            put(d, key, value);
        break;
    case OP_ADD:
        add(d, key, value);
        break;
    case OP_APPEND:
    case OP_POST_INSERT:
        insert(d, key, value, false, op == OP_POST_INSERT);
        break;
    case OP_PREPEND:
    case OP_PRE_INSERT:
        insert(d, key, value, true, op == OP_PRE_INSERT);
        break;
    default:
        take_out(d, key, value);
    }
}

static void apply_op(dict *d, int op, const ej_val *body)
{
    ej_cur c = ej_at(body->raw);
    ej_val key, v;

    if (op == OP_CLEAR) {
        d->n = 0;
        return;
    }
    if (body->kind != EJ_OBJECT)
        return;
    ej_enter(&c);
    while (ej_key(&c, &key)) {
        ej_take(&c, &v);
        apply_one(d, op, canonical_key(d, &key), compact(d, v.raw));
    }
}

static emu_str dict_text(dict *d)
{
    emu_buf b = {0};
    emu_str out = {NULL, 0};
    bool first = true;

    emu_buf_ch(&b, '{');
    for (size_t i = 0; i < d->n; i++) {
        if (!d->pairs[i].value.s)
            continue;
        if (!first)
            emu_buf_ch(&b, ',');
        first = false;
        emu_buf_str(&b, d->pairs[i].key);
        emu_buf_ch(&b, ':');
        emu_buf_str(&b, d->pairs[i].value);
    }
    emu_buf_ch(&b, '}');
    if (!b.failed && !d->failed)
        out = emu_arena_copy(d->a, (emu_str){b.p, b.n});
    emu_buf_free(&b);
    return out;
}

emu_str emu_props_apply(emu_arena *a, emu_str current, const ej_val *update)
{
    dict d = {.a = a};
    ej_val body;

    if (current.n)
        merge(&d, current, false);
    for (int op = 0; op < OP_COUNT; op++)
        if (ej_get(update, OPS[op], &body))
            apply_op(&d, op, &body);
    merge(&d, update->raw, true);
    return dict_text(&d);
}
