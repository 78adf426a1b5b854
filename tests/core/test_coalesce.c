/* SPDX-License-Identifier: MIT */
/* Identify events that wait together: what is sent, what it means, and what a power cut does. */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>

#include "ingest/spool.h"

/* What happens right before the next event is written. */
static void (*meanwhile)(void);

static int append_to_spool(uint64_t *id, tw_spool *sp, const tw_spool_text *texts,
                           size_t count, tw_error **err)
{
    void (*happens)(void) = meanwhile;

    meanwhile = NULL;
    if (happens != NULL)
        happens();
    return tw__spool_append(id, sp, texts, count, err);
}

/* The other thread waits for this one, or is done. */
static sem_t other_thread;

static int wait_for_merge(pthread_cond_t *cond, pthread_mutex_t *lock)
{
    sem_post(&other_thread);
    return pthread_cond_wait(cond, lock);
}

/* A disk that does not take the end of events for certain. */
static int syncs_fail;

static int sync_spool(tw_spool *sp, tw_error **err)
{
    return syncs_fail ? TW_E_QUEUE_FULL : tw__spool_sync(sp, err);
}

#define tw__spool_sync sync_spool
#define tw__spool_append append_to_spool
#define pthread_cond_wait wait_for_merge

#include "support/sim_disk.h"
#include "support/spool_world.h"

#undef tw__spool_sync
#undef tw__spool_append
#undef pthread_cond_wait

enum { USERS = 3, STEPS = 80, REQUESTS = 80, SEEDS = 6, NONE = -1, NEVER = 1 << 30 };

static int coalescing_setup(void **state)
{
    world *w;

    world_setup(state);
    w = *state;
    w->set.coalesce_identify = 1;
    w->set.outcomes = 1;
    syncs_fail = 0;
    return 0;
}

#undef test
#define test(name) cmocka_unit_test_setup_teardown(name, coalescing_setup, world_teardown)

/* ---- events -------------------------------------------------------------------------- */

static void put_int(tw_json_writer *wr, const char *key, int64_t value)
{
    tw_json_put_key(wr, key, strlen(key), -1, 0);
    tw_json_put_int(wr, value);
}

static void put_object(tw_json_writer *wr, const char *key)
{
    tw_json_put_key(wr, key, strlen(key), -1, 0);
    tw_json_put_object(wr);
}

/* With `operation` NULL an ordinary event; a user or device of NULL is left out. */
static tw_event *write_event(world *w, const char *user, const char *device,
                             const char *operation, const char *property, int value)
{
    tw_event *ev = NULL;
    tw_json_writer *wr;
    char id[32];

    assert_int_equal(tw__ingest_begin(&ev, w->ing, NULL), TW_OK);
    wr = tw_event_writer(ev);
    snprintf(id, sizeof id, "id-%d", value);
    tw_json_put_object(wr);
    put_text(wr, "event_type", operation != NULL ? "$identify" : "e");
    if (user != NULL)
        put_text(wr, "user_id", user);
    if (device != NULL)
        put_text(wr, "device_id", device);
    put_text(wr, "insert_id", id);
    if (operation != NULL) {
        put_object(wr, "user_properties");
        put_object(wr, operation);
        put_int(wr, property, value);
        tw_json_put_object_end(wr);
        tw_json_put_object_end(wr);
    }
    tw_json_put_object_end(wr);
    return ev;
}

static void put(world *w, const char *user, const char *device, const char *operation,
                const char *property, int value)
{
    tw_event *ev = write_event(w, user, device, operation, property, value);

    assert_int_equal(tw_event_commit(ev, NULL), TW_OK);
}

static void set(world *w, const char *user, const char *property, int value)
{
    put(w, user, NULL, "$set", property, value);
}

static void ended(world *w, const char *id, const char *state, const char *reason)
{
    tw_event_outcome *outcome = NULL;

    assert_int_equal(tw__end_next(&outcome, w->ing), TW_OK);
    assert_string_equal(tw_event_outcome_insert_id(outcome), id);
    assert_string_equal(tw_event_outcome_state(outcome), state);
    assert_string_equal(tw_event_outcome_reason(outcome), reason);
    tw_event_outcome_free(outcome);
}

static uint64_t merged(const world *w)
{
    return stats(w).merged;
}

/* ---- what is merged -------------------------------------------------------------------- */

static void a_chain_of_identifies_is_sent_as_one(void **state)
{
    world *w = *state;

    start(w);
    set(w, "user-1", "a", 1);
    set(w, "user-2", "a", 2);
    set(w, "user-1", "b", 3);
    set(w, "user-1", "a", 4);
    assert_int_equal(stats(w).waiting, 4);
    advance(w, 5000);
    assert_int_equal(sent(w), 2);
    assert_int_equal(in_body(w, "{\"$set\":{\"a\":4,\"b\":3}}"), 1);
    assert_int_equal(in_body(w, "\"insert_id\":\"id-4\""), 1);
    assert_int_equal(merged(w), 2);
    balanced(w);
    ended(w, "id-1", "merged", "id-4");
    ended(w, "id-3", "merged", "id-4");
    answer_ok(w);
    expect(w, 2, 0, 0);
    ended(w, "id-2", "stored", "");
    ended(w, "id-4", "stored", "");
}

/* A server that takes one event at a time: the two are not parted, the earlier one does not go. */
static void what_is_cut_for_its_size_is_merged_before(void **state)
{
    world *w = *state;

    start(w);
    set(w, "user-1", "a", 1);
    set(w, "user-1", "a", 2);
    w->ing->limits.events = w->ing->batch_limits.events = 1;
    fake_job_unref(flush(w));
    fake_run(&w->gate);
    assert_int_equal(in_body(w, "\"a\":1"), 0);
    assert_int_equal(in_body(w, "\"a\":2"), 1);
    answer_ok(w);
    assert_null(w->gate.call);
    assert_int_equal(stats(w).merged, 1);
}

static void without_the_option_nothing_is_merged(void **state)
{
    world *w = *state;

    w->set.coalesce_identify = 0;
    start(w);
    set(w, "user-1", "a", 1);
    set(w, "user-1", "a", 2);
    advance(w, 5000);
    assert_int_equal(sent(w), 2);
    answer_ok(w);
    assert_int_equal(merged(w), 0);
}

static void what_may_be_of_the_same_user_keeps_them_apart(void **state)
{
    static const struct {
        const char *user, *device;
        int merged;
    } between[] = {
        {"user-1", NULL, 0},   {"user-1", "device-2", 0}, {"user-2", "device-1", 0},
        {NULL, "device-2", 0}, {NULL, "device-1", 0},     {"user-2", "device-2", 1},
        {"user-2", NULL, 1},
    };
    world *w = *state;
    uint64_t before;
    size_t i;

    start(w);
    for (i = 0; i < sizeof between / sizeof *between; i++) {
        before = merged(w);
        put(w, "user-1", "device-1", "$set", "a", 1);
        put(w, between[i].user, between[i].device, NULL, NULL, 2);
        put(w, "user-1", "device-1", "$set", "b", 3);
        advance(w, 5000);
        answer_all_ok(w);
        assert_int_equal(merged(w) - before, between[i].merged);
    }
    /* Another device's, and none at all. */
    before = merged(w);
    put(w, "user-1", "device-1", "$set", "a", 1);
    put(w, "user-1", "device-2", "$set", "a", 1);
    put(w, NULL, "device-2", "$set", "a", 1);
    put(w, NULL, "device-2", "$set", "a", 1);
    put(w, "user-3", NULL, "$add", "a", 1);
    put(w, "user-3", NULL, "$add", "a", 1);
    advance(w, 5000);
    answer_all_ok(w);
    assert_int_equal(merged(w) - before, 0);
}

static void what_was_sent_is_not_merged(void **state)
{
    world *w = *state;

    start(w);
    set(w, "user-1", "a", 1);
    advance(w, 5000);
    set(w, "user-1", "b", 2);
    answer(w, 503, "");
    advance(w, 60000);
    answer_all_ok(w);
    expect(w, 2, 0, 0);
    assert_int_equal(merged(w), 0);
}

static void an_event_that_a_flush_waits_for_is_sent(void **state)
{
    world *w = *state;
    tw_job *job;

    start(w);
    set(w, "user-1", "a", 1);
    advance(w, 5000);
    answer(w, 503, ""); /* nothing goes out for a while */
    set(w, "user-2", "a", 2);
    job = flush(w);
    set(w, "user-2", "b", 3);
    set(w, "user-2", "c", 4);
    advance(w, 60000);
    answer_all_ok(w);
    /* 3 went into 4, but 2 did not go into them: the flush told truly of it. */
    assert_int_equal(merged(w), 1);
    expect(w, 3, 0, 0);
    assert_int_equal(tw_job_done(job), 1);
    tw_job_unref(job);
}

static void a_full_queue_merges_nothing(void **state)
{
    world *w = *state;

    w->set.queue_events = 3;
    w->set.on_full = TW_FULL_DROP_OLDEST;
    start(w);
    set(w, "user-1", "a", 1);
    set(w, "user-2", "a", 2);
    set(w, "user-3", "a", 3);
    set(w, "user-2", "b", 4); /* drops the first; another might be what is merged */
    advance(w, 5000);
    answer_all_ok(w);
    assert_int_equal(merged(w), 0);
    assert_int_equal(stats(w).dropped, 1);
}

static void many_at_once_are_merged_as_well(void **state)
{
    world *w = *state;
    tw_event *evs[4];
    size_t accepted;
    int i;

    start(w);
    for (i = 0; i < 4; i++)
        evs[i] = write_event(w, i == 2 ? "user-2" : "user-1", NULL, "$set", "a", i + 1);
    assert_int_equal(tw_events_commit(&accepted, evs, 4, 0, NULL), TW_OK);
    assert_int_equal(accepted, 4);
    for (i = 0; i < 4; i++)
        tw_event_abort(evs[i]);
    advance(w, 5000);
    assert_int_equal(sent(w), 2);
    answer_all_ok(w);
    assert_int_equal(merged(w), 2);
}

/* ---- a server that remembers ------------------------------------------------------------ */

typedef struct server {
    int value[USERS]; /* of the one property */
    int known[STEPS]; /* by insert_id */
    int stamp[STEPS]; /* the property when an event was stored */
} server;

/* One step of a story: step 0 is of user 0. Every third event is an ordinary one. */
static int user_of_step(int step)
{
    return step / 5 % USERS;
}

static int is_identify(int step)
{
    return step % 5 != 3;
}

static int number_behind(const char *at, const char *end, const char *text)
{
    const char *found = memmem(at, (size_t)(end - at), text, strlen(text));
    int number = 0;

    if (found == NULL)
        return NONE;
    for (at = found + strlen(text); at < end && *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (*at - '0');
    return number;
}

static void receive(server *srv, const char *body, size_t size)
{
    static const char mark[] = "{\"event_type\":\"";
    const char *end = body + size;
    const char *at = memmem(body, size, mark, sizeof mark - 1);

    while (at != NULL) {
        const char *next = memmem(at + 1, (size_t)(end - at) - 1, mark, sizeof mark - 1);
        const char *last = next != NULL ? next : end;
        int id = number_behind(at, last, "\"insert_id\":\"id-");
        int user = number_behind(at, last, "\"user_id\":\"user-");
        int value = number_behind(at, last, "\"p\":");

        assert_in_range(id, 0, STEPS - 1);
        assert_in_range(user, 0, USERS - 1);
        if (!srv->known[id]) {
            srv->known[id] = 1;
            if (value != NONE)
                srv->value[user] = value;
            srv->stamp[id] = srv->value[user];
        }
        at = next;
    }
}

/* ---- the power is cut --------------------------------------------------------------------- */

typedef struct request {
    char *body;
    size_t size;
    int sent; /* number of changes of the disk */
} request;

typedef struct story {
    sim_disk *disk;
    int durable;
    int began[STEPS], accepted[STEPS];
    int synced[STEPS]; /* in fast mode, too */
    int count;
    request requests[REQUESTS];
    int request_count;
    uint64_t merged;
} story;

static int now_at(const story *s)
{
    return (int)s->disk->op_count;
}

static void open_on(world *w, sim_disk *disk, int durable, tw_spool_sys *sys)
{
    *sys = sim_sys(disk);
    w->set.coalesce_identify = 1;
    spool_set(w, "spool", 65536);
    w->set.spool_sys = sys;
    w->set.durable = durable;
    w->set.sync_interval_ms = 200;
    w->set.batch_events = 7;
    spool_start(w);
}

static void tell(world *w, story *s, int count)
{
    while (count-- > 0) {
        int step = s->count++;
        char user[32];

        snprintf(user, sizeof user, "user-%d%04d", 0, user_of_step(step));
        s->began[step] = now_at(s);
        put(w, user, NULL, is_identify(step) ? "$set" : NULL, "p", step);
        s->accepted[step] = now_at(s);
        s->synced[step] = s->durable ? now_at(s) : NEVER;
    }
}

/* Lets the sync come that is due. */
static void settle(world *w, story *s)
{
    int step;

    advance(w, 250);
    for (step = 0; step < s->count; step++) {
        if (s->synced[step] == NEVER)
            s->synced[step] = now_at(s);
    }
}

/* Notes what is on the wire, then answers it. */
static void confirm(world *w, story *s, int ok)
{
    while (w->gate.call != NULL) {
        request *r = &s->requests[s->request_count++];

        r->size = w->gate.call->size;
        r->body = test_malloc(r->size);
        memcpy(r->body, w->gate.call->body, r->size);
        r->sent = now_at(s);
        if (ok)
            answer_ok(w);
        else {
            reply(w, 0, TW_E_TIMEOUT, TW_STORED_MAYBE, -1, "");
            return;
        }
    }
}

static void live(world *w, story *s)
{
    tw_spool_sys sys;

    open_on(w, s->disk, s->durable, &sys);
    tell(w, s, 18);
    fake_run(&w->gate);
    confirm(w, s, 0);
    tell(w, s, 7);
    advance(w, 60000);
    confirm(w, s, 1);
    settle(w, s);
    tell(w, s, 12);
    advance(w, 5000);
    confirm(w, s, 1);
    /* The earlier one is on the disk when the later one comes, right before both are sent. */
    tell(w, s, 4);
    settle(w, s);
    advance(w, 4700);
    tell(w, s, 2);
    advance(w, 50);
    confirm(w, s, 1);
    tell(w, s, 4);
    s->merged += stats(w).merged;
    world_end(w);
    open_on(w, s->disk, s->durable, &sys);
    tell(w, s, 9);
    advance(w, 5000);
    confirm(w, s, 1);
    s->merged += stats(w).merged;
    world_end(w);
}

/* The newest identify of this user among the first `count` steps, 0 for none. */
static int newest(int user, int count)
{
    int step;

    for (step = count - 1; step > 0; step--) {
        if (user_of_step(step) == user && is_identify(step))
            return step;
    }
    return 0;
}

static int wrong_at(const story *s, const server *before, const server *after, int moment)
{
    int wrong = 0;
    int step;
    int user;
    int kept = 0;  /* steps that the cut must not take */
    int begun = 0; /* those that may be there */

    for (step = 0; step < s->count; step++) {
        kept += s->synced[step] <= moment;
        begun += s->began[step] <= moment;
    }
    for (user = 0; user < USERS; user++) {
        int value = after->value[user];

        wrong += value < before->value[user]; /* an older one came after it */
        wrong += value < newest(user, kept);
        if (s->durable)
            wrong += value != newest(user, kept) && value != newest(user, begun);
    }
    for (step = 0; step < s->count && s->durable; step++) {
        if (is_identify(step))
            continue;
        wrong += step < kept && !after->known[step];
        wrong +=
            after->known[step] && after->stamp[step] != newest(user_of_step(step), step);
    }
    return wrong;
}

/* With every other seed the server did not get the last request that was sent before the cut. */
static int broken_at(const story *s, int moment, sim_crash how, int seed)
{
    sim_disk *disk = sim_crashed(s->disk, (size_t)moment, how, (uint64_t)seed);
    int late = seed % 2;
    server before;
    server after;
    tw_spool_sys sys;
    world w;
    int count = 0;
    int broken;
    int got;
    int i;

    memset(&before, 0, sizeof before);
    memset(&w, 0, sizeof w);
    while (count < s->request_count && s->requests[count].sent <= moment)
        count++;
    got = count;
    if (late && count > 0 && moment == s->requests[count - 1].sent)
        got--;
    for (i = 0; i < got; i++)
        receive(&before, s->requests[i].body, s->requests[i].size);
    after = before;
    fake_gate_init(&w.gate);
    w.set = plain;
    open_on(&w, disk, s->durable, &sys);
    while (w.gate.call != NULL) {
        receive(&after, w.gate.call->body, w.gate.call->size);
        answer_ok(&w);
    }
    broken = stats(&w).waiting != 0;
    world_end(&w);
    fake_gate_clear(&w.gate);
    sim_free(disk);
    broken += wrong_at(s, &before, &after, moment);
    if (broken != 0 && s->disk->mutant == SIM_HONEST)
        print_message("cut at %d (%d, %d): %d broken\n", moment, (int)how, seed, broken);
    return broken;
}

static int broken_by(world *w, sim_mutant mutant, int durable)
{
    story *s = test_calloc(1, sizeof *s);
    int broken = 0;
    int states = 0;
    int moment;
    int how;
    int seed;
    int i;

    s->disk = sim_new();
    s->disk->mutant = mutant;
    s->durable = durable;
    live(w, s);
    assert_true(s->merged > 10);
    fake_gate_clear(&w->gate);
    for (moment = 0; moment <= now_at(s); moment++) {
        for (how = 0; how < SIM_CRASHES; how++) {
            for (seed = 0; seed < (how == SIM_RANDOM ? SEEDS : 2); seed++, states++)
                broken += broken_at(s, moment, (sim_crash)how, seed);
        }
    }
    print_message("%d states, %d merged\n", states, (int)s->merged);
    fake_gate_init(&w->gate);
    for (i = 0; i < s->request_count; i++)
        test_free(s->requests[i].body);
    sim_free(s->disk);
    test_free(s);
    return broken;
}

static void no_cut_loses_an_operation_or_takes_one_back(void **state)
{
    assert_int_equal(broken_by(*state, SIM_HONEST, 1), 0);
    assert_int_equal(broken_by(*state, SIM_HONEST, 0), 0);
}

static void an_end_that_was_not_synced_is_noticed(void **state)
{
    assert_int_not_equal(broken_by(*state, SIM_NO_NOTES_SYNC, 0), 0);
    assert_int_not_equal(broken_by(*state, SIM_NO_NOTES_SYNC, 1), 0);
}

static void where_the_disk_fails_both_are_sent(void **state)
{
    world *w = *state;
    tw_spool_sys sys;
    sim_disk *disk = sim_new();

    open_on(w, disk, 1, &sys);
    set(w, "user-1", "a", 1);
    set(w, "user-1", "b", 2);
    syncs_fail = 1;
    advance(w, 5000);
    assert_int_equal(sent(w), 2);
    assert_int_equal(in_body(w, "{\"$set\":{\"a\":1,\"b\":2}}"), 1);
    answer(w, 503, "");
    syncs_fail = 0;
    set(w, "user-1", "c", 3);
    set(w, "user-1", "d", 4);
    advance(w, 60000);
    answer_all_ok(w);
    assert_int_equal(stats(w).waiting, 0);
    balanced(w);
    world_end(w);
    sim_free(disk);
}

static world *between_world;
static pthread_t between_thread;

static void *put_between(void *arg)
{
    (void)arg;
    set(between_world, "user-1", "a", 3);
    sem_post(&other_thread);
    return NULL;
}

static void start_between(void)
{
    assert_int_equal(pthread_create(&between_thread, NULL, put_between, NULL), 0);
    sem_wait(&other_thread);
}

static void no_event_gets_before_one_that_is_being_merged(void **state)
{
    world *w = *state;
    tw_spool_sys sys;
    sim_disk *disk = sim_new();

    w->set.outcomes = 0;
    open_on(w, disk, 1, &sys);
    set(w, "user-1", "a", 1);
    sem_init(&other_thread, 0, 0);
    between_world = w;
    meanwhile = start_between;
    set(w, "user-1", "b", 2); /* holds a = 1, too */
    assert_int_equal(pthread_join(between_thread, NULL), 0);
    sem_destroy(&other_thread);
    advance(w, 5000);
    assert_int_equal(sent(w), 1);
    assert_int_equal(in_body(w, "{\"$set\":{\"a\":3,\"b\":2}}"), 1);
    assert_int_equal(in_body(w, "\"insert_id\":\"id-3\""), 1);
    answer_ok(w);
    world_end(w);
    sim_free(disk);
}

/* An identify event with a list of so many texts of 1,000 bytes. */
static void set_long(world *w, const char *property, int texts)
{
    static char text[1000];
    tw_event *ev = NULL;
    tw_json_writer *wr;

    memset(text, 'x', sizeof text);
    assert_int_equal(tw__ingest_begin(&ev, w->ing, NULL), TW_OK);
    wr = tw_event_writer(ev);
    tw_json_put_object(wr);
    put_text(wr, "event_type", "$identify");
    put_text(wr, "user_id", "user-1");
    put_object(wr, "user_properties");
    put_object(wr, "$set");
    tw_json_put_key(wr, property, strlen(property), -1, 0);
    tw_json_put_array(wr);
    while (texts-- > 0)
        tw_json_put_string(wr, text, sizeof text, -1, 0);
    tw_json_put_array_end(wr);
    tw_json_put_object_end(wr);
    tw_json_put_object_end(wr);
    tw_json_put_object_end(wr);
    assert_int_equal(tw_event_commit(ev, NULL), TW_OK);
}

/* What no file has room for as one is accepted as two. */
static void what_is_too_large_together_is_not_merged(void **state)
{
    world *w = *state;
    tw_spool_sys sys;
    sim_disk *disk = sim_new();

    w->set.outcomes = 0;
    open_on(w, disk, 1, &sys); /* files of 16,384 bytes */
    set_long(w, "a", 3);
    set_long(w, "b", 14);
    assert_int_equal(merged(w), 0);
    advance(w, 5000);
    assert_int_equal(sent(w), 2);
    answer_ok(w);
    expect(w, 2, 0, 0);
    set_long(w, "a", 3);
    set_long(w, "b", 5);
    advance(w, 5000);
    assert_int_equal(sent(w), 1);
    assert_int_equal(merged(w), 1);
    answer_ok(w);
    world_end(w);
    sim_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_chain_of_identifies_is_sent_as_one),
        test(what_is_cut_for_its_size_is_merged_before),
        test(without_the_option_nothing_is_merged),
        test(what_may_be_of_the_same_user_keeps_them_apart),
        test(what_was_sent_is_not_merged),
        test(an_event_that_a_flush_waits_for_is_sent),
        test(a_full_queue_merges_nothing),
        test(many_at_once_are_merged_as_well),
        test(no_cut_loses_an_operation_or_takes_one_back),
        test(an_end_that_was_not_synced_is_noticed),
        test(where_the_disk_fails_both_are_sent),
        test(no_event_gets_before_one_that_is_being_merged),
        test(what_is_too_large_together_is_not_merged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
