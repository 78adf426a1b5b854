/* SPDX-License-Identifier: MIT */
/* URLs: what a base may look like, and how values get into paths and queries. */
#ifndef TW_NET_URL_H
#define TW_NET_URL_H

#include <tidewheel/error.h>

#include "base/buf.h"

/* A URL in its parts; all borrowed from the text it was parsed from. */
typedef struct tw_url {
    int secure; /* https */
    const char *host;
    size_t host_size; /* IPv6 with its brackets */
    const char *port; /* digits, "" size 0 when absent */
    size_t port_size;
    const char *path; /* from the first '/', size 0 when absent; no query */
    size_t path_size;
    const char *query; /* after '?', NULL when absent */
    size_t query_size;
} tw_url;

/* Absolute http or https, without userinfo, fragment, white space, control characters and
 * backslashes; hosts that only look like an address are refused. TW_OK, or TW_E_VALIDATION and
 * the broken rule in `rule`, static. */
int tw__url_parse(tw_url *url, const char *text, size_t size, const char **rule);

/* A base URL: as above, no query, no "." segments; http to loopback only. `out` gets it
 * normalised: lower-case scheme and host, no default port, no final slash. Owned by caller.
 * TW_E_CONFIG names `field` and the rule. */
int tw__url_base(char **out, const char *field, const char *text, size_t size,
                 tw_error **err);

/* Percent-encodes all but RFC 3986 unreserved characters. */
int tw__url_encode(tw_buf *buf, const char *text, size_t size);
/* One path segment: as above; "", "." and ".." and NUL are TW_E_VALIDATION. */
int tw__url_encode_segment(tw_buf *buf, const char *text, size_t size);

#endif
