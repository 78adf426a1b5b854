/* SPDX-License-Identifier: MIT */
/* GET /api/2/retention: who came back, from each start, in rolling or calendar windows. */
#include <stdlib.h>
#include <string.h>

#include "best.h"
#include "retention.h"
#include "routes.h"
#include "text.h"

/* What is counted for one group. */
typedef struct tally {
    uint32_t *size;  /* by cohort */
    uint32_t *count; /* by cohort and cell */
    uint32_t all;    /* distinct users */
    uint32_t *complete_out,
        *complete_in;           /* by cell, over cohorts whose cell is complete */
    uint32_t *any_out, *any_in; /* over all cohorts that have the cell */
} tally;

typedef emu_cells bits;
typedef emu_start start;

typedef struct job {
    emu_ask *q;
    emu_retention r;
    emu_prop keys[2];
    size_t key_n;
    emu_best best;
    tally *tallies; /* by kept group */
    emu_best_answer answer;
} job;

/* --- parameters --- */

static bool bad_brackets(job *j)
{
    return emu_ask_fail(j->q,
                        "Invalid parameter rb: a list of [from, to] days was expected");
}

/* False: answered. A reversed range is a 500, as seen live. */
static bool read_bracket(job *j, const ej_val *pair)
{
    ej_cur c = ej_at(pair->raw);
    ej_val v;
    int64_t *to = j->r.bracket[j->r.cells];
    int n = 0;

    if (pair->kind != EJ_ARRAY)
        return bad_brackets(j);
    for (ej_enter(&c); ej_item(&c); n++) {
        ej_take(&c, &v);
        if (n == 2 || !ej_int(&v, &to[n]) || to[n] < 0 || to[n] > 36500)
            return bad_brackets(j);
    }
    if (n != 2)
        return bad_brackets(j);
    if (to[1] < to[0]) {
        emu_dash_error(j->q->r, 500, "Internal Server Error");
        return false;
    }
    j->r.cells++;
    return true;
}

static bool read_brackets(job *j)
{
    emu_str text = emu_param(j->q, "rb");
    ej_info info;
    ej_cur c = ej_at(text);
    ej_val v;

    if (!text.s)
        return emu_ask_fail(j->q, "Missing required parameter rb");
    if (!ej_check(text, &info))
        return bad_brackets(j);
    if (ej_peek(&c) != EJ_ARRAY)
        return bad_brackets(j);
    j->r.bracket = emu_arena_alloc(j->q->a, EMU_BRACKETS_MAX * sizeof(*j->r.bracket));
    if (!j->r.bracket)
        return emu_ask_no_memory(j->q);
    for (ej_enter(&c); ej_item(&c);) {
        ej_take(&c, &v);
        if (j->r.cells == EMU_BRACKETS_MAX)
            return emu_ask_fail(j->q, "Invalid parameter rb: too many brackets");
        if (!read_bracket(j, &v))
            return false;
    }
    return j->r.cells > 0 || bad_brackets(j);
}

static bool read_mode(job *j)
{
    emu_str rm = emu_param(j->q, "rm");

    j->r.mode = N_DAY;
    if (!rm.s || emu_str_is(rm, "nday") ||
        (emu_str_is(rm, "n-day") && EMU_SW(j->q->e, retention_n_day)))
        return true;
    if (emu_str_is(rm, "rolling")) {
        j->r.mode = ROLLING;
        return true;
    }
    if (!emu_str_is(rm, "bracket"))
        return emu_ask_fail(j->q, "Invalid retention method.");
    j->r.mode = BRACKET;
    return read_brackets(j);
}

static bool read_job(job *j)
{
    if (!emu_ask_event(j->q, emu_param(j->q, "se"), "se", &j->r.se) ||
        !emu_ask_event(j->q, emu_param(j->q, "re"), "re", &j->r.re) ||
        !emu_ask_range(j->q, DAYS_AND_LONGER) || !emu_ask_segments(j->q) ||
        !emu_ask_groups(j->q, 1) || !read_mode(j))
        return false;
    j->r.calendar = EMU_SW(j->q->e, retention_windows);
    j->r.unit = j->q->axis.interval == EVERY_DAY ? 24 : j->q->axis.interval;
    if (j->q->g_n)
        j->keys[j->key_n++] = j->q->g[0];
    if (j->r.se.group_n)
        j->keys[j->key_n++] = j->r.se.group[0];
    return true;
}

/* --- groups --- */

static bool make_tallies(job *j)
{
    size_t c = j->q->axis.n, k = j->r.cells + 1;

    j->tallies = calloc(j->best.order_n + 1, sizeof(*j->tallies));
    for (size_t i = 0; i < j->best.order_n && j->tallies; i++) {
        tally *t = &j->tallies[i];

        t->size = calloc(c + c * k + 4 * k, sizeof(*t->size));
        if (!t->size)
            return false;
        t->count = t->size + c;
        t->complete_out = t->count + c * k;
        t->complete_in = t->complete_out + k;
        t->any_out = t->complete_in + k;
        t->any_in = t->any_out + k;
    }
    return j->tallies != NULL;
}

static void add_bits(uint32_t *to, const bits *b)
{
    for (size_t w = 0; w < EMU_CELL_WORDS; w++)
        for (uint64_t left = b->w[w]; left; left &= left - 1)
            to[w * 64 + (size_t)__builtin_ctzll(left)]++;
}

/* Adds one user with all his cohorts to a tally. */
static void count_user(job *j, tally *t)
{
    bits complete_out = {{0}}, complete_in = {{0}}, any_out = {{0}}, any_in = {{0}};

    t->all++;
    for (size_t c = 0; c < j->q->axis.n; c++) {
        bits in;

        if (!j->r.in[c])
            continue;
        t->size[c]++;
        for (size_t w = 0; w < EMU_CELL_WORDS; w++) {
            in.w[w] = j->r.kept[c].w[w] & j->r.exists[c].w[w];
            any_out.w[w] |= j->r.exists[c].w[w];
            any_in.w[w] |= in.w[w];
            complete_out.w[w] |= j->r.complete[c].w[w];
            complete_in.w[w] |= in.w[w] & j->r.complete[c].w[w];
        }
        add_bits(t->count + c * (j->r.cells + 1), &in);
    }
    add_bits(t->complete_out, &complete_out);
    add_bits(t->complete_in, &complete_in);
    add_bits(t->any_out, &any_out);
    add_bits(t->any_in, &any_in);
}

static bool has_group(const job *j, const start *s, const emu_group_key *key)
{
    uint32_t values[EMU_ELEMENTS_MAX];

    for (size_t i = 0; i < j->key_n; i++) {
        size_t n = emu_group_values(j->q, &j->keys[i], &j->r.p.rows[s->row], values,
                                    EMU_ELEMENTS_MAX);
        bool found = false;

        for (size_t k = 0; k < n && !found; k++)
            found = values[k] == key->k[i];
        if (!found)
            return false;
    }
    return true;
}

static void follow_all(job *j, const emu_group_key *key)
{
    size_t n = 0;

    memset(j->r.in, 0, j->q->axis.n * sizeof(*j->r.in));
    for (size_t i = 0; i < j->r.start_n; i++) {
        start *s = &j->r.starts[i];

        if (j->key_n && !has_group(j, s, key))
            continue;
        if (n && j->r.list[n - 1]->cohort != s->cohort) {
            emu_retention_follow(&j->r, j->r.list, n);
            n = 0;
        }
        j->r.list[n++] = s;
    }
    if (n)
        emu_retention_follow(&j->r, j->r.list, n);
}

static bool count_group(job *j, const emu_group_key *key)
{
    uint32_t kept;

    if (!emu_best_user(&j->best, key, &kept))
        return false;
    if (kept == EMU_NO_GROUP)
        return true;
    follow_all(j, key);
    count_user(j, &j->tallies[kept]);
    return true;
}

/* Every combination of values that some start of the user has, once each. */
static bool each_group(job *j)
{
    emu_groups own = {0};
    bool ok = true;

    for (size_t i = 0; i < j->r.start_n && ok; i++) {
        uint32_t values[2][EMU_ELEMENTS_MAX], id;
        size_t n[2] = {1, 1}, room = EMU_ELEMENTS_MAX;
        emu_group_key key = {{0}};

        for (size_t k = 0; k < j->key_n; k++) {
            n[k] = emu_group_set(j->q, &j->keys[k], &j->r.p.rows[j->r.starts[i].row],
                                 values[k], room);
            room /= n[k];
        }
        for (size_t a = 0; a < n[0] && ok; a++) {
            for (size_t b = 0; b < n[1] && ok; b++) {
                key.k[0] = values[0][a];
                key.k[1] = j->key_n > 1 ? values[1][b] : 0;
                ok = emu_groups_add(&own, &key, &id);
            }
        }
    }
    for (size_t i = 0; i < own.n && ok; i++)
        ok = count_group(j, &own.keys[i]);
    emu_groups_free(&own);
    return ok;
}

static bool walk_users(job *j)
{
    emu_group_key none = {{0}};

    for (size_t place = 0; place < j->q->view->user_n; place++) {
        if (!emu_actor_at(j->q, place, &j->r.p))
            continue;
        if (emu_actor_from(&j->r.p, j->q->axis.start) ==
            emu_actor_from(&j->r.p, j->q->axis.end))
            continue;
        if (!emu_segment_meet(j->q, j->r.segment, &j->r.p) ||
            !emu_retention_starts(&j->r))
            return false;
        if (!j->r.start_n)
            continue;
        if ((!j->best.ranking && !emu_retention_backs(&j->r)) ||
            !(j->key_n ? each_group(j) : count_group(j, &none)))
            return false;
    }
    return true;
}

/* --- writing --- */

static void put_cell(emu_buf *out, uint32_t count, uint32_t outof, bool incomplete,
                     bool combined)
{
    emu_buf_fmt(out, "{\"count\":%u,\"outof\":%u,%s\"incomplete\":%s}", count, outof,
                combined ? "\"retainedSetId\":\"\"," : "", incomplete ? "true" : "false");
}

static void put_cohort_name(job *j, size_t c)
{
    emu_buf *out = &j->q->r->out;

    emu_buf_ch(out, '"');
    emu_put_day(out, emu_floor_div(j->q->axis.b[c].label, 86400), true,
                j->q->axis.interval == EVERY_MONTH);
    emu_buf_ch(out, '"');
}

static size_t cells_of(const job *j, size_t c)
{
    size_t n = 0;

    for (size_t k = 0; k < j->r.cells; k++)
        if (emu_cells_have(&j->r.exists[c], k))
            n = k + 1;
    return n;
}

static void put_cohort(job *j, const tally *t, size_t c)
{
    emu_buf *out = &j->q->r->out;
    size_t n = cells_of(j, c);

    put_cohort_name(j, c);
    emu_buf_z(out, ":[");
    put_cell(out, t->size[c], t->size[c], false, false);
    for (size_t k = 0; k < n; k++) {
        emu_buf_ch(out, ',');
        put_cell(out, t->count[c * (j->r.cells + 1) + k], t->size[c],
                 !emu_cells_have(&j->r.complete[c], k), false);
    }
    emu_buf_ch(out, ']');
}

static bool some_complete(const job *j, size_t k)
{
    for (size_t c = 0; c < j->q->axis.n; c++)
        if (emu_cells_have(&j->r.complete[c], k))
            return true;
    return false;
}

static void put_combined(job *j, const tally *t)
{
    emu_buf *out = &j->q->r->out;

    put_cell(out, t->all, t->all, false, true);
    for (size_t k = 0; k < j->r.cells; k++) {
        bool complete = some_complete(j, k);

        emu_buf_ch(out, ',');
        put_cell(out, complete ? t->complete_in[k] : t->any_in[k],
                 complete ? t->complete_out[k] : t->any_out[k], !complete, true);
    }
}

static void put_tally(job *j, const tally *t)
{
    emu_buf *out = &j->q->r->out;

    emu_buf_z(out, "{\"dates\":[");
    for (size_t c = j->q->axis.n; c-- > 0;) {
        put_cohort_name(j, c);
        if (c)
            emu_buf_ch(out, ',');
    }
    emu_buf_z(out, "],\"values\":{");
    for (size_t c = 0; c < j->q->axis.n; c++) {
        if (c)
            emu_buf_ch(out, ',');
        put_cohort(j, t, c);
    }
    emu_buf_z(out, "},\"combined\":[");
    put_combined(j, t);
    emu_buf_z(out, "]}");
}

/* Ungrouped there is one group, also when nobody started. */
static bool choose(job *j)
{
    if (emu_best_begin(&j->best, j->q, j->key_n) && !walk_users(j))
        return false;
    return emu_best_choose(&j->best) && make_tallies(j);
}

static void free_groups(job *j)
{
    for (size_t i = 0; i < j->best.order_n && j->tallies; i++)
        free(j->tallies[i].size);
    free(j->tallies);
    j->tallies = NULL;
    emu_best_free(&j->best);
}

static bool write_segment(job *j, size_t segment)
{
    bool ok;

    j->r.segment = &j->q->segments[segment];
    ok = choose(j) && walk_users(j);
    for (size_t i = 0; i < j->best.order_n && ok; i++) {
        emu_best_next(&j->answer, &j->best, i, "\"\"");
        emu_buf_fmt(&j->answer.meta, "{\"segmentIndex\":%zu,\"eventIndex\":0}", segment);
        put_tally(j, &j->tallies[i]);
    }
    emu_segment_free(j->r.segment);
    free_groups(j);
    return ok;
}

static void compute(job *j)
{
    bool ok = emu_retention_init(&j->r);

    emu_best_answer_begin(&j->answer, j->q);
    for (size_t i = 0; i < j->q->segment_n && ok; i++)
        ok = write_segment(j, i);
    emu_best_answer_end(&j->answer, ok, true);
    emu_retention_free(&j->r);
}

void emu_do_retention(emu_req *r)
{
    emu_ask q;
    job j = {.q = &q, .r.q = &q};

    if (emu_ask_open(&q, r) && read_job(&j) && emu_ask_axis(&q) && emu_ask_pay(&q, 8)) {
        emu_ask_unlock(&q);
        compute(&j);
    }
    emu_ask_close(&q);
}
