/* SPDX-License-Identifier: MIT */
/* Reading stored events into numbers: dictionary codes, lists of pairs, one cell per event. */
#include "columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "columns_lists.h"
#include "event_doc.h"
#include "ingest.h"

emu_columns *emu_columns_new(void)
{
    emu_columns *c = calloc(1, sizeof(*c));

    if (c) {
        c->refs = 1;
        c->pair_n = 1; /* place 0 is the empty list */
    }
    return c;
}

emu_columns *emu_columns_ref(emu_columns *c)
{
    c->refs++;
    return c;
}

void emu_columns_unref(emu_columns *c)
{
    if (!c || --c->refs)
        return;
    emu_lists_free(c);
    emu_dict_free(&c->keys);
    emu_dict_free(&c->values);
    for (size_t i = 0; i < EMU_CELL_CHUNKS && c->cells[i]; i++)
        free(c->cells[i]);
    free(c->snap);
    free(c->met);
    free(c->key_list);
    free(c->scratch);
    free(c);
}

/* Room for index `at` in a zeroed array. */
static bool reach(void *array, size_t *cap, size_t at, size_t size)
{
    size_t more = *cap ? *cap : 256;
    char **p = array, *grown;

    if (at < *cap)
        return true;
    while (more <= at)
        more *= 2;
    grown = realloc(*p, more * size);
    if (!grown)
        return false;
    memset(grown + *cap * size, 0, (more - *cap) * size);
    *p = grown;
    *cap = more;
    return true;
}

/* --- values --- */

void emu_put_label(emu_buf *b, double d)
{
    if (d == floor(d) && fabs(d) < 1e300)
        emu_buf_fmt(b, "%.0f", d == 0 ? 0.0 : d);
    else if (!ej_put_double(b, d))
        emu_buf_ch(b, '0');
}

/* True when the text of a number is its label already: a whole number, or a fraction of at
 * most fifteen digits that ends as short as it can. */
static bool is_label(emu_str s)
{
    size_t point = 0, digits = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.s[i] == '.')
            point = i;
        else if (s.s[i] >= '0' && s.s[i] <= '9')
            digits++;
        else if (s.s[i] != '-' || i)
            return false;
    }
    if (!point)
        return !emu_str_is(s, "-0");
    return digits <= 15 && s.s[s.n - 1] != '0' && s.s[s.s[0] == '-'] != '0';
}

static uint32_t number_value(emu_columns *c, const ej_val *v)
{
    emu_buf b = {0};
    uint32_t id = 0;
    double d;

    if (is_label(v->raw))
        return emu_dict_add(&c->values, v->raw);
    d = emu_number_of(v->raw);
    if (isnan(d)) /* beyond the largest number: as sent */
        return emu_dict_add(&c->values, v->raw);
    emu_put_label(&b, d);
    if (!b.failed)
        id = emu_dict_add(&c->values, (emu_str){b.p, b.n});
    emu_buf_free(&b);
    return id;
}

static bool push(emu_columns *c, uint32_t key, uint32_t value)
{
    if (!value || !reach(&c->scratch, &c->scratch_cap, c->scratch_n, sizeof(*c->scratch)))
        return false;
    c->scratch[c->scratch_n++] = (emu_pair){key, value};
    return true;
}

static bool push_text(emu_columns *c, uint32_t key, emu_str text)
{
    return !text.n || push(c, key, emu_dict_add(&c->values, text));
}

/* Null and "" are no value. Objects, and arrays in arrays, count as their JSON text. */
static bool push_scalar(emu_columns *c, emu_arena *a, uint32_t key, const ej_val *v)
{
    switch (v->kind) {
    case EJ_NONE:
    case EJ_NULL:
        return true;
    case EJ_NUMBER:
        return push(c, key, number_value(c, v));
    default:
        return push_text(c, key, ej_text(v, a));
    }
}

static bool push_value(emu_columns *c, emu_arena *a, uint32_t key, const ej_val *v)
{
    ej_cur in = ej_at(v->raw);
    ej_val item;

    if (v->kind != EJ_ARRAY)
        return push_scalar(c, a, key, v);
    ej_enter(&in);
    while (ej_item(&in)) {
        ej_take(&in, &item);
        if (!push_scalar(c, a, key, &item))
            return false;
    }
    return true;
}

/* The last of two members of one name counts. */
static void drop_key(emu_columns *c, uint32_t key)
{
    size_t n = 0;

    for (size_t i = 0; i < c->scratch_n; i++)
        if (c->scratch[i].key != key)
            c->scratch[n++] = c->scratch[i];
    c->scratch_n = n;
}

static uint32_t key_of(emu_columns *c, emu_str name, emu_list_kind kind)
{
    uint32_t key = emu_dict_add(&c->keys, name);

    if (!key || !reach(&c->met, &c->met_cap, key, sizeof(*c->met)) ||
        !reach(&c->key_list, &c->key_cap, key, sizeof(*c->key_list)))
        return 0;
    if (!c->met[key][kind])
        c->met[key][kind] = ++c->met_n[kind];
    if (c->key_list[key] == c->list_no)
        drop_key(c, key);
    c->key_list[key] = c->list_no;
    return key;
}

static void new_list(emu_columns *c)
{
    c->scratch_n = 0;
    c->list_no++;
}

static bool add_member(emu_columns *c, emu_arena *a, emu_str name, const ej_val *v,
                       emu_list_kind kind)
{
    uint32_t key = key_of(c, name, kind);

    return key && push_value(c, a, key, v);
}

static bool add_object(emu_columns *c, emu_arena *a, emu_str object, emu_list_kind kind)
{
    ej_cur in = ej_at(object);
    ej_val key, v;

    if (object.n <= 2)
        return true;
    ej_enter(&in);
    while (ej_key(&in, &key)) {
        ej_take(&in, &v);
        if (!add_member(c, a, ej_text(&key, a), &v, kind))
            return false;
    }
    return true;
}

/* --- an event --- */

/* Revenue fields of an event travel in its properties, as in an export. */
static bool add_revenue(emu_columns *c, emu_arena *a, const emu_doc *d)
{
    static const struct {
        const char *name;
        emu_field field;
    } parts[] = {{"$price", F_price},
                 {"$quantity", F_quantity},
                 {"$productId", F_productId},
                 {"$revenueType", F_revenueType},
                 {"$currency", F_currency}};
    emu_buf b = {0};
    ej_val v = {.kind = EJ_NUMBER};
    bool ok = true;

    if (d->v[F_price].kind != EJ_NUMBER && d->v[F_revenue].kind != EJ_NUMBER)
        return true;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && ok; i++)
        if (d->v[parts[i].field].kind != EJ_NONE)
            ok = add_member(c, a, emu_str_of(parts[i].name), &d->v[parts[i].field],
                            LIST_EVENT);
    emu_doc_revenue(&b, d);
    v.raw = (emu_str){b.p, b.n};
    if (ok && !b.failed && !emu_str_is(v.raw, "null"))
        ok = add_member(c, a, EMU_LIT("$revenue"), &v, LIST_EVENT);
    emu_buf_free(&b);
    return ok;
}

enum {
    B_VERSION,
    B_COUNTRY,
    B_CITY,
    B_REGION,
    B_DMA,
    B_PLATFORM,
    B_START_VERSION,
    B_LIBRARY,
    B_CARRIER,
    B_DEVICE,
    B_DEVICE_FAMILY,
    B_DEVICE_MODEL,
    B_DEVICE_BRAND,
    B_DEVICE_MANUFACTURER,
    B_LANGUAGE,
    B_PAYING,
    B_OS,
    B_USER_ID,
    B_DEVICE_ID,
    B_COUNT
};

_Static_assert(B_COUNT <= EMU_BUILT_INS, "the keys of all built-ins are kept");

/* Each is met at most once in a list, so that no earlier member has to go. */
static bool add_built_in(emu_columns *c, int which, emu_str text)
{
    static const char *const names[B_COUNT] = {"version",
                                               "country",
                                               "city",
                                               "region",
                                               "DMA",
                                               "platform",
                                               "start_version",
                                               "library",
                                               "carrier",
                                               "device",
                                               "device_family",
                                               "device_model",
                                               "device_brand",
                                               "device_manufacturer",
                                               "language",
                                               "paying",
                                               "os",
                                               "user_id",
                                               "device_id"};

    if (!text.n)
        return true;
    if (!c->built_in[which])
        c->built_in[which] = key_of(c, emu_str_of(names[which]), LIST_BUILT_IN);
    return c->built_in[which] && push_text(c, c->built_in[which], text);
}

/* Text columns are strings and numbers, as in an export. */
static emu_str column_text(const ej_val *v, emu_arena *a)
{
    if (v->kind == EJ_STRING || v->kind == EJ_NUMBER)
        return ej_text(v, a);
    return (emu_str){NULL, 0};
}

/* The ids of an event that was read from the file again. */
static void read_ids(emu_stored *row, emu_arena *a, const emu_doc *d)
{
    char made[37];

    if (!(row->flags & FLAG_NO_USER))
        row->user = emu_trim(column_text(&d->v[F_user_id], a));
    if (row->flags & FLAG_DEVICE_MADE) {
        emu_uuid5(made, row->user);
        row->device = emu_arena_copy(a, emu_str_of(made));
    } else {
        row->device = emu_trim(column_text(&d->v[F_device_id], a));
    }
}

static bool add_os(emu_columns *c, emu_arena *a, const emu_doc *d)
{
    emu_str name = column_text(&d->v[F_os_name], a);
    emu_str version = column_text(&d->v[F_os_version], a);
    emu_buf b = {0};
    bool ok;

    emu_buf_str(&b, name);
    if (name.n && version.n)
        emu_buf_ch(&b, ' ');
    emu_buf_str(&b, version);
    ok = !b.failed && add_built_in(c, B_OS, (emu_str){b.p, b.n});
    emu_buf_free(&b);
    return ok;
}

static bool add_built_ins(emu_columns *c, emu_arena *a, const emu_doc *d,
                          const emu_stored *row)
{
    static const struct {
        int which;
        emu_field field;
    } plain[] = {{B_VERSION, F_app_version},
                 {B_COUNTRY, F_country},
                 {B_CITY, F_city},
                 {B_REGION, F_region},
                 {B_DMA, F_dma},
                 {B_PLATFORM, F_platform},
                 {B_START_VERSION, F_start_version},
                 {B_LIBRARY, F_library},
                 {B_CARRIER, F_carrier},
                 {B_DEVICE, F_device_model},
                 {B_DEVICE_FAMILY, F_device_model},
                 {B_DEVICE_MODEL, F_device_model},
                 {B_DEVICE_BRAND, F_device_brand},
                 {B_DEVICE_MANUFACTURER, F_device_manufacturer}};
    const char *language = emu_doc_language(&d->v[F_language], a);

    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (!add_built_in(c, plain[i].which, column_text(&d->v[plain[i].field], a)))
            return false;
    return add_built_in(c, B_LANGUAGE,
                        language ? emu_str_of(language)
                                 : column_text(&d->v[F_language], a)) &&
           (!emu_doc_pays(&d->v[F_paying], a) ||
            add_built_in(c, B_PAYING, EMU_LIT("true"))) &&
           add_os(c, a, d) && add_built_in(c, B_USER_ID, row->user) &&
           add_built_in(c, B_DEVICE_ID, row->device);
}

/* The list of a snapshot, read when it is met first. */
static bool snapshot_list(emu_columns *c, emu_arena *a, int64_t id, emu_str text,
                          uint32_t *out)
{
    *out = 0;
    if (id <= 0 || text.n <= 2)
        return true;
    if (!reach(&c->snap, &c->snap_cap, (size_t)id, sizeof(*c->snap)))
        return false;
    if ((size_t)id >= c->snap_n)
        c->snap_n = (size_t)id + 1;
    if (!c->snap[id]) {
        new_list(c);
        if (!add_object(c, a, text, LIST_USER) || !emu_list_keep(c, &c->snap[id]))
            return false;
    }
    *out = c->snap[id];
    return true;
}

static bool fill_cell(emu_columns *c, emu_arena *a, emu_stored *row, emu_cell *to)
{
    emu_doc d;

    emu_doc_read(&d, row->doc);
    emu_doc_fill(&d, row->traits);
    if (!row->device.s)
        read_ids(row, a, &d);
    to->t = row->event_ms;
    to->sid = row->session;
    to->user = (uint32_t)(row->user_id - EMU_FIRST_ID);
    to->type = (uint32_t)row->type;
    to->q = (uint32_t)c->n;
    to->revenue = emu_doc_amount(&d);
    new_list(c);
    if (d.v[F_event_properties].kind == EJ_OBJECT &&
        !add_object(c, a, d.v[F_event_properties].raw, LIST_EVENT))
        return false;
    if (!add_revenue(c, a, &d) || !emu_list_keep(c, &to->ep))
        return false;
    new_list(c);
    if (!add_built_ins(c, a, &d, row) || !emu_list_share(c, &to->bi))
        return false;
    return snapshot_list(c, a, row->props_id, row->props, &to->up);
}

/* Where the next cell goes; NULL when there is no room for it. */
static emu_cell *next_cell(emu_columns *c)
{
    size_t at = c->n / EMU_CELL_CHUNK;

    if (at >= EMU_CELL_CHUNKS)
        return NULL;
    if (!c->cells[at])
        c->cells[at] = malloc(EMU_CELL_CHUNK * sizeof(emu_cell));
    return c->cells[at] ? &c->cells[at][c->n % EMU_CELL_CHUNK] : NULL;
}

bool emu_columns_add(emu_columns *c, emu_stored *row)
{
    emu_cell *to = next_cell(c);
    emu_arena a = {0};
    bool ok;

    if (!to)
        return false;
    ok = fill_cell(c, &a, row, to) && !a.failed;
    emu_arena_free(&a);
    c->n += ok;
    return ok;
}

void emu_columns_commit(emu_columns *c)
{
    c->committed = c->n;
    c->snap_committed = c->snap_n;
}

void emu_columns_rollback(emu_columns *c)
{
    c->n = c->committed;
    if (c->snap_n > c->snap_committed)
        memset(c->snap + c->snap_committed, 0,
               (c->snap_n - c->snap_committed) * sizeof(*c->snap));
    c->snap_n = c->snap_committed;
}

static emu_str column(sqlite3_stmt *st, int i)
{
    const char *p = (const char *)sqlite3_column_text(st, i);

    return (emu_str){p, p ? (size_t)sqlite3_column_bytes(st, i) : 0};
}

int emu_columns_load(emu_store *s)
{
    static const char sql[] =
        "SELECT e.id,e.type,e.event_ms,e.session,e.flags,e.props,e.traits,p.doc,b.doc,e.doc"
        " FROM events e LEFT JOIN props p ON p.id=e.props LEFT JOIN props b ON b.id=e.traits"
        " WHERE e.hour>=0 ORDER BY e.seq";
    sqlite3_stmt *st = NULL;
    bool ok = true;

    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL))
        return -1;
    while (ok && sqlite3_step(st) == SQLITE_ROW) {
        emu_stored row = {.user_id = sqlite3_column_int64(st, 0),
                          .type = sqlite3_column_int64(st, 1),
                          .event_ms = sqlite3_column_int64(st, 2),
                          .session = sqlite3_column_int64(st, 3),
                          .flags = (unsigned)sqlite3_column_int64(st, 4),
                          .props_id = sqlite3_column_int64(st, 5),
                          .traits_id = sqlite3_column_int64(st, 6),
                          .props = column(st, 7),
                          .traits = column(st, 8),
                          .doc = column(st, 9)};

        ok = emu_columns_add(s->columns, &row);
    }
    if (sqlite3_finalize(st) || !ok)
        return -1;
    emu_columns_commit(s->columns);
    return 0;
}
