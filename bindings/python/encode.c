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

static int put_value(tw_json_writer *wr, PyObject *value, int *foreign);

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

/* The text of a str in UTF-8, borrowed from it; NULL where it cannot be encoded. The number of
 * characters is asked for only where it may matter: short texts are short in characters. */
static inline const char *text_of(PyObject *text, Py_ssize_t *size, Py_ssize_t *chars)
{
    const char *utf8;

#ifndef Py_LIMITED_API
    if (PyUnicode_IS_COMPACT_ASCII(text)) {
        *size = *chars = PyUnicode_GET_LENGTH(text);
        return PyUnicode_DATA(text);
    }
#endif
    utf8 = PyUnicode_AsUTF8AndSize(text, size);
    *chars = utf8 != NULL && *size > LONG_TEXT ? PyUnicode_GetLength(text) : -1;
    return utf8;
}

static int refuse_text(tw_json_writer *wr)
{
    if (PyErr_ExceptionMatches(PyExc_MemoryError))
        return TW_E_INVALID;
    PyErr_Clear();
    return tw_json_writer_refuse(wr, "the text held a lone surrogate");
}

static inline int put_text(tw_json_writer *wr, PyObject *value)
{
    Py_ssize_t size;
    Py_ssize_t chars;
    const char *text = text_of(value, &size, &chars);

    if (text == NULL)
        return refuse_text(wr);
    return tw_json_put_string(wr, text, (size_t)size, chars, TW_JSON_VALID_UTF8);
}

static int put_int(tw_json_writer *wr, PyObject *value)
{
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);

    if (overflow != 0)
        return tw_json_writer_refuse(wr, "the integer was beyond 64 bits");
    if (number == -1 && PyErr_Occurred())
        return TW_E_INVALID;
    return tw_json_put_int(wr, number);
}

static inline int put_key(tw_json_writer *wr, PyObject *key)
{
    Py_ssize_t size;
    Py_ssize_t chars;
    const char *text;

    if (Py_TYPE(key) != &PyUnicode_Type && !PyUnicode_Check(key))
        return refuse_type(wr, "a key was of type ", key, "; keys must be str");
    text = text_of(key, &size, &chars);
    if (text == NULL)
        return refuse_text(wr);
    return tw_json_put_key(wr, text, (size_t)size, chars, TW_JSON_VALID_UTF8);
}

/* The values of a dict that was made a while ago lie all over the memory: each is fetched while
 * the one before it is written. */
static int put_dict(tw_json_writer *wr, PyObject *dict, int *foreign)
{
    Py_ssize_t at = 0;
    PyObject *key;
    PyObject *value;
    PyObject *next_key = NULL;
    PyObject *next_value = NULL;
    int rc = tw_json_put_object(wr);
    int more = PyDict_Next(dict, &at, &key, &value);

    while (rc == TW_OK && more) {
        more = PyDict_Next(dict, &at, &next_key, &next_value);
        if (more)
            __builtin_prefetch(next_value);
        rc = put_key(wr, key);
        if (rc == TW_OK)
            rc = put_value(wr, value, foreign);
        key = next_key;
        value = next_value;
    }
    return rc == TW_OK ? tw_json_put_object_end(wr) : rc;
}

static int put_list(tw_json_writer *wr, PyObject *list, int *foreign)
{
    Py_ssize_t i;
    int rc = tw_json_put_array(wr);

    for (i = 0; rc == TW_OK && i < PyList_Size(list); i++)
        rc = put_value(wr, PyList_GetItem(list, i), foreign);
    return rc == TW_OK ? tw_json_put_array_end(wr) : rc;
}

static int put_tuple(tw_json_writer *wr, PyObject *tuple, int *foreign)
{
    Py_ssize_t i;
    int rc = tw_json_put_array(wr);

    for (i = 0; rc == TW_OK && i < PyTuple_Size(tuple); i++)
        rc = put_value(wr, PyTuple_GetItem(tuple, i), foreign);
    return rc == TW_OK ? tw_json_put_array_end(wr) : rc;
}

/* Subclasses count as the built-in type they are made of (IntEnum, numpy.float64, OrderedDict,
 * named tuples): their storage is read, none of their methods called. */
static int put_other(tw_json_writer *wr, PyObject *value, int *foreign)
{
    if (PyUnicode_Check(value))
        return put_text(wr, value);
    if (PyLong_Check(value))
        return put_int(wr, value);
    if (PyFloat_Check(value))
        return tw_json_put_real(wr, PyFloat_AsDouble(value));
    if (PyDict_Check(value))
        return put_dict(wr, value, foreign);
    if (PyList_Check(value))
        return put_list(wr, value, foreign);
    if (PyTuple_Check(value))
        return put_tuple(wr, value, foreign);
    *foreign = 1;
    return refuse_type(wr, "the value was of type ", value, ", which JSON does not have");
}

static int put_value(tw_json_writer *wr, PyObject *value, int *foreign)
{
    PyTypeObject *type = Py_TYPE(value);

    if (type == &PyUnicode_Type)
        return put_text(wr, value);
    if (type == &PyLong_Type)
        return put_int(wr, value);
    if (type == &PyFloat_Type)
        return tw_json_put_real(wr, PyFloat_AsDouble(value));
    if (value == Py_None)
        return tw_json_put_null(wr);
    if (value == Py_True)
        return tw_json_put_bool(wr, 1);
    if (value == Py_False)
        return tw_json_put_bool(wr, 0);
    if (type == &PyDict_Type)
        return put_dict(wr, value, foreign);
    if (type == &PyList_Type)
        return put_list(wr, value, foreign);
    if (type == &PyTuple_Type)
        return put_tuple(wr, value, foreign);
    return put_other(wr, value, foreign);
}

int twpy_encode(tw_json_writer *wr, PyObject *value, int *foreign)
{
    *foreign = 0;
    return put_value(wr, value, foreign);
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
