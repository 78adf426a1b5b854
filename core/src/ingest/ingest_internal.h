/* SPDX-License-Identifier: MIT */
/* The inside of ingestion, shared by its queue, its sender and its flush jobs. */
#ifndef TW_INGEST_INGEST_INTERNAL_H
#define TW_INGEST_INGEST_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>

#include "ingest/coalesce.h"
#include "ingest/gzip.h"
#include "ingest/ingest.h"
#include "ingest/outcome.h"
#include "ingest/packer.h"
#include "ingest/recent_ids.h"

typedef struct tw_batch_list {
    tw_batch *head;
    tw_batch *tail;
} tw_batch_list;

struct tw_rejection {
    tw_rejection *next;
    size_t size; /* of the event's text, which follows the struct */
    int status;
    char field[64];
    char reason[160];
    char event[];
};

/* How an accepted event ends; indexes the counters. */
typedef enum tw_final {
    TW_FINAL_STORED,
    TW_FINAL_REJECTED,
    TW_FINAL_UNCERTAIN,
    TW_FINAL_EXPIRED,
    TW_FINAL_DROPPED,
    TW_FINAL_LOST,   /* the spool could not give it back */
    TW_FINAL_MERGED, /* another event carries its operations */
    TW_FINAL_COUNT
} tw_final;

/* A flush job waits for `left` events with a sequence number below `mark`. */
typedef struct tw_flush {
    struct tw_flush *next;
    tw_ingest *ing;
    tw_job *job; /* referenced while linked */
    uint64_t mark;
    uint64_t left;
    int all;              /* below any mark, and for all that the spool holds */
    uint64_t lost, aside; /* what the spool had found so far; only with `all` */
    /* What became of all events below the mark, for any thread to read. */
    _Atomic uint64_t accepted, recovered;
    _Atomic uint64_t finals[TW_FINAL_COUNT];
} tw_flush;

/* Records of other lanes have larger ids than any of this client's. */
#define TW_FOREIGN_SEQ ((uint64_t)1 << 44)

/* A user or device that was too fast: shut for a while, then open for so many events in each
 * period until nobody has to wait any more. */
typedef struct tw_hold {
    uint64_t lane;
    int64_t due_ms; /* shut until then, or the end of this period */
    int shut;
    int swept;     /* its records are being read back */
    int missed;    /* one had to wait in this period */
    uint32_t step; /* events that may pass in a period, ... */
    uint32_t left; /* and what is left of them */
    uint64_t from,
        past; /* records of it that are on the disk only lie between; past 0: none */
} tw_hold;

struct tw_ingest {
    tw_gate *gate;
    tw_loop *loop;
    pid_t pid;
    tw_ingest_settings settings;
    tw_event_looks looks; /* of all its events */
    char *head;           /* the envelope before the events; holds the API key */
    size_t head_size;
    tw_task task;           /* pumps */
    int64_t steady_from_ms; /* see tw__ingest_steady */
    /* One idle event that is taken and given back without the lock; none follows once freed. */
    _Atomic(tw_event *) at_hand;

    pthread_mutex_t lock;
    /* ---- under the lock ------------------------------------------------------------ */
    tw_batch_limits limits;       /* of a request to /2/httpapi */
    tw_batch_limits batch_limits; /* to /batch */
    tw_batch *open;               /* takes the events that are accepted now */
    size_t usual_size;            /* what open ones came to lately, ... */
    size_t usual_count;           /* and of how many records */
    tw_batch_list ready;          /* full ones, oldest first */
    tw_batch_list retry;          /* to be sent before all others */
    tw_batch_list held;           /* each waits until its due_ms */
    tw_batch_list backlog;        /* of dead processes, read from the spool */
    tw_batch_list freed_lanes;    /* were on the disk until their users could go on */
    tw_batch *on_wire;            /* `sent`, for any thread to look at */
    tw_batch *spare;              /* empty ones kept for reuse */
    unsigned spare_count;
    uint64_t next_seq;
    uint64_t accepted, refused, requests, retries, filtered, dup_insert_id;
    struct {
        uint64_t cut, replaced, nulled, stringified;
    } mended;                  /* values of accepted events that are not what was given */
    tw_recent_ids *recent_ids; /* NULL before a caller gave an insert_id */
    tw_coalesce *coalesce;     /* NULL where no events are merged; set once */
    uint64_t finals[TW_FINAL_COUNT];
    uint64_t waiting, waiting_bytes;
    uint64_t mem_events, mem_bytes;          /* those of `waiting` that are in memory */
    uint64_t foreign;                        /* those that another process accepted */
    uint64_t foreign_finals[TW_FINAL_COUNT]; /* of these; a part of `finals` */
    uint64_t recovered;                      /* events of dead processes taken over */
    uint64_t revived;                        /* uncertain ones that wait again */
    uint64_t spilled, spilled_bytes; /* those of ours that are on the disk only, ... */
    uint64_t spill_from;             /* ... from this id on */
    uint64_t parked, parked_bytes;   /* those that were read and let go of again: held */
    int64_t parked_since_ms;         /* steady: when the oldest of them was accepted */
    int backlog_left;                /* the spool may hold something of dead processes */
    uint64_t backlog_asked;          /* how often that was found to be so */
    int unsynced;                    /* ours that a power cut would take */
    int news;                        /* the next committer wakes the I/O thread */
    tw_spool *spool;                 /* NULL: memory only, or released */
    unsigned spool_users;            /* who are in a call of it */
    int spool_over;                  /* the last of them frees it */
    tw_spool_stats spool_stats;      /* when it was freed */
    int paused;
    int stopped;  /* no intake */
    int canceled; /* nothing is sent any more */
    int unposted; /* the I/O thread does not know of the latest news */
    tw_flush *flushes;
    tw_event *pool;
    unsigned pool_count;
    size_t open_events; /* in callers' hands, and the one at hand */
    int freed;          /* the last event to come back frees everything */
    int room_fd[2]; /* readable when there may be room; -1 unless on_full is "block" */
    int room_told;
    unsigned room_waiters;
    tw_rejection *rejections, *rejections_last;
    size_t rejection_count, rejection_bytes;
    uint64_t rejections_missed; /* that nobody took in time */
    uint64_t clock_suspect;     /* accepted with a time of a clock that was not set */
    tw_error *trouble;          /* of the last attempt, NULL when it went well, ... */
    int64_t trouble_ms;         /* and when it was (wall time) */
    tw_event_outcome *ends, *ends_last; /* where they are asked for */
    size_t end_count;
    uint64_t ends_missed;

    /* ---- of the I/O thread --------------------------------------------------------- */
    tw_timer timer;
    tw_call *call;
    tw_batch *sent; /* on the wire, or its verdict is in */
    size_t sent_bytes;
    int judged; /* `verdict` is to be carried out */
    int aged;   /* the last batch held records that were too old, or had to wait */
    tw_verdict verdict;
    tw_json_reader *rd;
    unsigned failures;   /* in a row */
    uint64_t successes;  /* answers of a server that was well */
    unsigned blind_cuts; /* halvings since the last of these */
    uint64_t doubtful;   /* first record of the batch in whose place another went */
    unsigned pauses;     /* in a row */
    int64_t not_before_ms;
    int64_t split_from_ms; /* window of split_count */
    unsigned split_count;
    tw_hold *holds; /* by lane */
    size_t hold_count, hold_room;
    tw_gzip *gz;    /* NULL before its first use */
    int gzip_sent;  /* the body on the wire is compressed */
    int gzip_doubt; /* one was not understood: the next is sent plain */
    int gzip_off;   /* and that one was */
    /* With a spool: */
    uint64_t *ended; /* ids whose end the spool is to be told of */
    size_t ended_count;
    uint64_t *asides; /* the uncertain among them, which it keeps */
    size_t aside_count;
    pthread_mutex_t reading;      /* held by who reads from the spool */
    tw_spool_item own, foreigner; /* read, but not in a batch yet; text NULL: none */
    uint64_t sweep_at;   /* where the sweep through the parked ones is; 0: none */
    int sweep_more;      /* and whether it could go on, at once or when it is due */
    int sweep_blind;     /* it has passed over what the disk cannot read */
    int64_t park_due_ms; /* before then no parked one is read again, after a failure */
    int parked_moved;    /* under `reading`: what was the oldest of them may be gone */
    int freed_turn;      /* what was parked goes before all others this time */
    int backlog_turn;    /* it goes before new events this time */
    int64_t sync_due_ms, adopt_due_ms, reread_due_ms;
};

/* ---- ingest.c ---------------------------------------------------------------------- */
void tw__ingest_destroy(tw_ingest *ing);
/* The wall time, had nobody set the clock since the client was made: all ages are taken from
 * it. @thread any */
int64_t tw__ingest_steady(const tw_ingest *ing);
/* The same for a wall time that a file tells; one in the future counts as now. */
int64_t tw__ingest_steady_of(const tw_ingest *ing, int64_t wall_ms);

/* ---- queue.c ----------------------------------------------------------------------- */
void tw__batch_list_free(tw_batch_list *list);
void tw__batch_push(tw_batch_list *list, tw_batch *batch);
void tw__batch_unshift(tw_batch_list *list, tw_batch *batch);
tw_batch *tw__batch_shift(tw_batch_list *list);
/* Before the first that is younger. */
void tw__batch_insert(tw_batch_list *list, tw_batch *batch);
/* Nothing happens where it is not in the list. */
void tw__batch_list_remove(tw_batch_list *list, tw_batch *batch);
/* An empty batch. TW_OK or TW_E_NOMEM. @locks needs lock */
int tw__ingest_batch(tw_batch **out, tw_ingest *ing);
void tw__ingest_recycle(tw_ingest *ing, tw_batch *batch);

/* For the end: takes the event that is at hand, NULL for none, and sees to it that no other comes
 * after it. @thread any @locks none */
tw_event *tw__ingest_empty_hand(tw_ingest *ing);
/* Record `index` has come to its end, by an answer with this HTTP status (or 0) and for this
 * reason (or NULL). The batch still holds it. @locks needs lock */
void tw__ingest_final(tw_ingest *ing, const tw_batch *batch, size_t index, tw_final state,
                      int status, const char *reason);
/* Throws the oldest event out of memory that is not on the wire: its sequence number, and
 * nonzero when there was one. @locks needs lock */
int tw__ingest_drop_oldest(tw_ingest *ing, uint64_t *seq);
/* Wakes those who wait for room. @locks needs lock */
void tw__ingest_tell_room(tw_ingest *ing);

/* Of the endpoint that the batch goes to; those of new events. @locks needs lock */
tw_batch_limits *tw__limits_of(tw_ingest *ing, const tw_batch *batch);
tw_batch_limits *tw__limits_fresh(tw_ingest *ing);
/* Puts a record into the open batch: TW_OK or TW_E_NOMEM. With 0 it counts as accepted with the
 * first of the batch. @locks needs lock */
int tw__ingest_take(tw_ingest *ing, const tw_record_text *text, uint64_t seq,
                    int64_t accepted_ms, int *wake);
/* The open batch takes no more. @locks needs lock */
void tw__ingest_seal(tw_ingest *ing);

/* ---- store.c: the spool behind the queue ------------------------------------------- */
int tw__store_open(tw_ingest *ing, tw_error **err);
/* The spool for a call, or NULL; to be given back. @locks takes lock */
tw_spool *tw__store_use(tw_ingest *ing);
void tw__store_unuse(tw_ingest *ing);
/* Also after it was freed. @thread any */
void tw__store_stats(tw_ingest *ing, tw_spool_stats *out);
/* Nobody begins to use it any more; what is in it stays. */
void tw__store_release(tw_ingest *ing);
/* Accepts the record. As tw_event_commit. @thread any */
int tw__store_put(tw_ingest *ing, tw_event *ev, const tw_record_text *text,
                  tw_error **err);
/* Accepts the frozen events from `evs[*accepted]` on, together where there is room. */
int tw__store_put_many(tw_ingest *ing, tw_event **evs, size_t count, size_t *accepted,
                       tw_error **err);
/* Reads what memory has room for. @thread worker */
void tw__store_refill(tw_ingest *ing);
/* These have ended: TW_OK once that is as safe as they were. @thread worker */
int tw__store_carried(tw_ingest *ing, const uint64_t *ids, size_t count);
/* Tells the spool of the events that have come to their end. @thread worker */
void tw__store_settle(tw_ingest *ing);
/* The batch is about to go out: notes when. @thread worker */
void tw__store_mark(tw_ingest *ing, tw_batch *batch);
/* It was certainly not stored. @thread worker */
void tw__store_unmark(tw_ingest *ing, tw_batch *batch);
/* Syncs and looks for dead processes where that is due. @thread worker */
void tw__store_tick(tw_ingest *ing, int64_t now);
/* When tick or refill want to be called again. @locks needs lock @thread worker */
int64_t tw__store_due(const tw_ingest *ing);

/* ---- park.c: with a spool, what is held waits on the disk --------------------------- */
/* Lets go of what has been set apart. @thread worker @locks none */
void tw__park(tw_ingest *ing);
/* Reads back what may be sent now, and what is older than max_age. @thread worker @locks needs
 * reading */
void tw__park_refill(tw_ingest *ing, tw_spool *sp);
/* When the oldest of it is too old. @locks needs lock */
int64_t tw__park_due(const tw_ingest *ing);
/* Drops some of the oldest: their number, and their ids. @locks needs reading */
size_t tw__park_drop(tw_ingest *ing, tw_spool *sp, uint64_t *ids, size_t most);
/* Adds the record: TW_OK, TW_AGAIN where the batch is full, TW_E_NOMEM. */
int tw__store_add(const tw_ingest *ing, tw_batch *batch, const tw_spool_item *item,
                  const tw_batch_limits *limits);
/* An empty batch when the list that it is for is to be filled. @locks takes lock */
tw_batch *tw__store_begin(tw_ingest *ing, const tw_batch_list *list, int wanted,
                          int force, tw_batch_limits *limits);
/* Puts it in the list, or away. @locks needs lock */
void tw__store_end(tw_ingest *ing, tw_batch_list *list, tw_batch *batch);

/* ---- coalesce.c -------------------------------------------------------------------- */
typedef enum tw_entry {
    TW_ENTER,
    TW_ENTER_AS_IS, /* without being merged */
    TW_ENTER_NEXT /* the caller has others on their way: TW_AGAIN where it ought to wait for them
                       or for another thread */
} tw_entry;
/* The event is about to be queued: `text` becomes that of the merged one where there is such. May
 * wait for another thread's event. To be followed by leave. @locks needs lock */
int tw__coalesce_enter(tw_merge *out, tw_ingest *ing, const tw_event *ev,
                       tw_record_text *text, tw_entry how);
/* It was accepted with this number, or not. @locks needs lock */
void tw__coalesce_leave(tw_merge *done, tw_ingest *ing, const tw_event *ev, int accepted,
                        uint64_t seq);
/* The batch is about to go out: takes those out of it that others of it carry. @thread worker */
void tw__coalesce_settle(tw_ingest *ing, tw_batch *batch);

/* ---- schedule.c: the I/O thread ---------------------------------------------------- */
/* When the open batch is to go although it is not full. @locks needs lock */
int64_t tw__open_due(const tw_ingest *ing);
/* When what is held, as of users whose lanes are shut for long, has become too old. @locks needs
 * lock */
int64_t tw__held_age_due(const tw_ingest *ing);
/* The next batch to be sent, off its list; NULL when there is none. @locks needs lock */
tw_batch *tw__batch_next(tw_ingest *ing, int64_t now);
/* What of it may go in one request; the rest goes back. NULL without memory to cut it. @locks needs
 * lock */
tw_batch *tw__batch_fit(tw_ingest *ing, tw_batch *batch);
/* Sets the time before which nothing is sent, by the number of failures in a row. */
void tw__wait_retry(tw_ingest *ing, int64_t at_least);
/* As long for a batch that has failed so often. */
int64_t tw__wait_batch(const tw_ingest *ing, const tw_batch *batch);
void tw__wait_pause(tw_ingest *ing, int64_t at_least);

/* ---- verdict.c: the I/O thread ----------------------------------------------------- */
/* Does with the sent batch what the verdict says. */
void tw__verdict_apply(tw_ingest *ing);
/* To be sent before all others. */
void tw__batch_again(tw_ingest *ing, tw_batch *batch);

/* ---- lanes.c: the I/O thread ------------------------------------------------------- */
/* Holds the user or the device of record `index`, as the verdict says, if it says anything
 * of it. TW_OK or TW_E_NOMEM. */
int tw__lanes_hold(tw_ingest *ing, const tw_batch *batch, size_t index,
                   const tw_verdict *verdict, int64_t now);
/* Sets the records of held lanes apart, until they are due; nonzero when there were any.
 * @locks needs lock */
int tw__lanes_part(tw_ingest *ing, tw_batch *batch, int64_t now);
/* Whether the event belongs to a user or device that is held, and such events take half of the
 * queue already. Of one without a spool. @thread any @locks needs lock */
int tw__lanes_crowd(const tw_ingest *ing, const char *text, size_t size);
/* A sweep through the records on the disk begins at `*from`, if some lane lets any go. */
int tw__lanes_sweep_begin(tw_ingest *ing, uint64_t *from, int64_t now);
/* Whether there may be one for it from `id` on. */
int tw__lanes_sweep_on(const tw_ingest *ing, uint64_t id);
/* Whether this one may be sent now; if so it is counted. */
int tw__lanes_sweep_let(tw_ingest *ing, const tw_spool_item *item);
/* It has seen all records of the lanes that it was for, or all that the disk can read. */
void tw__lanes_sweep_end(tw_ingest *ing);
/* Whether another sweep would find a lane that lets some go. */
int tw__lanes_open(const tw_ingest *ing);
/* When a lane with records on the disk opens, or one of these records is too old. */
int64_t tw__lanes_due(const tw_ingest *ing);

/* ---- sender.c: the I/O thread ------------------------------------------------------ */
int tw__sender_init(tw_ingest *ing, tw_error **err);
/* A flush began: what has been put off because of a pause is tried once more. @thread
 * worker */
void tw__sender_probe(tw_ingest *ing);
/* @thread worker */
void tw__sender_pump(tw_ingest *ing);

/* ---- flush.c ----------------------------------------------------------------------- */
/* Finishes the jobs that wait for nothing any more. @thread worker */
void tw__flush_settle(tw_ingest *ing);
/* Finishes all; `err` is borrowed. @thread worker */
void tw__flush_fail(tw_ingest *ing, const tw_error *err);
/* Whether a job waits for an event from `seq` on. @locks needs lock */
int tw__flush_wants(const tw_ingest *ing, uint64_t seq);

/* ---- ends.c: kept until their owner asks ------------------------------------------- */
/* @locks needs lock */
void tw__end_add(tw_ingest *ing, const tw_batch *batch, size_t index, tw_final state,
                 int status, const char *reason);
/* Of a record, or NULL without memory; free with tw__free. */
char *tw__insert_id_of(const char *text, size_t size);
int tw__end_next(tw_event_outcome **out, tw_ingest *ing);
void tw__ends_clear(tw_ingest *ing);

/* ---- trouble.c --------------------------------------------------------------------- */
/* @thread worker */
void tw__trouble_note(tw_ingest *ing, const tw_verdict *verdict,
                      const tw_outcome *outcome);
/* It keeps a user or device waiting, not all. @thread worker */
void tw__trouble_end(tw_ingest *ing);

/* ---- rejection.c ------------------------------------------------------------------- */
/* @locks needs lock */
void tw__rejection_add(tw_ingest *ing, const tw_batch *batch, size_t index,
                       const tw_reason *reason, int status);
int tw__rejection_next(tw_rejection **out, tw_ingest *ing);
void tw__rejections_clear(tw_ingest *ing);

#endif
