/* SPDX-License-Identifier: MIT */
/* The inside of the writer, shared by its files, and the steps of a put that all of them take. */
#ifndef TW_JSON_WRITER_INTERNAL_H
#define TW_JSON_WRITER_INTERNAL_H

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "json/number.h"
#include "json/writer.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NEVER_INLINE __attribute__((noinline))
#define COLD __attribute__((noinline, cold))
#define KIND(name) (UINT32_C(1) << TW_JSON_##name)

enum {
    SLACK =
        64, /* more than the comma, quotes, colon and number, escape or ready key of one put */
    AMPLE = 1000,   /* room made at once: the quick puts want more than they need */
    RULE_ROOM = 200 /* of a rule a binding found */
};

/* What is due next. Up to VALUE, a value may come. */
enum { FIRST, MORE, VALUE, FIRST_KEY, NEXT_KEY, COMPLETE, FAILED };

/* A bit of `shown` that is no kind of value: the watcher wants to see keys that begin with '$'. */
#define SHOW_DOLLAR KIND(EOF)

struct tw_json_writer {
    tw_buf buf; /* may grow SLACK beyond max_bytes; the text never does */
    unsigned state;
    unsigned next;  /* the state after a value in the innermost container */
    uint32_t shown; /* kinds the watcher wants to see here: 1 << kind, KEY among them */
    unsigned depth;
    unsigned max_depth;
    size_t max_bytes;
    size_t max_chars;
    size_t quick_size; /* no string of so many bytes can break a limit by itself */
    tw_json_watch *watch;
    const tw_json_look *looks; /* the watch's while top-level keys are due, else NULL */
    const tw_json_look *look;  /* of the last top-level key; NULL where it has none */
    void *watch_ctx;
    unsigned was; /* state before FAILED */
    int code;
    const char *rule;
    size_t limit; /* the number at the rule's end, 0 for none */
    char rule_text[RULE_ROOM];
    unsigned mends;
    tw_json_mended mended;
    unsigned char *after; /* by depth: the state after a value in that container */
    size_t starts[];      /* offsets of the open containers; starts[0] is the outermost */
};

/* ---- writer.c -------------------------------------------------------------------------- */

/* Each returns the writer's code. The text stays as it was before the failed put, so that the path
 * can be read from it. `limit` is a number to be told at the rule's end, 0 for none. */
COLD int tw__writer_fail(tw_json_writer *wr, int code, const char *rule, size_t limit);
COLD int tw__writer_fail_room(tw_json_writer *wr, int code);
COLD int tw__writer_misplaced(tw_json_writer *wr);
/* Room for `size` bytes and SLACK more. */
NEVER_INLINE int tw__writer_grow(tw_json_writer *wr, size_t size);

/* ---- writer_put.c ---------------------------------------------------------------------- */

/* Writes any text, without its quotes; there is room for `size` bytes. Returns its end, NULL on
 * failure. */
char *tw__writer_text(tw_json_writer *wr, char *out, const char *text, size_t size,
                      unsigned flags);

/* ---- writer_mend.c --------------------------------------------------------------------- */

/* A string to be put, and what was done to it. */
typedef struct mending {
    const char *text;
    size_t size;
    unsigned flags;
    unsigned cut, replaced;
    tw_buf buf; /* the text, where it was copied */
} mending;

/* TW_OK with what is to be put instead, which may be what was given; TW_E_NOMEM. To be ended. */
int tw__writer_mend(mending *mend, const tw_json_writer *wr, const char *text,
                    size_t size, unsigned flags);
void tw__writer_mend_end(mending *mend);

/* ---- keys made ready ------------------------------------------------------------------- */

enum { READY_MAX = 40, READY_FRAME = 4 /* the comma, the quotes, the colon */ };

typedef tw__json_ready ready;

_Static_assert(sizeof(ready) == sizeof(tw_json_key), "tw_json_key has the wrong size");
_Static_assert((int)SLACK > (int)TW__NUMBER_ROOM, "a number needs more room");
_Static_assert(SLACK >= READY_MAX + READY_FRAME, "a ready key needs more room");

/* Copies the key's text, without the comma where it is the first, and returns its end; READY_MAX +
 * READY_FRAME bytes may be written. */
static ALWAYS_INLINE char *ready_copy(char *p, const ready *made, unsigned first)
{
    /* Fixed sizes are copied without a call. */
    memcpy(p, made->text + first, 32);
    if (made->size > 32)
        memcpy(p + 32, made->text + first + 32, READY_MAX + READY_FRAME - 32);
    return p + made->size - first;
}

/* ---- what a put takes -------------------------------------------------------------------- */

/* What the watcher wants to see is found once, so that a put looks at one bit. */
static ALWAYS_INLINE void shown_set(tw_json_writer *wr)
{
    const tw_json_watch *watch = wr->watch;
    uint32_t quiet = 0;

    if (watch == NULL || wr->depth > watch->depth) {
        wr->shown = 0;
        return;
    }
    if (wr->depth < TW__QUIET_DEPTHS)
        quiet = watch->quiet[wr->depth];
    wr->shown = ~quiet | SHOW_DOLLAR;
}

/* A marked top-level key: what is known of its value. */
static ALWAYS_INLINE void look_take(tw_json_writer *wr, tw_json_watch *watch,
                                    unsigned mark)
{
    const tw_json_look *look = &watch->looks[mark];

    watch->marks |= UINT64_C(1) << mark;
    watch->mark = mark;
    watch->quiet[1] = look->quiet;
    watch->quiet[2] = look->below;
    watch->depth = look->depth;
    wr->look = look;
    wr->shown = ~look->quiet | SHOW_DOLLAR;
}

static ALWAYS_INLINE void depth_set(tw_json_writer *wr, unsigned depth)
{
    wr->depth = depth;
    wr->next = wr->after[depth];
    wr->looks = depth == 1 && wr->watch != NULL ? wr->watch->looks : NULL;
    shown_set(wr);
}

/* Room for `size` bytes and SLACK more; no text in memory is so long that the sum overflows. */
static ALWAYS_INLINE int has_room(const tw_json_writer *wr, size_t size)
{
    return wr->buf.room - wr->buf.size >= size + SLACK;
}

/* Room for a text of `size` bytes with its frame, without a look at max_bytes: the buffer never
 * has more room than max_bytes and SLACK, and here twice the SLACK is left. */
static ALWAYS_INLINE int is_far_from_full(const tw_json_writer *wr, size_t size)
{
    return has_room(wr, size + SLACK);
}

/* Grows early, so that the next put finds itself far from full. */
static ALWAYS_INLINE int put_reserve(tw_json_writer *wr, size_t size)
{
    return is_far_from_full(wr, size + TW__NUMBER_ROOM) ? TW_OK
                                                        : tw__writer_grow(wr, size);
}

static ALWAYS_INLINE int key_is_shown(const tw_json_writer *wr, int dollar)
{
    return (wr->shown & KIND(KEY)) != 0 || (dollar && (wr->shown & SHOW_DOLLAR) != 0);
}

/* What a look says of strings and whole numbers: nonzero where they are known to be right. */
static ALWAYS_INLINE int look_knows_string(const tw_json_look *look, const char *text,
                                           size_t size, int ascii)
{
    uint64_t sizes = ascii ? look->ascii_sizes : look->sizes;

    return (sizes >> (size < 63 ? size : 63) & 1) != 0 && text[0] != look->asked;
}

static ALWAYS_INLINE int look_knows_int(const tw_json_look *look, int64_t value)
{
    return (uint64_t)value - (uint64_t)look->from < look->count;
}

static ALWAYS_INLINE int key_is_due(const tw_json_writer *wr)
{
    return wr->state == NEXT_KEY || wr->state == FIRST_KEY;
}

#endif
