/* SPDX-License-Identifier: MIT */
/* A growing byte buffer with a maximum. */
#ifndef TW_BASE_BUF_H
#define TW_BASE_BUF_H

#include <stddef.h>

typedef struct tw_buf {
    char *data; /* NULL while empty and never grown */
    size_t size;
    size_t room;
    size_t max; /* size never passes it */
} tw_buf;

/* Each returns TW_OK, TW_E_NOMEM or TW_E_TOO_LARGE and leaves the text as it was on failure. */
void tw__buf_init(tw_buf *buf, size_t max);
void tw__buf_clear(tw_buf *buf); /* frees */
void tw__buf_reset(tw_buf *buf); /* size 0, memory kept */
int tw__buf_reserve(tw_buf *buf, size_t more);
int tw__buf_put(tw_buf *buf, const void *bytes, size_t size);
int tw__buf_puts(tw_buf *buf, const char *text);
int tw__buf_putc(tw_buf *buf, char c);
int tw__buf_printf(tw_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Hands the bytes over, NUL-terminated (the NUL is not counted); NULL on TW_E_NOMEM. The
 * buffer is empty afterwards. Free with tw__free. */
char *tw__buf_take(tw_buf *buf, size_t *size);

#endif
