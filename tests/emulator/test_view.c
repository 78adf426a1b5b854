/* SPDX-License-Identifier: MIT */
/* The picture that a query looks at, when the store changes while it is made: the moment at which
 * the store's lock is free is the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "store.h"

static emu_store store;
static void (*meanwhile)(void); /* done when the lock is given back, so many times: */
static int turns;

static int unlock(pthread_mutex_t *mu)
{
    int rc = pthread_mutex_unlock(mu);

    if (mu == &store.mu && turns > 0) {
        turns--;
        meanwhile();
    }
    return rc;
}

#define pthread_mutex_unlock unlock
#include "view.c"
#undef pthread_mutex_unlock

/* Under the lock: a row of the user that has these ids. */
static void add(const char *user_id, const char *device_id)
{
    emu_stored row = {.event_ms = 1772352000000,
                      .session = -1,
                      .doc = EMU_LIT("{\"event_type\":\"Look\"}")};
    const emu_user *u;

    row.user = emu_str_of(user_id);
    row.device = emu_str_of(device_id);
    assert_int_equal(emu_store_run(&store, ST_BEGIN), 0);
    u = emu_store_user(&store, row.user, row.device);
    assert_non_null(u);
    row.user_id = u->id;
    row.type = emu_store_type(&store, EMU_LIT("Look"));
    assert_true(emu_columns_add(store.columns, &row));
    assert_int_equal(emu_store_flush_users(&store), 0);
    assert_int_equal(emu_store_run(&store, ST_COMMIT), 0);
    emu_columns_commit(store.columns);
}

static void another_row_comes(void)
{
    pthread_mutex_lock(&store.mu);
    add("user-0003", "device-3");
    pthread_mutex_unlock(&store.mu);
}

static void two_users_turn_out_to_be_one(void)
{
    pthread_mutex_lock(&store.mu);
    add("user-0001", "device-2");
    pthread_mutex_unlock(&store.mu);
}

static void another_anonymous_user_is_named(void)
{
    char device[32];

    snprintf(device, sizeof(device), "device-%d", 10 + turns);
    pthread_mutex_lock(&store.mu);
    add(NULL, device);
    add("user-0001", device);
    pthread_mutex_unlock(&store.mu);
}

static void everything_is_forgotten(void)
{
    assert_int_equal(emu_store_reset(&store), 0);
}

static void a_transaction_fails(void)
{
    pthread_mutex_lock(&store.mu);
    assert_int_equal(emu_store_run(&store, ST_BEGIN), 0);
    assert_non_null(emu_store_user(&store, EMU_LIT("user-0001"), EMU_LIT("device-2")));
    emu_store_rollback(&store);
    pthread_mutex_unlock(&store.mu);
}

/* One named user and an anonymous one, with a row each. */
static int set_up(void **unused)
{
    char err[200];

    (void)unused;
    turns = 0;
    store = (emu_store){0};
    if (emu_store_open(&store, ":memory:", 1, err, sizeof(err)))
        return -1;
    add("user-0001", "device-1");
    add(NULL, "device-2");
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    emu_store_close(&store);
    return 0;
}

/* What a query would get; the lock is given back as one does at its end. */
static void assert_picture(size_t rows, size_t users)
{
    emu_view *v = emu_view_lock(&store);

    assert_non_null(v);
    assert_ptr_equal(v->columns, store.columns);
    assert_true(v->merges == store.merges);
    assert_int_equal(v->n, rows);
    assert_int_equal(v->user_n, users);
    pthread_mutex_unlock(&store.mu);
    emu_view_unref(v);
}

static void let_happen(void (*what)(void), int times)
{
    meanwhile = what;
    turns = times;
}

static void a_picture_is_kept_until_something_changes(void **unused)
{
    const emu_view *first;

    (void)unused;
    assert_picture(2, 2);
    first = store.view;
    assert_picture(2, 2);
    assert_ptr_equal(store.view, first);
    another_row_comes();
    assert_picture(3, 3);
}

static void a_row_that_comes_meanwhile_is_left_to_the_next_query(void **unused)
{
    (void)unused;
    let_happen(another_row_comes, 1);
    assert_picture(2, 2);
    assert_picture(3, 3);
}

static void a_merge_meanwhile_is_in_the_picture(void **unused)
{
    (void)unused;
    let_happen(two_users_turn_out_to_be_one, 1);
    assert_picture(3, 1);
}

static void after_a_reset_meanwhile_nothing_is_left(void **unused)
{
    (void)unused;
    let_happen(everything_is_forgotten, 1);
    assert_picture(0, 0);
}

/* The second time the lock is held: one more merge would make it wrong again. */
static void merges_without_end_do_not_keep_a_query_waiting(void **unused)
{
    (void)unused;
    let_happen(another_anonymous_user_is_named, 100);
    assert_picture(4, 2);
    assert_int_equal(turns, 99);
}

static void a_failed_transaction_meanwhile_leaves_no_trace(void **unused)
{
    (void)unused;
    let_happen(a_transaction_fails, 1);
    assert_picture(2, 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_picture_is_kept_until_something_changes),
        TEST(a_row_that_comes_meanwhile_is_left_to_the_next_query),
        TEST(a_merge_meanwhile_is_in_the_picture),
        TEST(after_a_reset_meanwhile_nothing_is_left),
        TEST(merges_without_end_do_not_keep_a_query_waiting),
        TEST(a_failed_transaction_meanwhile_leaves_no_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
