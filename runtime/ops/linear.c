/* y = activation(x W + bias) + residual, straight from the stored layout of W; of one x with several matrices. */
#include "runtime/ops/linear_groups.h"
#include "runtime/ops/low_rank_product.h"

static const pml_op op = {.name = "linear", .backward = pml_linear_backward};

pml_linear_groups pml_linear_split(const pml_tensor *x, const pml_tensor *w) {
    size_t rows = pml_tensor_rows(x);
    if (w->rank == 2) {
        return (pml_linear_groups){.n_groups = 1, .n_jobs = 1, .m = rows, .row_step = 1};
    }
    size_t n_groups = x->shape[1], n_batch = x->shape[0];
    size_t inner = n_groups == 0 || n_batch == 0 ? 0 : rows / n_groups / n_batch;
    if (inner == 1) {
        return (pml_linear_groups){
            .n_groups = n_groups, .n_jobs = 1, .m = n_batch, .group_rows = 1, .row_step = n_groups};
    }
    return (pml_linear_groups){.n_groups = n_groups,
                               .n_jobs = n_batch,
                               .m = inner,
                               .group_rows = inner,
                               .job_rows = inner * n_groups,
                               .row_step = 1};
}

/* Checks a part and makes its y. */
static pml_status begin(pml_context *context, const pml_tensor *x, const pml_linear_part *part, pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *w = part->w, *bias = part->bias, *residual = part->residual;
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
    PML_TRY(pml_product_check(context, w, "linear", error));
    if (part->adapter != NULL) {
        PML_TRY(pml_low_rank_check(context, part->adapter, w, "linear", error));
    }
    size_t shape[PML_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = n_out;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, x->rank, part->y, error));
    PML_OP_REQUIRE(residual == NULL || (pml_op_is(residual, PML_DTYPE_F32) && pml_op_same_shape(residual, part->y)),
                   "linear: the residual does not have the result's shape");

done:
    return status;
}

/* The products of `m` rows of group `i_group`, from row `first` of x on, with every part's matrix. */
static pml_status multiply(pml_context *context, const pml_tensor *x, const pml_linear_part *parts, size_t n_parts,
                           size_t i_group, size_t first, size_t m, size_t row_step, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_in = pml_tensor_columns(x);
    pml_product_bytes bytes = {0};
    for (size_t i = 0; i < n_parts; i++) {
        const pml_linear_part *part = &parts[i];
        const size_t n_out = pml_tensor_columns(part->w);
        const pml_matmul job = {
            .m = m,
            .k = n_in,
            .n = n_out,
            .x = pml_tensor_f32_const(x) + first * n_in,
            .x_stride = row_step * n_in,
            .w = part->w->rank == 2 ? pml_tensor_bytes(part->w) : pml_tensor_matrix(part->w, i_group),
            .y = pml_tensor_f32(part->y) + first * n_out,
            .y_stride = row_step * n_out,
            .bias = part->bias == NULL ? NULL : pml_tensor_f32_const(part->bias) + i_group * n_out,
            .residual = part->residual == NULL ? NULL : pml_tensor_f32_const(part->residual) + first * n_out,
            .residual_stride = row_step * n_out,
            .activation = part->activation,
        };
        if (part->adapter != NULL) {
            PML_TRY(pml_low_rank_run(context, &job, part->w, part->adapter, &bytes, error));
        } else {
            PML_TRY(pml_product_run(context, &job, part->w, i_group, &bytes, error));
        }
    }

done:
    return status;
}

static pml_status compute(pml_context *context, const pml_tensor *x, const pml_linear_part *parts, size_t n_parts,
                          pml_error *error) {
    pml_status status = PML_OK;
    size_t block = SIZE_MAX;
    for (size_t i = 0; i < n_parts; i++) {
        PML_OP_REQUIRE(parts[i].w->rank == parts[0].w->rank, "linear: matrices for the same x must be batched alike");
        PML_TRY(begin(context, x, &parts[i], error));
        const size_t rows = pml_product_rows(parts[i].w);
        block = rows < block ? rows : block;
    }
    const pml_linear_groups g = n_parts == 0 ? (pml_linear_groups){0} : pml_linear_split(x, parts[0].w);
    for (size_t i_group = 0; i_group < g.n_groups; i_group++) {
        for (size_t i_job = 0; i_job < g.n_jobs; i_job++) {
            for (size_t i = 0; i < g.m; i += block < g.m - i ? block : g.m - i) {
                const size_t first = i_group * g.group_rows + i_job * g.job_rows + i * g.row_step;
                PML_TRY(multiply(context, x, parts, n_parts, i_group, first, g.m - i < block ? g.m - i : block,
                                 g.row_step, error));
            }
        }
    }

done:
    return status;
}

/* With a tape an activation is an op of its own, whose backward pass reads what it was computed from. */
static pml_status record_parts(pml_context *context, const pml_tensor *x, const pml_linear_part *parts, size_t n_parts,
                               pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < n_parts; i++) {
        const pml_linear_part *part = &parts[i];
        pml_tensor before, after;
        if (part->adapter != NULL) {
            PML_TRY(pml_low_rank_check(context, part->adapter, part->w, "linear", error));
            PML_TRY(pml_low_rank_record(context, x, part, error));
            continue;
        }
        const bool is_fused = part->activation == PML_ACTIVATION_IDENTITY;
        const pml_linear_part plain = {.w = part->w,
                                       .bias = part->bias,
                                       .activation = PML_ACTIVATION_IDENTITY,
                                       .residual = is_fused ? part->residual : NULL,
                                       .y = is_fused ? part->y : &before};
        PML_TRY(compute(context, x, &plain, 1, error));
        PML_TRY(pml_tape_record(context->tape, &op, NULL,
                                (const pml_tensor *const[]){x, plain.w, plain.bias, plain.residual}, 4, plain.y,
                                error));
        if (!is_fused) {
            pml_tensor *last = part->residual == NULL ? part->y : &after;
            PML_TRY(pml_op_activate(context, &before, part->activation, last, error));
        }
        if (!is_fused && part->residual != NULL) {
            PML_TRY(pml_op_add(context, &after, part->residual, part->y, error));
        }
    }

done:
    return status;
}

pml_status pml_op_linears(pml_context *context, const pml_tensor *x, const pml_linear_part *parts, size_t n_parts,
                          pml_error *error) {
    return context->tape != NULL ? record_parts(context, x, parts, n_parts, error)
                                 : compute(context, x, parts, n_parts, error);
}

pml_status pml_op_linear(pml_context *context, const pml_tensor *x, const pml_tensor *w, const pml_tensor *bias,
                         pml_activation activation, const pml_tensor *residual, pml_tensor *y, pml_error *error) {
    const pml_linear_part part = {.w = w, .bias = bias, .activation = activation, .residual = residual, .y = y};
    return pml_op_linears(context, x, &part, 1, error);
}
