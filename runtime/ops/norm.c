/* Layer norm and batch norm (evaluation) over the last axis. */
#include "runtime/ops/op.h"
#include "runtime/ops/split.h"

static const pml_op op = {.name = "norm"};

pml_status pml_op_norm(pml_context *context, const pml_tensor *x, const pml_norm *norm, pml_tensor *y,
                       pml_error *error) {
    pml_status status = PML_OK;
    size_t n_rows = pml_tensor_rows(x), n_columns = pml_tensor_columns(x);
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank >= 1, "norm: x must be F32 of rank 1 or more");
    const bool has_bias = norm->kind != PML_NORM_LAYER || norm->bias.dtype != PML_DTYPE_NONE;
    PML_OP_REQUIRE(pml_op_is_vector(&norm->weight, n_columns) &&
                       (!has_bias || pml_op_is_vector(&norm->bias, n_columns)),
                   "norm: weight and bias must have %zu elements", n_columns);
    PML_OP_REQUIRE(norm->kind == PML_NORM_LAYER ||
                       (pml_op_is_vector(&norm->mean, n_columns) && pml_op_is_vector(&norm->variance, n_columns)),
                   "norm: mean and variance must have %zu elements", n_columns);
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    if (norm->kind == PML_NORM_LAYER) {
        const pml_layer_norm job = {
            .n_rows = n_rows,
            .n_columns = n_columns,
            .x = pml_tensor_f32_const(x),
            .y = pml_tensor_f32(y),
            .weight = pml_tensor_f32_const(&norm->weight),
            .bias = has_bias ? pml_tensor_f32_const(&norm->bias) : NULL,
            .eps = norm->eps,
        };
        pml_split_layer_norm(context, &job);
    } else {
        const pml_batch_norm job = {
            .n_rows = n_rows,
            .n_columns = n_columns,
            .x = pml_tensor_f32_const(x),
            .y = pml_tensor_f32(y),
            .mean = pml_tensor_f32_const(&norm->mean),
            .variance = pml_tensor_f32_const(&norm->variance),
            .weight = pml_tensor_f32_const(&norm->weight),
            .bias = pml_tensor_f32_const(&norm->bias),
            .eps = norm->eps,
        };
        pml_split_batch_norm(context, &job);
    }
    bool is_batch = norm->kind == PML_NORM_BATCH;
    PML_TRY(
        pml_tape_record(context->tape, &op, &(pml_op_attributes){.real = norm->eps, .integer = {(int64_t)norm->kind}},
                        (const pml_tensor *const[]){x, &norm->weight, has_bias ? &norm->bias : NULL,
                                                    is_batch ? &norm->mean : NULL, is_batch ? &norm->variance : NULL},
                        5, y, error));

done:
    return status;
}
