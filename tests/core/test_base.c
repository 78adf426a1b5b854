/* SPDX-License-Identifier: MIT */
/* The ground floor: buffers, errors, clocks, randomness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidewheel/sys/alloc.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/random.h"

/* An allocator that fails from the n-th allocation on and counts what is alive. */
static struct {
    long left; /* allocations before failure; negative = never fail */
    long alive;
} heap;

static int heap_refuses(void)
{
    return heap.left >= 0 && heap.left-- == 0 ? (heap.left = 0, 1) : 0;
}

static void *heap_alloc(void *ctx, size_t size)
{
    void *p;

    (void)ctx;
    if (heap_refuses())
        return NULL;
    p = malloc(size);
    heap.alive += p != NULL;
    return p;
}

static void *heap_resize(void *ctx, void *old, size_t size)
{
    void *p;

    (void)ctx;
    if (heap_refuses())
        return NULL;
    p = realloc(old, size);
    heap.alive += old == NULL && p != NULL;
    return p;
}

static void heap_release(void *ctx, void *old)
{
    (void)ctx;
    heap.alive--;
    free(old);
}

static int heap_setup(void **state)
{
    static const tw_allocator counting = {heap_alloc, heap_resize, heap_release, NULL};

    (void)state;
    heap.left = -1;
    heap.alive = 0;
    tw_set_allocator(&counting);
    return 0;
}

static int heap_teardown(void **state)
{
    (void)state;
    tw_set_allocator(NULL);
    return heap.alive == 0 ? 0 : -1;
}

static void size_products_that_overflow_give_no_memory(void **state)
{
    (void)state;
    assert_null(tw__alloc_zero(SIZE_MAX / 2, 3));
    assert_null(tw__strndup("x", SIZE_MAX));
}

static void buffer_grows_to_its_maximum_and_no_further(void **state)
{
    tw_buf buf;
    size_t i;

    (void)state;
    tw__buf_init(&buf, 1000);
    for (i = 0; i < 1000; i++)
        assert_int_equal(tw__buf_putc(&buf, (char)('a' + i % 26)), TW_OK);
    assert_int_equal(tw__buf_putc(&buf, '!'), TW_E_TOO_LARGE);
    assert_int_equal(tw__buf_put(&buf, "ab", SIZE_MAX), TW_E_TOO_LARGE);
    assert_int_equal(buf.size, 1000);
    for (i = 0; i < 1000; i++)
        assert_int_equal(buf.data[i], 'a' + i % 26);
    tw__buf_clear(&buf);
}

static void buffer_grows_in_few_steps_near_its_maximum_too(void **state)
{
    tw_buf buf;
    int i;

    (void)state;
    heap.left = 16; /* 64 bytes doubled until they are a million */
    tw__buf_init(&buf, 1000000);
    for (i = 0; i < 1000000; i++)
        assert_int_equal(tw__buf_putc(&buf, 'a'), TW_OK);
    tw__buf_clear(&buf);
}

static void buffer_holds_to_a_maximum_below_its_first_room(void **state)
{
    tw_buf buf;

    (void)state;
    tw__buf_init(&buf, 10);
    assert_int_equal(tw__buf_put(&buf, "12345", 5), TW_OK);
    assert_int_equal(tw__buf_put(&buf, "123456", 6), TW_E_TOO_LARGE);
    assert_int_equal(tw__buf_put(&buf, "12345", 5), TW_OK);
    assert_int_equal(tw__buf_putc(&buf, '!'), TW_E_TOO_LARGE);
    assert_int_equal(buf.size, 10);
    tw__buf_clear(&buf);
}

static void buffer_formats_text_longer_than_its_scratch(void **state)
{
    char word[600];
    tw_buf buf;

    (void)state;
    memset(word, 'w', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    tw__buf_init(&buf, 4096);
    assert_int_equal(tw__buf_printf(&buf, "<%s|%d>", word, 7), TW_OK);
    assert_int_equal(buf.size, 599 + 4);
    assert_memory_equal(buf.data + 600, "|7>", 3);
    tw__buf_clear(&buf);
}

static void buffer_keeps_its_text_when_memory_runs_out(void **state)
{
    char big[500] = {0};
    tw_buf buf;
    char *taken;
    size_t size;

    (void)state;
    tw__buf_init(&buf, 4096);
    assert_int_equal(tw__buf_puts(&buf, "kept"), TW_OK);
    heap.left = 0;
    assert_int_equal(tw__buf_put(&buf, big, sizeof big), TW_E_NOMEM);
    assert_null(tw__buf_take(&buf, &size));
    assert_memory_equal(buf.data, "kept", 4);
    heap.left = -1;
    taken = tw__buf_take(&buf, &size);
    assert_string_equal(taken, "kept");
    assert_int_equal(size, 4);
    assert_null(buf.data);
    tw__free(taken);
}

static void error_tells_all_it_was_given(void **state)
{
    tw_error *err = NULL;
    tw_error *copy;

    (void)state;
    assert_int_equal(
        tw__error_at(&err, TW_E_VALIDATION, "events[3].time", "%s was %d", "time", 7),
        TW_E_VALIDATION);
    tw__error_set_http(err, 400);
    tw__error_set_index(err, 3);
    tw__error_set_retry_after(err, 1500);
    tw__error_set_stored(err, TW_STORED_MAYBE);
    tw__error_set_retriable(err, 1);
    copy = tw__error_copy(err);
    tw_error_free(err);
    assert_int_equal(tw_error_code(copy), TW_E_VALIDATION);
    assert_string_equal(tw_error_message(copy), "time was 7");
    assert_string_equal(tw_error_field(copy), "events[3].time");
    assert_int_equal(tw_error_http_status(copy), 400);
    assert_int_equal(tw_error_index(copy), 3);
    assert_int_equal(tw_error_retry_after_ms(copy), 1500);
    assert_int_equal(tw_error_stored(copy), TW_STORED_MAYBE);
    assert_true(tw_error_retriable(copy));
    tw_error_free(copy);
}

static void error_accessors_take_null(void **state)
{
    (void)state;
    assert_int_equal(tw_error_code(NULL), TW_OK);
    assert_string_equal(tw_error_message(NULL), "");
    assert_null(tw_error_field(NULL));
    assert_int_equal(tw_error_retry_after_ms(NULL), -1);
    assert_int_equal(tw_error_index(NULL), -1);
    assert_false(tw_error_retriable(NULL));
    assert_null(tw__error_copy(NULL));
    tw_error_free(NULL);
}

static void error_message_is_one_line_of_whole_characters(void **state)
{
    char long_text[1000];
    tw_error *err = NULL;
    const char *text;
    size_t n;
    size_t i;

    (void)state;
    for (i = 0; i + 2 < sizeof long_text; i += 2)
        memcpy(long_text + i, "\xc3\xa9", 2);
    long_text[i] = '\0';
    tw__error(&err, TW_E_HTTP, "a\r\nb %s", long_text);
    text = tw_error_message(err);
    n = strlen(text);
    assert_memory_equal(text, "a  b ", 5);
    assert_int_equal((n - 5) % 2, 0);
    assert_int_equal((unsigned char)text[n - 1], 0xA9);
    /* Rewording an error may quote the old one. */
    tw__error(&err, TW_E_HTTP, "again: %.6s", tw_error_message(err));
    assert_string_equal(tw_error_message(err), "again: a  b ?");
    tw_error_free(err);
}

static void error_text_is_utf8_whatever_it_quotes(void **state)
{
    tw_error *err = NULL;

    (void)state;
    tw__error_at(&err, TW_E_HTTP, "f\xE9",
                 "caf\xE9 \xC3\xA9 \xED\xA0\x80 \xF0\x9F\x98\x80 \xC0\xAF\x7F");
    assert_string_equal(tw_error_message(err), "caf? \xC3\xA9 ??? \xF0\x9F\x98\x80 ?? ");
    assert_string_equal(tw_error_field(err), "f?");
    tw_error_free(err);
}

static void error_needs_no_memory_to_say_there_is_none(void **state)
{
    tw_error *err = NULL;

    (void)state;
    heap.left = 0;
    assert_int_equal(tw__error(&err, TW_E_CONFIG, "no room"), TW_E_CONFIG);
    assert_int_equal(tw_error_code(err), TW_E_NOMEM);
    tw__error_set_http(err, 500);
    assert_int_equal(tw_error_http_status(err), 0);
    assert_ptr_equal(tw__error_copy(err), err);
    tw_error_free(err);
}

static void every_code_has_a_name(void **state)
{
    int code;

    (void)state;
    for (code = TW_OK; code >= TW_E_RPC; code--)
        assert_string_not_equal(tw_code_name(code), "unknown");
    assert_string_equal(tw_code_name(TW_E_RPC - 1), "unknown");
    assert_string_equal(tw_code_name(TW_E_NOMEM), "nomem");
    assert_string_equal(tw_code_name(TW_E_QUEUE_FULL), "queue_full");
}

static void far_deadlines_do_not_wrap(void **state)
{
    (void)state;
    assert_int_equal(tw__ms_add(5, INT64_MAX), INT64_MAX);
    assert_int_equal(tw__ms_add(INT64_MIN, -1), INT64_MIN);
    assert_int_equal(tw__ms_add(5, -7), -2);
}

static void uuids_are_version_4_and_differ(void **state)
{
    char seen[1000][36];
    size_t i;
    size_t j;

    (void)state;
    for (i = 0; i < 1000; i++) {
        tw__random_uuid(seen[i]);
        assert_int_equal(seen[i][14], '4');
        assert_non_null(memchr("89ab", seen[i][19], 4));
        for (j = 0; j < i; j++)
            assert_memory_not_equal(seen[i], seen[j], 36);
    }
}

static void bounded_numbers_stay_in_bounds(void **state)
{
    int seen[7] = {0};
    int i;

    (void)state;
    assert_int_equal(tw__random_below(0), 0);
    assert_int_equal(tw__random_below(1), 0);
    for (i = 0; i < 2000; i++) {
        uint64_t n = tw__random_below(7);

        assert_true(n < 7);
        seen[n]++;
    }
    for (i = 0; i < 7; i++)
        assert_true(seen[i] > 0);
}

/* ---- descriptors ------------------------------------------------------------------- */

static int is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void a_child_closes_what_is_owned(void **state)
{
    int plain = open("/dev/null", O_RDONLY);
    int owned = tw__fd_own(open("/dev/null", O_RDONLY));
    int closed = tw__fd_own(open("/dev/null", O_RDONLY));
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(tw__fd_own(-1), -1);
    assert_int_equal(tw__fd_close(closed), 0);
    pid = fork();
    if (pid == 0)
        _exit(is_open(owned) || is_open(closed) || !is_open(plain));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(is_open(owned));
    tw__fd_close(owned);
    close(plain);
}

/* The number may have become another file between the kernel's copies of files and memory. */
static void a_strangers_file_under_an_owned_number_stays(void **state)
{
    int owned = tw__fd_own(open("/dev/null", O_RDONLY));
    int other = open("/dev/zero", O_RDONLY);

    (void)state;
    assert_int_equal(dup2(other, owned), owned);
    tw__fd_child();
    assert_true(is_open(owned));
    tw__fd_child(); /* and it is forgotten */
    assert_true(is_open(owned));
    close(owned);
    close(other);
}

/* A pool of random bytes that survives fork would give parent and child the same ids. */
static void a_forked_child_draws_other_ids(void **state)
{
    char mine[36];
    char theirs[36];
    int ends[2];
    int status;
    pid_t pid;

    (void)state;
    tw__random_uuid(mine); /* leaves bytes in the pool */
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        tw__random_uuid(theirs);
        _exit(write(ends[1], theirs, 36) == 36 ? 0 : 1);
    }
    tw__random_uuid(mine);
    assert_int_equal(read(ends[0], theirs, 36), 36);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_memory_not_equal(mine, theirs, 36);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(size_products_that_overflow_give_no_memory,
                                        heap_setup, heap_teardown),
        cmocka_unit_test_setup_teardown(buffer_grows_to_its_maximum_and_no_further,
                                        heap_setup, heap_teardown),
        cmocka_unit_test_setup_teardown(buffer_grows_in_few_steps_near_its_maximum_too,
                                        heap_setup, heap_teardown),
        cmocka_unit_test_setup_teardown(buffer_holds_to_a_maximum_below_its_first_room,
                                        heap_setup, heap_teardown),
        cmocka_unit_test_setup_teardown(buffer_formats_text_longer_than_its_scratch,
                                        heap_setup, heap_teardown),
        cmocka_unit_test_setup_teardown(buffer_keeps_its_text_when_memory_runs_out,
                                        heap_setup, heap_teardown),
        cmocka_unit_test_setup_teardown(error_tells_all_it_was_given, heap_setup,
                                        heap_teardown),
        cmocka_unit_test(error_accessors_take_null),
        cmocka_unit_test_setup_teardown(error_message_is_one_line_of_whole_characters,
                                        heap_setup, heap_teardown),
        cmocka_unit_test_setup_teardown(error_text_is_utf8_whatever_it_quotes, heap_setup,
                                        heap_teardown),
        cmocka_unit_test_setup_teardown(error_needs_no_memory_to_say_there_is_none,
                                        heap_setup, heap_teardown),
        cmocka_unit_test(every_code_has_a_name),
        cmocka_unit_test(far_deadlines_do_not_wrap),
        cmocka_unit_test(uuids_are_version_4_and_differ),
        cmocka_unit_test(bounded_numbers_stay_in_bounds),
        cmocka_unit_test(a_child_closes_what_is_owned),
        cmocka_unit_test(a_strangers_file_under_an_owned_number_stays),
        cmocka_unit_test(a_forked_child_draws_other_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
