/* SPDX-License-Identifier: MIT */
/* Thousands of answers by chance: each event ends once, for a reason, and nothing is stormed. */
#include "ingest_world.h"

enum { EVENTS = 400, SEEDS = 300, AT_ONCE = 2000 };

typedef struct fate {
    int accepted;
    int confirmed; /* by a whole answer */
    int maybe;     /* an answer left it open */
    int blamed;    /* by the latest answer: listed, or refused alone */
    int ended;
} fate;

static fate fates[EVENTS];
static uint64_t dice;
static unsigned mood; /* of a server that answers the same to the same; 0: as it likes */

static unsigned roll(unsigned sides)
{
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(dice >> 33) % sides;
}

/* ---- events ------------------------------------------------------------------------ */

static void put_some(tw_json_writer *wr, const char *key, unsigned of)
{
    char text[32];

    snprintf(text, sizeof text, "%s-%u", key, roll(of));
    put_text(wr, key, text);
}

static void track_any(world *w, int number)
{
    unsigned kind = roll(6);
    char id[32];
    tw_json_writer *wr;
    tw_event *ev;
    int rc;

    assert_int_equal(tw__ingest_begin(&ev, w->ing, NULL), TW_OK);
    wr = tw_event_writer(ev);
    snprintf(id, sizeof id, "i-%d.", number);
    tw_json_put_object(wr);
    put_text(wr, "event_type",
             kind == 0   ? "$groupidentify"
             : kind == 1 ? "$identify"
                         : "e");
    put_text(wr, "insert_id", id);
    if (kind != 0 && kind != 2)
        put_some(wr, "user_id", 8);
    if (kind == 2 || kind == 3)
        put_some(wr, "device_id", 8);
    if (kind == 0) {
        tw_json_put_key(wr, "groups", 6, -1, 0);
        tw_json_put_object(wr);
        put_some(wr, "company", 4);
        tw_json_put_object_end(wr);
    }
    if (kind == 1) {
        tw_json_put_key(wr, "user_properties", 15, -1, 0);
        tw_json_put_object(wr);
        tw_json_put_key(wr, "$set", 4, -1, 0);
        tw_json_put_object(wr);
        put_some(wr, "p", 4);
        tw_json_put_object_end(wr);
        tw_json_put_object_end(wr);
    }
    tw_json_put_object_end(wr);
    rc = tw_event_commit(ev, NULL);
    fates[number].accepted = rc == TW_OK;
    if (rc != TW_OK)
        tw_event_abort(rc == TW_AGAIN ? ev : NULL);
}

/* ---- the server -------------------------------------------------------------------- */

/* The text does not end with a NUL, as strtol would have it. */
static int number_at(const char *digits)
{
    int number = 0;

    for (; *digits >= '0' && *digits <= '9'; digits++)
        number = 10 * number + (*digits - '0');
    return number;
}

/* The numbers of the events on the wire, in order. */
static int read_numbers(const world *w, int *numbers)
{
    const char *at = w->gate.call->body;
    const char *end = at + w->gate.call->size - 16;
    int count = 0;

    for (; at < end; at++) {
        if (memcmp(at, "\"insert_id\":\"i-", 15) == 0)
            numbers[count++] = number_at(at + 15);
    }
    assert_int_equal(count, sent(w));
    return count;
}

static char body[65536];
static size_t body_size;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    body_size +=
        (size_t)vsnprintf(body + body_size, sizeof body - body_size, format, list);
    va_end(list);
}

static unsigned pick(unsigned sides, unsigned salt)
{
    return mood != 0 ? mood / (64 * salt) % sides : roll(sides);
}

static int dislikes(int number)
{
    return mood != 0 ? ((unsigned)number * 2654435761u ^ mood) / 64 % 4 == 0
                     : roll(6) == 0;
}

/* A list of some of the events; those are marked in `of`. */
static void say_some(const char *name, int count, const int *numbers, int *of)
{
    int any = 0;
    int i;

    say(",\"%s\":[", name);
    for (i = 0; i < count; i++) {
        if (!dislikes(numbers[i]))
            continue;
        say("%s%d", any++ ? "," : "", i);
        if (of != NULL)
            of[i] = 1;
    }
    say("]");
}

static void say_names(const char *name, const char *key)
{
    int any = 0;
    int i;

    say(",\"%s\":{", name);
    for (i = 0; i < 10; i++) {
        if (roll(4) == 0)
            say("%s\"%s-%d\":%d", any++ ? "," : "", key, i, 40);
    }
    say("}");
}

static void end_with(world *w, int status, int code, tw_stored stored)
{
    reply(w, status, code, stored, roll(8) == 0 ? (int64_t)roll(400000) : -1, body);
}

static void say_throttled(int count, const int *numbers)
{
    say("{\"code\":429");
    if (pick(2, 3) == 0)
        say_names("throttled_users", "user_id");
    if (pick(3, 5) == 0)
        say_names("throttled_devices", "device_id");
    if (pick(8, 7) == 0)
        say_names("exceeded_daily_quota_users", "user_id");
    if (pick(2, 9) == 0)
        say_some("throttled_events", count, numbers, NULL);
    say("}");
}

static void say_refused(int count, const int *numbers, int *blamed)
{
    say("{\"code\":400,\"error\":\"no\"");
    if (pick(2, 11) == 0) {
        say(",\"events_with_invalid_fields\":{\"a\":[]");
        say_some("time", count, numbers, blamed);
        say("}");
    }
    if (pick(3, 13) == 0)
        say_some("silenced_events", count, numbers, blamed);
    if (pick(3, 15) == 0)
        say_some("throttled_events", count, numbers, NULL);
    say("}");
}

static void serve_any(world *w)
{
    int numbers[TW_BATCH_EVENTS_MAX];
    int blamed[TW_BATCH_EVENTS_MAX] = {0};
    int count = read_numbers(w, numbers);
    int open = 0;
    unsigned kind = mood != 0 ? mood % 14 : roll(14);
    int i;

    body_size = 0;
    body[0] = '\0';
    if (kind == 5 && roll(4) != 0)
        kind = 6; /* 413s leave nothing but single events soon */
    open = kind == 1 || kind == 2 || kind == 3 || kind == 10;
    if (kind == 4 || kind == 8 || kind == 9)
        say_refused(count, numbers, blamed);
    for (i = 0; i < count; i++) {
        fate *one = &fates[numbers[i]];

        assert_true(one->accepted && !one->confirmed);
        one->blamed = blamed[i] || (count == 1 && (kind == 4 || kind == 5 || kind == 8 ||
                                                   kind == 9 || kind == 7));
        one->maybe |= open;
    }
    switch (kind) {
    case 1:
        end_with(w, 500, TW_E_SERVER, TW_STORED_MAYBE);
        break;
    case 2:
        end_with(w, 0, TW_E_TIMEOUT, TW_STORED_MAYBE);
        break;
    case 3:
        say("<html>");
        end_with(w, 200, TW_OK, TW_STORED_YES);
        break;
    case 4:
    case 8:
    case 9:
        end_with(w, 400, TW_E_HTTP, TW_STORED_NO);
        break;
    case 5:
        end_with(w, 413, TW_E_TOO_LARGE, TW_STORED_NO);
        break;
    case 6:
    case 11:
        say_throttled(count, numbers);
        end_with(w, 429, TW_E_RATE_LIMITED, TW_STORED_NO);
        break;
    case 7:
        say("{\"code\":400,\"events_with_invalid_fields\":{\"time\":[0,%d]}}", count);
        end_with(w, 400, TW_E_HTTP, TW_STORED_NO);
        break;
    case 10:
        say("{\"code\":200,\"events_ingested\":%d}", count + 1);
        end_with(w, 200, TW_OK, TW_STORED_YES);
        break;
    case 12:
        end_with(w, 403, TW_E_AUTH, TW_STORED_NO);
        break;
    default:
        for (i = 0; i < count; i++)
            fates[numbers[i]].confirmed = 1;
        answer_ok(w);
    }
}

static void serve_well(world *w)
{
    int numbers[TW_BATCH_EVENTS_MAX];
    int count = read_numbers(w, numbers);
    int i;

    for (i = 0; i < count; i++)
        fates[numbers[i]].confirmed = 1;
    answer_ok(w);
}

/* ---- what became of them ----------------------------------------------------------- */

static void take_ends(world *w)
{
    tw_event_outcome *end;

    while (tw__end_next(&end, w->ing) == TW_OK) {
        fate *one = &fates[strtol(tw_event_outcome_insert_id(end) + 2, NULL, 10)];
        const char *state = tw_event_outcome_state(end);

        assert_true(one->accepted);
        assert_int_equal(one->ended++, 0);
        if (strcmp(state, "stored") == 0)
            assert_true(one->confirmed);
        else if (strcmp(state, "rejected") == 0)
            assert_true(one->blamed);
        else if (strcmp(state, "uncertain") == 0)
            assert_true(one->maybe);
        else if (strcmp(state, "expired") == 0)
            assert_false(one->maybe);
        else
            assert_true(strcmp(state, "merged") == 0 || strcmp(state, "dropped") == 0);
        tw_event_outcome_free(end);
    }
    balanced(w);
}

static void settings_by_chance(world *w)
{
    w->set = plain;
    w->set.outcomes = 1;
    w->set.batch_events = 1 + roll(60);
    w->set.use_batch = (tw_use_batch)roll(3);
    w->set.coalesce_identify = (int)roll(2);
    w->set.queue_events = roll(3) == 0 ? 100 : 10000;
    w->set.on_full = roll(2) == 0 ? TW_FULL_DROP_OLDEST : TW_FULL_REFUSE;
    w->set.max_age_ms = roll(3) == 0 ? 120000 : 0;
}

static void run_seed(world *w, unsigned seed)
{
    uint64_t requests;
    int next = 0;
    int turn;
    int i;

    dice = seed;
    memset(fates, 0, sizeof fates);
    settings_by_chance(w);
    start(w);
    for (turn = 0; turn < 200; turn++) {
        for (i = (int)roll(6); i > 0 && next < EVENTS; i--)
            track_any(w, next++);
        requests = stats(w).requests;
        mood = roll(2) * (1 + roll(1 << 30));
        while (w->gate.call != NULL && stats(w).requests - requests < AT_ONCE)
            serve_any(w);
        if (w->gate.call != NULL)
            fail_msg("seed %u: stormed", seed);
        take_ends(w);
        advance(w, (int64_t)roll(roll(4) == 0 ? 60000 : 3000));
    }
    for (turn = 0; turn < 2000 && stats(w).waiting != 0; turn++) {
        while (w->gate.call != NULL)
            serve_well(w);
        advance(w, 10000);
    }
    if (stats(w).waiting != 0)
        fail_msg("seed %u: %llu were never sent", seed,
                 (unsigned long long)stats(w).waiting);
    take_ends(w);
    for (i = 0; i < EVENTS; i++)
        assert_int_equal(fates[i].ended, fates[i].accepted);
    world_end(w);
}

static void every_event_ends_once_and_for_a_reason(void **state)
{
    unsigned seed;

    for (seed = 1; seed <= SEEDS; seed++)
        run_seed(*state, seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(every_event_ends_once_and_for_a_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
