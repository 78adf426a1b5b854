/* SPDX-License-Identifier: MIT */
/* Closing and opening the API's port while its connections live on. */
#include "listener.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

#define RETRY_MS 50 /* another program may have the port for a moment */

void emu_door_init(twe *e, const char *host, uint16_t port)
{
    strncpy(e->door.host, host, sizeof(e->door.host) - 1);
    e->door.port = port;
}

/* Servers whose last connection has ended are stopped: each costs a thread. */
static void stop_idle(emu_door *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n; i++) {
        const union MHD_DaemonInfo *info =
            MHD_get_daemon_info(d->old[i], MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

        if (info && info->num_connections == 0) {
            MHD_stop_daemon(d->old[i]);
            close(d->fds[i]);
        } else {
            d->fds[n] = d->fds[i];
            d->old[n++] = d->old[i];
        }
    }
    d->n = n;
}

/* The server keeps the number of its socket until it is stopped, so the socket is shut, not
 * closed: a closed number could be given to another one. */
static bool close_locked(twe *e)
{
    emu_door *d = &e->door;
    struct MHD_Daemon **old;
    int *fds;

    stop_idle(d);
    old = realloc(d->old, (d->n + 1) * sizeof(*old));
    fds = realloc(d->fds, (d->n + 1) * sizeof(*fds));
    d->old = old ? old : d->old;
    d->fds = fds ? fds : d->fds;
    if (!old || !fds)
        return false;
    d->fds[d->n] = (int)MHD_quiesce_daemon(e->api);
    if (d->fds[d->n] < 0)
        return false;
    shutdown(d->fds[d->n], SHUT_RDWR);
    d->old[d->n++] = e->api;
    e->api = NULL;
    d->closed = true;
    return true;
}

static bool open_locked(twe *e)
{
    emu_door *d = &e->door;

    if (d->closed)
        e->api = emu_listen(&e->listeners[0], d->host, d->port);
    d->closed = !e->api;
    return !d->closed;
}

static void *keep(void *arg)
{
    twe *e = arg;
    emu_door *d = &e->door;

    pthread_mutex_lock(&e->wait_mu);
    while (!e->stopping) {
        int64_t wall = d->until_ms - e->clock_offset_ms;
        struct timespec t = {wall / 1000, wall % 1000 * 1000000};

        if (!d->closed || !d->timed)
            pthread_cond_wait(&e->wait_cond, &e->wait_mu);
        else if (emu_now_ms(e) < d->until_ms)
            pthread_cond_timedwait(&e->wait_cond, &e->wait_mu, &t);
        else if (!open_locked(e))
            d->until_ms = emu_now_ms(e) + RETRY_MS;
    }
    pthread_mutex_unlock(&e->wait_mu);
    return NULL;
}

bool emu_door_close(twe *e, int64_t ms)
{
    emu_door *d = &e->door;
    bool ok;

    pthread_mutex_lock(&e->wait_mu);
    d->timed = ms >= 0;
    d->until_ms = emu_now_ms(e) + (ms >= 0 ? ms : 0);
    ok = d->closed || (e->api && close_locked(e));
    if (ok && d->timed && !d->keeper)
        ok = pthread_create(&d->keeper, NULL, keep, e) == 0;
    pthread_cond_broadcast(&e->wait_cond);
    pthread_mutex_unlock(&e->wait_mu);
    return ok;
}

bool emu_door_open(twe *e)
{
    bool ok;

    pthread_mutex_lock(&e->wait_mu);
    ok = open_locked(e);
    pthread_mutex_unlock(&e->wait_mu);
    return ok;
}

void emu_door_end(twe *e)
{
    if (e->door.keeper)
        pthread_join(e->door.keeper, NULL);
}

void emu_door_free(twe *e)
{
    emu_door *d = &e->door;

    for (size_t i = 0; i < d->n; i++) {
        MHD_stop_daemon(d->old[i]);
        close(d->fds[i]);
    }
    free(d->old);
    free(d->fds);
}
