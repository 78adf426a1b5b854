/* SPDX-License-Identifier: MIT */
/* What jobs hand out: replies and blocks of lines. */
#include <string.h>

#include <tidewheel/call.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "net/job_internal.h"

#define RESULT_MOST ((size_t)1 << 30)

struct tw_reply {
    int status;
    char *body;
    size_t size;
    tw_reply_form form;
};

int tw__reply_new(tw_reply **out, int status, char *body, size_t size)
{
    tw_reply *rsp = tw__alloc(sizeof *rsp);

    *out = rsp;
    if (rsp == NULL)
        return TW_E_NOMEM;
    rsp->status = status;
    rsp->body = body;
    rsp->size = size;
    rsp->form = NULL;
    return TW_OK;
}

void tw__reply_set_form(tw_reply *rsp, tw_reply_form form)
{
    rsp->form = form;
}

void tw__reply_free(tw_reply *rsp)
{
    if (rsp == NULL)
        return;
    tw__free(rsp->body);
    tw__free(rsp);
}

int tw_reply_status(const tw_reply *rsp)
{
    return rsp->status;
}

const char *tw_reply_body(const tw_reply *rsp, size_t *size)
{
    *size = rsp->size;
    return rsp->body != NULL ? rsp->body : "";
}

int tw_reply_result(char **out, size_t *size, const tw_reply *rsp, tw_error **err)
{
    tw_buf text;
    int rc;

    *out = NULL;
    *size = 0;
    tw__buf_init(&text, RESULT_MOST);
    rc = rsp->form != NULL ? rsp->form(&text, rsp->body, rsp->size, err)
                           : tw__buf_put(&text, rsp->body, rsp->size);
    if (rc == TW_OK) {
        *out = tw__buf_take(&text, size);
        rc = *out != NULL ? TW_OK : TW_E_NOMEM;
    }
    tw__buf_clear(&text);
    if (rc == TW_E_NOMEM)
        return tw__error_nomem(err);
    if (rc != TW_OK && err != NULL)
        tw__error_set_stored(*err, TW_STORED_MAYBE); /* there was an answer, after all */
    return rc;
}

int tw__block_new(tw_block **out, char *data, size_t size)
{
    tw_block *block = tw__alloc_zero(1, sizeof *block);

    *out = block;
    if (block == NULL)
        return TW_E_NOMEM;
    block->data = data;
    block->size = size;
    return TW_OK;
}

void tw__block_view(tw_block *block, tw_block_view *view)
{
    view->data = block->data;
    view->size = block->size;
    view->offset = &block->offset;
    view->scratch = &block->scratch;
}

int tw_block_next_line(const char **text, size_t *size, tw_block *block)
{
    while (block->offset < block->size) {
        const char *line = block->data + block->offset;
        size_t left = block->size - block->offset;
        const char *end = memchr(line, '\n', left);
        size_t length = end != NULL ? (size_t)(end - line) : left;

        block->offset += end != NULL ? length + 1 : length;
        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (length > 0) {
            *text = line;
            *size = length;
            return TW_OK;
        }
    }
    *text = NULL;
    *size = 0;
    return TW_DONE;
}

const char *tw_block_data(const tw_block *block, size_t *size)
{
    *size = block->size;
    return block->data;
}

/* A post that finds no thread or a closed loop needs no answer: nobody reads on then.
 * @locks takes job->lock */
static void block_tell(tw_job *job)
{
    int post;

    pthread_mutex_lock(&job->lock);
    job->ready--;
    post = job->kind->drained != NULL && !job->finished && !job->drain_posted;
    if (post) {
        job->drain_posted = 1;
        tw__job_retain(job);
    }
    pthread_mutex_unlock(&job->lock);
    if (post && tw__loop_post(job->loop, &job->drain_task) == TW_E_CLOSED)
        tw__job_release(job);
}

void tw_block_free(tw_block *block)
{
    tw_job *job;

    if (block == NULL)
        return;
    job = block->job;
    tw__free(block->data);
    tw__free(block->scratch);
    tw__free(block);
    if (job != NULL && job->pid == tw__pid()) {
        block_tell(job);
        tw__job_release(job);
    }
}
