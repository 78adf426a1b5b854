/* SPDX-License-Identifier: MIT */
/* The spool: accepted records on disk until their final state is known. */
#ifndef TW_INGEST_SPOOL_H
#define TW_INGEST_SPOOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <tidewheel/error.h>

/* Largest file of records; a group of records must fit in one. */
#define TW_SPOOL_SEGMENT_BYTES ((uint64_t)8 << 20)

typedef struct tw_spool tw_spool;

typedef struct tw_spool_stat {
    uint64_t inode;
    uint64_t size;
    unsigned links;
    unsigned mode; /* as in struct stat */
    unsigned owner;
} tw_spool_stat;

/* The system calls behind the spool, for tests to put their own in place. Each returns 0 or
 * more, or a negated errno; none but `dir_open` follows a path, none follows a link. */
typedef struct tw_spool_sys {
    void *ctx;
    /* Opens the folder, makes it (0700, durably) where it is absent. */
    int (*dir_open)(void *ctx, const char *path);
    int (*dir_list)(void *ctx, int dir, int (*each)(void *arg, const char *name),
                    void *arg);
    int (*dir_sync)(void *ctx, int dir);
    int (*open)(void *ctx, int dir, const char *name, int flags); /* a new file: 0600 */
    int (*close)(void *ctx, int fd);
    ssize_t (*pread)(void *ctx, int fd, void *bytes, size_t size, uint64_t at);
    ssize_t (*pwrite)(void *ctx, int fd, const void *bytes, size_t size, uint64_t at);
    int (*datasync)(void *ctx, int fd);
    int (*truncate)(void *ctx, int fd, uint64_t size);
    int (*allocate)(void *ctx, int fd, uint64_t size);
    int (*rename)(void *ctx, int dir, const char *from, const char *to);
    int (*unlink)(void *ctx, int dir, const char *name);
    int (*stat)(void *ctx, int fd, tw_spool_stat *out);
    int (*stat_at)(void *ctx, int dir, const char *name, tw_spool_stat *out);
    /* The whole file, exclusively, without waiting; freed when the last descriptor closes. */
    int (*lock)(void *ctx, int fd);
} tw_spool_sys;

extern const tw_spool_sys tw__spool_system;

/* A record in two pieces. */
typedef struct tw_spool_text {
    const char *head;
    size_t head_size;
    const char *tail;
    size_t tail_size;
} tw_spool_text;

/* What one call of append brought; the records have the ids from `first_id` upwards. */
typedef struct tw_spool_group {
    struct tw_spool_group *next;
    uint64_t first_id;
    const tw_spool_text *texts;
    size_t count;
} tw_spool_group;

typedef struct tw_spool_settings {
    const char *path;          /* of the folder; copied */
    unsigned char project[16]; /* a hash that names the project; no credential */
    int durable;               /* appends are on the disk, not only with the kernel */
    uint64_t max_bytes;        /* of all records held by this process */
    uint64_t segment_bytes;    /* 0: TW_SPOOL_SEGMENT_BYTES, which is also the most */
    const tw_spool_sys *sys;   /* borrowed until free; NULL: the system's */
    /* Told of records once they are stored, in the order of their ids and before append
     * returns and reread finds them. Under a lock of the spool: it must not call the spool. */
    void (*stored)(void *ctx, const tw_spool_group *groups);
    void *ctx;
} tw_spool_settings;

typedef struct tw_spool_item {
    uint64_t id;         /* to mark and to acknowledge it by; of this tw_spool only */
    int64_t accepted_ms; /* wall time */
    int64_t sent_ms;     /* wall time of the first attempt, -1 where there was none */
    int revived;         /* it had been set aside */
    const char *text;    /* borrowed until the next call of next or free */
    size_t size;
} tw_spool_item;

typedef struct tw_spool_stats {
    uint64_t bytes; /* of all segments held */
    uint64_t segments;
    uint64_t lanes;       /* adopted from processes that ended */
    uint64_t waiting;     /* records not acknowledged in the segments read so far */
    uint64_t lost;        /* records that damage made unreadable */
    uint64_t torn;        /* segments without an end whose last bytes were no record */
    uint64_t unreadable;  /* segments left alone: disk failed, later format; or gone */
    uint64_t quarantined; /* files set aside as *.bad */
    uint64_t foreign;     /* names in the folder that are not ours, at the last look */
    uint64_t rewritten;   /* segments copied because the disk failed a sync */
    uint64_t aside;       /* records of dead processes that were found set aside */
    uint64_t unread;      /* bytes of dead processes' segments that were not read yet */
    uint64_t aside_bytes; /* of full segments in which all that waits was set aside */
} tw_spool_stats;

/* Opens the folder, starts a lane of its own and takes over those of dead processes; reads
 * no record. TW_E_CONFIG where the folder must not be used. */
int tw__spool_open(tw_spool **out, const tw_spool_settings *settings, tw_error **err);
/* Keeps what is not acknowledged for the next process and releases the lane. In a forked
 * child only memory and descriptors are freed. NULL is allowed. */
void tw__spool_free(tw_spool *sp);

/* Stores `count` records, all or none, with ids from `*first_id` upwards. When it returns
 * TW_OK they have been handed to the kernel and, if durable, synced. TW_AGAIN where the limit
 * leaves no room for them; TW_E_QUEUE_FULL where the disk refused them; TW_E_TOO_LARGE.
 * @thread any */
int tw__spool_append(uint64_t *first_id, tw_spool *sp, const tw_spool_text *texts,
                     size_t count, tw_error **err);

/* Whether `bytes` of text, as one record, are within the limit. @thread any */
int tw__spool_has_room(tw_spool *sp, size_t bytes);
/* Whether a segment can hold them: else append says TW_E_TOO_LARGE. @thread any */
int tw__spool_fits(const tw_spool *sp, size_t bytes);

/* Whether they would be, were all acknowledged that is not set aside. @thread any */
int tw__spool_could_have_room(tw_spool *sp, size_t bytes);

/* The next record left by a dead process, or taken back by revive: TW_OK or TW_DONE; an error where
 * memory or descriptors are short, which leaves it the next. @thread one at a time */
int tw__spool_next(tw_spool_item *out, tw_spool *sp, tw_error **err);
/* The first record of the own lane with an id from `from` on: TW_OK, TW_DONE where all that
 * is stored lies before. Ids left out were lost to damage. Its text is borrowed until the
 * next call of reread or free. @thread one at a time */
int tw__spool_reread(tw_spool_item *out, tw_spool *sp, uint64_t from, tw_error **err);
/* Memory lets go of these records, which the spool has given out or stored. TW_OK, or
 * TW_E_NOMEM and nothing has happened. @thread any */
int tw__spool_park(tw_spool *sp, const uint64_t *ids, size_t count);
/* The first parked record with an id from `from` on: TW_OK, TW_DONE. Its text is borrowed until
 * the next call of this or of parked_end; NULL where the file has it no more. TW_E_QUEUE_FULL
 * where the disk cannot read: it stays parked, and what may be readable begins at `out->id`.
 * @thread one at a time */
int tw__spool_parked(tw_spool_item *out, tw_spool *sp, uint64_t from, tw_error **err);
/* When the first of each lane was accepted, which is the oldest unless the clock was set back: the
 * earliest of these times. TW_DONE where nothing is parked that the disk gives back. Reads only
 * what it has not looked at before. @thread as parked, whose item it takes the text from */
int tw__spool_parked_since(int64_t *wall_ms, tw_spool *sp, tw_error **err);
/* It is in memory again, or has ended. @thread any */
void tw__spool_unpark(tw_spool *sp, uint64_t id);
/* Nobody asks for more soon: frees what was read. @thread as parked */
void tw__spool_parked_end(tw_spool *sp);
/* Looks for lanes whose process has died since; next gives out their records. */
int tw__spool_adopt(tw_spool *sp, tw_error **err);

/* Notes that an attempt to send these records begins now; of a record marked before the
 * first time counts. Durable when the spool is. An error leaves the notes in memory only.
 * @thread any */
int tw__spool_mark_sent(tw_spool *sp, const uint64_t *ids, size_t count, int64_t wall_ms,
                        tw_error **err);
/* The attempt ended and certainly stored nothing: the next mark counts as the first. @thread
 * any */
int tw__spool_unmark_sent(tw_spool *sp, const uint64_t *ids, size_t count,
                          tw_error **err);
/* These records are kept, but no process gives them out until revive. @thread any */
int tw__spool_set_aside(tw_spool *sp, const uint64_t *ids, size_t count, tw_error **err);
/* Takes back all that was set aside: next gives it out, as never sent. `*count` says how
 * many there were in the segments read so far. @thread one at a time with next */
int tw__spool_revive(uint64_t *count, tw_spool *sp, tw_error **err);
/* The same, but they stay set aside: next only shows them. @thread one at a time with next */
int tw__spool_show_aside(tw_spool *sp, tw_error **err);
/* These records are in their final state. Handed to the kernel; a sync makes it durable. An
 * error leaves it in memory only: after a crash they would be given out again. @thread any */
int tw__spool_ack(tw_spool *sp, const uint64_t *ids, size_t count, tw_error **err);
/* Makes the file of the next segment ahead, where it may be needed soon: then no append has to
 * wait for that. A failure does no harm. @thread one at a time */
void tw__spool_prepare(tw_spool *sp);
/* Makes everything before durable: in fast mode this bounds what a power cut can take.
 * @thread any */
int tw__spool_sync(tw_spool *sp, tw_error **err);

/* @thread any */
void tw__spool_stats(tw_spool *sp, tw_spool_stats *out);

#endif
