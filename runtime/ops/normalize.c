/* Rows of unit length. */
#include <math.h>

#include "runtime/ops/op.h"

static const pml_op op = {.name = "normalize"};

pml_status pml_op_normalize(pml_context *context, const pml_tensor *x, double least, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank >= 1, "normalize: x must be F32 of rank 1 or more");
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    const size_t n = pml_tensor_columns(x), n_rows = n == 0 ? 0 : pml_tensor_count(x) / n;
    for (size_t i = 0; i < n_rows; i++) {
        const float *from = pml_tensor_f32_const(x) + i * n;
        float *to = pml_tensor_f32(y) + i * n;
        double squares = 0;
        for (size_t k = 0; k < n; k++) {
            squares += (double)from[k] * (double)from[k];
        }
        const double length = fmax(sqrt(squares), least);
        for (size_t k = 0; k < n; k++) {
            to[k] = (float)((double)from[k] / length);
        }
    }
    PML_TRY(pml_tape_record(context->tape, &op, &(pml_op_attributes){.real = least}, (const pml_tensor *const[]){x}, 1,
                            y, error));

done:
    return status;
}
