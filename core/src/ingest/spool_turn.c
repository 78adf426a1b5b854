/* SPDX-License-Identifier: MIT */
/* From one segment to the next, and the lock of the files, which an append does not wait for. */
#include <errno.h>
#include <stddef.h>

#include <tidewheel/common.h>

#include "ingest/spool_internal.h"

/* How many segments may be begun before someone takes `files` and seals those that are full: each
 * keeps two descriptors, and an append that is so far ahead of the disk had better wait. */
enum { TURNS_MOST = 8 };

/* ---- the lock -------------------------------------------------------------------------- */

/* What was begun since the last time. There is room for it in the list, for `turns_left` more, and
 * for one that somebody is about to begin. @locks needs files */
static tw_segment *turned_take(tw_spool *sp)
{
    tw_lane *lane = sp->own;
    tw_segment *first;
    tw_segment *at;
    size_t room;

    (void)tw__lane_reserve(lane, 2 * TURNS_MOST + 1); /* or there are fewer turns */
    pthread_mutex_lock(&sp->lock);
    first = sp->turned;
    room = lane->room - lane->count;
    for (at = first; at != NULL; at = at->next)
        room--;
    sp->turns_left = room > TURNS_MOST ? TURNS_MOST : room > 1 ? (unsigned)room - 1 : 0;
    sp->turned = NULL;
    sp->turned_end = &sp->turned;
    pthread_mutex_unlock(&sp->lock);
    return first;
}

void tw__files_lock(tw_spool *sp)
{
    tw_segment *seg;
    tw_segment *next;

    pthread_mutex_lock(&sp->files);
    for (seg = turned_take(sp); seg != NULL; seg = next) {
        next = seg->next;
        if (seg->follows != NULL)
            tw__segment_seal(sp, seg->follows, seg->first);
        tw__segment_list(sp->own, seg);
    }
}

void tw__files_unlock(tw_spool *sp)
{
    pthread_mutex_unlock(&sp->files);
}

/* ---- turning over ---------------------------------------------------------------------- */

/* Whether the next one can be begun and this one be left to whoever takes `files`. One without a
 * record has the next one's name, and after a failure there may be one, too. */
static int may_leave(const tw_spool *sp, const tw_segment *seg)
{
    return seg != NULL && seg->first != sp->next_seq;
}

static int turns_left(tw_spool *sp)
{
    int left;

    pthread_mutex_lock(&sp->lock);
    left = sp->turns_left != 0;
    pthread_mutex_unlock(&sp->lock);
    return left;
}

static void seal_now(tw_spool *sp, tw_segment *seg)
{
    tw__files_lock(sp);
    if (seg != NULL)
        tw__segment_seal(sp, seg, sp->next_seq);
    tw__segment_clear_way(sp, sp->next_seq);
    tw__files_unlock(sp);
}

static void begin(tw_spool *sp, tw_segment *seg, tw_segment *follows)
{
    pthread_mutex_lock(&sp->lock);
    seg->follows = follows;
    *sp->turned_end = seg;
    sp->turned_end = &seg->next;
    sp->turns_left--;
    sp->current = seg;
    sp->planned = seg->bytes;
    sp->stats.bytes += seg->bytes;
    sp->stats.segments++;
    sp->dir_unsynced = !sp->durable;
    pthread_mutex_unlock(&sp->lock);
}

int tw__segment_turn(tw_spool *sp, tw_segment *seg)
{
    tw_segment *made;
    int rc;

    if (!may_leave(sp, seg) || !turns_left(sp)) {
        seal_now(sp, seg);
        seg = NULL;
    }
    if (seg != NULL) /* what the process leaves if it dies before somebody seals it */
        (void)tw__segment_mark_end(sp, seg, sp->next_seq);
    rc = turns_left(sp) ? tw__segment_make(&made, sp) : -ENOMEM;
    if (rc == 0)
        begin(sp, made, seg);
    else if (seg != NULL)
        seal_now(sp, seg);
    return rc;
}
