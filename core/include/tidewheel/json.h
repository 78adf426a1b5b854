/* SPDX-License-Identifier: MIT */
/* JSON: a strict pull reader and a writer that validates while it writes. */
#ifndef TIDEWHEEL_JSON_H
#define TIDEWHEEL_JSON_H

#include <tidewheel/common.h>

TW_BEGIN_DECLS

/* ---- reader -------------------------------------------------------------------------- */

typedef enum tw_json_kind {
    TW_JSON_NULL,
    TW_JSON_FALSE,
    TW_JSON_TRUE,
    TW_JSON_INT, /* fits int64: .integer */
    TW_JSON_REAL, /* has a fraction or exponent: .real, correctly rounded; out of a double's
                       range it is an error */
    TW_JSON_BIGINT, /* integer text beyond int64: only .text */
    TW_JSON_STRING,
    TW_JSON_KEY,
    TW_JSON_OBJECT, /* '{' */
    TW_JSON_OBJECT_END,
    TW_JSON_ARRAY, /* '[' */
    TW_JSON_ARRAY_END,
    TW_JSON_EOF /* the document ended well */
} tw_json_kind;

#define TW_JSON_ASCII 1u /* token flag: all bytes of text are below 0x80 */

/** One token. A value struct: fields stay, new ones are appended. Only `kind` and the fields
 * that its comment names are set, `text` for strings, keys and numbers alone. */
typedef struct tw_json_token {
    tw_json_kind kind;
    unsigned flags;
    const char
        *text;   /* string or key: decoded UTF-8; number: its text as written; borrowed
                         until the next call on the reader. Not NUL-terminated. */
    size_t size; /* bytes of text */
    int64_t integer;
    double real;
} tw_json_token;

/**
 * A reader, reusable for any number of documents.
 *
 * @param out       owned by caller, free with tw_json_reader_free
 * @param max_depth deepest nesting accepted (64 is the house default for answers)
 * @param max_bytes longest document accepted
 */
TW_API int tw_json_reader_new(tw_json_reader **out, unsigned max_depth, size_t max_bytes,
                              tw_error **err);
TW_API void tw_json_reader_free(tw_json_reader *rd);

/** Starts on a document. `text` is borrowed until the next start or free. The document
 * must be exactly one JSON value, white space around it allowed; a BOM is refused. */
TW_API int tw_json_reader_start(tw_json_reader *rd, const char *text, size_t size);

/** The next token: TW_OK, or TW_E_PROTOCOL (details: tw_json_reader_error). After an error
 * every further call returns it again. @thread one at a time */
TW_API int tw_json_reader_next(tw_json_reader *rd, tw_json_token *token);

/** After a KEY: skips its value. Inside an array: skips the next element, or returns TW_DONE
 * when its end is what comes next. At the start: skips the whole value. Elsewhere
 * TW_E_INVALID, which does no harm. Checked as strictly as reading it, but for numbers out of
 * a double's range, since none is converted. */
TW_API int tw_json_reader_skip(tw_json_reader *rd);

/** Like skip, and hands out the value's raw text (borrowed like the document). */
TW_API int tw_json_reader_raw(tw_json_reader *rd, const char **text, size_t *size);

/** Byte offset reached in the document. */
TW_API size_t tw_json_reader_offset(const tw_json_reader *rd);

/** Builds the error of a failed call: rule broken and byte offset. Returns its code. */
TW_API int tw_json_reader_error(const tw_json_reader *rd, tw_error **err);

/* ---- writer -------------------------------------------------------------------------- */

/** Limits of a writer. Fill with TW_JSON_WRITER_OPTIONS_INIT. */
typedef struct tw_json_writer_options {
    size_t size;             /* of this struct */
    size_t max_bytes;        /* of the document */
    size_t max_string_chars; /* code points of a string value; 0 = no limit */
    unsigned max_depth;      /* containers inside each other, the outermost counts 1 */
    unsigned mends;          /* what is changed instead of refused: TW_MEND_..., 0 none */
} tw_json_writer_options;

/** Values a writer may change, each change counted. Keys are never changed. */
enum {
    TW_MEND_LONG =
        1, /* a string of too many characters is cut after the last that fits */
    TW_MEND_UTF8 =
        2, /* what is no UTF-8 in a string becomes U+FFFD, one for each sequence */
    TW_MEND_NAN = 4, /* NaN and infinity become null */
    TW_MEND_INTS = 8 /* integers beyond 64 bits become strings of their digits */
};

/* 1,024 characters: event field table; 40 layers: event_properties row
 * (Amplitude HTTP V2 API docs, read 2026-11-23). The event object itself is one layer. */
#define TW_JSON_WRITER_OPTIONS_INIT                          \
    {                                                        \
        sizeof(tw_json_writer_options), 1000000, 1024, 41, 0 \
    }

/* String flags: the caller vouches that the text is UTF-8; that it has no byte above 0x7F. */
#define TW_JSON_VALID_UTF8 1u
#define TW_JSON_ALL_ASCII 3u

TW_API int tw_json_writer_new(tw_json_writer **out, const tw_json_writer_options *options,
                              tw_error **err);
TW_API void tw_json_writer_free(tw_json_writer *wr);
/** Forgets the text, keeps memory and limits. */
TW_API void tw_json_writer_reset(tw_json_writer *wr);

/** A key made ready for being put again and again: checked once, its text as the document
 * wants it. The contents are the library's; no memory belongs to it, so it may be copied and
 * forgotten. Putting it may change it: one thread at a time. */
typedef struct tw_json_key {
    uint64_t inside[6];
} tw_json_key;

/** Makes a key ready. TW_OK; TW_E_INVALID where the text is none for which this pays (over 40
 * bytes, something to be escaped, not UTF-8): tw_json_put_key takes, or refuses, these. */
TW_API int tw_json_key_make(tw_json_key *key, const char *text, size_t size);

/* Each returns TW_OK or a negative code and then keeps failing with it; the error with path
 * and rule is built on demand by tw_json_writer_error. Structure is checked: a value where a
 * key is due, an end that does not match, a second top-level value are TW_E_INVALID. A key
 * repeated in one object is TW_E_VALIDATION where the writer is told to look (see event.h);
 * bindings whose containers cannot repeat keys need no check. */
TW_API int tw_json_put_object(tw_json_writer *wr);
TW_API int tw_json_put_object_end(tw_json_writer *wr);
TW_API int tw_json_put_array(tw_json_writer *wr);
TW_API int tw_json_put_array_end(tw_json_writer *wr);
/** `chars`: code points where the caller knows them, else -1. Text is copied. */
TW_API int tw_json_put_key(tw_json_writer *wr, const char *text, size_t size,
                           int64_t chars, unsigned flags);
/** Does what tw_json_put_key does with the text the key was made of. */
TW_API int tw_json_put_ready_key(tw_json_writer *wr, tw_json_key *key);
TW_API int tw_json_put_string(tw_json_writer *wr, const char *text, size_t size,
                              int64_t chars, unsigned flags);
TW_API int tw_json_put_int(tw_json_writer *wr, int64_t value);
/** An integer beyond 64 bits by its decimal digits, "-" before them where it is negative:
 * refused, or with TW_MEND_INTS put as a string. */
TW_API int tw_json_put_big_int(tw_json_writer *wr, const char *digits, size_t size);
/** The shortest text that reads back as the same double, always recognisable as a real: "5.0",
 * "0.0001", "1e16", "1.5e-5", "-0.0". No exponent while the first digit's power of ten is in
 * [-4, 15]. NaN and infinities are TW_E_VALIDATION. Independent of the locale. */
TW_API int tw_json_put_real(tw_json_writer *wr, double value);
TW_API int tw_json_put_bool(tw_json_writer *wr, int value);
TW_API int tw_json_put_null(tw_json_writer *wr);
/** The text so far, complete after the outermost container was closed. Borrowed. */
TW_API const char *tw_json_writer_text(const tw_json_writer *wr, size_t *size);
/** Nonzero when exactly one whole value was written. */
TW_API int tw_json_writer_complete(const tw_json_writer *wr);
/** Path of the value being written, as "event_properties.cart[3].price"; NUL-terminated and
 * cut with "..." when longer than the room. Returns its full length. */
TW_API size_t tw_json_writer_path(const tw_json_writer *wr, char *text, size_t room);
/** Builds the error of the failed put. Returns its code. */
TW_API int tw_json_writer_error(const tw_json_writer *wr, tw_error **err);
/** Makes the writer fail with TW_E_VALIDATION at the current path for a reason the binding
 * found ("datetime is not a JSON type"). Returns TW_E_VALIDATION. */
TW_API int tw_json_writer_refuse(tw_json_writer *wr, const char *rule);

/** The mends the writer was made with, for a binding that finds what it cannot even give. */
TW_API unsigned tw_json_writer_mends(const tw_json_writer *wr);

TW_END_DECLS

#endif
