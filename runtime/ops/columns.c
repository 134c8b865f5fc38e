/* A scale and a shift per column, and the way back. */
#include "runtime/ops/op.h"

static const pml_op op_columns = {.name = "scale_columns"};
static const pml_op op_undo = {.name = "unscale_columns"};

static bool fit(const pml_tensor *x, const pml_tensor *weight, const pml_tensor *bias) {
    return pml_op_is(x, PML_DTYPE_F32) && x->rank >= 1 && pml_op_is_vector(weight, pml_tensor_columns(x)) &&
           pml_op_is_vector(bias, pml_tensor_columns(x));
}

pml_status pml_op_scale_columns(pml_context *context, const pml_tensor *x, const pml_tensor *weight,
                                const pml_tensor *bias, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(fit(x, weight, bias), "scale_columns: x must be F32 [..., n], weight and bias [n]");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    const float *from = pml_tensor_f32_const(x), *w = pml_tensor_f32_const(weight), *b = pml_tensor_f32_const(bias);
    float *to = pml_tensor_f32(y);
    const size_t n = pml_tensor_columns(x);
    for (size_t i = 0, count = pml_tensor_count(x); i < count; i += n) {
        for (size_t c = 0; c < n; c++) {
            to[i + c] = (float)((double)from[i + c] * (double)w[c] + (double)b[c]);
        }
    }
    PML_TRY(
        pml_tape_record(context->tape, &op_columns, NULL, (const pml_tensor *const[]){x, weight, bias}, 3, y, error));

done:
    return status;
}

pml_status pml_op_unscale_columns(pml_context *context, const pml_tensor *x, const pml_tensor *weight,
                                  const pml_tensor *bias, double floor, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(fit(x, weight, bias), "unscale_columns: x must be F32 [..., n], weight and bias [n]");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    const float *from = pml_tensor_f32_const(x), *w = pml_tensor_f32_const(weight), *b = pml_tensor_f32_const(bias);
    float *to = pml_tensor_f32(y);
    const size_t n = pml_tensor_columns(x);
    for (size_t i = 0, count = pml_tensor_count(x); i < count; i += n) {
        for (size_t c = 0; c < n; c++) {
            to[i + c] = (float)(((double)from[i + c] - (double)b[c]) / ((double)w[c] + floor));
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op_undo, &(pml_op_attributes){.real = floor},
                            (const pml_tensor *const[]){x, weight, bias}, 3, y, error));

done:
    return status;
}
