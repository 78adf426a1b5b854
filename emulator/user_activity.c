/* SPDX-License-Identifier: MIT */
/* GET /api/2/useractivity: what is known of one user, and its events page by page. */
#include <stdlib.h>
#include <string.h>

#include "lookup.h"
#include "routes.h"

#define LIMIT_DEFAULT \
    1000 /* and the largest (user activity in the Dashboard REST docs) */
#define NO_PLACE "\"1.7976931348623157E308\"" /* as seen live */

typedef struct request {
    int64_t user, offset, limit;
    bool earliest;
} request;

/* An optional integer of the query that is not negative. False: answered. */
static bool read_int(emu_req *r, const char *name, int64_t *out)
{
    emu_str text = emu_query(r, name);
    ej_val v = {.raw = text, .kind = EJ_NUMBER};
    char message[48] = "Argument ";

    if (!text.s)
        return true;
    if (emu_all_digits(text) && ej_int(&v, out))
        return true;
    memcpy(message + 9, name, strlen(name));
    memcpy(message + 9 + strlen(name), " must be an int", 16);
    emu_dash_error(r, 400, message);
    return false;
}

static bool read_request(emu_req *r, request *q)
{
    emu_str direction = emu_query(r, "direction");

    *q = (request){.limit = LIMIT_DEFAULT};
    if (!emu_query(r, "user").n) {
        emu_dash_error(r, 400, "Missing argument user");
        return false;
    }
    if (!read_int(r, "user", &q->user) || !read_int(r, "offset", &q->offset) ||
        !read_int(r, "limit", &q->limit))
        return false;
    q->earliest = emu_str_is(direction, "earliest");
    if (direction.n && !q->earliest && !emu_str_is(direction, "latest")) {
        emu_dash_error(r, 400, "Argument direction must be latest or earliest");
        return false;
    }
    if (q->limit > LIMIT_DEFAULT)
        q->limit = LIMIT_DEFAULT;
    return true;
}

/* --- userData --- */

/* The service sends these as texts, with a decimal point as Java writes it. */
static void put_revenue(emu_buf *b, double revenue)
{
    size_t before = b->n;

    emu_buf_ch(b, '"');
    if (!ej_put_double(b, revenue))
        emu_buf_z(b, "0");
    if (!b->failed && !memchr(b->p + before, '.', b->n - before) &&
        !memchr(b->p + before, 'e', b->n - before))
        emu_buf_z(b, ".0");
    emu_buf_ch(b, '"');
}

static void put_sessions(emu_buf *b, const twe *e, const emu_person *p)
{
    int64_t n = 0, sum = 0;

    for (size_t i = 0; i < p->session_n; i++) {
        const emu_session *s = &p->sessions[i];
        int64_t length = emu_session_ms(e, s->id, s->from_ms, s->to_ms);

        if (length >= EMU_SESSION_MAX_MS)
            continue;
        n++;
        sum += length;
    }
    emu_buf_fmt(b, ",\"num_sessions\":%lld,\"usage_time\":%lld", (long long)n,
                (long long)sum);
}

static void put_texts(emu_buf *b, const emu_str *texts, size_t n)
{
    emu_buf_ch(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            emu_buf_ch(b, ',');
        emu_buf_quote(b, texts[i]);
    }
    emu_buf_ch(b, ']');
}

static void put_merged(emu_buf *b, emu_store *s, const emu_user *u)
{
    bool first = true;

    emu_buf_z(b, ",\"merged_amplitude_ids\":[");
    for (size_t i = 0; i < s->user_n; i++) {
        if (s->users[i]->into != u)
            continue;
        emu_buf_fmt(b, "%s%lld", first ? "" : ",", (long long)s->users[i]->id);
        first = false;
    }
    emu_buf_ch(b, ']');
}

static void put_place(emu_buf *b, emu_str last, const char *key)
{
    size_t before = b->n;

    emu_buf_ch(b, '"');
    emu_row_put(b, last, key);
    emu_buf_ch(b, '"');
    if (!b->failed && b->n - before == 6 && memcmp(b->p + before, "\"null\"", 6) == 0) {
        b->n = before;
        emu_buf_z(b, NO_PLACE);
    }
}

static void put_object(emu_buf *b, const char *lead, emu_str object)
{
    emu_buf_z(b, lead);
    if (object.n > 2)
        emu_buf_str(b, object);
    else
        emu_buf_z(b, "{}");
}

/* Built-ins of the last row under the names that userData has for them. */
static void put_built_ins(emu_buf *b, emu_str last)
{
    static const char *const names[][2] = {{"platform", "platform"},
                                           {"version", "version_name"},
                                           {"device", "device_model"},
                                           {"device_type", "device_type"},
                                           {"carrier", "device_carrier"},
                                           {"country", "country"},
                                           {"region", "region"},
                                           {"city", "city"},
                                           {"dma", "dma"},
                                           {"language", "language"},
                                           {"start_version", "start_version"},
                                           {"library", "library"},
                                           {"ip_address", "ip_address"},
                                           {"paying", "paying"}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        emu_buf_fmt(b, ",\"%s\":", names[i][0]);
        emu_row_put(b, last, names[i][1]);
    }
    emu_buf_z(b, ",\"os\":");
    if (last.n)
        emu_row_put(b, last, "os");
    else
        emu_buf_z(b, "\"\"");
    emu_buf_z(b, ",\"last_device_id\":");
    emu_row_put(b, last, "device_id");
    emu_buf_z(b, ",\"last_location\":{\"lat\":");
    put_place(b, last, "location_lat");
    emu_buf_z(b, ",\"lng\":");
    put_place(b, last, "location_lng");
    emu_buf_z(b, "},\"groups\":");
    if (last.n)
        emu_row_put(b, last, "groups");
    else
        emu_buf_z(b, "{}");
}

static void put_user_data(emu_req *r, const emu_person *p)
{
    emu_buf *b = &r->out;

    emu_buf_z(b, "{\"userData\":{\"user_id\":");
    if (p->user->user_id.s)
        emu_buf_quote(b, p->user->user_id);
    else
        emu_buf_z(b, "null");
    emu_buf_fmt(b, ",\"canonical_amplitude_id\":%lld", (long long)p->user->id);
    put_merged(b, &r->e->store, p->user);
    emu_buf_fmt(b, ",\"num_events\":%lld", (long long)p->events);
    put_sessions(b, r->e, p);
    if (p->events) {
        emu_buf_z(b, ",\"first_used\":");
        emu_put_date(b, r->e, p->first_ms);
        emu_buf_z(b, ",\"last_used\":");
        emu_put_date(b, r->e, p->last_ms);
    }
    emu_buf_fmt(b, ",\"purchases\":\"%lld\",\"revenue\":", (long long)p->purchases);
    put_revenue(b, p->revenue);
    put_built_ins(b, p->last);
    emu_buf_z(b, ",\"device_ids\":");
    put_texts(b, p->devices, p->device_n);
    put_object(b, ",\"properties\":", p->user->props);
    emu_buf_z(b, ",\"profileProperties\":{},\"merge_times\":[],\"aliasing_user_ids\":[],"
                 "\"aliased_user_id\":null,\"aliased_amplitude_id\":null,"
                 "\"aliasing_profiles\":[]}");
}

/* Eleven keys, as recorded of an id that nobody has. */
static void put_nobody(emu_req *r, int64_t id)
{
    emu_buf_fmt(&r->out,
                "{\"userData\":{\"num_sessions\":0,\"purchases\":0,\"revenue\":0,"
                "\"merged_amplitude_ids\":[],\"num_events\":0,"
                "\"canonical_amplitude_id\":%lld,\"user_id\":null,\"last_location\":null,"
                "\"usage_time\":0,\"last_device_id\":null,\"device_ids\":[]},"
                "\"events\":[]}",
                (long long)id);
}

/* --- events --- */

/* One more than asked for, then the rest of the session: as the service counts. */
static bool put_events(emu_req *r, const request *q)
{
    sqlite3_stmt *st = emu_person_rows(
        r->e, q->user,
        q->earliest ? "ORDER BY e.event_ms,e.seq LIMIT -1 OFFSET ?3"
                    : "ORDER BY e.event_ms DESC,e.seq DESC LIMIT -1 OFFSET ?3");
    int64_t most = q->limit + (EMU_SW(r->e, activity_limit) == 0), n = 0, session = -1;
    emu_arena scratch = {0};
    int rc = SQLITE_DONE;

    if (!st)
        return false;
    sqlite3_bind_int64(st, 3, q->offset);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        emu_row row = emu_row_at(&r->e->store, st);

        if (n >= most && (EMU_SW(r->e, activity_sessions) != 0 || row.session == -1 ||
                          row.session != session))
            break;
        session = row.session;
        if (n++)
            emu_buf_ch(&r->out, ',');
        emu_row_write(r->e, &row, ROW_ACTIVITY, &scratch, &r->out);
        emu_arena_free(&scratch);
    }
    sqlite3_finalize(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

static bool put_activity(emu_req *r, request *q)
{
    emu_user *u = emu_user_by_id(&r->e->store, q->user);
    emu_person p;
    bool ok;

    if (!u) {
        put_nobody(r, q->user);
        return true;
    }
    q->user = u->id;
    if (!emu_person_read(r->e, &r->arena, u, &p))
        return false;
    put_user_data(r, &p);
    emu_buf_z(&r->out, ",\"events\":[");
    ok = put_events(r, q);
    emu_buf_z(&r->out, "]}");
    return ok;
}

void emu_do_user_activity(emu_req *r)
{
    request q;
    bool ok;

    if (!read_request(r, &q))
        return;
    pthread_mutex_lock(&r->e->store.mu);
    ok = put_activity(r, &q);
    pthread_mutex_unlock(&r->e->store.mu);
    if (ok)
        emu_reply(r, 200, EMU_JSON_UTF8);
    else
        emu_dash_error(r, 500, "Internal error");
}
