/* SPDX-License-Identifier: MIT */
/* From the spec of a call to the bytes of its request: local validation happens here. */
#include "gate/request.h"

#include <string.h>

#include "base/error.h"
#include "net/address.h"
#include "net/url.h"

/* ---- header values ------------------------------------------------------------------- */

/* What reaches a header is one line of printable ASCII. */
static int is_line(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7F)
            return 0;
    }
    return 1;
}

typedef struct header_lines {
    const char **list;
    tw_buf *lines;
    size_t at[TW_HEADERS_MOST]; /* where each begins in `lines`, which may move */
    size_t count;               /* of those */
    int rc;
} header_lines;

static void line_begin(header_lines *hl)
{
    if (hl->count == TW_HEADERS_MOST - 4)
        hl->rc = TW_E_TOO_LARGE;
    else
        hl->at[hl->count++] = hl->lines->size;
}

static void line_put(header_lines *hl, const char *name, const char *value)
{
    if (value == NULL || hl->rc != TW_OK)
        return;
    line_begin(hl);
    if (hl->rc == TW_OK)
        hl->rc = tw__buf_printf(hl->lines, "%s%s%c", name, value, '\0');
}

/* Whole lines, each ended by NUL. */
static void lines_put(header_lines *hl, const tw_buf *more)
{
    size_t at = 0;

    while (more != NULL && at < more->size && hl->rc == TW_OK) {
        line_put(hl, "", more->data + at);
        at += strlen(more->data + at) + 1;
    }
}

int tw__request_headers(const char *list[TW_HEADERS_MOST], tw_buf *lines,
                        const tw_gate *gate, const tw_endpoint *row, unsigned flags,
                        const char *content_type, const char *content_encoding,
                        const tw_buf *more)
{
    header_lines hl = {list, lines, {0}, 0, TW_OK};
    int foreign = (flags & TW_CALL_FOREIGN) != 0;
    size_t n = 0;
    size_t i;

    line_put(&hl, "Content-Type: ", content_type);
    line_put(&hl, "Content-Encoding: ", content_encoding);
    if (row->answer == TW_ANSWER_RPC)
        line_put(&hl, "Accept: ", "application/json, text/event-stream");
    lines_put(&hl, more);
    if (hl.rc == TW_OK && !foreign && row->auth == TW_AUTH_BEARER) {
        line_begin(&hl);
        if (hl.rc == TW_OK)
            hl.rc = tw__keys_bearer(lines, gate->keys);
    }
    if (hl.rc != TW_OK)
        return hl.rc;
    list[n++] = gate->user_agent;
    /* A foreign host sees no credential of ours. */
    if (!foreign && row->auth == TW_AUTH_BASIC)
        list[n++] = gate->keys->basic;
    if (!foreign && row->auth == TW_AUTH_SECRET)
        list[n++] = gate->keys->secret;
    for (i = 0; i < hl.count; i++)
        list[n++] = lines->data + hl.at[i];
    list[n] = NULL;
    return TW_OK;
}

/* ---- URLs ---------------------------------------------------------------------------- */

static int path_error(const tw_endpoint *row, size_t index, int rc, tw_error **err)
{
    if (rc == TW_E_NOMEM)
        return tw__error_nomem(err);
    if (rc == TW_E_VALIDATION) {
        int code =
            tw__error_at(err, rc, "path",
                         "value %zu of the path %s was refused: \"\", \".\", \"..\" and "
                         "NUL cannot be sent",
                         index + 1, row->path);

        return code;
    }
    return tw__error(err, TW_E_TOO_LARGE, "the URL of %s was longer than 64 KiB",
                     row->name);
}

static int path_fill(tw_buf *url, const tw_endpoint *row, const char *const *values,
                     tw_error **err)
{
    const char *at = row->path;
    size_t index = 0;

    while (*at != '\0') {
        size_t plain = strcspn(at, "{");
        const char *value;
        int rc = tw__buf_put(url, at, plain);

        if (rc != TW_OK)
            return path_error(row, index, rc, err);
        at += plain;
        if (*at == '\0')
            break;
        value = values != NULL ? values[index] : NULL;
        if (value == NULL)
            return tw__error(err, TW_E_INVALID,
                             "%s was refused: its path %s needs more values", row->name,
                             row->path);
        rc = tw__url_encode_segment(url, value, strlen(value));
        if (rc != TW_OK)
            return path_error(row, index, rc, err);
        index++;
        at = strchr(at, '}') + 1;
    }
    if (values != NULL && values[index] != NULL)
        return tw__error(err, TW_E_INVALID,
                         "%s was refused: its path %s takes %zu values", row->name,
                         row->path, index);
    return TW_OK;
}

/* Encoded already: only what could end the request line or begin a fragment is refused. */
static int query_check(const char *query)
{
    for (; *query != '\0'; query++) {
        if ((unsigned char)*query <= 0x20 || (unsigned char)*query >= 0x7F ||
            *query == '#')
            return TW_E_VALIDATION;
    }
    return TW_OK;
}

static int url_build(tw_buf *url, const tw_gate *gate, const tw_endpoint *row,
                     const tw_call_spec *spec, tw_error **err)
{
    int rc = tw__buf_puts(url, gate->hosts[row->host].base);

    if (rc != TW_OK)
        return path_error(row, 0, rc, err);
    rc = path_fill(url, row, spec->path_values, err);
    if (rc != TW_OK)
        return rc;
    if (spec->query != NULL && spec->query[0] != '\0') {
        if (query_check(spec->query) != TW_OK)
            return tw__error_at(err, TW_E_VALIDATION, "query",
                                "the query of %s was refused: it was not percent-encoded",
                                row->name);
        rc = tw__buf_putc(url, '?');
        if (rc == TW_OK)
            rc = tw__buf_puts(url, spec->query);
    }
    if (rc == TW_OK)
        rc = tw__buf_putc(url, '\0');
    return rc == TW_OK ? TW_OK : path_error(row, 0, rc, err);
}

/* A link that the server gave. It may lead anywhere on the public net, but never back into the
 * network of the caller, unless the API itself is on loopback (an emulator). */
static int foreign_check(tw_buf *url, const tw_gate *gate, const tw_endpoint *row,
                         const tw_call_spec *spec, tw_error **err)
{
    int local = gate->hosts[row->host].loopback;
    const char *rule = NULL;
    tw_url parts;

    if (spec->url == NULL || spec->body != NULL)
        return tw__error(err, TW_E_INVALID,
                         "%s was refused: a foreign call is a GET of a URL", row->name);
    if (tw__url_parse(&parts, spec->url, strlen(spec->url), &rule) == TW_OK) {
        if (!parts.secure &&
            !(local && tw__host_is_loopback(parts.host, parts.host_size)))
            rule = "it does not begin with https://";
        else if (!local && tw__host_is_private(parts.host, parts.host_size))
            rule = "its host is not public";
    }
    if (rule != NULL)
        return tw__error(err, TW_E_PROTOCOL, "%s: a link of the server was refused: %s",
                         row->name, rule);
    if (tw__buf_put(url, spec->url, strlen(spec->url) + 1) != TW_OK)
        return tw__error_nomem(err);
    return TW_OK;
}

int tw__request_check(tw_buf *url, const tw_gate *gate, const tw_call_spec *spec,
                      tw_error **err)
{
    const tw_endpoint *row;
    int rc = tw__gate_allows(gate, spec->endpoint, err);
    size_t i;

    if (rc != TW_OK)
        return rc;
    row = tw__endpoint(spec->endpoint);
    if ((spec->content_type != NULL && !is_line(spec->content_type)) ||
        (spec->content_encoding != NULL && !is_line(spec->content_encoding)))
        return tw__error(err, TW_E_VALIDATION,
                         "the content type of %s was refused: it held control characters",
                         row->name);
    for (i = 0; spec->headers != NULL && spec->headers[i] != NULL; i++) {
        if (!is_line(spec->headers[i]))
            return tw__error(err, TW_E_VALIDATION,
                             "a header of %s was refused: it held control characters",
                             row->name);
    }
    if (row->max_body != 0 && spec->body_size > row->max_body)
        return tw__error(err, TW_E_TOO_LARGE,
                         "the body of %s was refused: it had %zu bytes, %llu are allowed",
                         row->name, spec->body_size, (unsigned long long)row->max_body);
    if ((spec->flags & TW_CALL_FOREIGN) != 0)
        return foreign_check(url, gate, row, spec, err);
    return url_build(url, gate, row, spec, err);
}
