/* SPDX-License-Identifier: MIT */
/* The fault plan: reading, picking, listing. */
#include "faults.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "switches.h"
#include "text.h"

#define BOMB_MAX (4LL << 30) /* packs to 4 MiB */

struct emu_fault {
    emu_arena arena; /* owns every string below */
    emu_str text;    /* as given */
    emu_str method, path, key;
    int64_t nth, every;
    double prob;
    int64_t count; /* uses left, -1 without end */
    int64_t seen, used;
    emu_action action;
};

static const char *const POINTS[] = {"",
                                     "accept",
                                     "before_read",
                                     "mid_body",
                                     "before_commit",
                                     "after_commit",
                                     "mid_response",
                                     "keepalive"};

void emu_faults_init(emu_faults *f)
{
    pthread_mutex_init(&f->mu, NULL);
    f->seed = 1;
}

static void list_free(struct emu_fault *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        emu_arena_free(&list[i].arena);
    free(list);
}

static void install(emu_faults *f, struct emu_fault *list, size_t n)
{
    struct emu_fault *old;
    size_t old_n;

    pthread_mutex_lock(&f->mu);
    old = f->list;
    old_n = f->n;
    f->list = list;
    f->n = n;
    f->active = n > 0;
    pthread_mutex_unlock(&f->mu);
    list_free(old, old_n);
}

void emu_faults_clear(emu_faults *f)
{
    install(f, NULL, 0);
}

void emu_faults_free(emu_faults *f)
{
    emu_faults_clear(f);
    pthread_mutex_destroy(&f->mu);
}

/* "mid_body@100": a point and, for the two mid points, a byte count. */
static bool read_point(emu_str s, emu_action *a)
{
    const char *at = s.n ? memchr(s.s, '@', s.n) : NULL;
    emu_str name = {s.s, at ? (size_t)(at - s.s) : s.n};

    for (int i = AT_ACCEPT; i <= AT_KEEPALIVE; i++)
        if (emu_str_is(name, POINTS[i]))
            a->when = (emu_point)i;
    for (const char *p = at ? at + 1 : NULL; p && p < s.s + s.n; p++) {
        if (*p < '0' || *p > '9' || a->at > 1u << 30)
            return false;
        a->at = a->at * 10 + (size_t)(*p - '0');
    }
    return a->when != AT_NONE &&
           (!at || a->when == AT_MID_BODY || a->when == AT_MID_RESPONSE);
}

static bool read_match(struct emu_fault *f, const ej_val *match)
{
    ej_cur c = ej_at(match->raw);
    ej_val key, v;

    if (match->kind == EJ_NONE)
        return true;
    if (match->kind != EJ_OBJECT)
        return false;
    ej_enter(&c);
    while (ej_key(&c, &key)) {
        bool text, ok = true;

        ej_take(&c, &v);
        text = v.kind == EJ_STRING;
        if (ej_key_is(&key, "method") && text)
            f->method = ej_text(&v, &f->arena);
        else if (ej_key_is(&key, "path") && text)
            f->path = ej_text(&v, &f->arena);
        else if (ej_key_is(&key, "key") && text)
            f->key = ej_text(&v, &f->arena);
        else if (ej_key_is(&key, "nth"))
            ok = ej_int(&v, &f->nth) && f->nth > 0;
        else if (ej_key_is(&key, "every"))
            ok = ej_int(&v, &f->every) && f->every > 0;
        else if (ej_key_is(&key, "prob") && v.kind == EJ_NUMBER)
            f->prob = ej_double(&v);
        else
            ok = false;
        if (!ok)
            return false;
    }
    return true;
}

/* The named answers that an HTTP library would not give by itself. */
static bool read_named(emu_action *a, emu_arena *arena, const ej_val *key,
                       const ej_val *v)
{
    if (ej_key_is(key, "wrong_cl"))
        return ej_int(v, &a->wrong_cl) && a->wrong_cl != 0;
    if (ej_key_is(key, "chunk_error"))
        return v->kind == EJ_BOOL && (a->chunk_error = ej_true(v));
    if (ej_key_is(key, "gzip_bomb"))
        return ej_int(v, &a->gzip_bomb) && a->gzip_bomb > 0 && a->gzip_bomb <= BOMB_MAX;
    if (ej_key_is(key, "redirect") && v->kind == EJ_STRING) {
        a->redirect = ej_text(v, arena);
        return a->redirect.n > 0;
    }
    if (ej_key_is(key, "close_listener") || ej_key_is(key, "refuse")) {
        a->close_listener = true;
        if (ej_key_is(key, "refuse"))
            a->close = CLOSE_RST;
        return ej_int(v, &a->listener_ms) && a->listener_ms >= 0 &&
               a->listener_ms <= EMU_MS_MAX;
    }
    return false;
}

static bool read_do(struct emu_fault *f, const ej_val *what)
{
    emu_action *a = &f->action;
    ej_cur c = ej_at(what->raw);
    ej_val key, v;

    if (what->kind != EJ_OBJECT)
        return false;
    ej_enter(&c);
    while (ej_key(&c, &key)) {
        int64_t n = 0;
        bool ok = true;

        ej_take(&c, &v);
        if (ej_key_is(&key, "status")) {
            ok = ej_int(&v, &n) && n >= 100 && n <= 599;
            a->status = (int)n;
        } else if (ej_key_is(&key, "body") && v.kind == EJ_STRING) {
            a->body = ej_text(&v, &f->arena);
        } else if (ej_key_is(&key, "headers") && v.kind == EJ_OBJECT) {
            a->headers = v.raw;
        } else if (ej_key_is(&key, "raw_base64") && v.kind == EJ_STRING) {
            a->raw = emu_unbase64(&f->arena, ej_text(&v, &f->arena));
            ok = a->raw.s != NULL;
        } else if (ej_key_is(&key, "stall_ms")) {
            ok =
                ej_int(&v, &a->stall_ms) && a->stall_ms >= 0 && a->stall_ms <= EMU_MS_MAX;
        } else if (ej_key_is(&key, "trickle_bps")) {
            ok = ej_int(&v, &a->trickle_bps) && a->trickle_bps > 0;
        } else if (ej_key_is(&key, "close") && v.kind == EJ_STRING) {
            emu_str s = ej_text(&v, &f->arena);

            a->close = emu_str_is(s, "rst") ? CLOSE_RST : CLOSE_FIN;
            ok = emu_str_is(s, "rst") || emu_str_is(s, "fin");
        } else {
            ok = read_named(a, &f->arena, &key, &v);
        }
        if (!ok)
            return false;
    }
    if (a->redirect.s && !a->status)
        a->status = 302;
    if (a->gzip_bomb && !a->status)
        a->status = 200;
    return true;
}

/* Something that is never looked at where the fault stands: a test would wait for it in vain. */
static bool is_idle(const emu_action *a)
{
    bool commit = a->when == AT_BEFORE_COMMIT || a->when == AT_AFTER_COMMIT;
    bool late = a->when == AT_MID_RESPONSE || a->when == AT_KEEPALIVE;

    return (a->trickle_bps && a->when != AT_MID_RESPONSE) ||
           (a->status && !commit && a->when != AT_BEFORE_READ &&
            a->when != AT_MID_RESPONSE) ||
           (!a->status && (a->body.s || a->headers.s)) ||
           (a->raw.s && (late || a->when == AT_ACCEPT)) || (a->close_listener && late) ||
           (a->stall_ms && a->when == AT_KEEPALIVE);
}

static const char *read_fault(struct emu_fault *f, const ej_val *v)
{
    ej_val copy = *v, part;

    copy.raw = f->text = emu_arena_copy(&f->arena, v->raw);
    f->count = -1;
    f->prob = 1;
    if (!f->text.s || v->kind != EJ_OBJECT)
        return "was not an object";
    if (!ej_get(&copy, "when", &part) || part.kind != EJ_STRING ||
        !read_point(ej_text(&part, &f->arena), &f->action))
        return "had no valid \"when\"";
    ej_get(&copy, "match", &part);
    if (!read_match(f, &part))
        return "had an invalid \"match\"";
    ej_get(&copy, "do", &part);
    if (!read_do(f, &part))
        return "had an invalid \"do\"";
    if ((f->action.wrong_cl || f->action.chunk_error) &&
        f->action.when != AT_BEFORE_COMMIT && f->action.when != AT_AFTER_COMMIT)
        return "had a \"wrong_cl\" or \"chunk_error\" that is not around the commit";
    if (is_idle(&f->action))
        return "had a \"do\" with a part that its \"when\" has no use for";
    if (ej_get(&copy, "count", &part) && (!ej_int(&part, &f->count) || f->count < 1))
        return "had an invalid \"count\"";
    return NULL;
}

bool emu_faults_set(emu_faults *f, const ej_val *plan, emu_buf *err)
{
    ej_cur c = ej_at(plan->raw);
    struct emu_fault *list = NULL;
    size_t n = 0;
    ej_val v;

    if (plan->kind != EJ_ARRAY) {
        emu_buf_z(err, "the fault plan was not a JSON array");
        return false;
    }
    ej_enter(&c);
    while (ej_item(&c)) {
        struct emu_fault *grown = realloc(list, (n + 1) * sizeof(*list));
        const char *why;

        ej_take(&c, &v);
        if (grown)
            memset(&grown[n], 0, sizeof(*grown));
        list = grown ? grown : list;
        why = grown ? read_fault(&list[n++], &v) : "ran out of memory";
        if (why) {
            emu_buf_fmt(err, "fault %zu %s", n - (grown != NULL), why);
            list_free(list, n);
            return false;
        }
        list[n - 1].action.plan_id = (int64_t)n - 1;
    }
    install(f, list, n);
    return true;
}

void emu_faults_write(emu_faults *f, emu_buf *out)
{
    pthread_mutex_lock(&f->mu);
    emu_buf_ch(out, '[');
    for (size_t i = 0; i < f->n; i++) {
        emu_buf_fmt(out, "%s{\"fault\":", i ? "," : "");
        emu_buf_str(out, f->list[i].text);
        emu_buf_fmt(out, ",\"matched\":%lld,\"used\":%lld}", (long long)f->list[i].seen,
                    (long long)f->list[i].used);
    }
    emu_buf_ch(out, ']');
    pthread_mutex_unlock(&f->mu);
}

static double next_random(emu_faults *f)
{
    emu_hash h = emu_hash_of(f->seed++, EMU_LIT("fault"), (emu_str){NULL, 0});

    return (double)(h.lo >> 11) / 9007199254740992.0;
}

/* `path` may end in * for a prefix. */
static bool path_fits(emu_str want, emu_str path)
{
    if (want.n && want.s[want.n - 1] == '*')
        return path.n >= want.n - 1 && memcmp(path.s, want.s, want.n - 1) == 0;
    return emu_str_eq(want, path);
}

static bool key_fits(struct emu_fault *f, emu_req *r)
{
    emu_str hay = r->body, basic = emu_header_of(r, "Authorization");

    if (!f->key.s)
        return true;
    if (hay.n && memmem(hay.s, hay.n, f->key.s, f->key.n))
        return true;
    if (basic.n > 6 && strncasecmp(basic.s, "Basic ", 6) == 0) {
        emu_str pair = emu_unbase64(&r->arena, (emu_str){basic.s + 6, basic.n - 6});

        return pair.n > f->key.n && memcmp(pair.s, f->key.s, f->key.n) == 0;
    }
    return r->query.n && memmem(r->query.s, r->query.n, f->key.s, f->key.n);
}

static bool fits(emu_faults *all, struct emu_fault *f, emu_req *r)
{
    if (f->count == 0 || (f->method.s && !emu_str_eq(f->method, r->method)) ||
        (f->path.s && !path_fits(f->path, r->path)) || !key_fits(f, r))
        return false;
    f->seen++;
    if (f->nth && f->seen != f->nth)
        return false;
    if (f->every && f->seen % f->every != 0)
        return false;
    return f->prob >= 1 || next_random(all) < f->prob;
}

void emu_faults_pick(emu_faults *f, emu_req *r, emu_point from, emu_point to,
                     emu_action *out)
{
    out->when = AT_NONE;
    if (!f->active)
        return;
    pthread_mutex_lock(&f->mu);
    for (size_t i = 0; i < f->n; i++) {
        struct emu_fault *one = &f->list[i];
        emu_action *a = &one->action;

        if (a->when < from || a->when > to || !fits(f, one, r))
            continue;
        one->used++;
        if (one->count > 0)
            one->count--;
        *out = *a;
        out->body = emu_arena_copy(&r->arena, a->body);
        out->headers = emu_arena_copy(&r->arena, a->headers);
        if (a->raw.s)
            out->raw = emu_arena_copy(&r->arena, a->raw);
        if (a->redirect.s)
            out->redirect = emu_arena_copy(&r->arena, a->redirect);
        break;
    }
    pthread_mutex_unlock(&f->mu);
}
