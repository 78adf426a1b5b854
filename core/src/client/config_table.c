/* SPDX-License-Identifier: MIT */
/* The options of a client: the one table, also the source of docs/configuration.md. */
#include <tidewheel/version.h>

#include "client/config.h"

#define TEXT(rule, standard) 0, 0, standard, rule, NULL
#define NUMBER(min, max, standard) min, max, standard, TW_RULE_NONE, NULL
#define CHOICE(choices, standard) 0, 0, standard, TW_RULE_NONE, choices

/*
 * Limits that are the API's: 2,000 events and 1 MB a request on /2/httpapi, 20 MB on /batch, 5
 * characters as the shortest id (Amplitude HTTP V2 and Batch Event Upload API docs, read
 * 2026-11-23), a cost of 1,000 under way (Amplitude Dashboard REST API docs, read 2026-11-27).
 * The rest are ours.
 */
static const tw_option table[TW_OPT_COUNT] = {
    [TW_OPT_API_KEY] = {"api_key", TW_OPTION_SECRET, TEXT(TW_RULE_KEY, ""),
                        "The project's API key. Required."},
    [TW_OPT_SECRET_KEY] =
        {"secret_key", TW_OPTION_SECRET, TEXT(TW_RULE_KEY, ""),
         "The project's secret key. Needed by everything but sending events; "
         "it can read and delete all data of the project."},
    [TW_OPT_MCP_TOKEN] =
        {"mcp_token", TW_OPTION_SECRET, TEXT(TW_RULE_TOKEN, ""),
         "OAuth access token of a signed-in user, for the MCP server alone, which takes no key of "
         "the project. It is replaced with mcp.set_token()."},
    [TW_OPT_REGION] =
        {"region", TW_OPTION_CHOICE, CHOICE("us|eu", "us"),
         "Where the project lives. A project exists in one region only. The User "
         "Profile API does not exist in the EU."},
    [TW_OPT_BASE_URL] = {"base_url", TW_OPTION_STRING, TEXT(TW_RULE_BASE, ""),
                         "Sends every call to this URL instead of the region's hosts: an "
                         "emulator or a gateway. https:// only, except for loopback "
                         "addresses."},
    [TW_OPT_INGEST_URL] = {"ingest_url", TW_OPTION_STRING, TEXT(TW_RULE_BASE, ""),
                           "As base_url, for events alone; goes before it."},
    [TW_OPT_DASH_URL] =
        {"dash_url", TW_OPTION_STRING, TEXT(TW_RULE_BASE, ""),
         "As base_url, for analytics, users, export, cohorts and taxonomy; goes "
         "before it."},
    [TW_OPT_PROFILE_URL] = {"profile_url", TW_OPTION_STRING, TEXT(TW_RULE_BASE, ""),
                            "As base_url, for user profiles; goes before it."},
    [TW_OPT_MCP_URL] = {"mcp_url", TW_OPTION_STRING, TEXT(TW_RULE_BASE, ""),
                        "As base_url, for the MCP server (without its path /mcp); goes "
                        "before it."},
    [TW_OPT_CONNECT_TIMEOUT] = {"connect_timeout", TW_OPTION_SECONDS,
                                NUMBER(0.001, 300, "5"),
                                "Longest time for making a connection."},
    [TW_OPT_TIMEOUT] =
        {"timeout", TW_OPTION_SECONDS, NUMBER(0.001, 3600, "30"),
         "Longest time of one attempt at sending events or reading a profile."},
    [TW_OPT_DASH_TIMEOUT] =
        {"dash_timeout", TW_OPTION_SECONDS, NUMBER(0.001, 3600, "90"),
         "The same for the other calls; a query may be computed for a "
         "minute. Downloads are not limited as long as bytes arrive."},
    [TW_OPT_MAX_QUERY_COST] =
        {"max_query_cost", TW_OPTION_INT, NUMBER(0, 1000000000, "1000"),
         "Most that one analytics query may cost; one that costs more even if its last day is not "
         "charged is refused before it is sent. The server's own limit is 1,000 for all that is "
         "under way. 0: none is refused."},
    [TW_OPT_PROXY] =
        {"proxy", TW_OPTION_STRING, TEXT(TW_RULE_PROXY, ""),
         "URL of a proxy (http, https, socks4, socks4a, socks5, socks5h). Set to "
         "\"\" for none. Where it is not set, https_proxy, all_proxy and no_proxy "
         "of the environment count. Loopback is never proxied."},
    [TW_OPT_CA_FILE] =
        {"ca_file", TW_OPTION_STRING, TEXT(TW_RULE_PATH, ""),
         "PEM file of trusted certificates. Else, in this order: ca_pem, "
         "AMPLITUDE_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR, "
         "libcurl's own file, the known places of the systems, ca_fallback."},
    [TW_OPT_CA_PEM] = {"ca_pem", TW_OPTION_STRING, TEXT(TW_RULE_PEM, ""),
                       "Trusted certificates as PEM text."},
    [TW_OPT_CA_FALLBACK] = {"ca_fallback", TW_OPTION_STRING, TEXT(TW_RULE_PATH, ""),
                            "PEM file to use when no other is found."},
    [TW_OPT_USER_AGENT] = {"user_agent", TW_OPTION_STRING,
                           TEXT(TW_RULE_LINE, "tidewheel/" TW_VERSION),
                           "What the client calls itself."},
    [TW_OPT_INGEST_ENDPOINT] =
        {"ingest_endpoint", TW_OPTION_CHOICE, CHOICE("auto|httpapi|batch", "auto"),
         "Where events go: httpapi for live traffic; batch for large back-fills (larger requests, "
         "higher rates, later visible); auto: batch for what has piled up and for users that "
         "were too fast, httpapi for the rest."},
    [TW_OPT_GZIP] =
        {"gzip", TW_OPTION_BOOL, TEXT(TW_RULE_NONE, "false"),
         "Compresses requests of events from 2 KiB on. The API's documents do not mention it; the "
         "official browser SDK does it. Where the server does not understand it, it ends."},
    [TW_OPT_BATCH_EVENTS] = {"batch_events", TW_OPTION_INT, NUMBER(1, 2000, "1000"),
                             "Most events in a request; httpapi takes fewer than 2,000."},
    [TW_OPT_BATCH_BYTES] = {"batch_bytes", TW_OPTION_INT,
                            NUMBER(1024, 20000000, "1000000"),
                            "Most bytes in a request; httpapi takes 1,000,000."},
    [TW_OPT_FLUSH_INTERVAL] = {"flush_interval", TW_OPTION_SECONDS, NUMBER(0, 3600, "1"),
                               "An accepted event is sent after this time at the latest, "
                               "however few wait with it."},
    [TW_OPT_QUEUE_EVENTS] = {"queue_events", TW_OPTION_INT,
                             NUMBER(1, 100000000, "100000"),
                             "Most events that wait; with a spool, in memory."},
    [TW_OPT_QUEUE_BYTES] =
        {"queue_bytes", TW_OPTION_INT, NUMBER(65536, 17179869184, "25165824"),
         "Most bytes of waiting events; with a spool, in memory, where "
         "it is 8 MiB at most."},
    [TW_OPT_ON_QUEUE_FULL] =
        {"on_queue_full", TW_OPTION_CHOICE, CHOICE("refuse|block|drop_oldest", "refuse"),
         "What happens to a new event when the queue, or the spool, is full: an "
         "error, a wait for room, or the oldest events make way (and are counted)."},
    [TW_OPT_BLOCK_TIMEOUT] = {"block_timeout", TW_OPTION_SECONDS, NUMBER(0, 86400, "30"),
                              "Longest wait for room with on_queue_full=block."},
    [TW_OPT_COALESCE_IDENTIFY] =
        {"coalesce_identify", TW_OPTION_BOOL, TEXT(TW_RULE_NONE, "false"),
         "Identify events of one user that wait together are sent as one, where nothing "
         "came between them and they only use $set, $unset and $setOnce."},
    [TW_OPT_OUTCOMES] = {"outcomes", TW_OPTION_BOOL, TEXT(TW_RULE_NONE, "false"),
                         "Keeps how each event ended until you take it: outcomes() or "
                         "on_outcome."},
    [TW_OPT_MAX_AGE] =
        {"max_age", TW_OPTION_SECONDS, NUMBER(0, 315360000, "0"),
         "An event that was accepted longer ago is given up: expired if it was never sent, "
         "uncertain if it may have been stored. 0: never."},
    [TW_OPT_SPOOL] =
        {"spool", TW_OPTION_STRING, TEXT(TW_RULE_PATH, ""),
         "Folder where accepted events are kept until their end is known, so that they "
         "survive the process. It is made with mode 0700; processes may share it. Without "
         "it events wait in memory."},
    [TW_OPT_SPOOL_MODE] =
        {"spool_mode", TW_OPTION_CHOICE, CHOICE("fast|durable", "fast"),
         "fast: an accepted event is with the kernel and survives the process; a power cut "
         "takes what came in the last spool_sync_interval. durable: it is on the disk."},
    [TW_OPT_SPOOL_BYTES] =
        {"spool_bytes", TW_OPTION_INT, NUMBER(1048576, 1099511627776, "1073741824"),
         "Most bytes of the files one process holds in the spool; then "
         "on_queue_full applies."},
    [TW_OPT_SPOOL_SYNC_INTERVAL] = {"spool_sync_interval", TW_OPTION_SECONDS,
                                    NUMBER(0.001, 3600, "0.2"),
                                    "Longest time between two syncs with "
                                    "spool_mode=fast."},
    [TW_OPT_SPOOL_PROJECT] =
        {"spool_project", TW_OPTION_STRING, TEXT(TW_RULE_LINE, ""),
         "Name of the project in the spool. Events of another name are left alone. Without "
         "it the name is a hash of api_key and region; give one where keys are changed "
         "while events wait."},
    [TW_OPT_MIN_ID_LENGTH] =
        {"min_id_length", TW_OPTION_INT, NUMBER(1, 1024, "5"),
         "Fewest characters of user_id and device_id; another value than "
         "5 is sent along with the events."},
    [TW_OPT_ON_LONG_STRING] =
        {"on_long_string", TW_OPTION_CHOICE, CHOICE("error|truncate", "error"),
         "A text of more than 1,024 characters in an event: refused, or cut after the "
         "last that fits (stats().truncated). Ids are refused in any case."},
    [TW_OPT_ON_INVALID_UTF8] =
        {"on_invalid_utf8", TW_OPTION_CHOICE, CHOICE("error|replace", "error"),
         "A text that is not UTF-8 or holds a lone surrogate: refused, or each broken "
         "sequence becomes U+FFFD (stats().replaced). Keys and ids are refused in any "
         "case."},
    [TW_OPT_ON_NAN] = {"on_nan", TW_OPTION_CHOICE, CHOICE("error|null", "error"),
                       "NaN and infinity: refused, or null (stats().nulled)."},
    [TW_OPT_BIG_INTS] = {"big_ints", TW_OPTION_CHOICE, CHOICE("error|string", "error"),
                         "An integer beyond 64 bits: refused, or the text of its digits "
                         "(stats().stringified)."},
    [TW_OPT_BACKOFF_FIRST] =
        {"backoff_first", TW_OPTION_SECONDS, NUMBER(0.001, 3600, "1"),
         "Upper bound of the first wait before events are sent again; it "
         "doubles each time, the wait is random below it."},
    [TW_OPT_BACKOFF_MAX] = {"backoff_max", TW_OPTION_SECONDS, NUMBER(0.001, 3600, "60"),
                            "Where the doubling ends."},
    [TW_OPT_POLL_FIRST] = {"poll_first", TW_OPTION_SECONDS, NUMBER(0.001, 3600, "1"),
                           "First wait between two looks at a cohort request."},
    [TW_OPT_POLL_MAX] = {"poll_max", TW_OPTION_SECONDS, NUMBER(0.001, 3600, "30"),
                         "Longest wait between two looks."},
    [TW_OPT_JOB_TIMEOUT] = {"job_timeout", TW_OPTION_SECONDS,
                            NUMBER(0.001, 604800, "1800"),
                            "Longest time for a cohort download as a whole."},
};

const tw_option *tw__option(size_t index)
{
    return index < TW_OPT_COUNT ? &table[index] : NULL;
}

int tw_config_row(size_t index, const char **name, tw_option_type *type,
                  const char **standard, const char **doc)
{
    const tw_option *option = tw__option(index);

    if (option == NULL)
        return TW_DONE;
    if (name != NULL)
        *name = option->name;
    if (type != NULL)
        *type = option->type;
    if (standard != NULL)
        *standard = option->standard;
    if (doc != NULL)
        *doc = option->doc;
    return TW_OK;
}
