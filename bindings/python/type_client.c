/* SPDX-License-Identifier: MIT */
/* Client: options, events, counts and the end; the starters of jobs stand with their types. */
#include "client.h"

tw_client *twpy_client_core(PyObject *op)
{
    return ((twpy_client *)op)->client;
}

/* ---- options ------------------------------------------------------------------------- */

static int set_text(tw_config *cfg, const char *name, PyObject *value, tw_error **err)
{
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(value, &size);

    if (text == NULL) {
        /* Python's own error would hold the value, which may be a secret. */
        if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
            PyErr_Clear();
            PyErr_Format(PyExc_ValueError, "option %s held a lone surrogate", name);
        }
        return TW_E_INVALID;
    }
    return tw_config_set_string(cfg, name, text, (size_t)size, err);
}

/* Anything with __fspath__ counts as text, so that paths can be given as such. */
static int set_path(tw_config *cfg, const char *name, PyObject *value, tw_error **err)
{
    PyObject *path = PyOS_FSPath(value);
    int rc = TW_E_INVALID;

    if (path != NULL && PyUnicode_Check(path)) {
        rc = set_text(cfg, name, path, err);
    } else if (path != NULL || PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "option %s was of a type no option takes", name);
    }
    Py_XDECREF(path);
    return rc;
}

static int set_option(tw_config *cfg, const char *name, PyObject *value, tw_error **err)
{
    int overflow;
    long long number;

    if (PyUnicode_Check(value))
        return set_text(cfg, name, value, err);
    if (PyBool_Check(value))
        return tw_config_set_bool(cfg, name, value == Py_True, err);
    if (PyFloat_Check(value))
        return tw_config_set_real(cfg, name, PyFloat_AsDouble(value), err);
    if (!PyLong_Check(value))
        return set_path(cfg, name, value, err);
    number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow == 0)
        return tw_config_set_int(cfg, name, number, err);
    PyErr_Format(PyExc_ValueError, "option %s was an integer beyond 64 bits", name);
    return TW_E_INVALID;
}

static int set_options(twpy_state *state, tw_config *cfg, PyObject *options)
{
    Py_ssize_t at = 0;
    PyObject *key;
    PyObject *value;

    /* __fspath__ may run user code, but `options` is private to the constructor. */
    while (PyDict_Next(options, &at, &key, &value)) {
        const char *name = PyUnicode_AsUTF8AndSize(key, NULL);
        tw_error *err = NULL;
        int rc = name != NULL ? set_option(cfg, name, value, &err) : TW_E_INVALID;

        if (rc == TW_OK)
            continue;
        if (PyErr_Occurred())
            tw_error_free(err);
        else
            twpy_raise(state, rc, err);
        return -1;
    }
    return 0;
}

static PyObject *client_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"options", "default", "blocks", "prepare", NULL};
    twpy_state *state = PyType_GetModuleState(type);
    PyObject *options;
    PyObject *hook;
    PyObject *prepare = Py_None;
    twpy_client *self = NULL;
    tw_config *cfg = NULL;
    tw_error *err = NULL;
    int blocks;
    int rc;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!Op|O:Client", names, &PyDict_Type,
                                     &options, &hook, &blocks, &prepare))
        return NULL;
    if (hook != Py_None && !PyCallable_Check(hook))
        return PyErr_Format(PyExc_TypeError, "default must be callable or None");
    self = (twpy_client *)PyType_GenericAlloc(type, 0);
    options = self != NULL ? PyDict_Copy(options) : NULL;
    if (options == NULL) {
        Py_XDECREF((PyObject *)self);
        return NULL;
    }
    self->hook = hook != Py_None ? Py_NewRef(hook) : NULL;
    self->prepare = prepare != Py_None ? Py_NewRef(prepare) : NULL;
    self->blocks = blocks;
    rc = tw_config_new(&cfg, &err);
    if (rc == TW_OK && set_options(state, cfg, options) == 0)
        rc = tw_client_new(&self->client, cfg, &err);
    if (rc != TW_OK)
        twpy_raise(state, rc, err);
    if (self->client == NULL)
        Py_CLEAR(self);
    tw_config_free(cfg);
    Py_DECREF(options);
    return (PyObject *)self;
}

/* ---- state and end ------------------------------------------------------------------- */

PyDoc_STRVAR(
    stats_doc,
    "stats($self, /)\n--\n\n"
    "Where the events are, as counts: (accepted, stored, rejected, uncertain, expired,\n"
    "dropped, waiting, waiting_bytes, refused, requests, retries, paused,\n"
    "filtered, dup_insert_id, outcomes_missed, truncated, replaced, nulled, stringified,\n"
    "recovered, lost, and of the spool: bytes, unread_bytes, uncertain_bytes, lanes, torn,\n"
    "unreadable, quarantined, foreign), merged, rejections_missed, held, age of the oldest\n"
    "in seconds, clock_suspect, and the latest failure, None for none, with its time.");

/* The latest failure and when it was, None for none. */
static int get_trouble(PyObject *op, PyObject **error, PyObject **time)
{
    tw_error *err;
    int64_t at;

    *error = *time = NULL;
    if (tw_client_trouble(&err, &at, twpy_client_core(op)) == TW_OK) {
        *error = twpy_error(twpy_state_of(op), err);
        *time = PyFloat_FromDouble((double)at / 1000.0);
        tw_error_free(err);
    } else {
        *error = Py_NewRef(Py_None);
        *time = Py_NewRef(Py_None);
    }
    if (*error != NULL && *time != NULL)
        return 0;
    Py_CLEAR(*error);
    Py_CLEAR(*time);
    return -1;
}

static PyObject *client_stats(PyObject *op, PyObject *unused)
{
    tw_stats stats = TW_STATS_INIT;
    int rc = tw_client_stats(twpy_client_core(op), &stats);
    PyObject *error;
    PyObject *time;

    (void)unused;
    if (rc != TW_OK)
        return twpy_raise(twpy_state_of(op), rc, NULL);
    if (get_trouble(op, &error, &time) < 0)
        return NULL;
    return Py_BuildValue(
        "(KKKKKKKKKKKNKKKKKKKKKKKKKKKKKKKKdKNN)", (unsigned long long)stats.accepted,
        (unsigned long long)stats.stored, (unsigned long long)stats.rejected,
        (unsigned long long)stats.uncertain, (unsigned long long)stats.expired,
        (unsigned long long)stats.dropped, (unsigned long long)stats.waiting,
        (unsigned long long)stats.waiting_bytes, (unsigned long long)stats.refused,
        (unsigned long long)stats.requests, (unsigned long long)stats.retries,
        PyBool_FromLong(stats.paused != 0), (unsigned long long)stats.filtered,
        (unsigned long long)stats.dup_insert_id,
        (unsigned long long)stats.outcomes_missed, (unsigned long long)stats.truncated,
        (unsigned long long)stats.replaced, (unsigned long long)stats.nulled,
        (unsigned long long)stats.stringified, (unsigned long long)stats.recovered,
        (unsigned long long)stats.lost, (unsigned long long)stats.spool_bytes,
        (unsigned long long)stats.spool_unread_bytes,
        (unsigned long long)stats.spool_uncertain_bytes,
        (unsigned long long)stats.spool_lanes, (unsigned long long)stats.spool_torn,
        (unsigned long long)stats.spool_unreadable,
        (unsigned long long)stats.spool_quarantined,
        (unsigned long long)stats.spool_foreign, (unsigned long long)stats.merged,
        (unsigned long long)stats.rejections_missed, (unsigned long long)stats.held,
        (double)stats.oldest_ms / 1000.0, (unsigned long long)stats.clock_suspect, error,
        time);
}

PyDoc_STRVAR(
    rejection_doc,
    "rejection($self, /)\n--\n\n"
    "The oldest rejection not yet taken, as (event, reason, field or None, HTTP\n"
    "status, the event's bytes), or None.");

static PyObject *client_rejection(PyObject *op, PyObject *unused)
{
    tw_rejection *rejection = NULL;
    tw_error *err = NULL;
    PyObject *event;
    PyObject *result;
    const char *text;
    size_t size;
    int rc = tw_rejection_next(&rejection, twpy_client_core(op), &err);

    (void)unused;
    if (rc == TW_AGAIN)
        Py_RETURN_NONE;
    if (rc != TW_OK)
        return twpy_raise(twpy_state_of(op), rc, err);
    text = tw_rejection_event(rejection, &size);
    event = twpy_decode_one(twpy_state_of(op), text, size);
    result = event == NULL
                 ? NULL
                 : Py_BuildValue("(Nsziy#)", event, tw_rejection_reason(rejection),
                                 tw_rejection_field(rejection),
                                 tw_rejection_status(rejection), text, (Py_ssize_t)size);
    tw_rejection_free(rejection);
    return result;
}

PyDoc_STRVAR(
    outcome_doc,
    "outcome($self, /)\n--\n\n"
    "The oldest outcome not yet taken, as (insert_id, state, reason, HTTP status),\n"
    "or None.");

static PyObject *client_outcome(PyObject *op, PyObject *unused)
{
    tw_event_outcome *outcome = NULL;
    tw_error *err = NULL;
    PyObject *result;
    int rc = tw_event_outcome_next(&outcome, twpy_client_core(op), &err);

    (void)unused;
    if (rc == TW_AGAIN)
        Py_RETURN_NONE;
    if (rc != TW_OK)
        return twpy_raise(twpy_state_of(op), rc, err);
    result = Py_BuildValue(
        "(sssi)", tw_event_outcome_insert_id(outcome), tw_event_outcome_state(outcome),
        tw_event_outcome_reason(outcome), tw_event_outcome_status(outcome));
    tw_event_outcome_free(outcome);
    return result;
}

PyDoc_STRVAR(close_doc,
             "close($self, timeout, /)\n--\n\n"
             "Stop intake, send what is queued, cancel all jobs.\n\n"
             "Args:\n    timeout: Seconds to go on sending; 0 gives up at once.\n\n"
             "Returns:\n    False when an event was left without confirmation.");

/* Sends what is queued until `end`. Waiting for a job notices signals that close() would not: one
 * that arrives in another thread, or just before a wait begins. 0, or -1 with an exception. */
static int client_drain(PyObject *op, int64_t end)
{
    tw_job *job = NULL;
    twpy_job *flush;
    int64_t left;
    int rc = 1;

    if (tw_close_start(&job, twpy_client_core(op), NULL, NULL) != TW_OK)
        return 0; /* closing says why */
    flush = (twpy_job *)twpy_job_wrap(twpy_state_of(op)->job_type, job, op, Py_None);
    if (flush == NULL)
        return -1;
    while (rc == 1 && !tw_job_done(flush->job)) {
        left = end - twpy_now_ms();
        rc = twpy_job_wait(flush, left > 0 ? left : 0);
    }
    Py_DECREF((PyObject *)flush);
    return rc < 0 ? -1 : 0;
}

static PyObject *client_close(PyObject *op, PyObject *timeout)
{
    int64_t limit = twpy_milliseconds(timeout);
    int64_t end;
    tw_error *err = NULL;
    int rc;

    if (timeout == Py_None)
        return PyErr_Format(PyExc_TypeError, "timeout must be a number of seconds");
    if (limit < -1)
        return NULL;
    if (limit == -1)
        limit = INT64_MAX / 2; /* as long as it takes */
    end = twpy_now_ms() + limit;
    if (limit > 0 && client_drain(op, end) < 0)
        return NULL;
    do {
        limit = end - twpy_now_ms();
        Py_BEGIN_ALLOW_THREADS
            rc = tw_client_close(twpy_client_core(op), limit > 0 ? limit : 0, &err);
        Py_END_ALLOW_THREADS
    } while (rc == TW_INTERRUPTED && PyErr_CheckSignals() == 0);
    if (rc == TW_INTERRUPTED)
        return NULL;
    if (rc == TW_OK || rc == TW_E_TIMEOUT) {
        tw_error_free(err);
        return PyBool_FromLong(rc == TW_OK);
    }
    return twpy_raise(twpy_state_of(op), rc, err);
}

PyDoc_STRVAR(describe_doc, "describe($self, /)\n--\n\n"
                           "What is configured, as JSON text; secrets are redacted.");

static PyObject *client_describe(PyObject *op, PyObject *unused)
{
    PyObject *result;
    tw_error *err = NULL;
    char *text = NULL;
    int rc = tw_client_describe(&text, twpy_client_core(op), &err);

    (void)unused;
    if (rc != TW_OK)
        return twpy_raise(twpy_state_of(op), rc, err);
    result = PyUnicode_FromString(text);
    tw_text_free(text);
    return result;
}

static int client_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((twpy_client *)op)->hook);
    Py_VISIT(((twpy_client *)op)->prepare);
    return 0;
}

static int client_clear(PyObject *op)
{
    Py_CLEAR(((twpy_client *)op)->hook);
    Py_CLEAR(((twpy_client *)op)->prepare);
    return 0;
}

/* Nothing is sent from here: what still waits is lost, and said to be. */
static void warn_unsent(twpy_client *self)
{
    tw_stats stats = TW_STATS_INIT;
    PyObject *type;
    PyObject *value;
    PyObject *trace;

    if (self->client == NULL || tw_client_stats(self->client, &stats) != TW_OK ||
        stats.waiting == 0 || tw_client_spool_mode(self->client) != TW_SPOOL_NONE)
        return;
    PyErr_Fetch(&type, &value, &trace);
    if (PyErr_WarnFormat(
            PyExc_ResourceWarning, 1,
            "a tidewheel client was dropped with %llu events unsent; close it",
            (unsigned long long)stats.waiting) < 0)
        PyErr_WriteUnraisable(NULL);
    PyErr_Restore(type, value, trace);
}

static void client_dealloc(PyObject *op)
{
    twpy_client *self = (twpy_client *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    warn_unsent(self);
    tw_client_free(self->client);
    (void)client_clear(op);
    PyObject_GC_Del(op);
    Py_DECREF(type);
}

PyDoc_STRVAR(
    resend_doc,
    "resend_uncertain($self, /)\n--\n\n"
    "Send the uncertain events that the spool keeps again; how many there were.");

static PyObject *client_resend(PyObject *op, PyObject *unused)
{
    tw_error *err = NULL;
    uint64_t count;
    int rc;

    (void)unused;
    Py_BEGIN_ALLOW_THREADS
        rc = tw_resend_uncertain(&count, twpy_client_core(op), &err);
    Py_END_ALLOW_THREADS
    if (rc != TW_OK)
        return twpy_raise(twpy_state_of(op), rc, err);
    return PyLong_FromUnsignedLongLong(count);
}

static PyMethodDef methods[] = {
    {"resend_uncertain", client_resend, METH_NOARGS, resend_doc},
    {"track", twpy_client_track, METH_O, twpy_client_track_doc},
    {"track_many", twpy_client_track_many, METH_O, twpy_client_track_many_doc},
    {"encode_event", twpy_client_encode, METH_O, twpy_client_encode_doc},
    {"stats", client_stats, METH_NOARGS, stats_doc},
    {"outcome", client_outcome, METH_NOARGS, outcome_doc},
    {"rejection", client_rejection, METH_NOARGS, rejection_doc},
    {"close", client_close, METH_O, close_doc},
    {"describe", client_describe, METH_NOARGS, describe_doc},
    TWPY_CLIENT_STARTERS,
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(client_doc,
             "Client(options, default, blocks, prepare=None)\n--\n\n"
             "The core's client behind tidewheel.Client and tidewheel.AsyncClient.\n\n"
             "Args:\n    options: Option names and values.\n"
             "    default: Called with each value JSON does not have, or None.\n"
             "    blocks: Whether track() may wait for room in the queue.\n"
             "    prepare: Gives the event to accept for each event given, or None.");

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)client_doc},
    {Py_tp_new, client_new},
    {Py_tp_methods, methods},
    {Py_tp_traverse, client_traverse},
    {Py_tp_clear, client_clear},
    {Py_tp_dealloc, client_dealloc},
    {0, NULL},
};

PyType_Spec twpy_client_spec = {
    .name = "tidewheel._core.Client",
    .basicsize = sizeof(twpy_client),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
