/* SPDX-License-Identifier: MIT */
/* What the files of the Python module share: its state, the helpers, the job base. */
#ifndef TW_PYTHON_STATE_H
#define TW_PYTHON_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include <tidewheel/tidewheel.h>

enum {
    TWPY_CODES = 19,     /* tw_code values 0, -1 ... -18 */
    TWPY_TEXTS = 4096,   /* slots of the key cache; a power of two */
    TWPY_TEXT_MAX = 64,  /* longest cached key in bytes */
    TWPY_VALUE_MAX = 24, /* longest cached value */
    TWPY_KEYS = 1024,    /* slots of the cache of keys written; a power of two */
    TWPY_MAX_DEPTH = 64  /* deepest nesting read in an answer */
};

/* A key string made before. `utf8` belongs to `text`. */
typedef struct twpy_text {
    PyObject *text;
    const char *utf8;
    uint32_t hash;
    uint32_t size;
} twpy_text;

/* A key written before: found by its object, whose text never changes. */
typedef struct twpy_key {
    PyObject *text; /* exactly a str; NULL in an empty slot */
    const void
        *missed; /* one of the last two keys that were in neither slot; only compared */
    tw_json_key ready;
} twpy_key;

typedef struct twpy_state {
    PyTypeObject *client_type;
    PyTypeObject *queue_type;
    PyTypeObject *job_type;
    PyTypeObject *lines_type;
    PyTypeObject *records_type;
    PyObject *errors[TWPY_CODES]; /* exception class of code -i, NULL for 0 */
    twpy_text *texts;             /* keys read before; made at first use */
    twpy_text *values;            /* short string values, of the same size */
    twpy_key *keys;               /* keys written before; made at first use */
    void *keys_memory;            /* where they lie */
    int dicts_in_place;           /* whether they are read so: see dict_check.h */
} twpy_state;

/* Types are final, so the type of an instance is always the one the module made. */
static inline twpy_state *twpy_state_of(PyObject *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}

/* ---- errors.c ------------------------------------------------------------------------ */

int twpy_errors_init(twpy_state *state);
/* Raises the class of the code with all details; frees `err`. Returns NULL. */
/* The exception that stands for the error, not raised. */
PyObject *twpy_error(twpy_state *state, const tw_error *err);
PyObject *twpy_raise(twpy_state *state, int code, tw_error *err);
/* The same with a message of the binding's own. */
PyObject *twpy_raise_text(twpy_state *state, int code, const char *message);

/* ---- encode.c ------------------------------------------------------------------------ */

/* Writes one value. TW_OK, or the writer's code; TW_E_INVALID with an exception set when
 * Python failed. `*foreign` becomes 1 where a value of no JSON type stopped it. Runs no code
 * of the user's. */
int twpy_encode(twpy_state *state, tw_json_writer *wr, PyObject *value, int *foreign);
/* A copy of `value` in which `hook` replaced everything that is of no JSON type. */
PyObject *twpy_plain(PyObject *value, PyObject *hook);

/* ---- decode.c ------------------------------------------------------------------------ */

typedef struct twpy_decoder twpy_decoder;

/* `fields`: a tuple of str, the only top-level keys wanted, or NULL. */
twpy_decoder *twpy_decoder_new(twpy_state *state, size_t max_bytes, PyObject *fields);
void twpy_decoder_free(twpy_decoder *dec);
/* One document to one value; NULL with an exception set. `index` (-1: none) is the line's
 * number for the error. */
PyObject *twpy_decode(twpy_decoder *dec, const char *text, size_t size, int64_t index);
/* The same for a document on its own. */
PyObject *twpy_decode_one(twpy_state *state, const char *text, size_t size);

/* ---- jobs (type_job.c) --------------------------------------------------------------- */

/* The head of every job type. */
typedef struct twpy_job {
    PyObject_HEAD
    tw_job *job;      /* NULL once closed */
    PyObject *client; /* anchors the client */
    PyObject *queue;  /* the Queue its news go to, or NULL for one of its own */
    int busy;         /* a thread waits in it without the interpreter lock */
} twpy_job;

/* Makes the object for a started job; takes `job` always. */
PyObject *twpy_job_wrap(PyTypeObject *type, tw_job *job, PyObject *client,
                        PyObject *queue);
/* The core's queue of a `queue` argument (Queue or None); -1 with an exception set. */
int twpy_job_queue(twpy_state *state, PyObject *queue, tw_queue **out);
/* Waits for news until `timeout_ms` passed (-1: no limit): 1 news, 0 time is up, -1 exception. */
int twpy_job_wait(twpy_job *self, int64_t timeout_ms);
/* 0 when the calling thread may use the job; -1 with an exception set. */
int twpy_job_enter(twpy_job *self);
/* Cancels and lets go. */
void twpy_job_close(twpy_job *self);
int twpy_job_traverse(PyObject *self, visitproc visit, void *arg);
int twpy_job_clear(PyObject *self);
/* Seconds (float, int or None) to milliseconds, None = -1; -2 with an exception set. */
int64_t twpy_milliseconds(PyObject *seconds);
int64_t twpy_now_ms(void);

/* Methods every job type has. */
PyObject *twpy_job_py_wait(PyObject *self, PyObject *timeout);
PyObject *twpy_job_py_cancel(PyObject *self, PyObject *unused);
PyObject *twpy_job_py_close(PyObject *self, PyObject *unused);
PyObject *twpy_job_py_fileno(PyObject *self, PyObject *unused);
PyObject *twpy_job_py_progress(PyObject *self, PyObject *unused);
PyObject *twpy_job_get_done(PyObject *self, void *unused);

extern const char twpy_job_wait_doc[], twpy_job_cancel_doc[], twpy_job_close_doc[],
    twpy_job_fileno_doc[], twpy_job_progress_doc[], twpy_job_done_doc[];

#define TWPY_JOB_METHODS                                                     \
    {"wait", twpy_job_py_wait, METH_O, twpy_job_wait_doc},                   \
        {"cancel", twpy_job_py_cancel, METH_NOARGS, twpy_job_cancel_doc},    \
        {"close", twpy_job_py_close, METH_NOARGS, twpy_job_close_doc},       \
        {"fileno", twpy_job_py_fileno, METH_NOARGS, twpy_job_fileno_doc},    \
    {                                                                        \
        "progress", twpy_job_py_progress, METH_NOARGS, twpy_job_progress_doc \
    }

/* ---- streams (type_lines.c, type_records.c) ------------------------------------------ */

/* A job that hands out blocks. */
typedef struct twpy_stream {
    twpy_job head;
    tw_block *block; /* the one being read, or NULL */
    int64_t row;     /* rows handed out so far */
    int ended;       /* read whole, failed, or closed: nothing more comes */
} twpy_stream;

/* Sees to it that there is a block: 1 there is, 0 the stream ended, -1 exception, 2 nothing yet
 * (only without `wait`). */
int twpy_stream_fill(twpy_stream *self, int wait);
/* Ends the stream early. */
void twpy_stream_stop(twpy_stream *self);
PyObject *twpy_stream_py_close(PyObject *self, PyObject *unused);
int twpy_stream_clear(PyObject *self);

#define TWPY_STREAM_METHODS                                                  \
    {"wait", twpy_job_py_wait, METH_O, twpy_job_wait_doc},                   \
        {"cancel", twpy_job_py_cancel, METH_NOARGS, twpy_job_cancel_doc},    \
        {"close", twpy_stream_py_close, METH_NOARGS, twpy_job_close_doc},    \
        {"fileno", twpy_job_py_fileno, METH_NOARGS, twpy_job_fileno_doc},    \
    {                                                                        \
        "progress", twpy_job_py_progress, METH_NOARGS, twpy_job_progress_doc \
    }

/* ---- types --------------------------------------------------------------------------- */

/* A `cl` argument of the client's methods that start jobs lives in type_client.c. */
tw_client *twpy_client_core(PyObject *client);

extern PyType_Spec twpy_client_spec, twpy_queue_spec, twpy_job_spec, twpy_lines_spec,
    twpy_records_spec;

/* The texts of a tuple of str as a NULL-ended list that borrows from it; freed by PyMem_Free
 * also on failure. */
int twpy_text_list(PyObject *tuple, const char ***out);

/* Functions of the module about spool folders. */
PyObject *twpy_spool_inspect(PyObject *module, PyObject *path);
PyObject *twpy_spool_check(PyObject *module, PyObject *path);
PyObject *twpy_spool_purge(PyObject *module, PyObject *args);
extern const char twpy_spool_inspect_doc[], twpy_spool_check_doc[],
    twpy_spool_purge_doc[];

/* Methods of Client that start jobs; they stand in calls.c or with the type they make. */
PyObject *twpy_client_flush(PyObject *self, PyObject *queue);
PyObject *twpy_client_drain(PyObject *self, PyObject *queue);
PyObject *twpy_client_close_start(PyObject *self, PyObject *queue);
PyObject *twpy_client_raw(PyObject *self, PyObject *args);
PyObject *twpy_client_call(PyObject *self, PyObject *args);
PyObject *twpy_client_estimate(PyObject *self, PyObject *args);
PyObject *twpy_client_set_mcp_token(PyObject *self, PyObject *token);
PyObject *twpy_client_taxonomy_pull(PyObject *self, PyObject *args);
PyObject *twpy_client_export(PyObject *self, PyObject *args);
PyObject *twpy_client_cohort_list(PyObject *self, PyObject *args);
PyObject *twpy_client_cohort_download(PyObject *self, PyObject *args);
PyObject *twpy_client_cohort_upload(PyObject *self, PyObject *args);
PyObject *twpy_client_cohort_update(PyObject *self, PyObject *args);

extern const char twpy_client_flush_doc[], twpy_client_drain_doc[],
    twpy_client_close_start_doc[], twpy_client_raw_doc[], twpy_client_call_doc[],
    twpy_client_estimate_doc[], twpy_client_set_mcp_token_doc[], twpy_client_export_doc[],
    twpy_client_cohort_list_doc[], twpy_client_cohort_download_doc[],
    twpy_client_cohort_upload_doc[], twpy_client_cohort_update_doc[],
    twpy_client_taxonomy_pull_doc[];

#define TWPY_STARTER(name, flags)                                  \
    {                                                              \
#name, twpy_client_##name, flags, twpy_client_##name##_doc \
    }
#define TWPY_CLIENT_STARTERS                                                     \
    TWPY_STARTER(flush, METH_O), TWPY_STARTER(drain, METH_O),                    \
        TWPY_STARTER(close_start, METH_O), TWPY_STARTER(raw, METH_VARARGS),      \
        TWPY_STARTER(call, METH_VARARGS), TWPY_STARTER(estimate, METH_VARARGS),  \
        TWPY_STARTER(set_mcp_token, METH_O), TWPY_STARTER(export, METH_VARARGS), \
        TWPY_STARTER(cohort_list, METH_VARARGS),                                 \
        TWPY_STARTER(cohort_download, METH_VARARGS),                             \
        TWPY_STARTER(cohort_upload, METH_VARARGS),                               \
        TWPY_STARTER(cohort_update, METH_VARARGS),                               \
        TWPY_STARTER(taxonomy_pull, METH_VARARGS)

#endif
