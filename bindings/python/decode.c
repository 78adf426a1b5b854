/* SPDX-License-Identifier: MIT */
/* From the core's reader straight to Python values. */
#include "state.h"

/*
 * Two things repeat in a stream of events, and both are remembered. Key strings: a table of
 * the module finds the str made before (a collision only costs its replacement). The shape
 * of an event, its top-level keys in their order: copying a dict that has these keys is
 * cheaper than growing a new one, and setting a key that is there moves nothing.
 */

enum {
    SHAPE_KEYS = 256,  /* longest shape remembered */
    SHAPE_MISSES = 64, /* after so many events of another shape it is given up */
    PICK_SLOTS = 1024, /* hash slots for `fields`; a power of two */
    WAYS = 4
}; /* slots a key may stand in: so few keys push each other out */

struct twpy_decoder {
    twpy_state *state;
    tw_json_reader *reader;
    PyObject *shape; /* dict with the keys of the last event, values None; or NULL */
    twpy_text keys[SHAPE_KEYS]; /* its keys in order, borrowed from it */
    unsigned key_count;
    unsigned misses;
    twpy_text *picks; /* NULL: all fields are wanted */
    PyObject *fields; /* keeps the picks' text */
};

/* Fast and of no other merit; keys are short. */
static inline uint32_t text_hash(const char *text, size_t size)
{
    uint64_t hash = size * UINT64_C(0x9E3779B97F4A7C15);
    uint64_t word;

    while (size > 8) {
        memcpy(&word, text, 8);
        hash = (hash ^ word) * UINT64_C(0xFF51AFD7ED558CCD);
        hash ^= hash >> 32;
        text += 8;
        size -= 8;
    }
    word = 0;
    memcpy(&word, text, size);
    hash = (hash ^ word) * UINT64_C(0xFF51AFD7ED558CCD);
    return (uint32_t)(hash >> 32);
}

static inline int text_is(const twpy_text *entry, const tw_json_token *token,
                          uint32_t hash)
{
    return entry->text != NULL && entry->hash == hash && entry->size == token->size &&
           memcmp(entry->utf8, token->text, token->size) == 0;
}

static int text_set(twpy_text *entry, PyObject *text, uint32_t hash)
{
    Py_ssize_t size;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &size);

    if (utf8 == NULL)
        return -1;
    Py_XDECREF(entry->text);
    *entry = (twpy_text){Py_NewRef(text), utf8, hash, (uint32_t)size};
    return 0;
}

static inline PyObject *make_text(const tw_json_token *token)
{
#ifndef Py_LIMITED_API
    if ((token->flags & TW_JSON_ASCII) != 0 && token->size > 1) {
        PyObject *text = PyUnicode_New((Py_ssize_t)token->size, 127);

        if (text != NULL)
            memcpy(PyUnicode_DATA(text), token->text, token->size);
        return text;
    }
#endif
    return PyUnicode_DecodeUTF8(token->text, (Py_ssize_t)token->size, NULL);
}

/* The str of a key: a new reference. */
static PyObject *key_of(twpy_decoder *dec, const tw_json_token *token)
{
    twpy_text *entry;
    PyObject *text;
    uint32_t hash;
    unsigned i;

    if (token->size > TWPY_TEXT_MAX)
        return make_text(token);
    hash = text_hash(token->text, token->size);
    entry = &dec->state->texts[hash & (TWPY_TEXTS - WAYS)];
    for (i = 0; i < WAYS; i++) {
        if (text_is(&entry[i], token, hash))
            return Py_NewRef(entry[i].text);
    }
    text = make_text(token);
    for (i = 0; i < WAYS - 1 && entry[i].text != NULL; i++)
        ;
    /* A full set loses a slot that the hash chooses. */
    if (i == WAYS - 1 && entry[i].text != NULL)
        i = (hash >> 16) & (WAYS - 1);
    if (text != NULL && text_set(&entry[i], text, hash) < 0)
        Py_CLEAR(text);
    return text;
}

/* The str of a value. Short ones repeat (platforms, countries, types): they are shared. */
static PyObject *text_value(twpy_decoder *dec, const tw_json_token *token)
{
    twpy_text *entry;
    PyObject *text;
    uint32_t hash;

    if (token->size > TWPY_VALUE_MAX)
        return make_text(token);
    hash = text_hash(token->text, token->size);
    entry = &dec->state->values[hash & (TWPY_TEXTS - 1)];
    if (text_is(entry, token, hash))
        return Py_NewRef(entry->text);
    text = make_text(token);
    if (text != NULL && text_set(entry, text, hash) < 0)
        Py_CLEAR(text);
    return text;
}

static int next(twpy_decoder *dec, tw_json_token *token)
{
    return tw_json_reader_next(dec->reader, token);
}

static PyObject *value_of(twpy_decoder *dec, const tw_json_token *token);

static PyObject *object_of(twpy_decoder *dec)
{
    PyObject *dict = PyDict_New();
    tw_json_token token;

    if (dict == NULL)
        return NULL;
    while (next(dec, &token) == TW_OK) {
        PyObject *key;
        PyObject *value = NULL;
        int failed;

        if (token.kind == TW_JSON_OBJECT_END)
            return dict;
        key = key_of(dec, &token);
        if (key != NULL && next(dec, &token) == TW_OK)
            value = value_of(dec, &token);
        failed = value == NULL || PyDict_SetItem(dict, key, value) < 0;
        Py_XDECREF(key);
        Py_XDECREF(value);
        if (failed)
            break;
    }
    Py_DECREF(dict);
    return NULL;
}

static PyObject *array_of(twpy_decoder *dec)
{
    PyObject *list = PyList_New(0);
    tw_json_token token;

    if (list == NULL)
        return NULL;
    while (next(dec, &token) == TW_OK) {
        PyObject *value;
        int failed;

        if (token.kind == TW_JSON_ARRAY_END)
            return list;
        value = value_of(dec, &token);
        failed = value == NULL || PyList_Append(list, value) < 0;
        Py_XDECREF(value);
        if (failed)
            break;
    }
    Py_DECREF(list);
    return NULL;
}

/* An integer beyond 64 bits, exactly. Python refuses those of more than 4,300 digits. */
static PyObject *bigint_of(twpy_decoder *dec, const tw_json_token *token)
{
    PyObject *text = PyBytes_FromStringAndSize(token->text, (Py_ssize_t)token->size);
    PyObject *number =
        text != NULL ? PyLong_FromString(PyBytes_AsString(text), NULL, 10) : NULL;

    Py_XDECREF(text);
    if (number != NULL || !PyErr_ExceptionMatches(PyExc_ValueError))
        return number;
    PyErr_Clear();
    return twpy_raise_text(
        dec->state, TW_E_PROTOCOL,
        "the document held an integer of more digits than Python reads");
}

/* The value that begins with `token`. NULL: the reader failed, or an exception is set. The
 * reader bounds the depth. */
static PyObject *value_of(twpy_decoder *dec, const tw_json_token *token)
{
    switch (token->kind) {
    case TW_JSON_STRING:
        return text_value(dec, token);
    case TW_JSON_NULL:
        return Py_NewRef(Py_None);
    case TW_JSON_INT:
        return PyLong_FromLongLong(token->integer);
    case TW_JSON_REAL:
        return PyFloat_FromDouble(token->real);
    case TW_JSON_FALSE:
        return Py_NewRef(Py_False);
    case TW_JSON_TRUE:
        return Py_NewRef(Py_True);
    case TW_JSON_OBJECT:
        return object_of(dec);
    case TW_JSON_ARRAY:
        return array_of(dec);
    case TW_JSON_BIGINT:
        return bigint_of(dec, token);
    case TW_JSON_KEY:
    case TW_JSON_OBJECT_END:
    case TW_JSON_ARRAY_END:
    case TW_JSON_EOF:
        break;
    }
    PyErr_SetString(PyExc_SystemError, "the reader gave a token out of place");
    return NULL;
}

/* ---- the top level of an event ------------------------------------------------------- */

static int picked(const twpy_decoder *dec, const tw_json_token *token)
{
    uint32_t hash = text_hash(token->text, token->size);
    uint32_t slot = hash & (PICK_SLOTS - 1);

    for (; dec->picks[slot].text != NULL; slot = (slot + 1) & (PICK_SLOTS - 1)) {
        if (text_is(&dec->picks[slot], token, hash))
            return 1;
    }
    return 0;
}

/* The next key that is wanted: TW_OK, TW_DONE at the object's end, or the reader's error. */
static int next_key(twpy_decoder *dec, tw_json_token *token)
{
    int rc = next(dec, token);

    while (rc == TW_OK) {
        if (token->kind == TW_JSON_OBJECT_END)
            return TW_DONE;
        if (dec->picks == NULL || picked(dec, token))
            return TW_OK;
        rc = tw_json_reader_skip(dec->reader);
        if (rc == TW_OK)
            rc = next(dec, token);
    }
    return rc;
}

/* Remembers the keys of `event`. Order and identity are those of the dict itself. */
static int shape_learn(twpy_decoder *dec, PyObject *event)
{
    Py_ssize_t at = 0;
    PyObject *key;
    PyObject *value;

    Py_CLEAR(dec->shape);
    dec->key_count = 0;
    if (dec->misses > SHAPE_MISSES || PyDict_Size(event) > SHAPE_KEYS)
        return 0;
    dec->shape = PyDict_New();
    if (dec->shape == NULL)
        return -1;
    while (PyDict_Next(event, &at, &key, &value)) {
        twpy_text *known = &dec->keys[dec->key_count++];
        Py_ssize_t size;

        known->text = key;
        known->utf8 = PyUnicode_AsUTF8AndSize(key, &size);
        if (known->utf8 == NULL || PyDict_SetItem(dec->shape, key, Py_None) < 0)
            return -1;
        known->size = (uint32_t)size;
    }
    return 0;
}

/* The event was not of the remembered shape: a dict of its first `count` values alone. */
static PyObject *shape_leave(twpy_decoder *dec, PyObject *event, unsigned count)
{
    PyObject *dict = PyDict_New();
    unsigned i;

    for (i = 0; dict != NULL && i < count; i++) {
        PyObject *key = dec->keys[i].text;

        if (PyDict_SetItem(dict, key, PyDict_GetItemWithError(event, key)) < 0)
            Py_CLEAR(dict);
    }
    Py_DECREF(event);
    return dict;
}

/* The key of an event's value number `count`, borrowed, where the event goes on in the remembered
 * shape; else NULL. */
static inline PyObject *shape_key(const twpy_decoder *dec, unsigned count,
                                  const tw_json_token *token)
{
    const twpy_text *known = &dec->keys[count];

    if (count < dec->key_count && known->size == token->size &&
        memcmp(known->utf8, token->text, token->size) == 0)
        return known->text;
    return NULL;
}

/* Reads the value of `key` into the event, where it stands as None already if `known`. */
static int event_put(twpy_decoder *dec, PyObject *event, PyObject *key, int known)
{
    PyObject *value = NULL;
    tw_json_token token;
    int rc;

    if (next(dec, &token) != TW_OK)
        return -1;
    if (known && token.kind == TW_JSON_NULL)
        return 0;
    value = value_of(dec, &token);
    if (value == NULL)
        return -1;
    rc = PyDict_SetItem(event, key, value);
    Py_DECREF(value);
    return rc;
}

/* One key and its value, whatever the shape. */
static int event_grow(twpy_decoder *dec, PyObject *event, const tw_json_token *token)
{
    PyObject *key = key_of(dec, token);
    int rc = key != NULL ? event_put(dec, event, key, 0) : -1;

    Py_XDECREF(key);
    return rc;
}

static PyObject *event_of(twpy_decoder *dec)
{
    int fits = dec->shape != NULL;
    PyObject *event = fits ? PyDict_Copy(dec->shape) : PyDict_New();
    unsigned count = 0;
    tw_json_token token;
    int rc;

    while (event != NULL) {
        PyObject *key = NULL;

        rc = next_key(dec, &token);
        if (rc == TW_DONE)
            break;
        if (rc == TW_OK && fits) {
            key = shape_key(dec, count, &token);
            if (key == NULL) {
                fits = 0;
                event = shape_leave(dec, event, count);
            }
        }
        count++;
        if (rc != TW_OK || event == NULL ||
            (key != NULL ? event_put(dec, event, key, 1)
                         : event_grow(dec, event, &token)) < 0)
            Py_CLEAR(event);
    }
    if (event != NULL && fits && count < dec->key_count) {
        fits = 0;
        event = shape_leave(dec, event, count);
    }
    if (event != NULL && !fits) {
        dec->misses++;
        if (shape_learn(dec, event) < 0)
            Py_CLEAR(event);
    }
    return event;
}

/* ---- decoders ------------------------------------------------------------------------ */

static int picks_init(twpy_decoder *dec, PyObject *fields)
{
    Py_ssize_t i;

    if (PyTuple_Size(fields) > PICK_SLOTS / 2) {
        PyErr_Format(PyExc_ValueError, "fields had more than %d names", PICK_SLOTS / 2);
        return -1;
    }
    dec->picks = PyMem_Calloc(PICK_SLOTS, sizeof *dec->picks);
    if (dec->picks == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (i = 0; i < PyTuple_Size(fields); i++) {
        PyObject *name = PyTuple_GetItem(fields, i);
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(name, &size);
        uint32_t slot;

        if (text == NULL)
            return -1;
        slot = text_hash(text, (size_t)size) & (PICK_SLOTS - 1);
        while (dec->picks[slot].text != NULL)
            slot = (slot + 1) & (PICK_SLOTS - 1);
        if (text_set(&dec->picks[slot], name, text_hash(text, (size_t)size)) < 0)
            return -1;
    }
    return 0;
}

static int tables_init(twpy_state *state)
{
    if (state->texts != NULL)
        return 0;
    state->texts = PyMem_Calloc(TWPY_TEXTS, sizeof *state->texts);
    state->values = PyMem_Calloc(TWPY_TEXTS, sizeof *state->values);
    if (state->texts != NULL && state->values != NULL)
        return 0;
    PyMem_Free(state->texts);
    PyMem_Free(state->values);
    state->texts = state->values = NULL;
    PyErr_NoMemory();
    return -1;
}

twpy_decoder *twpy_decoder_new(twpy_state *state, size_t max_bytes, PyObject *fields)
{
    twpy_decoder *dec = PyMem_Calloc(1, sizeof *dec);
    tw_error *err = NULL;
    int rc;

    if (dec == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    dec->state = state;
    if (tables_init(state) < 0)
        goto fail;
    rc = tw_json_reader_new(&dec->reader, TWPY_MAX_DEPTH, max_bytes, &err);
    if (rc != TW_OK) {
        twpy_raise(state, rc, err);
        goto fail;
    }
    if (fields != NULL && picks_init(dec, fields) < 0)
        goto fail;
    return dec;
fail:
    twpy_decoder_free(dec);
    return NULL;
}

void twpy_decoder_free(twpy_decoder *dec)
{
    size_t i;

    if (dec == NULL)
        return;
    tw_json_reader_free(dec->reader);
    Py_XDECREF(dec->shape);
    for (i = 0; dec->picks != NULL && i < PICK_SLOTS; i++)
        Py_XDECREF(dec->picks[i].text);
    PyMem_Free(dec->picks);
    PyMem_Free(dec);
}

/* Raises the reader's error, with the line's number where there is one. */
static PyObject *reader_failed(twpy_decoder *dec, int64_t index)
{
    tw_error *err = NULL;
    int rc = tw_json_reader_error(dec->reader, &err);
    PyObject *type;
    PyObject *value;
    PyObject *trace;
    PyObject *number;

    twpy_raise(dec->state, rc, err);
    if (index < 0)
        return NULL;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    number = PyLong_FromLongLong(index);
    if (number == NULL || PyObject_SetAttrString(value, "index", number) < 0)
        PyErr_Clear();
    Py_XDECREF(number);
    PyErr_Restore(type, value, trace);
    return NULL;
}

PyObject *twpy_decode(twpy_decoder *dec, const char *text, size_t size, int64_t index)
{
    PyObject *value = NULL;
    tw_json_token token;
    int rc = tw_json_reader_start(dec->reader, text, size);

    if (rc == TW_OK)
        rc = next(dec, &token);
    if (rc != TW_OK)
        return reader_failed(dec, index);
    value = token.kind == TW_JSON_OBJECT ? event_of(dec) : value_of(dec, &token);
    if (value != NULL && next(dec, &token) == TW_OK)
        return value;
    /* Either Python failed and said so, or the reader did. */
    Py_XDECREF(value);
    return PyErr_Occurred() ? NULL : reader_failed(dec, index);
}

PyObject *twpy_decode_one(twpy_state *state, const char *text, size_t size)
{
    twpy_decoder *dec = twpy_decoder_new(state, size + 1, NULL);
    PyObject *value = dec != NULL ? twpy_decode(dec, text, size, -1) : NULL;

    twpy_decoder_free(dec);
    return value;
}
