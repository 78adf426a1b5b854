/* SPDX-License-Identifier: MIT */
/* The spool's system calls, and what is done about interruptions and short counts. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "ingest/spool_internal.h"

/* ---- the system's seam ---------------------------------------------------------------- */

static int result(int rc)
{
    return rc < 0 ? -errno : rc;
}

/* A folder that was just made is lost with the power unless its parent is synced. */
static int parent_sync(const char *path)
{
    char parent[4096];
    size_t size = strlen(path);
    int fd;
    int rc;

    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    if (size >= sizeof parent)
        return -ENAMETOOLONG;
    if (size == 0)
        parent[size++] = '.';
    else
        memcpy(parent, path, size);
    parent[size] = '\0';
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    rc = result(fsync(fd));
    close(fd);
    return rc;
}

static int system_dir_open(void *ctx, const char *path)
{
    int made = mkdir(path, 0700) == 0;
    int rc;

    (void)ctx;
    if (!made && errno != EEXIST)
        return -errno;
    if (made) {
        rc = parent_sync(path);
        if (rc < 0 && rc != -EACCES && rc != -EINVAL)
            return rc;
    }
    return result(
        tw__fd_own(open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)));
}

static int system_dir_list(void *ctx, int dir, int (*each)(void *arg, const char *name),
                           void *arg)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent *entry;
    DIR *list;
    int rc = 0;

    (void)ctx;
    if (fd < 0)
        return -errno;
    list = fdopendir(fd);
    if (list == NULL) {
        rc = -errno;
        close(fd);
        return rc;
    }
    for (;;) {
        errno = 0;
        entry = readdir(list);
        if (entry == NULL) {
            rc = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        rc = each(arg, entry->d_name);
        if (rc != 0)
            break;
    }
    closedir(list);
    return rc;
}

static int system_dir_sync(void *ctx, int dir)
{
    (void)ctx;
    return result(fsync(dir));
}

static int system_open(void *ctx, int dir, const char *name, int flags)
{
    (void)ctx;
    /* O_NONBLOCK: a stranger's FIFO under one of our names must not hold us up. */
    return result(
        tw__fd_own(openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600)));
}

static int system_close(void *ctx, int fd)
{
    (void)ctx;
    return result(tw__fd_close(fd));
}

static ssize_t system_pread(void *ctx, int fd, void *bytes, size_t size, uint64_t at)
{
    ssize_t n = pread(fd, bytes, size, (off_t)at);

    (void)ctx;
    return n < 0 ? -errno : n;
}

/* Past the limit of file sizes the kernel does not only refuse, it sends SIGXFSZ, which kills
 * a host that does not expect it. */
static int within_limit(uint64_t size)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
           size <= limit.rlim_cur;
}

static ssize_t system_pwrite(void *ctx, int fd, const void *bytes, size_t size,
                             uint64_t at)
{
    ssize_t n;

    (void)ctx;
    if (!within_limit(at + size))
        return -EFBIG;
    n = pwrite(fd, bytes, size, (off_t)at);
    return n < 0 ? -errno : n;
}

static int system_datasync(void *ctx, int fd)
{
    (void)ctx;
    return result(fdatasync(fd));
}

static int system_truncate(void *ctx, int fd, uint64_t size)
{
    (void)ctx;
    return result(ftruncate(fd, (off_t)size));
}

static int system_allocate(void *ctx, int fd, uint64_t size)
{
    (void)ctx;
    if (!within_limit(size))
        return -EFBIG;
    return result(fallocate(fd, 0, 0, (off_t)size));
}

static int system_rename(void *ctx, int dir, const char *from, const char *to)
{
    (void)ctx;
    return result(renameat(dir, from, dir, to));
}

static int system_unlink(void *ctx, int dir, const char *name)
{
    (void)ctx;
    return result(unlinkat(dir, name, 0));
}

static int stat_copy(tw_spool_stat *out, int rc, const struct stat *st)
{
    if (rc < 0)
        return -errno;
    out->inode = st->st_ino;
    out->size = st->st_size < 0 ? 0 : (uint64_t)st->st_size;
    out->links = (unsigned)st->st_nlink;
    out->mode = st->st_mode;
    out->owner = st->st_uid;
    return 0;
}

static int system_stat(void *ctx, int fd, tw_spool_stat *out)
{
    struct stat st;

    (void)ctx;
    memset(&st, 0, sizeof st);
    return stat_copy(out, fstat(fd, &st), &st);
}

static int system_stat_at(void *ctx, int dir, const char *name, tw_spool_stat *out)
{
    struct stat st;

    (void)ctx;
    memset(&st, 0, sizeof st);
    return stat_copy(out, fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), &st);
}

/* flock belongs to the open file, not to the process: two clients of one process exclude each
 * other, and closing some other descriptor of the file does not free it. */
static int system_lock(void *ctx, int fd)
{
    (void)ctx;
    return result(flock(fd, LOCK_EX | LOCK_NB));
}

const tw_spool_sys tw__spool_system = {NULL,
                                       system_dir_open,
                                       system_dir_list,
                                       system_dir_sync,
                                       system_open,
                                       system_close,
                                       system_pread,
                                       system_pwrite,
                                       system_datasync,
                                       system_truncate,
                                       system_allocate,
                                       system_rename,
                                       system_unlink,
                                       system_stat,
                                       system_stat_at,
                                       system_lock};

/* ---- above the seam -------------------------------------------------------------------- */

int tw__spool_read_all(tw_spool *sp, int fd, void *bytes, size_t size, uint64_t at,
                       size_t *got)
{
    ssize_t n;

    *got = 0;
    while (*got < size) {
        n = sp->sys.pread(sp->sys.ctx, fd, (char *)bytes + *got, size - *got, at + *got);
        if (n == -EINTR)
            continue;
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return 0;
}

int tw__spool_write_all(tw_spool *sp, int fd, const void *bytes, size_t size, uint64_t at)
{
    size_t done = 0;
    ssize_t n;

    while (done < size) {
        n = sp->sys.pwrite(sp->sys.ctx, fd, (const char *)bytes + done, size - done,
                           at + done);
        if (n == -EINTR)
            continue;
        if (n < 0)
            return (int)n;
        if (n == 0)
            return -ENOSPC;
        done += (size_t)n;
    }
    return 0;
}

/* An interrupted call has not failed; any other error is final, because the kernel forgets the
 * pages it could not write and the next sync would report success. */
int tw__spool_data_sync(tw_spool *sp, int fd)
{
    int rc;

    do {
        rc = sp->sys.datasync(sp->sys.ctx, fd);
    } while (rc == -EINTR);
    return rc;
}

int tw__spool_file_sync(tw_spool *sp, const tw_lane *lane, const tw_segment *seg,
                        tw_spool_file kind)
{
    char name[TW_SPOOL_NAME];
    tw_spool_stat st;
    int rc = tw__spool_data_sync(sp, kind == TW_FILE_NOTES ? seg->notes_fd : seg->fd);

    tw__spool_name(name, sp, lane->id, seg->first, kind);
    if (rc == 0 && sp->sys.stat_at(sp->sys.ctx, sp->dir, name, &st) == -ENOENT)
        rc = -ENOENT;
    return rc;
}

int tw__spool_dir_sync(tw_spool *sp)
{
    int rc;

    do {
        rc = sp->sys.dir_sync(sp->sys.ctx, sp->dir);
    } while (rc == -EINTR);
    return rc;
}

int tw__spool_truncate(tw_spool *sp, int fd, uint64_t size)
{
    int rc;

    do {
        rc = sp->sys.truncate(sp->sys.ctx, fd, size);
    } while (rc == -EINTR);
    return rc;
}

int tw__spool_allocate(tw_spool *sp, int fd, uint64_t size)
{
    int rc;

    do {
        rc = sp->sys.allocate(sp->sys.ctx, fd, size);
    } while (rc == -EINTR);
    return rc;
}

int tw__spool_open_file(tw_spool *sp, const char *name, int flags)
{
    int rc;

    do {
        rc = sp->sys.open(sp->sys.ctx, sp->dir, name, flags);
    } while (rc == -EINTR);
    return rc;
}

int tw__spool_unlink(tw_spool *sp, const char *name)
{
    int rc;

    do {
        rc = sp->sys.unlink(sp->sys.ctx, sp->dir, name);
    } while (rc == -EINTR);
    return rc == -ENOENT ? 0 : rc;
}

int tw__spool_rename(tw_spool *sp, const char *from, const char *to)
{
    int rc;

    do {
        rc = sp->sys.rename(sp->sys.ctx, sp->dir, from, to);
    } while (rc == -EINTR);
    return rc;
}

void tw__spool_close(tw_spool *sp, int *fd)
{
    if (*fd >= 0)
        sp->sys.close(sp->sys.ctx, *fd); /* never repeated: the number is free already */
    *fd = -1;
}

int tw__spool_fail(tw_error **err, const tw_spool *sp, int why, const char *what)
{
    char text[96];

    if (why == -ENOMEM)
        return tw__error_nomem(err);
    return tw__error(err, TW_E_QUEUE_FULL, "spool %s: %s: %s", sp->path, what,
                     strerror_r(-why, text, sizeof text));
}
