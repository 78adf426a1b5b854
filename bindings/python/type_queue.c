/* SPDX-License-Identifier: MIT */
/* Queue: one per waiting event loop; its descriptor tells when jobs have news. */
#include "state.h"

typedef struct twpy_queue {
    PyObject_HEAD
    tw_queue *queue;
} twpy_queue;

int twpy_job_queue(twpy_state *state, PyObject *queue, tw_queue **out)
{
    *out = NULL;
    if (queue == Py_None)
        return 0;
    if (Py_TYPE(queue) != state->queue_type) {
        PyErr_SetString(PyExc_TypeError, "queue must be a Queue or None");
        return -1;
    }
    *out = ((twpy_queue *)queue)->queue;
    return 0;
}

static PyObject *queue_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {NULL};
    twpy_queue *self;
    tw_error *err = NULL;
    int rc;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Queue", names))
        return NULL;
    self = (twpy_queue *)PyType_GenericAlloc(type, 0);
    if (self == NULL)
        return NULL;
    rc = tw_queue_new(&self->queue, &err);
    if (rc != TW_OK) {
        twpy_raise(twpy_state_of((PyObject *)self), rc, err);
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void queue_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    tw_queue_free(((twpy_queue *)op)->queue);
    PyObject_Free(op);
    Py_DECREF(type);
}

PyDoc_STRVAR(fileno_doc, "fileno($self, /)\n--\n\n"
                         "The descriptor that is readable while jobs have news.");

static PyObject *queue_fileno(PyObject *op, PyObject *unused)
{
    (void)unused;
    return PyLong_FromLong(tw_queue_fd(((twpy_queue *)op)->queue));
}

PyDoc_STRVAR(drain_doc, "drain($self, /)\n--\n\n"
                        "The jobs that have news since the last call. Never waits.");

static PyObject *queue_drain(PyObject *op, PyObject *unused)
{
    twpy_queue *self = (twpy_queue *)op;
    PyObject *jobs = PyList_New(0);
    tw_job *job = NULL;

    (void)unused;
    while (jobs != NULL && tw_queue_next(&job, self->queue) == TW_OK) {
        /* The pointer is borrowed; the object takes it back before it dies. */
        PyObject *owner = tw_job_user(job);

        if (owner != NULL && PyList_Append(jobs, owner) < 0)
            Py_CLEAR(jobs);
        tw_job_unref(job);
    }
    return jobs;
}

static PyMethodDef methods[] = {
    {"fileno", queue_fileno, METH_NOARGS, fileno_doc},
    {"drain", queue_drain, METH_NOARGS, drain_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(queue_doc,
             "Queue()\n--\n\nWhere the jobs of one event loop leave their news.");

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)queue_doc},
    {Py_tp_methods, methods},
    {Py_tp_new, queue_new},
    {Py_tp_dealloc, queue_dealloc},
    {0, NULL},
};

PyType_Spec twpy_queue_spec = {
    .name = "tidewheel._core.Queue",
    .basicsize = sizeof(twpy_queue),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
