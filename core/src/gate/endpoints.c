/* SPDX-License-Identifier: MIT */
/* The endpoint table: all that is known of an endpoint stands in its row. */
#include "gate/endpoints.h"

#include <stddef.h>
#include <string.h>

/*
 * Sources of the limits, all read 2026-11-23:
 *   ingestion   Amplitude HTTP V2 API, Batch Event Upload, Identify and Group Identify API docs
 *   dashboard   Amplitude Dashboard REST API docs ("rate limits"): 5 concurrent requests over
 *               all REST endpoints, 108,000 cost units an hour, 1,000 in five minutes
 *   users       the same: 10 concurrent, 360 queries an hour for search and activity together
 *   export      Amplitude Export API docs: 365 days, 4 GB
 *   cohorts     Amplitude Behavioral Cohorts API docs: 60 requests in ten minutes, 4 at once,
 *               500 downloads a month, 100,000 ids a request, 2,000,000 users a cohort
 *   taxonomy    Amplitude Taxonomy API docs: 7,200 cost units an hour, 4 at once
 *   profile     Amplitude User Profile API docs: 600 requests a minute and organisation
 *
 * A Dashboard query may be thought about for half a minute before it is refused, hence the longer
 * time limit there.
 */

#define SECONDS 1000
#define KIB 1024u
#define MIB (1024u * KIB)

#define INGEST_ANSWER (1u * MIB)
#define SMALL_ANSWER (1u * MIB)
#define QUERY_ANSWER (64u * MIB)

static const char ingest_limits[] =
    "30 events/s per user or device; 1 MB, fewer than 2,000 events";
static const char batch_limits[] =
    "1,000 events/s per user or device over 30 s; 500,000 a day; "
    "20 MB, 2,000 events";
static const char query_limits[] =
    "cost = days x conditions x type of 108,000/h and 1,000 per 5 min; 5 at once";
static const char users_limits[] = "360/h with the other user look-up; 10 at once";
static const char request_limits[] = "60 per 10 min, 4 at once, 500 a month";
static const char tax_read_limits[] = "cost 1 of 7,200/h; 4 at once";
static const char tax_write_limits[] = "cost 2 of 7,200/h; 4 at once";

#define TAXONOMY_READ(id, name, path)                                                   \
    {                                                                                   \
        TW_EP_TAXONOMY_##id, "taxonomy." name, TW_AREA_TAXONOMY, "GET",                 \
            "/api/2/taxonomy/" path, TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH,       \
            "taxonomy.hour", TW_COST_ONE, TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, \
            0, QUERY_ANSWER, tax_read_limits                                            \
    }
#define TAXONOMY_WRITE(id, name, method, path, repeat)                             \
    {                                                                              \
        TW_EP_TAXONOMY_##id, "taxonomy." name, TW_AREA_TAXONOMY, method,           \
            "/api/2/taxonomy/" path, TW_ACCESS_WRITE, TW_AUTH_BASIC, TW_HOST_DASH, \
            "taxonomy.hour", TW_COST_TWO, repeat, TW_ANSWER_JSON, 90 * SECONDS, 0, \
            SMALL_ANSWER, tax_write_limits                                         \
    }

/* One path, and behind it tools that may do anything: listing them only reads. */
#define MCP(id, name, access, repeat)                                                 \
    {                                                                                 \
        TW_EP_MCP_##id, "mcp." name, TW_AREA_MCP, "POST", "/mcp", access,             \
            TW_AUTH_BEARER, TW_HOST_MCP, "none", TW_COST_NONE, repeat, TW_ANSWER_RPC, \
            90 * SECONDS, 0, QUERY_ANSWER, "none documented"                          \
    }

static const tw_endpoint table[TW_EP_COUNT] = {
    {TW_EP_HTTPAPI, "ingestion.httpapi", TW_AREA_INGESTION, "POST", "/2/httpapi",
     TW_ACCESS_WRITE, TW_AUTH_BODY, TW_HOST_INGEST, "user.eps", TW_COST_EVENTS,
     TW_REPEAT_SAFE, TW_ANSWER_JSON, 30 * SECONDS, 1 * MIB, INGEST_ANSWER, ingest_limits},
    {TW_EP_BATCH, "ingestion.batch", TW_AREA_INGESTION, "POST", "/batch", TW_ACCESS_WRITE,
     TW_AUTH_BODY, TW_HOST_INGEST, "user.eps", TW_COST_EVENTS, TW_REPEAT_SAFE,
     TW_ANSWER_JSON, 30 * SECONDS, 20 * MIB, INGEST_ANSWER, batch_limits},
    {TW_EP_IDENTIFY, "ingestion.identify", TW_AREA_INGESTION, "POST", "/identify",
     TW_ACCESS_WRITE, TW_AUTH_BODY, TW_HOST_INGEST, "user.eps", TW_COST_EVENTS,
     TW_REPEAT_UNSENT, TW_ANSWER_TEXT, 30 * SECONDS, 1 * MIB, INGEST_ANSWER,
     "1,800 property updates an hour per user"},
    {TW_EP_GROUPIDENTIFY, "ingestion.groupidentify", TW_AREA_INGESTION, "POST",
     "/groupidentify", TW_ACCESS_WRITE, TW_AUTH_BODY, TW_HOST_INGEST, "user.eps",
     TW_COST_EVENTS, TW_REPEAT_UNSENT, TW_ANSWER_TEXT, 30 * SECONDS, 1 * MIB,
     INGEST_ANSWER, "1,024 identifies, 1,024 properties, 1 MB"},

    {TW_EP_USERS, "analytics.users", TW_AREA_ANALYTICS, "GET", "/api/2/users",
     TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH, "dashboard.hour", TW_COST_QUERY,
     TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0, QUERY_ANSWER, query_limits},
    {TW_EP_EVENTS_LIST, "analytics.events_list", TW_AREA_ANALYTICS, "GET",
     "/api/2/events/list", TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH, "dashboard.hour",
     TW_COST_ONE, TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0, QUERY_ANSWER,
     query_limits},
    {TW_EP_SEGMENTATION, "analytics.segmentation", TW_AREA_ANALYTICS, "GET",
     "/api/2/events/segmentation", TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH,
     "dashboard.hour", TW_COST_QUERY, TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0,
     QUERY_ANSWER, query_limits},
    {TW_EP_FUNNELS, "analytics.funnels", TW_AREA_ANALYTICS, "GET", "/api/2/funnels",
     TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH, "dashboard.hour", TW_COST_QUERY,
     TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0, QUERY_ANSWER, query_limits},
    {TW_EP_RETENTION, "analytics.retention", TW_AREA_ANALYTICS, "GET", "/api/2/retention",
     TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH, "dashboard.hour", TW_COST_QUERY,
     TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0, QUERY_ANSWER, query_limits},
    {TW_EP_REALTIME, "analytics.realtime", TW_AREA_ANALYTICS, "GET", "/api/2/realtime",
     TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH, "dashboard.hour", TW_COST_ONE,
     TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0, QUERY_ANSWER, query_limits},
    {TW_EP_REVENUE_LTV, "analytics.revenue_ltv", TW_AREA_ANALYTICS, "GET",
     "/api/2/revenue/ltv", TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH, "dashboard.hour",
     TW_COST_QUERY, TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0, QUERY_ANSWER,
     query_limits},
    {TW_EP_CHART_CSV, "analytics.chart_csv", TW_AREA_ANALYTICS, "GET",
     "/api/3/chart/{chart_id}/csv", TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH,
     "dashboard.hour", TW_COST_QUERY, TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0,
     QUERY_ANSWER, "the cost of the chart behind it; 5 at once"},
    {TW_EP_SESSIONS_LENGTH, "analytics.sessions_length", TW_AREA_ANALYTICS, "GET",
     "/api/2/sessions/length", TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH,
     "dashboard.hour", TW_COST_QUERY, TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0,
     QUERY_ANSWER, query_limits},
    {TW_EP_SESSIONS_AVERAGE, "analytics.sessions_average", TW_AREA_ANALYTICS, "GET",
     "/api/2/sessions/average", TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH,
     "dashboard.hour", TW_COST_QUERY, TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0,
     QUERY_ANSWER, query_limits},
    {TW_EP_SESSIONS_PERUSER, "analytics.sessions_peruser", TW_AREA_ANALYTICS, "GET",
     "/api/2/sessions/peruser", TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH,
     "dashboard.hour", TW_COST_QUERY, TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0,
     QUERY_ANSWER, query_limits},
    {TW_EP_COMPOSITION, "analytics.composition", TW_AREA_ANALYTICS, "GET",
     "/api/2/composition", TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH, "dashboard.hour",
     TW_COST_QUERY, TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0, QUERY_ANSWER,
     query_limits},

    {TW_EP_USERSEARCH, "users.search", TW_AREA_USERS, "GET", "/api/2/usersearch",
     TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH, "users.hour", TW_COST_ONE,
     TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0, QUERY_ANSWER, users_limits},
    {TW_EP_USERACTIVITY, "users.activity", TW_AREA_USERS, "GET", "/api/2/useractivity",
     TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH, "users.hour", TW_COST_ONE,
     TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0, QUERY_ANSWER, users_limits},

    {TW_EP_EXPORT, "export.get", TW_AREA_EXPORT, "GET", "/api/2/export", TW_ACCESS_READ,
     TW_AUTH_BASIC, TW_HOST_DASH, "rest.concurrent", TW_COST_ONE, TW_REPEAT_SAFE,
     TW_ANSWER_ZIP, 90 * SECONDS, 0, SMALL_ANSWER, "365 days, 4 GB a call; 5 at once"},

    {TW_EP_COHORTS_LIST, "cohorts.list", TW_AREA_COHORTS, "GET", "/api/3/cohorts",
     TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH, "rest.concurrent", TW_COST_ONE,
     TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0, QUERY_ANSWER, "5 at once"},
    {TW_EP_COHORT_REQUEST, "cohorts.request", TW_AREA_COHORTS, "GET",
     "/api/5/cohorts/request/{id}", TW_ACCESS_READ, TW_AUTH_BASIC, TW_HOST_DASH,
     "cohorts.10min", TW_COST_ONE, TW_REPEAT_UNSENT, TW_ANSWER_JSON, 90 * SECONDS, 0,
     SMALL_ANSWER, request_limits},
    {TW_EP_COHORT_STATUS, "cohorts.status", TW_AREA_COHORTS, "GET",
     "/api/5/cohorts/request-status/{request_id}", TW_ACCESS_READ, TW_AUTH_BASIC,
     TW_HOST_DASH, "rest.concurrent", TW_COST_ONE, TW_REPEAT_SAFE, TW_ANSWER_JSON,
     90 * SECONDS, 0, SMALL_ANSWER, "5 at once"},
    {TW_EP_COHORT_FILE, "cohorts.file", TW_AREA_COHORTS, "GET",
     "/api/5/cohorts/request/{request_id}/file", TW_ACCESS_READ, TW_AUTH_BASIC,
     TW_HOST_DASH, "rest.concurrent", TW_COST_ONE, TW_REPEAT_SAFE, TW_ANSWER_CSV,
     90 * SECONDS, 0, SMALL_ANSWER, "7 days after the request; 5 at once"},
    {TW_EP_COHORT_UPLOAD, "cohorts.upload", TW_AREA_COHORTS, "POST",
     "/api/3/cohorts/upload", TW_ACCESS_WRITE, TW_AUTH_BASIC, TW_HOST_DASH,
     "rest.concurrent", TW_COST_ONE, TW_REPEAT_UNSENT, TW_ANSWER_JSON, 90 * SECONDS, 0,
     QUERY_ANSWER, "100,000 ids a request, 2,000,000 users a cohort; 5 at once"},
    {TW_EP_COHORT_MEMBERSHIP, "cohorts.membership", TW_AREA_COHORTS, "POST",
     "/api/3/cohorts/membership", TW_ACCESS_WRITE, TW_AUTH_BASIC, TW_HOST_DASH,
     "rest.concurrent", TW_COST_ONE, TW_REPEAT_SAFE, TW_ANSWER_JSON, 90 * SECONDS, 0,
     QUERY_ANSWER, "100,000 ids a request; 5 at once"},

    TAXONOMY_READ(EVENTS, "events", "event"),
    TAXONOMY_READ(EVENT, "event", "event/{event_type}"),
    TAXONOMY_WRITE(EVENT_CREATE, "event_create", "POST", "event", TW_REPEAT_UNSENT),
    TAXONOMY_WRITE(EVENT_UPDATE, "event_update", "PUT", "event/{event_type}",
                   TW_REPEAT_SAFE),
    TAXONOMY_WRITE(EVENT_DELETE, "event_delete", "DELETE", "event/{event_type}",
                   TW_REPEAT_UNSENT),
    TAXONOMY_WRITE(EVENT_RESTORE, "event_restore", "POST", "event/{event_type}/restore",
                   TW_REPEAT_UNSENT),
    TAXONOMY_READ(CATEGORIES, "categories", "category"),
    TAXONOMY_READ(CATEGORY, "category", "category/{category_name}"),
    TAXONOMY_WRITE(CATEGORY_CREATE, "category_create", "POST", "category",
                   TW_REPEAT_UNSENT),
    TAXONOMY_WRITE(CATEGORY_UPDATE, "category_update", "PUT", "category/{category_id}",
                   TW_REPEAT_SAFE),
    TAXONOMY_WRITE(CATEGORY_DELETE, "category_delete", "DELETE", "category/{category_id}",
                   TW_REPEAT_UNSENT),
    TAXONOMY_READ(EVENT_PROPERTIES, "event_properties", "event-property"),
    TAXONOMY_READ(EVENT_PROPERTY, "event_property", "event-property/{event_property}"),
    TAXONOMY_WRITE(EVENT_PROPERTY_CREATE, "event_property_create", "POST",
                   "event-property", TW_REPEAT_UNSENT),
    TAXONOMY_WRITE(EVENT_PROPERTY_UPDATE, "event_property_update", "PUT",
                   "event-property/{event_property}", TW_REPEAT_SAFE),
    TAXONOMY_WRITE(EVENT_PROPERTY_DELETE, "event_property_delete", "DELETE",
                   "event-property/{event_property}", TW_REPEAT_UNSENT),
    TAXONOMY_WRITE(EVENT_PROPERTY_RESTORE, "event_property_restore", "POST",
                   "event-property/{event_property}/restore", TW_REPEAT_UNSENT),
    TAXONOMY_READ(USER_PROPERTIES, "user_properties", "user-property"),
    TAXONOMY_READ(USER_PROPERTY, "user_property", "user-property/{user_property}"),
    TAXONOMY_WRITE(USER_PROPERTY_CREATE, "user_property_create", "POST", "user-property",
                   TW_REPEAT_UNSENT),
    TAXONOMY_WRITE(USER_PROPERTY_UPDATE, "user_property_update", "PUT",
                   "user-property/{user_property}", TW_REPEAT_SAFE),
    TAXONOMY_WRITE(USER_PROPERTY_DELETE, "user_property_delete", "DELETE",
                   "user-property/{user_property}", TW_REPEAT_UNSENT),
    TAXONOMY_WRITE(USER_PROPERTY_RESTORE, "user_property_restore", "POST",
                   "user-property/{user_property}/restore", TW_REPEAT_UNSENT),
    TAXONOMY_READ(GROUP_PROPERTIES, "group_properties", "group-property"),
    TAXONOMY_READ(GROUP_PROPERTY, "group_property", "group-property/{group_property}"),
    TAXONOMY_WRITE(GROUP_PROPERTY_CREATE, "group_property_create", "POST",
                   "group-property", TW_REPEAT_UNSENT),
    TAXONOMY_WRITE(GROUP_PROPERTY_UPDATE, "group_property_update", "PUT",
                   "group-property/{group_property}", TW_REPEAT_SAFE),

    {TW_EP_USERPROFILE, "profile.get", TW_AREA_PROFILE, "GET", "/v1/userprofile",
     TW_ACCESS_READ, TW_AUTH_SECRET, TW_HOST_PROFILE, "profile.minute", TW_COST_ONE,
     TW_REPEAT_SAFE, TW_ANSWER_JSON, 30 * SECONDS, 0, QUERY_ANSWER,
     "600/min per organisation; not in the EU"},
    MCP(TOOLS, "tools", TW_ACCESS_READ, TW_REPEAT_SAFE),
    MCP(CALL, "call", TW_ACCESS_READ | TW_ACCESS_WRITE, TW_REPEAT_RPC),
    MCP(REQUEST, "request", TW_ACCESS_READ | TW_ACCESS_WRITE, TW_REPEAT_RPC),
};

const tw_endpoint *tw__endpoint(tw_endpoint_id id)
{
    return (unsigned)id < TW_EP_COUNT ? &table[id] : NULL;
}

const tw_endpoint *tw__endpoint_find(const char *name)
{
    size_t i;

    for (i = 0; i < TW_EP_COUNT; i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

const char *tw__area_name(tw_area area)
{
    static const char *const names[TW_AREA_COUNT] = {"ingestion", "analytics", "users",
                                                     "export",    "cohorts",   "taxonomy",
                                                     "profile",   "mcp"};

    return (unsigned)area < TW_AREA_COUNT ? names[area] : "";
}

const char *tw__access_name(unsigned access)
{
    static const char *const names[] = {"none", "read", "write", "both"};

    return names[access & 3];
}

const char *tw__host_name(tw_host host)
{
    static const char *const names[TW_HOST_COUNT] = {"ingest", "dash", "profile", "mcp"};

    return (unsigned)host < TW_HOST_COUNT ? names[host] : "";
}

const char *tw__auth_name(tw_auth auth)
{
    static const char *const names[] = {"api_key in the body", "Basic", "Api-Key",
                                        "Bearer"};

    return (unsigned)auth <= TW_AUTH_BEARER ? names[auth] : "";
}
