/* The queue, and jobs shared by two threads: bounds, batches, fairness, ends. Under the thread sanitizer also that
 * nothing of it races. */
#include "runtime/serve/job_queue.h"

#include <stdatomic.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "tests/harness.h"

static pml_job *make(pml_job_kind kind, size_t n_texts, size_t n_tokens) {
    pml_job *job = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_job_create(kind, n_texts, &job, &error), &error);
    for (size_t i = 0; i < n_texts; i++) {
        job->encodings[i].count = n_tokens; /* their tokens are nobody's business here */
    }
    return job;
}

static pml_job_queue *make_queue(size_t jobs, size_t texts, size_t tokens) {
    pml_job_queue *queue = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_job_queue_create(&(pml_job_limits){jobs, texts, tokens}, &queue, &error), &error);
    return queue;
}

static void put(pml_job_queue *queue, pml_job *job) {
    pml_error error;
    PML_ASSERT_OK(pml_job_queue_put(queue, job, &error), &error);
}

static bool has_slice(const pml_job_batch *batch, size_t i, const pml_job *job, size_t first, size_t count) {
    return i < batch->count && batch->slices[i].job == job && batch->slices[i].first == first &&
           batch->slices[i].count == count;
}

static void is_bounded(void) {
    pml_job_queue *queue = make_queue(2, 8, 100);
    pml_job *jobs[3] = {make(PML_JOB_EMBED, 1, 1), make(PML_JOB_EMBED, 1, 1), make(PML_JOB_EMBED, 1, 1)};
    pml_error error;
    put(queue, jobs[0]);
    put(queue, jobs[1]);
    PML_ASSERT_FAILS(pml_job_queue_put(queue, jobs[2], &error), PML_E_BUSY, &error, "2 requests wait");
    CU_ASSERT_EQUAL(pml_job_queue_depth(queue), 2);
    pml_job_queue_close(queue, false);
    PML_ASSERT_FAILS(pml_job_queue_put(queue, jobs[2], &error), PML_E_INTERRUPTED, &error, "ends");
    pml_job_batch batch = {0};
    CU_ASSERT_TRUE(pml_job_queue_take(queue, &batch)); /* what waits is still done */
    CU_ASSERT_EQUAL(batch.count, 2);
    pml_job_batch_release(&batch);
    CU_ASSERT_FALSE(pml_job_queue_take(queue, &batch));
    pml_job_batch_deinit(&batch);
    pml_job_queue_destroy(queue);
    for (size_t i = 0; i < 3; i++) {
        pml_job_release(jobs[i]);
    }
}

/* Batches fill up with the texts of several jobs; a large job lets small ones pass between its parts. */
static void batches_fill(void) {
    pml_job_queue *queue = make_queue(8, 4, 100);
    pml_job *large = make(PML_JOB_EMBED, 6, 10), *small = make(PML_JOB_EMBED, 1, 10);
    pml_job *second = make(PML_JOB_EMBED, 2, 60), *huge = make(PML_JOB_EMBED, 1, 1000);
    pml_job_batch batch = {0};
    put(queue, large);
    put(queue, small);
    put(queue, second);
    put(queue, huge);
    CU_ASSERT_TRUE(pml_job_queue_take(queue, &batch));
    CU_ASSERT_TRUE(batch.count == 1 && has_slice(&batch, 0, large, 0, 4) && batch.n_tokens == 40);
    pml_job_batch_release(&batch);
    CU_ASSERT_TRUE(pml_job_queue_take(queue, &batch)); /* 10 + 60 tokens; 60 more do not fit */
    CU_ASSERT_TRUE(batch.count == 2 && has_slice(&batch, 0, small, 0, 1) && has_slice(&batch, 1, second, 0, 1));
    pml_job_batch_release(&batch);
    CU_ASSERT_TRUE(pml_job_queue_take(queue, &batch)); /* more tokens than any batch has: alone */
    CU_ASSERT_TRUE(batch.count == 1 && has_slice(&batch, 0, huge, 0, 1));
    pml_job_batch_release(&batch);
    CU_ASSERT_TRUE(pml_job_queue_take(queue, &batch));
    CU_ASSERT_TRUE(batch.count == 2 && has_slice(&batch, 0, large, 4, 2) && has_slice(&batch, 1, second, 1, 1));
    pml_job_batch_release(&batch);
    CU_ASSERT_EQUAL(pml_job_queue_depth(queue), 0);
    pml_job_batch_deinit(&batch);
    pml_job_queue_destroy(queue);
    pml_job_release(large);
    pml_job_release(small);
    pml_job_release(second);
    pml_job_release(huge);
}

static void completions_run_alone(void) {
    pml_job_queue *queue = make_queue(8, 4, 100);
    pml_job *text = make(PML_JOB_COMPLETE, 1, 10), *vector = make(PML_JOB_EMBED, 1, 10);
    pml_job_batch batch = {0};
    put(queue, vector);
    put(queue, text);
    put(queue, vector);
    CU_ASSERT_TRUE(pml_job_queue_take(queue, &batch) && has_slice(&batch, 0, vector, 0, 1) && batch.count == 1);
    pml_job_batch_release(&batch);
    CU_ASSERT_TRUE(pml_job_queue_take(queue, &batch) && has_slice(&batch, 0, text, 0, 1) && batch.count == 1);
    pml_job_batch_deinit(&batch);
    pml_job_queue_destroy(queue); /* one job still waits in it */
    pml_job_release(text);
    pml_job_release(vector);
}

static void unwanted_jobs_end(void) {
    pml_job_queue *queue = make_queue(8, 4, 100);
    pml_job *late = make(PML_JOB_EMBED, 1, 1), *left = make(PML_JOB_EMBED, 1, 1), *wanted = make(PML_JOB_EMBED, 1, 1);
    pml_job_batch batch = {0};
    late->deadline_ns = pml_serve_now_ns() - 1;
    put(queue, late);
    put(queue, left);
    put(queue, wanted);
    pml_job_cancel(left);
    CU_ASSERT_TRUE(pml_job_queue_take(queue, &batch));
    CU_ASSERT_TRUE(batch.count == 1 && has_slice(&batch, 0, wanted, 0, 1));
    CU_ASSERT_TRUE(late->end == PML_JOB_LATE && left->end == PML_JOB_LATE && wanted->end == PML_JOB_OPEN);
    pml_job_batch_release(&batch);
    pml_job *last = make(PML_JOB_EMBED, 1, 1);
    put(queue, last);
    pml_job_queue_close(queue, true);
    CU_ASSERT_FALSE(pml_job_queue_take(queue, &batch));
    CU_ASSERT_EQUAL(last->end, PML_JOB_CLOSING);
    CU_ASSERT_TRUE(pml_job_queue_drops(queue));
    pml_job_batch_deinit(&batch);
    pml_job_queue_destroy(queue);
    pml_job_release(late);
    pml_job_release(left);
    pml_job_release(wanted);
    pml_job_release(last);
}

/* A queue that is full of jobs of clients that went away takes others in. */
static void unwanted_jobs_make_room(void) {
    pml_job_queue *queue = make_queue(3, 4, 100);
    pml_job *jobs[5];
    pml_error error;
    for (size_t i = 0; i < 5; i++) {
        jobs[i] = make(PML_JOB_EMBED, 1, 1);
    }
    put(queue, jobs[0]);
    put(queue, jobs[1]);
    put(queue, jobs[2]);
    pml_job_cancel(jobs[1]);
    put(queue, jobs[3]);
    CU_ASSERT_EQUAL(jobs[1]->end, PML_JOB_LATE);
    PML_ASSERT_FAILS(pml_job_queue_put(queue, jobs[4], &error), PML_E_BUSY, &error, "3 requests wait");
    pml_job_batch batch = {0};
    CU_ASSERT_TRUE(pml_job_queue_take(queue, &batch));
    CU_ASSERT_TRUE(has_slice(&batch, 0, jobs[0], 0, 1) && has_slice(&batch, 1, jobs[2], 0, 1) &&
                   has_slice(&batch, 2, jobs[3], 0, 1));
    pml_job_batch_deinit(&batch);
    pml_job_queue_destroy(queue);
    for (size_t i = 0; i < 5; i++) {
        pml_job_release(jobs[i]);
    }
}

static void only_the_first_end_counts(void) {
    pml_job *job = make(PML_JOB_EMBED, 1, 1);
    pml_error error = {.message = "cause"};
    pml_job_finish(job, PML_JOB_FAILED, PML_E_NUMERIC, &error);
    pml_job_finish(job, PML_JOB_DONE, PML_OK, NULL);
    CU_ASSERT_TRUE(job->end == PML_JOB_FAILED && job->status == PML_E_NUMERIC && strcmp(job->message, "cause") == 0);
    PML_ASSERT_FAILS(pml_job_send(job, "x", 1, &error), PML_E_INTERRUPTED, &error, "nobody");
    pml_job_release(job);
}

/* A stream whose reader takes nothing is not kept for it without end. */
static void unread_streams_end(void) {
    enum { PIECE = 65536 };
    static char piece[PIECE];
    pml_job *job = make(PML_JOB_COMPLETE, 1, 1);
    pml_error error;
    size_t n = 0;
    job->completion.is_stream = true;
    while (n < 1000 && pml_job_send(job, piece, PIECE, &error) == PML_OK) {
        n++;
    }
    CU_ASSERT_TRUE(n > 0 && n <= PML_MAX_SERVE_UNREAD_BYTES / PIECE + 1);
    CU_ASSERT_FALSE(pml_job_is_wanted(job));
    pml_job_release(job);
}

/* ---- threads --------------------------------------------------------------------------------------------------------
 */
enum { N_CLIENTS = 4, N_ROUNDS = 200 };

typedef struct client {
    pml_job_queue *queue;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    unsigned n_wakes;
    size_t n_done, n_refused;
} client;

static void wake(void *user) {
    client *c = user;
    (void)pthread_mutex_lock(&c->lock);
    c->n_wakes++;
    (void)pthread_cond_signal(&c->woken);
    (void)pthread_mutex_unlock(&c->lock);
}

static bool is_gone(void *user) {
    (void)user;
    return false;
}

static void *ask(void *user) {
    client *c = user;
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        pml_job *job = NULL;
        if (pml_job_create(PML_JOB_EMBED, 1 + round % 7, &job, NULL) != PML_OK) {
            break;
        }
        c->n_wakes = 0;
        job->owner = (pml_job_owner){c, wake, is_gone};
        if (pml_job_queue_put(c->queue, job, NULL) != PML_OK) {
            c->n_refused++;
            pml_job_release(job);
            continue;
        }
        if (round % 5 == 4) { /* goes away */
            pml_job_disown(job);
            pml_job_release(job);
            continue;
        }
        (void)pthread_mutex_lock(&c->lock);
        while (c->n_wakes < 2) { /* an answer and an end */
            (void)pthread_cond_wait(&c->woken, &c->lock);
        }
        (void)pthread_mutex_unlock(&c->lock);
        (void)pthread_mutex_lock(&job->lock);
        c->n_done += job->end == PML_JOB_DONE && job->n_out == job->count;
        (void)pthread_mutex_unlock(&job->lock);
        pml_job_release(job);
    }
    return NULL;
}

static void *work(void *user) {
    pml_job_queue *queue = user;
    pml_job_batch batch = {0};
    while (pml_job_queue_take(queue, &batch)) {
        for (size_t i = 0; i < batch.count; i++) {
            pml_job *job = batch.slices[i].job;
            job->n_done += batch.slices[i].count;
            if (job->n_done == job->count) {
                const pml_status status = pml_job_send(job, "123456789", job->count, NULL);
                pml_job_finish(job, status == PML_OK ? PML_JOB_DONE : PML_JOB_LATE, status, NULL);
            }
        }
        pml_job_batch_release(&batch);
    }
    pml_job_batch_deinit(&batch);
    return NULL;
}

static void every_client_gets_its_answer(void) {
    pml_job_queue *queue = make_queue(3, 4, 100);
    client clients[N_CLIENTS];
    pthread_t threads[N_CLIENTS], worker;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&worker, NULL, work, queue), 0);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        clients[i] = (client){.queue = queue};
        (void)pthread_mutex_init(&clients[i].lock, NULL);
        (void)pthread_cond_init(&clients[i].woken, NULL);
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, ask, &clients[i]), 0);
    }
    for (size_t i = 0; i < N_CLIENTS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    pml_job_queue_close(queue, false);
    (void)pthread_join(worker, NULL);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        /* Of the rounds in which it waited each was answered, or refused because the queue was full. */
        CU_ASSERT_TRUE(clients[i].n_done <= N_ROUNDS / 5 * 4);
        CU_ASSERT_TRUE(clients[i].n_done + clients[i].n_refused >= N_ROUNDS / 5 * 4);
        (void)pthread_mutex_destroy(&clients[i].lock);
        (void)pthread_cond_destroy(&clients[i].woken);
    }
    pml_job_queue_destroy(queue);
}

PML_TESTS("runtime/serve/job_queue", PML_TEST(is_bounded), PML_TEST(batches_fill), PML_TEST(completions_run_alone),
          PML_TEST(unwanted_jobs_end), PML_TEST(unwanted_jobs_make_room), PML_TEST(only_the_first_end_counts),
          PML_TEST(unread_streams_end), PML_TEST(every_client_gets_its_answer))
