/* SPDX-License-Identifier: MIT */
/* A fork waits for who is inside the gate, and both sides can enter afterwards. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/fork_gate.h"

enum { ROUNDS = 50, TURNS = 100 };

static atomic_int inside;
static sem_t entered, about_to_fork, forked;

/* Goes in, and out again when the other thread is about to fork or has. Ends after the fork:
 * to the thread sanitizer one that ended before it is one that the child never joins. */
static void *visitor(void *arg)
{
    int i;

    (void)arg;
    tw__fork_gate_enter();
    tw__fork_gate_enter(); /* nested */
    atomic_store(&inside, 1);
    sem_post(&entered);
    sem_wait(&about_to_fork);
    for (i = 0; i < TURNS; i++)
        sched_yield();
    tw__fork_gate_leave();
    atomic_store(&inside, 0);
    tw__fork_gate_leave();
    sem_wait(&forked);
    return NULL;
}

static int child(void)
{
    int was_inside = atomic_load(&inside);

    alarm(20); /* instead of a hang */
    tw__fork_gate_enter();
    tw__fork_gate_leave();
    return was_inside;
}

static void a_fork_waits_for_who_is_inside(void **state)
{
    int i;

    (void)state;
    sem_init(&entered, 0, 0);
    sem_init(&about_to_fork, 0, 0);
    sem_init(&forked, 0, 0);
    for (i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        int status;
        pid_t pid;

        assert_int_equal(pthread_create(&thread, NULL, visitor, NULL), 0);
        sem_wait(&entered);
        sem_post(&about_to_fork);
        pid = fork();
        if (pid == 0)
            _exit(child());
        sem_post(&forked);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        pthread_join(thread, NULL);
        tw__fork_gate_enter();
        tw__fork_gate_leave();
    }
}

/* Whoever forks while it is inside itself does not wait for itself. */
static void who_is_inside_may_fork(void **state)
{
    int status;
    pid_t pid;

    (void)state;
    tw__fork_gate_enter();
    pid = fork();
    if (pid == 0) {
        alarm(20);
        tw__fork_gate_leave();
        _exit(0);
    }
    tw__fork_gate_leave();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fork_waits_for_who_is_inside),
        cmocka_unit_test(who_is_inside_may_fork),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
