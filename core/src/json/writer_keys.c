/* SPDX-License-Identifier: MIT */
/* Putting keys, those made ready among them. */
#include <string.h>

#include <tidewheel/sys/json_copy.h>

#include "base/utf8.h"
#include "json/writer_internal.h"

/* Asks the watcher about the key that was put last. A rule of it speaks of its value's path. */
static NEVER_INLINE int key_ask(tw_json_writer *wr, const char *text, size_t size,
                                unsigned char *mark, unsigned first)
{
    tw_json_watch *watch = wr->watch;
    const char *rule;

    watch->first = first;
    rule = watch->key(wr->watch_ctx, wr->depth, text, size, mark);
    if (rule != NULL)
        return tw__writer_fail(wr, TW_E_VALIDATION, rule, 0);
    if (wr->depth == 1)
        wr->look = NULL;
    if (wr->looks != NULL && *mark != 0)
        look_take(wr, watch, *mark);
    else
        shown_set(wr);
    return TW_OK;
}

/* Likewise, but where the key is known to be right nobody is asked. */
static ALWAYS_INLINE int key_show(tw_json_writer *wr, const char *text, size_t size,
                                  unsigned char *mark, unsigned first)
{
    if (!key_is_shown(wr, size != 0 && text[0] == '$'))
        return TW_OK;
    if (wr->looks == NULL || (wr->watch->marks >> *mark & 1) != 0)
        return key_ask(wr, text, size, mark, first);
    look_take(wr, wr->watch, *mark);
    return TW_OK;
}

/* Takes a key whose text ends at `p` into the document. */
static ALWAYS_INLINE int key_end(tw_json_writer *wr, char *p, const char *text,
                                 size_t size, unsigned char *mark)
{
    size_t total = (size_t)(p + 2 - wr->buf.data);
    unsigned first = wr->state == FIRST_KEY;

    memcpy(p, "\":", 2);
    if (total > wr->max_bytes)
        return tw__writer_fail_room(wr, TW_E_TOO_LARGE);
    wr->buf.size = total;
    wr->state = VALUE;
    return key_show(wr, text, size, mark, first);
}

/* Any key, whatever it needs. */
static NEVER_INLINE int key_slow(tw_json_writer *wr, const char *text, size_t size,
                                 unsigned flags, unsigned char *mark)
{
    char *p;
    int rc;

    if (!key_is_due(wr))
        return tw__writer_misplaced(wr);
    rc = put_reserve(wr, size);
    if (rc != TW_OK)
        return rc;
    p = wr->buf.data + wr->buf.size;
    *p = ',';
    p += wr->state == NEXT_KEY;
    *p = '"';
    p = tw__writer_text(wr, p + 1, text, size, flags);
    return p != NULL ? key_end(wr, p, text, size, mark) : wr->code;
}

/* Common keys are short and plain: they are written without a call. All else is left to the slow
 * way, which begins again: nothing counts before the size is set. */
int tw_json_put_key(tw_json_writer *wr, const char *text, size_t size, int64_t chars,
                    unsigned flags)
{
    unsigned char mark = 0;
    char *p;

    (void)chars; /* no limit on keys is documented */
    if (size > TW__COPY_SHORT || !has_room(wr, TW__COPY_SHORT) || !key_is_due(wr))
        return key_slow(wr, text, size, flags, &mark);
    p = wr->buf.data + wr->buf.size;
    *p = ',';
    p += wr->state == NEXT_KEY;
    *p++ = '"';
    if (tw__copy_short(p, text, size, 1))
        return key_slow(wr, text, size, flags, &mark);
    return key_end(wr, p + size, text, size, &mark);
}

/* ---- keys made ready ------------------------------------------------------------------- */

int tw_json_key_make(tw_json_key *key, const char *text, size_t size)
{
    ready made = {.size = (unsigned char)(size + READY_FRAME), .text = ",\""};

    if (size > READY_MAX || tw__copy_plain(made.text + 2, text, size, 0) != size ||
        tw__utf8_check(text, size) != size)
        return TW_E_INVALID;
    made.dollar = size != 0 && text[0] == '$';
    memcpy(made.text + 2 + size, "\":", 2);
    memcpy(key, &made, sizeof made);
    return TW_OK;
}

int tw_json_put_ready_key(tw_json_writer *wr, tw_json_key *key)
{
    ready *made = (ready *)key;
    const char *text = made->text + 2;
    size_t size = made->size - (size_t)READY_FRAME;
    unsigned first = wr->state == FIRST_KEY;
    char *p;

    if (!key_is_due(wr) || !is_far_from_full(wr, 0))
        return key_slow(wr, text, size, TW_JSON_VALID_UTF8, &made->mark);
    p = ready_copy(wr->buf.data + wr->buf.size, made, first);
    wr->buf.size = (size_t)(p - wr->buf.data);
    wr->state = VALUE;
    return key_show(wr, text, size, &made->mark, first);
}
