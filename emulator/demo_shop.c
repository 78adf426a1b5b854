/* SPDX-License-Identifier: MIT */
/* Events of the demo project: a furniture shop that grows, keeps some of its customers and loses
 * people at every step; the same on every machine. */
#include <stdio.h>
#include <stdlib.h>

#include "demo.h"
#include "ingest.h"

typedef struct product {
    const char *name, *category;
    int cents;
} product;

static const product PRODUCTS[] = {
    {"chair", "seating", 3990}, {"stool", "seating", 2490}, {"sofa", "seating", 49900},
    {"lamp", "light", 2990},    {"candle", "light", 890},   {"table", "tables", 15900},
    {"desk", "tables", 19900},  {"shelf", "storage", 6990}, {"rug", "textiles", 8990},
};

#define PRODUCT_N (sizeof(PRODUCTS) / sizeof(PRODUCTS[0]))

typedef struct customer {
    int joined; /* day of the first visit, negative before the first day */
    int visits, orders;
    bool loyal, anonymous;
} customer;

typedef struct shop {
    twe *e;
    uint64_t random;
    emu_buf body;
    int64_t midnight_ms; /* of the day being made */
    int day;
    int n;      /* events in the body */
    int serial; /* for insert_ids */
    customer customers[DEMO_CUSTOMERS];
} shop;

/* The visit being made. */
typedef struct visit {
    unsigned who;
    customer *c;
    int64_t session, at;
} visit;

/* xorshift: the shop must look the same on every machine. */
static unsigned draw(shop *s, unsigned below)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (unsigned)((s->random >> 20) % below);
}

static bool chance(shop *s, unsigned percent)
{
    return draw(s, 100) < percent;
}

static const char *source_of(unsigned who)
{
    static const char *const sources[] = {"search", "newsletter", "friend", "advert"};

    return sources[who * 7 % 11 % 4];
}

static const char *tier_of(const customer *c)
{
    return c->orders >= 4 ? "gold" : c->orders >= 2 ? "silver" : "bronze";
}

static void put_built_ins(shop *s, unsigned who)
{
    static const char *const places[][3] = {{"Chile", "Santiago", "es"},
                                            {"France", "Lyon", "fr"},
                                            {"Norway", "Bergen", "no"},
                                            {"Kenya", "Nairobi", "en"},
                                            {"Japan", "Osaka", "ja"}};
    static const char *const devices[][3] = {
        {"Web", "Firefox", "148"}, {"iOS", "iOS", "19.1"}, {"Android", "Android", "16"}};
    const char *const *place = places[who * 13 % 17 % 5];
    const char *const *device = devices[who % 3];

    emu_buf_fmt(
        &s->body,
        ",\"country\":\"%s\",\"city\":\"%s\",\"language\":\"%s\",\"platform\":\"%s\","
        "\"os_name\":\"%s\",\"os_version\":\"%s\",\"app_version\":\"%s\"",
        place[0], place[1], place[2], device[0], device[1], device[2],
        s->day < 20   ? "2.0.0"
        : s->day < 41 ? "2.1.0"
                      : "2.2.0");
}

/* `rest` are further members of the event, each with a comma before it. */
static void put_event(shop *s, visit *v, const char *type, const char *rest)
{
    emu_buf_fmt(&s->body,
                "%s{\"device_id\":\"device-%03u\",\"event_type\":\"%s\",\"time\":%lld,"
                "\"session_id\":%lld,\"insert_id\":\"demo-%d\"",
                s->n++ ? "," : "", v->who, type, (long long)v->at, (long long)v->session,
                s->serial++);
    if (!v->c->anonymous)
        emu_buf_fmt(&s->body, ",\"user_id\":\"customer-%03u\"", v->who);
    put_built_ins(s, v->who);
    /* One customer in six buys for a company. */
    if (v->who % 6 == 0)
        emu_buf_fmt(&s->body, ",\"groups\":{\"company\":\"company-%02u\"}",
                    v->who / 6 % 12);
    emu_buf_z(&s->body, rest);
    emu_buf_ch(&s->body, '}');
    v->at += 4000 + draw(s, 50000);
}

static void put_opening(shop *s, visit *v)
{
    emu_buf rest = {0};

    emu_buf_fmt(&rest, ",\"event_properties\":{\"source\":\"%s\",\"returning\":%s}",
                v->c->visits && chance(s, 40) ? "newsletter" : source_of(v->who),
                v->c->visits ? "true" : "false");
    emu_buf_fmt(&rest,
                ",\"user_properties\":{\"$setOnce\":{\"first_source\":\"%s\"},\"$add\":"
                "{\"visits\":1},\"$set\":{\"tier\":\"%s\"}}",
                source_of(v->who), tier_of(v->c));
    emu_buf_ch(&rest, 0);
    if (!rest.failed)
        put_event(s, v, "Shop Opened", rest.p);
    emu_buf_free(&rest);
    v->c->visits++;
    /* Noise that the plan calls inactive. */
    if (chance(s, 30))
        put_event(s, v, "Heartbeat Sent", "");
}

static void put_product(shop *s, visit *v, const char *type, const product *p,
                        const char *more)
{
    emu_buf rest = {0};

    emu_buf_fmt(&rest,
                ",\"event_properties\":{\"product\":\"%s\",\"category\":\"%s\",\"price\":"
                "%d.%02d%s}",
                p->name, p->category, p->cents / 100, p->cents % 100, more);
    emu_buf_ch(&rest, 0);
    if (!rest.failed)
        put_event(s, v, type, rest.p);
    emu_buf_free(&rest);
}

static void put_order(shop *s, visit *v, const product *p)
{
    static const char *const methods[] = {"card", "card", "wallet", "iban"};
    unsigned quantity = p->cents < 10000 ? 1 + draw(s, 3) : 1;
    const char *method = methods[draw(s, 4)];
    bool gift = chance(s, 10), sale = s->day % 28 == 25; /* once in four weeks */
    emu_buf rest = {0};

    emu_buf_fmt(&rest,
                ",\"price\":%d.%02d,\"quantity\":%u,\"productId\":\"%s\",\"revenueType\":"
                "\"order\",\"event_properties\":{\"product\":\"%s\",\"category\":\"%s\","
                "\"method\":\"%s\",\"gift\":%s,\"tags\":[%s\"%s\"]}",
                p->cents / 100, p->cents % 100, quantity, p->name, p->name, p->category,
                method, gift ? "true" : "false", sale ? "\"sale\"," : "",
                quantity > 1 ? "several" : "single");
    emu_buf_ch(&rest, 0);
    if (!rest.failed)
        put_event(s, v, "Checkout Done", rest.p);
    emu_buf_free(&rest);
    v->c->orders++;
}

static void put_account(shop *s, visit *v)
{
    v->c->anonymous = false;
    put_event(s, v, "Account Created",
              ",\"user_properties\":{\"$set\":{\"member\":true}}");
}

/* From the door to the checkout, with losses on the way. */
static void put_visit(shop *s, unsigned who)
{
    customer *c = &s->customers[who];
    visit v = {.who = who, .c = c};
    unsigned views = draw(s, 6);
    const product *p;
    char stars[32];

    v.session = v.at = s->midnight_ms + 7 * 3600000LL + draw(s, 15 * 3600000);
    put_opening(s, &v);
    if (chance(s, 35))
        put_event(s, &v, "Search Done",
                  chance(s, 80) ? ",\"event_properties\":{\"results\":12}"
                                : ",\"event_properties\":{\"results\":0}");
    for (p = NULL; views-- > 0;) {
        p = &PRODUCTS[draw(s, PRODUCT_N)];
        put_product(s, &v, "Product Viewed", p, "");
    }
    if (!p)
        return;
    if (c->orders && chance(s, 20)) {
        snprintf(stars, sizeof(stars), ",\"stars\":%u",
                 chance(s, 60) ? 5 : 1 + draw(s, 5));
        put_product(s, &v, "Review Written", p, stars);
    }
    if (!chance(s, c->loyal ? 65 : 45))
        return;
    put_product(s, &v, "Basket Filled", p, "");
    if (!chance(s, 60))
        return;
    put_event(s, &v, "Checkout Started", "");
    if (c->anonymous)
        put_account(s, &v);
    if (chance(s, who % 3 == 0 ? 80 : 65)) /* the web shop loses fewer */
        put_order(s, &v, p);
}

/* Fewer come the longer ago the first visit is; loyal ones keep coming, weekends draw more. */
static bool comes(shop *s, const customer *c)
{
    int age = s->day - c->joined;
    unsigned percent;

    if (age <= 0)
        return age == 0;
    percent = c->loyal ? 28 : (unsigned)(95 / (age + 3));
    if (age % 7 == 0)
        percent += 6; /* the newsletter */
    return chance(s, s->day % 7 >= 5 ? percent * 13 / 10 : percent);
}

static int put_day(shop *s)
{
    s->body.n = 0;
    s->n = 0;
    emu_buf_fmt(&s->body, "{\"api_key\":\"%s\",\"events\":[", s->e->api_key);
    for (unsigned who = 0; who < DEMO_CUSTOMERS; who++)
        if (comes(s, &s->customers[who]))
            put_visit(s, who);
    emu_buf_z(&s->body, "]}");
    if (s->body.failed)
        return -1;
    return emu_demo_call(s->e, emu_do_ingest, "POST", "/batch",
                         (emu_str){s->body.p, s->body.n}, NULL);
}

/* The shop wins more customers every week; a third of them look around without an account. */
static void open_shop(shop *s)
{
    for (int who = 0; who < DEMO_CUSTOMERS; who++) {
        customer *c = &s->customers[who];
        unsigned a = draw(s, DEMO_DAYS + 10), b = draw(s, DEMO_DAYS + 10);

        c->joined = (int)(a > b ? a : b) - 10;
        c->loyal = chance(s, 15);
        c->anonymous = chance(s, 33);
    }
}

int emu_demo_shop(twe *e)
{
    shop *s = calloc(1, sizeof(*s));
    int64_t today = emu_now_ms(e) / DEMO_DAY_MS * DEMO_DAY_MS,
            offset = e->clock_offset_ms;
    int rc = s ? 0 : -1;

    if (s) {
        s->e = e;
        s->random = 20261123;
        open_shop(s);
    }
    for (int day = 0; day < DEMO_DAYS && !rc; day++) {
        s->day = day;
        s->midnight_ms = today - (DEMO_DAYS - day) * DEMO_DAY_MS;
        /* uploaded the day after */
        e->clock_offset_ms = offset - (DEMO_DAYS - day - 1) * DEMO_DAY_MS;
        rc = put_day(s);
    }
    e->clock_offset_ms = offset;
    if (s)
        emu_buf_free(&s->body);
    free(s);
    return rc;
}
