/* SPDX-License-Identifier: MIT */
/* The emulator's own meters, independent of any client's budgets. */
#include "quota.h"

#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define MONTH_MS (30LL * 86400000)

void emu_limits_init(emu_limits *l)
{
    pthread_mutex_init(&l->mu, NULL);
}

void emu_limits_reset(emu_limits *l)
{
    pthread_mutex_lock(&l->mu);
    l->n = 0;
    pthread_mutex_unlock(&l->mu);
}

void emu_limits_free(emu_limits *l)
{
    pthread_mutex_destroy(&l->mu);
    free(l->downloads);
}

bool emu_rest_enter(twe *e)
{
    emu_limits *l = &e->limits;
    bool ok;

    pthread_mutex_lock(&l->mu);
    ok = !EMU_SW(e, limits) || l->rest_running < EMU_SW(e, rest_concurrency);
    if (ok)
        l->rest_running++;
    pthread_mutex_unlock(&l->mu);
    return ok;
}

void emu_rest_leave(twe *e)
{
    pthread_mutex_lock(&e->limits.mu);
    e->limits.rest_running--;
    pthread_mutex_unlock(&e->limits.mu);
}

static bool push(emu_limits *l, int64_t now)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        int64_t *p = realloc(l->downloads, cap * sizeof(*p));

        if (!p)
            return false;
        l->downloads = p;
        l->cap = cap;
    }
    l->downloads[l->n++] = now;
    return true;
}

static void forget_old(emu_limits *l, int64_t now)
{
    size_t old = 0;

    while (old < l->n && l->downloads[old] <= now - MONTH_MS)
        old++;
    if (old) {
        memmove(l->downloads, l->downloads + old, (l->n - old) * sizeof(*l->downloads));
        l->n -= old;
    }
}

void emu_download_usage(twe *e, int64_t *used, int64_t *resets_ms)
{
    emu_limits *l = &e->limits;

    pthread_mutex_lock(&l->mu);
    forget_old(l, emu_now_ms(e));
    *used = (int64_t)l->n;
    *resets_ms = l->n ? l->downloads[0] + MONTH_MS : 0;
    pthread_mutex_unlock(&l->mu);
}

/* 60 per 10 minutes, 4 in parallel, 500 a month (Amplitude cohort API docs); the month is a
 * rolling 30 days here, the docs do not say which. */
bool emu_download_take(twe *e, int jobs_running)
{
    emu_limits *l = &e->limits;
    int64_t now = emu_now_ms(e);
    size_t recent = 0;
    bool ok;

    pthread_mutex_lock(&l->mu);
    forget_old(l, now);
    for (size_t i = 0; i < l->n; i++)
        recent += l->downloads[i] > now - 600000;
    ok = !EMU_SW(e, limits) || ((int64_t)recent < EMU_SW(e, downloads_per_10min) &&
                                jobs_running < EMU_SW(e, downloads_parallel) &&
                                (int64_t)l->n < EMU_SW(e, downloads_per_month));
    if (ok)
        ok = push(l, now);
    pthread_mutex_unlock(&l->mu);
    return ok;
}
