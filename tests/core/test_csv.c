/* SPDX-License-Identifier: MIT */
/* Cohort files: CSV at every split, gzip by its magic, headers, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "areas/cohort_file.h"
#include "areas/csv.h"
#include "base/alloc.h"
#include "base/error.h"
#include "net/job.h"
#include "support/zipmaker.h"

/* Reads a file into one text: cells between '|', records ended by '\n'. */
typedef struct reading {
    bytes text;
    size_t blocks;
    int full;
    int asked;
    char message[256];
} reading;

static int reading_emit(void *ctx, char *data, size_t size)
{
    reading *rd = ctx;
    tw_csv_cell cells[3];
    tw_block *block;
    size_t count;
    size_t i;
    int rc;

    rd->blocks++;
    assert_int_equal(tw__block_new(&block, data, size), TW_OK);
    for (;;) {
        rc = tw_csv_next(cells, 3, &count, block);
        if (rc != TW_OK)
            break;
        for (i = 0; i < count && i < 3; i++) {
            bytes_put(&rd->text, cells[i].text, cells[i].size);
            bytes_put(&rd->text, i + 1 == count ? "\n" : "|", 1);
        }
    }
    assert_int_equal(rc, TW_DONE);
    assert_int_equal(tw_csv_next(cells, 3, &count, block), TW_DONE);
    tw_block_free(block);
    return TW_OK;
}

static int reading_ready(void *ctx)
{
    reading *rd = ctx;

    return !rd->full || rd->asked++ % 3 == 2;
}

static int read_file(reading *rd, const bytes *file, size_t step, size_t block)
{
    static const tw_cohort_file_sink sink = {reading_emit, reading_ready};
    tw_cohort_file_options options = TW_COHORT_FILE_OPTIONS_INIT;
    tw_cohort_file *cf;
    size_t at = 0;
    int rc = TW_OK;

    rd->text.size = 0;
    rd->blocks = 0;
    rd->message[0] = '\0';
    options.block_bytes = block;
    options.max_record_bytes = 4096;
    assert_int_equal(tw__cohort_file_new(&cf, &options, &sink, rd), TW_OK);
    while (rc == TW_AGAIN || (rc == TW_OK && at < file->size)) {
        size_t n = file->size - at < step ? file->size - at : step;
        size_t used;

        rc = tw__cohort_file_feed(cf, n != 0 ? file->data + at : "", n, &used);
        assert_true(used <= n);
        assert_true(rc != TW_OK || used == n);
        at += used;
    }
    if (rc == TW_OK)
        rc = tw__cohort_file_finish(cf);
    if (rc != TW_OK) {
        tw_error *err = NULL;

        assert_int_equal(tw__cohort_file_error(cf, &err), rc);
        snprintf(rd->message, sizeof rd->message, "%s", tw_error_message(err));
        tw_error_free(err);
    }
    tw__cohort_file_free(cf);
    return rc;
}

static bytes file_of(const char *text, int gzip)
{
    bytes file = {0};

    if (gzip)
        make_gzip(&file, text, strlen(text), 6, 0);
    else
        bytes_put(&file, text, strlen(text));
    return file;
}

static void check(const char *text, const char *expected)
{
    size_t step, block;
    int gzip;

    for (gzip = 0; gzip < 2; gzip++) {
        bytes file = file_of(text, gzip);

        for (step = 1; step <= file.size; step++) {
            for (block = 1; block < 80; block += 11) {
                reading rd = {0};

                rd.full = (int)(step + block) % 2;
                if (read_file(&rd, &file, step, block) != TW_OK)
                    fail_msg("%s: %s", text, rd.message);
                bytes_put(&rd.text, "", 1);
                assert_string_equal(rd.text.data, expected);
                bytes_clear(&rd.text);
            }
        }
        bytes_clear(&file);
    }
}

static void refuse(const char *text, const char *why)
{
    size_t step;
    int gzip;

    for (gzip = 0; gzip < 2; gzip++) {
        bytes file = file_of(text, gzip);

        for (step = 1; step <= file.size; step += 3) {
            reading rd = {0};
            int rc = read_file(&rd, &file, step, 16);

            assert_true(rc == TW_E_PROTOCOL || rc == TW_E_TOO_LARGE);
            if (strstr(rd.message, why) == NULL)
                fail_msg("\"%s\" does not say \"%s\"", rd.message, why);
            bytes_clear(&rd.text);
        }
        bytes_clear(&file);
    }
}

static void test_forms_at_every_split(void **state)
{
    (void)state;
    check("\"amplitude_id\",\"user_id\",\"tier\"\n\"902117334455\",\"u-7781\",\"gold\"\n"
          "\"902117334456\",\"\",\"\"\n",
          "amplitude_id|user_id|tier\n902117334455|u-7781|gold\n902117334456||\n");
    check("amplitude_id,user_id\r\n1,u\r\n2,", "amplitude_id|user_id\n1|u\n2|\n");
    check("\"user_id\"\n\"say \"\"hi\"\", she\nsaid\"\n\"\"\"\"\n",
          "user_id\nsay \"hi\", she\nsaid\n\"\n");
    check("\"\tgroup_value\"\n\"\tacme\"\n\tplain\n\t\"both\"\n",
          "group_value\nacme\nplain\nboth\n");
    check("\xEF\xBB\xBF\"amplitude_id\",\"user_id\"\n1,2\n",
          "amplitude_id|user_id\n1|2\n");
    check("user_id\n\n\r\na\n\n", "user_id\na\n");
    check("amplitude_id,a,b,c\n1,2,3,4\n",
          "amplitude_id|a|b|1|2|3|"); /* three cells fit */
    check("user_id", "user_id\n");
    check("\"user_id\"", "user_id\n");
    check("user_id,\xC3\xA4\xE2\x82\xAC\nx,\xF0\x9F\x98\x80\n",
          "user_id|\xC3\xA4\xE2\x82\xAC\nx|\xF0\x9F\x98\x80\n");
}

static void test_what_is_no_cohort(void **state)
{
    (void)state;
    refuse("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
           "cohort file");
    refuse("{\"error\":{\"http_code\":400}}", "cohort file");
    refuse("name,age\nx,1\n", "names of id columns");
    refuse("user_id\n\"a\"b\n", "not doubled");
    refuse("user_id\na\"b\n", "not doubled");
    refuse("user_id\na\rb\n", "carriage return");
    refuse("user_id\na\r", "carriage return");
    refuse("amplitude_id,user_id\n1\n", "fewer or more cells");
    refuse("amplitude_id,user_id\n1,2,3\n", "fewer or more cells");
    refuse("user_id\n\"open", "inside a quoted cell");
    refuse("\n\n", "no header");
}

static void test_an_empty_file_is_no_cohort(void **state)
{
    bytes none = {0};
    reading rd = {0};

    (void)state;
    assert_int_equal(read_file(&rd, &none, 1, 16), TW_E_PROTOCOL);
    assert_non_null(strstr(rd.message, "was empty"));
    bytes_put(&none, "\x1F", 1);
    assert_int_equal(read_file(&rd, &none, 1, 16), TW_E_PROTOCOL);
    bytes_clear(&none);
}

static void test_no_cut_of_gzip_ends_well(void **state)
{
    bytes file = file_of("\"user_id\"\n\"a\"\n\"b\"\n", 1);
    bytes cut = file;

    (void)state;
    for (cut.size = 0; cut.size < file.size; cut.size++) {
        reading rd = {0};

        assert_int_equal(read_file(&rd, &cut, 5, 16), TW_E_PROTOCOL);
        bytes_clear(&rd.text);
    }
    bytes_clear(&file);
}

static void test_a_record_over_the_maximum(void **state)
{
    char text[5000];

    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "user_id\n", 8);
    text[sizeof text - 1] = '\0';
    refuse(text, "record longer");
}

static void test_many_ids_in_small_blocks(void **state)
{
    bytes text = {0};
    bytes file = {0};
    reading rd = {0};
    char line[64];
    int i;

    (void)state;
    bytes_put(&text, "\"amplitude_id\",\"user_id\"\n", 25);
    for (i = 0; i < 200000; i++) {
        snprintf(line, sizeof line, "\"90211733%07d\",\"u-%d\"\n", i, i);
        bytes_put(&text, line, strlen(line));
    }
    make_gzip(&file, text.data, text.size, 1, 0);
    assert_int_equal(read_file(&rd, &file, 16384, 65536), TW_OK);
    assert_true(rd.blocks >= text.size / 65536);
    assert_true(rd.text.size == text.size - 4 * 200001);
    bytes_clear(&rd.text);
    bytes_clear(&file);
    bytes_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_at_every_split),
        cmocka_unit_test(test_what_is_no_cohort),
        cmocka_unit_test(test_an_empty_file_is_no_cohort),
        cmocka_unit_test(test_no_cut_of_gzip_ends_well),
        cmocka_unit_test(test_a_record_over_the_maximum),
        cmocka_unit_test(test_many_ids_in_small_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
