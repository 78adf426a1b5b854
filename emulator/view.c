/* SPDX-License-Identifier: MIT */
/* Making the picture: cells are dealt out by user and sorted by time. */
#include "view.h"

#include <stdlib.h>
#include <string.h>

static void free_view(emu_view *v)
{
    emu_columns_unref(v->columns);
    free(v->cells);
    free(v->start);
    free(v->user);
    free(v);
}

void emu_view_unref(emu_view *v)
{
    if (v && --v->refs == 0)
        free_view(v);
}

static int by_time(const void *a, const void *b)
{
    const emu_cell *x = a, *y = b;

    if (x->t < y->t || x->t > y->t)
        return x->t < y->t ? -1 : 1;
    return x->q < y->q ? -1 : x->q > y->q;
}

static void sort_user(emu_cell *cells, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (by_time(&cells[i - 1], &cells[i]) > 0) {
            qsort(cells, n, sizeof(*cells), by_time);
            return;
        }
    }
}

/* What a picture is made of; the lock is held only to read this. */
typedef struct source {
    emu_columns *columns;
    size_t committed, user_n;
    uint64_t merges;
    uint32_t value_n;
    uint32_t *user; /* the canonical user of each number */
} source;

/* False: out of memory. @locks needs s->mu */
static bool look(source *from, emu_store *s)
{
    *from = (source){.columns = s->columns,
                     .committed = s->columns->committed,
                     .user_n = s->user_n,
                     .merges = s->merges,
                     .value_n = s->columns->values.n};
    from->user = malloc((s->user_n + 1) * sizeof(*from->user));
    for (size_t i = 0; i < s->user_n && from->user; i++) {
        const emu_user *u = s->users[i];

        while (u->into)
            u = u->into;
        from->user[i] = (uint32_t)(u->id - EMU_FIRST_ID);
    }
    return from->user != NULL;
}

/* Places of the users that have cells; count becomes the place where a user's next cell goes. */
static bool place_users(emu_view *v, size_t *count, size_t users)
{
    size_t at = 0;

    for (size_t i = 0; i < users; i++)
        v->user_n += count[i] > 0;
    v->start = malloc((v->user_n + 1) * sizeof(*v->start));
    v->user = malloc((v->user_n + 1) * sizeof(*v->user));
    if (!v->start || !v->user)
        return false;
    v->user_n = 0;
    for (size_t i = 0; i < users; i++) {
        size_t n = count[i];

        if (n) {
            v->start[v->user_n] = at;
            v->user[v->user_n++] = (uint32_t)i;
        }
        count[i] = at;
        at += n;
    }
    v->start[v->user_n] = at;
    return true;
}

static bool fill(emu_view *v, const source *from)
{
    const emu_columns *c = from->columns;
    size_t *next = calloc(from->user_n + 1, sizeof(*next)); /* counts, then places */

    for (size_t i = 0; i < from->committed && next; i++)
        next[from->user[emu_cell_at(c, i)->user]]++;
    if (next && place_users(v, next, from->user_n))
        v->cells = calloc(from->committed + 1, sizeof(*v->cells));
    if (v->cells) {
        for (size_t i = 0; i < from->committed; i++) {
            const emu_cell *cell = emu_cell_at(c, i);

            v->cells[next[from->user[cell->user]]++] = *cell;
        }
        for (size_t i = 0; i < v->user_n; i++)
            sort_user(v->cells + v->start[i], v->start[i + 1] - v->start[i]);
    }
    free(next);
    v->n = from->committed;
    v->value_n = from->value_n;
    return v->cells != NULL;
}

/* Takes the reference of from->columns over. */
static emu_view *make(const source *from)
{
    emu_view *v = calloc(1, sizeof(*v));

    if (!v) {
        emu_columns_unref(from->columns);
        return NULL;
    }
    v->refs = 1;
    v->columns = from->columns;
    v->committed = from->committed;
    v->merges = from->merges;
    if (fill(v, from))
        return v;
    free_view(v);
    return NULL;
}

/* @locks needs s->mu */
static bool is_current(const emu_store *s, const emu_view *v)
{
    return v && v->columns == s->columns && v->committed == s->columns->committed &&
           v->merges == s->merges;
}

/* Replaces the picture of the store by a new one. Unless `hold`, others use the store
 * meanwhile: then the new one may be behind. NULL when out of memory.
 * @locks needs s->view_mu and s->mu */
static emu_view *renew(emu_store *s, bool hold)
{
    emu_view *old = s->view, *v;
    source from;

    s->view = NULL;
    v = NULL;
    if (look(&from, s)) {
        emu_columns_ref(from.columns);
        if (!hold)
            pthread_mutex_unlock(&s->mu);
        emu_view_unref(old); /* before the new one needs its memory */
        old = NULL;
        v = make(&from);
        if (!hold)
            pthread_mutex_lock(&s->mu);
    }
    free(from.user);
    emu_view_unref(old);
    s->view = v;
    return v;
}

/* Events that came while the picture was made are left to the next query. A merge or a reset
 * is not: a query reads users and names of the store beside its picture. */
static bool fits(const emu_store *s, const emu_view *v)
{
    return v->columns == s->columns && v->merges == s->merges;
}

emu_view *emu_view_lock(emu_store *s)
{
    emu_view *v;

    pthread_mutex_lock(&s->view_mu);
    pthread_mutex_lock(&s->mu);
    v = s->view;
    if (!is_current(s, v))
        v = renew(s, false);
    if (v && !fits(s, v))
        v = renew(s, true);
    if (v)
        v->refs++;
    pthread_mutex_unlock(&s->view_mu);
    return v;
}
