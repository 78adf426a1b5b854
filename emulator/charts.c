/* SPDX-License-Identifier: MIT */
/* GET /api/3/chart/{id}/csv and /query over charts that were seeded. */
#include "charts.h"

#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "routes.h"

struct emu_chart {
    struct emu_chart *next;
    emu_str id, name, query; /* owned */
};

static const struct {
    const char *path;
    emu_handler *handler;
} KINDS[] = {
    {"/api/2/users", emu_do_users},
    {"/api/2/events/segmentation", emu_do_segmentation},
    {"/api/2/funnels", emu_do_funnels},
    {"/api/2/retention", emu_do_retention},
    {"/api/2/revenue/ltv", emu_do_ltv},
    {"/api/2/realtime", emu_do_realtime},
    {"/api/2/composition", emu_do_composition},
    {"/api/2/sessions/length", emu_do_session_length},
    {"/api/2/sessions/average", emu_do_session_average},
    {"/api/2/sessions/peruser", emu_do_sessions_per_user},
};

void emu_charts_init(emu_charts *c)
{
    pthread_mutex_init(&c->mu, NULL);
}

static void free_chart(struct emu_chart *chart)
{
    free((char *)(uintptr_t)chart->id.s);
    free((char *)(uintptr_t)chart->name.s);
    free((char *)(uintptr_t)chart->query.s);
    free(chart);
}

void emu_charts_forget(emu_charts *c)
{
    pthread_mutex_lock(&c->mu);
    while (c->list) {
        struct emu_chart *next = c->list->next;

        free_chart(c->list);
        c->list = next;
    }
    pthread_mutex_unlock(&c->mu);
}

void emu_charts_free(emu_charts *c)
{
    emu_charts_forget(c);
    pthread_mutex_destroy(&c->mu);
}

/* --- seeding --- */

static emu_str before_mark(emu_str query)
{
    const char *mark = query.n ? memchr(query.s, '?', query.n) : NULL;

    return (emu_str){query.s, mark ? (size_t)(mark - query.s) : query.n};
}

static emu_handler *handler_of(emu_str path)
{
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++)
        if (emu_str_is(path, KINDS[i].path))
            return KINDS[i].handler;
    return NULL;
}

static bool id_is_plain(emu_str id)
{
    for (size_t i = 0; i < id.n; i++) {
        char c = id.s[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return id.n > 0 && id.n <= 64;
}

static struct emu_chart *new_chart(emu_str id, emu_str name, emu_str query)
{
    struct emu_chart *chart = calloc(1, sizeof(*chart));

    if (!chart)
        return NULL;
    chart->id = (emu_str){emu_strdup_n(id.s, id.n), id.n};
    chart->name = (emu_str){emu_strdup_n(name.s, name.n), name.n};
    chart->query = (emu_str){emu_strdup_n(query.s, query.n), query.n};
    if (chart->id.s && chart->name.s && chart->query.s)
        return chart;
    free_chart(chart);
    return NULL;
}

static void drop(emu_charts *c, emu_str id)
{
    for (struct emu_chart **at = &c->list; *at; at = &(*at)->next) {
        struct emu_chart *chart = *at;

        if (emu_str_eq(chart->id, id)) {
            *at = chart->next;
            free_chart(chart);
            return;
        }
    }
}

bool emu_charts_set(emu_charts *c, const ej_val *object, emu_buf *err)
{
    struct emu_chart *chart = NULL;
    emu_arena a = {0};
    ej_val id, name, query;
    emu_str id_text, query_text;

    ej_get(object, "id", &id);
    ej_get(object, "name", &name);
    ej_get(object, "query", &query);
    id_text = id.kind == EJ_STRING ? ej_text(&id, &a) : (emu_str){NULL, 0};
    query_text = query.kind == EJ_STRING ? ej_text(&query, &a) : (emu_str){NULL, 0};
    if (!id_is_plain(id_text))
        emu_buf_z(err, "a chart's id is up to 64 letters, digits, - and _");
    else if (!handler_of(before_mark(query_text)))
        emu_buf_z(err,
                  "a chart's query is the path of an analytics endpoint with its query");
    else
        chart = new_chart(id_text,
                          name.kind == EJ_STRING ? ej_text(&name, &a) : (emu_str){"", 0},
                          query_text);
    if (chart) {
        pthread_mutex_lock(&c->mu);
        drop(c, chart->id);
        chart->next = c->list;
        c->list = chart;
        pthread_mutex_unlock(&c->mu);
    } else if (!err->n) {
        emu_buf_z(err, "memory ran out");
    }
    emu_arena_free(&a);
    return chart != NULL;
}

void emu_charts_write(emu_charts *c, emu_buf *out)
{
    emu_buf_ch(out, '[');
    pthread_mutex_lock(&c->mu);
    for (const struct emu_chart *chart = c->list; chart; chart = chart->next) {
        emu_buf_z(out, chart == c->list ? "{\"id\":" : ",{\"id\":");
        emu_buf_quote(out, chart->id);
        emu_buf_z(out, ",\"name\":");
        emu_buf_quote(out, chart->name);
        emu_buf_z(out, ",\"query\":");
        emu_buf_quote(out, chart->query);
        emu_buf_ch(out, '}');
    }
    pthread_mutex_unlock(&c->mu);
    emu_buf_ch(out, ']');
}

/* --- serving --- */

bool emu_chart_find(emu_req *r, emu_str id, emu_str *name, emu_str *query)
{
    emu_charts *c = &r->e->charts;
    bool found = false;

    pthread_mutex_lock(&c->mu);
    for (const struct emu_chart *chart = c->list; chart && !found; chart = chart->next) {
        found = emu_str_eq(chart->id, id);
        if (found) {
            *name = emu_arena_copy(&r->arena, chart->name);
            *query = emu_arena_copy(&r->arena, chart->query);
        }
    }
    pthread_mutex_unlock(&c->mu);
    return found && name->s && query->s;
}

bool emu_chart_run(emu_req *r, emu_str query, emu_req *inner)
{
    emu_str path = before_mark(query);
    emu_handler *handler = handler_of(path);

    *inner = (emu_req){.e = r->e, .fd = -1, .received_ms = r->received_ms};
    if (!handler)
        return false;
    inner->method = EMU_LIT("GET");
    inner->path = path;
    if (path.n < query.n)
        inner->query = (emu_str){query.s + path.n + 1, query.n - path.n - 1};
    handler(inner);
    return true;
}

void emu_chart_end(emu_req *inner)
{
    emu_buf_free(&inner->out);
    emu_arena_free(&inner->arena);
}

static void run(emu_req *r, bool csv)
{
    emu_str name, query;
    emu_buf text = {0};
    emu_req inner;

    if (!emu_chart_find(r, emu_path_part(r, 3), &name, &query)) {
        emu_dash_error(r, 404, "Chart not found");
        return;
    }
    emu_chart_run(r, query, &inner); /* its path was checked when it was saved */
    if (csv && inner.status == 200) {
        emu_chart_csv(&inner, name, inner.path, (emu_str){inner.out.p, inner.out.n},
                      &text);
        emu_buf_z(&r->out, "{\"data\":");
        emu_buf_quote(&r->out, (emu_str){text.p, text.n});
        emu_buf_ch(&r->out, '}');
    } else {
        emu_buf_put(&r->out, inner.out.p, inner.out.n);
    }
    for (size_t i = 0; i < inner.head_n; i++)
        emu_header(r, inner.heads[i].name.s, inner.heads[i].value);
    emu_reply(r, inner.status, inner.type);
    emu_buf_free(&text);
    emu_chart_end(&inner);
}

void emu_do_chart_csv(emu_req *r)
{
    run(r, true);
}

void emu_do_chart_query(emu_req *r)
{
    run(r, false);
}
