/* SPDX-License-Identifier: MIT */
/* The rules of an event's fields, by the shared vectors and by hand where JSON cannot say
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "ingest/record.h"

static const char fixed_uuid[] = "01010101-0101-4101-8101-010101010101";
static const char fixed_time[] = "1767225600999";

static int64_t clock_ms(void *ctx)
{
    (void)ctx;
    return INT64_C(1767225600999);
}

static void random_ones(void *ctx, void *bytes, size_t size)
{
    (void)ctx;
    memset(bytes, 1, size);
}

static int setup(void **state)
{
    static const tw_clock clock = {clock_ms, clock_ms, NULL};

    (void)state;
    tw__clock_set(&clock);
    tw__random_set(random_ones, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tw__clock_set(NULL);
    tw__random_set(NULL, NULL);
    return 0;
}

/* Keys made ready once and kept, with what the rules marked them with. */
static tw_json_key *ready_key(const char *text, size_t size)
{
    static struct {
        char text[64];
        size_t size;
        tw_json_key key;
    } made[512];
    size_t i;

    if (size == 0 || size > sizeof made[0].text)
        return NULL;
    for (i = 0; i < sizeof made / sizeof *made && made[i].size != 0; i++) {
        if (made[i].size == size && memcmp(made[i].text, text, size) == 0)
            return &made[i].key;
    }
    assert_true(i < sizeof made / sizeof *made);
    if (tw_json_key_make(&made[i].key, text, size) != TW_OK)
        return NULL;
    memcpy(made[i].text, text, size);
    made[i].size = size;
    return &made[i].key;
}

static int with_ready_keys;

static int put_any_key(tw_json_writer *wr, const char *text, size_t size)
{
    tw_json_key *key = with_ready_keys ? ready_key(text, size) : NULL;

    return key != NULL ? tw_json_put_ready_key(wr, key)
                       : tw_json_put_key(wr, text, size, -1, 0);
}

/* Writes the document that `text` holds, up to the first refusal. */
static void copy(tw_json_writer *wr, const char *text, size_t size)
{
    tw_json_reader *rd;
    tw_json_token token;
    int rc = TW_OK;

    assert_int_equal(tw_json_reader_new(&rd, 64, 1 << 20, NULL), TW_OK);
    assert_int_equal(tw_json_reader_start(rd, text, size), TW_OK);
    while (rc == TW_OK) {
        assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
        if (token.kind == TW_JSON_EOF)
            break;
        switch (token.kind) {
        case TW_JSON_NULL:
            rc = tw_json_put_null(wr);
            break;
        case TW_JSON_FALSE:
        case TW_JSON_TRUE:
            rc = tw_json_put_bool(wr, token.kind == TW_JSON_TRUE);
            break;
        case TW_JSON_INT:
            rc = tw_json_put_int(wr, token.integer);
            break;
        case TW_JSON_REAL:
            rc = tw_json_put_real(wr, token.real);
            break;
        case TW_JSON_STRING:
            rc = tw_json_put_string(wr, token.text, token.size, -1, 0);
            break;
        case TW_JSON_KEY:
            rc = put_any_key(wr, token.text, token.size);
            break;
        case TW_JSON_OBJECT:
            rc = tw_json_put_object(wr);
            break;
        case TW_JSON_OBJECT_END:
            rc = tw_json_put_object_end(wr);
            break;
        case TW_JSON_ARRAY:
            rc = tw_json_put_array(wr);
            break;
        case TW_JSON_ARRAY_END:
            rc = tw_json_put_array_end(wr);
            break;
        default:
            fail_msg("a token of kind %d", (int)token.kind);
        }
    }
    tw_json_reader_free(rd);
}

static tw_event *event_new(unsigned min_id_length)
{
    static tw_event_looks looks; /* no test has two clients at once */
    tw_event *ev;

    tw__event_looks_init(&looks, min_id_length);
    assert_int_equal(tw__event_new(&ev, NULL, 1000000, &looks, 0, NULL), TW_OK);
    return ev;
}

/* The frozen record as one text; freed by the caller. NULL and `*err` when it is
 * refused. */
static char *freeze(tw_event *ev, tw_error **err)
{
    tw_record_text text;
    char *out;

    if (tw__event_freeze(ev, &text, err) != TW_OK)
        return NULL;
    out = malloc(text.head_size + text.tail_size + 1);
    assert_non_null(out);
    memcpy(out, text.head, text.head_size);
    memcpy(out + text.head_size, text.tail, text.tail_size);
    out[text.head_size + text.tail_size] = '\0';
    return out;
}

/* ---- the shared vectors ------------------------------------------------------------ */

typedef struct vector {
    char name[128];
    const char *event; /* raw JSON in the file's text */
    size_t event_size;
    char *wire; /* what is expected, or NULL */
    char field[1024];
    char rule[256];
} vector;

/* Replaces "<insert_id>" and "<time>" by what the fixed clock and randomness give. */
static char *wire_expand(const char *text, size_t size)
{
    static const struct {
        const char *mark;
        const char *value;
    } marks[] = {{"<insert_id>", fixed_uuid}, {"<time>", fixed_time}};
    char *out = calloc(1, size + 64);
    size_t at = 0;
    size_t i = 0;
    size_t m;

    assert_non_null(out);
    while (i < size) {
        for (m = 0; m < 2; m++) {
            size_t length = strlen(marks[m].mark);

            if (size - i >= length && memcmp(text + i, marks[m].mark, length) == 0) {
                memcpy(out + at, marks[m].value, strlen(marks[m].value));
                at += strlen(marks[m].value);
                i += length;
                break;
            }
        }
        if (m == 2)
            out[at++] = text[i++];
    }
    return out;
}

static void token_copy(char *out, size_t room, const tw_json_token *token)
{
    assert_int_equal(token->kind, TW_JSON_STRING);
    assert_true(token->size < room);
    memcpy(out, token->text, token->size);
    out[token->size] = '\0';
}

static void read_error(vector *v, tw_json_reader *rd)
{
    tw_json_token token;

    assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
    assert_int_equal(token.kind, TW_JSON_OBJECT);
    for (;;) {
        int field;

        assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
        if (token.kind == TW_JSON_OBJECT_END)
            return;
        field = token.size == 5 && memcmp(token.text, "field", 5) == 0;
        assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
        if (field)
            token_copy(v->field, sizeof v->field, &token);
        else
            token_copy(v->rule, sizeof v->rule, &token);
    }
}

static void read_vector(vector *v, tw_json_reader *rd)
{
    tw_json_token token;

    memset(v, 0, sizeof *v);
    for (;;) {
        char key[32];

        assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
        if (token.kind == TW_JSON_OBJECT_END)
            return;
        assert_int_equal(token.kind, TW_JSON_KEY);
        assert_true(token.size < sizeof key);
        memcpy(key, token.text, token.size);
        key[token.size] = '\0';
        if (strcmp(key, "event") == 0) {
            assert_int_equal(tw_json_reader_raw(rd, &v->event, &v->event_size), TW_OK);
        } else if (strcmp(key, "error") == 0) {
            read_error(v, rd);
        } else if (strcmp(key, "needs") == 0) {
            assert_int_equal(tw_json_reader_skip(rd), TW_OK);
        } else {
            assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
            if (strcmp(key, "name") == 0)
                token_copy(v->name, sizeof v->name, &token);
            else if (strcmp(key, "wire") == 0)
                v->wire = wire_expand(token.text, token.size);
            else
                fail_msg("an unknown member of a case: %s", key);
        }
    }
}

/* One line per failed case; the number of them. */
static int check_vector(const vector *v, tw_event *ev)
{
    tw_error *err = NULL;
    char *text;
    int bad = 0;

    tw__event_reset(ev);
    copy(ev->wr, v->event, v->event_size);
    text = freeze(ev, &err);
    if (v->wire != NULL) {
        bad = text == NULL || strcmp(text, v->wire) != 0;
        if (bad)
            print_error("%s:\n  expected %s\n  got      %s\n", v->name, v->wire,
                        text != NULL ? text : tw_error_message(err));
    } else {
        const char *field = tw_error_field(err) != NULL ? tw_error_field(err) : "";

        bad = text != NULL || tw_error_code(err) != TW_E_VALIDATION ||
              strcmp(field, v->field) != 0 ||
              strstr(tw_error_message(err), v->rule) == NULL;
        if (bad)
            print_error("%s:\n  expected [%s] %s\n  got      [%s] %s\n", v->name,
                        v->field, v->rule, field,
                        text != NULL ? text : tw_error_message(err));
    }
    free(text);
    tw_error_free(err);
    return bad;
}

static char *file_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *text;
    long end;

    if (file == NULL)
        fail_msg("%s could not be opened", path);
    fseek(file, 0, SEEK_END);
    end = ftell(file);
    rewind(file);
    assert_true(end > 0);
    text = malloc((size_t)end);
    assert_non_null(text);
    *size = fread(text, 1, (size_t)end, file);
    assert_int_equal(*size, end);
    fclose(file);
    return text;
}

static void vectors_hold(void **state)
{
    const char *folder = getenv("TW_TEST_VECTORS");
    tw_event *ev = event_new(5);
    tw_json_reader *rd;
    tw_json_token token;
    char path[512];
    char *text;
    size_t size;
    int count = 0;
    int bad = 0;

    (void)state;
    snprintf(path, sizeof path, "%s/events.json",
             folder != NULL ? folder : TW_TEST_VECTORS);
    text = file_read(path, &size);
    assert_int_equal(tw_json_reader_new(&rd, 64, 16 << 20, NULL), TW_OK);
    assert_int_equal(tw_json_reader_start(rd, text, size), TW_OK);
    assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
    assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
    assert_memory_equal(token.text, "cases", token.size);
    assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
    for (;;) {
        vector v;

        assert_int_equal(tw_json_reader_next(rd, &token), TW_OK);
        if (token.kind != TW_JSON_OBJECT)
            break;
        read_vector(&v, rd);
        bad += check_vector(&v, ev);
        free(v.wire);
        count++;
    }
    assert_int_equal(token.kind, TW_JSON_ARRAY_END);
    assert_int_equal(bad, 0);
    assert_true(count >= 200);
    tw_json_reader_free(rd);
    free(text);
    tw__event_free(ev);
}

/* Once to mark them, once with the marks. */
static void the_vectors_hold_with_ready_keys(void **state)
{
    with_ready_keys = 1;
    vectors_hold(state);
    vectors_hold(state);
    with_ready_keys = 0;
}

/* ---- what the vectors cannot say --------------------------------------------------- */

static void every_field_is_found_by_its_name(void **state)
{
    size_t count = 0;
    size_t last = 0;

    (void)state;
    for (; count < FIELD_COUNT; count++) {
        const tw_event_field *row = &tw__event_fields[count];

        assert_ptr_equal(tw__event_field_find(row->name, row->size), row);
        assert_true(row->size >= last);
        assert_int_equal(row->id, count);
        last = row->size;
    }
    assert_null(tw__event_field_find("", 0));
    assert_null(tw__event_field_find("user_iD", 7));
    assert_null(tw__event_field_find("a_key_longer_than_any_field", 27));
}

static void put_key(tw_event *ev, const char *key)
{
    tw_json_put_key(ev->wr, key, strlen(key), -1, 0);
}

static void expect_refusal(tw_event *ev, const char *field, const char *rule)
{
    tw_error *err = NULL;
    char *text = freeze(ev, &err);

    assert_null(text);
    assert_int_equal(tw_error_code(err), TW_E_VALIDATION);
    if (field != NULL)
        assert_string_equal(tw_error_field(err), field);
    assert_non_null(strstr(tw_error_message(err), rule));
    tw_error_free(err);
    tw__event_reset(ev);
}

static void a_field_given_twice_is_refused(void **state)
{
    tw_event *ev = event_new(5);

    (void)state;
    tw_json_put_object(ev->wr);
    put_key(ev, "user_id");
    tw_json_put_string(ev->wr, "user-1", 6, -1, 0);
    put_key(ev, "user_id");
    tw_json_put_string(ev->wr, "user-2", 6, -1, 0);
    expect_refusal(ev, "user_id", "was given twice");

    tw_json_put_object(ev->wr);
    put_key(ev, "time");
    tw_json_put_null(ev->wr);
    put_key(ev, "time");
    tw_json_put_null(ev->wr);
    expect_refusal(ev, "time", "was given twice");
    tw__event_free(ev);
}

static void what_is_no_json_number_is_refused(void **state)
{
    const double values[] = {NAN, INFINITY, -INFINITY};
    tw_event *ev = event_new(5);
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        tw_json_put_object(ev->wr);
        put_key(ev, "price");
        tw_json_put_real(ev->wr, values[i]);
        expect_refusal(ev, "price", "");
    }
    tw__event_free(ev);
}

static void text_that_is_no_utf8_is_refused(void **state)
{
    static const char *const texts[] = {"\xC0\x80...", "\xED\xA0\x80...",
                                        "\xF5\x80\x80\x80.", "abcd\x80", "abcde\xE2\x82"};
    tw_event *ev = event_new(5);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        tw_json_put_object(ev->wr);
        put_key(ev, "user_id");
        tw_json_put_string(ev->wr, texts[i], strlen(texts[i]), -1, 0);
        expect_refusal(ev, "user_id", "UTF-8");
    }
    tw__event_free(ev);
}

static void an_unfinished_event_is_no_event(void **state)
{
    tw_event *ev = event_new(5);
    tw_error *err = NULL;

    (void)state;
    assert_null(freeze(ev, &err));
    assert_int_equal(tw_error_code(err), TW_E_INVALID);
    tw_json_put_object(ev->wr);
    put_key(ev, "event_type");
    assert_null(freeze(ev, &err));
    assert_int_equal(tw_error_code(err), TW_E_INVALID);
    tw_error_free(err);
    tw__event_free(ev);
}

static void min_id_length_is_the_clients(void **state)
{
    static const char event[] = "{\"event_type\":\"e\",\"user_id\":\"x\"}";
    static const char banned[] = "{\"event_type\":\"e\",\"user_id\":\"0\"}";
    static const char nine[] = "{\"event_type\":\"e\",\"device_id\":\"123456789\"}";
    tw_event *ev = event_new(1);
    char *text;

    (void)state;
    copy(ev->wr, event, sizeof event - 1);
    text = freeze(ev, NULL);
    assert_non_null(text);
    free(text);
    tw__event_reset(ev);
    copy(ev->wr, banned, sizeof banned - 1);
    expect_refusal(ev, "user_id", "list of invalid ids");
    tw__event_free(ev);
    ev = event_new(10);
    copy(ev->wr, nine, sizeof nine - 1);
    expect_refusal(ev, "device_id", "at least 10 characters");
    tw__event_free(ev);
}

/* A refused event leaves nothing behind in the slot that the next one uses. */
/* Bytes are not characters: whatever a length tells before the characters are counted must be
 * right for characters of every width. */
static void an_id_is_measured_in_characters(void **state)
{
    static const char *const wide[] = {"x", "\xC3\xA9", "\xE2\x82\xAC",
                                       "\xF0\x9F\x98\x80"};
    static const unsigned minima[] = {1, 5, 10, 15, 16, 40};
    size_t i;
    size_t w;
    size_t n;

    (void)state;
    for (i = 0; i < sizeof minima / sizeof *minima; i++) {
        tw_event *ev = event_new(minima[i]);

        for (w = 0; w < 4; w++) {
            char id[4 * 70 + 1] = "";

            for (n = 1; n <= 70; n++) {
                memcpy(id + (n - 1) * (w + 1), wide[w], w + 1);
                tw__event_reset(ev);
                tw_json_put_object(ev->wr);
                put_key(ev, "user_id");
                assert_int_equal(tw_json_put_string(ev->wr, id, n * (w + 1), -1, 0),
                                 n >= minima[i] ? TW_OK : TW_E_VALIDATION);
            }
        }
        tw__event_free(ev);
    }
}

static void a_slot_forgets(void **state)
{
    static const char *const refused[] = {
        "{\"user_properties\":{\"$add\":{\"n\":\"x\"}}}",
        "{\"groups\":{\"a\":[1,2,3,4,5,6,7,8,9,10,11]}}",
        "{\"event_type\":\"$groupidentify\",\"user_id\":\"user-1\"}",
        "{\"user_properties\":{\"$set\":{}},\"event_type\":\"e\",\"user_id\":\"user-1\"}"};
    static const char good[] =
        "{\"event_type\":\"e\",\"user_id\":\"user-1\",\"groups\":{\"a\":[1,2,3,4,5,6,7,8,9,10]},"
        "\"user_properties\":{\"$x\":{\"n\":\"x\"}}}";
    tw_event *ev = event_new(5);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof refused / sizeof *refused; i++) {
        char *text;

        copy(ev->wr, refused[i], strlen(refused[i]));
        expect_refusal(ev, NULL, "");
        copy(ev->wr, good, sizeof good - 1);
        text = freeze(ev, NULL);
        assert_non_null(text);
        free(text);
        tw__event_reset(ev);
    }
    tw__event_free(ev);
}

static void a_frozen_event_does_not_change(void **state)
{
    static const char event[] = "{\"event_type\":\"e\",\"user_id\":\"user-1\"}";
    tw_event *ev = event_new(5);
    char *first;
    char *second;

    (void)state;
    copy(ev->wr, event, sizeof event - 1);
    first = freeze(ev, NULL);
    tw__clock_set(NULL);
    tw__random_set(NULL, NULL);
    second = freeze(ev, NULL);
    assert_non_null(first);
    assert_string_equal(first, second);
    free(first);
    free(second);
    tw__event_free(ev);
    setup(state);
}

static void put_field(tw_event *ev, const char *name, const char *text)
{
    tw_json_writer *wr = tw_event_writer(ev);
    tw_json_key *key = ready_key(name, strlen(name));

    tw_json_put_ready_key(wr, key);
    if (text != NULL)
        tw_json_put_string(wr, text, strlen(text), -1, 0);
    else
        tw_json_put_null(wr);
}

static void assert_noted(const tw_event *ev, const tw_record_text *text,
                         tw_event_note which, const char *expected)
{
    const tw_json_note *note = tw__event_rules_note(&ev->rules, which);

    assert_int_equal(note->end - note->at, strlen(expected));
    assert_memory_equal(text->head + note->at, expected, strlen(expected));
}

/* Also of ids that are looked at closely, and where what is added moves them. */
static void where_the_ids_stand_is_noted(void **state)
{
    static const char *const ids[][2] = {
        {"an id of some length", "\"an id of some length\""},
        {"01010101", "\"01010101\""},
        {"short", "\"short\""},
        {"q\"\\u\n\"te", "\"q\\\"\\\\u\\n\\\"te\""},
        {"\xC3\xA4\xC3\xB6\xC3\xBC\xC3\xA4\xC3\xB6\xC3\xBC",
         "\"\xC3\xA4\xC3\xB6\xC3\xBC\xC3\xA4\xC3\xB6\xC3\xBC\""},
    };
    size_t i;
    int round; /* the keys get their marks in the first one */

    (void)state;
    for (round = 0; round < 2; round++) {
        for (i = 0; i < sizeof ids / sizeof *ids; i++) {
            tw_event *ev = event_new(TW__MIN_ID_LENGTH);
            tw_record_text text;

            tw_json_put_object(tw_event_writer(ev));
            put_field(ev, "event_type", "e");
            put_field(ev, "device_id", ids[i][0]);
            put_field(ev, "time", NULL);
            put_field(ev, "insert_id", ids[i][0]);
            put_field(ev, "user_id", ids[i][0]);
            tw_json_put_object_end(tw_event_writer(ev));
            assert_int_equal(tw__event_freeze(ev, &text, NULL), TW_OK);
            assert_noted(ev, &text, TW_NOTE_DEVICE_ID, ids[i][1]);
            assert_noted(ev, &text, TW_NOTE_INSERT_ID, ids[i][1]);
            assert_noted(ev, &text, TW_NOTE_USER_ID, ids[i][1]);
            tw__event_free(ev);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_hold),
        cmocka_unit_test(the_vectors_hold_with_ready_keys),
        cmocka_unit_test(every_field_is_found_by_its_name),
        cmocka_unit_test(a_field_given_twice_is_refused),
        cmocka_unit_test(what_is_no_json_number_is_refused),
        cmocka_unit_test(text_that_is_no_utf8_is_refused),
        cmocka_unit_test(an_unfinished_event_is_no_event),
        cmocka_unit_test(min_id_length_is_the_clients),
        cmocka_unit_test(an_id_is_measured_in_characters),
        cmocka_unit_test(a_slot_forgets),
        cmocka_unit_test(a_frozen_event_does_not_change),
        cmocka_unit_test(where_the_ids_stand_is_noted),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
