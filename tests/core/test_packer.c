/* SPDX-License-Identifier: MIT */
/* Batches: the body, cutting it, taking records out of it, against a plain model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tidewheel/sys/alloc.h>

#include "ingest/packer.h"

static const char head[] = "{\"events\":[";
enum { HEAD = sizeof head - 1 };

static tw_batch *batch_new(void)
{
    tw_batch *batch;

    assert_int_equal(tw__batch_new(&batch, HEAD), TW_OK);
    return batch;
}

/* A record {"n":<n>,...} whose size depends on n. */
static size_t record_text(char *out, size_t room, unsigned n)
{
    return (size_t)snprintf(out, room, "{\"n\":%u,\"p\":\"%.*s\"}", n, (int)(n % 37),
                            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

/* Neither in the order of the numbers nor against it. */
static int64_t accepted_of(unsigned n)
{
    return 1000 + n * 7 % 11;
}

static void add(tw_batch *batch, unsigned n)
{
    char text[96];
    size_t size = record_text(text, sizeof text, n);
    tw_record_text pieces = {text, size - 1, text + size - 1, 1};

    assert_int_equal(tw__batch_add(batch, &pieces, n, accepted_of(n)), TW_OK);
}

/* The batch holds exactly these records, in this order, and its body says so. */
static void holds(tw_batch *batch, const unsigned *numbers, size_t count)
{
    char *expected = malloc(HEAD + count * 96 + 3);
    size_t size = HEAD;
    size_t bytes = 0;
    size_t body_size;
    int64_t oldest = INT64_MAX;
    const char *body;
    size_t i;

    assert_non_null(expected);
    memcpy(expected, head, HEAD);
    for (i = 0; i < count; i++) {
        size_t one;

        if (i > 0)
            expected[size++] = ',';
        one = record_text(expected + size, 96, numbers[i]);
        size += one;
        bytes += one;
        if (accepted_of(numbers[i]) < oldest)
            oldest = accepted_of(numbers[i]);
        assert_int_equal(batch->records[batch->first + i].seq, numbers[i]);
        assert_int_equal(batch->records[batch->first + i].size, one);
    }
    memcpy(expected + size, "]}", 2);
    size += 2;
    assert_int_equal(tw__batch_count(batch), count);
    assert_int_equal(tw__batch_bytes(batch), bytes);
    assert_int_equal(tw__batch_body_size(batch), size);
    body = tw__batch_body(batch, head, &body_size);
    assert_int_equal(body_size, size);
    if (count != 0) {
        assert_memory_equal(body, expected, size);
        assert_int_equal(tw__batch_oldest(batch), oldest);
    }
    free(expected);
}

/* It is a guess: more than that goes in, and less memory than there was is not taken. */
static void what_is_expected_has_room(void **state)
{
    tw_batch *batch = batch_new();
    unsigned numbers[600];
    const char *data;
    const tw_record *records;
    unsigned i;

    (void)state;
    tw__batch_expect(batch, 10, 1); /* what every batch has anyway */
    assert_null(batch->data);
    assert_null(batch->records);
    tw__batch_expect(batch, 50000, 500);
    data = batch->data;
    records = batch->records;
    for (i = 0; i < 600; i++) {
        add(batch, i);
        numbers[i] = i;
        if (i < 500)
            assert_ptr_equal(batch->records, records);
        if (batch->size + 2 <= 50000)
            assert_ptr_equal(batch->data, data);
    }
    holds(batch, numbers, 600);
    tw__batch_reset(batch);
    data = batch->data;
    tw__batch_expect(batch, 40000, 400);
    assert_ptr_equal(batch->data, data);
    holds(batch, NULL, 0);
    tw__batch_free(batch);
}

static void an_empty_batch_has_no_body(void **state)
{
    tw_batch *batch = batch_new();
    size_t size;

    (void)state;
    assert_null(tw__batch_body(batch, head, &size));
    holds(batch, NULL, 0);
    tw__batch_drop_first(batch);
    holds(batch, NULL, 0);
    tw__batch_free(batch);
    tw__batch_free(NULL);
}

static void records_stand_one_after_the_other(void **state)
{
    tw_batch *batch = batch_new();
    unsigned numbers[3000];
    unsigned i;

    (void)state;
    for (i = 0; i < 3000; i++) {
        numbers[i] = i;
        add(batch, i);
        if (i < 3 || i % 701 == 0)
            holds(batch, numbers, i + 1); /* a body in between harms nothing */
    }
    holds(batch, numbers, 3000);
    tw__batch_reset(batch);
    holds(batch, NULL, 0);
    add(batch, 5);
    holds(batch, (const unsigned[]){5}, 1);
    tw__batch_free(batch);
}

static void limits_are_exact(void **state)
{
    tw_batch *batch = batch_new();
    tw_batch_limits limits = {.events = 3};
    size_t size = strlen("{\"n\":1,\"p\":\"x\"}");

    (void)state;
    limits.bytes = HEAD + 2 + size;
    assert_true(tw__batch_fits(batch, size, &limits));
    limits.bytes--;
    assert_false(tw__batch_fits(batch, size, &limits));
    add(batch, 1);
    limits.bytes = HEAD + 2 + size + 1 + size;
    assert_true(tw__batch_fits(batch, size, &limits));
    assert_false(tw__batch_fits(batch, size + 1, &limits));
    add(batch, 1);
    assert_int_equal(tw__batch_body_size(batch), limits.bytes);
    limits.bytes = 100000;
    assert_true(tw__batch_fits(batch, size, &limits));
    add(batch, 1);
    assert_false(tw__batch_fits(batch, size, &limits));
    limits.bytes = 1; /* lowered below what is there */
    limits.events = 100;
    assert_false(tw__batch_fits(batch, 0, &limits));
    tw__batch_free(batch);
}

/* Random operations on two batches and on two arrays of numbers: they always agree. */
typedef struct model {
    tw_batch *batch;
    unsigned numbers[4096];
    size_t count;
} model;

static void model_drop(model *m, size_t from, size_t count)
{
    memmove(m->numbers + from, m->numbers + from + count,
            (m->count - from - count) * sizeof *m->numbers);
    m->count -= count;
}

static void model_mark(model *m, model *other, const unsigned char *marks)
{
    size_t kept = 0;
    size_t i;

    assert_int_equal(tw__batch_copy(other->batch, m->batch, marks, 1), TW_OK);
    tw__batch_keep(m->batch, marks, 0);
    for (i = 0; i < m->count; i++) {
        if (marks[i] == 1)
            other->numbers[other->count++] = m->numbers[i];
        else if (marks[i] == 0)
            m->numbers[kept++] = m->numbers[i];
    }
    m->count = kept;
}

static void model_step(model *m, model *other, unsigned *next)
{
    static unsigned char marks[4096];
    tw_batch *rest;
    size_t i;

    switch (rand() % 8) {
    case 0:
        if (m->count != 0) {
            tw__batch_drop_first(m->batch);
            model_drop(m, 0, 1);
        }
        break;
    case 1:
        if (m->count > 1) {
            size_t keep = 1 + (size_t)rand() % (m->count - 1);

            assert_int_equal(tw__batch_cut(&rest, m->batch, keep), TW_OK);
            holds(rest, m->numbers + keep, m->count - keep);
            tw__batch_free(rest);
            m->count = keep;
        }
        break;
    case 2:
        for (i = 0; i < m->count; i++)
            marks[i] = (unsigned char)(rand() % 3);
        if (m->count + other->count < 4000)
            model_mark(m, other, marks);
        break;
    case 3:
        if (m->count + other->count < 4000) {
            assert_int_equal(tw__batch_append(m->batch, other->batch), TW_OK);
            memcpy(m->numbers + m->count, other->numbers,
                   other->count * sizeof *other->numbers);
            m->count += other->count;
            tw__batch_reset(other->batch);
            other->count = 0;
        }
        break;
    default:
        for (i = (size_t)rand() % 20; i > 0 && m->count < 4000; i--) {
            m->numbers[m->count++] = *next;
            add(m->batch, (*next)++);
        }
    }
}

static void any_order_of_operations_agrees_with_the_model(void **state)
{
    model *models = calloc(2, sizeof *models);
    unsigned next = 0;
    int i;

    (void)state;
    assert_non_null(models);
    srand(20261123);
    models[0].batch = batch_new();
    models[1].batch = batch_new();
    for (i = 0; i < 4000; i++) {
        int which = rand() % 2;

        model_step(&models[which], &models[1 - which], &next);
        holds(models[0].batch, models[0].numbers, models[0].count);
        holds(models[1].batch, models[1].numbers, models[1].count);
    }
    tw__batch_free(models[0].batch);
    tw__batch_free(models[1].batch);
    free(models);
}

static void what_may_be_stored_stays_marked(void **state)
{
    static const unsigned char marks[] = {0, 1, 0, 1};
    tw_batch *batch = batch_new();
    tw_batch *into = batch_new();
    tw_batch *rest;
    unsigned i;

    (void)state;
    for (i = 0; i < 4; i++)
        add(batch, i);
    batch->records[1].maybe = 1;
    batch->records[2].maybe = 1;
    assert_int_equal(tw__batch_copy(into, batch, marks, 1), TW_OK);
    tw__batch_keep(batch, marks, 0);
    assert_int_equal(into->records[0].maybe, 1);
    assert_int_equal(into->records[1].maybe, 0);
    assert_int_equal(batch->records[0].maybe, 0);
    assert_int_equal(batch->records[1].maybe, 1);
    assert_int_equal(tw__batch_cut(&rest, batch, 1), TW_OK);
    assert_int_equal(rest->records[0].maybe, 1);
    tw__batch_free(batch);
    tw__batch_free(into);
    tw__batch_free(rest);
}

/* The head holds the key: no copy of it stays in memory that is given back or reused. */
static void the_head_is_wiped(void **state)
{
    tw_batch *batch = batch_new();
    size_t size;
    size_t i;
    unsigned n;

    (void)state;
    for (n = 0; n < 50; n++)
        add(batch, n);
    tw__batch_body(batch, head, &size);
    tw__batch_drop_first(batch);
    tw__batch_body(batch, head, &size);
    tw__batch_drop_first(batch);
    tw__batch_drop_first(batch);
    tw__batch_body(batch, head, &size);
    tw__batch_reset(batch);
    for (i = 0; i + HEAD < batch->room && i < size; i++)
        assert_memory_not_equal(batch->data + i, head, HEAD);
    tw__batch_free(batch);
}

static int heap_fails;

static void *heap_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return heap_fails ? NULL : malloc(size);
}

static void *heap_resize(void *ctx, void *old, size_t size)
{
    (void)ctx;
    return heap_fails ? NULL : realloc(old, size);
}

static void heap_release(void *ctx, void *old)
{
    (void)ctx;
    free(old);
}

static void without_memory_nothing_has_happened(void **state)
{
    static const tw_allocator heap = {heap_alloc, heap_resize, heap_release, NULL};
    static const unsigned numbers[] = {1, 2, 3};
    unsigned char marks[3] = {1, 1, 1};
    char text[96];
    size_t size = record_text(text, sizeof text, 1);
    tw_record_text pieces = {text, size, text, 0};
    tw_batch *batch;
    tw_batch *empty;
    tw_batch *rest;

    (void)state;
    tw_set_allocator(&heap);
    batch = batch_new();
    empty = batch_new();
    add(batch, 1);
    add(batch, 2);
    add(batch, 3);
    heap_fails = 1;
    assert_int_equal(tw__batch_add(empty, &pieces, 1, 0), TW_E_NOMEM);
    assert_int_equal(tw__batch_copy(empty, batch, marks, 1), TW_E_NOMEM);
    assert_int_equal(tw__batch_append(empty, batch), TW_E_NOMEM);
    assert_int_equal(tw__batch_cut(&rest, batch, 1), TW_E_NOMEM);
    assert_null(rest);
    assert_int_equal(tw__batch_new(&rest, HEAD), TW_E_NOMEM);
    assert_null(rest);
    holds(batch, numbers, 3);
    holds(empty, NULL, 0);
    tw__batch_expect(empty, 400000, 4000);
    holds(empty, NULL, 0);
    heap_fails = 0;
    add(empty, 3);
    holds(empty, numbers + 2, 1);
    tw__batch_free(batch);
    tw__batch_free(empty);
    tw_set_allocator(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_batch_has_no_body),
        cmocka_unit_test(what_is_expected_has_room),
        cmocka_unit_test(records_stand_one_after_the_other),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(any_order_of_operations_agrees_with_the_model),
        cmocka_unit_test(what_may_be_stored_stays_marked),
        cmocka_unit_test(the_head_is_wiped),
        cmocka_unit_test(without_memory_nothing_has_happened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
