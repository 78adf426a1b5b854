/* SPDX-License-Identifier: MIT */
/* The strict pull reader: one pass, no tree, no recursion. */
#include <float.h>
#include <string.h>

#include <tidewheel/json.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/utf8.h"
#include "json/number.h"
#include "json/parts.h"
#include "json/scan.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NEVER_INLINE __attribute__((noinline))
#define COLD __attribute__((noinline, cold))

enum { DEEPEST = 1 << 20 };

/* What is due next. */
enum {
    VALUE,         /* a value */
    FIRST_ELEMENT, /* a value or ']' */
    FIRST_KEY,     /* a key or '}' */
    AFTER_ELEMENT, /* ',' or ']' */
    AFTER_MEMBER,  /* ',' or '}' */
    AFTER_TOP,     /* the end of the document */
    FAILED
};

struct tw_json_reader {
    const char *at;
    const char *end;
    const char *text;
    unsigned state;
    unsigned depth;
    unsigned max_depth;
    int code;         /* of the failure */
    const char *rule; /* that was broken, static */
    size_t max_bytes;
    tw_buf decoded;        /* the last string that had escapes */
    unsigned char after[]; /* by depth: the state after a value in that container */
};

/* ---- life ------------------------------------------------------------------------------ */

int tw_json_reader_new(tw_json_reader **out, unsigned max_depth, size_t max_bytes,
                       tw_error **err)
{
    tw_json_reader *rd;

    *out = NULL;
    if (max_depth == 0 || max_depth > DEEPEST)
        return tw__error(err, TW_E_INVALID, "max_depth was not between 1 and %d",
                         DEEPEST);
    rd = tw__alloc_zero(1, sizeof *rd + max_depth + 1);
    if (rd == NULL)
        return tw__error_nomem(err);
    rd->max_depth = max_depth;
    rd->max_bytes = max_bytes;
    rd->after[0] = AFTER_TOP;
    tw__buf_init(&rd->decoded, max_bytes);
    tw_json_reader_start(rd, NULL, 0);
    *out = rd;
    return TW_OK;
}

void tw_json_reader_free(tw_json_reader *rd)
{
    if (rd == NULL)
        return;
    tw__buf_clear(&rd->decoded);
    tw__free(rd);
}

static COLD int reader_fail_with(tw_json_reader *rd, const char *at, int code,
                                 const char *rule)
{
    rd->at = at;
    rd->code = code;
    rd->rule = rule;
    rd->state = FAILED;
    return code;
}

static COLD int reader_fail(tw_json_reader *rd, const char *at, const char *rule)
{
    return reader_fail_with(rd, at, TW_E_PROTOCOL,
                            at == rd->end ? "it ended too early" : rule);
}

int tw_json_reader_start(tw_json_reader *rd, const char *text, size_t size)
{
    rd->text = size != 0 ? text : "";
    rd->at = rd->text;
    rd->end = rd->text + size;
    rd->depth = 0;
    rd->state = VALUE;
    rd->code = TW_OK;
    rd->rule = NULL;
    if (size > rd->max_bytes)
        return reader_fail_with(rd, rd->text, TW_E_TOO_LARGE,
                                "it was larger than the limit");
    return TW_OK;
}

size_t tw_json_reader_offset(const tw_json_reader *rd)
{
    return (size_t)(rd->at - rd->text);
}

int tw_json_reader_error(const tw_json_reader *rd, tw_error **err)
{
    if (rd->state != FAILED)
        return tw__error(err, TW_E_INVALID, "the JSON reader had not failed");
    if (rd->code == TW_E_NOMEM)
        return tw__error_nomem(err);
    return tw__error(err, rd->code, "the JSON document was refused at byte %zu: %s",
                     tw_json_reader_offset(rd), rd->rule);
}

/* ---- strings --------------------------------------------------------------------------- */

/* The four digits after "\u"; -1 where they are not. */
static int hex4(const char *p, const char *end)
{
    int value = 0;
    int i;

    if (end - p < 4)
        return -1;
    for (i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)p[i];

        if (c >= '0' && c <= '9')
            value = value * 16 + (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value = value * 16 + ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return value;
}

static size_t utf8_put(char out[4], unsigned point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xE0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

/* The escape whose backslash is at `p`: its UTF-8 into `out`. Returns what follows it, NULL
 * when it is malformed. */
static const char *escape_read(const char *p, const char *end, char out[4], size_t *size)
{
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    const char *name;
    int point;
    int low;

    if (end - p < 2 || p[1] == '\0')
        return NULL;
    name = strchr(names, p[1]);
    if (name != NULL) {
        out[0] = bytes[name - names];
        *size = 1;
        return p + 2;
    }
    point = p[1] == 'u' ? hex4(p + 2, end) : -1;
    if (point < 0 || (point & 0xFC00) == 0xDC00)
        return NULL;
    p += 6;
    if ((point & 0xFC00) == 0xD800) { /* the second half of the pair is due */
        low = end - p >= 2 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2, end) : -1;
        if (low < 0 || (low & 0xFC00) != 0xDC00)
            return NULL;
        point = 0x10000 + ((point & 0x3FF) << 10) + (low & 0x3FF);
        p += 6;
    }
    *size = utf8_put(out, (unsigned)point);
    return p;
}

static const char rule_utf8[] = "a string was not UTF-8";
static const char rule_escape[] = "an escape was malformed or half a surrogate pair";
static const char rule_control[] = "a control character was not escaped";

/* The rest of a string from its first backslash at `p` on; `begin` is its first byte, `high`
 * nonzero where a byte above 0x7F stands between. */
static NEVER_INLINE int string_escaped(tw_json_reader *rd, const char *begin,
                                       const char *p, unsigned high, tw_json_token *token)
{
    const char *run = begin;
    char bytes[4];
    size_t size;
    size_t bad;
    int rc;

    tw__buf_reset(&rd->decoded);
    for (;;) {
        size = (size_t)(p - run);
        bad = tw__utf8_check(run, size);
        if (bad != size)
            return reader_fail(rd, run + bad, rule_utf8);
        rc = token != NULL ? tw__buf_put(&rd->decoded, run, size) : TW_OK;
        if (rc != TW_OK)
            return reader_fail_with(rd, p, rc, "a string was larger than the limit");
        if (p == rd->end || (*p != '\\' && *p != '"'))
            return reader_fail(rd, p, rule_control);
        if (*p == '"')
            break;
        run = escape_read(p, rd->end, bytes, &size);
        if (run == NULL)
            return reader_fail(rd, p, rule_escape);
        high |= (unsigned char)bytes[0] & 0x80u;
        rc = token != NULL ? tw__buf_put(&rd->decoded, bytes, size) : TW_OK;
        if (rc != TW_OK)
            return reader_fail_with(rd, p, rc, "a string was larger than the limit");
        p = tw__scan_string(run, rd->end, &high);
    }
    rd->at = p + 1;
    if (token != NULL) {
        token->text = rd->decoded.data;
        token->size = rd->decoded.size;
        token->flags = high != 0 ? 0 : TW_JSON_ASCII;
    }
    return TW_OK;
}

/* The string whose opening quote is just before `p`. With no token it is only checked. */
static ALWAYS_INLINE int string_next(tw_json_reader *rd, const char *p,
                                     tw_json_token *token)
{
    unsigned high = 0;
    const char *begin = p;

    p = tw__scan_string(p, rd->end, &high);
    if (p == rd->end || *p != '"') {
        if (p == rd->end || *p != '\\')
            return reader_fail(rd, p, rule_control);
        return string_escaped(rd, begin, p, high, token);
    }
    if (high != 0) {
        size_t size = (size_t)(p - begin);
        size_t bad = tw__utf8_check(begin, size);

        if (bad != size)
            return reader_fail(rd, begin + bad, rule_utf8);
    }
    rd->at = p + 1;
    if (token != NULL) {
        token->text = begin;
        token->size = (size_t)(p - begin);
        token->flags = high != 0 ? 0 : TW_JSON_ASCII;
    }
    return TW_OK;
}

/* ---- numbers --------------------------------------------------------------------------- */

static int is_digit(const char *p, const char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

/* A well-formed number with more digits than 64 bits hold for sure. */
static NEVER_INLINE int long_real(double *out, const char *text, const char *end,
                                  int64_t exponent)
{
    uint64_t mantissa = 0;
    int kept = 0;
    int more = 0;
    int fraction = 0;
    const char *p;

    for (p = text; p < end && (*p | 0x20) != 'e'; p++) {
        if (*p == '.') {
            fraction = 1;
        } else if (kept == 19) {
            more |= *p != '0';
            exponent += !fraction;
        } else {
            mantissa = mantissa * 10 + (uint64_t)(*p - '0');
            kept += mantissa != 0;
            exponent -= fraction;
        }
    }
    if (tw__number_decimal(out, mantissa, exponent, more))
        return TW_OK;
    return tw__number_long_real(out, text, (size_t)(end - text));
}

/* The exponent at `*at`, just behind the 'e'. Returns nonzero when it has no digit. */
static int exponent_read(const char **at, const char *end, int64_t *out)
{
    const char *p = *at;
    int64_t exponent = 0;
    int negative = 0;

    if (p < end && (*p == '+' || *p == '-'))
        negative = *p++ == '-';
    *at = p;
    if (!is_digit(p, end))
        return 1;
    /* The bound is beyond what the length of any document makes up for. */
    for (; is_digit(p, end); p++) {
        if (exponent < INT64_MAX / 20)
            exponent = exponent * 10 + (*p - '0');
    }
    *at = p;
    *out = negative ? -exponent : exponent;
    return 0;
}

/* The number at `begin` whose integer part [first, p), read as `value`, is followed by a
 * fraction or an exponent. */
static NEVER_INLINE int real_next(tw_json_reader *rd, const char *begin, const char *p,
                                  uint64_t value, tw_json_token *token)
{
    const char *end = rd->end;
    const char *first = begin + (*begin == '-');
    ptrdiff_t count = p - first;
    int64_t exponent = 0;
    int64_t shift = 0;
    double real = 0;
    int rc = TW_OK;

    if (*p == '.') {
        const char *fraction = ++p;

        for (; is_digit(p, end); p++)
            value = value * 10 + (uint64_t)(*p - '0');
        shift = p - fraction;
        if (shift == 0)
            return reader_fail(rd, p, "a fraction had no digit");
    }
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        if (exponent_read(&p, end, &exponent))
            return reader_fail(rd, p, "an exponent had no digit");
    }
    rd->at = p;
    if (token == NULL)
        return TW_OK;
    if (count + shift <= 19)
        tw__number_decimal(&real, value, exponent - shift, 0);
    else
        rc = long_real(&real, first, p, exponent);
    if (rc != TW_OK)
        return reader_fail_with(rd, begin, rc, "");
    if (real > DBL_MAX)
        return reader_fail(rd, begin, "a number was beyond the range of a double");
    token->kind = TW_JSON_REAL;
    token->flags = TW_JSON_ASCII;
    token->text = begin;
    token->size = (size_t)(p - begin);
    token->real = begin != first ? -real : real;
    return TW_OK;
}

static ALWAYS_INLINE int number_next(tw_json_reader *rd, const char *begin,
                                     tw_json_token *token)
{
    const char *end = rd->end;
    const char *first = begin + (*begin == '-');
    const char *p = first;
    uint64_t value = 0;
    uint64_t limit;

    while (is_digit(p, end))
        value = value * 10 + (uint64_t)(*p++ - '0');
    if (p == first)
        return reader_fail(rd, p, "a value was due");
    if (*first == '0' && p - first > 1)
        return reader_fail(rd, first, "a number began with 0");
    if (p < end && (*p == '.' || (*p | 0x20) == 'e'))
        return real_next(rd, begin, p, value, token);
    rd->at = p;
    if (token == NULL)
        return TW_OK;
    token->flags = TW_JSON_ASCII;
    token->text = begin;
    token->size = (size_t)(p - begin);
    limit = (uint64_t)INT64_MAX + (begin != first);
    if (p - first > 19 || value > limit) { /* 19 digits always fit 64 bits */
        token->kind = TW_JSON_BIGINT;
        return TW_OK;
    }
    token->kind = TW_JSON_INT;
    token->integer = (int64_t)(begin != first ? 0 - value : value);
    return TW_OK;
}

/* ---- structure ------------------------------------------------------------------------- */

static ALWAYS_INLINE const char *space_skip(const char *p, const char *end)
{
    while (p < end && (unsigned char)*p <= ' ' &&
           (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

static ALWAYS_INLINE int container_open(tw_json_reader *rd, const char *p, int object)
{
    if (rd->depth == rd->max_depth)
        return reader_fail(rd, p, "it was nested too deeply");
    rd->depth++;
    rd->after[rd->depth] = object ? AFTER_MEMBER : AFTER_ELEMENT;
    rd->state = object ? FIRST_KEY : FIRST_ELEMENT;
    rd->at = p + 1;
    return TW_OK;
}

static ALWAYS_INLINE int container_close(tw_json_reader *rd, const char *p,
                                         tw_json_kind kind, tw_json_token *token)
{
    rd->depth--;
    rd->state = rd->after[rd->depth];
    rd->at = p + 1;
    if (token != NULL)
        token->kind = kind;
    return TW_OK;
}

static ALWAYS_INLINE int word_next(tw_json_reader *rd, const char *p, const char *text,
                                   size_t size)
{
    if ((size_t)(rd->end - p) < size || memcmp(p, text, size) != 0)
        return reader_fail(rd, p, "a value was due");
    rd->at = p + size;
    return TW_OK;
}

/* A value at `p`, white space passed. */
static ALWAYS_INLINE int value_next(tw_json_reader *rd, const char *p,
                                    tw_json_token *token)
{
    tw_json_kind kind;
    int rc;

    if (p == rd->end)
        return reader_fail(rd, p, "");
    switch (*p) {
    case '"':
        kind = TW_JSON_STRING;
        rc = string_next(rd, p + 1, token);
        break;
    case '{':
        if (token != NULL)
            token->kind = TW_JSON_OBJECT;
        return container_open(rd, p, 1);
    case '[':
        if (token != NULL)
            token->kind = TW_JSON_ARRAY;
        return container_open(rd, p, 0);
    case 't':
        kind = TW_JSON_TRUE;
        rc = word_next(rd, p, "true", 4);
        break;
    case 'f':
        kind = TW_JSON_FALSE;
        rc = word_next(rd, p, "false", 5);
        break;
    case 'n':
        kind = TW_JSON_NULL;
        rc = word_next(rd, p, "null", 4);
        break;
    default:
        rc = number_next(rd, p, token);
        if (rc == TW_OK)
            rd->state = rd->after[rd->depth];
        return rc;
    }
    if (rc != TW_OK)
        return rc;
    rd->state = rd->after[rd->depth];
    if (token != NULL)
        token->kind = kind;
    return TW_OK;
}

/* A key at `p`, white space passed, and its colon. */
static ALWAYS_INLINE int key_next(tw_json_reader *rd, const char *p, tw_json_token *token)
{
    int rc;

    if (p == rd->end || *p != '"')
        return reader_fail(rd, p, "a key was due");
    rc = string_next(rd, p + 1, token);
    if (rc != TW_OK)
        return rc;
    p = space_skip(rd->at, rd->end);
    if (p == rd->end || *p != ':')
        return reader_fail(rd, p, "a colon was due");
    rd->at = p + 1;
    rd->state = VALUE;
    if (token != NULL)
        token->kind = TW_JSON_KEY;
    return TW_OK;
}

/* One token. Without a place for it, it is only checked. */
static ALWAYS_INLINE int step(tw_json_reader *rd, tw_json_token *token)
{
    const char *end = rd->end;
    const char *p;

    if (rd->state == FAILED)
        return rd->code;
    p = space_skip(rd->at, end);
    switch (rd->state) {
    case AFTER_MEMBER:
        if (p < end && *p == ',')
            return key_next(rd, space_skip(p + 1, end), token);
        /* fallthrough */
    case FIRST_KEY:
        if (p < end && *p == '}')
            return container_close(rd, p, TW_JSON_OBJECT_END, token);
        if (rd->state == FIRST_KEY)
            return key_next(rd, p, token);
        return reader_fail(rd, p, "a comma or '}' was due");
    case AFTER_ELEMENT:
        if (p < end && *p == ',')
            return value_next(rd, space_skip(p + 1, end), token);
        /* fallthrough */
    case FIRST_ELEMENT:
        if (p < end && *p == ']')
            return container_close(rd, p, TW_JSON_ARRAY_END, token);
        if (rd->state == FIRST_ELEMENT)
            return value_next(rd, p, token);
        return reader_fail(rd, p, "a comma or ']' was due");
    case AFTER_TOP:
        if (p < end)
            return reader_fail(rd, p, "something followed the value");
        rd->at = p;
        if (token != NULL)
            token->kind = TW_JSON_EOF;
        return TW_OK;
    default:
        return value_next(rd, p, token);
    }
}

static NEVER_INLINE int step_slow(tw_json_reader *rd, tw_json_token *token)
{
    if (token == NULL)
        return TW_E_INVALID;
    return step(rd, token);
}

/* The closing quote of a plain ASCII string that begins at `p`; NULL where it is not plain or
 * too near to the end for a whole vector. */
static ALWAYS_INLINE const char *string_quick(const char *p, const char *end)
{
#ifdef TW__SSE2
    for (; end - p > 16; p += 16) {
        unsigned found = tw__scan_16_strict(tw__scan_load(p));

        if (found != 0) {
            p += __builtin_ctz(found);
            return *p == '"' ? p : NULL;
        }
    }
#else
    (void)p;
    (void)end;
#endif
    return NULL;
}

static ALWAYS_INLINE int text_quick(tw_json_reader *rd, tw_json_token *token,
                                    tw_json_kind kind, const char *begin, const char *end)
{
    token->kind = kind;
    token->flags = TW_JSON_ASCII;
    token->text = begin;
    token->size = (size_t)(end - begin);
    rd->at = end + 1 + (kind == TW_JSON_KEY);
    rd->state = kind == TW_JSON_KEY ? VALUE : rd->after[rd->depth];
    return TW_OK;
}

/* Most tokens are nulls, plain strings and keys with no white space around; these are served
 * here without a call or a saved register. All else, errors too, is left to step(). */
int tw_json_reader_next(tw_json_reader *rd, tw_json_token *token)
{
    const char *p = rd->at;
    const char *end = rd->end;
    const char *quote;

    if (token == NULL || end - p < 2)
        return step_slow(rd, token);
    if (rd->state == AFTER_MEMBER && p[0] == ',' && p[1] == '"') {
        quote = string_quick(p + 2, end);
        if (quote != NULL && quote[1] == ':')
            return text_quick(rd, token, TW_JSON_KEY, p + 2, quote);
    } else if (rd->state == VALUE && p[0] == '"') {
        quote = string_quick(p + 1, end);
        if (quote != NULL)
            return text_quick(rd, token, TW_JSON_STRING, p + 1, quote);
    } else if (rd->state == VALUE && end - p > 4 && memcmp(p, "null", 4) == 0) {
        rd->at = p + 4;
        rd->state = rd->after[rd->depth];
        token->kind = TW_JSON_NULL;
        return TW_OK;
    }
    return step_slow(rd, token);
}

/* Passes the next value; `*begin` is its first byte. */
static int value_pass(tw_json_reader *rd, const char **begin)
{
    unsigned depth = rd->depth;
    const char *p = space_skip(rd->at, rd->end);
    int rc;

    if (rd->state == FAILED)
        return rd->code;
    if (rd->state == FIRST_KEY || rd->state == AFTER_MEMBER || rd->state == AFTER_TOP)
        return TW_E_INVALID;
    if (rd->state != VALUE && p < rd->end && *p == ']')
        return TW_DONE;
    if (rd->state == AFTER_ELEMENT && p < rd->end && *p == ',')
        p = space_skip(p + 1, rd->end);
    *begin = p;
    do {
        rc = step(rd, NULL);
    } while (rc == TW_OK && rd->depth != depth);
    return rc;
}

int tw_json_reader_skip(tw_json_reader *rd)
{
    const char *p = rd->at;
    const char *begin;

    if (rd->state == VALUE && rd->end - p > 1 && *p == '"') {
        p = string_quick(p + 1, rd->end);
        if (p != NULL) {
            rd->at = p + 1;
            rd->state = rd->after[rd->depth];
            return TW_OK;
        }
    }
    return value_pass(rd, &begin);
}

int tw_json_reader_raw(tw_json_reader *rd, const char **text, size_t *size)
{
    const char *begin = NULL;
    int rc = value_pass(rd, &begin);

    *text = rc == TW_OK ? begin : NULL;
    *size = rc == TW_OK ? (size_t)(rd->at - begin) : 0;
    return rc;
}

/* ---- numbers alone ----------------------------------------------------------------------- */

int tw__json_number(tw_json_token *token, const char *json, size_t size)
{
    union {
        tw_json_reader rd;
        unsigned char room[sizeof(tw_json_reader) + 2]; /* and after[0], after[1] */
    } one;
    tw_json_token end;
    int rc;

    if (tw__json_kind(json, size) != TW_JSON_REAL)
        return TW_DONE;
    memset(&one, 0, sizeof one);
    one.rd.max_depth = 1;
    one.rd.max_bytes = SIZE_MAX;
    one.rd.after[0] = AFTER_TOP;
    tw_json_reader_start(&one.rd, json, size);
    end.kind = TW_JSON_NULL;
    rc = tw_json_reader_next(&one.rd, token);
    /* Nothing may come behind it: the text may be anybody's. */
    if (rc == TW_OK)
        rc = tw_json_reader_next(&one.rd, &end);
    return rc == TW_OK && end.kind != TW_JSON_EOF ? TW_E_PROTOCOL : rc;
}
