/* y = activation(x W + bias) + residual, straight from the stored layout of W. */
#include "runtime/base/checked.h"
#include "runtime/ops/op.h"
#include "runtime/ops/split.h"

static const pml_op op = {.name = "linear"};

static pml_matmul_fn *choose(const pml_kernels *kernels, const pml_tensor *w) {
    if (w->layout == PML_LAYOUT_PANEL) {
        return w->dtype == PML_DTYPE_F32    ? kernels->matmul_panel_f32
               : w->dtype == PML_DTYPE_BF16 ? kernels->matmul_panel_bf16
                                            : NULL;
    }
    return w->dtype == PML_DTYPE_F32    ? kernels->matmul_row_f32
           : w->dtype == PML_DTYPE_BF16 ? kernels->matmul_row_bf16
                                        : NULL;
}

/* Bytes of quantized rows that are made before they are used: they stay in the second-level cache beside a panel. */
#define QUANTIZED_BYTES ((size_t)1 << 18)
/* A multiple of every tile's rows. */
#define LEAST_ROWS 48u

/* The same product from an I8 matrix: rows of x are quantized, some at a time, and multiplied as bytes. */
static pml_status multiply_i8(pml_context *context, const pml_matmul *job, const pml_tensor *w, size_t i_matrix,
                              pml_error *error) {
    pml_status status = PML_OK;
    const pml_quantization quantization = pml_tensor_quantization(w, i_matrix);
    const size_t n_groups = pml_tensor_n_groups(w);
    uint64_t stride = 0, row_bytes = 0, block_bytes = 0;
    /* A line between rows keeps rows of a power of two from sharing sets of the cache. */
    if (!pml_ck_pad(job->k, PML_TENSOR_ALIGNMENT_BYTES, &stride) ||
        !pml_ck_add(stride, PML_TENSOR_ALIGNMENT_BYTES, &stride) || !pml_ck_mul(n_groups, sizeof(float), &row_bytes) ||
        !pml_ck_add(row_bytes, stride, &row_bytes)) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "linear: rows of %zu columns are too long", job->k));
    }
    size_t block = QUANTIZED_BYTES / (size_t)row_bytes / LEAST_ROWS * LEAST_ROWS;
    block = block < LEAST_ROWS ? LEAST_ROWS : block;
    block = block < job->m ? block : job->m;
    if (!pml_ck_mul(block, row_bytes, &block_bytes) || block_bytes > SIZE_MAX / 2) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "linear: rows of %zu columns are too long", job->k));
    }
    PML_TRY(pml_context_quantized(context, (size_t)block_bytes, error));
    uint8_t *rows = context->quantized;
    float *scales = (float *)(void *)(rows + block * (size_t)stride);
    pml_matmul_i8_fn *matmul =
        quantization.group_rows == 0 ? context->kernels.matmul_panel_i8 : context->kernels.matmul_panel_i8g;
    for (size_t i = 0; i < job->m; i += block) {
        const size_t m = job->m - i < block ? job->m - i : block;
        pml_split_quantize(context, &(pml_quantize){.m = m,
                                                    .k = job->k,
                                                    .x = job->x + i * job->x_stride,
                                                    .x_stride = job->x_stride,
                                                    .group = quantization.group_rows,
                                                    .q = rows,
                                                    .q_stride = (size_t)stride,
                                                    .scales = scales});
        const pml_matmul_i8 product = {
            .m = m,
            .k = job->k,
            .n = job->n,
            .x = rows,
            .x_stride = (size_t)stride,
            .x_scales = scales,
            .w = job->w,
            .w_scales = quantization.scales,
            .w_sums = quantization.sums,
            .group_rows = quantization.group_rows,
            .scale_factor = quantization.scale_factor,
            .y = job->y + i * job->y_stride,
            .y_stride = job->y_stride,
            .bias = job->bias,
            .residual = job->residual == NULL ? NULL : job->residual + i * job->residual_stride,
            .residual_stride = job->residual_stride,
            .activation = job->activation,
        };
        pml_split_matmul_i8(context, matmul, &product);
    }
done:
    return status;
}

/* How the rows of x [B, G, ..., in] fall to the matrices of a batched w: for matrix g, `n_jobs` products of `m` rows.
 * Without a batch axis there is one group and one job. With one row per (b, g), the rows of a group are taken with a
 * stride. */
typedef struct groups {
    size_t n_groups, n_jobs, m;
    size_t group_rows, job_rows; /* from one group, and one job, to the next */
    size_t row_step;             /* from one row of a job to the next */
} groups;

static groups split(const pml_tensor *x, const pml_tensor *w) {
    size_t rows = pml_tensor_rows(x);
    if (w->rank == 2) {
        return (groups){.n_groups = 1, .n_jobs = 1, .m = rows, .row_step = 1};
    }
    size_t n_groups = x->shape[1], n_batch = x->shape[0];
    size_t inner = n_groups == 0 || n_batch == 0 ? 0 : rows / n_groups / n_batch;
    if (inner == 1) {
        return (groups){.n_groups = n_groups, .n_jobs = 1, .m = n_batch, .group_rows = 1, .row_step = n_groups};
    }
    return (groups){.n_groups = n_groups,
                    .n_jobs = n_batch,
                    .m = inner,
                    .group_rows = inner,
                    .job_rows = inner * n_groups,
                    .row_step = 1};
}

pml_status pml_op_linear(pml_context *context, const pml_tensor *x, const pml_tensor *w, const pml_tensor *bias,
                         pml_activation activation, const pml_tensor *residual, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank >= 1 && (w->rank == 2 || w->rank == 3),
                   "linear: x must be F32 of rank 1 or more and w of rank 2 or 3");
    size_t n_in = w->shape[w->rank - 2], n_out = w->shape[w->rank - 1];
    PML_OP_REQUIRE(pml_tensor_columns(x) == n_in, "linear: x has %zu columns, the matrix %zu rows",
                   pml_tensor_columns(x), n_in);
    PML_OP_REQUIRE(w->rank == 2 || (x->rank >= 3 && x->shape[1] == w->shape[0]),
                   "linear: axis 1 of x does not match the %zu matrices", w->shape[0]);
    if (bias != NULL) {
        PML_OP_REQUIRE(pml_op_is(bias, PML_DTYPE_F32) && bias->rank == w->rank - 1 &&
                           pml_tensor_columns(bias) == n_out && (bias->rank == 1 || bias->shape[0] == w->shape[0]),
                       "linear: the bias does not fit a matrix of %zu columns", n_out);
    }
    pml_matmul_fn *matmul = choose(&context->kernels, w);
    const bool is_i8 = w->dtype == PML_DTYPE_I8 && w->layout == PML_LAYOUT_PANEL;
    if (matmul == NULL && !is_i8) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "linear: no kernel for a %s matrix in layout %s",
                         pml_dtype_name(w->dtype), pml_layout_name(w->layout)));
    }
    size_t shape[PML_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = n_out;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, x->rank, y, error));
    PML_OP_REQUIRE(residual == NULL || (pml_op_is(residual, PML_DTYPE_F32) && pml_op_same_shape(residual, y)),
                   "linear: the residual does not have the result's shape");
    const groups g = split(x, w);
    for (size_t i_group = 0; i_group < g.n_groups; i_group++) {
        for (size_t i_job = 0; i_job < g.n_jobs; i_job++) {
            size_t first = i_group * g.group_rows + i_job * g.job_rows;
            const pml_matmul job = {
                .m = g.m,
                .k = n_in,
                .n = n_out,
                .x = pml_tensor_f32_const(x) + first * n_in,
                .x_stride = g.row_step * n_in,
                .w = w->rank == 2 ? pml_tensor_bytes(w) : pml_tensor_matrix(w, i_group),
                .y = pml_tensor_f32(y) + first * n_out,
                .y_stride = g.row_step * n_out,
                .bias = bias == NULL ? NULL : pml_tensor_f32_const(bias) + i_group * n_out,
                .residual = residual == NULL ? NULL : pml_tensor_f32_const(residual) + first * n_out,
                .residual_stride = g.row_step * n_out,
                .activation = activation,
            };
            if (is_i8) {
                PML_TRY(multiply_i8(context, &job, w, i_group, error));
            } else {
                pml_split_matmul(context, matmul, &job, w);
            }
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op, &(pml_op_attributes){.integer = {(int64_t)activation}},
                            (const pml_tensor *const[]){x, w, bias, residual}, 4, y, error));

done:
    return status;
}
