/* SPDX-License-Identifier: MIT */
/* Lanes: one per process, held by a lock, taken over once its process is dead. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <tidewheel/common.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "ingest/spool_internal.h"

enum { NEW_LANE_TRIES = 8 };

typedef struct name_list {
    tw_spool *sp;
    struct name_entry {
        uint64_t lane;
        uint64_t first;
        tw_spool_file kind;
    } * items;
    size_t count, room;
    uint64_t foreign;
} name_list;

static int name_add(void *arg, const char *name)
{
    name_list *list = arg;
    struct name_entry entry;

    entry.kind = tw__spool_name_read(name, list->sp, &entry.lane, &entry.first);
    if (entry.kind == TW_FILE_NONE) {
        /* Other projects and other versions use the same folder. */
        list->foreign += strncmp(name, "tw", 2) != 0;
        return 0;
    }
    if (entry.kind == TW_FILE_BAD)
        return 0;
    if (list->count == list->room) {
        size_t room = list->room != 0 ? list->room * 2 : 64;
        struct name_entry *more = tw__realloc(list->items, room * sizeof *more);

        if (more == NULL)
            return -ENOMEM;
        list->items = more;
        list->room = room;
    }
    list->items[list->count++] = entry;
    return 0;
}

static int name_order(const void *a, const void *b)
{
    const struct name_entry *x = a;
    const struct name_entry *y = b;

    if (x->lane != y->lane)
        return x->lane < y->lane ? -1 : 1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

/* The names in the folder, sorted. */
static int names_read(name_list *list, tw_spool *sp)
{
    int rc;

    memset(list, 0, sizeof *list);
    list->sp = sp;
    do {
        list->count = 0;
        list->foreign = 0;
        rc = sp->sys.dir_list(sp->sys.ctx, sp->dir, name_add, list);
    } while (rc == -EINTR);
    if (rc == 0 && list->count != 0)
        qsort(list->items, list->count, sizeof *list->items, name_order);
    return rc;
}

/* ---- one lane -------------------------------------------------------------------------- */

static tw_lane *lane_new(tw_spool *sp, uint64_t id)
{
    tw_lane *lane;

    if (sp->lane_count == TW_SPOOL_LANES_MOST)
        return NULL;
    if (sp->lane_count == sp->lane_room) {
        size_t room = sp->lane_room != 0 ? sp->lane_room * 2 : 8;
        tw_lane **more = tw__realloc(sp->lanes, room * sizeof(tw_lane *));

        if (more == NULL)
            return NULL;
        sp->lanes = more;
        sp->lane_room = room;
    }
    lane = tw__alloc_zero(1, sizeof *lane);
    if (lane == NULL)
        return NULL;
    lane->id = id;
    lane->crc = tw__lane_crc(id, sp->project);
    lane->lock_fd = -1;
    lane->slot = (unsigned)sp->lane_count;
    sp->lanes[sp->lane_count++] = lane;
    return lane;
}

void tw__lane_free(tw_spool *sp, tw_lane *lane)
{
    size_t i;

    for (i = 0; i < lane->count; i++)
        tw__segment_free(sp, lane->segments[i]);
    tw__free(lane->segments);
    tw__spool_close(sp, &lane->lock_fd);
    tw__free(lane);
}

/* The lock, and the file still in its place: whoever finished the lane before us unlinked it
 * while we were waiting to open it. */
static int lane_lock(tw_spool *sp, int fd, const char *name)
{
    tw_spool_stat held;
    tw_spool_stat named;
    int rc;

    do {
        rc = sp->sys.lock(sp->sys.ctx, fd);
    } while (rc == -EINTR);
    if (rc == 0)
        rc = sp->sys.stat(sp->sys.ctx, fd, &held);
    if (rc == 0)
        rc = sp->sys.stat_at(sp->sys.ctx, sp->dir, name, &named);
    if (rc == 0 && held.inode != named.inode)
        rc = -ENOENT;
    return rc;
}

/* Somebody may have removed the lock's file: made again before a process looks, it goes on telling
 * them that the lane has an owner. Where one has taken it meanwhile both have it. */
static void lane_keep(tw_spool *sp, tw_lane *lane)
{
    char name[TW_SPOOL_NAME];
    tw_spool_stat st;
    int fd;

    if (lane->lock_fd < 0 || sp->sys.stat(sp->sys.ctx, lane->lock_fd, &st) < 0 ||
        st.links != 0)
        return;
    tw__spool_name(name, sp, lane->id, 0, TW_FILE_LOCK);
    fd = tw__spool_open_file(sp, name, O_RDWR | O_CREAT);
    if (fd >= 0 && lane_lock(sp, fd, name) == 0) {
        tw__spool_close(sp, &lane->lock_fd);
        lane->lock_fd = fd;
        return;
    }
    tw__spool_close(sp, &fd);
}

void tw__lanes_keep(tw_spool *sp)
{
    size_t i;

    for (i = 0; i < sp->lane_count; i++)
        lane_keep(sp, sp->lanes[i]);
}

/* In the order of time, in which dead lanes are read, too. */
static uint64_t new_id(void)
{
    return (uint64_t)tw__wall_ms() << 20 | tw__random_below((uint64_t)1 << 20);
}

int tw__lane_start(tw_spool *sp, tw_error **err)
{
    char name[TW_SPOOL_NAME];
    char text[96];
    tw_lane *lane;
    int tries = NEW_LANE_TRIES;
    int rc;

    lane = sp->own = lane_new(sp, 0);
    if (lane == NULL)
        return tw__error_nomem(err);
    do {
        lane->id = new_id();
        tw__spool_name(name, sp, lane->id, 0, TW_FILE_LOCK);
        rc = tw__spool_open_file(sp, name, O_RDWR | O_CREAT | O_EXCL);
        if (rc >= 0) {
            lane->lock_fd = rc;
            rc = lane_lock(sp, lane->lock_fd, name);
            if (rc == 0)
                break;
            tw__spool_close(sp, &lane->lock_fd);
            /* Someone who took it for a dead one removes it himself. */
            if (rc != -EWOULDBLOCK && rc != -ENOENT)
                (void)tw__spool_unlink(sp, name);
        }
    } while ((rc == -EEXIST || rc == -EWOULDBLOCK || rc == -ENOENT) && --tries > 0);
    lane->crc = tw__lane_crc(lane->id, sp->project);
    if (rc == -ENOLCK || rc == -EOPNOTSUPP || rc == -ENOSYS || rc == -EINVAL)
        return tw__error_at(err, TW_E_CONFIG, "spool",
                            "spool was on a file system without locks: processes could "
                            "not be told apart; a local one is needed");
    if (rc == -ENOMEM)
        return tw__error_nomem(err);
    return rc < 0 ? tw__error_at(err, TW_E_CONFIG, "spool",
                                 "spool was refused: no file could be made there: %s",
                                 strerror_r(-rc, text, sizeof text))
                  : TW_OK;
}

void tw__lane_finish(tw_spool *sp, tw_lane *lane)
{
    char name[TW_SPOOL_NAME];

    if (lane->over || lane->count != 0)
        return;
    tw__spool_name(name, sp, lane->id, 0, TW_FILE_LOCK);
    (void)tw__spool_unlink(sp, name); /* before the lock goes */
    tw__spool_close(sp, &lane->lock_fd);
    lane->over = 1;
}

/* ---- adoption -------------------------------------------------------------------------- */

/* Takes the lock of a lane that is not ours yet. 1 when taken. */
static int lane_take(tw_spool *sp, uint64_t id)
{
    char name[TW_SPOOL_NAME];
    tw_lane *lane;
    size_t i;
    int fd;

    for (i = 0; i < sp->lane_count; i++) {
        if (sp->lanes[i]->id == id && !sp->lanes[i]->over)
            return 0;
    }
    tw__spool_name(name, sp, id, 0, TW_FILE_LOCK);
    fd = tw__spool_open_file(sp, name, O_RDWR | O_CREAT);
    if (fd < 0)
        return 0; /* some other time, or some other process */
    if (lane_lock(sp, fd, name) < 0) {
        tw__spool_close(sp, &fd);
        return 0;
    }
    lane = lane_new(sp, id);
    if (lane == NULL) {
        tw__spool_close(sp, &fd);
        return -ENOMEM;
    }
    lane->lock_fd = fd;
    return 1;
}

/* A segment whose file somebody took away: what was not acknowledged is missing. */
static int notes_without_records(tw_spool *sp, tw_lane *lane, tw_segment *seg)
{
    char name[TW_SPOOL_NAME];
    uint64_t lost = 0;
    uint64_t seq;
    int rc;

    rc = tw__notes_load(sp, lane, seg);
    if (rc < 0)
        return rc == -ENOMEM ? rc : 0;
    for (seq = seg->first; seq < seg->end; seq++)
        lost += !tw__notes_is_acked(seg, seq);
    pthread_mutex_lock(&sp->lock);
    sp->stats.lost += lost;
    pthread_mutex_unlock(&sp->lock);
    tw__spool_name(name, sp, lane->id, seg->first, TW_FILE_NOTES);
    (void)tw__spool_unlink(sp, name);
    return 0;
}

static int file_adopt(tw_spool *sp, tw_lane *lane, const struct name_entry *entry,
                      int unnamed)
{
    tw_segment *seg = tw__segment_find(lane, entry->first);
    char name[TW_SPOOL_NAME];
    tw_spool_stat st;

    tw__spool_name(name, sp, entry->lane, entry->first, entry->kind);
    if (entry->kind == TW_FILE_SPARE)
        (void)tw__spool_unlink(sp, name);
    if (entry->kind != TW_FILE_SEGMENT && entry->kind != TW_FILE_NOTES)
        return 0;
    if (seg == NULL || seg->first != entry->first)
        seg = tw__segment_add(lane, entry->first);
    if (seg == NULL)
        return -ENOMEM;
    seg->unnamed = unnamed;
    if (entry->kind == TW_FILE_SEGMENT) {
        seg->has_file = 1;
        if (sp->sys.stat_at(sp->sys.ctx, sp->dir, name, &st) == 0)
            seg->bytes = st.size;
        pthread_mutex_lock(&sp->lock);
        sp->stats.bytes += seg->bytes;
        sp->stats.unread += seg->bytes;
        sp->stats.segments++;
        pthread_mutex_unlock(&sp->lock);
    }
    return 0;
}

/* Drops what has no records any more; the rest is read when its turn comes. */
static int lane_tidy(tw_spool *sp, tw_lane *lane)
{
    size_t kept = 0;
    size_t i;
    int rc = 0;

    for (i = 0; i < lane->count; i++) {
        tw_segment *seg = lane->segments[i];

        if (!seg->has_file && rc == 0) {
            rc = notes_without_records(sp, lane, seg);
            tw__segment_free(sp, seg);
        } else {
            lane->segments[kept++] = seg;
        }
    }
    lane->count = kept;
    return rc;
}

static int lanes_fill(tw_spool *sp, size_t from)
{
    name_list list;
    size_t i;
    size_t k;
    int unnamed;
    int rc;

    /* In fast mode a process leaves names that a power cut may take, of notes as well. */
    unnamed = tw__spool_dir_sync(sp) < 0;
    rc = names_read(&list, sp);
    /* Both are sorted by lane only by chance: look each entry's lane up from the last hit. */
    for (i = 0, k = from; i < list.count && rc == 0; i++) {
        size_t tried;

        for (tried = from;
             tried < sp->lane_count && sp->lanes[k]->id != list.items[i].lane; tried++)
            k = k + 1 < sp->lane_count ? k + 1 : from;
        if (sp->lanes[k]->id == list.items[i].lane)
            rc = file_adopt(sp, sp->lanes[k], &list.items[i], unnamed);
    }
    pthread_mutex_lock(&sp->lock);
    sp->stats.foreign = list.foreign;
    pthread_mutex_unlock(&sp->lock);
    tw__free(list.items);
    for (i = from; i < sp->lane_count && rc == 0; i++)
        rc = lane_tidy(sp, sp->lanes[i]);
    return rc;
}

/* The lanes from there on stay those of dead processes, with all that they have. */
static void lanes_let_go(tw_spool *sp, size_t from)
{
    while (sp->lane_count > from) {
        tw_lane *lane = sp->lanes[--sp->lane_count];
        size_t i;

        pthread_mutex_lock(&sp->lock);
        for (i = 0; i < lane->count; i++) {
            sp->stats.bytes -= lane->segments[i]->bytes;
            sp->stats.unread -= lane->segments[i]->bytes;
            sp->stats.segments -= lane->segments[i]->has_file != 0;
        }
        pthread_mutex_unlock(&sp->lock);
        tw__lane_free(sp, lane);
    }
}

int tw__lanes_adopt(tw_spool *sp, tw_error **err)
{
    size_t from = sp->lane_count;
    name_list list;
    size_t i;
    int rc;

    tw__lanes_keep(sp);
    rc = names_read(&list, sp);
    for (i = 0; i < list.count && rc >= 0; i++) {
        if (i == 0 || list.items[i].lane != list.items[i - 1].lane)
            rc = lane_take(sp, list.items[i].lane);
    }
    pthread_mutex_lock(&sp->lock);
    sp->stats.foreign = list.foreign;
    pthread_mutex_unlock(&sp->lock);
    tw__free(list.items);
    /* Only now that the locks are held does the folder tell what the lanes have. */
    if (rc >= 0 && sp->lane_count != from)
        rc = lanes_fill(sp, from);
    if (rc < 0)
        lanes_let_go(sp, from);
    pthread_mutex_lock(&sp->lock);
    sp->stats.lanes += sp->lane_count - from;
    pthread_mutex_unlock(&sp->lock);
    return rc < 0 ? tw__spool_fail(err, sp, rc, "the folder could not be read") : TW_OK;
}
