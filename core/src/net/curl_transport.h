/* SPDX-License-Identifier: MIT */
/* The transport on libcurl's multi interface. */
#ifndef TW_NET_CURL_TRANSPORT_H
#define TW_NET_CURL_TRANSPORT_H

#include <tidewheel/sys/transport.h>

/* Static. @thread any */
const tw_transport *tw__curl_transport(void);

/* "libcurl/7.88.1 OpenSSL/3.0.15"; static storage of libcurl. @thread any */
const char *tw__curl_version(void);
/* Where libcurl was built to look for certificates; NULL where unknown. @thread any */
const char *tw__curl_ca_file(void);

#endif
