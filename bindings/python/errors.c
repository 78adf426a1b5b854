/* SPDX-License-Identifier: MIT */
/* From the core's codes to the exception classes of tidewheel.errors. */
#include "state.h"

/* One row per code, in the order of tw_code; a test walks the enum against it. */
static const struct {
    int code;
    const char *name; /* in tidewheel.errors, or of a built-in where `builtin` is set */
    int builtin;
} classes[] = {
    {TW_E_INVALID, "ValueError", 1},
    {TW_E_CONFIG, "ConfigError", 0},
    {TW_E_VALIDATION, "ValidationError", 0},
    {TW_E_AUTH, "AuthError", 0},
    {TW_E_RATE_LIMITED, "RateLimitError", 0},
    {TW_E_TOO_LARGE, "PayloadTooLargeError", 0},
    {TW_E_SERVER, "ServerError", 0},
    {TW_E_HTTP, "ApiError", 0},
    {TW_E_NETWORK, "TransportError", 0},
    {TW_E_TIMEOUT, "DeadlineError", 0},
    {TW_E_PROTOCOL, "ProtocolError", 0},
    {TW_E_QUEUE_FULL, "QueueFullError", 0},
    {TW_E_JOB, "JobError", 0},
    {TW_E_CANCELED, "CanceledError", 0},
    {TW_E_CLOSED, "ClosedError", 0},
    {TW_E_FORKED, "ForkedError", 0},
    {TW_E_NOMEM, "MemoryError", 1},
    {TW_E_RPC, "RpcError", 0},
};

int twpy_errors_init(twpy_state *state)
{
    /* The package imports tidewheel.errors before this module, so it is only looked up. */
    PyObject *module = PyImport_ImportModule("tidewheel.errors");
    PyObject *builtins = module != NULL ? PyImport_ImportModule("builtins") : NULL;
    int rc = -1;
    size_t i;

    if (builtins == NULL)
        goto out;
    for (i = 0; i < sizeof classes / sizeof *classes; i++) {
        PyObject *from = classes[i].builtin ? builtins : module;
        PyObject *found = PyObject_GetAttrString(from, classes[i].name);

        if (found == NULL)
            goto out;
        state->errors[-classes[i].code] = found;
    }
    rc = 0;
out:
    Py_XDECREF(builtins);
    Py_XDECREF(module);
    return rc;
}

static const char *stored_name(tw_stored stored)
{
    if (stored == TW_STORED_YES)
        return "yes";
    return stored == TW_STORED_MAYBE ? "maybe" : "no";
}

static PyObject *class_of(twpy_state *state, int code)
{
    if (code < 0 && code > -TWPY_CODES && state->errors[-code] != NULL)
        return state->errors[-code];
    return PyExc_RuntimeError;
}

/* The keyword arguments of TidewheelError for what the core knows. */
static PyObject *details(int code, const tw_error *err)
{
    int64_t wait = tw_error_retry_after_ms(err);
    int64_t index = tw_error_index(err);
    int status = tw_error_http_status(err);
    const char *field = tw_error_field(err);
    const char *metadata = tw_error_resource_metadata(err);
    PyObject *kwargs =
        Py_BuildValue("{s:s,s:O,s:s}", "code", tw_code_name(code), "retriable",
                      tw_error_retriable(err) ? Py_True : Py_False, "stored",
                      stored_name(tw_error_stored(err)));
    PyObject *value = NULL;

    if (kwargs == NULL)
        return NULL;
#define SET(name, condition, make)                                          \
    if (condition) {                                                        \
        value = make;                                                       \
        if (value == NULL || PyDict_SetItemString(kwargs, name, value) < 0) \
            goto fail;                                                      \
        Py_CLEAR(value);                                                    \
    }
    SET("http_status", status != 0, PyLong_FromLong(status))
    SET("retry_after", wait >= 0, PyFloat_FromDouble((double)wait / 1000.0))
    SET("index", index >= 0, PyLong_FromLongLong(index))
    SET("field", field != NULL,
        PyUnicode_DecodeUTF8(field, (Py_ssize_t)strlen(field), "replace"))
    SET("rpc_code", tw_error_rpc_code(err) != 0,
        PyLong_FromLongLong(tw_error_rpc_code(err)))
    SET("resource_metadata", metadata != NULL,
        PyUnicode_DecodeUTF8(metadata, (Py_ssize_t)strlen(metadata), "replace"))
#undef SET
    return kwargs;
fail:
    Py_XDECREF(value);
    Py_DECREF(kwargs);
    return NULL;
}

/* The exception, as a new object. */
static PyObject *make(twpy_state *state, int code, const char *message,
                      const tw_error *err)
{
    PyObject *type = class_of(state, code);
    PyObject *text =
        PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message), "replace");
    PyObject *args = text != NULL ? PyTuple_Pack(1, text) : NULL;
    PyObject *kwargs = NULL;
    PyObject *exception = NULL;
    int ours = code != TW_E_INVALID && code != TW_E_NOMEM && type != PyExc_RuntimeError;

    if (args == NULL)
        goto out;
    if (ours) {
        kwargs = details(code, err);
        if (kwargs == NULL)
            goto out;
    }
    exception = PyObject_Call(type, args, kwargs);
out:
    Py_XDECREF(kwargs);
    Py_XDECREF(args);
    Py_XDECREF(text);
    return exception;
}

static void raise_with(twpy_state *state, int code, const char *message,
                       const tw_error *err)
{
    PyObject *exception = make(state, code, message, err);

    if (exception != NULL)
        PyErr_SetObject(class_of(state, code), exception);
    Py_XDECREF(exception);
}

PyObject *twpy_error(twpy_state *state, const tw_error *err)
{
    return make(state, tw_error_code(err), tw_error_message(err), err);
}

PyObject *twpy_raise(twpy_state *state, int code, tw_error *err)
{
    const char *message = tw_error_message(err);

    /* The core may not have been able to say more than the code. */
    if (message[0] == '\0')
        message = tw_code_name(code);
    raise_with(state, code, message, err);
    tw_error_free(err);
    return NULL;
}

PyObject *twpy_raise_text(twpy_state *state, int code, const char *message)
{
    raise_with(state, code, message, NULL);
    return NULL;
}
