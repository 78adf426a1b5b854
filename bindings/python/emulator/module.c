/* SPDX-License-Identifier: MIT */
/* tidewheel._emulator: the emulator as a Python type; idiom lives in emulator.py. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "emulator.h"

typedef struct module_state {
    PyTypeObject *emulator;
} module_state;

typedef struct emulator_object {
    PyObject_HEAD
    twe *e;    /* NULL once closed */
    int users; /* calls in flight without the interpreter lock */
    int closing;
} emulator_object;

static twe *open_emulator(emulator_object *self)
{
    if (!self->e || self->closing) {
        PyErr_SetString(PyExc_ValueError, "the emulator was closed");
        return NULL;
    }
    return self->e;
}

static PyObject *emulator_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"store",  "api_key",   "secret_key", "app_id", "seed",
                            "listen", "time_zone", "mcp_token",  NULL};
    twe_options o = TWE_OPTIONS_INIT;
    long long app_id = 0;
    char err[512];
    emulator_object *self;
    twe *e = NULL;
    int rc;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$zzzLzzzz:Emulator", names, &o.store,
                                     &o.api_key, &o.secret_key, &app_id, &o.seed,
                                     &o.listen, &o.time_zone, &o.mcp_token))
        return NULL;
    o.app_id = app_id;
    self = (emulator_object *)PyType_GenericAlloc(type, 0);
    if (!self)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
        rc = twe_start(&e, &o, err, sizeof(err));
    Py_END_ALLOW_THREADS
    self->e = e;
    if (rc) {
        Py_DECREF(self);
        PyErr_SetString(PyExc_ValueError, err);
        return NULL;
    }
    return (PyObject *)self;
}

/* Waits for nothing in Python: calls of other threads hold `users` up, so the last of them
 * stops the emulator. */
static void stop_if_idle(emulator_object *self)
{
    twe *e = self->e;

    if (!e || !self->closing || self->users)
        return;
    self->e = NULL;
    Py_BEGIN_ALLOW_THREADS
        twe_stop(e);
    Py_END_ALLOW_THREADS
}

static PyObject *emulator_close(PyObject *op, PyObject *Py_UNUSED(unused))
{
    emulator_object *self = (emulator_object *)op;

    self->closing = 1;
    stop_if_idle(self);
    Py_RETURN_NONE;
}

static void emulator_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(op);
    ((emulator_object *)op)->closing = 1;
    stop_if_idle((emulator_object *)op);
    release(op);
    Py_DECREF(type);
}

static int emulator_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    return 0;
}

static PyObject *emulator_control(PyObject *op, PyObject *args)
{
    emulator_object *self = (emulator_object *)op;
    const char *method, *path;
    Py_buffer body = {0};
    PyObject *result = NULL;
    twe *e = open_emulator(self);
    char *out = NULL;
    size_t n = 0;
    int status;

    if (!e || !PyArg_ParseTuple(args, "ss|y*:control", &method, &path, &body))
        return NULL;
    self->users++;
    Py_BEGIN_ALLOW_THREADS
        status = twe_control(e, method, path, body.buf, (size_t)body.len, &out, &n);
    Py_END_ALLOW_THREADS
    self->users--;
    if (body.obj)
        PyBuffer_Release(&body);
    if (out)
        result = Py_BuildValue("iy#", status, out, (Py_ssize_t)n);
    else
        PyErr_NoMemory();
    twe_free(out);
    stop_if_idle(self);
    return result;
}

typedef const char *text_fn(const twe *e);

static PyObject *get_text(PyObject *op, void *fn)
{
    twe *e = open_emulator((emulator_object *)op);
    text_fn *get;

    memcpy(&get, &fn, sizeof(get));
    return e ? PyUnicode_FromString(get(e)) : NULL;
}

static PyObject *get_app_id(PyObject *op, void *Py_UNUSED(unused))
{
    twe *e = open_emulator((emulator_object *)op);

    return e ? PyLong_FromLongLong(twe_app_id(e)) : NULL;
}

static PyObject *get_closed(PyObject *op, void *Py_UNUSED(unused))
{
    emulator_object *self = (emulator_object *)op;

    return PyBool_FromLong(!self->e || self->closing);
}

static PyMethodDef emulator_methods[] = {
    {"control", emulator_control, METH_VARARGS,
     "control($self, method, path, body=b'', /)\n--\n\n"
     "One call of the control port; (status, reply)."},
    {"close", emulator_close, METH_NOARGS,
     "close($self, /)\n--\n\nEnds every connection and the store. May be called again."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef emulator_getset[] = {
    {"url", get_text, NULL, "Base URL of all API hosts.", (void *)twe_url},
    {"control_url", get_text, NULL, "URL of the control port.", (void *)twe_control_url},
    {"control_token", get_text, NULL, "Token of the control port.",
     (void *)twe_control_token},
    {"storage_url", get_text, NULL, "URL of the storage port.", (void *)twe_storage_url},
    {"api_key", get_text, NULL, "API key of the project.", (void *)twe_api_key},
    {"secret_key", get_text, NULL, "Secret key of the project.", (void *)twe_secret_key},
    {"mcp_token", get_text, NULL, "An access token for /mcp.", (void *)twe_mcp_token},
    {"app_id", get_app_id, NULL, "Project id.", NULL},
    {"closed", get_closed, NULL, "True once closed.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot emulator_slots[] = {
    {Py_tp_doc,
     "Emulator(*, store=None, api_key=None, secret_key=None, app_id=0, seed=None, "
     "listen=None, time_zone=None, mcp_token=None)\n--\n\nA running emulator inside this process."},
    {Py_tp_new, emulator_new},
    {Py_tp_dealloc, emulator_dealloc},
    {Py_tp_traverse, emulator_traverse},
    {Py_tp_methods, emulator_methods},
    {Py_tp_getset, emulator_getset},
    {0, NULL}};

static PyType_Spec emulator_spec = {
    .name = "tidewheel._emulator.Emulator",
    .basicsize = sizeof(emulator_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = emulator_slots,
};

static int module_exec(PyObject *m)
{
    module_state *state = PyModule_GetState(m);

    state->emulator = (PyTypeObject *)PyType_FromModuleAndSpec(m, &emulator_spec, NULL);
    if (!state->emulator)
        return -1;
    return PyModule_AddType(m, state->emulator);
}

static int module_traverse(PyObject *m, visitproc visit, void *arg)
{
    module_state *state = PyModule_GetState(m);

    Py_VISIT(state->emulator);
    return 0;
}

static int module_clear(PyObject *m)
{
    module_state *state = PyModule_GetState(m);

    Py_CLEAR(state->emulator);
    return 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if !defined(Py_LIMITED_API) && PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL}};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tidewheel._emulator",
    .m_doc = "The emulator of the Amplitude API; use tidewheel.Emulator.",
    .m_size = sizeof(module_state),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__emulator(void)
{
    return PyModuleDef_Init(&module_def);
}
