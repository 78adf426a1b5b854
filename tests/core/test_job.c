/* SPDX-License-Identifier: MIT */
/* Jobs, queues and blocks: results, news, waiting, lifetimes, forks; by hand and with threads. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "net/job.h"
#include "support/oom.h"

/* A kind that notes what is asked of it. */
typedef struct work {
    tw_job *job;
    int at_start; /* blocks to push and then: */
    int finish;   /* finish at start */
    int started, canceled, cancel_code, drained;
    int forgetful; /* cancel does not finish */
} work;

static void push_text(tw_job *job, const char *text)
{
    tw_block *block;

    assert_int_equal(tw__block_new(&block, tw__strdup(text), strlen(text)), TW_OK);
    tw__job_push(job, block);
}

static tw_loop *loop;
static atomic_int released;

static void work_start(tw_job *job, void *state)
{
    work *wk = state;
    int i;

    wk->job = job;
    wk->started++;
    for (i = 0; i < wk->at_start; i++)
        push_text(job, "a\nb\n");
    if (wk->finish) {
        tw_reply *rsp = NULL;

        tw__reply_new(&rsp, 200, tw__strdup("{}"), 2);
        tw__job_finish(job, rsp, NULL);
    }
}

static void work_cancel(tw_job *job, void *state, int code)
{
    work *wk = state;
    tw_error *err = NULL;

    wk->canceled++;
    wk->cancel_code = code;
    if (wk->forgetful)
        return;
    tw__error(&err, code, "the work was stopped");
    tw__job_finish(job, NULL, err);
}

static void work_drained(tw_job *job, void *state)
{
    work *wk = state;

    (void)job;
    wk->drained++;
}

static void work_release(void *state)
{
    (void)state; /* may be gone: a job lives a little longer than its last handle */
    atomic_fetch_add(&released, 1);
}

static const tw_job_kind kind = {work_start, work_cancel, work_drained, work_release};

static int setup(void **state)
{
    (void)state;
    atomic_store(&released, 0);
    return tw__loop_new(&loop, NULL, NULL, TW_LOOP_BY_HAND, NULL);
}

static int setup_thread(void **state)
{
    (void)state;
    atomic_store(&released, 0);
    return tw__loop_new(&loop, NULL, NULL, 0, NULL);
}

static int teardown(void **state)
{
    (void)state;
    tw__loop_close(loop);
    tw__loop_unref(loop);
    return 0;
}

static tw_job *job_of(work *wk, tw_queue *queue)
{
    tw_job *job;

    assert_int_equal(tw__job_new(&job, loop, queue, &kind, wk, NULL), TW_OK);
    assert_int_equal(tw__job_submit(job, NULL), TW_OK);
    return job;
}

static int readable(int fd)
{
    struct pollfd item = {fd, POLLIN, 0};

    return poll(&item, 1, 0) == 1;
}

/* ---- results ------------------------------------------------------------------------------- */

static void a_result_is_there_when_done(void **state)
{
    tw_job_progress progress = TW_JOB_PROGRESS_INIT;
    work wk = {.finish = 1};
    tw_job *job = job_of(&wk, NULL);
    const tw_reply *rsp;
    size_t size;

    (void)state;
    assert_int_equal(tw_job_done(job), 0);
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_AGAIN);
    tw_job_get_progress(job, &progress);
    assert_string_equal(progress.phase, "waiting");
    assert_false(readable(tw_job_fd(job)));
    tw__loop_turn(loop, 0);
    assert_true(readable(tw_job_fd(job)));
    assert_int_equal(tw_job_done(job), 1);
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_OK);
    assert_int_equal(tw_reply_status(rsp), 200);
    assert_string_equal(tw_reply_body(rsp, &size), "{}");
    tw_job_get_progress(job, &progress);
    assert_string_equal(progress.phase, "done");
    tw_job_set_user(job, &wk);
    assert_ptr_equal(tw_job_user(job), &wk);
    assert_int_equal(atomic_load(&released), 0);
    tw_job_unref(job);
    assert_int_equal(atomic_load(&released), 1);
}

static void the_first_outcome_counts(void **state)
{
    work wk = {0};
    tw_job *job = job_of(&wk, NULL);
    const tw_reply *rsp;
    tw_error *err = NULL, *second = NULL;

    (void)state;
    tw__loop_turn(loop, 0);
    tw__job_count(job, 2, 300);
    tw__job_set_id(job, "abc");
    tw__error(&err, TW_E_SERVER, "first");
    tw__error(&second, TW_E_HTTP, "second");
    tw__job_finish(job, NULL, err);
    tw__job_finish(job, NULL, second);
    err = NULL;
    assert_int_equal(tw_job_result(&rsp, job, &err), TW_E_SERVER);
    assert_null(rsp);
    assert_string_equal(tw_error_message(err), "first");
    tw_error_free(err);
    tw_job_unref(job);
}

static void progress_of_an_older_caller_fits(void **state)
{
    tw_job_progress progress;
    work wk = {0};
    tw_job *job = job_of(&wk, NULL);

    (void)state;
    tw__loop_turn(loop, 0);
    tw__job_count(job, 2, 300);
    tw__job_set_id(job, "abc");
    memset(&progress, 0x55, sizeof progress);
    progress.size = offsetof(tw_job_progress, bytes_received);
    tw_job_get_progress(job, &progress);
    assert_int_equal(progress.requests, 2);
    assert_int_equal((unsigned char)progress.id[0], 0x55);
    progress.size = sizeof progress;
    tw_job_get_progress(job, &progress);
    assert_int_equal(progress.bytes_received, 300);
    assert_string_equal(progress.id, "abc");
    tw_job_unref(job);
    tw__loop_close(loop); /* while its state is there */
}

static void cancel_is_asked_once(void **state)
{
    work wk = {0};
    tw_job *job = job_of(&wk, NULL);
    const tw_reply *rsp;

    (void)state;
    tw__loop_turn(loop, 0);
    tw_job_cancel(job);
    tw_job_cancel(job);
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_AGAIN);
    tw__loop_turn(loop, 0);
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_E_CANCELED);
    tw_job_cancel(job);
    tw__loop_turn(loop, 0);
    assert_int_equal(wk.canceled, 1);
    tw_job_unref(job);
}

static void the_last_reference_cancels(void **state)
{
    work wk = {0};
    tw_job *job = job_of(&wk, NULL);

    (void)state;
    tw__loop_turn(loop, 0);
    tw_job_unref(tw_job_ref(job));
    tw__loop_turn(loop, 0);
    assert_int_equal(wk.canceled, 0);
    tw_job_unref(job);
    assert_int_equal(atomic_load(&released), 0); /* the I/O thread still has it */
    tw__loop_turn(loop, 0);
    assert_int_equal(wk.canceled, 1);
    assert_int_equal(wk.cancel_code, TW_E_CANCELED);
    assert_int_equal(atomic_load(&released), 1);
}

static void a_forgetful_kind_is_finished_all_the_same(void **state)
{
    work wk = {.forgetful = 1};
    tw_job *job = job_of(&wk, NULL);
    const tw_reply *rsp;

    (void)state;
    tw__loop_turn(loop, 0);
    tw_job_cancel(job);
    tw__loop_turn(loop, 0);
    assert_int_equal(tw_job_result(&rsp, job, NULL), TW_E_CANCELED);
    tw_job_unref(job);
}

static void a_job_that_was_never_submitted_goes(void **state)
{
    work wk = {0};
    tw_job *job;

    (void)state;
    assert_int_equal(tw__job_new(&job, loop, NULL, &kind, &wk, NULL), TW_OK);
    tw_job_unref(job);
    assert_int_equal(atomic_load(&released), 1);
    assert_int_equal(wk.started + wk.canceled, 0);
}

static void closing_ends_every_job(void **state)
{
    work a = {0}, b = {.forgetful = 1}, c = {0};
    tw_job *one = job_of(&a, NULL), *two = job_of(&b, NULL), *three;
    const tw_reply *rsp;
    tw_error *err = NULL;

    (void)state;
    tw__loop_turn(loop, 0);
    three = job_of(&c, NULL); /* not started yet */
    tw__loop_close(loop);
    assert_int_equal(tw_job_result(&rsp, one, NULL), TW_E_CLOSED);
    assert_int_equal(tw_job_result(&rsp, two, NULL), TW_E_CLOSED);
    assert_int_equal(tw_job_result(&rsp, three, NULL), TW_E_CLOSED);
    assert_int_equal(tw_job_wait(one, -1), TW_OK);
    tw_job_cancel(one);
    tw_job_unref(one);
    tw_job_unref(two);
    tw_job_unref(three);
    assert_int_equal(atomic_load(&released), 3);
    /* New ones are refused, and their state is given back. */
    assert_int_equal(tw__job_new(&one, loop, NULL, &kind, &a, NULL), TW_OK);
    assert_int_equal(tw__job_submit(one, &err), TW_E_CLOSED);
    assert_int_equal(tw_error_code(err), TW_E_CLOSED);
    tw_error_free(err);
    tw_job_unref(one);
    assert_int_equal(atomic_load(&released), 4);
}

/* ---- streams ------------------------------------------------------------------------------- */

/* A loop that polls the descriptor of one stream must neither spin nor miss the end. */
static void a_streams_descriptor_tells_what_was_not_looked_at(void **state)
{
    work wk = {.at_start = 2};
    tw_job *job = job_of(&wk, NULL);
    tw_block *block;

    (void)state;
    tw__loop_turn(loop, 0);
    assert_true(readable(tw_job_fd(job)));
    assert_int_equal(tw_job_next(&block, job, NULL), TW_OK);
    tw_block_free(block);
    assert_int_equal(tw_job_wait(job, 0), TW_OK); /* for the other one */
    assert_true(readable(tw_job_fd(job)));
    assert_int_equal(tw_job_next(&block, job, NULL), TW_OK);
    tw_block_free(block);
    assert_int_equal(tw_job_next(&block, job, NULL), TW_AGAIN);
    assert_false(readable(tw_job_fd(job)));
    assert_int_equal(tw_job_wait(job, 0), TW_AGAIN);
    assert_false(readable(tw_job_fd(job)));
    push_text(wk.job, "c\n");
    assert_true(readable(tw_job_fd(job)));
    tw__job_finish(wk.job, NULL, NULL); /* one entry for both pieces of news */
    assert_int_equal(tw_job_wait(job, 0), TW_OK);
    assert_int_equal(tw_job_next(&block, job, NULL), TW_OK);
    tw_block_free(block);
    assert_true(readable(tw_job_fd(job))); /* the end was not looked at */
    assert_int_equal(tw_job_next(&block, job, NULL), TW_DONE);
    tw_job_unref(job);
}

static void blocks_come_before_the_end(void **state)
{
    work wk = {.at_start = 2};
    tw_job *job = job_of(&wk, NULL);
    tw_error *err = NULL;
    tw_block *block;
    const char *line;
    size_t size;

    (void)state;
    assert_int_equal(tw_job_next(&block, job, NULL), TW_AGAIN);
    tw__loop_turn(loop, 0);
    assert_int_equal(tw__job_ready_blocks(job), 2);
    tw__error(&err, TW_E_PROTOCOL, "cut");
    tw__job_finish(job, NULL, err);
    err = NULL;
    assert_int_equal(tw_job_done(job), 0); /* its end cannot be read yet */
    assert_int_equal(tw_job_next(&block, job, NULL), TW_OK);
    assert_int_equal(tw_block_next_line(&line, &size, block), TW_OK);
    assert_memory_equal(line, "a", size);
    assert_int_equal(tw_block_next_line(&line, &size, block), TW_OK);
    assert_int_equal(tw_block_next_line(&line, &size, block), TW_DONE);
    tw_block_free(block);
    assert_int_equal(tw__job_ready_blocks(job), 1);
    assert_int_equal(tw_job_next(&block, job, NULL), TW_OK);
    tw_block_free(block);
    assert_int_equal(tw_job_done(job), 1);
    assert_int_equal(tw_job_next(&block, job, &err), TW_E_PROTOCOL);
    assert_null(block);
    assert_string_equal(tw_error_message(err), "cut");
    assert_int_equal(tw_job_next(&block, job, &err), TW_E_PROTOCOL); /* final */
    tw_error_free(err);
    tw_job_unref(job);
}

static void freeing_a_block_tells_the_producer(void **state)
{
    work wk = {.at_start = 3};
    tw_job *job = job_of(&wk, NULL);
    tw_block *one, *two, *kept;

    (void)state;
    tw__loop_turn(loop, 0);
    tw_job_next(&one, job, NULL);
    tw_job_next(&two, job, NULL);
    tw_job_next(&kept, job, NULL);
    tw_block_free(one);
    tw_block_free(two);
    tw__loop_turn(loop, 0);
    assert_int_equal(wk.drained, 1); /* once for both */
    tw__job_finish(job, NULL, NULL);
    tw_job_unref(job);
    assert_int_equal(atomic_load(&released), 0); /* a block outlives its job's handles */
    tw_block_free(kept);
    assert_int_equal(atomic_load(&released), 1);
    tw_block_free(NULL);
}

static void lines_are_split_as_documented(void **state)
{
    static const char text[] = "one\n\n\r\ntwo\r\n\nlast";
    static const char *const lines[] = {"one", "two", "last"};
    tw_block_view view;
    tw_block *block;
    const char *line;
    size_t size, i;

    (void)state;
    assert_int_equal(tw__block_new(&block, tw__strdup(text), strlen(text)), TW_OK);
    for (i = 0; i < 3; i++) {
        assert_int_equal(tw_block_next_line(&line, &size, block), TW_OK);
        assert_int_equal(size, strlen(lines[i]));
        assert_memory_equal(line, lines[i], size);
    }
    assert_int_equal(tw_block_next_line(&line, &size, block), TW_DONE);
    assert_string_equal(tw_block_data(block, &size), text);
    tw__block_view(block, &view);
    assert_int_equal(*view.offset, strlen(text));
    *view.scratch = tw__strdup("kept with the block");
    tw_block_free(block);
}

/* ---- queues -------------------------------------------------------------------------------- */

static void a_queue_tells_of_its_jobs(void **state)
{
    work a = {.finish = 1}, b = {.finish = 1}, c = {0};
    tw_queue *queue;
    tw_job *one, *two, *three, *news;

    (void)state;
    assert_int_equal(tw_queue_new(&queue, NULL), TW_OK);
    one = job_of(&a, queue);
    two = job_of(&b, queue);
    three = job_of(&c, queue);
    assert_int_equal(tw_job_fd(one), tw_queue_fd(queue));
    assert_int_equal(tw_queue_next(&news, queue), TW_AGAIN);
    tw__loop_turn(loop, 0);
    assert_true(readable(tw_queue_fd(queue)));
    assert_int_equal(tw_queue_wait(queue, 0), TW_OK);
    assert_int_equal(tw_queue_next(&news, queue), TW_OK);
    assert_ptr_equal(news, one);
    tw_job_unref(news);
    assert_int_equal(tw_queue_next(&news, queue), TW_OK);
    assert_ptr_equal(news, two);
    tw_job_unref(news);
    assert_int_equal(tw_queue_next(&news, queue), TW_AGAIN);
    assert_false(readable(tw_queue_fd(queue)));
    assert_int_equal(tw_queue_wait(queue, 0), TW_AGAIN);
    /* News of a job that nobody holds are dropped. */
    tw_job_unref(three);
    tw__loop_turn(loop, 0);
    assert_int_equal(tw_queue_next(&news, queue), TW_AGAIN);
    assert_false(readable(tw_queue_fd(queue)));
    tw_job_unref(one);
    tw_job_unref(two);
    tw_queue_free(queue);
    assert_int_equal(atomic_load(&released), 3);
}

static void jobs_survive_their_queue(void **state)
{
    work a = {.finish = 1}, b = {0};
    tw_queue *queue;
    tw_job *one, *two;
    const tw_reply *rsp;

    (void)state;
    assert_int_equal(tw_queue_new(&queue, NULL), TW_OK);
    one = job_of(&a, queue);
    two = job_of(&b, queue);
    tw__loop_turn(loop, 0); /* news of one are waiting */
    tw_queue_free(queue);
    assert_int_equal(tw_job_result(&rsp, one, NULL), TW_OK);
    tw__job_finish(two, NULL, NULL);
    assert_int_equal(tw_job_result(&rsp, two, NULL), TW_OK);
    assert_null(rsp);
    tw_job_unref(one);
    tw_job_unref(two);
    assert_int_equal(atomic_load(&released), 2);
    tw_queue_free(NULL);
}

/* Waiting for one job leaves the others' news where they are. */
static void a_wait_leaves_other_news(void **state)
{
    work a = {.finish = 1}, b = {0};
    tw_queue *queue;
    tw_job *one, *two, *news;

    (void)state;
    assert_int_equal(tw_queue_new(&queue, NULL), TW_OK);
    one = job_of(&a, queue);
    two = job_of(&b, queue);
    tw__loop_turn(loop, 0);
    assert_int_equal(tw_job_wait(two, 0), TW_AGAIN);
    assert_int_equal(tw_job_wait(two, 2), TW_AGAIN);
    assert_true(readable(tw_queue_fd(queue)));
    assert_int_equal(tw_queue_next(&news, queue), TW_OK);
    assert_ptr_equal(news, one);
    tw_job_unref(news);
    tw_job_unref(one);
    tw_job_unref(two);
    tw_queue_free(queue);
    tw__loop_close(loop); /* while its state is there */
}

static void a_wait_takes_its_own_news(void **state)
{
    work wk = {.finish = 1};
    tw_job *job = job_of(&wk, NULL);

    (void)state;
    assert_int_equal(tw_job_wait(job, 0), TW_AGAIN);
    tw__loop_turn(loop, 0);
    assert_int_equal(tw_job_wait(job, 0), TW_OK);
    assert_false(readable(tw_job_fd(job)));
    tw_job_unref(job);
}

/* ---- threads -------------------------------------------------------------------------------- */

static void waits_end_when_the_work_does(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 500; i++) {
        work wk = {.finish = 1};
        tw_job *job = job_of(&wk, NULL);

        assert_int_equal(tw_job_wait(job, -1), TW_OK);
        assert_int_equal(tw_job_done(job), 1);
        tw_job_unref(job);
    }
}

static void no_signal(int sig)
{
    (void)sig;
}

static void *interrupter(void *arg)
{
    const struct timespec pause = {0, 2000000};

    /* The waiter may not be waiting yet: again and again until it says it is through. */
    while (!atomic_load((atomic_int *)arg)) {
        kill(getpid(), SIGUSR1);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void a_signal_ends_a_wait(void **state)
{
    struct sigaction action = {.sa_handler = no_signal}, before;
    atomic_int through = 0;
    work wk = {0};
    tw_job *job = job_of(&wk, NULL);
    sigset_t usr1;
    pthread_t thread;
    tw_queue *queue;

    (void)state;
    sigaction(SIGUSR1, &action, &before);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    assert_int_equal(tw_queue_new(&queue, NULL), TW_OK);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL); /* the other thread gets none of its own */
    pthread_create(&thread, NULL, interrupter, &through);
    pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    assert_int_equal(tw_job_wait(job, 60000), TW_INTERRUPTED);
    assert_int_equal(tw_queue_wait(queue, 60000), TW_INTERRUPTED);
    atomic_store(&through, 1);
    pthread_join(thread, NULL);
    sigaction(SIGUSR1, &before, NULL);
    tw_queue_free(queue);
    tw_job_unref(job);
    tw__loop_close(loop); /* while its state is there */
}

/* A producer on the I/O thread against consumers that cancel, drop and read at any time. */
typedef struct producer {
    tw_task task;
    tw_job *job;
    int left;
    tw_loop *loop;
} producer;

static void produce(tw_task *task);

static void producer_start(tw_job *job, void *state)
{
    producer *pd = state;

    pd->job = job;
    pd->task.run = produce;
    tw__loop_post(pd->loop, &pd->task);
}

static void produce(tw_task *task)
{
    producer *pd = TW_CONTAINER(task, producer, task);

    if (tw__job_finished(pd->job))
        return;
    if (pd->left-- == 0) {
        tw__job_finish(pd->job, NULL, NULL);
        return;
    }
    push_text(pd->job, "line\n");
    tw__loop_post(pd->loop, task);
}

static void producer_cancel(tw_job *job, void *state, int code)
{
    producer *pd = state;
    tw_error *err = NULL;

    tw__loop_withdraw(pd->loop, &pd->task);
    tw__error(&err, code, "the producer was stopped");
    tw__job_finish(job, NULL, err);
}

static void producer_drained(tw_job *job, void *state)
{
    (void)job;
    (void)state;
}

static void producer_release(void *state)
{
    tw__free(state);
    atomic_fetch_add(&released, 1);
}

static const tw_job_kind producer_kind = {producer_start, producer_cancel,
                                          producer_drained, producer_release};

enum { CONSUMERS = 3, ROUNDS = 200, BLOCKS = 20 };

static int consume(int round)
{
    producer *pd = tw__alloc_zero(1, sizeof *pd);
    tw_block *block;
    tw_job *job;
    int got = 0, rc;

    pd->loop = loop;
    pd->left = BLOCKS;
    if (tw__job_new(&job, loop, NULL, &producer_kind, pd, NULL) != TW_OK ||
        tw__job_submit(job, NULL) != TW_OK)
        return -1;
    for (;;) {
        if (round % 4 == 1 && got == 3)
            break; /* leave early */
        if (round % 4 == 2 && got == 5)
            tw_job_cancel(job);
        rc = tw_job_next(&block, job, NULL);
        if (rc == TW_OK) {
            got++;
            tw_block_free(block);
        } else if (rc == TW_AGAIN) {
            if (tw_job_wait(job, 60000) != TW_OK)
                return -1;
        } else {
            break;
        }
    }
    tw_job_unref(job);
    return round % 4 == 0 || round % 4 == 3 ? got == BLOCKS && rc == TW_DONE : 1;
}

static void *consumer(void *arg)
{
    int i;

    for (i = 0; i < ROUNDS; i++) {
        if (consume(i) != 1)
            return arg;
    }
    return NULL;
}

static void streams_survive_impatient_consumers(void **state)
{
    pthread_t threads[CONSUMERS];
    int i;

    (void)state;
    for (i = 0; i < CONSUMERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, consumer, loop), 0);
    for (i = 0; i < CONSUMERS; i++) {
        void *bad;

        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    tw__loop_close(loop);
    assert_int_equal(atomic_load(&released), CONSUMERS * ROUNDS);
}

/* One queue, many jobs of several makers: each job is told of. */
static void one_queue_serves_many_jobs(void **state)
{
    enum { JOBS = 300 };
    static work wk[JOBS];
    static tw_job *jobs[JOBS];
    tw_queue *queue;
    int done = 0, i;

    (void)state;
    assert_int_equal(tw_queue_new(&queue, NULL), TW_OK);
    for (i = 0; i < JOBS; i++) {
        memset(&wk[i], 0, sizeof wk[i]);
        wk[i].finish = 1;
        jobs[i] = job_of(&wk[i], queue);
    }
    while (done < JOBS) {
        tw_job *news;

        assert_int_equal(tw_queue_wait(queue, 60000), TW_OK);
        while (tw_queue_next(&news, queue) == TW_OK) {
            done += tw_job_done(news);
            tw_job_unref(news);
        }
    }
    for (i = 0; i < JOBS; i++)
        tw_job_unref(jobs[i]);
    tw_queue_free(queue);
}

static int fork_child(tw_job *job, tw_job *ended, tw_queue *queue, tw_block *block)
{
    const tw_reply *rsp;
    tw_job *news;
    tw_block *more;
    int bad = 0;

    bad |= tw_job_result(&rsp, job, NULL) != TW_E_FORKED;
    bad |= tw_job_next(&more, job, NULL) != TW_E_FORKED;
    bad |= tw_job_wait(job, -1) != TW_OK; /* and does not hang */
    bad |= tw_job_done(job) != 1;
    bad |= tw_queue_next(&news, queue) != TW_E_FORKED;
    bad |= tw_queue_wait(queue, -1) != TW_E_FORKED;
    tw_job_cancel(job);
    tw_block_free(block);
    tw_job_unref(job);
    tw_job_unref(ended);
    tw_queue_free(queue);
    return bad;
}

static void a_child_is_told_and_disturbs_nothing(void **state)
{
    work a = {.at_start = 1}, b = {.finish = 1};
    tw_queue *queue;
    tw_job *job, *ended, *news;
    tw_block *block;
    pid_t pid;
    int status;

    (void)state;
    assert_int_equal(tw_queue_new(&queue, NULL), TW_OK);
    job = job_of(&a, queue);
    assert_int_equal(tw_job_wait(job, 60000), TW_OK);
    assert_int_equal(tw_job_next(&block, job, NULL), TW_OK);
    ended = job_of(&b, queue);
    assert_int_equal(tw_job_wait(ended, 60000), TW_OK);
    pid = fork();
    if (pid == 0)
        _exit(fork_child(job, ended, queue, block));
    waitpid(pid, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    /* The parent's news are all still there. */
    assert_true(readable(tw_queue_fd(queue)));
    assert_int_equal(tw_queue_next(&news, queue), TW_OK);
    tw_job_unref(news);
    assert_int_equal(tw_queue_next(&news, queue), TW_OK);
    tw_job_unref(news);
    assert_int_equal(tw_queue_next(&news, queue), TW_AGAIN);
    tw_block_free(block);
    tw_job_unref(job);
    tw_job_unref(ended);
    tw_queue_free(queue);
    tw__loop_close(loop); /* while its state is there */
}

static void no_memory_is_an_error(void **state)
{
    long n, held;
    int refused = 1;

    (void)state;
    for (n = 0; refused; n++) {
        work wk = {0};
        tw_error *err = NULL;
        tw_job *job;
        int rc;

        oom_begin(n);
        rc = tw__job_new(&job, loop, NULL, &kind, &wk, &err);
        if (rc == TW_OK)
            tw_job_unref(job);
        tw_error_free(err);
        refused = oom_end(&held);
        assert_int_equal(rc, refused ? TW_E_NOMEM : TW_OK);
        assert_int_equal(held, 0);
    }
    assert_int_equal(n, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define THREAD_TEST(name) cmocka_unit_test_setup_teardown(name, setup_thread, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_result_is_there_when_done),
        TEST(the_first_outcome_counts),
        TEST(progress_of_an_older_caller_fits),
        TEST(cancel_is_asked_once),
        TEST(the_last_reference_cancels),
        TEST(a_forgetful_kind_is_finished_all_the_same),
        TEST(a_job_that_was_never_submitted_goes),
        TEST(closing_ends_every_job),
        TEST(a_streams_descriptor_tells_what_was_not_looked_at),
        TEST(blocks_come_before_the_end),
        TEST(freeing_a_block_tells_the_producer),
        TEST(lines_are_split_as_documented),
        TEST(a_queue_tells_of_its_jobs),
        TEST(jobs_survive_their_queue),
        TEST(a_wait_leaves_other_news),
        TEST(a_wait_takes_its_own_news),
        THREAD_TEST(waits_end_when_the_work_does),
        THREAD_TEST(a_signal_ends_a_wait),
        THREAD_TEST(streams_survive_impatient_consumers),
        THREAD_TEST(one_queue_serves_many_jobs),
        THREAD_TEST(a_child_is_told_and_disturbs_nothing),
        TEST(no_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
