/* SPDX-License-Identifier: MIT */
/* From method and path to a handler, through the credential check of its area. */
#include "routes.h"

#include <string.h>
#include <strings.h>

#include "ingest.h"
#include "taxonomy.h"

typedef enum area { INGEST, BASIC, USERS, TAXONOMY, PROFILE, MCP } area;

#define TAX "/api/2/taxonomy/"

/* `*` in a path stands for one part. */
static const struct route {
    const char *method, *path;
    area area;
    emu_handler *handler;
} ROUTES[] = {
    {"POST", "/2/httpapi", INGEST, emu_do_ingest},
    {"POST", "/batch", INGEST, emu_do_ingest},
    {"POST", "/identify", INGEST, emu_do_identify},
    {"GET", "/identify", INGEST, emu_do_identify},
    {"POST", "/groupidentify", INGEST, emu_do_groupidentify},
    {"GET", "/v1/userprofile", PROFILE, emu_do_profile},
    {"POST", "/mcp", MCP, emu_do_mcp},
    {"GET", "/mcp", MCP, emu_do_mcp},
    {"DELETE", "/mcp", MCP, emu_do_mcp},
    {"GET", "/.well-known/oauth-protected-resource", MCP, emu_do_mcp_resource},
    {"GET", "/.well-known/oauth-authorization-server", MCP, emu_do_mcp_server},
    {"POST", "/register", MCP, emu_do_mcp_register},
    {"GET", "/authorize", MCP, emu_do_mcp_authorize},
    {"POST", "/token", MCP, emu_do_mcp_token},
    {"GET", "/api/2/usersearch", USERS, emu_do_user_search},
    {"GET", "/api/2/useractivity", USERS, emu_do_user_activity},
    {"GET", TAX "category", TAXONOMY, emu_do_category_list},
    {"POST", TAX "category", TAXONOMY, emu_do_category_add},
    {"GET", TAX "category/*", TAXONOMY, emu_do_category_one},
    {"PUT", TAX "category/*", TAXONOMY, emu_do_category_rename},
    {"DELETE", TAX "category/*", TAXONOMY, emu_do_category_delete},
    {"GET", TAX "event", TAXONOMY, emu_do_event_list},
    {"POST", TAX "event", TAXONOMY, emu_do_event_add},
    {"GET", TAX "event/*", TAXONOMY, emu_do_event_one},
    {"PUT", TAX "event/*", TAXONOMY, emu_do_event_update},
    {"DELETE", TAX "event/*", TAXONOMY, emu_do_event_delete},
    {"POST", TAX "event/*/restore", TAXONOMY, emu_do_event_restore},
    {"GET", TAX "event-property", TAXONOMY, emu_do_property_list},
    {"POST", TAX "event-property", TAXONOMY, emu_do_property_add},
    {"GET", TAX "event-property/*", TAXONOMY, emu_do_property_one},
    {"PUT", TAX "event-property/*", TAXONOMY, emu_do_property_update},
    {"DELETE", TAX "event-property/*", TAXONOMY, emu_do_property_delete},
    {"POST", TAX "event-property/*/restore", TAXONOMY, emu_do_property_restore},
    {"GET", TAX "user-property", TAXONOMY, emu_do_property_list},
    {"POST", TAX "user-property", TAXONOMY, emu_do_property_add},
    {"GET", TAX "user-property/*", TAXONOMY, emu_do_property_one},
    {"PUT", TAX "user-property/*", TAXONOMY, emu_do_property_update},
    {"DELETE", TAX "user-property/*", TAXONOMY, emu_do_property_delete},
    {"POST", TAX "user-property/*/restore", TAXONOMY, emu_do_property_restore},
    {"GET", TAX "group-property", TAXONOMY, emu_do_property_list},
    {"POST", TAX "group-property", TAXONOMY, emu_do_property_add},
    {"GET", TAX "group-property/*", TAXONOMY, emu_do_property_one},
    {"PUT", TAX "group-property/*", TAXONOMY, emu_do_property_update},
    {"GET", "/api/2/export", BASIC, emu_do_export},
    {"GET", "/api/2/users", BASIC, emu_do_users},
    {"GET", "/api/2/events/list", BASIC, emu_do_events_list},
    {"GET", "/api/2/events/segmentation", BASIC, emu_do_segmentation},
    {"GET", "/api/2/funnels", BASIC, emu_do_funnels},
    {"GET", "/api/2/retention", BASIC, emu_do_retention},
    {"GET", "/api/2/revenue/ltv", BASIC, emu_do_ltv},
    {"GET", "/api/2/realtime", BASIC, emu_do_realtime},
    {"GET", "/api/2/composition", BASIC, emu_do_composition},
    {"GET", "/api/2/sessions/length", BASIC, emu_do_session_length},
    {"GET", "/api/2/sessions/average", BASIC, emu_do_session_average},
    {"GET", "/api/2/sessions/peruser", BASIC, emu_do_sessions_per_user},
    {"GET", "/api/3/chart/*/csv", BASIC, emu_do_chart_csv},
    {"GET", "/api/3/chart/*/query", BASIC, emu_do_chart_query},
    {"GET", "/api/3/cohorts", BASIC, emu_do_cohort_list},
    {"POST", "/api/3/cohorts/upload", BASIC, emu_do_cohort_upload},
    {"POST", "/api/3/cohorts/membership", BASIC, emu_do_cohort_membership},
    {"GET", "/api/3/cohorts/usage", BASIC, emu_do_cohort_usage},
    {"GET", "/api/3/cohorts/*", BASIC, emu_do_cohort_one},
    {"GET", "/api/5/cohorts/request/*", BASIC, emu_do_cohort_request},
    {"GET", "/api/5/cohorts/request-status/*", BASIC, emu_do_cohort_status},
    {"GET", "/api/5/cohorts/request/*/file", BASIC, emu_do_cohort_file},
};

emu_str emu_path_part(emu_req *r, int i)
{
    const char *p = r->path.s, *end = p + r->path.n;

    while (p < end) {
        const char *slash, *stop;

        p++;
        slash = memchr(p, '/', (size_t)(end - p));
        stop = slash ? slash : end;

        if (i-- == 0)
            return emu_unescape(&r->arena, (emu_str){p, (size_t)(stop - p)}, false);
        p = stop;
    }
    return (emu_str){NULL, 0};
}

emu_str emu_query(emu_req *r, const char *name)
{
    return emu_form(&r->arena, r->query, name);
}

static bool path_fits(const char *want, emu_str path)
{
    const char *p = path.s, *end = p + path.n;

    for (; *want; want++) {
        if (*want == '*') {
            const char *start = p;

            while (p < end && *p != '/')
                p++;
            if (p == start)
                return false;
        } else if (p == end || *p++ != *want) {
            return false;
        }
    }
    return p == end;
}

/* True when the pair is ours; else answered as the service does: 403, never 401. */
static bool check_basic(emu_req *r)
{
    emu_str h = emu_header_of(r, "Authorization"), pair, key, secret;
    const char *colon = NULL;

    if (h.n > 6 && strncasecmp(h.s, "Basic ", 6) == 0) {
        pair = emu_unbase64(&r->arena, (emu_str){h.s + 6, h.n - 6});
        colon = pair.n ? memchr(pair.s, ':', pair.n) : NULL;
    }
    if (colon) {
        key = (emu_str){pair.s, (size_t)(colon - pair.s)};
        secret = (emu_str){colon + 1, pair.n - key.n - 1};
    }
    if (!colon || !emu_same_secret(key, emu_str_of(r->e->api_key)))
        emu_dash_error(r, 403, "Invalid API Key");
    else if (!emu_same_secret(secret, emu_str_of(r->e->secret_key)))
        emu_dash_error(r, 403, "Invalid API/Secret Key combination");
    else
        r->key_known = true;
    r->key_foreign = colon && !r->key_known;
    return r->key_known;
}

bool emu_hold_gate(emu_req *r, emu_gate gate, int cost)
{
    if (!emu_gate_enter(r->e, gate, cost))
        return false;
    r->gate = gate;
    r->gate_cost = cost;
    return true;
}

void emu_release_gate(emu_req *r)
{
    if (r->gate != GATE_NONE)
        emu_gate_leave(r->e, r->gate, r->gate_cost);
    r->gate = GATE_NONE;
}

static void run_basic(emu_req *r, emu_handler *handler)
{
    if (!check_basic(r))
        return;
    if (!emu_hold_gate(r, GATE_REST, 1))
        emu_dash_error(r, 429, "Too Many Requests: Exceeded concurrent limit");
    else
        handler(r);
}

/* User lookup has its own limits; every call counts, good or bad. */
static void run_users(emu_req *r, emu_handler *handler)
{
    if (!check_basic(r))
        return;
    if (!emu_hold_gate(r, GATE_USERS, 1))
        emu_dash_error(r, 429, "Too Many Requests: Exceeded concurrent limit");
    else if (!emu_meter_take(r->e, METER_USERS, 1))
        emu_dash_error(r, 429, "Too Many Requests: Exceeded hourly limit");
    else
        handler(r);
}

/* What is stored comes back in JSON, where other bytes have no place. */
static bool is_text(emu_req *r)
{
    return ej_is_utf8(emu_unescape(&r->arena, emu_str_of(r->uri), true)) &&
           ej_is_utf8(emu_unescape(&r->arena, r->body, true));
}

/* The plan of the project may lack the API; each call has a cost that counts, refused by its
 * handler or not. */
static void run_taxonomy(emu_req *r, emu_handler *handler)
{
    int cost = emu_str_is(r->method, "GET") ? 1 : 2; /* taxonomy API docs */

    if (!check_basic(r))
        return;
    if (EMU_SW(r->e, taxonomy) == 1)
        emu_tax_error(r, 404, "Not Found");
    else if (EMU_SW(r->e, taxonomy) == 2)
        emu_tax_error(r, 403, "Forbidden");
    else if (!emu_hold_gate(r, GATE_TAXONOMY, cost))
        emu_tax_error(r, 429, "Too Many Requests: Exceeded concurrent limit");
    else if (!emu_meter_take(r->e, METER_TAXONOMY, cost))
        emu_tax_refuse(
            r, 429, "Too Many Requests: Exceeded rate limit with query of cost %d", cost);
    else if (r->too_large)
        emu_tax_error(r, 413, "Payload too large");
    else if (r->bad_encoding || !is_text(r))
        emu_tax_error(r, 400,
                      r->bad_encoding ? "Invalid Content-Encoding" : "Invalid UTF-8");
    else
        handler(r);
}

static bool below(emu_str path, const char *folder)
{
    size_t n = strlen(folder);

    return path.n >= n && memcmp(path.s, folder, n) == 0;
}

/* Each host has its own way to say that there is no such path, or none for this method. */
static void no_route(emu_req *r, const struct route *other_method)
{
    if (other_method && other_method->area == MCP) {
        emu_reply_z(r, 405, NULL, "");
    } else if (below(r->path, TAX)) {
        if (check_basic(r))
            emu_tax_error(r, other_method ? 405 : 404,
                          other_method ? "Method Not Allowed" : "Not Found");
    } else if (below(r->path, "/api/")) {
        if (check_basic(r))
            emu_dash_error(r, other_method ? 405 : 404,
                           other_method ? "Method Not Allowed" : "Not Found");
    } else if (below(r->path, "/v1/") || below(r->path, "/mcp") ||
               below(r->path, "/.well-known/")) {
        emu_reply_z(r, other_method ? 405 : 404, NULL, "");
    } else {
        emu_reply_z(r, 400, EMU_JSON,
                    "{\"code\":400,\"error\":\"Invalid request path\"}");
    }
}

static void run(emu_req *r, const struct route *route)
{
    if (route->area == INGEST || route->area == PROFILE || route->area == MCP)
        route->handler(r); /* they have their own credentials */
    else if (route->area == USERS)
        run_users(r, route->handler);
    else if (route->area == TAXONOMY)
        run_taxonomy(r, route->handler);
    else
        run_basic(r, route->handler);
}

static void route_api(emu_req *r)
{
    const struct route *other_method = NULL;

    for (size_t i = 0; i < sizeof(ROUTES) / sizeof(ROUTES[0]); i++) {
        const struct route *route = &ROUTES[i];

        if (!path_fits(route->path, r->path))
            continue;
        if (emu_str_is(r->method, route->method)) {
            run(r, route);
            return;
        }
        other_method = route;
    }
    no_route(r, other_method);
}

void emu_route(emu_req *r)
{
    if (r->port == PORT_API) {
        route_api(r);
    } else if (r->port == PORT_STORAGE) {
        emu_do_storage(r);
    } else if (!emu_same_secret(emu_header_of(r, "X-Emulator-Token"),
                                emu_str_of(r->e->token))) {
        emu_reply_z(r, 403, EMU_JSON,
                    "{\"error\":\"the control token was missing or wrong\"}");
    } else {
        emu_do_control(r);
    }
}
