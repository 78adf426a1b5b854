/* SPDX-License-Identifier: MIT */
/* A growing byte buffer with a maximum. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <tidewheel/common.h>

#include "base/alloc.h"

void tw__buf_init(tw_buf *buf, size_t max)
{
    buf->data = NULL;
    buf->size = 0;
    buf->room = 0;
    buf->max = max;
}

void tw__buf_clear(tw_buf *buf)
{
    tw__free(buf->data);
    tw__buf_init(buf, buf->max);
}

void tw__buf_reset(tw_buf *buf)
{
    buf->size = 0;
}

int tw__buf_reserve(tw_buf *buf, size_t more)
{
    size_t need;
    size_t room;
    char *data;

    if (more <= buf->room - buf->size)
        return TW_OK;
    if (buf->size > buf->max || more > buf->max - buf->size)
        return TW_E_TOO_LARGE;
    need = buf->size + more;
    room = buf->room < 64 ? 64 : buf->room;
    if (room > buf->max)
        room = buf->max; /* room must not promise more than the maximum */
    while (room < need)  /* near the maximum too: a step a byte would cost its square */
        room = room > buf->max / 2 ? buf->max : room * 2;
    data = tw__realloc(buf->data, room);
    if (data == NULL)
        return TW_E_NOMEM;
    buf->data = data;
    buf->room = room;
    return TW_OK;
}

int tw__buf_put(tw_buf *buf, const void *bytes, size_t size)
{
    int rc = tw__buf_reserve(buf, size);

    if (rc != TW_OK)
        return rc;
    if (size != 0)
        memcpy(buf->data + buf->size, bytes, size);
    buf->size += size;
    return TW_OK;
}

int tw__buf_puts(tw_buf *buf, const char *text)
{
    return tw__buf_put(buf, text, strlen(text));
}

int tw__buf_putc(tw_buf *buf, char c)
{
    return tw__buf_put(buf, &c, 1);
}

int tw__buf_printf(tw_buf *buf, const char *format, ...)
{
    char small[256];
    va_list args;
    int size;
    int rc;

    va_start(args, format);
    size = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (size < 0)
        return TW_E_INVALID;
    if ((size_t)size < sizeof small)
        return tw__buf_put(buf, small, (size_t)size);
    /* vsnprintf writes a NUL past the text: reserve one byte more than is kept. */
    rc = tw__buf_reserve(buf, (size_t)size + 1);
    if (rc != TW_OK)
        return rc;
    va_start(args, format);
    vsnprintf(buf->data + buf->size, (size_t)size + 1, format, args);
    va_end(args);
    buf->size += (size_t)size;
    return TW_OK;
}

char *tw__buf_take(tw_buf *buf, size_t *size)
{
    char *data = tw__realloc(buf->data, buf->size + 1);

    if (data == NULL)
        return NULL;
    data[buf->size] = '\0';
    if (size != NULL)
        *size = buf->size;
    tw__buf_init(buf, buf->max);
    return data;
}
