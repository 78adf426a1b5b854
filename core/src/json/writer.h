/* SPDX-License-Identifier: MIT */
/* What the core may do with a writer beyond json.h: watch what is put, edit what was written. */
#ifndef TW_JSON_WRITER_H
#define TW_JSON_WRITER_H

#include <tidewheel/json.h>
#include <tidewheel/sys/json_cursor.h>

/* One value as the watcher sees it, already in the text. */
typedef struct tw_json_put {
    tw_json_kind
        kind;       /* never KEY, BIGINT, EOF; *_END once a container's text is whole */
    unsigned depth; /* containers open around the value: 0 for the document itself, 1 for
                           the values of its top-level keys */
    size_t at;      /* offset of the value's first byte in the writer's text; with *_END
                           still that of the opening bracket */
    size_t end;     /* one past its last byte; with OBJECT and ARRAY at + 1 */
    const char
        *string; /* STRING: as given, not escaped; borrowed until the callback returns */
    size_t size; /* STRING: bytes of `string` */
    int64_t integer; /* INT */
    double real;     /* REAL */
    int mended;      /* STRING: it is not what was given; shown even where it is quiet */
} tw_json_put;

/* How many values were changed since the last reset, by kind of mend. */
typedef struct tw_json_mended {
    unsigned cut, replaced, nulled, stringified;
    unsigned any;
} tw_json_mended;

/*
 * Rules of a document, asked for every key and every value with at most `depth` containers open
 * around it; what lies deeper costs nothing. Each callback returns NULL, or the rule that was
 * broken as a static text ("must be a string"): the writer then fails with TW_E_VALIDATION at the
 * path of the value (for a key: of the value that was to follow), its message "<path>: <rule>".
 *
 * A key's `depth` is the number of open containers: 1 for the top-level keys, and so is that of
 * their values. At *_END the container is closed and `depth` is what it was at its opening.
 * Callbacks must not call the writer, but for reading its text, which ends with the value shown.
 * They may change `depth`, which counts at once: raised at an OBJECT, its contents are shown.
 *
 * `quiet` saves calls: a bit (1 << kind) for each kind of value at that depth which is known to be
 * right. It too may be changed by the callbacks, and counts at once. The bit of KEY is for the keys
 * at that depth, but those that begin with '$' are always shown.
 *
 * `mark` is a byte for the key callback to remember what it found out about the text: the same
 * byte comes with the same text at whatever depth, 0 at first, or one that is forgotten. Ready keys
 * go from writer to writer, so it has one meaning in all watches.
 *
 * `looks`, where there are some, save more calls: by mark, below 64, what is known of the value
 * of a top-level key. Such a key is asked for only while its mark is 0 or `marks` has the mark's
 * bit: it was put before. The writer keeps the marks, and when a marked top-level key was put whose
 * value or contents may have to be shown it sets `mark`, `quiet` of depths 1 and 2, and `depth`.
 */
enum { TW__QUIET_DEPTHS = 4, TW__MARKS = 64, TW__NOTES = 3 };

typedef struct tw_json_watch {
    unsigned depth;
    const char *(*key)(void *ctx, unsigned depth, const char *text, size_t size,
                       unsigned char *mark);
    const char *(*value)(void *ctx, const tw_json_put *put);
    uint32_t quiet[TW__QUIET_DEPTHS];
    const tw_json_look *looks; /* by mark; NULL for none */
    uint64_t marks;            /* of the top-level keys put; to be 1 at the start */
    unsigned mark;             /* of the last one */
    unsigned first; /* set before `key` is asked: the key is its object's first */
    tw_json_note notes[TW__NOTES]; /* of the strings that looks wanted remembered */
} tw_json_watch;

/* Borrowed until replaced; NULL ends watching. Reset keeps it. Only while nothing is written. */
void tw__json_writer_watch(tw_json_writer *wr, tw_json_watch *watch, void *ctx);

/* Borrowed. */
const tw_json_mended *tw__json_writer_mended(const tw_json_writer *wr);

/* Takes the last '}' of a complete top-level object back: keys may be put again and
 * tw_json_put_object_end is due again. TW_E_INVALID where there is no such object. The
 * watcher is not told of the reopening; it sees the keys put and the second end. */
int tw__json_writer_reopen(tw_json_writer *wr);

/* Replaces text[at, end) of a complete document by `bytes`, unchecked: the result must be JSON
 * again. TW_E_INVALID outside the text, TW_E_TOO_LARGE, TW_E_NOMEM; on failure nothing changes. */
int tw__json_writer_splice(tw_json_writer *wr, size_t at, size_t end, const char *bytes,
                           size_t size);

/* Hands the text of a complete document over, NUL-terminated, as allocated by tw__alloc; the
 * writer is reset. NULL when incomplete or out of memory. */
char *tw__json_writer_take(tw_json_writer *wr, size_t *size);

#endif
