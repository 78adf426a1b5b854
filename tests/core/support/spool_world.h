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

#endif
