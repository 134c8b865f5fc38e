/* Jobs that wait for the one worker, bounded, first come first served. What is taken is a batch: texts of as many
 * waiting requests as fit, so that their weights are read once; a request of more texts than fit goes to the end of the
 * queue with those that are left, so that it does not keep small ones waiting. */
#ifndef PML_RUNTIME_SERVE_JOB_QUEUE_H
#define PML_RUNTIME_SERVE_JOB_QUEUE_H

#include "runtime/serve/job.h"

typedef struct pml_job_slice { /* some texts of one job, which the batch holds */
    pml_job *job;
    size_t first, count;
} pml_job_slice;

typedef struct pml_job_batch { /* zero = valid, empty; at least one slice after take; of COMPLETE jobs exactly one */
    pml_job_slice *slices;
    size_t count, capacity;
    size_t n_texts, n_tokens;
} pml_job_batch;

typedef struct pml_job_limits {
    size_t jobs;          /* that wait; at least 1 */
    size_t texts, tokens; /* of a batch; a single text may have more tokens */
} pml_job_limits;

typedef struct pml_job_queue pml_job_queue;
pml_status pml_job_queue_create(const pml_job_limits *limits, pml_job_queue **queue, pml_error *error) PML_WARN_UNUSED;
/* Releases what still waits. NULL is allowed. */
void pml_job_queue_destroy(pml_job_queue *queue);

/* On success the queue holds the job, too. Where there is no room, jobs that nobody wants end first. Errors: BUSY
 * (full), INTERRUPTED (closed). */
pml_status pml_job_queue_put(pml_job_queue *queue, pml_job *job, pml_error *error) PML_WARN_UNUSED;
/* Waits for jobs and moves some into *batch, which was released. False once the queue is closed and empty. Jobs that
 * nobody wants end here. Errors leave their job failed and are not reported otherwise. */
bool pml_job_queue_take(pml_job_queue *queue, pml_job_batch *batch);
void pml_job_batch_release(pml_job_batch *batch); /* lets go of its jobs; keeps the memory */
void pml_job_batch_deinit(pml_job_batch *batch);

/* No more jobs are taken in; with `drops` those that wait end, too. */
void pml_job_queue_close(pml_job_queue *queue, bool drops);
/* Whether work that is under way should end, too. */
bool pml_job_queue_drops(pml_job_queue *queue);
size_t pml_job_queue_depth(pml_job_queue *queue);

#endif
