/* SPDX-License-Identifier: MIT */
/* Records: the rows, or the ids alone, of a cohort's file. */
#include "state.h"

enum {
    HEADER_ROOM = 4096
}; /* most columns of a file; two and the properties asked for */

typedef struct twpy_records {
    twpy_stream stream;
    tw_csv_cell *cells;
    size_t columns;     /* of the header record; 0 until it was read */
    PyObject *header;   /* list of str */
    PyObject *template; /* dict with these keys */
    PyObject
        *select; /* name of the column wanted, Py_True = the id column, NULL = rows */
    Py_ssize_t column; /* its number */
} twpy_records;

static PyObject *cell_text(twpy_records *self, const tw_csv_cell *cell)
{
    PyObject *text = PyUnicode_DecodeUTF8(cell->text, (Py_ssize_t)cell->size, NULL);

    if (text != NULL || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        return text;
    PyErr_Clear();
    return twpy_raise_text(twpy_state_of((PyObject *)self), TW_E_PROTOCOL,
                           "the cohort file held text that is not UTF-8");
}

static int header_find(const twpy_records *self, const char *name)
{
    size_t i;

    for (i = 0; i < self->columns; i++) {
        if (self->cells[i].size == strlen(name) &&
            memcmp(self->cells[i].text, name, self->cells[i].size) == 0)
            return (int)i;
    }
    return -1;
}

/* Which column `select` means. */
static int column_find(twpy_records *self)
{
    const char *name;

    if (self->select == NULL)
        return 0;
    if (self->select == Py_True) {
        self->column = header_find(self, "user_id");
        if (self->column < 0)
            self->column = header_find(self, "group_value");
        name = "user_id";
    } else {
        name = PyUnicode_AsUTF8AndSize(self->select, NULL);
        if (name == NULL)
            return -1;
        self->column = header_find(self, name);
    }
    if (self->column >= 0)
        return 0;
    PyErr_Format(PyExc_KeyError, "the cohort file has no column %s", name);
    return -1;
}

static int header_take(twpy_records *self, size_t count)
{
    size_t i;

    if (count == 0 || count > HEADER_ROOM) {
        twpy_raise_text(twpy_state_of((PyObject *)self), TW_E_PROTOCOL,
                        "the cohort file had no header record of 1 to 4096 columns");
        return -1;
    }
    self->columns = count;
    self->header = PyList_New(0);
    self->template = PyDict_New();
    if (self->header == NULL || self->template == NULL)
        return -1;
    for (i = 0; i < count; i++) {
        PyObject *name = cell_text(self, &self->cells[i]);
        int rc = name != NULL ? PyList_Append(self->header, name) : -1;

        if (rc == 0)
            rc = PyDict_SetItem(self->template, name, Py_None);
        Py_XDECREF(name);
        if (rc < 0)
            return -1;
    }
    return column_find(self);
}

/* The next record into the cells: 1, 0 at the block's end, -1 exception. */
static int record_next(twpy_records *self)
{
    twpy_state *state = twpy_state_of((PyObject *)self);
    size_t count = 0;
    int rc;

    for (;;) {
        rc = tw_csv_next(self->cells, HEADER_ROOM, &count, self->stream.block);
        if (rc == TW_DONE) {
            tw_block_free(self->stream.block);
            self->stream.block = NULL;
            return 0;
        }
        if (rc != TW_OK || (self->columns != 0 && count != self->columns)) {
            twpy_raise_text(state, rc != TW_OK ? rc : TW_E_PROTOCOL,
                            rc != TW_OK ? "the cohort file held a malformed record"
                                        : "a record of the cohort file had other columns "
                                          "than its header");
            return -1;
        }
        if (self->columns != 0)
            return 1;
        if (header_take(self, count) < 0)
            return -1;
    }
}

static PyObject *record_dict(twpy_records *self)
{
    PyObject *row = PyDict_Copy(self->template);
    size_t i;

    for (i = 0; row != NULL && i < self->columns; i++) {
        PyObject *name = PyList_GetItem(self->header, (Py_ssize_t)i);
        PyObject *text = cell_text(self, &self->cells[i]);

        if (text == NULL || PyDict_SetItem(row, name, text) < 0)
            Py_CLEAR(row);
        Py_XDECREF(text);
    }
    return row;
}

/* The next value of the block: NULL without an exception at its end. */
static PyObject *value_next(twpy_records *self)
{
    int rc = record_next(self);

    /* Anonymous users have no user id: an id that is empty is none. */
    while (rc == 1 && self->select != NULL && self->cells[self->column].size == 0)
        rc = record_next(self);
    if (rc <= 0)
        return NULL;
    self->stream.row++;
    if (self->select != NULL)
        return cell_text(self, &self->cells[self->column]);
    return record_dict(self);
}

static PyObject *records_next(PyObject *op)
{
    twpy_records *self = (twpy_records *)op;
    PyObject *value = NULL;

    while (value == NULL && !PyErr_Occurred() && twpy_stream_fill(&self->stream, 1) == 1)
        value = value_next(self);
    if (value == NULL && self->stream.block != NULL)
        twpy_stream_stop(&self->stream);
    return value;
}

PyDoc_STRVAR(
    batch_doc,
    "batch($self, wait, /)\n--\n\n"
    "The values of one block as a list, [] at the end.\n\n"
    "Args:\n    wait: Whether to wait for it; if not, None stands for \"nothing yet\".");

static PyObject *records_batch(PyObject *op, PyObject *wait)
{
    twpy_records *self = (twpy_records *)op;
    PyObject *list = PyList_New(0);
    int waits = PyObject_IsTrue(wait);
    PyObject *value;
    int rc;

    while (list != NULL && PyList_Size(list) == 0) {
        rc = waits < 0 ? -1 : twpy_stream_fill(&self->stream, waits);
        if (rc == 0)
            return list;
        if (rc != 1) {
            Py_DECREF(list);
            return rc < 0 ? NULL : Py_NewRef(Py_None);
        }
        for (value = value_next(self); value != NULL; value = value_next(self)) {
            rc = PyList_Append(list, value);
            Py_DECREF(value);
            if (rc < 0)
                break;
        }
        if (PyErr_Occurred()) {
            Py_CLEAR(list);
            twpy_stream_stop(&self->stream);
        }
    }
    return list;
}

PyDoc_STRVAR(
    select_doc,
    "select($self, column, /)\n--\n\n"
    "Give the texts of one column instead of rows. Only before the first is read.\n\n"
    "Args:\n    column: Its name, or None for the id column (user_id, or group_value\n"
    "        in the file of a group cohort).");

static PyObject *records_select(PyObject *op, PyObject *column)
{
    twpy_records *self = (twpy_records *)op;
    PyObject *select = column == Py_None ? Py_True : column;

    if (select != Py_True && !PyUnicode_Check(column))
        return PyErr_Format(PyExc_TypeError, "column must be str or None");
    if (self->columns != 0)
        return PyErr_Format(PyExc_ValueError, "the cohort's rows are being read already");
    Py_CLEAR(self->select);
    self->select = Py_NewRef(select);
    Py_RETURN_NONE;
}

static int records_traverse(PyObject *op, visitproc visit, void *arg)
{
    twpy_records *self = (twpy_records *)op;

    Py_VISIT(self->header);
    Py_VISIT(self->template);
    return twpy_job_traverse(op, visit, arg);
}

static void records_dealloc(PyObject *op)
{
    twpy_records *self = (twpy_records *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    (void)twpy_stream_clear(op);
    Py_CLEAR(self->header);
    Py_CLEAR(self->template);
    Py_CLEAR(self->select);
    PyMem_Free(self->cells);
    PyObject_GC_Del(op);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    TWPY_STREAM_METHODS,
    {"batch", records_batch, METH_O, batch_doc},
    {"select", records_select, METH_O, select_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"done", twpy_job_get_done, NULL, twpy_job_done_doc, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(records_doc, "The rows of a cohort's file. Made by Client.cohort_download.");

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)records_doc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getters},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, records_next},
    {Py_tp_traverse, records_traverse},
    {Py_tp_clear, twpy_stream_clear},
    {Py_tp_dealloc, records_dealloc},
    {0, NULL},
};

PyType_Spec twpy_records_spec = {
    .name = "tidewheel._core.Records",
    .basicsize = sizeof(twpy_records),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

/* ---- Client.cohort_download ---------------------------------------------------------- */

static PyObject *records_wrap(twpy_state *state, tw_job *job, PyObject *client,
                              PyObject *queue)
{
    PyObject *op = twpy_job_wrap(state->records_type, job, client, queue);
    twpy_records *self = (twpy_records *)op;

    if (op == NULL)
        return NULL;
    self->cells = PyMem_Calloc(HEADER_ROOM, sizeof *self->cells);
    if (self->cells != NULL)
        return op;
    Py_DECREF(op);
    return PyErr_NoMemory();
}

const char twpy_client_cohort_download_doc[] =
    "cohort_download($self, cohort_id, props, prop_keys, request_id, timeout, queue, /)\n--\n\n"
    "Start request, poll and file of a cohort's members.";

PyObject *twpy_client_cohort_download(PyObject *self, PyObject *args)
{
    twpy_state *state = twpy_state_of(self);
    tw_cohort_download_options options = TW_COHORT_DOWNLOAD_OPTIONS_INIT;
    const char **keys = NULL;
    PyObject *result = NULL;
    PyObject *key_tuple;
    PyObject *timeout;
    PyObject *queue;
    tw_queue *core_queue;
    tw_error *err = NULL;
    tw_job *job = NULL;
    const char *id;
    int64_t limit;
    int rc;

    if (!PyArg_ParseTuple(args, "spOzOO:cohort_download", &id, &options.props, &key_tuple,
                          &options.request_id, &timeout, &queue))
        return NULL;
    limit = twpy_milliseconds(timeout);
    if (limit < -1 || twpy_job_queue(state, queue, &core_queue) < 0)
        return NULL;
    if (limit >= 0)
        options.timeout_ms = limit > 0 ? limit : 1;
    if (key_tuple != Py_None) {
        if (!PyTuple_Check(key_tuple))
            return PyErr_Format(PyExc_TypeError, "props must be a bool or names");
        if (twpy_text_list(key_tuple, &keys) < 0)
            goto out;
        options.prop_keys = keys;
    }
    rc = tw_cohort_download_start(&job, twpy_client_core(self), id, &options, core_queue,
                                  &err);
    result =
        rc == TW_OK ? records_wrap(state, job, self, queue) : twpy_raise(state, rc, err);
out:
    PyMem_Free(keys);
    return result;
}
