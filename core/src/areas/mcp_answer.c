/* SPDX-License-Identifier: MIT */
/* Answers of the MCP server: events of a stream, and the response among the messages. */
#include <string.h>

#include <tidewheel/error.h>

#include "areas/mcp.h"

/* Of a message: its result, in the form that is handed out, has no more, which is what both
 * languages read. */
enum { DEEPEST = 64 };

/* ---- events ------------------------------------------------------------------------ */

void tw__mcp_events_init(tw_mcp_events *ev, size_t most,
                         int (*take)(void *, const char *, size_t), void *ctx)
{
    memset(ev, 0, sizeof *ev);
    tw__buf_init(&ev->line, most);
    tw__buf_init(&ev->data, most);
    ev->take = take;
    ev->ctx = ctx;
}

void tw__mcp_events_reset(tw_mcp_events *ev)
{
    tw__buf_reset(&ev->line);
    tw__buf_reset(&ev->data);
    ev->after_cr = 0;
    ev->any = 0;
}

void tw__mcp_events_clear(tw_mcp_events *ev)
{
    tw__buf_clear(&ev->line);
    tw__buf_clear(&ev->data);
}

static int event_end(tw_mcp_events *ev)
{
    int rc = TW_OK;

    if (ev->any)
        rc = ev->take(ev->ctx, ev->data.size > 0 ? ev->data.data : "", ev->data.size);
    ev->any = 0;
    tw__buf_reset(&ev->data);
    return rc;
}

/* A line is done: only "data" matters, comments and other fields do not. */
static int line_end(tw_mcp_events *ev)
{
    const char *line = ev->line.data;
    size_t size = ev->line.size;
    int rc = TW_OK;

    if (size == 0)
        return event_end(ev);
    if (size >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0) {
        line += 3;
        size -= 3;
    }
    if (size >= 4 && memcmp(line, "data", 4) == 0 && (size == 4 || line[4] == ':')) {
        line += size == 4 ? 4 : 5;
        size -= size == 4 ? 4 : 5;
        if (size > 0 && *line == ' ') {
            line++;
            size--;
        }
        if (ev->any)
            rc = tw__buf_putc(&ev->data, '\n');
        if (rc == TW_OK)
            rc = tw__buf_put(&ev->data, line, size);
        ev->any = 1;
    }
    tw__buf_reset(&ev->line);
    return rc;
}

int tw__mcp_events_feed(tw_mcp_events *ev, const char *bytes, size_t size)
{
    const char *end = bytes + size;
    int rc = TW_OK;

    if (size == 0) { /* a last event that nothing ended counts if it is whole */
        rc = ev->line.size > 0 ? line_end(ev) : TW_OK;
        return rc == TW_OK ? event_end(ev) : rc;
    }
    while (rc == TW_OK && bytes < end) {
        const char *stop = bytes;

        if (ev->after_cr && *bytes == '\n') {
            ev->after_cr = 0;
            bytes++;
            continue;
        }
        ev->after_cr = 0;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        rc = tw__buf_put(&ev->line, bytes, (size_t)(stop - bytes));
        bytes = stop;
        if (rc != TW_OK || stop == end)
            continue;
        ev->after_cr = *bytes++ == '\r';
        rc = line_end(ev);
    }
    return rc;
}

/* ---- responses --------------------------------------------------------------------- */

static void error_read(tw_mcp_response *out, tw_view error)
{
    if (!tw__view_int(tw__view_member(error, "code"), &out->code) || out->code == 0)
        out->code = -32603; /* an error that says no more */
    out->message = tw__view_member(error, "message");
    out->data = tw__view_member(error, "data");
}

static int response_read(tw_mcp_response *out, tw_view message, int64_t id, int loose)
{
    static const char *const names[] = {"id", "result", "error", "method", NULL};
    tw_view found[4];
    int64_t given;
    int is_ours;

    if (tw__view_kind(message) != TW_JSON_OBJECT)
        return TW_DONE;
    if (tw__view_pick(message, names, found) >= 0)
        return TW_E_PROTOCOL; /* a member stands twice: nobody knows whose it is */
    if (tw__view_given(found[3]))
        return TW_DONE; /* a notification, or a request of the server's */
    memset(out, 0, sizeof *out);
    is_ours = tw__view_int(found[0], &given) && given == id;
    if (tw__view_kind(found[2]) == TW_JSON_OBJECT &&
        (is_ours || (loose && !tw__view_given(found[0])))) {
        error_read(out, found[2]);
        return TW_OK;
    }
    if (!is_ours)
        return TW_DONE;
    if (tw__view_given(found[2]) || found[1].text == NULL)
        return TW_E_PROTOCOL;
    out->result = found[1];
    return TW_OK;
}

int tw__mcp_response_find(tw_mcp_response *out, const char *text, size_t size, int64_t id,
                          int loose)
{
    tw_view_walk walk;
    tw_view all, one;
    int rc = tw__view_open(&all, text, size, DEEPEST, TW_MCP_ANSWER_MOST, NULL);

    if (rc != TW_OK)
        return rc == TW_E_NOMEM ? rc : TW_E_PROTOCOL;
    if (tw__view_kind(all) != TW_JSON_ARRAY)
        return response_read(out, all, id, loose);
    walk = tw__view_walk(all);
    rc = TW_DONE;
    while (rc == TW_DONE && tw__view_next(&walk, NULL, &one))
        rc = response_read(out, one, id, loose);
    return rc;
}

int tw__mcp_event_find(tw_mcp_response *out, const char *text, size_t size, int64_t id)
{
    size_t at = 0;

    while (at < size && strchr(" \t\n", text[at]) != NULL && text[at] != '\0')
        at++;
    if (at == size || (text[at] != '{' && text[at] != '['))
        return TW_DONE;
    return tw__mcp_response_find(out, text, size, id, 1);
}

const char *tw__mcp_legacy_version(tw_view version)
{
    static const char *const known[] = {TW_MCP_LEGACY_VERSION, "2025-06-18",
                                        "2025-03-26"};
    size_t i;

    for (i = 0; i < sizeof known / sizeof *known; i++) {
        if (tw__view_is(version, known[i]))
            return known[i];
    }
    return NULL;
}
