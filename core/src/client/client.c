/* SPDX-License-Identifier: MIT */
/* The client: makes all the rooms, owns them, and ends them in order. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tidewheel/job.h>
#include <tidewheel/json.h>
#include <tidewheel/version.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/sha256.h"
#include "client/client_internal.h"
#include "client/config.h"
#include "client/describe.h"
#include "net/ca.h"
#include "net/curl_transport.h"

/* EU names follow no pattern, and the User Profile API has none there (Amplitude API docs, read
 * 2026-11-23). */
static const char *const region_hosts[2][TW_HOST_COUNT] = {
    {"https://api2.amplitude.com", "https://amplitude.com",
     "https://profile-api.amplitude.com", "https://mcp.amplitude.com"},
    {"https://api.eu.amplitude.com", "https://analytics.eu.amplitude.com", NULL,
     "https://mcp.eu.amplitude.com"}};

enum { HTTPAPI_EVENTS_MOST = 1999, HTTPAPI_BYTES_MOST = 1000000 };

/* ---- checking what no single option can -------------------------------------------------- */

static int pair_check(const tw_config *cfg, tw_option_id low, tw_option_id high,
                      tw_error **err)
{
    if (tw__config_number(cfg, low) <= tw__config_number(cfg, high))
        return TW_OK;
    return tw__error_at(err, TW_E_CONFIG, tw__option(low)->name,
                        "%s was refused: it was larger than %s", tw__option(low)->name,
                        tw__option(high)->name);
}

static int config_check(const tw_config *cfg, tw_error **err)
{
    int rc;

    if (!tw__config_is_set(cfg, TW_OPT_API_KEY))
        return tw__error_at(err, TW_E_CONFIG, "api_key", "api_key is missing");
    if (strcmp(tw__config_text(cfg, TW_OPT_INGEST_ENDPOINT), "httpapi") == 0) {
        if (tw__config_number(cfg, TW_OPT_BATCH_EVENTS) > HTTPAPI_EVENTS_MOST)
            return tw__error_at(
                err, TW_E_CONFIG, "batch_events",
                "batch_events was refused: httpapi takes fewer than 2,000 events "
                "a request");
        if (tw__config_number(cfg, TW_OPT_BATCH_BYTES) > HTTPAPI_BYTES_MOST)
            return tw__error_at(
                err, TW_E_CONFIG, "batch_bytes",
                "batch_bytes was refused: httpapi takes 1,000,000 bytes a "
                "request");
    }
    rc = pair_check(cfg, TW_OPT_BACKOFF_FIRST, TW_OPT_BACKOFF_MAX, err);
    return rc == TW_OK ? pair_check(cfg, TW_OPT_POLL_FIRST, TW_OPT_POLL_MAX, err) : rc;
}

/* ---- hosts, certificates, proxy ----------------------------------------------------------- */

static const char *host_base(const tw_config *cfg, tw_host host)
{
    static const tw_option_id own[TW_HOST_COUNT] = {TW_OPT_INGEST_URL, TW_OPT_DASH_URL,
                                                    TW_OPT_PROFILE_URL, TW_OPT_MCP_URL};
    int eu = strcmp(tw__config_text(cfg, TW_OPT_REGION), "eu") == 0;

    if (region_hosts[eu][host] == NULL)
        return NULL; /* whatever the URLs say: the API does not exist there */
    if (tw__config_is_set(cfg, own[host]))
        return tw__config_text(cfg, own[host]);
    if (tw__config_is_set(cfg, TW_OPT_BASE_URL))
        return tw__config_text(cfg, TW_OPT_BASE_URL);
    return region_hosts[eu][host];
}

static int is_secure(const char *base)
{
    return base != NULL && strncmp(base, "https:", 6) == 0;
}

/* The MCP host counts only where a token says that it is wanted. */
static int needs_tls(const char *const *base, const tw_config *cfg)
{
    int i;

    for (i = 0; i < TW_HOST_COUNT; i++) {
        if (is_secure(base[i]) &&
            (i != TW_HOST_MCP || tw__config_is_set(cfg, TW_OPT_MCP_TOKEN)))
            return 1;
    }
    return 0;
}

static const char *environment(const char *name)
{
    return getenv(name);
}

static const char *first_set(const char *const *names)
{
    for (; *names != NULL; names++) {
        const char *value = getenv(*names);

        if (value != NULL && value[0] != '\0')
            return value;
    }
    return "";
}

/* Read here, once, in the caller's thread: the I/O thread never looks at the environment, which
 * the program may change at any time. */
static void network_settings(tw_network *net, const tw_config *cfg)
{
    static const char *const proxies[] = {"https_proxy", "HTTPS_PROXY", "all_proxy",
                                          "ALL_PROXY", NULL};
    static const char *const exceptions[] = {"no_proxy", "NO_PROXY", NULL};

    net->proxy_source = "option";
    net->proxy = tw__config_text(cfg, TW_OPT_PROXY);
    net->no_proxy = "";
    if (!tw__config_is_set(cfg, TW_OPT_PROXY)) {
        net->proxy = first_set(proxies);
        net->proxy_source = net->proxy[0] != '\0' ? "environment" : "none";
        net->no_proxy = first_set(exceptions);
    }
}

static int certificates_load(tw_ca *ca, const tw_config *cfg, tw_error **err)
{
    tw_ca_places places;

    memset(&places, 0, sizeof places);
    places.file = tw__config_text(cfg, TW_OPT_CA_FILE);
    places.pem = tw__config_text(cfg, TW_OPT_CA_PEM);
    places.pem_size = strlen(places.pem);
    places.env = environment;
    places.built_in = tw__curl_ca_file();
    places.fallback = tw__config_text(cfg, TW_OPT_CA_FALLBACK);
    return tw__ca_load(ca, &places, err);
}

/* ---- making -------------------------------------------------------------------------------- */

static int loop_make(tw_rooms *rooms, const tw_config *cfg, const tw_network *net,
                     const tw_ca *ca, tw_error **err)
{
    tw_transport_settings settings;

    settings.size = sizeof settings;
    settings.proxy = net->proxy;
    settings.no_proxy = net->no_proxy;
    settings.ca_pem = ca->pem;
    settings.ca_pem_size = ca->size;
    return tw__loop_new(&rooms->loop, tw__config_transport(cfg), &settings, 0, err);
}

static int gate_make(tw_rooms *rooms, const tw_config *cfg, const char *const *base,
                     tw_error **err)
{
    tw_gate_settings settings;

    memcpy(settings.base, base, sizeof settings.base);
    settings.api_key = tw__config_text(cfg, TW_OPT_API_KEY);
    settings.secret_key = tw__config_text(cfg, TW_OPT_SECRET_KEY);
    settings.mcp_token = tw__config_text(cfg, TW_OPT_MCP_TOKEN);
    settings.user_agent = tw__config_text(cfg, TW_OPT_USER_AGENT);
    settings.region = tw__config_text(cfg, TW_OPT_REGION);
    settings.connect_timeout_ms = tw__config_ms(cfg, TW_OPT_CONNECT_TIMEOUT);
    settings.timeout_ms = tw__config_ms(cfg, TW_OPT_TIMEOUT);
    settings.dash_timeout_ms = tw__config_ms(cfg, TW_OPT_DASH_TIMEOUT);
    settings.max_query_cost = (int64_t)tw__config_number(cfg, TW_OPT_MAX_QUERY_COST);
    return tw__gate_new(&rooms->gate, rooms->loop, &settings, err);
}

static void hash_text(tw_sha256 *hash, const char *text)
{
    tw__sha256_put(hash, text, strlen(text) + 1);
}

/* What names the project in the spool: nothing of the key can be read from it. */
static void project_name(unsigned char *out, size_t size, const tw_config *cfg)
{
    unsigned char sum[TW_SHA256_SIZE];
    tw_sha256 hash;

    tw__sha256_init(&hash);
    hash_text(&hash, "tidewheel spool");
    hash_text(&hash, tw__config_text(cfg, TW_OPT_SPOOL_PROJECT));
    if (!tw__config_is_set(cfg, TW_OPT_SPOOL_PROJECT)) {
        hash_text(&hash, tw__config_text(cfg, TW_OPT_REGION));
        hash_text(&hash, tw__config_text(cfg, TW_OPT_API_KEY));
    }
    tw__sha256_end(&hash, sum);
    memcpy(out, sum, size);
}

/* Owned by caller; NULL without memory, or where there is no working directory. */
static char *absolute(const char *path)
{
    char here[PATH_MAX] = "";
    size_t size = sizeof here + strlen(path);
    char *text;

    if (path[0] != '/' && getcwd(here, sizeof here - 1) == NULL)
        return NULL;
    text = tw__alloc(size);
    if (text != NULL)
        snprintf(text, size, "%s%s%s", here, here[0] != '\0' ? "/" : "", path);
    return text;
}

static void spool_settings(tw_ingest_settings *settings, const tw_config *cfg)
{
    settings->durable = tw__config_text(cfg, TW_OPT_SPOOL_MODE)[0] == 'd';
    settings->spool_bytes = (uint64_t)tw__config_number(cfg, TW_OPT_SPOOL_BYTES);
    settings->sync_interval_ms = tw__config_ms(cfg, TW_OPT_SPOOL_SYNC_INTERVAL);
    project_name(settings->project, sizeof settings->project, cfg);
}

static unsigned mends(const tw_config *cfg)
{
    static const struct {
        tw_option_id option;
        unsigned mend;
    } rows[] = {{TW_OPT_ON_LONG_STRING, TW_MEND_LONG},
                {TW_OPT_ON_INVALID_UTF8, TW_MEND_UTF8},
                {TW_OPT_ON_NAN, TW_MEND_NAN},
                {TW_OPT_BIG_INTS, TW_MEND_INTS}};
    unsigned all = 0;
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(tw__config_text(cfg, rows[i].option), "error") != 0)
            all |= rows[i].mend;
    }
    return all;
}

static void ingest_settings(tw_client *cl, const tw_config *cfg)
{
    const char *endpoint = tw__config_text(cfg, TW_OPT_INGEST_ENDPOINT);
    const char *full = tw__config_text(cfg, TW_OPT_ON_QUEUE_FULL);
    tw_ingest_settings *settings = &cl->settings;

    spool_settings(settings, cfg);
    settings->spool = cl->spool;
    if (settings->spool != NULL)
        cl->spool_mode = settings->durable ? TW_SPOOL_DURABLE : TW_SPOOL_FAST;
    settings->queue_events = (uint64_t)tw__config_number(cfg, TW_OPT_QUEUE_EVENTS);
    settings->queue_bytes = (uint64_t)tw__config_number(cfg, TW_OPT_QUEUE_BYTES);
    settings->on_full = full[0] == 'b'   ? TW_FULL_BLOCK
                        : full[0] == 'd' ? TW_FULL_DROP_OLDEST
                                         : TW_FULL_REFUSE;
    settings->block_timeout_ms = tw__config_ms(cfg, TW_OPT_BLOCK_TIMEOUT);
    settings->flush_interval_ms = tw__config_ms(cfg, TW_OPT_FLUSH_INTERVAL);
    settings->batch_events = (uint64_t)tw__config_number(cfg, TW_OPT_BATCH_EVENTS);
    settings->batch_bytes = (uint64_t)tw__config_number(cfg, TW_OPT_BATCH_BYTES);
    settings->use_batch = endpoint[0] == 'b'   ? TW_BATCH_ALWAYS
                          : endpoint[0] == 'a' ? TW_BATCH_BACKLOG
                                               : TW_BATCH_NEVER;
    settings->gzip = tw__config_number(cfg, TW_OPT_GZIP) != 0;
    settings->mends = mends(cfg);
    settings->min_id_length = (unsigned)tw__config_number(cfg, TW_OPT_MIN_ID_LENGTH);
    settings->backoff_first_ms = tw__config_ms(cfg, TW_OPT_BACKOFF_FIRST);
    settings->backoff_max_ms = tw__config_ms(cfg, TW_OPT_BACKOFF_MAX);
    settings->coalesce_identify = tw__config_number(cfg, TW_OPT_COALESCE_IDENTIFY) != 0;
    settings->outcomes = tw__config_number(cfg, TW_OPT_OUTCOMES) != 0;
    settings->max_age_ms = tw__config_ms(cfg, TW_OPT_MAX_AGE);
}

static int rooms_make(tw_client *cl, tw_rooms *rooms, const tw_config *cfg,
                      tw_error **err)
{
    const char *base[TW_HOST_COUNT];
    tw_network net;
    tw_ca ca;
    int rc = TW_OK;
    int i;

    memset(&ca, 0, sizeof ca);
    memset(&net, 0, sizeof net);
    net.base = base;
    for (i = 0; i < TW_HOST_COUNT; i++)
        base[i] = host_base(cfg, (tw_host)i);
    network_settings(&net, cfg);
    if (tw__config_transport(cfg) == NULL) {
        if (needs_tls(base, cfg))
            rc = certificates_load(&ca, cfg, err);
        else
            cl->lacks_mcp_tls = is_secure(base[TW_HOST_MCP]);
    }
    net.ca_source = ca.source;
    if (rc == TW_OK)
        rc = loop_make(rooms, cfg, &net, &ca, err);
    if (rc == TW_OK)
        rc = gate_make(rooms, cfg, base, err);
    if (rc == TW_OK)
        rc = tw__rooms_ingest(rooms, &cl->settings, err);
    if (rc == TW_OK)
        rc = tw__describe(&cl->description, cfg, &net, err);
    tw__ca_clear(&ca);
    return rc;
}

static int client_make(tw_client *cl, const tw_config *cfg, tw_error **err)
{
    const char *spool = tw__config_text(cfg, TW_OPT_SPOOL);
    tw_rooms *rooms = tw__rooms_new();

    atomic_init(&cl->rooms, rooms);
    if (rooms == NULL)
        return tw__error_nomem(err);
    if (spool[0] != '\0') {
        cl->spool = absolute(spool);
        if (cl->spool == NULL)
            return tw__error_at(err, TW_E_CONFIG, "spool",
                                "spool was relative to no working directory");
    }
    cl->poll_first_ms = tw__config_ms(cfg, TW_OPT_POLL_FIRST);
    cl->poll_max_ms = tw__config_ms(cfg, TW_OPT_POLL_MAX);
    cl->job_timeout_ms = tw__config_ms(cfg, TW_OPT_JOB_TIMEOUT);
    ingest_settings(cl, cfg);
    return rooms_make(cl, rooms, cfg, err);
}

static void client_unmake(tw_client *cl)
{
    tw__free(cl->description);
    tw__free(cl->spool);
    tw__free(cl);
}

int tw_client_new(tw_client **out, const tw_config *cfg, tw_error **err)
{
    tw_client *cl;
    int rc = config_check(cfg, err);

    *out = NULL;
    if (rc != TW_OK)
        return rc;
    cl = tw__alloc_zero(1, sizeof *cl);
    if (cl == NULL)
        return tw__error_nomem(err);
    rc = client_make(cl, cfg, err);
    if (rc != TW_OK) {
        tw__rooms_free(atomic_load(&cl->rooms));
        client_unmake(cl);
        return rc;
    }
    tw__ingest_start(atomic_load(&cl->rooms)->ingest);
    *out = cl;
    return TW_OK;
}

/* ---- using ---------------------------------------------------------------------------------- */

int tw_client_stats(tw_client *cl, tw_stats *stats)
{
    tw_stats now = TW_STATS_INIT;
    size_t size = stats->size < sizeof now ? stats->size : sizeof now;
    tw_rooms *here;

    if (cl == NULL)
        return TW_E_INVALID;
    here = tw__client_rooms(cl);
    if (here != NULL)
        tw__ingest_stats(here->ingest, &now);
    now.size = size;
    memcpy(stats, &now, size);
    return TW_OK;
}

int tw_client_trouble(tw_error **out, int64_t *at_ms, tw_client *cl)
{
    tw_rooms *here;

    *out = NULL;
    *at_ms = 0;
    if (cl == NULL)
        return TW_E_INVALID;
    here = tw__client_rooms(cl);
    return here != NULL ? tw__trouble_get(out, at_ms, here->ingest) : TW_AGAIN;
}

int tw_flush_start(tw_job **out, tw_client *cl, tw_queue *queue, tw_error **err)
{
    tw_rooms *here;
    int rc = tw__client_enter(&here, cl, err);

    *out = NULL;
    return rc == TW_OK ? tw__ingest_flush(out, here->ingest, queue, err) : rc;
}

int tw_flush_stats(const tw_job *job, tw_stats *stats)
{
    tw_stats now = TW_STATS_INIT;
    size_t size = stats->size < sizeof now ? stats->size : sizeof now;
    int rc = tw__flush_stats(job, &now);

    if (rc != TW_OK)
        return rc;
    now.size = size;
    memcpy(stats, &now, size);
    return TW_OK;
}

int tw_drain_start(tw_job **out, tw_client *cl, tw_queue *queue, tw_error **err)
{
    tw_rooms *here;
    int rc = tw__client_enter(&here, cl, err);

    *out = NULL;
    return rc == TW_OK ? tw__ingest_drain(out, here->ingest, queue, err) : rc;
}

int tw_resend_uncertain(uint64_t *count, tw_client *cl, tw_error **err)
{
    tw_rooms *here;
    int rc = tw__client_enter(&here, cl, err);

    *count = 0;
    return rc == TW_OK ? tw__ingest_resend_uncertain(count, here->ingest, err) : rc;
}

tw_spool_mode tw_client_spool_mode(const tw_client *cl)
{
    return cl != NULL ? cl->spool_mode : TW_SPOOL_NONE;
}

int tw_client_describe(char **out, tw_client *cl, tw_error **err)
{
    *out = NULL;
    if (cl == NULL)
        return tw__error(err, TW_E_INVALID, "there was no client");
    *out = tw__strdup(cl->description); /* also after close: it says nothing new */
    return *out != NULL ? TW_OK : tw__error_nomem(err);
}

void tw_text_free(char *text)
{
    tw__free(text);
}

/* ---- ending --------------------------------------------------------------------------------- */

/* Waits until everything accepted has its final state: TW_OK, TW_AGAIN, TW_INTERRUPTED. */
static int close_flush(tw_rooms *here, int64_t timeout_ms)
{
    tw_job *job;
    int rc;

    if (tw__ingest_flush(&job, here->ingest, NULL, NULL) != TW_OK)
        return TW_AGAIN; /* no thread, no memory: nothing can be sent */
    rc = tw_job_wait(job, timeout_ms);
    tw_job_unref(job);
    return rc;
}

/* From here on nothing is accepted. The rooms of this process; NULL in a child where the client was
 * not used: there is nothing to close. */
static tw_rooms *close_begin(tw_client *cl)
{
    tw_rooms *here;

    atomic_store(&cl->closing, 1);
    here = tw__client_rooms(cl);
    if (here != NULL)
        tw__ingest_stop_intake(here->ingest);
    return here;
}

int tw_close_start(tw_job **out, tw_client *cl, tw_queue *queue, tw_error **err)
{
    tw_rooms *here;

    *out = NULL;
    if (cl == NULL)
        return tw__error(err, TW_E_INVALID, "there was no client");
    here = close_begin(cl);
    if (here == NULL)
        return tw__error(err, TW_E_CLOSED, "the client was not used in this process");
    return tw__ingest_flush(out, here->ingest, queue, err);
}

static void close_now(tw_client *cl, tw_rooms *here)
{
    if (atomic_exchange(&cl->closed, 1))
        return;
    tw__loop_close(here->loop);
}

int tw_client_close(tw_client *cl, int64_t timeout_ms, tw_error **err)
{
    tw_stats before = TW_STATS_INIT;
    tw_stats after = TW_STATS_INIT;
    tw_rooms *here;
    uint64_t lost;

    if (cl == NULL)
        return tw__error(err, TW_E_INVALID, "there was no client");
    if (atomic_load(&cl->closed))
        return TW_OK;
    here = close_begin(cl);
    if (here == NULL)
        return TW_OK;
    tw__ingest_stats(here->ingest, &before);
    if (before.waiting > 0 && timeout_ms != 0 &&
        close_flush(here, timeout_ms) == TW_INTERRUPTED)
        return TW_INTERRUPTED;
    close_now(cl, here);
    tw__ingest_stats(here->ingest, &after);
    lost = after.uncertain - before.uncertain + after.expired - before.expired;
    if (lost == 0)
        return TW_OK;
    return tw__error(err, TW_E_TIMEOUT,
                     "%llu events were not confirmed before the client was closed",
                     (unsigned long long)lost);
}

void tw_client_free(tw_client *cl)
{
    tw_rooms *rooms;

    if (cl == NULL)
        return;
    rooms = close_begin(cl);
    if (rooms != NULL) {
        tw__rooms_abandon(rooms->parent);
        close_now(cl, rooms);
        tw__rooms_free(rooms);
    } else {
        tw__rooms_abandon(atomic_load(&cl->rooms));
    }
    client_unmake(cl);
}
