/* SPDX-License-Identifier: MIT */
/* /2/httpapi and /batch: reading, checking, answering. */
#include "ingest.h"

#include <string.h>

#include "props.h"

#define V2_MAX 1048576u     /* 1 MB (Amplitude HTTP V2 API docs), after gunzip */
#define BATCH_MAX 20971520u /* 20 MB (Amplitude batch API docs) */
#define DEPTH_MAX 40 /* of event_properties and user_properties (HTTP V2 API docs) */

static void answer(emu_req *r, int status, const char *error, const char *tail)
{
    r->out.n = 0;
    emu_buf_fmt(&r->out, "{\"code\":%d,\"error\":\"%s\"%s}", status, error, tail);
    emu_reply(r, status, EMU_JSON);
}

emu_str emu_trim(emu_str s)
{
    while (s.n && (*s.s == ' ' || *s.s == '\t')) {
        s.s++;
        s.n--;
    }
    while (s.n && (s.s[s.n - 1] == ' ' || s.s[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* Ids that no real user has; case is ignored, whole value (HTTP V2 API docs). */
static bool listed(emu_str id)
{
    static const char *const ids[] = {"anonymous", "nil",    "none",      "null",
                                      "n/a",       "na",     "undefined", "unknown",
                                      "{}",        "lmy47d", "0",         "-1"};

    if (id.n > 9)
        return emu_str_is(id, "00000000-0000-0000-0000-000000000000");
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        if (emu_str_case_is(id, ids[i]))
            return true;
    return false;
}

static size_t characters(emu_str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.s[i] & 0xC0) != 0x80;
    return n;
}

emu_str emu_cut(emu_str s)
{
    size_t n = 0;

    for (size_t i = 0; s.n > 1024 && i < s.n; i++)
        if (((unsigned char)s.s[i] & 0xC0) != 0x80 && ++n > 1024)
            return (emu_str){s.s, i};
    return s;
}

int64_t emu_min_id_length(const ej_val *options)
{
    ej_val min;
    int64_t n;
    bool whole = ej_get(options, "min_id_length", &min) && min.kind == EJ_NUMBER;

    for (size_t i = 0; whole && i < min.raw.n; i++)
        whole = min.raw.s[i] >= '0' && min.raw.s[i] <= '9';
    return whole && ej_int(&min, &n) && n > 0 ? n : 5;
}

bool emu_is_empty_array(ej_val *v)
{
    ej_cur c = ej_at(v->raw);

    if (v->kind != EJ_ARRAY)
        return false;
    ej_enter(&c);
    if (ej_item(&c))
        return false;
    *v = (ej_val){0};
    return true;
}

emu_id_fault emu_read_id(emu_arena *a, const ej_val *v, int64_t min, emu_str *out)
{
    *out = (emu_str){NULL, 0};
    if (v->kind == EJ_NONE || v->kind == EJ_NULL)
        return ID_OK;
    if (v->kind != EJ_STRING && v->kind != EJ_NUMBER)
        return ID_KIND;
    *out = ej_text(v, a);
    if (emu_trim(*out).n == 0 || emu_str_is(*out, "\"\"")) {
        *out = (emu_str){NULL, 0}; /* clients send "" often: absent; blanks are trimmed */
        return ID_OK;
    }
    if (listed(*out))
        return ID_LISTED;
    if (out->n < (size_t)min || (min > 0 && characters(*out) < (size_t)min))
        return ID_SHORT;
    return ID_OK;
}

/* --- reading --- */

static void read_field(emu_event *ev, const ej_val *key, const ej_val *v)
{
    static const struct {
        const char *name;
        size_t at;
    } fields[] = {
        {"time", offsetof(emu_event, time)},
        {"groups", offsetof(emu_event, groups)},
        {"user_id", offsetof(emu_event, user_id)},
        {"device_id", offsetof(emu_event, device_id)},
        {"insert_id", offsetof(emu_event, insert_id)},
        {"event_type", offsetof(emu_event, type)},
        {"price", offsetof(emu_event, price)},
        {"revenue", offsetof(emu_event, revenue)},
        {"app_version", offsetof(emu_event, app_version)},
        {"session_id", offsetof(emu_event, session_id)},
        {"user_properties", offsetof(emu_event, user_properties)},
        {"event_properties", offsetof(emu_event, event_properties)},
        {"group_properties", offsetof(emu_event, group_properties)},
        {"$skip_user_properties_sync", offsetof(emu_event, skip_sync)},
    };

    if (v->kind == EJ_NULL)
        return; /* null is absent */
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (!key->escaped && key->raw.s[1] != fields[i].name[0])
            continue;
        if (ej_key_is(key, fields[i].name)) {
            *(ej_val *)((char *)ev + fields[i].at) = *v;
            return;
        }
    }
}

static bool read_event(emu_batch *b, ej_cur *c)
{
    emu_event *ev;
    ej_val key, v;
    const char *start;

    if (b->n == b->cap) {
        emu_event *grown =
            emu_arena_grow(&b->r->arena, b->events, b->n, &b->cap, sizeof(*grown));

        if (!grown)
            return false;
        b->events = grown;
    }
    ev = &b->events[b->n++];
    memset(ev, 0, sizeof(*ev));
    start = c->p;
    ej_enter(c);
    while (ej_key(c, &key)) {
        ej_take(c, &v);
        read_field(ev, &key, &v);
    }
    ev->doc = (emu_str){start, (size_t)(c->p - start)};
    return true;
}

static bool read_events(emu_batch *b, ej_cur *c)
{
    ej_val skipped;

    b->n = b->total = 0;
    b->bad_element = false;
    b->events_kind = ej_peek(c);
    if (b->events_kind != EJ_ARRAY) {
        ej_take(c, &skipped);
        return true;
    }
    ej_enter(c);
    for (; ej_item(c); b->total++) {
        bool object = ej_peek(c) == EJ_OBJECT;

        b->bad_element |= !object;
        if (!object || b->total >= EMU_MAX_ITEMS)
            ej_take(c, &skipped);
        else if (!read_event(b, c))
            return false;
    }
    return true;
}

/* The body is known to be an object. */
static bool read_body(emu_batch *b)
{
    ej_cur c = ej_at(b->r->body);
    ej_val key, v;

    b->min_id_length = 5; /* default (HTTP V2 API docs) */
    b->client_upload_ms = INT64_MIN;
    ej_enter(&c);
    while (ej_key(&c, &key)) {
        if (ej_key_is(&key, "events")) {
            if (!read_events(b, &c))
                return false;
            continue;
        }
        ej_take(&c, &v);
        if (ej_key_is(&key, "api_key") && v.kind == EJ_STRING)
            b->api_key = ej_text(&v, &b->r->arena);
        else if (ej_key_is(&key, "options"))
            b->min_id_length = emu_min_id_length(&v);
        else if (ej_key_is(&key, "client_upload_time") && v.kind == EJ_STRING &&
                 !emu_iso_time(ej_text(&v, &b->r->arena), &b->client_upload_ms))
            b->client_upload_ms = INT64_MIN;
    }
    /* No key at all: nothing to protect in the journal. */
    b->r->key_known = !b->api_key.s || emu_str_is(b->api_key, b->r->e->api_key);
    b->r->key_foreign = !b->r->key_known;
    return true;
}

/* --- checking --- */

static uint32_t check_id(emu_batch *b, const ej_val *v, bool device, emu_str *out)
{
    switch (emu_read_id(&b->r->arena, v, b->min_id_length, out)) {
    case ID_KIND:
        return device ? BAD_DEVICE_KIND : BAD_USER_KIND;
    case ID_LISTED:
        return device ? BAD_DEVICE_LISTED : BAD_USER_LISTED;
    case ID_SHORT:
        return device ? BAD_DEVICE_SHORT : BAD_USER_SHORT;
    default:
        return 0;
    }
}

static uint32_t check_object(ej_val *v, uint32_t kind_bit, uint32_t deep_bit)
{
    if (v->kind == EJ_NONE || emu_is_empty_array(v))
        return 0;
    if (v->kind != EJ_OBJECT)
        return kind_bit;
    return v->depth > DEPTH_MAX ? deep_bit : 0;
}

static void check_event(emu_batch *b, emu_event *ev)
{
    uint32_t bad = 0, user, device;
    bool ops, plain;

    if (ev->type.kind == EJ_NONE)
        bad |= BAD_NO_TYPE;
    else if (ev->type.kind != EJ_STRING)
        bad |= BAD_TYPE_KIND;
    else if (ev->type.raw.n == 2)
        bad |= BAD_EMPTY_TYPE;
    ev->type_text = emu_cut(ej_text(&ev->type, &b->r->arena));
    user = check_id(b, &ev->user_id, false, &ev->user);
    device = check_id(b, &ev->device_id, true, &ev->device);
    if (EMU_SW(b->r->e, short_id) == 1) { /* documented removal of a short id */
        if (user == BAD_USER_SHORT && ev->device.s && !device) {
            user = 0;
            ev->user = (emu_str){NULL, 0};
        } else if (device == BAD_DEVICE_SHORT && ev->user.s && !user) {
            device = 0;
            ev->device = (emu_str){NULL, 0};
        }
    }
    bad |= user | device;
    if (!ev->user.s && !ev->device.s && !(bad & (BAD_USER_KIND | BAD_DEVICE_KIND)) &&
        !emu_str_is(ev->type_text, "$groupidentify"))
        bad |= BAD_NO_ID;
    if (ev->time.kind != EJ_NONE && ev->time.kind != EJ_NUMBER)
        bad |= BAD_TIME;
    bad |= check_object(&ev->event_properties, BAD_EP_KIND, BAD_EP_DEEP);
    bad |= check_object(&ev->user_properties, BAD_UP_KIND, BAD_UP_DEEP);
    bad |= check_object(&ev->groups, BAD_GROUPS_KIND, BAD_GROUPS_KIND);
    bad |= check_object(&ev->group_properties, BAD_GP_KIND, BAD_GP_KIND);
    if (EMU_SW(b->r->e, mixed_properties) == 1) {
        emu_props_kinds(&ev->user_properties, &ops, &plain);
        bad |= ops && plain ? BAD_MIXED : 0;
    }
    ev->user = emu_trim(emu_cut(ev->user));
    ev->device = emu_trim(emu_cut(ev->device));
    if (ev->insert_id.kind == EJ_STRING || ev->insert_id.kind == EJ_NUMBER)
        ev->insert = emu_cut(ej_text(&ev->insert_id, &b->r->arena));
    if (ev->insert.n == 0)
        ev->insert.s = NULL;
    ev->bad = bad;
}

/* The rules in their order: the first that any event breaks answers, for all events at once
 * and with nothing else mixed in. */
static const struct rule {
    const char *error, *key;
    struct {
        uint32_t bit;
        const char *field;
    } fields[8];
} RULES[] = {
    {"Request missing required field",
     "events_with_missing_fields",
     {{BAD_NO_TYPE, "event_type"}}},
    {"Request missing required field",
     "events_with_missing_fields",
     {{BAD_NO_ID, "user_id"}, {BAD_NO_ID, "device_id"}}},
    {"Invalid field values on some events",
     "events_with_invalid_fields",
     {{BAD_EMPTY_TYPE, "event_type"}}},
    {"Invalid field values on some events",
     "events_with_invalid_fields",
     {{BAD_TIME, "time"},
      {BAD_TYPE_KIND, "event_type"},
      {BAD_USER_KIND, "user_id"},
      {BAD_DEVICE_KIND, "device_id"},
      {BAD_EP_KIND, "event_properties"},
      {BAD_UP_KIND, "user_properties"},
      {BAD_GROUPS_KIND, "groups"},
      {BAD_GP_KIND, "group_properties"}}},
    {"Invalid field values on some events",
     "events_with_invalid_fields",
     {{BAD_USER_LISTED, "user_id"}, {BAD_DEVICE_LISTED, "device_id"}}},
    {"Invalid field values on some events",
     "events_with_invalid_fields",
     {{BAD_EP_DEEP, "event_properties"}, {BAD_UP_DEEP | BAD_MIXED, "user_properties"}}},
    {"Invalid id length for user_id or device_id",
     "events_with_invalid_id_lengths",
     {{BAD_USER_SHORT, "user_id"}, {BAD_DEVICE_SHORT, "device_id"}}},
};

static void put_indexes(emu_batch *b, uint32_t bit, emu_buf *out)
{
    bool first_only = EMU_SW(b->r->e, index_lists) == 1;
    size_t named = 0;

    emu_buf_ch(out, '[');
    for (size_t i = 0; i < b->n && !(first_only && named); i++) {
        if (!(b->events[i].bad & bit))
            continue;
        if (named++)
            emu_buf_ch(out, ',');
        emu_buf_int(out, (int64_t)i);
    }
    emu_buf_ch(out, ']');
}

static void answer_rule(emu_batch *b, const struct rule *rule, uint32_t all)
{
    emu_buf *out = &b->r->out;
    bool first = true;

    emu_buf_fmt(out, "{\"code\":400,\"error\":\"%s\"", rule->error);
    if (EMU_SW(b->r->e, index_lists) != 2) {
        emu_buf_fmt(out, ",\"%s\":{", rule->key);
        for (size_t f = 0; f < 8 && rule->fields[f].field; f++) {
            if (!(all & rule->fields[f].bit))
                continue;
            emu_buf_fmt(out, "%s\"%s\":", first ? "" : ",", rule->fields[f].field);
            first = false;
            put_indexes(b, rule->fields[f].bit, out);
        }
        emu_buf_ch(out, '}');
    }
    emu_buf_ch(out, '}');
    emu_reply(b->r, 400, EMU_JSON);
}

static bool check_events(emu_batch *b)
{
    uint32_t all = 0;

    for (size_t i = 0; i < b->n; i++) {
        check_event(b, &b->events[i]);
        all |= b->events[i].bad;
    }
    for (size_t i = 0; all && i < sizeof(RULES) / sizeof(RULES[0]); i++) {
        for (size_t f = 0; f < 8; f++) {
            if (all & RULES[i].fields[f].bit) {
                answer_rule(b, &RULES[i], all);
                return false;
            }
        }
    }
    return true;
}

static void answer_bad_key(emu_req *r, emu_str key)
{
    emu_buf tail = {0};

    emu_buf_quote(&tail, key);
    r->out.n = 0;
    emu_buf_z(&r->out, "{\"code\":400,\"error\":\"Invalid API key: ");
    emu_buf_put(&r->out, tail.p + 1, tail.n - 1);
    emu_buf_ch(&r->out, '}');
    emu_reply(r, 400, EMU_JSON);
    emu_buf_free(&tail);
}

/* Checks of the request as a whole, in order; true when its events may be looked at. */
static bool check_request(emu_batch *b)
{
    emu_req *r = b->r;

    if (r->too_large || r->body.n > (b->batch ? BATCH_MAX : V2_MAX)) {
        answer(r, 413, "Payload too large", "");
    } else if (r->body.n == 0) {
        answer(r, 400, "Missing request body", "");
    } else if (r->bad_encoding || !ej_check(r->body, &b->info) ||
               ej_peek(&(ej_cur){r->body.s, r->body.s + r->body.n}) != EJ_OBJECT) {
        answer(r, 400, "Invalid JSON request body", "");
    } else if (!read_body(b)) {
        emu_reply_z(r, 500, EMU_JSON,
                    "{\"code\":500,\"error\":\"Internal Server Error\"}");
    } else if (!b->api_key.s) {
        answer(r, 400, "Request missing required field",
               ",\"missing_field\":\"api_key\"");
    } else if (b->events_kind == EJ_NONE || b->events_kind == EJ_NULL ||
               (b->events_kind == EJ_ARRAY && b->total == 0)) {
        answer(r, 400, "Request missing required field", ",\"missing_field\":\"events\"");
    } else if (b->events_kind != EJ_ARRAY || b->bad_element) {
        answer(r, 400, "Invalid event JSON", "");
    } else if (b->total > EMU_MAX_ITEMS) {
        answer(r, 413, "Payload too large", "");
    } else if (!r->key_known) {
        answer_bad_key(r, b->api_key);
    } else {
        return check_events(b);
    }
    return false;
}

void emu_do_ingest(emu_req *r)
{
    emu_batch b = {.r = r, .batch = emu_str_is(r->path, "/batch")};

    if (!check_request(&b) || !emu_throttle_check(&b)) {
        emu_ledger_add(&b);
        return;
    }
    if (emu_ingest_commit(&b)) {
        emu_ledger_add(&b);
        emu_reply_z(r, 500, EMU_JSON,
                    "{\"code\":500,\"error\":\"Internal Server Error\"}");
        return;
    }
    emu_throttle_count(&b);
    emu_ledger_add(&b);
    emu_buf_fmt(&r->out,
                "{\"code\":200,\"server_upload_time\":%lld,\"payload_size_bytes\":%zu,"
                "\"events_ingested\":%zu}",
                (long long)b.upload_ms, r->body.n, b.n);
    emu_reply(r, 200, EMU_JSON);
}
