/* SPDX-License-Identifier: MIT */
/* Reads the records of the own lane again: those that memory had no room for. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <tidewheel/common.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "ingest/spool_internal.h"

/* A part of a file that is to be read. */
typedef struct own_part {
    int fd;
    uint64_t at;
    size_t size;
} own_part;

/* The place behind the last good record, and whether none will follow. */
static uint64_t segment_written(tw_spool *sp, const tw_segment *seg, int *sealed)
{
    uint64_t bytes;

    pthread_mutex_lock(&sp->lock);
    bytes = seg->bytes;
    *sealed = seg->sealed;
    pthread_mutex_unlock(&sp->lock);
    return bytes;
}

/* Opens what of the segment has not been read: 0, 1 where somebody removed it, or a negated errno.
 * Of one that is still open the next sync writes another copy: it is worth waiting for. */
static int part_open(own_part *out, tw_spool *sp, tw_segment *seg, uint64_t written)
{
    char name[TW_SPOOL_NAME];
    int gone;

    tw__spool_name(name, sp, sp->own->id, seg->first, TW_FILE_SEGMENT);
    out->fd = tw__spool_open_file(sp, name, O_RDONLY);
    gone = out->fd == -ENOENT;
    if (gone) {
        pthread_mutex_lock(&sp->lock);
        seg->data_unsynced |= seg->fd >= 0;
        sp->stats.unreadable += seg->fd < 0;
        pthread_mutex_unlock(&sp->lock);
    }
    if (out->fd < 0 && (!gone || seg->fd >= 0))
        return out->fd;
    out->at = sp->own_at;
    out->size = (size_t)(written - sp->own_at);
    sp->own_at = written;
    return gone;
}

/* Finds what has been written since the last look, at record `from` or behind it. 0; 1 where
 * there is nothing; or a negated errno. @locks needs files */
static int part_find(own_part *out, tw_spool *sp, uint64_t from)
{
    tw_segment *seg;
    uint64_t written;
    int sealed;

    for (;; from = seg->end) {
        seg = tw__segment_find(sp->own, from);
        if (seg == NULL)
            return 1;
        written = segment_written(sp, seg, &sealed);
        if (sp->own_segment != seg->first) {
            sp->own_segment = seg->first;
            sp->own_at = TW_SPOOL_HEADER;
        }
        if (sp->own_at < written) {
            int rc = part_open(out, sp, seg, written);

            if (rc <= 0)
                return rc;
        }
        if (!sealed || seg->end <= from)
            return 1;
    }
}

/* As part_find, into the page. A part that the disk cannot read is passed over. */
static int page_load(tw_spool *sp, uint64_t from)
{
    own_part part;
    int rc;

    tw__free(sp->own_page);
    sp->own_page = NULL;
    sp->own_size = sp->own_next = 0;
    tw__files_lock(sp);
    rc = part_find(&part, sp, from);
    tw__files_unlock(sp);
    if (rc != 0)
        return rc;
    sp->own_page = tw__alloc(part.size);
    if (sp->own_page == NULL)
        rc = -ENOMEM;
    else
        rc = tw__spool_read_all(sp, part.fd, sp->own_page, part.size, part.at,
                                &sp->own_size);
    tw__spool_close(sp, &part.fd);
    if (rc == 0)
        return 0;
    tw__files_lock(sp);
    if (rc != -EIO && sp->own_segment != 0)
        sp->own_at = part.at; /* for the next try */
    tw__files_unlock(sp);
    pthread_mutex_lock(&sp->lock);
    sp->stats.unreadable += rc == -EIO;
    pthread_mutex_unlock(&sp->lock);
    return rc == -EIO ? 0 : rc;
}

int tw__spool_reread(tw_spool_item *out, tw_spool *sp, uint64_t from, tw_error **err)
{
    tw_frame frame;
    int skipped;
    int rc;

    memset(out, 0, sizeof *out);
    if (sp->pid != tw__pid())
        return tw__error(err, TW_E_FORKED, "the spool belonged to the parent process");
    do {
        skipped = 0;
        while (tw__frame_next(&frame, sp->own_page, sp->own_size, &sp->own_next,
                              sp->own->crc, &skipped)) {
            if (frame.kind != TW_FRAME_RECORD || frame.seq < from)
                continue;
            out->id = frame.seq;
            out->accepted_ms = frame.accepted_ms;
            out->sent_ms = -1;
            out->text = frame.text;
            out->size = frame.size;
            return TW_OK;
        }
        rc = page_load(sp, from);
    } while (rc == 0);
    return rc == 1 ? TW_DONE
                   : tw__spool_fail(err, sp, rc, "records could not be read back");
}
