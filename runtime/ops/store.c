/* A result copied to where the caller wants it. */
#include "runtime/ops/op.h"

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    (void)context;
    return pml_gradient_add(gradients, &entry->inputs[0], pml_gradient_out(gradients, entry), 1, error);
}

static const pml_op op = {.name = "store", .backward = backward};

pml_status pml_op_store(pml_context *context, const pml_tensor *x, const pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const size_t count = pml_tensor_count(y);
    PML_OP_REQUIRE((pml_op_is(x, PML_DTYPE_F32) || pml_op_is(x, PML_DTYPE_F64)) && pml_op_is(y, PML_DTYPE_F32) &&
                       pml_tensor_count(x) == count,
                   "store: %zu values into %zu", pml_tensor_count(x), count);
    float *to = pml_tensor_f32(y);
    if (x->dtype == PML_DTYPE_F32) {
        memcpy(to, pml_tensor_f32_const(x), count * sizeof *to);
    } else {
        const double *from = pml_op_f64_const(x);
        for (size_t i = 0; i < count; i++) {
            to[i] = (float)from[i];
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op, NULL, (const pml_tensor *const[]){x}, 1, y, error));

done:
    return status;
}
