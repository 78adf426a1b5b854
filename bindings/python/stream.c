/* SPDX-License-Identifier: MIT */
/* What the two kinds of streams share: getting the next block, ending early. */
#include "state.h"

void twpy_stream_stop(twpy_stream *self)
{
    tw_block *block = self->block;

    self->block = NULL;
    self->ended = 1;
    tw_block_free(block);
    twpy_job_close(&self->head);
}

int twpy_stream_fill(twpy_stream *self, int wait)
{
    tw_error *err = NULL;
    int rc;

    if (self->block != NULL)
        return 1;
    if (self->ended)
        return 0;
    if (twpy_job_enter(&self->head) < 0)
        return -1;
    rc = tw_job_next(&self->block, self->head.job, &err);
    while (rc == TW_AGAIN) {
        if (!wait)
            return 2;
        if (twpy_job_wait(&self->head, -1) < 0)
            return -1;
        rc = tw_job_next(&self->block, self->head.job, &err);
    }
    if (rc == TW_OK)
        return 1;
    self->ended = 1;
    if (rc == TW_DONE)
        return 0;
    twpy_raise(twpy_state_of((PyObject *)self), rc, err);
    return -1;
}

PyObject *twpy_stream_py_close(PyObject *op, PyObject *unused)
{
    twpy_stream *self = (twpy_stream *)op;

    (void)unused;
    if (self->head.busy)
        return PyErr_Format(PyExc_RuntimeError,
                            "the stream is being read in another thread; cancel it");
    twpy_stream_stop(self);
    Py_RETURN_NONE;
}

/* The block goes before the job it came from. */
int twpy_stream_clear(PyObject *op)
{
    twpy_stream_stop((twpy_stream *)op);
    return twpy_job_clear(op);
}
