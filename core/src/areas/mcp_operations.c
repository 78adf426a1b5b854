/* SPDX-License-Identifier: MIT */
/* Arguments and answers of the MCP server's calls. */
#include <string.h>

#include "areas/form.h"
#include "areas/mcp.h"
#include "base/error.h"
#include "json/parts.h"

#define TIMEOUT                                                                                 \
    {                                                                                           \
        .name = "timeout", .place = TW_IN_CALL, .kind = TW_KIND_NUMBER,                         \
        .doc =                                                                                  \
            "seconds for the whole call; each request has the option dash_timeout where absent" \
    }

static const tw_argument tools_arguments[] = {TIMEOUT};

static const tw_argument call_arguments[] = {
    {.name = "name",
     .place = TW_IN_CALL,
     .kind = TW_KIND_TEXT,
     .flags = TW_REQUIRED | TW_FILLED,
     .doc = "of the tool, as `mcp.tools` gives it"},
    {.name = "arguments",
     .place = TW_IN_CALL,
     .kind = TW_KIND_JSON,
     .doc = "an object, by the tool's input schema"},
    TIMEOUT,
};

static const tw_argument request_arguments[] = {
    {.name = "method",
     .place = TW_IN_CALL,
     .kind = TW_KIND_TEXT,
     .flags = TW_REQUIRED | TW_FILLED,
     .doc = "such as `server/discover`"},
    {.name = "params",
     .place = TW_IN_CALL,
     .kind = TW_KIND_JSON,
     .doc = "an object; what the protocol wants in each request is added"},
    TIMEOUT,
};

/* ---- checks ------------------------------------------------------------------------ */

static tw_view view_of(const tw_given *given, const char *name)
{
    tw_view value;

    value.text = tw__given(given, name, &value.size);
    return value;
}

/* Lua has one empty table for both kinds. */
static int object_check(const tw_given *given, const char *name, tw_error **err)
{
    size_t size;
    const char *json = tw__given(given, name, &size);
    tw_json_kind kind = json != NULL ? tw__json_kind(json, size) : TW_JSON_OBJECT;

    if (kind == TW_JSON_OBJECT || (kind == TW_JSON_ARRAY && size == 2))
        return TW_OK;
    return tw__error_at(err, TW_E_VALIDATION, name, "%s was not an object", name);
}

static int timeout_check(const tw_given *given, tw_error **err)
{
    size_t size;
    const char *json = tw__given(given, "timeout", &size);
    double seconds;

    if (json == NULL ||
        (tw__json_real(&seconds, json, size) && seconds >= 0.001 && seconds <= 86400))
        return TW_OK;
    return tw__error_at(err, TW_E_VALIDATION, "timeout",
                        "timeout was not between 0.001 and 86400 seconds");
}

/* `_meta` is written anew, so that what cannot be kept of it is refused. The version is ours to
 * say: what reads the answer depends on it. */
static int meta_check(tw_view params, tw_error **err)
{
    static const char *const names[] = {"_meta", NULL};
    static const char key[] = "io.modelcontextprotocol/protocolVersion";
    tw_view meta;

    if (tw__view_pick(params, names, &meta) >= 0)
        return tw__error_at(err, TW_E_VALIDATION, "params._meta",
                            "params._meta was given twice");
    if (tw__view_given(meta) && tw__view_kind(meta) != TW_JSON_OBJECT &&
        !(tw__view_is_list(meta) && tw__view_count(meta) == 0))
        return tw__error_at(err, TW_E_VALIDATION, "params._meta",
                            "params._meta was not an object");
    if (tw__view_given(tw__view_member(meta, key)))
        return tw__error_at(err, TW_E_VALIDATION, "params._meta",
                            "params._meta held %s, which the client writes", key);
    return TW_OK;
}

/* What a header repeats has the length that headers may have; two more for the quotes. */
static int header_check(tw_view text, const char *field, tw_error **err)
{
    if (text.size <= TW_MCP_HEADER_MOST + 2 || tw__view_kind(text) != TW_JSON_STRING)
        return TW_OK;
    return tw__error_at(err, TW_E_TOO_LARGE, field,
                        "%s was longer than %d bytes: a header of the request repeats it",
                        field, TW_MCP_HEADER_MOST);
}

static int call_check(const tw_given *given, tw_error **err)
{
    tw_view name = view_of(given, "name");
    int rc = object_check(given, "arguments", err);

    if (rc == TW_OK)
        rc = header_check(name, "name", err);
    return rc == TW_OK ? timeout_check(given, err) : rc;
}

static int request_check(const tw_given *given, tw_error **err)
{
    tw_view params = view_of(given, "params");
    tw_view method = view_of(given, "method");
    const char *named = tw__mcp_named(method);
    int rc = object_check(given, "params", err);

    if (rc == TW_OK)
        rc = meta_check(params, err);
    if (rc == TW_OK)
        rc = header_check(method, "method", err);
    if (rc == TW_OK && named != NULL)
        rc = header_check(tw__view_member(params, named),
                          named[0] == 'n' ? "params.name" : "params.uri", err);
    return rc == TW_OK ? timeout_check(given, err) : rc;
}

/* ---- forms ------------------------------------------------------------------------- */

static const tw_member tool_members[] = {
    {"name", NULL, TW_MEMBER_ANY, NULL},
    {"title", NULL, TW_MEMBER_ANY, NULL},
    {"description", NULL, TW_MEMBER_ANY, NULL},
    {"input_schema", "inputSchema", TW_MEMBER_ANY, "{}"},
    {"output_schema", "outputSchema", TW_MEMBER_ANY, NULL},
    {"annotations", NULL, TW_MEMBER_ANY, NULL},
    {NULL, NULL, TW_MEMBER_ANY, NULL},
};

static const tw_member result_members[] = {
    {"content", NULL, TW_MEMBER_ANY, "[]"},
    {"structured_content", "structuredContent", TW_MEMBER_ANY, NULL},
    {"is_error", "isError", TW_MEMBER_ANY, "false"},
    {NULL, NULL, TW_MEMBER_ANY, NULL},
};

static int tools_form(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    return tw__form_end(tw__form_list(out, tool_members, body, size), "a list of tools",
                        err);
}

/* The parts that are text, each on lines of its own; escaped as they came. */
static int text_put(tw_buf *out, tw_view content)
{
    tw_view_walk walk = tw__view_walk(content);
    int rc = tw__buf_puts(out, "\"text\":\"");
    int count = 0;
    tw_view part;

    while (rc == TW_OK && tw__view_next(&walk, NULL, &part)) {
        tw_view text = tw__view_member(part, "text");

        if (!tw__view_is(tw__view_member(part, "type"), "text") ||
            tw__view_kind(text) != TW_JSON_STRING)
            continue;
        if (count++ > 0)
            rc = tw__buf_puts(out, "\\n");
        if (rc == TW_OK)
            rc = tw__buf_put(out, text.text + 1, text.size - 2);
    }
    return rc == TW_OK ? tw__buf_puts(out, "\"}") : rc;
}

static int call_form(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    tw_view result = {body, size};
    int rc = tw__form_open(out, result_members, body, size);

    if (rc == TW_OK)
        rc = tw__buf_putc(out, ',');
    if (rc == TW_OK)
        rc = text_put(out, tw__view_member(result, "content"));
    return tw__form_end(rc, "a tool's result", err);
}

/* ---- results ----------------------------------------------------------------------- */

/* A member that is there, and not null, is of this kind, and stands there once. */
typedef struct kind_rule {
    const char *name;
    tw_json_kind kind; /* TRUE stands for both truth values */
    int required;
    const char *fault;
} kind_rule;

/* The fault of the first rule that the object breaks, NULL for none. */
static const char *rules_check(tw_view object, const kind_rule *rules)
{
    for (; rules->name != NULL; rules++) {
        const char *const names[] = {rules->name, NULL};
        tw_view value;
        tw_json_kind kind;

        if (tw__view_pick(object, names, &value) >= 0)
            return rules->fault;
        kind = tw__view_kind(value);
        if (kind == TW_JSON_FALSE)
            kind = TW_JSON_TRUE;
        if (tw__view_given(value) ? kind != rules->kind : rules->required)
            return rules->fault;
    }
    return NULL;
}

static const char *items_check(tw_view list, const kind_rule *rules, const char *fault)
{
    tw_view_walk walk = tw__view_walk(list);
    const char *found = NULL;
    tw_view one;

    while (found == NULL && tw__view_next(&walk, NULL, &one))
        found = tw__view_kind(one) == TW_JSON_OBJECT ? rules_check(one, rules) : fault;
    return found;
}

static const char *tools_check(tw_view result)
{
    static const kind_rule list[] = {
        {"tools", TW_JSON_ARRAY, 1, "the answer had no list of tools"},
        {"nextCursor", TW_JSON_STRING, 0, "the cursor of the list of tools was no text"},
        {NULL, TW_JSON_NULL, 0, NULL}};
    static const kind_rule tool[] = {
        {"name", TW_JSON_STRING, 1, "a tool had no name"},
        {"title", TW_JSON_STRING, 0, "the title of a tool was no text"},
        {"description", TW_JSON_STRING, 0, "the description of a tool was no text"},
        {"inputSchema", TW_JSON_OBJECT, 0, "the inputSchema of a tool was no object"},
        {"outputSchema", TW_JSON_OBJECT, 0, "the outputSchema of a tool was no object"},
        {"annotations", TW_JSON_OBJECT, 0, "the annotations of a tool were no object"},
        {NULL, TW_JSON_NULL, 0, NULL}};
    const char *fault = rules_check(result, list);

    return fault != NULL ? fault
                         : items_check(tw__view_member(result, "tools"), tool,
                                       "the list of tools held what is no tool");
}

static const char *call_check_result(tw_view result)
{
    static const kind_rule whole[] = {
        {"content", TW_JSON_ARRAY, 0, "the content of the tool's result was no list"},
        {"isError", TW_JSON_TRUE, 0,
         "isError of the tool's result was neither true nor false"},
        {NULL, TW_JSON_NULL, 0, NULL}};
    static const kind_rule part[] = {
        {"type", TW_JSON_STRING, 0, "a part of the tool's result had no type"},
        {NULL, TW_JSON_NULL, 0, NULL}};
    tw_view type = tw__view_member(result, "resultType");
    const char *fault;

    if (tw__view_is(type, "input_required"))
        return "the tool did not answer but asked for input (input_required), which "
               "nobody is there to give";
    if (tw__view_given(type) && !tw__view_is(type, "complete"))
        return "the tool did not answer but gave a resultType that we do not know";
    fault = rules_check(result, whole);
    return fault != NULL ? fault
                         : items_check(tw__view_member(result, "content"), part,
                                       "a part of the tool's result was no object");
}

const char *tw__mcp_result_fault(tw_endpoint_id endpoint, tw_view result)
{
    if (endpoint == TW_EP_MCP_REQUEST)
        return NULL; /* as it came */
    if (tw__view_kind(result) != TW_JSON_OBJECT)
        return "the result was no object";
    return endpoint == TW_EP_MCP_TOOLS ? tools_check(result) : call_check_result(result);
}

const tw_operation tw__mcp_operations[] = {
    {TW_EP_MCP_TOOLS, TW_ARGUMENTS(tools_arguments), timeout_check, tools_form,
     "a list of `name`, `title`, `description`, `input_schema`, `output_schema` (JSON schemas as "
     "they came), `annotations`; all pages"},
    {TW_EP_MCP_CALL, TW_ARGUMENTS(call_arguments), call_check, call_form,
     "`content` (a list of parts, such as {\"type\":\"text\",\"text\":...}), "
     "`structured_content`, `is_error`, `text` (of the parts that are text, each on lines of its "
     "own)"},
    {TW_EP_MCP_REQUEST, TW_ARGUMENTS(request_arguments), request_check, NULL,
     "the `result` of the response, as it came"},
    {TW_EP_COUNT, NULL, 0, NULL, NULL, NULL},
};
