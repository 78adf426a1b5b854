/* SPDX-License-Identifier: MIT */
/* GET /api/2/usersearch: users by user id, device id, Amplitude ID or user-id prefix. */
#include <string.h>

#include "lookup.h"
#include "routes.h"

#define PREFIX_MATCHES_MAX 100 /* ours: the documents name no bound */

static void put_text(emu_buf *b, emu_str s)
{
    if (s.s)
        emu_buf_quote(b, s);
    else
        emu_buf_z(b, "null");
}

static void put_match(emu_req *r, emu_user *u, size_t *n)
{
    int64_t last_ms = 0;
    emu_str last = emu_person_last(r->e, &r->arena, u, &last_ms);
    emu_buf *b = &r->out;

    emu_buf_z(b, (*n)++ ? ",{\"user_id\":" : "{\"user_id\":");
    put_text(b, u->user_id);
    emu_buf_fmt(b, ",\"amplitude_id\":%lld,\"last_device_id\":", (long long)u->id);
    emu_row_put(b, last, "device_id");
    emu_buf_z(b, ",\"platform\":");
    emu_row_put(b, last, "platform");
    emu_buf_z(b, ",\"country\":");
    emu_row_put(b, last, "country");
    emu_buf_z(b, ",\"last_seen\":");
    if (last.n)
        emu_put_date(b, r->e, last_ms);
    else
        emu_buf_z(b, "null");
    emu_buf_ch(b, '}');
}

static bool begins(emu_str text, emu_str prefix)
{
    return text.n >= prefix.n && memcmp(text.s, prefix.s, prefix.n) == 0;
}

static void put_prefix_matches(emu_req *r, emu_str prefix, size_t *n)
{
    emu_store *s = &r->e->store;

    for (size_t i = 0; i < s->user_n && *n < PREFIX_MATCHES_MAX; i++)
        if (!s->users[i]->into && s->users[i]->user_id.s &&
            begins(s->users[i]->user_id, prefix))
            put_match(r, s->users[i], n);
}

/* Puts the matches of the first kind that has any, and gives the name of the kind. */
static const char *search(emu_req *r, emu_str text)
{
    emu_store *s = &r->e->store;
    emu_user *by_id = emu_user_find(s, text), *on_device = emu_user_by_device(s, text);
    ej_val number = {.raw = text, .kind = EJ_NUMBER};
    int64_t id = 0;
    size_t n = 0;

    if (by_id)
        put_match(r, by_id, &n);
    if (on_device && on_device != by_id)
        put_match(r, on_device, &n);
    if (n)
        return "match_user_or_device_id";
    if (emu_all_digits(text) && ej_int(&number, &id) && emu_user_by_id(s, id)) {
        put_match(r, emu_user_by_id(s, id), &n);
        return "match_amplitude_id";
    }
    put_prefix_matches(r, text, &n);
    return n ? "match_user_prefix" : "nomatch";
}

void emu_do_user_search(emu_req *r)
{
    emu_str text = emu_query(r, "user");
    const char *type;

    if (!text.n) {
        emu_dash_error(r, 400, "Missing argument user");
        return;
    }
    emu_buf_z(&r->out, "{\"matches\":[");
    pthread_mutex_lock(&r->e->store.mu);
    type = search(r, text);
    pthread_mutex_unlock(&r->e->store.mu);
    emu_buf_fmt(&r->out, "],\"type\":\"%s\"}", type);
    emu_reply(r, 200, EMU_JSON_UTF8);
}
