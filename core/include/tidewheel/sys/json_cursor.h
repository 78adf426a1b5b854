/* SPDX-License-Identifier: MIT */
/* A JSON writer's state at hand, for a binding that walks its own containers: what is common is
 * written without a call. A weaker promise than json.h gives: what is inside may change. */
#ifndef TIDEWHEEL_SYS_JSON_CURSOR_H
#define TIDEWHEEL_SYS_JSON_CURSOR_H

#include <string.h>

#include <tidewheel/json.h>
#include <tidewheel/sys/json_copy.h>

TW_BEGIN_DECLS

/*
 * Between open and close the writer stands still and the cursor runs ahead of it. Each put writes
 * what is known to be right; all else it leaves to the writer's own puts, behind what was written
 * so far, so that rules, limits and paths are the writer's alone. Structure is not checked: members
 * are put into objects, elements into arrays, and each container is closed as what it was opened.
 * A put that fails returns the writer's code, and the cursor is not to be used after it.
 */

enum {
    TW__CURSOR_SHORT = 256, /* longer strings are left to the writer */
    TW__CURSOR_ROOM = TW__CURSOR_SHORT + 160
};

/* What is known of the value of a top-level key; see core/src/json/writer.h. */
typedef struct tw_json_look {
    uint32_t quiet;
    uint32_t below; /* what is quiet among its members, until a callback changes it */
    unsigned depth; /* how deep the value is looked into */
    uint64_t
        sizes; /* strings of so many bytes are right, bit 63: of 63 or more; never 0 */
    uint64_t ascii_sizes; /* the same of strings that are all ASCII */
    char asked;           /* but not those that begin with this byte */
    unsigned char
        noted;      /* 1 + the note of where a string that is right stands; 0: none */
    int64_t from;   /* and whole numbers that begin here, */
    uint64_t count; /* so many of them */
} tw_json_look;

/* Where a string, with its quotes, stands in the text. */
typedef struct tw_json_note {
    size_t at, end;
} tw_json_note;

/* What is inside a tw_json_key. */
typedef struct tw__json_ready {
    unsigned char size;   /* of text */
    unsigned char mark;   /* the watcher's */
    unsigned char dollar; /* the key begins with '$' */
    char text[45];        /* ,"key": and then whatever */
} tw__json_ready;

typedef struct tw_json_cursor {
    char *p; /* where the next byte goes */
    const char
        *last; /* an item may begin up to here; NULL where all is left to the writer */
    unsigned first;  /* the container is empty so far */
    unsigned object; /* it is an object */
    unsigned
        plain; /* what is inside it is not looked at, but for members that begin with '$' */
    unsigned depth;
    const tw_json_look *looks; /* where members are top-level ones, else NULL */
    uint64_t marks;            /* of the top-level keys that were put */
    tw_json_note *notes;       /* with `looks`: where strings stand ... */
    const char *text;          /* ... in this text */
    tw_json_writer *wr;
} tw_json_cursor;

TW_API void tw_json_cursor_open(tw_json_cursor *cur, tw_json_writer *wr);
/** Takes what was written into the writer's text. */
TW_API void tw_json_cursor_close(const tw_json_cursor *cur);

/* The ways through the writer. */
TW_API int tw__cursor_slow_string(tw_json_cursor *cur, tw_json_key *key, const char *text,
                                  size_t size, unsigned flags);
TW_API int tw__cursor_slow_int(tw_json_cursor *cur, tw_json_key *key, int64_t value);
TW_API int tw__cursor_slow_real(tw_json_cursor *cur, tw_json_key *key, double value);
TW_API int tw__cursor_slow_word(tw_json_cursor *cur, tw_json_key *key, tw_json_kind kind);
/* Containers are opened and closed here, the quick way or the other. */
TW_API int tw_json_cursor_object(tw_json_cursor *cur, tw_json_key *key);
TW_API int tw_json_cursor_object_end(tw_json_cursor *cur);
TW_API int tw_json_cursor_array(tw_json_cursor *cur, tw_json_key *key);
TW_API int tw_json_cursor_array_end(tw_json_cursor *cur);
TW_API char *tw__cursor_int(char *out, int64_t value);
TW_API char *tw__cursor_real(char *out, double value);

#define TW__CURSOR static inline __attribute__((always_inline))

/* Writes the key, or the comma, and returns where the value goes. */
TW__CURSOR char *tw__cursor_begin(const tw_json_cursor *cur, const tw__json_ready *made)
{
    const char *text;

    if (made == NULL) {
        *cur->p = ',';
        return cur->p + 1 - cur->first;
    }
    /* Fixed sizes are copied without a call. */
    text = made->text + cur->first;
    memcpy(cur->p, text, 32);
    if (made->size > 32)
        memcpy(cur->p + 32, text + 32, 12);
    return cur->p + made->size - cur->first;
}

/* What is known of the key's value, where it is a top-level one that was not put before. Zero where
 * the watcher is to be asked about the key. */
TW__CURSOR int tw__cursor_look(const tw_json_look **look, const tw_json_cursor *cur,
                               const tw__json_ready *made)
{
    *look = NULL;
    if (made == NULL)
        return 1;
    if (cur->looks == NULL)
        return !made->dollar;
    *look = &cur->looks[made->mark];
    return (cur->marks >> made->mark & 1) == 0;
}

/* Counts the item that ends at `end`. */
TW__CURSOR int tw__cursor_end(tw_json_cursor *cur, const tw__json_ready *made,
                              const tw_json_look *look, char *end)
{
    cur->p = end;
    cur->first = 0;
    if (look != NULL)
        cur->marks |= UINT64_C(1) << made->mark;
    return TW_OK;
}

/** With the flags of tw_json_put_string, but not 0. `key`: NULL for an element. */
TW__CURSOR int tw_json_cursor_string(tw_json_cursor *cur, tw_json_key *key,
                                     const char *text, size_t size, unsigned flags)
{
    const tw__json_ready *made = (const tw__json_ready *)(void *)key;
    const tw_json_look *look;
    char *q;

    if (cur->p > cur->last || size > TW__CURSOR_SHORT ||
        !tw__cursor_look(&look, cur, made))
        return tw__cursor_slow_string(cur, key, text, size, flags);
    if (look != NULL &&
        (((flags == TW_JSON_ALL_ASCII ? look->ascii_sizes : look->sizes) >>
              (size < 63 ? size : 63) &
          1) == 0 ||
         *text == look->asked))
        return tw__cursor_slow_string(cur, key, text, size, flags);
    q = tw__cursor_begin(cur, made);
    *q++ = '"';
    if (tw__copy_plain(q, text, size, 0) != size)
        return tw__cursor_slow_string(cur, key, text, size, flags);
    q[size] = '"';
    if (look != NULL && look->noted != 0) {
        cur->notes[look->noted - 1].at = (size_t)(q - 1 - cur->text);
        cur->notes[look->noted - 1].end = (size_t)(q + size + 1 - cur->text);
    }
    return tw__cursor_end(cur, made, look, q + size + 1);
}

TW__CURSOR int tw_json_cursor_int(tw_json_cursor *cur, tw_json_key *key, int64_t value)
{
    const tw__json_ready *made = (const tw__json_ready *)(void *)key;
    const tw_json_look *look;

    if (cur->p > cur->last || !tw__cursor_look(&look, cur, made) ||
        (look != NULL && (uint64_t)value - (uint64_t)look->from >= look->count))
        return tw__cursor_slow_int(cur, key, value);
    return tw__cursor_end(cur, made, look,
                          tw__cursor_int(tw__cursor_begin(cur, made), value));
}

TW__CURSOR int tw_json_cursor_real(tw_json_cursor *cur, tw_json_key *key, double value)
{
    const tw__json_ready *made = (const tw__json_ready *)(void *)key;
    const tw_json_look *look;

    if (cur->p > cur->last || !tw__cursor_look(&look, cur, made) || value - value != 0 ||
        (look != NULL && (look->quiet >> TW_JSON_REAL & 1) == 0))
        return tw__cursor_slow_real(cur, key, value);
    return tw__cursor_end(cur, made, look,
                          tw__cursor_real(tw__cursor_begin(cur, made), value));
}

/** `kind`: TRUE, FALSE or NULL. */
TW__CURSOR int tw_json_cursor_word(tw_json_cursor *cur, tw_json_key *key,
                                   tw_json_kind kind)
{
    const tw__json_ready *made = (const tw__json_ready *)(void *)key;
    const tw_json_look *look;
    char *q;

    if (cur->p > cur->last || !tw__cursor_look(&look, cur, made) ||
        (look != NULL && (look->quiet >> kind & 1) == 0))
        return tw__cursor_slow_word(cur, key, kind);
    q = tw__cursor_begin(cur, made);
    memcpy(q,
           kind == TW_JSON_FALSE  ? "false"
           : kind == TW_JSON_TRUE ? "true"
                                  : "null",
           5);
    return tw__cursor_end(cur, made, look, q + 4 + (kind == TW_JSON_FALSE));
}

TW_END_DECLS

#endif
