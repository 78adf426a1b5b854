/* SPDX-License-Identifier: MIT */
/* The methods of Client that start plain jobs: flush, calls by name, cohorts but the download. */
#include "state.h"

int twpy_text_list(PyObject *tuple, const char ***out)
{
    Py_ssize_t count = PyTuple_Size(tuple);
    Py_ssize_t i;

    *out = PyMem_Calloc((size_t)count + 1, sizeof **out);
    if (*out == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (i = 0; i < count; i++) {
        (*out)[i] = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(tuple, i), NULL);
        if ((*out)[i] == NULL)
            return -1;
    }
    return 0;
}

static PyObject *job_or_raise(PyObject *client, int rc, tw_job *job, tw_error *err,
                              PyObject *queue)
{
    twpy_state *state = twpy_state_of(client);

    if (rc != TW_OK)
        return twpy_raise(state, rc, err);
    return twpy_job_wrap(state->job_type, job, client, queue);
}

/* Starts a job that takes no more than the queue its news go to. */
static PyObject *start_plain(PyObject *self, PyObject *queue,
                             int (*start)(tw_job **, tw_client *, tw_queue *,
                                          tw_error **))
{
    tw_queue *core_queue;
    tw_error *err = NULL;
    tw_job *job = NULL;
    int rc;

    if (twpy_job_queue(twpy_state_of(self), queue, &core_queue) < 0)
        return NULL;
    rc = start(&job, twpy_client_core(self), core_queue, &err);
    return job_or_raise(self, rc, job, err, queue);
}

const char twpy_client_flush_doc[] =
    "flush($self, queue, /)\n--\n\n"
    "Start sending everything accepted so far; the job ends when each event has a final state.";

PyObject *twpy_client_flush(PyObject *self, PyObject *queue)
{
    return start_plain(self, queue, tw_flush_start);
}

const char twpy_client_drain_doc[] =
    "drain($self, queue, /)\n--\n\n"
    "As flush, and for all that the spool holds of processes that ended.";

PyObject *twpy_client_drain(PyObject *self, PyObject *queue)
{
    return start_plain(self, queue, tw_drain_start);
}

const char twpy_client_close_start_doc[] =
    "close_start($self, queue, /)\n--\n\n"
    "Stop intake and start a flush that does not wait for what the spool keeps anyhow.";

PyObject *twpy_client_close_start(PyObject *self, PyObject *queue)
{
    return start_plain(self, queue, tw_close_start);
}

const char twpy_client_raw_doc[] =
    "raw($self, endpoint, path_values, query, content_type, body, queue, /)\n--\n\n"
    "Start a call of an endpoint by its name in the endpoint table.";

PyObject *twpy_client_raw(PyObject *self, PyObject *args)
{
    tw_raw_options options = TW_RAW_OPTIONS_INIT;
    const char **values = NULL;
    const char *endpoint;
    Py_buffer body = {0};
    PyObject *path;
    PyObject *queue;
    PyObject *result = NULL;
    tw_queue *core_queue;
    tw_error *err = NULL;
    tw_job *job = NULL;
    int rc;

    if (!PyArg_ParseTuple(args, "sO!zzz*O:raw", &endpoint, &PyTuple_Type, &path,
                          &options.query, &options.content_type, &body, &queue))
        return NULL;
    if (twpy_job_queue(twpy_state_of(self), queue, &core_queue) < 0 ||
        twpy_text_list(path, &values) < 0)
        goto out;
    options.path_values = values;
    options.body = body.buf;
    options.body_size = (size_t)body.len;
    rc = tw_raw_start(&job, twpy_client_core(self), endpoint, &options, core_queue, &err);
    result = job_or_raise(self, rc, job, err, queue);
out:
    PyMem_Free(values);
    if (body.obj != NULL)
        PyBuffer_Release(&body);
    return result;
}

/* ---- calls with arguments ------------------------------------------------------------ */

/* The arguments of a call being written: NULL with an exception set, or with `*foreign` set where
 * the hook may help; NULL for it where it already had its turn. */
static tw_arguments *arguments_write(PyObject *self, const char *endpoint, PyObject *dict,
                                     int *foreign)
{
    twpy_state *state = twpy_state_of(self);
    tw_arguments *args = NULL;
    tw_error *err = NULL;
    int rc = tw_arguments_begin(&args, twpy_client_core(self), endpoint, &err);
    int stopped = 0;

    if (rc != TW_OK) {
        twpy_raise(state, rc, err);
        return NULL;
    }
    rc = twpy_encode(state, tw_arguments_writer(args), dict, &stopped);
    if (foreign != NULL)
        *foreign = stopped;
    if (rc == TW_OK)
        return args;
    if ((foreign == NULL || !stopped) && !PyErr_Occurred()) {
        rc = tw_json_writer_error(tw_arguments_writer(args), &err);
        twpy_raise(state, rc, err);
    }
    tw_arguments_abort(args);
    return NULL;
}

static tw_arguments *arguments_make(PyObject *self, const char *endpoint, PyObject *dict,
                                    PyObject *hook)
{
    PyObject *plain;
    tw_arguments *args;
    int foreign = 0;

    args = arguments_write(self, endpoint, dict, &foreign);
    if (args != NULL || !foreign)
        return args;
    plain = twpy_plain(dict, hook);
    if (plain == NULL)
        return NULL;
    args = arguments_write(self, endpoint, plain, NULL);
    Py_DECREF(plain);
    return args;
}

const char twpy_client_call_doc[] =
    "call($self, endpoint, arguments, hook, queue, /)\n--\n\n"
    "Start a call with arguments by name; `hook` converts values that JSON does not have.";

PyObject *twpy_client_call(PyObject *self, PyObject *args)
{
    const char *endpoint;
    PyObject *dict;
    PyObject *hook;
    PyObject *queue;
    tw_arguments *given;
    tw_queue *core_queue;
    tw_error *err = NULL;
    tw_job *job = NULL;
    int rc;

    if (!PyArg_ParseTuple(args, "sO!OO:call", &endpoint, &PyDict_Type, &dict, &hook,
                          &queue) ||
        twpy_job_queue(twpy_state_of(self), queue, &core_queue) < 0)
        return NULL;
    given = arguments_make(self, endpoint, dict, hook);
    if (given == NULL)
        return NULL;
    rc = tw_arguments_start(&job, given, core_queue, &err);
    return job_or_raise(self, rc, job, err, queue);
}

const char twpy_client_estimate_doc[] =
    "estimate($self, endpoint, arguments, hook, /)\n--\n\n"
    "What a call with arguments would cost of its budget; nothing is sent.";

PyObject *twpy_client_estimate(PyObject *self, PyObject *args)
{
    const char *endpoint;
    PyObject *dict;
    PyObject *hook;
    tw_arguments *given;
    tw_error *err = NULL;
    int64_t cost;
    int rc;

    if (!PyArg_ParseTuple(args, "sO!O:estimate", &endpoint, &PyDict_Type, &dict, &hook))
        return NULL;
    given = arguments_make(self, endpoint, dict, hook);
    if (given == NULL)
        return NULL;
    rc = tw_arguments_estimate(&cost, given, &err);
    if (rc != TW_OK)
        return twpy_raise(twpy_state_of(self), rc, err);
    return PyLong_FromLongLong(cost);
}

/* UTF-8 of a str, borrowed from it. What has none (a lone surrogate) becomes a byte that every rule
 * of the core refuses: Python's own error would hold the text, which may be a secret. NULL with an
 * exception without memory. */
static const char *text_for_core(PyObject *text, Py_ssize_t *size)
{
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, size);

    if (utf8 != NULL || !PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
        return utf8;
    PyErr_Clear();
    *size = 1;
    return "\xFF";
}

const char twpy_client_set_mcp_token_doc[] =
    "set_mcp_token($self, token, /)\n--\n\n"
    "Put another token in the place of the option mcp_token; None for none.";

PyObject *twpy_client_set_mcp_token(PyObject *self, PyObject *token)
{
    const char *text = NULL;
    Py_ssize_t size = 0;
    tw_error *err = NULL;
    int rc;

    if (token != Py_None) {
        if (!PyUnicode_Check(token))
            return PyErr_Format(PyExc_TypeError, "the token must be str or None");
        text = text_for_core(token, &size);
        if (text == NULL)
            return NULL;
    }
    rc = tw_mcp_set_token(twpy_client_core(self), text, (size_t)size, &err);
    if (rc != TW_OK)
        return twpy_raise(twpy_state_of(self), rc, err);
    return Py_NewRef(Py_None);
}

/* ---- the tracking plan ---------------------------------------------------------------- */

const char twpy_client_taxonomy_pull_doc[] =
    "taxonomy_pull($self, part, queue, /)\n--\n\n"
    "Start reading the tracking plan: 0 the plan, 1 the state a diff needs, 2 all event\n"
    "properties.";

PyObject *twpy_client_taxonomy_pull(PyObject *self, PyObject *args)
{
    PyObject *queue;
    tw_queue *core_queue;
    tw_error *err = NULL;
    tw_job *job = NULL;
    int part;
    int rc;

    if (!PyArg_ParseTuple(args, "iO:taxonomy_pull", &part, &queue) ||
        twpy_job_queue(twpy_state_of(self), queue, &core_queue) < 0)
        return NULL;
    if (part < TW_TAXONOMY_PLAN || part > TW_TAXONOMY_EVENT_PROPERTIES)
        return PyErr_Format(PyExc_ValueError, "a plan has no part %d", part);
    rc = tw_taxonomy_pull_start(&job, twpy_client_core(self), (tw_taxonomy_part)part,
                                core_queue, &err);
    return job_or_raise(self, rc, job, err, queue);
}

/* ---- cohorts ------------------------------------------------------------------------- */

const char twpy_client_cohort_list_doc[] =
    "cohort_list($self, include_sync_info, queue, /)\n--\n\nStart listing the cohorts.";

PyObject *twpy_client_cohort_list(PyObject *self, PyObject *args)
{
    PyObject *queue;
    tw_queue *core_queue;
    tw_error *err = NULL;
    tw_job *job = NULL;
    int sync_info;
    int rc;

    if (!PyArg_ParseTuple(args, "pO:cohort_list", &sync_info, &queue) ||
        twpy_job_queue(twpy_state_of(self), queue, &core_queue) < 0)
        return NULL;
    rc = tw_cohorts_list_start(&job, twpy_client_core(self), sync_info, core_queue, &err);
    return job_or_raise(self, rc, job, err, queue);
}

/* Adds one id: str, or an int (Amplitude ids are numbers). */
static int ids_add(twpy_state *state, tw_ids *ids, PyObject *item)
{
    PyObject *text;
    const char *utf8;
    Py_ssize_t size;
    tw_error *err = NULL;
    int rc;

    if (PyUnicode_Check(item)) {
        text = Py_NewRef(item);
    } else if (PyLong_Check(item) && !PyBool_Check(item)) {
        text = PyObject_Str(item);
    } else {
        text = PyType_GetName(Py_TYPE(item));
        if (text != NULL)
            PyErr_Format(PyExc_TypeError, "ids[%zu] was of type %U: ids are str or int",
                         tw_ids_count(ids), text);
        Py_XDECREF(text);
        return -1;
    }
    utf8 = text != NULL ? text_for_core(text, &size) : NULL;
    rc = utf8 != NULL ? tw_ids_add(ids, utf8, (size_t)size, &err) : TW_OK;
    if (rc != TW_OK)
        twpy_raise(state, rc, err);
    Py_XDECREF(text);
    return PyErr_Occurred() ? -1 : 0;
}

/* Collects an iterable of ids; a str is refused, for it is never meant as one. */
static tw_ids *ids_of(twpy_state *state, PyObject *iterable)
{
    tw_ids *ids = NULL;
    tw_error *err = NULL;
    PyObject *iterator;
    PyObject *item;
    int rc;

    if (PyUnicode_Check(iterable) || PyBytes_Check(iterable)) {
        PyErr_SetString(PyExc_TypeError, "ids must be an iterable of str or int");
        return NULL;
    }
    iterator = PyObject_GetIter(iterable);
    if (iterator == NULL)
        return NULL;
    rc = tw_ids_new(&ids, &err);
    if (rc != TW_OK)
        twpy_raise(state, rc, err);
    while (rc == TW_OK && (item = PyIter_Next(iterator)) != NULL) {
        rc = ids_add(state, ids, item);
        Py_DECREF(item);
    }
    Py_DECREF(iterator);
    if (!PyErr_Occurred())
        return ids;
    tw_ids_free(ids);
    return NULL;
}

const char twpy_client_cohort_upload_doc[] =
    "cohort_upload($self, ids, name, app_id, owner, id_type, published, group, "
    "existing_cohort_id, skip_save, skip_invalid_ids, queue, /)\n--\n\n"
    "Start an upload of ids as a new cohort or as the contents of an existing one.";

PyObject *twpy_client_cohort_upload(PyObject *self, PyObject *args)
{
    tw_cohort_upload_options options = TW_COHORT_UPLOAD_OPTIONS_INIT;
    twpy_state *state = twpy_state_of(self);
    long long app_id;
    PyObject *iterable;
    PyObject *queue;
    tw_queue *core_queue;
    tw_error *err = NULL;
    tw_job *job = NULL;
    tw_ids *ids;
    int rc;

    if (!PyArg_ParseTuple(args, "OsLsspzzppO:cohort_upload", &iterable, &options.name,
                          &app_id, &options.owner, &options.id_type, &options.published,
                          &options.group, &options.existing_cohort_id, &options.skip_save,
                          &options.skip_invalid_ids, &queue) ||
        twpy_job_queue(state, queue, &core_queue) < 0)
        return NULL;
    options.app_id = app_id;
    ids = ids_of(state, iterable);
    if (ids == NULL)
        return NULL;
    rc = tw_cohort_upload_start(&job, twpy_client_core(self), &options, ids, core_queue,
                                &err);
    if (rc != TW_OK)
        tw_ids_free(ids);
    return job_or_raise(self, rc, job, err, queue);
}

const char twpy_client_cohort_update_doc[] =
    "cohort_update($self, cohort_id, ids, id_type, operation, skip_invalid_ids, queue, /)\n--\n\n"
    "Start adding ids to a cohort or removing them.";

PyObject *twpy_client_cohort_update(PyObject *self, PyObject *args)
{
    twpy_state *state = twpy_state_of(self);
    const char *id;
    const char *id_type;
    const char *operation;
    PyObject *iterable;
    PyObject *queue;
    tw_queue *core_queue;
    tw_error *err = NULL;
    tw_job *job = NULL;
    tw_ids *ids;
    int skip_invalid;
    int rc;

    if (!PyArg_ParseTuple(args, "sOsspO:cohort_update", &id, &iterable, &id_type,
                          &operation, &skip_invalid, &queue) ||
        twpy_job_queue(state, queue, &core_queue) < 0)
        return NULL;
    ids = ids_of(state, iterable);
    if (ids == NULL)
        return NULL;
    rc = tw_cohort_update_start(&job, twpy_client_core(self), id, id_type, operation,
                                skip_invalid, ids, core_queue, &err);
    if (rc != TW_OK)
        tw_ids_free(ids);
    return job_or_raise(self, rc, job, err, queue);
}
