/* SPDX-License-Identifier: MIT */
/* The emulator's own meters, independent of any client's budgets. */
#include "quota.h"

#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define MINUTE_MS 60000LL
#define HOUR_MS (60 * MINUTE_MS)
#define MONTH_MS (720 * HOUR_MS)

void emu_limits_init(emu_limits *l)
{
    pthread_mutex_init(&l->mu, NULL);
}

void emu_limits_reset(emu_limits *l)
{
    pthread_mutex_lock(&l->mu);
    l->downloads.n = 0;
    for (int i = 0; i < METER_COUNT; i++)
        l->meters[i].n = 0;
    memset(l->seen_gate, 0, sizeof(l->seen_gate));
    memset(l->seen_meter, 0, sizeof(l->seen_meter));
    l->download_excess = 0;
    pthread_mutex_unlock(&l->mu);
}

void emu_limits_free(emu_limits *l)
{
    pthread_mutex_destroy(&l->mu);
    free(l->downloads.items);
    for (int i = 0; i < METER_COUNT; i++)
        free(l->meters[i].items);
}

/* --- calls at once --- */

/* 5 REST calls, 10 user lookups, taxonomy cost 4 (Dashboard REST and taxonomy API docs). */
static int64_t gate_limit(const twe *e, emu_gate gate)
{
    switch (gate) {
    case GATE_REST:
        return EMU_SW(e, rest_concurrency);
    case GATE_USERS:
        return EMU_SW(e, users_concurrency);
    case GATE_TAXONOMY:
        return EMU_SW(e, taxonomy_concurrency);
    default:
        return INT64_MAX;
    }
}

bool emu_gate_enter(twe *e, emu_gate gate, int cost)
{
    emu_limits *l = &e->limits;
    bool ok;

    pthread_mutex_lock(&l->mu);
    ok = l->running[gate] + cost <= gate_limit(e, gate);
    l->seen_gate[gate].excess += !ok;
    ok |= !EMU_SW(e, limits);
    if (ok)
        l->running[gate] += cost;
    if (l->running[gate] > l->seen_gate[gate].peak)
        l->seen_gate[gate].peak = l->running[gate];
    pthread_mutex_unlock(&l->mu);
    return ok;
}

void emu_gate_leave(twe *e, emu_gate gate, int cost)
{
    pthread_mutex_lock(&e->limits.mu);
    e->limits.running[gate] -= cost;
    pthread_mutex_unlock(&e->limits.mu);
}

/* --- cost within a window --- */

static bool push(emu_charges *c, int64_t now, int64_t cost)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;
        emu_charge *p = realloc(c->items, cap * sizeof(*p));

        if (!p)
            return false;
        c->items = p;
        c->cap = cap;
    }
    c->items[c->n++] = (emu_charge){now, cost};
    return true;
}

static void forget_old(emu_charges *c, int64_t since)
{
    size_t old = 0;

    while (old < c->n && c->items[old].ms <= since)
        old++;
    if (old) {
        memmove(c->items, c->items + old, (c->n - old) * sizeof(*c->items));
        c->n -= old;
    }
}

static int64_t cost_since(const emu_charges *c, int64_t since)
{
    int64_t sum = 0;

    for (size_t i = c->n; i-- > 0 && c->items[i].ms > since;)
        sum += c->items[i].cost;
    return sum;
}

/* 360 lookups and taxonomy cost 7,200 an hour, 600 profiles a minute (their API docs). */
bool emu_meter_take(twe *e, emu_meter meter, int cost)
{
    const int64_t limits[METER_COUNT] = {
        [METER_USERS] = EMU_SW(e, users_per_hour),
        [METER_TAXONOMY] = EMU_SW(e, taxonomy_per_hour),
        [METER_PROFILE] = EMU_SW(e, profiles_per_minute),
    };
    int64_t now = emu_now_ms(e);
    int64_t since = now - (meter == METER_PROFILE ? MINUTE_MS : HOUR_MS);
    emu_charges *c = &e->limits.meters[meter];
    bool ok = true;

    pthread_mutex_lock(&e->limits.mu);
    forget_old(c, since);
    if (EMU_SW(e, limits)) {
        emu_seen_limit *seen = &e->limits.seen_meter[meter];
        int64_t sum = cost_since(c, since) + cost;

        ok = sum <= limits[meter];
        seen->excess += !ok;
        ok = ok && push(c, now, cost);
        if (ok && sum > seen->peak)
            seen->peak = sum;
    }
    pthread_mutex_unlock(&e->limits.mu);
    return ok;
}

/* --- cost of analytics --- */

/* 108,000 an hour, and 1,000 "concurrent", which one edition of the documents counts at the
 * same time and another within five minutes (Dashboard REST API docs). */
emu_cost_answer emu_cost_enter(twe *e, int64_t cost)
{
    emu_limits *l = &e->limits;
    emu_charges *c = &l->meters[METER_QUERIES];
    int64_t now = emu_now_ms(e), at_once;
    emu_cost_answer answer = COST_OK;

    pthread_mutex_lock(&l->mu);
    forget_old(c, now - HOUR_MS);
    at_once =
        EMU_SW(e, cost_window) ? cost_since(c, now - 5 * MINUTE_MS) : l->cost_running;
    if (EMU_SW(e, limits) && EMU_SW(e, cost_limits)) {
        emu_seen_limit *seen = &l->seen_meter[METER_QUERIES];
        int64_t sum = cost_since(c, now - HOUR_MS) + cost;

        if (sum > EMU_SW(e, cost_per_hour))
            answer = COST_RATE;
        else if (at_once + cost > EMU_SW(e, cost_at_once))
            answer = COST_CONCURRENT;
        else if (!push(c, now, cost))
            answer = COST_RATE;
        seen->excess += answer != COST_OK;
        if (answer == COST_OK && sum > seen->peak)
            seen->peak = sum;
    }
    if (answer == COST_OK)
        l->cost_running += cost;
    pthread_mutex_unlock(&l->mu);
    return answer;
}

void emu_cost_leave(twe *e, int64_t cost)
{
    pthread_mutex_lock(&e->limits.mu);
    e->limits.cost_running -= cost;
    pthread_mutex_unlock(&e->limits.mu);
}

/* --- cohort downloads --- */

void emu_download_usage(twe *e, int64_t *used, int64_t *resets_ms)
{
    emu_charges *c = &e->limits.downloads;

    pthread_mutex_lock(&e->limits.mu);
    forget_old(c, emu_now_ms(e) - MONTH_MS);
    *used = (int64_t)c->n;
    *resets_ms = c->n ? c->items[0].ms + MONTH_MS : 0;
    pthread_mutex_unlock(&e->limits.mu);
}

/* 60 per 10 minutes, 4 in parallel, 500 a month (Amplitude cohort API docs); the month is a
 * rolling 30 days here, the docs do not say which. */
bool emu_download_take(twe *e, int jobs_running)
{
    emu_charges *c = &e->limits.downloads;
    int64_t now = emu_now_ms(e);
    bool ok;

    pthread_mutex_lock(&e->limits.mu);
    forget_old(c, now - MONTH_MS);
    ok = cost_since(c, now - 10 * MINUTE_MS) < EMU_SW(e, downloads_per_10min) &&
         jobs_running < EMU_SW(e, downloads_parallel) &&
         (int64_t)c->n < EMU_SW(e, downloads_per_month);
    e->limits.download_excess += !ok;
    ok |= !EMU_SW(e, limits);
    if (ok)
        ok = push(c, now, 1);
    pthread_mutex_unlock(&e->limits.mu);
    return ok;
}

void emu_limits_write(twe *e, emu_buf *out)
{
    static const char *const gates[] = {"", "rest", "users", "taxonomy"};
    static const char *const meters[] = {"users_window", "taxonomy_window",
                                         "profile_window", "queries_window"};
    emu_limits *l = &e->limits;

    pthread_mutex_lock(&l->mu);
    for (int i = GATE_REST; i < GATE_COUNT; i++)
        emu_buf_fmt(out, "\"%s\":{\"limit\":%lld,\"peak\":%lld,\"excess\":%lld},",
                    gates[i], (long long)gate_limit(e, (emu_gate)i),
                    (long long)l->seen_gate[i].peak, (long long)l->seen_gate[i].excess);
    for (int i = 0; i < METER_COUNT; i++)
        emu_buf_fmt(out, "\"%s\":{\"peak\":%lld,\"excess\":%lld},", meters[i],
                    (long long)l->seen_meter[i].peak, (long long)l->seen_meter[i].excess);
    emu_buf_fmt(out, "\"downloads\":{\"month\":%zu,\"excess\":%lld}", l->downloads.n,
                (long long)l->download_excess);
    pthread_mutex_unlock(&l->mu);
}
