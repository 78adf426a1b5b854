/* SPDX-License-Identifier: MIT */
/* CSV: a stream cut into blocks of whole records, a record into cells. */
#ifndef TW_AREAS_CSV_H
#define TW_AREAS_CSV_H

#include <tidewheel/cohorts.h>

/*
 * RFC 4180: cells between commas, records between line ends (LF or CRLF), a cell in
 * quotes may hold commas, line ends and doubled quotes. All records have as many cells as
 * the first. Stricter than most readers on purpose: what is half a record must not look
 * like a whole one.
 */

typedef struct tw_records {
    char *data; /* the block being filled */
    size_t size;
    size_t room;
    size_t end; /* of the last whole record in it */
    size_t target;
    size_t max_record;
    int state;
    int mark;       /* bytes of a byte order mark seen */
    size_t cells;   /* of the record being read, so far */
    size_t columns; /* of the first record; 0 before */
    uint64_t count; /* records that ended */
    const char *reason;
    int (*emit)(void *ctx, char *data, size_t size); /* as tw_lines_emit */
    void *ctx;
} tw_records;

void tw__records_init(tw_records *rs, size_t target, size_t max_record,
                      int (*emit)(void *ctx, char *data, size_t size), void *ctx);
void tw__records_clear(tw_records *rs);
/* As tw__lines_room. */
int tw__records_room(tw_records *rs, char **out, size_t *room);
/* Looks at that many new bytes: TW_OK, or TW_E_PROTOCOL (`reason`). */
int tw__records_commit(tw_records *rs, size_t size);
/* The last record need not have a line end, but has to be whole. */
int tw__records_finish(tw_records *rs);

#endif
