/* SPDX-License-Identifier: MIT */
/* Archives by hand: every form of zip and gzip that a reader may meet, right or wrong. */
#ifndef TEST_ZIPMAKER_H
#define TEST_ZIPMAKER_H

#include <stddef.h>
#include <stdint.h>

typedef struct bytes {
    char *data;
    size_t size;
    size_t room;
} bytes;

void bytes_put(bytes *b, const void *data, size_t size);
void bytes_le(bytes *b, uint64_t value, size_t width);
void bytes_clear(bytes *b);

/* Appends raw deflate / one gzip member. `level` as zlib's. */
void make_deflate(bytes *out, const char *text, size_t size, int level);
enum { GZ_EXTRA = 1, GZ_NAME = 2, GZ_COMMENT = 4, GZ_HCRC = 8 };
void make_gzip(bytes *out, const char *text, size_t size, int level, unsigned parts);

typedef enum descriptor_form {
    DESC_NONE, /* sizes in the local header */
    DESC_PLAIN,
    DESC_SIGNED,
    DESC_PLAIN64,
    DESC_SIGNED64
} descriptor_form;

typedef struct zip_maker {
    bytes out;
    bytes directory;
    uint64_t count;
} zip_maker;

typedef struct member_form {
    unsigned method; /* 0 or 8 */
    descriptor_form descriptor;
    int zip64;         /* sizes in extra fields */
    int sizes_as_well; /* descriptor, but the header has the sizes too */
    unsigned flags;    /* added to the general purpose flags */
} member_form;

/* `content` is what the member holds, before the method is applied. */
void zip_maker_add(zip_maker *zm, const char *name, const char *content, size_t size,
                   const member_form *form);
/* Writes directory and end; `zip64` writes the 64-bit records too. */
void zip_maker_end(zip_maker *zm, int zip64, const char *comment);
void zip_maker_clear(zip_maker *zm);

#endif
