/* Vectors of a batch of texts, out of several requests. */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/serve/serve_response.h"
#include "runtime/serve/worker.h"

typedef struct destination {
    const pml_text_pool *pool;
    float **vectors; /* [n_texts] where each goes */
} destination;

static pml_status keep(void *user, const pml_text_result *result, pml_error *error) {
    const destination *d = user;
    (void)error;
    pml_text_pool_take(d->pool, result, d->vectors[result->i_item]);
    return PML_OK;
}

static pml_status run_slices(const pml_worker *worker, const pml_job_slice *slices, size_t n_slices, pml_error *error) {
    pml_status status = PML_OK;
    const pml_serve_model *model = worker->model;
    destination d = {.pool = &model->pool};
    pml_text_item *items = NULL;
    size_t n_items = 0;
    for (size_t i = 0; i < n_slices; i++) {
        n_items += slices[i].count;
    }
    PML_TRY(pml_alloc(n_items, sizeof *items, &items, error));
    PML_TRY(pml_alloc(n_items, sizeof *d.vectors, &d.vectors, error));
    n_items = 0;
    for (size_t i = 0; i < n_slices; i++) {
        const pml_job *job = slices[i].job;
        for (size_t k = slices[i].first; k < slices[i].first + slices[i].count; k++) {
            items[n_items].encoding = &job->encodings[k];
            d.vectors[n_items++] = job->vectors + k * job->width;
        }
    }
    PML_TRY(pml_text_model_run(&model->text, items, n_items, &model->pool.run, keep, &d, error));
done:
    pml_free(items);
    pml_free(d.vectors);
    return status;
}

static void answer(const pml_worker *worker, pml_job *job) {
    pml_status status = PML_OK;
    pml_body body = {0};
    pml_error error = {0};
    PML_TRY(pml_body_embeddings(job, worker->model->name, &body, &error));
    PML_TRY(pml_job_send(job, body.bytes, body.size_bytes, &error));
done:
    free(body.bytes);
    pml_job_finish(job, status == PML_OK ? PML_JOB_DONE : PML_JOB_FAILED, status, &error);
}

static void settle(const pml_worker *worker, const pml_job_slice *slice, pml_status status, const pml_error *error) {
    pml_job *job = slice->job;
    if (status != PML_OK) {
        pml_job_finish(job, PML_JOB_FAILED, status, error);
        return;
    }
    job->n_done += slice->count;
    if (job->n_done == job->count) {
        answer(worker, job);
    }
}

void pml_worker_embed(const pml_worker *worker, const pml_job_batch *batch) {
    pml_error error = {0};
    const pml_status status = run_slices(worker, batch->slices, batch->count, &error);
    for (size_t i = 0; i < batch->count; i++) {
        pml_status own = status;
        if (status != PML_OK && batch->count > 1) {
            own = run_slices(worker, &batch->slices[i], 1, &error); /* one request's fault is not the others' */
        }
        settle(worker, &batch->slices[i], own, &error);
    }
}
