/* SPDX-License-Identifier: MIT */
/* Does a row fit: filters over lists of properties, events, segments with "who performed". */
#include "match.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- lower case --- */

static uint32_t lower(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7) ||
        (c >= 0x391 && c <= 0x3A9 && c != 0x3A2) || (c >= 0x410 && c <= 0x42F))
        return c + 32;
    if (c >= 0x400 && c <= 0x40F)
        return c + 80;
    if ((c >= 0x100 && c <= 0x137 && c != 0x130) || (c >= 0x14A && c <= 0x177) ||
        (c >= 0x460 && c <= 0x481))
        return c | 1;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E))
        return c + (c & 1);
    return c == 0x178 ? 0xFF : c;
}

void emu_fold(emu_buf *b, emu_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.s[i];
        unsigned char next = i + 1 < s.n ? (unsigned char)s.s[i + 1] : 0;
        uint32_t l;

        if (c < 0x80) {
            emu_buf_ch(b, (char)lower(c));
        } else if ((c & 0xE0) == 0xC0 && (next & 0xC0) == 0x80) {
            l = lower((uint32_t)(c & 0x1F) << 6 | (next & 0x3F));
            emu_buf_ch(b, (char)(0xC0 | l >> 6));
            emu_buf_ch(b, (char)(0x80 | (l & 0x3F)));
            i++;
        } else {
            emu_buf_ch(b, (char)c);
        }
    }
}

/* --- filters --- */

static bool contains(const emu_filter *f, emu_str text)
{
    emu_buf b = {0};
    bool hit = false;

    emu_fold(&b, text);
    for (size_t i = 0; i < f->n && !hit && !b.failed; i++)
        hit =
            f->texts[i].n == 0 || (b.n && memmem(b.p, b.n, f->texts[i].s, f->texts[i].n));
    emu_buf_free(&b);
    return hit;
}

static bool compares(const emu_filter *f, double x)
{
    for (size_t i = 0; i < f->n; i++) {
        double v = f->numbers[i];

        /* A NAN on either side makes every relation false. */
        if (f->op == OP_LESS         ? x < v
            : f->op == OP_LESS_EQUAL ? x <= v
            : f->op == OP_GREATER    ? x > v
                                     : x >= v)
            return true;
    }
    return false;
}

static bool is_one_of(const emu_filter *f, uint32_t value)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->ids[i] == value)
            return true;
    return false;
}

/* Asked once for each value: a value is in many rows. */
static bool value_hits(emu_ask *q, emu_filter *f, uint32_t value)
{
    const emu_term *t;
    bool hit;

    if (f->op == OP_IS || f->op == OP_IS_NOT)
        return is_one_of(f, value);
    if (f->memo && f->memo[value])
        return f->memo[value] == 2;
    t = emu_dict_at(&q->columns->values, value);
    hit = f->op == OP_CONTAINS || f->op == OP_NOT_CONTAINS
              ? contains(f, (emu_str){t->s, t->n})
              : compares(f, t->number);
    if (f->memo)
        f->memo[value] = hit ? 2 : 1;
    return hit;
}

static bool same_set(const emu_filter *f, const emu_pair *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (p[i].key == f->prop.key && !is_one_of(f, p[i].value))
            return false;
    for (size_t k = 0; k < f->n; k++) {
        bool found = false;

        for (uint32_t i = 0; i < n && !found; i++)
            found = p[i].key == f->prop.key && f->ids[k] && p[i].value == f->ids[k];
        if (!found)
            return false;
    }
    return true;
}

bool emu_filter_fits(emu_ask *q, emu_filter *f, const emu_cell *c)
{
    uint32_t n;
    const emu_pair *p = emu_row_list(q, c, &f->prop, &n);
    bool any = false, hit = false, miss = false;

    if (f->op >= OP_SET_IS)
        return same_set(f, p, n) == (f->op == OP_SET_IS);
    for (uint32_t i = 0; i < n; i++) {
        if (p[i].key != f->prop.key)
            continue;
        any = true;
        if (value_hits(q, f, p[i].value))
            hit = true;
        else
            miss = true;
    }
    switch (f->op) {
    case OP_IS:
        return hit || (!any && f->none);
    case OP_IS_NOT:
        return any ? miss : !f->none;
    case OP_NOT_CONTAINS:
        return !hit;
    default:
        return hit;
    }
}

bool emu_event_fits(emu_ask *q, emu_event_def *ev, const emu_cell *c)
{
    switch (ev->special) {
    case EV_NAMED:
        if (c->type != ev->type)
            return false;
        break;
    case EV_ACTIVE:
        if (q->inactive[c->type])
            return false;
        break;
    case EV_REVENUE:
        if (isnan(c->revenue))
            return false;
        break;
    case EV_NOTHING:
        return false;
    default:
        break;
    }
    for (size_t i = 0; i < ev->filter_n; i++)
        if (!emu_filter_fits(q, &ev->filters[i], c))
            return false;
    return true;
}

/* --- a user --- */

size_t emu_actor_from(const emu_actor *p, int64_t t)
{
    return emu_first_at(p->rows, p->n, sizeof(emu_cell), offsetof(emu_cell, t), t);
}

bool emu_actor_at(emu_ask *q, size_t place, emu_actor *p)
{
    const emu_view *v = q->view;

    p->place = place;
    p->number = v->user[place];
    p->rows = v->cells + v->start[place];
    p->n = v->start[place + 1] - v->start[place];
    p->t0 = p->rows[0].t;
    if (p->rows[p->n - 1].t > q->now) /* not yet */
        p->n = emu_actor_from(p, q->now + 1);
    return p->n > 0;
}

/* --- segments --- */

static bool note_times(emu_ask *q, emu_cond *c, const emu_actor *p)
{
    c->time_n = 0;
    free(c->times);
    c->times = malloc((p->n + 1) * sizeof(*c->times));
    if (!c->times)
        return false;
    for (size_t i = 0; i < p->n; i++) {
        if (c->who.special == EV_NEW && p->rows[i].t != p->t0)
            continue;
        if (emu_event_fits(q, &c->who, &p->rows[i]))
            c->times[c->time_n++] = p->rows[i].t;
    }
    return true;
}

bool emu_segment_meet(emu_ask *q, emu_segment *s, const emu_actor *p)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->conds[i].kind == COND_WHO && !note_times(q, &s->conds[i], p))
            return false;
    return true;
}

void emu_segment_free(emu_segment *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->conds[i].kind == COND_WHO) {
            free(s->conds[i].times);
            s->conds[i].times = NULL;
        }
    }
}

bool emu_segment_row(emu_ask *q, emu_segment *s, const emu_actor *p, const emu_cell *c)
{
    for (size_t i = 0; i < s->n; i++) {
        emu_cond *k = &s->conds[i];

        if (k->kind == COND_COHORT &&
            (p->number < q->user_n && k->member[p->number]) == k->outside)
            return false;
        if (k->kind == COND_PROP && !emu_filter_fits(q, &k->filter, c))
            return false;
    }
    return true;
}

static size_t before(const emu_cond *c, int64_t t)
{
    return emu_first_at(c->times, c->time_n, sizeof(*c->times), 0, t);
}

static bool related(emu_relation r, double x, double y)
{
    switch (r) {
    case REL_GE:
        return x >= y;
    case REL_LE:
        return x <= y;
    case REL_GT:
        return x > y;
    case REL_LT:
        return x < y;
    case REL_EQ:
        return x == y;
    default:
        return x != y;
    }
}

bool emu_segment_who(const emu_ask *q, const emu_segment *s, int64_t a, int64_t b)
{
    for (size_t i = 0; i < s->n; i++) {
        const emu_cond *c = &s->conds[i];
        int64_t from = INT64_MIN, to = q->axis.end;

        if (c->kind != COND_WHO)
            continue;
        if (c->time == TIME_INTERVAL ||
            (c->time == TIME_EACH && !EMU_SW(q->e, who_window)))
            to = b;
        if (c->time == TIME_INTERVAL)
            from = a;
        else if (c->time != TIME_ALL)
            from = emu_days_later(q->axis.zone, to, -c->days);
        if (!related(c->relation, (double)(before(c, to) - before(c, from)), c->value))
            return false;
    }
    return true;
}
