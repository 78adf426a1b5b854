/* SPDX-License-Identifier: MIT */
/* Request bodies made smaller: ISA-L where the build has it, zlib otherwise. */
#ifndef TW_INGEST_GZIP_H
#define TW_INGEST_GZIP_H

#include <stddef.h>

typedef struct tw_gzip tw_gzip;

/* TW_OK or TW_E_NOMEM. */
int tw__gzip_new(tw_gzip **out);
void tw__gzip_free(tw_gzip *gz); /* wipes; NULL is allowed */
/* One gzip member, borrowed until the next call; NULL where it would not be smaller, or there is
 * no memory. */
const char *tw__gzip(tw_gzip *gz, const char *body, size_t size, size_t *out_size);

#endif
