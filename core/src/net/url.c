/* SPDX-License-Identifier: MIT */
/* URLs: what a base may look like, and how values get into paths and queries. */
#include "net/url.h"

#include <string.h>
#include <strings.h>

#include <tidewheel/common.h>

#include "base/error.h"
#include "net/address.h"

enum { URL_MOST = 16 * 1024, HOST_MOST = 253 };

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int is_unreserved(char c)
{
    return is_digit(c) || is_alpha(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* ---- encoding ------------------------------------------------------------------------ */

int tw__url_encode(tw_buf *buf, const char *text, size_t size)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t i;

    for (i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        char escape[3] = {'%', hex[c >> 4], hex[c & 15]};
        int rc;

        rc = is_unreserved(text[i]) ? tw__buf_putc(buf, text[i])
                                    : tw__buf_put(buf, escape, sizeof escape);
        if (rc != TW_OK)
            return rc;
    }
    return TW_OK;
}

int tw__url_encode_segment(tw_buf *buf, const char *text, size_t size)
{
    /* "." and ".." cannot be escaped: "%2E" means the same to many a server. */
    if (size == 0 || (size == 1 && text[0] == '.') ||
        (size == 2 && text[0] == '.' && text[1] == '.') ||
        memchr(text, '\0', size) != NULL)
        return TW_E_VALIDATION;
    return tw__url_encode(buf, text, size);
}

/* ---- parsing ------------------------------------------------------------------------- */

static const char *characters_check(const char *text, size_t size)
{
    size_t i;

    if (size > URL_MOST)
        return "it is longer than 16 KiB";
    for (i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c <= 0x20 || c >= 0x7F)
            return "white space, control and non-ASCII characters are not allowed";
        if (c == '\\')
            return "a backslash is not allowed";
        if (c == '#')
            return "a fragment is not allowed";
    }
    return NULL;
}

/* What ends in a number is meant as an IPv4 address: "127.1" or "0x7f000001" are one to some
 * resolvers. */
static int looks_numeric(const char *label, size_t size)
{
    size_t i = 0;

    if (size >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
        return 1;
    while (i < size && is_digit(label[i]))
        i++;
    return i == size;
}

/* Names of letters, digits, '-', '_' and '.', or a dotted IPv4 address. */
static const char *host_check(const char *host, size_t size)
{
    size_t label = 0;
    size_t i;

    if (size == 0 || size > HOST_MOST)
        return "it has no host name of at most 253 characters";
    for (i = 0; i < size; i++) {
        if (host[i] == '.') {
            if (i == label)
                return "the host name has an empty label";
            label = i + 1;
        } else if (!is_alpha(host[i]) && !is_digit(host[i]) && host[i] != '-' &&
                   host[i] != '_') {
            return "the host name has a character that is not allowed";
        }
    }
    if (label == size)
        return "the host name ends in a dot";
    if (looks_numeric(host + label, size - label) && !tw__host_is_ipv4(host, size))
        return "the host looks like an address, but is no dotted IPv4 one";
    return NULL;
}

static const char *bracket_check(const char *host, size_t size)
{
    size_t i;

    if (size < 4 || host[size - 1] != ']')
        return "the IPv6 address is not closed";
    for (i = 1; i + 1 < size; i++) {
        char c = host[i];

        if (!is_digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F') &&
            c != ':' && c != '.')
            return "the IPv6 address has a character that is not allowed";
    }
    return NULL;
}

static const char *port_check(const char *port, size_t size)
{
    unsigned value = 0;
    size_t i;

    for (i = 0; i < size && i < 6; i++) {
        if (!is_digit(port[i]))
            return "the port is no number";
        value = value * 10 + (unsigned)(port[i] - '0');
    }
    return size == 0 || size > 5 || value == 0 || value > 65535
               ? "the port is not between 1 and 65535"
               : NULL;
}

static const char *authority_parse(tw_url *url, const char *text, size_t size)
{
    const char *end = text + size;
    const char *colon;
    const char *why;

    if (memchr(text, '@', size) != NULL)
        return "a user name or password is not allowed";
    if (size > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', size);

        url->host = text;
        url->host_size = close != NULL ? (size_t)(close + 1 - text) : size;
        why = bracket_check(url->host, url->host_size);
    } else {
        colon = memchr(text, ':', size);
        url->host = text;
        url->host_size = colon != NULL ? (size_t)(colon - text) : size;
        why = host_check(url->host, url->host_size);
    }
    if (why != NULL)
        return why;
    text = url->host + url->host_size;
    if (text == end)
        return NULL;
    if (*text != ':')
        return "the host is followed by something that is no port";
    url->port = text + 1;
    url->port_size = (size_t)(end - url->port);
    return port_check(url->port, url->port_size);
}

static const char *url_split(tw_url *url, const char *text, size_t size)
{
    const char *why = characters_check(text, size);
    const char *query;
    size_t authority = 0;

    if (why != NULL)
        return why;
    if (size >= 8 && strncasecmp(text, "https://", 8) == 0) {
        url->secure = 1;
        text += 8;
        size -= 8;
    } else if (size >= 7 && strncasecmp(text, "http://", 7) == 0) {
        text += 7;
        size -= 7;
    } else {
        return "it does not begin with https:// or http://";
    }
    while (authority < size && text[authority] != '/' && text[authority] != '?')
        authority++;
    why = authority_parse(url, text, authority);
    if (why != NULL)
        return why;
    text += authority;
    size -= authority;
    query = memchr(text, '?', size);
    url->path = text;
    url->path_size = query != NULL ? (size_t)(query - text) : size;
    if (query != NULL) {
        url->query = query + 1;
        url->query_size = size - url->path_size - 1;
    }
    return NULL;
}

int tw__url_parse(tw_url *url, const char *text, size_t size, const char **rule)
{
    memset(url, 0, sizeof *url);
    url->port = "";
    url->path = "";
    *rule = url_split(url, text, size);
    return *rule == NULL ? TW_OK : TW_E_VALIDATION;
}

/* ---- base URLs ----------------------------------------------------------------------- */

/* Plain segments only: what is escaped here could mean something else to the server. */
static const char *base_path_check(const char *path, size_t size)
{
    size_t i = 0;

    while (i < size) {
        size_t begin = ++i; /* past the slash */

        while (i < size && path[i] != '/') {
            if (!is_unreserved(path[i]))
                return "its path may hold letters, digits, '-', '.', '_', '~' and '/' only";
            i++;
        }
        if ((i == begin && i < size) || (i - begin == 1 && path[begin] == '.') ||
            (i - begin == 2 && memcmp(path + begin, "..", 2) == 0))
            return "its path may not hold empty, \".\" or \"..\" segments";
    }
    return NULL;
}

static const char *base_check(const tw_url *url)
{
    if (url->query != NULL)
        return "a query is not allowed";
    if (!url->secure && !tw__host_is_loopback(url->host, url->host_size))
        return "http:// is allowed for loopback addresses only; use https://";
    return base_path_check(url->path, url->path_size);
}

static int put_lower(tw_buf *buf, const char *text, size_t size)
{
    int rc = TW_OK;
    size_t i;

    for (i = 0; i < size && rc == TW_OK; i++)
        rc = tw__buf_putc(buf, text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] | 0x20)
                                                                : text[i]);
    return rc;
}

static int base_write(tw_buf *buf, const tw_url *url)
{
    const char *standard = url->secure ? "443" : "80";
    size_t path_size = url->path_size;
    int rc = tw__buf_puts(buf, url->secure ? "https://" : "http://");

    if (path_size > 0 && url->path[path_size - 1] == '/')
        path_size--;
    if (rc == TW_OK)
        rc = put_lower(buf, url->host, url->host_size);
    if (rc == TW_OK && url->port_size > 0 &&
        (strlen(standard) != url->port_size ||
         memcmp(standard, url->port, url->port_size) != 0)) {
        rc = tw__buf_putc(buf, ':');
        if (rc == TW_OK)
            rc = tw__buf_put(buf, url->port, url->port_size);
    }
    return rc == TW_OK ? tw__buf_put(buf, url->path, path_size) : rc;
}

int tw__url_base(char **out, const char *field, const char *text, size_t size,
                 tw_error **err)
{
    const char *rule = NULL;
    tw_url url;
    tw_buf buf;

    *out = NULL;
    if (tw__url_parse(&url, text, size, &rule) == TW_OK)
        rule = base_check(&url);
    if (rule != NULL)
        return tw__error_at(err, TW_E_CONFIG, field, "%s was refused: %s", field, rule);
    tw__buf_init(&buf, URL_MOST + 16);
    if (base_write(&buf, &url) == TW_OK)
        *out = tw__buf_take(&buf, NULL);
    tw__buf_clear(&buf);
    return *out != NULL ? TW_OK : tw__error_nomem(err);
}
