/* SPDX-License-Identifier: MIT */
/* Starting and stopping an emulator; its clock. */
#include "emulator.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define DEFAULT_KEY "emu-api-key"
#define DEFAULT_TOKEN "emu-mcp-token"
#define DEFAULT_SECRET "emu-secret-key"
#define DEFAULT_APP 501177

/* --- clock --- */

static int64_t wall_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t emu_now_ms(twe *e)
{
    return wall_ms() + e->clock_offset_ms;
}

void emu_clock_shift(twe *e, int64_t ms)
{
    pthread_mutex_lock(&e->wait_mu);
    e->clock_offset_ms += ms;
    pthread_cond_broadcast(&e->wait_cond);
    pthread_mutex_unlock(&e->wait_mu);
}

void emu_wait_until(twe *e, int64_t until_ms)
{
    pthread_mutex_lock(&e->wait_mu);
    while (!e->stopping && emu_now_ms(e) < until_ms) {
        int64_t wall = until_ms - e->clock_offset_ms;
        struct timespec t = {wall / 1000, wall % 1000 * 1000000};

        pthread_cond_timedwait(&e->wait_cond, &e->wait_mu, &t);
    }
    pthread_mutex_unlock(&e->wait_mu);
}

/* --- options --- */

typedef struct address {
    char host[16];
    uint16_t port;
} address;

/* "127.0.0.1:0", "[::1]:8080", "localhost:80", "8080". Loopback only: a local stand-in that
 * can be reached from outside would be an open door. */
static bool read_listen(const char *text, address *a)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    const char *digits = colon ? colon + 1 : text;
    char *end;
    long port;

    if (n >= sizeof(a->host))
        return false;
    memcpy(a->host, text, n);
    a->host[n] = 0;
    if (strcmp(a->host, "[::1]") == 0)
        snprintf(a->host, sizeof(a->host), "::1");
    else if (n == 0 || strcmp(a->host, "localhost") == 0)
        snprintf(a->host, sizeof(a->host), "127.0.0.1");
    port = strtol(digits, &end, 10);
    a->port = (uint16_t)port;
    return (strcmp(a->host, "127.0.0.1") == 0 || strcmp(a->host, "::1") == 0) &&
           *digits && !*end && port >= 0 && port <= 65535;
}

static bool key_is_ours(const char *key)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    return strncmp(key, "emu", 3) == 0 && strlen(key) <= 200 &&
           strspn(key, allowed) == strlen(key);
}

static int take_options(twe *e, const twe_options *o, address *a, char *err, size_t err_n)
{
    const char *key = o->api_key ? o->api_key : DEFAULT_KEY;
    const char *secret = o->secret_key ? o->secret_key : DEFAULT_SECRET;
    const char *store = o->store ? o->store : ":memory:";
    const char *token = o->mcp_token ? o->mcp_token : DEFAULT_TOKEN;

    if (!read_listen(o->listen ? o->listen : "127.0.0.1:0", a)) {
        snprintf(err, err_n,
                 "listen was refused: only 127.0.0.1, ::1 and localhost are allowed,"
                 " as HOST:PORT");
        return -1;
    }
    if (!key_is_ours(key) || !key_is_ours(secret) || !key_is_ours(token)) {
        snprintf(err, err_n,
                 "a key was refused: keys of the emulator start with \"emu\" (so that"
                 " no real one is ever recorded) and hold letters, digits, - and _");
        return -1;
    }
    if (o->seed && strcmp(o->seed, "demo") != 0) {
        snprintf(err, err_n, "seed was refused: the only one is \"demo\"");
        return -1;
    }
    e->zone = emu_zone_open(o->time_zone ? o->time_zone : "UTC", err, err_n);
    if (!e->zone)
        return -1;
    e->app_id = o->app_id ? o->app_id : DEFAULT_APP;
    e->api_key = emu_strdup_n(key, strlen(key));
    e->secret_key = emu_strdup_n(secret, strlen(secret));
    e->store_path = emu_strdup_n(store, strlen(store));
    e->mcp_token = emu_strdup_n(token, strlen(token));
    if (!e->api_key || !e->secret_key || !e->store_path || !e->mcp_token) {
        snprintf(err, err_n, "memory ran out");
        return -1;
    }
    return 0;
}

/* --- ports --- */

static int open_port(twe *e, struct MHD_Daemon **d, emu_listener *l, emu_port port,
                     const char *host, uint16_t number, char *url, size_t url_n)
{
    const union MHD_DaemonInfo *info;

    *l = (emu_listener){e, port};
    *d = emu_listen(l, host, number);
    if (!*d)
        return -1;
    info = MHD_get_daemon_info(*d, MHD_DAEMON_INFO_BIND_PORT);
    snprintf(url, url_n, strchr(host, ':') ? "http://[%s]:%u" : "http://%s:%u", host,
             info ? (unsigned)info->port : 0u);
    return info ? 0 : -1;
}

static int open_ports(twe *e, const address *a, char *err, size_t err_n)
{
    const union MHD_DaemonInfo *info;

    if (open_port(e, &e->api, &e->listeners[0], PORT_API, a->host, a->port, e->url,
                  sizeof(e->url)) ||
        open_port(e, &e->control, &e->listeners[1], PORT_CONTROL, a->host, 0,
                  e->control_url, sizeof(e->control_url)) ||
        open_port(e, &e->storage, &e->listeners[2], PORT_STORAGE, a->host, 0,
                  e->storage_url, sizeof(e->storage_url))) {
        snprintf(err, err_n, "%s:%u could not be listened on: %s", a->host,
                 (unsigned)a->port, strerror(errno));
        return -1;
    }
    info = MHD_get_daemon_info(e->api, MHD_DAEMON_INFO_BIND_PORT);
    emu_door_init(e, a->host, info ? info->port : a->port);
    return 0;
}

/* A reset waits for the requests that are carried out, and those that come wait for it. */
static void init_life(twe *e)
{
    pthread_rwlockattr_t attr;

    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&e->life, &attr);
    pthread_rwlockattr_destroy(&attr);
}

static void set_up(twe *e)
{
    e->pid = getpid();
    pthread_mutex_init(&e->wait_mu, NULL);
    pthread_cond_init(&e->wait_cond, NULL);
    init_life(e);
    emu_switches_reset(&e->sw);
    emu_faults_init(&e->faults);
    emu_journal_init(&e->journal);
    emu_limits_init(&e->limits);
    emu_throttle_init(&e->throttle);
    emu_ledger_init(&e->ledger);
    emu_cohorts_init(e);
    emu_charts_init(&e->charts);
}

int twe_start(twe **out, const twe_options *opts, char *err, size_t err_n)
{
    twe_options o = TWE_OPTIONS_INIT;
    unsigned char random[32];
    address a;
    twe *e;

    *out = NULL;
    if (opts)
        memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
    e = calloc(1, sizeof(*e));
    if (!e) {
        snprintf(err, err_n, "memory ran out");
        return -1;
    }
    set_up(e);
    if (!emu_mcp_init(&e->mcp) || !emu_random(random, sizeof(random)) ||
        !emu_random(e->storage_secret, sizeof(e->storage_secret))) {
        snprintf(err, err_n, "the system gave no random bytes");
        goto fail;
    }
    emu_hex(e->token, random, sizeof(random));
    if (take_options(e, &o, &a, err, err_n))
        goto fail;
    e->store_open = true;
    if (emu_store_open(&e->store, e->store_path, e->app_id, err, err_n))
        goto fail;
    if (o.seed && emu_seed_demo(e, err, err_n))
        goto fail;
    if (open_ports(e, &a, err, err_n))
        goto fail;
    *out = e;
    return 0;
fail:
    twe_stop(e);
    return -1;
}

void twe_stop(twe *e)
{
    struct MHD_Daemon *daemons[3];

    /* In a forked child the threads do not exist and the store is the parent's. */
    if (!e || e->pid != getpid())
        return;
    pthread_mutex_lock(&e->wait_mu);
    e->stopping = true;
    pthread_cond_broadcast(&e->wait_cond);
    pthread_mutex_unlock(&e->wait_mu);
    emu_door_end(e);
    daemons[0] = e->api;
    daemons[1] = e->control;
    daemons[2] = e->storage;
    for (int i = 0; i < 3; i++)
        if (daemons[i])
            MHD_stop_daemon(daemons[i]);
    emu_door_free(e);
    if (e->store_open)
        emu_store_close(&e->store);
    emu_cohorts_free(e);
    emu_charts_free(&e->charts);
    emu_mcp_free(&e->mcp);
    emu_faults_free(&e->faults);
    emu_journal_free(&e->journal);
    emu_limits_free(&e->limits);
    emu_throttle_free(&e->throttle);
    emu_ledger_free(&e->ledger);
    pthread_rwlock_destroy(&e->life);
    pthread_cond_destroy(&e->wait_cond);
    pthread_mutex_destroy(&e->wait_mu);
    emu_zone_free(e->zone);
    free(e->api_key);
    free(e->secret_key);
    free(e->store_path);
    free(e->mcp_token);
    free(e);
}

const char *twe_url(const twe *e)
{
    return e->url;
}

const char *twe_control_url(const twe *e)
{
    return e->control_url;
}

const char *twe_control_token(const twe *e)
{
    return e->token;
}

const char *twe_storage_url(const twe *e)
{
    return e->storage_url;
}

const char *twe_api_key(const twe *e)
{
    return e->api_key;
}

const char *twe_secret_key(const twe *e)
{
    return e->secret_key;
}

const char *twe_mcp_token(const twe *e)
{
    return e->mcp_token;
}

int64_t twe_app_id(const twe *e)
{
    return e->app_id;
}
