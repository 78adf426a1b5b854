/* SPDX-License-Identifier: MIT */
/* --seed demo: the events of a small shop, its tracking plan, cohorts and profiles. */
#include "demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest.h"
#include "profile.h"

int emu_demo_call(twe *e, emu_handler *handler, const char *method, const char *path,
                  emu_str body, emu_buf *reply)
{
    emu_req r = {.e = e,
                 .fd = -1,
                 .method = emu_str_of(method),
                 .path = emu_str_of(path),
                 .body = body,
                 .received_ms = emu_now_ms(e)};
    int rc;

    handler(&r);
    rc = r.status == 200 ? 0 : -1;
    if (reply)
        emu_buf_put(reply, r.out.p, r.out.n);
    emu_buf_free(&r.out);
    free(r.marks);
    emu_arena_free(&r.arena);
    return rc;
}

/* --- the plan --- */

#define TAXONOMY "/api/2/taxonomy/"

/* In order: names that others refer to come first. What hides an event type needs the type to
 * have been met, so it comes in a change of its own. */
static const struct step {
    emu_handler *handler;
    const char *method, *path, *form;
} PLAN[] = {
    {emu_do_category_add, "POST", TAXONOMY "category", "category_name=Browsing"},
    {emu_do_category_add, "POST", TAXONOMY "category", "category_name=Buying"},
    {emu_do_event_add, "POST", TAXONOMY "event",
     "event_type=Shop%20Opened&category=Browsing&description=A%20visit%20began&tags=web,app"},
    {emu_do_event_add, "POST", TAXONOMY "event",
     "event_type=Product%20Viewed&category=Browsing&description=A%20product%20page"},
    {emu_do_event_add, "POST", TAXONOMY "event",
     "event_type=Basket%20Filled&category=Buying&description=A%20product%20in%20the%20basket"},
    {emu_do_event_add, "POST", TAXONOMY "event",
     "event_type=Checkout%20Started&category=Buying"},
    {emu_do_event_add, "POST", TAXONOMY "event",
     "event_type=Checkout%20Done&category=Buying&description=An%20order%20was%20paid"
     "&owner=ana%40shop.test"},
    {emu_do_event_add, "POST", TAXONOMY "event",
     "event_type=Gift%20Wrapped&category=Buying&description=Planned%20for%20spring"},
    {emu_do_event_update, "PUT", TAXONOMY "event/Heartbeat%20Sent",
     "is_active=false&is_hidden_from_pathfinder=true&description=A%20sign%20of%20life"},
    {emu_do_event_update, "PUT", TAXONOMY "event/Checkout%20Done",
     "display_name=Order%20Paid"},
    {emu_do_property_add, "POST", TAXONOMY "event-property",
     "event_property=product&type=string&description=Name%20of%20the%20product"},
    {emu_do_property_add, "POST", TAXONOMY "event-property",
     "event_property=price&type=number&classifications=REVENUE"},
    {emu_do_property_add, "POST", TAXONOMY "event-property",
     "event_property=method&event_type=Checkout%20Done&type=enum"
     "&enum_values=card,wallet,iban&is_required=true"},
    {emu_do_property_add, "POST", TAXONOMY "event-property",
     "event_property=product&event_type=Checkout%20Done&type=string&is_required=true"},
    {emu_do_property_add, "POST", TAXONOMY "user-property",
     "user_property=tier&type=enum&enum_values=bronze,silver,gold"},
    {emu_do_property_add, "POST", TAXONOMY "user-property",
     "user_property=visits&type=number&description=Visits%20so%20far"},
    {emu_do_property_add, "POST", TAXONOMY "group-property",
     "group_property=grp%3Aseats&group_type=company&type=number"},
};

static int put_plan(twe *e)
{
    int rc = 0;

    for (size_t i = 0; i < sizeof(PLAN) / sizeof(PLAN[0]) && !rc; i++)
        rc = emu_demo_call(e, PLAN[i].handler, PLAN[i].method, PLAN[i].path,
                           emu_str_of(PLAN[i].form), NULL);
    return rc;
}

/* --- companies, cohorts, profiles --- */

static int put_companies(twe *e)
{
    emu_buf body = {0};
    int rc;

    emu_buf_fmt(&body, "api_key=%s&identification=[", e->api_key);
    for (int i = 0; i < 12; i++)
        emu_buf_fmt(&body,
                    "%s{\"group_type\":\"company\",\"group_value\":\"company-%02d\","
                    "\"group_properties\":{\"seats\":%d,\"branch\":\"%s\"}}",
                    i ? "," : "", i, 5 + i * i, i % 3 ? "office" : "hotel");
    emu_buf_ch(&body, ']');
    rc = body.failed ? -1
                     : emu_demo_call(e, emu_do_groupidentify, "POST", "/groupidentify",
                                     (emu_str){body.p, body.n}, NULL);
    emu_buf_free(&body);
    return rc;
}

/* Every `step`-th customer that has come by; the id of the cohort is put into ids. */
static int put_cohort(twe *e, const char *name, int step, emu_buf *ids)
{
    emu_buf body = {0}, reply = {0};
    ej_val doc = {.kind = EJ_OBJECT}, id;
    int rc = -1;

    emu_buf_fmt(&body,
                "{\"name\":\"%s\",\"app_id\":%lld,\"id_type\":\"BY_USER_ID\","
                "\"owner\":\"demo@shop.test\",\"published\":true,\"ids\":[",
                name, (long long)e->app_id);
    for (int i = 0; i < DEMO_CUSTOMERS; i += step)
        emu_buf_fmt(&body, "%s\"customer-%03d\"", i ? "," : "", i);
    emu_buf_z(&body, "]}");
    if (!body.failed)
        rc = emu_demo_call(e, emu_do_cohort_upload, "POST", "/api/3/cohorts/upload",
                           (emu_str){body.p, body.n}, &reply);
    doc.raw = (emu_str){reply.p, reply.n};
    if (!rc && !reply.failed &&
        (ej_get(&doc, "cohortId", &id) || ej_get(&doc, "cohort_id", &id)))
        emu_buf_str(ids, id.raw);
    emu_buf_free(&body);
    emu_buf_free(&reply);
    return rc;
}

static int put_profile(twe *e, const emu_buf *json)
{
    emu_buf err = {0};
    emu_arena a = {0};
    ej_val doc = {.kind = EJ_OBJECT, .raw = {json->p, json->n}};
    bool ok = !json->failed && emu_profile_set(e, &a, &doc, &err);

    emu_buf_free(&err);
    emu_arena_free(&a);
    return ok ? 0 : -1;
}

static int put_profiles(twe *e, const emu_buf *cohorts)
{
    emu_buf json = {0};
    int rc;

    emu_buf_z(
        &json,
        "{\"recommendations\":[{\"rec_id\":\"popular\",\"items\":[\"chair\",\"lamp\","
        "\"rug\"],\"recommendation_source\":\"demo\"}],\"computations\":"
        "{\"orders-30d\":0},\"predictions\":{\"will-buy\":{\"score\":0.12,\"pct\":20}},"
        "\"synced_cohorts\":[");
    emu_buf_put(&json, cohorts->p, cohorts->n);
    emu_buf_z(&json, "]}");
    rc = put_profile(e, &json);
    for (int i = 0; i < DEMO_CUSTOMERS && !rc; i += 7) {
        char user[32];

        snprintf(user, sizeof(user), "customer-%03d", i);
        if (!emu_user_find(&e->store, emu_str_of(user)))
            continue; /* never came, or never said who it was */
        json.n = 0;
        emu_buf_fmt(&json,
                    "{\"user_id\":\"%s\",\"recommendations\":[{\"rec_id\":\"for-you\","
                    "\"items\":[\"sofa\",\"desk\"],\"is_control\":%s}],\"computations\":"
                    "{\"orders-30d\":%d},\"predictions\":{\"will-buy\":{\"score\":0.%02d,"
                    "\"pct\":%d}}}",
                    user, i % 5 ? "false" : "true", i % 4, 10 + i % 80, 15 + i % 80);
        rc = put_profile(e, &json);
    }
    emu_buf_free(&json);
    return rc;
}

/* --- charts --- */

#define OPENED "%7B%22event_type%22%3A%22Shop%20Opened%22%7D"
#define VIEWED "%7B%22event_type%22%3A%22Product%20Viewed%22%7D"
#define PAID "%7B%22event_type%22%3A%22Checkout%20Done%22%7D"
#define ANYBODY_NEW "%7B%22event_type%22%3A%22_new%22%7D"
#define ANYTHING "%7B%22event_type%22%3A%22_active%22%7D"

/* The query goes on with the last four weeks. */
static const struct chart {
    const char *id, *name, *query;
} CHARTS[] = {
    {"visitors", "Visitors by platform",
     "/api/2/events/segmentation?e=" OPENED "&m=uniques&g=platform"},
    {"conversion", "From visit to order",
     "/api/2/funnels?e=" OPENED "&e=" VIEWED "&e=" PAID},
    {"comeback", "Who comes back", "/api/2/retention?se=" ANYBODY_NEW "&re=" ANYTHING},
};

static void put_day(emu_buf *b, int64_t day)
{
    int64_t year;
    unsigned month, of_month;

    emu_civil_from_days(day, &year, &month, &of_month);
    emu_buf_fmt(b, "%04d%02u%02u", (int)year, month, of_month);
}

/* Charts live in memory: they are made anew with every start. */
static int put_charts(twe *e)
{
    int64_t today = emu_now_ms(e) / DEMO_DAY_MS;
    emu_buf json = {0}, err = {0};
    bool ok = true;

    for (size_t i = 0; i < sizeof(CHARTS) / sizeof(CHARTS[0]) && ok; i++) {
        ej_val doc = {.kind = EJ_OBJECT};

        json.n = 0;
        emu_buf_fmt(&json,
                    "{\"id\":\"%s\",\"name\":\"%s\",\"query\":\"%s&start=", CHARTS[i].id,
                    CHARTS[i].name, CHARTS[i].query);
        put_day(&json, today - 28);
        emu_buf_z(&json, "&end=");
        put_day(&json, today - 1);
        emu_buf_z(&json, "\"}");
        doc.raw = (emu_str){json.p, json.n};
        ok = !json.failed && emu_charts_set(&e->charts, &doc, &err);
    }
    emu_buf_free(&json);
    emu_buf_free(&err);
    return ok ? 0 : -1;
}

static int put_all(twe *e)
{
    emu_buf cohorts = {0};
    int rc;

    if (put_charts(e))
        return -1;
    if (e->store.next_seq > 1)
        return 0; /* the store has a life of its own already */
    rc = emu_demo_shop(e) || put_companies(e) || put_plan(e) ||
         put_cohort(e, "Letter readers", 3, &cohorts);
    if (!rc) {
        emu_buf_ch(&cohorts, ',');
        rc = put_cohort(e, "Survey panel", 10, &cohorts) || put_profiles(e, &cohorts);
    }
    emu_buf_free(&cohorts);
    return rc ? -1 : 0;
}

int emu_seed_demo(twe *e, char *err, size_t err_n)
{
    int rc = put_all(e);

    if (rc)
        snprintf(err, err_n, "the demo data could not be stored");
    return rc;
}
