/* Rows of a pack put to their places in a batch with padding. */
#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"

typedef struct scatter_job {
    const float *x; /* [R][m], from the first of n columns on */
    float *dx;      /* backward: as x; NULL: forward */
    float *y;
    const float *dy;
    const float *places;
    size_t m, n;
} scatter_job;

static void run_rows(void *user, size_t begin, size_t end) {
    const scatter_job *job = user;
    for (size_t r = begin; r < end; r++) {
        const size_t at = (size_t)job->places[r] * job->n;
        if (job->dx == NULL) {
            memcpy(job->y + at, job->x + r * job->m, job->n * sizeof *job->y);
            continue;
        }
        for (size_t k = 0; k < job->n; k++) {
            job->dx[r * job->m + k] += job->dy[at + k];
        }
    }
}

static void run(pml_context *context, size_t n_rows, scatter_job *job) {
    pml_context_ranges(context, n_rows, 1, PML_COST_VALUES((double)n_rows * (double)job->n), run_rows, job);
}

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *x = &entry->inputs[0], *places = &entry->inputs[1];
    scatter_job job = {.dy = pml_gradient_out(gradients, entry),
                       .places = pml_tensor_f32_const(places),
                       .m = pml_tensor_columns(x),
                       .n = pml_tensor_columns(&entry->output)};
    PML_TRY(pml_gradient_of(gradients, x, &job.dx, error));
    if (job.dx != NULL) {
        job.dx += entry->attributes.integer[0];
        run(context, pml_tensor_count(places), &job);
    }

done:
    return status;
}

static const pml_op op = {.name = "scatter", .backward = backward};

pml_status pml_op_scatter(pml_context *context, const pml_tensor *x, const pml_tensor *places, size_t first_column,
                          const pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 2 && pml_op_is(y, PML_DTYPE_F32) && y->rank == 2 &&
                       first_column + y->shape[1] <= x->shape[1] && pml_op_is_vector(places, x->shape[0]),
                   "scatter: x, its places and y do not belong together");
    for (size_t r = 0; r < x->shape[0]; r++) {
        const float place = pml_tensor_f32_const(places)[r];
        PML_OP_REQUIRE(place >= 0 && place < (float)y->shape[0], "scatter: place %.9g of %zu", (double)place,
                       y->shape[0]);
    }
    pml_tensor to = *y;
    run(context, x->shape[0],
        &(scatter_job){.x = pml_tensor_f32_const(x) + first_column,
                       .y = pml_tensor_f32(&to),
                       .places = pml_tensor_f32_const(places),
                       .m = x->shape[1],
                       .n = y->shape[1]});
    PML_TRY(pml_tape_record(context->tape, &op, &(pml_op_attributes){.integer = {(int64_t)first_column}},
                            (const pml_tensor *const[]){x, places}, 2, y, error));

done:
    return status;
}
