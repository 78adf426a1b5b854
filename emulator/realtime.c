/* SPDX-License-Identifier: MIT */
/* GET /api/2/realtime: active users of each five minutes of today and yesterday. */
#include <string.h>

#include "match.h"
#include "routes.h"

#define SLOTS 288
#define SLOT_MS 300000LL
#define DAY_MS 86400000LL

static void count(emu_ask *q, int64_t since, uint32_t slots[2 * SLOTS])
{
    int64_t end = since + 2 * SLOTS * SLOT_MS;
    emu_actor p;

    memset(slots, 0, 2 * SLOTS * sizeof(*slots));
    for (size_t place = 0; place < q->view->user_n; place++) {
        int64_t last = -1;

        if (!emu_actor_at(q, place, &p))
            continue;
        for (size_t i = emu_actor_from(&p, since); i < p.n && p.rows[i].t < end; i++) {
            int64_t slot = (p.rows[i].t - since) / SLOT_MS;

            if (slot == last || q->inactive[p.rows[i].type])
                continue;
            slots[slot]++;
            last = slot;
        }
    }
}

static void put_day(emu_buf *out, const uint32_t *slots)
{
    for (int i = 0; i < SLOTS; i++) {
        emu_buf_ch(out, i ? ',' : '[');
        emu_buf_int(out, slots[i]);
    }
    emu_buf_ch(out, ']');
}

static void reply(emu_ask *q)
{
    const emu_zone *z = q->axis.zone;
    emu_buf *out = &q->r->out;
    uint32_t slots[2 * SLOTS];
    int64_t s = emu_floor_div(q->now, 1000), offset = emu_zone_offset(z, s) * 1000;
    int64_t end = emu_floor_div(q->now + offset, SLOT_MS) * SLOT_MS - offset;

    count(q, end - 2 * DAY_MS, slots);
    emu_buf_z(out, "{\"data\":{\"xValues\":[");
    for (int i = 0; i < SLOTS; i++) {
        int64_t at = (end - DAY_MS + i * SLOT_MS) / 1000;
        int64_t local = at + emu_zone_offset(z, at);
        int64_t minute = emu_floor_div(local, 60) - emu_floor_div(local, 86400) * 1440;

        emu_buf_fmt(out, "%s\"%02d:%02d\"", i ? "," : "", (int)(minute / 60),
                    (int)(minute % 60));
    }
    emu_buf_z(out, "],\"seriesLabels\":[\"Today\",\"Yesterday\"],\"series\":[");
    put_day(out, slots + SLOTS);
    emu_buf_ch(out, ',');
    put_day(out, slots);
    emu_buf_z(out, "]}}");
    emu_ask_answer(q);
}

void emu_do_realtime(emu_req *r)
{
    int64_t i = 5;
    emu_ask q;

    if (emu_ask_open(&q, r) && emu_ask_int(&q, "i", 5, 5, &i) && emu_ask_pay(&q, 1)) {
        emu_ask_unlock(&q);
        reply(&q);
    }
    emu_ask_close(&q);
}
