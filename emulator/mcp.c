/* SPDX-License-Identifier: MIT */
/* POST /mcp: JSON-RPC over Streamable HTTP, as MCP 2026-07-28 and, after a handshake, as 2025-11-25
 * and before have it. */
#include "mcp.h"

#include <string.h>
#include <strings.h>

#include "internal.h"
#include "routes.h"

#define MODERN "2026-07-28"
#define META "io.modelcontextprotocol/"
#define SERVER_INFO "{\"name\":\"tidewheel-emulator\",\"version\":\"1\"}"

static const char *const LEGACY[] = {"2025-11-25", "2025-06-18", "2025-03-26"};

typedef struct call {
    emu_req *r;
    ej_val id, method, params, meta;
    emu_str name; /* of the method, decoded */
    bool modern;
    int scopes;
} call;

/* --- answers --- */

static bool wants_stream(call *c)
{
    emu_str accept = emu_header_of(c->r, "Accept");

    return EMU_SW(c->r->e, mcp_reply) == 1 && accept.n &&
           memmem(accept.s, accept.n, "text/event-stream", 17) != NULL;
}

/* One message; as a stream it comes after a comment and a notification. */
static void send_message(call *c, int status, emu_buf *message)
{
    emu_buf *out = &c->r->out;

    out->n = 0;
    if (status == 200 && wants_stream(c)) {
        emu_buf_z(out, ": the emulator\n\nevent: message\ndata: {\"jsonrpc\":\"2.0\","
                       "\"method\":\"notifications/message\",\"params\":{\"level\":"
                       "\"debug\",\"data\":\"working\"}}\n\nevent: message\ndata: ");
        emu_buf_put(out, message->p, message->n);
        emu_buf_z(out, "\n\n");
        emu_header(c->r, "X-Accel-Buffering", EMU_LIT("no"));
        emu_reply(c->r, status, "text/event-stream");
    } else {
        emu_buf_put(out, message->p, message->n);
        emu_reply(c->r, status, EMU_JSON);
    }
    emu_buf_free(message);
}

static void begin_message(call *c, emu_buf *b)
{
    emu_buf_z(b, "{\"jsonrpc\":\"2.0\",\"id\":");
    if (c->id.kind == EJ_NUMBER || c->id.kind == EJ_STRING)
        emu_buf_str(b, c->id.raw);
    else
        emu_buf_z(b, "null");
}

static void fail_with(call *c, int status, int code, const char *message, emu_str detail,
                      const char *data)
{
    emu_buf b = {0}, text = {0};

    emu_buf_z(&text, message);
    emu_buf_str(&text, detail);
    begin_message(c, &b);
    emu_buf_fmt(&b, ",\"error\":{\"code\":%d,\"message\":", code);
    emu_buf_quote(&b, (emu_str){text.p, text.n});
    if (data)
        emu_buf_fmt(&b, ",\"data\":%s", data);
    emu_buf_z(&b, "}}");
    emu_buf_free(&text);
    send_message(c, status, &b);
}

static void fail(call *c, int status, int code, const char *message)
{
    fail_with(c, status, code, message, EMU_LIT(""), NULL);
}

static void begin_result(call *c, emu_buf *b)
{
    begin_message(c, b);
    emu_buf_z(b, c->modern ? ",\"result\":{\"resultType\":\"complete\",\"_meta\":{\"" META
                             "serverInfo\":" SERVER_INFO "},"
                           : ",\"result\":{");
}

/* --- methods --- */

static void do_discover(call *c)
{
    emu_buf b = {0};

    begin_result(c, &b);
    emu_buf_z(&b,
              "\"supportedVersions\":[\"" MODERN "\"],\"capabilities\":{\"tools\":{}},"
              "\"ttlMs\":300000,\"cacheScope\":\"public\"}}");
    send_message(c, 200, &b);
}

static void do_list(call *c)
{
    int64_t page = EMU_SW(c->r->e, mcp_page);
    emu_buf b = {0};
    size_t from = 0, next;
    ej_val cursor = {0};

    if (c->params.kind == EJ_OBJECT && ej_get(&c->params, "cursor", &cursor)) {
        emu_str text =
            cursor.kind == EJ_STRING ? ej_text(&cursor, &c->r->arena) : EMU_LIT("");

        emu_str digits = {"", 0};

        if (text.n > 5 && text.n < 10 && memcmp(text.s, "page-", 5) == 0)
            digits = (emu_str){text.s + 5, text.n - 5};
        for (size_t i = 0; i < digits.n; i++)
            from = from * 10 + (size_t)(digits.s[i] - '0');
        if (!emu_all_digits(digits) || from == 0) {
            fail(c, c->modern ? 400 : 200, -32602, "Invalid cursor");
            return;
        }
    }
    begin_result(c, &b);
    emu_buf_z(&b, "\"tools\":[");
    next = emu_mcp_tools(&b, from, (size_t)page);
    emu_buf_ch(&b, ']');
    if (next)
        emu_buf_fmt(&b, ",\"nextCursor\":\"page-%zu\"", next);
    if (c->modern)
        emu_buf_z(&b, ",\"ttlMs\":300000,\"cacheScope\":\"public\"");
    emu_buf_z(&b, "}}");
    send_message(c, 200, &b);
}

static void put_tool_result(call *c, emu_buf *b, const emu_buf *text, bool good)
{
    emu_str json = {text->p, text->n};

    begin_result(c, b);
    emu_buf_z(b, "\"content\":[{\"type\":\"text\",\"text\":");
    emu_buf_quote(b, json);
    emu_buf_z(b, "}]");
    if (good) {
        emu_buf_z(b, ",\"structuredContent\":");
        emu_buf_str(b, json);
    }
    emu_buf_fmt(b, ",\"isError\":%s}}", good ? "false" : "true");
}

static void do_call(call *c)
{
    ej_val name = {0}, arguments = {0};
    emu_buf text = {0}, b = {0};
    emu_str tool;
    int needs;
    bool good;

    if (c->params.kind == EJ_OBJECT) {
        ej_get(&c->params, "name", &name);
        ej_get(&c->params, "arguments", &arguments);
    }
    if (name.kind != EJ_STRING ||
        (arguments.kind != EJ_NONE && arguments.kind != EJ_OBJECT)) {
        fail(c, c->modern ? 400 : 200, -32602, "Invalid params");
        return;
    }
    tool = ej_text(&name, &c->r->arena);
    needs = emu_mcp_tool_needs(tool);
    if (!needs) {
        fail_with(c, 200, -32602, "Unknown tool: ", tool, NULL);
        return;
    }
    if (!(c->scopes & needs)) {
        emu_mcp_lacks_scope(c->r, needs == EMU_MCP_WRITE ? "mcp:write" : "mcp:read");
        return;
    }
    good = emu_mcp_tool_run(c->r, tool, &arguments, &text);
    put_tool_result(c, &b, &text, good);
    emu_buf_free(&text);
    send_message(c, 200, &b);
}

static void run_method(call *c)
{
    if (emu_str_is(c->name, "tools/list")) {
        do_list(c);
    } else if (emu_str_is(c->name, "tools/call")) {
        do_call(c);
    } else if (c->modern && emu_str_is(c->name, "server/discover")) {
        do_discover(c);
    } else if (!c->modern && emu_str_is(c->name, "ping")) {
        emu_buf b = {0};

        begin_message(c, &b);
        emu_buf_z(&b, ",\"result\":{}}");
        send_message(c, 200, &b);
    } else {
        fail_with(c, c->modern ? 404 : 200, -32601, "Method not found: ", c->name, NULL);
    }
}

/* --- 2026-07-28 --- */

/* Mcp-Name may come encoded. */
static emu_str header_value(emu_req *r, const char *name)
{
    emu_str v = emu_header_of(r, name);

    if (v.n > 11 && memcmp(v.s, "=?base64?", 9) == 0 &&
        memcmp(v.s + v.n - 2, "?=", 2) == 0)
        return emu_unbase64(&r->arena, (emu_str){v.s + 9, v.n - 11});
    return v;
}

/* NULL when header and body say the same; else the header's name. */
static const char *mismatch(call *c, emu_str version)
{
    ej_val named = {0};

    if (!emu_str_eq(emu_header_of(c->r, "MCP-Protocol-Version"), version))
        return "MCP-Protocol-Version";
    if (!emu_str_eq(emu_header_of(c->r, "Mcp-Method"), c->name))
        return "Mcp-Method";
    if (c->params.kind == EJ_OBJECT &&
        (emu_str_is(c->name, "tools/call") || emu_str_is(c->name, "prompts/get")))
        ej_get(&c->params, "name", &named);
    else if (c->params.kind == EJ_OBJECT && emu_str_is(c->name, "resources/read"))
        ej_get(&c->params, "uri", &named);
    if (named.kind == EJ_STRING &&
        !emu_str_eq(header_value(c->r, "Mcp-Name"), ej_text(&named, &c->r->arena)))
        return "Mcp-Name";
    return NULL;
}

static void unsupported(call *c, emu_str version)
{
    static const char *const supported[] = {
        "[\"" MODERN "\",\"2025-11-25\",\"2025-06-18\",\"2025-03-26\"]",
        "[\"" MODERN "\"]"};
    emu_buf data = {0};

    emu_buf_fmt(&data, "{\"supported\":%s,\"requested\":",
                supported[EMU_SW(c->r->e, mcp_era) == 1]);
    emu_buf_quote(&data, version);
    emu_buf_z(&data, "}");
    emu_buf_ch(&data, 0);
    fail_with(c, 400, -32022, "Unsupported protocol version", EMU_LIT(""), data.p);
    emu_buf_free(&data);
}

static void run_modern(call *c)
{
    ej_val version = {0}, capabilities = {0};
    emu_str text;
    const char *other;

    c->modern = true;
    if (c->meta.kind == EJ_OBJECT) {
        ej_get(&c->meta, META "protocolVersion", &version);
        ej_get(&c->meta, META "clientCapabilities", &capabilities);
    }
    if (version.kind != EJ_STRING || capabilities.kind != EJ_OBJECT) {
        fail(c, 400, -32602, "Missing required _meta fields");
        return;
    }
    text = ej_text(&version, &c->r->arena);
    other = mismatch(c, text);
    if (other)
        fail_with(c, 400, -32020, "Header mismatch: ", emu_str_of(other), NULL);
    else if (!emu_str_is(text, MODERN))
        unsupported(c, text);
    else if (c->id.kind == EJ_NONE)
        emu_reply_z(c->r, 202, NULL, "");
    else
        run_method(c);
}

/* --- before --- */

static const char *legacy_version(emu_str text)
{
    for (size_t i = 0; i < sizeof(LEGACY) / sizeof(LEGACY[0]); i++)
        if (emu_str_is(text, LEGACY[i]))
            return LEGACY[i];
    return NULL;
}

static void do_initialize(call *c)
{
    emu_mcp *m = &c->r->e->mcp;
    unsigned char random[12];
    ej_val wanted = {0};
    const char *version = NULL;
    emu_buf b = {0};
    char *session;

    if (c->params.kind == EJ_OBJECT)
        ej_get(&c->params, "protocolVersion", &wanted);
    if (wanted.kind == EJ_STRING)
        version = legacy_version(ej_text(&wanted, &c->r->arena));
    if (!emu_random(random, sizeof(random))) {
        fail(c, 200, -32603, "Internal error");
        return;
    }
    pthread_mutex_lock(&m->mu);
    session = m->sessions[m->next_session];
    m->next_session = (m->next_session + 1) % EMU_MCP_KEPT;
    memcpy(session, "emu-session-", 12);
    emu_hex(session + 12, random, sizeof(random));
    emu_header(c->r, "Mcp-Session-Id", emu_arena_copy(&c->r->arena, emu_str_of(session)));
    pthread_mutex_unlock(&m->mu);
    begin_message(c, &b);
    emu_buf_fmt(&b,
                ",\"result\":{\"protocolVersion\":\"%s\",\"capabilities\":{\"tools\":{}},"
                "\"serverInfo\":" SERVER_INFO "}}",
                version ? version : LEGACY[0]);
    send_message(c, 200, &b);
}

/* Whether the session of the request is known; it ends where `end` is set. */
static bool has_session(emu_req *r, bool end)
{
    emu_str id = emu_header_of(r, "Mcp-Session-Id");
    emu_mcp *m = &r->e->mcp;
    bool found = false;

    pthread_mutex_lock(&m->mu);
    for (size_t i = 0; i < EMU_MCP_KEPT && id.n && !found; i++) {
        found = emu_str_is(id, m->sessions[i]);
        if (found && end)
            m->sessions[i][0] = 0;
    }
    pthread_mutex_unlock(&m->mu);
    return found;
}

static void run_legacy(call *c)
{
    emu_str version = emu_header_of(c->r, "MCP-Protocol-Version");

    if (emu_str_is(c->name, "initialize") && c->id.kind != EJ_NONE)
        do_initialize(c);
    else if (!emu_header_of(c->r, "Mcp-Session-Id").n)
        fail(c, 400, -32000, "Bad Request: No valid session ID provided");
    else if (!has_session(c->r, false))
        fail(c, 404, -32001, "Session not found");
    else if (version.n && !legacy_version(version))
        fail(c, 400, -32000, "Bad Request: Unsupported protocol version");
    else if (c->id.kind == EJ_NONE)
        emu_reply_z(c->r, 202, NULL, "");
    else
        run_method(c);
}

/* --- the request --- */

/* A page of another site that a browser shows. */
static bool origin_is_foreign(emu_req *r)
{
    static const char *const ours[] = {"http://localhost", "http://127.0.0.1",
                                       "http://[::1]"};
    emu_str o = emu_header_of(r, "Origin");

    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(ours[i]);

        if (o.n >= n && strncasecmp(o.s, ours[i], n) == 0 && (o.n == n || o.s[n] == ':'))
            return false;
    }
    return o.n > 0;
}

/* A request or a notification as MCP has them: an id is a text or a number, never null. */
static bool read_message(call *c, const ej_val *doc)
{
    ej_val version;

    ej_get(doc, "jsonrpc", &version);
    ej_get(doc, "method", &c->method);
    ej_get(doc, "params", &c->params);
    ej_get(doc, "id", &c->id);
    return version.kind == EJ_STRING && ej_key_is(&version, "2.0") &&
           c->method.kind == EJ_STRING &&
           (c->params.kind == EJ_NONE || c->params.kind == EJ_OBJECT) &&
           (c->id.kind == EJ_NONE || c->id.kind == EJ_STRING || c->id.kind == EJ_NUMBER);
}

static bool read_call(call *c)
{
    ej_info info;
    ej_val doc;
    ej_cur at;

    if (c->r->too_large) {
        fail(c, 413, -32600, "Payload too large");
        return false;
    }
    if (c->r->bad_encoding || !ej_check(c->r->body, &info)) {
        fail(c, 400, -32700, "Parse error");
        return false;
    }
    at = ej_at(c->r->body);
    ej_take(&at, &doc);
    if (!read_message(c, &doc)) {
        fail(c, 400, -32600, "Invalid Request");
        return false;
    }
    if (c->params.kind == EJ_OBJECT)
        ej_get(&c->params, "_meta", &c->meta);
    c->name = ej_text(&c->method, &c->r->arena);
    return true;
}

/* What carries the version in its body, or names one that has no handshake, is modern. */
static bool is_modern(call *c)
{
    emu_str header = emu_header_of(c->r, "MCP-Protocol-Version");
    ej_val version;
    int64_t era = EMU_SW(c->r->e, mcp_era);

    if (era)
        return era == 1;
    if (c->meta.kind == EJ_OBJECT && ej_get(&c->meta, META "protocolVersion", &version))
        return true;
    return header.n && !legacy_version(header);
}

void emu_do_mcp(emu_req *r)
{
    bool legacy = EMU_SW(r->e, mcp_era) != 1;
    call c = {.r = r};

    if (origin_is_foreign(r)) {
        emu_reply_z(r, 403, EMU_JSON, "{\"error\":\"foreign Origin\"}");
        return;
    }
    c.scopes = emu_mcp_check(r);
    if (!c.scopes)
        return;
    if (emu_str_is(r->method, "DELETE") && legacy)
        emu_reply_z(r,
                    !emu_header_of(r, "Mcp-Session-Id").n ? 400
                    : has_session(r, true)                ? 200
                                                          : 404,
                    NULL, "");
    else if (!emu_str_is(r->method, "POST"))
        emu_reply_z(r, 405, NULL, "");
    else if (!read_call(&c))
        return;
    else if (is_modern(&c))
        run_modern(&c);
    else
        run_legacy(&c);
}
