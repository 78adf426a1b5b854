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

/* The canonical user of each number, and how many cells each has. */
static bool count_users(emu_store *s, const emu_columns *c, uint32_t **user,
                        size_t **count)
{
    *user = malloc((s->user_n + 1) * sizeof(**user));
    *count = calloc(s->user_n + 1, sizeof(**count));
    if (!*user || !*count)
        return false;
    for (size_t i = 0; i < s->user_n; i++) {
        const emu_user *u = s->users[i];

        while (u->into)
            u = u->into;
        (*user)[i] = (uint32_t)(u->id - EMU_FIRST_ID);
    }
    for (size_t i = 0; i < c->committed; i++)
        (*count)[(*user)[c->cells[i].user]]++;
    return true;
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

static bool fill(emu_view *v, emu_store *s)
{
    const emu_columns *c = s->columns;
    uint32_t *user = NULL;
    size_t *next = NULL;
    bool ok = count_users(s, c, &user, &next) && place_users(v, next, s->user_n);

    v->cells = ok ? calloc(c->committed + 1, sizeof(*v->cells)) : NULL;
    if (v->cells) {
        for (size_t i = 0; i < c->committed; i++)
            v->cells[next[user[c->cells[i].user]]++] = c->cells[i];
        for (size_t i = 0; i < v->user_n; i++)
            sort_user(v->cells + v->start[i], v->start[i + 1] - v->start[i]);
    }
    free(user);
    free(next);
    v->n = c->committed;
    v->value_n = c->values.n;
    return v->cells != NULL;
}

static emu_view *make(emu_store *s)
{
    emu_view *v = calloc(1, sizeof(*v));

    if (!v)
        return NULL;
    v->refs = 1;
    v->columns = emu_columns_ref(s->columns);
    v->committed = s->columns->committed;
    v->merges = s->merges;
    if (fill(v, s))
        return v;
    free_view(v);
    return NULL;
}

emu_view *emu_view_get(emu_store *s)
{
    emu_view *v = s->view;

    if (!v || v->committed != s->columns->committed || v->merges != s->merges) {
        emu_view_unref(v);
        s->view = make(s);
    }
    if (s->view)
        s->view->refs++;
    return s->view;
}
