/* The one thread that computes: takes batches from the queue until it is closed and empty. */
#ifndef PML_RUNTIME_SERVE_WORKER_H
#define PML_RUNTIME_SERVE_WORKER_H

#include "runtime/serve/job_queue.h"
#include "runtime/serve/serve_metrics.h"
#include "runtime/serve/serve_model.h"

typedef struct pml_worker {
    pml_serve_model *model;
    pml_job_queue *queue;
    pml_serve_metrics *metrics;
} pml_worker;

/* Every job that it takes gets an end. */
void pml_worker_run(const pml_worker *worker);

/* What it is made of. The vectors of a batch of texts; a job whose last text that was is answered. A failure is that of
 * the jobs which fail when they are computed alone. */
void pml_worker_embed(const pml_worker *worker, const pml_job_batch *batch);
/* The texts of a completion, one after the other, streamed if that was asked for. */
void pml_worker_complete(const pml_worker *worker, pml_job *job);

#endif
