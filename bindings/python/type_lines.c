/* SPDX-License-Identifier: MIT */
/* Lines: the events of an export, one value (or the raw line) after the other. */
#include "state.h"

typedef struct twpy_lines {
    twpy_stream stream;
    twpy_decoder *decoder; /* NULL: raw lines */
} twpy_lines;

static PyObject *line_value(twpy_lines *self, const char *text, size_t size)
{
    PyObject *value;

    if (self->decoder == NULL)
        value = PyBytes_FromStringAndSize(text, (Py_ssize_t)size);
    else
        value = twpy_decode(self->decoder, text, size, self->stream.row);
    self->stream.row++;
    return value;
}

/* The next value; NULL without an exception at the end. */
static PyObject *lines_next(PyObject *op)
{
    twpy_lines *self = (twpy_lines *)op;
    PyObject *value;
    const char *text;
    size_t size;
    int rc;

    for (;;) {
        rc = twpy_stream_fill(&self->stream, 1);
        if (rc <= 0)
            return NULL;
        if (tw_block_next_line(&text, &size, self->stream.block) == TW_OK)
            break;
        tw_block_free(self->stream.block);
        self->stream.block = NULL;
    }
    value = line_value(self, text, size);
    /* A line that is no JSON makes the whole archive untrustworthy. */
    if (value == NULL)
        twpy_stream_stop(&self->stream);
    return value;
}

PyDoc_STRVAR(
    batch_doc,
    "batch($self, wait, /)\n--\n\n"
    "The values of one block as a list, [] at the end.\n\n"
    "Args:\n    wait: Whether to wait for it; if not, None stands for \"nothing yet\".");

/* Appends the block's values to `list`. The collector would look through thousands of new objects
 * again and again and find nothing, for no value refers to an older one: it waits. */
static int block_read(twpy_lines *self, PyObject *list)
{
    int collects = PyGC_Disable();
    const char *text;
    size_t size;
    int rc = 0;

    while (rc == 0 && tw_block_next_line(&text, &size, self->stream.block) == TW_OK) {
        PyObject *value = line_value(self, text, size);

        rc = value != NULL ? PyList_Append(list, value) : -1;
        Py_XDECREF(value);
    }
    if (collects)
        PyGC_Enable();
    return rc;
}

static PyObject *lines_batch(PyObject *op, PyObject *wait)
{
    twpy_lines *self = (twpy_lines *)op;
    PyObject *list = PyList_New(0);
    int waits = PyObject_IsTrue(wait);
    int rc;

    while (list != NULL && PyList_Size(list) == 0) {
        rc = waits < 0 ? -1 : twpy_stream_fill(&self->stream, waits);
        if (rc == 0)
            return list;
        if (rc != 1) {
            Py_DECREF(list);
            return rc < 0 ? NULL : Py_NewRef(Py_None);
        }
        if (block_read(self, list) < 0) {
            Py_DECREF(list);
            twpy_stream_stop(&self->stream);
            return NULL;
        }
        tw_block_free(self->stream.block);
        self->stream.block = NULL;
    }
    return list;
}

static void lines_dealloc(PyObject *op)
{
    twpy_lines *self = (twpy_lines *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    (void)twpy_stream_clear(op);
    twpy_decoder_free(self->decoder);
    PyObject_GC_Del(op);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    TWPY_STREAM_METHODS,
    {"batch", lines_batch, METH_O, batch_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"done", twpy_job_get_done, NULL, twpy_job_done_doc, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(lines_doc, "The events of an export, in order. Made by Client.export.");

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)lines_doc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getters},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, lines_next},
    {Py_tp_traverse, twpy_job_traverse},
    {Py_tp_clear, twpy_stream_clear},
    {Py_tp_dealloc, lines_dealloc},
    {0, NULL},
};

PyType_Spec twpy_lines_spec = {
    .name = "tidewheel._core.Lines",
    .basicsize = sizeof(twpy_lines),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

/* ---- Client.export ------------------------------------------------------------------- */

/* The decoder of the `fields` and `raw` arguments: 0, or -1 with an exception set. */
static int decoder_of(twpy_decoder **out, twpy_state *state,
                      const tw_export_options *options, PyObject *fields, int raw)
{
    *out = NULL;
    if (raw)
        return 0;
    *out = twpy_decoder_new(state, options->max_line_bytes,
                            fields != Py_None ? fields : NULL);
    return *out != NULL ? 0 : -1;
}

const char twpy_client_export_doc[] =
    "export($self, start, end, fields, raw, queue, /)\n--\n\n"
    "Start the export of a window of hours (\"YYYYMMDDTHH\", both inclusive).";

PyObject *twpy_client_export(PyObject *self, PyObject *args)
{
    twpy_state *state = twpy_state_of(self);
    tw_export_options options = TW_EXPORT_OPTIONS_INIT;
    twpy_decoder *decoder;
    const char *start;
    const char *end;
    PyObject *fields;
    PyObject *queue;
    PyObject *lines;
    tw_queue *core_queue;
    tw_error *err = NULL;
    tw_job *job = NULL;
    int raw;
    int rc;

    if (!PyArg_ParseTuple(args, "ssOpO:export", &start, &end, &fields, &raw, &queue))
        return NULL;
    options.max_line_bytes = 8u << 20;
    if (fields != Py_None && !PyTuple_Check(fields)) {
        PyErr_SetString(PyExc_TypeError, "fields must be a tuple of str or None");
        return NULL;
    }
    if (twpy_job_queue(state, queue, &core_queue) < 0 ||
        decoder_of(&decoder, state, &options, fields, raw) < 0)
        return NULL;
    rc = tw_export_start(&job, twpy_client_core(self), start, end, &options, core_queue,
                         &err);
    if (rc != TW_OK) {
        twpy_decoder_free(decoder);
        return twpy_raise(state, rc, err);
    }
    lines = twpy_job_wrap(state->lines_type, job, self, queue);
    if (lines != NULL)
        ((twpy_lines *)lines)->decoder = decoder;
    else
        twpy_decoder_free(decoder);
    return lines;
}
