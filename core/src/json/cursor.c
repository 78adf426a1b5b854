/* SPDX-License-Identifier: MIT */
/* The cursor: where it begins and ends, and what it leaves to the writer. */
#include <tidewheel/sys/json_cursor.h>

#include "json/writer_internal.h"

_Static_assert((int)TW__CURSOR_ROOM >= (int)TW__CURSOR_SHORT + READY_MAX + READY_FRAME +
                                           (int)SLACK + (int)TW__NUMBER_ROOM,
               "an item needs more room");
_Static_assert((int)SLACK >= (int)TW__COPY_PAST, "a copy writes too far");

/* Whether members and elements are right here whatever they are, but for keys that begin with
 * '$'. */
static int is_plain(const tw_json_writer *wr)
{
    return (wr->shown & ~SHOW_DOLLAR) == 0;
}

/* Finds out again what is at hand. Where nothing can be written quickly, `last` says so. */
void tw_json_cursor_open(tw_json_cursor *cur, tw_json_writer *wr)
{
    /* Any address is behind a `last` of NULL. */
    *cur = (tw_json_cursor){.wr = wr, .p = (char *)(void *)wr, .depth = wr->depth};
    if (wr->state == VALUE || wr->state > NEXT_KEY ||
        (wr->looks == NULL && !is_plain(wr)))
        return;
    if (!has_room(wr, TW__CURSOR_ROOM) && tw__buf_reserve(&wr->buf, AMPLE) != TW_OK)
        return;
    if (!has_room(wr, TW__CURSOR_ROOM))
        return;
    cur->p = wr->buf.data + wr->buf.size;
    cur->last = wr->buf.data + wr->buf.room - TW__CURSOR_ROOM;
    cur->looks = wr->looks;
    if (wr->looks != NULL) {
        cur->marks = wr->watch->marks;
        cur->notes = wr->watch->notes;
        cur->text = wr->buf.data;
    }
    cur->first = wr->state == FIRST_KEY || wr->state == FIRST;
    cur->object = wr->state >= FIRST_KEY;
    cur->plain = wr->shown == 0;
}

void tw_json_cursor_close(const tw_json_cursor *cur)
{
    tw_json_writer *wr = cur->wr;

    if (cur->last == NULL) /* the writer is where the cursor is */
        return;
    wr->buf.size = (size_t)(cur->p - wr->buf.data);
    if (cur->object)
        wr->state = cur->first ? FIRST_KEY : NEXT_KEY;
    else
        wr->state = cur->first ? FIRST : MORE;
    if (wr->depth == 1 && wr->looks != NULL)
        wr->watch->marks = cur->marks;
    if (wr->depth != cur->depth)
        depth_set(wr, cur->depth);
}

/* ---- what is left to the writer ----------------------------------------------------------- */

static int slow_begin(tw_json_cursor *cur, tw_json_key *key)
{
    tw_json_cursor_close(cur);
    return key != NULL ? tw_json_put_ready_key(cur->wr, key) : TW_OK;
}

static int slow_end(tw_json_cursor *cur, int rc)
{
    if (rc == TW_OK)
        tw_json_cursor_open(cur, cur->wr);
    return rc;
}

NEVER_INLINE int tw__cursor_slow_string(tw_json_cursor *cur, tw_json_key *key,
                                        const char *text, size_t size, unsigned flags)
{
    int rc = slow_begin(cur, key);

    if (rc == TW_OK)
        rc = tw_json_put_string(cur->wr, text, size, -1, flags);
    return slow_end(cur, rc);
}

NEVER_INLINE int tw__cursor_slow_int(tw_json_cursor *cur, tw_json_key *key, int64_t value)
{
    int rc = slow_begin(cur, key);

    if (rc == TW_OK)
        rc = tw_json_put_int(cur->wr, value);
    return slow_end(cur, rc);
}

NEVER_INLINE int tw__cursor_slow_real(tw_json_cursor *cur, tw_json_key *key, double value)
{
    int rc = slow_begin(cur, key);

    if (rc == TW_OK)
        rc = tw_json_put_real(cur->wr, value);
    return slow_end(cur, rc);
}

NEVER_INLINE int tw__cursor_slow_word(tw_json_cursor *cur, tw_json_key *key,
                                      tw_json_kind kind)
{
    int rc = slow_begin(cur, key);

    if (rc == TW_OK)
        rc = kind == TW_JSON_NULL ? tw_json_put_null(cur->wr)
                                  : tw_json_put_bool(cur->wr, kind == TW_JSON_TRUE);
    return slow_end(cur, rc);
}

/* ---- containers --------------------------------------------------------------------------- */

static ALWAYS_INLINE int open_quickly(tw_json_cursor *cur, tw_json_key *key, int object)
{
    const tw__json_ready *made = (const tw__json_ready *)(void *)key;
    const uint32_t both =
        object ? KIND(OBJECT) | KIND(OBJECT_END) : KIND(ARRAY) | KIND(ARRAY_END);
    tw_json_writer *wr = cur->wr;
    const tw_json_look *look;
    unsigned plain = cur->plain;
    char *q;

    if (cur->p > cur->last || cur->depth == wr->max_depth ||
        !tw__cursor_look(&look, cur, made))
        return 0;
    if (look != NULL) {
        plain = look->depth == 1;
        if ((~look->quiet & both) != 0 || look->depth > 2 ||
            (!plain && look->below != ~UINT32_C(0)))
            return 0;
        cur->marks |= UINT64_C(1) << made->mark;
        look_take(wr, wr->watch, made->mark);
    } else if (!plain) {
        return 0;
    }
    q = tw__cursor_begin(cur, made);
    *q = object ? '{' : '[';
    wr->starts[cur->depth] = (size_t)(q - wr->buf.data);
    cur->depth++;
    wr->after[cur->depth] = object ? NEXT_KEY : MORE;
    cur->first = 1;
    cur->object = (unsigned)object;
    cur->plain = plain;
    cur->looks = NULL;
    cur->p = q + 1;
    return 1;
}

static ALWAYS_INLINE int close_quickly(tw_json_cursor *cur, char bracket)
{
    const tw_json_writer *wr = cur->wr;

    if (cur->last == NULL || cur->depth == wr->depth ||
        cur->p >= cur->last + TW__CURSOR_ROOM - 2 * SLACK)
        return 0;
    *cur->p++ = bracket;
    cur->depth--;
    cur->first = 0;
    cur->object = wr->after[cur->depth] == NEXT_KEY;
    cur->plain = 1;
    if (cur->depth == wr->depth) {
        cur->plain = wr->shown == 0;
        cur->looks = wr->looks;
    }
    return 1;
}

int tw_json_cursor_object(tw_json_cursor *cur, tw_json_key *key)
{
    int rc;

    if (open_quickly(cur, key, 1))
        return TW_OK;
    rc = slow_begin(cur, key);
    return slow_end(cur, rc == TW_OK ? tw_json_put_object(cur->wr) : rc);
}

int tw_json_cursor_array(tw_json_cursor *cur, tw_json_key *key)
{
    int rc;

    if (open_quickly(cur, key, 0))
        return TW_OK;
    rc = slow_begin(cur, key);
    return slow_end(cur, rc == TW_OK ? tw_json_put_array(cur->wr) : rc);
}

int tw_json_cursor_object_end(tw_json_cursor *cur)
{
    if (close_quickly(cur, '}'))
        return TW_OK;
    tw_json_cursor_close(cur);
    return slow_end(cur, tw_json_put_object_end(cur->wr));
}

int tw_json_cursor_array_end(tw_json_cursor *cur)
{
    if (close_quickly(cur, ']'))
        return TW_OK;
    tw_json_cursor_close(cur);
    return slow_end(cur, tw_json_put_array_end(cur->wr));
}

/* ---- pieces -------------------------------------------------------------------------------- */

char *tw__cursor_int(char *out, int64_t value)
{
    return tw__number_int(out, value);
}

char *tw__cursor_real(char *out, double value)
{
    return tw__number_real(out, value);
}
