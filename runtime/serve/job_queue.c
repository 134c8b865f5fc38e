#include "runtime/serve/job_queue.h"

#include <string.h>

#include "runtime/base/alloc.h"

struct pml_job_queue {
    pml_job_limits limits;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* A ring of one more than the limit: the job of which texts are left goes back whatever came meanwhile. */
    pml_job **ring;
    size_t capacity, first, count;
    bool is_closed, drops;
};

pml_status pml_job_queue_create(const pml_job_limits *limits, pml_job_queue **queue, pml_error *error) {
    pml_status status = PML_OK;
    pml_job_queue *made = NULL;
    *queue = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->limits = *limits;
    made->capacity = limits->jobs + 1;
    PML_TRY(pml_alloc(made->capacity, sizeof(pml_job *), &made->ring, error));
    (void)pthread_mutex_init(&made->lock, NULL);
    (void)pthread_cond_init(&made->changed, NULL);
    *queue = made;
    made = NULL;
done:
    pml_free(made);
    return status;
}

void pml_job_queue_destroy(pml_job_queue *queue) {
    if (queue == NULL) {
        return;
    }
    for (size_t i = 0; i < queue->count; i++) {
        pml_job_release(queue->ring[(queue->first + i) % queue->capacity]);
    }
    (void)pthread_cond_destroy(&queue->changed);
    (void)pthread_mutex_destroy(&queue->lock);
    pml_free(queue->ring);
    pml_free(queue);
}

static void push(pml_job_queue *queue, pml_job *job) {
    queue->ring[(queue->first + queue->count) % queue->capacity] = job;
    queue->count++;
}

static pml_job *pop(pml_job_queue *queue) {
    pml_job *job = queue->ring[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->count--;
    return job;
}

/* Ends a job that nobody wants, or that the end of the server overtakes. */
static bool is_dropped(const pml_job_queue *queue, pml_job *job) {
    if (queue->drops) {
        pml_job_finish(job, PML_JOB_CLOSING, PML_E_INTERRUPTED, NULL);
        return true;
    }
    if (!pml_job_is_wanted(job)) {
        pml_job_finish(job, PML_JOB_LATE, PML_E_INTERRUPTED, NULL);
        return true;
    }
    return false;
}

/* Ends what waits for nobody, so that it takes no room from others. */
static void sweep(pml_job_queue *queue) {
    for (size_t left = queue->count; left > 0; left--) {
        pml_job *job = pop(queue);
        if (is_dropped(queue, job)) {
            pml_job_release(job);
        } else {
            push(queue, job);
        }
    }
}

pml_status pml_job_queue_put(pml_job_queue *queue, pml_job *job, pml_error *error) {
    pml_status status = PML_OK;
    (void)pthread_mutex_lock(&queue->lock);
    if (queue->is_closed) {
        PML_TRY(PML_FAIL(error, PML_E_INTERRUPTED, "the server ends"));
    }
    if (queue->count >= queue->limits.jobs) {
        sweep(queue);
    }
    if (queue->count >= queue->limits.jobs) {
        PML_TRY(PML_FAIL(error, PML_E_BUSY, "%zu requests wait already", queue->count));
    }
    pml_job_hold(job);
    push(queue, job);
    (void)pthread_cond_signal(&queue->changed);
done:
    (void)pthread_mutex_unlock(&queue->lock);
    return status;
}

/* Moves as many texts of the job as fit into the batch; *is_left: there are more. False when none fitted. */
static bool take_texts(const pml_job_queue *queue, pml_job *job, pml_job_batch *batch, bool *is_left) {
    pml_job_slice slice = {job, job->n_taken, 0};
    pml_error error;
    const pml_status status = pml_grow(&batch->slices, &batch->capacity, batch->count + 1, sizeof *batch->slices,
                                       SIZE_MAX / 2, "slices", &error);
    *is_left = false;
    if (status != PML_OK) {
        pml_job_finish(job, PML_JOB_FAILED, status, &error);
        return false;
    }
    while (job->n_taken < job->count) {
        const size_t n_tokens = job->encodings[job->n_taken].count;
        const bool fits = batch->n_texts < queue->limits.texts && n_tokens <= queue->limits.tokens - batch->n_tokens;
        if (batch->n_texts > 0 && !fits) {
            *is_left = true;
            break;
        }
        batch->n_texts++;
        batch->n_tokens +=
            n_tokens < queue->limits.tokens - batch->n_tokens ? n_tokens : queue->limits.tokens - batch->n_tokens;
        job->n_taken++;
        slice.count++;
    }
    if (slice.count == 0) {
        return false;
    }
    pml_job_hold(job);
    batch->slices[batch->count++] = slice;
    return true;
}

static void fill(pml_job_queue *queue, pml_job_batch *batch) {
    for (size_t left = queue->count; left > 0; left--) {
        pml_job *job = queue->ring[queue->first];
        const bool is_alone = job->kind == PML_JOB_COMPLETE;
        bool is_left = false, was_taken = false;
        if (is_alone && batch->count > 0) {
            break;
        }
        if (!is_dropped(queue, job)) {
            was_taken = take_texts(queue, job, batch, &is_left);
        }
        if (is_left && !was_taken) {
            break; /* it stays the first */
        }
        (void)pop(queue);
        if (is_left) {
            push(queue, job);
            break;
        }
        pml_job_release(job);
        if (was_taken && is_alone) {
            break;
        }
    }
}

bool pml_job_queue_take(pml_job_queue *queue, pml_job_batch *batch) {
    (void)pthread_mutex_lock(&queue->lock);
    while (batch->count == 0) {
        while (queue->count == 0 && !queue->is_closed) {
            (void)pthread_cond_wait(&queue->changed, &queue->lock);
        }
        if (queue->count == 0) {
            break;
        }
        fill(queue, batch);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return batch->count > 0;
}

void pml_job_batch_release(pml_job_batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        pml_job_release(batch->slices[i].job);
    }
    batch->count = batch->n_texts = batch->n_tokens = 0;
}

void pml_job_batch_deinit(pml_job_batch *batch) {
    pml_job_batch_release(batch);
    pml_free(batch->slices);
    *batch = (pml_job_batch){0};
}

void pml_job_queue_close(pml_job_queue *queue, bool drops) {
    (void)pthread_mutex_lock(&queue->lock);
    queue->is_closed = true;
    queue->drops = queue->drops || drops;
    (void)pthread_cond_signal(&queue->changed);
    (void)pthread_mutex_unlock(&queue->lock);
}

bool pml_job_queue_drops(pml_job_queue *queue) {
    (void)pthread_mutex_lock(&queue->lock);
    const bool drops = queue->drops;
    (void)pthread_mutex_unlock(&queue->lock);
    return drops;
}

size_t pml_job_queue_depth(pml_job_queue *queue) {
    (void)pthread_mutex_lock(&queue->lock);
    const size_t count = queue->count;
    (void)pthread_mutex_unlock(&queue->lock);
    return count;
}
