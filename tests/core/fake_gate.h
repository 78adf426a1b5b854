/* SPDX-License-Identifier: MIT */
/*
 * The gate, the loop and the jobs as ingestion sees them, worked by hand: a test includes
 * this and then the sources of ingestion, whose calls come here. Time and randomness are
 * the test's, too.
 */
#ifndef TW_TESTS_FAKE_GATE_H
#define TW_TESTS_FAKE_GATE_H

#define tw__call_start fake_call_start
#define tw__call_cancel fake_call_cancel
#define tw__call_resume fake_call_resume
#define tw__gate_loop fake_gate_loop
#define tw__gate_api_key fake_gate_api_key
#define tw__gate_redact fake_gate_redact
#define tw__loop_post fake_loop_post
#define tw__loop_withdraw fake_loop_withdraw
#define tw__loop_ref fake_loop_ref
#define tw__loop_unref fake_loop_unref
#define tw__timer_arm fake_timer_arm
#define tw__timer_disarm fake_timer_disarm
#define tw__job_new fake_job_new
#define tw__job_submit fake_job_submit
#define tw__job_retain fake_job_retain
#define tw__job_release fake_job_release
#define tw__job_finish fake_job_finish
#define tw__job_finished fake_job_finished
#define tw__job_state fake_job_state
#define tw_job_unref fake_job_unref

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "base/redact.h"
#include "gate/call.h"
#include "gate/gate.h"
#include "net/job.h"
#include "net/loop.h"

struct tw_call {
    tw_call **slot;
    tw_call_sink sink;
    void *ctx;
    tw_endpoint_id endpoint;
    unsigned flags;
    const char *encoding;
    const char *body;
    size_t size;
};

struct tw_loop {
    pthread_mutex_t lock;
    tw_task *head;
    tw_task *tail;
    tw_timer *timer; /* ingestion has one */
    int refs;
    int post_code;         /* what a post answers */
    void (*in_post)(void); /* what another thread does meanwhile */
    int arm_code;
};

struct tw_gate {
    tw_loop loop;
    tw_call *call;  /* on the wire */
    int start_code; /* what a start answers */
    int most_calls; /* at the same time */
};

struct tw_job {
    const tw_job_kind *kind;
    void *state;
    int refs;
    int finished;
    int started;
    tw_error *err;
    tw_loop *loop;
    tw_task task;
};

static struct {
    int64_t now_ms;
    int64_t wall_ms;
    uint64_t random; /* 0: counts up */
    uint64_t counter;
} fake;

static int64_t fake_monotonic(void *ctx)
{
    (void)ctx;
    return fake.now_ms;
}

static int64_t fake_wall(void *ctx)
{
    (void)ctx;
    return fake.wall_ms;
}

static void fake_random(void *ctx, void *bytes, size_t size)
{
    uint64_t value = fake.random != 0
                         ? fake.random
                         : __atomic_add_fetch(&fake.counter, 1, __ATOMIC_RELAXED) *
                               UINT64_C(0x9E3779B97F4A7C15);
    size_t at;

    (void)ctx;
    for (at = 0; at < size; at += sizeof value)
        memcpy((char *)bytes + at, &value,
               size - at < sizeof value ? size - at : sizeof value);
}

/* ---- calls ------------------------------------------------------------------------- */

int fake_call_start(tw_call **slot, tw_gate *gate, const tw_call_spec *spec,
                    const tw_call_sink *sink, void *ctx, tw_error **err)
{
    tw_call *call;

    if (gate->start_code != TW_OK)
        return tw__error(err, gate->start_code, "the fake gate was told to");
    call = tw__alloc_zero(1, sizeof *call);
    if (call == NULL)
        return tw__error_nomem(err);
    call->slot = slot;
    call->sink = *sink;
    call->ctx = ctx;
    call->endpoint = spec->endpoint;
    call->flags = spec->flags;
    call->encoding = spec->content_encoding;
    call->body = spec->body;
    call->size = spec->body_size;
    if (gate->call != NULL)
        gate->most_calls = 2;
    gate->call = call;
    *slot = call;
    return TW_OK;
}

static void fake_call_end(tw_gate *gate, const tw_outcome *outcome)
{
    tw_call *call = gate->call;

    gate->call = NULL;
    *call->slot = NULL;
    call->sink.done(call->ctx, outcome);
    tw__free(call);
}

static tw_gate *fake_gate_now; /* a call does not know its gate */

void fake_call_cancel(tw_call *call)
{
    tw_outcome outcome;

    (void)call;
    memset(&outcome, 0, sizeof outcome);
    outcome.err = NULL;
    outcome.body = "";
    outcome.head.retry_after_ms = -1;
    outcome.stored = TW_STORED_MAYBE;
    fake_call_end(fake_gate_now, &outcome);
}

void fake_call_resume(tw_call *call)
{
    (void)call;
}

tw_loop *fake_gate_loop(tw_gate *gate)
{
    return &gate->loop;
}

const char *fake_gate_api_key(const tw_gate *gate)
{
    (void)gate;
    return "k\"1";
}

void fake_gate_redact(const tw_gate *gate, char *text)
{
    (void)gate;
    tw__redact(text, "k\"1", 3, "***");
}

/* ---- the loop ---------------------------------------------------------------------- */

int fake_loop_post(tw_loop *loop, tw_task *task)
{
    int code;

    if (loop->in_post != NULL)
        loop->in_post();
    pthread_mutex_lock(&loop->lock);
    code = loop->post_code;
    if (!task->queued && code == TW_OK) {
        task->queued = 1;
        task->next = NULL;
        if (loop->tail != NULL)
            loop->tail->next = task;
        else
            loop->head = task;
        loop->tail = task;
    }
    pthread_mutex_unlock(&loop->lock);
    return code;
}

static tw_task *fake_loop_take(tw_loop *loop)
{
    tw_task *task;

    pthread_mutex_lock(&loop->lock);
    task = loop->head;
    if (task != NULL) {
        loop->head = task->next;
        if (loop->head == NULL)
            loop->tail = NULL;
        task->queued = 0;
    }
    pthread_mutex_unlock(&loop->lock);
    return task;
}

int fake_loop_withdraw(tw_loop *loop, tw_task *task)
{
    tw_task *head;
    tw_task *next;
    int was = 0;

    pthread_mutex_lock(&loop->lock);
    head = loop->head;
    loop->head = NULL;
    loop->tail = NULL;
    for (; head != NULL; head = next) {
        next = head->next;
        if (head == task) {
            task->queued = 0;
            was = 1;
            continue;
        }
        head->next = NULL;
        if (loop->tail != NULL)
            loop->tail->next = head;
        else
            loop->head = head;
        loop->tail = head;
    }
    pthread_mutex_unlock(&loop->lock);
    return was;
}

tw_loop *fake_loop_ref(tw_loop *loop)
{
    loop->refs++;
    return loop;
}

void fake_loop_unref(tw_loop *loop)
{
    loop->refs--;
}

int fake_timer_arm(tw_loop *loop, tw_timer *timer, int64_t due_ms)
{
    if (loop->arm_code != TW_OK)
        return loop->arm_code;
    timer->due_ms = due_ms;
    timer->slot = 1;
    loop->timer = timer;
    return TW_OK;
}

void fake_timer_disarm(tw_loop *loop, tw_timer *timer)
{
    timer->slot = 0;
    loop->timer = NULL;
}

/* Runs what is queued and due, until nothing is. */
static void fake_run(tw_gate *gate)
{
    for (;;) {
        tw_task *task = fake_loop_take(&gate->loop);
        tw_timer *timer = gate->loop.timer;

        if (task != NULL) {
            task->run(task);
        } else if (timer != NULL && timer->due_ms <= fake.now_ms) {
            timer->slot = 0;
            gate->loop.timer = NULL;
            timer->fire(timer);
        } else {
            return;
        }
    }
}

/* ---- jobs -------------------------------------------------------------------------- */

static void fake_job_drop(tw_job *job)
{
    if (--job->refs != 0)
        return;
    job->kind->release(job->state);
    tw_error_free(job->err);
    tw__free(job);
}

void fake_job_retain(tw_job *job)
{
    job->refs++;
}

void fake_job_release(tw_job *job)
{
    fake_job_drop(job);
}

static void fake_job_run(tw_task *task)
{
    tw_job *job = TW_CONTAINER(task, tw_job, task);

    if (!job->finished)
        job->kind->start(job, job->state);
}

int fake_job_new(tw_job **out, tw_loop *loop, tw_queue *queue, const tw_job_kind *kind,
                 void *state, tw_error **err)
{
    tw_job *job = tw__alloc_zero(1, sizeof *job);

    (void)queue;
    *out = job;
    if (job == NULL)
        return tw__error_nomem(err);
    job->kind = kind;
    job->state = state;
    job->refs = 2;
    job->loop = loop;
    job->task.run = fake_job_run;
    return TW_OK;
}

int fake_job_submit(tw_job *job, tw_error **err)
{
    int rc = fake_loop_post(job->loop, &job->task);

    if (rc == TW_OK)
        return TW_OK;
    tw__error(err, rc, "the fake loop was told to");
    fake_job_finish(job, NULL, tw__error_copy(err != NULL ? *err : NULL));
    return rc;
}

void fake_job_finish(tw_job *job, tw_reply *rsp, tw_error *err)
{
    (void)rsp;
    if (job->finished)
        abort(); /* ingestion finishes each job once */
    job->finished = 1;
    job->err = err;
    fake_loop_withdraw(job->loop, &job->task);
    fake_job_drop(job);
}

int fake_job_finished(const tw_job *job)
{
    return job->finished;
}

void *fake_job_state(const tw_job *job, const tw_job_kind *kind)
{
    return job != NULL && job->kind == kind ? job->state : NULL;
}

void fake_job_unref(tw_job *job)
{
    fake_job_drop(job);
}

static void fake_gate_init(tw_gate *gate)
{
    static const tw_clock clock = {fake_monotonic, fake_wall, NULL};

    memset(gate, 0, sizeof *gate);
    pthread_mutex_init(&gate->loop.lock, NULL);
    fake.now_ms = 1000000;
    fake.wall_ms = INT64_C(1767225600000);
    fake.random = 0;
    fake_gate_now = gate;
    tw__clock_set(&clock);
    tw__random_set(fake_random, NULL);
}

static void fake_gate_clear(tw_gate *gate)
{
    pthread_mutex_destroy(&gate->loop.lock);
    tw__clock_set(NULL);
    tw__random_set(NULL, NULL);
}

#endif
