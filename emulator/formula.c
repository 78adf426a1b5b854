/* SPDX-License-Identifier: MIT */
/* Formulas: a recursive-descent reader and an evaluator over whole series. */
#include "formula.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEPTH_MAX 50 /* of brackets; ours */
#define TEXT_MAX 4000

typedef enum node_kind {
    N_NUMBER,
    N_TERM,
    N_CUMULATIVE,
    N_ROLL_AVERAGE,
    N_ROLL_WINDOW,
    N_ADD,
    N_SUB,
    N_MUL,
    N_DIV,
    N_NEGATIVE,
    N_EXP,
    N_LN,
    N_LOG,
    N_LOG10,
    N_POWER,
    N_SQRT,
    N_TREND
} node_kind;

typedef struct emu_node {
    node_kind kind;
    struct emu_node *x, *y;
    double number; /* or a term's parameter */
    emu_metric metric;
    size_t event, segment, window; /* segment SIZE_MAX: the one being written */
} emu_node;

typedef struct reader {
    emu_ask *q;
    emu_formula *f;
    const char *p;
    int depth;
} reader;

static emu_node *read_sum(reader *r);

/* --- tokens --- */

static void blanks(reader *r)
{
    while (*r->p == ' ' || *r->p == '\t')
        r->p++;
}

static bool sign(reader *r, char c)
{
    blanks(r);
    if (*r->p != c)
        return false;
    r->p++;
    return true;
}

static emu_node *fail(reader *r, const char *what)
{
    if (!r->q->r->status)
        emu_ask_fail(r->q, "Invalid formula: %s", what);
    return NULL;
}

static bool need(reader *r, char c)
{
    return sign(r, c) || fail(r, "a bracket or a comma was missing");
}

static emu_node *node(reader *r, node_kind kind, emu_node *x, emu_node *y)
{
    emu_node *n = emu_arena_alloc(r->q->a, sizeof(*n));

    if (!n) {
        emu_ask_no_memory(r->q);
        return NULL;
    }
    *n = (emu_node){.kind = kind, .x = x, .y = y};
    return n;
}

static size_t word(reader *r, char out[24])
{
    size_t n = 0;

    blanks(r);
    while (isalnum((unsigned char)*r->p) && n < 23)
        out[n++] = (char)toupper((unsigned char)*r->p++);
    out[n] = 0;
    return n;
}

static bool number(reader *r, double *out)
{
    const char *start;

    blanks(r);
    start = r->p;
    while (isdigit((unsigned char)*r->p) || *r->p == '.')
        r->p++;
    *out = emu_number_of((emu_str){start, (size_t)(r->p - start)});
    return !isnan(*out) || fail(r, "a number was expected");
}

/* --- terms --- */

static const struct metric_name {
    const char *name;
    emu_metric metric;
    bool param;
} METRICS[] = {
    {"UNIQUES", M_UNIQUES, false},
    {"TOTALS", M_TOTALS, false},
    {"AVG", M_AVERAGE, false},
    {"ACTIVE", M_ACTIVE, false},
    {"PROPSUM", M_SUM, false},
    {"REVENUETOTAL", M_SUM, false},
    {"PROPAVG", M_VALUE_AVERAGE, false},
    {"PROPMAX", M_MAX, false},
    {"PROPMIN", M_MIN, false},
    {"PROPCOUNT", M_COUNT, false},
    {"PROPCOUNTAVG", M_COUNT_AVERAGE, false},
    {"ARPAU", M_ARPAU, false},
    {"SESSIONTOTALS", M_SESSIONS, false},
    {"PERCENTILE", M_PERCENTILE, true},
    {"FREQPERCENTILE", M_FREQUENCY_PERCENTILE, true},
};

static const struct metric_name *metric_named(const char *name)
{
    for (size_t i = 0; i < sizeof(METRICS) / sizeof(METRICS[0]); i++)
        if (strcmp(METRICS[i].name, name) == 0)
            return &METRICS[i];
    return NULL;
}

static void note_use(reader *r, const emu_node *n)
{
    bool property =
        (n->metric >= M_SUM && n->metric <= M_PERCENTILE) || n->metric == M_ARPAU;

    r->f->uses[n->event] = true;
    r->f->property[n->event] |= property;
    r->f->active |= n->metric == M_ACTIVE || n->metric == M_ARPAU;
}

/* A, B, A1, B12 … */
static bool event_name(reader *r, emu_node *n)
{
    char name[24];
    size_t length = word(r, name), segment = 0;

    if (length < 1 || (name[0] != 'A' && name[0] != 'B'))
        return fail(r, "an event was expected: A or B");
    n->event = (size_t)(name[0] - 'A');
    n->segment = SIZE_MAX;
    for (size_t i = 1; i < length; i++) {
        if (!isdigit((unsigned char)name[i]) || length > 4)
            return fail(r, "an event was expected: A or B");
        segment = segment * 10 + (size_t)(name[i] - '0');
    }
    if (length == 1) {
        r->f->any_segment = true;
        return true;
    }
    if (segment < 1)
        return fail(r, "segments are counted from 1");
    n->segment = segment - 1;
    if (segment > r->f->segment_most)
        r->f->segment_most = segment;
    return true;
}

/* (A) or (A, p) behind the name of a metric. */
static emu_node *term(reader *r, const struct metric_name *m)
{
    emu_node *n = node(r, N_TERM, NULL, NULL);

    if (!n || !event_name(r, n))
        return NULL;
    n->metric = m->metric;
    if (m->param && (!need(r, ',') || !number(r, &n->number)))
        return NULL;
    if (m->param && n->number > 1)
        return fail(r, "a quantile is at most 1");
    note_use(r, n);
    return need(r, ')') ? n : NULL;
}

/* (m, A) or (m, A, n) */
static emu_node *over_metric(reader *r, node_kind kind)
{
    emu_node *n = node(r, kind, NULL, NULL);
    const struct metric_name *m;
    char name[24];
    double window = 1;

    word(r, name);
    m = metric_named(name);
    if (!n)
        return NULL;
    if (!m || m->param)
        return fail(r, "a metric was expected");
    if (!need(r, ',') || !event_name(r, n))
        return NULL;
    n->metric = m->metric;
    if (kind != N_CUMULATIVE && (!need(r, ',') || !number(r, &window)))
        return NULL;
    if (window < 1 || window != floor(window) || window > 1000)
        return fail(r, "a window is a whole number of intervals");
    n->window = (size_t)window;
    if (n->window > r->f->longest)
        r->f->longest = n->window;
    note_use(r, n);
    return need(r, ')') ? n : NULL;
}

static emu_node *pointwise(reader *r, node_kind kind, bool two)
{
    emu_node *x = read_sum(r), *y = NULL;

    if (x && two) {
        if (!need(r, ','))
            return NULL;
        y = read_sum(r);
    }
    if (!x || (two && !y) || !need(r, ')'))
        return NULL;
    return node(r, kind, x, y);
}

static emu_node *call(reader *r)
{
    static const struct {
        const char *name;
        node_kind kind;
        bool two;
    } functions[] = {{"EXP", N_EXP, false},        {"LN", N_LN, false},
                     {"LOG", N_LOG, true},         {"LOG10", N_LOG10, false},
                     {"POWER", N_POWER, true},     {"SQRT", N_SQRT, false},
                     {"TRENDLINE", N_TREND, false}};
    const struct metric_name *m;
    char name[24];

    word(r, name);
    m = metric_named(name);
    if (!need(r, '('))
        return NULL;
    if (m)
        return term(r, m);
    if (strcmp(name, "CUMSUM") == 0)
        return over_metric(r, N_CUMULATIVE);
    if (strcmp(name, "ROLLAVG") == 0)
        return over_metric(r, N_ROLL_AVERAGE);
    if (strcmp(name, "ROLLWIN") == 0)
        return over_metric(r, N_ROLL_WINDOW);
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (strcmp(name, functions[i].name) == 0)
            return pointwise(r, functions[i].kind, functions[i].two);
    return fail(r, "a function was unknown");
}

/* --- grammar --- */

static emu_node *read_factor(reader *r)
{
    emu_node *n = NULL;

    if (++r->depth > DEPTH_MAX)
        return fail(r, "too many brackets");
    if (sign(r, '-')) {
        n = read_factor(r);
        n = n ? node(r, N_NEGATIVE, n, NULL) : NULL;
    } else if (sign(r, '(')) {
        n = read_sum(r);
        n = n && need(r, ')') ? n : NULL;
    } else if (isdigit((unsigned char)*r->p) || *r->p == '.') {
        n = node(r, N_NUMBER, NULL, NULL);
        if (n && !number(r, &n->number))
            n = NULL;
    } else {
        n = call(r);
    }
    r->depth--;
    return n;
}

static emu_node *read_product(reader *r)
{
    emu_node *n = read_factor(r);

    while (n) {
        node_kind kind = sign(r, '*') ? N_MUL : sign(r, '/') ? N_DIV : N_NUMBER;
        emu_node *y;

        if (kind == N_NUMBER)
            break;
        y = read_factor(r);
        n = y ? node(r, kind, n, y) : NULL;
    }
    return n;
}

static emu_node *read_sum(reader *r)
{
    emu_node *n = read_product(r);

    while (n) {
        node_kind kind = sign(r, '+') ? N_ADD : sign(r, '-') ? N_SUB : N_NUMBER;
        emu_node *y;

        if (kind == N_NUMBER)
            break;
        y = read_product(r);
        n = y ? node(r, kind, n, y) : NULL;
    }
    return n;
}

bool emu_formula_read(emu_ask *q, emu_str text, emu_formula *f)
{
    reader r = {.q = q, .f = f, .p = text.s};

    *f = (emu_formula){.longest = 1};
    if (!text.s)
        return emu_ask_fail(q, "Missing required parameter formula");
    if (text.n > TEXT_MAX || strlen(text.s) != text.n)
        return emu_ask_fail(q, "Invalid formula: too long");
    blanks(&r);
    if (strncmp(r.p, "%:", 2) == 0 || strncmp(r.p, "$:", 2) == 0)
        r.p += 2; /* how charts show the value; the value stays the same */
    f->root = read_sum(&r);
    blanks(&r);
    if (!f->root)
        return false;
    if (*r.p)
        return fail(&r, *r.p == ';' ? "only one is allowed" : "something followed it") !=
               NULL;
    return true;
}

/* --- evaluation --- */

static double finite_or_0(double d)
{
    return isfinite(d) ? d : 0;
}

static double combine(node_kind kind, double x, double y)
{
    switch (kind) {
    case N_ADD:
        return finite_or_0(x + y);
    case N_SUB:
        return finite_or_0(x - y);
    case N_MUL:
        return finite_or_0(x * y);
    case N_DIV:
        return y == 0 ? 0 : finite_or_0(x / y);
    case N_NEGATIVE:
        return -x;
    case N_EXP:
        return finite_or_0(exp(x));
    case N_LN:
        return finite_or_0(log(x));
    case N_LOG:
        return finite_or_0(log(x) / log(y));
    case N_LOG10:
        return finite_or_0(log10(x));
    case N_POWER:
        return finite_or_0(pow(x, y));
    case N_SQRT:
        return finite_or_0(sqrt(x));
    default:
        return x;
    }
}

/* What an evaluation of one group needs. */
typedef struct place {
    emu_calc *c;
    size_t segment, group;
} place;

static double value(const place *at, const emu_node *n, size_t bucket, size_t window,
                    bool whole)
{
    size_t segment = n->segment == SIZE_MAX ? at->segment : n->segment;

    return emu_calc_value(at->c, n->metric, n->number, n->event, segment, at->group,
                          bucket, window, whole);
}

/* Least squares over the buckets of the range. */
static void trend(double *v, size_t first, size_t n)
{
    double count = (double)(n - first), sx = 0, sy = 0, sxx = 0, sxy = 0, slope, base;

    for (size_t i = first; i < n; i++) {
        double x = (double)(i - first);

        sx += x;
        sy += v[i];
        sxx += x * x;
        sxy += x * v[i];
    }
    slope = count * sxx - sx * sx;
    slope = slope == 0 ? 0 : (count * sxy - sx * sy) / slope;
    base = (sy - slope * sx) / count;
    for (size_t i = 0; i < n; i++)
        v[i] = base + slope * ((double)i - (double)first);
}

static void average_back(double *v, size_t n, size_t window)
{
    for (size_t i = n; i-- > 0;) {
        size_t from = i + 1 > window ? i + 1 - window : 0;
        double sum = 0;

        for (size_t k = from; k <= i; k++)
            sum += v[k];
        v[i] = sum / (double)(i + 1 - from);
    }
}

static bool series(const place *at, const emu_node *n, double *out)
{
    size_t count = at->c->q->axis.n, pre = at->c->q->axis.pre;
    double *y = NULL;

    if (n->kind >= N_ADD) {
        if (!series(at, n->x, out))
            return false;
        if (n->y) {
            y = malloc((count + 1) * sizeof(*y));
            if (!y || !series(at, n->y, y)) {
                free(y);
                return false;
            }
        }
        for (size_t i = 0; i < count && n->kind != N_TREND; i++)
            out[i] = combine(n->kind, out[i], y ? y[i] : 0);
        if (n->kind == N_TREND)
            trend(out, pre, count);
        free(y);
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        size_t window = at->c->window;

        if (n->kind == N_CUMULATIVE)
            window = i >= pre ? i - pre + 1 : 1;
        else if (n->kind != N_TERM)
            window = n->kind == N_ROLL_WINDOW ? n->window : 1;
        out[i] = n->kind == N_NUMBER ? n->number : value(at, n, i, window, false);
    }
    if (n->kind == N_ROLL_AVERAGE)
        average_back(out, count, n->window);
    return true;
}

bool emu_formula_series(emu_calc *c, const emu_formula *f, size_t segment, size_t group,
                        double *out)
{
    place at = {c, segment, group};

    if (!series(&at, f->root, out))
        return false;
    if (c->average > 1)
        average_back(out, c->q->axis.n, c->average);
    return true;
}

static double whole(const place *at, const emu_node *n)
{
    if (n->kind == N_NUMBER)
        return n->number;
    if (n->kind < N_ADD)
        return value(at, n, 0, 1, true);
    return combine(n->kind, whole(at, n->x), n->y ? whole(at, n->y) : 0);
}

double emu_formula_whole(emu_calc *c, const emu_formula *f, size_t segment, size_t group)
{
    place at = {c, segment, group};

    return whole(&at, f->root);
}
