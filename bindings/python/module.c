/* SPDX-License-Identifier: MIT */
/* tidewheel._core: the types and a few functions over the core's tables. */
#include "dict_check.h"
#include "state.h"

PyDoc_STRVAR(
    loads_doc,
    "loads($module, text, /)\n--\n\n"
    "Read one JSON document strictly: duplicates and depth as in an export, integers\n"
    "of any size exact.\n\n"
    "Args:\n    text: UTF-8 bytes.\n\nRaises:\n    ProtocolError: It is not JSON.");

static PyObject *core_loads(PyObject *module, PyObject *text)
{
    Py_buffer view;
    PyObject *value;

    if (PyObject_GetBuffer(text, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    value = twpy_decode_one(PyModule_GetState(module), view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    return value;
}

/* Splits on line ends; used to measure the decoder as an export drives it. */
PyDoc_STRVAR(
    load_lines_doc,
    "load_lines($module, text, fields, /)\n--\n\n"
    "The values of newline-delimited JSON as a list, decoded as an export's block is.");

static PyObject *core_load_lines(PyObject *module, PyObject *args)
{
    twpy_decoder *decoder;
    PyObject *list = NULL;
    PyObject *fields;
    Py_buffer view;
    const char *at;
    const char *end;

    if (!PyArg_ParseTuple(args, "y*O:load_lines", &view, &fields))
        return NULL;
    decoder = twpy_decoder_new(PyModule_GetState(module), (size_t)view.len + 1,
                               fields != Py_None ? fields : NULL);
    list = decoder != NULL ? PyList_New(0) : NULL;
    at = view.buf;
    end = at + view.len;
    while (list != NULL && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        PyObject *value;

        stop = stop != NULL ? stop : end;
        value = stop > at
                    ? twpy_decode(decoder, at, (size_t)(stop - at), PyList_Size(list))
                    : NULL;
        if (stop > at && (value == NULL || PyList_Append(list, value) < 0))
            Py_CLEAR(list);
        Py_XDECREF(value);
        at = stop + 1;
    }
    twpy_decoder_free(decoder);
    PyBuffer_Release(&view);
    return list;
}

static const char *option_type(tw_option_type type)
{
    static const char *const names[] = {"str", "secret",  "bool",
                                        "int", "seconds", "choice"};

    return (size_t)type < sizeof names / sizeof *names ? names[type] : "str";
}

PyDoc_STRVAR(options_doc, "options($module, /)\n--\n\n"
                          "The client's options: (name, type, default, doc) of each.");

static PyObject *core_options(PyObject *module, PyObject *unused)
{
    PyObject *list = PyList_New(0);
    const char *name;
    const char *standard;
    const char *doc;
    tw_option_type type;
    size_t i;

    (void)module;
    (void)unused;
    for (i = 0; list != NULL && tw_config_row(i, &name, &type, &standard, &doc) == TW_OK;
         i++) {
        PyObject *row = Py_BuildValue("(sszs)", name, option_type(type), standard, doc);

        if (row == NULL || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return list;
}

PyDoc_STRVAR(endpoints_doc,
             "endpoints($module, /)\n--\n\n"
             "The endpoint table: (name, area, method, path, access) of each.");

static PyObject *core_endpoints(PyObject *module, PyObject *unused)
{
    PyObject *list = PyList_New(0);
    const char *name;
    const char *area;
    const char *method;
    const char *path;
    const char *access;
    size_t i;

    (void)module;
    (void)unused;
    for (i = 0; list != NULL &&
                tw_endpoint_row(i, &name, &area, &method, &path, &access) == TW_OK;
         i++) {
        PyObject *row = Py_BuildValue("(sssss)", name, area, method, path, access);

        if (row == NULL || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return list;
}

PyDoc_STRVAR(error_classes_doc,
             "error_classes($module, /)\n--\n\n"
             "The exception class of each code of the core, by its name.");

static PyObject *core_error_classes(PyObject *module, PyObject *unused)
{
    twpy_state *state = PyModule_GetState(module);
    PyObject *dict = PyDict_New();
    int code;

    (void)unused;
    /* The enum grows at its end; a code without a name is past it. */
    for (code = -1; dict != NULL && strcmp(tw_code_name(code), "unknown") != 0; code--) {
        PyObject *type = code > -TWPY_CODES ? state->errors[-code] : NULL;

        if (PyDict_SetItemString(dict, tw_code_name(code),
                                 type != NULL ? type : Py_None) < 0)
            Py_CLEAR(dict);
    }
    return dict;
}

PyDoc_STRVAR(
    taxonomy_diff_doc,
    "taxonomy_diff($module, state, plan, deletes, /)\n--\n\n"
    "The changes that lead from the state of a tracking plan to a plan, both JSON.");

static PyObject *core_taxonomy_diff(PyObject *module, PyObject *args)
{
    Py_buffer state;
    Py_buffer plan;
    PyObject *value = NULL;
    tw_error *err = NULL;
    char *text;
    size_t size;
    int deletes;
    int rc;

    if (!PyArg_ParseTuple(args, "y*y*p:taxonomy_diff", &state, &plan, &deletes))
        return NULL;
    rc = tw_taxonomy_diff(&text, &size, state.buf, (size_t)state.len, plan.buf,
                          (size_t)plan.len, deletes, &err);
    if (rc != TW_OK)
        twpy_raise(PyModule_GetState(module), rc, err);
    else
        value = twpy_decode_one(PyModule_GetState(module), text, size);
    tw_text_free(text);
    PyBuffer_Release(&state);
    PyBuffer_Release(&plan);
    return value;
}

PyDoc_STRVAR(
    dicts_in_place_doc,
    "dicts_in_place($module, wanted, /)\n--\n\n"
    "Read dicts in place from now on, or ask Python for each item; for tests.\n\n"
    "Returns:\n    Whether they are read in place: never where this Python stores them in\n"
    "    a way that is not known.");

static PyObject *core_dicts_in_place(PyObject *module, PyObject *wanted)
{
    twpy_state *state = PyModule_GetState(module);
    int on = PyObject_IsTrue(wanted);

    if (on < 0)
        return NULL;
    state->dicts_in_place = on && twpy_dicts_proven();
    return PyBool_FromLong(state->dicts_in_place);
}

static PyMethodDef functions[] = {
    {"loads", core_loads, METH_O, loads_doc},
    {"taxonomy_diff", core_taxonomy_diff, METH_VARARGS, taxonomy_diff_doc},
    {"load_lines", core_load_lines, METH_VARARGS, load_lines_doc},
    {"options", core_options, METH_NOARGS, options_doc},
    {"endpoints", core_endpoints, METH_NOARGS, endpoints_doc},
    {"spool_inspect", twpy_spool_inspect, METH_O, twpy_spool_inspect_doc},
    {"spool_check", twpy_spool_check, METH_O, twpy_spool_check_doc},
    {"spool_purge", twpy_spool_purge, METH_VARARGS, twpy_spool_purge_doc},
    {"error_classes", core_error_classes, METH_NOARGS, error_classes_doc},
    {"dicts_in_place", core_dicts_in_place, METH_O, dicts_in_place_doc},
    {NULL, NULL, 0, NULL},
};

static int add_type(PyObject *module, PyTypeObject **slot, PyType_Spec *spec)
{
    *slot = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *slot != NULL ? PyModule_AddType(module, *slot) : -1;
}

static int module_exec(PyObject *module)
{
    twpy_state *state = PyModule_GetState(module);

    if (twpy_errors_init(state) < 0 ||
        PyModule_AddStringConstant(module, "__version__", tw_version()) < 0 ||
        add_type(module, &state->client_type, &twpy_client_spec) < 0 ||
        add_type(module, &state->queue_type, &twpy_queue_spec) < 0 ||
        add_type(module, &state->job_type, &twpy_job_spec) < 0 ||
        add_type(module, &state->lines_type, &twpy_lines_spec) < 0 ||
        add_type(module, &state->records_type, &twpy_records_spec) < 0)
        return -1;
    state->dicts_in_place = twpy_dicts_proven();
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    twpy_state *state = PyModule_GetState(module);
    size_t i;

    Py_VISIT(state->client_type);
    Py_VISIT(state->queue_type);
    Py_VISIT(state->job_type);
    Py_VISIT(state->lines_type);
    Py_VISIT(state->records_type);
    for (i = 0; i < TWPY_CODES; i++)
        Py_VISIT(state->errors[i]);
    return 0;
}

static int module_clear(PyObject *module)
{
    twpy_state *state = PyModule_GetState(module);
    size_t i;

    Py_CLEAR(state->client_type);
    Py_CLEAR(state->queue_type);
    Py_CLEAR(state->job_type);
    Py_CLEAR(state->lines_type);
    Py_CLEAR(state->records_type);
    for (i = 0; i < TWPY_CODES; i++)
        Py_CLEAR(state->errors[i]);
    for (i = 0; state->texts != NULL && i < TWPY_TEXTS; i++) {
        Py_CLEAR(state->texts[i].text);
        Py_CLEAR(state->values[i].text);
    }
    for (i = 0; state->keys != NULL && i < TWPY_KEYS; i++)
        Py_CLEAR(state->keys[i].text);
    return 0;
}

static void module_free(void *module)
{
    twpy_state *state = PyModule_GetState(module);

    (void)module_clear(module);
    PyMem_Free(state->texts);
    PyMem_Free(state->values);
    state->texts = state->values = NULL;
    PyMem_Free(state->keys_memory);
    state->keys_memory = state->keys = NULL;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
#if !defined(Py_LIMITED_API) && PY_VERSION_HEX >= 0x030C0000
    /* Nothing is shared between interpreters; without the slot one lock serves them all. */
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED},
#endif
    {0, NULL},
};

PyDoc_STRVAR(module_doc, "The core of tidewheel. Use the tidewheel package.");

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,         .m_name = "tidewheel._core", .m_doc = module_doc,
    .m_size = sizeof(twpy_state),  .m_methods = functions,      .m_slots = slots,
    .m_traverse = module_traverse, .m_clear = module_clear,     .m_free = module_free,
};

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&definition);
}
