/* SPDX-License-Identifier: MIT */
/* The I/O thread: tasks, timers, signals, closing; by hand and with a real thread. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"
#include "support/fake_time.h"
#include "support/oom.h"
#include "support/script_transport.h"

typedef struct note {
    tw_task task;
    tw_timer timer;
    tw_loop *loop;
    char name;
    int again; /* post or arm itself so many times */
    sem_t *done;
    pthread_t thread;
    int mask_full;
} note;

static char log_text[256];

static void log_put(char c)
{
    size_t n = strlen(log_text);

    if (n + 1 < sizeof log_text)
        log_text[n] = c;
}

static void run_note(tw_task *task)
{
    note *nt = TW_CONTAINER(task, note, task);

    log_put(nt->name);
    if (nt->again-- > 0)
        tw__loop_post(nt->loop, task);
}

static void fire_note(tw_timer *timer)
{
    note *nt = TW_CONTAINER(timer, note, timer);

    assert_int_equal(timer->slot, 0);
    log_put(nt->name);
    if (nt->again-- > 0)
        tw__timer_arm(nt->loop, timer, timer->due_ms);
}

static note note_of(tw_loop *loop, char name)
{
    note nt;

    memset(&nt, 0, sizeof nt);
    nt.loop = loop;
    nt.name = name;
    nt.task.run = run_note;
    nt.timer.fire = fire_note;
    return nt;
}

static tw_loop *by_hand(void)
{
    tw_loop *loop;

    memset(log_text, 0, sizeof log_text);
    assert_int_equal(tw__loop_new(&loop, NULL, NULL, TW_LOOP_BY_HAND, NULL), TW_OK);
    return loop;
}

static void tasks_run_in_order_and_once(void **state)
{
    tw_loop *loop = by_hand();
    note a = note_of(loop, 'a'), b = note_of(loop, 'b'), c = note_of(loop, 'c');

    (void)state;
    tw__loop_post(loop, &a.task);
    tw__loop_post(loop, &b.task);
    tw__loop_post(loop, &a.task); /* queued already */
    tw__loop_post(loop, &c.task);
    tw__loop_turn(loop, 0);
    assert_string_equal(log_text, "abc");
    tw__loop_post(loop, &a.task);
    tw__loop_turn(loop, 0);
    assert_string_equal(log_text, "abca");
    tw__loop_close(loop);
    tw__loop_unref(loop);
}

static void a_task_that_posts_itself_waits_a_turn(void **state)
{
    tw_loop *loop = by_hand();
    note a = note_of(loop, 'a'), b = note_of(loop, 'b');

    (void)state;
    a.again = 1000;
    tw__loop_post(loop, &a.task);
    tw__loop_post(loop, &b.task);
    tw__loop_turn(loop, 0);
    assert_string_equal(log_text, "ab");
    tw__loop_turn(loop, 0);
    assert_string_equal(log_text, "aba");
    assert_int_equal(tw__loop_withdraw(loop, &a.task), 1);
    tw__loop_turn(loop, 0);
    assert_string_equal(log_text, "aba");
    tw__loop_close(loop);
    tw__loop_unref(loop);
}

/* First, middle and last, and then the queue still works. */
static void withdrawn_tasks_do_not_run(void **state)
{
    int which;

    (void)state;
    for (which = 0; which < 3; which++) {
        tw_loop *loop = by_hand();
        note nt[4];
        char want[5] = "abcd";
        int i;

        for (i = 0; i < 4; i++)
            nt[i] = note_of(loop, (char)('a' + i));
        for (i = 0; i < 3; i++)
            tw__loop_post(loop, &nt[i].task);
        assert_int_equal(tw__loop_withdraw(loop, &nt[which].task), 1);
        assert_int_equal(tw__loop_withdraw(loop, &nt[which].task), 0);
        tw__loop_post(loop, &nt[3].task);
        tw__loop_turn(loop, 0);
        memmove(want + which, want + which + 1, strlen(want + which));
        assert_string_equal(log_text, want);
        tw__loop_close(loop);
        tw__loop_unref(loop);
    }
}

static void timers_fire_in_order(void **state)
{
    tw_loop *loop;
    note a, b, c;

    (void)state;
    fake_time_begin();
    loop = by_hand();
    a = note_of(loop, 'a');
    b = note_of(loop, 'b');
    c = note_of(loop, 'c');
    tw__timer_arm(loop, &c.timer, tw__monotonic_ms() + 30);
    tw__timer_arm(loop, &a.timer, tw__monotonic_ms() + 10);
    tw__timer_arm(loop, &b.timer, tw__monotonic_ms() + 20);
    tw__loop_turn(loop, 0);
    assert_string_equal(log_text, "");
    fake_time_pass(10);
    tw__loop_turn(loop, 0);
    assert_string_equal(log_text, "a");
    tw__timer_arm(loop, &b.timer, tw__monotonic_ms() + 100); /* moves */
    tw__timer_disarm(loop, &a.timer);                        /* does nothing */
    fake_time_pass(50);
    tw__loop_turn(loop, 0);
    assert_string_equal(log_text, "ac");
    /* One armed for the moment it fires at waits for the next turn; a day late fires once. */
    a.again = 1;
    tw__timer_arm(loop, &a.timer, tw__monotonic_ms());
    tw__timer_disarm(loop, &b.timer);
    fake_time_pass(86400000);
    tw__loop_turn(loop, 0);
    assert_string_equal(log_text, "aca");
    tw__loop_turn(loop, 0);
    assert_string_equal(log_text, "acaa");
    tw__loop_close(loop);
    tw__loop_unref(loop);
    fake_time_end();
}

/* The heap against a plain search, over many random moves. */
static void the_heap_keeps_its_order(void **state)
{
    enum { N = 200 };
    static note nt[N];
    tw_loop *loop;
    unsigned seed = 12345;
    int i, step;

    (void)state;
    fake_time_begin();
    loop = by_hand();
    for (i = 0; i < N; i++)
        nt[i] = note_of(loop, 'x');
    for (step = 0; step < 20000; step++) {
        int64_t least = INT64_MAX, due;
        int armed = 0;

        seed = seed * 1103515245u + 12345u;
        i = (int)(seed >> 8) % N;
        due = tw__monotonic_ms() + 1 + (int64_t)((seed >> 16) % 1000);
        if ((seed >> 4) % 3 == 0)
            tw__timer_disarm(loop, &nt[i].timer);
        else
            assert_int_equal(tw__timer_arm(loop, &nt[i].timer, due), TW_OK);
        if (step % 50 != 0)
            continue;
        for (i = 0; i < N; i++) {
            if (nt[i].timer.slot != 0 && nt[i].timer.due_ms < least)
                least = nt[i].timer.due_ms;
        }
        for (i = 0; i < N; i++)
            armed += nt[i].timer.slot != 0 && nt[i].timer.due_ms == least;
        if (armed == 0)
            continue;
        memset(log_text, 0, sizeof log_text);
        fake_time_pass(least - 1 - tw__monotonic_ms());
        tw__loop_turn(loop, 0);
        assert_int_equal(strlen(log_text), 0);
        fake_time_pass(1);
        tw__loop_turn(loop, 0);
        assert_int_equal(strlen(log_text), armed);
    }
    tw__loop_close(loop);
    tw__loop_unref(loop);
    fake_time_end();
}

static void timer_without_memory_is_an_error(void **state)
{
    tw_loop *loop = by_hand();
    note a = note_of(loop, 'a');
    long held;

    (void)state;
    oom_begin(0);
    assert_int_equal(tw__timer_arm(loop, &a.timer, 1), TW_E_NOMEM);
    oom_end(&held);
    assert_int_equal(a.timer.slot, 0);
    tw__loop_close(loop);
    tw__loop_unref(loop);
}

/* ---- with a thread -------------------------------------------------------------------------- */

static void run_probe(tw_task *task)
{
    note *nt = TW_CONTAINER(task, note, task);
    sigset_t mask;
    int sig;

    nt->thread = pthread_self();
    nt->mask_full = 1;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (sig = 1; sig < 32; sig++) {
        if (sig != SIGKILL && sig != SIGSTOP && !sigismember(&mask, sig))
            nt->mask_full = 0;
    }
    sem_post(nt->done);
}

static void fire_probe(tw_timer *timer)
{
    note *nt = TW_CONTAINER(timer, note, timer);

    sem_post(nt->done);
}

static void the_thread_starts_with_all_signals_blocked(void **state)
{
    tw_loop *loop;
    sem_t done;
    note a;
    int i;

    (void)state;
    sem_init(&done, 0, 0);
    assert_int_equal(tw__loop_new(&loop, NULL, NULL, 0, NULL), TW_OK);
    a = note_of(loop, 'a');
    a.done = &done;
    a.task.run = run_probe;
    for (i = 0; i < 200; i++) { /* asleep or not, each post wakes it */
        assert_int_equal(tw__loop_post(loop, &a.task), TW_OK);
        sem_wait(&done);
    }
    assert_true(a.mask_full);
    assert_false(pthread_equal(a.thread, pthread_self()));
    tw__loop_close(loop);
    assert_int_equal(tw__loop_post(loop, &a.task), TW_E_CLOSED);
    tw__loop_close(loop);
    tw__loop_unref(loop);
    sem_destroy(&done);
}

static void run_arm(tw_task *task)
{
    note *nt = TW_CONTAINER(task, note, task);

    tw__timer_arm(nt->loop, &nt->timer, tw__monotonic_ms() + 5);
}

static void the_thread_wakes_for_its_timers(void **state)
{
    tw_loop *loop;
    sem_t done;
    note a;

    (void)state;
    sem_init(&done, 0, 0);
    assert_int_equal(tw__loop_new(&loop, NULL, NULL, 0, NULL), TW_OK);
    a = note_of(loop, 'a');
    a.done = &done;
    a.task.run = run_arm;
    a.timer.fire = fire_probe;
    assert_int_equal(tw__loop_post(loop, &a.task), TW_OK);
    sem_wait(&done);
    tw__loop_close(loop);
    tw__loop_unref(loop);
    sem_destroy(&done);
}

enum { POSTERS = 4, POSTS = 2000 };
static atomic_int runs;

static void run_count(tw_task *task)
{
    (void)task;
    atomic_fetch_add(&runs, 1);
}

static void *poster(void *arg)
{
    tw_loop *loop = arg;
    static _Thread_local tw_task tasks[POSTS];
    int i;

    for (i = 0; i < POSTS; i++) {
        tasks[i].run = run_count;
        if (tw__loop_post(loop, &tasks[i]) != TW_OK)
            return arg;
    }
    while (atomic_load(&runs) < POSTERS * POSTS) /* the tasks are this thread's */
        sched_yield();
    return NULL;
}

static void every_post_of_every_thread_runs(void **state)
{
    pthread_t threads[POSTERS];
    tw_loop *loop;
    int i;

    (void)state;
    atomic_store(&runs, 0);
    assert_int_equal(tw__loop_new(&loop, NULL, NULL, 0, NULL), TW_OK);
    for (i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, poster, loop), 0);
    for (i = 0; i < POSTERS; i++) {
        void *bad;

        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    assert_int_equal(atomic_load(&runs), POSTERS * POSTS);
    tw__loop_close(loop);
    tw__loop_unref(loop);
}

static void close_runs_what_is_queued(void **state)
{
    static tw_task tasks[100];
    tw_loop *loop;
    int i;

    (void)state;
    atomic_store(&runs, 0);
    assert_int_equal(tw__loop_new(&loop, NULL, NULL, 0, NULL), TW_OK);
    for (i = 0; i < 100; i++) {
        tasks[i].run = run_count;
        assert_int_equal(tw__loop_post(loop, &tasks[i]), TW_OK);
    }
    tw__loop_close(loop);
    assert_int_equal(atomic_load(&runs), 100);
    tw__loop_unref(loop);
}

static void note_close(void *ctx)
{
    *(int *)ctx += 1;
}

static void a_loop_never_used_closes_in_the_caller(void **state)
{
    tw_loop *loop;
    int closed = 0;

    (void)state;
    assert_int_equal(tw__loop_new(&loop, NULL, NULL, 0, NULL), TW_OK);
    tw__loop_on_close(loop, note_close, &closed);
    tw__loop_close(loop);
    tw__loop_close(loop);
    assert_int_equal(closed, 1);
    tw__loop_unref(loop);
}

/* A process that may not have more threads: posting says so, and works once it may. */
static int thread_limit_child(void)
{
    struct rlimit limit, none;
    tw_loop *loop;
    sem_t done;
    note a;
    int bad = 0;

    if (getuid() == 0 && setuid(65534) != 0) /* the limit does not bind root */
        return 77;
    getrlimit(RLIMIT_NPROC, &limit);
    none = limit;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NPROC, &none);
    sem_init(&done, 0, 0);
    if (tw__loop_new(&loop, NULL, NULL, 0, NULL) != TW_OK)
        return 2;
    a = note_of(loop, 'a');
    a.done = &done;
    a.task.run = run_probe;
    bad |= tw__loop_post(loop, &a.task) != TW_E_NETWORK;
    bad |= !a.task.queued;
    setrlimit(RLIMIT_NPROC, &limit);
    bad |= tw__loop_post(loop, &a.task) != TW_OK;
    if (!bad)
        sem_wait(&done);
    tw__loop_close(loop);
    tw__loop_unref(loop);
    return bad;
}

static void a_thread_that_cannot_start_is_tried_again(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0)
        _exit(thread_limit_child());
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_child_cannot_post(void **state)
{
    tw_loop *loop;
    note a;
    pid_t pid;
    int status;

    (void)state;
    assert_int_equal(tw__loop_new(&loop, NULL, NULL, 0, NULL), TW_OK);
    a = note_of(loop, 'a');
    pid = fork();
    if (pid == 0)
        _exit(tw__loop_post(loop, &a.task) == TW_E_FORKED ? 0 : 1);
    waitpid(pid, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    tw__loop_close(loop);
    tw__loop_unref(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_run_in_order_and_once),
        cmocka_unit_test(a_task_that_posts_itself_waits_a_turn),
        cmocka_unit_test(withdrawn_tasks_do_not_run),
        cmocka_unit_test(timers_fire_in_order),
        cmocka_unit_test(the_heap_keeps_its_order),
        cmocka_unit_test(timer_without_memory_is_an_error),
        cmocka_unit_test(the_thread_starts_with_all_signals_blocked),
        cmocka_unit_test(the_thread_wakes_for_its_timers),
        cmocka_unit_test(every_post_of_every_thread_runs),
        cmocka_unit_test(close_runs_what_is_queued),
        cmocka_unit_test(a_loop_never_used_closes_in_the_caller),
        cmocka_unit_test(a_thread_that_cannot_start_is_tried_again),
        cmocka_unit_test(a_child_cannot_post),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
