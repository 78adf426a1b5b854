/* SPDX-License-Identifier: MIT */
/* How values are read: straight from the objects where the build is for one version of Python, by
 * functions under the stable ABI. Nothing here runs code of the user's. */
#ifndef TW_PYTHON_ACCESS_H
#define TW_PYTHON_ACCESS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <tidewheel/json.h>

#define TWPY_INLINE static inline __attribute__((always_inline))

/* The text of a str in UTF-8, borrowed from it; NULL with an exception set where it cannot be
 * encoded. `*flags` are the writer's. */
TWPY_INLINE const char *twpy_text_read(PyObject *text, Py_ssize_t *size, unsigned *flags)
{
#ifndef Py_LIMITED_API
    if (PyUnicode_IS_COMPACT_ASCII(text)) {
        *flags = TW_JSON_ALL_ASCII;
        *size = PyUnicode_GET_LENGTH(text);
        return PyUnicode_DATA(text);
    }
#endif
    *flags = TW_JSON_VALID_UTF8;
    return PyUnicode_AsUTF8AndSize(text, size);
}

/* As PyLong_AsLongLongAndOverflow. */
TWPY_INLINE long long twpy_int_read(PyObject *value, int *overflow)
{
#ifndef Py_LIMITED_API
#if PY_VERSION_HEX >= 0x030C0000
    *overflow = 0;
    if (PyUnstable_Long_IsCompact((PyLongObject *)value))
        return PyUnstable_Long_CompactValue((PyLongObject *)value);
#elif PYLONG_BITS_IN_DIGIT == 30
    const PyLongObject *number = (PyLongObject *)value;
    Py_ssize_t digits = Py_SIZE(number); /* negative where the number is */

    if (digits == 1)
        return number->ob_digit[0];
    if (digits == 2)
        return (long long)number->ob_digit[1] << PyLong_SHIFT | number->ob_digit[0];
#endif
#endif
    return PyLong_AsLongLongAndOverflow(value, overflow);
}

/*
 * How a dict is stored stands in no public header, but is the same in 3.11 to 3.15. Later versions,
 * the stable ABI and builds without the interpreter lock use PyDict_Next, and so does a process
 * where twpy_dicts_proven found a dict stored in another way.
 */
typedef struct twpy_row {
    PyObject *key;
    PyObject *value;
} twpy_row;

#if !defined(Py_LIMITED_API) && !defined(Py_GIL_DISABLED) && \
    PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x03100000
#define TWPY_HAVE_ROWS

/* A PyDictKeysObject. */
typedef struct twpy_rows {
    Py_ssize_t references;
    uint8_t log2_size;
    uint8_t log2_index_bytes; /* the rows are behind the index */
    uint8_t kind;
    uint32_t version;
    Py_ssize_t usable;
    Py_ssize_t count; /* rows, those of removed items among them */
    char index[];
} twpy_rows;

enum {
    TWPY_ROWS_OF_TEXT = 1 /* a `kind`: all keys are exactly str, values beside them */
};

TWPY_INLINE const twpy_rows *twpy_dict_table(PyObject *dict)
{
    return (const twpy_rows *)(const void *)((PyDictObject *)dict)->ma_keys;
}

/* The items of a dict side by side, in order, borrowed until the dict changes. NULL where they are
 * not: an item was removed, a key is no str, it is what an object has its attributes in. Only
 * where twpy_dicts_proven. */
TWPY_INLINE const twpy_row *twpy_dict_rows(PyObject *dict)
{
    const twpy_rows *rows = twpy_dict_table(dict);

    if (rows->kind != TWPY_ROWS_OF_TEXT || rows->count != PyDict_GET_SIZE(dict))
        return NULL;
    return (const twpy_row *)(const void *)(rows->index +
                                            ((size_t)1 << rows->log2_index_bytes));
}

#else

TWPY_INLINE const twpy_row *twpy_dict_rows(PyObject *dict)
{
    (void)dict;
    return NULL;
}

#endif

#ifndef Py_LIMITED_API
#define TWPY_REAL(value) PyFloat_AS_DOUBLE(value)
#define TWPY_DICT_SIZE(dict) PyDict_GET_SIZE(dict)
#define TWPY_LIST_SIZE(list) PyList_GET_SIZE(list)
#define TWPY_LIST_ITEM(list, at) PyList_GET_ITEM(list, at)
#define TWPY_TUPLE_SIZE(tuple) PyTuple_GET_SIZE(tuple)
#define TWPY_TUPLE_ITEM(tuple, at) PyTuple_GET_ITEM(tuple, at)
#else
#define TWPY_REAL(value) PyFloat_AsDouble(value)
#define TWPY_DICT_SIZE(dict) PyDict_Size(dict)
#define TWPY_LIST_SIZE(list) PyList_Size(list)
#define TWPY_LIST_ITEM(list, at) PyList_GetItem(list, at)
#define TWPY_TUPLE_SIZE(tuple) PyTuple_Size(tuple)
#define TWPY_TUPLE_ITEM(tuple, at) PyTuple_GetItem(tuple, at)
#endif

#endif
