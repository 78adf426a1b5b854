/* SPDX-License-Identifier: MIT */
/* Raw deflate, undone: one interface over ISA-L and zlib. */
#ifndef TW_EXPORT_INFLATE_H
#define TW_EXPORT_INFLATE_H

#include <stddef.h>
#include <stdint.h>

typedef struct tw_inflate tw_inflate;

typedef enum tw_inflate_kind {
    TW_INFLATE_BEST, /* ISA-L where it was built in, else zlib */
    TW_INFLATE_ZLIB,
    TW_INFLATE_ISAL /* TW_E_CONFIG where it was not built in */
} tw_inflate_kind;

enum { TW_INFLATE_TAIL = 8 };

int tw__inflate_new(tw_inflate **out, tw_inflate_kind kind);
void tw__inflate_free(tw_inflate *inf);
void tw__inflate_reset(tw_inflate *inf);

/*
 * Runs until the input is used up, `room` is full or the deflate stream ends.
 *
 * TW_OK: more input or more room is needed (call with no input to fetch what is pending).
 * TW_DONE: the stream ended; `*used` bytes of this input belong to it or stand in the
 * tail.
 * TW_E_PROTOCOL: not a deflate stream.
 */
int tw__inflate_run(tw_inflate *inf, const char *bytes, size_t size, size_t *used,
                    char *out, size_t room, size_t *made);

/* After TW_DONE: bytes taken from earlier inputs that lie behind the stream's end, at
 * most TW_INFLATE_TAIL. They come before the rest of the last input. */
size_t tw__inflate_tail(const tw_inflate *inf, char tail[TW_INFLATE_TAIL]);

/* CRC-32 as in gzip and zip; start with 0. */
uint32_t tw__crc32(uint32_t crc, const void *bytes, size_t size);
uint32_t tw__crc32_zlib(uint32_t crc, const void *bytes, size_t size);

/* ---- the backends, for inflate.c only ---------------------------------------------- */

typedef struct tw_inflate_backend {
    void *(*open)(void);
    void (*close)(void *state);
    void (*reset)(void *state);
    int (*run)(void *state, const char *bytes, size_t size, size_t *used, char *out,
               size_t room, size_t *made);
    size_t (*tail)(const void *state, char tail[TW_INFLATE_TAIL]);
} tw_inflate_backend;

extern const tw_inflate_backend tw__inflate_zlib;
#ifdef TW_HAVE_ISAL
extern const tw_inflate_backend tw__inflate_isal;
uint32_t tw__crc32_isal(uint32_t crc, const void *bytes, size_t size);
#endif

#endif
