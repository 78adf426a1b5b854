/* SPDX-License-Identifier: MIT */
/* A spool folder without a client. */
#include <tidewheel/spool.h>

#include "state.h"

/* The path as C has it. NULL with an exception where it is none. */
static const char *path_text(PyObject *path)
{
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(path, &size);

    if (text != NULL && strlen(text) != (size_t)size) {
        PyErr_SetString(PyExc_ValueError, "embedded null character");
        return NULL;
    }
    return text;
}

const char twpy_spool_inspect_doc[] =
    "spool_inspect($module, path, /)\n--\n\n"
    "What a spool folder holds, as a dict; see tidewheel.spool.inspect.";

PyObject *twpy_spool_inspect(PyObject *module, PyObject *path)
{
    twpy_state *state = PyModule_GetState(module);
    const char *text = path_text(path);
    tw_error *err = NULL;
    PyObject *result;
    char *json = NULL;
    int rc;

    if (text == NULL)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
        rc = tw_spool_inspect(&json, text, &err);
    Py_END_ALLOW_THREADS
    if (rc != TW_OK)
        return twpy_raise(state, rc, err);
    result = twpy_decode_one(state, json, strlen(json));
    tw_text_free(json);
    return result;
}

const char twpy_spool_check_doc[] =
    "spool_check($module, path, /)\n--\n\n"
    "Raise ConfigError unless the folder is there and may be used.";

PyObject *twpy_spool_check(PyObject *module, PyObject *path)
{
    const char *text = path_text(path);
    tw_error *err = NULL;
    int rc;

    if (text == NULL)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
        rc = tw_spool_check(text, &err);
    Py_END_ALLOW_THREADS
    if (rc != TW_OK)
        return twpy_raise(PyModule_GetState(module), rc, err);
    Py_RETURN_NONE;
}

const char twpy_spool_purge_doc[] =
    "spool_purge($module, path, older_than, /)\n--\n\n"
    "Throw events away; how many there were. See tidewheel.spool.purge.";

PyObject *twpy_spool_purge(PyObject *module, PyObject *args)
{
    tw_error *err = NULL;
    const char *path;
    uint64_t events;
    double seconds;
    int rc;

    if (!PyArg_ParseTuple(args, "sd:spool_purge", &path, &seconds))
        return NULL;
    if (!(seconds >= 0 && seconds < 1e12))
        return PyErr_Format(PyExc_ValueError, "older_than must be 0 or more seconds");
    Py_BEGIN_ALLOW_THREADS
        rc = tw_spool_purge(&events, path, (int64_t)(seconds * 1000), &err);
    Py_END_ALLOW_THREADS
    if (rc != TW_OK)
        return twpy_raise(PyModule_GetState(module), rc, err);
    return PyLong_FromUnsignedLongLong(events);
}
