/* SPDX-License-Identifier: MIT */
/* The endpoint table: all that is known of an endpoint stands in its row. */
#ifndef TW_GATE_ENDPOINTS_H
#define TW_GATE_ENDPOINTS_H

#include <stdint.h>

typedef enum tw_endpoint_id {
    TW_EP_HTTPAPI,
    TW_EP_BATCH,
    TW_EP_IDENTIFY,
    TW_EP_GROUPIDENTIFY,
    TW_EP_USERS,
    TW_EP_EVENTS_LIST,
    TW_EP_SEGMENTATION,
    TW_EP_FUNNELS,
    TW_EP_RETENTION,
    TW_EP_REALTIME,
    TW_EP_REVENUE_LTV,
    TW_EP_CHART_CSV,
    TW_EP_SESSIONS_LENGTH,
    TW_EP_SESSIONS_AVERAGE,
    TW_EP_SESSIONS_PERUSER,
    TW_EP_COMPOSITION,
    TW_EP_USERSEARCH,
    TW_EP_USERACTIVITY,
    TW_EP_EXPORT,
    TW_EP_COHORTS_LIST,
    TW_EP_COHORT_REQUEST,
    TW_EP_COHORT_STATUS,
    TW_EP_COHORT_FILE,
    TW_EP_COHORT_UPLOAD,
    TW_EP_COHORT_MEMBERSHIP,
    TW_EP_TAXONOMY_EVENTS,
    TW_EP_TAXONOMY_EVENT,
    TW_EP_TAXONOMY_EVENT_CREATE,
    TW_EP_TAXONOMY_EVENT_UPDATE,
    TW_EP_TAXONOMY_EVENT_DELETE,
    TW_EP_TAXONOMY_EVENT_RESTORE,
    TW_EP_TAXONOMY_CATEGORIES,
    TW_EP_TAXONOMY_CATEGORY,
    TW_EP_TAXONOMY_CATEGORY_CREATE,
    TW_EP_TAXONOMY_CATEGORY_UPDATE,
    TW_EP_TAXONOMY_CATEGORY_DELETE,
    TW_EP_TAXONOMY_EVENT_PROPERTIES,
    TW_EP_TAXONOMY_EVENT_PROPERTY,
    TW_EP_TAXONOMY_EVENT_PROPERTY_CREATE,
    TW_EP_TAXONOMY_EVENT_PROPERTY_UPDATE,
    TW_EP_TAXONOMY_EVENT_PROPERTY_DELETE,
    TW_EP_TAXONOMY_EVENT_PROPERTY_RESTORE,
    TW_EP_TAXONOMY_USER_PROPERTIES,
    TW_EP_TAXONOMY_USER_PROPERTY,
    TW_EP_TAXONOMY_USER_PROPERTY_CREATE,
    TW_EP_TAXONOMY_USER_PROPERTY_UPDATE,
    TW_EP_TAXONOMY_USER_PROPERTY_DELETE,
    TW_EP_TAXONOMY_USER_PROPERTY_RESTORE,
    TW_EP_TAXONOMY_GROUP_PROPERTIES,
    TW_EP_TAXONOMY_GROUP_PROPERTY,
    TW_EP_TAXONOMY_GROUP_PROPERTY_CREATE,
    TW_EP_TAXONOMY_GROUP_PROPERTY_UPDATE,
    TW_EP_USERPROFILE,
    TW_EP_MCP_TOOLS,
    TW_EP_MCP_CALL,
    TW_EP_MCP_REQUEST,
    TW_EP_COUNT
} tw_endpoint_id;

typedef enum tw_host {
    TW_HOST_INGEST,
    TW_HOST_DASH,
    TW_HOST_PROFILE,
    TW_HOST_MCP,
    TW_HOST_COUNT
} tw_host;

typedef enum tw_area {
    TW_AREA_INGESTION,
    TW_AREA_ANALYTICS,
    TW_AREA_USERS,
    TW_AREA_EXPORT,
    TW_AREA_COHORTS,
    TW_AREA_TAXONOMY,
    TW_AREA_PROFILE,
    TW_AREA_MCP,
    TW_AREA_COUNT
} tw_area;

typedef enum tw_auth {
    TW_AUTH_BODY,   /* api_key inside the body; the body's builder writes it */
    TW_AUTH_BASIC,  /* Basic api_key:secret_key */
    TW_AUTH_SECRET, /* Api-Key secret_key */
    TW_AUTH_BEARER  /* OAuth 2.0 token of a user: not a key of the project */
} tw_auth;

enum { TW_ACCESS_READ = 1, TW_ACCESS_WRITE = 2 };

/* May the same bytes be sent again? */
typedef enum tw_repeat {
    TW_REPEAT_SAFE,   /* whatever happened before */
    TW_REPEAT_UNSENT, /* only when the earlier attempt certainly did nothing */
    TW_REPEAT_RPC /* the same, of a server for which no 503 is documented to say that */
} tw_repeat;

/* How a call is charged to its budget. */
typedef enum tw_cost {
    TW_COST_ONE,    /* 1 per call */
    TW_COST_TWO,    /* 2 per call: taxonomy writes */
    TW_COST_QUERY,  /* days x conditions x type, computed by the request's builder */
    TW_COST_EVENTS, /* per event and user or device */
    TW_COST_NONE
} tw_cost;

typedef enum tw_answer {
    TW_ANSWER_JSON,
    TW_ANSWER_TEXT, /* the word "success", in no JSON */
    TW_ANSWER_ZIP,
    TW_ANSWER_CSV,
    TW_ANSWER_RPC
} tw_answer;

typedef struct tw_endpoint {
    tw_endpoint_id id;
    const char *name; /* "cohorts.list": for grants, raw calls, documents */
    tw_area area;
    const char *method;
    const char *path; /* with {name} for each value */
    unsigned access;
    tw_auth auth;
    tw_host host;
    const char *budget; /* name of the rule */
    tw_cost cost;
    tw_repeat repeat;
    tw_answer answer;
    int64_t timeout_ms;  /* of one attempt, where the client's options say nothing else */
    uint64_t max_body;   /* largest request body, 0 = none documented */
    uint64_t max_answer; /* most bytes of a gathered answer */
    const char *limits;  /* one line for people; sources stand above the table */
} tw_endpoint;

/* NULL past the end. @thread any */
const tw_endpoint *tw__endpoint(tw_endpoint_id id);
const tw_endpoint *tw__endpoint_find(const char *name);
const char *tw__area_name(tw_area area);
const char *tw__access_name(unsigned access);
const char *tw__host_name(tw_host host);
const char *tw__auth_name(tw_auth auth);

#endif
