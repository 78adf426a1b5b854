/* SPDX-License-Identifier: MIT */
/* Bounded record of requests; it never holds an Authorization header or a foreign key. */
#ifndef EMU_JOURNAL_H
#define EMU_JOURNAL_H

#include <pthread.h>

#include "buf.h"

/* Fate of one event of a request, in a byte. */
typedef enum emu_mark {
    MARK_RECEIVED = 0, /* the request was refused or failed before the commit */
    MARK_COMMITTED = 1,
    MARK_DUPLICATE = 2,
    MARK_APPLIED = 4 /* its property operations changed something stored */
} emu_mark;

typedef struct emu_journal {
    pthread_mutex_t mu;
    struct emu_entry **ring;
    size_t cap, head, n;
    size_t bytes;
    uint64_t dropped; /* entries pushed out by the bounds */
} emu_journal;

struct emu_req;

void emu_journal_init(emu_journal *j);
void emu_journal_clear(emu_journal *j);
void emu_journal_free(emu_journal *j);
/* Takes the body and the marks of r over. */
void emu_journal_add(emu_journal *j, struct emu_req *r);
/* Writes {"dropped":…,"entries":[…]} for the entries with an id above `after`. */
void emu_journal_write(emu_journal *j, uint64_t after, emu_buf *out);

#endif
