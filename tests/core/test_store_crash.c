/* SPDX-License-Identifier: MIT */
/* The power is cut at every moment of a client's life: the next one has all that was accepted. */
#include "support/sim_disk.h"
#include "support/spool_world.h"

enum { EVENTS = 60, NEVER = 1 << 30, SEEDS = 6 };

typedef struct entry {
    int began, accepted; /* numbers of changes of the disk */
    int answered;        /* the server's word for it began to be noted, or NEVER */
    int seen;            /* requests it was in after the cut */
} entry;

typedef struct story {
    sim_disk *disk;
    entry entries[EVENTS];
    int count;
    int litter; /* files that no process will ever remove */
} story;

static int now_at(const story *s)
{
    return (int)s->disk->op_count;
}

/* Calls `each` with the number of every event in the request on the wire. */
static void each_event(const world *w, story *s, void (*each)(story *s, int number))
{
    const char *at = w->gate.call->body;
    const char *last = at + w->gate.call->size - 24;

    for (; at < last; at++) {
        if (memcmp(at, "\"user_id\":\"user-", 16) == 0)
            each(s, (int)strtol(at + 16, NULL, 10));
    }
}

static void answered(story *s, int number)
{
    s->entries[number].answered = now_at(s);
}

static void seen(story *s, int number)
{
    assert_in_range(number, 0, s->count - 1);
    s->entries[number].seen++;
}

static void tell(world *w, story *s, int count)
{
    while (count-- > 0) {
        entry *e = &s->entries[s->count++];

        e->answered = NEVER;
        e->began = now_at(s);
        assert_int_equal(track_type(w, "e"), TW_OK);
        e->accepted = now_at(s);
    }
}

static void confirm(world *w, story *s)
{
    each_event(w, s, answered);
    answer_ok(w);
}

static void open_on(world *w, sim_disk *disk, tw_spool_sys *sys)
{
    *sys = sim_sys(disk);
    spool_set(w, "spool", 16384);
    w->set.spool_sys = sys;
    w->set.durable = 1;
    w->set.queue_events = 10;
    w->set.batch_events = 4;
    spool_start(w);
}

/* Memory that overflows, answers of all kinds, and a second process that goes on. */
static void live(world *w, story *s)
{
    tw_spool_sys sys;

    open_on(w, s->disk, &sys);
    tell(w, s, 25);
    fake_run(&w->gate);
    confirm(w, s);
    reply(w, 0, TW_E_TIMEOUT, TW_STORED_MAYBE, -1, "");
    tell(w, s, 5);
    advance(w, 60000);
    confirm(w, s);
    confirm(w, s);
    reply(w, 503, TW_E_SERVER, TW_STORED_NO, -1, "");
    tell(w, s, 10);
    advance(w, 60000);
    confirm(w, s);
    world_end(w);
    open_on(w, s->disk, &sys);
    tell(w, s, 20);
    confirm(w, s);
    confirm(w, s);
    world_end(w);
}

/* What a client finds on the disk after the cut, and what it then sends. */
static int broken_at(story *s, int moment, sim_crash how, uint64_t seed)
{
    sim_disk *disk = sim_crashed(s->disk, (size_t)moment, how, seed);
    tw_spool_sys sys;
    world w;
    int broken = 0;
    int i;

    memset(&w, 0, sizeof w);
    fake_gate_init(&w.gate);
    w.set = plain;
    for (i = 0; i < s->count; i++)
        s->entries[i].seen = 0;
    open_on(&w, disk, &sys);
    while (w.gate.call != NULL) {
        each_event(&w, s, seen);
        answer_ok(&w);
    }
    broken += stats(&w).waiting != 0 || stats(&w).lost != 0;
    world_end(&w);
    s->litter += disk->name_count; /* all has ended */
    fake_gate_clear(&w.gate);
    for (i = 0; i < s->count; i++) {
        const entry *e = &s->entries[i];

        broken += e->seen > 1;
        broken += e->accepted <= moment && e->answered >= moment && e->seen == 0;
        broken += e->began > moment && e->seen != 0;
    }
    if (broken != 0 && s->disk->mutant == SIM_HONEST)
        fprintf(stderr, "cut at %d (%d, %d): %d broken\n", moment, (int)how, (int)seed,
                broken);
    sim_free(disk);
    return broken;
}

static int cut_everywhere(story *s)
{
    int states = 0;
    int broken = 0;
    int moment;
    int how;
    int seed;

    for (moment = 0; moment <= now_at(s); moment++) {
        for (how = 0; how < SIM_CRASHES; how++) {
            for (seed = 0; seed < (how == SIM_RANDOM ? SEEDS : 1); seed++, states++)
                broken += broken_at(s, moment, (sim_crash)how, (uint64_t)seed);
        }
    }
    print_message("%d states\n", states);
    return broken;
}

static int broken_by(world *w, sim_mutant mutant)
{
    story *s = test_calloc(1, sizeof *s);
    int broken;

    s->disk = sim_new();
    s->disk->mutant = mutant;
    w->next = 0; /* the numbers of the events are those of the story */
    live(w, s);
    fake_gate_clear(&w->gate);
    broken = cut_everywhere(s);
    fake_gate_init(&w->gate);
    if (mutant == SIM_HONEST)
        assert_int_equal(s->litter, 0);
    sim_free(s->disk);
    test_free(s);
    return broken;
}

static void a_cut_at_any_moment_loses_nothing(void **state)
{
    assert_int_equal(broken_by(*state, SIM_HONEST), 0);
}

static void a_sync_left_out_is_noticed(void **state)
{
    assert_int_not_equal(broken_by(*state, SIM_NO_SEGMENT_SYNC), 0);
    assert_int_not_equal(broken_by(*state, SIM_NO_DIR_SYNC), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_cut_at_any_moment_loses_nothing),
        test(a_sync_left_out_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
