/* SPDX-License-Identifier: MIT */
/* Archives by hand. */
#include "support/zipmaker.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

void bytes_put(bytes *b, const void *data, size_t size)
{
    if (b->size + size > b->room) {
        b->room = (b->size + size) * 2 + 64;
        b->data = realloc(b->data, b->room);
        if (b->data == NULL)
            abort();
    }
    if (size != 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

void bytes_le(bytes *b, uint64_t value, size_t width)
{
    while (width-- > 0) {
        unsigned char c = (unsigned char)value;

        bytes_put(b, &c, 1);
        value >>= 8;
    }
}

void bytes_clear(bytes *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}

void make_deflate(bytes *out, const char *text, size_t size, int level)
{
    z_stream zs;
    char chunk[4096];
    int rc;

    memset(&zs, 0, sizeof zs);
    if (deflateInit2(&zs, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    zs.next_in = (Bytef *)text;
    zs.avail_in = (uInt)size;
    do {
        zs.next_out = (Bytef *)chunk;
        zs.avail_out = sizeof chunk;
        rc = deflate(&zs, Z_FINISH);
        bytes_put(out, chunk, sizeof chunk - zs.avail_out);
    } while (rc == Z_OK);
    deflateEnd(&zs);
}

static uint32_t crc_of(const void *data, size_t size)
{
    return (uint32_t)crc32_z(0, data, size);
}

void make_gzip(bytes *out, const char *text, size_t size, int level, unsigned parts)
{
    size_t head = out->size;
    unsigned flags = (parts & GZ_HCRC ? 2u : 0) | (parts & GZ_EXTRA ? 4u : 0) |
                     (parts & GZ_NAME ? 8u : 0) | (parts & GZ_COMMENT ? 16u : 0);

    bytes_le(out, 0x8B1F, 2);
    bytes_le(out, 8, 1);
    bytes_le(out, flags, 1);
    bytes_le(out, 0x65E0A1B2, 4);
    bytes_le(out, 0x0300, 2);
    if (parts & GZ_EXTRA) {
        bytes_le(out, 5, 2);
        bytes_put(out, "ab\1\0z", 5);
    }
    if (parts & GZ_NAME)
        bytes_put(out, "name.json", 10);
    if (parts & GZ_COMMENT)
        bytes_put(out, "a comment", 10);
    if (parts & GZ_HCRC)
        bytes_le(out, crc_of(out->data + head, out->size - head) & 0xFFFF, 2);
    make_deflate(out, text, size, level);
    bytes_le(out, crc_of(text, size), 4);
    bytes_le(out, size, 4);
}

static void put_extra64(bytes *b, uint64_t unpacked, uint64_t packed,
                        const uint64_t *offset)
{
    bytes_le(b, 1, 2);
    bytes_le(b, offset != NULL ? 24 : 16, 2);
    bytes_le(b, unpacked, 8);
    bytes_le(b, packed, 8);
    if (offset != NULL)
        bytes_le(b, *offset, 8);
}

static void put_local(zip_maker *zm, const char *name, const member_form *form,
                      uint32_t crc, uint64_t packed, uint64_t unpacked)
{
    bytes *b = &zm->out;
    int given = form->descriptor == DESC_NONE || form->sizes_as_well;
    size_t name_size = strlen(name);

    bytes_le(b, 0x04034B50, 4);
    bytes_le(b, form->zip64 ? 45 : 20, 2);
    bytes_le(b, form->flags | (form->descriptor != DESC_NONE ? 8u : 0), 2);
    bytes_le(b, form->method, 2);
    bytes_le(b, 0x6C215A34, 4);
    bytes_le(b, form->descriptor == DESC_NONE ? crc : 0, 4);
    bytes_le(b, form->zip64 ? 0xFFFFFFFFu : given ? packed : 0, 4);
    bytes_le(b, form->zip64 ? 0xFFFFFFFFu : given ? unpacked : 0, 4);
    bytes_le(b, name_size, 2);
    bytes_le(b, form->zip64 ? 20 : 0, 2);
    bytes_put(b, name, name_size);
    if (form->zip64)
        put_extra64(b, given ? unpacked : 0, given ? packed : 0, NULL);
}

static void put_central(zip_maker *zm, const char *name, const member_form *form,
                        uint32_t crc, uint64_t packed, uint64_t unpacked, uint64_t offset)
{
    bytes *b = &zm->directory;
    size_t name_size = strlen(name);

    bytes_le(b, 0x02014B50, 4);
    bytes_le(b, 0x031E, 2);
    bytes_le(b, form->zip64 ? 45 : 20, 2);
    bytes_le(b, form->flags | (form->descriptor != DESC_NONE ? 8u : 0), 2);
    bytes_le(b, form->method, 2);
    bytes_le(b, 0x6C215A34, 4);
    bytes_le(b, crc, 4);
    bytes_le(b, form->zip64 ? 0xFFFFFFFFu : packed, 4);
    bytes_le(b, form->zip64 ? 0xFFFFFFFFu : unpacked, 4);
    bytes_le(b, name_size, 2);
    bytes_le(b, form->zip64 ? 28 : 0, 2);
    bytes_le(b, 0, 2);
    bytes_le(b, 0, 2);
    bytes_le(b, 0, 2);
    bytes_le(b, 0x81A40000u, 4);
    bytes_le(b, form->zip64 ? 0xFFFFFFFFu : offset, 4);
    bytes_put(b, name, name_size);
    if (form->zip64)
        put_extra64(b, unpacked, packed, &offset);
}

static void put_descriptor(bytes *b, descriptor_form form, uint32_t crc, uint64_t packed,
                           uint64_t unpacked)
{
    size_t width = form == DESC_PLAIN64 || form == DESC_SIGNED64 ? 8 : 4;

    if (form == DESC_NONE)
        return;
    if (form == DESC_SIGNED || form == DESC_SIGNED64)
        bytes_le(b, 0x08074B50, 4);
    bytes_le(b, crc, 4);
    bytes_le(b, packed, width);
    bytes_le(b, unpacked, width);
}

void zip_maker_add(zip_maker *zm, const char *name, const char *content, size_t size,
                   const member_form *form)
{
    bytes packed = {0};
    uint64_t offset = zm->out.size;
    uint32_t crc = crc_of(content, size);

    if (form->method == 8)
        make_deflate(&packed, content, size, 6);
    else
        bytes_put(&packed, content, size);
    put_local(zm, name, form, crc, packed.size, size);
    bytes_put(&zm->out, packed.data, packed.size);
    put_descriptor(&zm->out, form->descriptor, crc, packed.size, size);
    put_central(zm, name, form, crc, packed.size, size, offset);
    zm->count++;
    bytes_clear(&packed);
}

void zip_maker_end(zip_maker *zm, int zip64, const char *comment)
{
    bytes *b = &zm->out;
    uint64_t at = b->size;
    uint64_t end64;
    size_t comment_size = comment != NULL ? strlen(comment) : 0;

    bytes_put(b, zm->directory.data, zm->directory.size);
    end64 = b->size;
    if (zip64) {
        bytes_le(b, 0x06064B50, 4);
        bytes_le(b, 44, 8);
        bytes_le(b, 45, 2);
        bytes_le(b, 45, 2);
        bytes_le(b, 0, 8);
        bytes_le(b, zm->count, 8);
        bytes_le(b, zm->count, 8);
        bytes_le(b, zm->directory.size, 8);
        bytes_le(b, at, 8);
        bytes_le(b, 0x07064B50, 4);
        bytes_le(b, 0, 4);
        bytes_le(b, end64, 8);
        bytes_le(b, 1, 4);
    }
    bytes_le(b, 0x06054B50, 4);
    bytes_le(b, 0, 4);
    bytes_le(b, zip64 ? 0xFFFF : zm->count, 2);
    bytes_le(b, zip64 ? 0xFFFF : zm->count, 2);
    bytes_le(b, zip64 ? 0xFFFFFFFFu : zm->directory.size, 4);
    bytes_le(b, zip64 ? 0xFFFFFFFFu : at, 4);
    bytes_le(b, comment_size, 2);
    bytes_put(b, comment, comment_size);
}

void zip_maker_clear(zip_maker *zm)
{
    bytes_clear(&zm->out);
    bytes_clear(&zm->directory);
    zm->count = 0;
}
