/* SPDX-License-Identifier: MIT */
/* A spool folder seen from outside: counts what is in it, throws it away. */
#include <tidewheel/spool.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <tidewheel/client.h>
#include <tidewheel/json.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/utf8.h"
#include "ingest/spool_internal.h"

enum { PREFIX = 21, PURGE_IDS = 1000 }; /* "tw1-", sixteen digits, "-" */

/* A larger file is none of ours. */
#define FILE_MOST (TW_SPOOL_SEGMENT_BYTES + 4096)

typedef struct tally {
    uint64_t bytes, events, sent, uncertain, lost, torn, unreadable, quarantined;
    uint64_t lanes, live, segments;
    int64_t oldest, newest; /* -1: none */
} tally;

typedef struct found_file {
    char prefix[PREFIX + 1];
    uint64_t lane, first;
    tw_spool_file kind;
} found_file;

typedef struct found_list {
    found_file *items;
    size_t count, room;
    uint64_t foreign;
    tw_spool *sp; /* whose prefix is that of the name at hand */
} found_list;

/* ---- the folder ------------------------------------------------------------------------ */

static int found_add(void *arg, const char *name)
{
    found_list *list = arg;
    found_file file;

    memset(&file, 0, sizeof file);
    snprintf(file.prefix, sizeof file.prefix, "%.*s", PREFIX, name);
    snprintf(list->sp->prefix, sizeof list->sp->prefix, "%s", file.prefix);
    if (strncmp(name, "tw1-", 4) == 0)
        file.kind = tw__spool_name_read(name, list->sp, &file.lane, &file.first);
    if (file.kind == TW_FILE_NONE) {
        list->foreign++;
        return 0;
    }
    if (list->count == list->room) {
        size_t room = list->room != 0 ? list->room * 2 : 64;
        found_file *more = tw__realloc(list->items, room * sizeof *more);

        if (more == NULL)
            return -ENOMEM;
        list->items = more;
        list->room = room;
    }
    list->items[list->count++] = file;
    return 0;
}

static int found_order(const void *a, const void *b)
{
    const found_file *x = a;
    const found_file *y = b;
    int order = strcmp(x->prefix, y->prefix);

    if (order != 0)
        return order;
    if (x->lane != y->lane)
        return x->lane < y->lane ? -1 : 1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

/* Opens the folder, which must be there. `sp` has nothing but what reading files needs. */
static int folder_open(tw_spool *sp, const char *path, tw_error **err)
{
    struct stat st;

    memset(sp, 0, sizeof *sp);
    sp->sys = tw__spool_system;
    sp->dir = -1;
    if (stat(path, &st) != 0) /* opening it would make it */
        return tw__error_at(err, TW_E_CONFIG, "path", "the spool folder was not there");
    sp->path = tw__strdup(path);
    if (sp->path == NULL)
        return tw__error_nomem(err);
    return tw__spool_folder_open(sp, err);
}

/* Opens and lists it. */
static int folder_list(found_list *list, tw_spool *sp, const char *path, tw_error **err)
{
    int rc;

    memset(list, 0, sizeof *list);
    list->sp = sp;
    rc = folder_open(sp, path, err);
    if (rc != TW_OK)
        return rc;
    do {
        list->count = 0;
        list->foreign = 0;
        rc = sp->sys.dir_list(sp->sys.ctx, sp->dir, found_add, list);
    } while (rc == -EINTR);
    if (rc < 0)
        return tw__spool_fail(err, sp, rc, "the folder could not be read");
    if (list->count != 0)
        qsort(list->items, list->count, sizeof *list->items, found_order);
    return TW_OK;
}

static void folder_close(found_list *list, tw_spool *sp)
{
    tw__spool_close(sp, &sp->dir);
    tw__free(sp->path);
    tw__free(list->items);
}

int tw_spool_check(const char *path, tw_error **err)
{
    found_list none = {0};
    tw_spool sp;
    int rc = folder_open(&sp, path, err);

    folder_close(&none, &sp);
    return rc;
}

/* The whole file, NULL where it cannot be read. */
static char *file_read(tw_spool *sp, const found_file *file, tw_spool_file kind,
                       size_t *size, int *missing)
{
    char name[TW_SPOOL_NAME];
    tw_spool_stat st;
    char *bytes = NULL;
    int fd;

    tw__spool_name(name, sp, file->lane, file->first, kind);
    fd = tw__spool_open_file(sp, name, O_RDONLY);
    *missing = fd == -ENOENT;
    if (fd < 0)
        return NULL;
    if (sp->sys.stat(sp->sys.ctx, fd, &st) == 0 && S_ISREG(st.mode) &&
        st.size <= FILE_MOST * 2)
        bytes = tw__alloc((size_t)st.size + 1);
    if (bytes != NULL &&
        tw__spool_read_all(sp, fd, bytes, (size_t)st.size, 0, size) < 0) {
        tw__free(bytes);
        bytes = NULL;
    }
    tw__spool_close(sp, &fd);
    return bytes;
}

/* Reads the project of a file into `sp`: 1 where its head is whole, or damaged but proven right by
 * a record. */
static int project_read(tw_spool *sp, const found_file *file, int damaged)
{
    tw_lane lane = {.id = file->lane};
    tw_frame frame;
    size_t at = TW_SPOOL_HEADER;
    size_t size = 0;
    int missing;
    int header;
    int skipped = 0;
    char *page = file_read(sp, file, TW_FILE_SEGMENT, &size, &missing);
    int rc = 0;

    if (page != NULL && size >= TW_SPOOL_HEADER) {
        memcpy(sp->project, page + 16, sizeof sp->project);
        header =
            tw__segment_header_check((unsigned char *)page, size, sp, &lane, file->first);
        rc = header > 0 || (damaged && header == 0 &&
                            tw__frame_next(&frame, page, size, &at,
                                           tw__lane_crc(lane.id, sp->project), &skipped));
    }
    tw__free(page);
    return rc;
}

/* The project's whole hash stands in the head of its files, of which the first is at `from`. 0 when
 * none can be read. */
static int project_find(unsigned char out[16], tw_spool *sp, const found_list *list,
                        size_t from)
{
    int damaged;
    size_t i;

    for (damaged = 0; damaged < 2; damaged++) {
        for (i = from; i < list->count; i++) {
            const found_file *file = &list->items[i];

            if (strcmp(file->prefix, list->items[from].prefix) != 0)
                break;
            snprintf(sp->prefix, sizeof sp->prefix, "%s", file->prefix);
            if (file->kind == TW_FILE_SEGMENT && project_read(sp, file, damaged)) {
                memcpy(out, sp->project, 16);
                return 1;
            }
        }
    }
    return 0;
}

/* ---- one segment ----------------------------------------------------------------------- */

/* What is noted about the segment, as far as it can be read. */
static void notes_peek(tw_spool *sp, const found_file *file, tw_segment *seg,
                       uint32_t crc)
{
    size_t size = 0;
    int missing;
    char *bytes = file_read(sp, file, TW_FILE_NOTES, &size, &missing);
    size_t at;

    for (at = 0; bytes != NULL && at + TW_SPOOL_NOTE <= size; at += TW_SPOOL_NOTE) {
        tw_note note;

        if (tw__note_get(&note, (unsigned char *)bytes + at, crc) &&
            tw__note_fits(seg, &note))
            (void)tw__notes_apply(seg, &note);
    }
    tw__free(bytes);
}

static void count_record(tally *sum, const tw_segment *seg, const tw_frame *frame)
{
    if (tw__notes_is_acked(seg, frame->seq))
        return;
    if (tw__notes_is_aside(seg, frame->seq)) {
        sum->uncertain++;
    } else {
        sum->events++;
        sum->sent += tw__notes_sent_ms(seg, frame->seq) >= 0;
    }
    if (sum->oldest < 0 || frame->accepted_ms < sum->oldest)
        sum->oldest = frame->accepted_ms;
    if (frame->accepted_ms > sum->newest)
        sum->newest = frame->accepted_ms;
}

/* Numbers between `from` and `past` of which no record was seen. */
static void count_gap(tally *sum, const tw_segment *seg, uint64_t from, uint64_t past)
{
    for (; from < past; from++)
        sum->lost += !tw__notes_is_acked(seg, from);
}

/* 1 where there was a record, or the end of them. */
static int count_frames(tally *sum, tw_segment *seg, const char *page, size_t size,
                        uint32_t crc, int live)
{
    int found = 0;
    uint64_t past = seg->first;
    size_t at = TW_SPOOL_HEADER;
    tw_frame frame;
    int ended = 0;
    int skipped = 0;

    for (;;) {
        skipped = 0;
        if (!tw__frame_next(&frame, page, size, &at, crc, &skipped))
            break;
        found = 1;
        if (frame.kind == TW_FRAME_END) {
            ended = 1;
            seg->end = frame.seq;
        } else if (frame.seq >= past) {
            count_gap(sum, seg, past, frame.seq);
            count_record(sum, seg, &frame);
            past = frame.seq + 1;
        }
    }
    if (seg->end != 0)
        count_gap(sum, seg, past, seg->end);
    sum->torn += skipped && !ended && !live;
    return found;
}

/* `known` is the project's hash, NULL where no head of a file tells it. A file whose head is
 * damaged has its records all the same. */
static void count_segment(tally *sum, tw_spool *sp, const found_file *file,
                          const unsigned char *known, int live)
{
    tw_segment seg;
    tw_lane lane;
    size_t size = 0;
    int missing;
    int header;
    char *page = file_read(sp, file, TW_FILE_SEGMENT, &size, &missing);

    if (page == NULL) {
        sum->unreadable += !missing; /* gone since it was listed */
        return;
    }
    sum->segments++;
    sum->bytes += size;
    memset(&seg, 0, sizeof seg);
    memset(&lane, 0, sizeof lane);
    seg.first = file->first;
    lane.id = file->lane;
    if (known != NULL)
        memcpy(sp->project, known, sizeof sp->project);
    else if (size >= TW_SPOOL_HEADER)
        memcpy(sp->project, page + 16, sizeof sp->project);
    header =
        tw__segment_header_check((unsigned char *)page, size, sp, &lane, file->first);
    if (header >= 0) {
        lane.crc = tw__lane_crc(lane.id, sp->project);
        notes_peek(sp, file, &seg, lane.crc);
        if (!count_frames(sum, &seg, page, size, lane.crc, live) && header == 0 &&
            !tw__segment_header_torn((unsigned char *)page, size, sp, &lane, file->first))
            sum->unreadable++;
    } else {
        sum->unreadable++;
    }
    tw__free(seg.acked);
    tw__ranges_clear(&seg.sent);
    tw__ranges_clear(&seg.aside);
    tw__free(page);
}

/* Whether a process holds the lane. Its lock is free again at once. */
static int lane_lives(tw_spool *sp, const found_file *file)
{
    char name[TW_SPOOL_NAME];
    int rc;
    int fd;

    tw__spool_name(name, sp, file->lane, 0, TW_FILE_LOCK);
    fd = tw__spool_open_file(sp, name, O_RDWR);
    if (fd < 0)
        return 0;
    rc = sp->sys.lock(sp->sys.ctx, fd);
    tw__spool_close(sp, &fd);
    return rc == -EWOULDBLOCK;
}

/* All files of one project, the first of which is at `from`: the index behind them. */
static size_t count_project(tally *sum, tw_spool *sp, const found_list *list, size_t from)
{
    unsigned char project[16];
    int known = project_find(project, sp, list, from);
    int live = 0;
    size_t i;

    memset(sum, 0, sizeof *sum);
    sum->oldest = sum->newest = -1;
    for (i = from; i < list->count; i++) {
        const found_file *file = &list->items[i];

        if (strcmp(file->prefix, list->items[from].prefix) != 0)
            break;
        snprintf(sp->prefix, sizeof sp->prefix, "%s", file->prefix);
        if (i == from || file->lane != file[-1].lane) {
            live = lane_lives(sp, file);
            sum->lanes++;
            sum->live += (uint64_t)live;
        }
        if (file->kind == TW_FILE_SEGMENT)
            count_segment(sum, sp, file, known ? project : NULL, live);
        sum->quarantined += file->kind == TW_FILE_BAD;
    }
    return i;
}

/* ---- the report ------------------------------------------------------------------------ */

static void put_number(tw_json_writer *wr, const char *key, int64_t value)
{
    tw_json_put_key(wr, key, strlen(key), -1, 0);
    if (value < 0)
        tw_json_put_null(wr);
    else
        tw_json_put_int(wr, value);
}

static void put_text(tw_json_writer *wr, const char *key, char *text)
{
    tw__utf8_repair(text);
    tw_json_put_key(wr, key, strlen(key), -1, 0);
    tw_json_put_string(wr, text, strlen(text), -1, 0);
}

static void put_sum(tw_json_writer *wr, const tally *sum)
{
    put_number(wr, "lanes", (int64_t)sum->lanes);
    put_number(wr, "live", (int64_t)sum->live);
    put_number(wr, "segments", (int64_t)sum->segments);
    put_number(wr, "bytes", (int64_t)sum->bytes);
    put_number(wr, "events", (int64_t)sum->events);
    put_number(wr, "sent", (int64_t)sum->sent);
    put_number(wr, "uncertain", (int64_t)sum->uncertain);
    put_number(wr, "lost", (int64_t)sum->lost);
    put_number(wr, "torn", (int64_t)sum->torn);
    put_number(wr, "unreadable", (int64_t)sum->unreadable);
    put_number(wr, "quarantined", (int64_t)sum->quarantined);
    put_number(wr, "oldest", sum->oldest);
    put_number(wr, "newest", sum->newest);
}

static void sum_add(tally *all, const tally *one)
{
    all->lanes += one->lanes;
    all->live += one->live;
    all->segments += one->segments;
    all->bytes += one->bytes;
    all->events += one->events;
    all->sent += one->sent;
    all->uncertain += one->uncertain;
    all->lost += one->lost;
    all->torn += one->torn;
    all->unreadable += one->unreadable;
    all->quarantined += one->quarantined;
    if (one->oldest >= 0 && (all->oldest < 0 || one->oldest < all->oldest))
        all->oldest = one->oldest;
    if (one->newest > all->newest)
        all->newest = one->newest;
}

static void put_report(tw_json_writer *wr, const found_list *list, tw_spool *sp)
{
    tally all = {.oldest = -1, .newest = -1};
    tally one;
    size_t i = 0;

    tw_json_put_object(wr);
    put_text(wr, "path", sp->path);
    tw_json_put_key(wr, "projects", 8, -1, 0);
    tw_json_put_array(wr);
    while (i < list->count) {
        char project[17];

        snprintf(project, sizeof project, "%.16s", list->items[i].prefix + 4);
        i = count_project(&one, sp, list, i);
        tw_json_put_object(wr);
        put_text(wr, "project", project);
        put_sum(wr, &one);
        tw_json_put_object_end(wr);
        sum_add(&all, &one);
    }
    tw_json_put_array_end(wr);
    put_sum(wr, &all);
    put_number(wr, "foreign", (int64_t)list->foreign);
    tw_json_put_object_end(wr);
}

int tw_spool_inspect(char **out, const char *path, tw_error **err)
{
    tw_json_writer_options options = TW_JSON_WRITER_OPTIONS_INIT;
    tw_json_writer *wr = NULL;
    found_list list;
    const char *text;
    tw_spool sp;
    size_t size;
    int rc;

    *out = NULL;
    rc = folder_list(&list, &sp, path, err);
    options.max_string_chars = 0;
    if (rc == TW_OK)
        rc = tw_json_writer_new(&wr, &options, err);
    if (rc == TW_OK) {
        put_report(wr, &list, &sp);
        if (tw_json_writer_complete(wr)) {
            text = tw_json_writer_text(wr, &size);
            *out = tw__strndup(text, size);
            rc = *out != NULL ? TW_OK : tw__error_nomem(err);
        } else {
            rc = tw_json_writer_error(wr, err);
        }
    }
    tw_json_writer_free(wr);
    folder_close(&list, &sp);
    return rc;
}

/* ---- throwing away --------------------------------------------------------------------- */

/* Reads on, acknowledges what is old. */
static int purge_read(uint64_t *events, tw_spool *sp, int64_t before, tw_error **err)
{
    uint64_t ids[PURGE_IDS];
    tw_spool_item item;
    size_t count = 0;
    int rc;

    for (;;) {
        rc = tw__spool_next(&item, sp, err);
        if (rc == TW_OK && item.accepted_ms < before)
            ids[count++] = item.id;
        if (count == PURGE_IDS || (rc != TW_OK && count != 0)) {
            (void)tw__spool_ack(sp, ids, count, NULL);
            *events += count;
            count = 0;
        }
        if (rc != TW_OK)
            return rc == TW_DONE ? TW_OK : rc;
    }
}

static int purge_project(uint64_t *events, const char *path,
                         const unsigned char project[16], int64_t before, tw_error **err)
{
    tw_spool_settings settings = {
        .path = path, .durable = 1, .max_bytes = UINT64_MAX / 2};
    tw_spool *sp;
    int rc;

    memcpy(settings.project, project, sizeof settings.project);
    rc = tw__spool_open(&sp, &settings, err);
    if (rc != TW_OK)
        return rc;
    rc = purge_read(events, sp, before, err);
    /* Not taken back: whatever is left must not be sent, should we be killed. */
    if (rc == TW_OK)
        rc = tw__spool_show_aside(sp, err);
    if (rc == TW_OK)
        rc = purge_read(events, sp, before, err);
    tw__spool_free(sp);
    return rc;
}

/* The damaged files that were set aside, those of just now included. */
static int purge_bad(const char *path, tw_error **err)
{
    char name[TW_SPOOL_NAME];
    found_list list;
    tw_spool sp;
    size_t i;
    int rc = folder_list(&list, &sp, path, err);

    for (i = 0; rc == TW_OK && i < list.count; i++) {
        if (list.items[i].kind != TW_FILE_BAD)
            continue;
        snprintf(sp.prefix, sizeof sp.prefix, "%s", list.items[i].prefix);
        tw__spool_name(name, &sp, list.items[i].lane, list.items[i].first, TW_FILE_BAD);
        (void)tw__spool_unlink(&sp, name);
    }
    folder_close(&list, &sp);
    return rc;
}

int tw_spool_purge(uint64_t *events, const char *path, int64_t older_than_ms,
                   tw_error **err)
{
    int64_t before = older_than_ms > 0 ? tw__wall_ms() - older_than_ms : INT64_MAX;
    unsigned char project[16];
    found_list list;
    tw_spool sp;
    size_t i;
    int rc;

    *events = 0;
    rc = folder_list(&list, &sp, path, err);
    for (i = 0; rc == TW_OK && i < list.count; i++) {
        const found_file *file = &list.items[i];

        if ((i == 0 || strcmp(file->prefix, file[-1].prefix) != 0) &&
            project_find(project, &sp, &list, i))
            rc = purge_project(events, path, project, before, err);
    }
    folder_close(&list, &sp);
    return rc == TW_OK && older_than_ms <= 0 ? purge_bad(path, err) : rc;
}
