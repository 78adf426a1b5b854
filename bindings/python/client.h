/* SPDX-License-Identifier: MIT */
/* The client's object, for the files of its methods. */
#ifndef TW_PYTHON_CLIENT_H
#define TW_PYTHON_CLIENT_H

#include "state.h"

typedef struct twpy_client {
    PyObject_HEAD
    tw_client *client;
    PyObject *hook;    /* default=, or NULL */
    PyObject *prepare; /* what makes of an event the one that is accepted, or NULL */
    int blocks;        /* may wait for room in the queue (not in an event loop) */
} twpy_client;

/* ---- events.c ------------------------------------------------------------------------ */

PyObject *twpy_client_track(PyObject *op, PyObject *event);
PyObject *twpy_client_track_many(PyObject *op, PyObject *iterable);
PyObject *twpy_client_encode(PyObject *op, PyObject *event);

extern const char twpy_client_track_doc[], twpy_client_track_many_doc[],
    twpy_client_encode_doc[];

#endif
