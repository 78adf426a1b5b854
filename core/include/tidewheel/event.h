/* SPDX-License-Identifier: MIT */
/* Events: from a native value to a frozen record in the queue. */
#ifndef TIDEWHEEL_EVENT_H
#define TIDEWHEEL_EVENT_H

#include <tidewheel/common.h>

TW_BEGIN_DECLS

/*
 * tw_event_begin(&ev, cl)          a slot with a writer that knows the event rules
 *   wr = tw_event_writer(ev)
 *   tw_json_put_object(wr) ...     the event object as the caller gave it
 * tw_event_commit(ev)              checks required fields, adds what is missing, freezes, queues
 *
 * The writer applies the rules of the event fields while it writes: types of known top-level
 * fields, 1,024 characters, 40 layers, id lengths, ban lists, property operations. At commit
 * `insert_id` (random UUID) and `time` (now) are added where absent and the bytes never change
 * again. Nothing else is changed in silence.
 */

/** @param out owned by caller until commit or abort. @thread any */
TW_API int tw_event_begin(tw_event **out, tw_client *cl, tw_error **err);
/** Borrowed until commit or abort. */
TW_API tw_json_writer *tw_event_writer(tw_event *ev);
/**
 * Queues the event. `ev` is taken except on TW_AGAIN. Returns TW_OK (accepted),
 * TW_E_VALIDATION with path and rule, TW_E_QUEUE_FULL, TW_E_TOO_LARGE, TW_E_CLOSED,
 * TW_E_FORKED; TW_AGAIN when the queue is full and the policy is "block": call
 * tw_event_wait (without the interpreter lock), then commit again.
 */
TW_API int tw_event_commit(tw_event *ev, tw_error **err);
/** Nonzero where commit would find nothing wrong with the event itself: all is checked and
 * frozen then, as commit would. */
TW_API int tw_event_sound(tw_event *ev);
/**
 * Commits `count` events in order, under one lock, and empties those it accepted for the next
 * use: all slots stay the caller's, who aborts them at the end. Stops at the first that is
 * not accepted, which `*accepted` then is the number of, and returns what tw_event_commit would
 * have; the error's index counts from `first`. TW_AGAIN: call tw_event_wait on that event,
 * then commit from it on.
 *
 * @param accepted how many were; always set
 */
TW_API int tw_events_commit(size_t *accepted, tw_event **evs, size_t count, int64_t first,
                            tw_error **err);
/** Waits for room up to the configured block_timeout counted from the first TW_AGAIN:
 * TW_OK, TW_E_QUEUE_FULL when the time is up, TW_E_CLOSED, TW_E_FORKED; TW_INTERRUPTED
 * after a signal and every 50 ms: look after signals and call again. `ev` stays the
 * caller's: commit it again, or abort it. */
TW_API int tw_event_wait(tw_event *ev, tw_error **err);
/** Gives the slot back; NULL is allowed. */
TW_API void tw_event_abort(tw_event *ev);
/** Counts an event that a filter of the caller's kept back (tw_stats.filtered). */
TW_API int tw_event_filtered(tw_client *cl, tw_error **err);

/* ---- how events ended ---------------------------------------------------------------- */

/** How one event ended; only with the option outcomes. */
typedef struct tw_event_outcome tw_event_outcome;

/** The oldest outcome not yet taken (owned by caller, free with tw_event_outcome_free) or
 * TW_AGAIN when there is none. The newest 100,000 are kept; stats count the others as
 * outcomes_missed. Works after close, too. @thread any */
TW_API int tw_event_outcome_next(tw_event_outcome **out, tw_client *cl, tw_error **err);
/** All that follows is borrowed from the outcome. */
TW_API const char *tw_event_outcome_insert_id(const tw_event_outcome *outcome);
/** "stored", "rejected", "uncertain", "expired", "dropped" or "merged". */
TW_API const char *tw_event_outcome_state(const tw_event_outcome *outcome);
/** What the server wrote, or why there was no other end; "" where there is nothing to say. */
TW_API const char *tw_event_outcome_reason(const tw_event_outcome *outcome);
/** HTTP status of the answer that ended it, 0 where no answer did. */
TW_API int tw_event_outcome_status(const tw_event_outcome *outcome);
/** NULL is allowed. */
TW_API void tw_event_outcome_free(tw_event_outcome *outcome);

/* ---- events the server refused ----------------------------------------------------- */

/** One event that was accepted here and refused for good by the server. */
typedef struct tw_rejection tw_rejection;

/** The oldest rejection not yet taken (owned by caller, free with tw_rejection_free) or
 * TW_AGAIN when there is none. The newest 1,000 are kept, up to 4 MB; stats count them
 * all. @thread any */
TW_API int tw_rejection_next(tw_rejection **out, tw_client *cl, tw_error **err);
/** The event as it was sent; borrowed from the rejection, as all that follow. */
TW_API const char *tw_rejection_event(const tw_rejection *rejection, size_t *size);
/** The field the server named, NULL where it named none. */
TW_API const char *tw_rejection_field(const tw_rejection *rejection);
/** What the server wrote, "" where it wrote nothing. */
TW_API const char *tw_rejection_reason(const tw_rejection *rejection);
/** HTTP status of the refusal. */
TW_API int tw_rejection_status(const tw_rejection *rejection);
/** NULL is allowed. */
TW_API void tw_rejection_free(tw_rejection *rejection);

TW_END_DECLS

#endif
