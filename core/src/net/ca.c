/* SPDX-License-Identifier: MIT */
/* Finding trusted certificates. */
#define _GNU_SOURCE
#include "net/ca.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

/* The largest system bundles have about 250 KiB. */
enum { PEM_MOST = 8 * 1024 * 1024, TRIED_MOST = 384 };

static const char *const known_places[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Arch */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, RHEL, newer */
    "/etc/ssl/ca-bundle.pem",                            /* SUSE */
    "/etc/ssl/cert.pem",                                 /* Alpine, macOS, OpenBSD */
    "/usr/local/etc/ssl/cert.pem",                       /* FreeBSD */
    "/usr/local/share/certs/ca-root-nss.crt",            /* FreeBSD, older */
    NULL};

typedef struct search {
    tw_ca *ca;
    tw_buf pem;
    tw_buf tried;
} search;

/* ---- reading ------------------------------------------------------------------------- */

/* Appends the file: 0, or an errno value. */
static int file_append(tw_buf *pem, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat info;
    int why = 0;

    if (fd < 0)
        return errno;
    if (fstat(fd, &info) != 0)
        why = errno;
    else if (S_ISDIR(info.st_mode))
        why = EISDIR;
    while (why == 0) {
        char chunk[16384];
        ssize_t n = read(fd, chunk, sizeof chunk);

        if (n == 0)
            break;
        if (n > 0) {
            int rc = tw__buf_put(pem, chunk, (size_t)n);

            why = rc == TW_OK ? 0 : rc == TW_E_TOO_LARGE ? EFBIG : ENOMEM;
        } else if (errno != EINTR) {
            why = errno;
        }
    }
    close(fd);
    /* A file may lack its last newline, and another may follow. */
    return why != 0 ? why : tw__buf_putc(pem, '\n') == TW_OK ? 0 : EFBIG;
}

static int holds_certificate(const tw_buf *pem)
{
    static const char mark[] = "-----BEGIN ";

    return pem->size > 0 && memmem(pem->data, pem->size, mark, sizeof mark - 1) != NULL;
}

static const char *file_load(search *sr, const char *path)
{
    int why;

    tw__buf_reset(&sr->pem);
    why = file_append(&sr->pem, path);
    if (why == ENOENT || why == ENOTDIR)
        return "not there";
    if (why == EFBIG)
        return "larger than 8 MiB";
    if (why == EISDIR)
        return "a folder";
    if (why != 0)
        return "not readable";
    return holds_certificate(&sr->pem) ? NULL : "without a PEM certificate";
}

/* OpenSSL looks certificates up by hashed names; all of them together trust the same. */
static void folder_append(search *sr, const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;

    if (folder == NULL)
        return;
    for (entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        size_t before = sr->pem.size;
        char name[4096];
        int n = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);

        if (entry->d_name[0] == '.' || n < 0 || (size_t)n >= sizeof name)
            continue;
        if (file_append(&sr->pem, name) != 0)
            sr->pem.size = before;
    }
    closedir(folder);
}

/* A list of folders, split at colons. */
static const char *folders_load(search *sr, const char *list)
{
    tw__buf_reset(&sr->pem);
    while (*list != '\0') {
        size_t n = strcspn(list, ":");
        char path[4096];

        if (n > 0 && n < sizeof path) {
            memcpy(path, list, n);
            path[n] = '\0';
            folder_append(sr, path);
        }
        list += n + (list[n] == ':');
    }
    return holds_certificate(&sr->pem) ? NULL : "without a PEM certificate";
}

/* ---- searching ----------------------------------------------------------------------- */

static void found(search *sr, const char *name, const char *value)
{
    snprintf(sr->ca->source, sizeof sr->ca->source, "%s%s%s", name,
             name[0] != '\0' ? "=" : "", value);
    sr->ca->pem = tw__buf_take(&sr->pem, &sr->ca->size);
}

static void tried(search *sr, const char *name, const char *value, const char *why)
{
    tw__buf_printf(&sr->tried, "%s%s%s%s (%s)", sr->tried.size > 0 ? ", " : "", name,
                   name[0] != '\0' ? "=" : "", value, why);
}

typedef enum place_kind { PLACE_OPTIONAL, PLACE_REQUIRED, PLACE_FOLDERS } place_kind;

/* TW_OK when found, TW_AGAIN to go on, an error when it had to be there. */
static int place_try(search *sr, place_kind kind, const char *name, const char *value,
                     tw_error **err)
{
    const char *why;

    if (value == NULL || value[0] == '\0')
        return TW_AGAIN;
    why = kind == PLACE_FOLDERS ? folders_load(sr, value) : file_load(sr, value);
    if (why == NULL) {
        found(sr, name, value);
        return sr->ca->pem != NULL ? TW_OK : tw__error_nomem(err);
    }
    if (kind == PLACE_REQUIRED)
        return tw__error_at(err, TW_E_CONFIG, name, "%s was refused: \"%s\" was %s", name,
                            value, why);
    tried(sr, name, value, why);
    return TW_AGAIN;
}

static int pem_try(search *sr, const tw_ca_places *places, tw_error **err)
{
    if (places->pem == NULL || places->pem_size == 0)
        return TW_AGAIN;
    if (tw__buf_put(&sr->pem, places->pem, places->pem_size) != TW_OK ||
        !holds_certificate(&sr->pem))
        return tw__error_at(err, TW_E_CONFIG, "ca_pem",
                            "ca_pem was refused: it held no PEM certificate");
    found(sr, "", "ca_pem");
    return sr->ca->pem != NULL ? TW_OK : tw__error_nomem(err);
}

static int environment_try(search *sr, const tw_ca_places *places, tw_error **err)
{
    static const struct {
        place_kind kind;
        const char *name;
    } names[] = {
        {PLACE_REQUIRED, "AMPLITUDE_CA_BUNDLE"},
        {PLACE_OPTIONAL, "CURL_CA_BUNDLE"},
        {PLACE_OPTIONAL, "SSL_CERT_FILE"},
        {PLACE_FOLDERS, "SSL_CERT_DIR"},
    };
    int rc = TW_AGAIN;
    size_t i;

    for (i = 0; i < sizeof names / sizeof *names && rc == TW_AGAIN; i++)
        rc = place_try(sr, names[i].kind, names[i].name, places->env(names[i].name), err);
    return rc;
}

static int search_run(search *sr, const tw_ca_places *places, tw_error **err)
{
    const char *const *known = places->known != NULL ? places->known : known_places;
    int rc = place_try(sr, PLACE_REQUIRED, "ca_file", places->file, err);

    if (rc == TW_AGAIN)
        rc = pem_try(sr, places, err);
    if (rc == TW_AGAIN)
        rc = environment_try(sr, places, err);
    if (rc == TW_AGAIN)
        rc = place_try(sr, PLACE_OPTIONAL, "", places->built_in, err);
    for (; rc == TW_AGAIN && *known != NULL; known++) {
        if (places->built_in == NULL || strcmp(*known, places->built_in) != 0)
            rc = place_try(sr, PLACE_OPTIONAL, "", *known, err);
    }
    if (rc == TW_AGAIN)
        rc = place_try(sr, PLACE_OPTIONAL, "ca_fallback", places->fallback, err);
    return rc;
}

int tw__ca_load(tw_ca *ca, const tw_ca_places *places, tw_error **err)
{
    search sr;
    int rc;

    memset(ca, 0, sizeof *ca);
    sr.ca = ca;
    tw__buf_init(&sr.pem, PEM_MOST);
    tw__buf_init(&sr.tried, TRIED_MOST);
    rc = search_run(&sr, places, err);
    if (rc == TW_AGAIN)
        rc = tw__error_at(err, TW_E_CONFIG, "ca_file",
                          "no trusted certificates were found; set ca_file. Tried: %.*s",
                          (int)sr.tried.size, sr.tried.data != NULL ? sr.tried.data : "");
    tw__buf_clear(&sr.pem);
    tw__buf_clear(&sr.tried);
    return rc;
}

void tw__ca_clear(tw_ca *ca)
{
    tw__free(ca->pem);
    memset(ca, 0, sizeof *ca);
}
