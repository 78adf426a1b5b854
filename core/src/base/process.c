/* SPDX-License-Identifier: MIT */
/* The process id, cheap enough to check in every call. */
#define _GNU_SOURCE
#include "base/process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static _Atomic pid_t known;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int hooked;

/* Only a flag: more is not allowed after a fork of a program with threads. */
static void child_forget(void)
{
    atomic_store_explicit(&known, 0, memory_order_relaxed);
}

static void hook(void)
{
    hooked = pthread_atfork(NULL, NULL, child_forget) == 0;
}

pid_t tw__pid(void)
{
    pid_t pid = atomic_load_explicit(&known, memory_order_relaxed);

    if (pid != 0)
        return pid;
    pthread_once(&once, hook);
    pid = getpid();
    if (hooked)
        atomic_store_explicit(&known, pid, memory_order_relaxed);
    return pid;
}
