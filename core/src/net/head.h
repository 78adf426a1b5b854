/* SPDX-License-Identifier: MIT */
/* The header fields of an answer that anybody asks for. */
#ifndef TW_NET_HEAD_H
#define TW_NET_HEAD_H

#include <stddef.h>
#include <stdint.h>

#include <tidewheel/common.h>

typedef struct tw_head_fields {
    int64_t content_length; /* -1 when absent */
    char retry_after[128];
    char content_type[256];
    char content_encoding[64];
    char *location;              /* NULL when absent */
    char www_authenticate[1024]; /* the one that names metadata, else the last */
    char session[1024];          /* Mcp-Session-Id; one of 1023 characters may be cut */
    int chunked;
    int conflict; /* a length that is no number, or two different ones */
} tw_head_fields;

/* Zero-initialised or used before; frees. */
void tw__head_reset(tw_head_fields *fields);
/* One line "Name: value\r\n"; others are ignored. TW_OK or TW_E_NOMEM. */
int tw__head_take(tw_head_fields *fields, const char *line, size_t size);

#endif
