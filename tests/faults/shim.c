/* SPDX-License-Identifier: MIT */
/* LD_PRELOAD: makes system calls of the spool, name look-ups and threads fail as TW_SHIM says.
 *
 * TW_SHIM is rules between semicolons: CALL:KEY=VALUE:… where CALL is the name of one of the
 * functions below, or `disk` for all of them that change files of a spool, and the keys are
 *   error=NAME   the errno it fails with (ENOSPC, EIO, …)
 *   short=1      half of the bytes are written
 *   kill=1       SIGKILL, before the call is made; kill=2: after it
 *   nth=N        the first call concerned (1)
 *   count=N      how many are concerned (1; 0: all from the first on)
 *   stall=S      seconds it takes longer
 *   list=A,B     getaddrinfo: these addresses
 *
 * The name of each call that a rule concerned is written to the file that TW_SHIM_LOG names.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { RULES = 16 };

static struct rule {
    char call[24], list[128];
    int error, shorten, kill_when;
    long nth, count, stall;
    _Atomic long seen;
} rules[RULES];
static int rule_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const struct {
    const char *name;
    int value;
} ERRORS[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EDQUOT", EDQUOT},
              {"EROFS", EROFS},   {"EACCES", EACCES}, {"EINTR", EINTR},
              {"EMFILE", EMFILE}, {"EFBIG", EFBIG},   {"ENOLCK", ENOLCK},
              {"EAGAIN", EAGAIN}, {"ENOMEM", ENOMEM}};

static void set_key(struct rule *r, const char *key, const char *value)
{
    if (strcmp(key, "nth") == 0)
        r->nth = strtol(value, NULL, 10);
    else if (strcmp(key, "count") == 0)
        r->count = strtol(value, NULL, 10);
    else if (strcmp(key, "stall") == 0)
        r->stall = strtol(value, NULL, 10);
    else if (strcmp(key, "short") == 0)
        r->shorten = 1;
    else if (strcmp(key, "kill") == 0)
        r->kill_when = (int)strtol(value, NULL, 10);
    else if (strcmp(key, "list") == 0)
        strncpy(r->list, value, sizeof(r->list) - 1);
    else if (strcmp(key, "error") == 0)
        for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++)
            if (strcmp(value, ERRORS[i].name) == 0)
                r->error = ERRORS[i].value;
}

static void read_rules(void)
{
    static char text[4096];
    const char *given = getenv("TW_SHIM");
    char *rest = text, *one;

    strncpy(text, given != NULL ? given : "", sizeof(text) - 1);
    while (rule_count < RULES && (one = strsep(&rest, ";")) != NULL) {
        struct rule *r = &rules[rule_count];
        const char *name = strsep(&one, ":");
        char *part;

        if (*name == '\0')
            continue;
        strncpy(r->call, name, sizeof(r->call) - 1);
        r->nth = r->count = 1;
        while ((part = strsep(&one, ":")) != NULL) {
            const char *key = strsep(&part, "=");

            set_key(r, key, part != NULL ? part : "");
        }
        rule_count++;
    }
}

/* By the kernel's own calls, which nobody stands before. */
static void tell(const char *call)
{
    const char *path = getenv("TW_SHIM_LOG");
    char line[32];
    long fd;

    if (path == NULL)
        return;
    fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
                 0600);
    if (fd < 0)
        return;
    (void)syscall(SYS_write, fd, line,
                  (size_t)snprintf(line, sizeof(line), "%s\n", call));
    (void)syscall(SYS_close, fd);
}

/* The rule that concerns this call, NULL for none. */
static const struct rule *rule_for(const char *call, int disk)
{
    pthread_once(&once, read_rules);
    for (int i = 0; i < rule_count; i++) {
        struct rule *r = &rules[i];
        long n;

        if (strcmp(r->call, call) != 0 && !(disk && strcmp(r->call, "disk") == 0))
            continue;
        n = ++r->seen;
        if (n >= r->nth && (r->count == 0 || n < r->nth + r->count)) {
            tell(r->call);
            if (r->stall != 0)
                sleep((unsigned)r->stall);
            if (r->kill_when == 1)
                kill(getpid(), SIGKILL);
            return r;
        }
    }
    return NULL;
}

static int is_spool_name(const char *name)
{
    static const char *const ends[] = {".seg", ".ack", ".lock", ".tmp", ".bad"};
    size_t n = strlen(name);

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t m = strlen(ends[i]);

        if (n > m && strcmp(name + n - m, ends[i]) == 0)
            return 1;
    }
    return 0;
}

/* A file of a spool, or its folder, which the tests call "spool". */
static int is_spool(int fd)
{
    char link[64], name[4096];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, name, sizeof(name) - 1);
    if (n <= 0)
        return 0;
    name[n] = '\0';
    return is_spool_name(name) || (n > 6 && strcmp(name + n - 6, "/spool") == 0);
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* The function of libc under this one's name. */
#define NEXT(type, name) \
    static type real;    \
    if (real == NULL)    \
    *(void **)&real = next(name) /* POSIX: valid */

#define AFTER(r)                                \
    do {                                        \
        if ((r) != NULL && (r)->kill_when == 2) \
            kill(getpid(), SIGKILL);            \
    } while (0)

typedef ssize_t pwrite_fn(int, const void *, size_t, off_t);
typedef ssize_t pread_fn(int, void *, size_t, off_t);
typedef int fd_fn(int);
typedef int length_fn(int, off_t);
typedef int fallocate_fn(int, int, off_t, off_t);
typedef int renameat_fn(int, const char *, int, const char *);
typedef int unlinkat_fn(int, const char *, int);
typedef int openat_fn(int, const char *, int, ...);
typedef int flock_fn(int, int);

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
    const struct rule *r = is_spool(fd) ? rule_for("pwrite", 1) : NULL;
    ssize_t done;
    NEXT(pwrite_fn *, "pwrite");

    if (r != NULL && r->error != 0) {
        errno = r->error;
        return -1;
    }
    done = real(fd, data, r != NULL && r->shorten && n > 1 ? n / 2 : n, at);
    AFTER(r);
    return done;
}

ssize_t pread(int fd, void *data, size_t n, off_t at)
{
    const struct rule *r = is_spool(fd) ? rule_for("pread", 0) : NULL;
    NEXT(pread_fn *, "pread");

    if (r != NULL && r->error != 0) {
        errno = r->error;
        return -1;
    }
    return real(fd, data, r != NULL && r->shorten && n > 1 ? n / 2 : n, at);
}

/* NOLINTBEGIN(bugprone-macro-parentheses): types and lists of parameters bear none */
#define ON_FD(name, type, parameters, arguments)                         \
    int name parameters                                                  \
    {                                                                    \
        const struct rule *r = is_spool(fd) ? rule_for(#name, 1) : NULL; \
        int rc;                                                          \
        NEXT(type *, #name);                                             \
        if (r != NULL && r->error != 0) {                                \
            errno = r->error;                                            \
            return -1;                                                   \
        }                                                                \
        rc = real arguments;                                             \
        AFTER(r);                                                        \
        return rc;                                                       \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

ON_FD(fsync, fd_fn, (int fd), (fd))
ON_FD(fdatasync, fd_fn, (int fd), (fd))
ON_FD(ftruncate, length_fn, (int fd, off_t length), (fd, length))
ON_FD(fallocate, fallocate_fn, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n))
ON_FD(flock, flock_fn, (int fd, int how), (fd, how))

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    const struct rule *r = is_spool_name(to) ? rule_for("renameat", 1) : NULL;
    int rc;
    NEXT(renameat_fn *, "renameat");

    if (r != NULL && r->error != 0) {
        errno = r->error;
        return -1;
    }
    rc = real(from_dir, from, to_dir, to);
    AFTER(r);
    return rc;
}

int unlinkat(int dir, const char *name, int flags)
{
    const struct rule *r = is_spool_name(name) ? rule_for("unlinkat", 1) : NULL;
    int rc;
    NEXT(unlinkat_fn *, "unlinkat");

    if (r != NULL && r->error != 0) {
        errno = r->error;
        return -1;
    }
    rc = real(dir, name, flags);
    AFTER(r);
    return rc;
}

int openat(int dir, const char *name, int flags, ...)
{
    const struct rule *r = is_spool_name(name) ? rule_for("openat", 1) : NULL;
    mode_t mode = 0;
    va_list ap;
    int rc;
    NEXT(openat_fn *, "openat");

    if (flags & (O_CREAT | O_TMPFILE)) {
        va_start(ap, flags);
        mode = va_arg(ap, mode_t);
        va_end(ap);
    }
    if (r != NULL && r->error != 0) {
        errno = r->error;
        return -1;
    }
    rc = real(dir, name, flags, mode);
    AFTER(r);
    return rc;
}

/* ---- names and threads ------------------------------------------------------------------- */

typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *,
                           struct addrinfo **);
typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* The addresses of a list, each looked up as a number, in one chain that freeaddrinfo frees. */
static int addresses(const char *list, const char *service, const struct addrinfo *hints,
                     struct addrinfo **out, getaddrinfo_fn *real)
{
    char text[128], *rest = text, *one;
    struct addrinfo **end = out;

    strncpy(text, list, sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    *out = NULL;
    while ((one = strsep(&rest, ",")) != NULL) {
        int rc = real(one, service, hints, end);

        if (rc != 0)
            return rc;
        while (*end != NULL)
            end = &(*end)->ai_next;
    }
    return 0;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    const struct rule *r = rule_for("getaddrinfo", 0);
    NEXT(getaddrinfo_fn *, "getaddrinfo");

    if (r != NULL && r->list[0] != '\0')
        return addresses(r->list, service, hints, out, real);
    if (r != NULL && r->error != 0)
        return EAI_AGAIN;
    return real(host, service, hints, out);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                   void *arg)
{
    const struct rule *r = rule_for("pthread_create", 0);
    NEXT(create_fn *, "pthread_create");

    return r != NULL && r->error != 0 ? r->error : real(thread, attr, run, arg);
}
