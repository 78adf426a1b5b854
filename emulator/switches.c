/* SPDX-License-Identifier: MIT */
/* Named behaviour switches: table, reading and setting. */
#include "switches.h"

#include <string.h>

static const struct row {
    const char *name;
    int64_t lo, hi, def;
    const char *names, *doc;
} ROWS[SW_COUNT] = {
#define X(id, lo, hi, def, names, doc) {#id, lo, hi, def, names, doc},
    EMU_SWITCHES(X)
#undef X
};

void emu_switches_reset(emu_switches *s)
{
    for (int i = 0; i < SW_COUNT; i++)
        s->value[i] = ROWS[i].def;
}

/* The n-th of "a|b|c". */
static emu_str name_at(const char *names, int64_t n)
{
    const char *bar = strchr(names, '|');

    while (n-- > 0 && bar) {
        names = bar + 1;
        bar = strchr(names, '|');
    }
    return (emu_str){names, bar ? (size_t)(bar - names) : strlen(names)};
}

static bool is_bool(const struct row *r)
{
    return strcmp(r->names, "false|true") == 0;
}

void emu_switches_write(emu_switches *s, emu_buf *out)
{
    emu_buf_ch(out, '{');
    for (int i = 0; i < SW_COUNT; i++) {
        const struct row *r = &ROWS[i];

        emu_buf_fmt(out, "%s\"%s\":", i ? "," : "", r->name);
        if (is_bool(r))
            emu_buf_str(out, name_at(r->names, s->value[i]));
        else if (r->names[0])
            emu_buf_quote(out, name_at(r->names, s->value[i]));
        else
            emu_buf_int(out, s->value[i]);
    }
    emu_buf_ch(out, '}');
}

static bool read_value(const struct row *r, const ej_val *v, int64_t *out)
{
    emu_str text = v->raw;

    if (!r->names[0])
        return ej_int(v, out) && *out >= r->lo && *out <= r->hi;
    if (v->kind == EJ_STRING && !is_bool(r))
        text = (emu_str){text.s + 1, text.n - 2};
    for (int64_t n = r->lo; n <= r->hi; n++) {
        if (emu_str_eq(name_at(r->names, n), text)) {
            *out = n;
            return true;
        }
    }
    return false;
}

static bool set_one(int64_t *values, const ej_val *key, const ej_val *v, emu_buf *err)
{
    for (int i = 0; i < SW_COUNT; i++) {
        if (!ej_key_is(key, ROWS[i].name))
            continue;
        if (read_value(&ROWS[i], v, &values[i]))
            return true;
        emu_buf_fmt(err, "switch %s refused the value: ", ROWS[i].name);
        if (ROWS[i].names[0])
            emu_buf_fmt(err, "expected one of %s", ROWS[i].names);
        else
            emu_buf_fmt(err, "expected an integer from %lld to %lld",
                        (long long)ROWS[i].lo, (long long)ROWS[i].hi);
        return false;
    }
    emu_buf_z(err, "there was no switch ");
    emu_buf_str(err, key->raw);
    return false;
}

bool emu_switches_set(emu_switches *s, const ej_val *object, emu_buf *err)
{
    int64_t values[SW_COUNT];
    ej_cur c = ej_at(object->raw);
    ej_val key, v;

    if (object->kind != EJ_OBJECT) {
        emu_buf_z(err, "switches were not a JSON object");
        return false;
    }
    for (int i = 0; i < SW_COUNT; i++)
        values[i] = s->value[i];
    ej_enter(&c);
    while (ej_key(&c, &key)) {
        ej_take(&c, &v);
        if (!set_one(values, &key, &v, err))
            return false;
    }
    for (int i = 0; i < SW_COUNT; i++)
        s->value[i] = values[i];
    return true;
}
