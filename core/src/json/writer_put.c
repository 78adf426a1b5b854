/* SPDX-License-Identifier: MIT */
/* Putting values into the writer's text. */
#include <string.h>

#include <tidewheel/sys/json_copy.h>

#include "base/utf8.h"
#include "json/number.h"
#include "json/scan.h"
#include "json/writer_internal.h"

/* ---- values ---------------------------------------------------------------------------- */

/* Where the value goes, its comma written; NULL after a failure. */
static ALWAYS_INLINE char *value_begin(tw_json_writer *wr, size_t size)
{
    char *p;

    if (wr->state > VALUE) {
        tw__writer_misplaced(wr);
        return NULL;
    }
    if (put_reserve(wr, size) != TW_OK)
        return NULL;
    p = wr->buf.data + wr->buf.size;
    *p = ',';
    return p + (wr->state == MORE);
}

/* Asks the watcher about a value that is already in the text; takes it back when refused. */
static int value_ask(tw_json_writer *wr, tw_json_put *put, size_t before)
{
    const char *rule;

    put->depth = wr->depth;
    put->end = wr->buf.size;
    rule = wr->watch->value(wr->watch_ctx, put);
    shown_set(wr); /* the watcher may want to see more, or less */
    if (rule == NULL)
        return TW_OK;
    wr->buf.size = before;
    return tw__writer_fail(wr, TW_E_VALIDATION, rule, 0);
}

/* Takes the value that ends at `p` into the text, if the watcher agrees. */
static NEVER_INLINE int value_show(tw_json_writer *wr, const char *p, tw_json_put *put)
{
    size_t before = wr->buf.size;
    int rc;

    put->at = before + (wr->state == MORE);
    wr->buf.size = (size_t)(p - wr->buf.data);
    rc = value_ask(wr, put, before);
    if (rc == TW_OK)
        wr->state = wr->next;
    return rc;
}

/* Takes the value that ends at `p` into the text. */
static ALWAYS_INLINE int value_take(tw_json_writer *wr, const char *p)
{
    wr->buf.size = (size_t)(p - wr->buf.data);
    wr->state = wr->next;
    return TW_OK;
}

/* Takes a value that is no text, if the watcher agrees; the struct is made only where somebody
 * looks. */
static NEVER_INLINE int scalar_show(tw_json_writer *wr, const char *p, tw_json_kind kind,
                                    int64_t integer, double real)
{
    tw_json_put put = {.kind = kind, .integer = integer, .real = real};

    return value_show(wr, p, &put);
}

static NEVER_INLINE int int_show(tw_json_writer *wr, const char *p, int64_t value)
{
    const tw_json_look *look = wr->look;

    if (wr->depth == 1 && look != NULL && look_knows_int(look, value))
        return value_take(wr, p);
    return scalar_show(wr, p, TW_JSON_INT, value, 0);
}

static ALWAYS_INLINE int value_end(tw_json_writer *wr, const char *p, tw_json_kind kind,
                                   int64_t integer, double real)
{
    if ((size_t)(p - wr->buf.data) > wr->max_bytes)
        return tw__writer_fail_room(wr, TW_E_TOO_LARGE);
    if ((wr->shown >> kind & 1) != 0)
        return kind == TW_JSON_INT ? int_show(wr, p, integer)
                                   : scalar_show(wr, p, kind, integer, real);
    return value_take(wr, p);
}

static ALWAYS_INLINE int container_begin(tw_json_writer *wr, char bracket, unsigned state)
{
    tw_json_kind kind = bracket == '{' ? TW_JSON_OBJECT : TW_JSON_ARRAY;
    char *p = value_begin(wr, 1);
    int rc;

    if (p == NULL)
        return wr->code;
    if (wr->depth == wr->max_depth)
        return tw__writer_fail(wr, TW_E_VALIDATION, "containers were nested deeper than",
                               wr->max_depth);
    *p = bracket;
    rc = value_end(wr, p + 1, kind, 0, 0);
    if (rc != TW_OK)
        return rc;
    wr->starts[wr->depth] = wr->buf.size - 1;
    wr->after[wr->depth + 1] = state == FIRST ? MORE : NEXT_KEY;
    depth_set(wr, wr->depth + 1);
    wr->state = state;
    return TW_OK;
}

static NEVER_INLINE int container_show(tw_json_writer *wr, tw_json_kind kind)
{
    tw_json_put put = {.kind = kind, .at = wr->starts[wr->depth]};
    int rc = value_ask(wr, &put, wr->buf.size - 1);

    if (rc != TW_OK) {
        depth_set(wr, wr->depth + 1);
        wr->was = NEXT_KEY; /* the path is the container's own */
    }
    return rc;
}

static ALWAYS_INLINE int container_end(tw_json_writer *wr, char bracket,
                                       tw_json_kind kind)
{
    int rc = put_reserve(wr, 1);

    if (rc != TW_OK)
        return rc;
    if (wr->buf.size == wr->max_bytes)
        return tw__writer_fail_room(wr, TW_E_TOO_LARGE);
    wr->buf.data[wr->buf.size] = bracket;
    wr->buf.size++;
    depth_set(wr, wr->depth - 1);
    if ((wr->shown >> kind & 1) != 0) {
        rc = container_show(wr, kind);
        if (rc != TW_OK)
            return rc;
    }
    wr->state = wr->next;
    return TW_OK;
}

int tw_json_put_object(tw_json_writer *wr)
{
    return container_begin(wr, '{', FIRST_KEY);
}

int tw_json_put_array(tw_json_writer *wr)
{
    return container_begin(wr, '[', FIRST);
}

int tw_json_put_object_end(tw_json_writer *wr)
{
    if (wr->state != FIRST_KEY && wr->state != NEXT_KEY)
        return tw__writer_misplaced(wr);
    return container_end(wr, '}', TW_JSON_OBJECT_END);
}

int tw_json_put_array_end(tw_json_writer *wr)
{
    if (wr->state > MORE)
        return tw__writer_misplaced(wr);
    return container_end(wr, ']', TW_JSON_ARRAY_END);
}
/* ---- text ------------------------------------------------------------------------------ */

static char *escape_put(char *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char names[0x20] = {
        [8] = 'b', [9] = 't', [10] = 'n', [12] = 'f', [13] = 'r'};

    *out++ = '\\';
    if (c >= 0x20 || names[c] != '\0') {
        *out++ = c >= 0x20 ? (char)c : names[c];
        return out;
    }
    memcpy(out, "u00", 3);
    out[3] = hex[c >> 4];
    out[4] = hex[c & 15];
    return out + 5;
}

/* tw__copy_plain for where speed is not all. */
static NEVER_INLINE size_t copy_plain(char *out, const char *text, size_t size)
{
    return tw__copy_plain(out, text, size, 0);
}

/* Writes any text, without its quotes; there is room for `size` bytes. Returns its end, NULL on
 * failure. */
char *tw__writer_text(tw_json_writer *wr, char *out, const char *text, size_t size,
                      unsigned flags)
{
    size_t at = 0;
    size_t made;
    size_t run;
    int rc;

    if ((flags & TW_JSON_VALID_UTF8) == 0 && tw__utf8_check(text, size) != size) {
        tw__writer_fail(wr, TW_E_VALIDATION, "a text was not valid UTF-8", 0);
        return NULL;
    }
    while (at < size) {
        if (!tw__scan_special((unsigned char)text[at])) {
            run = copy_plain(out, text + at, size - at);
            at += run;
            out += run;
            while (at < size && !tw__scan_special((unsigned char)text[at]))
                *out++ = text[at++];
            continue;
        }
        out = escape_put(out, (unsigned char)text[at++]);
        made = (size_t)(out - wr->buf.data) - wr->buf.size;
        rc = tw__buf_reserve(&wr->buf, made + (size - at) + SLACK);
        if (rc != TW_OK) {
            tw__writer_fail_room(wr, rc);
            return NULL;
        }
        out = wr->buf.data + wr->buf.size + made;
    }
    return out;
}
static NEVER_INLINE int string_show(tw_json_writer *wr, const char *p, const char *text,
                                    size_t size, int ascii)
{
    tw_json_put put = {.kind = TW_JSON_STRING, .string = text, .size = size};
    const tw_json_look *look = wr->look;

    if (wr->depth != 1 || look == NULL || !look_knows_string(look, text, size, ascii))
        return value_show(wr, p, &put);
    if (look->noted != 0)
        wr->watch->notes[look->noted - 1] =
            (tw_json_note){wr->buf.size, (size_t)(p - wr->buf.data)};
    return value_take(wr, p);
}

/* Takes a string whose text ends at `p`, its closing quote due, into the document. */
static ALWAYS_INLINE int string_end(tw_json_writer *wr, char *p, const char *text,
                                    size_t size, int ascii)
{
    *p = '"';
    if ((wr->shown & KIND(STRING)) != 0)
        return string_show(wr, p + 1, text, size, ascii);
    return value_take(wr, p + 1);
}

/* A string so long that it may break a limit. */
static NEVER_INLINE int string_check(tw_json_writer *wr, const char *text, size_t size,
                                     int64_t chars, unsigned flags)
{
    if (wr->state > VALUE)
        return tw__writer_misplaced(wr);
    if ((flags & TW_JSON_VALID_UTF8) == 0 && tw__utf8_check(text, size) != size)
        return tw__writer_fail(wr, TW_E_VALIDATION, "a text was not valid UTF-8", 0);
    if (chars < 0)
        chars = flags == TW_JSON_ALL_ASCII ? (int64_t)size
                                           : (int64_t)tw__utf8_count(text, size);
    if ((uint64_t)chars > wr->max_chars)
        return tw__writer_fail(wr, TW_E_VALIDATION, "a string had more characters than",
                               wr->max_chars);
    return tw__writer_grow(wr, size);
}

/* Takes a string that is not what was given: whoever looks at this value sees that. */
static int string_mended(tw_json_writer *wr, char *p, const char *text, size_t size)
{
    tw_json_put put = {.kind = TW_JSON_STRING, .string = text, .size = size, .mended = 1};

    *p = '"';
    if ((wr->shown & KIND(STRING)) != 0)
        return value_show(wr, p + 1, &put);
    return value_take(wr, p + 1);
}

/* Any string, whatever it needs. */
static NEVER_INLINE int string_any(tw_json_writer *wr, const char *text, size_t size,
                                   int64_t chars, unsigned flags, int mended)
{
    char *p;
    int rc;

    if (size > wr->quick_size) {
        rc = string_check(wr, text, size, chars, flags);
        if (rc != TW_OK)
            return rc;
    }
    p = value_begin(wr, size);
    if (p == NULL)
        return wr->code;
    *p = '"';
    p = tw__writer_text(wr, p + 1, text, size, flags);
    if (p == NULL)
        return wr->code;
    if ((size_t)(p + 1 - wr->buf.data) > wr->max_bytes)
        return tw__writer_fail_room(wr, TW_E_TOO_LARGE);
    return mended ? string_mended(wr, p, text, size)
                  : string_end(wr, p, text, size, flags == TW_JSON_ALL_ASCII);
}

static COLD int string_mend(tw_json_writer *wr, const char *text, size_t size,
                            unsigned flags)
{
    mending mend;
    int rc;

    if (wr->state > VALUE)
        return tw__writer_misplaced(wr);
    rc = tw__writer_mend(&mend, wr, text, size, flags);
    if (rc != TW_OK) {
        tw__writer_mend_end(&mend);
        return tw__writer_fail_room(wr, rc);
    }
    rc = string_any(wr, mend.text, mend.size, -1, mend.flags,
                    (mend.cut | mend.replaced) != 0);
    if (rc == TW_OK) {
        wr->mended.cut += mend.cut;
        wr->mended.replaced += mend.replaced;
        wr->mended.any |= mend.cut | mend.replaced;
    }
    tw__writer_mend_end(&mend);
    return rc;
}

static NEVER_INLINE int string_slow(tw_json_writer *wr, const char *text, size_t size,
                                    int64_t chars, unsigned flags)
{
    if ((wr->mends & (TW_MEND_LONG | TW_MEND_UTF8)) != 0)
        return string_mend(wr, text, size, flags);
    return string_any(wr, text, size, chars, flags, 0);
}

/* Common strings are plain: they are written without a call. All else is left to the slow way,
 * which begins again. */
static ALWAYS_INLINE int string_quick(tw_json_writer *wr, const char *text, size_t size,
                                      int64_t chars, unsigned flags, int strict)
{
    char *p;

    if (wr->state > VALUE || size > wr->quick_size || !is_far_from_full(wr, size))
        return string_slow(wr, text, size, chars, flags);
    p = wr->buf.data + wr->buf.size;
    *p = ',';
    p += wr->state == MORE;
    *p++ = '"';
    if (tw__copy_plain(p, text, size, strict) != size)
        return string_slow(wr, text, size, chars, flags);
    return string_end(wr, p + size, text, size, strict);
}

static NEVER_INLINE int string_wide(tw_json_writer *wr, const char *text, size_t size,
                                    int64_t chars)
{
    return string_quick(wr, text, size, chars, TW_JSON_VALID_UTF8, 0);
}

int tw_json_put_string(tw_json_writer *wr, const char *text, size_t size, int64_t chars,
                       unsigned flags)
{
    if (flags == TW_JSON_VALID_UTF8)
        return string_wide(wr, text, size, chars);
    /* A strict copy that finds nothing shows that the text is ASCII. */
    return string_quick(wr, text, size, chars, flags, 1);
}

/* ---- scalars --------------------------------------------------------------------------- */

int tw_json_put_int(tw_json_writer *wr, int64_t value)
{
    char *p = value_begin(wr, 0);

    if (p == NULL)
        return wr->code;
    return value_end(wr, tw__number_int(p, value), TW_JSON_INT, value, 0);
}

static COLD int real_refuse(tw_json_writer *wr)
{
    int rc;

    if ((wr->mends & TW_MEND_NAN) == 0)
        return tw__writer_fail(wr, TW_E_VALIDATION, "NaN and infinity have no JSON form",
                               0);
    rc = tw_json_put_null(wr);
    wr->mended.nulled += rc == TW_OK;
    wr->mended.any |= rc == TW_OK;
    return rc;
}

int tw_json_put_big_int(tw_json_writer *wr, const char *digits, size_t size)
{
    int rc;

    if (wr->state > VALUE)
        return tw__writer_misplaced(wr);
    if ((wr->mends & TW_MEND_INTS) == 0)
        return tw__writer_fail(wr, TW_E_VALIDATION, "the integer was beyond 64 bits", 0);
    /* Fewer digits would be another number. */
    rc = string_any(wr, digits, size, (int64_t)size, TW_JSON_ALL_ASCII, 0);
    wr->mended.stringified += rc == TW_OK;
    wr->mended.any |= rc == TW_OK;
    return rc;
}

int tw_json_put_real(tw_json_writer *wr, double value)
{
    char *p = value_begin(wr, 0);

    if (p == NULL)
        return wr->code;
    if (value - value != 0) /* NaN for infinities and for NaN itself */
        return real_refuse(wr);
    return value_end(wr, tw__number_real(p, value), TW_JSON_REAL, 0, value);
}

static ALWAYS_INLINE int put_word(tw_json_writer *wr, tw_json_kind kind, const char *text,
                                  size_t size)
{
    char *p = value_begin(wr, 0);

    if (p == NULL)
        return wr->code;
    memcpy(p, text, size);
    return value_end(wr, p + size, kind, 0, 0);
}

int tw_json_put_bool(tw_json_writer *wr, int value)
{
    return value ? put_word(wr, TW_JSON_TRUE, "true", 4)
                 : put_word(wr, TW_JSON_FALSE, "false", 5);
}

int tw_json_put_null(tw_json_writer *wr)
{
    return put_word(wr, TW_JSON_NULL, "null", 4);
}
