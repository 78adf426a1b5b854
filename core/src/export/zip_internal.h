/* SPDX-License-Identifier: MIT */
/* What the two halves of the zip reader share: members and directory. */
#ifndef TW_EXPORT_ZIP_INTERNAL_H
#define TW_EXPORT_ZIP_INTERNAL_H

#include "base/buf.h"
#include "export/zip.h"

/* Numbers from APPNOTE.TXT, the zip specification. */
enum {
    SIG_LOCAL = 0x04034B50,
    SIG_CENTRAL = 0x02014B50,
    SIG_END = 0x06054B50,
    SIG_END64 = 0x06064B50,
    SIG_LOCATOR64 = 0x07064B50,
    SIG_DESCRIPTOR = 0x08074B50
};
enum {
    FLAG_ENCRYPTED = 1,
    FLAG_DESCRIPTOR = 8,
    FLAG_PATCH = 0x20,
    FLAG_STRONG = 0x40,
    FLAG_MASKED = 0x2000
};
enum { METHOD_STORED = 0, METHOD_DEFLATE = 8 };
#define ALL16 0xFFFFu
#define ALL32 0xFFFFFFFFu

/* Sizes of the fixed parts, signature not counted. */
enum {
    LOCAL_SIZE = 26,
    CENTRAL_SIZE = 42,
    END_SIZE = 18,
    END64_SIZE = 52,
    LOCATOR64_SIZE = 16
};
/* The longest descriptor (signature, CRC, two 64-bit sizes) and the signature behind
 * it. */
enum { LOOKAHEAD = 28 };

typedef enum zip_state {
    AT_SIGNATURE,
    AT_LOCAL,
    AT_LOCAL_NAME,
    AT_STORED,     /* a known number of bytes */
    AT_SELF_ENDED, /* gzip that ends itself, inside a stored member of unknown size */
    AT_BOUNDARY,   /* behind such a gzip member: another one or the descriptor */
    AT_DEFLATED,
    AT_DESCRIPTOR,
    AT_CENTRAL,
    AT_CENTRAL_NAME,
    AT_END64,
    AT_END64_REST,
    AT_LOCATOR64,
    AT_END,
    AT_COMMENT,
    AT_FINISHED,
    AT_FAILURE
} zip_state;

/* What is remembered of a member until the directory names it. */
typedef struct zip_record {
    uint64_t offset;
    uint64_t packed;
    uint64_t unpacked;
    uint64_t name_hash;
    uint32_t crc;
    uint16_t method;
    uint16_t named; /* by the directory */
} zip_record;

typedef struct zip_input {
    const char *bytes;
    size_t size;
    size_t used;
} zip_input;

struct tw_zip {
    tw_zip_options options;
    const tw_zip_sink *sink;
    void *ctx;
    zip_state state;
    const char *reason;
    int failure;
    uint64_t offset;  /* of the next byte in the archive */
    uint64_t content; /* decompressed bytes of all members so far */
    int pending;      /* the sink is full: it comes before any input */

    uint8_t hold[64]; /* a fixed-size piece, as far as it has come */
    size_t held;
    tw_buf var; /* name, extra and comment of the current header */
    size_t var_need;
    uint64_t skip;   /* bytes to pass over */
    char unread[64]; /* bytes that come before the input once more */
    size_t unread_size;
    size_t unread_next; /* given back by this step, in `unread_room` */
    char unread_room[LOOKAHEAD];

    /* the current member */
    zip_record now;
    uint16_t flags;
    uint16_t name_size;
    uint16_t extra_size;
    uint32_t local_crc;
    uint64_t local_packed;
    uint64_t local_unpacked;
    tw_inflate *inf;
    int inflated; /* the deflate stream has ended */
    char *mid;    /* inflated bytes the sink has not taken */
    size_t mid_from;
    size_t mid_size;

    /* the directory */
    zip_record *records;
    size_t count;
    size_t room;
    size_t named;
    uint64_t directory; /* its offset */
    uint64_t directory_end;
    int has_directory;
    int has_end64;
    int has_locator;
    uint64_t end64; /* its offset */
};

uint16_t tw__zip_le16(const uint8_t *p);
uint32_t tw__zip_le32(const uint8_t *p);
uint64_t tw__zip_le64(const uint8_t *p);
int tw__zip_fail(tw_zip *zip, int code, const char *reason);
/* Collects `need` bytes in `hold`; nonzero once they are there (and then starts anew). */
int tw__zip_hold(tw_zip *zip, zip_input *in, size_t need);
/* Collects `need` bytes in `var`: TW_OK when whole, TW_AGAIN, or a negative code. */
int tw__zip_collect(tw_zip *zip, zip_input *in, size_t need);
uint64_t tw__zip_hash(const char *name, size_t size);
/* Reads 64-bit values from the zip64 extra field for those that are all ones, in this
 * order: each of `values` that is not NULL and ALL32. TW_E_PROTOCOL when one is
 * missing or the field is broken. */
int tw__zip_extra64(const uint8_t *extra, size_t size, uint64_t *const *values,
                    size_t count);

/* zip_directory.c */
int tw__zip_record(tw_zip *zip); /* remembers the current member */
int tw__zip_directory_step(tw_zip *zip, zip_input *in);
/* A signature that is not a member's. */
int tw__zip_directory_begin(tw_zip *zip, uint32_t signature, uint64_t at);

#endif
