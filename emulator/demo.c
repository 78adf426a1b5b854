/* SPDX-License-Identifier: MIT */
/* --seed demo: a small shop with a few hundred customers over four weeks, always the same. */
#include <stdio.h>
#include <stdlib.h>

#include "ingest.h"
#include "routes.h"

#define DAYS 28
#define CUSTOMERS 300
#define VISITS_A_DAY 45
#define DAY_MS 86400000LL

typedef struct demo {
    twe *e;
    uint64_t random;
    emu_buf body;
    int64_t midnight_ms; /* of the day being made */
    int n;               /* events in the body */
    int serial;
} demo;

/* xorshift: the shop must look the same on every machine. */
static unsigned draw(demo *d, unsigned below)
{
    d->random ^= d->random << 13;
    d->random ^= d->random >> 7;
    d->random ^= d->random << 17;
    return (unsigned)((d->random >> 20) % below);
}

/* Runs one of the API's own handlers on a body made here. */
static int call(twe *e, emu_handler *handler, const char *path, emu_str body)
{
    emu_req r = {.e = e,
                 .fd = -1,
                 .method = EMU_LIT("POST"),
                 .path = emu_str_of(path),
                 .body = body,
                 .received_ms = emu_now_ms(e)};
    int rc;

    handler(&r);
    rc = r.status == 200 ? 0 : -1;
    emu_buf_free(&r.out);
    free(r.marks);
    emu_arena_free(&r.arena);
    return rc;
}

static void put_event(demo *d, unsigned who, const char *type, int64_t at,
                      int64_t session, const char *properties)
{
    static const char *const countries[] = {"Chile", "France", "Norway", "Kenya"};
    static const char *const platforms[] = {"Web", "iOS", "Android"};
    static const char *const tiers[] = {"bronze", "silver", "gold"};

    emu_buf_fmt(
        &d->body,
        "%s{\"user_id\":\"customer-%03u\",\"device_id\":\"device-%03u\",\"event_type\":"
        "\"%s\",\"time\":%lld,\"session_id\":%lld,\"insert_id\":\"demo-%d\",\"country\":"
        "\"%s\",\"platform\":\"%s\",\"event_properties\":{%s},\"user_properties\":"
        "{\"tier\":\"%s\"}}",
        d->n++ ? "," : "", who, who, type, (long long)at, (long long)session, d->serial++,
        countries[who % 4], platforms[who % 3], properties, tiers[who % 7 % 3]);
}

/* A visit loses people at every step, as shops do. */
static void put_visit(demo *d)
{
    static const char *const products[] = {"chair", "lamp", "table", "rug", "shelf"};
    unsigned who = draw(d, CUSTOMERS), views = 1 + draw(d, 4), product = draw(d, 5);
    int64_t start = d->midnight_ms + draw(d, (unsigned)(DAY_MS - 3600000)), at = start;
    char text[128];

    put_event(d, who, "Shop Opened", at, start, "");
    snprintf(text, sizeof(text), "\"product\":\"%s\"", products[product]);
    for (unsigned i = 0; i < views; i++)
        put_event(d, who, "Product Viewed", at += 20000 + draw(d, 60000), start, text);
    if (draw(d, 100) >= 55)
        return;
    put_event(d, who, "Basket Filled", at += 30000, start, text);
    if (draw(d, 100) >= 50)
        return;
    snprintf(text, sizeof(text),
             "\"product\":\"%s\",\"$price\":%u.%02u,\"$quantity\":1,"
             "\"$revenue\":%u.%02u",
             products[product], 19 + product * 20, 90u, 19 + product * 20, 90u);
    put_event(d, who, "Checkout Done", at + 60000, start, text);
}

static int put_day(demo *d)
{
    d->body.n = 0;
    d->n = 0;
    emu_buf_fmt(&d->body, "{\"api_key\":\"%s\",\"events\":[", d->e->api_key);
    for (int i = 0; i < VISITS_A_DAY; i++)
        put_visit(d);
    emu_buf_z(&d->body, "]}");
    if (d->body.failed)
        return -1;
    return call(d->e, emu_do_ingest, "/batch", (emu_str){d->body.p, d->body.n});
}

static int put_cohort(demo *d)
{
    d->body.n = 0;
    emu_buf_fmt(
        &d->body,
        "{\"name\":\"First fifty customers\",\"app_id\":%lld,\"id_type\":\"BY_USER_ID\","
        "\"owner\":\"demo@shop.test\",\"published\":true,\"ids\":[",
        (long long)d->e->app_id);
    for (int i = 0; i < 50; i++)
        emu_buf_fmt(&d->body, "%s\"customer-%03d\"", i ? "," : "", i);
    emu_buf_z(&d->body, "]}");
    return d->body.failed ? -1
                          : call(d->e, emu_do_cohort_upload, "/api/3/cohorts/upload",
                                 (emu_str){d->body.p, d->body.n});
}

int emu_seed_demo(twe *e, char *err, size_t err_n)
{
    demo d = {.e = e, .random = 20261123};
    int64_t today = emu_now_ms(e) / DAY_MS * DAY_MS, offset = e->clock_offset_ms;
    int rc = 0;

    if (e->store.next_seq > 1)
        return 0; /* the store has a life of its own already */
    for (int day = DAYS; day > 0 && !rc; day--) {
        d.midnight_ms = today - day * DAY_MS;
        e->clock_offset_ms = offset - (day - 1) * DAY_MS; /* uploaded the day after */
        rc = put_day(&d);
    }
    e->clock_offset_ms = offset;
    if (!rc)
        rc = put_cohort(&d);
    emu_buf_free(&d.body);
    if (rc)
        snprintf(err, err_n, "the demo data could not be stored");
    return rc;
}
