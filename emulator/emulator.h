/* SPDX-License-Identifier: MIT */
/* The local Amplitude: starts, stops and steers one emulator inside this process. */
#ifndef TIDEWHEEL_EMULATOR_H
#define TIDEWHEEL_EMULATOR_H

#include <stddef.h>
#include <stdint.h>

typedef struct twe twe;

/* A shorter `size` means defaults for the fields behind it; NULL and 0 mean default too. */
typedef struct twe_options {
    size_t size;
    const char *listen;     /* "127.0.0.1:0"; 127.0.0.1, ::1 and localhost only */
    const char *store;      /* file name or ":memory:" (default) */
    const char *api_key;    /* must start with "emu" */
    const char *secret_key; /* must start with "emu" */
    int64_t app_id;
    const char *seed;      /* "demo" or NULL */
    const char *time_zone; /* IANA name of the project's zone; "UTC" */
    const char *mcp_token; /* an access token for /mcp; must start with "emu" */
} twe_options;

#define TWE_OPTIONS_INIT                            \
    {                                               \
        sizeof(twe_options), 0, 0, 0, 0, 0, 0, 0, 0 \
    }

/*!
 * Starts an emulator with its own threads.
 *
 * @param out      set to the emulator, NULL on failure; stop it with twe_stop
 * @param opts     borrowed for the call; NULL for defaults
 * @param err      receives one line on failure
 * @param err_n    bytes at err
 * @return 0 or -1
 */
int twe_start(twe **out, const twe_options *opts, char *err, size_t err_n);

/* Ends every connection, commits the store and frees the emulator; NULL is allowed. */
void twe_stop(twe *e);

/* Borrowed until twe_stop. */
const char *twe_url(const twe *e);
const char *twe_control_url(const twe *e);
const char *twe_control_token(const twe *e);
const char *twe_storage_url(const twe *e);
const char *twe_api_key(const twe *e);
const char *twe_secret_key(const twe *e);
const char *twe_mcp_token(const twe *e);
int64_t twe_app_id(const twe *e);

/*!
 * Makes one call of the control port without a socket: the same methods, paths and JSON.
 *
 * @param out    set to a NUL-terminated reply, owned by caller (twe_free), NULL when out
 *               of memory
 * @return the HTTP status, 500 when out of memory. Any thread.
 */
int twe_control(twe *e, const char *method, const char *path, const char *body,
                size_t body_n, char **out, size_t *out_n);
void twe_free(void *p);

#endif
