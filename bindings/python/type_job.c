/* SPDX-License-Identifier: MIT */
/* Job: a call that goes on in the background, and what all kinds of jobs have in common. */
#include "state.h"

#include <time.h>

/* A signal that arrives just before the wait begins would not end it; this bounds the delay. */
enum { SLICE_MS = 100 };

int64_t twpy_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t twpy_milliseconds(PyObject *seconds)
{
    double value;

    if (seconds == Py_None)
        return -1;
    value = PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred())
        return -2;
    if (!(value >= 0.0)) {
        PyErr_SetString(PyExc_ValueError, "timeout was negative or not a number");
        return -2;
    }
    /* Rounded up, so that a wait never ends before its time. */
    return value >= 1e15 ? -1 : (int64_t)(value * 1000.0 + 0.999);
}

/* ---- for all kinds ------------------------------------------------------------------- */

PyObject *twpy_job_wrap(PyTypeObject *type, tw_job *job, PyObject *client,
                        PyObject *queue)
{
    twpy_job *self = (twpy_job *)PyType_GenericAlloc(type, 0);

    if (self == NULL) {
        tw_job_cancel(job);
        tw_job_unref(job);
        return NULL;
    }
    self->job = job;
    self->client = Py_NewRef(client);
    self->queue = queue != Py_None ? Py_NewRef(queue) : NULL;
    tw_job_set_user(job, self);
    return (PyObject *)self;
}

int twpy_job_enter(twpy_job *self)
{
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError,
                        "the job is being waited for in another thread");
        return -1;
    }
    if (self->job == NULL) {
        twpy_raise_text(twpy_state_of((PyObject *)self), TW_E_CLOSED,
                        "the job was closed");
        return -1;
    }
    return 0;
}

int twpy_job_wait(twpy_job *self, int64_t timeout_ms)
{
    int64_t end = timeout_ms >= 0 ? twpy_now_ms() + timeout_ms : 0;
    int64_t slice;
    int rc;

    if (self->queue != NULL) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a job of an event loop must be awaited, not waited for");
        return -1;
    }
    self->busy = 1;
    for (;;) {
        slice = SLICE_MS;
        if (timeout_ms >= 0 && end - twpy_now_ms() < slice)
            slice = end - twpy_now_ms();
        if (slice < 0)
            slice = 0;
        Py_BEGIN_ALLOW_THREADS
            rc = tw_job_wait(self->job, slice);
        Py_END_ALLOW_THREADS
        if (rc <= TW_OK || PyErr_CheckSignals() < 0)
            break;
        if (timeout_ms >= 0 && twpy_now_ms() >= end)
            break;
    }
    self->busy = 0;
    if (rc < TW_OK)
        twpy_raise(twpy_state_of((PyObject *)self), rc, NULL);
    return PyErr_Occurred() ? -1 : rc == TW_OK;
}

void twpy_job_close(twpy_job *self)
{
    tw_job *job = self->job;

    self->job = NULL;
    if (job == NULL)
        return;
    tw_job_set_user(job, NULL);
    tw_job_cancel(job);
    tw_job_unref(job);
}

int twpy_job_traverse(PyObject *op, visitproc visit, void *arg)
{
    twpy_job *self = (twpy_job *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->client);
    Py_VISIT(self->queue);
    return 0;
}

/* The job goes before the client and the queue it was started with. */
int twpy_job_clear(PyObject *op)
{
    twpy_job *self = (twpy_job *)op;

    twpy_job_close(self);
    Py_CLEAR(self->queue);
    Py_CLEAR(self->client);
    return 0;
}

const char twpy_job_wait_doc[] =
    "wait($self, timeout, /)\n--\n\n"
    "Wait until there is news: the job is done or its next values are there.\n\n"
    "Args:\n    timeout: Seconds, or None for no limit.\n\n"
    "Returns:\n    False when the time was up.";

PyObject *twpy_job_py_wait(PyObject *op, PyObject *timeout)
{
    twpy_job *self = (twpy_job *)op;
    int64_t limit = twpy_milliseconds(timeout);
    int rc;

    if (limit < -1 || twpy_job_enter(self) < 0)
        return NULL;
    rc = twpy_job_wait(self, limit);
    return rc < 0 ? NULL : PyBool_FromLong(rc);
}

const char twpy_job_cancel_doc[] =
    "cancel($self, /)\n--\n\nAsk the job to stop. Never waits; a job that is done stays done.";

PyObject *twpy_job_py_cancel(PyObject *op, PyObject *unused)
{
    twpy_job *self = (twpy_job *)op;

    (void)unused;
    if (self->job != NULL)
        tw_job_cancel(self->job);
    Py_RETURN_NONE;
}

const char twpy_job_close_doc[] =
    "close($self, /)\n--\n\nCancel and let go of everything. May be called again.";

PyObject *twpy_job_py_close(PyObject *op, PyObject *unused)
{
    twpy_job *self = (twpy_job *)op;

    (void)unused;
    if (self->busy)
        return PyErr_Format(PyExc_RuntimeError,
                            "the job is being waited for in another thread; cancel it");
    twpy_job_close(self);
    Py_RETURN_NONE;
}

const char twpy_job_fileno_doc[] =
    "fileno($self, /)\n--\n\n"
    "The descriptor that is readable while there is news. Only for waiting on it.";

PyObject *twpy_job_py_fileno(PyObject *op, PyObject *unused)
{
    twpy_job *self = (twpy_job *)op;

    (void)unused;
    if (self->job == NULL)
        return twpy_raise_text(twpy_state_of(op), TW_E_CLOSED, "the job was closed");
    return PyLong_FromLong(tw_job_fd(self->job));
}

const char twpy_job_progress_doc[] =
    "progress($self, /)\n--\n\n"
    "How far it is: (phase, requests made, body bytes received, the server's request id).";

PyObject *twpy_job_py_progress(PyObject *op, PyObject *unused)
{
    twpy_job *self = (twpy_job *)op;
    tw_job_progress progress = TW_JOB_PROGRESS_INIT;

    (void)unused;
    if (self->job == NULL)
        return Py_BuildValue("(sKKs)", "closed", 0ULL, 0ULL, "");
    tw_job_get_progress(self->job, &progress);
    return Py_BuildValue("(sKKs)", progress.phase != NULL ? progress.phase : "waiting",
                         (unsigned long long)progress.requests,
                         (unsigned long long)progress.bytes_received, progress.id);
}

const char twpy_job_done_doc[] = "True once the job has ended, well or not.";

PyObject *twpy_job_get_done(PyObject *op, void *unused)
{
    twpy_job *self = (twpy_job *)op;

    (void)unused;
    return PyBool_FromLong(self->job == NULL || tw_job_done(self->job));
}

/* ---- Job: plain replies -------------------------------------------------------------- */

/* Waits for the end: 1 with the reply (NULL where there is none), 0 with an exception set. */
static int job_finish(PyObject *op, const tw_reply **rsp)
{
    twpy_job *self = (twpy_job *)op;
    tw_error *err = NULL;
    int rc;

    if (twpy_job_enter(self) < 0)
        return 0;
    rc = tw_job_result(rsp, self->job, &err);
    while (rc == TW_AGAIN) {
        if (twpy_job_wait(self, -1) < 0)
            return 0;
        rc = tw_job_result(rsp, self->job, &err);
    }
    if (rc != TW_OK)
        twpy_raise(twpy_state_of(op), rc, err);
    return rc == TW_OK;
}

PyDoc_STRVAR(
    reply_doc,
    "reply($self, /)\n--\n\n"
    "Wait for the end and give (status, body), or None where the job has no reply.");

static PyObject *job_reply(PyObject *op, PyObject *unused)
{
    const tw_reply *rsp = NULL;
    const char *body;
    size_t size;

    (void)unused;
    if (!job_finish(op, &rsp))
        return NULL;
    if (rsp == NULL)
        Py_RETURN_NONE;
    body = tw_reply_body(rsp, &size);
    return Py_BuildValue("(iy#)", tw_reply_status(rsp), body, (Py_ssize_t)size);
}

PyDoc_STRVAR(
    report_doc,
    "report($self, /)\n--\n\n"
    "What has become so far of the events a flush was begun for, as counts: (accepted,\n"
    "stored, rejected, uncertain, expired, dropped, waiting, recovered, lost, merged).");

static PyObject *job_report(PyObject *op, PyObject *unused)
{
    twpy_job *self = (twpy_job *)op;
    tw_stats stats = TW_STATS_INIT;

    (void)unused;
    if (self->job == NULL)
        return twpy_raise_text(twpy_state_of(op), TW_E_CLOSED, "the job was closed");
    if (tw_flush_stats(self->job, &stats) != TW_OK)
        return PyErr_Format(PyExc_TypeError, "the job was no flush");
    return Py_BuildValue(
        "(KKKKKKKKKK)", (unsigned long long)stats.accepted,
        (unsigned long long)stats.stored, (unsigned long long)stats.rejected,
        (unsigned long long)stats.uncertain, (unsigned long long)stats.expired,
        (unsigned long long)stats.dropped, (unsigned long long)stats.waiting,
        (unsigned long long)stats.recovered, (unsigned long long)stats.lost,
        (unsigned long long)stats.merged);
}

PyDoc_STRVAR(answer_doc, "answer($self, /)\n--\n\n"
                         "Wait for the end and give what was answered, in its one form.");

static PyObject *job_answer(PyObject *op, PyObject *unused)
{
    const tw_reply *rsp = NULL;
    tw_error *err = NULL;
    PyObject *value;
    char *text;
    size_t size;
    int rc;

    (void)unused;
    if (!job_finish(op, &rsp))
        return NULL;
    if (rsp == NULL)
        Py_RETURN_NONE;
    rc = tw_reply_result(&text, &size, rsp, &err);
    if (rc != TW_OK)
        return twpy_raise(twpy_state_of(op), rc, err);
    value = twpy_decode_one(twpy_state_of(op), text, size);
    tw_text_free(text);
    return value;
}

static void job_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    (void)twpy_job_clear(op);
    PyObject_GC_Del(op);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    TWPY_JOB_METHODS,
    {"reply", job_reply, METH_NOARGS, reply_doc},
    {"report", job_report, METH_NOARGS, report_doc},
    {"answer", job_answer, METH_NOARGS, answer_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"done", twpy_job_get_done, NULL, twpy_job_done_doc, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(job_doc,
             "A call that goes on in the background. Made by the client's methods.");

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)job_doc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getters},
    {Py_tp_traverse, twpy_job_traverse},
    {Py_tp_clear, twpy_job_clear},
    {Py_tp_dealloc, job_dealloc},
    {0, NULL},
};

PyType_Spec twpy_job_spec = {
    .name = "tidewheel._core.Job",
    .basicsize = sizeof(twpy_job),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
