/* SPDX-License-Identifier: MIT */
/* GET /api/2/events/list: the visible event types with their totals of this week. */
#include <string.h>

#include "event_flags.h"
#include "query.h"
#include "routes.h"

/* Rows of each type since the week began; -1 for a type without any row. */
static int64_t *count_week(emu_ask *q)
{
    emu_axis x = q->axis;
    int64_t *totals = emu_arena_alloc(q->a, q->type_n * sizeof(*totals)), since;

    x.interval = EVERY_WEEK;
    since = emu_day_start(x.zone, emu_period_start(&x, emu_local_day(x.zone, q->now)));
    for (size_t i = 0; i < q->type_n && totals; i++)
        totals[i] = -1;
    for (size_t i = 0; i < q->view->n && totals; i++) {
        const emu_cell *c = &q->view->cells[i];

        if (c->t > q->now)
            continue;
        totals[c->type] += totals[c->type] < 0;
        totals[c->type] += c->t >= since;
    }
    return totals;
}

static void put_flag(emu_buf *b, const char *name, unsigned flag)
{
    emu_buf_fmt(b, ",\"%s\":%s", name, flag ? "true" : "false");
}

static void put_type(emu_ask *q, size_t i, int64_t totals, bool *first)
{
    emu_store *s = &q->e->store;
    emu_buf *out = &q->r->out;
    unsigned flags = emu_event_flags(s, q->type_name[i]);

    if (flags & (EVENT_HIDDEN | EVENT_DELETED | EVENT_BLOCKED) ||
        !emu_type_is_indexed(q, (uint32_t)i))
        return;
    emu_buf_fmt(out, "%s{\"id\":%zu,\"name\":", *first ? "" : ",", i);
    *first = false;
    emu_buf_quote(out, q->type_name[i]);
    emu_buf_z(out, ",\"value\":");
    emu_buf_quote(out, q->type_name[i]);
    emu_buf_z(out, ",\"display\":");
    emu_buf_quote(out, emu_event_display(s, q->a, q->type_name[i]));
    emu_buf_z(out, ",\"totals\":");
    emu_buf_int(out, totals);
    put_flag(out, "non_active", flags & EVENT_INACTIVE);
    put_flag(out, "deleted", flags & EVENT_DELETED);
    put_flag(out, "hidden", flags & EVENT_HIDDEN);
    put_flag(out, "flow_hidden", flags & EVENT_PATHFINDER_HIDDEN);
    put_flag(out, "timeline_hidden", flags & EVENT_TIMELINE_HIDDEN);
    emu_buf_z(out, ",\"autohidden\":false}");
}

void emu_do_events_list(emu_req *r)
{
    bool first = true;
    emu_ask q;

    if (emu_ask_open(&q, r) && emu_ask_pay(&q, 1)) {
        int64_t *totals = count_week(&q);

        emu_buf_z(&r->out, "{\"data\":[");
        for (size_t i = 0; i < q.type_n && totals; i++)
            if (totals[i] >= 0)
                put_type(&q, i, totals[i], &first);
        emu_buf_z(&r->out, "]}");
        if (totals)
            emu_ask_answer(&q);
        else
            emu_ask_no_memory(&q);
    }
    emu_ask_close(&q);
}
