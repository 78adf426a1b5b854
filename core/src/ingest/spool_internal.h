/* SPDX-License-Identifier: MIT */
/* The inside of the spool, shared by its files. */
#ifndef TW_INGEST_SPOOL_INTERNAL_H
#define TW_INGEST_SPOOL_INTERNAL_H

#include <pthread.h>

#include "base/buf.h"
#include "ingest/spool.h"

enum {
    TW_SPOOL_HEADER = 64,   /* bytes before the first record of a segment */
    TW_SPOOL_FRAME = 36,    /* bytes before the text of a record */
    TW_SPOOL_NOTE = 32,     /* bytes of an entry in a file of notes */
    TW_SPOOL_NAME = 64,     /* room for a file name */
    TW_SPOOL_SEQ_BITS = 44, /* of an id; the lane's slot is above them */
    TW_SPOOL_LANES_MOST = 1 << 19
};
#define TW_SPOOL_SEQ_MASK (((uint64_t)1 << TW_SPOOL_SEQ_BITS) - 1)

typedef enum tw_frame_kind { TW_FRAME_RECORD = 1, TW_FRAME_END = 2 } tw_frame_kind;
typedef enum tw_note_kind {
    TW_NOTE_ACK = 1,
    TW_NOTE_SENT = 2,
    TW_NOTE_END = 3,
    TW_NOTE_UNSENT = 4,
    TW_NOTE_ASIDE = 5,
    TW_NOTE_REVIVED = 6
} tw_note_kind;

typedef struct tw_frame {
    tw_frame_kind kind;
    uint64_t seq; /* of an end: one past the last record */
    int64_t accepted_ms;
    const char *text;
    uint32_t size;
} tw_frame;

/* Records [first, first + count); `time` is set for TW_NOTE_SENT. */
typedef struct tw_note {
    tw_note_kind kind;
    uint64_t first;
    uint64_t count;
    int64_t time;
} tw_note;

/* Ranges of records by number, without overlaps. */
typedef struct tw_ranges {
    tw_note *items;
    size_t count, room;
} tw_ranges;

typedef enum tw_spool_file {
    TW_FILE_NONE, /* not ours */
    TW_FILE_LOCK,
    TW_FILE_SEGMENT,
    TW_FILE_NOTES,
    TW_FILE_SPARE, /* a segment being rewritten */
    TW_FILE_BAD    /* set aside */
} tw_spool_file;

/* One file of records and its file of notes. */
typedef struct tw_segment {
    uint64_t first; /* the first record's number; part of the name */
    uint64_t end;   /* one past the last; 0 while unknown */
    uint64_t bytes; /* up to the last good record */
    int fd;         /* -1 while not needed */
    int notes_fd;
    uint64_t notes_at;          /* where the next note goes */
    int has_file;               /* a segment of which only the notes are left has none */
    int sealed;                 /* takes no more records */
    int written;                /* all its blocks were, before the first record */
    int loaded;                 /* `waiting` and the notes are known */
    int damaged;                /* set aside instead of removed */
    int unsynced;               /* notes written since the last sync */
    int suspect;                /* a sync of the records failed: only a rewrite helps */
    int data_unsynced;          /* the same of records; stays 0 in durable mode */
    int behind;                 /* notes in memory that are not in the file */
    int unnamed;                /* nor may the file of notes be found after a power cut */
    uint64_t waiting;           /* records that exist and are not acknowledged, ... */
    uint64_t asides;            /* and those of them that are set aside */
    uint64_t aside_bytes;       /* what it has in the count of this name */
    unsigned char *acked;       /* a bit per record */
    size_t acked_room;          /* bytes */
    unsigned char *parked;      /* a bit per record that memory let go of */
    size_t parked_room;         /* bytes */
    tw_ranges sent;             /* when the first attempt began */
    tw_ranges aside;            /* not given out */
    tw_ranges revived;          /* were aside, and have not been given out since */
    struct tw_segment *next;    /* in `turned`, ... */
    struct tw_segment *follows; /* and the one to be sealed before it, or NULL */
} tw_segment;

typedef struct tw_lane {
    uint64_t id;
    uint32_t crc; /* start of every checksum: a record of another lane never fits */
    int lock_fd;
    unsigned slot;         /* 0 is the lane of this process */
    tw_segment **segments; /* by number */
    size_t count, room;
    uint64_t cursor;     /* the reader has been through all records before it */
    int over;            /* nothing is left of it */
    uint64_t parked_seq; /* was the first one parked, 0 for none, ... */
    int64_t parked_ms;   /* when this was accepted, the first of these that was there */
} tw_lane;

/* The file made ahead. Whoever makes it or takes it has its name for himself. */
typedef enum tw_spare { TW_SPARE_NONE, TW_SPARE_USED, TW_SPARE_READY } tw_spare;

/* Where the records of one round wait: one round at most is being written while the next one is
 * gathering. Who is done needs no lock but this one, and all are woken in one call. Who leads may
 * be slow to tell: the round after the next then waits at the same bell, and its first with
 * theirs. */
typedef struct tw_bell {
    pthread_mutex_t lock; /* taken inside the spool's `lock`, and nothing inside it */
    pthread_cond_t done;  /* of all but the first */
    pthread_cond_t first; /* of the one that leads when the time is up, for all to look */
} tw_bell;

/* Someone inside append. */
typedef struct tw_waiter {
    tw_spool_group group; /* chains the waiters, too */
    tw_bell *bell;
    int first; /* of its round */
    int taken; /* under `lock`: somebody writes its records */
    /* ---- under `bell` ---- */
    int called; /* the first one is to look whether it should lead */
    int done;
    int why; /* 0, or a negated errno */
} tw_waiter;

/*
 * Two locks. `lock` guards the numbers and is never held over I/O. `files` guards the notes,
 * the reader and the removal of segments, and is held over their I/O. Order: files, lock.
 * `busy` is the token of the one thread that writes records; its holder may take `files`, but where
 * it can does without, for it would wait for the syncs of others: see spool_turn.c.
 */
struct tw_spool {
    tw_spool_sys sys;
    char *path;
    int dir;
    pid_t pid;
    unsigned char project[16];
    char prefix[24]; /* of every name of this project: version and project */
    int durable;
    uint64_t max_bytes, segment_bytes;
    void (*stored)(void *ctx, const tw_spool_group *groups);
    void *stored_ctx;

    tw_bell bells[2];
    pthread_mutex_t lock;
    pthread_cond_t idle; /* of those who wait for the token, but not for their records */
    /* ---- under `lock` ---- */
    int busy;
    unsigned idlers;
    uint64_t next_seq;
    uint64_t planned;    /* size of `current` when all that is staged will be written */
    tw_segment *current; /* takes records; NULL before the first and after a failure */
    tw_segment *target;  /* of what is staged */
    tw_segment *turned, **turned_end; /* begun, but not in the list of the lane */
    unsigned turns_left;              /* how many may be */
    int dir_unsynced;       /* a file was begun since the last sync of the folder */
    tw_buf staged, writing; /* frames; `writing` is the token holder's */
    uint64_t staged_first;
    tw_spool_group *waiters, **waiters_end;
    unsigned waiting;     /* how many these are */
    unsigned round;       /* in whose bell they are: its last bit */
    unsigned hoped;       /* how many are worth waiting for, ... */
    int64_t gather_until; /* and until when (monotonic, ns) */
    unsigned hoped_most;  /* more have not come in time */
    unsigned hoped_well;  /* how often in a row that many came, ... */
    unsigned hope_again;  /* and how often until one more is hoped for, ... */
    int hoped_more;       /* which was the last change */
    int64_t sync_ns;      /* moving average of what a sync takes, ... */
    int64_t sync_bytes;   /* and of what it is for */
    tw_spare spare;
    int spare_fd;         /* of a file that can become the next segment, or -1 */
    int spare_written;    /* it is full of zeros */
    int64_t spare_due_ms; /* after a failure: not before (monotonic) */
    tw_spool_stats stats;
    /* ---- under `files` ---- */
    pthread_mutex_t files; /* see tw__files_lock */
    tw_lane *own;          /* lanes[0]; never changes */
    tw_lane **lanes;
    size_t lane_count, lane_room;
    size_t reading; /* lane of the reader */
    char *page;     /* the segment that is being read */
    size_t page_size, page_at;
    unsigned char
        *page_left; /* a bit per record that is in the page and to be given out */
    tw_segment *page_segment;
    tw_lane *page_lane;
    uint64_t page_end;    /* no record from here on is given out */
    int page_revived;     /* its records had been set aside */
    int any_revived;      /* some segment may have revived records */
    uint64_t own_segment; /* first number of the own one that reread is in; 0: none */
    uint64_t own_at;      /* place in it behind what was read */
    /* ---- of the thread that calls reread ---- */
    char *own_page;
    size_t own_size, own_next;
    /* ---- of who calls parked, under `files` ---- */
    char *park_page;           /* records of one segment, or NULL */
    size_t park_size, park_at; /* bytes of it, and where the next one is */
    uint64_t park_lane, park_first, park_bytes; /* which segment, and how much it had */
    uint64_t park_seq;                          /* of the last record passed, ... */
    size_t park_before;                         /* and its place */
};

/* ---- spool_system.c: calls of the seam, EINTR and short counts taken care of ---------- */
int tw__spool_read_all(tw_spool *sp, int fd, void *bytes, size_t size, uint64_t at,
                       size_t *got);
int tw__spool_write_all(tw_spool *sp, int fd, const void *bytes, size_t size,
                        uint64_t at);
int tw__spool_data_sync(tw_spool *sp, int fd);
/* The same for the records or the notes: -ENOENT where somebody removed the file or gave it another
 * name, for no process will find what is in it. */
int tw__spool_file_sync(tw_spool *sp, const tw_lane *lane, const tw_segment *seg,
                        tw_spool_file kind);
int tw__spool_dir_sync(tw_spool *sp);
int tw__spool_truncate(tw_spool *sp, int fd, uint64_t size);
int tw__spool_allocate(tw_spool *sp, int fd, uint64_t size);
int tw__spool_open_file(tw_spool *sp, const char *name, int flags);
int tw__spool_unlink(tw_spool *sp, const char *name); /* absent is as good as removed */
int tw__spool_rename(tw_spool *sp, const char *from, const char *to);
void tw__spool_close(tw_spool *sp, int *fd);
/* Opens sp->path as sp->dir, if it may be used. */
int tw__spool_folder_open(tw_spool *sp, tw_error **err);
/* Makes the error of a negated errno. */
int tw__spool_fail(tw_error **err, const tw_spool *sp, int why, const char *what);

/* ---- spool_format.c -------------------------------------------------------------------- */
uint32_t tw__lane_crc(uint64_t lane, const unsigned char project[16]);
void tw__segment_header(unsigned char out[TW_SPOOL_HEADER], const tw_spool *sp,
                        const tw_lane *lane, uint64_t first, int64_t now);
/* Whether the header is of this version, lane and segment; -1 where its version is of a later
 * program. */
int tw__segment_header_check(const unsigned char *in, size_t size, const tw_spool *sp,
                             const tw_lane *lane, uint64_t first);
/* Whether it is one that was not written to its end, as by a process that died meanwhile: the
 * right bytes, and from some place on, which may be the first, zeros or nothing. */
int tw__segment_header_torn(const unsigned char *in, size_t size, const tw_spool *sp,
                            const tw_lane *lane, uint64_t first);
int tw__frame_put(tw_buf *buf, uint32_t crc, tw_frame_kind kind, uint64_t seq,
                  int64_t now, const tw_spool_text *text);
/* The next good frame from `*at` on, which is set behind it; `*skipped` is set when bytes
 * other than zeros were passed over. 0 at the end. */
int tw__frame_next(tw_frame *out, const char *page, size_t size, size_t *at, uint32_t crc,
                   int *skipped);
void tw__note_put(unsigned char out[TW_SPOOL_NOTE], uint32_t crc, const tw_note *note);
int tw__note_get(tw_note *out, const unsigned char in[TW_SPOOL_NOTE], uint32_t crc);
void tw__spool_name(char out[TW_SPOOL_NAME], const tw_spool *sp, uint64_t lane,
                    uint64_t first, tw_spool_file kind);
tw_spool_file tw__spool_name_read(const char *name, const tw_spool *sp, uint64_t *lane,
                                  uint64_t *first);

/* ---- spool_append.c -------------------------------------------------------------------- */
void tw__bells_init(tw_spool *sp);
void tw__bells_clear(tw_spool *sp);

/* ---- spool_segment.c ------------------------------------------------------------------- */
/* Adds an empty one in its place; NULL when there is no memory or it is there. */
tw_segment *tw__segment_add(tw_lane *lane, uint64_t first);
tw_segment *tw__segment_find(tw_lane *lane, uint64_t seq);
void tw__segment_free(tw_spool *sp, tw_segment *seg);
/* Room for so many more; 0 without memory. @locks needs files */
int tw__lane_reserve(tw_lane *lane, size_t more);
/* Puts it in its place, for which there is room. @locks needs files */
void tw__segment_list(tw_lane *lane, tw_segment *seg);
/* The own lane's next one with its files, in no list yet: 0, or a negated errno. @locks needs busy,
 * not lock */
int tw__segment_make(tw_segment **out, tw_spool *sp);
/* Forgets one that begins there, which a failure left without a record. @locks needs files */
void tw__segment_clear_way(tw_spool *sp, uint64_t first);
/* Whether syncs are so small that blocks which were written before pay. @locks needs lock */
int tw__segment_small_syncs(const tw_spool *sp);
/* Unlinks the file made ahead. */
void tw__segment_spare_drop(tw_spool *sp);
/* Nothing is staged for the current segment from now on. @locks needs lock and busy */
tw_segment *tw__segment_detach(tw_spool *sp);
/* Writes the end behind the records of the own lane's file: 0, or a negated errno. @locks needs
 * busy, or files where the file is sealed */
int tw__segment_mark_end(tw_spool *sp, const tw_segment *seg, uint64_t end);
/* The detached file takes no more than it has, up to that number. @locks needs files */
void tw__segment_seal(tw_spool *sp, tw_segment *seg, uint64_t end);
/* The disk failed the detached file: what was accepted moves to a new one. @locks needs busy
 */
void tw__segment_distrust(tw_spool *sp, tw_segment *seg);
/* Writes what is not acknowledged to a new file in the place of the old one. @locks needs
 * files, and busy where it is the current one */
int tw__segment_rewrite(tw_spool *sp, tw_lane *lane, tw_segment *seg);
/* Syncs the records of the own lane; sealed files that fail are rewritten, `*failed` is set
 * where the one in use does. @locks needs files */
int tw__segments_sync(tw_spool *sp, int *failed);
/* Counts its bytes, or no more, as kept by nothing but records that are set aside. @locks needs
 * files */
void tw__segment_weigh(tw_spool *sp, tw_segment *seg);
/* Removes the segment if all its records are acknowledged; it may be gone afterwards. Else weighs
 * it. @locks needs files */
void tw__segment_retire(tw_spool *sp, tw_lane *lane, tw_segment *seg);

/* ---- spool_turn.c ---------------------------------------------------------------------- */
/* `files`, with everything in the list that was begun before. */
void tw__files_lock(tw_spool *sp);
void tw__files_unlock(tw_spool *sp);
/* Begins the segment behind the detached one, which is NULL at first and after a failure. It does
 * not wait for `files` unless it has to. 0, or a negated errno. @locks needs busy, not lock */
int tw__segment_turn(tw_spool *sp, tw_segment *seg);

/* ---- spool_notes.c: the file of notes. @locks needs files ------------------------------ */
/* Whether it may be about a segment that begins there. */
int tw__note_fits(const tw_segment *seg, const tw_note *note);
int tw__notes_load(tw_spool *sp, tw_lane *lane, tw_segment *seg);
int tw__notes_is_acked(const tw_segment *seg, uint64_t seq);
int64_t tw__notes_sent_ms(const tw_segment *seg, uint64_t seq);
int tw__notes_is_aside(const tw_segment *seg, uint64_t seq);
int tw__ranges_has(const tw_ranges *ranges, uint64_t seq);
void tw__ranges_clear(tw_ranges *ranges);
/* What is in a range already stays as it was. 0 or -ENOMEM. */
int tw__ranges_add(tw_ranges *ranges, const tw_note *note);
/* In memory: 0 or -ENOMEM. */
int tw__notes_apply(tw_segment *seg, const tw_note *note);
/* In the file, after memory. */
int tw__notes_write(tw_spool *sp, tw_lane *lane, tw_segment *seg, const tw_note *notes,
                    size_t count);
int tw__notes_sync(tw_spool *sp, tw_lane *lane, tw_segment *seg);

/* ---- spool_reader.c. @locks needs files ------------------------------------------------ */
/* TW_OK, TW_DONE, or a negated errno of what passes: no memory, no descriptor. */
int tw__reader_next(tw_spool_item *out, tw_spool *sp);
void tw__reader_drop(tw_spool *sp);

/* ---- spool_lane.c. @locks needs files -------------------------------------------------- */
int tw__lane_start(tw_spool *sp, tw_error **err);
int tw__lanes_adopt(tw_spool *sp, tw_error **err);
/* Makes lock files again that somebody removed. */
void tw__lanes_keep(tw_spool *sp);
void tw__lane_finish(tw_spool *sp, tw_lane *lane); /* removes it when nothing is left */
void tw__lane_free(tw_spool *sp, tw_lane *lane);

#endif
