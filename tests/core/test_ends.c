/* SPDX-License-Identifier: MIT */
/* How each event ended, told to who asks. */
#include "ingest_world.h"

static void ended(world *w, const char *id, const char *state, int status,
                  const char *reason)
{
    tw_event_outcome *outcome = NULL;

    assert_int_equal(tw__end_next(&outcome, w->ing), TW_OK);
    assert_string_equal(tw_event_outcome_insert_id(outcome), id);
    assert_string_equal(tw_event_outcome_state(outcome), state);
    assert_int_equal(tw_event_outcome_status(outcome), status);
    assert_string_equal(tw_event_outcome_reason(outcome), reason);
    tw_event_outcome_free(outcome);
}

static void track_with_id(world *w, const char *type, const char *id)
{
    tw_event *ev = NULL;
    tw_json_writer *wr;

    assert_int_equal(tw__ingest_begin(&ev, w->ing, NULL), TW_OK);
    wr = tw_event_writer(ev);
    tw_json_put_object(wr);
    put_text(wr, "event_type", type);
    put_text(wr, "user_id", "user-1");
    tw_json_put_key(wr, "event_properties", 16, -1, 0);
    tw_json_put_object(wr);
    put_text(wr, "insert_id", "not this one");
    tw_json_put_object_end(wr);
    put_text(wr, "insert_id", id);
    tw_json_put_object_end(wr);
    assert_int_equal(tw_event_commit(ev, NULL), TW_OK);
}

static void every_end_is_told_to_who_asked(void **state)
{
    world *w = *state;
    tw_event_outcome *outcome;

    w->set.outcomes = 1;
    w->set.max_age_ms = 60000;
    w->set.queue_events = 3;
    w->set.on_full = TW_FULL_DROP_OLDEST;
    start(w);
    track_with_id(w, "e", "dropped");
    track_with_id(w, "poison", "bad \"one\" \\");
    track_with_id(w, "e", "good");
    track_with_id(w, "e", "plain");
    advance(w, 5000);
    serve(w, TELL_ALL);
    answer_ok(w);
    expect(w, 2, 1, 0);
    ended(w, "dropped", "dropped", 0, "the queue was full");
    ended(w, "bad \"one\" \\", "rejected", 400, "Invalid field values on some events");
    ended(w, "good", "stored", 200, "");
    ended(w, "plain", "stored", 200, "");
    assert_int_equal(tw__end_next(&outcome, w->ing), TW_AGAIN);
    track_with_id(w, "e", "old");
    advance(w, 60001);
    ended(w, "old", "expired", 0, "it was older than max_age");
    track_with_id(w, "e", "left");
    tw__ingest_cancel(w->ing);
    ended(w, "left", "expired", 0, "the client was closed");
    assert_int_equal(stats(w).outcomes_missed, 0);
    tw__ingest_free(w->ing);
    /* Who does not ask pays nothing. */
    w->set.outcomes = 0;
    start(w);
    track(w, 1);
    tw__ingest_cancel(w->ing);
    assert_int_equal(tw__end_next(&outcome, w->ing), TW_AGAIN);
}

static void outcomes_that_nobody_takes_are_counted(void **state)
{
    world *w = *state;
    tw_event_outcome *outcome;
    int i;

    w->set.outcomes = 1;
    w->set.queue_events = 200000;
    start(w);
    track_with_id(w, "e", "first");
    track_with_id(w, "e", "second");
    track(w, ENDS_MOST - 1);
    fake_job_unref(flush(w));
    answer_all_ok(w);
    assert_int_equal(stats(w).outcomes_missed, 1);
    ended(w, "second", "stored", 200, "");
    for (i = 0; tw__end_next(&outcome, w->ing) == TW_OK; i++)
        tw_event_outcome_free(outcome);
    assert_int_equal(i, ENDS_MOST - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(every_end_is_told_to_who_asked),
        test(outcomes_that_nobody_takes_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
