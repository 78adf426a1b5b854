/* SPDX-License-Identifier: MIT */
/* Finding trusted certificates. libcurl reads no environment and knows one path at most. */
#ifndef TW_NET_CA_H
#define TW_NET_CA_H

#include <stddef.h>

#include <tidewheel/error.h>

/* Where to look, in this order; "" or NULL skips a place. */
typedef struct tw_ca_places {
    const char *file; /* the client's option */
    const char *pem;  /* the client's option: the certificates themselves */
    size_t pem_size;
    const char *(*env)(const char *name); /* getenv, or a test's */
    const char *built_in;                 /* libcurl's own file */
    const char *const *known;             /* NULL-ended; NULL = the list of the systems */
    const char *fallback; /* the client's option: a language's own bundle */
} tw_ca_places;

typedef struct tw_ca {
    char *pem;
    size_t size;
    char source[256]; /* for people: "SSL_CERT_FILE=/etc/own.pem" */
} tw_ca;

/* Loads the first that is there. A place that was named for us (the options, AMPLITUDE_CA_BUNDLE)
 * must be usable; the others are passed over. TW_E_CONFIG names all that were tried. */
int tw__ca_load(tw_ca *ca, const tw_ca_places *places, tw_error **err);
void tw__ca_clear(tw_ca *ca);

#endif
