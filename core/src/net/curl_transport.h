/* SPDX-License-Identifier: MIT */
/* The transport on libcurl's multi interface. */
#ifndef TW_NET_CURL_TRANSPORT_H
#define TW_NET_CURL_TRANSPORT_H

#include <tidewheel/sys/transport.h>

/* Static. @thread any */
const tw_transport *tw__curl_transport(void);

enum { TW_CURL_VERSION_SIZE = 128 };
/* Writes "libcurl/7.88.1 OpenSSL/3.0.15 zlib/1.2.13", cut to TW_CURL_VERSION_SIZE. Never waits,
 * as curl_version() may: its LDAP part looks up the name of this host. @thread any */
void tw__curl_version(char *out);
/* Where libcurl was built to look for certificates; NULL where unknown. @thread any */
const char *tw__curl_ca_file(void);

#endif
