/* SPDX-License-Identifier: MIT */
/* Descriptors that a forked child must not keep. */
#define _GNU_SOURCE
#include "base/fd.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A table by number in pages made when they are needed and never given back. No lock: one could be
 * held by another thread at the fork. Numbers beyond the last page are not noted. */
enum { PAGE_FDS = 256, PAGES = 4096 };

typedef struct fd_entry {
    dev_t device;
    ino_t inode;
    atomic_int owned; /* written after the others */
} fd_entry;

static _Atomic(fd_entry *) pages[PAGES];
static atomic_int past; /* one past the highest page that was made */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void hook(void)
{
    /* Where it fails, which takes a lack of memory, children keep the copies until they end. */
    (void)pthread_atfork(NULL, NULL, tw__fd_child);
}

static fd_entry *page_make(int number)
{
    size_t size = PAGE_FDS * sizeof(fd_entry);
    fd_entry *none = NULL;
    fd_entry *page =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int before = atomic_load(&past);

    if (page == MAP_FAILED)
        return NULL;
    if (!atomic_compare_exchange_strong(&pages[number], &none, page)) {
        munmap(page, size);
        page = none;
    }
    while (before <= number &&
           !atomic_compare_exchange_weak(&past, &before, number + 1)) {
    }
    return page;
}

static fd_entry *entry_of(int fd, int make)
{
    fd_entry *page;

    if (fd / PAGE_FDS >= PAGES)
        return NULL;
    page = atomic_load(&pages[fd / PAGE_FDS]);
    if (page == NULL && make)
        page = page_make(fd / PAGE_FDS);
    return page != NULL ? &page[fd % PAGE_FDS] : NULL;
}

int tw__fd_own(int fd)
{
    int before = errno;
    fd_entry *entry;
    struct stat st;

    if (fd < 0)
        return fd;
    pthread_once(&once, hook);
    entry = entry_of(fd, 1);
    if (entry != NULL && fstat(fd, &st) == 0) {
        /* Another thread may have had the number before: what it did to the entry is over. */
        (void)atomic_load_explicit(&entry->owned, memory_order_acquire);
        entry->device = st.st_dev;
        entry->inode = st.st_ino;
        atomic_store_explicit(&entry->owned, 1, memory_order_release);
    }
    errno = before;
    return fd;
}

int tw__fd_close(int fd)
{
    fd_entry *entry = fd >= 0 ? entry_of(fd, 0) : NULL;

    if (entry != NULL)
        atomic_store(&entry->owned, 0); /* before the number is free for others */
    return close(fd);
}

/* Calls only what a signal handler may. The kernel copies descriptors before memory: while it
 * did so another thread may have opened and noted a number that is none in here, or somebody
 * else's. So the file behind it must be the one that was noted. */
void tw__fd_child(void)
{
    int before = errno;
    int last = atomic_load(&past) * PAGE_FDS;
    int fd;

    for (fd = 0; fd < last; fd++) {
        fd_entry *entry = entry_of(fd, 0);
        struct stat st;

        if (entry == NULL || !atomic_load_explicit(&entry->owned, memory_order_acquire))
            continue;
        atomic_store(&entry->owned, 0);
        if (fstat(fd, &st) == 0 && st.st_dev == entry->device &&
            st.st_ino == entry->inode)
            close(fd);
    }
    errno = before;
}
