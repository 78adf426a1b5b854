/* SPDX-License-Identifier: MIT */
/* What the server answered to memberships and uploads. */
#ifndef TW_AREAS_MEMBERSHIP_H
#define TW_AREAS_MEMBERSHIP_H

#include <stddef.h>
#include <stdint.h>

#include <tidewheel/error.h>

#include "base/buf.h"

/* Sums over the requests of one job. */
typedef struct tw_tally {
    char *cohort_id; /* NULL where the server named none */
    int64_t matched;
    int64_t totals;
    uint64_t skipped;
    tw_buf skipped_ids; /* as JSON strings, each followed by a comma */
    uint64_t kept;      /* of them in the buffer */
    uint64_t most_kept;
} tw_tally;

void tw__tally_init(tw_tally *tally, uint64_t most_kept);
void tw__tally_clear(tw_tally *tally);

/* {"cohortId": ..., "metadata": {"matched": ..., "totals": ..., "invalid_ids_sample":
 * [...]}}, the id also as cohort_id. TW_E_PROTOCOL where it is nothing of the kind. */
int tw__tally_upload(tw_tally *tally, const char *body, size_t size, tw_error **err);
/* {"cohort_id": ..., "memberships_result": [{"skipped_ids": [...]}]}; all skipped ids
 * are kept as far as `most_kept` goes. */
int tw__tally_membership(tw_tally *tally, const char *body, size_t size, tw_error **err);

#endif
