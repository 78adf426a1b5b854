/* SPDX-License-Identifier: MIT */
/* Slices of a JSON text that was found valid: lookups without a tree, numbers stay exact. */
#include "json/view.h"

#include <string.h>

#include "base/error.h"
#include "json/scan.h"

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int tw__view_open(tw_view *out, const char *text, size_t size, unsigned max_depth,
                  size_t max_bytes, tw_error **err)
{
    tw_json_token token;
    tw_json_reader *rd;
    int rc = tw_json_reader_new(&rd, max_depth, max_bytes, err);

    out->text = NULL;
    out->size = 0;
    if (rc != TW_OK)
        return rc;
    rc = tw_json_reader_start(rd, text, size);
    if (rc == TW_OK)
        rc = tw_json_reader_raw(rd, &out->text, &out->size);
    if (rc == TW_OK)
        rc = tw_json_reader_next(rd, &token); /* nothing may follow */
    if (rc != TW_OK) {
        tw_json_reader_error(rd, err);
        out->text = NULL;
    }
    tw_json_reader_free(rd);
    return rc;
}

static tw_json_kind number_kind(tw_view value)
{
    size_t i;

    for (i = 0; i < value.size; i++) {
        if (value.text[i] == '.' || value.text[i] == 'e' || value.text[i] == 'E')
            return TW_JSON_REAL;
    }
    return TW_JSON_INT;
}

tw_json_kind tw__view_kind(tw_view value)
{
    if (value.text == NULL)
        return TW_JSON_NULL;
    switch (value.text[0]) {
    case '{':
        return TW_JSON_OBJECT;
    case '[':
        return TW_JSON_ARRAY;
    case '"':
        return TW_JSON_STRING;
    case 't':
        return TW_JSON_TRUE;
    case 'f':
        return TW_JSON_FALSE;
    case 'n':
        return TW_JSON_NULL;
    default:
        return number_kind(value);
    }
}

int tw__view_given(tw_view value)
{
    return tw__view_kind(value) != TW_JSON_NULL;
}

int tw__view_is_list(tw_view value)
{
    tw_json_kind kind = tw__view_kind(value);

    return kind == TW_JSON_ARRAY ||
           (kind == TW_JSON_OBJECT && tw__view_count(value) == 0);
}

/* ---- walking ------------------------------------------------------------------------- */

/* The byte after the string whose opening quote is at `p`. */
static const char *string_end(const char *p, const char *end)
{
    unsigned high = 0;

    for (p++;; p += 2) { /* over what was escaped */
        p = tw__scan_string(p, end, &high);
        if (*p == '"')
            return p + 1;
    }
}

/* The byte after the value at `p`. */
static const char *value_end(const char *p, const char *end)
{
    size_t open = 0;

    do {
        if (*p == '"') {
            p = string_end(p, end);
            continue;
        }
        if (*p == '{' || *p == '[')
            open++;
        else if (*p == '}' || *p == ']')
            open--;
        else if (open == 0) { /* a number or a word */
            while (p < end && *p != ',' && *p != '}' && *p != ']' && !is_space(*p))
                p++;
            return p;
        }
        p++;
    } while (open != 0);
    return p;
}

/* Passes white space, commas and colons: the text is valid, so only what is due stands there. */
static const char *to_next(const char *p, const char *end)
{
    while (p < end && (is_space(*p) || *p == ',' || *p == ':'))
        p++;
    return p;
}

tw_view_walk tw__view_walk(tw_view container)
{
    tw_json_kind kind = tw__view_kind(container);
    tw_view_walk walk = {NULL, NULL, kind == TW_JSON_OBJECT};

    if (kind == TW_JSON_OBJECT || kind == TW_JSON_ARRAY) {
        walk.at = container.text + 1;
        walk.end = container.text + container.size - 1;
    }
    return walk;
}

int tw__view_next(tw_view_walk *walk, tw_view *key, tw_view *value)
{
    tw_view name = {NULL, 0};

    walk->at = to_next(walk->at, walk->end);
    if (walk->at == walk->end)
        return 0;
    if (walk->is_object) {
        name.text = walk->at;
        walk->at = string_end(walk->at, walk->end);
        name.size = (size_t)(walk->at - name.text);
        walk->at = to_next(walk->at, walk->end);
    }
    value->text = walk->at;
    walk->at = value_end(walk->at, walk->end);
    value->size = (size_t)(walk->at - value->text);
    if (key != NULL)
        *key = name;
    return 1;
}

size_t tw__view_count(tw_view container)
{
    tw_view_walk walk = tw__view_walk(container);
    tw_view value;
    size_t count = 0;

    while (tw__view_next(&walk, NULL, &value))
        count++;
    return count;
}

int tw__view_pick(tw_view object, const char *const *names, tw_view *out)
{
    tw_view_walk walk = tw__view_walk(object);
    tw_view key, value;
    size_t i;
    int twice = -1;

    for (i = 0; names[i] != NULL; i++)
        memset(&out[i], 0, sizeof out[i]);
    if (!walk.is_object)
        return -1;
    while (tw__view_next(&walk, &key, &value)) {
        for (i = 0; names[i] != NULL && !tw__view_is(key, names[i]); i++)
            continue;
        if (names[i] == NULL)
            continue;
        if (out[i].text != NULL)
            twice = (int)i;
        out[i] = value;
    }
    return twice;
}

tw_view tw__view_member(tw_view object, const char *name)
{
    const char *const names[] = {name, NULL};
    tw_view value = {NULL, 0};

    if (tw__view_pick(object, names, &value) >= 0)
        value.text = NULL;
    return value;
}

/* ---- strings ------------------------------------------------------------------------- */

static unsigned hex4(const char *p)
{
    unsigned value = 0;
    int i;

    for (i = 0; i < 4; i++) {
        unsigned c = (unsigned char)p[i];

        value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

static size_t utf8_put(char *out, unsigned c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* One escape at `*at` (its backslash) as UTF-8 into `out`; moves on and returns the bytes. */
static size_t escape_read(const char **at, char out[4])
{
    static const char letters[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    const char *p = *at + 1;
    unsigned c;
    size_t i;

    if (*p != 'u') {
        *at = p + 1;
        for (i = 0; letters[i] != *p; i += 2)
            continue;
        out[0] = letters[i + 1];
        return 1;
    }
    c = hex4(p + 1);
    p += 5;
    if (c >= 0xD800 && c < 0xDC00) { /* its other half follows: the text is valid */
        c = 0x10000 + ((c - 0xD800) << 10) + (hex4(p + 2) - 0xDC00);
        p += 6;
    }
    *at = p;
    return utf8_put(out, c);
}

int tw__view_is(tw_view string, const char *text)
{
    const char *p = string.text;
    const char *end;
    size_t size = strlen(text);

    if (tw__view_kind(string) != TW_JSON_STRING)
        return 0;
    end = p + string.size - 1;
    p++;
    if ((size_t)(end - p) == size && memcmp(p, text, size) == 0)
        return memchr(p, '\\', size) == NULL;
    if (memchr(p, '\\', (size_t)(end - p)) == NULL)
        return 0;
    while (p < end) {
        char one[4];
        size_t n = 1;

        if (*p == '\\')
            n = escape_read(&p, one);
        else
            one[0] = *p++;
        if (n > size || memcmp(one, text, n) != 0)
            return 0;
        text += n;
        size -= n;
    }
    return size == 0;
}

int tw__view_text(tw_buf *out, tw_view string)
{
    const char *p = string.text;
    const char *end;
    int rc = TW_OK;

    if (tw__view_kind(string) != TW_JSON_STRING)
        return TW_OK;
    end = p + string.size - 1;
    p++;
    while (rc == TW_OK && p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash != NULL ? slash : end) - p);

        rc = tw__buf_put(out, p, plain);
        p += plain;
        if (rc == TW_OK && p < end) {
            char one[4];
            size_t n = escape_read(&p, one);

            rc = tw__buf_put(out, one, n);
        }
    }
    return rc;
}

/* ---- numbers ------------------------------------------------------------------------- */

int tw__view_int(tw_view number, int64_t *out)
{
    uint64_t value = 0;
    uint64_t most = INT64_MAX;
    size_t i = 0;

    if (tw__view_kind(number) != TW_JSON_INT)
        return 0;
    if (number.text[0] == '-') {
        most++;
        i = 1;
    }
    for (; i < number.size; i++) {
        unsigned digit = (unsigned)(number.text[i] - '0');

        if (value > (most - digit) / 10)
            return 0;
        value = value * 10 + digit;
    }
    *out = (int64_t)(number.text[0] == '-' ? 0 - value : value);
    return 1;
}

static int is_number(tw_view value)
{
    tw_json_kind kind = tw__view_kind(value);

    return kind == TW_JSON_INT || kind == TW_JSON_REAL;
}

int tw__view_zero(tw_view number)
{
    size_t i;

    if (!is_number(number))
        return 0;
    for (i = 0; i < number.size; i++) {
        if (number.text[i] == 'e' || number.text[i] == 'E')
            break; /* whatever the power is */
        if (number.text[i] >= '1' && number.text[i] <= '9')
            return 0;
    }
    return 1;
}

int tw__view_negative(tw_view number)
{
    return is_number(number) && number.text[0] == '-' && !tw__view_zero(number);
}

/* ---- writing ------------------------------------------------------------------------- */

int tw__view_put(tw_buf *out, tw_view value)
{
    return value.text != NULL ? tw__buf_put(out, value.text, value.size)
                              : tw__buf_puts(out, "null");
}
