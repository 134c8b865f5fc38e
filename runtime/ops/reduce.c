#include "runtime/ops/reduce.h"

#include <string.h>

#include "runtime/ops/parallel.h"

#define MOST_PARTS 64u
#define LEAST_ROWS 256u

pml_row_parts pml_row_parts_of(size_t n_rows, size_t least_rows) {
    const size_t even = n_rows / MOST_PARTS + (n_rows % MOST_PARTS != 0);
    const size_t part_rows = even > least_rows ? even : least_rows;
    return (pml_row_parts){n_rows, part_rows, n_rows / part_rows + (n_rows % part_rows != 0)};
}

typedef struct sums_job {
    const pml_context *context;
    pml_row_parts parts;
    const float *x, *z; /* z NULL: sums of x */
    size_t n, stride;
    double *totals; /* [n_parts][n] */
} sums_job;

static void sum_parts(void *user, size_t begin, size_t end) {
    const sums_job *job = user;
    for (size_t i = begin; i < end; i++) {
        double *totals = job->totals + i * job->n;
        const size_t first = i * job->parts.part_rows, left = job->parts.n_rows - first;
        memset(totals, 0, job->n * sizeof *totals);
        job->context->kernels.column_sums_f32(&(pml_column_sums){
            .n_rows = left < job->parts.part_rows ? left : job->parts.part_rows,
            .n_columns = job->n,
            .x = job->x + first * job->stride,
            .z = job->z == NULL ? NULL : job->z + first * job->stride,
            .stride = job->stride,
            .sums = job->z == NULL ? totals : NULL,
            .products = job->z == NULL ? NULL : totals,
        });
    }
}

static pml_status run(pml_context *context, pml_gradients *gradients, sums_job *job, float *sums, pml_error *error) {
    pml_status status = PML_OK;
    float *scratch = NULL;
    const size_t n_parts = job->parts.n_parts, n = job->n;
    PML_TRY(pml_gradients_scratch(gradients, n_parts * n * 2, &scratch, error)); /* a double is two floats */
    job->totals = (double *)(void *)scratch;
    pml_context_ranges(context, n_parts, 1, PML_COST_VALUES(job->parts.n_rows * n) / 4, sum_parts, job);
    for (size_t c = 0; c < n; c++) {
        double total = 0;
        for (size_t i = 0; i < n_parts; i++) {
            total += job->totals[i * n + c];
        }
        sums[c] += (float)total;
    }

done:
    return status;
}

pml_status pml_reduce_rows(pml_context *context, pml_gradients *gradients, const float *x, size_t m, size_t n,
                           size_t stride, float *sums, pml_error *error) {
    sums_job job = {.context = context, .parts = pml_row_parts_of(m, LEAST_ROWS), .x = x, .n = n, .stride = stride};
    return run(context, gradients, &job, sums, error);
}

pml_status pml_reduce_products(pml_context *context, pml_gradients *gradients, const float *x, const float *z, size_t m,
                               size_t n, size_t stride, float *sums, pml_error *error) {
    sums_job job = {
        .context = context, .parts = pml_row_parts_of(m, LEAST_ROWS), .x = x, .z = z, .n = n, .stride = stride};
    return run(context, gradients, &job, sums, error);
}
