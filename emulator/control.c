/* SPDX-License-Identifier: MIT */
/* The control port: journal, reset, clock, switches, fault plan, keys. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "plan.h"
#include "profile.h"
#include "routes.h"

#define LEDGER_PAGE_MAX 100000

static void fail(emu_req *r, int status, const char *text)
{
    r->out.n = 0;
    emu_buf_z(&r->out, "{\"error\":");
    emu_buf_quote(&r->out, emu_str_of(text));
    emu_buf_ch(&r->out, '}');
    emu_reply(r, status, EMU_JSON);
}

/* False: answered. */
static bool read_json(emu_req *r, ej_val *v)
{
    ej_info info;

    if (r->bad_encoding || r->too_large || !ej_check(r->body, &info)) {
        fail(r, 400, "the body was not JSON");
        return false;
    }
    ej_take(&(ej_cur){r->body.s, r->body.s + r->body.n}, v);
    return true;
}

static void done(emu_req *r, bool ok, emu_buf *err)
{
    if (ok) {
        emu_reply_z(r, 200, EMU_JSON, "{\"ok\":true}");
    } else {
        emu_buf_ch(err, 0);
        fail(r, 400, err->failed ? "out of memory" : err->p);
    }
    emu_buf_free(err);
}

static void get_info(emu_req *r)
{
    twe *e = r->e;

    emu_buf_fmt(
        &r->out,
        "{\"url\":\"%s\",\"control_url\":\"%s\",\"storage_url\":\"%s\",\"app_id\":%lld,"
        "\"api_key\":",
        e->url, e->control_url, e->storage_url, (long long)e->app_id);
    emu_buf_quote(&r->out, emu_str_of(e->api_key));
    emu_buf_z(&r->out, ",\"secret_key\":");
    emu_buf_quote(&r->out, emu_str_of(e->secret_key));
    emu_buf_z(&r->out, ",\"time_zone\":");
    emu_buf_quote(&r->out, emu_str_of(emu_zone_name(e->zone)));
    emu_buf_fmt(&r->out, ",\"now_ms\":%lld}", (long long)emu_now_ms(e));
    emu_reply(r, 200, EMU_JSON);
}

static void get_journal(emu_req *r)
{
    emu_str after = emu_query(r, "after");

    emu_journal_write(&r->e->journal, after.s ? strtoull(after.s, NULL, 10) : 0, &r->out);
    emu_reply(r, 200, EMU_JSON);
}

static void delete_journal(emu_req *r)
{
    emu_journal_clear(&r->e->journal);
    emu_reply_z(r, 200, EMU_JSON, "{\"ok\":true}");
}

/* A page at a time: a million entries would be a quarter of a gigabyte of text. */
static void get_ledger(emu_req *r)
{
    emu_str from = emu_query(r, "from"), limit = emu_query(r, "limit");
    size_t n = limit.s ? strtoull(limit.s, NULL, 10) : 10000;

    emu_ledger_write(&r->e->ledger, from.s ? strtoull(from.s, NULL, 10) : 0,
                     n < LEDGER_PAGE_MAX ? n : LEDGER_PAGE_MAX, &r->out);
    emu_reply(r, 200, EMU_JSON);
}

static void get_meters(emu_req *r)
{
    emu_meters_write(r->e, &r->out);
    emu_reply(r, 200, EMU_JSON);
}

static void get_silenced(emu_req *r)
{
    emu_silenced_write(&r->e->throttle, &r->out);
    emu_reply(r, 200, EMU_JSON);
}

static void post_silenced(emu_req *r)
{
    emu_buf err = {0};
    ej_val doc;

    if (read_json(r, &doc))
        done(r, emu_silence(&r->e->throttle, &r->arena, doc.raw, &err), &err);
}

static void get_listener(emu_req *r)
{
    bool open;

    pthread_mutex_lock(&r->e->wait_mu);
    open = !r->e->door.closed;
    pthread_mutex_unlock(&r->e->wait_mu);
    emu_reply_z(r, 200, EMU_JSON, open ? "{\"open\":true}" : "{\"open\":false}");
}

static void post_listener(emu_req *r)
{
    ej_val doc, open;
    emu_buf err = {0};
    bool ok;

    if (!read_json(r, &doc))
        return;
    if (!ej_get(&doc, "open", &open) || open.kind != EJ_BOOL) {
        fail(r, 400, "the body had no boolean \"open\"");
        return;
    }
    ok = ej_true(&open) ? emu_door_open(r->e) : emu_door_close(r->e, -1);
    if (!ok)
        emu_buf_z(&err, ej_true(&open) ? "the port could not be listened on again"
                                       : "the port could not be closed");
    done(r, ok, &err);
}

/* Everything but the switches, the clock, the fault plan, silenced devices and the port. */
static void post_reset(emu_req *r)
{
    emu_buf err = {0};
    bool ok;

    pthread_rwlock_wrlock(&r->e->life);
    r->e->resets++;
    ok = emu_store_reset(&r->e->store) == 0;
    emu_cohorts_reset(r->e);
    emu_charts_forget(&r->e->charts);
    emu_journal_clear(&r->e->journal);
    emu_limits_reset(&r->e->limits);
    emu_throttle_reset(&r->e->throttle);
    emu_ledger_reset(&r->e->ledger);
    pthread_rwlock_unlock(&r->e->life);
    if (!ok)
        emu_buf_z(&err, "the store could not be emptied");
    done(r, ok, &err);
}

static void get_charts(emu_req *r)
{
    emu_charts_write(&r->e->charts, &r->out);
    emu_reply(r, 200, EMU_JSON);
}

static void post_charts(emu_req *r)
{
    emu_buf err = {0};
    ej_val doc;

    if (read_json(r, &doc))
        done(r, emu_charts_set(&r->e->charts, &doc, &err), &err);
}

static void delete_charts(emu_req *r)
{
    emu_charts_forget(&r->e->charts);
    emu_reply_z(r, 200, EMU_JSON, "{\"ok\":true}");
}

static void get_clock(emu_req *r)
{
    emu_buf_fmt(&r->out, "{\"now_ms\":%lld,\"offset_ms\":%lld}",
                (long long)emu_now_ms(r->e), (long long)r->e->clock_offset_ms);
    emu_reply(r, 200, EMU_JSON);
}

static void post_clock(emu_req *r)
{
    int64_t ms, have = r->e->clock_offset_ms;
    ej_val doc, v;

    if (!read_json(r, &doc))
        return;
    if (ej_get(&doc, "offset_ms", &v) && ej_int(&v, &ms)) {
        have = 0;
    } else if (!ej_get(&doc, "advance_ms", &v) || !ej_int(&v, &ms)) {
        fail(r, 400, "the body had neither advance_ms nor offset_ms");
        return;
    }
    if (__builtin_add_overflow(have, ms, &ms) || ms > EMU_MS_MAX || ms < -EMU_MS_MAX) {
        fail(r, 400, "the clock was not moved by more than 30,000 years");
        return;
    }
    /* Meters count by seconds and hours since 1970. */
    if (emu_now_ms(r->e) - r->e->clock_offset_ms + ms < 0) {
        fail(r, 400, "the clock was not set before 1970");
        return;
    }
    emu_clock_shift(r->e, ms - r->e->clock_offset_ms);
    get_clock(r);
}

static void get_switches(emu_req *r)
{
    emu_switches_write(&r->e->sw, &r->out);
    emu_reply(r, 200, EMU_JSON);
}

static void post_switches(emu_req *r)
{
    emu_buf err = {0};
    ej_val doc;

    if (read_json(r, &doc))
        done(r, emu_switches_set(&r->e->sw, &doc, &err), &err);
}

static void delete_switches(emu_req *r)
{
    emu_switches_reset(&r->e->sw);
    emu_reply_z(r, 200, EMU_JSON, "{\"ok\":true}");
}

static void get_faults(emu_req *r)
{
    emu_faults_write(&r->e->faults, &r->out);
    emu_reply(r, 200, EMU_JSON);
}

static void post_faults(emu_req *r)
{
    emu_buf err = {0};
    ej_val doc;

    if (read_json(r, &doc))
        done(r, emu_faults_set(&r->e->faults, &doc, &err), &err);
}

static void delete_faults(emu_req *r)
{
    emu_faults_clear(&r->e->faults);
    emu_reply_z(r, 200, EMU_JSON, "{\"ok\":true}");
}

/* Adds a flag to the clearing or the setting when the document names it. */
static void read_mark(const ej_val *doc, const char *name, unsigned flag, unsigned *clear,
                      unsigned *set)
{
    ej_val v;

    if (ej_get(doc, name, &v) && v.kind == EJ_BOOL)
        *(ej_true(&v) ? set : clear) |= flag;
}

/* What only the service's user interface can say about an event type. */
static void post_plan(emu_req *r)
{
    emu_store *s = &r->e->store;
    unsigned clear = 0, set = 0;
    ej_val doc, type;
    int rc;

    if (!read_json(r, &doc))
        return;
    if (!ej_get(&doc, "event_type", &type) || type.kind != EJ_STRING || type.raw.n == 2) {
        fail(r, 400, "the body had no event_type");
        return;
    }
    read_mark(&doc, "blocked", EVENT_BLOCKED, &clear, &set);
    read_mark(&doc, "transformed", EVENT_TRANSFORMED, &clear, &set);
    pthread_mutex_lock(&s->mu);
    rc = emu_plan_mark(s, ej_text(&type, &r->arena), clear, set);
    pthread_mutex_unlock(&s->mu);
    if (rc)
        fail(r, 500, "the plan could not be written");
    else
        emu_reply_z(r, 200, EMU_JSON, "{\"ok\":true}");
}

static void post_profiles(emu_req *r)
{
    emu_buf err = {0};
    ej_val doc;

    if (read_json(r, &doc))
        done(r, emu_profile_set(r->e, &r->arena, &doc, &err), &err);
}

static void delete_profiles(emu_req *r)
{
    emu_buf err = {0};
    bool ok = emu_profile_clear(r->e) == 0;

    if (!ok)
        emu_buf_z(&err, "the profiles could not be removed");
    done(r, ok, &err);
}

void emu_do_control(emu_req *r)
{
    static const struct {
        const char *method, *path;
        emu_handler *handler;
    } routes[] = {
        {"GET", "/", get_info},
        {"GET", "/journal", get_journal},
        {"DELETE", "/journal", delete_journal},
        {"GET", "/ledger", get_ledger},
        {"GET", "/meters", get_meters},
        {"GET", "/silenced", get_silenced},
        {"POST", "/silenced", post_silenced},
        {"GET", "/listener", get_listener},
        {"POST", "/listener", post_listener},
        {"POST", "/reset", post_reset},
        {"GET", "/charts", get_charts},
        {"POST", "/charts", post_charts},
        {"DELETE", "/charts", delete_charts},
        {"GET", "/clock", get_clock},
        {"POST", "/clock", post_clock},
        {"GET", "/switches", get_switches},
        {"POST", "/switches", post_switches},
        {"DELETE", "/switches", delete_switches},
        {"GET", "/faults", get_faults},
        {"POST", "/faults", post_faults},
        {"DELETE", "/faults", delete_faults},
        {"POST", "/plan", post_plan},
        {"POST", "/profiles", post_profiles},
        {"DELETE", "/profiles", delete_profiles},
    };

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (emu_str_is(r->method, routes[i].method) &&
            emu_str_is(r->path, routes[i].path)) {
            routes[i].handler(r);
            return;
        }
    }
    fail(r, 404, "the control port had no such path");
}

int twe_control(twe *e, const char *method, const char *path, const char *body,
                size_t body_n, char **out, size_t *out_n)
{
    emu_req r = {.e = e, .port = PORT_CONTROL, .fd = -1, .method = emu_str_of(method)};
    const char *q = strchr(path, '?');
    int status;

    r.path = (emu_str){path, q ? (size_t)(q - path) : strlen(path)};
    r.query = emu_str_of(q ? q + 1 : NULL);
    r.body = (emu_str){body, body ? body_n : 0};
    if (e->pid == getpid())
        emu_do_control(&r);
    else
        fail(&r, 500, "the emulator belonged to the parent process");
    emu_buf_ch(&r.out, 0);
    status = r.out.failed ? 500 : r.status;
    *out = r.out.failed ? NULL : r.out.p;
    *out_n = r.out.failed ? 0 : r.out.n - 1;
    if (r.out.failed)
        emu_buf_free(&r.out);
    emu_arena_free(&r.arena);
    return status;
}

void twe_free(void *p)
{
    free(p);
}
