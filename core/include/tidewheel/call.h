/* SPDX-License-Identifier: MIT */
/* Calls by name: any endpoint that has arguments, each checked before anything is sent. */
#ifndef TIDEWHEEL_CALL_H
#define TIDEWHEEL_CALL_H

#include <tidewheel/common.h>

TW_BEGIN_DECLS

/*
 * tw_arguments_begin(&args, cl, "users.activity")
 *   wr = tw_arguments_writer(args)
 *   tw_json_put_object(wr) ...        one object: argument name to value
 * tw_arguments_start(&job, args, queue)
 * tw_job_result(&rsp, job), tw_reply_result(&text, &size, rsp)
 *
 * docs/arguments.md lists endpoints and arguments. A value is of the type that its row says;
 * null is as good as absent. Dates are text, "20260301" or "2026-03-01". Arguments that the
 * API takes as a JSON text are given as the value itself or as that text.
 */

/** The arguments of one call being collected. */
typedef struct tw_arguments tw_arguments;

/** @param out owned by caller until start or abort
 * @return TW_OK; TW_E_INVALID where no endpoint of that name takes arguments. @thread any */
TW_API int tw_arguments_begin(tw_arguments **out, tw_client *cl, const char *endpoint,
                              tw_error **err);
/** Borrowed until start or abort. */
TW_API tw_json_writer *tw_arguments_writer(tw_arguments *args);
/**
 * Checks the arguments and starts the call. TW_E_VALIDATION names the argument (and the place
 * within it) and the rule, for an unknown name the nearest known one; nothing was sent then.
 *
 * @param args taken always
 */
TW_API int tw_arguments_start(tw_job **out, tw_arguments *args, tw_queue *queue,
                              tw_error **err);
/**
 * What the call would cost of its budget, without making it; for queries days x conditions x type,
 * the upper bound where the documents can be read in two ways (Amplitude Dashboard REST API docs,
 * "rate limits", read 2026-11-27). Errors are those of the start, but for a cost above the option
 * max_query_cost, and TW_E_INVALID where nobody can tell, as of a saved chart.
 *
 * @param args taken always
 */
TW_API int tw_arguments_estimate(int64_t *out, tw_arguments *args, tw_error **err);
/** NULL is allowed. */
TW_API void tw_arguments_abort(tw_arguments *args);

/**
 * What a call answered, in one form whatever shape the server chose: the documented ones and
 * those seen live become the same JSON, described in docs/arguments.md. Where an endpoint has
 * no form of its own it is the body as it came, which tw_reply_body gives in any case.
 *
 * @param out JSON; owned by caller, free with tw_text_free
 * @return TW_OK, or TW_E_PROTOCOL for an answer that is of no known shape. @thread any
 */
TW_API int tw_reply_result(char **out, size_t *size, const tw_reply *rsp, tw_error **err);

TW_END_DECLS

#endif
