/* SPDX-License-Identifier: MIT */
/* Throttles: what each id sent lately, and the documented answers when it was too much. */
#include "throttle.h"

#include <stdlib.h>
#include <string.h>

#include "ingest.h"

#define WINDOW_S 30 /* events/s are averaged over 30 s (HTTP V2 API docs) */
#define DAY_H 24    /* the daily window moves in steps of 1 h (batch API docs) */
#define USER 1      /* kinds of ids, seeds of their hashes */
#define DEVICE 2

static const char *const CHANNEL_NAMES[CHANNELS] = {"v2", "batch", "identify"};

/* n[i] counts the unit (second or hour) whose number is i modulo the length. */
struct emu_rate {
    emu_hash key;
    emu_hash user; /* of a device: whom its last event named, 0: nobody */
    int64_t last;  /* newest unit counted */
    int64_t sum;   /* of all that is in n */
    uint32_t n[WINDOW_S];
};

/* --- counting --- */

static int64_t meter_sum(const struct emu_rate *m, int length, int64_t now)
{
    int64_t sum = m ? m->sum : 0;

    /* The oldest units fall out as time goes by. */
    for (int64_t unit = m ? m->last - length + 1 : now; unit <= now - length; unit++) {
        if (unit > m->last)
            return 0;
        if (unit >= 0)
            sum -= m->n[unit % length];
    }
    return sum;
}

static struct emu_rate *slot_of(const emu_rates *ms, emu_hash key)
{
    size_t i = key.lo & (ms->cap - 1);

    while ((ms->slots[i].key.lo | ms->slots[i].key.hi) &&
           (ms->slots[i].key.lo != key.lo || ms->slots[i].key.hi != key.hi))
        i = (i + 1) & (ms->cap - 1);
    return &ms->slots[i];
}

static const struct emu_rate *meter_find(const emu_rates *ms, emu_hash key)
{
    const struct emu_rate *m = ms->cap ? slot_of(ms, key) : NULL;

    return m && (m->key.lo | m->key.hi) ? m : NULL;
}

/* Ids that have been silent for a whole window are left behind when the table grows. */
static bool meters_grow(emu_rates *ms, int64_t now)
{
    emu_rates bigger = {.length = ms->length};
    size_t alive = 0;

    for (size_t i = 0; i < ms->cap; i++)
        alive += ms->slots[i].last > now - ms->length;
    bigger.cap = 256;
    while (bigger.cap < alive * 2 + 2)
        bigger.cap *= 2;
    bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < ms->cap; i++) {
        struct emu_rate *m = &ms->slots[i];

        if ((m->key.lo | m->key.hi) && m->last > now - ms->length) {
            *slot_of(&bigger, m->key) = *m;
            bigger.used++;
        }
    }
    free(ms->slots);
    *ms = bigger;
    return true;
}

/* Adds one and gives the sum over the window, -1 when memory ran out. */
static int64_t meter_add(emu_rates *ms, emu_hash key, int64_t now)
{
    struct emu_rate *m;

    if (ms->used * 4 >= ms->cap * 3 && !meters_grow(ms, now))
        return -1;
    m = slot_of(ms, key);
    if (!(m->key.lo | m->key.hi)) {
        m->key = key;
        m->last = now;
        ms->used++;
    }
    if (now - m->last >= ms->length) {
        memset(m->n, 0, sizeof(m->n));
        m->last = now;
        m->sum = 0;
    }
    while (m->last < now) {
        uint32_t *oldest = &m->n[++m->last % ms->length];

        m->sum -= *oldest;
        *oldest = 0;
    }
    m->n[m->last % ms->length]++; /* a clock set back counts into the newest unit */
    return ++m->sum;
}

static emu_hash id_key(uint64_t kind, emu_str id)
{
    emu_hash h = emu_hash_of(kind, id, (emu_str){NULL, 0});

    h.hi |= 1; /* never the empty slot */
    return h;
}

void emu_throttle_init(emu_throttle *t)
{
    pthread_mutex_init(&t->mu, NULL);
    for (int c = 0; c < CHANNELS; c++)
        t->rates[c].length = WINDOW_S;
    t->days.length = DAY_H;
}

static void forget(emu_rates *ms)
{
    free(ms->slots);
    *ms = (emu_rates){.length = ms->length};
}

void emu_throttle_reset(emu_throttle *t)
{
    pthread_mutex_lock(&t->mu);
    for (int c = 0; c < CHANNELS; c++)
        forget(&t->rates[c]);
    forget(&t->days);
    memset(t->seen, 0, sizeof(t->seen));
    t->day_peak = t->day_excess = t->updates_dropped = t->log_dropped = 0;
    t->log_n = 0;
    t->failed = false;
    pthread_mutex_unlock(&t->mu);
}

void emu_throttle_free(emu_throttle *t)
{
    for (int c = 0; c < CHANNELS; c++)
        forget(&t->rates[c]);
    forget(&t->days);
    emu_map_free(&t->silenced);
    pthread_mutex_destroy(&t->mu);
}

/* --- deciding --- */

static int64_t threshold(twe *e, emu_channel c)
{
    return c == CHANNEL_BATCH ? EMU_SW(e, eps_batch)
           : c == CHANNEL_V2  ? EMU_SW(e, eps_v2)
                              : EMU_SW(e, eps_identify);
}

static void log_excess(emu_throttle *t, int64_t ms, const char *meter, const char *kind,
                       emu_str id, int64_t count)
{
    emu_excess *x;

    if (t->log_n == EMU_EXCESSES) {
        t->log_dropped++;
        return;
    }
    x = &t->log[t->log_n++];
    *x = (emu_excess){.time_ms = ms, .count = count, .meter = meter, .kind = kind};
    if (id.n >= sizeof(x->id))
        for (id.n = sizeof(x->id) - 1;
             id.n && ((unsigned char)id.s[id.n] & 0xC0) == 0x80;)
            id.n--; /* no half character */
    memcpy(x->id, id.s, id.n);
}

/* One request's view of the ids in it. */
typedef struct look {
    twe *e;
    emu_throttle *t;
    emu_channel channel;
    int64_t now_ms, limit; /* events in the window from which on an id is throttled */
    emu_buf rates[2];      /* members of the JSON objects, users then devices */
    emu_buf quotas[2];
    emu_buf silenced; /* members of the array of devices */
    emu_buf throttled_events, silenced_events;
    emu_map named; /* ids already written */
    bool refused;
} look;

static look look_at(twe *e, emu_channel channel)
{
    return (look){.e = e,
                  .t = &e->throttle,
                  .channel = channel,
                  .now_ms = emu_now_ms(e),
                  .limit = threshold(e, channel) * WINDOW_S};
}

static void look_end(look *k)
{
    for (int i = 0; i < 2; i++) {
        emu_buf_free(&k->rates[i]);
        emu_buf_free(&k->quotas[i]);
    }
    emu_buf_free(&k->silenced);
    emu_buf_free(&k->throttled_events);
    emu_buf_free(&k->silenced_events);
    if (k->named.cap)
        emu_map_free(&k->named);
}

/* True the first time that this list meets the id. */
static bool first_time(look *k, const emu_buf *list, emu_str id)
{
    char name[1100];
    size_t n = id.n < 1024 ? id.n : 1024;
    emu_str key = {name, sizeof(list) + n};

    memcpy(name, &list, sizeof(list));
    memcpy(name + sizeof(list), id.s, n);
    if (emu_map_get(&k->named, key))
        return false;
    return emu_map_put(&k->named, key, k);
}

static void put_number(look *k, emu_buf *list, emu_str id, int64_t n)
{
    if (!first_time(k, list, id))
        return;
    if (list->n)
        emu_buf_ch(list, ',');
    emu_buf_quote(list, id);
    emu_buf_ch(list, ':');
    emu_buf_int(list, n);
}

static void put_index(emu_buf *list, size_t i)
{
    if (list->n)
        emu_buf_ch(list, ',');
    emu_buf_int(list, (int64_t)i);
}

/* What an id sent within the window. */
static int64_t window_sum(const look *k, emu_hash key)
{
    return meter_sum(meter_find(&k->t->rates[k->channel], key), WINDOW_S,
                     k->now_ms / 1000);
}

/* Of a user over its rate all devices are throttled (Identify API docs): those it is named
 * with, and those that lately sent events of it. */
static bool user_over(const look *k, emu_str user, emu_str device)
{
    const struct emu_rate *m =
        meter_find(&k->t->rates[k->channel], id_key(DEVICE, device));

    return (user.s && window_sum(k, id_key(USER, user)) > k->limit) ||
           (m && m->user.hi && m->last > k->now_ms / 1000 - WINDOW_S &&
            window_sum(k, m->user) > k->limit);
}

/* True when an id is over its rate or its quota now; it is then written to the lists. */
static bool id_over(look *k, uint64_t kind, emu_str id, bool with_user)
{
    emu_hash key = id_key(kind, id);
    int64_t now_h = k->now_ms / 3600000, n = window_sum(k, key);
    bool over = false;

    if (n > k->limit || with_user) {
        put_number(k, &k->rates[kind - 1], id, n / WINDOW_S);
        over = true;
    }
    if (k->channel == CHANNEL_BATCH && EMU_SW(k->e, daily_quota) != 2) {
        n = meter_sum(meter_find(&k->t->days, key), DAY_H, now_h);
        if (n >= EMU_SW(k->e, daily_events)) {
            put_number(k, &k->quotas[kind - 1], id, n);
            over = true;
        }
    }
    return over;
}

static void look_at_event(look *k, size_t i, emu_str user, emu_str device)
{
    bool over = user.s && id_over(k, USER, user, false);

    if (device.s && id_over(k, DEVICE, device, user_over(k, user, device)))
        over = true;
    if (over)
        put_index(&k->throttled_events, i);
    k->refused |= over;
    if (!device.s || k->channel == CHANNEL_IDENTIFY || !k->t->any_silenced ||
        !emu_map_get(&k->t->silenced, device))
        return; /* only events are silenced */
    put_index(&k->silenced_events, i);
    if (first_time(k, &k->silenced, device)) {
        if (k->silenced.n)
            emu_buf_ch(&k->silenced, ',');
        emu_buf_quote(&k->silenced, device);
    }
}

static void put_object(emu_buf *out, const char *name, const emu_buf *members)
{
    emu_buf_fmt(out, ",\"%s\":{", name);
    emu_buf_put(out, members->p, members->n);
    emu_buf_ch(out, '}');
}

static void put_array(emu_buf *out, const char *name, const emu_buf *members)
{
    emu_buf_fmt(out, ",\"%s\":[", name);
    emu_buf_put(out, members->p, members->n);
    emu_buf_ch(out, ']');
}

/* 400 "Events silenced" (HTTP V2 API docs, silenced device). */
static void answer_silenced(look *k, emu_req *r)
{
    r->out.n = 0;
    emu_buf_fmt(&r->out,
                "{\"code\":400,\"error\":\"Events silenced for device_id\","
                "\"eps_threshold\":%lld",
                (long long)threshold(k->e, k->channel));
    put_object(&r->out, "exceeded_daily_quota_devices", &k->quotas[DEVICE - 1]);
    put_array(&r->out, "silenced_devices", &k->silenced);
    put_array(&r->out, "silenced_events", &k->silenced_events);
    put_object(&r->out, "throttled_devices", &k->rates[DEVICE - 1]);
    put_array(&r->out, "throttled_events", &k->throttled_events);
    emu_buf_ch(&r->out, '}');
    emu_reply(r, 400, EMU_JSON);
}

/* 429; the quota lists are in the answer of /batch alone (HTTP V2 and batch API docs). */
static void answer_throttled(look *k, emu_req *r)
{
    r->out.n = 0;
    emu_buf_fmt(
        &r->out,
        "{\"code\":429,\"error\":\"Too many requests for some devices and users\","
        "\"eps_threshold\":%lld",
        (long long)threshold(k->e, k->channel));
    put_object(&r->out, "throttled_devices", &k->rates[DEVICE - 1]);
    put_object(&r->out, "throttled_users", &k->rates[USER - 1]);
    if (k->channel == CHANNEL_BATCH) {
        put_object(&r->out, "exceeded_daily_quota_users", &k->quotas[USER - 1]);
        put_object(&r->out, "exceeded_daily_quota_devices", &k->quotas[DEVICE - 1]);
    }
    put_array(&r->out, "throttled_events", &k->throttled_events);
    emu_buf_ch(&r->out, '}');
    emu_reply(r, 429, EMU_JSON);
}

/* The whole request is refused, events of other ids included. */
static bool conclude(look *k, emu_req *r)
{
    emu_seen_rate *seen = &k->t->seen[k->channel];
    bool go = true;

    if (k->silenced_events.n) {
        answer_silenced(k, r);
        go = false;
    } else if (k->refused && EMU_SW(k->e, throttle)) {
        answer_throttled(k, r);
        seen->refused++;
        go = false;
    }
    return go;
}

bool emu_throttle_check(emu_batch *b)
{
    look k = look_at(b->r->e, b->batch ? CHANNEL_BATCH : CHANNEL_V2);
    bool go;

    if (!EMU_SW(k.e, meters))
        return true;
    pthread_mutex_lock(&k.t->mu);
    for (size_t i = 0; i < b->n; i++)
        look_at_event(&k, i, b->events[i].user, b->events[i].device);
    go = conclude(&k, b->r);
    pthread_mutex_unlock(&k.t->mu);
    look_end(&k);
    return go;
}

static void note_user(look *k, emu_str user, emu_str device)
{
    emu_rates *ms = &k->t->rates[k->channel];
    emu_hash key = id_key(DEVICE, device);

    if (user.s && meter_find(ms, key))
        slot_of(ms, key)->user = id_key(USER, user);
}

/* Counts one event of an id; tells its meter and, when it was too much, the log. */
static void count_id(look *k, uint64_t kind, emu_str id)
{
    emu_throttle *t = k->t;
    emu_seen_rate *seen = &t->seen[k->channel];
    const char *name = kind == USER ? "user_id" : "device_id";
    emu_hash key = id_key(kind, id);
    int64_t n = meter_add(&t->rates[k->channel], key, k->now_ms / 1000), day;

    t->failed |= n < 0;
    seen->peak = n > seen->peak ? n : seen->peak;
    if (n > k->limit && first_time(k, &k->rates[kind - 1], id)) {
        seen->excess++;
        log_excess(t, k->now_ms, CHANNEL_NAMES[k->channel], name, id, n / WINDOW_S);
    }
    if (k->channel != CHANNEL_BATCH || EMU_SW(k->e, daily_quota) == 2)
        return;
    /* Counting may start with the first second of spam only (batch API docs). */
    if (EMU_SW(k->e, daily_quota) == 1 && n <= k->limit && !meter_find(&t->days, key))
        return;
    day = meter_add(&t->days, key, k->now_ms / 3600000);
    t->failed |= day < 0;
    t->day_peak = day > t->day_peak ? day : t->day_peak;
    if (day > EMU_SW(k->e, daily_events) && first_time(k, &k->quotas[kind - 1], id)) {
        t->day_excess++;
        log_excess(t, k->now_ms, "daily", name, id, day);
    }
}

void emu_throttle_count(emu_batch *b)
{
    look k = look_at(b->r->e, b->batch ? CHANNEL_BATCH : CHANNEL_V2);

    if (!EMU_SW(k.e, meters))
        return;
    pthread_mutex_lock(&k.t->mu);
    k.t->seen[k.channel].events += (int64_t)b->n;
    for (size_t i = 0; i < b->n; i++) {
        const emu_event *ev = &b->events[i];

        if (ev->user.s)
            count_id(&k, USER, ev->user);
        /* A device made of the user id counts as that user does. */
        if (ev->device.s && !ev->made[0]) {
            count_id(&k, DEVICE, ev->device);
            note_user(&k, ev->user, ev->device);
        }
    }
    pthread_mutex_unlock(&k.t->mu);
    look_end(&k);
}

bool emu_throttle_identify(emu_req *r, const emu_str *users, const emu_str *devices,
                           size_t n)
{
    look k = look_at(r->e, CHANNEL_IDENTIFY);
    bool go;

    if (!EMU_SW(k.e, meters))
        return true;
    pthread_mutex_lock(&k.t->mu);
    for (size_t i = 0; i < n; i++)
        look_at_event(&k, i, users[i], devices[i]);
    go = conclude(&k, r);
    k.t->seen[k.channel].events += go ? (int64_t)n : 0;
    for (size_t i = 0; i < n && go; i++) {
        if (users[i].s)
            count_id(&k, USER, users[i]);
        if (devices[i].s) {
            count_id(&k, DEVICE, devices[i]);
            note_user(&k, users[i], devices[i]);
        }
    }
    pthread_mutex_unlock(&k.t->mu);
    look_end(&k);
    return go;
}

/* 1,800 an hour for each Amplitude ID, then dropped without an error (HTTP V2 API docs). The
 * hour begins with the first update. */
bool emu_update_allowed(twe *e, emu_user *u)
{
    int64_t now = emu_now_ms(e);

    if (now - u->updates_since_ms >= 3600000 || now < u->updates_since_ms) {
        u->updates_since_ms = now;
        u->updates = 0;
    }
    if (u->updates < EMU_SW(e, updates_per_hour)) {
        u->updates++;
        return true;
    }
    pthread_mutex_lock(&e->throttle.mu);
    e->throttle.updates_dropped++;
    pthread_mutex_unlock(&e->throttle.mu);
    return !EMU_SW(e, update_limit);
}

/* --- the control port's side --- */

bool emu_silence(emu_throttle *t, emu_arena *a, emu_str ids, emu_buf *err)
{
    ej_cur c = ej_at(ids);
    emu_map map = {0};
    ej_val v;
    bool ok = ej_peek(&c) == EJ_ARRAY;

    if (ok)
        ej_enter(&c);
    while (ok && ej_item(&c)) {
        ej_take(&c, &v);
        ok = v.kind == EJ_STRING && v.raw.n > 2 && emu_map_put(&map, ej_text(&v, a), t);
    }
    if (!ok) {
        emu_buf_z(err, "silenced devices were not an array of texts");
        emu_map_free(&map);
        return false;
    }
    pthread_mutex_lock(&t->mu);
    emu_map_free(&t->silenced);
    t->silenced = map;
    t->any_silenced = map.used > 0;
    pthread_mutex_unlock(&t->mu);
    return true;
}

void emu_silenced_write(emu_throttle *t, emu_buf *out)
{
    size_t at = 0, n = 0;
    emu_str id;
    void *value;

    pthread_mutex_lock(&t->mu);
    emu_buf_ch(out, '[');
    while (emu_map_next(&t->silenced, &at, &id, &value)) {
        if (n++)
            emu_buf_ch(out, ',');
        emu_buf_quote(out, id);
    }
    emu_buf_ch(out, ']');
    pthread_mutex_unlock(&t->mu);
}

static void write_log(emu_throttle *t, emu_buf *out)
{
    emu_buf_fmt(out, ",\"log_dropped\":%lld,\"log\":[", (long long)t->log_dropped);
    for (size_t i = 0; i < t->log_n; i++) {
        emu_excess *x = &t->log[i];

        emu_buf_fmt(out, "%s{\"time\":%lld,\"meter\":\"%s\",\"kind\":\"%s\",\"id\":",
                    i ? "," : "", (long long)x->time_ms, x->meter, x->kind);
        emu_buf_quote(out, emu_str_of(x->id));
        emu_buf_fmt(out, ",\"count\":%lld}", (long long)x->count);
    }
    emu_buf_ch(out, ']');
}

void emu_meters_write(twe *e, emu_buf *out)
{
    emu_throttle *t = &e->throttle;

    pthread_mutex_lock(&t->mu);
    for (int c = 0; c < CHANNELS; c++) {
        emu_seen_rate *seen = &t->seen[c];

        emu_buf_fmt(out,
                    "%s\"%s\":{\"events\":%lld,\"eps_threshold\":%lld,"
                    "\"peak_eps\":%.2f,\"excess\":%lld,\"refused\":%lld}",
                    c ? "," : "{", CHANNEL_NAMES[c], (long long)seen->events,
                    (long long)threshold(e, (emu_channel)c),
                    (double)seen->peak / WINDOW_S, (long long)seen->excess,
                    (long long)seen->refused);
    }
    emu_buf_fmt(out,
                ",\"daily\":{\"limit\":%lld,\"peak\":%lld,\"excess\":%lld},"
                "\"updates\":{\"limit\":%lld,\"excess\":%lld},",
                (long long)EMU_SW(e, daily_events), (long long)t->day_peak,
                (long long)t->day_excess, (long long)EMU_SW(e, updates_per_hour),
                (long long)t->updates_dropped);
    emu_limits_write(e, out);
    emu_buf_fmt(out, ",\"complete\":%s", t->failed ? "false" : "true");
    write_log(t, out);
    emu_buf_ch(out, '}');
    pthread_mutex_unlock(&t->mu);
}
