/* SPDX-License-Identifier: MIT */
/* A folder in memory behind the spool's seam: fails on demand, records every change, and builds
 * the folders that a power cut may leave. */
#ifndef TW_TEST_SIM_DISK_H
#define TW_TEST_SIM_DISK_H

#include "ingest/spool.h"

enum { SIM_INODES = 512, SIM_FDS = 256, SIM_NAMES = 256 };

typedef enum sim_kind {
    SIM_WRITE,
    SIM_TRUNCATE,
    SIM_SYNC,
    SIM_CREATE,
    SIM_UNLINK,
    SIM_RENAME,
    SIM_DIR_SYNC
} sim_kind;

typedef struct sim_op {
    sim_kind kind;
    int inode;
    int poisoned; /* a sync of it failed: no later one makes it durable */
    uint64_t at;
    size_t size;
    char *data;
    char name[64];
    char to[64];
} sim_op;

typedef struct sim_inode {
    char *data;
    size_t size;
    int locked; /* by a descriptor */
} sim_inode;

typedef struct sim_name {
    char name[64];
    int inode;
} sim_name;

/* What the disk (or a careless program above it) does wrong. */
typedef enum sim_mutant {
    SIM_HONEST,
    SIM_NO_SEGMENT_SYNC,
    SIM_NO_NOTES_SYNC,
    SIM_NO_SPARE_SYNC,
    SIM_NO_DIR_SYNC,
    SIM_NOTES_FIRST, /* acknowledgements removed before the records */
    SIM_RETRY_SYNC   /* a failed sync is repeated and believed */
} sim_mutant;

/* How much of what was not synced is on the disk. */
typedef enum sim_crash {
    SIM_KEEP_ALL,
    SIM_DROP_ALL,
    SIM_DROP_DATA,
    SIM_DROP_NAMES,
    SIM_TORN_SECTOR,
    SIM_TORN_BYTE,
    SIM_ZEROS,
    SIM_RANDOM,
    SIM_CRASHES
} sim_crash;

typedef struct sim_disk {
    sim_inode inodes[SIM_INODES];
    int inode_count;
    sim_name names[SIM_NAMES];
    int name_count;
    struct {
        int inode;
        int used;
        char name[64];
    } fds[SIM_FDS];
    sim_op *ops;
    size_t op_count, op_room;
    sim_mutant mutant;
    char held_back[64]; /* a removal that SIM_NOTES_FIRST delays */
    /* The calls from the fail_at-th on (from 1), fail_count of them, fail with fail_why; 0
     * makes writes short instead. */
    unsigned calls, fail_at, fail_count;
    int fail_why;
    const char *fail_name; /* part of the name a failing sync must have; NULL: any call */
    int lock_why;
    unsigned mode, owner;
} sim_disk;

sim_disk *sim_new(void);
void sim_free(sim_disk *disk);
tw_spool_sys sim_sys(sim_disk *disk);
/* The disk after a power cut behind the first `ops` changes. */
sim_disk *sim_crashed(const sim_disk *disk, size_t ops, sim_crash how, uint64_t seed);
/* NULL where there is none. */
sim_inode *sim_file(sim_disk *disk, const char *name);
uint64_t sim_random(uint64_t *state);

#endif
