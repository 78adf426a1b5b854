/* SPDX-License-Identifier: MIT */
/* What a client says about itself. */
#ifndef TW_CLIENT_DESCRIBE_H
#define TW_CLIENT_DESCRIBE_H

#include "client/config.h"

/* What the options came to. All borrowed. */
typedef struct tw_network {
    const char *const *base; /* per tw_host */
    const char *proxy, *proxy_source, *no_proxy;
    const char *ca_source; /* "" without TLS */
} tw_network;

/* One JSON object without secrets; owned by caller. */
int tw__describe(char **out, const tw_config *cfg, const tw_network *net, tw_error **err);

#endif
