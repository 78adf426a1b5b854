/* SPDX-License-Identifier: MIT */
/* What the server answered to a cohort request and to a poll. */
#ifndef TW_AREAS_COHORT_ANSWER_H
#define TW_AREAS_COHORT_ANSWER_H

#include "gate/call.h"

/* The request id; owned by caller, NULL on failure. TW_E_PROTOCOL where there is none. */
int tw__cohort_request_read(char **out, const tw_outcome *outcome, tw_error **err);

/* The state of the job `request_id`: TW_OK done, TW_AGAIN it goes on, TW_E_JOB it failed,
 * TW_E_PROTOCOL where the answer is not the documented one. */
int tw__cohort_status_read(const char *request_id, const tw_outcome *outcome,
                           tw_error **err);

#endif
