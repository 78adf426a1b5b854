/* SPDX-License-Identifier: MIT */
/* GET /api/2/funnels: paths added up by group and day. */
#include "funnel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "routes.h"

#define WINDOW_DEFAULT 2592000 /* 30 days (Dashboard REST API docs) */
#define WINDOW_MAX 31622400    /* 366 days (chart page) */

typedef emu_funnel_mark mark;
typedef emu_funnel_sums job;
typedef emu_funnel_value value;

/* --- parameters --- */

static bool read_step(job *j, emu_str text)
{
    emu_event_def *ev = &j->f.steps[j->f.n];

    if (j->f.n == EMU_STEPS_MAX)
        return emu_ask_fail(j->q, "Invalid parameter e: too many steps");
    if (!emu_ask_event(j->q, text, "e", ev))
        return false;
    for (size_t i = 0; i < ev->group_n; i++) {
        if (j->inline_n == 2)
            return emu_ask_fail(j->q, "Invalid group_by: at most two properties");
        j->inline_step[j->inline_n] = j->f.n;
        j->inline_prop[j->inline_n++] = ev->group[i];
    }
    j->f.n++;
    return true;
}

static bool read_steps(job *j)
{
    char name[16];

    for (size_t i = 0;; i++) {
        emu_str text = emu_form_nth(j->q->a, j->q->r->query, "e", i);

        if (!text.s)
            break;
        if (!read_step(j, text))
            return false;
    }
    for (int i = 2; i <= EMU_STEPS_MAX; i++) { /* e2, e3 …: seen to work */
        emu_str text;

        snprintf(name, sizeof(name), "e%d", i);
        text = emu_param(j->q, name);
        if (text.s && !read_step(j, text))
            return false;
    }
    if (j->f.n == 0)
        return emu_ask_fail(j->q, "Missing required parameter e");
    return j->f.n > 1 ||
           emu_ask_fail(j->q, "Invalid parameter e: a funnel has two steps or more");
}

static bool read_job(job *j)
{
    int mode = FUNNEL_ORDERED, n = 1;

    j->f.window = WINDOW_DEFAULT;
    if (!read_steps(j) || !emu_ask_range(j->q, ANY_INTERVAL) || !emu_ask_segments(j->q) ||
        !emu_ask_groups(j->q, 1) ||
        !emu_ask_choice(j->q, "mode", "ordered|unordered|sequential", &mode) ||
        !emu_ask_choice(j->q, "n", "new|active", &n) ||
        !emu_ask_int(j->q, "cs", 1, WINDOW_MAX, &j->f.window))
        return false;
    j->f.mode = (emu_funnel_mode)mode;
    j->f.new_only = n == 0;
    return true;
}

static int64_t cost_of(const job *j)
{
    return 2 * (int64_t)j->f.n + 4 * (int64_t)j->inline_n;
}

/* --- adding up --- */

static bool push(job *j, const mark *m)
{
    if (j->n == j->cap) {
        size_t cap = j->cap ? j->cap * 2 : 4096;
        mark *marks = realloc(j->marks, cap * sizeof(*marks));

        if (!marks)
            return false;
        j->marks = marks;
        j->cap = cap;
    }
    j->marks[j->n++] = *m;
    return true;
}

/* Rows of the step before within the time of the transition, both ends included. */
static uint32_t count_before(const job *j, const emu_path *path, size_t step)
{
    const emu_hit *list = j->f.hits[step - 1];
    uint32_t n = 0;

    for (size_t i = emu_first_hit(list, j->f.hit_n[step - 1], path->second[step - 1]);
         i < j->f.hit_n[step - 1] && list[i].second <= path->second[step]; i++)
        n++;
    return n;
}

static bool put_path(job *j, const emu_path *path, const emu_group_key *key,
                     uint16_t slot)
{
    mark m = {.slot = slot};

    if (!emu_groups_add(&j->groups, key, &m.group))
        return false;
    for (size_t k = 0; k < path->depth; k++) {
        m.step = (uint16_t)k;
        m.before = k && !slot ? count_before(j, path, k) : 0;
        if (k > 0)
            m.seconds = path->second[k] - path->second[k - 1];
        else
            m.seconds =
                path->depth == j->f.n ? path->second[j->f.n - 1] - path->second[0] : -1;
        if (!push(j, &m))
            return false;
    }
    return true;
}

/* A user is in a group for each combination of the values on the rows of his path. */
static bool put_groups(job *j, const emu_path *path, uint16_t slot)
{
    uint32_t values[3][EMU_ELEMENTS_MAX];
    size_t count[3], at[3] = {0}, n = 0, room = EMU_ELEMENTS_MAX;
    emu_group_key key = {{0}};

    for (size_t i = 0; i < j->q->g_n; i++, n++) {
        count[n] =
            emu_group_set(j->q, &j->q->g[i], &j->f.p.rows[path->row[0]], values[n], room);
        room /= count[n];
    }
    for (size_t i = 0; i < j->inline_n; i++, n++) {
        values[n][0] = EMU_NOT_REACHED;
        count[n] = 1;
        if (j->inline_step[i] < path->depth)
            count[n] = emu_group_set(j->q, &j->inline_prop[i],
                                     &j->f.p.rows[path->row[j->inline_step[i]]],
                                     values[n], room);
        room /= count[n];
    }
    for (;;) {
        size_t i = n;

        for (size_t k = 0; k < n; k++)
            key.k[k] = values[k][at[k]];
        if (!put_path(j, path, &key, slot))
            return false;
        while (i > 0 && ++at[i - 1] == count[i - 1])
            at[--i] = 0;
        if (i == 0)
            return true;
    }
}

static bool walk_users(job *j)
{
    const emu_axis *x = &j->q->axis;

    for (size_t place = 0; place < j->q->view->user_n; place++) {
        emu_actor *p = &j->f.p;

        if (!emu_actor_at(j->q, place, p) ||
            emu_actor_from(p, x->start) == emu_actor_from(p, x->end))
            continue;
        if (!emu_funnel_walk(&j->f) || (j->f.best.depth && !put_groups(j, &j->f.best, 0)))
            return false;
        for (size_t i = 0; i < j->f.touched_n; i++) {
            uint32_t b = j->f.touched[i];

            if (j->f.by_bucket[b].depth &&
                !put_groups(j, &j->f.by_bucket[b], (uint16_t)(b + 1)))
                return false;
        }
    }
    return true;
}

/* --- choosing and sorting --- */

typedef struct ranking {
    const job *j;
    const size_t *users;
} ranking;

static int by_users(const void *a, const void *b, void *self)
{
    const ranking *r = self;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    if (r->users[x] != r->users[y])
        return r->users[x] > r->users[y] ? -1 : 1;
    return emu_compare_labels(r->j->q, &r->j->groups.keys[x], &r->j->groups.keys[y],
                              r->j->q->g_n + r->j->inline_n);
}

static bool choose(job *j)
{
    size_t n = j->groups.n, *users = calloc(n + 1, sizeof(*users));
    ranking r = {j, users};

    free(j->kept);
    j->kept = malloc((n + 1) * sizeof(*j->kept));
    if (users && j->kept) {
        for (size_t i = 0; i < j->n; i++)
            users[j->marks[i].group] += j->marks[i].slot == 0 && j->marks[i].step == 0;
        for (size_t i = 0; i < n; i++)
            j->kept[i] = (uint32_t)i;
        qsort_r(j->kept, n, sizeof(*j->kept), by_users, &r);
        j->kept_n = n < j->q->limit ? n : j->q->limit;
    }
    free(users);
    return users && j->kept;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = ((const value *)a)->seconds, y = ((const value *)b)->seconds;

    return x < y ? -1 : x > y;
}

static bool sort_marks(job *j)
{
    size_t cells = emu_funnel_cell(j, j->kept_n, 0, 0), sum = 0;
    uint32_t *kept_of = malloc((j->groups.n + 1) * sizeof(*kept_of));

    free(j->cell);
    free(j->sorted);
    j->cell = calloc(cells + 2, sizeof(*j->cell));
    j->sorted = malloc((j->n + 1) * sizeof(*j->sorted));
    if (!kept_of || !j->cell || !j->sorted) {
        free(kept_of);
        return false;
    }
    for (size_t i = 0; i < j->groups.n; i++)
        kept_of[i] = EMU_NO_GROUP;
    for (size_t i = 0; i < j->kept_n; i++)
        kept_of[j->kept[i]] = (uint32_t)i;
    for (size_t i = 0; i < j->n; i++) {
        const mark *m = &j->marks[i];

        if (kept_of[m->group] != EMU_NO_GROUP)
            j->cell[emu_funnel_cell(j, kept_of[m->group], m->slot, m->step) + 1]++;
    }
    for (size_t i = 0; i <= cells; i++)
        j->cell[i] = sum += j->cell[i];
    for (size_t i = j->n; i-- > 0;) {
        const mark *m = &j->marks[i];
        size_t cell;

        if (kept_of[m->group] == EMU_NO_GROUP)
            continue;
        cell = emu_funnel_cell(j, kept_of[m->group], m->slot, m->step);
        j->sorted[--j->cell[cell + 1]] = (value){m->seconds, m->before};
    }
    /* Each place is now the start of its cell, one further on. */
    memmove(j->cell, j->cell + 1, (cells + 1) * sizeof(*j->cell));
    j->cell[cells] = sum;
    for (size_t i = 0; i < cells; i++)
        if (j->cell[i + 1] - j->cell[i] > 1)
            qsort(j->sorted + j->cell[i], j->cell[i + 1] - j->cell[i], sizeof(*j->sorted),
                  by_value);
    free(kept_of);
    return true;
}

static bool write_segment(job *j, size_t segment)
{
    bool grouped = j->q->g_n + j->inline_n > 0;
    emu_group_key none = {{0}};
    uint32_t id;

    j->n = 0;
    emu_groups_free(&j->groups);
    j->f.segment = &j->q->segments[segment];
    if ((!grouped && !emu_groups_add(&j->groups, &none, &id)) || !walk_users(j) ||
        !choose(j) || !sort_marks(j))
        return false;
    j->any |= j->n > 0;
    emu_segment_free(j->f.segment);
    for (size_t i = 0; i < j->kept_n; i++)
        if (!emu_funnel_put(j, segment, i))
            return false;
    return true;
}

static void compute(job *j)
{
    emu_buf *out = &j->q->r->out;
    bool ok = emu_funnel_init(&j->f);

    emu_buf_z(out, "{\"data\":[");
    for (size_t i = 0; i < j->q->segment_n && ok; i++)
        ok = write_segment(j, i);
    if (!j->any) { /* nobody at all: seen live */
        out->n = 0;
        emu_buf_z(out, "{\"data\":[");
        j->written = 0;
    }
    emu_buf_fmt(out, "],\"numSeries\":%zu}", j->written);
    if (ok)
        emu_ask_answer(j->q);
    else
        emu_ask_no_memory(j->q);
    emu_funnel_free(&j->f);
    emu_groups_free(&j->groups);
    free(j->marks);
    free(j->kept);
    free(j->cell);
    free(j->sorted);
}

void emu_do_funnels(emu_req *r)
{
    emu_ask q;
    job *j = calloc(1, sizeof(*j));

    if (emu_ask_open(&q, r)) {
        if (!j) {
            emu_ask_no_memory(&q);
        } else {
            j->q = j->f.q = &q;
            if (read_job(j) && emu_ask_axis(&q) && emu_ask_pay(&q, cost_of(j))) {
                emu_ask_unlock(&q);
                compute(j);
            }
        }
    }
    emu_ask_close(&q);
    free(j);
}
