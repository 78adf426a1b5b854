/* SPDX-License-Identifier: MIT */
/* Bounded record of requests: cheap to add to, everything else is worked out when read. */
#include "journal.h"

#include <stdlib.h>
#include <string.h>

#include "internal.h"

typedef struct emu_entry {
    uint64_t id, conn;
    int64_t received_ms;
    int status, port;
    bool authorized; /* an Authorization header came along; its value is never kept */
    char *method, *uri;
    char *content_type, *encoding, *user_agent;
    char *body; /* NULL when it was not ours to keep */
    size_t body_n, wire_n;
    uint8_t *marks;
    size_t mark_n;
    int64_t fault; /* place in the plan, -1 when none fired */
} emu_entry;

void emu_journal_init(emu_journal *j)
{
    pthread_mutex_init(&j->mu, NULL);
}

static void entry_free(emu_entry *en)
{
    if (!en)
        return;
    free(en->method);
    free(en->uri);
    free(en->content_type);
    free(en->encoding);
    free(en->user_agent);
    free(en->body);
    free(en->marks);
    free(en);
}

static void drop_oldest(emu_journal *j)
{
    emu_entry *en = j->ring[j->head];

    j->ring[j->head] = NULL;
    j->head = (j->head + 1) % j->cap;
    j->n--;
    j->bytes -= en->body_n;
    entry_free(en);
}

void emu_journal_clear(emu_journal *j)
{
    pthread_mutex_lock(&j->mu);
    while (j->n)
        drop_oldest(j);
    j->dropped = 0;
    pthread_mutex_unlock(&j->mu);
}

void emu_journal_free(emu_journal *j)
{
    emu_journal_clear(j);
    free(j->ring);
    pthread_mutex_destroy(&j->mu);
}

static char *copy(emu_str s)
{
    return s.s ? emu_strdup_n(s.s, s.n) : NULL;
}

/* Query texts can carry a key too, where the API looks for none. */
static bool foreign_query(emu_req *r)
{
    for (size_t i = 0;; i++) {
        emu_str key = emu_form_nth(&r->arena, r->query, "api_key", i);

        if (!key.s)
            return false;
        if (!emu_str_is(key, r->e->api_key))
            return true;
    }
}

/* Of a request with a foreign key only the path is kept. */
static emu_entry *entry_new(emu_req *r)
{
    emu_entry *en = calloc(1, sizeof(*en));
    emu_buf *body = r->plain.p ? &r->plain : &r->raw;

    if (!en)
        return NULL;
    en->id = r->id;
    en->conn = r->conn_id;
    en->received_ms = r->received_ms;
    en->status = r->status;
    en->port = (int)r->port;
    en->authorized = emu_header_of(r, "Authorization").s != NULL;
    en->method = copy(r->method);
    en->uri = copy(r->key_known && !foreign_query(r) ? emu_str_of(r->uri) : r->path);
    en->content_type = copy(emu_header_of(r, "Content-Type"));
    en->encoding = copy(emu_header_of(r, "Content-Encoding"));
    en->user_agent = copy(emu_header_of(r, "User-Agent"));
    en->wire_n = r->body_seen;
    en->fault = r->late.when ? r->late.plan_id : r->early.when ? r->early.plan_id : -1;
    if (r->key_known) {
        en->body = body->p;
        en->body_n = body->n;
        *body = (emu_buf){0};
        r->body = (emu_str){NULL, 0};
    }
    en->marks = r->marks;
    en->mark_n = r->mark_n;
    r->marks = NULL;
    return en;
}

static bool grow(emu_journal *j, size_t limit)
{
    size_t cap = j->cap ? j->cap * 2 : 256;
    emu_entry **ring;

    if (j->n < j->cap)
        return true;
    cap = cap > limit ? limit : cap;
    if (cap <= j->cap)
        return false;
    ring = calloc(cap, sizeof(*ring));
    if (!ring)
        return false;
    for (size_t i = 0; j->cap && i < j->n; i++)
        ring[i] = j->ring[(j->head + i) % j->cap];
    free(j->ring);
    j->ring = ring;
    j->cap = cap;
    j->head = 0;
    return true;
}

void emu_journal_add(emu_journal *j, emu_req *r)
{
    size_t entries = (size_t)EMU_SW(r->e, journal_entries);
    size_t bytes = (size_t)EMU_SW(r->e, journal_bytes);
    emu_entry *en = entries ? entry_new(r) : NULL;

    if (!en)
        return;
    pthread_mutex_lock(&j->mu);
    while (j->n && (j->n >= entries || j->bytes + en->body_n > bytes)) {
        drop_oldest(j);
        j->dropped++;
    }
    if (j->bytes + en->body_n > bytes || !grow(j, entries)) {
        j->dropped++;
        entry_free(en);
    } else {
        j->ring[(j->head + j->n++) % j->cap] = en;
        j->bytes += en->body_n;
    }
    pthread_mutex_unlock(&j->mu);
}

static void put_text(emu_buf *b, const char *name, const char *z)
{
    emu_buf_fmt(b, ",\"%s\":", name);
    if (z)
        emu_buf_quote(b, emu_str_of(z));
    else
        emu_buf_z(b, "null");
}

static void put_event(emu_buf *b, const ej_val *event, uint8_t mark, bool first)
{
    ej_val id;

    ej_get(event, "insert_id", &id);
    emu_buf_z(b, first ? "{\"insert_id\":" : ",{\"insert_id\":");
    if (id.kind == EJ_STRING || id.kind == EJ_NUMBER)
        emu_buf_str(b, id.raw);
    else
        emu_buf_z(b, "null");
    emu_buf_fmt(b, ",\"received\":true,\"committed\":%s,\"duplicate\":%s,\"applied\":%s}",
                mark & MARK_COMMITTED ? "true" : "false",
                mark & MARK_DUPLICATE ? "true" : "false",
                mark & MARK_APPLIED ? "true" : "false");
}

/* The fate of every event, told from the kept body and one byte each. */
static void put_events(emu_buf *b, emu_entry *en)
{
    emu_str text = {en->body, en->body_n};
    ej_val doc, events, v;
    ej_info info;
    ej_cur c = ej_at(text);
    size_t i = 0;

    emu_buf_z(b, ",\"events\":[");
    if (text.n && ej_check(text, &info)) {
        ej_take(&c, &doc);
        if (ej_get(&doc, "events", &events) && events.kind == EJ_ARRAY) {
            c = ej_at(events.raw);
            ej_enter(&c);
            for (; ej_item(&c); i++) {
                ej_take(&c, &v);
                put_event(b, &v, i < en->mark_n ? en->marks[i] : MARK_RECEIVED, i == 0);
            }
        }
    }
    emu_buf_ch(b, ']');
}

static void put_entry(emu_buf *b, emu_entry *en)
{
    static const char *const ports[] = {"api", "control", "storage"};
    const char *q = en->uri ? strchr(en->uri, '?') : NULL;
    emu_str path = {en->uri, q ? (size_t)(q - en->uri) : en->uri ? strlen(en->uri) : 0};

    emu_buf_fmt(
        b, "{\"id\":%llu,\"connection\":%llu,\"time\":%lld,\"port\":\"%s\",\"status\":%d",
        (unsigned long long)en->id, (unsigned long long)en->conn,
        (long long)en->received_ms, ports[en->port], en->status);
    put_text(b, "method", en->method);
    emu_buf_z(b, ",\"path\":");
    emu_buf_quote(b, path);
    put_text(b, "query", q ? q + 1 : NULL);
    emu_buf_z(b, ",\"headers\":{\"content-type\":");
    emu_buf_quote(b, emu_str_of(en->content_type ? en->content_type : ""));
    put_text(b, "content-encoding", en->encoding ? en->encoding : "");
    put_text(b, "user-agent", en->user_agent ? en->user_agent : "");
    emu_buf_fmt(b, "},\"authorization\":%s,\"wire_bytes\":%zu",
                en->authorized ? "true" : "false", en->wire_n);
    if (en->fault >= 0)
        emu_buf_fmt(b, ",\"fault\":%lld", (long long)en->fault);
    else
        emu_buf_z(b, ",\"fault\":null");
    if (en->body || en->wire_n == 0) {
        unsigned char digest[32];
        char hex[65];

        emu_sha256(en->body ? en->body : "", en->body_n, digest);
        emu_hex(hex, digest, 32);
        emu_buf_fmt(b, ",\"body_sha256\":\"%s\",\"body_base64\":\"", hex);
        emu_base64(b, en->body, en->body_n);
        emu_buf_ch(b, '"');
    } else {
        emu_buf_z(b, ",\"body_sha256\":null,\"body_base64\":null");
    }
    put_events(b, en);
    emu_buf_ch(b, '}');
}

void emu_journal_write(emu_journal *j, uint64_t after, emu_buf *out)
{
    bool first = true;

    pthread_mutex_lock(&j->mu);
    emu_buf_fmt(out, "{\"dropped\":%llu,\"entries\":[", (unsigned long long)j->dropped);
    for (size_t i = 0; i < j->n; i++) {
        emu_entry *en = j->ring[(j->head + i) % j->cap];

        if (en->id <= after)
            continue;
        if (!first)
            emu_buf_ch(out, ',');
        first = false;
        put_entry(out, en);
    }
    emu_buf_z(out, "]}");
    pthread_mutex_unlock(&j->mu);
}
