#include "runtime/serve/worker.h"

static void note(const pml_worker *worker, const pml_job_batch *batch) {
    const int64_t now_ns = pml_serve_now_ns();
    for (size_t i = 0; i < batch->count; i++) {
        pml_job *job = batch->slices[i].job;
        if (job->started_ns == 0) {
            job->started_ns = now_ns;
            pml_serve_metrics_observe(worker->metrics, PML_HISTOGRAM_WAIT, (double)(now_ns - job->queued_ns) * 1e-9);
            pml_serve_metrics_count(worker->metrics, PML_COUNTER_PROMPT_TOKENS, job->usage.prompt_tokens);
        }
    }
    pml_serve_metrics_observe(worker->metrics, PML_HISTOGRAM_TEXTS, (double)batch->n_texts);
    pml_serve_metrics_observe(worker->metrics, PML_HISTOGRAM_TOKENS, (double)batch->n_tokens);
}

void pml_worker_run(const pml_worker *worker) {
    pml_job_batch batch = {0};
    while (pml_job_queue_take(worker->queue, &batch)) {
        note(worker, &batch);
        if (batch.slices[0].job->kind == PML_JOB_EMBED) {
            pml_worker_embed(worker, &batch);
        } else {
            pml_worker_complete(worker, batch.slices[0].job);
        }
        pml_job_batch_release(&batch);
    }
    pml_job_batch_deinit(&batch);
}
