/* SPDX-License-Identifier: MIT */
/* GET /api/2/composition: active users under every value that a property of theirs had. */
#include <stdlib.h>

#include "parts.h"
#include "routes.h"

#define VALUES_MAX 100
#define ELEMENTS_MAX 1000

typedef struct job {
    emu_ask *q;
    emu_prop p;
    emu_groups groups;
    uint32_t *users, *last; /* by group: how many, and the last one + 1 */
    size_t cap;
} job;

static bool add(job *j, uint32_t value, uint32_t user)
{
    emu_group_key key = {{value}};
    uint32_t g;

    if (!emu_groups_add(&j->groups, &key, &g))
        return false;
    if (g >= j->cap) {
        size_t cap = j->cap ? j->cap * 2 : 256;
        uint32_t *users = realloc(j->users, cap * sizeof(*users)), *last;

        j->users = users ? users : j->users;
        last = realloc(j->last, cap * sizeof(*last));
        j->last = last ? last : j->last;
        if (!users || !last)
            return false;
        for (size_t i = j->cap; i < cap; i++)
            users[i] = last[i] = 0;
        j->cap = cap;
    }
    j->users[g] += j->last[g] != user + 1;
    j->last[g] = user + 1;
    return true;
}

static bool walk(job *j)
{
    uint32_t values[ELEMENTS_MAX];
    const emu_axis *x = &j->q->axis;
    emu_actor p;

    for (size_t place = 0; place < j->q->view->user_n; place++) {
        if (!emu_actor_at(j->q, place, &p))
            continue;
        for (size_t i = emu_actor_from(&p, x->start); i < p.n && p.rows[i].t < x->end;
             i++) {
            size_t n;

            if (j->q->inactive[p.rows[i].type])
                continue;
            n = emu_group_set(j->q, &j->p, &p.rows[i], values, ELEMENTS_MAX);
            for (size_t k = 0; k < n; k++)
                if (!add(j, values[k], (uint32_t)place))
                    return false;
        }
    }
    return true;
}

static int by_users(const void *a, const void *b, void *self)
{
    const job *j = self;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    if (j->users[x] != j->users[y])
        return j->users[x] > j->users[y] ? -1 : 1;
    return emu_compare_labels(j->q, &j->groups.keys[x], &j->groups.keys[y], 1);
}

static void compute(job *j)
{
    emu_buf *out = &j->q->r->out;
    uint32_t *order = walk(j) ? malloc((j->groups.n + 1) * sizeof(*order)) : NULL;
    size_t n = j->groups.n < VALUES_MAX ? j->groups.n : VALUES_MAX;

    if (!order) {
        emu_ask_no_memory(j->q);
    } else {
        for (size_t i = 0; i < j->groups.n; i++)
            order[i] = (uint32_t)i;
        if (j->groups.n > 1)
            qsort_r(order, j->groups.n, sizeof(*order), by_users, j);
        emu_buf_z(out, "{\"data\":{\"series\":[[");
        for (size_t i = 0; i < n; i++)
            emu_buf_fmt(out, "%s%u", i ? "," : "", j->users[order[i]]);
        emu_buf_z(out, "]],\"seriesLabels\":[");
        emu_buf_quote(out, j->p.name);
        emu_buf_z(out, "],\"xValues\":[");
        for (size_t i = 0; i < n; i++) {
            if (i)
                emu_buf_ch(out, ',');
            emu_buf_quote(out, emu_label_of(j->q, j->groups.keys[order[i]].k[0]));
        }
        emu_buf_z(out, "]}}");
        emu_ask_answer(j->q);
    }
    free(order);
    free(j->users);
    free(j->last);
    emu_groups_free(&j->groups);
}

void emu_do_composition(emu_req *r)
{
    emu_ask q;
    job j = {.q = &q};
    emu_str name;

    if (emu_ask_open(&q, r) && emu_ask_range(&q, DAYS_ONLY)) {
        name = emu_param(&q, "p");
        if (!name.s) {
            emu_ask_fail(&q, "Missing required parameter p");
        } else if (emu_ask_user_prop(&q, name, &j.p) && emu_ask_axis(&q) &&
                   emu_ask_pay(&q, 1)) {
            emu_ask_unlock(&q);
            compute(&j);
        }
    }
    emu_ask_close(&q);
}
