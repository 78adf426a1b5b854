/* SPDX-License-Identifier: MIT */
/* Arguments and answers of the MCP server's calls. */
#include <string.h>

#include "areas/form.h"
#include "areas/mcp.h"
#include "base/error.h"
#include "json/parts.h"

#define TIMEOUT                                                                    \
    {                                                                              \
        .name = "timeout", .place = TW_IN_CALL, .kind = TW_KIND_NUMBER,            \
        .doc = "seconds for each request, as the option dash_timeout where absent" \
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

static int call_check(const tw_given *given, tw_error **err)
{
    int rc = object_check(given, "arguments", err);

    return rc == TW_OK ? timeout_check(given, err) : rc;
}

/* The version is ours to say: what reads the answer depends on it. */
static int request_check(const tw_given *given, tw_error **err)
{
    static const char key[] = "io.modelcontextprotocol/protocolVersion";
    size_t size;
    const char *json = tw__given(given, "params", &size);
    tw_view params = {json, size};
    int rc = object_check(given, "params", err);

    if (rc == TW_OK && json != NULL &&
        tw__view_given(tw__view_member(tw__view_member(params, "_meta"), key)))
        rc = tw__error_at(err, TW_E_VALIDATION, "params._meta",
                          "params._meta held %s, which the client writes", key);
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

static int call_form(tw_buf *out, const char *body, size_t size, tw_error **err)
{
    const char *type;
    size_t type_size;
    int rc = tw__form_member(&type, &type_size, "resultType", body, size);
    tw_view given = {type, type_size};

    if (rc == TW_OK && type != NULL && !tw__view_is(given, "complete"))
        return tw__error(err, TW_E_PROTOCOL,
                         "the tool did not answer but asked for something "
                         "(resultType %.40s): nothing is there to give it",
                         type_size < 40 ? type : "unknown");
    if (rc == TW_OK)
        rc = tw__form_object(out, result_members, body, size);
    return tw__form_end(rc, "a tool's result", err);
}

const tw_operation tw__mcp_operations[] = {
    {TW_EP_MCP_TOOLS, TW_ARGUMENTS(tools_arguments), timeout_check, tools_form,
     "a list of `name`, `title`, `description`, `input_schema`, `output_schema` (JSON schemas as "
     "they came), `annotations`; all pages"},
    {TW_EP_MCP_CALL, TW_ARGUMENTS(call_arguments), call_check, call_form,
     "`content` (a list of parts, such as {\"type\":\"text\",\"text\":...}), "
     "`structured_content`, `is_error`"},
    {TW_EP_MCP_REQUEST, TW_ARGUMENTS(request_arguments), request_check, NULL,
     "the `result` of the response, as it came"},
    {TW_EP_COUNT, NULL, 0, NULL, NULL, NULL},
};
