/* SPDX-License-Identifier: MIT */
/* A spool folder without a client: what is in it, and throwing it away. */
#ifndef TIDEWHEEL_SPOOL_H
#define TIDEWHEEL_SPOOL_H

#include <tidewheel/common.h>

TW_BEGIN_DECLS

/**
 * One JSON object that says what a spool folder holds; only reads. Members: path; bytes of its
 * files; events that wait, uncertain ones that are kept apart, lost ones; torn, unreadable,
 * quarantined and foreign files (see tw_stats); projects, a list with the same numbers for each
 * and project (the hash in the names of its files), lanes and those whose process lives, segments,
 * sent (events that were tried at least once), oldest and newest (ms since 1970, or null). While
 * processes write the numbers are of a moment that has passed.
 *
 * @param out owned by caller, free with tw_text_free
 * @return TW_E_CONFIG where the folder is not there or must not be used. @thread any
 */
TW_API int tw_spool_inspect(char **out, const char *path, tw_error **err);

/**
 * Whether a spool folder is there and may be used; makes nothing and reads no file.
 *
 * @return TW_E_CONFIG where it is not there or must not be used. @thread any
 */
TW_API int tw_spool_check(const char *path, tw_error **err);

/**
 * Throws away the events that ended processes left in the folder and that were accepted longer
 * than `older_than_ms` ago, uncertain ones too; with 0 all of them and the damaged files that were
 * set aside. What living processes hold, and names that are not ours, stay.
 *
 * @param events how many were thrown away
 */
TW_API int tw_spool_purge(uint64_t *events, const char *path, int64_t older_than_ms,
                          tw_error **err);

TW_END_DECLS

#endif
