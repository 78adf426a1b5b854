/* SPDX-License-Identifier: MIT */
/* A zip archive read forward: its central directory, compared with what was read. */
#include "export/zip.h"

#include <string.h>

#include "base/alloc.h"
#include "export/zip_internal.h"

/* Members follow each other without gap, each begins where the last one ended, and the
 * directory names each of them once: members that overlap cannot be expressed. */
int tw__zip_record(tw_zip *zip)
{
    if (zip->count == zip->room) {
        size_t room = zip->room != 0 ? zip->room * 2 : 32;
        zip_record *records = tw__realloc(zip->records, room * sizeof *records);

        if (records == NULL)
            return TW_E_NOMEM;
        zip->records = records;
        zip->room = room;
    }
    zip->records[zip->count++] = zip->now;
    return TW_OK;
}

/* Records stand in the order of their offsets. */
static zip_record *zip_find(const tw_zip *zip, uint64_t offset)
{
    size_t low = 0;
    size_t high = zip->count;

    /* Directories are written in the order of the members: the next one is nearly
     * always it. */
    if (zip->named < zip->count && zip->records[zip->named].offset == offset)
        return &zip->records[zip->named];
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zip->records[middle].offset == offset)
            return &zip->records[middle];
        if (zip->records[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int zip_central(tw_zip *zip)
{
    const uint8_t *p = zip->hold;

    if (tw__zip_le16(p + 4) & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED))
        return tw__zip_fail(zip, TW_E_PROTOCOL, "held an encrypted member");
    if (tw__zip_le16(p + 30) != 0)
        return tw__zip_fail(zip, TW_E_PROTOCOL, "was one part of several");
    zip->now.method = tw__zip_le16(p + 6);
    zip->now.crc = tw__zip_le32(p + 12);
    zip->now.packed = tw__zip_le32(p + 16);
    zip->now.unpacked = tw__zip_le32(p + 20);
    zip->now.offset = tw__zip_le32(p + 38);
    zip->name_size = tw__zip_le16(p + 24);
    zip->extra_size = tw__zip_le16(p + 26);
    zip->var_need = (size_t)zip->name_size + zip->extra_size + tw__zip_le16(p + 28);
    tw__buf_reset(&zip->var);
    zip->state = AT_CENTRAL_NAME;
    return TW_OK;
}

static int zip_central_compare(tw_zip *zip)
{
    uint64_t *const values[] = {&zip->now.unpacked, &zip->now.packed, &zip->now.offset};
    const uint8_t *text = (const uint8_t *)(zip->var_need != 0 ? zip->var.data : "");
    zip_record *record;

    if (tw__zip_extra64(text + zip->name_size, zip->extra_size, values, 3) != TW_OK)
        return tw__zip_fail(zip, TW_E_PROTOCOL,
                            "had a directory entry whose 64-bit value was missing");
    record = zip_find(zip, zip->now.offset);
    if (record == NULL)
        return tw__zip_fail(zip, TW_E_PROTOCOL,
                            "had a directory entry for a member that is not there");
    if (record->named)
        return tw__zip_fail(zip, TW_E_PROTOCOL,
                            "had two directory entries for one member");
    if (record->crc != zip->now.crc || record->packed != zip->now.packed ||
        record->unpacked != zip->now.unpacked || record->method != zip->now.method ||
        record->name_hash != tw__zip_hash((const char *)text, zip->name_size))
        return tw__zip_fail(zip, TW_E_PROTOCOL,
                            "had a directory entry that did not agree with its member");
    record->named = 1;
    zip->named++;
    zip->state = AT_SIGNATURE;
    return TW_OK;
}

/* The 64-bit end record. */
static int zip_end64(tw_zip *zip)
{
    const uint8_t *p = zip->hold;
    uint64_t size = tw__zip_le64(p);

    /* The size does not count itself; 64 KiB of extensible data is more than anyone
     * writes. */
    if (size < END64_SIZE - 8 || size > END64_SIZE - 8 + 65536)
        return tw__zip_fail(zip, TW_E_PROTOCOL, "had a broken 64-bit end record");
    if (tw__zip_le32(p + 12) != 0 || tw__zip_le32(p + 16) != 0 ||
        tw__zip_le64(p + 20) != tw__zip_le64(p + 28))
        return tw__zip_fail(zip, TW_E_PROTOCOL, "was one part of several");
    if (tw__zip_le64(p + 28) != zip->count ||
        tw__zip_le64(p + 36) != zip->directory_end - zip->directory ||
        tw__zip_le64(p + 44) != zip->directory)
        return tw__zip_fail(
            zip, TW_E_PROTOCOL,
            "had a 64-bit end record that did not agree with its directory");
    zip->skip = size - (END64_SIZE - 8);
    zip->state = AT_END64_REST;
    return TW_OK;
}

static int zip_locator64(tw_zip *zip)
{
    const uint8_t *p = zip->hold;

    if (tw__zip_le32(p) != 0 || tw__zip_le32(p + 12) != 1)
        return tw__zip_fail(zip, TW_E_PROTOCOL, "was one part of several");
    if (tw__zip_le64(p + 4) != zip->end64)
        return tw__zip_fail(zip, TW_E_PROTOCOL, "had a locator that pointed elsewhere");
    zip->has_locator = 1;
    zip->state = AT_SIGNATURE;
    return TW_OK;
}

/* A field of the end record: the value, or all ones where the 64-bit record has it. */
static int zip_end_agrees(const tw_zip *zip, uint64_t field, uint64_t ones,
                          uint64_t value)
{
    return field == value || (zip->has_locator && field == ones);
}

static int zip_end(tw_zip *zip)
{
    const uint8_t *p = zip->hold;

    if (!zip_end_agrees(zip, tw__zip_le16(p), ALL16, 0) ||
        !zip_end_agrees(zip, tw__zip_le16(p + 2), ALL16, 0) ||
        tw__zip_le16(p + 4) != tw__zip_le16(p + 6))
        return tw__zip_fail(zip, TW_E_PROTOCOL, "was one part of several");
    if (!zip_end_agrees(zip, tw__zip_le16(p + 6), ALL16, zip->count) ||
        !zip_end_agrees(zip, tw__zip_le32(p + 8), ALL32,
                        zip->directory_end - zip->directory) ||
        !zip_end_agrees(zip, tw__zip_le32(p + 12), ALL32, zip->directory))
        return tw__zip_fail(zip, TW_E_PROTOCOL,
                            "had an end record that did not agree with its directory");
    zip->skip = tw__zip_le16(p + 16);
    zip->state = AT_COMMENT;
    return TW_OK;
}

int tw__zip_directory_begin(tw_zip *zip, uint32_t signature, uint64_t at)
{
    if (signature == SIG_CENTRAL && !zip->has_end64) {
        if (!zip->has_directory)
            zip->directory = at;
        zip->has_directory = 1;
        zip->state = AT_CENTRAL;
        return TW_OK;
    }
    if (signature != SIG_END64 && signature != SIG_LOCATOR64 && signature != SIG_END)
        return tw__zip_fail(zip, TW_E_PROTOCOL,
                            at == 0 ? "was not a zip archive"
                                    : "had bytes that belonged to no member");
    if (!zip->has_end64) {
        zip->directory_end = at;
        if (!zip->has_directory)
            zip->directory = at;
        if (zip->named != zip->count)
            return tw__zip_fail(zip, TW_E_PROTOCOL,
                                "had members that its directory did not name");
    }
    zip->has_directory = 1;
    if (signature == SIG_END64 && !zip->has_end64) {
        zip->has_end64 = 1;
        zip->end64 = at;
        zip->state = AT_END64;
    } else if (signature == SIG_LOCATOR64 && zip->has_end64 && !zip->has_locator) {
        zip->state = AT_LOCATOR64;
    } else if (signature == SIG_END && zip->has_end64 == zip->has_locator) {
        zip->state = AT_END;
    } else {
        return tw__zip_fail(zip, TW_E_PROTOCOL, "had its end records in the wrong order");
    }
    return TW_OK;
}

static int zip_skip(tw_zip *zip, zip_input *in, zip_state then)
{
    size_t n = in->size - in->used;

    n = zip->skip < n ? (size_t)zip->skip : n;
    in->used += n;
    zip->skip -= n;
    if (zip->skip == 0)
        zip->state = then;
    return TW_OK;
}

int tw__zip_directory_step(tw_zip *zip, zip_input *in)
{
    int rc;

    switch (zip->state) {
    case AT_CENTRAL:
        return tw__zip_hold(zip, in, CENTRAL_SIZE) ? zip_central(zip) : TW_OK;
    case AT_CENTRAL_NAME:
        rc = tw__zip_collect(zip, in, zip->var_need);
        if (rc == TW_AGAIN)
            return TW_OK;
        return rc == TW_OK ? zip_central_compare(zip) : rc;
    case AT_END64:
        return tw__zip_hold(zip, in, END64_SIZE) ? zip_end64(zip) : TW_OK;
    case AT_END64_REST:
        return zip_skip(zip, in, AT_SIGNATURE);
    case AT_LOCATOR64:
        return tw__zip_hold(zip, in, LOCATOR64_SIZE) ? zip_locator64(zip) : TW_OK;
    case AT_END:
        return tw__zip_hold(zip, in, END_SIZE) ? zip_end(zip) : TW_OK;
    case AT_COMMENT:
        return zip_skip(zip, in, AT_FINISHED);
    default:
        return tw__zip_fail(zip, TW_E_PROTOCOL, "was read in the wrong order");
    }
}
