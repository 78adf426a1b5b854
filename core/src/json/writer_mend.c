/* SPDX-License-Identifier: MIT */
/* Strings that break a rule, changed so that they keep it. */
#include <string.h>

#include "base/utf8.h"
#include "json/writer_internal.h"

/* Offset behind a broken sequence that begins at `at`: the bytes that look like one character. A
 * surrogate's three bytes are one. */
static size_t broken_end(const char *text, size_t at, size_t size)
{
    size_t end = at + 1;

    while (end < size && end < at + 4 && ((unsigned char)text[end] & 0xC0) == 0x80)
        end++;
    return end;
}

static int replace(mending *mend, const char *text, size_t size)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    size_t at = 0;
    int rc = TW_OK;

    while (rc == TW_OK && at < size) {
        size_t good = tw__utf8_check(text + at, size - at);

        if (good > 0)
            rc = tw__buf_put(&mend->buf, text + at, good);
        at += good;
        if (rc == TW_OK && at < size) {
            rc = tw__buf_put(&mend->buf, replacement, sizeof replacement - 1);
            at = broken_end(text, at, size);
        }
    }
    mend->text = mend->buf.data;
    mend->size = mend->buf.size;
    mend->flags = TW_JSON_VALID_UTF8;
    mend->replaced = 1;
    return rc;
}

/* Offset of character number `count`, or the size where there are fewer. */
static size_t offset_of(const char *text, size_t size, size_t count)
{
    size_t at = 0;

    for (; at < size; at++) {
        if (((unsigned char)text[at] & 0xC0) != 0x80 && count-- == 0)
            break;
    }
    return at;
}

int tw__writer_mend(mending *mend, const tw_json_writer *wr, const char *text,
                    size_t size, unsigned flags)
{
    int valid = (flags & TW_JSON_VALID_UTF8) != 0 || tw__utf8_check(text, size) == size;
    int rc = TW_OK;

    memset(mend, 0, sizeof *mend);
    mend->text = text;
    mend->size = size;
    mend->flags = flags;
    tw__buf_init(&mend->buf, SIZE_MAX / 2);
    if (!valid && (wr->mends & TW_MEND_UTF8) != 0)
        rc = replace(mend, text, size);
    else if (!valid)
        return TW_OK; /* to be refused */
    if (rc == TW_OK && (wr->mends & TW_MEND_LONG) != 0 && mend->size > wr->max_chars) {
        size_t most = offset_of(mend->text, mend->size, wr->max_chars);

        mend->cut = most < mend->size;
        mend->size = most;
    }
    return rc;
}

void tw__writer_mend_end(mending *mend)
{
    tw__buf_clear(&mend->buf);
}
