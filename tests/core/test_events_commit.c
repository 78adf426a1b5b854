/* SPDX-License-Identifier: MIT */
/* Many events accepted at once. */
#include "ingest_world.h"

enum { MANY = 8 };

static void begin(world *w, tw_event **evs)
{
    int i;

    for (i = 0; i < MANY; i++)
        assert_int_equal(tw__ingest_begin(&evs[i], w->ing, NULL), TW_OK);
}

static void write_event(tw_event *ev, const char *id, const char *insert_id)
{
    tw_json_writer *wr = tw_event_writer(ev);

    tw_json_put_object(wr);
    put_text(wr, "event_type", "e");
    put_text(wr, "user_id", id);
    if (insert_id != NULL)
        put_text(wr, "insert_id", insert_id);
    tw_json_put_object_end(wr);
}

static void write_all(tw_event **evs, int first, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        char id[32];

        snprintf(id, sizeof id, "user-%06d", first + i);
        write_event(evs[i], id, NULL);
    }
}

static void end(tw_event **evs)
{
    int i;

    for (i = 0; i < MANY; i++)
        tw_event_abort(evs[i]);
}

static void events_are_accepted_in_order_and_slots_used_again(void **state)
{
    world *w = *state;
    tw_event *evs[MANY];
    size_t accepted = 9;
    const char *at;
    int i;

    start(w);
    begin(w, evs);
    assert_int_equal(tw_events_commit(&accepted, evs, 0, 0, NULL), TW_OK);
    assert_int_equal(accepted, 0);
    for (i = 0; i < 3; i++) {
        write_all(evs, i * MANY, MANY);
        assert_int_equal(tw_events_commit(&accepted, evs, MANY, 0, NULL), TW_OK);
        assert_int_equal(accepted, MANY);
    }
    end(evs);
    tw_job_unref(flush(w));
    assert_int_equal(sent(w), 3 * MANY);
    at = w->gate.call->body;
    for (i = 0; i < 3 * MANY; i++) {
        at = strstr(at, "user-0") + 6;
        assert_int_equal(strtol(at, NULL, 10), i);
    }
    answer_ok(w);
    expect(w, 3 * MANY, 0, 0);
}

static void the_first_flaw_ends_it(void **state)
{
    world *w = *state;
    tw_event *evs[MANY];
    tw_error *err = NULL;
    size_t accepted;

    start(w);
    begin(w, evs);
    write_all(evs, 0, 3);
    write_event(evs[3], "abc", NULL);
    write_event(evs[4], "user-4", NULL);
    assert_int_equal(tw_events_commit(&accepted, evs, 5, 100, &err), TW_E_VALIDATION);
    assert_int_equal(accepted, 3);
    assert_int_equal(tw_error_index(err), 103);
    assert_string_equal(tw_error_field(err), "user_id");
    tw_error_free(err);
    end(evs);
    assert_int_equal(stats(w).refused, 1);
    expect(w, 0, 0, 3);
}

/* A full queue that is met before the flaw is what the caller hears of. */
static void a_full_queue_ends_it(void **state)
{
    world *w = *state;
    tw_event *evs[MANY];
    tw_error *err = NULL;
    size_t accepted;

    w->set.queue_events = 2;
    start(w);
    begin(w, evs);
    write_all(evs, 0, 3);
    write_event(evs[3], "abc", NULL);
    assert_int_equal(tw_events_commit(&accepted, evs, 4, 0, &err), TW_E_QUEUE_FULL);
    assert_int_equal(accepted, 2);
    assert_int_equal(tw_error_index(err), 2);
    tw_error_free(err);
    end(evs);
    assert_int_equal(stats(w).refused, 1);
    expect(w, 0, 0, 2);
}

static void it_goes_on_when_there_is_room(void **state)
{
    world *w = *state;
    tw_event *evs[MANY];
    tw_error *err = NULL;
    size_t accepted;

    w->set.queue_events = 2;
    w->set.on_full = TW_FULL_BLOCK;
    start(w);
    begin(w, evs);
    write_all(evs, 0, 4);
    write_event(evs[4], "user-4", "i-4");
    assert_int_equal(tw_events_commit(&accepted, evs, 5, 0, &err), TW_AGAIN);
    assert_int_equal(accepted, 2);
    tw_job_unref(flush(w));
    answer_ok(w);
    assert_int_equal(tw_event_wait(evs[2], &err), TW_OK);
    assert_int_equal(tw_events_commit(&accepted, evs + 2, 3, 2, &err), TW_AGAIN);
    assert_int_equal(accepted, 2);
    fake.now_ms += 1000; /* the time to wait is over */
    assert_int_equal(tw_events_commit(&accepted, evs + 4, 1, 4, &err), TW_E_QUEUE_FULL);
    assert_int_equal(tw_error_index(err), 4);
    tw_error_free(err);
    end(evs);
    advance(w, 5000);
    answer_all_ok(w);
    expect(w, 4, 0, 0);
}

static void a_closed_client_takes_none(void **state)
{
    world *w = *state;
    tw_event *evs[MANY];
    size_t accepted;

    start(w);
    begin(w, evs);
    write_all(evs, 0, 2);
    tw__ingest_stop_intake(w->ing);
    assert_int_equal(tw_events_commit(&accepted, evs, 2, 0, NULL), TW_E_CLOSED);
    assert_int_equal(accepted, 0);
    end(evs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(events_are_accepted_in_order_and_slots_used_again),
        test(the_first_flaw_ends_it),
        test(a_full_queue_ends_it),
        test(it_goes_on_when_there_is_room),
        test(a_closed_client_takes_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
