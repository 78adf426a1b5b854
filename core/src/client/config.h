/* SPDX-License-Identifier: MIT */
/* The inner side of the configuration: its table, and reading it. */
#ifndef TW_CLIENT_CONFIG_H
#define TW_CLIENT_CONFIG_H

#include <tidewheel/config.h>
#include <tidewheel/sys/transport.h>

/* In the order of the table. */
typedef enum tw_option_id {
    TW_OPT_API_KEY,
    TW_OPT_SECRET_KEY,
    TW_OPT_MCP_TOKEN,
    TW_OPT_REGION,
    TW_OPT_BASE_URL,
    TW_OPT_INGEST_URL,
    TW_OPT_DASH_URL,
    TW_OPT_PROFILE_URL,
    TW_OPT_MCP_URL,
    TW_OPT_CONNECT_TIMEOUT,
    TW_OPT_TIMEOUT,
    TW_OPT_DASH_TIMEOUT,
    TW_OPT_MAX_QUERY_COST,
    TW_OPT_PROXY,
    TW_OPT_CA_FILE,
    TW_OPT_CA_PEM,
    TW_OPT_CA_FALLBACK,
    TW_OPT_USER_AGENT,
    TW_OPT_INGEST_ENDPOINT,
    TW_OPT_GZIP,
    TW_OPT_BATCH_EVENTS,
    TW_OPT_BATCH_BYTES,
    TW_OPT_FLUSH_INTERVAL,
    TW_OPT_QUEUE_EVENTS,
    TW_OPT_QUEUE_BYTES,
    TW_OPT_ON_QUEUE_FULL,
    TW_OPT_BLOCK_TIMEOUT,
    TW_OPT_COALESCE_IDENTIFY,
    TW_OPT_OUTCOMES,
    TW_OPT_MAX_AGE,
    TW_OPT_SPOOL,
    TW_OPT_SPOOL_MODE,
    TW_OPT_SPOOL_BYTES,
    TW_OPT_SPOOL_SYNC_INTERVAL,
    TW_OPT_SPOOL_PROJECT,
    TW_OPT_MIN_ID_LENGTH,
    TW_OPT_ON_LONG_STRING,
    TW_OPT_ON_INVALID_UTF8,
    TW_OPT_ON_NAN,
    TW_OPT_BIG_INTS,
    TW_OPT_BACKOFF_FIRST,
    TW_OPT_BACKOFF_MAX,
    TW_OPT_POLL_FIRST,
    TW_OPT_POLL_MAX,
    TW_OPT_JOB_TIMEOUT,
    TW_OPT_COUNT
} tw_option_id;

/* What a text may hold. */
typedef enum tw_option_rule {
    TW_RULE_NONE,
    TW_RULE_KEY,   /* printable ASCII without spaces */
    TW_RULE_TOKEN, /* the same, longer */
    TW_RULE_BASE,  /* a base URL; kept normalised */
    TW_RULE_PROXY, /* a proxy URL or "" */
    TW_RULE_LINE,  /* printable ASCII */
    TW_RULE_PATH,  /* no control characters */
    TW_RULE_PEM    /* PEM text */
} tw_option_rule;

typedef struct tw_option {
    const char *name;
    tw_option_type type;
    double min, max;      /* of numbers */
    const char *standard; /* as text; "" where unset */
    tw_option_rule rule;  /* of texts */
    const char *choices;  /* "us|eu" */
    const char *doc;
} tw_option;

/* Why a text is no token, NULL where it is one. @thread any */
const char *tw__token_rule(const char *text, size_t size);

/* NULL past the end. */
const tw_option *tw__option(size_t index);

/* The value that counts: as set, else the standard one. Texts are borrowed until the next set
 * and never NULL. */
int tw__config_is_set(const tw_config *cfg, tw_option_id id);
const char *tw__config_text(const tw_config *cfg, tw_option_id id);
double tw__config_number(const tw_config *cfg, tw_option_id id);
int64_t tw__config_ms(const tw_config *cfg, tw_option_id id);
/* NULL = libcurl */
const tw_transport *tw__config_transport(const tw_config *cfg);

#endif
