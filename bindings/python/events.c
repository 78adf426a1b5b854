/* SPDX-License-Identifier: MIT */
/* Events on their way from Python to the core's queue: one, or many at a time. */
#include "client.h"

/* ---- writing one --------------------------------------------------------------------- */

/* Writes `event` into the slot. TW_OK, also where the core will say what is wrong with it; else
 * TW_E_INVALID with an exception set, or with `*foreign` set where a hook may help. */
static int event_write(twpy_client *self, tw_event *ev, PyObject *event, int *foreign)
{
    int rc =
        twpy_encode(twpy_state_of((PyObject *)self), tw_event_writer(ev), event, foreign);

    if (rc == TW_OK)
        return TW_OK;
    if (self->hook == NULL)
        *foreign = 0;
    /* The core counts what it refuses: it is told of this event too. */
    return *foreign || PyErr_Occurred() ? TW_E_INVALID : TW_OK;
}

static tw_event *event_begin(twpy_client *self)
{
    tw_event *ev = NULL;
    tw_error *err = NULL;
    int rc = tw_event_begin(&ev, self->client, &err);

    if (rc != TW_OK)
        twpy_raise(twpy_state_of((PyObject *)self), rc, err);
    return ev;
}

/* Fills the slot `*ev`, after the hook where one is needed; begins one where it is NULL. -1 with an
 * exception set. */
static int event_fill(twpy_client *self, tw_event **ev, PyObject *event)
{
    PyObject *plain;
    int foreign = 0;

    if (*ev == NULL)
        *ev = event_begin(self);
    if (*ev == NULL)
        return -1;
    if (event_write(self, *ev, event, &foreign) == TW_OK)
        return 0;
    tw_event_abort(*ev);
    *ev = NULL;
    if (!foreign)
        return -1;
    plain = twpy_plain(event, self->hook);
    if (plain == NULL)
        return -1;
    *ev = event_begin(self);
    if (*ev != NULL && event_write(self, *ev, plain, &foreign) != TW_OK) {
        tw_event_abort(*ev);
        *ev = NULL;
        /* Still foreign: the hook gave something it had been given, layer after layer. */
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "default never gave a value JSON has");
    }
    Py_DECREF(plain);
    return *ev != NULL ? 0 : -1;
}

/* A dict, or a copy of a mapping as one. */
static PyObject *dict_of(PyObject *event, const char *misuse)
{
    PyObject *copy;

    if (PyDict_Check(event))
        return Py_NewRef(event);
    if (!PyMapping_Check(event) || !PyObject_HasAttrString(event, "keys")) {
        PyErr_SetString(PyExc_TypeError, misuse);
        return NULL;
    }
    copy = PyDict_New();
    if (copy != NULL && PyDict_Update(copy, event) < 0)
        Py_CLEAR(copy);
    return copy;
}

/* The event that is to be accepted; NULL with an exception set, or where it is to be kept back. */
static PyObject *event_prepared(twpy_client *self, PyObject *event)
{
    PyObject *given = dict_of(event, "event must be a mapping");
    PyObject *prepared;

    if (given == NULL || self->prepare == NULL)
        return given;
    prepared = PyObject_CallFunctionObjArgs(self->prepare, given, NULL);
    Py_DECREF(given);
    if (prepared == NULL)
        return NULL;
    given = prepared != Py_None
                ? dict_of(prepared, "before_send must return a mapping or None")
                : NULL;
    Py_DECREF(prepared);
    return given;
}

static int event_keep_back(twpy_client *self)
{
    tw_error *err = NULL;
    int rc = tw_event_filtered(self->client, &err);

    if (rc == TW_OK)
        return 0;
    twpy_raise(twpy_state_of((PyObject *)self), rc, err);
    return -1;
}

/* Waits for room. */
static int event_wait(twpy_client *self, tw_event *ev)
{
    tw_error *err = NULL;
    int rc;

    if (!self->blocks) {
        twpy_raise_text(twpy_state_of((PyObject *)self), TW_E_QUEUE_FULL,
                        "the event queue was full; await flush() before the next event");
        return -1;
    }
    do {
        Py_BEGIN_ALLOW_THREADS
            rc = tw_event_wait(ev, &err);
        Py_END_ALLOW_THREADS
    } while (rc == TW_INTERRUPTED && PyErr_CheckSignals() == 0);
    if (rc == TW_OK)
        return 0;
    if (rc != TW_INTERRUPTED)
        twpy_raise(twpy_state_of((PyObject *)self), rc, err);
    return -1;
}

/* Handing a record to the kernel is quicker than letting the lock go; a sync is not. */
static int event_commit(twpy_client *self, tw_event *ev, tw_error **err)
{
    int rc;

    if (tw_client_spool_mode(self->client) != TW_SPOOL_DURABLE)
        return tw_event_commit(ev, err);
    Py_BEGIN_ALLOW_THREADS
        rc = tw_event_commit(ev, err);
    Py_END_ALLOW_THREADS
    return rc;
}

const char twpy_client_track_doc[] =
    "track($self, event, /)\n--\n\n"
    "Check, freeze and queue one event. Never waits for the network.\n\n"
    "Raises:\n    ValidationError: The event breaks a rule; the path is named.\n"
    "    QueueFullError: There was no room.";

PyObject *twpy_client_track(PyObject *op, PyObject *event)
{
    twpy_client *self = (twpy_client *)op;
    PyObject *dict = event_prepared(self, event);
    tw_event *ev = NULL;
    tw_error *err = NULL;
    int rc;

    if (dict == NULL) {
        if (PyErr_Occurred() || event_keep_back(self) < 0)
            return NULL;
        Py_RETURN_NONE;
    }
    rc = event_fill(self, &ev, dict);
    Py_DECREF(dict);
    if (rc < 0)
        return NULL;
    rc = event_commit(self, ev, &err);
    while (rc == TW_AGAIN) {
        if (event_wait(self, ev) < 0) {
            tw_event_abort(ev);
            return NULL;
        }
        rc = event_commit(self, ev, &err);
    }
    if (rc != TW_OK)
        return twpy_raise(twpy_state_of(op), rc, err);
    Py_RETURN_NONE;
}

const char twpy_client_encode_doc[] =
    "encode_event($self, event, /)\n--\n\n"
    "The JSON of an event as track() writes it, before ids and time are added; nothing\n"
    "is queued. For tests and benchmarks, and to check parts of events.";

PyObject *twpy_client_encode(PyObject *op, PyObject *event)
{
    twpy_client *self = (twpy_client *)op;
    PyObject *dict = dict_of(event, "event must be a mapping");
    tw_event *ev = NULL;
    tw_error *err = NULL;
    PyObject *result = NULL;
    const char *text;
    size_t size;
    int rc;

    if (dict != NULL && event_fill(self, &ev, dict) == 0) {
        if (tw_json_writer_complete(tw_event_writer(ev))) {
            text = tw_json_writer_text(tw_event_writer(ev), &size);
            result = PyBytes_FromStringAndSize(text, (Py_ssize_t)size);
        } else {
            rc = tw_json_writer_error(tw_event_writer(ev), &err);
            twpy_raise(twpy_state_of(op), rc, err);
        }
    }
    tw_event_abort(ev);
    Py_XDECREF(dict);
    return result;
}

/* ---- many at a time ------------------------------------------------------------------ */

enum { CHUNK = 64 };

/* Events are written into slots of their own and accepted together. */
typedef struct many {
    twpy_client *client;
    tw_event *slots[CHUNK];
    size_t filled;
    long long first; /* number of the event in the first slot */
    long long accepted;
} many;

/* The exception tells which of the events it is about: one of ours by its `index`, others by a
 * note. */
static void tell_index(long long index, int ours)
{
    PyObject *type;
    PyObject *error;
    PyObject *trace;
    PyObject *value = NULL;

    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    if (ours && PyObject_HasAttrString(error, "index")) {
        value = PyLong_FromLongLong(index);
        if (value != NULL)
            PyObject_SetAttrString(error, "index", value);
    } else if (!ours) {
        value =
            PyObject_CallMethod(error, "add_note", "N",
                                PyUnicode_FromFormat("while tracking event %lld", index));
    }
    Py_XDECREF(value);
    PyErr_Clear();
    PyErr_Restore(type, error, trace);
}

/* As event_commit. */
static int many_commit(many *m, size_t *accepted, size_t done, tw_error **err)
{
    tw_event **slots = m->slots + done;
    size_t count = m->filled - done;
    long long first = m->first + (long long)done;
    int rc;

    if (tw_client_spool_mode(m->client->client) != TW_SPOOL_DURABLE)
        return tw_events_commit(accepted, slots, count, first, err);
    Py_BEGIN_ALLOW_THREADS
        rc = tw_events_commit(accepted, slots, count, first, err);
    Py_END_ALLOW_THREADS
    return rc;
}

static int many_accept(many *m)
{
    size_t done = 0;
    size_t accepted;
    int rc = TW_AGAIN;

    while (rc == TW_AGAIN) {
        tw_error *err = NULL;

        rc = many_commit(m, &accepted, done, &err);
        done += accepted;
        m->accepted += (long long)accepted;
        if (rc == TW_AGAIN) {
            if (event_wait(m->client, m->slots[done]) < 0) {
                tell_index(m->first + (long long)done, 1);
                return -1;
            }
        } else if (rc != TW_OK) {
            twpy_raise(twpy_state_of((PyObject *)m->client), rc, err);
            return -1;
        }
    }
    m->first += (long long)m->filled;
    m->filled = 0;
    return PyErr_CheckSignals();
}

/* What came before an exception is accepted all the same. Where that fails, it is told instead: it
 * happened to an earlier event. */
static void many_fail(many *m)
{
    PyObject *type;
    PyObject *error;
    PyObject *trace;

    PyErr_Fetch(&type, &error, &trace);
    if (many_accept(m) == 0) {
        PyErr_Restore(type, error, trace);
        return;
    }
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(trace);
}

/* -1 with an exception set, which is about the event where `*mine`. */
static int many_add(many *m, PyObject *event, int *mine)
{
    PyObject *dict = event_prepared(m->client, event);
    int rc = -1;

    *mine = 1;
    if (dict != NULL) {
        rc = event_fill(m->client, &m->slots[m->filled], dict);
        Py_DECREF(dict);
    } else if (!PyErr_Occurred()) {
        *mine = 0; /* kept back: the numbers have a hole here */
        if (many_accept(m) < 0)
            return -1;
        m->first++;
        return event_keep_back(m->client);
    }
    if (rc < 0)
        return -1;
    *mine = 0;
    /* A bad one ends it at once, before the next is taken from the iterable. */
    if (tw_event_sound(m->slots[m->filled++]) && m->filled < CHUNK)
        return 0;
    return many_accept(m);
}

static int many_run(many *m, PyObject *iterator)
{
    PyObject *event;
    int mine = 0;
    int rc = 0;

    while (rc == 0 && (event = PyIter_Next(iterator)) != NULL) {
        rc = many_add(m, event, &mine);
        Py_DECREF(event);
    }
    if (rc == 0 && !PyErr_Occurred())
        return many_accept(m);
    if (rc == 0 || mine) { /* the iterable's exception, or the event's */
        if (mine)
            tell_index(m->first + (long long)m->filled, 0);
        many_fail(m);
    }
    return -1;
}

const char twpy_client_track_many_doc[] =
    "track_many($self, events, /)\n--\n\n"
    "Check, freeze and queue the events of an iterable; gives the number accepted.\n\n"
    "Raises:\n    ValidationError: One breaks a rule; `index` is its number.\n"
    "    QueueFullError: There was no room.";

PyObject *twpy_client_track_many(PyObject *op, PyObject *iterable)
{
    many m = {.client = (twpy_client *)op};
    PyObject *iterator;
    size_t i;
    int rc;

    if (PyDict_Check(iterable))
        return PyErr_Format(PyExc_TypeError, "events must be an iterable of mappings");
    iterator = PyObject_GetIter(iterable);
    if (iterator == NULL)
        return NULL;
    rc = many_run(&m, iterator);
    Py_DECREF(iterator);
    for (i = 0; i < CHUNK; i++)
        tw_event_abort(m.slots[i]);
    return rc == 0 ? PyLong_FromLongLong(m.accepted) : NULL;
}
