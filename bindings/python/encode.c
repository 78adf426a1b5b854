/* SPDX-License-Identifier: MIT */
/* From Python values straight into the core's writer. */
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

enum { LONG_TEXT = 256 };

enum {
    HOOK_NODES = 1000000, /* no event of at most 1 MB can have more values */
    HOOK_DEPTH = 48
}; /* a little more than the writer takes: it names the path */

/* One walk. `size` and `overflow` are where Python's functions leave what they return by reference:
 * a local variable for it would put a stack guard into every small function here. */
typedef struct walk {
    tw_json_writer *wr;
    twpy_key *keys; /* TWPY_KEYS slots, or NULL */
    Py_ssize_t size;
    int overflow;
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

/* The text of a str in UTF-8, borrowed from it, and its size in w->size; NULL where it cannot be
 * encoded. */
static inline const char *text_of(walk *w, PyObject *text)
{
#ifndef Py_LIMITED_API
    if (PyUnicode_IS_COMPACT_ASCII(text)) {
        w->size = PyUnicode_GET_LENGTH(text);
        return PyUnicode_DATA(text);
    }
#endif
    return PyUnicode_AsUTF8AndSize(text, &w->size);
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
 * might come to mean another one. A key enters when it was the last to miss here once before, so
 * that keys made for one event only (parsed JSON) cost no more than the look.
 */

static inline twpy_key *key_slot(walk *w, PyObject *key)
{
    uint64_t mixed = (uint64_t)(uintptr_t)key * UINT64_C(0x9E3779B97F4A7C15);

    return &w->keys[mixed >> 54];
}

_Static_assert(TWPY_KEYS == 1 << (64 - 54), "key_slot takes the wrong number of bits");

static void key_enter(walk *w, PyObject *key, const char *text)
{
    twpy_key *slot = key_slot(w, key);
    PyObject *old = slot->text;

    if (slot->missed != key) {
        slot->missed = key;
        return;
    }
    if (tw_json_key_make(&slot->ready, text, (size_t)w->size) == TW_OK) {
        slot->text = Py_NewRef(key);
        Py_XDECREF(old); /* a str: runs no code */
    }
}

static __attribute__((noinline)) int put_new_key(walk *w, PyObject *key)
{
    const char *text;

    if (!PyUnicode_Check(key))
        return refuse_type(w->wr, "a key was of type ", key, "; keys must be str");
    text = text_of(w, key);
    if (text == NULL)
        return refuse_text(w->wr);
    if (w->keys != NULL && Py_TYPE(key) == &PyUnicode_Type)
        key_enter(w, key, text);
    return tw_json_put_key(w->wr, text, (size_t)w->size, -1, TW_JSON_VALID_UTF8);
}

static inline int put_key(walk *w, PyObject *key)
{
    twpy_key *slot;

    if (w->keys != NULL) {
        slot = key_slot(w, key);
        if (slot->text == key)
            return tw_json_put_ready_key(w->wr, &slot->ready);
    }
    return put_new_key(w, key);
}

/* ---- values -------------------------------------------------------------------------- */

static int put_text(walk *w, PyObject *value)
{
    const char *text = text_of(w, value);
    Py_ssize_t chars = -1;

    if (text == NULL)
        return refuse_text(w->wr);
    if (w->size > LONG_TEXT) /* no other can have too many */
        chars = PyUnicode_GetLength(value);
    /* The only call, so that compiling as one puts the function here. */
    return tw_json_put_string(w->wr, text, (size_t)w->size, chars, TW_JSON_VALID_UTF8);
}

static int put_int(walk *w, PyObject *value)
{
    long long number = PyLong_AsLongLongAndOverflow(value, &w->overflow);

    if (number == -1) {
        if (w->overflow != 0)
            return tw_json_writer_refuse(w->wr, "the integer was beyond 64 bits");
        if (PyErr_Occurred())
            return TW_E_INVALID;
    }
    return tw_json_put_int(w->wr, number);
}

static int put_rest(walk *w, PyObject *value);

static inline int put_value(walk *w, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);

    if (type == &PyUnicode_Type)
        return put_text(w, value);
    if (type == &PyLong_Type)
        return put_int(w, value);
    return put_rest(w, value);
}

/* The values of a dict that was made a while ago lie all over the memory: each is fetched while
 * the one before it is written. */
static int put_dict(walk *w, PyObject *dict)
{
    Py_ssize_t at = 0;
    PyObject *key;
    PyObject *value;
    PyObject *next_key = NULL;
    PyObject *next_value = NULL;
    int rc = tw_json_put_object(w->wr);
    int more = PyDict_Next(dict, &at, &key, &value);

    while (rc == TW_OK && more) {
        more = PyDict_Next(dict, &at, &next_key, &next_value);
        if (more)
            __builtin_prefetch(next_value);
        rc = put_key(w, key);
        if (rc == TW_OK)
            rc = put_value(w, value);
        key = next_key;
        value = next_value;
    }
    return rc == TW_OK ? tw_json_put_object_end(w->wr) : rc;
}

static int put_list(walk *w, PyObject *list)
{
    Py_ssize_t size = PyList_Size(list);
    Py_ssize_t i;
    int rc = tw_json_put_array(w->wr);

    for (i = 0; rc == TW_OK && i < size; i++)
        rc = put_value(w, PyList_GetItem(list, i));
    return rc == TW_OK ? tw_json_put_array_end(w->wr) : rc;
}

static int put_tuple(walk *w, PyObject *tuple)
{
    Py_ssize_t size = PyTuple_Size(tuple);
    Py_ssize_t i;
    int rc = tw_json_put_array(w->wr);

    for (i = 0; rc == TW_OK && i < size; i++)
        rc = put_value(w, PyTuple_GetItem(tuple, i));
    return rc == TW_OK ? tw_json_put_array_end(w->wr) : rc;
}

/* Subclasses count as the built-in type they are made of (IntEnum, numpy.float64, OrderedDict,
 * named tuples): their storage is read, none of their methods called. */
static int put_other(walk *w, PyObject *value)
{
    if (PyUnicode_Check(value))
        return put_text(w, value);
    if (PyLong_Check(value))
        return put_int(w, value);
    if (PyFloat_Check(value))
        return tw_json_put_real(w->wr, PyFloat_AsDouble(value));
    if (PyDict_Check(value))
        return put_dict(w, value);
    if (PyList_Check(value))
        return put_list(w, value);
    if (PyTuple_Check(value))
        return put_tuple(w, value);
    w->foreign = 1;
    return refuse_type(w->wr, "the value was of type ", value,
                       ", which JSON does not have");
}

/* All but text and whole numbers, which are the most. */
static int put_rest(walk *w, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);

    if (type == &PyFloat_Type)
        return tw_json_put_real(w->wr, PyFloat_AsDouble(value));
    if (type == &PyBool_Type)
        return tw_json_put_bool(w->wr, value == Py_True);
    if (value == Py_None)
        return tw_json_put_null(w->wr);
    if (type == &PyDict_Type)
        return put_dict(w, value);
    if (type == &PyList_Type)
        return put_list(w, value);
    if (type == &PyTuple_Type)
        return put_tuple(w, value);
    return put_other(w, value);
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
    walk w = {.wr = wr};
    int rc;

#ifndef Py_GIL_DISABLED /* without the lock the cache would have to be one per thread */
    if (state->keys == NULL)
        keys_make(state);
    w.keys = state->keys;
#endif
    rc = put_value(&w, value);
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
