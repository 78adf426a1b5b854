/* SPDX-License-Identifier: MIT */
/* Whether this interpreter stores dicts as twpy_dict_rows reads them: tried on some of its own. */
#include "dict_check.h"

#include "access.h"

#ifdef TWPY_HAVE_ROWS

enum {
    FEW = 5,     /* items of a dict as it is made first, with room for no more */
    GROWN = 20,  /* their index has a byte for each slot still, */
    LARGE = 100, /* and here two */
    LOG2_MOST = 15
};

/* Puts in `count` items, no two keys or values of which are the same object. */
static int fill(PyObject *dict, int count)
{
    int rc = 0;
    int i;

    for (i = 0; rc == 0 && i < count; i++) {
        PyObject *key = PyUnicode_FromFormat("k%d", i);
        PyObject *value = PyFloat_FromDouble(i);

        rc = key != NULL && value != NULL ? PyDict_SetItem(dict, key, value) : -1;
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return rc;
}

/* Whether the rows lie within the memory that the dict says it takes, to the byte. Every size is
 * compared before anything behind it is read. */
static int rows_fit(PyObject *dict)
{
    const twpy_rows *rows = twpy_dict_table(dict);
    const size_t least = sizeof(PyDictObject) + sizeof *rows;
    PyObject *told = PyObject_CallMethod(dict, "__sizeof__", NULL);
    size_t size = told != NULL ? PyLong_AsSize_t(told) : 0;
    size_t room;

    Py_XDECREF(told);
    if (size == (size_t)-1 || size < least || rows == NULL ||
        (uintptr_t)rows % _Alignof(twpy_rows) != 0)
        return 0;
    /* A table that others use as well is not in the size. */
    if (rows->references != 1 || rows->log2_size > LOG2_MOST ||
        rows->log2_index_bytes != rows->log2_size + (rows->log2_size >= 8))
        return 0;
    room = ((size_t)2 << rows->log2_size) / 3;
    return rows->usable >= 0 && rows->count >= PyDict_GET_SIZE(dict) &&
           (size_t)rows->count + (size_t)rows->usable == room &&
           size ==
               least + ((size_t)1 << rows->log2_index_bytes) + room * sizeof(twpy_row);
}

static int rows_agree(PyObject *dict, const twpy_row *row)
{
    const twpy_row *end = row + PyDict_GET_SIZE(dict);
    Py_ssize_t at = 0;
    PyObject *key;
    PyObject *value;

    while (PyDict_Next(dict, &at, &key, &value)) {
        if (row == end || row->key != key || row->value != value)
            return 0;
        row++;
    }
    return row == end;
}

/* A dict that has to be read in place. */
static int plain_is_read(int count)
{
    PyObject *dict = PyDict_New();
    const twpy_row *row = NULL;
    int good = dict != NULL && fill(dict, count) == 0 && rows_fit(dict);

    if (good)
        row = twpy_dict_rows(dict);
    good = row != NULL && rows_agree(dict, row);
    Py_XDECREF(dict);
    return good;
}

/* Whether what is read of any other dict is right: nothing, or its items. */
static int other_is_right(PyObject *dict)
{
    const twpy_row *row = twpy_dict_rows(dict);

    if (row == NULL || PyDict_GET_SIZE(dict) == 0)
        return 1;
    return rows_fit(dict) && rows_agree(dict, row);
}

/* Never filled; with a key that is no str, and without it again. */
static int mixed_is_right(void)
{
    PyObject *dict = PyDict_New();
    int good = dict != NULL && other_is_right(dict) && fill(dict, FEW) == 0 &&
               PyDict_SetItem(dict, Py_None, Py_None) == 0 && other_is_right(dict) &&
               PyDict_DelItem(dict, Py_None) == 0 && other_is_right(dict);

    Py_XDECREF(dict);
    return good;
}

/* The first item removed, one from the middle, one added; all of them. */
static int holed_is_right(void)
{
    PyObject *dict = PyDict_New();
    int good = dict != NULL && fill(dict, GROWN) == 0 &&
               PyDict_DelItemString(dict, "k0") == 0 && other_is_right(dict) &&
               PyDict_DelItemString(dict, "k7") == 0 && other_is_right(dict) &&
               PyDict_SetItemString(dict, "k7", Py_None) == 0 && other_is_right(dict);

    if (good) {
        PyDict_Clear(dict);
        good = other_is_right(dict);
    }
    Py_XDECREF(dict);
    return good;
}

/* Two objects of a class share the table of their attributes' names; one of them has not all. */
static int shared_is_right(void)
{
    PyObject *cls = PyObject_CallFunction((PyObject *)&PyType_Type, "s(){}", "Shared");
    PyObject *one = cls != NULL ? PyObject_CallNoArgs(cls) : NULL;
    PyObject *two = one != NULL ? PyObject_CallNoArgs(cls) : NULL;
    PyObject *dict = NULL;
    PyObject *other = NULL;
    int good = two != NULL && PyObject_SetAttrString(one, "a", Py_None) == 0 &&
               PyObject_SetAttrString(one, "b", Py_True) == 0 &&
               PyObject_SetAttrString(two, "b", Py_False) == 0;

    if (good) {
        dict = PyObject_GenericGetDict(one, NULL);
        other = PyObject_GenericGetDict(two, NULL);
    }
    good = dict != NULL && other != NULL && other_is_right(dict) &&
           other_is_right(other) && PyDict_DelItemString(dict, "a") == 0 &&
           other_is_right(dict);
    Py_XDECREF(dict);
    Py_XDECREF(other);
    Py_XDECREF(one);
    Py_XDECREF(two);
    Py_XDECREF(cls);
    return good;
}

int twpy_dicts_proven(void)
{
    int good = PyDict_Type.tp_basicsize == (Py_ssize_t)sizeof(PyDictObject) &&
               plain_is_read(1) && plain_is_read(FEW) && plain_is_read(GROWN) &&
               plain_is_read(LARGE) && mixed_is_right() && holed_is_right() &&
               shared_is_right();

    if (!good)
        PyErr_Clear(); /* without memory for the trial there is no proof either */
    return good;
}

#else

int twpy_dicts_proven(void)
{
    return 0;
}

#endif
