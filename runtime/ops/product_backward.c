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
    float *packed; /* [n_parts][packed_count]: the part's x, transposed, and its g as panels */
    size_t packed_count;
    float *partial; /* [n_parts][in][out] */
} weight_job;

static size_t part_length(const pml_row_parts *parts, size_t i) {
    const size_t first = i * parts->part_rows;
    return parts->n_rows - first < parts->part_rows ? parts->n_rows - first : parts->part_rows;
}

/* x, transposed, and g as panels, of the rows of part i. */
static void pack_part(const weight_job *job, size_t i, float *turned, float *panels) {
    const size_t first = i * job->parts.part_rows, n = part_length(&job->parts, i);
    pml_repack_transpose(job->rows->x + first * job->rows->x_stride, n, job->n_in, job->rows->x_stride, turned);
    pml_repack_rows(job->rows->g + first * job->rows->g_stride, n, job->n_out, job->rows->g_stride, panels);
}

static pml_matmul part_product(const weight_job *job, size_t i, const float *turned, const float *panels, float *y,
                               const float *residual) {
    const size_t n = part_length(&job->parts, i);
    return (pml_matmul){
        .m = job->n_in,
        .k = n,
        .n = job->n_out,
        .x = turned,
        .x_stride = n,
        .w = panels,
        .y = y,
        .y_stride = job->n_out,
        .residual = residual,
        .residual_stride = job->n_out,
    };
}

static void multiply_parts(void *user, size_t begin, size_t end) {
    const weight_job *job = user;
    for (size_t i = begin; i < end; i++) {
        float *turned = job->packed + i * job->packed_count;
        float *panels = turned + round_up(job->parts.part_rows * job->n_in);
        pack_part(job, i, turned, panels);
        const pml_matmul product =
            part_product(job, i, turned, panels, job->partial + i * job->n_in * job->n_out, NULL);
        job->context->kernels.matmul_panel_f32(&product);
    }
}

/* A small matrix: every part of the rows makes its own, and they are added in order. */
static pml_status run_small(pml_context *context, pml_gradients *gradients, weight_job *job, float *dw,
                            pml_error *error) {
    pml_status status = PML_OK;
    const size_t count = job->n_in * job->n_out, n_parts = job->parts.n_parts;
    PML_TRY(pml_gradients_scratch(gradients, n_parts * job->packed_count, &job->packed, error));
    PML_TRY(pml_gradients_scratch(gradients, n_parts * count, &job->partial, error));
    pml_context_ranges(context, n_parts, 1, PML_COST_MULTIPLY((double)count * (double)job->rows->m), multiply_parts,
                       job);
    for (size_t i = 0; i < n_parts; i++) {
        const float *partial = job->partial + i * count;
        for (size_t k = 0; k < count; k++) {
            dw[k] += partial[k];
        }
    }

done:
    return status;
}

typedef struct turn_job {
    const weight_job *of;
    size_t i_part;
    float *turned, *panels;
} turn_job;

/* Columns begin .. end - 1 of x and then of g, in sixteens. */
static void pack_columns(void *user, size_t begin, size_t end) {
    const turn_job *job = user;
    const weight_job *of = job->of;
    const size_t first = job->i_part * of->parts.part_rows, n = part_length(&of->parts, job->i_part);
    const size_t n_x = round_up(of->n_in);
    for (size_t c = begin; c < end; c += COLUMNS) {
        if (c < n_x) {
            const size_t k = of->n_in - c < COLUMNS ? of->n_in - c : COLUMNS;
            pml_repack_transpose(of->rows->x + first * of->rows->x_stride + c, n, k, of->rows->x_stride,
                                 job->turned + c * n);
        } else {
            const size_t k = of->n_out - (c - n_x) < COLUMNS ? of->n_out - (c - n_x) : COLUMNS;
            pml_repack_rows(of->rows->g + first * of->rows->g_stride + (c - n_x), n, k, of->rows->g_stride,
                            job->panels + (c - n_x) * n);
        }
    }
}

/* A large one: part after part is added to it, and threads share its rows and columns. */
static pml_status run_large(pml_context *context, pml_gradients *gradients, weight_job *job, float *dw,
                            pml_error *error) {
    pml_status status = PML_OK;
    float *turned;
    PML_TRY(pml_gradients_scratch(gradients, job->packed_count, &turned, error));
    float *panels = turned + round_up(job->parts.part_rows * job->n_in);
    for (size_t i = 0; i < job->parts.n_parts; i++) {
        const size_t n = part_length(&job->parts, i), columns = round_up(job->n_in) + round_up(job->n_out);
        turn_job turn = {job, i, turned, panels};
        pml_context_ranges(context, columns, COLUMNS, PML_COST_VALUES(n * columns), pack_columns, &turn);
        const pml_tensor packed = {
            .dtype = PML_DTYPE_F32, .layout = PML_LAYOUT_PANEL, .rank = 2, .shape = {n, job->n_out}};
        const pml_matmul product = part_product(job, i, turned, panels, dw, dw);
        pml_split_matmul(context, context->kernels.matmul_panel_f32, &product, &packed);
    }

done:
    return status;
}

pml_status pml_product_weight_backward(pml_context *context, pml_gradients *gradients, const pml_product_operands *rows,
                                       size_t n_in, size_t n_out, float *dw, pml_error *error) {
    const bool is_small = n_in * n_out <= SMALL_FLOATS;
    weight_job job = {.context = context, .rows = rows, .n_in = n_in, .n_out = n_out};
    if (is_small) {
        job.parts = pml_row_parts_of(rows->m, LEAST_ROWS);
    } else {
        const size_t fitting = PACKED_FLOATS / (n_in + n_out), part = fitting > LEAST_ROWS ? fitting : LEAST_ROWS;
        job.parts = (pml_row_parts){rows->m, part, rows->m / part + (rows->m % part != 0)};
    }
    const size_t longest = job.parts.part_rows < rows->m ? job.parts.part_rows : rows->m;
    job.parts.part_rows = longest;
    job.packed_count = round_up(longest * n_in) + pml_repack_count(longest, n_out);
    context->work.products += (uint64_t)rows->m * n_in * n_out;
    if (rows->m == 0) {
        return PML_OK;
    }
    return is_small ? run_small(context, gradients, &job, dw, error) : run_large(context, gradients, &job, dw, error);
}
