/* SPDX-License-Identifier: MIT */
/* Which addresses are loopback and which are public. */
#ifndef TW_NET_ADDRESS_H
#define TW_NET_ADDRESS_H

#include <stddef.h>

struct sockaddr;

int tw__host_is_ipv4(const char *host, size_t size); /* dotted, four parts */
/* A host of a URL, IPv6 in brackets. "localhost" counts. */
int tw__host_is_loopback(const char *host, size_t size);
/* A literal that is no public address, or a name of this machine. Other names are not known
 * before they are resolved: see tw__sockaddr_is_public. */
int tw__host_is_private(const char *host, size_t size);
int tw__sockaddr_is_public(const struct sockaddr *address);

#endif
