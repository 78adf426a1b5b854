/* SPDX-License-Identifier: MIT */
/* A folder in memory behind the spool's seam. */
#define _GNU_SOURCE
#include "support/sim_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_FD = 100000, FD_BASE = 1000, SECTOR = 512 };

uint64_t sim_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ---- the folder ------------------------------------------------------------------------ */

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

static void inode_write(sim_inode *inode, const char *data, size_t size, uint64_t at)
{
    if (size == 0)
        return;
    if (at + size > inode->size) {
        inode->data = must(realloc(inode->data, at + size));
        memset(inode->data + inode->size, 0, at + size - inode->size);
        inode->size = at + size;
    }
    if (data != NULL)
        memcpy(inode->data + at, data, size);
    else
        memset(inode->data + at, 0, size);
}

static void inode_truncate(sim_inode *inode, uint64_t size)
{
    if (size > inode->size)
        inode_write(inode, NULL, size - inode->size, inode->size);
    inode->size = size;
}

static sim_name *name_find(sim_disk *disk, const char *name)
{
    int i;

    for (i = 0; i < disk->name_count; i++) {
        if (strcmp(disk->names[i].name, name) == 0)
            return &disk->names[i];
    }
    return NULL;
}

sim_inode *sim_file(sim_disk *disk, const char *name)
{
    sim_name *entry = name_find(disk, name);

    return entry != NULL ? &disk->inodes[entry->inode] : NULL;
}

static void name_set(sim_disk *disk, const char *name, int inode)
{
    sim_name *entry = name_find(disk, name);

    if (entry == NULL) {
        if (disk->name_count == SIM_NAMES)
            abort();
        entry = &disk->names[disk->name_count++];
        snprintf(entry->name, sizeof entry->name, "%s", name);
    }
    entry->inode = inode;
}

static void name_remove(sim_disk *disk, const char *name)
{
    sim_name *entry = name_find(disk, name);

    if (entry != NULL)
        *entry = disk->names[--disk->name_count];
}

static sim_op *op_add(sim_disk *disk, sim_kind kind, int inode)
{
    sim_op *op;

    if (disk->op_count == disk->op_room) {
        disk->op_room = disk->op_room != 0 ? disk->op_room * 2 : 64;
        disk->ops = must(realloc(disk->ops, disk->op_room * sizeof *disk->ops));
    }
    op = &disk->ops[disk->op_count++];
    memset(op, 0, sizeof *op);
    op->kind = kind;
    op->inode = inode;
    return op;
}

/* ---- the seam -------------------------------------------------------------------------- */

/* Counts the call; nonzero when it is to fail. */
static int failing(sim_disk *disk, const char *name)
{
    if (disk->fail_name != NULL &&
        (name == NULL || strstr(name, disk->fail_name) == NULL))
        return 0;
    disk->calls++;
    return disk->fail_at != 0 && disk->calls >= disk->fail_at &&
           disk->calls - disk->fail_at < disk->fail_count;
}

#define FAIL(disk)                                                                     \
    do {                                                                               \
        if ((disk)->fail_name == NULL && failing(disk, NULL) && (disk)->fail_why != 0) \
            return -(disk)->fail_why;                                                  \
    } while (0)

static int sim_dir_open(void *ctx, const char *path)
{
    (void)path;
    FAIL((sim_disk *)ctx);
    return DIR_FD;
}

static int sim_dir_list(void *ctx, int dir, int (*each)(void *arg, const char *name),
                        void *arg)
{
    sim_disk *disk = ctx;
    int rc = 0;
    int i;

    (void)dir;
    FAIL(disk);
    for (i = 0; i < disk->name_count && rc == 0; i++)
        rc = each(arg, disk->names[i].name);
    return rc;
}

static int sim_dir_sync(void *ctx, int dir)
{
    sim_disk *disk = ctx;

    (void)dir;
    FAIL(disk);
    if (disk->mutant != SIM_NO_DIR_SYNC)
        (void)op_add(disk, SIM_DIR_SYNC, -1);
    return 0;
}

static int sim_open(void *ctx, int dir, const char *name, int flags)
{
    sim_disk *disk = ctx;
    sim_name *entry = name_find(disk, name);
    int inode;
    int fd;

    (void)dir;
    FAIL(disk);
    if (entry != NULL && (flags & O_EXCL) != 0)
        return -EEXIST;
    if (entry == NULL && (flags & O_CREAT) == 0)
        return -ENOENT;
    if (entry != NULL) {
        inode = entry->inode;
        if ((flags & O_TRUNC) != 0) {
            inode_truncate(&disk->inodes[inode], 0);
            (void)op_add(disk, SIM_TRUNCATE, inode);
        }
    } else {
        if (disk->inode_count == SIM_INODES)
            abort();
        inode = disk->inode_count++;
        name_set(disk, name, inode);
        snprintf(op_add(disk, SIM_CREATE, inode)->name, 64, "%s", name);
    }
    for (fd = 0; fd < SIM_FDS; fd++) {
        if (!disk->fds[fd].used) {
            disk->fds[fd].used = 1;
            disk->fds[fd].inode = inode;
            snprintf(disk->fds[fd].name, 64, "%s", name);
            return FD_BASE + fd;
        }
    }
    return -EMFILE;
}

static int sim_close(void *ctx, int fd)
{
    sim_disk *disk = ctx;
    sim_inode *inode;

    if (fd == DIR_FD)
        return 0;
    inode = &disk->inodes[disk->fds[fd - FD_BASE].inode];
    if (inode->locked == fd)
        inode->locked = 0;
    disk->fds[fd - FD_BASE].used = 0;
    return 0;
}

static ssize_t sim_pread(void *ctx, int fd, void *bytes, size_t size, uint64_t at)
{
    sim_disk *disk = ctx;
    sim_inode *inode = &disk->inodes[disk->fds[fd - FD_BASE].inode];

    if (disk->fail_name == NULL && failing(disk, NULL)) {
        if (disk->fail_why != 0)
            return -disk->fail_why;
        size = size > 1 ? size / 2 : size;
    }
    if (at >= inode->size)
        return 0;
    if (size > inode->size - at)
        size = inode->size - at;
    memcpy(bytes, inode->data + at, size);
    return (ssize_t)size;
}

static ssize_t sim_pwrite(void *ctx, int fd, const void *bytes, size_t size, uint64_t at)
{
    sim_disk *disk = ctx;
    int inode = disk->fds[fd - FD_BASE].inode;
    sim_op *op;

    if (disk->fail_name == NULL && failing(disk, NULL)) {
        if (disk->fail_why != 0)
            return -disk->fail_why;
        size = size > 1 ? size / 2 : size;
    }
    inode_write(&disk->inodes[inode], bytes, size, at);
    op = op_add(disk, SIM_WRITE, inode);
    op->at = at;
    op->size = size;
    op->data = must(malloc(size + 1));
    memcpy(op->data, bytes, size);
    return (ssize_t)size;
}

/* What was written since the last sync; names are the folder's. */
static void poison(sim_disk *disk, int inode)
{
    size_t i;

    for (i = disk->op_count; i-- > 0;) {
        if (disk->ops[i].inode != inode)
            continue;
        if (disk->ops[i].kind == SIM_SYNC)
            break;
        disk->ops[i].poisoned =
            disk->ops[i].kind == SIM_WRITE || disk->ops[i].kind == SIM_TRUNCATE;
    }
}

static int sim_datasync(void *ctx, int fd)
{
    static const char *const skipped[] = {[SIM_NO_SEGMENT_SYNC] = ".seg",
                                          [SIM_NO_NOTES_SYNC] = ".ack",
                                          [SIM_NO_SPARE_SYNC] = ".tmp"};
    sim_disk *disk = ctx;
    const char *name = disk->fds[fd - FD_BASE].name;
    int inode = disk->fds[fd - FD_BASE].inode;

    if (failing(disk, name) && disk->fail_why != 0) {
        poison(disk, inode);
        if (disk->mutant != SIM_RETRY_SYNC)
            return -disk->fail_why;
    }
    if (disk->mutant >= SIM_NO_SEGMENT_SYNC && disk->mutant <= SIM_NO_SPARE_SYNC &&
        strstr(name, skipped[disk->mutant]) != NULL)
        return 0;
    (void)op_add(disk, SIM_SYNC, inode);
    return 0;
}

static int sim_truncate(void *ctx, int fd, uint64_t size)
{
    sim_disk *disk = ctx;
    int inode = disk->fds[fd - FD_BASE].inode;

    FAIL(disk);
    inode_truncate(&disk->inodes[inode], size);
    op_add(disk, SIM_TRUNCATE, inode)->at = size;
    return 0;
}

static int sim_allocate(void *ctx, int fd, uint64_t size)
{
    sim_disk *disk = ctx;
    int inode = disk->fds[fd - FD_BASE].inode;

    FAIL(disk);
    if (size > disk->inodes[inode].size) {
        inode_truncate(&disk->inodes[inode], size);
        op_add(disk, SIM_TRUNCATE, inode)->at = size;
    }
    return 0;
}

static int sim_rename(void *ctx, int dir, const char *from, const char *to)
{
    sim_disk *disk = ctx;
    sim_name *entry = name_find(disk, from);
    sim_op *op;

    (void)dir;
    FAIL(disk);
    if (entry == NULL)
        return -ENOENT;
    op = op_add(disk, SIM_RENAME, entry->inode);
    snprintf(op->name, sizeof op->name, "%s", from);
    snprintf(op->to, sizeof op->to, "%s", to);
    name_set(disk, to, op->inode);
    name_remove(disk, from);
    return 0;
}

static int unlink_now(sim_disk *disk, const char *name)
{
    sim_name *entry = name_find(disk, name);

    if (entry == NULL)
        return -ENOENT;
    snprintf(op_add(disk, SIM_UNLINK, entry->inode)->name, 64, "%s", name);
    name_remove(disk, name);
    return 0;
}

static int sim_unlink(void *ctx, int dir, const char *name)
{
    sim_disk *disk = ctx;
    int rc;

    (void)dir;
    FAIL(disk);
    if (disk->mutant == SIM_NOTES_FIRST && strstr(name, ".seg") != NULL) {
        snprintf(disk->held_back, sizeof disk->held_back, "%s", name);
        return 0;
    }
    rc = unlink_now(disk, name);
    if (disk->held_back[0] != '\0' && strstr(name, ".ack") != NULL) {
        (void)unlink_now(disk, disk->held_back);
        disk->held_back[0] = '\0';
    }
    return rc;
}

static int sim_stat(void *ctx, int fd, tw_spool_stat *out)
{
    sim_disk *disk = ctx;

    FAIL(disk);
    memset(out, 0, sizeof *out);
    out->owner = disk->owner;
    out->mode = disk->mode;
    out->links = 1;
    if (fd == DIR_FD)
        return 0;
    out->mode = S_IFREG | 0600;
    out->inode = (uint64_t)disk->fds[fd - FD_BASE].inode;
    out->size = disk->inodes[out->inode].size;
    return 0;
}

static int sim_stat_at(void *ctx, int dir, const char *name, tw_spool_stat *out)
{
    sim_disk *disk = ctx;
    sim_name *entry = name_find(disk, name);

    (void)dir;
    FAIL(disk);
    if (entry == NULL)
        return -ENOENT;
    memset(out, 0, sizeof *out);
    out->mode = S_IFREG | 0600;
    out->inode = (uint64_t)entry->inode;
    out->size = disk->inodes[entry->inode].size;
    return 0;
}

static int sim_lock(void *ctx, int fd)
{
    sim_disk *disk = ctx;
    sim_inode *inode = &disk->inodes[disk->fds[fd - FD_BASE].inode];

    FAIL(disk);
    if (disk->lock_why != 0)
        return -disk->lock_why;
    if (inode->locked != 0 && inode->locked != fd)
        return -EWOULDBLOCK;
    inode->locked = fd;
    return 0;
}

tw_spool_sys sim_sys(sim_disk *disk)
{
    tw_spool_sys sys = {disk,         sim_dir_open, sim_dir_list, sim_dir_sync,
                        sim_open,     sim_close,    sim_pread,    sim_pwrite,
                        sim_datasync, sim_truncate, sim_allocate, sim_rename,
                        sim_unlink,   sim_stat,     sim_stat_at,  sim_lock};

    return sys;
}

sim_disk *sim_new(void)
{
    sim_disk *disk = must(calloc(1, sizeof *disk));

    disk->mode = S_IFDIR | 0700;
    disk->owner = (unsigned)geteuid();
    return disk;
}

void sim_free(sim_disk *disk)
{
    size_t i;

    for (i = 0; i < SIM_INODES; i++)
        free(disk->inodes[i].data);
    for (i = 0; i < disk->op_count; i++)
        free(disk->ops[i].data);
    free(disk->ops);
    free(disk);
}

/* ---- power cuts ------------------------------------------------------------------------ */

/* Whether something behind the op made it durable. */
static int durable(const sim_disk *disk, size_t ops, size_t at)
{
    const sim_op *op = &disk->ops[at];
    int data = op->kind == SIM_WRITE || op->kind == SIM_TRUNCATE;

    if (op->poisoned)
        return 0;
    for (at++; at < ops; at++) {
        if (data ? disk->ops[at].kind == SIM_SYNC && disk->ops[at].inode == op->inode
                 : disk->ops[at].kind == SIM_DIR_SYNC)
            return 1;
    }
    return 0;
}

static void op_apply(sim_disk *out, const sim_op *op, const char *data, size_t size)
{
    if (op->inode >= out->inode_count)
        out->inode_count = op->inode + 1;
    if (op->kind == SIM_WRITE)
        inode_write(&out->inodes[op->inode], data, size, op->at);
    else if (op->kind == SIM_TRUNCATE)
        inode_truncate(&out->inodes[op->inode], op->at);
    else if (op->kind == SIM_CREATE)
        name_set(out, op->name, op->inode);
    else if (op->kind == SIM_UNLINK)
        name_remove(out, op->name);
    else if (op->kind == SIM_RENAME) {
        name_remove(out, op->name);
        name_set(out, op->to, op->inode);
    }
}

static void op_crash(sim_disk *out, const sim_op *op, sim_crash how, uint64_t *seed)
{
    int data = op->kind == SIM_WRITE || op->kind == SIM_TRUNCATE;
    size_t size = op->size;
    size_t kept;

    if (how == SIM_DROP_ALL || (how == SIM_DROP_DATA && data) ||
        (how == SIM_DROP_NAMES && !data))
        return;
    if (how == SIM_RANDOM && (sim_random(seed) >> 20 & 1) != 0)
        return;
    if (op->kind == SIM_WRITE && size != 0) {
        if (how == SIM_ZEROS) {
            op_apply(out, op, NULL, size);
            return;
        }
        kept = (size_t)(sim_random(seed) >> 11) % (size + 1);
        if (how == SIM_TORN_SECTOR) {
            kept = (op->at + kept) / SECTOR * SECTOR;
            kept = kept > op->at ? kept - op->at : 0;
        }
        if (how == SIM_TORN_SECTOR || how == SIM_TORN_BYTE)
            size = kept;
    }
    op_apply(out, op, op->data, size);
}

sim_disk *sim_crashed(const sim_disk *disk, size_t ops, sim_crash how, uint64_t seed)
{
    sim_disk *out = sim_new();
    size_t i;

    seed = seed * 0x9E3779B97F4A7C15U + 0x1234567;
    for (i = 0; i < ops; i++) {
        const sim_op *op = &disk->ops[i];

        if (how == SIM_KEEP_ALL || durable(disk, ops, i))
            op_apply(out, op, op->data, op->size);
        else
            op_crash(out, op, how, &seed);
    }
    return out;
}
