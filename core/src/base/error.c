/* SPDX-License-Identifier: MIT */
/* Errors: making, reading, copying. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <tidewheel/version.h>

#include "base/alloc.h"
#include "base/utf8.h"

enum { MESSAGE_ROOM = 512, FIELD_ROOM = 256, URL_ROOM = 512 };

struct tw_error {
    int code;
    int http_status;
    int retriable;
    tw_stored stored;
    int64_t retry_after_ms;
    int64_t index;
    int64_t rpc_code;
    char message[MESSAGE_ROOM];
    char field[FIELD_ROOM];
    char resource_metadata[URL_ROOM];
};

/* Out of memory must be reportable without memory. Never written to, never freed. */
static const tw_error nomem = {
    TW_E_NOMEM, 0, 0, TW_STORED_NO, -1, -1, 0, "memory could not be allocated", "", ""};

static const char *const names[] = {
    "ok",           "invalid",   "config",     "validation", "auth",
    "rate_limited", "too_large", "server",     "http",       "network",
    "timeout",      "protocol",  "queue_full", "job",        "canceled",
    "closed",       "forked",    "nomem",      "rpc"};

const char *tw_version(void)
{
    return TW_VERSION;
}

const char *tw_code_name(int code)
{
    size_t index = code < 0 ? (size_t) - (int64_t)code : 0;

    return index < sizeof names / sizeof *names ? names[index] : "unknown";
}

static int code_retriable(int code)
{
    return code == TW_E_RATE_LIMITED || code == TW_E_SERVER || code == TW_E_NETWORK ||
           code == TW_E_TIMEOUT || code == TW_E_QUEUE_FULL;
}

/* A message is one line of UTF-8 and may quote any bytes of a server or a caller. A cut must
 * not leave half a UTF-8 sequence. */
static void text_settle(char *text, int truncated)
{
    size_t n = strlen(text);
    size_t i;

    if (truncated) {
        while (n > 0 && ((unsigned char)text[n - 1] & 0xC0) == 0x80)
            n--;
        if (n > 0 && ((unsigned char)text[n - 1] & 0xC0) == 0xC0)
            n--;
        text[n] = '\0';
    }
    for (i = 0; i < n; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            text[i] = ' ';
    }
    tw__utf8_repair(text);
}

static int error_set(tw_error **out, int code, const char *field, const char *format,
                     va_list args) __attribute__((format(printf, 4, 0)));

static int error_set(tw_error **out, int code, const char *field, const char *format,
                     va_list args)
{
    tw_error *err;
    int size;

    if (out == NULL)
        return code;
    err = tw__alloc_zero(1, sizeof *err);
    if (err == NULL) {
        tw__error_nomem(out);
        return code;
    }
    err->code = code;
    err->retriable = code_retriable(code);
    err->retry_after_ms = -1;
    err->index = -1;
    size = vsnprintf(err->message, sizeof err->message, format, args);
    text_settle(err->message, size < 0 || (size_t)size >= sizeof err->message);
    if (field != NULL) {
        size = snprintf(err->field, sizeof err->field, "%s", field);
        text_settle(err->field, size < 0 || (size_t)size >= sizeof err->field);
    }
    /* The old one goes last: the arguments may quote it. */
    tw_error_free(*out);
    *out = err;
    return code;
}

int tw__error(tw_error **err, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error_set(err, code, NULL, format, args);
    va_end(args);
    return code;
}

int tw__error_at(tw_error **err, int code, const char *field, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error_set(err, code, field, format, args);
    va_end(args);
    return code;
}

int tw__error_nomem(tw_error **err)
{
    if (err != NULL) {
        tw_error_free(*err);
        *err = (tw_error *)&nomem; /* setters and free know the singleton */
    }
    return TW_E_NOMEM;
}

static int writable(const tw_error *err)
{
    return err != NULL && err != &nomem;
}

void tw__error_set_http(tw_error *err, int status)
{
    if (writable(err))
        err->http_status = status;
}

void tw__error_set_retry_after(tw_error *err, int64_t ms)
{
    if (writable(err))
        err->retry_after_ms = ms;
}

void tw__error_set_retriable(tw_error *err, int retriable)
{
    if (writable(err))
        err->retriable = retriable;
}

void tw__error_set_stored(tw_error *err, tw_stored stored)
{
    if (writable(err))
        err->stored = stored;
}

void tw__error_set_index(tw_error *err, int64_t index)
{
    if (writable(err))
        err->index = index;
}

void tw__error_set_rpc(tw_error *err, int64_t code)
{
    if (writable(err))
        err->rpc_code = code;
}

void tw__error_set_resource_metadata(tw_error *err, const char *url)
{
    size_t size = strlen(url);

    if (!writable(err) || size >= sizeof err->resource_metadata)
        return;
    memcpy(err->resource_metadata, url, size + 1);
    text_settle(err->resource_metadata, 0);
}

tw_error *tw__error_copy(const tw_error *err)
{
    tw_error *copy;

    if (!writable(err))
        return (tw_error *)err;
    copy = tw__alloc(sizeof *copy);
    if (copy == NULL)
        return (tw_error *)&nomem;
    *copy = *err;
    return copy;
}

int tw_error_code(const tw_error *err)
{
    return err != NULL ? err->code : TW_OK;
}

const char *tw_error_message(const tw_error *err)
{
    return err != NULL ? err->message : "";
}

int tw_error_http_status(const tw_error *err)
{
    return err != NULL ? err->http_status : 0;
}

int64_t tw_error_retry_after_ms(const tw_error *err)
{
    return err != NULL ? err->retry_after_ms : -1;
}

int tw_error_retriable(const tw_error *err)
{
    return err != NULL && err->retriable;
}

tw_stored tw_error_stored(const tw_error *err)
{
    return err != NULL ? err->stored : TW_STORED_NO;
}

int64_t tw_error_index(const tw_error *err)
{
    return err != NULL ? err->index : -1;
}

const char *tw_error_field(const tw_error *err)
{
    return err != NULL && err->field[0] != '\0' ? err->field : NULL;
}

int64_t tw_error_rpc_code(const tw_error *err)
{
    return err != NULL ? err->rpc_code : 0;
}

const char *tw_error_resource_metadata(const tw_error *err)
{
    return err != NULL && err->resource_metadata[0] != '\0' ? err->resource_metadata
                                                            : NULL;
}

void tw_error_free(tw_error *err)
{
    if (writable(err))
        tw__free(err);
}
