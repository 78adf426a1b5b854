/* SPDX-License-Identifier: MIT */
/* Export archives: every form, every split, every cut, every damaged byte, every lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef TW_TEST_HAVE_LIBARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif

#include "base/alloc.h"
#include "base/error.h"
#include "export/archive.h"
#include "export/zip.h"
#include "support/zipmaker.h"

/* ---- reading ----------------------------------------------------------------------- */

typedef struct reading {
    bytes text;
    int full; /* says "not ready" before every block but the first few calls */
    int asked;
    char message[256];
} reading;

static int reading_emit(void *ctx, char *data, size_t size)
{
    reading *rd = ctx;

    bytes_put(&rd->text, data, size);
    tw__free(data);
    return TW_OK;
}

static int reading_ready(void *ctx)
{
    reading *rd = ctx;

    return !rd->full || rd->asked++ % 3 == 2;
}

static const tw_archive_sink reading_sink = {reading_emit, reading_ready};

static int read_with(reading *rd, const bytes *zip, size_t step,
                     const tw_archive_options *options)
{
    tw_archive *ar;
    size_t at = 0;
    int rc = TW_OK;

    rd->text.size = 0;
    rd->message[0] = '\0';
    assert_int_equal(tw__archive_new(&ar, options, &reading_sink, rd), TW_OK);
    while (rc == TW_AGAIN || (rc == TW_OK && at < zip->size)) {
        size_t n = zip->size - at < step ? zip->size - at : step;
        size_t used;

        rc = tw__archive_feed(ar, zip->data + at, n, &used);
        assert_true(used <= n);
        assert_true(rc != TW_OK || used == n);
        at += used;
    }
    if (rc == TW_OK)
        rc = tw__archive_finish(ar);
    if (rc != TW_OK) {
        tw_error *err = NULL;

        assert_int_equal(tw__archive_error(ar, &err), rc);
        snprintf(rd->message, sizeof rd->message, "%s", tw_error_message(err));
        tw_error_free(err);
    }
    tw__archive_free(ar);
    return rc;
}

static int read_zip(reading *rd, const bytes *zip, size_t step)
{
    tw_archive_options options = TW_ARCHIVE_OPTIONS_INIT;

    options.block_bytes = 256; /* small: blocks end everywhere */
    return read_with(rd, zip, step, &options);
}

static void reading_clear(reading *rd)
{
    bytes_clear(&rd->text);
}

static void assert_refused(const bytes *zip, const char *why)
{
    reading rd = {0};
    int rc = read_zip(&rd, zip, 7);

    assert_true(rc == TW_E_PROTOCOL || rc == TW_E_TOO_LARGE);
    if (strstr(rd.message, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", rd.message, why);
    reading_clear(&rd);
}

/* ---- archives ---------------------------------------------------------------------- */

static const char line[] = "{\"event_type\":\"a\",\"uuid\":\"%08x-19b4-4af1\"}\n";

static void lines_of(bytes *out, unsigned from, unsigned count)
{
    char text[128];

    for (; count > 0; count--, from++) {
        snprintf(text, sizeof text, line, from * 2654435761u);
        bytes_put(out, text, strlen(text));
    }
}

/* A member of gzip; `units` gzip members inside it. Adds its lines to `expected`. */
static void add_gz(zip_maker *zm, bytes *expected, const char *name, unsigned lines,
                   unsigned units, const member_form *form)
{
    bytes content = {0};
    unsigned u;

    for (u = 0; u < units; u++) {
        bytes text = {0};

        lines_of(&text, (unsigned)zm->count * 1000 + u * 100, lines);
        make_gzip(&content, text.data, text.size, 6, u % 16);
        bytes_put(expected, text.data, text.size);
        bytes_clear(&text);
    }
    zip_maker_add(zm, name, content.data, content.size, form);
    bytes_clear(&content);
}

static const member_form live_form = {0, DESC_SIGNED, 0, 0, 0};

/* As the live archives are: stored members with descriptors. */
static void live_archive(zip_maker *zm, bytes *expected, unsigned members)
{
    char name[64];
    unsigned m;

    for (m = 0; m < members; m++) {
        snprintf(name, sizeof name, "501177/501177_2026-03-01_%u#0.json.gz", m);
        add_gz(zm, expected, name, 3 + m, 1 + m % 3, &live_form);
    }
    zip_maker_end(zm, 0, NULL);
}

static void assert_text(const reading *rd, const bytes *expected)
{
    assert_int_equal(rd->text.size, expected->size);
    if (expected->size != 0)
        assert_memory_equal(rd->text.data, expected->data, expected->size);
}

/* ---- forms ------------------------------------------------------------------------- */

static void test_every_form_at_every_split(void **state)
{
    unsigned method, descriptor, zip64, both, end64;

    (void)state;
    for (method = 0; method <= 8; method += 8) {
        for (descriptor = DESC_NONE; descriptor <= DESC_SIGNED64; descriptor++) {
            for (zip64 = 0; zip64 < 2; zip64++) {
                for (both = 0; both < 2; both++) {
                    for (end64 = 0; end64 < 2; end64++) {
                        member_form form = {method, (descriptor_form)descriptor,
                                            (int)zip64, (int)both, 0x800};
                        zip_maker zm = {0};
                        bytes expected = {0};
                        reading rd = {0};
                        size_t step;

                        add_gz(&zm, &expected, "1/1_2026-03-01_0#0.json.gz", 4, 1, &form);
                        add_gz(&zm, &expected, "1/1_2026-03-01_0#1.json.gz", 1, 3, &form);
                        add_gz(&zm, &expected, "x", 30, 2, &live_form);
                        zip_maker_end(&zm, (int)end64, end64 ? "a comment" : NULL);
                        for (step = 1; step <= zm.out.size; step += step < 70 ? 1 : 61) {
                            rd.full = (int)(step & 1);
                            if (read_zip(&rd, &zm.out, step) != TW_OK)
                                fail_msg(
                                    "method %u form %u zip64 %u both %u step %zu: %s",
                                    method, descriptor, zip64, both, step, rd.message);
                            assert_text(&rd, &expected);
                        }
                        reading_clear(&rd);
                        bytes_clear(&expected);
                        zip_maker_clear(&zm);
                    }
                }
            }
        }
    }
}

static void test_both_backends_inflate_members(void **state)
{
    tw_archive_options options = TW_ARCHIVE_OPTIONS_INIT;
    static const member_form form = {8, DESC_SIGNED, 0, 0, 0};
    zip_maker zm = {0};
    bytes expected = {0};
    reading rd = {0};
    size_t step;

    (void)state;
    options.inflate = TW_INFLATE_ZLIB;
    add_gz(&zm, &expected, "a", 400, 2, &form);
    add_gz(&zm, &expected, "b", 400, 2, &live_form);
    zip_maker_end(&zm, 0, NULL);
    for (step = 1; step < 200; step++) {
        assert_int_equal(read_with(&rd, &zm.out, step, &options), TW_OK);
        assert_text(&rd, &expected);
    }
    reading_clear(&rd);
    bytes_clear(&expected);
    zip_maker_clear(&zm);
}

static void test_empty_archive_is_no_lines(void **state)
{
    zip_maker zm = {0};
    reading rd = {0};

    (void)state;
    zip_maker_end(&zm, 0, NULL);
    assert_int_equal(read_zip(&rd, &zm.out, 3), TW_OK);
    assert_int_equal(rd.text.size, 0);
    reading_clear(&rd);
    zip_maker_clear(&zm);
}

static void test_folders_are_passed_over_and_names_are_data(void **state)
{
    static const char *const names[] = {
        "../../etc/passwd", "/abs", "C:\\x", "a\nb", "same", "same", ""};
    static const member_form plain = {0, DESC_NONE, 0, 0, 0};
    zip_maker zm = {0};
    bytes expected = {0};
    reading rd = {0};
    size_t i;

    (void)state;
    zip_maker_add(&zm, "501177/", "", 0, &plain);
    zip_maker_add(&zm, "501178/", "", 0, &live_form);
    for (i = 0; i < sizeof names / sizeof *names; i++)
        add_gz(&zm, &expected, names[i], 2, 1, &live_form);
    zip_maker_end(&zm, 0, NULL);
    assert_int_equal(read_zip(&rd, &zm.out, 11), TW_OK);
    assert_text(&rd, &expected);
    reading_clear(&rd);
    bytes_clear(&expected);
    zip_maker_clear(&zm);
}

/* A file whose last line is not ended does not run into the next file; CRLF stays as
 * it is. */
static void test_lines_end_with_their_file(void **state)
{
    zip_maker zm = {0};
    reading rd = {0};
    bytes gz = {0};

    (void)state;
    make_gzip(&gz, "{\"a\":1}\r\n{\"a\":2}", 16, 6, 0);
    zip_maker_add(&zm, "a", gz.data, gz.size, &live_form);
    zip_maker_add(&zm, "b", gz.data, gz.size, &live_form);
    zip_maker_end(&zm, 0, NULL);
    assert_int_equal(read_zip(&rd, &zm.out, 5), TW_OK);
    bytes_put(&rd.text, "", 1);
    assert_string_equal(rd.text.data, "{\"a\":1}\r\n{\"a\":2}\n{\"a\":1}\r\n{\"a\":2}\n");
    reading_clear(&rd);
    bytes_clear(&gz);
    zip_maker_clear(&zm);
}

static void test_more_than_65535_members(void **state)
{
    static const member_form form = {0, DESC_SIGNED, 0, 0, 0};
    zip_maker zm = {0};
    reading rd = {0};
    bytes gz = {0};
    unsigned i;

    (void)state;
    make_gzip(&gz, "1\n", 2, 6, 0);
    for (i = 0; i < 65600; i++)
        zip_maker_add(&zm, "n", gz.data, gz.size, &form);
    zip_maker_end(&zm, 1, NULL);
    assert_int_equal(read_zip(&rd, &zm.out, 16384), TW_OK);
    assert_int_equal(rd.text.size, 2 * 65600);
    reading_clear(&rd);
    bytes_clear(&gz);
    zip_maker_clear(&zm);
}

/* ---- damage ------------------------------------------------------------------------ */

static void test_no_cut_ends_well(void **state)
{
    zip_maker zm = {0};
    bytes expected = {0};
    reading rd = {0};
    bytes cut;

    (void)state;
    live_archive(&zm, &expected, 4);
    cut = zm.out;
    for (cut.size = 0; cut.size < zm.out.size; cut.size++) {
        if (read_zip(&rd, &cut, 64) == TW_OK)
            fail_msg("%zu of %zu bytes were taken for the whole", cut.size, zm.out.size);
        /* What was handed out before is right. */
        assert_true(rd.text.size <= expected.size);
        if (rd.text.size != 0)
            assert_memory_equal(rd.text.data, expected.data, rd.text.size);
    }
    reading_clear(&rd);
    bytes_clear(&expected);
    zip_maker_clear(&zm);
}

static void check_mutations(const bytes *zip, const bytes *expected)
{
    static const unsigned char patterns[] = {0x01, 0x80, 0xFF, 0x08, 0x20};
    reading rd = {0};
    size_t at;
    size_t p;

    for (at = 0; at < zip->size; at++) {
        for (p = 0; p < sizeof patterns; p++) {
            zip->data[at] ^= (char)patterns[p];
            if (read_zip(&rd, zip, 50) == TW_OK &&
                (rd.text.size != expected->size ||
                 memcmp(rd.text.data, expected->data, expected->size) != 0))
                fail_msg("byte %zu ^ %02x changed the lines unseen", at, patterns[p]);
            zip->data[at] ^= (char)patterns[p];
        }
    }
    reading_clear(&rd);
}

static void test_no_changed_byte_changes_lines_unseen(void **state)
{
    static const member_form forms[] = {{0, DESC_SIGNED, 0, 0, 0},
                                        {0, DESC_PLAIN, 0, 0, 0},
                                        {8, DESC_SIGNED, 0, 0, 0},
                                        {0, DESC_NONE, 0, 0, 0},
                                        {8, DESC_SIGNED64, 1, 0, 0}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof forms / sizeof *forms; i++) {
        zip_maker zm = {0};
        bytes expected = {0};

        add_gz(&zm, &expected, "first", 2, 2, &forms[i]);
        add_gz(&zm, &expected, "second", 2, 1, &forms[i]);
        zip_maker_end(&zm, i == 4, NULL);
        check_mutations(&zm.out, &expected);
        bytes_clear(&expected);
        zip_maker_clear(&zm);
    }
}

static void test_bytes_around_an_archive_are_refused(void **state)
{
    zip_maker zm = {0};
    bytes expected = {0};
    bytes led = {0};

    (void)state;
    live_archive(&zm, &expected, 2);
    bytes_put(&led, "junk", 4);
    bytes_put(&led, zm.out.data, zm.out.size);
    assert_refused(&led, "was not a zip archive");
    bytes_put(&zm.out, "x", 1);
    assert_refused(&zm.out, "had bytes behind its end");
    bytes_clear(&led);
    bytes_put(&led, "{\"error\":\"Unspecified Error\"}", 29);
    assert_refused(&led, "was not a zip archive");
    bytes_clear(&led);
    bytes_clear(&expected);
    zip_maker_clear(&zm);
}

/* ---- lies -------------------------------------------------------------------------- */

static size_t find(const bytes *zip, const char *signature, size_t from)
{
    const char *hit =
        memmem(zip->data + from, zip->size - from, signature, strlen(signature));

    assert_non_null(hit);
    return (size_t)(hit - zip->data);
}

static void lie(size_t offset, char add, const char *why)
{
    zip_maker zm = {0};
    bytes expected = {0};
    size_t directory;

    live_archive(&zm, &expected, 3);
    directory = find(&zm.out, "PK\1\2", 0);
    zm.out.data[directory + offset] = (char)(zm.out.data[directory + offset] + add);
    assert_refused(&zm.out, why);
    bytes_clear(&expected);
    zip_maker_clear(&zm);
}

static void test_a_directory_that_lies(void **state)
{
    zip_maker zm = {0};
    bytes expected = {0};
    bytes other = {0};
    size_t first, second, end;

    (void)state;
    lie(10, 8, "did not agree"); /* method */
    lie(16, 1, "did not agree"); /* CRC */
    lie(20, 1, "did not agree"); /* packed */
    lie(24, 1, "did not agree"); /* unpacked */
    lie(42, 1, "is not there");  /* offset */
    lie(34, 1, "several");       /* disk */
    lie(8, 1, "encrypted");
    lie(46, 1, "did not agree"); /* name */

    /* Two entries for one member, none for the other. */
    live_archive(&zm, &expected, 2);
    first = find(&zm.out, "PK\1\2", 0);
    second = find(&zm.out, "PK\1\2", first + 4);
    end = find(&zm.out, "PK\5\6", 0);
    bytes_put(&other, zm.out.data, second);
    bytes_put(&other, zm.out.data + first, second - first);
    bytes_put(&other, zm.out.data + end, zm.out.size - end);
    assert_refused(&other, "two directory entries");

    /* No entry for the last. */
    other.size = 0;
    bytes_put(&other, zm.out.data, second);
    bytes_put(&other, zm.out.data + end, zm.out.size - end);
    assert_refused(&other, "did not name");

    /* Counts and places of the end record. */
    zm.out.data[end + 10]++;
    zm.out.data[end + 8]++;
    assert_refused(&zm.out, "end record");
    zm.out.data[end + 10]--;
    zm.out.data[end + 8]--;
    zm.out.data[end + 12]++;
    assert_refused(&zm.out, "end record");
    zm.out.data[end + 12]--;
    zm.out.data[end + 16]++;
    assert_refused(&zm.out, "end record");
    zm.out.data[end + 16]--;
    zm.out.data[end + 4]++;
    assert_refused(&zm.out, "several");
    bytes_clear(&other);
    bytes_clear(&expected);
    zip_maker_clear(&zm);
}

/* The directory may list the members in another order. */
static void test_a_directory_in_another_order(void **state)
{
    zip_maker zm = {0};
    bytes expected = {0};
    bytes other = {0};
    reading rd = {0};
    size_t first, second, end;

    (void)state;
    live_archive(&zm, &expected, 2);
    first = find(&zm.out, "PK\1\2", 0);
    second = find(&zm.out, "PK\1\2", first + 4);
    end = find(&zm.out, "PK\5\6", 0);
    bytes_put(&other, zm.out.data, first);
    bytes_put(&other, zm.out.data + second, end - second);
    bytes_put(&other, zm.out.data + first, second - first);
    bytes_put(&other, zm.out.data + end, zm.out.size - end);
    assert_int_equal(read_zip(&rd, &other, 9), TW_OK);
    assert_text(&rd, &expected);
    reading_clear(&rd);
    bytes_clear(&other);
    bytes_clear(&expected);
    zip_maker_clear(&zm);
}

static void test_what_is_not_supported_says_so(void **state)
{
    static const struct {
        member_form form;
        const char *why;
    } cases[] = {
        {{0, DESC_NONE, 0, 0, 1}, "encrypted"},
        {{0, DESC_NONE, 0, 0, 0x41}, "encrypted"},
        {{0, DESC_NONE, 0, 0, 0x2000}, "encrypted"},
        {{0, DESC_NONE, 0, 0, 0x20}, "patch"},
        {{12, DESC_NONE, 0, 0, 0}, "compression method"},
        {{9, DESC_SIGNED, 0, 0, 0}, "compression method"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        zip_maker zm = {0};
        bytes expected = {0};

        add_gz(&zm, &expected, "a", 1, 1, &cases[i].form);
        zip_maker_end(&zm, 0, NULL);
        assert_refused(&zm.out, cases[i].why);
        bytes_clear(&expected);
        zip_maker_clear(&zm);
    }
}

static void test_sizes_of_all_ones_need_zip64(void **state)
{
    zip_maker zm = {0};
    bytes expected = {0};

    (void)state;
    live_archive(&zm, &expected, 1);
    memset(zm.out.data + 18, 0xFF, 8);
    assert_refused(&zm.out, "64-bit size was missing");
    bytes_clear(&expected);
    zip_maker_clear(&zm);
}

static void test_content_that_is_no_gzip(void **state)
{
    static const member_form known = {0, DESC_NONE, 0, 0, 0};
    zip_maker zm = {0};
    bytes gz = {0};

    (void)state;
    zip_maker_add(&zm, "a.json", "{\"event_type\":\"plain text\"}\n", 29, &known);
    zip_maker_end(&zm, 0, NULL);
    assert_refused(&zm.out, "did not begin as gzip");
    zip_maker_clear(&zm);

    zip_maker_add(&zm, "a.json", "{\"event_type\":\"plain text\"}\n", 29, &live_form);
    zip_maker_end(&zm, 0, NULL);
    assert_refused(&zm.out, "was not gzip");
    zip_maker_clear(&zm);

    zip_maker_add(&zm, "empty.json.gz", "", 0, &known);
    zip_maker_end(&zm, 0, NULL);
    assert_refused(&zm.out, "an empty file");
    zip_maker_clear(&zm);

    make_gzip(&gz, "12345678\n", 9, 6, 0);
    zip_maker_add(&zm, "cut.json.gz", gz.data, gz.size - 3, &known);
    zip_maker_end(&zm, 0, NULL);
    assert_refused(&zm.out, "cut off");
    zip_maker_clear(&zm);

    bytes_put(&gz, "garbage that is long enough", 27);
    zip_maker_add(&zm, "more.json.gz", gz.data, gz.size, &known);
    zip_maker_end(&zm, 0, NULL);
    assert_refused(&zm.out, "behind its last gzip member");
    zip_maker_clear(&zm);

    zip_maker_add(&zm, "more.json.gz", gz.data, gz.size, &live_form);
    zip_maker_end(&zm, 0, NULL);
    assert_refused(&zm.out, "descriptor did not agree");
    zip_maker_clear(&zm);
    bytes_clear(&gz);
}

/* A zip inside a stored gzip stream, descriptors and all, is content like any other. */
static void test_signatures_inside_content_are_content(void **state)
{
    zip_maker inner = {0};
    zip_maker zm = {0};
    bytes expected = {0};
    bytes ignored = {0};
    bytes gz = {0};
    reading rd = {0};
    size_t step;

    (void)state;
    live_archive(&inner, &ignored, 3);
    bytes_put(&inner.out, "\n", 1);
    make_gzip(&gz, inner.out.data, inner.out.size, 0, 0); /* level 0: as it is */
    zip_maker_add(&zm, "a", gz.data, gz.size, &live_form);
    bytes_put(&expected, inner.out.data, inner.out.size);
    zip_maker_end(&zm, 0, NULL);
    for (step = 1; step < 90; step++) {
        assert_int_equal(read_zip(&rd, &zm.out, step), TW_OK);
        assert_text(&rd, &expected);
    }
    reading_clear(&rd);
    bytes_clear(&gz);
    bytes_clear(&ignored);
    bytes_clear(&expected);
    zip_maker_clear(&inner);
    zip_maker_clear(&zm);
}

/* ---- bombs ------------------------------------------------------------------------- */

static void test_a_gzip_bomb_is_refused_early(void **state)
{
    char *zeros = calloc(1, 64 << 20);
    zip_maker zm = {0};
    bytes gz = {0};
    reading rd = {0};
    size_t i;

    (void)state;
    for (i = 63; i < 64 << 20; i += 64)
        zeros[i] = '\n';
    make_gzip(&gz, zeros, 64 << 20, 9, 0);
    zip_maker_add(&zm, "bomb", gz.data, gz.size, &live_form);
    zip_maker_end(&zm, 0, NULL);
    assert_int_equal(read_zip(&rd, &zm.out, 1024), TW_E_TOO_LARGE);
    assert_non_null(strstr(rd.message, "grew too much"));
    assert_true(rd.text.size < 8 << 20);
    reading_clear(&rd);
    bytes_clear(&gz);
    zip_maker_clear(&zm);
    free(zeros);
}

/* Deflated gzip members that hold nothing: no line ever comes out, only work. */
static void test_a_zip_bomb_of_empty_members_is_refused(void **state)
{
    static const member_form form = {8, DESC_SIGNED, 0, 0, 0};
    zip_maker zm = {0};
    bytes gz = {0};
    reading rd = {0};
    unsigned i;

    (void)state;
    for (i = 0; i < 400000; i++)
        make_gzip(&gz, "", 0, 0, 0);
    zip_maker_add(&zm, "bomb", gz.data, gz.size, &form);
    zip_maker_end(&zm, 0, NULL);
    assert_true(zm.out.size * 200 < gz.size);
    assert_int_equal(read_zip(&rd, &zm.out, 4096), TW_E_TOO_LARGE);
    assert_int_equal(rd.text.size, 0);
    reading_clear(&rd);
    bytes_clear(&gz);
    zip_maker_clear(&zm);
}

static void test_a_line_over_the_maximum(void **state)
{
    tw_archive_options options = TW_ARCHIVE_OPTIONS_INIT;
    zip_maker zm = {0};
    bytes gz = {0};
    bytes text = {0};
    reading rd = {0};
    size_t step;

    (void)state;
    lines_of(&text, 0, 40);
    text.data[text.size - 1] = ' ';
    for (step = 0; step < text.size - 1; step++) {
        if (text.data[step] == '\n')
            text.data[step] = ' ';
    }
    make_gzip(&gz, text.data, text.size, 6, 0);
    zip_maker_add(&zm, "a", gz.data, gz.size, &live_form);
    zip_maker_end(&zm, 0, NULL);
    options.block_bytes = 100;
    for (step = 1; step < 400; step += 13) {
        options.max_line_bytes = text.size;
        assert_int_equal(read_with(&rd, &zm.out, step, &options), TW_OK);
        options.max_line_bytes = text.size - 1;
        assert_int_equal(read_with(&rd, &zm.out, step, &options), TW_E_TOO_LARGE);
        assert_non_null(strstr(rd.message, "line longer"));
    }
    reading_clear(&rd);
    bytes_clear(&gz);
    bytes_clear(&text);
    zip_maker_clear(&zm);
}

/* ---- offsets over 4 GiB ------------------------------------------------------------ */

static int any_begin(void *ctx, const char *name, size_t size)
{
    (void)ctx, (void)name, (void)size;
    return TW_OK;
}

static int any_data(void *ctx, const char *data, size_t size, size_t *used)
{
    (void)data;
    *(uint64_t *)ctx += size;
    *used = size;
    return TW_OK;
}

static int any_end(void *ctx)
{
    (void)ctx;
    return TW_OK;
}

static uint32_t crc_of_zeros(const char *zeros, size_t size, unsigned times)
{
    uint32_t crc = 0;

    while (times-- > 0)
        crc = tw__crc32(crc, zeros, size);
    return crc;
}

static void feed_all(tw_zip *zip, const char *data, size_t size)
{
    size_t used;

    assert_int_equal(tw__zip_feed(zip, data, size, &used), TW_OK);
    assert_int_equal(used, size);
}

/* One stored member of 4 GiB and a bit, then another: header, directory and end in 64
 * bits. The headers are made for an empty member and given the numbers afterwards. */
static void test_sizes_and_offsets_over_4_gib(void **state)
{
    enum { PIECE = 16 << 20, TIMES = 257 };
    static const tw_zip_sink sink = {any_begin, any_data, any_end};
    static const member_form form = {0, DESC_NONE, 1, 0, 0};
    const uint64_t size = (uint64_t)PIECE * TIMES;
    const uint64_t shift = size;
    tw_zip_options options = TW_ZIP_OPTIONS_INIT;
    char *zeros = calloc(1, PIECE);
    zip_maker zm = {0};
    uint64_t taken = 0;
    uint32_t crc;
    size_t body, directory, end64, second;
    unsigned i;
    tw_zip *zip;
    uint8_t *d;
    char raw[8];

#define PATCH(at, value, width)             \
    do {                                    \
        uint64_t v_ = (value);              \
        for (i = 0; i < (width); i++)       \
            raw[i] = (char)(v_ >> (8 * i)); \
        memcpy(d + (at), raw, (width));     \
    } while (0)

    (void)state;
    crc = crc_of_zeros(zeros, PIECE, TIMES);
    zip_maker_add(&zm, "big", "", 0, &form);
    body = zm.out.size;
    zip_maker_add(&zm, "b", "tail", 4, &form);
    directory = zm.out.size;
    zip_maker_end(&zm, 1, NULL);
    d = (uint8_t *)zm.out.data;
    second = find(&zm.out, "PK\1\2", directory + 4);
    end64 = find(&zm.out, "PK\6\6", 0);
    PATCH(14, crc, 4);
    PATCH(30 + 3 + 4, size, 8);
    PATCH(30 + 3 + 12, size, 8);
    PATCH(directory + 16, crc, 4);
    PATCH(directory + 46 + 3 + 4, size, 8);
    PATCH(directory + 46 + 3 + 12, size, 8);
    PATCH(second + 46 + 1 + 20, body + shift, 8);
    PATCH(end64 + 48, directory + shift, 8);
    PATCH(end64 + 56 + 8, end64 + shift, 8);
    assert_int_equal(tw__zip_new(&zip, &options, &sink, &taken), TW_OK);
    feed_all(zip, zm.out.data, body);
    for (i = 0; i < TIMES; i++)
        feed_all(zip, zeros, PIECE);
    feed_all(zip, zm.out.data + body, zm.out.size - body);
    assert_int_equal(tw__zip_finish(zip), TW_OK);
    assert_true(taken == size + 4);
    tw__zip_free(zip);
    zip_maker_clear(&zm);
    free(zeros);
#undef PATCH
}

/* ---- the oracle -------------------------------------------------------------------- */

#ifdef TW_TEST_HAVE_LIBARCHIVE
static void test_archives_of_libarchive(void **state)
{
    static const char *const options[] = {
        "zip:compression=store", "zip:compression=deflate",
        "zip:compression=store,zip:zip64", "zip:compression=deflate,zip:zip64"};
    size_t o;

    (void)state;
    for (o = 0; o < 2 * sizeof options / sizeof *options; o++) {
        struct archive *a = archive_write_new();
        int sized = (int)o % 2;
        bytes zip = {0};
        bytes expected = {0};
        reading rd = {0};
        size_t used = 0;
        unsigned m;

        bytes_put(&zip, "", 1);
        zip.room = 1 << 20;
        zip.data = realloc(zip.data, zip.room);
        archive_write_set_format_zip(a);
        assert_int_equal(archive_write_set_options(a, options[o / 2]), ARCHIVE_OK);
        assert_int_equal(archive_write_open_memory(a, zip.data, zip.room, &used),
                         ARCHIVE_OK);
        for (m = 0; m < 5; m++) {
            struct archive_entry *e = archive_entry_new();
            bytes text = {0};
            bytes gz = {0};

            lines_of(&text, m * 50, 50);
            make_gzip(&gz, text.data, text.size, 6, GZ_NAME);
            bytes_put(&expected, text.data, text.size);
            archive_entry_set_pathname(e, "1/1_2026-03-01_0#0.json.gz");
            archive_entry_set_filetype(e, AE_IFREG);
            archive_entry_set_perm(e, 0644);
            if (sized)
                archive_entry_set_size(e, (int64_t)gz.size);
            assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
            assert_int_equal(archive_write_data(a, gz.data, gz.size), gz.size);
            archive_entry_free(e);
            bytes_clear(&gz);
            bytes_clear(&text);
        }
        assert_int_equal(archive_write_close(a), ARCHIVE_OK);
        archive_write_free(a);
        zip.size = used;
        for (m = 1; m < 60; m++) {
            if (read_zip(&rd, &zip, m) != TW_OK)
                fail_msg("%s, sized %d: %s", options[o / 2], sized, rd.message);
            assert_text(&rd, &expected);
        }
        reading_clear(&rd);
        bytes_clear(&expected);
        bytes_clear(&zip);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_at_every_split),
        cmocka_unit_test(test_both_backends_inflate_members),
        cmocka_unit_test(test_empty_archive_is_no_lines),
        cmocka_unit_test(test_folders_are_passed_over_and_names_are_data),
        cmocka_unit_test(test_lines_end_with_their_file),
        cmocka_unit_test(test_more_than_65535_members),
        cmocka_unit_test(test_no_cut_ends_well),
        cmocka_unit_test(test_no_changed_byte_changes_lines_unseen),
        cmocka_unit_test(test_bytes_around_an_archive_are_refused),
        cmocka_unit_test(test_a_directory_that_lies),
        cmocka_unit_test(test_a_directory_in_another_order),
        cmocka_unit_test(test_what_is_not_supported_says_so),
        cmocka_unit_test(test_sizes_of_all_ones_need_zip64),
        cmocka_unit_test(test_content_that_is_no_gzip),
        cmocka_unit_test(test_signatures_inside_content_are_content),
        cmocka_unit_test(test_a_gzip_bomb_is_refused_early),
        cmocka_unit_test(test_a_zip_bomb_of_empty_members_is_refused),
        cmocka_unit_test(test_a_line_over_the_maximum),
        cmocka_unit_test(test_sizes_and_offsets_over_4_gib),
#ifdef TW_TEST_HAVE_LIBARCHIVE
        cmocka_unit_test(test_archives_of_libarchive),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
