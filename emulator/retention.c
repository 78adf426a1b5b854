/* SPDX-License-Identifier: MIT */
/* GET /api/2/retention: who came back, from each start, in rolling or calendar windows. */
#include <stdlib.h>
#include <string.h>

#include "best.h"
#include "routes.h"
#include "text.h"

#define CELLS_MAX 365    /* cells of a cohort (chart page) */
#define BRACKETS_MAX 100 /* (chart page) */
#define WORDS 6          /* bits for CELLS_MAX */
#define HOUR_MS 3600000LL
#define DAY_MS 86400000LL
#define ELEMENTS_MAX 1000 /* groups that arrays split a start into; ours */

typedef enum mode { N_DAY, ROLLING, BRACKET } mode;

typedef struct bits {
    uint64_t w[WORDS];
} bits;

/* What is counted for one group. */
typedef struct tally {
    uint32_t *size;  /* by cohort */
    uint32_t *count; /* by cohort and cell */
    uint32_t all;    /* distinct users */
    uint32_t *complete_out,
        *complete_in;           /* by cell, over cohorts whose cell is complete */
    uint32_t *any_out, *any_in; /* over all cohorts that have the cell */
} tally;

/* A start: the cohort it falls into and where windows are counted from. */
typedef struct start {
    int64_t t, origin;
    uint32_t row, cohort;
} start;

typedef struct job {
    emu_ask *q;
    mode mode;
    bool calendar;
    int64_t unit; /* hours when i=1, else days */
    emu_event_def se, re;
    emu_prop keys[2];
    size_t key_n;
    int64_t (*bracket)[2];
    size_t cells;            /* at most, of any cohort */
    bits *exists, *complete; /* by cohort */

    emu_best best;
    tally *tallies; /* by kept group */

    emu_segment *segment;
    emu_actor p;
    start *starts;
    size_t start_n, start_cap;
    start **list; /* scratch, as long as starts */
    struct back {
        int64_t t, at; /* a return, and its time as windows see it */
    } * backs;
    size_t back_n, back_cap;
    bits *kept; /* by cohort: cells that the user came back in */
    bool *in;   /* by cohort: the user has a start there */
    size_t written;
} job;

static void set_bit(bits *b, size_t k)
{
    b->w[k / 64] |= 1ull << (k % 64);
}

static bool get_bit(const bits *b, size_t k)
{
    return b->w[k / 64] >> (k % 64) & 1;
}

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
    int64_t *to = j->bracket[j->cells];
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
    j->cells++;
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
    j->bracket = emu_arena_alloc(j->q->a, BRACKETS_MAX * sizeof(*j->bracket));
    if (!j->bracket)
        return emu_ask_no_memory(j->q);
    for (ej_enter(&c); ej_item(&c);) {
        ej_take(&c, &v);
        if (j->cells == BRACKETS_MAX)
            return emu_ask_fail(j->q, "Invalid parameter rb: too many brackets");
        if (!read_bracket(j, &v))
            return false;
    }
    return j->cells > 0 || bad_brackets(j);
}

static bool read_mode(job *j)
{
    emu_str rm = emu_param(j->q, "rm");

    j->mode = N_DAY;
    if (!rm.s || emu_str_is(rm, "nday") ||
        (emu_str_is(rm, "n-day") && EMU_SW(j->q->e, retention_n_day)))
        return true;
    if (emu_str_is(rm, "rolling")) {
        j->mode = ROLLING;
        return true;
    }
    if (!emu_str_is(rm, "bracket"))
        return emu_ask_fail(j->q, "Invalid retention method.");
    j->mode = BRACKET;
    return read_brackets(j);
}

static bool read_job(job *j)
{
    if (!emu_ask_event(j->q, emu_param(j->q, "se"), "se", &j->se) ||
        !emu_ask_event(j->q, emu_param(j->q, "re"), "re", &j->re) ||
        !emu_ask_range(j->q, DAYS_AND_LONGER) || !emu_ask_segments(j->q) ||
        !emu_ask_groups(j->q, 1) || !read_mode(j))
        return false;
    j->calendar = EMU_SW(j->q->e, retention_windows);
    j->unit = j->q->axis.interval == EVERY_DAY ? 24 : j->q->axis.interval;
    if (j->q->g_n)
        j->keys[j->key_n++] = j->q->g[0];
    if (j->se.group_n)
        j->keys[j->key_n++] = j->se.group[0];
    return true;
}

/* --- which cells there are --- */

static int64_t period_later(const job *j, int64_t day, int64_t k)
{
    for (; k > 0; k--)
        day = emu_period_next(&j->q->axis, day);
    return day;
}

/* k units after the start of the cohort (or `late`: its end), as an instant. */
static int64_t units_later(const job *j, size_t cohort, int64_t k, bool late)
{
    const emu_axis *x = &j->q->axis;
    int64_t t = late ? x->b[cohort].b : x->b[cohort].a, day;

    if (j->calendar && j->mode != BRACKET) {
        day = emu_period_start(x, emu_local_day(x->zone, x->b[cohort].a));
        return emu_day_start(x->zone, period_later(j, day, k));
    }
    if (x->interval == EVERY_DAY && !j->calendar)
        return t + k * DAY_MS;
    return emu_days_later(x->zone, t, j->mode == BRACKET ? k : k * j->unit);
}

static bool is_complete(const job *j, size_t cohort, size_t k)
{
    int64_t end = j->mode == BRACKET ? j->bracket[k][1] : (int64_t)k + 1;

    return j->q->now >= units_later(j, cohort, end, true);
}

static bool is_there(const job *j, size_t cohort, size_t k)
{
    int64_t from = j->mode == BRACKET ? j->bracket[k][0] : (int64_t)k;

    return units_later(j, cohort, from, false) <= j->q->now;
}

static bool find_cells(job *j)
{
    size_t n = j->q->axis.n, most = j->mode == BRACKET ? j->cells : CELLS_MAX;

    j->exists = emu_arena_alloc(j->q->a, n * sizeof(*j->exists));
    j->complete = emu_arena_alloc(j->q->a, n * sizeof(*j->complete));
    if (!j->exists || !j->complete)
        return false;
    memset(j->exists, 0, n * sizeof(*j->exists));
    memset(j->complete, 0, n * sizeof(*j->complete));
    j->cells = 0;
    for (size_t c = 0; c < n; c++) {
        for (size_t k = 0; k < most; k++) {
            if (!is_there(j, c, k)) {
                if (j->mode != BRACKET)
                    break; /* nor is any later one */
                continue;
            }
            set_bit(&j->exists[c], k);
            if (is_complete(j, c, k))
                set_bit(&j->complete[c], k);
            j->cells = k + 1 > j->cells ? k + 1 : j->cells;
        }
    }
    return true;
}

/* --- one user --- */

static int64_t floor_hour(const job *j, int64_t t)
{
    int64_t s = emu_floor_div(t, 1000), local = s + emu_zone_offset(j->q->axis.zone, s);

    return (s - (local - emu_floor_div(local, 3600) * 3600)) * 1000;
}

/* The time of a row as windows see it: its hour (in ms), its local day or its period. */
static int64_t seen_time(const job *j, int64_t t)
{
    int64_t day, y;
    unsigned m, d;

    if (!j->calendar && j->q->axis.interval == EVERY_DAY)
        return floor_hour(j, t);
    day = emu_local_day(j->q->axis.zone, t);
    if (!j->calendar || j->mode == BRACKET || j->q->axis.interval == EVERY_DAY)
        return day;
    if (j->q->axis.interval == EVERY_WEEK)
        return emu_floor_div(emu_period_start(&j->q->axis, day), 7);
    emu_civil_from_days(day, &y, &m, &d);
    return y * 12 + m;
}

/* Windows between a start and a return. */
static int64_t distance(const job *j, int64_t origin, int64_t back)
{
    int64_t d = back - origin;

    if (!j->calendar && j->q->axis.interval == EVERY_DAY)
        return emu_floor_div(d, DAY_MS);
    if (j->calendar || j->mode == BRACKET)
        return d;
    return emu_floor_div(d, j->unit);
}

static bool push_start(job *j, const start *s)
{
    if (j->start_n == j->start_cap) {
        size_t cap = j->start_cap ? j->start_cap * 2 : 256;
        start *grown = realloc(j->starts, cap * sizeof(*grown)), **list;

        j->starts = grown ? grown : j->starts;
        list = realloc(j->list, cap * sizeof(*list));
        j->list = list ? list : j->list;
        if (!grown || !list)
            return false;
        j->start_cap = cap;
    }
    j->starts[j->start_n++] = *s;
    return true;
}

static bool push_back(job *j, int64_t t)
{
    int64_t at = seen_time(j, t);

    /* Of the returns of an hour (or day) the last one is at or after most starts. */
    if (j->back_n && j->backs[j->back_n - 1].at == at) {
        j->backs[j->back_n - 1].t = t;
        return true;
    }
    if (j->back_n == j->back_cap) {
        size_t cap = j->back_cap ? j->back_cap * 2 : 256;
        struct back *grown = realloc(j->backs, cap * sizeof(*grown));

        if (!grown)
            return false;
        j->backs = grown;
        j->back_cap = cap;
    }
    j->backs[j->back_n++] = (struct back){t, at};
    return true;
}

/* For new users any row of the clock hour of the first one may pass the segment. */
static bool passes(job *j, size_t row, const emu_bucket *b)
{
    int64_t hour = floor_hour(j, j->p.rows[row].t);

    if (!emu_segment_who(j->q, j->segment, b->a, b->b))
        return false;
    if (j->se.special != EV_NEW)
        return emu_segment_row(j->q, j->segment, &j->p, &j->p.rows[row]);
    for (size_t i = row; i < j->p.n && j->p.rows[i].t < hour + HOUR_MS; i++)
        if (emu_segment_row(j->q, j->segment, &j->p, &j->p.rows[i]))
            return true;
    return false;
}

static bool list_starts(job *j)
{
    const emu_axis *x = &j->q->axis;
    size_t to = emu_actor_from(&j->p, x->end), bucket = 0;

    j->start_n = 0;
    for (size_t i = emu_actor_from(&j->p, x->start); i < to; i++) {
        const emu_cell *c = &j->p.rows[i];
        start s = {.t = c->t, .row = (uint32_t)i};

        while (c->t >= x->b[bucket].b)
            bucket++;
        s.cohort = (uint32_t)bucket;
        if (j->se.special == EV_NEW && i > 0)
            break;
        if (!emu_event_fits(j->q, &j->se, c) || !passes(j, i, &x->b[bucket]))
            continue;
        s.origin = seen_time(j, c->t);
        if (!push_start(j, &s))
            return false;
    }
    return true;
}

static bool list_backs(job *j)
{
    j->back_n = 0;
    for (size_t i = emu_actor_from(&j->p, j->starts[0].t); i < j->p.n; i++) {
        const emu_cell *c = &j->p.rows[i];

        if (j->re.special == EV_NEW && i > 0)
            break;
        if (emu_event_fits(j->q, &j->re, c) && !push_back(j, c->t))
            return false;
    }
    return true;
}

static size_t first_back(const job *j, int64_t at)
{
    size_t lo = 0, hi = j->back_n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (j->backs[mid].at < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void mark_return(job *j, bits *to, int64_t d)
{
    if (d < 0)
        return;
    if (j->mode == BRACKET) {
        for (size_t k = 0; k < j->cells; k++)
            if (d >= j->bracket[k][0] && d < j->bracket[k][1])
                set_bit(to, k);
        return;
    }
    if (j->mode == ROLLING)
        for (int64_t k = 0; k <= d && k < CELLS_MAX; k++)
            set_bit(to, (size_t)k);
    else if (d < CELLS_MAX)
        set_bit(to, (size_t)d);
}

/* The returns at or after a start. */
static void follow(job *j, const start *s)
{
    bits *to = &j->kept[s->cohort];
    size_t i = first_back(j, s->origin);

    /* Only the hour (or day) of the start itself can hold returns before it. */
    while (i < j->back_n && j->backs[i].t < s->t)
        i++;
    if (j->mode == ROLLING) {
        if (i < j->back_n)
            mark_return(j, to, distance(j, s->origin, j->backs[j->back_n - 1].at));
        return;
    }
    for (; i < j->back_n; i++)
        mark_return(j, to, distance(j, s->origin, j->backs[i].at));
}

/* --- groups --- */

static bool make_tallies(job *j)
{
    size_t c = j->q->axis.n, k = j->cells + 1;

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
    for (size_t w = 0; w < WORDS; w++)
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

        if (!j->in[c])
            continue;
        t->size[c]++;
        for (size_t w = 0; w < WORDS; w++) {
            in.w[w] = j->kept[c].w[w] & j->exists[c].w[w];
            any_out.w[w] |= j->exists[c].w[w];
            any_in.w[w] |= in.w[w];
            complete_out.w[w] |= j->complete[c].w[w];
            complete_in.w[w] |= in.w[w] & j->complete[c].w[w];
        }
        add_bits(t->count + c * (j->cells + 1), &in);
    }
    add_bits(t->complete_out, &complete_out);
    add_bits(t->complete_in, &complete_in);
    add_bits(t->any_out, &any_out);
    add_bits(t->any_in, &any_in);
}

static bool has_group(const job *j, const start *s, const emu_group_key *key)
{
    uint32_t values[ELEMENTS_MAX];

    for (size_t i = 0; i < j->key_n; i++) {
        size_t n =
            emu_group_values(j->q, &j->keys[i], &j->p.rows[s->row], values, ELEMENTS_MAX);
        bool found = false;

        for (size_t k = 0; k < n && !found; k++)
            found = values[k] == key->k[i];
        if (!found)
            return false;
    }
    return true;
}

/* True when the starts between these two can tell nothing new: windows k of starts less than
 * one unit apart overlap, so that the first and the last cover all between. Starts of a day of
 * 25 hours or of a month of 31 days may lie a whole unit apart, and brackets may be short. */
static bool covers(const job *j, const start *first, const start *last)
{
    int64_t unit = j->q->axis.interval == EVERY_DAY ? DAY_MS : j->unit;

    return j->mode != BRACKET && (j->calendar || last->origin - first->origin < unit);
}

/* The starts of one cohort that have the group, in order. */
static void follow_cohort(job *j, start *const *list, size_t n)
{
    const start *first = list[0], *last = list[n - 1];
    size_t step = covers(j, first, last) && n > 1 ? n - 1 : 1;

    j->in[first->cohort] = true;
    j->kept[first->cohort] = (bits){{0}};
    for (size_t i = 0; i < n; i += step)
        if (i == 0 || list[i]->origin != list[i - step]->origin)
            follow(j, list[i]); /* one of the same origin later sees fewer returns */
}

static void follow_all(job *j, const emu_group_key *key)
{
    size_t n = 0;

    memset(j->in, 0, j->q->axis.n * sizeof(*j->in));
    for (size_t i = 0; i < j->start_n; i++) {
        start *s = &j->starts[i];

        if (j->key_n && !has_group(j, s, key))
            continue;
        if (n && j->list[n - 1]->cohort != s->cohort) {
            follow_cohort(j, j->list, n);
            n = 0;
        }
        j->list[n++] = s;
    }
    if (n)
        follow_cohort(j, j->list, n);
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

    for (size_t i = 0; i < j->start_n && ok; i++) {
        uint32_t values[2][ELEMENTS_MAX], id;
        size_t n[2] = {1, 1}, room = ELEMENTS_MAX;
        emu_group_key key = {{0}};

        for (size_t k = 0; k < j->key_n; k++) {
            n[k] = emu_group_set(j->q, &j->keys[k], &j->p.rows[j->starts[i].row],
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
        if (!emu_actor_at(j->q, place, &j->p))
            continue;
        if (emu_actor_from(&j->p, j->q->axis.start) ==
            emu_actor_from(&j->p, j->q->axis.end))
            continue;
        if (!emu_segment_meet(j->q, j->segment, &j->p) || !list_starts(j))
            return false;
        if (!j->start_n)
            continue;
        if ((!j->best.ranking && !list_backs(j)) ||
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

    for (size_t k = 0; k < j->cells; k++)
        if (get_bit(&j->exists[c], k))
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
        put_cell(out, t->count[c * (j->cells + 1) + k], t->size[c],
                 !get_bit(&j->complete[c], k), false);
    }
    emu_buf_ch(out, ']');
}

static bool some_complete(const job *j, size_t k)
{
    for (size_t c = 0; c < j->q->axis.n; c++)
        if (get_bit(&j->complete[c], k))
            return true;
    return false;
}

static void put_combined(job *j, const tally *t)
{
    emu_buf *out = &j->q->r->out;

    put_cell(out, t->all, t->all, false, true);
    for (size_t k = 0; k < j->cells; k++) {
        bool complete = some_complete(j, k);

        emu_buf_ch(out, ',');
        put_cell(out, complete ? t->complete_in[k] : t->any_in[k],
                 complete ? t->complete_out[k] : t->any_out[k], !complete, true);
    }
}

static void put_tally(job *j, const tally *t)
{
    emu_buf *out = &j->q->r->out;

    emu_buf_z(out, j->written++ ? ",{\"dates\":[" : "{\"dates\":[");
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

static void put_label(job *j, emu_buf *labels, const emu_group_key *key)
{
    if (j->key_n > 1)
        emu_buf_ch(labels, '[');
    for (size_t i = 0; i < j->key_n; i++) {
        if (i)
            emu_buf_ch(labels, ',');
        emu_buf_quote(labels, emu_label_of(j->q, key->k[i]));
    }
    if (j->key_n > 1)
        emu_buf_ch(labels, ']');
    if (!j->key_n)
        emu_buf_z(labels, "\"\"");
}

static void free_groups(job *j)
{
    for (size_t i = 0; i < j->best.order_n && j->tallies; i++)
        free(j->tallies[i].size);
    free(j->tallies);
    j->tallies = NULL;
    emu_best_free(&j->best);
}

static bool write_segment(job *j, size_t segment, emu_buf *labels, emu_buf *meta)
{
    bool ok;

    j->segment = &j->q->segments[segment];
    ok = choose(j) && walk_users(j);
    for (size_t i = 0; i < j->best.order_n && ok; i++) {
        const char *comma = j->written ? "," : "";

        emu_buf_z(labels, comma);
        put_label(j, labels, &j->best.groups.keys[j->best.order[i]]);
        emu_buf_fmt(meta, "%s{\"segmentIndex\":%zu,\"eventIndex\":0}", comma, segment);
        put_tally(j, &j->tallies[i]);
    }
    emu_segment_free(j->segment);
    free_groups(j);
    return ok;
}

static void compute(job *j)
{
    emu_buf labels = {0}, meta = {0}, *out = &j->q->r->out;
    bool ok = find_cells(j);

    j->kept = calloc(j->q->axis.n, sizeof(*j->kept));
    j->in = calloc(j->q->axis.n, sizeof(*j->in));
    ok = ok && j->kept && j->in;
    emu_buf_z(out, "{\"data\":{\"series\":[");
    for (size_t i = 0; i < j->q->segment_n && ok; i++)
        ok = write_segment(j, i, &labels, &meta);
    emu_buf_z(out, "],\"seriesLabels\":[");
    emu_buf_put(out, labels.p, labels.n);
    emu_buf_z(out, "],\"seriesMeta\":[");
    emu_buf_put(out, meta.p, meta.n);
    emu_buf_z(out, "]}}");
    if (ok && !labels.failed && !meta.failed)
        emu_ask_answer(j->q);
    else
        emu_ask_no_memory(j->q);
    emu_buf_free(&labels);
    emu_buf_free(&meta);
    free(j->starts);
    free(j->list);
    free(j->backs);
    free(j->kept);
    free(j->in);
}

void emu_do_retention(emu_req *r)
{
    emu_ask q;
    job j = {.q = &q};

    if (emu_ask_open(&q, r) && read_job(&j) && emu_ask_axis(&q) && emu_ask_pay(&q, 8)) {
        emu_ask_unlock(&q);
        compute(&j);
    }
    emu_ask_close(&q);
}
