/* SPDX-License-Identifier: MIT */
/* Ingestion with a spool: on the real disk, or on one whose power the test cuts. */
#ifndef TW_TESTS_SPOOL_WORLD_H
#define TW_TESTS_SPOOL_WORLD_H

#include "../ingest_world.h"
#include "folder.h"

static void spool_set(world *w, const char *path, uint64_t bytes)
{
    w->set.spool = path;
    w->set.spool_bytes = bytes;
    memcpy(w->set.project, "project-number-1", 16);
}

/* A process begins, with what earlier ones left. */
static void spool_start(world *w)
{
    start(w);
    tw__ingest_start(w->ing);
    fake_run(&w->gate);
}

/* On the real disk, in a folder of this name. */
static int disk_setup_as(void **state, const char *name)
{
    world *w;

    snprintf(folder, sizeof folder, "/tmp/tw-%s-%ld", name, (long)getpid());
    folder_remove();
    world_setup(state);
    w = *state;
    spool_set(w, folder, 1 << 30);
    w->set.sync_interval_ms = 200;
    return 0;
}

static int disk_teardown(void **state)
{
    world *w = *state;

    if (w->ing != NULL)
        world_end(w);
    world_teardown(state);
    folder_remove();
    return 0;
}

/* Numbers of the events in the request on the wire must go up by one from `from`. */
static int in_order(const world *w, int from)
{
    const char *at = w->gate.call->body;
    const char *last = at + w->gate.call->size - 24;

    for (; at < last; at++) {
        int number;

        if (memcmp(at, "\"user_id\":\"user-", 16) != 0)
            continue;
        number = (int)strtol(at + 16, NULL, 10);
        if (number != from)
            fail_msg("%d came instead of %d", number, from);
        from++;
    }
    return from;
}

#endif
