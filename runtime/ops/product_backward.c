/* Both run through the panel kernels: what they multiply by is packed as panels, a part at a time. */
#include "runtime/ops/product_backward.h"

#include <string.h>

#include "runtime/ops/parallel.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/repack.h"
#include "runtime/ops/split.h"

/* Floats that are packed at a time: they stay in the second-level cache. */
#define PACKED_FLOATS ((size_t)1 << 17)
/* Matrices up to this size have a copy per part of the rows, which threads sum up apart. */
#define SMALL_FLOATS ((size_t)1 << 15)
#define LEAST_ROWS 256u
#define ROW_GRAIN 48u /* of a matrix, which threads take */
#define COLUMNS PML_PANEL_COLUMNS

static size_t round_up(size_t n) {
    return (n + COLUMNS - 1) / COLUMNS * COLUMNS;
}

/* ---- of the input ---- */
typedef struct pack_job {
    const pml_tensor *w;
    size_t i_matrix, first, n_rows;
    float *panels;
} pack_job;

static void pack_panels(void *user, size_t begin, size_t end) {
    const pack_job *job = user;
    const size_t n_out = pml_tensor_columns(job->w), n = (end < job->n_rows ? end : job->n_rows) - begin;
    pml_repack_weight_transposed(job->w, job->i_matrix, job->first + begin, n, job->panels + begin * n_out);
}

pml_status pml_product_input_backward(pml_context *context, pml_gradients *gradients, const pml_product_operands *rows,
                                      const pml_tensor *w, size_t i_matrix, float *dx, size_t dx_stride, bool is_new,
                                      pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_in = w->shape[w->rank - 2], n_out = w->shape[w->rank - 1];
    const size_t fitting = PACKED_FLOATS / (n_out + 1) / (4 * COLUMNS) * (4 * COLUMNS);
    const size_t block = fitting < 4 * COLUMNS ? 4 * COLUMNS : fitting;
    float *panels;
    PML_TRY(pml_gradients_scratch(gradients, round_up(n_in < block ? n_in : block) * n_out, &panels, error));
    for (size_t first = 0; first < n_in; first += block) {
        const size_t n = n_in - first < block ? n_in - first : block;
        pack_job pack = {w, i_matrix, first, n, panels};
        pml_context_ranges(context, n, COLUMNS, PML_COST_VALUES(n * n_out), pack_panels, &pack);
        const pml_tensor packed = {.dtype = PML_DTYPE_F32, .layout = PML_LAYOUT_PANEL, .rank = 2, .shape = {n_out, n}};
        const pml_matmul job = {
            .m = rows->m,
            .k = n_out,
            .n = n,
            .x = rows->g,
            .x_stride = rows->g_stride,
            .w = panels,
            .y = dx + first,
            .y_stride = dx_stride,
            .residual = is_new ? NULL : dx + first,
            .residual_stride = dx_stride,
        };
        pml_split_matmul(context, context->kernels.matmul_panel_f32, &job, &packed);
    }
    context->work.products += (uint64_t)rows->m * n_in * n_out;

done:
    return status;
}

/* ---- of the matrix ---- */
typedef struct weight_job {
    const pml_context *context;
    const pml_product_operands *rows;
    size_t n_in, n_out;
    pml_row_parts parts;
    float *sums;   /* small: [n_parts][in][out]; large: the gradient itself */
    size_t i_part; /* large: that is being added */
} weight_job;

static size_t part_length(const pml_row_parts *parts, size_t i) {
    const size_t first = i * parts->part_rows;
    return parts->n_rows - first < parts->part_rows ? parts->n_rows - first : parts->part_rows;
}

/* Of the rows of part i: rows first_in .. first_in + n_in - 1 of its matrix. */
static pml_outer part_product(const weight_job *job, size_t i, size_t first_in, size_t n_in) {
    const size_t first = i * job->parts.part_rows;
    return (pml_outer){
        .n_rows = part_length(&job->parts, i),
        .n_a = n_in,
        .n_b = job->n_out,
        .a = job->rows->x + first * job->rows->x_stride + first_in,
        .a_stride = job->rows->x_stride,
        .b = job->rows->g + first * job->rows->g_stride,
        .b_stride = job->rows->g_stride,
        .y_stride = job->n_out,
    };
}

static void multiply_parts(void *user, size_t begin, size_t end) {
    const weight_job *job = user;
    for (size_t i = begin; i < end; i++) {
        pml_outer product = part_product(job, i, 0, job->n_in);
        product.y = job->sums + i * job->n_in * job->n_out;
        job->context->kernels.outer_f32(&product);
    }
}

/* A small matrix: every part of the rows makes its own, and they are added in order. */
static pml_status run_small(pml_context *context, pml_gradients *gradients, weight_job *job, float *dw,
                            pml_error *error) {
    pml_status status = PML_OK;
    const size_t count = job->n_in * job->n_out, n_parts = job->parts.n_parts;
    PML_TRY(pml_gradients_scratch(gradients, n_parts * count, &job->sums, error));
    pml_context_ranges(context, n_parts, 1, PML_COST_MULTIPLY((double)count * (double)job->rows->m), multiply_parts,
                       job);
    for (size_t i = 0; i < n_parts; i++) {
        const float *part = job->sums + i * count;
        for (size_t k = 0; k < count; k++) {
            dw[k] += part[k];
        }
    }

done:
    return status;
}

static void add_rows(void *user, size_t begin, size_t end) {
    const weight_job *job = user;
    pml_outer product = part_product(job, job->i_part, begin, end - begin);
    product.y = job->sums + begin * job->n_out;
    product.adds = true;
    job->context->kernels.outer_f32(&product);
}

/* A large one: part after part is added to it, and threads share its rows. */
static void run_large(pml_context *context, weight_job *job, float *dw) {
    job->sums = dw;
    for (job->i_part = 0; job->i_part < job->parts.n_parts; job->i_part++) {
        const size_t n = part_length(&job->parts, job->i_part);
        pml_context_ranges(context, job->n_in, ROW_GRAIN,
                           PML_COST_MULTIPLY((double)n * (double)job->n_in * (double)job->n_out), add_rows, job);
    }
}

pml_status pml_product_weight_backward(pml_context *context, pml_gradients *gradients, const pml_product_operands *rows,
                                       size_t n_in, size_t n_out, float *dw, pml_error *error) {
    pml_status status = PML_OK;
    weight_job job = {.context = context, .rows = rows, .n_in = n_in, .n_out = n_out};
    context->work.products += (uint64_t)rows->m * n_in * n_out;
    if (rows->m == 0) {
        goto done;
    }
    if (n_in * n_out <= SMALL_FLOATS) {
        job.parts = pml_row_parts_of(rows->m, LEAST_ROWS);
        PML_TRY(run_small(context, gradients, &job, dw, error));
        goto done;
    }
    const size_t fitting = PACKED_FLOATS / (n_in + n_out), part = fitting > LEAST_ROWS ? fitting : LEAST_ROWS;
    job.parts = (pml_row_parts){rows->m, part, rows->m / part + (rows->m % part != 0)};
    run_large(context, &job, dw);

done:
    return status;
}
