/* Small pointwise ops: activations, affine maps and what distribution heads need. */
#include <math.h>

#include "runtime/ops/op.h"

static const pml_op op_affine = {.name = "affine"};
static const pml_op op_activate = {.name = "activate"};
static const pml_op op_squareplus = {.name = "squareplus"};

pml_status pml_op_affine(pml_context *context, const pml_tensor *x, double factor, double shift, pml_tensor *y,
                         pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32), "affine: x must be F32");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    const float *from = pml_tensor_f32_const(x);
    float *to = pml_tensor_f32(y);
    for (size_t i = 0, n = pml_tensor_count(x); i < n; i++) {
        to[i] = (float)((double)from[i] * factor + shift);
    }
    /* The shift has no influence on a gradient, so that one number is enough. */
    PML_TRY(pml_tape_record(context->tape, &op_affine, &(pml_op_attributes){.real = factor},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

pml_status pml_op_activate(pml_context *context, const pml_tensor *x, pml_activation activation, pml_tensor *y,
                           pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32), "activate: x must be F32");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    memcpy(pml_tensor_f32(y), pml_tensor_f32_const(x), pml_tensor_count(x) * sizeof(float));
    context->kernels.activate_f32(activation, pml_tensor_f32(y), pml_tensor_count(x));
    PML_TRY(pml_tape_record(context->tape, &op_activate, &(pml_op_attributes){.integer = {(int64_t)activation}},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}

/* (x + sqrt(x^2 + 4)) / 2, for negative x in the equal form that does not cancel. */
static double squareplus(double x) {
    double root = sqrt(x * x + 4.0);
    return x < 0 ? 2.0 / (root - x) : (x + root) / 2.0;
}

pml_status pml_op_squareplus(pml_context *context, const pml_tensor *x, double shift, double least, pml_tensor *y,
                             pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32), "squareplus: x must be F32");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    const float *from = pml_tensor_f32_const(x);
    float *to = pml_tensor_f32(y);
    for (size_t i = 0, n = pml_tensor_count(x); i < n; i++) {
        double value = shift + squareplus((double)from[i]);
        to[i] = (float)(value < least ? least : value);
    }
    PML_TRY(pml_tape_record(context->tape, &op_squareplus, &(pml_op_attributes){.real = least},
                            (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}
