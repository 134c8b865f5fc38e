/* y = activation(x W + bias) + residual, straight from the stored layout of W. */
#include "runtime/ops/op.h"

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
    if (matmul == NULL) {
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
            matmul(&(pml_matmul){
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
            });
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op, &(pml_op_attributes){.integer = {(int64_t)activation}},
                            (const pml_tensor *const[]){x, w, bias, residual}, 4, y, error));

done:
    return status;
}
