/* SPDX-License-Identifier: MIT */
/* The writer: compact JSON, checked while it is written. */
#include "json/writer.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/utf8.h"
#include "json/copy.h"
#include "json/number.h"
#include "json/path.h"
#include "json/scan.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NEVER_INLINE __attribute__((noinline))
#define COLD __attribute__((noinline, cold))

enum {
    DEEPEST = 10000,
    SLACK =
        64, /* more than the comma, quotes, colon and number, escape or ready key of one put */
    RULE_ROOM = 200, /* of a rule a binding found */
    PATH_ROOM = 256
};

/* What is due next. Up to VALUE, a value may come. */
enum { FIRST, MORE, VALUE, FIRST_KEY, NEXT_KEY, COMPLETE, FAILED };

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
    const tw_json_look *look; /* of the last top-level key; NULL where it has none */
    void *watch_ctx;
    unsigned was; /* state before FAILED */
    int code;
    const char *rule;
    size_t limit; /* the number at the rule's end, 0 for none */
    char rule_text[RULE_ROOM];
    unsigned char *after; /* by depth: the state after a value in that container */
    size_t starts[];      /* offsets of the open containers; starts[0] is the outermost */
};

/* ---- depth ----------------------------------------------------------------------------- */

#define KIND(name) (UINT32_C(1) << TW_JSON_##name)

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
    wr->shown = ~quiet | KIND(KEY);
}

static ALWAYS_INLINE void depth_set(tw_json_writer *wr, unsigned depth)
{
    wr->depth = depth;
    wr->next = wr->after[depth];
    shown_set(wr);
}

/* ---- life ------------------------------------------------------------------------------ */

int tw_json_writer_new(tw_json_writer **out, const tw_json_writer_options *options,
                       tw_error **err)
{
    tw_json_writer_options o = TW_JSON_WRITER_OPTIONS_INIT;
    tw_json_writer *wr;

    *out = NULL;
    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    if (o.max_depth == 0 || o.max_depth > DEEPEST)
        return tw__error(err, TW_E_INVALID, "max_depth was not between 1 and %d",
                         DEEPEST);
    if (o.max_bytes > SIZE_MAX / 2)
        return tw__error(err, TW_E_INVALID, "max_bytes was too large");
    wr = tw__alloc_zero(1,
                        sizeof *wr + o.max_depth * sizeof *wr->starts + o.max_depth + 1);
    if (wr == NULL)
        return tw__error_nomem(err);
    tw__buf_init(&wr->buf, o.max_bytes + SLACK);
    wr->after = (unsigned char *)(wr->starts + o.max_depth);
    wr->after[0] = COMPLETE;
    wr->max_depth = o.max_depth;
    wr->max_bytes = o.max_bytes;
    wr->max_chars = o.max_string_chars != 0 ? o.max_string_chars : SIZE_MAX;
    wr->quick_size = wr->max_chars < o.max_bytes ? wr->max_chars : o.max_bytes;
    tw_json_writer_reset(wr);
    *out = wr;
    return TW_OK;
}

void tw_json_writer_free(tw_json_writer *wr)
{
    if (wr == NULL)
        return;
    tw__buf_clear(&wr->buf);
    tw__free(wr);
}

void tw_json_writer_reset(tw_json_writer *wr)
{
    tw__buf_reset(&wr->buf);
    wr->state = VALUE;
    wr->look = NULL;
    wr->code = TW_OK;
    depth_set(wr, 0);
}

void tw__json_writer_watch(tw_json_writer *wr, tw_json_watch *watch, void *ctx)
{
    wr->watch = watch;
    wr->watch_ctx = ctx;
    wr->look = NULL;
    depth_set(wr, 0);
}

/* ---- failing --------------------------------------------------------------------------- */

/* The text stays as it was before the failed put, so that the path can be read from it. */
static COLD int writer_fail(tw_json_writer *wr, int code, const char *rule, size_t limit)
{
    if (wr->state == FAILED)
        return wr->code;
    wr->was = wr->state;
    wr->state = FAILED;
    wr->code = code;
    wr->rule = rule;
    wr->limit = limit;
    return code;
}

static COLD int writer_fail_room(tw_json_writer *wr, int code)
{
    if (code == TW_E_TOO_LARGE)
        return writer_fail(wr, code, "the document had more bytes than", wr->max_bytes);
    return writer_fail(wr, code, "", 0);
}

int tw_json_writer_refuse(tw_json_writer *wr, const char *rule)
{
    if (wr->state == FAILED)
        return wr->code;
    snprintf(wr->rule_text, sizeof wr->rule_text, "%s", rule);
    return writer_fail(wr, TW_E_VALIDATION, wr->rule_text, 0);
}

size_t tw_json_writer_path(const tw_json_writer *wr, char *text, size_t room)
{
    static const tw_json_place places[] = {
        [FIRST] = TW__PLACE_FIRST,      [MORE] = TW__PLACE_MORE,
        [VALUE] = TW__PLACE_MEMBER,     [FIRST_KEY] = TW__PLACE_BETWEEN,
        [NEXT_KEY] = TW__PLACE_BETWEEN, [COMPLETE] = TW__PLACE_BETWEEN,
    };
    unsigned state = wr->state == FAILED ? wr->was : wr->state;

    return tw__json_path(text, room, wr->buf.data, wr->buf.size, wr->starts, wr->depth,
                         places[state]);
}

int tw_json_writer_error(const tw_json_writer *wr, tw_error **err)
{
    char path[PATH_ROOM];
    char limit[32] = "";
    size_t size;

    if (wr->state != FAILED)
        return tw__error(err, TW_E_INVALID, "the JSON writer had not failed");
    if (wr->code == TW_E_NOMEM)
        return tw__error_nomem(err);
    size = tw_json_writer_path(wr, path, sizeof path);
    if (wr->limit != 0)
        snprintf(limit, sizeof limit, " %zu", wr->limit);
    return tw__error_at(err, wr->code, size != 0 ? path : NULL, "%s%s%s%s", path,
                        size != 0 ? ": " : "", wr->rule, limit);
}

/* ---- putting --------------------------------------------------------------------------- */

static COLD int put_misplaced(tw_json_writer *wr)
{
    static const char *const due[] = {
        [FIRST] = "an element or the array's end was due",
        [MORE] = "an element or the array's end was due",
        [VALUE] = "a value was due",
        [FIRST_KEY] = "a key or the object's end was due",
        [NEXT_KEY] = "a key or the object's end was due",
        [COMPLETE] = "the document was already complete",
    };

    if (wr->state == FAILED)
        return wr->code;
    return writer_fail(wr, TW_E_INVALID, due[wr->state], 0);
}

static NEVER_INLINE int put_grow(tw_json_writer *wr, size_t size)
{
    int rc =
        size > wr->max_bytes ? TW_E_TOO_LARGE : tw__buf_reserve(&wr->buf, size + SLACK);

    return rc == TW_OK ? rc : writer_fail_room(wr, rc);
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

static ALWAYS_INLINE int put_reserve(tw_json_writer *wr, size_t size)
{
    return has_room(wr, size) ? TW_OK : put_grow(wr, size);
}

/* Where the value goes, its comma written; NULL after a failure. */
static ALWAYS_INLINE char *value_begin(tw_json_writer *wr, size_t size)
{
    char *p;

    if (wr->state > VALUE) {
        put_misplaced(wr);
        return NULL;
    }
    if (put_reserve(wr, size) != TW_OK)
        return NULL;
    p = wr->buf.data + wr->buf.size;
    *p = ',';
    return p + (wr->state == MORE);
}

/* Asks the watcher about a value that is already in the text; takes it back when refused. */
static int value_ask(tw_json_writer *wr, tw_json_put *put, size_t before)
{
    const char *rule;

    put->depth = wr->depth;
    put->end = wr->buf.size;
    rule = wr->watch->value(wr->watch_ctx, put);
    shown_set(wr); /* the watcher may want to see more, or less */
    if (rule == NULL)
        return TW_OK;
    wr->buf.size = before;
    return writer_fail(wr, TW_E_VALIDATION, rule, 0);
}

/* Takes the value that ends at `p` into the text, if the watcher agrees. */
static NEVER_INLINE int value_show(tw_json_writer *wr, const char *p, tw_json_put *put)
{
    size_t before = wr->buf.size;
    int rc;

    put->at = before + (wr->state == MORE);
    wr->buf.size = (size_t)(p - wr->buf.data);
    rc = value_ask(wr, put, before);
    if (rc == TW_OK)
        wr->state = wr->next;
    return rc;
}

/* Takes the value that ends at `p` into the text. */
static ALWAYS_INLINE int value_take(tw_json_writer *wr, const char *p)
{
    wr->buf.size = (size_t)(p - wr->buf.data);
    wr->state = wr->next;
    return TW_OK;
}

/* Takes a value that is no text, if the watcher agrees; the struct is made only where somebody
 * looks. */
static NEVER_INLINE int scalar_show(tw_json_writer *wr, const char *p, tw_json_kind kind,
                                    int64_t integer, double real)
{
    tw_json_put put = {.kind = kind, .integer = integer, .real = real};

    return value_show(wr, p, &put);
}

static NEVER_INLINE int int_show(tw_json_writer *wr, const char *p, int64_t value)
{
    const tw_json_look *look = wr->look;

    if (wr->depth == 1 && look != NULL &&
        (uint64_t)value - (uint64_t)look->from < look->count)
        return value_take(wr, p);
    return scalar_show(wr, p, TW_JSON_INT, value, 0);
}

static ALWAYS_INLINE int value_end(tw_json_writer *wr, const char *p, tw_json_kind kind,
                                   int64_t integer, double real)
{
    if ((size_t)(p - wr->buf.data) > wr->max_bytes)
        return writer_fail_room(wr, TW_E_TOO_LARGE);
    if ((wr->shown >> kind & 1) != 0)
        return kind == TW_JSON_INT ? int_show(wr, p, integer)
                                   : scalar_show(wr, p, kind, integer, real);
    return value_take(wr, p);
}

static ALWAYS_INLINE int container_begin(tw_json_writer *wr, char bracket, unsigned state)
{
    tw_json_kind kind = bracket == '{' ? TW_JSON_OBJECT : TW_JSON_ARRAY;
    char *p = value_begin(wr, 1);
    int rc;

    if (p == NULL)
        return wr->code;
    if (wr->depth == wr->max_depth)
        return writer_fail(wr, TW_E_VALIDATION, "containers were nested deeper than",
                           wr->max_depth);
    *p = bracket;
    rc = value_end(wr, p + 1, kind, 0, 0);
    if (rc != TW_OK)
        return rc;
    wr->starts[wr->depth] = wr->buf.size - 1;
    wr->after[wr->depth + 1] = state == FIRST ? MORE : NEXT_KEY;
    depth_set(wr, wr->depth + 1);
    wr->state = state;
    return TW_OK;
}

static NEVER_INLINE int container_show(tw_json_writer *wr, tw_json_kind kind)
{
    tw_json_put put = {.kind = kind, .at = wr->starts[wr->depth]};
    int rc = value_ask(wr, &put, wr->buf.size - 1);

    if (rc != TW_OK) {
        depth_set(wr, wr->depth + 1);
        wr->was = NEXT_KEY; /* the path is the container's own */
    }
    return rc;
}

static ALWAYS_INLINE int container_end(tw_json_writer *wr, char bracket,
                                       tw_json_kind kind)
{
    int rc = put_reserve(wr, 1);

    if (rc != TW_OK)
        return rc;
    if (wr->buf.size == wr->max_bytes)
        return writer_fail_room(wr, TW_E_TOO_LARGE);
    wr->buf.data[wr->buf.size] = bracket;
    wr->buf.size++;
    depth_set(wr, wr->depth - 1);
    if ((wr->shown >> kind & 1) != 0) {
        rc = container_show(wr, kind);
        if (rc != TW_OK)
            return rc;
    }
    wr->state = wr->next;
    return TW_OK;
}

int tw_json_put_object(tw_json_writer *wr)
{
    return container_begin(wr, '{', FIRST_KEY);
}

int tw_json_put_array(tw_json_writer *wr)
{
    return container_begin(wr, '[', FIRST);
}

int tw_json_put_object_end(tw_json_writer *wr)
{
    if (wr->state != FIRST_KEY && wr->state != NEXT_KEY)
        return put_misplaced(wr);
    return container_end(wr, '}', TW_JSON_OBJECT_END);
}

int tw_json_put_array_end(tw_json_writer *wr)
{
    if (wr->state > MORE)
        return put_misplaced(wr);
    return container_end(wr, ']', TW_JSON_ARRAY_END);
}

/* ---- text ------------------------------------------------------------------------------ */

static char *escape_put(char *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char names[0x20] = {
        [8] = 'b', [9] = 't', [10] = 'n', [12] = 'f', [13] = 'r'};

    *out++ = '\\';
    if (c >= 0x20 || names[c] != '\0') {
        *out++ = c >= 0x20 ? (char)c : names[c];
        return out;
    }
    memcpy(out, "u00", 3);
    out[3] = hex[c >> 4];
    out[4] = hex[c & 15];
    return out + 5;
}

/* tw__copy_plain for where speed is not all. */
static NEVER_INLINE size_t copy_plain(char *out, const char *text, size_t size,
                                      uint64_t deny)
{
    return tw__copy_plain(out, text, size, deny);
}

/* Writes any text, without its quotes; there is room for `size` bytes. Returns its end, NULL on
 * failure. */
static char *text_put(tw_json_writer *wr, char *out, const char *text, size_t size,
                      unsigned flags)
{
    size_t at = copy_plain(out, text, size, (uint64_t)(flags & TW_JSON_VALID_UTF8) - 1);
    size_t made;
    size_t run;
    int rc;

    out += at;
    if (at != size && (flags & TW_JSON_VALID_UTF8) == 0 &&
        tw__utf8_check(text + at, size - at) != size - at) {
        writer_fail(wr, TW_E_VALIDATION, "a text was not valid UTF-8", 0);
        return NULL;
    }
    while (at < size) {
        if (!tw__scan_special((unsigned char)text[at])) {
            run = copy_plain(out, text + at, size - at, 0);
            at += run;
            out += run;
            while (at < size && !tw__scan_special((unsigned char)text[at]))
                *out++ = text[at++];
            continue;
        }
        out = escape_put(out, (unsigned char)text[at++]);
        made = (size_t)(out - wr->buf.data) - wr->buf.size;
        rc = tw__buf_reserve(&wr->buf, made + (size - at) + SLACK);
        if (rc != TW_OK) {
            writer_fail_room(wr, rc);
            return NULL;
        }
        out = wr->buf.data + wr->buf.size + made;
    }
    return out;
}

/* A marked top-level key: what is known of its value. */
static ALWAYS_INLINE void look_take(tw_json_writer *wr, tw_json_watch *watch,
                                    unsigned mark)
{
    const tw_json_look *look = &watch->looks[mark];

    watch->marks |= UINT64_C(1) << mark;
    watch->mark = mark;
    watch->quiet[1] = look->quiet;
    watch->depth = look->depth;
    wr->look = look;
    wr->shown = ~look->quiet | KIND(KEY);
}

/* Asks the watcher about the key that was put last. A rule of it speaks of its value's path. */
static NEVER_INLINE int key_ask(tw_json_writer *wr, const char *text, size_t size,
                                unsigned char *mark)
{
    tw_json_watch *watch = wr->watch;
    const char *rule = watch->key(wr->watch_ctx, wr->depth, text, size, mark);

    if (rule != NULL)
        return writer_fail(wr, TW_E_VALIDATION, rule, 0);
    if (wr->depth == 1)
        wr->look = NULL;
    if (wr->depth == 1 && watch->looks != NULL && *mark != 0)
        look_take(wr, watch, *mark);
    else
        shown_set(wr);
    return TW_OK;
}

/* Likewise, but a key with a new mark is known to be right. */
static ALWAYS_INLINE int key_show(tw_json_writer *wr, const char *text, size_t size,
                                  unsigned char *mark)
{
    tw_json_watch *watch = wr->watch;

    if (wr->depth != 1 || watch->looks == NULL || (watch->marks >> *mark & 1) != 0)
        return key_ask(wr, text, size, mark);
    look_take(wr, watch, *mark);
    return TW_OK;
}

/* Takes a key whose text ends at `p` into the document. */
static ALWAYS_INLINE int key_end(tw_json_writer *wr, char *p, const char *text,
                                 size_t size, unsigned char *mark)
{
    size_t total = (size_t)(p + 2 - wr->buf.data);

    memcpy(p, "\":", 2);
    if (total > wr->max_bytes)
        return writer_fail_room(wr, TW_E_TOO_LARGE);
    wr->buf.size = total;
    wr->state = VALUE;
    return (wr->shown & KIND(KEY)) != 0 ? key_show(wr, text, size, mark) : TW_OK;
}

static ALWAYS_INLINE int key_is_due(const tw_json_writer *wr)
{
    return wr->state == NEXT_KEY || wr->state == FIRST_KEY;
}

/* Any key, whatever it needs. */
static NEVER_INLINE int key_slow(tw_json_writer *wr, const char *text, size_t size,
                                 unsigned flags, unsigned char *mark)
{
    char *p;
    int rc;

    if (!key_is_due(wr))
        return put_misplaced(wr);
    rc = put_reserve(wr, size);
    if (rc != TW_OK)
        return rc;
    p = wr->buf.data + wr->buf.size;
    *p = ',';
    p += wr->state == NEXT_KEY;
    *p = '"';
    p = text_put(wr, p + 1, text, size, flags);
    return p != NULL ? key_end(wr, p, text, size, mark) : wr->code;
}

static NEVER_INLINE int string_show(tw_json_writer *wr, const char *p, const char *text,
                                    size_t size)
{
    tw_json_put put = {.kind = TW_JSON_STRING, .string = text, .size = size};
    const tw_json_look *look = wr->look;

    if (wr->depth == 1 && look != NULL &&
        (look->sizes >> (size < 63 ? size : 63) & 1) != 0)
        return value_take(wr, p);
    return value_show(wr, p, &put);
}

/* Takes a string whose text ends at `p`, its closing quote due, into the document. */
static ALWAYS_INLINE int string_end(tw_json_writer *wr, char *p, const char *text,
                                    size_t size)
{
    *p = '"';
    if ((wr->shown & KIND(STRING)) != 0)
        return string_show(wr, p + 1, text, size);
    return value_take(wr, p + 1);
}

/* A string so long that it may break a limit. */
static NEVER_INLINE int string_check(tw_json_writer *wr, const char *text, size_t size,
                                     int64_t chars, unsigned flags)
{
    if (wr->state > VALUE)
        return put_misplaced(wr);
    if ((flags & TW_JSON_VALID_UTF8) == 0 && tw__utf8_check(text, size) != size)
        return writer_fail(wr, TW_E_VALIDATION, "a text was not valid UTF-8", 0);
    if ((chars < 0 ? tw__utf8_count(text, size) : (size_t)chars) > wr->max_chars)
        return writer_fail(wr, TW_E_VALIDATION, "a string had more characters than",
                           wr->max_chars);
    return put_grow(wr, size);
}

/* Any string, whatever it needs. */
static NEVER_INLINE int string_slow(tw_json_writer *wr, const char *text, size_t size,
                                    int64_t chars, unsigned flags)
{
    char *p;
    int rc;

    if (size > wr->quick_size) {
        rc = string_check(wr, text, size, chars, flags);
        if (rc != TW_OK)
            return rc;
    }
    p = value_begin(wr, size);
    if (p == NULL)
        return wr->code;
    *p = '"';
    p = text_put(wr, p + 1, text, size, flags);
    if (p == NULL)
        return wr->code;
    if ((size_t)(p + 1 - wr->buf.data) > wr->max_bytes)
        return writer_fail_room(wr, TW_E_TOO_LARGE);
    return string_end(wr, p, text, size);
}

/* Common keys and strings are short and plain: these write them without a call. All else is left
 * to the slow ones, which begin again: nothing counts before the size is set. */
int tw_json_put_key(tw_json_writer *wr, const char *text, size_t size, int64_t chars,
                    unsigned flags)
{
    uint64_t deny = (uint64_t)(flags & TW_JSON_VALID_UTF8) - 1;
    unsigned char mark = 0;
    char *p;

    (void)chars; /* no limit on keys is documented */
    if (size > TW__COPY_SHORT || !has_room(wr, TW__COPY_SHORT) || !key_is_due(wr))
        return key_slow(wr, text, size, flags, &mark);
    p = wr->buf.data + wr->buf.size;
    *p = ',';
    p += wr->state == NEXT_KEY;
    *p++ = '"';
    if (tw__copy_short(p, text, size, deny) != 0)
        return key_slow(wr, text, size, flags, &mark);
    return key_end(wr, p + size, text, size, &mark);
}

static ALWAYS_INLINE int string_quick(tw_json_writer *wr, const char *text, size_t size,
                                      int64_t chars, unsigned flags)
{
    uint64_t deny = (uint64_t)(flags & TW_JSON_VALID_UTF8) - 1;
    char *p;

    if (wr->state > VALUE || size > wr->quick_size || !is_far_from_full(wr, size))
        return string_slow(wr, text, size, chars, flags);
    p = wr->buf.data + wr->buf.size;
    *p = ',';
    p += wr->state == MORE;
    *p++ = '"';
    if (tw__copy_plain(p, text, size, deny) != size)
        return string_slow(wr, text, size, chars, flags);
    return string_end(wr, p + size, text, size);
}

static NEVER_INLINE int string_unchecked(tw_json_writer *wr, const char *text,
                                         size_t size, int64_t chars)
{
    return string_quick(wr, text, size, chars, 0);
}

/* Compiled twice: where the text is known to be UTF-8 its upper half needs no look. */
int tw_json_put_string(tw_json_writer *wr, const char *text, size_t size, int64_t chars,
                       unsigned flags)
{
    if ((flags & TW_JSON_VALID_UTF8) == 0)
        return string_unchecked(wr, text, size, chars);
    return string_quick(wr, text, size, chars, TW_JSON_VALID_UTF8);
}

/* ---- keys made ready ------------------------------------------------------------------- */

enum { READY_MAX = 40, READY_FRAME = 4 /* the comma, the quotes, the colon */ };

/* What is inside a tw_json_key. */
typedef struct ready {
    unsigned char size; /* of text */
    unsigned char mark; /* the watcher's */
    char text[46];      /* ,"key": and then whatever */
} ready;

_Static_assert(sizeof(ready) == sizeof(tw_json_key), "tw_json_key has the wrong size");
_Static_assert((int)SLACK > (int)TW__NUMBER_ROOM, "a number needs more room");
_Static_assert(SLACK >= READY_MAX + READY_FRAME, "a ready key needs more room");

int tw_json_key_make(tw_json_key *key, const char *text, size_t size)
{
    ready made = {.size = (unsigned char)(size + READY_FRAME), .text = ",\""};

    if (size > READY_MAX || copy_plain(made.text + 2, text, size, 0) != size ||
        tw__utf8_check(text, size) != size)
        return TW_E_INVALID;
    memcpy(made.text + 2 + size, "\":", 2);
    memcpy(key, &made, sizeof made);
    return TW_OK;
}

int tw_json_put_ready_key(tw_json_writer *wr, tw_json_key *key)
{
    ready *made = (ready *)key;
    unsigned first = wr->state == FIRST_KEY; /* no comma then */
    char *p;

    if (!key_is_due(wr) || !is_far_from_full(wr, 0))
        return key_slow(wr, made->text + 2, made->size - (size_t)READY_FRAME,
                        TW_JSON_VALID_UTF8, &made->mark);
    p = wr->buf.data + wr->buf.size;
    /* Fixed sizes are copied without a call. */
    memcpy(p, made->text + first, 32);
    if (made->size > 32)
        memcpy(p + 32, made->text + first + 32, READY_MAX + READY_FRAME - 32);
    wr->buf.size += made->size - first;
    wr->state = VALUE;
    if ((wr->shown & KIND(KEY)) == 0)
        return TW_OK;
    return key_show(wr, made->text + 2, made->size - (size_t)READY_FRAME, &made->mark);
}

/* ---- scalars --------------------------------------------------------------------------- */

int tw_json_put_int(tw_json_writer *wr, int64_t value)
{
    char *p = value_begin(wr, 0);

    if (p == NULL)
        return wr->code;
    return value_end(wr, tw__number_int(p, value), TW_JSON_INT, value, 0);
}

int tw_json_put_real(tw_json_writer *wr, double value)
{
    char *p = value_begin(wr, 0);

    if (p == NULL)
        return wr->code;
    if (value - value != 0) /* NaN for infinities and for NaN itself */
        return writer_fail(wr, TW_E_VALIDATION, "NaN and infinity have no JSON form", 0);
    return value_end(wr, tw__number_real(p, value), TW_JSON_REAL, 0, value);
}

static ALWAYS_INLINE int put_word(tw_json_writer *wr, tw_json_kind kind, const char *text,
                                  size_t size)
{
    char *p = value_begin(wr, 0);

    if (p == NULL)
        return wr->code;
    memcpy(p, text, size);
    return value_end(wr, p + size, kind, 0, 0);
}

int tw_json_put_bool(tw_json_writer *wr, int value)
{
    return value ? put_word(wr, TW_JSON_TRUE, "true", 4)
                 : put_word(wr, TW_JSON_FALSE, "false", 5);
}

int tw_json_put_null(tw_json_writer *wr)
{
    return put_word(wr, TW_JSON_NULL, "null", 4);
}

/* ---- the text -------------------------------------------------------------------------- */

const char *tw_json_writer_text(const tw_json_writer *wr, size_t *size)
{
    *size = wr->buf.size;
    return wr->buf.data != NULL ? wr->buf.data : "";
}

int tw_json_writer_complete(const tw_json_writer *wr)
{
    return wr->state == COMPLETE;
}

int tw__json_writer_reopen(tw_json_writer *wr)
{
    if (wr->state != COMPLETE || wr->buf.data[0] != '{')
        return TW_E_INVALID;
    wr->buf.size--;
    depth_set(wr, 1);
    wr->state = wr->buf.size == 1 ? FIRST_KEY : NEXT_KEY;
    return TW_OK;
}

int tw__json_writer_splice(tw_json_writer *wr, size_t at, size_t end, const char *bytes,
                           size_t size)
{
    size_t left = wr->buf.size - (end - at);
    int rc;

    if (wr->state != COMPLETE || at > end || end > wr->buf.size)
        return TW_E_INVALID;
    if (left > wr->max_bytes || size > wr->max_bytes - left)
        return TW_E_TOO_LARGE;
    rc = tw__buf_reserve(&wr->buf, size);
    if (rc != TW_OK)
        return rc;
    memmove(wr->buf.data + at + size, wr->buf.data + end, wr->buf.size - end);
    if (size != 0)
        memcpy(wr->buf.data + at, bytes, size);
    wr->buf.size = left + size;
    return TW_OK;
}

char *tw__json_writer_take(tw_json_writer *wr, size_t *size)
{
    char *text = wr->state == COMPLETE ? tw__buf_take(&wr->buf, size) : NULL;

    if (text != NULL)
        tw_json_writer_reset(wr);
    return text;
}
