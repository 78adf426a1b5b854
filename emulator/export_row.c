/* SPDX-License-Identifier: MIT */
/* One stored event as a row of the export: 55 keys in byte order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event_doc.h"
#include "export.h"
#include "ingest.h"

/* Text columns: strings as sent, numbers as their text, anything else null. */
static void text_or_null(emu_buf *b, const ej_val *v)
{
    if (v->kind == EJ_STRING && v->raw.n > 2) {
        emu_buf_str(b, v->raw);
    } else if (v->kind == EJ_NUMBER) {
        emu_buf_ch(b, '"');
        emu_buf_str(b, v->raw);
        emu_buf_ch(b, '"');
    } else {
        emu_buf_z(b, "null");
    }
}

static void text_column(emu_buf *b, const char *lead, const ej_val *v)
{
    emu_buf_z(b, lead);
    text_or_null(b, v);
}

static void number_column(emu_buf *b, const char *lead, const ej_val *v)
{
    emu_buf_z(b, lead);
    if (v->kind == EJ_NUMBER)
        emu_buf_str(b, v->raw);
    else
        emu_buf_z(b, "null");
}

static void time_column(emu_buf *b, const char *lead, int64_t ms)
{
    char t[EMU_TIME_N + 1];

    emu_buf_z(b, lead);
    if (ms == INT64_MIN) {
        emu_buf_z(b, "null");
        return;
    }
    emu_time_text(t, ms);
    emu_buf_ch(b, '"');
    emu_buf_put(b, t, EMU_TIME_N);
    emu_buf_ch(b, '"');
}

static void language(emu_buf *b, const ej_val *v, emu_arena *a)
{
    const char *name = emu_doc_language(v, a);

    if (name)
        emu_buf_quote(b, emu_str_of(name));
    else
        text_or_null(b, v);
}

/* --- revenue --- */

static void add_pair(emu_buf *b, const char *name, const ej_val *v, bool *first)
{
    if (v->kind == EJ_NONE)
        return;
    emu_buf_fmt(b, "%s\"%s\":", *first ? "" : ",", name);
    emu_buf_str(b, v->raw);
    *first = false;
}

/* Rows have no revenue columns: revenue fields of the event travel in its properties. */
static void event_properties(emu_buf *b, const emu_doc *d)
{
    const ej_val *ep = &d->v[F_event_properties];
    bool object = ep->kind == EJ_OBJECT && ep->raw.n > 2, first = !object;

    if (d->v[F_price].kind != EJ_NUMBER && d->v[F_revenue].kind != EJ_NUMBER) {
        if (object)
            emu_buf_str(b, ep->raw);
        else
            emu_buf_z(b, "{}");
        return;
    }
    if (object)
        emu_buf_put(b, ep->raw.s, ep->raw.n - 1);
    else
        emu_buf_ch(b, '{');
    add_pair(b, "$price", &d->v[F_price], &first);
    add_pair(b, "$quantity", &d->v[F_quantity], &first);
    add_pair(b, "$productId", &d->v[F_productId], &first);
    add_pair(b, "$revenueType", &d->v[F_revenueType], &first);
    add_pair(b, "$currency", &d->v[F_currency], &first);
    emu_buf_z(b, first ? "\"$revenue\":" : ",\"$revenue\":");
    emu_doc_revenue(b, d);
    emu_buf_ch(b, '}');
}

/* --- the other objects --- */

/* An object cut to its first `max` members, arrays in it to ten values. */
static void groups(emu_buf *b, const ej_val *v)
{
    ej_cur c = ej_at(v->raw);
    ej_val k, item, element;
    int types = 0;

    emu_buf_ch(b, '{');
    if (v->kind == EJ_OBJECT)
        ej_enter(&c);
    while (v->kind == EJ_OBJECT && ej_key(&c, &k) && types < 5) {
        ej_take(&c, &item);
        if (types++)
            emu_buf_ch(b, ',');
        emu_buf_str(b, k.raw);
        emu_buf_ch(b, ':');
        if (item.kind == EJ_ARRAY) {
            ej_cur in = ej_at(item.raw);
            int n = 0;

            emu_buf_ch(b, '[');
            for (ej_enter(&in); ej_item(&in) && n < 10; n++) {
                ej_take(&in, &element);
                if (n)
                    emu_buf_ch(b, ',');
                emu_buf_str(b, element.raw);
            }
            emu_buf_ch(b, ']');
        } else {
            emu_buf_str(b, item.raw);
        }
    }
    emu_buf_ch(b, '}');
}

static void plan(emu_buf *b, const ej_val *v)
{
    static const char *const kept[] = {"branch", "source", "version", "versionId"};
    bool first = true;
    ej_val part;

    emu_buf_ch(b, '{');
    for (size_t i = 0; i < 4; i++)
        if (ej_get(v, kept[i], &part))
            add_pair(b, kept[i], &part, &first);
    emu_buf_ch(b, '}');
}

static void object_or_empty(emu_buf *b, emu_str s)
{
    if (s.n > 2)
        emu_buf_str(b, s);
    else
        emu_buf_z(b, "{}");
}

static void ids(emu_buf *b, const twe *e, const emu_row *row, const emu_doc *d,
                emu_arena *a, emu_str *user, emu_str *device)
{
    emu_hash h = emu_hash_of((uint64_t)e->app_id, EMU_LIT("row"),
                             (emu_str){(const char *)&row->seq, sizeof(row->seq)});
    char text[37];

    *user = *device = (emu_str){NULL, 0};
    if (!(row->flags & FLAG_NO_USER))
        *user = emu_trim(ej_text(&d->v[F_user_id], a));
    if (row->flags & FLAG_DEVICE_MADE) {
        emu_uuid5(text, *user);
        *device = emu_arena_copy(a, (emu_str){text, 36});
    } else {
        *device = emu_trim(ej_text(&d->v[F_device_id], a));
    }
    emu_buf_z(b, "{\"$insert_id\":");
    if (d->v[F_insert_id].kind == EJ_STRING && d->v[F_insert_id].raw.n > 2) {
        emu_buf_str(b, d->v[F_insert_id].raw);
    } else if (d->v[F_insert_id].kind == EJ_NUMBER) {
        text_or_null(b, &d->v[F_insert_id]);
    } else {
        h.hi = ~h.hi; /* made by the server; the row's own uuid is its sibling */
        emu_uuid(text, h);
        emu_buf_quote(b, (emu_str){text, 36});
    }
}

static void quoted_or_null(emu_buf *b, emu_str s)
{
    if (s.s && s.n)
        emu_buf_quote(b, s);
    else
        emu_buf_z(b, "null");
}

/* $insert_id … dma */
static void first_part(emu_buf *b, const twe *e, const emu_row *row, const emu_doc *d,
                       emu_str device)
{
    int64_t client = row->client_ms == INT64_MIN ? row->upload_ms : row->client_ms;
    int64_t sent =
        row->client_upload_ms == INT64_MIN ? row->received_ms : row->client_upload_ms;

    emu_buf_z(b, ",\"$insert_key\":null,\"$schema\":null,\"adid\":null,"
                 "\"amplitude_attribution_ids\":null,\"amplitude_event_type\":null,"
                 "\"amplitude_id\":");
    emu_buf_int(b, row->amplitude_id);
    emu_buf_z(b, ",\"app\":");
    emu_buf_int(b, e->app_id);
    text_column(b, ",\"city\":", &d->v[F_city]);
    time_column(b, ",\"client_event_time\":", client);
    time_column(b, ",\"client_upload_time\":", sent);
    text_column(b, ",\"country\":", &d->v[F_country]);
    emu_buf_fmt(b,
                ",\"data\":{\"path\":\"%s\",\"user_properties_updated\":%s,"
                "\"group_first_event\":{},\"group_ids\":{}},\"data_type\":\"event\"",
                row->flags & FLAG_BATCH ? "/batch" : "/2/httpapi",
                row->flags & FLAG_UPDATED ? "true" : "false");
    text_column(b, ",\"device_brand\":", &d->v[F_device_brand]);
    text_column(b, ",\"device_carrier\":", &d->v[F_carrier]);
    emu_buf_z(b, ",\"device_family\":null,\"device_id\":");
    quoted_or_null(b, device);
    text_column(b, ",\"device_manufacturer\":", &d->v[F_device_manufacturer]);
    text_column(b, ",\"device_model\":", &d->v[F_device_model]);
    text_column(b, ",\"device_type\":null,\"dma\":", &d->v[F_dma]);
}

/* Name and version of the operating system in one. */
static void os(emu_buf *b, const emu_doc *d, emu_arena *a)
{
    emu_str name = ej_text(&d->v[F_os_name], a),
            version = ej_text(&d->v[F_os_version], a);
    emu_buf both = {0};

    if (d->v[F_os_name].kind == EJ_STRING)
        emu_buf_str(&both, name);
    if (both.n &&
        (d->v[F_os_version].kind == EJ_STRING || d->v[F_os_version].kind == EJ_NUMBER)) {
        emu_buf_ch(&both, ' ');
        emu_buf_str(&both, version);
    }
    emu_buf_z(b, ",\"os\":");
    emu_buf_quote(b, (emu_str){both.n ? both.p : "", both.n});
    emu_buf_free(&both);
}

/* event_id … os_version */
static void second_part(emu_buf *b, const twe *e, const emu_row *row, const emu_doc *d,
                        emu_row_form form, emu_arena *a)
{
    emu_hash h = emu_hash_of((uint64_t)e->app_id, EMU_LIT("event"),
                             (emu_str){(const char *)&row->seq, sizeof(row->seq)});

    emu_buf_z(b, ",\"event_id\":");
    if (d->v[F_event_id].kind == EJ_NUMBER)
        emu_buf_str(b, d->v[F_event_id].raw);
    else
        emu_buf_int(b, (int64_t)(h.lo % 1000000000));
    emu_buf_z(b, ",\"event_properties\":");
    event_properties(b, d);
    time_column(b, ",\"event_time\":", row->event_ms);
    emu_buf_z(b, ",\"event_type\":");
    emu_buf_quote(b, row->type);
    emu_buf_z(b, ",\"global_user_properties\":null,\"group_properties\":");
    object_or_empty(b, row->group_props);
    emu_buf_z(b, ",\"groups\":");
    groups(b, &d->v[F_groups]);
    emu_buf_z(b, ",\"idfa\":null,\"ip_address\":");
    if (d->v[F_ip].kind == EJ_STRING && emu_str_is(d->v[F_ip].raw, "\"$remote\""))
        emu_buf_z(b, "\"127.0.0.1\"");
    else
        text_or_null(b, &d->v[F_ip]);
    emu_buf_z(b, ",\"is_attribution_event\":null,\"language\":");
    language(b, &d->v[F_language], a);
    emu_buf_z(b, ",\"library\":");
    if (d->v[F_library].kind == EJ_STRING)
        emu_buf_str(b, d->v[F_library].raw);
    else
        emu_buf_z(b, "\"http/2.0\"");
    number_column(b, ",\"location_lat\":", &d->v[F_location_lat]);
    number_column(b, ",\"location_lng\":", &d->v[F_location_lng]);
    if (form == ROW_ACTIVITY)
        os(b, d, a);
    text_column(b, ",\"os_name\":", &d->v[F_os_name]);
    text_column(b, ",\"os_version\":", &d->v[F_os_version]);
}

/* partner_id … version_name */
static void third_part(emu_buf *b, const twe *e, const emu_row *row, const emu_doc *d,
                       emu_row_form form, emu_str user, emu_arena *a)
{
    emu_hash h = emu_hash_of((uint64_t)e->app_id, EMU_LIT("row"),
                             (emu_str){(const char *)&row->seq, sizeof(row->seq)});
    char uuid[37];

    text_column(b, ",\"partner_id\":", &d->v[F_partner_id]);
    emu_buf_z(b, emu_doc_pays(&d->v[F_paying], a) ? ",\"paying\":true,\"plan\":"
                                                  : ",\"paying\":null,\"plan\":");
    plan(b, &d->v[F_plan]);
    text_column(b, ",\"platform\":", &d->v[F_platform]);
    if (form == ROW_EXPORT) {
        time_column(b, ",\"processed_time\":", row->upload_ms + 1000 + row->seq % 1000);
    } else {
        emu_buf_z(b, ",\"raw_event_type\":");
        emu_buf_quote(b, row->type);
    }
    text_column(b, ",\"region\":", &d->v[F_region]);
    time_column(b, ",\"sample_rate\":null,\"server_received_time\":", row->received_ms);
    time_column(b, ",\"server_upload_time\":", row->upload_ms);
    emu_buf_z(b, ",\"session_id\":");
    emu_buf_int(b, row->session);
    text_column(b, ",\"source_id\":\"\",\"start_version\":", &d->v[F_start_version]);
    emu_buf_z(b, ",\"user_creation_time\":null,\"user_id\":");
    quoted_or_null(b, user);
    emu_buf_z(b, ",\"user_properties\":");
    object_or_empty(b, row->props);
    emu_uuid(uuid, h);
    emu_buf_fmt(b, ",\"uuid\":\"%s\",\"version_name\":", uuid);
    text_or_null(b, &d->v[F_app_version]);
    emu_buf_ch(b, '}');
}

void emu_row_write(const twe *e, const emu_row *row, emu_row_form form, emu_arena *a,
                   emu_buf *out)
{
    emu_str user, device;
    emu_doc d;

    emu_doc_read(&d, row->doc);
    emu_doc_fill(&d, row->traits);
    ids(out, e, row, &d, a, &user, &device);
    first_part(out, e, row, &d, device);
    second_part(out, e, row, &d, form, a);
    third_part(out, e, row, &d, form, user, a);
}

/* --- out of the store --- */

static int64_t time_at(sqlite3_stmt *st, int i)
{
    return sqlite3_column_type(st, i) == SQLITE_NULL ? INT64_MIN
                                                     : sqlite3_column_int64(st, i);
}

static emu_str text_at(sqlite3_stmt *st, int i)
{
    const char *p = (const char *)sqlite3_column_text(st, i);

    return (emu_str){p, p ? (size_t)sqlite3_column_bytes(st, i) : 0};
}

emu_row emu_row_at(emu_store *s, sqlite3_stmt *st)
{
    emu_row row = {
        .seq = sqlite3_column_int64(st, 0),
        .type = text_at(st, 2),
        .event_ms = time_at(st, 3),
        .client_ms = time_at(st, 4),
        .client_upload_ms = time_at(st, 5),
        .received_ms = time_at(st, 6),
        .upload_ms = time_at(st, 7),
        .session = sqlite3_column_int64(st, 8),
        .flags = sqlite3_column_int64(st, 9),
        .props = text_at(st, 10),
        .group_props = text_at(st, 11),
        .traits = text_at(st, 12),
        .doc = text_at(st, 13),
    };
    emu_user *u = emu_user_by_id(s, sqlite3_column_int64(st, 1));

    row.amplitude_id = u ? u->id : sqlite3_column_int64(st, 1);
    return row;
}
