/* SPDX-License-Identifier: MIT */
/* The 24 documented tools of the MCP server. Their schemas are documented nowhere: these
 * are ours. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "internal.h"
#include "routes.h"

typedef struct tool_call {
    emu_req *r;
    const ej_val *arguments;
    emu_buf *out;
} tool_call;

typedef bool tool_fn(tool_call *t);

/* --- arguments --- */

static bool say(tool_call *t, const char *text)
{
    t->out->n = 0;
    emu_buf_z(t->out, text);
    return false;
}

/* Text of an argument; s == NULL where it is absent or no text. */
static emu_str argument(tool_call *t, const char *name)
{
    ej_val v;

    if (t->arguments->kind != EJ_OBJECT || !ej_get(t->arguments, name, &v) ||
        v.kind != EJ_STRING)
        return (emu_str){NULL, 0};
    return ej_text(&v, &t->r->arena);
}

static bool contains(emu_str text, emu_str part)
{
    if (part.n == 0)
        return true;
    for (size_t i = 0; i + part.n <= text.n; i++)
        if (strncasecmp(text.s + i, part.s, part.n) == 0)
            return true;
    return false;
}

/* --- calls of the other handlers --- */

static void encode(emu_buf *b, emu_str s)
{
    for (size_t i = 0; i < s.n; i++)
        emu_buf_fmt(b, "%%%02X", (unsigned)(unsigned char)s.s[i]);
}

/* A GET inside the process; its answer stays in `inner`. */
static void get(tool_call *t, emu_handler *handler, const char *path, emu_str query,
                emu_req *inner)
{
    *inner = (emu_req){.e = t->r->e, .fd = -1, .received_ms = t->r->received_ms};
    inner->method = EMU_LIT("GET");
    inner->path = emu_str_of(path);
    inner->query = query;
    handler(inner);
}

/* The answer as the tool's, or its words as the tool's error. */
static bool give(tool_call *t, emu_req *inner)
{
    bool good = inner->status == 200;

    emu_buf_put(t->out, inner->out.p, inner->out.n);
    emu_chart_end(inner);
    return good;
}

/* --- reading --- */

static bool get_context(tool_call *t)
{
    emu_buf_fmt(t->out,
                "{\"project\":{\"app_id\":%lld,\"region\":\"us\"},\"now_ms\":%lld}",
                (long long)t->r->e->app_id, (long long)emu_now_ms(t->r->e));
    return true;
}

/* The answer of a list, asked for what the argument says where there is one. */
static bool give_list(tool_call *t, emu_handler *handler, const char *path,
                      const char *key)
{
    emu_str text = key ? argument(t, key) : (emu_str){NULL, 0};
    emu_buf query = {0};
    emu_req inner;
    bool good;

    if (text.n) {
        emu_buf_fmt(&query, "%s=", key);
        encode(&query, text);
    }
    get(t, handler, path, (emu_str){query.p, query.n}, &inner);
    good = give(t, &inner);
    emu_buf_free(&query);
    return good;
}

static bool get_cohorts(tool_call *t)
{
    return give_list(t, emu_do_cohort_list, "/api/3/cohorts", NULL);
}

static bool get_event_properties(tool_call *t)
{
    return give_list(t, emu_do_property_list, "/api/2/taxonomy/event-property",
                     "event_type");
}

static bool get_users(tool_call *t)
{
    if (!argument(t, "user").n)
        return say(t, "The argument user is required.");
    return give_list(t, emu_do_user_search, "/api/2/usersearch", "user");
}

static bool get_charts(tool_call *t)
{
    emu_buf_z(t->out, "{\"charts\":");
    emu_charts_write(&t->r->e->charts, t->out);
    emu_buf_ch(t->out, '}');
    return true;
}

/* --- search --- */

static void put_hit(tool_call *t, const char *type, const ej_val *id, const ej_val *name)
{
    emu_buf_fmt(t->out,
                "%s{\"type\":\"%s\",\"id\":", t->out->p[t->out->n - 1] == '[' ? "" : ",",
                type);
    emu_buf_str(t->out, id->raw);
    emu_buf_z(t->out, ",\"name\":");
    emu_buf_str(t->out, name->raw);
    emu_buf_ch(t->out, '}');
}

/* Entries of a list whose name or id has the text in it. */
static void search_list(tool_call *t, emu_str json, const char *member, const char *type,
                        const char *id_key, const char *name_key)
{
    emu_str part = argument(t, "query");
    ej_val all, list, one, id, name;
    ej_info info;
    ej_cur c;

    if (!ej_check(json, &info))
        return;
    c = ej_at(json);
    ej_take(&c, &all);
    list = all;
    if (member)
        ej_get(&all, member, &list);
    if (list.kind != EJ_ARRAY)
        return;
    c = ej_at(list.raw);
    for (ej_enter(&c); ej_item(&c);) {
        ej_take(&c, &one);
        if (ej_get(&one, id_key, &id) && ej_get(&one, name_key, &name) &&
            (contains(ej_text(&name, &t->r->arena), part) ||
             contains(ej_text(&id, &t->r->arena), part)))
            put_hit(t, type, &id, &name);
    }
}

static bool search(tool_call *t)
{
    emu_buf charts = {0};
    emu_req inner;

    emu_buf_z(t->out, "{\"results\":[");
    emu_charts_write(&t->r->e->charts, &charts);
    search_list(t, (emu_str){charts.p, charts.n}, NULL, "chart", "id", "name");
    emu_buf_free(&charts);
    get(t, emu_do_cohort_list, "/api/3/cohorts", EMU_LIT(""), &inner);
    search_list(t, (emu_str){inner.out.p, inner.out.n}, "cohorts", "cohort", "id",
                "name");
    emu_chart_end(&inner);
    get(t, emu_do_event_list, "/api/2/taxonomy/event", EMU_LIT(""), &inner);
    search_list(t, (emu_str){inner.out.p, inner.out.n}, "data", "event", "event_type",
                "event_type");
    emu_chart_end(&inner);
    get(t, emu_do_property_list, "/api/2/taxonomy/event-property", EMU_LIT(""), &inner);
    search_list(t, (emu_str){inner.out.p, inner.out.n}, "data", "event_property",
                "event_property", "event_property");
    emu_chart_end(&inner);
    emu_buf_z(t->out, "]}");
    return true;
}

/* --- questions --- */

/* Begins an object with what is saved of a chart; its id stands under `key`. */
static bool put_chart(tool_call *t, const char *key, emu_str id, emu_str *query)
{
    emu_str name;

    if (!emu_chart_find(t->r, id, &name, query))
        return say(t, "There is no chart of this id.");
    emu_buf_fmt(t->out, "{\"%s\":", key);
    emu_buf_quote(t->out, id);
    emu_buf_z(t->out, ",\"name\":");
    emu_buf_quote(t->out, name);
    emu_buf_z(t->out, ",\"query\":");
    emu_buf_quote(t->out, *query);
    return true;
}

static bool run_chart(tool_call *t, emu_str id)
{
    emu_req inner;
    emu_str query;
    bool good;

    if (!put_chart(t, "chart_id", id, &query))
        return false;
    emu_buf_z(t->out, ",\"answer\":");
    emu_chart_run(t->r, query, &inner);
    good = inner.status == 200;
    if (!good)
        t->out->n = 0; /* the words of the error alone */
    emu_buf_put(t->out, inner.out.p, inner.out.n);
    if (good)
        emu_buf_ch(t->out, '}');
    emu_chart_end(&inner);
    return good;
}

static bool query_chart(tool_call *t)
{
    emu_str id = argument(t, "chart_id");

    if (!id.n)
        return say(t, "The argument chart_id is required.");
    return run_chart(t, id);
}

static bool query_charts(tool_call *t)
{
    ej_val ids = {0}, id;
    size_t n = 0;
    bool good = true;
    ej_cur c;

    if (t->arguments->kind == EJ_OBJECT)
        ej_get(t->arguments, "chart_ids", &ids);
    if (ids.kind != EJ_ARRAY)
        return say(t, "The argument chart_ids is required.");
    emu_buf_z(t->out, "{\"charts\":[");
    c = ej_at(ids.raw);
    for (ej_enter(&c); good && ej_item(&c); n++) {
        ej_take(&c, &id);
        if (n == 3)
            return say(t, "At most three charts can be asked for at once.");
        if (n)
            emu_buf_ch(t->out, ',');
        good = run_chart(t, ej_text(&id, &t->r->arena));
    }
    if (good)
        emu_buf_z(t->out, "]}");
    return good;
}

static bool query_dataset(tool_call *t)
{
    emu_str query = argument(t, "query");
    emu_req inner;

    if (!query.n)
        return say(t, "The argument query is required.");
    if (!emu_chart_run(t->r, query, &inner)) {
        emu_chart_end(&inner);
        return say(t, "The query is the path of an analytics endpoint with its query.");
    }
    return give(t, &inner);
}

/* /…/chart/ID of any host. */
static bool get_from_url(tool_call *t)
{
    emu_str url = argument(t, "url");
    const char *at = url.n ? memmem(url.s, url.n, "/chart/", 7) : NULL;
    emu_str id, query;

    if (!at)
        return say(t, "The emulator knows the URLs of charts only.");
    id.s = at + 7;
    id.n = (size_t)(url.s + url.n - id.s);
    for (size_t i = 0; i < id.n; i++)
        if (strchr("/?#", id.s[i]))
            id.n = i;
    if (!put_chart(t, "id", id, &query))
        return false;
    emu_buf_z(t->out, ",\"type\":\"chart\"}");
    return true;
}

/* --- writing --- */

static bool save_chart(tool_call *t)
{
    emu_buf err = {0};
    ej_val id;

    if (t->arguments->kind != EJ_OBJECT)
        return say(t, "The arguments are required.");
    if (!emu_charts_set(&t->r->e->charts, t->arguments, &err)) {
        emu_buf_put(t->out, err.p, err.n);
        emu_buf_free(&err);
        return false;
    }
    emu_buf_free(&err);
    ej_get(t->arguments, "id", &id);
    emu_buf_z(t->out, "{\"chart_id\":");
    emu_buf_str(t->out, id.raw);
    emu_buf_ch(t->out, '}');
    return true;
}

static bool absent(tool_call *t)
{
    return say(t, "The emulator keeps nothing of this kind.");
}

/* --- the table --- */

#define NONE "{\"type\":\"object\",\"additionalProperties\":false}"
#define TEXT(name, required)                                                            \
    "{\"type\":\"object\",\"properties\":{\"" name "\":{\"type\":\"string\"}}" required \
    "}"
#define NEEDED(name) TEXT(name, ",\"required\":[\"" name "\"]")
#define ANY "{\"type\":\"object\"}"
#define CHART                                                                      \
    "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},\"name\":"  \
    "{\"type\":\"string\"},\"query\":{\"type\":\"string\"}},\"required\":[\"id\"," \
    "\"query\"]}"
#define IDS                                                                             \
    "{\"type\":\"object\",\"properties\":{\"chart_ids\":{\"type\":\"array\",\"items\":" \
    "{\"type\":\"string\"},\"maxItems\":3}},\"required\":[\"chart_ids\"]}"

/* Names: the groups of the documentation, in its order. */
static const struct tool {
    const char *name;
    int needs;
    const char *description, *schema;
    tool_fn *run;
} TOOLS[] = {
    {"search", EMU_MCP_READ, "Charts, cohorts, events and properties by name.",
     TEXT("query", ""), search},
    {"get_from_url", EMU_MCP_READ, "The chart behind a URL.", NEEDED("url"),
     get_from_url},
    {"get_context", EMU_MCP_READ, "The project.", NONE, get_context},
    {"get_charts", EMU_MCP_READ, "Saved charts.", NONE, get_charts},
    {"get_dashboard", EMU_MCP_READ, "Not kept.", ANY, absent},
    {"get_cohorts", EMU_MCP_READ, "All cohorts.", NONE, get_cohorts},
    {"get_experiments", EMU_MCP_READ, "Not kept.", ANY, absent},
    {"get_event_properties", EMU_MCP_READ, "Properties in the tracking plan.",
     TEXT("event_type", ""), get_event_properties},
    {"get_session_replays", EMU_MCP_READ, "Not kept.", ANY, absent},
    {"get_users", EMU_MCP_READ, "Users by an id.", NEEDED("user"), get_users},
    {"query_chart", EMU_MCP_READ, "The answer of a saved chart.", NEEDED("chart_id"),
     query_chart},
    {"query_charts", EMU_MCP_READ, "The answers of up to three saved charts.", IDS,
     query_charts},
    {"query_dataset", EMU_MCP_READ, "The answer of an analytics endpoint.",
     NEEDED("query"), query_dataset},
    {"query_experiment", EMU_MCP_READ, "Not kept.", ANY, absent},
    {"save_chart_edits", EMU_MCP_WRITE, "Saves a chart under its id.", CHART, save_chart},
    {"create_chart", EMU_MCP_WRITE, "Saves a chart under an id.", CHART, save_chart},
    {"create_dashboard", EMU_MCP_WRITE, "Not kept.", ANY, absent},
    {"create_notebook", EMU_MCP_WRITE, "Not kept.", ANY, absent},
    {"create_experiment", EMU_MCP_WRITE, "Not kept.", ANY, absent},
    {"create_cohort", EMU_MCP_WRITE, "Not kept.", ANY, absent},
    {"get_feedback_insights", EMU_MCP_READ, "Not kept.", ANY, absent},
    {"get_feedback_comments", EMU_MCP_READ, "Not kept.", ANY, absent},
    {"get_feedback_mentions", EMU_MCP_READ, "Not kept.", ANY, absent},
    {"get_feedback_sources", EMU_MCP_READ, "Not kept.", ANY, absent},
};

enum { TOOL_N = sizeof(TOOLS) / sizeof(TOOLS[0]) };

size_t emu_mcp_tools(emu_buf *out, size_t from, size_t most)
{
    size_t end = most && from + most < TOOL_N ? from + most : TOOL_N;

    for (size_t i = from; i < end; i++) {
        emu_buf_fmt(out, "%s{\"name\":\"%s\",\"description\":\"%s\",\"inputSchema\":%s,",
                    i > from ? "," : "", TOOLS[i].name, TOOLS[i].description,
                    TOOLS[i].schema);
        emu_buf_fmt(out, "\"annotations\":{\"readOnlyHint\":%s}}",
                    TOOLS[i].needs == EMU_MCP_READ ? "true" : "false");
    }
    return end < TOOL_N ? end : 0;
}

static const struct tool *tool_of(emu_str name)
{
    for (size_t i = 0; i < TOOL_N; i++)
        if (emu_str_is(name, TOOLS[i].name))
            return &TOOLS[i];
    return NULL;
}

int emu_mcp_tool_needs(emu_str name)
{
    const struct tool *tool = tool_of(name);

    return tool ? tool->needs : 0;
}

bool emu_mcp_tool_run(emu_req *r, emu_str name, const ej_val *arguments, emu_buf *out)
{
    tool_call t = {r, arguments, out};

    return tool_of(name)->run(&t);
}
