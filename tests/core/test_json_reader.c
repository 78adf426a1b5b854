/* SPDX-License-Identifier: MIT */
/* The strict reader: what is accepted, what is refused, and that nothing in between exists. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tidewheel/error.h>
#include <tidewheel/json.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "support/oom.h"
#include "json/parts.h"

enum { DEPTH = 64, MAX_BYTES = 1 << 24 };

static tw_json_reader *reader_new(unsigned depth)
{
    tw_json_reader *rd;

    assert_int_equal(tw_json_reader_new(&rd, depth, MAX_BYTES, NULL), TW_OK);
    return rd;
}

/* Reads the whole document; the code it ended with. The text is copied to a block of its very
 * size, so that a sanitizer sees a read past it. */
static int read_all(tw_json_reader *rd, const char *text, size_t size)
{
    tw_json_token token = {.kind = TW_JSON_NULL};
    char *copy = malloc(size != 0 ? size : 1);
    int rc;

    assert_non_null(copy);
    if (size != 0)
        memcpy(copy, text, size);
    rc = tw_json_reader_start(rd, copy, size);
    while (rc == TW_OK && token.kind != TW_JSON_EOF) {
        rc = tw_json_reader_next(rd, &token);
        if (rc != TW_OK)
            break;
        assert_true(tw_json_reader_offset(rd) <= size);
        if (token.kind == TW_JSON_STRING || token.kind == TW_JSON_KEY) {
            size_t i;
            int ascii = 1;

            assert_int_equal(tw__utf8_check(token.text, token.size), token.size);
            for (i = 0; i < token.size; i++)
                ascii &= ((unsigned char)token.text[i] & 0x80) == 0;
            assert_int_equal((token.flags & TW_JSON_ASCII) != 0, ascii);
        }
    }
    if (rc != TW_OK) { /* a failed reader stays failed and says why */
        tw_error *err = NULL;

        assert_int_equal(tw_json_reader_next(rd, &token), rc);
        assert_int_equal(tw_json_reader_skip(rd), rc);
        assert_int_equal(tw_json_reader_error(rd, &err), rc);
        assert_int_equal(tw_error_code(err), rc);
        assert_true(tw_error_message(err)[0] != '\0');
        tw_error_free(err);
    }
    free(copy);
    return rc;
}

/* The same by one skip of the whole value. */
static int skip_all(tw_json_reader *rd, const char *text, size_t size)
{
    tw_json_token token;
    int rc = tw_json_reader_start(rd, text, size);

    if (rc == TW_OK)
        rc = tw_json_reader_skip(rd);
    if (rc == TW_OK)
        rc = tw_json_reader_next(rd, &token);
    if (rc == TW_OK)
        assert_int_equal(token.kind, TW_JSON_EOF);
    return rc;
}

typedef struct text {
    const char *bytes;
    size_t size;
} text;

#define T(literal)                     \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

static const text accepted[] = {
    T("null"),
    T("true"),
    T("false"),
    T("0"),
    T("-0"),
    T("-1"),
    T("\"\""),
    T("[]"),
    T("{}"),
    T(" \t\r\n[ \t\r\n] \t\r\n"),
    T(" { } "),
    T("{ \"a\" : 1 , \"b\" : [ ] }"),
    T("[1,2,3]"),
    T("[[],{},[[]],{\"a\":{}}]"),
    T("{\"\":0}"),
    T("{\"a\":1,\"a\":2}"),
    T("{\"a\\u0000b\":1}"),
    T("[0.0,-0.0,0e1,0E1,0e+1,0e-1,0.5e00]"),
    T("[1e1,1E22,1.5e-5,123.456e+78]"),
    T("[1e-400,0e999999999999999999999,1e-99999999999999999999]"),
    T("[12345678901234567890123456789012345678901234567890]"),
    T("[-12345678901234567890123456789012345678901234567890]"),
    T("[0.10000000000000000000000000000000000000000000000000001]"),
    T("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
    T("[\"\\u0000\\u001f\\u0020\\u007F\\u00e9\\u20AC\\uffff\"]"),
    T("[\"\\uD83D\\uDE00\\ud800\\udc00\\uDBFF\\uDFFF\"]"),
    T("[\"\x7f\"]"),
    T("[\"/\"]"),
    T("[\"\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF\"]"),
    T("[\"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\"]"),
    T("[\"\xE2\x80\xA8\xE2\x80\xA9\xEF\xBB\xBF\"]"),
    T("\"a string of more than sixteen bytes\""),
    T("\"fifteen bytes..\""),
    T("{\"a key of more than sixteen bytes\":\"\\n and an escape after it\"}"),
};

static const text refused[] = {
    /* nothing, or not a value */
    T(""),
    T(" "),
    T("\xEF\xBB\xBF{}"),
    T("\xFE\xFF"),
    T("nul"),
    T("nulL"),
    T("nullx"),
    T("True"),
    T("NaN"),
    T("Infinity"),
    T("-Infinity"),
    T("undefined"),
    T("a"),
    T("'a'"),
    T("*"),
    T("\0"),
    T("null\0"),
    T("\x0c[]"),
    T("[]\x0b"),
    T("\xC2\xA0[]"),
    T("\xE2\x81\xA0[]"),
    T("// comment\n1"),
    T("1/**/"),
    T("#\n1"),
    /* more than one value */
    T("1 2"),
    T("[][]"),
    T("{}{}"),
    T("[]]"),
    T("{}}"),
    T("[],"),
    T("null,"),
    T("\"a\" x"),
    /* arrays */
    T("["),
    T("]"),
    T("[1"),
    T("[1,"),
    T("[1,]"),
    T("[,]"),
    T("[,1]"),
    T("[1,,2]"),
    T("[1 2]"),
    T("[1:2]"),
    T("[1;2]"),
    T("[1}"),
    T("[a"),
    T("[x]"),
    T("[\"a\"\"b\"]"),
    T("[\"a\":1]"),
    T("[[]"),
    T("[}"),
    T("(1)"),
    T("[...]"),
    /* objects */
    T("{"),
    T("}"),
    T("{]"),
    T("{\"a\""),
    T("{\"a\"}"),
    T("{\"a\":"),
    T("{\"a\":}"),
    T("{\"a\":1"),
    T("{\"a\":1]"),
    T("{\"a\":1,"),
    T("{\"a\":1,}"),
    T("{,}"),
    T("{,\"a\":1}"),
    T("{\"a\":1,,\"b\":2}"),
    T("{\"a\":1 \"b\":2}"),
    T("{\"a\" 1}"),
    T("{\"a\"::1}"),
    T("{\"a\",1}"),
    T("{\"a\"=1}"),
    T("{a:1}"),
    T("{'a':1}"),
    T("{1:1}"),
    T("{null:1}"),
    T("{[]:1}"),
    T("{\"a\":1:2}"),
    T("{\"a\":\"b\"\"c\"}"),
    /* numbers */
    T("-"),
    T("+"),
    T("+1"),
    T("--1"),
    T("- 1"),
    T("-a"),
    T("00"),
    T("01"),
    T("-01"),
    T("-00"),
    T("012.5"),
    T("1."),
    T("1.e1"),
    T("-1."),
    T(".5"),
    T("-.5"),
    T("1.5."),
    T("1..5"),
    T("1e"),
    T("1E"),
    T("1e+"),
    T("1e-"),
    T("1e1.5"),
    T("1ee1"),
    T("1e1e1"),
    T("0e"),
    T("0x10"),
    T("1_000"),
    T("1,000"),
    T("1 000"),
    T("1a"),
    T("1f"),
    T("1L"),
    T("0b1"),
    T("\xEF\xBC\x91"), /* full-width 1 */
    T("[1\xE5]"),
    T("1.\xEF\xBC\x91"),
    /* strings */
    T("\""),
    T("\"a"),
    T("\"\\"),
    T("\"\\\""),
    T("\"\\a\""),
    T("\"\\x41\""),
    T("\"\\0\""),
    T("\"\\'\""),
    T("\"\\\n\""),
    T("\"\\\0\""),
    T("\"\\U0041\""),
    T("\"\\u\""),
    T("\"\\u0\""),
    T("\"\\u00\""),
    T("\"\\u004\""),
    T("\"\\u004"),
    T("\"\\u00g1\""),
    T("\"\\u 041\""),
    T("\"\\u+041\""),
    T("\"\n\""),
    T("\"\t\""),
    T("\"\x1f\""),
    T("\"\0\""),
    T("\"a string of more than sixteen\nbytes\""),
    T("\"\xF0\x9F\x98\x80\x01\""),
    T("\"\\\xF0\x9F\x98\x80\""),
    /* half pairs */
    T("\"\\ud800\""),
    T("\"\\udc00\""),
    T("\"\\ud800\\ud800\""),
    T("\"\\ud800\\u0041\""),
    T("\"\\udc00\\ud800\""),
    T("\"\\ud800x\\udc00\""),
    T("\"\\ud800\\"),
    T("\"\\ud800\\udc0"),
    T("\"\\uD83D\\\\uDE00\""),
    /* not UTF-8 */
    T("\"\x80\""),
    T("\"\xBF\""),
    T("\"\xC0\x80\""),
    T("\"\xC1\xBF\""),
    T("\"\xC2\""),
    T("\"\xE0\x80\x80\""),
    T("\"\xE0\x9F\xBF\""),
    T("\"\xE2\x82\""),
    T("\"\xED\xA0\x80\""),
    T("\"\xED\xBF\xBF\""),
    T("\"\xF0\x80\x80\x80\""),
    T("\"\xF0\x8F\xBF\xBF\""),
    T("\"\xF0\x9F\x98\""),
    T("\"\xF4\x90\x80\x80\""),
    T("\"\xF5\x80\x80\x80\""),
    T("\"\xFF\""),
    T("\"\xE9t\xE9\""),
    T("\"plain, then sixteen and more: \xFF\""),
    T("\"\\n\xFF\""),
    T("\"\xFF\\n\""),
    T("\"\xC3\\n\xA9\""),
    T("{\"\xFF\":1}"),
    T("[\xFF]"),
};

/* Both ways, and again with white space behind it: the quick ways through a string keep away
 * from a document's last bytes. */
static void assert_document(tw_json_reader *rd, const char *doc, size_t size,
                            int expected)
{
    char padded[512];

    assert_true(size <= sizeof padded - 40);
    memcpy(padded, doc, size);
    memset(padded + size, ' ', 40);
    if (read_all(rd, doc, size) != expected || skip_all(rd, doc, size) != expected ||
        read_all(rd, padded, size + 40) != expected ||
        skip_all(rd, padded, size + 40) != expected)
        fail_msg("%s: %.*s", expected == TW_OK ? "refused" : "accepted", (int)size, doc);
}

static void documents_are_accepted_or_refused(void **unused)
{
    tw_json_reader *rd = reader_new(DEPTH);
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof accepted / sizeof *accepted; i++)
        assert_document(rd, accepted[i].bytes, accepted[i].size, TW_OK);
    for (i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_document(rd, refused[i].bytes, refused[i].size, TW_E_PROTOCOL);
    tw_json_reader_free(rd);
}

/* A string reaches the vector loops, their tails and each byte of them. */
static void every_byte_is_judged_at_every_place_of_a_string(void **unused)
{
    tw_json_reader *rd = reader_new(DEPTH);
    char doc[52];
    size_t size;
    size_t at;
    int c;

    (void)unused;
    for (size = 3; size <= sizeof doc; size++) {
        for (at = 1; at < size - 1; at++) {
            for (c = 0; c < 256; c += c < 0x24 || (c > 0x58 && c < 0x60) ? 1 : 7) {
                int fine = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';

                memset(doc, 'x', size);
                doc[0] = doc[size - 1] = '"';
                doc[at] = (char)c;
                /* an escape of a quote or of an x, or a quote in the middle: no value */
                assert_document(rd, doc, size, fine ? TW_OK : TW_E_PROTOCOL);
            }
        }
    }
    tw_json_reader_free(rd);
}

static const char sample[] =
    "{\"event_type\":\"Song Played\",\"time\":1700000000123,\"price\":-19.99e+0,"
    "\"note\":\"caf\xC3\xA9 \\u00e9\\n\\ud83d\\ude00 \xF0\x9F\x98\x80 long enough for vectors\","
    "\"ids\":[1,-2,3.5,true,false,null,[],{},\"\"],\"deep\":{\"a\":{\"b\":[{\"c\":[[]]}]}}}";

static void no_truncated_document_is_accepted(void **unused)
{
    tw_json_reader *rd = reader_new(DEPTH);
    size_t size = sizeof sample - 1;
    size_t cut;

    (void)unused;
    assert_int_equal(read_all(rd, sample, size), TW_OK);
    for (cut = 0; cut < size; cut++) {
        assert_int_equal(read_all(rd, sample, cut), TW_E_PROTOCOL);
        assert_int_equal(skip_all(rd, sample, cut), TW_E_PROTOCOL);
        assert_int_equal(tw_json_reader_offset(rd) <= cut, 1);
    }
    tw_json_reader_free(rd);
}

/* One byte changed: reading and skipping agree, and neither touches what is not its own. */
static void reading_and_skipping_agree_on_damage(void **unused)
{
    static const char damage[] = "\"\\{}[],:0e.- \x01\x80\xC3\xFFx";
    tw_json_reader *rd = reader_new(DEPTH);
    char doc[sizeof sample];
    size_t size = sizeof sample - 1;
    size_t at;
    size_t i;

    (void)unused;
    for (at = 0; at < size; at++) {
        for (i = 0; i < sizeof damage - 1; i++) {
            memcpy(doc, sample, size);
            doc[at] = damage[i];
            assert_document(rd, doc, size, read_all(rd, doc, size));
        }
    }
    tw_json_reader_free(rd);
}

static tw_json_token only_token(tw_json_reader *rd, const char *doc)
{
    tw_json_token token;
    tw_json_token end;

    assert_int_equal(tw_json_reader_start(rd, doc, strlen(doc)), TW_OK);
    if (tw_json_reader_next(rd, &token) != TW_OK)
        fail_msg("refused: %s", doc);
    assert_int_equal(tw_json_reader_next(rd, &end), TW_OK);
    assert_int_equal(end.kind, TW_JSON_EOF);
    return token;
}

static void integers_are_exact(void **unused)
{
    static const struct {
        const char *doc;
        tw_json_kind kind;
        int64_t value;
    } cases[] = {
        {"0", TW_JSON_INT, 0},
        {"-0", TW_JSON_INT, 0},
        {"7", TW_JSON_INT, 7},
        {"12345678", TW_JSON_INT, 12345678},
        {"-1700000000123", TW_JSON_INT, -1700000000123},
        {"9007199254740991", TW_JSON_INT, 9007199254740991},
        {"9007199254740993", TW_JSON_INT, 9007199254740993},
        {"-9007199254740993", TW_JSON_INT, -9007199254740993},
        {"999999999999999999", TW_JSON_INT, 999999999999999999},
        {"9223372036854775807", TW_JSON_INT, INT64_MAX},
        {"-9223372036854775808", TW_JSON_INT, INT64_MIN},
        {"9223372036854775808", TW_JSON_BIGINT, 0},
        {"-9223372036854775809", TW_JSON_BIGINT, 0},
        {"9999999999999999999", TW_JSON_BIGINT, 0},
        {"18446744073709551616", TW_JSON_BIGINT, 0},
        {"18446744073709551623", TW_JSON_BIGINT, 0},
        {"-18446744073709551616000000", TW_JSON_BIGINT, 0},
    };
    tw_json_reader *rd = reader_new(DEPTH);
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        tw_json_token token = only_token(rd, cases[i].doc);

        assert_int_equal(token.kind, cases[i].kind);
        assert_int_equal(token.size, strlen(cases[i].doc));
        assert_memory_equal(token.text, cases[i].doc, token.size);
        if (token.kind == TW_JSON_INT)
            assert_true(token.integer == cases[i].value);
    }
    tw_json_reader_free(rd);
}

static void reals_are_correctly_rounded(void **unused)
{
    static const char *const docs[] = {
        "0.0",
        "1.0",
        "0.1",
        "19.99",
        "1e22",
        "1e23",
        "123456.789e3",
        "0.000001",
        "5e-324",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "9007199254740993.0",
        "9007199254740992.999999999999",
        "9007199254740993.0000000000000000000000000000000000001",
        "1e-400",
        "1e-99999999999999",
        "123456789012345678901234567890.0e-20",
        "0.00000000000000000000000000000000000000001e40",
        "1000000000000000000000000000000000000000000e-42",
        "0.1e1",
        "1E+2",
        "3.0000000000000000000",
        "6929495644600919.5",
        "3.7455744005952583e15",
        "0e99999999999999999999",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
    };
    tw_json_reader *rd = reader_new(DEPTH);
    char negative[128];
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof docs / sizeof *docs; i++) {
        tw_json_token token = only_token(rd, docs[i]);

        assert_int_equal(token.kind, TW_JSON_REAL);
        if (token.real != strtod(docs[i], NULL))
            fail_msg("%s was read as %.17g", docs[i], token.real);
        snprintf(negative, sizeof negative, "-%s", docs[i]);
        token = only_token(rd, negative);
        assert_true(token.real == strtod(negative, NULL));
        assert_true(signbit(token.real) != 0);
        assert_int_equal(token.size, strlen(negative));
    }
    tw_json_reader_free(rd);
}

static void reals_out_of_range_are_refused(void **unused)
{
    static const char *const docs[] = {"1e400",
                                       "-1e400",
                                       "1e309",
                                       "1.7976931348623159e308",
                                       "1e99999999999999999999999",
                                       "17976931348623159000000000000000000000e272"};
    tw_json_reader *rd = reader_new(DEPTH);
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof docs / sizeof *docs; i++) {
        assert_int_equal(read_all(rd, docs[i], strlen(docs[i])), TW_E_PROTOCOL);
        assert_int_equal(skip_all(rd, docs[i], strlen(docs[i])), TW_OK);
    }
    tw_json_reader_free(rd);
}

static void strings_are_decoded(void **unused)
{
    static const struct {
        const char *doc;
        const char *value;
        size_t size;
    } cases[] = {
        {"\"\"", "", 0},
        {"\"plain\"", "plain", 5},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
        {"\"a\\u0000b\"", "a\0b", 3},
        {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
         "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF", 11},
        {"\"\\ud800\\udc00\\uDBFF\\uDFFF\"", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8},
        {"\"\xC3\xA9\\n\xE2\x82\xAC\"", "\xC3\xA9\n\xE2\x82\xAC", 6},
        {"\"sixteen bytes and\\tmore of them, twice\"",
         "sixteen bytes and\tmore of them, twice", 37},
    };
    tw_json_reader *rd = reader_new(DEPTH);
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        tw_json_token token;

        assert_int_equal(tw_json_reader_start(rd, cases[i].doc, strlen(cases[i].doc)),
                         TW_OK);
        assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
        assert_int_equal(token.kind, TW_JSON_STRING);
        assert_int_equal(token.size, cases[i].size);
        assert_memory_equal(token.text, cases[i].value, token.size);
    }
    tw_json_reader_free(rd);
}

static void duplicate_keys_are_all_handed_out(void **unused)
{
    static const char doc[] = "{\"a\":1,\"a\":2}";
    tw_json_reader *rd = reader_new(DEPTH);
    tw_json_token token;
    int64_t value;

    (void)unused;
    tw_json_reader_start(rd, doc, sizeof doc - 1);
    assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
    for (value = 1; value <= 2; value++) {
        assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
        assert_int_equal(token.kind, TW_JSON_KEY);
        assert_memory_equal(token.text, "a", 1);
        assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
        assert_int_equal(token.integer, value);
    }
    tw_json_reader_free(rd);
}

static void depth_is_limited_without_recursion(void **unused)
{
    enum { HUGE_DEPTH = 1000000 };
    tw_json_reader *rd = reader_new(40);
    char *doc = malloc(2 * HUGE_DEPTH);
    int depth;

    (void)unused;
    assert_non_null(doc);
    for (depth = 39; depth <= 41; depth++) {
        memset(doc, '[', (size_t)depth);
        memset(doc + depth, ']', (size_t)depth);
        assert_int_equal(read_all(rd, doc, 2 * (size_t)depth),
                         depth <= 40 ? TW_OK : TW_E_PROTOCOL);
        assert_int_equal(skip_all(rd, doc, 2 * (size_t)depth),
                         depth <= 40 ? TW_OK : TW_E_PROTOCOL);
    }
    memset(doc, '[', HUGE_DEPTH);
    assert_int_equal(read_all(rd, doc, HUGE_DEPTH), TW_E_PROTOCOL);
    tw_json_reader_free(rd);

    memset(doc + HUGE_DEPTH, ']', HUGE_DEPTH);
    rd = reader_new(HUGE_DEPTH);
    assert_int_equal(read_all(rd, doc, 2 * HUGE_DEPTH), TW_OK);
    assert_int_equal(skip_all(rd, doc, 2 * HUGE_DEPTH), TW_OK);
    assert_int_equal(read_all(rd, doc, 2 * HUGE_DEPTH - 1), TW_E_PROTOCOL);
    tw_json_reader_free(rd);
    free(doc);
}

static void size_is_limited(void **unused)
{
    tw_json_reader *rd;
    tw_error *err = NULL;

    (void)unused;
    assert_int_equal(tw_json_reader_new(&rd, DEPTH, 5, NULL), TW_OK);
    assert_int_equal(read_all(rd, "[123]", 5), TW_OK);
    assert_int_equal(read_all(rd, "[123] ", 6), TW_E_TOO_LARGE);
    assert_int_equal(read_all(rd, "[123]", 5), TW_OK);
    tw_json_reader_free(rd);
    assert_int_equal(tw_json_reader_new(&rd, 0, 5, &err), TW_E_INVALID);
    assert_null(rd);
    tw_error_free(err);
    tw_json_reader_free(NULL);
}

static void assert_raw(tw_json_reader *rd, const char *expected)
{
    const char *raw;
    size_t size;

    assert_int_equal(tw_json_reader_raw(rd, &raw, &size), TW_OK);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(raw, expected, size);
}

static void assert_kind(tw_json_reader *rd, tw_json_kind kind)
{
    tw_json_token token;

    assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
    assert_int_equal(token.kind, kind);
}

static void values_are_skipped_and_handed_out_raw(void **unused)
{
    static const char doc[] =
        " { \"a\" : { \"x\" : [ 1 , \"]}\" ] } , \"b\":[ 1 ,[2], \"\\n\" ] ,"
        "\"c\":1e999,\"d\":[]} ";
    tw_json_reader *rd = reader_new(DEPTH);

    (void)unused;
    tw_json_reader_start(rd, doc, sizeof doc - 1);
    assert_kind(rd, TW_JSON_OBJECT);
    assert_int_equal(tw_json_reader_skip(rd),
                     TW_E_INVALID); /* a key is due; no harm done */
    assert_kind(rd, TW_JSON_KEY);
    assert_raw(rd, "{ \"x\" : [ 1 , \"]}\" ] }");
    assert_int_equal(tw_json_reader_skip(rd), TW_E_INVALID);
    assert_kind(rd, TW_JSON_KEY);
    assert_kind(rd, TW_JSON_ARRAY);
    assert_int_equal(tw_json_reader_skip(rd), TW_OK);
    assert_raw(rd, "[2]");
    assert_raw(rd, "\"\\n\"");
    assert_int_equal(tw_json_reader_skip(rd), TW_DONE);
    assert_int_equal(tw_json_reader_skip(rd), TW_DONE);
    assert_kind(rd, TW_JSON_ARRAY_END);
    assert_kind(rd, TW_JSON_KEY);
    assert_raw(rd, "1e999");
    assert_kind(rd, TW_JSON_KEY);
    assert_kind(rd, TW_JSON_ARRAY);
    assert_int_equal(tw_json_reader_skip(rd), TW_DONE);
    assert_kind(rd, TW_JSON_ARRAY_END);
    assert_kind(rd, TW_JSON_OBJECT_END);
    assert_int_equal(tw_json_reader_skip(rd), TW_E_INVALID);
    assert_kind(rd, TW_JSON_EOF);
    assert_kind(rd, TW_JSON_EOF);

    tw_json_reader_start(rd, doc, sizeof doc - 1);
    assert_int_equal(tw_json_reader_skip(rd), TW_OK);
    assert_kind(rd, TW_JSON_EOF);
    tw_json_reader_free(rd);
}

static void skipping_in_a_broken_array_fails(void **unused)
{
    static const char *const docs[] = {"[1", "[1,", "[1,]", "[1 2]", "[1,2", "[1}"};
    tw_json_reader *rd = reader_new(DEPTH);
    size_t i;

    (void)unused;
    for (i = 0; i < sizeof docs / sizeof *docs; i++) {
        int rc;

        tw_json_reader_start(rd, docs[i], strlen(docs[i]));
        assert_kind(rd, TW_JSON_ARRAY);
        do {
            rc = tw_json_reader_skip(rd);
        } while (rc == TW_OK);
        assert_int_equal(rc, TW_E_PROTOCOL);
    }
    tw_json_reader_free(rd);
}

static void errors_name_the_rule_and_the_byte(void **unused)
{
    tw_json_reader *rd = reader_new(DEPTH);
    tw_error *err = NULL;
    tw_json_token token;

    (void)unused;
    assert_int_equal(tw_json_reader_error(rd, &err), TW_E_INVALID);
    tw_json_reader_start(rd, "[1,]", 4);
    while (tw_json_reader_next(rd, &token) == TW_OK)
        ;
    assert_int_equal(tw_json_reader_error(rd, &err), TW_E_PROTOCOL);
    assert_string_equal(tw_error_message(err),
                        "the JSON document was refused at byte 3: a value was due");
    tw_error_free(err);
    assert_int_equal(tw_json_reader_next(rd, NULL), TW_E_INVALID);
    tw_json_reader_free(rd);
}

static void failing_memory_is_reported(void **unused)
{
    static const char doc[] =
        "[\"an escape needs\\nroom\",1.00000000000000011102230246251565404]";
    long at;
    long held;
    int refused_one = 1;

    (void)unused;
    for (at = 0; refused_one; at++) {
        tw_json_reader *rd;
        int rc;

        oom_begin(at);
        rc = tw_json_reader_new(&rd, DEPTH, MAX_BYTES, NULL);
        if (rc == TW_OK)
            rc = read_all(rd, doc, sizeof doc - 1);
        tw_json_reader_free(rd);
        refused_one = oom_end(&held);
        assert_int_equal(rc, refused_one ? TW_E_NOMEM : TW_OK);
        assert_int_equal(held, 0);
    }
    assert_true(at > 2);
}

/* A number that is one, and what is none: never because there was no memory. */
static void a_number_is_read_without_memory(void **state)
{
    static const struct {
        const char *json;
        int is_int, is_real;
        double value;
    } rows[] = {
        {"7", 1, 1, 7},
        {"-9223372036854775808", 1, 1, -9223372036854775808.0},
        {"9223372036854775808", 0, 0, 0},
        {"1.5e3", 0, 1, 1500},
        {"0.1234567890123456789012345", 0, 1, 0.1234567890123456789012345},
        {" 7 ", 1, 1, 7},
        {"7 8", 0, 0, 0},
        {"7,", 0, 0, 0},
        {"07", 0, 0, 0},
        {"1e999", 0, 0, 0},
        {"-", 0, 0, 0},
        {"", 0, 0, 0},
        {"true", 0, 0, 0},
        {"\"7\"", 0, 0, 0},
        {"[7]", 0, 0, 0},
        {"x", 0, 0, 0},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = strlen(rows[i].json);
        int64_t whole = 0;
        double real = 0;
        int is_int, is_real;
        long held;

        oom_begin(0);
        is_int = tw__json_int(&whole, rows[i].json, size);
        is_real = tw__json_real(&real, rows[i].json, size);
        oom_end(&held);
        print_message("%s\n", rows[i].json);
        assert_int_equal(is_int, rows[i].is_int);
        assert_int_equal(is_real, rows[i].is_real);
        assert_true(real == rows[i].value);
        assert_true(!is_int || (double)whole == real);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_accepted_or_refused),
        cmocka_unit_test(every_byte_is_judged_at_every_place_of_a_string),
        cmocka_unit_test(no_truncated_document_is_accepted),
        cmocka_unit_test(reading_and_skipping_agree_on_damage),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(reals_are_correctly_rounded),
        cmocka_unit_test(reals_out_of_range_are_refused),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(duplicate_keys_are_all_handed_out),
        cmocka_unit_test(depth_is_limited_without_recursion),
        cmocka_unit_test(size_is_limited),
        cmocka_unit_test(values_are_skipped_and_handed_out_raw),
        cmocka_unit_test(skipping_in_a_broken_array_fails),
        cmocka_unit_test(errors_name_the_rule_and_the_byte),
        cmocka_unit_test(failing_memory_is_reported),
        cmocka_unit_test(a_number_is_read_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
