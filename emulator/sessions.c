/* SPDX-License-Identifier: MIT */
/* GET /api/2/sessions/length, /average and /peruser. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lookup.h"
#include "parts.h"
#include "routes.h"
#include "series.h"

#define BINS_MAX 1000 /* ours */
#define ELEMENTS_MAX 1000

typedef enum kind { LENGTH, AVERAGE, PER_USER } kind;

/* One session of one user; places it has in groups come from its first row. */
typedef struct session {
    int64_t sid, first, last; /* first and last row, ms */
    uint32_t row;             /* the first one, among the user's */
} session;

/* Sums of one group in one bucket, or over the range. */
typedef struct tally {
    int64_t sessions, length, users;
    uint32_t last_user; /* + 1, to count each once */
} tally;

typedef struct job {
    emu_ask *q;
    kind kind;
    int64_t edges[BINS_MAX + 1]; /* ms */
    size_t bins;

    emu_segment *segment;
    emu_actor p;
    session *sessions;
    size_t n, cap;
    emu_groups groups;
    bool ranking;   /* first walk: sessions of each group only */
    int64_t *ranks; /* by group */
    size_t rank_cap;
    uint32_t *order, *kept_of;
    size_t order_n;
    tally *tallies;  /* by kept group: each bucket, then the range */
    int64_t *counts; /* by kept group: each bin */

    emu_buf labels, series, meta, whole;
} job;

/* --- bins --- */

static void default_bins(job *j)
{
    static const int64_t edges[] = {0,      3000,   10000,   30000,   60000,
                                    180000, 600000, 1800000, 3600000, EMU_SESSION_MAX_MS};

    j->bins = sizeof(edges) / sizeof(edges[0]) - 1;
    memcpy(j->edges, edges, sizeof(edges));
}

static double number_param(emu_ask *q, const char *name)
{
    emu_str s = emu_param(q, name);

    return s.s ? emu_number_of(s) : NAN;
}

/* An unknown unit, or no minimum or maximum: the default bins (Dashboard REST API docs). */
static void read_bins(job *j)
{
    emu_str unit = emu_param(j->q, "timeHistogramConfigBinTimeUnit");
    double lo = number_param(j->q, "timeHistogramConfigBinMin");
    double hi = number_param(j->q, "timeHistogramConfigBinMax");
    double size = number_param(j->q, "timeHistogramConfigBinSize"), ms;
    bool sized = emu_param(j->q, "timeHistogramConfigBinSize").s != NULL;

    default_bins(j);
    ms = emu_str_is(unit, "hours")     ? 3600000
         : emu_str_is(unit, "minutes") ? 60000
         : emu_str_is(unit, "seconds") ? 1000
                                       : NAN;
    if (isnan(ms) || isnan(lo) || isnan(hi) || lo < 0 || hi <= lo || hi > 1e9)
        return;
    if (!sized)
        size = (hi - lo) / 10;
    if (isnan(size) || size <= 0 || (hi - lo) / size > BINS_MAX)
        return;
    j->bins = size < hi - lo ? (size_t)ceil((hi - lo) / size - 1e-9) : 1;
    for (size_t i = 0; i <= j->bins; i++) {
        double edge = i == j->bins ? hi : lo + size * (double)i;

        j->edges[i] = (int64_t)llround(edge * ms);
    }
}

/* --- sessions of a user --- */

static int by_sid(const void *a, const void *b)
{
    const session *x = a, *y = b;

    if (x->sid != y->sid)
        return x->sid < y->sid ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Every active row is a session at first; equal ids are joined. */
static bool list_sessions(job *j)
{
    size_t n = 0;

    j->n = 0;
    if (j->p.n > j->cap) {
        session *grown = realloc(j->sessions, j->p.n * sizeof(*grown));

        if (!grown)
            return false;
        j->sessions = grown;
        j->cap = j->p.n;
    }
    for (size_t i = 0; i < j->p.n; i++) {
        const emu_cell *c = &j->p.rows[i];

        if (c->sid != -1 && !j->q->inactive[c->type])
            j->sessions[j->n++] = (session){c->sid, c->t, c->t, (uint32_t)i};
    }
    if (j->n > 1)
        qsort(j->sessions, j->n, sizeof(*j->sessions), by_sid);
    for (size_t i = 0; i < j->n; i++) {
        if (n && j->sessions[n - 1].sid == j->sessions[i].sid)
            j->sessions[n - 1].last = j->sessions[i].last;
        else
            j->sessions[n++] = j->sessions[i];
    }
    j->n = n;
    return true;
}

/* --- adding up --- */

static bool reach_rank(job *j, uint32_t group)
{
    size_t cap = j->rank_cap ? j->rank_cap : 64;
    int64_t *grown;

    if (group < j->rank_cap)
        return true;
    while (cap <= group)
        cap *= 2;
    grown = realloc(j->ranks, cap * sizeof(*grown));
    if (!grown)
        return false;
    memset(grown + j->rank_cap, 0, (cap - j->rank_cap) * sizeof(*grown));
    j->ranks = grown;
    j->rank_cap = cap;
    return true;
}

typedef void group_fn(job *j, uint32_t group, size_t bucket, int64_t length);

static void add_session(job *j, uint32_t group, size_t bucket, int64_t length)
{
    tally *t = j->tallies + group * (j->q->axis.n + 1);
    int64_t *counts = j->counts + group * (j->bins + 1);

    t[bucket].sessions++;
    t[bucket].length += length;
    t[j->q->axis.n].sessions++;
    t[j->q->axis.n].length += length;
    for (size_t i = 0; i < j->bins; i++)
        counts[i] += length >= j->edges[i] && length < j->edges[i + 1];
}

static void rank_session(job *j, uint32_t group, size_t bucket, int64_t length)
{
    (void)bucket;
    (void)length;
    j->ranks[group]++;
}

static void add_user(job *j, uint32_t group, size_t bucket, int64_t length)
{
    tally *t = j->tallies + group * (j->q->axis.n + 1), *all = &t[j->q->axis.n];
    uint32_t user = (uint32_t)j->p.place + 1;

    (void)length;
    t[bucket].users += t[bucket].last_user != user;
    t[bucket].last_user = user;
    all->users += all->last_user != user;
    all->last_user = user;
}

/* Calls fn for each group of a row that is in the range and passes the segment. */
static bool each_group(job *j, const emu_cell *c, int64_t length, group_fn *fn)
{
    const emu_axis *x = &j->q->axis;
    size_t bucket = c->t >= x->start && c->t < x->end ? emu_axis_find(x, c->t) : SIZE_MAX,
           n = 1;
    uint32_t values[ELEMENTS_MAX] = {0};

    if (bucket == SIZE_MAX || !emu_segment_row(j->q, j->segment, &j->p, c) ||
        !emu_segment_who(j->q, j->segment, x->b[bucket].a, x->b[bucket].b))
        return true;
    if (j->q->g_n)
        n = emu_group_set(j->q, &j->q->g[0], c, values, ELEMENTS_MAX);
    for (size_t i = 0; i < n; i++) {
        emu_group_key key = {{values[i]}};
        uint32_t group;

        if (j->ranking) {
            if (!emu_groups_add(&j->groups, &key, &group) || !reach_rank(j, group))
                return false;
        } else {
            group = emu_groups_find(&j->groups, &key);
            group = group == EMU_NO_GROUP ? group : j->kept_of[group];
        }
        if (group != EMU_NO_GROUP)
            fn(j, group, bucket, length);
    }
    return true;
}

static bool take_user(job *j)
{
    if (!emu_segment_meet(j->q, j->segment, &j->p) || !list_sessions(j))
        return false;
    for (size_t i = 0; i < j->n; i++) {
        const session *s = &j->sessions[i];
        int64_t length = emu_session_ms(j->q->e, s->sid, s->first, s->last);

        if (length < EMU_SESSION_MAX_MS &&
            !each_group(j, &j->p.rows[s->row], length,
                        j->ranking ? rank_session : add_session))
            return false;
    }
    if (j->kind != PER_USER || j->ranking)
        return true;
    for (size_t i = emu_actor_from(&j->p, j->q->axis.start);
         i < j->p.n && j->p.rows[i].t < j->q->axis.end; i++)
        if (!j->q->inactive[j->p.rows[i].type] &&
            !each_group(j, &j->p.rows[i], 0, add_user))
            return false;
    return true;
}

static bool walk_users(job *j)
{
    for (size_t place = 0; place < j->q->view->user_n; place++)
        if (emu_actor_at(j->q, place, &j->p) && !take_user(j))
            return false;
    return true;
}

/* --- writing --- */

static double value_of(const job *j, const tally *t)
{
    if (j->kind == AVERAGE)
        return t->sessions ? (double)t->length / 1000 / (double)t->sessions : 0;
    return t->users ? (double)t->sessions / (double)t->users : 0;
}

static void put_series(job *j, size_t segment, uint32_t group)
{
    const tally *t = j->tallies + group * (j->q->axis.n + 1);
    const char *comma = j->series.n ? "," : "";
    size_t n = j->kind == LENGTH ? j->bins : j->q->axis.n;

    emu_buf_fmt(&j->series, "%s[", comma);
    for (size_t i = 0; i < n; i++) {
        if (i)
            emu_buf_ch(&j->series, ',');
        if (j->kind == LENGTH)
            emu_buf_int(&j->series, j->counts[group * (j->bins + 1) + i]);
        else
            emu_put_number(&j->series, value_of(j, &t[i]));
    }
    emu_buf_ch(&j->series, ']');
    emu_buf_z(&j->labels, comma);
    if (j->q->g_n)
        emu_buf_quote(&j->labels,
                      emu_label_of(j->q, j->groups.keys[j->order[group]].k[0]));
    else
        emu_buf_ch(&j->labels, '0');
    emu_buf_fmt(&j->meta, "%s{\"segmentIndex\":%zu}", comma, segment);
    emu_buf_fmt(&j->whole, "%s[{\"setId\":\"\",\"value\":", comma);
    emu_put_number(&j->whole, j->kind == LENGTH ? (double)t[j->q->axis.n].sessions
                                                : value_of(j, &t[j->q->axis.n]));
    emu_buf_z(&j->whole, "}]");
}

static int by_sessions(const void *a, const void *b, void *self)
{
    const job *j = self;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    if (j->ranks[x] != j->ranks[y])
        return j->ranks[x] > j->ranks[y] ? -1 : 1;
    return emu_compare_labels(j->q, &j->groups.keys[x], &j->groups.keys[y], 1);
}

/* Groups with active users but without a session are left out. */
static bool choose(job *j)
{
    emu_group_key none = {{0}};
    size_t n;
    uint32_t id;

    j->ranking = j->q->g_n > 0;
    if (j->ranking ? !walk_users(j)
                   : !emu_groups_add(&j->groups, &none, &id) || !reach_rank(j, id))
        return false;
    j->ranking = false;
    n = j->groups.n;
    j->order = calloc(n + 1, sizeof(*j->order));
    j->kept_of = malloc((n + 1) * sizeof(*j->kept_of));
    if (!j->order || !j->kept_of)
        return false;
    for (size_t i = 0; i < n; i++) {
        j->kept_of[i] = EMU_NO_GROUP;
        j->order[i] = (uint32_t)i;
    }
    if (n > 1)
        qsort_r(j->order, n, sizeof(*j->order), by_sessions, j);
    j->order_n = n < j->q->limit ? n : j->q->limit;
    for (size_t i = 0; i < j->order_n; i++)
        j->kept_of[j->order[i]] = (uint32_t)i;
    j->tallies = calloc(j->order_n * (j->q->axis.n + 1) + 1, sizeof(*j->tallies));
    j->counts = calloc(j->order_n * (j->bins + 1) + 1, sizeof(*j->counts));
    return j->tallies && j->counts;
}

static void free_groups(job *j)
{
    emu_groups_free(&j->groups);
    free(j->ranks);
    free(j->order);
    free(j->kept_of);
    free(j->tallies);
    free(j->counts);
    j->ranks = j->counts = NULL;
    j->order = j->kept_of = NULL;
    j->tallies = NULL;
    j->rank_cap = j->order_n = 0;
}

static bool write_segment(job *j, size_t segment)
{
    bool ok;

    j->segment = &j->q->segments[segment];
    ok = choose(j) && walk_users(j);
    for (size_t i = 0; i < j->order_n && ok; i++)
        put_series(j, segment, (uint32_t)i);
    emu_segment_free(j->segment);
    free_groups(j);
    return ok;
}

static void put_x(job *j)
{
    emu_buf *out = &j->q->r->out;

    emu_buf_ch(out, '[');
    for (size_t i = 0; i < (j->kind == LENGTH ? j->bins : j->q->axis.n); i++) {
        emu_buf_z(out, i ? ",\"" : "\"");
        if (j->kind == LENGTH) {
            emu_put_label(out, (double)j->edges[i] / 1000);
            emu_buf_z(out, "s-");
            emu_put_label(out, (double)j->edges[i + 1] / 1000);
            emu_buf_ch(out, 's');
        } else {
            emu_axis_label(&j->q->axis, i, out);
            emu_buf_z(out, "T00:00:00");
        }
        emu_buf_ch(out, '"');
    }
    emu_buf_ch(out, ']');
}

static void reply(job *j)
{
    emu_buf *out = &j->q->r->out;

    emu_buf_z(out, "{\"data\":{\"series\":[");
    emu_buf_put(out, j->series.p, j->series.n);
    emu_buf_z(out, "],\"seriesLabels\":[");
    emu_buf_put(out, j->labels.p, j->labels.n);
    emu_buf_z(out, "],\"seriesMeta\":[");
    emu_buf_put(out, j->meta.p, j->meta.n);
    emu_buf_z(out, "],\"seriesCollapsed\":[");
    emu_buf_put(out, j->whole.p, j->whole.n);
    emu_buf_z(out, "],\"xValues\":");
    put_x(j);
    emu_buf_z(out, "}}");
    emu_ask_answer(j->q);
}

static void compute(job *j)
{
    bool ok = true;

    for (size_t i = 0; i < j->q->segment_n && ok; i++)
        ok = write_segment(j, i);
    ok = ok && !j->labels.failed && !j->series.failed && !j->meta.failed &&
         !j->whole.failed;
    if (ok)
        reply(j);
    else
        emu_ask_no_memory(j->q);
    emu_buf_free(&j->labels);
    emu_buf_free(&j->series);
    emu_buf_free(&j->meta);
    emu_buf_free(&j->whole);
    free(j->sessions);
}

static void run(emu_req *r, kind k)
{
    emu_ask q;
    job j = {.q = &q, .kind = k};

    if (emu_ask_open(&q, r) && emu_ask_range(&q, DAYS_ONLY) && emu_ask_segments(&q) &&
        emu_ask_groups(&q, 1) && emu_ask_axis(&q) && emu_ask_pay(&q, 4)) {
        read_bins(&j);
        emu_ask_unlock(&q);
        compute(&j);
    }
    emu_ask_close(&q);
}

void emu_do_session_length(emu_req *r)
{
    run(r, LENGTH);
}

void emu_do_session_average(emu_req *r)
{
    run(r, AVERAGE);
}

void emu_do_sessions_per_user(emu_req *r)
{
    run(r, PER_USER);
}
