/* SPDX-License-Identifier: MIT */
/* The endpoint table against a second list, written down from the API's documents by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <tidewheel/client.h>

#include "gate/endpoints.h"

/* K: api_key in the body, B: Basic, P: Api-Key, O: OAuth. */
static const struct {
    tw_endpoint_id id;
    const char *area, *method, *path, *access;
    char auth;
    const char *host;
    char repeat; /* S: safe, U: only when unsent */
} documented[] = {
    {TW_EP_HTTPAPI, "ingestion", "POST", "/2/httpapi", "write", 'K', "ingest", 'S'},
    {TW_EP_BATCH, "ingestion", "POST", "/batch", "write", 'K', "ingest", 'S'},
    {TW_EP_IDENTIFY, "ingestion", "POST", "/identify", "write", 'K', "ingest", 'U'},
    {TW_EP_GROUPIDENTIFY, "ingestion", "POST", "/groupidentify", "write", 'K', "ingest",
     'U'},
    {TW_EP_USERS, "analytics", "GET", "/api/2/users", "read", 'B', "dash", 'S'},
    {TW_EP_EVENTS_LIST, "analytics", "GET", "/api/2/events/list", "read", 'B', "dash",
     'S'},
    {TW_EP_SEGMENTATION, "analytics", "GET", "/api/2/events/segmentation", "read", 'B',
     "dash", 'S'},
    {TW_EP_FUNNELS, "analytics", "GET", "/api/2/funnels", "read", 'B', "dash", 'S'},
    {TW_EP_RETENTION, "analytics", "GET", "/api/2/retention", "read", 'B', "dash", 'S'},
    {TW_EP_REALTIME, "analytics", "GET", "/api/2/realtime", "read", 'B', "dash", 'S'},
    {TW_EP_REVENUE_LTV, "analytics", "GET", "/api/2/revenue/ltv", "read", 'B', "dash",
     'S'},
    {TW_EP_CHART_CSV, "analytics", "GET", "/api/3/chart/{chart_id}/csv", "read", 'B',
     "dash", 'S'},
    {TW_EP_SESSIONS_LENGTH, "analytics", "GET", "/api/2/sessions/length", "read", 'B',
     "dash", 'S'},
    {TW_EP_SESSIONS_AVERAGE, "analytics", "GET", "/api/2/sessions/average", "read", 'B',
     "dash", 'S'},
    {TW_EP_SESSIONS_PERUSER, "analytics", "GET", "/api/2/sessions/peruser", "read", 'B',
     "dash", 'S'},
    {TW_EP_COMPOSITION, "analytics", "GET", "/api/2/composition", "read", 'B', "dash",
     'S'},
    {TW_EP_USERSEARCH, "users", "GET", "/api/2/usersearch", "read", 'B', "dash", 'S'},
    {TW_EP_USERACTIVITY, "users", "GET", "/api/2/useractivity", "read", 'B', "dash", 'S'},
    {TW_EP_EXPORT, "export", "GET", "/api/2/export", "read", 'B', "dash", 'S'},
    {TW_EP_COHORTS_LIST, "cohorts", "GET", "/api/3/cohorts", "read", 'B', "dash", 'S'},
    {TW_EP_COHORT_REQUEST, "cohorts", "GET", "/api/5/cohorts/request/{id}", "read", 'B',
     "dash", 'U'},
    {TW_EP_COHORT_STATUS, "cohorts", "GET", "/api/5/cohorts/request-status/{request_id}",
     "read", 'B', "dash", 'S'},
    {TW_EP_COHORT_FILE, "cohorts", "GET", "/api/5/cohorts/request/{request_id}/file",
     "read", 'B', "dash", 'S'},
    {TW_EP_COHORT_UPLOAD, "cohorts", "POST", "/api/3/cohorts/upload", "write", 'B',
     "dash", 'U'},
    {TW_EP_COHORT_MEMBERSHIP, "cohorts", "POST", "/api/3/cohorts/membership", "write",
     'B', "dash", 'S'},
    {TW_EP_TAXONOMY_EVENTS, "taxonomy", "GET", "/api/2/taxonomy/event", "read", 'B',
     "dash", 'S'},
    {TW_EP_TAXONOMY_EVENT, "taxonomy", "GET", "/api/2/taxonomy/event/{event_type}",
     "read", 'B', "dash", 'S'},
    {TW_EP_TAXONOMY_EVENT_CREATE, "taxonomy", "POST", "/api/2/taxonomy/event", "write",
     'B', "dash", 'U'},
    {TW_EP_TAXONOMY_EVENT_UPDATE, "taxonomy", "PUT", "/api/2/taxonomy/event/{event_type}",
     "write", 'B', "dash", 'S'},
    {TW_EP_TAXONOMY_EVENT_DELETE, "taxonomy", "DELETE",
     "/api/2/taxonomy/event/{event_type}", "write", 'B', "dash", 'U'},
    {TW_EP_TAXONOMY_EVENT_RESTORE, "taxonomy", "POST",
     "/api/2/taxonomy/event/{event_type}/restore", "write", 'B', "dash", 'U'},
    {TW_EP_TAXONOMY_CATEGORIES, "taxonomy", "GET", "/api/2/taxonomy/category", "read",
     'B', "dash", 'S'},
    {TW_EP_TAXONOMY_CATEGORY, "taxonomy", "GET",
     "/api/2/taxonomy/category/{category_name}", "read", 'B', "dash", 'S'},
    {TW_EP_TAXONOMY_CATEGORY_CREATE, "taxonomy", "POST", "/api/2/taxonomy/category",
     "write", 'B', "dash", 'U'},
    {TW_EP_TAXONOMY_CATEGORY_UPDATE, "taxonomy", "PUT",
     "/api/2/taxonomy/category/{category_id}", "write", 'B', "dash", 'S'},
    {TW_EP_TAXONOMY_CATEGORY_DELETE, "taxonomy", "DELETE",
     "/api/2/taxonomy/category/{category_id}", "write", 'B', "dash", 'U'},
    {TW_EP_TAXONOMY_EVENT_PROPERTIES, "taxonomy", "GET", "/api/2/taxonomy/event-property",
     "read", 'B', "dash", 'S'},
    {TW_EP_TAXONOMY_EVENT_PROPERTY, "taxonomy", "GET",
     "/api/2/taxonomy/event-property/{event_property}", "read", 'B', "dash", 'S'},
    {TW_EP_TAXONOMY_EVENT_PROPERTY_CREATE, "taxonomy", "POST",
     "/api/2/taxonomy/event-property", "write", 'B', "dash", 'U'},
    {TW_EP_TAXONOMY_EVENT_PROPERTY_UPDATE, "taxonomy", "PUT",
     "/api/2/taxonomy/event-property/{event_property}", "write", 'B', "dash", 'S'},
    {TW_EP_TAXONOMY_EVENT_PROPERTY_DELETE, "taxonomy", "DELETE",
     "/api/2/taxonomy/event-property/{event_property}", "write", 'B', "dash", 'U'},
    {TW_EP_TAXONOMY_EVENT_PROPERTY_RESTORE, "taxonomy", "POST",
     "/api/2/taxonomy/event-property/{event_property}/restore", "write", 'B', "dash",
     'U'},
    {TW_EP_TAXONOMY_USER_PROPERTIES, "taxonomy", "GET", "/api/2/taxonomy/user-property",
     "read", 'B', "dash", 'S'},
    {TW_EP_TAXONOMY_USER_PROPERTY, "taxonomy", "GET",
     "/api/2/taxonomy/user-property/{user_property}", "read", 'B', "dash", 'S'},
    {TW_EP_TAXONOMY_USER_PROPERTY_CREATE, "taxonomy", "POST",
     "/api/2/taxonomy/user-property", "write", 'B', "dash", 'U'},
    {TW_EP_TAXONOMY_USER_PROPERTY_UPDATE, "taxonomy", "PUT",
     "/api/2/taxonomy/user-property/{user_property}", "write", 'B', "dash", 'S'},
    {TW_EP_TAXONOMY_USER_PROPERTY_DELETE, "taxonomy", "DELETE",
     "/api/2/taxonomy/user-property/{user_property}", "write", 'B', "dash", 'U'},
    {TW_EP_TAXONOMY_USER_PROPERTY_RESTORE, "taxonomy", "POST",
     "/api/2/taxonomy/user-property/{user_property}/restore", "write", 'B', "dash", 'U'},
    {TW_EP_TAXONOMY_GROUP_PROPERTIES, "taxonomy", "GET", "/api/2/taxonomy/group-property",
     "read", 'B', "dash", 'S'},
    {TW_EP_TAXONOMY_GROUP_PROPERTY, "taxonomy", "GET",
     "/api/2/taxonomy/group-property/{group_property}", "read", 'B', "dash", 'S'},
    {TW_EP_TAXONOMY_GROUP_PROPERTY_CREATE, "taxonomy", "POST",
     "/api/2/taxonomy/group-property", "write", 'B', "dash", 'U'},
    {TW_EP_TAXONOMY_GROUP_PROPERTY_UPDATE, "taxonomy", "PUT",
     "/api/2/taxonomy/group-property/{group_property}", "write", 'B', "dash", 'S'},
    {TW_EP_USERPROFILE, "profile", "GET", "/v1/userprofile", "read", 'P', "profile", 'S'},
    {TW_EP_MCP_TOOLS, "mcp", "POST", "/mcp", "read", 'O', "mcp", 'S'},
    {TW_EP_MCP_CALL, "mcp", "POST", "/mcp", "both", 'O', "mcp", 'U'},
    {TW_EP_MCP_REQUEST, "mcp", "POST", "/mcp", "both", 'O', "mcp", 'U'},
};

static void every_row_is_the_documented_one(void **state)
{
    static const char letters[] = "KBPO";
    size_t i;

    (void)state;
    assert_int_equal(sizeof documented / sizeof *documented, TW_EP_COUNT);
    for (i = 0; i < TW_EP_COUNT; i++) {
        const tw_endpoint *row = tw__endpoint((tw_endpoint_id)i);

        assert_int_equal(documented[i].id, i);
        assert_int_equal(row->id, i);
        assert_string_equal(tw__area_name(row->area), documented[i].area);
        assert_string_equal(row->method, documented[i].method);
        assert_string_equal(row->path, documented[i].path);
        assert_string_equal(tw__access_name(row->access), documented[i].access);
        assert_int_equal(letters[row->auth], documented[i].auth);
        assert_string_equal(tw__host_name(row->host), documented[i].host);
        assert_int_equal(row->repeat == TW_REPEAT_SAFE ? 'S' : 'U', documented[i].repeat);
    }
    assert_null(tw__endpoint(TW_EP_COUNT));
}

static void every_row_is_whole(void **state)
{
    size_t i, j;

    (void)state;
    for (i = 0; i < TW_EP_COUNT; i++) {
        const tw_endpoint *row = tw__endpoint((tw_endpoint_id)i);

        assert_true(row->max_answer > 0);
        assert_true(row->limits[0] != '\0' && row->budget[0] != '\0');
        assert_true(row->timeout_ms >= (row->host == TW_HOST_DASH ? 60000 : 1000));
        assert_int_equal(row->path[0], '/');
        assert_ptr_equal(tw__endpoint_find(row->name), row);
        for (j = 0; j < i; j++)
            assert_string_not_equal(tw__endpoint((tw_endpoint_id)j)->name, row->name);
        /* Writing needs a method that says so; all of MCP is a POST. */
        if (row->area != TW_AREA_MCP)
            assert_int_equal((row->access & TW_ACCESS_WRITE) != 0,
                             strcmp(row->method, "GET") != 0);
    }
    assert_null(tw__endpoint_find("cohorts"));
    assert_null(tw__endpoint_find(""));
}

static void public_rows_are_the_same(void **state)
{
    const char *name, *area, *method, *path, *access;
    size_t i;

    (void)state;
    for (i = 0; tw_endpoint_row(i, &name, &area, &method, &path, &access) == TW_OK; i++) {
        const tw_endpoint *row = tw__endpoint((tw_endpoint_id)i);

        assert_string_equal(name, row->name);
        assert_string_equal(area, tw__area_name(row->area));
        assert_string_equal(method, row->method);
        assert_string_equal(path, row->path);
        assert_string_equal(access, tw__access_name(row->access));
    }
    assert_int_equal(i, TW_EP_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_the_documented_one),
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(public_rows_are_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
