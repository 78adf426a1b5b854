/* SPDX-License-Identifier: MIT */
/* Keeps a fork from happening while a thread of ours is inside a library that has locks of
 * its own. */
#define _GNU_SOURCE
#include "net/fork_gate.h"

#include <pthread.h>

static struct {
    pthread_mutex_t lock;
    pthread_cond_t quiet; /* nobody is inside */
    pthread_cond_t over;  /* no fork waits */
    unsigned inside;
    unsigned forks; /* that wait */
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER,
          0, 0};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local unsigned depth; /* how often this thread is inside */

/* The lock is held over the fork, so that the child finds nothing half done. */
static void fork_prepare(void)
{
    unsigned mine = depth != 0;

    pthread_mutex_lock(&gate.lock);
    gate.forks++;
    while (gate.inside > mine)
        pthread_cond_wait(&gate.quiet, &gate.lock);
    gate.forks--;
}

static void fork_parent(void)
{
    pthread_cond_broadcast(&gate.over);
    pthread_mutex_unlock(&gate.lock);
}

/* Those who waited are not in the child. */
static void fork_child(void)
{
    pthread_cond_init(&gate.quiet, NULL);
    pthread_cond_init(&gate.over, NULL);
    gate.forks = 0;
    pthread_mutex_unlock(&gate.lock);
}

static void hook(void)
{
    (void)pthread_atfork(fork_prepare, fork_parent, fork_child);
}

void tw__fork_gate_enter(void)
{
    pthread_once(&once, hook);
    if (depth++ != 0)
        return;
    pthread_mutex_lock(&gate.lock);
    while (gate.forks != 0)
        pthread_cond_wait(&gate.over, &gate.lock);
    gate.inside++;
    pthread_mutex_unlock(&gate.lock);
}

void tw__fork_gate_leave(void)
{
    if (--depth != 0)
        return;
    pthread_mutex_lock(&gate.lock);
    gate.inside--;
    if (gate.forks != 0)
        pthread_cond_broadcast(&gate.quiet);
    pthread_mutex_unlock(&gate.lock);
}
