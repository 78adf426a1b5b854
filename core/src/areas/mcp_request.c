/* SPDX-License-Identifier: MIT */
/* Requests to the MCP server: the JSON text and the headers that repeat parts of it. */
#include <string.h>

#include <tidewheel/version.h>

#include "areas/mcp.h"
#include "json/parts.h"

#define META "io.modelcontextprotocol/"

static const char client_info[] =
    "{\"name\":\"tidewheel\",\"version\":\"" TW_VERSION "\"}";

/* ---- bodies ------------------------------------------------------------------------ */

static int comma_put(tw_buf *out)
{
    return out->data[out->size - 1] != '{' ? tw__buf_putc(out, ',') : TW_OK;
}

static int member_put(tw_buf *out, const char *key, const char *json, size_t size)
{
    int rc = comma_put(out);

    if (rc == TW_OK)
        rc = tw__buf_printf(out, "\"%s\":", key);
    return rc == TW_OK ? tw__buf_put(out, json, size) : rc;
}

/* What is already there stays as it is. */
static int meta_member(tw_buf *out, tw_view given, const char *key, const char *json)
{
    if (tw__view_given(tw__view_member(given, key)))
        return TW_OK;
    return member_put(out, key, json, strlen(json));
}

static int members_copy(tw_buf *out, tw_view object, const char *but)
{
    tw_view_walk walk = tw__view_walk(object);
    tw_view key, value;
    int rc = TW_OK;

    while (rc == TW_OK && tw__view_next(&walk, &key, &value)) {
        if (but != NULL && tw__view_is(key, but))
            continue;
        rc = comma_put(out);
        if (rc == TW_OK)
            rc = tw__view_put(out, key);
        if (rc == TW_OK)
            rc = tw__buf_putc(out, ':');
        if (rc == TW_OK)
            rc = tw__view_put(out, value);
    }
    return rc;
}

static int meta_put(tw_buf *out, tw_view params)
{
    tw_view given = tw__view_member(params, "_meta");
    int rc = member_put(out, "_meta", "{", 1);

    if (rc == TW_OK)
        rc = members_copy(out, given, NULL);
    if (rc == TW_OK)
        rc = meta_member(out, given, META "protocolVersion", "\"" TW_MCP_VERSION "\"");
    if (rc == TW_OK)
        rc = meta_member(out, given, META "clientInfo", client_info);
    if (rc == TW_OK)
        rc = meta_member(out, given, META "clientCapabilities", "{}");
    return rc == TW_OK ? tw__buf_putc(out, '}') : rc;
}

static int params_put(tw_buf *out, const tw_mcp_message *message)
{
    tw_view params = {message->params, message->params_size};
    int rc = tw__buf_puts(out, ",\"params\":{");

    if (rc == TW_OK)
        rc = members_copy(out, params, message->modern ? "_meta" : NULL);
    if (rc == TW_OK && message->cursor != NULL)
        rc = member_put(out, "cursor", message->cursor, message->cursor_size);
    if (rc == TW_OK && message->modern)
        rc = meta_put(out, params);
    return rc == TW_OK ? tw__buf_putc(out, '}') : rc;
}

int tw__mcp_message_put(tw_buf *out, const tw_mcp_message *message)
{
    int rc = tw__buf_puts(out, "{\"jsonrpc\":\"2.0\"");

    if (rc == TW_OK && message->id != 0)
        rc = tw__buf_printf(out, ",\"id\":%lld", (long long)message->id);
    if (rc == TW_OK)
        rc = tw__buf_puts(out, ",\"method\":");
    if (rc == TW_OK)
        rc = tw__json_quote(out, message->method, strlen(message->method));
    if (rc == TW_OK &&
        (message->params != NULL || message->cursor != NULL || message->modern))
        rc = params_put(out, message);
    return rc == TW_OK ? tw__buf_putc(out, '}') : rc;
}

/* ---- headers ----------------------------------------------------------------------- */

const char *tw__mcp_named(tw_view method)
{
    if (tw__view_is(method, "tools/call") || tw__view_is(method, "prompts/get"))
        return "name";
    return tw__view_is(method, "resources/read") ? "uri" : NULL;
}

/* One line of visible ASCII without spaces at its ends, that does not look encoded. */
static int is_plain(const char *value, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) {
        if ((unsigned char)value[i] < 0x20 || (unsigned char)value[i] > 0x7E)
            return 0;
    }
    if (size == 0)
        return 1;
    if (value[0] == ' ' || value[size - 1] == ' ')
        return 0;
    return size < 11 || memcmp(value, "=?base64?", 9) != 0 ||
           memcmp(value + size - 2, "?=", 2) != 0;
}

static int base64_put(tw_buf *out, const unsigned char *in, size_t size)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int rc = TW_OK;
    size_t i;

    for (i = 0; rc == TW_OK && i < size; i += 3) {
        unsigned a = in[i];
        unsigned b = i + 1 < size ? in[i + 1] : 0;
        unsigned c = i + 2 < size ? in[i + 2] : 0;
        char four[4] = {digits[a >> 2], digits[(a & 3) << 4 | b >> 4],
                        i + 1 < size ? digits[(b & 15) << 2 | c >> 6] : '=',
                        i + 2 < size ? digits[c & 63] : '='};

        rc = tw__buf_put(out, four, sizeof four);
    }
    return rc;
}

int tw__mcp_header_put(tw_buf *lines, const char *name, const char *value, size_t size)
{
    int plain = is_plain(value, size);
    int rc = tw__buf_printf(lines, "%s: %s", name, plain ? "" : "=?base64?");

    if (rc == TW_OK)
        rc = plain ? tw__buf_put(lines, value, size)
                   : base64_put(lines, (const unsigned char *)value, size);
    if (rc == TW_OK && !plain)
        rc = tw__buf_puts(lines, "?=");
    return rc == TW_OK ? tw__buf_putc(lines, '\0') : rc;
}
