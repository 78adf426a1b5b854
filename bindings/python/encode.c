/* SPDX-License-Identifier: MIT */
/* From Python values straight into the core's writer. */
#include <tidewheel/sys/json_cursor.h>

#include "access.h"
#include "state.h"

/*
 * No user code runs while a container is walked: only the storage of the built-in types is read.
 * So under the interpreter lock nothing can change during the walk and borrowed references are
 * safe. A `default` hook therefore never runs from here: the walk stops at the first value
 * it does not know, and twpy_plain makes a converted copy before it starts again.
 *
 * Recursion ends with the writer, which refuses the layer after the last one allowed: a cycle
 * runs into it too.
 */

enum {
    HOOK_NODES = 1000000, /* no event of at most 1 MB can have more values */
    HOOK_DEPTH = 48,      /* a little more than the writer takes: it names the path */
    AHEAD = 8             /* values fetched before their turn */
};

typedef struct walk {
    tw_json_writer *wr; /* behind the cursor, but when that is closed */
    tw_json_cursor cur;
    twpy_key *keys; /* TWPY_KEYS slots, or NULL */
    int in_place;   /* dicts may be read so */
    int foreign;
} walk;

static int refuse_type(tw_json_writer *wr, const char *before, PyObject *value,
                       const char *after)
{
    char rule[160];
    PyObject *name = PyType_GetName(Py_TYPE(value));
    const char *text = name != NULL ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;

    PyErr_Clear();
    PyOS_snprintf(rule, sizeof rule, "%s%.80s%s", before, text != NULL ? text : "?",
                  after);
    Py_XDECREF(name);
    return tw_json_writer_refuse(wr, rule);
}

static int refuse_text(tw_json_writer *wr)
{
    if (PyErr_ExceptionMatches(PyExc_MemoryError))
        return TW_E_INVALID;
    PyErr_Clear();
    return tw_json_writer_refuse(wr, "the text held a lone surrogate");
}

/* ---- keys ---------------------------------------------------------------------------- */

/*
 * An application's keys are literals, the same objects each time, so a key is looked up by its
 * address: what is found needs neither checks nor escapes. A slot owns its key, or the address
 * might come to mean another one. A key has two slots to be in, side by side, so that no two keys
 * keep each other out. It enters when it was one of the last two to miss there: keys made for one
 * event only (parsed JSON) cost no more than the look.
 */

/* The first of the two. */
TWPY_INLINE twpy_key *key_slots(walk *w, PyObject *key)
{
    uint64_t mixed = (uint64_t)(uintptr_t)key * UINT64_C(0x9E3779B97F4A7C15);

    return &w->keys[mixed >> 55 << 1];
}

_Static_assert(TWPY_KEYS == 2 << (64 - 55), "key_slots takes the wrong number of bits");

/* The slot with the key in it, or NULL. */
TWPY_INLINE twpy_key *key_find(walk *w, PyObject *key)
{
    twpy_key *slots;

    if (w->keys == NULL)
        return NULL;
    slots = key_slots(w, key);
    if (slots[0].text == key)
        return &slots[0];
    return slots[1].text == key ? &slots[1] : NULL;
}

static void key_enter(walk *w, PyObject *key, const char *text, Py_ssize_t size)
{
    twpy_key *slots = key_slots(w, key);
    twpy_key *slot = slots[0].text == NULL ? &slots[0] : &slots[1];
    PyObject *old = slot->text;

    if (slots[0].missed != key && slots[1].missed != key) {
        slots[1].missed = slots[0].missed;
        slots[0].missed = key;
        return;
    }
    if (tw_json_key_make(&slot->ready, text, (size_t)size) == TW_OK) {
        slot->text = Py_NewRef(key);
        Py_XDECREF(old); /* a str: runs no code */
    }
}

static int put_new_key(walk *w, PyObject *key)
{
    const char *text;
    Py_ssize_t size;
    unsigned flags;

    if (!PyUnicode_Check(key))
        return refuse_type(w->wr, "a key was of type ", key, "; keys must be str");
    text = twpy_text_read(key, &size, &flags);
    if (text == NULL)
        return refuse_text(w->wr);
    if (w->keys != NULL && Py_TYPE(key) == &PyUnicode_Type)
        key_enter(w, key, text, size);
    return tw_json_put_key(w->wr, text, (size_t)size, -1, flags);
}

/* ---- values -------------------------------------------------------------------------- */

static int put_rest(walk *w, tw_json_key *key, PyObject *value);

/* `key`: ready, or NULL for an element and where the key was put already. */
TWPY_INLINE int put_value(walk *w, tw_json_key *key, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);

    if (type == &PyUnicode_Type) {
        Py_ssize_t size;
        unsigned flags;
        const char *text = twpy_text_read(value, &size, &flags);

        if (text != NULL)
            return tw_json_cursor_string(&w->cur, key, text, (size_t)size, flags);
    } else if (type == &PyLong_Type) {
        int overflow = 0;
        long long number = twpy_int_read(value, &overflow);

        if (number != -1 || (overflow == 0 && PyErr_Occurred() == NULL))
            return tw_json_cursor_int(&w->cur, key, number);
    }
    return put_rest(w, key, value);
}

static __attribute__((noinline)) int put_new_member(walk *w, PyObject *key,
                                                    PyObject *value)
{
    int rc;

    tw_json_cursor_close(&w->cur);
    rc = put_new_key(w, key);
    if (rc != TW_OK)
        return rc;
    tw_json_cursor_open(&w->cur, w->wr);
    return put_value(w, NULL, value);
}

TWPY_INLINE int put_member(walk *w, PyObject *key, PyObject *value)
{
    twpy_key *slot = key_find(w, key);

    return slot != NULL ? put_value(w, &slot->ready, value)
                        : put_new_member(w, key, value);
}

/* The values of a dict that was made a while ago lie all over the memory: each is fetched while
 * those before it are written. No code of the user's runs meanwhile, so that they stay. */
static void look_ahead(PyObject *dict, Py_ssize_t *at, twpy_row *row)
{
    PyDict_Next(dict, at, &row->key, &row->value);
    __builtin_prefetch(row->value);
    __builtin_prefetch((const char *)row->value + 64);
}

/* Any dict. */
static __attribute__((noinline)) int put_items(walk *w, PyObject *dict)
{
    Py_ssize_t left = TWPY_DICT_SIZE(dict);
    Py_ssize_t at = 0;
    twpy_row rows[AHEAD];
    unsigned i;
    int rc = TW_OK;

    for (i = 0; i < AHEAD && i < (size_t)left; i++)
        look_ahead(dict, &at, &rows[i]);
    for (i = 0; rc == TW_OK && left > 0; i = (i + 1) % AHEAD, left--) {
        twpy_row row = rows[i];

        if (left > AHEAD)
            look_ahead(dict, &at, &rows[i]);
        rc = put_member(w, row.key, row.value);
    }
    return rc;
}

static int put_dict(walk *w, tw_json_key *before, PyObject *dict)
{
    const twpy_row *row = w->in_place ? twpy_dict_rows(dict) : NULL;
    int rc = tw_json_cursor_object(&w->cur, before);

    if (rc == TW_OK && row != NULL) {
        const twpy_row *end = row + TWPY_DICT_SIZE(dict);

        /* No prefetch: the processor sees far enough ahead by itself. */
        for (; rc == TW_OK && row < end; row++)
            rc = put_member(w, row->key, row->value);
    } else if (rc == TW_OK) {
        rc = put_items(w, dict);
    }
    return rc == TW_OK ? tw_json_cursor_object_end(&w->cur) : rc;
}

static int put_list(walk *w, tw_json_key *before, PyObject *list)
{
    Py_ssize_t size = TWPY_LIST_SIZE(list);
    Py_ssize_t i;
    int rc = tw_json_cursor_array(&w->cur, before);

    for (i = 0; rc == TW_OK && i < size; i++)
        rc = put_value(w, NULL, TWPY_LIST_ITEM(list, i));
    return rc == TW_OK ? tw_json_cursor_array_end(&w->cur) : rc;
}

static int put_tuple(walk *w, tw_json_key *before, PyObject *tuple)
{
    Py_ssize_t size = TWPY_TUPLE_SIZE(tuple);
    Py_ssize_t i;
    int rc = tw_json_cursor_array(&w->cur, before);

    for (i = 0; rc == TW_OK && i < size; i++)
        rc = put_value(w, NULL, TWPY_TUPLE_ITEM(tuple, i));
    return rc == TW_OK ? tw_json_cursor_array_end(&w->cur) : rc;
}

/* A text with lone surrogates as bytes that the writer mends. */
static int put_broken_text(walk *w, PyObject *value)
{
    PyObject *bytes;
    char *text;
    Py_ssize_t size;
    int rc = TW_E_INVALID;

    if ((tw_json_writer_mends(w->wr) & TW_MEND_UTF8) == 0 ||
        PyErr_ExceptionMatches(PyExc_MemoryError))
        return refuse_text(w->wr);
    PyErr_Clear();
    bytes = PyUnicode_AsEncodedString(value, "utf-8", "surrogatepass");
    if (bytes != NULL && PyBytes_AsStringAndSize(bytes, &text, &size) == 0)
        rc = tw_json_put_string(w->wr, text, (size_t)size, -1, 0);
    Py_XDECREF(bytes);
    return rc;
}

static int put_text(walk *w, PyObject *value)
{
    Py_ssize_t size;
    unsigned flags;
    const char *text = twpy_text_read(value, &size, &flags);

    if (text == NULL)
        return put_broken_text(w, value);
    return tw_json_put_string(w->wr, text, (size_t)size, -1, flags);
}

static int put_big_int(walk *w, PyObject *value)
{
    PyObject *digits = NULL;
    const char *text = "";
    Py_ssize_t size = 0;
    int rc;

    if ((tw_json_writer_mends(w->wr) & TW_MEND_INTS) != 0) {
        digits = PyNumber_ToBase(value, 10);
        text = digits != NULL ? PyUnicode_AsUTF8AndSize(digits, &size) : NULL;
        if (text == NULL) {
            if (!PyErr_ExceptionMatches(PyExc_ValueError))
                return TW_E_INVALID;
            PyErr_Clear(); /* more digits than Python converts */
            return tw_json_writer_refuse(w->wr, "the integer had too many digits");
        }
    }
    rc = tw_json_put_big_int(w->wr, text, (size_t)size);
    Py_XDECREF(digits);
    return rc;
}

static int put_int(walk *w, PyObject *value)
{
    int overflow = 0;
    long long number = twpy_int_read(value, &overflow);

    if (number == -1 && overflow != 0)
        return put_big_int(w, value);
    if (number == -1 && PyErr_Occurred() != NULL)
        return TW_E_INVALID;
    return tw_json_put_int(w->wr, number);
}

/* By itself, without the cursor: text and numbers of a subclass, what is refused, and what could
 * not be read, which is read once more here so that the refusal names its path. */
static __attribute__((noinline)) int put_single(walk *w, tw_json_key *key,
                                                PyObject *value)
{
    int rc = TW_OK;

    PyErr_Clear();
    tw_json_cursor_close(&w->cur);
    if (key != NULL)
        rc = tw_json_put_ready_key(w->wr, key);
    if (rc != TW_OK)
        return rc;
    if (PyUnicode_Check(value)) {
        rc = put_text(w, value);
    } else if (PyLong_Check(value)) {
        rc = put_int(w, value);
    } else if (PyFloat_Check(value)) {
        rc = tw_json_put_real(w->wr, TWPY_REAL(value));
    } else {
        w->foreign = 1;
        rc = refuse_type(w->wr, "the value was of type ", value,
                         ", which JSON does not have");
    }
    if (rc == TW_OK)
        tw_json_cursor_open(&w->cur, w->wr);
    return rc;
}

/* All but plain text and whole numbers, which are the most. Subclasses count as the built-in type
 * they are made of (IntEnum, numpy.float64, OrderedDict, named tuples): their storage is read, none
 * of their methods called. */
static int put_rest(walk *w, tw_json_key *key, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);

    if (type == &PyFloat_Type)
        return tw_json_cursor_real(&w->cur, key, TWPY_REAL(value));
    if (type == &PyBool_Type)
        return tw_json_cursor_word(&w->cur, key,
                                   value == Py_True ? TW_JSON_TRUE : TW_JSON_FALSE);
    if (PyDict_Check(value))
        return put_dict(w, key, value);
    if (value == Py_None)
        return tw_json_cursor_word(&w->cur, key, TW_JSON_NULL);
    if (PyList_Check(value))
        return put_list(w, key, value);
    if (PyTuple_Check(value))
        return put_tuple(w, key, value);
    return put_single(w, key, value);
}

#ifndef Py_GIL_DISABLED
/* A slot to a cache line. Without memory it goes without. */
static void keys_make(twpy_state *state)
{
    const uintptr_t line = 64;

    state->keys_memory = PyMem_Calloc(1, TWPY_KEYS * sizeof *state->keys + line - 1);
    if (state->keys_memory != NULL)
        state->keys =
            (twpy_key *)(((uintptr_t)state->keys_memory + line - 1) & ~(line - 1));
}
#endif

int twpy_encode(twpy_state *state, tw_json_writer *wr, PyObject *value, int *foreign)
{
    walk w = {.wr = wr, .in_place = state->dicts_in_place};
    int rc;

#ifndef Py_GIL_DISABLED /* without the lock the cache would have to be one per thread */
    if (state->keys == NULL)
        keys_make(state);
    w.keys = state->keys;
#endif
    tw_json_cursor_open(&w.cur, wr);
    rc = put_rest(&w, NULL, value);
    if (rc == TW_OK)
        tw_json_cursor_close(&w.cur);
    *foreign = w.foreign;
    return rc;
}

/* ---- the hook ------------------------------------------------------------------------ */

typedef struct plain {
    PyObject *hook;
    Py_ssize_t nodes; /* values copied so far */
} plain;

static PyObject *plain_value(plain *pl, PyObject *value, int depth);

static PyObject *plain_dict(plain *pl, PyObject *dict, int depth)
{
    /* The hook may change the dict: only this snapshot is walked. */
    PyObject *items = PyDict_Items(dict);
    PyObject *copy = items != NULL ? PyDict_New() : NULL;
    Py_ssize_t i;

    for (i = 0; copy != NULL && i < PyList_Size(items); i++) {
        PyObject *item = PyList_GetItem(items, i);
        PyObject *value = plain_value(pl, PyTuple_GetItem(item, 1), depth + 1);

        if (value == NULL || PyDict_SetItem(copy, PyTuple_GetItem(item, 0), value) < 0)
            Py_CLEAR(copy);
        Py_XDECREF(value);
    }
    Py_XDECREF(items);
    return copy;
}

static PyObject *plain_list(plain *pl, PyObject *sequence, int depth)
{
    PyObject *items = PySequence_List(sequence);
    Py_ssize_t i;

    for (i = 0; items != NULL && i < PyList_Size(items); i++) {
        PyObject *value = plain_value(pl, PyList_GetItem(items, i), depth + 1);

        if (value == NULL || PyList_SetItem(items, i, value) < 0)
            Py_CLEAR(items);
    }
    return items;
}

static PyObject *plain_value(plain *pl, PyObject *value, int depth)
{
    PyObject *converted;
    PyObject *result;

    /* Too deep or too much stays as it is: the writer refuses it with its path. */
    if (depth > HOOK_DEPTH || pl->nodes++ > HOOK_NODES)
        return Py_NewRef(value);
    if (PyUnicode_Check(value) || PyLong_Check(value) || PyFloat_Check(value) ||
        value == Py_None)
        return Py_NewRef(value);
    if (PyDict_Check(value))
        return plain_dict(pl, value, depth);
    if (PyList_Check(value) || PyTuple_Check(value))
        return plain_list(pl, value, depth);
    converted = PyObject_CallFunctionObjArgs(pl->hook, value, NULL);
    if (converted == NULL)
        return NULL;
    /* What the hook gives may need it again; the depth bounds a hook that gives itself. */
    result = plain_value(pl, converted, depth + 1);
    Py_DECREF(converted);
    return result;
}

PyObject *twpy_plain(PyObject *value, PyObject *hook)
{
    plain pl = {hook, 0};

    return plain_value(&pl, value, 0);
}
